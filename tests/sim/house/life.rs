//! A life of the daemon in a house: how it recovers, begins, hears, and dies or stops; and what an operator does
//! when it refuses to start.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use overdue::engine::clock::Clock as _;
use overdue::engine::handle::{Handle, Refused};
use overdue::engine::{Hands, Pace, Parts, start};
use overdue::machine::Machine;
use overdue::machine::beat::Beat;
use overdue::machine::state::{Core, State};
use overdue::model::id::Life;
use overdue::model::schedule::Zones;
use overdue::model::time::Span;
use overdue::store::Durability;
use overdue::store::folder::Folder as _;
use overdue::store::journal::SegmentJournal;
use overdue::store::recover::{Found, RecoverError, Recovered, Warning, recover};
use overdue::store::snapshot::{NEWEST, PREVIOUS, SnapshotFiles};
use uuid::Uuid;

use crate::chance::Chance;
use crate::house::disk::{Disk, OPERATIONS, ShownJournal, ShownSnapshots};
use crate::house::duty::{DAY, HOUR, MINUTE, SECOND};
use crate::house::post::Post;
use crate::house::process::Process;
use crate::house::{House, JOBS};
use crate::rules::Ms;

/// How a life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Before this poll of one of its tasks.
    AtPoll(u64),
    /// At this instant.
    At(Ms),
    /// Within this job of the disk.
    InJob(u64),
    /// In good order, at this instant.
    Stop(Ms),
    /// Never.
    Never,
}

/// A daemon that lives.
pub(crate) struct Living {
    pub(crate) process: Process,
    pub(crate) handle: Handle,
    pub(crate) disk: Arc<Disk>,
    pub(crate) look_every: Ms,
    /// How far apart its marks on the disk are at the most.
    pub(crate) marks_within: Ms,
    pub(crate) end: End,
    pub(crate) hears: bool,
}

/// What a start found.
struct Ground {
    state: State,
    recovered: Recovered,
    journal: SegmentJournal<overdue::store::memory::MemoryFolder>,
}

impl House {
    pub(crate) fn draw_end(&mut self) -> End {
        let now = self.real();
        match self.chance.below(12) {
            0..=3 => {
                let size = 6 + self.chance.below(9);
                End::AtPoll(1 + u64::from(self.chance.below(1 << size)))
            }
            4..=6 => End::At(now + Ms::from(self.chance.below(20 * DAY as u32))),
            7..=9 => {
                let size = 3 + self.chance.below(8);
                End::InJob(1 + u64::from(self.chance.below(1 << size)))
            }
            _ => End::Stop(now + Ms::from(self.chance.below(16 * DAY as u32))),
        }
    }

    /// It starts, reads its config and hears, unless it dies before.
    pub(crate) async fn begin(&mut self, end: End) -> Living {
        let Ground { state, recovered, journal } = self.recover().await;
        self.lives += 1;
        let process = Process::new(if let End::AtPoll(polls) = end { polls } else { u64::MAX });
        let job = if let End::InJob(job) = end { job } else { 0 };
        let (told, clock) = (self.told.clone(), self.clock.clone());
        let chance = Chance(self.chance.draw());
        let disk = Disk::new(self.folder.clone(), told, clock, process.clone(), chance, job);
        let pace = self.pace();
        let engine = Arc::new(OnceLock::new());
        let post = Post {
            process: process.clone(),
            told: self.told.clone(),
            clock: self.clock.clone(),
            receivers: self.receivers.clone(),
            channels: self.channels_in_force.clone(),
            engine: engine.clone(),
        };
        let snapshots = SnapshotFiles::open(self.folder.clone(), &recovered);
        let (handle, run) = start(Parts {
            machine: Machine::restore(state, Zones::bundled()),
            seq: recovered.last,
            journal: ShownJournal { inner: journal, disk: disk.clone() },
            snapshots: ShownSnapshots { inner: snapshots, disk: disk.clone() },
            outside: post,
            clock: self.clock.clone(),
            // Low bits as chance may draw them.
            life: Life(Uuid::from_u128(u128::from(self.lives) << 64 | 0xA5A5)),
            snapshot_interval: self.snapshot_interval,
            pace,
            hands: Hands::Tasks(disk.clone()),
        })
        .expect("tasks can always be started");
        assert!(engine.set(handle.clone()).is_ok(), "it is set once");
        process.spawn(run);
        let look_every = pace.look_every.as_millis() as Ms;
        let marks_within = look_every + pace.mark_every.as_millis() as Ms;
        let mut living = Living { process, handle, disk, look_every, marks_within, end, hears: false };
        self.declare();
        let reload = living.handle.reload(self.config.reload(), self.snapshot_interval);
        let Some(reloaded) = living.process.while_alive(reload).await else { return living };
        reloaded.expect("a reload is never refused");
        self.is_in_force();
        self.names_hold(&living).await;
        // What it hears from now on at the latest, it hears.
        self.hears();
        match living.process.while_alive(living.handle.hearing()).await {
            None => return living,
            // Now the journal knows in which start of the machine it lives; not before.
            Some(Ok(_)) => self.rebooted = self.lies,
            Some(Err(Refused::NotDurable)) => {}
            Some(Err(error)) => panic!("it does not hear: {error}"),
        }
        living.hears = true;
        // It may have started on a full disk.
        if living.handle.journal().borrow().error.is_none() {
            self.told.lock().silences.is_well(self.clock.real());
        }
        living
    }

    fn pace(&mut self) -> Pace {
        if self.real_pace_left > 0 && self.chance.one_in(3) {
            self.real_pace_left -= 1;
            self.told.saw("lives at the real pace");
            return Pace::default();
        }
        let (look_every, mark_every) = (Duration::from_secs(3 * 3_600), Duration::from_secs(6 * 3_600));
        Pace { look_every, mark_every }
    }

    /// The process is gone; now and then the machine too.
    pub(crate) async fn bury(&mut self, living: Living) {
        let Living { process, handle, hears, marks_within, .. } = living;
        if !hears {
            self.told.saw("deaths before it heard");
        }
        process.end().await;
        let fails = handle.journal().borrow().error.is_some();
        drop(handle);
        self.is_deaf();
        let now = self.real();
        let mut told = self.told.lock();
        told.silences.is_unwell(now);
        let heard_until = told.silences.life_ends().map(|well_at| well_at - marks_within);
        told.heard_until = heard_until.or(told.heard_until);
        let (on_its_way, under_way) = (told.pings.iter().any(|sent| sent.on_its_way), told.mail.under_way());
        if on_its_way {
            told.seen.saw("deaths with a ping on its way");
        }
        if under_way > 0 {
            told.seen.saw("deaths with an alert under way");
        }
        if fails {
            told.seen.saw("deaths while the disk fails");
        }
        for sent in &mut told.pings {
            sent.on_its_way = false;
        }
        drop(told);
        self.lose_power_or_process();
    }

    fn lose_power_or_process(&mut self) {
        self.lose_one_of_them();
        self.spoil_snapshot();
    }

    /// Now and then the newest snapshot is damaged, too: the one before it and the journal must tell the same.
    fn spoil_snapshot(&mut self) {
        if self.ever_lied || !self.chance.one_in(4) {
            return;
        }
        let (newest, previous) = (self.folder.bytes(NEWEST), self.folder.bytes(PREVIOUS));
        let (Some(newest), Some(previous)) = (newest, previous) else { return };
        // What the journal was never given stands in the newest one alone.
        if seq_of(&previous) < self.told.lock().shadow.gap {
            return;
        }
        self.told.saw("newest snapshots damaged");
        self.folder.put(NEWEST, &newest[..newest.len() / 2]);
        self.folder.sync().expect("nothing stands in its way");
    }

    fn lose_one_of_them(&mut self) {
        let seed = self.chance.draw();
        if self.chance.one_in(4) {
            self.told.saw("kills");
            self.folder.kill();
            return;
        }
        self.told.saw("power cuts");
        if self.lied {
            self.told.saw("power cuts after a lie");
        }
        self.folder.crash(seed);
        // After a lie the journal may have forgotten the last start of the machine.
        self.rebooted |= self.lied;
        (self.doubt, self.lied) = (self.doubt || self.lied, self.lies);
        if self.chance.one_in(8) {
            self.told.saw("reboots");
            // What it had not looked at, or not written yet, nobody can know any more.
            let since = self.real() - 3 * HOUR;
            for step in self.told.lock().steps.iter_mut().filter(|step| step.real >= since) {
                step.known = false;
            }
            self.clock.reboot();
            self.rebooted = true;
        }
    }

    /// Time passes without a daemon; perhaps somebody sets the clock meanwhile.
    pub(crate) async fn be_away(&mut self) {
        let longest = [2 * SECOND, 2 * SECOND, 10 * MINUTE, 10 * MINUTE, 3 * HOUR, 40 * HOUR];
        let longest = longest[self.chance.below(longest.len() as u32) as usize];
        tokio::time::sleep(Duration::from_millis(1 + u64::from(self.chance.below(longest as u32)))).await;
        if self.chance.one_in(6) {
            self.told.saw("steps unseen");
            let by = self.draw_step();
            self.step(by, !self.rebooted);
        }
    }

    /// Finds what is there, as a daemon does it. It may die while it does; then it tries again.
    async fn recover(&mut self) -> Ground {
        loop {
            let (state, recovered) = self.read().await;
            let now = self.real();
            self.told.lock().found(recovered.last.0, &state, self.doubt, now);
            self.doubt = false;
            if self.chance.one_in(10) {
                let operation = OPERATIONS[self.chance.below(5) as usize];
                self.folder.fail_later(operation, self.chance.below(2), 1);
            }
            match SegmentJournal::open(self.folder.clone(), Durability::Fsync, &recovered) {
                Ok(journal) => {
                    self.be_well();
                    self.told.lock().shadow.sure = recovered.last.0;
                    return Ground { state, recovered, journal };
                }
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                    self.told.saw("starts on a full disk");
                    let journal = SegmentJournal::closed(self.folder.clone(), Durability::Fsync, &recovered);
                    return Ground { state, recovered, journal };
                }
                Err(_) => {
                    self.told.saw("deaths within a recovery");
                    self.lose_power_or_process();
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    fn be_well(&self) {
        for operation in OPERATIONS {
            self.folder.fail(operation, 0);
        }
    }

    async fn read(&mut self) -> (State, Recovered) {
        loop {
            let (mut core, mut beats, mut records) = (Core::default(), Vec::new(), Vec::new());
            let recovered = recover::<_, Core, Beat>(&self.folder, |found| match found {
                Found::State(_, state) => core = state,
                Found::Item(beat) => beats.push(beat),
                Found::Record(_, record) => records.push(record),
            });
            let recovered = match recovered {
                Ok(recovered) => recovered,
                Err(error) => {
                    assert!(self.doubt, "it refuses to start without a cause: {error}");
                    self.told.saw("refused starts after a lie");
                    self.do_as_told(&error);
                    tokio::time::sleep(Duration::from_secs(60)).await;
                    continue;
                }
            };
            if recovered.kept.newest.or(recovered.kept.previous).is_some() {
                let with = !records.is_empty();
                self.told.saw(if with {
                    "starts from a snapshot and records"
                } else {
                    "starts from a snapshot alone"
                });
            }
            if recovered.warnings.iter().any(|warning| matches!(warning, Warning::Cut { .. })) {
                self.told.saw("torn batches cut");
            }
            let mut state = State::restore(core, beats.into_iter());
            for record in &records {
                state.apply(record);
            }
            return (state, recovered);
        }
    }

    /// An operator reads why it does not start, and gives up what the message says. What is given up stays away: a
    /// file that came back would be taken for the successor of what has been written since.
    fn do_as_told(&self, error: &RecoverError) {
        let folder = &self.folder;
        folder.lie(false);
        let newer = |than: &str, too: bool| {
            let names = folder.names().expect("it can be listed");
            let newer = names.into_iter().filter(|name| name.starts_with("journal-"));
            for name in newer.filter(|name| name.as_str() > than || too && name == than) {
                folder.remove(&name).expect("it is there");
            }
        };
        match error {
            RecoverError::Corrupt { file, line, .. } => {
                let bytes = folder.bytes(file).expect("it is there");
                let before = *line as usize - 1;
                let kept: usize =
                    bytes.split_inclusive(|byte| *byte == b'\n').take(before).map(<[u8]>::len).sum();
                folder.put(file, &bytes[..kept]);
                newer(file, false);
            }
            RecoverError::Missing { file, .. } => newer(file, true),
            RecoverError::NoSnapshot { .. } => {
                for name in folder.names().expect("it can be listed") {
                    folder.remove(&name).expect("it is there");
                }
            }
            RecoverError::Newer { .. } | RecoverError::Unreadable { .. } | RecoverError::Io { .. } => {
                panic!("no lie of a disk leads to this: {error}")
            }
        }
        folder.sync().expect("nothing stands in its way");
        folder.lie(self.lies);
    }

    /// It ends as a signal ends it: alerts under way may end, then the engine does.
    pub(crate) async fn stop(&mut self, living: &Living) {
        let until = self.real() + 5 * SECOND;
        while self.real() < until && self.told.lock().mail.under_way() > 0 {
            if living.process.while_alive(tokio::time::sleep(Duration::from_millis(100))).await.is_none() {
                return;
            }
        }
        if living.process.while_alive(living.handle.stop()).await.is_some() {
            self.told.saw("stops");
        }
    }

    /// Nothing can be heard from now on.
    pub(crate) fn is_deaf(&mut self) {
        let now = self.real();
        self.deaf_since.get_or_insert(now);
    }

    fn hears(&mut self) {
        let now = self.real();
        if let Some(from) = self.deaf_since.take() {
            self.told.lock().deaf.push((from, now));
        }
    }

    pub(crate) fn real(&self) -> Ms {
        self.clock.real()
    }

    pub(crate) fn step(&mut self, by: Ms, known: bool) {
        let real = self.real();
        self.clock.step(by);
        self.told.lock().steps.push(crate::house::witness::Set { real, by, known });
        self.told.lock().note(&[by as u64, self.clock.now().as_millis() as u64]);
    }

    pub(crate) fn draw_step(&mut self) -> Ms {
        let longest = [3 * SECOND, 10 * MINUTE, 3 * HOUR, 60 * HOUR][self.chance.below(4) as usize];
        let by = SECOND + Ms::from(self.chance.below(longest as u32));
        if self.chance.one_in(2) { by } else { -by }
    }

    /// The witness is told what the config in force declares.
    pub(crate) fn declare(&mut self) {
        let now = self.real();
        let mut told = self.told.lock();
        for (job, duty) in self.config.duties.iter().enumerate() {
            if told.declared[job].last().map(|(_, last)| *last) != Some(*duty) {
                told.declared[job].push((now, *duty));
                told.kept.remove(&job);
                told.silences.changes(job);
            }
        }
        told.names.clone_from(&self.config.names);
        told.in_force = None;
        told.channels.push((now, self.config.channels.clone()));
        drop(told);
        let mut channels = self.channels_in_force.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        channels.clone_from(&self.config.channels);
    }

    /// What was declared is in force.
    pub(crate) fn is_in_force(&mut self) {
        let now = self.real();
        let mut told = self.told.lock();
        told.silences.changed(0..JOBS, now);
        told.in_force = Some(self.config.channels.clone());
    }

    pub(crate) fn span(ms: Ms) -> Span {
        Span::from_millis(ms)
    }
}

/// The last record that a snapshot holds.
fn seq_of(snapshot: &[u8]) -> u64 {
    let head = String::from_utf8_lossy(&snapshot[..snapshot.len().min(64)]);
    let seq = head.split_once("\"seq\":").map(|(_, rest)| rest.split(',').next().unwrap_or_default());
    seq.and_then(|seq| seq.parse().ok()).expect("it begins with its number")
}
