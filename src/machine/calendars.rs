//! Calendar timings made ready, each once for all heartbeats that share it. It knows declarations, and never
//! heartbeats or what they are asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::heartbeat::Declaration;
use crate::model::schedule::exclusions::Excluded;
use crate::model::schedule::expressions::Expressions;
use crate::model::schedule::{Occurrences, Timing, Zones};

/// By what is written.
#[derive(Debug, Clone)]
pub(super) struct Calendars {
    zones: Zones,
    by_timing: BTreeMap<Timing, Vec<Calendar>>,
    excluded: Excluded,
    /// Counts the sweeps; a calendar that was last seen before this one goes with its end.
    sweep: u64,
}

#[derive(Debug, Clone)]
struct Calendar {
    timezone: Arc<str>,
    exclude: Expressions,
    occurrences: Arc<Occurrences>,
    seen: u64,
}

impl Calendar {
    fn is_of(&self, heartbeat: &Declaration) -> bool {
        self.timezone == heartbeat.timezone && self.exclude == heartbeat.exclude
    }
}

impl Calendars {
    pub(super) fn new(zones: Zones) -> Self {
        Self { zones, by_timing: BTreeMap::new(), excluded: Excluded::default(), sweep: 0 }
    }

    /// Makes the calendar of a heartbeat ready, so that every later question is a look-up. A plain interval has
    /// none.
    pub(super) fn prepare(&mut self, heartbeat: &Declaration) {
        if is_plain(heartbeat) {
            return;
        }
        if !self.by_timing.contains_key(&heartbeat.timing) {
            self.by_timing.insert(heartbeat.timing.clone(), Vec::new());
        }
        let Some(calendars) = self.by_timing.get_mut(&heartbeat.timing) else { return };
        if let Some(known) = calendars.iter_mut().find(|calendar| calendar.is_of(heartbeat)) {
            known.seen = self.sweep;
        } else if let Ok(occurrences) = heartbeat.timing.compile_with(
            &heartbeat.timezone,
            &heartbeat.exclude,
            &self.zones,
            &mut self.excluded,
        ) {
            calendars.push(Calendar {
                timezone: heartbeat.timezone.clone(),
                exclude: heartbeat.exclude.clone(),
                occurrences: Arc::new(occurrences),
                seen: self.sweep,
            });
        }
    }

    /// That of a heartbeat; `None` for a plain interval.
    pub(super) fn of(&self, heartbeat: &Declaration) -> Option<&Occurrences> {
        if is_plain(heartbeat) {
            return None;
        }
        let calendars = self.by_timing.get(&heartbeat.timing)?;
        calendars.iter().find(|calendar| calendar.is_of(heartbeat)).map(|calendar| &*calendar.occurrences)
    }

    /// From here on it is noted which are prepared.
    pub(super) fn begin_sweep(&mut self) {
        self.sweep += 1;
    }

    /// Forgets what was not prepared since.
    pub(super) fn end_sweep(&mut self) {
        let sweep = self.sweep;
        self.by_timing.retain(|_, calendars| {
            calendars.retain(|calendar| calendar.seen == sweep);
            !calendars.is_empty()
        });
        self.excluded.forget_unused();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_timing.values().map(Vec::len).sum()
    }
}

fn is_plain(heartbeat: &Declaration) -> bool {
    heartbeat.timing.interval().is_some() && heartbeat.exclude.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::heartbeat::Draft;
    use crate::model::id::Slug;
    use crate::model::schedule::exclusions::counted;
    use crate::model::settings::Settings;

    #[test]
    fn exclusions_are_read_once_for_all_heartbeats_and_forgotten_with_the_last() {
        let exclude = Expressions::new((0..100).map(|n| format!("{}-12-24", 2026 + n)));
        let declaration = |minute: u32| {
            let mut draft = Draft::new(Timing::Cron(Expressions::one(&format!("{minute} * * * *"))));
            draft.rest.exclude = Some(exclude.clone());
            let settings = Settings::default();
            draft.settle(Slug::new("job").unwrap(), &settings.defaults, settings.namespace)
        };
        let mut calendars = Calendars::new(Zones::bundled());
        let read = |calendars: &mut Calendars, minutes: std::ops::Range<u32>| {
            counted::of(&counted::READ, || minutes.for_each(|minute| calendars.prepare(&declaration(minute))))
        };
        assert_eq!(read(&mut calendars, 0..30), 100);
        calendars.begin_sweep();
        assert_eq!(read(&mut calendars, 20..30), 0);
        calendars.end_sweep();
        assert_eq!(read(&mut calendars, 0..30), 0);
        calendars.begin_sweep();
        calendars.end_sweep();
        assert_eq!((calendars.len(), read(&mut calendars, 0..1)), (0, 100));
    }
}
