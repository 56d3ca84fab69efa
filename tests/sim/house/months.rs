//! Many months, each by its seed, on all cores. One that fails says how it is run alone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::house::month::month;
use crate::house::seen::Seen;

/// Seeds that failed once.
const REGRESSIONS: [u64; 5] = [133, 1350, 2705, 4390, 9872];

/// Says how to run a month alone that panics.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "month {0} failed: OVERDUE_SIM_SEED={0} cargo test --test sim one_month -- --nocapture",
                self.0
            );
        }
    }
}

/// How long a month may take that takes some hundredths of a second; on a busy machine, built without optimisation.
const PATIENCE: Duration = Duration::from_secs(120);

/// Says which month does not come to its end, and ends all: nobody would ever know which it was. Lasts until what it
/// gives is dropped.
fn watched(seed: u64) -> mpsc::Sender<()> {
    let (lives, ends) = mpsc::channel();
    std::thread::spawn(move || {
        if ends.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!(
                "month {seed} has not ended after {PATIENCE:?}: OVERDUE_SIM_ALOUD=1 OVERDUE_SIM_SEED={seed} \
                 cargo test --test sim one_month -- --nocapture"
            );
            std::process::abort();
        }
    });
    lives
}

fn named(seed: u64) -> (Seen, u64) {
    let (named, _watched) = (Named(seed), watched(seed));
    let outcome = month(seed, std::env::var_os("OVERDUE_SIM_ALOUD").is_some());
    drop(named);
    outcome
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Months of these seeds, on all cores.
fn many(seeds: std::ops::Range<u64>) -> Seen {
    let next = AtomicU64::new(seeds.start);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let work = || {
        let mut seen = Seen::default();
        loop {
            let month = next.fetch_add(1, Ordering::Relaxed);
            if month >= seeds.end {
                return seen;
            }
            seen.add(&named(month).0);
        }
    };
    std::thread::scope(|scope| {
        let working: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut seen = Seen::default();
        for thread in working {
            match thread.join() {
                Ok(more) => seen.add(&more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        seen
    })
}

fn live(months: u64) {
    let (began, first) = (Instant::now(), number("OVERDUE_SIM_FIRST").unwrap_or_default());
    let seen = many(first..first + months);
    println!("{months} months in {} s, nothing lost: {seen}", began.elapsed().as_secs());
    let deaths = seen.count("power cuts") + seen.count("kills");
    assert!(deaths > months, "{deaths} deaths in {months} months");
    if months >= 1_000 {
        assert!(seen.lacks().is_empty(), "the months were too calm: there were no {:?}", seen.lacks());
    }
}

/// As many as the environment says. Without optimisation each takes some tenths of a second, so a few hundred then.
#[test]
fn ten_thousand_months() {
    live(number("OVERDUE_SIM_MONTHS").unwrap_or(300));
}

#[test]
#[ignore = "it takes hours"]
fn a_million_months() {
    live(1_000_000);
}

/// The month that the environment names; one of many without.
#[test]
fn one_month() {
    let (seen, digest) = named(number("OVERDUE_SIM_SEED").unwrap_or(1));
    println!("{digest:016x}: {seen}");
}

#[test]
fn months_that_failed_once_go_well() {
    for seed in REGRESSIONS {
        named(seed);
    }
}

#[test]
fn a_month_is_the_same_each_time() {
    for seed in 0..8 {
        assert_eq!(named(seed).1, named(seed).1, "month {seed}");
    }
}
