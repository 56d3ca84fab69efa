//! The one look-up table of the pure floors: a hash table that cannot be iterated, so that its order,
//! which differs between runs, can decide nothing. It holds places alone, five bytes each; the keys stand in the
//! heartbeats, which is why every question brings the way from a place to its key.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;

/// Finds the place of a heartbeat by a key. A place whose key changes is forgotten and entered again, and nothing is
/// entered in between.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    places: HashTable<u32>,
    hasher: RandomState,
}

impl Index {
    /// Sets the place of the key that it has. `key_of` gives the key of a place.
    pub(crate) fn insert<K: Hash + Eq>(&mut self, place: u32, key_of: impl Fn(u32) -> Option<K>) {
        let Some(key) = key_of(place) else { return };
        let Self { places, hasher } = self;
        let hash_of = |place: &u32| key_of(*place).map_or(0, |key| hasher.hash_one(key));
        let is_it = |other: &u32| key_of(*other).is_some_and(|other| other == key);
        *places.entry(hasher.hash_one(&key), is_it, hash_of).or_insert(place).get_mut() = place;
    }

    /// Forgets a key, if it still stands for this place.
    pub(crate) fn remove<K: Hash>(&mut self, key: &K, place: u32) {
        if let Ok(found) = self.places.find_entry(self.hasher.hash_one(key), |other| *other == place) {
            found.remove();
        }
    }

    /// The place of a key.
    pub(crate) fn find<K: Hash + Eq>(&self, key: &K, key_of: impl Fn(u32) -> Option<K>) -> Option<u32> {
        let is_it = |other: &u32| key_of(*other).is_some_and(|other| other == *key);
        self.places.find(self.hasher.hash_one(key), is_it).copied()
    }
}
