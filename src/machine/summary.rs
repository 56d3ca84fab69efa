//! One sentence on an alert, for people.

use std::fmt::Write as _;

use crate::machine::beat::Beat;
use crate::machine::incident::About;
use crate::model::incident::{Alert, Blindness, Cause, Incident, Reason};
use crate::model::time::Timestamp;

/// The sentence, with the heartbeat's name first.
pub(super) fn of(beat: &Beat, incident: &Incident, about: &About) -> String {
    let name = &beat.heartbeat.name;
    let opened_at = opened_at(beat, incident);
    let down_for = about.at.since(opened_at);
    let mut text = match about.alert {
        Alert::Opened => format!("{name}: {}", why(beat, incident, opened_at)),
        Alert::Reminder => {
            format!("{name}: still down after {down_for}; {}", why(beat, incident, opened_at))
        }
        Alert::Resolved => match incident.reason {
            Some(Reason::Ping) | None => format!("{name}: up again after {down_for}"),
            Some(Reason::Paused) => format!("{name}: paused after {down_for} down"),
            Some(Reason::Removed) => format!("{name}: removed after {down_for} down"),
        },
        Alert::Test => format!("{name}: this is a test"),
    };
    if incident.maybe_unheard
        && about.alert != Alert::Resolved
        && let Some(window) =
            incident.blind.iter().rev().find(|named| named.overlaps).map(|named| named.window)
    {
        // With seconds: a window is often shorter than a minute.
        let (from, to) = (time_of_day(window.from, about.at, "%T"), time_of_day(window.to, about.at, "%T"));
        let what = match window.why {
            Blindness::ClockStep => format!("the clock of overdue was set from {from} to {to}"),
            Blindness::NotRunning | Blindness::Stalled | Blindness::Suspended if from == to => {
                format!("overdue itself could not hear pings for a moment at {to}")
            }
            Blindness::NotRunning | Blindness::Stalled | Blindness::Suspended => {
                format!("overdue itself could not hear pings from {from} to {to}")
            }
        };
        write!(text, "; {what} UTC").expect("writing to a string cannot fail");
    }
    text
}

/// Why the heartbeat went down, as it was seen then.
pub(super) fn cause(beat: &Beat, incident: &Incident) -> String {
    why(beat, incident, opened_at(beat, incident))
}

/// By the clock as it is set now, as everything else that is told of the heartbeat.
fn opened_at(beat: &Beat, incident: &Incident) -> Timestamp {
    incident.opened_at + (beat.stepped - incident.stepped)
}

/// Why the heartbeat went down, as seen at that instant.
fn why(beat: &Beat, incident: &Incident, at: Timestamp) -> String {
    let run = incident.run.and_then(|id| beat.ended_run(id));
    match incident.cause {
        Cause::Missed => {
            let grace = beat.heartbeat.grace;
            let expected = match incident.due {
                Some(due) => format!("(due {} UTC, grace {grace})", clock(due, at)),
                None => format!("(grace {grace})"),
            };
            let before = |instant: Option<Timestamp>| instant.filter(|instant| *instant <= at);
            match (before(beat.last_finish), before(beat.last_ping)) {
                (_, None) => format!("never pinged in {} {expected}", at.since(beat.counted_from)),
                (finish, Some(ping)) if finish == Some(ping) => {
                    format!("no ping for {} {expected}", at.since(ping))
                }
                (finish, Some(_)) => {
                    format!("no finish for {} {expected}", at.since(finish.unwrap_or(beat.counted_from)))
                }
            }
        }
        Cause::Failed => {
            let took =
                run.and_then(|run| run.duration).map(|took| format!(" after {took}")).unwrap_or_default();
            match incident.exit_code {
                Some(code) => format!("failed with exit code {code}{took}"),
                None => format!("said that it failed{took}"),
            }
        }
        Cause::Overran => {
            let limit = beat.heartbeat.max_runtime;
            match run.and_then(|run| run.started_at) {
                Some(start) => {
                    format!("started at {} UTC and has not finished within {limit}", clock(start, at))
                }
                None => format!("has not finished within {limit}"),
            }
        }
    }
}

/// The time of day in UTC to the minute.
fn clock(instant: Timestamp, beside: Timestamp) -> String {
    time_of_day(instant, beside, "%H:%M")
}

/// The time of day in UTC, with the date when it is another day than `beside`.
fn time_of_day(instant: Timestamp, beside: Timestamp, form: &str) -> String {
    let (instant, beside) = (instant.to_jiff(), beside.to_jiff());
    let same_day = instant.strftime("%F").to_string() == beside.strftime("%F").to_string();
    let time = instant.strftime(form);
    if same_day { time.to_string() } else { format!("{} {time}", instant.strftime("%F")) }
}
