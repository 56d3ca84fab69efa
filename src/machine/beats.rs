//! Where heartbeats live: numbered places that never move, in shared pages, so that a snapshot takes the
//! whole at one instant by copying page pointers while the loop goes on and copies what it changes.

use std::sync::Arc;

use uuid::Uuid;

use crate::machine::beat::Beat;

/// Heartbeats in a page. Copying a page costs as many pointer copies.
const PAGE: usize = 256;

type Page = Vec<Option<Arc<Beat>>>;

/// All heartbeats, also those that left and are kept for a while.
#[derive(Debug, Clone, Default)]
pub struct Beats {
    pages: Vec<Arc<Page>>,
    free: Vec<u32>,
    len: u32,
}

impl Beats {
    /// Puts a heartbeat into a free place.
    pub(crate) fn insert(&mut self, beat: Beat) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            let place = self.len;
            self.len += 1;
            if place as usize / PAGE == self.pages.len() {
                self.pages.push(Arc::new(Page::with_capacity(PAGE)));
            }
            place
        });
        let page = Arc::make_mut(&mut self.pages[place as usize / PAGE]);
        let slot = place as usize % PAGE;
        if slot == page.len() {
            page.push(None);
        }
        page[slot] = Some(Arc::new(beat));
        place
    }

    /// Empties a place.
    pub(crate) fn remove(&mut self, place: u32) {
        if let Some(page) = self.pages.get_mut(place as usize / PAGE)
            && let Some(slot) = Arc::make_mut(page).get_mut(place as usize % PAGE)
            && slot.take().is_some()
        {
            self.free.push(place);
        }
    }

    /// The heartbeat at a place.
    pub fn at(&self, place: u32) -> Option<&Beat> {
        self.pages.get(place as usize / PAGE)?.get(place as usize % PAGE)?.as_deref()
    }

    /// The slug of the heartbeat at a place.
    pub(crate) fn slug(&self, place: u32) -> Option<&str> {
        self.at(place).map(|beat| beat.heartbeat.slug.as_str())
    }

    /// The UUID of the heartbeat at a place.
    pub(crate) fn uuid(&self, place: u32) -> Option<Uuid> {
        self.at(place).map(|beat| beat.heartbeat.uuid)
    }

    /// The heartbeat at a place, to be changed.
    pub(crate) fn at_mut(&mut self, place: u32) -> Option<&mut Beat> {
        let page = Arc::make_mut(self.pages.get_mut(place as usize / PAGE)?);
        page.get_mut(place as usize % PAGE)?.as_mut().map(Arc::make_mut)
    }

    /// One more than the highest place that was ever used.
    pub fn places(&self) -> u32 {
        self.len
    }

    /// All of them with their places, in the order of the places.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Beat)> {
        (0..self.len).filter_map(|place| self.at(place).map(|beat| (place, beat)))
    }
}
