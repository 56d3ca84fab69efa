//! Floor 1: decisions, as a pure function of state, event and now. The machine never knows async, disks,
//! sockets or TOML; everything it needs comes with an event, everything it wants leaves as a record
//! (a fact for the journal) or an effect (a nudge to the outside).
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::machine::beat::Beat;
use crate::machine::calendars::Calendars;
use crate::machine::delivery::Lanes;
use crate::machine::effect::Effect;
use crate::machine::event::{Event, Reply, Ticket};
use crate::machine::record::Record;
use crate::machine::reload::Progress;
use crate::machine::state::State;
use crate::machine::wheel::Wheel;
use crate::model::heartbeat::Declaration;
use crate::model::id::Life;
use crate::model::incident::{BlindWindow, Blindness};
use crate::model::ping::Target;
use crate::model::schedule::Zones;
use crate::model::time::{Boot, Step, Timestamp};

pub mod apply;
pub mod beat;
pub mod beats;
pub mod blind;
mod bodies;
mod calendars;
pub mod days;
mod deadline;
pub mod delivery;
pub mod effect;
pub mod event;
mod incident;
pub mod incidents;
mod index;
pub mod news;
pub mod payload;
mod ping;
pub mod record;
mod reload;
pub mod request;
pub mod state;
mod step;
mod summary;
pub mod view;
pub mod wheel;

#[cfg(test)]
mod tests;

/// Heartbeats that one turn works off at the most.
const TURN: usize = 1_000;

/// The decider. Its only lasting part is the [`State`]; the rest is derived from it again at a start.
#[derive(Debug, Clone)]
pub struct Machine {
    state: State,
    /// One timer per heartbeat: the first instant at which something passes, on the steady clock, so that steps
    /// of the wall clock leave it as it is.
    wheel: Wheel,
    lanes: Lanes,
    calendars: Calendars,
    /// Pings whose head was read and whose body is on its way.
    waiting: Waiting,
    life: Life,
    issued: u64,
    /// Whether pings can be heard; until then no deadline fires.
    hearing: bool,
    /// Since when this life has been deaf, until it hears. `None` in the very first life: nobody can have
    /// pinged before it.
    deaf_since: Option<Timestamp>,
    /// When this life began.
    began_at: Option<Timestamp>,
    reload: Option<Progress>,
    /// The next place that has to go along with a step of the wall clock.
    behind: Option<u32>,
}

/// What a decision amounts to.
#[derive(Debug, Default)]
pub struct Transition {
    /// For whoever sent the event.
    pub reply: Reply,
    /// Facts to be written before anything leaves.
    pub records: Vec<Record>,
    /// Nudges to be released once the records are written.
    pub effects: Vec<Effect>,
}

/// Pings heard but not yet handed over, by heartbeat.
#[derive(Debug, Clone, Default)]
struct Waiting {
    by_place: BTreeSet<(u32, Timestamp, Ticket)>,
    by_ticket: BTreeMap<Ticket, (u32, Timestamp)>,
}

impl Waiting {
    /// The wall clock was set.
    fn go_along(&mut self, by: Step) {
        for (_, at) in self.by_ticket.values_mut() {
            *at = *at + by;
        }
        self.by_place = self.by_ticket.iter().map(|(ticket, (place, at))| (*place, *at, *ticket)).collect();
    }

    fn earliest(&self, place: u32) -> Option<Timestamp> {
        let from = (place, Timestamp::MIN, Ticket(0));
        self.by_place.range(from..).next().filter(|(p, ..)| *p == place).map(|(_, at, _)| *at)
    }
}

impl Machine {
    /// From a recovered state. What waits in the outbox is due at once.
    pub fn restore(state: State, zones: Zones) -> Self {
        let mut machine = Self {
            wheel: Wheel::new(state.core.hearing.steady(state.core.alive.unwrap_or(Timestamp::MIN))),
            lanes: Lanes::restore(&state.core.outbox),
            state,
            calendars: Calendars::new(zones),
            waiting: Waiting::default(),
            life: Life(Uuid::nil()),
            issued: 0,
            hearing: false,
            deaf_since: None,
            began_at: None,
            reload: None,
            behind: None,
        };
        let stepped = machine.state.core.hearing.stepped();
        for place in 0..machine.state.beats.places() {
            if let Some(beat) = machine.state.beats.at(place) {
                if beat.stepped != stepped {
                    machine.behind = Some(0);
                }
                machine.calendars.prepare(&beat.heartbeat);
                machine.rearm(place);
            }
        }
        machine
    }

    /// What is true now.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The next instant at which [`Event::Tick`] has something to do; in the past when it has now.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        if self.reload.is_some() || self.behind.is_some() {
            return Some(Timestamp::MIN);
        }
        let deadline = self.wheel.next_due().filter(|_| self.hearing);
        let steady = [deadline, self.lanes.next_due()].into_iter().flatten().min();
        steady.map(|steady| self.state.core.hearing.wall(steady))
    }

    /// Decides what an event means, and makes it true.
    pub fn handle(&mut self, event: Event, now: Timestamp) -> Transition {
        let mut out = Transition::default();
        self.decide(event, now, &mut out);
        out
    }

    /// The same into an empty transition, whose room can be used again.
    pub fn decide(&mut self, event: Event, now: Timestamp, out: &mut Transition) {
        out.reply = match event {
            Event::Began { life, version, boot } => self.began(life, version, boot, now, out),
            Event::Hearing => {
                self.hearing = true;
                if let Some(from) = self.deaf_since.take() {
                    self.was_deaf(from, now, out);
                }
                if self.state.core.deaf {
                    self.commit(Record::Alive { at: now }, out);
                }
                Reply::Done
            }
            Event::Heard { ticket, target, at } => self.heard(ticket, &target, at),
            Event::Unheard { ticket } => self.unheard(ticket),
            Event::Ping(ping) => self.ping(&ping, now, out),
            Event::Reloaded(reload) => self.reloaded(*reload, now, out),
            Event::Request(request) => self.request(*request, now, out),
            Event::Attempted { number, attempt } => self.attempted(number, attempt, now, out),
            Event::Blind(window) => {
                // Deaf as it is, the window that ends with its first ear covers this one.
                if self.hearing {
                    self.commit(Record::Blind { at: now, window }, out);
                }
                Reply::Done
            }
            Event::Stepped(by) => {
                self.stepped(by, now, out);
                self.go_on_with_step(now, out);
                Reply::Done
            }
            Event::Tick => {
                self.go_on_with_step(now, out);
                self.go_on_with_reload(now, out);
                self.pass_deadlines(now, out);
                Reply::Done
            }
            Event::Alive => {
                // The mark says since when it is blind, should it die now: deaf, it says nothing.
                if self.hearing {
                    self.commit(Record::Alive { at: now }, out);
                }
                Reply::Done
            }
            Event::Stopping => {
                self.hearing = false;
                self.commit(Record::Stopped { at: now }, out);
                Reply::Done
            }
        };
        self.dispatch(now, out);
    }

    /// Whether a config is still being worked off.
    pub fn is_reloading(&self) -> bool {
        self.reload.is_some()
    }

    fn commit(&mut self, record: Record, out: &mut Transition) {
        self.state.apply(&record);
        out.records.push(record);
    }

    /// The id of something new. Never the same twice, whatever was lost with a failed disk.
    fn fresh_id(&mut self) -> Uuid {
        self.issued += 1;
        self.life.id(self.issued)
    }

    fn began(
        &mut self,
        life: Life,
        version: String,
        boot: Option<Boot>,
        now: Timestamp,
        out: &mut Transition,
    ) -> Reply {
        self.life = life;
        self.issued = 0;
        self.began_at = Some(now);
        if let Some(last_mark) = self.state.core.alive {
            let step = self.stepped_meanwhile(last_mark, boot, now);
            self.deaf_since = Some(now - step);
            self.was_deaf(last_mark, now - step, out);
            self.stepped(step, now, out);
        }
        self.commit(Record::Began { at: now, life, version, boot }, out);
        Reply::Done
    }

    fn was_deaf(&mut self, from: Timestamp, to: Timestamp, out: &mut Transition) {
        if from < to {
            let window = BlindWindow { from, to, why: Blindness::NotRunning };
            self.commit(Record::Blind { at: to, window }, out);
        }
    }

    fn heard(&mut self, ticket: Ticket, target: &Target, at: Timestamp) -> Reply {
        let Some(place) = self.state.find_living(target) else { return Reply::Unknown };
        self.waiting.by_place.insert((place, at, ticket));
        self.waiting.by_ticket.insert(ticket, (place, at));
        self.rearm(place);
        Reply::Done
    }

    fn unheard(&mut self, ticket: Ticket) -> Reply {
        if let Some((place, at)) = self.waiting.by_ticket.remove(&ticket) {
            self.waiting.by_place.remove(&(place, at, ticket));
            self.rearm(place);
        }
        Reply::Done
    }

    /// The first occurrence strictly after `t`.
    fn next_after(&self, heartbeat: &Declaration, t: Timestamp) -> Option<Timestamp> {
        match self.calendars.of(heartbeat) {
            Some(calendar) => calendar.next_after(t),
            None => heartbeat.timing.interval().map(|every| t + every),
        }
    }

    /// The due of a heartbeat that counts from its last finish, or from a later instant at which it was declared,
    /// resumed or put back.
    fn due_after(
        &self,
        heartbeat: &Declaration,
        finish: Option<Timestamp>,
        counted_from: Timestamp,
    ) -> Option<Timestamp> {
        match (finish.filter(|finish| *finish >= counted_from), self.calendars.of(heartbeat)) {
            (Some(finish), Some(calendar)) => calendar.due_after_finish(finish, heartbeat.early),
            (finish, _) => self.next_after(heartbeat, finish.unwrap_or(counted_from)),
        }
    }

    fn beat(&self, place: u32) -> Option<&Beat> {
        self.state.beats.at(place)
    }
}
