//! What a start finds: the newest whole snapshot, then every record after it, in order and without a gap.
//! Knows what may be cut and what must never be, never what a record decides.
//!
//! A batch that was being written when the machine died was never acknowledged, however it is torn: damage
//! after the highest `synced` that any line names is such a batch, and is cut. Damage before it refuses to start.

use std::fmt;
use std::io::{self, BufRead, BufReader};

use serde::de::DeserializeOwned;

use crate::machine::record::Record;
use crate::model::id::Seq;
use crate::store::codec::{self, CodecError};
use crate::store::folder::Folder;
use crate::store::journal::{self, segment_name, segments};
use crate::store::snapshot::{self, Kept, ReadError};

/// One thing found, in the order in which they come: at most one state, its items, the records after it.
#[derive(Debug)]
pub enum Found<H, I> {
    /// The snapshot's state, which holds every record up to this one.
    State(Seq, H),
    /// One item of the snapshot.
    Item(I),
    /// A record that the snapshot does not hold yet.
    Record(Seq, Record),
}

/// Where a recovery ended, for the journal and the snapshots to go on from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// The last record.
    pub last: Seq,
    /// The last record known to be on the disk.
    pub synced: Seq,
    /// Which snapshots are whole.
    pub kept: Kept,
    /// Bytes of the records after the snapshot.
    pub replayed_bytes: u64,
    /// What an operator should read.
    pub warnings: Vec<Warning>,
}

/// Something that was put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A batch that was never acknowledged was cut off.
    Cut {
        /// The file.
        file: String,
        /// The first line that was cut, from 1.
        line: u64,
        /// The last record that stays.
        last: Seq,
    },
    /// The newest snapshot is damaged; the one before it was used.
    SnapshotDamaged {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// A line is damaged, but the snapshot holds its record.
    Covered {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut { file, line, last } => write!(
                f,
                "{file}: line {line} and what follows was being written when the machine stopped, and was never acknowledged: it is cut off. The last record is {last}"
            ),
            Self::SnapshotDamaged { file, why } => write!(
                f,
                "{file}: {why}. The snapshot before it and the journal were used instead; nothing is lost. Check the disk"
            ),
            Self::Covered { file, line } => write!(
                f,
                "{file}: line {line} is damaged, but the snapshot holds what it said; nothing is lost. Check the disk"
            ),
        }
    }
}

/// Why the state cannot be recovered. Nothing was changed on the disk.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// Acknowledged records are damaged.
    #[error(
        "{file}: line {line}: {why}, and records after it were acknowledged. Restore the state folder from a backup; \
         or, to give up everything from that line on, cut the file before line {line} and remove the journal files newer than it"
    )]
    Corrupt {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// Records are in no file.
    #[error(
        "{file}: records {from} to {to} should stand before it and are in no snapshot and no journal file. Restore the state folder from a backup; \
         or, to give up everything from record {from} on, move this and the journal files newer than it away"
    )]
    Missing {
        /// The file before which they are missing.
        file: String,
        /// The first that is missing.
        from: Seq,
        /// The last.
        to: Seq,
    },
    /// No snapshot is whole.
    #[error(
        "{file}: {why}, and there is no whole snapshot before it. Restore the state folder from a backup; \
         or, to give up all state, move the folder away: the heartbeats of the config begin anew"
    )]
    NoSnapshot {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// A later version of this program wrote the state.
    #[error(
        "{file}: it was written by a newer overdue (format {version}; this one reads up to {reads}). Install that version again, or restore a backup that this one wrote",
        reads = codec::VERSION
    )]
    Newer {
        /// The file.
        file: String,
        /// Its version.
        version: u64,
    },
    /// It is whole, and still not to be understood.
    #[error(
        "{place}: {why}. Most likely a newer overdue wrote it: install that version again, or restore a backup"
    )]
    Unreadable {
        /// The file, and its line.
        place: String,
        /// What is not understood.
        why: String,
    },
    /// The disk failed.
    #[error("{file}: it cannot be read or written: {source}. Check the disk and who owns the file")]
    Io {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
}

/// Hands everything that the folder holds to `on_found`, and cuts what was never acknowledged.
///
/// # Errors
/// When acknowledged facts are damaged or missing, a later version wrote them, or the disk fails.
pub fn recover<F, H, I>(folder: &F, mut on_found: impl FnMut(Found<H, I>)) -> Result<Recovered, RecoverError>
where
    F: Folder,
    H: DeserializeOwned,
    I: DeserializeOwned,
{
    let names = folder.names().map_err(|source| failed(folder, ".", source))?;
    for name in names.iter().filter(|name| [journal::TEMPORARY, snapshot::TEMPORARY].contains(&name.as_str()))
    {
        folder.remove(name).map_err(|source| failed(folder, name, source))?;
    }
    let mut warnings = Vec::new();
    let kept = read_snapshot(folder, &names, &mut warnings, &mut on_found)?;
    let base = kept.newest.or(kept.previous).unwrap_or_default();
    let mut replay = Replay {
        folder,
        base,
        on_record: |seq, record| on_found(Found::Record(seq, record)),
        recovered: Recovered { last: base, synced: base, kept, replayed_bytes: 0, warnings },
        damage: None,
        held: Vec::new(),
        held_bytes: 0,
        held_from: None,
    };
    replay.run()?;
    Ok(replay.recovered)
}

/// Reads the newest snapshot that is whole.
fn read_snapshot<F: Folder, H: DeserializeOwned, I: DeserializeOwned>(
    folder: &F,
    names: &[String],
    warnings: &mut Vec<Warning>,
    on_found: &mut impl FnMut(Found<H, I>),
) -> Result<Kept, RecoverError> {
    let refuse = |name: &str, error| match error {
        CodecError::Newer(version) => RecoverError::Newer { file: folder.display(name), version },
        CodecError::Torn | CodecError::Unreadable(_) => {
            RecoverError::Unreadable { place: folder.display(name), why: error.to_string() }
        }
    };
    let mut damaged = None;
    for name in [snapshot::NEWEST, snapshot::PREVIOUS] {
        if !names.iter().any(|n| n == name) {
            continue;
        }
        match snapshot::verify(folder, name) {
            Ok(()) => {}
            Err(ReadError::Damaged(why)) => {
                damaged.get_or_insert((name, why));
                continue;
            }
            Err(ReadError::Codec(error)) => return Err(refuse(name, error)),
        }
        // Both closures hand on to the same receiver, one after the other.
        let found = std::cell::RefCell::new(&mut *on_found);
        let seq = snapshot::read(
            folder,
            name,
            |seq, state| (found.borrow_mut())(Found::State(seq, state)),
            |item| (found.borrow_mut())(Found::Item(item)),
        )
        .map_err(|error| match error {
            ReadError::Damaged(why) => {
                RecoverError::Io { file: folder.display(name), source: io::Error::other(why) }
            }
            ReadError::Codec(error) => refuse(name, error),
        })?;
        if let Some((name, why)) = damaged {
            warnings.push(Warning::SnapshotDamaged { file: folder.display(name), why });
        }
        let newest = name == snapshot::NEWEST;
        return Ok(Kept { newest: newest.then_some(seq), previous: (!newest).then_some(seq) });
    }
    match damaged {
        Some((name, why)) => Err(RecoverError::NoSnapshot { file: folder.display(name), why }),
        None => Ok(Kept::default()),
    }
}

fn failed<F: Folder>(folder: &F, name: &str, source: io::Error) -> RecoverError {
    RecoverError::Io { file: folder.display(name), source }
}

/// The first place from which the journal cannot be followed.
#[derive(Debug, Clone)]
struct Damage {
    name: String,
    line: u64,
    offset: u64,
    why: String,
}

/// A walk over the segments.
struct Replay<'a, F, R> {
    folder: &'a F,
    /// What the snapshot holds.
    base: Seq,
    on_record: R,
    recovered: Recovered,
    /// Once set, nothing is handed on any more; the rest is only read for what it says of `synced`.
    damage: Option<Damage>,
    /// Records of a batch whose end has not been read: what one decision led to is taken whole or not at all, so that
    /// no incident is there without its alert.
    held: Vec<(Seq, Record)>,
    held_bytes: u64,
    /// Where the first of them stands.
    held_from: Option<Damage>,
}

impl<F: Folder, R: FnMut(Seq, Record)> Replay<'_, F, R> {
    fn run(&mut self) -> Result<(), RecoverError> {
        let all = segments(self.folder).map_err(|source| failed(self.folder, ".", source))?;
        for (at, first) in all.iter().enumerate() {
            let next = all.get(at + 1).copied();
            // The snapshot holds all of it.
            if next.is_some_and(|next| next <= self.base.plus(1)) {
                continue;
            }
            // The name promises that what stands before it is on the disk.
            self.recovered.synced = self.recovered.synced.max(Seq(first.0.saturating_sub(1)));
            if self.recovered.synced > self.recovered.last {
                break;
            }
            self.segment(*first, next)?;
        }
        self.judge(&all)
    }

    /// Reads one segment up to the first record of the next one.
    fn segment(&mut self, first: Seq, next: Option<Seq>) -> Result<(), RecoverError> {
        let name = segment_name(first);
        let io = |source| failed(self.folder, &name, source);
        let mut reader = BufReader::with_capacity(1 << 18, self.folder.open(&name).map_err(io)?);
        let mut here = Damage { name: name.clone(), line: 0, offset: 0, why: String::new() };
        let mut seen = Seq(first.0 - 1);
        // Damage that may lie within what the snapshot holds.
        let mut doubt: Option<Damage> = None;
        let mut text = Vec::new();
        loop {
            here.offset += text.len() as u64;
            here.line += 1;
            text.clear();
            // From the next segment's first record on, this one is void.
            let void = self.damage.is_none() && next.is_some_and(|next| next <= self.recovered.last.plus(1));
            if void || reader.read_until(b'\n', &mut text).map_err(io)? == 0 {
                break;
            }
            let found = match codec::decode(&text) {
                Ok(found) => found,
                Err(CodecError::Torn) => {
                    let damage = Damage { why: "it is damaged".to_owned(), ..here.clone() };
                    if seen < self.base {
                        doubt.get_or_insert(damage);
                    } else {
                        self.damage.get_or_insert(damage);
                    }
                    continue;
                }
                Err(CodecError::Newer(version)) => {
                    return Err(RecoverError::Newer { file: self.folder.display(&name), version });
                }
                Err(CodecError::Unreadable(why)) => {
                    let place = format!("{}: line {}", self.folder.display(&name), here.line);
                    return Err(RecoverError::Unreadable { place, why });
                }
            };
            seen = found.seq;
            self.line(found, &here, &mut doubt, text.len() as u64);
        }
        // Nothing whole came after it, so it may have held what is needed next.
        if let Some(doubt) = doubt {
            self.damage.get_or_insert(doubt);
        }
        Ok(())
    }

    /// Takes one whole line.
    fn line(&mut self, found: codec::Line, here: &Damage, doubt: &mut Option<Damage>, bytes: u64) {
        let recovered = &mut self.recovered;
        recovered.synced = recovered.synced.max(found.synced);
        let expected = recovered.last.plus(1);
        if found.seq <= expected
            && let Some(covered) = doubt.take()
        {
            let file = self.folder.display(&covered.name);
            recovered.warnings.push(Warning::Covered { file, line: covered.line });
        }
        if found.seq > expected {
            let why = format!("it holds record {}, where record {expected} should be", found.seq);
            let damage = doubt.take().unwrap_or(Damage { why, ..here.clone() });
            self.damage.get_or_insert(damage);
        }
        if self.damage.is_some() || found.seq < expected {
            return;
        }
        recovered.last = found.seq;
        recovered.replayed_bytes += bytes;
        if found.batch.is_some_and(|end| end > found.seq) {
            self.held_from.get_or_insert_with(|| here.clone());
            self.held.push((found.seq, found.record));
            self.held_bytes += bytes;
            return;
        }
        for (seq, record) in self.held.drain(..) {
            (self.on_record)(seq, record);
        }
        (self.held_from, self.held_bytes) = (None, 0);
        (self.on_record)(found.seq, found.record);
    }

    /// A batch whose end is missing goes whole, if nobody was answered by it.
    fn let_go(&mut self) {
        let (Some(from), Some((first, _))) = (self.held_from.take(), self.held.first()) else { return };
        let before = Seq(first.0 - 1);
        if self.recovered.synced <= before {
            self.recovered.last = before;
            self.recovered.replayed_bytes -= self.held_bytes;
            self.held.clear();
            self.damage = Some(Damage { why: "the batch that begins here is not whole".to_owned(), ..from });
        }
        for (seq, record) in self.held.drain(..) {
            (self.on_record)(seq, record);
        }
    }

    /// Cuts damage that was never acknowledged, and refuses any other.
    fn judge(&mut self, all: &[Seq]) -> Result<(), RecoverError> {
        self.let_go();
        let Recovered { last, synced, .. } = self.recovered;
        let Some(damage) = self.damage.take() else {
            return match all.iter().find(|first| **first > last.plus(1)) {
                Some(first) if synced > last => Err(RecoverError::Missing {
                    file: self.folder.display(&segment_name(*first)),
                    from: last.plus(1),
                    to: Seq(first.0 - 1),
                }),
                _ => Ok(()),
            };
        };
        let file = self.folder.display(&damage.name);
        if synced > last {
            return Err(RecoverError::Corrupt { file, line: damage.line, why: damage.why });
        }
        self.folder
            .truncate(&damage.name, damage.offset)
            .map_err(|source| failed(self.folder, &damage.name, source))?;
        self.recovered.warnings.push(Warning::Cut { file, line: damage.line, last });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
