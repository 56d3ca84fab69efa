//! A million heartbeats, declared in the config file: what their pings cost beside those of ten, how much memory they take,
//! how long the daemon takes to come back after a crash, and whether a snapshot delays a ping.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::driver::{Answer, Beside, drive};
use crate::pings::{FEW, FSYNC, headings, turns};
use crate::subject::{Subject, journal_bytes};
use crate::told::{at_most, plain, rank};

const MANY: usize = 1_000_000;
/// A snapshot is written again and again.
const SNAPSHOTS: &str = "durability = \"fsync\"\nsnapshot_interval = \"5s\"";
/// How long snapshots are looked at.
const WATCHED: Duration = Duration::from_secs(40);
/// Before the file of a snapshot appears, and after it has its name.
const AROUND: Duration = Duration::from_millis(50);
/// How often each of so many connections pings meanwhile.
const EVERY: Duration = Duration::from_millis(10);
const CONNECTIONS: usize = 16;

pub(crate) fn many(span: Duration) {
    let many = Subject::start(SNAPSHOTS, MANY);
    plain("from exec to ready, declared for the first time", many.daemon.ready_after.as_secs_f64(), "s");
    until_written(&many.state());
    let (now, most) = many.daemon.resident();
    at_most("resident, never pinged", now, 600.0, "MB");
    plain("resident at the most until then", most, "MB");

    snapshots(&many);

    let journal = journal_bytes(&many.state()) as f64 / 1e6;
    let many = many.crash_and_start();
    at_most("from exec to ready after a crash", many.daemon.ready_after.as_secs_f64(), 5.0, "s");
    plain("  with a journal of", journal, "MB");
    let snapshot = std::fs::metadata(many.state().join("snapshot.json")).unwrap().len() as f64 / 1e6;
    plain("  and a snapshot of", snapshot, "MB");
    let (now, most) = many.daemon.resident();
    plain("resident after that, most of them never pinged", now, "MB");
    plain("resident at the most until then", most, "MB");

    let few = Subject::start(FSYNC, FEW);
    headings(span);
    let row = turns(
        || drive(many.server, 256, &many.targets, &[], span),
        || drive(few.server, 256, &few.targets, &[], span),
    );
    row.print("1,000,000 heartbeats beside 10", 0.85);
    plain("resident after these pings", many.daemon.resident().0, "MB");
}

/// Waits until the first snapshot holds them all.
fn until_written(state: &Path) {
    while !state.join("snapshot.json").exists() {
        thread::sleep(Duration::from_millis(100));
    }
}

/// Pings while snapshots are written and while none is.
fn snapshots(many: &Subject) {
    let over = AtomicBool::new(false);
    let (answers, windows) = thread::scope(|scope| {
        let watching = scope.spawn(|| windows(&many.state(), &over));
        let beside = Beside::start(many.server, CONNECTIONS, EVERY, &many.targets);
        thread::sleep(WATCHED);
        let answers = beside.end();
        over.store(true, Ordering::Relaxed);
        (answers, watching.join().unwrap())
    });
    let meets = |answer: &Answer| {
        let answered = answer.asked + Duration::from_micros(answer.took_us.into());
        windows.iter().any(|(from, to)| answered + AROUND >= *from && answer.asked <= *to + AROUND)
    };
    let (during, without): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(meets);
    let spent: f64 = windows.iter().map(|(from, to)| (*to - *from).as_secs_f64()).sum();
    plain("snapshots written beside pings", windows.len() as f64, "");
    plain("  each in", spent / windows.len() as f64, "s");
    let sorted = |answers: Vec<Answer>| {
        let mut spent: Vec<f64> = answers.into_iter().map(Answer::ms).collect();
        spent.sort_unstable_by(f64::total_cmp);
        spent
    };
    let (during, without) = (sorted(during), sorted(without));
    for (what, spent) in [("while one is written", &during), ("while none is", &without)] {
        plain(&format!("{} pings {what}, p99", spent.len()), rank(spent, 99.0), "ms");
        plain("  the slowest", rank(spent, 100.0), "ms");
    }
    let delay = (rank(&during, 99.9) - rank(&without, 50.0)).max(0.0);
    at_most("what a snapshot adds to the middle ping, p99.9", delay, 10.0, "ms");
}

/// From when to when a snapshot was being written.
fn windows(state: &Path, over: &AtomicBool) -> Vec<(Instant, Instant)> {
    let mut windows = Vec::new();
    let mut began = None;
    while !over.load(Ordering::Relaxed) {
        let writing = state.join("snapshot.tmp").exists();
        match (began, writing) {
            (None, true) => began = Some(Instant::now()),
            (Some(from), false) => {
                windows.push((from, Instant::now()));
                began = None;
            }
            _ => {}
        }
        thread::sleep(Duration::from_millis(2));
    }
    windows
}
