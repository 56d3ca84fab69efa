//! The first line, as monitoring plugins write it: a verdict, a sentence, and performance data after a `|`.
//! Its form is that of the Monitoring Plugins Development Guidelines.

use crate::cli::answer::{Beat, House, Status};
use crate::cli::paint::{Paint, plain};
use crate::cli::status::overview::Overview;
use crate::model::ago::{about, ago, when};
use crate::model::time::{Span, Timestamp};

/// How many slugs stand for a status.
pub(super) const NAMED: usize = 3;

/// What a monitoring system makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl Verdict {
    /// Of several: the worst.
    pub(super) fn of_all(statuses: impl Iterator<Item = Status>) -> Self {
        statuses.map(Self::of).max().unwrap_or(Self::Ok)
    }

    fn of(status: Status) -> Self {
        match status {
            Status::Down => Self::Critical,
            Status::Late => Self::Warning,
            Status::New | Status::Up | Status::Paused => Self::Ok,
        }
    }

    /// The exit code.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    fn painted(self, paint: Paint) -> String {
        let (word, colour) = match self {
            Self::Ok => ("OK", "32"),
            Self::Warning => ("WARNING", "33"),
            Self::Critical => ("CRITICAL", "1;31"),
            Self::Unknown => ("UNKNOWN", "1;35"),
        };
        paint.with(colour, word)
    }
}

/// The line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) verdict: Verdict,
    text: String,
    performance: String,
}

impl Line {
    /// Of all heartbeats. What is wrong with the daemon itself is said, but the verdict is theirs.
    pub(super) fn of_all(overview: &Overview) -> Self {
        let counts = &overview.counts;
        let there = |status: &Status| counts.with(*status) > 0;
        let mut parts = Vec::new();
        for status in
            [Status::Down, Status::Late, Status::Up, Status::New, Status::Paused].into_iter().filter(there)
        {
            let names = if Verdict::of(status) == Verdict::Ok {
                String::new()
            } else {
                named(overview.slugs(status), counts.with(status))
            };
            parts.push(format!("{} {}{names}", counts.with(status), status.word()));
        }
        let mut text = if parts.is_empty() { "no heartbeats yet".to_owned() } else { parts.join(", ") };
        let mut performance = [Status::Up, Status::Late, Status::Down, Status::New, Status::Paused]
            .map(|status| format!("{}={}", status.word(), counts.with(status)))
            .to_vec();
        performance.push(format!("running={}", counts.running));
        if let Some(house) = &overview.house {
            text.extend(wrongs(house).into_iter().map(|wrong| format!("; {wrong}")));
            performance.push(format!("deliveries_given_up={}", house.deliveries.given_up));
            performance.push(format!("deliveries_waiting={}", house.deliveries.waiting));
        }
        let verdict = Verdict::of_all(Status::ALL.into_iter().filter(there));
        Self { verdict, text, performance: performance.join(" ") }
    }

    /// Of one heartbeat.
    pub(super) fn of_one(beat: &Beat, now: Timestamp) -> Self {
        let mut performance = Vec::new();
        if let Some(last) = beat.last_ping_at {
            performance.push(format!("last_ping_age={}s", now.since(last).as_secs()));
        }
        if let Some(took) = beat.last_duration() {
            let limit = beat.max_runtime_seconds;
            performance.push(format!("last_duration={}s;;{limit}", seconds(took)));
        }
        performance.push(format!("consecutive_failures={}", beat.consecutive_failures));
        Self {
            verdict: Verdict::of(beat.status),
            text: sentence(beat, now),
            performance: performance.join(" "),
        }
    }

    /// When it could not be found out.
    pub(super) fn unknown(why: &str) -> Self {
        Self { verdict: Verdict::Unknown, text: plain(why), performance: String::new() }
    }

    /// The line with its performance data, as a monitoring system reads it.
    pub(super) fn whole(&self, paint: Paint) -> String {
        let data = match self.performance.as_str() {
            "" => String::new(),
            data => paint.dim(&format!(" | {data}")),
        };
        format!("{}{data}", self.for_people(paint))
    }

    /// The line without performance data.
    pub(super) fn for_people(&self, paint: Paint) -> String {
        format!("OVERDUE {} - {}", self.verdict.painted(paint), self.text)
    }
}

/// How one heartbeat stands, in a sentence without its end.
pub(in crate::cli) fn sentence(beat: &Beat, now: Timestamp) -> String {
    let due = beat.next_due_at.map(|due| format!("due {}", when(due, now)));
    let pinged = match beat.last_ping_at {
        Some(last) => format!("last ping {}", ago(last, now)),
        None => "no ping yet".to_owned(),
    };
    let mut parts = match beat.status {
        Status::Down => {
            let incident = beat.incident.as_ref();
            vec![incident.map(|incident| format!("{} {}", incident.what(), ago(incident.opened_at, now)))]
        }
        Status::Late => vec![due, beat.next_deadline_at.map(|at| format!("down {}", when(at, now)))],
        Status::New | Status::Up => vec![Some(pinged), due],
        Status::Paused => vec![Some(match beat.paused_until {
            Some(until) => format!("nothing is expected until {until} ({})", when(until, now)),
            None => "nothing is expected until it is resumed".to_owned(),
        })],
    };
    parts.push(beat.running(now).map(|span| format!("running {}", about(span))));
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let rest = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    format!("{} is {}{rest}", plain(&beat.slug), beat.status.word())
}

/// What is wrong with the daemon itself, and with its alerts.
fn wrongs(house: &House) -> Vec<String> {
    let mut wrongs = Vec::new();
    if !house.journal.ok {
        let why = house.journal.error.as_deref().map(|why| format!(": {}", plain(why))).unwrap_or_default();
        wrongs.push(format!("the journal cannot be written{why}"));
    }
    if !house.config.ok {
        let problems = match house.config.problems.len() {
            0 => String::new(),
            1 => " (1 problem)".to_owned(),
            many => format!(" ({many} problems)"),
        };
        wrongs.push(format!("the config file is not in force{problems}"));
    }
    let alerts = |count: usize| format!("{count} {}", if count == 1 { "alert" } else { "alerts" });
    let deliveries = &house.deliveries;
    if deliveries.given_up > 0 {
        wrongs.push(format!("{} given up", alerts(deliveries.given_up)));
    }
    if deliveries.waiting > 0 {
        wrongs.push(format!("{} waiting", alerts(deliveries.waiting)));
    }
    wrongs
}

/// The first few of so many in brackets.
fn named<'a>(slugs: impl Iterator<Item = &'a str>, count: usize) -> String {
    let names: Vec<String> = slugs.take(NAMED).map(plain).collect();
    let more = match count.saturating_sub(names.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    // They may be gone since they were counted.
    if names.is_empty() { String::new() } else { format!(" ({}{more})", names.join(", ")) }
}

/// Seconds with a fraction.
fn seconds(span: Span) -> String {
    format!("{}.{:03}", span.as_secs(), span.as_millis() % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::answer::{ConfigState, JournalState};
    use crate::cli::status::samples::{ALL, NOW, beat, beats, house};

    const PLAIN: Paint = Paint(false);

    #[test]
    fn all_of_them_are_counted_and_those_in_trouble_named() {
        let line = Line::of_all(&Overview::counted(beats(), ALL, None));
        assert_eq!(line.verdict, Verdict::Critical);
        assert_eq!(
            line.whole(PLAIN),
            "OVERDUE CRITICAL - 2 down (backup, zip), 1 late (sync), 1 up, 1 new, 1 paused | \
             up=1 late=1 down=2 new=1 paused=1 running=1"
        );
        assert!(!line.for_people(PLAIN).contains('|'));
    }

    #[test]
    fn a_few_names_stand_for_many() {
        let many: Vec<Beat> =
            ["e", "d", "c", "b", "a"].map(|slug| beat(slug, "late", &serde_json::json!({}))).into();
        let line = Line::of_all(&Overview::counted(many, ALL, None));
        assert_eq!(line.for_people(PLAIN), "OVERDUE WARNING - 5 late (a, b, c and 2 more)");
        assert_eq!(line.verdict.code(), 1);
        let none = Line::of_all(&Overview::counted(Vec::new(), ALL, None));
        assert_eq!(none.for_people(PLAIN), "OVERDUE OK - no heartbeats yet");
        assert_eq!(none.verdict.code(), 0);
    }

    #[test]
    fn what_is_wrong_with_the_daemon_is_said_and_the_verdict_is_that_of_the_heartbeats() {
        let with = |house| Line::of_all(&Overview::counted(vec![beats().swap_remove(0)], ALL, Some(house)));
        let calm = "up=1 late=0 down=0 new=0 paused=0 running=0";
        assert_eq!(
            with(house(0, 0)).whole(PLAIN),
            format!("OVERDUE OK - 1 up | {calm} deliveries_given_up=0 deliveries_waiting=0")
        );
        assert_eq!(
            with(house(2, 1)).whole(PLAIN),
            format!(
                "OVERDUE OK - 1 up; 2 alerts given up; 1 alert waiting | {calm} deliveries_given_up=2 deliveries_waiting=1"
            )
        );
        let mut sick = house(0, 0);
        sick.journal = JournalState { ok: false, error: Some("no | space".to_owned()) };
        sick.config = ConfigState { ok: false, problems: vec!["x".to_owned(); 2] };
        assert_eq!(
            with(sick).for_people(PLAIN),
            "OVERDUE OK - 1 up; the journal cannot be written: no ¦ space; the config file is not in force (2 problems)"
        );
    }

    #[test]
    fn one_heartbeat_is_a_sentence_with_its_measures() {
        let said: Vec<String> = beats().iter().map(|beat| Line::of_one(beat, NOW).whole(PLAIN)).collect();
        assert_eq!(
            said,
            [
                "OVERDUE OK - calm is up: last ping 3m ago, due in 23h 57m | last_ping_age=200s \
                 last_duration=1.033s;;7200 consecutive_failures=0",
                "OVERDUE CRITICAL - zip is down: failed (exit 3) 5m ago | last_ping_age=300s \
                 last_duration=123.000s;;7200 consecutive_failures=2",
                "OVERDUE WARNING - sync is late: due 12m ago, down in 48m, running 4m | \
                 last_ping_age=187200s consecutive_failures=0",
                "OVERDUE OK - fresh is new: no ping yet, due in 1h | consecutive_failures=0",
                "OVERDUE OK - rest is paused: nothing is expected until 2026-11-22T05:00:00.000Z (in 2h) | \
                 consecutive_failures=0",
                "OVERDUE CRITICAL - backup is down: missed 2h ago | last_ping_age=97200s consecutive_failures=1",
            ]
        );
    }

    #[test]
    fn what_is_said_to_be_wrong_stays_on_its_line() {
        let line = Line::unknown("a|b\nc");
        assert_eq!((line.whole(PLAIN).as_str(), line.verdict.code()), ("OVERDUE UNKNOWN - a¦b c", 3));
    }
}
