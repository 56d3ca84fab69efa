//! Whether each record has its cause: a ping that was sent, a silence that was long enough, by what was sent and
//! declared alone. In real time: a step of the wall clock makes no silence.

use overdue::machine::record::{Alerted, IncidentOpened, Next, Pinged, Record};
use overdue::model::channel::ChannelName;
use overdue::model::incident::{Alert, Cause, Reason};
use overdue::model::ping::PingKind;
use overdue::model::settings::Settings;

use crate::house::crowds::HELD_MAX;
use crate::house::duty::{Duty, Every, MINUTE, SECOND, retry_for};
use crate::house::post::CHANNELS;
use crate::house::witness::{Opened, Sent, Witness, assert_bounded, mark_of};
use crate::rules::Ms;
use crate::world::{ms, uuid_of};

/// How long a busy disk keeps a decision from being seen.
pub(crate) const BUSY_DISK: Ms = 2 * MINUTE;
/// How long an attempt takes at the most.
const ATTEMPT: Ms = 11 * SECOND;
/// Two clocks are not read in the same millisecond.
pub(crate) const TOLERANCE: Ms = 20;

impl Witness {
    /// The journal is given records.
    pub(crate) fn given(&mut self, after: u64, records: &[Record], now: Ms) {
        if self.shadow.goes_on_after(after) {
            self.seen.saw("healed journals");
            self.adopt(after, now);
        }
        assert!(records.len() <= HELD_MAX, "{} records were held", records.len());
        let mut pinged = None;
        // Who is to be told of what began or ended in this batch.
        let mut untold = Vec::new();
        for record in records {
            let before = self.about_to_move(record);
            let seq = self.shadow.push(record);
            self.seen.tell(|| format!("{now} {seq} {record:?}"));
            self.note(&[seq, now as u64, record.at().as_millis() as u64]);
            match record {
                Record::Pinged(ping) => {
                    self.audit_ping(ping, seq);
                    pinged = Some(ping);
                }
                Record::IncidentOpened(opened) => {
                    self.audit_opened(opened, pinged.map(|p| &**p), seq, now);
                    untold.push((opened.incident, Alert::Opened));
                }
                Record::IncidentResolved { slug, reason, incident, .. } => {
                    assert!(
                        self.incidents.contains_key(&incident.0),
                        "an incident is resolved that never was"
                    );
                    let job = self.job_of(slug.as_str());
                    let well = pinged.filter(|p| p.slug == *slug).and_then(|p| p.kind.finish()) == Some(true);
                    let caused = match reason {
                        Reason::Ping => well,
                        Reason::Paused => self.may_be_paused(job),
                        Reason::Removed => self.declared[job].iter().any(|(_, duty)| duty.is_none()),
                    };
                    assert!(caused, "job {job} recovers by {reason:?} without a cause");
                    self.ends(*incident, now);
                    untold.push((*incident, Alert::Resolved));
                }
                Record::Alerted(alerted) => {
                    self.audit_alert(alerted, seq, now);
                    untold.retain(|(of, alert)| Some(*of) != alerted.incident || *alert != alerted.alert);
                }
                Record::Attempted { number, next: Next::GivenUp, .. } => {
                    self.mail.given_up(*number, seq);
                    self.audit_given_up(*number, now);
                }
                Record::Forgotten { .. } => self.audit_forgotten(before[0].0, now),
                Record::Renamed { moves, .. } => self.audit_renamed(moves, &before),
                Record::Removed { slug, .. } => {
                    let job = self.job_of(slug.as_str());
                    let gone = self.declared[job].last().is_some_and(|(_, duty)| duty.is_none());
                    assert!(gone, "job {job} is removed, and is declared");
                    self.made.tells(job, seq);
                }
                Record::Declared(declared) => {
                    self.made.tells(self.job_of(declared.heartbeat.slug.as_str()), seq);
                }
                Record::Retried { number, .. } => self.mail.revived(*number, seq, now),
                Record::Blind { window, .. } => self.audit_blind(*window, now),
                _ => {}
            }
        }
        assert!(untold.is_empty(), "nobody is told in the same batch: {untold:?}");
        assert_bounded(self.shadow.state(), self.keep_runs);
        self.shadow.ends_batch();
    }

    fn audit_ping(&mut self, ping: &Pinged, seq: u64) {
        let mark = mark_of(ping.from).expect("each ping has a mark");
        let job = self.job_of(ping.slug.as_str());
        let sent = self.pings.get_mut(mark as usize - 1).expect("nobody invents a ping");
        assert_eq!(sent.seq, None, "ping {mark} counts twice");
        assert_eq!((sent.job, sent.kind), (job, ping.kind), "ping {mark} is another");
        let moved = self.steps.iter().any(|set| set.real >= sent.real - 1);
        assert!(moved || ms(ping.at) == sent.wall, "ping {mark} counts from {}: {sent:?}", ms(ping.at));
        sent.seq = Some(seq);
    }

    fn audit_opened(&mut self, opened: &IncidentOpened, pinged: Option<&Pinged>, seq: u64, now: Ms) {
        let known = Opened { seq, at: ms(opened.at), channels: opened.channels.clone() };
        let twice = self.incidents.insert(opened.incident.0, known).is_some();
        assert!(!twice, "an incident has an id of its own");
        assert!(!opened.channels.is_empty(), "nobody is told of an incident: {opened:?}");
        let job = self.job_of(opened.slug.as_str());
        self.audit_channels(job, opened);
        match opened.cause {
            Cause::Failed => {
                let failing =
                    pinged.filter(|ping| ping.slug == opened.slug).and_then(|ping| ping.kind.finish());
                assert_eq!(failing, Some(false), "job {job} failed, and never said so");
                self.seen.saw("incidents failed");
            }
            Cause::Missed => {
                self.audit_missed(job, ms(opened.at), now);
                self.audit_lateness(job, now);
                self.seen.saw("incidents missed");
            }
            Cause::Overran => {
                self.audit_overran(job, now);
                self.audit_lateness(job, now);
                self.seen.saw("incidents overran");
            }
        }
    }

    fn audit_missed(&self, job: usize, opened_at: Ms, now: Ms) {
        let own = || self.pings.iter().filter(|sent| sent.job == job);
        let steps_since = |real: Ms| self.steps.iter().filter(move |set| set.real >= real - 1);
        // A ping that was heard before keeps the deadline waiting.
        let awaited = own().find(|p| p.on_its_way && p.wall < opened_at && steps_since(p.real).count() == 0);
        assert!(
            awaited.is_none(),
            "job {job} is missed at {opened_at}, while a ping is on its way: {awaited:?}"
        );
        let Some(finish) = own().rfind(|sent| sent.answered && sent.kind.finish().is_some()) else { return };
        let guessed: Ms = steps_since(finish.real).filter(|s| !s.known).map(|s| s.by.max(0)).sum();
        let duties = self.in_force_since(job, finish.real);
        if steps_since(finish.real).count() > 0 && duties.iter().any(|d| matches!(d.every, Every::Day(..))) {
            // A calendar is held against the wall clock, which has been set: that is for the model to judge.
            return;
        }
        let earliest = duties.iter().map(|duty| duty.earliest_deadline(finish.wall)).min();
        let Some(earliest) = earliest else { return };
        let deadline = finish.real + (earliest - finish.wall) - guessed;
        assert!(now + TOLERANCE >= deadline, "job {job} is missed at {now}, before {deadline}: {finish:?}");
        let settles = duties.iter().map(Duty::settles).min().unwrap_or_default();
        // It has not been heard for long enough since the window that hid the deadline.
        let hides = |(from, to): &&(Ms, Ms)| *from <= deadline && deadline < to + settles;
        if let Some((_, end)) = self.deaf.iter().find(hides) {
            let later = self.deaf.iter().filter(|(from, _)| from >= end);
            let deaf: Ms = later.map(|(from, to)| to - from).sum();
            let heard = now - end - deaf;
            assert!(heard + TOLERANCE >= settles, "job {job} is missed at {now} after only {heard} ms heard");
        }
    }

    fn audit_overran(&self, job: usize, now: Ms) {
        let own = || self.pings.iter().filter(|sent| sent.job == job);
        let since = own().next().map_or(0, |sent| sent.real);
        let guessed: Ms = self.steps.iter().filter(|s| !s.known).map(|s| s.by.max(0)).sum();
        let shortest = self.in_force_since(job, since).iter().map(|duty| duty.max_runtime).min();
        let allowed = shortest.unwrap_or_default() - guessed - TOLERANCE;
        let starts = own().filter(|sent| sent.kind == PingKind::Start && sent.real + allowed <= now);
        let goes_on = |start: &Sent| {
            let later = |sent: &Sent| sent.real > start.real && sent.real < start.real + allowed;
            // Without rids each start and each finish ends the run before it, in the order of the journal.
            let ends = |sent: &Sent| sent.answered && sent.kind != PingKind::Log && sent.seq > start.seq;
            !own().any(|sent| later(sent) && ends(sent))
        };
        let ran = starts.filter(|start| start.seq.is_some()).any(goes_on);
        assert!(ran, "job {job} never ran so long");
    }

    fn audit_alert(&mut self, alerted: &Alerted, seq: u64, now: Ms) {
        for queued in &alerted.deliveries {
            let incident = alerted.incident.map(|incident| incident.0);
            self.mail.queued(queued, incident, alerted.alert, seq, now);
        }
        if alerted.alert == Alert::Test {
            return;
        }
        let known = alerted.incident.and_then(|incident| self.incidents.get(&incident.0));
        let known = known.expect("an alert tells of an incident that there is");
        let told: Vec<_> = alerted.deliveries.iter().map(|queued| &queued.channel).collect();
        if alerted.alert == Alert::Reminder {
            assert!(told.iter().all(|channel| known.channels.contains(channel)), "{told:?} of {known:?}");
            self.audit_reminder(alerted, seq, now);
        } else {
            assert!(told.iter().copied().eq(&known.channels), "only {told:?} are told of {known:?}");
            if alerted.alert == Alert::Opened {
                self.begins(known.at, alerted, seq, now);
            }
        }
    }

    /// What left the config is kept for its time, as far as a daemon can know that; then nothing is left of it.
    fn audit_forgotten(&mut self, job: usize, now: Ms) {
        let (left, duty) = *self.declared[job].last().expect("it was declared");
        let kept = now - left + self.guessed_since(left);
        let keep = Settings::default().keep_removed.as_millis();
        assert!(
            duty.is_none() && kept + BUSY_DISK >= keep,
            "job {job} is forgotten after {kept} ms: {duty:?}"
        );
        self.forget_pings(job);
        self.seen.saw("heartbeats forgotten");
    }

    /// Who is told is who the config names, where it is known which one is in force.
    fn audit_channels(&self, job: usize, opened: &IncidentOpened) {
        let named = |name: &ChannelName| {
            name.as_str() == ChannelName::LOG || CHANNELS.iter().any(|channel| *channel == name.as_str())
        };
        assert!(opened.channels.iter().all(named), "nobody knows these: {opened:?}");
        if let Some(in_force) = &self.in_force {
            let expected = if in_force.is_empty() { &[ChannelName::LOG][..] } else { &in_force[..] };
            let told = opened.channels.iter().map(ChannelName::as_str);
            assert!(
                told.eq(expected.iter().copied()),
                "job {job} is told to others than {expected:?}: {opened:?}"
            );
        }
    }

    /// What is given up has a cause: its receiver said that it is gone, it was tried for as long as its channel says, or
    /// its channel left the config.
    fn audit_given_up(&mut self, number: u64, now: Ms) {
        let Some(life) = self.mail.life_of(number) else { return };
        let lost = life.channel != ChannelName::LOG && self.lacked_since(&life.channel, life.since);
        let tried = now - life.since + self.guessed_since(life.since) + BUSY_DISK;
        let why = if life.refused {
            "alerts given up: the receiver is gone"
        } else if lost {
            "alerts given up: the channel is gone"
        } else {
            assert!(tried >= retry_for(&life.channel), "given up after {tried} ms: {life:?}");
            "alerts given up: nobody took them for too long"
        };
        self.seen.saw(why);
    }

    /// Whether a config without this channel was put into force since then, or was in force then.
    fn lacked_since(&self, channel: &str, since: Ms) -> bool {
        let first = self.channels.iter().rposition(|(at, _)| *at <= since).unwrap_or_default();
        self.channels[first..].iter().any(|(_, channels)| !channels.contains(&channel))
    }

    /// What waits is tried no longer than its channel says, but for those that wait before it.
    pub(crate) fn look_for_stale_deliveries(&self, now: Ms) {
        let Some(well_since) = self.silences.well_since() else { return };
        let outbox = &self.shadow.state().core.outbox;
        let in_turn = (outbox.len() as Ms + 1) * ATTEMPT + BUSY_DISK;
        for delivery in outbox.values() {
            let Some(life) = self.mail.life_of(delivery.number) else { continue };
            let guessed = self.steps.iter().any(|set| !set.known && set.real >= life.since - 1);
            let limit = (life.since + retry_for(&life.channel)).max(well_since) + in_turn;
            // Older ones that somebody wanted to be tried again go before it, each for as long as its channel says.
            let anew =
                || self.mail.tried_again_since(life.since, &life.channel) as Ms * retry_for(&life.channel);
            assert!(
                guessed || now <= limit || now <= limit + anew(),
                "it should have ended by {limit}, and it is {now}: {life:?}"
            );
        }
    }

    /// How far the wall clock was set forward since then without a daemon that could know it.
    pub(crate) fn guessed_since(&self, real: Ms) -> Ms {
        let guessed = self.steps.iter().filter(|set| !set.known && set.real >= real - 1);
        guessed.map(|set| set.by.max(0)).sum()
    }

    /// A snapshot told what the journal was never given.
    pub(crate) fn adopt(&mut self, seq: u64, now: Ms) {
        let state = self.shadow.state().clone();
        self.reminders.are_unknown();
        self.look_up_incidents(&state, seq, now);
        for delivery in state.core.ended.iter().chain(state.core.outbox.values()) {
            if self.mail.adopt(delivery, seq) {
                self.audit_given_up(delivery.number, now);
            }
        }
        for place in 0..state.beats.places() {
            let Some(beat) = state.beats.at(place) else { continue };
            let history = beat.history.as_ref();
            for mark in history.into_iter().flat_map(|h| &h.pings).filter_map(|ping| mark_of(ping.from)) {
                let sent = self.pings.get_mut(mark as usize - 1).expect("nobody invents a ping");
                sent.seq.get_or_insert(seq);
            }
            let past = history.into_iter().flat_map(|h| &h.incidents).map(|incident| &**incident);
            for incident in past.chain(beat.incident.as_deref()) {
                let at = ms(incident.opened_at);
                let known = Opened { seq, at, channels: incident.channels.clone() };
                self.incidents.entry(incident.id.0).or_insert(known);
                let resolved = incident.resolved_at.map(|_| Alert::Resolved);
                for alert in [Alert::Opened].into_iter().chain(resolved) {
                    let queued = |name| self.mail.knows(incident.id.0, alert, name);
                    assert!(incident.channels.iter().all(queued), "not all are told of {incident:?}");
                }
            }
        }
    }

    pub(crate) fn may_be_paused(&self, job: usize) -> bool {
        let declared = self.declared[job].iter().any(|(_, duty)| duty.is_some_and(|duty| duty.paused));
        declared || self.paused.contains(&job)
    }

    /// Whose heartbeat has this slug now.
    pub(crate) fn job_of(&self, slug: &str) -> usize {
        let state = self.shadow.state();
        let beat = state.find(slug).and_then(|place| state.beats.at(place)).expect("it is there");
        let ours = (0..self.declared.len()).find(|job| uuid_of(*job) == beat.heartbeat.uuid);
        ours.expect("it is one of ours")
    }

    /// All that was declared of a job at some time since then.
    pub(crate) fn in_force_since(&self, job: usize, since: Ms) -> Vec<Duty> {
        let declared = &self.declared[job];
        let first = declared.iter().rposition(|(at, _)| *at <= since).unwrap_or_default();
        declared[first..].iter().filter_map(|(_, duty)| *duty).collect()
    }
}
