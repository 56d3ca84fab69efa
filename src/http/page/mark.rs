//! What things that fare well or badly are marked with: a word, and beside it a shape, so that no colour is needed
//! to tell them apart.

use askama::Template;
use askama::filters::HtmlSafe;

const DISC: &str = r#"<circle cx="8" cy="8" r="7"/><path class="sign" d="M4.8 8.3l2.2 2.2 4.3-4.6"/>"#;
const TRIANGLE: &str = r#"<path d="M8 1l7.5 14H.5z"/><path class="sign" d="M8 6v4.2M8 12.2v.6"/>"#;
const OCTAGON: &str = r#"<path d="M5 .5h6L15.5 5v6L11 15.5H5L.5 11V5z"/><path class="sign" d="M5.3 5.3l5.400 5.400M10.7 5.3l-5.400 5.400"/>"#;
const OCTAGON_OPEN: &str =
    r#"<path d="M5 .5h6L15.5 5v6L11 15.5H5L.5 11V5z"/><path class="sign" d="M8 4v4.800M8 11.500v.3"/>"#;
const SQUARE: &str =
    r#"<rect x="1" y="1" width="14" height="14" rx="2"/><path class="sign" d="M6 5v6M10 5v6"/>"#;
const ARROW: &str = r#"<path class="hollow" d="M4 2.5l9 5.5-9 5.5z"/>"#;
const RING: &str = r#"<circle class="hollow" cx="8" cy="8" r="6"/>"#;
const RING_DASH: &str = r#"<circle class="hollow" cx="8" cy="8" r="6"/><path class="sign-line" d="M5 8h6"/>"#;
const RING_HANDS: &str =
    r#"<circle class="hollow" cx="8" cy="8" r="6"/><path class="sign-line" d="M8 4.5V8l2.5 2" fill="none"/>"#;

/// A word with its shape.
#[derive(Template)]
#[template(path = "mark.html")]
pub(in crate::http) struct Mark<'a> {
    /// Of what it is said, as a class.
    of: &'static str,
    class: &'a str,
    size: u8,
    shape: &'static str,
    word: &'a str,
}

impl HtmlSafe for Mark<'_> {}

impl<'a> Mark<'a> {
    /// The status of a heartbeat.
    pub(in crate::http) fn status(word: &'a str) -> Self {
        let shape = match word {
            "up" => DISC,
            "late" => TRIANGLE,
            "down" => OCTAGON,
            "paused" => SQUARE,
            _ => RING,
        };
        Self { of: "status", class: word, size: 16, shape, word }
    }

    /// What a run came to.
    pub(super) fn outcome(word: &'a str) -> Self {
        let shape = match word {
            "success" => DISC,
            "failure" => OCTAGON,
            "overran" => TRIANGLE,
            "running" => ARROW,
            _ => RING_DASH,
        };
        Self { of: "outcome", class: word, size: 14, shape, word }
    }

    /// How a delivery stands.
    pub(super) fn delivery(word: &'a str) -> Self {
        let (class, shape) = match word {
            "delivered" => (word, DISC),
            "given up" => ("failed", OCTAGON),
            _ => (word, RING_HANDS),
        };
        Self { of: "sent", class, size: 14, shape, word }
    }

    /// Whether an incident is open.
    pub(super) fn incident(open: bool) -> Self {
        if open {
            Self { of: "outcome", class: "failure", size: 16, shape: OCTAGON_OPEN, word: "open" }
        } else {
            Self::good("resolved")
        }
    }

    /// What is as it should be.
    pub(super) fn good(word: &'a str) -> Self {
        Self { of: "outcome", class: "success", size: 16, shape: DISC, word }
    }

    /// What is not.
    pub(super) fn bad(word: &'a str) -> Self {
        Self { of: "outcome", class: "failure", size: 16, shape: OCTAGON, word }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_has_a_shape_of_its_own_beside_its_word() {
        let all = [
            ["up", "late", "down", "paused", "new"].map(Mark::status),
            ["success", "overran", "failure", "running", "abandoned"].map(Mark::outcome),
        ];
        for marks in all {
            let shapes: BTreeSet<&str> = marks.iter().map(|mark| mark.shape).collect();
            assert_eq!(shapes.len(), marks.len());
            for mark in marks {
                let (of, word) = (mark.of, mark.word);
                let html = mark.to_string();
                assert!(html.starts_with(&format!("<span class=\"{of} {word}\"><svg")), "{html}");
                assert!(
                    html.contains(mark.shape) && html.ends_with(&format!("</svg>{word}</span>")),
                    "{html}"
                );
            }
        }
    }

    #[test]
    fn what_ended_well_does_not_look_like_what_did_not() {
        for (well, ill) in [
            (Mark::delivery("delivered"), Mark::delivery("given up")),
            (Mark::incident(false), Mark::incident(true)),
            (Mark::good("in force"), Mark::bad("not in force")),
        ] {
            assert!(well.shape != ill.shape && well.class != ill.class && well.word != ill.word);
        }
        assert_eq!(Mark::delivery("given up").class, "failed");
    }
}
