//! `overdue status` on a terminal of its own, made by `script`: colour, and `--watch`.

use std::fs;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Daemon, Home, LIMIT, OVERDUE, Process, command, wait_until};
use crate::receiver::{Receiver, Reply};

const CONFIG: &str = "[heartbeats.db]\ninterval = \"24h\"\n[heartbeats.photos]\ninterval = \"24h\"\n";

/// A terminal of this size that runs `overdue status` with these arguments.
fn on_terminal(home: &Home, arguments: &str, rows: u16, columns: u16) -> Command {
    let url = home.url();
    // It leaves its id, since ending `script` would only hang up on it.
    let asks = format!(
        "stty rows {rows} cols {columns}; echo $$ > pid; exec {OVERDUE:?} status --url {url} {arguments}"
    );
    let mut script = command("script", &["-qec", &asks, "/dev/null"]);
    script.env("SHELL", "/bin/sh").current_dir(home.path(""));
    script
}

fn end(home: &Home) {
    let pid = fs::read_to_string(home.path("pid")).unwrap();
    kill_process(Pid::from_raw(pid.trim().parse().unwrap()).unwrap(), Signal::INT).unwrap();
}

/// The screens that were drawn.
fn screens(process: &Process) -> Vec<String> {
    process.stdout().split("\x1b[H").skip(1).map(str::to_owned).collect()
}

#[test]
fn colour_is_on_a_terminal_only_and_no_color_turns_it_off() {
    let daemon = Daemon::start(CONFIG);
    daemon.ping(&daemon.uuid("db"), "/3");
    let told = |variable: Option<&str>| {
        let mut script = on_terminal(&daemon.home, "", 24, 80);
        let ended = crate::harness::run(script.envs(variable.map(|value| ("NO_COLOR", value))), LIMIT);
        assert_eq!(ended.code, 2, "{ended:?}");
        ended.stdout
    };
    let coloured = told(None);
    assert!(coloured.contains("OVERDUE \x1b[1;31mCRITICAL\x1b[0m - 1 down (db)"), "{coloured:?}");
    assert!(coloured.contains("\x1b[1;31mdown  \x1b[0m  db"), "{coloured:?}");
    assert!(told(Some("")).contains("\x1b[1;31mdown"), "set but empty counts as unset");
    let plain = told(Some("1"));
    assert!(plain.contains("down    db") && !plain.contains('\x1b'), "{plain:?}");
    let piped = daemon.home.run(&["status", "--url", &daemon.home.url()]).stdout;
    assert!(piped.contains("down    db") && !piped.contains('\x1b'), "{piped:?}");
}

#[test]
fn a_watch_draws_again_what_a_ping_changed_and_ends_with_ctrl_c() {
    let daemon = Daemon::start(CONFIG);
    let mut watch = Process::spawn(on_terminal(&daemon.home, "--watch", 24, 100).env("NO_COLOR", "1"));
    wait_until(LIMIT, "it is drawn", || screens(&watch).iter().any(|one| one.contains("2 new")));
    daemon.ping(&daemon.uuid("photos"), "/3");
    wait_until(LIMIT, "the change is drawn", || {
        screens(&watch).iter().any(|one| one.contains("1 down (photos), 1 new"))
    });
    end(&daemon.home);
    assert_eq!(watch.wait(LIMIT), Some(2), "the last that it saw: {}", watch.stdout());
    let drawn = screens(&watch);
    let last = drawn.iter().rfind(|one| one.contains("down (photos)")).unwrap();
    assert!(last.find("down    photos").unwrap() < last.find("new     db").unwrap(), "{last:?}");
    assert!(!last.contains('|'), "performance data is for machines: {last:?}");
}

#[test]
fn a_watch_shows_the_worst_that_fit() {
    let many: String = (0..50).map(|n| format!("[heartbeats.h{n:02}]\ninterval = \"24h\"\n")).collect();
    let daemon = Daemon::start(&many);
    daemon.ping(&daemon.uuid("h49"), "/3");
    let watch = Process::spawn(on_terminal(&daemon.home, "--watch", 10, 100).env("NO_COLOR", "1"));
    wait_until(LIMIT, "it is drawn", || screens(&watch).iter().any(|one| one.contains("Ctrl-C ends")));
    let drawn = screens(&watch).swap_remove(0);
    let lines: Vec<&str> = drawn.lines().collect();
    assert_eq!(lines.len(), 10, "{lines:#?}");
    assert!(lines[3].starts_with("down    h49"), "{lines:#?}");
    assert!(lines[8].starts_with("… and 45 more"), "{lines:#?}");
    end(&daemon.home);
}

#[test]
fn a_watch_asks_for_no_more_than_what_fits() {
    let home = Home::new("");
    let stand_in = Receiver::start_on(home.port);
    stand_in.reply_with(|request| {
        let Some((_, query)) = request.path.split_once("heartbeats?limit=") else {
            return Reply::Json(
                200,
                json!({ "heartbeats": { "total": 12_012, "new": 0, "up": 12_000, "late": 4, "down": 8, "paused": 0,
                                        "running": 0 } }),
            );
        };
        let (limit, status) = query.split_once("&status=").unwrap();
        let room: usize = limit.parse().unwrap();
        let rows: Vec<Value> = (0..room.min(if status == "down" { 8 } else { 4 }))
            .map(|n| {
                json!({ "slug": format!("{status}{n}"), "name": "x", "status": status, "schedule": "every 24h",
                        "grace": "1h", "max_runtime": "2h", "max_runtime_seconds": 7_200 })
            })
            .collect();
        Reply::Json(200, json!({ "heartbeats": rows, "next_cursor": null }))
    });
    let watch = Process::spawn(on_terminal(&home, "--watch", 10, 140).env("NO_COLOR", "1"));
    wait_until(LIMIT, "it is drawn", || screens(&watch).iter().any(|one| one.contains("Ctrl-C ends")));
    let drawn = screens(&watch).swap_remove(0);
    let lines: Vec<&str> = drawn.lines().collect();
    let first =
        "OVERDUE CRITICAL - 8 down (down0, down1, down2 and 5 more), 4 late (late0, late1, late2 and 1 more)";
    assert!(drawn.starts_with(first), "{drawn:?}");
    assert_eq!(lines.len(), 10, "{lines:#?}");
    assert!(lines[3].starts_with("down    down0") && lines[8].starts_with("… and 1200"), "{lines:#?}");
    end(&home);
    let asked: Vec<String> = stand_in.received().into_iter().map(|one| one.path).collect();
    let expected = ["summary", "heartbeats?limit=10&status=down", "heartbeats?limit=3&status=late"]
        .map(|path| format!("/api/v1/{path}"));
    assert_eq!(asked[..3], expected, "and of the 12,000 that are up none");
}

#[test]
fn a_watch_outlives_the_daemon_and_sees_it_come_back() {
    let daemon = Daemon::start(CONFIG);
    let home = daemon.home.clone();
    let mut watch = Process::spawn(on_terminal(&home, "--watch db", 24, 100).env("NO_COLOR", "1"));
    let seen = |watch: &Process, what: &str| screens(watch).last().is_some_and(|one| one.contains(what));
    wait_until(LIMIT, "it is drawn", || seen(&watch, "OVERDUE OK - db is new"));
    daemon.stop();
    wait_until(LIMIT, "the daemon is missed", || seen(&watch, "OVERDUE UNKNOWN - cannot ask"));
    let _daemon = Daemon::start_in(&home);
    wait_until(LIMIT, "the daemon is back", || seen(&watch, "OVERDUE OK - db is new"));
    end(&home);
    assert_eq!(watch.wait(LIMIT), Some(0), "{}", watch.stdout());
}

#[test]
fn a_watch_into_a_pipe_prints_again_and_ends_with_its_reader() {
    let daemon = Daemon::start(CONFIG);
    let url = daemon.home.url();
    let mut asks = Process::spawn(&mut daemon.home.command(&["status", "--url", &url, "--watch"]));
    wait_until(LIMIT, "it printed twice", || asks.stdout().matches("OVERDUE OK - 2 new | ").count() == 2);
    assert!(asks.stdout().contains("\n\nOVERDUE OK"), "{}", asks.stdout());
    assert!(!asks.stdout().contains('\x1b'), "{}", asks.stdout());
    asks.signal(Signal::INT);
    assert_eq!(asks.wait(LIMIT), Some(0));

    let piped = format!("{OVERDUE:?} status --url {url} --watch | head -1");
    let ended = crate::harness::run(&mut command("sh", &["-c", &piped]), LIMIT);
    assert!(ended.stdout.starts_with("OVERDUE OK"), "{ended:?}");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}
