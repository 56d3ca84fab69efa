//! Read-only answers for the API and the page: one shape per noun. Rendering them decides nothing.

use serde::Serialize;
use uuid::Uuid;

use crate::machine::Machine;
use crate::machine::beat::Beat;
use crate::model::channel::ChannelName;
use crate::model::heartbeat::Source;
use crate::model::id::{IncidentId, RunId, Slug, parse_uuid};
use crate::model::incident::{BlindWindow, Cause, Incident, Reason};
use crate::model::ping::Target;
use crate::model::run::{Outcome, Run};
use crate::model::schedule::Timing;
use crate::model::time::{Span, Timestamp};

/// Heartbeats that one question looks at, at the most, so that no list holds the loop.
const LOOK: usize = 1_000;

/// The machine, to be asked.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    machine: &'a Machine,
    now: Timestamp,
}

/// A heartbeat as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "each field is the word of the contract")]
pub struct HeartbeatView {
    pub slug: Slug,
    /// Only for those who may write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<Uuid>,
    pub name: String,
    pub description: String,
    pub tags: Vec<String>,
    pub host: Option<String>,
    pub source: Source,
    pub status: &'static str,
    pub running: bool,
    pub schedule: String,
    pub timezone: Option<String>,
    pub interval_seconds: Option<i64>,
    pub grace: String,
    pub grace_seconds: i64,
    pub max_runtime: String,
    pub max_runtime_seconds: i64,
    pub channels: Vec<ChannelName>,
    /// Only for those who may write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping_url: Option<String>,
    pub last_ping_at: Option<Timestamp>,
    pub last_success_at: Option<Timestamp>,
    pub next_due_at: Option<Timestamp>,
    pub next_deadline_at: Option<Timestamp>,
    pub current_run_started_at: Option<Timestamp>,
    pub last_exit_code: Option<u8>,
    pub last_duration_ms: Option<i64>,
    pub consecutive_failures: u32,
    pub pings_total: u64,
    pub incident: Option<IncidentView>,
    pub paused_until: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// An incident as alerts and the API show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "each field is the word of the contract")]
pub struct IncidentView {
    pub id: IncidentId,
    pub cause: Cause,
    pub opened_at: Timestamp,
    pub resolved_at: Option<Timestamp>,
    pub reason: Option<Reason>,
    pub maybe_unheard: bool,
    pub exit_code: Option<u8>,
    pub blind: Vec<BlindWindow>,
    pub url: String,
}

/// A run as alerts and the API show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "each field is the word of the contract")]
pub struct RunView {
    pub id: RunId,
    pub rid: Option<Uuid>,
    pub started_at: Option<Timestamp>,
    pub duration_ms: Option<i64>,
    pub exit_code: Option<u8>,
    pub outcome: Outcome,
}

/// Which heartbeats are wanted; what is `None` asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is the query parameter of the same name")]
pub struct Filter {
    pub status: Option<String>,
    pub tag: Option<String>,
    pub host: Option<String>,
    pub q: Option<String>,
}

/// A piece of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// What matched, by slug.
    pub heartbeats: Vec<HeartbeatView>,
    /// Where to go on; `None` at the end. A page can be short, even empty, and still not be the last.
    pub next: Option<Slug>,
}

impl Machine {
    /// Asks the machine how things stand at `now`.
    pub fn view(&self, now: Timestamp) -> View<'_> {
        View { machine: self, now }
    }

    /// The instant at which silence becomes an incident, or a further one is counted.
    pub(super) fn next_deadline(&self, beat: &Beat) -> Option<Timestamp> {
        let run = self.run_fires_at(beat).map(|(at, _)| at);
        [self.schedule_fires_at(beat), run].into_iter().flatten().min()
    }
}

impl View<'_> {
    /// One heartbeat, by slug or UUID.
    pub fn heartbeat(&self, name: &str) -> Option<HeartbeatView> {
        let target = match parse_uuid(name) {
            Some(uuid) => Target::Uuid(uuid),
            None => Target::Slug(Slug::new(name).ok()?),
        };
        let place = self.machine.state.find_living(&target)?;
        self.machine.beat(place).map(|beat| self.show(beat))
    }

    /// How many heartbeats there are.
    pub fn living(&self) -> usize {
        self.machine.state.living()
    }

    /// Whether a ping for this target would find its heartbeat.
    pub fn knows(&self, target: &Target) -> bool {
        self.machine.state.find_living(target).is_some()
    }

    /// The heartbeats after `after` by slug that the filter lets through, at most `limit`.
    pub fn heartbeats(&self, filter: &Filter, after: Option<&str>, limit: usize) -> Page {
        let q = filter.q.as_deref().map(str::to_lowercase);
        let mut page = Page { heartbeats: Vec::new(), next: None };
        let mut living = self.machine.state.living_after(after).peekable();
        let mut looked = 0;
        while let Some(beat) = living.next() {
            looked += 1;
            if self.lets_through(filter, q.as_deref(), beat) {
                page.heartbeats.push(self.show(beat));
            }
            if (page.heartbeats.len() >= limit || looked >= LOOK) && living.peek().is_some() {
                page.next = Some(beat.heartbeat.slug.clone());
                break;
            }
        }
        page
    }

    fn lets_through(&self, filter: &Filter, q: Option<&str>, beat: &Beat) -> bool {
        let heartbeat = &beat.heartbeat;
        let has = |text: &str| q.is_none_or(|q| text.to_lowercase().contains(q));
        filter.status.as_deref().is_none_or(|wanted| beat.status(self.now) == wanted)
            && filter.tag.as_ref().is_none_or(|wanted| heartbeat.tags.contains(wanted))
            && filter.host.as_deref().is_none_or(|wanted| heartbeat.host.as_deref() == Some(wanted))
            && (has(heartbeat.slug.as_str())
                || has(&heartbeat.name)
                || has(&heartbeat.description)
                || heartbeat.tags.iter().any(|tag| has(tag))
                || heartbeat.host.as_deref().is_some_and(has))
    }

    fn show(&self, beat: &Beat) -> HeartbeatView {
        let heartbeat = &beat.heartbeat;
        let base_url = &self.machine.state.core.settings.base_url;
        let calendar = !matches!(heartbeat.timing, Timing::Interval(_));
        HeartbeatView {
            slug: heartbeat.slug.clone(),
            uuid: Some(heartbeat.uuid),
            name: heartbeat.name.clone(),
            description: heartbeat.description.clone(),
            tags: heartbeat.tags.clone(),
            host: heartbeat.host.clone(),
            source: beat.source,
            status: beat.status(self.now),
            running: !beat.open_runs.is_empty(),
            schedule: heartbeat.timing.to_string(),
            timezone: calendar.then(|| heartbeat.timezone.clone()),
            interval_seconds: heartbeat.timing.interval().map(Span::as_secs),
            grace: heartbeat.grace.to_string(),
            grace_seconds: heartbeat.grace.as_secs(),
            max_runtime: heartbeat.max_runtime.to_string(),
            max_runtime_seconds: heartbeat.max_runtime.as_secs(),
            channels: heartbeat.channels.clone(),
            ping_url: Some(format!("{base_url}/ping/{}", heartbeat.uuid)),
            last_ping_at: beat.last_ping,
            last_success_at: beat.last_success,
            next_due_at: beat.due,
            next_deadline_at: self.machine.next_deadline(beat),
            current_run_started_at: beat.open_runs.iter().map(|run| run.started_at).max(),
            last_exit_code: beat.last_exit_code,
            last_duration_ms: beat.last_duration.map(Span::as_millis),
            consecutive_failures: beat.consecutive_failures,
            pings_total: beat.pings_total,
            incident: beat.incident.as_ref().map(|i| IncidentView::new(i, &heartbeat.slug, base_url)),
            paused_until: beat.paused_until,
            created_at: beat.created_at,
            updated_at: beat.updated_at,
        }
    }
}

impl IncidentView {
    /// The incident of the heartbeat of this slug.
    pub(super) fn new(incident: &Incident, slug: &Slug, base_url: &str) -> Self {
        Self {
            id: incident.id,
            cause: incident.cause,
            opened_at: incident.opened_at,
            resolved_at: incident.resolved_at,
            reason: incident.reason,
            maybe_unheard: incident.maybe_unheard,
            exit_code: incident.exit_code,
            blind: incident.blind.clone(),
            url: format!("{base_url}/heartbeats/{slug}"),
        }
    }
}

impl From<&Run> for RunView {
    fn from(run: &Run) -> Self {
        Self {
            id: run.id,
            rid: run.rid,
            started_at: run.started_at,
            duration_ms: run.duration.map(Span::as_millis),
            exit_code: run.exit_code,
            outcome: run.outcome,
        }
    }
}
