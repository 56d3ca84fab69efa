//! Who is told when: order, places, retries, and what a restart does to it.

use super::desk::{DAY, Desk, HOUR, at, delivered, every, failed};
use crate::machine::effect::{Effect, Tale};
use crate::machine::record::{Next, Record};
use crate::model::channel::ChannelName;
use crate::model::delivery::{Delivery, DeliveryState, Verdict};
use crate::model::heartbeat::Declaration;
use crate::model::incident::Alert;
use crate::model::ping::PingKind::{Fail, Success};
use crate::model::time::Span;

fn to(name: &str, channels: &[&str]) -> Declaration {
    let channels = channels.iter().map(|name| ChannelName::new(name)).collect();
    Declaration { channels, ..every(name, DAY, HOUR) }
}

fn said(desk: &Desk) -> Vec<(String, Alert)> {
    desk.sent.iter().map(|delivery| (delivery.channel.to_string(), delivery.alert)).collect()
}

fn gave_up(desk: &Desk) -> usize {
    desk.effects.iter().filter(|effect| matches!(effect, Effect::Tell(Tale::GaveUp { .. }))).count()
}

fn last_try(desk: &Desk) -> Next {
    let next = desk
        .records
        .iter()
        .rev()
        .find_map(|record| if let Record::Attempted { next, .. } = record { Some(*next) } else { None });
    next.expect("something was tried")
}

#[test]
fn one_delivery_per_channel_in_the_same_batch_as_the_incident() {
    let mut desk = Desk::with_channels(&[to("job", &["a", "b"])], &["a", "b", "c"]);
    let before = desk.records.len();
    desk.ping("job", Fail);
    assert!(desk.records[before..].iter().any(|record| matches!(record, Record::IncidentOpened(_))));
    assert!(desk.records[before..].iter().any(|record| matches!(record, Record::Alerted(_))));
    assert_eq!(said(&desk), [("a".to_owned(), Alert::Opened), ("b".to_owned(), Alert::Opened)]);
    assert_ne!(desk.sent[0].id, desk.sent[1].id);
}

#[test]
fn no_channel_means_the_log() {
    let mut desk = Desk::new(&[to("job", &[])]);
    desk.ping("job", Fail);
    assert_eq!(said(&desk), [("log".to_owned(), Alert::Opened)]);
}

#[test]
fn a_channel_that_is_gone_falls_to_the_log_with_a_warning() {
    let mut desk = Desk::new(&[to("job", &["gone"])]);
    desk.ping("job", Fail);
    assert_eq!(said(&desk), [("log".to_owned(), Alert::Opened)]);
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Tell(Tale::ChannelGone { .. }))));
}

#[test]
fn resolved_never_overtakes_opened_and_both_are_sent() {
    let mut desk = Desk::with_channels(&[to("job", &["a"])], &["a"]);
    desk.ping("job", Fail);
    desk.ping("job", Success);
    assert_eq!(said(&desk), [("a".to_owned(), Alert::Opened)]);
    desk.answer_all(&failed());
    assert_eq!(said(&desk), [], "neither goes while the first waits");
    desk.wait_until(1);
    assert_eq!(said(&desk), [("a".to_owned(), Alert::Opened)]);
    desk.answer_all(&delivered());
    assert_eq!(said(&desk), [("a".to_owned(), Alert::Resolved)]);
    desk.answer_all(&delivered());
    assert!(desk.machine.state().core.outbox.is_empty());
    assert_eq!(desk.machine.state().core.ended.len(), 2);
}

#[test]
fn resolved_goes_where_opened_went() {
    let mut desk = Desk::with_channels(&[to("job", &["a"])], &["a", "b"]);
    desk.ping("job", Fail);
    desk.answer_all(&delivered());
    desk.reload(&[to("job", &["b"])]);
    desk.ping("job", Success);
    assert_eq!(said(&desk), [("a".to_owned(), Alert::Resolved)]);
}

#[test]
fn eight_of_a_channel_are_under_way_and_a_hung_one_holds_no_other() {
    let jobs: Vec<Declaration> = (0..300).map(|n| to(&format!("j{n}"), &["hung", "good"])).collect();
    let mut desk = Desk::with_channels(&jobs, &["good", "hung"]);
    for job in &jobs {
        desk.ping(job.slug.as_str(), Fail);
        let good: Vec<_> = desk.sent.iter().filter(|d| d.channel.as_str() == "good").cloned().collect();
        assert_eq!(good.len(), 1, "at once");
        desk.answer(&good[0], delivered());
    }
    assert_eq!(desk.sent.len(), 8, "of the hung one");
    let hung = desk.sent[3].clone();
    desk.answer(&hung, failed());
    assert_eq!(desk.sent.len(), 8, "a free place is taken at once");
    assert!(!desk.sent.iter().any(|delivery| delivery.number == hung.number));
}

#[test]
fn retries_wait_a_second_then_double_to_ten_minutes() {
    let mut desk = Desk::with_channels(&[to("job", &["a"])], &["a"]);
    desk.ping("job", Fail);
    let id = desk.sent[0].id;
    for tries in 0..20_u32 {
        assert_eq!((desk.sent.len(), desk.sent[0].id), (1, id));
        desk.answer_all(&failed());
        let Next::Retry { at: again } = last_try(&desk) else { panic!("a day has not passed") };
        let wait = again.since(desk.now).as_millis();
        let full = (1_000 << tries.min(10)).min(600_000);
        assert!((full * 4 / 5..=full).contains(&wait), "try {tries} waits {wait} ms");
        desk.wait_until_ms(again.as_millis() - at(0).as_millis() - 1);
        assert_eq!(desk.sent.len(), 0);
        desk.wait_until_ms(again.as_millis() - at(0).as_millis());
    }
}

#[test]
fn every_attempt_carries_the_same_id_and_payload() {
    let mut desk = Desk::with_channels(&[to("job", &["a"])], &["a"]);
    desk.ping("job", Fail);
    let first = desk.sent[0].clone();
    desk.answer_all(&failed());
    desk.ping("job", Fail);
    desk.wait_until(10);
    assert_eq!((desk.sent[0].id, &desk.sent[0].payload), (first.id, &first.payload));
    assert!(!first.payload.contains(&desk.beat("job").heartbeat.uuid.to_string()), "the UUID is a secret");
}

#[test]
fn what_a_receiver_asks_for_is_honoured_up_to_an_hour() {
    for (asked, waited) in [(0, 1), (30, 30), (HOUR, HOUR), (DAY, HOUR)] {
        let mut desk = Desk::with_channels(&[to("job", &["a"])], &["a"]);
        desk.ping("job", Fail);
        let retry_after = Some(Span::from_secs(asked));
        desk.answer_all(&Verdict::Failed { status: Some(429), error: "busy".to_owned(), retry_after });
        let Next::Retry { at: again } = last_try(&desk) else { panic!("it is tried again") };
        let wait = again.since(desk.now);
        assert!(
            wait <= Span::from_secs(waited) && wait >= Span::from_millis(waited * 800),
            "{asked}: {wait}"
        );
    }
}

#[test]
fn a_delivery_that_is_refused_is_given_up_at_once() {
    let mut desk = Desk::with_channels(&[to("job", &["a"])], &["a"]);
    desk.ping("job", Fail);
    desk.ping("job", Success);
    desk.answer_all(&Verdict::Refused { status: Some(410), error: "gone".to_owned() });
    assert_eq!(gave_up(&desk), 1);
    assert!(matches!(desk.machine.state().core.ended[0].state, DeliveryState::GivenUp { .. }));
    assert_eq!(said(&desk), [("a".to_owned(), Alert::Resolved)], "the next in order goes");
}

#[test]
fn a_delivery_is_given_up_when_its_time_has_passed_after_a_last_try() {
    let mut desk = Desk::with_channels(&[to("job", &["a"])], &["a"]);
    desk.ping("job", Fail);
    let mut tries = 0;
    while gave_up(&desk) == 0 {
        desk.answer_all(&failed());
        tries += 1;
        if let Some(wake) = desk.machine.next_wakeup().filter(|wake| *wake <= at(DAY)) {
            desk.wait_until_ms(wake.as_millis() - at(0).as_millis());
        }
        assert!(desk.now <= at(DAY) && tries < 1_000);
    }
    assert_eq!(desk.now, at(DAY), "the last try is at the very end");
    assert!(desk.machine.state().core.outbox.is_empty());
}

#[test]
fn a_channel_that_left_gives_up_in_plain_sight() {
    let mut desk = Desk::with_channels(&[to("job", &["a"])], &["a"]);
    desk.ping("job", Fail);
    desk.ping("job", Success);
    desk.answer_all(&failed());
    desk.channels.clear();
    desk.reload_same();
    assert_eq!(gave_up(&desk), 2, "at once, and not when they are next due");
    assert!(desk.machine.state().core.outbox.is_empty());
    assert_eq!(desk.sent.len(), 0);
    desk.assert_replays();
}

#[test]
fn what_waits_is_due_at_once_after_a_restart_with_the_same_id() {
    let mut desk = Desk::with_channels(&[to("a", &["x"]), to("b", &["x"])], &["x"]);
    desk.ping("a", Fail);
    desk.ping("b", Fail);
    for _ in 0..5 {
        desk.answer_all(&failed());
        desk.wait_until_ms(desk.machine.next_wakeup().unwrap().as_millis() - at(0).as_millis() + 1_000);
    }
    let ids: Vec<_> = desk.machine.state().core.outbox.values().map(|delivery| delivery.id).collect();
    desk.restart_at(100);
    let mut again: Vec<_> = desk.sent.iter().map(|delivery| (delivery.number, delivery.id)).collect();
    again.sort_unstable();
    assert_eq!(again.into_iter().map(|(_, id)| id).collect::<Vec<_>>(), ids);
}

#[test]
fn a_reminder_that_still_waits_is_not_joined_by_another() {
    let job = Declaration { remind_every: Some(Span::from_secs(HOUR)), ..to("job", &["a"]) };
    let mut desk = Desk::with_channels(&[job], &["a"]);
    desk.ping("job", Fail);
    desk.wait_until(10 * HOUR);
    let waiting: Vec<_> = desk.machine.state().core.outbox.values().map(|d| d.alert).collect();
    assert_eq!(waiting, [Alert::Opened, Alert::Reminder]);
}

#[test]
fn a_rename_onto_a_queue_that_waits_keeps_one_under_way() {
    let named = |name: &str, uuid| Declaration {
        uuid: uuid::Uuid::from_u128(uuid),
        uuid_explicit: true,
        ..to(name, &["a"])
    };
    let mut desk = Desk::with_channels(&[named("one", 1), named("two", 2)], &["a"]);
    desk.ping("one", Fail);
    let waits = desk.sent[0].clone();
    desk.answer_all(&failed());
    desk.ping("two", Fail);
    desk.reload(&[named("one", 2)]);
    // The queue of "one": its opened (waits), its resolved, and the opened of what was "two" (under way).
    let under_way = desk.sent[0].clone();
    assert_ne!(under_way.number, waits.number);
    desk.answer(&under_way, delivered());
    assert_eq!(desk.sent.len(), 0, "the first in order still waits for its time");
    desk.wait_until(HOUR);
    let numbers =
        |desk: &Desk| desk.sent.iter().map(|d: &std::sync::Arc<Delivery>| d.number).collect::<Vec<_>>();
    assert_eq!(numbers(&desk), [waits.number]);
}

#[test]
fn of_two_queues_that_become_one_nothing_waits_for_ever() {
    let named = |name: &str, uuid| Declaration {
        uuid: uuid::Uuid::from_u128(uuid),
        uuid_explicit: true,
        ..to(name, &["a"])
    };
    for verdicts in [[failed(), failed()], [failed(), delivered()], [delivered(), failed()]] {
        for turned in [false, true] {
            let mut desk = Desk::with_channels(&[named("one", 1), named("two", 2)], &["a"]);
            desk.ping("one", Fail);
            desk.ping("two", Fail);
            // Both are under way when they become one queue, with the resolved of the first "one" between them.
            desk.reload(&[named("one", 2)]);
            let mut both = desk.sent.clone();
            assert_eq!(both.len(), 2);
            if turned {
                both.reverse();
            }
            desk.answer(&both[0], verdicts[0].clone());
            assert_eq!(desk.sent.len(), 1, "the other is still under way");
            desk.answer(&both[1], verdicts[1].clone());
            while !desk.machine.state().core.outbox.is_empty() {
                assert!(desk.sent.len() <= 1, "one at a time");
                desk.answer_all(&delivered());
                if desk.machine.state().core.outbox.is_empty() {
                    break;
                }
                let wake = desk.machine.next_wakeup().filter(|_| desk.sent.is_empty());
                if let Some(wake) = wake.filter(|wake| *wake > desk.now) {
                    desk.now = wake;
                }
                desk.handle(crate::machine::event::Event::Tick);
                assert!(
                    desk.now < at(HOUR),
                    "{verdicts:?} {turned}: {:?}",
                    desk.machine.state().core.outbox.keys()
                );
            }
        }
    }
}
