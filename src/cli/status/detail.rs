//! One heartbeat with all that is known of it, instants both exact and as people say them.

use std::fmt::Write as _;

use crate::cli::answer::{Beat, Incident, Status};
use crate::cli::paint::{Paint, plain};
use crate::model::ago::{about, ago, took, when};
use crate::model::incident::Cause;
use crate::model::time::Timestamp;

/// Its name and status, and a line for whatever there is to say; `alerts` are lines on what became of them.
pub(super) fn detail(beat: &Beat, alerts: &[String], now: Timestamp, paint: Paint) -> String {
    let past = |at: Timestamp| format!("{at} ({})", ago(at, now));
    let ahead = |at: Timestamp| format!("{at} ({})", when(at, now));
    let mut lines: Vec<(&str, String)> = vec![("slug", plain(&beat.slug))];
    let mut line = |label, value: Option<String>| lines.extend(value.map(|value| (label, value)));
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    for (at, text) in beat.description.lines().enumerate() {
        line(if at == 0 { "description" } else { "" }, Some(plain(text)));
    }
    line("tags", given(plain(&beat.tags.join(", "))));
    line("host", beat.host.as_deref().map(plain));
    let hidden = || "(shown only to a write key)".to_owned();
    line("ping URL", Some(beat.ping_url.as_deref().map_or_else(hidden, plain)));
    let zone = beat.timezone.as_ref().map(|zone| format!(" in {zone}")).unwrap_or_default();
    line("schedule", Some(plain(&format!("{}{zone}", beat.schedule))));
    line("grace", Some(plain(&beat.grace)));
    line("max runtime", Some(plain(&beat.max_runtime)));
    // One that names no channel tells the log.
    let told =
        |names: &Vec<String>| if names.is_empty() { "log".to_owned() } else { plain(&names.join(", ")) };
    line("channels", beat.channels.as_ref().map(told));
    if beat.status == Status::Paused {
        let until = beat
            .paused_until
            .map_or_else(|| "until it is resumed".to_owned(), |at| format!("until {}", ahead(at)));
        line("paused", Some(until));
    }
    line("last ping", Some(beat.last_ping_at.map_or_else(|| "never".to_owned(), past)));
    if beat.last_success_at != beat.last_ping_at {
        line("last success", beat.last_success_at.map(past));
    }
    line("next due", beat.next_due_at.map(ahead));
    line("deadline", beat.next_deadline_at.map(ahead));
    let running = |at: Timestamp| format!("{} (since {at})", about(now.since(at)));
    line("running", beat.current_run_started_at.map(running));
    line("last took", beat.last_duration().map(took));
    line("last exit", beat.last_exit_code.map(|code| code.to_string()));
    if let Some(incident) = &beat.incident {
        line("incident", Some(format!("{} since {}", incident.what(), past(incident.opened_at))));
        line("", Some(reason(beat, incident)));
        let row = if beat.consecutive_failures > 1 { " in a row" } else { "" };
        line("failures", Some(format!("{}{row}", beat.consecutive_failures)));
    }
    for (at, text) in alerts.iter().enumerate() {
        line(if at == 0 { "alerts" } else { "" }, Some(text.clone()));
    }
    let mut out = format!("{}: {}\n", plain(&beat.name), paint.status(beat.status, 0));
    for (label, value) in lines {
        writeln!(out, "  {label:12} {value}").expect("writing to a string cannot fail");
    }
    out
}

/// Why it is down, in a sentence.
fn reason(beat: &Beat, incident: &Incident) -> String {
    let why = match (incident.cause, incident.exit_code) {
        (Cause::Missed, _) if beat.grace == "0s" => "No ping came by the time it was due".to_owned(),
        (Cause::Missed, _) => {
            format!("No ping came by the time it was due, nor in {} after that", beat.grace)
        }
        (Cause::Failed, Some(code)) => format!("The job ended with exit code {code}"),
        (Cause::Failed, None) => "The job said that it failed".to_owned(),
        (Cause::Overran, _) => format!("A run did not end within {}", beat.max_runtime),
    };
    let unheard =
        if incident.maybe_unheard { "; overdue could not hear for a part of that time" } else { "" };
    plain(&format!("{why}{unheard}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::status::samples::{NOW, beat, beats};
    use serde_json::json;

    fn shown(beat: &Beat) -> String {
        detail(beat, &[], NOW, Paint(false))
    }

    #[test]
    fn all_that_is_known_is_shown() {
        let full = beat(
            "backup",
            "down",
            &json!({
                "name": "Nightly | backup", "description": "Dumps all.\nAsk Ada.", "tags": ["db", "nightly"],
                "host": "db1", "schedule": "cron 30 2 * * *", "timezone": "Europe/Berlin",
                "channels": ["ops", "pa|ger"], "ping_url": "http://127.0.0.1:8080/ping/x", "last_ping_at": "2026-11-22T02:55:00Z",
                "last_success_at": "2026-11-21T01:30:00Z", "next_due_at": "2026-11-23T01:30:00Z",
                "next_deadline_at": "2026-11-23T02:30:00Z", "current_run_started_at": "2026-11-22T02:56:00Z",
                "last_duration_ms": 1_033, "last_exit_code": 3, "consecutive_failures": 2,
                "incident": { "cause": "failed", "exit_code": 3, "opened_at": "2026-11-22T02:55:00Z",
                              "maybe_unheard": false },
            }),
        );
        let alerts = ["incident.opened to ops: delivered 5m ago", "and another"].map(str::to_owned);
        assert_eq!(
            detail(&full, &alerts, NOW, Paint(false)),
            "\
Nightly ¦ backup: down
  slug         backup
  description  Dumps all.
               Ask Ada.
  tags         db, nightly
  host         db1
  ping URL     http://127.0.0.1:8080/ping/x
  schedule     cron 30 2 * * * in Europe/Berlin
  grace        1h
  max runtime  2h
  channels     ops, pa¦ger
  last ping    2026-11-22T02:55:00.000Z (5m ago)
  last success 2026-11-21T01:30:00.000Z (25h 30m ago)
  next due     2026-11-23T01:30:00.000Z (in 22h 30m)
  deadline     2026-11-23T02:30:00.000Z (in 23h 30m)
  running      4m (since 2026-11-22T02:56:00.000Z)
  last took    1.0s
  last exit    3
  incident     failed (exit 3) since 2026-11-22T02:55:00.000Z (5m ago)
               The job ended with exit code 3.
  failures     2 in a row
  alerts       incident.opened to ops: delivered 5m ago
               and another
"
        );
    }

    #[test]
    fn what_is_not_known_takes_no_line() {
        assert_eq!(
            shown(&beat("fresh", "new", &json!({}))),
            "\
fresh: new
  slug         fresh
  ping URL     (shown only to a write key)
  schedule     every 24h
  grace        1h
  max runtime  2h
  last ping    never
"
        );
    }

    #[test]
    fn who_names_no_channel_tells_the_log() {
        let silent = shown(&beat("x", "up", &json!({ "channels": [] })));
        assert!(silent.contains("\n  channels     log\n"), "{silent}");
    }

    #[test]
    fn an_incident_and_a_pause_say_why_and_how_long() {
        let all = beats();
        let missed = shown(&all[5]);
        assert!(
            missed.contains("\n  incident     missed since 2026-11-22T01:00:00.000Z (2h ago)\n"),
            "{missed}"
        );
        assert!(
            missed.contains("  No ping came by the time it was due, nor in 1h after that.\n"),
            "{missed}"
        );
        let paused = shown(&all[4]);
        assert!(paused.contains("\n  paused       until 2026-11-22T05:00:00.000Z (in 2h)\n"), "{paused}");
        let overran = beat(
            "x",
            "down",
            &json!({ "incident": { "cause": "overran", "opened_at": "2026-11-22T01:00:00Z", "exit_code": null,
                                   "maybe_unheard": true } }),
        );
        let overran = shown(&overran);
        assert!(
            overran
                .contains(" A run did not end within 2h; overdue could not hear for a part of that time.\n"),
            "{overran}"
        );
    }
}
