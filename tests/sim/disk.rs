//! The real store under a world: journal, snapshots and recovery on a folder in memory. A power cut drops,
//! tears and reorders whatever was not synced, with a batch or a snapshot under way when chance wants it so.
//! Knows records and how many of them were acknowledged, never what a heartbeat should be.

use std::collections::BTreeMap;
use std::sync::Arc;

use overdue::machine::Machine;
use overdue::machine::beat::Beat;
use overdue::machine::event::Event;
use overdue::machine::record::Record;
use overdue::machine::state::{Core, State};
use overdue::model::id::{Life, Seq};
use overdue::model::schedule::Zones;
use overdue::model::time::{Span, Timestamp};
use overdue::store::journal::SegmentJournal;
use overdue::store::memory::{MemoryFolder, Operation};
use overdue::store::recover::{Found, Recovered, Warning, recover};
use overdue::store::snapshot::SnapshotFiles;
use overdue::store::{Durability, Journal, Snapshots};

use crate::chance::Chance;
use crate::rules::Ms;

const OPERATIONS: [Operation; 5] =
    [Operation::Write, Operation::Sync, Operation::Create, Operation::Rename, Operation::SyncFolder];

/// Bytes of the journal after which a snapshot is written.
const TAIL_MAX: u64 = 96 << 10;

/// What came to pass, so that a test can tell that it tested something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    pub(crate) deaths: usize,
    /// Deaths with records that were not acknowledged: none, some or all of them were found again.
    pub(crate) none_kept: usize,
    pub(crate) some_kept: usize,
    pub(crate) all_kept: usize,
    /// A start found a torn batch and cut it.
    pub(crate) cut: usize,
    /// A start read a snapshot, and records after it.
    pub(crate) from_both: usize,
    /// A start died before it had a journal.
    pub(crate) died_starting: usize,
    /// A snapshot was under way at a death, and did not get done.
    pub(crate) half_snapshots: usize,
    /// A failed append was healed by a snapshot.
    pub(crate) healed: usize,
}

impl Seen {
    pub(crate) fn add(&mut self, mut other: Self) {
        for (sum, more) in self.all().into_iter().zip(other.all()) {
            *sum += *more;
        }
    }

    pub(crate) fn has_everything(mut self) -> bool {
        self.all().into_iter().all(|count| *count > 0)
    }

    fn all(&mut self) -> [&mut usize; 9] {
        [
            &mut self.deaths,
            &mut self.none_kept,
            &mut self.some_kept,
            &mut self.all_kept,
            &mut self.cut,
            &mut self.from_both,
            &mut self.died_starting,
            &mut self.half_snapshots,
            &mut self.healed,
        ]
    }
}

/// What a start finds.
pub(crate) struct Start {
    pub(crate) state: State,
    /// So many records.
    pub(crate) records: usize,
}

pub(crate) struct Disk {
    folder: MemoryFolder,
    journal: SegmentJournal<MemoryFolder>,
    snapshots: SnapshotFiles<MemoryFolder>,
    chance: Chance,
    /// So many records were acknowledged.
    sure: usize,
    pub(crate) seen: Seen,
}

impl Clone for Disk {
    fn clone(&self) -> Self {
        unreachable!("worlds that are walked keep no disk: two of them would write the same files")
    }
}

impl Disk {
    /// An empty one.
    pub(crate) fn new(seed: u64) -> Self {
        let folder = MemoryFolder::new();
        let nothing = Recovered::default();
        Self {
            journal: SegmentJournal::open(folder.clone(), Durability::Fsync, &nothing).unwrap(),
            snapshots: SnapshotFiles::open(folder.clone(), &nothing),
            folder,
            chance: Chance(seed),
            sure: 0,
            seen: Seen::default(),
        }
    }

    /// Writes batches that end so, and acknowledges them. A disk that fails is healed as a daemon does it: by a
    /// snapshot of all that was decided. `state` is what the records say.
    pub(crate) fn sync(&mut self, records: &[Arc<Record>], ends: &[usize], state: &State) {
        if ends.is_empty() {
            return;
        }
        if self.chance.one_in(16) {
            let operation = OPERATIONS[self.chance.below(2) as usize];
            self.folder.fail_later(operation, self.chance.below(2), 1);
        }
        if ends.iter().any(|end| !self.append(records, *end)) {
            self.seen.healed += 1;
            self.be_well();
            assert!(self.snapshot(Seq(records.len() as u64), state), "nothing stands in its way");
            self.journal.begin_segment(Seq(records.len() as u64)).unwrap();
        }
        self.be_well();
        assert_eq!(self.journal.last(), Seq(records.len() as u64));
        self.sure = records.len();
        if self.journal.tail_bytes() > TAIL_MAX || self.chance.one_in(64) {
            assert!(self.snapshot(Seq(self.sure as u64), state), "nothing stands in its way");
        }
    }

    fn be_well(&self) {
        for operation in OPERATIONS {
            self.folder.fail(operation, 0);
        }
    }

    fn append(&mut self, records: &[Arc<Record>], end: usize) -> bool {
        let after = self.journal.last();
        let batch: Vec<Record> =
            records[after.0 as usize..end].iter().map(|record| record.as_ref().clone()).collect();
        self.journal.append(after, &batch).is_ok_and(|appended| appended.last == Seq(end as u64))
    }

    /// As a daemon does it: a new segment, unless the journal is behind or has failed, and then the snapshot.
    fn snapshot(&mut self, seq: Seq, state: &State) -> bool {
        if self.journal.last() == seq {
            // One that has failed stays so; the snapshot does not depend on it.
            drop(self.journal.rotate(seq));
        }
        let frozen = state.freeze();
        let beats = frozen.beats.iter().map(|(_, beat)| Ok(beat));
        let Ok(covered) = self.snapshots.write(seq, &frozen.core, beats) else { return false };
        self.journal.trim(covered).unwrap();
        true
    }

    /// The process or the whole machine dies. The first `lucky` of the batches that nobody has acknowledged are on
    /// the disk, the one after them is under way; perhaps a snapshot is too. Then it starts again.
    pub(crate) fn die(
        &mut self,
        records: &[Arc<Record>],
        ends: &[usize],
        state: &State,
        lucky: usize,
    ) -> Start {
        self.seen.deaths += 1;
        let (done, waiting) = ends.split_at(lucky.min(ends.len()));
        for end in done {
            assert!(self.append(records, *end), "nothing stands in its way");
        }
        let mut found_for_sure = done.last().copied().unwrap_or(self.sure);
        // Now and then all that waits had gathered into one batch.
        let under_way = if self.chance.one_in(2) { waiting.first() } else { waiting.last() };
        if let Some(end) = under_way.filter(|_| !self.chance.one_in(4)) {
            self.folder.fail(OPERATIONS[self.chance.below(2) as usize], 1);
            assert!(!self.append(records, *end), "it is not acknowledged");
            self.be_well();
        }
        if self.chance.one_in(4) {
            let operation = OPERATIONS[self.chance.below(5) as usize];
            self.folder.fail_later(operation, self.chance.below(3), 1);
            if self.snapshot(Seq(records.len() as u64), state) {
                found_for_sure = records.len();
            } else {
                self.seen.half_snapshots += 1;
            }
        }
        let not_acknowledged = self.sure < records.len();
        self.lose_power_or_process();
        let start = self.start(records, found_for_sure);
        let whole = [self.sure, records.len()].contains(&start.records) || ends.contains(&start.records);
        assert!(whole, "a batch is found whole or not at all: what one decision led to stands in one");
        if not_acknowledged {
            self.seen.none_kept += usize::from(start.records == self.sure);
            self.seen.some_kept += usize::from((self.sure + 1..records.len()).contains(&start.records));
            self.seen.all_kept += usize::from(start.records == records.len());
        }
        self.sure = start.records;
        start
    }

    fn lose_power_or_process(&mut self) {
        let seed = self.chance.draw();
        if self.chance.one_in(5) { self.folder.kill() } else { self.folder.crash(seed) }
    }

    /// Recovers, and checks that what is found is what some prefix of the records says, which holds all that were
    /// acknowledged. Now and then it dies again while it starts.
    fn start(&mut self, records: &[Arc<Record>], sure: usize) -> Start {
        loop {
            let (state, recovered) = self.recover();
            let count = usize::try_from(recovered.last.0).expect("it is small");
            assert!(count >= sure, "{count} records are left of {sure} that were acknowledged");
            assert!(count <= records.len(), "{count} records were found of {} written", records.len());
            assert_same(&state, &replay(&records[..count]));
            if self.chance.one_in(8) {
                self.folder.fail(OPERATIONS[self.chance.below(5) as usize], 1);
            }
            if let Ok(journal) = SegmentJournal::open(self.folder.clone(), Durability::Fsync, &recovered) {
                self.journal = journal;
                self.snapshots = SnapshotFiles::open(self.folder.clone(), &recovered);
                self.be_well();
                return Start { state, records: count };
            }
            self.seen.died_starting += 1;
            self.lose_power_or_process();
        }
    }

    fn recover(&mut self) -> (State, Recovered) {
        let (mut core, mut beats, mut records) = (Core::default(), Vec::new(), Vec::new());
        let recovered = recover::<_, Core, Beat>(&self.folder, |found| match found {
            Found::State(_, state) => core = state,
            Found::Item(beat) => beats.push(beat),
            Found::Record(_, record) => records.push(record),
        })
        .expect("no death makes the state unreadable");
        let from_snapshot = recovered.kept.newest.or(recovered.kept.previous).is_some();
        self.seen.from_both += usize::from(from_snapshot && !records.is_empty());
        self.seen.cut += usize::from(recovered.warnings.iter().any(|w| matches!(w, Warning::Cut { .. })));
        let mut state = State::restore(core, beats.into_iter());
        for record in &records {
            state.apply(record);
        }
        (state, recovered)
    }
}

/// The state that records tell.
pub(crate) fn replay(records: &[Arc<Record>]) -> State {
    let mut state = State::default();
    for record in records {
        state.apply(record);
    }
    state
}

/// All that a state says is the same. Places are not part of it: a start from a snapshot closes the gaps which heartbeats
/// leave that are forgotten.
pub(crate) fn assert_same(found: &State, told: &State) {
    let (mut found, mut told) = (found.clone(), told.clone());
    found.go_along();
    told.go_along();
    assert_eq!(found.core, told.core, "the journal says something else");
    let (found_beats, told_beats) = (by_key(&found), by_key(&told));
    assert_eq!(found_beats.keys().collect::<Vec<_>>(), told_beats.keys().collect::<Vec<_>>());
    for (key, beat) in &found_beats {
        assert!(told_beats.get(key) == Some(beat), "the journal says something else of heartbeat {key:?}");
    }
    assert_eq!(found.living(), told.living());
}

/// Its heartbeats by what names them: slug, UUID and since when, as the removed ones may have left theirs to others.
fn by_key(state: &State) -> BTreeMap<(String, uuid::Uuid, Timestamp), &Beat> {
    let key = |beat: &Beat| (beat.heartbeat.slug.to_string(), beat.heartbeat.uuid, beat.created_at);
    let beats: BTreeMap<_, _> = state.beats.iter().map(|(_, beat)| (key(beat), beat)).collect();
    assert_eq!(beats.len(), state.beats.iter().count(), "two heartbeats have one key");
    beats
}

/// A daemon can start from it.
pub(crate) fn assert_starts(state: State, now: Ms) {
    let mut machine = Machine::restore(state, Zones::bundled());
    let now = crate::world::at(now);
    let life = Life(uuid::Uuid::from_u128(u128::MAX));
    machine.handle(Event::Began { life, version: String::new(), boot: None }, now);
    machine.handle(Event::Hearing, now);
    machine.handle(Event::Tick, now + Span::from_secs(300));
}
