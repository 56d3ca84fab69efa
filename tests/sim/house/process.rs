//! A process whose every task is polled under its eyes, so that it can die between any two polls: at a count of
//! them, or when somebody says so. What dies is dropped where it stands, as a kill leaves it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Whether the process lives.
#[derive(Debug)]
struct Fate {
    dead: AtomicBool,
    /// So many polls are left to it.
    polls: AtomicU64,
    told: Notify,
}

/// A process. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    fate: Arc<Fate>,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

struct Mortal<F> {
    fate: Arc<Fate>,
    inner: Option<Pin<Box<F>>>,
}

impl<F: Future<Output = ()>> Future for Mortal<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !self.fate.goes_on() {
            self.inner = None;
            return Poll::Ready(());
        }
        let told = TellsOfPanic(self.fate.clone());
        let Some(inner) = &mut self.inner else { return Poll::Ready(()) };
        let polled = inner.as_mut().poll(context);
        drop(told);
        if polled.is_ready() || self.fate.dead.load(Ordering::Relaxed) {
            self.inner = None;
            return Poll::Ready(());
        }
        polled
    }
}

/// A part of a process that panics takes all of it along, so that nobody waits for an answer.
struct TellsOfPanic(Arc<Fate>);

impl Drop for TellsOfPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.die();
        }
    }
}

impl Fate {
    fn die(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.told.notify_one();
    }

    fn goes_on(&self) -> bool {
        let left = self.polls.load(Ordering::Relaxed);
        if left == 0 {
            self.die();
        } else {
            self.polls.store(left - 1, Ordering::Relaxed);
        }
        !self.dead.load(Ordering::Relaxed)
    }
}

impl Process {
    /// One that dies before this poll at the latest.
    pub(crate) fn new(polls: u64) -> Self {
        let fate = Fate { dead: AtomicBool::new(false), polls: AtomicU64::new(polls), told: Notify::new() };
        Self { fate: Arc::new(fate), tasks: Arc::default() }
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mortal = Mortal { fate: self.fate.clone(), inner: Some(Box::pin(task)) };
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(ended) = tasks.try_join_next() {
            raise(ended);
        }
        tasks.spawn(mortal);
    }

    pub(crate) fn die(&self) {
        self.fate.die();
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.fate.dead.load(Ordering::Relaxed)
    }

    /// Waits for its death.
    pub(crate) async fn died(&self) {
        while !self.is_dead() {
            self.fate.told.notified().await;
        }
    }

    /// What comes of a future; nothing if the process dies before.
    pub(crate) async fn while_alive<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.died() => None,
            done = future => Some(done),
        }
    }

    /// Sweeps away what is left of it. A panic of one of its tasks is everybody's.
    pub(crate) async fn end(self) {
        self.die();
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.abort_all();
        while let Some(ended) = tasks.join_next().await {
            raise(ended);
        }
    }
}

fn raise(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}
