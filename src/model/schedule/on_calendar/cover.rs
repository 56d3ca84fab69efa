//! What a calendar expression covers, rather than when it begins: whole days when no time is written, else as finely
//! as it is written. It knows local times, and never zones or what is done with them.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use crate::model::schedule::on_calendar::days::Days;
use crate::model::schedule::on_calendar::parse::{self, Grain};
use crate::model::schedule::on_calendar::times::{End, Times};
use crate::model::schedule::{ScheduleError, Zones};

/// Days that are looked at for the end of those that follow each other.
const DAYS_MAX: u32 = 400;

/// The local times that an expression covers.
#[derive(Debug, Clone)]
pub(in crate::model::schedule) struct Cover {
    days: Days,
    /// `None`: the whole day.
    times: Option<Times>,
}

impl Cover {
    /// Reads an expression, and the zone that it names.
    pub(in crate::model::schedule) fn read(
        text: &str,
        zones: &Zones,
    ) -> Result<(Self, Option<TimeZone>), ScheduleError> {
        let written = parse::read(text, zones)?;
        let times = match written.grain {
            Grain::Day => None,
            Grain::Minute => Some(written.times.with_every_second()),
            Grain::Second => Some(written.times),
        };
        let cover = Self { days: written.days, times: times.filter(|times| !times.are_all()) };
        // A date that is long past is well written.
        let first = Date::new(1970, 1, 1).ok().and_then(|first| cover.days.first_from(first));
        first.ok_or(ScheduleError::Never)?;
        Ok((cover, written.zone))
    }

    /// The day, when it is a single whole one.
    pub(in crate::model::schedule) fn day(&self) -> Option<Date> {
        if self.times.is_some() { None } else { self.days.single() }
    }

    /// The first local time after this one that is perhaps not covered, when this one is.
    pub(in crate::model::schedule) fn end(&self, local: DateTime) -> Option<DateTime> {
        let mut date = local.date();
        if !self.days.has(date) {
            return None;
        }
        if let Some(times) = &self.times {
            return Some(match times.end_of_cover(local.time())? {
                End::Before(end) => date.to_datetime(end),
                End::OfDay => begin_of_next(date),
            });
        }
        for _ in 0..DAYS_MAX {
            date = date.tomorrow().ok()?;
            if !self.days.has(date) {
                break;
            }
        }
        Some(date.to_datetime(Time::midnight()))
    }
}

/// Of the last day of the calendar, its end.
pub(in crate::model::schedule) fn begin_of_next(date: Date) -> DateTime {
    date.tomorrow().map_or(date.to_datetime(Time::MAX), |next| next.to_datetime(Time::midnight()))
}
