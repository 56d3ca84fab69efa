//! What the loop and the disk's threads count and measure while they work, under the names by which Prometheus
//! knows it. Facts are counted from the records that hold them, so each once. Everything counts from the start
//! of the process. It never knows who reads it.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::machine::record::{Next, PingEffect, Pinged, Record};
use crate::machine::state::State;
use crate::model::channel::ChannelName;
use crate::model::delivery::{Attempt, Delivery, Verdict};
use crate::model::incident::{Alert, BlindWindow, Blindness};
use crate::model::ping::PingKind;
use crate::model::time::Timestamp;
use crate::store::{AppendError, Appended};

/// From a tenth of a millisecond, as a good disk syncs, to the ten seconds after which it counts as failing.
const DISK: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];
/// Up to a second is a busy machine; 2 s are a blind window.
const LAG: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0];
/// From the first attempt, through the retries, to a day, after which an alert is given up by default.
const LATENCY: [f64; 14] =
    [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 86_400.0];
/// A million heartbeats take some seconds.
const SNAPSHOT: [f64; 10] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0];

const KINDS: [&str; 6] = ["success", "start", "fail", "exit", "log", "ignored"];
const ALERTS: [&str; 4] = ["opened", "reminder", "resolved", "test"];
const WHYS: [&str; 4] = ["not_running", "stalled", "suspended", "clock_step"];
const OUTCOMES: [&str; 3] = ["delivered", "failed", "refused"];
const ENDS: [&str; 2] = ["delivered", "given_up"];

/// One label of few values, all known beforehand.
type Word = [(&'static str, &'static str); 1];
type OfChannel = [(&'static str, Arc<str>); 1];
type Latencies = Family<OfChannel, Histogram, fn() -> Histogram>;

/// All that is counted and measured. Clones are one and the same, and cheap.
#[derive(Debug, Clone)]
pub struct Measures(Arc<Instruments>);

#[derive(Debug)]
struct Instruments {
    pings: Family<Word, Counter>,
    /// The same counters in the order of [`KINDS`]: a ping is too frequent to look for its own.
    pings_by_kind: [Counter; KINDS.len()],
    alerts: Family<Word, Counter>,
    attempts: Family<(OfChannel, Word), Counter>,
    ended: Family<(OfChannel, Word), Counter>,
    latency: Latencies,
    blind: Family<Word, Counter<f64>>,
    append: Histogram,
    sync: Histogram,
    records: Counter,
    append_failures: Counter,
    snapshot: Histogram,
    snapshot_failures: Counter,
    lag: Histogram,
}

impl Default for Measures {
    fn default() -> Self {
        let pings = words("kind", &KINDS);
        Self(Arc::new(Instruments {
            pings_by_kind: KINDS.map(|kind| pings.get_or_create_owned(&[("kind", kind)])),
            pings,
            alerts: words("type", &ALERTS),
            attempts: Family::default(),
            ended: Family::default(),
            latency: Family::new_with_constructor(|| Histogram::new(LATENCY)),
            blind: words("why", &WHYS),
            append: Histogram::new(DISK),
            sync: Histogram::new(DISK),
            records: Counter::default(),
            append_failures: Counter::default(),
            snapshot: Histogram::new(SNAPSHOT),
            snapshot_failures: Counter::default(),
            lag: Histogram::new(LAG),
        }))
    }
}

/// A family that has every member from the start, at nought: what appears only with its first event hides that
/// event from whoever looks for a rise.
fn words<M: Default + Clone>(label: &'static str, values: &[&'static str]) -> Family<Word, M> {
    let family = Family::<Word, M>::default();
    for value in values {
        drop(family.get_or_create(&[(label, value)]));
    }
    family
}

impl Measures {
    /// Counts what became true, once `state` holds it.
    pub(super) fn count(&self, records: &[Record], state: &State) {
        for record in records {
            match record {
                Record::Pinged(pinged) => self.pinged(pinged),
                Record::Alerted(alerted) => self.alerted(alerted.alert),
                Record::Attempted { at, number, attempt, next } => {
                    if let Some(delivery) = find(state, *number) {
                        self.attempted(delivery, *at, attempt, *next);
                    }
                }
                Record::Blind { window, .. } => self.blind(*window),
                Record::Configured { .. } => self.expect(state),
                Record::Began { .. }
                | Record::Alive { .. }
                | Record::Stopped { .. }
                | Record::Stepped { .. }
                | Record::Rescheduled { .. }
                | Record::Declared(_)
                | Record::Renamed { .. }
                | Record::Removed { .. }
                | Record::Forgotten { .. }
                | Record::RunOverran { .. }
                | Record::PeriodsMissed { .. }
                | Record::Paused { .. }
                | Record::Resumed { .. }
                | Record::IncidentOpened(_)
                | Record::IncidentResolved { .. }
                | Record::Retried { .. } => {}
            }
        }
    }

    /// Makes the members of the families that have one for each channel.
    pub(super) fn expect(&self, state: &State) {
        let declared = state.core.channels.iter().map(|channel| channel.name.as_str());
        for channel in declared.chain([ChannelName::LOG]).map(of_channel) {
            for outcome in OUTCOMES {
                drop(self.0.attempts.get_or_create(&(channel.clone(), [("outcome", outcome)])));
            }
            for status in ENDS {
                drop(self.0.ended.get_or_create(&(channel.clone(), [("status", status)])));
            }
            drop(self.0.latency.get_or_create(&channel));
        }
    }

    fn pinged(&self, pinged: &Pinged) {
        let kind = match (&pinged.effect, pinged.kind) {
            (PingEffect::Ignored, _) => 5,
            (_, PingKind::Success) => 0,
            (_, PingKind::Start) => 1,
            (_, PingKind::Fail) => 2,
            (_, PingKind::Exit(_)) => 3,
            (_, PingKind::Log) => 4,
        };
        self.0.pings_by_kind[kind].inc();
    }

    fn alerted(&self, alert: Alert) {
        let word = match alert {
            Alert::Opened => ALERTS[0],
            Alert::Reminder => ALERTS[1],
            Alert::Resolved => ALERTS[2],
            Alert::Test => ALERTS[3],
        };
        self.0.alerts.get_or_create(&[("type", word)]).inc();
    }

    fn attempted(&self, delivery: &Delivery, at: Timestamp, attempt: &Attempt, next: Next) {
        let channel = of_channel(delivery.channel.as_str());
        let outcome = match attempt.verdict {
            Verdict::Delivered { .. } => OUTCOMES[0],
            Verdict::Failed { .. } => OUTCOMES[1],
            Verdict::Refused { .. } => OUTCOMES[2],
        };
        self.0.attempts.get_or_create(&(channel.clone(), [("outcome", outcome)])).inc();
        let status = match next {
            Next::Delivered => ENDS[0],
            Next::GivenUp => ENDS[1],
            Next::Retry { .. } => return,
        };
        // A test that fails shows whoever sends it, and nobody is to be woken by it.
        if delivery.alert != Alert::Test {
            self.0.ended.get_or_create(&(channel.clone(), [("status", status)])).inc();
        }
        if next == Next::Delivered {
            // After a step of the clock back it may have arrived before it was queued.
            let took = at.since(delivery.queued_at).to_std();
            self.0.latency.get_or_create(&channel).observe(took.as_secs_f64());
        }
    }

    fn blind(&self, window: BlindWindow) {
        let why = match window.why {
            Blindness::NotRunning => WHYS[0],
            Blindness::Stalled => WHYS[1],
            Blindness::Suspended => WHYS[2],
            Blindness::ClockStep => WHYS[3],
        };
        let seconds = window.to.since(window.from).to_std().as_secs_f64();
        self.0.blind.get_or_create(&[("why", why)]).inc_by(seconds);
    }

    /// An append of so many records is over.
    pub(super) fn appended(&self, records: usize, took: Duration, outcome: &Result<Appended, AppendError>) {
        match outcome {
            Ok(appended) => {
                self.0.records.inc_by(records as u64);
                self.0.append.observe(took.as_secs_f64());
                if let Some(sync) = appended.sync {
                    self.0.sync.observe(sync.as_secs_f64());
                }
            }
            Err(AppendError::Superseded { .. } | AppendError::Failed(_)) => {
                self.0.append_failures.inc();
            }
        }
    }

    /// A snapshot is written, or could not be.
    pub(super) fn snapshot(&self, took: Duration, good: bool) {
        if good {
            self.0.snapshot.observe(took.as_secs_f64());
        } else {
            self.0.snapshot_failures.inc();
        }
    }

    /// The loop turned so much later than it wished.
    pub(super) fn lagged(&self, by: Duration) {
        self.0.lag.observe(by.as_secs_f64());
    }

    /// Enters everything, each with its name and what it is.
    pub fn register(&self, into: &mut Registry) {
        let all = &*self.0;
        into.register(
            "pings",
            "Pings that were taken, by kind; those that did nothing (paused, or by a method that does not count) \
             only as ignored",
            all.pings.clone(),
        );
        into.register("alerts", "Alerts, by what they say of an incident", all.alerts.clone());
        into.register(
            "delivery_attempts",
            "Attempts at deliveries; failed ones are tried again, refused ones not",
            all.attempts.clone(),
        );
        into.register(
            "deliveries_ended",
            "Deliveries that ended, tests aside; one that was given up reached nobody",
            all.ended.clone(),
        );
        into.register_with_unit(
            "delivery_latency",
            "From the queueing of an alert to its delivery, waits between attempts included",
            Unit::Seconds,
            all.latency.clone(),
        );
        into.register_with_unit(
            "blind",
            "How long overdue could not hear pings in all, by what kept it from hearing",
            Unit::Seconds,
            all.blind.clone(),
        );
        self.register_disk(into);
        into.register_with_unit(
            "loop_lag",
            "How much later than it wished the loop turned; 2 s and more are a blind window",
            Unit::Seconds,
            all.lag.clone(),
        );
    }

    fn register_disk(&self, into: &mut Registry) {
        let all = &*self.0;
        into.register_with_unit(
            "journal_append",
            "How long it took to write a batch of records, the fsync included",
            Unit::Seconds,
            all.append.clone(),
        );
        into.register_with_unit(
            "journal_fsync",
            "How long the fsync of a batch took; none with durability relaxed",
            Unit::Seconds,
            all.sync.clone(),
        );
        into.register("journal_records", "Records that were written to the journal", all.records.clone());
        into.register(
            "journal_append_failures",
            "Batches of records that could not be written to the journal",
            all.append_failures.clone(),
        );
        into.register_with_unit(
            "snapshot",
            "How long it took to write a snapshot of the state",
            Unit::Seconds,
            all.snapshot.clone(),
        );
        into.register(
            "snapshot_failures",
            "Snapshots that could not be written",
            all.snapshot_failures.clone(),
        );
    }
}

fn of_channel(channel: &str) -> OfChannel {
    [("channel", channel.into())]
}

/// A delivery that waits or has just ended.
fn find(state: &State, number: u64) -> Option<&Delivery> {
    let ended = || state.core.ended.iter().rev().find(|delivery| delivery.number == number);
    state.core.outbox.get(&number).or_else(ended).map(|delivery| &**delivery)
}
