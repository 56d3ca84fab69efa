//! Expressions beside a walk over every minute that reads them in the plainest way, and tables for the
//! days on which clocks change.

use proptest::prelude::*;

use super::*;
use crate::model::schedule::expressions::Expressions;
use crate::model::schedule::{Timing, Zones};
use crate::model::time::Span;

const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kathmandu",
];

fn cron(expression: &str, zone: &str) -> Cron {
    let zone = Zones::bundled().find(zone).unwrap();
    Cron::parse(expression, zone).unwrap_or_else(|error| panic!("{expression}: {error}"))
}

fn error(expression: &str) -> String {
    Cron::parse(expression, TimeZone::UTC).unwrap_err().to_string()
}

fn time(text: &str) -> Timestamp {
    Timestamp::from_jiff(text.parse().unwrap())
}

/// The occurrences after `from` in UTC, by month, day, hour and minute.
fn after(expression: &str, zone: &str, from: &str, n: usize) -> Vec<String> {
    let cron = cron(expression, zone);
    let occurrences = std::iter::successors(Some(time(from)), |t| cron.next_after(*t)).skip(1);
    occurrences.take(n).map(|t| t.to_jiff().strftime("%m-%d %H:%M").to_string()).collect()
}

/// A field as text and as a list of (first, last, step).
#[derive(Debug, Clone)]
struct Written {
    text: String,
    items: Vec<(u32, u32, u32)>,
}

impl Written {
    fn has(&self, value: u32) -> bool {
        self.items.iter().any(|(first, last, step)| {
            (*first..=*last).contains(&value) && (value - first).is_multiple_of(*step)
        })
    }

    fn starred(&self) -> bool {
        self.text.starts_with('*')
    }
}

fn written(low: u32, high: u32) -> impl Strategy<Value = Written> {
    let item = prop_oneof![
        3 => (low..=high).prop_map(|n| (n.to_string(), (n, n, 1))),
        1 => (low..=high, low..=high).prop_map(|(a, b)| (a.min(b), a.max(b)))
            .prop_map(|(a, b)| (format!("{a}-{b}"), (a, b, 1))),
        1 => (low..=high, low..=high, 1..9_u32).prop_map(|(a, b, by)| (a.min(b), a.max(b), by))
            .prop_map(|(a, b, by)| (format!("{a}-{b}/{by}"), (a, b, by))),
        1 => (1..12_u32).prop_map(move |by| (format!("*/{by}"), (low, high, by))),
        2 => Just(("*".to_owned(), (low, high, 1))),
    ];
    prop::collection::vec(item, 1..3).prop_map(|items| {
        let (texts, items): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        Written { text: texts.join(","), items }
    })
}

#[derive(Debug, Clone)]
struct Expression([Written; 5]);

impl Expression {
    fn text(&self) -> String {
        self.0.each_ref().map(|field| field.text.as_str()).join(" ")
    }

    fn matches(&self, local: DateTime) -> bool {
        let [minute, hour, day, month, weekday] = &self.0;
        let sunday_zero = local.weekday().to_sunday_zero_offset().unsigned_abs().into();
        let by_day = day.has(local.day().unsigned_abs().into());
        let by_weekday = weekday.has(sunday_zero) || sunday_zero == 0 && weekday.has(7);
        let both = day.starred() || weekday.starred();
        minute.has(local.minute().unsigned_abs().into())
            && hour.has(local.hour().unsigned_abs().into())
            && month.has(local.month().unsigned_abs().into())
            && if both { by_day && by_weekday } else { by_day || by_weekday }
    }

    /// The first occurrence after `from` within these minutes, by looking at each. The time that the clock
    /// showed at most so far tells the second pass of an hour, a jump of it the skipped times.
    fn first_after(&self, from: Timestamp, minutes: i64, zone: &TimeZone) -> Option<Timestamp> {
        let follows_time = self.0[0].starred() || self.0[1].starred();
        let minute = Span::from_secs(60);
        let mut t =
            Timestamp::from_millis(from.as_millis().div_euclid(60_000) * 60_000) - minute.times(2_880);
        let mut shown = zone.to_datetime(t.to_jiff());
        while t <= from + minute.times(minutes) {
            t = t + minute;
            let local = zone.to_datetime(t.to_jiff());
            let mut runs = self.matches(local);
            if !follows_time {
                runs = runs && local > shown;
                let mut skipped = shown;
                while local > skipped.saturating_add(jiff::Span::new().minutes(1)) {
                    skipped = skipped.saturating_add(jiff::Span::new().minutes(1));
                    runs = runs || self.matches(skipped);
                }
            }
            shown = shown.max(local);
            if runs && t > from {
                return Some(t);
            }
        }
        None
    }
}

fn expression() -> impl Strategy<Value = Expression> {
    (written(0, 59), written(0, 23), written(1, 31), written(1, 12), written(0, 7))
        .prop_map(|(minute, hour, day, month, weekday)| Expression([minute, hour, day, month, weekday]))
}

/// Instants of all days, and more of those about changes of the clock.
fn instant() -> impl Strategy<Value = Timestamp> {
    let changes = [
        "2026-03-29T01:00:00Z",
        "2026-10-25T01:00:00Z",
        "2026-03-08T07:00:00Z",
        "2026-11-01T06:00:00Z",
        "2026-04-04T15:00:00Z",
        "2026-10-03T15:30:00Z",
        "2026-02-15T02:00:00Z",
    ];
    prop_oneof![
        1_700_000_000_000..1_900_000_000_000_i64,
        (prop::sample::select(changes.map(time).to_vec()), -10_800_000..10_800_000_i64)
            .prop_map(|(change, by)| change.as_millis() + by),
    ]
    .prop_map(Timestamp::from_millis)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn it_agrees_with_a_look_at_every_minute(
        expression in expression(),
        from in instant(),
        zone in prop::sample::select(ZONES.to_vec()),
    ) {
        let zone = Zones::bundled().find(zone).unwrap();
        let minutes = 3 * 1_440;
        let next = match Cron::parse(&expression.text(), zone.clone()) {
            Ok(cron) => cron.next_after(from),
            Err(error) => {
                prop_assert_eq!(error, ScheduleError::Never);
                None
            }
        };
        let within = next.filter(|next| *next <= from + Span::from_secs(60 * minutes));
        prop_assert_eq!(within, expression.first_after(from, minutes, &zone), "{}", expression.text());
    }

    #[test]
    fn the_answer_is_later_and_the_same_from_any_instant_before_it(
        expression in expression(),
        from in instant(),
        zone in prop::sample::select(ZONES.to_vec()),
        part in 0.0..1.0_f64,
    ) {
        let Ok(cron) = Cron::parse(&expression.text(), Zones::bundled().find(zone).unwrap()) else {
            return Ok(());
        };
        let next = cron.next_after(from).unwrap();
        prop_assert!(next > from);
        let distance = next.since(from).as_millis();
        let between = from + Span::from_millis((distance as f64 * part) as i64).minus(Span::from_millis(1));
        prop_assert_eq!(cron.next_after(between), Some(next));
        prop_assert_eq!(cron.next_after(next - Span::from_millis(1)), Some(next));
    }

    #[test]
    fn any_text_is_answered_without_a_panic(text in "[-*/,0-9#LWa-z@ ?é]{0,20}", t in any::<i64>()) {
        for text in [text.clone(), format!("{text} * * * *"), format!("0 0 {text} * {text}")] {
            if let Ok(cron) = Cron::parse(&text, TimeZone::UTC) {
                let t = Timestamp::from_millis(t);
                prop_assert!(cron.next_after(t).is_none_or(|next| next > t));
            }
        }
    }
}

#[test]
fn both_day_fields_must_match_if_one_begins_with_a_star_else_either() {
    // Mondays with an odd day of the month: not "or", as croner alone reads it.
    let from = "2026-06-01T12:00:00Z";
    assert_eq!(after("0 0 */2 * 1", "UTC", from, 3), ["06-15 00:00", "06-29 00:00", "07-13 00:00"]);
    assert_eq!(after("0 0 1-31/2 * */3", "UTC", from, 3), ["06-03 00:00", "06-07 00:00", "06-13 00:00"]);
    assert_eq!(
        after("0 0 13 * 5", "UTC", from, 4),
        ["06-05 00:00", "06-12 00:00", "06-13 00:00", "06-19 00:00"]
    );
    assert_eq!(after("0 0 * * 5", "UTC", from, 2), ["06-05 00:00", "06-12 00:00"]);
    assert_eq!(after("0 0 13 * *", "UTC", from, 2), ["06-13 00:00", "07-13 00:00"]);
    // All days, but the star does not stand first: either, as Debian has it.
    assert_eq!(after("0 0 1-31 * 5", "UTC", from, 2), ["06-02 00:00", "06-03 00:00"]);
}

#[test]
fn names_nicknames_steps_and_sundays_are_read() {
    let from = "2026-06-01T12:00:00Z";
    for (expression, same) in [
        ("0 2 * jan-mar,Dec MON-fri", "0 2 * 1-3,12 1-5"),
        ("0 2 * * FRI-SUN", "0 2 * * 0,5,6"),
        ("0 2 * * 5-7", "0 2 * * 0,5,6"),
        ("0 2 * * 7", "0 2 * * SUN"),
        ("*/20 0-6/3 * * *", "0,20,40 0,3,6 * * *"),
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@Midnight", "@daily"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        (" @annually ", "0\t0  1 1 *"),
        ("*/90 * * * *", "0 * * * *"),
    ] {
        assert_eq!(after(expression, "UTC", from, 40), after(same, "UTC", from, 40), "{expression}");
    }
}

#[test]
fn last_nth_and_nearest_days_are_those_of_the_month() {
    let from = "2026-01-01T12:00:00Z";
    for (expression, days) in [
        ("0 0 L * *", ["01-31", "02-28", "03-31"]),
        ("0 0 LW * *", ["01-30", "02-27", "03-31"]),
        ("0 0 15W * *", ["01-15", "02-16", "03-16"]),
        ("0 0 1W * *", ["02-02", "03-02", "04-01"]),
        ("0 0 10,L * *", ["01-10", "01-31", "02-10"]),
        ("0 0 * * MON#2", ["01-12", "02-09", "03-09"]),
        ("0 0 * * 5L", ["01-30", "02-27", "03-27"]),
        ("0 0 * * 7#1,3", ["01-04", "01-07", "01-14"]),
        ("0 0 13 * FRI#1", ["01-02", "01-13", "02-06"]),
        ("0 0 */2 * sunL", ["01-25", "03-29", "05-31"]),
    ] {
        let days = days.map(|day| format!("{day} 00:00"));
        assert_eq!(after(expression, "UTC", from, 3), days, "{expression}");
    }
}

#[test]
fn rare_days_are_found_over_the_years() {
    let cron = cron("0 0 29 2 */7", "UTC");
    assert_eq!(cron.next_after(time("2026-01-01T00:00:00Z")), Some(time("2032-02-29T00:00:00Z")));
    assert_eq!(cron.next_after(time("2088-02-29T00:00:00Z")), Some(time("2128-02-29T00:00:00Z")));
    assert_eq!(cron.next_after(Timestamp::MAX), None);
    assert!(cron.next_after(Timestamp::MIN).is_some());
}

#[test]
fn a_time_in_the_spring_gap_runs_at_the_first_minute_after_it() {
    for (expression, zone, from, expected) in [
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", ["03-29 01:00", "03-30 00:30"]),
        ("0,30 2,3 29 3 *", "Europe/Berlin", "2026-03-28T12:00:00Z", ["03-29 01:00", "03-29 01:30"]),
        ("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", ["03-08 07:00", "03-09 06:30"]),
        // From 02:00 to 02:30.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", ["10-03 15:30", "10-04 15:15"]),
        // A whole day is missing.
        ("0 12 * * *", "Pacific/Apia", "2011-12-29T23:00:00Z", ["12-30 10:00", "12-30 22:00"]),
    ] {
        assert_eq!(after(expression, zone, from, 2), expected, "{expression} {zone}");
    }
}

#[test]
fn a_repeated_time_runs_once_the_first_time() {
    for (expression, zone, from, expected) in [
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", ["10-25 00:30", "10-26 01:30"]),
        ("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", ["11-01 05:30", "11-02 06:30"]),
        // From 02:00 back to 01:30.
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", ["04-04 14:45", "04-05 15:15"]),
    ] {
        assert_eq!(after(expression, zone, from, 2), expected, "{expression} {zone}");
    }
}

#[test]
fn with_a_star_it_follows_real_time() {
    let day = "2026-03-29T00:30:00Z";
    assert_eq!(after("0 * * * *", "Europe/Berlin", day, 2), ["03-29 01:00", "03-29 02:00"]);
    assert_eq!(after("*/30 2 * * *", "Europe/Berlin", day, 2), ["03-30 00:00", "03-30 00:30"]);
    let day = "2026-10-24T23:59:00Z";
    assert_eq!(after("30 */2 * * *", "Europe/Berlin", day, 3), ["10-25 00:30", "10-25 01:30", "10-25 03:30"]);
    assert_eq!(
        after("*/30 2 25 10 *", "Europe/Berlin", day, 4),
        ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30"]
    );
    let day = "2026-11-01T05:15:00Z";
    assert_eq!(after("0 * * * *", "America/New_York", day, 2), ["11-01 06:00", "11-01 07:00"]);
    let day = "2026-04-04T14:31:00Z";
    assert_eq!(
        after("*/15 1 * * *", "Australia/Lord_Howe", day, 4),
        ["04-04 14:45", "04-04 15:00", "04-04 15:15", "04-05 14:30"]
    );
}

#[test]
fn a_ping_in_the_second_pass_of_an_hour_gets_no_due_before_itself() {
    let cron = cron("30 2 * * *", "Europe/Berlin");
    assert_eq!(cron.next_after(time("2026-10-25T01:10:00Z")), Some(time("2026-10-26T01:30:00Z")));
    let all = self::cron("0-59 2 * * *", "Europe/Berlin");
    assert_eq!(all.next_after(time("2026-10-25T01:00:00Z")), Some(time("2026-10-26T01:00:00Z")));
}

#[test]
fn what_never_comes_is_an_error() {
    for expression in ["0 0 31 2 *", "0 0 30 2 */2", "0 0 31 4,6,9,11 *", "@reboot", "0 0 31W 2 *"] {
        let error = Cron::parse(expression, TimeZone::UTC).unwrap_err();
        assert_eq!(error, ScheduleError::Never, "{expression}");
    }
    // Always in the gap, and never carried past it because of the star.
    let berlin = Zones::bundled().find("Europe/Berlin").unwrap();
    assert_eq!(Cron::parse("* 2 * 3 SUNL", berlin).unwrap_err(), ScheduleError::Never);
    assert!(Cron::parse("0 0 31 2 1", TimeZone::UTC).is_ok());
}

#[test]
fn errors_name_the_field_and_what_is_wrong() {
    for (expression, message) in [
        ("60 * * * *", r#"in the minute field "60": "60" is not a number from 0 to 59"#),
        (
            "* * * 13 *",
            r#"in the month field "13": "13" is not a number from 1 to 12 or a name from JAN to DEC"#,
        ),
        (
            "* * * * Monday",
            r#"in the day-of-week field "Monday": "MONDAY" is not a number from 0 to 7 or a name from SUN to SAT"#,
        ),
        ("* * 0 * *", r#"in the day-of-month field "0": "0" is not a number from 1 to 31"#),
        (
            "* 22-2 * * *",
            r#"in the hour field "22-2": the range 22-2 runs backwards: write 22-23,0-2 to go on from the start"#,
        ),
        ("5/15 * * * *", r#"in the minute field "5/15": a step needs * or a range before it: write 5-59/15"#),
        ("/5 * * * *", r#"in the minute field "/5": a step needs * or a range before it: write */5"#),
        (
            "*/0 * * * *",
            r#"in the minute field "*/0": the step after / must be a number from 1 to 59, not "0""#,
        ),
        (
            "1,,2 * * * *",
            r#"in the minute field "1,,2": something is missing, a number from 0 to 59 must stand there"#,
        ),
        ("0 0 ? * 1", r#"in the day-of-month field "?": cron has no "?": write *"#),
        ("0 0 L,LW * *", r#"in the day-of-month field "L,LW": L and LW cannot stand side by side"#),
        (
            "0 0 * * L",
            r#"in the day-of-week field "L": L needs a day before it: 5L is the last Friday of the month"#,
        ),
        ("0 0 * * 1#6", r#"in the day-of-week field "1#6": after # stands a number from 1 to 5, not "6""#),
        (
            "0 0 * * * root backup",
            "a cron expression has five fields (minute, hour, day of month, month, day of week), or six with the \
             second before them; this one has 7; user, year and command do not belong to it",
        ),
        (
            "0 2 * * * root",
            r#"in the day-of-week field "root": "ROOT" is not a number from 0 to 7 or a name from SUN to SAT (of six fields the first is the second; user, year and command do not belong to it)"#,
        ),
        (
            "60 0 2 * * *",
            r#"in the second field "60": "60" is not a number from 0 to 59 (of six fields the first is the second; user, year and command do not belong to it)"#,
        ),
        (
            "@dayly",
            r#""@dayly" is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"#,
        ),
    ] {
        assert_eq!(error(expression), message);
    }
    assert!(error("").contains("this one has 0"));
}

#[test]
fn a_million_expressions_stay_small() {
    assert!(size_of::<Cron>() <= 64, "{}", size_of::<Cron>());
}

#[test]
fn a_timing_reads_as_it_is_written() {
    assert_eq!(Timing::Cron(Expressions::one("0 2 * * *")).to_string(), "cron 0 2 * * *");
    assert_eq!(Timing::Interval(Span::from_secs(86_400)).to_string(), "every 24h");
}

/// Text is cut between characters, never within one.
#[test]
fn a_weekday_that_ends_in_a_character_of_several_bytes_is_refused_without_a_panic() {
    for expression in ["0 9 * * 5#ä", "0 9 * * äL", "0 9 * * 5#日", "0 9 äW * *", "0 9 * * ä", "@日"] {
        let error = Cron::parse(expression, jiff::tz::TimeZone::UTC).unwrap_err().to_string();
        assert!(error.contains('ä') || error.contains('日'), "{expression}: {error}");
    }
}
