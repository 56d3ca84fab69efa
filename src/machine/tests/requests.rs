//! What somebody wants by the API, and what the machine makes of it.

use super::desk::{DAY, Desk, HOUR, MINUTE, at, delivered, every, failed, slug};
use crate::machine::event::{Conflict, Edition, Event, Expected, Reply, Request};
use crate::machine::record::Record;
use crate::model::channel::ChannelName;
use crate::model::delivery::{Delivery, DeliveryState, Verdict};
use crate::model::heartbeat::{Declaration, Draft, Source};
use crate::model::id::DeliveryId;
use crate::model::incident::{Alert, Reason};
use crate::model::ping::PingKind::{Fail, Start, Success};
use crate::model::ping::Target;
use crate::model::schedule::Timing;
use crate::model::time::{Span, Timestamp};

fn draft(secs: i64) -> Draft {
    let mut draft = Draft::new(Timing::Interval(Span::from_secs(secs)));
    draft.rest.channels = Some(vec![ChannelName::new("ops")]);
    draft
}

fn target(name: &str) -> Target {
    Target::Slug(slug(name))
}

impl Desk {
    fn request(&mut self, request: Request) -> Reply {
        self.handle(Event::Request(Box::new(request)))
    }

    fn replace(&mut self, name: &str, draft: Draft, expected: Expected) -> Reply {
        self.request(Request::Replace { target: target(name), draft, expected })
    }

    fn delete(&mut self, name: &str) -> Reply {
        self.request(Request::Delete { target: target(name), expected: Expected::Anything })
    }

    fn pause(&mut self, name: &str, span: Option<Span>) -> Reply {
        self.request(Request::Pause { target: target(name), span })
    }

    fn retry(&mut self, delivery: &Delivery) -> Reply {
        self.request(Request::Retry { delivery: delivery.id })
    }

    fn edition(&self, name: &str) -> Edition {
        self.machine.view(self.now).edition(name).unwrap().1
    }

    fn outbox(&self) -> Vec<Alert> {
        self.machine.state().core.outbox.values().map(|delivery| delivery.alert).collect()
    }
}

fn refused() -> Verdict {
    Verdict::Refused { status: Some(410), error: "gone".to_owned() }
}

/// A heartbeat of the config and one of the API.
fn desk() -> Desk {
    let mut desk = Desk::with_channels(&[every("declared", DAY, HOUR)], &["ops"]);
    assert_eq!(desk.create("made", draft(HOUR)), Reply::Created(slug("made")));
    desk
}

#[test]
fn what_the_config_declares_is_not_changed_by_the_api() {
    let mut desk = desk();
    let declared = Reply::Conflict(Conflict::Declared);
    assert_eq!(desk.replace("declared", draft(HOUR), Expected::Anything), declared);
    assert_eq!(desk.delete("declared"), declared);
    let (target, edition) = (target("declared"), desk.edition("declared"));
    assert_eq!(desk.request(Request::Amend { target, draft: draft(HOUR), edition }), declared);
    assert_eq!(desk.beat("declared").heartbeat.timing, Timing::Interval(Span::from_secs(DAY)));
}

#[test]
fn a_change_that_was_made_for_something_else_is_stale() {
    let mut desk = desk();
    let first = desk.edition("made");
    assert_eq!(
        desk.replace("made", draft(2 * HOUR), Expected::OneOf(vec![first])),
        Reply::Changed(slug("made"))
    );
    let second = desk.edition("made");
    assert_ne!(first, second);
    for expected in [Expected::OneOf(vec![first]), Expected::OneOf(Vec::new()), Expected::Nothing] {
        assert_eq!(desk.replace("made", draft(HOUR), expected), Reply::Conflict(Conflict::Stale));
    }
    for expected in [Expected::Something, Expected::OneOf(vec![first])] {
        assert_eq!(desk.replace("absent", draft(HOUR), expected), Reply::Conflict(Conflict::Stale));
    }
    assert_eq!(desk.replace("absent", draft(HOUR), Expected::Nothing), Reply::Created(slug("absent")));
    desk.ping("made", Success);
    desk.pause("made", None);
    assert_eq!(desk.edition("made"), second, "pings and pauses change nothing that is said of it");
    desk.kill();
    assert_eq!(desk.edition("made"), second, "it is the same after a restart");
}

#[test]
fn an_edit_by_the_api_never_alerts_by_itself() {
    let mut desk = desk();
    desk.ping("made", Success);
    desk.wait_until(HOUR - 1);
    desk.replace("made", draft(MINUTE), Expected::Anything);
    assert_eq!(desk.beat("made").due, Some(at(HOUR - 1 + MINUTE)), "due counts from the change");
    assert_eq!(desk.alerts("made"), []);
    desk.assert_replays();
}

#[test]
fn what_passed_before_it_was_asked_for_passed() {
    let mut desk = desk();
    desk.now = at(HOUR + HOUR);
    // No tick has come yet: the loop was busy.
    desk.pause("made", None);
    assert_eq!(
        desk.alerts("made"),
        [Alert::Opened, Alert::Resolved],
        "its deadline passed, and then it was paused"
    );
    assert_eq!(desk.resolved("made")[0].opened_at, at(2 * HOUR));
    assert_eq!(desk.resolved("made")[0].reason, Some(Reason::Paused));
}

#[test]
fn a_pause_of_the_api_outlives_reloads_and_restarts_and_ends_at_its_time() {
    let mut desk = desk();
    desk.ping("declared", Start);
    assert_eq!(desk.pause("declared", Some(Span::from_secs(2 * HOUR))), Reply::Changed(slug("declared")));
    assert_eq!(desk.pause("declared", None), Reply::Changed(slug("declared")));
    assert_eq!(desk.beat("declared").paused_until, Some(at(2 * HOUR)), "it was paused already");
    desk.reload_same();
    desk.restart_at(HOUR);
    assert_eq!(desk.status("declared"), "paused");
    desk.wait_until(2 * HOUR);
    assert_eq!((desk.status("declared"), desk.beat("declared").due), ("up", Some(at(2 * HOUR + DAY))));
    desk.pause("declared", None);
    let resume = || Request::Resume { target: target("declared") };
    desk.request(resume());
    let before = desk.records.len();
    desk.request(resume());
    assert_eq!(desk.records.len(), before, "it is not paused any more");
    assert_eq!(desk.pause("nobody", None), Reply::Unknown);
    desk.assert_replays();
}

#[test]
fn a_heartbeat_that_was_deleted_resolves_and_made_again_has_its_history() {
    let mut desk = desk();
    desk.ping("made", Fail);
    assert_eq!(desk.delete("made"), Reply::Deleted);
    assert_eq!(desk.alerts("made"), [Alert::Opened, Alert::Resolved]);
    assert_eq!(desk.delete("made"), Reply::Unknown);
    assert_eq!(desk.ping("made", Success), Reply::Unknown);
    assert_eq!(desk.create("made", draft(HOUR)), Reply::Created(slug("made")));
    assert_eq!((desk.status("made"), desk.view("made").pings_total), ("up", 1));
    desk.assert_replays();
}

#[test]
fn the_config_adopts_what_the_api_made_with_its_url_and_history() {
    let mut desk = desk();
    desk.ping("made", Fail);
    let uuid = desk.beat("made").heartbeat.uuid;
    desk.reload(&[every("declared", DAY, HOUR), every("made", 2 * HOUR, HOUR)]);
    let beat = desk.beat("made");
    assert_eq!((beat.source, beat.heartbeat.uuid, beat.pings_total), (Source::Config, uuid, 1));
    assert!(beat.incident.is_some());
    assert_eq!(desk.delete("made"), Reply::Conflict(Conflict::Declared));
    desk.assert_replays();
}

#[test]
fn the_url_of_a_deleted_heartbeat_may_be_given_to_another() {
    let mut desk = desk();
    let uuid = desk.beat("made").heartbeat.uuid;
    let with_url = || Draft { uuid: Some(uuid), ..draft(HOUR) };
    assert_eq!(desk.create("other", with_url()), Reply::Conflict(Conflict::Uuid), "it is in use");
    desk.ping("made", Fail);
    desk.delete("made");
    assert_eq!(desk.create("other", with_url()), Reply::Created(slug("other")));
    assert_eq!(desk.view("other").pings_total, 1, "a rename: its history came along");
    desk.assert_replays();
}

#[test]
fn a_delivery_that_was_given_up_goes_before_the_younger_ones() {
    let mut desk = desk();
    desk.ping("made", Fail);
    desk.ping("made", Success);
    let opened = desk.sent[0].clone();
    desk.answer(&opened, refused());
    let resolved = desk.sent[0].clone();
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
        desk.ping("made", Fail);
        desk.ping("made", Success);
        let opened = desk.sent[0].clone();
        desk.answer(&opened, refused());
        let resolved = desk.sent[0].clone();
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
fn incidents_are_found_in_order_also_after_a_restart_and_for_those_that_left() {
    let mut desk = desk();
    for round in 0..60 {
        desk.now = at(round * 10);
        desk.ping("made", Fail);
        desk.now = at(round * 10 + 5);
        desk.ping("declared", Fail);
        desk.ping("made", Success);
        desk.ping("declared", Success);
    }
    desk.ping("made", Fail);
    desk.delete("made");
    let listed = |desk: &Desk| -> Vec<(Timestamp, String)> {
        let page = desk.machine.view(desk.now).incidents(
            &crate::machine::view::IncidentFilter::default(),
            None,
            1_000,
        );
        page.items.into_iter().map(|incident| (incident.opened_at, incident.heartbeat.to_string())).collect()
    };
    let all = listed(&desk);
    assert_eq!(all.len(), 100, "fifty of each heartbeat");
    assert!(all.is_sorted_by(|newer, older| newer.0 >= older.0), "{all:?}");
    let newest: Vec<&str> = all[..2].iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!((all[0].0, all[1].0), (at(595), at(595)));
    assert!(newest.contains(&"made") && newest.contains(&"declared"), "{newest:?}");
    desk.kill();
    assert_eq!(listed(&desk), all);
    desk.wake();
    desk.hear();
    desk.wait_until(31 * DAY);
    assert!(listed(&desk).iter().all(|(_, name)| name == "declared"), "what was forgotten is gone");
}

#[test]
fn days_count_what_the_journal_tells() {
    let declared: Declaration = Declaration { max_runtime: Span::from_secs(MINUTE), ..every("job", HOUR, 0) };
    let mut desk = Desk::new(&[declared]);
    desk.ping("job", Start);
    desk.now = at(10);
    desk.ping("job", Success);
    desk.wait_until(10 + HOUR);
    assert_eq!(desk.status("job"), "down");
    desk.ping("job", Start);
    desk.wait_until(10 + HOUR + MINUTE);
    desk.now = at(10 + HOUR + 2 * MINUTE);
    desk.ping("job", Success);
    let stats = desk.machine.view(desk.now).stats("job").unwrap();
    let day = &stats.days[0];
    assert_eq!((day.date.as_str(), day.missed, day.good_periods, day.bad_periods), ("2026-01-01", 1, 1, 2));
    assert_eq!((day.runs.count, day.runs.success, day.runs.overran), (2, 1, 1));
    let (exact, told) = (stats.runs.duration_ms.unwrap(), day.runs.duration_ms.unwrap());
    assert_eq!((exact.min, exact.p50, exact.p95, exact.max), (10_000, 10_000, 120_000, 120_000));
    assert_eq!((told.min, told.max, told.count), (exact.min, exact.max, exact.count));
    assert!((told.p50 - exact.p50).abs() <= exact.p50 / 64, "{told:?}");
    assert!(desk.records.iter().any(|record| matches!(record, Record::RunOverran { .. })));
    desk.assert_replays();
}
