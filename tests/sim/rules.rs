//! How a job is declared and what it says, as a test writes it down.

use crate::calendar::Calendar;

/// Milliseconds.
pub(crate) type Ms = i64;

/// When a job is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timing {
    /// This long after the last finish.
    Interval(Ms),
    /// At each multiple of so many minutes of the hour.
    Minutes(Ms),
    /// By a calendar.
    Calendar(&'static Calendar),
}

impl Timing {
    /// The first occurrence strictly after `t`.
    pub(crate) fn next_after(&self, t: Ms) -> Ms {
        match self {
            Self::Interval(every) => t + every,
            Self::Minutes(n) => (t.div_euclid(n * 60_000) + 1) * n * 60_000,
            Self::Calendar(calendar) => calendar.next_after(t),
        }
    }

    /// How long before this occurrence a finish counts for it: a minute, or a tenth of the distance from the last.
    pub(crate) fn early(&self, occurrence: Ms) -> Ms {
        match self {
            Self::Interval(_) => -1,
            Self::Minutes(n) => (n * 6_000).min(60_000),
            Self::Calendar(calendar) => calendar.early(occurrence),
        }
    }
}

/// How a heartbeat is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) timing: Timing,
    pub(crate) grace: Ms,
    pub(crate) max_runtime: Ms,
    pub(crate) paused: bool,
    pub(crate) await_first_ping: bool,
    pub(crate) resume_on_ping: bool,
    pub(crate) remind_every: Option<Ms>,
}

/// What a ping says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    Success,
    Start,
    Fail,
    Exit(u8),
    Log,
}
