//! Calendar expressions, by the rules of systemd 252 (`systemd.time(7)`). It knows an expression and a time zone,
//! and never what is expected at its times or when now is.
//!
//! The parts become bit masks, so that a million expressions stay small and the next day, hour or minute is found
//! without a walk.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use crate::model::schedule::{ScheduleError, Zones};
use crate::model::time::{Span, Timestamp};

mod cover;
mod days;
mod field;
mod parse;
mod times;

pub(super) use self::cover::{Cover, begin_of_next};
use self::days::Days;
use self::times::Times;

/// Where it is tried whether an expression ever matches: 2026-01-01T00:00:00Z.
const PROBE: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// The smallest distance between two instants.
const TICK: Span = Span::from_millis(1);

/// A calendar expression in a time zone.
///
/// Its occurrences are the instants at which the local clock shows one of its times: a time that the clock skips in
/// spring is none, one that comes twice in autumn is one the first time only. So do systemd's timers, each of
/// which goes on from its last occurrence. An occurrence between two milliseconds counts at the first of them.
#[derive(Debug, Clone)]
pub struct OnCalendar {
    days: Days,
    times: Times,
    zone: TimeZone,
}

impl OnCalendar {
    /// Reads an expression. The zone that it may name wins over `zone`.
    ///
    /// # Errors
    /// When it cannot be read or matches nothing after 2025.
    pub fn parse(expression: &str, zone: &TimeZone, zones: &Zones) -> Result<Self, ScheduleError> {
        let written = parse::read(expression, zones)?;
        let zone = written.zone.unwrap_or_else(|| zone.clone());
        let calendar = Self { days: written.days, times: written.times, zone };
        calendar.next_after(PROBE).ok_or(ScheduleError::Never)?;
        Ok(calendar)
    }

    /// The first occurrence strictly after `t`.
    pub fn next_after(&self, t: Timestamp) -> Option<Timestamp> {
        let start = (t + TICK).to_jiff();
        let mut local = self.zone.to_datetime(start);
        loop {
            local = self.first_local(local)?;
            let (before, after) = match self.zone.to_ambiguous_timestamp(local).offset() {
                AmbiguousOffset::Unambiguous { offset } => {
                    return offset.to_timestamp(local).ok().map(Timestamp::from_jiff);
                }
                AmbiguousOffset::Fold { before, after } => {
                    let first = before.to_timestamp(local).ok()?;
                    if first >= start {
                        return Some(Timestamp::from_jiff(first));
                    }
                    (before, after)
                }
                AmbiguousOffset::Gap { before, after } => (before, after),
            };
            local = self.end_of_change(local, before, after)?;
        }
    }

    /// The zone that it is in.
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first local time strictly after this one, whether or not the clock shows it.
    pub(super) fn written_after(&self, local: DateTime) -> Option<DateTime> {
        self.first_local(local.checked_add(jiff::SignedDuration::from_nanos(1)).ok()?)
    }

    /// The local time at which one that is skipped or repeated lies behind.
    fn end_of_change(&self, local: DateTime, before: Offset, after: Offset) -> Option<DateTime> {
        let later = before.max(after);
        // The larger offset gives the earlier of the two instants, which lies before the change.
        let earlier = later.to_timestamp(local).ok()?;
        let change = self.zone.following(earlier).find(|change| change.offset() == after)?;
        Some(later.to_datetime(change.timestamp()))
    }

    /// The first local time at or after this one.
    fn first_local(&self, from: DateTime) -> Option<DateTime> {
        let date = self.days.first_from(from.date())?;
        if date > from.date() {
            return Some(date.to_datetime(self.times.first_from(jiff::civil::Time::midnight())?));
        }
        if let Some(time) = self.times.first_from(from.time()) {
            return Some(date.to_datetime(time));
        }
        let date = self.days.first_from(date.tomorrow().ok()?)?;
        Some(date.to_datetime(self.times.first_from(jiff::civil::Time::midnight())?))
    }
}

#[cfg(test)]
mod tests;
