//! A journal with records of every kind in many batches, cut at every byte and changed in every bit, and snapshots
//! that are older or newer than it. Knows what a recovery may give: what was true at the end of a batch, with the
//! damage told, or a sentence.

use std::sync::OnceLock;

use crate::machine::record::{Record, samples};
use crate::machine::state::State;
use crate::model::id::Seq;
use crate::store::codec;
use crate::store::conformance::{begin, facts, held, snapshot};
use crate::store::folder::Folder;
use crate::store::journal::SegmentJournal;
use crate::store::memory::MemoryFolder;
use crate::store::recover::{Found, RecoverError, Recovered, Warning, recover};
use crate::store::snapshot::{NEWEST, PREVIOUS};
use crate::store::{Durability, Journal};

const FIRST: &str = "journal-00000000000000000001.jsonl";

/// A journal and what it holds.
pub(super) struct Sample {
    pub(super) bytes: Vec<u8>,
    pub(super) records: Vec<Record>,
    /// The last record of each batch, and where its lines end.
    ends: Vec<(u64, usize)>,
}

/// The life of the samples, as the daemon writes it.
pub(super) fn sample_journal() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let folder = MemoryFolder::new();
        let mut journal =
            SegmentJournal::open(folder.clone(), Durability::Fsync, &Recovered::default()).unwrap();
        let mut ends = Vec::new();
        for batch in samples::batches() {
            let last = journal.append(journal.last(), &batch).unwrap().last;
            ends.push((last.0, folder.bytes(FIRST).unwrap().len()));
        }
        Sample { bytes: folder.bytes(FIRST).unwrap(), records: samples::batches().concat(), ends }
    })
}

fn recovered(folder: &MemoryFolder) -> Result<(Vec<Record>, Recovered), RecoverError> {
    let mut records = Vec::new();
    let recovered = recover(folder, |found: Found<String, u64>| match found {
        Found::Record(seq, record) => {
            records.push(record);
            assert_eq!(seq, Seq(records.len() as u64));
        }
        Found::State(..) | Found::Item(_) => panic!("there is no snapshot"),
    })?;
    Ok((records, recovered))
}

/// Recovers from these bytes and holds what is promised of damage: in a word what came of it, and the last record.
pub(super) fn outcome(bytes: &[u8]) -> (String, Option<Seq>) {
    let sample = sample_journal();
    let folder = MemoryFolder::new();
    folder.put(FIRST, bytes);
    match recovered(&folder) {
        Ok((records, recovered)) => {
            assert_eq!(records, sample.records[..records.len()], "no fact becomes another");
            let last = records.len() as u64;
            assert_eq!(recovered.last, Seq(last));
            assert!(
                last == 0 || sample.ends.iter().any(|(end, _)| *end == last),
                "half a batch, up to {last}"
            );
            if let [Warning::Cut { file, line, last: told }] = &recovered.warnings[..] {
                assert_eq!((file.as_str(), *told), (FIRST, Seq(last)));
                let kept = folder.bytes(FIRST).unwrap();
                assert!(bytes.starts_with(&kept) && kept.len() < bytes.len(), "it says that it cut");
                assert_eq!(kept.split(|c| *c == b'\n').count() as u64, *line);
            } else {
                assert_eq!(recovered.warnings, [], "there is nothing else to tell");
                assert_eq!(folder.bytes(FIRST).unwrap(), bytes);
            }
            (if recovered.warnings.is_empty() { "whole" } else { "cut" }.to_owned(), Some(Seq(last)))
        }
        Err(error) => {
            assert_eq!(folder.bytes(FIRST).unwrap(), bytes, "evidence is not touched");
            let text = error.to_string();
            assert!(text.starts_with(FIRST) && text.contains("backup"), "{text}");
            (format!("{:?}", std::mem::discriminant(&error)), None)
        }
    }
}

#[test]
fn a_journal_of_every_kind_cut_at_every_byte_is_what_it_was_at_the_end_of_a_batch() {
    let sample = sample_journal();
    for end in 0..=sample.bytes.len() {
        let (said, last) = outcome(&sample.bytes[..end]);
        let whole = sample.ends.iter().rev().find(|(_, at)| *at <= end).copied().unwrap_or((0, 0));
        assert_eq!(last, Some(Seq(whole.0)), "cut at {end}");
        assert_eq!(said, if whole.1 == end { "whole" } else { "cut" }, "cut at {end}");
    }
    println!("{} cuts of {} batches, 0 lost of what was whole", sample.bytes.len() + 1, sample.ends.len());
}

/// The batch of a byte, and where it begins.
fn batch_of(byte: usize) -> (usize, usize) {
    let ends = &sample_journal().ends;
    let batch = ends.iter().position(|(_, end)| byte < *end).unwrap();
    (batch, batch.checked_sub(1).map_or(0, |before| ends[before].1))
}

/// Nothing follows the last batch that could say whether somebody was answered by it, so it goes; all before it is
/// known to be on the disk.
fn flips_are_found(flips: impl Iterator<Item = (usize, u8)>) {
    let sample = sample_journal();
    let last_batch = sample.ends.len() - 1;
    let before = Seq(sample.ends[last_batch - 1].0);
    let mut bytes = sample.bytes.clone();
    let mut tried = 0;
    for (byte, bit) in flips {
        tried += 1;
        bytes[byte] ^= 1 << bit;
        let expected = if batch_of(byte).0 == last_batch { Some(before) } else { None };
        let (said, last) = outcome(&bytes);
        assert_eq!(last, expected, "bit {bit} of byte {byte}: {said}");
        bytes[byte] ^= 1 << bit;
    }
    println!("{tried} flipped bits, all of them found");
}

/// Where a flip makes or takes a line end, and one bit of every other byte; the next test flips all of them.
#[test]
fn a_flipped_bit_in_a_journal_of_every_kind_is_refused_or_cuts_the_last_batch() {
    let bytes = &sample_journal().bytes;
    flips_are_found((0..bytes.len()).filter_map(|at| {
        let line_end = (0..8).find(|bit| bytes[at] == b'\n' || bytes[at] ^ (1 << bit) == b'\n');
        line_end.or_else(|| (at % 8 == 0).then_some((at / 8 % 8) as u8)).map(|bit| (at, bit))
    }));
}

#[test]
#[ignore = "every bit takes more than a minute; cargo test --lib every_flipped_bit -- --ignored"]
fn every_flipped_bit_in_a_journal_of_every_kind_is_refused_or_cuts_the_last_batch() {
    let bytes = sample_journal().bytes.len();
    flips_are_found((0..bytes).flat_map(|at| (0..8).map(move |bit| (at, bit))));
}

#[test]
fn a_state_applied_from_the_journal_is_the_one_that_the_records_made() {
    let sample = sample_journal();
    let folder = MemoryFolder::new();
    folder.put(FIRST, &sample.bytes);
    let (records, _) = recovered(&folder).unwrap();
    let state = |records: &[Record]| {
        let mut state = State::default();
        for record in records {
            state.apply(record);
        }
        let frozen = state.freeze();
        let beats: Vec<_> = (0..frozen.beats.places()).map(|at| frozen.beats.at(at).cloned()).collect();
        (frozen.core, beats)
    };
    let made = state(&sample.records);
    assert_eq!(state(&records), made);
    assert_eq!(made.1.iter().flatten().count(), 2, "two heartbeats are left");
}

/// Lines of records 1 to 6 in batches of two, and the daemon's snapshots of 2 and 4 as they would be.
fn six() -> (MemoryFolder, Vec<u8>) {
    let folder = MemoryFolder::new();
    let mut life = begin(&folder, Durability::Fsync);
    for after in [0, 2, 4] {
        life.journal.append(Seq(after), &facts(after as i64 + 1..=after as i64 + 2)).unwrap();
        if after < 4 {
            snapshot(&mut life.snapshots, after + 2).unwrap();
        }
    }
    let bytes = folder.bytes(FIRST).unwrap();
    (folder, bytes)
}

#[test]
fn a_snapshot_newer_than_all_of_the_journal_is_the_state_and_the_journal_goes_on_behind_it() {
    let (folder, bytes) = six();
    // A journal of an older backup, one that is empty, none at all.
    let journals = [Some(&bytes[..bytes.len() / 6]), Some(&b""[..]), None];
    for journal in journals {
        match journal {
            Some(bytes) => folder.put(FIRST, bytes),
            None => folder.remove(FIRST).unwrap(),
        }
        for name in folder.names().unwrap() {
            if name.starts_with("journal-") && name != FIRST {
                folder.remove(&name).unwrap();
            }
        }
        let mut life = begin(&folder, Durability::Fsync);
        assert_eq!((life.held.state, life.held.records), (Some((4, "up to 4".to_owned())), vec![]));
        assert_eq!(life.journal.append(Seq(4), &facts(5..=5)).unwrap().last, Seq(5));
        let (held, found) = held(&folder).unwrap();
        assert_eq!((held.records, found.last, found.warnings), (vec![(5, 5)], Seq(5), vec![]));
    }
    println!("{} journals that end before their snapshot, 0 lost of what it holds", journals.len());
}

#[test]
fn a_snapshot_older_than_the_journal_is_followed_by_it_or_names_what_is_missing() {
    let (folder, _) = six();
    folder.put(NEWEST, &folder.bytes(PREVIOUS).unwrap());
    folder.remove(PREVIOUS).unwrap();
    let (found, _) = held(&folder).unwrap();
    assert_eq!((found.state.unwrap().0, found.records), (2, vec![(3, 3), (4, 4), (5, 5), (6, 6)]));
    // The snapshot of an older backup beside a journal that begins behind it.
    let mut late = Vec::new();
    codec::encode(&mut late, Seq(5), Seq(4), Seq(5), &facts(5..=5)[0]).unwrap();
    folder.remove(FIRST).unwrap();
    folder.put("journal-00000000000000000005.jsonl", &late);
    let error = held(&folder).unwrap_err();
    assert!(matches!(error, RecoverError::Missing { from: Seq(3), to: Seq(4), .. }), "{error}");
}

/// The journal may be whole from its first record on, and the snapshots may have healed a gap in it all the same.
#[test]
fn two_damaged_snapshots_refuse_however_they_are_damaged_and_nothing_is_touched() {
    let (folder, bytes) = six();
    let (newest, previous) = (folder.bytes(NEWEST).unwrap(), folder.bytes(PREVIOUS).unwrap());
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 4;
        bytes
    };
    let mut tried = 0;
    for at in 0..newest.len() {
        let other = at % previous.len();
        for (one, two) in [
            (flipped(&newest, at), flipped(&previous, other)),
            (newest[..at].to_vec(), previous[..other].to_vec()),
        ] {
            folder.put(NEWEST, &one);
            folder.put(PREVIOUS, &two);
            let error = held(&folder).unwrap_err();
            assert!(matches!(error, RecoverError::NoSnapshot { .. }), "at {at}: {error}");
            let kept = [NEWEST, PREVIOUS, FIRST].map(|name| folder.bytes(name).unwrap());
            assert_eq!(kept, [one, two, bytes.clone()], "evidence is not touched");
            tried += 1;
        }
    }
    println!("{tried} pairs of damaged snapshots, each refused and left as it was");
}
