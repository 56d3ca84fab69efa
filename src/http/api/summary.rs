//! How everything stands, on one page.

use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use warp::reply::Response;

use crate::http::api::request::Request;
use crate::http::rejection::{Failure, json_response};
use crate::http::seam::Engine;
use crate::http::{Door, TimeZoneData};
use crate::machine::view::{DeliveryCounts, HeartbeatCounts};
use crate::model::id::Slug;
use crate::model::incident::BlindWindow;
use crate::model::time::Timestamp;

/// How everything stands.
#[derive(Serialize, ToSchema)]
pub(super) struct Summary {
    /// The version of the program.
    version: &'static str,
    /// The daemon's clock.
    now: Timestamp,
    /// Since when the daemon runs.
    started_at: Timestamp,
    /// How long it has been running, in seconds; steps of the wall clock do not count.
    uptime_seconds: u64,
    /// Heartbeats by status.
    heartbeats: HeartbeatCounts,
    /// Incidents.
    incidents: IncidentCounts,
    /// Deliveries.
    deliveries: DeliveryCounts,
    /// How the config stands.
    config: ConfigState,
    /// How the journal stands.
    journal: JournalState,
    /// Which time zone data is in use.
    timezones: TimeZoneData,
    /// The last ten spans in which overdue could not hear pings, newest first.
    blind_windows: Vec<BlindWindow>,
}

/// How many incidents there are.
#[derive(Serialize, ToSchema)]
pub(super) struct IncidentCounts {
    /// Those that are open.
    open: u64,
}

/// How the config stands.
#[derive(Serialize, ToSchema)]
pub(super) struct ConfigState {
    /// Whether the file as it is now is what is in force.
    ok: bool,
    /// When what is in force was read.
    loaded_at: Timestamp,
    /// Why the file as it is now is not in force.
    problems: Vec<String>,
    /// What is in force but probably not meant.
    warnings: Vec<String>,
}

/// How the journal stands.
#[derive(Serialize, ToSchema)]
pub(super) struct JournalState {
    /// Whether it can be written.
    ok: bool,
    /// Why it cannot.
    error: Option<String>,
}

/// How everything stands
#[utoipa::path(get, operation_id = "showSummary", path = "/api/v1/summary", tag = "Summary",
    responses((status = 200, description = "The summary.", body = Summary)))]
pub(super) async fn summary<E: Engine>(door: &Door<E>, request: &Request) -> Result<Response, Failure> {
    request.parameters(&[])?;
    let standings = door.engine.ask(|view| view.standings()).await?;
    let (mut heartbeats, mut after) = (HeartbeatCounts::default(), None::<Slug>);
    loop {
        let (counts, next) =
            door.engine.ask(move |view| view.count(after.as_ref().map(Slug::as_str))).await?;
        heartbeats += counts;
        after = next;
        if after.is_none() {
            break;
        }
    }
    let config = door.config.borrow().clone();
    let error = door.engine.journal().borrow().error.clone();
    let now = door.engine.now();
    let summary = Summary {
        version: env!("CARGO_PKG_VERSION"),
        now,
        started_at: standings.began_at.unwrap_or(now),
        uptime_seconds: door.opened.elapsed().as_secs(),
        heartbeats,
        incidents: IncidentCounts { open: standings.open_incidents as u64 },
        deliveries: standings.deliveries,
        config: ConfigState {
            ok: config.ok,
            loaded_at: config.loaded_at,
            problems: config.problems,
            warnings: config.warnings,
        },
        journal: JournalState { ok: error.is_none(), error },
        timezones: door.settings().timezones.clone(),
        blind_windows: standings.blind,
    };
    Ok(json_response(StatusCode::OK, &summary))
}
