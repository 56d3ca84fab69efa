//! The whole state as one JSON document, one item a line, so that it is written and read as a stream. Knows
//! the two files that are kept and how one takes the other's place, never what an item means.
//!
//! `{"v":1,"seq":123,"state":{…},"heartbeats":[`, the items, `],"count":2,"crc":"9ae0daaf"}`; the checksum
//! is the CRC-32 of every byte before `,"crc"`.

use std::io::{self, BufRead, BufReader, BufWriter, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::id::Seq;
use crate::store::Snapshots;
use crate::store::codec::{self, CodecError};
use crate::store::folder::{Folder, SyncWrite};
use crate::store::recover::Recovered;

/// The newest snapshot.
pub const NEWEST: &str = "snapshot.json";
/// The one before it.
pub const PREVIOUS: &str = "snapshot.previous.json";
/// One that is being written.
pub(super) const TEMPORARY: &str = "snapshot.tmp";

/// Ends the first line and begins the items.
const ITEMS: &str = ",\"heartbeats\":[\n";

/// Bytes after which a snapshot is synced while it is being written: a file system may make the journal's next
/// fsync wait for all that is dirty, so that must stay little.
const SYNC_EVERY: usize = 4 << 20;

/// The snapshots in a folder.
#[derive(Debug)]
pub struct SnapshotFiles<F> {
    folder: F,
    kept: Kept,
}

/// Which snapshots are there and whole, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// What `snapshot.json` holds; `None`: it is damaged or not there.
    pub newest: Option<Seq>,
    /// What `snapshot.previous.json` holds, when that is known.
    pub previous: Option<Seq>,
}

impl<F: Folder> SnapshotFiles<F> {
    /// Goes on with the snapshots that recovery found.
    pub fn open(folder: F, recovered: &Recovered) -> Self {
        Self { folder, kept: recovered.kept }
    }

    fn fill<H: Serialize, I: Serialize>(
        &self,
        seq: Seq,
        state: &H,
        items: impl Iterator<Item = io::Result<I>>,
    ) -> io::Result<()> {
        let mut text = Text::new(self.folder.create(TEMPORARY)?);
        write!(text.line, "{{\"v\":{},\"seq\":{seq},\"state\":", codec::VERSION)?;
        serde_json::to_writer(&mut text.line, state)?;
        text.line.extend_from_slice(ITEMS.as_bytes());
        text.put()?;
        let mut count: u64 = 0;
        for item in items {
            if count > 0 {
                text.line.push(b',');
            }
            serde_json::to_writer(&mut text.line, &item?)?;
            text.line.push(b'\n');
            text.put()?;
            count += 1;
        }
        write!(text.line, "],\"count\":{count}")?;
        text.put()?;
        text.end()
    }
}

/// A snapshot that is being written, line by line.
struct Text<W: SyncWrite> {
    out: BufWriter<W>,
    crc: crc32fast::Hasher,
    line: Vec<u8>,
    unsynced: usize,
}

impl<W: SyncWrite> Text<W> {
    fn new(file: W) -> Self {
        let out = BufWriter::with_capacity(1 << 16, file);
        Self { out, crc: crc32fast::Hasher::new(), line: Vec::new(), unsynced: 0 }
    }

    fn put(&mut self) -> io::Result<()> {
        self.crc.update(&self.line);
        self.out.write_all(&self.line)?;
        self.unsynced += self.line.len();
        self.line.clear();
        if self.unsynced >= SYNC_EVERY { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.unsynced = 0;
        self.out.flush()?;
        self.out.get_mut().sync()
    }

    fn end(mut self) -> io::Result<()> {
        let crc = std::mem::take(&mut self.crc);
        self.out.write_all(&codec::seal(crc.finalize()))?;
        self.sync()
    }
}

impl<F: Folder> Snapshots for SnapshotFiles<F> {
    fn write<H: Serialize, I: Serialize>(
        &mut self,
        seq: Seq,
        state: &H,
        items: impl Iterator<Item = io::Result<I>>,
    ) -> io::Result<Seq> {
        self.folder.restore()?;
        if let Err(error) = self.fill(seq, state, items) {
            // On a full disk what is half written stands in the way of everything else. The error that counts
            // is the first one.
            drop(self.folder.remove(TEMPORARY));
            return Err(error);
        }
        // One that is damaged does not take the place of the good one before it.
        if let Some(newest) = self.kept.newest.take() {
            self.kept.previous = match self.folder.rename(NEWEST, PREVIOUS) {
                Ok(()) => Some(newest),
                // Somebody removed it: then nothing that this one does not hold can be recovered without the journal.
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => {
                    self.kept.newest = Some(newest);
                    return Err(error);
                }
            };
        }
        self.folder.rename(TEMPORARY, NEWEST)?;
        self.kept.newest = Some(seq);
        self.folder.sync()?;
        Ok(self.kept.previous.unwrap_or_default())
    }
}

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// It is not whole.
    #[error("{0}")]
    Damaged(String),
    /// It is whole, but of a later version, or not understood.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

#[derive(Deserialize)]
struct Head<H> {
    seq: Seq,
    state: H,
}

/// Reads the whole file once, only to see that it is whole: what has been handed on cannot be taken back.
pub(super) fn verify<F: Folder>(folder: &F, name: &str) -> Result<(), ReadError> {
    let damaged = |e: io::Error| ReadError::Damaged(format!("it cannot be read: {e}"));
    let mut reader = BufReader::with_capacity(1 << 16, folder.open(name).map_err(damaged)?);
    let mut crc = crc32fast::Hasher::new();
    let (mut first, mut line, mut next) = (Vec::new(), Vec::new(), Vec::new());
    reader.read_until(b'\n', &mut first).map_err(damaged)?;
    crc.update(&first);
    reader.read_until(b'\n', &mut line).map_err(damaged)?;
    while reader.read_until(b'\n', &mut next).map_err(damaged)? > 0 {
        crc.update(&line);
        std::mem::swap(&mut line, &mut next);
        next.clear();
    }
    let whole = line.split_at_checked(line.len().wrapping_sub(codec::SEAL_LEN)).is_some_and(|(body, end)| {
        crc.update(body);
        end == codec::seal(crc.finalize())
    });
    if !whole {
        return Err(ReadError::Damaged("it is torn, or its checksum does not match".to_owned()));
    }
    Ok(codec::check_version(&first)?)
}

/// Reads a snapshot that has been verified: its number and state first, then item by item.
pub(super) fn read<F: Folder, H: DeserializeOwned, I: DeserializeOwned>(
    folder: &F,
    name: &str,
    on_state: impl FnOnce(Seq, H),
    mut on_item: impl FnMut(I),
) -> Result<Seq, ReadError> {
    let damaged = |e: io::Error| ReadError::Damaged(format!("it cannot be read: {e}"));
    let mut reader = BufReader::with_capacity(1 << 16, folder.open(name).map_err(damaged)?);
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).map_err(damaged)?;
    let head = line.strip_suffix(ITEMS.as_bytes()).ok_or_else(|| strange("its first line has no items"))?;
    let head: Head<H> = serde_json::from_slice(&[head, b"}"].concat()).map_err(|e| strange(e.to_string()))?;
    on_state(head.seq, head.state);
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(damaged)? == 0 {
            return Err(strange("its items do not end"));
        }
        if line.starts_with(b"]") {
            return Ok(head.seq);
        }
        let item = line.strip_prefix(b",").unwrap_or(&line);
        on_item(serde_json::from_slice(item).map_err(|e| strange(e.to_string()))?);
    }
}

fn strange(what: impl Into<String>) -> ReadError {
    ReadError::Codec(CodecError::Unreadable(what.into()))
}

#[cfg(test)]
mod tests;
