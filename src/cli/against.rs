//! `overdue check --against`: what a reload of a config would change of a running daemon. Knows where the daemon's
//! state comes from and what the outcome looks like; touches nothing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::against::difference::{Added, Change, Changed, Difference, Opening, Removed, Standing};
use crate::cli::ask::{Daemon, run};
use crate::cli::check::{count, problems};
use crate::cli::paint::{Paint, plain};
use crate::cli::{complain, exit, pretty, print};
use crate::config::Config;
use crate::config::problem::{Problem, Warning};
use crate::config::secret::Secret;
use crate::engine::clock::{Clock as _, SystemClock};
use crate::machine::event::Reload;
use crate::machine::state::State;
use crate::model::ago::when;
use crate::model::heartbeat::{Status, namespace};
use crate::model::incident::Cause;
use crate::model::schedule::Zones;
use crate::model::time::Timestamp;
use crate::watch::load;

mod asked;
mod difference;

/// Nobody answers, or not what is needed.
const UNREACHABLE: u8 = 3;
/// The state folder cannot be used: `EX_CANTCREAT`, as `serve` has it.
const STATE: u8 = 73;
/// The longest text that a change is shown with.
const SHOWN: usize = 60;

/// Where the state is that a reload is tried on.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Daemon(String),
    Folder(PathBuf),
}

impl Place {
    /// An address is taken for one by its look, unless there is a folder of this name.
    fn of(text: &str) -> Self {
        let is_address = text.contains("://")
            || text.starts_with("unix:")
            || text.contains(':') && !text.contains('/') && !Path::new(text).is_dir();
        if is_address { Self::Daemon(text.to_owned()) } else { Self::Folder(text.into()) }
    }
}

/// Why it cannot be told: the exit code, and what to say.
enum Failure {
    Config(Vec<Problem>),
    Other(u8, String),
}

/// Tries the config at `path` on the state at `place`. The exit code.
pub(super) fn against(path: &Path, place: &str, json: bool) -> u8 {
    let zones = crate::daemon::zones();
    let tried = load(path, &zones).map_err(Failure::Config).and_then(|mut config| {
        let (state, reload, now) = match Place::of(place) {
            Place::Daemon(url) => asked(&url, &config)?,
            Place::Folder(folder) => peeked(&folder, &config)?,
        };
        config.warn_of_spent(&zones, now);
        Ok((config, Difference::of(state, reload, &zones, now), now))
    });
    match tried {
        Ok((config, difference, now)) => {
            let text = if json {
                let report = Report {
                    ok: true,
                    against: place,
                    now,
                    difference: &difference,
                    warnings: &config.warnings,
                };
                pretty(&report)
            } else {
                let heading = format!("{} against {place}", path.display());
                told(&plain(&heading), &difference, &config, &zones, now, Paint::on(&std::io::stdout()))
            };
            print(text.as_bytes(), exit::OK)
        }
        Err(Failure::Config(found)) => {
            let mut text = Vec::new();
            let written = problems(path, &found, json, &mut text);
            if written.is_ok() { print(&text, exit::CONFIG) } else { exit::INTERNAL }
        }
        Err(Failure::Other(code, error)) => {
            complain(&error);
            code
        }
    }
}

/// The shape for programs.
#[derive(Serialize)]
struct Report<'d> {
    ok: bool,
    against: &'d str,
    now: Timestamp,
    #[serde(flatten)]
    difference: &'d Difference,
    warnings: &'d [Warning],
}

fn peeked(folder: &Path, config: &Config) -> Result<(State, Reload, Timestamp), Failure> {
    let peeked = crate::daemon::peek(folder).map_err(|error| Failure::Other(STATE, error.to_string()))?;
    let state = peeked.state;
    let key = config.server.ping_key.as_ref().map(Secret::expose).or(peeked.ping_key.as_deref());
    let namespace = key.map_or(state.core.settings.namespace, namespace);
    let reload = Reload {
        settings: config.settings(namespace),
        channels: config.model_channels(),
        heartbeats: config.declarations(namespace).map_err(Failure::Config)?,
    };
    Ok((state, reload, SystemClock.now()))
}

fn asked(url: &str, config: &Config) -> Result<(State, Reload, Timestamp), Failure> {
    let mut asked = None;
    let code = run(async {
        let answer = match Daemon::against(url) {
            Ok(daemon) => asked::ask(&daemon, config).await,
            Err(fault) => Err(fault),
        };
        asked = Some(answer);
        exit::OK
    });
    match asked {
        Some(Ok(Ok(asked::Asked { state, reload, now }))) => Ok((state, reload, now)),
        Some(Ok(Err(problems))) => Err(Failure::Config(problems)),
        Some(Err(fault)) => Err(Failure::Other(UNREACHABLE, fault.to_string())),
        None => Err(Failure::Other(code, "it could not be asked".to_owned())),
    }
}

/// The outcome for people.
fn told(
    heading: &str,
    difference: &Difference,
    config: &Config,
    zones: &Zones,
    now: Timestamp,
    paint: Paint,
) -> String {
    let mut text = format!("{heading}: what a reload would change\n\n");
    let writer = Writer { config, zones, now, paint };
    difference.added.iter().for_each(|one| writer.added(one, &mut text));
    difference.removed.iter().for_each(|one| writer.removed(one, &mut text));
    difference.changed.iter().for_each(|one| writer.changed(one, &mut text));
    difference.incidents.iter().for_each(|one| writer.opening(one, &mut text));
    if difference.is_nothing() {
        text.push_str("nothing\n");
    }
    if let Some(held) = &difference.held_back {
        let line = format!(
            "held back: it removes {} of {} heartbeats, so the daemon waits for a SIGHUP (systemctl reload overdue)",
            held.removed, held.total
        );
        writeln!(text, "{}", paint.with("33", &line)).expect("writing to a string cannot fail");
    }
    for warning in &config.warnings {
        writeln!(text, "warning: {warning}").expect("writing to a string cannot fail");
    }
    let of = [
        format!("{} added", difference.added.len()),
        format!("{} removed", difference.removed.len()),
        format!("{} changed", difference.changed.len()),
        format!("{} unchanged", difference.unchanged),
        count(difference.incidents.len(), "incident"),
    ];
    writeln!(text, "\n{}", of.join(", ")).expect("writing to a string cannot fail");
    text
}

/// Writes what becomes of one heartbeat.
struct Writer<'w> {
    config: &'w Config,
    zones: &'w Zones,
    now: Timestamp,
    paint: Paint,
}

impl Writer<'_> {
    fn line(text: &mut String, line: &str) {
        text.push_str(line.trim_end());
        text.push('\n');
    }

    /// In the time zone that the config has for the heartbeat.
    fn at(&self, slug: &str, at: Option<Timestamp>) -> String {
        let Some(at) = at else { return "none".to_owned() };
        let heartbeats = &self.config.heartbeats;
        let place = heartbeats.binary_search_by(|one| one.slug.as_str().cmp(slug)).ok();
        let own = place.and_then(|place| heartbeats[place].draft.rest.timezone.as_deref());
        let name = own.or(self.config.defaults.timezone.as_deref()).unwrap_or("UTC");
        let zone = self.zones.find(name).unwrap_or(jiff::tz::TimeZone::UTC);
        at.to_jiff().to_zoned(zone).strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string()
    }

    fn head(&self, sign: &str, code: &str, slug: &str, rest: &str, text: &mut String) {
        let head = self.paint.with(code, &format!("{sign} {}", plain(slug)));
        Self::line(text, &format!("{head}{rest}"));
    }

    fn added(&self, one: &Added, text: &mut String) {
        let again = if one.put_back { ", with the history that it had" } else { "" };
        let rest = format!("  {}{again}", plain(&one.schedule));
        self.head("+", "32", &one.slug, &rest, text);
        self.instants(&one.slug, None, &one.new, text);
    }

    fn removed(&self, one: &Removed, text: &mut String) {
        let rest = if one.old.status == Status::Down { "  its open incident is resolved" } else { "" };
        self.head("-", "31", &one.slug, rest, text);
        self.instants(&one.slug, Some(&one.old), &Standing { due: None, deadline: None, ..one.old }, text);
    }

    fn changed(&self, one: &Changed, text: &mut String) {
        let from = one.renamed_from.as_ref().map(|from| format!("  was {}", plain(from))).unwrap_or_default();
        self.head("~", "33", &one.slug, &from, text);
        for Change { key, old, new } in &one.changes {
            let line = match (old, new) {
                (None, None) => format!("    {key} is another"),
                (old, new) => format!("    {key:11}  {} -> {}", shown(old.as_ref()), shown(new.as_ref())),
            };
            Self::line(text, &line);
        }
        self.instants(&one.slug, Some(&one.old), &one.new, text);
    }

    /// Due and deadline, before and after.
    fn instants(&self, slug: &str, old: Option<&Standing>, new: &Standing, text: &mut String) {
        for (what, before, after) in [
            ("due", old.and_then(|old| old.due), new.due),
            ("deadline", old.and_then(|old| old.deadline), new.deadline),
        ] {
            let line = match old {
                Some(_) if before == after && after.is_none() => continue,
                Some(_) if before == after => format!("{}, as before", self.at(slug, after)),
                Some(_) => format!("{} -> {}", self.at(slug, before), self.at(slug, after)),
                None => self.at(slug, after),
            };
            Self::line(text, &format!("    {what:11}  {line}"));
        }
    }

    fn opening(&self, one: &Opening, text: &mut String) {
        let what = match one.cause {
            Cause::Missed => "goes down unless it pings before",
            Cause::Failed => "is down",
            Cause::Overran => "goes down unless its run ends before",
        };
        let rest = format!("  {what}: {}, {}", self.at(&one.slug, Some(one.at)), when(one.at, self.now));
        self.head("!", "1;31", &one.slug, &rest, text);
    }
}

/// A value, cut where it is long.
fn shown(value: Option<&String>) -> String {
    let Some(value) = value else { return "none".to_owned() };
    let cut: String = value.chars().take(SHOWN).collect();
    let more = if cut.len() < value.len() { "…" } else { "" };
    if value.is_empty() { "none".to_owned() } else { format!("{}{more}", plain(&cut)) }
}
