//! `[heartbeats.*]` and `[defaults]`. Knows their keys and ranges; never knows what a heartbeat does.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::problem::closest;
use crate::config::raw::{Item, Reader, Section};
use crate::model::channel::ChannelName;
use crate::model::heartbeat::{Defaults, Draft, Partial};
use crate::model::id::parse_uuid;
use crate::model::ping::Method;
use crate::model::schedule::expressions::Expressions;
use crate::model::schedule::{ScheduleError, Timing};
use crate::model::text::{self, TextError};
use crate::model::time::Span;

/// Keys that `[defaults]` knows too.
pub(super) const DEFAULTS: [&str; 11] = [
    "tags",
    "host",
    "timezone",
    "grace",
    "max_runtime",
    "channels",
    "paused",
    "await_first_ping",
    "resume_on_ping",
    "methods",
    "remind_every",
];
pub(super) const HEARTBEAT: [&str; 17] = [
    "name",
    "description",
    "uuid",
    "interval",
    "cron",
    "on_calendar",
    "tags",
    "host",
    "timezone",
    "grace",
    "max_runtime",
    "channels",
    "paused",
    "await_first_ping",
    "resume_on_ping",
    "methods",
    "remind_every",
];
const SCHEDULES: [&str; 3] = ["interval", "cron", "on_calendar"];

/// What people write who come from elsewhere.
const SLIPS: [(&str, &str); 14] = [
    ("every", "interval"),
    ("period", "interval"),
    ("schedule", "cron"),
    ("calendar", "on_calendar"),
    ("tz", "timezone"),
    ("time_zone", "timezone"),
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
    /// Many heartbeats share a schedule; each is compiled once. The text is what is wrong with it.
    pub(super) compiled: BTreeMap<(String, String), Result<(), ScheduleError>>,
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
    let (timing, item) = timing(reader, section)?;
    let zone = rest.timezone.as_ref().or(defaults.timezone.as_ref()).map_or("UTC", String::as_str);
    if timing.interval().is_none() {
        compiles(reader, known, &item, &timing, zone)?;
    }
    let draft = Draft { timing, name, description, uuid, rest };
    warn(reader, section, &draft, defaults);
    Some(draft)
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
        timezone: section.get("timezone").and_then(|item| timezone(reader, known, &item)),
        exclude: None,
        exclude_file: None,
        early: None,
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

/// The one schedule, with the value that it stands in.
fn timing<'t>(reader: &mut Reader<'_>, section: &Section<'t>) -> Option<(Timing, Item<'t>)> {
    let mut given = SCHEDULES.iter().filter_map(|key| section.get(key));
    let Some(first) = given.next() else {
        section.problem(
            reader,
            format!("{} has no schedule; it needs one of interval, cron and on_calendar", section.title),
            Some("interval = \"24h\"".to_owned()),
        );
        return None;
    };
    if let Some(second) = given.next() {
        let what = format!(
            "{} has two schedules, {} (line {}) and {}; keep one",
            section.title,
            first.name,
            first.key_place().line,
            second.name
        );
        reader.problems.add(second.key_place().problem(what, None));
        return None;
    }
    let timing = match first.name {
        "interval" => Timing::Interval(first.span(reader, Timing::INTERVAL)?),
        "cron" => Timing::Cron(Expressions::one(&ruled(reader, &first, first.name, text::expression)?)),
        _ => {
            let what = "on_calendar is not supported yet; write the schedule as cron";
            reader.problems.add(first.key_place().problem(what, Some("cron = \"0 2 * * *\"".to_owned())));
            return None;
        }
    };
    Some((timing, first))
}

fn compiles(
    reader: &mut Reader<'_>,
    known: &mut Known<'_>,
    item: &Item<'_>,
    timing: &Timing,
    zone: &str,
) -> Option<()> {
    let key = (timing.to_string(), zone.to_owned());
    let zones = reader.zones;
    let outcome = known
        .compiled
        .entry(key)
        .or_insert_with(|| timing.compile(zone, &Expressions::default(), zones).map(drop));
    match outcome {
        Ok(()) => Some(()),
        // Told where the zone stands.
        Err(ScheduleError::Zone(_)) => None,
        Err(error) => {
            let what =
                format!("{} {:?} cannot be used: {error}", item.name, item.str(reader).unwrap_or_default());
            item.problem(reader, what);
            None
        }
    }
}

fn timezone(reader: &mut Reader<'_>, known: &mut Known<'_>, item: &Item<'_>) -> Option<String> {
    let text = item.str(reader)?;
    let zones = reader.zones;
    // An expression that no one writes stands for the zone itself.
    let found =
        known.compiled.entry((String::new(), text.to_owned())).or_insert_with(|| zones.find(text).map(drop));
    if found.is_ok() {
        return Some(text.to_owned());
    }
    let names: Vec<String> = reader.zones.names().collect();
    item.found(
        reader,
        format!("there is no time zone {text:?}; use a name like \"UTC\" or \"Europe/Berlin\""),
        closest_zone(text, &names),
    );
    None
}

/// The zone of nearly this name, or of this city: people write "Berlin".
fn closest_zone(text: &str, names: &[String]) -> Option<String> {
    let city = text.replace(' ', "_").to_lowercase();
    let same_city = |name: &&String| name.to_lowercase().rsplit('/').next() == Some(city.as_str());
    let by_city = names.iter().find(same_city).map(|name| format!("{name:?}"));
    by_city.or_else(|| closest(text, names.iter().map(String::as_str)))
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

fn methods(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<BTreeSet<Method>> {
    let words = [("GET", Method::Get), ("HEAD", Method::Head), ("POST", Method::Post)];
    let mut methods = BTreeSet::new();
    let items = item.list(reader, "\"GET\", \"HEAD\" and \"POST\"")?;
    if items.is_empty() {
        item.problem(reader, "methods is empty, so every ping would be ignored");
    }
    for item in items {
        methods.extend(item.one_of(reader, &words));
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
