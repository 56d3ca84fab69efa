//! The journal as files: `journal-<number of its first record>.jsonl`, appended and synced batch by
//! batch. Knows segments and their names, never what a record says.
//!
//! A segment's name is a promise: when it is there, every record before its first one is on the disk,
//! in an older segment or in a snapshot. Whatever an older segment holds from that number on is void.

use std::io::{self, BufRead, BufReader, Write};
use std::time::{Duration, Instant};

use crate::machine::record::Record;
use crate::model::id::Seq;
use crate::store::codec;
use crate::store::folder::{Folder, SyncWrite};
use crate::store::recover::Recovered;
use crate::store::{AppendError, Appended, Durability, Journal};

/// Where a segment is put together before it gets its name.
pub(super) const TEMPORARY: &str = "journal.tmp";

/// Bytes that are kept for the next batch: a reload of a hundred thousand heartbeats needs many more, but seldom.
const BATCH_ROOM: usize = 256 * 1024;

/// A journal in a folder.
#[derive(Debug)]
pub struct SegmentJournal<F: Folder> {
    folder: F,
    durability: Durability,
    /// `None` after a failure: that file is never touched again.
    file: Option<F::Writer>,
    /// Its name.
    name: String,
    last: Seq,
    synced: Seq,
    tail_bytes: u64,
    batch: Vec<u8>,
}

impl<F: Folder> SegmentJournal<F> {
    /// Goes on after what was recovered, in a new segment. Records that were read but are not known to be on the
    /// disk are copied into it and synced: the file that they were read from may be one whose fsync has
    /// failed, and then only the page cache holds them.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn open(folder: F, durability: Durability, recovered: &Recovered) -> io::Result<Self> {
        let file = match first_segment(&folder, recovered) {
            Ok(file) => file,
            Err(error) => {
                // On a full disk what is left of it would keep the room that healing needs. That it cannot be
                // removed is no news: the next recovery tries again.
                folder.remove(TEMPORARY).ok();
                return Err(error);
            }
        };
        let closed = Self::closed(folder, durability, recovered);
        Ok(Self { file: Some(file), synced: recovered.last, ..closed })
    }

    /// The same on a disk that takes nothing at the moment: every append fails until a snapshot that holds
    /// what was recovered is written and [`begin_segment`](Journal::begin_segment) succeeds.
    pub fn closed(folder: F, durability: Durability, recovered: &Recovered) -> Self {
        Self {
            folder,
            durability,
            file: None,
            name: segment_name(recovered.synced.plus(1)),
            last: recovered.last,
            synced: recovered.synced,
            tail_bytes: recovered.replayed_bytes,
            batch: Vec::new(),
        }
    }

    fn try_append(&mut self, file: &mut F::Writer, records: &[Record]) -> io::Result<Option<Duration>> {
        self.batch.clear();
        self.batch.shrink_to(BATCH_ROOM);
        let end = self.last.plus(records.len() as u64);
        for (n, record) in (1..).zip(records) {
            codec::encode(&mut self.batch, self.last.plus(n), self.synced, end, record)?;
        }
        file.write_all(&self.batch)?;
        let took = match self.durability {
            Durability::Fsync => {
                let began = Instant::now();
                file.sync()?;
                Some(began.elapsed())
            }
            Durability::Relaxed => None,
        };
        self.check_name(file)?;
        Ok(took)
    }

    /// What was written is where the next start reads it.
    fn check_name(&self, file: &F::Writer) -> io::Result<()> {
        if self.folder.leads_to(&self.name, file)? {
            return Ok(());
        }
        let path = self.folder.display(&self.name);
        Err(io::Error::other(format!("{path} was removed or replaced while overdue wrote to it")))
    }

    fn try_begin(&mut self, after: Seq) -> io::Result<F::Writer> {
        // The new segment's name promises what a relaxed journal has not synced yet. Taken before anything
        // else: once the new name may be there, the old file is void from that number on.
        if let Some(mut old) = self.file.take()
            && self.synced < self.last
        {
            old.sync()?;
        }
        self.name = segment_name(after.plus(1));
        let file = self.folder.create(&self.name)?;
        self.folder.sync()?;
        Ok(file)
    }
}

impl<F: Folder> Journal for SegmentJournal<F> {
    fn last(&self) -> Seq {
        self.last
    }

    fn append(&mut self, after: Seq, records: &[Record]) -> Result<Appended, AppendError> {
        let Some(mut file) = self.file.take() else {
            return Err(closed());
        };
        if after != self.last {
            self.file = Some(file);
            return Err(AppendError::Superseded { last: self.last });
        }
        let mut sync = None;
        if !records.is_empty() {
            sync = self.try_append(&mut file, records)?;
            self.last = self.last.plus(records.len() as u64);
            if self.durability == Durability::Fsync {
                self.synced = self.last;
            }
            self.tail_bytes += self.batch.len() as u64;
        }
        self.file = Some(file);
        Ok(Appended { last: self.last, sync })
    }

    fn rotate(&mut self, after: Seq) -> Result<(), AppendError> {
        let Some(file) = &self.file else {
            return Err(closed());
        };
        if after != self.last {
            return Err(AppendError::Superseded { last: self.last });
        }
        // In a folder that was made anew meanwhile, a segment without a snapshot would follow nothing.
        if let Err(error) = self.check_name(file) {
            self.file = None;
            return Err(error.into());
        }
        // The old one is closed before the new one is there: without this, pings would be refused for as long as no file
        // may be opened.
        if !self.folder.can_open() {
            return Ok(());
        }
        self.begin_segment(after)
    }

    fn begin_segment(&mut self, after: Seq) -> Result<(), AppendError> {
        if after < self.last {
            return Err(AppendError::Superseded { last: self.last });
        }
        self.file = Some(self.try_begin(after)?);
        self.last = after;
        self.synced = after;
        self.tail_bytes = 0;
        Ok(())
    }

    fn trim(&mut self, covered: Seq) -> io::Result<()> {
        let segments = segments(&self.folder)?;
        for pair in segments.windows(2) {
            if pair[1] <= covered.plus(1) {
                self.folder.remove(&segment_name(pair[0]))?;
            }
        }
        Ok(())
    }

    fn tail_bytes(&self) -> u64 {
        self.tail_bytes
    }
}

/// A segment that holds what was read but is not known to be on the disk.
fn first_segment<F: Folder>(folder: &F, recovered: &Recovered) -> io::Result<F::Writer> {
    let mut file = folder.create(TEMPORARY)?;
    copy(folder, recovered.synced, recovered.last, &mut file)?;
    file.sync()?;
    folder.rename(TEMPORARY, &segment_name(recovered.synced.plus(1)))?;
    folder.sync()?;
    Ok(file)
}

fn closed() -> AppendError {
    AppendError::Failed(io::Error::other("an earlier write failed, and no new segment has been begun since"))
}

/// Copies the lines of the records after `from` up to `to`, as they are.
fn copy<F: Folder>(folder: &F, from: Seq, to: Seq, file: &mut F::Writer) -> io::Result<()> {
    let mut last = from;
    let mut out = io::BufWriter::new(file);
    let segments = segments(folder)?;
    for (at, first) in segments.iter().enumerate() {
        let next = segments.get(at + 1);
        if last == to || next.is_some_and(|next| *next <= last.plus(1)) {
            continue;
        }
        let mut reader = BufReader::new(folder.open(&segment_name(*first))?);
        let mut line = Vec::new();
        while last < to && reader.read_until(b'\n', &mut line)? > 0 {
            if codec::decode(&line).is_ok_and(|found| found.seq == last.plus(1)) {
                out.write_all(&line)?;
                last = last.plus(1);
            }
            line.clear();
        }
    }
    if last < to {
        return Err(io::Error::other(format!("record {} was read and is gone", last.plus(1))));
    }
    out.flush()
}

/// The file whose first record has this number.
pub(super) fn segment_name(first: Seq) -> String {
    format!("journal-{:020}.jsonl", first.0)
}

/// The first records of all segments, in order.
pub(super) fn segments<F: Folder>(folder: &F) -> io::Result<Vec<Seq>> {
    let mut segments: Vec<Seq> = folder
        .names()?
        .iter()
        .filter_map(|name| {
            let digits = name.strip_prefix("journal-")?.strip_suffix(".jsonl")?;
            let first = Seq(digits.parse().ok()?);
            (segment_name(first) == *name && first > Seq(0)).then_some(first)
        })
        .collect();
    segments.sort_unstable();
    Ok(segments)
}
