//! The turns of the loop. Each hears the disk, then settles what was under way, then takes every letter
//! that lies there, and only then lets time pass: a deadline fires only when no ping that was heard before
//! it still waits.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant};

use crate::engine::Outside;
use crate::engine::Pace;
use crate::engine::clock::{Clock, Seen, Stamp, Watch};
use crate::engine::feed::Feed;
use crate::engine::handle::{Answer, Letter, Reloaded};
use crate::engine::ledger::{Ledger, LetOut};
use crate::engine::measures::Measures;
use crate::engine::writer::Done;
use crate::machine::effect::{Effect, Tale};
use crate::machine::event::{Event, Reply};
use crate::machine::{Machine, Transition};
use crate::model::time::Timestamp;

/// How long the end waits for the disk.
const END_WITHIN: Duration = Duration::from_secs(15);

pub(super) struct Engine<O> {
    machine: Machine,
    /// Empty between two decisions, of which it has the room.
    decided: Transition,
    ledger: Ledger,
    feed: Feed,
    outside: O,
    clock: Arc<dyn Clock>,
    watch: Watch,
    measures: Measures,
    pace: Pace,
    /// When it turns again at the latest, if it can.
    wished: Instant,
    /// When this turn began.
    turned: Instant,
    letters: mpsc::Receiver<Letter>,
    settlements: mpsc::UnboundedReceiver<Event>,
    done: mpsc::UnboundedReceiver<Done>,
    /// Who waits for the reload that is being worked off.
    reloads: Vec<Answer<Reloaded>>,
    /// Who waits for reloads that are worked off and on their way to the disk, in order.
    reloaded: VecDeque<Vec<Answer<Reloaded>>>,
    stopping: Option<oneshot::Sender<()>>,
}

/// What the loop is made of.
pub(super) struct Works<O> {
    pub(super) machine: Machine,
    pub(super) ledger: Ledger,
    pub(super) feed: Feed,
    pub(super) outside: O,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) watch: Watch,
    pub(super) measures: Measures,
    pub(super) pace: Pace,
    pub(super) letters: mpsc::Receiver<Letter>,
    pub(super) settlements: mpsc::UnboundedReceiver<Event>,
    pub(super) done: mpsc::UnboundedReceiver<Done>,
}

/// What ended a sleep.
enum Woken {
    Disk(Done),
    Settled(Event),
    Letter(Letter),
    ByTime,
}

impl<O: Outside> Engine<O> {
    pub(super) fn new(works: Works<O>) -> Self {
        let Works {
            machine,
            ledger,
            feed,
            outside,
            clock,
            watch,
            measures,
            pace,
            letters,
            settlements,
            done,
        } = works;
        let (reloads, reloaded, stopping) = (Vec::new(), VecDeque::new(), None);
        Self {
            machine,
            decided: Transition::default(),
            ledger,
            feed,
            outside,
            clock,
            watch,
            measures,
            pace,
            wished: Instant::now(),
            turned: Instant::now(),
            letters,
            settlements,
            done,
            reloads,
            reloaded,
            stopping,
        }
    }

    /// Says the first word of this life.
    pub(super) fn begin(&mut self, began: Event, now: Timestamp) {
        self.handle(began, now, None);
    }

    pub(super) async fn run(mut self) {
        self.wished = Instant::now() + self.pace.look_every;
        // Kept from turn to turn: the runtime's timers then always know an early instant. With none, each timer that
        // a connection sets would wake the driver anew, by a call to the kernel.
        let mut alarm = pin!(tokio::time::sleep_until(self.wished));
        while self.stopping.is_none() {
            self.wished = self.wished.min(Instant::now() + self.wait());
            if alarm.deadline() != self.wished {
                alarm.as_mut().reset(self.wished);
            }
            let mut woken = Woken::ByTime;
            if self.wished > Instant::now() && self.letters.is_empty() {
                woken = tokio::select! {
                    biased;
                    Some(done) = self.done.recv() => Woken::Disk(done),
                    Some(event) = self.settlements.recv() => Woken::Settled(event),
                    letter = self.letters.recv() => match letter {
                        Some(letter) => Woken::Letter(letter),
                        None => break,
                    },
                    () = alarm.as_mut() => Woken::ByTime,
                };
            }
            // Requests that have arrived meanwhile are read before time passes.
            tokio::task::yield_now().await;
            self.note_lag();
            self.turn(woken);
        }
        self.end().await;
    }

    fn wait(&self) -> Duration {
        let now = self.clock.now();
        let due = self.machine.next_wakeup().map(|at| at.since(now).to_std());
        let disk = self.ledger.next_look().map(|at| at.duration_since(Instant::now()));
        [due, disk].into_iter().flatten().fold(self.pace.look_every, Duration::min)
    }

    /// Letters may wake it before the time that it wished; then that wish stands, so that a loop which is never idle
    /// is measured too. Its next one is counted from here: a turn that takes long makes the next one late.
    fn note_lag(&mut self) {
        let now = Instant::now();
        self.turned = now;
        if now >= self.wished {
            self.measures.lagged(now - self.wished);
            self.wished = now + self.pace.look_every;
        }
    }

    /// First of all the clocks: whatever is taken after a stall must already know of the blind window.
    fn turn(&mut self, woken: Woken) {
        let now = self.look();
        match woken {
            Woken::Disk(done) => self.hear_disk(done),
            Woken::Settled(event) => self.handle(event, now, None),
            Woken::Letter(letter) => self.take(letter, now),
            Woken::ByTime => {}
        }
        while let Ok(done) = self.done.try_recv() {
            self.hear_disk(done);
        }
        while let Ok(event) = self.settlements.try_recv() {
            self.handle(event, now, None);
        }
        while let Ok(letter) = self.letters.try_recv() {
            self.take(letter, now);
        }
        if self.machine.next_wakeup().is_some_and(|at| at <= now) {
            self.handle(Event::Tick, now, None);
        }
        if self.ledger.gathered_at().elapsed() >= self.pace.mark_every {
            self.handle(Event::Alive, now, None);
        }
        for out in self.ledger.look_after(self.machine.state()) {
            self.let_out(out);
        }
        if let Some(out) = self.ledger.flush() {
            self.let_out(out);
        }
    }

    fn look(&mut self) -> Timestamp {
        let reading = self.clock.read();
        let Seen { blind, step } = self.watch.look(reading);
        if let Some(window) = blind {
            tracing::warn!(from = %window.from, to = %window.to, why = ?window.why,
                "pings could not be heard for a while; deadlines in that time are moved");
            self.handle(Event::Blind(window), reading.wall - step, None);
        }
        if !step.is_zero() {
            tracing::warn!(by_ms = step.as_millis(), now = %reading.wall,
                "the wall clock was set; intervals and runs keep their distance, calendars their place");
            self.handle(Event::Stepped(step), reading.wall, None);
        }
        reading.wall
    }

    fn take(&mut self, letter: Letter, now: Timestamp) {
        match letter {
            Letter::Event(event, answer) => self.handle(event, now, Some(answer)),
            Letter::Ping(mut ping, frame, answer) => {
                ping.at = self.watch.at(Stamp { at: ping.at, frame });
                self.handle(Event::Ping(ping), now, Some(answer));
            }
            Letter::Heard { ticket, target, stamp, gone } => {
                if !gone.load(Ordering::SeqCst) {
                    let at = self.watch.at(stamp);
                    self.handle(Event::Heard { ticket, target, at }, now, None);
                }
            }
            Letter::Ask(question, answer) => {
                // An error means that the client has gone.
                answer.send(question(self.machine.view(now))).ok();
            }
            Letter::Follow(after, answer) => {
                // An error means that the client has gone.
                answer.send(self.feed.follow(after)).ok();
            }
            Letter::Reload(reload, snapshot_interval, answer) => {
                self.ledger.set_snapshot_interval(snapshot_interval);
                self.reloads.push(answer);
                self.handle(Event::Reloaded(reload), now, None);
            }
            Letter::Stop(done) => {
                self.handle(Event::Stopping, now, None);
                self.stopping = Some(done);
            }
        }
    }

    fn handle(&mut self, event: Event, now: Timestamp, answer: Option<Answer<Reply>>) {
        // Taken out for the time, and put back for its room.
        let mut decided = std::mem::take(&mut self.decided);
        self.machine.decide(event, now, &mut decided);
        if decided.effects.iter().any(|effect| matches!(effect, Effect::Tell(Tale::Reloaded { .. }))) {
            self.reloaded.push_back(std::mem::take(&mut self.reloads));
        }
        self.measures.count(&decided.records, self.machine.state());
        let out = self.ledger.gather(&mut decided, self.machine.state(), answer, self.turned);
        self.decided = decided;
        if let Some(out) = out {
            self.let_out(out);
        }
    }

    fn hear_disk(&mut self, done: Done) {
        if let Some(out) = self.ledger.done(done) {
            self.let_out(out);
        }
    }

    fn let_out(&mut self, out: LetOut) {
        let durable = out.durable;
        let (news, effects) = out.answer();
        for news in news {
            self.feed.tell(news, durable);
        }
        for effect in effects {
            match effect {
                Effect::Deliver(delivery) => self.outside.deliver(delivery),
                Effect::Tell(tale) => {
                    self.outside.tell(&tale);
                    if let Tale::Reloaded { added, changed, removed } = tale {
                        for answer in self.reloaded.pop_front().unwrap_or_default() {
                            // An error means that nobody waits any more.
                            answer.send(Ok(Reloaded { added, changed, removed })).ok();
                        }
                    }
                }
            }
        }
    }

    /// The last records, a snapshot, and the end of the threads. A disk that fails gets one more try.
    async fn end(mut self) {
        let until = Instant::now() + END_WITHIN;
        self.ledger.heal_now();
        let mut snapshot_begun = false;
        loop {
            for out in self.ledger.look_after(self.machine.state()) {
                self.let_out(out);
            }
            if self.ledger.is_writable() && !snapshot_begun {
                snapshot_begun = true;
                self.ledger.snapshot(self.machine.state());
            } else if let Some(out) = self.ledger.flush() {
                self.let_out(out);
            }
            if self.ledger.is_quiet() {
                break;
            }
            match tokio::time::timeout_at(until, self.done.recv()).await {
                Ok(Some(done)) => self.hear_disk(done),
                Ok(None) | Err(_) => break,
            }
        }
        self.ledger.finish();
        if let Some(done) = self.stopping {
            // An error means that nobody waits any more.
            done.send(()).ok();
        }
    }
}
