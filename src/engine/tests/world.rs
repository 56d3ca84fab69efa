//! An engine in a world that a test commands: its folder, its disk's gate, its clock, its outside.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::engine::clock::{Clock, Reading, VirtualClock};
use crate::engine::handle::{Handle, Refused, Reloaded};
use crate::engine::{Hands, Outside, Pace, Parts, start};
use crate::machine::Machine;
use crate::machine::beat::Beat;
use crate::machine::effect::Tale;
use crate::machine::event::{Reload, Reply};
use crate::machine::record::Record;
use crate::machine::state::{Core, State};
use crate::model::channel::Channel;
use crate::model::delivery::Delivery;
use crate::model::heartbeat::Draft;
use crate::model::id::{Life, Seq, Slug};
use crate::model::ping::{Method, Ping, PingKind, Target};
use crate::model::schedule::{Timing, Zones};
use crate::model::settings::Settings;
use crate::model::time::{Span, Step, Timestamp};
use crate::store::journal::SegmentJournal;
use crate::store::memory::MemoryFolder;
use crate::store::recover::{Found, recover};
use crate::store::snapshot::SnapshotFiles;
use crate::store::{AppendError, Appended, Durability, Journal};

/// How long a condition is waited for, in real time.
const LIMIT: Duration = Duration::from_secs(20);

pub(super) fn secs(secs: i64) -> Span {
    Span::from_secs(secs)
}

pub(super) fn slug(text: &str) -> Slug {
    Slug::new(text).unwrap()
}

/// Holds appends while it is closed.
#[derive(Default)]
pub(super) struct Gate {
    /// Whether it is closed, and how many wait.
    state: Mutex<(bool, usize)>,
    opened: Condvar,
}

impl Gate {
    pub(super) fn close(&self) {
        self.state.lock().unwrap().0 = true;
    }

    pub(super) fn open(&self) {
        self.state.lock().unwrap().0 = false;
        self.opened.notify_all();
    }

    pub(super) fn waiting(&self) -> usize {
        self.state.lock().unwrap().1
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.1 += 1;
        state = self.opened.wait_while(state, |(closed, _)| *closed).unwrap();
        state.1 -= 1;
    }
}

struct GatedJournal {
    inner: SegmentJournal<MemoryFolder>,
    gate: Arc<Gate>,
    written: Arc<Mutex<Vec<Record>>>,
}

impl Journal for GatedJournal {
    fn last(&self) -> Seq {
        self.inner.last()
    }
    fn append(&mut self, after: Seq, records: &[Record]) -> Result<Appended, AppendError> {
        self.gate.pass();
        let appended = self.inner.append(after, records)?;
        self.written.lock().unwrap().extend_from_slice(records);
        Ok(appended)
    }
    fn rotate(&mut self, after: Seq) -> Result<(), AppendError> {
        self.inner.rotate(after)
    }
    fn begin_segment(&mut self, after: Seq) -> Result<(), AppendError> {
        self.inner.begin_segment(after)
    }
    fn trim(&mut self, covered: Seq) -> std::io::Result<()> {
        self.inner.trim(covered)
    }
    fn tail_bytes(&self) -> u64 {
        self.inner.tail_bytes()
    }
}

/// The virtual clock, which counts how often the loop looks at it.
pub(super) struct CountedClock {
    inner: Arc<VirtualClock>,
    looks: AtomicUsize,
}

impl CountedClock {
    pub(super) fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }

    /// Sets it.
    pub(super) fn step(&self, secs: i64) {
        self.inner.step(Step::from_millis(secs * 1_000));
    }
}

impl Clock for CountedClock {
    fn read(&self) -> Reading {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.read()
    }
    fn now(&self) -> Timestamp {
        self.inner.now()
    }
}

struct Counting(Arc<AtomicUsize>);

impl Outside for Counting {
    fn deliver(&self, _: Arc<Delivery>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn tell(&self, _: &Tale) {}
}

/// An answer on its way.
pub(super) struct Pending<T>(tokio::task::JoinHandle<Result<T, Refused>>);

impl<T: 'static> Pending<T> {
    pub(super) fn try_take(&mut self) -> Option<()> {
        self.0.is_finished().then_some(())
    }

    pub(super) async fn take(&mut self) -> Result<T, Refused> {
        (&mut self.0).await.unwrap()
    }
}

pub(super) struct World {
    pub(super) handle: Handle,
    pub(super) folder: MemoryFolder,
    pub(super) gate: Arc<Gate>,
    pub(super) clock: Arc<CountedClock>,
    delivered: Arc<AtomicUsize>,
    written: Arc<Mutex<Vec<Record>>>,
    /// While a blocking task runs, tokio never moves paused time by itself.
    _still: mpsc::Sender<()>,
}

impl World {
    /// Heartbeats of this interval, without grace, heard from the first instant on.
    pub(super) async fn with(slugs: &[&str], interval: Span) -> Self {
        let world = Self::begin(MemoryFolder::new());
        world.reload(slugs, interval).take().await.unwrap();
        world.handle.hearing().await.unwrap();
        world.turns(5).await;
        world
    }

    /// A life on a folder, as the one before it left it.
    pub(super) fn begin(folder: MemoryFolder) -> Self {
        Self::begin_at(folder, Pace::default())
    }

    /// The same at another pace.
    pub(super) fn begin_at(folder: MemoryFolder, pace: Pace) -> Self {
        let (mut core, mut beats, mut records) = (Core::default(), Vec::new(), Vec::new());
        let recovered = recover::<_, Core, Beat>(&folder, |found| match found {
            Found::State(_, state) => core = state,
            Found::Item(beat) => beats.push(beat),
            Found::Record(_, record) => records.push(record),
        })
        .unwrap();
        let mut state = State::restore(core, beats.into_iter());
        for record in &records {
            state.apply(record);
        }
        let (gate, written, delivered) =
            (Arc::<Gate>::default(), Arc::<Mutex<Vec<Record>>>::default(), Arc::<AtomicUsize>::default());
        let inner = SegmentJournal::open(folder.clone(), Durability::Fsync, &recovered).unwrap();
        let first = state.core.alive.unwrap_or(Timestamp::from_millis(1_800_000_000_000));
        let clock = Arc::new(CountedClock { inner: VirtualClock::new(first), looks: AtomicUsize::new(0) });
        let (handle, run) = start(Parts {
            machine: Machine::restore(state, Zones::bundled()),
            seq: recovered.last,
            journal: GatedJournal { inner, gate: gate.clone(), written: written.clone() },
            snapshots: SnapshotFiles::open(folder.clone(), &recovered),
            outside: Counting(delivered.clone()),
            clock: clock.clone(),
            life: Life(Uuid::new_v4()),
            snapshot_interval: secs(300),
            pace,
            hands: Hands::Threads,
        })
        .unwrap();
        tokio::spawn(run);
        let (still, ended) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || ended.recv().ok());
        Self { handle, folder, gate, clock, delivered, written, _still: still }
    }

    pub(super) fn reload(&self, slugs: &[&str], interval: Span) -> Pending<Reloaded> {
        let settings = Settings::default();
        let mut draft = Draft::new(Timing::Interval(interval));
        draft.rest.grace = Some(secs(60));
        let all: BTreeMap<Slug, _> = slugs
            .iter()
            .map(|text| (slug(text), draft.settle(slug(text), &settings.defaults, settings.namespace)))
            .collect();
        let heartbeats = all.into_values().map(Arc::new).collect();
        let reload = Reload { settings, channels: Arc::from([Channel::log()]), heartbeats };
        let handle = self.handle.clone();
        Pending(tokio::spawn(async move { handle.reload(reload, secs(300)).await }))
    }

    /// Sends a ping from a task of its own.
    pub(super) fn send(&self, name: &str, kind: PingKind) -> Pending<Reply> {
        let (handle, ping, frame) = (self.handle.clone(), self.ping(name, kind), self.handle.stamp().frame);
        Pending(tokio::spawn(async move { handle.ping(ping, frame).await }))
    }

    /// Puts a ping into the mailbox before it returns.
    pub(super) fn send_now(&self, name: &str, kind: PingKind) -> Pending<Reply> {
        let (handle, ping, frame) = (self.handle.clone(), self.ping(name, kind), self.handle.stamp().frame);
        let mut future = Box::pin(async move { handle.ping(ping, frame).await });
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(answer) => Pending(tokio::spawn(async move { answer })),
            std::task::Poll::Pending => Pending(tokio::spawn(future)),
        }
    }

    fn ping(&self, name: &str, kind: PingKind) -> Ping {
        let (target, at) = (Target::Slug(slug(name)), self.handle.now());
        Ping { target, at, kind, rid: None, method: Method::Get, from: None, body: None }
    }

    pub(super) async fn status(&self, name: &str) -> &'static str {
        let name = name.to_owned();
        self.handle
            .ask(move |view| view.heartbeat(&name).map(|shown| shown.status.word()))
            .await
            .unwrap()
            .unwrap()
    }

    /// How long it is until a heartbeat's due.
    pub(super) async fn due_in(&self, name: &str) -> Span {
        let (name, now) = (name.to_owned(), self.handle.now());
        let due = self.handle.ask(move |view| view.heartbeat(&name).and_then(|shown| shown.next_due_at));
        due.await.unwrap().unwrap().since(now)
    }

    pub(super) fn delivered(&self) -> usize {
        self.delivered.load(Ordering::SeqCst)
    }

    /// How many records of a kind are on the disk.
    pub(super) fn count(&self, wanted: impl Fn(&Record) -> bool) -> usize {
        self.written.lock().unwrap().iter().filter(|record| wanted(record)).count()
    }

    /// Lets the loop turn so often, whole.
    pub(super) async fn turns(&self, n: usize) {
        for _ in 0..n {
            self.handle.ask(|_| ()).await.unwrap();
        }
    }

    /// Moves time at one go.
    pub(super) async fn jump(&self, by: Duration) {
        tokio::time::advance(by).await;
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
    }

    /// Lets seconds pass with the loop turning in each, as in a healthy process.
    pub(super) async fn pass(&self, seconds: usize) {
        for _ in 0..seconds {
            self.jump(Duration::from_secs(1)).await;
            self.turns(2).await;
        }
    }

    /// Waits in real time for what the disk's threads do; the loop turns, its time stands still.
    pub(super) async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let began = Instant::now();
        while !condition() {
            assert!(began.elapsed() < LIMIT, "waited in vain until {what}");
            self.breathe().await;
        }
    }

    /// Gives the disk's threads real time.
    pub(super) async fn breathe(&self) {
        let (tick, ticked) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            std::thread::sleep(Duration::from_millis(1));
            tick.send(()).ok();
        });
        ticked.await.ok();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.gate.open();
    }
}
