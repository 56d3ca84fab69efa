//! A folder in memory that forgets as badly as a disk may: for tests and simulation. A crash keeps what was
//! synced and drops, tears and reorders everything else; errors come when they are asked for.
//! Knows nothing of what is stored, so journal, snapshots and recovery run on it unchanged.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::folder::{Folder, SyncWrite};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// A folder in memory. Clones are the same folder.
#[derive(Debug, Clone, Default)]
pub struct MemoryFolder(Arc<Mutex<Disk>>);

/// What can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Writing: half of the bytes arrive.
    Write,
    /// Making a file durable. As in the kernel, the next one on the same file says that all is well, and
    /// what was written before is still not on the disk.
    Sync,
    /// Making a new file.
    Create,
    /// Renaming a file.
    Rename,
    /// Making names durable.
    SyncFolder,
}

#[derive(Debug, Default)]
struct Disk {
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names since the last sync of the folder.
    pending: Vec<Change>,
    /// How many more go well, and how many fail after them.
    faults: BTreeMap<Operation, (u32, u32)>,
    /// Nothing more can be written.
    full: bool,
    /// What it says of a sync is not true.
    lies: bool,
    /// Counts crashes: a file that was open before one is gone.
    life: u64,
}

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// How many of them are on the disk.
    durable: usize,
    /// Durable bytes that a cut has taken away, and that a crash may bring back.
    cut: Vec<u8>,
    /// A sync has failed: what was not durable then never will be, whatever later syncs say.
    lost: bool,
}

#[derive(Debug)]
enum Change {
    Link(String, usize),
    Unlink(String),
    Rename(String, String, usize),
}

impl MemoryFolder {
    /// An empty folder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next `times` of an operation fail; 0 heals it.
    pub fn fail(&self, operation: Operation, times: u32) {
        self.fail_later(operation, 0, times);
    }

    /// The same, after `good` more have gone well.
    pub fn fail_later(&self, operation: Operation, good: u32, times: u32) {
        self.disk().faults.insert(operation, (good, times));
    }

    /// The disk is full, until it is said that it is not: of what is written half arrives.
    pub fn fill(&self, full: bool) {
        self.disk().full = full;
    }

    /// From now on the disk says of each sync that all is well and makes nothing durable, until it is told to be honest.
    pub fn lie(&self, lies: bool) {
        self.disk().lies = lies;
    }

    /// The machine loses power: what was not synced is dropped, torn and reordered as the seed decides.
    /// Files that are open can no longer be written.
    pub fn crash(&self, seed: u64) {
        let mut chance = Chance(seed);
        let mut disk = self.disk();
        let mut names = std::mem::take(&mut disk.durable_names);
        for change in std::mem::take(&mut disk.pending) {
            if chance.coin() {
                change.apply(&mut names);
            }
        }
        let mut files = Vec::new();
        disk.names.clear();
        for (name, id) in names {
            files.push(disk.files[id].after_crash(&mut chance));
            disk.names.insert(name, files.len() - 1);
        }
        disk.files = files;
        disk.durable_names = disk.names.clone();
        disk.faults.clear();
        disk.life += 1;
    }

    /// The process dies, the machine lives on: the kernel keeps everything.
    pub fn kill(&self) {
        let mut disk = self.disk();
        disk.faults.clear();
        disk.life += 1;
    }

    /// The bytes of a file, as a reader sees them now.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let disk = self.disk();
        disk.names.get(name).map(|id| disk.files[*id].bytes.clone())
    }

    /// Puts a file there that is whole and durable.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut disk = self.disk();
        let id = disk.files.len();
        disk.files.push(Content { bytes: bytes.to_vec(), durable: bytes.len(), ..Content::default() });
        disk.names.insert(name.to_owned(), id);
        disk.durable_names.insert(name.to_owned(), id);
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    fn check(&mut self, operation: Operation) -> io::Result<()> {
        match self.faults.get_mut(&operation) {
            Some((good, _)) if *good > 0 => {
                *good -= 1;
                Ok(())
            }
            Some((_, times)) if *times > 0 => {
                *times -= 1;
                Err(io::Error::other(format!("injected failure: {operation:?}")))
            }
            _ => Ok(()),
        }
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Link(name, id) => {
                names.insert(name.clone(), *id);
            }
            Self::Unlink(name) => {
                names.remove(name);
            }
            // By the file, not by its name: after a crash the old name may stand for another.
            Self::Rename(from, to, id) => {
                if names.get(from) == Some(id) {
                    names.remove(from);
                }
                names.insert(to.clone(), *id);
            }
        }
    }
}

impl Content {
    /// What is left of it: the durable bytes, and of the others any sectors in any order.
    fn after_crash(&self, chance: &mut Chance) -> Self {
        let mut bytes = self.bytes[..self.durable].to_vec();
        if !self.cut.is_empty() && chance.coin() {
            bytes.extend_from_slice(&self.cut);
            return Self { durable: bytes.len(), bytes, ..Self::default() };
        }
        let end = self.durable + chance.below(self.bytes.len() - self.durable + 1);
        while bytes.len() < end {
            let at = bytes.len();
            let stop = end.min((at / SECTOR + 1) * SECTOR);
            if chance.coin() {
                bytes.extend_from_slice(&self.bytes[at..stop]);
            } else {
                bytes.resize(stop, 0);
            }
        }
        Self { durable: bytes.len(), bytes, ..Self::default() }
    }
}

impl Folder for MemoryFolder {
    type Reader = Cursor<Vec<u8>>;
    type Writer = MemoryFile;

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.disk().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Cursor<Vec<u8>>> {
        self.bytes(name).map(Cursor::new).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn create(&self, name: &str) -> io::Result<MemoryFile> {
        let mut disk = self.disk();
        disk.check(Operation::Create)?;
        let id = disk.files.len();
        disk.files.push(Content::default());
        disk.change(Change::Link(name.to_owned(), id));
        Ok(MemoryFile { folder: self.clone(), id, life: disk.life })
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        let mut disk = self.disk();
        let id = disk.find(name)?;
        let content = &mut disk.files[id];
        let len = content.bytes.len().min(len as usize);
        let durable = content.durable.min(len);
        content.cut = content.bytes[durable..content.durable].to_vec();
        content.durable = durable;
        content.bytes.truncate(len);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.check(Operation::Rename)?;
        let id = disk.find(from)?;
        disk.change(Change::Rename(from.to_owned(), to.to_owned(), id));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.find(name)?;
        disk.change(Change::Unlink(name.to_owned()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.check(Operation::SyncFolder)?;
        if !disk.lies {
            disk.pending.clear();
            disk.durable_names = disk.names.clone();
        }
        Ok(())
    }

    fn leads_to(&self, name: &str, file: &MemoryFile) -> io::Result<bool> {
        Ok(self.disk().names.get(name) == Some(&file.id))
    }

    fn display(&self, name: &str) -> String {
        name.to_owned()
    }
}

/// A file in memory that is being written.
#[derive(Debug)]
pub struct MemoryFile {
    folder: MemoryFolder,
    id: usize,
    life: u64,
}

impl MemoryFile {
    fn disk(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let disk = self.folder.disk();
        if disk.life == self.life { Ok(disk) } else { Err(io::Error::other("this process has died")) }
    }
}

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut disk = self.disk()?;
        let full = disk.full.then(|| io::Error::from(io::ErrorKind::StorageFull));
        let checked = full.map_or_else(|| disk.check(Operation::Write), Err);
        let arrived = if checked.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        disk.files[self.id].bytes.extend_from_slice(arrived);
        checked.map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SyncWrite for MemoryFile {
    fn sync(&mut self) -> io::Result<()> {
        let mut disk = self.disk()?;
        let checked = disk.check(Operation::Sync);
        if disk.lies {
            return checked;
        }
        let content = &mut disk.files[self.id];
        content.lost |= checked.is_err();
        if !content.lost {
            content.durable = content.bytes.len();
            content.cut.clear();
        }
        checked
    }
}

/// A stream of chance that a seed fixes (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}
