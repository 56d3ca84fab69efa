//! The query of a ping, under attack.

use crate::fuzz::Target;
use crate::http::fuzz::decoded;
use crate::http::ping::{Answer, read_rid};

#[test]
fn a_rid_that_is_taken_is_the_last_one_and_a_uuid() {
    Target { name: "ping_query", inputs: 40_000, dictionary: &DICTIONARY, check }.attack();
}

const DICTIONARY: [&str; 22] = [
    "rid",
    "rid=",
    "&rid=",
    "?rid=",
    "&",
    "=",
    ";",
    "+",
    "%",
    "%20",
    "%2D",
    "%72id=",
    "%00",
    "%FF",
    "%26",
    "%3D",
    "#",
    "67e55044-10b1-426f-9247-bb680e5fe0c8",
    "67E5504410B1426F9247BB680E5FE0C8",
    "{67e55044-10b1-426f-9247-bb680e5fe0c8}",
    "urn:uuid:",
    "\u{e4}",
];

fn check(input: &[u8]) -> String {
    let Some(pairs) = decoded(input) else { return "no address".to_owned() };
    let last = last_rid(input);
    match (read_rid(&pairs), &last) {
        (Ok(None), None) => format!("none of {}", pairs.len().min(4)),
        (Ok(Some(uuid)), Some(text)) => {
            assert_eq!(is_uuid(text), Some(uuid.as_u128()), "{text:?}");
            format!("one of {} as {}", pairs.len().min(4), text.len())
        }
        (Err(Answer::BadRid), Some(text)) => {
            assert_eq!(is_uuid(text), None, "{text:?}");
            format!("a bad one of {} with {}", pairs.len().min(4), text.len().min(40))
        }
        (read, last) => panic!("{read:?}, and the last rid is {last:?}"),
    }
}

/// What the last `rid` says, read by hand.
fn last_rid(query: &[u8]) -> Option<String> {
    let query = query.split(|c| *c == b'#').next().unwrap_or_default();
    let mut last = None;
    for pair in query.split(|c| *c == b'&') {
        let mut two = pair.splitn(2, |c| *c == b'=').map(plain);
        if two.next().as_deref() == Some("rid") {
            last = Some(two.next().unwrap_or_default());
        }
    }
    last
}

/// What stands behind `+` and `%`.
fn plain(text: &[u8]) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((first, others)) = rest.split_first() {
        let digit = |at: usize| others.get(at).and_then(|c| char::from(*c).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &others[2..];
                continue;
            }
            (b'+', ..) => bytes.push(b' '),
            _ => bytes.push(*first),
        }
        rest = others;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The number of a UUID: 32 digits, with a hyphen after the 8th, 12th, 16th and 20th, or without any.
fn is_uuid(text: &str) -> Option<u128> {
    let digits = text.replace('-', "");
    if digits.len() != 32 || !digits.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let hyphens: Vec<usize> = text.match_indices('-').map(|(at, _)| at).collect();
    let well = hyphens.is_empty() || hyphens == [8, 13, 18, 23];
    well.then(|| u128::from_str_radix(&digits, 16).ok()).flatten()
}
