//! From the rename of the config file to in force, as `/readyz` tells it: a file in which every heartbeat has another grace,
//! and one in which a single one has. Pings go on beside it.

use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{Client, free_port};
use crate::driver::{Answer, Beside};
use crate::pings::FSYNC;
use crate::subject::{Subject, head, uuid};
use crate::told::{at_most, plain, rank};

/// Reloads of each size, of which the middle one is told.
const TURNS: usize = 5;
const CONNECTIONS: usize = 16;
/// How often each of them pings.
const EVERY: Duration = Duration::from_millis(10);
/// Before and after a reload.
const PAUSE: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn reload(_: Duration) {
    for (heartbeats, aim_ms) in [(10_000, 300.0), (100_000, 3_000.0)] {
        let port = free_port();
        let subject = Subject::with(port, &config(port, heartbeats, 0, 0), heartbeats);
        for (what, all) in [("one", 1), ("all", heartbeats)] {
            let reloads: Vec<Reloaded> =
                (1..=TURNS).map(|turn| reload_once(&subject, port, heartbeats, all, turn)).collect();
            let of = |value: fn(&Reloaded) -> f64| {
                let mut values: Vec<f64> = reloads.iter().map(value).collect();
                values.sort_by(f64::total_cmp);
                values[TURNS / 2]
            };
            let name = format!("{heartbeats} heartbeats, {what} changed: in force after");
            at_most(&name, of(|reload| reload.took), aim_ms, "ms");
            let slowest = of(|reload| reload.slowest);
            match heartbeats {
                10_000 => at_most("  the slowest ping from the rename on", slowest, 20.0, "ms"),
                _ => plain("  the slowest ping from the rename on", slowest, "ms"),
            }
            plain("  the slowest ping before", of(|reload| reload.before), "ms");
        }
        plain("resident", subject.daemon.resident().0, "MB");
    }
}

/// Milliseconds.
struct Reloaded {
    took: f64,
    slowest: f64,
    before: f64,
}

/// With another grace for so many heartbeats.
fn reload_once(subject: &Subject, port: u16, heartbeats: usize, changed: usize, turn: usize) -> Reloaded {
    let next = subject.folder.path().join("next.toml");
    std::fs::write(&next, config(port, heartbeats, changed, turn)).unwrap();
    let mut client = Client::connect(port);
    let before = loaded_at(&mut client);
    let beside = Beside::start(subject.server, CONNECTIONS, EVERY, &subject.targets);
    thread::sleep(PAUSE);
    let renamed = Instant::now();
    std::fs::rename(&next, subject.config()).unwrap();
    while loaded_at(&mut client) == before {
        assert!(renamed.elapsed() < LIMIT, "it is not in force");
        thread::sleep(Duration::from_millis(1));
    }
    let took = renamed.elapsed().as_secs_f64() * 1_000.0;
    // What it leaves to do counts too.
    thread::sleep(PAUSE);
    let answers = beside.end();
    let slowest = |since: bool| {
        let mut spent: Vec<f64> = answers
            .iter()
            .filter(|answer| {
                let over = answer.asked + Duration::from_micros(answer.took_us.into()) >= renamed;
                over == since
            })
            .map(|answer: &Answer| answer.ms())
            .collect();
        spent.sort_by(f64::total_cmp);
        rank(&spent, 100.0)
    };
    Reloaded { took, slowest: slowest(true), before: slowest(false) }
}

fn loaded_at(client: &mut Client) -> String {
    let ready: Value = serde_json::from_slice(&client.get("/readyz")).unwrap();
    assert_eq!(ready["config"]["ok"], true, "{ready}");
    ready["config"]["loaded_at"].as_str().unwrap().to_owned()
}

fn config(port: u16, heartbeats: usize, changed: usize, turn: usize) -> String {
    let mut config = head(port, FSYNC);
    for beat in 0..heartbeats {
        let grace = if beat < changed { 60 + turn } else { 60 };
        let uuid = uuid(beat);
        writeln!(
            config,
            "[heartbeats.beat-{beat}]\ninterval = \"1d\"\ngrace = \"{grace}m\"\nuuid = \"{uuid}\""
        )
        .unwrap();
    }
    config
}
