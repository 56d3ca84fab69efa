//! The ping routes: a request becomes a ping and is handed to the engine, whatever becomes of the client
//! meanwhile. It knows methods, keys, queries and bodies; what a ping does is decided elsewhere.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
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
use crate::http::body::{Announces, BodyLimit, End, TIME_LIMIT, Tail, announced, linger, read_tail};
use crate::http::entrance::{Answering, Unusual};
use crate::http::fairness::{Asked, Excess, Fairness, Limit, Share};
use crate::http::gate::names_many_hosts;
use crate::http::listen::Peer;
use crate::http::origin::origin;
use crate::http::path::{Form, Path, Whom};
use crate::http::rejection::{Failure, json_response, retry_after};
use crate::http::seam::Engine;
use crate::http::{Door, HttpSettings};
use crate::machine::event::Reply;
use crate::model::id::parse_uuid;
use crate::model::ping::{Method, Ping, Target};
use crate::model::time::Timestamp;

/// How much of a body is kept; made once, since it is in every answer.
static PING_BODY_LIMIT: HeaderName = HeaderName::from_static("ping-body-limit");

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
    TooMany(Excess),
    ManyHosts,
    Refused(Refused),
}

/// Every URL where pings live; anything else is left to the routes that follow.
pub(crate) fn routes<E: Engine>(
    door: Arc<Door<E>>,
    peer: Peer,
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
        .and(warp::header::optional::<Announces>(CONTENT_LENGTH.as_str()))
        .and(warp::ext::optional::<Unusual>())
        .and(warp::body::stream())
        .and_then(move |path, method, query, length, unusual: Option<Unusual>, stream| {
            let door = Arc::clone(&door);
            async move {
                let headers = unusual.map(|Unusual(headers)| headers).unwrap_or_default();
                let body = length == Some(Announces(true)) || announced(&headers);
                let request = Request { method, query, body, headers, peer: Some(peer) };
                Ok::<_, Rejection>(respond(door, path, request, stream).await)
            }
        })
}

/// A ping that says all in its path: without a query, a body, or headers that matter.
pub(crate) fn plain<E: Engine>(
    door: &Arc<Door<E>>,
    peer: Peer,
    method: http::Method,
    path: Path,
) -> Answering {
    let door = Arc::clone(door);
    let request =
        Request { method, query: Vec::new(), body: false, headers: HeaderMap::new(), peer: Some(peer) };
    Box::pin(async move {
        let (settings, json) = (door.settings(), path.wants_json());
        let answer = match admit(&door, &settings, path, &request).await {
            Err(answer) => answer,
            Ok(admitted) => take(&door, admitted).await,
        };
        Ok(answer.respond(json, request.peer, &settings))
    })
}

/// The head of a request.
struct Request {
    method: http::Method,
    query: Vec<(String, String)>,
    /// Whether one follows.
    body: bool,
    /// Only those of an unusual one.
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
    let (settings, json) = (door.settings(), path.wants_json());
    let body = request.body;
    let answer = match admit(&door, &settings, path, &request).await {
        Err(answer @ (Answer::TooMany(_) | Answer::ManyHosts)) if body => {
            linger(Box::pin(stream));
            answer
        }
        Err(answer) => answer,
        Ok(admitted) if body => {
            Box::pin(take_with_body(door, admitted, settings.body_limit.bytes, stream)).await
        }
        Ok(admitted) => take(&door, admitted).await,
    };
    answer.respond(json, request.peer, &settings)
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

/// A ping that may go to the engine, and how the clock was set when it was heard.
struct Admitted {
    ping: Ping,
    frame: Frame,
    /// What it has of its heartbeat's limit, if there is one.
    share: Option<Share>,
}

/// Makes a ping of a head, unless there were too many. Of an address that is above its limit nothing more is looked at.
async fn admit<E: Engine>(
    door: &Arc<Door<E>>,
    settings: &HttpSettings,
    path: Path,
    request: &Request,
) -> Result<Admitted, Answer> {
    if names_many_hosts(&request.headers) {
        return Err(Answer::ManyHosts);
    }
    let method = read_method(&request.method).map_err(|answer| {
        // What is answered so is no ping, and counts for the limit of all other requests.
        let taken = Fairness::of_request(door, Asked::Anything, &request.headers, request.peer);
        taken.map_or_else(Answer::TooMany, |()| answer)
    })?;
    let stamp = door.engine.stamp();
    let from =
        origin(request.peer.and_then(|peer| peer.address), &request.headers, &settings.trusted_proxies);
    Fairness::of_address(door, settings.ping_rate_per_address, from, stamp.at).map_err(Answer::TooMany)?;
    let Path::Ping(form) = path else { return Err(Answer::NotFound) };
    let ping = read(door, settings, form, Head { at: stamp.at, method, from, query: &request.query }).await?;
    let share = Fairness::of_heartbeat(door, settings, &ping).map_err(|excess| {
        door.fairness.give_back_to(settings.ping_rate_per_address, from, stamp.at);
        Answer::TooMany(excess)
    })?;
    Ok(Admitted { ping, frame: stamp.frame, share })
}

/// What a ping takes from the head of its request.
struct Head<'r> {
    at: Timestamp,
    method: Method,
    from: Option<IpAddr>,
    query: &'r [(String, String)],
}

/// Makes a ping of a head. Nothing is awaited unless something is wrong with it: its instant is now, and
/// its place among other pings is the order of their heads.
async fn read<E: Engine>(
    door: &Door<E>,
    settings: &HttpSettings,
    form: Form,
    Head { at, method, from, query }: Head<'_>,
) -> Result<Ping, Answer> {
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
    let wrong = match (form.kind, read_rid(query)) {
        (Some(kind), Ok(rid)) => return Ok(Ping { target, at, kind, rid, method, from, body: None }),
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

async fn take<E: Engine>(door: &Door<E>, Admitted { ping, frame, share }: Admitted) -> Answer {
    let answer = hand_over(&door.engine, ping, frame).await;
    let counts = matches!(answer, Answer::Taken | Answer::Refused(Refused::NotDurable));
    if let Some(share) = share.filter(|_| !counts) {
        door.fairness.give_back(&share, door.engine.now());
    }
    answer
}

async fn hand_over<E: Engine>(engine: &E, ping: Ping, frame: Frame) -> Answer {
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
    mut admitted: Admitted,
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
    let (target, at) = (admitted.ping.target.clone(), admitted.ping.at);
    let heard = match door.engine.hear(target, Stamp { at, frame: admitted.frame }) {
        Ok(heard) => heard,
        Err(refused) => {
            if let Some(share) = &admitted.share {
                door.fairness.give_back(share, door.engine.now());
            }
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
        admitted.ping.body = tail.finish();
        let taken = take(&door, admitted).await;
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
    /// The answer to this peer; one that says that there were too many is held back.
    fn respond(self, json: bool, peer: Option<Peer>, settings: &HttpSettings) -> Response {
        let mut response = self.into_response(json, &settings.body_limit);
        if let Self::TooMany(excess) = self {
            response.extensions_mut().insert(excess.held(peer, settings));
        }
        response
    }

    fn into_response(self, json: bool, body_limit: &BodyLimit) -> Response {
        let mut response = if json { self.json() } else { self.text() };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(&PING_BODY_LIMIT, body_limit.header.clone());
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
            Self::TooMany(excess) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(excess.seconds));
            }
            Self::ManyHosts => {
                // What follows on the connection may be read in two ways as well.
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
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
            Self::CodeTooLarge | Self::BadRid | Self::ManyHosts => StatusCode::BAD_REQUEST,
            Self::NoSuchMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Preflight => StatusCode::NO_CONTENT,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
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
            Self::ManyHosts => "more than one host",
            Self::TooMany(excess) => return in_words(self.status(), excess.to_string().into()),
            Self::Refused(Refused::Full) => "busy, try again",
            Self::Refused(Refused::NotDurable) => {
                "the ping counts, but could not be written to the disk, try again"
            }
            Self::Refused(Refused::Stopped) => "stopping, try again",
        };
        in_words(self.status(), Bytes::from_static(text.as_bytes()))
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
            Self::TooMany(excess @ Excess { limit: Limit::Request, .. }) => {
                failure("too_many_requests", &excess.to_string())
            }
            Self::TooMany(excess) => failure("too_many_pings", &excess.to_string()),
            Self::ManyHosts => failure("many_hosts", "There is more than one Host header."),
            Self::Refused(refused) => Failure::from(refused).into_response(),
        }
    }
}

fn in_words(status: StatusCode, text: Bytes) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

fn empty() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

#[cfg(test)]
mod fuzz;
