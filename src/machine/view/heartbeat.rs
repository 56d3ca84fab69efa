//! A heartbeat as the API shows it.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::machine::beat::Beat;
use crate::machine::event::Edition;
use crate::machine::view::{IncidentView, View};
use crate::model::channel::ChannelName;
use crate::model::heartbeat::{Draft, Source, Status};
use crate::model::id::Slug;
use crate::model::ping::Method;
use crate::model::schedule::Timing;
use crate::model::schedule::expressions::Expressions;
use crate::model::time::{Span, Timestamp};

/// A heartbeat: the watched job, as it is declared and as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Heartbeat)]
pub struct HeartbeatView {
    /// Its name in URLs.
    pub slug: Slug,
    /// The secret of its ping URL. Only in answers to a write key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub uuid: Option<Uuid>,
    /// What people call it; the slug, unless it was given another.
    pub name: String,
    /// What people should know of it.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The machine that it runs on.
    pub host: Option<String>,
    /// Who declares it: the config file, or the API. Only what the API declares can be changed and deleted here.
    pub source: Source,
    /// How it stands.
    pub status: Status,
    /// Whether a run is open.
    pub running: bool,
    /// When it is expected, in short: `every 24h`, `cron 30 2 * * *`, or `on_calendar Mon..Fri 03:00`.
    #[schema(example = "every 24h")]
    pub schedule: String,
    /// The IANA time zone of its calendar schedule or of what is excluded; null where no calendar matters.
    pub timezone: Option<String>,
    /// The interval in seconds, from 1 to 31,622,400; null for a calendar schedule.
    pub interval_seconds: Option<i64>,
    /// The cron expressions, of which the earliest time counts; null for another schedule.
    #[schema(example = json!(["30 2 * * *"]))]
    pub cron: Option<Vec<String>>,
    /// The calendar expressions, as `OnCalendar=` of systemd has them, of which the earliest time counts; null for
    /// another schedule.
    pub on_calendar: Option<Vec<String>>,
    /// When nothing is expected: dates, ranges of dates and calendar expressions, also those that `exclude_file` of
    /// the config brings.
    #[schema(example = json!(["2026-12-25"]))]
    pub exclude: Vec<String>,
    /// How long before a time of its calendar schedule a finish counts for that time, as a duration; null: 1m, but at
    /// most a tenth of the distance to the time before.
    pub early: Option<String>,
    /// The same in seconds, from 0 to 31,622,400.
    pub early_seconds: Option<i64>,
    /// How long after due a ping may still come, as a duration.
    #[schema(example = "1h")]
    pub grace: String,
    /// The same in seconds, from 0 to 31,622,400.
    pub grace_seconds: i64,
    /// How long a run may take before it is an incident, as a duration.
    #[schema(example = "2h")]
    pub max_runtime: String,
    /// The same in seconds, from 1 to 31,622,400.
    pub max_runtime_seconds: i64,
    /// Where its alerts go; empty means overdue's own log.
    pub channels: Vec<ChannelName>,
    /// Whether it is declared as paused. A pause or resume that came later is not in it: `status` has that.
    pub paused: bool,
    /// Whether it has no deadline until its first start or finish.
    pub await_first_ping: bool,
    /// Whether a start or finish ends a pause.
    pub resume_on_ping: bool,
    /// The HTTP methods by which pings count; by others they are only recorded.
    pub methods: BTreeSet<Method>,
    /// How often an open incident is told again, as a duration; null: never.
    #[schema(example = "4h")]
    pub remind_every: Option<String>,
    /// The same in seconds, from 1 to 31,622,400.
    pub remind_every_seconds: Option<i64>,
    /// Where the job pings. A secret. Only in answers to a write key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ping_url: Option<String>,
    /// The last ping that was not ignored, of any kind.
    pub last_ping_at: Option<Timestamp>,
    /// The last good finish.
    pub last_success_at: Option<Timestamp>,
    /// The last finish, good or not.
    pub last_finish_at: Option<Timestamp>,
    /// The instant that due counts from: the last finish, or when it was declared, resumed or put back since. From
    /// it, the due of another schedule can be told before that is declared.
    pub due_counts_from: Timestamp,
    /// When the next finish is expected; null while nothing is (paused, or awaiting the first ping).
    pub next_due_at: Option<Timestamp>,
    /// When silence becomes an incident, or while one is open is counted once more: due + grace, put off while
    /// a run is open and moved by blind windows.
    pub next_deadline_at: Option<Timestamp>,
    /// When the newest open run began; null when none is open.
    pub current_run_started_at: Option<Timestamp>,
    /// The exit code of the last finish that had one, from 0 to 255.
    pub last_exit_code: Option<u8>,
    /// How long the last run took that had a start and a finish, in milliseconds.
    pub last_duration_ms: Option<i64>,
    /// Runs that failed or overran and periods that were missed since the last success.
    pub consecutive_failures: u32,
    /// Pings ever received, ignored ones too.
    pub pings_total: u64,
    /// The open incident; null when none is open.
    pub incident: Option<IncidentView>,
    /// When the pause ends by itself; null when it is not paused, or until it is resumed.
    pub paused_until: Option<Timestamp>,
    /// Since when it is known.
    pub created_at: Timestamp,
    /// When its declaration last changed.
    pub updated_at: Timestamp,
}

impl View<'_> {
    /// A heartbeat by slug or UUID, with the fingerprint of what is said of it.
    pub fn edition(&self, name: &str) -> Option<(HeartbeatView, Edition)> {
        self.find(name).map(|beat| (self.show(&beat), Edition::of(&beat)))
    }

    /// What the API was told of a heartbeat, to be changed, with its fingerprint and its slug.
    pub fn draft(&self, name: &str) -> Option<(Slug, Option<Draft>, Edition)> {
        let beat = self.find(name)?;
        let told = if beat.source == Source::Api { beat.draft.as_deref().cloned() } else { None };
        Some((beat.heartbeat.slug.clone(), told, Edition::of(&beat)))
    }

    pub(super) fn show(&self, beat: &Beat) -> HeartbeatView {
        let beat = &*beat.gone_along(self.machine.state.core.hearing.stepped());
        let heartbeat = &beat.heartbeat;
        let base_url = self.base_url();
        let calendar = heartbeat.timing.interval().is_none() || !heartbeat.exclude.is_empty();
        HeartbeatView {
            slug: heartbeat.slug.clone(),
            uuid: Some(heartbeat.uuid),
            name: heartbeat.name.to_string(),
            description: heartbeat.description.clone(),
            tags: heartbeat.tags.clone(),
            host: heartbeat.host.clone(),
            source: beat.source,
            status: beat.status(self.now),
            running: !beat.open_runs.is_empty(),
            schedule: heartbeat.timing.to_string(),
            timezone: calendar.then(|| heartbeat.timezone.to_string()),
            interval_seconds: heartbeat.timing.interval().map(Span::as_secs),
            cron: match &heartbeat.timing {
                Timing::Cron(expressions) => Some(listed(expressions)),
                Timing::Interval(_) | Timing::OnCalendar(_) => None,
            },
            on_calendar: match &heartbeat.timing {
                Timing::OnCalendar(expressions) => Some(listed(expressions)),
                Timing::Interval(_) | Timing::Cron(_) => None,
            },
            exclude: listed(&heartbeat.exclude),
            early: heartbeat.early.map(|early| early.to_string()),
            early_seconds: heartbeat.early.map(Span::as_secs),
            grace: heartbeat.grace.to_string(),
            grace_seconds: heartbeat.grace.as_secs(),
            max_runtime: heartbeat.max_runtime.to_string(),
            max_runtime_seconds: heartbeat.max_runtime.as_secs(),
            channels: heartbeat.channels.to_vec(),
            paused: heartbeat.paused,
            await_first_ping: heartbeat.await_first_ping,
            resume_on_ping: heartbeat.resume_on_ping,
            methods: heartbeat.methods.iter().collect(),
            remind_every: heartbeat.remind_every.map(|every| every.to_string()),
            remind_every_seconds: heartbeat.remind_every.map(Span::as_secs),
            ping_url: Some(format!("{base_url}/ping/{}", heartbeat.uuid)),
            last_ping_at: beat.last_ping,
            last_success_at: beat.last_success,
            last_finish_at: beat.last_finish,
            due_counts_from: beat.anchor(),
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

fn listed(expressions: &Expressions) -> Vec<String> {
    expressions.iter().map(str::to_owned).collect()
}
