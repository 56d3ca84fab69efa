//! A daemon with so many heartbeats.

use std::fmt::Write as _;
use std::path::Path;

use tempfile::TempDir;

use crate::client::free_port;
use crate::daemon::{self, Daemon};
use crate::driver::Server;

pub(crate) struct Subject {
    pub(crate) folder: TempDir,
    pub(crate) server: Server,
    /// Where its heartbeats are pinged.
    pub(crate) targets: Vec<String>,
    pub(crate) daemon: Daemon,
}

impl Subject {
    /// With heartbeats of a day, and what `state` says of `[state]`.
    pub(crate) fn start(state: &str, heartbeats: usize) -> Self {
        let port = free_port();
        let mut config = head(port, state);
        for beat in 0..heartbeats {
            writeln!(config, "[heartbeats.beat-{beat}]\ninterval = \"1d\"\nuuid = \"{}\"", uuid(beat))
                .unwrap();
        }
        Self::with(port, &config, heartbeats)
    }

    /// With this config, of which so many heartbeats have the UUIDs that [`uuid`] gives.
    pub(crate) fn with(port: u16, config: &str, heartbeats: usize) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let daemon = daemon::start(folder.path(), port, config);
        let targets = (0..heartbeats).map(|beat| format!("/ping/{}", uuid(beat))).collect();
        let server = Server { port, process: daemon.process() };
        Self { folder, server, targets, daemon }
    }

    /// Ends it as a crash does, and starts it with what it has kept.
    pub(crate) fn crash_and_start(self) -> Self {
        let Self { folder, server, targets, daemon } = self;
        drop(daemon);
        let daemon = daemon::start_again(folder.path(), server.port);
        let server = Server { process: daemon.process(), ..server };
        Self { folder, server, targets, daemon }
    }

    /// Its state folder.
    pub(crate) fn state(&self) -> std::path::PathBuf {
        self.folder.path().join("state")
    }

    /// Its config file.
    pub(crate) fn config(&self) -> std::path::PathBuf {
        self.folder.path().join("config.toml")
    }
}

/// What a config begins with.
pub(crate) fn head(port: u16, state: &str) -> String {
    format!("[server]\nlisten = \"127.0.0.1:{port}\"\n[state]\n{state}\n[defaults]\nchannels = [\"log\"]\n")
}

pub(crate) fn uuid(beat: usize) -> String {
    format!("00000000-0000-4000-8000-{beat:012x}")
}

/// Bytes of the journal's files.
pub(crate) fn journal_bytes(state: &Path) -> u64 {
    journals(state).iter().map(|path| std::fs::metadata(path).map_or(0, |data| data.len())).sum()
}

/// The journal's files, in their order.
pub(crate) fn journals(state: &Path) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path());
    let is_journal = |path: &std::path::PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("journal-"))
    };
    let mut journals: Vec<_> = files.filter(is_journal).collect();
    journals.sort();
    journals
}
