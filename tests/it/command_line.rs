//! What people see: `check`, the example config, and `serve` on a terminal.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Daemon, Ended, Home, LIMIT, OVERDUE, Process, command, run, wait_for, wait_until};
use crate::receiver::Receiver;

fn check(home: &Home, more: &[&str]) -> Ended {
    home.run(&[&["check", "--config", "config.toml"], more].concat())
}

#[test]
fn check_shows_each_heartbeat_with_its_schedule_and_when_it_is_due() {
    let home = Home::new(
        "[heartbeats.db]\nname = \"Database\"\ncron = \"30 2 * * *\"\ntimezone = \"Europe/Berlin\"\n\
         [heartbeats.sync]\ninterval = \"90m\"\n[defaults]\nchannels = [\"log\"]\n",
    );
    let ended = check(&home, &[]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    let out = &ended.stdout;
    for part in [
        "db  (Database)\n",
        "cron 30 2 * * * in Europe/Berlin, grace 1h",
        "sync\n",
        "every 1h 30m",
        "2 heartbeats",
    ] {
        assert!(out.contains(part), "no {part:?} in {out}");
    }
    assert_eq!(out.lines().filter(|line| line.contains(" 02:30:00 CE")).count(), 3, "{out}");
    let report: Value = serde_json::from_str(&check(&home, &["--json"]).stdout).unwrap();
    assert_eq!((&report["ok"], &report["problems"]), (&json!(true), &json!([])));
    let next = report["heartbeats"][0]["next"].as_array().unwrap();
    assert_eq!(next.len(), 3);
    let times: Vec<jiff::Timestamp> =
        next.iter().map(|time| time.as_str().unwrap().parse().unwrap()).collect();
    assert!(times[0] > jiff::Timestamp::now() && times.is_sorted());
    assert!(!home.state().exists(), "it touches no state");
}

#[test]
fn check_tells_programs_every_problem_with_its_place() {
    let home = Home::new("[heartbeats.db]\nintervall = \"1h\"\n[heartbeats.b]\ninterval = \"soon\"\n");
    let ended = check(&home, &["--json"]);
    assert_eq!(ended.code, 78, "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["ok"], false);
    let problems = report["problems"].as_array().unwrap();
    let places: Vec<_> = problems.iter().map(|one| (one["line"].clone(), one["column"].clone())).collect();
    assert_eq!(places, [(json!(1), json!(1)), (json!(2), json!(1)), (json!(4), json!(12))]);
    assert_eq!(problems[1]["meant"], "\"interval\"");
    assert!(problems.iter().all(|one| one["file"] == "config.toml"), "{problems:?}");
}

#[test]
fn the_config_is_found_by_its_variable() {
    let home = Home::new("[heartbeats.from-the-variable]\ninterval = \"1h\"\n");
    let ended = crate::harness::run(home.command(&["check"]).env("OVERDUE_CONFIG", home.config()), LIMIT);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("from-the-variable"));
}

#[test]
fn a_reader_that_has_gone_is_no_fault() {
    let home = Home::new("[heartbeats.db]\ninterval = \"1h\"\n");
    let bad = Home::new("[heartbeats.db]\nintervall = \"1h\"\n");
    let check = ["check", "--config", "config.toml"];
    for (home, arguments, code) in [(&home, &check[..], 0), (&bad, &check, 78), (&home, &["--help"], 0)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = home.command(arguments).stdout(writer).output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), &*stderr), (Some(code), ""), "{arguments:?}");
    }
}

#[test]
fn a_variable_that_is_set_but_empty_counts_as_unset() {
    let home = Home::new("");
    let set = |arguments: &[&str], name| crate::harness::run(home.command(arguments).env(name, ""), LIMIT);
    let ended = set(&["check"], "OVERDUE_CONFIG");
    assert_eq!(ended.code, 78, "{ended:?}");
    assert!(ended.stdout.contains("/etc/overdue/config.toml"), "the default: {ended:?}");
    assert_eq!(set(&["check", "--config", "config.toml"], "OVERDUE_CONFIG").code, 0);
    let ended = set(&["status"], "OVERDUE_URL");
    assert_ne!(ended.code, 64, "{ended:?}");
    assert_eq!(set(&["status", "--url", &home.url()], "OVERDUE_URL").code, 3);
}

#[test]
fn the_example_config_runs_as_it_is_and_no_channel_points_outside_the_machine() {
    let text = include_str!("../../config.example.toml");
    let home = Home::new("");
    // The port may be taken here; nothing else is changed.
    fs::write(home.config(), text.replace("127.0.0.1:8080", &format!("127.0.0.1:{}", home.port))).unwrap();
    let daemon = Daemon::start_in(&home);
    for slug in ["backup-postgresql", "renew-certificates", "sync-photos"] {
        daemon.ping(&daemon.uuid(slug), "");
        assert_eq!(daemon.heartbeat(slug)["status"], "up");
    }
    let log = daemon.stderr();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "it runs without a warning: {log}");
    assert!(home.state().join("ping_key").exists(), "the state is beside it");
    let parsed: toml::Table = text.parse().unwrap();
    let channels = parsed["channels"].as_table().unwrap();
    assert!(!channels.is_empty());
    for (name, channel) in channels {
        assert_eq!(channel["type"].as_str(), Some("log"), "{name}");
    }
    assert!(parsed["server"].get("alive_url").is_none());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn sigterm_and_ctrl_c_stop_it_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let daemon = Daemon::start("[heartbeats.db]\ninterval = \"1h\"\n");
        daemon.ping(&daemon.uuid("db"), "/start");
        let home = daemon.home.clone();
        daemon.signal(signal);
        let ended = daemon.stop_and_tell();
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(ended.stderr.contains("stopped"), "{}", ended.stderr);
        let daemon = Daemon::start_in(&home);
        assert_eq!(daemon.heartbeat("db")["running"], true, "a stop loses nothing");
    }
}

#[test]
fn a_sigterm_that_comes_with_the_first_answer_stops_it_in_order() {
    let home = Home::new("[heartbeats.db]\ninterval = \"1h\"\n");
    for round in 0..10 {
        let ended = Daemon::start_in(&home).stop_and_tell();
        assert_eq!(ended.code, 0, "round {round}: {}", ended.stderr);
    }
}

#[test]
fn a_log_that_cannot_be_written_ends_neither_the_daemon_nor_an_alert() {
    let receiver = Receiver::start();
    let home = Home::new(&format!(
        "[heartbeats.db]\ninterval = \"24h\"\nchannels = [\"ops\", \"log\"]\n{}",
        receiver.channel("ops")
    ));
    // On a full disk, and into a pipe that nobody reads any more.
    for log in ["2>/dev/full", "2> >(head -c 1 >/dev/null)"] {
        let serve = format!("exec {OVERDUE:?} serve --config config.toml {log}");
        let daemon = Daemon::start_as(&home, command("bash", &["-c", &serve]).current_dir(home.path("")));
        let before = receiver.received().len();
        for number in 0..3 {
            daemon.ping(&daemon.uuid("db"), "/1");
            daemon.ping(&daemon.uuid("db"), "");
            receiver.wait_for(before + 2 * number + 2);
        }
        assert_eq!(daemon.stop(), 0, "{log}");
    }
}

#[test]
fn an_alert_on_the_log_shows_at_any_level() {
    for level in ["", "off", "error", "overdue::engine=debug"] {
        let home = Home::new("[heartbeats.db]\ninterval = \"24h\"\n");
        let mut serve = home.command(&["serve", "--config", "config.toml"]);
        let daemon = Daemon::start_as(&home, serve.env("OVERDUE_LOG", level));
        daemon.ping(&daemon.uuid("db"), "/3");
        wait_until(LIMIT, "the alert is in the log", || {
            daemon.stderr().contains("failed with exit code 3") && daemon.stderr().contains("incident.opened")
        });
        assert_eq!(daemon.stop(), 0, "{level}");
    }
}

#[test]
fn a_log_that_nobody_reads_holds_no_ping() {
    let home = Home::new("[heartbeats.db]\ninterval = \"24h\"\n");
    assert_eq!(run(&mut command("mkfifo", &[home.path("log").to_str().unwrap()]), LIMIT).code, 0);
    // Open at both ends, so that writing neither waits for a reader nor fails for want of one.
    let held = fs::File::options().read(true).write(true).open(home.path("log")).unwrap();
    let serve = format!("OVERDUE_LOG=trace exec {OVERDUE:?} serve --config config.toml 2>log");
    let daemon = Daemon::start_as(&home, command("bash", &["-c", &serve]).current_dir(home.path("")));
    let uuid = daemon.uuid("db");
    for _ in 0..1_500 {
        daemon.ping(&uuid, "");
    }
    assert_eq!(daemon.heartbeat("db")["pings_total"], 1_500);
    assert_eq!(daemon.stop(), 0);
    drop(held);
}

/// A daemon on a terminal of its own, and who made the terminal.
struct OnTerminal {
    home: Home,
    script: Process,
}

impl OnTerminal {
    fn start(config: &str) -> Self {
        Self::start_with(config, "")
    }

    fn start_with(config: &str, no_color: &str) -> Self {
        let home = Home::new(config);
        // It leaves its id, since ending `script` would only hang up on it, which is a wish to reload.
        let serve = format!("echo $$ > pid; exec {OVERDUE:?} serve --config config.toml");
        let mut script = command("script", &["-qec", &serve, "/dev/null"]);
        let script = Process::spawn(
            script.env("SHELL", "/bin/sh").env("NO_COLOR", no_color).current_dir(home.path("")),
        );
        Self { home, script }
    }

    fn end(&self, signal: Signal) -> Option<()> {
        let pid = fs::read_to_string(self.home.path("pid")).ok()?;
        kill_process(Pid::from_raw(pid.trim().parse().ok()?)?, signal).ok()
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        self.end(Signal::KILL);
    }
}

#[test]
fn on_a_terminal_it_shows_the_ping_url_of_each_heartbeat() {
    let mut terminal =
        OnTerminal::start("[heartbeats.db]\ninterval = \"1h\"\n[heartbeats.photos]\ninterval = \"1h\"\n");
    let said = wait_for(LIMIT, "both URLs are shown", || {
        assert_eq!(terminal.script.ended(), None, "{}", terminal.script.stdout());
        Some(terminal.script.stdout()).filter(|said| said.matches("/ping/").count() == 2)
    });
    let mut shown = Vec::new();
    for line in said.lines().filter(|line| line.contains("/ping/")) {
        let words: Vec<_> = line.split_whitespace().collect();
        let [slug, url] = words[..] else { panic!("{line}") };
        shown.push(slug.to_owned());
        assert_eq!(crate::harness::curl(&[url]).stdout, "OK", "{line}");
    }
    assert_eq!(shown, ["db", "photos"]);
    terminal.end(Signal::TERM).unwrap();
    assert_eq!(terminal.script.wait(LIMIT), Some(0), "{}", terminal.script.stdout());
}

#[test]
fn the_log_is_coloured_on_a_terminal_unless_no_color_is_set_and_not_empty() {
    for (no_color, coloured) in [("", true), ("1", false)] {
        let terminal = OnTerminal::start_with("[heartbeats.db]\ninterval = \"1h\"\n", no_color);
        wait_until(LIMIT, "it listens", || terminal.script.stdout().contains("/ping/"));
        assert_eq!(terminal.script.stdout().contains('\x1b'), coloured, "{no_color:?}");
    }
}
