//! Instants and lengths in a page: told as people say them, exact when pointed at, and kept true by the script.

use std::fmt;

use crate::model::ago::{ago, took, when};
use crate::model::time::{Span, Timestamp};

/// An instant, as HTML. Holds nothing that must be escaped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    at: Timestamp,
    now: Timestamp,
    /// How the script goes on telling it: `ago` or `when`.
    how: &'static str,
}

/// How long ago that was.
pub(super) fn past(at: Timestamp, now: Timestamp) -> Told {
    Told { at, now, how: "ago" }
}

/// When that will be.
pub(super) fn next(at: Timestamp, now: Timestamp) -> Told {
    Told { at, now, how: "when" }
}

/// The instant itself, to the second: `2026-11-25 02:10:00`.
pub(super) fn instant(at: Timestamp) -> String {
    at.to_jiff().strftime("%F %T").to_string()
}

/// An instant for programs, to the millisecond.
pub(super) fn exact(at: Timestamp) -> String {
    at.to_jiff().strftime("%FT%T.%3fZ").to_string()
}

/// How long something took.
pub(super) fn lasted(ms: i64) -> String {
    took(Span::from_millis(ms))
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, now, how } = *self;
        let text = if how == "ago" { ago(at, now) } else { when(at, now) };
        let (datetime, title) = (exact(at), at.to_jiff().strftime("%a %F %T%.3f UTC"));
        write!(f, r#"<time datetime="{datetime}" title="{title}" data-{how}>{text}</time>"#)
    }
}

impl askama::filters::HtmlSafe for Told {}
