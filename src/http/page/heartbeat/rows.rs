//! The runs of a heartbeat as the table shows them.

use crate::http::page::times::{Told, lasted, past};
use crate::http::page::words;
use crate::machine::view::{BodyView, RunEntry};
use crate::model::ping::Method;
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
                format!("{} from {from}", word(method))
            }),
            rid: run.rid.map(|rid| (rid.to_string().chars().take(8).collect(), rid.to_string())),
            body: entry.body.flatten(),
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

fn word(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
