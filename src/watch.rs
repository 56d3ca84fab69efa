//! Sees that the config has changed, reads it, and says what became of it. Knows files, folders and SIGHUP;
//! never knows what a config is applied to.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::config::problem::Problem;
use crate::config::{Config, Sources};
use crate::model::schedule::Zones;
use crate::model::time::Timestamp;

pub use self::decide::{First, Health, Loaded, held_back};
pub use self::reading::{Disk, Reading, Transcript, read};

use self::decide::{Decider, Look, Step};
use self::sight::Sight;

mod decide;
mod disk;
mod reading;
mod sight;
#[cfg(test)]
mod tests;

/// Events that wait to be looked at; when there are more, a change is assumed.
const EVENTS: usize = 256;

/// Reads a config once, from the real files.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(path: &Path, zones: &Zones) -> Result<Config, Vec<Problem>> {
    read(path, &Disk, zones, None).outcome
}

/// Watches a config. Made in the daemon's start, then left to [`Watch::run`].
#[derive(Debug)]
pub struct Watch {
    what: Arc<What>,
    decider: Decider,
    out: mpsc::Sender<Loaded>,
    health: watch::Sender<Arc<Health>>,
    hangup: Signal,
    asks: mpsc::Receiver<()>,
}

/// What is needed to read the config again.
struct What {
    path: PathBuf,
    zones: Zones,
    namespace: Option<Uuid>,
    sources: Arc<dyn Sources + Send + Sync>,
}

impl std::fmt::Debug for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

/// The ends of a [`Watch`] that the daemon holds.
#[derive(Debug)]
pub struct Reloads {
    /// What became of each reload. Those who do not take it keep the next reload from being read.
    pub loaded: mpsc::Receiver<Loaded>,
    /// How the config stands.
    pub health: watch::Receiver<Arc<Health>>,
    /// Asks for a reload, as SIGHUP does.
    pub ask: mpsc::Sender<()>,
}

impl Watch {
    /// A watch over the config that `first` was read from, which is in force. From here on SIGHUP does not
    /// end the process. `namespace` is that of the ping key that the daemon made, if it made one.
    ///
    /// # Errors
    /// When the signal cannot be had.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(
        path: &Path,
        zones: Zones,
        namespace: Option<Uuid>,
        first: First<'_>,
        now: Timestamp,
    ) -> io::Result<(Self, Reloads)> {
        let decider = Decider::new(first, now);
        let (out, loaded) = mpsc::channel(4);
        let (health, health_seen) = watch::channel(Arc::new(decider.health()));
        let (ask, asks) = mpsc::channel(1);
        let what = What { path: path.to_owned(), zones, namespace, sources: Arc::new(Disk) };
        let hangup = signal(SignalKind::hangup())?;
        let watch = Self { what: Arc::new(what), decider, out, health, hangup, asks };
        Ok((watch, Reloads { loaded, health: health_seen, ask }))
    }

    /// Watches until nobody takes what it says.
    pub async fn run(mut self) {
        let (mut eye, mut events) = Eye::open();
        // What changed since the first reading, before anything was watched, is found by a look.
        self.decider.changed(Step::Done, Instant::now());
        loop {
            let due = self.decider.due();
            let asked = tokio::select! {
                biased;
                () = self.out.closed() => return,
                Some(()) = self.hangup.recv() => true,
                Some(()) = self.asks.recv() => true,
                Some((paths, step)) = events.recv() => {
                    if eye.lost.swap(false, Ordering::Relaxed) {
                        self.decider.changed(Step::Midst, Instant::now());
                    } else if eye.matters(&paths) {
                        self.decider.changed(step, Instant::now());
                    }
                    continue;
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => false,
            };
            if asked {
                self.decider.ask(Instant::now());
                if self.out.send(Loaded::Asked).await.is_err() {
                    return;
                }
                continue;
            }
            let (what, known) = (self.what.clone(), self.decider.known());
            let task = tokio::task::spawn_blocking(move || {
                let look = look(&what, known, &mut eye);
                (look, eye)
            });
            // It ends only with the runtime.
            let Ok((look, back)) = task.await else { return };
            eye = back;
            let loaded = self.decider.looked(look, Instant::now(), wall());
            self.health.send_replace(Arc::new(self.decider.health()));
            if let Some(loaded) = loaded
                && self.out.send(loaded).await.is_err()
            {
                return;
            }
        }
    }
}

impl What {
    fn read(&self) -> Reading {
        let mut reading = read(&self.path, &*self.sources, &self.zones, self.namespace);
        if let Ok(config) = &mut reading.outcome {
            config.warn_of_spent(&self.zones, wall());
        }
        reading
    }
}

fn wall() -> Timestamp {
    Timestamp::from_jiff(jiff::Timestamp::now())
}

/// Looks at the files until what was seen is what is watched: a change between the two would be missed.
fn look(what: &What, known: Vec<(Transcript, Look)>, eye: &mut Eye) -> Look {
    let transcripts: Vec<Transcript> = known.iter().map(|(transcript, _)| transcript.clone()).collect();
    let mut same = known.into_iter().find(|(transcript, _)| transcript.holds(&*what.sources));
    for _ in 0..3 {
        let (transcript, look) = same.unwrap_or_else(|| {
            let reading = what.read();
            (reading.transcript.clone(), Look::New(Box::new(reading)))
        });
        let fresh = eye.turn_to(&Sight::of(transcripts.iter().chain([&transcript])));
        if !fresh || transcript.holds(&*what.sources) {
            return look;
        }
        same = None;
    }
    // It changes faster than it is read; the events of what is watched now bring the next look.
    Look::New(Box::new(what.read()))
}

/// The watcher of folders.
#[derive(Debug)]
struct Eye {
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    sight: Sight,
    /// Events were lost, or the watcher failed: something may have happened.
    lost: Arc<AtomicBool>,
}

impl Eye {
    fn open() -> (Self, mpsc::Receiver<(Vec<PathBuf>, Step)>) {
        let (send, events) = mpsc::channel(EVENTS);
        let lost = Arc::new(AtomicBool::new(false));
        let flag = lost.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let seen = match event {
                Ok(event) if event.need_rescan() => None,
                Ok(event) => match step_of(event.kind) {
                    Some(step) => Some((event.paths, step)),
                    None => return,
                },
                Err(error) => {
                    tracing::warn!(%error, "the watcher of the config failed; a change is assumed");
                    None
                }
            };
            if seen.is_none() {
                flag.store(true, Ordering::Relaxed);
            }
            if send.try_send(seen.unwrap_or((Vec::new(), Step::Midst))).is_err() {
                flag.store(true, Ordering::Relaxed);
            }
        });
        let watcher = watcher
            .map_err(|error| {
                tracing::warn!(%error, "the config cannot be watched; after a change send SIGHUP (systemctl reload overdue)");
            })
            .ok();
        (Self { watcher, folders: BTreeSet::new(), sight: Sight::default(), lost }, events)
    }

    fn matters(&self, paths: &[PathBuf]) -> bool {
        paths.iter().any(|path| self.sight.concerns(path))
    }

    /// Watches this from now on. Whether there are folders that were not watched before.
    fn turn_to(&mut self, sight: &Sight) -> bool {
        let folders = sight.folders();
        self.sight = sight.clone();
        let Some(watcher) = &mut self.watcher else { return false };
        for folder in self.folders.difference(&folders) {
            // It may be gone, and its watch with it.
            watcher.unwatch(folder).ok();
        }
        for folder in &folders {
            // Again for those watched before: the name may stand for another folder now.
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::warn!(%error, folder = %folder.display(), "a folder of the config cannot be watched; after a change send SIGHUP (systemctl reload overdue)");
            }
        }
        let fresh = !folders.is_subset(&self.folders);
        self.folders = folders;
        fresh
    }
}

/// Our own reading is no change.
fn step_of(kind: EventKind) -> Option<Step> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(_))
        | EventKind::Remove(_) => Some(Step::Done),
        EventKind::Access(_) => None,
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Other => Some(Step::Midst),
    }
}
