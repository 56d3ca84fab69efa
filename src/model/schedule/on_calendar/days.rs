//! Which days a calendar expression means. It knows years, months and weekdays, and never times of the day.

use jiff::civil::Date;

use crate::model::schedule::on_calendar::field::{Item, YEAR};

/// The first year that an expression can name.
const FIRST_YEAR: u32 = 1970;
/// The last that it can name, and the least to which days are looked for.
const LAST_YEAR: i16 = 2199;
/// A rare day (29 February on a Sunday) comes at least every 40 years.
const YEARS: i16 = 50;
/// All weekdays, Monday as bit 0.
const WEEK: u8 = 0x7f;

/// The days of an expression.
#[derive(Debug, Clone)]
pub(super) struct Days {
    /// The named years since 1970; `None` for all.
    years: Option<Box<[u64; 4]>>,
    months: u16,
    /// Day 1 as bit 1, or with `from_end` the last day as bit 1.
    in_month: u32,
    from_end: bool,
    /// Monday as bit 0.
    weekdays: u8,
}

impl Days {
    /// Every day.
    pub(super) const fn all() -> Self {
        Self { years: None, months: 0x1ffe, in_month: u32::MAX - 1, from_end: false, weekdays: WEEK }
    }

    pub(super) fn with_weekdays(mut self, weekdays: u8) -> Self {
        self.weekdays = weekdays;
        self
    }

    pub(super) fn with_months(mut self, months: u64) -> Self {
        self.months = months as u16;
        self
    }

    pub(super) fn with_days(mut self, days: u64, from_end: bool) -> Self {
        self.in_month = days as u32;
        self.from_end = from_end;
        self
    }

    pub(super) fn with_years(mut self, text: &str) -> Result<Self, String> {
        self.years = YEAR.read(text)?.map(|items| {
            let mut years = Box::new([0; 4]);
            for year in items.iter().flat_map(Item::numbers).map(|year| year - FIRST_YEAR) {
                if let Some(word) = years.get_mut(year as usize / 64) {
                    *word |= 1 << (year % 64);
                }
            }
            years
        });
        Ok(self)
    }

    /// Only this day.
    pub(super) fn only(date: Date) -> Result<Self, String> {
        Self::all()
            .with_months(1 << date.month())
            .with_days(1 << date.day(), false)
            .with_years(&date.year().to_string())
    }

    /// The day, when it is a single one.
    pub(super) fn single(&self) -> Option<Date> {
        let years = self.years.as_ref()?;
        let single = years.iter().map(|word| word.count_ones()).sum::<u32>() == 1
            && self.months.is_power_of_two()
            && self.in_month.is_power_of_two()
            && !self.from_end
            && self.weekdays == WEEK;
        let first = Date::new(FIRST_YEAR as i16, 1, 1).ok().filter(|_| single)?;
        self.first_from(first)
    }

    /// Whether it means this day.
    pub(super) fn has(&self, date: Date) -> bool {
        self.weekdays & (1 << date.weekday().to_monday_zero_offset()) != 0
            && self.in_month(date.year(), date.month()) & (1 << date.day()) != 0
    }

    /// The first of its days at or after this one.
    pub(super) fn first_from(&self, date: Date) -> Option<Date> {
        let (mut year, mut month) = (date.year(), date.month());
        let end = year.saturating_add(YEARS).max(LAST_YEAR);
        let mut days = self.shown_in_month(year, month)? & (u64::MAX << date.day());
        while days == 0 {
            let months = if month < 12 { self.months & (u16::MAX << (month + 1)) } else { 0 };
            if months == 0 {
                year = self.first_year(year.checked_add(1)?)?;
                if year > end {
                    return None;
                }
            }
            let months = if months == 0 { self.months } else { months };
            month = months.trailing_zeros() as i8;
            days = self.shown_in_month(year, month)?;
        }
        Date::new(year, month, days.trailing_zeros() as i8).ok()
    }

    /// The first of its years at or after this one.
    fn first_year(&self, year: i16) -> Option<i16> {
        let Some(years) = &self.years else { return Some(year) };
        let from = u32::try_from(year).unwrap_or(0).saturating_sub(FIRST_YEAR);
        let mut word = from as usize / 64;
        let mut bits = years.get(word)? & (u64::MAX << (from % 64));
        while bits == 0 {
            word += 1;
            bits = *years.get(word)?;
        }
        Some((FIRST_YEAR + word as u32 * 64 + bits.trailing_zeros()) as i16)
    }

    /// Its days in a month, day 1 as bit 1, weekdays left aside.
    fn in_month(&self, year: i16, month: i8) -> u64 {
        if self.months & (1 << month) == 0 || self.first_year(year) != Some(year) {
            return 0;
        }
        let length = match month {
            4 | 6 | 9 | 11 => 30,
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            _ => 31,
        };
        let days = u64::from(self.in_month);
        let days = if self.from_end { days.reverse_bits() >> (62 - length) } else { days };
        days & ((2 << length) - 2)
    }

    /// The same with the weekdays; `None` past the calendar's end.
    fn shown_in_month(&self, year: i16, month: i8) -> Option<u64> {
        let days = self.in_month(year, month);
        if days == 0 || self.weekdays == WEEK {
            return Some(days);
        }
        let first = Date::new(year, month, 1).ok()?.weekday().to_monday_zero_offset();
        let weekdays = u64::from(self.weekdays);
        let from_first = (weekdays >> first | weekdays << (7 - first)) & u64::from(WEEK);
        Some(days & (0..5).fold(0, |all, week| all | from_first << (7 * week + 1)))
    }
}
