//! How many pings a second, beside a route that answers `OK` and does nothing else: the same server library, the same
//! kind of runtime, the same client, on the same cores, turn by turn in one run. Each turn is short and there are
//! several; what is printed is the middle one. `cargo bench --bench load`; a number after `--` is the seconds of each
//! turn, a word the scenario that is run alone.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the clock")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::bare::Bare;
use crate::client::free_port;
use crate::daemon::Daemon;
use crate::driver::{Driven, Server, drive};

mod bare;
#[path = "../client/mod.rs"]
#[allow(dead_code, reason = "its one connection is too few here")]
mod client;
#[path = "../daemon/mod.rs"]
mod daemon;
mod driver;

/// Turns of each; an odd number has a middle.
const TURNS: usize = 5;
const FEW: usize = 10;
const MANY: usize = 1_000_000;
const BODY: usize = 10_000;

fn main() {
    if bare::is_wanted() {
        return bare::serve();
    }
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(2);
    let span = Duration::from_secs(seconds);
    let only = std::env::args().skip(1).find(|argument| argument.chars().all(char::is_alphabetic));
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);

    println!(
        "{TURNS} turns of {seconds} s each, client and server on the same cores; milliseconds, and \
         microseconds of a core that the server spends on each"
    );
    println!(
        "{:<34} {:>9} {:>9} {:>6} {:>6}  {:<8} {:>7} {:>7} {:>7} {:>7}",
        "", "pings/s", "bare/s", "ratio", "aim", "", "p99", "bare", "us/ping", "bare"
    );
    let bare = Bare::start();
    if wanted("fsync") {
        let subject = Subject::start("fsync", FEW);
        let sync = median_fsync(subject.folder.path());
        println!("a write of 4 KB and its fsync in the same folder: {:.2} in the middle", sync * 1_000.0);
        for (connections, aim) in [(256_usize, 0.85_f64), (32, 0.75)] {
            let row = compare(&bare, &subject, connections, &[], span);
            let name = format!("fsync, {connections} connections");
            row.print(&name, aim.min(connections as f64 / sync / row.bare.rate));
        }
    }
    if wanted("relaxed") {
        let subject = Subject::start("relaxed", FEW);
        for connections in [256, 32] {
            let row = compare(&bare, &subject, connections, &[], span);
            row.print(&format!("relaxed, {connections} connections"), 0.9);
        }
    }
    if wanted("body") {
        let subject = Subject::start("fsync", FEW);
        let row = compare(&bare, &subject, 256, &[b'x'; BODY], span);
        row.print("fsync, 256 connections, 10 KB", 0.6);
    }
    if wanted("many") {
        let few = Subject::start("fsync", FEW);
        let many = Subject::start("fsync", MANY);
        let row = turns(
            || drive(many.server, 256, &many.targets, &[], span),
            || drive(few.server, 256, &few.targets, &[], span),
        );
        row.print("1,000,000 heartbeats beside 10", 0.85);
    }
}

/// A daemon with so many heartbeats.
struct Subject {
    folder: TempDir,
    server: Server,
    targets: Vec<String>,
    _daemon: Daemon,
}

impl Subject {
    fn start(durability: &str, heartbeats: usize) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let port = free_port();
        let mut config = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\n[state]\ndurability = \"{durability}\"\n\
             [defaults]\nchannels = [\"log\"]\n"
        );
        let uuid = |beat: usize| format!("00000000-0000-4000-8000-{beat:012x}");
        for beat in 0..heartbeats {
            writeln!(config, "[heartbeats.beat-{beat}]\ninterval = \"1d\"\nuuid = \"{}\"", uuid(beat))
                .unwrap();
        }
        let daemon = daemon::start(folder.path(), port, &config);
        let targets = (0..heartbeats).map(|beat| format!("/ping/{}", uuid(beat))).collect();
        let server = Server { port, process: daemon.process() };
        Self { folder, server, targets, _daemon: daemon }
    }
}

/// The middle turn of both.
struct Row {
    ours: Driven,
    bare: Driven,
    ratio: f64,
}

impl Row {
    fn print(&self, name: &str, aim: f64) {
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
fn turns(mut ours: impl FnMut() -> Driven, mut bare: impl FnMut() -> Driven) -> Row {
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
