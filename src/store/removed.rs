//! A state folder that is removed or replaced under the daemon that holds it.

use std::fs;
use std::path::Path;

use crate::model::id::Seq;
use crate::store::conformance::{begin, facts, held, snapshot};
use crate::store::folder::{Folder, OpenError, StateFolder};
use crate::store::{AppendError, Durability, Journal};

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_written_to_a_folder_that_is_gone_is_not_acknowledged_and_it_is_made_anew() {
    for durability in [Durability::Fsync, Durability::Relaxed] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let folder = StateFolder::open(&path).unwrap();
        assert_eq!(folder.keepsake("ping_key", || "a key\n".to_owned()).unwrap(), "a key\n");
        let mut life = begin(&folder, durability);
        life.journal.append(Seq(0), &facts(1..=3)).unwrap();
        fs::remove_dir_all(&path).unwrap();
        let failed = life.journal.append(Seq(3), &facts(4..=5)).unwrap_err();
        assert!(
            matches!(&failed, AppendError::Failed(_))
                && failed.to_string().contains("the state folder is gone"),
            "{failed}"
        );
        assert!(life.journal.append(Seq(3), &facts(4..=5)).is_err(), "and so it stays");
        // Healing, as the ledger does it.
        snapshot(&mut life.snapshots, 5).unwrap();
        life.journal.begin_segment(Seq(5)).unwrap();
        life.journal.append(Seq(5), &facts(6..=7)).unwrap();
        assert_eq!(fs::read_to_string(path.join("ping_key")).unwrap(), "a key\n");
        assert!(
            matches!(StateFolder::open(&path), Err(OpenError::Locked { .. })),
            "the new one is held, too"
        );
        drop((life, folder));
        let (found, recovered) = held(&StateFolder::open(&path).unwrap()).unwrap();
        assert_eq!((recovered.last, found.records.len()), (Seq(7), 2), "the snapshot and what came after it");
    }
}

#[test]
fn a_segment_is_not_begun_in_a_folder_that_was_made_anew_without_a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let folder = StateFolder::open(&path).unwrap();
    let mut life = begin(&folder, Durability::Fsync);
    life.journal.append(Seq(0), &facts(1..=3)).unwrap();
    fs::remove_dir_all(&path).unwrap();
    folder.restore().unwrap();
    assert!(life.journal.rotate(Seq(3)).is_err());
    assert!(life.journal.append(Seq(3), &facts(4..=4)).is_err());
    assert_eq!(names(&path), ["lock"]);
}

#[test]
fn what_was_put_in_its_place_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (path, away) = (dir.path().join("state"), dir.path().join("away"));
    let folder = StateFolder::open(&path).unwrap();
    let mut life = begin(&folder, Durability::Fsync);
    life.journal.append(Seq(0), &facts(1..=3)).unwrap();
    fs::rename(&path, &away).unwrap();
    assert!(life.journal.append(Seq(3), &facts(4..=4)).is_err(), "the file is there, but under another name");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("journal-00000000000000000001.jsonl"), "of a backup").unwrap();
    for _ in 0..2 {
        let refused = snapshot(&mut life.snapshots, 4).unwrap_err();
        assert!(refused.to_string().contains("another folder lies where the state folder was"), "{refused}");
        assert!(life.journal.begin_segment(Seq(4)).is_err());
    }
    assert_eq!(names(&path), ["journal-00000000000000000001.jsonl"]);
    assert_eq!(fs::read_to_string(path.join("journal-00000000000000000001.jsonl")).unwrap(), "of a backup");
    // An empty one is as good as none.
    fs::remove_dir_all(&path).unwrap();
    fs::create_dir(&path).unwrap();
    snapshot(&mut life.snapshots, 4).unwrap();
    life.journal.begin_segment(Seq(4)).unwrap();
    assert_eq!(life.journal.append(Seq(4), &facts(5..=5)).unwrap().last, Seq(5));
}

#[test]
fn a_lock_that_was_removed_is_noticed_at_once_and_taken_again() {
    let dir = tempfile::tempdir().unwrap();
    let folder = StateFolder::open(dir.path()).unwrap();
    let mut life = begin(&folder, Durability::Fsync);
    life.journal.append(Seq(0), &facts(1..=1)).unwrap();
    fs::remove_file(dir.path().join("lock")).unwrap();
    let failed = life.journal.append(Seq(1), &facts(2..=2)).unwrap_err();
    assert!(failed.to_string().contains("the lock of the state folder was removed"), "{failed}");
    snapshot(&mut life.snapshots, 2).unwrap();
    assert!(matches!(StateFolder::open(dir.path()), Err(OpenError::Locked { .. })));
    life.journal.begin_segment(Seq(2)).unwrap();
    assert_eq!(life.journal.append(Seq(2), &facts(3..=3)).unwrap().last, Seq(3));
}

#[test]
fn a_second_daemon_that_got_in_meanwhile_keeps_the_first_from_writing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = StateFolder::open(dir.path()).unwrap();
    let mut life = begin(&folder, Durability::Fsync);
    life.journal.append(Seq(0), &facts(1..=1)).unwrap();
    fs::remove_file(dir.path().join("lock")).unwrap();
    let second = StateFolder::open(dir.path()).unwrap();
    let mut other = begin(&second, Durability::Fsync);
    other.journal.append(Seq(1), &facts(2..=2)).unwrap();
    assert!(life.journal.append(Seq(1), &facts(9..=9)).is_err());
    for _ in 0..2 {
        let refused = snapshot(&mut life.snapshots, 9).unwrap_err();
        assert!(refused.to_string().contains("another overdue daemon holds the state folder"), "{refused}");
        assert!(life.journal.begin_segment(Seq(9)).is_err());
    }
    other.journal.append(Seq(2), &facts(3..=3)).unwrap();
    drop((life, folder, other, second));
    assert_eq!(held(&StateFolder::open(dir.path()).unwrap()).unwrap().1.last, Seq(3));
}

#[test]
fn a_folder_that_was_emptied_gets_back_what_every_start_needs() {
    let dir = tempfile::tempdir().unwrap();
    let folder = StateFolder::open(dir.path()).unwrap();
    folder.keepsake("ping_key", || "a key\n".to_owned()).unwrap();
    let mut life = begin(&folder, Durability::Fsync);
    life.journal.append(Seq(0), &facts(1..=1)).unwrap();
    for name in names(dir.path()) {
        fs::remove_file(dir.path().join(name)).unwrap();
    }
    assert!(life.journal.append(Seq(1), &facts(2..=2)).is_err());
    snapshot(&mut life.snapshots, 2).unwrap();
    life.journal.begin_segment(Seq(2)).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("ping_key")).unwrap(), "a key\n");
    drop((life, folder));
    assert_eq!(held(&StateFolder::open(dir.path()).unwrap()).unwrap().1.last, Seq(2));
}

#[test]
fn a_folder_that_could_only_be_made_anew_in_part_is_made_whole_by_the_next_try() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    fs::create_dir_all(path.join("deep")).unwrap();
    let folder = StateFolder::open(&path).unwrap();
    // The second stands for what a full disk does not take: there is no folder for it yet.
    for name in ["ping_key", "deep/key"] {
        folder.keepsake(name, || "a key\n".to_owned()).unwrap();
    }
    fs::remove_dir_all(&path).unwrap();
    for _ in 0..2 {
        folder.restore().unwrap_err();
    }
    fs::create_dir(path.join("deep")).unwrap();
    folder.restore().unwrap();
    for name in ["ping_key", "deep/key"] {
        assert_eq!(fs::read_to_string(path.join(name)).unwrap(), "a key\n");
    }
}

#[test]
fn a_snapshot_that_somebody_removed_does_not_keep_the_next_one_from_being_written() {
    let dir = tempfile::tempdir().unwrap();
    let folder = StateFolder::open(dir.path()).unwrap();
    let mut life = begin(&folder, Durability::Fsync);
    life.journal.append(Seq(0), &facts(1..=3)).unwrap();
    snapshot(&mut life.snapshots, 2).unwrap();
    fs::remove_file(dir.path().join("snapshot.json")).unwrap();
    assert_eq!(snapshot(&mut life.snapshots, 3).unwrap(), Seq(0), "then the journal is not trimmed");
    drop((life, folder));
    assert_eq!(held(&StateFolder::open(dir.path()).unwrap()).unwrap().1.last, Seq(3));
}
