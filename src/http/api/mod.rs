//! The API: everything that a person can see or do, as JSON. It reads requests, asks the engine and writes
//! answers; what a heartbeat is and does is decided elsewhere.

mod badges;
mod changes;
pub(in crate::http) mod deliveries;
mod draft;
mod events;
mod fields;
mod frames;
mod heartbeats;
pub(in crate::http) mod history;
pub(in crate::http) mod incidents;
mod keys;
mod openapi;
pub(in crate::http) mod pages;
pub(in crate::http) mod request;
mod slug;
mod summary;

use std::sync::Arc;

use http::Method;
use percent_encoding::percent_decode_str;
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::config::Role;
use crate::engine::handle::Refused;
use crate::http::Door;
pub(in crate::http) use crate::http::api::changes::refused;
pub(in crate::http) use crate::http::api::deliveries::{delivery_id, no_such_channel, no_such_delivery};
use crate::http::api::request::{Body, Request};
use crate::http::auth::{decide, only_reading, without_key};
use crate::http::head::whole;
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::machine::event::Reply;
use crate::machine::view::HeartbeatView;
use crate::model::id::{Slug, parse_uuid};
use crate::model::ping::Target;

/// Everything under `/api/v1/` but pings.
pub(crate) fn routes<E: Engine>(
    door: Arc<Door<E>>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    warp::path!("api" / "v1" / ..).and(whole()).and_then(move |request: Request, body| {
        let door = Arc::clone(&door);
        async move {
            let answered = answer(&door, &request, body).await;
            // Not as a rejection: then other routes would look for the body, which is no longer there.
            Ok::<_, Rejection>(
                answered.unwrap_or_else(|failure| without_key(failure, &request.headers).into_response()),
            )
        }
    })
}

async fn answer<E: Engine>(door: &Door<E>, request: &Request, body: Body) -> Result<Response, Failure> {
    let settings = door.settings();
    let (method, path) = (&request.method, request.path.as_str());
    let role = decide(&settings, request.facts(), door.engine.now())?;
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    // `%61` and `a` are one address.
    let path =
        path.split('/').map(|part| percent_decode_str(part).decode_utf8()).collect::<Result<Vec<_>, _>>();
    let path = path.map_err(|_| nothing_here())?;
    let path: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
    match (&path[..], request.method.clone()) {
        (["heartbeats"], Method::POST) => changes::create(door, &settings, request, body).await,
        (["heartbeats"], _) if request.reads() => heartbeats::list(door, role, request).await,
        (["heartbeats"], _) => Err(Failure::method("GET, HEAD, POST")),
        (["heartbeats", name], Method::PUT) => changes::replace(door, &settings, name, request, body).await,
        (["heartbeats", name], Method::PATCH) => changes::merge(door, &settings, name, request, body).await,
        (["heartbeats", name], Method::DELETE) => changes::delete(door, name, request).await,
        (["heartbeats", name], _) if request.reads() => heartbeats::one(door, role, name, request).await,
        (["heartbeats", _], _) => Err(Failure::method("GET, HEAD, PUT, PATCH, DELETE")),
        (["heartbeats", name, what @ ("pause" | "resume")], method) => match (*what, method) {
            ("pause", Method::POST) => changes::pause(door, name, request, body).await,
            (_, Method::POST) => changes::resume(door, name, request).await,
            _ => Err(Failure::method("POST")),
        },
        (["heartbeats", name, what @ ("pings" | "runs" | "executions" | "stats")], _) => {
            only_reading(method)?;
            match *what {
                "pings" => history::pings(door, name, request).await,
                "stats" => history::stats(door, name, request).await,
                _ => history::runs(door, name, request).await,
            }
        }
        (["deliveries", id, "retry"], Method::POST) => deliveries::retry(door, id, request).await,
        (["channels", name, "test"], Method::POST) => deliveries::test(door, name, request).await,
        (["deliveries", _, "retry"] | ["channels", _, "test"], _) => Err(Failure::method("POST")),
        (
            ["incidents" | "summary" | "events" | "badges" | "openapi.json" | "deliveries"]
            | ["deliveries", _],
            _,
        ) => {
            only_reading(method)?;
            match path[..] {
                ["incidents"] => incidents::list(door, request).await,
                ["events"] => events::follow(door, request).await,
                ["badges"] => badges::show(door, &settings, request).await,
                ["summary"] => summary::summary(door, request).await,
                ["deliveries", id] => deliveries::one(door, id, request).await,
                ["deliveries"] => deliveries::list(door, request).await,
                _ => openapi::answer(&settings, request),
            }
        }
        _ => Err(nothing_here()),
    }
}

fn nothing_here() -> Failure {
    Failure::not_found("There is nothing at this address.")
}

/// Which heartbeat a path names.
pub(in crate::http) fn target(name: &str) -> Result<Target, Failure> {
    match parse_uuid(name) {
        Some(uuid) => Ok(Target::Uuid(uuid)),
        None => Slug::new(name).map(Target::Slug).map_err(|_| no_such_heartbeat()),
    }
}

/// The same as the engine's views take it.
pub(in crate::http) fn named(name: &str) -> Result<String, Failure> {
    Ok(match target(name)? {
        Target::Uuid(uuid) => uuid.to_string(),
        Target::Slug(slug) => slug.to_string(),
    })
}

/// The slug that a filter names by slug or UUID, also of a heartbeat that has left.
async fn slug_of<E: Engine>(door: &Door<E>, name: Option<&str>) -> Result<Option<Slug>, Failure> {
    let Some(name) = name else { return Ok(None) };
    let name = named(name)?;
    let found = door.engine.ask(move |view| view.slug_of(&name)).await?;
    found.map(Some).ok_or_else(no_such_heartbeat)
}

/// The same on a thread that may wait.
pub(in crate::http) fn blocking_slug_of<E: Engine>(
    door: &Door<E>,
    name: Option<&str>,
) -> Result<Option<Slug>, Failure> {
    let Some(name) = name else { return Ok(None) };
    let name = named(name)?;
    let found = door.engine.blocking_ask(move |view| view.slug_of(&name))?;
    found.map(Some).ok_or_else(no_such_heartbeat)
}

pub(in crate::http) fn no_such_heartbeat() -> Failure {
    Failure::not_found("There is no heartbeat of this slug or UUID.")
}

/// An answer of the engine that is none to what it was asked.
pub(in crate::http) fn astray(reply: &Reply) -> Failure {
    tracing::error!(?reply, "a request to the API got an answer that is none to it");
    Refused::Stopped.into()
}

/// Without the secrets, for those who may only read.
pub(in crate::http) fn shown(mut heartbeat: HeartbeatView, role: Role) -> HeartbeatView {
    if role == Role::Read {
        (heartbeat.uuid, heartbeat.ping_url) = (None, None);
    }
    heartbeat
}
