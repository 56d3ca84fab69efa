//! What people and misfortune do to a house while its daemon lives.

use std::time::Duration;

use overdue::engine::clock::Clock as _;
use overdue::engine::handle::Refused;
use overdue::machine::event::{Reply, Request};
use overdue::model::channel::ChannelName;
use overdue::model::ping::{PingKind, Target};

use crate::house::disk::OPERATIONS;
use crate::house::duty::{DAY, Every, HOUR, MINUTE, SECOND};
use crate::house::life::Living;
use crate::house::pings::Comes;
use crate::house::post::CHANNELS;
use crate::house::{House, JOBS};
use crate::rules::Ms;
use crate::world::ms;

impl House {
    /// Something happens.
    pub(crate) async fn act(&mut self, living: &Living) {
        if self.floods {
            return self.flood(living).await;
        }
        match self.chance.below(38) {
            0..=6 => self.edit(living).await,
            7 if self.chance.one_in(2) => self.burst(living),
            8..=10 => self.pause_or_resume(living).await,
            11 => self.try_channel(living).await,
            12 | 13 => self.retry(living).await,
            14 | 15 => {
                self.told.saw("steps seen");
                let by = self.draw_step();
                self.step(by, true);
            }
            16 | 17 => self.stall(living).await,
            18 | 19 => {
                self.fail_operation();
                self.knock(living);
                self.wish_for_more(living).await;
            }
            20 => {
                self.fill();
                self.knock(living);
                self.wish_for_more(living).await;
            }
            21 => {
                self.told.saw("hanging appends");
                living.disk.hang(Duration::from_secs(11 + u64::from(self.chance.below(60))));
                self.knock(living);
                self.wish_for_more(living).await;
            }
            23 | 24 => self.go_to_the_brink(living).await,
            22 if self.chance.one_in(3) => self.lie(),
            32..=34 => self.use_api(living).await,
            35 => self.rename(living).await,
            36 => self.follow(living).await,
            37 => match self.chance.below(60) {
                0..=9 => self.crowd(living).await,
                10 => self.long_burst(living).await,
                _ => self.follow(living).await,
            },
            _ => {
                let job = self.any_job();
                let kind = match self.chance.below(6) {
                    0 => PingKind::Start,
                    1 => PingKind::Fail,
                    2 => PingKind::Log,
                    _ => PingKind::Success,
                };
                self.ping(living, job, kind, Comes::Whole);
            }
        }
    }

    fn any_job(&mut self) -> usize {
        self.chance.below(self.plans.len() as u32) as usize
    }

    /// A job will be heard a moment before its deadline, with a body that comes after it.
    async fn go_to_the_brink(&mut self, living: &Living) {
        let job = self.any_job();
        let slug = self.name_of(job);
        let asked = living.handle.ask(move |view| view.heartbeat(slug.as_str())?.next_deadline_at);
        if let Some(Ok(Some(deadline))) = living.process.while_alive(asked).await {
            self.told.saw("pings on the brink");
            let at = self.real() + ms(deadline) - ms(self.clock.now()) - Ms::from(self.chance.below(4_000));
            self.plans[job].0 = vec![(at.max(self.real()), PingKind::Success)];
            self.on_the_brink.insert(job);
        }
    }

    /// Jobs speak while something is wrong.
    fn knock(&mut self, living: &Living) {
        for _ in 0..=self.chance.below(3) {
            let job = self.any_job();
            self.ping(living, job, PingKind::Success, Comes::Whole);
        }
    }

    /// Somebody changes something, or looks, while something is wrong.
    async fn wish_for_more(&mut self, living: &Living) {
        match self.chance.below(4) {
            0 => self.use_api(living).await,
            1 => self.rename(living).await,
            2 => {
                let wait = Duration::from_millis(u64::from(self.chance.below(12_000)));
                if living.process.while_alive(tokio::time::sleep(wait)).await.is_some() {
                    self.follow(living).await;
                }
            }
            _ => {}
        }
    }

    fn burst(&mut self, living: &Living) {
        self.told.saw("bursts");
        for _ in 0..200 {
            let job = self.any_job();
            let kind = if self.chance.one_in(60) { PingKind::Fail } else { PingKind::Success };
            self.ping(living, job, kind, Comes::Whole);
        }
    }

    /// Somebody edits the config, and it is read again.
    async fn edit(&mut self, living: &Living) {
        let job = self.chance.below(JOBS as u32) as usize;
        let (how, long) = (self.chance.below(12), HOUR + Ms::from(self.chance.below((20 * HOUR) as u32)));
        if how >= 10 {
            self.told.saw("channels lost");
            self.config.channels = CHANNELS.to_vec();
            let lost = self.chance.below(CHANNELS.len() as u32 + 1) as usize;
            self.config.channels.truncate(lost);
        } else if let Some(duty) = &mut self.config.duties[job] {
            match how {
                0 => duty.every = Every::Span(long + 3 * HOUR),
                1 => duty.every = Every::Day(long / HOUR, 20),
                2 => duty.grace = long / 4,
                3 => duty.max_runtime = long / 3,
                4 | 5 => duty.paused = !duty.paused,
                6 => duty.await_first_ping = !duty.await_first_ping,
                7 => duty.remind_every = Some(long),
                _ => {
                    self.told.saw("heartbeats removed");
                    self.config.duties[job] = None;
                }
            }
        } else {
            self.config.duties[job] = Some(crate::house::first_duty(job));
        }
        self.reload(living).await;
    }

    pub(crate) async fn reload(&mut self, living: &Living) {
        self.declare();
        let reload = living.handle.reload(self.config.reload(), self.snapshot_interval);
        if let Some(reloaded) = living.process.while_alive(reload).await {
            reloaded.expect("a reload is never refused");
            self.is_in_force();
            self.told.saw("reloads");
            self.names_hold(living).await;
        }
    }

    pub(crate) async fn want(&mut self, living: &Living, request: Request) -> Option<Result<Reply, Refused>> {
        let answer = living.process.while_alive(living.handle.request(request)).await?;
        let may_be = matches!(answer, Ok(_) | Err(Refused::NotDurable));
        assert!(may_be, "a request is answered {answer:?}");
        let now = self.real();
        self.told.lock().note(&[now as u64, u64::from(answer.is_ok())]);
        Some(answer)
    }

    async fn pause_or_resume(&mut self, living: &Living) {
        let (job, how) = (self.any_job(), self.chance.below(4));
        let target = Target::Slug(self.name_of(job));
        self.told.lock().kept.remove(&job);
        let (pauses, span) = (how < 2, House::span(MINUTE + Ms::from(self.chance.below(DAY as u32))));
        let span = (how == 0).then_some(span);
        let request = if pauses {
            self.told.saw("pauses");
            self.told.lock().paused.insert(job);
            Request::Pause { target, span }
        } else {
            self.told.saw("resumes");
            Request::Resume { target }
        };
        if span.is_some() {
            // One for ever changes nothing now: this one ends by itself.
            self.ends_by_itself.insert(job);
        }
        let now = self.real();
        self.told.lock().silences.presses(job, false, now);
        let answer = self.want(living, request).await;
        if matches!(answer, Some(Ok(Reply::Changed(_)))) {
            let now = self.real();
            self.told.lock().silences.presses(job, !pauses, now);
            if !pauses {
                self.ends_by_itself.remove(&job);
            }
            if !self.ends_by_itself.contains(&job) {
                self.told.lock().kept.insert(job, pauses);
            }
        }
    }

    async fn try_channel(&mut self, living: &Living) {
        self.told.saw("tests of a channel");
        let channel = CHANNELS[self.chance.below(CHANNELS.len() as u32) as usize];
        let answer = self.want(living, Request::Test { channel: ChannelName::new(channel) }).await;
        if let Some(Ok(Reply::Queued(id))) = answer {
            let told = self.told.lock();
            assert!(told.mail.is_sure(id, told.shadow.sure), "a test was promised before the disk had it");
        }
    }

    async fn retry(&mut self, living: &Living) {
        let known: Vec<_> = self.told.lock().mail.known().rev().take(12).collect();
        if known.is_empty() {
            return;
        }
        self.told.saw("retries by hand");
        let delivery = known[self.chance.below(known.len() as u32) as usize];
        self.want(living, Request::Retry { delivery }).await;
    }

    /// The loop does not turn for a while, or the machine sleeps.
    async fn stall(&mut self, living: &Living) {
        let from = self.real();
        let lasts = SECOND + Ms::from(self.chance.below((12 * HOUR) as u32));
        let sleeps = self.chance.one_in(2);
        self.told.saw(if sleeps { "sleeps" } else { "stalls" });
        if sleeps {
            self.clock.sleeps(lasts);
        }
        tokio::time::advance(Duration::from_millis(lasts as u64)).await;
        // How long it lasted, a daemon knows no better than how often it looks at its clocks.
        self.told.lock().silences.is_unwell(from + lasts + living.look_every);
        // The first look may have been a while before.
        if lasts > if sleeps { 2 * SECOND } else { 2 * living.look_every } {
            self.told.lock().deaf.push((from, from + lasts));
        }
    }

    fn fail_operation(&mut self) {
        self.told.saw("failing operations");
        let operation = OPERATIONS[self.chance.below(5) as usize];
        let times = if self.chance.one_in(3) { u32::MAX } else { 1 + self.chance.below(3) };
        self.folder.fail_later(operation, self.chance.below(4), times);
        self.mend_later();
    }

    fn fill(&mut self) {
        self.told.saw("full disks");
        self.folder.fill(true);
        self.mend_later();
    }

    fn lie(&mut self) {
        self.told.saw("lying disks");
        self.folder.lie(true);
        (self.lies, self.lied, self.ever_lied) = (true, true, true);
        // Long enough for files to be left behind that no later sync makes good.
        self.mend_at = Some(self.real() + HOUR + Ms::from(self.chance.below((9 * DAY) as u32)));
    }

    fn mend_later(&mut self) {
        // Healing is tried each five seconds, which costs a snapshot.
        let longest = if self.chance.one_in(6) { MINUTE } else { 8 * SECOND };
        self.mend_at = Some(self.real() + SECOND + Ms::from(self.chance.below(longest as u32)));
    }

    /// What is wrong with the disk is put right.
    pub(crate) fn mend(&mut self) {
        self.mend_at = None;
        for operation in OPERATIONS {
            self.folder.fail(operation, 0);
        }
        // The journal may not have noticed yet.
        let until = self.real() + MINUTE;
        self.told.lock().silences.is_unwell(until);
        self.folder.fill(false);
        self.folder.lie(false);
        self.lies = false;
    }
}
