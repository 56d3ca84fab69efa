//! Text that is not TOML: every error with its place, a key that stands twice with both. Never knows what
//! a key means.

use std::collections::BTreeMap;

use toml::de::Error;

use crate::config::problem::{Place, Problem, Text};

/// The errors of a file, as problems.
pub(super) fn problems(text: &Text, errors: &[Error]) -> Vec<Problem> {
    let mut headers = None;
    let mut problems = Vec::with_capacity(errors.len());
    for error in errors {
        let at = error.span().map_or(text.as_str().len(), |span| span.start);
        let place = text.place(at);
        let what = if error.message() == "duplicate key" {
            let headers = headers.get_or_insert_with(|| Headers::of(text));
            let Some(what) = duplicate(text, at, headers) else { continue };
            what
        } else {
            format!("this is not TOML: {}", error.message())
        };
        let problem = place.problem(what, None);
        // The parser may stumble twice over one slip.
        if problems.last() != Some(&problem) {
            problems.push(problem);
        }
    }
    problems
}

/// The first place of every table header, and the lines on which tables begin.
struct Headers<'t> {
    first: BTreeMap<String, (usize, usize)>,
    lines: Vec<usize>,
    text: &'t Text,
}

impl<'t> Headers<'t> {
    fn of(text: &'t Text) -> Self {
        let mut headers = Self { first: BTreeMap::new(), lines: Vec::new(), text };
        for line in 0..=text.line(text.as_str().len()) {
            let (written, start) = text.line_text(line);
            if let Some(header) = header(written) {
                let at = start + written.find('[').unwrap_or(0);
                headers.first.entry(header).or_insert((line, at));
                headers.lines.push(line);
            }
        }
        headers
    }
}

impl Headers<'_> {
    /// Whether the table that goes on to `line` has had its header before.
    fn is_second(&self, line: usize) -> bool {
        let before = self.lines.partition_point(|&header| header < line);
        let Some(&own) = before.checked_sub(1).and_then(|before| self.lines.get(before)) else {
            return false;
        };
        let first = header(self.text.line_text(own).0).and_then(|header| self.first.get(&header));
        first.is_some_and(|&(first, _)| first < own)
    }
}

/// The header on a line, without spaces and quotes, which do not tell two headers apart.
fn header(line: &str) -> Option<String> {
    let line = line.trim_start();
    let end = line.find(']')?;
    line.starts_with('[').then(|| plain(&line[..end]))
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\'')).collect()
}

/// `None` for a key that stands twice only because its table does, which has been told.
fn duplicate(text: &Text, at: usize, headers: &Headers<'_>) -> Option<String> {
    let line = text.line(at);
    let (written, start) = text.line_text(line);
    let (what, first) = if let Some(header) = header(written) {
        let first = headers.first.get(&header).filter(|(first, _)| *first < line);
        (format!("{header}]"), first.map(|&(_, at)| text.place(at)))
    } else {
        let key = plain(written[at - start..].split(['=', '.', '}', ',']).next().unwrap_or_default());
        let first = first_key(headers, line, &key);
        if first.is_none() && headers.is_second(line) {
            return None;
        }
        (format!("the key {key:?}"), first)
    };
    Some(match first {
        Some(first) => format!("{what} stands here a second time; the first is at {first}"),
        None => format!("{what} stands here a second time"),
    })
}

/// Where a key stands first in the table that goes on to `line`.
fn first_key(headers: &Headers<'_>, line: usize, key: &str) -> Option<Place> {
    let before = headers.lines.partition_point(|&header| header < line);
    let from = before.checked_sub(1).map_or(0, |before| headers.lines[before] + 1);
    (from..line).find_map(|line| {
        let (written, start) = headers.text.line_text(line);
        let found = plain(written.split('=').next()?) == key;
        found.then(|| headers.text.place(start + written.len() - written.trim_start().len()))
    })
}
