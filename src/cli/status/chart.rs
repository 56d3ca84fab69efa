//! The last runs as a chart of one row: height is duration, colour is outcome, and a mark below each bar says
//! the outcome again for those who see no colour.

use std::fmt::Write as _;

use crate::cli::answer::Run;
use crate::cli::paint::Paint;
use crate::model::ago::took;
use crate::model::run::Outcome;
use crate::model::time::{Span, Timestamp};

/// How many runs a chart has at the most.
pub(super) const RUNS: usize = 30;
/// How many of them are rows below it.
const ROWS: usize = 5;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The chart and the newest rows of `runs`, which come newest first; `width` columns wide.
pub(super) fn chart(runs: &[Run], now: Timestamp, paint: Paint, width: usize) -> String {
    if runs.is_empty() {
        return "No runs yet.\n".to_owned();
    }
    let room = width.saturating_sub(2).clamp(1, RUNS);
    let shown: Vec<&Run> = runs.iter().take(room).rev().collect();
    let lengths: Vec<Option<Span>> = shown.iter().map(|run| run.length(now)).collect();
    let longest = lengths.iter().copied().flatten().max();
    let count = if shown.len() == 1 {
        "The last run".to_owned()
    } else {
        format!("The last {} runs, oldest first", shown.len())
    };
    let mut out = match longest {
        Some(longest) => format!("{count}; a full bar is {}:\n  ", took(longest)),
        None => format!("{count}; none has a duration, since none had a start:\n"),
    };
    if let Some(longest) = longest {
        for (run, length) in shown.iter().zip(&lengths) {
            let bar = length.map_or('·', |length| bar(length, longest));
            out.push_str(&paint.outcome(run.outcome, bar.encode_utf8(&mut [0; 4])));
        }
        out.push('\n');
    }
    out.push_str("  ");
    for run in &shown {
        out.push_str(&paint.outcome(run.outcome, mark(run.outcome)));
    }
    out.push_str("\n  ");
    out.push_str(&legend(&shown, &lengths, paint));
    out.push_str("\n\n");
    out.push_str(&rows(runs, now, paint));
    out
}

/// Only what is in the chart.
fn legend(shown: &[&Run], lengths: &[Option<Span>], paint: Paint) -> String {
    let kinds = [
        Some(Outcome::Success),
        Some(Outcome::Failure),
        Some(Outcome::Overran),
        Some(Outcome::Abandoned),
        None,
    ];
    let mut parts: Vec<String> = kinds
        .into_iter()
        .filter(|kind| shown.iter().any(|run| run.outcome == *kind))
        .map(|kind| format!("{} {}", paint.outcome(kind, mark(kind)), word(kind)))
        .collect();
    if lengths.contains(&None) && lengths.iter().any(Option::is_some) {
        parts.push("· no duration".to_owned());
    }
    parts.join("   ")
}

fn rows(runs: &[Run], now: Timestamp, paint: Paint) -> String {
    let started: Vec<String> = runs.iter().take(ROWS).map(started).collect();
    let width = started.iter().map(String::len).max().unwrap_or(0);
    let mut out = paint.dim(&format!("  {:width$}  {:9}  {:9}  EXIT", "STARTED", "TOOK", "OUTCOME"));
    out.push('\n');
    for (run, started) in runs.iter().zip(&started) {
        let took = run.length(now).map_or_else(|| "-".to_owned(), took);
        let outcome = paint.outcome(run.outcome, &format!("{:9}", word(run.outcome)));
        let exit = run.exit_code.map_or_else(|| "-".to_owned(), |code| code.to_string());
        writeln!(out, "  {started:width$}  {took:9}  {outcome}  {exit}")
            .expect("writing to a string cannot fail");
    }
    out
}

/// Of a lone finish all that is known is when it came.
fn started(run: &Run) -> String {
    match (run.started_at, run.ended_at) {
        (Some(at), _) => at.to_string(),
        (None, Some(at)) => format!("ended {at}"),
        (None, None) => "-".to_owned(),
    }
}

fn bar(length: Span, longest: Span) -> char {
    let (length, longest) = (length.as_millis().max(1), longest.as_millis().max(1));
    // Rounded up, so that a run that took time has a bar, and the longest a full one.
    let eighths = length.saturating_mul(8).saturating_add(longest - 1) / longest;
    BARS[eighths.clamp(1, 8) as usize - 1]
}

const fn mark(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Success) => ".",
        Some(Outcome::Failure) => "x",
        Some(Outcome::Overran) => "!",
        Some(Outcome::Abandoned) => "-",
        None => ">",
    }
}

const fn word(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Success) => "success",
        Some(Outcome::Failure) => "failure",
        Some(Outcome::Overran) => "overran",
        Some(Outcome::Abandoned) => "abandoned",
        None => "running",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::status::samples::NOW;
    use serde_json::{Value, json};

    const PLAIN: Paint = Paint(false);

    fn run(seconds: i64, outcome: &Value) -> Run {
        let took = if seconds < 0 { Value::Null } else { json!(seconds * 1_000) };
        serde_json::from_value(json!({
            "started_at": "2026-11-22T02:00:00Z", "ended_at": "2026-11-22T02:40:00Z",
            "duration_ms": took, "exit_code": if *outcome == "failure" { json!(3) } else { json!(0) },
            "outcome": outcome,
        }))
        .unwrap()
    }

    #[test]
    fn height_is_duration_and_a_mark_is_the_outcome() {
        // Newest first, as the API gives them.
        let mut runs = vec![run(-1, &Value::Null)];
        runs.extend((1..=8).map(|eighth| run(eighth * 450, &json!("success"))));
        runs.extend([run(1, &json!("failure")), run(-1, &json!("overran")), run(-1, &json!("abandoned"))]);
        runs[0].exit_code = None;
        assert_eq!(
            chart(&runs, NOW, PLAIN, 80),
            "\
The last 12 runs, oldest first; a full bar is 1h:
  ·▆▁█▇▆▅▄▃▂▁█
  -!x........>
  . success   x failure   ! overran   - abandoned   > running   · no duration

  STARTED                   TOOK       OUTCOME    EXIT
  2026-11-22T02:00:00.000Z  1h         running    -
  2026-11-22T02:00:00.000Z  7m 30s     success    0
  2026-11-22T02:00:00.000Z  15m        success    0
  2026-11-22T02:00:00.000Z  22m 30s    success    0
  2026-11-22T02:00:00.000Z  30m        success    0
"
        );
    }

    #[test]
    fn lone_finishes_have_no_bars() {
        let mut lone = run(-1, &json!("success"));
        lone.started_at = None;
        let text = chart(&[lone.clone(), lone], NOW, PLAIN, 80);
        assert!(text.starts_with("The last 2 runs, oldest first; none has a duration"), "{text}");
        assert!(text.contains("\n  ..\n  . success\n"), "{text}");
        assert!(text.contains("\n  ended 2026-11-22T02:40:00.000Z  -  "), "{text}");
        assert_eq!(chart(&[], NOW, PLAIN, 80), "No runs yet.\n");
    }

    #[test]
    fn a_narrow_terminal_has_fewer_and_none_more_than_thirty() {
        let many = vec![run(1, &json!("success")); 40];
        let bars = |width| chart(&many, NOW, PLAIN, width).matches('█').count();
        assert_eq!([bars(80), bars(12), bars(0)], [30, 10, 1]);
        let instant = vec![run(0, &json!("success")); 2];
        assert!(chart(&instant, NOW, PLAIN, 80).contains("██"), "no time at all is no division by zero");
    }

    #[test]
    fn colour_is_the_outcome() {
        let text = chart(&[run(1, &json!("failure"))], NOW, Paint(true), 80);
        assert!(text.contains("\x1b[31m█\x1b[0m\n  \x1b[31mx\x1b[0m\n"), "{text}");
    }
}
