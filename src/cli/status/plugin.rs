//! The first line, as monitoring plugins write it: a verdict, a sentence, and performance data after a `|`.
//! Its form is that of the Monitoring Plugins Development Guidelines.

use crate::cli::ago::{about, ago, when};
use crate::cli::answer::{Beat, Status};
use crate::cli::paint::{Paint, plain};
use crate::model::time::{Span, Timestamp};

/// How many slugs stand for a status.
const NAMED: usize = 3;

/// What a monitoring system makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl Verdict {
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
    /// Of all heartbeats.
    pub(super) fn of_all(beats: &[Beat]) -> Self {
        let verdict = beats.iter().map(|beat| Verdict::of(beat.status)).max().unwrap_or(Verdict::Ok);
        let mut parts = Vec::new();
        for status in [Status::Down, Status::Late, Status::Up, Status::New, Status::Paused] {
            let mut slugs: Vec<&str> =
                beats.iter().filter(|beat| beat.status == status).map(|beat| beat.slug.as_str()).collect();
            slugs.sort_unstable();
            if !slugs.is_empty() {
                let names = if Verdict::of(status) == Verdict::Ok { String::new() } else { named(&slugs) };
                parts.push(format!("{} {}{names}", slugs.len(), status.word()));
            }
        }
        let mut performance = [Status::Up, Status::Late, Status::Down, Status::New, Status::Paused]
            .map(|status| format!("{}={}", status.word(), count(beats, |beat| beat.status == status)))
            .to_vec();
        performance.push(format!("running={}", count(beats, |beat| beat.current_run_started_at.is_some())));
        let text = if parts.is_empty() { "no heartbeats yet".to_owned() } else { parts.join(", ") };
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

fn count(beats: &[Beat], which: impl Fn(&Beat) -> bool) -> usize {
    beats.iter().filter(|beat| which(beat)).count()
}

/// The first few of them in brackets.
fn named(slugs: &[&str]) -> String {
    let first: Vec<String> = slugs.iter().take(NAMED).map(|slug| plain(slug)).collect();
    let more = match slugs.len() - first.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(" ({}{more})", first.join(", "))
}

/// Seconds with a fraction.
fn seconds(span: Span) -> String {
    format!("{}.{:03}", span.as_secs(), span.as_millis() % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::status::samples::{NOW, beat, beats};

    const PLAIN: Paint = Paint(false);

    #[test]
    fn all_of_them_are_counted_and_those_in_trouble_named() {
        let line = Line::of_all(&beats());
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
        let line = Line::of_all(&many);
        assert_eq!(line.for_people(PLAIN), "OVERDUE WARNING - 5 late (a, b, c and 2 more)");
        assert_eq!(line.verdict.code(), 1);
        let none = Line::of_all(&[]);
        assert_eq!(none.for_people(PLAIN), "OVERDUE OK - no heartbeats yet");
        assert_eq!(none.verdict.code(), 0);
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
