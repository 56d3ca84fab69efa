//! What the next occurrence costs: nanoseconds of `next_after` for common expressions in several zones, and its
//! ratio to croner's `find_next_occurrence` for the same expression and zone. `cargo bench --bench schedule`; a
//! number after `--` is the number of questions for each expression.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the clock")]
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use overdue::model::schedule::expressions::Expressions;
use overdue::model::schedule::{Timing, Zones};
use overdue::model::time::Timestamp;

/// Rounds of which the best counts: what else runs on the machine only ever adds.
const ROUNDS: usize = 5;
/// What it must stay below for common expressions.
const AIM_NS: f64 = 2_000.0;
const ZONES: [&str; 3] = ["UTC", "Europe/Berlin", "America/New_York"];
const CRON: [&str; 9] = [
    "* * * * *",
    "*/15 * * * *",
    "5 */2 * * *",
    "30 2 * * *",
    "0 9-17 * * 1-5",
    "0 2 1 * *",
    "0 2 1 * 1",
    "0 2 L * *",
    "*/10 * * * * *",
];
const LISTS: [&[&str]; 2] = [&["30 2 * * 1-5", "0 4 * * 6,0"], &["0 6 * * *", "0 12 * * *", "0 18 * * *"]];
const CALENDARS: [&str; 5] = ["hourly", "*-*-* 02:30:00", "Mon..Fri 09..17:00", "*-*~01 04:00", "*:0/15"];

/// Instants over ten years, 2026 to 2035, in no order.
fn instants(n: usize) -> Vec<Timestamp> {
    let (start, years) = (1_767_225_600_000_i64, 315_360_000_000_i64);
    let golden = 0x9e37_79b9_7f4a_7c15_u64;
    let draw = |i: usize| ((i as u64).wrapping_mul(golden) >> 1).cast_signed() % years;
    (0..n).map(|i| Timestamp::from_millis(start + draw(i))).collect()
}

fn best<T>(of: &[T], mut ask: impl FnMut(&T)) -> f64 {
    let round = |_| {
        let began = Instant::now();
        of.iter().for_each(&mut ask);
        began.elapsed().as_nanos() as f64 / of.len().max(1) as f64
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

/// Nanoseconds for one answer; `None` when the timing cannot be read.
fn ours(timing: &Timing, zone: &str, instants: &[Timestamp]) -> Option<f64> {
    let occurrences = timing.compile(zone, &Expressions::default(), &Zones::bundled()).ok()?;
    Some(best(instants, |t| {
        black_box(occurrences.next_after(black_box(*t)));
    }))
}

fn croner(expression: &str, zone: &str, instants: &[Timestamp]) -> f64 {
    use croner::parser::{CronParser, Seconds};
    let reader = CronParser::builder().seconds(Seconds::Optional).build();
    let cron = reader.parse(expression).expect("it is a cron expression");
    let zone = Zones::bundled().find(zone).expect("it is a zone");
    let instants: Vec<_> = instants.iter().map(|t| t.to_jiff().to_zoned(zone.clone())).collect();
    best(&instants, |t| {
        black_box(cron.find_next_occurrence(black_box(t), false).is_ok());
    })
}

fn main() {
    let n = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(20_000);
    let (instants, few) = (instants(n), instants(n / 20));
    println!("{n} questions over ten years, best of {ROUNDS} rounds, ns for each");
    println!("{:<44} {:<18} {:>8} {:>10} {:>7}", "", "", "overdue", "croner", "ratio");
    let mut slowest = 0.0_f64;
    let mut row = |timing: Timing, zone: &str, reference: Option<f64>| {
        let Some(ns) = ours(&timing, zone, &instants) else {
            println!("{:<44} {zone:<18} cannot be read", timing.to_string());
            return;
        };
        slowest = slowest.max(ns);
        let beside =
            reference.map(|ref_ns| format!("{ref_ns:>10.0} {:>7.3}", ns / ref_ns)).unwrap_or_default();
        println!("{:<44} {zone:<18} {ns:>8.0} {beside}", timing.to_string());
    };
    for zone in ZONES {
        for expression in CRON {
            let reference = croner(expression, zone, &few);
            row(Timing::Cron(Expressions::one(expression)), zone, Some(reference));
        }
        for list in LISTS {
            row(Timing::Cron(Expressions::new(list.iter().copied())), zone, None);
        }
        for expression in CALENDARS {
            row(Timing::OnCalendar(Expressions::one(expression)), zone, None);
        }
    }
    println!("the slowest takes {slowest:.0} ns; the aim is less than {AIM_NS:.0}");
}
