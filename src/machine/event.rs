//! Everything that the outside can say to the machine, and what it answers.

use std::sync::Arc;

use uuid::Uuid;

use crate::model::channel::{Channel, ChannelName};
use crate::model::delivery::Attempt;
use crate::model::heartbeat::{Declarations, Draft};
use crate::model::id::{DeliveryId, Life, Slug};
use crate::model::incident::BlindWindow;
use crate::model::ping::{Ping, Target};
use crate::model::settings::Settings;
use crate::model::time::{Boot, Span, Step, Timestamp};

/// What the outside says.
#[derive(Debug)]
pub enum Event {
    /// The process lives. First of all, once.
    Began {
        /// Chance, for the ids of this life.
        life: Life,
        /// Of the program.
        version: String,
        /// Which start of the machine it is, if that can be known.
        boot: Option<Boot>,
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
    /// Somebody wants something by the API.
    Request(Box<Request>),
    /// A delivery was tried.
    Attempted {
        /// Its number.
        number: u64,
        /// How it went.
        attempt: Attempt,
    },
    /// Pings could not be heard for a while.
    Blind(BlindWindow),
    /// The wall clock was set, by this much.
    Stepped(Step),
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

/// What somebody wants by the API. Already checked: names in range, channels known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A heartbeat that is not there yet.
    Create {
        /// Its slug.
        slug: Slug,
        /// What was said of it.
        draft: Draft,
    },
    /// That a heartbeat be like this, and only this; one that is not there is made.
    Replace {
        /// Which; by a UUID none can be made.
        target: Target,
        /// What was said of it. Without a UUID it keeps the one that it has.
        draft: Draft,
        /// Whether this is still wanted.
        expected: Expected,
    },
    /// That some of what was said of a heartbeat be changed, which the sender has already worked in.
    Amend {
        /// Which.
        target: Target,
        /// All that is said of it now.
        draft: Draft,
        /// What it was worked into.
        edition: Edition,
        /// Whether the change speaks of the pause: then that is as it says from now on.
        pauses: bool,
    },
    /// That a heartbeat go.
    Delete {
        /// Which.
        target: Target,
        /// Whether this is still wanted.
        expected: Expected,
    },
    /// That nothing be expected of a heartbeat.
    Pause {
        /// Which.
        target: Target,
        /// For how long; `None`: until it is resumed.
        span: Option<Span>,
    },
    /// That a pause end.
    Resume {
        /// Which.
        target: Target,
    },
    /// A delivery by which a channel is tried.
    Test {
        /// Which.
        channel: ChannelName,
    },
    /// That a delivery be tried now, even one that was given up.
    Retry {
        /// Which.
        delivery: DeliveryId,
    },
}

/// What is said of a heartbeat, as a fingerprint: it changes with the declaration, and not with pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edition(pub Uuid);

/// What a change was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// For whatever is there, or nothing.
    Anything,
    /// For a heartbeat that is there.
    Something,
    /// For one of these.
    OneOf(Vec<Edition>),
    /// For nothing: it must not be there yet.
    Nothing,
}

impl Expected {
    /// Whether a heartbeat that is there, and of which this is said, is expected.
    pub fn holds(&self, edition: Edition) -> bool {
        match self {
            Self::Anything | Self::Something => true,
            Self::OneOf(editions) => editions.contains(&edition),
            Self::Nothing => false,
        }
    }
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
    /// The heartbeat is as it was wanted.
    Changed(Slug),
    /// The heartbeat was deleted.
    Deleted,
    /// The delivery waits to be sent.
    Queued(DeliveryId),
    /// What was wanted was not done, because of this.
    Conflict(Conflict),
    /// The reload is being worked off; it will have changed this much.
    Reloading,
}

impl Reply {
    /// Whether it says that something is as it was wanted, be it since now or since before.
    pub fn claims(&self) -> bool {
        match self {
            Self::Taken | Self::Created(_) | Self::Changed(_) | Self::Deleted | Self::Queued(_) => true,
            Self::Done | Self::Unknown | Self::Conflict(_) | Self::Reloading => false,
        }
    }
}

/// Why what was wanted was not done.
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
    /// The heartbeat is declared in the config.
    #[error("it is declared in the config")]
    Declared,
    /// It is no longer, or not yet, what the change was made for.
    #[error("it is not what the change was made for")]
    Stale,
    /// Enough tests of the channel wait already.
    #[error("tests of the channel wait already")]
    TestsWait,
    /// The delivery arrived already.
    #[error("it was delivered already")]
    Delivered,
    /// The channel is no longer in the config.
    #[error("the channel is no longer in the config")]
    ChannelGone,
}
