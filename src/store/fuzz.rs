//! Journals under attack: lines that are whole and say anything, and files that are damaged in any way. What is read
//! can be written again and be applied; what is damaged never becomes another fact.

use crate::fuzz::{Target, kind_of};
use crate::machine::beat::Beat;
use crate::machine::record::samples;
use crate::machine::state::{Core, State};
use crate::model::id::Seq;
use crate::store::codec::{self, CodecError, Line};
use crate::store::damage::{outcome, sample_journal};

#[test]
fn a_line_that_is_read_is_written_again_and_can_be_applied_whatever_it_says() {
    Target { name: "journal_line", inputs: 12_000, dictionary: &DICTIONARY, check: read_line }.attack();
}

#[test]
fn a_damaged_journal_gives_a_beginning_of_what_was_written_or_a_sentence() {
    Target { name: "journal", inputs: 2_000, dictionary: &["\n", "\0", "{\"v\":2,"], check: read_journal }
        .attack();
}

const DICTIONARY: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "\"v\":1,",
    "{\"v\":2,",
    "\"seq\":",
    "\"batch\":",
    "\"at\":",
    "\"2026-11-22T03:00:00.000Z\"",
    "\"-009999-01-01T00:00:00Z\"",
    "\"9999-12-31T23:59:59.999Z\"",
    "\"slug\":\"db\"",
    "\"slug\":\"sun\"",
    "\"due\":",
    "\"alive\"",
    "\"pinged\"",
    "\"declared\"",
    "\"stepped\"",
    "\"by\":",
    "\"periods\":",
    "\"number\":",
    "\"interval\":",
    "{\"cron\":\"0 2 * * *\"}",
    "\"success\"",
    "{\"exit\":256}",
    "\"base64\":",
    "\"text\":",
    "\"total\":",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "4294967295",
    "1e3",
    "\\u0000",
];

/// A line without its checksum, or with it. Checksums are made right, so that what they seal is reached.
fn read_line(input: &[u8]) -> String {
    let end = input.iter().position(|c| *c == b'\n').unwrap_or(input.len());
    let body = input[..end].strip_suffix(&b"}"[..]).unwrap_or(&input[..end]);
    let body = match body.windows(6).rposition(|piece| piece == b",\"crc\"") {
        Some(at) => &body[..at],
        None => body,
    };
    let mut line = body.to_vec();
    line.extend_from_slice(&codec::seal(crc32fast::hash(body)));
    match codec::decode(&line) {
        Ok(found) => {
            let written = encoded(&found);
            let again = codec::decode(&written).expect("what is written can be read");
            assert_eq!(encoded(&again), written, "it is written in one way");
            // Numbers of batches that lie behind are not written.
            assert_eq!((again.seq, again.synced, &again.record), (found.seq, found.synced, &found.record));
            // Only a line that the program wrote has its checksum.
            if codec::decode(input).is_ok() {
                assert_eq!(written, input, "it comes back to the byte");
            }
            applied(&found);
            format!("{:?}", std::mem::discriminant(&found.record))
        }
        Err(CodecError::Torn) => panic!("the checksum is right"),
        Err(error) => kind_of(&error.to_string()),
    }
}

fn encoded(line: &Line) -> Vec<u8> {
    let mut out = Vec::new();
    let batch = line.batch.unwrap_or(line.seq);
    codec::encode(&mut out, line.seq, line.synced, batch, &line.record).expect("memory takes all");
    out
}

/// The state takes it, before and after others, and is the same when it was written and read.
fn applied(line: &Line) {
    let mut state = State::default();
    state.apply(&line.record);
    for record in samples::batches().concat().iter().take(line.seq.0 as usize % 40) {
        state.apply(record);
    }
    state.apply(&line.record);
    state.apply(&line.record);
    let frozen = state.freeze();
    let core = serde_json::to_string(&frozen.core).expect("it can be kept");
    assert_eq!(serde_json::from_str::<Core>(&core).expect("it can be read"), frozen.core, "{core}");
    let mut beats = Vec::new();
    for place in 0..frozen.beats.places() {
        let Some(beat) = frozen.beats.at(place) else { continue };
        let text = serde_json::to_string(beat).expect("it can be kept");
        let read: Beat = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!(&read, beat, "{text}");
        beats.push(read);
    }
    State::restore(frozen.core, beats.into_iter());
}

fn read_journal(input: &[u8]) -> String {
    let whole = sample_journal();
    let (said, last) = outcome(input);
    if input == whole.bytes {
        assert_eq!(last, Some(Seq(whole.records.len() as u64)));
    }
    format!("{said} {last:?}")
}
