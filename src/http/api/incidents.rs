//! Incidents of all heartbeats.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use warp::reply::Response;

use crate::http::Door;
use crate::http::api::pages::{self, read_instant, write_instant};
use crate::http::api::request::{Parameters, Request};
use crate::http::api::slug_of;
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::machine::incidents::Opened;
use crate::machine::view::{IncidentEntry, IncidentFilter, Page, View};
use crate::model::id::IncidentId;

/// Which incidents are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes what `list` reads")]
pub(super) struct IncidentsQuery {
    /// Only those that are open, or resolved.
    #[param(inline)]
    status: Option<IncidentStatus>,
    /// Only those of the heartbeat of this slug or UUID, also of one that has left.
    heartbeat: Option<String>,
    /// How many a page has at most. It has fewer when their timelines have about more than 1 MiB.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before: when the last one opened, in milliseconds since 1970, and its id.
    #[param(pattern = "^-?([0-9]{1,14}|1[0-9]{14})_[0-9a-f]{32}$")]
    cursor: Option<String>,
}

/// Whether an incident is over.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "it describes what `list` reads")]
enum IncidentStatus {
    Open,
    Resolved,
}

/// A page of incidents, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct IncidentList {
    /// The incidents.
    incidents: Vec<IncidentEntry>,
    /// Where the next page begins; null at the end.
    next_cursor: Option<String>,
}

/// List incidents
///
/// By when they opened. Of each heartbeat the open one and the newest 50 resolved ones are kept.
#[utoipa::path(get, operation_id = "listIncidents", path = "/api/v1/incidents", tag = "Incidents", params(IncidentsQuery),
    responses((status = 200, description = "A page.", body = IncidentList),
        (status = 404, description = "There is no such heartbeat.")))]
pub(super) async fn list<E: Engine>(door: &Door<E>, request: &Request) -> Result<Response, Failure> {
    let given = request.parameters(&["status", "heartbeat", "limit", "cursor"])?;
    let limit = given.limit()?;
    let (mut filter, before) = wanted(&given)?;
    filter.heartbeat = slug_of(door, given.text("heartbeat")).await?;
    let (incidents, next) = pages::gather(&door.engine, limit, before, piece(filter)).await?;
    let list = IncidentList { incidents, next_cursor: next.map(cursor) };
    pages::answer(list.incidents.len(), list).await
}

/// Which incidents are wanted, but for the heartbeat, and before which one the page begins.
pub(in crate::http) fn wanted(given: &Parameters<'_>) -> Result<(IncidentFilter, Option<Opened>), Failure> {
    let open = given.word("status", &[("open", true), ("resolved", false)])?;
    let before = given.cursor(|text| read_instant(text).map(|(at, id)| (at, IncidentId(id))))?;
    Ok((IncidentFilter { open, heartbeat: None }, before))
}

/// A piece of a page of incidents, newest first.
pub(in crate::http) fn piece(
    filter: IncidentFilter,
) -> impl Fn(View<'_>, Option<&Opened>, usize) -> Page<IncidentEntry, Opened> + Clone {
    move |view: View<'_>, before: Option<&Opened>, room| view.incidents(&filter, before.copied(), room)
}

/// The cursor of a page that begins after this incident.
pub(in crate::http) fn cursor((at, IncidentId(id)): Opened) -> String {
    write_instant(at, id)
}
