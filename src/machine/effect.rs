//! What the outside is asked to do. Each effect can be derived again from the state after a crash.

use std::sync::Arc;

use crate::model::delivery::Delivery;

/// A nudge to the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Try this delivery once, now, and say how it went (`Event::Attempted`). The machine itself keeps
    /// the order and never has more than eight of a channel under way.
    Deliver(Arc<Delivery>),
    /// Tell the operator.
    Tell(Tale),
}

/// What an operator should read in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tale {
    /// A delivery will not be tried again (ERROR).
    GaveUp {
        /// Which.
        delivery: Arc<Delivery>,
        /// Why.
        error: String,
    },
    /// A heartbeat made by the API names a channel that is gone; its alerts go to the log (WARN).
    ChannelGone {
        /// Which heartbeat.
        slug: String,
        /// Which channel.
        channel: String,
    },
    /// The ping URL that the config gives a heartbeat is another's, so it has one of its own (WARN).
    UrlTaken {
        /// Which heartbeat.
        slug: String,
        /// Whose URL it is.
        other: String,
    },
    /// An incident opened or resolved (INFO).
    Incident {
        /// One sentence.
        summary: String,
    },
    /// A reload has been worked off (INFO).
    Reloaded {
        /// Heartbeats that appeared.
        added: usize,
        /// Heartbeats that changed.
        changed: usize,
        /// Heartbeats that left.
        removed: usize,
    },
}
