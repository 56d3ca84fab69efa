//! Expressions beside a walk over every instant that reads them in the plainest way, tables for the days on which
//! clocks change, and what is said of mistakes.

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;

const ZONES: [&str; 9] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "Antarctica/Troll",
    "Pacific/Apia",
];

fn calendar(expression: &str, zone: &str) -> OnCalendar {
    let zones = Zones::bundled();
    let zone = zones.find(zone).unwrap();
    OnCalendar::parse(expression, &zone, &zones).unwrap_or_else(|error| panic!("{expression}: {error}"))
}

fn error(expression: &str) -> String {
    OnCalendar::parse(expression, &TimeZone::UTC, &Zones::bundled()).unwrap_err().to_string()
}

fn time(text: &str) -> Timestamp {
    Timestamp::from_jiff(text.parse().unwrap())
}

/// The occurrences after `from`, in UTC.
fn after(expression: &str, zone: &str, from: &str, n: usize) -> Vec<String> {
    let calendar = calendar(expression, zone);
    let occurrences = std::iter::successors(Some(time(from)), |t| calendar.next_after(*t)).skip(1);
    occurrences.take(n).map(|t| t.to_jiff().strftime("%m-%d %H:%M:%S%.f").to_string()).collect()
}

/// A part as text and as a list of (first, last, step).
#[derive(Debug, Clone)]
struct Part {
    text: String,
    items: Vec<(u32, u32, u32)>,
}

impl Part {
    fn has(&self, value: u32) -> bool {
        self.items.iter().any(|(first, last, step)| {
            (*first..=*last).contains(&value) && (value - first).is_multiple_of(*step)
        })
    }
}

fn part(low: u32, high: u32) -> impl Strategy<Value = Part> {
    let item = prop_oneof![
        3 => (low..=high).prop_map(|n| (n.to_string(), (n, n, 1))),
        1 => (low..high).prop_flat_map(move |a| (Just(a), a + 1..=high))
            .prop_map(|(a, b)| (format!("{a}..{b}"), (a, b, 1))),
        1 => (low..high).prop_flat_map(move |a| (Just(a), a + 1..=high, 1..9_u32))
            .prop_map(|(a, b, by)| (format!("{a}..{b}/{by}"), (a, b, by))),
        1 => (low..high).prop_flat_map(move |a| (Just(a), 1..=high - a))
            .prop_map(move |(a, by)| (format!("{a}/{by}"), (a, high, by))),
    ];
    let listed = prop::collection::vec(item, 1..3).prop_map(|items| {
        let (texts, items): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        Part { text: texts.join(","), items }
    });
    prop_oneof![2 => listed, 1 => Just(Part { text: "*".to_owned(), items: vec![(low, high, 1)] })]
}

#[derive(Debug, Clone)]
struct Expression {
    weekdays: Part,
    month: Part,
    day: Part,
    from_end: bool,
    time: [Part; 3],
}

impl Expression {
    fn text(&self) -> String {
        let names = ["mon", "Tue", "WED", "Thursday", "fri", "Sat", "Sunday"];
        let days: Vec<&str> =
            (0..7).filter(|day| self.weekdays.has(*day)).map(|day| names[day as usize]).collect();
        let days = if days.is_empty() { String::new() } else { days.join(",") + " " };
        let mark = if self.from_end { "~" } else { "-" };
        let time = self.time.each_ref().map(|part| part.text.as_str()).join(":");
        format!("{days}*-{}{mark}{} {time}", self.month.text, self.day.text)
    }

    fn matches(&self, local: DateTime) -> bool {
        let number = |value: i8| u32::from(value.unsigned_abs());
        let weekday = number(local.weekday().to_monday_zero_offset());
        let day = if self.from_end {
            number(local.date().days_in_month()) + 1 - number(local.day())
        } else {
            number(local.day())
        };
        let [hour, minute, second] = &self.time;
        (self.weekdays.has(weekday) || self.weekdays.items.is_empty())
            && self.month.has(number(local.month()))
            && self.day.has(day)
            && hour.has(number(local.hour()))
            && minute.has(number(local.minute()))
            && second.has(number(local.second()))
    }

    /// The first occurrence after `from` up to `to`, by looking at every `step` seconds. A local time counts when the
    /// clock has never shown it or a later one, as far as `back` seconds before.
    fn first_after(&self, from: i64, to: i64, step: i64, back: i64, zone: &TimeZone) -> Option<i64> {
        let local = |t: i64| zone.to_datetime(jiff::Timestamp::from_second(t).unwrap());
        let mut t = (from - back).div_euclid(step) * step;
        let mut shown = local(t);
        while t < to {
            t += step;
            let now = local(t);
            if now > shown {
                shown = now;
                if t > from && self.matches(now) {
                    return Some(t);
                }
            }
        }
        None
    }
}

fn expression(second: impl Strategy<Value = Part>) -> impl Strategy<Value = Expression> {
    let none = Part { text: String::new(), items: Vec::new() };
    let weekdays = prop_oneof![Just(none), part(0, 6)];
    let day = any::<bool>().prop_flat_map(|from_end| {
        // From the end a step leads down: that is left to the table and the judge.
        let day = part(1, 28).prop_filter("open step", move |day| !from_end || !opens(&day.text));
        (day, Just(from_end))
    });
    (weekdays, part(1, 12), day, part(0, 23), part(0, 59), second).prop_map(
        |(weekdays, month, (day, from_end), hour, minute, second)| Expression {
            weekdays,
            month,
            // Without `~` an open step goes on to the 31st.
            day: to_the_end(day),
            from_end,
            time: [hour, minute, second],
        },
    )
}

fn opens(text: &str) -> bool {
    text.split(',').any(|item| item.contains('/') && !item.contains(".."))
}

fn to_the_end(mut day: Part) -> Part {
    let texts = day.text.split(',').map(str::to_owned).collect::<Vec<_>>();
    for (text, item) in texts.iter().zip(&mut day.items) {
        if opens(text) || text == "*" {
            item.1 = 31;
        }
    }
    day
}

/// Instants of all days, and more of those about changes of the clock, in seconds.
fn instant() -> impl Strategy<Value = i64> {
    let changes = [
        "2026-03-29T01:00:00Z",
        "2026-10-25T01:00:00Z",
        "2026-03-08T07:00:00Z",
        "2026-11-01T06:00:00Z",
        "2026-04-04T15:00:00Z",
        "2026-10-03T15:30:00Z",
        "2026-02-15T02:00:00Z",
        "2018-11-04T03:00:00Z",
        "2018-02-18T02:00:00Z",
        "2011-12-30T10:00:00Z",
    ];
    prop_oneof![
        1_700_000_000..1_900_000_000_i64,
        (prop::sample::select(changes.map(time).to_vec()), -10_800..10_800_i64)
            .prop_map(|(change, by)| change.as_millis() / 1_000 + by),
    ]
}

fn second_zero() -> impl Strategy<Value = Part> {
    Just(Part { text: "0".to_owned(), items: vec![(0, 0, 1)] })
}

fn agrees(
    expression: &Expression,
    zone: &str,
    from: i64,
    span: i64,
    step: i64,
    back: i64,
) -> Result<(), TestCaseError> {
    let zone = Zones::bundled().find(zone).unwrap();
    // What the gap swallows every time never comes.
    let Ok(calendar) = OnCalendar::parse(&expression.text(), &zone, &Zones::bundled()) else { return Ok(()) };
    let next = calendar.next_after(Timestamp::from_millis(from * 1_000)).map(|t| t.as_millis() / 1_000);
    let wanted = expression.first_after(from, from + span, step, back, &zone);
    match wanted {
        Some(wanted) => prop_assert_eq!(next, Some(wanted)),
        None => prop_assert!(next.is_none_or(|next| next > from + span), "{:?}", next),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn agrees_with_a_walk_over_every_minute(
        expression in expression(second_zero()), zone in prop::sample::select(&ZONES[..]), from in instant()
    ) {
        agrees(&expression, zone, from, 3 * 86_400, 60, 2 * 86_400)?;
    }

    #[test]
    fn the_answer_is_later_and_the_same_from_any_instant_before_it(
        expression in expression(part(0, 59)), zone in prop::sample::select(&ZONES[..]),
        from in instant(), millis in 0..1_000_i64, between in 0.0..1.0_f64,
    ) {
        let zone = Zones::bundled().find(zone).unwrap();
        let Ok(calendar) = OnCalendar::parse(&expression.text(), &zone, &Zones::bundled()) else { return Ok(()) };
        let from = Timestamp::from_millis(from * 1_000 + millis);
        if let Some(next) = calendar.next_after(from) {
            prop_assert!(next > from);
            let span = next.since(from).as_millis() - 1;
            let between = Timestamp::from_millis(from.as_millis() + (span as f64 * between) as i64);
            prop_assert_eq!(calendar.next_after(between), Some(next));
            prop_assert_eq!(calendar.next_after(Timestamp::from_millis(next.as_millis() - 1)), Some(next));
        }
    }

    /// At an instant between two milliseconds the first of them counts, and none counts twice.
    #[test]
    fn fractions_count_at_their_millisecond(
        first in 0..59_000_000_u32, length in 1..2_000_000_u32, step in 1..700_000_u32, from in 0..60_000_i64
    ) {
        let last = (first + length).min(59_999_999);
        let decimal = |micros: u32| format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        let calendar = calendar(&format!("*:*:{}..{}/{}", decimal(first), decimal(last), decimal(step)), "UTC");
        let mut wanted: Vec<i64> = (first..=last).step_by(step as usize).map(|micros| i64::from(micros) / 1_000).collect();
        wanted.dedup();
        let minute = 1_800_000_000_000;
        let mut t = Timestamp::from_millis(minute + from);
        for wanted in wanted.into_iter().filter(|millis| *millis > from).take(30) {
            t = calendar.next_after(t).unwrap();
            prop_assert_eq!(t.as_millis(), minute + wanted);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn agrees_with_a_walk_over_every_second(
        expression in expression(part(0, 59)), zone in prop::sample::select(&ZONES[..8]), from in instant()
    ) {
        agrees(&expression, zone, from, 2 * 3_600, 1, 3 * 3_600)?;
    }
}

#[test]
fn a_time_that_the_clock_skips_is_passed_over() {
    for (expression, zone, from, occurrences) in [
        ("*-*-* 02:30", "Europe/Berlin", "2026-03-28T12:00:00Z", ["03-30 00:30:00", "03-31 00:30:00"]),
        ("*:0/30", "Europe/Berlin", "2026-03-29T00:30:00Z", ["03-29 01:00:00", "03-29 01:30:00"]),
        // Midnight itself, and a whole day.
        ("daily", "America/Sao_Paulo", "2018-11-03T12:00:00Z", ["11-05 02:00:00", "11-06 02:00:00"]),
        ("daily", "Pacific/Apia", "2011-12-29T12:00:00Z", ["12-30 10:00:00", "12-31 10:00:00"]),
        // By half an hour, and by two.
        ("*:0/15", "Australia/Lord_Howe", "2026-10-03T15:15:00Z", ["10-03 15:30:00", "10-03 15:45:00"]),
        ("*-*-* 1..3:30", "Antarctica/Troll", "2026-03-29T00:40:00Z", ["03-29 01:30:00", "03-29 23:30:00"]),
    ] {
        let found = after(expression, zone, from, 2);
        assert_eq!(found, occurrences, "{expression} in {zone}");
    }
}

#[test]
fn a_time_that_comes_twice_counts_the_first_time() {
    let berlin = "Europe/Berlin";
    for from in
        ["2026-10-25T00:30:00Z", "2026-10-25T00:59:59.999Z", "2026-10-25T01:10:00Z", "2026-10-25T01:45:00Z"]
    {
        assert_eq!(after("*:0/30", berlin, from, 1), ["10-25 02:00:00"], "from {from}");
        assert_eq!(after("*-*-* 02:30", berlin, from, 1), ["10-26 01:30:00"], "from {from}");
    }
    assert_eq!(after("*:*:*", berlin, "2026-10-25T00:59:58Z", 2), ["10-25 00:59:59", "10-25 02:00:00"]);
}

#[test]
fn years_leap_days_and_month_ends() {
    assert_eq!(after("*-02-29", "UTC", "2096-03-01T00:00:00Z", 1), ["02-29 00:00:00"]);
    let leap = calendar("Sun *-02-29", "UTC");
    assert_eq!(leap.next_after(time("2088-03-01T00:00:00Z")), Some(time("2128-02-29T00:00:00Z")));
    assert_eq!(
        after("*-*~1", "UTC", "2027-01-31T00:00:00Z", 3),
        ["02-28 00:00:00", "03-31 00:00:00", "04-30 00:00:00"]
    );
    assert_eq!(
        after("*-2~7/3", "UTC", "2028-01-01T00:00:00Z", 3),
        ["02-23 00:00:00", "02-26 00:00:00", "02-29 00:00:00"]
    );
    let once = calendar("2038-01-19 03:14:08", "UTC");
    assert_eq!(once.next_after(time("2026-01-01T00:00:00Z")), Some(time("2038-01-19T03:14:08Z")));
    assert_eq!(once.next_after(time("2038-01-19T03:14:08Z")), None);
    // Beyond systemd's own horizon it goes on.
    assert_eq!(
        calendar("yearly", "UTC").next_after(time("2250-06-01T00:00:00Z")),
        Some(time("2251-01-01T00:00:00Z"))
    );
}

#[test]
fn a_zone_in_the_expression_wins() {
    assert_eq!(
        after("*-*-* 09:00 Asia/Tokyo", "Europe/Berlin", "2026-01-01T00:00:01Z", 1),
        ["01-02 00:00:00"]
    );
    assert_eq!(after("*-*-* 09:00 utc", "Europe/Berlin", "2026-01-01T00:00:00Z", 1), ["01-01 09:00:00"]);
    // An instant is one wherever it is read.
    assert_eq!(after("@1800000000", "Europe/Berlin", "2026-01-01T00:00:00Z", 2), ["01-15 08:00:00"]);
}

#[test]
fn what_never_comes_is_refused() {
    for expression in ["*-02-30", "*-4,6-31", "2020-01-01", "@1700000000", "Mon 2026-11-22"] {
        let read = OnCalendar::parse(expression, &TimeZone::UTC, &Zones::bundled());
        assert_eq!(read.map(|_| ()), Err(ScheduleError::Never), "{expression}");
    }
}

#[test]
fn mistakes_are_told_with_what_to_write() {
    for (expression, message) in [
        ("", "it is empty: write a day or a time, as in Mon..Fri 2:00"),
        (
            "0 2 * * *",
            "\"0 2 * * *\" is a cron expression, which the key cron takes: here stands systemd's form, as in Mon..Fri 02:00",
        ),
        ("@daily", "there is no @daily: write daily"),
        ("@soon", "after @ stand seconds since 1970, not \"soon\""),
        ("25:00", "in the hour \"25\": 25 is not a number from 0 to 23"),
        ("*:60", "in the minute \"60\": 60 is not a number from 0 to 59"),
        (
            "*:*:1.5..2",
            "in the second \"1.5..2\": a range of less than a second needs a step, as in 0..0.5/0.1",
        ),
        ("*/5:00", "in the hour \"*/5\": a step needs a number before it: write 0/5"),
        ("1-5:00", "in the hour \"1-5\": a range is written with two dots: 1..5"),
        ("*:0/0", "in the minute \"0/0\": a step of 0 leads nowhere"),
        ("*-13-1", "in the month \"13\": 13 is not a number from 1 to 12"),
        ("*-*-20..10", "in the day \"20..10\": the range runs backwards: write it as two, joined by a comma"),
        ("*-*~31", "in the day from the month's end \"31\": 31 is not a number from 1 to 28"),
        ("1800-1-1", "in the year \"1800\": 1800 is not a number from 1970 to 2199"),
        ("Fri..Mon", "the weekdays Fri..Mon run backwards: write Fri..Sun,Mon"),
        ("Mond", "\"Mond\" is not a weekday: write Mon, Tue, Wed, Thu, Fri, Sat or Sun"),
        ("10", "\"10\" is neither a date like *-*-1 nor a time like 2:00"),
        (
            "10:00 Europe/Berln",
            "there is no time zone \"Europe/Berln\": write a name like Europe/Berlin, or UTC",
        ),
        ("10:00 europe/berlin", "the time zone \"europe/berlin\" is written Europe/Berlin"),
        ("10:00 CEST", "there is no time zone \"CEST\": write a name like Europe/Berlin, or UTC"),
        ("10:00,", "in the minute \"00,\": something is missing, a number from 0 to 59 belongs there"),
    ] {
        assert_eq!(error(expression), message, "{expression}");
    }
}

#[test]
fn stays_small() {
    assert!(size_of::<OnCalendar>() <= 64);
}
