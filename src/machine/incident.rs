//! The beginning and the end of an incident, and who is told.

use std::sync::Arc;

use crate::machine::beat::Standing;
use crate::machine::blind::{Expected, Keeps};
use crate::machine::effect::{Effect, Tale};
use crate::machine::payload;
use crate::machine::record::{Alerted, IncidentOpened, Queued, Record};
use crate::machine::{Machine, Transition};
use crate::model::channel::{Channel, ChannelName};
use crate::model::heartbeat::Status;
use crate::model::id::{DeliveryId, IncidentId, RunId, Slug};
use crate::model::incident::{Alert, Cause, Incident, Reason};
use crate::model::time::Timestamp;

/// What an alert is about.
pub(super) struct About {
    pub(super) alert: Alert,
    /// The instant that the alert speaks of.
    pub(super) at: Timestamp,
    pub(super) run: Option<RunId>,
    pub(super) status_before: Status,
}

/// What takes a heartbeat down.
pub(super) struct Blow {
    pub(super) cause: Cause,
    /// The deadline that passed, or the failing ping's instant.
    pub(super) at: Timestamp,
    pub(super) run: Option<RunId>,
    pub(super) exit_code: Option<u8>,
    /// When the missed period was due.
    pub(super) due: Option<Timestamp>,
    /// From when on a ping could have come that would have kept it up.
    pub(super) unheard_from: Option<Timestamp>,
    /// The last finish before it: windows since then are named.
    pub(super) since: Timestamp,
    pub(super) status_before: Status,
}

impl Machine {
    /// Opens an incident. A heartbeat that is already down stays so, without a second one.
    pub(super) fn open(&mut self, place: u32, blow: &Blow, now: Timestamp, out: &mut Transition) {
        let Some(beat) = self.beat(place).filter(|beat| beat.standing != Standing::Down) else { return };
        let slug = beat.heartbeat.slug.clone();
        let by_calendar = beat.heartbeat.timing.interval().is_none();
        let keeps = if by_calendar && blow.cause == Cause::Missed { Keeps::Place } else { Keeps::Distance };
        let expected = blow.unheard_from.map(|from| Expected { from, until: blow.at, keeps });
        let blind = self.state.core.hearing.since(blow.since, expected);
        let opened = IncidentOpened {
            at: blow.at,
            slug,
            incident: IncidentId(self.fresh_id()),
            cause: blow.cause,
            exit_code: blow.exit_code,
            run: blow.run,
            due: blow.due,
            maybe_unheard: blind.iter().any(|named| named.overlaps),
            blind,
            channels: self.channels_of(place, out),
        };
        let about =
            About { alert: Alert::Opened, at: blow.at, run: blow.run, status_before: blow.status_before };
        self.commit(Record::IncidentOpened(Box::new(opened)), out);
        let incident = self.beat(place).and_then(|beat| beat.incident.as_deref().cloned());
        if let Some(incident) = incident {
            self.tell(place, &incident, &about, now, out);
        }
    }

    /// Ends the open incident, if there is one.
    pub(super) fn resolve(
        &mut self,
        place: u32,
        reason: Reason,
        run: Option<RunId>,
        at: Timestamp,
        now: Timestamp,
        out: &mut Transition,
    ) {
        let Some(beat) = self.beat(place) else { return };
        let Some(id) = beat.incident.as_ref().map(|incident| incident.id) else { return };
        let slug = beat.heartbeat.slug.clone();
        self.commit(Record::IncidentResolved { at, slug, incident: id, reason }, out);
        let history = self.beat(place).and_then(|beat| beat.history.as_ref());
        let incident = history.and_then(|history| history.incidents.back()).map(Arc::clone);
        if let Some(incident) = incident.filter(|incident| incident.id == id) {
            let about = About { alert: Alert::Resolved, at, run, status_before: Status::Down };
            self.tell(place, &incident, &about, now, out);
        }
    }

    /// Tells an open incident again.
    pub(super) fn remind(&mut self, place: u32, at: Timestamp, now: Timestamp, out: &mut Transition) {
        let incident = self.beat(place).and_then(|beat| beat.incident.as_deref().cloned());
        if let Some(incident) = incident {
            let about = About { alert: Alert::Reminder, at, run: incident.run, status_before: Status::Down };
            self.tell(place, &incident, &about, now, out);
        }
    }

    /// Queues one delivery per channel, with a payload that will not change any more.
    fn tell(&mut self, place: u32, incident: &Incident, about: &About, now: Timestamp, out: &mut Transition) {
        let Some(beat) = self.beat(place) else { return };
        let status = beat.status(now);
        let base_url = &self.state.core.settings.base_url;
        let next_deadline = self.next_deadline(beat);
        let (payload, summary) = payload::render(beat, incident, about, status, next_deadline, base_url);
        let remind_at = match about.alert {
            Alert::Resolved | Alert::Test => None,
            Alert::Opened | Alert::Reminder => beat.heartbeat.remind_every.map(|every| {
                // After a long silence one reminder is enough.
                let next = about.at + every;
                if next > now { next } else { now + every }
            }),
        };
        let slug = beat.heartbeat.slug.clone();
        let mut deliveries = Vec::with_capacity(incident.channels.len());
        for name in &incident.channels {
            if about.alert == Alert::Reminder && self.reminder_waits(incident, &slug, name) {
                continue;
            }
            deliveries.push(self.queued(name, self.state.core.next_delivery + deliveries.len() as u64, now));
        }
        for queued in &mut deliveries {
            queued.id = DeliveryId(self.fresh_id());
        }
        let numbers: Vec<u64> = deliveries.iter().map(|queued| queued.number).collect();
        let alerted = Alerted {
            at: now,
            slug: Some(slug),
            incident: Some(incident.id),
            alert: about.alert,
            payload: payload.into(),
            deliveries,
            remind_at,
        };
        self.commit(Record::Alerted(Box::new(alerted)), out);
        for number in numbers {
            if let Some(delivery) = self.state.core.outbox.get(&number) {
                self.lanes.queue(delivery);
            }
        }
        if about.alert != Alert::Reminder {
            out.effects.push(Effect::Tell(Tale::Incident { summary }));
        }
    }

    /// A delivery of an alert to this channel, but for its id.
    pub(super) fn queued(&self, name: &ChannelName, number: u64, now: Timestamp) -> Queued {
        let log = Channel::log();
        let channel = self.state.channel(name.as_str()).unwrap_or(&log);
        Queued {
            number,
            id: DeliveryId(uuid::Uuid::nil()),
            channel: name.clone(),
            template: channel.template.clone(),
            give_up_at: now + channel.retry_for,
        }
    }

    /// Whether a reminder of this incident still waits for this channel: a second one would tell nothing new.
    fn reminder_waits(&self, incident: &Incident, slug: &Slug, channel: &ChannelName) -> bool {
        self.lanes
            .queued(channel, slug)
            .filter_map(|number| self.state.core.outbox.get(&number))
            .any(|delivery| delivery.alert == Alert::Reminder && delivery.incident == Some(incident.id))
    }

    /// The channels of a heartbeat. One that is gone (a heartbeat made by the API may name it) falls to the log.
    fn channels_of(&self, place: u32, out: &mut Transition) -> Vec<ChannelName> {
        self.tell_gone_channels(place, out);
        let Some(beat) = self.beat(place) else { return Vec::new() };
        let mut names = Vec::with_capacity(beat.heartbeat.channels.len().max(1));
        for name in beat.heartbeat.channels.iter() {
            let name = if self.has_channel(name) { name.clone() } else { ChannelName::new(ChannelName::LOG) };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.is_empty() {
            names.push(ChannelName::new(ChannelName::LOG));
        }
        names
    }

    /// Warns of channels that are not in the config any more.
    pub(super) fn tell_gone_channels(&self, place: u32, out: &mut Transition) {
        let Some(beat) = self.beat(place) else { return };
        for name in beat.heartbeat.channels.iter().filter(|name| !self.has_channel(name)) {
            let (slug, channel) = (beat.heartbeat.slug.to_string(), name.to_string());
            out.effects.push(Effect::Tell(Tale::ChannelGone { slug, channel }));
        }
    }

    /// Whether alerts can go to a channel of this name.
    pub(super) fn has_channel(&self, name: &ChannelName) -> bool {
        name.as_str() == ChannelName::LOG || self.state.channel(name.as_str()).is_some()
    }
}
