//! From going down to recovery, pauses and reminders.

use super::desk::{DAY, Desk, HOUR, at, every};
use crate::machine::event::{Event, Reply};
use crate::model::heartbeat::Declaration;
use crate::model::incident::{Alert, Cause, Incident, Reason};
use crate::model::ping::PingKind::{Exit, Fail, Log, Start, Success};
use crate::model::run::Outcome;
use crate::model::time::Span;

fn paused(paused: bool) -> [Declaration; 1] {
    [Declaration { paused, ..every("job", 100, 10) }]
}

#[test]
fn the_first_alert_and_every_later_one_fires() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    let mut expected = Vec::new();
    for round in 0..20 {
        let now = (desk.now.as_millis() - at(0).as_millis()) / 1_000;
        match round % 4 {
            0 => desk.wait_until(now + 110),
            1 => drop(desk.ping("job", Exit(1))),
            2 => {
                desk.ping("job", Start);
                desk.wait_until(now + 2 * HOUR);
            }
            _ => {
                desk.ping("job", Start);
                desk.ping("job", Fail);
            }
        }
        expected.push(Alert::Opened);
        assert_eq!(desk.alerts("job"), expected, "round {round}");
        if round % 2 == 0 {
            desk.ping("job", Start);
        }
        desk.ping("job", Success);
        expected.push(Alert::Resolved);
        assert_eq!(desk.alerts("job"), expected, "round {round}");
        assert_eq!(desk.status("job"), "up");
    }
    let mut ids: Vec<_> = desk.resolved("job").iter().map(|incident| incident.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20, "each incident has an id of its own");
    desk.assert_replays();
}

#[test]
fn a_success_resolves_whatever_the_cause() {
    for cause in [Cause::Missed, Cause::Failed, Cause::Overran] {
        let mut desk = Desk::new(&[every("job", 10_000, 10)]);
        match cause {
            Cause::Missed => desk.wait_until(10_010),
            Cause::Failed => drop(desk.ping("job", Fail)),
            Cause::Overran => {
                desk.ping("job", Start);
                desk.wait_until(HOUR);
            }
        }
        assert_eq!(desk.open("job").cause, cause);
        desk.ping("job", Log);
        desk.ping("job", Start);
        desk.ping("job", Fail);
        desk.ping("job", Exit(0));
        assert_eq!(desk.status("job"), "up");
        assert_eq!(desk.resolved("job")[0].reason, Some(Reason::Ping));
        assert_eq!(desk.alerts("job"), [Alert::Opened, Alert::Resolved]);
    }
}

#[test]
fn one_long_outage_counts_every_period() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    desk.wait_until(110 + 7 * 100);
    assert_eq!(desk.view("job").consecutive_failures, 8);
    assert_eq!(desk.alerts("job"), [Alert::Opened], "one incident");
    assert_eq!(desk.view("job").next_due_at, Some(at(900)));
    desk.wait_until_ms((110 + 8 * 100) * 1_000 - 1);
    assert_eq!(desk.view("job").consecutive_failures, 8);
}

#[test]
fn a_loop_that_is_late_counts_the_same_periods() {
    let mut desk = Desk::new(&[every("job", 1, 0)]);
    desk.now = at(2 * DAY);
    desk.wait_until(2 * DAY);
    assert_eq!(desk.view("job").consecutive_failures, 2 * 86_400);
    assert_eq!(desk.open("job").opened_at, at(1));
    let told = desk.records.len();
    assert!(told < 200, "periods are told together: {told} records");
    desk.assert_replays();
}

#[test]
fn a_timeline_is_bounded_and_keeps_its_beginning() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    desk.wait_until(110 + 100 * 500);
    let incident = desk.open("job");
    assert_eq!(incident.timeline.len(), Incident::TIMELINE_MAX);
    assert_eq!(incident.timeline[0].at, at(110));
    assert_eq!(incident.dropped as usize + incident.timeline.len(), 502 - 1);
}

#[test]
fn pause_survives_a_ping() {
    let mut desk = Desk::new(&paused(true));
    for kind in [Success, Start, Fail, Exit(0), Exit(9), Log] {
        desk.ping("job", kind);
        assert_eq!(desk.status("job"), "paused");
    }
    desk.wait_until(10_000);
    assert_eq!(desk.alerts("job"), []);
    assert_eq!(desk.beat("job").pings_total, 6, "they are on record");
    assert!(desk.beat("job").history.as_ref().unwrap().pings.iter().all(|ping| ping.ignored));
}

#[test]
fn resume_on_ping_resumes_on_a_start_or_finish_only() {
    for (kind, status) in [(Log, "paused"), (Success, "up"), (Start, "up"), (Fail, "down")] {
        let mut desk = Desk::new(&[Declaration { resume_on_ping: true, ..paused(true)[0].clone() }]);
        desk.wait_until(1_000);
        desk.ping("job", kind);
        assert_eq!(desk.status("job"), status, "{kind:?}");
    }
}

#[test]
fn pausing_resolves_the_incident() {
    let mut desk = Desk::new(&paused(false));
    desk.ping("job", Start);
    desk.ping("job", Fail);
    desk.ping("job", Start);
    desk.wait_until(50);
    desk.reload(&paused(true));
    assert_eq!(desk.status("job"), "paused");
    assert_eq!(desk.resolved("job")[0].reason, Some(Reason::Paused));
    assert_eq!(desk.alerts("job"), [Alert::Opened, Alert::Resolved]);
    assert_eq!(desk.outcomes("job"), [Outcome::Failure, Outcome::Abandoned]);
    assert_eq!(desk.view("job").next_deadline_at, None);
}

#[test]
fn a_pause_that_ends_watches_again() {
    let mut desk = Desk::new(&paused(false));
    desk.ping("job", Fail);
    desk.reload(&paused(true));
    desk.wait_until(5_000);
    desk.reload(&paused(false));
    assert_eq!(desk.status("job"), "up", "it had a finish, and its incident resolved");
    assert_eq!(desk.view("job").next_due_at, Some(at(5_100)), "due counts from now");
    desk.wait_until(5_110);
    assert_eq!(desk.alerts("job"), [Alert::Opened, Alert::Resolved, Alert::Opened]);
}

#[test]
fn resuming_what_was_never_pinged_is_new() {
    let mut desk = Desk::new(&paused(true));
    desk.wait_until(1_000);
    desk.ping("job", Success);
    desk.reload(&paused(false));
    assert_eq!(desk.status("job"), "new", "an ignored ping is no first ping");
    desk.wait_until(1_110);
    assert_eq!(desk.open("job").cause, Cause::Missed);
}

#[test]
fn reminders_come_while_it_is_down_and_only_then() {
    let job = Declaration { remind_every: Some(Span::from_secs(HOUR)), ..every("job", 1_000, 10) };
    let mut desk = Desk::with_channels(&[job], &[]);
    desk.ping("job", Fail);
    for hour in 1..=3 {
        desk.answer_all(&super::desk::delivered());
        desk.wait_until(hour * HOUR - 1);
        assert_eq!(desk.alerts("job").len() as i64, hour);
        desk.wait_until(hour * HOUR);
        assert_eq!(desk.alerts("job").last(), Some(&Alert::Reminder));
    }
    desk.ping("job", Success);
    desk.wait_until(3 * HOUR + 1_000);
    assert_eq!(desk.alerts("job").last(), Some(&Alert::Resolved));
    assert_eq!(desk.alerts("job").len(), 5);
}

#[test]
fn a_long_silence_of_the_loop_makes_one_reminder() {
    let job = Declaration { remind_every: Some(Span::from_secs(HOUR)), ..every("job", DAY, 10) };
    let mut desk = Desk::new(&[job]);
    desk.ping("job", Fail);
    desk.now = at(10 * HOUR + 5);
    desk.wait_until(10 * HOUR + 5);
    assert_eq!(desk.alerts("job"), [Alert::Opened, Alert::Reminder]);
    assert_eq!(desk.open("job").remind_at, Some(at(11 * HOUR + 5)));
}

#[test]
fn a_burst_of_deadlines_goes_in_turns_with_pings_in_between() {
    let many: Vec<Declaration> = (0..2_500).map(|n| every(&format!("job-{n:04}"), DAY, HOUR)).collect();
    let mut desk = Desk::new(&many);
    desk.now = at(DAY + HOUR);
    let (mut turns, mut opened) = (0, 0);
    while desk.machine.next_wakeup().is_some_and(|wake| wake <= desk.now) {
        desk.handle(Event::Tick);
        let so_far = desk.alerted().count();
        assert!(so_far - opened <= 1_000, "no event holds the loop: {so_far} after {opened}");
        assert_eq!(desk.ping("job-0000", Log), Reply::Taken);
        (opened, turns) = (so_far, turns + 1);
    }
    assert_eq!(opened, many.len());
    assert!(turns >= 3, "{turns} turns");
    desk.assert_replays();
}
