//! When an incident that stays open must be told again: `remind_every` after it was told last, or after that was declared;
//! by what was declared and given to the journal alone. A reminder that came due while nobody could notice (a death, a
//! stall, a sleep, a disk that fails) may come later, but at once when the daemon is well again; blind windows move none.
//!
//! Not asked where nobody outside can know it: of a clock that was set while the machine was started anew, and of what
//! only a snapshot tells how often it was told already.

use std::collections::BTreeMap;

use overdue::machine::record::Alerted;
use overdue::machine::state::State;
use overdue::model::delivery::Delivery;
use overdue::model::id::IncidentId;
use overdue::model::incident::Alert;
use uuid::Uuid;

use crate::house::audit::{BUSY_DISK, TOLERANCE};
use crate::house::silence::SEEN_WITHIN;
use crate::house::witness::{Witness, beat_of};
use crate::rules::Ms;
use crate::world::ms;

/// How often an incident was told that is still open.
#[derive(Debug, Clone)]
struct Telling {
    job: usize,
    /// Since when it counts, in real time; nothing of one that only a snapshot tells of.
    since: Option<Ms>,
    /// The records that tell it, and when the journal was given them: `opened` first, then each reminder.
    told: Vec<(u64, Ms)>,
}

/// Incidents that are open, and how often each was told.
#[derive(Debug, Default)]
pub(crate) struct Reminders(BTreeMap<Uuid, Telling>);

impl Reminders {
    /// What was told after this record was lost in a death.
    pub(crate) fn forget_after(&mut self, seq: u64) {
        for telling in self.0.values_mut() {
            telling.told.retain(|(of, _)| *of <= seq);
        }
        self.0.retain(|_, telling| !telling.told.is_empty());
    }

    /// Only a snapshot tells of them, and not how often they were told.
    pub(crate) fn are_unknown(&mut self) {
        self.0.clear();
    }
}

impl Witness {
    /// A state tells of incidents that are open. One that was not known was told by now, and nobody knows how often.
    pub(crate) fn look_up_incidents(&mut self, state: &State, seq: u64, now: Ms) {
        for job in 0..self.declared.len() {
            let Some(open) = beat_of(state, job).and_then(|beat| beat.incident.as_ref()) else { continue };
            let telling = Telling { job, since: None, told: vec![(seq, now)] };
            self.reminders.0.entry(open.id.0).or_insert(telling);
        }
    }

    /// An incident that began then, by the wall clock, is told.
    pub(crate) fn begins(&mut self, at: Ms, alerted: &Alerted, seq: u64, now: Ms) {
        let (Some(slug), Some(incident)) = (&alerted.slug, alerted.incident) else { return };
        let since = Some(now - (ms(alerted.at) - at));
        let telling = Telling { job: self.job_of(slug.as_str()), since, told: vec![(seq, now)] };
        self.reminders.0.insert(incident.0, telling);
    }

    /// It is over: was it told as often as it should have been?
    pub(crate) fn ends(&mut self, incident: IncidentId, now: Ms) {
        self.is_told_in_time(incident.0, now);
        self.reminders.0.remove(&incident.0);
    }

    /// When an incident must be told again at the latest.
    fn is_told_again_by(&self, telling: &Telling) -> Option<Ms> {
        let well_since = self.silences.well_since()?;
        let every = self.declared[telling.job].last()?.1?.remind_every?;
        let (_, told) = *telling.told.last()?;
        let changed_at = self.silences.in_force_since(telling.job)?;
        let guessed = self.steps.iter().any(|set| !set.known && set.real >= told - BUSY_DISK);
        let limit = (told.max(changed_at) + every).max(well_since) + SEEN_WITHIN;
        (!guessed).then_some(limit)
    }

    /// Gives whether it was to be told again at all.
    fn is_told_in_time(&self, incident: Uuid, now: Ms) -> bool {
        let telling = self.reminders.0.get(&incident);
        let Some((telling, limit)) = telling.and_then(|of| Some((of, self.is_told_again_by(of)?))) else {
            return false;
        };
        assert!(now <= limit, "nobody is reminded of {incident} by {limit}, and it is {now}: {telling:?}");
        true
    }

    /// A look while it lives: whoever is down for so long has been told again.
    pub(crate) fn look_for_reminders(&self, now: Ms) {
        for incident in self.reminders.0.keys() {
            self.is_told_in_time(*incident, now);
        }
    }

    /// An incident is told again: not too late, not too often, and each channel has one that waits.
    pub(crate) fn audit_reminder(&mut self, alerted: &Alerted, seq: u64, now: Ms) {
        let incident = alerted.incident.expect("a reminder is one of an incident");
        if self.is_told_in_time(incident.0, now) {
            self.seen.saw("reminders in time");
        }
        let telling = self.reminders.0.get_mut(&incident.0).expect("what is told again is open");
        telling.told.push((seq, now));
        let telling = telling.clone();
        if let Some(since) = telling.since {
            let lasts = now - since + self.guessed_since(since) + BUSY_DISK + TOLERANCE;
            let duties = self.in_force_since(telling.job, since);
            let every = duties.iter().filter_map(|duty| duty.remind_every).min();
            let every = every.unwrap_or_else(|| panic!("nobody wanted to be reminded: {telling:?}"));
            let times = telling.told.len() as Ms - 1;
            assert!(times * every <= lasts, "told again {times} times in {lasts} ms: {telling:?}");
        }
        let Some(known) = self.incidents.get(&incident.0) else { return };
        for channel in &known.channels {
            let waiting = waiting(self.shadow.state(), incident, channel.as_str());
            let (again, waits): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|number| self.mail.is_revived(*number));
            assert!(!waits.is_empty() || !again.is_empty(), "{channel} is not told again: {alerted:?}");
            assert!(waits.len() <= 1, "{channel} is told again while it is: {waits:?}");
        }
        let all = alerted.deliveries.len() == known.channels.len();
        self.seen.saw(if all { "reminders" } else { "reminders while one waits" });
    }
}

/// The reminders of an incident that wait for a channel.
fn waiting(state: &State, incident: IncidentId, channel: &str) -> Vec<u64> {
    let is_one = |delivery: &Delivery| {
        delivery.alert == Alert::Reminder
            && delivery.incident == Some(incident)
            && delivery.channel.as_str() == channel
    };
    let waiting = state.core.outbox.iter().filter(|(_, delivery)| is_one(delivery));
    waiting.map(|(number, _)| *number).collect()
}
