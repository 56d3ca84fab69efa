//! Floor 4: out. Takes a delivery, tries it once, and says how it went. Knows channels as targets; never
//! knows incidents, schedules, the retry policy, the API or the state. Order and the number under way are
//! the machine's affair, so there is no queue here: what comes is tried at once, each beside the others, but
//! when the files that it takes are all in use.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod alive;
mod attempt;
mod fault;
mod files;
mod nets;
mod payload;
mod redact;
mod reply;
mod resolve;
mod sign;
mod webhook;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::config::channel::ChannelConfig;
use crate::config::secret::Secret;
use crate::deliver::files::{Files, Share};
use crate::deliver::webhook::{KEPT, Sender};
use crate::model::channel::ChannelName;
use crate::model::delivery::{Attempt, Delivery};

/// Where deliveries go: every channel of the config that took effect.
pub type Targets = BTreeMap<ChannelName, ChannelConfig>;

/// How an attempt went, for whoever keeps the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The delivery's number.
    pub number: u64,
    /// How it went.
    pub attempt: Attempt,
}

/// Why the courier could not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system gave no thread or no event queue.
    #[error("cannot start the thread that delivers alerts: {0}")]
    Thread(#[from] std::io::Error),
    /// The HTTP client could not be made.
    #[error("cannot make the HTTP client that delivers alerts: {0}")]
    Client(reqwest::Error),
}

/// Carries deliveries out, on a thread of its own so that no receiver and no template slows the pings. All
/// clones are one courier; the thread ends with the last of them, or by [`stop`](Self::stop).
#[derive(Debug, Clone)]
pub struct Courier {
    orders: mpsc::UnboundedSender<Order>,
    runtime: runtime::Handle,
    sender: Sender,
}

#[derive(Debug)]
enum Order {
    Deliver(Arc<Delivery>),
    Stop {
        patience: Duration,
        /// Dropped when the thread has ended, which is the answer.
        end: oneshot::Sender<()>,
    },
}

/// Files that one delivery may need.
pub const FILES_EACH: usize = files::EACH;

impl Courier {
    /// Starts the thread. Each delivery gives exactly one report; `targets` is read when an attempt begins. Connections
    /// to receivers take so many `files` at the most: a delivery for which there is none waits before it begins.
    ///
    /// # Errors
    /// When the thread or the HTTP client cannot be made. Missing CA certificates are no error.
    pub fn start(
        targets: watch::Receiver<Arc<Targets>>,
        reports: mpsc::Sender<Report>,
        files: usize,
    ) -> Result<Self, StartError> {
        let sender = Sender::new().map_err(StartError::Client)?;
        if !sender.has_roots() {
            tracing::warn!("this machine has no CA certificates: webhooks to https addresses will fail");
        }
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        // Unbounded, since the machine has at most eight deliveries of a channel under way.
        let (orders, inbox) = mpsc::unbounded_channel();
        let courier = Self { orders, runtime: runtime.handle().clone(), sender: sender.clone() };
        thread::Builder::new().name("deliver".to_owned()).spawn(move || {
            let carrier = Carrier { targets, reports, sender, files: Files::new(files) };
            let end = runtime.block_on(work(inbox, carrier));
            // A name that is still being looked up would hold an ordinary shutdown for many seconds.
            runtime.shutdown_background();
            drop(end);
        })?;
        Ok(courier)
    }

    /// Tries a delivery once, now. Returns at once; the report comes when the attempt is over.
    pub fn deliver(&self, delivery: Arc<Delivery>) {
        if self.orders.send(Order::Deliver(delivery)).is_err() {
            // It waits in the outbox, and `gone` tells the daemon.
            tracing::debug!("a delivery came after the end of the courier");
        }
    }

    /// Calls `alive_url` every minute while `healthy` says that overdue is well.
    pub fn call_alive_url<H, F>(&self, url: watch::Receiver<Option<Secret>>, healthy: H)
    where
        H: Fn() -> F + Send + 'static,
        F: Future<Output = bool> + Send + 'static,
    {
        let calls = alive::call_while(self.sender.clone(), url, healthy, alive::EVERY);
        drop(self.runtime.spawn(calls));
    }

    /// Waits until the courier takes no more deliveries. Before [`stop`](Self::stop) that is a fault, and the
    /// daemon must end.
    pub async fn gone(&self) {
        self.orders.closed().await;
    }

    /// Takes nothing new and lets what is under way end, for at most `patience`. What does not end in time
    /// gives no report: it still waits in the outbox and is tried at the next start. Reports go on being sent
    /// meanwhile, so their receiver must still be read.
    pub async fn stop(&self, patience: Duration) {
        let (end, ended) = oneshot::channel();
        if self.orders.send(Order::Stop { patience, end }).is_ok() {
            // The error is the answer: the thread drops its half without a word.
            drop(ended.await);
        }
    }
}

/// What carries one delivery out.
#[derive(Debug, Clone)]
struct Carrier {
    targets: watch::Receiver<Arc<Targets>>,
    reports: mpsc::Sender<Report>,
    sender: Sender,
    files: Files,
}

impl Carrier {
    /// Tries a delivery once, as soon as there are files for it, and reports. Its turn for files is that of the call.
    fn carry(self, delivery: Arc<Delivery>) -> impl Future<Output = ()> + Send {
        let (connects, channels) = self.connects(&delivery.channel);
        let share = connects.then(|| self.files.take(&delivery.channel, channels));
        async move {
            match share {
                None => self.carry_with(None, &delivery).await,
                // Nothing: it was not begun when the daemon stopped, and waits in the outbox.
                Some(share) => {
                    if let Some(share) = share.await {
                        self.carry_with(Some(share), &delivery).await;
                    }
                }
            }
        }
    }

    async fn carry_with(&self, share: Option<Share>, delivery: &Delivery) {
        let targets = self.targets.borrow().clone();
        let keep = share.as_ref().is_some_and(|share| share.plenty);
        let attempt = attempt::run(delivery, &targets, &self.sender, keep).await;
        if keep {
            // The connection may outlive it, and is a file as well.
            tokio::spawn(async move {
                tokio::time::sleep(KEPT).await;
                drop(share);
            });
        } else {
            drop(share);
        }
        // Nobody listens only when the daemon is ending; the outbox still has it.
        drop(self.reports.send(Report { number: delivery.number, attempt }).await);
    }

    /// Whether a channel takes connections, and how many channels do.
    fn connects(&self, channel: &ChannelName) -> (bool, usize) {
        let webhook = |target: &ChannelConfig| matches!(target, ChannelConfig::Webhook(_));
        let targets = self.targets.borrow();
        let channels = targets.values().filter(|target| webhook(target)).count();
        (targets.get(channel).is_some_and(webhook), channels)
    }
}

async fn work(mut inbox: mpsc::UnboundedReceiver<Order>, carrier: Carrier) -> Option<oneshot::Sender<()>> {
    let mut under_way = JoinSet::new();
    let (patience, end) = loop {
        tokio::select! {
            order = inbox.recv() => match order {
                Some(Order::Deliver(delivery)) => {
                    under_way.spawn(carrier.clone().carry(delivery));
                }
                Some(Order::Stop { patience, end }) => break (patience, Some(end)),
                None => break (Duration::ZERO, None),
            },
            Some(_) = under_way.join_next() => {}
        }
    };
    inbox.close();
    carrier.files.end();
    let all = async { while under_way.join_next().await.is_some() {} };
    if tokio::time::timeout(patience, all).await.is_err() {
        let deliveries = under_way.len();
        tracing::warn!(
            deliveries,
            "receivers had not answered when overdue stopped; they are tried again at the next start"
        );
    }
    end
}
