//! The two axes of the chart: instants from left to right in percent of its width, lengths from its foot to its
//! top in pixels. Numbers only; it knows nothing of runs.

use std::fmt;

use askama::filters::HtmlSafe;
use askama::{FastWritable, Values};

use crate::model::time::{Span, Timestamp};

/// Where the room for lengths begins and ends.
pub(super) const TOP: f64 = 18.0;
pub(super) const FOOT: f64 = 198.0;
/// Room at either side, so that no mark is cut off.
const SIDE: f64 = 1.5;

/// Most marks on an axis.
const MARKS: i64 = 5;
/// How many times longer than half of them the longest may be before each step is ten times the one below.
const SPREAD: i64 = 25;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Steps between marks that people can count with.
static LENGTHS: [i64; 34] = [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    5 * DAY,
    10 * DAY,
    20 * DAY,
    50 * DAY,
    100 * DAY,
    200 * DAY,
];
static DECADES: [i64; 12] =
    [1, 10, 100, SECOND, 10 * SECOND, MINUTE, 10 * MINUTE, HOUR, 10 * HOUR, 4 * DAY, 40 * DAY, 400 * DAY];
static INSTANTS: [i64; 20] = [
    SECOND,
    5 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    90 * DAY,
    365 * DAY,
];

/// A place or a length, written with two digits.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(in crate::http::page) struct Place(pub f64);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.0)
    }
}

impl HtmlSafe for Place {}

/// What a template writes without a formatter is one call there.
impl FastWritable for Place {
    #[inline(never)]
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        Ok(write!(dest, "{self}")?)
    }
}

/// A mark on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::http::page) struct Tick {
    pub at: Place,
    pub label: String,
}

/// A line of the grid, as SVG.
pub(in crate::http::page) struct Line {
    x: [Place; 2],
    y: [Place; 2],
}

impl Tick {
    /// From top to foot.
    pub(in crate::http::page) fn down(&self, top: f64, foot: f64) -> Line {
        Line { x: [self.at; 2], y: [Place(top), Place(foot)] }
    }

    /// From side to side.
    pub(in crate::http::page) fn across(&self) -> Line {
        Line { x: [Place(0.0), Place(100.0)], y: [self.at; 2] }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { x: [x1, x2], y: [y1, y2] } = self;
        write!(f, r#"<line class="grid" x1="{x1}%" x2="{x2}%" y1="{y1}" y2="{y2}"/>"#)
    }
}

impl HtmlSafe for Line {}

impl FastWritable for Line {
    #[inline(never)]
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        Ok(write!(dest, "{self}")?)
    }
}

/// From the first instant to the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    from: i64,
    to: i64,
}

impl Times {
    /// Over these, at least ten seconds.
    pub(super) fn over(from: Timestamp, to: Timestamp) -> Self {
        let to = to.as_millis().max(from.as_millis());
        Self { from: from.as_millis().min(to - 10 * SECOND), to }
    }

    /// How far from the left, in percent.
    #[inline(never)]
    pub(super) fn at(self, instant: Timestamp) -> Place {
        let (from, to) = (self.from as f64, self.to as f64);
        let share = ((instant.as_millis() as f64 - from) / (to - from)).clamp(0.0, 1.0);
        Place(SIDE + share * (100.0 - 2.0 * SIDE))
    }

    /// Round instants in UTC.
    pub(super) fn ticks(self) -> Vec<Tick> {
        let span = self.to - self.from;
        let step = INSTANTS.iter().copied().find(|step| span / step < MARKS).unwrap_or(span / MARKS + 1);
        let first = self.from.div_euclid(step) * step;
        let mut ticks = Vec::new();
        for n in 0..=MARKS + 1 {
            let instant = Timestamp::from_millis(first + n * step);
            let at = self.at(instant);
            // What is written about a mark is as wide as some percent: none stands over an edge.
            if (self.from..=self.to).contains(&instant.as_millis()) && (6.0..=94.0).contains(&at.0) {
                ticks.push(Tick { at, label: label(instant, step) });
            }
        }
        ticks
    }
}

/// An instant to as much as a step of that size needs.
fn label(at: Timestamp, step: i64) -> String {
    let form = match step {
        _ if step >= 300 * DAY => "%b %Y",
        _ if step >= DAY || at.as_millis().rem_euclid(DAY) == 0 => "%b %-d",
        _ if step >= MINUTE => "%H:%M",
        _ => "%T",
    };
    at.to_jiff().strftime(form).to_string()
}

/// From no length at all, or from a short one, to the longest.
#[derive(Debug, Clone, Copy)]
pub(in crate::http::page) struct Lengths {
    low: i64,
    high: i64,
    step: i64,
    /// Whether each mark is ten times the one below.
    pub(in crate::http::page) tenfold: bool,
}

impl Lengths {
    /// Over these lengths in milliseconds, in order.
    pub(super) fn over(sorted: &[i64]) -> Self {
        let longest = sorted.last().copied().unwrap_or(0).max(1);
        let positive = &sorted[sorted.partition_point(|ms| *ms <= 0)..];
        let usual = positive.get(positive.len() / 2).copied().unwrap_or(1);
        if longest / usual > SPREAD {
            let shortest = positive.first().copied().unwrap_or(1);
            let low = DECADES.iter().copied().rev().find(|at| *at <= shortest).unwrap_or(1);
            let high = DECADES.iter().copied().find(|at| *at >= longest).unwrap_or(longest);
            return Self { low, high, step: 0, tenfold: true };
        }
        let step = LENGTHS.iter().copied().find(|step| (longest - 1) / step < MARKS - 1);
        let step = step.unwrap_or(longest / (MARKS - 1) + 1);
        Self { low: 0, high: ((longest - 1) / step + 1).saturating_mul(step), step, tenfold: false }
    }

    /// How far from the top, in pixels.
    #[inline(never)]
    pub(super) fn at(self, ms: i64) -> Place {
        let (ms, low, high) = (ms.clamp(self.low, self.high) as f64, self.low as f64, self.high as f64);
        let share =
            if self.tenfold { (ms / low).ln() / (high / low).ln() } else { (ms - low) / (high - low) };
        Place(FOOT - share.clamp(0.0, 1.0) * (FOOT - TOP))
    }

    /// Round lengths, from the shortest.
    pub(super) fn ticks(self) -> Vec<Tick> {
        let mut ticks = Vec::new();
        let mut mark = |ms| ticks.push(Tick { at: self.at(ms), label: Span::from_millis(ms).to_string() });
        if self.tenfold {
            let from = DECADES.partition_point(|at| *at < self.low);
            let within = &DECADES[from..DECADES.partition_point(|at| *at <= self.high)];
            within.iter().step_by(within.len().div_ceil(7)).for_each(|at| mark(*at));
        } else {
            let lengths = (0..=MARKS).map(|n| n.saturating_mul(self.step));
            lengths.take_while(|at| *at <= self.high).for_each(mark);
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn lengths_are_marked_in_round_steps() {
        assert_eq!(labels(&Lengths::over(&[3_900]).ticks()), ["0s", "1s", "2s", "3s", "4s"]);
        assert_eq!(labels(&Lengths::over(&[]).ticks()), ["0s", "1ms"]);
        assert_eq!(labels(&Lengths::over(&[0, 0]).ticks()), ["0s", "1ms"]);
        assert_eq!(labels(&Lengths::over(&[5 * MINUTE, 70 * MINUTE]).ticks()), ["0s", "30m", "1h", "1h 30m"]);
        let wide = Lengths::over(&[20, 30, 40, 2 * HOUR]);
        assert!(wide.tenfold);
        assert_eq!(labels(&wide.ticks()), ["10ms", "1s", "1m", "1h"]);
    }

    #[test]
    fn the_longest_is_at_the_top_and_none_at_the_foot() {
        let lengths = Lengths::over(&[4_000]);
        assert_eq!((lengths.at(0), lengths.at(4_000)), (Place(FOOT), Place(TOP)));
        assert_eq!(lengths.at(2_000), Place(f64::midpoint(FOOT, TOP)));
        let wide = Lengths::over(&[0, 10, 10, 10, 1_000]);
        assert_eq!((wide.at(0), wide.at(10), wide.at(1_000)), (Place(FOOT), Place(FOOT), Place(TOP)));
    }

    #[test]
    fn instants_are_marked_in_round_steps() {
        let day = Timestamp::from_millis(1_795_305_600_000);
        let later = |ms| Timestamp::from_millis(day.as_millis() + ms);
        assert_eq!(labels(&Times::over(later(0), later(4 * HOUR)).ticks()), ["01:00", "02:00", "03:00"]);
        let week = Times::over(later(-HOUR), later(7 * DAY)).ticks();
        assert_eq!(labels(&week), ["Nov 23", "Nov 25", "Nov 27"]);
        assert!(!Times::over(day, day).ticks().is_empty(), "at least ten seconds");
    }
}
