//! What somebody wants by the API: heartbeats made, changed, deleted, paused and resumed, a channel tried, a
//! delivery sent again. A heartbeat that the config declares is changed there, and only paused here.

use uuid::Uuid;

use crate::machine::beat::{Beat, Standing};
use crate::machine::event::{Conflict, Edition, Expected, Reply, Request};
use crate::machine::payload;
use crate::machine::record::{Alerted, Move, Record};
use crate::machine::{Machine, Transition};
use crate::model::channel::ChannelName;
use crate::model::delivery::{Delivery, DeliveryState};
use crate::model::heartbeat::{Declaration, Draft, HEARTBEATS_MAX, Source};
use crate::model::id::{DeliveryId, IncidentId, Slug};
use crate::model::incident::Alert;
use crate::model::ping::Target;
use crate::model::time::{Span, Timestamp};

/// Tests of a channel that wait at the most: they go one after the other, and a receiver may hang.
pub const TESTS_MAX: usize = 8;

impl Machine {
    pub(super) fn request(&mut self, request: Request, now: Timestamp, out: &mut Transition) -> Reply {
        let done = match request {
            Request::Create { slug, draft } => self.create(slug, draft, now, out),
            Request::Replace { target, draft, expected } => self.replace(&target, draft, &expected, now, out),
            Request::Amend { target, draft, edition, pauses } => match self.state.find_living(&target) {
                Some(place) => self.amend(place, draft, &Expected::OneOf(vec![edition]), pauses, now, out),
                None => Ok(Reply::Unknown),
            },
            Request::Delete { target, expected } => self.delete(&target, &expected, now, out),
            Request::Pause { target, span } => Ok(self.pause_by_request(&target, span, now, out)),
            Request::Resume { target } => Ok(self.resume_by_request(&target, now, out)),
            Request::Test { channel } => self.test(&channel, now, out),
            Request::Retry { delivery } => self.retry(delivery, now, out),
        };
        done.unwrap_or_else(Reply::Conflict)
    }

    fn create(
        &mut self,
        slug: Slug,
        draft: Draft,
        now: Timestamp,
        out: &mut Transition,
    ) -> Result<Reply, Conflict> {
        if self.state.find_living(&Target::Slug(slug.clone())).is_some() {
            return Err(Conflict::Slug);
        }
        if self.state.living() >= HEARTBEATS_MAX {
            return Err(Conflict::Full);
        }
        // Whatever it was when it was deleted: it is paused only when that is said now.
        self.declare_draft(slug.clone(), draft, true, now, out)?;
        Ok(Reply::Created(slug))
    }

    fn replace(
        &mut self,
        target: &Target,
        mut draft: Draft,
        expected: &Expected,
        now: Timestamp,
        out: &mut Transition,
    ) -> Result<Reply, Conflict> {
        let living = self.state.find_living(target);
        match (living.and_then(|place| Some((place, self.beat(place)?))), target) {
            (Some((place, beat)), _) => {
                // Its URL is in somebody's crontab: it goes only when another one is asked for.
                draft.uuid = draft.uuid.or(beat.heartbeat.uuid_explicit.then_some(beat.heartbeat.uuid));
                let pauses = draft.rest.paused.is_some();
                self.amend(place, draft, expected, pauses, now, out)
            }
            (None, Target::Uuid(_)) => Ok(Reply::Unknown),
            (None, Target::Slug(slug)) => match expected {
                Expected::Anything | Expected::Nothing => self.create(slug.clone(), draft, now, out),
                Expected::Something | Expected::OneOf(_) => Err(Conflict::Stale),
            },
        }
    }

    fn amend(
        &mut self,
        place: u32,
        draft: Draft,
        expected: &Expected,
        pauses: bool,
        now: Timestamp,
        out: &mut Transition,
    ) -> Result<Reply, Conflict> {
        let Some(beat) = self.beat(place) else { return Ok(Reply::Unknown) };
        may_change(beat, expected)?;
        let slug = beat.heartbeat.slug.clone();
        self.pass(place, now, now, out);
        self.declare_draft(slug.clone(), draft, pauses, now, out)?;
        Ok(Reply::Changed(slug))
    }

    /// Makes a heartbeat be as it was said, and if `pauses`, be paused or not as that says.
    fn declare_draft(
        &mut self,
        slug: Slug,
        draft: Draft,
        pauses: bool,
        now: Timestamp,
        out: &mut Transition,
    ) -> Result<(), Conflict> {
        let heartbeat = self.settle(&draft, slug);
        self.make_way_for(&heartbeat, now, out)?;
        let (slug, shall_pause) = (heartbeat.slug.clone(), heartbeat.paused);
        self.declare(&heartbeat.into(), Source::Api, Some(draft.into()), now, out);
        if let Some(place) = self.state.find(slug.as_str()).filter(|_| pauses) {
            let in_pause = self.beat(place).filter(|beat| beat.standing == Standing::Paused);
            // A pause for a time ends; one that is declared does not.
            match (shall_pause, in_pause.map(|beat| beat.paused_until)) {
                (true, None | Some(Some(_))) => self.pause(place, None, now, out),
                (false, Some(_)) => self.resume(place, now, out),
                (true, Some(None)) | (false, None) => {}
            }
        }
        Ok(())
    }

    /// Sees to it that no other heartbeat has the UUID.
    fn make_way_for(
        &mut self,
        heartbeat: &Declaration,
        now: Timestamp,
        out: &mut Transition,
    ) -> Result<(), Conflict> {
        let Some(holder) = self.other_holder(heartbeat) else { return Ok(()) };
        let slug_lives = self.state.find_living(&Target::Slug(heartbeat.slug.clone())).is_some();
        if holder.removed_at.is_none() || slug_lives {
            return Err(Conflict::Uuid);
        }
        // The URL of one that was deleted, under another slug: its history comes along, as in the config.
        let moves = vec![Move { from: holder.heartbeat.slug.clone(), to: heartbeat.slug.clone() }];
        self.lanes.rename(&moves);
        self.commit(Record::Renamed { at: now, moves }, out);
        Ok(())
    }

    fn delete(
        &mut self,
        target: &Target,
        expected: &Expected,
        now: Timestamp,
        out: &mut Transition,
    ) -> Result<Reply, Conflict> {
        let Some(place) = self.state.find_living(target) else { return Ok(Reply::Unknown) };
        if let Some(beat) = self.beat(place) {
            may_change(beat, expected)?;
        }
        self.pass(place, now, now, out);
        self.remove(place, now, out);
        Ok(Reply::Deleted)
    }

    /// What passed before this was asked for, passed: a deadline is not undone by a pause after it.
    fn passed(&mut self, target: &Target, now: Timestamp, out: &mut Transition) -> Option<(u32, &Beat)> {
        let place = self.state.find_living(target)?;
        self.pass(place, now, now, out);
        Some((place, self.beat(place)?))
    }

    fn pause_by_request(
        &mut self,
        target: &Target,
        span: Option<Span>,
        now: Timestamp,
        out: &mut Transition,
    ) -> Reply {
        let Some((place, beat)) = self.passed(target, now, out) else { return Reply::Unknown };
        let slug = beat.heartbeat.slug.clone();
        if beat.standing != Standing::Paused {
            self.pause(place, span.map(|span| now + span), now, out);
        }
        Reply::Changed(slug)
    }

    fn resume_by_request(&mut self, target: &Target, now: Timestamp, out: &mut Transition) -> Reply {
        let Some((place, beat)) = self.passed(target, now, out) else { return Reply::Unknown };
        let slug = beat.heartbeat.slug.clone();
        if beat.standing == Standing::Paused {
            self.resume(place, now, out);
        }
        Reply::Changed(slug)
    }

    fn test(
        &mut self,
        channel: &ChannelName,
        now: Timestamp,
        out: &mut Transition,
    ) -> Result<Reply, Conflict> {
        if !self.has_channel(channel) {
            return Ok(Reply::Unknown);
        }
        if self.lanes.tests(channel) >= TESTS_MAX {
            return Err(Conflict::TestsWait);
        }
        let incident = IncidentId(self.fresh_id());
        let base_url = &self.state.core.settings.base_url;
        let payload = payload::sample(channel, incident, now, base_url);
        let mut queued = self.queued(channel, self.state.core.next_delivery, now);
        queued.id = DeliveryId(self.fresh_id());
        // Who tries a channel wants to hear at once what is wrong with it.
        queued.give_up_at = now;
        let (id, number) = (queued.id, queued.number);
        let alerted = Alerted {
            at: now,
            slug: None,
            incident: None,
            alert: Alert::Test,
            payload: payload.into(),
            deliveries: vec![queued],
            remind_at: None,
        };
        self.commit(Record::Alerted(Box::new(alerted)), out);
        if let Some(delivery) = self.state.core.outbox.get(&number) {
            self.lanes.queue(delivery);
        }
        Ok(Reply::Queued(id))
    }

    fn retry(&mut self, id: DeliveryId, now: Timestamp, out: &mut Transition) -> Result<Reply, Conflict> {
        let Some(delivery) = self.state.delivery(id).cloned() else { return Ok(Reply::Unknown) };
        if !self.has_channel(&delivery.channel) {
            return Err(Conflict::ChannelGone);
        }
        match delivery.state {
            DeliveryState::Delivered { .. } => return Err(Conflict::Delivered),
            DeliveryState::Waiting { .. } => {
                // Before it go those that wait for the same heartbeat and channel: they are hurried too.
                for number in self.lanes.hurry_queue(&delivery) {
                    let give_up_at = self.state.delivery_mut(number).map(|delivery| delivery.give_up_at);
                    if let Some(give_up_at) = give_up_at {
                        self.commit(Record::Retried { at: now, number, give_up_at }, out);
                    }
                }
            }
            DeliveryState::GivenUp { .. } => {
                let give_up_at = self.give_up_again_at(&delivery, now);
                let number = delivery.number;
                self.commit(Record::Retried { at: now, number, give_up_at }, out);
                self.lanes.revive(&delivery);
            }
        }
        Ok(Reply::Queued(id))
    }

    /// Until when a delivery that had been given up is tried again.
    fn give_up_again_at(&self, delivery: &Delivery, now: Timestamp) -> Timestamp {
        match delivery.alert {
            Alert::Test => now,
            Alert::Opened | Alert::Reminder | Alert::Resolved => {
                self.queued(&delivery.channel, delivery.number, now).give_up_at
            }
        }
    }
}

/// Whether the API may change a heartbeat, as somebody expects it to be.
fn may_change(beat: &Beat, expected: &Expected) -> Result<(), Conflict> {
    if beat.source == Source::Config {
        return Err(Conflict::Declared);
    }
    if expected.holds(Edition::of(beat)) { Ok(()) } else { Err(Conflict::Stale) }
}

impl Edition {
    /// Of what is said of this heartbeat now.
    pub(super) fn of(beat: &Beat) -> Self {
        let said = serde_json::to_vec(&(beat.source, &beat.heartbeat, &beat.draft))
            .expect("plain data with string keys becomes JSON");
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, &said))
    }
}
