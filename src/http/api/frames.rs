//! What goes down a stream of events, as bytes of text/event-stream. It knows how an event is written and never what
//! one is about or who reads it.

use std::time::Duration;

use serde::Serialize;

use crate::model::id::Seq;

/// A comment without a text: it shows that the other end is still there.
pub(super) const COMMENT: &[u8] = b":\n\n";

/// An event. JSON has no line end outside of its strings and escapes those within, so the data is one line.
pub(super) fn event(
    word: &str,
    data: &impl Serialize,
    id: Option<Seq>,
    retry: Option<Duration>,
    into: &mut Vec<u8>,
) {
    into.extend(b"event:");
    into.extend(word.as_bytes());
    into.extend(b"\ndata:");
    serde_json::to_writer(&mut *into, data).expect("plain data with string keys becomes JSON");
    into.push(b'\n');
    if let Some(id) = id {
        into.extend(format!("id:{id}\n").as_bytes());
    }
    if let Some(retry) = retry {
        into.extend(format!("retry:{}\n", retry.as_millis()).as_bytes());
    }
    into.push(b'\n');
}

/// Only how far the reader is.
pub(super) fn place(id: Seq, into: &mut Vec<u8>) {
    into.extend(format!("id:{id}\n\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(data: &str, id: Option<Seq>, retry: Option<Duration>) -> String {
        let mut into = Vec::new();
        event("ping", &data, id, retry, &mut into);
        String::from_utf8(into).unwrap()
    }

    #[test]
    fn an_event_has_a_word_one_line_of_data_and_what_else_it_is_given() {
        assert_eq!(written("a", None, None), "event:ping\ndata:\"a\"\n\n");
        assert_eq!(written("a", Some(Seq(7)), None), "event:ping\ndata:\"a\"\nid:7\n\n");
        let all = written("a", Some(Seq(7)), Some(Duration::from_millis(2_005)));
        assert_eq!(all, "event:ping\ndata:\"a\"\nid:7\nretry:2005\n\n");
        let mut into = Vec::new();
        place(Seq(9), &mut into);
        into.extend(COMMENT);
        assert_eq!(into, b"id:9\n\n:\n\n");
    }

    #[test]
    fn no_data_begins_a_line_of_its_own() {
        let odd = written("a\nid:1\r\n\r\nevent:x\r", None, None);
        assert_eq!(odd.lines().count(), 3, "{odd:?}");
        assert_eq!(odd.matches('\r').count(), 0, "{odd:?}");
    }
}
