//! When to look at the files again, and what follows from what was seen. Knows instants and readings as
//! they are handed in; never reads a clock or a file, so that a test can tell it any story.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Config;
use crate::config::change::{Change, Outline, holds_back};
use crate::config::problem::Problem;
use crate::model::time::Timestamp;
use crate::watch::reading::{Reading, Transcript};

/// Editors write in several steps, milliseconds apart; this long nothing may happen after one that may be the last before
/// the files are read.
pub(crate) const QUIET: Duration = Duration::from_millis(100);
/// The same after a step that is not the last one: half a file can be a config without problems and without channels.
const QUIET_MIDST: Duration = Duration::from_millis(300);
/// A folder that never comes to rest must not keep a change from being seen.
const QUIET_MAX: Duration = Duration::from_secs(3);
/// What removes heartbeats must still be there after this long.
pub(crate) const SECOND_LOOK: Duration = Duration::from_secs(1);

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It was renamed, removed, or closed by who wrote it: it may well be whole.
    Done,
    /// It is being written, or nobody knows.
    Midst,
}

/// What became of a reload.
#[derive(Debug)]
pub enum Loaded {
    /// Somebody asked for a reload, by SIGHUP; one of the others follows.
    Asked,
    /// A config without problems. It is to be applied.
    Accepted {
        /// The config.
        config: Box<Config>,
        /// What to say of it.
        change: Change,
    },
    /// A config with problems. The old one goes on.
    Rejected {
        /// All of them.
        problems: Vec<Problem>,
    },
    /// A config that removes so much that it must be confirmed. The old one goes on.
    HeldBack {
        /// Says how much, and how to confirm.
        problem: Problem,
    },
    /// After a config that was refused, the files say again what is in force.
    Restored,
}

/// How the config stands, for those who ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether the files say what is in force.
    pub ok: bool,
    /// When the config in force was read.
    pub loaded_at: Timestamp,
    /// Why not.
    pub problems: Vec<Problem>,
}

/// What a look at the files gave.
#[derive(Debug)]
pub(crate) enum Look {
    /// What waits for a second look, unchanged.
    AsWaiting,
    /// What is in force.
    AsAccepted,
    /// What was refused last time.
    AsRefused,
    /// Something else, or somebody asked.
    New(Box<Reading>),
}

#[derive(Debug)]
struct Refused {
    transcript: Transcript,
    problems: Vec<Problem>,
}

/// What the daemon starts with.
#[derive(Debug)]
pub struct First<'c> {
    /// The config in force.
    pub config: &'c Config,
    /// What was read for it.
    pub transcript: Transcript,
    /// Why the file as it is now is not all of what is in force, from [`held_back`].
    pub held: Option<Problem>,
}

/// The problem of a config that removes so much that it must be confirmed.
pub fn held_back(transcript: &Transcript, removed: usize, total: usize) -> Option<Problem> {
    holds_back(removed, total).then(|| Problem {
        file: transcript.file(),
        line: 1,
        column: 1,
        what: format!(
            "this config removes {removed} of {total} heartbeats, so it is held back; if that is meant, confirm it with SIGHUP (systemctl reload overdue)"
        ),
        meant: None,
    })
}

/// Decides on reloads.
#[derive(Debug)]
pub(crate) struct Decider {
    /// What was read for the config in force; `None` while the start itself is held back.
    accepted: Option<Transcript>,
    outline: Outline,
    loaded_at: Timestamp,
    refused: Option<Refused>,
    /// It removes heartbeats, and waits for a second look.
    waiting: Option<Box<(Config, Transcript)>>,
    look_at: Option<Instant>,
    restless_since: Option<Instant>,
    asked: bool,
}

impl Decider {
    pub(crate) fn new(first: First<'_>, loaded_at: Timestamp) -> Self {
        let First { config, transcript, held } = first;
        let (accepted, refused) = match held {
            None => (Some(transcript), None),
            Some(problem) => (None, Some(Refused { transcript, problems: vec![problem] })),
        };
        Self {
            accepted,
            outline: Outline::of(config),
            loaded_at,
            refused,
            waiting: None,
            look_at: None,
            restless_since: None,
            asked: false,
        }
    }

    /// Something happened to the files, or may have.
    pub(crate) fn changed(&mut self, step: Step, now: Instant) {
        let since = *self.restless_since.get_or_insert(now);
        let rest = if step == Step::Done { QUIET } else { QUIET_MIDST };
        let quiet = (now + rest).min(since + QUIET_MAX);
        self.look_at = match self.look_at {
            // Whoever asked does not wait, and a second look does not come too early.
            Some(at) if self.asked && self.waiting.is_none() => Some(at),
            Some(at) if self.waiting.is_some() => Some(at.max(quiet)),
            _ => Some(quiet),
        };
    }

    /// Somebody wants the files to be read, and what they say to be done.
    pub(crate) fn ask(&mut self, now: Instant) {
        self.asked = true;
        if self.waiting.is_none() {
            self.look_at = Some(now);
        }
    }

    /// When to look next.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.look_at
    }

    /// What the files may still say, with what that would mean. When somebody asked, only what waits for a
    /// second look: everything else is read again.
    pub(crate) fn known(&self) -> Vec<(Transcript, Look)> {
        let mut known = Vec::new();
        if let Some(waiting) = &self.waiting {
            known.push((waiting.1.clone(), Look::AsWaiting));
        }
        if !self.asked {
            known.extend(self.accepted.iter().map(|accepted| (accepted.clone(), Look::AsAccepted)));
            known.extend(self.refused.iter().map(|refused| (refused.transcript.clone(), Look::AsRefused)));
        }
        known
    }

    /// A look was taken.
    pub(crate) fn looked(&mut self, look: Look, now: Instant, wall: Timestamp) -> Option<Loaded> {
        self.look_at = None;
        self.restless_since = None;
        match look {
            Look::AsWaiting => {
                let (config, transcript) = *self.waiting.take()?;
                Some(self.seen_twice(config, transcript, wall))
            }
            Look::AsAccepted => {
                self.waiting = None;
                self.refused.take().map(|_| Loaded::Restored)
            }
            Look::AsRefused => {
                self.waiting = None;
                None
            }
            Look::New(reading) => self.read(*reading, now, wall),
        }
    }

    fn read(&mut self, reading: Reading, now: Instant, wall: Timestamp) -> Option<Loaded> {
        self.waiting = None;
        let config = match reading.outcome {
            Ok(config) => config,
            Err(problems) => {
                self.asked = false;
                self.refused = Some(Refused { transcript: reading.transcript, problems: problems.clone() });
                return Some(Loaded::Rejected { problems });
            }
        };
        let outline = Outline::of(&config);
        let change = self.outline.change(&outline);
        let held = self.refused.as_ref().is_some_and(|refused| refused.transcript == reading.transcript);
        if change.removed > 0 && !(held && self.asked) {
            self.waiting = Some(Box::new((config, reading.transcript)));
            self.look_at = Some(now + SECOND_LOOK);
            return None;
        }
        Some(self.accept(config, outline, change, reading.transcript, wall))
    }

    /// It still says the same after a second look.
    fn seen_twice(&mut self, config: Config, transcript: Transcript, wall: Timestamp) -> Loaded {
        let outline = Outline::of(&config);
        let change = self.outline.change(&outline);
        let problem = match held_back(&transcript, change.removed, change.total) {
            Some(problem) if !self.asked => problem,
            _ => return self.accept(config, outline, change, transcript, wall),
        };
        self.refused = Some(Refused { transcript, problems: vec![problem.clone()] });
        Loaded::HeldBack { problem }
    }

    fn accept(
        &mut self,
        config: Config,
        outline: Outline,
        change: Change,
        transcript: Transcript,
        wall: Timestamp,
    ) -> Loaded {
        self.accepted = Some(transcript);
        self.outline = outline;
        self.loaded_at = wall;
        self.refused = None;
        self.asked = false;
        Loaded::Accepted { config: Box::new(config), change }
    }

    pub(crate) fn health(&self) -> Health {
        let problems = self.refused.as_ref().map(|refused| refused.problems.clone()).unwrap_or_default();
        Health { ok: problems.is_empty(), loaded_at: self.loaded_at, problems }
    }
}

#[cfg(test)]
mod tests;
