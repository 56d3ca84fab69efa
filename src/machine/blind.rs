//! When overdue could hear, and where that moves a deadline to.
//!
//! There are three clocks. The wall's, which may be set. The steady one, which is the wall's less all its steps: by
//! it real time passes. And time heard, which stands still while nothing can be heard. A deadline that a window
//! touches fires once that last one has gone on by the settling time since the window's end; time heard before a
//! further window counts, so a crash loop cannot put an incident off for ever.
//!
//! A step of the wall clock takes no real time: it hides no ping, and deadlines that are a distance from
//! something (an interval's, a run's) go along with it. Those of a calendar stay where they are on the wall clock; it
//! can jump over them, and then they are treated like those that a window hid.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::model::incident::{BlindWindow, Blindness, NamedWindow};
use crate::model::time::{Span, Step, Timestamp};

/// What a gap in hearing, or a step of the wall clock, must exceed to be a blind window.
pub const BLIND_MIN: Span = Span::from_secs(2);

/// From how much on the wall clock counts as set: two clocks cannot be read at the same instant.
pub const STEP_MIN: Span = Span::from_millis(10);

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
    /// Milliseconds of all windows so far, steps aside.
    blind_ms: i64,
    /// All steps of the wall clock so far.
    #[serde(default, skip_serializing_if = "Step::is_zero")]
    stepped: Step,
}

/// A window, with what the other clocks show while it lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Window {
    #[serde(flatten)]
    blind: BlindWindow,
    /// The reading of the clock of heard time.
    heard_ms: i64,
    /// All steps of the wall clock until its end; its own among them, if it is one.
    #[serde(default, skip_serializing_if = "Step::is_zero")]
    stepped: Step,
    /// How far the wall clock was set, if it is a step.
    #[serde(default, skip_serializing_if = "Step::is_zero")]
    step: Step,
    /// A step that is too small to be told: it moves no deadline, it only tells how the wall clock went.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    small: bool,
}

impl Window {
    /// Its end on the steady clock.
    fn end(&self) -> Timestamp {
        self.blind.to - self.stepped
    }

    /// Its beginning on the steady clock.
    fn start(&self) -> Timestamp {
        self.blind.from - (self.stepped - self.step)
    }

    /// Whether it has something of this time on the steady clock. A step is a moment, which may be the first.
    fn overlaps(&self, from: Timestamp, until: Timestamp) -> bool {
        self.start() < until && (self.end() > from || !self.step.is_zero() && self.end() == from)
    }
}

/// When a ping was expected, which did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// From then on: the due, or the run's start.
    pub from: Timestamp,
    /// Until the deadline.
    pub until: Timestamp,
    /// What its beginning keeps to.
    pub keeps: Keeps,
}

/// What a deadline keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// The distance from what it counts from, however the wall clock is set.
    Distance,
    /// Its place on the wall clock.
    Place,
}

impl Hearing {
    /// All steps of the wall clock so far.
    pub const fn stepped(&self) -> Step {
        self.stepped
    }

    /// The reading of the steady clock at an instant after the last step.
    pub fn steady(&self, at: Timestamp) -> Timestamp {
        at - self.stepped
    }

    /// The instant at which the steady clock reads this, unless the wall clock is set once more.
    pub fn wall(&self, steady: Timestamp) -> Timestamp {
        steady + self.stepped
    }

    /// Takes note of a window.
    pub(crate) fn add(&mut self, blind: BlindWindow) {
        if blind.to <= blind.from {
            return;
        }
        let heard_ms = self.heard_ms(blind.from);
        self.blind_ms += blind.to.as_millis() - blind.from.as_millis();
        if let Some(last) = self.windows.back_mut()
            && last.heard_ms == heard_ms
            && last.blind.why == blind.why
            && last.step.is_zero()
        {
            // Nothing was heard in between: a start that failed, or the time from a start to the first ear.
            last.blind.to = blind.to;
            return;
        }
        self.push(Window { blind, heard_ms, stepped: self.stepped, step: Step::ZERO, small: false });
    }

    /// Takes note of a step of the wall clock, which shows `to` now, and of whether it is told to people.
    pub(crate) fn step(&mut self, by: Step, to: Timestamp, told: bool) {
        self.stepped = self.stepped + by;
        let blind = BlindWindow { from: to - by, to, why: Blindness::ClockStep };
        let heard_ms = self.heard_ms(to);
        self.push(Window { blind, heard_ms, stepped: self.stepped, step: by, small: !told });
    }

    fn heard_ms(&self, at: Timestamp) -> i64 {
        self.steady(at).as_millis() - self.blind_ms
    }

    fn push(&mut self, window: Window) {
        let heard_ms = window.heard_ms;
        self.windows.push_back(window);
        let is_old = |window: &Window| heard_ms - window.heard_ms > SETTLE_MAX.as_millis();
        // Nobody is told of the small ones: once no deadline can touch them they go, wherever they stand.
        self.windows.retain(|window| !(window.small && is_old(window)));
        let mut named = self.windows.iter().filter(|window| !window.small).count();
        while named > NAMED && self.windows.front().is_some_and(is_old) {
            named -= 1;
            self.windows.pop_front();
        }
        if self.windows.len() > REMEMBERED {
            let first = self.windows.pop_front();
            if let (Some(first), Some(second)) = (first, self.windows.front_mut())
                && first.step.is_zero()
                && second.step.is_zero()
                && first.stepped == second.stepped
            {
                second.blind.from = first.blind.from;
            }
        }
    }

    /// When a deadline fires whose settling time is at most `settle`: at its own instant, unless a window
    /// covers it or ends less than the settling time before it. A window that begins after it changes
    /// nothing: all that was heard by then counts.
    pub fn fires_at(&self, deadline: Timestamp, settle: Span, keeps: Keeps) -> Timestamp {
        if self.windows.is_empty() {
            return deadline;
        }
        let passes = match keeps {
            Keeps::Distance => self.steady(deadline),
            Keeps::Place => self.passes(deadline),
        };
        self.moved(passes, settle.min(SETTLE_MAX), keeps).map_or(deadline, |steady| self.wall(steady))
    }

    /// When, on the steady clock, the wall clock last came to this instant, or jumped over it.
    fn passes(&self, instant: Timestamp) -> Timestamp {
        let mut stepped = self.stepped;
        for window in self.windows.iter().rev().filter(|window| !window.step.is_zero()) {
            if instant >= window.blind.to {
                break;
            }
            if instant >= window.blind.from {
                return window.end();
            }
            stepped = window.stepped - window.step;
        }
        instant - stepped
    }

    /// Where windows move what passes at this instant to, all on the steady clock.
    fn moved(&self, passes: Timestamp, settle: Span, keeps: Keeps) -> Option<Timestamp> {
        let first = self.windows.partition_point(|window| window.end() + settle <= passes);
        let touches = |w: &&Window| w.step.is_zero() || keeps == Keeps::Place && !w.small;
        let mut windows = self.windows.range(first..).filter(touches);
        let mut last = windows.next().filter(|first| first.start() <= passes)?;
        let target = last.heard_ms + settle.as_millis();
        for next in windows {
            if next.heard_ms >= target {
                break;
            }
            last = next;
        }
        Some(last.end() + Span::from_millis(target - last.heard_ms))
    }

    /// The newest windows that ended after `since`, oldest first, at most ten; each with whether it overlaps the time
    /// from when a ping was expected until its deadline, if one was.
    pub fn since(&self, since: Timestamp, expected: Option<Expected>) -> Vec<NamedWindow> {
        let since = self.steady(since);
        let expected = expected.map(|expected| {
            let from = match expected.keeps {
                Keeps::Distance => self.steady(expected.from),
                Keeps::Place => self.passes(expected.from),
            };
            (from, self.steady(expected.until))
        });
        let newest = self.windows.iter().rev().take_while(|window| window.end() > since);
        let newest = newest.filter(|window| !window.small).take(NAMED);
        let mut named: Vec<NamedWindow> = newest
            .map(|window| NamedWindow {
                window: window.blind,
                overlaps: expected.is_some_and(|(from, until)| window.overlaps(from, until)),
            })
            .collect();
        named.reverse();
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        hearing(windows).fires_at(at(deadline), Span::from_secs(settle), Keeps::Distance).as_millis() / 1_000
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
        assert_eq!(loop_hearing.since(at(0), None).len(), NAMED);
    }
}
