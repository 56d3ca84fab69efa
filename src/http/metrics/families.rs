//! What is asked for when somebody wants the numbers, as families with their names, units and what they are. It knows
//! neither who asks nor how they are written down.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::http::ConfigHealth;
use crate::machine::view::{HeartbeatCounts, Reading, Waiting};
use crate::model::time::Timestamp;

/// Everything that is asked for.
#[derive(Debug)]
pub(super) struct Numbers {
    /// Since when the process lives.
    pub(super) began_at: Timestamp,
    /// Heartbeats by status.
    pub(super) heartbeats: HeartbeatCounts,
    /// Incidents that are open.
    pub(super) open_incidents: usize,
    /// The numbers of each heartbeat, unless there are too many.
    pub(super) readings: Option<Vec<Reading>>,
    /// Deliveries that wait.
    pub(super) waiting: Waiting,
    /// Whether the journal takes records.
    pub(super) writable: bool,
    /// How the config stands.
    pub(super) config: ConfigNumbers,
    /// Pings that were one too many, by the limit.
    pub(super) refused: [(&'static str, u64); 3],
    /// Other requests that were one too many.
    pub(super) requests_refused: u64,
    /// Connections that are open.
    pub(super) connections: usize,
}

/// How the config stands, in numbers.
#[derive(Debug)]
pub(super) struct ConfigNumbers {
    pub(super) ok: bool,
    pub(super) loaded_at: Timestamp,
    pub(super) problems: usize,
    pub(super) warnings: usize,
}

impl ConfigNumbers {
    /// Of how it stands now.
    pub(super) fn of(config: &ConfigHealth) -> Self {
        Self {
            ok: config.ok,
            loaded_at: config.loaded_at,
            problems: config.problems.len(),
            warnings: config.warnings_total,
        }
    }
}

/// About how many bytes the text of one heartbeat has, and of everything else.
const BYTES: (usize, usize) = (1_000, 20_000);

impl Numbers {
    /// How many heartbeats are shown one by one.
    pub(super) fn shown(&self) -> usize {
        self.readings.as_ref().map_or(0, Vec::len)
    }

    /// About how many bytes they are as text.
    pub(super) fn length(&self) -> usize {
        self.shown() * BYTES.0 + BYTES.1
    }
}

impl Collector for Numbers {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Out(encoder);
        self.daemon(&mut out)?;
        self.sums(&mut out)?;
        self.deliveries(&mut out)?;
        match &self.readings {
            Some(readings) if !readings.is_empty() => {
                instants(&mut out, readings)?;
                counts(&mut out, readings)
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Numbers {
    fn daemon(&self, out: &mut Out<'_>) -> fmt::Result {
        out.0
            .encode_descriptor("build", "Which overdue this is.", None, MetricType::Info)?
            .encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
        out.seconds("start_time", "When the daemon started, in seconds since 1970.", seconds(self.began_at))?;
        out.one(
            "journal_writable",
            "Whether the journal can be written: 0 means that pings are answered 503.",
            self.writable.into(),
        )?;
        out.one(
            "config_last_reload_successful",
            "Whether the config file as it is now is what is in force.",
            self.config.ok.into(),
        )?;
        out.seconds(
            "config_last_reload_success_timestamp",
            "When the config that is in force was read, in seconds since 1970.",
            seconds(self.config.loaded_at),
        )?;
        out.one(
            "config_problems",
            "Problems for which the config file as it is now is not in force.",
            self.config.problems as u64,
        )?;
        out.one(
            "config_warnings",
            "What is in force of the config but probably not meant.",
            self.config.warnings as u64,
        )?;
        let help = "Pings that were answered 429, by the limit that they were above.";
        let mut family = out.family("pings_refused", help, None, MetricType::Counter)?;
        for (limit, refused) in self.refused {
            count(family.encode_family(&[("limit", limit)])?, refused)?;
        }
        let help = "Requests but for pings that were answered 429, by the limit that they were above.";
        let mut family = out.family("requests_refused", help, None, MetricType::Counter)?;
        count(family.encode_family(&[("limit", "address")])?, self.requests_refused)?;
        out.one("http_connections", "Connections that are open.", self.connections as u64)
    }

    fn sums(&self, out: &mut Out<'_>) -> fmt::Result {
        let counts = &self.heartbeats;
        let by_status = [
            ("new", counts.new),
            ("up", counts.up),
            ("late", counts.late),
            ("down", counts.down),
            ("paused", counts.paused),
        ];
        let mut family = out.family("heartbeats", "Heartbeats by status.", None, MetricType::Gauge)?;
        for (status, count) in by_status {
            family.encode_family(&[("status", status)])?.encode_gauge(&count)?;
        }
        out.one(
            "heartbeats_running",
            "Heartbeats of which a run is open, whatever their status.",
            counts.running,
        )?;
        out.one("incidents_open", "Incidents that are open.", self.open_incidents as u64)?;
        out.one(
            "heartbeat_series_enabled",
            "Whether each heartbeat has series of its own: not with more of them than server.metrics_heartbeats.",
            self.readings.is_some().into(),
        )
    }

    fn deliveries(&self, out: &mut Out<'_>) -> fmt::Result {
        let help = "Deliveries that wait or are under way, by channel.";
        let mut family = out.family("deliveries_waiting", help, None, MetricType::Gauge)?;
        for (channel, waiting) in &self.waiting.by_channel {
            family.encode_family(&[("channel", channel.as_str())])?.encode_gauge(&(*waiting as u64))?;
        }
        let Some(oldest) = self.waiting.oldest else { return Ok(()) };
        out.seconds(
            "deliveries_oldest_queued_timestamp",
            "When the delivery was queued that has waited longest, in seconds since 1970; not there while none waits.",
            seconds(oldest),
        )
    }
}

fn instants(out: &mut Out<'_>, readings: &[Reading]) -> fmt::Result {
    let at = |instant: Option<Timestamp>| instant.map(seconds);
    out.each(
        "heartbeat_last_ping_timestamp",
        "When the last ping came that was not ignored, in seconds since 1970.",
        readings,
        |reading| at(reading.last_ping),
    )?;
    out.each(
        "heartbeat_last_success_timestamp",
        "When the last good finish came, in seconds since 1970.",
        readings,
        |reading| at(reading.last_success),
    )?;
    out.each(
        "heartbeat_next_due_timestamp",
        "When the next finish is expected, in seconds since 1970; not there while none is.",
        readings,
        |reading| at(reading.due),
    )?;
    out.each(
        "heartbeat_last_duration",
        "How long the last run took that had a start and a finish.",
        readings,
        |reading| reading.last_duration.map(|span| span.as_millis() as f64 / 1_000.0),
    )
}

fn counts(out: &mut Out<'_>, readings: &[Reading]) -> fmt::Result {
    let help = "1 while no incident is open, new and paused ones too; 0 while the heartbeat is down.";
    let mut family = out.family("heartbeat_up", help, None, MetricType::Gauge)?;
    for reading in readings {
        family.encode_family(&of(reading))?.encode_gauge(&u32::from(!reading.down))?;
    }
    let help = "Runs that failed or overran and periods that were missed since the last success.";
    let mut family = out.family("heartbeat_consecutive_failures", help, None, MetricType::Gauge)?;
    for reading in readings {
        family.encode_family(&of(reading))?.encode_gauge(&reading.consecutive_failures)?;
    }
    let help = "Pings ever, ignored ones too.";
    let mut family = out.family("heartbeat_pings", help, None, MetricType::Counter)?;
    for reading in readings {
        count(family.encode_family(&of(reading))?, reading.pings)?;
    }
    let help = "Runs that ended ever, by outcome; abandoned ones were superseded, paused or removed.";
    let mut family = out.family("heartbeat_runs", help, None, MetricType::Counter)?;
    for reading in readings {
        let ended = &reading.ended;
        let by_outcome = [
            ("success", ended.success),
            ("failure", ended.failure),
            ("overran", ended.overran),
            ("abandoned", ended.abandoned),
        ];
        for (outcome, ended) in by_outcome {
            let labels = [("heartbeat", reading.slug.as_str()), ("outcome", outcome)];
            count(family.encode_family(&labels)?, u64::from(ended))?;
        }
    }
    Ok(())
}

fn of(reading: &Reading) -> [(&'static str, &str); 1] {
    [("heartbeat", reading.slug.as_str())]
}

fn count(mut out: MetricEncoder<'_>, value: u64) -> fmt::Result {
    out.encode_counter::<NoLabelSet, _, u64>(&value, None)
}

fn seconds(instant: Timestamp) -> f64 {
    instant.as_millis() as f64 / 1_000.0
}

/// Where families are written to.
struct Out<'o>(DescriptorEncoder<'o>);

impl Out<'_> {
    fn family<'s>(
        &'s mut self,
        name: &'static str,
        help: &str,
        unit: Option<&'s Unit>,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, unit, kind)
    }

    /// A number that stands alone.
    fn one(&mut self, name: &'static str, help: &str, value: u64) -> fmt::Result {
        self.family(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn seconds(&mut self, name: &'static str, help: &str, value: f64) -> fmt::Result {
        self.family(name, help, Some(&Unit::Seconds), MetricType::Gauge)?.encode_gauge(&value)
    }

    /// Seconds for each heartbeat that has them.
    fn each(
        &mut self,
        name: &'static str,
        help: &str,
        readings: &[Reading],
        value: impl Fn(&Reading) -> Option<f64>,
    ) -> fmt::Result {
        let mut family = self.family(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
        for reading in readings {
            if let Some(value) = value(reading) {
                family.encode_family(&of(reading))?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }
}
