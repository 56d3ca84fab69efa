//! What a new config changes beside the heartbeats and channels that the machine compares itself: what only
//! a restart can change, and how much is gone. Never knows how a change is applied.

use std::collections::BTreeSet;
use std::path::PathBuf;

use uuid::Uuid;

use crate::config::secret::Secret;
use crate::config::{Config, Durability, Listen};
use crate::model::id::Slug;

/// What of a config only a restart can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    listen: Vec<Listen>,
    dir: PathBuf,
    durability: Durability,
    max_connections: u32,
}

impl Fixed {
    /// Of a config.
    pub fn of(config: &Config) -> Self {
        Self {
            listen: config.server.listen.clone(),
            dir: config.state.dir.clone(),
            durability: config.state.durability,
            max_connections: config.server.max_connections,
        }
    }

    /// The settings of `next` that wait for a restart.
    pub fn needs_restart(&self, next: &Self) -> Vec<&'static str> {
        let settings = [
            ("server.listen", self.listen != next.listen),
            ("server.max_connections", self.max_connections != next.max_connections),
            ("state.dir", self.dir != next.dir),
            ("state.durability", self.durability != next.durability),
        ];
        settings.iter().filter(|(_, other)| *other).map(|(name, _)| *name).collect()
    }
}

/// What must be remembered of a config to tell what the next one changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    fixed: Fixed,
    ping_key: Option<[u8; 32]>,
    /// By slug.
    heartbeats: Vec<(Slug, Option<Uuid>)>,
}

/// What the next config changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// The settings that wait for a restart; the rest applies.
    pub needs_restart: Vec<&'static str>,
    /// Whether `ping_key` is another, and with it every derived URL.
    pub ping_key: bool,
    /// Heartbeats that are gone, and not only renamed.
    pub removed: usize,
    /// Heartbeats that there were.
    pub total: usize,
}

impl Outline {
    /// Of a config.
    pub fn of(config: &Config) -> Self {
        Self {
            fixed: Fixed::of(config),
            ping_key: config.server.ping_key.as_ref().map(Secret::hash),
            heartbeats: config.heartbeats.iter().map(|one| (one.slug.clone(), one.draft.uuid)).collect(),
        }
    }

    /// What comes with `next`.
    pub fn change(&self, next: &Self) -> Change {
        // One look along both lists: two trees of a million slugs would hold the loop.
        let mut there = next.heartbeats.iter().map(|(slug, _)| slug).peekable();
        let lacks = |(slug, _): &&(Slug, Option<Uuid>)| {
            while there.next_if(|other| *other < slug).is_some() {}
            there.peek() != Some(&slug)
        };
        let mut gone: Vec<&(Slug, Option<Uuid>)> = self.heartbeats.iter().filter(lacks).collect();
        if !gone.is_empty() {
            let uuids: BTreeSet<Uuid> = next.heartbeats.iter().filter_map(|(_, uuid)| *uuid).collect();
            gone.retain(|(_, uuid)| !uuid.is_some_and(|uuid| uuids.contains(&uuid)));
        }
        Change {
            needs_restart: self.fixed.needs_restart(&next.fixed),
            ping_key: self.ping_key != next.ping_key,
            removed: gone.len(),
            total: self.heartbeats.len(),
        }
    }
}

/// Whether so much is gone that it is more likely an accident: more than half, and at least 5.
pub fn holds_back(removed: usize, total: usize) -> bool {
    removed >= 5 && removed.saturating_mul(2) > total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    fn outline(text: &str) -> Outline {
        Outline::of(&config(text))
    }

    #[test]
    fn more_than_half_and_at_least_five_is_held_back() {
        for (removed, total, held) in
            [(4, 4, false), (5, 5, true), (5, 10, false), (5, 9, true), (6, 11, true), (0, 0, false)]
        {
            assert_eq!(holds_back(removed, total), held, "{removed} of {total}");
        }
    }

    #[test]
    fn what_needs_a_restart_is_named_and_the_ping_key_is_noticed() {
        let old = outline("");
        let new = outline(
            "[server]\nlisten = \"127.0.0.1:1\"\nping_key = \"abcdefghijklmnopqrstuv\"\nbody_limit = \"1KB\"\n\
             [state]\ndir = \"/elsewhere\"",
        );
        let change = old.change(&new);
        assert_eq!(change.needs_restart, ["server.listen", "state.dir"]);
        assert!(change.ping_key);
        assert_eq!(new.change(&new), Change::default());
    }

    #[test]
    fn a_new_slug_with_the_same_explicit_uuid_is_no_removal() {
        let uuid = "uuid = \"67e55044-10b1-426f-9247-bb680e5fe0c8\"";
        let old = outline(&format!(
            "[heartbeats.a]\ninterval = \"1h\"\n{uuid}\n[heartbeats.b]\ninterval = \"1h\"\n[heartbeats.c]\ninterval = \"1h\""
        ));
        let new =
            outline(&format!("[heartbeats.z]\ninterval = \"1h\"\n{uuid}\n[heartbeats.c]\ninterval = \"2h\""));
        let change = old.change(&new);
        assert_eq!((change.removed, change.total), (1, 3), "only b is gone");
    }
}
