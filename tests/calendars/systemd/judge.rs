//! Asks `systemd-analyze calendar`, many expressions at a time. It knows how that program is called and what it
//! prints, and never what it should answer.

use std::process::{Command, Output};

/// In microseconds.
pub(crate) const SECOND: i64 = 1_000_000;

/// What systemd says to one expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It cannot be read.
    Refused,
    /// Its own search ran in a circle.
    Lost,
    /// The instants in whole seconds, which is all that is printed; fewer than asked for when no more come.
    Elapses(Vec<i64>),
}

/// Asks for the first instants of each expression after `base`, which is in microseconds since 1970.
pub(crate) fn ask(expressions: &[String], zone: &str, base: i64, iterations: usize) -> Vec<Answer> {
    let output = Command::new("systemd-analyze")
        .env("TZ", zone)
        .env("LC_ALL", "C")
        .args(["calendar", &format!("--iterations={iterations}"), &format!("--base-time=@{}.{:06}", base / SECOND, base % SECOND), "--"])
        .args(expressions)
        .output()
        .expect("systemd-analyze must be installed: it is the judge of on_calendar (Debian: apt-get install systemd)");
    read(expressions, &output)
}

fn read(expressions: &[String], output: &Output) -> Vec<Answer> {
    let errors = String::from_utf8_lossy(&output.stderr);
    let mut complaints = errors.lines().filter_map(complaint).peekable();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let mut blocks = blocks(&stdout).into_iter();
    let answers = expressions
        .iter()
        .map(|expression| match complaints.next_if(|(text, _)| text == expression) {
            Some((_, answer)) => answer,
            None => Answer::Elapses(
                blocks.next().unwrap_or_else(|| panic!("no answer to {expression:?}: {errors}")),
            ),
        })
        .collect();
    assert_eq!((complaints.next(), blocks.next()), (None, None), "more answers than questions: {errors}");
    answers
}

/// The expression that a line on stderr is about.
fn complaint(line: &str) -> Option<(&str, Answer)> {
    let refused =
        line.strip_prefix("Failed to parse calendar specification '").map(|rest| (rest, Answer::Refused));
    let lost = || line.strip_prefix("Failed to determine next elapse for '").map(|rest| (rest, Answer::Lost));
    let (rest, answer) = refused.or_else(lost)?;
    Some((rest.rsplit_once("': ")?.0, answer))
}

/// The instants of each expression that could be read.
fn blocks(stdout: &str) -> Vec<Vec<i64>> {
    let mut blocks: Vec<Vec<i64>> = Vec::new();
    for line in stdout.lines() {
        let Some((label, value)) = line.split_once(": ") else { continue };
        match label.trim() {
            "Normalized form" => blocks.push(Vec::new()),
            "(in UTC)" => {
                let last = blocks.last_mut().and_then(|block| block.last_mut()).unwrap();
                *last = seconds(value).unwrap();
            }
            // In another zone than UTC the line after it says the same in UTC.
            label if (label == "Next elapse" || label.starts_with("Iter.")) && value.trim() != "never" => {
                blocks.last_mut().unwrap().push(seconds(value).unwrap_or(i64::MIN));
            }
            _ => {}
        }
    }
    blocks
}

/// Of `Thu 2026-01-01 01:00:00 UTC`.
fn seconds(text: &str) -> Option<i64> {
    let local = text.trim().strip_suffix(" UTC")?.split_once(' ')?.1;
    let local: jiff::civil::DateTime = local.replace(' ', "T").parse().unwrap();
    Some(jiff::tz::TimeZone::UTC.to_timestamp(local).unwrap().as_second())
}
