//! Floor 2: where records are kept. It numbers facts, writes them down, makes them durable, and
//! gives them back in order after any crash. It never knows what a record decides, and reads no clock but to
//! say how long the disk took.
//!
//! The order of a life: [`folder::StateFolder::open`] (the lock), [`recover::recover`], then
//! [`journal::SegmentJournal::open`] and [`snapshot::SnapshotFiles::open`] with what was recovered.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![deny(missing_docs)]

pub mod codec;
pub mod folder;
mod hold;
pub mod journal;
pub mod memory;
pub mod peek;
pub mod recover;
pub mod snapshot;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod removed;

use std::io;
use std::time::Duration;

use serde::Serialize;

use crate::machine::record::Record;
use crate::model::id::Seq;

/// A line of records that only grows. Whoever writes names the record that it follows, so that a
/// journal which somebody else has moved on (a replicated one) can refuse.
pub trait Journal: Send {
    /// The last record that was appended with success, or that the last [`begin_segment`](Self::begin_segment) follows.
    fn last(&self) -> Seq;

    /// Writes the batch whole, and answers once it is as durable as was asked for.
    ///
    /// # Errors
    /// [`AppendError::Superseded`] when the last record is not `after`; nothing was written.
    /// [`AppendError::Failed`] when the disk failed: the batch may or may not be found after a crash, and
    /// every further append fails until [`begin_segment`](Self::begin_segment) succeeds.
    fn append(&mut self, after: Seq, records: &[Record]) -> Result<Appended, AppendError>;

    /// Begins a new file right behind the last record, so that a snapshot of this instant lets the old one go.
    /// A journal that has failed stays so: what was asked for before the failure was known changes nothing. While the process
    /// may open no more files it goes on in the old one, which costs room and nothing else.
    ///
    /// # Errors
    /// [`AppendError::Superseded`] when the last record is not `after`; [`AppendError::Failed`] when the disk
    /// failed, now or before.
    fn rotate(&mut self, after: Seq) -> Result<(), AppendError>;

    /// Begins a new file, which heals a journal that has failed; the next record is the one after `after`. What lies
    /// between [`last`](Self::last) and `after` is never written, so a snapshot that holds everything up to
    /// `after` must ALREADY be on the disk: otherwise the next start finds a gap, and refuses.
    ///
    /// # Errors
    /// [`AppendError::Superseded`] when `after` lies before the last record; [`AppendError::Failed`] when the
    /// disk failed, after which every append fails until this succeeds.
    fn begin_segment(&mut self, after: Seq) -> Result<(), AppendError>;

    /// Deletes the files that hold nothing after `covered`. That must be the number of the snapshot BEFORE
    /// the newest, so that this one can still be recovered from; [`Snapshots::write`] answers it.
    ///
    /// # Errors
    /// When the folder cannot be read or written. Nothing that is needed is gone then.
    fn trim(&mut self, covered: Seq) -> io::Result<()>;

    /// Bytes written since the last [`rotate`](Self::rotate) or [`begin_segment`](Self::begin_segment), plus, in the first segment of a life,
    /// what had to be replayed to begin it: what a start would have to read beside the snapshot.
    fn tail_bytes(&self) -> u64;
}

/// Where whole states are kept, two of them.
pub trait Snapshots: Send {
    /// Writes a snapshot that holds every record up to `seq`, item by item, and answers up to which record
    /// the journal may be trimmed. An item that is an error abandons the snapshot with that error.
    ///
    /// # Errors
    /// When the disk failed or an item was an error. The snapshots that there were are still there.
    fn write<H: Serialize, I: Serialize>(
        &mut self,
        seq: Seq,
        state: &H,
        items: impl Iterator<Item = io::Result<I>>,
    ) -> io::Result<Seq>;
}

/// What an append came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The number of the last record.
    pub last: Seq,
    /// How long it took to make the batch durable; `None` when nothing had to be waited for.
    pub sync: Option<Duration>,
}

/// Why records were not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The journal does not end where the caller thinks.
    #[error("the journal ends with record {last}, not where this batch wants to follow")]
    Superseded {
        /// Where it ends.
        last: Seq,
    },
    /// The disk failed. Never tried again on the same file: after a failed fsync the kernel may have dropped
    /// the pages, and call the next one good.
    #[error("the journal cannot be written: {0}")]
    Failed(#[from] io::Error),
}

/// When an append is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When it is on the disk.
    #[default]
    Fsync,
    /// When the kernel has it: it survives the process, not the machine.
    Relaxed,
}
