//! Our cron beside cronsim, the program of Healthchecks, on thousands of made-up expressions. Where they differ it
//! is by name: a fault of cronsim's, or a difference of the two languages.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it runs a program")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says by its panic where it failed")]

use std::collections::BTreeMap;

use jiff::tz::{AmbiguousOffset, TimeZone};

use overdue::model::schedule::cron::Cron;
use overdue::model::schedule::{ScheduleError, Zones};
use overdue::model::time::Timestamp;

use self::peer::{Answer, Asked, ask};
use self::written::{pick, within};
use crate::chance::Chance;

mod peer;
mod written;

const ZONES: [&str; 26] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "America/New_York",
    "America/St_Johns",
    "America/Havana",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Caracas",
    "America/Asuncion",
    "America/Nuuk",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kwajalein",
];

/// Expressions, each asked of so many instants.
const EXPRESSIONS: usize = 8_000;
const INSTANTS: usize = 4;
/// Of a thousand answers so many may differ by name at most.
const DIFFERENT: usize = 5;
const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;

/// Where an answer of cronsim's is not Debian's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// Asked in the second pass of a repeated hour, it names a time in the first, which is past: the false alarm
    /// of Healthchecks at the end of summer time.
    BeforeTheQuestion,
    /// It has Debian's rule for fixed times in five fields only.
    SixFields,
    /// With a star, and a day that does not begin at midnight: it starts the day at a midnight that is not on the
    /// clock, names it, or passes over the first hour.
    NoMidnight,
    /// With a star, and a clock that is changed within an hour or by a part of one: it goes on by whole hours, and
    /// passes over the part.
    PartOfAnHour,
    /// With a star, and a clock that goes back from a minute past midnight, as St. John's did: it looks for ever.
    Endless,
}

/// What one takes and the other refuses, or reads otherwise: what it is, how it is recognised, and an example.
type Difference = (&'static str, fn(&str) -> bool, &'static str);

/// Where the two languages differ.
const DIALECT: [Difference; 7] = [
    (
        "a step after one value, or after a range of one: cronsim goes on to the end",
        stepped_value,
        "5/15 * * * *",
    ),
    ("nicknames: ours only", |text| text.contains('@'), "@daily"),
    (
        "L and LW side by side, or with a step: cronsim only",
        |text| days(text).contains('/') && days(text).contains('L') || days(text).matches('L').count() > 1,
        "0 0 L,LW * *",
    ),
    ("W, the nearest working day: ours only", |text| days(text).contains('W'), "0 0 15W * *"),
    ("a range that ends with SUN: ours only", |text| text.contains("-SUN"), "0 0 * * FRI-SUN"),
    (
        "names, ranges and * before L and #: ours only",
        |text| weekdays(text).split(',').any(|item| item.ends_with('L') || item.contains('#')),
        "0 0 * * MON-WED#2",
    ),
    (
        "numbers of more than four digits: cronsim only",
        |text| text.split(|c: char| !c.is_ascii_digit()).any(|number| number.len() > 4),
        "00005 * * * *",
    ),
];

fn stepped_value(text: &str) -> bool {
    text.split([' ', ','])
        .filter_map(|item| item.split_once('/'))
        .any(|(range, _)| range.split_once('-').map_or(range != "*", |(first, last)| first == last))
}

fn days(text: &str) -> &str {
    text.split_whitespace().rev().nth(2).unwrap_or_default()
}

fn weekdays(text: &str) -> &str {
    text.split_whitespace().next_back().unwrap_or_default()
}

/// What ours says.
fn ours(asked: &Asked, zone: &TimeZone) -> Answer {
    match Cron::parse(&asked.expression, zone.clone()) {
        Err(ScheduleError::Never) => Answer::Never,
        Err(_) => Answer::Refused,
        Ok(cron) => match cron.next_after(Timestamp::from_millis(asked.after * 1_000)) {
            None => Answer::Never,
            Some(next) => {
                let next = next.as_millis() / 1_000;
                Answer::Next { first: next, later: next, imaginary: false }
            }
        },
    }
}

/// Whether and why the answers differ.
fn judge(asked: &Asked, theirs: Answer, zone: &TimeZone) -> Result<Option<Fault>, String> {
    let ours = ours(asked, zone);
    let different = || {
        let show = |t| jiff::Timestamp::from_second(t).unwrap().to_zoned(zone.clone()).to_string();
        format!("{asked:?}, which is {}: ours {ours:?}, cronsim's {theirs:?}", show(asked.after))
    };
    let (next, first, later) = match (ours, theirs) {
        (Answer::Next { first: next, .. }, Answer::Next { first, later, .. }) => (next, first, later),
        (Answer::Next { first: next, .. }, Answer::Endless)
            if changes(next, zone).iter().any(|[start, end]| start > end && start.rem_euclid(DAY) == 60) =>
        {
            return Ok(Some(Fault::Endless));
        }
        // It finds out of some that they never come only when it is asked.
        (Answer::Refused, Answer::Refused)
        | (Answer::Never, Answer::Refused | Answer::Never | Answer::Endless) => return Ok(None),
        _ => return Err(different()),
    };
    if next <= asked.after {
        return Err(format!("not after the question: {}", different()));
    }
    let fields: Vec<&str> = asked.expression.split_whitespace().collect();
    let starred = fields[..fields.len() - 3].iter().any(|field| field.starts_with('*'));
    if next == later {
        if first == later {
            return Ok(None);
        }
        let known = first < later && !starred && fields.len() == 5 && in_second_pass(asked.after, zone);
        return if known { Ok(Some(Fault::BeforeTheQuestion)) } else { Err(different()) };
    }
    let changes = changes(next.min(later), zone);
    let midnight = |[start, end]: [i64; 2]| start < end && end.div_euclid(DAY) != (start - 1).div_euclid(DAY);
    let part = |change: [i64; 2]| change.iter().any(|local| local % HOUR != 0);
    match (starred, fields.len()) {
        (false, 6) if !changes.is_empty() => Ok(Some(Fault::SixFields)),
        (true, _) if changes.iter().copied().any(midnight) => Ok(Some(Fault::NoMidnight)),
        (true, _) if changes.iter().copied().any(part) => Ok(Some(Fault::PartOfAnHour)),
        _ => Err(different()),
    }
}

/// The changes of the clock in the day before, each as the local seconds before and after it.
fn changes(t: i64, zone: &TimeZone) -> Vec<[i64; 2]> {
    let from = jiff::Timestamp::from_second(t - DAY).unwrap();
    let changes = zone.following(from).map(|change| (change.timestamp().as_second(), change.offset()));
    changes
        .take_while(|(change, _)| *change <= t)
        .map(|(change, after)| {
            let before = zone.to_offset(jiff::Timestamp::from_second(change - 1).unwrap());
            [before, after].map(|offset| change + i64::from(offset.seconds()))
        })
        .collect()
}

fn in_second_pass(t: i64, zone: &TimeZone) -> bool {
    let t = jiff::Timestamp::from_second(t).unwrap();
    match zone.to_ambiguous_timestamp(zone.to_datetime(t)).offset() {
        AmbiguousOffset::Fold { after, .. } => zone.to_offset(t) == after,
        AmbiguousOffset::Gap { .. } | AmbiguousOffset::Unambiguous { .. } => false,
    }
}

#[test]
fn the_next_times_are_those_of_cronsim() {
    let mut chance = Chance(20_261_122);
    let zones = Zones::bundled();
    let mut asked = Vec::new();
    for _ in 0..EXPRESSIONS {
        let expression = written::expression(&mut chance);
        for _ in 0..INSTANTS {
            let zone = *pick(&mut chance, &ZONES);
            let after = instant(&mut chance, zone, &zones);
            asked.push(Asked { zone, expression: expression.clone(), after });
        }
    }
    let mut faults = BTreeMap::new();
    let mut wrong = Vec::new();
    for (asked, theirs) in asked.iter().zip(ask(&asked)) {
        match judge(asked, theirs, &zones.find(asked.zone).unwrap()) {
            Ok(fault) => *faults.entry(fault).or_insert(0) += 1,
            Err(what) => wrong.push(what),
        }
    }
    println!("{} answers: {faults:?}", asked.len());
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    // A fault that is gone is no excuse any more.
    assert_eq!(faults.len(), 6, "{faults:?}");
    let different = asked.len() - faults[&None];
    assert!(different * 1_000 <= asked.len() * DIFFERENT, "{different} of {} differ", asked.len());
}

#[test]
fn what_is_taken_and_refused_is_what_cronsim_takes_and_refuses() {
    let mut chance = Chance(7);
    let after = jiff::civil::date(2026, 6, 1).at(12, 0, 0, 0).in_tz("UTC").unwrap().timestamp().as_second();
    let mut texts: Vec<String> = DIALECT.map(|(_, _, example)| example.to_owned()).to_vec();
    texts.extend((0..EXPRESSIONS).map(|_| {
        let expression = written::expression(&mut chance);
        written::mutated(&mut chance, &expression)
    }));
    let asked: Vec<Asked> =
        texts.into_iter().map(|expression| Asked { zone: "UTC", expression, after }).collect();
    let (mut taken, mut differ, mut wrong) = (0, BTreeMap::new(), Vec::new());
    for (asked, theirs) in asked.iter().zip(ask(&asked)) {
        taken += usize::from(matches!(theirs, Answer::Next { .. }));
        if let Err(what) = judge(asked, theirs, &TimeZone::UTC) {
            let upper = asked.expression.to_ascii_uppercase();
            match DIALECT.iter().find(|(_, is, _)| is(&upper)) {
                Some((name, ..)) => *differ.entry(*name).or_insert(0) += 1,
                None => wrong.push(what),
            }
        }
    }
    println!("{} texts, {taken} taken by cronsim: {differ:#?}", asked.len());
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    assert!(taken > asked.len() / 8 && taken < asked.len() * 4 / 5, "{taken}");
    assert_eq!(differ.len(), DIALECT.len(), "a difference that is gone is no excuse any more: {differ:#?}");
}

/// An instant from 1970 to 2110, most of them about changes of the clock.
fn instant(lot: &mut Chance, zone: &str, zones: &Zones) -> i64 {
    let any = within(lot, 0, 4_400_000_000);
    let from = jiff::Timestamp::from_second(any).unwrap();
    let change =
        zones.find(zone).unwrap().following(from).next().map(|change| change.timestamp().as_second());
    match (lot.below(4), change) {
        (0, _) | (_, None) => any,
        (1, Some(change)) => change + within(lot, -200_000, 100_000),
        (_, Some(change)) => change + within(lot, -9_000, 9_000),
    }
}
