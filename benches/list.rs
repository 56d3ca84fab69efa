//! What a long list costs those who ping: 100,000 heartbeats are paged through, again and again, while pings
//! come at a steady rate over four connections. Every pass must give each slug once, in order. Runs the built
//! daemon, fsync, on the same cores. `cargo bench --bench list`; a number after `--` is the seconds of each
//! scenario.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the clock")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::client::{Client, free_port};

mod client;
mod daemon;

const HEARTBEATS: usize = 100_000;
const CONNECTIONS: usize = 4;
/// Pings a second, of all connections together.
const RATE: u32 = 200;
/// What no ping may take.
const BOUND_MS: f64 = 50.0;
const PING_KEY: &str = "a-key-of-this-benchmark-alone";

/// A page, of which only the order matters here.
#[derive(Deserialize)]
struct Page {
    heartbeats: Vec<Heartbeat>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Heartbeat {
    slug: String,
}

#[derive(Default)]
struct Listing {
    pages: usize,
    passes: usize,
    slowest_ms: f64,
}

fn main() {
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(20);
    let span = Duration::from_secs(seconds);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let port = free_port();
    let _daemon = daemon::start(folder.path(), port, &config(port));
    // The first pings find cold caches and an empty journal, which is not what is measured.
    ping_for(port, Duration::from_secs(2));

    println!("milliseconds of a ping, {RATE} a second to {HEARTBEATS} heartbeats, one process, fsync");
    println!(
        "{:<24} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>10}",
        "", "pings", "p50", "p99", "max", "over 50", "passes", "pages/s", "page max"
    );
    let scenarios = [
        ("nobody lists", None),
        ("limit=1000", Some(("limit=1000", HEARTBEATS))),
        ("limit=100", Some(("limit=100", HEARTBEATS))),
        ("limit=1000, q=zzz", Some(("limit=1000&q=zzz", 0))),
    ];
    for (name, wanted) in scenarios {
        let over = Arc::new(AtomicBool::new(false));
        let reader = wanted.map(|(query, found)| {
            let over = Arc::clone(&over);
            thread::spawn(move || list_until(port, query, found, &over))
        });
        let spent = ping_for(port, span);
        over.store(true, Ordering::Relaxed);
        let listing = reader.map(|reader| reader.join().unwrap()).unwrap_or_default();
        report(name, spent, &listing, span);
    }
}

fn report(name: &str, mut spent: Vec<f64>, listing: &Listing, span: Duration) {
    spent.sort_by(f64::total_cmp);
    let rank = |of_hundred: usize| spent[(spent.len() * of_hundred).div_ceil(100).max(1) - 1];
    let over = spent.iter().filter(|ms| **ms > BOUND_MS).count();
    let (p50, p99, max) = (rank(50), rank(99), rank(100));
    let pages = listing.pages as f64 / span.as_secs_f64();
    println!(
        "{name:<24} {:>8} {p50:>8.2} {p99:>8.2} {max:>8.2} {over:>8} {:>8} {pages:>8.1} {:>10.1}",
        spent.len(),
        listing.passes,
        listing.slowest_ms,
    );
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}

/// Pings at the rate from all connections for this long, and gives back what each took.
fn ping_for(port: u16, span: Duration) -> Vec<f64> {
    let began = Instant::now();
    let pingers: Vec<_> = (0..CONNECTIONS)
        .map(|connection| thread::spawn(move || ping_from(port, connection, began, span)))
        .collect();
    pingers.into_iter().flat_map(|pinger| pinger.join().unwrap()).collect()
}

fn ping_from(port: u16, connection: usize, began: Instant, span: Duration) -> Vec<f64> {
    let mut client = Client::connect(port);
    let every = Duration::from_secs(1) / RATE;
    let mut spent = Vec::new();
    for turn in (connection..).step_by(CONNECTIONS) {
        let due = began + every * turn as u32;
        if due >= began + span {
            break;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // A prime, so that neighbours in time are not neighbours in the list.
        let beat = turn * 7_919 % HEARTBEATS;
        let asked = Instant::now();
        client.get(&format!("/ping/{PING_KEY}/{}", slug(beat)));
        spent.push(millis(asked));
    }
    spent
}

/// Pages through the whole list, pass after pass, until it is over. A pass that is cut short does not count.
fn list_until(port: u16, query: &str, found: usize, over: &AtomicBool) -> Listing {
    let mut client = Client::connect(port);
    let mut listing = Listing::default();
    loop {
        let (mut seen, mut cursor) = (0, String::new());
        loop {
            if over.load(Ordering::Relaxed) {
                return listing;
            }
            let asked = Instant::now();
            let body = client.get(&format!("/api/v1/heartbeats?{query}{cursor}"));
            listing.slowest_ms = listing.slowest_ms.max(millis(asked));
            listing.pages += 1;
            let page: Page = serde_json::from_slice(&body).unwrap();
            for heartbeat in page.heartbeats {
                assert_eq!(heartbeat.slug, slug(seen), "each slug once, in order");
                seen += 1;
            }
            let Some(next) = page.next_cursor else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, found, "each slug once");
        listing.passes += 1;
    }
}

fn slug(beat: usize) -> String {
    format!("beat-{beat:06}")
}

fn config(port: u16) -> String {
    let mut config = format!("[server]\nlisten = \"127.0.0.1:{port}\"\nping_key = \"{PING_KEY}\"\n");
    for beat in 0..HEARTBEATS {
        writeln!(config, "[heartbeats.{}]\ninterval = \"1d\"\ntags = [\"t{}\"]", slug(beat), beat % 10)
            .unwrap();
    }
    config
}
