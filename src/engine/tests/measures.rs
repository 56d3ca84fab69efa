//! What the engine counts and measures of itself.
#![allow(clippy::float_cmp, reason = "they are exact: counts, and instants of a clock that stands still")]

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::engine::handle::Refused;
use crate::engine::tests::world::{World, secs};
use crate::machine::event::Request;
use crate::machine::view::DeliveryFilter;
use crate::model::channel::ChannelName;
use crate::model::delivery::{Attempt, Verdict};
use crate::model::ping::PingKind;
use crate::store::memory::Operation;

/// All numbers as they are written for whoever asks.
fn numbers(world: &World) -> BTreeMap<String, f64> {
    let (mut registry, mut text) = (Registry::default(), String::new());
    world.handle.measures().register(&mut registry);
    encode(&mut text, &registry).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, n)| (name.to_owned(), n.parse().unwrap()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn facts_are_counted_once_whatever_the_disk_does() {
    let world = World::with(&["a"], secs(3_600)).await;
    let all = numbers(&world);
    assert_eq!(all["pings_total{kind=\"success\"}"], 0.0, "what has not happened is there, at nought");
    assert_eq!(all["deliveries_ended_total{channel=\"log\",status=\"given_up\"}"], 0.0);
    for kind in [PingKind::Start, PingKind::Success, PingKind::Exit(0), PingKind::Log] {
        world.send("a", kind).take().await.unwrap();
    }
    world.folder.fail(Operation::Write, u32::MAX);
    for _ in 0..3 {
        assert_eq!(world.send("a", PingKind::Fail).take().await, Err(Refused::NotDurable));
    }
    let all = numbers(&world);
    for (kind, count) in [("start", 1.0), ("success", 1.0), ("exit", 1.0), ("log", 1.0), ("fail", 3.0)] {
        assert_eq!(all[&format!("pings_total{{kind={kind:?}}}")], count, "{kind}");
    }
    assert_eq!(all["alerts_total{type=\"opened\"}"], 1.0);
    assert_eq!(all["journal_append_failures_total"], 1.0, "after the first nothing more is tried");
    world.folder.fail(Operation::Write, 0);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_counted_by_attempt_and_by_end() {
    let world = World::with(&["a"], secs(3_600)).await;
    world.send("a", PingKind::Fail).take().await.unwrap();
    world.until("the alert leaves", || world.delivered() == 1).await;
    let try_it = async |verdict: Verdict, sent: usize| {
        let at = world.handle.now();
        world.handle.attempted(1, Attempt { at, took: secs(1), verdict });
        world.turns(2).await;
        world.pass(3).await;
        world.until("it is tried again", || world.delivered() == sent).await;
    };
    try_it(Verdict::Failed { status: None, error: "refused".to_owned(), retry_after: None }, 1).await;
    let all = numbers(&world);
    // The log's deliveries are tried once.
    assert_eq!(all["delivery_attempts_total{channel=\"log\",outcome=\"failed\"}"], 1.0);
    assert_eq!(all["deliveries_ended_total{channel=\"log\",status=\"given_up\"}"], 1.0);
    assert_eq!(all["delivery_latency_seconds_count{channel=\"log\"}"], 0.0, "it never arrived");
    let given_up =
        world.handle.ask(|view| view.deliveries(&DeliveryFilter::default(), None, 1)).await.unwrap();
    let id = given_up.items[0].id;
    world.handle.request(Request::Retry { delivery: id }).await.unwrap();
    world.until("it goes again", || world.delivered() == 2).await;
    try_it(Verdict::Delivered { status: None }, 2).await;
    let all = numbers(&world);
    assert_eq!(all["deliveries_ended_total{channel=\"log\",status=\"delivered\"}"], 1.0);
    assert_eq!(all["delivery_latency_seconds_count{channel=\"log\"}"], 1.0);
    assert_eq!(all["delivery_latency_seconds_sum{channel=\"log\"}"], 3.0, "from the queueing on");
}

#[tokio::test(start_paused = true)]
async fn the_disk_is_measured_batch_by_batch() {
    let world = World::with(&["a"], secs(3_600)).await;
    let before = numbers(&world);
    world.send("a", PingKind::Success).take().await.unwrap();
    let after = numbers(&world);
    let grown = |name: &str| after[name] - before[name];
    assert_eq!(grown("journal_append_seconds_count"), 1.0);
    assert_eq!(grown("journal_fsync_seconds_count"), 1.0);
    assert_eq!(grown("journal_records_total"), 1.0);
    assert!(after["journal_append_seconds_sum"] >= after["journal_fsync_seconds_sum"]);
    world.handle.stop().await;
    assert_eq!(numbers(&world)["snapshot_seconds_count"], 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_turns_late_says_how_late_and_that_it_was_blind() {
    let world = World::with(&["a"], secs(3_600)).await;
    world.pass(10).await;
    let calm = numbers(&world);
    assert!(calm["loop_lag_seconds_count"] >= 10.0, "every second at least");
    assert_eq!(calm["loop_lag_seconds_sum"], 0.0);
    world.jump(Duration::from_secs(90)).await;
    world.turns(3).await;
    let late = numbers(&world);
    assert_eq!(late["loop_lag_seconds_sum"], 89.0, "it wished to turn after a second");
    assert!((89.0..=91.0).contains(&late["blind_seconds_total{why=\"stalled\"}"]));
}

/// Letters that come all the time must not hide that the look at the clock comes late.
#[tokio::test(start_paused = true)]
async fn a_loop_that_is_never_idle_is_measured_too() {
    let world = World::with(&["a"], secs(3_600)).await;
    let before = numbers(&world)["loop_lag_seconds_count"];
    for _ in 0..30 {
        world.jump(Duration::from_millis(100)).await;
        world.turns(1).await;
    }
    let grown = numbers(&world)["loop_lag_seconds_count"] - before;
    assert!((2.0..=4.0).contains(&grown), "once a second: {grown}");
}

#[tokio::test(start_paused = true)]
async fn a_test_that_reaches_nobody_is_no_alert_that_reached_nobody() {
    let world = World::with(&["a"], secs(3_600)).await;
    world.handle.request(Request::Test { channel: ChannelName::new(ChannelName::LOG) }).await.unwrap();
    world.until("the test leaves", || world.delivered() == 1).await;
    let verdict = Verdict::Failed { status: None, error: "refused".to_owned(), retry_after: None };
    world.handle.attempted(1, Attempt { at: world.handle.now(), took: secs(1), verdict });
    world.turns(2).await;
    world.pass(3).await;
    let all = numbers(&world);
    assert_eq!(all["alerts_total{type=\"test\"}"], 1.0);
    assert_eq!(all["delivery_attempts_total{channel=\"log\",outcome=\"failed\"}"], 1.0);
    assert_eq!(all["deliveries_ended_total{channel=\"log\",status=\"given_up\"}"], 0.0);
}
