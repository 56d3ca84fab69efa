//! News: when they leave, what a reader that comes back is given, and what a restart leaves of it.

use std::sync::Arc;

use tokio::sync::broadcast::error::TryRecvError;

use crate::engine::feed::{Feed, Following, HELD, Told};
use crate::engine::handle::Refused;
use crate::engine::tests::world::{World, secs, slug};
use crate::machine::event::Reply;
use crate::machine::news::{News, What};
use crate::model::id::Seq;
use crate::model::ping::PingKind;
use crate::model::time::Timestamp;

fn news(seq: u64) -> News {
    let (at, heartbeat) = (Timestamp::from_millis(0), Some(slug("a")));
    News { seq: Seq(seq), last: true, at, heartbeat, what: What::Missed { periods: 1 } }
}

fn seqs(missed: &[Arc<Told>]) -> Vec<u64> {
    missed.iter().map(|told| told.news.seq.0).collect()
}

#[test]
fn a_ring_gives_all_that_came_after_or_says_that_it_cannot() {
    let mut feed = Feed::new(Seq(10));
    let after = |feed: &Feed, seq| {
        let Following { missed, complete, newest, .. } = feed.follow(Some(Seq(seq)));
        (seqs(&missed), complete, newest.0)
    };
    assert_eq!(after(&feed, 10), (vec![], true, 10));
    assert_eq!(after(&feed, 9), (vec![], false, 10), "of another life");
    assert_eq!(after(&feed, 11), (vec![], false, 10), "not yet");
    // Not every record is news.
    for seq in [12, 13, 20] {
        feed.tell(news(seq), true);
    }
    assert_eq!(after(&feed, 10), (vec![12, 13, 20], true, 20));
    assert_eq!(after(&feed, 12), (vec![13, 20], true, 20));
    assert_eq!(after(&feed, 20), (vec![], true, 20));
    let fresh = feed.follow(None);
    assert!(fresh.complete && fresh.missed.is_empty());
    for seq in 21..21 + HELD as u64 {
        feed.tell(news(seq), true);
    }
    let newest = 20 + HELD as u64;
    assert_eq!(after(&feed, 13), (vec![], false, newest));
    assert!(!after(&feed, 19).1, "20 is not held any more");
    assert_eq!(after(&feed, 20), ((21..=newest).collect(), true, newest));
}

#[test]
fn what_is_not_on_the_disk_is_told_without_a_mark() {
    let mut feed = Feed::new(Seq(10));
    feed.tell(news(11), true);
    feed.tell(news(12), false);
    let following = feed.follow(Some(Seq(11)));
    assert_eq!((seqs(&following.missed), following.newest), (vec![12], Seq(11)));
    assert_eq!(following.missed[0].mark(), None);
    assert!(!feed.follow(Some(Seq(12))).complete, "12 may be another record after a crash");
    feed.tell(News { last: false, ..news(13) }, true);
    assert_eq!(feed.follow(None).newest, Seq(11), "13 has more to tell");
}

#[test]
fn one_who_follows_slowly_is_told_that_it_lags() {
    let mut feed = Feed::new(Seq(0));
    let mut live = feed.follow(None).live;
    for seq in 1..=HELD as u64 {
        feed.tell(news(seq), true);
    }
    assert_eq!(live.try_recv().unwrap().news.seq, Seq(1));
    for seq in 1..=2 {
        feed.tell(news(HELD as u64 + seq), true);
    }
    assert!(matches!(live.try_recv(), Err(TryRecvError::Lagged(1))));
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_told_only_once_it_is_on_the_disk() {
    let world = World::with(&["a"], secs(60)).await;
    let mut live = world.handle.follow(None).await.unwrap().live;
    world.gate.close();
    let mut answer = world.send("a", PingKind::Success);
    world.until("the append waits", || world.gate.waiting() == 1).await;
    world.turns(10).await;
    assert_eq!(live.try_recv().unwrap_err(), TryRecvError::Empty);
    assert!(answer.try_take().is_none());
    world.gate.open();
    assert_eq!(answer.take().await, Ok(Reply::Taken));
    let told = live.recv().await.unwrap();
    assert!(matches!(told.news.what, What::Ping { .. }), "{told:?}");
    assert_eq!(told.mark(), Some(told.news.seq));
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_told_at_once_when_the_disk_hangs_but_without_a_mark() {
    let world = World::with(&["a"], secs(3_600)).await;
    let Following { newest, mut live, .. } = world.handle.follow(None).await.unwrap();
    world.gate.close();
    let mut first = world.send("a", PingKind::Success);
    world.until("the append waits", || world.gate.waiting() == 1).await;
    world.pass(12).await;
    assert_eq!(first.take().await, Err(Refused::NotDurable));
    assert_eq!(live.recv().await.unwrap().mark(), None);
    assert_eq!(world.send("a", PingKind::Log).take().await, Err(Refused::NotDurable));
    assert_eq!(live.recv().await.unwrap().mark(), None);
    world.gate.open();
    world.until("it is good again", || world.handle.journal().borrow().error.is_none()).await;
    assert_eq!(world.send("a", PingKind::Log).take().await, Ok(Reply::Taken));
    let third = live.recv().await.unwrap().mark().unwrap();
    let again = world.handle.follow(Some(newest)).await.unwrap();
    assert_eq!((again.complete, again.missed.len(), again.newest), (true, 3, third));
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_from_the_last_record_and_from_no_other() {
    let world = World::with(&["a"], secs(3_600)).await;
    let mut live = world.handle.follow(None).await.unwrap().live;
    assert_eq!(world.send("a", PingKind::Success).take().await, Ok(Reply::Taken));
    let last = live.recv().await.unwrap().mark().unwrap();
    world.folder.kill();
    let next = World::begin(world.folder.clone());
    next.turns(3).await;
    let same = next.handle.follow(Some(last)).await.unwrap();
    assert!(same.complete);
    assert!(same.missed.iter().all(|told| told.news.seq > last));
    assert!(!next.handle.follow(Some(Seq(last.0 - 1))).await.unwrap().complete);
    assert!(!next.handle.follow(Some(Seq(last.0 + 1_000))).await.unwrap().complete);
}
