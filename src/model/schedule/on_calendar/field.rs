//! Reads one part of a calendar expression: a list of numbers, ranges and steps. It knows what may be written and
//! says in plain words what is wrong with it, and never when anything is expected.

/// Items of a list at most, as systemd has it.
const ITEMS_MAX: usize = 241;
/// systemd counts in `int`.
const NUMBER_MAX: i64 = i32::MAX as i64;
/// Microseconds of a second.
pub(super) const SECOND: i64 = 1_000_000;

/// A part of an expression. The numbers are in its smallest unit, which for seconds is a microsecond.
pub(super) struct Field {
    name: &'static str,
    low: i64,
    high: i64,
    /// How many of the smallest unit a written 1 is.
    one: i64,
    /// The larger numbers come first: days before the month's end.
    from_end: bool,
}

const fn plain(name: &'static str, low: i64, high: i64) -> Field {
    Field { name, low, high, one: 1, from_end: false }
}

pub(super) const YEAR: Field = plain("year", 1970, 2199);
pub(super) const MONTH: Field = plain("month", 1, 12);
pub(super) const DAY: Field = plain("day", 1, 31);
/// The last day is 1; every month has the 28th before its end.
pub(super) const DAY_FROM_END: Field =
    Field { name: "day from the month's end", from_end: true, ..plain("", 1, 28) };
pub(super) const HOUR: Field = plain("hour", 0, 23);
pub(super) const MINUTE: Field = plain("minute", 0, 59);
pub(super) const SECONDS: Field =
    Field { name: "second", low: 0, high: 60 * SECOND - 1, one: SECOND, from_end: false };

/// The numbers from `first` to `last` that are a multiple of `step` from `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) step: u32,
}

impl Item {
    /// The first of its numbers at or after this one.
    pub(super) fn at_or_after(&self, value: u32) -> Option<u32> {
        let number = self.first + value.saturating_sub(self.first).div_ceil(self.step) * self.step;
        (number <= self.last).then_some(number)
    }

    /// Whether all are whole seconds.
    pub(super) fn is_whole(&self) -> bool {
        let whole = |number: u32| number.is_multiple_of(SECOND as u32);
        whole(self.first) && (self.first == self.last || whole(self.step))
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        (self.first..=self.last).step_by(self.step as usize)
    }
}

impl Field {
    /// Its items; `None` for `*`.
    pub(super) fn read(&self, text: &str) -> Result<Option<Vec<Item>>, String> {
        if text == "*" {
            return Ok(None);
        }
        let items: Vec<&str> = text.split(',').collect();
        if items.len() > ITEMS_MAX {
            return Err(format!("the {} has more than {ITEMS_MAX} items", self.name));
        }
        let read = |item: &&str| self.item(item).map_err(|what| self.blame(text, &what));
        items.iter().map(read).collect::<Result<_, _>>().map(Some)
    }

    /// A bit for each of the numbers, all for `*`.
    pub(super) fn mask(&self, text: &str) -> Result<u64, String> {
        Ok(match self.read(text)? {
            None => (self.low..=self.high).fold(0, |all, value| all | 1 << value),
            Some(items) => items.iter().flat_map(Item::numbers).fold(0, |all, value| all | 1 << value),
        })
    }

    fn blame(&self, text: &str, what: &str) -> String {
        format!("in the {} {text:?}: {what}", self.name)
    }

    fn item(&self, text: &str) -> Result<Item, String> {
        if let Some(rest) = text.strip_prefix('*') {
            return Err(match rest.strip_prefix('/') {
                Some(step) => format!("a step needs a number before it: write {}/{step}", self.low),
                None => "* stands alone".to_owned(),
            });
        }
        let (range, step) = match text.split_once('/') {
            None => (text, None),
            Some((range, step)) => (range, Some(self.step(step)?)),
        };
        match range.split_once("..") {
            None => self.open(self.number(range)?, step),
            Some((first, last)) => self.range(self.number(first)?, self.number(last)?, step),
        }
    }

    /// `5`, or `5/10`: on to the end.
    fn open(&self, first: i64, step: Option<i64>) -> Result<Item, String> {
        self.within(first)?;
        let step = step.unwrap_or(0);
        let end = if self.from_end { first - step } else { first + step };
        if end < self.low || end > self.high {
            return Err("the step leads out of the range at once".to_owned());
        }
        Ok(match step {
            0 => item(first, first, 1),
            // From the 7th day before the end by twos: 7, 5, 3, 1.
            _ if self.from_end => item((first - self.low) % step + self.low, first, step),
            _ => item(first, self.high, step),
        })
    }

    /// `1..5`, or `1..5/2`.
    fn range(&self, first: i64, last: i64, step: Option<i64>) -> Result<Item, String> {
        self.within(first)?;
        if first > last {
            return Err("the range runs backwards: write it as two, joined by a comma".to_owned());
        }
        if step.is_none() && self.one > 1 && first + self.one > last {
            return Err("a range of less than a second needs a step, as in 0..0.5/0.1".to_owned());
        }
        let step = step.unwrap_or(self.one);
        // The last number that it reaches is what must exist, not the one that is written.
        let last = last - (last - first) % step;
        self.within(last)?;
        Ok(item(first, last, step))
    }

    fn within(&self, number: i64) -> Result<(), String> {
        if (self.low..=self.high).contains(&number) {
            return Ok(());
        }
        let written = number as f64 / self.one as f64;
        Err(format!("{written} is not a number from {} to {}", self.low / self.one, self.high / self.one))
    }

    fn step(&self, text: &str) -> Result<i64, String> {
        let step = self.decimal(text).map_err(|()| format!("{text:?} after / is not a number"))?;
        if step == 0 { Err("a step of 0 leads nowhere".to_owned()) } else { Ok(step) }
    }

    fn number(&self, text: &str) -> Result<i64, String> {
        let number = self.decimal(text).map_err(|()| self.no_number(text))?;
        // As systemd reads two digits.
        Ok(match number {
            0..70 if self.high == YEAR.high => number + 2000,
            70..100 if self.high == YEAR.high => number + 1900,
            _ => number,
        })
    }

    fn no_number(&self, text: &str) -> String {
        let (low, high) = (self.low / self.one, self.high / self.one);
        match text.split_once('-') {
            None if text.is_empty() => {
                format!("something is missing, a number from {low} to {high} belongs there")
            }
            Some((first, last)) if !first.is_empty() => {
                format!("a range is written with two dots: {first}..{last}")
            }
            None | Some(_) => format!("{text:?} is not a number from {low} to {high}"),
        }
    }

    /// A number in the smallest unit; for seconds with a fraction, rounded to microseconds.
    fn decimal(&self, text: &str) -> Result<i64, ()> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) if self.one == SECOND => (whole, Some(digits(fraction)?)),
            Some(_) | None => (text, None),
        };
        let mut number = digits(whole)?.parse::<i64>().map_err(|_| ())?.checked_mul(self.one).ok_or(())?;
        if let Some(fraction) = fraction {
            let digit = |at: usize| fraction.as_bytes().get(at).map_or(0, |digit| i64::from(digit - b'0'));
            number += (0..6).fold(0, |all, at| all * 10 + digit(at)) + i64::from(digit(6) >= 5);
        }
        if number > NUMBER_MAX { Err(()) } else { Ok(number) }
    }
}

fn digits(text: &str) -> Result<&str, ()> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) { Ok(text) } else { Err(()) }
}

/// With the last number one that it has. All are checked to be small and not negative.
fn item(first: i64, last: i64, step: i64) -> Item {
    Item { first: first as u32, last: (last - (last - first) % step) as u32, step: step as u32 }
}
