//! The wall clock set while other things happen: renames, incidents, windows, exclusions, a start.

use super::desk::{DAY, Desk, HOUR, MINUTE, at, cron, every, slug};
use super::steps::{due, step, step_ms};
use crate::machine::event::Event;
use crate::model::heartbeat::Declaration;
use crate::model::incident::{Alert, BlindWindow, Blindness};
use crate::model::ping::PingKind::Success;
use crate::model::schedule::expressions::Expressions;
use crate::model::time::{Boot, Span, Step};

fn suspended(desk: &mut Desk, from: i64, to: i64) {
    desk.now = at(to);
    desk.handle(Event::Blind(BlindWindow { from: at(from), to: at(to), why: Blindness::Suspended }));
    desk.settle();
}

#[test]
fn a_step_back_that_is_undone_asks_for_nothing_that_was_done() {
    for back in [40 * MINUTE, 10 * DAY] {
        // A second short, too: nobody puts a clock right to the millisecond.
        for short in [0, 1] {
            let mut desk = Desk::new(&[cron("job", "0 * * * *", 10 * MINUTE)]);
            desk.wait_until(5);
            for hour in 1..=12 {
                desk.wait_until(hour * HOUR + 5);
                desk.ping("job", Success);
            }
            desk.wait_until(12 * HOUR + 30 * MINUTE);
            step(&mut desk, -back);
            desk.wait_until(12 * HOUR + 31 * MINUTE - back);
            step(&mut desk, back - short);
            assert_eq!(due(&desk, "job"), Some(at(13 * HOUR)), "back {back}");
            desk.wait_until(13 * HOUR + 10 * MINUTE - 1);
            assert_eq!(desk.alerts("job"), [], "back {back}");
            desk.wait_until(13 * HOUR + 10 * MINUTE);
            assert_eq!(desk.alerts("job"), [Alert::Opened], "back {back}");
            desk.assert_replays();
        }
    }
}

#[test]
fn which_windows_hid_a_ping_is_told_by_real_time_whatever_the_clock_was_set_to() {
    for by in [0, 5 * HOUR, -5 * HOUR] {
        let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
        desk.ping("job", Success);
        desk.wait_until(20 * HOUR);
        suspended(&mut desk, 20 * HOUR, 21 * HOUR);
        desk.wait_until(23 * HOUR + 1_800);
        suspended(&mut desk, 23 * HOUR + 1_800, 24 * HOUR + 1_800);
        step(&mut desk, by);
        desk.wait_until(26 * HOUR + by);
        let incident = desk.open("job");
        let named: Vec<_> = incident.blind.iter().map(|named| (named.window.why, named.overlaps)).collect();
        let mut expected = vec![(Blindness::Suspended, false), (Blindness::Suspended, true)];
        if by != 0 {
            expected.push((Blindness::ClockStep, true));
        }
        assert_eq!(named, expected, "set by {by}");
        assert!(incident.maybe_unheard);
    }
}

#[test]
fn a_window_that_was_over_before_due_hid_nothing_though_its_times_lie_beside_it() {
    let mut desk = Desk::new(&[every("job", DAY, 3 * HOUR)]);
    desk.ping("job", Success);
    desk.wait_until(20 * HOUR);
    suspended(&mut desk, 20 * HOUR, 21 * HOUR);
    desk.wait_until(22 * HOUR);
    step(&mut desk, -5 * HOUR);
    desk.wait_until(23 * HOUR);
    let incident = desk.open("job");
    assert_eq!((incident.due, incident.opened_at), (Some(at(19 * HOUR)), at(22 * HOUR)));
    assert!(!incident.maybe_unheard);
}

#[test]
fn one_that_never_finished_names_its_windows_after_a_step_too() {
    for by in [0, -40 * HOUR] {
        let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
        desk.wait_until(HOUR);
        step(&mut desk, by);
        desk.wait_until(24 * HOUR + by);
        suspended(&mut desk, 24 * HOUR + by, 24 * HOUR + 1_800 + by);
        desk.wait_until(26 * HOUR + by);
        let incident = desk.open("job");
        assert!(incident.maybe_unheard, "set by {by}");
        assert!(incident.blind.iter().any(|named| named.window.why == Blindness::Suspended), "set by {by}");
    }
}

#[test]
fn a_rename_while_the_clock_goes_back_keeps_no_due_from_before() {
    let uuid = uuid::Uuid::from_u128(0x1234_5678);
    let mut jobs: Vec<Declaration> = (0..1_200).map(|n| every(&format!("a-{n:05}"), HOUR, MINUTE)).collect();
    jobs.push(Declaration { uuid, uuid_explicit: true, ..cron("z-job", "0 * * * *", MINUTE) });
    let mut desk = Desk::new(&jobs);
    desk.wait_until(30 * MINUTE);
    let by = Step::from_millis(-10 * DAY * 1_000);
    desk.now = desk.now + by;
    desk.handle(Event::Stepped(by));
    jobs.last_mut().unwrap().slug = slug("z-new");
    desk.reload(&jobs);
    desk.settle();
    assert_eq!(due(&desk, "z-new"), Some(at(HOUR - 10 * DAY)));
    desk.assert_replays();
}

#[test]
fn a_rename_at_a_start_after_a_step_back_keeps_no_due_from_before() {
    let boot = |at| Some(Boot { id: uuid::Uuid::from_u128(7), at });
    let uuid = uuid::Uuid::from_u128(0x1234_5678);
    let job = Declaration { uuid, uuid_explicit: true, ..cron("job", "0 * * * *", MINUTE) };
    let mut desk = Desk::booted(&[job], boot(at(-500)));
    desk.wait_until(30 * MINUTE);
    desk.ping("job", Success);
    desk.kill();
    desk.now = at(30 * MINUTE + 20 - 10 * DAY);
    desk.heartbeats[0].slug = slug("new");
    desk.begin_booted(boot(at(-500 - 10 * DAY)));
    assert_eq!(due(&desk, "new"), Some(at(HOUR - 10 * DAY)));
}

#[test]
fn an_interval_with_exclusions_gains_nothing_by_a_step_there_and_back() {
    // The tests begin on a Thursday.
    let job = Declaration { exclude: Expressions::new(["Sat,Sun"]), ..every("job", DAY, HOUR) };
    let mut desk = Desk::new(&[job]);
    desk.wait_until(4 * DAY + 12 * HOUR);
    desk.ping("job", Success);
    step(&mut desk, -2 * DAY);
    step(&mut desk, 2 * DAY);
    assert_eq!(due(&desk, "job"), Some(at(5 * DAY + 12 * HOUR)));
}

#[test]
fn small_corrections_push_no_window_out_of_memory() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    desk.ping("job", Success);
    desk.wait_until(HOUR);
    suspended(&mut desk, HOUR, HOUR + 600);
    for n in 0..1_100 {
        desk.wait_until_ms((HOUR + 600 + 60 * (n + 1)) * 1_000 + 20 * n);
        step_ms(&mut desk, 20);
    }
    let told = desk.machine.view(desk.now).standings().blind;
    assert_eq!(told, [BlindWindow { from: at(HOUR), to: at(HOUR + 600), why: Blindness::Suspended }]);
}

#[test]
fn what_is_told_of_an_incident_is_told_in_real_time() {
    for by in [5 * HOUR, -5 * HOUR] {
        let remind_every = Some(Span::from_secs(HOUR));
        let mut desk = Desk::new(&[Declaration { remind_every, ..every("job", HOUR, 300) }]);
        desk.ping("job", Success);
        desk.wait_until(HOUR + 600);
        step(&mut desk, by);
        desk.wait_until(2 * HOUR + 301 + by);
        desk.ping("job", Success);
        let told: Vec<String> = desk.alerted().map(|alerted| alerted.payload.to_string()).collect();
        assert_eq!(told.len(), 3);
        assert!(told[1].contains("still down after 1h; no ping for 1h 5m"), "set by {by}: {}", told[1]);
        assert!(told[2].contains("up again after 1h\""), "set by {by}: {}", told[2]);
    }
}

#[test]
fn a_stall_before_the_first_ear_is_part_of_the_window_that_this_ends() {
    let mut desk = Desk::new(&[every("job", HOUR, MINUTE)]);
    desk.ping("job", Success);
    desk.kill();
    desk.now = at(100);
    desk.wake();
    desk.now = at(200);
    desk.handle(Event::Blind(BlindWindow { from: at(110), to: at(200), why: Blindness::Stalled }));
    desk.now = at(3_650);
    desk.hear();
    let told = desk.machine.view(desk.now).standings().blind;
    assert_eq!(told, [BlindWindow { from: at(0), to: at(3_650), why: Blindness::NotRunning }]);
}
