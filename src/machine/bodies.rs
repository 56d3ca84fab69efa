//! How many pings and bodies are kept: per heartbeat the newest, and of all bodies together as many bytes
//! as `bodies_max`, the oldest going first.

use crate::machine::beat::Beat;
use crate::machine::state::{Bodies, State};

impl State {
    /// Takes account of a heartbeat's newest ping, whose body has this many bytes, and drops what is over.
    pub(crate) fn keep_pings(&mut self, place: u32, new: Option<usize>) {
        let (keep_pings, keep_bodies) =
            (self.core.settings.keep_runs.max(1) as usize, self.core.settings.keep_bodies as usize);
        let Some(history) = self.beats.at_mut(place).map(Beat::history_mut) else { return };
        if let Some(bytes) = new {
            let number = history.pings.back().map_or(0, |ping| ping.number);
            self.bodies.queue.push_back((place, number));
            self.bodies.kept += 1;
            self.bodies.bytes += bytes as u64;
            let mut kept = 0;
            for ping in history.pings.iter_mut().rev() {
                kept += usize::from(ping.body.is_some());
                if kept > keep_bodies
                    && let Some(body) = ping.body.take()
                {
                    self.bodies.forget(1, body.tail.len() as u64);
                }
            }
        }
        while history.pings.len() > keep_pings {
            if let Some(body) = history.pings.pop_front().and_then(|ping| ping.body) {
                self.bodies.forget(1, body.tail.len() as u64);
            }
        }
        while self.bodies.bytes > self.core.settings.bodies_max {
            let Some((place, number)) = self.bodies.queue.pop_front() else { break };
            self.drop_body(place, number);
        }
        if self.bodies.queue.len() > 2 * self.bodies.kept + 1_024 {
            let beats = &self.beats;
            self.bodies.queue.retain(|&(place, number)| {
                let history = beats.at(place).and_then(|beat| beat.history.as_ref());
                history.is_some_and(|h| h.pings.iter().any(|p| p.number == number && p.body.is_some()))
            });
        }
    }

    fn drop_body(&mut self, place: u32, number: u64) {
        let Some(history) = self.beats.at_mut(place).and_then(|beat| beat.history.as_mut()) else { return };
        let body =
            history.pings.iter_mut().find(|ping| ping.number == number).and_then(|ping| ping.body.take());
        if let Some(body) = body {
            self.bodies.forget(1, body.tail.len() as u64);
        }
    }
}

impl Bodies {
    /// Takes account of bodies that are gone.
    pub(crate) fn forget(&mut self, count: usize, bytes: u64) {
        self.kept = self.kept.saturating_sub(count);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}
