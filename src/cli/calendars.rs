//! Schedules made ready to be asked, each once for all heartbeats that share it. Knows declarations, and never what is
//! asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::heartbeat::Declaration;
use crate::model::schedule::exclusions::Excluded;
use crate::model::schedule::expressions::Expressions;
use crate::model::schedule::{Occurrences, Timing, Zones};

/// What is excluded, and what is left.
type Calendar = (Expressions, Option<Occurrences>);

/// By what is written.
pub(super) struct Calendars<'z> {
    zones: &'z Zones,
    known: BTreeMap<(Timing, Arc<str>), Vec<Calendar>>,
    excluded: Excluded,
}

impl<'z> Calendars<'z> {
    pub(super) fn new(zones: &'z Zones) -> Self {
        Self { zones, known: BTreeMap::new(), excluded: Excluded::default() }
    }

    /// That of a heartbeat; `None` when it cannot be used, which a config that was read has not.
    pub(super) fn of(&mut self, declaration: &Declaration) -> Option<&Occurrences> {
        let Declaration { timing, timezone, exclude, .. } = declaration;
        let known = self.known.entry((timing.clone(), timezone.clone())).or_default();
        let at = known.iter().position(|(of, _)| of == exclude).unwrap_or(known.len());
        if at == known.len() {
            let compiled = timing.compile_with(timezone, exclude, self.zones, &mut self.excluded);
            known.push((exclude.clone(), compiled.ok()));
        }
        known.get(at)?.1.as_ref()
    }
}
