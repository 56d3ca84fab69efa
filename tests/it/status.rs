//! `overdue status`: what it prints for people, for scripts and for a monitoring system, and its exit codes.

use serde_json::{Value, json};

use crate::harness::{Daemon, Ended, Home, LIMIT, run, wait_until};
use crate::receiver::{Receiver, Reply};

fn status(daemon: &Daemon, more: &[&str]) -> Ended {
    daemon.home.run(&[&["status", "--url", &daemon.home.url()], more].concat())
}

/// The first line: what a monitoring system shows, and its performance data by label.
#[track_caller]
fn plugin(ended: &Ended) -> (String, Vec<(String, String)>) {
    let first = ended.stdout.lines().next().unwrap_or_else(|| panic!("{ended:?}"));
    let (text, data) = first.split_once(" | ").unwrap_or_else(|| panic!("no performance data: {first}"));
    assert_eq!(ended.stdout.matches('|').count(), 1, "only there is performance data: {}", ended.stdout);
    let pairs = data.split(' ').map(|pair| {
        let (label, rest) = pair.split_once('=').unwrap();
        assert!(label.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{pair}");
        let mut fields = rest.split(';');
        let value = fields.next().unwrap().trim_end_matches('s');
        assert!(fields.clone().count() <= 4, "{pair}");
        for number in std::iter::once(value).chain(fields.filter(|field| !field.is_empty())) {
            number.parse::<f64>().unwrap_or_else(|error| panic!("{error}: {pair}"));
        }
        (label.to_owned(), rest.to_owned())
    });
    (text.to_owned(), pairs.collect())
}

#[test]
fn a_table_shows_how_things_stand_and_the_exit_code_says_it_too() {
    let daemon = Daemon::start(
        "[heartbeats.a-calm-one]\nname = \"Calm\"\ninterval = \"24h\"\n\
         [heartbeats.late]\ninterval = \"1s\"\ngrace = \"24h\"\nawait_first_ping = true\n",
    );
    let ended = status(&daemon, &[]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    let (text, data) = plugin(&ended);
    assert_eq!(text, "OVERDUE OK - 2 new");
    let data: Vec<(&str, &str)> = data.iter().map(|(label, rest)| (label.as_str(), rest.as_str())).collect();
    let counts = [
        ("up", "0"),
        ("late", "0"),
        ("down", "0"),
        ("new", "2"),
        ("paused", "0"),
        ("running", "0"),
        ("deliveries_given_up", "0"),
        ("deliveries_waiting", "0"),
    ];
    assert_eq!(data, counts);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines[1], "");
    assert_eq!(lines[2], "STATUS  SLUG        LAST PING  NEXT DUE  LAST DURATION  INCIDENT");
    assert_eq!(lines[3], "new     a-calm-one  never      in 24h    -");
    assert_eq!(lines[4], "new     late        never      -         -");

    daemon.ping(&daemon.uuid("late"), "/start");
    daemon.ping(&daemon.uuid("late"), "");
    daemon.wait_for_status("late", "late");
    let ended = status(&daemon, &[]);
    assert_eq!((ended.code, plugin(&ended).0.as_str()), (1, "OVERDUE WARNING - 1 late (late), 1 new"));
    assert_eq!(status(&daemon, &["a-calm-one"]).code, 0, "but not this one");

    daemon.ping(&daemon.uuid("a-calm-one"), "/7");
    daemon.ping(&daemon.uuid("a-calm-one"), "/start");
    wait_until(LIMIT, "its alert is in the log", || daemon.stderr().contains("incident.opened"));
    wait_until(LIMIT, "that is known", || !status(&daemon, &[]).stdout.contains(" waiting "));
    let ended = status(&daemon, &[]);
    assert_eq!(
        (ended.code, plugin(&ended).0.as_str()),
        (2, "OVERDUE CRITICAL - 1 down (a-calm-one), 1 late (late)")
    );
    let down = ended.stdout.lines().nth(3).unwrap();
    assert!(down.starts_with("down    a-calm-one  "), "the worst is first: {down}");
    assert!(down.contains("  running ") && down.contains("  failed (exit 7) "), "{down}");
}

#[test]
fn problems_are_listed_without_the_others_and_all_are_counted() {
    let daemon = Daemon::start(
        "[heartbeats.calm]\ninterval = \"24h\"\n[heartbeats.db]\ninterval = \"24h\"\n\
         [heartbeats.sync]\ninterval = \"1s\"\ngrace = \"24h\"\n",
    );
    daemon.ping(&daemon.uuid("calm"), "");
    let calm = status(&daemon, &["calm"]);
    assert_eq!(calm.code, 0, "{calm:?}");
    daemon.ping(&daemon.uuid("sync"), "");
    daemon.wait_for_status("sync", "late");
    daemon.ping(&daemon.uuid("db"), "/3");
    let ended = status(&daemon, &["--problems"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (2, ""), "{ended:?}");
    let (text, data) = plugin(&ended);
    assert!(text.starts_with("OVERDUE CRITICAL - 1 down (db), 1 late (sync), 1 up"), "{text}");
    assert_eq!(data[..3], [("up", "1"), ("late", "1"), ("down", "1")].map(|(a, b)| (a.into(), b.into())));
    let rows: Vec<&str> =
        ended.stdout.lines().skip(3).map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(rows, ["db", "sync"]);
    let ended = status(&daemon, &["--problems", "--json"]);
    let listed: Value = serde_json::from_str(&ended.stdout).unwrap();
    let slugs: Vec<&str> =
        listed["heartbeats"].as_array().unwrap().iter().map(|one| one["slug"].as_str().unwrap()).collect();
    assert_eq!((ended.code, slugs), (2, vec!["db", "sync"]));
    assert_eq!(status(&daemon, &["--problems", "db"]).code, 64);
}

#[test]
fn without_a_problem_there_is_one_line() {
    let daemon = Daemon::start("[heartbeats.db]\ninterval = \"24h\"\n");
    let ended = status(&daemon, &["--problems"]);
    assert_eq!((ended.code, ended.stdout.lines().count()), (0, 1), "{ended:?}");
    let ended = status(&daemon, &["--problems", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&ended.stdout).unwrap(), json!({ "heartbeats": [] }));
}

#[test]
fn problems_of_many_are_found_without_a_list_of_all() {
    let stand_in = Receiver::start();
    let row = |slug: &str, status: &str| {
        json!({ "slug": slug, "name": slug, "status": status, "schedule": "every 24h", "grace": "1h",
                "max_runtime": "2h", "max_runtime_seconds": 7_200 })
    };
    let answers = [
        (
            "/api/v1/summary",
            json!({ "heartbeats": { "total": 12_001, "new": 1, "up": 11_997, "late": 0, "down": 3, "paused": 0,
                                    "running": 4 },
                    "deliveries": { "waiting": 0, "delivered": 0, "given_up": 0 },
                    "config": { "ok": true, "problems": [] }, "journal": { "ok": true, "error": null } }),
        ),
        (
            "/api/v1/heartbeats?limit=1000&status=down",
            json!({ "heartbeats": [row("a", "down"), row("b", "down")], "next_cursor": "b" }),
        ),
        (
            "/api/v1/heartbeats?limit=1000&status=down&cursor=b",
            json!({ "heartbeats": [row("c", "down")], "next_cursor": null }),
        ),
    ];
    stand_in.reply_with(move |request| {
        let answer = answers.iter().find(|(path, _)| *path == request.path);
        answer.map_or(Reply::Status(500), |(_, answer)| Reply::Json(200, answer.clone()))
    });
    let ended = Home::new("").run(&["status", "--problems", "--url", &stand_in.url("")]);
    assert_eq!((ended.code, ended.stdout.lines().count()), (2, 6), "{ended:?}");
    assert_eq!(plugin(&ended).0, "OVERDUE CRITICAL - 3 down (a, b, c), 11997 up, 1 new");
    assert_eq!(stand_in.received().len(), 3, "{:?}", stand_in.received());
}

#[test]
fn a_daemon_without_a_summary_is_counted_by_its_list() {
    let daemon =
        Daemon::start("[heartbeats.calm]\ninterval = \"24h\"\n[heartbeats.db]\ninterval = \"24h\"\n");
    daemon.ping(&daemon.uuid("db"), "/7");
    let list =
        json!({ "heartbeats": [daemon.heartbeat("calm"), daemon.heartbeat("db")], "next_cursor": null });
    let stand_in = Receiver::start();
    stand_in.reply_with(move |request| match request.path.as_str() {
        "/api/v1/heartbeats?limit=1000" => Reply::Json(200, list.clone()),
        _ => Reply::Json(404, json!({ "error": { "code": "not_found", "message": "No.", "field": null } })),
    });
    for (arguments, rows) in [(&[][..], 2), (&["--problems"], 1)] {
        let url = stand_in.url("");
        let ended = Home::new("").run(&[&["status", "--url", &url], arguments].concat());
        assert_eq!((ended.code, ended.stdout.lines().count()), (2, 3 + rows), "{ended:?}");
        let (text, data) = plugin(&ended);
        assert_eq!(text, "OVERDUE CRITICAL - 1 down (db), 1 new");
        assert!(data.iter().all(|(label, _)| !label.starts_with("deliveries")), "{data:?}");
    }
    let ended = Home::new("").run(&["status", "--problems", "--json", "--url", &stand_in.url("")]);
    assert_eq!(ended.stdout.matches("\"slug\"").count(), 1, "{ended:?}");
}

#[test]
fn what_is_wrong_with_the_daemon_itself_is_in_the_first_line_and_not_in_the_exit_code() {
    let receiver = Receiver::start();
    receiver.reply(Reply::Status(410));
    let config =
        format!("{}[heartbeats.db]\ninterval = \"24h\"\nchannels = [\"ops\"]\n", receiver.channel("ops"));
    let daemon = Daemon::start(&config);
    daemon.ping(&daemon.uuid("db"), "/7");
    let first = || status(&daemon, &[]).stdout.lines().next().unwrap().to_owned();
    wait_until(LIMIT, "its alert is given up", || first().contains("; 1 alert given up | "));
    assert!(first().ends_with(" deliveries_given_up=1 deliveries_waiting=0"), "{}", first());
    daemon.ping(&daemon.uuid("db"), "");
    daemon.home.configure(&format!("{config}intervall = \"1h\"\n"));
    wait_until(LIMIT, "the problem is known", || {
        first().contains("; the config file is not in force (1 problem)")
    });
    let ended = status(&daemon, &["--problems"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("not in force (1 problem)"), "{ended:?}");
}

#[test]
fn programs_get_the_json_of_the_api() {
    let daemon =
        Daemon::start("[heartbeats.calm]\ninterval = \"24h\"\n[heartbeats.db]\ninterval = \"24h\"\n");
    daemon.ping(&daemon.uuid("db"), "/7");
    let ended = status(&daemon, &["--json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (2, ""));
    let all: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(all, json!({ "heartbeats": [daemon.heartbeat("calm"), daemon.heartbeat("db")] }));
    for (slug, code) in [("calm", 0), ("db", 2)] {
        let ended = status(&daemon, &["--json", slug]);
        assert_eq!(ended.code, code);
        assert_eq!(serde_json::from_str::<Value>(&ended.stdout).unwrap(), daemon.heartbeat(slug));
    }
}

#[test]
fn one_heartbeat_is_shown_with_all_that_is_known_of_it() {
    let daemon = Daemon::start(
        "[heartbeats.db]\nname = \"Data | base\"\ndescription = \"\"\"Dumps.\nAsk Ada.\"\"\"\ntags = [\"a\", \"b\"]\n\
         host = \"db1\"\ninterval = \"24h\"\nmax_runtime = \"2h\"\n",
    );
    let uuid = daemon.uuid("db");
    daemon.ping(&uuid, "/start");
    daemon.ping(&uuid, "/7");
    let ended = status(&daemon, &["db"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (2, ""));
    let (text, data) = plugin(&ended);
    assert!(text.starts_with("OVERDUE CRITICAL - db is down: failed (exit 7) "), "{text}");
    let labels: Vec<&str> = data.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(labels, ["last_ping_age", "last_duration", "consecutive_failures"]);
    assert!(data[1].1.ends_with("s;;7200"), "{data:?}");
    let url = daemon.heartbeat("db")["ping_url"].as_str().unwrap().to_owned();
    let opened = daemon.heartbeat("db")["incident"]["opened_at"].as_str().unwrap().to_owned();
    for line in [
        "Data ¦ base: down",
        "  description  Dumps.",
        "               Ask Ada.",
        "  tags         a, b",
        "  host         db1",
        &format!("  ping URL     {url}"),
        "  schedule     every 24h",
        "  max runtime  2h",
        "  last exit    7",
        &format!("  incident     failed (exit 7) since {opened} "),
        "               The job ended with exit code 7.",
        "  failures     1",
    ] {
        assert!(ended.stdout.lines().any(|one| one.starts_with(line)), "no {line:?} in {}", ended.stdout);
    }
}

#[test]
fn the_last_runs_are_a_chart() {
    let beat = json!({
        "slug": "db", "name": "Database", "status": "up", "schedule": "every 24h", "grace": "1h", "max_runtime": "2h",
        "max_runtime_seconds": 7_200, "last_ping_at": "2026-11-22T03:00:00.000Z", "later": "what a newer daemon says",
    });
    let run = |seconds: u64, outcome: &str| {
        json!({ "id": "x", "started_at": "2026-11-22T02:00:00.000Z", "ended_at": "2026-11-22T03:00:00.000Z",
                "duration_ms": seconds * 1_000, "exit_code": 0, "outcome": outcome })
    };
    let runs =
        json!({ "runs": [run(8, "success"), run(4, "failure"), run(1, "success")], "next_cursor": null });
    let stand_in = Receiver::start();
    stand_in.reply_with(move |request| match request.path.as_str() {
        "/api/v1/heartbeats/db" => Reply::Json(200, beat.clone()),
        "/api/v1/heartbeats/db/runs?limit=30" => Reply::Json(200, runs.clone()),
        _ => Reply::Status(500),
    });
    let ended = Home::new("").run(&["status", "--url", &stand_in.url("/"), "db"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    let chart =
        "\nThe last 3 runs, oldest first; a full bar is 8.0s:\n  ▁▄█\n  .x.\n  . success   x failure\n\n";
    assert!(ended.stdout.contains(chart), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("\n  2026-11-22T02:00:00.000Z  4.0s       failure    0\n"),
        "{}",
        ended.stdout
    );
}

#[test]
fn one_heartbeat_says_who_is_told_and_what_became_of_it() {
    let (good, bad) = (Receiver::start(), Receiver::start());
    bad.reply(Reply::Status(410));
    let daemon = Daemon::start(&format!(
        "{}{}[heartbeats.db]\ninterval = \"24h\"\nchannels = [\"bad\", \"good\"]\n[heartbeats.quiet]\ninterval = \"24h\"\n",
        good.channel("good"),
        bad.channel("bad"),
    ));
    let has = |slug: &str, line: &str| {
        let ended = status(&daemon, &[slug]);
        assert_eq!(ended.stderr, "", "{ended:?}");
        ended.stdout.lines().any(|one| one.starts_with(line))
    };
    assert!(has("quiet", "  channels     log") && !has("quiet", "  alerts "));
    daemon.ping(&daemon.uuid("db"), "/7");
    wait_until(LIMIT, "one is given up", || has("db", "  alerts       incident.opened to bad: given up "));
    wait_until(LIMIT, "one arrives", || has("db", "               incident.opened to good: delivered "));
    assert!(has("db", "  channels     bad, good"));
    bad.reply(Reply::Status(500));
    daemon.ping(&daemon.uuid("db"), "");
    wait_until(LIMIT, "one waits", || has("db", "  alerts       incident.resolved to bad: waits, next try "));
    let ended = status(&daemon, &[&daemon.uuid("db")]);
    assert!(ended.stdout.contains("to bad: given up ") && ended.stdout.contains(": HTTP 500"), "{ended:?}");
    assert!(!ended.stdout.contains("to good"), "all is well again, and it was told: {ended:?}");
    assert_eq!(ended.code, 0);
}

#[test]
fn a_daemon_without_a_list_of_runs_is_shown_without_a_chart() {
    let daemon = Daemon::start("[heartbeats.db]\ninterval = \"24h\"\n");
    daemon.ping(&daemon.uuid("db"), "");
    let beat = daemon.heartbeat("db");
    let stand_in = Receiver::start();
    let refused = |status: u16, code: &str| {
        let error = json!({ "error": { "code": code, "message": "Not | so.", "field": null } });
        Reply::Json(status, error)
    };
    for (reply, told) in [
        (refused(404, "not_found"), ""),
        (refused(503, "busy"), "\nThe last runs are not known: Not ¦ so.\n"),
    ] {
        let beat = beat.clone();
        stand_in.reply_with(move |request| match request.path.as_str() {
            "/api/v1/heartbeats/db" => Reply::Json(200, beat.clone()),
            _ => reply.clone(),
        });
        let ended = Home::new("").run(&["status", "--url", &stand_in.url(""), "db"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        let alerts = ended.stdout.contains("\n  alerts       not known: Not ¦ so.\n");
        assert_eq!(alerts, !told.is_empty(), "{ended:?}");
        assert_eq!(
            ended.stdout.split_once("  last ping").unwrap().1.split_once("\n\n").map_or("", |(_, rest)| rest),
            told.trim_start()
        );
    }
}

#[test]
fn status_pages_through_more_heartbeats_than_one_answer_holds() {
    let many: String =
        (0..1_500).map(|n| ["[heartbeats.h", &n.to_string(), "]\ninterval = \"1h\"\n"].concat()).collect();
    let daemon = Daemon::start(&many);
    let ended = status(&daemon, &[]);
    assert_eq!((ended.code, ended.stdout.lines().count()), (0, 1_503));
    assert_eq!(plugin(&ended).0, "OVERDUE OK - 1500 new");
}

#[test]
fn without_an_answer_it_is_unknown_and_says_what_to_do() {
    let home = Home::new("");
    let ended = home.run(&["status", "--url", &home.url()]);
    assert_eq!((ended.code, ended.stderr.as_str()), (3, ""), "{ended:?}");
    assert!(ended.stdout.starts_with("OVERDUE UNKNOWN - cannot ask http://127.0.0.1:"), "{}", ended.stdout);
    assert_eq!(ended.stdout.lines().count(), 1);
    for part in ["refused", "overdue serve", "--url"] {
        assert!(ended.stdout.contains(part), "no {part:?} in {}", ended.stdout);
    }
    let ended = home.run(&["status", "--url", &home.url(), "--json"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (3, ""), "{ended:?}");
    assert!(ended.stderr.contains("overdue serve"), "{}", ended.stderr);

    let daemon = Daemon::start("[heartbeats.db]\ninterval = \"1h\"\n");
    let ended = status(&daemon, &["nobody"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (3, ""), "{ended:?}");
    assert!(ended.stdout.starts_with("OVERDUE UNKNOWN - There is no heartbeat"), "{}", ended.stdout);
}

#[test]
fn what_is_no_overdue_is_unknown() {
    let stand_in = Receiver::start();
    for (reply, part) in [
        (Reply::Status(200), "is it the right address?"),
        (Reply::Json(200, json!({ "status": "fine" })), "does not answer as overdue does"),
        (
            Reply::Json(200, json!({ "heartbeats": [{ "slug": "x" }], "next_cursor": null })),
            "does not answer as overdue does",
        ),
        (Reply::Json(500, json!({ "error": "a | b" })), "is it the right address?"),
        (Reply::With(302, "Location", "https://example.org/".to_owned()), "https://example.org/"),
    ] {
        stand_in.reply(reply);
        let ended = Home::new("").run(&["status", "--url", &stand_in.url("")]);
        assert_eq!((ended.code, ended.stderr.as_str()), (3, ""), "{ended:?}");
        assert!(
            ended.stdout.starts_with("OVERDUE UNKNOWN - ") && ended.stdout.contains(part),
            "{}",
            ended.stdout
        );
    }
}

#[test]
fn status_takes_an_address_without_http_before_it() {
    let daemon = Daemon::start("[heartbeats.db]\ninterval = \"1h\"\n");
    let ended = daemon.home.run(&["status", "--url", &format!("127.0.0.1:{}", daemon.home.port), "db"]);
    assert_eq!(ended.code, 0, "{ended:?}");
}

/// A daemon that listens on a Unix socket, too.
fn on_a_socket() -> Daemon {
    let home = Home::new("");
    let port = home.port;
    home.configure(&format!(
        "[heartbeats.db]\ninterval = \"24h\"\n\
         [server]\nlisten = [\"127.0.0.1:{port}\", \"unix:overdue.sock\"]\n"
    ));
    Daemon::start_in(&home)
}

#[test]
fn status_asks_over_a_unix_socket_and_needs_no_key() {
    let daemon = on_a_socket();
    let path = daemon.home.path("overdue.sock").display().to_string();
    for url in [&format!("unix:{path}"), &format!("unix://{path}"), "unix:overdue.sock"] {
        let ended = daemon.home.run(&["status", "--url", url]);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{url} {ended:?}");
        assert!(ended.stdout.starts_with("OVERDUE OK - 1 new"), "{url} {ended:?}");
        let ended = daemon.home.run(&["status", "--json", "--url", url, "db"]);
        assert_eq!(serde_json::from_str::<Value>(&ended.stdout).unwrap(), daemon.heartbeat("db"));
    }
    let mut command = daemon.home.command(&["status", "db"]);
    let ended = run(command.env("OVERDUE_URL", format!("unix:{path}")), LIMIT);
    assert!(ended.stdout.starts_with("OVERDUE OK - db is new"), "{ended:?}");
}

#[test]
fn a_socket_that_does_not_answer_is_named_with_what_to_do() {
    let home = Home::new("");
    let ask = |name: &str| {
        let url = format!("unix:{}", home.path(name).display());
        let ended = home.run(&["status", "--url", &url]);
        assert_eq!((ended.code, ended.stderr.as_str()), (3, ""), "{ended:?}");
        assert!(ended.stdout.starts_with(&format!("OVERDUE UNKNOWN - cannot ask {url}: ")), "{ended:?}");
        assert_eq!(ended.stdout.lines().count(), 1, "{ended:?}");
        ended.stdout
    };
    let told = ask("absent.sock");
    assert!(told.contains("No such file") && told.contains("[server] listen"), "{told}");
    drop(std::os::unix::net::UnixListener::bind(home.path("left.sock")).unwrap());
    let told = ask("left.sock");
    assert!(told.contains("refused") && told.contains("overdue serve"), "{told}");
    let told = ask(&"long".repeat(40));
    assert!(told.contains("--url"), "{told}");
    let ended = home.run(&["status", "--url", "unix:"]);
    assert_eq!(ended.code, 3);
    assert!(ended.stdout.contains("names no socket"), "{ended:?}");
}

#[test]
fn status_takes_a_key_from_the_environment() {
    let daemon = Daemon::start(
        "[heartbeats.db]\ninterval = \"1h\"\n[server]\n[[server.api_keys]]\nname = \"a\"\n\
         key = \"a-key-to-read-with\"\nrole = \"read\"\n",
    );
    let url = daemon.home.url();
    let with = |key: &str| {
        run(daemon.home.command(&["status", "--url", &url, "db"]).env("OVERDUE_API_KEY", key), LIMIT)
    };
    for ended in [status(&daemon, &["db"]), with("")] {
        assert_eq!(ended.code, 3);
        assert!(ended.stdout.contains("OVERDUE_API_KEY"), "{}", ended.stdout);
    }
    let ended = with("a-key-to-read-with");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("shown only to a write key"), "{}", ended.stdout);
    let ended = with("a\nb");
    assert_eq!(ended.code, 3);
    assert!(ended.stdout.contains("$OVERDUE_API_KEY is malformed"), "{}", ended.stdout);
}

#[test]
fn what_can_be_no_slug_is_a_mistake_of_usage() {
    let home = Home::new("");
    for slug in ["a b", "", "a/b", "ä"] {
        let ended = home.run(&["status", "--url", &home.url(), slug]);
        assert_eq!((ended.code, ended.stdout.as_str()), (64, ""), "{ended:?}");
        assert!(ended.stderr.contains("not a slug or UUID"), "{}", ended.stderr);
    }
    assert_eq!(home.run(&["status", "--watch", "--json"]).code, 64);
}
