//! Our answers beside systemd's. It knows which faults of systemd's were found, and never why.

use std::collections::BTreeMap;
use std::slice;

use jiff::tz::TimeZone;
use overdue::model::schedule::on_calendar::OnCalendar;
use overdue::model::schedule::{ScheduleError, Zones};
use overdue::model::time::Timestamp;

use crate::systemd::expressions::Expression;
use crate::systemd::faults::{Fault, suspect};
use crate::systemd::judge::{Answer, SECOND, ask};

const ITERATIONS: usize = 4;
/// 2199-12-31T00:00:00Z: systemd looks no further than the end of that year in any zone, and we do.
const HORIZON: i64 = 7_258_032_000;

/// What was compared, and how it differed.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) same: u32,
    pub(crate) faults: BTreeMap<Fault, u32>,
    pub(crate) unexplained: Vec<String>,
}

impl Tally {
    pub(crate) fn count(&self, fault: Fault) -> u32 {
        self.faults.get(&fault).copied().unwrap_or_default()
    }

    fn fault(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }
}

/// One instant of one zone, at which expressions are asked.
pub(crate) struct Case<'a> {
    pub(crate) zones: &'a Zones,
    pub(crate) zone: &'static str,
    /// In seconds.
    pub(crate) base: i64,
}

impl Case<'_> {
    /// Asks systemd for a few steps of each expression, and compares each step from where it was made.
    pub(crate) fn compare(&self, expressions: &[Expression], tally: &mut Tally) {
        let zone = self.zones.find(self.zone).unwrap();
        for (expression, answer) in expressions.iter().zip(self.ask(expressions, ITERATIONS)) {
            let ours = match OnCalendar::parse(&expression.text, &zone, self.zones) {
                Ok(ours) => ours,
                // What is long past is a mistake in a config, but none in an expression.
                Err(ScheduleError::Never) => continue,
                Err(error) => panic!("{expression:?}: {error}, systemd: {answer:?}"),
            };
            match answer {
                Answer::Refused => {
                    assert!(
                        expression.text.contains('~') && expression.text.contains(','),
                        "refused: {expression:?}"
                    );
                    tally.fault(Fault::ShrinkingList);
                }
                Answer::Lost => tally.fault(Fault::Circle),
                Answer::Elapses(theirs) => self.step_by_step(expression, &ours, &theirs, tally),
            }
        }
    }

    /// Compares the instants themselves, where systemd prints less than they hold.
    pub(crate) fn compare_seconds(&self, expressions: &[Expression], iterations: usize, tally: &mut Tally) {
        let zone = self.zones.find(self.zone).unwrap();
        for (expression, answer) in expressions.iter().zip(self.ask(expressions, iterations)) {
            let Ok(ours) = OnCalendar::parse(&expression.text, &zone, self.zones) else { continue };
            let Answer::Elapses(theirs) = answer else { continue };
            let first = Some(Timestamp::from_millis(self.base * 1_000));
            let instants = std::iter::successors(first, |t| ours.next_after(*t)).skip(1).take(iterations);
            let seconds = instants.map(|t| t.as_millis().div_euclid(1_000)).take_while(|t| *t < HORIZON);
            let seconds: Vec<i64> = seconds.collect();
            if seconds == theirs {
                tally.same += theirs.len() as u32;
            } else if ask(slice::from_ref(&expression.closed), self.zone, self.base * SECOND, iterations)
                == [Answer::Elapses(seconds)]
            {
                tally.fault(Fault::OpenStep);
            } else {
                tally
                    .unexplained
                    .push(format!("{expression:?} in {} after {}: {theirs:?}", self.zone, self.base));
            }
        }
    }

    fn ask(&self, expressions: &[Expression], iterations: usize) -> Vec<Answer> {
        let texts: Vec<String> = expressions.iter().map(|expression| expression.text.clone()).collect();
        ask(&texts, self.zone, self.base * SECOND, iterations)
    }

    fn step_by_step(&self, expression: &Expression, ours: &OnCalendar, theirs: &[i64], tally: &mut Tally) {
        let mut from = self.base;
        for step in 0..ITERATIONS {
            let next = ours.next_after(Timestamp::from_millis(from * 1_000)).map(|t| t.as_millis() / 1_000);
            let their_next = theirs.get(step).copied();
            if next == their_next || their_next.is_none() && next >= Some(HORIZON) {
                tally.same += 1;
            } else if let Some(fault) = self.explain(expression, ours.zone(), from, (next, their_next)) {
                tally.fault(fault);
            } else {
                let show = |t: Option<i64>| {
                    t.map(|t| {
                        jiff::Timestamp::from_second(t).unwrap().to_zoned(ours.zone().clone()).to_string()
                    })
                };
                tally.unexplained.push(format!(
                    "{expression:?} after {:?}: ours {:?}, systemd's {:?}",
                    show(Some(from)),
                    show(next),
                    show(their_next)
                ));
            }
            let Some(next) = their_next else { break };
            from = next;
        }
    }

    /// A fault counts only when systemd agrees with us as soon as it is led around it.
    fn explain(
        &self,
        expression: &Expression,
        zone: &TimeZone,
        from: i64,
        (ours, theirs): (Option<i64>, Option<i64>),
    ) -> Option<Fault> {
        let agrees = |text: &String, from: i64| {
            ask(slice::from_ref(text), self.zone, from, 1) == [Answer::Elapses(ours.into_iter().collect())]
        };
        let suspicions = suspect(zone, from, ours, theirs);
        let found = suspicions
            .iter()
            .find(|suspicion| {
                // Either form may meet another fault.
                let either = |from| agrees(&expression.text, from) || agrees(&expression.closed, from);
                suspicion.agrees_from.is_none_or(either)
            })
            .map(|suspicion| suspicion.fault);
        found.or_else(|| {
            let is_open = expression.closed != expression.text;
            (is_open && agrees(&expression.closed, from * SECOND)).then_some(Fault::OpenStep)
        })
    }
}
