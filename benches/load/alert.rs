//! How long an alert takes to leave, as a receiver on the same machine sees it: after the deadline of a heartbeat that was
//! not pinged (arrival minus `opened_at`), and after a `fail` ping (from before its connection is made to the alert's
//! arrival); first of an idle daemon, then of one that takes as many pings as it can.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::client::free_port;
use crate::driver::Beside;
use crate::pings::{FEW, FSYNC};
use crate::receiver::{Arrival, receive, wall};
use crate::subject::{Subject, head, uuid};
use crate::told::{at_most, plain, rank};

/// Heartbeats that are pinged one after the other; the last ping comes before the first deadline.
const STAGGERED: usize = 20;
/// Between two of them: long enough for the daemon to be idle again.
const STAGGER: Duration = Duration::from_millis(45);
/// Samples of each.
const SAMPLES: usize = 200;
/// How long an alert is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Connections that ping as often as they can.
const CONNECTIONS: usize = 256;

pub(crate) fn alert(_: Duration) {
    let (hook, arrivals) = receive();
    let port = free_port();
    let subject = Subject::with(port, &config(port, hook), FEW);
    println!("{SAMPLES} of each, milliseconds");
    // First, since later the silent ones miss a period every second.
    report("after a fail ping, idle", after_a_fail_ping(port, &arrivals), None);
    report("after its deadline, idle", after_the_deadline(port, &arrivals), Some(10.0));
    let beside = Beside::start(subject.server, CONNECTIONS, Duration::ZERO, &subject.targets);
    report("after its deadline, under full load", after_the_deadline(port, &arrivals), Some(50.0));
    let pings = beside.end();
    let span = pings[pings.len() - 1].asked - pings[0].asked;
    plain("  of so many pings a second", pings.len() as f64 / span.as_secs_f64(), "/s");
}

fn report(what: &str, mut spent: Vec<f64>, aim: Option<f64>) {
    spent.sort_by(f64::total_cmp);
    plain(&format!("{what}, in the middle"), rank(&spent, 50.0), "ms");
    match aim {
        Some(aim) => at_most("  p99", rank(&spent, 99.0), aim, "ms"),
        None => plain("  p99", rank(&spent, 99.0), "ms"),
    }
    plain("  the slowest", rank(&spent, 100.0), "ms");
}

/// Each heartbeat is pinged once and then not again: its deadline is a second later. A resolve ends a round.
fn after_the_deadline(port: u16, arrivals: &Receiver<Arrival>) -> Vec<f64> {
    let mut spent = Vec::new();
    while spent.len() < SAMPLES {
        for beat in 0..STAGGERED {
            ping(port, FEW + 1 + beat, "");
            thread::sleep(STAGGER);
        }
        let mut opened = 0;
        while opened < STAGGERED {
            let arrival = arrivals.recv_timeout(PATIENCE).unwrap();
            let payload: Value = serde_json::from_slice(&arrival.body).unwrap();
            if payload["type"] == "incident.opened" {
                let deadline: jiff::Timestamp =
                    payload["data"]["incident"]["opened_at"].as_str().unwrap().parse().unwrap();
                spent.push(arrival.wall - deadline.as_millisecond() as f64);
                opened += 1;
            }
        }
    }
    spent
}

fn after_a_fail_ping(port: u16, arrivals: &Receiver<Arrival>) -> Vec<f64> {
    let arrival = |event_type: &str| loop {
        let arrival = arrivals.recv_timeout(PATIENCE).unwrap();
        let payload: Value = serde_json::from_slice(&arrival.body).unwrap();
        if payload["data"]["heartbeat"]["slug"] == "failing" && payload["type"] == event_type {
            return arrival.wall;
        }
    };
    (0..SAMPLES)
        .map(|_| {
            let before = wall();
            ping(port, FEW, "/fail");
            let spent = arrival("incident.opened") - before;
            ping(port, FEW, "");
            arrival("incident.resolved");
            spent
        })
        .collect()
}

fn config(port: u16, hook: u16) -> String {
    let mut config = head(port, FSYNC);
    config = config.replace("[\"log\"]", "[\"here\"]\ngrace = \"0s\"\nawait_first_ping = true");
    write!(config, "[channels.here]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{hook}/\"\n").unwrap();
    let names = (0..FEW).map(|beat| (format!("beat-{beat}"), "1d")).chain([("failing".to_owned(), "1d")]);
    let silent = (0..STAGGERED).map(|beat| (format!("silent-{beat}"), "1s"));
    for (beat, (slug, interval)) in names.chain(silent).enumerate() {
        write!(config, "[heartbeats.{slug}]\ninterval = \"{interval}\"\nuuid = \"{}\"\n", uuid(beat))
            .unwrap();
    }
    config
}

/// As `curl` does: a connection of its own.
fn ping(port: u16, beat: usize, what: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    let request =
        format!("GET /ping/{}{what} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", uuid(beat));
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
