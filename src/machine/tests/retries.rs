//! Deliveries that somebody wants again, and channels that somebody tries.

use std::sync::Arc;

use super::desk::{DAY, Desk, HOUR, MINUTE, at, delivered, failed, slug};
use super::requests::{desk, draft};
use crate::machine::event::{Conflict, Event, Reply, Request};
use crate::model::channel::ChannelName;
use crate::model::delivery::{Delivery, DeliveryState, Verdict};
use crate::model::heartbeat::Draft;
use crate::model::id::DeliveryId;
use crate::model::incident::Alert;
use crate::model::ping::PingKind::{Fail, Success};

fn refused() -> Verdict {
    Verdict::Refused { status: Some(410), error: "gone".to_owned() }
}

/// An incident that was opened and resolved: its `opened` was given up, its `resolved` is under way.
fn opened_and_resolved(desk: &mut Desk) -> (Arc<Delivery>, Arc<Delivery>) {
    desk.ping("made", Fail);
    desk.ping("made", Success);
    let opened = desk.sent[0].clone();
    desk.answer(&opened, refused());
    let resolved = desk.sent[0].clone();
    (opened, resolved)
}

#[test]
fn a_delivery_that_was_given_up_goes_before_the_younger_ones() {
    let mut desk = desk();
    let (opened, resolved) = opened_and_resolved(&mut desk);
    assert_eq!((desk.sent.len(), resolved.alert), (1, Alert::Resolved));
    desk.answer(&resolved, failed());
    assert_eq!(desk.sent.len(), 0);

    assert_eq!(desk.retry(&opened), Reply::Queued(opened.id));
    assert_eq!(desk.sent.iter().map(|d| d.id).collect::<Vec<_>>(), [opened.id], "the resolved waits for it");
    desk.wait_until(MINUTE);
    assert_eq!(desk.sent.len(), 1);
    desk.answer_all(&delivered());
    assert_eq!(desk.sent.iter().map(|d| d.id).collect::<Vec<_>>(), [resolved.id]);
    desk.answer_all(&delivered());
    assert_eq!(desk.outbox(), []);
    assert_eq!(desk.retry(&opened), Reply::Conflict(Conflict::Delivered));
    desk.assert_replays();
}

#[test]
fn a_delivery_that_comes_back_waits_for_the_one_under_way_and_goes_before_it_tries_again() {
    for verdict in [failed(), delivered()] {
        let mut desk = desk();
        let (opened, resolved) = opened_and_resolved(&mut desk);
        desk.retry(&opened);
        desk.retry(&resolved);
        assert_eq!(desk.sent.iter().map(|d| d.id).collect::<Vec<_>>(), [resolved.id], "one at a time");
        let again = verdict == failed();
        desk.answer(&resolved, verdict);
        assert_eq!(desk.sent.iter().map(|d| d.id).collect::<Vec<_>>(), [opened.id]);
        desk.answer_all(&delivered());
        assert_eq!(desk.sent.len(), usize::from(again), "and the other one after it");
        desk.assert_replays();
    }
}

#[test]
fn a_delivery_that_waits_is_tried_now_and_what_is_before_it() {
    let mut desk = desk();
    desk.ping("made", Fail);
    desk.ping("made", Success);
    for _ in 0..8 {
        desk.answer_all(&failed());
        let next = desk.machine.next_wakeup().unwrap();
        desk.now = desk.now.max(next);
        desk.handle(Event::Tick);
    }
    desk.answer_all(&failed());
    assert_eq!((desk.sent.len(), desk.outbox().len()), (0, 2));
    let resolved = desk.machine.state().core.outbox.values().nth(1).unwrap().clone();
    assert_eq!(desk.retry(&resolved), Reply::Queued(resolved.id));
    assert_eq!(desk.sent.iter().map(|d| d.alert).collect::<Vec<_>>(), [Alert::Opened]);
    let before = desk.sent.len();
    desk.retry(&resolved);
    assert_eq!(desk.sent.len(), before, "what is under way is not sent twice");
    desk.answer_all(&delivered());
    assert_eq!(desk.sent.iter().map(|d| d.id).collect::<Vec<_>>(), [resolved.id]);
    assert_eq!(desk.request(Request::Retry { delivery: DeliveryId(uuid::Uuid::nil()) }), Reply::Unknown);
    desk.assert_replays();
}

#[test]
fn a_revived_delivery_has_its_time_again_and_survives_a_restart() {
    let mut desk = desk();
    desk.ping("made", Fail);
    let opened = desk.sent[0].clone();
    desk.answer(&opened, refused());
    desk.now = at(3 * DAY);
    desk.retry(&opened);
    desk.answer_all(&failed());
    let waiting = desk.machine.state().delivery(opened.id).unwrap().clone();
    assert!(matches!(waiting.state, DeliveryState::Waiting { .. }), "{waiting:?}");
    assert_eq!(waiting.give_up_at, at(4 * DAY));
    desk.kill();
    desk.wake();
    desk.hear();
    assert!(desk.sent.iter().any(|delivery| delivery.id == opened.id));
    desk.channels.clear();
    desk.reload_same();
    desk.answer_all(&failed());
    desk.handle(Event::Tick);
    assert_eq!(desk.retry(&opened), Reply::Conflict(Conflict::ChannelGone));
    desk.assert_replays();
}

#[test]
fn a_test_is_tried_once() {
    let mut desk = desk();
    let test = |name: &str| Request::Test { channel: ChannelName::new(name) };
    assert_eq!(desk.request(test("nobody")), Reply::Unknown);
    let Reply::Queued(id) = desk.request(test("ops")) else { panic!("it is a channel") };
    let payload: serde_json::Value = serde_json::from_str(&desk.sent[0].payload).unwrap();
    assert_eq!((&payload["type"], &payload["data"]["heartbeat"]["slug"]), (&"test".into(), &"sample".into()));
    desk.answer_all(&failed());
    assert!(matches!(desk.machine.state().delivery(id).unwrap().state, DeliveryState::GivenUp { .. }));
    assert_eq!(desk.request(Request::Retry { delivery: id }), Reply::Queued(id));
    desk.answer_all(&delivered());
    assert!(matches!(desk.machine.state().delivery(id).unwrap().state, DeliveryState::Delivered { .. }));
    desk.assert_replays();
}

#[test]
fn a_test_has_the_keys_of_an_alert() {
    let mut desk = desk();
    desk.ping("made", Fail);
    desk.request(Request::Test { channel: ChannelName::new("ops") });
    let keys = |delivery: &Delivery| {
        let payload: serde_json::Value = serde_json::from_str(&delivery.payload).unwrap();
        let keys = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        let data = &payload["data"];
        [keys(&payload), keys(data), keys(&data["incident"]), keys(&data["heartbeat"])]
    };
    assert_eq!(keys(&desk.sent[0]), keys(&desk.sent[1]));
}

#[test]
fn what_was_given_up_is_remembered_longer_than_what_arrived() {
    let mut desk = desk();
    desk.ping("made", Fail);
    let opened = desk.sent[0].clone();
    desk.answer(&opened, refused());
    for _ in 0..1_100 {
        desk.request(Request::Test { channel: ChannelName::new("ops") });
        desk.answer_all(&delivered());
    }
    let state = desk.machine.state();
    assert_eq!(state.core.ended.len(), 1_000);
    assert!(state.delivery(opened.id).is_some());
    for _ in 0..1_100 {
        desk.request(Request::Test { channel: ChannelName::new("ops") });
        desk.answer_all(&failed());
    }
    desk.request(Request::Test { channel: ChannelName::new("ops") });
    desk.answer_all(&delivered());
    let state = desk.machine.state();
    let arrived = state.core.ended.iter().any(|d| matches!(d.state, DeliveryState::Delivered { .. }));
    assert!(state.delivery(opened.id).is_none() && arrived, "they do not take all the room");
}

#[test]
fn what_was_sent_of_a_renamed_heartbeat_goes_along() {
    let mut desk = desk();
    let (opened, resolved) = opened_and_resolved(&mut desk);
    let uuid = desk.beat("made").heartbeat.uuid;
    desk.delete("made");
    desk.create("other", Draft { uuid: Some(uuid), ..draft(HOUR) });
    desk.retry(&opened);
    desk.answer(&resolved, failed());
    assert_eq!(desk.sent.iter().map(|d| d.id).collect::<Vec<_>>(), [opened.id], "order holds");
    assert_eq!(desk.sent[0].slug, Some(slug("other")));
    let filter = crate::machine::view::DeliveryFilter {
        heartbeat: Some("other".to_owned()),
        ..crate::machine::view::DeliveryFilter::default()
    };
    assert_eq!(desk.machine.view(desk.now).deliveries(&filter, None, 10).items.len(), 2);
    desk.assert_replays();
}

#[test]
fn a_wish_while_an_attempt_is_under_way_is_remembered() {
    let mut desk = desk();
    desk.ping("made", Fail);
    let opened = desk.sent[0].clone();
    desk.retry(&opened);
    assert_eq!(desk.sent.len(), 1);
    desk.answer(&opened, failed());
    assert_eq!(desk.sent.len(), 1, "it is tried again at once");
    desk.answer(&opened, failed());
    assert_eq!(desk.sent.len(), 0, "and only once");
}

#[test]
fn a_few_tests_of_a_channel_may_wait() {
    let mut desk = desk();
    let test = || Request::Test { channel: ChannelName::new("ops") };
    for _ in 0..8 {
        assert!(matches!(desk.request(test()), Reply::Queued(_)));
    }
    assert_eq!(desk.request(test()), Reply::Conflict(Conflict::TestsWait));
    desk.answer_all(&failed());
    assert!(matches!(desk.request(test()), Reply::Queued(_)));
}
