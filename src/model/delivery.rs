//! One alert to one channel, with its attempts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::channel::ChannelName;
use crate::model::id::{DeliveryId, IncidentId, Slug};
use crate::model::incident::Alert;
use crate::model::time::{Span, Step, Timestamp};

/// One alert to one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its place in the order of all deliveries.
    pub number: u64,
    /// The `webhook-id`, the same on every attempt.
    pub id: DeliveryId,
    /// The heartbeat it speaks of; `None` for a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<Slug>,
    /// The incident it speaks of; `None` for a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// What it says.
    pub alert: Alert,
    /// Where it goes.
    pub channel: ChannelName,
    /// The JSON of the alert, fixed when it was queued.
    pub payload: Arc<str>,
    /// The template that turns the payload into the body; `None`: the payload is the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Arc<str>>,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// From when on a failure is final.
    pub give_up_at: Timestamp,
    /// The steps of the wall clock that its next attempt and its end have gone along with.
    #[serde(default, skip_serializing_if = "Step::is_zero")]
    pub stepped: Step,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub tries: u32,
    /// The newest attempts, at most [`Delivery::ATTEMPTS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
}

impl Delivery {
    /// Most attempts that are remembered.
    pub const ATTEMPTS_MAX: usize = 20;

    /// Goes along with the wall clock: what waits keeps its distance.
    pub(crate) fn go_along(&mut self, stepped: Step) {
        let by = stepped - self.stepped;
        self.stepped = stepped;
        if let DeliveryState::Waiting { next_at } = &mut self.state {
            *next_at = *next_at + by;
            self.give_up_at = self.give_up_at + by;
        }
    }

    /// As it is by the wall clock after these steps.
    pub(crate) fn gone_along(self: &Arc<Self>, stepped: Step) -> Arc<Self> {
        let mut delivery = self.clone();
        if delivery.stepped != stepped {
            Arc::make_mut(&mut delivery).go_along(stepped);
        }
        delivery
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// To be tried at this instant, or at once after a restart.
    Waiting {
        /// When.
        next_at: Timestamp,
    },
    /// A 2xx came.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// It will not be tried again.
    GivenUp {
        /// When.
        at: Timestamp,
    },
}

/// One try, as it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Span,
    /// How it ended.
    pub verdict: Verdict,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The receiver took it.
    Delivered {
        /// The HTTP status, when the channel speaks HTTP.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
    },
    /// It may go better later.
    Failed {
        /// The HTTP status, when one came.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// What went wrong, without any secret.
        error: String,
        /// How long the receiver asked to wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<Span>,
    },
    /// It will never go: 410, or the channel is gone.
    Refused {
        /// The HTTP status, when one came.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// What went wrong, without any secret.
        error: String,
    },
}
