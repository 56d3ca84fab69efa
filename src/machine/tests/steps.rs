//! Steps of the wall clock: what keeps its distance, what keeps its place, and what is told of it.

use super::desk::{DAY, Desk, HOUR, MINUTE, at, cron, every};
use crate::machine::event::{Event, Request};
use crate::model::channel::ChannelName;
use crate::model::delivery::{Attempt, Verdict};
use crate::model::heartbeat::Declaration;
use crate::model::incident::{Alert, BlindWindow, Blindness, NamedWindow};
use crate::model::ping::PingKind::{Fail, Start, Success};
use crate::model::ping::Target;
use crate::model::time::{Boot, Span, Step, Timestamp};

/// Sets the wall clock, in milliseconds.
pub(super) fn step_ms(desk: &mut Desk, by: i64) {
    let by = Step::from_millis(by);
    desk.now = desk.now + by;
    desk.handle(Event::Stepped(by));
    desk.settle();
}

pub(super) fn step(desk: &mut Desk, secs: i64) {
    step_ms(desk, secs * 1_000);
}

fn deadline(desk: &Desk, name: &str) -> Option<Timestamp> {
    desk.machine.view(desk.now).heartbeat(name).and_then(|shown| shown.next_deadline_at)
}

pub(super) fn due(desk: &Desk, name: &str) -> Option<Timestamp> {
    desk.machine.view(desk.now).heartbeat(name).and_then(|shown| shown.next_due_at)
}

#[test]
fn an_interval_keeps_its_distance_through_steps_of_any_size_in_any_order() {
    for steps in [
        &[1][..],
        &[-1],
        &[3 * HOUR * 1_000],
        &[-3 * HOUR * 1_000],
        &[4_000 * DAY * 1_000, -4_000 * DAY * 1_000],
        &[-20_000 * DAY * 1_000, 500, -1_999, 2_001],
        &[40_000 * DAY * 1_000, -1, -30_000 * DAY * 1_000],
    ] {
        let mut desk = Desk::new(&[every("job", HOUR, MINUTE)]);
        desk.ping("job", Success);
        // By a clock that nobody sets; instant 0 is when it was pinged.
        let (mut real, mut set) = (0, 0);
        for by in steps {
            real += 7 * 60_000;
            desk.wait_until_ms(real + set);
            set += by;
            step_ms(&mut desk, *by);
        }
        desk.wait_until_ms(61 * 60_000 + set - 1);
        assert_eq!(desk.alerts("job"), [], "{steps:?}: not early");
        desk.wait_until_ms(61 * 60_000 + set);
        assert_eq!(desk.alerts("job"), [Alert::Opened], "{steps:?}: not lost");
        desk.assert_replays();
    }
}

#[test]
fn the_longest_interval_of_366_days_is_kept_to_the_millisecond() {
    let year = 366 * DAY;
    for by in [0, 1, -1, 20_000 * DAY * 1_000, -20_000 * DAY * 1_000] {
        let mut desk = Desk::new(&[every("job", year, MINUTE)]);
        desk.ping("job", Success);
        desk.wait_until(year / 2);
        step_ms(&mut desk, by);
        let deadline = (year + MINUTE) * 1_000 + by;
        desk.wait_until_ms(deadline - 1);
        assert_eq!(desk.alerts("job"), [], "set by {by}");
        desk.wait_until_ms(deadline);
        assert_eq!(desk.alerts("job"), [Alert::Opened], "set by {by}");
        assert_eq!(desk.open("job").opened_at, super::desk::at_ms(deadline));
    }
}

#[test]
fn a_run_keeps_its_distance_and_its_duration_is_what_it_took() {
    let mut desk =
        Desk::new(&[Declaration { max_runtime: Span::from_secs(HOUR), ..cron("job", "0 0 1 1 *", HOUR) }]);
    desk.ping("job", Start);
    step(&mut desk, -5 * HOUR);
    desk.wait_until(-4 * HOUR - 1);
    assert_eq!(desk.alerts("job"), []);
    desk.wait_until(-4 * HOUR);
    assert_eq!(desk.alerts("job"), [Alert::Opened]);
    step(&mut desk, DAY);
    desk.wait_until(20 * HOUR + 60);
    desk.ping("job", Success);
    let run = desk.beat("job").history.as_ref().unwrap().runs.back().unwrap();
    assert_eq!(run.duration, Some(Span::from_secs(HOUR + 60)), "the late finish of the run that overran");
    desk.assert_replays();
}

#[test]
fn a_delivery_keeps_its_distance() {
    let channels = [ChannelName::new("ops")].into();
    let mut desk = Desk::with_channels(&[Declaration { channels, ..every("job", HOUR, MINUTE) }], &["ops"]);
    desk.ping("job", Fail);
    let number = desk.sent[0].number;
    let verdict = Verdict::Failed {
        status: Some(500),
        error: "no".to_owned(),
        retry_after: Some(Span::from_secs(100)),
    };
    desk.handle(Event::Attempted { number, attempt: Attempt { at: desk.now, took: Span::ZERO, verdict } });
    step(&mut desk, -DAY);
    let shown = desk.machine.view(desk.now).delivery(desk.sent[0].id).unwrap();
    assert_eq!(shown.next_attempt_at, Some(at(100 - DAY)));
    assert_eq!(shown.give_up_at, at(0), "a day after it was queued");
    desk.wait_until(99 - DAY);
    assert_eq!(desk.sent.len(), 1);
    desk.wait_until(100 - DAY);
    assert_eq!(desk.sent.len(), 2);
    assert_eq!(desk.sent[1].give_up_at, at(0));
}

#[test]
fn a_pause_and_the_memory_of_what_left_keep_their_distance() {
    let mut desk = Desk::new(&[every("rests", HOUR, MINUTE), every("leaves", HOUR, MINUTE)]);
    let target = Target::Slug(super::desk::slug("rests"));
    desk.handle(Event::Request(Box::new(Request::Pause { target, span: Some(Span::from_secs(HOUR)) })));
    desk.reload(&[every("rests", HOUR, MINUTE)]);
    step(&mut desk, 20_000 * DAY);
    assert_eq!(desk.status("rests"), "paused");
    assert!(desk.machine.state().find("leaves").is_some(), "a step forgets nothing");
    desk.wait_until(20_000 * DAY + HOUR);
    assert_eq!(desk.status("rests"), "new");
    desk.wait_until(20_030 * DAY);
    assert!(desk.machine.state().find("leaves").is_none());
}

#[test]
fn a_calendar_that_the_clock_jumps_over_waits_for_the_settling_time_and_says_why() {
    // Instant 0 is midnight in UTC.
    let mut desk = Desk::new(&[cron("job", "0 2 * * *", HOUR)]);
    desk.ping("job", Success);
    desk.wait_until(HOUR);
    step(&mut desk, 5 * HOUR);
    assert_eq!(desk.status("job"), "late");
    desk.wait_until(6 * HOUR + 299);
    assert_eq!(desk.alerts("job"), []);
    desk.wait_until(6 * HOUR + 300);
    assert_eq!(desk.alerts("job"), [Alert::Opened]);
    let incident = desk.open("job");
    let window = BlindWindow { from: at(HOUR), to: at(6 * HOUR), why: Blindness::ClockStep };
    assert_eq!((incident.maybe_unheard, incident.due), (true, Some(at(2 * HOUR))));
    assert_eq!(incident.blind, [NamedWindow { window, overlaps: true }]);
    let payload = &desk.alerted().next().unwrap().payload;
    assert!(payload.contains("the clock of overdue was set from 01:00:00 to 06:00:00 UTC"), "{payload}");
    desk.assert_replays();
}

#[test]
fn after_a_step_back_a_calendar_counts_from_the_last_finish_or_from_now() {
    let mut desk = Desk::new(&[cron("job", "0 * * * *", HOUR)]);
    for hour in 1..=5 {
        desk.wait_until(hour * HOUR - 600);
        desk.ping("job", Success);
    }
    assert_eq!(due(&desk, "job"), Some(at(5 * HOUR)));
    step(&mut desk, -2 * HOUR);
    assert_eq!(due(&desk, "job"), Some(at(3 * HOUR)), "it was 02:50 all along");
    desk.wait_until(4 * HOUR);
    assert_eq!(desk.alerts("job"), [Alert::Opened]);
    desk.assert_replays();
}

#[test]
fn a_small_correction_after_a_punctual_ping_asks_for_no_second_one() {
    let mut desk = Desk::new(&[cron("job", "0 2 * * *", MINUTE)]);
    desk.wait_until(2 * HOUR + 3);
    desk.ping("job", Success);
    step(&mut desk, -5);
    assert_eq!(due(&desk, "job"), Some(at(DAY + 2 * HOUR)), "01:59:58 is early, but counts");
}

#[test]
fn an_early_ping_still_counts_after_a_small_correction() {
    let mut desk = Desk::new(&[cron("job", "0 2 * * *", MINUTE)]);
    desk.wait_until(2 * HOUR - 30);
    desk.ping("job", Success);
    desk.wait_until(2 * HOUR - 10);
    step(&mut desk, -12);
    assert_eq!(due(&desk, "job"), Some(at(DAY + 2 * HOUR)));
}

#[test]
fn periods_missed_by_a_clock_that_ran_ahead_come_again_without_a_second_incident() {
    let mut desk = Desk::new(&[cron("job", "0 * * * *", MINUTE)]);
    step(&mut desk, 10 * DAY);
    desk.wait_until(10 * DAY + HOUR);
    assert_eq!(desk.alerts("job"), [Alert::Opened]);
    step(&mut desk, -10 * DAY);
    assert_eq!(due(&desk, "job"), Some(at(2 * HOUR)), "not in ten days");
    desk.wait_until(3 * HOUR);
    assert_eq!(desk.alerts("job"), [Alert::Opened]);
}

#[test]
fn a_ping_on_its_way_goes_along_with_a_step() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    desk.wait_until(109);
    let ping = desk.heard("job", Success, None);
    desk.wait_for_body(1, &ping);
    step(&mut desk, -HOUR);
    desk.wait_until(120 - HOUR);
    assert_eq!(desk.alerts("job"), [], "it was heard before the deadline");
}

#[test]
fn a_step_while_the_daemon_was_not_running_is_found_when_the_machine_was_not_started_anew() {
    let boot = |at| Some(Boot { id: uuid::Uuid::from_u128(7), at });
    for (by, real) in [(-3 * HOUR, 20), (3 * HOUR, 20), (0, 20)] {
        let mut desk = Desk::booted(&[every("job", 100, 10)], boot(at(-500)));
        desk.ping("job", Success);
        desk.kill();
        desk.now = at(real + by);
        desk.begin_booted(boot(at(-500 + by)));
        // The window of 20 s moves it no further than the settling time, 110 s after it.
        assert_eq!(deadline(&desk, "job"), Some(at(130 + by)), "set by {by}");
        let told = desk.machine.view(desk.now).standings().blind;
        let window = |from, to, why| BlindWindow { from: at(from), to: at(to), why };
        let mut expected = vec![window(0, 20, Blindness::NotRunning)];
        if by != 0 {
            expected.insert(0, window(real, real + by, Blindness::ClockStep));
        }
        assert_eq!(told, expected, "set by {by}");
        desk.assert_replays();
    }
}

#[test]
fn a_clock_that_shows_less_than_when_overdue_last_heard_was_set_back() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    desk.ping("job", Success);
    desk.wait_until(12 * HOUR);
    desk.handle(Event::Alive);
    desk.kill();
    // A small machine without a clock that goes on while it is off.
    desk.now = at(-50 * DAY);
    desk.begin_booted(None);
    assert_eq!(deadline(&desk, "job"), Some(at(-50 * DAY + 13 * HOUR)), "half a day had gone");
    step(&mut desk, 51 * DAY);
    assert_eq!(deadline(&desk, "job"), Some(at(DAY + 13 * HOUR)));
}

#[test]
fn many_heartbeats_go_along_piece_by_piece() {
    let jobs: Vec<Declaration> = (0..2_500).map(|n| every(&format!("job-{n}"), HOUR, MINUTE)).collect();
    let mut desk = Desk::new(&jobs);
    let by = Step::from_millis(5 * HOUR * 1_000);
    desk.now = desk.now + by;
    desk.handle(Event::Stepped(by));
    let behind =
        |desk: &Desk| desk.machine.state().beats.iter().filter(|(_, beat)| beat.stepped != by).count();
    assert_eq!(behind(&desk), 1_500, "a thousand a turn");
    assert_eq!(deadline(&desk, "job-2499"), Some(at(6 * HOUR + MINUTE)), "whoever asks is told right");
    assert_eq!(desk.machine.view(desk.now).count(None).0.new, 1_000, "and none is late");
    desk.ping("job-2499", Success);
    assert_eq!(due(&desk, "job-2499"), Some(at(6 * HOUR)));
    let half_way = desk.machine.state().clone();
    desk.machine = crate::machine::Machine::restore(half_way, crate::model::schedule::Zones::bundled());
    desk.settle();
    assert_eq!(behind(&desk), 0, "a start goes on with it");
}
