//! When a job is expected. This folder is the only place that names the calendar crates.

use std::fmt;
use std::sync::Arc;

use jiff::tz::TimeZoneDatabase;
use serde::{Deserialize, Serialize};

use crate::model::time::{Span, Timestamp};

pub mod cron;

/// When a job is expected, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// This long after the last finish.
    Interval(Span),
    /// At the times of a cron expression, in the heartbeat's time zone.
    Cron(String),
}

impl Timing {
    /// The shortest and the longest interval.
    pub const INTERVAL: std::ops::RangeInclusive<Span> = Span::from_secs(1)..=Span::from_secs(366 * 86_400);

    /// The interval, when it is one.
    pub const fn interval(&self) -> Option<Span> {
        match self {
            Self::Interval(every) => Some(*every),
            Self::Cron(_) => None,
        }
    }

    /// Makes it ready to be asked.
    ///
    /// # Errors
    /// An expression that cannot be read or never matches, a time zone that does not exist.
    pub fn compile(&self, timezone: &str, zones: &Zones) -> Result<Occurrences, ScheduleError> {
        match self {
            Self::Interval(every) => Ok(Occurrences::Every(*every)),
            Self::Cron(expression) => {
                let zone = zones.find(timezone)?;
                cron::Cron::parse(expression, zone).map(Box::new).map(Occurrences::Cron)
            }
        }
    }
}

/// In words: `every 24h`, `cron 0 2 * * *`.
impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interval(every) => write!(f, "every {every}"),
            Self::Cron(expression) => write!(f, "cron {expression}"),
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
pub enum Occurrences {
    /// At this distance.
    Every(Span),
    /// By the calendar.
    Cron(Box<cron::Cron>),
}

impl Occurrences {
    /// The first occurrence strictly after `t`: for an interval, one interval on. `None` when there is none.
    pub fn next_after(&self, t: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(every) => Some(t + *every),
            Self::Cron(cron) => cron.next_after(t),
        }
    }

    /// The distance from the occurrence `due` to the one after it.
    pub fn period(&self, due: Timestamp) -> Span {
        self.next_after(due).map_or(Span::ZERO, |next| next.since(due))
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
    /// There is no such zone.
    #[error("there is no time zone {0:?}")]
    Zone(String),
}
