//! The one look-up table of the pure floors: a hash table that cannot be iterated, so that its order,
//! which differs between runs, can decide nothing. It holds places alone; the keys stand in the heartbeats, which is why
//! every question brings the way from a place to its key.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;

/// Finds the place of a heartbeat by a key. A place whose key changes is forgotten and entered again, and nothing is
/// entered in between.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    entries: HashTable<Entry>,
    hasher: RandomState,
}

/// Nine bytes of the table. With the hash beside it a table grows without a look at a single heartbeat: for a million of
/// them that would hold the loop for long.
#[derive(Debug, Clone, Copy)]
struct Entry {
    place: u32,
    hash: u32,
}

impl Entry {
    /// What the table sorts it by. It looks at both ends of 64 bits.
    fn spread(hash: u32) -> u64 {
        u64::from(hash) << 32 | u64::from(hash)
    }
}

impl Index {
    /// Sets the place of the key that it has. `key_of` gives the key of a place.
    pub(crate) fn insert<K: Hash + Eq>(&mut self, place: u32, key_of: impl Fn(u32) -> Option<K>) {
        let Some(key) = key_of(place) else { return };
        let hash = self.hash(&key);
        let is_it =
            |other: &Entry| other.hash == hash && key_of(other.place).is_some_and(|other| other == key);
        let entry = self.entries.entry(Entry::spread(hash), is_it, |entry| Entry::spread(entry.hash));
        entry.or_insert(Entry { place, hash }).get_mut().place = place;
    }

    /// Forgets a key, if it still stands for this place.
    pub(crate) fn remove<K: Hash>(&mut self, key: &K, place: u32) {
        if let Ok(found) =
            self.entries.find_entry(Entry::spread(self.hash(key)), |other| other.place == place)
        {
            found.remove();
        }
    }

    /// The place of a key.
    pub(crate) fn find<K: Hash + Eq>(&self, key: &K, key_of: impl Fn(u32) -> Option<K>) -> Option<u32> {
        let hash = self.hash(key);
        let is_it =
            |other: &Entry| other.hash == hash && key_of(other.place).is_some_and(|other| other == *key);
        self.entries.find(Entry::spread(hash), is_it).map(|entry| entry.place)
    }

    fn hash<K: Hash>(&self, key: &K) -> u32 {
        (self.hasher.hash_one(key) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn it_grows_without_a_look_at_what_is_in_it() {
        let (mut index, looks) = (Index::default(), Cell::new(0));
        for place in 0..100_000 {
            index.insert(place, |place| {
                looks.set(looks.get() + 1);
                Some(u64::from(place) * 7)
            });
        }
        // One for itself, and hardly ever one for another of the same hash.
        assert!(looks.get() < 100_100, "{}", looks.get());
        for place in 0..100_000 {
            assert_eq!(index.find(&(u64::from(place) * 7), |place| Some(u64::from(place) * 7)), Some(place));
        }
        index.remove(&70_u64, 11);
        assert_eq!(
            index.find(&70_u64, |place| Some(u64::from(place) * 7)),
            Some(10),
            "it stands for another place"
        );
        index.remove(&70_u64, 10);
        assert_eq!(index.find(&70_u64, |place| Some(u64::from(place) * 7)), None);
    }
}
