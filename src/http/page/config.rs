//! The config in force without its secrets, what is wrong with the file as it is now, what only the API declares,
//! and how the daemon itself fares.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use warp::reply::Response;

use crate::http::auth::Visitor;
use crate::http::badge::{self, Form, Kind};
use crate::http::page::frame::{Frame, Framed, Here};
use crate::http::page::home::survey;
use crate::http::page::list::{ITEMS, Listed};
use crate::http::page::mark::Mark;
use crate::http::page::{page, words};
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::http::{ConfigHealth, Door, HttpSettings, TimeZoneOrigin};
use crate::machine::view::{TileView, Wanted};
use crate::model::ago::about;
use crate::model::channel::ChannelName;
use crate::model::heartbeat::Source;
use crate::model::id::Slug;
use crate::model::time::{Span, Timestamp};

#[derive(Template)]
#[template(path = "config.html")]
struct Config {
    frame: Frame,
    settings: Arc<HttpSettings>,
    health: ConfigHealth,
    /// Why the journal cannot be written.
    journal: Option<String>,
    began_at: Option<Timestamp>,
    running_for: Span,
    /// When overdue could not hear, the newest first.
    blind: Vec<String>,
    /// Heartbeats that the API declares: how many, and the first of them.
    by_api: usize,
    tiles: Vec<TileView>,
}

impl Framed for Config {
    fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// Answers with the page.
pub(super) fn answer<E: Engine>(
    door: &Door<E>,
    visitor: Visitor,
    query: &[(String, String)],
) -> Result<Response, Failure> {
    Listed::read("config", query).parameters(&[])?;
    let wanted = Wanted { source: Some(Source::Api), rows: ITEMS, ..Wanted::default() };
    let mut by_api = survey(&door.engine, wanted)?;
    let slugs: Vec<Slug> = by_api.first_rows().into_iter().map(|row| row.slug).collect();
    let (tiles, standings) =
        door.engine.blocking_ask(move |view| (view.tiles(&slugs, 0), view.standings()))?;
    let health = door.config.borrow().clone();
    let journal = door.engine.journal().borrow().error.clone();
    let settings = door.settings();
    let running_for = i64::try_from(door.opened.elapsed().as_secs()).unwrap_or(i64::MAX);
    let frame = Frame::of(door, visitor, ("./", Here::Config), "Config")?;
    let frame = Frame { listens: "config journal blind heartbeat", ..frame };
    Ok(page(&Config {
        frame,
        settings,
        health,
        journal,
        blind: standings.blind.iter().map(|window| words::blind(*window)).collect(),
        began_at: standings.began_at,
        running_for: Span::from_secs(running_for),
        by_api: by_api.total,
        tiles,
    }))
}

impl Config {
    fn channels(&self) -> &BTreeSet<ChannelName> {
        &self.settings.channels
    }

    fn badge(&self) -> String {
        badge::address(&self.settings, &Kind::All, Form::Svg)
    }

    /// The tags that have a status page, each with its address.
    fn status_pages(&self) -> Vec<(&str, String)> {
        let tags = self.settings.status_pages.iter();
        tags.filter_map(|tag| Some((tag.as_str(), badge::page_address(&self.settings, tag)?))).collect()
    }

    fn zones(&self) -> String {
        let from = match self.settings.timezones.from {
            TimeZoneOrigin::Bundled => "of the program",
            TimeZoneOrigin::System => "of the system, which is newer than the program's",
        };
        format!("{}, {from}", self.settings.timezones.release)
    }
}

/// A name in an address.
fn encoded(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}
