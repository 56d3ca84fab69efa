//! How a heartbeat stands and why, in one sentence. Pure; the instants in it are told by whoever shows it.

use crate::http::page::words;
use crate::machine::view::HeartbeatView;
use crate::model::heartbeat::Status;
use crate::model::time::Timestamp;

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http::page) enum Part {
    /// Words.
    Text(String),
    /// How long ago that was.
    Ago(Timestamp),
    /// When that will be.
    When(Timestamp),
}

use Part::{Ago, Text, When};

/// A sentence, piece by piece.
#[derive(Default)]
struct Sentence(Vec<Part>);

impl Sentence {
    // What is called in many places is not written out in each.
    #[inline(never)]
    fn say(&mut self, words: &str) -> &mut Self {
        self.0.push(Text(words.to_owned()));
        self
    }

    #[inline(never)]
    fn ago(&mut self, at: Timestamp) -> &mut Self {
        self.0.push(Ago(at));
        self
    }

    #[inline(never)]
    fn when(&mut self, at: Timestamp) -> &mut Self {
        self.0.push(When(at));
        self
    }
}

/// The sentence; `why` it is down.
pub(super) fn standing(beat: &HeartbeatView, why: Option<&str>, now: Timestamp) -> Vec<Part> {
    let mut told = Sentence::default();
    match beat.status {
        Status::Down => down(&mut told, beat, why),
        Status::Late => late(&mut told, beat),
        Status::Up => up(&mut told, beat, now),
        Status::New => new(&mut told, beat),
        Status::Paused => paused(&mut told, beat),
    }
    told.0
}

fn down(told: &mut Sentence, beat: &HeartbeatView, why: Option<&str>) {
    let Some(incident) = &beat.incident else {
        told.say("Down.");
        return;
    };
    told.say("Down since ").ago(incident.opened_at).say(": ");
    match why {
        Some(why) => told.say(why),
        None => told.say(&words::cause(incident)),
    };
    told.say(".");
    if incident.maybe_unheard {
        told.say(" overdue could not hear for part of that time, so the ping may have come unheard.");
    }
    if let Some(began) = beat.current_run_started_at {
        told.say(" A run began ").ago(began).say(" and is still open.");
    }
}

fn late(told: &mut Sentence, beat: &HeartbeatView) {
    told.say("Late: it was due ");
    if let Some(due) = beat.next_due_at {
        told.ago(due);
    }
    if let Some(deadline) = beat.next_deadline_at {
        told.say("; without a finish it goes down ").when(deadline);
    }
    told.say(".");
}

fn up(told: &mut Sentence, beat: &HeartbeatView, now: Timestamp) {
    match beat.last_success_at {
        Some(at) => told.say("Up: the last success came ").ago(at),
        None => told.say("Up: no run has ended yet"),
    };
    if let Some(began) = beat.current_run_started_at {
        told.say("; a run began ").ago(began).say(" and is still open");
    }
    match (beat.next_due_at, beat.next_deadline_at) {
        (Some(due), _) if due > now => told.say("; the next is due ").when(due).say("."),
        // An open run puts the deadline off.
        (Some(due), Some(deadline)) => {
            told.say("; it was due ").ago(due).say("; without a finish it goes down ").when(deadline).say(".")
        }
        (Some(due), None) => told.say("; it was due ").ago(due).say("."),
        (None, _) => told.say("; its schedule expects nothing more."),
    };
}

fn new(told: &mut Sentence, beat: &HeartbeatView) {
    told.say("New: no start or finish yet");
    match beat.next_due_at {
        Some(due) => told.say("; the first finish is due ").when(due).say("."),
        None if beat.await_first_ping => told.say(", and no deadline until the first one."),
        None => told.say("; its schedule expects nothing more."),
    };
}

fn paused(told: &mut Sentence, beat: &HeartbeatView) {
    match beat.paused_until {
        Some(until) => told.say("Paused: it resumes by itself ").when(until),
        None => told.say("Paused: nothing is expected until somebody resumes it"),
    };
    told.say(if beat.resume_on_ping { ", or with the next start or finish." } else { "." });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::page::tests::heartbeat;
    use crate::machine::view::IncidentView;
    use crate::model::ago::{ago, when};
    use crate::model::id::IncidentId;
    use crate::model::incident::Cause;

    const NOW: Timestamp = Timestamp::from_millis(1_795_348_800_000);

    #[allow(clippy::unnecessary_wraps, reason = "as the fields have them")]
    fn at(minutes: i64) -> Option<Timestamp> {
        Some(Timestamp::from_millis(NOW.as_millis() + minutes * 60_000))
    }

    #[allow(clippy::unnecessary_wraps, reason = "as the field has it")]
    fn incident() -> Option<IncidentView> {
        Some(IncidentView {
            id: IncidentId(uuid::Uuid::from_u128(1)),
            cause: Cause::Missed,
            opened_at: at(-180).unwrap(),
            resolved_at: None,
            reason: None,
            maybe_unheard: false,
            exit_code: None,
            blind: Vec::new(),
            url: String::new(),
        })
    }

    /// The sentence of a heartbeat that stands so, but for what is changed.
    fn said(status: Status, why: Option<&str>, change: impl FnOnce(&mut HeartbeatView)) -> String {
        let mut beat = heartbeat("backup", status);
        change(&mut beat);
        let parts = standing(&beat, why, NOW).into_iter().map(|part| match part {
            Part::Text(text) => text,
            Ago(at) => ago(at, NOW),
            When(at) => when(at, NOW),
        });
        parts.collect()
    }

    #[test]
    fn down_and_late_say_why_and_until_when() {
        let why = Some("no ping for 25h (due 02:10 UTC, grace 1h)");
        assert_eq!(
            said(Status::Down, why, |beat| beat.incident = incident()),
            "Down since 3h ago: no ping for 25h (due 02:10 UTC, grace 1h)."
        );
        let unheard = said(Status::Down, None, |beat| {
            beat.incident = incident();
            beat.incident.as_mut().unwrap().maybe_unheard = true;
            beat.current_run_started_at = at(-5);
        });
        assert_eq!(
            unheard,
            "Down since 3h ago: no ping in time. overdue could not hear for part of that time, so the ping may \
             have come unheard. A run began 5m ago and is still open."
        );
        let late = said(Status::Late, None, |beat| {
            (beat.next_due_at, beat.next_deadline_at) = (at(-12), at(48));
        });
        assert_eq!(late, "Late: it was due 12m ago; without a finish it goes down in 48m.");
    }

    #[test]
    fn up_says_what_came_and_what_comes() {
        type Change = fn(&mut HeartbeatView);
        let rows: [(Change, &str); 5] = [
            (
                |beat| (beat.last_success_at, beat.next_due_at) = (at(-3), at(1437)),
                "Up: the last success came 3m ago; the next is due in 23h 57m.",
            ),
            (
                |beat| {
                    (beat.last_success_at, beat.next_due_at) = (at(-3), at(30));
                    beat.current_run_started_at = at(-2);
                },
                "Up: the last success came 3m ago; a run began 2m ago and is still open; the next is due in 30m.",
            ),
            (
                |beat| {
                    (beat.last_success_at, beat.current_run_started_at) = (at(-90), at(-40));
                    (beat.next_due_at, beat.next_deadline_at) = (at(-30), at(80));
                },
                "Up: the last success came 1h 30m ago; a run began 40m ago and is still open; it was due 30m ago; \
                 without a finish it goes down in 1h 20m.",
            ),
            (|beat| beat.next_due_at = at(5), "Up: no run has ended yet; the next is due in 5m."),
            (
                |beat| beat.last_success_at = at(-3),
                "Up: the last success came 3m ago; its schedule expects nothing more.",
            ),
        ];
        for (change, sentence) in rows {
            assert_eq!(said(Status::Up, None, change), sentence);
        }
    }

    #[test]
    fn new_and_paused_say_what_ends_that() {
        assert_eq!(
            said(Status::New, None, |beat| beat.next_due_at = at(240)),
            "New: no start or finish yet; the first finish is due in 4h."
        );
        assert_eq!(
            said(Status::New, None, |beat| beat.await_first_ping = true),
            "New: no start or finish yet, and no deadline until the first one."
        );
        assert_eq!(
            said(Status::Paused, None, |beat| beat.paused_until = at(420)),
            "Paused: it resumes by itself in 7h."
        );
        assert_eq!(
            said(Status::Paused, None, |beat| beat.resume_on_ping = true),
            "Paused: nothing is expected until somebody resumes it, or with the next start or finish."
        );
    }
}
