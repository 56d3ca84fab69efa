//! Floor 3: the loop, the only owner of the machine. It takes what the outside says, lets the machine
//! decide, has the records written, and only then lets replies and effects out. It never knows HTTP,
//! webhooks or TOML.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod clock;
pub mod feed;
pub mod handle;
mod ledger;
pub mod measures;
mod turns;
mod writer;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::{mpsc, watch};
use tokio::time::Duration;

use crate::engine::clock::{Clock, Watch};
use crate::engine::feed::Feed;
use crate::engine::handle::{Handle, JournalHealth, MAILBOX};
use crate::engine::ledger::Ledger;
use crate::engine::measures::Measures;
use crate::engine::turns::{Engine, Works};
use crate::engine::writer::Writer;
use crate::machine::Machine;
use crate::machine::effect::Tale;
use crate::machine::event::Event;
use crate::model::delivery::Delivery;
use crate::model::id::{Life, Seq};
use crate::model::time::Span;
use crate::store::{Journal, Snapshots};

pub use crate::engine::writer::{Hands, Tasks};

/// What the engine asks of the outside. Neither may block.
pub trait Outside: Send + 'static {
    /// Try this delivery once and say how it went by [`Handle::attempted`].
    fn deliver(&self, delivery: Arc<Delivery>);

    /// Tell the operator.
    fn tell(&self, tale: &Tale);
}

/// How often the loop does something although nothing happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The longest sleep between two looks at the clocks. A loop that does not turn for twice as long was blind.
    pub look_every: Duration,
    /// The longest time without a mark on the disk.
    pub mark_every: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { look_every: Duration::from_secs(1), mark_every: Duration::from_secs(30) }
    }
}

/// What an engine is made of.
pub struct Parts<J, S, O> {
    /// The decider, restored.
    pub machine: Machine,
    /// The last record that it holds.
    pub seq: Seq,
    /// Where records go.
    pub journal: J,
    /// Where snapshots go.
    pub snapshots: S,
    /// Where effects go.
    pub outside: O,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Chance, for the ids of this life.
    pub life: Life,
    /// The time between two snapshots.
    pub snapshot_interval: Span,
    /// How often it looks and leaves a mark.
    pub pace: Pace,
    /// Who does the disk's work.
    pub hands: Hands,
}

/// Starts the disk's workers and gives the loop as a future, which ends after [`Handle::stop`].
///
/// # Errors
/// When a thread cannot be started.
pub fn start<J, S, O>(parts: Parts<J, S, O>) -> io::Result<(Handle, impl Future<Output = ()>)>
where
    J: Journal + 'static,
    S: Snapshots + 'static,
    O: Outside,
{
    let (mailbox, letters) = mpsc::channel(MAILBOX);
    let (settled, settlements) = mpsc::unbounded_channel();
    let (said, done) = mpsc::unbounded_channel();
    let (health, journal) = watch::channel(JournalHealth::default());
    let tickets = Arc::new(AtomicU64::new(0));
    let measures = Measures::default();
    measures.expect(parts.machine.state());
    let handle =
        Handle { mailbox, settled, clock: parts.clock.clone(), tickets, journal, measures: measures.clone() };
    let writer = Writer::start(parts.journal, parts.snapshots, &parts.hands, &said, &measures)?;
    let ledger = Ledger::new(writer, parts.seq, health, parts.snapshot_interval);
    let reading = parts.clock.read();
    let (watch, boot) = (Watch::new(reading, parts.pace.look_every * 2), parts.clock.boot(&reading));
    let mut engine = Engine::new(Works {
        machine: parts.machine,
        ledger,
        feed: Feed::new(parts.seq),
        outside: parts.outside,
        clock: parts.clock,
        watch,
        measures,
        pace: parts.pace,
        letters,
        settlements,
        done,
    });
    let version = env!("CARGO_PKG_VERSION").to_owned();
    engine.begin(Event::Began { life: parts.life, version, boot }, reading.wall);
    Ok((handle, engine.run()))
}
