//! `overdue heartbeat`: what it asks of the API, what it says, and its exit codes.

use serde_json::{Value, json};

use crate::harness::{Daemon, Ended, Home, LIMIT, command, curl, run};
use crate::receiver::{Receiver, Reply};

fn heartbeat(url: &str, arguments: &[&str]) -> Ended {
    Home::new("").run(&[&["heartbeat"], arguments, &["--url", url]].concat())
}

#[test]
fn one_is_made_with_the_words_of_the_config_and_its_url_is_printed() {
    let daemon = Daemon::start("[channels.ops]\ntype = \"log\"\n");
    let ended = heartbeat(
        &daemon.home.url(),
        &[
            "add",
            "db",
            "--cron",
            "30 2 * * *",
            "--timezone",
            "Europe/Berlin",
            "--grace",
            "30m",
            "--max_runtime",
            "2h",
            "--name",
            "Data",
            "--description",
            "Dumps.",
            "--tags",
            "a,b",
            "--tags",
            "c",
            "--host",
            "db1",
            "--channels",
            "ops,log",
            "--await-first-ping",
            "--methods",
            "POST",
            "--remind-every",
            "1d",
        ],
    );
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    let made = daemon.heartbeat("db");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let url = made["ping_url"].as_str().unwrap();
    assert_eq!((lines.len(), lines[0]), (2, url), "{lines:?}");
    assert!(lines[1].contains(&format!("{url}/$?")), "what to do with it: {lines:?}");
    for (key, value) in [
        ("schedule", json!("cron 30 2 * * *")),
        ("timezone", json!("Europe/Berlin")),
        ("grace_seconds", json!(1_800)),
        ("max_runtime_seconds", json!(7_200)),
        ("name", json!("Data")),
        ("description", json!("Dumps.")),
        ("tags", json!(["a", "b", "c"])),
        ("host", json!("db1")),
        ("channels", json!(["ops", "log"])),
        ("source", json!("api")),
        ("next_due_at", Value::Null),
    ] {
        assert_eq!(made[key], value, "{key}");
    }
    daemon.ping(made["uuid"].as_str().unwrap(), "/3");
    assert_eq!(daemon.heartbeat("db")["last_ping_at"], Value::Null, "only POST counts");
}

#[test]
fn its_answer_is_printed_for_programs() {
    let daemon = Daemon::start("");
    let ended = heartbeat(&daemon.home.url(), &["add", "db", "--interval", "24h", "--paused", "--json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(serde_json::from_str::<Value>(&ended.stdout).unwrap(), daemon.heartbeat("db"));
    assert_eq!(daemon.heartbeat("db")["status"], "paused");
}

#[test]
fn what_the_daemon_refuses_is_told_with_its_field() {
    let daemon = Daemon::start("[heartbeats.db]\ninterval = \"1h\"\n");
    for (arguments, field) in [
        (["add", "db", "--interval", "24h"], "slug: "),
        (["add", "x", "--interval", "often"], "interval: "),
        (["add", "x", "--cron", "61 * * * *"], "cron: "),
        (["add", "x", "--on-calendar", "25:00"], "on_calendar: "),
        (["add", "a b", "--interval", "24h"], "slug: "),
    ] {
        let ended = heartbeat(&daemon.home.url(), &arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{arguments:?} {ended:?}");
        assert!(ended.stderr.starts_with(&format!("overdue: {field}")), "{}", ended.stderr);
    }
}

#[test]
fn what_is_wrong_with_the_arguments_is_64_and_nobody_is_asked() {
    let stand_in = Receiver::start();
    for arguments in [
        &["add", "db"][..],
        &["add", "db", "--interval", "1h", "--cron", "* * * * *"],
        &["add", "--interval", "1h"],
        &["rm"],
        &["rm", "a/b"],
        &["pause", ""],
        &["resume", "../x"],
        &["resume", "db", "--for", "2h"],
        &["start", "db"],
    ] {
        let ended = heartbeat(&stand_in.url(""), arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (64, ""), "{arguments:?} {ended:?}");
    }
    assert_eq!(Home::new("").run(&["heartbeat"]).code, 64);
    assert!(stand_in.received().is_empty());
}

#[test]
fn who_does_not_answer_is_3() {
    let home = Home::new("");
    for arguments in
        [&["add", "db", "--interval", "1h"][..], &["rm", "db"], &["pause", "db"], &["resume", "db"]]
    {
        let ended = heartbeat(&home.url(), arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (3, ""), "{ended:?}");
        assert!(ended.stderr.contains("overdue serve"), "{}", ended.stderr);
    }
    // A redirect would make a GET of it.
    let stand_in = Receiver::start();
    stand_in.reply(Reply::With(301, "Location", "https://example.org/".to_owned()));
    let ended = heartbeat(&stand_in.url(""), &["pause", "db"]);
    assert_eq!(ended.code, 3, "{ended:?}");
    assert_eq!(stand_in.received().len(), 1);
}

/// A heartbeat as the API shows it, with this status.
fn shown(status: &str, paused_until: &Value) -> Value {
    json!({
        "slug": "db", "name": "Database", "status": status, "schedule": "every 24h", "grace": "1h",
        "max_runtime": "2h", "max_runtime_seconds": 7_200, "paused_until": paused_until,
        "last_ping_at": "2020-01-01T00:00:00.000Z",
    })
}

#[test]
fn remove_pause_and_resume_ask_the_api_and_say_what_is_true_now() {
    let stand_in = Receiver::start();
    for (arguments, reply, method, path, body, told) in [
        (
            &["rm", "db"][..],
            Reply::Status(204),
            "DELETE",
            "/api/v1/heartbeats/db",
            None,
            "db is removed: its ping URL answers 404 from now on.\n",
        ),
        (
            &["pause", "db"],
            Reply::Json(200, shown("paused", &Value::Null)),
            "POST",
            "/api/v1/heartbeats/db/pause",
            None,
            "db is paused: nothing is expected until it is resumed.\n",
        ),
        (
            &["pause", "db", "--for", "2h"],
            Reply::Json(200, shown("paused", &json!("2020-01-01T00:00:00.000Z"))),
            "POST",
            "/api/v1/heartbeats/db/pause",
            Some(json!({ "for": "2h" })),
            "db is paused: nothing is expected until 2020-01-01T00:00:00.000Z (",
        ),
        (
            &["resume", "db"],
            Reply::Json(200, shown("up", &Value::Null)),
            "POST",
            "/api/v1/heartbeats/db/resume",
            None,
            "db is up: last ping ",
        ),
    ] {
        stand_in.reply(reply.clone());
        let before = stand_in.received().len();
        let ended = heartbeat(&stand_in.url(""), arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
        assert!(ended.stdout.starts_with(told), "{}", ended.stdout);
        assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
        let received = stand_in.received().split_off(before);
        let [request] = &received[..] else { panic!("{received:?}") };
        assert_eq!((request.method.as_str(), request.path.as_str()), (method, path));
        match body {
            Some(body) => {
                assert_eq!(request.header("content-type"), "application/json");
                assert_eq!(request.json(), body);
            }
            None => assert!(request.body.is_empty(), "{request:?}"),
        }

        let ended = heartbeat(&stand_in.url(""), &[arguments, &["--json"]].concat());
        match reply {
            Reply::Json(_, answer) => {
                assert_eq!(serde_json::from_str::<Value>(&ended.stdout).unwrap(), answer);
            }
            Reply::Status(_) | Reply::With(..) | Reply::Hang | Reply::Raw(_) => {
                assert_eq!(ended.stdout, "", "there is no answer");
            }
        }
    }
}

#[test]
fn one_of_the_config_is_refused_with_what_to_do_and_a_small_key_too() {
    let stand_in = Receiver::start();
    for (status, code, part) in [
        (409, "declared_in_config", "A saved file applies by itself"),
        (403, "forbidden", "OVERDUE_API_KEY"),
        (404, "not_found", "overdue status"),
        (503, "busy", "No heartbeat for you."),
    ] {
        let error = json!({ "code": code, "message": "No heartbeat for you.", "field": null });
        stand_in.reply(Reply::Json(status, json!({ "error": error })));
        let ended = heartbeat(&stand_in.url(""), &["rm", "db"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
        assert!(ended.stderr.starts_with("overdue: No heartbeat for you."), "{}", ended.stderr);
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
}

#[test]
fn the_key_and_the_address_come_from_the_environment() {
    let stand_in = Receiver::start();
    stand_in.reply(Reply::Status(204));
    let home = Home::new("");
    let mut command = home.command(&["heartbeat", "rm", "db"]);
    command.env("OVERDUE_URL", stand_in.url("")).env("OVERDUE_API_KEY", "a-key-to-write-with");
    assert_eq!(run(&mut command, LIMIT).code, 0);
    assert_eq!(stand_in.received()[0].header("authorization"), "Bearer a-key-to-write-with");
    // Set but empty is the default, where nobody is expected, or at least nobody who knows this one.
    let mut command = home.command(&["heartbeat", "rm", "no-such-heartbeat-anywhere"]);
    assert_ne!(run(command.env("OVERDUE_URL", ""), LIMIT).code, 64);
}

/// A life of a heartbeat by nothing but the program and its URL.
#[test]
fn one_is_made_watched_paused_resumed_and_removed() {
    let daemon = Daemon::start("");
    let ask = |arguments: &[&str]| daemon.home.run(&[arguments, &["--url", &daemon.home.url()]].concat());
    let made = ask(&["heartbeat", "add", "db", "--interval", "24h", "--grace", "30m"]);
    assert_eq!((made.code, made.stderr.as_str()), (0, ""), "{made:?}");
    let url = made.stdout.lines().next().unwrap();
    let ping = |suffix: &str| assert_eq!(curl(&[&format!("{url}{suffix}")]).stdout, "OK", "{suffix}");
    for (seconds, end) in [("0.4", "/0"), ("0.1", "/3"), ("0", "/start"), ("0", "")] {
        ping("/start");
        assert_eq!(run(&mut command("sleep", &[seconds]), LIMIT).code, 0);
        ping(end);
    }
    let status = ask(&["status", "db"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert!(status.stdout.starts_with("OVERDUE OK - db is up"), "{}", status.stdout);
    let chart: Vec<&str> =
        status.stdout.lines().skip_while(|line| !line.starts_with("The last 5 runs")).collect();
    assert!(chart[1].contains('█') && chart[1].chars().count() == 7, "{}", status.stdout);
    assert_eq!(chart[2], "  .x--.", "a start takes the place of the one before it: {}", status.stdout);
    let runs = daemon.items("heartbeats/db/runs");
    for (run, end) in
        runs.iter().zip(["success    -", "abandoned  -", "abandoned  -", "failure    3", "success    0"])
    {
        let started = run["started_at"].as_str().unwrap();
        let row = chart.iter().find(|line| line.contains(started) && line.ends_with(end));
        assert!(row.is_some(), "no row of {run} in {}", status.stdout);
    }

    let paused = ask(&["heartbeat", "pause", "db", "--for", "2h"]);
    assert_eq!(paused.code, 0, "{paused:?}");
    let until = daemon.heartbeat("db")["paused_until"].as_str().unwrap().to_owned();
    assert!(paused.stdout.starts_with("db is paused: "), "{}", paused.stdout);
    assert!(paused.stdout.contains(&format!("until {until} (")), "{}", paused.stdout);
    assert!(ask(&["status", "db"]).stdout.contains(&format!("  paused       until {until} (")));
    let wrong = ask(&["heartbeat", "pause", "db", "--for", "soon"]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert!(wrong.stderr.starts_with("overdue: for: "), "{}", wrong.stderr);
    let resumed = ask(&["heartbeat", "resume", "db"]);
    assert_eq!((resumed.code, resumed.stdout.starts_with("db is up: ")), (0, true), "{resumed:?}");
    assert_eq!(daemon.heartbeat("db")["status"], "up");
    let removed = ask(&["heartbeat", "rm", "db"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(curl(&[url]).stdout, "not found");
    assert_eq!(ask(&["status", "db"]).code, 3);
    let again = ask(&["heartbeat", "rm", "db"]);
    assert_eq!((again.code, again.stdout.as_str()), (1, ""), "{again:?}");
}

#[test]
fn one_of_the_config_is_paused_and_resumed_but_not_removed() {
    let daemon = Daemon::start("[heartbeats.db]\ninterval = \"24h\"\n");
    let url = daemon.home.url();
    let removed = heartbeat(&url, &["rm", "db"]);
    assert_eq!((removed.code, removed.stdout.as_str()), (1, ""), "{removed:?}");
    assert!(removed.stderr.contains("declared in the config"), "{}", removed.stderr);
    assert_eq!(heartbeat(&url, &["pause", "db"]).code, 0);
    assert_eq!(daemon.heartbeat("db")["status"], "paused");
    assert_eq!(heartbeat(&url, &["resume", "db"]).code, 0);
    assert_eq!(daemon.heartbeat("db")["status"], "new");
}

#[test]
fn a_daemon_is_told_over_its_unix_socket() {
    let home = Home::new("");
    home.configure(&format!("[server]\nlisten = [\"127.0.0.1:{}\", \"unix:overdue.sock\"]\n", home.port));
    let daemon = Daemon::start_in(&home);
    let url = format!("unix:{}", home.path("overdue.sock").display());
    let ended = heartbeat(&url, &["add", "db", "--interval", "24h"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    assert_eq!(daemon.heartbeat("db")["status"], "new");
    assert_eq!(heartbeat(&url, &["rm", "db"]).code, 0);
    daemon.stop();
    let ended = heartbeat(&url, &["rm", "db"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (3, ""), "{ended:?}");
    assert!(
        ended.stderr.starts_with(&format!("overdue: cannot ask {url}: No such file")),
        "{}",
        ended.stderr
    );
}
