//! Signing in and out of the page. It knows the form, the cookie and where to go afterwards; who may see what is
//! decided in `auth`.

use askama::Template;
use http::header::{SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use warp::reply::Response;

use crate::http::Door;
use crate::http::auth::{Facts, Turned, Visitor, key_of, reads, visitor};
use crate::http::form::Form;
use crate::http::head::Head;
use crate::http::origin::origin;
use crate::http::page::address::Address;
use crate::http::page::frame::{Frame, Framed};
use crate::http::page::{dressed, page, put_header, see_other, wants_page};
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::http::session;

/// Bytes of an address that is gone to after signing in.
const NEXT_MAX: usize = 2_000;

/// Answers at `/login` who sends nothing.
pub(super) fn login<E: Engine>(door: &Door<E>, head: &Head) -> Result<Response, Failure> {
    let next = head.query.iter().find(|(name, _)| name == "next").map_or("/", |(_, next)| next);
    match visitor(&door.settings(), head.facts(), door.engine.now()) {
        Ok(_) => Ok(on(next, None)),
        Err(Turned::Login) => Ok(form(door, next, false)),
        Err(Turned::Failure(failure)) => Err(failure),
    }
}

/// What someone is answered who is not shown the page at this path and query. A browser that wants a page has not
/// failed: its way leads over another. Whoever wants anything else is told so by the status.
pub(super) fn turned_away(turned: Turned, facts: Facts<'_>, path: &str) -> Result<Response, Failure> {
    match turned {
        Turned::Failure(failure) => Err(failure),
        Turned::Login => {
            // What a form wished is not done later, so it leads to the first page.
            let html = lead_on(path, if reads(facts.method) { path } else { "/" });
            let mut response = dressed(html.into(), "text/html; charset=utf-8");
            if !wants_page(facts.headers) {
                make_unauthorized(&mut response);
            }
            Ok(response)
        }
    }
}

/// Answers who sends a form at `/login` or `/logout`. That it comes from no other site was looked at before.
#[inline(never)]
pub(super) fn sent<E: Engine>(door: &Door<E>, address: &Address, head: &Head, form: &Form) -> Response {
    if *address == Address::Login {
        return sign_in(door, head, form);
    }
    on("/login", Some(&session::set_cookie("", &door.settings().base_url)))
}

fn sign_in<E: Engine>(door: &Door<E>, head: &Head, sent: &Form) -> Response {
    let (settings, next) = (door.settings(), sent.get("next"));
    if settings.api_keys.is_empty() {
        // There is nothing to sign in to: the page says who may see it.
        return on(next, None);
    }
    match key_of(&settings.api_keys, sent.get("key").trim().as_bytes()) {
        None => {
            tell_of_failure(door, head);
            form(door, next, true)
        }
        Some(key) => {
            tracing::info!(key = key.name, role = ?key.role, "somebody signed in to the page");
            let value = session::open(&settings.server_key, key, door.engine.now());
            on(next, Some(&session::set_cookie(&value, &settings.base_url)))
        }
    }
}

/// Tells the log from where somebody tried; never by which key.
fn tell_of_failure<E: Engine>(door: &Door<E>, head: &Head) {
    let Some(untold) = door.knocks.heard(door.engine.now()) else { return };
    let peer = head.peer.and_then(|peer| peer.address);
    let from = origin(peer, &head.headers, &door.settings().trusted_proxies);
    let from = from.map_or_else(|| "a Unix socket".to_owned(), |from| from.to_string());
    tracing::warn!(untold, "a sign-in to the page failed from {from}");
}

/// Who wants to leave at `/logout`; `None` when the session has ended already.
pub(super) fn leaving<E: Engine>(door: &Door<E>, head: &Head) -> Result<Option<Visitor>, Failure> {
    match visitor(&door.settings(), head.facts(), door.engine.now()) {
        Ok(visitor) => Ok(Some(visitor)),
        Err(Turned::Login) => Ok(None),
        Err(Turned::Failure(failure)) => Err(failure),
    }
}

/// Leads on from `/login` or `/logout` to another page of ours. Said from here: a proxy may have put a path before
/// all of ours.
#[inline(never)]
pub(super) fn on(path: &str, cookie: Option<&str>) -> Response {
    let mut response = see_other(&format!(".{}", local(path)));
    if let Some(cookie) = cookie {
        put_header(&mut response, SET_COOKIE, cookie);
    }
    response
}

/// The address, if it is one of this page: a browser would take `//host` and `/\host`, also with a line break
/// within, for another.
pub(super) fn local(next: &str) -> &str {
    let plain = next.len() <= NEXT_MAX && next.bytes().all(|c| c.is_ascii_graphic());
    let mut letters = next.bytes();
    let ours = letters.next() == Some(b'/') && !matches!(letters.next(), Some(b'/' | b'\\'));
    if plain && ours { next } else { "/" }
}

/// Leads from this path to the form at once, and from there to `next`. A browser keeps a `SameSite=Strict` cookie
/// back when a link of a chat or an e-mail leads here, and behind every redirect of that; from this page on it is
/// within this site and sends it, so that whoever is signed in is led on to where the link went.
fn lead_on(path: &str, next: &str) -> String {
    let depth = path.split('?').next().unwrap_or_default().matches('/').count().saturating_sub(1);
    let next = utf8_percent_encode(local(next), NON_ALPHANUMERIC);
    let address = format!("{}login?next={next}", "../".repeat(depth));
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sign in: overdue</title>\
         <meta http-equiv=\"refresh\" content=\"0; url={address}\"></head>\
         <body><main><p><a href=\"{address}\">Sign in</a></p></main></body></html>\n"
    )
}

/// The form.
#[derive(Template)]
#[template(path = "login.html")]
struct SignIn<'a> {
    frame: Frame,
    next: &'a str,
    wrong: bool,
}

impl Framed for SignIn<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }
}

fn form<E: Engine>(door: &Door<E>, next: &str, wrong: bool) -> Response {
    let frame = Frame::outside(door, "./", "Sign in");
    let mut response = page(&SignIn { frame, next: local(next), wrong });
    if wrong {
        make_unauthorized(&mut response);
    }
    response
}

/// 401, which has to name a way; a browser asks nobody for a bearer.
fn make_unauthorized(response: &mut Response) {
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::LOCATION;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nobody_is_led_to_another_site(text in "(/|\\\\|\\.|\t|\n|evil\\.example|:|https|@|#|\\?|%2f|\\PC){0,8}") {
            let here = url::Url::parse("http://here.example:8080/login").unwrap();
            let answer = on(&text, None);
            let location = answer.headers()[LOCATION].to_str().unwrap();
            for led in [here.join(location).unwrap(), here.join(local(&text)).unwrap()] {
                prop_assert_eq!(led.origin(), here.origin(), "{}", text);
            }
        }
    }

    #[test]
    fn a_path_and_query_of_ours_is_kept() {
        for kept in ["/", "/heartbeats/backup?x=%2F&y=//z", "/?status=down"] {
            assert_eq!(local(kept), kept);
        }
        for other in
            ["", "//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example", "x"]
        {
            assert_eq!(local(other), "/", "{other}");
        }
        assert_eq!(local(&format!("/{}", "x".repeat(NEXT_MAX))), "/");
        let lead_on = |path| lead_on(path, path);
        let html = lead_on("/heartbeats/backup?x='\"<&y=1");
        assert!(
            html.contains("url=../login?next=%2Fheartbeats%2Fbackup%3Fx%3D%27%22%3C%26y%3D1\""),
            "{html}"
        );
        assert!(lead_on("/").contains("url=login?next=%2F\"") && lead_on("/?a=/b/c").contains("url=login?"));
    }
}
