//! What was of a heartbeat: its pings, its runs, and statistics of them.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use warp::reply::Response;

use crate::http::Door;
use crate::http::api::pages::{self, read_instant, read_number, write_instant};
use crate::http::api::request::Request;
use crate::http::api::{named, no_such_heartbeat};
use crate::http::rejection::{Failure, json_response};
use crate::http::seam::Engine;
use crate::machine::view::{PingView, RunEntry, RunPlace, StatsView};
use crate::model::id::RunId;

/// Which pings are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes what `pings` reads")]
pub(super) struct PingsQuery {
    /// Whether to show what the pings brought.
    #[param(default = false)]
    bodies: Option<bool>,
    /// How many a page has at most. It has fewer when their bodies have more than 1 MiB.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before: the number before which to go on.
    #[param(pattern = "^[0-9]{1,19}$")]
    cursor: Option<String>,
}

/// A page of pings, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct PingList {
    /// The pings.
    pings: Vec<PingView>,
    /// Where the next page begins; null at the end.
    next_cursor: Option<String>,
}

/// List the pings of a heartbeat
///
/// The newest `keep_runs` are kept, with the bodies of the newest `keep_bodies`.
#[utoipa::path(get, operation_id = "listPings", path = "/api/v1/heartbeats/{heartbeat}/pings", tag = "History",
    params(("heartbeat" = String, Path, description = "Its slug or UUID."), PingsQuery),
    responses((status = 200, description = "A page.", body = PingList),
        (status = 404, description = "There is no such heartbeat.")))]
pub(super) async fn pings<E: Engine>(
    door: &Door<E>,
    name: &str,
    request: &Request,
) -> Result<Response, Failure> {
    let given = request.parameters(&["bodies", "limit", "cursor"])?;
    let (name, bodies, limit) = (named(name)?, given.flag("bodies")?, given.limit()?);
    let cursor = given.cursor(read_number)?;
    let page = door.engine.ask(move |view| view.pings(&name, cursor, limit, bodies)).await?;
    let page = page.ok_or_else(no_such_heartbeat)?;
    let list = PingList { pings: page.items, next_cursor: page.next.map(|number| number.to_string()) };
    pages::answer(list.pings.len(), list).await
}

/// Which runs are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes what `runs` reads")]
pub(super) struct RunsQuery {
    /// Whether to show what the finish of each run brought.
    #[param(default = false)]
    bodies: Option<bool>,
    /// How many a page has at most. It has fewer when their bodies have more than 1 MiB.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before: whether its last run was open or ended, when it began or ended, in
    /// milliseconds since 1970, and its id.
    #[param(pattern = "^(open|ended)_-?([0-9]{1,14}|1[0-9]{14})_[0-9a-f]{32}$")]
    cursor: Option<String>,
}

/// A page of runs: first those that are open, the newest first; then those that ended, the last to end first.
#[derive(Serialize, ToSchema)]
pub(super) struct RunList {
    /// The runs.
    runs: Vec<RunEntry>,
    /// Where the next page begins; null at the end.
    next_cursor: Option<String>,
}

/// List the runs of a heartbeat
///
/// The newest `keep_runs` that ended are kept. `/executions` is the same.
#[utoipa::path(get, operation_id = "listRuns", path = "/api/v1/heartbeats/{heartbeat}/runs", tag = "History",
    params(("heartbeat" = String, Path, description = "Its slug or UUID."), RunsQuery),
    responses((status = 200, description = "A page.", body = RunList),
        (status = 404, description = "There is no such heartbeat.")))]
pub(super) async fn runs<E: Engine>(
    door: &Door<E>,
    name: &str,
    request: &Request,
) -> Result<Response, Failure> {
    let given = request.parameters(&["bodies", "limit", "cursor"])?;
    let (name, bodies, limit) = (named(name)?, given.flag("bodies")?, given.limit()?);
    let cursor = given.cursor(read_place)?;
    let page = door.engine.ask(move |view| view.runs(&name, cursor, limit, bodies)).await?;
    let page = page.ok_or_else(no_such_heartbeat)?;
    let list = RunList { runs: page.items, next_cursor: page.next.map(write_place) };
    pages::answer(list.runs.len(), list).await
}

/// The cursor of a place.
pub(in crate::http) fn write_place(RunPlace { open, at, id: RunId(id) }: RunPlace) -> String {
    format!("{}_{}", if open { "open" } else { "ended" }, write_instant(at, id))
}

/// Reads what [`write_place`] wrote.
pub(in crate::http) fn read_place(text: &str) -> Option<RunPlace> {
    let (state, rest) = text.split_once('_')?;
    let open = [("open", true), ("ended", false)].into_iter().find(|(word, _)| *word == state)?.1;
    let (at, id) = read_instant(rest)?;
    Some(RunPlace { open, at, id: RunId(id) })
}

/// List the runs of a heartbeat, by another name
#[utoipa::path(get, operation_id = "listExecutions", path = "/api/v1/heartbeats/{heartbeat}/executions", tag = "History",
    params(("heartbeat" = String, Path, description = "Its slug or UUID."), RunsQuery),
    responses((status = 200, description = "A page.", body = RunList),
        (status = 404, description = "There is no such heartbeat.")))]
#[allow(dead_code, reason = "it describes `runs` once more")]
pub(super) fn executions() {}

/// Statistics of a heartbeat's runs
#[utoipa::path(get, operation_id = "showStats", path = "/api/v1/heartbeats/{heartbeat}/stats", tag = "History",
    params(("heartbeat" = String, Path, description = "Its slug or UUID.")),
    responses((status = 200, description = "The statistics.", body = StatsView),
        (status = 404, description = "There is no such heartbeat.")))]
pub(super) async fn stats<E: Engine>(
    door: &Door<E>,
    name: &str,
    request: &Request,
) -> Result<Response, Failure> {
    request.parameters(&[])?;
    let name = named(name)?;
    let stats = door.engine.ask(move |view| view.stats(&name)).await?.ok_or_else(no_such_heartbeat)?;
    Ok(json_response(http::StatusCode::OK, &stats))
}
