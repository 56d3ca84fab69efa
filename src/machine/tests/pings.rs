//! Which ping does what, and when silence is too long.

use bytes::Bytes;

use super::desk::{DAY, Desk, HOUR, MINUTE, at, at_ms, cron, every};
use crate::machine::event::{Event, Reply, Ticket};
use crate::machine::record::Record;
use crate::model::heartbeat::Declaration;
use crate::model::incident::{Alert, Cause};
use crate::model::ping::{Body, Method, PingKind};
use crate::model::time::Span;

#[test]
fn a_heartbeat_that_was_never_pinged_alerts() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    assert_eq!(desk.status("job"), "new");
    desk.wait_until(DAY);
    assert_eq!(desk.status("job"), "late", "at due itself it is late");
    desk.wait_until_ms((DAY + HOUR) * 1_000 - 1);
    assert_eq!(desk.alerts("job"), []);
    desk.wait_until(DAY + HOUR);
    assert_eq!(desk.status("job"), "down");
    assert_eq!(desk.alerts("job"), [Alert::Opened]);
    let incident = desk.open("job");
    assert_eq!((incident.cause, incident.opened_at), (Cause::Missed, at(DAY + HOUR)));
    assert_eq!(incident.due, Some(at(DAY)));
    desk.assert_replays();
}

#[test]
fn a_ping_one_millisecond_before_the_deadline_is_in_time() {
    for (millis, status) in [(109_999, "up"), (110_000, "up")] {
        let mut desk = Desk::new(&[every("job", 100, 10)]);
        desk.wait_until(90);
        desk.ping("job", PingKind::Success);
        // The next deadline is at 200 s; let the loop be late, so that ping and deadline meet.
        desk.now = at_ms(millis + 90_000);
        let late = millis == 110_000;
        desk.ping("job", PingKind::Success);
        assert_eq!(desk.status("job"), status);
        let expected: &[Alert] = if late { &[Alert::Opened, Alert::Resolved] } else { &[] };
        assert_eq!(desk.alerts("job"), expected, "at the deadline itself it is too late");
        desk.assert_replays();
    }
}

#[test]
fn a_slow_body_holds_its_own_deadline_and_no_other() {
    let mut desk = Desk::new(&[every("slow", 100, 10), every("other", 100, 10)]);
    desk.wait_until_ms(109_999);
    let ping = desk.heard("slow", PingKind::Success, None);
    desk.wait_for_body(1, &ping);
    desk.wait_until(118);
    assert_eq!(desk.status("other"), "down", "nobody pinged this one");
    assert_eq!(desk.status("slow"), "late", "its ping is on its way");
    desk.handle(Event::Ping(Box::new(ping)));
    desk.handle(Event::Unheard { ticket: Ticket(1) });
    assert_eq!(desk.status("slow"), "up");
    assert_eq!(desk.alerts("slow"), []);
    assert_eq!(desk.view("slow").next_due_at, Some(at_ms(209_999)), "due counts from when it was heard");
    desk.wait_until(300);
    assert_eq!(desk.alerts("slow"), [Alert::Opened], "the wait is over");
    assert_eq!(desk.open("slow").opened_at, at_ms(219_999));
}

#[test]
fn a_body_that_never_comes_holds_nothing_for_ever() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    desk.wait_until(105);
    let ping = desk.heard("job", PingKind::Success, None);
    desk.wait_for_body(7, &ping);
    desk.wait_until(115);
    assert_eq!(desk.alerts("job"), []);
    desk.handle(Event::Unheard { ticket: Ticket(7) });
    desk.wait_until(115);
    assert_eq!(desk.alerts("job"), [Alert::Opened]);
    assert_eq!(desk.open("job").opened_at, at(110), "the deadline itself, not the moment of detection");
}

#[test]
fn a_ping_heard_at_the_deadline_does_not_hold_it() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    desk.wait_until_ms(109_999);
    desk.now = at(110);
    let ping = desk.heard("job", PingKind::Success, None);
    desk.wait_for_body(1, &ping);
    desk.wait_until(110);
    assert_eq!(desk.alerts("job"), [Alert::Opened]);
}

#[test]
fn a_log_is_no_first_ping_and_moves_nothing() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    desk.wait_until(50);
    desk.ping("job", PingKind::Log);
    assert_eq!(desk.status("job"), "new");
    assert_eq!(desk.view("job").next_due_at, Some(at(100)));
    assert_eq!(desk.beat("job").pings_total, 1);
    desk.wait_until(110);
    desk.ping("job", PingKind::Log);
    assert_eq!(desk.status("job"), "down");
}

#[test]
fn a_failing_exit_code_is_not_called_missed() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    desk.wait_until(10);
    desk.ping("job", PingKind::Exit(3));
    assert_eq!(desk.status("job"), "down", "a failure is never up");
    let incident = desk.open("job");
    assert_eq!((incident.cause, incident.exit_code), (Cause::Failed, Some(3)));
    assert_eq!(desk.view("job").next_due_at, Some(at(110)), "due moves on");
    let payload = desk.alerted().next().unwrap().payload.clone();
    assert!(payload.contains("failed with exit code 3"), "{payload}");
    assert!(!payload.contains("no ping"), "{payload}");
}

#[test]
fn a_second_failure_is_counted_and_not_told_again() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    for _ in 0..3 {
        desk.ping("job", PingKind::Fail);
    }
    assert_eq!(desk.alerts("job"), [Alert::Opened]);
    assert_eq!(desk.view("job").consecutive_failures, 3);
    desk.ping("job", PingKind::Exit(0));
    assert_eq!(desk.view("job").consecutive_failures, 0);
    assert_eq!(desk.alerts("job"), [Alert::Opened, Alert::Resolved]);
}

#[test]
fn a_method_that_is_not_allowed_only_shows_as_ignored() {
    let mut job = every("job", 100, 10);
    job.methods = [Method::Post].into();
    let mut desk = Desk::new(&[job]);
    desk.wait_until(50);
    assert_eq!(desk.ping("job", PingKind::Success), Reply::Taken, "still 200");
    assert_eq!(desk.status("job"), "new");
    assert!(desk.beat("job").history.as_ref().unwrap().pings[0].ignored);
    assert_eq!(desk.view("job").last_ping_at, None);
    let mut ping = desk.heard("job", PingKind::Success, None);
    ping.method = Method::Post;
    desk.handle(Event::Ping(Box::new(ping)));
    assert_eq!(desk.status("job"), "up");
}

#[test]
fn a_method_that_is_not_allowed_does_not_resume() {
    let mut job = every("job", 100, 10);
    (job.methods, job.paused, job.resume_on_ping) = ([Method::Post].into(), true, true);
    let mut desk = Desk::new(&[job]);
    desk.ping("job", PingKind::Success);
    assert_eq!(desk.status("job"), "paused");
}

#[test]
fn a_ping_for_nobody_is_unknown_and_records_nothing() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    let before = desk.records.len();
    assert_eq!(desk.ping("nobody", PingKind::Success), Reply::Unknown);
    assert_eq!(desk.records.len(), before);
}

#[test]
fn a_ping_is_one_record() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    let before = desk.records.len();
    desk.ping("job", PingKind::Start);
    desk.ping("job", PingKind::Success);
    assert_eq!(desk.records.len() - before, 2, "ping and outcome stand or fall together");
    assert!(desk.records[before..].iter().all(|record| matches!(record, Record::Pinged(_))));
}

#[test]
fn cron_is_due_at_the_first_occurrence_after_the_last_finish() {
    let mut desk = Desk::new(&[cron("job", "0 2 * * *", HOUR)]);
    assert_eq!(desk.view("job").next_due_at, Some(at(2 * HOUR)));
    desk.wait_until(HOUR);
    desk.ping("job", PingKind::Success);
    assert_eq!(desk.view("job").next_due_at, Some(at(2 * HOUR)), "early is not for the next night");
    desk.wait_until(2 * HOUR);
    desk.ping("job", PingKind::Success);
    assert_eq!(desk.view("job").next_due_at, Some(at(DAY + 2 * HOUR)), "strictly after");
    desk.wait_until(DAY + 3 * HOUR);
    assert_eq!(desk.open("job").due, Some(at(DAY + 2 * HOUR)));
    assert_eq!(desk.view("job").next_due_at, Some(at(2 * DAY + 2 * HOUR)));
}

#[test]
fn the_newest_bodies_are_kept_and_the_oldest_of_all_go_first() {
    let mut desk = Desk::new(&[every("a", DAY, HOUR), every("b", DAY, HOUR)]);
    (desk.settings.keep_bodies, desk.settings.bodies_max) = (3, 10);
    desk.reload_same();
    let send = |desk: &mut Desk, name: &str, text: &'static str| {
        let mut ping = desk.heard(name, PingKind::Log, None);
        ping.body = Some(Body { tail: Bytes::from_static(text.as_bytes()), total: text.len() as u64 });
        desk.handle(Event::Ping(Box::new(ping)));
    };
    let kept = |desk: &Desk, name: &str| -> Vec<String> {
        let pings = &desk.beat(name).history.as_ref().unwrap().pings;
        pings.iter().filter_map(|ping| ping.body.as_ref()).map(|body| body.text(100)).collect()
    };
    for text in ["1", "2", "3", "4"] {
        send(&mut desk, "a", text);
    }
    assert_eq!(kept(&desk, "a"), ["2", "3", "4"], "the newest three");
    send(&mut desk, "b", "12345678");
    assert_eq!(kept(&desk, "a"), ["3", "4"], "ten bytes of all");
    send(&mut desk, "b", "1234567890");
    assert_eq!(kept(&desk, "a"), [""; 0]);
    assert_eq!(kept(&desk, "b"), ["1234567890"]);
    send(&mut desk, "a", "12345678901");
    assert_eq!(kept(&desk, "a"), [""; 0], "one that is too large for all goes too");
    assert_eq!(desk.machine.state().bodies.bytes, 0);
    desk.assert_replays();
    desk.restart_at(5 * MINUTE);
    desk.assert_replays();
}

#[test]
fn a_finish_that_comes_a_little_early_counts_for_its_occurrence() {
    let night = |early: Option<i64>| Declaration {
        early: early.map(Span::from_secs),
        ..cron("job", "0 2 * * *", HOUR)
    };
    let (today, tomorrow) = (Some(at(2 * HOUR)), Some(at(DAY + 2 * HOUR)));
    for (early, before, kind, due) in [
        (Some(600), 600, PingKind::Success, tomorrow),
        (Some(600), 601, PingKind::Success, today),
        (Some(600), 300, PingKind::Fail, tomorrow),
        (Some(0), 1, PingKind::Success, today),
        (None, 60, PingKind::Success, tomorrow),
        (None, 61, PingKind::Success, today),
    ] {
        let mut desk = Desk::new(&[night(early)]);
        desk.wait_until(2 * HOUR - before);
        desk.ping("job", kind);
        assert_eq!(desk.beat("job").due, due, "early {early:?}, {before} s before");
    }
    let mut desk = Desk::new(&[night(Some(0))]);
    desk.wait_until(2 * HOUR - 300);
    desk.ping("job", PingKind::Success);
    desk.reload(&[night(Some(600))]);
    assert_eq!(desk.beat("job").due, tomorrow, "an edit counts from the last finish");
    desk.reload(&[Declaration { early: Some(Span::from_secs(600)), ..every("job", HOUR, HOUR) }]);
    assert_eq!(desk.beat("job").due, Some(at(3 * HOUR - 300)), "an interval knows no early");
    desk.assert_replays();
}
