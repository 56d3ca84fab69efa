//! The files and the environment as the config reads them, with a note of every question and its answer.
//! Knows that same answers give the same config; never knows what a config means.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, io};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::config::problem::Problem;
use crate::config::{Config, Sources};
use crate::model::schedule::Zones;
use crate::watch::disk;

/// The real files and the real environment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Sources for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        disk::read(path, disk::LONG)
    }

    fn read_short(&self, path: &Path) -> io::Result<String> {
        disk::read(path, disk::SHORT)
    }

    fn glob(&self, pattern: &Path) -> Result<Vec<PathBuf>, String> {
        let pattern = pattern.to_str().ok_or("it is not UTF-8")?;
        let paths = glob::glob(pattern).map_err(|error| error.to_string())?;
        paths.collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    fn env(&self, name: &str) -> Option<String> {
        // The library panics at such names.
        if name.is_empty() || name.contains(['=', '\0']) {
            return None;
        }
        env::var(name).ok()
    }

    fn credentials_directory(&self) -> Option<PathBuf> {
        env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
    }
}

/// A config, or what is wrong with it, and what was read for it.
#[derive(Debug)]
pub struct Reading {
    /// The config.
    pub outcome: Result<Config, Vec<Problem>>,
    /// What was asked, and answered.
    pub transcript: Transcript,
}

/// Reads a config. `namespace` is that of the ping key that the daemon made, when it has: with it, UUIDs
/// that meet are found too.
pub fn read(path: &Path, sources: &dyn Sources, zones: &Zones, namespace: Option<Uuid>) -> Reading {
    let recorder = Recorder { sources, notes: RefCell::default() };
    let mut outcome = Config::read(path, &recorder, zones);
    if let (Ok(config), Some(namespace)) = (&outcome, namespace)
        && config.server.ping_key.is_none()
    {
        let conflicts = config.uuid_conflicts(namespace);
        if !conflicts.is_empty() {
            outcome = Err(conflicts);
        }
    }
    Reading { outcome, transcript: Transcript(recorder.notes.into_inner().into()) }
}

/// Every question and its answer; of contents only the hash, since some are secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript(Arc<[(Question, Answer)]>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Question {
    Read(PathBuf),
    ReadShort(PathBuf),
    Glob(PathBuf),
    Env(String),
    Credentials,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Text([u8; 32]),
    Unreadable(io::ErrorKind),
    Paths(Vec<PathBuf>),
    NoPattern(String),
    Nothing,
}

impl Transcript {
    /// Whether every question would be answered as it was.
    pub(crate) fn holds(&self, sources: &dyn Sources) -> bool {
        self.0.iter().all(|(question, answer)| question.ask(sources) == *answer)
    }

    /// The config's own file, as it was named.
    pub(crate) fn file(&self) -> Arc<str> {
        self.files().next().map(|path| path.display().to_string()).unwrap_or_default().into()
    }

    /// The files that were read, or would have been.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().filter_map(|(question, _)| match question {
            Question::Read(path) | Question::ReadShort(path) => Some(path.as_path()),
            Question::Glob(_) | Question::Env(_) | Question::Credentials => None,
        })
    }

    /// The patterns of includes.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().filter_map(|(question, _)| match question {
            Question::Glob(pattern) => Some(pattern.as_path()),
            Question::Read(_) | Question::ReadShort(_) | Question::Env(_) | Question::Credentials => None,
        })
    }
}

impl Question {
    fn ask(&self, sources: &dyn Sources) -> Answer {
        match self {
            Self::Read(path) => Answer::read(&sources.read(path)),
            Self::ReadShort(path) => Answer::read(&sources.read_short(path)),
            Self::Glob(pattern) => Answer::glob(&sources.glob(pattern)),
            Self::Env(name) => Answer::text(sources.env(name).as_deref()),
            Self::Credentials => Answer::folder(sources.credentials_directory()),
        }
    }
}

impl Answer {
    fn read(read: &io::Result<String>) -> Self {
        match read {
            Ok(text) => Self::text(Some(text)),
            Err(error) => Self::Unreadable(error.kind()),
        }
    }

    fn glob(paths: &Result<Vec<PathBuf>, String>) -> Self {
        match paths {
            Ok(paths) => Self::Paths(paths.clone()),
            Err(error) => Self::NoPattern(error.clone()),
        }
    }

    fn text(text: Option<&str>) -> Self {
        text.map_or(Self::Nothing, |text| Self::Text(Sha256::digest(text.as_bytes()).into()))
    }

    fn folder(folder: Option<PathBuf>) -> Self {
        folder.map_or(Self::Nothing, |folder| Self::Paths(vec![folder]))
    }
}

struct Recorder<'s> {
    sources: &'s dyn Sources,
    notes: RefCell<Vec<(Question, Answer)>>,
}

impl Recorder<'_> {
    fn note(&self, question: Question, answer: Answer) {
        self.notes.borrow_mut().push((question, answer));
    }
}

impl Sources for Recorder<'_> {
    fn read(&self, path: &Path) -> io::Result<String> {
        let read = self.sources.read(path);
        self.note(Question::Read(path.to_owned()), Answer::read(&read));
        read
    }

    fn read_short(&self, path: &Path) -> io::Result<String> {
        let read = self.sources.read_short(path);
        self.note(Question::ReadShort(path.to_owned()), Answer::read(&read));
        read
    }

    fn glob(&self, pattern: &Path) -> Result<Vec<PathBuf>, String> {
        let paths = self.sources.glob(pattern);
        self.note(Question::Glob(pattern.to_owned()), Answer::glob(&paths));
        paths
    }

    fn env(&self, name: &str) -> Option<String> {
        let value = self.sources.env(name);
        self.note(Question::Env(name.to_owned()), Answer::text(value.as_deref()));
        value
    }

    fn credentials_directory(&self) -> Option<PathBuf> {
        let folder = self.sources.credentials_directory();
        self.note(Question::Credentials, Answer::folder(folder.clone()));
        folder
    }
}
