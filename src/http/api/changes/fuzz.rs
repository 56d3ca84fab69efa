//! Bodies that pause a heartbeat, under attack.

use serde_json::Value;

use crate::fuzz::{Target, kind_of};
use crate::http::api::changes::read_pause;
use crate::http::api::draft::YEAR;
use crate::http::api::fields::Fields;
use crate::model::time::Span;

#[test]
fn a_pause_is_as_long_as_it_says_within_its_bounds_or_is_refused_with_a_sentence() {
    Target { name: "api_pause", inputs: 40_000, dictionary: &DICTIONARY, check }.attack();
}

const DICTIONARY: [&str; 24] = [
    "{",
    "}",
    ":",
    ",",
    "\"",
    "\"for\":",
    "\\u0066or",
    "null",
    "true",
    "1e3",
    "[",
    "]",
    "\"2h\"",
    "\"1s\"",
    "\"366d\"",
    "\"0s\"",
    "d",
    "h",
    "m",
    "s",
    "1h30m",
    " ",
    "ms",
    "\u{b5}s",
];

fn check(input: &[u8]) -> String {
    match Fields::read(input).and_then(|fields| read_pause(&fields)) {
        Ok(span) => {
            let object: Value = serde_json::from_slice(input).expect("JSON");
            let object = object.as_object().expect("an object");
            assert!(object.keys().all(|key| key == "for"), "{object:?}");
            let text = object.get("for").filter(|value| !value.is_null());
            assert_eq!(span, text.map(|text| seconds(text.as_str().expect("a text"))), "{object:?}");
            assert!(span.is_none_or(|span| (Span::from_secs(1)..=YEAR).contains(&span)), "{span:?}");
            format!("{:?} {:?}", text.is_some(), span.map(|span| span.as_secs().ilog2()))
        }
        Err(failure) => {
            assert!(failure.status.is_client_error() && failure.message.ends_with('.'), "{failure:?}");
            format!("{} {}", failure.status, kind_of(&failure.message))
        }
    }
}

/// The sum of its parts, read by hand.
fn seconds(text: &str) -> Span {
    let mut sum = 0;
    for part in text.split_inclusive(|c: char| c.is_ascii_alphabetic()) {
        let (number, unit) = part.split_at(part.len() - 1);
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            _ => panic!("{text:?} is taken"),
        };
        sum += number.trim().parse::<i64>().expect("a number") * seconds;
    }
    Span::from_secs(sum)
}
