//! What a step of the wall clock means for one heartbeat, as the contract says it.

use std::sync::Arc;

use crate::ears::Ears;
use crate::model::{Model, Outcome};
use crate::rules::Ms;

impl Model {
    /// The wall clock is set. What is a distance from something keeps it; a calendar's due keeps its place, but after
    /// a step back it counts from the last finish or from now, until that is undone.
    pub(crate) fn step(&mut self, by: Ms, ears: &Arc<Ears>) {
        self.ears = ears.clone();
        self.now += by;
        if let Some(due) = self.due.filter(|_| !self.goes_along()) {
            if by > 0 {
                let again = self.due_after(self.last_finish.map(|at| at + by), self.counted_from + by);
                self.due = Some(self.before_step.map_or(due, |before| again.min(before).max(due)));
                self.before_step = self.before_step.filter(|before| self.due < Some(*before));
            } else if due > self.now {
                let again = self
                    .due_after(self.last_finish.map(|at| at.min(self.now)), self.counted_from.min(self.now));
                let again = if again > self.now { again } else { self.next_after(self.now) };
                if again < due {
                    (self.due, self.before_step) = (Some(again), self.before_step.or(Some(due)));
                }
            }
        }
        let set = |at: &mut Option<Ms>| *at = at.map(|at| at + by);
        if self.goes_along() {
            set(&mut self.due);
        }
        set(&mut self.last_finish);
        set(&mut self.paused_until);
        set(&mut self.heard);
        self.counted_from += by;
        self.first_start = self.first_start.map(|(start, until)| (start + by, until + by));
        for run in &mut self.runs {
            if run.outcome.is_none() || run.outcome == Some(Outcome::Overran) && !run.finished {
                run.start = run.start.map(|start| start + by);
                run.end_by += by;
            }
        }
        if let Some(incident) = self.incidents.last_mut() {
            set(&mut incident.remind_at);
        }
    }
}
