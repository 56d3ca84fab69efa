//! The clocks: the wall's, one that only goes on while the machine is awake, and one that also counts
//! sleep. Together they tell a step of the wall clock from a suspend, and either from a loop that was
//! starved. A virtual twin follows tokio's own time, so that tests can pause it, and set its clock.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::machine::blind::{BLIND_MIN, STEP_MIN};
use crate::model::id::parse_uuid;
use crate::model::incident::{BlindWindow, Blindness};
use crate::model::time::{Boot, Span, Step, Timestamp};

/// A reading of two clocks that took longer is taken again, in nanoseconds.
const PAIR_NS: i64 = 100_000;

/// What the wall clock shows more than the one that nobody sets, in microseconds. It changes only when the wall
/// clock is set: what slows or speeds them up does so to both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frame(i64);

impl Frame {
    /// How far the wall clock was set on the way to another frame.
    fn step_to(self, other: Self) -> Step {
        let us = other.0 - self.0;
        if us.abs() < STEP_MIN.as_millis() * 1_000 {
            Step::ZERO
        } else {
            Step::from_millis((us + 500).div_euclid(1_000))
        }
    }
}

/// An instant, and how the wall clock was set when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// By the wall clock.
    pub at: Timestamp,
    /// As that was set.
    pub frame: Frame,
}

impl Stamp {
    /// Of two clocks read at once, in nanoseconds: the one of the wall, and the one that counts sleep.
    fn of(wall: i64, elapsed: i64) -> Self {
        let at = Timestamp::from_millis(wall.div_euclid(1_000_000));
        Self { at, frame: Frame((wall - elapsed).div_euclid(1_000)) }
    }
}

/// One look at all clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The wall clock.
    pub wall: Timestamp,
    /// How it is set.
    pub frame: Frame,
    /// Milliseconds since some instant, without sleep.
    pub awake_ms: i64,
    /// Milliseconds since some instant, with sleep.
    pub elapsed_ms: i64,
}

/// Where readings come from.
pub trait Clock: Send + Sync {
    /// Looks at all clocks.
    fn read(&self) -> Reading;

    /// The wall clock alone.
    fn now(&self) -> Timestamp {
        self.read().wall
    }

    /// The wall clock, and how it is set.
    fn stamp(&self) -> Stamp {
        let Reading { wall, frame, .. } = self.read();
        Stamp { at: wall, frame }
    }

    /// Which start of the machine this is, by a reading; `None` when that cannot be known.
    fn boot(&self, _reading: &Reading) -> Option<Boot> {
        None
    }
}

/// The clocks of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

fn nanos(id: ClockId) -> i64 {
    let time = clock_gettime(id);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

impl SystemClock {
    /// The wall clock, and between two readings the one that counts sleep.
    fn pair() -> (i64, i64) {
        let mut best = (0, 0, i64::MAX);
        for _ in 0..3 {
            let before = nanos(ClockId::Boottime);
            let wall = nanos(ClockId::Realtime);
            let took = nanos(ClockId::Boottime) - before;
            if took < best.2 {
                best = (wall, before + took / 2, took);
            }
            if took < PAIR_NS {
                break;
            }
        }
        (best.0, best.1)
    }
}

impl Clock for SystemClock {
    fn read(&self) -> Reading {
        let (wall, elapsed) = Self::pair();
        let Stamp { at, frame } = Stamp::of(wall, elapsed);
        Reading {
            wall: at,
            frame,
            awake_ms: nanos(ClockId::Monotonic) / 1_000_000,
            elapsed_ms: elapsed / 1_000_000,
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(nanos(ClockId::Realtime).div_euclid(1_000_000))
    }

    fn stamp(&self) -> Stamp {
        let (wall, elapsed) = Self::pair();
        Stamp::of(wall, elapsed)
    }

    fn boot(&self, reading: &Reading) -> Option<Boot> {
        // In a time namespace the clock that counts sleep begins elsewhere each time.
        let moved = fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
        if moved.split_ascii_whitespace().any(|word| word.parse().is_ok_and(|offset: i64| offset != 0)) {
            return None;
        }
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let at = Timestamp::from_millis(reading.frame.0.div_euclid(1_000));
        Some(Boot { id: parse_uuid(id.trim())?, at })
    }
}

/// A clock that starts at an instant and goes with tokio's time, unless it is set.
#[derive(Debug)]
pub struct VirtualClock {
    origin: tokio::time::Instant,
    start: Timestamp,
    stepped_ms: AtomicI64,
}

impl VirtualClock {
    /// Starts now, at `start`.
    pub fn new(start: Timestamp) -> Arc<Self> {
        let origin = tokio::time::Instant::now();
        Arc::new(Self { origin, start, stepped_ms: AtomicI64::new(0) })
    }

    /// Sets it.
    pub fn step(&self, by: Step) {
        self.stepped_ms.fetch_add(by.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn read(&self) -> Reading {
        let elapsed_ms = self.origin.elapsed().as_millis() as i64;
        let set = self.start + Step::from_millis(self.stepped_ms.load(Ordering::SeqCst));
        Reading {
            wall: set + Span::from_millis(elapsed_ms),
            frame: Frame(set.as_millis() * 1_000),
            awake_ms: elapsed_ms,
            elapsed_ms,
        }
    }
}

/// Compares each look with the one before.
#[derive(Debug)]
pub(super) struct Watch {
    last: Reading,
    /// As it was set when that was last told: what is too small to tell adds up.
    frame: Frame,
    /// What must lie between two looks for a blind window.
    stalled: Span,
}

/// What a look shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Nothing could be heard; by the wall clock as it was set before.
    pub(super) blind: Option<BlindWindow>,
    /// How far it was set.
    pub(super) step: Step,
}

impl Watch {
    /// Begins; a loop that takes longer between two looks was starved.
    pub(super) fn new(first: Reading, stalled: Duration) -> Self {
        let stalled = Span::from_millis(stalled.as_millis().try_into().unwrap_or(i64::MAX));
        Self { last: first, frame: first.frame, stalled }
    }

    /// Takes a look. The loop looks more often than the longest gap that is borne, so a longer one is a blind window.
    pub(super) fn look(&mut self, reading: Reading) -> Seen {
        let last = std::mem::replace(&mut self.last, reading);
        let step = self.frame.step_to(reading.frame);
        self.frame = Frame(self.frame.0 + step.as_millis() * 1_000);
        let awake = Span::from_millis(reading.awake_ms - last.awake_ms);
        let elapsed = Span::from_millis(reading.elapsed_ms - last.elapsed_ms);
        let why = if elapsed.minus(awake) > BLIND_MIN {
            Some(Blindness::Suspended)
        } else if awake > self.stalled {
            Some(Blindness::Stalled)
        } else {
            None
        };
        let blind = why.map(|why| BlindWindow { from: last.wall, to: reading.wall - step, why });
        Seen { blind, step }
    }

    /// What a stamp is by the wall clock as it is set now.
    pub(super) fn at(&self, stamp: Stamp) -> Timestamp {
        stamp.at + stamp.frame.step_to(self.frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BORNE: Duration = Duration::from_secs(2);

    fn reading(wall: i64, awake: i64, elapsed: i64) -> Reading {
        Reading {
            wall: Timestamp::from_millis(wall * 1_000),
            frame: Frame((wall - elapsed) * 1_000_000),
            awake_ms: awake * 1_000,
            elapsed_ms: elapsed * 1_000,
        }
    }

    fn look(second: Reading) -> (Option<Blindness>, i64) {
        let seen = Watch::new(reading(100, 10, 20), BORNE).look(second);
        (seen.blind.map(|window| window.why), seen.step.as_millis())
    }

    #[test]
    fn the_clocks_tell_a_step_from_a_suspend_from_a_stall() {
        use Blindness::{Stalled, Suspended};
        assert_eq!(look(reading(101, 11, 21)), (None, 0));
        assert_eq!(look(reading(102, 12, 22)), (None, 0), "two seconds are borne");
        assert_eq!(look(reading(105, 15, 25)), (Some(Stalled), 0));
        assert_eq!(look(reading(3_700, 11, 3_620)), (Some(Suspended), 0));
        assert_eq!(look(reading(3_700, 11, 21)), (None, 3_599_000));
        assert_eq!(look(reading(50, 11, 21)), (None, -51_000));
        assert_eq!(look(reading(4_000, 11, 3_620)), (Some(Suspended), 300_000), "set while it woke up");
        assert_eq!(look(reading(100, 15, 25)), (Some(Stalled), -5_000), "set while it was starved");
    }

    #[test]
    fn a_window_is_told_by_the_clock_as_it_was_set_before() {
        let seen = Watch::new(reading(100, 10, 20), BORNE).look(reading(4_000, 11, 3_620));
        let window = seen.blind.unwrap();
        assert_eq!((window.from.as_millis(), window.to.as_millis()), (100_000, 3_700_000));
    }

    #[test]
    fn small_steps_add_up_and_none_is_lost() {
        let mut watch = Watch::new(reading(100, 10, 20), BORNE);
        let mut sum = 0;
        for n in 1..=1_000 {
            let mut next = reading(100 + n, 10 + n, 20 + n);
            next.frame = Frame(next.frame.0 + n * 700);
            sum += watch.look(next).step.as_millis();
        }
        assert!((691..=700).contains(&sum), "{sum} ms of 700");
    }

    #[test]
    fn a_stamp_from_before_a_step_goes_along_with_it() {
        let before = reading(100, 10, 20);
        let stamp = Stamp { at: before.wall, frame: before.frame };
        let mut watch = Watch::new(before, BORNE);
        assert_eq!(watch.at(stamp), before.wall);
        watch.look(reading(50, 11, 21));
        assert_eq!(watch.at(stamp).as_millis(), 49_000, "a second before the clock was looked at");
    }

    #[test]
    fn the_system_clock_goes_on_and_is_not_set_by_itself() {
        let (a, b) = (SystemClock.read(), SystemClock.read());
        assert!(b.awake_ms >= a.awake_ms && b.elapsed_ms >= a.elapsed_ms);
        assert!(SystemClock.now() >= a.wall);
        assert_eq!(a.frame.step_to(b.frame), Step::ZERO);
    }

    #[test]
    fn the_start_of_the_machine_is_the_same_at_each_look() {
        let boot = || SystemClock.boot(&SystemClock.read()).expect("Linux names it");
        let (first, second) = (boot(), boot());
        assert_eq!(first.id, second.id);
        assert!(Step::between(first.at, second.at).length() < Span::from_millis(10));
    }
}
