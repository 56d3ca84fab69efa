//! The ping routes: a request becomes a ping and is handed to the engine, whatever becomes of the client
//! meanwhile. It knows methods, keys, queries and bodies; what a ping does is decided elsewhere.

use std::sync::Arc;

use bytes::Buf;
use futures_util::Stream;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::engine::clock::{Frame, Stamp};
use crate::engine::handle::Refused;
use crate::http::body::{End, TIME_LIMIT, Tail, announced, linger, read_tail};
use crate::http::listen::Peer;
use crate::http::origin::origin;
use crate::http::path::{Form, Path, Whom};
use crate::http::rejection::{Failure, json_response, retry_after};
use crate::http::seam::Engine;
use crate::http::{Door, HttpSettings};
use crate::machine::event::Reply;
use crate::model::id::parse_uuid;
use crate::model::ping::{Method, Ping, Target};

/// What pings may come by.
const METHODS: &str = "GET, HEAD, POST, OPTIONS";

/// What a ping is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Taken,
    NotFound,
    CodeTooLarge,
    BadRid,
    NoSuchMethod,
    Preflight,
    Refused(Refused),
}

/// Every URL where pings live; anything else is left to the routes that follow.
pub(crate) fn routes<E: Engine>(
    door: Arc<Door<E>>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    warp::path::full()
        .and_then(|path: FullPath| async move {
            match Path::parse(path.as_str()) {
                Path::Elsewhere => Err(warp::reject::not_found()),
                path @ (Path::Ping(_) | Path::NoSuch { .. }) => Ok(path),
            }
        })
        .and(warp::method())
        .and(warp::query::<Vec<(String, String)>>())
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<Peer>())
        .and(warp::body::stream())
        .and_then(move |path, method, query, headers, peer, stream| {
            let door = Arc::clone(&door);
            async move {
                let request = Request { method, query, headers, peer };
                Ok::<_, Rejection>(respond(door, path, request, stream).await)
            }
        })
}

/// The head of a request.
struct Request {
    method: http::Method,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    peer: Option<Peer>,
}

async fn respond<E, S, B, X>(door: Arc<Door<E>>, path: Path, request: Request, stream: S) -> Response
where
    E: Engine,
    S: Stream<Item = Result<B, X>> + Send + 'static,
    B: Buf + Send + 'static,
    X: Send + 'static,
{
    let settings = door.settings();
    let json = match &path {
        Path::Ping(form) => form.json,
        Path::NoSuch { json } => *json,
        Path::Elsewhere => false,
    };
    let answer = match (read_method(&request.method), path) {
        (Err(answer), _) => answer,
        (Ok(_), Path::NoSuch { .. } | Path::Elsewhere) => Answer::NotFound,
        (Ok(method), Path::Ping(form)) => match read(&door, &settings, method, form, &request).await {
            Err(answer) => answer,
            Ok((ping, frame)) if announced(&request.headers) => {
                take_with_body(door, ping, frame, settings.body_limit, stream).await
            }
            Ok((ping, frame)) => take(&door.engine, ping, frame).await,
        },
    };
    answer.into_response(json, settings.body_limit)
}

fn read_method(method: &http::Method) -> Result<Method, Answer> {
    match *method {
        http::Method::GET => Ok(Method::Get),
        http::Method::HEAD => Ok(Method::Head),
        http::Method::POST => Ok(Method::Post),
        http::Method::OPTIONS => Err(Answer::Preflight),
        _ => Err(Answer::NoSuchMethod),
    }
}

/// Makes a ping of a head. Nothing is awaited unless something is wrong with it: its instant is now, and
/// its place among other pings is the order of their heads.
async fn read<E: Engine>(
    door: &Door<E>,
    settings: &HttpSettings,
    method: Method,
    form: Form,
    request: &Request,
) -> Result<(Ping, Frame), Answer> {
    let Stamp { at, frame } = door.engine.stamp();
    let target = match form.whom {
        Whom::Uuid(uuid) => Target::Uuid(uuid),
        Whom::Slug { key, slug } => {
            let right = key.as_bytes().ct_eq(settings.ping_key.as_bytes());
            if !bool::from(right) || settings.ping_key.is_empty() {
                return Err(Answer::NotFound);
            }
            Target::Slug(slug)
        }
    };
    let wrong = match (form.kind, read_rid(&request.query)) {
        (Some(kind), Ok(rid)) => {
            let peer = request.peer.and_then(|peer| peer.address);
            let from = origin(peer, &request.headers, &settings.trusted_proxies);
            return Ok((Ping { target, at, kind, rid, method, from, body: None }, frame));
        }
        (None, _) => Answer::CodeTooLarge,
        (Some(_), Err(answer)) => answer,
    };
    // Whoever misspells two things is told first that there is no such heartbeat.
    match door.engine.ask(move |view| view.knows(&target)).await {
        Ok(true) => Err(wrong),
        Ok(false) => Err(Answer::NotFound),
        Err(refused) => Err(Answer::Refused(refused)),
    }
}

/// The last `rid` of the query, which must be a UUID when it is there.
fn read_rid(query: &[(String, String)]) -> Result<Option<Uuid>, Answer> {
    match query.iter().rev().find(|(name, _)| name == "rid") {
        None => Ok(None),
        Some((_, rid)) => parse_uuid(rid).map(Some).ok_or(Answer::BadRid),
    }
}

async fn take<E: Engine>(engine: &E, ping: Ping, frame: Frame) -> Answer {
    match engine.ping(ping, frame).await {
        Ok(Reply::Taken) => Answer::Taken,
        Ok(Reply::Unknown) => Answer::NotFound,
        Ok(
            reply @ (Reply::Done
            | Reply::Created(_)
            | Reply::Changed(_)
            | Reply::Deleted
            | Reply::Queued(_)
            | Reply::Conflict(_)
            | Reply::Reloading),
        ) => {
            tracing::error!(?reply, "a ping got an answer that is none to a ping");
            Answer::Refused(Refused::Stopped)
        }
        Err(refused) => Answer::Refused(refused),
    }
}

/// Takes a ping whose body is still to come, in a task of its own: when the client hangs up, the future
/// that answers it is dropped, and the ping must be taken all the same.
async fn take_with_body<E, S, B, X>(
    door: Arc<Door<E>>,
    mut ping: Ping,
    frame: Frame,
    limit: usize,
    stream: S,
) -> Answer
where
    E: Engine,
    S: Stream<Item = Result<B, X>> + Send + 'static,
    B: Buf + Send + 'static,
    X: Send + 'static,
{
    let mut stream = Box::pin(stream);
    let heard = match door.engine.hear(ping.target.clone(), Stamp { at: ping.at, frame }) {
        Ok(heard) => heard,
        Err(refused) => {
            linger(stream);
            return Answer::Refused(refused);
        }
    };
    let deadline = Instant::now() + TIME_LIMIT;
    let pending = door.pending.subscribe();
    let (answer, answered) = oneshot::channel();
    tokio::spawn(async move {
        let mut tail = Tail::new(limit);
        let end = read_tail(&mut stream, &mut tail, deadline).await;
        ping.body = tail.finish();
        let taken = take(&door.engine, ping, frame).await;
        drop(heard);
        if answer.send(taken).is_err() {
            tracing::debug!(?taken, "a ping was answered, but its client had gone");
        }
        if end == End::Slow {
            linger(stream);
        }
        drop(pending);
    });
    answered.await.unwrap_or(Answer::Refused(Refused::Stopped))
}

impl Answer {
    fn into_response(self, json: bool, body_limit: usize) -> Response {
        let mut response = if json { self.json() } else { self.text() };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert("ping-body-limit", HeaderValue::from(body_limit));
        match self {
            Self::NoSuchMethod => {
                headers.insert(ALLOW, HeaderValue::from_static(METHODS));
            }
            Self::Preflight => {
                headers.insert(ALLOW, HeaderValue::from_static(METHODS));
                headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST"));
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
                headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
            }
            Self::Refused(refused) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_after(refused)));
            }
            Self::Taken | Self::NotFound | Self::CodeTooLarge | Self::BadRid => {}
        }
        response
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Taken => StatusCode::OK,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::CodeTooLarge | Self::BadRid => StatusCode::BAD_REQUEST,
            Self::NoSuchMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Preflight => StatusCode::NO_CONTENT,
            Self::Refused(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn text(self) -> Response {
        let text = match self {
            Self::Taken => "OK",
            Self::NotFound => "not found",
            Self::CodeTooLarge => "invalid url format",
            Self::BadRid => "invalid uuid format",
            Self::NoSuchMethod => "method not allowed",
            Self::Preflight => return empty(),
            Self::Refused(Refused::Full) => "busy, try again",
            Self::Refused(Refused::NotDurable) => {
                "the ping counts, but could not be written to the disk, try again"
            }
            Self::Refused(Refused::Stopped) => "stopping, try again",
        };
        let mut response = Response::new(text.into());
        *response.status_mut() = self.status();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        response
    }

    fn json(self) -> Response {
        let failure = |code, message: &str| Failure::new(self.status(), code, message).into_response();
        match self {
            Self::Taken => json_response(StatusCode::OK, &json!({ "ok": true })),
            Self::NotFound => failure("not_found", "not found"),
            Self::CodeTooLarge => failure("invalid_url", "invalid url format"),
            Self::BadRid => Failure::field("rid", "invalid uuid format").into_response(),
            Self::NoSuchMethod => Failure::method(METHODS).into_response(),
            Self::Preflight => empty(),
            Self::Refused(refused) => Failure::from(refused).into_response(),
        }
    }
}

fn empty() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
