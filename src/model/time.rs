//! Instants and distances, both in whole milliseconds. Never reads a clock.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::{Add, Sub};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

/// Length of a second, minute, hour and day in milliseconds.
const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The first and the last instant, in milliseconds since the epoch.
const FIRST: i64 = -377_705_023_201_000;
const LAST: i64 = 253_402_207_200_000;

/// An instant: milliseconds since 1970-01-01T00:00:00Z. Written as RFC 3339 UTC with milliseconds.
///
/// It counts from 1 at the first one, so that no instant takes no room of its own: a heartbeat has nine that may be missing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZeroU64);

impl Timestamp {
    /// The earliest instant that can be written (year -9999).
    pub const MIN: Self = Self(NonZeroU64::MIN);
    /// The latest instant that can be written (year 9999).
    pub const MAX: Self = Self::from_millis(LAST);

    /// From milliseconds since the epoch; what lies outside the years ±9999 is clamped.
    pub const fn from_millis(millis: i64) -> Self {
        let last = LAST.abs_diff(FIRST);
        let after_first = if millis < FIRST { 0 } else { millis.abs_diff(FIRST) };
        let after_first = if after_first > last { last } else { after_first };
        Self(NonZeroU64::MIN.saturating_add(after_first))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        FIRST + (self.0.get() - 1).cast_signed()
    }

    /// The distance from `earlier` to this instant, zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Span {
        Span::from_millis(self.as_millis() - earlier.as_millis())
    }

    /// The same instant for the calendar library.
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.as_millis()).expect("every Timestamp lies within jiff's range")
    }

    /// From the calendar library; fractions of a millisecond are cut towards the past.
    pub fn from_jiff(instant: jiff::Timestamp) -> Self {
        Self::from_millis(instant.as_nanosecond().div_euclid(1_000_000) as i64)
    }
}

/// The epoch.
impl Default for Timestamp {
    fn default() -> Self {
        Self::from_millis(0)
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self::from_millis(self.as_millis().saturating_add(span.as_millis()))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self::from_millis(self.as_millis().saturating_sub(span.as_millis()))
    }
}

impl Add<Step> for Timestamp {
    type Output = Self;
    fn add(self, step: Step) -> Self {
        Self::from_millis(self.as_millis().saturating_add(step.0))
    }
}

impl Sub<Step> for Timestamp {
    type Output = Self;
    fn sub(self, step: Step) -> Self {
        Self::from_millis(self.as_millis().saturating_sub(step.0))
    }
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(format))
            .description(Some("An instant in UTC, with milliseconds (RFC 3339)."))
            .examples(["2026-11-22T03:10:00.000Z"])
            .into()
    }
}

impl ToSchema for Timestamp {}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.to_jiff())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        jiff::Timestamp::deserialize(deserializer).map(Self::from_jiff)
    }
}

/// A distance in time that is never negative. Written as milliseconds.
///
/// It holds one more than these, so that no distance takes no room of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(NonZeroU64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(NonZeroU64::MIN);

    /// From milliseconds; a negative number is zero.
    pub const fn from_millis(millis: i64) -> Self {
        let millis = if millis < 0 { 0 } else { millis.unsigned_abs() };
        Self(NonZeroU64::MIN.saturating_add(millis))
    }

    /// From seconds; a negative number is zero.
    pub const fn from_secs(secs: i64) -> Self {
        Self::from_millis(secs.saturating_mul(SECOND))
    }

    /// Milliseconds.
    pub const fn as_millis(self) -> i64 {
        (self.0.get() - 1).cast_signed()
    }

    /// Whole seconds, cut.
    pub const fn as_secs(self) -> i64 {
        self.as_millis() / SECOND
    }

    /// The sum, saturating.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self::from_millis(self.as_millis().saturating_add(other.as_millis()))
    }

    /// The difference, zero when `other` is longer.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self::from_millis(self.as_millis().saturating_sub(other.as_millis()))
    }

    /// `n` times this distance, saturating.
    #[must_use]
    pub const fn times(self, n: i64) -> Self {
        Self::from_millis(self.as_millis().saturating_mul(n))
    }

    /// For the standard library and tokio.
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0.get() - 1)
    }
}

impl Default for Span {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.as_millis())
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(Self::from_millis)
    }
}

/// How far a wall clock was set: on, or back when negative. Written as milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
pub struct Step(i64);

impl Step {
    /// Not at all.
    pub const ZERO: Self = Self(0);

    /// From milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The step that leads from one instant to the other.
    pub const fn between(from: Timestamp, to: Timestamp) -> Self {
        Self(to.as_millis() - from.as_millis())
    }

    /// Milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// How far, whichever way.
    pub const fn length(self) -> Span {
        Span::from_millis(self.0.saturating_abs())
    }

    /// Whether nothing was set.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

impl Add for Step {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Step {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// One start of the machine, by which steps of the wall clock show that were made while overdue was not running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// The kernel's name for it.
    pub id: Uuid,
    /// When it was, by the wall clock as it goes now: its time less the time since.
    pub at: Timestamp,
}

/// As a person writes it: `1d 2h`, `1h 30m`, `24h`, `90s`, `250ms`, `0s`; the two largest units that matter.
/// A whole number of days up to two is written in hours, as people say "24h".
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.as_millis();
        let parts: &[(i64, &str)] = match ms {
            0 => return f.write_str("0s"),
            _ if ms < SECOND => &[(1, "ms")],
            _ if ms < MINUTE => &[(SECOND, "s")],
            _ if ms < HOUR => &[(MINUTE, "m"), (SECOND, "s")],
            _ if ms < 2 * DAY => &[(HOUR, "h"), (MINUTE, "m")],
            _ => &[(DAY, "d"), (HOUR, "h")],
        };
        let mut rest = ms;
        let mut written = false;
        for (unit, letter) in parts {
            let n = rest / unit;
            rest %= unit;
            if n > 0 {
                write!(f, "{}{n}{letter}", if written { " " } else { "" })?;
                written = true;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_written_with_milliseconds_and_read_again() {
        let t = Timestamp::from_millis(1_795_316_400_123);
        let text = serde_json::to_string(&t).unwrap();
        assert_eq!(text, "\"2026-11-22T03:00:00.123Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), t);
    }

    #[test]
    fn arithmetic_saturates_at_the_ends_of_the_calendar() {
        assert_eq!(Timestamp::MAX + Span::from_secs(1), Timestamp::MAX);
        assert_eq!(Timestamp::MIN - Span::from_secs(1), Timestamp::MIN);
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Span::ZERO);
        assert_eq!(Timestamp::from_millis(i64::MAX), Timestamp::MAX);
        for end in [Timestamp::MIN, Timestamp::MAX] {
            assert_eq!(
                serde_json::from_str::<Timestamp>(&serde_json::to_string(&end).unwrap()).unwrap(),
                end
            );
        }
    }

    #[test]
    fn an_instant_or_distance_that_is_missing_takes_no_room_of_its_own() {
        assert_eq!(size_of::<Option<Timestamp>>(), 8);
        assert_eq!(size_of::<Option<Span>>(), 8);
        for millis in [FIRST, FIRST + 1, -1, 0, 1, LAST] {
            assert_eq!(Timestamp::from_millis(millis).as_millis(), millis);
        }
        assert_eq!((Timestamp::MIN.as_millis(), Timestamp::MAX.as_millis()), (FIRST, LAST));
        assert_eq!(Timestamp::from_millis(i64::MIN), Timestamp::MIN);
        assert_eq!(Timestamp::default(), Timestamp::from_millis(0));
        for millis in [0, 1, i64::MAX] {
            assert_eq!(Span::from_millis(millis).as_millis(), millis);
        }
        assert_eq!(Span::from_millis(-1), Span::ZERO);
        assert_eq!(serde_json::from_str::<Span>("-1").unwrap(), Span::ZERO);
    }

    #[test]
    fn spans_read_as_a_person_says_them() {
        for (secs, text) in [
            (0, "0s"),
            (90, "1m 30s"),
            (3_600, "1h"),
            (86_400, "24h"),
            (90_000, "25h"),
            (7 * 86_400, "7d"),
            (176_400, "2d 1h"),
        ] {
            assert_eq!(Span::from_secs(secs).to_string(), text);
        }
        assert_eq!(Span::from_millis(250).to_string(), "250ms");
    }
}
