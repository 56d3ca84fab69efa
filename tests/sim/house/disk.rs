//! The disk of a house: the real store on a folder in memory, under hands that take their virtual time. Everything
//! that goes through it is shown to the witness; a process can die in the middle of any of its operations.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use overdue::engine::Tasks;
use overdue::machine::record::Record;
use overdue::model::id::Seq;
use overdue::store::journal::SegmentJournal;
use overdue::store::memory::{MemoryFolder, Operation};
use overdue::store::snapshot::SnapshotFiles;
use overdue::store::{AppendError, Appended, Journal, Snapshots};
use serde::Serialize;

use crate::chance::Chance;
use crate::house::clock::HouseClock;
use crate::house::process::Process;
use crate::house::witness::Told;

pub(crate) const OPERATIONS: [Operation; 5] =
    [Operation::Write, Operation::Sync, Operation::Create, Operation::Rename, Operation::SyncFolder];

/// What the disk does to one process.
pub(crate) struct Disk {
    pub(crate) folder: MemoryFolder,
    pub(crate) told: Told,
    pub(crate) clock: Arc<HouseClock>,
    pub(crate) process: Process,
    chance: Mutex<Chance>,
    /// So many jobs until the process dies within one.
    jobs_left: AtomicU64,
    /// How long the next job hangs.
    hangs_ms: AtomicU64,
}

impl Disk {
    pub(crate) fn new(
        folder: MemoryFolder,
        told: Told,
        clock: Arc<HouseClock>,
        process: Process,
        chance: Chance,
        jobs_left: u64,
    ) -> Arc<Self> {
        let (chance, hangs_ms) = (Mutex::new(chance), AtomicU64::new(0));
        Arc::new(Self { folder, told, clock, process, chance, jobs_left: jobs_left.into(), hangs_ms })
    }

    pub(crate) fn hang(&self, lasts: Duration) {
        self.hangs_ms.store(lasts.as_millis() as u64, Ordering::Relaxed);
    }

    /// Whether the next job will hang.
    pub(crate) fn will_hang(&self) -> bool {
        self.hangs_ms.load(Ordering::Relaxed) > 0
    }

    fn draw<T>(&self, of: impl FnOnce(&mut Chance) -> T) -> T {
        of(&mut self.chance.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does a job, in the middle of which the process dies when its time has come.
    fn work<T, E>(&self, job: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let left = self.jobs_left.load(Ordering::Relaxed);
        self.jobs_left.store(left.saturating_sub(1), Ordering::Relaxed);
        if left != 1 {
            return job();
        }
        let operation = self.draw(|chance| {
            self.folder.fail_later(OPERATIONS[chance.below(5) as usize], chance.below(3), 1);
            chance.below(2)
        });
        let done = job();
        if done.is_ok() {
            for operation in OPERATIONS {
                self.folder.fail(operation, 0);
            }
            // The next one may be hit: most have no more than two operations.
            self.jobs_left.store(u64::from(operation) + 1, Ordering::Relaxed);
        } else {
            self.told.saw("deaths within an operation of the disk");
            self.process.die();
        }
        done
    }
}

impl Tasks for Disk {
    fn spawn(&self, worker: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.process.spawn(worker);
    }

    fn takes(&self) -> Duration {
        match self.hangs_ms.swap(0, Ordering::Relaxed) {
            0 => {}
            hangs => return Duration::from_millis(hangs),
        }
        let ms = self.draw(|chance| if chance.one_in(40) { chance.below(900) } else { chance.below(20) });
        Duration::from_millis(u64::from(ms))
    }
}

pub(crate) struct ShownJournal {
    pub(crate) inner: SegmentJournal<MemoryFolder>,
    pub(crate) disk: Arc<Disk>,
}

impl Journal for ShownJournal {
    fn last(&self) -> Seq {
        self.inner.last()
    }

    fn append(&mut self, after: Seq, records: &[Record]) -> Result<Appended, AppendError> {
        self.disk.told.lock().given(after.0, records, self.disk.clock.real());
        let appended = self.disk.work(|| self.inner.append(after, records));
        let mut told = self.disk.told.lock();
        let appended = appended.inspect_err(|_| told.shadow.has_gap())?;
        told.shadow.sure = appended.last.0;
        Ok(appended)
    }

    fn rotate(&mut self, after: Seq) -> Result<(), AppendError> {
        self.disk.work(|| self.inner.rotate(after))
    }

    fn begin_segment(&mut self, after: Seq) -> Result<(), AppendError> {
        self.disk.work(|| self.inner.begin_segment(after))?;
        let mut told = self.disk.told.lock();
        told.given(after.0, &[], self.disk.clock.real());
        told.shadow.has_gap();
        told.shadow.sure = after.0;
        Ok(())
    }

    fn trim(&mut self, covered: Seq) -> io::Result<()> {
        self.disk.work(|| self.inner.trim(covered))
    }

    fn tail_bytes(&self) -> u64 {
        self.inner.tail_bytes()
    }
}

pub(crate) struct ShownSnapshots {
    pub(crate) inner: SnapshotFiles<MemoryFolder>,
    pub(crate) disk: Arc<Disk>,
}

impl Snapshots for ShownSnapshots {
    fn write<H: Serialize, I: Serialize>(
        &mut self,
        seq: Seq,
        state: &H,
        items: impl Iterator<Item = io::Result<I>>,
    ) -> io::Result<Seq> {
        let items = items.collect::<io::Result<Vec<I>>>()?;
        {
            let mut told = self.disk.told.lock();
            told.seen.saw("snapshots");
            told.shadow.snapshot(seq.0, || (text(state), items.iter().map(text).collect()));
        }
        self.disk.work(|| self.inner.write(seq, state, items.iter().map(Ok)))
    }
}

fn text(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("it can be written")
}
