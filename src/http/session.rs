//! Sessions of the page and its tokens against forged forms, as pure functions of the server's key, the API
//! keys, the headers and the time. Nothing is kept: a session is what the cookie says, under a code that only
//! this daemon can make. It must never know what a request is about.

use std::fmt::Write as _;

use hmac::{Hmac, Mac};
use http::HeaderMap;
use http::header::COOKIE;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::{ApiKey, Role};
use crate::model::time::{Span, Timestamp};

/// How the name of the cookie begins.
const NAME: &str = "overdue_session";
/// How long a session lasts.
pub(crate) const LIFE: Span = Span::from_secs(30 * 86_400);
/// Cookies of this name that are looked at: a neighbour on another subdomain can add some, but the session
/// must still be found, and many must not cost much.
const COOKIES: usize = 8;

/// Someone who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// What the key may do by which it was opened.
    pub role: Role,
    /// The cookie's value. A secret for as long as it lasts.
    pub value: String,
}

/// The name of the cookie: another for each daemon of a host, so that none signs people out of another. A cookie is
/// of a host, whatever the port.
pub(crate) fn name(base_url: &str) -> String {
    format!("{NAME}_{}", hex(&Sha256::digest(base_url)[..4]))
}

/// The path that the page is under.
fn path(base_url: &str) -> String {
    let path = url::Url::parse(base_url).map(|url| format!("{}/", url.path().trim_end_matches('/')));
    // What ends a cookie's path stands in few addresses; the cookie is then sent to all of the host.
    path.ok().filter(|path| !path.contains(';')).unwrap_or_else(|| "/".to_owned())
}

/// The code of a message under a key that serves one purpose only.
pub(crate) fn code(server_key: &[u8; 32], purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(server_key).expect("HMAC takes a key of any length");
    for part in [purpose.as_bytes()].iter().chain(parts) {
        // With its length: what ends one part can never begin the next.
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The value of a cookie that signs in by this key from `now` on.
pub(crate) fn open(server_key: &[u8; 32], key: &ApiKey, now: Timestamp) -> String {
    let expires = ((now + LIFE).as_millis() / 1000).to_string();
    let code = session_code(server_key, key, &expires);
    format!("{expires}.{code}")
}

/// The session that the cookies open, if the key that it was opened by is still in the config with its role.
pub(crate) fn find(
    base_url: &str,
    server_key: &[u8; 32],
    keys: &[ApiKey],
    headers: &HeaderMap,
    now: Timestamp,
) -> Option<Session> {
    cookies(headers, &name(base_url)).take(COOKIES).find_map(|value| {
        let (expires, code) = value.split_once('.')?;
        let digits = (1..=15).contains(&expires.len()) && expires.bytes().all(|c| c.is_ascii_digit());
        let until = expires.parse::<i64>().ok().filter(|_| digits)?;
        if now.as_millis() >= until * 1000 {
            return None;
        }
        let same = |key: &&ApiKey| session_code(server_key, key, expires).as_bytes().ct_eq(code.as_bytes());
        let key = keys.iter().find(|key| bool::from(same(key)))?;
        Some(Session { role: key.role, value: value.to_owned() })
    })
}

/// The `Set-Cookie` that hands a session over, or with an empty value takes it back.
pub(crate) fn set_cookie(value: &str, base_url: &str) -> String {
    let seconds = if value.is_empty() { 0 } else { LIFE.as_secs() };
    let secure = if base_url.starts_with("https://") { "; Secure" } else { "" };
    let (name, path) = (name(base_url), path(base_url));
    format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// The token that the daemon's own forms carry, and no form of another site can: it belongs to one session,
/// or to those who need none.
pub(crate) fn csrf(server_key: &[u8; 32], session: Option<&Session>) -> String {
    let value = session.map_or("", |session| session.value.as_str());
    hex(&code(server_key, "csrf", &[value.as_bytes()]))
}

fn session_code(server_key: &[u8; 32], key: &ApiKey, expires: &str) -> String {
    let parts: [&[u8]; 3] = [expires.as_bytes(), &key.hash, &[key.role as u8]];
    hex(&code(server_key, "session", &parts))
}

/// The values of our cookie, in the order in which they came. Those of other programs on this host may hold any
/// byte.
fn cookies<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|&c| c == b';'));
    pairs.filter_map(|pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        std::str::from_utf8(value).ok()
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}

#[cfg(test)]
mod tests;
