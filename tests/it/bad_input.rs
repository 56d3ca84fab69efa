//! Bad input gets a clear error, the exit code that is documented, and changes nothing.

use std::fs;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::harness::{Daemon, Home};

/// Each config with what must be said of it, from its place on.
const BAD_CONFIGS: [(&str, &[&str]); 8] = [
    (
        "[heartbeats.db]\ninterval = \"1h\"\ngrase = \"5m\"\n",
        &["config.toml:3:1: unknown key \"grase\" in [heartbeats.db], did you mean \"grace\"?"],
    ),
    (
        "[heartbeats.db]\ncron = \"0 2 * * *\"\ninterval = \"1h\"\n",
        &["config.toml:2:1: [heartbeats.db] has two schedules, interval (line 3) and cron; keep one"],
    ),
    (
        "[channels.ops]\ntype = \"log\"\n[heartbeats.db]\ninterval = \"1h\"\nchannels = [\"opps\"]\n",
        &["config.toml:5:13: there is no channel \"opps\"", "did you mean \"ops\"?"],
    ),
    (
        "[heartbeats.db]\ncron = \"0 2 * * *\"\ntimezone = \"Europe/Berln\"\n",
        &["config.toml:3:12: there is no time zone \"Europe/Berln\"", "did you mean \"Europe/Berlin\"?"],
    ),
    ("[heartbeats.db]\ninterval = \"24\"\n", &["config.toml:2:12: "]),
    ("[heartbeats.db]\ncron = \"61 * * * *\"\n", &["config.toml:2:8: "]),
    ("[heartbeats.db\ninterval = \"1h\"\n", &["config.toml:1:"]),
    // Every problem at once.
    (
        "[heartbeats.Bad]\ninterval = \"1h\"\n[heartbeats.b]\n[servr]\n[heartbeats.c]\ninterval = 5\n",
        &["config.toml:1:13: ", "config.toml:3:1: ", "config.toml:4:2: ", "config.toml:6:12: "],
    ),
];

#[test]
fn a_bad_config_exits_78_names_file_line_and_column_and_touches_no_state() {
    for (config, expected) in BAD_CONFIGS {
        let home = Home::new(config);
        let served = home.serve_in_vain();
        let checked = home.run(&["check", "--config", "config.toml"]);
        assert_eq!((served.code, checked.code), (78, 78), "{config}{served:?}{checked:?}");
        for part in expected {
            assert!(served.stderr.contains(part), "no {part:?} in {}", served.stderr);
            assert!(checked.stdout.contains(part), "no {part:?} in {}", checked.stdout);
        }
        assert!(!served.stderr.contains("panicked"), "{}", served.stderr);
        assert!(!home.state().exists(), "{config}");
    }
}

#[test]
fn a_uuid_that_two_files_have_is_refused_with_both_places() {
    let heartbeat = |slug| {
        format!("[heartbeats.{slug}]\ninterval = \"1h\"\nuuid = \"67e55044-10b1-426f-9247-bb680e5fe0c8\"\n")
    };
    let home = Home::new(&format!("include = [\"conf.d/*.toml\"]\n{}", heartbeat("one")));
    fs::create_dir(home.path("conf.d")).unwrap();
    fs::write(home.path("conf.d/two.toml"), heartbeat("two")).unwrap();
    let ended = home.serve_in_vain();
    assert_eq!(ended.code, 78, "{ended:?}");
    let line = ended.stderr.lines().find(|line| line.contains("uuid")).unwrap();
    assert!(line.contains("conf.d/two.toml:") && line.contains("config.toml:"), "{line}");
    assert!(!ended.stderr.contains("67e55044"), "it is a secret: {}", ended.stderr);
    assert!(!home.state().exists());
}

#[test]
fn a_config_file_that_is_not_there_exits_78_and_is_named() {
    let home = Home::new("");
    for command in ["serve", "check"] {
        let ended = home.run(&[command, "--config", "nowhere.toml"]);
        assert_eq!(ended.code, 78, "{ended:?}");
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains("nowhere.toml"), "{said}");
    }
}

#[test]
fn a_port_in_use_exits_71_with_the_address() {
    let home = Home::new("[heartbeats.db]\ninterval = \"1h\"\n");
    let _taken = TcpListener::bind(("127.0.0.1", home.port)).unwrap();
    let ended = home.serve_in_vain();
    assert_eq!(ended.code, 71, "{ended:?}");
    assert!(ended.stderr.contains(&format!("127.0.0.1:{}", home.port)), "{}", ended.stderr);
    let left: Vec<_> =
        std::fs::read_dir(home.state()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"], "no key and no journal were made");
}

#[test]
fn arguments_that_make_no_sense_exit_64_and_help_exits_0() {
    let home = Home::new("");
    for arguments in [
        vec![],
        vec!["sreve"],
        vec!["serve", "--nonsense"],
        vec!["serve", "more"],
        vec!["check", "--config"],
        vec!["status", "one", "two"],
    ] {
        let ended = home.run(&arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (64, ""), "{arguments:?} {ended:?}");
        assert!(!ended.stderr.is_empty());
    }
    for arguments in [vec!["--help"], vec!["serve", "--help"], vec!["check", "-h"], vec!["status", "--help"]]
    {
        let ended = home.run(&arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(ended.stdout.contains("Usage: overdue"), "{}", ended.stdout);
    }
    for arguments in [vec!["--version"], vec!["-V"]] {
        let ended = home.run(&arguments);
        let version = concat!("overdue ", env!("CARGO_PKG_VERSION"), "\n");
        assert_eq!((ended.code, ended.stdout.as_str()), (0, version));
    }
}

#[test]
fn a_heartbeat_that_the_api_cannot_make_is_refused_with_the_field_and_nothing_is_made() {
    let daemon = Daemon::start("[heartbeats.db]\ninterval = \"1h\"\n");
    let good = || json!({ "name": "New one", "interval": "1h" });
    let with = |key: &str, value: Value| {
        let mut heartbeat = good();
        heartbeat[key] = value;
        heartbeat
    };
    for (heartbeat, status, field) in [
        (with("grase", json!("5m")), 400, "grase"),
        (with("cron", json!("0 2 * * *")), 400, "cron"),
        (with("timezone", json!("Europe/Berln")), 400, "timezone"),
        (with("channels", json!(["nobody"])), 400, "channels"),
        (with("interval", json!("0s")), 400, "interval"),
        (with("interval", json!("soon")), 400, "interval"),
        (with("grace", json!("-5m")), 400, "grace"),
        (with("name", json!("")), 400, "name"),
        (with("name", json!("x".repeat(256))), 400, "name"),
        (with("slug", json!("Not A Slug")), 400, "slug"),
        (with("name", json!("???")), 400, "slug"),
        (with("slug", json!("db")), 409, "slug"),
        (json!({ "interval": "1h" }), 400, "name"),
    ] {
        let answer = daemon.post("/api/v1/heartbeats", &heartbeat);
        assert_eq!(answer.status, status, "{heartbeat} {}", answer.text());
        let error = &answer.json()["error"];
        assert_eq!(error["field"], field, "{heartbeat} {error}");
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "{error}");
    }
    let no_schedule = daemon.post("/api/v1/heartbeats", &json!({ "name": "x" }));
    assert_eq!(no_schedule.status, 400, "{}", no_schedule.text());
    for body in ["", "{", "[]", "nonsense"] {
        let headers = [("Content-Type", "application/json")];
        let answer = daemon.request("POST", "/api/v1/heartbeats", &headers, body.as_bytes());
        assert_eq!(answer.status, 400, "{body:?} {}", answer.text());
        assert!(answer.json()["error"]["message"].is_string());
    }
    let all = daemon.get("/api/v1/heartbeats").json();
    let slugs: Vec<_> = all["heartbeats"].as_array().unwrap().iter().map(|one| one["slug"].clone()).collect();
    assert_eq!(slugs, ["db"]);
    daemon.create(&good());
}
