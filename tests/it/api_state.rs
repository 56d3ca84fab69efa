//! What was done by the API outlives the daemon: killed at any moment or stopped, it tells afterwards what it told
//! before.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{Daemon, Home, LIMIT, wait_for, wait_until};
use crate::receiver::{Received, Receiver, Reply};

const LIST: &str = "/api/v1/heartbeats";

fn home(receiver: &Receiver) -> Home {
    Home::new(&format!(
        "{}[defaults]\nchannels = [\"ops\"]\n[heartbeats.declared]\ninterval = \"24h\"\n",
        receiver.channel("ops")
    ))
}

/// One for each kind of change that the API can do.
const SLUGS: [&str; 6] = ["made", "merged", "replaced", "paused", "resumed", "deleted"];

fn do_everything(daemon: &Daemon) {
    for slug in SLUGS {
        daemon.create(&json!({ "name": slug, "interval": "24h", "tags": ["api"], "host": "db1" }));
    }
    let uuid = daemon.uuid("made");
    for suffix in ["/start", "/0", "/start", "/3", "/fail", "/log", "", "/start", "/7", "/start"] {
        let body = format!("the output of {suffix}");
        let answer = daemon.request("POST", &format!("/ping/{uuid}{suffix}"), &[], body.as_bytes());
        assert_eq!(answer.status, 200);
    }
    let url = |slug: &str| format!("{LIST}/{slug}");
    let replaced = json!({ "cron": "30 2 * * *", "timezone": "Europe/Berlin", "grace": "5m" });
    for (method, path, body) in [
        ("PATCH", url("merged"), json!({ "host": null, "description": "Changed.", "max_runtime": "3h" })),
        ("PUT", url("replaced"), replaced),
        ("POST", url("paused/pause"), json!({ "for": "2h" })),
        ("POST", url("declared/pause"), json!({})),
        ("POST", url("resumed/pause"), json!({})),
        ("POST", url("resumed/resume"), json!({})),
        ("POST", "/api/v1/channels/ops/test".to_owned(), json!({})),
    ] {
        let answer = daemon.call(method, &path, &body);
        assert!([200, 202].contains(&answer.status), "{path}: {}", answer.text());
    }
    daemon.ping(&daemon.uuid("deleted"), "/3");
    assert_eq!(daemon.request("DELETE", &url("deleted"), &[], b"").status, 204);
    assert_eq!(daemon.get(&url("deleted")).status, 404);
}

/// All that can be read, by address, and the tags of the heartbeats.
fn read_everything(daemon: &Daemon) -> BTreeMap<String, (Option<String>, Value)> {
    let mut paths = vec![LIST.to_owned(), "/api/v1/incidents".to_owned(), "/api/v1/deliveries".to_owned()];
    for slug in SLUGS.iter().chain(&["declared"]) {
        for more in ["", "/pings?bodies=true", "/runs?bodies=true", "/stats"] {
            paths.push(format!("{LIST}/{slug}{more}"));
        }
    }
    let read = paths.into_iter().map(|path| {
        let answer = daemon.get(&path);
        let tag = answer.header("etag").map(str::to_owned);
        assert_eq!(answer.status, if path.contains("deleted") { 404 } else { 200 }, "{path}");
        (path, (tag, answer.json()))
    });
    read.collect()
}

#[track_caller]
fn assert_same(daemon: &Daemon, before: &BTreeMap<String, (Option<String>, Value)>) {
    for (path, now) in read_everything(daemon) {
        assert_eq!(now, before[&path], "{path}");
    }
}

#[test]
fn what_the_api_did_is_the_same_after_a_kill_and_after_a_stop() {
    let receiver = Receiver::start();
    // One alert of `made` is given up; the rest arrives.
    receiver.reply_with(|received: &Received| {
        let json = received.json();
        let gone = json["data"]["incident"]["exit_code"] == 7;
        Reply::Status(if gone { 410 } else { 200 })
    });
    let home = home(&receiver);
    let daemon = Daemon::start_in(&home);
    do_everything(&daemon);
    wait_until(LIMIT, "nothing waits any more", || daemon.items("deliveries?status=waiting").is_empty());
    let before = read_everything(&daemon);

    // It is worth reading: what is compared below is not empty.
    let item = |path: &str| before[path].1.clone();
    assert!(before[&format!("{LIST}/merged")].0.is_some(), "tags");
    let incidents = item("/api/v1/incidents")["incidents"].as_array().unwrap().clone();
    assert_eq!(incidents.len(), 3);
    let told = |incident: &Value| incident["timeline"].as_array().unwrap().len();
    assert_eq!(incidents.iter().map(told).collect::<Vec<_>>(), [2, 2, 3], "{incidents:?}");
    let deliveries = item("/api/v1/deliveries")["deliveries"].as_array().unwrap().clone();
    assert_eq!(deliveries.len(), 6, "{deliveries:?}");
    assert!(deliveries.iter().all(|delivery| delivery["attempts"][0]["at"].is_string()));
    assert_eq!(deliveries.iter().filter(|delivery| delivery["status"] == "given_up").count(), 1);
    let day = &item(&format!("{LIST}/made/stats"))["days"][0];
    assert!(day["runs"]["count"].as_u64() >= Some(5), "{day}");
    assert_eq!(item(&format!("{LIST}/resumed"))["status"], "new");
    assert_eq!(item(&format!("{LIST}/declared"))["status"], "paused");
    assert_eq!(item(&format!("{LIST}/made"))["running"], true);

    let received = receiver.received().len();
    daemon.kill_9();
    let daemon = Daemon::start_in(&home);
    assert_same(&daemon, &before);
    assert_eq!(daemon.stop(), 0);
    let daemon = Daemon::start_in(&home);
    assert_same(&daemon, &before);
    assert_eq!(receiver.received().len(), received, "nothing is sent twice");

    // What left is kept, and comes back with its history.
    let back = daemon.create(&json!({ "name": "deleted", "interval": "24h" }));
    assert_eq!((&back["pings_total"], &back["status"]), (&json!(1), &json!("up")));
}

#[test]
fn a_pause_ends_at_its_time_whether_the_daemon_runs_or_not() {
    let home = Home::new("[heartbeats.short]\ninterval = \"24h\"\n[heartbeats.long]\ninterval = \"24h\"\n");
    let daemon = Daemon::start_in(&home);
    let until = |value: &Value| value["paused_until"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let pause = |slug: &str, span: &str| {
        let paused = daemon.post(&format!("{LIST}/{slug}/pause"), &json!({ "for": span }));
        assert_eq!((paused.status, &paused.json()["status"]), (200, &json!("paused")));
        until(&paused.json())
    };
    let (short, long) = (pause("short", "1s"), pause("long", "8s"));
    daemon.kill_9();
    wait_until(LIMIT, "the short pause is over while nobody is there", || Timestamp::now() > short);
    let daemon = Daemon::start_in(&home);
    daemon.wait_for_status("short", "new");
    let still = daemon.heartbeat("long");
    if Timestamp::now() < long {
        assert_eq!((&still["status"], until(&still)), (&json!("paused"), long));
    }
    let resumed = wait_for(LIMIT, "the long pause is over", || {
        let now = daemon.heartbeat("long");
        (now["status"] != "paused").then_some(now)
    });
    assert!(Timestamp::now() >= long, "not before its time");
    assert_eq!((&resumed["status"], &resumed["paused_until"]), (&json!("new"), &Value::Null));
    let due: Timestamp = resumed["next_due_at"].as_str().unwrap().parse().unwrap();
    let counted_from = due - SignedDuration::from_hours(24);
    assert!(counted_from >= long && counted_from <= Timestamp::now(), "due counts from its end: {resumed}");
}

#[test]
fn a_retry_that_was_asked_for_just_before_a_kill_is_made_after_it() {
    let receiver = Receiver::start();
    receiver.reply(Reply::Status(410));
    let home = home(&receiver);
    let daemon = Daemon::start_in(&home);
    let uuid = daemon.create(&json!({ "name": "made", "interval": "24h" }))["uuid"].clone();
    daemon.ping(uuid.as_str().unwrap(), "/3");
    let given_up = wait_for(LIMIT, "it is given up", || daemon.items("deliveries?status=given_up").pop());
    let id = given_up["id"].as_str().unwrap();
    // Whoever tries it now gets no answer.
    receiver.reply(Reply::Hang);
    let retried = daemon.request("POST", &format!("/api/v1/deliveries/{id}/retry"), &[], b"");
    assert_eq!((retried.status, &retried.json()["status"]), (202, &json!("waiting")));
    daemon.kill_9();

    receiver.reply(Reply::Status(200));
    let daemon = Daemon::start_in(&home);
    let delivered = daemon.wait_for_delivery(id, "delivered");
    let attempts = delivered["attempts"].as_array().unwrap();
    assert_eq!(attempts[0], given_up["attempts"][0]);
    assert_eq!(attempts.last().unwrap()["outcome"], "delivered");
    let received = receiver.received();
    assert!(received.len() >= 2, "it came again");
    for one in &received {
        assert_eq!((one.header("webhook-id"), &one.body), (id, &received[0].body));
    }
}

#[test]
fn a_summary_tells_how_the_daemon_fares_and_when_it_could_not_hear() {
    let home = Home::new("[heartbeats.db]\ninterval = \"24h\"\n");
    let summary = |daemon: &Daemon| daemon.get("/api/v1/summary").json();
    let instant = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    let daemon = Daemon::start_in(&home);
    let first = summary(&daemon);
    // Which of the two depends on the machine.
    let from = first["timezones"]["from"].as_str().unwrap();
    assert!(["bundled", "system"].contains(&from), "{first}");
    let release = first["timezones"]["release"].as_str().unwrap();
    let told = format!("time zone data: release {release}, ");
    assert!(release.starts_with("20") && daemon.stderr().contains(&told), "{release}: {}", daemon.stderr());
    assert_eq!((&first["blind_windows"], &first["config"]["ok"]), (&json!([]), &json!(true)));
    daemon.kill_9();

    let daemon = Daemon::start_in(&home);
    let second = summary(&daemon);
    let blind = second["blind_windows"].as_array().unwrap();
    assert_eq!((blind.len(), &blind[0]["why"]), (1, &json!("not running")));
    let (from, to) = (instant(&blind[0]["from"]), instant(&blind[0]["to"]));
    assert!(from < to && to <= instant(&second["now"]), "{second}");
    assert!(
        instant(&first["started_at"]) <= from && from < instant(&second["started_at"]),
        "{first} {second}"
    );
    let age = instant(&second["now"]).duration_since(instant(&second["started_at"]));
    assert!(second["uptime_seconds"].as_i64().unwrap() <= age.as_secs() + 1, "{second}");

    home.configure("[heartbeats.db]\nintervall = \"24h\"\n");
    wait_until(LIMIT, "the problem shows", || summary(&daemon)["config"]["ok"] == false);
    let problems = summary(&daemon)["config"]["problems"].clone();
    assert!(problems[1].as_str().unwrap().contains("intervall"), "{problems}");
}
