//! What the timer wheel costs beside a sorted set of (instant, id): nanoseconds for each operation and
//! their ratio. `cargo bench --bench wheel`; a number after `--` is the number of timers, `short` means one round.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the clock")]
#![allow(clippy::print_stdout)]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Instant;

use overdue::machine::wheel::Wheel;
use overdue::model::time::{Span, Timestamp};

/// Rounds of which the best counts: what else runs on the machine only ever adds.
const ROUNDS: usize = 5;
const OPERATIONS: [&str; 4] = ["arm", "arm again", "disarm", "pop"];
/// What none of them may take.
const AIM_NS: f64 = 100.0;

/// The reference: the set, and the instant of each id, without which nothing could be moved.
struct Sorted {
    set: BTreeSet<(Timestamp, u32)>,
    at: Vec<Option<Timestamp>>,
}

trait Timers {
    fn arm(&mut self, id: u32, at: Timestamp);
    fn disarm(&mut self, id: u32);
    fn pop_due(&mut self, now: Timestamp) -> Option<u32>;
    fn next_due(&self) -> Option<Timestamp>;
}

impl Timers for Sorted {
    fn arm(&mut self, id: u32, at: Timestamp) {
        let index = id as usize;
        if index >= self.at.len() {
            self.at.resize(index + 1, None);
        }
        if let Some(before) = self.at[index].replace(at) {
            self.set.remove(&(before, id));
        }
        self.set.insert((at, id));
    }

    fn disarm(&mut self, id: u32) {
        if let Some(before) = self.at.get_mut(id as usize).and_then(Option::take) {
            self.set.remove(&(before, id));
        }
    }

    fn pop_due(&mut self, now: Timestamp) -> Option<u32> {
        let (_, id) = *self.set.first().filter(|(at, _)| *at <= now)?;
        self.disarm(id);
        Some(id)
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.set.first().map(|(at, _)| *at)
    }
}

impl Timers for Wheel {
    fn arm(&mut self, id: u32, at: Timestamp) {
        Wheel::arm(self, id, at);
    }

    fn disarm(&mut self, id: u32) {
        Wheel::disarm(self, id);
    }

    fn pop_due(&mut self, now: Timestamp) -> Option<u32> {
        Wheel::pop_due(self, now)
    }

    fn next_due(&self) -> Option<Timestamp> {
        Wheel::next_due(self)
    }
}

/// The same numbers in every run.
struct Lot(u64);

impl Lot {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Nanoseconds of each operation.
fn round<T: Timers>(mut timers: T, n: u32, start: Timestamp) -> [f64; 4] {
    let day = 86_400_000;
    let mut lot = Lot(0x9e37_79b9_7f4a_7c15);
    let first: Vec<Timestamp> =
        (0..n).map(|_| start + Span::from_millis(lot.below(day).cast_signed())).collect();
    // Pings come in the order of no deadline, and move each by about its interval.
    let moved: Vec<(u32, Timestamp)> = (0..n)
        .map(|_| (lot.below(u64::from(n)) as u32, Span::from_millis(lot.below(day).cast_signed())))
        .map(|(id, by)| (id, first[id as usize] + by))
        .collect();
    let gone: Vec<u32> = (0..n / 2).map(|_| lot.below(u64::from(n)) as u32).collect();

    let mut spent = [0.0; 4];
    let began = Instant::now();
    for (id, at) in first.iter().enumerate() {
        timers.arm(id as u32, *at);
    }
    spent[0] = per(began, first.len());
    let began = Instant::now();
    for (id, at) in &moved {
        timers.arm(*id, *at);
        black_box(timers.next_due());
    }
    spent[1] = per(began, moved.len());
    let began = Instant::now();
    for id in &gone {
        timers.disarm(*id);
    }
    spent[2] = per(began, gone.len());
    let began = Instant::now();
    let mut popped = 0;
    while let Some(due) = timers.next_due() {
        while let Some(id) = timers.pop_due(due) {
            black_box(id);
            popped += 1;
        }
    }
    spent[3] = per(began, popped);
    spent
}

fn per(began: Instant, operations: usize) -> f64 {
    began.elapsed().as_nanos() as f64 / operations.max(1) as f64
}

fn best(rounds: usize, mut run: impl FnMut() -> [f64; 4]) -> [f64; 4] {
    let mut best = [f64::INFINITY; 4];
    for _ in 0..rounds {
        for (best, spent) in best.iter_mut().zip(run()) {
            *best = best.min(spent);
        }
    }
    best
}

fn main() {
    let n = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let rounds = if std::env::args().any(|argument| argument == "short") { 1 } else { ROUNDS };
    let start = Timestamp::from_millis(1_795_316_400_000);
    let wheel = best(rounds, || round(Wheel::new(start), n, start));
    let sorted = best(rounds, || round(Sorted { set: BTreeSet::new(), at: Vec::new() }, n, start));
    println!("{n} timers over a day, best of {rounds} rounds, ns for each operation");
    println!("{:<10} {:>8} {:>10} {:>8} {:>8}", "", "wheel", "BTreeSet", "ratio", "aim");
    for (name, (wheel, sorted)) in OPERATIONS.iter().zip(wheel.iter().zip(sorted)) {
        let verdict = if *wheel <= AIM_NS { "reached" } else { "MISSED" };
        let ratio = wheel / sorted;
        println!("{name:<10} {wheel:>8.0} {sorted:>10.0} {ratio:>8.2} {AIM_NS:>8.0}  {verdict}");
    }
}
