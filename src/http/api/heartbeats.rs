//! Heartbeats, read.

use http::header::{ETAG, LOCATION};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use warp::reply::Response;

use crate::config::Role;
use crate::http::Door;
use crate::http::api::request::{Parameters, Request};
use crate::http::api::{named, no_such_heartbeat, pages, shown};
use crate::http::rejection::{Failure, json_response};
use crate::http::seam::Engine;
use crate::machine::event::Edition;
use crate::machine::view::{Filter, HeartbeatView, Page, View};
use crate::model::heartbeat::Status;
use crate::model::id::Slug;

/// Which heartbeats are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes what `list` reads")]
pub(super) struct ListQuery {
    /// Only those that stand so.
    #[param(inline)]
    status: Option<Status>,
    /// Only those with this tag, exactly.
    tag: Option<String>,
    /// Only those of this host, exactly.
    host: Option<String>,
    /// Only those with this text in their slug, name, description, tags or host, in any case.
    q: Option<String>,
    /// How many a page has at most. It has fewer when their descriptions and tags have more than 1 MiB.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before: the slug after which to go on.
    #[param(pattern = "^[a-z0-9][a-z0-9_-]{0,99}$")]
    cursor: Option<String>,
}

/// A page of heartbeats, by slug.
#[derive(Serialize, ToSchema)]
pub(super) struct HeartbeatList {
    /// The heartbeats.
    heartbeats: Vec<HeartbeatView>,
    /// Where the next page begins; null at the end.
    next_cursor: Option<String>,
}

/// List heartbeats
///
/// By slug. A heartbeat that is made or removed while you page never moves another one to a page that you have
/// had: those that are there all the while come exactly once.
#[utoipa::path(get, operation_id = "listHeartbeats", path = "/api/v1/heartbeats", tag = "Heartbeats", params(ListQuery),
    responses((status = 200, description = "A page.", body = HeartbeatList)))]
pub(super) async fn list<E: Engine>(
    door: &Door<E>,
    role: Role,
    request: &Request,
) -> Result<Response, Failure> {
    let given = request.parameters(&["status", "tag", "host", "q", "limit", "cursor"])?;
    let (filter, cursor) = wanted(&given)?;
    let piece = move |view: View<'_>, after: Option<&String>, room| {
        let page = view.heartbeats(&filter, after.map(String::as_str), room);
        Page { items: page.items, next: page.next.map(String::from), bytes: page.bytes }
    };
    let (heartbeats, next_cursor) = pages::gather(&door.engine, given.limit()?, cursor, piece).await?;
    let heartbeats: Vec<_> = heartbeats.into_iter().map(|heartbeat| shown(heartbeat, role)).collect();
    pages::answer(heartbeats.len(), HeartbeatList { heartbeats, next_cursor }).await
}

/// Which heartbeats are wanted, and after which one the page begins.
pub(super) fn wanted(given: &Parameters<'_>) -> Result<(Filter, Option<String>), Failure> {
    let words = Status::ALL.map(|status| (status.word(), status));
    let own = |name| given.text(name).map(str::to_owned);
    let filter =
        Filter { status: given.word("status", &words)?, tag: own("tag"), host: own("host"), q: own("q") };
    Ok((filter, given.cursor(|text| Slug::is_shaped(text).then(|| text.to_owned()))?))
}

/// Show a heartbeat
#[utoipa::path(get, operation_id = "showHeartbeat", path = "/api/v1/heartbeats/{heartbeat}", tag = "Heartbeats",
    params(("heartbeat" = String, Path, description = "Its slug or UUID.")),
    responses((status = 200, description = "The heartbeat.", body = HeartbeatView,
        headers(("ETag" = String, description = "What is said of it, for If-Match. It changes with the declaration, not with pings."))),
        (status = 404, description = "There is no such heartbeat.")))]
pub(super) async fn one<E: Engine>(
    door: &Door<E>,
    role: Role,
    name: &str,
    request: &Request,
) -> Result<Response, Failure> {
    request.parameters(&[])?;
    let name = named(name)?;
    let found = door.engine.ask(move |view| view.edition(&name)).await?;
    let (heartbeat, edition) = found.ok_or_else(no_such_heartbeat)?;
    Ok(tagged(StatusCode::OK, &shown(heartbeat, role), edition))
}

/// A heartbeat as it is after a change, for those who may write.
pub(super) async fn after_change<E: Engine>(
    door: &Door<E>,
    status: StatusCode,
    slug: Slug,
) -> Result<Response, Failure> {
    let name = slug.to_string();
    let found = door.engine.ask(move |view| view.edition(&name)).await?;
    // Something else may have taken it away again at once; then it was changed all the same.
    let (heartbeat, edition) = found.ok_or_else(no_such_heartbeat)?;
    let mut response = tagged(status, &heartbeat, edition);
    if status == StatusCode::CREATED
        && let Ok(location) = HeaderValue::from_str(&format!("/api/v1/heartbeats/{slug}"))
    {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

fn tagged(status: StatusCode, heartbeat: &HeartbeatView, Edition(tag): Edition) -> Response {
    let mut response = json_response(status, heartbeat);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
