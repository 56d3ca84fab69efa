//! Whose a state folder is: the lock that keeps other daemons out, and what is done when the folder is removed or
//! replaced under the daemon that holds it. Knows paths and what makes a file that file, never what is in it.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The file that is locked.
const LOCK: &str = "lock";

/// A folder that is held.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) path: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// The folder itself, to know it again.
    folder: File,
    /// Closing it lets the lock go.
    lock: File,
    /// Files that have to be there for the next start, whatever happens to the folder.
    keepsakes: Vec<(String, Vec<u8>)>,
}

/// Makes a folder and makes it stay: its name is an entry of its parent, which has to be synced too.
pub(super) fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(e) => Err(e),
        Ok(()) => File::open(parent.unwrap_or(Path::new(".")))?.sync_all(),
    }
}

impl Hold {
    /// Holds a folder that is there. `None`: another process does.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        let Some(lock) = lock(path)? else { return Ok(None) };
        let kept = Mutex::new(Kept { folder: File::open(path)?, lock, keepsakes: Vec::new() });
        Ok(Some(Self { path: path.to_owned(), kept }))
    }

    /// Puts this file there again whenever the folder has to be made anew.
    pub(super) fn keep(&self, name: &str, content: &[u8]) {
        let keepsakes = &mut self.kept().keepsakes;
        keepsakes.retain(|(known, _)| known != name);
        keepsakes.push((name.to_owned(), content.to_owned()));
    }

    /// Whether what lies at the path is still the folder that was taken, and locked by this process.
    pub(super) fn check(&self) -> io::Result<()> {
        let kept = self.kept();
        match self.found()? {
            Some(found) if !same(&found, &kept.folder.metadata()?) => Err(replaced()),
            Some(_) if !is_at(&self.path.join(LOCK), &kept.lock)? => {
                Err(io::Error::other("the lock of the state folder was removed"))
            }
            Some(_) => Ok(()),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "the state folder is gone")),
        }
    }

    /// Makes the folder anew when it is gone, and its lock and its keepsakes when they are. One that was put in its place and
    /// holds anything, or lies on another disk (what is below a volume that is not mounted), is left alone.
    pub(super) fn restore(&self) -> io::Result<()> {
        let mut kept = self.kept();
        let before = kept.folder.metadata()?;
        let found = self.found()?;
        if !found.as_ref().is_some_and(|found| same(found, &before)) {
            match found {
                None => make(&self.path)?,
                Some(found) if found.dev() != before.dev() => return Err(replaced()),
                Some(_) if std::fs::read_dir(&self.path)?.next().is_some() => return Err(replaced()),
                Some(_) => {}
            }
            // Ours from here on, whatever fails next: what is not done yet is done by the next call.
            kept.folder = File::open(&self.path)?;
        }
        if !is_at(&self.path.join(LOCK), &kept.lock)? {
            kept.lock = lock(&self.path)?.ok_or_else(|| {
                io::Error::other("another overdue daemon holds the state folder. Stop one of the two")
            })?;
        }
        for (name, content) in &kept.keepsakes {
            if !self.path.join(name).try_exists()? {
                put(&self.path, name, content)?;
                kept.folder.sync_all()?;
            }
        }
        Ok(())
    }

    /// What lies at the path.
    fn found(&self) -> io::Result<Option<Metadata>> {
        match std::fs::metadata(&self.path) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a file whole or not at all; its name stays once the folder is synced.
pub(super) fn put(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let temporary = folder.join(name).with_extension("tmp");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(temporary, folder.join(name))
}

/// The lock of a folder; `None`: another process has it.
fn lock(folder: &Path) -> io::Result<Option<File>> {
    let lock =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(folder.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether this file is to be found at this path.
pub(super) fn is_at(path: &Path, file: &File) -> io::Result<bool> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(same(&found, &file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether both are the same file.
fn same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn replaced() -> io::Error {
    io::Error::other(
        "another folder lies where the state folder was, so nothing is written there. Move it away, and the state \
         is written anew; or stop overdue first, if that folder is the one to go on with",
    )
}
