//! The status page of a tag: for everybody who has its address, if the config allows the tag one. Read-only, without
//! links, scripts or anything but names and how they stand. It must never know slugs, schedules, hosts or keys.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, REFRESH, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method};
use sha2::{Digest, Sha256};
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::engine::handle::Refused;
use crate::http::Door;
use crate::http::auth::only_reading;
use crate::http::badge::{Kind, Shown, count, no_such, page_tag};
use crate::http::page::mark::Mark;
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::machine::view::{DayTold, HeartbeatCounts, PublicView};
use crate::model::id::Slug;
use crate::model::time::Timestamp;

/// Heartbeats that a page has at the most.
const SHOWN_MAX: usize = 500;
/// Seconds after which a browser asks again.
const REFRESH_AFTER: &str = "60";

const STYLE: &str = "\
:root{color-scheme:light dark;--back:#fff;--text:#1b1c1e;--up:#10662b;--late:#7d5200;--down:#b3261e;--new:#0b4f9c;--paused:#595c62}\
@media(prefers-color-scheme:dark){:root{--back:#131416;--text:#e9e9eb;--up:#57cf90;--late:#f2bc4b;--down:#ff8f86;--new:#8fc1ff;--paused:#a6aab1}}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;background:var(--back);color:var(--text)}\
h1{font-size:1.4rem;overflow-wrap:anywhere}ul{list-style:none;padding:0}\
li{border-top:1px solid var(--paused);padding:.6rem 0;display:flex;flex-wrap:wrap;gap:.2rem 1rem;align-items:center}\
li>b{flex:1 1 14rem;min-width:0;overflow-wrap:anywhere}li>span{flex:0 1 19rem}li>svg{flex:none}\
.status{white-space:nowrap;font-weight:600}.mark{vertical-align:-2px;margin-right:.35em;fill:currentcolor}\
.sign{fill:none;stroke:var(--back);stroke-width:1.8}.hollow{fill:none;stroke:currentcolor;stroke-width:2}\
.up{color:var(--up)}.late{color:var(--late)}.down{color:var(--down)}.new{color:var(--new)}\
.paused,.none{color:var(--paused)}";

/// Its own style and nothing else, by the hash of it.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// `/status/…`. It is public on purpose, so where a request comes from does not matter, keys or none.
pub(crate) fn routes<E: Engine>(
    door: Arc<Door<E>>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    warp::path!("status" / String).and(warp::method()).and_then(move |token: String, method: Method| {
        let door = Arc::clone(&door);
        async move {
            only_reading(&method)?;
            let Some(tag) = page_tag(&door.settings(), &token) else { return Ok(no_such()) };
            Ok::<_, Rejection>(answer(&door, &tag).await?)
        }
    })
}

async fn answer<E: Engine>(door: &Door<E>, tag: &str) -> Result<Response, Failure> {
    let (engine, wanted) = (door.engine.clone(), tag.to_owned());
    let make = async move {
        let counts = count(&engine, Some(&wanted)).await?;
        let heartbeats = gather(&engine, &wanted).await?;
        let (tag, now) = (wanted, engine.now());
        // On another thread: the one that hears pings has better things to do.
        let written = tokio::task::spawn_blocking(move || render(tag, counts, heartbeats, now)).await;
        written.map(Bytes::from).map_err(|_| Refused::Stopped)
    };
    let html = door.pages.or_make(&Kind::Page(tag.to_owned()), make).await?;
    let mut response = Response::new(html.into());
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CONTENT_SECURITY_POLICY, &**POLICY),
        (REFRESH, REFRESH_AFTER),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ] {
        match HeaderValue::from_str(value) {
            Ok(value) => drop(response.headers_mut().insert(name, value)),
            Err(error) => tracing::error!(%error, %name, "a header could not be written"),
        }
    }
    Ok(response)
}

async fn gather<E: Engine>(engine: &E, tag: &str) -> Result<Vec<PublicView>, Refused> {
    let (mut all, mut after) = (Vec::new(), None::<Slug>);
    loop {
        let (tag, room) = (tag.to_owned(), SHOWN_MAX - all.len());
        let piece = engine.ask(move |view| view.public(&tag, after.as_ref().map(Slug::as_str), room)).await?;
        all.extend(piece.items);
        after = piece.next;
        if after.is_none() || all.len() >= SHOWN_MAX {
            return Ok(all);
        }
    }
}

/// The page.
#[derive(Template)]
#[template(path = "public.html")]
struct Public {
    tag: String,
    worst: &'static str,
    heartbeats: Vec<PublicView>,
    more: u64,
    now: Timestamp,
    style: &'static str,
}

fn render(tag: String, counts: HeartbeatCounts, mut heartbeats: Vec<PublicView>, now: Timestamp) -> String {
    // The worst first, as a person looks for it.
    heartbeats.sort_by(|a, b| (a.status.urgency(), &a.name).cmp(&(b.status.urgency(), &b.name)));
    let more = counts.total.saturating_sub(heartbeats.len() as u64);
    let worst = Shown::worst(counts).word();
    let page = Public { tag, worst, heartbeats, more, now, style: STYLE };
    page.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a status page could not be written");
        "The page could not be written.".to_owned()
    })
}

/// The days as a bar: good ones high, bad ones low and dark, so that no colour is needed to tell them apart. Days
/// that are alike and beside each other are one piece, since a page has many bars.
fn bar(days: &[DayTold]) -> String {
    let number = |wanted| days.iter().filter(|day| **day == wanted).count();
    let (good, bad) = (number(DayTold::Good), number(DayTold::Bad));
    let told = match (good, bad) {
        (0, 0) => "the last 90 days: nothing yet".to_owned(),
        _ => format!("the last 90 days: {good} good, {bad} with a problem"),
    };
    let mut svg = format!(
        "<svg role=\"img\" width=\"180\" height=\"20\" viewBox=\"0 0 90 20\" preserveAspectRatio=\"none\"><title>{told}</title>"
    );
    let mut at = 0;
    for piece in days.chunk_by(|a, b| a == b) {
        let (top, class) = match piece[0] {
            DayTold::Good => (4, "up"),
            DayTold::Bad => (12, "down"),
            DayTold::Nothing => (18, "paused"),
        };
        let (long, high) = (piece.len(), 20 - top);
        write!(
            svg,
            "<path class=\"{class}\" fill=\"currentColor\" d=\"M{at} {top}h{long}v{high}h-{long}z\"/>"
        )
        .expect("a string takes all");
        at += long;
    }
    svg.push_str("</svg>");
    svg
}

/// `2026-11-22 03:10 UTC`
#[allow(clippy::trivially_copy_pass_by_ref, reason = "a template passes it so")]
fn instant(at: &Timestamp) -> String {
    at.to_jiff().strftime("%Y-%m-%d %H:%M UTC").to_string()
}
