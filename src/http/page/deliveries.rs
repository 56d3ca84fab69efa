//! Deliveries, newest first: what became of each alert, and a button to try it once more.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use warp::reply::Response;

use crate::http::api::{blocking_slug_of, deliveries, pages};
use crate::http::auth::Visitor;
use crate::http::page::frame::{Frame, Framed, Here};
use crate::http::page::list::{ITEMS, Listed, Tiles, named};
use crate::http::page::mark::Mark;
use crate::http::page::times::{fixed, lasted};
use crate::http::page::{page, words};
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::http::{Door, HttpSettings};
use crate::machine::view::{AttemptView, DeliveryCounts, DeliveryStatus, DeliveryView, TileView};
use crate::model::channel::ChannelName;

#[derive(Template)]
#[template(path = "deliveries.html")]
struct Deliveries {
    frame: Frame,
    listed: Listed,
    counts: DeliveryCounts,
    settings: Arc<HttpSettings>,
    items: Vec<Item>,
    next: Option<String>,
}

impl Framed for Deliveries {
    fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// A delivery, told.
struct Item {
    delivery: DeliveryView,
    /// The heartbeat's name; `None` when it has left.
    name: Option<String>,
}

/// Answers with the page.
pub(super) fn answer<E: Engine>(
    door: &Door<E>,
    visitor: Visitor,
    query: &[(String, String)],
) -> Result<Response, Failure> {
    let mut listed = Listed::read("deliveries", query);
    let given = listed.parameters(&["status", "channel", "heartbeat", "incident", "cursor"])?;
    let (mut filter, before) = deliveries::wanted(&given).map_err(named)?;
    filter.heartbeat = blocking_slug_of(door, given.text("heartbeat")).map_err(named)?.map(String::from);
    listed.put_slug(filter.heartbeat.as_deref());
    let (found, next) = pages::blocking_gather(&door.engine, ITEMS, before, deliveries::piece(filter))?;
    let next = next.map(|number| number.to_string());
    let slugs = found.iter().filter_map(|delivery| delivery.heartbeat.clone()).collect();
    let tiles = Tiles::of(&door.engine, slugs)?;
    let counts = door.engine.blocking_ask(|view| view.standings().deliveries)?;
    let settings = door.settings();
    let frame = Frame::of(door, visitor, ("./", Here::Deliveries), "Deliveries")?;
    let item = |delivery: DeliveryView| Item {
        name: delivery.heartbeat.as_ref().and_then(|slug| tiles.get(slug)).map(TileView::name),
        delivery,
    };
    let items = found.into_iter().map(item).collect();
    Ok(page(&Deliveries { frame, listed, counts, settings, items, next }))
}

impl Deliveries {
    /// The channels of the config.
    fn channels(&self) -> &BTreeSet<ChannelName> {
        &self.settings.channels
    }

    /// The statuses that there are to choose from, with their numbers.
    fn tabs(&self) -> [(&'static str, &'static str, u64); 3] {
        deliveries::STATUSES.map(|(word, status)| {
            let count = match status {
                DeliveryStatus::Waiting => self.counts.waiting,
                DeliveryStatus::Delivered => self.counts.delivered,
                DeliveryStatus::GivenUp => self.counts.given_up,
            };
            (word, words::delivery(status), count)
        })
    }

    /// Whether anything is left out.
    fn filters(&self) -> bool {
        ["status", "channel", "heartbeat", "incident"].iter().any(|name| self.listed.get(name).is_some())
    }

    /// Whether the channel that was asked for is in the config.
    fn knows(&self, channel: &str) -> bool {
        self.channels().iter().any(|known| known.as_str() == channel)
    }

    /// Whether whoever looks may try this one once more.
    fn may_retry(&self, item: &Item) -> bool {
        may_retry(&self.frame, self.channels(), &item.delivery)
    }
}

/// Whether whoever looks may try a delivery once more: one to a channel that has left the config goes nowhere.
pub(super) fn may_retry(frame: &Frame, channels: &BTreeSet<ChannelName>, delivery: &DeliveryView) -> bool {
    frame.may_write() && delivery.status != DeliveryStatus::Delivered && channels.contains(&delivery.channel)
}

impl Item {
    fn status(&self) -> &'static str {
        words::delivery(self.delivery.status)
    }
}

/// How an attempt ended.
fn told(attempt: &AttemptView) -> String {
    let status = attempt.status.map(|status| format!(" with {status}")).unwrap_or_default();
    match attempt.outcome {
        "refused" => format!("refused for good{status}"),
        outcome => format!("{outcome}{status}"),
    }
}
