//! Starts and finishes: which finish ends which run, and what a run that never ends does.

use super::desk::{DAY, Desk, HOUR, MINUTE, at, at_ms, every, rid};
use crate::model::heartbeat::Declaration;
use crate::model::incident::{Alert, Cause};
use crate::model::ping::PingKind::{Exit, Fail, Start, Success};
use crate::model::run::Outcome;
use crate::model::time::Span;

fn running(interval: i64, grace: i64, max_runtime: i64) -> Declaration {
    Declaration { max_runtime: Span::from_secs(max_runtime), ..every("job", interval, grace) }
}

#[test]
fn duration_is_exact_to_the_millisecond() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    desk.wait_until_ms(10_999);
    desk.ping("job", Start);
    desk.wait_until_ms(12_001);
    desk.ping("job", Exit(0));
    assert_eq!(desk.runs("job")[0].duration, Some(Span::from_millis(1_002)));
    assert_eq!(desk.view("job").last_duration_ms, Some(1_002));
}

#[test]
fn a_start_and_its_finish_are_one_run() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    desk.ping("job", Start);
    assert_eq!((desk.status("job"), desk.view("job").running), ("up", true));
    desk.ping("job", Success);
    assert!(!desk.view("job").running);
    assert_eq!(desk.outcomes("job"), [Outcome::Success]);
}

#[test]
fn a_lone_finish_is_a_run_without_duration() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    desk.ping("job", Exit(7));
    let run = &desk.runs("job")[0];
    assert_eq!((run.outcome, run.duration, run.started_at), (Outcome::Failure, None, None));
    assert_eq!(run.exit_code, Some(7));
}

#[test]
fn down_then_start_then_plain_ping_resolves() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    desk.wait_until(110);
    assert_eq!(desk.status("job"), "down");
    desk.ping("job", Start);
    assert_eq!(desk.status("job"), "down", "a start proves nothing yet");
    desk.ping("job", Success);
    assert_eq!(desk.status("job"), "up");
    assert_eq!(desk.alerts("job"), [Alert::Opened, Alert::Resolved]);
}

#[test]
fn a_hung_run_alerts_after_max_runtime() {
    let mut desk = Desk::new(&[running(DAY, HOUR, 2 * HOUR)]);
    desk.wait_until(100);
    desk.ping("job", Start);
    desk.wait_until_ms((100 + 2 * HOUR) * 1_000 - 1);
    assert_eq!(desk.status("job"), "up");
    desk.wait_until(100 + 2 * HOUR);
    assert_eq!(desk.open("job").cause, Cause::Overran);
    assert_eq!(desk.open("job").opened_at, at(100 + 2 * HOUR));
    assert_eq!(desk.outcomes("job"), [Outcome::Overran]);
    assert_eq!(desk.view("job").consecutive_failures, 1);
}

#[test]
fn a_job_that_starts_every_ten_minutes_and_never_finishes_alerts() {
    let mut desk = Desk::new(&[running(HOUR, 5 * MINUTE, HOUR)]);
    for start in 0..12 {
        desk.wait_until(start * 10 * MINUTE);
        desk.ping("job", Start);
    }
    // First start at 0, due at 1 h, grace till 1:05, put off at most to 0 + max_runtime.
    assert_eq!(desk.alerts("job"), [Alert::Opened]);
    let incident = desk.open("job");
    assert_eq!((incident.cause, incident.opened_at), (Cause::Missed, at(65 * MINUTE)));
}

#[test]
fn an_open_run_puts_the_deadline_off_but_not_beyond_its_max_runtime() {
    let mut desk = Desk::new(&[running(HOUR, 5 * MINUTE, HOUR)]);
    desk.wait_until(30 * MINUTE);
    desk.ping("job", Start);
    desk.wait_until(70 * MINUTE);
    assert_eq!(desk.status("job"), "up", "a run is open, so it is not late");
    desk.ping("job", Start);
    desk.wait_until(90 * MINUTE - 1);
    assert_eq!(desk.alerts("job"), []);
    desk.wait_until(90 * MINUTE);
    assert_eq!(desk.open("job").cause, Cause::Missed, "abandoned starts count: first start + max_runtime");
    assert_eq!(desk.open("job").due, Some(at(HOUR)), "due stays as it was");
}

#[test]
fn a_run_begun_before_the_last_finish_puts_nothing_off() {
    let mut desk = Desk::new(&[running(100, 10, DAY)]);
    desk.ping_rid("job", Start, rid(1));
    desk.wait_until(50);
    desk.ping_rid("job", Success, rid(2));
    assert!(desk.view("job").running, "the finish of an unknown rid closes no run of another rid");
    desk.wait_until(160);
    assert_eq!(desk.open("job").opened_at, at(160));
}

#[test]
fn a_start_of_the_same_rid_abandons_the_run_before() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    for rid in [None, rid(1), rid(2), rid(1), None] {
        desk.ping_rid("job", Start, rid);
    }
    assert_eq!(desk.outcomes("job"), [Outcome::Abandoned, Outcome::Abandoned]);
    let open: Vec<_> = desk.beat("job").open_runs.iter().map(|run| run.rid).collect();
    assert_eq!(open, [rid(2), rid(1), None]);
    assert_eq!(desk.alerts("job"), [], "being superseded is no failure");
    assert_eq!(desk.view("job").consecutive_failures, 0);
}

#[test]
fn overlapping_runs_do_not_close_each_other() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    desk.ping_rid("job", Start, rid(1));
    desk.wait_until(10);
    desk.ping_rid("job", Start, rid(2));
    desk.wait_until(20);
    desk.ping_rid("job", Success, rid(1));
    desk.wait_until(35);
    desk.ping_rid("job", Exit(2), rid(2));
    let runs = desk.runs("job");
    assert_eq!(desk.outcomes("job"), [Outcome::Success, Outcome::Failure]);
    assert_eq!(runs[0].duration, Some(Span::from_secs(20)));
    assert_eq!(runs[1].duration, Some(Span::from_secs(25)));
}

#[test]
fn an_unknown_rid_closes_the_run_without_rid_or_is_a_run_of_its_own() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    desk.ping_rid("job", Start, rid(1));
    desk.ping("job", Start);
    desk.ping_rid("job", Success, rid(9));
    let open: Vec<_> = desk.beat("job").open_runs.iter().map(|run| run.rid).collect();
    assert_eq!(open, [rid(1)]);
    desk.ping_rid("job", Success, rid(9));
    assert_eq!(desk.beat("job").open_runs.len(), 1, "rid 1 is not touched");
    let last = desk.runs("job").pop().unwrap();
    assert_eq!((last.rid, last.duration), (rid(9), None));
}

#[test]
fn a_finish_without_rid_takes_the_run_without_rid_before_the_oldest() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    desk.ping_rid("job", Start, rid(1));
    desk.ping_rid("job", Start, rid(2));
    desk.ping("job", Start);
    let open = |desk: &Desk| desk.beat("job").open_runs.iter().map(|run| run.rid).collect::<Vec<_>>();
    desk.ping("job", Success);
    assert_eq!(open(&desk), [rid(1), rid(2)]);
    desk.ping("job", Fail);
    assert_eq!(open(&desk), [rid(2)], "else the oldest open run");
}

#[test]
fn a_late_finish_belongs_to_its_own_run() {
    let mut desk = Desk::new(&[running(DAY, HOUR, 60)]);
    desk.ping_rid("job", Start, rid(1));
    desk.wait_until(60);
    assert_eq!(desk.outcomes("job"), [Outcome::Overran]);
    desk.ping("job", Start);
    desk.wait_until(90);
    desk.ping_rid("job", Exit(0), rid(1));
    let late = &desk.runs("job")[0];
    assert_eq!((late.outcome, late.duration), (Outcome::Overran, Some(Span::from_secs(90))));
    assert_eq!(late.exit_code, Some(0));
    assert!(desk.view("job").running, "the run without rid goes on");
    assert_eq!(desk.status("job"), "up");
    assert_eq!(desk.runs("job").len(), 1, "no run is made for it");
}

#[test]
fn a_late_finish_without_rid_belongs_to_the_newest_run_that_overran() {
    let mut desk = Desk::new(&[running(DAY, HOUR, 60)]);
    desk.ping_rid("job", Start, rid(1));
    desk.wait_until(10);
    desk.ping_rid("job", Start, rid(2));
    desk.wait_until(100);
    desk.ping("job", Success);
    let durations = |desk: &Desk| desk.runs("job").iter().map(|run| run.duration).collect::<Vec<_>>();
    assert_eq!(durations(&desk), [None, Some(Span::from_secs(90))]);
    desk.wait_until(110);
    desk.ping("job", Success);
    assert_eq!(durations(&desk), [Some(Span::from_secs(110)), Some(Span::from_secs(90))]);
    desk.ping("job", Success);
    assert_eq!(desk.runs("job").len(), 3, "then it is a run of its own");
}

#[test]
fn runs_that_overran_in_the_same_millisecond_keep_their_order() {
    for lives in 0..4 {
        let mut desk = Desk::new(&[running(DAY, HOUR, 60)]);
        for _ in 0..lives {
            desk.restart_at(0);
        }
        for n in 1..=4 {
            desk.ping_rid("job", Start, rid(n));
        }
        desk.wait_until(60);
        let rids: Vec<_> = desk.runs("job").iter().map(|run| run.rid).collect();
        assert_eq!(rids, [rid(1), rid(2), rid(3), rid(4)]);
        desk.ping("job", Success);
        assert_eq!(desk.runs("job")[3].duration, Some(Span::from_secs(60)), "the newest");
    }
}

#[test]
fn the_hundred_and_first_open_run_abandons_the_oldest() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    for n in 1..=101 {
        desk.ping_rid("job", Start, rid(n));
    }
    assert_eq!(desk.beat("job").open_runs.len(), 100);
    assert_eq!(desk.outcomes("job"), [Outcome::Abandoned]);
    assert_eq!(desk.runs("job")[0].rid, rid(1));
    desk.ping_rid("job", Start, rid(50));
    assert_eq!(desk.beat("job").open_runs.len(), 100, "the same rid makes its own room");
}

#[test]
fn a_run_that_overran_counts_and_so_does_the_period_that_it_missed() {
    let mut desk = Desk::new(&[running(100, 10, 200)]);
    desk.ping("job", Start);
    desk.wait_until(200);
    let incident = desk.open("job");
    assert_eq!((incident.cause, incident.opened_at), (Cause::Overran, at(200)));
    assert_eq!(desk.view("job").consecutive_failures, 2);
    let instants: Vec<_> = incident.timeline.iter().map(|note| note.at).collect();
    assert!(instants.is_sorted(), "the period was put off to the run's end: {instants:?}");
}

#[test]
fn a_run_that_overran_and_then_fails_is_one_failure_not_two() {
    let mut desk = Desk::new(&[running(DAY, HOUR, 100)]);
    desk.ping("job", Start);
    desk.wait_until(100);
    assert_eq!(desk.view("job").consecutive_failures, 1);
    desk.ping("job", Exit(3));
    assert_eq!(desk.view("job").consecutive_failures, 1, "one run counts once");
    desk.ping("job", Exit(3));
    assert_eq!(desk.view("job").consecutive_failures, 2, "a second finish is a run of its own");
}

#[test]
fn a_late_failure_counts_again_when_a_success_came_since_the_run_overran() {
    let mut desk = Desk::new(&[running(DAY, HOUR, 100)]);
    desk.ping_rid("job", Start, rid(1));
    desk.wait_until(100);
    desk.ping_rid("job", Success, rid(2));
    assert_eq!(desk.view("job").consecutive_failures, 0);
    desk.wait_until(150);
    desk.ping_rid("job", Exit(3), rid(1));
    assert_eq!((desk.status("job"), desk.view("job").consecutive_failures), ("down", 1));
}

#[test]
fn a_run_never_has_a_negative_duration() {
    let mut desk = Desk::new(&[every("job", DAY, HOUR)]);
    desk.wait_until(10);
    desk.ping("job", Start);
    let mut ping = desk.heard("job", Success, None);
    ping.at = at_ms(9_000);
    desk.handle(crate::machine::event::Event::Ping(Box::new(ping)));
    assert_eq!(desk.runs("job")[0].duration, Some(Span::ZERO));
}
