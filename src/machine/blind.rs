//! When overdue could hear, and where that moves a deadline to.
//!
//! Time heard is a clock of its own: it stands still in blind windows. A deadline that a window touches
//! fires once that clock has gone on by the settling time since the window's end; time heard before a
//! further window counts, so a crash loop cannot put an incident off for ever.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::model::incident::BlindWindow;
use crate::model::time::{Span, Timestamp};

/// The longest settling time.
pub const SETTLE_MAX: Span = Span::from_secs(300);

/// Windows that an incident names.
const NAMED: usize = 10;

/// Windows that are remembered at the most; beyond, the two oldest become one.
const REMEMBERED: usize = 1_000;

/// What is known of when pings could be heard.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hearing {
    windows: VecDeque<Window>,
    /// Milliseconds of all windows so far. Signed, because wall clocks also jump back.
    blind_ms: i64,
}

/// A window, with the reading of the clock of heard time while it lasted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Window {
    #[serde(flatten)]
    blind: BlindWindow,
    heard_ms: i64,
}

impl Hearing {
    /// Takes note of a window.
    pub(crate) fn add(&mut self, blind: BlindWindow) {
        if blind.to <= blind.from {
            return;
        }
        let heard_ms = blind.from.as_millis() - self.blind_ms;
        self.blind_ms += blind.to.as_millis() - blind.from.as_millis();
        if let Some(last) = self.windows.back_mut()
            && last.heard_ms == heard_ms
            && last.blind.why == blind.why
        {
            // Nothing was heard in between: a start that failed, or the time from a start to the first ear.
            last.blind.to = blind.to;
            return;
        }
        self.windows.push_back(Window { blind, heard_ms });
        while self.windows.len() > NAMED
            && self.windows.front().is_some_and(|w| heard_ms - w.heard_ms > SETTLE_MAX.as_millis())
        {
            self.windows.pop_front();
        }
        if self.windows.len() > REMEMBERED {
            let first = self.windows.pop_front();
            if let (Some(first), Some(second)) = (first, self.windows.front_mut()) {
                second.blind.from = first.blind.from;
            }
        }
    }

    /// When a deadline fires whose settling time is at most `settle`: at its own instant, unless a window
    /// covers it or ends less than the settling time before it. A window that begins after it changes
    /// nothing: all that was heard by then counts.
    pub fn fires_at(&self, deadline: Timestamp, settle: Span) -> Timestamp {
        let settle = settle.min(SETTLE_MAX);
        let first = self.windows.partition_point(|w| w.blind.to + settle <= deadline);
        let mut windows = self.windows.range(first..);
        let Some(mut last) = windows.next().filter(|first| first.blind.from <= deadline) else {
            return deadline;
        };
        let target = last.heard_ms + settle.as_millis();
        for next in windows {
            if next.heard_ms >= target {
                break;
            }
            last = next;
        }
        last.blind.to + Span::from_millis(target - last.heard_ms)
    }

    /// The newest windows that ended after `since`, oldest first, at most ten.
    pub fn since(&self, since: Timestamp) -> Vec<BlindWindow> {
        let mut named: Vec<BlindWindow> = self
            .windows
            .iter()
            .rev()
            .take_while(|w| w.blind.to > since)
            .take(NAMED)
            .map(|w| w.blind)
            .collect();
        named.reverse();
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::incident::Blindness;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1_000)
    }

    fn hearing(windows: &[(i64, i64)]) -> Hearing {
        let mut hearing = Hearing::default();
        for &(from, to) in windows {
            hearing.add(BlindWindow { from: at(from), to: at(to), why: Blindness::NotRunning });
        }
        hearing
    }

    fn fires(windows: &[(i64, i64)], deadline: i64, settle: i64) -> i64 {
        hearing(windows).fires_at(at(deadline), Span::from_secs(settle)).as_millis() / 1_000
    }

    #[test]
    fn a_deadline_that_no_window_touches_stays() {
        assert_eq!(fires(&[], 100, 60), 100);
        assert_eq!(fires(&[(0, 40)], 100, 60), 100, "heard for exactly the settling time");
    }

    #[test]
    fn a_deadline_in_a_window_or_soon_after_it_fires_after_the_settling_time() {
        assert_eq!(fires(&[(50, 1_000)], 100, 60), 1_060);
        assert_eq!(fires(&[(50, 1_000)], 1_059, 60), 1_060);
        assert_eq!(fires(&[(50, 1_000)], 1_060, 60), 1_060);
        assert_eq!(fires(&[(50, 1_000)], 100, 100_000), 1_300, "five minutes at the most");
    }

    #[test]
    fn a_window_that_begins_after_a_deadline_does_not_move_it() {
        assert_eq!(fires(&[(200, 300)], 100, 60), 100);
        assert_eq!(fires(&[(101, 300)], 100, 300), 100);
        assert_eq!(fires(&[(100, 300)], 100, 60), 360, "it fell on the last instant that was heard");
        assert_eq!(fires(&[(50, 60), (130, 200)], 100, 60), 120, "it had moved, and fired before the second");
    }

    #[test]
    fn a_crash_loop_cannot_put_a_deadline_off_for_ever() {
        // 10 s heard, 5 s blind, again and again: 300 s heard are 30 rounds.
        let windows: Vec<(i64, i64)> = (0..30).map(|n| (n * 15, n * 15 + 5)).collect();
        assert_eq!(fires(&windows, 3, 300), 29 * 15 + 5 + 10);
    }

    #[test]
    fn windows_are_forgotten_only_when_no_deadline_needs_them() {
        let windows: Vec<(i64, i64)> = (0..5_000).map(|n| (n * 1_000, n * 1_000 + 5)).collect();
        let hearing = hearing(&windows);
        assert_eq!(hearing.windows.len(), NAMED);
        let crash_loop: Vec<(i64, i64)> = (0..5_000).map(|n| (n * 15, n * 15 + 14)).collect();
        let loop_hearing = self::hearing(&crash_loop);
        assert_eq!(loop_hearing.windows.len(), 301, "five minutes of heard time, one second a round");
        assert_eq!(loop_hearing.since(at(0)).len(), NAMED);
    }
}
