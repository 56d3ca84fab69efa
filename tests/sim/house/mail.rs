//! Deliveries as the world outside sees them: what left, what arrived, in which order and by which id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use overdue::machine::record::Queued;
use overdue::machine::state::State;
use overdue::model::channel::ChannelName;
use overdue::model::delivery::{Delivery, DeliveryState, Verdict};
use overdue::model::id::DeliveryId;
use overdue::model::incident::Alert;
use uuid::Uuid;

use crate::rules::Ms;

/// Deliveries of one channel under way at the most.
const PLACES: usize = 8;

/// One alert of an incident to one channel.
type Errand = (Uuid, &'static str, String);

#[derive(Debug)]
struct Letter {
    number: u64,
    channel: String,
    errand: Option<Errand>,
    seq: u64,
    /// When it was queued; not known of one that only a snapshot tells of.
    queued: Option<Ms>,
    /// By which records it was given up, and tried again since somebody wanted that.
    ends: Vec<(u64, End)>,
    /// Somebody wanted it to be tried again after it had ended: it may then come behind younger ones.
    revived: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    GivenUp,
    /// Tried again from then on; a snapshot does not tell since when.
    TriedAgain(Option<Ms>),
}

/// How a delivery has fared.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) channel: String,
    /// Since when it is tried.
    pub(crate) since: Ms,
    pub(crate) refused: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Mail {
    /// All that the journal or a snapshot says was queued.
    letters: BTreeMap<DeliveryId, Letter>,
    ids: BTreeMap<u64, DeliveryId>,
    /// What an id stands for: the same at every attempt.
    contents: BTreeMap<DeliveryId, Arc<Delivery>>,
    received: BTreeSet<DeliveryId>,
    /// Their receivers said that they are gone: known before any record tells of it, while a disk hangs.
    refused: BTreeSet<DeliveryId>,
    /// Errands that receivers have got, or that nobody tries any more.
    settled: BTreeSet<Errand>,
    under_way: Vec<(Arc<Delivery>, Option<usize>)>,
}

fn errand(delivery: &Delivery) -> Option<Errand> {
    let incident = delivery.incident?;
    Some((incident.0, delivery.alert.event_type(), delivery.channel.to_string()))
}

impl Letter {
    fn new(number: u64, channel: String, errand: Option<Errand>, seq: u64, queued: Option<Ms>) -> Self {
        Self { number, channel, errand, seq, queued, ends: Vec::new(), revived: false }
    }

    fn is_given_up(&self) -> bool {
        self.ends.last().is_some_and(|(_, end)| *end == End::GivenUp)
    }

    /// Since when it is tried, if that is known. A test is tried once, and not for a time.
    fn since(&self) -> Option<Ms> {
        self.errand.as_ref()?;
        let again = self.ends.iter().rev().find_map(|(_, end)| match end {
            End::GivenUp => None,
            End::TriedAgain(at) => Some(*at),
        });
        again.unwrap_or(self.queued)
    }
}

impl Mail {
    pub(crate) fn queued(
        &mut self,
        queued: &Queued,
        incident: Option<Uuid>,
        alert: Alert,
        seq: u64,
        now: Ms,
    ) {
        let channel = queued.channel.to_string();
        let errand = incident.map(|incident| (incident, alert.event_type(), channel.clone()));
        if alert != Alert::Reminder && errand.is_some() {
            let same = self.letters.values().find(|letter| letter.errand == errand);
            assert!(same.is_none(), "{errand:?} is told twice");
        }
        let letter = Letter::new(queued.number, channel, errand, seq, Some(now));
        assert!(self.letters.insert(queued.id, letter).is_none(), "one id for two deliveries");
        self.ids.insert(queued.number, queued.id);
    }

    /// A snapshot tells of a delivery. Says whether it was given up as only this tells.
    pub(crate) fn adopt(&mut self, delivery: &Delivery, seq: u64) -> bool {
        let new = Letter::new(delivery.number, delivery.channel.to_string(), errand(delivery), seq, None);
        self.ids.insert(delivery.number, delivery.id);
        let letter = self.letters.entry(delivery.id).or_insert(new);
        let given_up = matches!(delivery.state, DeliveryState::GivenUp { .. });
        let news = given_up != letter.is_given_up();
        if news {
            letter.ends.push((seq, if given_up { End::GivenUp } else { End::TriedAgain(None) }));
        }
        if given_up {
            self.settled.extend(errand(delivery));
        }
        news && given_up
    }

    pub(crate) fn given_up(&mut self, number: u64, seq: u64) {
        if let Some(letter) = self.ids.get(&number).and_then(|id| self.letters.get_mut(id)) {
            letter.ends.push((seq, End::GivenUp));
            self.settled.extend(letter.errand.clone());
        }
    }

    pub(crate) fn revived(&mut self, number: u64, seq: u64, now: Ms) {
        if let Some(letter) = self.ids.get(&number).and_then(|id| self.letters.get_mut(id)) {
            letter.revived = true;
            // Of one that waits only the wait is cut short.
            if letter.is_given_up() {
                letter.ends.push((seq, End::TriedAgain(Some(now))));
            }
        }
    }

    /// What was queued after this was lost in a death: it may be told again, as something else.
    pub(crate) fn forget_after(&mut self, seq: u64) {
        self.letters.retain(|_, letter| letter.seq <= seq);
        for letter in self.letters.values_mut() {
            letter.ends.retain(|(of, _)| *of <= seq);
        }
        self.ids = self.letters.iter().map(|(id, letter)| (letter.number, *id)).collect();
        self.under_way.clear();
    }

    /// An attempt begins, of an alert of this job, where that is known. `told` is what the journal was given, and up to where the disk has it, if that can be written.
    pub(crate) fn leaves(
        &mut self,
        delivery: &Arc<Delivery>,
        job: Option<usize>,
        told: Option<(&State, u64)>,
    ) {
        let before = self.contents.entry(delivery.id).or_insert_with(|| delivery.clone());
        // The slug by which its heartbeat is known may be another since.
        let content = |d: &Delivery| (d.number, d.incident, d.alert, d.channel.clone(), d.payload.clone());
        assert_eq!(content(before), content(delivery), "an id stands for one delivery");
        let others = self.under_way.iter().filter(|(other, _)| other.channel == delivery.channel);
        assert!(others.clone().count() < PLACES, "at most eight of a channel");
        for (_, other) in others {
            assert!(job.is_none() || *other != job, "one at a time of a heartbeat and channel");
        }
        self.under_way.push((delivery.clone(), job));
        let Some((told, sure)) = told else { return };
        let on_disk = self.letters.get(&delivery.id).is_some_and(|letter| letter.seq <= sure);
        assert!(on_disk, "it leaves before its record is on the disk");
        let slug = told.core.outbox.get(&delivery.number).map_or(&delivery.slug, |own| &own.slug);
        for (number, other) in told.core.outbox.range(..delivery.number) {
            let same = other.slug == *slug && other.channel == delivery.channel;
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

    pub(crate) fn comes_back(&mut self, delivery: &Delivery, verdict: &Verdict) {
        if matches!(verdict, Verdict::Refused { .. }) {
            self.refused.insert(delivery.id);
        }
        self.under_way.retain(|(other, _)| other.id != delivery.id);
    }

    /// A receiver has it. Says whether for the first time.
    pub(crate) fn arrives(&mut self, delivery: &Delivery) -> bool {
        self.settled.extend(errand(delivery));
        self.received.insert(delivery.id)
    }

    /// How a delivery has fared, where it is known since when it is tried.
    pub(crate) fn life_of(&self, number: u64) -> Option<Life> {
        let id = self.ids.get(&number)?;
        let (letter, refused) = (self.letters.get(id)?, self.refused.contains(id));
        Some(Life { channel: letter.channel.clone(), since: letter.since()?, refused })
    }

    /// How many deliveries to this channel were to be tried again since then.
    pub(crate) fn tried_again_since(&self, since: Ms, channel: &str) -> usize {
        let own = self.letters.values().filter(|letter| letter.channel == channel);
        let again = |(_, end): &&(u64, End)| match end {
            End::GivenUp => false,
            End::TriedAgain(at) => at.is_none_or(|at| at >= since),
        };
        own.map(|letter| letter.ends.iter().filter(again).count()).sum()
    }

    /// Whether an alert of an incident was queued for a channel.
    pub(crate) fn knows(&self, incident: Uuid, alert: Alert, channel: &ChannelName) -> bool {
        let errand = Some((incident, alert.event_type(), channel.to_string()));
        self.letters.values().any(|letter| letter.errand == errand)
    }

    /// Whether somebody wanted it to be tried again.
    pub(crate) fn is_revived(&self, number: u64) -> bool {
        let letter = self.ids.get(&number).and_then(|id| self.letters.get(id));
        letter.is_some_and(|letter| letter.revived)
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
        let lost =
            |(id, letter): &(&DeliveryId, &Letter)| !letter.is_given_up() && !self.received.contains(id);
        self.letters.iter().filter(lost).map(|(id, letter)| (id, letter.number, &letter.errand)).collect()
    }
}
