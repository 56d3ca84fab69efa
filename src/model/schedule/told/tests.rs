//! Occurrences about changes of the clock, and the notes that they must carry.

use super::*;
use crate::model::schedule::expressions::Expressions;
use crate::model::schedule::{Timing, Zones};

fn told(timing: &Timing, zone: &str, from: &str, early: Option<Span>) -> Told {
    let occurrences = timing.compile(zone, &Expressions::default(), &Zones::bundled()).unwrap();
    occurrences.told_after(Timestamp::from_jiff(from.parse().unwrap()), early).unwrap()
}

fn cron(expression: &str) -> Timing {
    Timing::Cron(Expressions::one(expression))
}

/// Expression, zone, the instant before, the local time, and the notes.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const CHANGES_OF_THE_CLOCK: &[Case] = &[
    ("30 2 * * *", "Europe/Berlin", "2026-06-01T12:00:00Z", "2026-06-02T02:30:00+02:00", &[]),
    (
        "30 2 * * *",
        "Europe/Berlin",
        "2026-03-28T12:00:00Z",
        "2026-03-29T03:00:00+02:00",
        &["02:30 does not exist on this day (clocks go from 02:00 to 03:00): it runs right after the gap"],
    ),
    (
        "0,30 2,3 * * *",
        "Europe/Berlin",
        "2026-03-28T12:00:00Z",
        "2026-03-29T03:00:00+02:00",
        &["02:00 and 02:30 do not exist on this day (clocks go from 02:00 to 03:00): they run once, right \
               after the gap"],
    ),
    ("30 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T03:30:00+02:00", &[]),
    (
        "*/30 2 * * *",
        "Europe/Berlin",
        "2026-03-28T12:00:00Z",
        "2026-03-30T02:00:00+02:00",
        &["02:00 and 02:30 do not exist on 2026-03-29: skipped"],
    ),
    (
        "* 2 * * *",
        "Europe/Berlin",
        "2026-03-28T12:00:00Z",
        "2026-03-30T02:00:00+02:00",
        &["02:00, 02:01 and 58 more do not exist on 2026-03-29: skipped"],
    ),
    ("30 * * * *", "Europe/Berlin", "2026-03-29T00:45:00Z", "2026-03-29T03:30:00+02:00", &[]),
    (
        "0 */2 * * *",
        "Europe/Berlin",
        "2026-03-29T00:45:00Z",
        "2026-03-29T04:00:00+02:00",
        &["02:00 does not exist on 2026-03-29: skipped"],
    ),
    (
        "30 2 * * *",
        "Europe/Berlin",
        "2026-10-24T12:00:00Z",
        "2026-10-25T02:30:00+02:00",
        &["02:30 comes twice on this day: the first one counts"],
    ),
    ("30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T02:30:00+02:00", &[]),
    (
        "30 * * * *",
        "Europe/Berlin",
        "2026-10-25T00:30:00Z",
        "2026-10-25T02:30:00+01:00",
        &["02:30 comes twice on this day: this is the second time"],
    ),
    (
        "15 2 * * *",
        "Australia/Lord_Howe",
        "2026-10-03T00:00:00Z",
        "2026-10-04T02:30:00+11:00",
        &["02:15 does not exist on this day (clocks go from 02:00 to 02:30): it runs right after the gap"],
    ),
    (
        "0 12 * * *",
        "Pacific/Apia",
        "2011-12-29T23:00:00Z",
        "2011-12-31T00:00:00+14:00",
        &["2011-12-30 12:00 does not exist (clocks go from 2011-12-30 00:00 to 2011-12-31 00:00): it runs \
               right after the gap"],
    ),
];

#[test]
fn a_change_of_the_clock_is_explained() {
    for (expression, zone, from, local, notes) in CHANGES_OF_THE_CLOCK {
        let told = told(&cron(expression), zone, from, None);
        assert_eq!(&told.local, local, "{expression} {zone}");
        let notes: Vec<_> = notes.iter().filter(|note| !note.starts_with("a finish")).collect();
        let said: Vec<_> = told.notes.iter().filter(|note| !note.starts_with("a finish")).collect();
        assert_eq!(said, notes, "{expression} {zone}");
    }
}

#[test]
fn several_expressions_say_a_thing_once() {
    let timing = Timing::Cron(Expressions::new(["30 2 * * *", "30 2 29 3 *", "0 4 * * *"]));
    let told = told(&timing, "Europe/Berlin", "2026-03-28T12:00:00Z", None);
    assert_eq!(told.notes.len(), 1, "{told:?}");
}

#[test]
fn from_when_on_a_finish_counts_is_said_where_it_is_not_a_minute() {
    let from = "2026-06-01T12:00:00Z";
    for (expression, early, note) in [
        ("0 2 * * *", None, None),
        ("0 2 * * *", Some(600), Some("a finish from 01:50 on counts for it")),
        ("0 2 * * *", Some(0), Some("a finish before it does not count for it")),
        ("0 0 * * *", Some(90), Some("a finish from 2026-06-01 23:58:30 on counts for it")),
        ("*/10 * * * *", None, None),
        ("*/5 * * * *", None, Some("a finish from 12:04:30 on counts for it")),
        ("* * * * * *", None, Some("a finish from 12:00:00.9 on counts for it")),
        // One finish never counts for two.
        ("0 * * * *", Some(86_400), Some("a finish from 12:00 on counts for it")),
    ] {
        let told = told(&cron(expression), "UTC", from, early.map(Span::from_secs));
        assert_eq!(told.notes, note.map(str::to_owned).as_slice(), "{expression} {early:?}");
    }
}

#[test]
fn an_interval_is_told_plainly() {
    let told =
        told(&Timing::Interval(Span::from_millis(90_500)), "Asia/Kathmandu", "2026-06-01T12:00:00Z", None);
    assert_eq!((told.local.as_str(), &told.notes[..]), ("2026-06-01T17:46:30.5+05:45", &[][..]));
}
