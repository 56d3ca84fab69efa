//! What became true, as a reader is told it at once: a word, a heartbeat and a few facts, made from a record. Pure.
//! It never holds what only some may see: a heartbeat's UUID, its ping URL, what a ping brought.

use serde::{Serialize, Serializer};

use crate::machine::record::{Alerted, Next, PingEffect, Pinged, Record};
use crate::machine::state::State;
use crate::machine::view::DeliveryStatus;
use crate::model::channel::ChannelName;
use crate::model::delivery::Verdict;
use crate::model::heartbeat::Source;
use crate::model::id::{DeliveryId, IncidentId, RunId, Seq, Slug};
use crate::model::incident::{Alert, BlindWindow, Blindness, Cause, Reason};
use crate::model::ping::PingKind;
use crate::model::run::Outcome;
use crate::model::time::{Span, Timestamp};

/// One thing that became true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The record that says so.
    pub seq: Seq,
    /// Whether that record has nothing more to tell.
    pub last: bool,
    /// When.
    pub at: Timestamp,
    /// Whose.
    pub heartbeat: Option<Slug>,
    /// What.
    pub what: What,
}

/// What became true, with the facts that its word stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "each field is the one of the same name in the record")]
pub enum What {
    /// A ping came.
    Ping {
        kind: PingWord,
        #[serde(skip_serializing_if = "Option::is_none")]
        exit_code: Option<u8>,
        ignored: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<RunId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        outcome: Option<Outcome>,
        #[serde(skip_serializing_if = "Option::is_none")]
        duration_ms: Option<i64>,
    },
    /// A heartbeat appeared, came back or changed.
    Declared { source: Source, put_back: bool },
    /// A heartbeat left.
    Removed {},
    /// A heartbeat has another slug.
    Renamed { from: Slug },
    /// A heartbeat was paused.
    Paused { until: Option<Timestamp> },
    /// A pause ended.
    Resumed {},
    /// Periods passed without a ping.
    Missed { periods: u32 },
    /// A run did not finish in time.
    Overran { run: RunId },
    /// A heartbeat went down.
    Opened {
        incident: IncidentId,
        cause: Cause,
        exit_code: Option<u8>,
        run: Option<RunId>,
        maybe_unheard: bool,
    },
    /// It is down still.
    Reminder { incident: Option<IncidentId> },
    /// It recovered, or nobody waits for it any more.
    Resolved { incident: IncidentId, reason: Reason },
    /// An alert waits to be sent, for the first time or again.
    Queued { delivery: DeliveryId, channel: ChannelName, alert: AlertWord },
    /// An alert was tried.
    Attempted {
        delivery: Option<DeliveryId>,
        channel: Option<ChannelName>,
        alert: Option<AlertWord>,
        #[serde(rename = "delivery_status")]
        becomes: DeliveryStatus,
        status: Option<u16>,
    },
    /// Pings could not be heard.
    Blind(BlindWindow),
}

/// A kind of ping by its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PingWord(pub PingKind);

impl Serialize for PingWord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.word())
    }
}

/// An alert by the `type` of its webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertWord(pub Alert);

impl Serialize for AlertWord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.event_type())
    }
}

impl What {
    /// Its word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Ping { .. } => "ping",
            Self::Declared { .. } => "heartbeat.declared",
            Self::Removed {} => "heartbeat.removed",
            Self::Renamed { .. } => "heartbeat.renamed",
            Self::Paused { .. } => "heartbeat.paused",
            Self::Resumed {} => "heartbeat.resumed",
            Self::Missed { .. } => "heartbeat.missed",
            Self::Overran { .. } => "run.overran",
            Self::Opened { .. } => "incident.opened",
            Self::Reminder { .. } => "incident.reminder",
            Self::Resolved { .. } => "incident.resolved",
            Self::Queued { .. } => "delivery.queued",
            Self::Attempted { .. } => "delivery.attempted",
            Self::Blind(_) => "blind",
        }
    }
}

impl News {
    /// Adds what a record, the one of this number, has to tell: mostly one thing, sometimes none or several. The state is
    /// that in which it is true.
    pub fn tell(seq: Seq, record: &Record, state: &State, into: &mut Vec<Self>) {
        let before = into.len();
        let at = record.at();
        let mut add = |heartbeat: Option<&Slug>, what| {
            into.push(Self { seq, last: false, at, heartbeat: heartbeat.cloned(), what });
        };
        match record {
            // Of no interest to readers, or told by what follows from them.
            Record::Began { .. }
            | Record::Alive { .. }
            | Record::Stopped { .. }
            | Record::Rescheduled { .. }
            | Record::Configured { .. }
            | Record::Forgotten { .. }
            | Record::Stepped { told: false, .. } => {}
            Record::Stepped { at, by, told: true } => {
                add(None, What::Blind(BlindWindow { from: *at - *by, to: *at, why: Blindness::ClockStep }));
            }
            Record::Blind { window, .. } => add(None, What::Blind(*window)),
            Record::Declared(declared) => {
                let what = What::Declared { source: declared.source, put_back: declared.put_back };
                add(Some(&declared.heartbeat.slug), what);
            }
            Record::Renamed { moves, .. } => {
                for moved in moves {
                    add(Some(&moved.to), What::Renamed { from: moved.from.clone() });
                }
            }
            Record::Removed { slug, .. } => add(Some(slug), What::Removed {}),
            Record::Pinged(pinged) => add(Some(&pinged.slug), ping(pinged)),
            Record::RunOverran { slug, run, .. } => add(Some(slug), What::Overran { run: *run }),
            Record::PeriodsMissed { slug, periods, .. } => {
                add(Some(slug), What::Missed { periods: *periods });
            }
            Record::Paused { slug, until, .. } => add(Some(slug), What::Paused { until: *until }),
            Record::Resumed { slug, .. } => add(Some(slug), What::Resumed {}),
            Record::IncidentOpened(opened) => {
                let what = What::Opened {
                    incident: opened.incident,
                    cause: opened.cause,
                    exit_code: opened.exit_code,
                    run: opened.run,
                    maybe_unheard: opened.maybe_unheard,
                };
                add(Some(&opened.slug), what);
            }
            Record::IncidentResolved { slug, incident, reason, .. } => {
                add(Some(slug), What::Resolved { incident: *incident, reason: *reason });
            }
            Record::Alerted(alerted) => alert(alerted, add),
            Record::Attempted { number, attempt, next, .. } => {
                let delivery = state.delivery_of_number(*number);
                let what = What::Attempted {
                    delivery: delivery.map(|delivery| delivery.id),
                    channel: delivery.map(|delivery| delivery.channel.clone()),
                    alert: delivery.map(|delivery| AlertWord(delivery.alert)),
                    becomes: status_after(*next),
                    status: http_status(&attempt.verdict),
                };
                add(delivery.and_then(|delivery| delivery.slug.as_ref()), what);
            }
            Record::Retried { number, .. } => {
                if let Some(delivery) = state.delivery_of_number(*number) {
                    let (channel, alert) = (delivery.channel.clone(), AlertWord(delivery.alert));
                    add(delivery.slug.as_ref(), What::Queued { delivery: delivery.id, channel, alert });
                }
            }
        }
        if let Some(last) = into[before..].last_mut() {
            last.last = true;
        }
    }
}

fn ping(pinged: &Pinged) -> What {
    let (run, outcome, duration) = match &pinged.effect {
        PingEffect::Ignored | PingEffect::Logged => (None, None, None),
        PingEffect::Started { run, .. } => (Some(run.id), None, None),
        PingEffect::Finished { run, outcome, duration, .. } => (Some(*run), Some(*outcome), *duration),
    };
    What::Ping {
        kind: PingWord(pinged.kind),
        exit_code: pinged.kind.exit_code(),
        ignored: pinged.effect == PingEffect::Ignored,
        run,
        outcome,
        duration_ms: duration.map(Span::as_millis),
    }
}

fn alert(alerted: &Alerted, mut add: impl FnMut(Option<&Slug>, What)) {
    if alerted.alert == Alert::Reminder {
        add(alerted.slug.as_ref(), What::Reminder { incident: alerted.incident });
    }
    for queued in &alerted.deliveries {
        let (channel, alert) = (queued.channel.clone(), AlertWord(alerted.alert));
        add(alerted.slug.as_ref(), What::Queued { delivery: queued.id, channel, alert });
    }
}

fn status_after(next: Next) -> DeliveryStatus {
    match next {
        Next::Delivered => DeliveryStatus::Delivered,
        Next::Retry { .. } => DeliveryStatus::Waiting,
        Next::GivenUp => DeliveryStatus::GivenUp,
    }
}

fn http_status(verdict: &Verdict) -> Option<u16> {
    match verdict {
        Verdict::Delivered { status } | Verdict::Failed { status, .. } | Verdict::Refused { status, .. } => {
            *status
        }
    }
}

/// As a reader gets it: its word, when and whose first, then the facts.
impl Serialize for News {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Line<'a> {
            #[serde(rename = "type")]
            word: &'static str,
            at: Timestamp,
            heartbeat: Option<&'a Slug>,
            #[serde(flatten)]
            what: &'a What,
        }
        let (word, at, heartbeat) = (self.what.word(), self.at, self.heartbeat.as_ref());
        Line { word, at, heartbeat, what: &self.what }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests;
