//! When a heartbeat is expected: its one schedule, its time zone, and what is excluded. Knows how these are written
//! and which text is at fault; never knows what an expression means.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::problem::closest;
use crate::config::raw::{File, Item, Reader, Section};
use crate::model::schedule::exclusions::{self, Excluded};
use crate::model::schedule::expressions::Expressions;
use crate::model::schedule::{Occurrences, ScheduleError, Timing, Zones};
use crate::model::text;
use crate::model::time::{Span, Timestamp};

const KEYS: [&str; 3] = ["interval", "cron", "on_calendar"];
/// From where on it is looked how close occurrences come: 2026-01-01T00:00:00Z.
const PROBE: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// How many are looked at.
const PROBES: usize = 100;

/// What was found out once for all heartbeats: many share a schedule, a zone, a file.
#[derive(Default)]
pub(super) struct Schedules {
    /// By timing and zone, then by what is excluded: lists that are shared are compared at once, but not put in order.
    compiled: BTreeMap<(Timing, String), Vec<(Expressions, Outcome)>>,
    excluded: Excluded,
    zones: BTreeMap<String, bool>,
    /// What is wrong with an exclusion, by its text.
    exclusions: BTreeMap<String, Option<String>>,
    files: BTreeMap<PathBuf, Option<Expressions>>,
    /// By the names, then the lines of files and both together.
    together: BTreeMap<Expressions, Vec<(Expressions, Expressions)>>,
}

type Outcome = Result<Compiled, Vec<Fault>>;

/// A schedule that can be used.
pub(super) struct Compiled {
    occurrences: Occurrences,
    closest: OnceCell<Option<Span>>,
}

impl Compiled {
    /// The shortest distance between two occurrences that follow each other.
    pub(super) fn closest(&self) -> Option<Span> {
        *self.closest.get_or_init(|| {
            let next = |t: &Timestamp| self.occurrences.next_after(*t);
            let some: Vec<_> = std::iter::successors(next(&PROBE), next).take(PROBES).collect();
            some.windows(2).map(|pair| pair[1].since(pair[0])).min()
        })
    }
}

/// Why a schedule cannot be used.
enum Fault {
    /// There is no such zone. Told where it stands.
    Zone,
    /// This one expression.
    One(String, ScheduleError),
    /// All of it together.
    Whole(ScheduleError),
}

/// A schedule as it is written.
pub(super) struct Written<'t> {
    pub(super) timing: Timing,
    /// The interval, or each expression.
    items: Vec<Item<'t>>,
    key: Item<'t>,
}

impl<'t> Written<'t> {
    /// The one schedule of a heartbeat.
    pub(super) fn read(reader: &mut Reader<'_>, section: &Section<'t>) -> Option<Self> {
        let mut given = KEYS.iter().filter_map(|key| section.get(key));
        let Some(first) = given.next() else {
            section.problem(
                reader,
                format!("{} has no schedule; it needs one of interval, cron and on_calendar", section.title),
                Some("interval = \"24h\"".to_owned()),
            );
            return None;
        };
        if let Some(second) = given.next() {
            let what = format!(
                "{} has two schedules, {} (line {}) and {}; keep one",
                section.title,
                first.name,
                first.key_place().line,
                second.name
            );
            reader.problems.add(second.key_place().problem(what, None));
            return None;
        }
        if first.name == "interval" {
            let timing = Timing::Interval(first.span(reader, Timing::INTERVAL)?);
            return Some(Self { timing, items: vec![first], key: first });
        }
        let items = first.each();
        if items.is_empty() {
            first.problem(reader, format!("{} is an empty list, so it would never be expected", first.name));
            return None;
        }
        if items.len() > text::EXPRESSIONS_MAX {
            first.problem(reader, format!("{} has more than {} entries", first.name, text::EXPRESSIONS_MAX));
            return None;
        }
        let read = |item: &Item<'t>| expression(reader, item);
        // All are read, so that every wrong one is told.
        let texts: Vec<Option<&str>> = items.iter().map(read).collect();
        let expressions = Expressions::new(texts.into_iter().collect::<Option<Vec<_>>>()?);
        let timing =
            if first.name == "cron" { Timing::Cron(expressions) } else { Timing::OnCalendar(expressions) };
        Some(Self { timing, items, key: first })
    }

    /// Whether it can be used in this zone with these exclusions; if not, that is told.
    pub(super) fn compile<'k>(
        &self,
        reader: &mut Reader<'_>,
        known: &'k mut Schedules,
        section: &Section<'_>,
        zone: &str,
        exclude: &Expressions,
    ) -> Option<&'k Compiled> {
        let zones = reader.zones;
        let outcomes = known.compiled.entry((self.timing.clone(), zone.to_owned())).or_default();
        let at = outcomes.iter().position(|(of, _)| of == exclude).unwrap_or(outcomes.len());
        if at == outcomes.len() {
            let outcome = compile(&self.timing, zone, exclude, zones, &mut known.excluded);
            outcomes.push((exclude.clone(), outcome));
        }
        let faults = match &outcomes.get(at)?.1 {
            Ok(compiled) => return Some(compiled),
            Err(faults) => faults,
        };
        for fault in faults {
            match fault {
                Fault::Zone => {}
                Fault::One(text, error) => {
                    let is_it = |item: &&Item<'_>| item.value.as_str() == Some(text);
                    let item = self.items.iter().find(is_it).unwrap_or(&self.key);
                    item.problem(reader, format!("{} {text:?} cannot be used: {error}", self.key.name));
                }
                Fault::Whole(ScheduleError::AllExcluded) => {
                    let own = ["exclude", "exclude_file"].iter().find_map(|key| section.get(key));
                    let what = format!("{}: {}", section.title, ScheduleError::AllExcluded);
                    own.unwrap_or(self.key).problem(reader, what);
                }
                Fault::Whole(error) => {
                    self.key.problem(reader, format!("{} cannot be used: {error}", self.key.name));
                }
            }
        }
        None
    }
}

/// Cron or calendar, of these expressions.
type Kind = fn(Expressions) -> Timing;

fn compile(
    timing: &Timing,
    zone: &str,
    exclude: &Expressions,
    zones: &Zones,
    excluded: &mut Excluded,
) -> Outcome {
    let error = match timing.compile_with(zone, exclude, zones, excluded) {
        Ok(occurrences) => return Ok(Compiled { occurrences, closest: OnceCell::new() }),
        Err(ScheduleError::Zone(_)) => return Err(vec![Fault::Zone]),
        Err(error) => error,
    };
    let (expressions, kind): (&Expressions, Kind) = match timing {
        Timing::Interval(_) => return Err(vec![Fault::Whole(error)]),
        Timing::Cron(expressions) => (expressions, Timing::Cron),
        Timing::OnCalendar(expressions) => (expressions, Timing::OnCalendar),
    };
    let alone = |text: &str| {
        let one = kind(Expressions::one(text));
        one.compile(zone, &Expressions::default(), zones)
            .err()
            .map(|error| Fault::One(text.to_owned(), error))
    };
    let faults: Vec<Fault> = expressions.iter().filter_map(alone).collect();
    Err(if faults.is_empty() { vec![Fault::Whole(error)] } else { faults })
}

fn expression<'t>(reader: &mut Reader<'_>, item: &Item<'t>) -> Option<&'t str> {
    let text = item.str(reader)?;
    match text::expression(text) {
        Ok(()) => Some(text),
        Err(error) => {
            item.problem(reader, format!("{} {error}", item.name));
            None
        }
    }
}

pub(super) fn timezone(reader: &mut Reader<'_>, known: &mut Schedules, item: &Item<'_>) -> Option<String> {
    let text = item.str(reader)?;
    let zones = reader.zones;
    if *known.zones.entry(text.to_owned()).or_insert_with(|| zones.find(text).is_ok()) {
        return Some(text.to_owned());
    }
    let names: Vec<String> = reader.zones.names().collect();
    item.found(
        reader,
        format!("there is no time zone {text:?}; use a name like \"UTC\" or \"Europe/Berlin\""),
        closest_zone(text, &names),
    );
    None
}

/// The zone of nearly this name, or of this city: people write "Berlin".
fn closest_zone(text: &str, names: &[String]) -> Option<String> {
    let city = text.replace(' ', "_").to_lowercase();
    let same_city = |name: &&String| name.to_lowercase().rsplit('/').next() == Some(city.as_str());
    let by_city = names.iter().find(same_city).map(|name| format!("{name:?}"));
    by_city.or_else(|| closest(text, names.iter().map(String::as_str)))
}

/// `exclude`: those of its entries that can be used.
pub(super) fn exclude(reader: &mut Reader<'_>, known: &mut Schedules, item: &Item<'_>) -> Expressions {
    let items = item.each();
    if items.len() > text::EXCLUSIONS_MAX {
        item.problem(reader, format!("{} has more than {} entries", item.name, text::EXCLUSIONS_MAX));
        return Expressions::default();
    }
    let mut good = Vec::with_capacity(items.len());
    for item in items {
        let Some(text) = expression(reader, &item) else { continue };
        match known.exclusion(text, reader.zones) {
            None => good.push(text),
            Some(error) => item.problem(reader, error),
        }
    }
    Expressions::new(good)
}

/// `exclude_file`: what the files say, as far as it can be used.
pub(super) fn exclude_file(reader: &mut Reader<'_>, known: &mut Schedules, item: &Item<'_>) -> Expressions {
    let mut all = Vec::new();
    let items = item.each();
    for item in &items {
        let Some(name) = item.str(reader) else { continue };
        let path = item.file.folder().join(name);
        if !known.files.contains_key(&path) {
            let lines = read_file(reader, known, &path, item);
            known.files.insert(path.clone(), lines);
        }
        match known.files.get(&path) {
            // The usual case shares what was read.
            Some(Some(lines)) if items.len() == 1 => return lines.clone(),
            Some(Some(lines)) => all.extend(lines.iter().map(str::to_owned)),
            Some(None) | None => {}
        }
    }
    Expressions::new(all)
}

/// One entry a line; what follows a `#` is a comment. `None` when the file cannot be read.
fn read_file(
    reader: &mut Reader<'_>,
    known: &mut Schedules,
    path: &Path,
    item: &Item<'_>,
) -> Option<Expressions> {
    let file = match reader.sources.read_short(path) {
        Ok(text) => File::new(path, text, usize::MAX),
        Err(error) => {
            item.problem(reader, format!("the file {} cannot be read: {error}", path.display()));
            return None;
        }
    };
    let (mut good, mut from) = (Vec::new(), 0);
    for line in file.text.as_str().split('\n') {
        let entry = line.split('#').next().unwrap_or_default();
        let place = file.text.place(from + entry.len() - entry.trim_start().len());
        from += line.len() + 1;
        let entry = entry.trim();
        if entry.is_empty() {
            continue;
        }
        if good.len() == text::EXCLUSIONS_MAX {
            let what = format!("these are more than {} entries", text::EXCLUSIONS_MAX);
            reader.problems.add(place.problem(what, None));
            break;
        }
        let wrong = match text::expression(entry) {
            Ok(()) => known.exclusion(entry, reader.zones),
            Err(error) => Some(format!("an exclusion {error}")),
        };
        match wrong {
            None => good.push(entry),
            Some(error) => reader.problems.add(place.problem(error, None)),
        }
    }
    Some(Expressions::new(good))
}

impl Schedules {
    fn exclusion(&mut self, text: &str, zones: &Zones) -> Option<String> {
        if let Some(known) = self.exclusions.get(text) {
            return known.clone();
        }
        let wrong = exclusions::check(text, zones).err().map(|error| error.to_string());
        self.exclusions.insert(text.to_owned(), wrong.clone());
        wrong
    }

    /// Exclusions by name and by file as one list, made once for all heartbeats that take the same two.
    pub(super) fn together(&mut self, named: &Expressions, filed: &Expressions) -> Expressions {
        let known = self.together.entry(named.clone()).or_default();
        if let Some((_, both)) = known.iter().find(|(of, _)| of == filed) {
            return both.clone();
        }
        let both = Expressions::new(named.iter().chain(filed.iter()));
        known.push((filed.clone(), both.clone()));
        both
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schedule::exclusions::counted;

    #[test]
    fn an_exclusion_is_checked_without_a_look_and_read_once_for_all_schedules() {
        let (zones, mut known) = (Zones::bundled(), Schedules::default());
        let cost = counted::of(&counted::COST, || {
            assert_eq!(known.exclusion("*:*:0..59/0.000001", &zones), None);
            assert!(known.exclusion("25.12.", &zones).is_some_and(|error| error.contains("25.12.")));
        });
        assert_eq!(cost, 0);
        let list = Expressions::new((0..100).map(|n| format!("{}-12-24", 2026 + n)));
        let read = counted::of(&counted::READ, || {
            for minute in 0..60 {
                let timing = Timing::Cron(Expressions::one(&format!("{minute} * * * *")));
                assert!(compile(&timing, "UTC", &list, &zones, &mut known.excluded).is_ok());
            }
        });
        assert_eq!(read, 100);
    }
}
