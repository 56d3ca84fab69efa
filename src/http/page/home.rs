//! The first page: open incidents, then all heartbeats, a page at a time, filtered, sorted and grouped by the
//! server.

use askama::Template;
use warp::reply::Response;

use crate::engine::handle::Refused;
use crate::http::Door;
use crate::http::auth::Visitor;
use crate::http::page::frame::{Frame, Framed, Here};
use crate::http::page::mark::Mark;
use crate::http::page::query::{ListQuery, PAGES, ROWS};
use crate::http::page::strip::{RUNS, Strip};
use crate::http::page::times::{Told, lasted, next, past};
use crate::http::page::written;
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::machine::view::{GroupCount, Grouping, HeartbeatView, Order, Row, Survey, TileView, Wanted};
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
    tiles: Vec<Tile>,
}

struct Heading {
    name: Option<String>,
    /// Groups without end are not all counted.
    count: Option<GroupCount>,
}

/// A row.
struct Tile {
    heartbeat: HeartbeatView,
    words: String,
    strip: Strip,
    now: Timestamp,
}

/// Answers with the page.
pub(super) async fn answer<E: Engine>(
    door: &Door<E>,
    visitor: Visitor,
    query: &[(String, String)],
) -> Result<Response, Failure> {
    let query = ListQuery::read(query)?;
    let wanted = query.wanted();
    let mut survey = survey(&door.engine, &wanted).await?;
    let rows: Vec<Row> = survey.first_rows().into_iter().skip(query.page * ROWS).collect();
    let slugs: Vec<Slug> = rows.iter().map(|row| row.slug.clone()).collect();
    let first_page = query.page == 0 && !query.filters();
    let incidents = door
        .engine
        .ask(move |view| {
            let open = if first_page { view.down(INCIDENTS) } else { Vec::new() };
            view.tiles(&open, 0)
        })
        .await?;
    let mut tiles = Vec::with_capacity(slugs.len());
    for some in slugs.chunks(TILES) {
        let some = some.to_vec();
        tiles.extend(door.engine.ask(move |view| view.tiles(&some, RUNS)).await?);
    }
    let frame = Frame::of(door, visitor, ("./", Here::Heartbeats), "Heartbeats").await?;
    let shown = rows.len();
    written(move || {
        let groups = grouped(rows, tiles, &survey, query.grouping, frame.now);
        Home { frame, query, survey, incidents, groups, shown }
    })
    .await
}

/// Looks at all heartbeats, a turn's number at a time.
pub(super) async fn survey<E: Engine>(engine: &E, wanted: &Wanted) -> Result<Survey, Refused> {
    let (mut survey, mut after) = (Survey::default(), None::<Slug>);
    loop {
        let (wanted, mut so_far) = (wanted.clone(), survey);
        (so_far, after) = engine
            .ask(move |view| {
                let next = view.survey(&wanted, after.as_ref().map(Slug::as_str), &mut so_far);
                (so_far, next)
            })
            .await?;
        survey = so_far;
        if after.is_none() {
            return Ok(survey);
        }
    }
}

/// Puts the rows under their headings. A heartbeat that has left since it was counted has no row.
fn grouped(
    rows: Vec<Row>,
    tiles: Vec<TileView>,
    survey: &Survey,
    grouping: Option<Grouping>,
    now: Timestamp,
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut tiles = tiles.into_iter().peekable();
    for row in rows {
        let Some(TileView { heartbeat, words, runs, .. }) =
            tiles.next_if(|tile| tile.heartbeat.slug == row.slug)
        else {
            continue;
        };
        let heading =
            grouping.map(|_| Heading { count: survey.groups.get(&row.group).copied(), name: row.group });
        let name = |heading: &Option<Heading>| heading.as_ref().map(|heading| heading.name.clone());
        let same = groups.last().is_some_and(|group| name(&group.heading) == name(&heading));
        if !same {
            groups.push(Group { heading, tiles: Vec::new() });
        }
        let strip = Strip::of(&runs);
        if let Some(group) = groups.last_mut() {
            group.tiles.push(Tile { heartbeat, words, strip, now });
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

    /// The statuses that there are to choose from, with their numbers.
    fn tabs(&self) -> Vec<(Status, u64)> {
        Status::BY_URGENCY
            .into_iter()
            .map(|status| (status, self.survey.counts.of(status)))
            .filter(|(status, count)| *count > 0 || self.query.status == Some(*status))
            .collect()
    }
}

impl Tile {
    fn last_ping(&self) -> Option<Told> {
        self.heartbeat.last_ping_at.map(|at| past(at, self.now))
    }

    fn next_due(&self) -> Option<Told> {
        self.heartbeat.next_due_at.map(|at| next(at, self.now))
    }

    fn took(&self) -> Option<String> {
        self.heartbeat.last_duration_ms.map(lasted)
    }
}
