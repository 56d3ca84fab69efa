//! Which times of a day a calendar expression means, to the microsecond. It never knows days or zones.

use jiff::civil::Time;

use crate::model::schedule::on_calendar::field::{HOUR, Item, MINUTE, SECOND, SECONDS};

/// The times of an expression.
#[derive(Debug, Clone)]
pub(super) struct Times {
    hours: u32,
    minutes: u64,
    seconds: Seconds,
}

/// Where something that is covered ends.
pub(super) enum End {
    Before(Time),
    OfDay,
}

#[derive(Debug, Clone)]
enum Seconds {
    Whole(u64),
    /// In microseconds.
    Fractions(Box<[Item]>),
}

impl Times {
    /// Only this time, to the second.
    pub(super) const fn only(hour: i8, minute: i8, second: i8) -> Self {
        Self { hours: 1 << hour, minutes: 1 << minute, seconds: Seconds::Whole(1 << second) }
    }

    /// Without seconds it is the first one of the minute.
    pub(super) fn read(hours: &str, minutes: &str, seconds: Option<&str>) -> Result<Self, String> {
        Ok(Self {
            hours: HOUR.mask(hours)? as u32,
            minutes: MINUTE.mask(minutes)?,
            seconds: seconds.map_or(Ok(Seconds::Whole(1)), Seconds::read)?,
        })
    }

    /// The first of them at or after this one.
    pub(super) fn first_from(&self, from: Time) -> Option<Time> {
        let (hour, minute) = (from.hour(), from.minute());
        if self.hours & (1 << hour) != 0 {
            if self.minutes & (1 << minute) != 0
                && let Some(micros) = self.seconds.first_from(micros(from))
            {
                return time(hour, minute, micros);
            }
            let minutes = self.minutes & (u64::MAX << (minute + 1));
            if minutes != 0 {
                return time(hour, minutes.trailing_zeros() as i8, self.seconds.first_from(0)?);
            }
        }
        let hours = self.hours & (u32::MAX << (hour + 1));
        if hours == 0 {
            return None;
        }
        let minute = self.minutes.trailing_zeros() as i8;
        time(hours.trailing_zeros() as i8, minute, self.seconds.first_from(0)?)
    }

    /// As it covers time when seconds are not written.
    pub(super) fn with_every_second(mut self) -> Self {
        self.seconds = Seconds::Whole(ALL);
        self
    }

    /// Whether it covers the whole day.
    pub(super) fn are_all(&self) -> bool {
        self.hours == ALL_HOURS && self.minutes == ALL && self.seconds.are_all()
    }

    /// The end of what is covered at this time, as far as is known at once.
    pub(super) fn end_of_cover(&self, from: Time) -> Option<End> {
        let (hour, minute) = (from.hour(), from.minute());
        if self.hours & (1 << hour) == 0 || self.minutes & (1 << minute) == 0 {
            return None;
        }
        let end = self.seconds.end_of_cover(micros(from))?;
        if end < MINUTE_MICROS {
            return time(hour, minute, end).map(End::Before);
        }
        // Whole minutes and hours that follow each other.
        let minutes = if self.seconds.are_all() { self.minutes >> minute } else { 1 };
        let minute = minute as u32 + minutes.trailing_ones();
        if minute < 60 {
            return time(hour, minute as i8, 0).map(End::Before);
        }
        let all = self.minutes == ALL && self.seconds.are_all();
        let hours = if all { self.hours >> hour } else { 1 };
        let hour = hour + hours.trailing_ones() as i8;
        Some(Time::new(hour, 0, 0, 0).map_or(End::OfDay, End::Before))
    }
}

impl Seconds {
    fn read(text: &str) -> Result<Self, String> {
        Ok(match SECONDS.read(text)? {
            None => Self::Whole(ALL),
            Some(items) if items.iter().all(Item::is_whole) => {
                let seconds = items.iter().flat_map(Item::numbers).map(|micros| micros / SECOND as u32);
                Self::Whole(seconds.fold(0, |all, second| all | 1 << second))
            }
            Some(items) => Self::Fractions(items.into()),
        })
    }

    fn are_all(&self) -> bool {
        matches!(self, Self::Whole(ALL))
    }

    /// The end of the second or millisecond that these microseconds of a minute lie in, when it is covered.
    fn end_of_cover(&self, from: u32) -> Option<u32> {
        let second = from / SECOND as u32;
        match self {
            Self::Whole(seconds) => {
                let run = (seconds >> second).trailing_ones();
                (run > 0).then_some((second + run) * SECOND as u32)
            }
            Self::Fractions(items) => {
                let milli = from - from % MILLI;
                let within = |begin: u32, length: u32| {
                    move |item: &Item| item.at_or_after(begin).is_some_and(|micros| micros < begin + length)
                };
                let is_whole = items.iter().filter(|item| item.is_whole());
                if is_whole.clone().any(within(second * SECOND as u32, 1)) {
                    return Some((second + 1) * SECOND as u32);
                }
                items.iter().any(within(milli, MILLI)).then_some(milli + MILLI)
            }
        }
    }

    /// The first at or after these microseconds of a minute.
    fn first_from(&self, from: u32) -> Option<u32> {
        match self {
            Self::Whole(seconds) => {
                let second = from.div_ceil(SECOND as u32);
                let seconds = seconds & u64::MAX.checked_shl(second)?;
                (seconds != 0).then(|| seconds.trailing_zeros() * SECOND as u32)
            }
            Self::Fractions(items) => items.iter().filter_map(|item| item.at_or_after(from)).min(),
        }
    }
}

/// All seconds of a minute, or minutes of an hour.
const ALL: u64 = (1 << 60) - 1;
const ALL_HOURS: u32 = (1 << 24) - 1;
const MINUTE_MICROS: u32 = 60 * SECOND as u32;
/// A millisecond in microseconds.
const MILLI: u32 = 1_000;

fn micros(time: Time) -> u32 {
    u32::from(time.second().unsigned_abs()) * SECOND as u32 + time.subsec_nanosecond().unsigned_abs() / 1_000
}

fn time(hour: i8, minute: i8, micros: u32) -> Option<Time> {
    let (second, micros) = (micros / SECOND as u32, micros % SECOND as u32);
    Time::new(hour, minute, second as i8, micros as i32 * 1_000).ok()
}
