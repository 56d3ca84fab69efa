//! Windows in which overdue could not hear: what they put off, what they do not, and how they are named.

use super::desk::{DAY, Desk, HOUR, MINUTE, at, cron, every};
use crate::machine::event::Event;
use crate::model::heartbeat::Declaration;
use crate::model::incident::{Alert, BlindWindow, Blindness, Cause, NamedWindow};
use crate::model::ping::PingKind::{Fail, Start, Success};
use crate::model::time::Span;

fn blind(desk: &mut Desk, from: i64, to: i64) {
    desk.now = at(to);
    let window = BlindWindow { from: at(from), to: at(to), why: Blindness::Stalled };
    desk.handle(Event::Blind(window));
    desk.wait_until(to);
}

#[test]
fn a_restart_storm_opens_no_incident_when_jobs_ping_again() {
    let jobs: Vec<Declaration> = (0..500).map(|n| every(&format!("job-{n}"), 60, 30)).collect();
    let mut desk = Desk::new(&jobs);
    for job in &jobs {
        desk.ping(job.slug.as_str(), Success);
    }
    desk.restart_at(10 * HOUR);
    assert_eq!(desk.alerted().count(), 0);
    desk.wait_until(10 * HOUR + 89);
    assert_eq!(desk.alerted().count(), 0, "P + grace have not been heard yet");
    for job in &jobs[1..] {
        desk.ping(job.slug.as_str(), Success);
    }
    desk.wait_until(10 * HOUR + 100);
    assert_eq!(desk.alerted().count(), 1, "only the one that still does not ping");
    let incident = desk.open("job-0");
    assert_eq!(incident.opened_at, at(10 * HOUR + 90), "the moved instant");
    assert_eq!(incident.due, Some(at(60)), "due keeps the nominal one");
    assert!(incident.maybe_unheard);
    let window = BlindWindow { from: at(0), to: at(10 * HOUR), why: Blindness::NotRunning };
    assert_eq!(incident.blind, [NamedWindow { window, overlaps: true }]);
    desk.assert_replays();
    println!(
        "{} jobs overdue at a start after ten hours: 1 incident, of the one that stays away",
        jobs.len()
    );
}

#[test]
fn a_daily_job_whose_ping_may_be_unheard_alerts_and_says_so() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    desk.ping("job", Success);
    desk.wait_until(DAY - 10);
    desk.handle(Event::Alive);
    desk.restart_at(DAY + 2 * HOUR);
    desk.wait_until(DAY + 2 * HOUR + 299);
    assert_eq!(desk.alerts("job"), []);
    desk.wait_until(DAY + 2 * HOUR + 300);
    assert_eq!(desk.alerts("job"), [Alert::Opened], "five minutes, not a day");
    assert!(desk.open("job").maybe_unheard);
    let payload = &desk.alerted().next().unwrap().payload;
    assert!(payload.contains("could not hear"), "{payload}");
}

#[test]
fn a_window_of_seconds_is_told_with_its_seconds() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    blind(&mut desk, 100, 115);
    desk.wait_until(HOUR);
    let payload = &desk.alerted().next().unwrap().payload;
    let window = desk.beat("job").incident.as_ref().unwrap().blind[0];
    let clock = |instant: crate::model::time::Timestamp| instant.to_jiff().strftime("%T").to_string();
    let (from, to) = (clock(window.window.from), clock(window.window.to));
    assert_ne!(from, to);
    assert!(payload.contains(&format!("from {from} to {to} UTC")), "{payload}");
}

#[test]
fn a_window_long_before_due_is_named_but_excuses_nothing() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    desk.ping("job", Success);
    desk.restart_at(6 * HOUR);
    desk.wait_until(DAY + HOUR);
    let incident = desk.open("job");
    assert_eq!(incident.opened_at, at(DAY + HOUR));
    assert_eq!(incident.blind.len(), 1);
    assert!(!incident.maybe_unheard);
}

#[test]
fn windows_before_the_last_finish_are_not_named() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    blind(&mut desk, 100, 200);
    desk.wait_until(300);
    desk.ping("job", Fail);
    assert_eq!(desk.open("job").blind.len(), 1, "a failing ping names what came since the finish before it");
    desk.ping("job", Success);
    desk.ping("job", Fail);
    assert_eq!(desk.open("job").blind, []);
    desk.ping("job", Success);
    blind(&mut desk, 400, 500);
    desk.wait_until(2 * DAY);
    assert_eq!(desk.open("job").blind.len(), 1);
}

#[test]
fn the_newest_ten_windows_are_named() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    desk.ping("job", Success);
    for n in 1..=12 {
        blind(&mut desk, n * 1_000, n * 1_000 + 10);
    }
    desk.wait_until(2 * DAY);
    let named = &desk.open("job").blind;
    assert_eq!(named.len(), 10);
    assert_eq!((named[0].window.from, named[9].window.from), (at(3_000), at(12_000)));
}

#[test]
fn a_deadline_just_after_a_window_moves_too() {
    let mut desk = Desk::new(&[every("job", 60, 40)]);
    desk.ping("job", Success);
    blind(&mut desk, 10, 50);
    desk.wait_until(149);
    assert_eq!(desk.alerts("job"), []);
    desk.wait_until(150);
    assert_eq!(desk.open("job").opened_at, at(150), "heard for 100 s since");
    assert!(!desk.open("job").maybe_unheard, "from due to deadline all was heard");
}

#[test]
fn a_deadline_heard_out_before_the_window_fires_at_its_own_instant() {
    let mut desk = Desk::new(&[every("job", 60, 40)]);
    desk.ping("job", Success);
    blind(&mut desk, 101, 500);
    assert_eq!(desk.alerts("job"), [Alert::Opened]);
    assert_eq!(desk.open("job").opened_at, at(100));
}

#[test]
fn a_crash_loop_cannot_put_an_incident_off_for_ever() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    desk.ping("job", Success);
    desk.wait_until(DAY + HOUR - 1);
    desk.handle(Event::Alive);
    let start = DAY + HOUR + 59;
    for round in 0..40 {
        // A minute down, ten seconds up.
        desk.restart_at(start + round * 70);
        desk.wait_until(start + round * 70 + 10);
        desk.handle(Event::Alive);
        let heard = 10 * (round + 1);
        assert_eq!(!desk.alerts("job").is_empty(), heard >= 300, "{heard} s heard in all");
    }
    assert_eq!(desk.alerts("job"), [Alert::Opened]);
}

#[test]
fn a_start_that_never_gets_to_listen_is_no_time_heard() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    desk.ping("job", Success);
    desk.wait_until(DAY);
    desk.handle(Event::Alive);
    for round in 1..=5 {
        // It lives for two minutes, reads another config each time, and dies before it listens.
        desk.kill();
        desk.now = at(DAY + round * HOUR);
        desk.heartbeats[0].description = format!("round {round}");
        desk.wake();
        desk.wait_until(DAY + round * HOUR + 120);
        desk.handle(Event::Alive);
        desk.reload(&[Declaration { name: format!("{round}").into(), ..desk.heartbeats[0].clone() }]);
    }
    desk.restart_at(2 * DAY);
    assert_eq!(desk.alerts("job"), []);
    desk.wait_until(2 * DAY + 299);
    assert_eq!(desk.alerts("job"), [], "five minutes of hearing, not of living");
    desk.wait_until(2 * DAY + 300);
    let incident = desk.open("job");
    assert_eq!(incident.blind.len(), 1, "one window from the last mark to the first ear");
    assert_eq!((incident.blind[0].window.from, incident.blind[0].window.to), (at(DAY), at(2 * DAY)));
    desk.assert_replays();
}

#[test]
fn a_runs_deadline_moves_by_its_max_runtime() {
    let job = Declaration { max_runtime: Span::from_secs(120), ..every("job", DAY, HOUR) };
    let mut desk = Desk::new(&[job]);
    desk.ping("job", Start);
    desk.restart_at(HOUR);
    desk.wait_until(HOUR + 119);
    assert_eq!(desk.alerts("job"), []);
    desk.wait_until(HOUR + 120);
    let incident = desk.open("job");
    assert_eq!((incident.cause, incident.opened_at), (Cause::Overran, at(HOUR + 120)));
    assert!(incident.maybe_unheard);
}

#[test]
fn a_run_that_finishes_while_it_settles_opens_no_incident() {
    let job = Declaration { max_runtime: Span::from_secs(120), ..every("job", DAY, HOUR) };
    let mut desk = Desk::new(&[job]);
    desk.ping("job", Start);
    desk.restart_at(HOUR);
    desk.wait_until(HOUR + 100);
    desk.ping("job", Success);
    desk.wait_until(2 * HOUR);
    assert_eq!(desk.alerts("job"), []);
    assert_eq!(desk.runs("job")[0].duration, Some(Span::from_secs(HOUR + 100)));
}

#[test]
fn p_is_the_distance_to_the_next_occurrence() {
    let mut desk = Desk::new(&[cron("job", "* * * * *", 0)]);
    desk.restart_at(10 * MINUTE + 30);
    desk.wait_until(11 * MINUTE + 29);
    assert_eq!(desk.alerts("job"), []);
    desk.wait_until(11 * MINUTE + 30);
    assert_eq!(desk.open("job").opened_at, at(11 * MINUTE + 30));
}

#[test]
fn nothing_fires_before_it_listens() {
    let mut desk = Desk::new(&[every("job", 60, 0)]);
    desk.kill();
    desk.now = at(HOUR);
    desk.wake();
    desk.wait_until(2 * HOUR);
    assert_eq!(desk.alerts("job"), []);
    desk.hear();
    desk.wait_until(2 * HOUR + 60);
    assert_eq!(desk.open("job").opened_at, at(2 * HOUR + 60));
}
