//! `/metrics`: how everything stands as numbers, for Prometheus and all that read its formats. It asks the engine
//! piece by piece, as lists do, and writes what is long off the thread that hears pings. What each number is called
//! stands in `families` and, for what the engine itself measures, in `engine::measures`.

mod families;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method};
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::engine::handle::Refused;
use crate::engine::measures::Measures;
use crate::http::Door;
use crate::http::auth::{Facts, decide, only_reading, without_key};
use crate::http::listen::{AbsoluteForm, Peer};
use crate::http::metrics::families::{ConfigNumbers, Numbers};
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::machine::view::HeartbeatCounts;
use crate::model::id::Slug;

/// Heartbeats from which on the text is written on another thread: ten take at most as long as a few pings.
const LONG: usize = 10;

/// One is gathered and written at a time: a million heartbeats are a gigabyte of text.
static TURN: Semaphore = Semaphore::const_new(1);

/// What `OpenMetrics` calls itself.
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The two forms that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `OpenMetrics` 1.0.
    Open,
    /// What Prometheus has read since ever, 0.0.4.
    Classic,
}

/// The one route.
pub(crate) fn routes<E: Engine>(
    door: Arc<Door<E>>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    warp::path!("metrics")
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<Peer>())
        .and(warp::ext::optional::<AbsoluteForm>())
        .and_then(move |method, headers, peer, absolute| {
            let door = Arc::clone(&door);
            async move {
                let answered = answer(&door, &method, &headers, peer, absolute).await;
                Ok::<_, Rejection>(answered.map_err(|failure| without_key(failure, &headers))?)
            }
        })
}

async fn answer<E: Engine>(
    door: &Door<E>,
    method: &Method,
    headers: &HeaderMap,
    peer: Option<Peer>,
    absolute: Option<AbsoluteForm>,
) -> Result<Response, Failure> {
    // Before the settings: a config that is said to be in force is then what the rest is told by.
    let config = ConfigNumbers::of(&door.config.borrow());
    let settings = door.settings();
    decide(&settings, Facts { method, headers, absolute: absolute.as_ref(), peer }, door.engine.now())?;
    only_reading(method)?;
    let form = Form::wanted(headers);
    let turn = TURN.acquire().await.map_err(|_| Refused::Stopped)?;
    let numbers = gather(door, config, settings.metrics_heartbeats).await?;
    let measures = door.engine.measures();
    let long = numbers.shown() >= LONG;
    let write = move || {
        let response = form.write(&measures, numbers);
        drop(turn);
        response
    };
    if long {
        tokio::task::spawn_blocking(write).await.map_err(|_| Refused::Stopped.into())
    } else {
        Ok(write())
    }
}

/// Asks for everything that is not measured as it happens.
async fn gather<E: Engine>(door: &Door<E>, config: ConfigNumbers, limit: usize) -> Result<Numbers, Refused> {
    let asked = door.engine.ask(|view| (view.standings(), view.living(), view.waiting()));
    let (standings, living, waiting) = asked.await?;
    let each = living <= limit && limit > 0;
    let (mut heartbeats, mut readings, mut after) = (HeartbeatCounts::default(), Vec::new(), None::<Slug>);
    loop {
        let piece = door.engine.ask(move |view| {
            let after = after.as_ref().map(Slug::as_str);
            (view.count(after), if each { view.readings(after) } else { Vec::new() })
        });
        let ((counts, next), piece) = piece.await?;
        heartbeats += counts;
        readings.extend(piece);
        after = next;
        if after.is_none() {
            break;
        }
    }
    Ok(Numbers {
        began_at: standings.began_at.unwrap_or_else(|| door.engine.now()),
        heartbeats,
        open_incidents: standings.open_incidents,
        readings: each.then_some(readings),
        waiting,
        writable: door.engine.journal().borrow().error.is_none(),
        config,
        refused: door.fairness.refused(),
        requests_refused: door.fairness.requests_refused(),
        connections: door.connections.load(Ordering::Relaxed),
    })
}

impl Form {
    /// `OpenMetrics` for whoever names it, the classic form for all others.
    fn wanted(headers: &HeaderMap) -> Self {
        let names = |range: &str| {
            let mut parts = range.split(';').map(str::trim);
            let named =
                parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/openmetrics-text"));
            let refused = |part: &str| {
                let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
                weight.and_then(|weight| weight.parse::<f32>().ok()).is_some_and(|weight| weight <= 0.0)
            };
            named && !parts.any(refused)
        };
        let accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        if accepts.flat_map(|value| value.split(',')).any(names) { Self::Open } else { Self::Classic }
    }

    /// The text of everything, and its content type.
    fn text(self, measures: &Measures, numbers: Numbers) -> (String, &'static str) {
        let mut text = String::with_capacity(numbers.length());
        let mut registry = Registry::with_prefix("overdue");
        measures.register(&mut registry);
        registry.register_collector(Box::new(numbers));
        let (written, kind) = match self {
            Self::Open => (text::encode(&mut text, &registry), OPEN),
            Self::Classic => (prometheus_text::encode(&mut text, &registry), prometheus_text::CONTENT_TYPE),
        };
        written.expect("writing to a string cannot fail");
        (text, kind)
    }

    fn write(self, measures: &Measures, numbers: Numbers) -> Response {
        let (body, kind) = self.text(measures, numbers);
        let mut response = Response::new(body.into());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(VARY, HeaderValue::from_static("accept"));
        response
    }
}

/// How everything stands as numbers, for Prometheus
#[utoipa::path(get, operation_id = "showMetrics", path = "/metrics", tag = "Summary",
    responses(
        (status = 200, description = "The numbers: as `OpenMetrics` where `Accept` names it, else in the format of Prometheus.",
            content((String = "text/plain"),
                (String = "application/openmetrics-text")))))]
#[allow(dead_code, reason = "it describes a route")]
pub(crate) fn metrics() {}
