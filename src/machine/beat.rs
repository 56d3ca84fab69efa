//! All that is known of one heartbeat: as declared, as it stands, and its history.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::machine::days::Days;
use crate::model::heartbeat::{Declaration, Draft, Source, Status};
use crate::model::id::RunId;
use crate::model::incident::Incident;
use crate::model::ping::{Body, Method, PingKind};
use crate::model::run::{OpenRun, Outcome, Run};
use crate::model::time::{Span, Step, Timestamp};

/// Where a heartbeat stands, as far as it is stored; `late` is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// No start or finish yet.
    New,
    /// All well, as far as is known.
    Up,
    /// An incident is open.
    Down,
    /// Nothing is expected.
    Paused,
}

/// One heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// As declared.
    pub heartbeat: Arc<Declaration>,
    /// By whom.
    pub source: Source,
    /// What the API was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<Arc<Draft>>,
    /// Since when it is known.
    pub created_at: Timestamp,
    /// When its declaration last changed.
    pub updated_at: Timestamp,
    /// The steps of the wall clock that its instants have gone along with; history stays as it was told.
    #[serde(default, skip_serializing_if = "Step::is_zero")]
    pub stepped: Step,
    /// When it left the config or was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<Timestamp>,
    /// Where it stands.
    pub standing: Standing,
    /// When its pause ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Timestamp>,
    /// The latest of declared, resumed and put back: due counts from here or from the last finish.
    pub counted_from: Timestamp,
    /// When the next finish is expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// What a calendar's due was before the wall clock was set back and an earlier one came again, should that be
    /// undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_before_step: Option<Timestamp>,
    /// The first start since the last finish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_start: Option<Timestamp>,
    /// Until when open runs put the schedule's deadline off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover_until: Option<Timestamp>,
    /// Whether it ever had a start or finish.
    pub seen: bool,
    /// The last ping that was not ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ping: Option<Timestamp>,
    /// The last finish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_finish: Option<Timestamp>,
    /// The last good finish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Timestamp>,
    /// Of the last finish that had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit_code: Option<u8>,
    /// Of the last run that had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_duration: Option<Span>,
    /// Runs that failed or overran and periods missed since the last success.
    pub consecutive_failures: u32,
    /// All pings, ignored ones too.
    pub pings_total: u64,
    /// Runs that have not ended, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_runs: Vec<OpenRun>,
    /// The open incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Box<Incident>>,
    /// What was, once there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Box<History>>,
}

/// What was, newest last.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct History {
    /// Ended runs.
    pub runs: VecDeque<Run>,
    /// Pings.
    pub pings: VecDeque<PingEntry>,
    /// Resolved incidents, at most [`History::INCIDENTS_MAX`].
    pub incidents: VecDeque<Arc<Incident>>,
    /// What is remembered of the last days.
    #[serde(default)]
    pub days: Days,
    /// All runs that ever ended.
    #[serde(default, skip_serializing_if = "Ended::is_none")]
    pub ended: Ended,
}

/// How many runs ended how, ever: unlike the runs that are kept these numbers never fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "each field is the outcome of the same name")]
pub struct Ended {
    pub success: u32,
    pub failure: u32,
    pub overran: u32,
    pub abandoned: u32,
}

impl Ended {
    /// One more.
    pub(crate) fn count(&mut self, outcome: Outcome) {
        let of_outcome = match outcome {
            Outcome::Success => &mut self.success,
            Outcome::Failure => &mut self.failure,
            Outcome::Overran => &mut self.overran,
            Outcome::Abandoned => &mut self.abandoned,
        };
        *of_outcome = of_outcome.saturating_add(1);
    }

    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl History {
    /// Resolved incidents kept per heartbeat.
    pub const INCIDENTS_MAX: usize = 50;
}

/// A ping on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingEntry {
    /// The how manieth of this heartbeat.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What it said.
    pub kind: PingKind,
    /// What it called its run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<Uuid>,
    /// How it came.
    pub method: Method,
    /// Where from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// What it brought, while that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// Whether it did nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignored: bool,
}

impl Beat {
    /// A heartbeat that has just been declared.
    pub(crate) fn new(heartbeat: Arc<Declaration>, source: Source, at: Timestamp) -> Self {
        Self {
            heartbeat,
            source,
            draft: None,
            created_at: at,
            updated_at: at,
            stepped: Step::ZERO,
            removed_at: None,
            standing: Standing::New,
            paused_until: None,
            counted_from: at,
            due: None,
            due_before_step: None,
            first_start: None,
            cover_until: None,
            seen: false,
            last_ping: None,
            last_finish: None,
            last_success: None,
            last_exit_code: None,
            last_duration: None,
            consecutive_failures: 0,
            pings_total: 0,
            open_runs: Vec::new(),
            incident: None,
            history: None,
        }
    }

    /// Goes along with the wall clock, that it may be asked and changed after a step: what is a distance from
    /// something keeps it. A calendar's due keeps its place.
    pub(crate) fn go_along(&mut self, stepped: Step) {
        let by = stepped - self.stepped;
        if by.is_zero() {
            return;
        }
        self.stepped = stepped;
        let set = |at: &mut Option<Timestamp>| *at = at.map(|at| at + by);
        self.counted_from = self.counted_from + by;
        if self.heartbeat.timing.interval().is_some() {
            set(&mut self.due);
        }
        set(&mut self.removed_at);
        set(&mut self.paused_until);
        set(&mut self.first_start);
        set(&mut self.cover_until);
        set(&mut self.last_ping);
        set(&mut self.last_finish);
        set(&mut self.last_success);
        for run in &mut self.open_runs {
            (run.started_at, run.deadline) = (run.started_at + by, run.deadline + by);
        }
        if let Some(incident) = &mut self.incident {
            set(&mut incident.remind_at);
        }
        // Those that overran and are still waited for are not history yet.
        let runs = self.history.iter_mut().flat_map(|history| &mut history.runs);
        for run in runs.filter(|run| run.outcome == Outcome::Overran && !run.finished) {
            set(&mut run.started_at);
            run.ended_at = run.ended_at + by;
        }
    }

    /// As it is by the wall clock after these steps.
    pub(crate) fn gone_along(&self, stepped: Step) -> Cow<'_, Self> {
        let mut beat = Cow::Borrowed(self);
        if self.stepped != stepped {
            beat.to_mut().go_along(stepped);
        }
        beat
    }

    /// Expects the next finish then, whatever steps of the wall clock have made of the last due.
    pub(crate) fn expect(&mut self, due: Option<Timestamp>) {
        (self.due, self.due_before_step) = (due, None);
    }

    /// The instant that due counts from.
    pub fn anchor(&self) -> Timestamp {
        self.last_finish.map_or(self.counted_from, |finish| finish.max(self.counted_from))
    }

    /// How it stands: `late` is computed, the rest is stored.
    pub fn status(&self, now: Timestamp) -> Status {
        match self.standing {
            Standing::Paused => Status::Paused,
            Standing::Down => Status::Down,
            Standing::New | Standing::Up
                if self.open_runs.is_empty() && self.due.is_some_and(|due| due <= now) =>
            {
                Status::Late
            }
            Standing::New => Status::New,
            Standing::Up => Status::Up,
        }
    }

    /// Since when blind windows may have hidden a ping: the last finish.
    pub(crate) fn unheard_since(&self) -> Timestamp {
        self.last_finish.unwrap_or(self.counted_from)
    }

    /// The history, made on first use.
    pub(crate) fn history_mut(&mut self) -> &mut History {
        self.history.get_or_insert_default()
    }

    /// The schedule's deadline before blind windows: due + grace, put off while a run is open that began
    /// after the last finish, but at most to the first such start + `max_runtime`.
    pub fn schedule_deadline(&self, due: Timestamp) -> Timestamp {
        let deadline = due + self.heartbeat.grace;
        match self.cover_until {
            Some(cover) if self.covered() => deadline.max(cover),
            _ => deadline,
        }
    }

    fn covered(&self) -> bool {
        self.open_runs.iter().any(|run| self.last_finish.is_none_or(|finish| run.started_at >= finish))
    }

    /// The text of the last ping's body, its last `max` bytes.
    pub fn last_body(&self, max: usize) -> Option<String> {
        let last = self.history.as_ref()?.pings.iter().rev().find(|ping| !ping.ignored)?;
        last.body.as_ref().map(|body| body.text(max))
    }

    /// Its incidents: the open one, then the resolved ones, the last to end first.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        let resolved = self.history.iter().flat_map(|history| history.incidents.iter().rev());
        self.incident.as_deref().into_iter().chain(resolved.map(Arc::as_ref))
    }

    /// A ping by its number, while it is kept.
    pub fn ping(&self, number: u64) -> Option<&PingEntry> {
        let pings = &self.history.as_ref()?.pings;
        let place = pings.partition_point(|ping| ping.number < number);
        pings.get(place).filter(|ping| ping.number == number)
    }

    /// An ended run by its id.
    pub fn ended_run(&self, id: RunId) -> Option<&Run> {
        self.history.as_ref()?.runs.iter().rev().find(|run| run.id == id)
    }
}
