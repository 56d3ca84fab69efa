//! Heartbeats by the API as people and their scripts use it: what was written for Maintenant, changes that meet,
//! and a config that takes over what the API made.

use std::fs;
use std::thread;

use serde_json::{Value, json};

use crate::client::Answer;
use crate::harness::{Daemon, Home, LIMIT, command, curl, run, wait_for, wait_until};

const LIST: &str = "/api/v1/heartbeats";

/// A request by curl, with its answer whole.
fn by_curl(arguments: &[&str]) -> Answer {
    let ended = curl(&[&["-i"], arguments].concat());
    Answer::parse(ended.stdout.as_bytes()).unwrap_or_else(|| panic!("{arguments:?}: {ended:?}"))
}

fn error_code(answer: &Answer) -> String {
    answer.json()["error"]["code"].as_str().unwrap().to_owned()
}

/// The heartbeat `db`, made by the API.
fn db(daemon: &Daemon) -> Value {
    daemon.create(&json!({ "name": "db", "interval": "24h" }))
}

#[test]
fn what_was_written_for_maintenant_works_unchanged() {
    let daemon = Daemon::start("");
    for (body, slug, interval, grace) in [
        (r#"{"name":"Nightly","interval":"24h","grace_period":"1h"}"#, "nightly", 86_400, 3_600),
        (r#"{"name":"Hourly","interval_seconds":3600,"grace_seconds":300}"#, "hourly", 3_600, 300),
        // There a grace may not be longer than its interval.
        (r#"{"name":"Patient","interval":"5m","grace_period":"2h"}"#, "patient", 300, 7_200),
        (
            r#"{"name":"Patient too","interval_seconds":60,"grace_seconds":604801}"#,
            "patient-too",
            60,
            604_801,
        ),
    ] {
        let json = "Content-Type: application/json";
        let made = by_curl(&["-X", "POST", &daemon.url(LIST), "-H", json, "-d", body]);
        assert_eq!(made.status, 201, "{body} {}", made.text());
        let made = made.json();
        assert_eq!((&made["slug"], &made["interval_seconds"]), (&json!(slug), &json!(interval)), "{body}");
        assert_eq!(made["grace_seconds"], grace, "{body}");
        assert_eq!(made, daemon.heartbeat(slug));
    }

    let uuid = daemon.uuid("nightly");
    for (path, exit_code) in [("/api/v1/ping", 0), ("/ping", 3), ("/api/v1/ping", 255)] {
        let script = format!(
            "PING={}{path}\nUUID={uuid}\ncurl --noproxy '*' -fsS \"$PING/${{UUID}}/start\" && echo\n\
             ( exit {exit_code} )\ncurl --noproxy '*' -fsS \"$PING/${{UUID}}/$?\"\n",
            daemon.home.url()
        );
        let job = daemon.home.path("job.sh");
        fs::write(&job, script).unwrap();
        let ended = run(&mut command("bash", &[job.to_str().unwrap()]), LIMIT);
        let said = if path == "/ping" { "OK\nOK" } else { "{\"ok\":true}\n{\"ok\":true}" };
        assert_eq!((ended.code, ended.stdout.as_str()), (0, said), "{}", ended.stderr);
    }
    for name in ["nightly", &uuid] {
        let executions = by_curl(&[&daemon.url(&format!("{LIST}/{name}/executions?limit=2"))]).json();
        let runs = executions["runs"].as_array().unwrap();
        let codes: Vec<&Value> = runs.iter().map(|run| &run["exit_code"]).collect();
        assert_eq!(codes, [255, 3], "{executions}");
        for run in runs {
            assert_eq!(run["outcome"], "failure");
            assert!(run["duration_ms"].is_u64() && run["started_at"].is_string(), "{run}");
        }
        let next = executions["next_cursor"].as_str().unwrap();
        let rest = by_curl(&[&daemon.url(&format!("{LIST}/{name}/executions?cursor={next}"))]).json();
        let rest = rest["runs"].as_array().unwrap();
        assert!(!rest.is_empty() && rest.iter().all(|run| !runs.contains(run)), "{rest:?}");
    }
}

#[test]
fn with_an_etag_a_change_hits_what_was_read_or_nothing() {
    let daemon = Daemon::start("");
    db(&daemon);
    let url = daemon.url(&format!("{LIST}/db"));
    let tag = |answer: &Answer| answer.header("etag").unwrap().to_owned();
    let first = tag(&by_curl(&[&url]));
    let change = |method: &str, tag: Option<&str>, body: &str| {
        let condition = tag.map(|tag| format!("If-Match: {tag}"));
        let mut arguments = vec!["-X", method, &url];
        if let Some(condition) = &condition {
            arguments.extend(["-H", condition]);
        }
        if method != "DELETE" {
            arguments.extend(["--json", body]);
        }
        by_curl(&arguments)
    };
    let hit = change("PATCH", Some(&first), r#"{"host":"a"}"#);
    assert_eq!((hit.status, &hit.json()["host"]), (200, &json!("a")));
    let second = tag(&hit);
    assert_eq!(tag(&by_curl(&[&url])), second);
    assert_ne!(second, first);
    for (method, body) in [("PATCH", r#"{"host":"b"}"#), ("PUT", r#"{"interval":"1h"}"#), ("DELETE", "")] {
        let stale = change(method, Some(&first), body);
        assert_eq!((stale.status, error_code(&stale).as_str()), (412, "stale"), "{method}");
        assert_eq!(daemon.heartbeat("db"), hit.json(), "{method}");
    }
    let third = change("PUT", Some(&second), r#"{"interval":"1h"}"#);
    assert_eq!((third.status, &third.json()["host"]), (200, &Value::Null));
    assert_eq!(change("PATCH", None, r#"{"host":"c"}"#).status, 200, "it works without");
    assert_eq!(change("PUT", None, r#"{"interval":"2h"}"#).status, 200);
    assert_eq!(change("DELETE", Some(&tag(&third)), "").status, 412);
    let last = format!("{first}, {}", tag(&by_curl(&[&url])));
    assert_eq!(change("DELETE", Some(&last), "").status, 204);
    assert_eq!(change("PATCH", None, "{}").status, 404);
    assert_eq!(change("PUT", Some("*"), r#"{"interval":"1h"}"#).status, 412);
    assert_eq!(change("PUT", None, r#"{"interval":"1h"}"#).status, 201);
    assert_eq!(change("DELETE", None, "").status, 204);
}

#[test]
fn merges_of_different_fields_that_meet_lose_nothing() {
    const ROUNDS: usize = 100;
    let daemon = Daemon::start("");
    db(&daemon);
    let path = format!("{LIST}/db");
    thread::scope(|scope| {
        for field in ["host", "name", "description"] {
            let (daemon, path) = (&daemon, &path);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let value = json!(format!("{field} {round}"));
                    let merged = daemon.call("PATCH", path, &json!({ field: value }));
                    assert_eq!(merged.status, 200, "{}", merged.text());
                    // Nobody else writes this field, so whoever puts it back has lost it.
                    assert_eq!(daemon.heartbeat("db")[field], value, "{field} in round {round}");
                }
            });
        }
    });
    let last = daemon.heartbeat("db");
    for field in ["host", "name", "description"] {
        assert_eq!(last[field], format!("{field} {}", ROUNDS - 1));
    }
}

/// Each reads the number, adds one, and writes it under the condition that it is still what was read.
#[test]
fn a_count_that_many_keep_with_if_match_loses_no_step() {
    const THREADS: usize = 3;
    const STEPS: usize = 25;
    let daemon = Daemon::start("");
    daemon.create(&json!({ "name": "db", "interval": "24h", "description": "0" }));
    let path = format!("{LIST}/db");
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..STEPS {
                    wait_until(LIMIT, "nobody comes between", || {
                        let read = daemon.get(&path);
                        let count: usize = read.json()["description"].as_str().unwrap().parse().unwrap();
                        let body = json!({ "description": (count + 1).to_string() }).to_string();
                        let tag = read.header("etag").unwrap();
                        let headers = [("If-Match", tag), ("Content-Type", "application/json")];
                        let written = daemon.request("PATCH", &path, &headers, body.as_bytes());
                        assert!([200, 412].contains(&written.status), "{}", written.text());
                        written.status == 200
                    });
                }
            });
        }
    });
    assert_eq!(daemon.heartbeat("db")["description"], (THREADS * STEPS).to_string());
}

#[test]
fn the_config_takes_over_what_the_api_made_with_its_history_and_url() {
    let home = Home::new("");
    let daemon = Daemon::start_in(&home);
    let made = db(&daemon);
    let other = daemon.create(&json!({ "name": "other", "interval": "24h" }));
    let uuid = made["uuid"].as_str().unwrap();
    for suffix in ["/start", "/3", "/start", "/0"] {
        daemon.ping(uuid, suffix);
    }
    let history = ["heartbeats/db/pings", "heartbeats/db/runs", "incidents"].map(|path| daemon.items(path));

    let own = "0c9c9a5e-8c1e-4f7e-9d5b-2b9d6c1f8a11";
    let declared = format!(
        "[heartbeats.db]\nname = \"Data\"\ninterval = \"12h\"\n\
         [heartbeats.other]\ninterval = \"24h\"\nuuid = \"{own}\"\n"
    );
    home.configure(&declared);
    let taken = wait_for(LIMIT, "the config takes over", || {
        let now = daemon.heartbeat("db");
        (now["source"] == "config").then_some(now)
    });
    for key in ["uuid", "ping_url", "pings_total", "created_at", "last_exit_code"] {
        let before = if key == "pings_total" { &json!(4) } else { &made[key] };
        assert!(key == "last_exit_code" || &taken[key] == before, "{key}: {taken}");
    }
    assert_eq!((&taken["name"], &taken["interval_seconds"]), (&json!("Data"), &json!(43_200)));
    assert_eq!((&taken["status"], &taken["last_exit_code"]), (&json!("up"), &json!(0)));
    assert_eq!(
        ["heartbeats/db/pings", "heartbeats/db/runs", "incidents"].map(|path| daemon.items(path)),
        history
    );
    daemon.ping(uuid, "");
    assert_eq!(daemon.uuid("other"), own, "one that is declared goes before");
    let old = format!("/ping/{}", other["uuid"].as_str().unwrap());
    assert_eq!(daemon.get(&old).status, 404);

    for (method, body) in
        [("PATCH", json!({ "host": "a" })), ("PUT", json!({ "interval": "1h" })), ("DELETE", json!({}))]
    {
        for name in ["db", uuid] {
            let refused = daemon.call(method, &format!("{LIST}/{name}"), &body);
            assert_eq!((refused.status, error_code(&refused).as_str()), (409, "declared_in_config"));
        }
    }
    let paused = daemon.post(&format!("{LIST}/db/pause"), &json!({ "for": "2h" }));
    assert_eq!((paused.status, &paused.json()["status"]), (200, &json!("paused")));
    let resumed = daemon.request("POST", &format!("{LIST}/db/resume"), &[], b"");
    assert_eq!((resumed.status, &resumed.json()["status"]), (200, &json!("up")));

    home.configure("");
    wait_until(LIMIT, "it leaves with the config", || daemon.get(&format!("{LIST}/db")).status == 404);
    assert_eq!(daemon.get(&format!("/ping/{uuid}")).status, 404);
    assert_eq!(daemon.items("heartbeats"), [json!(null); 0], "it does not go back to the API");
}
