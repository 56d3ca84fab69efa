//! The watched job as it is declared: by the config, or by the API.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::model::channel::ChannelName;
use crate::model::id::Slug;
use crate::model::ping::{Method, Methods};
use crate::model::schedule::Timing;
use crate::model::schedule::expressions::Expressions;
use crate::model::time::Span;

/// Heartbeats at the most.
pub const HEARTBEATS_MAX: usize = 1_000_000;

/// Who declares a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The config file.
    Config,
    /// The API.
    Api,
}

/// How a heartbeat stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// No start or finish yet.
    New,
    /// All well, as far as is known.
    Up,
    /// Past due, within grace, no run open.
    Late,
    /// An incident is open.
    Down,
    /// Nothing is expected.
    Paused,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::New, Self::Up, Self::Late, Self::Down, Self::Paused];

    /// All of them, what needs somebody first.
    pub const BY_URGENCY: [Self; 5] = [Self::Down, Self::Late, Self::New, Self::Up, Self::Paused];

    /// Its place among them.
    pub fn urgency(self) -> usize {
        Self::BY_URGENCY.into_iter().take_while(|status| *status != self).count()
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Up => "up",
            Self::Late => "late",
            Self::Down => "down",
            Self::Paused => "paused",
        }
    }
}

/// A heartbeat with nothing left open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declaration {
    /// Its name in URLs.
    pub slug: Slug,
    /// The secret of its ping URL.
    pub uuid: Uuid,
    /// Whether `uuid` was written down, and not derived from the ping key and the slug. An explicit one
    /// under a new slug is a rename.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uuid_explicit: bool,
    /// What people call it. Shared with the slug when it is that.
    pub name: Arc<str>,
    /// What people should know of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The machine it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// When it is expected.
    pub timing: Timing,
    /// The IANA time zone of a calendar timing.
    pub timezone: Arc<str>,
    /// Dates and calendar expressions at which nothing is expected.
    #[serde(default, skip_serializing_if = "Expressions::is_empty")]
    pub exclude: Expressions,
    /// How long before an occurrence a finish counts for it; `None`: the smaller of 1 minute and a tenth of the
    /// distance from the occurrence before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early: Option<Span>,
    /// How long after due it may still come.
    pub grace: Span,
    /// How long a run may take.
    pub max_runtime: Span,
    /// Where its alerts go; empty means the log.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub channels: Arc<[ChannelName]>,
    /// Declared as paused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// No deadline until the first start or finish.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub await_first_ping: bool,
    /// A start or finish ends a pause.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resume_on_ping: bool,
    /// Pings by other methods are ignored.
    pub methods: Methods,
    /// How often an open incident is told again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_every: Option<Span>,
}

impl Declaration {
    /// Takes from another what both say, so that it is in memory once: most of a million heartbeats name the same channels.
    pub fn share_with(&mut self, other: &Self) {
        if *self.name == *self.slug.as_str() {
            self.name = self.slug.shared();
        }
        if self.timezone == other.timezone {
            self.timezone = other.timezone.clone();
        }
        if self.channels == other.channels {
            self.channels = other.channels.clone();
        }
    }

    /// Whether the same occurrences are expected of it as of another, and a finish counts for the same of them.
    pub fn is_expected_as(&self, other: &Self) -> bool {
        let by_calendar = self.timing.interval().is_none();
        let in_zone = by_calendar || !self.exclude.is_empty();
        self.timing == other.timing
            && self.exclude == other.exclude
            && (!in_zone || self.timezone == other.timezone)
            && (!by_calendar || self.early == other.early)
    }
}

/// A heartbeat as somebody wrote it: what is `None` is taken from the [`Defaults`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// When it is expected.
    pub timing: Timing,
    /// Default: the slug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Default: empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Written down, not derived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<Uuid>,
    /// The rest, each with its default in [`Defaults`].
    #[serde(flatten)]
    pub rest: Partial,
}

/// The keys that `[defaults]` can hold, each possibly unsaid.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "each is the key of the same name in `Declaration`")]
pub struct Partial {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Expressions>,
    /// What stands in the files that `exclude_file` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_file: Option<Expressions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_runtime: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<ChannelName>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub await_first_ping: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume_on_ping: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub methods: Option<Methods>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remind_every: Option<Span>,
}

/// The `[defaults]` of the config.
pub type Defaults = Partial;

impl Draft {
    /// A draft that says nothing but when.
    pub fn new(timing: Timing) -> Self {
        Self { timing, name: None, description: None, uuid: None, rest: Partial::default() }
    }

    /// A draft that leaves nothing unsaid, and settles to the same declaration.
    pub fn of(declaration: &Declaration) -> Self {
        let heartbeat = declaration.clone();
        Self {
            timing: heartbeat.timing,
            name: Some(heartbeat.name.to_string()),
            description: Some(heartbeat.description),
            uuid: heartbeat.uuid_explicit.then_some(heartbeat.uuid),
            rest: Partial {
                tags: Some(heartbeat.tags),
                host: heartbeat.host,
                timezone: Some(heartbeat.timezone.to_string()),
                exclude: Some(heartbeat.exclude),
                exclude_file: Some(Expressions::default()),
                early: heartbeat.early,
                grace: Some(heartbeat.grace),
                max_runtime: Some(heartbeat.max_runtime),
                channels: Some(heartbeat.channels.to_vec()),
                paused: Some(heartbeat.paused),
                await_first_ping: Some(heartbeat.await_first_ping),
                resume_on_ping: Some(heartbeat.resume_on_ping),
                methods: Some(heartbeat.methods),
                remind_every: heartbeat.remind_every,
            },
        }
    }

    /// Fills what is unsaid, first from the defaults, then with what is built in: grace 1 h, UTC, a
    /// `max_runtime` of the larger of the grace and 1 h, every method, the UUID
    /// `UUIDv5(namespace, slug)`.
    pub fn settle(&self, slug: Slug, defaults: &Defaults, namespace: Uuid) -> Declaration {
        let (own, common) = (&self.rest, defaults);
        let hour = Span::from_secs(3_600);
        let grace = own.grace.or(common.grace).unwrap_or(hour);
        let pick = |own: &Option<bool>, common: &Option<bool>| own.or(*common).unwrap_or(false);
        Declaration {
            uuid: self.uuid.unwrap_or_else(|| Uuid::new_v5(&namespace, slug.as_str().as_bytes())),
            uuid_explicit: self.uuid.is_some(),
            name: self.name.as_deref().map_or_else(|| slug.shared(), Arc::from),
            description: self.description.clone().unwrap_or_default(),
            tags: own.tags.clone().or_else(|| common.tags.clone()).unwrap_or_default(),
            host: own.host.clone().or_else(|| common.host.clone()),
            timing: self.timing.clone(),
            timezone: own.timezone.as_deref().or(common.timezone.as_deref()).unwrap_or("UTC").into(),
            exclude: excluded(own, common),
            early: own.early.or(common.early),
            grace,
            max_runtime: own.max_runtime.or(common.max_runtime).unwrap_or(grace.max(hour)),
            channels: own.channels.as_deref().or(common.channels.as_deref()).unwrap_or_default().into(),
            paused: pick(&own.paused, &common.paused),
            await_first_ping: pick(&own.await_first_ping, &common.await_first_ping),
            resume_on_ping: pick(&own.resume_on_ping, &common.resume_on_ping),
            methods: own
                .methods
                .or(common.methods)
                .unwrap_or_else(|| [Method::Get, Method::Head, Method::Post].into()),
            remind_every: own.remind_every.or(common.remind_every),
            slug,
        }
    }
}

/// What is excluded by name and by file, each as the heartbeat says or else the defaults.
fn excluded(own: &Partial, common: &Partial) -> Expressions {
    let named = own.exclude.as_ref().or(common.exclude.as_ref());
    let filed = own.exclude_file.as_ref().or(common.exclude_file.as_ref());
    match (named.filter(|named| !named.is_empty()), filed.filter(|filed| !filed.is_empty())) {
        (Some(named), Some(filed)) => Expressions::new(named.iter().chain(filed.iter())),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => Expressions::default(),
    }
}

/// The declarations of one config, in the order of their slugs.
pub type Declarations = Arc<[Arc<Declaration>]>;

/// The namespace of derived UUIDs: `UUIDv5(NAMESPACE_OID, ping_key)`.
pub fn namespace(ping_key: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, ping_key.as_bytes())
}
