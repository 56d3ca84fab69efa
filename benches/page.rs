//! How long the first byte of a page takes with 10,000 heartbeats, while pings come: for each address the first
//! page that a person would look at, and the worst that can be asked for. Runs the built daemon, fsync, on the same
//! cores. `cargo bench --bench page`; a number after `--` is how often each address is asked.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the clock")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::client::{Client, free_port};

mod client;
mod daemon;

const HEARTBEATS: usize = 10_000;
/// Runs of each, before it begins: as many as a strip shows.
const RUNS: usize = 30;
/// Between two pings meanwhile.
const PING_EVERY: Duration = Duration::from_millis(5);
const AIM_MS: f64 = 50.0;
const PING_KEY: &str = "a-key-of-this-benchmark-alone";

const ADDRESSES: [&str; 11] = [
    "/",
    "/?sort=-ping",
    "/?sort=name",
    "/?group=host",
    "/?group=tag",
    "/?q=beat-00",
    "/?q=nothing-has-this",
    "/?tag=t7&status=up",
    "/?sort=name&group=tag&page=100",
    "/heartbeats/beat-00042",
    "/incidents",
];

fn main() {
    let times = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(100_usize);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let port = free_port();
    let _daemon = daemon::start(folder.path(), port, &config(port));
    let pings: Vec<_> = (0..8).map(|from| thread::spawn(move || have_a_past(port, from))).collect();
    for ping in pings {
        ping.join().unwrap();
    }

    let over = Arc::new(AtomicBool::new(false));
    let pinging = {
        let over = Arc::clone(&over);
        thread::spawn(move || ping_until(port, &over))
    };
    println!(
        "milliseconds to the first byte, {HEARTBEATS} heartbeats with {RUNS} runs each, while pings come"
    );
    println!("{:<32} {:>8} {:>8} {:>8} {:>8}", "", "p50", "p99", "max", "KB");
    let mut client = Client::connect(port);
    let mut slowest = 0.0_f64;
    for address in ADDRESSES {
        slowest = slowest.max(ask(&mut client, address, times));
    }
    over.store(true, Ordering::Relaxed);
    let pinged = pinging.join().unwrap();
    let verdict = if slowest < AIM_MS { "reached" } else { "MISSED" };
    println!(
        "{pinged} pings meanwhile; the slowest p99 is {slowest:.2}, the aim less than {AIM_MS}: {verdict}"
    );
}

/// Asks for it so often, prints how that went and gives back the 99th of a hundred.
fn ask(client: &mut Client, address: &str, times: usize) -> f64 {
    let mut size = 0;
    let mut spent: Vec<f64> = (0..times)
        .map(|_| {
            let (first_byte, body) = client.get_slowly(address);
            size = body.len();
            first_byte.as_secs_f64() * 1_000.0
        })
        .collect();
    spent.sort_by(f64::total_cmp);
    let rank = |of_hundred: usize| spent[(spent.len() * of_hundred).div_ceil(100).max(1) - 1];
    let (p50, p99, max) = (rank(50), rank(99), rank(100));
    println!("{address:<32} {p50:>8.2} {p99:>8.2} {max:>8.2} {:>8}", size / 1_000);
    p99
}

/// An eighth of the heartbeats get their runs; each tenth of them ends with a failure.
fn have_a_past(port: u16, from: usize) {
    let mut client = Client::connect(port);
    for beat in (from..HEARTBEATS).step_by(8) {
        for run in 0..RUNS {
            let how = if run + 1 == RUNS && beat % 10 == 0 { "/fail" } else { "" };
            client.get(&format!("/ping/{PING_KEY}/{}{how}", slug(beat)));
        }
    }
}

fn ping_until(port: u16, over: &AtomicBool) -> usize {
    let mut client = Client::connect(port);
    let mut pings = 0;
    while !over.load(Ordering::Relaxed) {
        // A prime, so that neighbours in time are not neighbours in the list.
        client.get(&format!("/ping/{PING_KEY}/{}", slug(pings * 7_919 % HEARTBEATS)));
        pings += 1;
        thread::sleep(PING_EVERY);
    }
    pings
}

fn slug(beat: usize) -> String {
    format!("beat-{beat:05}")
}

fn config(port: u16) -> String {
    let mut config = format!("[server]\nlisten = \"127.0.0.1:{port}\"\nping_key = \"{PING_KEY}\"\n");
    for beat in 0..HEARTBEATS {
        let (slug, tag, host) = (slug(beat), beat % 10, beat % 50);
        writeln!(config, "[heartbeats.{slug}]\ninterval = \"1d\"\ntags = [\"all\", \"t{tag}\"]").unwrap();
        writeln!(config, "host = \"h{host}\"").unwrap();
    }
    config
}
