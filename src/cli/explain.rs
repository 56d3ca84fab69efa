//! `overdue explain`: what the schedules of a config come to, occurrence by occurrence. Knows a config and an instant
//! to begin at, and what a person and a program want to be told; touches no state.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use clap::Args;
use jiff::civil;
use jiff::tz::TimeZone;
use serde::{Serialize, Serializer as _};
use uuid::Uuid;

use crate::cli::calendars::Calendars;
use crate::cli::check::problems;
use crate::cli::explain::table::table;
use crate::cli::paint::Paint;
use crate::cli::{ConfigArgument, complain, exit, outcome, print};
use crate::config::problem::closest;
use crate::config::{Config, Declared};
use crate::engine::clock::{Clock as _, SystemClock};
use crate::model::heartbeat::Declaration;
use crate::model::schedule::Occurrences;
use crate::model::schedule::words::words;
use crate::model::time::{Span, Timestamp};
use crate::watch::load;

mod table;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The heartbeat; without it, all of them
    slug: Option<String>,
    /// Where to begin: 2026-10-25, "2026-10-25 01:00" in the time zone of each heartbeat, or 2026-10-25T01:00:00Z;
    /// else now
    #[arg(long, value_name = "T", value_parser = begin)]
    from: Option<Begin>,
    /// How many occurrences, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    At(Timestamp),
    /// In each heartbeat's own time zone.
    Local(civil::DateTime),
}

impl Begin {
    /// A time that comes twice is meant the first time; one that the clock skips, as if it had not.
    fn instant(self, zone: &TimeZone) -> Timestamp {
        match self {
            Self::At(instant) => instant,
            Self::Local(local) => {
                zone.to_ambiguous_timestamp(local).compatible().map_or(Timestamp::MAX, Timestamp::from_jiff)
            }
        }
    }
}

fn begin(text: &str) -> Result<Begin, String> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Ok(Begin::At(Timestamp::from_jiff(instant)));
    }
    let date = || text.parse::<civil::Date>().map(|date| date.at(0, 0, 0, 0));
    // A date and time with a zone in brackets would be read as well, and the zone be left out.
    let plain = !text.contains('[');
    let local = if text.contains(':') { text.parse::<civil::DateTime>() } else { date() };
    local
        .ok()
        .filter(|_| plain)
        .map(Begin::Local)
        .ok_or_else(|| "write it like 2026-10-25, \"2026-10-25 01:00\" or 2026-10-25T01:00:00Z".to_owned())
}

/// A heartbeat, for programs.
#[derive(Debug, Serialize)]
struct Explained {
    slug: String,
    schedule: String,
    occurrences: Vec<Occurrence>,
}

/// When it is expected.
#[derive(Debug, Serialize)]
struct Occurrence {
    /// From then on it is late.
    due: Timestamp,
    local: String,
    /// From then on it is down.
    deadline: Timestamp,
    note: Option<String>,
}

/// Explains. The exit code.
pub(super) fn explain(arguments: &Arguments) -> u8 {
    let path: &Path = &arguments.config.config;
    let zones = crate::daemon::zones();
    let config = match load(path, &zones) {
        Ok(config) => config,
        Err(found) => {
            let mut text = Vec::new();
            let written = problems(path, &found, arguments.json, &mut text);
            return if written.is_ok() { print(&text, exit::CONFIG) } else { exit::INTERNAL };
        }
    };
    let wanted = match wanted(&config, arguments.slug.as_deref(), path) {
        Ok(wanted) => wanted,
        Err(error) => {
            complain(&error);
            return exit::USAGE;
        }
    };
    if wanted.is_empty() && !arguments.json {
        return print(format!("{} has no heartbeats\n", path.display()).as_bytes(), exit::OK);
    }
    // One now for all of them.
    let from = arguments.from.unwrap_or_else(|| Begin::At(SystemClock.now()));
    let mut calendars = Calendars::new(&zones);
    let mut explain = |one: &Declared| {
        // No UUID is shown, so any namespace will do.
        let declaration = one.draft.settle(one.slug.clone(), &config.defaults, Uuid::nil());
        let (explained, from) = one_of(&declaration, &mut calendars, from, usize::from(arguments.count));
        (declaration, explained, from)
    };
    let out = io::stdout().lock();
    let written = if arguments.json {
        write_json(wanted.into_iter().map(|one| explain(one).1), out)
    } else {
        let paint = Paint::on(&io::stdout());
        let tables = wanted.into_iter().map(|one| {
            let (declaration, explained, from) = explain(one);
            table(&declaration, &explained, from, &zones, paint)
        });
        write_tables(tables, out)
    };
    outcome(written, exit::OK)
}

/// Writes each as it is made, so that many are seen at once, and none is made for a reader that has gone.
fn write_tables(tables: impl Iterator<Item = String>, mut out: impl Write) -> io::Result<()> {
    for (nth, table) in tables.enumerate() {
        let gap = if nth == 0 { "" } else { "\n" };
        out.write_all(format!("{gap}{table}").as_bytes())?;
    }
    out.flush()
}

/// Likewise, as one list.
fn write_json(all: impl Iterator<Item = Explained>, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    serde_json::Serializer::pretty(&mut out).collect_seq(all)?;
    writeln!(out)?;
    out.flush()
}

/// The heartbeat of this slug, or all.
fn wanted<'c>(config: &'c Config, slug: Option<&str>, path: &Path) -> Result<Vec<&'c Declared>, String> {
    let Some(slug) = slug else { return Ok(config.heartbeats.iter().collect()) };
    if let Some(one) = config.heartbeats.iter().find(|one| one.slug.as_str() == slug) {
        return Ok(vec![one]);
    }
    let meant = closest(slug, config.heartbeats.iter().map(|one| one.slug.as_str()));
    let meant = meant.map(|meant| format!(", did you mean {meant}?")).unwrap_or_default();
    Err(format!("{} has no heartbeat {slug:?}{meant}", path.display()))
}

/// The occurrences of a heartbeat, and the instant that they begin at.
fn one_of(
    declaration: &Declaration,
    calendars: &mut Calendars<'_>,
    from: Begin,
    count: usize,
) -> (Explained, Timestamp) {
    let compiled = calendars.of(declaration);
    let zone = compiled.map_or(TimeZone::UTC, |occurrences| occurrences.zone().clone());
    let from = from.instant(&zone);
    // An interval counts from a finish; what the calendar names at the very instant is one of those "from" it.
    let by_calendar = declaration.timing.interval().is_none();
    let after = if by_calendar { from - Span::from_millis(1) } else { from };
    let occurrences = compiled.map(|compiled| following(compiled, declaration, after, count));
    let explained = Explained {
        slug: declaration.slug.to_string(),
        schedule: words(&declaration.timing),
        // A config that was read has none that cannot be compiled.
        occurrences: occurrences.unwrap_or_default(),
    };
    (explained, from)
}

fn following(
    compiled: &Occurrences,
    declaration: &Declaration,
    after: Timestamp,
    count: usize,
) -> Vec<Occurrence> {
    let next = |t: Timestamp| compiled.told_after(t, declaration.early);
    std::iter::successors(next(after), |told| next(told.at))
        .take(count)
        .map(|told| Occurrence {
            due: told.at,
            local: told.local,
            deadline: told.at + declaration.grace,
            note: (!told.notes.is_empty()).then(|| told.notes.join("; ")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::model::schedule::Zones;

    #[test]
    fn nothing_is_made_for_a_reader_that_has_gone() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut made = 0;
        let tables = (0..1_000).map(|_| {
            made += 1;
            "a table\n".to_owned()
        });
        assert_eq!(write_tables(tables, Gone).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(made, 1);
        let one = || Explained { slug: "x".repeat(100), schedule: String::new(), occurrences: Vec::new() };
        let mut made = 0;
        let all = (0..1_000).map(|_| {
            made += 1;
            one()
        });
        assert_eq!(write_json(all, Gone).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(made < 100, "{made}");
    }

    #[test]
    fn where_to_begin_is_an_instant_or_a_time_of_the_heartbeats_zone() {
        let berlin = Zones::bundled().find("Europe/Berlin").unwrap();
        for (text, instant) in [
            ("2026-10-25T01:00:00Z", "2026-10-25T01:00:00.000Z"),
            ("2026-10-25T01:00:00+02:00", "2026-10-24T23:00:00.000Z"),
            ("2026-10-25", "2026-10-24T22:00:00.000Z"),
            ("2026-10-25 01:00", "2026-10-24T23:00:00.000Z"),
            ("2026-10-25T01:00:30", "2026-10-24T23:00:30.000Z"),
            // The clock shows it twice.
            ("2026-10-25 02:30", "2026-10-25T00:30:00.000Z"),
            // The clock does not show it.
            ("2026-03-29 02:30", "2026-03-29T01:30:00.000Z"),
        ] {
            assert_eq!(begin(text).unwrap().instant(&berlin).to_string(), instant, "{text}");
        }
        for text in ["", "tomorrow", "25.10.2026", "2026-13-01", "01:00", "2026-10-25T01:00[Europe/Berlin]"] {
            assert!(begin(text).is_err(), "{text}");
        }
    }
}
