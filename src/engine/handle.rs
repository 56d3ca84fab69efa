//! How the outside speaks to the loop: a bounded mailbox, and an answer to each letter.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot, watch};

use crate::engine::clock::{Clock, Frame, Stamp};
use crate::engine::feed::Following;
use crate::engine::measures::Measures;
use crate::machine::event::{Event, Reload, Reply, Request, Ticket};
use crate::machine::view::View;
use crate::model::delivery::Attempt;
use crate::model::id::Seq;
use crate::model::ping::{Ping, Target};
use crate::model::time::{Span, Timestamp};

/// Letters that wait at the most. A burst of cron's :00 fits; beyond, a ping is answered 503 and curl tries again.
pub(super) const MAILBOX: usize = 8_192;

/// Speaks to the engine. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(super) mailbox: mpsc::Sender<Letter>,
    /// For what must not be refused. Its length is bounded by what is under way: one for each body on its
    /// way, eight deliveries for each channel.
    pub(super) settled: mpsc::UnboundedSender<Event>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tickets: Arc<AtomicU64>,
    pub(super) journal: watch::Receiver<JournalHealth>,
    pub(super) measures: Measures,
}

/// Why the engine did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The mailbox is full.
    #[error("too much to do at the moment: try again in a second")]
    Full,
    /// It was done, but the disk could not be made to remember it.
    #[error("it could not be written to the disk: try again")]
    NotDurable,
    /// The engine ends.
    #[error("overdue is stopping")]
    Stopped,
}

/// How the journal fares.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JournalHealth {
    /// What is wrong; `None` when it can be written.
    pub error: Option<String>,
}

/// How much a reload changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reloaded {
    /// Heartbeats that appeared.
    pub added: usize,
    /// Heartbeats that changed.
    pub changed: usize,
    /// Heartbeats that left.
    pub removed: usize,
}

pub(super) type Answer<T> = oneshot::Sender<Result<T, Refused>>;
type Question = Box<dyn FnOnce(View<'_>) -> Told + Send>;
/// What a question is answered. One type for all: else the way there and back would be in the program once for
/// each question.
type Told = Box<dyn Any + Send>;

/// What lies in the mailbox.
pub(super) enum Letter {
    Event(Event, Answer<Reply>),
    /// A ping, and how the wall clock was set when it was heard.
    Ping(Box<Ping>, Frame, Answer<Reply>),
    /// A ping was heard; not to be waited for when the flag says that its guard has gone already.
    Heard {
        ticket: Ticket,
        target: Target,
        stamp: Stamp,
        gone: Arc<AtomicBool>,
    },
    Ask(Question, oneshot::Sender<Told>),
    Follow(Option<Seq>, oneshot::Sender<Following>),
    Reload(Box<Reload>, Span, Answer<Reloaded>),
    Stop(oneshot::Sender<()>),
}

/// A ping whose body is on its way: while this lives, its heartbeat's deadlines wait for it.
#[derive(Debug)]
pub struct Heard {
    ticket: Ticket,
    gone: Arc<AtomicBool>,
    settled: mpsc::UnboundedSender<Event>,
}

impl Drop for Heard {
    fn drop(&mut self) {
        // The settlement can overtake the letter that said "heard": without the flag the loop would then
        // wait for this ping for ever, and its heartbeat would never alert again.
        self.gone.store(true, Ordering::SeqCst);
        // An error means that the engine has ended, and then nothing waits any more.
        self.settled.send(Event::Unheard { ticket: self.ticket }).ok();
    }
}

impl Handle {
    /// The time on the engine's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The time on the engine's clock, and how that is set.
    pub fn stamp(&self) -> Stamp {
        self.clock.stamp()
    }

    /// Hands a ping over that was heard while the clock was set so. The answer comes when it is as durable as the
    /// config asks for.
    ///
    /// # Errors
    /// [`Refused`]; with `NotDurable` the ping counts all the same.
    pub async fn ping(&self, ping: Ping, frame: Frame) -> Result<Reply, Refused> {
        self.answered(|answer| Letter::Ping(Box::new(ping), frame, answer)).await
    }

    /// Says that a ping was heard then whose body is still to come.
    ///
    /// # Errors
    /// [`Refused::Full`] or [`Refused::Stopped`]: the ping should be answered so at once.
    pub fn hear(&self, target: Target, stamp: Stamp) -> Result<Heard, Refused> {
        let ticket = Ticket(self.tickets.fetch_add(1, Ordering::Relaxed));
        let gone = Arc::new(AtomicBool::new(false));
        self.post(Letter::Heard { ticket, target, stamp, gone: gone.clone() })?;
        Ok(Heard { ticket, gone, settled: self.settled.clone() })
    }

    /// Hands over what somebody wants by the API.
    ///
    /// # Errors
    /// [`Refused`]; with `NotDurable` it is done all the same.
    pub async fn request(&self, request: Request) -> Result<Reply, Refused> {
        self.event(Event::Request(Box::new(request))).await
    }

    /// Puts a config into force; the answer comes when all of it is.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn reload(&self, reload: Reload, snapshot_interval: Span) -> Result<Reloaded, Refused> {
        let (answer, answered) = oneshot::channel();
        let letter = Letter::Reload(Box::new(reload), snapshot_interval, answer);
        self.mailbox.send(letter).await.map_err(|_| Refused::Stopped)?;
        answered.await.unwrap_or(Err(Refused::Stopped))
    }

    /// From now on pings can be heard: deadlines may fire.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn hearing(&self) -> Result<Reply, Refused> {
        self.event(Event::Hearing).await
    }

    /// Says how a delivery went.
    pub fn attempted(&self, number: u64, attempt: Attempt) {
        // An error means that the engine has ended; the delivery waits in the outbox for the next start.
        self.settled.send(Event::Attempted { number, attempt }).ok();
    }

    /// Asks how things stand.
    ///
    /// # Errors
    /// [`Refused::Full`] or [`Refused::Stopped`].
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(View<'_>) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let told = self.told(Box::new(move |view| Box::new(question(view)))).await?;
        Ok(*told.downcast().expect("it is what the question makes"))
    }

    /// The same for a thread that may wait.
    ///
    /// # Errors
    /// As [`Handle::ask`].
    ///
    /// # Panics
    /// On a thread of a runtime that others need.
    pub fn blocking_ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(View<'_>) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let told = self.blocking_told(Box::new(move |view| Box::new(question(view))))?;
        Ok(*told.downcast().expect("it is what the question makes"))
    }

    fn blocking_told(&self, question: Question) -> Result<Told, Refused> {
        let (answer, answered) = oneshot::channel();
        self.post(Letter::Ask(question, answer))?;
        answered.blocking_recv().map_err(|_| Refused::Stopped)
    }

    fn told(&self, question: Question) -> Pin<Box<dyn Future<Output = Result<Told, Refused>> + Send + '_>> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            self.post(Letter::Ask(question, answer))?;
            answered.await.map_err(|_| Refused::Stopped)
        })
    }

    /// Follows the news: what came after this number, as far as it is known, and what comes from now on.
    ///
    /// # Errors
    /// [`Refused::Full`] or [`Refused::Stopped`].
    pub async fn follow(&self, after: Option<Seq>) -> Result<Following, Refused> {
        let (answer, answered) = oneshot::channel();
        self.post(Letter::Follow(after, answer))?;
        answered.await.map_err(|_| Refused::Stopped)
    }

    /// How the journal fares, now and later.
    pub fn journal(&self) -> watch::Receiver<JournalHealth> {
        self.journal.clone()
    }

    /// What the engine counts and measures.
    pub fn measures(&self) -> Measures {
        self.measures.clone()
    }

    /// Ends the engine: what is in the mailbox is done, the last records and a snapshot are written.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.mailbox.send(Letter::Stop(done)).await.is_ok() {
            // An error means that it ended without an answer, which is as good.
            stopped.await.ok();
        }
    }

    async fn event(&self, event: Event) -> Result<Reply, Refused> {
        self.answered(|answer| Letter::Event(event, answer)).await
    }

    async fn answered(&self, letter: impl FnOnce(Answer<Reply>) -> Letter) -> Result<Reply, Refused> {
        let (answer, answered) = oneshot::channel();
        self.post(letter(answer))?;
        answered.await.unwrap_or(Err(Refused::Stopped))
    }

    fn post(&self, letter: Letter) -> Result<(), Refused> {
        self.mailbox.try_send(letter).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Refused::Full,
            mpsc::error::TrySendError::Closed(_) => Refused::Stopped,
        })
    }
}
