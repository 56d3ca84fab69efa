//! Deliveries as the world outside sees them: what left, what arrived, in which order and by which id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use overdue::machine::record::Queued;
use overdue::machine::state::State;
use overdue::model::delivery::{Delivery, DeliveryState};
use overdue::model::id::DeliveryId;
use overdue::model::incident::Alert;
use uuid::Uuid;

/// Deliveries of one channel under way at the most.
const PLACES: usize = 8;

/// One alert of an incident to one channel.
type Errand = (Uuid, &'static str, String);

#[derive(Debug)]
struct Letter {
    number: u64,
    errand: Option<Errand>,
    seq: u64,
    given_up: bool,
    /// Somebody wanted it to be tried again after it had ended: it may then come behind younger ones.
    revived: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Mail {
    /// All that the journal or a snapshot says was queued.
    letters: BTreeMap<DeliveryId, Letter>,
    ids: BTreeMap<u64, DeliveryId>,
    /// What an id stands for: the same at every attempt.
    contents: BTreeMap<DeliveryId, Arc<Delivery>>,
    received: BTreeSet<DeliveryId>,
    /// Errands that receivers have got, or that nobody tries any more.
    settled: BTreeSet<Errand>,
    under_way: Vec<Arc<Delivery>>,
}

fn errand(delivery: &Delivery) -> Option<Errand> {
    let incident = delivery.incident?;
    Some((incident.0, delivery.alert.event_type(), delivery.channel.to_string()))
}

impl Mail {
    pub(crate) fn queued(&mut self, queued: &Queued, incident: Option<Uuid>, alert: Alert, seq: u64) {
        let errand = incident.map(|incident| (incident, alert.event_type(), queued.channel.to_string()));
        if alert != Alert::Reminder && errand.is_some() {
            let same = self.letters.values().find(|letter| letter.errand == errand);
            assert!(same.is_none(), "{errand:?} is told twice");
        }
        let letter = Letter { number: queued.number, errand, seq, given_up: false, revived: false };
        assert!(self.letters.insert(queued.id, letter).is_none(), "one id for two deliveries");
        self.ids.insert(queued.number, queued.id);
    }

    /// A snapshot tells of a delivery.
    pub(crate) fn adopt(&mut self, delivery: &Delivery, seq: u64) {
        let new = Letter {
            number: delivery.number,
            errand: errand(delivery),
            seq,
            given_up: false,
            revived: false,
        };
        self.ids.insert(delivery.number, delivery.id);
        let letter = self.letters.entry(delivery.id).or_insert(new);
        letter.given_up |= matches!(delivery.state, DeliveryState::GivenUp { .. });
        if letter.given_up {
            self.settled.extend(errand(delivery));
        }
    }

    pub(crate) fn given_up(&mut self, number: u64) {
        if let Some(letter) = self.ids.get(&number).and_then(|id| self.letters.get_mut(id)) {
            letter.given_up = true;
            self.settled.extend(letter.errand.clone());
        }
    }

    pub(crate) fn revived(&mut self, number: u64) {
        if let Some(letter) = self.ids.get(&number).and_then(|id| self.letters.get_mut(id)) {
            letter.revived = true;
        }
    }

    /// What was queued after this was lost in a death: it may be told again, as something else.
    pub(crate) fn forget_after(&mut self, seq: u64) {
        self.letters.retain(|_, letter| letter.seq <= seq);
        self.ids = self.letters.iter().map(|(id, letter)| (letter.number, *id)).collect();
        self.under_way.clear();
    }

    /// An attempt begins. `told` is what the journal was given, and up to where the disk has it, if that can be written.
    pub(crate) fn leaves(&mut self, delivery: &Arc<Delivery>, told: Option<(&State, u64)>) {
        let before = self.contents.entry(delivery.id).or_insert_with(|| delivery.clone());
        let content = |d: &Delivery| {
            (d.number, d.slug.clone(), d.incident, d.alert, d.channel.clone(), d.payload.clone())
        };
        assert_eq!(content(before), content(delivery), "an id stands for one delivery");
        let others = self.under_way.iter().filter(|other| other.channel == delivery.channel);
        assert!(others.clone().count() < PLACES, "at most eight of a channel");
        for other in others {
            assert_ne!(other.slug, delivery.slug, "one at a time of a heartbeat and channel");
        }
        self.under_way.push(delivery.clone());
        let Some((told, sure)) = told else { return };
        let on_disk = self.letters.get(&delivery.id).is_some_and(|letter| letter.seq <= sure);
        assert!(on_disk, "it leaves before its record is on the disk");
        for (number, other) in told.core.outbox.range(..delivery.number) {
            let same = other.slug == delivery.slug && other.channel == delivery.channel;
            let revived = self.letters.get(&other.id).is_some_and(|letter| letter.revived);
            assert!(!same || revived, "delivery {number} is overtaken by {}", delivery.number);
        }
        if delivery.alert == Alert::Resolved
            && let Some((incident, _, channel)) = errand(delivery)
        {
            let opened = (incident, Alert::Opened.event_type(), channel);
            assert!(self.settled.contains(&opened), "resolved before opened: {delivery:?}");
        }
    }

    /// Whether the disk has it, up to this record.
    pub(crate) fn is_sure(&self, id: DeliveryId, sure: u64) -> bool {
        self.letters.get(&id).is_some_and(|letter| letter.seq <= sure)
    }

    pub(crate) fn comes_back(&mut self, delivery: &Delivery) {
        self.under_way.retain(|other| other.id != delivery.id);
    }

    /// A receiver has it. Says whether for the first time.
    pub(crate) fn arrives(&mut self, delivery: &Delivery) -> bool {
        self.settled.extend(errand(delivery));
        self.received.insert(delivery.id)
    }

    pub(crate) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Ids of deliveries that were queued, oldest first.
    pub(crate) fn known(&self) -> impl DoubleEndedIterator<Item = DeliveryId> {
        self.ids.values().copied()
    }

    /// What was queued, and neither arrived nor was given up.
    pub(crate) fn lost(&self) -> Vec<(&DeliveryId, u64, &Option<Errand>)> {
        let lost = |(id, letter): &(&DeliveryId, &Letter)| !letter.given_up && !self.received.contains(id);
        self.letters.iter().filter(lost).map(|(id, letter)| (id, letter.number, &letter.errand)).collect()
    }
}
