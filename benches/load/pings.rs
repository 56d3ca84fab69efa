//! How many pings a second, beside a route that answers `OK` and does nothing else: the same server library, the same
//! kind of runtime, the same client, on the same cores, turn by turn in one run. Each turn is short and there are
//! several; what is printed is the middle one.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::bare::Bare;
use crate::driver::{Driven, drive};
use crate::subject::Subject;

/// Turns of each; an odd number has a middle.
const TURNS: usize = 5;
pub(crate) const FEW: usize = 10;
const BODY: usize = 10_000;

/// What the state says when a ping is to be on the disk.
pub(crate) const FSYNC: &str = "durability = \"fsync\"";

pub(crate) fn headings(span: Duration) {
    println!(
        "{TURNS} turns of {} s each, client and server on the same cores; milliseconds, and \
         microseconds of a core that the server spends on each",
        span.as_secs()
    );
    println!(
        "{:<34} {:>9} {:>9} {:>6} {:>6}  {:<8} {:>7} {:>7} {:>7} {:>7}",
        "", "pings/s", "bare/s", "ratio", "aim", "", "p99", "bare", "us/ping", "bare"
    );
}

pub(crate) fn fsync(span: Duration) {
    headings(span);
    let (bare, subject) = (Bare::start(), Subject::start(FSYNC, FEW));
    let sync = median_fsync(subject.folder.path());
    println!("a write of 4 KB and its fsync in the same folder: {:.2} in the middle", sync * 1_000.0);
    for (connections, aim) in [(256_usize, 0.85_f64), (32, 0.75)] {
        let row = compare(&bare, &subject, connections, &[], span);
        let name = format!("fsync, {connections} connections");
        row.print(&name, aim.min(connections as f64 / sync / row.bare.rate));
    }
}

pub(crate) fn relaxed(span: Duration) {
    headings(span);
    let (bare, subject) = (Bare::start(), Subject::start("durability = \"relaxed\"", FEW));
    for connections in [256, 32] {
        let row = compare(&bare, &subject, connections, &[], span);
        row.print(&format!("relaxed, {connections} connections"), 0.9);
    }
}

pub(crate) fn body(span: Duration) {
    headings(span);
    let (bare, subject) = (Bare::start(), Subject::start(FSYNC, FEW));
    let row = compare(&bare, &subject, 256, &[b'x'; BODY], span);
    row.print("fsync, 256 connections, 10 KB", 0.6);
}

/// The middle turn of both.
pub(crate) struct Row {
    ours: Driven,
    bare: Driven,
    ratio: f64,
}

impl Row {
    pub(crate) fn print(&self, name: &str, aim: f64) {
        let verdict = if self.ratio >= aim { "reached" } else { "MISSED" };
        let Self { ours, bare, ratio } = self;
        println!(
            "{name:<34} {:>9.0} {:>9.0} {ratio:>6.2} {aim:>6.2}  {verdict:<8} {:>7.2} {:>7.2} {:>7.1} {:>7.1}",
            ours.rate, bare.rate, ours.p99_ms, bare.p99_ms, ours.cpu_us, bare.cpu_us
        );
    }
}

fn compare(bare: &Bare, subject: &Subject, connections: usize, body: &[u8], span: Duration) -> Row {
    turns(
        || drive(subject.server, connections, &subject.targets, body, span),
        || drive(bare.server, connections, &subject.targets, body, span),
    )
}

/// Turn by turn; the turn whose ratio is in the middle.
pub(crate) fn turns(mut ours: impl FnMut() -> Driven, mut bare: impl FnMut() -> Driven) -> Row {
    let mut rows: Vec<Row> = (0..TURNS)
        .map(|_| {
            let (bare, ours) = (bare(), ours());
            Row { ratio: ours.rate / bare.rate, ours, bare }
        })
        .collect();
    rows.sort_by(|one, other| one.ratio.total_cmp(&other.ratio));
    rows.swap_remove(TURNS / 2)
}

/// What this disk takes for a small write that is sure, in seconds: the middle of many.
fn median_fsync(folder: &Path) -> f64 {
    let mut file = File::create(folder.join("probe")).unwrap();
    let mut spent: Vec<f64> = (0..200)
        .map(|_| {
            let began = Instant::now();
            file.write_all(&[b'x'; 4_096]).unwrap();
            file.sync_data().unwrap();
            began.elapsed().as_secs_f64()
        })
        .collect();
    spent.sort_by(f64::total_cmp);
    spent[spent.len() / 2]
}
