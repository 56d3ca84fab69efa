//! Read-only answers for the API and the page: one shape per noun. Rendering them decides nothing. The
//! comments on their fields are the API's description of them.

use crate::machine::Machine;
use crate::machine::beat::Beat;
use crate::model::heartbeat::Status;
use crate::model::id::{Slug, parse_uuid};
use crate::model::ping::Target;
use crate::model::time::Timestamp;

mod delivery;
mod heartbeat;
mod history;
mod incident;
mod stats;
mod summary;

pub use delivery::{AttemptView, DeliveryFilter, DeliveryStatus, DeliveryView};
pub use heartbeat::HeartbeatView;
pub use history::{BodyView, PingView, RunEntry, RunView};
pub use incident::{IncidentEntry, IncidentFilter, IncidentView, NoteView};
pub use stats::{DayStats, DurationStats, RunStats, StatsView};
pub use summary::{DeliveryCounts, HeartbeatCounts, Standings};

/// What one question looks at, at the most, so that no list holds the loop.
const LOOK: usize = 1_000;

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
        self.find(name).map(|beat| self.show(beat))
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
        let wanted = |beat: &&'a Beat| self.lets_through(filter, q.as_deref(), beat);
        let living = self.machine.state.living_after(after);
        let page = gather(living, limit, |beat| beat.heartbeat.slug.clone(), wanted);
        Page { items: page.items.into_iter().map(|beat| self.show(beat)).collect(), next: page.next }
    }

    fn lets_through(&self, filter: &Filter, q: Option<&str>, beat: &Beat) -> bool {
        let heartbeat = &beat.heartbeat;
        let has = |text: &str| q.is_none_or(|q| text.to_lowercase().contains(q));
        filter.status.is_none_or(|wanted| beat.status(self.now) == wanted)
            && filter.tag.as_ref().is_none_or(|wanted| heartbeat.tags.contains(wanted))
            && filter.host.as_deref().is_none_or(|wanted| heartbeat.host.as_deref() == Some(wanted))
            && (has(heartbeat.slug.as_str())
                || has(&heartbeat.name)
                || has(&heartbeat.description)
                || heartbeat.tags.iter().any(|tag| has(tag))
                || heartbeat.host.as_deref().is_some_and(has))
    }

    fn find(&self, name: &str) -> Option<&'a Beat> {
        let target = match parse_uuid(name) {
            Some(uuid) => Target::Uuid(uuid),
            None => Target::Slug(Slug::new(name).ok()?),
        };
        self.machine.beat(self.machine.state.find_living(&target)?)
    }

    fn base_url(&self) -> &'a str {
        &self.machine.state.core.settings.base_url
    }
}

/// Takes what is wanted of a list that begins where a page should, looking at no more than a turn may.
fn gather<T, C>(
    list: impl Iterator<Item = T>,
    limit: usize,
    cursor: impl Fn(&T) -> C,
    wanted: impl Fn(&T) -> bool,
) -> Page<T, C> {
    let mut list = list.peekable();
    let (mut items, mut looked) = (Vec::new(), 0);
    while let Some(item) = list.next() {
        looked += 1;
        let full = items.len() + usize::from(wanted(&item)) >= limit;
        let next = ((full || looked >= LOOK) && list.peek().is_some()).then(|| cursor(&item));
        if wanted(&item) {
            items.push(item);
        }
        if next.is_some() {
            return Page { items, next };
        }
    }
    Page { items, next: None }
}
