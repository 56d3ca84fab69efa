//! What the API answers, as far as people are shown it. A key that an older daemon does not have is absent
//! here too, and one that a newer daemon has beside it does not disturb.

use serde::Deserialize;

use crate::model::incident::Cause;
use crate::model::run::Outcome;
use crate::model::time::{Span, Timestamp};

/// How a heartbeat stands. The order is that of the table: what needs somebody comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Down,
    Late,
    New,
    Up,
    Paused,
}

impl Status {
    /// The worst first.
    pub(super) const ALL: [Self; 5] = [Self::Down, Self::Late, Self::New, Self::Up, Self::Paused];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Late => "late",
            Self::New => "new",
            Self::Up => "up",
            Self::Paused => "paused",
        }
    }
}

/// A heartbeat.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Beat {
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) status: Status,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    pub(super) host: Option<String>,
    pub(super) schedule: String,
    pub(super) timezone: Option<String>,
    pub(super) grace: String,
    pub(super) max_runtime: String,
    pub(super) max_runtime_seconds: i64,
    pub(super) ping_url: Option<String>,
    pub(super) channels: Option<Vec<String>>,
    pub(super) last_ping_at: Option<Timestamp>,
    pub(super) last_success_at: Option<Timestamp>,
    pub(super) next_due_at: Option<Timestamp>,
    pub(super) next_deadline_at: Option<Timestamp>,
    pub(super) current_run_started_at: Option<Timestamp>,
    pub(super) last_exit_code: Option<u8>,
    pub(super) last_duration_ms: Option<i64>,
    #[serde(default)]
    pub(super) consecutive_failures: u64,
    pub(super) incident: Option<Incident>,
    pub(super) paused_until: Option<Timestamp>,
}

impl Beat {
    pub(super) fn last_duration(&self) -> Option<Span> {
        self.last_duration_ms.map(Span::from_millis)
    }

    /// For how long a run has been open.
    pub(super) fn running(&self, now: Timestamp) -> Option<Span> {
        self.current_run_started_at.map(|started| now.since(started))
    }
}

/// An incident that is open.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Incident {
    pub(super) id: Option<String>,
    pub(super) cause: Cause,
    pub(super) opened_at: Timestamp,
    pub(super) exit_code: Option<u8>,
    #[serde(default)]
    pub(super) maybe_unheard: bool,
}

impl Incident {
    /// "missed", "failed (exit 3)", "overran".
    pub(super) fn what(&self) -> String {
        match (self.cause, self.exit_code) {
            (Cause::Missed, _) => "missed".to_owned(),
            (Cause::Failed, Some(code)) => format!("failed (exit {code})"),
            (Cause::Failed, None) => "failed".to_owned(),
            (Cause::Overran, _) => "overran".to_owned(),
        }
    }
}

/// One execution; without an outcome while it is open.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Run {
    pub(super) started_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) duration_ms: Option<i64>,
    pub(super) exit_code: Option<u8>,
    pub(super) outcome: Option<Outcome>,
}

impl Run {
    /// How long it took, or takes so far. Of an abandoned run nobody knows: its end is only when it was
    /// given up.
    pub(super) fn length(&self, now: Timestamp) -> Option<Span> {
        let known = self.duration_ms.map(Span::from_millis);
        let until = match self.outcome {
            None => Some(now),
            Some(Outcome::Overran) => self.ended_at,
            Some(Outcome::Success | Outcome::Failure | Outcome::Abandoned) => None,
        };
        known.or_else(|| Some(until?.since(self.started_at?)))
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Runs {
    pub(super) runs: Vec<Run>,
}

/// An alert to one channel.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Delivery {
    pub(super) channel: String,
    /// What it says: "incident.opened" and so on.
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) incident: Option<String>,
    pub(super) status: DeliveryStatus,
    pub(super) next_attempt_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) tries: u32,
    /// Oldest first.
    pub(super) attempts: Vec<Attempt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DeliveryStatus {
    Waiting,
    Delivered,
    GivenUp,
}

/// One try of an alert.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Attempt {
    pub(super) status: Option<u16>,
    pub(super) error: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Deliveries {
    pub(super) deliveries: Vec<Delivery>,
}

/// How many heartbeats stand how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Counts {
    pub(super) down: usize,
    pub(super) late: usize,
    pub(super) new: usize,
    pub(super) up: usize,
    pub(super) paused: usize,
    /// A run is open; these are counted by their status too.
    pub(super) running: usize,
}

impl Counts {
    pub(super) fn of(beats: &[Beat]) -> Self {
        let mut counts = Self::default();
        for beat in beats {
            *counts.by_status(beat.status) += 1;
            counts.running += usize::from(beat.current_run_started_at.is_some());
        }
        counts
    }

    pub(super) const fn with(&self, status: Status) -> usize {
        match status {
            Status::Down => self.down,
            Status::Late => self.late,
            Status::New => self.new,
            Status::Up => self.up,
            Status::Paused => self.paused,
        }
    }

    pub(super) const fn by_status(&mut self, status: Status) -> &mut usize {
        match status {
            Status::Down => &mut self.down,
            Status::Late => &mut self.late,
            Status::New => &mut self.new,
            Status::Up => &mut self.up,
            Status::Paused => &mut self.paused,
        }
    }
}

/// How everything stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Summary {
    pub(super) heartbeats: Counts,
    /// Not all versions say it.
    #[serde(flatten)]
    pub(super) house: Option<House>,
}

/// How the daemon itself stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct House {
    pub(super) deliveries: DeliveryCounts,
    pub(super) config: ConfigState,
    pub(super) journal: JournalState,
}

/// How many alerts stand how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct DeliveryCounts {
    pub(super) waiting: usize,
    pub(super) given_up: usize,
}

/// Whether the config's file is in force, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct ConfigState {
    pub(super) ok: bool,
    #[serde(default)]
    pub(super) problems: Vec<String>,
}

/// Whether the journal can be written, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct JournalState {
    pub(super) ok: bool,
    pub(super) error: Option<String>,
}
