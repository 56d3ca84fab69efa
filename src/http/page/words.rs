//! What runs, incidents and deliveries are called on the page, in words.

use std::fmt::Write as _;

use crate::http::page::times::{instant, lasted};
use crate::machine::view::{DeliveryStatus, IncidentView, NoteView};
use crate::model::heartbeat::Source;
use crate::model::incident::{BlindWindow, Blindness, Cause, Reason};
use crate::model::run::Outcome;

/// What a run came to; one that is open is running.
pub(super) fn outcome(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Success) => "success",
        Some(Outcome::Failure) => "failure",
        Some(Outcome::Overran) => "overran",
        Some(Outcome::Abandoned) => "abandoned",
        None => "running",
    }
}

/// The class of its marks.
pub(super) fn class(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Success) => "good",
        Some(Outcome::Failure) => "bad",
        Some(Outcome::Overran) => "overran",
        Some(Outcome::Abandoned) => "abandoned",
        None => "open",
    }
}

/// `28 good, 2 failed, 1 running`
pub(super) fn counted(outcomes: &[Option<Outcome>]) -> String {
    let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    let mut words = format!("{} good", count(Some(Outcome::Success)));
    for (outcome, word) in [
        (Some(Outcome::Failure), "failed"),
        (Some(Outcome::Overran), "overran"),
        (Some(Outcome::Abandoned), "abandoned"),
        (None, "running"),
    ] {
        match count(outcome) {
            0 => {}
            n => write!(words, ", {n} {word}").expect("a string takes all"),
        }
    }
    words
}

/// Who declares a heartbeat.
pub(super) fn declared_in(source: Source) -> &'static str {
    match source {
        Source::Config => "the config file",
        Source::Api => "the API",
    }
}

/// Why an incident opened.
pub(super) fn cause(incident: &IncidentView) -> String {
    match (incident.cause, incident.exit_code) {
        (Cause::Missed, _) => "no ping in time".to_owned(),
        (Cause::Failed, Some(code)) => format!("failed with exit code {code}"),
        (Cause::Failed, None) => "said that it failed".to_owned(),
        (Cause::Overran, _) => "did not finish in time".to_owned(),
    }
}

/// Why an incident ended.
pub(super) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Ping => "a success came",
        Reason::Paused => "it was paused",
        Reason::Removed => "it left the config, or was deleted",
    }
}

/// An entry of a timeline.
pub(super) fn note(note: &NoteView) -> String {
    match (note.what, note.exit_code, note.periods) {
        ("opened", ..) => "opened".to_owned(),
        ("failed", Some(code), _) => format!("a run failed with exit code {code}"),
        ("failed", ..) => "a run said that it failed".to_owned(),
        ("overran", ..) => "a run did not finish in time".to_owned(),
        ("missed", _, Some(1)) => "one more period passed without a ping".to_owned(),
        ("missed", _, Some(n)) => format!("{n} more periods passed without a ping"),
        ("started", ..) => "a run began".to_owned(),
        ("reminded", ..) => "told again".to_owned(),
        ("resolved", ..) => match note.reason.map(reason) {
            Some(reason) => format!("resolved: {reason}"),
            None => "resolved".to_owned(),
        },
        (other, ..) => other.to_owned(),
    }
}

/// A window in which overdue could not hear.
pub(in crate::http) fn blind(window: BlindWindow) -> String {
    let (from, to) = (instant(window.from), instant(window.to));
    let what = match window.why {
        Blindness::NotRunning => "overdue was not running",
        Blindness::Stalled => "overdue was stopped or starved",
        Blindness::Suspended => "the machine of overdue slept",
        Blindness::ClockStep => return format!("the clock of overdue was set from {from} to {to} UTC"),
    };
    format!("{what} from {from} to {to} UTC, for {}", lasted(window.to.since(window.from).as_millis()))
}

/// How a delivery stands.
pub(super) fn delivery(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Waiting => "waiting",
        DeliveryStatus::Delivered => "delivered",
        DeliveryStatus::GivenUp => "given up",
    }
}

/// What an alert says.
pub(super) fn event(event_type: &str) -> &str {
    match event_type {
        "incident.opened" => "opened",
        "incident.reminder" => "still down",
        "incident.resolved" => "resolved",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::incident::BlindWindow;
    use crate::model::time::Timestamp;

    #[test]
    fn blind_windows_are_told_in_words() {
        let at = |second: i64| Timestamp::from_millis(1_795_348_800_000 + second * 1_000);
        let told = |why| blind(BlindWindow { from: at(0), to: at(90), why });
        assert_eq!(
            told(Blindness::NotRunning),
            "overdue was not running from 2026-11-22 12:00:00 to 2026-11-22 12:01:30 UTC, for 1m 30s"
        );
        assert_eq!(
            told(Blindness::ClockStep),
            "the clock of overdue was set from 2026-11-22 12:00:00 to 2026-11-22 12:01:30 UTC"
        );
    }

    #[test]
    fn a_timeline_is_told_in_words() {
        let said = |what, exit_code, periods, reason| {
            note(&NoteView { at: Timestamp::from_millis(0), what, exit_code, run: None, periods, reason })
        };
        for (told, words) in [
            (said("opened", None, None, None), "opened"),
            (said("failed", Some(3), None, None), "a run failed with exit code 3"),
            (said("failed", None, None, None), "a run said that it failed"),
            (said("missed", None, Some(1), None), "one more period passed without a ping"),
            (said("missed", None, Some(7), None), "7 more periods passed without a ping"),
            (said("resolved", None, None, Some(Reason::Ping)), "resolved: a success came"),
        ] {
            assert_eq!(told, words);
        }
    }
}
