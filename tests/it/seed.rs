//! The seed of the whole thing: a heartbeat is made with curl, a script pings it, and its exit code becomes an
//! incident, the incident a webhook.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::client::Answer;
use crate::harness::{Daemon, LIMIT, command, curl, run, wait_for};
use crate::receiver::{Received, Receiver};

const BACKUP: &str = r#"{"name":"Backup PostgreSQL","interval":"24h","grace_period":"1h"}"#;
const SECRET: &str = "a secret of one's own";

pub(crate) fn config(receiver: &Receiver) -> String {
    let channel = receiver.channel("ops");
    format!("{channel}secret = {SECRET:?}\n[defaults]\nchannels = [\"ops\"]\n")
}

fn make_backup(daemon: &Daemon) -> Value {
    let made = curl(&["-i", "--json", BACKUP, &daemon.url("/api/v1/heartbeats")]);
    let answer = Answer::parse(made.stdout.as_bytes()).unwrap();
    assert_eq!(answer.status, 201, "{made:?}");
    assert_eq!(answer.header("location"), Some("/api/v1/heartbeats/backup-postgresql"));
    answer.json()
}

/// A job as people write them: it says that it begins, does something, and says how it ended.
fn run_job(daemon: &Daemon, uuid: &str, exit_code: u8) {
    let script = format!(
        r#"#!/usr/bin/env bash
URL={url}
UUID={uuid}
curl -fsS -m 10 --retry 5 --noproxy '*' "$URL/api/v1/ping/${{UUID}}/start"
( sleep 0.3; exit {exit_code} )
curl -fsS -m 10 --retry 5 --noproxy '*' "$URL/api/v1/ping/${{UUID}}/$?"
"#,
        url = daemon.home.url(),
    );
    let path = daemon.home.path("job.sh");
    fs::write(&path, script).unwrap();
    let ended = run(&mut command("bash", &[path.to_str().unwrap()]), LIMIT);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, r#"{"ok":true}{"ok":true}"#), "{}", ended.stderr);
}

/// Holds a webhook against what the receiver of a Standard Webhook does.
pub(crate) fn verify_signature(received: &Received) {
    let body = std::str::from_utf8(&received.body).unwrap();
    let signed = format!("{}.{}.{body}", received.header("webhook-id"), received.header("webhook-timestamp"));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(received.header("webhook-signature"), signature);
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The keys of SPEC 6, of every alert alike. (`serde_json` sorts them.)
pub(crate) fn check_shape(received: &Received, uuid: &str) {
    assert_eq!(received.method, "POST");
    assert_eq!(received.header("content-type"), "application/json");
    assert_eq!(received.header("user-agent"), concat!("overdue/", env!("CARGO_PKG_VERSION")));
    let text = String::from_utf8(received.body.clone()).unwrap();
    assert!(!text.contains(uuid), "the UUID is a secret: {text}");
    let alert = received.json();
    assert_eq!(keys(&alert), ["data", "timestamp", "type"]);
    let data = &alert["data"];
    assert_eq!(keys(data), ["heartbeat", "incident", "run", "summary"]);
    assert_eq!(
        keys(&data["incident"]),
        ["blind", "cause", "exit_code", "id", "maybe_unheard", "opened_at", "reason", "resolved_at", "url"]
    );
    let run = ["duration_ms", "exit_code", "id", "outcome", "rid", "started_at"];
    assert!(data["run"].is_null() || keys(&data["run"]) == run, "{}", data["run"]);
    let heartbeat = [
        "consecutive_failures",
        "description",
        "grace_seconds",
        "host",
        "interval_seconds",
        "last_body",
        "last_ping_at",
        "max_runtime_seconds",
        "name",
        "next_deadline_at",
        "next_due_at",
        "previous_status",
        "schedule",
        "slug",
        "status",
        "tags",
        "timezone",
    ];
    assert_eq!(keys(&data["heartbeat"]), heartbeat);
}

#[test]
fn a_heartbeat_made_without_a_key_on_loopback_answers_201_with_a_uuid() {
    let daemon = Daemon::start("");
    let made = make_backup(&daemon);
    let uuid = made["uuid"].as_str().unwrap();
    assert_eq!(uuid.parse::<uuid::Uuid>().unwrap().to_string(), uuid);
    assert_eq!(made["ping_url"], format!("{}/ping/{uuid}", daemon.home.url()));
    assert_eq!(made["slug"], "backup-postgresql");
    assert_eq!((&made["interval_seconds"], &made["grace_seconds"]), (&json!(86_400), &json!(3_600)));
    assert_eq!((&made["status"], &made["source"]), (&json!("new"), &json!("api")));
    assert_eq!(daemon.heartbeat("backup-postgresql"), made);
}

#[test]
fn a_script_that_pings_start_and_its_exit_code_gives_a_run_with_both() {
    let daemon = Daemon::start("");
    let uuid = make_backup(&daemon)["uuid"].as_str().unwrap().to_owned();
    run_job(&daemon, &uuid, 0);
    let heartbeat = daemon.heartbeat("backup-postgresql");
    assert_eq!((&heartbeat["status"], &heartbeat["running"]), (&json!("up"), &json!(false)));
    assert_eq!(heartbeat["last_exit_code"], 0);
    let took = heartbeat["last_duration_ms"].as_i64().unwrap();
    assert!((300..30_000).contains(&took), "{took}");
    assert_eq!(heartbeat["pings_total"], 2);
    assert_eq!(heartbeat["last_success_at"], heartbeat["last_ping_at"]);
}

#[test]
fn a_failing_exit_code_is_an_incident_though_on_time_and_is_not_called_missed() {
    let receiver = Receiver::start();
    let daemon = Daemon::start(&config(&receiver));
    let uuid = make_backup(&daemon)["uuid"].as_str().unwrap().to_owned();
    run_job(&daemon, &uuid, 3);

    let opened = receiver.wait_for(1).remove(0);
    check_shape(&opened, &uuid);
    verify_signature(&opened);
    let alert = opened.json();
    assert_eq!(alert["type"], "incident.opened");
    let data = &alert["data"];
    assert_eq!((&data["incident"]["cause"], &data["incident"]["exit_code"]), (&json!("failed"), &json!(3)));
    assert_eq!(data["incident"]["resolved_at"], Value::Null);
    assert_eq!((&data["run"]["outcome"], &data["run"]["exit_code"]), (&json!("failure"), &json!(3)));
    assert!(data["run"]["duration_ms"].as_i64().unwrap() >= 300, "{}", data["run"]);
    let heartbeat = &data["heartbeat"];
    assert_eq!((&heartbeat["status"], &heartbeat["previous_status"]), (&json!("down"), &json!("up")));
    assert_eq!(
        (&heartbeat["schedule"], &heartbeat["interval_seconds"]),
        (&json!("every 24h"), &json!(86_400))
    );
    assert_eq!(heartbeat["consecutive_failures"], 1);
    let summary = data["summary"].as_str().unwrap();
    assert!(summary.starts_with("Backup PostgreSQL: failed with exit code 3"), "{summary}");
    assert!(!opened.json().to_string().contains("missed"), "{alert}");
    let shown = daemon.heartbeat("backup-postgresql");
    assert_eq!((&shown["status"], &shown["last_exit_code"]), (&json!("down"), &json!(3)));
    assert_eq!(shown["incident"]["cause"], "failed");

    let plain = curl(&[&daemon.url(&format!("/ping/{uuid}"))]);
    assert_eq!(plain.stdout, "OK", "{plain:?}");
    let resolved = receiver.wait_for(2).remove(1);
    check_shape(&resolved, &uuid);
    verify_signature(&resolved);
    let alert = resolved.json();
    assert_eq!(alert["type"], "incident.resolved");
    assert_eq!(alert["data"]["incident"]["reason"], "ping");
    assert_eq!(alert["data"]["incident"]["id"], data["incident"]["id"], "it is the same incident");
    assert_eq!(alert["data"]["incident"]["resolved_at"], alert["data"]["heartbeat"]["last_ping_at"]);
    assert_ne!(opened.header("webhook-id"), resolved.header("webhook-id"));
    assert_eq!(daemon.heartbeat("backup-postgresql")["status"], "up");
    assert_eq!(receiver.received().len(), 2, "one alert each");
}

#[test]
fn a_second_failure_is_counted_and_alerts_no_second_time() {
    let receiver = Receiver::start();
    let daemon = Daemon::start(&config(&receiver));
    let uuid = make_backup(&daemon)["uuid"].as_str().unwrap().to_owned();
    for _ in 0..3 {
        run_job(&daemon, &uuid, 7);
    }
    assert_eq!(daemon.heartbeat("backup-postgresql")["consecutive_failures"], 3);
    daemon.ping(&uuid, "");
    // Order holds, so a second `opened` would have come before this.
    let kinds = wait_for(LIMIT, "it is resolved", || {
        let kinds: Vec<_> = receiver.received().iter().map(Received::kind).collect();
        kinds.contains(&"incident.resolved".to_owned()).then_some(kinds)
    });
    assert_eq!(kinds, ["incident.opened", "incident.resolved"]);
}
