//! How all heartbeats stand, counted piece by piece.

use std::ops::AddAssign;

use serde::Serialize;
use utoipa::ToSchema;

use crate::machine::view::{DeliveryStatus, LOOK, View};
use crate::model::delivery::DeliveryState;
use crate::model::heartbeat::Status;
use crate::model::id::Slug;
use crate::model::incident::BlindWindow;
use crate::model::time::Timestamp;

/// How many heartbeats stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct HeartbeatCounts {
    /// All of them.
    pub total: u64,
    /// No start or finish yet.
    pub new: u64,
    /// All well.
    pub up: u64,
    /// Past due, within grace.
    pub late: u64,
    /// An incident is open.
    pub down: u64,
    /// Nothing is expected.
    pub paused: u64,
    /// A run is open; these are counted by their status too.
    pub running: u64,
}

/// How many deliveries stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct DeliveryCounts {
    /// Those that wait or are under way.
    pub waiting: u64,
    /// Those that arrived, of the last 1,000 that ended.
    pub delivered: u64,
    /// Those that were given up, of the last 1,000 that ended.
    pub given_up: u64,
}

/// What is counted without looking at heartbeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standings {
    /// Since when the process lives.
    pub began_at: Option<Timestamp>,
    /// Incidents that are open.
    pub open_incidents: usize,
    /// Deliveries.
    pub deliveries: DeliveryCounts,
    /// The newest windows in which nothing could be heard, newest first, at most ten.
    pub blind: Vec<BlindWindow>,
}

impl View<'_> {
    /// How the heartbeats after `after` by slug stand, a turn's number of them, and where to go on.
    pub fn count(&self, after: Option<&str>) -> (HeartbeatCounts, Option<Slug>) {
        self.count_tagged(None, after)
    }

    /// The same of those with a tag only.
    pub fn count_tagged(&self, tag: Option<&str>, after: Option<&str>) -> (HeartbeatCounts, Option<Slug>) {
        let mut counts = HeartbeatCounts::default();
        let mut living = self.machine.state.living_after(after).peekable();
        for looked in 1..=LOOK {
            let Some(beat) = living.next() else { break };
            if tag.is_none_or(|tag| beat.heartbeat.tags.iter().any(|one| one == tag)) {
                counts.add(self.status(beat), !beat.open_runs.is_empty());
            }
            if looked == LOOK && living.peek().is_some() {
                return (counts, Some(beat.heartbeat.slug.clone()));
            }
        }
        (counts, None)
    }

    /// How many alerts were given up after this instant, of the last 1,000 deliveries that ended.
    pub fn given_up_after(&self, after: Timestamp) -> usize {
        let ended = self.machine.state.core.ended.iter();
        ended.filter(|one| matches!(one.state, DeliveryState::GivenUp { at } if at > after)).count()
    }

    /// Everything else that a summary tells.
    pub fn standings(&self) -> Standings {
        let state = &self.machine.state;
        let given_up = state.core.ended.iter().filter(|d| DeliveryStatus::of(d) == DeliveryStatus::GivenUp);
        let given_up = given_up.count();
        let named = state.core.hearing.since(Timestamp::MIN, None);
        let mut blind: Vec<BlindWindow> = named.into_iter().map(|named| named.window).collect();
        blind.reverse();
        Standings {
            began_at: self.machine.began_at,
            open_incidents: self.open_incidents(),
            deliveries: DeliveryCounts {
                waiting: state.core.outbox.len() as u64,
                delivered: (state.core.ended.len() - given_up) as u64,
                given_up: given_up as u64,
            },
            blind,
        }
    }
}

impl HeartbeatCounts {
    /// Counts one more.
    pub(super) fn add(&mut self, status: Status, running: bool) {
        self.total += 1;
        self.running += u64::from(running);
        *match status {
            Status::New => &mut self.new,
            Status::Up => &mut self.up,
            Status::Late => &mut self.late,
            Status::Down => &mut self.down,
            Status::Paused => &mut self.paused,
        } += 1;
    }

    /// How many stand so.
    pub fn of(&self, status: Status) -> u64 {
        match status {
            Status::New => self.new,
            Status::Up => self.up,
            Status::Late => self.late,
            Status::Down => self.down,
            Status::Paused => self.paused,
        }
    }
}

impl AddAssign for HeartbeatCounts {
    fn add_assign(&mut self, more: Self) {
        self.total += more.total;
        self.new += more.new;
        self.up += more.up;
        self.late += more.late;
        self.down += more.down;
        self.paused += more.paused;
        self.running += more.running;
    }
}
