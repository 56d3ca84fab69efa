//! Who may use the API and see the page: one pure decision each from the settings and what is known of a
//! request. It knows keys, sessions, roles and where a request came from; it must never know what the request
//! is about.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, CONTENT_TYPE, FORWARDED, HOST, ORIGIN, VIA};
use http::{HeaderMap, Method, StatusCode};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::config::{ApiKey, Role};
use crate::http::HttpSettings;
use crate::http::body;
use crate::http::listen::{AbsoluteForm, Listening, Peer};
use crate::http::rejection::Failure;
use crate::http::session;
use crate::model::time::Timestamp;

/// What is known of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The host in its URL, when the client wrote the absolute form.
    pub absolute: Option<&'a AbsoluteForm>,
    /// Where it came from; `None` is nowhere known, so nowhere trusted.
    pub peer: Option<Peer>,
}

/// The beginning of a key by which it is found where it does not belong: as many letters as a key has at least.
const KEY_PART: usize = 16;

/// How someone learns to set a key.
const SET_A_KEY: &str = "To use the API from elsewhere, add a [[server.api_keys]] table with a name, a key \
     and a role to the config, and send the key as \"Authorization: Bearer KEY\".";

/// Says whether a request to the API may be answered, and as whom. A key that is sent counts alone; without
/// one, the session of the page may read.
pub(crate) fn decide(settings: &HttpSettings, facts: Facts<'_>, now: Timestamp) -> Result<Role, Failure> {
    refuse_other_sites(settings, facts)?;
    if settings.api_keys.is_empty() {
        keyless(settings, facts)?;
        // A form of a foreign page can send anything but this type without being asked first.
        if body::announced(facts.headers) && !is_json(facts.headers) {
            return Err(forbidden(
                "Without API keys a body is taken only as \"Content-Type: application/json\" (curl: --json).",
            ));
        }
        return Ok(Role::Write);
    }
    let Some(key) = presented(facts.headers) else {
        let session =
            session::find(&settings.base_url, &settings.server_key, &settings.api_keys, facts.headers, now);
        let session = session.ok_or_else(|| {
            unauthorized(
                "This needs an API key: send it as \"Authorization: Bearer KEY\" or \"X-Api-Key: KEY\".",
            )
        })?;
        if !reads(facts.method) {
            return Err(forbidden(
                "By the page's session the API may only be read. To change something by it, send an API key \
                 as \"Authorization: Bearer KEY\".",
            ));
        }
        return Ok(session.role);
    };
    may(facts.method, by_key(settings, key)?)
}

/// Someone who may see the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Visitor {
    /// What they may see and do.
    pub role: Role,
    /// What every form that is made for them carries.
    pub csrf: String,
    /// Whether they have a session that they can end.
    pub signed_in: bool,
}

impl Visitor {
    /// Refuses a form that was not made for this visitor.
    pub(crate) fn sent(&self, csrf: &str) -> Result<(), Failure> {
        if bool::from(self.csrf.as_bytes().ct_eq(csrf.as_bytes())) {
            return Ok(());
        }
        Err(forbidden(
            "This form is not of your session any more. Load the page again, and send it from there.",
        ))
    }
}

/// Why a visit to the page is not answered with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turned {
    /// They have to sign in, or their browser kept the session back since a link of another site led here.
    Login,
    /// They are refused.
    Failure(Failure),
}

impl From<Failure> for Turned {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// Says whether the page may be shown, or what its forms wish be done, and for whom. Whatever changes something
/// must carry the visitor's token too: see [`Visitor::sent`].
pub(crate) fn visit(settings: &HttpSettings, facts: Facts<'_>, now: Timestamp) -> Result<Visitor, Turned> {
    let visitor = visitor(settings, facts, now)?;
    may(facts.method, visitor.role)?;
    Ok(visitor)
}

/// The same without a look at what the role allows.
pub(crate) fn visitor(settings: &HttpSettings, facts: Facts<'_>, now: Timestamp) -> Result<Visitor, Turned> {
    if !follows_link(facts) {
        refuse_other_sites(settings, facts)?;
    }
    if body::announced(facts.headers) && !is_form(facts.headers) {
        return Err(forbidden("The page takes only its own forms.").into());
    }
    let find =
        || session::find(&settings.base_url, &settings.server_key, &settings.api_keys, facts.headers, now);
    let (role, session) = match presented(facts.headers) {
        _ if settings.api_keys.is_empty() => (keyless(settings, facts).map(|()| Role::Write)?, None),
        Some(key) => (by_key(settings, key)?, None),
        None => find().map(|session| (session.role, Some(session))).ok_or(Turned::Login)?,
    };
    let csrf = session::csrf(&settings.server_key, session.as_ref());
    Ok(Visitor { role, csrf, signed_in: session.is_some() })
}

/// Whether a person followed a link of another site, from a chat or an e-mail: a whole page is loaded into a
/// tab, which the other site can neither read nor frame.
fn follows_link(facts: Facts<'_>) -> bool {
    let is = |name: &str, wanted: &str| {
        let mut values = facts.headers.get_all(name).iter();
        values.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()))
            && values.next().is_none()
    };
    reads(facts.method)
        && is("sec-fetch-site", "cross-site")
        && is("sec-fetch-mode", "navigate")
        && is("sec-fetch-dest", "document")
        && !facts.headers.contains_key(ORIGIN)
}

/// The key of the config that was sent in a form.
pub(crate) fn key_of<'k>(keys: &'k [ApiKey], presented: &[u8]) -> Option<&'k ApiKey> {
    let hash: [u8; 32] = Sha256::digest(presented).into();
    // Every key is compared, whatever the others gave, so that the time tells nothing.
    let mut found = 0_u64;
    for (place, key) in (1..).zip(keys) {
        let same: Choice = key.hash.ct_eq(&hash);
        found.conditional_assign(&place, same);
    }
    keys.get(usize::try_from(found.checked_sub(1)?).ok()?)
}

fn by_key(settings: &HttpSettings, key: &[u8]) -> Result<Role, Failure> {
    let key = key_of(&settings.api_keys, key);
    key.map(|key| key.role)
        .ok_or_else(|| unauthorized("No API key of the config matches the one that was sent."))
}

/// Refuses what the role does not allow.
fn may(method: &Method, role: Role) -> Result<Role, Failure> {
    let needed = if reads(method) { Role::Read } else { Role::Write };
    if role < needed {
        return Err(forbidden("This API key may only read. Use one whose role is \"write\"."));
    }
    Ok(role)
}

/// Whether a method changes nothing.
pub(crate) fn reads(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// Refuses a method that does not only read.
pub(crate) fn only_reading(method: &Method) -> Result<(), Failure> {
    if reads(method) { Ok(()) } else { Err(Failure::method("GET, HEAD")) }
}

/// Whoever sends a key in the wrong place is told so, and not sent it back.
pub(crate) fn without_key(failure: Failure, headers: &HeaderMap) -> Failure {
    let key = presented(headers).and_then(|key| std::str::from_utf8(key.get(..KEY_PART)?).ok());
    let repeats = |text: &str| key.is_some_and(|key| text.contains(key));
    if repeats(&failure.message) || failure.field.as_deref().is_some_and(repeats) {
        let message = "This holds your API key. It belongs into the header Authorization or X-Api-Key, and nowhere else.";
        return Failure { message: message.to_owned(), field: None, ..failure };
    }
    failure
}

fn unauthorized(message: &str) -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, "unauthorized", message).with_header("www-authenticate", "Bearer")
}

fn forbidden(message: impl Into<String>) -> Failure {
    Failure::new(StatusCode::FORBIDDEN, "forbidden", message)
}

/// The key that the client sent.
fn presented(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get_all(AUTHORIZATION).iter().find_map(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
    });
    bearer.or_else(|| headers.get("x-api-key").map(|value| value.as_bytes().trim_ascii()))
}

/// A page of another site may make a browser send requests: none is answered, key or not.
pub(crate) fn refuse_other_sites(settings: &HttpSettings, facts: Facts<'_>) -> Result<(), Failure> {
    let cross = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"cross-site");
    if facts.headers.get_all("sec-fetch-site").iter().any(cross) {
        return Err(forbidden("A page of another site asked for this (Sec-Fetch-Site: cross-site)."));
    }
    for origin in facts.headers.get_all(ORIGIN) {
        let own = origin.to_str().ok().and_then(authority).is_some_and(|origin| {
            let host = facts.headers.get(HOST).and_then(|host| host.to_str().ok());
            host.is_some_and(|host| same_authority(origin, ("", host)))
                || authority(&settings.base_url).is_some_and(|base| same_authority(origin, base))
        });
        if !own {
            return Err(forbidden(
                "A page of another site asked for this (Origin). Only the daemon's own pages may.",
            ));
        }
    }
    Ok(())
}

/// The scheme and the `host:port` of a URL or an origin.
fn authority(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    Some((scheme, rest.split(['/', '?', '#']).next()?))
}

/// Whether two authorities are one; an empty scheme is any, a port that its scheme implies may be unsaid.
fn same_authority(a: (&str, &str), b: (&str, &str)) -> bool {
    let scheme = if b.0.is_empty() { a.0 } else { b.0 };
    let plain = |text: &str| {
        let text = text.to_ascii_lowercase();
        let port = match scheme {
            "https" => ":443",
            _ => ":80",
        };
        text.strip_suffix(port).map_or(text.clone(), str::to_owned)
    };
    a.0 == scheme && plain(a.1) == plain(b.1)
}

/// The rule for a config without keys: only someone on this machine who came straight.
fn keyless(settings: &HttpSettings, facts: Facts<'_>) -> Result<(), Failure> {
    match facts.peer.map(|peer| peer.listening) {
        Some(Listening::Loopback | Listening::Unix) => {}
        Some(Listening::Network) | None => {
            return Err(forbidden(format!(
                "Without API keys the API answers only on a loopback address or a Unix socket. {SET_A_KEY}"
            )));
        }
    }
    let base = authority(&settings.base_url).map(|(_, authority)| authority);
    if !base.is_some_and(loopback_host) {
        return Err(forbidden(format!(
            "Without API keys the API is closed, since server.base_url is not a loopback address. {SET_A_KEY}"
        )));
    }
    let mut hosts = facts.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        (None, _) | (Some(_), Some(_)) => None,
    };
    let absolute = facts.absolute.is_none_or(|AbsoluteForm(host)| loopback_host(host.as_str()));
    if !host.is_some_and(loopback_host) || !absolute {
        return Err(forbidden(format!(
            "Without API keys the API answers only to one Host header that is a loopback name, such as localhost. {SET_A_KEY}"
        )));
    }
    if let Some(name) = proxied(facts.headers) {
        return Err(forbidden(format!(
            "Without API keys the API answers no proxy, and this request has the header {name}. {SET_A_KEY}"
        )));
    }
    Ok(())
}

/// The header that shows that a proxy stands between.
fn proxied(headers: &HeaderMap) -> Option<&str> {
    headers.keys().map(http::HeaderName::as_str).find(|name| {
        *name == FORWARDED.as_str()
            || *name == VIA.as_str()
            || name.starts_with("x-forwarded-")
            || *name == "x-real-ip"
    })
}

/// Whether the one content type is JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    is_of_type(headers, "application/json")
}

/// Whether the one content type is that of the page's forms.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    is_of_type(headers, "application/x-www-form-urlencoded")
}

fn is_of_type(headers: &HeaderMap, wanted: &str) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(first), None) = (types.next(), types.next()) else { return false };
    let essence = first.as_bytes().split(|&c| c == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes())
}

/// Whether `host` or `host:port` names this machine itself.
fn loopback_host(authority: &str) -> bool {
    let (name, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) if port.is_empty() || port.starts_with(':') => {
                (name, port.trim_start_matches(':'))
            }
            Some(_) | None => return false,
        },
        None => match authority.split_once(':') {
            Some((name, port)) => (name, port),
            None => (authority, ""),
        },
    };
    if !port.bytes().all(|c| c.is_ascii_digit()) {
        return false;
    }
    if let Ok(address) = name.parse::<IpAddr>() {
        return address.to_canonical().is_loopback() && (address.is_ipv6() == authority.starts_with('['));
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    !authority.starts_with('[') && (name == "localhost" || name.ends_with(".localhost"))
}

#[cfg(test)]
mod tests;
