//! The fields of a JSON object as they were sent, each read with what is wrong with it. It knows how values are
//! written, and nothing of what they are for.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use crate::config::duration::{parse_span, write_span};
use crate::engine::handle::Refused;
use crate::http::api::keys::repeated;
use crate::http::rejection::Failure;
use crate::model::text::TextError;
use crate::model::time::Span;

/// Bytes of an unknown field for which a known one is sought: comparing takes their product.
const SUGGEST_MAX: usize = 64;

/// Bytes of a body from which on it is not read on the thread that hears pings.
const LONG: usize = 16 * 1024;

/// Who reads a long body.
static READERS: Semaphore = Semaphore::const_new(1);

/// The object as it was sent. What is null is unsaid.
#[derive(Debug)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads the body of a request; a long one on another thread, one at a time.
    pub(super) async fn of(body: Vec<u8>) -> Result<Self, Failure> {
        if body.len() < LONG {
            return Self::read(&body);
        }
        let turn = READERS.acquire().await.map_err(|_| Refused::Stopped)?;
        let read = tokio::task::spawn_blocking(move || {
            let fields = Self::read(&body);
            drop(turn);
            fields
        });
        read.await.map_err(|_| Refused::Stopped)?
    }

    /// Reads a body.
    pub(super) fn read(body: &[u8]) -> Result<Self, Failure> {
        let fields = match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => fields,
            Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                return Err(bad_json("it is none"));
            }
            Err(error) => return Err(bad_json(error)),
        };
        match repeated(body) {
            Some(field) => Err(Failure::field(&field, "This field is given twice. Give it once.")),
            None => Ok(Self(fields)),
        }
    }

    /// Refuses a field that is none of these.
    pub(super) fn all_known(&self, known: &[&str]) -> Result<(), Failure> {
        let Some(unknown) = self.0.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
        if unknown.len() > SUGGEST_MAX {
            return Err(Failure::field(unknown, "There is no such field."));
        }
        let nearest = known.iter().map(|field| (strsim::damerau_levenshtein(field, unknown), field)).min();
        let meant = match nearest {
            Some((distance, field)) if distance <= 2 => format!(" Probably {field:?} is meant."),
            Some(_) | None => String::new(),
        };
        Err(Failure::field(unknown, format!("There is no such field.{meant}")))
    }

    /// Whether any of these is there, be it null.
    pub(super) fn mentions(&self, fields: &[&str]) -> bool {
        fields.iter().any(|field| self.0.contains_key(*field))
    }

    fn value(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    pub(super) fn given(&self, fields: &[&'static str]) -> Vec<&'static str> {
        fields.iter().copied().filter(|field| self.value(field).is_some()).collect()
    }

    pub(super) fn text(&self, field: &str) -> Result<Option<String>, Failure> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Failure::field(field, "This must be a text.")),
        }
    }

    /// A text that must be as `rule` says.
    pub(super) fn ruled(
        &self,
        field: &str,
        rule: fn(&str) -> Result<(), TextError>,
    ) -> Result<Option<String>, Failure> {
        let text = self.text(field)?;
        match text.as_deref().map_or(Ok(()), rule) {
            Ok(()) => Ok(text),
            Err(error) => Err(Failure::field(field, format!("This {error}."))),
        }
    }

    /// A list of at most `max` texts.
    pub(super) fn words(&self, field: &str, max: usize) -> Result<Option<Vec<String>>, Failure> {
        let texts = || Failure::field(field, "This must be a list of texts.");
        match self.value(field) {
            None => Ok(None),
            Some(Value::Array(list)) if list.len() > max => {
                Err(Failure::field(field, format!("This must have at most {max} entries.")))
            }
            Some(Value::Array(list)) => list
                .iter()
                .map(|word| word.as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .map(Some)
                .ok_or_else(texts),
            Some(_) => Err(texts()),
        }
    }

    /// A text, or a list of at most `max` of them, each as `rule` says.
    pub(super) fn texts(
        &self,
        field: &str,
        max: usize,
        rule: fn(&str) -> Result<(), TextError>,
    ) -> Result<Option<Vec<String>>, Failure> {
        let texts = match self.value(field) {
            None => return Ok(None),
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(_)) => self.words(field, max)?.unwrap_or_default(),
            Some(_) => return Err(Failure::field(field, "This must be a text or a list of texts.")),
        };
        match texts.iter().try_for_each(|text| rule(text)) {
            Ok(()) => Ok(Some(texts)),
            Err(error) => Err(Failure::field(field, format!("This {error}."))),
        }
    }

    pub(super) fn flag(&self, field: &str) -> Result<Option<bool>, Failure> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Failure::field(field, "This must be true or false.")),
        }
    }

    /// A duration that goes by several names, in range: as text, or under `…_seconds` as a number.
    pub(super) fn span(
        &self,
        names: &[&'static str],
        range: RangeInclusive<Span>,
    ) -> Result<Option<Span>, Failure> {
        let given = self.given(names);
        let field = match given[..] {
            [] => return Ok(None),
            [field] => field,
            [first, second, ..] => return Err(Failure::field(second, format!("{first} says this already."))),
        };
        let span =
            if field.ends_with("_seconds") { self.seconds(field)? } else { self.duration(field, names)? };
        if range.contains(&span) {
            return Ok(Some(span));
        }
        let (least, most) = (write_span(*range.start()), write_span(*range.end()));
        Err(Failure::field(field, format!("This must be from {least} to {most}.")))
    }

    fn seconds(&self, field: &str) -> Result<Span, Failure> {
        let value = self.value(field);
        // A number is whole by what it is, not by how it is written: 60.0 and 6e1 are 60.
        let whole = |value: f64| (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64);
        let seconds = value.and_then(|value| value.as_i64().or_else(|| value.as_f64().and_then(whole)));
        seconds
            .filter(|seconds| *seconds >= 0)
            .map(Span::from_secs)
            .ok_or_else(|| Failure::field(field, "This must be a whole number of seconds."))
    }

    fn duration(&self, field: &str, names: &[&str]) -> Result<Span, Failure> {
        let Some(Value::String(text)) = self.value(field) else {
            let number = match names.iter().find(|name| name.ends_with("_seconds")) {
                Some(name) => format!(" For a number there is {name:?}."),
                None => String::new(),
            };
            let message = format!("This must be a duration as a text, such as \"24h\".{number}");
            return Err(Failure::field(field, message));
        };
        parse_span(text).map_err(|error| Failure::field(field, format!("{error}.")))
    }
}

fn bad_json(error: impl Display) -> Failure {
    Failure::new(
        http::StatusCode::BAD_REQUEST,
        "invalid_json",
        format!("The body must be a JSON object: {error}."),
    )
}
