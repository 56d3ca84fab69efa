//! The page of one heartbeat: how it stands and why, its runs, incidents and deliveries, and what to do about it.

mod rows;
mod standing;

use std::sync::Arc;

use askama::Template;
use warp::reply::Response;

use crate::config::Role;
use crate::engine::handle::Refused;
use crate::http::api::history::{read_place, write_place};
use crate::http::api::{blocking_slug_of, deliveries, no_such_heartbeat, pages, shown};
use crate::http::auth::Visitor;
use crate::http::badge::{self, Form, Kind};
use crate::http::page::act::PAUSES;
use crate::http::page::chart::{self, Chart};
use crate::http::page::deliveries::may_retry;
use crate::http::page::frame::{Frame, Framed, Here};
use crate::http::page::heartbeat::rows::RunRow;
use crate::http::page::heartbeat::standing::{Part, standing};
use crate::http::page::mark::Mark;
use crate::http::page::query::{ListQuery, wrong};
use crate::http::page::snippets::{Snippet, snippets};
use crate::http::page::times::{Or, Told, lasted};
use crate::http::page::uptime::Uptime;
use crate::http::page::{page, see_other, words};
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::http::{Door, HttpSettings};
use crate::machine::view::{
    DeliveryFilter, DeliveryView, HeartbeatView, IncidentEntry, IncidentFilter, Page, RunEntry, RunPlace,
    StatsView, TileView,
};
use crate::model::ago::about;
use crate::model::id::{Slug, parse_uuid};
use crate::model::time::Timestamp;

/// What is shown of each; the rest is a link away.
const RUNS: usize = 50;
const INCIDENTS: usize = 10;
const DELIVERIES: usize = 20;

#[derive(Template)]
#[template(path = "heartbeat.html")]
struct Detail {
    frame: Frame,
    settings: Arc<HttpSettings>,
    beat: HeartbeatView,
    /// Its schedule in words.
    words: String,
    sentence: Vec<Part>,
    /// Where its badge is.
    badge: Option<String>,
    /// How its job pings; nothing for those who may not.
    snippets: Vec<Snippet>,
    uptime: Uptime,
    chart: Option<Chart>,
    runs: Vec<RunRow>,
    /// Whether those are not the newest.
    back: bool,
    older: Option<String>,
    incidents: Vec<IncidentEntry>,
    more_incidents: bool,
    deliveries: Vec<DeliveryView>,
    more_deliveries: bool,
}

impl Framed for Detail {
    fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// Everything that is asked.
struct Asked {
    tile: TileView,
    stats: StatsView,
    drawn: Vec<RunEntry>,
    runs: Page<RunEntry, RunPlace>,
    incidents: Vec<IncidentEntry>,
    more_incidents: bool,
    deliveries: Vec<DeliveryView>,
    more_deliveries: bool,
}

/// Answers with the page of a heartbeat, by slug; by UUID it leads there.
pub(super) fn answer<E: Engine>(
    door: &Door<E>,
    visitor: Visitor,
    name: &str,
    query: &[(String, String)],
) -> Result<Response, Failure> {
    let place = place(query)?;
    if parse_uuid(name).is_some() {
        return by_uuid(door, &visitor, name);
    }
    let slug = Slug::new(name).map_err(|_| no_such_heartbeat())?;
    let Some(asked) = ask(&door.engine, &slug, place)? else { return Err(gone(door, &slug)) };
    let role = visitor.role;
    let frame = Frame::of(door, visitor, ("../", Here::Heartbeats), &asked.tile.heartbeat.name)?;
    let frame = Frame { heartbeat: Some(slug), ..frame };
    let settings = door.settings();
    Ok(page(&fill(frame, settings, role, asked, place.is_some())))
}

fn fill(frame: Frame, settings: Arc<HttpSettings>, role: Role, asked: Asked, back: bool) -> Detail {
    let now = frame.now;
    let TileView { heartbeat, words, why, .. } = asked.tile;
    let badge = heartbeat.uuid.map(Kind::Heartbeat).map(|kind| badge::address(&settings, &kind, Form::Svg));
    let beat = shown(heartbeat, role);
    Detail {
        badge,
        sentence: standing(&beat, why.as_deref(), now),
        snippets: beat.ping_url.as_deref().map_or_else(Vec::new, |url| snippets(url, &(&beat).into())),
        uptime: Uptime::of(&asked.stats, now),
        chart: Chart::of(&asked.drawn, now),
        runs: asked.runs.items.into_iter().map(|entry| RunRow::new(entry, now)).collect(),
        back,
        older: asked.runs.next.map(write_place),
        incidents: asked.incidents,
        more_incidents: asked.more_incidents,
        deliveries: asked.deliveries,
        more_deliveries: asked.more_deliveries,
        frame,
        settings,
        beat,
        words,
    }
}

/// Asks for one thing at a time, so that those who ping are heard between.
fn ask<E: Engine>(engine: &E, slug: &Slug, place: Option<RunPlace>) -> Result<Option<Asked>, Refused> {
    let name = || slug.to_string();
    let asked = name();
    let Some(tile) = engine.blocking_ask(move |view| view.tile(&asked, 0))? else { return Ok(None) };
    let asked = name();
    let Some(stats) = engine.blocking_ask(move |view| view.stats(&asked))? else { return Ok(None) };
    let asked = name();
    let drawn = engine.blocking_ask(move |view| view.runs(&asked, None, chart::RUNS, false))?;
    let asked = name();
    let runs = engine.blocking_ask(move |view| view.runs(&asked, place, RUNS, true))?;
    let (Some(drawn), Some(runs)) = (drawn, runs) else { return Ok(None) };
    let filter = IncidentFilter { open: None, heartbeat: Some(slug.clone()) };
    let incidents = engine.blocking_ask(move |view| view.incidents(&filter, None, INCIDENTS))?;
    let filter = DeliveryFilter { heartbeat: Some(name()), ..DeliveryFilter::default() };
    let (deliveries, older) = pages::blocking_gather(engine, DELIVERIES, None, deliveries::piece(filter))?;
    Ok(Some(Asked {
        tile,
        stats,
        drawn: drawn.items,
        runs,
        more_incidents: incidents.next.is_some(),
        incidents: incidents.items,
        deliveries,
        more_deliveries: older.is_some(),
    }))
}

/// From where on runs are wanted.
fn place(query: &[(String, String)]) -> Result<Option<RunPlace>, Failure> {
    let mut place = None;
    for (name, value) in query {
        if name != "runs" {
            return Err(wrong(name, format!("There is no \"{name}\" to choose here.")));
        }
        let lost =
            || wrong(name, "This is no place in the runs. Go back to the heartbeat's page.".to_owned());
        place = Some(read_place(value).ok_or_else(lost)?);
    }
    Ok(place)
}

/// A UUID is a secret: whoever may not see it learns nothing by it.
fn by_uuid<E: Engine>(door: &Door<E>, visitor: &Visitor, name: &str) -> Result<Response, Failure> {
    if visitor.role == Role::Read {
        return Err(no_such_heartbeat());
    }
    let slug = blocking_slug_of(door, Some(name))?.ok_or_else(no_such_heartbeat)?;
    Ok(see_other(slug.as_str()))
}

/// Why there is no page of it.
fn gone<E: Engine>(door: &Door<E>, slug: &Slug) -> Failure {
    match blocking_slug_of(door, Some(slug.as_str())) {
        Err(failure) => failure,
        Ok(_) => Failure::not_found(format!(
            "The heartbeat \"{slug}\" left the config, or was deleted. What was recorded of it is kept for \
             keep_removed: declare it again, and it has its history."
        )),
    }
}

impl Detail {
    /// For how long it can be paused.
    const PAUSES: [(&'static str, &'static str, i64); 4] = PAUSES;

    /// All that have this tag, seen from here.
    fn of_tag(tag: &str) -> String {
        format!(".{}", ListQuery::default().of_tag(tag))
    }

    /// All of this host, seen from here.
    fn of_host(host: &str) -> String {
        format!(".{}", ListQuery::default().of_host(host))
    }

    fn declared_in(&self) -> &'static str {
        words::declared_in(self.beat.source)
    }

    fn is_paused(&self) -> bool {
        self.beat.status == crate::model::heartbeat::Status::Paused
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "a template hands over a reference")]
    fn past(&self, at: &Timestamp) -> Told {
        self.frame.past(*at)
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "a template hands over a reference")]
    fn next(&self, at: &Timestamp) -> Told {
        self.frame.next(*at)
    }

    #[allow(
        clippy::ref_option,
        clippy::trivially_copy_pass_by_ref,
        reason = "a template hands over a reference"
    )]
    fn past_or_never(&self, at: &Option<Timestamp>) -> Or {
        Or(at.map(|at| self.frame.past(at)), "never")
    }

    #[allow(
        clippy::ref_option,
        clippy::trivially_copy_pass_by_ref,
        reason = "a template hands over a reference"
    )]
    fn next_or(&self, at: &Option<Timestamp>, nothing: &'static str) -> Or {
        Or(at.map(|at| self.frame.next(at)), nothing)
    }

    /// How long an incident lasted.
    fn span_of(entry: &IncidentEntry) -> Option<String> {
        let resolved = entry.incident.resolved_at?;
        Some(about(resolved.since(entry.incident.opened_at)))
    }

    fn took(ms: i64) -> String {
        lasted(ms)
    }

    /// Whether somebody can have it tried again.
    fn can_retry(&self, delivery: &DeliveryView) -> bool {
        may_retry(&self.frame, &self.settings.channels, delivery)
    }
}
