//! Whether each record has its cause: a ping that was sent, a silence that was long enough, by what was sent and
//! declared alone. In real time: a step of the wall clock makes no silence.

use overdue::machine::record::{Alerted, IncidentOpened, Next, Pinged, Record};
use overdue::model::incident::{Alert, Cause, Reason};
use overdue::model::ping::PingKind;

use crate::house::duty::{Duty, Every};
use crate::house::witness::{Sent, Witness, mark_of};
use crate::rules::Ms;
use crate::world::{ms, slug_of};

/// Two clocks are not read in the same millisecond.
const TOLERANCE: Ms = 20;

impl Witness {
    /// The journal is given records.
    pub(crate) fn given(&mut self, after: u64, records: &[Record], now: Ms) {
        if self.shadow.goes_on_after(after) {
            self.seen.saw("healed journals");
            self.adopt(after);
        }
        let mut pinged = None;
        for record in records {
            let seq = self.shadow.push(record);
            self.seen.tell(|| format!("{now} {seq} {record:?}"));
            self.note(&[seq, now as u64, record.at().as_millis() as u64]);
            match record {
                Record::Pinged(ping) => {
                    self.audit_ping(ping, seq);
                    pinged = Some(ping);
                }
                Record::IncidentOpened(opened) => self.audit_opened(opened, pinged.map(|p| &**p), seq, now),
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
                }
                Record::Alerted(alerted) => self.audit_alert(alerted, seq),
                Record::Attempted { number, next: Next::GivenUp, .. } => self.mail.given_up(*number),
                Record::Retried { number, .. } => self.mail.revived(*number),
                _ => {}
            }
        }
        self.shadow.ends_batch();
    }

    fn audit_ping(&mut self, ping: &Pinged, seq: u64) {
        let mark = mark_of(ping.from).expect("each ping has a mark");
        let sent = self.pings.get_mut(mark as usize - 1).expect("nobody invents a ping");
        assert_eq!(sent.seq, None, "ping {mark} counts twice");
        assert_eq!((slug_of(sent.job), sent.kind), (ping.slug.clone(), ping.kind), "ping {mark} is another");
        let moved = self.steps.iter().any(|set| set.real >= sent.real - 1);
        assert!(moved || ms(ping.at) == sent.wall, "ping {mark} counts from {}: {sent:?}", ms(ping.at));
        sent.seq = Some(seq);
    }

    fn audit_opened(&mut self, opened: &IncidentOpened, pinged: Option<&Pinged>, seq: u64, now: Ms) {
        assert_eq!(self.incidents.insert(opened.incident.0, seq), None, "an incident has an id of its own");
        let job = self.job_of(opened.slug.as_str());
        match opened.cause {
            Cause::Failed => {
                let failing =
                    pinged.filter(|ping| ping.slug == opened.slug).and_then(|ping| ping.kind.finish());
                assert_eq!(failing, Some(false), "job {job} failed, and never said so");
                self.seen.saw("incidents failed");
            }
            Cause::Missed => {
                self.audit_missed(job, ms(opened.at), now);
                self.seen.saw("incidents missed");
            }
            Cause::Overran => {
                self.audit_overran(job, now);
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

    fn audit_alert(&mut self, alerted: &Alerted, seq: u64) {
        for queued in &alerted.deliveries {
            let incident = alerted.incident.map(|incident| incident.0);
            self.mail.queued(queued, incident, alerted.alert, seq);
        }
        if alerted.alert != Alert::Test {
            let known = alerted.incident.is_some_and(|incident| self.incidents.contains_key(&incident.0));
            assert!(known, "an alert tells of an incident that is none");
        }
    }

    /// A snapshot told what the journal was never given.
    pub(crate) fn adopt(&mut self, seq: u64) {
        let state = self.shadow.state().clone();
        for place in 0..state.beats.places() {
            let Some(beat) = state.beats.at(place) else { continue };
            let history = beat.history.as_ref();
            for mark in history.into_iter().flat_map(|h| &h.pings).filter_map(|ping| mark_of(ping.from)) {
                let sent = self.pings.get_mut(mark as usize - 1).expect("nobody invents a ping");
                sent.seq.get_or_insert(seq);
            }
            let past = history.into_iter().flat_map(|h| &h.incidents).map(|incident| incident.id.0);
            for id in past.chain(beat.incident.iter().map(|incident| incident.id.0)) {
                self.incidents.entry(id).or_insert(seq);
            }
        }
        for delivery in state.core.ended.iter().chain(state.core.outbox.values()) {
            self.mail.adopt(delivery, seq);
        }
    }

    fn may_be_paused(&self, job: usize) -> bool {
        let declared = self.declared[job].iter().any(|(_, duty)| duty.is_some_and(|duty| duty.paused));
        declared || self.paused.contains(&job)
    }

    fn job_of(&self, slug: &str) -> usize {
        (0..self.declared.len()).find(|job| slug_of(*job).as_str() == slug).expect("it is one of ours")
    }

    /// All that was declared of a job at some time since then.
    fn in_force_since(&self, job: usize, since: Ms) -> Vec<Duty> {
        let declared = &self.declared[job];
        let first = declared.iter().rposition(|(at, _)| *at <= since).unwrap_or_default();
        declared[first..].iter().filter_map(|(_, duty)| *duty).collect()
    }
}
