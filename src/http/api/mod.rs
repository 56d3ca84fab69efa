//! The API: heartbeats as JSON. It reads requests, asks the engine and writes answers; what a heartbeat
//! is and does is decided elsewhere.

mod draft;
mod keys;
mod list;
mod slug;

use std::sync::Arc;

use bytes::Buf;
use futures_util::Stream;
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::json;
use warp::path::Tail;
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::config::Role;
use crate::engine::handle::Refused;
use crate::http::api::list::Wanted;
use crate::http::auth::{Facts, decide, is_json};
use crate::http::body::{Unread, read_whole};
use crate::http::listen::{AbsoluteForm, Peer};
use crate::http::rejection::{Failure, json_response};
use crate::http::seam::Engine;
use crate::http::{Door, HttpSettings};
use crate::machine::event::{Conflict, Creation, Reply};
use crate::machine::view::HeartbeatView;
use crate::model::id::{Slug, parse_uuid};

/// Bytes of a body that are read.
const BODY_MAX: usize = 1024 * 1024;

/// A request but for its body.
struct Request {
    method: Method,
    absolute: Option<AbsoluteForm>,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    peer: Option<Peer>,
}

/// Everything under `/api/v1/` but pings.
pub(crate) fn routes<E: Engine>(
    door: Arc<Door<E>>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    warp::path!("api" / "v1" / ..)
        .and(warp::path::tail())
        .and(warp::method())
        .and(warp::query::<Vec<(String, String)>>())
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<Peer>())
        .and(warp::ext::optional::<AbsoluteForm>())
        .and(warp::body::stream())
        .and_then(move |tail: Tail, method, query, headers, peer, absolute, stream| {
            let door = Arc::clone(&door);
            async move {
                let request = Request { method, absolute, query, headers, peer };
                Ok::<_, Rejection>(answer(&door, tail.as_str(), request, stream).await?)
            }
        })
}

async fn answer<E, S, B, X>(
    door: &Door<E>,
    path: &str,
    request: Request,
    stream: S,
) -> Result<Response, Failure>
where
    E: Engine,
    S: Stream<Item = Result<B, X>> + Send + 'static,
    B: Buf + Send + 'static,
    X: Send + 'static,
{
    let settings = door.settings();
    let Request { method, absolute, headers, peer, .. } = &request;
    let role = decide(&settings, Facts { method, headers, absolute: absolute.as_ref(), peer: *peer })?;
    let path = path.strip_suffix('/').unwrap_or(path);
    match (path.split_once('/'), method) {
        (None, _) if path != "heartbeats" => Err(nothing_here()),
        (None, &Method::GET | &Method::HEAD) => list(door, role, &request.query).await,
        (None, &Method::POST) => create(door, &settings, headers, stream).await,
        (None, _) => Err(Failure::method("GET, HEAD, POST")),
        (Some(("heartbeats", name)), _) if !name.contains('/') => match *method {
            Method::GET | Method::HEAD => one(door, role, name).await,
            _ => Err(Failure::method("GET, HEAD")),
        },
        (Some(_), _) => Err(nothing_here()),
    }
}

fn nothing_here() -> Failure {
    Failure::not_found("There is nothing at this address.")
}

async fn list<E: Engine>(
    door: &Door<E>,
    role: Role,
    query: &[(String, String)],
) -> Result<Response, Failure> {
    let Wanted { filter, mut after, limit } = Wanted::read(query)?;
    let mut heartbeats: Vec<HeartbeatView> = Vec::new();
    // The engine looks at a bounded number in one turn, so what it gives can be short of a page.
    loop {
        let piece = door.engine.heartbeats(filter.clone(), after, limit - heartbeats.len()).await?;
        heartbeats.extend(piece.heartbeats.into_iter().map(|heartbeat| shown(heartbeat, role)));
        after = piece.next.map(String::from);
        if after.is_none() || heartbeats.len() >= limit {
            break;
        }
    }
    Ok(json_response(StatusCode::OK, &json!({ "heartbeats": heartbeats, "next_cursor": after })))
}

async fn one<E: Engine>(door: &Door<E>, role: Role, name: &str) -> Result<Response, Failure> {
    let unknown = || Failure::not_found("There is no heartbeat of this slug or UUID.");
    let name = match parse_uuid(name) {
        Some(uuid) => uuid.to_string(),
        None => Slug::new(name).map_err(|_| unknown())?.to_string(),
    };
    let heartbeat = door.engine.heartbeat(name).await?.ok_or_else(unknown)?;
    Ok(json_response(StatusCode::OK, &shown(heartbeat, role)))
}

/// Without the secrets, for those who may only read.
fn shown(heartbeat: HeartbeatView, role: Role) -> HeartbeatView {
    match role {
        Role::Write => heartbeat,
        Role::Read => HeartbeatView { uuid: None, ping_url: None, ..heartbeat },
    }
}

async fn create<E, S, B, X>(
    door: &Door<E>,
    settings: &HttpSettings,
    headers: &HeaderMap,
    stream: S,
) -> Result<Response, Failure>
where
    E: Engine,
    S: Stream<Item = Result<B, X>> + Send + 'static,
    B: Buf + Send + 'static,
    X: Send + 'static,
{
    if !is_json(headers) {
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body must be JSON, sent as \"Content-Type: application/json\".",
        ));
    }
    let body = read_whole(headers, Box::pin(stream), BODY_MAX).await.map_err(|unread| match unread {
        Unread::TooLarge => {
            Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body must have at most 1 MiB.")
        }
        Unread::Unfinished(_) => Failure::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_unfinished",
            "The body did not come whole within 10 s.",
        ),
    })?;
    let (slug, draft) = draft::read(&body, &settings.channels, &settings.zones)?;
    match door.engine.create(Creation { slug, draft }).await? {
        Reply::Created(slug) => created(door, &slug).await,
        Reply::Conflict(conflict) => Err(refused(conflict)),
        reply @ (Reply::Done | Reply::Taken | Reply::Unknown | Reply::Reloading) => {
            tracing::error!(?reply, "the making of a heartbeat got an answer that is none to it");
            Err(Refused::Stopped.into())
        }
    }
}

async fn created<E: Engine>(door: &Door<E>, slug: &Slug) -> Result<Response, Failure> {
    // A reload may have taken it away again at once; then it was made all the same.
    let heartbeat = door.engine.heartbeat(slug.to_string()).await?.ok_or_else(nothing_here)?;
    let mut response = json_response(StatusCode::CREATED, &heartbeat);
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/heartbeats/{slug}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

fn refused(conflict: Conflict) -> Failure {
    let taken = |field: &str, code, message| {
        let failure = Failure::new(StatusCode::CONFLICT, code, message);
        Failure { field: Some(field.to_owned()), ..failure }
    };
    match conflict {
        Conflict::Slug => {
            taken("slug", "slug_taken", "Another heartbeat has this slug. Give another \"slug\".")
        }
        Conflict::Uuid => taken("uuid", "uuid_taken", "Another heartbeat has this UUID."),
        Conflict::Full => Failure::new(
            StatusCode::CONFLICT,
            "too_many_heartbeats",
            "There are already 1,000,000 heartbeats. Remove one first.",
        ),
    }
}
