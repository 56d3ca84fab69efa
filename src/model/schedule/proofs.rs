//! Calendars beside the plainest readings of what they promise: a look at every second, a list of all occurrences,
//! and the days on which clocks and calendars are odd.

use jiff::ToSpan;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use crate::model::schedule::expressions::Expressions;
use crate::model::schedule::{Occurrences, Timing, Zones};
use crate::model::time::{Span, Timestamp};

const ZONES: [&str; 10] = [
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/St_Johns",
    "America/Havana",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Asia/Kathmandu",
    "Pacific/Chatham",
];

fn occurrences(expressions: &[String], zone: &str) -> Occurrences {
    let timing = Timing::Cron(Expressions::new(expressions.iter().map(String::as_str)));
    let compiled = timing.compile(zone, &Expressions::default(), &Zones::bundled());
    compiled.unwrap_or_else(|error| panic!("{expressions:?}: {error}"))
}

fn time(text: &str) -> Timestamp {
    Timestamp::from_jiff(text.parse().unwrap())
}

/// Expression, zone, the instant before, and the two occurrences after it.
type Case = (&'static str, &'static str, &'static str, [&'static str; 2]);

/// A field of seconds, minutes or hours, and what it matches.
#[derive(Debug, Clone)]
struct Part {
    text: String,
    matches: Vec<u32>,
}

/// Of values up to `last`, those that are named up to `high`.
fn part(high: u32, last: u32) -> impl Strategy<Value = Part> {
    prop_oneof![
        2 => Just(Part { text: "*".to_owned(), matches: (0..=last).collect() }),
        2 => (0..=high).prop_map(|n| Part { text: n.to_string(), matches: vec![n] }),
        2 => (1..=high).prop_map(move |by| Part {
            text: format!("*/{by}"),
            matches: (0..=last).step_by(by as usize).collect(),
        }),
        2 => (0..=high, 0..=high).prop_map(|(a, b)| (a.min(b), a.max(b))).prop_map(|(a, b)| Part {
            text: format!("{a}-{b}"),
            matches: (a..=b).collect(),
        }),
        1 => (0..=high, 0..=high).prop_map(|(a, b)| Part { text: format!("{a},{b}"), matches: vec![a, b] }),
    ]
}

/// The first second after `from` at which it runs, within an hour and a half, by looking at each. The time that
/// the clock showed at most so far tells the second pass of an hour, a jump of it the skipped times.
fn first_second(parts: &[Part; 3], from: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let follows_time = parts.iter().any(|part| part.text.starts_with('*'));
    let matches = |local: jiff::civil::DateTime| {
        let [second, minute, hour] = parts;
        let has = |part: &Part, n: i8| part.matches.contains(&u32::from(n.unsigned_abs()));
        has(second, local.second()) && has(minute, local.minute()) && has(hour, local.hour())
    };
    let second = Span::from_secs(1);
    let start = from.as_millis().div_euclid(1_000);
    // Longer ago than any hours that come twice.
    let mut t = Timestamp::from_millis(start * 1_000) - Span::from_secs(3 * 3_600);
    let mut shown = zone.to_datetime(t.to_jiff());
    while t <= from + Span::from_secs(5_400) {
        t = t + second;
        let local = zone.to_datetime(t.to_jiff());
        let mut runs = matches(local);
        if !follows_time {
            runs = runs && local > shown;
            let mut skipped = shown.saturating_add(1.second());
            while skipped < local {
                runs = runs || matches(skipped);
                skipped = skipped.saturating_add(1.second());
            }
        }
        shown = shown.max(local);
        if runs && t > from {
            return Some(t);
        }
    }
    None
}

/// Instants, most of them about changes of the clock in one of the zones.
fn instant() -> impl Strategy<Value = Timestamp> {
    let changes = [
        "2026-03-08T05:00:00Z",
        "2026-03-08T07:00:00Z",
        "2026-03-29T01:00:00Z",
        "2026-04-04T14:00:00Z",
        "2026-04-04T15:00:00Z",
        "2026-09-26T14:00:00Z",
        "2026-10-03T15:30:00Z",
        "2026-10-25T01:00:00Z",
        "2026-11-01T05:00:00Z",
        "2026-11-01T06:00:00Z",
        // St. John's changed at a minute past midnight.
        "2006-10-29T02:31:00Z",
        "2007-03-11T03:31:00Z",
        "2100-03-28T01:00:00Z",
    ];
    prop_oneof![
        1 => 0..4_200_000_000_000_i64,
        4 => (prop::sample::select(changes.map(time).to_vec()), -9_000_000..9_000_000_i64)
            .prop_map(|(change, by)| change.as_millis() + by),
    ]
    .prop_map(Timestamp::from_millis)
}

/// One to three expressions of five or six fields.
fn expressions() -> impl Strategy<Value = Vec<String>> {
    let days = prop::sample::select(vec!["* * *", "*/2 * *", "1,L * 1", "* * 1-5", "15W * *", "* 3,10 0#L"]);
    let one = (prop::option::of(part(59, 59)), part(59, 59), part(23, 23), days).prop_map(
        |(second, minute, hour, days)| {
            let second = second.map(|second| format!("{} ", second.text)).unwrap_or_default();
            format!("{second}{} {} {days}", minute.text, hour.text).replace("0#L", "0L")
        },
    );
    prop::collection::vec(one, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn no_second_is_passed_over(
        parts in (part(59, 59), part(59, 59), part(4, 23)),
        from in instant(),
        zone in prop::sample::select(ZONES.to_vec()),
    ) {
        let parts: [Part; 3] = parts.into();
        let expression = format!("{} * * *", parts.each_ref().map(|part| part.text.as_str()).join(" "));
        let next = occurrences(std::slice::from_ref(&expression), zone).next_after(from);
        let within = next.filter(|next| *next <= from + Span::from_secs(5_400));
        let naive = first_second(&parts, from, &Zones::bundled().find(zone).unwrap());
        prop_assert_eq!(within, naive, "{} in {}", expression, zone);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn the_earliest_of_several_comes_next_from_any_instant_before_it(
        expressions in expressions(),
        from in instant(),
        zone in prop::sample::select(ZONES.to_vec()),
        part in 0.0..1.0_f64,
    ) {
        let all = occurrences(&expressions, zone);
        let next = all.next_after(from).unwrap();
        prop_assert!(next > from);
        let alone = expressions.iter().map(|one| occurrences(std::slice::from_ref(one), zone).next_after(from));
        prop_assert_eq!(alone.min(), Some(Some(next)));
        let between = from + Span::from_millis((next.since(from).as_millis() as f64 * part) as i64);
        for before in [from, between.min(next - Span::from_millis(1)), next - Span::from_millis(1)] {
            prop_assert_eq!(all.next_after(before), Some(next));
            let told = all.told_after(before, None).unwrap();
            prop_assert_eq!(told.at, next);
            prop_assert_eq!(told.local.parse::<jiff::Timestamp>().unwrap(), next.to_jiff());
        }
    }

    #[test]
    fn a_finish_counts_for_the_occurrence_it_comes_little_before(
        expressions in expressions(),
        from in instant(),
        zone in prop::sample::select(ZONES.to_vec()),
        before in 0..100_000_i64,
        early in prop_oneof![
            2 => Just(None),
            1 => Just(Some(Span::ZERO)),
            2 => (0..120_000_i64).prop_map(|ms| Some(Span::from_millis(ms))),
            1 => (0..200_000_000_i64).prop_map(|ms| Some(Span::from_millis(ms))),
        ],
    ) {
        let all = occurrences(&expressions, zone);
        let finish = all.next_after(from).unwrap() - Span::from_millis(before);
        // All of them in their order, from far enough before.
        let (mut last, mut first) = (Timestamp::MIN, all.next_after(finish - Span::from_secs(1_000)).unwrap());
        while first <= finish {
            (last, first) = (first, all.next_after(first).unwrap());
        }
        let tenth = Span::from_millis(first.since(last).as_millis() / 10);
        let counts = first.since(finish) <= early.unwrap_or(tenth.min(Span::from_secs(60)));
        let due = if counts { all.next_after(first).unwrap() } else { first };
        prop_assert_eq!(all.due_after_finish(finish, early), Some(due));
    }
}

const ODD: [Case; 21] = [
    // Negative daylight saving: winter is the exception by law, the clock does the same.
    ("30 1 * * *", "Europe/Dublin", "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
    ("30 1 * * *", "Europe/Dublin", "2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
    // Two hours.
    (
        "30 1,2 * * *",
        "Antarctica/Troll",
        "2026-03-28T12:00:00Z",
        ["2026-03-29T01:00:00Z", "2026-03-29T23:30:00Z"],
    ),
    (
        "30 2 * * *",
        "Antarctica/Troll",
        "2026-10-24T12:00:00Z",
        ["2026-10-25T00:30:00Z", "2026-10-26T02:30:00Z"],
    ),
    // No midnight, and two of them.
    ("0 0 * * *", "America/Havana", "2026-03-07T12:00:00Z", ["2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"]),
    (
        "30 0 * * *",
        "America/Havana",
        "2024-11-02T12:00:00Z",
        ["2024-11-03T04:30:00Z", "2024-11-04T05:30:00Z"],
    ),
    // 45 minutes, changed at 02:45.
    (
        "0 3 * * *",
        "Pacific/Chatham",
        "2026-09-26T00:00:00Z",
        ["2026-09-26T14:00:00Z", "2026-09-27T13:15:00Z"],
    ),
    (
        "45 5 * * *",
        "Asia/Kathmandu",
        "2026-09-26T00:00:00Z",
        ["2026-09-27T00:00:00Z", "2026-09-28T00:00:00Z"],
    ),
    // The day that Apia skipped: what is fixed on it runs once, at its end.
    (
        "0,30 * 30 12 *",
        "Pacific/Apia",
        "2010-12-31T09:45:00Z",
        ["2012-12-29T10:00:00Z", "2012-12-29T10:30:00Z"],
    ),
    (
        "0,30 8 30 12 *",
        "Pacific/Apia",
        "2011-12-30T00:00:00Z",
        ["2011-12-30T10:00:00Z", "2012-12-29T18:00:00Z"],
    ),
    ("0 3 19 1 *", "UTC", "2037-12-01T00:00:00Z", ["2038-01-19T03:00:00Z", "2039-01-19T03:00:00Z"]),
    ("8 14 3 19 1 *", "UTC", "2038-01-19T03:14:07Z", ["2038-01-19T03:14:08Z", "2039-01-19T03:14:08Z"]),
    ("0 0 29 2 *", "UTC", "2096-02-29T00:00:00Z", ["2104-02-29T00:00:00Z", "2108-02-29T00:00:00Z"]),
    ("0 0 L 2 *", "UTC", "2096-01-01T00:00:00Z", ["2096-02-29T00:00:00Z", "2097-02-28T00:00:00Z"]),
    ("30 2 * * *", "Europe/Berlin", "2100-03-27T12:00:00Z", ["2100-03-28T01:00:00Z", "2100-03-29T00:30:00Z"]),
    // The nearest working day stays in its month, and a month without the day has none.
    ("0 0 1W * *", "UTC", "2026-07-15T00:00:00Z", ["2026-08-03T00:00:00Z", "2026-09-01T00:00:00Z"]),
    ("0 0 31W * *", "UTC", "2026-05-01T00:00:00Z", ["2026-05-29T00:00:00Z", "2026-07-31T00:00:00Z"]),
    ("0 0 28W 2 *", "UTC", "2026-01-01T00:00:00Z", ["2026-02-27T00:00:00Z", "2027-02-26T00:00:00Z"]),
    ("0 0 LW * *", "UTC", "2026-01-31T00:00:00Z", ["2026-02-27T00:00:00Z", "2026-03-31T00:00:00Z"]),
    // Seconds run once after the gap too, and with a star they follow real time.
    (
        "15 30 2 * * *",
        "Europe/Berlin",
        "2026-03-28T12:00:00Z",
        ["2026-03-29T01:00:00Z", "2026-03-30T00:30:15Z"],
    ),
    (
        "*/30 30 2 * * *",
        "Europe/Berlin",
        "2026-10-25T00:30:15Z",
        ["2026-10-25T00:30:30Z", "2026-10-25T01:30:00Z"],
    ),
];

#[test]
fn odd_clocks_and_odd_years() {
    for (expression, zone, from, expected) in ODD {
        let all = occurrences(&[expression.to_owned()], zone);
        let next = std::iter::successors(Some(time(from)), |t| all.next_after(*t)).skip(1).take(2);
        assert_eq!(next.collect::<Vec<_>>(), expected.map(time), "{expression} in {zone}");
    }
}

#[test]
fn a_ping_in_the_second_pass_of_an_hour_is_never_late_at_once() {
    let all = occurrences(&["30 2 * * *".to_owned()], "Europe/Berlin");
    for second in 0..3_600 {
        let ping = time("2026-10-25T01:00:00Z") + Span::from_secs(second);
        assert_eq!(all.due_after_finish(ping, None), Some(time("2026-10-26T01:30:00Z")), "{ping}");
    }
}

#[test]
fn at_the_end_of_the_calendar_nothing_comes_again_at_the_same_instant() {
    let every = |timing: Timing| timing.compile("UTC", &Expressions::default(), &Zones::bundled()).unwrap();
    for occurrences in [
        every(Timing::Interval(Span::from_secs(60))),
        every(Timing::Cron(Expressions::one("* * * * *"))),
        every(Timing::OnCalendar(Expressions::one("*:0/15"))),
    ] {
        let mut t = Timestamp::MAX - Span::from_secs(3_600);
        let mut count = 0;
        while let Some(next) = occurrences.next_after(t) {
            assert!(next > t);
            (t, count) = (next, count + 1);
        }
        assert!((3..=60).contains(&count), "{count} before {}", Timestamp::MAX);
    }
}
