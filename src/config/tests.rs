//! A config in memory, for the tests of this floor.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::problem::Problem;
use crate::config::{Config, Sources};
use crate::model::schedule::Zones;

/// Files and environment out of maps.
#[derive(Debug, Default, Clone)]
pub(crate) struct Memory {
    files: BTreeMap<PathBuf, String>,
    env: BTreeMap<String, String>,
    credentials: Option<PathBuf>,
}

impl Memory {
    pub(crate) fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), text.to_owned());
        self
    }
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }
    pub(crate) fn read_config(&self) -> Result<Config, Vec<Problem>> {
        Config::read(Path::new("/etc/overdue/config.toml"), self, &Zones::bundled())
    }
}

impl Sources for Memory {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
    fn glob(&self, pattern: &Path) -> Result<Vec<PathBuf>, String> {
        let pattern = glob::Pattern::new(&pattern.to_string_lossy()).map_err(|error| error.to_string())?;
        Ok(self.files.keys().filter(|path| pattern.matches_path(path)).cloned().collect())
    }
    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }
    fn credentials_directory(&self) -> Option<PathBuf> {
        self.credentials.clone()
    }
}

/// The config of one text without problems.
pub(crate) fn config(text: &str) -> Config {
    let memory = Memory::default().file("/etc/overdue/config.toml", text);
    memory.read_config().expect("the text is a config")
}

mod pieces;
mod reading;
mod schedules;
