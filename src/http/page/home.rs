//! The first page: open incidents, then all heartbeats, a page at a time, filtered, sorted and grouped by the
//! server.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use warp::reply::Response;

use crate::engine::handle::Refused;
use crate::http::Door;
use crate::http::auth::Visitor;
use crate::http::page::frame::{Frame, Framed, Here};
use crate::http::page::mark::Mark;
use crate::http::page::page;
use crate::http::page::query::{ListQuery, PAGES, ROWS};
use crate::http::page::strip::{RUNS, Strip};
use crate::http::page::times::{Or, lasted, next, past};
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::machine::view::{GroupCount, Grouping, Order, Row, Survey, TileView, Wanted};
use crate::model::heartbeat::Status;
use crate::model::id::Slug;
use crate::model::time::Timestamp;

/// Open incidents that stand first; the rest is a page away.
const INCIDENTS: usize = 10;

/// Rows that are asked for at a time: all kept runs of each are looked at, and those who ping are heard between.
const TILES: usize = 10;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    frame: Frame,
    query: ListQuery,
    survey: Survey,
    incidents: Vec<TileView>,
    groups: Vec<Group>,
    shown: usize,
}

impl Framed for Home {
    fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// Rows under one heading.
struct Group {
    /// The tag or host; `None` where nothing is grouped.
    heading: Option<Heading>,
    lines: Vec<Line>,
}

struct Heading {
    name: Option<String>,
    /// Groups without end are not all counted.
    count: Option<GroupCount>,
}

/// A field of the form that chooses by a name.
struct Choice<'a> {
    field: &'static str,
    label: &'static str,
    names: Vec<(&'a str, usize)>,
    chosen: Option<&'a str>,
}

impl Choice<'_> {
    /// What was chosen and is not in the list, which is not always whole.
    fn unlisted(&self) -> Option<&str> {
        self.chosen.filter(|chosen| !self.names.iter().any(|(name, _)| name == chosen))
    }
}

#[inline(never)]
fn listed(names: &BTreeMap<String, GroupCount>) -> Vec<(&str, usize)> {
    names.iter().map(|(name, count)| (name.as_str(), count.rows)).collect()
}

/// A row.
struct Line {
    tile: TileView,
    strip: Strip,
    now: Timestamp,
}

/// Answers with the page.
pub(super) fn answer<E: Engine>(
    door: &Door<E>,
    visitor: Visitor,
    query: &[(String, String)],
) -> Result<Response, Failure> {
    let query = ListQuery::read(query)?;
    let mut survey = survey(&door.engine, query.wanted())?;
    let rows = survey.first_rows();
    let rows = rows.get(query.page * ROWS..).unwrap_or_default();
    let first_page = query.page == 0 && !query.filters();
    let incidents = door.engine.blocking_ask(move |view| {
        let open = if first_page { view.down(INCIDENTS) } else { Vec::new() };
        view.tiles(&open, 0)
    })?;
    let mut tiles = Vec::new();
    for some in rows.chunks(TILES) {
        let slugs: Vec<Slug> = some.iter().map(|row| row.slug.clone()).collect();
        tiles.append(&mut door.engine.blocking_ask(move |view| view.tiles(&slugs, RUNS))?);
    }
    let frame = Frame::of(door, visitor, ("./", Here::Heartbeats), "Heartbeats")?;
    let shown = rows.len();
    let groups = grouped(rows, tiles, &survey, query.grouping, frame.now);
    Ok(page(&Home { frame, query, survey, incidents, groups, shown }))
}

/// Looks at all heartbeats, a turn's number at a time.
pub(super) fn survey<E: Engine>(engine: &E, wanted: Wanted) -> Result<Survey, Refused> {
    let (wanted, mut survey, mut after) = (Arc::new(wanted), Survey::default(), None::<Slug>);
    loop {
        let (wanted, mut so_far) = (Arc::clone(&wanted), survey);
        (so_far, after) = engine.blocking_ask(move |view| {
            let next = view.survey(&wanted, after.as_ref().map(Slug::as_str), &mut so_far);
            (so_far, next)
        })?;
        survey = so_far;
        if after.is_none() {
            return Ok(survey);
        }
    }
}

/// Puts the rows under their headings. A heartbeat that has left since it was counted has no row.
fn grouped(
    rows: &[Row],
    tiles: Vec<TileView>,
    survey: &Survey,
    grouping: Option<Grouping>,
    now: Timestamp,
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut tiles = tiles.into_iter().peekable();
    for row in rows {
        let Some(tile) = tiles.next_if(|tile| tile.heartbeat.slug == row.slug) else { continue };
        if groups.last().is_none_or(|last| last.heading.as_ref().is_some_and(|last| last.name != row.group)) {
            let count = survey.of_group(row.group.as_deref());
            let heading = grouping.map(|_| Heading { count, name: row.group.clone() });
            groups.push(Group { heading, lines: Vec::new() });
        }
        if let Some(group) = groups.last_mut() {
            group.lines.push(Line { strip: Strip::of(&tile.runs), tile, now });
        }
    }
    groups
}

impl Home {
    /// Runs in a strip.
    const RUNS: usize = RUNS;
    /// Title, class and order of the columns that can be sorted by.
    const COLUMNS: [(&'static str, &'static str, Order); 5] = [
        ("Status", "status", Order::Status),
        ("Heartbeat", "name", Order::Name),
        ("Last ping", "ping", Order::LastPing),
        ("Next due", "due", Order::NextDue),
        ("Took", "took", Order::Duration),
    ];

    /// How many pages can be shown, one at least.
    fn pages(&self) -> usize {
        self.survey.total.div_ceil(ROWS).clamp(1, PAGES)
    }

    /// How many pages there are, in words.
    fn pages_told(&self) -> String {
        let more = if self.survey.total > PAGES * ROWS { "more than " } else { "" };
        format!("{more}{}", self.pages())
    }

    /// Whether this is the last page that can be shown, and not the last that there is.
    fn ends_early(&self) -> bool {
        self.query.page + 1 == PAGES && self.survey.total > PAGES * ROWS
    }

    /// The tags and the hosts that there are to choose from.
    fn choices(&self) -> [Choice<'_>; 2] {
        let (tag, host) = (self.query.tag.as_deref(), self.query.host.as_deref());
        [
            Choice { field: "tag", label: "Tag", names: listed(&self.survey.tags), chosen: tag },
            Choice { field: "host", label: "Host", names: listed(&self.survey.hosts), chosen: host },
        ]
    }

    /// The statuses that there are to choose from, with their numbers.
    fn tabs(&self) -> Vec<(Status, u64)> {
        Status::BY_URGENCY
            .into_iter()
            .map(|status| (status, self.survey.counts.of(status)))
            .filter(|(status, count)| *count > 0 || self.query.status == Some(*status))
            .collect()
    }
}

impl Line {
    fn last_ping(&self) -> Or {
        Or(self.tile.heartbeat.last_ping_at.map(|at| past(at, self.now)), "never")
    }

    fn next_due(&self) -> Or {
        Or(self.tile.heartbeat.next_due_at.map(|at| next(at, self.now)), "–")
    }

    fn took(&self) -> String {
        self.tile.heartbeat.last_duration_ms.map_or_else(|| "–".to_owned(), lasted)
    }
}
