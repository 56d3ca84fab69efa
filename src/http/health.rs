//! `/healthz` says that the process lives, `/readyz` whether it can do its work and how config, journal
//! and loop stand. What is wrong in words is told only to those who may read the API.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::http::Door;
use crate::http::auth::{Facts, decide, only_reading};
use crate::http::listen::{AbsoluteForm, Peer};
use crate::http::rejection::{Failure, json_response};
use crate::http::seam::Engine;
use crate::model::time::Timestamp;

/// How long the loop may take to turn once.
const LOOP_LIMIT: Duration = Duration::from_secs(2);

/// Both of them.
pub(crate) fn routes<E: Engine>(
    door: Arc<Door<E>>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let alive = warp::path!("healthz").and(warp::method()).and_then(|method: Method| async move {
        only_reading(&method)?;
        Ok::<_, Rejection>(json_response(StatusCode::OK, &Alive { ok: true }))
    });
    let ready = warp::path!("readyz")
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<Peer>())
        .and(warp::ext::optional::<AbsoluteForm>())
        .and_then(move |method, headers, peer, absolute| {
            let door = Arc::clone(&door);
            async move { Ok::<_, Rejection>(ready(&door, &method, &headers, peer, absolute).await?) }
        });
    alive.or(ready).unify()
}

async fn ready<E: Engine>(
    door: &Door<E>,
    method: &Method,
    headers: &HeaderMap,
    peer: Option<Peer>,
    absolute: Option<AbsoluteForm>,
) -> Result<Response, Failure> {
    only_reading(method)?;
    let facts = Facts { method, headers, absolute: absolute.as_ref(), peer };
    let insider = decide(&door.settings(), facts, door.engine.now()).is_ok();
    let turns = matches!(timeout(LOOP_LIMIT, door.engine.turn()).await, Ok(Ok(())));
    let config = door.config.borrow().clone();
    let broken = door.engine.journal().borrow().error.clone();
    let ready = broken.is_none() && turns;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let texts = |texts, total| if insider { Texts::InWords(texts) } else { Texts::Number(total) };
    let problems = config.problems.len();
    let body = Readiness {
        ready,
        config: ConfigReady {
            ok: config.ok,
            loaded_at: config.loaded_at,
            problems: texts(config.problems, problems),
            warnings: texts(config.warnings, config.warnings_total),
        },
        journal: JournalReady { ok: broken.is_none(), error: broken.filter(|_| insider) },
        r#loop: LoopReady { ok: turns },
    };
    Ok(json_response(status, &body))
}

/// Whether the process lives.
#[derive(Serialize, ToSchema)]
pub(crate) struct Alive {
    /// It does.
    ok: bool,
}

/// Whether the daemon can do its work.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Whether the journal can be written and the loop turns. A config with problems does not count: the old one works.
    ready: bool,
    /// How the config stands.
    config: ConfigReady,
    /// How the journal stands.
    journal: JournalReady,
    /// How the loop stands.
    r#loop: LoopReady,
}

/// How the config stands.
#[derive(Serialize, ToSchema)]
struct ConfigReady {
    /// Whether the file as it is now is what is in force.
    ok: bool,
    /// When what is in force was read.
    loaded_at: Timestamp,
    /// Why the file as it is now is not in force.
    problems: Texts,
    /// What is in force but probably not meant.
    warnings: Texts,
}

/// How the journal stands.
#[derive(Serialize, ToSchema)]
struct JournalReady {
    /// Whether it can be written.
    ok: bool,
    /// Why it cannot, only for those who may read the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
}

/// How the loop stands.
#[derive(Serialize, ToSchema)]
struct LoopReady {
    /// Whether it turned within 2 s.
    ok: bool,
}

/// The texts for those who may read the API; for others, how many there are.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Texts {
    /// In words.
    InWords(Vec<String>),
    /// Their number.
    Number(usize),
}

/// Whether the process lives
#[utoipa::path(get, operation_id = "showAlive", path = "/healthz", tag = "Summary", security(()),
    responses((status = 200, description = "It lives.", body = Alive)))]
#[allow(dead_code, reason = "it describes a route")]
pub(crate) fn alive() {}

/// Whether the daemon can do its work
#[utoipa::path(get, operation_id = "showReady", path = "/readyz", tag = "Summary", security(()),
    responses((status = 200, description = "It can.", body = Readiness),
        (status = 503, description = "The journal cannot be written, or the loop does not turn.", body = Readiness)))]
#[allow(dead_code, reason = "it describes a route")]
pub(crate) fn readiness() {}
