//! systemd 252 as the judge of `on_calendar`: what it accepts, and when it says that an expression elapses.

mod comparison;
mod expressions;
mod faults;
mod judge;
mod odd;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use overdue::model::schedule::on_calendar::OnCalendar;
use overdue::model::schedule::{ScheduleError, Zones};

use crate::chance::Chance;
use crate::systemd::comparison::{Case, Tally};
use crate::systemd::expressions::{ELEMENTS, Expression, Writer};
use crate::systemd::faults::Fault;
use crate::systemd::judge::{Answer, SECOND, ask};
use crate::systemd::odd::ODD;

const ZONES: [&str; 24] = [
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/London",
    "Europe/Moscow",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Havana",
    "America/St_Johns",
    "America/Asuncion",
    "America/Caracas",
    "Australia/Lord_Howe",
    "Australia/Adelaide",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "Asia/Tehran",
    "Asia/Gaza",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Atlantic/Azores",
];
/// 2026-01-01T00:00:00Z.
const NEW_YEAR: i64 = 1_767_225_600;

/// The zone data that the judge uses, so that the two never differ in it.
fn zones() -> Zones {
    Zones::new(TimeZoneDatabase::from_dir("/usr/share/zoneinfo").expect("the judge reads its zones there"))
}

/// Instants of a zone by chance, three in four within two hours of a change of the clock.
fn base(chance: &mut Chance, zone: &TimeZone) -> i64 {
    let some = 86_400 * 400 + i64::from(chance.below(2_000_000_000));
    let near = i64::from(chance.below(14_400)) - 7_200;
    match zone.following(jiff::Timestamp::from_second(some).unwrap()).next() {
        Some(next) if !chance.one_in(4) => next.timestamp().as_second() + near,
        Some(_) | None => some,
    }
}

fn all_explained(tally: &Tally) {
    let some: Vec<&str> = tally.unexplained.iter().take(30).map(String::as_str).collect();
    assert!(some.is_empty(), "{} unexplained differences:\n{}", tally.unexplained.len(), some.join("\n"));
}

#[test]
fn elapses_when_systemd_says() {
    let zones = zones();
    let mut writer = Writer::new(1);
    let mut tally = Tally::default();
    for round in 0..480 {
        let zone = ZONES[round % ZONES.len()];
        let base = base(&mut writer.chance, &zones.find(zone).unwrap());
        let expressions: Vec<Expression> = (0..60).map(|_| writer.expression(false)).collect();
        Case { zones: &zones, zone, base }.compare(&expressions, &mut tally);
    }
    println!("{} the same; systemd's faults: {:?}", tally.same, tally.faults);
    all_explained(&tally);
    assert!(tally.same > 80_000, "only {} compared", tally.same);
    for element in ELEMENTS {
        assert!(writer.used.get(element).is_some_and(|times| *times > 100), "{element} is hardly tried");
    }
    // The faults are rare, but for the one that three in four of the instants provoke.
    let faults = tally.faults.values().sum::<u32>() - tally.count(Fault::SecondPass);
    assert!(faults < tally.same / 200, "{:?}", tally.faults);
}

/// Only whole seconds are printed, but counted on from are the instants themselves.
#[test]
fn fractions_elapse_when_systemd_says() {
    let zones = zones();
    let mut writer = Writer::new(3);
    let mut tally = Tally::default();
    for round in 0..30 {
        let base = NEW_YEAR + i64::from(writer.chance.below(100_000_000));
        let expressions: Vec<Expression> = (0..60).map(|_| writer.expression(true)).collect();
        let zone = if round % 2 == 0 { "UTC" } else { "Asia/Kathmandu" };
        Case { zones: &zones, zone, base }.compare_seconds(&expressions, 30, &mut tally);
    }
    println!("{} the same", tally.same);
    all_explained(&tally);
    assert!(tally.same > 20_000, "only {} compared", tally.same);
}

#[test]
fn accepts_what_systemd_accepts() {
    let zones = zones();
    let mut writer = Writer::new(2);
    let (mut accepted, mut refused, mut shrunk) = (0, 0, 0);
    let mut wrong = Vec::new();
    for _ in 0..200 {
        let texts: Vec<String> =
            (0..200).map(|_| writer.mutated()).filter(|text| !text.contains('\'')).collect();
        for (text, answer) in texts.iter().zip(ask(&texts, "UTC", NEW_YEAR * SECOND, 1)) {
            let ours = OnCalendar::parse(text, &TimeZone::UTC, &zones);
            // What never elapses is read all the same.
            let reads = !matches!(ours, Err(ScheduleError::Expression(_)));
            match (reads, answer != Answer::Refused) {
                (true, true) => accepted += 1,
                (false, false) => refused += 1,
                (true, false) if text.contains('~') && text.contains(',') => shrunk += 1,
                (_, theirs) => wrong.push(format!("{text:?}: systemd {theirs}, ours {ours:?}")),
            }
        }
    }
    println!("{accepted} accepted, {refused} refused, {shrunk} refused for a shrinking list");
    assert!(wrong.is_empty(), "{} read otherwise:\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
    assert!(accepted > 5_000 && refused > 5_000, "too few of each: {accepted}, {refused}");
    assert!(shrunk < 200, "{shrunk}");
}

/// What the generator does not find by itself.
#[test]
fn reads_the_odd_ones_as_systemd_does() {
    let many = [(1..=241).map(|_| "1").collect::<Vec<_>>(), (1..=242).map(|_| "1").collect()]
        .map(|list| list.join(",") + ":0");
    let texts: Vec<String> = ODD.iter().map(ToString::to_string).chain(many).collect();
    for (text, answer) in texts.iter().zip(ask(&texts, "UTC", NEW_YEAR * SECOND, 1)) {
        let ours = OnCalendar::parse(text, &TimeZone::UTC, &zones());
        let reads = !matches!(ours, Err(ScheduleError::Expression(_)));
        assert_eq!(reads, answer != Answer::Refused, "{text:?}: {ours:?}");
    }
}
