//! What becomes of a heartbeat, seen from outside, in real time: alerts for silence, lateness without one,
//! recoveries, and runs side by side. What needs hours is in the simulation.

use serde_json::{Value, json};

use crate::harness::{Daemon, LIMIT, wait_until};
use crate::receiver::{Received, Receiver};

/// These heartbeats, with alerts to `receiver`.
fn start(receiver: &Receiver, heartbeats: &str) -> Daemon {
    Daemon::start(&format!("{heartbeats}[defaults]\nchannels = [\"ops\"]\n{}", receiver.channel("ops")))
}

fn kinds(receiver: &Receiver) -> Vec<String> {
    receiver.received().iter().map(Received::kind).collect()
}

#[test]
fn a_heartbeat_that_was_never_pinged_alerts_at_its_deadline() {
    let receiver = Receiver::start();
    let daemon =
        start(&receiver, "[heartbeats.db]\nname = \"Database\"\ninterval = \"1s\"\ngrace = \"1s\"\n");
    let opened = receiver.wait_for_alert("incident.opened", "db").json();
    let incident = &opened["data"]["incident"];
    assert_eq!((&incident["cause"], &incident["exit_code"]), (&json!("missed"), &Value::Null));
    let heartbeat = &opened["data"]["heartbeat"];
    assert_eq!((&heartbeat["status"], &heartbeat["previous_status"]), (&json!("down"), &json!("late")));
    assert_eq!(heartbeat["last_ping_at"], Value::Null);
    assert_eq!(opened["data"]["run"], Value::Null);
    let summary = opened["data"]["summary"].as_str().unwrap();
    assert!(summary.starts_with("Database: never pinged in "), "{summary}");
    // The journal has when it was declared; the incident opened two seconds after it, unless a busy
    // machine kept the loop from turning, and then it says so.
    let shown = daemon.heartbeat("db");
    if incident["blind"] == json!([]) {
        let millis =
            |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
        assert_eq!(millis(&incident["opened_at"]) - millis(&shown["created_at"]), 2_000);
    }
    assert_eq!(shown["incident"]["id"], incident["id"]);

    daemon.ping(&daemon.uuid("db"), "");
    let resolved = receiver.wait_for_alert("incident.resolved", "db").json();
    assert_eq!(resolved["data"]["incident"]["reason"], "ping");
    assert_eq!(resolved["data"]["incident"]["id"], incident["id"]);
}

#[test]
fn an_alert_without_a_channel_is_in_the_log() {
    let daemon = Daemon::start("[heartbeats.db]\nname = \"Database\"\ninterval = \"1s\"\ngrace = \"1s\"\n");
    wait_until(LIMIT, "the alert is in the log", || {
        let log = daemon.stderr();
        log.lines().any(|line| line.contains("WARN") && line.contains("Database: never pinged"))
    });
    assert!(!daemon.stderr().contains(&daemon.uuid("db")), "the UUID is a secret");
}

#[test]
fn a_ping_that_is_late_but_within_grace_alerts_nobody() {
    let receiver = Receiver::start();
    let daemon = start(&receiver, "[heartbeats.db]\ninterval = \"1s\"\ngrace = \"1h\"\n");
    let uuid = daemon.uuid("db");
    daemon.ping(&uuid, "");
    daemon.wait_for_status("db", "late");
    daemon.ping(&uuid, "");
    let heartbeat = daemon.wait_for_status("db", "up");
    assert_eq!((&heartbeat["incident"], &heartbeat["consecutive_failures"]), (&Value::Null, &json!(0)));
    // Whatever had been queued for it would be sent before this, of the same heartbeat and channel.
    daemon.ping(&uuid, "/fail");
    receiver.wait_for(1);
    assert_eq!(kinds(&receiver), ["incident.opened"]);
    assert_eq!(receiver.received()[0].json()["data"]["incident"]["cause"], "failed");
}

#[test]
fn down_then_start_then_a_plain_ping_resolves() {
    let receiver = Receiver::start();
    let daemon = start(&receiver, "[heartbeats.db]\ninterval = \"24h\"\n");
    let uuid = daemon.uuid("db");
    daemon.ping(&uuid, "/fail");
    receiver.wait_for_alert("incident.opened", "db");
    daemon.ping(&uuid, "/start");
    let heartbeat = daemon.heartbeat("db");
    assert_eq!((&heartbeat["status"], &heartbeat["running"]), (&json!("down"), &json!(true)));
    assert!(heartbeat["current_run_started_at"].is_string());
    daemon.ping(&uuid, "");
    let heartbeat = daemon.heartbeat("db");
    assert_eq!((&heartbeat["status"], &heartbeat["running"]), (&json!("up"), &json!(false)));
    assert_eq!((&heartbeat["incident"], &heartbeat["consecutive_failures"]), (&Value::Null, &json!(0)));
    let resolved = receiver.wait_for_alert("incident.resolved", "db").json();
    assert_eq!(resolved["data"]["incident"]["reason"], "ping");
    assert_eq!(kinds(&receiver), ["incident.opened", "incident.resolved"]);
}

#[test]
fn every_incident_alerts_not_only_the_first() {
    let receiver = Receiver::start();
    let daemon = start(&receiver, "[heartbeats.db]\ninterval = \"24h\"\n");
    let uuid = daemon.uuid("db");
    for round in 1..=5 {
        daemon.ping(&uuid, "/1");
        daemon.ping(&uuid, "/0");
        receiver.wait_for(2 * round);
    }
    let all = receiver.received();
    let expected = ["incident.opened", "incident.resolved"].repeat(5);
    assert_eq!(kinds(&receiver), expected);
    let mut incidents: Vec<_> =
        all.iter().map(|one| one.json()["data"]["incident"]["id"].to_string()).collect();
    incidents.dedup();
    assert_eq!(incidents.len(), 5, "five incidents of their own");
}

#[test]
fn runs_side_by_side_do_not_close_each_other() {
    let receiver = Receiver::start();
    let daemon = start(&receiver, "[heartbeats.db]\ninterval = \"24h\"\n");
    let uuid = daemon.uuid("db");
    let (one, two) = ("0b9d7b4a-3f5f-4c39-9a53-0a9c3f2c7c01", "0b9d7b4a-3f5f-4c39-9a53-0a9c3f2c7c02");
    daemon.ping(&uuid, &format!("/start?rid={one}"));
    let first = daemon.heartbeat("db")["current_run_started_at"].clone();
    daemon.ping(&uuid, &format!("/start?rid={two}"));
    daemon.ping(&uuid, &format!("/0?rid={two}"));
    let heartbeat = daemon.heartbeat("db");
    assert_eq!((&heartbeat["running"], &heartbeat["current_run_started_at"]), (&json!(true), &first));
    daemon.ping(&uuid, &format!("/5?rid={one}"));
    assert_eq!(daemon.heartbeat("db")["running"], false);
    let opened = receiver.wait_for_alert("incident.opened", "db").json();
    let run = &opened["data"]["run"];
    assert_eq!((&run["rid"], &run["started_at"]), (&json!(one), &first));
    assert_eq!((&run["exit_code"], &run["outcome"]), (&json!(5), &json!("failure")));
    assert!(run["duration_ms"].as_i64().unwrap() >= 0);
}

#[test]
fn a_run_that_does_not_end_is_an_incident_and_its_late_finish_resolves_it() {
    let receiver = Receiver::start();
    let daemon = start(&receiver, "[heartbeats.db]\ninterval = \"24h\"\nmax_runtime = \"1s\"\n");
    let uuid = daemon.uuid("db");
    daemon.ping(&uuid, "/start");
    let opened = receiver.wait_for_alert("incident.opened", "db").json();
    assert_eq!(opened["data"]["incident"]["cause"], "overran");
    assert_eq!(opened["data"]["run"]["outcome"], "overran");
    assert_eq!(opened["data"]["run"]["duration_ms"], Value::Null);
    daemon.ping(&uuid, "/0");
    let resolved = receiver.wait_for_alert("incident.resolved", "db").json();
    assert_eq!(resolved["data"]["incident"]["id"], opened["data"]["incident"]["id"]);
    let took = daemon.heartbeat("db")["last_duration_ms"].as_i64().unwrap();
    assert!(took >= 1_000, "{took}");
}

#[test]
fn a_job_that_starts_again_and_again_and_never_finishes_alerts() {
    let receiver = Receiver::start();
    let daemon =
        start(&receiver, "[heartbeats.db]\ninterval = \"1s\"\ngrace = \"0s\"\nmax_runtime = \"3s\"\n");
    let uuid = daemon.uuid("db");
    // Each start is well within the `max_runtime` of the one before.
    wait_until(LIMIT, "the alert comes", || {
        daemon.ping(&uuid, "/start");
        !receiver.received().is_empty()
    });
    assert_eq!(receiver.received()[0].json()["data"]["incident"]["cause"], "missed");
    assert_eq!(daemon.heartbeat("db")["status"], "down");
}

#[test]
fn a_pause_survives_pings() {
    let receiver = Receiver::start();
    let daemon = start(&receiver, "[heartbeats.db]\ninterval = \"1s\"\ngrace = \"0s\"\npaused = true\n");
    let uuid = daemon.uuid("db");
    for suffix in ["", "/start", "/fail", "/3", "/log"] {
        daemon.ping(&uuid, suffix);
        let heartbeat = daemon.heartbeat("db");
        assert_eq!(
            (&heartbeat["status"], &heartbeat["running"]),
            (&json!("paused"), &json!(false)),
            "{suffix}"
        );
        assert_eq!(heartbeat["next_deadline_at"], Value::Null);
    }
    assert_eq!(receiver.received().len(), 0);
}

#[test]
fn a_reminder_tells_again_while_it_is_down() {
    let receiver = Receiver::start();
    let daemon = start(&receiver, "[heartbeats.db]\ninterval = \"24h\"\nremind_every = \"1s\"\n");
    daemon.ping(&daemon.uuid("db"), "/fail");
    let all = receiver.wait_for(3);
    assert_eq!(kinds(&receiver)[..3], ["incident.opened", "incident.reminder", "incident.reminder"]);
    let ids: Vec<_> = all.iter().map(|one| one.json()["data"]["incident"]["id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}
