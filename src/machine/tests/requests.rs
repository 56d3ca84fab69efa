//! What somebody wants by the API, and what the machine makes of it.

use super::desk::{DAY, Desk, HOUR, MINUTE, at, every, slug};
use crate::machine::effect::{Effect, Tale};
use crate::machine::event::{Conflict, Edition, Event, Expected, Reply, Request};
use crate::machine::record::Record;
use crate::model::channel::ChannelName;
use crate::model::delivery::Delivery;
use crate::model::heartbeat::{Declaration, Draft, Source};
use crate::model::incident::{Alert, Reason};
use crate::model::ping::PingKind::{Fail, Start, Success};
use crate::model::ping::Target;
use crate::model::schedule::Timing;
use crate::model::time::{Span, Timestamp};

pub(super) fn draft(secs: i64) -> Draft {
    let mut draft = Draft::new(Timing::Interval(Span::from_secs(secs)));
    draft.rest.channels = Some(vec![ChannelName::new("ops")]);
    draft
}

pub(super) fn target(name: &str) -> Target {
    Target::Slug(slug(name))
}

impl Desk {
    pub(super) fn request(&mut self, request: Request) -> Reply {
        self.handle(Event::Request(Box::new(request)))
    }

    pub(super) fn replace(&mut self, name: &str, draft: Draft, expected: Expected) -> Reply {
        self.request(Request::Replace { target: target(name), draft, expected })
    }

    pub(super) fn delete(&mut self, name: &str) -> Reply {
        self.request(Request::Delete { target: target(name), expected: Expected::Anything })
    }

    pub(super) fn pause(&mut self, name: &str, span: Option<Span>) -> Reply {
        self.request(Request::Pause { target: target(name), span })
    }

    pub(super) fn retry(&mut self, delivery: &Delivery) -> Reply {
        self.request(Request::Retry { delivery: delivery.id })
    }

    pub(super) fn edition(&self, name: &str) -> Edition {
        self.machine.view(self.now).edition(name).unwrap().1
    }

    pub(super) fn outbox(&self) -> Vec<Alert> {
        self.machine.state().core.outbox.values().map(|delivery| delivery.alert).collect()
    }
}

/// A heartbeat of the config and one of the API.
pub(super) fn desk() -> Desk {
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
    assert_eq!(desk.request(Request::Amend { target, draft: draft(HOUR), edition, pauses: false }), declared);
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
        page.items
            .into_iter()
            .map(|incident| (incident.incident.opened_at, incident.heartbeat.to_string()))
            .collect()
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

#[test]
fn no_two_heartbeats_ever_have_one_url() {
    let mut desk = desk();
    let uuid = desk.beat("made").heartbeat.uuid;
    desk.delete("made");
    desk.create("other", Draft { uuid: Some(uuid), ..draft(HOUR) });
    // The config brings the slug back from which that UUID follows.
    desk.reload(&[every("declared", DAY, HOUR), every("made", 2 * HOUR, HOUR)]);
    assert_eq!(desk.beat("other").heartbeat.uuid, uuid, "it is in somebody's crontab");
    let another = desk.beat("made").heartbeat.uuid;
    assert_ne!(another, uuid);
    let told = |desk: &Desk| {
        let taken = |effect: &&Effect| matches!(effect, Effect::Tell(Tale::UrlTaken { .. }));
        desk.effects.iter().filter(taken).count()
    };
    assert_eq!(told(&desk), 1);
    desk.reload_same();
    desk.restart_at(HOUR);
    assert_eq!(
        (desk.beat("made").heartbeat.uuid, told(&desk)),
        (another, 1),
        "it stays so, and is told once"
    );
    desk.reload(&[every("declared", DAY, HOUR)]);
    let find = |uuid| desk.machine.state().find_living(&Target::Uuid(uuid)).is_some();
    assert!(find(uuid) && !find(another));
    desk.assert_replays();
}

#[test]
fn a_deleted_heartbeats_url_may_go_to_one_that_was_deleted_too() {
    let mut desk = desk();
    let uuid = desk.beat("made").heartbeat.uuid;
    desk.create("other", draft(HOUR));
    desk.delete("made");
    desk.delete("other");
    assert_eq!(
        desk.create("other", Draft { uuid: Some(uuid), ..draft(HOUR) }),
        Reply::Created(slug("other"))
    );
    assert!(desk.machine.state().find("made").is_none());
    desk.assert_replays();
}

#[test]
fn what_is_said_of_a_pause_by_the_api_is_so_from_then_on() {
    let paused = |paused| {
        let mut draft = draft(HOUR);
        draft.rest.paused = Some(paused);
        draft
    };
    let mut desk = desk();
    desk.create("job", paused(true));
    assert_eq!(desk.status("job"), "paused");
    desk.request(Request::Resume { target: target("job") });
    assert_eq!(desk.status("job"), "new");
    let amend = |desk: &mut Desk, draft, pauses| {
        let edition = desk.edition("job");
        desk.request(Request::Amend { target: target("job"), draft, edition, pauses })
    };
    amend(&mut desk, paused(true), false);
    assert_eq!(desk.status("job"), "new", "nothing was said of it");
    amend(&mut desk, paused(true), true);
    assert_eq!(desk.status("job"), "paused");
    desk.replace("job", draft(HOUR), Expected::Anything);
    desk.pause("job", None);
    amend(&mut desk, paused(false), true);
    assert_eq!(desk.status("job"), "new");
    desk.pause("job", Some(Span::from_secs(5 * HOUR)));
    desk.delete("job");
    desk.create("job", draft(HOUR));
    assert_eq!(
        (desk.status("job"), desk.beat("job").paused_until),
        ("new", None),
        "another life, not paused"
    );
    desk.delete("job");
    desk.create("job", paused(true));
    assert_eq!(desk.status("job"), "paused");
    desk.assert_replays();
}

#[test]
fn a_channel_that_leaves_the_config_is_told_at_once() {
    let mut desk = desk();
    desk.reload_same();
    let gone = |desk: &Desk| {
        desk.effects.iter().filter(|effect| matches!(effect, Effect::Tell(Tale::ChannelGone { .. }))).count()
    };
    assert_eq!(gone(&desk), 0);
    desk.channels.clear();
    desk.reload_same();
    desk.reload_same();
    assert_eq!(gone(&desk), 1);
}

#[test]
fn statistics_are_of_the_last_ninety_days_and_of_none_that_has_not_been() {
    let mut desk = Desk::new(&[every("job", 400 * DAY, HOUR)]);
    desk.ping("job", Success);
    let days = |desk: &Desk| desk.machine.view(desk.now).stats("job").unwrap().days.len();
    assert_eq!(days(&desk), 1);
    desk.now = at(89 * DAY);
    assert_eq!(days(&desk), 1);
    desk.now = at(90 * DAY);
    assert_eq!(days(&desk), 0);
    desk.now = at(0) - Span::from_secs(DAY);
    assert_eq!(days(&desk), 0);
}

impl Desk {
    /// Every living heartbeat is found by its UUID, and no other is.
    fn assert_each_has_its_url(&self) {
        let state = self.machine.state();
        for beat in state.living_after(None) {
            let found = state.find_living(&Target::Uuid(beat.heartbeat.uuid));
            let found = found.and_then(|place| state.beats.at(place)).map(|found| &found.heartbeat.slug);
            assert_eq!(found, Some(&beat.heartbeat.slug));
        }
    }

    /// A restart from a snapshot.
    fn restart_from_snapshot(&mut self) {
        let crate::machine::state::Frozen { core, beats } = self.machine.state().freeze();
        let beats: Vec<_> = beats.iter().map(|(_, beat)| beat.clone()).collect();
        for beats in [beats.clone(), beats.into_iter().rev().collect()] {
            let state = crate::machine::state::State::restore(core.clone(), beats.into_iter());
            let machine = crate::machine::Machine::restore(state, crate::model::schedule::Zones::bundled());
            let before = std::mem::replace(&mut self.machine, machine);
            self.assert_each_has_its_url();
            self.machine = before;
        }
        self.restart_at(self.now.since(at(0)).as_secs() + 1);
        self.assert_each_has_its_url();
    }
}

#[test]
fn an_adopted_url_is_not_had_twice_either() {
    let own = every("s", DAY, HOUR);
    let url = own.uuid;
    let mut desk = Desk::with_channels(std::slice::from_ref(&own), &["ops"]);
    desk.reload(&[]);
    desk.create("x", Draft { uuid: Some(url), ..draft(HOUR) });
    desk.delete("x");
    desk.reload(&[own.clone(), every("x", DAY, HOUR)]);
    desk.assert_each_has_its_url();
    desk.restart_from_snapshot();
    desk.reload(&[own]);
    desk.assert_each_has_its_url();
    desk.assert_replays();
}

#[test]
fn a_url_that_was_given_instead_of_another_stays() {
    let own = every("s", DAY, HOUR);
    let mut desk = Desk::with_channels(&[], &["ops"]);
    desk.create("x", Draft { uuid: Some(own.uuid), ..draft(HOUR) });
    desk.reload(std::slice::from_ref(&own));
    let given = desk.beat("s").heartbeat.uuid;
    assert_ne!(given, own.uuid);
    desk.delete("x");
    desk.reload_same();
    assert_eq!(desk.beat("s").heartbeat.uuid, given, "it is in a crontab by now");
    desk.restart_from_snapshot();
    assert_eq!(desk.beat("s").heartbeat.uuid, given);
    // With a UUID of its own it has that, and x is remembered with the same one, after it.
    desk.reload(&[Declaration { uuid_explicit: true, ..own }]);
    desk.assert_each_has_its_url();
    desk.restart_from_snapshot();
    desk.assert_replays();
}

#[test]
fn a_uuid_of_the_config_forgets_no_heartbeat_of_the_api() {
    let mut desk = Desk::with_channels(&[], &["ops"]);
    desk.create("one", draft(HOUR));
    desk.create("two", draft(HOUR));
    desk.ping("two", Success);
    let (first, second) = (desk.beat("one").heartbeat.uuid, desk.beat("two").heartbeat.uuid);
    let two = Declaration { uuid: first, uuid_explicit: true, ..every("two", DAY, HOUR) };
    desk.reload(&[two]);
    assert_eq!((desk.beat("one").heartbeat.uuid, desk.view("two").pings_total), (first, 1));
    assert!(![first, second].contains(&desk.beat("two").heartbeat.uuid));
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Tell(Tale::UrlTaken { .. }))));
    desk.restart_from_snapshot();
    desk.assert_replays();
}
