//! From going down to recovery, and the spans in which overdue could not hear.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::channel::ChannelName;
use crate::model::id::{IncidentId, RunId};
use crate::model::time::{Step, Timestamp};

/// Why a heartbeat went down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// No ping came in time.
    Missed,
    /// The job said that it failed.
    Failed,
    /// A run started and did not finish in time.
    Overran,
}

/// Why an incident ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A success came.
    Ping,
    /// The heartbeat was paused.
    Paused,
    /// The heartbeat left the config or was deleted.
    Removed,
}

/// What an alert says of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alert {
    /// It began.
    Opened,
    /// It goes on.
    Reminder,
    /// It ended.
    Resolved,
    /// Nothing: somebody tries the channel.
    Test,
}

impl Alert {
    /// The `type` of its webhook.
    pub const fn event_type(self) -> &'static str {
        match self {
            Self::Opened => "incident.opened",
            Self::Reminder => "incident.reminder",
            Self::Resolved => "incident.resolved",
            Self::Test => "test",
        }
    }
}

/// A span in which overdue could not hear pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct BlindWindow {
    /// The last instant at which it is known to have heard.
    pub from: Timestamp,
    /// The first instant at which it heard again.
    pub to: Timestamp,
    /// What kept it from hearing.
    pub why: Blindness,
}

/// A blind window that an incident names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct NamedWindow {
    /// The window.
    #[serde(flatten)]
    pub window: BlindWindow,
    /// Whether it overlaps the time from due to deadline, in which the ping may have come unheard.
    #[serde(default)]
    pub overlaps: bool,
}

/// What kept overdue from hearing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum Blindness {
    /// The process was not running.
    #[serde(rename = "not running")]
    NotRunning,
    /// The process was stopped or starved: its loop did not turn.
    #[serde(rename = "stalled")]
    Stalled,
    /// The machine slept.
    #[serde(rename = "suspended")]
    Suspended,
    /// The wall clock jumped.
    #[serde(rename = "clock step")]
    ClockStep,
}

/// One entry of an incident's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
}

/// What an incident's timeline tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// It opened.
    Opened,
    /// The job said again that it failed.
    Failed {
        /// With this code, if it gave one.
        exit_code: Option<u8>,
    },
    /// A run overran.
    Overran {
        /// Which.
        run: RunId,
    },
    /// Further periods passed without a ping.
    Missed {
        /// How many.
        periods: u32,
    },
    /// A run began.
    Started,
    /// A reminder was queued.
    Reminded,
    /// It ended.
    Resolved {
        /// Why.
        reason: Reason,
    },
}

/// One span of being down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// What opened it.
    pub cause: Cause,
    /// The deadline that passed, or the instant of the failing ping.
    pub opened_at: Timestamp,
    /// The steps of the wall clock until it opened.
    #[serde(default, skip_serializing_if = "Step::is_zero")]
    pub stepped: Step,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Of the failing ping that opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// The run that opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The newest ten blind windows since the heartbeat's last finish.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blind: Vec<NamedWindow>,
    /// Whether one of them overlaps the time from due to deadline.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub maybe_unheard: bool,
    /// When the period that was missed was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Where its `opened` was queued for, and its `resolved` will be.
    pub channels: Vec<ChannelName>,
    /// When the next reminder is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_at: Option<Timestamp>,
    /// What happened since: the first entry and the newest ones.
    pub timeline: Vec<Note>,
    /// Entries of the timeline that were dropped for the newer ones.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Incident {
    /// Most entries that a timeline holds.
    pub const TIMELINE_MAX: usize = 100;

    /// One that has just opened, with nothing said of it but why.
    pub fn new(id: IncidentId, cause: Cause, opened_at: Timestamp) -> Self {
        Self {
            id,
            cause,
            opened_at,
            stepped: Step::ZERO,
            resolved_at: None,
            reason: None,
            exit_code: None,
            run: None,
            blind: Vec::new(),
            maybe_unheard: false,
            due: None,
            channels: Vec::new(),
            remind_at: None,
            timeline: vec![Note { at: opened_at, what: Happening::Opened }],
            dropped: 0,
        }
    }

    /// Adds to the timeline. When it is full, the oldest entry after the first goes.
    pub fn note(&mut self, at: Timestamp, what: Happening) {
        if self.timeline.len() >= Self::TIMELINE_MAX {
            self.timeline.remove(1);
            self.dropped += 1;
        }
        self.timeline.push(Note { at, what });
    }
}
