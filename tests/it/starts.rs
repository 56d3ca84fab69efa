//! A start is a reload too: what a config lacks that was cut short while the daemon was away.

use std::fmt::Write as _;

use rustix::process::Signal;

use crate::harness::{Daemon, Home, LIMIT, wait_until};

fn config(jobs: usize) -> String {
    let mut text = String::new();
    for n in 0..jobs {
        writeln!(text, "[heartbeats.job-{n}]\ninterval = \"24h\"\nchannels = [\"log\"]").unwrap();
    }
    text
}

#[test]
fn a_config_that_was_cut_short_while_the_daemon_was_away_is_held_back_at_the_start() {
    let home = Home::new(&config(6));
    let daemon = Daemon::start_in(&home);
    let uuid = daemon.uuid("job-5");
    assert_eq!(daemon.stop(), 0);

    home.configure(&config(1));
    let daemon = Daemon::start_in(&home);
    daemon.ping(&uuid, "");
    let ready = daemon.get("/readyz");
    assert_eq!(ready.status, 200, "the old heartbeats are watched");
    assert_eq!(ready.json()["config"]["ok"], false);
    assert!(ready.text().contains("removes 5 of 6 heartbeats"), "{}", ready.text());
    assert!(daemon.stderr().contains("SIGHUP"), "the log says how to confirm it");

    daemon.signal(Signal::HUP);
    wait_until(LIMIT, "it is confirmed", || daemon.get("/readyz").json()["config"]["ok"] == true);
    assert_eq!(daemon.get(&format!("/ping/{uuid}")).status, 404);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_config_that_lost_a_few_heartbeats_while_the_daemon_was_away_applies_at_the_start() {
    let home = Home::new(&config(6));
    let daemon = Daemon::start_in(&home);
    let uuid = daemon.uuid("job-5");
    assert_eq!(daemon.stop(), 0);

    home.configure(&config(4));
    let daemon = Daemon::start_in(&home);
    assert_eq!(daemon.get(&format!("/ping/{uuid}")).status, 404);
    assert_eq!(daemon.get("/readyz").json()["config"]["ok"], true);
    assert_eq!(daemon.stop(), 0);
}
