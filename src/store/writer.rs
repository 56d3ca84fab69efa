//! The threads on which the disk is waited for, so that a slow one never stops the loop: one owns the journal,
//! one the snapshots. Each takes commands in order and answers every one of them. Knows no deadline: whoever
//! waits decides when a disk hangs.
//!
//! While one batch is being synced the next gathers with the caller; both queues are bounded, and a full
//! one gives the command back.

use std::io;
use std::thread::{self, JoinHandle};

use serde::Serialize;
use tokio::sync::mpsc;

use crate::machine::record::Record;
use crate::model::id::Seq;
use crate::store::{AppendError, Journal, Snapshots};

/// Commands that may wait for the journal.
const COMMANDS: usize = 16;
/// Pieces of a snapshot that may wait to be written.
const PIECES: usize = 2;

/// What the journal's thread is asked to do.
#[derive(Debug)]
pub enum Command {
    /// [`Journal::append`].
    Append {
        /// The caller's name for it.
        batch: u64,
        /// The record that it follows.
        after: Seq,
        /// The facts.
        records: Vec<Record>,
    },
    /// [`Journal::begin_segment`].
    BeginSegment {
        /// The record that it follows.
        after: Seq,
    },
    /// [`Journal::trim`].
    Trim {
        /// What the snapshot before the newest holds.
        covered: Seq,
    },
}

/// What became of a command.
#[derive(Debug)]
pub enum Done {
    /// The batch is as durable as was asked for: what waits for it may leave.
    Appended {
        /// The caller's name for it.
        batch: u64,
        /// Its last record.
        last: Seq,
        /// [`Journal::tail_bytes`].
        tail_bytes: u64,
    },
    /// The batch was not written, or nobody knows.
    Refused {
        /// The caller's name for it.
        batch: u64,
        /// Why.
        error: AppendError,
        /// The facts, back.
        records: Vec<Record>,
    },
    /// A segment was begun, or not.
    SegmentBegun {
        /// The record that it follows.
        after: Seq,
        /// How it went.
        result: Result<(), AppendError>,
    },
    /// Old segments are gone, or not.
    Trimmed {
        /// What was asked for.
        covered: Seq,
        /// How it went.
        result: io::Result<()>,
    },
}

/// The journal on a thread of its own.
#[derive(Debug)]
pub struct Writer {
    commands: mpsc::Sender<Command>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Hands the journal to a new thread. It ends when the writer is dropped and its queue is worked off.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(mut journal: impl Journal + 'static, done: mpsc::UnboundedSender<Done>) -> io::Result<Self> {
        let (commands, mut queue) = mpsc::channel(COMMANDS);
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(move || {
            while let Some(command) = queue.blocking_recv() {
                // Nobody who listens is nobody who waits; what was asked for is still done.
                drop(done.send(obey(&mut journal, command)));
            }
        })?;
        Ok(Self { commands, thread })
    }

    /// Asks for something.
    ///
    /// # Errors
    /// When the queue is full, or the thread has died: the command comes back.
    pub fn ask(&self, command: Command) -> Result<(), Command> {
        self.commands.try_send(command).map_err(mpsc::error::TrySendError::into_inner)
    }

    /// Waits until everything that was asked for is done. On a disk that hangs this hangs too.
    pub fn finish(self) {
        drop(self.commands);
        join(self.thread);
    }
}

fn obey(journal: &mut impl Journal, command: Command) -> Done {
    match command {
        Command::Append { batch, after, records } => match journal.append(after, &records) {
            Ok(last) => Done::Appended { batch, last, tail_bytes: journal.tail_bytes() },
            Err(error) => Done::Refused { batch, error, records },
        },
        Command::BeginSegment { after } => Done::SegmentBegun { after, result: journal.begin_segment(after) },
        Command::Trim { covered } => Done::Trimmed { covered, result: journal.trim(covered) },
    }
}

/// A piece of a snapshot. A beginning before the end of the one before abandons that one.
#[derive(Debug)]
pub enum Piece<H, I> {
    /// A snapshot that holds every record up to this one begins with this state.
    Begin(Seq, H),
    /// Some more items.
    Items(Vec<I>),
    /// It is whole.
    End,
}

/// A snapshot was written, or not.
#[derive(Debug)]
pub struct Snapshotted {
    /// The record that it goes up to.
    pub seq: Seq,
    /// Up to which record the journal may be trimmed.
    pub result: io::Result<Seq>,
}

/// The snapshots on a thread of their own.
#[derive(Debug)]
pub struct SnapshotWriter<H, I> {
    pieces: mpsc::Sender<Piece<H, I>>,
    thread: JoinHandle<()>,
}

impl<H: Serialize + Send + 'static, I: Serialize + Send + 'static> SnapshotWriter<H, I> {
    /// Hands the snapshots to a new thread. It ends when the writer is dropped; a snapshot without its end is
    /// abandoned then.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(
        mut snapshots: impl Snapshots + 'static,
        done: mpsc::UnboundedSender<Snapshotted>,
    ) -> io::Result<Self> {
        let (pieces, mut queue) = mpsc::channel(PIECES);
        let thread = thread::Builder::new().name("snapshots".to_owned()).spawn(move || {
            let mut begun = None;
            while let Some((seq, state)) = begun.take().or_else(|| next_begin(&mut queue)) {
                let mut items =
                    Items { queue: &mut queue, ready: Vec::new().into_iter(), begun: None, over: false };
                let result = snapshots.write(seq, &state, &mut items);
                begun = items.rest();
                drop(done.send(Snapshotted { seq, result }));
            }
        })?;
        Ok(Self { pieces, thread })
    }

    /// Where the pieces go. Reserve a place before making a piece: a slow disk then costs neither memory
    /// nor time.
    pub fn pieces(&self) -> &mpsc::Sender<Piece<H, I>> {
        &self.pieces
    }

    /// Waits until every snapshot that has its end is written. On a disk that hangs this hangs too.
    pub fn finish(self) {
        drop(self.pieces);
        join(self.thread);
    }
}

/// Skips what belongs to no snapshot: the rest of one that has failed.
fn next_begin<H, I>(queue: &mut mpsc::Receiver<Piece<H, I>>) -> Option<(Seq, H)> {
    loop {
        match queue.blocking_recv()? {
            Piece::Begin(seq, state) => return Some((seq, state)),
            Piece::Items(_) | Piece::End => {}
        }
    }
}

/// The items of one snapshot as they come.
struct Items<'a, H, I> {
    queue: &'a mut mpsc::Receiver<Piece<H, I>>,
    ready: std::vec::IntoIter<I>,
    /// The beginning of the next snapshot, when this one was abandoned for it.
    begun: Option<(Seq, H)>,
    over: bool,
}

impl<H, I> Items<'_, H, I> {
    /// What the writer must go on with.
    fn rest(self) -> Option<(Seq, H)> {
        self.begun
    }
}

impl<H, I> Iterator for Items<'_, H, I> {
    type Item = io::Result<I>;

    fn next(&mut self) -> Option<io::Result<I>> {
        loop {
            if let Some(item) = self.ready.next() {
                return Some(Ok(item));
            }
            if self.over {
                return None;
            }
            let abandoned = match self.queue.blocking_recv() {
                Some(Piece::Items(items)) => {
                    self.ready = items.into_iter();
                    continue;
                }
                Some(Piece::End) => None,
                Some(Piece::Begin(seq, state)) => {
                    self.begun = Some((seq, state));
                    Some("another snapshot began before its end")
                }
                None => Some("the daemon stopped before its end"),
            };
            self.over = true;
            return abandoned.map(|why| Err(io::Error::other(why)));
        }
    }
}

/// A thread that has panicked has said so itself.
fn join(thread: JoinHandle<()>) {
    drop(thread.join());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Durability;
    use crate::store::conformance::{Held, begin, facts, held};
    use crate::store::memory::{MemoryFolder, Operation};

    fn append(batch: u64, after: u64, records: std::ops::RangeInclusive<i64>) -> Command {
        Command::Append { batch, after: Seq(after), records: facts(records) }
    }

    #[test]
    fn every_command_is_answered_in_order_and_durable_by_then() {
        let folder = MemoryFolder::new();
        let (done, mut answers) = mpsc::unbounded_channel();
        let writer = Writer::spawn(begin(&folder, Durability::Fsync).journal, done).unwrap();
        writer.ask(append(7, 0, 1..=3)).unwrap();
        writer.ask(append(8, 3, 4..=4)).unwrap();
        writer.ask(append(9, 3, 4..=4)).unwrap();
        let answer = answers.blocking_recv().unwrap();
        assert!(matches!(answer, Done::Appended { batch: 7, last: Seq(3), tail_bytes: 1.. }), "{answer:?}");
        let answer = answers.blocking_recv().unwrap();
        assert!(matches!(answer, Done::Appended { batch: 8, last: Seq(4), .. }), "{answer:?}");
        let answer = answers.blocking_recv().unwrap();
        let superseded = AppendError::Superseded { last: Seq(4) };
        assert!(
            matches!(&answer, Done::Refused { batch: 9, error, records } if error.to_string() == superseded.to_string() && *records == facts(4..=4)),
            "{answer:?}"
        );
        folder.crash(1);
        assert_eq!(held(&folder).unwrap().0.records.len(), 4);
        writer.ask(append(10, 4, 5..=5)).unwrap();
        writer.finish();
        let answer = answers.blocking_recv().unwrap();
        assert!(
            matches!(answer, Done::Refused { batch: 10, .. }),
            "finish waits for what was asked: {answer:?}"
        );
        assert!(answers.blocking_recv().is_none());
    }

    #[test]
    fn a_failed_journal_refuses_what_waits_until_a_segment_is_begun() {
        let folder = MemoryFolder::new();
        let (done, mut answers) = mpsc::unbounded_channel();
        let writer = Writer::spawn(begin(&folder, Durability::Fsync).journal, done).unwrap();
        folder.fail(Operation::Sync, 1);
        writer.ask(append(1, 0, 1..=1)).unwrap();
        writer.ask(append(2, 1, 2..=2)).unwrap();
        writer.ask(Command::BeginSegment { after: Seq(2) }).unwrap();
        writer.ask(append(3, 2, 3..=3)).unwrap();
        writer.ask(Command::Trim { covered: Seq(2) }).unwrap();
        writer.finish();
        let mut said = Vec::new();
        while let Some(answer) = answers.blocking_recv() {
            said.push(match answer {
                Done::Appended { batch, last, .. } => format!("{batch} up to {last}"),
                Done::Refused { batch, .. } => format!("{batch} refused"),
                Done::SegmentBegun { after, result } => format!("segment after {after}: {}", result.is_ok()),
                Done::Trimmed { covered, result } => format!("trimmed {covered}: {}", result.is_ok()),
            });
        }
        assert_eq!(said, ["1 refused", "2 refused", "segment after 2: true", "3 up to 3", "trimmed 2: true"]);
    }

    #[test]
    fn a_snapshot_is_written_from_pieces_and_only_with_its_end() {
        let folder = MemoryFolder::new();
        let (done, mut answers) = mpsc::unbounded_channel();
        let snapshots = begin(&folder, Durability::Fsync).snapshots;
        let writer = SnapshotWriter::spawn(snapshots, done).unwrap();
        let say = |piece| writer.pieces().blocking_send(piece).unwrap();
        say(Piece::Begin(Seq(4), "four".to_owned()));
        say(Piece::Items(vec![1u64, 2]));
        say(Piece::Items(vec![]));
        say(Piece::Items(vec![3]));
        say(Piece::End);
        let answer = answers.blocking_recv().unwrap();
        assert_eq!((answer.seq, answer.result.unwrap()), (Seq(4), Seq(0)));
        let four = Held { state: Some((4, "four".to_owned())), items: vec![1, 2, 3], records: vec![] };
        assert_eq!(held(&folder).unwrap().0, four);

        say(Piece::Begin(Seq(5), "five".to_owned()));
        say(Piece::Items(vec![1]));
        say(Piece::Begin(Seq(6), "six".to_owned()));
        let answer = answers.blocking_recv().unwrap();
        assert_eq!(answer.seq, Seq(5));
        assert_eq!(answer.result.unwrap_err().to_string(), "another snapshot began before its end");
        say(Piece::Items(vec![9]));
        writer.finish();
        let answer = answers.blocking_recv().unwrap();
        assert_eq!(answer.seq, Seq(6));
        assert_eq!(answer.result.unwrap_err().to_string(), "the daemon stopped before its end");
        assert_eq!(held(&folder).unwrap().0, four, "what was abandoned left nothing behind");
    }

    #[test]
    fn the_rest_of_a_failed_snapshot_is_not_taken_for_another() {
        let folder = MemoryFolder::new();
        let (done, mut answers) = mpsc::unbounded_channel();
        let snapshots = begin(&folder, Durability::Fsync).snapshots;
        let writer = SnapshotWriter::spawn(snapshots, done).unwrap();
        folder.fail(Operation::Create, 1);
        for seq in [1, 2] {
            for piece in [Piece::Begin(Seq(seq), String::new()), Piece::Items(vec![seq]), Piece::End] {
                writer.pieces().blocking_send(piece).unwrap();
            }
        }
        writer.finish();
        assert!(answers.blocking_recv().unwrap().result.is_err());
        let answer = answers.blocking_recv().unwrap();
        assert!(answer.seq == Seq(2) && answer.result.is_ok());
        assert_eq!(held(&folder).unwrap().0.items, [2]);
    }
}
