//! The clocks: the wall's, one that only goes on while the machine is awake, and one that also counts
//! sleep. Together they tell a step of the wall clock from a suspend, and either from a loop that was
//! starved. A virtual twin follows tokio's own time, so that tests can pause it.

use std::sync::Arc;

use rustix::time::{ClockId, clock_gettime};

use crate::model::incident::{BlindWindow, Blindness};
use crate::model::time::{Span, Timestamp};

/// What a gap between two looks must exceed to be a blind window.
const TOLERATED: Span = Span::from_secs(2);

/// One look at all clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The wall clock.
    pub wall: Timestamp,
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
}

/// The clocks of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

fn millis(id: ClockId) -> i64 {
    let time = clock_gettime(id);
    time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
}

impl Clock for SystemClock {
    fn read(&self) -> Reading {
        Reading {
            wall: self.now(),
            awake_ms: millis(ClockId::Monotonic),
            elapsed_ms: millis(ClockId::Boottime),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(millis(ClockId::Realtime))
    }
}

/// A clock that starts at an instant and goes with tokio's time.
#[derive(Debug, Clone, Copy)]
pub struct VirtualClock {
    origin: tokio::time::Instant,
    start: Timestamp,
}

impl VirtualClock {
    /// Starts now, at `start`.
    pub fn new(start: Timestamp) -> Arc<Self> {
        Arc::new(Self { origin: tokio::time::Instant::now(), start })
    }
}

impl Clock for VirtualClock {
    fn read(&self) -> Reading {
        let elapsed_ms = self.origin.elapsed().as_millis() as i64;
        Reading { wall: self.start + Span::from_millis(elapsed_ms), awake_ms: elapsed_ms, elapsed_ms }
    }
}

/// Compares each look with the one before.
#[derive(Debug)]
pub(super) struct Watch {
    last: Reading,
}

impl Watch {
    pub(super) fn new(first: Reading) -> Self {
        Self { last: first }
    }

    /// Takes a look. The loop looks at least once a second, so a longer gap is a blind window.
    pub(super) fn look(&mut self, reading: Reading) -> Option<BlindWindow> {
        let last = std::mem::replace(&mut self.last, reading);
        let awake = Span::from_millis(reading.awake_ms - last.awake_ms);
        let elapsed = Span::from_millis(reading.elapsed_ms - last.elapsed_ms);
        let why = if elapsed.minus(awake) > TOLERATED {
            Blindness::Suspended
        } else if awake > TOLERATED {
            Blindness::Stalled
        } else if reading.wall.since(last.wall + elapsed) > TOLERATED {
            Blindness::ClockStep
        } else {
            return None;
        };
        Some(BlindWindow { from: last.wall, to: reading.wall, why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(wall: i64, awake: i64, elapsed: i64) -> Reading {
        Reading {
            wall: Timestamp::from_millis(wall * 1_000),
            awake_ms: awake * 1_000,
            elapsed_ms: elapsed * 1_000,
        }
    }

    fn why(second: Reading) -> Option<Blindness> {
        Watch::new(reading(100, 10, 20)).look(second).map(|window| window.why)
    }

    #[test]
    fn the_clocks_tell_a_step_from_a_suspend_from_a_stall() {
        assert_eq!(why(reading(101, 11, 21)), None);
        assert_eq!(why(reading(102, 12, 22)), None, "two seconds are borne");
        assert_eq!(why(reading(105, 15, 25)), Some(Blindness::Stalled));
        assert_eq!(why(reading(3_700, 11, 3_620)), Some(Blindness::Suspended));
        assert_eq!(why(reading(3_700, 11, 21)), Some(Blindness::ClockStep));
        assert_eq!(why(reading(50, 11, 21)), None, "a step back hides no ping");
    }

    #[test]
    fn the_system_clock_goes_on() {
        let (a, b) = (SystemClock.read(), SystemClock.read());
        assert!(b.awake_ms >= a.awake_ms && b.elapsed_ms >= a.elapsed_ms);
        assert!(SystemClock.now() >= a.wall);
    }
}
