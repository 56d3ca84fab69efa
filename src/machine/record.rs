//! Every fact that the journal can hold. A record says what became true and when; whoever replays it
//! decides nothing, so the instants that follow from a decision (due, deadline) are in the record.
//!
//! A field may be added with a default; none may change its meaning. What old versions wrote is read
//! for ever.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::channel::{Channel, ChannelName};
use crate::model::delivery::Attempt;
use crate::model::heartbeat::{Declaration, Draft, Source};
use crate::model::id::{DeliveryId, IncidentId, Life, RunId, Slug};
use crate::model::incident::{Alert, BlindWindow, Cause, NamedWindow, Reason};
use crate::model::ping::{Body, Method, PingKind};
use crate::model::run::{OpenRun, Outcome};
use crate::model::settings::Settings;
use crate::model::time::{Boot, Span, Step, Timestamp};

#[cfg(test)]
pub(crate) mod samples;

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// The process began to live.
    Began {
        at: Timestamp,
        life: Life,
        version: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        boot: Option<Boot>,
    },
    /// It lived at this instant.
    Alive { at: Timestamp },
    /// It ended in good order.
    Stopped { at: Timestamp },
    /// Pings could not be heard.
    Blind { at: Timestamp, window: BlindWindow },
    /// The wall clock was set, and shows `at` now; `told` when that is a blind window for people.
    Stepped {
        at: Timestamp,
        by: Step,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        told: bool,
    },
    /// The wall clock was set, and a calendar's next due is another.
    Rescheduled {
        at: Timestamp,
        slug: Slug,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Timestamp>,
        /// What the due was before that, should the step be undone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Timestamp>,
    },
    /// Settings and channels took effect.
    Configured { at: Timestamp, settings: Box<Settings>, channels: Arc<[Channel]> },
    /// A heartbeat appeared, came back, or changed.
    Declared(Box<Declared>),
    /// Heartbeats got new slugs, all at once.
    Renamed { at: Timestamp, moves: Vec<Move> },
    /// A heartbeat left; its runs are abandoned, its state is kept for a while.
    Removed { at: Timestamp, slug: Slug },
    /// The state of a heartbeat that left was dropped.
    Forgotten { at: Timestamp, slug: Slug },
    /// A ping came.
    Pinged(Box<Pinged>),
    /// A run did not finish in time.
    RunOverran { at: Timestamp, slug: Slug, run: RunId },
    /// Periods passed without a ping; `due` is the next one's.
    PeriodsMissed {
        at: Timestamp,
        slug: Slug,
        periods: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Timestamp>,
    },
    /// A heartbeat was paused; its runs are abandoned.
    Paused {
        at: Timestamp,
        slug: Slug,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A pause ended.
    Resumed {
        at: Timestamp,
        slug: Slug,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Timestamp>,
    },
    /// A heartbeat went down.
    IncidentOpened(Box<IncidentOpened>),
    /// It recovered, or nobody waits for it any more.
    IncidentResolved { at: Timestamp, slug: Slug, incident: IncidentId, reason: Reason },
    /// An alert was queued, one delivery per channel.
    Alerted(Box<Alerted>),
    /// A delivery was tried.
    Attempted { at: Timestamp, number: u64, attempt: Attempt, next: Next },
    /// Somebody wants a delivery to be tried now, even one that was given up.
    Retried { at: Timestamp, number: u64, give_up_at: Timestamp },
}

/// A heartbeat appeared, came back, or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// When.
    pub at: Timestamp,
    /// Who says so.
    pub source: Source,
    /// What it is now.
    pub heartbeat: Arc<Declaration>,
    /// What the API was told, so that `[defaults]` apply live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<Arc<Draft>>,
    /// Whether it had left and came back: its due counts from now, and `down` becomes `up`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub put_back: bool,
    /// The next due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// New deadlines of open runs, when `max_runtime` changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub run_deadlines: Vec<(RunId, Timestamp)>,
    /// Until when open runs put the schedule's deadline off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover_until: Option<Timestamp>,
}

/// A heartbeat's new slug.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// As it was.
    pub from: Slug,
    /// As it is.
    pub to: Slug,
}

/// A ping came, and this is what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinged {
    /// When its head was read.
    pub at: Timestamp,
    /// Whose it is.
    pub slug: Slug,
    /// What it says.
    pub kind: PingKind,
    /// What it calls its run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<Uuid>,
    /// How it came.
    pub method: Method,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// What it brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// What followed.
    pub effect: PingEffect,
}

/// What followed from a ping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PingEffect {
    /// Nothing: the heartbeat is paused, or takes no pings by this method.
    Ignored,
    /// Nothing but that it is on record.
    Logged,
    /// A run opened; others may have been abandoned for it.
    Started {
        /// The new run.
        run: OpenRun,
        /// Runs that closed as abandoned.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        abandoned: Vec<RunId>,
        /// The due, set by the first start of a heartbeat that awaited one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Timestamp>,
        /// Until when open runs put the schedule's deadline off.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cover_until: Option<Timestamp>,
    },
    /// A run ended.
    Finished {
        /// Which: open, overran, or of its own.
        run: RunId,
        /// How. An overran run stays so, whatever its late finish says.
        outcome: Outcome,
        /// From start to finish.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration: Option<Span>,
        /// The next due.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Timestamp>,
    },
}

/// A heartbeat went down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentOpened {
    /// The deadline that passed, or the failing ping's instant.
    pub at: Timestamp,
    /// Whose.
    pub slug: Slug,
    /// Its id.
    pub incident: IncidentId,
    /// Why.
    pub cause: Cause,
    /// The failing ping's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// The run concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// When the missed period was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Blind windows since the last finish, the newest ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blind: Vec<NamedWindow>,
    /// Whether one of them overlaps the time from due to deadline.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub maybe_unheard: bool,
    /// Where its alerts go.
    pub channels: Vec<ChannelName>,
}

/// An alert was queued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alerted {
    /// When.
    pub at: Timestamp,
    /// Whose; `None` for a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<Slug>,
    /// Of which incident; `None` for a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// What it says.
    pub alert: Alert,
    /// Its JSON.
    pub payload: Arc<str>,
    /// One per channel.
    pub deliveries: Vec<Queued>,
    /// When the incident is told again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_at: Option<Timestamp>,
}

/// One delivery of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// Its place in the order of all deliveries.
    pub number: u64,
    /// The `webhook-id`.
    pub id: DeliveryId,
    /// Where it goes.
    pub channel: ChannelName,
    /// The template that its body is made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Arc<str>>,
    /// From when on a failure is final.
    pub give_up_at: Timestamp,
}

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// It is done.
    Delivered,
    /// It is tried again at this instant.
    Retry {
        /// When.
        at: Timestamp,
    },
    /// It is not tried again.
    GivenUp,
}

impl Record {
    /// When it became true.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Began { at, .. }
            | Self::Alive { at }
            | Self::Stopped { at }
            | Self::Blind { at, .. }
            | Self::Stepped { at, .. }
            | Self::Rescheduled { at, .. }
            | Self::Configured { at, .. }
            | Self::Renamed { at, .. }
            | Self::Removed { at, .. }
            | Self::Forgotten { at, .. }
            | Self::RunOverran { at, .. }
            | Self::PeriodsMissed { at, .. }
            | Self::Paused { at, .. }
            | Self::Resumed { at, .. }
            | Self::IncidentResolved { at, .. }
            | Self::Attempted { at, .. }
            | Self::Retried { at, .. } => *at,
            Self::Declared(declared) => declared.at,
            Self::Pinged(pinged) => pinged.at,
            Self::IncidentOpened(opened) => opened.at,
            Self::Alerted(alerted) => alerted.at,
        }
    }
}
