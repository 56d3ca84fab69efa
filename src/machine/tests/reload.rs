//! What a new config does to what is: appear, disappear, come back, move, change. No edit alerts by itself.

use std::sync::Arc;

use uuid::Uuid;

use super::desk::{DAY, Desk, HOUR, MINUTE, at, cron, every};
use crate::machine::event::{Conflict, Event, Reload, Reply};
use crate::machine::record::Record;
use crate::model::heartbeat::{Declaration, Draft, Source};
use crate::model::incident::{Alert, Cause, Reason};
use crate::model::ping::PingKind::{Fail, Start, Success};
use crate::model::run::Outcome;
use crate::model::schedule::Timing;
use crate::model::schedule::expressions::Expressions;
use crate::model::time::Span;

fn with_uuid(name: &str, uuid: u128) -> Declaration {
    Declaration { uuid: Uuid::from_u128(uuid), uuid_explicit: true, ..every(name, 100, 10) }
}

fn grace(declaration: &Declaration, secs: i64) -> Declaration {
    Declaration { grace: Span::from_secs(secs), ..declaration.clone() }
}

#[test]
fn a_heartbeat_that_appears_is_new_and_due_from_then() {
    let mut desk = Desk::new(&[]);
    desk.wait_until(1_000);
    desk.reload(&[every("job", 100, 10)]);
    assert_eq!((desk.status("job"), desk.view("job").next_due_at), ("new", Some(at(1_100))));
}

#[test]
fn an_unchanged_config_writes_nothing() {
    let mut desk = Desk::new(&[every("a", 100, 10), cron("b", "0 2 * * *", 10)]);
    desk.ping("a", Start);
    let before = desk.records.len();
    desk.reload_same();
    assert_eq!(desk.records.len(), before);
}

#[test]
fn an_unchanged_heartbeat_keeps_status_deadline_runs_and_incident_over_a_restart() {
    let mut desk = Desk::new(&[every("a", DAY, 10), every("b", DAY, 10), every("c", DAY, 10)]);
    desk.wait_until(10);
    desk.ping("a", Success);
    desk.ping("b", Start);
    desk.ping("c", Fail);
    let of = |desk: &Desk| ["a", "b", "c"].map(|name| desk.beat(name).clone());
    let before = of(&desk);
    desk.restart_at(HOUR / 2);
    assert_eq!(of(&desk), before);
}

#[test]
fn deleting_resolves_the_incident() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    desk.ping("job", Fail);
    desk.ping("job", Start);
    desk.wait_until(50);
    desk.reload(&[]);
    assert_eq!(desk.alerts("job"), [Alert::Opened, Alert::Resolved]);
    assert_eq!(desk.resolved("job")[0].reason, Some(Reason::Removed));
    assert_eq!(desk.outcomes("job"), [Outcome::Failure, Outcome::Abandoned]);
    desk.wait_until(10_000);
    assert_eq!(desk.alerts("job").len(), 2, "nothing is expected of it any more");
}

#[test]
fn what_was_removed_takes_no_ping() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    desk.reload(&[]);
    assert_eq!(desk.ping("job", Success), Reply::Unknown);
    assert!(desk.machine.view(desk.now).heartbeat("job").is_none());
}

#[test]
fn put_back_it_has_its_history_and_its_due_counts_from_then() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    desk.ping("job", Fail);
    let uuid = desk.beat("job").heartbeat.uuid;
    desk.reload(&[]);
    desk.wait_until(5_000);
    desk.reload(&[every("job", 100, 10)]);
    assert_eq!(desk.status("job"), "up", "its incident resolved");
    assert_eq!(desk.view("job").next_due_at, Some(at(5_100)));
    assert_eq!((desk.runs("job").len(), desk.beat("job").heartbeat.uuid), (1, uuid));
    desk.wait_until(5_110);
    assert_eq!(desk.alerts("job"), [Alert::Opened, Alert::Resolved, Alert::Opened]);
    desk.assert_replays();
}

#[test]
fn put_back_it_is_still_new_or_paused() {
    let paused = Declaration { paused: true, ..every("paused", 100, 10) };
    let mut desk = Desk::new(&[every("new", 100, 10), paused.clone()]);
    desk.reload(&[]);
    desk.wait_until(5_000);
    desk.reload(&[every("new", 100, 10), paused]);
    assert_eq!((desk.status("new"), desk.status("paused")), ("new", "paused"));
    desk.reload(&[every("paused", 100, 10)]);
    assert_eq!(desk.view("paused").next_due_at, Some(at(5_100)));
}

#[test]
fn a_pause_that_ended_while_it_was_away_does_not_alert_when_it_is_put_back() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    desk.ping("job", Success);
    let place = desk.machine.state().find("job").unwrap();
    let mut out = crate::machine::Transition::default();
    desk.machine.pause(place, Some(at(1_000)), at(0), &mut out);
    desk.records.extend(out.records);
    desk.reload(&[]);
    desk.wait_until(5_000);
    desk.reload(&[every("job", 100, 10)]);
    desk.wait_until(5_109);
    assert_eq!((desk.status("job"), desk.alerts("job").len()), ("late", 0));
    assert_eq!(desk.view("job").next_due_at, Some(at(5_100)));
    desk.assert_replays();
}

#[test]
fn what_was_removed_is_forgotten_after_keep_removed() {
    let mut desk = Desk::new(&[every("job", 100, 10)]);
    desk.ping("job", Success);
    desk.reload(&[]);
    desk.wait_until(30 * DAY - 1);
    assert!(desk.machine.state().find("job").is_some());
    desk.wait_until(30 * DAY);
    assert!(desk.machine.state().find("job").is_none());
    desk.reload(&[every("job", 100, 10)]);
    assert_eq!((desk.status("job"), desk.runs("job").len()), ("new", 0));
    desk.assert_replays();
}

#[test]
fn an_explicit_uuid_under_a_new_slug_is_a_rename() {
    let mut desk = Desk::new(&[with_uuid("old", 1)]);
    desk.ping("old", Fail);
    let incident = desk.open("old").id;
    desk.reload(&[with_uuid("new", 1)]);
    assert_eq!(desk.open("new").id, incident, "history and incident move");
    assert_eq!(desk.runs("new").len(), 1);
    assert!(desk.machine.state().find("old").is_none());
    assert_eq!(desk.alerts("old"), [Alert::Opened], "nothing was removed");
    desk.ping("new", Success);
    assert_eq!(desk.alerts("new"), [Alert::Resolved]);
    desk.assert_replays();
}

#[test]
fn two_slugs_can_be_swapped() {
    let mut desk = Desk::new(&[with_uuid("a", 1), with_uuid("b", 2), with_uuid("c", 3)]);
    desk.ping("a", Fail);
    desk.ping("b", Success);
    desk.reload(&[with_uuid("a", 2), with_uuid("b", 3), with_uuid("c", 1)]);
    assert_eq!(["a", "b", "c"].map(|name| desk.status(name)), ["up", "new", "down"]);
    assert_eq!(["a", "b", "c"].map(|name| desk.beat(name).heartbeat.uuid.as_u128()), [2, 3, 1]);
    for (name, uuid) in [("a", 2), ("b", 3), ("c", 1)] {
        let target = crate::model::ping::Target::Uuid(Uuid::from_u128(uuid));
        assert_eq!(desk.machine.state().find_living(&target), desk.machine.state().find(name));
    }
    desk.assert_replays();
    desk.restart_at(20);
    desk.assert_replays();
}

#[test]
fn a_rename_onto_a_slug_that_leaves_ends_its_incident() {
    let mut desk = Desk::new(&[with_uuid("a", 1), with_uuid("b", 2)]);
    desk.ping("b", Fail);
    desk.reload(&[with_uuid("b", 1)]);
    assert_eq!(desk.alerts("b"), [Alert::Opened, Alert::Resolved]);
    assert_eq!((desk.status("b"), desk.machine.state().living()), ("new", 1));
    desk.assert_replays();
}

#[test]
fn a_shorter_interval_moves_the_deadline_but_does_not_alert() {
    let mut desk = Desk::new(&[every("job", DAY, 10)]);
    desk.ping("job", Success);
    desk.wait_until(1_000);
    desk.reload(&[every("job", 2_000, 10)]);
    assert_eq!(desk.view("job").next_due_at, Some(at(2_000)), "from the last finish, while that is ahead");
    desk.reload(&[every("job", 100, 10)]);
    assert_eq!(desk.view("job").next_due_at, Some(at(1_100)), "else one interval from the change");
    desk.wait_until(1_109);
    assert_eq!(desk.alerts("job"), []);
    desk.wait_until(1_110);
    assert_eq!(desk.alerts("job"), [Alert::Opened]);
}

#[test]
fn another_cron_line_counts_from_the_change() {
    let mut desk = Desk::new(&[cron("job", "0 2 * * *", MINUTE)]);
    desk.ping("job", Success);
    desk.wait_until(HOUR + 30 * MINUTE);
    desk.reload(&[cron("job", "0 1 * * *", MINUTE)]);
    assert_eq!(desk.view("job").next_due_at, Some(at(DAY + HOUR)), "1:00 is past: the next occurrence");
    let zoned = Declaration { timezone: "Europe/Berlin".into(), ..cron("job", "0 4 * * *", MINUTE) };
    desk.reload(&[zoned]);
    assert_eq!(desk.view("job").next_due_at, Some(at(3 * HOUR)));
}

#[test]
fn a_smaller_grace_does_not_alert_by_itself() {
    let job = every("job", 100, 50);
    let mut desk = Desk::new(std::slice::from_ref(&job));
    desk.wait_until(130);
    assert_eq!(desk.status("job"), "late");
    desk.reload(&[grace(&job, 40)]);
    assert_eq!(desk.view("job").next_deadline_at, Some(at(140)), "still ahead: it counts");
    desk.reload(&[grace(&job, 30)]);
    desk.wait_until(130);
    assert_eq!(desk.alerts("job"), []);
    assert_eq!(desk.view("job").next_due_at, Some(at(230)));
}

#[test]
fn a_smaller_max_runtime_does_not_alert_by_itself() {
    let job = every("job", DAY, HOUR);
    let run = |secs| Declaration { max_runtime: Span::from_secs(secs), ..job.clone() };
    let mut desk = Desk::new(&[run(3_600)]);
    desk.ping("job", Start);
    desk.wait_until(600);
    desk.reload(&[run(900)]);
    assert_eq!(desk.view("job").next_deadline_at, Some(at(900)));
    desk.reload(&[run(60)]);
    desk.wait_until(659);
    assert_eq!(desk.alerts("job"), []);
    desk.wait_until(660);
    assert_eq!(desk.open("job").cause, Cause::Overran);
}

#[test]
fn an_edit_does_not_excuse_what_a_blind_window_moved_ahead() {
    let job = every("job", DAY, 50);
    let mut desk = Desk::new(std::slice::from_ref(&job));
    desk.kill();
    // The config was edited while it was down, with the job's ping missing since.
    desk.heartbeats = vec![grace(&job, 100)];
    desk.now = at(DAY + HOUR);
    desk.wake();
    desk.hear();
    assert_eq!(desk.status("job"), "late");
    desk.wait_until(DAY + HOUR + 300);
    assert_eq!(desk.alerts("job"), [Alert::Opened]);
}

#[test]
fn a_run_that_overran_long_ago_shields_no_edit() {
    let run =
        |grace: i64, secs| Declaration { max_runtime: Span::from_secs(secs), ..every("job", 1_000, grace) };
    let mut desk = Desk::new(&[run(900, 100)]);
    desk.ping("job", Start);
    desk.wait_until(1_500);
    assert_eq!((desk.status("job"), desk.view("job").consecutive_failures), ("down", 1));
    desk.reload(&[run(100, 5_000)]);
    desk.wait_until(1_500);
    assert_eq!(desk.view("job").consecutive_failures, 1, "an edit counts nothing by itself");
    assert_eq!(desk.view("job").next_due_at, Some(at(2_500)));
}

#[test]
fn an_edit_that_is_no_schedule_does_not_excuse_a_late_job() {
    let mut desk = Desk::new(&[every("job", 100, 50)]);
    desk.wait_until(120);
    let mut job = every("job", 100, 50);
    (job.name, job.timezone) = ("Other".into(), "Europe/Berlin".into());
    desk.reload(&[job]);
    assert_eq!(desk.status("job"), "late");
    desk.wait_until(150);
    assert_eq!(desk.alerts("job"), [Alert::Opened]);
}

#[test]
fn a_config_pause_acts_when_its_value_changes() {
    let job = |paused| [Declaration { paused, resume_on_ping: true, ..every("job", 100, 10) }];
    let mut desk = Desk::new(&job(true));
    assert_eq!(desk.status("job"), "paused");
    desk.ping("job", Success);
    assert_eq!(desk.status("job"), "up");
    desk.reload_same();
    desk.restart_at(20);
    assert_eq!(desk.status("job"), "up", "the last resume wins, over restarts");
    desk.reload(&job(false));
    assert_eq!(desk.status("job"), "up");
    desk.reload(&job(true));
    assert_eq!(desk.status("job"), "paused");
}

#[test]
fn a_heartbeat_that_awaits_its_first_ping_has_no_deadline() {
    let job = |await_first_ping| [Declaration { await_first_ping, ..every("job", 100, 10) }];
    let mut desk = Desk::new(&job(true));
    desk.wait_until(10_000);
    assert_eq!((desk.status("job"), desk.view("job").next_deadline_at), ("new", None));
    desk.ping("job", Start);
    desk.ping("job", Success);
    assert_eq!(desk.view("job").next_deadline_at, Some(at(10_110)));

    let mut started = Desk::new(&job(true));
    started.wait_until(10_000);
    started.ping("job", Start);
    assert_eq!(started.view("job").next_due_at, Some(at(10_100)), "a start will do");

    let mut edited = Desk::new(&job(true));
    edited.wait_until(10_000);
    edited.reload(&job(false));
    assert_eq!(edited.view("job").next_due_at, Some(at(10_100)), "an edit never alerts by itself");
}

#[test]
fn a_config_that_adopts_keeps_history_and_uuid() {
    let mut desk = Desk::new(&[]);
    desk.settings.namespace = Uuid::from_u128(7);
    desk.reload_same();
    let mut draft = Draft::new(Timing::Interval(Span::from_secs(100)));
    draft.uuid = Some(Uuid::from_u128(42));
    assert!(matches!(desk.create("job", draft.clone()), Reply::Created(_)));
    desk.ping("job", Success);
    desk.reload(&[every("job", 200, 10)]);
    let beat = desk.beat("job");
    assert_eq!((beat.source, beat.heartbeat.uuid), (Source::Config, Uuid::from_u128(42)));
    assert_eq!((desk.runs("job").len(), desk.view("job").next_due_at), (1, Some(at(200))));
    desk.reload_same();
    assert_eq!(desk.beat("job").heartbeat.uuid, Uuid::from_u128(42), "and over further reloads");
    desk.restart_at(10);
    assert_eq!(desk.beat("job").heartbeat.uuid, Uuid::from_u128(42), "and over restarts");
    desk.reload(&[with_uuid("job", 5)]);
    assert_eq!(desk.beat("job").heartbeat.uuid, Uuid::from_u128(5), "unless one is declared");
    assert_eq!(desk.runs("job").len(), 1);
    desk.assert_replays();
}

#[test]
fn heartbeats_of_the_api_survive_reloads_and_take_the_defaults_live() {
    let mut desk = Desk::new(&[]);
    let draft = Draft::new(Timing::Interval(Span::from_secs(100)));
    desk.create("job", draft.clone());
    assert_eq!(desk.beat("job").heartbeat.grace, Span::from_secs(HOUR));
    desk.settings.defaults.grace = Some(Span::from_secs(7));
    desk.reload_same();
    assert_eq!(desk.beat("job").heartbeat.grace, Span::from_secs(7));
    assert_eq!(desk.create("job", draft.clone()), Reply::Conflict(Conflict::Slug));
    let uuid = Some(desk.beat("job").heartbeat.uuid);
    assert_eq!(desk.create("other", Draft { uuid, ..draft }), Reply::Conflict(Conflict::Uuid));
    desk.restart_at(50);
    assert_eq!(desk.beat("job").source, Source::Api);
}

#[test]
fn a_large_reload_goes_in_turns_with_pings_in_between() {
    let many: Vec<Declaration> = (0..2_500).map(|n| every(&format!("job-{n:04}"), DAY, HOUR)).collect();
    let mut desk = Desk::new(&many[..1]);
    let mut heartbeats: Vec<_> = many.into_iter().map(std::sync::Arc::new).collect();
    heartbeats.sort_by(|a, b| a.slug.cmp(&b.slug));
    let reload = crate::machine::event::Reload {
        settings: desk.settings.clone(),
        channels: std::sync::Arc::from([]),
        heartbeats: heartbeats.into(),
    };
    let mut before = desk.records.len();
    desk.handle(crate::machine::event::Event::Reloaded(Box::new(reload)));
    let mut turns = 0;
    while desk.machine.is_reloading() {
        assert!(desk.records.len() - before <= 1_001, "no event holds the loop");
        before = desk.records.len();
        assert_eq!(desk.ping("job-0000", Success), Reply::Taken);
        assert!(desk.machine.next_wakeup().is_some_and(|wake| wake <= desk.now));
        desk.handle(crate::machine::event::Event::Tick);
        turns += 1;
    }
    assert!(turns >= 2);
    let declared = desk.records.iter().filter(|record| matches!(record, Record::Declared(_))).count();
    assert_eq!((declared, desk.machine.state().living()), (2_500, 2_500));
}

#[test]
fn calendars_that_no_heartbeat_has_any_more_are_forgotten() {
    let mut desk = Desk::new(&[cron("job", "0 2 * * *", HOUR)]);
    for minute in 1..20 {
        desk.reload(&[cron("job", &format!("{minute} 2 * * *"), HOUR), every("other", HOUR, 0)]);
    }
    assert_eq!(desk.machine.calendars.len(), 1);
    assert_eq!(desk.beat("job").due, Some(at(2 * HOUR + 19 * 60)));
}

#[test]
fn a_calendar_that_comes_while_a_reload_is_worked_off_is_kept() {
    let many: Vec<_> = (0..3_000).map(|n| every(&format!("job-{n:04}"), HOUR, 0)).collect();
    let mut desk = Desk::new(&many);
    let mut heartbeats: Vec<Arc<Declaration>> = many.into_iter().map(Arc::new).collect();
    heartbeats.remove(0);
    let reload =
        Reload { settings: desk.settings.clone(), channels: [].into(), heartbeats: heartbeats.into() };
    desk.handle(Event::Reloaded(Box::new(reload)));
    let mut made = 0;
    while desk.machine.is_reloading() {
        let cron = Timing::Cron(Expressions::one(&format!("{made} 2 * * *")));
        desk.create(&format!("cron-{made}"), Draft::new(cron));
        made += 1;
        desk.handle(Event::Tick);
    }
    assert!(made > 3, "it took {made} turns");
    for n in 0..made {
        let beat = desk.beat(&format!("cron-{n}"));
        assert_eq!(beat.due, Some(at(2 * HOUR + n * 60)));
    }
    desk.wait_until(DAY);
    for n in 0..made {
        assert_eq!(desk.beat(&format!("cron-{n}")).due, Some(at(DAY + 2 * HOUR + n * 60)), "it goes on");
    }
}
