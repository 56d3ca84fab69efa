//! What a crash and a restart must not lose: pings that were answered, alerts that were due, their order
//! and their ids. And what they must not make: false alarms.

use std::fmt::Write as _;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::deaths::{Death, Deaths};
use crate::harness::{Daemon, Home, LIMIT, wait_for};
use crate::ledger::{Enough, Ledger, PING_KEY, ping, pings_in_snapshot};
use crate::receiver::{Received, Receiver, Reply};

/// Threads that ping without a pause, each its own heartbeat.
const BUSY: usize = 3;
/// Heartbeats that fail and recover in turn, without a pause.
const FAILING: usize = 2;
/// Heartbeats that stay silent until they are down, and then ping.
const SILENT: usize = 2;
/// Heartbeats that nobody pings: they make starts, reloads and snapshots long enough to be killed within.
const IDLE: usize = 300;

/// The config of the heartbeats that nobody pings; another one for each `edition`.
fn idle(edition: usize) -> String {
    (0..IDLE).map(|i| format!("[heartbeats.idle-{i}]\ninterval = \"{}d\"\n", 30 + edition % 7)).collect()
}

/// Under load, killed at any moment from its exec on, a hundred times and more; every tenth round asks it to stop instead.
#[test]
fn a_hundred_kills_lose_no_answered_ping_and_no_alert() {
    let rounds = std::env::var("OVERDUE_KILL_ROUNDS").map_or(112, |n| n.parse::<usize>().unwrap());
    let receiver = Receiver::start();
    let mut config = format!(
        "[server]\nping_key = \"{PING_KEY}\"\n[state]\nkeep_runs = 10000\nsnapshot_interval = \"1s\"\n{}\
         [defaults]\nchannels = [\"hook\"]\n",
        receiver.channel("hook")
    );
    let names = |kind: &str, n: usize| (0..n).map(|i| format!("{kind}-{i}")).collect::<Vec<_>>();
    // So many that none has more pings in the end than are kept.
    let busy = BUSY + rounds / 100;
    let (busy, failing, silent) = (names("busy", busy), names("failing", FAILING), names("silent", SILENT));
    for slug in busy.iter().chain(&failing) {
        writeln!(config, "[heartbeats.{slug}]\ninterval = \"7d\"").unwrap();
    }
    for slug in &silent {
        writeln!(config, "[heartbeats.{slug}]\ninterval = \"1s\"\ngrace = \"0s\"").unwrap();
    }
    let home = Home::new(&(config.clone() + &idle(0)));
    let ledger = Arc::new(Ledger::default());
    ledger.listen(&receiver);
    let mut deaths = Deaths::default();

    let daemon = thread::scope(|scope| {
        let (ledger, port) = (&ledger, home.port);
        for slug in &busy {
            scope.spawn(move || ledger.work(port, slug));
        }
        for slug in &failing {
            scope.spawn(move || ledger.fail(port, slug));
        }
        for slug in &silent {
            scope.spawn(move || ledger.be_silent(port, slug));
        }
        // Whatever fails below, the jobs must end, or the test would not.
        let _end = Enough(ledger);
        for round in 0..rounds {
            let death = Death::of_round(round);
            if death == Death::WithinAReload {
                deaths.kill_within_a_reload(&home, &(config.clone() + &idle(round)), ledger);
            } else {
                deaths.die(death, &home, ledger);
            }
            // What it sent last may lie unread for longer than the next life needs to send it again, and more
            // after it: the order of the lives is what counts.
            receiver.until_quiet();
        }
        // The jobs end in its presence, so that each knows how its last ping went.
        Daemon::start_in(&home)
    });

    ledger.wait_until_told();
    assert_eq!(daemon.stop(), 0);
    ledger.check_pings(&home);
    ledger.check_alerts();
    println!("{rounds} rounds: {}; {}", deaths.told(), ledger.told());
    deaths.check(rounds);

    let after = pings_in_snapshot(&home);
    let daemon = Daemon::start_in(&home);
    let ended = daemon.stop_and_tell();
    assert_eq!(ended.code, 0);
    let warned: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("journal")).collect();
    assert!(warned.is_empty(), "a clean state gives no reason to warn: {warned:?}");
    assert_eq!(pings_in_snapshot(&home), after, "one more restart changes nothing");
}

/// Three hundred jobs that ran all the while, and one that is over: only that one alerts.
#[test]
fn a_restart_makes_no_storm_of_false_alarms_and_forgets_nobody() {
    let receiver = Receiver::start();
    let mut config = format!(
        "[server]\nping_key = \"{PING_KEY}\"\n{}[defaults]\nchannels = [\"hook\"]\ngrace = \"1s\"\n",
        receiver.channel("hook")
    );
    let slugs: Vec<String> = (0..300).map(|i| format!("job-{i}")).collect();
    for slug in &slugs {
        writeln!(config, "[heartbeats.{slug}]\ninterval = \"8s\"").unwrap();
    }
    config += "[heartbeats.over]\ninterval = \"4s\"\n";
    let home = Home::new(&config);
    let port = home.port;
    let ping_all = || {
        thread::scope(|scope| {
            for some in slugs.chunks(50) {
                scope.spawn(move || some.iter().for_each(|slug| assert!(ping(port, slug, ""), "{slug}")));
            }
        });
    };
    let daemon = Daemon::start_in(&home);
    ping_all();
    assert!(ping(port, "over", ""));
    assert_eq!(daemon.stop(), 0);
    // Longer than interval and grace of each: what passes here is the time itself.
    thread::sleep(Duration::from_millis(9_500));

    let daemon = Daemon::start_in(&home);
    ping_all();
    let alert = receiver.wait_for_alert("incident.opened", "over").json();
    let incident = &alert["data"]["incident"];
    assert_eq!(incident["cause"], "missed");
    assert_eq!(incident["maybe_unheard"], true, "{incident}");
    assert_eq!(incident["blind"].as_array().unwrap().last().unwrap()["why"], "not running", "{incident}");
    // By now every deadline that was blind has settled, or was met by a ping.
    let list = daemon.get("/api/v1/heartbeats?limit=1000").json();
    let heartbeats = list["heartbeats"].as_array().unwrap();
    assert_eq!(heartbeats.len(), 301);
    for heartbeat in heartbeats.iter().filter(|heartbeat| heartbeat["slug"] != "over") {
        assert_eq!(heartbeat["incident"], Value::Null, "{heartbeat}");
        assert_eq!(heartbeat["consecutive_failures"], 0, "{heartbeat}");
    }
    let told: Vec<String> = receiver.received().iter().map(Received::slug).collect();
    assert_eq!(told, ["over"]);
    println!("{} jobs that ran while it did not: 1 alert, of the one that was over", slugs.len());
}

/// Its receiver was down, then overdue; both come back.
#[test]
fn an_alert_that_waits_survives_a_restart_and_keeps_its_id() {
    let receiver = Receiver::start();
    receiver.reply(Reply::Status(503));
    let home = Home::new(&format!(
        "[server]\nping_key = \"{PING_KEY}\"\n{}[heartbeats.a]\ninterval = \"1d\"\nchannels = [\"hook\"]\n",
        receiver.channel("hook")
    ));
    let daemon = Daemon::start_in(&home);
    assert!(ping(home.port, "a/fail", "no space left"));
    receiver.wait_for(1);
    daemon.kill_9();
    let tried = receiver.received().len();
    let daemon = Daemon::start_in(&home);
    receiver.wait_for(tried + 1);
    assert_eq!(daemon.stop(), 0);

    receiver.reply(Reply::Status(200));
    let tried = receiver.received().len();
    let daemon = Daemon::start_in(&home);
    let received = receiver.wait_for(tried + 1);
    let first = &received[0];
    assert_eq!(first.json()["data"]["heartbeat"]["last_body"], "no space left");
    for again in &received {
        assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
        assert_eq!(again.body, first.body, "the body is fixed when the alert is queued");
    }
    // It is done with: the next start does not send it again.
    assert!(ping(home.port, "a", ""));
    let done = receiver.wait_for_alert("incident.resolved", "a");
    assert_eq!(daemon.stop(), 0);
    let daemon = Daemon::start_in(&home);
    assert!(ping(home.port, "a/fail", ""));
    let last = wait_for(LIMIT, "the second incident", || {
        receiver
            .received()
            .pop()
            .filter(|l| l.kind() == "incident.opened" && l.header("webhook-id") != first.header("webhook-id"))
    });
    let order: Vec<_> =
        receiver.received()[tried..].iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!(order, [first, &done, &last].map(|one| one.header("webhook-id").to_owned()));
    drop(daemon);
}
