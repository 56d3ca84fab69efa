//! Makes up calendar expressions by chance, each element of the syntax often enough. It knows the syntax, and never
//! what an expression means.

use std::collections::BTreeMap;

use crate::chance::Chance;

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const SHORTHANDS: [&str; 13] = [
    "minutely",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "semiannually",
    "semi-annually",
    "biannually",
    "bi-annually",
    "yearly",
    "annually",
    "Anually",
];
const ZONES: [&str; 6] =
    ["Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "America/Havana", "Etc/GMT+5"];
/// What mutations put in.
const PIECES: [&str; 26] = [
    "0",
    "1",
    "7",
    "9",
    "31",
    "60",
    "*",
    ",",
    "-",
    "~",
    ".",
    "..",
    "/",
    "/2",
    ":",
    " ",
    "@",
    "+",
    "Mon",
    "Tue..",
    "x",
    "UTC",
    " UTC",
    "Asia/Tokyo",
    "ly",
    "\t",
];

/// Stands around an open step and its closed form: `{5/10|5..59/10}`.
const FORMS: [char; 3] = ['{', '|', '}'];

/// An expression, and the same with an end to every step.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    pub(crate) text: String,
    pub(crate) closed: String,
}

impl Expression {
    fn of(template: &str) -> Self {
        let mut expression = Self { text: String::new(), closed: String::new() };
        for part in template.split(FORMS[0]) {
            let (form, rest) = part.split_once(FORMS[2]).unwrap_or(("|", part));
            let (open, closed) = form.split_once(FORMS[1]).unwrap();
            expression.text += &(open.to_owned() + rest);
            expression.closed += &(closed.to_owned() + rest);
        }
        expression
    }
}

/// Expressions, and how often each element of the syntax was used.
pub(crate) struct Writer {
    pub(crate) chance: Chance,
    pub(crate) used: BTreeMap<&'static str, u32>,
}

impl Writer {
    pub(crate) fn new(seed: u64) -> Self {
        Self { chance: Chance(seed), used: BTreeMap::new() }
    }

    /// A whole expression; with fractions of a second if wanted, which are printed nowhere.
    pub(crate) fn expression(&mut self, fractions: bool) -> Expression {
        Expression::of(&self.template(fractions))
    }

    fn template(&mut self, fractions: bool) -> String {
        if self.chance.one_in(20) {
            self.count("shorthand");
            let name = self.pick(&SHORTHANDS);
            return name.to_owned() + &self.zone();
        }
        if self.chance.one_in(40) {
            self.count("unix");
            return format!("@{}", 1_000_000_000 + u64::from(self.chance.below(2_000_000_000)));
        }
        let mut parts = Vec::new();
        if self.chance.one_in(3) {
            parts.push(self.weekdays());
        }
        if self.chance.below(10) < 6 {
            parts.push(self.date());
        }
        if parts.is_empty() || self.chance.below(10) < 8 {
            parts.push(self.time(fractions));
        } else {
            self.count("no time");
        }
        let space = if self.chance.one_in(30) && parts.len() > 1 { "   " } else { " " };
        parts.join(space) + &self.zone()
    }

    /// A text that is an expression but for a few characters.
    pub(crate) fn mutated(&mut self) -> String {
        let fractions = self.chance.one_in(4);
        let mut text: Vec<char> = self.expression(fractions).text.chars().collect();
        for _ in 0..=self.chance.below(6) / 4 {
            let at = self.chance.below(text.len() as u32 + 1) as usize;
            match self.chance.below(4) {
                0 if at < text.len() => {
                    text.remove(at);
                }
                1 if at + 1 < text.len() => text.swap(at, at + 1),
                2 if at < text.len() => {
                    let other = self.chance.below(text.len() as u32) as usize;
                    text[at] = text[other];
                }
                _ => {
                    let piece = self.pick(&PIECES);
                    text.splice(at..at, piece.chars());
                }
            }
        }
        text.into_iter().collect()
    }

    fn count(&mut self, element: &'static str) {
        *self.used.entry(element).or_default() += 1;
    }

    fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.chance.below(texts.len() as u32) as usize]
    }

    fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.chance.below(high - low + 1)
    }

    fn zone(&mut self) -> String {
        match self.chance.below(16) {
            0 => {
                self.count("utc");
                format!(" {}", self.pick(&["UTC", "utc", "Utc"]))
            }
            1 => {
                self.count("zone");
                format!(" {}", self.pick(&ZONES))
            }
            _ => String::new(),
        }
    }

    fn weekday(&mut self, index: u32) -> String {
        let name = WEEKDAYS[index as usize];
        let name = if self.chance.one_in(3) {
            self.count("long weekday");
            name
        } else {
            self.count("short weekday");
            &name[..3]
        };
        match self.chance.below(4) {
            0 => name.to_uppercase(),
            1 => name.to_lowercase(),
            _ => name.to_owned(),
        }
    }

    fn weekdays(&mut self) -> String {
        let items = self.between(1, 3);
        let mut list = Vec::new();
        for _ in 0..items {
            let from = self.chance.below(7);
            let mut item = self.weekday(from);
            if self.chance.one_in(3) {
                let to = self.between(from, 6);
                let range = if self.chance.one_in(3) { "weekday range with -" } else { "weekday range" };
                self.count(range);
                item += if range == "weekday range" { ".." } else { "-" };
                item += &self.weekday(to);
            }
            list.push(item);
        }
        if list.len() > 1 {
            self.count("weekday list");
        }
        let comma = if self.chance.one_in(12) { "," } else { "" };
        list.join(",") + comma
    }

    fn date(&mut self) -> String {
        let month = self.list("month", 1, 12, 2);
        let from_end = self.chance.one_in(4);
        let day = if from_end {
            self.count("from end");
            self.list_down("day from end", 1, 28)
        } else {
            self.list("day", 1, 31, 3)
        };
        let mark = if from_end { "~" } else { "-" };
        if self.chance.one_in(4) {
            self.count("no year");
            return format!("{month}{mark}{day}");
        }
        let year = match self.chance.below(10) {
            0 => {
                self.count("two-digit year");
                format!("{:02}", self.between(20, 40))
            }
            1 => {
                self.count("two-digit year of the century before");
                format!("{}..{:02}", self.between(70, 99), self.between(20, 40))
            }
            2..5 => self.list("year", 2010, 2040, 0),
            _ => "*".to_owned(),
        };
        format!("{year}-{month}{mark}{day}")
    }

    fn time(&mut self, fractions: bool) -> String {
        // Clocks change in the first hours.
        let hour =
            if self.chance.one_in(2) { self.list("hour", 0, 4, 3) } else { self.list("hour", 0, 23, 3) };
        let minute = self.list("minute", 0, 59, 3);
        if fractions {
            return format!("{hour}:{minute}:{}", self.fractions());
        }
        if self.chance.one_in(2) {
            return format!("{hour}:{minute}");
        }
        format!("{hour}:{minute}:{}", self.list("second", 0, 59, 3))
    }

    /// Items of numbers; `*` once in `stars`, and always for 0 of them never.
    fn list(&mut self, name: &'static str, low: u32, high: u32, stars: u32) -> String {
        if stars > 0 && self.chance.one_in(stars) {
            self.count(name_of(name, "*"));
            return "*".to_owned();
        }
        let items = if self.chance.one_in(3) { self.between(2, 4) } else { 1 };
        self.count(name_of(name, if items > 1 { "list" } else { "item" }));
        let list: Vec<String> = (0..items).map(|_| self.item(name, low, high)).collect();
        list.join(",")
    }

    fn item(&mut self, name: &'static str, low: u32, high: u32) -> String {
        let first = self.between(low, high);
        let zero = if self.chance.one_in(4) { "0" } else { "" };
        match self.chance.below(6) {
            0 if first < high => {
                self.count(name_of(name, "range"));
                // Seconds know no range of one.
                format!("{first}..{zero}{}", self.between(first + u32::from(name == "second"), high))
            }
            1 if first < high => {
                self.count(name_of(name, "step"));
                let step = self.between(1, high - first);
                let end = match name {
                    "hour" => 23,
                    "year" => 2199,
                    _ => high,
                };
                format!("{{{zero}{first}/{step}|{first}..{end}/{step}}}")
            }
            2 if first < high => {
                self.count(name_of(name, "range with step"));
                let last = self.between(first + 1, high);
                format!("{first}..{last}/{}", self.between(1, last - first))
            }
            _ if high < 2000 => format!("{zero}{first}"),
            _ => first.to_string(),
        }
    }

    /// As `item`, but a step leads down.
    fn list_down(&mut self, name: &'static str, low: u32, high: u32) -> String {
        let items = if self.chance.one_in(3) { 2 } else { 1 };
        let mut list = Vec::new();
        for _ in 0..items {
            let first = self.between(low, high);
            list.push(if first > low && self.chance.one_in(3) {
                self.count(name_of(name, "step"));
                let step = self.between(1, first - low);
                format!("{{{first}/{step}|{}..{first}/{step}}}", (first - low) % step + low)
            } else {
                let item = self.item(name, low, high);
                // A step without an end would lead up.
                if item.contains('{') { first.to_string() } else { item }
            });
        }
        if self.chance.one_in(12) { "*".to_owned() } else { list.join(",") }
    }

    /// Seconds with at most milliseconds, so that ours and the judge's instants are the same.
    fn fractions(&mut self) -> String {
        let items = self.between(1, 3);
        (0..items).map(|_| self.fraction()).collect::<Vec<_>>().join(",")
    }

    fn fraction(&mut self) -> String {
        let decimal = |ms: u32| format!("{}.{:03}", ms / 1000, ms % 1000);
        let from = self.between(0, 58_000);
        match self.chance.below(4) {
            0 => format!("{}..{}", decimal(from), decimal(self.between(from + 1_000, 59_000))),
            1 => {
                let step = decimal(self.between(1, 59_000 - from));
                let from = decimal(from);
                format!("{{{from}/{step}|{from}..59.999999/{step}}}")
            }
            2 => {
                let to = self.between(from + 1, 59_000);
                format!("{}..{}/{}", decimal(from), decimal(to), decimal(self.between(1, to - from)))
            }
            _ => decimal(from),
        }
    }
}

/// The name of a form of a part, as it is counted.
fn name_of(part: &str, form: &str) -> &'static str {
    let is_it = |name: &&&str| name.strip_prefix(part).is_some_and(|rest| rest.trim_start() == form);
    ELEMENTS.iter().find(is_it).unwrap_or_else(|| panic!("{part} {form} is not listed"))
}

/// All that is counted, so that none is forgotten.
pub(crate) const ELEMENTS: [&str; 52] = [
    "shorthand",
    "unix",
    "no time",
    "no year",
    "two-digit year",
    "two-digit year of the century before",
    "utc",
    "zone",
    "short weekday",
    "long weekday",
    "weekday list",
    "weekday range",
    "weekday range with -",
    "from end",
    "year item",
    "year list",
    "year range",
    "year step",
    "year range with step",
    "month *",
    "month item",
    "month list",
    "month range",
    "month step",
    "month range with step",
    "day *",
    "day item",
    "day list",
    "day range",
    "day step",
    "day range with step",
    "hour *",
    "hour item",
    "hour list",
    "hour range",
    "hour step",
    "hour range with step",
    "minute *",
    "minute item",
    "minute list",
    "minute range",
    "minute step",
    "minute range with step",
    "second *",
    "second item",
    "second list",
    "second range",
    "second step",
    "second range with step",
    "day from end range",
    "day from end range with step",
    "day from end step",
];
