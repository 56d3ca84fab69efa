//! How long an alert takes to leave, as a receiver on the same machine sees it: after the deadline of a
//! heartbeat that was not pinged (arrival minus `opened_at`), and after a `fail` ping (from before its
//! connection is made to the alert's arrival). Runs the built daemon, which is idle otherwise.
//! `cargo bench --bench alert`; a number after `--` is the number of samples of each.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the clock")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

mod daemon;

/// Heartbeats that are pinged one after the other; the last ping comes before the first deadline.
const STAGGERED: usize = 20;
/// Between two of them: long enough for the daemon to be idle again.
const STAGGER: Duration = Duration::from_millis(45);
const PING_KEY: &str = "a-key-of-this-benchmark-alone";
/// How long an alert is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// An alert, and when its head had been read: milliseconds since 1970, with their fraction.
struct Arrival {
    at: f64,
    payload: serde_json::Value,
}

fn main() {
    let samples = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(100_usize);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (hook, arrivals) = receive();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _daemon = daemon::start(folder.path(), port, &config(port, hook));

    // First, since later the silent ones miss a period every second.
    let failed = after_a_fail_ping(port, &arrivals, samples);
    let late = after_the_deadline(port, &arrivals, samples);
    println!("milliseconds until an alert reached a receiver on this machine, one idle process, fsync");
    println!("{:<24} {:>8} {:>8} {:>8} {:>8} {:>8}", "", "samples", "min", "median", "p99", "max");
    report("after the deadline", late);
    report("after a fail ping", failed);
}

fn report(what: &str, mut spent: Vec<f64>) {
    spent.sort_by(f64::total_cmp);
    let rank = |of_hundred: usize| spent[(spent.len() * of_hundred).div_ceil(100).max(1) - 1];
    let (min, median, p99, max) = (rank(0), rank(50), rank(99), rank(100));
    println!("{what:<24} {:>8} {min:>8.2} {median:>8.2} {p99:>8.2} {max:>8.2}", spent.len());
}

/// Each heartbeat is pinged once and then not again: its deadline is a second later. A resolve ends a round.
fn after_the_deadline(port: u16, arrivals: &Receiver<Arrival>, samples: usize) -> Vec<f64> {
    let mut spent = Vec::new();
    while spent.len() < samples {
        for beat in 0..STAGGERED {
            ping(port, &format!("silent-{beat}"));
            thread::sleep(STAGGER);
        }
        let mut opened = 0;
        while opened < STAGGERED {
            let Arrival { at, payload } = arrivals.recv_timeout(PATIENCE).unwrap();
            if payload["type"] == "incident.opened" {
                let deadline: jiff::Timestamp =
                    payload["data"]["incident"]["opened_at"].as_str().unwrap().parse().unwrap();
                spent.push(at - deadline.as_millisecond() as f64);
                opened += 1;
            }
        }
    }
    spent
}

fn after_a_fail_ping(port: u16, arrivals: &Receiver<Arrival>, samples: usize) -> Vec<f64> {
    let arrival = |event_type: &str| loop {
        let arrival = arrivals.recv_timeout(PATIENCE).unwrap();
        let of_this = arrival.payload["data"]["heartbeat"]["slug"] == "failing";
        if of_this && arrival.payload["type"] == event_type {
            return arrival.at;
        }
    };
    (0..samples)
        .map(|_| {
            let before = wall();
            ping(port, "failing/fail");
            let spent = arrival("incident.opened") - before;
            ping(port, "failing");
            arrival("incident.resolved");
            spent
        })
        .collect()
}

fn wall() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1_000.0
}

fn config(port: u16, hook: u16) -> String {
    let mut config = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\nping_key = \"{PING_KEY}\"\n\
         [channels.here]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{hook}/\"\n\
         [defaults]\nchannels = [\"here\"]\ngrace = \"0s\"\nawait_first_ping = true\n\
         [heartbeats.failing]\ninterval = \"1d\"\n"
    );
    for beat in 0..STAGGERED {
        writeln!(config, "[heartbeats.silent-{beat}]\ninterval = \"1s\"").unwrap();
    }
    config
}

/// As `curl` does: a connection of its own.
fn ping(port: u16, what: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    let request =
        format!("GET /ping/{PING_KEY}/{what} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A receiver that takes every alert, and its port.
fn receive() -> (u16, Receiver<Arrival>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (send, arrivals) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let send = send.clone();
            thread::spawn(move || take_alerts(stream.unwrap(), &send));
        }
    });
    (port, arrivals)
}

fn take_alerts(mut stream: TcpStream, send: &Sender<Arrival>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let at = wall();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok()?;
        send.send(Arrival { at, payload: serde_json::from_slice(&body).unwrap() }).ok()?;
    }
}
