//! `overdue check`: reads a config and says what it means, or everything that is wrong with it. Knows how a
//! person and a program want that to be written; touches no state.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use uuid::Uuid;

use crate::cli::calendars::Calendars;
use crate::config::Config;
use crate::config::duration::write_span;
use crate::config::problem::{Problem, Warning};
use crate::model::heartbeat::Declaration;
use crate::model::schedule::Zones;
use crate::model::time::Timestamp;
use crate::watch::load;

/// All well.
const OK: u8 = 0;
/// Bad config (sysexits).
const CONFIG: u8 = 78;
/// How many due times are shown.
const NEXT: usize = 3;

/// Checks the config at `path` and writes what it says to `out`. The exit code: 0, or 78 for a bad config.
///
/// # Errors
/// When `out` cannot be written to.
pub fn check(path: &Path, json: bool, zones: &Zones, now: Timestamp, out: &mut impl Write) -> io::Result<u8> {
    match load(path, zones) {
        Ok(mut config) => {
            config.warn_of_spent(zones, now);
            let heartbeats = heartbeats(&config, zones, now);
            if json {
                let report = Report { ok: true, heartbeats, warnings: &config.warnings, problems: &[] };
                write_json(&report, out)?;
            } else {
                tell(path, &config, &heartbeats, out)?;
            }
            Ok(OK)
        }
        Err(found) => {
            problems(path, &found, json, out)?;
            Ok(CONFIG)
        }
    }
}

/// Writes what is wrong with the config at `path`.
pub(super) fn problems(
    path: &Path,
    problems: &[Problem],
    json: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    if json {
        return write_json(&Report { ok: false, heartbeats: Vec::new(), warnings: &[], problems }, out);
    }
    for problem in problems {
        writeln!(out, "{problem}")?;
    }
    writeln!(out, "\n{} in {}", count(problems.len(), "problem"), path.display())
}

#[derive(Serialize)]
struct Report<'c> {
    ok: bool,
    heartbeats: Vec<Shown>,
    warnings: &'c [Warning],
    problems: &'c [Problem],
}

/// A heartbeat as it is shown.
#[derive(Serialize)]
struct Shown {
    slug: String,
    name: String,
    schedule: String,
    timezone: Option<String>,
    grace: String,
    paused: bool,
    next: Vec<Timestamp>,
    /// The same in its time zone, for people.
    #[serde(skip)]
    local: Vec<String>,
}

fn write_json(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

fn heartbeats(config: &Config, zones: &Zones, now: Timestamp) -> Vec<Shown> {
    let mut calendars = Calendars::new(zones);
    config
        .heartbeats
        .iter()
        // No UUID is shown, so any namespace will do.
        .map(|one| one.draft.settle(one.slug.clone(), &config.defaults, Uuid::nil()))
        .map(|declaration| shown(&declaration, &mut calendars, zones, now))
        .collect()
}

fn shown(declaration: &Declaration, calendars: &mut Calendars<'_>, zones: &Zones, now: Timestamp) -> Shown {
    let timezone = declaration.timing.interval().is_none().then(|| declaration.timezone.to_string());
    let mut next = Vec::with_capacity(NEXT);
    if let Some(occurrences) = calendars.of(declaration) {
        let from = |last: &Timestamp| occurrences.next_after(*last);
        next.extend(std::iter::successors(from(&now), from).take(NEXT));
    }
    let zone = timezone.as_ref().and_then(|name| zones.find(name).ok());
    let local = |instant: &Timestamp| {
        let zone = zone.clone().unwrap_or(jiff::tz::TimeZone::UTC);
        instant.to_jiff().to_zoned(zone).strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string()
    };
    Shown {
        slug: declaration.slug.to_string(),
        name: declaration.name.to_string(),
        schedule: declaration.timing.to_string(),
        local: next.iter().map(local).collect(),
        timezone,
        grace: write_span(declaration.grace),
        paused: declaration.paused,
        next,
    }
}

fn tell(path: &Path, config: &Config, heartbeats: &[Shown], out: &mut impl Write) -> io::Result<()> {
    for one in heartbeats {
        let name = if one.name == one.slug { String::new() } else { format!("  ({})", one.name) };
        let paused = if one.paused { ", paused" } else { "" };
        writeln!(out, "{}{name}", one.slug)?;
        let zone = one.timezone.as_ref().map(|zone| format!(" in {zone}")).unwrap_or_default();
        writeln!(out, "  {}{zone}, grace {}{paused}", one.schedule, one.grace)?;
        match &one.timezone {
            None => {
                // It counts from the last finish, which only the daemon knows.
                let every = one.schedule.trim_start_matches("every ");
                writeln!(out, "  due   {every} after the last finish")?;
            }
            Some(_) if one.next.is_empty() => writeln!(out, "  due   never")?,
            Some(_) => {
                for (local, utc) in one.local.iter().zip(&one.next) {
                    let utc = utc.to_jiff().strftime("%a %H:%M:%S UTC");
                    let both = if local.ends_with(" UTC") { String::new() } else { format!("  = {utc}") };
                    writeln!(out, "  due   {local}{both}")?;
                }
            }
        }
        writeln!(out)?;
    }
    for warning in &config.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    let channels = config.channels.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    writeln!(
        out,
        "{}: ok, {}, channels: {channels}, {}",
        path.display(),
        count(heartbeats.len(), "heartbeat"),
        count(config.warnings.len(), "warning"),
    )
}

pub(super) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    use serde_json::Value;

    fn run(text: &str, json: bool) -> (u8, String) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.toml");
        fs::write(&path, text).unwrap();
        let mut out = Vec::new();
        // 2026-11-22T03:00:00Z, a Sunday.
        let now = Timestamp::from_millis(1_795_316_400_000);
        let code = check(&path, json, &Zones::bundled(), now, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        (code, text.replace(home.path().to_str().unwrap(), ""))
    }

    const GOOD: &str = "[heartbeats.db]\nname = \"Backup\"\ncron = \"30 2 * * *\"\ntimezone = \"Europe/Berlin\"\n\
        [heartbeats.sync]\ninterval = \"1h30m\"\ngrace = \"0s\"\nchannels = [\"log\"]\n";

    #[test]
    fn a_good_config_is_told_with_its_next_due_times() {
        let (code, text) = run(GOOD, false);
        assert_eq!(code, 0);
        assert_eq!(
            text,
            "db  (Backup)\n  cron 30 2 * * * in Europe/Berlin, grace 1h\n\
             \x20 due   Mon 2026-11-23 02:30:00 CET  = Mon 01:30:00 UTC\n\
             \x20 due   Tue 2026-11-24 02:30:00 CET  = Tue 01:30:00 UTC\n\
             \x20 due   Wed 2026-11-25 02:30:00 CET  = Wed 01:30:00 UTC\n\n\
             sync\n  every 1h 30m, grace 0s\n  due   1h 30m after the last finish\n\n\
             warning: /config.toml:1:1: [heartbeats.db] has no channel, so its alerts go to the log only\n\
             warning: /config.toml:5:1: [heartbeats.sync] has a grace of 0, so a ping that is late by a moment is an incident\n\
             /config.toml: ok, 2 heartbeats, channels: log, 2 warnings\n"
        );
    }

    #[test]
    fn a_schedule_whose_last_time_is_past_is_warned_of() {
        let past = "[defaults]\nchannels = [\"log\"]\n[heartbeats.move]\non_calendar = \"2026-06-01\"\n\
            [heartbeats.later]\non_calendar = \"2026-12-01\"\n";
        let warning = "nothing is expected of [heartbeats.move] any more: its last time is past";
        let (code, text) = run(past, false);
        assert_eq!(code, 0);
        assert!(text.contains("  on_calendar 2026-06-01 in UTC, grace 1h\n  due   never\n"), "{text}");
        assert!(text.contains(&format!("\nwarning: /config.toml:3:13: {warning}\n")), "{text}");
        assert!(text.ends_with("1 warning\n"), "{text}");

        let (_, text) = run(past, true);
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["warnings"].as_array().map(Vec::len), Some(1), "{text}");
        assert_eq!(json["warnings"][0]["what"], warning);
    }

    #[test]
    fn a_bad_config_gives_every_problem_and_78() {
        let (code, text) = run("[heartbeats.db]\nintervall = \"1h\"\n[server]\nlisten = 8080\n", false);
        assert_eq!(code, 78);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("/config.toml:1:1: [heartbeats.db] has no schedule"), "{text}");
        assert!(lines[1].ends_with("did you mean \"interval\"?"), "{text}");
        assert_eq!(lines.last(), Some(&"3 problems in /config.toml"));
    }

    #[test]
    fn programs_get_json_for_good_and_bad() {
        let (code, text) = run(GOOD, true);
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((code, &json["ok"]), (0, &Value::Bool(true)));
        let db = &json["heartbeats"][0];
        assert_eq!((db["slug"].as_str(), db["name"].as_str()), (Some("db"), Some("Backup")));
        assert_eq!((db["timezone"].as_str(), db["grace"].as_str()), (Some("Europe/Berlin"), Some("1h")));
        assert_eq!(db["next"][0], "2026-11-23T01:30:00.000Z");
        assert_eq!(db["next"].as_array().map(Vec::len), Some(3));
        assert_eq!(json["heartbeats"][1]["timezone"], Value::Null);
        assert_eq!(json["warnings"].as_array().map(Vec::len), Some(2));

        let (code, text) = run("[heartbeats.db]\nintervall = \"1h\"\n", true);
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((code, &json["ok"]), (78, &Value::Bool(false)));
        let problem = &json["problems"][1];
        assert_eq!((problem["line"].as_u64(), problem["column"].as_u64()), (Some(2), Some(1)));
        assert_eq!(problem["meant"], "\"interval\"");
        assert_eq!(problem["file"], "/config.toml");
    }
}
