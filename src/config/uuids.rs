//! No two heartbeats have one UUID, whether it was written down or derived from the ping key. Never knows
//! where the ping key comes from.

use uuid::Uuid;

use crate::config::Declared;
use crate::config::problem::Problem;

/// Every UUID that stands twice; the derived ones count when the namespace is known.
pub(super) fn conflicts(heartbeats: &[Declared], namespace: Option<Uuid>) -> Vec<Problem> {
    // Derived UUIDs of different slugs cannot meet; so without an explicit one there is nothing to compare.
    if heartbeats.iter().all(|one| one.draft.uuid.is_none()) {
        return Vec::new();
    }
    let uuid = |one: &Declared| {
        let derived = || namespace.map(|namespace| Uuid::new_v5(&namespace, one.slug.as_str().as_bytes()));
        one.draft.uuid.or_else(derived)
    };
    let mut all: Vec<(Uuid, &Declared)> =
        heartbeats.iter().filter_map(|one| Some((uuid(one)?, one))).collect();
    all.sort_by_key(|&(uuid, one)| (uuid, one.draft.uuid.is_some()));
    let both = |pair: &[(Uuid, &Declared)]| {
        let (one, other) = (pair[0].1, pair[1].1);
        let how = if one.draft.uuid.is_some() { "has" } else { "derives" };
        other.place.problem(
            // Not the UUID itself: it is a secret.
            format!(
                "the heartbeat {} has the uuid that {} ({}) {how} too; each needs its own",
                other.slug, one.slug, one.place
            ),
            None,
        )
    };
    all.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(both).collect()
}
