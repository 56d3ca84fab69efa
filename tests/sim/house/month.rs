//! A month in a house, and its end: everything is put right, the jobs fall silent and then are well again, and whatever
//! was to be told has been told.

use std::time::Duration;

use overdue::engine::handle::Refused;
use overdue::machine::event::{Reply, Request};
use overdue::model::ping::{PingKind, Target};

use crate::house::House;
use crate::house::duty::{DAY, HOUR, MINUTE, SECOND};
use crate::house::life::{End, Living};
use crate::house::pings::Comes;
use crate::house::post::CHANNELS;
use crate::house::seen::Seen;
use crate::rules::Ms;

const MONTH: Ms = 30 * DAY;

/// A month by its seed. Gives what it saw, and a digest of all that happened.
pub(crate) fn month(seed: u64, aloud: bool) -> (Seen, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime needs nothing").block_on(async {
        let mut house = House::new(seed);
        if aloud {
            house.told.lock().seen = Seen::aloud();
        }
        while house.real() < MONTH {
            house.live().await;
            house.be_away().await;
        }
        house.end().await;
        let told = house.told.lock();
        (told.seen.clone(), told.digest())
    })
}

impl House {
    /// One life, until it ends or the month does.
    async fn live(&mut self) {
        let mut end = self.draw_end();
        let living = self.begin(end).await;
        if living.look_every == SECOND {
            // An hour of it is enough.
            end = End::At(self.real() + HOUR);
        }
        let last = match end {
            End::At(at) | End::Stop(at) => at.min(MONTH),
            End::AtPoll(_) | End::InJob(_) | End::Never => MONTH,
        };
        let mut act_at = self.real();
        while living.hears && !living.process.is_dead() {
            let (ping_at, job) = self.next_ping();
            let mend_at = self.mend_at.unwrap_or(Ms::MAX);
            let next = ping_at.min(act_at).min(mend_at).min(last);
            if !self.wait_until(next, &living).await {
                break;
            }
            if next == last {
                self.look(&living);
                break;
            } else if next == mend_at {
                self.mend();
            } else if next == act_at {
                self.act(&living).await;
                act_at = self.real() + Ms::from(self.chance.below((36 * HOUR) as u32));
            } else {
                self.says(job, Some(&living));
            }
            self.look(&living);
        }
        match living.end {
            _ if !living.process.is_dead() && matches!(end, End::Stop(_)) => self.stop(&living).await,
            End::AtPoll(_) if living.process.is_dead() => self.told.saw("deaths at a poll"),
            End::At(_) => self.told.saw("deaths at an instant"),
            End::AtPoll(_) | End::InJob(_) | End::Stop(_) | End::Never => {}
        }
        self.bury(living).await;
        // Whoever wants to ping meanwhile finds nobody.
        let now = self.real();
        while self.next_ping().0 < now {
            let (_, job) = self.next_ping();
            self.says(job, None);
        }
    }

    /// What must hold at any moment of a life.
    fn look(&self, living: &Living) {
        let now = self.real();
        let fails = living.handle.journal().borrow().error.is_some();
        let mut told = self.told.lock();
        if living.process.is_dead() || fails || self.mend_at.is_some() {
            told.silences.is_unwell(now);
        } else if living.disk.will_hang() {
            told.silences.is_unwell(now + 2 * MINUTE);
        } else {
            told.silences.is_well(now);
        }
        told.look_for_silences(now);
        told.look_for_stale_deliveries(now);
        told.look_for_reminders(now);
    }

    /// Whether it still lives then.
    async fn wait_until(&self, real: Ms, living: &Living) -> bool {
        let wait = Duration::from_millis((real - self.real()).max(0) as u64);
        living.process.while_alive(tokio::time::sleep(wait)).await.is_some()
    }

    /// Everything is put right. What was to be told is told, and what the disk holds is what was true.
    async fn end(&mut self) {
        self.mend();
        self.receivers.lock().expect("nobody panicked").be_good();
        self.config.channels = CHANNELS.to_vec();
        for job in 0..self.config.duties.len() {
            let duty = self.config.duties[job].get_or_insert(crate::house::first_duty(job));
            (duty.paused, duty.await_first_ping) = (false, false);
        }
        let living = self.begin(End::Never).await;
        self.told.lock().kept.clear();
        self.make_for_the_end(&living).await;
        let jobs = self.plans.len();
        for job in 0..jobs {
            let resume = Request::Resume { target: Target::Slug(self.name_of(job)) };
            let answer = living.handle.request(resume).await;
            assert_eq!(answer, Ok(Reply::Changed(self.name_of(job))), "on a good disk it is done");
        }
        let silent = (0..jobs).filter_map(|job| self.duty(job)).map(|duty| duty.silent_after()).max();
        self.wait_until(self.real() + silent.unwrap_or_default() + DAY, &living).await;
        self.all_are("down", &living).await;
        self.everything_was_told(&living);
        for job in 0..jobs {
            self.ping(&living, job, PingKind::Success, Comes::Whole);
        }
        self.wait_until(self.real() + 10 * SECOND, &living).await;
        self.all_are("up", &living).await;
        self.wait_until(self.real() + 20 * SECOND, &living).await;
        self.everything_was_told(&living);
        living.handle.stop().await;
        let last = self.told.lock().shadow.last();
        assert_eq!(self.told.lock().shadow.sure, last, "it stops when all is on the disk");
        living.process.end().await;
        self.folder.kill();
        let living = self.begin(End::Never).await;
        self.all_are("up", &living).await;
        living.process.end().await;
    }

    async fn all_are(&self, status: &'static str, living: &Living) {
        for job in 0..self.plans.len() {
            let slug = self.name_of(job);
            let asked = living.handle.ask(move |view| view.heartbeat(slug.as_str()).map(|h| h.status.word()));
            let found: Result<Option<&str>, Refused> = asked.await;
            assert_eq!(found, Ok(Some(status)), "job {job}");
        }
    }

    /// Of all that was to be told nothing waits, and nothing is lost.
    fn everything_was_told(&self, living: &Living) {
        let told = self.told.lock();
        let lost = told.mail.lost();
        assert!(lost.is_empty(), "neither received nor given up: {lost:?}");
        assert_eq!(told.mail.under_way(), 0, "something is under way for ever");
        drop(told);
        assert_eq!(living.handle.journal().borrow().error, None, "the journal has not healed");
    }
}
