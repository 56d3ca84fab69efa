//! The loop on a folder in memory whose disk can be held, broken and filled. Time stands still until a test
//! moves it; what the disk's threads do is waited for, never slept for.

mod disk;
mod feed;
mod measures;
mod world;

use std::time::Duration;

use crate::engine::handle::Refused;
use crate::engine::tests::world::{World, secs};
use crate::machine::event::Reply;
use crate::machine::record::Record;
use crate::model::incident::Blindness;
use crate::model::ping::{PingKind, Target};

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_only_once_it_is_on_the_disk() {
    let world = World::with(&["a"], secs(60)).await;
    world.gate.close();
    let mut answer = world.send("a", PingKind::Success);
    world.until("the append waits", || world.gate.waiting() == 1).await;
    world.turns(10).await;
    assert!(answer.try_take().is_none());
    world.gate.open();
    assert_eq!(answer.take().await, Ok(Reply::Taken));
}

#[tokio::test(start_paused = true)]
async fn an_alert_leaves_only_once_its_incident_is_on_the_disk() {
    let world = World::with(&["a"], secs(60)).await;
    world.gate.close();
    let mut answer = world.send("a", PingKind::Fail);
    world.until("the append waits", || world.gate.waiting() == 1).await;
    world.turns(10).await;
    assert_eq!(world.delivered(), 0);
    world.gate.open();
    assert_eq!(answer.take().await, Ok(Reply::Taken));
    world.until("the alert leaves", || world.delivered() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_waits_for_a_ping_that_was_heard_before_it() {
    let world = World::with(&["heard", "silent"], secs(60)).await;
    world.pass(59).await;
    let guard = world.handle.hear(Target::Slug(world::slug("heard")), world.handle.stamp()).unwrap();
    world.pass(400).await;
    assert_eq!(world.status("heard").await, "late");
    assert_eq!(world.status("silent").await, "down");
    drop(guard);
    world.pass(1).await;
    assert_eq!(world.status("heard").await, "down", "the ping never came");
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_goes_before_the_loop_has_read_of_it_holds_no_deadline() {
    let world = World::with(&["a"], secs(60)).await;
    // Both letters lie there before the loop turns, and the second is read first.
    drop(world.handle.hear(Target::Slug(world::slug("a")), world.handle.stamp()).unwrap());
    world.pass(400).await;
    assert_eq!(world.status("a").await, "down");
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_refused_beyond_the_mailbox_and_nothing_accepted_is_lost() {
    let world = World::with(&["a"], secs(60)).await;
    let burst = super::handle::MAILBOX + 50;
    // Nothing here yields, so the loop cannot take any of them meanwhile.
    let mut answers: Vec<_> = (0..burst).map(|_| world.send_now("a", PingKind::Success)).collect();
    let mut taken = 0;
    for answer in &mut answers {
        match answer.take().await {
            Ok(reply) => {
                assert_eq!(reply, Reply::Taken);
                taken += 1;
            }
            Err(refused) => assert_eq!(refused, Refused::Full),
        }
    }
    assert_eq!(taken, super::handle::MAILBOX);
    let written = world.count(|record| matches!(record, Record::Pinged(_)));
    assert_eq!(written, taken);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_did_not_turn_says_that_it_was_blind() {
    let world = World::with(&["a"], secs(60)).await;
    world.jump(Duration::from_secs(90)).await;
    world.turns(3).await;
    let stalled =
        |record: &Record| matches!(record, Record::Blind { window, .. } if window.why == Blindness::Stalled);
    world.until("the window is written", || world.count(stalled) == 1).await;
    assert_ne!(world.status("a").await, "down", "the deadline fell into the window");
}

#[tokio::test(start_paused = true)]
async fn a_step_of_the_wall_clock_is_seen_within_a_second_and_moves_no_interval() {
    for by in [-3_600, 3_600, -100_000_000, 100_000_000, 1, -1] {
        let world = World::with(&["a"], secs(60)).await;
        world.pass(30).await;
        world.clock.step(by);
        world.pass(1).await;
        let stepped = |record: &Record| matches!(record, Record::Stepped { by: told, .. } if told.as_millis() == by * 1_000);
        world.until("the step is written", || world.count(stepped) == 1).await;
        world.pass(88).await;
        assert_ne!(world.status("a").await, "down", "set by {by}: not early");
        world.pass(1).await;
        assert_eq!(world.status("a").await, "down", "set by {by}: not late");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_was_heard_before_a_step_counts_from_when_it_was_heard() {
    for by in [-3_600, 3_600] {
        let world = World::with(&["a"], secs(60)).await;
        world.pass(30).await;
        // It lies in the mailbox while the clock is set.
        let mut answer = world.send_now("a", PingKind::Success);
        world.clock.step(by);
        assert_eq!(answer.take().await, Ok(Reply::Taken));
        assert_eq!(world.due_in("a").await, secs(60), "set by {by}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_loop_wakes_once_a_second_and_leaves_a_mark_every_thirty() {
    let world = World::with(&[], secs(60)).await;
    let alive = |record: &Record| matches!(record, Record::Alive { .. });
    let (looks, marks) = (world.clock.looks(), world.count(alive));
    for _ in 0..1_200 {
        world.jump(Duration::from_millis(100)).await;
    }
    let looks = world.clock.looks() - looks;
    world.until("the marks are written", || world.count(alive) - marks >= 3).await;
    let marks = world.count(alive) - marks;
    // Each mark wakes it once more, when the disk has it.
    assert!((110..=130).contains(&looks), "{looks} turns in 120 s");
    assert!((3..=4).contains(&marks), "{marks} marks in 120 s");
}

#[tokio::test(start_paused = true)]
async fn a_large_reload_lets_pings_in_between_its_pieces() {
    let world = World::with(&["a"], secs(60)).await;
    let names: Vec<String> = (0..20_000).map(|n| format!("h{n:05}")).collect();
    let mut slugs: Vec<&str> = names.iter().map(String::as_str).collect();
    slugs.insert(0, "a");
    let mut reload = world.reload(&slugs, secs(60));
    tokio::task::yield_now().await;
    let mut answer = world.send("a", PingKind::Success);
    assert_eq!(answer.take().await, Ok(Reply::Taken));
    assert!(reload.try_take().is_none(), "the ping did not wait for the reload");
    assert_eq!(reload.take().await.map(|done| done.added), Ok(20_000));
}
