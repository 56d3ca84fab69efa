//! Everything that the outside can say to the machine, and what it answers.

use std::sync::Arc;

use crate::model::channel::Channel;
use crate::model::delivery::Attempt;
use crate::model::heartbeat::{Declarations, Draft};
use crate::model::id::{Life, Slug};
use crate::model::incident::BlindWindow;
use crate::model::ping::{Ping, Target};
use crate::model::settings::Settings;
use crate::model::time::Timestamp;

/// What the outside says.
#[derive(Debug)]
pub enum Event {
    /// The process lives. First of all, once.
    Began {
        /// Chance, for the ids of this life.
        life: Life,
        /// Of the program.
        version: String,
    },
    /// From now on pings are heard: deadlines may fire.
    Hearing,
    /// A ping was heard whose body is still on its way; its heartbeat's deadlines wait for it.
    Heard {
        /// Names this wait.
        ticket: Ticket,
        /// Whom the ping is for.
        target: Target,
        /// When its head was read.
        at: Timestamp,
    },
    /// That ping has been handed over or will not come.
    Unheard {
        /// Names the wait.
        ticket: Ticket,
    },
    /// A whole ping.
    Ping(Box<Ping>),
    /// A config took effect.
    Reloaded(Box<Reload>),
    /// Somebody wants a heartbeat.
    Create(Box<Creation>),
    /// A delivery was tried.
    Attempted {
        /// Its number.
        number: u64,
        /// How it went.
        attempt: Attempt,
    },
    /// Pings could not be heard for a while.
    Blind(BlindWindow),
    /// Nothing was said, but time has passed.
    Tick,
    /// A sign of life for the disk is wanted.
    Alive,
    /// The process ends in good order.
    Stopping,
}

/// Names one wait for a body; unique within a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A config that took effect.
#[derive(Debug, Clone)]
pub struct Reload {
    /// Everything beside heartbeats and channels.
    pub settings: Settings,
    /// The channels, by name.
    pub channels: Arc<[Channel]>,
    /// The heartbeats, by slug.
    pub heartbeats: Declarations,
}

/// A heartbeat that somebody wants by the API. Already checked: names in range, channels known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creation {
    /// Its slug.
    pub slug: Slug,
    /// What was said of it.
    pub draft: Draft,
}

/// What the machine answers to whoever sent the event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Reply {
    /// Nothing to say.
    #[default]
    Done,
    /// The ping was taken.
    Taken,
    /// There is no such heartbeat.
    Unknown,
    /// The heartbeat was made.
    Created(Slug),
    /// It was not, because of this.
    Conflict(Conflict),
    /// The reload is being worked off; it will have changed this much.
    Reloading,
}

/// Why a heartbeat was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Another has the slug.
    #[error("the slug is taken")]
    Slug,
    /// Another has the UUID.
    #[error("the UUID is taken")]
    Uuid,
    /// There are as many as there may be.
    #[error("there are already 1,000,000 heartbeats")]
    Full,
}
