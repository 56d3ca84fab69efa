//! What a step of the wall clock means: what is a distance from something keeps it, what has a place on the clock
//! stays there, and one who was set back before an occurrence waits for it again. Worked off a piece a turn.

use crate::machine::beat::Beat;
use crate::machine::blind::{BLIND_MIN, STEP_MIN};
use crate::machine::record::Record;
use crate::machine::{Machine, TURN, Transition};
use crate::model::time::{Boot, Step, Timestamp};

/// A due, and what it was before the clock was set back, should that be undone.
type Rescheduled = (Option<Timestamp>, Option<Timestamp>);

impl Machine {
    /// The wall clock was set, and shows `now`.
    pub(super) fn stepped(&mut self, by: Step, now: Timestamp, out: &mut Transition) {
        if by.is_zero() {
            return;
        }
        self.commit(Record::Stepped { at: now, by, told: by.length() > BLIND_MIN }, out);
        self.waiting.go_along(by);
        self.deaf_since = self.deaf_since.map(|since| since + by);
        self.behind = Some(0);
    }

    /// How far the wall clock was set since the last life ended at `mark`: known if the machine has not been started
    /// anew, and suspected if the clock shows less than it did.
    pub(super) fn stepped_meanwhile(&self, mark: Timestamp, boot: Option<Boot>, now: Timestamp) -> Step {
        let known = match (self.state.core.boot, boot) {
            (Some(before), Some(boot)) if before.id == boot.id => Some(Step::between(before.at, boot.at)),
            _ => None,
        };
        match known {
            Some(step) if step.length() < STEP_MIN => Step::ZERO,
            Some(step) => step,
            None if now < mark => Step::between(mark, now),
            None => Step::ZERO,
        }
    }

    /// Lets the next piece of the heartbeats go along with the clock.
    pub(super) fn go_on_with_step(&mut self, now: Timestamp, out: &mut Transition) {
        let Some(from) = self.behind else { return };
        let to = (from + TURN as u32).min(self.state.beats.places());
        for place in from..to {
            self.go_along(place, now, out);
            self.rearm(place);
        }
        self.behind = (to < self.state.beats.places()).then_some(to);
    }

    /// Lets one heartbeat go along. Whoever looks at one or changes it calls this first.
    pub(super) fn go_along(&mut self, place: u32, now: Timestamp, out: &mut Transition) {
        let stepped = self.state.core.hearing.stepped();
        let Some(beat) = self.beat(place).filter(|beat| beat.stepped != stepped) else { return };
        let by = stepped - beat.stepped;
        let wanted = match (beat.due, beat.heartbeat.timing.interval()) {
            (Some(due), None) if by < Step::ZERO => self.due_after_step_back(beat, due, now),
            (Some(due), None) => self.due_after_step_on(beat, due, by),
            (due, _) => (due.map(|due| due + by), None),
        };
        if let Some(beat) = self.state.beat_mut(place)
            && (beat.due, beat.due_before_step) != wanted
        {
            let slug = beat.heartbeat.slug.clone();
            self.commit(Record::Rescheduled { at: now, slug, due: wanted.0, before: wanted.1 }, out);
        }
    }

    /// The due of a calendar whose clock went back, and what it was before: the clock may have gone back before what
    /// the heartbeat last finished for, or has yet to come to what was missed already.
    fn due_after_step_back(&self, beat: &Beat, due: Timestamp, now: Timestamp) -> Rescheduled {
        if due <= now {
            return (Some(due), beat.due_before_step);
        }
        let finish = beat.last_finish.map(|finish| finish.min(now));
        let again = self.due_after(&beat.heartbeat, finish, beat.counted_from.min(now));
        let again = again.filter(|again| *again > now).or_else(|| self.next_after(&beat.heartbeat, now));
        match again.filter(|again| *again < due) {
            None => (Some(due), beat.due_before_step),
            again => (again, beat.due_before_step.or(Some(due))),
        }
    }

    /// The due of a calendar whose clock went on: it stays, and the clock may jump over it; but what came again only
    /// since the clock had gone back is over again, if the last finish lies after it once more.
    fn due_after_step_on(&self, beat: &Beat, due: Timestamp, by: Step) -> Rescheduled {
        let Some(before) = beat.due_before_step else { return (Some(due), None) };
        let finish = beat.last_finish.map(|finish| finish + by);
        let again = self.due_after(&beat.heartbeat, finish, beat.counted_from + by).unwrap_or(due);
        let due = again.min(before).max(due);
        (Some(due), Some(before).filter(|before| due < *before))
    }
}
