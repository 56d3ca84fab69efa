//! What can happen in a world, as numbers that chance draws and that a failing test can be shrunk by.

use overdue::machine::event::{Event, Request};
use overdue::model::channel::ChannelName;
use overdue::model::delivery::Verdict;
use overdue::model::time::Span;

use crate::rules::{Ms, Rules, Says, Timing};
use crate::world::World;

const SECOND: Ms = 1_000;
const MINUTE: Ms = 60 * SECOND;
const HOUR: Ms = 60 * MINUTE;

/// What happens: which thing, to whom, in which way, for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Act {
    pub(crate) what: u8,
    pub(crate) who: u8,
    pub(crate) how: u8,
    pub(crate) long: u16,
}

/// Three heartbeats that differ in everything.
pub(crate) fn heartbeats() -> Vec<Rules> {
    let plain = Rules {
        timing: Timing::Interval(5 * MINUTE),
        grace: MINUTE,
        max_runtime: 3 * MINUTE,
        paused: false,
        await_first_ping: false,
        resume_on_ping: false,
        remind_every: None,
    };
    vec![
        plain,
        Rules { timing: Timing::Minutes(15), max_runtime: 40 * MINUTE, remind_every: Some(HOUR), ..plain },
        Rules {
            timing: Timing::Interval(40 * SECOND),
            grace: 0,
            await_first_ping: true,
            resume_on_ping: true,
            ..plain
        },
    ]
}

impl World {
    /// Lets it happen.
    pub(crate) fn act(&mut self, act: Act) {
        let who = usize::from(act.who) % self.rules.len();
        let long = Ms::from(act.long);
        match act.what {
            0..=79 => self.ping(who, says(act.how), rid(act.how)),
            80..=94 => self.slow_ping(who, says(act.how), rid(act.how), long % (10 * SECOND)),
            95..=129 => self.pass(self.now + long),
            130..=159 => self.pass_to_next(i64::from(act.how % 3) - 1),
            160..=169 => self.pass(self.now + long * 200),
            170..=179 => self.stall(long % (6 * SECOND)),
            180..=194 => self.edit(who, act.how, long),
            195..=198 => self.leave_and_come_back(who, long),
            199..=203 => self.handle(Event::Alive),
            204..=207 => self.restart_in_order(long),
            208..=214 => self.crash(act.how, long),
            215..=224 => self.written(),
            225..=244 => self.receivers_answer(act.how),
            245..=246 => self.lose_or_find_a_channel(),
            247..=250 => self.request(who, act.how, long),
            251..=252 => self.step(step_of(act.how, long)),
            _ => self.sync(),
        }
        self.stepped();
    }

    fn pass_to_next(&mut self, off: Ms) {
        let next = self.models.iter().flatten().filter_map(crate::model::Model::next_passing).min();
        let to = next.map_or(self.now + MINUTE, |next| next + off);
        self.pass(to.max(self.now));
    }

    fn edit(&mut self, who: usize, how: u8, long: Ms) {
        let Some(rules) = &mut self.rules[who] else { return };
        let secs = long / 50 * SECOND + SECOND;
        match how % 8 {
            0 => rules.timing = Timing::Interval(secs),
            1 => rules.timing = Timing::Minutes([5, 10, 15, 30][how as usize / 8 % 4]),
            2 => rules.grace = secs - SECOND,
            3 => rules.max_runtime = secs,
            4 | 5 => rules.paused = !rules.paused,
            6 => rules.await_first_ping = !rules.await_first_ping,
            _ => rules.remind_every = Some(secs * 3).filter(|_| how < 128),
        }
        self.reload();
        self.pass(self.now);
    }

    /// Somebody wants something by the API.
    fn request(&mut self, who: usize, how: u8, long: Ms) {
        self.pass(self.now);
        match how % 4 {
            0 => self.pause(who, Some(long * SECOND).filter(|long| how < 128 && *long > 0)),
            1 => self.resume(who),
            2 => {
                let core = &self.machine.state().core;
                let all = core.outbox.values().chain(&core.ended).map(|delivery| delivery.id);
                let all: Vec<_> = all.collect();
                if let Some(delivery) = all.get(usize::from(how) % all.len().max(1)) {
                    self.want(Request::Retry { delivery: *delivery });
                }
            }
            _ => self.want(Request::Test { channel: ChannelName::new("a") }),
        }
        self.pass(self.now);
    }

    fn leave_and_come_back(&mut self, who: usize, long: Ms) {
        let rules = self.rules[who].take();
        self.reload();
        self.check();
        self.pass(self.now + long * 10);
        self.check();
        self.rules[who] = rules;
        self.reload();
        self.pass(self.now);
    }

    fn restart_in_order(&mut self, long: Ms) {
        self.handle(Event::Stopping);
        self.hearing = false;
        self.written();
        self.sync();
        self.kill(0);
        self.come_back(long);
    }

    /// It is killed, and comes back; now and then it is killed again before it listens.
    fn crash(&mut self, how: u8, long: Ms) {
        self.check_replay(false);
        self.kill(usize::from(how % 4));
        if how >= 200 {
            self.now += long;
            self.begin();
            self.now += 20 * SECOND;
            self.pass(self.now);
            self.handle(Event::Alive);
            self.sync();
            self.kill(0);
        }
        self.come_back(long * if how.is_multiple_of(5) { 100 } else { 1 });
    }

    fn come_back(&mut self, long: Ms) {
        self.now += long;
        if long % 7 == 0 {
            // It was set while nobody looked, perhaps with the machine started anew.
            self.step_unseen(step_of((long / 7) as u8, long), long % 2 == 0);
        }
        self.begin();
        self.now += long % 3 * SECOND;
        self.hear();
    }

    fn receivers_answer(&mut self, how: u8) {
        for index in (0..self.in_flight.len()).rev() {
            let failed = |status, wait: Option<i64>| Verdict::Failed {
                status: Some(status),
                error: status.to_string(),
                retry_after: wait.map(Span::from_secs),
            };
            match (usize::from(how) + 7 * index) % 16 {
                // It hangs.
                0..=3 => {}
                4..=6 => self.answer(index, failed(500, None)),
                7 => self.answer(index, failed(429, Some(i64::from(how)))),
                8 if how < 30 => {
                    let error = "gone".to_owned();
                    self.answer(index, Verdict::Refused { status: Some(410), error });
                }
                _ => self.answer(index, Verdict::Delivered { status: Some(200) }),
            }
        }
    }

    fn lose_or_find_a_channel(&mut self) {
        if self.channels.len() > 1 {
            self.channels.pop();
        } else {
            self.channels.push("b");
        }
        self.reload();
        self.pass(self.now);
    }
}

/// How far the wall clock is set: a little, or by days, whichever way.
fn step_of(how: u8, long: Ms) -> Ms {
    let by = match how % 8 {
        0 => long % 100,
        1 => long % 2_000,
        2 | 3 => long,
        4 | 5 => long * 60,
        6 => HOUR,
        _ => long * 1_000,
    };
    if how < 128 { -by } else { by }
}

fn says(how: u8) -> Says {
    match how % 16 {
        0..=4 => Says::Success,
        5..=9 => Says::Start,
        10 => Says::Fail,
        11 => Says::Exit(how),
        12..=14 => Says::Exit(0),
        _ => Says::Log,
    }
}

fn rid(how: u8) -> Option<u8> {
    match how / 16 % 5 {
        0..=2 => None,
        rid => Some(rid),
    }
}
