//! Incidents, each with its timeline.

use serde::Serialize;
use utoipa::ToSchema;

use crate::machine::beat::Beat;
use crate::machine::incidents::{Opened, opened};
use crate::machine::view::{Page, View, gather};
use crate::model::channel::ChannelName;
use crate::model::id::{IncidentId, RunId, Slug};
use crate::model::incident::{Cause, Happening, Incident, NamedWindow, Note, Reason};
use crate::model::time::Timestamp;

/// What an entry of a timeline adds to a page, about.
const NOTE_BYTES: usize = 100;

/// An incident as alerts show it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = OpenIncident)]
pub struct IncidentView {
    /// Its id.
    pub id: IncidentId,
    /// Why the heartbeat went down.
    pub cause: Cause,
    /// The deadline that passed, or the instant of the failing ping.
    pub opened_at: Timestamp,
    /// When it ended; null while it is open.
    pub resolved_at: Option<Timestamp>,
    /// Why it ended; null while it is open.
    pub reason: Option<Reason>,
    /// Whether the ping may have come while overdue could not hear: a blind window overlaps the time from due to
    /// deadline.
    pub maybe_unheard: bool,
    /// The code of the failing ping that opened it, from 0 to 255.
    pub exit_code: Option<u8>,
    /// When overdue could not hear since the heartbeat's last finish: the newest ten windows, oldest first.
    pub blind: Vec<NamedWindow>,
    /// Where a person sees the heartbeat.
    pub url: String,
}

/// An incident in a list, with its timeline.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Incident)]
pub struct IncidentEntry {
    /// What alerts show of it.
    #[serde(flatten)]
    pub incident: IncidentView,
    /// The slug of its heartbeat.
    pub heartbeat: Slug,
    /// When the period was due that was missed; null for other causes.
    pub due_at: Option<Timestamp>,
    /// The run that opened it.
    pub run: Option<RunId>,
    /// Where its alerts go.
    pub channels: Vec<ChannelName>,
    /// When it is told again; null: not.
    pub remind_at: Option<Timestamp>,
    /// What happened in it, oldest first: the first entry and the newest 99.
    pub timeline: Vec<NoteView>,
    /// Entries between the first and the second that are no longer kept.
    pub timeline_dropped: u64,
}

/// An entry of an incident's timeline.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Note)]
pub struct NoteView {
    /// When.
    pub at: Timestamp,
    /// What: it opened, a run failed, overran or started, further periods were missed, a reminder was queued, it was
    /// resolved.
    #[schema(value_type = NoteWord)]
    pub what: &'static str,
    /// The code of a run that failed, from 0 to 255.
    pub exit_code: Option<u8>,
    /// The run that overran.
    pub run: Option<RunId>,
    /// How many periods were missed.
    pub periods: Option<u32>,
    /// Why it was resolved.
    pub reason: Option<Reason>,
}

/// What an entry of a timeline tells.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "it describes `NoteView::what`")]
enum NoteWord {
    Opened,
    Failed,
    Overran,
    Missed,
    Started,
    Reminded,
    Resolved,
}

/// Which incidents are wanted; what is `None` asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Open ones, or resolved ones.
    pub open: Option<bool>,
    /// Of the heartbeat of this slug.
    pub heartbeat: Option<Slug>,
}

impl View<'_> {
    /// The incidents that opened before this one, newest first.
    pub fn incidents(
        &self,
        filter: &IncidentFilter,
        before: Option<Opened>,
        limit: usize,
    ) -> Page<IncidentEntry, Opened> {
        let state = &self.machine.state;
        let weight = |(incident, _): &(&Incident, &Slug)| incident.timeline.len() * NOTE_BYTES;
        let cursor = |(incident, _): &(&Incident, &Slug)| opened(incident);
        let page = match &filter.heartbeat {
            None => {
                let older = state.incidents.before(before, filter.open);
                let found = older.filter_map(|((_, id), place)| self.incident_at(place, id));
                gather(found, limit, cursor, |_| true, weight)
            }
            Some(slug) => {
                let beat = state.find(slug.as_str()).and_then(|place| self.machine.beat(place));
                let own = beat.into_iter().flat_map(Beat::incidents);
                let older = own.filter(|incident| before.is_none_or(|before| opened(incident) < before));
                let of_state = |incident: &&Incident| {
                    filter.open.is_none_or(|open| incident.resolved_at.is_none() == open)
                };
                let mut wanted: Vec<_> = older.filter(of_state).map(|incident| (incident, slug)).collect();
                wanted.sort_unstable_by_key(|(incident, _)| std::cmp::Reverse(opened(incident)));
                gather(wanted.into_iter(), limit, cursor, |_| true, weight)
            }
        };
        let shown = page.items.into_iter().map(|(one, slug)| IncidentEntry::new(one, slug, self.base_url()));
        Page { items: shown.collect(), next: page.next, bytes: page.bytes }
    }

    /// The heartbeats whose incidents are open, the last to open first, at most so many.
    pub fn down(&self, limit: usize) -> Vec<Slug> {
        let open = self.machine.state.incidents.before(None, Some(true)).take(limit);
        open.filter_map(|(_, place)| self.machine.beat(place))
            .map(|beat| beat.heartbeat.slug.clone())
            .collect()
    }

    /// How many incidents are open.
    pub fn open_incidents(&self) -> usize {
        self.machine.state.incidents.open()
    }

    fn incident_at(&self, place: u32, id: IncidentId) -> Option<(&Incident, &Slug)> {
        let beat = self.machine.beat(place)?;
        beat.incidents().find(|incident| incident.id == id).map(|incident| (incident, &beat.heartbeat.slug))
    }
}

impl IncidentView {
    /// The incident of the heartbeat of this slug.
    pub(in crate::machine) fn new(incident: &Incident, slug: &Slug, base_url: &str) -> Self {
        Self {
            id: incident.id,
            cause: incident.cause,
            opened_at: incident.opened_at,
            resolved_at: incident.resolved_at,
            reason: incident.reason,
            maybe_unheard: incident.maybe_unheard,
            exit_code: incident.exit_code,
            blind: incident.blind.clone(),
            url: format!("{base_url}/heartbeats/{slug}"),
        }
    }
}

impl IncidentEntry {
    fn new(incident: &Incident, slug: &Slug, base_url: &str) -> Self {
        Self {
            incident: IncidentView::new(incident, slug, base_url),
            heartbeat: slug.clone(),
            due_at: incident.due,
            run: incident.run,
            channels: incident.channels.clone(),
            remind_at: incident.remind_at,
            timeline: incident.timeline.iter().map(NoteView::new).collect(),
            timeline_dropped: incident.dropped,
        }
    }
}

impl NoteView {
    fn new(note: &Note) -> Self {
        let said = |what| Self { at: note.at, what, exit_code: None, run: None, periods: None, reason: None };
        match note.what {
            Happening::Opened => said("opened"),
            Happening::Failed { exit_code } => Self { exit_code, ..said("failed") },
            Happening::Overran { run } => Self { run: Some(run), ..said("overran") },
            Happening::Missed { periods } => Self { periods: Some(periods), ..said("missed") },
            Happening::Started => said("started"),
            Happening::Reminded => said("reminded"),
            Happening::Resolved { reason } => Self { reason: Some(reason), ..said("resolved") },
        }
    }
}
