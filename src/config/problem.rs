//! What is wrong with a config, and where: `file:line:column: what, and what was probably meant`. Knows
//! how to find a line, and how to guess what somebody meant; never knows what a key means, and never
//! holds a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// Something wrong at one place of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub what: String,
    /// What could stand there instead, as it would be written.
    pub meant: Option<String>,
}

/// Something that is allowed, but rarely wanted.
pub type Warning = Problem;

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)?;
        match &self.meant {
            Some(meant) => write!(f, ", did you mean {meant}?"),
            None => Ok(()),
        }
    }
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
}

impl Place {
    /// A problem at this place.
    pub fn problem(&self, what: impl Into<String>, meant: Option<String>) -> Problem {
        let (what, meant) = (visible(what.into()), meant.map(visible));
        Problem { file: self.file.clone(), line: self.line, column: self.column, what, meant }
    }
}

/// What stands in a file goes to terminals and logs, where nothing of it may act or look like what it is not: control
/// characters and directions of writing are told by their number.
fn visible(text: String) -> String {
    let acts = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(acts) {
        return text;
    }
    let tell = |c: char| if acts(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(tell).collect()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One file's text with the beginnings of its lines, so that a place is found without reading it again.
#[derive(Debug)]
pub(super) struct Text {
    name: Arc<str>,
    all: String,
    starts: Vec<usize>,
}

impl Text {
    pub(super) fn new(name: Arc<str>, text: String) -> Self {
        let breaks = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(breaks).collect();
        Self { name, all: text, starts }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.all
    }

    /// The place of a byte; what lies behind the end is at the end.
    pub(super) fn place(&self, byte: usize) -> Place {
        let byte = byte.min(self.all.len());
        let line = self.line(byte);
        let before = &self.all.as_bytes()[self.starts[line]..byte];
        // Every byte of UTF-8 that is not a continuation begins a character.
        let column = before.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
        Place { file: self.name.clone(), line: line as u32 + 1, column: column as u32 + 1 }
    }

    /// The line, from 0, that a byte stands in.
    pub(super) fn line(&self, byte: usize) -> usize {
        self.starts.partition_point(|&start| start <= byte).saturating_sub(1)
    }

    /// A line, from 0, without its end; and where it begins.
    pub(super) fn line_text(&self, line: usize) -> (&str, usize) {
        let start = self.starts[line];
        let end = self.starts.get(line + 1).copied().unwrap_or(self.all.len());
        (self.all[start..end].trim_end_matches(['\n', '\r']), start)
    }
}

/// What was found so far, in the order of the files.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: Vec<Problem>,
}

impl Problems {
    pub(super) fn add(&mut self, problem: Problem) {
        self.found.push(problem);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All, file by file in the order given, each by line and column.
    pub(super) fn into_sorted(self, files: &[Arc<str>]) -> Vec<Problem> {
        let order: BTreeMap<&str, usize> = files.iter().map(AsRef::as_ref).zip(0..).collect();
        let mut found = self.found;
        found.sort_by_key(|problem| {
            let file = order.get(problem.file.as_ref()).copied().unwrap_or(usize::MAX);
            // What is in none of them is one of the files that a key names.
            (file, problem.file.clone(), problem.line, problem.column)
        });
        found
    }
}

/// The candidate that `word` is most likely a slip of: at most a third of its letters are wrong.
pub(crate) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = word.to_lowercase();
    let allowed = (lower.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| format!("{candidate:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let text = Text::new("f".into(), "a\näö = 1\r\n\nx".to_owned());
        let at = |byte| {
            let place = text.place(byte);
            (place.line, place.column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(2), (2, 1));
        assert_eq!(at(6), (2, 3), "two characters of two bytes stand before");
        assert_eq!(at(13), (4, 1));
        assert_eq!(at(999), (4, 2), "what lies behind the end is at the end");
        assert_eq!(text.line_text(1), ("äö = 1", 2));
    }

    #[test]
    fn a_slip_is_found_and_a_stranger_is_not() {
        let keys = ["interval", "grace", "cron"];
        assert_eq!(closest("intervall", keys), Some("\"interval\"".to_owned()));
        assert_eq!(closest("Garce", keys), Some("\"grace\"".to_owned()));
        assert_eq!(closest("banana", keys), None);
    }

    #[test]
    fn a_problem_shows_no_control_character_of_its_file() {
        let place = Place { file: "a.toml".into(), line: 1, column: 1 };
        let problem = place.problem("no [a\u{1b}[2J\u{202e}b\n]", Some("\"ä\u{7}\"".to_owned()));
        let told = r#"a.toml:1:1: no [a\u{1b}[2J\u{202e}b\u{a}], did you mean "ä\u{7}"?"#;
        assert_eq!(problem.to_string(), told);
    }

    #[test]
    fn a_problem_reads_as_the_contract_says() {
        let place = Place { file: "a.toml".into(), line: 3, column: 7 };
        let plain = place.problem("unknown key \"foo\"", None);
        assert_eq!(plain.to_string(), "a.toml:3:7: unknown key \"foo\"");
        let meant = place.problem("unknown key \"garce\"", Some("\"grace\"".to_owned()));
        assert_eq!(meant.to_string(), "a.toml:3:7: unknown key \"garce\", did you mean \"grace\"?");
    }
}
