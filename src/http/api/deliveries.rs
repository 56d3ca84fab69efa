//! Deliveries: what became of each alert, and what a person can do about it.

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use warp::reply::Response;

use crate::http::Door;
use crate::http::api::changes::refused;
use crate::http::api::pages::{self, read_number};
use crate::http::api::request::{Parameters, Request};
use crate::http::api::{astray, slug_of};
use crate::http::rejection::{Failure, json_response};
use crate::http::seam::Engine;
use crate::machine::event::{Reply, Request as Wish};
use crate::machine::view::{DeliveryFilter, DeliveryStatus, DeliveryView, Page, View};
use crate::model::channel::ChannelName;
use crate::model::id::{DeliveryId, IncidentId, parse_uuid};

/// The words of how a delivery stands.
pub(in crate::http) const STATUSES: [(&str, DeliveryStatus); 3] = [
    ("waiting", DeliveryStatus::Waiting),
    ("delivered", DeliveryStatus::Delivered),
    ("given_up", DeliveryStatus::GivenUp),
];

/// Which deliveries are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes what `list` reads")]
pub(super) struct DeliveriesQuery {
    /// Only those that stand so.
    #[param(inline)]
    status: Option<DeliveryStatus>,
    /// Only those to this channel.
    channel: Option<String>,
    /// Only those that speak of the heartbeat of this slug or UUID, also of one that has left.
    heartbeat: Option<String>,
    /// Only those that speak of this incident.
    #[param(format = Uuid)]
    incident: Option<String>,
    /// How many a page has at most. It has fewer when their attempts have about more than 1 MiB.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before: the number before which to go on.
    #[param(pattern = "^[0-9]{1,19}$")]
    cursor: Option<String>,
}

/// A page of deliveries, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryList {
    /// The deliveries.
    deliveries: Vec<DeliveryView>,
    /// Where the next page begins; null at the end.
    next_cursor: Option<String>,
}

/// List deliveries
///
/// Those that wait and the last 1,000 that ended, by when they were queued.
#[utoipa::path(get, operation_id = "listDeliveries", path = "/api/v1/deliveries", tag = "Deliveries", params(DeliveriesQuery),
    responses((status = 200, description = "A page.", body = DeliveryList),
        (status = 404, description = "There is no such heartbeat.")))]
pub(super) async fn list<E: Engine>(door: &Door<E>, request: &Request) -> Result<Response, Failure> {
    let given = request.parameters(&["status", "channel", "heartbeat", "incident", "limit", "cursor"])?;
    let limit = given.limit()?;
    let (mut filter, before) = wanted(&given)?;
    filter.heartbeat = slug_of(door, given.text("heartbeat")).await?.map(String::from);
    let (deliveries, next) = pages::gather(&door.engine, limit, before, piece(filter)).await?;
    let list = DeliveryList { deliveries, next_cursor: next.map(|number| number.to_string()) };
    pages::answer(list.deliveries.len(), list).await
}

/// Which deliveries are wanted, but for the heartbeat, and before which one the page begins.
pub(in crate::http) fn wanted(given: &Parameters<'_>) -> Result<(DeliveryFilter, Option<u64>), Failure> {
    let filter = DeliveryFilter {
        status: given.word("status", &STATUSES)?,
        channel: given.text("channel").map(str::to_owned),
        heartbeat: None,
        incident: given.uuid("incident")?.map(IncidentId),
    };
    Ok((filter, given.cursor(read_number)?))
}

/// A piece of a page of deliveries, newest first.
pub(in crate::http) fn piece(
    filter: DeliveryFilter,
) -> impl Fn(View<'_>, Option<&u64>, usize) -> Page<DeliveryView, u64> + Clone {
    move |view: View<'_>, before: Option<&u64>, room| view.deliveries(&filter, before.copied(), room)
}

/// Show a delivery
#[utoipa::path(get, operation_id = "showDelivery", path = "/api/v1/deliveries/{delivery}", tag = "Deliveries",
    params(("delivery" = String, Path, format = Uuid, description = "Its id.")),
    responses((status = 200, description = "The delivery.", body = DeliveryView),
        (status = 404, description = "There is no such delivery, or it ended too long ago.")))]
pub(super) async fn one<E: Engine>(door: &Door<E>, id: &str, request: &Request) -> Result<Response, Failure> {
    request.parameters(&[])?;
    show(door, StatusCode::OK, delivery_id(id)?).await
}

/// Try a delivery now
///
/// One that waits does not wait any longer, nor do those that must go before it. One that was given up is tried again,
/// until its channel's `retry_for` has passed once more.
#[utoipa::path(post, operation_id = "retryDelivery", path = "/api/v1/deliveries/{delivery}/retry", tag = "Deliveries",
    params(("delivery" = String, Path, format = Uuid, description = "Its id.")),
    responses((status = 202, description = "It will be tried.", body = DeliveryView,
            headers(("Location" = String, description = "Where it can be seen."))),
        (status = 404, description = "There is no such delivery, or it ended too long ago."),
        (status = 409, description = "It arrived already, or its channel is no longer in the config.")))]
pub(super) async fn retry<E: Engine>(
    door: &Door<E>,
    id: &str,
    request: &Request,
) -> Result<Response, Failure> {
    request.parameters(&[])?;
    let delivery = delivery_id(id)?;
    let reply = door.engine.request(Wish::Retry { delivery }).await?;
    queued(door, reply, no_such_delivery).await
}

/// Try a channel
///
/// Queues a delivery of the type `test`, with a sample heartbeat. It is tried once: look at it to see how that went.
#[utoipa::path(post, operation_id = "testChannel", path = "/api/v1/channels/{channel}/test", tag = "Deliveries",
    params(("channel" = String, Path, description = "The channel's name; `log` is always there.")),
    responses((status = 202, description = "It will be tried.", body = DeliveryView,
            headers(("Location" = String, description = "Where it can be seen."))),
        (status = 404, description = "There is no such channel."),
        (status = 409, description = "Eight tests of it wait already.")))]
pub(super) async fn test<E: Engine>(
    door: &Door<E>,
    name: &str,
    request: &Request,
) -> Result<Response, Failure> {
    request.parameters(&[])?;
    let reply = door.engine.request(Wish::Test { channel: ChannelName::new(name) }).await?;
    queued(door, reply, no_such_channel).await
}

async fn queued<E: Engine>(
    door: &Door<E>,
    reply: Reply,
    unknown: impl Fn() -> Failure,
) -> Result<Response, Failure> {
    match reply {
        Reply::Queued(id) => {
            let mut response = show(door, StatusCode::ACCEPTED, id).await?;
            if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/deliveries/{id}")) {
                response.headers_mut().insert(LOCATION, location);
            }
            Ok(response)
        }
        Reply::Unknown => Err(unknown()),
        Reply::Conflict(conflict) => Err(refused(conflict)),
        reply @ (Reply::Done
        | Reply::Taken
        | Reply::Created(_)
        | Reply::Changed(_)
        | Reply::Deleted
        | Reply::Reloading) => Err(astray(&reply)),
    }
}

async fn show<E: Engine>(door: &Door<E>, status: StatusCode, id: DeliveryId) -> Result<Response, Failure> {
    let found = door.engine.ask(move |view| view.delivery(id)).await?;
    Ok(json_response(status, &found.ok_or_else(no_such_delivery)?))
}

/// Which delivery a path names.
pub(in crate::http) fn delivery_id(text: &str) -> Result<DeliveryId, Failure> {
    parse_uuid(text).map(DeliveryId).ok_or_else(no_such_delivery)
}

/// What is said of one that is not known.
pub(in crate::http) fn no_such_channel() -> Failure {
    Failure::not_found("The config has no channel of this name.")
}

pub(in crate::http) fn no_such_delivery() -> Failure {
    Failure::not_found("There is no delivery of this id; of those that ended the last 1,000 are kept.")
}
