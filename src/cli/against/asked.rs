//! As much of a daemon's state as its API tells, put together again so that a reload can be tried on it. Knows what an
//! answer means for a heartbeat; what the API does not tell is taken so that nothing seems changed by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use uuid::Uuid;

use crate::cli::ask::{Daemon, Fault};
use crate::cli::status::overview::{Wanted, values};
use crate::config::Config;
use crate::config::problem::Problem;
use crate::config::secret::Secret;
use crate::machine::beat::{Beat, Standing};
use crate::machine::event::Reload;
use crate::machine::state::{Core, State};
use crate::model::channel::ChannelName;
use crate::model::heartbeat::{Declaration, Source, Status, namespace};
use crate::model::id::{RunId, Slug};
use crate::model::incident::BlindWindow;
use crate::model::ping::Methods;
use crate::model::run::{OpenRun, Outcome};
use crate::model::schedule::Timing;
use crate::model::schedule::expressions::Expressions;
use crate::model::time::{Span, Timestamp};

/// A heartbeat, as far as a reload depends on it.
#[derive(Deserialize)]
struct Told {
    slug: String,
    /// Only told to who may write.
    uuid: Option<Uuid>,
    name: String,
    description: String,
    tags: Vec<String>,
    host: Option<String>,
    source: Source,
    status: Word,
    running: bool,
    timezone: Option<String>,
    interval_seconds: Option<i64>,
    cron: Option<Vec<String>>,
    on_calendar: Option<Vec<String>>,
    exclude: Vec<String>,
    early_seconds: Option<i64>,
    grace_seconds: i64,
    max_runtime_seconds: i64,
    channels: Vec<String>,
    paused: bool,
    await_first_ping: bool,
    resume_on_ping: bool,
    methods: Methods,
    remind_every_seconds: Option<i64>,
    last_ping_at: Option<Timestamp>,
    last_finish_at: Option<Timestamp>,
    due_counts_from: Timestamp,
    next_due_at: Option<Timestamp>,
    paused_until: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
struct Word(#[serde(with = "word")] Status);

mod word {
    use serde::{Deserialize, Deserializer, de::Error};

    use crate::model::heartbeat::Status;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Status, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = Status::ALL.into_iter().find(|status| status.word() == text);
        known.ok_or_else(|| D::Error::custom(format!("{text:?} is no status")))
    }
}

#[derive(Deserialize)]
struct Runs {
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    id: RunId,
    rid: Option<Uuid>,
    started_at: Option<Timestamp>,
    outcome: Option<Outcome>,
}

#[derive(Deserialize)]
struct Summary {
    now: Timestamp,
    blind_windows: Vec<BlindWindow>,
}

/// What a daemon told, and the reload that this config would be.
pub(super) struct Asked {
    pub(super) state: State,
    pub(super) reload: Reload,
    /// The daemon's clock.
    pub(super) now: Timestamp,
}

/// Asks for everything that a reload depends on.
pub(super) async fn ask(daemon: &Daemon, config: &Config) -> Result<Result<Asked, Vec<Problem>>, Fault> {
    let summary: Summary = daemon.get("summary").await?;
    let answers = values(daemon, Wanted { problems: false, rows: None }).await?;
    let told = answers.iter().map(|value| daemon.read::<Told>(value)).collect::<Result<Vec<_>, _>>()?;
    let mut runs = BTreeMap::new();
    for one in told.iter().filter(|one| one.running) {
        let open: Runs = daemon.get(&format!("heartbeats/{}/runs?limit=100", one.slug)).await?;
        runs.insert(one.slug.clone(), open.runs);
    }
    let reload = match reload(config, &told) {
        Ok(reload) => reload,
        Err(problems) => return Ok(Err(problems)),
    };
    let new: BTreeMap<&str, &Arc<Declaration>> =
        reload.heartbeats.iter().map(|one| (one.slug.as_str(), one)).collect();
    let mut core =
        Core { settings: reload.settings.clone(), channels: reload.channels.clone(), ..Core::default() };
    // They come newest first.
    summary.blind_windows.iter().rev().for_each(|window| core.hearing.add(*window));
    let beats = told.iter().filter_map(|one| {
        let runs = runs.remove(&one.slug).unwrap_or_default();
        one.beat(new.get(one.slug.as_str()).copied(), &runs)
    });
    let beats: Vec<Beat> = beats.collect();
    Ok(Ok(Asked { state: State::restore(core, beats.into_iter()), reload, now: summary.now }))
}

/// Without a `ping_key` in the config only the daemon knows the one that it made: what it derived from it stays.
fn reload(config: &Config, told: &[Told]) -> Result<Reload, Vec<Problem>> {
    let key = config.server.ping_key.as_ref().map(Secret::expose);
    let namespace = namespace(key.unwrap_or_default());
    let mut heartbeats = config.declarations(namespace)?;
    if key.is_none() {
        let uuids: BTreeMap<&str, Uuid> =
            told.iter().filter_map(|one| Some((one.slug.as_str(), one.uuid?))).collect();
        let as_told = |one: &Arc<Declaration>| match uuids.get(one.slug.as_str()) {
            Some(uuid) if !one.uuid_explicit => Arc::new(Declaration { uuid: *uuid, ..(**one).clone() }),
            Some(_) | None => one.clone(),
        };
        heartbeats = heartbeats.iter().map(as_told).collect();
    }
    Ok(Reload { settings: config.settings(namespace), channels: config.model_channels(), heartbeats })
}

impl Told {
    /// The heartbeat; `None` when it is none that this version knows. `new` is what will be declared of it.
    fn beat(&self, new: Option<&Arc<Declaration>>, runs: &[Run]) -> Option<Beat> {
        let slug = Slug::new(&self.slug).ok()?;
        let heartbeat = Arc::new(self.declaration(slug, new)?);
        let max_runtime = heartbeat.max_runtime;
        let mut beat = Beat::new(heartbeat, self.source, self.created_at);
        beat.updated_at = self.updated_at;
        beat.counted_from = self.due_counts_from;
        beat.due = self.next_due_at;
        beat.last_ping = self.last_ping_at;
        beat.last_finish = self.last_finish_at;
        let open = runs.iter().filter(|run| run.outcome.is_none());
        beat.open_runs = open
            .filter_map(|run| {
                let started_at = run.started_at?;
                Some(OpenRun { id: run.id, rid: run.rid, started_at, deadline: started_at + max_runtime })
            })
            .collect();
        beat.open_runs.sort_by_key(|run| run.started_at);
        let since = |run: &&OpenRun| self.last_finish_at.is_none_or(|finish| run.started_at >= finish);
        beat.first_start = beat.open_runs.iter().find(since).map(|run| run.started_at);
        beat.cover_until = beat.first_start.map(|start| start + max_runtime);
        // A ping that only logs is no start or finish, but nothing else that is told tells that.
        beat.seen = self.last_finish_at.is_some() || self.running || self.last_ping_at.is_some();
        beat.paused_until = self.paused_until;
        beat.standing = match self.status.0 {
            Status::New => Standing::New,
            Status::Late if !beat.seen => Standing::New,
            Status::Up | Status::Late => Standing::Up,
            Status::Down => Standing::Down,
            Status::Paused => Standing::Paused,
        };
        Some(beat)
    }

    fn declaration(&self, slug: Slug, new: Option<&Arc<Declaration>>) -> Option<Declaration> {
        let list = |texts: &Vec<String>| Expressions::new(texts.iter().map(String::as_str));
        let timing = match (self.interval_seconds, &self.cron, &self.on_calendar) {
            (Some(seconds), _, _) => Timing::Interval(Span::from_secs(seconds)),
            (None, Some(expressions), _) => Timing::Cron(list(expressions)),
            (None, None, Some(expressions)) => Timing::OnCalendar(list(expressions)),
            (None, None, None) => return None,
        };
        let timezone = self.timezone.as_deref().or_else(|| Some(&*new?.timezone));
        let derived = || Uuid::new_v5(&Uuid::nil(), slug.as_str().as_bytes());
        let uuid = self.uuid.or_else(|| Some(new?.uuid)).unwrap_or_else(derived);
        Some(Declaration {
            uuid,
            uuid_explicit: new.is_some_and(|new| new.uuid_explicit && new.uuid == uuid),
            name: self.name.as_str().into(),
            description: self.description.clone(),
            tags: self.tags.clone(),
            host: self.host.clone(),
            timing,
            timezone: timezone.unwrap_or("UTC").into(),
            exclude: list(&self.exclude),
            early: self.early_seconds.map(Span::from_secs),
            grace: Span::from_secs(self.grace_seconds),
            max_runtime: Span::from_secs(self.max_runtime_seconds),
            channels: self.channels.iter().map(|name| ChannelName::new(name)).collect(),
            paused: self.paused,
            await_first_ping: self.await_first_ping,
            resume_on_ping: self.resume_on_ping,
            methods: self.methods,
            remind_every: self.remind_every_seconds.map(Span::from_secs),
            slug,
        })
    }
}
