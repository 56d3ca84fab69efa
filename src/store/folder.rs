//! The state folder: what journal, snapshots and recovery ask of a file system, and the real one, held
//! by one daemon through its lock. Knows names and bytes, never what they mean.
//!
//! What the others may count on after a crash is written at each method: nothing more.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use crate::store::hold::{Hold, is_at, make, put};

/// A flat folder of files that are written from front to back.
pub trait Folder: Clone + Send + Sync + 'static {
    /// A file that is read.
    type Reader: io::Read;
    /// A file that is written.
    type Writer: SyncWrite;

    /// The names of all files.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Opens a file to read it from its beginning.
    fn open(&self, name: &str) -> io::Result<Self::Reader>;
    /// A new and empty file in place of any that has this name. Its name survives a crash only after [`sync`](Self::sync).
    fn create(&self, name: &str) -> io::Result<Self::Writer>;
    /// Cuts a file; a crash may bring the rest back.
    fn truncate(&self, name: &str, len: u64) -> io::Result<()>;
    /// Renames a file over any other; survives a crash only after [`sync`](Self::sync).
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; survives a crash only after [`sync`](Self::sync).
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes names, not contents, survive a crash.
    fn sync(&self) -> io::Result<()>;
    /// Whether this name still leads to this file. Somebody may remove or replace the folder of a running daemon:
    /// what is written then is durable where nobody will ever read it.
    fn leads_to(&self, name: &str, file: &Self::Writer) -> io::Result<bool>;
    /// Makes the folder anew if it is gone: empty but for what a start needs beside the state. One that was put in
    /// its place is an error.
    fn restore(&self) -> io::Result<()> {
        Ok(())
    }
    /// Whether the process may open a file more, and the folder beside it.
    fn can_open(&self) -> bool {
        true
    }
    /// A file's name for messages.
    fn display(&self, name: &str) -> String;
}

/// A file that can be made durable.
pub trait SyncWrite: io::Write + Send {
    /// Makes what was written survive a crash. After an error it must not be called again: the kernel may
    /// have dropped the pages, and call the next one good.
    fn sync(&mut self) -> io::Result<()>;
}

/// The state folder on the disk, locked for this process as long as any clone of it lives.
#[derive(Debug, Clone)]
pub struct StateFolder(Arc<Hold>);

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another daemon uses it.
    #[error(
        "state folder {path}: another overdue daemon holds it. Stop that one, or give this one a `state.dir` of its own"
    )]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// It cannot be made.
    #[error(
        "state folder {path}: it cannot be created: {source}. {}, or set `state.dir`",
        remedy(source, "Create it and give it to the user that overdue runs as")
    )]
    Create {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be written.
    #[error(
        "state folder {path}: it cannot be written: {source}. {}, or set `state.dir`",
        remedy(source, "Give it to the user that overdue runs as")
    )]
    Write {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What to do about it, which is `mostly` a matter of rights.
fn remedy(error: &io::Error, mostly: &'static str) -> &'static str {
    if error.kind() == io::ErrorKind::ReadOnlyFilesystem {
        "Mount it so that it can be written"
    } else {
        mostly
    }
}

impl StateFolder {
    /// Makes the folder (0700) when it is not there, and locks it. The lock ends with the process, however it ends.
    ///
    /// # Errors
    /// When another daemon holds it, or it cannot be created or written.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        make(path).map_err(|source| OpenError::Create { path: path.to_owned(), source })?;
        let unwritable = |source| OpenError::Write { path: path.to_owned(), source };
        let hold = Hold::take(path).map_err(unwritable)?;
        let folder = Self(Arc::new(hold.ok_or_else(|| OpenError::Locked { path: path.to_owned() })?));
        // The lock may be there from a time when the folder could be written.
        folder.create("probe.tmp").and_then(|_| folder.remove("probe.tmp")).map_err(unwritable)?;
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Reads a small file whole that has to be there at every start, and has it put there again should the folder
    /// be removed while this one lives. `make` gives its content when it is not there yet.
    ///
    /// # Errors
    /// When it can be neither read nor written.
    pub fn keepsake(&self, name: &str, make: impl FnOnce() -> String) -> io::Result<String> {
        let content = match std::fs::read_to_string(self.0.path.join(name)) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let content = make();
                put(&self.0.path, name, content.as_bytes())?;
                self.sync()?;
                content
            }
            Err(error) => return Err(error),
        };
        self.0.keep(name, content.as_bytes());
        Ok(content)
    }
}

impl Folder for StateFolder {
    type Reader = File;
    type Writer = DiskFile;

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.0.path)? {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<File> {
        File::open(self.0.path.join(name))
    }

    fn create(&self, name: &str) -> io::Result<DiskFile> {
        self.0.check()?;
        let path = self.0.path.join(name);
        // Removed, not emptied: a file whose fsync once failed is not to be synced again.
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        OpenOptions::new().append(true).create_new(true).mode(0o600).open(path).map(DiskFile)
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(self.0.path.join(name))?.set_len(len)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.check()?;
        std::fs::rename(self.0.path.join(from), self.0.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.check()?;
        std::fs::remove_file(self.0.path.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        self.0.check()?;
        File::open(&self.0.path)?.sync_all()
    }

    fn leads_to(&self, name: &str, file: &DiskFile) -> io::Result<bool> {
        self.0.check()?;
        is_at(&self.0.path.join(name), &file.0)
    }

    fn restore(&self) -> io::Result<()> {
        self.0.restore()
    }

    fn can_open(&self) -> bool {
        let both = File::open(&self.0.path).and_then(|_one| File::open(&self.0.path));
        let none_left = |error: i32| [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error).contains(&error);
        !both.is_err_and(|error| error.raw_os_error().is_some_and(none_left))
    }

    fn display(&self, name: &str) -> String {
        self.0.path.join(name).display().to_string()
    }
}

/// A file of the state folder that is being written.
#[derive(Debug)]
pub struct DiskFile(File);

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SyncWrite for DiskFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_second_daemon_is_refused_until_the_first_has_gone() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateFolder::open(dir.path()).unwrap();
        let clone = first.clone();
        drop(first);
        let refused = StateFolder::open(dir.path()).unwrap_err();
        assert!(matches!(refused, OpenError::Locked { .. }));
        assert!(refused.to_string().contains("another overdue daemon holds it"), "{refused}");
        drop(clone);
        StateFolder::open(dir.path()).unwrap();
    }

    #[test]
    fn the_folder_is_made_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/state");
        let folder = StateFolder::open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        drop(folder.create("journal").unwrap());
        assert_eq!(path.join("journal").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_folder_that_cannot_be_made_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "in the way").unwrap();
        let error = StateFolder::open(&file.join("state")).unwrap_err();
        assert!(matches!(error, OpenError::Create { .. }));
        assert!(error.to_string().contains("set `state.dir`"), "{error}");
    }

    #[test]
    fn a_folder_that_cannot_be_written_says_what_to_do() {
        // Nobody, not even root, can make a file there.
        let error = StateFolder::open(Path::new("/proc/self")).unwrap_err();
        assert!(matches!(error, OpenError::Write { .. }));
        assert!(error.to_string().contains("it cannot be written"), "{error}");
    }
}
