//! Two workers for the disk, so that a slow one never stops the loop: one owns the journal and writes one
//! batch while the next gathers, the other writes snapshots. Jobs are done in order; each says how it went.
//! The workers are threads; in a simulation, where all of time is virtual, they are tasks.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::engine::measures::Measures;
use crate::machine::record::Record;
use crate::machine::state::Frozen;
use crate::model::id::Seq;
use crate::store::{AppendError, Appended, Journal, Snapshots};

/// For the journal's worker.
pub(super) enum Job {
    Append { after: Seq, records: Vec<Record> },
    Rotate { after: Seq },
    BeginSegment { after: Seq },
    Trim { covered: Seq },
}

/// What the workers say.
pub(super) enum Done {
    Appended { outcome: Result<Appended, AppendError>, tail_bytes: u64 },
    SegmentBegun(Result<(), AppendError>),
    Trimmed(io::Result<()>),
    Snapshot { seq: Seq, outcome: io::Result<Seq> },
}

/// Who does the disk's work.
#[derive(Clone, Default)]
pub enum Hands {
    /// Threads of its own: what blocks on a disk must not block the loop.
    #[default]
    Threads,
    /// Tasks beside the loop, of which each job takes as long as it is told. Only a disk that never blocks may
    /// be handled so.
    Tasks(Arc<dyn Tasks>),
}

/// Runs workers as tasks.
pub trait Tasks: Send + Sync {
    /// Lets a worker live.
    fn spawn(&self, worker: Pin<Box<dyn Future<Output = ()> + Send>>);

    /// How long the next job takes.
    fn takes(&self) -> Duration;
}

/// The two workers.
pub(super) struct Writer {
    journal: mpsc::UnboundedSender<Job>,
    snapshots: mpsc::UnboundedSender<(Seq, Frozen)>,
    threads: Vec<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start<J, S>(
        mut journal: J,
        mut snapshots: S,
        hands: &Hands,
        done: &mpsc::UnboundedSender<Done>,
        measures: &Measures,
    ) -> io::Result<Self>
    where
        J: Journal + 'static,
        S: Snapshots + 'static,
    {
        let (journal_done, journal_measures) = (done.clone(), measures.clone());
        let (journal_jobs, journal_thread) = hands.hire("journal", move |job| {
            let said = do_job(&mut journal, job, &journal_measures);
            journal_done.send(said).is_ok()
        })?;
        let (snapshot_done, snapshot_measures) = (done.clone(), measures.clone());
        let (snapshot_jobs, snapshot_thread) = hands.hire("snapshots", move |(seq, frozen)| {
            let outcome = write_snapshot(&mut snapshots, seq, &frozen, &snapshot_measures);
            snapshot_done.send(Done::Snapshot { seq, outcome }).is_ok()
        })?;
        let threads = journal_thread.into_iter().chain(snapshot_thread).collect();
        Ok(Self { journal: journal_jobs, snapshots: snapshot_jobs, threads })
    }

    pub(super) fn journal(&self, job: Job) {
        assert!(self.journal.send(job).is_ok(), "the journal's worker lives as long as its sender");
    }

    pub(super) fn snapshot(&self, seq: Seq, frozen: Frozen) {
        let sent = self.snapshots.send((seq, frozen));
        assert!(sent.is_ok(), "the snapshots' worker lives as long as its sender");
    }

    /// Ends both workers once their jobs are done.
    pub(super) fn finish(self) {
        drop((self.journal, self.snapshots));
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread that writes to the state folder died");
            }
        }
    }
}

impl Hands {
    /// A worker that does each job as it comes, until `work` says that nobody listens any more or nobody is left who
    /// could send one.
    fn hire<T: Send + 'static>(
        &self,
        name: &str,
        mut work: impl FnMut(T) -> bool + Send + 'static,
    ) -> io::Result<(mpsc::UnboundedSender<T>, Option<JoinHandle<()>>)> {
        let (jobs, mut todo) = mpsc::unbounded_channel();
        let thread = match self {
            Self::Threads => {
                let thread = std::thread::Builder::new().name(name.to_owned());
                Some(thread.spawn(move || while todo.blocking_recv().is_some_and(&mut work) {})?)
            }
            Self::Tasks(tasks) => {
                let pace = tasks.clone();
                tasks.spawn(Box::pin(async move {
                    while let Some(job) = todo.recv().await {
                        tokio::time::sleep(pace.takes()).await;
                        if !work(job) {
                            return;
                        }
                    }
                }));
                None
            }
        };
        Ok((jobs, thread))
    }
}

fn do_job(journal: &mut impl Journal, job: Job, measures: &Measures) -> Done {
    match job {
        Job::Append { after, records } => {
            let began = Instant::now();
            let outcome = journal.append(after, &records);
            measures.appended(records.len(), began.elapsed(), &outcome);
            Done::Appended { outcome, tail_bytes: journal.tail_bytes() }
        }
        Job::Rotate { after } => Done::SegmentBegun(journal.rotate(after)),
        Job::BeginSegment { after } => Done::SegmentBegun(journal.begin_segment(after)),
        Job::Trim { covered } => Done::Trimmed(journal.trim(covered)),
    }
}

fn write_snapshot(
    snapshots: &mut impl Snapshots,
    seq: Seq,
    frozen: &Frozen,
    measures: &Measures,
) -> io::Result<Seq> {
    let began = Instant::now();
    let outcome = snapshots.write(seq, &frozen.core, frozen.beats.iter().map(|(_, beat)| Ok(beat)));
    measures.snapshot(began.elapsed(), outcome.is_ok());
    outcome
}
