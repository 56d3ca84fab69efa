//! Which delivery goes when: per heartbeat and channel one after the other, per channel at most eight at
//! a time, and what becomes of it after an attempt.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::machine::effect::{Effect, Tale};
use crate::machine::event::Reply;
use crate::machine::record::{Move, Next, Record};
use crate::machine::{Machine, TURN, Transition};
use crate::model::channel::ChannelName;
use crate::model::delivery::{Attempt, Delivery, Verdict};
use crate::model::id::Slug;
use crate::model::time::{Span, Timestamp};

/// Deliveries of one channel under way at the most.
pub const PLACES: usize = 8;

/// The longest wait between two attempts, and the longest that a receiver can ask for.
const WAIT_MAX: Span = Span::from_secs(600);
const RETRY_AFTER_MAX: Span = Span::from_secs(3_600);

/// The outbox in the order in which it goes out. Derived from the state. Its instants are on the steady clock.
#[derive(Debug, Clone, Default)]
pub(super) struct Lanes(BTreeMap<ChannelName, Lane>);

/// One channel's deliveries.
#[derive(Debug, Clone, Default)]
struct Lane {
    /// How many wait or are under way.
    waiting: usize,
    /// Per heartbeat, in order; the first of each is the only one that may go.
    queues: BTreeMap<Option<Slug>, VecDeque<u64>>,
    /// The first ones that are not under way, by when they may go.
    ready: BTreeSet<(Timestamp, u64)>,
    under_way: BTreeSet<u64>,
    /// Those under way that somebody wants to be tried again at once, should they fail.
    wished: BTreeSet<u64>,
    /// When a first one may go that waits for another of its queue to come back, since two queues became one.
    held: BTreeMap<u64, Timestamp>,
}

impl Lanes {
    /// Everything in the outbox, due at once.
    pub(super) fn restore(outbox: &BTreeMap<u64, Arc<Delivery>>) -> Self {
        let mut lanes = Self::default();
        for delivery in outbox.values() {
            lanes.queue(delivery);
        }
        lanes
    }

    /// Heartbeats got new slugs, all at once: their queues go along. What is under way stays so.
    pub(super) fn rename(&mut self, moves: &[Move]) {
        for lane in self.0.values_mut() {
            let taken = moves
                .iter()
                .filter_map(|Move { from, to }| Some((to, lane.queues.remove(&Some(from.clone()))?)));
            for (to, queue) in taken.collect::<Vec<_>>() {
                lane.join(to, queue);
            }
        }
    }

    /// Adds a delivery at the end of its queue.
    pub(super) fn queue(&mut self, delivery: &Delivery) {
        let lane = self.0.entry(delivery.channel.clone()).or_default();
        lane.waiting += 1;
        let queue = lane.queues.entry(delivery.slug.clone()).or_default();
        queue.push_back(delivery.number);
        if queue.len() == 1 {
            lane.ready.insert((Timestamp::MIN, delivery.number));
        }
    }

    /// What waits or is under way for a heartbeat's channel, in order.
    pub(super) fn queued(&self, channel: &ChannelName, slug: &Slug) -> impl Iterator<Item = u64> {
        let queue = self.0.get(channel).and_then(|lane| lane.queues.get(&Some(slug.clone())));
        queue.into_iter().flatten().copied()
    }

    /// How many tests of a channel wait or are under way.
    pub(super) fn tests(&self, channel: &ChannelName) -> usize {
        let lane = self.0.get(channel).and_then(|lane| lane.queues.get(&None));
        lane.map_or(0, VecDeque::len)
    }

    /// How many wait or are under way, by channel; one that has had some stays, with none.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&ChannelName, usize)> {
        self.0.iter().map(|(name, lane)| (name, lane.waiting))
    }

    /// When the next delivery may go.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let free = self.0.values().filter(|lane| lane.under_way.len() < PLACES);
        free.filter_map(|lane| lane.ready.first()).map(|(at, _)| *at).min()
    }

    /// What waits for a channel that is gone waits no longer: it is given up now, in plain sight.
    pub(super) fn hurry(&mut self, is_gone: impl Fn(&ChannelName) -> bool) {
        for (_, lane) in self.0.iter_mut().filter(|(name, _)| is_gone(name)) {
            lane.ready = lane.ready.iter().map(|(_, number)| (Timestamp::MIN, *number)).collect();
            lane.held.clear();
        }
    }

    /// Lets the queue of a waiting delivery go on now. Gives those of it that this concerns: the first one, if
    /// nothing of the queue is under way, and the one itself.
    pub(super) fn hurry_queue(&mut self, delivery: &Delivery) -> Vec<u64> {
        let Some(lane) = self.0.get_mut(&delivery.channel) else { return Vec::new() };
        let Some(first) = lane.queues.get(&delivery.slug).and_then(|queue| queue.front().copied()) else {
            return Vec::new();
        };
        let mut hurried = Vec::new();
        if lane.is_under_way(delivery.slug.as_ref()) {
            let queue = lane.queues.get(&delivery.slug).into_iter().flatten();
            lane.wished.extend(queue.filter(|number| lane.under_way.contains(number)));
            lane.held.entry(first).and_modify(|at| *at = Timestamp::MIN);
        } else {
            lane.ready.retain(|(_, number)| *number != first);
            lane.ready.insert((Timestamp::MIN, first));
            hurried.push(first);
        }
        if first != delivery.number {
            hurried.push(delivery.number);
        }
        hurried
    }

    /// Takes a delivery in that had been given up: before the younger ones of its queue, so that order holds. If one
    /// of those is under way, it goes when that has come back.
    pub(super) fn revive(&mut self, delivery: &Delivery) {
        let lane = self.0.entry(delivery.channel.clone()).or_default();
        lane.waiting += 1;
        let under_way = lane.is_under_way(delivery.slug.as_ref());
        let queue = lane.queues.entry(delivery.slug.clone()).or_default();
        let first = queue.front().copied();
        let place = queue.partition_point(|number| *number < delivery.number);
        queue.insert(place, delivery.number);
        if place == 0 && !under_way {
            lane.ready.retain(|(_, number)| Some(*number) != first);
            lane.ready.insert((Timestamp::MIN, delivery.number));
        }
    }

    /// Takes the next delivery that may go now.
    fn take(&mut self, now: Timestamp) -> Option<u64> {
        let lane = self.0.values_mut().find(|lane| {
            lane.under_way.len() < PLACES && lane.ready.first().is_some_and(|(at, _)| *at <= now)
        })?;
        let (_, number) = lane.ready.pop_first()?;
        lane.under_way.insert(number);
        Some(number)
    }

    /// A delivery is no longer under way. `again` is when it is tried again; without, it is done.
    fn settle(&mut self, delivery: &Delivery, again: Option<Timestamp>) {
        let number = delivery.number;
        let Some(lane) = self.0.get_mut(&delivery.channel) else { return };
        lane.under_way.remove(&number);
        let again = if lane.wished.remove(&number) { again.map(|_| Timestamp::MIN) } else { again };
        let Some(queue) = lane.queues.get_mut(&delivery.slug) else { return };
        if again.is_none() {
            let before = queue.len();
            queue.retain(|other| *other != number);
            lane.waiting -= before - queue.len();
        }
        let Some(first) = queue.front().copied() else {
            lane.queues.remove(&delivery.slug);
            return;
        };
        let own = again.filter(|_| first == number);
        if lane.is_under_way(delivery.slug.as_ref()) {
            // Two queues have become one: this one's place is taken until the other is back.
            lane.held.extend(own.map(|at| (number, at)));
        } else {
            // Itself again; or the next one; or one that has come to stand before it meanwhile. Nothing of a queue is
            // ready while another of it is under way.
            let at = own.or_else(|| lane.held.remove(&first)).unwrap_or(Timestamp::MIN);
            lane.ready.insert((at, first));
        }
    }
}

impl Lane {
    /// Puts a queue where another may be already: they become one, in the order of their numbers.
    fn join(&mut self, slug: &Slug, moved: VecDeque<u64>) {
        let queue = self.queues.entry(Some(slug.clone())).or_default();
        if queue.is_empty() {
            *queue = moved;
            return;
        }
        queue.extend(moved);
        queue.make_contiguous().sort_unstable();
        let Some(first) = queue.front().copied() else { return };
        // Of two that were first only one is.
        let of_queue = |number: &u64| queue.binary_search(number).is_ok();
        let waited = self.ready.iter().find(|(_, number)| *number == first).map(|(at, _)| *at);
        let waited = waited.or_else(|| self.held.remove(&first));
        self.ready.retain(|(_, number)| !of_queue(number));
        let at = waited.unwrap_or(Timestamp::MIN);
        if !self.under_way.iter().any(of_queue) {
            self.ready.insert((at, first));
        } else if !self.under_way.contains(&first) {
            self.held.insert(first, at);
        }
    }

    fn is_under_way(&self, slug: Option<&Slug>) -> bool {
        let queue = self.queues.get(&slug.cloned());
        queue.is_some_and(|queue| queue.iter().any(|number| self.under_way.contains(number)))
    }
}

impl Machine {
    /// Sends what may go.
    pub(super) fn dispatch(&mut self, now: Timestamp, out: &mut Transition) {
        let (steady, stepped) = (self.state.core.hearing.steady(now), self.state.core.hearing.stepped());
        for _ in 0..TURN {
            let Some(number) = self.lanes.take(steady) else { return };
            let Some(delivery) = self.state.core.outbox.get(&number) else { continue };
            let delivery = delivery.gone_along(stepped);
            if self.has_channel(&delivery.channel) {
                out.effects.push(Effect::Deliver(delivery));
            } else {
                let error = format!("the channel {} is no longer in the config", delivery.channel);
                let verdict = Verdict::Refused { status: None, error };
                self.attempted(number, Attempt { at: now, took: Span::ZERO, verdict }, now, out);
            }
        }
    }

    /// Says what becomes of a delivery after an attempt.
    pub(super) fn attempted(
        &mut self,
        number: u64,
        attempt: Attempt,
        now: Timestamp,
        out: &mut Transition,
    ) -> Reply {
        let Some(delivery) = self.state.core.outbox.get(&number) else { return Reply::Unknown };
        let delivery = delivery.gone_along(self.state.core.hearing.stepped());
        let next = match &attempt.verdict {
            Verdict::Delivered { .. } => Next::Delivered,
            Verdict::Refused { .. } => Next::GivenUp,
            Verdict::Failed { .. } if now >= delivery.give_up_at => Next::GivenUp,
            Verdict::Failed { retry_after, .. } => {
                let wait = backoff(&delivery).max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX));
                // The last try is at the very end of the time that it has.
                Next::Retry { at: (now + wait).min(delivery.give_up_at) }
            }
        };
        if let (Next::GivenUp, Verdict::Refused { error, .. } | Verdict::Failed { error, .. }) =
            (next, &attempt.verdict)
        {
            let (delivery, error) = (delivery.clone(), error.clone());
            out.effects.push(Effect::Tell(Tale::GaveUp { delivery, error }));
        }
        self.commit(Record::Attempted { at: now, number, attempt, next }, out);
        let again = match next {
            // Gone while this was under way: it is given up at once.
            Next::Retry { .. } if !self.has_channel(&delivery.channel) => Some(Timestamp::MIN),
            Next::Retry { at } => Some(self.state.core.hearing.steady(at)),
            Next::Delivered | Next::GivenUp => None,
        };
        self.lanes.settle(&delivery, again);
        Reply::Done
    }
}

/// The wait before the next attempt: 1 s, doubling to 10 minutes, less up to a fifth by a hash of id and
/// attempt, so that what failed together does not come back together.
fn backoff(delivery: &Delivery) -> Span {
    let doubled = Span::from_secs(1 << delivery.tries.min(10)).min(WAIT_MAX);
    let hash =
        crc32fast::hash(&[delivery.id.0.as_bytes().as_slice(), &delivery.tries.to_be_bytes()].concat());
    let fifth = doubled.as_millis() / 5;
    doubled.minus(Span::from_millis(i64::from(hash) % (fifth + 1)))
}
