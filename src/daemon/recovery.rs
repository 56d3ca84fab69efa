//! From the state folder to a state: the lock, the snapshot, the records after it, and the keys that
//! the daemon made for itself.

use std::io;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::config;
use crate::daemon::Failure;
use crate::machine::beat::Beat;
use crate::machine::state::{Core, State};
use crate::store::Durability;
use crate::store::folder::StateFolder;
use crate::store::journal::SegmentJournal;
use crate::store::peek::Peek;
use crate::store::recover::{Found, RecoverError, Recovered, recover};
use crate::store::snapshot::SnapshotFiles;

/// What the state folder gave.
pub(super) struct Kept {
    pub(super) state: State,
    pub(super) recovered: Recovered,
    pub(super) journal: SegmentJournal<StateFolder>,
    pub(super) snapshots: SnapshotFiles<StateFolder>,
    pub(super) folder: StateFolder,
}

/// Recovers what a locked folder holds.
pub(super) fn recover_from(folder: StateFolder, durability: config::Durability) -> Result<Kept, Failure> {
    let dir = folder.path().to_owned();
    let durability = match durability {
        config::Durability::Fsync => Durability::Fsync,
        config::Durability::Relaxed => Durability::Relaxed,
    };
    let mut building = Building::default();
    let recovered = recover::<_, Core, Beat>(&folder, |found| building.take(found))?;
    for warning in &recovered.warnings {
        tracing::warn!("{warning}");
    }
    let journal = match SegmentJournal::open(folder.clone(), durability, &recovered) {
        Ok(journal) => journal,
        Err(error) if is_passing(&error) => {
            // A watcher that does not start is worse than one that remembers nothing for a while.
            tracing::error!(%error, "state folder {}: it cannot be written now. Free some room", dir.display());
            SegmentJournal::closed(folder.clone(), durability, &recovered)
        }
        Err(error) => {
            let hint = "Check the disk, and that the folder belongs to the user that overdue runs as";
            return Err(Failure::StateFolder(format!("state folder {}: {error}. {hint}", dir.display())));
        }
    };
    let snapshots = SnapshotFiles::open(folder.clone(), &recovered);
    Ok(Kept { state: building.finish(), recovered, journal, snapshots, folder })
}

/// Whether a disk may take again later what it refuses now.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What a state folder holds, without touching it.
#[derive(Debug)]
pub struct Peeked {
    /// The state, as far as it is written.
    pub state: State,
    /// The ping key that the daemon made, if it made one.
    pub ping_key: Option<String>,
}

/// Looks into a state folder that a daemon may be writing to.
///
/// # Errors
/// When it cannot be read or holds no state that can be recovered.
pub fn peek(dir: &Path) -> Result<Peeked, Failure> {
    /// A daemon that takes a snapshot moves files while they are read.
    const TRIES: usize = 10;
    let failed = |error: io::Error| {
        let hint = if error.kind() == io::ErrorKind::PermissionDenied {
            ". Look as the user that overdue runs as (sudo), or ask the daemon by its URL"
        } else {
            ""
        };
        Failure::StateFolder(format!("state folder {}: {error}{hint}", dir.display()))
    };
    let folder = Peek::at(dir);
    if !folder.is_state().map_err(failed)? {
        let error = format!("state folder {}: there is no state of overdue in it", dir.display());
        return Err(Failure::StateFolder(error));
    }
    let mut tries = 0;
    let state = loop {
        let mut building = Building::default();
        match recover::<_, Core, Beat>(&folder, |found| building.take(found)) {
            Ok(_) => break building.finish(),
            Err(error @ (RecoverError::Newer { .. } | RecoverError::Unreadable { .. })) => {
                return Err(error.into());
            }
            Err(error) if tries == TRIES => return Err(error.into()),
            Err(_) => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    };
    let ping_key = match std::fs::read_to_string(dir.join("ping_key")) {
        Ok(key) => Some(key.trim_end().to_owned()).filter(|key| !key.is_empty()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    Ok(Peeked { state, ping_key })
}

/// A state in the making: first the snapshot's core and heartbeats, then records.
#[derive(Default)]
struct Building {
    core: Core,
    beats: Vec<Beat>,
    state: Option<State>,
}

impl Building {
    fn take(&mut self, found: Found<Core, Beat>) {
        match found {
            Found::State(_, core) => self.core = core,
            Found::Item(beat) => self.beats.push(beat),
            Found::Record(_, record) => {
                let (core, beats) = (&mut self.core, &mut self.beats);
                let restore = || State::restore(std::mem::take(core), std::mem::take(beats).into_iter());
                self.state.get_or_insert_with(restore).apply(&record);
            }
        }
    }

    fn finish(self) -> State {
        self.state.unwrap_or_else(|| State::restore(self.core, self.beats.into_iter()))
    }
}

/// The keys that the daemon made for itself.
pub(super) struct OwnKeys {
    /// Ping URLs are derived from it when the config has none.
    pub(super) ping: String,
    /// Sessions and the addresses of badges are made from it.
    pub(super) server: [u8; 32],
}

/// The keys that are kept in the state folder; made when there are none yet.
pub(super) fn own_keys(folder: &StateFolder) -> Result<OwnKeys, Failure> {
    let failed = |name: &str, source: io::Error, hint: &str| {
        let path = folder.path().join(name);
        Failure::StateFolder(format!("{}: {source}. Check who owns the file{hint}", path.display()))
    };
    let ping =
        own_key(folder, "ping_key").map_err(|error| failed("ping_key", error, ", or set server.ping_key"))?;
    let server = match own_key(folder, "server_key") {
        Ok(key) => key,
        Err(error) if is_passing(&error) => {
            tracing::error!(%error, "state folder {}: server_key cannot be written now, so sessions and the \
                addresses of badges end with this process. Free some room", folder.path().display());
            new_key()
        }
        Err(error) => return Err(failed("server_key", error, ", or remove it: then another is made")),
    };
    Ok(OwnKeys { ping, server: Sha256::digest(server).into() })
}

fn new_key() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

/// The key in one file of the state folder; made when there is none yet.
fn own_key(folder: &StateFolder, name: &str) -> io::Result<String> {
    let key = folder.keepsake(name, || format!("{}\n", new_key()))?;
    match key.trim_end() {
        "" => Err(io::Error::other("it is empty")),
        key => Ok(key.to_owned()),
    }
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_looked_at_without_a_trace() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(peek(dir.path()), Err(Failure::StateFolder(_))), "there is no state in it");
        assert!(matches!(peek(&dir.path().join("none")), Err(Failure::StateFolder(_))));
        let files = [
            ("journal-00000000000000000001.jsonl", "half a line that was never acknowl"),
            ("snapshot.tmp", "half"),
            ("ping_key", "key\n"),
        ];
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        // A daemon holds it, which must not matter.
        let peeked = {
            let _held = StateFolder::open(dir.path()).unwrap();
            peek(dir.path()).unwrap()
        };
        assert_eq!((peeked.state.living(), peeked.ping_key.as_deref()), (0, Some("key")));
        for (name, text) in files {
            assert_eq!(std::fs::read_to_string(dir.path().join(name)).unwrap(), text);
        }
    }

    #[test]
    fn the_keys_are_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(dir.path()).unwrap();
        let (first, again) = (own_keys(&folder).unwrap(), own_keys(&folder).unwrap());
        assert_eq!((&first.ping, first.server), (&again.ping, again.server));
        let text = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(first.ping, text("ping_key").trim_end());
        for name in ["ping_key", "server_key"] {
            assert_eq!(text(name).len(), 65, "64 hex digits and the end of the line");
            let permissions = std::fs::metadata(dir.path().join(name)).unwrap().permissions();
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&permissions) & 0o777, 0o600);
        }
        assert_ne!(text("ping_key"), text("server_key"));
        std::fs::remove_file(dir.path().join("server_key")).unwrap();
        let third = own_keys(&folder).unwrap();
        assert!(third.ping == first.ping && third.server != first.server);
        std::fs::write(dir.path().join("server_key"), "\n").unwrap();
        let Err(Failure::StateFolder(error)) = own_keys(&folder) else { panic!("an empty key was taken") };
        assert!(error.contains("server_key: it is empty. Check who owns the file, or remove it"), "{error}");
    }
}
