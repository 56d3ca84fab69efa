//! What a new config changes, worked off a piece a turn: first the settings, then heartbeats that got a
//! new slug, then each declaration, then whoever is no longer declared. An edit never alerts by itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use crate::machine::beat::{Beat, Standing};
use crate::machine::effect::{Effect, Tale};
use crate::machine::event::{Reload, Reply};
use crate::machine::record::{Declared, Move, Record};
use crate::machine::{Machine, TURN, Transition};
use crate::model::channel::ChannelName;
use crate::model::heartbeat::{Declaration, Declarations, Draft, Source};
use crate::model::id::Slug;
use crate::model::incident::Reason;
use crate::model::ping::Target;
use crate::model::time::Timestamp;

/// A config that is being worked off.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    heartbeats: Declarations,
    stage: Stage,
    seen: Vec<bool>,
    channels_changed: bool,
    added: usize,
    changed: usize,
    removed: usize,
}

/// Where the work stands; each number is the next place to look at.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Declare(usize),
    Sweep(u32),
}

impl Machine {
    /// Takes a config. A reload that was under way is superseded: what it has not done, this one does.
    pub(super) fn reloaded(&mut self, reload: Reload, now: Timestamp, out: &mut Transition) -> Reply {
        let Reload { settings, channels, heartbeats } = reload;
        let channels_changed = self.state.core.channels != channels;
        if self.state.core.settings != settings || self.state.core.channels != channels {
            self.commit(Record::Configured { at: now, settings: Box::new(settings), channels }, out);
            let state = &self.state;
            self.lanes
                .hurry(|name| name.as_str() != ChannelName::LOG && state.channel(name.as_str()).is_none());
        }
        self.calendars.begin_sweep();
        self.rename(&heartbeats, now, out);
        self.reload = Some(Progress {
            heartbeats,
            stage: Stage::Declare(0),
            seen: Vec::new(),
            channels_changed,
            added: 0,
            changed: 0,
            removed: 0,
        });
        self.go_on_with_reload(now, out);
        Reply::Reloading
    }

    /// Works off the next piece of a config.
    pub(super) fn go_on_with_reload(&mut self, now: Timestamp, out: &mut Transition) {
        let Some(mut progress) = self.reload.take() else { return };
        match progress.stage {
            Stage::Declare(from) => {
                let to = (from + TURN).min(progress.heartbeats.len());
                for heartbeat in &progress.heartbeats.clone()[from..to] {
                    self.declare_from_config(heartbeat, &mut progress, now, out);
                }
                let done = to == progress.heartbeats.len();
                progress.stage = if done { Stage::Sweep(0) } else { Stage::Declare(to) };
            }
            Stage::Sweep(from) => {
                let to = (from + TURN as u32).min(self.state.beats.places());
                for place in from..to {
                    self.sweep(place, &mut progress, now, out);
                }
                if to == self.state.beats.places() {
                    let Progress { added, changed, removed, .. } = progress;
                    self.calendars.end_sweep();
                    out.effects.push(Effect::Tell(Tale::Reloaded { added, changed, removed }));
                    return;
                }
                progress.stage = Stage::Sweep(to);
            }
        }
        self.reload = Some(progress);
    }

    /// The same explicit UUID under a new slug is a rename: history and incident move.
    fn rename(&mut self, heartbeats: &Declarations, now: Timestamp, out: &mut Transition) {
        let moves: Vec<Move> = heartbeats
            .iter()
            .filter(|heartbeat| heartbeat.uuid_explicit)
            .filter_map(|heartbeat| {
                let beat = self.beat(self.state.find_uuid(heartbeat.uuid)?)?;
                let from = beat.heartbeat.slug.clone();
                // One that the API made under this slug is adopted, and must not be forgotten for another.
                let adopts = self.state.find_living(&Target::Slug(heartbeat.slug.clone()));
                let adopts =
                    adopts.and_then(|place| self.beat(place)).is_some_and(|b| b.source == Source::Api);
                (from != heartbeat.slug && !adopts).then(|| Move { from, to: heartbeat.slug.clone() })
            })
            .collect();
        if moves.is_empty() {
            return;
        }
        let moving: BTreeSet<&Slug> = moves.iter().map(|m| &m.from).collect();
        for Move { to, .. } in moves.iter().filter(|m| !moving.contains(&m.to)) {
            // Another heartbeat had this slug under another UUID: it is no longer declared.
            if let Some(place) = self.state.find(to.as_str()) {
                self.remove(place, now, out);
            }
        }
        for Move { from, .. } in &moves {
            // A step of the wall clock is worked in by who is known under this name, not by who has a new one.
            if let Some(place) = self.state.find(from.as_str()) {
                self.go_along(place, now, out);
            }
        }
        self.lanes.rename(&moves);
        self.commit(Record::Renamed { at: now, moves }, out);
    }

    fn declare_from_config(
        &mut self,
        heartbeat: &Arc<Declaration>,
        progress: &mut Progress,
        now: Timestamp,
        out: &mut Transition,
    ) {
        let known = self.state.find(heartbeat.slug.as_str());
        let mut heartbeat = heartbeat.clone();
        if let Some(beat) = known.and_then(|place| self.beat(place))
            && !heartbeat.uuid_explicit
            && (beat.source == Source::Api || beat.adopted())
        {
            // Adopted from the API: its URL is in somebody's crontab already.
            let mut adopted = heartbeat.as_ref().clone();
            (adopted.uuid, adopted.uuid_explicit) = (beat.heartbeat.uuid, beat.heartbeat.uuid_explicit);
            heartbeat = Arc::new(adopted);
        }
        let lived = known.and_then(|place| self.beat(place)).is_some_and(|beat| beat.removed_at.is_none());
        let draft = known.and_then(|place| self.beat(place)).and_then(|beat| beat.draft.clone());
        let changed = self.declare(&heartbeat, Source::Config, draft, now, out);
        progress.added += usize::from(!lived);
        progress.changed += usize::from(lived && changed);
        if let Some(place) = self.state.find(heartbeat.slug.as_str()) {
            if progress.seen.len() <= place as usize {
                progress.seen.resize(place as usize + 1, false);
            }
            progress.seen[place as usize] = true;
        }
    }

    /// The declaration with a UUID that no other living heartbeat has. An API heartbeat may have been given the one
    /// that follows from another slug: it is in a crontab, so the newcomer gets another, and keeps that.
    fn with_own_uuid(&self, heartbeat: &Arc<Declaration>, out: &mut Transition) -> Arc<Declaration> {
        let known = self.state.find(heartbeat.slug.as_str()).and_then(|place| self.beat(place));
        let had = known.map(|beat| beat.heartbeat.uuid).filter(|uuid| *uuid != heartbeat.uuid);
        let holder = self.other_holder(heartbeat).filter(|holder| holder.removed_at.is_none());
        if holder.is_none() && (had.is_none() || heartbeat.uuid_explicit) {
            return heartbeat.clone();
        }
        let another = Uuid::new_v5(&heartbeat.uuid, heartbeat.slug.as_str().as_bytes());
        match holder {
            _ if had == Some(another) => {}
            None => return heartbeat.clone(),
            Some(holder) => {
                let (slug, other) = (heartbeat.slug.to_string(), holder.heartbeat.slug.to_string());
                out.effects.push(Effect::Tell(Tale::UrlTaken { slug, other }));
            }
        }
        Arc::new(Declaration { uuid: another, ..heartbeat.as_ref().clone() })
    }

    /// The heartbeat of another slug that has this one's UUID, or had it when it left.
    pub(super) fn other_holder(&self, heartbeat: &Declaration) -> Option<&Beat> {
        let holder = self.beat(self.state.find_uuid(heartbeat.uuid)?)?;
        (holder.heartbeat.slug != heartbeat.slug).then_some(holder)
    }

    /// Looks at one place after all declarations: who is not declared leaves, who was made by the API
    /// takes the defaults as they are now.
    fn sweep(&mut self, place: u32, progress: &mut Progress, now: Timestamp, out: &mut Transition) {
        self.go_along(place, now, out);
        let Some(beat) = self.beat(place) else { return };
        let seen = progress.seen.get(place as usize).copied().unwrap_or(false);
        if beat.removed_at.is_none() && !seen {
            match (beat.source, beat.draft.clone()) {
                (Source::Config, _) => {
                    self.remove(place, now, out);
                    progress.removed += 1;
                }
                (Source::Api, Some(draft)) => {
                    let slug = beat.heartbeat.slug.clone();
                    if progress.channels_changed {
                        self.tell_gone_channels(place, out);
                    }
                    let settled = self.settle(&draft, slug);
                    let changed = self.declare(&Arc::new(settled), Source::Api, Some(draft), now, out);
                    progress.changed += usize::from(changed);
                }
                (Source::Api, None) => {}
            }
        }
        if let Some(heartbeat) = self.beat(place).map(|beat| beat.heartbeat.clone()) {
            self.calendars.prepare(&heartbeat);
        }
        self.rearm(place);
    }

    pub(super) fn settle(&self, draft: &Draft, slug: Slug) -> Declaration {
        let settings = &self.state.core.settings;
        draft.settle(slug, &settings.defaults, settings.namespace)
    }

    /// Makes a heartbeat be as declared. Says whether that changed anything.
    pub(super) fn declare(
        &mut self,
        heartbeat: &Arc<Declaration>,
        source: Source,
        draft: Option<Arc<Draft>>,
        now: Timestamp,
        out: &mut Transition,
    ) -> bool {
        let heartbeat = &self.with_own_uuid(heartbeat, out);
        self.calendars.prepare(heartbeat);
        if let Some(place) = self.state.find(heartbeat.slug.as_str()) {
            self.go_along(place, now, out);
        }
        let known = self.state.find(heartbeat.slug.as_str()).and_then(|place| self.beat(place));
        let was_paused = known.is_some_and(|beat| beat.heartbeat.paused);
        let declared = match known {
            Some(beat) if beat.removed_at.is_none() => {
                if beat.heartbeat == *heartbeat && beat.source == source && beat.draft == draft {
                    return false;
                }
                self.changed(beat, heartbeat, source, draft, now)
            }
            known => Declared {
                at: now,
                source,
                heartbeat: heartbeat.clone(),
                draft,
                put_back: known.is_some(),
                due: self.first_due(known, heartbeat, now),
                run_deadlines: Vec::new(),
                cover_until: None,
            },
        };
        self.commit(Record::Declared(Box::new(declared)), out);
        if let Some(place) = self.state.find(heartbeat.slug.as_str()) {
            let paused = self.beat(place).is_some_and(|beat| beat.standing == Standing::Paused);
            if heartbeat.paused && !was_paused && !paused {
                self.pause(place, None, now, out);
            } else if !heartbeat.paused && was_paused && paused {
                self.resume(place, now, out);
            }
            self.rearm(place);
        }
        true
    }

    /// The due of a heartbeat that appears or comes back.
    fn first_due(&self, known: Option<&Beat>, heartbeat: &Declaration, now: Timestamp) -> Option<Timestamp> {
        let seen = known.is_some_and(|beat| beat.seen);
        let paused = known.is_some_and(|beat| beat.standing == Standing::Paused);
        if paused || heartbeat.await_first_ping && !seen {
            return None;
        }
        self.next_after(heartbeat, now)
    }

    /// What follows when a living heartbeat is declared otherwise. What would lie in the past counts
    /// from now instead.
    fn changed(
        &self,
        beat: &Beat,
        heartbeat: &Arc<Declaration>,
        source: Source,
        draft: Option<Arc<Draft>>,
        now: Timestamp,
    ) -> Declared {
        let before = &beat.heartbeat;
        let other_runtime = before.max_runtime != heartbeat.max_runtime;
        let end_of = |start: Timestamp| {
            let end = start + heartbeat.max_runtime;
            if end > now { end } else { now + heartbeat.max_runtime }
        };
        let run_deadlines = beat.open_runs.iter().filter(|_| other_runtime);
        let mut declared = Declared {
            at: now,
            source,
            heartbeat: heartbeat.clone(),
            draft,
            put_back: false,
            due: beat.due,
            run_deadlines: run_deadlines.map(|run| (run.id, end_of(run.started_at))).collect(),
            cover_until: beat.cover_until,
        };
        if other_runtime && let (Some(start), Some(_)) = (beat.first_start, beat.cover_until) {
            declared.cover_until = Some(end_of(start));
        }
        let awaits = heartbeat.await_first_ping && !beat.seen;
        if beat.standing == Standing::Paused || awaits {
            declared.due = None;
            return declared;
        }
        let other_grace = before.grace != heartbeat.grace;
        if !before.is_expected_as(heartbeat) || beat.due.is_none() {
            let due = self.due_after(heartbeat, beat.last_finish, beat.counted_from);
            declared.due = due.filter(|due| *due > now).or_else(|| self.next_after(heartbeat, now));
        } else if other_grace || other_runtime {
            // What a blind window moved ahead is not in the past: it still alerts, in its own time.
            let mut edited = beat.clone_for_schedule();
            (edited.heartbeat, edited.cover_until) = (heartbeat.clone(), declared.cover_until);
            if self.schedule_fires_at(&edited).is_some_and(|at| at <= now) {
                declared.due = self.next_after(heartbeat, now);
            }
        }
        declared
    }

    pub(super) fn remove(&mut self, place: u32, now: Timestamp, out: &mut Transition) {
        self.go_along(place, now, out);
        let Some(beat) = self.beat(place).filter(|beat| beat.removed_at.is_none()) else { return };
        let slug = beat.heartbeat.slug.clone();
        self.resolve(place, Reason::Removed, None, now, now, out);
        self.commit(Record::Removed { at: now, slug }, out);
        self.rearm(place);
    }

    /// Pauses a heartbeat: nothing is expected of it.
    pub(super) fn pause(
        &mut self,
        place: u32,
        until: Option<Timestamp>,
        now: Timestamp,
        out: &mut Transition,
    ) {
        self.go_along(place, now, out);
        let Some(slug) = self.beat(place).map(|beat| beat.heartbeat.slug.clone()) else { return };
        self.resolve(place, Reason::Paused, None, now, now, out);
        self.commit(Record::Paused { at: now, slug, until }, out);
        self.rearm(place);
    }

    /// Ends a pause: due counts from that instant.
    pub(super) fn resume(&mut self, place: u32, at: Timestamp, out: &mut Transition) {
        let Some(beat) = self.beat(place) else { return };
        let heartbeat = beat.heartbeat.clone();
        let awaits = heartbeat.await_first_ping && !beat.seen;
        // A pause can have ended while the heartbeat was away: put back, it counts from then.
        let due = if awaits { None } else { self.next_after(&heartbeat, beat.anchor().max(at)) };
        self.commit(Record::Resumed { at, slug: heartbeat.slug.clone(), due }, out);
        self.rearm(place);
    }
}

impl Beat {
    /// Whether the API made it and the config declares it now.
    fn adopted(&self) -> bool {
        self.source == Source::Config && self.draft.is_some()
    }
}
