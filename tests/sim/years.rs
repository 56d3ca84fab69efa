//! Ten years of jobs in many time zones, with restarts, suspends and clocks that are set: no alert early, none
//! missing, none twice. The jobs live in real time; the daemon only has its wall clock.

use overdue::model::delivery::Verdict;

use crate::calendar::{Calendar, RULES, Zone};
use crate::chance::Chance;
use crate::model::{Alert, Cause};
use crate::rules::{Ms, Rules, Says, Timing};
use crate::world::World;

const SECOND: Ms = 1_000;
const MINUTE: Ms = 60 * SECOND;
const HOUR: Ms = 60 * MINUTE;
const DAY: Ms = 24 * HOUR;
const DECADE: Ms = 3_652 * DAY;

const ZONES: [&str; 26] = [
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Chisinau",
    "Atlantic/Azores",
    "America/New_York",
    "America/Los_Angeles",
    "America/St_Johns",
    "America/Havana",
    "America/Nuuk",
    "America/Santiago",
    "America/Asuncion",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Beirut",
    "Asia/Jerusalem",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Asia/Tehran",
    "UTC",
];

/// A job that runs by its own, right clock.
struct Job {
    calendar: Option<&'static Calendar>,
    /// What it will say, and when, in real time.
    plans: Vec<(Ms, Says)>,
    /// The occurrence that was planned last.
    planned: Ms,
}

/// A daemon and its jobs in one zone.
struct Decade {
    world: World,
    chance: Chance,
    jobs: Vec<Job>,
    /// What will be done to the daemon, and when, in real time.
    fault_at: Ms,
    /// By how much its clock is wrong.
    wrong: Ms,
    /// How long it was deaf, in real time.
    deaf: Ms,
    /// When the job with an interval last finished and was heard, in real time, and how long it had been deaf then.
    finished: (Ms, Ms),
    /// When the incident opened that was open after that.
    told: Option<Ms>,
    seen: Seen,
}

#[derive(Debug, Default)]
struct Seen {
    pings: usize,
    lost: usize,
    restarts: usize,
    suspends: usize,
    steps: usize,
}

fn rules(timing: Timing) -> Rules {
    Rules {
        timing,
        grace: 20 * MINUTE,
        max_runtime: HOUR,
        paused: false,
        await_first_ping: false,
        resume_on_ping: false,
        remind_every: None,
    }
}

fn calendars(zone: &Zone) -> Vec<&'static Calendar> {
    RULES.iter().map(|rule| &*Box::leak(Box::new(zone.calendar(rule)))).collect()
}

impl Decade {
    fn new(zone: &Zone, seed: u64) -> Self {
        let calendars = calendars(zone);
        let timings = calendars.iter().map(|calendar| Timing::Calendar(calendar));
        let all: Vec<Rules> = timings.chain([Timing::Interval(DAY)]).map(rules).collect();
        let jobs = calendars.into_iter().map(Some).chain([None]);
        let jobs = jobs.map(|calendar| Job { calendar, plans: Vec::new(), planned: 0 }).collect();
        Self {
            world: World::new(&all, &["a"]),
            chance: Chance(seed),
            jobs,
            fault_at: DAY,
            wrong: 0,
            deaf: 0,
            finished: (0, 0),
            told: None,
            seen: Seen::default(),
        }
    }

    fn real(&self) -> Ms {
        self.world.now - self.world.set
    }

    fn some(&mut self, most: Ms) -> Ms {
        Ms::from(self.chance.below(u32::try_from(most).expect("it is short")))
    }

    /// Plans the next run of a job that has none planned.
    fn plan(&mut self, number: usize) {
        let after = self.jobs[number].planned.max(self.real());
        let due = self.jobs[number].calendar.map_or(after + DAY, |calendar| calendar.next_after(after));
        self.jobs[number].planned = due;
        let begins =
            if self.chance.one_in(6) { due - self.some(55 * SECOND) } else { due + self.some(90 * SECOND) };
        let says = if self.chance.one_in(60) { Says::Exit(3) } else { Says::Success };
        let plans = match self.chance.below(12) {
            _ if self.chance.one_in(80) => vec![],
            0..=3 => vec![(begins, Says::Start), (begins + self.some(50 * MINUTE), says)],
            4 => vec![(begins, Says::Fail), (begins + MINUTE, Says::Success)],
            5 if self.chance.one_in(8) => vec![(begins, Says::Start)],
            6 if self.chance.one_in(4) => vec![(begins + self.some(2 * HOUR), says)],
            _ => vec![(begins, says)],
        };
        self.jobs[number].plans = plans;
    }

    fn live(&mut self, until: Ms) {
        let mut acts = 0_usize;
        while self.real() < until {
            for number in 0..self.jobs.len() {
                while self.jobs[number].plans.is_empty() && self.jobs[number].planned < until + DAY {
                    self.plan(number);
                }
            }
            let next = |(number, job): (usize, &Job)| job.plans.first().map(|(at, _)| (*at, number));
            let ping = self.jobs.iter().enumerate().filter_map(next).min();
            match ping.filter(|(at, _)| *at < self.fault_at) {
                Some((at, number)) => self.run(at, number),
                None if self.fault_at < until => self.fault(),
                None => break,
            }
            acts += 1;
            if acts.is_multiple_of(25) {
                settle(&mut self.world);
                self.world.check();
            }
        }
        settle(&mut self.world);
        self.world.check();
    }

    /// Real time passes, as the daemon's clock shows it.
    fn pass_to(&mut self, real: Ms) {
        let to = (real + self.world.set).max(self.world.now);
        self.world.pass(to);
    }

    fn run(&mut self, at: Ms, number: usize) {
        let (_, says) = self.jobs[number].plans.remove(0);
        if at < self.real() {
            // Nobody was there to hear it.
            self.seen.lost += 1;
            return;
        }
        self.pass_to(at);
        self.check_in_real_time();
        self.world.ping(number, says, None);
        if self.jobs[number].calendar.is_none() && says != Says::Start {
            self.finished = (self.real(), self.deaf);
            let model = self.world.models[number].as_ref().expect("it was declared");
            self.told = model.incident().map(|incident| incident.opened);
        }
        self.seen.pings += 1;
        self.world.check_job(number);
    }

    /// Of an interval it needs no model to say when it may be told as missed, and when it must be, whatever the clock
    /// was set to.
    fn check_in_real_time(&self) {
        let model = self.world.models.last().and_then(Option::as_ref).expect("it was declared");
        let (finished, deaf_then) = self.finished;
        let deadline = finished + DAY + 20 * MINUTE;
        // One that was open already goes on when the job fails.
        let missed = model.incident().filter(|i| i.cause == Cause::Missed && self.told != Some(i.opened));
        assert!(missed.is_none() || self.real() >= deadline, "early: {} before {deadline}", self.real());
        // Deaf as it was, and with a run that may put it off.
        let latest = deadline + (self.deaf - deaf_then) + 5 * MINUTE + HOUR;
        assert!(model.incident().is_some() || self.real() < latest, "lost: {} after {latest}", self.real());
    }

    fn fault(&mut self) {
        self.pass_to(self.fault_at);
        self.check_in_real_time();
        settle(&mut self.world);
        let long = [5 * SECOND, 10 * MINUTE, 3 * HOUR, 30 * HOUR][self.chance.below(4) as usize];
        let long = self.some(long) + 3 * SECOND;
        let mut next = 10 * DAY + self.some(20 * DAY);
        match self.chance.below(8) {
            0 | 1 => self.restart(long),
            2 | 3 => {
                self.world.stall(long);
                self.deaf += long;
                self.seen.suspends += 1;
            }
            _ if self.wrong != 0 => {
                self.set(-self.wrong);
                self.wrong = 0;
            }
            how => {
                let by = [SECOND, 90 * SECOND, 20 * MINUTE, 2 * HOUR][how as usize % 4];
                let by = if self.chance.one_in(16) { self.some(3 * DAY) } else { self.some(by) } + 1;
                self.wrong = if self.chance.one_in(2) { by } else { -by };
                self.set(self.wrong);
                // It is put right soon, mostly.
                next = self.some(DAY) + MINUTE;
            }
        }
        self.fault_at = self.real() + next;
        settle(&mut self.world);
        self.world.check();
    }

    fn set(&mut self, by: Ms) {
        self.seen.steps += 1;
        if self.chance.one_in(4) {
            // While the daemon is away; if the machine is started anew too, it can only guess.
            self.world.kill(0);
            self.world.now += 20 * SECOND;
            self.deaf += 20 * SECOND;
            self.world.step_unseen(by, false);
            self.world.begin();
            self.world.hear();
        } else {
            self.world.step(by);
        }
    }

    fn restart(&mut self, long: Ms) {
        self.seen.restarts += 1;
        self.world.written();
        self.world.kill(0);
        self.world.now += long;
        self.world.begin();
        self.world.now += 2 * SECOND;
        self.deaf += long + 2 * SECOND;
        self.world.hear();
    }
}

/// Runs something in every zone, on all cores, each with a seed of its own.
fn in_every_zone<T: Send>(run: impl Fn(u64, Zone) -> T + Sync) -> Vec<T> {
    let numbered: Vec<(u64, &'static str)> = (0..).zip(ZONES).collect();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = |zones: &[(u64, &'static str)]| -> Vec<T> {
        zones.iter().map(|(seed, name)| run(*seed, Zone::new(name))).collect()
    };
    std::thread::scope(|scope| {
        let shares = numbered.chunks(ZONES.len().div_ceil(threads));
        let running: Vec<_> = shares.map(|zones| scope.spawn(|| share(zones))).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("it says itself what was wrong")).collect()
    })
}

#[test]
fn ten_years_in_many_zones_with_faults_are_as_the_model_says() {
    let all = in_every_zone(|seed, zone| {
        let mut decade = Decade::new(&zone, seed);
        decade.live(DECADE);
        assert!(decade.seen.pings > 20_000, "{}: {:?}", zone.name, decade.seen);
        (decade.seen, zone.changes)
    });
    let sum = |of: fn(&Seen) -> usize| all.iter().map(|(seen, _)| of(seen)).sum::<usize>();
    let (restarts, suspends, steps) = (sum(|s| s.restarts), sum(|s| s.suspends), sum(|s| s.steps));
    let (lost, changes) = (sum(|s| s.lost), all.iter().map(|(_, changes)| changes).sum::<usize>());
    println!(
        "ten years in {} zones, all together: {restarts} restarts, {suspends} suspends, {steps} steps of the clock, \
         {lost} pings that nobody was there to hear, {changes} changes of the time of day",
        all.len()
    );
    let enough = restarts > 500 && suspends > 500 && steps > 2_000 && lost > 300 && changes > 400;
    assert!(
        enough,
        "too calm: {restarts} restarts, {suspends} suspends, {steps} steps, {lost} lost, {changes} changes"
    );
}

/// Without faults no model is needed to say what must be told: a miss is told at its deadline, once, and is over with
/// the next success.
#[test]
fn ten_calm_years_tell_exactly_what_was_missed() {
    in_every_zone(|seed, zone| {
        for calendar in calendars(&zone) {
            calm(calendar, 100 + seed);
        }
    });
}

fn calm(calendar: &'static Calendar, seed: u64) {
    let mut chance = Chance(seed);
    let mut world = World::new(&[rules(Timing::Calendar(calendar))], &["a"]);
    let mut told = Vec::new();
    let mut down = false;
    for due in calendar.occurrences.iter().copied().filter(|due| (1..DECADE).contains(due)) {
        let missed = chance.one_in(30);
        if missed {
            world.pass(due + 20 * MINUTE);
            if !down {
                told.push((Cause::Missed, due + 20 * MINUTE, None));
            }
        } else {
            world.pass(due + Ms::from(chance.below(90_000)));
            world.ping(0, Says::Success, None);
            if let Some((_, _, resolved)) = told.last_mut().filter(|_| down) {
                *resolved = Some(world.now);
            }
        }
        if missed || down {
            settle(&mut world);
        }
        down = missed;
    }
    let model = world.models[0].as_ref().expect("it was declared");
    let model: Vec<_> =
        model.incidents.iter().map(|i| (i.cause, i.opened, i.resolved.map(|(at, _)| at))).collect();
    assert_eq!(model, told, "{calendar:?}");
    let opened = world.alerts[0].iter().filter(|alert| **alert == Alert::Opened).count();
    assert_eq!(opened, told.len(), "{} {:?}", calendar.zone, calendar.timing);
    world.check();
}

/// Everything is written, and whatever left has arrived.
fn settle(world: &mut World) {
    world.written();
    world.sync();
    while !world.in_flight.is_empty() {
        while !world.in_flight.is_empty() {
            world.answer(0, Verdict::Delivered { status: Some(200) });
        }
        world.sync();
    }
}
