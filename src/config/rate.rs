//! How often something may happen, as people write it: `"20/s"`, `"300/m"`. Knows the units, and what somebody who
//! wrote something else probably meant; never knows what is counted.

use std::fmt;

use crate::model::time::Span;

const UNITS: [(char, i64); 3] = [('s', 1), ('m', 60), ('h', 3_600)];
/// More in one unit limits nothing, and would be closer together than can be told apart.
const MOST: u32 = 1_000_000;

/// So many in so long, and as many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    unit: char,
    per: Span,
}

/// A text that is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no rate; write a whole number from 1 to {MOST}, a slash and s, m or h: for example \"20/s\", \"300/m\" or \"5000/h\""
)]
pub struct RateError {
    text: String,
    meant: Option<Rate>,
}

impl Rate {
    /// How many.
    pub const fn count(self) -> u32 {
        self.count
    }

    /// In how long.
    pub const fn per(self) -> Span {
        self.per
    }

    fn new(count: u32, unit: char) -> Option<Self> {
        let &(unit, secs) = UNITS.iter().find(|(one, _)| *one == unit)?;
        (1..=MOST).contains(&count).then_some(Self { count, unit, per: Span::from_secs(secs) })
    }
}

/// So that [`parse_rate`] reads it.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.unit)
    }
}

impl RateError {
    /// What was probably meant, as it would be written.
    pub fn meant(&self) -> Option<String> {
        self.meant.map(|rate| format!("\"{rate}\""))
    }
}

/// Reads a rate: a whole number, a slash, and `s`, `m` or `h`.
///
/// # Errors
/// When it is written otherwise, is nought, or is more than a million.
pub fn parse_rate(text: &str) -> Result<Rate, RateError> {
    let strict = || {
        let (count, unit) = text.split_once('/')?;
        let digits = count.bytes().all(|digit| digit.is_ascii_digit());
        let mut letters = unit.chars();
        let (Some(unit), None, true) = (letters.next(), letters.next(), digits) else { return None };
        Rate::new(count.parse().ok()?, unit)
    };
    strict().ok_or_else(|| RateError { text: text.chars().take(40).collect(), meant: lenient(text) })
}

/// Reads what somebody may have meant: other words for the units, spaces, `per` in place of the slash.
fn lenient(text: &str) -> Option<Rate> {
    let text = text.to_lowercase();
    let (count, unit) = text.split_once('/').or_else(|| text.split_once("per"))?;
    let count: String = count.chars().filter(|letter| !matches!(letter, ' ' | ',' | '_')).collect();
    let unit = match unit.trim() {
        "s" | "1s" | "sec" | "second" => 's',
        "m" | "1m" | "min" | "minute" => 'm',
        "h" | "1h" | "hr" | "hour" => 'h',
        _ => return None,
    };
    Rate::new(count.parse().ok()?, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_a_slash_and_a_unit() {
        for (text, count, secs) in
            [("20/s", 20, 1), ("300/m", 300, 60), ("5000/h", 5_000, 3_600), ("1/h", 1, 3_600)]
        {
            let rate = parse_rate(text).unwrap();
            assert_eq!((rate.count(), rate.per()), (count, Span::from_secs(secs)), "{text}");
            assert_eq!(rate.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_rate_is_refused_with_a_guess() {
        for (text, meant) in [
            ("", None),
            ("20", None),
            ("20/", None),
            ("/s", None),
            ("0/s", None),
            ("-1/s", None),
            ("+1/s", Some("\"1/s\"")),
            ("1000001/s", None),
            ("99999999999999999999/s", None),
            ("1.5/s", None),
            ("20/d", None),
            ("20/ss", None),
            ("20/S", Some("\"20/s\"")),
            ("20 / s", Some("\"20/s\"")),
            ("20/sec", Some("\"20/s\"")),
            ("300 per minute", Some("\"300/m\"")),
            ("5,000/hour", Some("\"5000/h\"")),
        ] {
            let error = parse_rate(text).unwrap_err();
            assert_eq!(error.meant().as_deref(), meant, "{text}");
            assert!(error.to_string().contains("for example \"20/s\""), "{error}");
        }
    }
}
