//! What the jobs of a house do: they run when they should, mostly, and say so; some forget, fail, hang or dribble.

use std::time::Duration;

use bytes::Bytes;
use overdue::engine::clock::Clock as _;
use overdue::engine::handle::Handle;
use overdue::model::ping::{Body, Method, Ping, PingKind, Target};

use crate::house::House;
use crate::house::duty::{DAY, Every, HOUR, MINUTE};
use crate::house::life::Living;
use crate::house::witness::{Sent, Told, address_of};
use crate::rules::Ms;
use crate::world::{ms, uuid_of};

/// What a job will say, and when, in real time.
#[derive(Debug, Default)]
pub(crate) struct Plan(pub(crate) Vec<(Ms, PingKind)>);

/// How a ping comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comes {
    Whole,
    /// Its body takes so long.
    Slowly(Duration),
    /// Its body never comes to an end.
    Never(Duration),
}

impl House {
    /// When a job speaks next.
    pub(crate) fn next_ping(&mut self) -> (Ms, usize) {
        for job in 0..self.plans.len() {
            if self.plans[job].0.is_empty() {
                self.plan(job);
            }
        }
        let next = self.plans.iter().enumerate().map(|(job, plan)| (plan.0[0].0, job)).min();
        next.expect("each job has a plan")
    }

    fn plan(&mut self, job: usize) {
        let now = self.real();
        let every = match self.duty(job).map(|duty| duty.every) {
            Some(Every::Span(every)) => every,
            Some(Every::Day(hour, minute)) => {
                // As its own clock says, which nobody sets.
                let today = now.div_euclid(DAY) * DAY + hour * HOUR + minute * MINUTE;
                if today > now + HOUR { today - now } else { today + DAY - now }
            }
            None => DAY,
        };
        let late = Ms::from(self.chance.below((40 * MINUTE) as u32));
        let at = now + every - 10 * MINUTE + late;
        let soon = at + Ms::from(self.chance.below((90 * MINUTE) as u32));
        let plan = match self.chance.below(32) {
            0 => vec![(at + 3 * DAY, PingKind::Success)],
            1 => vec![(at + 4 * HOUR, PingKind::Success)],
            2 => vec![(at, PingKind::Fail), (soon, PingKind::Success)],
            3 => vec![(at, PingKind::Exit(3))],
            4..=8 => vec![(at, PingKind::Start), (soon, PingKind::Exit(0))],
            9 => vec![(at, PingKind::Start), (at + 6 * HOUR, PingKind::Success)],
            10 => vec![(at, PingKind::Log), (soon, PingKind::Success)],
            _ => vec![(at, PingKind::Success)],
        };
        self.plans[job].0 = plan;
    }

    /// The next thing that a job has to say is said, or would have been.
    pub(crate) fn says(&mut self, job: usize, living: Option<&Living>) {
        let (at, kind) = self.plans[job].0.remove(0);
        let comes = match self.chance.below(24) {
            _ if self.on_the_brink.remove(&job) => Comes::Slowly(Duration::from_secs(9)),
            0 | 1 => Comes::Slowly(Duration::from_millis(u64::from(self.chance.below(10_000)))),
            2 => Comes::Never(Duration::from_millis(u64::from(self.chance.below(10_000)))),
            _ => Comes::Whole,
        };
        match living {
            Some(living) if at >= self.real() => self.ping(living, job, kind, comes),
            Some(_) | None => self.told.saw("pings that nobody was there to hear"),
        }
    }

    pub(crate) fn ping(&mut self, living: &Living, job: usize, kind: PingKind, comes: Comes) {
        let body = self.chance.one_in(6).then(|| {
            let tail = Bytes::from(vec![b'x'; self.chance.below(300) as usize]);
            Body { total: tail.len() as u64, tail }
        });
        let stamp = self.clock.stamp();
        let waits = comes != Comes::Whole;
        let (real, wall) = (self.real(), ms(stamp.at));
        let sent = Sent { job, kind, real, wall, on_its_way: false, answered: false, seq: None };
        let mark = self.told.lock().sends(sent);
        if self.duty(job).is_some_and(|duty| duty.resume_on_ping) {
            self.told.lock().kept.remove(&job);
        }
        let target = Target::Uuid(uuid_of(job));
        let from = Some(address_of(mark));
        let ping =
            Ping { target: target.clone(), at: stamp.at, kind, rid: None, method: Method::Post, from, body };
        let (handle, told, clock) = (living.handle.clone(), self.told.clone(), self.clock.clone());
        let heard = if waits { Some(handle.hear(target, stamp)) } else { None };
        let heard = match heard.transpose() {
            Ok(heard) => heard,
            Err(refused) => {
                self.told.lock().answered(mark, Some(&Err(refused)), real);
                return;
            }
        };
        self.told.lock().pings[mark as usize - 1].on_its_way = heard.is_some();
        living.process.spawn(async move {
            match comes {
                Comes::Whole => {}
                Comes::Slowly(takes) => {
                    tokio::time::sleep(takes).await;
                    told.saw("slow bodies");
                }
                Comes::Never(takes) => {
                    tokio::time::sleep(takes).await;
                    told.saw("bodies that never came");
                    told.lock().answered(mark, None, clock.real());
                    drop(heard);
                    return;
                }
            }
            send(&handle, ping, stamp.frame, &told, mark, &clock).await;
            drop(heard);
        });
    }
}

async fn send(
    handle: &Handle,
    ping: Ping,
    frame: overdue::engine::clock::Frame,
    told: &Told,
    mark: u64,
    clock: &crate::house::clock::HouseClock,
) {
    let answer = handle.ping(ping, frame).await;
    told.lock().answered(mark, Some(&answer), clock.real());
}
