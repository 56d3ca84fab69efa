//! A heartbeat as everybody may see it: how it stands and stood, and nothing by which it could be pinged, found or
//! recognised elsewhere.

use crate::machine::beat::Beat;
use crate::machine::days::{DAYS, date_of};
use crate::machine::view::{Page, View, gather, weight};
use crate::model::heartbeat::Status;
use crate::model::id::Slug;
use crate::model::incident::Reason;
use crate::model::time::Timestamp;

/// Heartbeats of one question at the most: the days of each are unpacked.
const PIECE: usize = 50;

/// What everybody may see of a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicView {
    /// What people call it.
    pub name: String,
    /// How it stands.
    pub status: Status,
    /// Since when; `None` where that is not kept.
    pub since: Option<Timestamp>,
    /// The last 90 days in UTC, the running one last.
    pub days: Vec<DayTold>,
}

/// How a day was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayTold {
    /// No period ended on it.
    Nothing,
    /// All went well.
    Good,
    /// Something did not.
    Bad,
}

impl View<'_> {
    /// Heartbeats with this tag after `after` by slug, at most `limit`, as everybody may see them.
    pub fn public(&self, tag: &str, after: Option<&str>, limit: usize) -> Page<PublicView, Slug> {
        let living = self.machine.state.living_after(after);
        let wanted = |beat: &&Beat| beat.heartbeat.tags.iter().any(|one| one == tag);
        let weight = |beat: &&Beat| weight(&beat.heartbeat);
        let slug = |beat: &&Beat| beat.heartbeat.slug.clone();
        let page = gather(living, limit.min(PIECE), slug, wanted, weight);
        Page {
            items: page.items.into_iter().map(|beat| self.show_public(beat)).collect(),
            next: page.next,
            bytes: page.bytes,
        }
    }

    fn show_public(&self, beat: &Beat) -> PublicView {
        let beat = &*beat.gone_along(self.machine.state.core.hearing.stepped());
        let status = beat.status(self.now);
        // Since the last recovery, unless it was paused or away after that. When it came to be well otherwise is not kept.
        let recovered = || {
            let last = beat.history.as_ref()?.incidents.back()?;
            let at = last.resolved_at.filter(|_| last.reason == Some(Reason::Ping))?;
            Some(at).filter(|at| *at >= beat.counted_from)
        };
        let since = match status {
            Status::Down => beat.incident.as_ref().map(|incident| incident.opened_at),
            Status::Late => beat.due,
            Status::Up => recovered(),
            Status::New => Some(beat.created_at),
            Status::Paused => None,
        };
        let today = date_of(self.now);
        let mut days = vec![DayTold::Nothing; DAYS as usize];
        let kept = beat.history.as_ref().map(|history| history.days.all()).unwrap_or_default();
        for day in kept {
            let told = match (day.counts.good, day.counts.bad) {
                (_, 1..) => DayTold::Bad,
                (1.., 0) => DayTold::Good,
                (0, 0) => DayTold::Nothing,
            };
            if let Some(place) = usize::try_from(today - day.date).ok().filter(|ago| *ago < days.len()) {
                let last = days.len() - 1;
                days[last - place] = told;
            }
        }
        PublicView { name: beat.heartbeat.name.to_string(), status, since, days }
    }
}
