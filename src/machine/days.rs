//! What is remembered of a heartbeat's days: counts, and a sketch of how long its runs took, for 90 days in
//! UTC. The days that are over are packed into a few bytes each, since fifty thousand heartbeats have four
//! million of them.

use serde::{Deserialize, Serialize};

use crate::machine::days::pack::{pack, unpack};
use crate::machine::days::sketch::Sketch;
use crate::model::run::Outcome;
use crate::model::time::{Span, Timestamp};

mod pack;
pub mod sketch;

/// Days that are remembered, the running one included.
pub const DAYS: i32 = 90;

const DAY_MS: i64 = 86_400_000;

/// One day of a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Day {
    /// Days since 1970-01-01, in UTC.
    pub date: i32,
    /// Runs that ended on it, by outcome, and periods missed.
    pub counts: Counts,
    /// How long the runs took whose finish came on it.
    pub durations: Sketch,
}

/// What is counted of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Runs that finished well.
    pub success: u32,
    /// Runs that finished badly.
    pub failure: u32,
    /// Runs that did not finish in time.
    pub overran: u32,
    /// Runs that were superseded, paused or removed.
    pub abandoned: u32,
    /// Periods in which no finish came.
    pub missed: u32,
    /// Periods that went well.
    pub good: u32,
    /// Periods that did not: each counts once, whatever went wrong in it and how often.
    pub bad: u32,
}

/// The days of a heartbeat, and how its running period stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Days {
    /// The days before the last one, oldest first, packed.
    past: Vec<u8>,
    last: Option<Box<Day>>,
    period: Period,
}

/// What has been counted of the periods around now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Period {
    /// The running one is bad already: a run of it overran.
    spoiled: bool,
    /// The one before was bad.
    was_bad: bool,
}

impl Days {
    /// A run ended; `duration` when its finish came.
    pub(crate) fn ended(&mut self, at: Timestamp, outcome: Outcome, duration: Option<Span>) {
        self.on(at, |day| {
            day.counts.add(outcome);
            day.took(duration);
        });
    }

    /// The finish of a run came that has been counted already, as it overran.
    pub(crate) fn ended_late(&mut self, at: Timestamp, duration: Option<Span>) {
        self.on(at, |day| day.took(duration));
        // It fills the period that it has spoilt, if that still runs.
        self.period = Period { spoiled: false, was_bad: self.period.spoiled || self.period.was_bad };
    }

    /// A finish came. With it a period ends, unless it was a further one in the same period.
    pub(crate) fn finished(&mut self, at: Timestamp, good: bool, ends_period: bool) {
        let Period { spoiled, was_bad } = self.period;
        if ends_period {
            // What overran in it has been counted.
            if !spoiled {
                self.judge(at, u32::from(good), u32::from(!good));
            }
            self.period = Period { spoiled: false, was_bad: spoiled || !good };
        } else if !good && !was_bad {
            self.judge(at, 0, 1);
            self.period.was_bad = true;
        }
    }

    /// A run overran: its period is bad, and still runs.
    pub(crate) fn overran(&mut self, at: Timestamp) {
        if !self.period.spoiled {
            self.judge(at, 0, 1);
            self.period.spoiled = true;
        }
    }

    /// Periods ended without a finish.
    pub(crate) fn missed(&mut self, at: Timestamp, periods: u32) {
        self.on(at, |day| day.counts.missed = day.counts.missed.saturating_add(periods));
        self.judge(at, 0, periods.saturating_sub(u32::from(self.period.spoiled)));
        self.period = Period { spoiled: false, was_bad: true };
    }

    /// Nothing is expected any more: what comes later begins anew.
    pub(crate) fn paused(&mut self) {
        self.period = Period::default();
    }

    /// Every day on which something happened, oldest first.
    pub fn all(&self) -> Vec<Day> {
        let mut days = unpack(&self.past);
        days.extend(self.last.as_deref().cloned());
        days
    }

    fn judge(&mut self, at: Timestamp, good: u32, bad: u32) {
        self.on(at, |day| {
            day.counts.good = day.counts.good.saturating_add(good);
            day.counts.bad = day.counts.bad.saturating_add(bad);
        });
    }

    fn on(&mut self, at: Timestamp, change: impl FnOnce(&mut Day)) {
        let date = date_of(at);
        match &mut self.last {
            Some(last) if last.date == date => change(last),
            None => change(self.last.insert(Box::new(Day { date, ..Day::default() }))),
            Some(_) => {
                let mut days = self.all();
                let place = days.partition_point(|day| day.date < date);
                if days.get(place).is_none_or(|day| day.date != date) {
                    days.insert(place, Day { date, ..Day::default() });
                }
                change(&mut days[place]);
                // By number and not by date: a clock that was far ahead or behind for a while must cost nothing
                // but a few places. Days that have not been are shown to nobody.
                days.drain(..days.len().saturating_sub(DAYS as usize));
                self.last = days.pop().map(Box::new);
                self.past = pack(&days);
            }
        }
    }
}

/// The day of an instant, in UTC.
pub(crate) fn date_of(at: Timestamp) -> i32 {
    at.as_millis().div_euclid(DAY_MS) as i32
}

impl Day {
    fn took(&mut self, duration: Option<Span>) {
        if let Some(duration) = duration {
            self.durations.add(duration);
        }
    }
}

impl Counts {
    /// Counts a run.
    pub(crate) fn add(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Success => &mut self.success,
            Outcome::Failure => &mut self.failure,
            Outcome::Overran => &mut self.overran,
            Outcome::Abandoned => &mut self.abandoned,
        };
        *count = count.saturating_add(1);
    }

    fn list(self) -> [u32; 7] {
        let Self { success, failure, overran, abandoned, missed, good, bad } = self;
        [success, failure, overran, abandoned, missed, good, bad]
    }

    fn of([success, failure, overran, abandoned, missed, good, bad]: [u32; 7]) -> Self {
        Self { success, failure, overran, abandoned, missed, good, bad }
    }
}

/// How days stand in a snapshot: each as
/// `[date, [success, failure, overran, abandoned, missed, good, bad], shortest_ms, longest_ms, [[bucket, count], …]]`.
#[derive(Serialize, Deserialize)]
struct Written {
    days: Vec<WrittenDay>,
    #[serde(flatten)]
    period: Period,
}

type WrittenDay = (i32, [u32; 7], Span, Span, Vec<(u16, u32)>);

impl From<Days> for Written {
    fn from(days: Days) -> Self {
        let written = |day: Day| {
            let Sketch { shortest, longest, buckets } = day.durations;
            (day.date, day.counts.list(), shortest, longest, buckets)
        };
        Self { days: days.all().into_iter().map(written).collect(), period: days.period }
    }
}

impl From<Written> for Days {
    fn from(written: Written) -> Self {
        let day = |(date, counts, shortest, longest, buckets): WrittenDay| Day {
            date,
            counts: Counts::of(counts),
            durations: Sketch { shortest, longest, buckets },
        };
        let mut days: Vec<Day> = written.days.into_iter().map(day).collect();
        let last = days.pop().map(Box::new);
        Self { past: pack(&days), last, period: written.period }
    }
}

#[cfg(test)]
mod tests;
