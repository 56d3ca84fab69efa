//! The numbers that a monitoring system reads: they say what the API says, and what only counts never falls.

use std::collections::BTreeMap;

use super::desk::{DAY, Desk, HOUR, MINUTE, at, every, failed};
use super::steps::step;
use crate::machine::Machine;
use crate::machine::beat::Ended;
use crate::machine::event::{Event, Request};
use crate::machine::view::{Filter, Reading};
use crate::model::channel::ChannelName;
use crate::model::heartbeat::{Declaration, Status};
use crate::model::ping::PingKind::{Fail, Log, Start, Success};
use crate::model::ping::Target;
use crate::model::time::{Span, Timestamp};

/// Heartbeats from which on a test would take long if each event were followed by a look at all.
const MANY: usize = 20;

/// Whether the numbers are those that the API tells, after every event of every test here.
pub(super) fn agree(machine: &Machine, now: Timestamp) {
    let view = machine.view(now);
    let mut waiting: BTreeMap<ChannelName, usize> = BTreeMap::new();
    for delivery in machine.state().core.outbox.values() {
        *waiting.entry(delivery.channel.clone()).or_default() += 1;
    }
    let mut told = view.waiting().by_channel;
    told.retain(|_, waiting| *waiting > 0);
    assert_eq!(told, waiting, "the deliveries that wait");
    if view.living() > MANY {
        return;
    }
    let shown = view.heartbeats(&Filter::default(), None, MANY).items;
    let readings = view.readings(None);
    assert_eq!(readings.len(), shown.len());
    for (reading, shown) in readings.iter().zip(shown) {
        let numbers = (reading.last_ping, reading.last_success, reading.due, reading.last_duration);
        let duration = shown.last_duration_ms.map(Span::from_millis);
        assert_eq!(numbers, (shown.last_ping_at, shown.last_success_at, shown.next_due_at, duration));
        assert_eq!((&reading.slug, reading.pings), (&shown.slug, shown.pings_total));
        assert_eq!(reading.consecutive_failures, shown.consecutive_failures);
        assert_eq!(reading.down, shown.status == Status::Down);
    }
}

fn reading(desk: &Desk) -> Reading {
    desk.machine.view(desk.now).readings(None).remove(0)
}

fn ended(desk: &Desk) -> [u32; 4] {
    let Ended { success, failure, overran, abandoned } = reading(desk).ended;
    [success, failure, overran, abandoned]
}

#[test]
fn ended_runs_are_counted_once_and_for_ever() {
    let heartbeat = Declaration { max_runtime: Span::from_secs(60), ..every("job", DAY, HOUR) };
    let mut desk = Desk::new(&[heartbeat]);
    desk.settings.keep_runs = 2;
    desk.reload_same();
    for n in 1..=5 {
        desk.ping("job", Success);
        assert_eq!(ended(&desk), [n, 0, 0, 0], "a lone finish, and only two runs are kept");
    }
    desk.ping("job", Fail);
    desk.ping("job", Start);
    desk.ping("job", Log);
    desk.ping("job", Start);
    assert_eq!(ended(&desk), [5, 1, 0, 1], "superseded");
    desk.wait_until(MINUTE + 1);
    assert_eq!(ended(&desk), [5, 1, 1, 1]);
    desk.ping("job", Success);
    assert_eq!(ended(&desk), [5, 1, 1, 1], "the late finish of a run that overran ends no second one");
    desk.ping("job", Start);
    desk.handle(Event::Request(Box::new(Request::Pause {
        target: Target::Slug(super::desk::slug("job")),
        span: None,
    })));
    assert_eq!(ended(&desk), [5, 1, 1, 2], "paused");
    desk.assert_replays();
    desk.restart_at(HOUR);
    assert_eq!(ended(&desk), [5, 1, 1, 2], "a restart forgets none");
    assert_eq!(reading(&desk).pings, 11);
}

#[test]
fn instants_go_along_with_the_clock_before_the_heartbeat_has() {
    let mut desk = Desk::new(&[every("job", HOUR, MINUTE)]);
    desk.wait_until(100);
    desk.ping("job", Success);
    // `agree` holds the numbers against the API's after each of these.
    step(&mut desk, 5_000);
    step(&mut desk, -7_000);
    assert_eq!(reading(&desk).last_ping, Some(at(100 - 2_000)));
    desk.assert_replays();
}

#[test]
fn deliveries_wait_by_channel_and_the_oldest_is_known() {
    let channels = ["a", "b"].map(ChannelName::new).into();
    let mut desk =
        Desk::with_channels(&[Declaration { channels, ..every("job", DAY, HOUR) }], &["a", "b", "c"]);
    let told = |desk: &Desk| {
        let waiting = desk.machine.view(desk.now).waiting();
        let by_channel = waiting.by_channel.iter().map(|(name, waiting)| format!("{name} {waiting}"));
        (by_channel.collect::<Vec<_>>().join(", "), waiting.oldest)
    };
    assert_eq!(told(&desk), ("a 0, b 0, c 0, log 0".to_owned(), None));
    desk.wait_until(7);
    desk.ping("job", Fail);
    desk.wait_until(9);
    desk.ping("job", Success);
    assert_eq!(told(&desk), ("a 2, b 2, c 0, log 0".to_owned(), Some(at(7))));
    desk.answer_all(&failed());
    assert_eq!(told(&desk), ("a 2, b 2, c 0, log 0".to_owned(), Some(at(7))), "tried is not done");
    desk.restart_at(20);
    assert_eq!(told(&desk).0, "a 2, b 2, c 0, log 0");
    desk.answer_all(&super::desk::delivered());
    desk.answer_all(&super::desk::delivered());
    assert_eq!(told(&desk), ("a 0, b 0, c 0, log 0".to_owned(), None));
}
