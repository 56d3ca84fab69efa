//! The page: what people keep in a browser tab. Written by the server, read without JavaScript, live with it. It
//! reads addresses and forms, asks the engine and fills templates; what a heartbeat is and does is decided
//! elsewhere.

mod act;
mod address;
mod assets;
mod chart;
mod config;
mod deliveries;
mod few;
mod frame;
mod heartbeat;
mod home;
mod incidents;
mod list;
mod login;
pub(in crate::http) mod mark;
mod pack;
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
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::sync::Semaphore;
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::engine::handle::Refused;
use crate::http::Door;
use crate::http::auth::{Visitor, reads, refuse_other_sites, visit};
use crate::http::form::Form;
use crate::http::head::{Body, Head, whole};
use crate::http::page::address::{Address, Shown};
use crate::http::page::frame::{Frame, Framed};
use crate::http::rejection::Failure;
use crate::http::seam::Engine;

/// Nothing from elsewhere, nothing inline, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Pages that are asked for and written at the same time, each on a thread of its own; the others wait for their turn.
const WRITERS: usize = 8;
static TURNS: Semaphore = Semaphore::const_new(WRITERS);

/// Everything that programs do not ask. It comes after all others: what it does not answer nobody can any more.
pub(crate) fn routes<E: Engine>(
    door: Arc<Door<E>>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    whole().and_then(move |head: Head, body| {
        let door = Arc::clone(&door);
        async move {
            let address = address(&head).ok_or_else(warp::reject::not_found)?;
            let root = address.root();
            let answered = answer(&door, address, head, body).await;
            Ok::<_, Rejection>(answered.unwrap_or_else(|failure| refusal(&*door, root, &failure)))
        }
    })
}

/// The place of the page that is asked for; where there is none, only a browser is told so by a page.
fn address(head: &Head) -> Option<Address> {
    let nowhere = || Address::nowhere(&head.path).filter(|_| wants_page(&head.headers));
    Address::parse(&head.path).or_else(nowhere)
}

const HTML: &[u8] = b"text/html";

/// Whether a browser wants something to show.
fn wants_page(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(ACCEPT).iter();
    kinds.any(|kinds| kinds.as_bytes().windows(HTML.len()).any(|kind| kind == HTML))
}

/// The path and query of a request.
fn address_of(head: &Head) -> String {
    if head.query.is_empty() {
        return head.path.clone();
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&head.query).finish();
    format!("{}?{query}", head.path)
}

/// How a request goes on that may.
enum Way {
    /// It is answered.
    Answered(Response),
    /// The engine is asked, for somebody who may see the page.
    Asks(Shown, Visitor),
    /// A form is read. Its visitor is known, but at `/login`.
    Sends(Address, Option<Visitor>),
}

async fn answer<E: Engine>(
    door: &Arc<Door<E>>,
    address: Address,
    head: Head,
    body: Body,
) -> Result<Response, Failure> {
    match way(door, address, &head)? {
        Way::Answered(response) => Ok(response),
        Way::Asks(shown, visitor) => {
            let door = Arc::clone(door);
            elsewhere(Box::new(move || show(&*door, &shown, visitor, &head))).await
        }
        Way::Sends(address, visitor) => {
            let form = Form::read(&head.headers, body).await?;
            if let Some(visitor) = visitor {
                visitor.sent(form.get("csrf"))?;
            }
            let Address::Shown(Shown::Act(act)) = address else {
                return Ok(login::sent(door, &address, &head, &form));
            };
            act::answer(&act, door.engine.request(act::wish(&act, &form)?).await?, &form)
        }
    }
}

/// Whether a request may, and how it goes on. What waits for nothing is not within what does: it would be larger.
#[inline(never)]
fn way<E: Engine>(door: &Door<E>, address: Address, head: &Head) -> Result<Way, Failure> {
    let somewhere = !matches!(address, Address::Nowhere(_));
    if somewhere && !address.methods().split(", ").any(|method| head.method == method) {
        return Err(Failure::method(address.methods()));
    }
    Ok(match address {
        Address::Nowhere(_) => return Err(Failure::not_found("There is nothing at this address.")),
        Address::Asset(name) => Way::Answered(assets::answer(&name, &head.query)?),
        Address::Login if reads(&head.method) => Way::Answered(login::login(door, head)?),
        Address::Login => {
            // A foreign page must not sign anybody in either, as whom it likes.
            refuse_other_sites(&door.settings(), head.facts())?;
            Way::Sends(Address::Login, None)
        }
        Address::Logout => match login::leaving(door, head)? {
            None => Way::Answered(login::on("/login", None)),
            visitor => Way::Sends(Address::Logout, visitor),
        },
        Address::Shown(shown) => match (visit(&door.settings(), head.facts(), door.engine.now()), shown) {
            (Err(turned), _) => Way::Answered(login::turned_away(turned, head.facts(), &address_of(head))?),
            (Ok(visitor), Shown::Act(act)) => Way::Sends(Address::Shown(Shown::Act(act)), Some(visitor)),
            (Ok(visitor), shown) => Way::Asks(shown, visitor),
        },
    })
}

/// Answers somebody who may see the page. It waits for the engine, so it has a thread of its own: written so it is a
/// third as large as what would wait without one.
fn show<E: Engine>(
    door: &Door<E>,
    shown: &Shown,
    visitor: Visitor,
    head: &Head,
) -> Result<Response, Failure> {
    let query = &head.query;
    match shown {
        Shown::Home => home::answer(door, visitor, query),
        Shown::Heartbeat(name) => heartbeat::answer(door, visitor, name, query),
        Shown::Incidents => incidents::answer(door, visitor, query),
        Shown::Deliveries => deliveries::answer(door, visitor, query),
        Shown::Config => config::answer(door, visitor, query),
        Shown::Slashed(_, place) => {
            let address = address_of(head);
            let query = address.find('?').map_or("", |at| &address[at..]);
            Ok(see_other(&format!("{place}{query}")))
        }
        Shown::Act(_) => Err(Failure::method("POST")),
    }
}

/// Leads on to another page of ours, said from this one.
#[inline(never)]
fn see_other(location: &str) -> Response {
    let mut response = dressed(bytes::Bytes::new(), "text/plain; charset=utf-8");
    *response.status_mut() = StatusCode::SEE_OTHER;
    put_header(&mut response, LOCATION, location);
    response
}

#[inline(never)]
fn put_header(response: &mut Response, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => drop(response.headers_mut().insert(name, value)),
        Err(error) => tell(&error),
    }
}

/// One place for all that can be told of: a line for the log is as large as a small page.
#[inline(never)]
fn tell(error: &dyn std::fmt::Display) {
    tracing::error!(%error, "a page or its headers could not be written");
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
        put_header(&mut response, HeaderName::from_static(name), value);
    }
    response
}

/// Answers on another thread: the one that hears pings has better things to do.
async fn elsewhere(
    answer: Box<dyn FnOnce() -> Result<Response, Failure> + Send>,
) -> Result<Response, Failure> {
    let turn = TURNS.acquire().await.map_err(|_| Refused::Stopped)?;
    let answered = tokio::task::spawn_blocking(move || {
        let answered = answer();
        drop(turn);
        answered
    });
    answered.await.map_err(|_| Refused::Stopped)?
}

/// Fills a template and its frame.
fn page(page: &impl Framed) -> Response {
    framed(page.frame(), filled(page))
}

fn framed(frame: &Frame, main: askama::Result<String>) -> Response {
    match main.and_then(|main| filled(&frame.around(main))) {
        Ok(text) => dressed(text.into(), "text/html; charset=utf-8"),
        Err(error) => {
            tell(&error);
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
#[inline(never)]
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
