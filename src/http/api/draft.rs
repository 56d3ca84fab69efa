//! Reads a heartbeat that somebody wants, from JSON to a checked draft. Pure: it knows the fields, their
//! limits and what the config offers, and nothing of requests or of other heartbeats.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::config::duration::{parse_span, write_span};
use crate::http::api::keys::repeated;
use crate::http::api::slug::slug_of;
use crate::http::rejection::Failure;
use crate::model::channel::ChannelName;
use crate::model::heartbeat::{Draft, Partial};
use crate::model::id::{Slug, parse_uuid};
use crate::model::ping::Method;
use crate::model::schedule::{ScheduleError, Timing, Zones};
use crate::model::time::Span;

/// Every field that a heartbeat may be made with.
const FIELDS: [&str; 23] = [
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

const YEAR: Span = Span::from_secs(366 * 86_400);
const SECOND: Span = Span::from_secs(1);

/// Reads and checks a whole body.
pub(super) fn read(
    body: &[u8],
    channels: &BTreeSet<ChannelName>,
    zones: &Zones,
) -> Result<(Slug, Draft), Failure> {
    let fields = match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Fields(fields),
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            return Err(bad_json("the body is no object"));
        }
        Err(error) => return Err(bad_json(error)),
    };
    fields.all_known()?;
    if let Some(field) = repeated(body) {
        return Err(Failure::field(&field, "This field is given twice. Give it once."));
    }
    let name = fields.line("name")?;
    let slug = read_slug(&fields, name.as_deref())?;
    let timezone = fields.text("timezone")?;
    if let Some(timezone) = &timezone {
        zones.find(timezone).map_err(|error| at_fault("timezone", &error))?;
    }
    let timing = read_timing(&fields, timezone.as_deref(), zones)?;
    let grace = fields.span(&["grace", "grace_period", "grace_seconds"], Span::ZERO..=YEAR)?;
    let rest = Partial {
        tags: read_tags(&fields)?,
        host: fields.line("host")?,
        timezone,
        grace,
        max_runtime: fields.span(&["max_runtime", "max_runtime_seconds"], SECOND..=YEAR)?,
        channels: read_channels(&fields, channels)?,
        paused: fields.flag("paused")?,
        await_first_ping: fields.flag("await_first_ping")?,
        resume_on_ping: fields.flag("resume_on_ping")?,
        methods: read_methods(&fields)?,
        remind_every: fields.span(&["remind_every", "remind_every_seconds"], SECOND..=YEAR)?,
    };
    let uuid = match fields.text("uuid")? {
        None => None,
        Some(text) => Some(parse_uuid(&text).ok_or_else(|| Failure::field("uuid", "This is no UUID."))?),
    };
    let description = fields.text("description")?;
    if description.as_ref().is_some_and(|text| text.chars().any(|c| c.is_control() && !"\r\n".contains(c))) {
        return Err(Failure::field("description", "This must hold no control characters but line ends."));
    }
    Ok((slug, Draft { timing, name, description, uuid, rest }))
}

fn bad_json(error: impl Display) -> Failure {
    Failure::new(
        http::StatusCode::BAD_REQUEST,
        "invalid_json",
        format!("The body must be a JSON object: {error}."),
    )
}

fn at_fault(field: &str, error: &ScheduleError) -> Failure {
    Failure::field(field, format!("{error}."))
}

fn read_slug(fields: &Fields, name: Option<&str>) -> Result<Slug, Failure> {
    match (fields.text("slug")?, name) {
        (Some(text), _) => Slug::new(&text).map_err(|error| Failure::field("slug", format!("{error}."))),
        (None, None) => Err(Failure::field("name", "A heartbeat needs a name.")),
        (None, Some(name)) => slug_of(name)
            .ok_or_else(|| Failure::field("slug", "No slug can be made of this name. Give a \"slug\".")),
    }
}

fn read_timing(fields: &Fields, timezone: Option<&str>, zones: &Zones) -> Result<Timing, Failure> {
    let given = fields.given(&["interval", "interval_seconds", "cron", "on_calendar"]);
    match given[..] {
        [] => Err(Failure::field("interval", "A heartbeat needs a schedule: \"interval\" or \"cron\".")),
        ["interval" | "interval_seconds"] => {
            let interval = fields.span(&["interval", "interval_seconds"], Timing::INTERVAL)?;
            interval.map(Timing::Interval).ok_or_else(|| Failure::field("interval", "This is no duration."))
        }
        ["cron"] => {
            let timing = Timing::Cron(fields.text("cron")?.unwrap_or_default());
            match timing.compile(timezone.unwrap_or("UTC"), zones) {
                Ok(_) => Ok(timing),
                Err(error @ ScheduleError::Zone(_)) => Err(at_fault("timezone", &error)),
                Err(error @ (ScheduleError::Expression(_) | ScheduleError::Never)) => {
                    Err(at_fault("cron", &error))
                }
            }
        }
        [only] => Err(Failure::field(only, "This version knows only \"interval\" and \"cron\".")),
        [first, second, ..] => {
            Err(Failure::field(second, format!("A heartbeat has one schedule, but {first} is given too.")))
        }
    }
}

fn read_tags(fields: &Fields) -> Result<Option<Vec<String>>, Failure> {
    let Some(words) = fields.words("tags")? else { return Ok(None) };
    if words.iter().any(|word| word.chars().count() > 255) {
        return Err(Failure::field("tags", "A tag must have at most 255 characters."));
    }
    if words.iter().any(|word| word.chars().any(char::is_control)) {
        return Err(Failure::field("tags", "A tag must be one line."));
    }
    let mut tags: Vec<String> = Vec::new();
    for word in words {
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
    let Some(names) = fields.words("channels")? else { return Ok(None) };
    if let Some(name) = names.iter().find(|name| !known.contains(name.as_str()) && *name != ChannelName::LOG)
    {
        let known: Vec<&str> = known.iter().map(ChannelName::as_str).collect();
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

fn read_methods(fields: &Fields) -> Result<Option<BTreeSet<Method>>, Failure> {
    let Some(words) = fields.words("methods")? else { return Ok(None) };
    let known: BTreeMap<&str, Method> =
        [("GET", Method::Get), ("HEAD", Method::Head), ("POST", Method::Post)].into();
    let methods: Option<BTreeSet<Method>> =
        words.iter().map(|word| known.get(word.as_str()).copied()).collect();
    methods.filter(|methods| !methods.is_empty()).map(Some).ok_or_else(|| {
        Failure::field("methods", "This must be a list of \"GET\", \"HEAD\" and \"POST\", with one at least.")
    })
}

/// The object as it was sent. A null counts as unsaid.
struct Fields(Map<String, Value>);

impl Fields {
    fn all_known(&self) -> Result<(), Failure> {
        let Some(unknown) = self.0.keys().find(|key| !FIELDS.contains(&key.as_str())) else { return Ok(()) };
        let nearest = FIELDS.iter().map(|field| (strsim::damerau_levenshtein(field, unknown), field)).min();
        let meant = match nearest {
            Some((distance, field)) if distance <= 2 => format!(" Probably {field:?} is meant."),
            Some(_) | None => String::new(),
        };
        Err(Failure::field(unknown, format!("There is no such field.{meant}")))
    }

    fn value(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    fn given(&self, fields: &[&'static str]) -> Vec<&'static str> {
        fields.iter().copied().filter(|field| self.value(field).is_some()).collect()
    }

    fn text(&self, field: &str) -> Result<Option<String>, Failure> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Failure::field(field, "This must be a text.")),
        }
    }

    /// A text of one line: it stands in log lines and in messages.
    fn line(&self, field: &str) -> Result<Option<String>, Failure> {
        let text = self.text(field)?;
        match &text {
            Some(text) if text.trim().is_empty() || text.chars().count() > 255 => {
                Err(Failure::field(field, "This must have 1 to 255 characters."))
            }
            Some(text) if text.chars().any(char::is_control) => {
                Err(Failure::field(field, "This must be one line."))
            }
            Some(_) | None => Ok(text),
        }
    }

    fn words(&self, field: &str) -> Result<Option<Vec<String>>, Failure> {
        let texts = || Failure::field(field, "This must be a list of texts.");
        match self.value(field) {
            None => Ok(None),
            Some(Value::Array(list)) => list
                .iter()
                .map(|word| word.as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .map(Some)
                .ok_or_else(texts),
            Some(_) => Err(texts()),
        }
    }

    fn flag(&self, field: &str) -> Result<Option<bool>, Failure> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Failure::field(field, "This must be true or false.")),
        }
    }

    /// A duration that goes by several names, in range: as text, or under `…_seconds` as a number.
    fn span(&self, names: &[&'static str], range: RangeInclusive<Span>) -> Result<Option<Span>, Failure> {
        let given = self.given(names);
        let field = match given[..] {
            [] => return Ok(None),
            [field] => field,
            [first, second, ..] => return Err(Failure::field(second, format!("{first} says this already."))),
        };
        let span = if field.ends_with("_seconds") { self.seconds(field)? } else { self.duration(field)? };
        if range.contains(&span) {
            return Ok(Some(span));
        }
        let (least, most) = (write_span(*range.start()), write_span(*range.end()));
        Err(Failure::field(field, format!("This must be from {least} to {most}.")))
    }

    fn seconds(&self, field: &str) -> Result<Span, Failure> {
        let seconds = self.value(field).and_then(Value::as_i64);
        seconds
            .filter(|seconds| *seconds >= 0)
            .map(Span::from_secs)
            .ok_or_else(|| Failure::field(field, "This must be a whole number of seconds."))
    }

    fn duration(&self, field: &str) -> Result<Span, Failure> {
        let Some(Value::String(text)) = self.value(field) else {
            let seconds =
                if field == "grace_period" { "grace_seconds".to_owned() } else { format!("{field}_seconds") };
            return Err(Failure::field(
                field,
                format!(
                    "This must be a duration as a text, such as \"24h\". For a number there is {seconds:?}."
                ),
            ));
        };
        parse_span(text).map_err(|error| Failure::field(field, format!("{error}.")))
    }
}

#[cfg(test)]
mod tests;
