//! Incidents of all heartbeats, newest first, each with why, how long, and what happened in it.

use std::collections::BTreeMap;

use askama::Template;
use warp::reply::Response;

use crate::http::Door;
use crate::http::api::incidents;
use crate::http::page::frame::{Frame, Here, Visitor};
use crate::http::page::list::{At, ITEMS, Listed, named, tiles};
use crate::http::page::written;
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::machine::view::{IncidentEntry, NoteView, TileView};
use crate::model::ago::about;
use crate::model::id::Slug;
use crate::model::incident::{BlindWindow, Blindness, Cause, Reason};
use crate::model::time::Timestamp;

#[derive(Template)]
#[template(path = "incidents.html")]
struct Incidents {
    frame: Frame,
    listed: Listed,
    items: Vec<Item>,
    next: Option<String>,
}

/// An incident, told.
struct Item {
    entry: IncidentEntry,
    /// The heartbeat's name; `None` when it has left.
    name: Option<String>,
    cause: String,
    now: Timestamp,
}

/// Answers with the page.
pub(super) async fn answer<E: Engine>(
    door: &Door<E>,
    visitor: Visitor,
    query: &[(String, String)],
) -> Result<Response, Failure> {
    let mut listed = Listed::read("incidents", query);
    let given = listed.parameters(&["status", "heartbeat", "cursor"])?;
    let (filter, cursor) = incidents::wanted(door, &given).await.map_err(named)?;
    listed.put_slug(filter.heartbeat.as_ref().map(Slug::as_str));
    let (found, next) = incidents::page(&door.engine, filter, cursor, ITEMS).await?;
    let tiles = tiles(&door.engine, found.iter().map(|entry| &entry.heartbeat)).await?;
    let frame = Frame::of(door, visitor, ("./", Here::Incidents), "Incidents").await?;
    written(move || {
        let now = frame.now;
        let items = found.into_iter().map(|entry| Item::new(entry, &tiles, now)).collect();
        Incidents { frame, listed, items, next }
    })
    .await
}

impl Item {
    fn new(entry: IncidentEntry, tiles: &BTreeMap<Slug, TileView>, now: Timestamp) -> Self {
        let tile = tiles.get(&entry.heartbeat);
        // Of one that is open the machine knows more: what came and did not come before it.
        let open = |tile: &&TileView| {
            tile.heartbeat.incident.as_ref().is_some_and(|open| open.id == entry.incident.id)
        };
        let why = tile.filter(open).and_then(|tile| tile.why.clone());
        let name = tile.map(|tile| tile.heartbeat.name.clone());
        Self { cause: why.unwrap_or_else(|| cause(&entry)), name, entry, now }
    }

    fn lasted(&self) -> String {
        let until = self.entry.incident.resolved_at.unwrap_or(self.now);
        about(until.since(self.entry.incident.opened_at))
    }

    fn is_open(&self) -> bool {
        self.entry.incident.resolved_at.is_none()
    }

    fn ended(&self) -> &'static str {
        self.entry.incident.reason.map_or("", reason)
    }
}

/// Why it opened, as far as the incident itself says.
fn cause(entry: &IncidentEntry) -> String {
    match (entry.incident.cause, entry.due_at, entry.incident.exit_code) {
        (Cause::Missed, Some(due), _) => {
            format!("no ping came in time (due {} UTC)", due.to_jiff().strftime("%F %H:%M"))
        }
        (Cause::Missed, None, _) => "no ping came in time".to_owned(),
        (Cause::Failed, _, Some(code)) => format!("failed with exit code {code}"),
        (Cause::Failed, _, None) => "said that it failed".to_owned(),
        (Cause::Overran, _, _) => "a run did not finish in time".to_owned(),
    }
}

fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Ping => "a success came",
        Reason::Paused => "it was paused",
        Reason::Removed => "it was removed",
    }
}

/// What kept overdue from hearing.
pub(super) fn blindness(window: &BlindWindow) -> &'static str {
    match window.why {
        Blindness::NotRunning => "overdue was not running",
        Blindness::Stalled => "overdue was stopped or starved",
        Blindness::Suspended => "the machine slept",
        Blindness::ClockStep => "the clock was set",
    }
}

/// What happened, in words.
fn told(note: &NoteView) -> String {
    match (note.what, note.exit_code, note.periods, note.reason) {
        ("opened", ..) => "opened".to_owned(),
        ("failed", Some(code), ..) => format!("failed again, with exit code {code}"),
        ("failed", ..) => "said again that it failed".to_owned(),
        ("overran", ..) => "a run did not finish in time".to_owned(),
        ("missed", _, Some(1), _) => "one more period passed without a ping".to_owned(),
        ("missed", _, Some(periods), _) => format!("{periods} more periods passed without a ping"),
        ("started", ..) => "a run started".to_owned(),
        ("reminded", ..) => "a reminder was queued".to_owned(),
        ("resolved", _, _, Some(why)) => format!("resolved: {}", reason(why)),
        (what, ..) => what.to_owned(),
    }
}
