//! A heartbeat as a person sees it at a glance: what the API tells of it, its schedule in words, why it is down,
//! and its last runs.

use crate::machine::beat::Beat;
use crate::machine::summary;
use crate::machine::view::{HeartbeatView, RunEntry, View};
use crate::model::id::Slug;
use crate::model::schedule::words::words;

/// A heartbeat at a glance.
#[derive(Debug, Clone, PartialEq)]
pub struct TileView {
    /// What the API tells of it.
    pub heartbeat: HeartbeatView,
    /// Its schedule in words.
    pub words: String,
    /// Why it is down: `no ping for 25h (due 02:10 UTC, grace 1h)`.
    pub why: Option<String>,
    /// Its last runs, open ones first, then the last to end first.
    pub runs: Vec<RunEntry>,
}

impl TileView {
    /// What people call it.
    pub fn name(&self) -> String {
        self.heartbeat.name.clone()
    }
}

impl View<'_> {
    /// A heartbeat at a glance, by slug or UUID, with at most so many runs.
    pub fn tile(&self, name: &str, runs: usize) -> Option<TileView> {
        self.find(name).map(|beat| self.tile_of(&beat, runs))
    }

    /// The same of several; those that have left are left out.
    pub fn tiles(&self, slugs: &[Slug], runs: usize) -> Vec<TileView> {
        slugs.iter().filter_map(|slug| self.tile(slug.as_str(), runs)).collect()
    }

    fn tile_of(&self, beat: &Beat, runs: usize) -> TileView {
        let slug = beat.heartbeat.slug.as_str();
        TileView {
            heartbeat: self.show(beat),
            words: words(&beat.heartbeat.timing),
            why: beat.incident.as_deref().map(|incident| summary::cause(beat, incident)),
            runs: self.runs(slug, None, runs, false).map(|page| page.items).unwrap_or_default(),
        }
    }
}
