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
}

impl Seconds {
    fn read(text: &str) -> Result<Self, String> {
        let whole = |number: u32| number.is_multiple_of(SECOND as u32);
        Ok(match SECONDS.read(text)? {
            None => Self::Whole(ALL),
            Some(items)
                if items
                    .iter()
                    .all(|item| whole(item.first) && (item.first == item.last || whole(item.step))) =>
            {
                let seconds = items.iter().flat_map(Item::numbers).map(|micros| micros / SECOND as u32);
                Self::Whole(seconds.fold(0, |all, second| all | 1 << second))
            }
            Some(items) => Self::Fractions(items.into()),
        })
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

/// All seconds of a minute.
const ALL: u64 = (1 << 60) - 1;

fn micros(time: Time) -> u32 {
    u32::from(time.second().unsigned_abs()) * SECOND as u32 + time.subsec_nanosecond().unsigned_abs() / 1_000
}

fn time(hour: i8, minute: i8, micros: u32) -> Option<Time> {
    let (second, micros) = (micros / SECOND as u32, micros % SECOND as u32);
    Time::new(hour, minute, second as i8, micros as i32 * 1_000).ok()
}
