//! Deliveries, waiting and ended, each with its attempts.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::machine::view::{Page, View, gather};
use crate::model::channel::ChannelName;
use crate::model::delivery::{Attempt, Delivery, DeliveryState, Verdict};
use crate::model::id::{DeliveryId, IncidentId, Slug};
use crate::model::time::{Span, Timestamp};

/// What an attempt adds to a page, about.
const ATTEMPT_BYTES: usize = 200;

/// One alert to one channel.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    /// Its id: the `webhook-id`, the same on every attempt.
    pub id: DeliveryId,
    /// Where it goes.
    pub channel: ChannelName,
    /// What it says: the `type` of the webhook.
    #[serde(rename = "type")]
    #[schema(value_type = EventType)]
    pub event_type: &'static str,
    /// The slug of the heartbeat that it speaks of; null for a test.
    pub heartbeat: Option<Slug>,
    /// The incident that it speaks of; null for a test.
    pub incident: Option<IncidentId>,
    /// How it stands.
    pub status: DeliveryStatus,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// From when on a failed attempt is the last one.
    pub give_up_at: Timestamp,
    /// When it is tried next; in the past when it is under way or its turn has not come; null when it has ended.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was delivered or given up; null while it waits.
    pub ended_at: Option<Timestamp>,
    /// How often it was tried.
    pub tries: u32,
    /// The newest 20 attempts, oldest first.
    pub attempts: Vec<AttemptView>,
}

/// What an alert says.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes `Alert::event_type`")]
enum EventType {
    #[schema(rename = "incident.opened")]
    Opened,
    #[schema(rename = "incident.reminder")]
    Reminder,
    #[schema(rename = "incident.resolved")]
    Resolved,
    #[schema(rename = "test")]
    Test,
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It waits for its turn or for its next attempt, or is under way.
    Waiting,
    /// The receiver took it.
    Delivered,
    /// It will not be tried again, unless somebody wants it.
    GivenUp,
}

/// One try of a delivery.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptView {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// How it ended: `delivered`, `failed` (it may go better later) or `refused` (it will never go).
    #[schema(value_type = VerdictWord)]
    pub outcome: &'static str,
    /// The HTTP status of the answer, when one came.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
    /// How long the receiver asked to wait, in seconds.
    pub retry_after_seconds: Option<i64>,
}

/// How an attempt ended.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "it describes `AttemptView::outcome`")]
enum VerdictWord {
    Delivered,
    Failed,
    Refused,
}

/// Which deliveries are wanted; what is `None` asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is the query parameter of the same name")]
pub struct DeliveryFilter {
    pub status: Option<DeliveryStatus>,
    pub channel: Option<String>,
    pub heartbeat: Option<String>,
    pub incident: Option<IncidentId>,
}

impl View<'_> {
    /// One delivery.
    pub fn delivery(&self, id: DeliveryId) -> Option<DeliveryView> {
        let stepped = self.machine.state.core.hearing.stepped();
        self.machine.state.delivery(id).map(|delivery| DeliveryView::new(&delivery.gone_along(stepped)))
    }

    /// The deliveries that were queued before the one of this number, newest first.
    pub fn deliveries(
        &self,
        filter: &DeliveryFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Page<DeliveryView, u64> {
        let core = &self.machine.state.core;
        let (before, stepped) = (before.unwrap_or(u64::MAX), core.hearing.stepped());
        let mut ended: Vec<&Arc<Delivery>> = core.ended.iter().filter(|d| d.number < before).collect();
        ended.sort_unstable_by_key(|delivery| std::cmp::Reverse(delivery.number));
        let mut ended = ended.into_iter().peekable();
        let mut waiting = core.outbox.range(..before).rev().map(|(_, delivery)| delivery).peekable();
        let newest_first = std::iter::from_fn(move || match (waiting.peek(), ended.peek()) {
            (Some(one), Some(other)) if one.number < other.number => ended.next(),
            (Some(_), _) => waiting.next(),
            (None, _) => ended.next(),
        });
        let weight = |delivery: &&Arc<Delivery>| delivery.attempts.len() * ATTEMPT_BYTES;
        let page = gather(newest_first, limit, |d| d.number, |d| filter.lets_through(d), weight);
        Page {
            items: page.items.into_iter().map(|d| DeliveryView::new(&d.gone_along(stepped))).collect(),
            next: page.next,
            bytes: 0,
        }
    }
}

impl DeliveryFilter {
    fn lets_through(&self, delivery: &Delivery) -> bool {
        let slug = delivery.slug.as_ref().map(Slug::as_str);
        self.status.is_none_or(|wanted| DeliveryStatus::of(delivery) == wanted)
            && self.channel.as_deref().is_none_or(|wanted| delivery.channel.as_str() == wanted)
            && self.heartbeat.as_deref().is_none_or(|wanted| slug == Some(wanted))
            && self.incident.is_none_or(|wanted| delivery.incident == Some(wanted))
    }
}

impl DeliveryStatus {
    pub(super) fn of(delivery: &Delivery) -> Self {
        match delivery.state {
            DeliveryState::Waiting { .. } => Self::Waiting,
            DeliveryState::Delivered { .. } => Self::Delivered,
            DeliveryState::GivenUp { .. } => Self::GivenUp,
        }
    }
}

impl DeliveryView {
    fn new(delivery: &Delivery) -> Self {
        let (next_attempt_at, ended_at) = match delivery.state {
            DeliveryState::Waiting { next_at } => (Some(next_at), None),
            DeliveryState::Delivered { at } | DeliveryState::GivenUp { at } => (None, Some(at)),
        };
        Self {
            id: delivery.id,
            channel: delivery.channel.clone(),
            event_type: delivery.alert.event_type(),
            heartbeat: delivery.slug.clone(),
            incident: delivery.incident,
            status: DeliveryStatus::of(delivery),
            queued_at: delivery.queued_at,
            give_up_at: delivery.give_up_at,
            next_attempt_at,
            ended_at,
            tries: delivery.tries,
            attempts: delivery.attempts.iter().map(AttemptView::new).collect(),
        }
    }
}

impl AttemptView {
    fn new(attempt: &Attempt) -> Self {
        let (outcome, status, error, retry_after) = match &attempt.verdict {
            Verdict::Delivered { status } => ("delivered", *status, None, None),
            Verdict::Failed { status, error, retry_after } => {
                ("failed", *status, Some(error.clone()), *retry_after)
            }
            Verdict::Refused { status, error } => ("refused", *status, Some(error.clone()), None),
        };
        Self {
            at: attempt.at,
            duration_ms: attempt.took.as_millis(),
            outcome,
            status,
            error,
            retry_after_seconds: retry_after.map(Span::as_secs),
        }
    }
}
