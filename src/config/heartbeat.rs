//! `[heartbeats.*]` and `[defaults]`. Knows their keys and ranges; never knows what a heartbeat does.

use std::collections::BTreeSet;

use crate::config::duration::write_span;
use crate::config::problem::closest;
use crate::config::raw::{Item, Reader, Section};
use crate::config::schedule::{Compiled, Schedules, Written, exclude, exclude_file, timezone};
use crate::model::channel::ChannelName;
use crate::model::heartbeat::{Defaults, Draft, Partial};
use crate::model::id::parse_uuid;
use crate::model::ping::{Method, Methods};
use crate::model::schedule::Timing;
use crate::model::schedule::expressions::Expressions;
use crate::model::text::{self, TextError};
use crate::model::time::Span;

/// Keys that `[defaults]` knows too.
pub(super) const DEFAULTS: [&str; 14] = [
    "tags",
    "host",
    "timezone",
    "exclude",
    "exclude_file",
    "early",
    "grace",
    "max_runtime",
    "channels",
    "paused",
    "await_first_ping",
    "resume_on_ping",
    "methods",
    "remind_every",
];
pub(super) const HEARTBEAT: [&str; 20] = [
    "name",
    "description",
    "uuid",
    "interval",
    "cron",
    "on_calendar",
    "tags",
    "host",
    "timezone",
    "exclude",
    "exclude_file",
    "early",
    "grace",
    "max_runtime",
    "channels",
    "paused",
    "await_first_ping",
    "resume_on_ping",
    "methods",
    "remind_every",
];

/// What people write who come from elsewhere.
const SLIPS: [(&str, &str); 16] = [
    ("every", "interval"),
    ("period", "interval"),
    ("schedule", "cron"),
    ("calendar", "on_calendar"),
    ("tz", "timezone"),
    ("time_zone", "timezone"),
    ("except", "exclude"),
    ("holidays", "exclude"),
    ("grace_period", "grace"),
    ("grace_time", "grace"),
    ("timeout", "max_runtime"),
    ("max_duration", "max_runtime"),
    ("channel", "channels"),
    ("notify", "channels"),
    ("enabled", "paused"),
    ("desc", "description"),
];

/// What a heartbeat may refer to, and what was found out once for all of them.
pub(super) struct Known<'c> {
    /// Names of channels, and of those that are declared but wrong.
    pub(super) channels: &'c BTreeSet<String>,
    /// Whether a file that cannot be read may hold further channels.
    pub(super) partial: bool,
    /// What was found out of schedules.
    pub(super) schedules: Schedules,
}

pub(super) fn defaults(reader: &mut Reader<'_>, known: &mut Known<'_>, section: &Section<'_>) -> Defaults {
    let own = HEARTBEAT.iter().filter(|key| !DEFAULTS.contains(key));
    for item in own.filter_map(|key| section.get(key)) {
        let what = format!("{} belongs to one heartbeat, not to [defaults]", item.name);
        reader.problems.add(item.key_place().problem(what, None));
    }
    section.known(reader, &HEARTBEAT, &SLIPS);
    partial(reader, known, section)
}

/// One `[heartbeats.SLUG]`. `None` when its schedule is wrong.
pub(super) fn draft(
    reader: &mut Reader<'_>,
    known: &mut Known<'_>,
    section: &Section<'_>,
    defaults: &Defaults,
) -> Option<Draft> {
    section.known(reader, &HEARTBEAT, &SLIPS);
    let rest = partial(reader, known, section);
    let name = section.get("name").and_then(|item| ruled(reader, &item, item.name, text::line));
    let description =
        section.get("description").and_then(|item| ruled(reader, &item, item.name, text::description));
    let uuid = section.get("uuid").and_then(|item| uuid(reader, &item));
    let written = Written::read(reader, section)?;
    let mut draft = Draft { timing: written.timing.clone(), name, description, uuid, rest };
    let exclude = excluded(known, &mut draft.rest, defaults);
    let in_all = exclude.len();
    if in_all > text::EXCLUSIONS_MAX {
        let what = format!("{} excludes {in_all} times, more than {}", section.title, text::EXCLUSIONS_MAX);
        section.problem(reader, what, None);
        return None;
    }
    let compiled = if draft.timing.interval().is_none() || !exclude.is_empty() {
        let zone = draft.rest.timezone.as_ref().or(defaults.timezone.as_ref()).map_or("UTC", String::as_str);
        Some(written.compile(reader, &mut known.schedules, section, zone, &exclude)?)
    } else {
        None
    };
    warn(reader, section, &draft, defaults);
    warn_of_early(reader, section, &draft, defaults, compiled);
    Some(draft)
}

/// All that is excluded. When it comes from two sides, the draft gets it as one list that it shares with others of
/// the same two: a config's draft is settled with these defaults and no others.
fn excluded(known: &mut Known<'_>, own: &mut Partial, common: &Defaults) -> Expressions {
    let there = |list: &&Expressions| !list.is_empty();
    let named = own.exclude.as_ref().or(common.exclude.as_ref()).filter(there);
    let filed = own.exclude_file.as_ref().or(common.exclude_file.as_ref()).filter(there);
    match (named, filed) {
        (Some(named), Some(filed)) => {
            let all = known.schedules.together(named, filed);
            own.exclude = Some(all.clone());
            own.exclude_file = Some(Expressions::default());
            all
        }
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => Expressions::default(),
    }
}

fn partial(reader: &mut Reader<'_>, known: &mut Known<'_>, section: &Section<'_>) -> Partial {
    let second = Span::from_secs(1);
    let longest = *Timing::INTERVAL.end();
    let bool = |reader: &mut Reader<'_>, key| section.get(key).and_then(|item| item.bool(reader));
    let span = |reader: &mut Reader<'_>, key, low| {
        section.get(key).and_then(|item| item.span(reader, low..=longest))
    };
    Partial {
        tags: section.get("tags").and_then(|item| tags(reader, &item)),
        host: section.get("host").and_then(|item| ruled(reader, &item, item.name, text::line)),
        timezone: section.get("timezone").and_then(|item| timezone(reader, &mut known.schedules, &item)),
        exclude: section.get("exclude").map(|item| exclude(reader, &mut known.schedules, &item)),
        exclude_file: section
            .get("exclude_file")
            .map(|item| exclude_file(reader, &mut known.schedules, &item)),
        early: span(reader, "early", Span::ZERO),
        grace: span(reader, "grace", Span::ZERO),
        max_runtime: span(reader, "max_runtime", second),
        channels: section.get("channels").and_then(|item| channels(reader, known, &item)),
        paused: bool(reader, "paused"),
        await_first_ping: bool(reader, "await_first_ping"),
        resume_on_ping: bool(reader, "resume_on_ping"),
        methods: section.get("methods").and_then(|item| methods(reader, &item)),
        remind_every: span(reader, "remind_every", second),
    }
}

fn channels(reader: &mut Reader<'_>, known: &Known<'_>, item: &Item<'_>) -> Option<Vec<ChannelName>> {
    let mut names: Vec<ChannelName> = Vec::new();
    for (text, item) in item.strs(reader, "names of channels")? {
        if names.iter().any(|name| name.as_str() == text) {
            item.problem(reader, format!("channels names {text:?} twice"));
        } else if known.channels.contains(text) || text == ChannelName::LOG {
            names.push(ChannelName::new(text));
        } else if !known.partial {
            let all = known.channels.iter().map(String::as_str).chain([ChannelName::LOG]);
            let meant = closest(text, all);
            item.found(
                reader,
                format!(
                    "there is no channel {text:?}; declare it as [channels.{text}], or name one that there is"
                ),
                meant,
            );
        }
    }
    Some(names)
}

/// A text that must be as `rule` says.
fn ruled(
    reader: &mut Reader<'_>,
    item: &Item<'_>,
    what: &str,
    rule: fn(&str) -> Result<(), TextError>,
) -> Option<String> {
    let text = item.str(reader)?;
    match rule(text) {
        Ok(()) => Some(text.to_owned()),
        Err(error) => {
            item.problem(reader, format!("{what} {error}"));
            None
        }
    }
}

fn tags(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Vec<String>> {
    let items = item.list(reader, "words")?;
    if items.len() > text::TAGS_MAX {
        item.problem(reader, format!("a heartbeat has at most {} tags", text::TAGS_MAX));
        return None;
    }
    let mut tags: Vec<String> = Vec::new();
    for item in items {
        if let Some(tag) = ruled(reader, &item, "a tag", text::word)
            && !tags.contains(&tag)
        {
            tags.push(tag);
        }
    }
    Some(tags)
}

fn methods(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Methods> {
    let mut methods = Methods::default();
    let items = item.list(reader, "\"GET\", \"HEAD\" and \"POST\"")?;
    if items.is_empty() {
        item.problem(reader, "methods is empty, so every ping would be ignored");
    }
    for item in items {
        methods.extend(item.one_of(reader, &Method::WORDS));
    }
    Some(methods)
}

fn uuid(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<uuid::Uuid> {
    let text = item.str(reader)?;
    let uuid = parse_uuid(text);
    if uuid.is_none() {
        item.problem(reader, "this is no UUID; make one with: uuidgen");
    }
    uuid
}

fn warn(reader: &mut Reader<'_>, section: &Section<'_>, draft: &Draft, defaults: &Defaults) {
    let channels = draft.rest.channels.as_ref().or(defaults.channels.as_ref());
    if channels.is_none_or(Vec::is_empty) {
        let what = format!("{} has no channel, so its alerts go to the log only", section.title);
        reader.warnings.add(section.place().problem(what, None));
    }
    if draft.rest.grace.or(defaults.grace) == Some(Span::ZERO) {
        let what =
            format!("{} has a grace of 0, so a ping that is late by a moment is an incident", section.title);
        reader.warnings.add(section.place().problem(what, None));
    }
}

fn warn_of_early(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    draft: &Draft,
    defaults: &Defaults,
    compiled: Option<&Compiled>,
) {
    let Some(early) = draft.rest.early.or(defaults.early) else { return };
    let own = section.get("early");
    let place = own.map_or_else(|| section.place(), |item| item.key_place());
    let what = if draft.timing.interval().is_some() {
        // As one of the defaults it is for the others.
        if own.is_none() {
            return;
        }
        "early does nothing beside an interval, which counts from the last finish".to_owned()
    } else {
        match compiled.and_then(Compiled::closest) {
            Some(closest) if early >= closest => format!(
                "early is {}, but two times of {} are only {} apart: every finish would count for the next time too",
                write_span(early),
                section.title,
                write_span(closest)
            ),
            Some(_) | None => return,
        }
    };
    reader.warnings.add(place.problem(what, None));
}
