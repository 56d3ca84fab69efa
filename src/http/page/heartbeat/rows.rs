//! The runs of a heartbeat as the table shows them.

use crate::http::page::times::{Told, lasted, past};
use crate::http::page::words;
use crate::machine::view::{BodyView, RunEntry};
use crate::model::time::Timestamp;

/// A run in the table.
#[derive(Debug)]
pub(super) struct RunRow {
    /// Tells it from others.
    pub(super) key: String,
    outcome: &'static str,
    /// When it began; for a lone finish, when it ended.
    pub(super) at: Option<Told>,
    /// Whether that is its end.
    pub(super) lone: bool,
    /// How long it took.
    pub(super) took: Option<String>,
    /// Since when it runs.
    pub(super) since: Option<Told>,
    pub(super) exit_code: Option<u8>,
    /// How its finish came, and where from.
    pub(super) source: Option<String>,
    /// What its pings call it, in short and whole.
    pub(super) rid: Option<(String, String)>,
    /// What it brought.
    pub(super) body: Option<BodyView>,
}

impl RunRow {
    pub(super) fn new(entry: RunEntry, now: Timestamp) -> Self {
        let run = entry.run;
        Self {
            key: format!("run-{}", run.id.0.simple()),
            outcome: words::outcome(run.outcome),
            at: run.started_at.or(entry.ended_at).map(|at| past(at, now)),
            lone: run.started_at.is_none(),
            took: run.duration_ms.map(lasted),
            since: run.started_at.filter(|_| run.outcome.is_none()).map(|at| past(at, now)),
            exit_code: run.exit_code,
            source: entry.method.map(|method| {
                let from = entry.from.map_or_else(|| "a Unix socket".to_owned(), |from| from.to_string());
                format!("{} from {from}", method.word())
            }),
            rid: run.rid.map(|rid| (rid.to_string().chars().take(8).collect(), rid.to_string())),
            body: entry.body.flatten().map(|body| BodyView { text: legible(&body.text), ..body }),
        }
    }

    /// What it came to.
    pub(super) fn outcome(&self) -> &'static str {
        self.outcome
    }

    /// How much of the body is there.
    pub(super) fn amount(body: &BodyView) -> String {
        let bytes = |n: u64| if n == 1 { "1 byte".to_owned() } else { format!("{n} bytes") };
        let text = if body.base64.is_some() { "; not all of it is UTF-8" } else { "" };
        match body.bytes.checked_sub(body.kept) {
            None | Some(0) => format!("{}{text}", bytes(body.bytes)),
            Some(gone) => {
                format!(
                    "the last {} of {}; the first {gone} are not kept{text}",
                    bytes(body.kept),
                    body.bytes
                )
            }
        }
    }
}

/// The text of a body for people: without the sequences that colour a terminal, and with a picture of each further
/// control character, which a browser would not show or would show as something else.
fn legible(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if let Some(after) = after_colour(rest) {
            rest = after;
            continue;
        }
        let code = u32::from(letter);
        rest = &rest[letter.len_utf8()..];
        told.push(match letter {
            '\n' | '\t' => letter,
            '\r' if rest.starts_with('\n') => continue,
            '\0'..='\x1f' => char::from_u32(0x2400 + code).unwrap_or(char::REPLACEMENT_CHARACTER),
            '\x7f' => '\u{2421}',
            '\u{80}'..='\u{9f}' => char::REPLACEMENT_CHARACTER,
            letter => letter,
        });
    }
    told
}

/// What comes after a sequence that colours, or clears the rest of a line as programs do that colour.
fn after_colour(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("\x1b[")?;
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ';' | ':'));
    rest.strip_prefix(['m', 'K'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_legible_whatever_bytes_it_holds() {
        for (body, told) in [
            ("plain\ttext\r\nä\n", "plain\ttext\nä\n"),
            ("\x1b[1;31merror\x1b[0m\x1b[K: no\x1b[38:5:1m disk\x1b[m", "error: no disk"),
            ("a\0b\x07c\x7f\u{9b}31m", "a\u{2400}b\u{2407}c\u{2421}\u{fffd}31m"),
            ("10%\r20%\x1b[2J\x1b", "10%\u{240d}20%\u{241b}[2J\u{241b}"),
            ("\x1b[", "\u{241b}["),
        ] {
            assert_eq!(legible(body), told, "{body:?}");
        }
    }

    #[test]
    fn it_is_said_how_much_of_a_body_is_kept() {
        let body = |bytes, kept, base64: Option<&str>| {
            let base64 = base64.map(str::to_owned);
            RunRow::amount(&BodyView { text: String::new(), base64, bytes, kept })
        };
        assert_eq!(body(1, 1, None), "1 byte");
        assert_eq!(body(35, 35, Some("/w==")), "35 bytes; not all of it is UTF-8");
        assert_eq!(body(25_000, 10_000, None), "the last 10000 bytes of 25000; the first 15000 are not kept");
    }
}
