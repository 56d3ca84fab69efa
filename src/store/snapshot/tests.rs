//! Snapshots that are torn, changed, abandoned or of another version.

use super::*;
use crate::store::conformance::{Held, begin, facts, held, snapshot};
use crate::store::memory::{MemoryFolder, Operation};
use crate::store::recover::{RecoverError, Warning};
use crate::store::{Durability, Journal};

/// Snapshots of 3 and 6, trimmed, and records up to 8.
fn two_snapshots() -> MemoryFolder {
    let folder = MemoryFolder::new();
    let mut life = begin(&folder, Durability::Fsync);
    for (after, batch) in [(0, 1..=3), (3, 4..=6)] {
        life.journal.append(Seq(after), &facts(batch)).unwrap();
        life.journal.begin_segment(Seq(after + 3)).unwrap();
        let covered = snapshot(&mut life.snapshots, after + 3).unwrap();
        assert_eq!(covered, Seq(after), "the journal goes by the snapshot before the newest");
        life.journal.trim(covered).unwrap();
    }
    life.journal.append(Seq(6), &facts(7..=8)).unwrap();
    folder
}

fn expected(state: u64) -> Held {
    Held {
        state: Some((state, format!("up to {state}"))),
        items: vec![1, 2, 3],
        records: (state + 1..=8).map(|n| (n, n as i64)).collect(),
    }
}

#[test]
fn a_snapshot_is_one_json_document_with_an_item_a_line() {
    let bytes = two_snapshots().bytes(NEWEST).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(value["v"], 1);
    assert_eq!(value["seq"], 6);
    assert_eq!(value["state"], "up to 6");
    assert_eq!(value["heartbeats"], serde_json::json!([1, 2, 3]));
    assert_eq!(value["count"], 3);
    assert_eq!(bytes.split(|c| *c == b'\n').count(), 6);
    let folder = MemoryFolder::new();
    let mut life = begin(&folder, Durability::Fsync);
    life.snapshots.write(Seq(0), &"", std::iter::empty::<io::Result<u64>>()).unwrap();
    let empty = folder.bytes(NEWEST).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&empty).unwrap()["count"], 0);
    assert_eq!(held(&folder).unwrap().0.state, Some((0, String::new())));
}

#[test]
fn a_snapshot_torn_at_any_byte_or_changed_in_any_falls_back_to_the_one_before() {
    let folder = two_snapshots();
    assert_eq!(held(&folder).unwrap().0, expected(6));
    let whole = folder.bytes(NEWEST).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x20;
        for bad in
            [&whole[..at], &changed, &[&whole[..at], &[0u8; 600]].concat(), &[&whole[..], b"x"].concat()]
        {
            folder.put(NEWEST, bad);
            let (found, recovered) = held(&folder).unwrap();
            assert_eq!(found, expected(3), "at {at}");
            assert!(matches!(recovered.warnings[..], [Warning::SnapshotDamaged { .. }]));
        }
    }
}

#[test]
fn a_damaged_snapshot_never_takes_the_place_of_the_good_one() {
    let folder = two_snapshots();
    let previous = folder.bytes(PREVIOUS).unwrap();
    folder.put(NEWEST, b"torn");
    let mut life = begin(&folder, Durability::Fsync);
    assert_eq!(snapshot(&mut life.snapshots, 8).unwrap(), Seq(3));
    assert_eq!(folder.bytes(PREVIOUS).unwrap(), previous);
    assert_eq!(held(&folder).unwrap().0, expected(8));
    assert_eq!(snapshot(&mut life.snapshots, 8).unwrap(), Seq(8), "from then on they take turns again");
}

#[test]
fn the_snapshot_before_the_newest_always_recovers_and_what_is_older_goes() {
    let folder = MemoryFolder::new();
    let mut life = begin(&folder, Durability::Fsync);
    for n in 1..=5u64 {
        let last = life.journal.append(Seq(2 * (n - 1)), &facts(1..=2)).unwrap().last;
        life.journal.begin_segment(last).unwrap();
        let covered = snapshot(&mut life.snapshots, last.0).unwrap();
        life.journal.trim(covered).unwrap();
        let newest = folder.bytes(NEWEST).unwrap();
        folder.put(NEWEST, b"torn");
        if n > 1 {
            let (found, recovered) = held(&folder).unwrap();
            assert_eq!(found.state.unwrap().0, 2 * (n - 1));
            assert_eq!(recovered.last, last);
        }
        folder.put(NEWEST, &newest);
    }
    let journals = folder.names().unwrap().iter().filter(|name| name.starts_with("journal")).count();
    assert_eq!(journals, 2, "one that the snapshot before needs, and the one that is written");
}

#[test]
fn without_any_whole_snapshot_the_start_is_refused() {
    let folder = two_snapshots();
    folder.put(NEWEST, b"torn");
    folder.put(PREVIOUS, b"");
    let error = held(&folder).unwrap_err();
    assert!(matches!(error, RecoverError::NoSnapshot { .. }));
    assert!(error.to_string().starts_with(NEWEST), "{error}");
    assert!(error.to_string().contains("Restore the state folder from a backup"), "{error}");
}

#[test]
fn a_crash_between_the_two_renames_leaves_the_one_before() {
    let folder = two_snapshots();
    folder.remove(NEWEST).unwrap();
    let (found, recovered) = held(&folder).unwrap();
    assert_eq!((found, recovered.warnings), (expected(3), vec![]));
}

#[test]
fn a_snapshot_of_a_later_version_refuses_and_names_it() {
    let folder = two_snapshots();
    let mut newer = b"{\"v\":2,\"seq\":6,\n\"all\":0".to_vec();
    newer.extend_from_slice(&codec::seal(crc32fast::hash(&newer)));
    folder.put(NEWEST, &newer);
    let error = held(&folder).unwrap_err();
    assert!(matches!(error, RecoverError::Newer { version: 2, .. }), "{error}");
}

#[test]
fn a_whole_snapshot_that_is_not_understood_is_not_passed_over() {
    let folder = two_snapshots();
    for body in ["{\"v\":1,\"seq\":6,\"state\":[],\"heartbeats\":[\n],\"count\":0", "{\"v\":1,\"seq\":6\n"] {
        let mut strange = body.as_bytes().to_vec();
        strange.extend_from_slice(&codec::seal(crc32fast::hash(&strange)));
        folder.put(NEWEST, &strange);
        let error = held(&folder).unwrap_err();
        assert!(matches!(error, RecoverError::Unreadable { .. }), "{error}");
    }
}

#[test]
fn a_snapshot_that_fails_or_is_abandoned_leaves_the_others_as_they_are() {
    let folder = two_snapshots();
    let mut life = begin(&folder, Durability::Fsync);
    let items = [Ok(1u64), Err(io::Error::other("the daemon stops"))];
    let error = life.snapshots.write(Seq(8), &"up to 8", items.into_iter()).unwrap_err();
    assert_eq!(error.to_string(), "the daemon stops");
    for fault in [Operation::Create, Operation::Write, Operation::Sync] {
        folder.fail(fault, 1);
        snapshot(&mut life.snapshots, 8).unwrap_err();
        assert!(!folder.names().unwrap().contains(&TEMPORARY.to_owned()), "nothing half written stays");
        assert_eq!(held(&folder).unwrap().0, expected(6));
    }
    for (fault, good) in [(Operation::Rename, 0), (Operation::Rename, 1), (Operation::SyncFolder, 0)] {
        folder.fail_later(fault, good, 1);
        snapshot(&mut life.snapshots, 8).unwrap_err();
        held(&folder).unwrap();
    }
    snapshot(&mut life.snapshots, 8).unwrap();
    assert_eq!(held(&folder).unwrap().0, expected(8));
}

#[test]
fn a_long_snapshot_is_synced_as_it_grows() {
    let folder = MemoryFolder::new();
    let mut life = begin(&folder, Durability::Fsync);
    folder.fail(Operation::Sync, 1);
    let items =
        (0..100u32).map(|n| if n < 99 { Ok("x".repeat(100_000)) } else { panic!("it went on to item {n}") });
    let error = life.snapshots.write(Seq(0), &"", items).unwrap_err();
    assert!(error.to_string().contains("Sync"), "the first sync came before the last item: {error}");
}
