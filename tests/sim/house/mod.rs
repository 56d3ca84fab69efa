//! The whole house but its sockets, in virtual time, from one seed: engine, machine and store on a disk that
//! forgets, fails, fills, hangs and lies; deliveries to receivers of every kind; clients who ping, edit the config
//! and press every button; deaths between any two polls. A month of it at a time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use overdue::model::id::Seq;
use overdue::model::time::Span;
use overdue::store::memory::MemoryFolder;

use crate::chance::Chance;
use crate::house::clock::HouseClock;
use crate::house::duty::{Config, DAY, Duty, Every, HOUR, MINUTE};
use crate::house::post::{CHANNELS, Receivers};
use crate::house::witness::Told;
use crate::rules::Ms;
use crate::world::slug_of;

mod acts;
mod audit;
mod clock;
mod crowds;
mod disk;
mod duty;
mod life;
mod made;
mod mail;
mod marks;
mod month;
mod months;
mod pings;
mod post;
mod process;
mod reminders;
mod renames;
mod seen;
mod shadow;
mod silence;
mod witness;

/// Jobs of a house that the config declares; one more is made by the API.
const JOBS: usize = 3;

pub(crate) struct House {
    pub(crate) chance: Chance,
    pub(crate) clock: Arc<HouseClock>,
    pub(crate) folder: MemoryFolder,
    pub(crate) told: Told,
    pub(crate) receivers: Arc<Mutex<Receivers>>,
    pub(crate) config: Config,
    /// The channels that the courier knows.
    pub(crate) channels_in_force: Arc<Mutex<Vec<&'static str>>>,
    pub(crate) snapshot_interval: Span,
    /// Real time at which each job speaks next, and what it says.
    pub(crate) plans: Vec<pings::Plan>,
    /// Jobs whose next ping is heard just before their deadline, and comes after it.
    pub(crate) on_the_brink: BTreeSet<usize>,
    pub(crate) lives: u64,
    /// Jobs that were paused for a time, and not resumed since.
    pub(crate) ends_by_itself: BTreeSet<usize>,
    /// Lives that may still go at the pace of a real daemon, which costs many turns.
    pub(crate) real_pace_left: u32,
    /// Whether more is sent in this month while its disk hangs than may be held.
    pub(crate) floods: bool,
    pub(crate) deaf_since: Option<Ms>,
    /// The disk lies; it has lied since its power was last cut; what is found next may be less than was acknowledged.
    pub(crate) lies: bool,
    pub(crate) lied: bool,
    pub(crate) doubt: bool,
    /// It has lied at some time: what is left of that in the journal, only the newest snapshot may cover.
    pub(crate) ever_lied: bool,
    /// The machine was started anew, and the journal may not know it: then nobody can know what was done to the clock.
    pub(crate) rebooted: bool,
    /// Up to where somebody has the news, and in which life that was.
    pub(crate) mark: Option<(u64, Seq)>,
    /// When what is wrong with the disk is put right.
    pub(crate) mend_at: Option<Ms>,
}

impl House {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ 0x5EED);
        let duties = (0..JOBS).map(|job| Some(first_duty(job))).collect();
        let keep_runs = if chance.one_in(2) { 40 } else { 15 };
        let names = (0..JOBS).map(slug_of).collect();
        let config = Config { duties, names, channels: CHANNELS.to_vec(), keep_runs };
        let snapshot_interval = [4 * DAY, 10 * DAY, 40 * DAY][chance.below(3) as usize];
        Self {
            clock: HouseClock::new(),
            folder: MemoryFolder::new(),
            told: Told::new(JOBS + 1, keep_runs),
            receivers: Receivers::new(Chance(chance.draw())),
            config,
            channels_in_force: Arc::default(),
            snapshot_interval: Span::from_millis(snapshot_interval),
            plans: (0..=JOBS).map(|_| pings::Plan::default()).collect(),
            on_the_brink: BTreeSet::new(),
            lives: 0,
            ends_by_itself: BTreeSet::new(),
            real_pace_left: u32::from(chance.one_in(50)),
            // Two hundred thousand pings take as long as many a month.
            floods: seed % 500 == 400,
            deaf_since: None,
            lies: false,
            lied: false,
            doubt: false,
            ever_lied: false,
            rebooted: false,
            mark: None,
            mend_at: None,
            chance,
        }
    }
}

fn first_duty(job: usize) -> Duty {
    let plain = Duty {
        every: Every::Span(DAY),
        grace: HOUR,
        max_runtime: 2 * HOUR,
        paused: false,
        await_first_ping: false,
        resume_on_ping: false,
        remind_every: None,
    };
    match job {
        0 => Duty { every: Every::Span(20 * HOUR), grace: 20 * MINUTE, ..plain },
        1 => Duty { every: Every::Day(2, 30), remind_every: Some(30 * HOUR), ..plain },
        _ => Duty { grace: 0, resume_on_ping: true, await_first_ping: true, ..plain },
    }
}
