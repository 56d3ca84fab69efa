//! What every journal must do, as one list that runs on each of them, and the means by which the tests of
//! this floor write and recover. Knows no kind of journal.

use crate::machine::record::Record;
use crate::model::id::Seq;
use crate::model::time::Timestamp;
use crate::store::folder::{Folder, StateFolder};
use crate::store::journal::SegmentJournal;
use crate::store::memory::MemoryFolder;
use crate::store::recover::{Found, RecoverError, Recovered, recover};
use crate::store::snapshot::SnapshotFiles;
use crate::store::{AppendError, Appended, Durability, Journal, Snapshots};

/// What a folder gives back: the snapshot's number and items, and the numbers of the records after it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Held {
    pub(super) state: Option<(u64, String)>,
    pub(super) items: Vec<u64>,
    /// Each with the number that its fact carries, which says who wrote it.
    pub(super) records: Vec<(u64, i64)>,
}

pub(super) fn fact(n: i64) -> Record {
    Record::Alive { at: Timestamp::from_millis(n) }
}

pub(super) fn facts(range: std::ops::RangeInclusive<i64>) -> Vec<Record> {
    range.map(fact).collect()
}

pub(super) fn held<F: Folder>(folder: &F) -> Result<(Held, Recovered), RecoverError> {
    let mut held = Held::default();
    let recovered = recover(folder, |found| match found {
        Found::State(seq, state) => held.state = Some((seq.0, state)),
        Found::Item(item) => held.items.push(item),
        Found::Record(seq, record) => held.records.push((seq.0, record.at().as_millis())),
    })?;
    Ok((held, recovered))
}

/// A journal and snapshots as a new life finds them.
pub(super) struct Life<F: Folder> {
    pub(super) held: Held,
    pub(super) journal: SegmentJournal<F>,
    pub(super) snapshots: SnapshotFiles<F>,
}

pub(super) fn begin<F: Folder>(folder: &F, durability: Durability) -> Life<F> {
    let (held, recovered) = held(folder).unwrap();
    Life {
        journal: SegmentJournal::open(folder.clone(), durability, &recovered).unwrap(),
        snapshots: SnapshotFiles::open(folder.clone(), &recovered),
        held,
    }
}

pub(super) fn snapshot<F: Folder>(snapshots: &mut SnapshotFiles<F>, seq: u64) -> std::io::Result<Seq> {
    snapshots.write(Seq(seq), &format!("up to {seq}"), [1u64, 2, 3].into_iter().map(Ok))
}

/// The list. `open` ends the life before and gives what the new one finds: the journal and its records.
fn conforms<J: Journal>(durability: Durability, mut open: impl FnMut() -> (J, Vec<(u64, i64)>)) {
    let (mut journal, records) = open();
    assert_eq!((journal.last(), records), (Seq(0), vec![]), "a new journal is empty");
    let nothing = Appended { last: Seq(0), sync: None };
    assert_eq!(journal.append(Seq(0), &[]).unwrap(), nothing, "an empty batch changes nothing");
    let appended = journal.append(Seq(0), &facts(1..=3)).unwrap();
    assert_eq!(appended.last, Seq(3), "records are numbered from 1");
    assert_eq!(
        appended.sync.is_some(),
        durability == Durability::Fsync,
        "it says how long it waited for the disk"
    );
    assert!(journal.tail_bytes() > 0);
    for wrong in [0, 2, 4] {
        let refused = journal.append(Seq(wrong), &facts(9..=9)).unwrap_err();
        assert!(matches!(refused, AppendError::Superseded { last: Seq(3) }), "after {wrong}: {refused}");
    }
    assert_eq!(journal.append(Seq(3), &facts(4..=4)).unwrap().last, Seq(4), "a refusal changes nothing");
    drop(journal);

    let (mut journal, records) = open();
    assert_eq!(records, (1..=4).map(|n| (n, n as i64)).collect::<Vec<_>>(), "a new life finds all, in order");
    assert!(journal.tail_bytes() > 0, "what was replayed counts");
    let refused = journal.begin_segment(Seq(3)).unwrap_err();
    assert!(matches!(refused, AppendError::Superseded { last: Seq(4) }));
    for wrong in [3, 5] {
        let refused = journal.rotate(Seq(wrong)).unwrap_err();
        assert!(matches!(refused, AppendError::Superseded { last: Seq(4) }), "rotates nowhere else");
    }
    journal.rotate(Seq(4)).unwrap();
    assert_eq!((journal.last(), journal.tail_bytes()), (Seq(4), 0));
    assert_eq!(journal.append(Seq(4), &facts(5..=6)).unwrap().last, Seq(6));
    journal.begin_segment(Seq(6)).unwrap();
    journal.begin_segment(Seq(6)).unwrap();
    journal.trim(Seq(0)).unwrap();
    drop(journal);

    let (mut journal, records) = open();
    assert_eq!(records, (1..=6).map(|n| (n, n as i64)).collect::<Vec<_>>(), "segments follow each other");
    assert_eq!(journal.append(Seq(6), &facts(7..=7)).unwrap().last, Seq(7));
    drop(journal);
    assert_eq!(open().1.len(), 7, "a life that begins in an empty segment keeps what follows");
}

#[test]
fn a_journal_in_memory_conforms() {
    for durability in [Durability::Fsync, Durability::Relaxed] {
        let folder = MemoryFolder::new();
        conforms(durability, || {
            let life = begin(&folder, durability);
            (life.journal, life.held.records)
        });
    }
}

#[test]
fn a_journal_on_the_disk_conforms() {
    for durability in [Durability::Fsync, Durability::Relaxed] {
        let dir = tempfile::tempdir().unwrap();
        conforms(durability, || {
            let life = begin(&StateFolder::open(dir.path()).unwrap(), durability);
            (life.journal, life.held.records)
        });
    }
}

/// What every folder must do for snapshots. `reopen` gives the same folder to a new life.
fn keeps_snapshots<F: Folder>(mut reopen: impl FnMut() -> F) {
    for n in 0..3u64 {
        let mut life = begin(&reopen(), Durability::Fsync);
        assert_eq!(life.held.state.map(|(seq, _)| seq), n.checked_sub(1).map(|n| 2 * n + 2));
        assert_eq!(life.held.records, vec![]);
        let last = life.journal.append(Seq(2 * n), &facts(1..=2)).unwrap().last;
        life.journal.begin_segment(last).unwrap();
        let covered = snapshot(&mut life.snapshots, last.0).unwrap();
        assert_eq!(covered, Seq(2 * n), "the snapshot that the life began with is the one before");
        life.journal.trim(covered).unwrap();
    }
    let mut names = reopen().names().unwrap();
    names.retain(|name| name != "lock");
    names.sort();
    let expected = [
        "journal-00000000000000000005.jsonl",
        "journal-00000000000000000007.jsonl",
        "snapshot.json",
        "snapshot.previous.json",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_folder_in_memory_keeps_snapshots() {
    let folder = MemoryFolder::new();
    keeps_snapshots(|| folder.clone());
}

#[test]
fn a_folder_on_the_disk_keeps_snapshots() {
    let dir = tempfile::tempdir().unwrap();
    keeps_snapshots(|| StateFolder::open(dir.path()).unwrap());
}
