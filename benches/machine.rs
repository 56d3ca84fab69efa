//! What a decision on a ping costs: nanoseconds of `Machine::handle` for a success ping, with few heartbeats and with a
//! million, over all of which the pings are spread. The first round is told apart, since it finds heartbeats without
//! history. `cargo bench --bench machine`; with `-- short` a hundred thousand stand for the million.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the clock")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::hint::black_box;
use std::time::Instant;

use overdue::model::time::Span;

use crate::sample::{Lot, START, machine, pings};

mod sample;

/// Rounds of which the best counts: what else runs on the machine only ever adds.
const ROUNDS: usize = 5;
const AIM_NS: f64 = 1_000.0;

fn main() {
    let short = std::env::args().any(|argument| argument == "short");
    let (many, rounds) = if short { (100_000, 2) } else { (1_000_000, ROUNDS) };
    println!("ns for each ping: the first of a heartbeat, then the best of {rounds} rounds");
    println!("{:<24} {:>8} {:>8} {:>8}", "heartbeats", "first", "later", "aim");
    for heartbeats in [10, many] {
        let mut machine = machine(heartbeats);
        let (mut lot, mut from) = (Lot::new(), START);
        let count = heartbeats.max(100_000);
        let mut round = || {
            from = from + Span::from_secs(60);
            let pings = pings(&mut lot, from, count, heartbeats);
            let began = Instant::now();
            for (now, ping) in pings {
                black_box(machine.handle(ping, now));
            }
            began.elapsed().as_nanos() as f64 / count as f64
        };
        let first = round();
        let later = (0..rounds).map(|_| round()).fold(f64::INFINITY, f64::min);
        let verdict = if later <= AIM_NS { "reached" } else { "MISSED" };
        println!("{heartbeats:<24} {first:>8.0} {later:>8.0} {AIM_NS:>8.0}  {verdict}");
    }
}
