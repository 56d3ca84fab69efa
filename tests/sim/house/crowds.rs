//! Crowds: more letters than the mailbox takes, more news than are held. What does not fit is refused in plain words or
//! said to be missing, and nothing waits beyond its bound.

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use overdue::engine::feed::HELD;
use overdue::engine::handle::Refused;
use overdue::machine::record::Record;
use overdue::model::id::Seq;
use overdue::model::ping::PingKind;

use crate::house::House;
use crate::house::life::Living;
use crate::house::pings::Comes;

/// Letters that the mailbox takes at the most.
const MAILBOX: usize = 8_192;
/// Records that are held at the most while the disk does not take them.
pub(crate) const HELD_MAX: usize = 200_000;
/// Letters of a crowd.
const CROWD: usize = MAILBOX + 500;
/// Pings of a burst of which the news do not fit into what is held.
const LONG_BURST: usize = HELD * 7 / 4;

impl House {
    /// So many ask at once that the mailbox is full: who comes then is told so.
    pub(crate) async fn crowd(&mut self, living: &Living) {
        self.told.saw("full mailboxes");
        let (mut waiting, mut refused) = (Vec::new(), 0);
        for _ in 0..CROWD {
            let handle = living.handle.clone();
            let mut asked: Pin<Box<dyn Future<Output = Result<(), Refused>>>> =
                Box::pin(async move { handle.ask(|_| ()).await });
            let polled = std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await;
            match polled {
                Poll::Pending => waiting.push(asked),
                Poll::Ready(answer) => {
                    assert_eq!(answer, Err(Refused::Full), "the loop has not turned");
                    refused += 1;
                }
            }
        }
        assert!(waiting.len() <= MAILBOX, "{} letters wait", waiting.len());
        assert!(refused >= CROWD - MAILBOX, "only {refused} are refused");
        let job = self.chance.below(self.plans.len() as u32) as usize;
        let before = self.told.lock().seen.count("pings answered 503");
        self.ping(living, job, PingKind::Success, Comes::Slowly(Duration::from_secs(1)));
        let after = self.told.lock().seen.count("pings answered 503");
        assert_eq!(after, before + 1, "a ping finds room that nobody else does");
        for asked in waiting {
            let Some(answer) = living.process.while_alive(asked).await else { return };
            assert_eq!(answer, Ok(()), "what the mailbox took is answered");
        }
    }

    /// A burst after which whoever follows the news has missed some.
    pub(crate) async fn long_burst(&mut self, living: &Living) {
        self.follow(living).await;
        for _ in 0..LONG_BURST {
            let job = self.chance.below(self.plans.len() as u32) as usize;
            self.ping(living, job, PingKind::Log, Comes::Whole);
        }
        let burst = tokio::time::sleep(Duration::from_secs(60));
        if living.process.while_alive(burst).await.is_some() {
            self.follow(living).await;
        }
    }

    /// More is sent while the disk hangs than may be held of it: what is not held, only a snapshot can heal.
    pub(crate) async fn flood(&mut self, living: &Living) {
        let job = self.chance.below(self.plans.len() as u32) as usize;
        if self.duty(job).is_none() {
            return;
        }
        living.disk.hang(Duration::from_secs(60));
        self.ping(living, job, PingKind::Log, Comes::Whole);
        let notice = tokio::time::sleep(Duration::from_secs(12));
        if living.process.while_alive(notice).await.is_none() {
            return;
        }
        let fails = || living.handle.journal().borrow().error.is_some();
        for _ in 0..=HELD_MAX / MAILBOX {
            for _ in 0..MAILBOX {
                self.ping(living, job, PingKind::Log, Comes::Whole);
            }
            // All of them are answered at once.
            let answers = tokio::time::sleep(Duration::from_millis(10));
            if living.process.while_alive(answers).await.is_none() || !fails() {
                return;
            }
        }
        self.told.saw("floods while the disk hangs");
        self.floods = false;
    }

    /// Somebody follows the news, and says up to where they have them.
    pub(crate) async fn follow(&mut self, living: &Living) {
        let after = self.mark.filter(|(life, _)| *life == self.lives).map(|(_, mark)| mark);
        let asked = living.handle.follow(after);
        let Some(Ok(following)) = living.process.while_alive(asked).await else { return };
        let told = self.told.lock();
        let (sure, last) = (told.shadow.sure, told.shadow.last());
        let (newest, missed) = (following.newest, following.missed);
        if let Some(after) = after.filter(|_| following.complete) {
            let records = told.shadow.between(after.0, newest.0);
            let mut news = missed.iter().map(|told| told.news.seq.0);
            for (seq, _) in records.iter().filter(|(_, record)| is_news(record)) {
                assert!(news.any(|of| of == *seq), "record {seq} is no news to who follows from {after:?}");
            }
        }
        drop(told);
        if living.handle.journal().borrow().error.is_some() {
            self.told.saw("looks at the news while the disk fails");
        }
        assert!(newest.0 <= sure, "news to {newest:?} are marked, and the disk has {sure}");
        assert!(missed.len() <= HELD, "{} news are held", missed.len());
        assert!(missed.is_sorted_by_key(|told| told.news.seq), "news are out of order");
        if let Some(after) = after {
            let marks = missed.iter().filter_map(|told| told.mark()).max();
            if following.complete {
                assert!(missed.iter().all(|told| told.news.seq > after), "news come again");
                assert_eq!(marks.unwrap_or(after).max(after), newest, "news are missing");
            } else {
                self.told.saw("readers that fell behind");
                let since = last.saturating_sub(after.0) as usize;
                assert!(since > HELD / 8, "news are lost after {since} records");
            }
        }
        self.told.saw("looks at the news");
        self.mark = Some((self.lives, Seq(newest.0)));
    }
}

/// Whether a record has something to tell, whatever it says.
fn is_news(record: &Record) -> bool {
    matches!(
        record,
        Record::Pinged(_) | Record::IncidentOpened(_) | Record::Paused { .. } | Record::Removed { .. }
    )
}
