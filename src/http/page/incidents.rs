//! Incidents of all heartbeats, newest first, each with why, how long, and what happened in it.

use askama::Template;
use warp::reply::Response;

use crate::http::Door;
use crate::http::api::{blocking_slug_of, incidents, pages};
use crate::http::auth::Visitor;
use crate::http::page::frame::{Frame, Framed, Here};
use crate::http::page::list::{ITEMS, Listed, Tiles, named};
use crate::http::page::mark::Mark;
use crate::http::page::times::fixed;
use crate::http::page::{page, words};
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::machine::view::{IncidentEntry, TileView};
use crate::model::ago::about;
use crate::model::id::Slug;
use crate::model::time::Timestamp;

#[derive(Template)]
#[template(path = "incidents.html")]
struct Incidents {
    frame: Frame,
    listed: Listed,
    items: Vec<Item>,
    next: Option<String>,
}

impl Framed for Incidents {
    fn frame(&self) -> &Frame {
        &self.frame
    }
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
pub(super) fn answer<E: Engine>(
    door: &Door<E>,
    visitor: Visitor,
    query: &[(String, String)],
) -> Result<Response, Failure> {
    let mut listed = Listed::read("incidents", query);
    let given = listed.parameters(&["status", "heartbeat", "cursor"])?;
    let (mut filter, before) = incidents::wanted(&given).map_err(named)?;
    filter.heartbeat = blocking_slug_of(door, given.text("heartbeat")).map_err(named)?;
    listed.put_slug(filter.heartbeat.as_ref().map(Slug::as_str));
    let (found, next) = pages::blocking_gather(&door.engine, ITEMS, before, incidents::piece(filter))?;
    let next = next.map(incidents::cursor);
    let slugs = found.iter().map(|entry| entry.heartbeat.clone()).collect();
    let tiles = Tiles::of(&door.engine, slugs)?;
    let frame = Frame::of(door, visitor, ("./", Here::Incidents), "Incidents")?;
    let now = frame.now;
    let items = found.into_iter().map(|entry| Item::new(entry, &tiles, now)).collect();
    Ok(page(&Incidents { frame, listed, items, next }))
}

impl Item {
    fn new(entry: IncidentEntry, tiles: &Tiles, now: Timestamp) -> Self {
        let tile = tiles.get(&entry.heartbeat);
        // Of one that is open the machine knows more: what came and did not come before it.
        let open = |tile: &&TileView| {
            tile.heartbeat.incident.as_ref().is_some_and(|open| open.id == entry.incident.id)
        };
        let why = tile.filter(open).and_then(|tile| tile.why.clone());
        let name = tile.map(TileView::name);
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
        self.entry.incident.reason.map_or("", words::reason)
    }
}

/// Why it opened, as far as the incident itself says.
fn cause(entry: &IncidentEntry) -> String {
    let cause = words::cause(&entry.incident);
    match entry.due_at {
        Some(due) => format!("{cause} (due {} UTC)", due.to_jiff().strftime("%F %H:%M")),
        None => cause,
    }
}
