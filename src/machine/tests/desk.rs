//! A machine with its clock, its journal and its config, as a test moves them.

use std::sync::Arc;

use uuid::Uuid;

use crate::machine::beat::Beat;
use crate::machine::effect::Effect;
use crate::machine::event::{Event, Reload, Reply, Request, Ticket};
use crate::machine::record::{Alerted, Record};
use crate::machine::state::State;
use crate::machine::tests::readings;
use crate::machine::view::HeartbeatView;
use crate::machine::{Machine, Transition};
use crate::model::channel::{Channel, ChannelName};
use crate::model::delivery::{Attempt, Delivery, Verdict};
use crate::model::heartbeat::{Declaration, Draft};
use crate::model::id::{Life, Slug};
use crate::model::incident::{Alert, Incident};
use crate::model::ping::{Method, Ping, PingKind, Target};
use crate::model::run::{Outcome, Run};
use crate::model::schedule::expressions::Expressions;
use crate::model::schedule::{Timing, Zones};
use crate::model::settings::Settings;
use crate::model::time::{Boot, Span, Timestamp};

/// 2026-01-01T00:00:00Z: second 0 of every test.
const EPOCH: i64 = 1_767_225_600_000;

pub(super) const MINUTE: i64 = 60;
pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 86_400;

/// So many seconds into the test.
pub(super) fn at(secs: i64) -> Timestamp {
    at_ms(secs * 1_000)
}

pub(super) fn at_ms(millis: i64) -> Timestamp {
    Timestamp::from_millis(EPOCH + millis)
}

pub(super) fn slug(text: &str) -> Slug {
    Slug::new(text).unwrap()
}

#[allow(clippy::unnecessary_wraps, reason = "pings take it so")]
pub(super) fn rid(n: u128) -> Option<Uuid> {
    Some(Uuid::from_u128(n))
}

/// A heartbeat by interval and grace, in seconds; `max_runtime` is the default: an hour at least.
pub(super) fn every(name: &str, interval: i64, grace: i64) -> Declaration {
    let mut draft = Draft::new(Timing::Interval(Span::from_secs(interval)));
    draft.rest.grace = Some(Span::from_secs(grace));
    draft.settle(slug(name), &Settings::default().defaults, Settings::default().namespace)
}

pub(super) fn cron(name: &str, expression: &str, grace: i64) -> Declaration {
    Declaration { timing: Timing::Cron(Expressions::one(expression)), ..every(name, 1, grace) }
}

pub(super) fn channel(name: &str) -> Channel {
    Channel { name: ChannelName::new(name), template: None, retry_for: Span::from_secs(DAY) }
}

/// A machine, and what a test does to it.
pub(super) struct Desk {
    pub(super) machine: Machine,
    pub(super) now: Timestamp,
    pub(super) settings: Settings,
    pub(super) channels: Vec<Channel>,
    pub(super) heartbeats: Vec<Declaration>,
    /// The journal.
    pub(super) records: Vec<Record>,
    /// Deliveries that the outside was asked to try and has not answered.
    pub(super) sent: Vec<Arc<Delivery>>,
    pub(super) effects: Vec<Effect>,
    lives: u128,
}

impl Desk {
    /// A daemon that starts for the first time at second 0.
    pub(super) fn new(heartbeats: &[Declaration]) -> Self {
        Self::booted(heartbeats, None)
    }

    fn asleep(heartbeats: &[Declaration]) -> Self {
        Self {
            machine: Machine::restore(State::default(), Zones::bundled()),
            now: at(0),
            settings: Settings::default(),
            channels: Vec::new(),
            heartbeats: heartbeats.to_vec(),
            records: Vec::new(),
            sent: Vec::new(),
            effects: Vec::new(),
            lives: 0,
        }
    }

    pub(super) fn with_channels(heartbeats: &[Declaration], names: &[&str]) -> Self {
        let mut desk = Self::new(&[]);
        desk.channels = names.iter().map(|name| channel(name)).collect();
        desk.reload(heartbeats);
        desk
    }

    /// The first life of a daemon that knows of the start of its machine.
    pub(super) fn booted(heartbeats: &[Declaration], boot: Option<Boot>) -> Self {
        let mut desk = Self::asleep(heartbeats);
        desk.begin_booted(boot);
        desk
    }

    pub(super) fn begin_booted(&mut self, boot: Option<Boot>) {
        self.wake_booted(boot);
        self.hear();
    }

    /// The process begins, and reads its config; it does not listen yet.
    pub(super) fn wake(&mut self) {
        self.wake_booted(None);
    }

    fn wake_booted(&mut self, boot: Option<Boot>) {
        self.lives += 1;
        // All low bits set: counting on from here goes down.
        let life = Life(Uuid::from_u128(self.lives << 64 | 0xFFFF));
        self.handle(Event::Began { life, version: "test".to_owned(), boot });
        self.reload_same();
    }

    /// It listens.
    pub(super) fn hear(&mut self) {
        self.handle(Event::Hearing);
        self.settle();
    }

    /// Says something now.
    pub(super) fn handle(&mut self, event: Event) -> Reply {
        let Transition { reply, records, effects } = self.machine.handle(event, self.now);
        self.records.extend(records);
        for effect in effects {
            if let Effect::Deliver(delivery) = &effect {
                self.sent.push(delivery.clone());
            }
            self.effects.push(effect);
        }
        readings::agree(&self.machine, self.now);
        reply
    }

    /// Lets time pass up to this second, waking when the machine asks for it.
    pub(super) fn wait_until(&mut self, secs: i64) {
        self.wait_until_ms(secs * 1_000);
    }

    pub(super) fn wait_until_ms(&mut self, millis: i64) {
        let until = at_ms(millis);
        assert!(until >= self.now, "tests go forwards");
        while let Some(wake) = self.machine.next_wakeup().filter(|wake| *wake <= until) {
            self.now = self.now.max(wake);
            self.handle(Event::Tick);
        }
        self.now = until;
    }

    /// Works off what is due now.
    pub(super) fn settle(&mut self) {
        while self.machine.next_wakeup().is_some_and(|wake| wake <= self.now) {
            self.handle(Event::Tick);
        }
    }

    /// Kills the process now, and starts it again at this second from the journal.
    pub(super) fn restart_at(&mut self, secs: i64) {
        self.kill();
        self.now = at(secs);
        self.begin_booted(None);
    }

    /// The process is killed: only the journal is left.
    pub(super) fn kill(&mut self) {
        self.machine = Machine::restore(self.replayed(), Zones::bundled());
        self.sent.clear();
    }

    fn replayed(&self) -> State {
        let mut state = State::default();
        for record in &self.records {
            let line = serde_json::to_string(record).unwrap();
            state.apply(&serde_json::from_str(&line).unwrap());
        }
        state
    }

    /// The journal says the same as the machine.
    pub(super) fn assert_replays(&self) {
        let (mut replayed, mut held) = (self.replayed(), self.machine.state().clone());
        replayed.go_along();
        held.go_along();
        assert_eq!(written(&replayed), written(&held), "the journal says something else");
    }

    pub(super) fn reload(&mut self, heartbeats: &[Declaration]) {
        self.heartbeats = heartbeats.to_vec();
        self.reload_same();
    }

    pub(super) fn reload_same(&mut self) {
        let mut heartbeats: Vec<Arc<Declaration>> = self.heartbeats.iter().cloned().map(Arc::new).collect();
        heartbeats.sort_by(|a, b| a.slug.cmp(&b.slug));
        let reload = Reload {
            settings: self.settings.clone(),
            channels: self.channels.clone().into(),
            heartbeats: heartbeats.into(),
        };
        self.handle(Event::Reloaded(Box::new(reload)));
        while self.machine.is_reloading() {
            self.handle(Event::Tick);
        }
    }

    pub(super) fn create(&mut self, name: &str, draft: Draft) -> Reply {
        self.handle(Event::Request(Box::new(Request::Create { slug: slug(name), draft })))
    }

    pub(super) fn ping(&mut self, name: &str, kind: PingKind) -> Reply {
        self.ping_rid(name, kind, None)
    }

    pub(super) fn ping_rid(&mut self, name: &str, kind: PingKind, rid: Option<Uuid>) -> Reply {
        let ping = self.heard(name, kind, rid);
        self.handle(Event::Ping(Box::new(ping)))
    }

    /// A ping whose head is read now.
    pub(super) fn heard(&self, name: &str, kind: PingKind, rid: Option<Uuid>) -> Ping {
        let target = Target::Slug(slug(name));
        Ping { target, at: self.now, kind, rid, method: Method::Get, from: None, body: None }
    }

    pub(super) fn wait_for_body(&mut self, ticket: u64, ping: &Ping) {
        let event = Event::Heard { ticket: Ticket(ticket), target: ping.target.clone(), at: ping.at };
        assert_eq!(self.handle(event), Reply::Done);
    }

    /// Answers everything that was sent.
    pub(super) fn answer_all(&mut self, verdict: &Verdict) {
        for delivery in std::mem::take(&mut self.sent) {
            self.answer(&delivery, verdict.clone());
        }
    }

    pub(super) fn answer(&mut self, delivery: &Delivery, verdict: Verdict) {
        self.sent.retain(|other| other.number != delivery.number);
        let attempt = Attempt { at: self.now, took: Span::ZERO, verdict };
        self.handle(Event::Attempted { number: delivery.number, attempt });
    }

    pub(super) fn beat(&self, name: &str) -> &Beat {
        let state = self.machine.state();
        state.find(name).and_then(|place| state.beats.at(place)).expect("the test declared it")
    }

    pub(super) fn status(&self, name: &str) -> &'static str {
        self.beat(name).status(self.now).word()
    }

    pub(super) fn view(&self, name: &str) -> HeartbeatView {
        self.machine.view(self.now).heartbeat(name).expect("the test declared it")
    }

    /// Outcomes of ended runs, oldest first.
    pub(super) fn outcomes(&self, name: &str) -> Vec<Outcome> {
        self.runs(name).iter().map(|run| run.outcome).collect()
    }

    pub(super) fn runs(&self, name: &str) -> Vec<Run> {
        self.beat(name).history.iter().flat_map(|history| history.runs.iter().cloned()).collect()
    }

    pub(super) fn open(&self, name: &str) -> &Incident {
        self.beat(name).incident.as_deref().expect("an incident is open")
    }

    /// The resolved incidents, oldest first.
    pub(super) fn resolved(&self, name: &str) -> Vec<Arc<Incident>> {
        self.beat(name).history.iter().flat_map(|history| history.incidents.iter().cloned()).collect()
    }

    pub(super) fn alerted(&self) -> impl Iterator<Item = &Alerted> {
        self.records.iter().filter_map(|record| {
            if let Record::Alerted(alerted) = record { Some(alerted.as_ref()) } else { None }
        })
    }

    /// What was said of a heartbeat.
    pub(super) fn alerts(&self, name: &str) -> Vec<Alert> {
        let of_it = self.alerted().filter(|a| a.slug.as_ref().is_some_and(|slug| slug.as_str() == name));
        of_it.map(|alerted| alerted.alert).collect()
    }
}

/// A state as text, heartbeat by heartbeat.
pub(super) fn written(state: &State) -> Vec<String> {
    let core = serde_json::to_string_pretty(&state.core).unwrap();
    let beats = state.beats.iter().map(|(_, beat)| serde_json::to_string_pretty(beat).unwrap());
    std::iter::once(core).chain(beats).collect()
}

pub(super) fn delivered() -> Verdict {
    Verdict::Delivered { status: Some(200) }
}

pub(super) fn failed() -> Verdict {
    Verdict::Failed { status: Some(500), error: "500".to_owned(), retry_after: None }
}
