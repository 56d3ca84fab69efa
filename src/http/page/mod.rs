//! The page: what people keep in a browser tab. Written by the server, read without JavaScript, live with it. It
//! reads addresses and forms, asks the engine and fills templates; what a heartbeat is and does is decided
//! elsewhere.

mod act;
mod address;
mod assets;
mod chart;
mod config;
mod deliveries;
mod frame;
mod heartbeat;
mod home;
mod incidents;
mod list;
mod login;
pub(in crate::http) mod mark;
mod query;
mod snippets;
mod strip;
#[cfg(test)]
mod tests;
mod times;
mod uptime;
pub(in crate::http) mod words;

use std::sync::Arc;

use askama::Template;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::engine::handle::Refused;
use crate::http::Door;
use crate::http::auth::{Facts, Visitor, visit};
use crate::http::form::Form;
use crate::http::listen::{AbsoluteForm, Peer};
use crate::http::page::address::{Address, Shown};
use crate::http::page::frame::{Frame, Framed};
use crate::http::page::login::{login, logout, turned_away};
use crate::http::rejection::Failure;
use crate::http::seam::Engine;

/// Nothing from elsewhere, nothing inline, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Everything that programs do not ask.
pub(crate) fn routes<E: Engine>(
    door: Arc<Door<E>>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    warp::path::full()
        .and(warp::header::headers_cloned())
        .and_then(|path: FullPath, headers| async move {
            let nowhere = || Address::nowhere(path.as_str()).filter(|_| wants_page(&headers));
            let address =
                Address::parse(path.as_str()).or_else(nowhere).ok_or_else(warp::reject::not_found)?;
            Ok::<_, Rejection>((address, path, headers))
        })
        .untuple_one()
        .and(warp::method())
        .and(warp::query::<Vec<(String, String)>>())
        .and(warp::ext::optional::<Peer>())
        .and(warp::ext::optional::<AbsoluteForm>())
        .and(warp::body::stream())
        .and_then(move |place, path: FullPath, headers, method, query: Vec<_>, peer, absolute, stream| {
            let door = Arc::clone(&door);
            async move {
                let address = whole(path.as_str(), &query);
                let sent = Form::read(HeaderMap::clone(&headers), stream).boxed();
                let request = Request { method, address, query, headers, peer, absolute };
                Ok::<_, Rejection>(respond(&door, &place, &request, sent).await)
            }
        })
}

/// Whether a browser wants something to show.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.into_iter().any(|kinds| kinds.contains("text/html"))
}

/// The path with its query.
fn whole(path: &str, query: &[(String, String)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{path}?{query}")
}

/// The form that a request brings; read when it is asked for.
type Sent = BoxFuture<'static, Result<Form, Failure>>;

/// The head of a request.
struct Request {
    method: Method,
    /// Its path and query, as they were sent.
    address: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    peer: Option<Peer>,
    absolute: Option<AbsoluteForm>,
}

impl Request {
    fn facts(&self) -> Facts<'_> {
        let Self { method, headers, peer, absolute, .. } = self;
        Facts { method, headers, absolute: absolute.as_ref(), peer: *peer }
    }
}

async fn respond<E: Engine>(door: &Door<E>, address: &Address, request: &Request, sent: Sent) -> Response {
    match answer(door, address, request, sent).await {
        Ok(response) => response,
        Err(failure) => refusal(door, address.root(), &failure),
    }
}

async fn answer<E: Engine>(
    door: &Door<E>,
    address: &Address,
    request: &Request,
    sent: Sent,
) -> Result<Response, Failure> {
    let somewhere = !matches!(address, Address::Nowhere(_));
    if somewhere && !address.methods().split(", ").any(|method| request.method == method) {
        return Err(Failure::method(address.methods()));
    }
    match address {
        Address::Nowhere(_) => Err(Failure::not_found("There is nothing at this address.")),
        Address::Asset(name) => assets::answer(name, &request.query),
        Address::Login => login(door, request, sent).await,
        Address::Logout => logout(door, request, sent).await,
        Address::Shown(shown) => match visit(&door.settings(), request.facts(), door.engine.now()) {
            Ok(visitor) => show(door, shown, visitor, request, sent).await,
            Err(turned) => turned_away(turned, request.facts(), &request.address),
        },
    }
}

/// Answers somebody who may see the page.
async fn show<E: Engine>(
    door: &Door<E>,
    shown: &Shown,
    visitor: Visitor,
    request: &Request,
    sent: Sent,
) -> Result<Response, Failure> {
    let query = &request.query;
    match shown {
        Shown::Home => home::answer(door, visitor, query).await,
        Shown::Heartbeat(name) => heartbeat::answer(door, visitor, name, query).await,
        Shown::Incidents => incidents::answer(door, visitor, query).await,
        Shown::Deliveries => deliveries::answer(door, visitor, query).await,
        Shown::Config => config::answer(door, visitor, query).await,
        Shown::Slashed(_, place) => {
            let query = request.address.find('?').map_or("", |at| &request.address[at..]);
            Ok(see_other(&format!("{place}{query}")))
        }
        Shown::Act(act) => {
            let form = sent.await?;
            visitor.sent(form.get("csrf"))?;
            act::answer(door, act, &form).await
        }
    }
}

/// Leads on to another page of ours, said from this one.
fn see_other(location: &str) -> Response {
    let mut response = dressed(bytes::Bytes::new(), "text/plain; charset=utf-8");
    *response.status_mut() = StatusCode::SEE_OTHER;
    match HeaderValue::from_str(location) {
        Ok(value) => drop(response.headers_mut().insert(LOCATION, value)),
        Err(error) => tracing::error!(%error, "an address could not be written"),
    }
    response
}

/// Why there is no page, as one.
#[derive(Template)]
#[template(path = "refusal.html")]
struct Refusal<'a> {
    frame: Frame,
    failure: &'a Failure,
}

impl Framed for Refusal<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }
}

fn refusal<E: Engine>(door: &Door<E>, root: &'static str, failure: &Failure) -> Response {
    let title = failure.status.canonical_reason().unwrap_or("Error");
    let frame = Frame::outside(door, root, title);
    let mut response = page(&Refusal { frame, failure });
    *response.status_mut() = failure.status;
    if let Some((name, value)) = failure.header {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Fills a template on another thread: the one that hears pings has better things to do.
fn written<T: Framed>(
    fill: impl FnOnce() -> T + Send + 'static,
) -> BoxFuture<'static, Result<Response, Failure>> {
    elsewhere(Box::new(move || page(&fill())))
}

fn elsewhere(fill: Box<dyn FnOnce() -> Response + Send>) -> BoxFuture<'static, Result<Response, Failure>> {
    async { tokio::task::spawn_blocking(fill).await.map_err(|_| Refused::Stopped.into()) }.boxed()
}

/// Fills a template and its frame.
fn page(page: &impl Framed) -> Response {
    framed(page.frame(), filled(page))
}

fn framed(frame: &Frame, main: askama::Result<String>) -> Response {
    match main.and_then(|main| filled(&frame.around(main))) {
        Ok(text) => dressed(text.into(), "text/html; charset=utf-8"),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            let mut response = dressed("The page could not be written.".into(), "text/plain; charset=utf-8");
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}

/// Fills a template. By way of a writer that is not known: the code that writes to a known one is twice as large.
fn filled(template: &impl Template) -> askama::Result<String> {
    let mut text = String::new();
    template.render_into(&mut text as &mut dyn std::fmt::Write)?;
    Ok(text)
}

/// With the headers that all of the page has.
fn dressed(body: bytes::Bytes, content_type: &'static str) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // None to other sites. Under `no-referrer` a browser would say `Origin: null` for the page's own forms.
        (REFERRER_POLICY, "same-origin"),
        (http::header::CONTENT_SECURITY_POLICY, POLICY),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
