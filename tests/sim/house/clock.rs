//! The clocks of a machine that can sleep, be set and be started anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use overdue::engine::clock::{Clock, Reading, VirtualClock};
use overdue::model::time::{Boot, Span, Step};
use uuid::Uuid;

use crate::rules::Ms;
use crate::world::at;

pub(crate) struct HouseClock {
    inner: Arc<VirtualClock>,
    slept_ms: AtomicI64,
    boots: AtomicU64,
}

impl HouseClock {
    pub(crate) fn new() -> Arc<Self> {
        let (slept_ms, boots) = (AtomicI64::new(0), AtomicU64::new(1));
        Arc::new(Self { inner: VirtualClock::new(at(0)), slept_ms, boots })
    }

    /// What a clock would show that nobody ever sets.
    pub(crate) fn real(&self) -> Ms {
        self.inner.read().elapsed_ms
    }

    pub(crate) fn step(&self, by: Ms) {
        self.inner.step(Step::from_millis(by));
    }

    /// The next so many milliseconds it sleeps.
    pub(crate) fn sleeps(&self, lasts: Ms) {
        self.slept_ms.fetch_add(lasts, Ordering::Relaxed);
    }

    pub(crate) fn reboot(&self) {
        self.boots.fetch_add(1, Ordering::Relaxed);
    }
}

impl Clock for HouseClock {
    fn read(&self) -> Reading {
        let mut reading = self.inner.read();
        reading.awake_ms -= self.slept_ms.load(Ordering::Relaxed);
        reading
    }

    fn boot(&self, reading: &Reading) -> Option<Boot> {
        let id = Uuid::from_u128(u128::from(self.boots.load(Ordering::Relaxed)));
        Some(Boot { id, at: reading.wall - Span::from_millis(reading.elapsed_ms) })
    }
}
