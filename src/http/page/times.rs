//! Instants and lengths in a page: told as people say them, exact when pointed at, and kept true by the script.

use std::fmt;

use askama::{FastWritable, Values};

use crate::model::ago::{ago, took, when};
use crate::model::time::{Span, Timestamp};

/// An instant, as HTML. Holds nothing that must be escaped, nor anything that must be let go: there are many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    at: Timestamp,
    now: Timestamp,
    how: How,
}

/// How an instant is told, and how the script goes on telling it.
#[derive(Debug, Clone, Copy)]
enum How {
    Ago,
    When,
    Fixed,
}

/// How long ago that was.
pub(super) fn past(at: Timestamp, now: Timestamp) -> Told {
    Told { at, now, how: How::Ago }
}

/// When that will be.
pub(super) fn next(at: Timestamp, now: Timestamp) -> Told {
    Told { at, now, how: How::When }
}

/// When that was, whenever that is read.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "templates pass it so")]
pub(super) fn fixed(at: &Timestamp) -> Told {
    Told { at: *at, now: *at, how: How::Fixed }
}

/// An instant, or what stands there when there is none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Or(pub(super) Option<Told>, pub(super) &'static str);

/// The instant itself, to the second: `2026-11-25 02:10:00`.
#[inline(never)]
pub(super) fn instant(at: Timestamp) -> String {
    at.to_jiff().strftime("%F %T").to_string()
}

/// An instant for programs, to the millisecond.
pub(super) fn exact(at: Timestamp) -> String {
    at.to_jiff().strftime("%FT%T.%3fZ").to_string()
}

/// How long something took.
#[inline(never)]
pub(super) fn lasted(ms: i64) -> String {
    took(Span::from_millis(ms))
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, now, how } = *self;
        let (text, how) = match how {
            How::Ago => (ago(at, now), " data-ago"),
            How::When => (when(at, now), " data-when"),
            How::Fixed => (instant(at), ""),
        };
        let (datetime, title) = (exact(at), at.to_jiff().strftime("%a %F %T%.3f UTC"));
        write!(f, r#"<time datetime="{datetime}" title="{title}"{how}>{text}</time>"#)
    }
}

/// What a template writes without a formatter is one call there.
impl FastWritable for Told {
    #[inline(never)]
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        Ok(write!(dest, "{self}")?)
    }
}

impl askama::filters::HtmlSafe for Told {}

impl fmt::Display for Or {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(told) => write!(f, "{told}"),
            None => f.write_str(self.1),
        }
    }
}

impl FastWritable for Or {
    #[inline(never)]
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        Ok(write!(dest, "{self}")?)
    }
}

impl askama::filters::HtmlSafe for Or {}
