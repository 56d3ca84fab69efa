//! How a daemon is killed: at any moment from its exec on, and on purpose where it is in the middle of something. What
//! it was doing is read from what it had said by then.

use std::os::unix::fs::MetadataExt as _;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{Daemon, Home, LIMIT, wait_until};
use crate::ledger::Ledger;

/// What its log says once the config is in force, and once it listens.
const IN_FORCE: &str = "config in force: ";
const LISTENS: &str = "listening on ";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// After some pings, under load.
    AtWork,
    /// While it starts: reads its state and its config, makes the one true in the other, begins to listen.
    WithinAStart,
    /// While a changed config is read and put into force.
    WithinAReload,
    /// While a snapshot is written, or just after.
    WithinASnapshot,
    /// In good order.
    Stop,
}

impl Death {
    pub(crate) fn of_round(round: usize) -> Self {
        match round % 20 {
            9 | 19 => Self::Stop,
            1 | 4 | 7 | 11 | 14 | 17 => Self::WithinAStart,
            2 | 8 | 13 | 18 => Self::WithinAReload,
            5 => Self::WithinASnapshot,
            _ => Self::AtWork,
        }
    }
}

/// How often it died, and where.
#[derive(Debug, Default)]
pub(crate) struct Deaths {
    kills: usize,
    stops: usize,
    before_the_config: usize,
    before_it_listened: usize,
    within_a_reload: usize,
    within_a_snapshot: usize,
    /// The half snapshot that was found last.
    left: Option<u64>,
    /// How long the last start took that was not cut off.
    starts_in: Duration,
    /// Moments that were drawn.
    drawn: u32,
}

impl Deaths {
    /// A moment within so long: never the same, and in any number of rounds spread over all of it (the fractions of
    /// the multiples of the golden ratio).
    fn moment(&mut self, longest: Duration) -> Duration {
        self.drawn += 1;
        longest.mul_f64((f64::from(self.drawn) * 0.618_033_988_749_895).fract())
    }

    fn start(&mut self, home: &Home) -> Daemon {
        let began = Instant::now();
        let daemon = Daemon::start_in(home);
        self.starts_in = began.elapsed();
        daemon
    }

    /// One life, to its end.
    pub(crate) fn die(&mut self, death: Death, home: &Home, ledger: &Ledger) {
        if death == Death::WithinAStart {
            let moment = self.moment(self.starts_in.mul_f64(1.8));
            let daemon = Daemon::begin_in(home);
            thread::sleep(moment);
            return self.kill(daemon, home);
        }
        let daemon = self.start(home);
        ledger.wait_for_pings(30 + self.kills % 30);
        match death {
            Death::Stop => {
                assert_eq!(daemon.stop(), 0);
                self.stops += 1;
            }
            Death::WithinASnapshot => {
                self.wait_for_a_snapshot(home);
                self.kill(daemon, home);
            }
            Death::AtWork | Death::WithinAStart | Death::WithinAReload => self.kill(daemon, home),
        }
    }

    /// It is told of a changed config, and killed at some moment after.
    pub(crate) fn kill_within_a_reload(&mut self, home: &Home, config: &str, ledger: &Ledger) {
        let daemon = self.start(home);
        ledger.wait_for_pings(5);
        home.configure(config);
        daemon.signal(Signal::HUP);
        // It reads the same text, and has no state to recover: that takes a part of a start.
        let moment = self.moment(self.starts_in / 3);
        thread::sleep(moment);
        let told = self.count_kill(daemon, home);
        self.within_a_reload += usize::from(told.matches(IN_FORCE).count() == 1);
    }

    /// Until one is being written, or has just taken the place of the one before.
    fn wait_for_a_snapshot(&mut self, home: &Home) {
        let (newest, temporary) = (home.state().join("snapshot.json"), home.state().join("snapshot.tmp"));
        let kept = || newest.metadata().map(|kept| kept.ino()).ok();
        let before = kept();
        wait_until(LIMIT, "a snapshot is written", || temporary.exists() || kept() != before);
        let moment = self.moment(Duration::from_millis(10));
        thread::sleep(moment);
    }

    fn kill(&mut self, daemon: Daemon, home: &Home) {
        self.count_kill(daemon, home);
    }

    fn count_kill(&mut self, daemon: Daemon, home: &Home) -> String {
        let told = daemon.kill_9_and_tell().stderr;
        self.kills += 1;
        if !told.contains(IN_FORCE) {
            self.before_the_config += 1;
        } else if !told.contains(LISTENS) {
            self.before_it_listened += 1;
        }
        // A start that dies early leaves what the one before it has left.
        let left = home.state().join("snapshot.tmp").metadata().map(|left| left.ino()).ok();
        self.within_a_snapshot += usize::from(left.is_some() && left != self.left);
        self.left = left;
        told
    }

    pub(crate) fn told(&self) -> String {
        format!(
            "{} kills ({} before a config was in force, {} before it listened, {} before a reload was through, {} with half a \
             snapshot left behind) and {} stops",
            self.kills,
            self.before_the_config,
            self.before_it_listened,
            self.within_a_reload,
            self.within_a_snapshot,
            self.stops
        )
    }

    /// Those that must have been there, on any machine: the first moments of a start come before its config.
    pub(crate) fn check(&self, rounds: usize) {
        assert_eq!(self.kills + self.stops, rounds);
        assert!(rounds < 100 || self.before_the_config > 0, "none was killed while it started: {self:?}");
        let within = self.within_a_reload + self.within_a_snapshot;
        assert!(rounds < 100 || within > 0, "none was killed within a reload or a snapshot: {self:?}");
    }
}
