//! `/healthz` says that the process lives, `/readyz` whether it can do its work and how config, journal
//! and loop stand. What is wrong in words is told only to those who may read the API.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::http::Door;
use crate::http::auth::{Facts, decide};
use crate::http::listen::{AbsoluteForm, Peer};
use crate::http::rejection::{Failure, json_response};
use crate::http::seam::Engine;

/// How long the loop may take to turn once.
const LOOP_LIMIT: Duration = Duration::from_secs(2);

/// Both of them.
pub(crate) fn routes<E: Engine>(
    door: Arc<Door<E>>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let alive = warp::path!("healthz").and(warp::method()).and_then(|method: Method| async move {
        only_reading(&method)?;
        Ok::<_, Rejection>(json_response(StatusCode::OK, &json!({ "ok": true })))
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

fn only_reading(method: &Method) -> Result<(), Failure> {
    match *method {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(Failure::method("GET, HEAD")),
    }
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
    let insider = decide(&door.settings(), facts).is_ok();
    let turns = matches!(timeout(LOOP_LIMIT, door.engine.turn()).await, Ok(Ok(())));
    let config = door.config.borrow().clone();
    let broken = door.engine.journal().borrow().error.clone();
    let ready = broken.is_none() && turns;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let texts = |texts: &[String]| if insider { json!(texts) } else { json!(texts.len()) };
    let mut body = json!({
        "ready": ready,
        "config": {
            "ok": config.ok,
            "loaded_at": config.loaded_at,
            "problems": texts(&config.problems),
            "warnings": texts(&config.warnings),
        },
        "journal": { "ok": broken.is_none() },
        "loop": { "ok": turns },
    });
    if insider && let Some(error) = broken {
        body["journal"]["error"] = Value::String(error);
    }
    Ok(json_response(status, &body))
}
