//! A world in virtual time around the machine: a clock, a journal of which only a synced part is sure,
//! receivers, crashes. It drives the machine as the engine does, and a model beside it, and never lets an
//! effect out before its records are synced. Its journal is the real store on a disk that forgets, or, where
//! worlds are walked by the thousand, only a list of which whole batches are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use overdue::machine::Machine;
use overdue::machine::effect::Effect;
use overdue::machine::event::{Event, Request, Ticket};
use overdue::machine::record::Record;
use overdue::machine::state::State;
use overdue::model::channel::ChannelName;
use overdue::model::delivery::{Attempt, Delivery, Verdict};
use overdue::model::heartbeat::{Declaration, Draft};
use overdue::model::id::{DeliveryId, Slug};
use overdue::model::incident::{Alert as Told, BlindWindow, Blindness};
use overdue::model::ping::{Method, Ping, PingKind, Target};
use overdue::model::schedule::expressions::Expressions;
use overdue::model::schedule::{Timing as When, Zones};
use overdue::model::settings::Settings;
use overdue::model::time::{Span, Step, Timestamp};
use uuid::Uuid;

use crate::calendar::{Calendar, Written};
use crate::disk::{Disk, Seen, replay};
use crate::ears::Ears;
use crate::model::{Alert, Model};
use crate::rules::{Ms, Rules, Says, Timing};

mod lives;

/// 2026-01-01T00:00:00Z: instant 0 of every world.
pub(crate) const EPOCH: Ms = 1_767_225_600_000;
/// Deliveries of one channel under way at the most.
const PLACES: usize = 8;
/// More deliveries than ever wait in a world.
const OUTBOX: usize = 500;

pub(crate) fn at(ms: Ms) -> Timestamp {
    Timestamp::from_millis(EPOCH + ms)
}

pub(crate) fn ms(at: Timestamp) -> Ms {
    at.as_millis() - EPOCH
}

/// What is written but not yet sure.
#[derive(Clone)]
struct Batch {
    records: usize,
    models: Vec<Option<Model>>,
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) machine: Machine,
    pub(crate) now: Ms,
    pub(crate) hearing: bool,
    /// The config: each heartbeat that is declared, by its number.
    pub(crate) rules: Vec<Option<Rules>>,
    pub(crate) models: Vec<Option<Model>>,
    pub(crate) records: Vec<Arc<Record>>,
    /// What the records say was told, by heartbeat.
    pub(crate) alerts: Vec<Vec<Alert>>,
    synced: Batch,
    /// What the journal tells up to a record, so that a death needs not read all of it again.
    checkpoint: (usize, State),
    unsynced: Vec<Batch>,
    /// After each step since the last sync: instants to which the models can be put back.
    steps: Vec<Batch>,
    disk: Option<Disk>,
    held: Vec<Effect>,
    /// What the journal says of when it could hear.
    ears: Arc<Ears>,
    /// How much the wall clock shows more than real time, whether the journal knows it or not.
    pub(crate) set: Ms,
    /// The start of the machine.
    boot: u128,
    began: Ms,
    /// Attempts that a receiver has not answered.
    pub(crate) in_flight: Vec<Arc<Delivery>>,
    /// What left, by the number of the delivery: one id for ever.
    left: BTreeMap<u64, DeliveryId>,
    pub(crate) received: BTreeSet<u64>,
    pub(crate) channels: Vec<&'static str>,
    lives: u128,
    tickets: u64,
}

impl World {
    /// A daemon that starts for the first time, with a mere list for a journal.
    pub(crate) fn new(rules: &[Rules], channels: &[&'static str]) -> Self {
        Self::first_life(rules, channels, None)
    }

    /// The same with the real store, on a disk of which the seed decides what it forgets.
    pub(crate) fn on_disk(rules: &[Rules], channels: &[&'static str], seed: u64) -> Self {
        Self::first_life(rules, channels, Some(Disk::new(seed)))
    }

    fn first_life(rules: &[Rules], channels: &[&'static str], disk: Option<Disk>) -> Self {
        let models: Vec<Option<Model>> = rules.iter().map(|_| None).collect();
        let mut world = Self {
            machine: Machine::restore(State::default(), Zones::bundled()),
            now: 0,
            hearing: false,
            rules: rules.iter().copied().map(Some).collect(),
            synced: Batch { records: 0, models: models.clone() },
            checkpoint: (0, State::default()),
            models,
            records: Vec::new(),
            alerts: vec![Vec::new(); rules.len()],
            unsynced: Vec::new(),
            steps: Vec::new(),
            disk,
            held: Vec::new(),
            ears: Arc::default(),
            set: 0,
            boot: 1,
            began: 0,
            in_flight: Vec::new(),
            left: BTreeMap::new(),
            received: BTreeSet::new(),
            channels: channels.to_vec(),
            lives: 0,
            tickets: 0,
        };
        world.begin();
        world.hear();
        world.sync();
        world
    }

    pub(crate) fn handle(&mut self, event: Event) {
        let transition = self.machine.handle(event, at(self.now));
        for record in transition.records {
            self.tell(&record);
            self.records.push(Arc::new(record));
        }
        transition.effects.iter().for_each(|effect| self.check_order(effect));
        self.held.extend(transition.effects);
    }

    /// What was written until here stands or falls together.
    pub(crate) fn written(&mut self) {
        self.unsynced.push(self.present());
    }

    /// What the last step did is all done: after a crash the models can go on from here.
    pub(crate) fn stepped(&mut self) {
        if self.disk.is_some() {
            self.steps.push(self.present());
        }
    }

    fn present(&self) -> Batch {
        Batch { records: self.records.len(), models: self.models.clone() }
    }

    /// Where the batches end that are not synced; the last one is still gathering.
    fn ends(&self) -> Vec<usize> {
        let mut ends: Vec<usize> = self.unsynced.iter().map(|batch| batch.records).collect();
        ends.push(self.records.len());
        ends.dedup();
        ends.retain(|end| *end > self.synced.records);
        ends
    }

    /// The disk has it all: what was held leaves.
    pub(crate) fn sync(&mut self) {
        let ends = self.ends();
        if let Some(disk) = &mut self.disk {
            disk.sync(&self.records, &ends, self.machine.state());
        }
        self.synced = self.present();
        if self.disk.is_none() {
            let (told, state) = &mut self.checkpoint;
            for record in &self.records[*told..] {
                state.apply(record);
            }
            *told = self.records.len();
        }
        self.unsynced.clear();
        self.steps.clear();
        for effect in std::mem::take(&mut self.held) {
            match effect {
                Effect::Deliver(delivery) => self.leaves(delivery),
                Effect::Tell(_) => {}
            }
        }
    }

    fn leaves(&mut self, delivery: Arc<Delivery>) {
        let id = *self.left.entry(delivery.number).or_insert(delivery.id);
        assert_eq!(id, delivery.id, "one delivery has one id, over restarts");
        let others = self.in_flight.iter().filter(|other| other.channel == delivery.channel);
        assert!(others.clone().count() < PLACES, "at most eight of a channel");
        for other in others {
            assert_ne!(other.slug, delivery.slug, "one at a time of a heartbeat and channel");
        }
        self.in_flight.push(delivery);
    }

    /// Of those that wait when one is sent, it is the first. Somebody may want an older one again before it leaves.
    fn check_order(&self, effect: &Effect) {
        let Effect::Deliver(delivery) = effect else { return };
        for earlier in self.left.range(..delivery.number).rev().take(OUTBOX).map(|(number, _)| number) {
            let waits = self.machine.state().core.outbox.get(earlier);
            let same = waits.is_some_and(|e| e.slug == delivery.slug && e.channel == delivery.channel);
            assert!(!same, "none overtakes an earlier one");
        }
    }

    pub(crate) fn answer(&mut self, index: usize, verdict: Verdict) {
        let delivery = self.in_flight.remove(index);
        if matches!(verdict, Verdict::Delivered { .. }) {
            self.received.insert(delivery.number);
        }
        let attempt = Attempt { at: at(self.now), took: Span::ZERO, verdict };
        self.handle(Event::Attempted { number: delivery.number, attempt });
    }

    /// Time passes; the machine is woken when it asks for it.
    pub(crate) fn pass(&mut self, to: Ms) {
        self.models.iter_mut().flatten().for_each(|model| model.now = self.now);
        while let Some(wake) = self.machine.next_wakeup().filter(|wake| *wake <= at(to)) {
            self.now = self.now.max(ms(wake));
            self.handle(Event::Tick);
        }
        self.now = to;
        if self.hearing {
            self.models.iter_mut().flatten().for_each(|model| model.pass(to));
        }
    }

    /// The loop does not turn for a while.
    pub(crate) fn stall(&mut self, lasts: Ms) {
        let from = self.now;
        self.now += lasts;
        if lasts > 2_000 {
            let window = BlindWindow { from: at(from), to: at(self.now), why: Blindness::Stalled };
            self.blind(from, self.now);
            self.handle(Event::Blind(window));
        }
        self.pass(self.now);
    }

    fn blind(&mut self, from: Ms, to: Ms) {
        Arc::make_mut(&mut self.ears).blind(from, to);
        self.models.iter_mut().flatten().for_each(|model| model.ears = self.ears.clone());
    }

    /// Somebody sets the wall clock while the daemon runs.
    pub(crate) fn step(&mut self, by: Ms) {
        self.pass(self.now);
        self.set += by;
        self.know_step(by);
        self.handle(Event::Stepped(Step::from_millis(by)));
        self.pass(self.now);
    }

    /// Somebody sets it, and the daemon does not see that.
    pub(crate) fn step_unseen(&mut self, by: Ms, reboot: bool) {
        self.set += by;
        self.now += by;
        self.boot += u128::from(reboot);
    }

    /// The clock shows `now`, and did so before it was set.
    fn know_step(&mut self, by: Ms) {
        Arc::make_mut(&mut self.ears).step(by, self.now);
        self.models.iter_mut().flatten().for_each(|model| {
            model.now = self.now;
            model.step(by, &self.ears);
        });
        self.now += by;
    }

    pub(crate) fn want(&mut self, request: Request) {
        self.handle(Event::Request(Box::new(request)));
    }

    pub(crate) fn pause(&mut self, number: usize, lasts: Option<Ms>) {
        let span = lasts.map(Span::from_millis);
        self.want(Request::Pause { target: Target::Slug(slug_of(number)), span });
        if let Some(model) = self.models[number].as_mut().filter(|model| !model.is_removed()) {
            model.pause(self.now, lasts.map(|lasts| self.now + lasts));
        }
    }

    pub(crate) fn resume(&mut self, number: usize) {
        self.want(Request::Resume { target: Target::Slug(slug_of(number)) });
        if let Some(model) = self.models[number].as_mut().filter(|model| !model.is_removed()) {
            model.resume(self.now);
        }
    }

    pub(crate) fn ping(&mut self, number: usize, says: Says, rid: Option<u8>) {
        let ping = self.heard(number, says, rid);
        self.hand_over(number, says, rid, ping);
    }

    /// A ping whose body takes its time.
    pub(crate) fn slow_ping(&mut self, number: usize, says: Says, rid: Option<u8>, takes: Ms) {
        let ping = self.heard(number, says, rid);
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.handle(Event::Heard { ticket, target: ping.target.clone(), at: ping.at });
        let heard = self.now;
        if let Some(model) = &mut self.models[number] {
            model.heard = Some(heard);
        }
        self.pass(self.now + takes);
        self.hand_over(number, says, rid, ping);
        self.handle(Event::Unheard { ticket });
        if let Some(model) = &mut self.models[number] {
            model.heard = None;
        }
        self.pass(self.now);
    }

    fn heard(&self, number: usize, says: Says, rid: Option<u8>) -> Ping {
        let kind = match says {
            Says::Success => PingKind::Success,
            Says::Start => PingKind::Start,
            Says::Fail => PingKind::Fail,
            Says::Exit(code) => PingKind::Exit(code),
            Says::Log => PingKind::Log,
        };
        let target = Target::Uuid(uuid_of(number));
        let rid = rid.map(|rid| Uuid::from_u128(u128::from(rid)));
        Ping { target, at: at(self.now), kind, rid, method: Method::Get, from: None, body: None }
    }

    fn hand_over(&mut self, number: usize, says: Says, rid: Option<u8>, ping: Ping) {
        let heard = ms(ping.at);
        if let Some(model) = &mut self.models[number] {
            model.ping(says, rid, heard);
        }
        self.handle(Event::Ping(Box::new(ping)));
    }

    /// What the disk went through.
    pub(crate) fn seen(&self) -> Seen {
        self.disk.as_ref().map(|disk| disk.seen).unwrap_or_default()
    }

    /// The state that the journal tells.
    pub(crate) fn replayed(&self) -> State {
        replay(&self.records)
    }

    /// Takes down what a record says was told.
    fn tell(&mut self, record: &Record) {
        let Record::Alerted(alerted) = record else { return };
        if alerted.slug.is_none() {
            return;
        }
        let number = (0..self.alerts.len()).find(|number| alerted.slug == Some(slug_of(*number)));
        self.alerts[number.expect("it speaks of one of ours")].push(match alerted.alert {
            Told::Opened => Alert::Opened,
            Told::Reminder => Alert::Reminder,
            Told::Resolved | Told::Test => Alert::Resolved,
        });
    }
}

pub(crate) fn slug_of(number: usize) -> Slug {
    Slug::new(&format!("job-{number}")).expect("it has the shape")
}

pub(crate) fn uuid_of(number: usize) -> Uuid {
    Uuid::from_u128(1 << 100 | number as u128)
}

fn declaration(number: usize, rules: &Rules, channels: &[&str]) -> Declaration {
    let timing = match rules.timing {
        Timing::Interval(every) => When::Interval(Span::from_millis(every)),
        Timing::Calendar(Calendar { timing: Written::Cron(text), .. }) => When::Cron(Expressions::one(text)),
        Timing::Calendar(Calendar { timing: Written::OnCalendar(text), .. }) => {
            When::OnCalendar(Expressions::one(text))
        }
        Timing::Minutes(n) => When::Cron(Expressions::one(&format!("*/{n} * * * *"))),
    };
    let mut draft = Draft::new(timing);
    draft.uuid = Some(uuid_of(number));
    if let Timing::Calendar(calendar) = rules.timing {
        draft.rest.timezone = Some(calendar.zone.to_owned());
        draft.rest.exclude = Some(Expressions::new(calendar.exclude.iter().copied()));
    }
    draft.rest.grace = Some(Span::from_millis(rules.grace));
    draft.rest.max_runtime = Some(Span::from_millis(rules.max_runtime));
    draft.rest.paused = Some(rules.paused);
    draft.rest.await_first_ping = Some(rules.await_first_ping);
    draft.rest.resume_on_ping = Some(rules.resume_on_ping);
    draft.rest.remind_every = rules.remind_every.map(Span::from_millis);
    draft.rest.channels = Some(channels.iter().map(|name| ChannelName::new(name)).collect());
    draft.settle(slug_of(number), &Settings::default().defaults, Settings::default().namespace)
}
