//! systemd 252 as the judge of `on_calendar`: what it accepts, and when it says that an expression elapses.

mod expressions;
mod faults;
mod judge;

use std::collections::BTreeMap;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use overdue::model::schedule::on_calendar::OnCalendar;
use overdue::model::schedule::{ScheduleError, Zones};
use overdue::model::time::Timestamp;

use crate::chance::Chance;
use crate::systemd::expressions::{Expression, Writer};
use crate::systemd::faults::{Fault, explain};
use crate::systemd::judge::{Answer, ask};

const ITERATIONS: usize = 4;
const ROUNDS: usize = 240;
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

/// The zone data that the judge uses, so that the two never differ in it.
fn zones() -> Zones {
    let folder = "/usr/share/zoneinfo";
    Zones::new(TimeZoneDatabase::from_dir(folder).expect("the judge reads its zones there"))
}

/// Instants of a zone by chance, three in four within two hours of a change of the clock.
fn base(chance: &mut Chance, zone: &TimeZone) -> i64 {
    let some = 86_400 * 400 + i64::from(chance.below(2_000_000_000));
    let change = zone.following(jiff::Timestamp::from_second(some).unwrap()).next();
    let near = i64::from(chance.below(14_400)) - 7_200;
    match change {
        Some(change) if !chance.one_in(4) => change.timestamp().as_second() + near,
        Some(_) | None => some,
    }
}

/// What was compared, and how it differed.
#[derive(Debug, Default)]
struct Tally {
    same: u32,
    faults: BTreeMap<Fault, u32>,
    unexplained: Vec<String>,
}

impl Tally {
    fn fault(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }
}

/// One instant of one zone, at which expressions are asked.
struct Case<'a> {
    zones: &'a Zones,
    name: &'static str,
    base: i64,
}

impl Case<'_> {
    fn compare(&self, expressions: &[Expression], tally: &mut Tally) {
        let texts: Vec<String> = expressions.iter().map(|expression| expression.text.clone()).collect();
        for (expression, answer) in expressions.iter().zip(ask(&texts, self.name, self.base, ITERATIONS)) {
            let zone = self.zones.find(self.name).unwrap();
            let ours = match OnCalendar::parse(&expression.text, &zone, self.zones) {
                Ok(ours) => ours,
                // An expression that ends before the probe, or a list that systemd refuses: see `accepts`.
                Err(ScheduleError::Never) => continue,
                Err(error) => panic!("{expression:?}: {error}, systemd: {answer:?}"),
            };
            match answer {
                Answer::Refused => assert!(expression.text.contains('~'), "refused: {expression:?}"),
                Answer::Lost => tally.fault(Fault::Circle),
                Answer::Elapses(theirs) => self.step_by_step(expression, &ours, &theirs, tally),
            }
        }
    }

    /// Each of systemd's steps is compared from where it was made.
    fn step_by_step(&self, expression: &Expression, ours: &OnCalendar, theirs: &[i64], tally: &mut Tally) {
        let mut from = self.base;
        for step in 0..ITERATIONS {
            let next = next_after(ours, from);
            let their_next = theirs.get(step).copied();
            if next == their_next {
                tally.same += 1;
            } else if let Some(fault) = self.explain(expression, ours, from, (next, their_next)) {
                tally.fault(fault);
            } else {
                let show = |t: Option<i64>| {
                    t.map(|t| jiff::Timestamp::from_second(t).unwrap().to_zoned(ours.zone().clone()))
                };
                let (ours, theirs) = (show(next), show(their_next));
                tally.unexplained.push(format!(
                    "{expression:?} after {:?}: ours {ours:?}, theirs {theirs:?}",
                    show(Some(from))
                ));
            }
            let Some(next) = their_next else { break };
            from = next;
        }
    }

    fn explain(
        &self,
        expression: &Expression,
        ours: &OnCalendar,
        from: i64,
        (next, theirs): (Option<i64>, Option<i64>),
    ) -> Option<Fault> {
        explain(ours.zone(), from, next, theirs).or_else(|| {
            let closed = ask(&[expression.closed.clone()], self.name, from, 1);
            let agrees = closed == [Answer::Elapses(next.into_iter().collect())];
            (agrees && expression.closed != expression.text).then_some(Fault::OpenStep)
        })
    }
}

fn next_after(ours: &OnCalendar, from: i64) -> Option<i64> {
    ours.next_after(Timestamp::from_millis(from * 1_000)).map(|t| t.as_millis().div_euclid(1_000))
}

#[test]
fn elapses_when_systemd_says() {
    let zones = zones();
    let mut writer = Writer::new(1);
    let mut tally = Tally::default();
    for round in 0..ROUNDS {
        let name = ZONES[round % ZONES.len()];
        let base = base(&mut writer.chance, &zones.find(name).unwrap());
        let expressions: Vec<Expression> = (0..60).map(|_| writer.expression(false)).collect();
        Case { zones: &zones, name, base }.compare(&expressions, &mut tally);
    }
    println!("{} the same, {:?}; {:?}", tally.same, tally.faults, writer.used);
    assert!(
        tally.unexplained.is_empty(),
        "{} unexplained:\n{}",
        tally.unexplained.len(),
        tally.unexplained.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn accepts_what_systemd_accepts() {
    let zones = zones();
    let mut writer = Writer::new(2);
    let (mut accepted, mut refused, mut shrunk) = (0, 0, 0);
    let mut wrong = Vec::new();
    for _ in 0..100 {
        let texts: Vec<String> =
            (0..200).map(|_| writer.mutated()).filter(|text| !text.contains('\'')).collect();
        for (text, answer) in texts.iter().zip(ask(&texts, "UTC", 1_767_225_600, 1)) {
            let ours = OnCalendar::parse(text, &TimeZone::UTC, &zones);
            let theirs = answer != Answer::Refused;
            match (matches!(ours, Ok(_) | Err(ScheduleError::Never)), theirs) {
                (true, true) => accepted += 1,
                (false, false) => refused += 1,
                (true, false) if text.contains('~') => shrunk += 1,
                _ => wrong.push(format!("{text:?}: systemd {theirs}, ours {ours:?}")),
            }
        }
    }
    println!("{accepted} accepted, {refused} refused, {shrunk} shrunk");
    assert!(
        wrong.is_empty(),
        "{}:\n{}",
        wrong.len(),
        wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
    );
}
