//! The files of the page: style sheet, script and icon, all within the program, and what is text of them packed.

use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING};
use warp::reply::Response;

use crate::http::page::dressed;
use crate::http::page::pack::pack;
use crate::http::rejection::Failure;

const STYLE_WRITTEN: &[u8] = include_bytes!("assets/page.css");
const SCRIPT_WRITTEN: &[u8] = include_bytes!("assets/page.js");

/// Without their lines of comment, and without the blanks before a line, where none is within a text.
const STYLE_LINES: ([u8; STYLE_WRITTEN.len()], usize) = lines(STYLE_WRITTEN);
const STYLE_TEXT: &[u8] = &first::<{ STYLE_LINES.1 }>(&STYLE_LINES.0);
const SCRIPT_LINES: ([u8; SCRIPT_WRITTEN.len()], usize) = lines(SCRIPT_WRITTEN);
const SCRIPT_TEXT: &[u8] = &first::<{ SCRIPT_LINES.1 }>(&SCRIPT_LINES.0);

#[allow(long_running_const_eval, reason = "it takes half a second")]
const STYLE_PACKED: ([u8; STYLE_TEXT.len()], usize) = pack(STYLE_TEXT);
#[allow(long_running_const_eval, reason = "it takes half a second")]
const SCRIPT_PACKED: ([u8; SCRIPT_TEXT.len()], usize) = pack(SCRIPT_TEXT);

/// As they are sent: packed, and never otherwise, since who says nothing of packing may be sent it too, and every
/// browser unpacks.
static STYLE: [u8; STYLE_PACKED.1] = first(&STYLE_PACKED.0);
static SCRIPT: [u8; SCRIPT_PACKED.1] = first(&SCRIPT_PACKED.0);

const fn lines<const N: usize>(text: &[u8]) -> ([u8; N], usize) {
    let (mut kept, mut length, mut at) = ([0; N], 0, 0);
    // Whether a line begins, and whether it is one of comment.
    let (mut begins, mut comment) = (true, false);
    while at < text.len() {
        let byte = text[at];
        at += 1;
        if begins && (byte == b' ' || byte == b'\n') {
            continue;
        }
        comment = if begins { byte == b'/' && (text[at] == b'/' || text[at] == b'*') } else { comment };
        begins = byte == b'\n';
        if !comment {
            kept[length] = byte;
            length += 1;
        }
    }
    (kept, length)
}

const fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    *bytes.first_chunk().expect("it is the first part of them")
}

/// Changes with the files, so that a browser may keep them for ever.
pub(super) const VERSION: u64 = fingerprint(STYLE_TEXT, fingerprint(SCRIPT_TEXT, OFFSET));

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
        "page.css" => packed(&STYLE, "text/css; charset=utf-8"),
        "page.js" => packed(&SCRIPT, "text/javascript; charset=utf-8"),
        "favicon.svg" => dressed(icon(open(query)).into(), "image/svg+xml"),
        _ => return Err(Failure::not_found("There is nothing at this address.")),
    };
    let dated = query.iter().any(|(name, value)| name == "v" && *value == VERSION.to_string());
    let keep = if dated { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    Ok(response)
}

fn packed(bytes: &'static [u8], content_type: &'static str) -> Response {
    let mut response = dressed(Bytes::from_static(bytes), content_type);
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
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
    use crate::http::page::pack::tests::unpacked;

    #[test]
    fn the_icon_shows_how_many_incidents_are_open() {
        assert!(!icon(0).contains("<text"));
        assert!(icon(3).contains(">3</text>"));
        assert!(icon(12_345).contains(">99+</text>"));
    }

    #[test]
    fn the_files_of_the_page_are_what_was_written_once_a_browser_has_unpacked_them() {
        for (name, sent, text) in
            [("page.css", &STYLE[..], STYLE_TEXT), ("page.js", &SCRIPT[..], SCRIPT_TEXT)]
        {
            assert_eq!(unpacked(sent), text, "{name}");
            let answer = answer(name, &[]).unwrap();
            assert_eq!(answer.headers()[CONTENT_ENCODING], "gzip", "{name}");
        }
    }

    #[test]
    fn style_and_script_are_sent_line_by_line_without_comments() {
        for (written, sent) in [(STYLE_WRITTEN, STYLE_TEXT), (SCRIPT_WRITTEN, SCRIPT_TEXT)] {
            let lines = std::str::from_utf8(written).unwrap().lines().map(str::trim_start);
            let is_comment = |line: &str| line.starts_with("//") || line.starts_with("/*");
            let lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !is_comment(line)).collect();
            let sent = std::str::from_utf8(sent).unwrap();
            assert_eq!(sent.lines().collect::<Vec<_>>(), lines);
            // No text goes over several lines: there a blank would be part of it. And no comment does.
            assert!(lines.len() > 100 && !sent.contains('`') && !sent.contains("\\\n"));
            assert!(!sent.contains("/*") && !sent.contains("*/"));
        }
    }

    #[test]
    fn the_files_of_the_page_are_small() {
        assert!(STYLE.len() + SCRIPT.len() < 12_000, "{} bytes", STYLE.len() + SCRIPT.len());
    }
}
