//! Durations and sizes as people write them: `"1h30m"`, `"10KB"`. Knows the units, and what somebody who
//! wrote something else probably meant; never knows what a length is for.

use crate::model::time::Span;

const UNITS: [(char, i64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// A text that is no length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LengthError {
    /// Not a duration.
    #[error(
        "{text:?} is no duration; write for example \"90s\", \"5m\", \"1h30m\", \"24h\", \"7d\" or \"2w\""
    )]
    Duration {
        /// What was written.
        text: String,
        /// What was probably meant.
        meant: Option<String>,
    },
    /// Not a size.
    #[error("{text:?} is no size; write for example \"10KB\" (10,000 bytes) or \"256MiB\"")]
    Size {
        /// What was written.
        text: String,
        /// What was probably meant.
        meant: Option<String>,
    },
}

impl LengthError {
    /// What was probably meant, as it would be written.
    pub fn meant(&self) -> Option<String> {
        let (Self::Duration { meant, .. } | Self::Size { meant, .. }) = self;
        meant.as_ref().map(|meant| format!("{meant:?}"))
    }
}

/// Reads a duration: whole numbers with the units `w`, `d`, `h`, `m`, `s`, from large to small; or `0`.
///
/// # Errors
/// When it is written otherwise, or is longer than can be counted.
pub fn parse_span(text: &str) -> Result<Span, LengthError> {
    strict(text).map(Span::from_secs).ok_or_else(|| LengthError::Duration {
        text: text.chars().take(40).collect(),
        meant: lenient(text).map(|secs| write_span(Span::from_secs(secs))),
    })
}

/// Writes a duration so that [`parse_span`] reads it: `1h30m`. What is below a second is cut.
pub fn write_span(span: Span) -> String {
    let mut rest = span.as_secs();
    let mut text = String::new();
    for (letter, secs) in UNITS {
        // Weeks only when nothing else is needed, since nobody says 2w3d.
        if rest >= secs && (letter != 'w' || rest % secs == 0) {
            text.push_str(&(rest / secs).to_string());
            text.push(letter);
            rest %= secs;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn strict(text: &str) -> Option<i64> {
    // Of nothing no unit is missed.
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest[..digits].parse().ok()?;
        let letter = rest[digits..].chars().next()?;
        let &(_, secs) = units.find(|&&(unit, _)| unit == letter)?;
        total = total.checked_add(number.checked_mul(secs)?)?;
        rest = &rest[digits + letter.len_utf8()..];
    }
    (!text.is_empty()).then_some(total)
}

/// Reads what somebody may have meant: other words for the units, fractions, any order, bare seconds.
fn lenient(text: &str) -> Option<i64> {
    let squeezed: String = text.chars().filter(|c| !c.is_whitespace() && *c != ',').collect();
    let mut rest = squeezed.as_str();
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let secs = match rest[..letters].to_lowercase().as_str() {
            "" | "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            "w" | "week" | "weeks" => 604_800,
            "mo" | "month" | "months" => 30 * 86_400,
            "y" | "year" | "years" => 365 * 86_400,
            _ => return None,
        };
        total += number * f64::from(secs);
        rest = &rest[letters..];
    }
    (1.0..1e12).contains(&total).then_some(total as i64)
}

/// Reads a size in bytes: a whole number with `B`, `KB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`, `TB` or `TiB`.
///
/// # Errors
/// When it is written otherwise, or is more than can be counted.
pub fn parse_size(text: &str) -> Result<u64, LengthError> {
    let read = |text: &str, same: fn(&str, &str) -> bool| {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = (text[..digits].parse::<u64>().ok()?, text[digits..].trim());
        let &(unit, bytes) = SIZES.iter().find(|(name, _)| same(name, unit))?;
        number.checked_mul(bytes).map(|size| (size, format!("{number}{unit}")))
    };
    read(text, |name, unit| name == unit)
        .filter(|(_, written)| written == text)
        .map(|(size, _)| size)
        .ok_or_else(|| {
            let forgiving = |name: &str, unit: &str| {
                name.eq_ignore_ascii_case(unit)
                    || (unit.len() == 1 && name.len() == 2 && name[..1].eq_ignore_ascii_case(unit))
                    || (unit.is_empty() && name == "B")
            };
            let meant = read(text.trim(), forgiving).map(|(_, written)| written);
            LengthError::Size { text: text.chars().take(40).collect(), meant }
        })
}

/// Writes a size so that [`parse_size`] reads it as the same: `10KB`, `256MiB`.
pub fn write_size(bytes: u64) -> String {
    let whole = SIZES.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    let (name, unit) = whole.copied().unwrap_or(("B", 1));
    format!("{}{name}", bytes / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_the_contract_writes_them() {
        for (text, secs) in [
            ("0", 0),
            ("90s", 90),
            ("5m", 300),
            ("1h30m", 5_400),
            ("24h", 86_400),
            ("7d", 604_800),
            ("2w", 1_209_600),
            ("0s", 0),
            ("1w1d1h1m1s", 694_861),
        ] {
            assert_eq!(parse_span(text), Ok(Span::from_secs(secs)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_a_guess() {
        for (text, meant) in [
            ("", None),
            ("90", Some("1m30s")),
            ("1.5h", Some("1h30m")),
            ("1 hour", Some("1h")),
            ("30m1h", Some("1h30m")),
            ("5min", Some("5m")),
            ("1d 2h", Some("1d2h")),
            ("1h1h", Some("2h")),
            ("soon", None),
            ("-5m", None),
            ("5M", Some("5m")),
            ("99999999999999999999s", None),
            ("9999999999999999w", None),
            ("１h", None),
        ] {
            let error = parse_span(text).unwrap_err();
            assert_eq!(error.meant(), meant.map(|meant| format!("{meant:?}")), "{text}");
        }
    }

    #[test]
    fn a_written_duration_is_read_again() {
        for secs in [0, 1, 59, 60, 90, 3_600, 86_399, 86_400, 90_061, 604_800, 700_000] {
            let span = Span::from_secs(secs);
            assert_eq!(parse_span(&write_span(span)), Ok(span));
        }
    }

    #[test]
    fn sizes_tell_thousands_from_1024() {
        for (text, bytes) in
            [("10KB", 10_000), ("10KiB", 10_240), ("256MiB", 268_435_456), ("0B", 0), ("1GB", 1_000_000_000)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for (text, meant) in [
            ("10000", Some("\"10000B\"")),
            ("10kb", Some("\"10KB\"")),
            ("10 KB", Some("\"10KB\"")),
            ("10k", Some("\"10KB\"")),
            ("much", None),
            ("", None),
            ("99999999999TB", None),
        ] {
            assert_eq!(parse_size(text).unwrap_err().meant(), meant.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_size_is_written_as_it_is_read() {
        for text in ["0B", "1B", "999B", "10KB", "100KiB", "256MiB", "1GB", "1TiB", "16MiB", "10001B"] {
            assert_eq!(write_size(parse_size(text).unwrap()), text);
        }
    }
}
