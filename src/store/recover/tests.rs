//! Every way in which a journal can be damaged, and what recovery makes of each.

use super::*;
use crate::store::conformance::{Held, begin, fact, facts, held, snapshot};
use crate::store::memory::{MemoryFolder, Operation};
use crate::store::{AppendError, Durability, Journal};

const FIRST: &str = "journal-00000000000000000001.jsonl";

/// Three batches: 1 to 3, 4 to 6, 7 to 10. The lines of the last say that 6 is on the disk.
fn written() -> Vec<u8> {
    let folder = MemoryFolder::new();
    let mut journal = begin(&folder, Durability::Fsync).journal;
    for (after, batch) in [(0, 1..=3), (3, 4..=6), (6, 7..=10)] {
        journal.append(Seq(after), &facts(batch)).unwrap();
    }
    folder.bytes(FIRST).unwrap()
}

fn with(files: &[(&str, &[u8])]) -> MemoryFolder {
    let folder = MemoryFolder::new();
    for (name, bytes) in files {
        folder.put(name, bytes);
    }
    folder
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|c| *c == b'\n').map(<[u8]>::to_vec).collect()
}

fn line(seq: u64, synced: u64) -> Vec<u8> {
    batch_line(seq, synced, seq)
}

/// Of a batch that ends with record `end`.
fn batch_line(seq: u64, synced: u64, end: u64) -> Vec<u8> {
    let mut out = Vec::new();
    codec::encode(&mut out, Seq(seq), Seq(synced), Seq(end), &fact(seq as i64)).unwrap();
    out
}

fn up_to(n: u64) -> Vec<(u64, i64)> {
    (1..=n).map(|n| (n, n as i64)).collect()
}

/// Goes on after the recovery, twice, and nothing is lost.
fn goes_on(folder: &MemoryFolder, last: u64) {
    for last in [last, last + 1] {
        let mut life = begin(folder, Durability::Fsync);
        assert_eq!(life.held.records, up_to(last));
        life.journal.append(Seq(last), &[fact(last as i64 + 1)]).unwrap();
    }
    let (held, recovered) = held(folder).unwrap();
    assert_eq!((held.records, recovered.warnings), (up_to(last + 2), vec![]), "put right for good");
}

/// Part of what one decision led to would be an incident without its alert, or a period that was missed without either.
#[test]
fn a_journal_cut_at_every_byte_of_its_last_batch_keeps_all_or_nothing_of_it() {
    let bytes = written();
    let acknowledged: usize = lines(&bytes)[..6].iter().map(Vec::len).sum();
    for end in acknowledged..=bytes.len() {
        let folder = with(&[(FIRST, &bytes[..end])]);
        let (held, recovered) = held(&folder).unwrap();
        let whole = end == acknowledged || end == bytes.len();
        let last = if end == bytes.len() { 10 } else { 6 };
        assert_eq!(held.records, up_to(last), "cut at {end}");
        if whole {
            assert_eq!(recovered.warnings, [], "cut at {end}");
        } else {
            let cut = Warning::Cut { file: FIRST.into(), line: 7, last: Seq(6) };
            assert_eq!(recovered.warnings, [cut], "cut at {end}");
        }
        goes_on(&folder, last);
    }
    println!("{} cuts of the last batch, all or nothing of it is kept", bytes.len() + 1 - acknowledged);
}

#[test]
fn a_changed_byte_is_found_in_every_acknowledged_line_and_cut_in_the_last_batch() {
    let bytes = written();
    let mut at = 0;
    for (n, line) in (1u64..).zip(lines(&bytes)) {
        for byte in at..at + line.len() {
            for flip in [0x01, 0x20, 0x80, bytes[byte] ^ b'\n', bytes[byte]] {
                let mut bad = bytes.clone();
                bad[byte] ^= flip;
                if bad == bytes {
                    continue;
                }
                let folder = with(&[(FIRST, &bad)]);
                match held(&folder) {
                    Err(RecoverError::Corrupt { file, line, .. }) => {
                        assert!(n <= 6, "byte {byte} of the last batch refused the start");
                        assert_eq!((file.as_str(), line), (FIRST, n));
                        assert_eq!(folder.bytes(FIRST).unwrap(), bad, "evidence is not touched");
                    }
                    Ok((held, recovered)) => {
                        assert!(n > 6, "byte {byte} of an acknowledged line was not found");
                        assert_eq!((held.records, recovered.last), (up_to(6), Seq(6)));
                    }
                    Err(other) => panic!("byte {byte}: {other}"),
                }
            }
        }
        at += line.len();
    }
}

#[test]
fn the_refusal_names_file_and_line_and_says_what_to_do() {
    let mut bytes = written();
    bytes[5] ^= 1;
    let text = held(&with(&[(FIRST, &bytes)])).unwrap_err().to_string();
    for part in [FIRST, "line 1:", "Restore the state folder from a backup", "cut the file before line 1"] {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn a_last_batch_torn_in_any_order_is_cut_whole() {
    let all = lines(&written());
    let zeros = |n: usize| vec![0u8; all[n].len()];
    let tails: [(&str, Vec<Vec<u8>>, u64); 6] = [
        ("a hole before whole lines", vec![zeros(6), all[7].clone(), all[8].clone()], 6),
        ("a hole in the middle", vec![all[6].clone(), zeros(7), all[8].clone(), all[9].clone()], 6),
        ("only zeros", vec![vec![0; 4096]], 6),
        ("lines in another order", vec![all[6].clone(), all[8].clone(), all[7].clone()], 6),
        ("a line is not there", vec![all[7].clone(), all[8].clone()], 6),
        ("a line without its end", vec![all[6].clone(), all[7][..all[7].len() - 1].to_vec()], 6),
    ];
    for (what, tail, last) in tails {
        let mut bytes = all[..6].concat();
        // Whole lines after the hole say that 6 is on the disk; where none is left, the first six say only 3.
        bytes.extend(tail.concat());
        let folder = with(&[(FIRST, &bytes)]);
        let (held, recovered) = held(&folder).unwrap();
        assert_eq!(held.records, up_to(last), "{what}");
        assert!(matches!(recovered.warnings[..], [Warning::Cut { .. }]), "{what}");
        goes_on(&folder, last);
    }
}

#[test]
fn a_line_that_stands_there_twice_counts_once() {
    let all = lines(&written());
    let bytes = [&all[..4], &all[3..], &all[8..]].concat().concat();
    let folder = with(&[(FIRST, &bytes)]);
    assert_eq!(held(&folder).unwrap().0.records, up_to(10));
}

#[test]
fn a_gap_before_acknowledged_records_refuses() {
    let mut all = lines(&written());
    all.remove(2);
    let error = held(&with(&[(FIRST, &all.concat())])).unwrap_err();
    let RecoverError::Corrupt { line: 3, why, .. } = error else { panic!("{error}") };
    assert_eq!(why, "it holds record 4, where record 3 should be");
}

#[test]
fn a_segment_that_is_not_there_refuses_and_names_the_records() {
    let folder = MemoryFolder::new();
    let mut journal = begin(&folder, Durability::Fsync).journal;
    for n in [0, 2, 4] {
        journal.append(Seq(n), &facts(n as i64 + 1..=n as i64 + 2)).unwrap();
        journal.begin_segment(Seq(n + 2)).unwrap();
    }
    drop(journal);
    folder.remove(&segment_name(Seq(3))).unwrap();
    let error = held(&folder).unwrap_err();
    assert!(matches!(error, RecoverError::Missing { from: Seq(3), to: Seq(4), .. }), "{error}");
    assert!(error.to_string().contains("records 3 to 4"), "{error}");
    folder.remove(FIRST).unwrap();
    let error = held(&folder).unwrap_err();
    assert!(matches!(error, RecoverError::Missing { from: Seq(1), .. }), "no snapshot holds them: {error}");
}

#[test]
fn a_torn_end_before_a_later_segment_is_no_unacknowledged_batch() {
    let bytes = written();
    let next = segment_name(Seq(11));
    let folder = with(&[(FIRST, &bytes[..bytes.len() - 1]), (&next, b"")]);
    let error = held(&folder).unwrap_err();
    assert!(matches!(error, RecoverError::Corrupt { line: 10, .. }), "{error}");
}

#[test]
fn what_stands_beyond_the_next_segments_first_record_is_void() {
    let bytes = written();
    let next = [line(8, 7), line(9, 8)].concat();
    let folder = with(&[(FIRST, &bytes), (&segment_name(Seq(8)), &next)]);
    assert_eq!(held(&folder).unwrap().0.records, up_to(9));
    let torn = [&bytes[..lines(&bytes)[..7].concat().len()], &[0; 700]].concat();
    let folder = with(&[(FIRST, &torn), (&segment_name(Seq(8)), &next)]);
    let (held, recovered) = held(&folder).unwrap();
    assert_eq!((held.records, recovered.warnings), (up_to(9), vec![]));
}

#[test]
fn empty_segments_hold_nothing_and_harm_nothing() {
    let bytes = written();
    let folder = with(&[(FIRST, &bytes), (&segment_name(Seq(11)), b""), ("journal-12.jsonl", b"not ours")]);
    assert_eq!(held(&folder).unwrap().0.records, up_to(10));
    goes_on(&folder, 10);
}

#[test]
fn a_journal_of_a_later_version_refuses_and_names_it() {
    let mut newer = br#"{"v":7,"what":"ever""#.to_vec();
    newer.extend_from_slice(&codec::seal(crc32fast::hash(&newer)));
    let bytes = [written(), newer].concat();
    let error = held(&with(&[(FIRST, &bytes)])).unwrap_err();
    assert!(matches!(error, RecoverError::Newer { version: 7, .. }), "{error}");
    let mut unknown = br#"{"v":1,"seq":11,"synced":10,"record":{"levitated":{}}"#.to_vec();
    unknown.extend_from_slice(&codec::seal(crc32fast::hash(&unknown)));
    let error = held(&with(&[(FIRST, &[written(), unknown].concat())])).unwrap_err();
    assert!(matches!(error, RecoverError::Unreadable { .. }), "whole lines are never cut: {error}");
}

#[test]
fn damage_that_the_snapshot_covers_costs_nothing() {
    let bytes = written();
    for damaged in 0..10 {
        let folder = with(&[]);
        let mut all = lines(&bytes);
        all[damaged][20] ^= 1;
        snapshot(&mut begin(&folder, Durability::Fsync).snapshots, 8).unwrap();
        folder.put(FIRST, &all.concat());
        // The life that wrote the snapshot began no segment that this journal knows of.
        let (held, recovered) = held(&folder).unwrap();
        let rest = if damaged >= 8 { vec![] } else { up_to(10)[8..].to_vec() };
        assert_eq!(held.records, rest, "line {}", damaged + 1);
        match damaged {
            0..=7 => assert!(matches!(recovered.warnings[..], [Warning::Covered { .. }])),
            _ => assert!(matches!(recovered.warnings[..], [Warning::Cut { .. }])),
        }
    }
}

#[test]
fn damage_that_may_reach_beyond_the_snapshot_is_judged_by_what_was_acknowledged() {
    // (the snapshot's number, damaged lines, the refused line or the last record)
    for (base, damaged, expected) in [
        (2, 2..=3, Err(2)),
        (2, 1..=6, Err(1)),
        (8, 8..=10, Ok(8)),
        (8, 7..=9, Ok(8)),
        (8, 10..=10, Ok(8)),
        (10, 9..=10, Ok(10)),
    ] {
        let mut all = lines(&written());
        for line in damaged.clone() {
            all[line - 1][20] ^= 1;
        }
        let folder = with(&[]);
        snapshot(&mut begin(&folder, Durability::Fsync).snapshots, base).unwrap();
        folder.put(FIRST, &all.concat());
        match (held(&folder), expected) {
            (Ok((_, recovered)), Ok(last)) => {
                assert_eq!(recovered.last, Seq(last), "{base} {damaged:?}");
                assert!(matches!(recovered.warnings[..], [Warning::Cut { .. }]), "{base} {damaged:?}");
            }
            (Err(RecoverError::Corrupt { line, .. }), Err(refused)) => assert_eq!(line, refused),
            (got, _) => panic!("{base} {damaged:?}: {got:?}"),
        }
    }
}

#[test]
fn a_segment_goes_only_when_the_next_one_begins_within_what_is_covered() {
    let folder = MemoryFolder::new();
    let mut journal = begin(&folder, Durability::Fsync).journal;
    journal.append(Seq(0), &facts(1..=4)).unwrap();
    journal.begin_segment(Seq(4)).unwrap();
    journal.trim(Seq(3)).unwrap();
    assert!(folder.bytes(FIRST).is_some(), "it holds record 4");
    journal.trim(Seq(4)).unwrap();
    assert!(folder.bytes(FIRST).is_none());
    journal.trim(Seq(100)).unwrap();
    journal.append(Seq(4), &facts(5..=5)).unwrap();
    assert!(folder.bytes(&segment_name(Seq(5))).is_some(), "the one that is written always stays");
}

#[test]
fn after_a_failed_sync_a_snapshot_and_a_new_segment_heal() {
    for fault in [Operation::Sync, Operation::Write] {
        for seed in 0..200 {
            let folder = MemoryFolder::new();
            let mut life = begin(&folder, Durability::Fsync);
            life.journal.append(Seq(0), &facts(1..=3)).unwrap();
            folder.fail(fault, 1);
            assert!(matches!(life.journal.append(Seq(3), &facts(4..=5)), Err(AppendError::Failed(_))));
            let refused = life.journal.append(Seq(3), &facts(4..=5)).unwrap_err();
            assert!(refused.to_string().contains("an earlier write failed"), "{refused}");
            // The daemon went on in memory up to 7.
            snapshot(&mut life.snapshots, 7).unwrap();
            life.journal.begin_segment(Seq(7)).unwrap();
            assert_eq!(life.journal.append(Seq(7), &facts(8..=9)).unwrap().last, Seq(9));
            folder.crash(seed);
            let life = begin(&folder, Durability::Fsync);
            let state = Some((7, "up to 7".to_owned()));
            assert_eq!(life.held, Held { state, items: vec![1, 2, 3], records: vec![(8, 8), (9, 9)] });
        }
    }
}

#[test]
fn a_rotation_asked_for_behind_a_failed_batch_leaves_no_gap() {
    let folder = MemoryFolder::new();
    let mut journal = begin(&folder, Durability::Fsync).journal;
    journal.append(Seq(0), &facts(1..=3)).unwrap();
    folder.fail(Operation::Write, 1);
    journal.append(Seq(3), &facts(4..=5)).unwrap_err();
    // The snapshot of 5 is on its way, but not on the disk.
    journal.rotate(Seq(5)).unwrap_err();
    folder.crash(3);
    assert_eq!(held(&folder).unwrap().0.records, up_to(3));
}

#[test]
fn a_segment_that_could_not_be_begun_leaves_the_old_one_closed() {
    for fault in [Operation::Create, Operation::SyncFolder] {
        let folder = MemoryFolder::new();
        let mut journal = begin(&folder, Durability::Fsync).journal;
        journal.append(Seq(0), &facts(1..=3)).unwrap();
        folder.fail(fault, 1);
        journal.begin_segment(Seq(3)).unwrap_err();
        // The new name may be on the disk, and then nothing more in the old file would count.
        journal.append(Seq(3), &facts(4..=4)).unwrap_err();
        journal.begin_segment(Seq(3)).unwrap();
        journal.append(Seq(3), &facts(4..=4)).unwrap();
        folder.crash(3);
        assert_eq!(held(&folder).unwrap().0.records, up_to(4), "{fault:?}");
    }
}

#[test]
fn records_that_only_the_page_cache_held_are_made_durable_before_others_follow() {
    for seed in 0..200 {
        let folder = MemoryFolder::new();
        let mut life = begin(&folder, Durability::Fsync);
        life.journal.append(Seq(0), &facts(1..=3)).unwrap();
        folder.fail(Operation::Sync, 1);
        life.journal.append(Seq(3), &facts(4..=5)).unwrap_err();
        folder.kill();
        let mut life = begin(&folder, Durability::Fsync);
        assert_eq!(life.held.records, up_to(5), "the kernel still shows them");
        life.journal.append(Seq(5), &facts(6..=6)).unwrap();
        folder.crash(seed);
        assert_eq!(held(&folder).unwrap().0.records, up_to(6), "seed {seed}");
    }
}
