//! Badges: how a heartbeat, a tag or everything stands, at addresses that cannot be guessed and tell nothing else.
//! The address is the secret, so nothing more is asked of who comes.

mod picture;
mod standing;
mod token;

use std::sync::Arc;

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde_json::json;
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::engine::handle::Refused;
use crate::http::auth::only_reading;
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::http::{Door, HttpSettings};
use crate::model::heartbeat::Status;

pub(crate) use standing::{Lately, Shown, count};
pub(crate) use token::Kind;

/// What a badge says before the status when it is told nothing else: nothing.
const LABEL: &str = "status";
/// Characters of another label that are shown.
const LABEL_MAX: usize = 40;

/// In which form a badge is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A picture.
    Svg,
    /// For programs.
    Json,
    /// For the badge "endpoint" of shields.io.
    Shields,
}

impl Form {
    const ALL: [(Self, &str); 3] =
        [(Self::Svg, "svg"), (Self::Json, "json"), (Self::Shields, "shields.json")];
}

/// The address of a badge in one form.
pub(crate) fn address(settings: &HttpSettings, kind: &Kind, form: Form) -> String {
    let ending = Form::ALL.into_iter().find(|(one, _)| *one == form).map_or("", |(_, ending)| ending);
    format!("{}/badge/{}.{ending}", settings.base_url, token::seal(&settings.server_key, kind))
}

/// The address of a tag's status page, if it has one.
pub(crate) fn page_address(settings: &HttpSettings, tag: &str) -> Option<String> {
    let page = || token::seal(&settings.server_key, &Kind::Page(tag.to_owned()));
    settings.status_pages.contains(tag).then(|| format!("{}/status/{}", settings.base_url, page()))
}

/// The tag whose status page a token is of, if it has one.
pub(crate) fn page_tag(settings: &HttpSettings, token: &str) -> Option<String> {
    match token::open(&settings.server_key, token)? {
        Kind::Page(tag) => Some(tag).filter(|tag| settings.status_pages.contains(tag)),
        Kind::Heartbeat(_) | Kind::Tag(_) | Kind::All => None,
    }
}

/// `/badge/…`
pub(crate) fn routes<E: Engine>(
    door: Arc<Door<E>>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    warp::path!("badge" / String).and(warp::method()).and(warp::query::<Vec<(String, String)>>()).and_then(
        move |name: String, method: Method, query: Vec<(String, String)>| {
            let door = Arc::clone(&door);
            async move {
                only_reading(&method)?;
                // A proxy of pictures may add parameters of its own, so others are no mistake.
                let label = query.iter().find(|(name, _)| name == "label").map(|(_, label)| label.as_str());
                let answered = answer(&door, &name, label.unwrap_or(LABEL)).await;
                Ok::<_, Rejection>(answered?.unwrap_or_else(no_such))
            }
        },
    )
}

/// What every address is answered that is none of ours, or of something that has left.
pub(crate) fn no_such() -> Response {
    public(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "not found\n".to_owned())
}

async fn answer<E: Engine>(door: &Door<E>, name: &str, label: &str) -> Result<Option<Response>, Failure> {
    let Some((token, ending)) = name.split_once('.') else { return Ok(None) };
    let Some((form, _)) = Form::ALL.into_iter().find(|(_, one)| *one == ending) else { return Ok(None) };
    let Some(kind) = token::open(&door.settings().server_key, token) else { return Ok(None) };
    let shown = match &kind {
        Kind::Heartbeat(uuid) => {
            let uuid = *uuid;
            match door.engine.ask(move |view| view.status_of(uuid)).await? {
                Some(status) => Shown::Status(status),
                None => return Ok(None),
            }
        }
        Kind::Tag(tag) => door.badges.or_make(&kind, worst(door.engine.clone(), Some(tag.clone()))).await?,
        Kind::All => door.badges.or_make(&kind, worst(door.engine.clone(), None)).await?,
        Kind::Page(_) => return Ok(None),
    };
    let label: String = label.chars().filter(|c| !c.is_control()).take(LABEL_MAX).collect();
    Ok(Some(rendered(form, &label, shown)))
}

async fn worst<E: Engine>(engine: E, tag: Option<String>) -> Result<Shown, Refused> {
    Ok(Shown::worst(count(&engine, tag.as_deref()).await?))
}

fn rendered(form: Form, label: &str, shown: Shown) -> Response {
    let word = shown.word();
    // White is readable on each of the first (4.5 to 1 and more); the others are words of shields.io.
    let (colour, name) = match shown {
        Shown::Status(Status::Up) => ("#1a7f37", "brightgreen"),
        Shown::Status(Status::Late) => ("#9a6700", "yellow"),
        Shown::Status(Status::Down) => ("#b42318", "red"),
        Shown::Status(Status::New) => ("#0b5cad", "blue"),
        Shown::Status(Status::Paused) | Shown::Nothing => ("#57606a", "lightgrey"),
    };
    match form {
        Form::Svg => public(StatusCode::OK, "image/svg+xml", picture::draw(label, word, colour)),
        Form::Json => public(StatusCode::OK, "application/json", json!({ "status": word }).to_string()),
        Form::Shields => {
            let badge = json!({ "schemaVersion": 1, "label": label, "message": word, "color": name });
            public(StatusCode::OK, "application/json", badge.to_string())
        }
    }
}

/// An answer for everybody, true only now: a proxy that keeps it must ask again.
fn public(status: StatusCode, kind: &'static str, text: String) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-cache, max-age=0"),
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
