//! The JSON of an alert: one shape for every receiver. It is made once, when the alert is queued. The
//! heartbeat's UUID is a secret and is never in it.

use serde::Serialize;

use crate::machine::beat::Beat;
use crate::machine::incident::About;
use crate::machine::summary;
use crate::machine::view::{IncidentView, RunView};
use crate::model::channel::ChannelName;
use crate::model::heartbeat::Status;
use crate::model::id::{IncidentId, Slug};
use crate::model::incident::{Alert, Cause, Incident};
use crate::model::schedule::Timing;
use crate::model::time::{Span, Timestamp};

/// Bytes of the last ping's body that an alert carries.
const LAST_BODY_MAX: usize = 2_048;

#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    event_type: &'static str,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    incident: IncidentView,
    run: Option<RunView>,
    heartbeat: AlertHeartbeat<'a>,
    summary: &'a str,
}

#[derive(Serialize)]
struct AlertHeartbeat<'a> {
    slug: &'a Slug,
    name: &'a str,
    description: &'a str,
    tags: &'a [String],
    host: Option<&'a str>,
    status: Status,
    previous_status: Status,
    schedule: String,
    timezone: Option<&'a str>,
    interval_seconds: Option<i64>,
    grace_seconds: i64,
    max_runtime_seconds: i64,
    last_ping_at: Option<Timestamp>,
    next_due_at: Option<Timestamp>,
    next_deadline_at: Option<Timestamp>,
    consecutive_failures: u32,
    last_body: Option<String>,
}

/// The JSON by which a channel is tried: the same keys, with a heartbeat that does not exist.
pub(super) fn sample(channel: &ChannelName, incident: IncidentId, now: Timestamp, base_url: &str) -> String {
    let slug = Slug::new("sample").expect("it has the shape of a slug");
    let day = Span::from_secs(86_400);
    let opened = Incident::new(incident, Cause::Missed, now);
    let envelope = Envelope {
        event_type: Alert::Test.event_type(),
        timestamp: now,
        data: Data {
            incident: IncidentView::new(&opened, &slug, base_url),
            run: None,
            heartbeat: AlertHeartbeat {
                slug: &slug,
                name: "Sample",
                description: "This heartbeat does not exist. Somebody tries the channel.",
                tags: &["test".to_owned()],
                host: None,
                status: Status::Down,
                previous_status: Status::Late,
                schedule: Timing::Interval(day).to_string(),
                timezone: None,
                interval_seconds: Some(day.as_secs()),
                grace_seconds: 3_600,
                max_runtime_seconds: 3_600,
                last_ping_at: Some(now - day - Span::from_secs(3_600)),
                next_due_at: Some(now + day),
                next_deadline_at: Some(now + day + Span::from_secs(3_600)),
                consecutive_failures: 1,
                last_body: None,
            },
            summary: &format!("Test of the channel {channel}: alerts arrive here"),
        },
    };
    serde_json::to_string(&envelope).expect("plain data with string keys becomes JSON")
}

/// The JSON of an alert and its one sentence.
pub(super) fn render(
    beat: &Beat,
    incident: &Incident,
    about: &About,
    status: Status,
    next_deadline: Option<Timestamp>,
    base_url: &str,
) -> (String, String) {
    let heartbeat = &beat.heartbeat;
    let summary = summary::of(beat, incident, about);
    let calendar = !matches!(heartbeat.timing, Timing::Interval(_));
    let envelope = Envelope {
        event_type: about.alert.event_type(),
        timestamp: about.at,
        data: Data {
            incident: IncidentView::new(incident, &heartbeat.slug, base_url),
            run: about.run.and_then(|id| beat.ended_run(id)).map(RunView::from),
            heartbeat: AlertHeartbeat {
                slug: &heartbeat.slug,
                name: &heartbeat.name,
                description: &heartbeat.description,
                tags: &heartbeat.tags,
                host: heartbeat.host.as_deref(),
                status,
                previous_status: about.status_before,
                schedule: heartbeat.timing.to_string(),
                timezone: calendar.then_some(&*heartbeat.timezone),
                interval_seconds: heartbeat.timing.interval().map(Span::as_secs),
                grace_seconds: heartbeat.grace.as_secs(),
                max_runtime_seconds: heartbeat.max_runtime.as_secs(),
                last_ping_at: beat.last_ping,
                next_due_at: beat.due,
                next_deadline_at: next_deadline,
                consecutive_failures: beat.consecutive_failures,
                last_body: beat.last_body(LAST_BODY_MAX),
            },
            summary: &summary,
        },
    };
    let json = serde_json::to_string(&envelope).expect("plain data with string keys becomes JSON");
    (json, summary)
}
