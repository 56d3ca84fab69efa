//! One record as one line: `{"v":1,"seq":17,"synced":16,"batch":18,"record":{…},"crc":"9ae0daaf"}`, with a `batch` only
//! when it is not the last of its batch. Knows the
//! versions of that line and its checksum (CRC-32 of every byte before `,"crc"`), never files.
//!
//! Whatever a later version changes, a line begins with `{"v":N,` and ends with the checksum, so that
//! it can be told from damage.

use std::io::{self, Write};

use serde::Deserialize;

use crate::machine::record::Record;
use crate::model::id::Seq;

/// The version that this program writes, of lines and of snapshots. It reads all up to it.
pub const VERSION: u64 = 1;

/// A line as read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Line {
    /// The record's number.
    pub seq: Seq,
    /// The last record known to be on the disk when this one was written.
    pub synced: Seq,
    /// The last record of the batch that it was written with; `None`: it is that itself.
    #[serde(default)]
    pub batch: Option<Seq>,
    /// The fact.
    pub record: Record,
}

/// Why a line cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// It is not whole: the checksum is wrong or missing.
    #[error("the checksum does not match")]
    Torn,
    /// It is whole, but a later version of this program wrote it.
    #[error("it has version {0}, this program reads up to {VERSION}")]
    Newer(u64),
    /// It is whole, but says something that this program does not understand.
    #[error("it is whole, but says what this program does not understand: {0}")]
    Unreadable(String),
}

/// Appends one line to `out`, of a batch that ends with record `batch`.
///
/// # Errors
/// When the record cannot be written as JSON; `out` then ends with half a line.
pub fn encode(out: &mut Vec<u8>, seq: Seq, synced: Seq, batch: Seq, record: &Record) -> io::Result<()> {
    let start = out.len();
    write!(out, "{{\"v\":{VERSION},\"seq\":{seq},\"synced\":{synced},")?;
    if batch > seq {
        write!(out, "\"batch\":{batch},")?;
    }
    write!(out, "\"record\":")?;
    serde_json::to_writer(&mut *out, record)?;
    let seal = seal(crc32fast::hash(&out[start..]));
    out.extend_from_slice(&seal);
    Ok(())
}

/// Reads one line, its `\n` included.
///
/// # Errors
/// When it is damaged, of a later version, or not understood. The checksum decides first.
pub fn decode(line: &[u8]) -> Result<Line, CodecError> {
    let (body, end) = line.split_at_checked(line.len().wrapping_sub(SEAL_LEN)).ok_or(CodecError::Torn)?;
    if end != seal(crc32fast::hash(body)) {
        return Err(CodecError::Torn);
    }
    check_version(body)?;
    serde_json::from_slice(line).map_err(|e| CodecError::Unreadable(e.to_string()))
}

/// Checks that what begins with `{"v":N,` is not of a later version; its checksum has been checked.
pub(super) fn check_version(text: &[u8]) -> Result<(), CodecError> {
    let strange = || CodecError::Unreadable("it does not begin with a version".to_owned());
    let rest = text.strip_prefix(b"{\"v\":").ok_or_else(strange)?;
    let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
    let version = std::str::from_utf8(&rest[..digits]).ok().and_then(|v| v.parse::<u64>().ok());
    match version.ok_or_else(strange)? {
        version if version > VERSION => Err(CodecError::Newer(version)),
        _ => Ok(()),
    }
}

/// Bytes of `,"crc":"9ae0daaf"}` and its newline.
pub(super) const SEAL_LEN: usize = 19;

/// The end of a line, or of a snapshot, whose bytes so far have this checksum.
pub(super) fn seal(crc: u32) -> [u8; SEAL_LEN] {
    let mut seal = *b",\"crc\":\"00000000\"}\n";
    for (at, digit) in seal[8..16].iter_mut().enumerate() {
        let nibble = (crc >> (28 - 4 * at)) & 0xF;
        *digit = b"0123456789abcdef"[nibble as usize];
    }
    seal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    fn alive(millis: i64) -> Record {
        Record::Alive { at: Timestamp::from_millis(millis) }
    }

    fn line(seq: u64) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, Seq(seq), Seq(seq - 1), Seq(seq), &alive(seq as i64)).unwrap();
        out
    }

    #[test]
    fn a_line_is_valid_json_with_its_number_and_a_checksum() {
        let line = line(17);
        let text = std::str::from_utf8(&line).unwrap();
        assert!(
            text.starts_with(
                r#"{"v":1,"seq":17,"synced":16,"record":{"alive":{"at":"1970-01-01T00:00:00.017Z"}},"crc":""#
            ),
            "{text}"
        );
        assert_eq!(text.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        let crc = crc32fast::hash(text.split(",\"crc\"").next().unwrap().as_bytes());
        assert_eq!(value["crc"], format!("{crc:08x}"));
        assert_eq!(
            decode(&line).unwrap(),
            Line { seq: Seq(17), synced: Seq(16), batch: None, record: alive(17) }
        );
        let mut line = Vec::new();
        encode(&mut line, Seq(17), Seq(16), Seq(19), &alive(17)).unwrap();
        assert!(line.starts_with(b"{\"v\":1,\"seq\":17,\"synced\":16,\"batch\":19,\"record\":"));
        assert_eq!(decode(&line).unwrap().batch, Some(Seq(19)));
    }

    #[test]
    fn every_flip_of_a_bit_and_every_cut_is_found() {
        let good = line(4711);
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(matches!(decode(&bad), Err(CodecError::Torn)), "byte {at} bit {bit}");
            }
            assert!(matches!(decode(&good[..at]), Err(CodecError::Torn)), "cut at {at}");
            assert!(matches!(decode(&good[at + 1..]), Err(CodecError::Torn)), "begins at {at}");
        }
    }

    fn sealed(body: &str) -> Vec<u8> {
        let mut line = body.as_bytes().to_vec();
        line.extend_from_slice(&seal(crc32fast::hash(body.as_bytes())));
        line
    }

    #[test]
    fn a_line_of_a_later_version_names_it_only_when_it_is_whole() {
        let newer = sealed(r#"{"v":2,"number":"17","what":[]"#);
        assert!(matches!(decode(&newer), Err(CodecError::Newer(2))));
        assert!(matches!(decode(&newer[1..]), Err(CodecError::Torn)));
    }

    #[test]
    fn a_whole_line_that_is_not_understood_is_no_damage() {
        for body in [
            r#"{"v":1,"seq":1,"synced":0,"record":{"levitated":{}}"#,
            r#"{"v":1"#,
            r#"{"v":"1""#,
            r#"{"v":99999999999999999999"#,
            r#"{"seq":1"#,
            "",
        ] {
            assert!(matches!(decode(&sealed(body)), Err(CodecError::Unreadable(_))), "{body}");
        }
    }
}
