//! `State::apply`: the only place where the state changes. Total: a record that does not fit (its
//! heartbeat is gone) changes nothing. It decides nothing: what follows from a fact is in the record.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::machine::apply::runs::{end_runs, finished, started};
use crate::machine::beat::{Beat, History, PingEntry, Standing};
use crate::machine::incidents::opened;
use crate::machine::record::{Alerted, Declared, IncidentOpened, Move, Next, PingEffect, Pinged, Record};
use crate::machine::state::{ENDED_MAX, State};
use crate::model::delivery::{Attempt, Delivery, DeliveryState};
use crate::model::id::Slug;
use crate::model::incident::{Alert, Happening, Incident, Reason};
use crate::model::run::Outcome;
use crate::model::time::Timestamp;

mod runs;

impl State {
    /// Makes a record true.
    pub fn apply(&mut self, record: &Record) {
        if let Record::Stepped { by, .. } = record {
            self.core.alive = self.core.alive.map(|alive| alive + *by);
        }
        if !self.core.deaf || matches!(record, Record::Alive { .. } | Record::Blind { .. }) {
            self.core.alive = self.core.alive.max(Some(record.at()));
        }
        match record {
            Record::Began { boot, .. } => (self.core.deaf, self.core.boot) = (true, *boot),
            Record::Stopped { .. } => self.core.deaf = true,
            Record::Alive { .. } => self.core.deaf = false,
            Record::Blind { window, .. } => {
                self.core.hearing.add(*window);
                self.core.deaf = false;
            }
            Record::Stepped { at, by, told } => {
                self.core.hearing.step(*by, *at, *told);
                if let Some(boot) = &mut self.core.boot {
                    boot.at = boot.at + *by;
                }
            }
            Record::Rescheduled { slug, due, before, .. } => {
                self.change(slug, |beat, _| (beat.due, beat.due_before_step) = (*due, *before));
            }
            Record::Configured { settings, channels, .. } => {
                self.core.settings = settings.as_ref().clone();
                self.core.channels = channels.clone();
            }
            Record::Declared(declared) => self.declared(declared),
            Record::Renamed { at, moves } => self.renamed(*at, moves),
            Record::Removed { at, slug } => self.removed(*at, slug),
            Record::Forgotten { slug, .. } => self.forget(slug),
            Record::Pinged(pinged) => self.pinged(pinged),
            Record::RunOverran { at, slug, run } => self.change(slug, |beat, keep| {
                end_runs(beat, *at, Outcome::Overran, keep, |open| open.id == *run);
                beat.history_mut().days.overran(*at);
                beat.consecutive_failures = beat.consecutive_failures.saturating_add(1);
                note(beat, *at, Happening::Overran { run: *run });
            }),
            Record::PeriodsMissed { at, slug, periods, due } => self.change(slug, |beat, _| {
                beat.expect(*due);
                beat.history_mut().days.missed(*at, *periods);
                beat.consecutive_failures = beat.consecutive_failures.saturating_add(*periods);
                note(beat, *at, Happening::Missed { periods: *periods });
            }),
            Record::Paused { at, slug, until } => self.change(slug, |beat, keep| {
                end_runs(beat, *at, Outcome::Abandoned, keep, |_| true);
                if let Some(history) = &mut beat.history {
                    history.days.paused();
                }
                beat.standing = Standing::Paused;
                beat.paused_until = *until;
                beat.expect(None);
                (beat.first_start, beat.cover_until) = (None, None);
            }),
            Record::Resumed { at, slug, due } => self.change(slug, |beat, _| {
                beat.standing = if beat.seen { Standing::Up } else { Standing::New };
                beat.paused_until = None;
                beat.counted_from = beat.counted_from.max(*at);
                beat.expect(*due);
            }),
            Record::IncidentOpened(opened) => self.incident_opened(opened),
            Record::IncidentResolved { at, slug, reason, .. } => self.incident_resolved(*at, slug, *reason),
            Record::Alerted(alerted) => self.alerted(alerted),
            Record::Attempted { at, number, attempt, next } => self.attempted(*at, *number, attempt, *next),
            Record::Retried { at, number, give_up_at } => self.retried(*at, *number, *give_up_at),
        }
    }

    fn change(&mut self, slug: &Slug, change: impl FnOnce(&mut Beat, usize)) {
        let keep = self.core.settings.keep_runs as usize;
        if let Some(beat) = self.find(slug.as_str()).and_then(|place| self.beat_mut(place)) {
            change(beat, keep);
        }
    }

    fn declared(&mut self, declared: &Declared) {
        let heartbeat = &declared.heartbeat;
        let Some(place) = self.find(heartbeat.slug.as_str()) else {
            let mut beat = Beat::new(heartbeat.clone(), declared.source, declared.at);
            (beat.draft, beat.due) = (declared.draft.clone(), declared.due);
            beat.stepped = self.core.hearing.stepped();
            self.place(beat);
            return;
        };
        let Some(beat) = self.beat_mut(place) else { return };
        let uuid_before = beat.heartbeat.uuid;
        if beat.heartbeat.remind_every != heartbeat.remind_every
            && let Some(incident) = &mut beat.incident
        {
            incident.remind_at = heartbeat.remind_every.map(|every| declared.at + every);
        }
        if beat.due != declared.due || !beat.heartbeat.is_expected_as(heartbeat) {
            beat.expect(declared.due);
        }
        beat.heartbeat = heartbeat.clone();
        beat.source = declared.source;
        beat.draft.clone_from(&declared.draft);
        beat.updated_at = declared.at;
        beat.cover_until = declared.cover_until;
        for (id, deadline) in &declared.run_deadlines {
            if let Some(run) = beat.open_runs.iter_mut().find(|run| run.id == *id) {
                run.deadline = *deadline;
            }
        }
        if declared.put_back {
            beat.counted_from = beat.counted_from.max(declared.at);
            if beat.removed_at.take().is_some() {
                self.living += 1;
            }
        }
        if uuid_before != heartbeat.uuid {
            self.forget_uuid(uuid_before, place);
        }
        self.index_uuid(heartbeat.uuid, place);
    }

    fn renamed(&mut self, at: Timestamp, moves: &[Move]) {
        let mut moving = Vec::with_capacity(moves.len());
        for Move { from, to } in moves {
            if let Some(place) = self.find(from.as_str()) {
                self.forget_slug(from, place);
                moving.push((place, to));
            }
        }
        for (place, to) in &moving {
            // Whoever still has the slug makes way: it left, or its own move is refused.
            self.forget(to);
            if let Some(beat) = self.beat_mut(*place) {
                let mut heartbeat = beat.heartbeat.as_ref().clone();
                heartbeat.slug = (*to).clone();
                beat.heartbeat = Arc::new(heartbeat);
                beat.updated_at = at;
                self.index_slug((*to).clone(), *place);
            }
        }
        let new: BTreeMap<&Slug, &Slug> = moves.iter().map(|Move { from, to }| (from, to)).collect();
        for delivery in self.core.outbox.values_mut().chain(&mut self.core.ended) {
            if let Some(to) = delivery.slug.as_ref().and_then(|slug| new.get(slug)) {
                Arc::make_mut(delivery).slug = Some((*to).clone());
            }
        }
    }

    fn removed(&mut self, at: Timestamp, slug: &Slug) {
        let mut left = false;
        self.change(slug, |beat, keep| {
            end_runs(beat, at, Outcome::Abandoned, keep, |_| true);
            if beat.standing == Standing::Down {
                beat.standing = Standing::Up;
            }
            beat.expect(None);
            (beat.first_start, beat.cover_until) = (None, None);
            left = beat.removed_at.replace(at).is_none();
        });
        self.living -= usize::from(left);
    }

    fn forget(&mut self, slug: &Slug) {
        let Some(place) = self.find(slug.as_str()) else { return };
        let Some(beat) = self.beats.at(place) else { return };
        let (uuid, removed) = (beat.heartbeat.uuid, beat.removed_at.is_some());
        self.incidents.forget(place, beat);
        let kept = beat.history.iter().flat_map(|history| &history.pings).filter_map(|p| p.body.as_ref());
        let (count, bytes) = kept.fold((0, 0), |(n, bytes), body| (n + 1, bytes + body.tail.len() as u64));
        if count > 0 {
            // The place will be another's: its bodies must not be taken for these.
            self.bodies.forget(count, bytes);
            self.bodies.queue.retain(|(other, _)| *other != place);
        }
        self.forget_uuid(uuid, place);
        self.forget_slug(slug, place);
        self.beats.remove(place);
        self.living -= usize::from(!removed);
    }

    fn pinged(&mut self, pinged: &Pinged) {
        let keep = self.core.settings.keep_runs as usize;
        let Some(place) = self.find(pinged.slug.as_str()) else { return };
        let Some(beat) = self.beat_mut(place) else { return };
        beat.pings_total += 1;
        let ignored = pinged.effect == PingEffect::Ignored;
        if !ignored {
            beat.last_ping = beat.last_ping.max(Some(pinged.at));
        }
        match &pinged.effect {
            PingEffect::Ignored | PingEffect::Logged => {}
            PingEffect::Started { run, abandoned, due, cover_until } => {
                end_runs(beat, pinged.at, Outcome::Abandoned, keep, |open| abandoned.contains(&open.id));
                started(beat, run);
                if due.is_some() {
                    // The first start of a heartbeat that awaited one: from here it counts.
                    beat.expect(*due);
                    beat.counted_from = beat.counted_from.max(pinged.at);
                }
                beat.cover_until = *cover_until;
            }
            PingEffect::Finished { run, outcome, duration, due } => {
                finished(beat, pinged, *run, *outcome, *duration, beat.due != *due, keep);
                beat.expect(*due);
            }
        }
        let number = beat.pings_total;
        beat.history_mut().pings.push_back(PingEntry {
            number,
            at: pinged.at,
            kind: pinged.kind,
            rid: pinged.rid,
            method: pinged.method,
            from: pinged.from,
            body: pinged.body.clone(),
            ignored,
        });
        self.keep_pings(place, pinged.body.as_ref().map(|body| body.tail.len()));
    }

    fn incident_opened(&mut self, opened: &IncidentOpened) {
        let Some(place) = self.find(opened.slug.as_str()) else { return };
        self.incidents.opened(place, (opened.at, opened.incident));
        self.change(&opened.slug, |beat, _| {
            beat.standing = Standing::Down;
            beat.incident = Some(Box::new(Incident {
                stepped: beat.stepped,
                exit_code: opened.exit_code,
                run: opened.run,
                blind: opened.blind.clone(),
                maybe_unheard: opened.maybe_unheard,
                due: opened.due,
                channels: opened.channels.clone(),
                ..Incident::new(opened.incident, opened.cause, opened.at)
            }));
        });
    }

    fn incident_resolved(&mut self, at: Timestamp, slug: &Slug, reason: Reason) {
        let Some(place) = self.find(slug.as_str()) else { return };
        let Some(beat) = self.beat_mut(place) else { return };
        let Some(mut incident) = beat.incident.take() else { return };
        let place_of = (incident.opened_at, incident.id);
        incident.resolved_at = Some(at);
        incident.reason = Some(reason);
        incident.remind_at = None;
        incident.note(at, Happening::Resolved { reason });
        let kept = &mut beat.history_mut().incidents;
        kept.push_back(Arc::from(incident));
        let full = kept.len() > History::INCIDENTS_MAX;
        let dropped = if full { kept.pop_front() } else { None };
        self.incidents.resolved(place, place_of, dropped.as_deref().map(opened));
    }

    fn alerted(&mut self, alerted: &Alerted) {
        if let Some(slug) = &alerted.slug {
            self.change(slug, |beat, _| {
                if alerted.alert == Alert::Reminder {
                    note(beat, alerted.at, Happening::Reminded);
                }
                if let Some(incident) = &mut beat.incident {
                    incident.remind_at = alerted.remind_at;
                }
            });
        }
        for queued in &alerted.deliveries {
            let delivery = Delivery {
                number: queued.number,
                id: queued.id,
                slug: alerted.slug.clone(),
                incident: alerted.incident,
                alert: alerted.alert,
                channel: queued.channel.clone(),
                payload: alerted.payload.clone(),
                template: queued.template.clone(),
                queued_at: alerted.at,
                give_up_at: queued.give_up_at,
                stepped: self.core.hearing.stepped(),
                state: DeliveryState::Waiting { next_at: alerted.at },
                tries: 0,
                attempts: Vec::new(),
            };
            self.core.next_delivery = self.core.next_delivery.max(queued.number + 1);
            self.deliveries.insert(queued.id, queued.number);
            self.core.outbox.insert(queued.number, Arc::new(delivery));
        }
    }

    fn attempted(&mut self, at: Timestamp, number: u64, attempt: &Attempt, next: Next) {
        let Some(delivery) = self.delivery_mut(number) else { return };
        delivery.tries = delivery.tries.saturating_add(1);
        if delivery.attempts.len() >= Delivery::ATTEMPTS_MAX {
            delivery.attempts.remove(0);
        }
        delivery.attempts.push(attempt.clone());
        delivery.state = match next {
            Next::Delivered => DeliveryState::Delivered { at },
            Next::Retry { at } => DeliveryState::Waiting { next_at: at },
            Next::GivenUp => DeliveryState::GivenUp { at },
        };
        if !matches!(next, Next::Retry { .. })
            && let Some(done) = self.core.outbox.remove(&number)
        {
            self.deliveries.remove(&done.id);
            self.core.ended.push_back(done);
            self.drop_ended();
        }
    }

    /// Beyond the number that is remembered the oldest goes; one that was given up stays for longer than one
    /// that arrived, for somebody may still want to send it, but such do not take more than half.
    fn drop_ended(&mut self) {
        let ended = &mut self.core.ended;
        if ended.len() > ENDED_MAX {
            let arrived =
                |delivery: &Arc<Delivery>| matches!(delivery.state, DeliveryState::Delivered { .. });
            let oldest = ended.iter().take(ENDED_MAX / 2).position(arrived);
            ended.remove(oldest.unwrap_or_default());
        }
    }

    fn retried(&mut self, at: Timestamp, number: u64, give_up_at: Timestamp) {
        if let Some(place) = self.core.ended.iter().position(|delivery| delivery.number == number)
            && let Some(revived) = self.core.ended.remove(place)
        {
            self.deliveries.insert(revived.id, number);
            self.core.outbox.insert(number, revived);
        }
        if let Some(delivery) = self.delivery_mut(number) {
            delivery.state = DeliveryState::Waiting { next_at: at };
            delivery.give_up_at = give_up_at;
        }
    }
}

fn note(beat: &mut Beat, at: Timestamp, what: Happening) {
    if let Some(incident) = &mut beat.incident {
        incident.note(at, what);
    }
}
