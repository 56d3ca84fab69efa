//! What this floor asks of the engine, as one small trait, so that the routes can be tested against a
//! stand-in that refuses or hangs as well as against the real loop. It must never know how the engine
//! decides or keeps.

use std::future::Future;

use tokio::sync::watch;

use crate::engine::handle::{Handle, Heard, JournalHealth, Refused};
use crate::machine::event::{Creation, Reply};
use crate::machine::view::{Filter, HeartbeatView, Page};
use crate::model::ping::{Ping, Target};
use crate::model::time::Timestamp;

/// The engine as the doors see it. Cloning it is cheap.
pub trait Engine: Clone + Send + Sync + 'static {
    /// Said at the head of a ping whose body is still to come; its drop ends the wait.
    type Heard: Send + 'static;

    /// The engine's clock.
    fn now(&self) -> Timestamp;

    /// Hands a whole ping over. The ping is in the mailbox once the future was polled for the first time:
    /// dropping it later takes nothing back.
    fn ping(&self, ping: Ping) -> impl Future<Output = Result<Reply, Refused>> + Send;

    /// Makes the deadlines of this heartbeat wait for a ping whose head was read at this instant.
    ///
    /// # Errors
    /// When there is no room for another ping.
    fn hear(&self, target: Target, at: Timestamp) -> Result<Self::Heard, Refused>;

    /// Makes a heartbeat.
    fn create(&self, creation: Creation) -> impl Future<Output = Result<Reply, Refused>> + Send;

    /// Whether there is such a heartbeat.
    fn known(&self, target: Target) -> impl Future<Output = Result<bool, Refused>> + Send;

    /// One heartbeat, by slug or UUID.
    fn heartbeat(&self, name: String) -> impl Future<Output = Result<Option<HeartbeatView>, Refused>> + Send;

    /// A piece of the heartbeats, by slug.
    fn heartbeats(
        &self,
        filter: Filter,
        after: Option<String>,
        limit: usize,
    ) -> impl Future<Output = Result<Page, Refused>> + Send;

    /// Returns when the loop has turned once.
    fn turn(&self) -> impl Future<Output = Result<(), Refused>> + Send;

    /// How the journal fares, now and later.
    fn journal(&self) -> watch::Receiver<JournalHealth>;
}

impl Engine for Handle {
    type Heard = Heard;

    fn now(&self) -> Timestamp {
        self.now()
    }

    fn ping(&self, ping: Ping) -> impl Future<Output = Result<Reply, Refused>> + Send {
        self.ping(ping)
    }

    fn hear(&self, target: Target, at: Timestamp) -> Result<Heard, Refused> {
        self.hear(target, at)
    }

    fn create(&self, creation: Creation) -> impl Future<Output = Result<Reply, Refused>> + Send {
        self.create(creation)
    }

    fn known(&self, target: Target) -> impl Future<Output = Result<bool, Refused>> + Send {
        self.ask(move |view| view.knows(&target))
    }

    fn heartbeat(&self, name: String) -> impl Future<Output = Result<Option<HeartbeatView>, Refused>> + Send {
        self.ask(move |view| view.heartbeat(&name))
    }

    fn heartbeats(
        &self,
        filter: Filter,
        after: Option<String>,
        limit: usize,
    ) -> impl Future<Output = Result<Page, Refused>> + Send {
        self.ask(move |view| view.heartbeats(&filter, after.as_deref(), limit))
    }

    fn turn(&self) -> impl Future<Output = Result<(), Refused>> + Send {
        self.ask(|_| ())
    }

    fn journal(&self) -> watch::Receiver<JournalHealth> {
        self.journal()
    }
}
