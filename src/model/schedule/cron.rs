//! Cron expressions, by the rules of Debian's cron. It knows an expression and a time zone, and never
//! what is expected at its times or when now is.
//!
//! The fields become bit masks, so that a million expressions stay small. What `L`, `W` and `#` mean is
//! croner's: it is asked once for each of the 28 shapes that a month can have. The walk is our own, since
//! croner's day rule is another ("or" for `*/2` beside a weekday) and its patterns take 6 KB each.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use crate::model::schedule::ScheduleError;
use crate::model::time::Timestamp;

mod days;
pub(super) mod field;

use self::days::Days;
use self::field::Fields;

/// Seconds of a minute, an hour and a day.
const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;
/// A rare day (29 February on a Sunday) comes at least every 40 years.
const YEARS: i16 = 50;
/// Where it is tried whether an expression ever matches: 2026-01-01T00:00:00Z.
const PROBE: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// A cron expression in a time zone.
#[derive(Debug, Clone)]
pub struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u32,
    months: u16,
    days: Days,
    /// Second, minute or hour begin with `*`: it runs by real time, in both passes of a repeated hour.
    follows_time: bool,
    zone: TimeZone,
}

impl Cron {
    /// Reads an expression: five fields, six with the second first, or one of `@hourly`, `@daily`, `@midnight`,
    /// `@weekly`, `@monthly`, `@yearly`, `@annually`. A day must match both day fields if one of them begins with
    /// `*`, else either.
    ///
    /// # Errors
    /// When it cannot be read or never matches.
    pub fn parse(expression: &str, zone: TimeZone) -> Result<Self, ScheduleError> {
        let fields = Fields::read(expression)?;
        let cron = Self {
            seconds: fields.second.mask,
            minutes: fields.minute.mask,
            hours: fields.hour.mask as u32,
            months: fields.month.mask as u16,
            follows_time: fields.second.starred || fields.minute.starred || fields.hour.starred,
            days: Days::new(&fields.day, &fields.weekday)?,
            zone,
        };
        cron.next_after(PROBE).ok_or(ScheduleError::Never)?;
        Ok(cron)
    }

    /// The first occurrence strictly after `t`.
    ///
    /// With a fixed second, minute and hour, a time that the clock skips in spring runs at the first instant after
    /// the gap, and a time that comes twice in autumn runs the first time only.
    pub fn next_after(&self, t: Timestamp) -> Option<Timestamp> {
        let t = t.to_jiff();
        let next = if self.follows_time { self.next_in_real_time(t) } else { self.next_fixed(t) };
        next.map(Timestamp::from_jiff)
    }

    /// The first time strictly after this local one that is written, whether or not it is on the clock.
    pub(super) fn written_after(&self, local: DateTime) -> Option<DateTime> {
        self.first_local(local.date(), second_of_day(local) + 1)
    }

    /// Whether a time that the clock skips runs right after the gap.
    pub(super) fn makes_up(&self) -> bool {
        !self.follows_time
    }

    /// The zone that it is in.
    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Walks the local calendar. The instants of local times in their order never go back, but those of a
    /// repeated hour lie in its first pass: seen from the second pass they are past, and are gone over.
    fn next_fixed(&self, t: jiff::Timestamp) -> Option<jiff::Timestamp> {
        let mut local = self.written_after(self.zone.to_datetime(t))?;
        loop {
            let instant = self.instant(local)?;
            if instant > t {
                return Some(instant);
            }
            let second = jiff::Span::new().seconds(1);
            let from = self.end_of_pass(t).unwrap_or(local).max(local.checked_add(second).ok()?);
            local = self.first_local(from.date(), second_of_day(from))?;
        }
    }

    /// The local time at which the clock was last changed before `t`, as it stood before the change: the end of
    /// the repeated hour in which `t` lies.
    fn end_of_pass(&self, t: jiff::Timestamp) -> Option<DateTime> {
        let least = jiff::Span::new().nanoseconds(1);
        let change = self.zone.preceding(t.checked_add(least).ok()?).next()?.timestamp();
        Some(self.zone.to_offset(change.checked_sub(least).ok()?).to_datetime(change))
    }

    /// Walks the spans between two changes of the offset, in each of which the local time is even.
    fn next_in_real_time(&self, t: jiff::Timestamp) -> Option<jiff::Timestamp> {
        let mut offset = self.zone.to_offset(t);
        let start = offset.to_datetime(t);
        let end = start.year().saturating_add(YEARS);
        let mut local = self.written_after(start);
        for change in self.zone.following(t) {
            if let Some(instant) = local.and_then(|local| offset.to_timestamp(local).ok())
                && instant < change.timestamp()
            {
                return Some(instant);
            }
            offset = change.offset();
            let start = offset.to_datetime(change.timestamp());
            if start.year() > end {
                return None;
            }
            local = self.first_local(start.date(), second_of_day(start));
        }
        offset.to_timestamp(local?).ok()
    }

    /// The instant of a local time: the first pass of a repeated one, the end of the gap for a skipped one.
    fn instant(&self, local: DateTime) -> Option<jiff::Timestamp> {
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
            AmbiguousOffset::Gap { before, after } => self.end_of_gap(local, before, after),
        }
    }

    fn end_of_gap(&self, skipped: DateTime, before: Offset, after: Offset) -> Option<jiff::Timestamp> {
        let latest = before.to_timestamp(skipped).ok()?;
        let earlier = after.to_timestamp(skipped).ok()?;
        let change = self.zone.following(earlier).find(|change| change.offset() == after);
        Some(change.map_or(latest, |change| change.timestamp().min(latest)))
    }

    /// The first local time at or after this second of this day, the offset left aside.
    fn first_local(&self, date: Date, second: u32) -> Option<DateTime> {
        let (mut year, mut month) = (date.year(), date.month());
        let mut days = self.days_of(year, month)?;
        if days & bit(date.day()) != 0
            && let Some((hour, minute, second)) = self.first_time(second)
        {
            return Some(date.at(hour, minute, second, 0));
        }
        days &= !(bit(date.day() + 1) - 1);
        let end = year.saturating_add(YEARS);
        while days == 0 {
            month += 1;
            if month > 12 {
                (year, month) = (year.checked_add(1)?, 1);
            }
            if year > end {
                return None;
            }
            days = self.days_of(year, month)?;
        }
        let (hour, minute, second) = self.first_time(0)?;
        Some(Date::new(year, month, days.trailing_zeros() as i8).ok()?.at(hour, minute, second, 0))
    }

    /// Hour, minute and second of the first time of a day at or after this second of it.
    fn first_time(&self, from: u32) -> Option<(i8, i8, i8)> {
        if from >= DAY {
            return None;
        }
        let (hour, minute, second) = (from / HOUR, from / MINUTE % 60, from % MINUTE);
        let (seconds, minutes) =
            (self.seconds & (u64::MAX << second), self.minutes & (u64::MAX << (minute + 1)));
        if self.hours & (1 << hour) != 0 {
            if self.minutes & (1 << minute) != 0 && seconds != 0 {
                return Some((hour as i8, minute as i8, first(seconds)));
            }
            if minutes != 0 {
                return Some((hour as i8, first(minutes), first(self.seconds)));
            }
        }
        let hours = self.hours & (u32::MAX << (hour + 1));
        (hours != 0).then(|| (first(hours.into()), first(self.minutes), first(self.seconds)))
    }

    /// The days of a month, day 1 as bit 1; `None` past the calendar's end.
    fn days_of(&self, year: i16, month: i8) -> Option<u64> {
        if self.months & (1 << month) == 0 {
            return Some(0);
        }
        let first = Date::new(year, month, 1).ok()?;
        let weekday = first.weekday().to_sunday_zero_offset().unsigned_abs();
        Some(self.days.in_month(first.days_in_month().unsigned_abs(), weekday))
    }
}

/// The second of the day; a begun one counts as over.
fn second_of_day(local: DateTime) -> u32 {
    let [hour, minute, second] =
        [local.hour(), local.minute(), local.second()].map(|n| u32::from(n.unsigned_abs()));
    hour * HOUR + minute * MINUTE + second
}

const fn first(mask: u64) -> i8 {
    mask.trailing_zeros() as i8
}

const fn bit(day: i8) -> u64 {
    1 << day
}

#[cfg(test)]
mod tests;
