//! What a month saw, so that a test can tell that it tested something.

use std::collections::BTreeMap;
use std::fmt;

/// What must have happened before many months say anything.
pub(crate) const WANTED: [&str; 83] = [
    "deaths at a poll",
    "deaths at an instant",
    "deaths within an operation of the disk",
    "deaths before it heard",
    "deaths within a recovery",
    "deaths with a ping on its way",
    "deaths with an alert under way",
    "deaths while the disk fails",
    "stops",
    "power cuts",
    "kills",
    "torn batches cut",
    "starts from a snapshot and records",
    "starts from a snapshot alone",
    "unacknowledged records found",
    "unacknowledged records lost",
    "failing operations",
    "full disks",
    "starts on a full disk",
    "hanging appends",
    "healed journals",
    "lying disks",
    "power cuts after a lie",
    "acknowledged records lost by a lie",
    "refused starts after a lie",
    "snapshots",
    "newest snapshots damaged",
    "steps seen",
    "steps unseen",
    "reboots",
    "stalls",
    "sleeps",
    "lives at the real pace",
    "reloads",
    "channels lost",
    "heartbeats removed",
    "heartbeats made by the API",
    "heartbeats changed by the API",
    "heartbeats deleted by the API",
    "wishes of the API that were not durable",
    "wishes of the API without an answer",
    "wishes of the API in conflict",
    "heartbeats renamed",
    "heartbeats that changed names",
    "renames with an incident open",
    "pauses",
    "resumes",
    "tests of a channel",
    "retries by hand",
    "bursts",
    "full mailboxes",
    "looks at the news",
    "looks at the news while the disk fails",
    "floods while the disk hangs",
    "readers that fell behind",
    "slow bodies",
    "bodies that never came",
    "pings on the brink",
    "pings answered 200",
    "pings answered 503",
    "pings without an answer",
    "incidents missed",
    "incidents failed",
    "incidents overran",
    "alerts received",
    "alerts received again",
    "attempts at good receivers",
    "attempts at slow receivers",
    "attempts at dead receivers",
    "attempts at hanging receivers",
    "attempts at flapping receivers",
    "attempts at lying receivers",
    "attempts at receivers that are gone",
    "attempts at busy receivers",
    "alerts given up",
    "alerts given up: the receiver is gone",
    "alerts given up: the channel is gone",
    "alerts given up: nobody took them for too long",
    "silences noticed in time",
    "blind windows no longer than they were",
    "reminders",
    "reminders in time",
    "reminders while one waits",
];

/// How often it happened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    times: BTreeMap<&'static str, u64>,
    /// It is told while it happens.
    aloud: bool,
}

impl Seen {
    pub(crate) fn aloud() -> Self {
        Self { aloud: true, ..Self::default() }
    }

    /// Tells what happens, if that is wanted.
    pub(crate) fn tell(&self, what: impl FnOnce() -> String) {
        if self.aloud {
            eprintln!("{}", what());
        }
    }

    pub(crate) fn saw(&mut self, what: &'static str) {
        if self.aloud {
            eprintln!("    {what}");
        }
        *self.times.entry(what).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, times) in &other.times {
            *self.times.entry(what).or_default() += times;
        }
    }

    pub(crate) fn count(&self, what: &str) -> u64 {
        self.times.get(what).copied().unwrap_or_default()
    }

    /// What should have happened and did not.
    pub(crate) fn lacks(&self) -> Vec<&'static str> {
        WANTED.into_iter().filter(|what| self.count(what) == 0).collect()
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (what, times)) in self.times.iter().enumerate() {
            write!(f, "{}{times} {what}", if place == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
