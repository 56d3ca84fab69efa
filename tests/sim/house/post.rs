//! The channels and whoever stands at their ends: good, slow, dead, hanging, flapping, lying, refusing or busy, for a
//! while each. Carries each delivery there once, as the courier does, in virtual time.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use overdue::engine::Outside;
use overdue::engine::clock::Clock as _;
use overdue::engine::handle::Handle;
use overdue::machine::effect::Tale;
use overdue::model::channel::ChannelName;
use overdue::model::delivery::{Attempt, Delivery, Verdict};
use overdue::model::time::Span;

use crate::chance::Chance;
use crate::house::clock::HouseClock;
use crate::house::duty::{HOUR, MINUTE};
use crate::house::process::Process;
use crate::house::witness::Told;
use crate::rules::Ms;

/// How long an attempt may take.
const TIMEOUT_MS: u64 = 10_000;
pub(crate) const CHANNELS: [&str; 2] = ["pager", "chat"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Good,
    Slow,
    Dead,
    Hangs,
    Flaps,
    /// It takes the alert and answers after the time-out.
    Lies,
    Refuses,
    Busy,
}

impl Mood {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "attempts at good receivers",
            Self::Slow => "attempts at slow receivers",
            Self::Dead => "attempts at dead receivers",
            Self::Hangs => "attempts at hanging receivers",
            Self::Flaps => "attempts at flapping receivers",
            Self::Lies => "attempts at lying receivers",
            Self::Refuses => "attempts at receivers that are gone",
            Self::Busy => "attempts at busy receivers",
        }
    }
}

/// Who stands at the ends of the channels. They live on when the daemon dies.
#[derive(Debug)]
pub(crate) struct Receivers {
    chance: Chance,
    moods: [(Mood, Ms); CHANNELS.len()],
    good_for_ever: bool,
}

impl Receivers {
    pub(crate) fn new(chance: Chance) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { chance, moods: [(Mood::Good, 0); CHANNELS.len()], good_for_ever: false }))
    }

    pub(crate) fn be_good(&mut self) {
        self.good_for_ever = true;
    }

    fn mood(&mut self, channel: &str, now: Ms) -> Mood {
        let place = CHANNELS.iter().position(|name| *name == channel);
        let Some(place) = place.filter(|_| !self.good_for_ever) else { return Mood::Good };
        if self.moods[place].1 <= now {
            let mood = match self.chance.below(20) {
                0..=10 => Mood::Good,
                11 | 12 => Mood::Slow,
                13 | 14 => Mood::Dead,
                15 => Mood::Hangs,
                16 => Mood::Flaps,
                17 => Mood::Lies,
                18 => Mood::Busy,
                _ => Mood::Refuses,
            };
            let lasts = if self.chance.one_in(30) { 30 * HOUR } else { HOUR };
            let lasts = MINUTE + Ms::from(self.chance.below(lasts as u32));
            self.moods[place] = (mood, now + lasts);
        }
        self.moods[place].0
    }

    /// How an attempt at a receiver in this mood goes: how long it takes, whether the alert arrives, what the sender sees.
    fn receive(&mut self, mood: Mood) -> (u64, bool, Verdict) {
        let good = Verdict::Delivered { status: Some(200) };
        let failed = |status: Option<u16>, error: &str, wait: Option<Ms>| Verdict::Failed {
            status,
            error: error.to_owned(),
            retry_after: wait.map(Span::from_millis),
        };
        let quick = 5 + u64::from(self.chance.below(400));
        match mood {
            Mood::Good => (quick, true, good),
            Mood::Slow => (quick * 20, true, good),
            Mood::Flaps if self.chance.one_in(2) => (quick, true, good),
            Mood::Flaps => (quick, self.chance.one_in(2), failed(Some(502), "bad gateway", None)),
            Mood::Dead => (quick, false, failed(None, "connection refused", None)),
            Mood::Hangs => (TIMEOUT_MS, false, failed(None, "timed out", None)),
            Mood::Lies => (TIMEOUT_MS, true, failed(None, "timed out", None)),
            Mood::Refuses => (quick, false, Verdict::Refused { status: Some(410), error: "gone".to_owned() }),
            Mood::Busy => {
                let wait = Ms::from(self.chance.below(2 * HOUR as u32));
                (quick, false, failed(Some(429), "too many requests", Some(wait)))
            }
        }
    }
}

/// What a process sends its deliveries with.
#[derive(Clone)]
pub(crate) struct Post {
    pub(crate) process: Process,
    pub(crate) told: Told,
    pub(crate) clock: Arc<HouseClock>,
    pub(crate) receivers: Arc<Mutex<Receivers>>,
    pub(crate) channels: Arc<Mutex<Vec<&'static str>>>,
    pub(crate) engine: Arc<OnceLock<Handle>>,
}

impl Post {
    async fn carry(self, delivery: Arc<Delivery>) {
        let (at, now) = (self.clock.now(), self.clock.real());
        let is_there = delivery.channel.as_str() == ChannelName::LOG
            || self
                .channels
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .any(|name| *name == delivery.channel.as_str());
        let (takes, arrives, verdict) = if is_there {
            let mut receivers = self.receivers.lock().unwrap_or_else(PoisonError::into_inner);
            let mood = receivers.mood(delivery.channel.as_str(), now);
            self.told.saw(mood.word());
            receivers.receive(mood)
        } else {
            let error = "the channel is no longer in the config".to_owned();
            (0, false, Verdict::Refused { status: None, error })
        };
        // The receiver has it some time before the sender knows.
        tokio::time::sleep(Duration::from_millis(takes / 2)).await;
        if arrives {
            let mut told = self.told.lock();
            let first = told.mail.arrives(&delivery);
            told.note(&[delivery.number, self.clock.real() as u64]);
            told.seen.saw(if first { "alerts received" } else { "alerts received again" });
        }
        tokio::time::sleep(Duration::from_millis(takes - takes / 2)).await;
        self.told.lock().mail.comes_back(&delivery, &verdict);
        let attempt = Attempt { at, took: Span::from_millis(takes as Ms), verdict };
        if let Some(engine) = self.engine.get() {
            engine.attempted(delivery.number, attempt);
        }
    }
}

impl Outside for Post {
    fn deliver(&self, delivery: Arc<Delivery>) {
        let well = self.engine.get().is_some_and(|engine| engine.journal().borrow().error.is_none());
        {
            let mut told = self.told.lock();
            let told = &mut *told;
            let known = well.then_some((told.shadow.state(), told.shadow.sure));
            let job = told.named(delivery.slug.as_ref());
            told.mail.leaves(&delivery, job, known);
        }
        self.process.spawn(self.clone().carry(delivery));
    }

    fn tell(&self, tale: &Tale) {
        if matches!(tale, Tale::GaveUp { .. }) {
            self.told.saw("alerts given up");
        }
    }
}
