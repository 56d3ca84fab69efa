//! A config that changes while the daemon runs: however it is written, all of it or nothing takes effect,
//! and no ping is refused meanwhile.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::fs::{CWD, FileType, Mode};
use rustix::process::Signal;
use serde_json::Value;

use crate::client::try_request;
use crate::harness::{Daemon, Home, LIMIT, wait_for, wait_until};
use crate::receiver::Receiver;

const PING_KEY: &str = "a-key-of-these-tests-alone";

/// A config with a ping key and these heartbeats, each once a day.
fn config(slugs: &[&str]) -> String {
    let heartbeats: String =
        slugs.iter().map(|slug| format!("[heartbeats.{slug}]\ninterval = \"1d\"\n")).collect();
    format!("[server]\nping_key = \"{PING_KEY}\"\n{heartbeats}")
}

fn status(daemon: &Daemon, what: &str) -> u16 {
    daemon.get(&format!("/ping/{PING_KEY}/{what}")).status
}

/// What `/readyz` says of the config; the daemon is ready whatever that is.
fn health(daemon: &Daemon) -> Value {
    let answer = daemon.get("/readyz");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["config"].clone()
}

fn wait_for_problem(daemon: &Daemon, text: &str) -> String {
    wait_for(LIMIT, &format!("a problem that says {text:?}"), || {
        let health = health(daemon);
        let problems = health["problems"].as_array().unwrap();
        let found = problems.iter().filter_map(Value::as_str).find(|problem| problem.contains(text));
        assert!(found.is_none() || health["ok"] == false, "{health}");
        found.map(str::to_owned)
    })
}

fn wait_for_health(daemon: &Daemon) {
    wait_until(LIMIT, "the config is well", || {
        let health = health(daemon);
        health["ok"] == true && health["problems"].as_array().unwrap().is_empty()
    });
}

fn wait_for_heartbeat(daemon: &Daemon, slug: &str) {
    wait_until(LIMIT, &format!("{slug} is there"), || status(daemon, slug) == 200);
}

fn wait_for_log(daemon: &Daemon, text: &str) {
    wait_until(LIMIT, &format!("the log says {text:?}"), || daemon.stderr().contains(text));
}

#[test]
fn a_config_takes_effect_however_it_is_written() {
    let home = Home::new(&config(&["a"]));
    let daemon = Daemon::start_in(&home);
    assert_eq!((status(&daemon, "a"), status(&daemon, "b")), (200, 404));
    // By rename, as most editors do.
    home.configure(&config(&["a", "b"]));
    wait_for_heartbeat(&daemon, "b");
    // In place.
    let text = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), text + "[heartbeats.c]\ninterval = \"1d\"\n").unwrap();
    wait_for_heartbeat(&daemon, "c");
    // SIGHUP reads again even what has not changed.
    let reloads = || daemon.stderr().matches("config in force").count();
    let before = reloads();
    daemon.signal(Signal::HUP);
    wait_until(LIMIT, "the config is read again", || reloads() > before);
    assert_eq!(daemon.heartbeat("a")["pings_total"], 1);
}

/// A mounted `ConfigMap`: the config is a symlink into `..data`, itself a symlink that is swapped.
#[test]
fn a_config_takes_effect_when_a_symlink_on_its_way_is_swapped() {
    let home = Home::new(&config(&["a"]));
    let text = fs::read_to_string(home.config()).unwrap();
    fs::create_dir(home.path("..v1")).unwrap();
    fs::create_dir(home.path("..v2")).unwrap();
    fs::rename(home.config(), home.path("..v1/config.toml")).unwrap();
    fs::write(home.path("..v2/config.toml"), text + "[heartbeats.b]\ninterval = \"1d\"\n").unwrap();
    symlink("..v1", home.path("..data")).unwrap();
    symlink("..data/config.toml", home.config()).unwrap();
    let daemon = Daemon::start_in(&home);
    assert_eq!((status(&daemon, "a"), status(&daemon, "b")), (200, 404));
    symlink("..v2", home.path("..data_tmp")).unwrap();
    fs::rename(home.path("..data_tmp"), home.path("..data")).unwrap();
    wait_for_heartbeat(&daemon, "b");
    assert_eq!(status(&daemon, "a"), 200);
}

#[test]
fn a_config_with_a_problem_changes_nothing_until_it_is_mended() {
    let home = Home::new(&config(&["a"]));
    let daemon = Daemon::start_in(&home);
    let good = fs::read_to_string(home.config()).unwrap();
    let bad = "\n[heartbeats.b]\ninterval = \"1d\"\n[heartbeats.c]\nintervall = \"1d\"\n";
    let line = good.lines().count() + 5;
    fs::write(home.config(), good.clone() + bad).unwrap();
    let problem = wait_for_problem(&daemon, "intervall");
    let place = format!("config.toml:{line}:1");
    assert!(problem.contains(&place), "{problem}");
    wait_for_log(&daemon, &place);
    assert_eq!((status(&daemon, "a"), status(&daemon, "b")), (200, 404), "nothing of it applies");

    let mended = good.clone() + &bad.replace("intervall", "interval");
    fs::write(home.config(), &mended).unwrap();
    wait_for_heartbeat(&daemon, "c");
    wait_for_health(&daemon);
    // Taking the mistake back is as good as mending it.
    fs::write(home.config(), mended.clone() + "nonsense").unwrap();
    wait_for_problem(&daemon, "config.toml");
    fs::write(home.config(), mended).unwrap();
    wait_for_health(&daemon);
    assert_eq!(status(&daemon, "b"), 200);
}

#[test]
fn no_ping_is_refused_while_five_thousand_heartbeats_are_reloaded() {
    let many = |grace: &str| {
        let heartbeats: String = (0..5_000)
            .map(|i| format!("[heartbeats.job-{i}]\ninterval = \"1d\"\ngrace = \"{grace}\"\n"))
            .collect();
        config(&["a"]) + &heartbeats
    };
    let home = Home::new(&many("1h"));
    let daemon = Daemon::start_in(&home);
    let (enough, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let pinging = scope.spawn(|| {
            while !enough.load(Ordering::SeqCst) {
                let answer = try_request(home.port, "GET", &format!("/ping/{PING_KEY}/a"), &[], b"");
                assert_eq!(answer.map(|answer| answer.status), Some(200), "a ping during a reload");
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
        for grace in ["2h", "3h"] {
            home.configure(&many(grace));
            wait_until(LIMIT, "the last heartbeat has changed", || {
                pinging.is_finished() || daemon.heartbeat("job-4999")["grace"] == grace
            });
        }
        enough.store(true, Ordering::SeqCst);
        pinging.join().unwrap();
    });
    assert_eq!(daemon.heartbeat("a")["pings_total"], answered.load(Ordering::SeqCst));
    assert!(answered.load(Ordering::SeqCst) > 10, "that is no stream of pings");
}

#[test]
fn a_config_that_loses_more_than_half_waits_for_a_word() {
    let slugs = ["a", "b", "c", "d", "e", "f"];
    let home = Home::new(&config(&slugs));
    let daemon = Daemon::start_in(&home);
    home.configure(&config(&["a"]));
    let problem = wait_for_problem(&daemon, "removes 5 of 6");
    assert!(problem.contains("SIGHUP"), "{problem}");
    assert!(slugs.iter().all(|slug| status(&daemon, slug) == 200), "{}", daemon.stderr());
    daemon.signal(Signal::HUP);
    wait_until(LIMIT, "the others are gone", || status(&daemon, "f") == 404);
    wait_for_health(&daemon);
    assert_eq!(status(&daemon, "a"), 200);
}

#[test]
fn a_fifo_in_place_of_a_file_is_a_problem_and_no_wait_without_end() {
    let home = Home::new(&config(&["a"]));
    let daemon = Daemon::start_in(&home);
    let fifo = home.path("holidays.txt");
    rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from(0o600), 0).unwrap();
    let with_file = |slugs: &[&str]| config(slugs) + "exclude_file = \"holidays.txt\"\n";
    home.configure(&with_file(&["a", "b"]));
    let problem = wait_for_problem(&daemon, "holidays.txt cannot be read");
    assert!(problem.contains("it is no regular file"), "{problem}");
    fs::remove_file(&fifo).unwrap();
    fs::write(&fifo, "2026-12-25\n").unwrap();
    wait_for_heartbeat(&daemon, "b");
    wait_for_health(&daemon);
    fs::remove_file(&fifo).unwrap();
    rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from(0o600), 0).unwrap();
    wait_for_problem(&daemon, "it is no regular file");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_schedule_whose_last_time_is_past_is_warned_of_at_start_and_reload() {
    let past = |slug: &str| format!("[heartbeats.{slug}]\non_calendar = \"2026-01-02\"\n");
    let warning = |slug: &str| format!("nothing is expected of [heartbeats.{slug}] any more");
    let home = Home::new(&past("a"));
    let daemon = Daemon::start_in(&home);
    assert!(daemon.stderr().contains(&warning("a")), "{}", daemon.stderr());
    home.configure(&(past("a") + &past("b")));
    wait_for_log(&daemon, &warning("b"));
}

#[test]
fn of_very_many_warnings_the_first_are_told_and_all_are_counted() {
    let slugs: Vec<String> = (0..70).map(|n| format!("beat-{n}")).collect();
    let config = config(&slugs.iter().map(String::as_str).collect::<Vec<_>>());
    let daemon = Daemon::start(&config);
    // All of them at once, by a log line each, would hide what matters: 50 and how many more, at each reading.
    let lines = || daemon.stderr().lines().filter(|line| line.contains("has no channel")).count();
    let more = || daemon.stderr().matches("and 20 more warnings of the config: `overdue check`").count();
    assert_eq!((lines(), more()), (50, 1), "{}", daemon.stderr());
    daemon.home.configure(&format!("{config}description = \"another\"\n"));
    wait_until(LIMIT, "the reload is told", || more() == 2);
    assert_eq!(lines(), 100);
    let warnings = health(&daemon)["warnings"].as_array().unwrap().len();
    assert_eq!(warnings, 51);
    assert!(daemon.get("/metrics").text().lines().any(|line| line == "overdue_config_warnings 70"));
    let checked = daemon.home.run(&["check", "--config", "config.toml"]);
    assert_eq!(checked.stdout.matches("has no channel").count(), 70, "{}", checked.stderr);
}

#[test]
fn a_heartbeat_that_leaves_ends_its_incident_and_comes_back_with_its_url() {
    let receiver = Receiver::start();
    let hook = format!("{}[defaults]\nchannels = [\"hook\"]\n", receiver.channel("hook"));
    let with = config(&["a", "b"]) + &hook;
    let home = Home::new(&with);
    let daemon = Daemon::start_in(&home);
    let url = daemon.heartbeat("b")["ping_url"].clone();
    assert_eq!(status(&daemon, "b/fail"), 200);
    receiver.wait_for_alert("incident.opened", "b");
    home.configure(&(config(&["a"]) + &hook));
    wait_until(LIMIT, "b is gone", || daemon.get("/api/v1/heartbeats/b").status == 404);
    assert_eq!(status(&daemon, "b"), 404);
    let resolved = receiver.wait_for_alert("incident.resolved", "b").json();
    assert_eq!(resolved["data"]["incident"]["reason"], "removed");
    home.configure(&with);
    wait_until(LIMIT, "b is back", || daemon.get("/api/v1/heartbeats/b").status == 200);
    let back = daemon.heartbeat("b");
    assert_eq!(back["ping_url"], url);
    assert_eq!(back["pings_total"], 1, "its history is there");
    assert_eq!((&back["status"], &back["incident"]), (&"up".into(), &Value::Null));
}

#[test]
fn the_same_uuid_under_a_new_slug_is_a_rename() {
    let receiver = Receiver::start();
    let rest = format!("{}[defaults]\nchannels = [\"hook\"]\n", receiver.channel("hook"));
    let named = |slug: &str| {
        let uuid = "0c9c9a5e-8c1e-4f7e-9d5b-2b9d6c1f8a11";
        config(&[]) + &format!("[heartbeats.{slug}]\ninterval = \"1d\"\nuuid = \"{uuid}\"\n{rest}")
    };
    let home = Home::new(&named("old"));
    let daemon = Daemon::start_in(&home);
    assert_eq!(status(&daemon, "old/fail"), 200);
    let before = daemon.heartbeat("old");
    home.configure(&named("new"));
    wait_until(LIMIT, "it has its new name", || daemon.get("/api/v1/heartbeats/new").status == 200);
    let after = daemon.heartbeat("new");
    for key in ["uuid", "pings_total", "status", "last_ping_at", "created_at"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!(after["incident"]["id"], before["incident"]["id"]);
    assert_eq!(daemon.get("/api/v1/heartbeats/old").status, 404);
    assert_eq!(status(&daemon, "new"), 200);
    let resolved = receiver.wait_for_alert("incident.resolved", "new").json();
    assert_eq!(resolved["data"]["incident"]["id"], before["incident"]["id"]);
    assert_eq!(receiver.received().len(), 2, "the edit itself tells nobody anything");
}

#[test]
fn a_secret_in_a_file_of_its_own_is_watched_too() {
    let home = Home::new(
        "[server]\nping_key = { file = \"ping_key\" }\n\
         [[server.api_keys]]\nname = \"ops\"\nkey = { file = \"api_key\" }\nrole = \"write\"\n\
         [heartbeats.a]\ninterval = \"1d\"\n",
    );
    let (first, second) = ("the-first-key-of-the-api", "the-second-key-of-the-api");
    fs::write(home.path("ping_key"), format!("{PING_KEY}\n")).unwrap();
    fs::write(home.path("api_key"), first).unwrap();
    let daemon = Daemon::start_in(&home);
    let ask = |key: &str| {
        let bearer = format!("Bearer {key}");
        daemon.request("GET", "/api/v1/heartbeats/a", &[("Authorization", &bearer)], b"").status
    };
    assert_eq!((ask(first), ask(second)), (200, 401));
    fs::write(home.path("api_key"), second).unwrap();
    wait_until(LIMIT, "the new key opens", || ask(second) == 200);
    assert_eq!(ask(first), 401);

    let other = "another-key-of-these-tests";
    fs::write(home.path("ping_key"), other).unwrap();
    let pinged = |key: &str| daemon.get(&format!("/ping/{key}/a")).status;
    wait_until(LIMIT, "the new ping key opens", || pinged(other) == 200);
    assert_eq!(pinged(PING_KEY), 404);
    wait_for_log(&daemon, "server.ping_key changed");
    for secret in [first, second, PING_KEY, other] {
        assert!(!daemon.stderr().contains(secret), "a secret in the log");
    }
}

#[test]
fn what_takes_a_restart_is_named_and_the_rest_applies() {
    let home = Home::new(&config(&["a"]));
    let daemon = Daemon::start_in(&home);
    let text = fs::read_to_string(home.config()).unwrap();
    let listen = format!("listen = \"127.0.0.1:{}\"", home.port);
    assert!(text.contains(&listen));
    let elsewhere = text.replace(&listen, "listen = \"127.0.0.1:1\"");
    fs::write(home.config(), elsewhere + "[heartbeats.b]\ninterval = \"1d\"\n").unwrap();
    wait_for_heartbeat(&daemon, "b");
    wait_for_log(&daemon, "server.listen changed: that takes a restart; the rest applies");
    let warned = daemon.stderr();
    let line = warned.lines().find(|line| line.contains("server.listen changed")).unwrap();
    assert!(line.contains("WARN"), "{line}");
}

#[test]
fn a_file_of_exclusions_is_watched_too() {
    let home = Home::new("[heartbeats.a]\ncron = \"0 2 * * *\"\nexclude_file = \"days.txt\"\n");
    fs::write(home.path("days.txt"), "2126-12-25 # far away\n").unwrap();
    let daemon = Daemon::start_in(&home);
    assert_eq!(daemon.heartbeat("a")["exclude"], serde_json::json!(["2126-12-25"]));
    let due = daemon.heartbeat("a")["next_due_at"].clone();
    let day = &due.as_str().unwrap()[..10];
    fs::write(home.path("days.txt"), format!("2126-12-25\n{day} # a holiday\n")).unwrap();
    wait_until(LIMIT, "due is another day", || daemon.heartbeat("a")["next_due_at"] != due);
    fs::write(home.path("days.txt"), "2126-12-25\n\nneverday\n").unwrap();
    let problem = wait_for_problem(&daemon, "neverday");
    assert!(problem.contains("days.txt:3:1: "), "{problem}");
}
