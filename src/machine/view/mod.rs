//! Read-only answers for the API and the page: one shape per noun. Rendering them decides nothing. The
//! comments on their fields are the API's description of them.

use std::borrow::Cow;

use uuid::Uuid;

use crate::machine::Machine;
use crate::machine::beat::Beat;
use crate::model::heartbeat::{Declaration, Status};
use crate::model::id::{Slug, parse_uuid};
use crate::model::ping::Target;
use crate::model::schedule::Timing;
use crate::model::time::Timestamp;

mod delivery;
mod heartbeat;
mod history;
mod incident;
mod public;
mod reading;
mod stats;
mod summary;
mod survey;
mod tile;

pub use delivery::{AttemptView, DeliveryFilter, DeliveryStatus, DeliveryView};
pub use heartbeat::HeartbeatView;
pub use history::{BodyView, PingView, RunEntry, RunPlace, RunView};
pub use incident::{IncidentEntry, IncidentFilter, IncidentView, NoteView};
pub use public::{DayTold, PublicView};
pub use reading::{Reading, Waiting};
pub use stats::{DayStats, DurationStats, RunStats, StatsView};
pub use summary::{DeliveryCounts, HeartbeatCounts, Standings};
pub use survey::{GroupCount, Grouping, NAMES_MAX, Order, Row, Survey, Wanted};
pub use tile::TileView;

/// What one question looks at, at the most, so that no list holds the loop.
const LOOK: usize = 1_000;
/// Bytes of text in what is passed over that count as one more item that is looked at.
const LOOK_BYTES: usize = 1_024;
/// Bytes of text in a page at the most, but for its last item.
pub const PAGE_BYTES: usize = 1 << 20;

/// The machine, to be asked.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    machine: &'a Machine,
    now: Timestamp,
}

/// Which heartbeats are wanted; what is `None` asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is the query parameter of the same name")]
pub struct Filter {
    pub status: Option<Status>,
    pub tag: Option<String>,
    pub host: Option<String>,
    pub q: Option<String>,
}

/// A piece of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T, C> {
    /// What matched, in the order of the list.
    pub items: Vec<T>,
    /// Where to go on; `None` at the end. A page can be short, even empty, and still not be the last.
    pub next: Option<C>,
    /// Bytes of the long texts in it.
    pub bytes: usize,
}

impl Machine {
    /// Asks the machine how things stand at `now`.
    pub fn view(&self, now: Timestamp) -> View<'_> {
        View { machine: self, now }
    }

    /// The instant at which silence becomes an incident, or a further one is counted.
    pub(super) fn next_deadline(&self, beat: &Beat) -> Option<Timestamp> {
        let run = self.run_fires_at(beat).map(|(at, _)| at);
        [self.schedule_fires_at(beat), run].into_iter().flatten().min()
    }
}

impl<'a> View<'a> {
    /// One heartbeat, by slug or UUID.
    pub fn heartbeat(&self, name: &str) -> Option<HeartbeatView> {
        self.find(name).map(|beat| self.show(&beat))
    }

    /// The slug of a heartbeat, by slug or UUID, also of one that has left and is remembered.
    pub fn slug_of(&self, name: &str) -> Option<Slug> {
        let state = &self.machine.state;
        let place = match parse_uuid(name) {
            Some(uuid) => state.find_uuid(uuid),
            None => state.find(name),
        };
        self.machine.beat(place?).map(|beat| beat.heartbeat.slug.clone())
    }

    /// The UUID of a heartbeat, by slug or UUID.
    pub fn uuid_of(&self, name: &str) -> Option<Uuid> {
        self.find(name).map(|beat| beat.heartbeat.uuid)
    }

    /// How the heartbeat of this UUID stands.
    pub fn status_of(&self, uuid: Uuid) -> Option<Status> {
        let state = &self.machine.state;
        let beat = self.machine.beat(state.find_living(&Target::Uuid(uuid))?)?;
        Some(self.status(beat))
    }

    /// How many heartbeats there are.
    pub fn living(&self) -> usize {
        self.machine.state.living()
    }

    /// Whether a ping for this target would find its heartbeat.
    pub fn knows(&self, target: &Target) -> bool {
        self.machine.state.find_living(target).is_some()
    }

    /// The heartbeats after `after` by slug that the filter lets through, at most `limit`.
    pub fn heartbeats(
        &self,
        filter: &Filter,
        after: Option<&str>,
        limit: usize,
    ) -> Page<HeartbeatView, Slug> {
        let q = filter.q.as_deref().map(str::to_lowercase);
        let living = self.machine.state.living_after(after);
        let wanted = |beat: &&Beat| self.lets_through(filter, q.as_deref(), beat);
        let weight = |beat: &&Beat| weight(&beat.heartbeat);
        let page = gather(living, limit, |beat| beat.heartbeat.slug.clone(), wanted, weight);
        Page {
            items: page.items.into_iter().map(|beat| self.show(beat)).collect(),
            next: page.next,
            bytes: page.bytes,
        }
    }

    fn lets_through(&self, filter: &Filter, q: Option<&str>, beat: &Beat) -> bool {
        filter.status.is_none_or(|wanted| self.status(beat) == wanted) && filter.names(q, beat)
    }

    /// How a heartbeat stands, which may not have gone along yet with a step of the wall clock.
    fn status(&self, beat: &Beat) -> Status {
        let by = self.machine.state.core.hearing.stepped() - beat.stepped;
        let goes_along = beat.heartbeat.timing.interval().is_some();
        beat.status(if goes_along { self.now - by } else { self.now })
    }

    fn find(&self, name: &str) -> Option<Cow<'a, Beat>> {
        let target = match parse_uuid(name) {
            Some(uuid) => Target::Uuid(uuid),
            None => Target::Slug(Slug::new(name).ok()?),
        };
        let state = &self.machine.state;
        let beat = self.machine.beat(state.find_living(&target)?)?;
        Some(beat.gone_along(state.core.hearing.stepped()))
    }

    fn base_url(&self) -> &'a str {
        &self.machine.state.core.settings.base_url
    }
}

impl Filter {
    /// Whether it lets a heartbeat through, whatever that one's status; `q` is in lower case.
    fn names(&self, q: Option<&str>, beat: &Beat) -> bool {
        let heartbeat = &beat.heartbeat;
        let has = |text: &str| q.is_none_or(|q| text.to_lowercase().contains(q));
        self.tag.as_ref().is_none_or(|wanted| heartbeat.tags.contains(wanted))
            && self.host.as_deref().is_none_or(|wanted| heartbeat.host.as_deref() == Some(wanted))
            && (has(heartbeat.slug.as_str())
                || has(&heartbeat.name)
                || has(&heartbeat.description)
                || heartbeat.tags.iter().any(|tag| has(tag))
                || heartbeat.host.as_deref().is_some_and(has))
    }
}

/// Bytes of the texts of a heartbeat that can be long.
fn weight(heartbeat: &Declaration) -> usize {
    let expressions = match &heartbeat.timing {
        Timing::Interval(_) => 0,
        Timing::Cron(list) | Timing::OnCalendar(list) => list.iter().map(str::len).sum(),
    };
    let excluded: usize = heartbeat.exclude.iter().map(str::len).sum();
    let tags: usize = heartbeat.tags.iter().map(String::len).sum();
    // The expressions of a schedule are shown twice.
    heartbeat.description.len() + tags + 2 * expressions + excluded
}

/// Takes what is wanted of a list that begins where a page should, looking at no more than a turn may and taking no
/// more bytes than a page has.
fn gather<T, C>(
    list: impl Iterator<Item = T>,
    limit: usize,
    cursor: impl Fn(&T) -> C,
    wanted: impl Fn(&T) -> bool,
    weight: impl Fn(&T) -> usize,
) -> Page<T, C> {
    let mut list = list.peekable();
    let mut page = Page { items: Vec::new(), next: None, bytes: 0 };
    let mut looked = 0;
    while let Some(item) = list.next() {
        let (place, weight) = (cursor(&item), weight(&item));
        looked += 1;
        if wanted(&item) {
            page.bytes += weight;
            page.items.push(item);
        } else {
            // What is taken is bounded by the page; what is passed over has been searched all the same.
            looked += weight / LOOK_BYTES;
        }
        let full = page.items.len() >= limit || page.bytes >= PAGE_BYTES;
        if (full || looked >= LOOK) && list.peek().is_some() {
            page.next = Some(place);
            break;
        }
    }
    page
}
