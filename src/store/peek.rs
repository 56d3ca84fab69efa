//! A state folder that is only looked at: no lock is taken, nothing is written, and what a recovery would cut or
//! remove stays. A daemon may be writing there meanwhile. Knows names and bytes, never what they mean.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::store::folder::{DiskFile, Folder};

/// The folder.
#[derive(Debug, Clone)]
pub struct Peek(PathBuf);

impl Peek {
    /// At this path; whether there is one shows when it is read.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Whether it holds a state: a journal or a snapshot. A ping key alone may be that of a daemon yet to come.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_state(&self) -> io::Result<bool> {
        let names = self.names()?;
        let is_of_state = |name: &String| name.starts_with("journal-") || name.starts_with("snapshot");
        Ok(names.iter().any(is_of_state))
    }
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "the state folder is only looked at")
}

impl Folder for Peek {
    type Reader = File;
    type Writer = DiskFile;

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.0)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<File> {
        File::open(self.0.join(name))
    }

    fn create(&self, _name: &str) -> io::Result<DiskFile> {
        Err(refused())
    }

    /// What would be cut is a batch that was never acknowledged, or that a daemon is writing just now: it is not
    /// handed on, and stays.
    fn truncate(&self, _name: &str, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, _from: &str, _to: &str) -> io::Result<()> {
        Err(refused())
    }

    /// What would be removed is half written, perhaps by a daemon that is writing it just now.
    fn remove(&self, _name: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn leads_to(&self, _name: &str, _file: &DiskFile) -> io::Result<bool> {
        Err(refused())
    }

    fn display(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}
