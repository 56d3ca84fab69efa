//! What this floor asks of the engine, as one small trait, so that the routes can be tested against a
//! stand-in that refuses or hangs as well as against the real loop. It must never know how the engine
//! decides or keeps.

use std::future::Future;

use tokio::sync::watch;

use crate::engine::clock::{Frame, Stamp};
use crate::engine::feed::Following;
use crate::engine::handle::{Handle, Heard, JournalHealth, Refused};
use crate::engine::measures::Measures;
use crate::machine::event::{Reply, Request};
use crate::machine::view::View;
use crate::model::id::Seq;
use crate::model::ping::{Ping, Target};
use crate::model::time::Timestamp;

/// The engine as the doors see it. Cloning it is cheap.
pub trait Engine: Clone + Send + Sync + 'static {
    /// Said at the head of a ping whose body is still to come; its drop ends the wait.
    type Heard: Send + 'static;

    /// The engine's clock.
    fn now(&self) -> Timestamp;

    /// The same, and how it is set.
    fn stamp(&self) -> Stamp;

    /// Hands a whole ping over that was heard while the clock was set so. The ping is in the mailbox once the future was polled for the first time:
    /// dropping it later takes nothing back.
    fn ping(&self, ping: Ping, frame: Frame) -> impl Future<Output = Result<Reply, Refused>> + Send;

    /// Makes the deadlines of this heartbeat wait for a ping whose head was read then.
    ///
    /// # Errors
    /// When there is no room for another ping.
    fn hear(&self, target: Target, stamp: Stamp) -> Result<Self::Heard, Refused>;

    /// Hands over what somebody wants by the API. Like a ping, it is taken once this was polled.
    fn request(&self, request: Request) -> impl Future<Output = Result<Reply, Refused>> + Send;

    /// Asks how things stand. What is asked must not take long: the loop waits for it.
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(View<'_>) -> T + Send + 'static,
    ) -> impl Future<Output = Result<T, Refused>> + Send;

    /// The same on a thread that may wait: a page asks much, and what waits without a thread is large.
    ///
    /// # Errors
    /// As [`Engine::ask`].
    fn blocking_ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(View<'_>) -> T + Send + 'static,
    ) -> Result<T, Refused>;

    /// Follows the news: what came after this number, and what comes from now on.
    fn follow(&self, after: Option<Seq>) -> impl Future<Output = Result<Following, Refused>> + Send;

    /// Returns when the loop has turned once.
    fn turn(&self) -> impl Future<Output = Result<(), Refused>> + Send;

    /// How the journal fares, now and later.
    fn journal(&self) -> watch::Receiver<JournalHealth>;

    /// What the engine counts and measures.
    fn measures(&self) -> Measures;
}

impl Engine for Handle {
    type Heard = Heard;

    fn now(&self) -> Timestamp {
        self.now()
    }

    fn stamp(&self) -> Stamp {
        self.stamp()
    }

    fn ping(&self, ping: Ping, frame: Frame) -> impl Future<Output = Result<Reply, Refused>> + Send {
        self.ping(ping, frame)
    }

    fn hear(&self, target: Target, stamp: Stamp) -> Result<Heard, Refused> {
        self.hear(target, stamp)
    }

    fn request(&self, request: Request) -> impl Future<Output = Result<Reply, Refused>> + Send {
        self.request(request)
    }

    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(View<'_>) -> T + Send + 'static,
    ) -> impl Future<Output = Result<T, Refused>> + Send {
        self.ask(question)
    }

    fn blocking_ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(View<'_>) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        self.blocking_ask(question)
    }

    fn follow(&self, after: Option<Seq>) -> impl Future<Output = Result<Following, Refused>> + Send {
        self.follow(after)
    }

    fn turn(&self) -> impl Future<Output = Result<(), Refused>> + Send {
        self.ask(|_| ())
    }

    fn journal(&self) -> watch::Receiver<JournalHealth> {
        self.journal()
    }

    fn measures(&self) -> Measures {
        self.measures()
    }
}
