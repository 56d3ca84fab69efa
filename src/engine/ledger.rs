//! Between a decision and the world: batches of records on their way to the disk, and what may be let out
//! once they are there. Knows what to do when the disk fails, hangs or is full: pings are taken but not
//! acknowledged, alerts go out from memory, and a snapshot with a new segment heals the gap.

use std::collections::VecDeque;

use tokio::sync::watch;
use tokio::time::{Duration, Instant};

use crate::engine::handle::{Answer, JournalHealth, Refused};
use crate::engine::writer::{Done, Job, Writer};
use crate::machine::Transition;
use crate::machine::effect::Effect;
use crate::machine::event::Reply;
use crate::machine::news::News;
use crate::machine::record::Record;
use crate::machine::state::State;
use crate::model::id::Seq;
use crate::model::time::Span;

/// An append that takes longer counts as failing.
const HUNG: Duration = Duration::from_secs(10);
/// The time between two attempts to heal a failed journal, or to write a snapshot that failed.
const HEAL_EVERY: Duration = Duration::from_secs(5);
/// The journal's tail at which a snapshot is written before its time.
const TAIL_MAX: u64 = 64 * 1024 * 1024;
/// Records that are held while the disk does not take them; beyond, another snapshot must heal. Few enough in a test
/// for one to get there.
pub(super) const HELD_MAX: usize = if cfg!(test) { 2_000 } else { 200_000 };
/// Room that is made for the next batch at once, in records: as many as the last had, but not those of a reload.
const ROOM_MAX: usize = 1_024;

/// What may leave once its records are written.
#[derive(Default)]
pub(super) struct Release {
    pub(super) replies: Vec<(Answer<Reply>, Reply)>,
    pub(super) effects: Vec<Effect>,
    pub(super) news: Vec<News>,
}

impl Release {
    /// With room for as much as another holds: the next batch is much like the last.
    fn like(other: &Self) -> Self {
        Self {
            replies: Vec::with_capacity(other.replies.len().min(ROOM_MAX)),
            effects: Vec::new(),
            news: Vec::with_capacity(other.news.len().min(ROOM_MAX)),
        }
    }

    fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.effects.is_empty() && self.news.is_empty()
    }

    fn append(&mut self, later: Self) {
        self.replies.extend(later.replies);
        self.effects.extend(later.effects);
        self.news.extend(later.news);
    }
}

/// What leaves now, and whether its records are durable.
pub(super) struct LetOut {
    pub(super) release: Release,
    pub(super) durable: bool,
}

enum Condition {
    Good,
    /// An append hangs; when it returns, what was held follows.
    Hung,
    /// An append failed: only a snapshot and a new segment help.
    Failed {
        heal_at: Instant,
    },
    /// The snapshot that heals is being written, then the segment begun.
    Healing,
}

pub(super) struct Ledger {
    writer: Writer,
    /// The last record that the machine holds.
    last: Seq,
    /// The records after those that were handed to the writer, and what waits for them.
    pending: Vec<Record>,
    /// Jobs of the journal's thread that are not done.
    jobs: usize,
    release: Release,
    /// What waits for the batches under way, in order.
    under_way: VecDeque<(Release, Instant)>,
    condition: Condition,
    health: watch::Sender<JournalHealth>,
    tail_bytes: u64,
    snapshot_interval: Duration,
    snapshot_running: bool,
    /// When the next snapshot may be begun.
    snapshot_at: Instant,
    /// Whether there is something new for a snapshot; signs of life alone are not.
    changed: bool,
    /// When the last record was gathered.
    gathered_at: Instant,
}

impl Ledger {
    pub(super) fn new(
        writer: Writer,
        last: Seq,
        health: watch::Sender<JournalHealth>,
        snapshot_interval: Span,
    ) -> Self {
        let (now, snapshot_interval) = (Instant::now(), snapshot_interval.to_std());
        Self {
            writer,
            last,
            pending: Vec::new(),
            jobs: 0,
            release: Release::default(),
            under_way: VecDeque::new(),
            condition: Condition::Good,
            health,
            tail_bytes: 0,
            snapshot_interval,
            snapshot_running: false,
            snapshot_at: now + snapshot_interval,
            changed: false,
            gathered_at: now,
        }
    }

    pub(super) fn set_snapshot_interval(&mut self, interval: Span) {
        self.snapshot_interval = interval.to_std();
        self.snapshot_at = self.snapshot_at.min(Instant::now() + self.snapshot_interval);
    }

    /// When the last record was gathered.
    pub(super) fn gathered_at(&self) -> Instant {
        self.gathered_at
    }

    /// Takes a decision of this turn, and the state that it led to; of the decision the room is left. What may leave at
    /// once is given back.
    pub(super) fn gather(
        &mut self,
        decided: &mut Transition,
        state: &State,
        answer: Option<Answer<Reply>>,
        at: Instant,
    ) -> Option<LetOut> {
        let Transition { reply, records, effects } = decided;
        let reply = std::mem::take(reply);
        let wrote = !records.is_empty();
        // What was done before and is not on the disk yet is no more durable when it is asked for again.
        let durable = !wrote && !reply.claims();
        let good = matches!(self.condition, Condition::Good);
        let waits = good && (wrote || !self.pending.is_empty() || !self.under_way.is_empty());
        let mut at_once = Release::default();
        let release = if waits { &mut self.release } else { &mut at_once };
        release.replies.extend(answer.map(|answer| (answer, reply)));
        release.effects.append(effects);
        if wrote {
            for (record, n) in records.iter().zip(1..) {
                News::tell(self.last.plus(n), record, state, &mut release.news);
            }
            self.last = self.last.plus(records.len() as u64);
            self.gathered_at = at;
            self.changed |= records.iter().any(|record| !matches!(record, Record::Alive { .. }));
            // A failed journal takes none of them; the snapshot that heals it holds them all.
            if matches!(self.condition, Condition::Failed { .. }) {
                records.clear();
            } else {
                self.pending.append(records);
            }
        }
        if waits {
            return None;
        }
        if !good && self.pending.len() > HELD_MAX {
            self.pending.clear();
            self.condition = Condition::Failed { heal_at: Instant::now() };
        }
        Some(LetOut { release: at_once, durable: durable || good })
    }

    /// Sends the gathered batch on its way, unless one is under way: then it gathers on.
    pub(super) fn flush(&mut self) -> Option<LetOut> {
        if !matches!(self.condition, Condition::Good) || !self.under_way.is_empty() {
            return None;
        }
        if self.pending.is_empty() {
            let release = std::mem::take(&mut self.release);
            return (!release.is_empty()).then_some(LetOut { release, durable: true });
        }
        self.send();
        None
    }

    fn send(&mut self) {
        let room = Vec::with_capacity(self.pending.len().min(ROOM_MAX));
        let records = std::mem::replace(&mut self.pending, room);
        let after = Seq(self.last.0 - records.len() as u64);
        let next = Release::like(&self.release);
        self.under_way.push_back((std::mem::replace(&mut self.release, next), Instant::now()));
        self.order(Job::Append { after, records });
    }

    fn order(&mut self, job: Job) {
        self.jobs += 1;
        self.writer.journal(job);
    }

    /// Hears what the disk's threads say. What may leave now is given back.
    pub(super) fn done(&mut self, done: Done) -> Option<LetOut> {
        if !matches!(done, Done::Snapshot { .. }) {
            self.jobs = self.jobs.saturating_sub(1);
        }
        match done {
            Done::Appended { outcome: Ok(_), tail_bytes } => {
                self.tail_bytes = tail_bytes;
                let release = self.under_way.pop_front().map(|(release, _)| release).unwrap_or_default();
                if matches!(self.condition, Condition::Hung) && self.under_way.is_empty() {
                    self.is_good();
                }
                Some(LetOut { release, durable: true })
            }
            Done::Appended { outcome: Err(error), .. } => {
                let mut release = self.under_way.pop_front().map(|(release, _)| release).unwrap_or_default();
                self.fails(&error.to_string());
                // What gathered behind it will not be written as it is either: a snapshot takes its place.
                release.append(std::mem::take(&mut self.release));
                Some(LetOut { release, durable: false })
            }
            Done::SegmentBegun(Ok(())) => {
                self.tail_bytes = 0;
                if matches!(self.condition, Condition::Healing) {
                    self.is_good();
                    // The snapshot before the one that healed has a gap behind it: soon there are two without.
                    self.changed = true;
                    self.snapshot_at = Instant::now() + HEAL_EVERY;
                }
                None
            }
            Done::SegmentBegun(Err(error)) => {
                self.fails(&error.to_string());
                None
            }
            Done::Trimmed(outcome) => {
                if let Err(error) = outcome {
                    tracing::warn!(%error, "old journal files could not be deleted; they only cost room");
                }
                None
            }
            Done::Snapshot { seq, outcome } => {
                self.snapshot_done(seq, outcome);
                None
            }
        }
    }

    fn snapshot_done(&mut self, seq: Seq, outcome: std::io::Result<Seq>) {
        self.snapshot_running = false;
        let healing = matches!(self.condition, Condition::Healing);
        match outcome {
            Ok(covered) => {
                self.snapshot_at = Instant::now() + self.snapshot_interval;
                if healing {
                    self.order(Job::BeginSegment { after: seq });
                }
                self.order(Job::Trim { covered });
            }
            Err(error) => {
                if healing {
                    tracing::error!(%error, "the snapshot that would heal the journal could not be written either");
                } else {
                    tracing::error!(%error, "the snapshot could not be written; the journal is not shortened meanwhile");
                }
                self.changed = true;
                self.snapshot_at = Instant::now() + self.snapshot_interval.min(HEAL_EVERY * 12);
                if healing {
                    self.condition = Condition::Failed { heal_at: Instant::now() + HEAL_EVERY };
                }
            }
        }
    }

    /// When [`look_after`](Self::look_after) has something to do next, if nothing comes before.
    pub(super) fn next_look(&self) -> Option<Instant> {
        match self.condition {
            // A moment later, since what takes exactly so long does not hang yet.
            Condition::Good => {
                let hangs = self.under_way.front().map(|(_, sent)| *sent + HUNG + Duration::from_millis(1));
                let snapshot = (self.changed && !self.snapshot_running).then_some(self.snapshot_at);
                [hangs, snapshot].into_iter().flatten().min()
            }
            Condition::Failed { heal_at } if !self.snapshot_running && self.jobs == 0 => Some(heal_at),
            Condition::Failed { .. } | Condition::Hung | Condition::Healing => None,
        }
    }

    /// Looks after the disk: notices an append that hangs, heals, writes snapshots when it is time. What
    /// may leave now is given back.
    pub(super) fn look_after(&mut self, state: &State) -> Vec<LetOut> {
        let now = Instant::now();
        let mut out = Vec::new();
        let hangs = self.under_way.front().is_some_and(|(_, sent)| now.duration_since(*sent) > HUNG);
        match self.condition {
            Condition::Good if hangs => {
                self.condition = Condition::Hung;
                self.is_bad("the disk has not answered for 10 s");
                let waiting = self.under_way.iter_mut().map(|(release, _)| release);
                for release in waiting.chain([&mut self.release]) {
                    out.push(LetOut { release: std::mem::take(release), durable: false });
                }
            }
            Condition::Failed { heal_at } if now >= heal_at && !self.snapshot_running && self.jobs == 0 => {
                // The snapshot holds all that was decided so far; what comes after it follows in the new segment.
                self.pending.clear();
                self.condition = Condition::Healing;
                self.begin_snapshot(state);
            }
            Condition::Good
                if !self.snapshot_running
                    && self.changed
                    && (now >= self.snapshot_at || self.tail_bytes > TAIL_MAX) =>
            {
                self.snapshot(state);
            }
            Condition::Good | Condition::Hung | Condition::Failed { .. } | Condition::Healing => {}
        }
        out
    }

    /// Writes a snapshot of this instant and begins a new segment behind it.
    pub(super) fn snapshot(&mut self, state: &State) {
        if !self.pending.is_empty() {
            self.send();
        }
        self.order(Job::Rotate { after: self.last });
        self.tail_bytes = 0;
        self.begin_snapshot(state);
    }

    fn begin_snapshot(&mut self, state: &State) {
        self.changed = false;
        self.snapshot_running = true;
        self.writer.snapshot(self.last, state.freeze());
    }

    /// Whether the disk has nothing more to do, or can do no more.
    pub(super) fn is_quiet(&self) -> bool {
        self.pending.is_empty() && self.jobs == 0 && !self.snapshot_running
    }

    /// A failed journal is healed at the next look, not when its time has come.
    pub(super) fn heal_now(&mut self) {
        if let Condition::Failed { heal_at } = &mut self.condition {
            *heal_at = Instant::now();
        }
    }

    /// Whether the journal takes records.
    pub(super) fn is_writable(&self) -> bool {
        matches!(self.condition, Condition::Good)
    }

    /// Ends the threads; one that hangs is left behind.
    pub(super) fn finish(self) {
        if !self.is_writable() {
            tracing::error!(
                "the end came while the journal could not be written: what it lacks was never acknowledged, and is lost; \
                 and if the state folder is gone, so is all that was in it"
            );
        }
        if self.is_quiet() {
            self.writer.finish();
        }
    }

    fn is_good(&mut self) {
        self.condition = Condition::Good;
        self.health.send_replace(JournalHealth { error: None });
        tracing::warn!("the journal can be written again; nothing that was acknowledged is missing");
    }

    fn is_bad(&self, error: &str) {
        tracing::error!(
            error,
            "the journal cannot be written: pings count but are answered 503, alerts go out from memory"
        );
        self.health.send_replace(JournalHealth { error: Some(error.to_owned()) });
    }

    fn fails(&mut self, error: &str) {
        if matches!(self.condition, Condition::Good | Condition::Hung) {
            self.is_bad(error);
        }
        self.pending.clear();
        self.condition = Condition::Failed { heal_at: Instant::now() + HEAL_EVERY / 5 };
    }
}

impl LetOut {
    /// Answers whoever waits, and gives what is left: news and effects.
    pub(super) fn answer(self) -> (Vec<News>, Vec<Effect>) {
        for (answer, reply) in self.release.replies {
            let said = if self.durable { Ok(reply) } else { Err(Refused::NotDurable) };
            // An error means that the client has gone.
            answer.send(said).ok();
        }
        (self.release.news, self.release.effects)
    }
}
