//! What happens, told as it happens, as server-sent events. It takes the engine's news and words them for a reader;
//! what is news is decided elsewhere. A reader that is slow is told that it lost something, and nobody waits for it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use std::vec;

use futures_util::{Stream, stream};
use http::header::{CACHE_CONTROL, CONNECTION, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use utoipa::IntoParams;
use warp::Reply as _;
use warp::reply::Response;
use warp::sse::{Event, keep_alive};

use crate::engine::feed::{Following, Told};
use crate::engine::handle::JournalHealth;
use crate::http::api::request::{Parameters, Request};
use crate::http::api::slug_of;
use crate::http::auth::{Facts, decide};
use crate::http::listen::{AbsoluteForm, Peer};
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::http::streams::{Endless, Place};
use crate::http::{ConfigHealth, Door, HttpSettings};
use crate::machine::news::What;
use crate::model::id::{Seq, Slug};
use crate::model::time::Timestamp;

/// When a reader that was cut off should come back.
const RETRY: Duration = Duration::from_secs(2);
/// How long nothing is said at the most.
const COMMENT_EVERY: Duration = Duration::from_secs(15);
/// News of other heartbeats after which a reader that wants one only is told how far it is.
const PASSED_MAX: usize = 1_000;

/// Which events are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes what `follow` reads")]
pub(super) struct EventsQuery {
    /// Only those of the heartbeat of this slug or UUID, and those of the daemon itself.
    heartbeat: Option<String>,
    /// The same as the header `Last-Event-ID`, for those who cannot send one. The header counts more.
    #[param(pattern = "^[0-9]{1,19}$")]
    last_event_id: Option<String>,
}

/// Follow what happens
///
/// Server-sent events, without an end. Each has a word (`event`), `data` in JSON with the fields `type` (the word), `at`, `heartbeat`
/// (its slug, or null) and a few facts, and mostly an `id`. The words: `hello` (first of all), `ping`, `heartbeat.declared`,
/// `heartbeat.removed`, `heartbeat.renamed`, `heartbeat.paused`, `heartbeat.resumed`, `heartbeat.missed`, `run.overran`,
/// `incident.opened`, `incident.reminder`, `incident.resolved`, `delivery.queued`, `delivery.attempted`, `blind`, `config`,
/// `journal`, and `lost`: what came between is not known any more, so read anew. A comment comes when there was nothing to say
/// for 15 s. Whoever comes back with `Last-Event-ID` is told first what came since, of the newest 4096.
#[utoipa::path(get, operation_id = "followEvents", path = "/api/v1/events", tag = "Events",
    params(EventsQuery, ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was read.")),
    responses((status = 200, description = "The events.", body = String, content_type = "text/event-stream"),
        (status = 404, description = "There is no such heartbeat.")))]
pub(super) async fn follow<E: Engine>(door: &Door<E>, request: &Request) -> Result<Response, Failure> {
    let given = request.parameters(&["heartbeat", "last_event_id"])?;
    let after = last_event_id(request, &given)?;
    let heartbeat = slug_of(door, given.text("heartbeat")).await?;
    let place = door.streams.place()?;
    if request.method == Method::HEAD {
        return Ok(response(stream::empty::<Result<Event, Infallible>>()));
    }
    // The rest is looked at from here on, so that nothing falls between.
    let mut reader = Reader {
        engine: door.engine.clone(),
        saying: VecDeque::new(),
        missed: Vec::new().into_iter(),
        live: None,
        passed: 0,
        heartbeat,
        config: door.config.clone(),
        journal: door.engine.journal(),
        access: Access::of(door, request),
        place,
    };
    reader.config.mark_unchanged();
    reader.journal.mark_unchanged();
    reader.begin(after, door.engine.follow(after).await?);
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    let events = keep_alive().interval(COMMENT_EVERY).stream(events);
    let mut response = response(events);
    response.extensions_mut().insert(Endless);
    Ok(response)
}

fn response<S, F>(events: S) -> Response
where
    S: futures_util::TryStream<Ok = Event, Error = F> + Stream + Send + Sync + 'static,
    F: std::error::Error + Send + Sync + 'static,
{
    let mut response = warp::sse::reply(events).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // nginx would hold the events back until it has many.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    // Nothing can follow an answer without an end.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// What the reader has already. What is none of our numbers names a place that nobody knows.
fn last_event_id(request: &Request, given: &Parameters<'_>) -> Result<Option<Seq>, Failure> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().map(Seq)
    };
    if let Some(header) = request.headers.get("last-event-id").filter(|header| !header.is_empty()) {
        let known = header.to_str().ok().and_then(number);
        return Ok(Some(known.unwrap_or(Seq(u64::MAX))));
    }
    let Some(text) = given.text("last_event_id") else { return Ok(None) };
    let wrong =
        || Failure::field("last_event_id", "This is the id of the last event that was read: a number.");
    number(text).map(Some).ok_or_else(wrong)
}

/// Who reads, to be asked again when keys change.
struct Access<E> {
    engine: E,
    settings: watch::Receiver<Arc<HttpSettings>>,
    method: Method,
    headers: http::HeaderMap,
    absolute: Option<AbsoluteForm>,
    peer: Option<Peer>,
}

impl<E: Engine> Access<E> {
    fn of(door: &Door<E>, request: &Request) -> Self {
        let mut settings = door.settings.clone();
        settings.mark_unchanged();
        let Request { method, headers, absolute, peer, .. } = request;
        Self {
            engine: door.engine.clone(),
            settings,
            method: method.clone(),
            headers: headers.clone(),
            absolute: absolute.clone(),
            peer: *peer,
        }
    }

    /// Returns when the settings changed so that this reader may not read any more.
    async fn is_lost(&mut self) {
        while self.settings.changed().await.is_ok() {
            let settings = Arc::clone(&self.settings.borrow_and_update());
            let Self { method, headers, absolute, peer, .. } = self;
            let facts = Facts { method, headers, absolute: absolute.as_ref(), peer: *peer };
            if decide(&settings, facts, self.engine.now()).is_err() {
                return;
            }
        }
    }
}

/// One who reads.
struct Reader<E> {
    engine: E,
    /// What is said next.
    saying: VecDeque<Event>,
    /// What it missed and is still to be told.
    missed: vec::IntoIter<Arc<Told>>,
    /// None when the last word is said.
    live: Option<broadcast::Receiver<Arc<Told>>>,
    /// How many news were not for it since it was last told how far it is.
    passed: usize,
    heartbeat: Option<Slug>,
    config: watch::Receiver<ConfigHealth>,
    journal: watch::Receiver<JournalHealth>,
    access: Access<E>,
    place: Place,
}

impl<E: Engine> Reader<E> {
    /// The first words. Each id says only what the reader has by then: with one too high it would go on from there
    /// after a cut, and miss what it had not been sent.
    fn begin(&mut self, after: Option<Seq>, following: Following) {
        let Following { missed, complete, newest, live } = following;
        let from = if complete { Some(after.unwrap_or(newest)) } else { None };
        self.say("hello", from, Plain {});
        if !complete {
            self.say("lost", Some(newest), Plain {});
        }
        (self.missed, self.live) = (missed.into_iter(), Some(live));
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.saying.pop_front() {
                return Some(event);
            }
            if let Some(told) = self.missed.next() {
                self.tell(&told);
                continue;
            }
            let live = self.live.as_mut()?;
            tokio::select! {
                biased;
                () = self.place.ended() => return None,
                () = self.access.is_lost() => return None,
                changed = self.config.changed() => {
                    changed.ok()?;
                    let health = self.config.borrow_and_update();
                    let (ok, problems) = (health.ok, health.problems.len());
                    drop(health);
                    self.say("config", None, Config { ok, problems });
                }
                changed = self.journal.changed() => {
                    changed.ok()?;
                    let ok = self.journal.borrow_and_update().error.is_none();
                    self.say("journal", None, Journal { ok });
                }
                told = live.recv() => match told {
                    Ok(told) => self.tell(&told),
                    Err(RecvError::Closed) => return None,
                    Err(RecvError::Lagged(_)) => {
                        // Without an id: whoever comes back says where it stopped, and is told what is left of it.
                        self.say("lost", None, Plain {});
                        self.live = None;
                    }
                },
            }
        }
    }

    /// Says news that are for this reader.
    fn tell(&mut self, told: &Told) {
        let id = told.mark();
        if self.concerns(told) {
            self.passed = 0;
            self.saying.push_back(event(told.news.what.word(), id, &told.news));
            return;
        }
        self.passed += 1;
        if self.passed >= PASSED_MAX
            && let Some(id) = id
        {
            self.passed = 0;
            self.saying.push_back(Event::default().id(id.to_string()));
        }
    }

    /// Whether news are of the heartbeat that is wanted, which may get another slug meanwhile, or of the daemon.
    fn concerns(&mut self, told: &Told) -> bool {
        let Some(wanted) = &self.heartbeat else { return true };
        match (&told.news.what, &told.news.heartbeat) {
            (What::Renamed { from }, to) if from == wanted => {
                self.heartbeat.clone_from(to);
                true
            }
            (What::Blind(_), _) => true,
            (_, heartbeat) => heartbeat.as_ref() == Some(wanted),
        }
    }

    /// Says what is not of the engine's news.
    fn say(&mut self, word: &'static str, id: Option<Seq>, facts: impl Serialize) {
        let event = event(word, id, &Own { word, at: self.engine.now(), heartbeat: None, facts });
        let first = word == "hello";
        self.saying.push_back(if first { event.retry(RETRY) } else { event });
    }
}

fn event(word: &'static str, id: Option<Seq>, data: &impl Serialize) -> Event {
    let event = Event::default().event(word);
    let event = event.json_data(data).expect("plain data with string keys becomes JSON");
    match id {
        Some(id) => event.id(id.to_string()),
        None => event,
    }
}

/// What the daemon says of itself, in the shape of all events.
#[derive(Serialize)]
struct Own<F> {
    #[serde(rename = "type")]
    word: &'static str,
    at: Timestamp,
    heartbeat: Option<Slug>,
    #[serde(flatten)]
    facts: F,
}

#[derive(Serialize)]
struct Plain {}

#[derive(Serialize)]
struct Config {
    ok: bool,
    problems: usize,
}

#[derive(Serialize)]
struct Journal {
    ok: bool,
}
