//! Heartbeats of which nothing is expected any more: right by what is written, wrong by what the clock shows. Knows how
//! to find them at an instant that it is told; never knows a clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::config::Config;
use crate::config::problem::Warning;
use crate::model::heartbeat::Declaration;
use crate::model::schedule::expressions::Expressions;
use crate::model::schedule::{Timing, Zones};
use crate::model::time::Timestamp;

/// By timing and zone, then by what is excluded.
type Known = BTreeMap<(Timing, Arc<str>), Vec<(Expressions, bool)>>;

/// A warning for each heartbeat whose last time is before `now`.
pub(super) fn warnings(config: &Config, zones: &Zones, now: Timestamp) -> Vec<Warning> {
    let mut known = Known::new();
    let warning = |one: &super::Declared| {
        // No UUID is shown, so any namespace will do.
        let declaration = one.draft.settle(one.slug.clone(), &config.defaults, Uuid::nil());
        is_spent(&declaration, &mut known, zones, now).then(|| {
            let what = format!(
                "nothing is expected of [heartbeats.{}] any more: its last time is past",
                declaration.slug
            );
            one.place.problem(what, None)
        })
    };
    config.heartbeats.iter().filter_map(warning).collect()
}

fn is_spent(declaration: &Declaration, known: &mut Known, zones: &Zones, now: Timestamp) -> bool {
    let Declaration { timing, timezone, exclude, .. } = declaration;
    if timing.interval().is_some() && exclude.is_empty() {
        return false;
    }
    let known = known.entry((timing.clone(), timezone.clone())).or_default();
    if let Some((_, spent)) = known.iter().find(|(of, _)| of == exclude) {
        return *spent;
    }
    let compiled = timing.compile(timezone, exclude, zones);
    let spent = compiled.is_ok_and(|occurrences| occurrences.next_after(now).is_none());
    known.push((exclude.clone(), spent));
    spent
}
