//! The one look-up table of the pure floors: a hash map that cannot be iterated, so that its order,
//! which differs between runs, can decide nothing.

use std::borrow::Borrow;
use std::hash::Hash;

#[allow(clippy::disallowed_types, reason = "the wrapper is what makes it safe here: no iteration")]
type Map<K> = std::collections::HashMap<K, u32>;

/// Finds the place of a heartbeat by a key.
#[derive(Debug, Clone)]
pub(crate) struct Index<K>(Map<K>);

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self(Map::default())
    }
}

impl<K: Eq + Hash> Index<K> {
    /// Sets the place of a key.
    pub(crate) fn insert(&mut self, key: K, place: u32) {
        self.0.insert(key, place);
    }

    /// Forgets a key, if it still stands for this place.
    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q, place: u32)
    where
        K: Borrow<Q>,
    {
        if self.0.get(key) == Some(&place) {
            self.0.remove(key);
        }
    }

    /// The place of a key.
    pub(crate) fn find<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<u32>
    where
        K: Borrow<Q>,
    {
        self.0.get(key).copied()
    }
}
