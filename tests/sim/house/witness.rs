//! Whoever stands beside the house and notes what was sent, what was answered and what arrived. It believes nothing
//! that the house says of itself: what was answered 200 must be on the disk then, and be found after every death.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use overdue::engine::handle::Refused;
use overdue::machine::beat::{Beat, Standing};
use overdue::machine::event::Reply;
use overdue::machine::request::TESTS_MAX;
use overdue::machine::state::State;
use overdue::model::channel::ChannelName;
use overdue::model::id::Slug;
use overdue::model::incident::Alert;
use overdue::model::ping::PingKind;

use crate::house::duty::Duty;
use crate::house::made::Made;
use crate::house::mail::Mail;
use crate::house::reminders::Reminders;
use crate::house::seen::Seen;
use crate::house::shadow::Shadow;
use crate::house::silence::Silences;
use crate::rules::Ms;
use crate::world::uuid_of;

/// A ping that was sent; its mark, by which it is known again, is its place among all of them, from 1.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) job: usize,
    pub(crate) kind: PingKind,
    /// When its head was read: in real time, and by the wall clock.
    pub(crate) real: Ms,
    pub(crate) wall: Ms,
    /// Whether its body is still on its way.
    pub(crate) on_its_way: bool,
    pub(crate) answered: bool,
    /// The record that tells of it.
    pub(crate) seq: Option<u64>,
}

/// A step of the wall clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Set {
    pub(crate) real: Ms,
    pub(crate) by: Ms,
    /// Whether a daemon can find out how far it was.
    pub(crate) known: bool,
}

/// An incident that the journal or a snapshot tells of.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    /// The record that tells of it first.
    pub(crate) seq: u64,
    /// When it began, by the wall clock.
    pub(crate) at: Ms,
    /// Who is told of it.
    pub(crate) channels: Vec<ChannelName>,
}

/// What was declared of a job, in order; nothing while it was not in the config.
pub(crate) type Declared = Vec<(Ms, Option<Duty>)>;

pub(crate) struct Witness {
    pub(crate) shadow: Shadow,
    pub(crate) pings: Vec<Sent>,
    pub(crate) declared: Vec<Declared>,
    /// Jobs that somebody paused by the API.
    pub(crate) paused: BTreeSet<usize>,
    /// Whether a job is paused, where that was answered 200 and nothing has been said since.
    pub(crate) kept: BTreeMap<usize, bool>,
    pub(crate) steps: Vec<Set>,
    /// When nothing could be heard, in real time.
    pub(crate) deaf: Vec<(Ms, Ms)>,
    pub(crate) mail: Mail,
    pub(crate) seen: Seen,
    pub(crate) keep_runs: usize,
    pub(crate) incidents: BTreeMap<uuid::Uuid, Opened>,
    pub(crate) silences: Silences,
    pub(crate) reminders: Reminders,
    /// Since when the next start may say at the earliest that nothing was heard.
    pub(crate) heard_until: Option<Ms>,
    pub(crate) made: Made,
    /// The slugs that the config has for its jobs.
    pub(crate) names: Vec<Slug>,
    /// The channels that were declared, in order.
    pub(crate) channels: Vec<(Ms, Vec<&'static str>)>,
    /// The channels in force, unless a config is on its way.
    pub(crate) in_force: Option<Vec<&'static str>>,
    digest: u64,
}

/// The witness, whom everybody tells. All on one thread.
#[derive(Clone)]
pub(crate) struct Told(Arc<Mutex<Witness>>);

impl Told {
    pub(crate) fn new(jobs: usize, keep_runs: u32) -> Self {
        Self(Arc::new(Mutex::new(Witness {
            shadow: Shadow::new(),
            pings: Vec::new(),
            declared: vec![Vec::new(); jobs],
            paused: BTreeSet::new(),
            kept: BTreeMap::new(),
            steps: Vec::new(),
            deaf: Vec::new(),
            mail: Mail::default(),
            seen: Seen::default(),
            keep_runs: keep_runs as usize,
            incidents: BTreeMap::new(),
            silences: Silences::new(jobs),
            reminders: Reminders::default(),
            heard_until: None,
            made: Made::default(),
            names: Vec::new(),
            channels: Vec::new(),
            in_force: None,
            digest: 0,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Witness> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn saw(&self, what: &'static str) {
        self.lock().seen.saw(what);
    }
}

impl Witness {
    /// Notes something for the digest of all that happened.
    pub(crate) fn note(&mut self, words: &[u64]) {
        for word in words {
            let mixed = (self.digest ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            self.digest = mixed ^ (mixed >> 29);
        }
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// A ping is sent. Gives its mark.
    pub(crate) fn sends(&mut self, sent: Sent) -> u64 {
        self.pings.push(sent);
        self.pings.len() as u64
    }

    /// A ping was answered, or never will be.
    pub(crate) fn answered(&mut self, mark: u64, answer: Option<&Result<Reply, Refused>>, now: Ms) {
        let code = match answer {
            None => 0,
            Some(Ok(reply)) => 1 + u64::from(*reply == Reply::Taken),
            Some(Err(refused)) => 3 + *refused as u64,
        };
        self.note(&[mark, code, now as u64]);
        let sure = self.shadow.sure;
        let sent = &mut self.pings[mark as usize - 1];
        sent.on_its_way = false;
        match answer {
            Some(Ok(Reply::Taken)) => {
                let on_disk = sent.seq.is_some_and(|seq| seq <= sure);
                assert!(
                    on_disk,
                    "ping {mark} was answered 200 before the disk had it: {sent:?}, sure to {sure}"
                );
                sent.answered = true;
                let sent = sent.clone();
                assert!(!self.was_there(&sent, false), "it was taken, and nobody was there: {sent:?}");
                self.seen.saw("pings answered 200");
            }
            Some(Ok(Reply::Unknown)) => {
                let sent = sent.clone();
                assert!(!self.was_there(&sent, true), "nobody knows it, and it was there: {sent:?}");
                self.seen.saw("pings answered 404");
            }
            Some(Ok(other)) => panic!("a ping is answered {other:?}"),
            Some(Err(Refused::Full | Refused::NotDurable)) => self.seen.saw("pings answered 503"),
            Some(Err(Refused::Stopped)) | None => self.seen.saw("pings without an answer"),
        }
    }

    /// Whether a job is known to have been declared, or not, all the time since a ping was sent.
    fn was_there(&self, sent: &Sent, declared: bool) -> bool {
        let (at, last) = self.declared[sent.job].last().copied().unwrap_or_default();
        at < sent.real && last.is_some() == declared && self.silences.is_settled_since(sent.job, sent.real)
    }

    /// A start found this. With a doubt, the disk may have lied before its power was cut.
    pub(crate) fn found(&mut self, last: u64, state: &State, doubt: bool, now: Ms) {
        let sure = self.shadow.sure;
        self.seen.tell(|| format!("a start finds records to {last} of {}, {sure} sure", self.shadow.last()));
        assert!(doubt || last >= sure, "records after {last} are lost, up to {sure} they were acknowledged");
        if last < sure {
            self.seen.saw("acknowledged records lost by a lie");
        }
        if self.shadow.last() > sure {
            let kept = last > sure;
            self.silences.forgets();
            self.seen.saw(if kept { "unacknowledged records found" } else { "unacknowledged records lost" });
        }
        if self.shadow.found(last, state) {
            self.adopt(last, now);
        }
        for sent in &mut self.pings {
            if sent.seq.is_some_and(|seq| seq > last) {
                assert!(doubt || !sent.answered, "a ping that was answered 200 is lost: {sent:?}");
                (sent.seq, sent.answered) = (None, false);
            }
        }
        self.incidents.retain(|_, opened| opened.seq <= last);
        self.mail.forget_after(last);
        self.reminders.forget_after(last);
        self.look_up_incidents(state, last, now);
        self.look_up_pings(state);
        if doubt {
            self.kept.clear();
            self.heard_until = None;
            self.silences.doubt(&self.paused);
        }
        for (job, paused) in &self.kept {
            let beat = beat_of(state, *job).expect("it was answered");
            let found = beat.standing == Standing::Paused;
            assert_eq!(found, *paused, "job {job}: that it is paused or not was answered 200");
        }
        self.find_made(state, doubt, now);
        assert_bounded(state, self.keep_runs);
        self.note(&[last]);
    }

    /// The pings that were answered are looked up in what was found, by their marks.
    fn look_up_pings(&self, state: &State) {
        for job in 0..self.declared.len() {
            let Some(beat) = beat_of(state, job) else { continue };
            let history = beat.history.as_ref();
            let marks: BTreeSet<u64> =
                history.into_iter().flat_map(|h| &h.pings).filter_map(|ping| mark_of(ping.from)).collect();
            // In the order of the journal, in which the oldest go.
            let all = (1_u64..).zip(&self.pings).filter(|(_, sent)| sent.job == job && sent.seq.is_some());
            let mut own: Vec<_> = all.collect();
            own.sort_by_key(|(_, sent)| sent.seq);
            let newest = own.iter().rev().take(self.keep_runs);
            for (mark, sent) in newest.filter(|(_, sent)| sent.answered) {
                assert!(marks.contains(mark), "ping {mark} was answered 200 and is lost: {sent:?}");
            }
        }
    }
}

/// The heartbeat of a job, under whatever slug; one that left, too.
pub(crate) fn beat_of(state: &State, job: usize) -> Option<&Beat> {
    state.beats.iter().map(|(_, beat)| beat).find(|beat| beat.heartbeat.uuid == uuid_of(job))
}

/// Nothing grows beyond its bound.
pub(crate) fn assert_bounded(state: &State, keep_runs: usize) {
    assert!(state.core.ended.len() <= 1_000, "{} deliveries that ended", state.core.ended.len());
    let all = state.core.ended.iter().chain(state.core.outbox.values());
    assert!(all.clone().all(|delivery| delivery.attempts.len() <= 20), "attempts of a delivery");
    assert_outbox_bounded(state);
    let mut bytes = 0;
    for place in 0..state.beats.places() {
        let Some(beat) = state.beats.at(place) else { continue };
        assert!(beat.open_runs.len() <= 100, "{} open runs", beat.open_runs.len());
        let Some(history) = &beat.history else { continue };
        assert!(history.runs.len() <= keep_runs && history.pings.len() <= keep_runs, "a history too long");
        assert!(
            history.incidents.len() <= overdue::machine::beat::History::INCIDENTS_MAX,
            "{} incidents",
            history.incidents.len()
        );
        let bodies = || history.pings.iter().filter_map(|ping| ping.body.as_ref());
        assert!(bodies().count() <= state.core.settings.keep_bodies as usize, "{} bodies", bodies().count());
        bytes += bodies().map(|body| body.tail.len() as u64).sum::<u64>();
    }
    assert!(bytes <= state.core.settings.bodies_max, "{bytes} bytes of bodies are kept");
}

/// For a channel wait of an incident its beginning, its end and one reminder that was not tried yet, and a few tests;
/// how long they wait is looked at elsewhere.
fn assert_outbox_bounded(state: &State) {
    let mut waiting: BTreeMap<_, usize> = BTreeMap::new();
    for delivery in state.core.outbox.values() {
        // One that was given up may be tried again beside a newer one.
        if delivery.alert != Alert::Reminder || delivery.attempts.is_empty() {
            let alert = delivery.alert.event_type();
            *waiting.entry((&delivery.channel, delivery.incident.map(|id| id.0), alert)).or_default() += 1;
        }
    }
    for ((channel, incident, alert), count) in waiting {
        let most = if incident.is_some() { 1 } else { TESTS_MAX };
        assert!(count <= most, "{count} of {alert} wait for {channel:?} of {incident:?}");
    }
}

/// Each ping comes from an address of its own.
pub(crate) fn address_of(mark: u64) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(u128::from(mark)))
}

pub(crate) fn mark_of(from: Option<IpAddr>) -> Option<u64> {
    match from {
        Some(IpAddr::V6(address)) => u64::try_from(u128::from(address)).ok(),
        Some(IpAddr::V4(_)) | None => None,
    }
}
