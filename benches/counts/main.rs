//! How many instructions a decision on a ping takes, and a record on its way to the journal and back, as callgrind counts
//! them: unlike time, that is the same on a busy machine. One that takes a tenth more than `recorded.txt` says is an error.
//!
//! `cargo bench --profile dev --config tests/optimized.toml --bench counts`, which is how `tests/run` builds the program;
//! with `-- record` what is counted is recorded, as it must be after a change that is worth its cost, or when a new
//! compiler counts otherwise. Needs valgrind.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it runs another program")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::fmt::Write as _;
use std::process::{Command, ExitCode};

use crate::measured::MEASURED;

mod measured;
#[path = "../sample/mod.rs"]
mod sample;

/// What is to be measured, for the process that callgrind watches.
const WANTED: &str = "OVERDUE_BENCH_COUNTED";
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/counts/recorded.txt");
/// How much more than the recorded number is too much, in percent.
const BOUND: u64 = 10;

fn main() -> ExitCode {
    if let Ok(wanted) = std::env::var(WANTED) {
        let (_, _, measure) = MEASURED.iter().find(|(name, ..)| *name == wanted).unwrap();
        measure();
        return ExitCode::SUCCESS;
    }
    if !cfg!(debug_assertions) {
        eprintln!(
            "what is recorded holds for another build: \
             cargo bench --profile dev --config tests/optimized.toml --bench counts"
        );
        return ExitCode::from(64);
    }
    let counted: Vec<(&str, u64)> =
        MEASURED.iter().map(|(name, times, _)| (*name, count(name) / times)).collect();
    if std::env::args().any(|argument| argument == "record") {
        let mut text = String::new();
        for (name, count) in &counted {
            writeln!(text, "{count:>8} {name}").unwrap();
        }
        std::fs::write(RECORDED, &text).unwrap();
        print!("{text}");
        return ExitCode::SUCCESS;
    }
    compare(&counted)
}

/// Instructions of what is measured, alone.
fn count(name: &str) -> u64 {
    let valgrind = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*::counted_*"])
        .arg(std::env::current_exe().unwrap())
        .env(WANTED, name)
        .output()
        .expect("valgrind is there");
    let said = String::from_utf8_lossy(&valgrind.stderr);
    assert!(valgrind.status.success(), "{name}: {said}");
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    let count = collected.and_then(|(_, count)| count.trim().parse().ok());
    count.filter(|count| *count > 0).unwrap_or_else(|| panic!("{name}: nothing was counted: {said}"))
}

fn compare(counted: &[(&str, u64)]) -> ExitCode {
    let recorded = std::fs::read_to_string(RECORDED).unwrap();
    let recorded = |name: &str| {
        let line = recorded.lines().find_map(|line| line.trim().strip_suffix(name));
        line.and_then(|count| count.trim().parse::<u64>().ok())
    };
    let mut good = true;
    println!("{:<24} {:>12} {:>12} {:>8}", "instructions", "counted", "recorded", "change");
    for (name, count) in counted {
        let Some(recorded) = recorded(name) else {
            println!("{name:<24} {count:>12} {:>12}  NOT RECORDED", "");
            good = false;
            continue;
        };
        let change = (*count as f64 / recorded as f64 - 1.0) * 100.0;
        let verdict = if count * 100 <= recorded * (100 + BOUND) { "good" } else { "TOO MANY" };
        good &= verdict == "good";
        println!("{name:<24} {count:>12} {recorded:>12} {change:>7.1}%  {verdict}");
    }
    if good {
        return ExitCode::SUCCESS;
    }
    println!(
        "more than {BOUND} % over what is recorded. Find the cost (callgrind_annotate); if it is worth it, record it: \
         cargo bench --profile dev --config tests/optimized.toml --bench counts -- record"
    );
    ExitCode::FAILURE
}
