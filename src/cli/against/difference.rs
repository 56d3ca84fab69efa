//! What a reload would change, by trying it: the same machine takes the new declarations, and both states are
//! compared. Knows heartbeats before and after, and never where they are from or how they are shown.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use crate::config::change::holds_back;
use crate::config::duration::write_span;
use crate::machine::Machine;
use crate::machine::beat::Beat;
use crate::machine::event::{Event, Reload};
use crate::machine::state::State;
use crate::model::channel::ChannelName;
use crate::model::heartbeat::{Declaration, Source, Status};
use crate::model::incident::Cause;
use crate::model::ping::Target;
use crate::model::schedule::Zones;
use crate::model::time::Timestamp;

/// What would be otherwise.
#[derive(Debug, Default, Serialize)]
pub(super) struct Difference {
    pub(super) added: Vec<Added>,
    pub(super) removed: Vec<Removed>,
    pub(super) changed: Vec<Changed>,
    /// How many stay as they are.
    pub(super) unchanged: usize,
    /// What would open, if no ping comes, no later than within the grace of its heartbeat.
    pub(super) incidents: Vec<Opening>,
    /// So many would go that the daemon waits for a word.
    pub(super) held_back: Option<HeldBack>,
}

/// How a heartbeat stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Standing {
    pub(super) status: Status,
    pub(super) due: Option<Timestamp>,
    pub(super) deadline: Option<Timestamp>,
}

/// One that would appear.
#[derive(Debug, Serialize)]
pub(super) struct Added {
    pub(super) slug: String,
    pub(super) schedule: String,
    /// Whether it was here before, and comes back with its history.
    pub(super) put_back: bool,
    #[serde(flatten)]
    pub(super) new: Standing,
}

/// One that would go.
#[derive(Debug, Serialize)]
pub(super) struct Removed {
    pub(super) slug: String,
    #[serde(flatten)]
    pub(super) old: Standing,
}

/// One that would be otherwise.
#[derive(Debug, Serialize)]
pub(super) struct Changed {
    pub(super) slug: String,
    pub(super) renamed_from: Option<String>,
    pub(super) changes: Vec<Change>,
    pub(super) old: Standing,
    pub(super) new: Standing,
}

/// A key that says something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    pub(super) key: &'static str,
    /// `None` where it is a secret, or nothing.
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
}

/// An incident that would open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Opening {
    pub(super) slug: String,
    pub(super) cause: Cause,
    pub(super) at: Timestamp,
}

/// More than half would go, and at least 5.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct HeldBack {
    pub(super) removed: usize,
    pub(super) total: usize,
}

impl Difference {
    /// Between the state as it is and the state after this reload at `now`.
    pub(super) fn of(state: State, reload: Reload, zones: &Zones, now: Timestamp) -> Self {
        let held_back = held_back(&state, &reload);
        let before = Machine::restore(state, zones.clone());
        let mut after = before.clone();
        after.handle(Event::Reloaded(Box::new(reload)), now);
        while after.is_reloading() {
            after.handle(Event::Tick, now);
        }
        let mut difference = Self { held_back, ..Self::default() };
        let both = Both { before: &before, after: &after, now };
        for new in after.state().living_after(None) {
            both.take(new, &mut difference);
        }
        for old in before.state().living_after(None) {
            let slug = &old.heartbeat.slug;
            if living(&after, slug.as_str()).is_none() && both.moved_to(old).is_none() {
                let old = both.standing(&before, old);
                difference.removed.push(Removed { slug: slug.to_string(), old });
            }
        }
        difference.incidents.sort_by(|a, b| (a.at, &a.slug).cmp(&(b.at, &b.slug)));
        difference
    }

    /// Whether nothing would change.
    pub(super) fn is_nothing(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// The same count as that of the watch over the config.
fn held_back(state: &State, reload: &Reload) -> Option<HeldBack> {
    let slugs: BTreeSet<&str> = reload.heartbeats.iter().map(|one| one.slug.as_str()).collect();
    let explicit = reload.heartbeats.iter().filter(|one| one.uuid_explicit);
    let uuids: BTreeSet<_> = explicit.map(|one| one.uuid).collect();
    let declared: Vec<&Beat> =
        state.living_after(None).filter(|beat| beat.source == Source::Config).collect();
    let stays =
        |beat: &&&Beat| slugs.contains(beat.heartbeat.slug.as_str()) || uuids.contains(&beat.heartbeat.uuid);
    let removed = declared.iter().filter(|beat| !stays(beat)).count();
    holds_back(removed, declared.len()).then_some(HeldBack { removed, total: declared.len() })
}

/// The two machines.
struct Both<'m> {
    before: &'m Machine,
    after: &'m Machine,
    now: Timestamp,
}

impl<'m> Both<'m> {
    /// Notes what is to be said of a heartbeat that lives after the reload.
    fn take(&self, new: &Beat, difference: &mut Difference) {
        let slug = new.heartbeat.slug.to_string();
        let same = living(self.before, &slug);
        let old = same.or_else(|| self.moved_from(new));
        let standing = self.standing(self.after, new);
        let Some(old) = old else {
            let schedule = new.heartbeat.timing.to_string();
            let put_back = self.before.state().find(&slug).is_some();
            difference.incidents.extend(self.opening(None, new, &standing));
            difference.added.push(Added { slug, schedule, put_back, new: standing });
            return;
        };
        let renamed_from = same.is_none().then(|| old.heartbeat.slug.to_string());
        let mut changes = changes(&old.heartbeat, &new.heartbeat);
        if old.source != new.source {
            let word = |source| match source {
                Source::Config => "config",
                Source::Api => "api",
            };
            changes.push(change("source", Some(word(old.source)), Some(word(new.source))));
        }
        if changes.is_empty() && renamed_from.is_none() {
            difference.unchanged += 1;
            return;
        }
        difference.incidents.extend(self.opening(Some(old), new, &standing));
        let old = self.standing(self.before, old);
        difference.changed.push(Changed { slug, renamed_from, changes, old, new: standing });
    }

    /// What it was called before, when the same UUID has another slug now.
    fn moved_from(&self, new: &Beat) -> Option<&'m Beat> {
        let place = self.before.state().find_living(&Target::Uuid(new.heartbeat.uuid))?;
        let old = self.before.state().beats.at(place)?;
        living(self.after, old.heartbeat.slug.as_str()).is_none().then_some(old)
    }

    fn moved_to(&self, old: &Beat) -> Option<&'m Beat> {
        let place = self.after.state().find_living(&Target::Uuid(old.heartbeat.uuid))?;
        let new = self.after.state().beats.at(place)?;
        living(self.before, new.heartbeat.slug.as_str()).is_none().then_some(new)
    }

    fn standing(&self, machine: &Machine, beat: &Beat) -> Standing {
        let shown = machine.view(self.now).heartbeat(beat.heartbeat.slug.as_str());
        Standing {
            status: beat.status(self.now),
            due: beat.due,
            deadline: shown.and_then(|shown| shown.next_deadline_at),
        }
    }

    /// The incident that opens if no ping comes within the grace from now, or that the reload itself opens.
    fn opening(&self, old: Option<&Beat>, new: &Beat, standing: &Standing) -> Option<Opening> {
        let slug = new.heartbeat.slug.to_string();
        if let Some(incident) = &new.incident
            && old.is_some_and(|old| old.incident.is_none())
        {
            return Some(Opening { slug, cause: incident.cause, at: incident.opened_at });
        }
        let soon = self.now + new.heartbeat.grace;
        let at = standing.deadline.filter(|deadline| *deadline <= soon)?;
        match standing.status {
            Status::Down | Status::Paused => return None,
            Status::New | Status::Up | Status::Late => {}
        }
        // A run's own deadline passes first where both pass together.
        let overruns = new.open_runs.iter().any(|run| run.deadline <= at);
        let by_run = overruns && new.due.is_none_or(|due| new.schedule_deadline(due) >= at);
        let cause = if by_run { Cause::Overran } else { Cause::Missed };
        Some(Opening { slug, cause, at: at.max(self.now) })
    }
}

fn living<'m>(machine: &'m Machine, slug: &str) -> Option<&'m Beat> {
    let beat = machine.state().beats.at(machine.state().find(slug)?)?;
    beat.removed_at.is_none().then_some(beat)
}

fn change<T: Into<String>>(key: &'static str, old: Option<T>, new: Option<T>) -> Change {
    Change { key, old: old.map(Into::into), new: new.map(Into::into) }
}

/// What a declaration says of a key.
type Says = fn(&Declaration) -> Option<String>;

/// The keys in which two declarations differ, as the config writes them.
fn changes(old: &Arc<Declaration>, new: &Arc<Declaration>) -> Vec<Change> {
    let all: [(&'static str, Says); 16] = [
        ("schedule", |one| Some(one.timing.to_string())),
        ("timezone", zone_of),
        ("exclude", |one| Some(list(one.exclude.iter()))),
        ("early", |one| one.early.map(write_span)),
        ("grace", |one| Some(write_span(one.grace))),
        ("max_runtime", |one| Some(write_span(one.max_runtime))),
        ("name", |one| Some(one.name.to_string())),
        ("description", |one| Some(one.description.clone())),
        ("tags", |one| Some(list(one.tags.iter().map(String::as_str)))),
        ("host", |one| one.host.clone()),
        ("channels", |one| Some(list(one.channels.iter().map(ChannelName::as_str)))),
        ("paused", |one| Some(one.paused.to_string())),
        ("await_first_ping", |one| Some(one.await_first_ping.to_string())),
        ("resume_on_ping", |one| Some(one.resume_on_ping.to_string())),
        ("methods", |one| Some(format!("{:?}", one.methods).trim_matches(['{', '}']).to_uppercase())),
        ("remind_every", |one| one.remind_every.map(write_span)),
    ];
    let mut changes: Vec<Change> = all
        .iter()
        .map(|(key, of)| Change { key, old: of(old), new: of(new) })
        .filter(|change| change.old != change.new)
        .collect();
    if old.uuid != new.uuid {
        changes.push(Change { key: "uuid", old: None, new: None });
    }
    changes
}

/// Where no calendar matters, neither does its zone.
fn zone_of(one: &Declaration) -> Option<String> {
    (one.timing.interval().is_none() || !one.exclude.is_empty()).then(|| one.timezone.to_string())
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.collect::<Vec<_>>().join(", ")
}
