//! When a job is expected. This folder is the only place that names the calendar crates.

use std::fmt;
use std::sync::Arc;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use crate::model::schedule::exclusions::{Excluded, Exclusions};
use crate::model::schedule::expressions::Expressions;
use crate::model::time::{Span, Timestamp};

pub mod cron;
pub mod exclusions;
pub mod expressions;
pub mod on_calendar;
pub mod told;
pub mod words;

/// The longest that a finish comes early by itself.
const EARLY_MAX: Span = Span::from_secs(60);

/// How far an occurrence is looked for that is not excluded.
const HORIZON: Span = Span::from_secs(50 * 366 * 86_400);
/// When a schedule is made ready: more than once for each day of that, unless the list is long. A request of the API
/// is looked at in the loop.
const AT_COMPILE: Effort = Effort { cost: 300_000, looks: 20_000 };
/// When it is asked, which may be in the loop and for a thousand heartbeats in a row.
const WHEN_ASKED: Effort = Effort { cost: 100_000, looks: 1_000 };
/// For an interval, which is due when the exclusion is over as soon as that is too much.
const OF_INTERVAL: Effort = Effort { cost: 100_000, looks: 400 };
/// Nor does an interval look further once it met an exclusion this far away.
const INTERVAL_HORIZON: Span = Span::from_secs(400 * 86_400);
/// Where it is tried whether the exclusions leave anything: 2026-01-01T00:00:00Z.
const PROBE: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// When a job is expected, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// This long after the last finish.
    Interval(Span),
    /// At the times of cron expressions, in the heartbeat's time zone.
    Cron(Expressions),
    /// At the times of systemd's calendar expressions, in the heartbeat's time zone or their own.
    OnCalendar(Expressions),
}

impl Timing {
    /// The shortest and the longest interval.
    pub const INTERVAL: std::ops::RangeInclusive<Span> = Span::from_secs(1)..=Span::from_secs(366 * 86_400);

    /// The interval, when it is one.
    pub const fn interval(&self) -> Option<Span> {
        match self {
            Self::Interval(every) => Some(*every),
            Self::Cron(_) | Self::OnCalendar(_) => None,
        }
    }

    /// Makes it ready to be asked. What `exclude` names is never an occurrence.
    ///
    /// # Errors
    /// An expression that cannot be read or never matches, a time zone that does not exist, exclusions that
    /// leave nothing.
    pub fn compile(
        &self,
        timezone: &str,
        exclude: &Expressions,
        zones: &Zones,
    ) -> Result<Occurrences, ScheduleError> {
        self.compile_with(timezone, exclude, zones, &mut Excluded::default())
    }

    /// The same for one of many: `known` holds the exclusions that were read before.
    ///
    /// # Errors
    /// The same.
    pub fn compile_with(
        &self,
        timezone: &str,
        exclude: &Expressions,
        zones: &Zones,
        known: &mut Excluded,
    ) -> Result<Occurrences, ScheduleError> {
        let zone = zones.find(timezone)?;
        let rule = match self {
            Self::Interval(every) => Rule::Every(*every),
            Self::Cron(expressions) => {
                let read = |expression| cron::Cron::parse(expression, zone.clone());
                Rule::Cron(expressions.iter().map(read).collect::<Result<_, _>>()?)
            }
            Self::OnCalendar(expressions) => {
                let read = |expression| on_calendar::OnCalendar::parse(expression, &zone, zones);
                Rule::Calendar(expressions.iter().map(read).collect::<Result<_, _>>()?)
            }
        };
        let exclusions = known.read(exclude, (timezone, &zone), zones)?;
        let occurrences = Occurrences { rule, exclusions, zone };
        if !exclude.is_empty() && !occurrences.leaves_any() {
            return Err(ScheduleError::AllExcluded);
        }
        Ok(occurrences)
    }
}

/// In words: `every 24h`, `cron 0 2 * * *`, `on_calendar Mon..Fri 02:00`.
impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interval(every) => write!(f, "every {every}"),
            Self::Cron(expressions) => write!(f, "cron {expressions}"),
            Self::OnCalendar(expressions) => write!(f, "on_calendar {expressions}"),
        }
    }
}

/// The time zones that schedules may name: opened once, handed down.
#[derive(Clone, Debug)]
pub struct Zones(Arc<TimeZoneDatabase>);

impl Zones {
    /// From an opened database.
    pub fn new(database: TimeZoneDatabase) -> Self {
        Self(Arc::new(database))
    }

    /// The database within the program; needs no file.
    pub fn bundled() -> Self {
        Self::new(TimeZoneDatabase::bundled())
    }

    /// The zone of this IANA name.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, name: &str) -> Result<jiff::tz::TimeZone, ScheduleError> {
        self.0.get(name).map_err(|_| ScheduleError::Zone(name.to_owned()))
    }

    /// All names, for a suggestion.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.0.available().map(|name| name.as_str().to_owned())
    }
}

/// A timing that can be asked.
#[derive(Debug, Clone)]
pub struct Occurrences {
    rule: Rule,
    exclusions: Exclusions,
    zone: TimeZone,
}

#[derive(Debug, Clone)]
enum Rule {
    /// At this distance.
    Every(Span),
    /// By the calendar; the earliest counts.
    Cron(Box<[cron::Cron]>),
    /// By the calendar; the earliest counts.
    Calendar(Box<[on_calendar::OnCalendar]>),
}

/// How much is done to find an occurrence that is not excluded.
struct Effort {
    /// What all looks cost together, in expressions.
    cost: u32,
    /// How many they are at most.
    looks: u32,
}

impl Effort {
    /// A hundred in any case, but no more than are asked for: short lists of dates must not be given up.
    fn looks(&self, cost: u32) -> u32 {
        (self.cost / cost.max(1)).max(100).min(self.looks)
    }
}

impl Rule {
    fn expressions(&self) -> u32 {
        let n = match self {
            Self::Every(_) => 1,
            Self::Cron(crons) => crons.len(),
            Self::Calendar(calendars) => calendars.len(),
        };
        u32::try_from(n).unwrap_or(u32::MAX)
    }

    /// The first occurrence after `after`, which is not before `from`, the instant that an interval counts from. `None`
    /// at the end of the calendar, where instants no longer grow.
    fn next(&self, from: Timestamp, after: Timestamp) -> Option<Timestamp> {
        let next = match self {
            Self::Every(every) => {
                Some(from + every.times(after.since(from).as_millis() / every.as_millis().max(1) + 1))
            }
            Self::Cron(crons) => crons.iter().filter_map(|cron| cron.next_after(after)).min(),
            Self::Calendar(calendars) => calendars.iter().filter_map(|one| one.next_after(after)).min(),
        };
        next.filter(|next| *next > after)
    }
}

impl Occurrences {
    /// The first occurrence strictly after `t`: for an interval, one interval on. `None` when there is none.
    pub fn next_after(&self, t: Timestamp) -> Option<Timestamp> {
        let first = self.next_ignoring_exclusions(t)?;
        match self.exclusions.until(first) {
            None => Some(first),
            Some(until) => self.next_left(t, until),
        }
    }

    /// The first occurrence that is left when all up to `until` is excluded. When that is not found soon enough an
    /// interval is due as the exclusion of the first is over, and a calendar at the last that was looked at: it must
    /// not fall silent because each of them meets an exclusion.
    fn next_left(&self, t: Timestamp, mut until: Timestamp) -> Option<Timestamp> {
        let (effort, horizon) = match self.rule {
            Rule::Every(_) => (OF_INTERVAL, INTERVAL_HORIZON),
            Rule::Cron(_) | Rule::Calendar(_) => (WHEN_ASKED, HORIZON),
        };
        let looks = effort.looks(self.exclusions.cost().saturating_add(self.rule.expressions()));
        let mut last = until;
        for _ in 0..looks {
            last = self.rule.next(t, until).filter(|next| *next <= t + HORIZON)?;
            match self.exclusions.until(last) {
                None => return Some(last),
                Some(_) if last > t + horizon => break,
                Some(further) => until = further,
            }
        }
        match self.rule {
            Rule::Every(every) => self.exclusions.end_after(t + every, HORIZON, looks).or(Some(last)),
            Rule::Cron(_) | Rule::Calendar(_) => Some(last),
        }
    }

    /// Whether the exclusions leave an occurrence after 2025. An interval may begin at any instant. One of several
    /// expressions is enough.
    fn leaves_any(&self) -> bool {
        let cost = self.exclusions.cost().saturating_add(1).saturating_mul(self.rule.expressions());
        let leaves = |next: &dyn Fn(Timestamp) -> Option<Timestamp>| {
            let mut until = PROBE;
            for _ in 0..AT_COMPILE.looks(cost) {
                let Some(next) = next(until).filter(|next| *next <= PROBE + HORIZON) else { return false };
                match self.exclusions.until(next) {
                    None => return true,
                    Some(further) => until = further,
                }
            }
            false
        };
        match &self.rule {
            Rule::Every(_) => self.exclusions.leave_instants(),
            Rule::Cron(crons) => crons.iter().any(|cron| leaves(&|t| cron.next_after(t))),
            Rule::Calendar(calendars) => calendars.iter().any(|one| leaves(&|t| one.next_after(t))),
        }
    }

    /// The same, if nothing were excluded.
    fn next_ignoring_exclusions(&self, t: Timestamp) -> Option<Timestamp> {
        self.rule.next(t, t)
    }

    /// The distance from the occurrence `due` to the one after it.
    pub fn period(&self, due: Timestamp) -> Span {
        self.next_after(due).map_or(Span::ZERO, |next| next.since(due))
    }

    /// The next due after a finish: the first occurrence after it, or the one after that when the finish came so
    /// little before the first that it counts for it. How little, `early` says; without it the smaller of 1 minute
    /// and a tenth of the distance from the occurrence before.
    pub fn due_after_finish(&self, finish: Timestamp, early: Option<Span>) -> Option<Timestamp> {
        let first = self.next_after(finish)?;
        if let Rule::Every(_) = self.rule {
            return Some(first);
        }
        let before = first.since(finish);
        let counts = match early {
            Some(early) => before <= early,
            // A tenth of the distance or less: there is no other occurrence in ten times as long before it.
            None => before <= EARLY_MAX && self.next_after(first - before.times(10)) == Some(first),
        };
        if counts { self.next_after(first) } else { Some(first) }
    }

    /// The zone that it is in.
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

/// Why a timing cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The expression cannot be read.
    #[error("{0}")]
    Expression(String),
    /// The expression matches no time at all.
    #[error("this names no time that ever comes")]
    Never,
    /// An exclusion cannot be read.
    #[error("{0}")]
    Exclusion(String),
    /// The exclusions leave nothing.
    #[error("the exclusions leave no time at which it is expected")]
    AllExcluded,
    /// There is no such zone.
    #[error("there is no time zone {0:?}")]
    Zone(String),
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod proofs;
