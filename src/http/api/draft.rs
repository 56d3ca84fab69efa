//! Reads a heartbeat that somebody wants, from JSON to a checked draft. Pure: it knows the fields, their
//! limits and what the config offers, and nothing of requests or of other heartbeats.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::http::HttpSettings;
use crate::http::api::draft::timing::{read_exclude, read_timezone, read_timing};
use crate::http::api::fields::Fields;
use crate::http::api::slug::slug_of;
use crate::http::rejection::Failure;
use crate::model::channel::ChannelName;
use crate::model::heartbeat::{Draft, Partial};
use crate::model::id::{Slug, parse_uuid};
use crate::model::ping::{Method, Methods};
use crate::model::schedule::expressions::Expressions;
use crate::model::text;
use crate::model::time::Span;

mod timing;

pub(super) use self::timing::still_expected;

/// Every field that a heartbeat may be made with.
pub(super) const FIELDS: [&str; 26] = [
    "name",
    "slug",
    "description",
    "tags",
    "host",
    "interval",
    "interval_seconds",
    "cron",
    "on_calendar",
    "timezone",
    "exclude",
    "early",
    "early_seconds",
    "grace",
    "grace_period",
    "grace_seconds",
    "max_runtime",
    "max_runtime_seconds",
    "uuid",
    "channels",
    "paused",
    "await_first_ping",
    "resume_on_ping",
    "methods",
    "remind_every",
    "remind_every_seconds",
];

/// Channels that a heartbeat may name.
const CHANNELS_MAX: usize = 100;
/// Methods that a list may name: each of the three, and some twice.
const METHODS_MAX: usize = 10;

/// The longest that anything may be.
pub(super) const YEAR: Span = Span::from_secs(366 * 86_400);
const SECOND: Span = Span::from_secs(1);

/// A heartbeat, whole.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) slug: Slug,
    pub(super) draft: Draft,
}

/// Reads and checks a whole heartbeat: of this slug, or of the one that it names or that its name makes.
pub(super) fn read(fields: &Fields, slug: Option<&Slug>, settings: &HttpSettings) -> Result<Whole, Failure> {
    fields.all_known(&FIELDS)?;
    let slug = match slug {
        None => new_slug(fields)?,
        Some(slug) => same_slug(fields, slug)?,
    };
    let draft = merge_into(fields, None, settings)?;
    Ok(Whole { slug, draft })
}

/// Works what is given into what was said before. A null unsays.
pub(super) fn merge(
    fields: &Fields,
    told: Draft,
    slug: &Slug,
    settings: &HttpSettings,
) -> Result<Draft, Failure> {
    fields.all_known(&FIELDS)?;
    same_slug(fields, slug)?;
    merge_into(fields, Some(told), settings)
}

fn merge_into(fields: &Fields, told: Option<Draft>, settings: &HttpSettings) -> Result<Draft, Failure> {
    let (told, name, description, uuid, rest) = match told {
        Some(told) => (Some(told.timing), told.name, told.description, told.uuid, told.rest),
        None => (None, None, None, None, Partial::default()),
    };
    let timezone =
        pick(fields, &["timezone"], rest.timezone, |fields| read_timezone(fields, &settings.zones))?;
    // What the API says of exclusions is all of them: it cannot name a file, and need not know of one.
    let (exclude, exclude_file) = if fields.mentions(&["exclude"]) {
        let exclude = read_exclude(fields, &settings.zones)?;
        let no_file = exclude.is_some().then(Expressions::default);
        (exclude, no_file)
    } else {
        (rest.exclude, rest.exclude_file)
    };
    let excluded = exclude.clone().unwrap_or_default();
    let timing = read_timing(fields, told, timezone.as_deref(), &excluded, &settings.zones)?;
    let flag = |name: &'static str, before| pick(fields, &[name], before, |fields| fields.flag(name));
    let span = |names: &[&'static str], before, least: Span| {
        pick(fields, names, before, |fields| fields.span(names, least..=YEAR))
    };
    Ok(Draft {
        timing,
        name: pick(fields, &["name"], name, |fields| fields.ruled("name", text::line))?,
        description: pick(fields, &["description"], description, |f| {
            f.ruled("description", text::description)
        })?,
        uuid: pick(fields, &["uuid"], uuid, read_uuid)?,
        rest: Partial {
            tags: pick(fields, &["tags"], rest.tags, read_tags)?,
            host: pick(fields, &["host"], rest.host, |fields| fields.ruled("host", text::line))?,
            timezone,
            exclude,
            exclude_file,
            early: span(&["early", "early_seconds"], rest.early, Span::ZERO)?,
            grace: span(&["grace", "grace_period", "grace_seconds"], rest.grace, Span::ZERO)?,
            max_runtime: span(&["max_runtime", "max_runtime_seconds"], rest.max_runtime, SECOND)?,
            channels: pick(fields, &["channels"], rest.channels, |f| read_channels(f, &settings.channels))?,
            paused: flag("paused", rest.paused)?,
            await_first_ping: flag("await_first_ping", rest.await_first_ping)?,
            resume_on_ping: flag("resume_on_ping", rest.resume_on_ping)?,
            methods: pick(fields, &["methods"], rest.methods, read_methods)?,
            remind_every: span(&["remind_every", "remind_every_seconds"], rest.remind_every, SECOND)?,
        },
    })
}

/// What a field says, if it is mentioned, else what was said before.
fn pick<T>(
    fields: &Fields,
    names: &[&str],
    before: Option<T>,
    read: impl FnOnce(&Fields) -> Result<Option<T>, Failure>,
) -> Result<Option<T>, Failure> {
    if fields.mentions(names) { read(fields) } else { Ok(before) }
}

fn new_slug(fields: &Fields) -> Result<Slug, Failure> {
    let Some(name) = fields.ruled("name", text::line)? else {
        return Err(Failure::field("name", "A heartbeat needs a name."));
    };
    match fields.text("slug")? {
        Some(text) => Slug::new(&text).map_err(|error| Failure::field("slug", format!("{error}."))),
        None => slug_of(&name)
            .ok_or_else(|| Failure::field("slug", "No slug can be made of this name. Give a \"slug\".")),
    }
}

/// The slug that the URL names, which the body must not contradict.
fn same_slug(fields: &Fields, slug: &Slug) -> Result<Slug, Failure> {
    match fields.text("slug")? {
        Some(text) if text != slug.as_str() => Err(Failure::field(
            "slug",
            "A slug cannot be changed: make a heartbeat of the other slug with the same \"uuid\" once this one is deleted.",
        )),
        Some(_) | None => Ok(slug.clone()),
    }
}

fn read_uuid(fields: &Fields) -> Result<Option<Uuid>, Failure> {
    let Some(text) = fields.text("uuid")? else { return Ok(None) };
    parse_uuid(&text).map(Some).ok_or_else(|| Failure::field("uuid", "This is no UUID."))
}

fn read_tags(fields: &Fields) -> Result<Option<Vec<String>>, Failure> {
    let Some(words) = fields.words("tags", text::TAGS_MAX)? else { return Ok(None) };
    let mut tags: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        text::word(&word).map_err(|error| Failure::field("tags", format!("A tag {error}.")))?;
        if !tags.contains(&word) {
            tags.push(word);
        }
    }
    Ok(Some(tags))
}

fn read_channels(
    fields: &Fields,
    known: &BTreeSet<ChannelName>,
) -> Result<Option<Vec<ChannelName>>, Failure> {
    let Some(names) = fields.words("channels", CHANNELS_MAX)? else { return Ok(None) };
    if let Some(name) = names.iter().find(|name| !known.contains(name.as_str()) && *name != ChannelName::LOG)
    {
        let known: Vec<&str> = known.iter().map(ChannelName::as_str).collect();
        let name: String = name.chars().take(text::LINE_MAX).collect();
        let there_are = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(Failure::field(
            "channels",
            format!("The config has no channel {name:?}; it has {there_are}."),
        ));
    }
    let once: BTreeSet<&String> = names.iter().collect();
    if once.len() < names.len() {
        return Err(Failure::field("channels", "A channel is named twice."));
    }
    Ok(Some(names.iter().map(|name| ChannelName::new(name)).collect()))
}

fn read_methods(fields: &Fields) -> Result<Option<Methods>, Failure> {
    let Some(words) = fields.words("methods", METHODS_MAX)? else { return Ok(None) };
    let known = BTreeMap::from(Method::WORDS);
    let methods: Option<Methods> = words.iter().map(|word| known.get(word.as_str()).copied()).collect();
    methods.filter(|methods| !methods.is_empty()).map(Some).ok_or_else(|| {
        Failure::field("methods", "This must be a list of \"GET\", \"HEAD\" and \"POST\", with one at least.")
    })
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
