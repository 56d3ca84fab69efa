//! The files of the page: style sheet, script and icon, all within the program.

use http::HeaderValue;
use http::header::CACHE_CONTROL;
use warp::reply::Response;

use crate::http::page::dressed;
use crate::http::rejection::Failure;

const STYLE: &str = include_str!("assets/page.css");
const SCRIPT: &str = include_str!("assets/page.js");

/// Changes with the files, so that a browser may keep them for ever.
pub(super) const VERSION: u64 = fingerprint(STYLE.as_bytes(), fingerprint(SCRIPT.as_bytes(), OFFSET));

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a.
const fn fingerprint(bytes: &[u8], mut hash: u64) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// Answers with a file.
pub(super) fn answer(name: &str, query: &[(String, String)]) -> Result<Response, Failure> {
    let mut response = match name {
        "page.css" => dressed(STYLE.into(), "text/css; charset=utf-8"),
        "page.js" => dressed(SCRIPT.into(), "text/javascript; charset=utf-8"),
        "favicon.svg" => dressed(icon(open(query)).into(), "image/svg+xml"),
        _ => return Err(Failure::not_found("There is nothing at this address.")),
    };
    let dated = query.iter().any(|(name, value)| name == "v" && *value == VERSION.to_string());
    let keep = if dated { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    Ok(response)
}

fn open(query: &[(String, String)]) -> usize {
    let given = query.iter().find(|(name, _)| name == "open");
    given.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

/// A clock when all is well; else how many incidents are open, on red.
fn icon(open: usize) -> String {
    let count = match open {
        0 => {
            return r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="15" fill="#116329"/><path d="M16 7v9l6 4" fill="none" stroke="#fff" stroke-width="3.5" stroke-linecap="round" stroke-linejoin="round"/></svg>"##.to_owned();
        }
        1..=99 => open.to_string(),
        _ => "99+".to_owned(),
    };
    let size = if count.len() > 2 { 14 } else { 20 };
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" fill="#b3261e"/><text x="16" y="16" dy=".36em" text-anchor="middle" font-family="system-ui, sans-serif" font-weight="700" font-size="{size}" fill="#fff">{count}</text></svg>"##
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_icon_shows_how_many_incidents_are_open() {
        assert!(!icon(0).contains("<text"));
        assert!(icon(3).contains(">3</text>"));
        assert!(icon(12_345).contains(">99+</text>"));
    }

    #[test]
    fn the_files_of_the_page_are_small() {
        assert!(STYLE.len() + SCRIPT.len() < 60_000, "{} bytes", STYLE.len() + SCRIPT.len());
    }
}
