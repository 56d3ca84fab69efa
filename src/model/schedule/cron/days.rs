//! Which days of a month an expression means. It knows months by their length and first weekday only.

use croner::parser::{CronParser, Seconds, Year};

use crate::model::schedule::ScheduleError;
use crate::model::schedule::cron::field::Values;

/// Lengths of a month, each with seven possible first weekdays.
const LENGTHS: [u8; 4] = [28, 29, 30, 31];
/// All weekdays, Sunday as bit 0.
const WEEK: u64 = 0x7f;

/// The days of an expression.
#[derive(Debug, Clone)]
pub(super) enum Days {
    /// Plain lists.
    Listed { days: u64, weekdays: u64, both: bool },
    /// With `L`, `W` or `#`: the days of each shape of a month, by length and first weekday.
    Shaped(Box<[u32; 28]>),
}

impl Days {
    /// Debian's rule: a day must match both fields if one of them begins with `*`, else either of them.
    pub(super) fn new(day: &Values, weekday: &Values) -> Result<Self, ScheduleError> {
        let both = day.starred || weekday.starred;
        if day.special.is_empty() && weekday.special.is_empty() {
            return Ok(Self::Listed { days: day.mask, weekdays: weekday.mask, both });
        }
        shapes(&format!("0 0 {} * {}", day.list(), weekday.list()), both)
            .map(|shapes| Self::Shaped(Box::new(shapes)))
            .map_err(|error| ScheduleError::Expression(error.to_string()))
    }

    /// The days of a month of this length that begins with this weekday (Sunday is 0), day 1 as bit 1.
    pub(super) fn in_month(&self, length: u8, first_weekday: u8) -> u64 {
        match self {
            Self::Listed { days, weekdays, both } => {
                let from_first = (weekdays >> first_weekday | weekdays << (7 - first_weekday)) & WEEK;
                let weekdays = (0..5).fold(0, |all, week| all | from_first << (7 * week + 1));
                let either = if *both { days & weekdays } else { days | weekdays };
                either & ((2 << length) - 2)
            }
            Self::Shaped(shapes) => {
                shapes.get(shape(length, first_weekday)).map_or(0, |days| u64::from(*days))
            }
        }
    }
}

fn shape(length: u8, first_weekday: u8) -> usize {
    usize::from(length.saturating_sub(LENGTHS[0])) * 7 + usize::from(first_weekday)
}

/// Asks croner for every day of every shape.
fn shapes(pattern: &str, both: bool) -> Result<[u32; 28], croner::errors::CronError> {
    let reader = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).dom_and_dow(both);
    let cron = reader.build().parse(pattern)?;
    let mut shapes = [0; 28];
    for (length, (year, month)) in LENGTHS.into_iter().zip([(2001, 2), (2000, 2), (2001, 4), (2001, 1)]) {
        for first in 0..7 {
            for day in 1..=u32::from(length) {
                let weekday = croner::Weekday::from_days_from_sunday((u32::from(first) + day - 1) % 7);
                if cron.pattern.day_match(year, month, day, weekday)? {
                    shapes[shape(length, first)] |= 1 << day;
                }
            }
        }
    }
    Ok(shapes)
}
