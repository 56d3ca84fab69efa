//! Two threads for the disk, so that a slow one never stops the loop: one owns the journal and writes one
//! batch while the next gathers, the other writes snapshots. Jobs are done in order; each says how it went.

use std::io;
use std::sync::mpsc as jobs;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::mpsc;

use crate::engine::measures::Measures;
use crate::machine::record::Record;
use crate::machine::state::Frozen;
use crate::model::id::Seq;
use crate::store::{AppendError, Appended, Journal, Snapshots};

/// For the journal's thread.
pub(super) enum Job {
    Append { after: Seq, records: Vec<Record> },
    Rotate { after: Seq },
    BeginSegment { after: Seq },
    Trim { covered: Seq },
}

/// What the threads say.
pub(super) enum Done {
    Appended { outcome: Result<Appended, AppendError>, tail_bytes: u64 },
    SegmentBegun(Result<(), AppendError>),
    Trimmed(io::Result<()>),
    Snapshot { seq: Seq, outcome: io::Result<Seq> },
}

/// The two threads.
pub(super) struct Writer {
    journal: jobs::Sender<Job>,
    snapshots: jobs::Sender<(Seq, Frozen)>,
    threads: Vec<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start<J, S>(
        mut journal: J,
        mut snapshots: S,
        done: &mpsc::UnboundedSender<Done>,
        measures: &Measures,
    ) -> io::Result<Self>
    where
        J: Journal + 'static,
        S: Snapshots + 'static,
    {
        let (journal_jobs, journal_todo) = jobs::channel();
        let (snapshot_jobs, snapshot_todo) = jobs::channel::<(Seq, Frozen)>();
        let (journal_done, journal_measures) = (done.clone(), measures.clone());
        let journal_thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
            for job in journal_todo {
                let said = match job {
                    Job::Append { after, records } => {
                        let began = Instant::now();
                        let outcome = journal.append(after, &records);
                        journal_measures.appended(records.len(), began.elapsed(), &outcome);
                        Done::Appended { outcome, tail_bytes: journal.tail_bytes() }
                    }
                    Job::Rotate { after } => Done::SegmentBegun(journal.rotate(after)),
                    Job::BeginSegment { after } => Done::SegmentBegun(journal.begin_segment(after)),
                    Job::Trim { covered } => Done::Trimmed(journal.trim(covered)),
                };
                if journal_done.send(said).is_err() {
                    return;
                }
            }
        })?;
        let (snapshot_done, snapshot_measures) = (done.clone(), measures.clone());
        let snapshot_thread = std::thread::Builder::new().name("snapshots".to_owned()).spawn(move || {
            for (seq, frozen) in snapshot_todo {
                let beats = frozen.beats.iter().map(|(_, beat)| Ok(beat));
                let began = Instant::now();
                let outcome = snapshots.write(seq, &frozen.core, beats);
                snapshot_measures.snapshot(began.elapsed(), outcome.is_ok());
                if snapshot_done.send(Done::Snapshot { seq, outcome }).is_err() {
                    return;
                }
            }
        })?;
        let threads = vec![journal_thread, snapshot_thread];
        Ok(Self { journal: journal_jobs, snapshots: snapshot_jobs, threads })
    }

    pub(super) fn journal(&self, job: Job) {
        self.journal.send(job).expect("the journal's thread lives as long as its sender");
    }

    pub(super) fn snapshot(&self, seq: Seq, frozen: Frozen) {
        self.snapshots.send((seq, frozen)).expect("the snapshots' thread lives as long as its sender");
    }

    /// Ends both threads once their jobs are done.
    pub(super) fn finish(self) {
        drop((self.journal, self.snapshots));
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread that writes to the state folder died");
            }
        }
    }
}
