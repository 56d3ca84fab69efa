//! What happens, told as it happens, as server-sent events. It takes the engine's news and words them for a reader;
//! what is news is decided elsewhere. A reader that is slow is told that it lost something, and nobody waits for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use std::{mem, vec};

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method};
use serde::Serialize;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until};
use utoipa::IntoParams;
use warp::Reply as _;
use warp::reply::Response;

use crate::engine::feed::{Following, Told};
use crate::engine::handle::JournalHealth;
use crate::http::api::frames;
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
/// How long nothing is said after something was, so that what happens meanwhile costs one write for all of it. What
/// happens after a quiet while is said at once.
const REST: Duration = Duration::from_millis(100);
/// Bytes that are said at once, about. If more lie there, they follow without a rest.
const FRAME_MAX: usize = 64 * 1024;
/// How long a reader may go on whose session has ended.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
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
        return Ok(response(stream::empty::<Result<Bytes, Infallible>>()));
    }
    // The rest is looked at from here on, so that nothing falls between.
    let mut reader = Reader {
        engine: door.engine.clone(),
        frame: Vec::new(),
        missed: Vec::new().into_iter(),
        live: None,
        resting: None,
        quiet: Instant::now() + COMMENT_EVERY,
        passed: 0,
        heartbeat,
        moved: None,
        config: door.config.clone(),
        journal: door.engine.journal(),
        access: Access::of(door, request),
        place,
    };
    reader.config.mark_unchanged();
    reader.journal.mark_unchanged();
    reader.begin(after, door.engine.follow(after).await?);
    let frames = stream::unfold(reader, |mut reader| async move {
        let frame = reader.next().await?;
        Some((Ok::<_, Infallible>(frame), reader))
    });
    let mut response = response(frames);
    response.extensions_mut().insert(Endless);
    Ok(response)
}

fn response(frames: impl Stream<Item = Result<Bytes, Infallible>> + Send + Sync + 'static) -> Response {
    let mut response = warp::reply::stream(frames).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
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

/// Who reads, to be asked again when keys change and from time to time.
struct Access<E> {
    engine: E,
    settings: watch::Receiver<Arc<HttpSettings>>,
    method: Method,
    headers: http::HeaderMap,
    absolute: Option<AbsoluteForm>,
    peer: Option<Peer>,
    looked: Instant,
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
            looked: Instant::now(),
        }
    }

    /// Returns when the settings changed so that this reader may not read any more.
    async fn is_lost(&mut self) {
        while self.settings.changed().await.is_ok() {
            if !self.may_read() {
                return;
            }
        }
        // Nothing can change any more.
        std::future::pending().await
    }

    /// Whether a session has ended since this was looked at last. The daemon's clock can be set meanwhile, so no timer
    /// of ours knows beforehand when that is.
    fn has_ended(&mut self) -> bool {
        if self.looked.elapsed() < LOOK_AGAIN {
            return false;
        }
        self.looked = Instant::now();
        !self.may_read()
    }

    fn may_read(&mut self) -> bool {
        let settings = Arc::clone(&self.settings.borrow_and_update());
        let Self { method, headers, absolute, peer, .. } = self;
        let facts = Facts { method, headers, absolute: absolute.as_ref(), peer: *peer };
        decide(&settings, facts, self.engine.now()).is_ok()
    }
}

/// One who reads.
struct Reader<E> {
    engine: E,
    /// What is said next.
    frame: Vec<u8>,
    /// What it missed and is still to be told.
    missed: vec::IntoIter<Arc<Told>>,
    /// None when the last word is said.
    live: Option<broadcast::Receiver<Arc<Told>>>,
    /// Until when it is left alone.
    resting: Option<Instant>,
    /// When a comment is due.
    quiet: Instant,
    /// How many news were not for it since it was last told how far it is.
    passed: usize,
    heartbeat: Option<Slug>,
    /// The last record by which the heartbeat got this slug: in one record, others may get its old one.
    moved: Option<Seq>,
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
        let hello = Own { word: "hello", at: self.engine.now(), heartbeat: None, facts: Plain {} };
        frames::event("hello", &hello, from, Some(RETRY), &mut self.frame);
        if !complete {
            self.say("lost", Some(newest), Plain {});
        }
        self.go_back(&missed);
        (self.missed, self.live) = (missed.into_iter(), Some(live));
    }

    /// The slug is the one of now; what was missed may begin with an older one.
    fn go_back(&mut self, missed: &[Arc<Told>]) {
        let mut moved = None;
        for Told { news, .. } in missed.iter().rev().map(AsRef::as_ref) {
            if let (What::Renamed { from }, Some(to), Some(wanted)) =
                (&news.what, &news.heartbeat, &mut self.heartbeat)
                && to == wanted
                && moved != Some(news.seq)
            {
                wanted.clone_from(from);
                moved = Some(news.seq);
            }
        }
    }

    /// All that there is to say by now; none when there is nothing more to come.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.catch_up();
            if self.access.has_ended() {
                return None;
            }
            if !self.frame.is_empty() {
                let now = Instant::now();
                self.resting = Some(now + REST).filter(|_| self.frame.len() < FRAME_MAX);
                self.quiet = now + REST + COMMENT_EVERY;
                return Some(mem::take(&mut self.frame).into());
            }
            let live = self.live.as_mut()?;
            let (rests, until) = (self.resting.is_some(), self.resting.unwrap_or(self.quiet));
            tokio::select! {
                biased;
                () = self.place.ended() => return None,
                () = self.access.is_lost() => return None,
                () = sleep_until(until), if rests => self.resting = None,
                told = live.recv(), if !rests => {
                    // Also when it is not for this reader: many of those would wake it as often.
                    self.resting = Some(Instant::now() + REST);
                    self.hear(told);
                    self.drain();
                    self.notice();
                }
                changed = self.config.changed(), if !rests => {
                    changed.ok()?;
                    self.say_config();
                }
                changed = self.journal.changed(), if !rests => {
                    changed.ok()?;
                    self.say_journal();
                }
                () = sleep_until(until), if !rests => self.frame.extend(frames::COMMENT),
            }
        }
    }

    /// Takes what it missed, as much as is said at once.
    fn catch_up(&mut self) {
        while self.frame.len() < FRAME_MAX
            && let Some(told) = self.missed.next()
        {
            self.tell(&told);
        }
    }

    /// Takes what lies there, as much as is said at once.
    fn drain(&mut self) {
        while self.frame.len() < FRAME_MAX
            && let Some(live) = &mut self.live
        {
            match live.try_recv() {
                Ok(told) => self.tell(&told),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Closed) => self.hear(Err(RecvError::Closed)),
                Err(TryRecvError::Lagged(by)) => self.hear(Err(RecvError::Lagged(by))),
            }
        }
    }

    fn hear(&mut self, told: Result<Arc<Told>, RecvError>) {
        match told {
            Ok(told) => self.tell(&told),
            Err(RecvError::Closed) => self.live = None,
            Err(RecvError::Lagged(_)) => {
                // Without an id: whoever comes back says where it stopped, and is told what is left of it.
                self.say("lost", None, Plain {});
                self.live = None;
            }
        }
    }

    /// Says news that are for this reader.
    fn tell(&mut self, told: &Told) {
        if self.concerns(told) {
            self.passed = 0;
            self.frame.extend(told.written(|told, into| {
                frames::event(told.news.what.word(), &told.news, told.mark(), None, into);
            }));
            return;
        }
        self.passed += 1;
        if self.passed >= PASSED_MAX
            && let Some(id) = told.mark()
        {
            self.passed = 0;
            frames::place(id, &mut self.frame);
        }
    }

    /// Whether news are of the heartbeat that is wanted, which may get another slug meanwhile, or of the daemon.
    fn concerns(&mut self, told: &Told) -> bool {
        let Some(wanted) = &self.heartbeat else { return true };
        match (&told.news.what, &told.news.heartbeat) {
            (What::Renamed { from }, to) if from == wanted && self.moved != Some(told.news.seq) => {
                self.heartbeat.clone_from(to);
                self.moved = Some(told.news.seq);
                true
            }
            (What::Blind(_), _) => true,
            (_, heartbeat) => heartbeat.as_ref() == Some(wanted),
        }
    }

    /// Says how the config and the journal stand, if that has changed. While there are news, nothing waits for it.
    fn notice(&mut self) {
        if self.config.has_changed().unwrap_or(false) {
            self.say_config();
        }
        if self.journal.has_changed().unwrap_or(false) {
            self.say_journal();
        }
    }

    fn say_config(&mut self) {
        let health = self.config.borrow_and_update();
        let (ok, problems) = (health.ok, health.problems.len());
        drop(health);
        self.say("config", None, Config { ok, problems });
    }

    fn say_journal(&mut self) {
        let ok = self.journal.borrow_and_update().error.is_none();
        self.say("journal", None, Journal { ok });
    }

    /// Says what is not of the engine's news.
    fn say(&mut self, word: &'static str, id: Option<Seq>, facts: impl Serialize) {
        let own = Own { word, at: self.engine.now(), heartbeat: None, facts };
        frames::event(word, &own, id, None, &mut self.frame);
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
