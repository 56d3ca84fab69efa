//! The newest news, for whoever follows them: a ring for readers that come back, and a broadcast for those that are
//! there. Nobody who reads slowly holds it up. It never knows how news are written or who reads them.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::sync::broadcast;

use crate::machine::news::News;
use crate::model::id::Seq;

/// News that are held. A reader that falls further behind has lost some.
pub const HELD: usize = 4_096;

/// News that have left.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// What they are.
    pub news: News,
    /// Whether they are on the disk.
    pub durable: bool,
    /// As readers get them, once one did.
    written: OnceLock<Bytes>,
}

impl Told {
    /// The number after which a reader that has these can go on. What is not on the disk has none: its number may be
    /// another's after a crash.
    pub fn mark(&self) -> Option<Seq> {
        (self.durable && self.news.last).then_some(self.news.seq)
    }

    /// These news as all readers get them: written by the first that asks, however many follow.
    pub fn written(&self, write: impl FnOnce(&Self, &mut Vec<u8>)) -> &Bytes {
        self.written.get_or_init(|| {
            let mut into = Vec::new();
            write(self, &mut into);
            into.into()
        })
    }
}

/// What a follower is given.
#[derive(Debug)]
pub struct Following {
    /// What came after the place that it named.
    pub missed: Vec<Arc<Told>>,
    /// Whether that is everything: otherwise there is no telling what it missed.
    pub complete: bool,
    /// The last mark.
    pub newest: Seq,
    /// What comes from now on.
    pub live: broadcast::Receiver<Arc<Told>>,
}

/// The ring and the broadcast.
#[derive(Debug)]
pub struct Feed {
    ring: VecDeque<Arc<Told>>,
    /// All that came after this is in the ring.
    from: Seq,
    newest: Seq,
    live: broadcast::Sender<Arc<Told>>,
}

impl Feed {
    /// Begins after this record: of what was before, nothing is known.
    pub fn new(last: Seq) -> Self {
        Self { ring: VecDeque::new(), from: last, newest: last, live: broadcast::Sender::new(HELD) }
    }

    /// Tells news.
    pub fn tell(&mut self, news: News, durable: bool) {
        let told = Arc::new(Told { news, durable, written: OnceLock::new() });
        if self.ring.len() == HELD
            && let Some(oldest) = self.ring.pop_front()
        {
            self.from = self.from.max(oldest.news.seq);
        }
        self.newest = self.newest.max(told.mark().unwrap_or_default());
        self.ring.push_back(told.clone());
        // An error means that nobody follows.
        self.live.send(told).ok();
    }

    /// Lets somebody follow who has what came up to this number, or who begins now.
    pub fn follow(&self, after: Option<Seq>) -> Following {
        let complete = after.is_none_or(|after| (self.from..=self.newest).contains(&after));
        let missed = match after {
            Some(after) if complete => {
                self.ring.iter().filter(|told| told.news.seq > after).cloned().collect()
            }
            Some(_) | None => Vec::new(),
        };
        Following { missed, complete, newest: self.newest, live: self.live.subscribe() }
    }
}
