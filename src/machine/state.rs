//! Everything that is true now. It changes only by [`State::apply`] (in `apply.rs`), from records.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::machine::beat::Beat;
use crate::machine::beats::Beats;
use crate::machine::blind::Hearing;
use crate::machine::incidents::Incidents;
use crate::machine::index::Index;
use crate::model::channel::Channel;
use crate::model::delivery::Delivery;
use crate::model::heartbeat::Declaration;
use crate::model::id::{DeliveryId, Slug};
use crate::model::ping::Target;
use crate::model::settings::Settings;
use crate::model::time::{Boot, Timestamp};

/// Ended deliveries that are remembered.
pub(crate) const ENDED_MAX: usize = 1_000;

/// Everything beside the heartbeats: the head of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Core {
    /// The settings in force.
    pub settings: Settings,
    /// The channels in force, by name.
    pub channels: Arc<[Channel]>,
    /// The last instant at which overdue is known to have heard.
    pub alive: Option<Timestamp>,
    /// Whether it lives but does not hear yet, or no more: what is decided then proves no hearing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deaf: bool,
    /// The start of the machine in which the last process began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Boot>,
    /// When it could hear.
    pub hearing: Hearing,
    /// The number of the next delivery.
    pub next_delivery: u64,
    /// Deliveries not yet done, by number.
    pub outbox: BTreeMap<u64, Arc<Delivery>>,
    /// Deliveries that ended, oldest first.
    pub ended: VecDeque<Arc<Delivery>>,
}

impl Default for Core {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            channels: Arc::from([]),
            alive: None,
            deaf: false,
            boot: None,
            hearing: Hearing::default(),
            next_delivery: 1,
            outbox: BTreeMap::new(),
            ended: VecDeque::new(),
        }
    }
}

/// Everything that is true now.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// All but the heartbeats.
    pub core: Core,
    /// The heartbeats.
    pub beats: Beats,
    /// The living ones by slug, in order; the removed ones too.
    pub(crate) slugs: BTreeMap<Slug, u32>,
    by_slug: Index,
    by_uuid: Index,
    pub(crate) bodies: Bodies,
    pub(crate) living: usize,
    pub(crate) incidents: Incidents,
    /// The numbers of the deliveries in the outbox.
    pub(crate) deliveries: BTreeMap<DeliveryId, u64>,
}

/// The state at one instant, to be written while the loop goes on.
#[derive(Debug, Clone)]
pub struct Frozen {
    /// All but the heartbeats.
    pub core: Core,
    /// The heartbeats.
    pub beats: Beats,
}

/// The kept bodies in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bodies {
    /// Place of the heartbeat, number of the ping. An entry whose body is gone is skipped.
    pub(crate) queue: VecDeque<(u32, u64)>,
    pub(crate) bytes: u64,
    pub(crate) kept: usize,
}

impl State {
    /// From a snapshot: its core, then its heartbeats in any order.
    pub fn restore(core: Core, beats: impl Iterator<Item = Beat>) -> Self {
        let deliveries = core.outbox.values().map(|delivery| (delivery.id, delivery.number)).collect();
        let mut state = Self { core, deliveries, ..Self::default() };
        let mut bodies = Vec::new();
        let mut before: Option<Arc<Declaration>> = None;
        for mut beat in beats {
            if let (Some(before), Some(own)) = (&before, Arc::get_mut(&mut beat.heartbeat)) {
                own.share_with(before);
            }
            before = Some(beat.heartbeat.clone());
            let place = state.place(beat);
            let pings = state.beats.at(place).and_then(|beat| beat.history.as_ref()).map(|h| &h.pings);
            for ping in pings.into_iter().flatten() {
                if let Some(body) = &ping.body {
                    bodies.push((ping.at, place, ping.number));
                    state.bodies.bytes += body.tail.len() as u64;
                }
            }
        }
        bodies.sort_unstable();
        state.bodies.kept = bodies.len();
        state.bodies.queue = bodies.into_iter().map(|(_, place, number)| (place, number)).collect();
        state
    }

    /// A copy of this instant that costs little.
    pub fn freeze(&self) -> Frozen {
        Frozen { core: self.core.clone(), beats: self.beats.clone() }
    }

    /// Where the heartbeat of this slug lives, removed or not.
    pub fn find(&self, slug: &str) -> Option<u32> {
        self.by_slug.find(&slug, |place| self.beats.slug(place))
    }

    /// Where the heartbeat of this UUID lives, removed or not.
    pub(crate) fn find_uuid(&self, uuid: Uuid) -> Option<u32> {
        self.by_uuid.find(&uuid, |place| self.beats.uuid(place))
    }

    /// Where the living heartbeat that a ping is for lives.
    pub fn find_living(&self, target: &Target) -> Option<u32> {
        let place = match target {
            Target::Uuid(uuid) => self.find_uuid(*uuid),
            Target::Slug(slug) => self.find(slug.as_str()),
        }?;
        self.beats.at(place).filter(|beat| beat.removed_at.is_none()).map(|_| place)
    }

    /// How many heartbeats live.
    pub fn living(&self) -> usize {
        self.living
    }

    /// The living heartbeats by slug, from the first one after `after`.
    pub fn living_after(&self, after: Option<&str>) -> impl Iterator<Item = &Beat> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.slugs
            .range::<str, _>((from, Unbounded))
            .filter_map(|(_, place)| self.beats.at(*place))
            .filter(|beat| beat.removed_at.is_none())
    }

    /// The heartbeat at a place, to be changed: it has gone along with the wall clock.
    pub(crate) fn beat_mut(&mut self, place: u32) -> Option<&mut Beat> {
        let stepped = self.core.hearing.stepped();
        let beat = self.beats.at_mut(place)?;
        beat.go_along(stepped);
        Some(beat)
    }

    /// The waiting delivery of this number, to be changed: it has gone along with the wall clock.
    pub(crate) fn delivery_mut(&mut self, number: u64) -> Option<&mut Delivery> {
        let delivery = Arc::make_mut(self.core.outbox.get_mut(&number)?);
        delivery.go_along(self.core.hearing.stepped());
        Some(delivery)
    }

    /// Lets everything go along with the wall clock, so that two states that say the same are the same.
    pub fn go_along(&mut self) {
        for place in 0..self.beats.places() {
            self.beat_mut(place);
        }
        for number in self.core.outbox.keys().copied().collect::<Vec<_>>() {
            self.delivery_mut(number);
        }
    }

    /// A delivery, waiting or ended.
    pub fn delivery(&self, id: DeliveryId) -> Option<&Arc<Delivery>> {
        match self.deliveries.get(&id) {
            Some(number) => self.core.outbox.get(number),
            None => self.core.ended.iter().find(|delivery| delivery.id == id),
        }
    }

    /// The delivery of this number, waiting or ended.
    pub(crate) fn delivery_of_number(&self, number: u64) -> Option<&Arc<Delivery>> {
        let ended = || self.core.ended.iter().rev().find(|delivery| delivery.number == number);
        self.core.outbox.get(&number).or_else(ended)
    }

    /// The channel of this name.
    pub fn channel(&self, name: &str) -> Option<&Channel> {
        self.core.channels.iter().find(|channel| channel.name.as_str() == name)
    }

    /// Gives a heartbeat a place and enters it into the look-ups.
    pub(crate) fn place(&mut self, beat: Beat) -> u32 {
        let (slug, uuid) = (beat.heartbeat.slug.clone(), beat.heartbeat.uuid);
        if beat.removed_at.is_none() {
            self.living += 1;
        }
        let place = self.beats.insert(beat);
        if let Some(beat) = self.beats.at(place) {
            self.incidents.add(place, beat);
        }
        self.index_slug(slug, place);
        self.index_uuid(uuid, place);
        place
    }

    /// Enters the slug that a heartbeat has into the look-ups.
    pub(crate) fn index_slug(&mut self, slug: Slug, place: u32) {
        self.slugs.insert(slug, place);
        self.by_slug.insert(place, |place| self.beats.slug(place));
    }

    /// Forgets a slug, while its heartbeat still has it.
    pub(crate) fn forget_slug(&mut self, slug: &Slug, place: u32) {
        self.slugs.remove(slug);
        self.by_slug.remove(&slug.as_str(), place);
    }

    /// Forgets a UUID, if it is this heartbeat that is found by it.
    pub(crate) fn forget_uuid(&mut self, uuid: Uuid, place: u32) {
        self.by_uuid.remove(&uuid, place);
    }

    /// Enters the UUID that a heartbeat has into the look-up. Of a living heartbeat and one that has left with it, the living one is found.
    pub(crate) fn index_uuid(&mut self, uuid: Uuid, place: u32) {
        let other = self.find_uuid(uuid).filter(|other| *other != place);
        let other = other.and_then(|other| self.beats.at(other));
        if !other.is_some_and(|other| other.removed_at.is_none() && other.heartbeat.uuid == uuid) {
            self.by_uuid.insert(place, |place| self.beats.uuid(place));
        }
    }
}
