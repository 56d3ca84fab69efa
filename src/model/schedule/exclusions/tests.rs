//! Exclusions beside a filter that reads them in the plainest way.

use jiff::civil::Weekday;
use proptest::prelude::*;

use super::*;
use crate::model::schedule::{Occurrences, Timing};

fn time(text: &str) -> Timestamp {
    Timestamp::from_jiff(text.parse().unwrap())
}

fn occurrences(timing: &Timing, zone: &str, exclude: &[&str]) -> Result<Occurrences, ScheduleError> {
    timing.compile(zone, &Expressions::new(exclude.iter().copied()), &Zones::bundled())
}

fn cron(expression: &str) -> Timing {
    Timing::Cron(Expressions::one(expression))
}

fn on_calendar(expression: &str) -> Timing {
    Timing::OnCalendar(Expressions::one(expression))
}

fn hours(hours: i64) -> Timing {
    Timing::Interval(Span::from_secs(hours * 3_600))
}

/// The occurrences after `from`, in UTC.
fn after(timing: &Timing, zone: &str, exclude: &[&str], from: &str, n: usize) -> Vec<String> {
    let found = occurrences(timing, zone, exclude).unwrap();
    let found = std::iter::successors(Some(time(from)), |t| found.next_after(*t)).skip(1);
    found.take(n).map(|t| t.to_jiff().strftime("%a %m-%d %H:%M:%S%.f").to_string()).collect()
}

#[test]
fn due_moves_to_what_is_left() {
    let daily = || cron("0 2 * * *");
    for (timing, exclude, from, left) in [
        (daily(), &["Sat,Sun"][..], "2026-11-20T02:00:00Z", ["Mon 11-23 02:00:00", "Tue 11-24 02:00:00"]),
        (
            daily(),
            &["2026-12-25", "2026-12-26"],
            "2026-12-24T02:00:00Z",
            ["Sun 12-27 02:00:00", "Mon 12-28 02:00:00"],
        ),
        (
            daily(),
            &["2026-12-24..2026-12-31"],
            "2026-12-23T02:00:00Z",
            ["Fri 01-01 02:00:00", "Sat 01-02 02:00:00"],
        ),
        (daily(), &["*-*~01"], "2026-11-29T02:00:00Z", ["Tue 12-01 02:00:00", "Wed 12-02 02:00:00"]),
        (
            daily(),
            &["monthly", "*-*-2"],
            "2026-11-30T02:00:00Z",
            ["Thu 12-03 02:00:00", "Fri 12-04 02:00:00"],
        ),
        (
            cron("30 * * * *"),
            &["22..23:*"],
            "2026-11-30T21:00:00Z",
            ["Mon 11-30 21:30:00", "Tue 12-01 00:30:00"],
        ),
        (
            on_calendar("*:*:0/20"),
            &["*:*:20"],
            "2026-11-30T21:00:00Z",
            ["Mon 11-30 21:00:40", "Mon 11-30 21:01:00"],
        ),
        (
            on_calendar("*:*:0/0.5"),
            &["*:*:0..58"],
            "2026-11-30T21:00:00Z",
            ["Mon 11-30 21:00:59", "Mon 11-30 21:00:59.5"],
        ),
        (
            on_calendar("*:*:0/0.5"),
            &["*:*:0.5..59.5"],
            "2026-11-30T21:00:00Z",
            ["Mon 11-30 21:00:01", "Mon 11-30 21:00:02"],
        ),
        (hours(24), &["Sat,Sun"], "2026-11-20T10:00:00Z", ["Mon 11-23 10:00:00", "Tue 11-24 10:00:00"]),
        (hours(36), &["2026-11-22"], "2026-11-20T20:00:00Z", ["Mon 11-23 20:00:00", "Wed 11-25 08:00:00"]),
    ] {
        assert_eq!(after(&timing, "UTC", exclude, from, 2), left, "{exclude:?}");
    }
}

#[test]
fn a_day_is_one_of_the_entrys_zone() {
    let hourly = || cron("0 * * * *");
    let from = "2026-12-24T12:00:00Z";
    assert_eq!(
        after(&hourly(), "Asia/Tokyo", &["2026-12-25"], "2026-12-24T14:00:00Z", 1),
        ["Fri 12-25 15:00:00"]
    );
    assert_eq!(
        after(&hourly(), "UTC", &["2026-12-25 Asia/Tokyo"], "2026-12-24T14:00:00Z", 1),
        ["Fri 12-25 15:00:00"]
    );
    let range = ["2026-12-24..2026-12-25 Asia/Tokyo", "2026-12-25 UTC"];
    assert_eq!(after(&hourly(), "UTC", &range, from, 1), ["Sat 12-26 00:00:00"]);
}

/// A day on which the clock goes back, and one that begins at one in the morning.
#[test]
fn a_day_ends_when_its_last_hour_does() {
    let minutely = || cron("* * * * *");
    assert_eq!(
        after(&minutely(), "Europe/Berlin", &["2026-10-25"], "2026-10-24T21:59:00Z", 1),
        ["Sun 10-25 23:00:00"]
    );
    assert_eq!(
        after(&minutely(), "America/Sao_Paulo", &["2018-11-04"], "2018-11-04T02:59:00Z", 1),
        ["Mon 11-05 02:00:00"]
    );
    assert_eq!(
        after(&minutely(), "America/Sao_Paulo", &["2018-02-17"], "2018-02-17T01:59:00Z", 1),
        ["Sun 02-18 03:00:00"]
    );
}

#[test]
fn exclusions_that_leave_nothing_are_refused() {
    for (timing, exclude) in [
        (cron("0 2 * * *"), &["*-*-*"][..]),
        (cron("* * * * *"), &["*:0/2", "*:1/2"]),
        (cron("0 2 * * *"), &["2:0"]),
        (cron("0 2 * * Sat"), &["Sat,Sun"]),
        (on_calendar("2026-12-25 10:00"), &["2026-12-25"]),
        (hours(1), &["minutely"]),
        (hours(1), &["0..11:*", "12..23:*"]),
    ] {
        let compiled = occurrences(&timing, "UTC", exclude);
        assert_eq!(compiled.map(|_| ()), Err(ScheduleError::AllExcluded), "{exclude:?}");
    }
}

/// Each multiple of a day from one at night is at night.
#[test]
fn an_interval_never_falls_silent() {
    let nightly = after(&hours(24), "UTC", &["0..5:*"], "2026-11-20T01:00:00Z", 1);
    assert_eq!(nightly, ["Sat 11-21 06:00:00"]);
}

#[test]
fn mistakes_name_the_entry() {
    for (entry, message) in [
        (
            "25.12.",
            "\"25.12.\" cannot be excluded: \"25.12.\" is neither a date like *-*-1 nor a time like 2:00",
        ),
        ("*-02-30", "\"*-02-30\" cannot be excluded: this names no time that ever comes"),
        ("2026-12-26..2026-12-24", "\"2026-12-26..2026-12-24\" cannot be excluded: the range runs backwards"),
        (
            "2026-12-24..2026-12-26 Mars",
            "\"2026-12-24..2026-12-26 Mars\" cannot be excluded: there is no time zone \"Mars\"",
        ),
    ] {
        let error = occurrences(&cron("0 2 * * *"), "UTC", &["2026-01-01", entry]).unwrap_err();
        assert_eq!(error, ScheduleError::Exclusion(message.to_owned()), "{entry}");
    }
}

/// A past holiday stays in the list.
#[test]
fn what_is_past_may_be_excluded() {
    assert!(occurrences(&cron("0 2 * * *"), "UTC", &["2019-12-25", "2018-12-24..2018-12-26"]).is_ok());
}

#[test]
fn ten_years_of_seconds_are_gone_over_at_once() {
    let every_second = || Timing::Interval(Span::from_secs(1));
    let left = after(&every_second(), "UTC", &["2026-01-01..2035-12-31"], "2026-05-05T05:05:05.5Z", 1);
    assert_eq!(left, ["Tue 01-01 00:00:00.5"]);
}

/// Each multiple of a day lies in the hour that is excluded.
#[test]
fn an_interval_that_always_meets_an_exclusion_is_given_up_soon() {
    let daily = occurrences(&hours(24), "UTC", &["05:*"]).unwrap();
    let mut due = None;
    let cost = counted::of(&counted::COST, || due = daily.next_after(time("2026-11-20T05:30:00Z")));
    assert_eq!(due, Some(time("2026-11-21T06:00:00Z")));
    let look = u64::from(daily.exclusions.cost());
    assert!(cost <= 410 * look, "{} looks", cost / look);
}

/// Its next time that is left is 5,000 days away: it is asked again long before.
#[test]
fn a_calendar_that_is_excluded_for_years_is_neither_silent_nor_slow() {
    let years = occurrences(&cron("0 2 * * *"), "UTC", &["2026..2039-*-* 2:*"]).unwrap();
    let mut due = None;
    let cost = counted::of(&counted::COST, || due = years.next_after(time("2026-11-20T05:30:00Z")));
    assert!(due > Some(time("2029-01-01T00:00:00Z")), "{due:?}");
    assert!(cost <= 1_001 * u64::from(years.exclusions.cost()), "{cost}");
    assert_eq!(years.next_after(time("2039-11-20T05:30:00Z")), Some(time("2040-01-01T02:00:00Z")));
}

#[test]
fn a_thousand_exclusions_that_leave_nothing_are_refused_soon() {
    let minutes: Vec<String> = (0..999).map(|n| format!("*:{}{}", "0".repeat(n / 60), n % 60)).collect();
    let crons: Vec<String> = (0..100).map(|n| format!("{} {} * * *", n % 60, n / 60)).collect();
    let [minutes, crons] = [minutes, crons].map(Expressions::new);
    let cost = counted::of(&counted::COST, || {
        let compiled = Timing::Cron(crons).compile("UTC", &minutes, &Zones::bundled());
        assert_eq!(compiled.map(|_| ()), Err(ScheduleError::AllExcluded));
    });
    assert!(cost < 25_000_000, "{cost}");
}

#[test]
fn one_expression_that_is_left_is_enough() {
    let crons: Vec<String> = (0..60).map(|n| format!("{n} * * * *")).collect();
    let cost = counted::of(&counted::COST, || {
        let compiled = Timing::Cron(Expressions::new(crons)).compile(
            "UTC",
            &Expressions::one("*:30"),
            &Zones::bundled(),
        );
        assert!(compiled.is_ok());
    });
    assert!(cost < 100, "{cost}");
}

#[test]
fn steps_of_a_millisecond_are_whole_seconds() {
    let every_second = || cron("* * * * * *");
    for seconds in ["0..58/0.000001", "0..57/0.001,58", "0..30/0.001,31..58/0.0001"] {
        let cost = counted::of(&counted::COST, || {
            let left = after(&every_second(), "UTC", &[&format!("*:*:{seconds}")], "2026-11-20T05:30:00Z", 2);
            assert_eq!(left, ["Fri 11-20 05:30:59", "Fri 11-20 05:31:59"], "{seconds}");
        });
        assert!(cost < 1_000, "{cost}");
    }
    for all in ["*:*:0/0.000001", "*:*:0/0.0005 Europe/Berlin", "*-*-* *:*:0..59/0.001"] {
        let compiled = occurrences(&every_second(), "UTC", &[all]);
        assert_eq!(compiled.map(|_| ()), Err(ScheduleError::AllExcluded), "{all}");
    }
    assert!(occurrences(&on_calendar("*:*:0/0.5"), "UTC", &["*:*:0..58/0.001,59.5"]).is_ok());
    let half = after(&on_calendar("*:*:0/0.5"), "UTC", &["*:*:0.5/1"], "2026-11-20T05:30:00Z", 1);
    assert_eq!(half, ["Fri 11-20 05:30:01"]);
}

#[test]
fn a_list_is_read_once_for_all_schedules_and_checked_without_a_look() {
    let (zones, mut known) = (Zones::bundled(), Excluded::default());
    let list = Expressions::new((0..100).map(|n| format!("{}-12-24", 2026 + n)));
    let read = counted::of(&counted::READ, || {
        for minute in 0..60 {
            let timing = cron(&format!("{minute} * * * *"));
            assert!(timing.compile_with("UTC", &list, &zones, &mut known).is_ok());
        }
    });
    assert_eq!(read, 100);
    known.forget_unused();
    assert!(known.0.is_empty());
    let cost = counted::of(&counted::COST, || assert_eq!(check("*:*:0/0.000001", &zones), Ok(())));
    assert_eq!(cost, 0);
}

/// An entry as text and as what it excludes.
type Plain = (&'static str, fn(DateTime) -> bool);

const ENTRIES: [Plain; 12] = [
    ("Sat,Sun", |local| matches!(local.weekday(), Weekday::Saturday | Weekday::Sunday)),
    ("2026-10-25", |local| local.date() == Date::constant(2026, 10, 25)),
    ("2026-03-27..2026-03-29", |local| {
        (Date::constant(2026, 3, 27)..=Date::constant(2026, 3, 29)).contains(&local.date())
    }),
    ("*-*~1", |local| local.day() == local.date().days_in_month()),
    ("Mon *-*-1..7", |local| local.weekday() == Weekday::Monday && local.day() <= 7),
    ("22..23:*", |local| local.hour() >= 22),
    ("2:*", |local| local.hour() == 2),
    ("*:0/7", |local| local.minute() % 7 == 0),
    ("Tue 8..17:30..59", |local| {
        local.weekday() == Weekday::Tuesday && (8..=17).contains(&local.hour()) && local.minute() >= 30
    }),
    ("*:*:30..45", |local| (30..=45).contains(&local.second())),
    ("*:5:0/2", |local| local.minute() == 5 && local.second() % 2 == 0),
    ("hourly", |local| local.minute() == 0),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn agrees_with_a_filter(
        timing in prop::sample::select(vec![
            cron("*/10 * * * *"), cron("0 2 * * *"), on_calendar("*:*:0/7"), on_calendar("Mon..Fri 9..18:15"), hours(1), hours(7),
        ]),
        entries in prop::collection::vec(prop::sample::select(&ENTRIES[..]), 1..4),
        zone in prop::sample::select(&["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/New_York"][..]),
        change in prop::sample::select(&["2026-03-28T00:00:00Z", "2026-10-24T12:00:00Z", "2026-07-31T00:00:00Z"][..]),
        after in 0..172_800_i64,
    ) {
        let texts: Vec<&str> = entries.iter().map(|(text, _)| *text).collect();
        let without = occurrences(&timing, zone, &[]).unwrap();
        let with = occurrences(&timing, zone, &texts);
        let from = time(change) + Span::from_secs(after);
        let is_left = |t: &Timestamp| {
            let local = without.zone().to_datetime(t.to_jiff());
            !entries.iter().any(|(_, excludes)| excludes(local))
        };
        let walk = std::iter::successors(without.next_after(from), |t| without.next_after(*t));
        // An interval gives up sooner.
        let steps = if timing.interval().is_some() { 400 } else { 20_000 };
        let wanted = walk.take(steps).find(is_left);
        if let Ok(with) = with {
            prop_assert!(wanted.is_none() || with.next_after(from) == wanted, "{:?} {:?}", wanted, texts);
        } else {
            prop_assert_eq!(wanted, None);
        }
    }
}
