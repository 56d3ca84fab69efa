//! A disk that fails, hangs and is full, and what a life leaves to the next.

use crate::engine::Pace;
use crate::engine::handle::Refused;
use crate::engine::ledger::HELD_MAX;
use crate::engine::tests::world::{World, secs, slug};
use crate::machine::event::{Reply, Request};
use crate::machine::record::Record;
use crate::model::ping::{PingKind, Target};
use crate::store::memory::{MemoryFolder, Operation};

/// Lets seconds pass until the journal can be written again.
async fn heals(world: &World) {
    let began = std::time::Instant::now();
    while world.handle.journal().borrow().error.is_some() {
        assert!(began.elapsed().as_secs() < 20, "the journal did not heal");
        world.pass(1).await;
        world.breathe().await;
    }
}

async fn fails_then_heals(operation: Operation, times: u32) {
    let world = World::with(&["a", "b"], secs(3_600)).await;
    world.folder.fail(operation, times);
    assert_eq!(world.send("a", PingKind::Fail).take().await, Err(Refused::NotDurable));
    world.until("the alert leaves from memory", || world.delivered() == 1).await;
    assert!(world.handle.journal().borrow().error.is_some());
    assert_eq!(world.status("a").await, "down", "the ping counts");
    assert_eq!(world.send("b", PingKind::Fail).take().await, Err(Refused::NotDurable));
    world.until("the second alert leaves too", || world.delivered() == 2).await;
    world.pass(2).await;
    world.folder.fail(operation, times.min(1));
    world.pass(2).await;
    world.folder.fail(operation, 0);
    heals(&world).await;
    assert_eq!(world.send("b", PingKind::Success).take().await, Ok(Reply::Taken));
    world.folder.kill();
    let next = World::begin(world.folder.clone());
    assert_eq!(next.status("a").await, "down");
    assert_eq!(next.status("b").await, "up");
}

#[tokio::test(start_paused = true)]
async fn one_failed_sync_is_healed_by_a_snapshot() {
    fails_then_heals(Operation::Sync, 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_refuses_snapshots_too_until_there_is_room() {
    fails_then_heals(Operation::Write, u32::MAX).await;
}

/// The second time there is nothing left to be written, which is no reason to call it safe.
#[tokio::test(start_paused = true)]
async fn a_change_that_is_asked_for_again_while_the_disk_fails_is_not_called_done() {
    let world = World::with(&["a"], secs(3_600)).await;
    world.folder.fail(Operation::Write, u32::MAX);
    let pause = || world.handle.request(Request::Pause { target: Target::Slug(slug("a")), span: None });
    for _ in 0..3 {
        assert_eq!(pause().await, Err(Refused::NotDurable));
    }
    let nobody = Request::Resume { target: Target::Slug(slug("nobody")) };
    assert_eq!(world.handle.request(nobody).await, Ok(Reply::Unknown), "a refusal promises nothing");
    world.folder.fail(Operation::Write, 0);
    heals(&world).await;
    assert_eq!(pause().await, Ok(Reply::Changed(slug("a"))));
    world.folder.kill();
    assert_eq!(World::begin(world.folder.clone()).status("a").await, "paused");
}

#[tokio::test(start_paused = true)]
async fn soon_after_a_heal_a_damaged_snapshot_loses_nothing() {
    let world = World::with(&["a"], secs(3_600)).await;
    world.folder.fail(Operation::Sync, 1);
    assert_eq!(world.send("a", PingKind::Fail).take().await, Err(Refused::NotDurable));
    heals(&world).await;
    let healed = world.folder.bytes("snapshot.json");
    world.pass(10).await;
    let second = || healed.is_some() && world.folder.bytes("snapshot.previous.json") == healed;
    world.until("a second snapshot is there", second).await;
    world.folder.put("snapshot.json", b"damaged");
    world.folder.kill();
    let next = World::begin(world.folder.clone());
    assert_eq!(next.status("a").await, "down");
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_is_told_and_everything_held_follows() {
    let world = World::with(&["a", "b"], secs(3_600)).await;
    world.gate.close();
    let mut first = world.send("a", PingKind::Fail);
    world.until("the append waits", || world.gate.waiting() == 1).await;
    let mut gathered = world.send("b", PingKind::Success);
    world.pass(9).await;
    assert!(first.try_take().is_none());
    assert_eq!(world.delivered(), 0);
    world.pass(3).await;
    assert_eq!(first.take().await, Err(Refused::NotDurable));
    assert_eq!(gathered.take().await, Err(Refused::NotDurable));
    assert!(world.handle.journal().borrow().error.is_some());
    assert_eq!(world.delivered(), 1, "the alert does not wait for the disk");
    assert_eq!(world.send("b", PingKind::Success).take().await, Err(Refused::NotDurable));
    world.gate.open();
    let pings = |record: &Record| matches!(record, Record::Pinged(_));
    world.until("all that was held is written", || world.count(pings) == 3).await;
    println!("a disk that hangs for 12 s under 3 pings: 1 alert told meanwhile, 0 lost");
    assert!(world.handle.journal().borrow().error.is_none());
    assert_eq!(world.send("a", PingKind::Success).take().await, Ok(Reply::Taken));
}

/// As many as fit follow when the disk takes them; with one more none is kept for that, and a snapshot has them all.
#[tokio::test(start_paused = true)]
async fn what_a_hanging_disk_does_not_take_is_held_up_to_a_bound_and_never_lost() {
    for (burst, follow) in [(HELD_MAX, HELD_MAX), (HELD_MAX + 1, 0)] {
        let world = World::with(&["a"], secs(3_600)).await;
        world.gate.close();
        let mut first = world.send("a", PingKind::Success);
        world.until("the append waits", || world.gate.waiting() == 1).await;
        world.pass(12).await;
        assert_eq!(first.take().await, Err(Refused::NotDurable));
        let mut answers: Vec<_> = (0..burst).map(|_| world.send_now("a", PingKind::Success)).collect();
        for answer in &mut answers {
            assert_eq!(answer.take().await, Err(Refused::NotDurable));
        }
        world.gate.open();
        heals(&world).await;
        assert_eq!(world.send("a", PingKind::Success).take().await, Ok(Reply::Taken));
        assert_eq!(world.count(|record| matches!(record, Record::Pinged(_))), 1 + follow + 1);
        world.folder.kill();
        let next = World::begin(world.folder.clone());
        let total = next.handle.ask(|view| view.heartbeat("a").map(|a| a.pings_total)).await;
        assert_eq!(total, Ok(Some(burst as u64 + 2)));
    }
}

/// The disk is looked after when it is time, not when the loop happens to look at the clock.
#[tokio::test(start_paused = true)]
async fn a_lone_append_that_hangs_is_told_after_ten_seconds_at_any_pace() {
    let hour = std::time::Duration::from_secs(3_600);
    let world = World::begin_at(MemoryFolder::new(), Pace { look_every: hour, mark_every: hour });
    world.reload(&["a"], secs(86_400)).take().await.unwrap();
    world.handle.hearing().await.unwrap();
    world.gate.close();
    let mut answer = world.send("a", PingKind::Success);
    world.until("the append waits", || world.gate.waiting() == 1).await;
    world.jump(std::time::Duration::from_millis(9_900)).await;
    assert!(answer.try_take().is_none());
    world.jump(std::time::Duration::from_millis(200)).await;
    assert_eq!(answer.take().await, Err(Refused::NotDurable));
    world.gate.open();
    let good = || world.handle.journal().borrow().error.is_none();
    world.until("it can be written again", good).await;
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_written_when_something_changed_and_not_for_signs_of_life() {
    let world = World::with(&["a"], secs(86_400)).await;
    let snapshot = || world.folder.bytes("snapshot.json");
    assert!(snapshot().is_none());
    world.pass(301).await;
    world.until("the first snapshot is there", || snapshot().is_some()).await;
    world.pass(5).await;
    let first = snapshot();
    world.pass(400).await;
    assert_eq!(snapshot(), first, "nothing but marks since");
    // The disk's thread lives in real time: while minutes pass in an instant it can seem to hang.
    heals(&world).await;
    assert_eq!(world.send("a", PingKind::Success).take().await, Ok(Reply::Taken));
    world.pass(301).await;
    world.until("a second one is there", || snapshot() != first).await;
}

#[tokio::test(start_paused = true)]
async fn an_end_in_good_order_leaves_everything_in_a_snapshot() {
    let world = World::with(&["a"], secs(3_600)).await;
    assert_eq!(world.send("a", PingKind::Fail).take().await, Ok(Reply::Taken));
    world.handle.stop().await;
    assert_eq!(world.send("a", PingKind::Success).take().await, Err(Refused::Stopped));
    assert_eq!(world.count(|record| matches!(record, Record::Stopped { .. })), 1);
    assert!(world.folder.bytes("snapshot.json").is_some());
    let next = World::begin(world.folder.clone());
    assert_eq!(next.status("a").await, "down");
}

#[tokio::test(start_paused = true)]
async fn a_kill_leaves_every_acknowledged_ping_in_the_journal() {
    let world = World::with(&["a"], secs(3_600)).await;
    assert_eq!(world.send("a", PingKind::Fail).take().await, Ok(Reply::Taken));
    assert!(world.folder.bytes("snapshot.json").is_none());
    world.folder.crash(7);
    let next = World::begin(world.folder.clone());
    assert_eq!(next.status("a").await, "down");
}

#[tokio::test(start_paused = true)]
async fn an_end_while_the_disk_hangs_does_not_wait_for_ever() {
    let world = World::with(&["a"], secs(3_600)).await;
    world.gate.close();
    let _answer = world.send("a", PingKind::Success);
    world.until("the append waits", || world.gate.waiting() == 1).await;
    let handle = world.handle.clone();
    let ended = tokio::spawn(async move { handle.stop().await });
    for _ in 0..40 {
        world.jump(std::time::Duration::from_secs(1)).await;
    }
    world.until("it has ended", || ended.is_finished()).await;
}
