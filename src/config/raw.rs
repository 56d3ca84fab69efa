//! TOML as it is written, with the place of every key and value. Knows how to take a value of a kind out of
//! a table and what to say when it is of another; never knows what a key means.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use crate::config::Sources;
use crate::config::duration::{LengthError, parse_size, parse_span, write_span};
use crate::config::pieces;
use crate::config::problem::{Place, Problem, Problems, Text, closest};
use crate::config::rate::{Rate, parse_rate};
use crate::model::schedule::Zones;
use crate::model::time::Span;

/// Reads on while it collects what is wrong.
pub(super) struct Reader<'s> {
    pub(super) sources: &'s dyn Sources,
    pub(super) zones: &'s Zones,
    pub(super) problems: Problems,
    pub(super) warnings: Problems,
}

/// One file, read.
#[derive(Debug)]
pub(super) struct File {
    pub(super) text: Text,
    path: PathBuf,
    /// Where it is cut into pieces that are read one after the other.
    cuts: Vec<usize>,
}

impl File {
    /// Cut into pieces of so many heartbeats.
    pub(super) fn new(path: &Path, text: String, piece: usize) -> Self {
        let name: Arc<str> = path.display().to_string().into();
        // Some editors put a byte order mark before everything; TOML knows none.
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        let cuts = pieces::cuts(&text, piece);
        Self { text: Text::new(name, text), path: path.to_owned(), cuts }
    }

    /// Its pieces, each with the byte at which it begins; one at the least.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (usize, &str)> {
        let ends = self.cuts.iter().copied().chain([self.text.as_str().len()]);
        let begins = std::iter::once(0).chain(self.cuts.iter().copied());
        begins.zip(ends).map(|(begin, end)| (begin, &self.text.as_str()[begin..end]))
    }

    /// What its relative paths are relative to.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// A table of a file.
#[derive(Clone)]
pub(super) struct Section<'t> {
    pub(super) file: &'t File,
    pub(super) table: &'t DeTable<'t>,
    /// How people call it: `[heartbeats.backup]`.
    pub(super) title: String,
    /// Where it begins.
    pub(super) at: usize,
    /// Where the piece of the file begins that it was read from.
    pub(super) base: usize,
}

/// A value of a table or list.
#[derive(Clone, Copy)]
pub(super) struct Item<'t> {
    pub(super) file: &'t File,
    pub(super) value: &'t DeValue<'t>,
    /// The key it has, or that its list has.
    pub(super) name: &'t str,
    /// Where it begins.
    pub(super) at: usize,
    /// Where its key begins.
    pub(super) key_at: usize,
    /// Where the piece of the file begins that it was read from.
    base: usize,
}

impl<'t> Section<'t> {
    /// Complains of every key that is not known. `slips` are words that people use for a known key.
    pub(super) fn known(&self, reader: &mut Reader<'_>, keys: &[&str], slips: &[(&str, &str)]) {
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if keys.contains(&name) {
                continue;
            }
            let slip = slips.iter().find(|(slip, _)| *slip == name).map(|(_, key)| format!("{key:?}"));
            let meant = slip.or_else(|| closest(name, keys.iter().copied()));
            let place = self.file.text.place(self.base + key.span().start);
            let what = match &meant {
                Some(_) => format!("unknown key {name:?} in {}", self.title),
                None => format!("unknown key {name:?} in {}; it knows {}", self.title, keys.join(", ")),
            };
            reader.problems.add(place.problem(what, meant));
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<Item<'t>> {
        let (key, value) = self.table.get_key_value(key)?;
        Some(self.item(key, value))
    }

    /// All values with their keys.
    pub(super) fn items(&self) -> impl Iterator<Item = Item<'t>> {
        self.table.iter().map(|(key, value)| self.item(key, value))
    }

    fn item(
        &self,
        key: &'t toml::Spanned<toml::de::DeString<'t>>,
        value: &'t toml::Spanned<DeValue<'t>>,
    ) -> Item<'t> {
        Item {
            file: self.file,
            value: value.get_ref(),
            name: key.get_ref().as_ref(),
            at: self.base + value.span().start,
            key_at: self.base + key.span().start,
            base: self.base,
        }
    }

    pub(super) fn place(&self) -> Place {
        self.file.text.place(self.at)
    }

    /// Something is wrong with the table as a whole.
    pub(super) fn problem(&self, reader: &mut Reader<'_>, what: impl Into<String>, meant: Option<String>) {
        reader.problems.add(self.place().problem(what, meant));
    }
}

impl<'t> Item<'t> {
    pub(super) fn place(&self) -> Place {
        self.file.text.place(self.at)
    }

    pub(super) fn key_place(&self) -> Place {
        self.file.text.place(self.key_at)
    }

    /// Something is wrong with the value.
    pub(super) fn problem(&self, reader: &mut Reader<'_>, what: impl Into<String>) {
        self.found(reader, what, None);
    }

    /// Something is wrong, and what was meant can be guessed.
    pub(super) fn found(&self, reader: &mut Reader<'_>, what: impl Into<String>, meant: Option<String>) {
        let problem: Problem = self.place().problem(what, meant);
        reader.problems.add(problem);
    }

    fn not_a(&self, reader: &mut Reader<'_>, wanted: &str, meant: Option<String>) {
        let is = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.found(reader, format!("{} must be {wanted}, not {is}", self.name), meant);
    }

    pub(super) fn str(&self, reader: &mut Reader<'_>) -> Option<&'t str> {
        if let DeValue::String(text) = self.value {
            return Some(text.as_ref());
        }
        let meant = match self.value {
            DeValue::Integer(number) => Some(format!("\"{number}\"")),
            DeValue::Boolean(value) => Some(format!("\"{value}\"")),
            DeValue::Datetime(value) => Some(format!("\"{value}\"")),
            DeValue::String(_) | DeValue::Float(_) | DeValue::Array(_) | DeValue::Table(_) => None,
        };
        self.not_a(reader, "a string", meant);
        None
    }

    pub(super) fn bool(&self, reader: &mut Reader<'_>) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            let meant = match self.value.as_str().map(str::to_lowercase).as_deref() {
                Some("true" | "yes" | "on") => Some("true".to_owned()),
                Some("false" | "no" | "off") => Some("false".to_owned()),
                _ => None,
            };
            self.not_a(reader, "true or false", meant);
        }
        value
    }

    pub(super) fn integer(&self, reader: &mut Reader<'_>, range: RangeInclusive<u32>) -> Option<u32> {
        let (low, high) = (range.start(), range.end());
        let Some(integer) = self.value.as_integer() else {
            let meant = self.value.as_str().filter(|text| text.parse::<u32>().is_ok()).map(str::to_owned);
            self.not_a(reader, &format!("a whole number from {low} to {high}"), meant);
            return None;
        };
        let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            self.problem(reader, format!("{} must be from {low} to {high}, not {integer}", self.name));
        }
        number
    }

    pub(super) fn span(&self, reader: &mut Reader<'_>, range: RangeInclusive<Span>) -> Option<Span> {
        let (low, high) = (write_span(*range.start()), write_span(*range.end()));
        let zero = self.value.as_integer().is_some_and(|number| number.as_str() == "0");
        let text = if zero { "0" } else { self.length(reader, "a duration like \"1h30m\"", parse_span)? };
        let span = self.read_length(reader, parse_span(text))?;
        if !range.contains(&span) {
            self.problem(reader, format!("{} must be from {low} to {high}, not {text}", self.name));
            return None;
        }
        Some(span)
    }

    pub(super) fn size(&self, reader: &mut Reader<'_>, max: (u64, &str)) -> Option<u64> {
        let text = self.length(reader, "a size like \"10KB\"", parse_size)?;
        let size = self.read_length(reader, parse_size(text))?;
        if size > max.0 {
            self.problem(reader, format!("{} must be at most {}, not {text}", self.name, max.1));
            return None;
        }
        Some(size)
    }

    pub(super) fn rate(&self, reader: &mut Reader<'_>) -> Option<Rate> {
        let DeValue::String(text) = self.value else {
            self.not_a(reader, "a rate like \"20/s\" or \"300/m\"", None);
            return None;
        };
        let read = parse_rate(text);
        read.map_err(|error| self.found(reader, format!("{}: {error}", self.name), error.meant())).ok()
    }

    /// The text of a length; a bare number is told with its unit.
    fn length<T>(
        &self,
        reader: &mut Reader<'_>,
        wanted: &str,
        parse: impl Fn(&str) -> Result<T, LengthError>,
    ) -> Option<&'t str> {
        if let DeValue::String(text) = self.value {
            return Some(text.as_ref());
        }
        let meant = match self.value.as_integer() {
            Some(number) => parse(number.as_str()).err().and_then(|error| error.meant()),
            None => None,
        };
        self.not_a(reader, wanted, meant);
        None
    }

    fn read_length<T>(&self, reader: &mut Reader<'_>, read: Result<T, LengthError>) -> Option<T> {
        read.map_err(|error| self.found(reader, format!("{}: {error}", self.name), error.meant())).ok()
    }

    pub(super) fn table(&self, reader: &mut Reader<'_>, title: impl Into<String>) -> Option<Section<'t>> {
        if let DeValue::Table(table) = self.value {
            return Some(Section {
                file: self.file,
                table,
                title: title.into(),
                at: self.at,
                base: self.base,
            });
        }
        self.not_a(reader, "a table", None);
        None
    }

    pub(super) fn list(&self, reader: &mut Reader<'_>, of: &str) -> Option<Vec<Item<'t>>> {
        if self.value.is_array() {
            return Some(self.each());
        }
        let meant = self.value.as_str().map(|text| format!("[{text:?}]"));
        self.not_a(reader, &format!("a list of {of}"), meant);
        None
    }

    /// What stands in a list, or the one thing that stands there without a list.
    pub(super) fn each(&self) -> Vec<Item<'t>> {
        let DeValue::Array(items) = self.value else { return vec![*self] };
        let at = |start: usize| self.base + start;
        items
            .iter()
            .map(|value| Item { value: value.get_ref(), at: at(value.span().start), ..*self })
            .collect()
    }

    /// A list of texts, none empty.
    pub(super) fn strs(&self, reader: &mut Reader<'_>, of: &str) -> Option<Vec<(&'t str, Item<'t>)>> {
        let items = self.list(reader, of)?;
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match item.str(reader)? {
                text if text.trim().is_empty() => {
                    item.problem(reader, format!("{} holds an empty text", item.name));
                }
                text => texts.push((text, item)),
            }
        }
        Some(texts)
    }

    /// One of a few words.
    pub(super) fn one_of<T: Copy>(&self, reader: &mut Reader<'_>, words: &[(&str, T)]) -> Option<T> {
        let text = self.str(reader)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let all: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        let meant = closest(text, words.iter().map(|(word, _)| *word));
        self.found(reader, format!("{} must be {}, not {text:?}", self.name, all.join(" or ")), meant);
        None
    }
}
