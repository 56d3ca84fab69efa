//! Where every incident is, in the order in which they opened, so that a list of all of them need not look
//! at every heartbeat. Derived from the heartbeats; holds nothing of its own.

use std::collections::BTreeSet;

use crate::machine::beat::Beat;
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::time::Timestamp;

/// An incident's place in the order of all: when it opened, and its id where that is the same.
pub type Opened = (Timestamp, IncidentId);

/// The incidents of all heartbeats, removed ones too.
#[derive(Debug, Clone, Default)]
pub(crate) struct Incidents {
    open: BTreeSet<(Opened, u32)>,
    resolved: BTreeSet<(Opened, u32)>,
}

impl Incidents {
    /// Takes account of a heartbeat's incidents.
    pub(crate) fn add(&mut self, place: u32, beat: &Beat) {
        for incident in beat.incidents() {
            self.side(incident).insert((opened(incident), place));
        }
    }

    /// Forgets a heartbeat's incidents.
    pub(crate) fn forget(&mut self, place: u32, beat: &Beat) {
        for incident in beat.incidents() {
            self.side(incident).remove(&(opened(incident), place));
        }
    }

    /// One opened.
    pub(crate) fn opened(&mut self, place: u32, incident: Opened) {
        self.open.insert((incident, place));
    }

    /// One was resolved, and an old one may have been dropped for it.
    pub(crate) fn resolved(&mut self, place: u32, incident: Opened, dropped: Option<Opened>) {
        self.open.remove(&(incident, place));
        self.resolved.insert((incident, place));
        if let Some(dropped) = dropped {
            self.resolved.remove(&(dropped, place));
        }
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    /// Those that opened before `before`, newest first: the open ones, the resolved ones (`Some`), or all.
    pub(crate) fn before(
        &self,
        before: Option<Opened>,
        open: Option<bool>,
    ) -> impl Iterator<Item = (Opened, u32)> {
        let mut opens = older(&self.open, before, open != Some(false)).peekable();
        let mut resolveds = older(&self.resolved, before, open != Some(true)).peekable();
        std::iter::from_fn(move || match (opens.peek(), resolveds.peek()) {
            (Some(one), Some(other)) if one < other => resolveds.next(),
            (Some(_), _) => opens.next(),
            (None, _) => resolveds.next(),
        })
    }

    fn side(&mut self, incident: &Incident) -> &mut BTreeSet<(Opened, u32)> {
        if incident.resolved_at.is_none() { &mut self.open } else { &mut self.resolved }
    }
}

fn older(
    set: &BTreeSet<(Opened, u32)>,
    before: Option<Opened>,
    wanted: bool,
) -> impl Iterator<Item = (Opened, u32)> {
    use std::ops::Bound::{Excluded, Unbounded};
    // No place is less than 0, so this leaves out `before` itself and all that is newer.
    let to = before.map_or(Unbounded, |before| Excluded((before, 0)));
    wanted.then(|| set.range((Unbounded, to)).rev().copied()).into_iter().flatten()
}

/// The place of an incident in the order.
pub(crate) fn opened(incident: &Incident) -> Opened {
    (incident.opened_at, incident.id)
}
