//! Instants and lengths in a page: told as people say them, exact when pointed at, and kept true by the script.

use std::fmt;

use crate::model::ago::{ago, took, when};
use crate::model::time::{Span, Timestamp};

/// An instant, as HTML. Holds nothing that must be escaped.
#[derive(Debug, Clone)]
pub(super) struct Told {
    at: Timestamp,
    text: String,
    /// How the script goes on telling it: ` data-ago`, ` data-when`, or not at all.
    how: &'static str,
}

/// How long ago that was.
pub(super) fn past(at: Timestamp, now: Timestamp) -> Told {
    Told { at, text: ago(at, now), how: " data-ago" }
}

/// When that will be.
pub(super) fn next(at: Timestamp, now: Timestamp) -> Told {
    Told { at, text: when(at, now), how: " data-when" }
}

/// When that was, whenever that is read.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "templates pass it so")]
pub(super) fn fixed(at: &Timestamp) -> Told {
    Told { at: *at, text: instant(*at), how: "" }
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
        let Self { at, text, how } = self;
        let (datetime, title) = (exact(*at), at.to_jiff().strftime("%a %F %T%.3f UTC"));
        write!(f, r#"<time datetime="{datetime}" title="{title}"{how}>{text}</time>"#)
    }
}

impl askama::filters::HtmlSafe for Told {}
