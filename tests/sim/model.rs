//! What the contract says of one heartbeat, written down a second time: slow, simple, from the text of the
//! contract alone. It keeps everything that ever happened and looks through all of it for each answer.
//! It never looks into the machine, and must never be mended to agree with it but by the contract's words.

use std::sync::Arc;

use crate::ears::Ears;
use crate::rules::{Ms, Rules, Says, Timing};

mod step;

/// Ended runs that are kept.
const KEEP_RUNS: usize = 100;
/// Open runs at the most.
const OPEN_MAX: usize = 100;

/// A run's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Failure,
    Overran,
    Abandoned,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) rid: Option<u8>,
    pub(crate) start: Option<Ms>,
    pub(crate) end_by: Ms,
    /// Whether it began after the last finish; a later finish takes that away.
    covers: bool,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) duration: Option<Ms>,
    pub(crate) exit_code: Option<u8>,
    finished: bool,
    /// Among `failures`, since it overran: its own failing finish is not counted again.
    counted: bool,
    /// In which order the runs ended.
    pub(crate) ended: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Missed,
    Failed,
    Overran,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alert {
    Opened,
    Reminder,
    Resolved,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Incident {
    pub(crate) cause: Cause,
    pub(crate) opened: Ms,
    pub(crate) exit_code: Option<u8>,
    pub(crate) resolved: Option<(Ms, &'static str)>,
    remind_at: Option<Ms>,
}

/// One heartbeat.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) rules: Rules,
    pub(crate) now: Ms,
    /// Declared, resumed, put back: the latest.
    counted_from: Ms,
    last_finish: Option<Ms>,
    seen: bool,
    paused: bool,
    paused_until: Option<Ms>,
    removed: bool,
    /// It was down when it left: put back it is `up`, though it may never have been pinged.
    up_again: bool,
    pub(crate) due: Option<Ms>,
    /// What it was before a step back brought an earlier one.
    before_step: Option<Ms>,
    /// The first start since the last finish, and until when it puts the schedule's deadline off.
    first_start: Option<(Ms, Ms)>,
    pub(crate) runs: Vec<Run>,
    ends: usize,
    pub(crate) failures: u32,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) ears: Arc<Ears>,
    /// A ping was heard at this instant, and its body is on its way.
    pub(crate) heard: Option<Ms>,
}

impl Model {
    pub(crate) fn declared(rules: Rules, now: Ms, ears: &Arc<Ears>) -> Self {
        let mut model = Self {
            rules,
            now,
            counted_from: now,
            last_finish: None,
            seen: false,
            paused: rules.paused,
            paused_until: None,
            removed: false,
            up_again: false,
            due: None,
            before_step: None,
            first_start: None,
            runs: Vec::new(),
            ends: 0,
            failures: 0,
            incidents: Vec::new(),
            alerts: Vec::new(),
            ears: ears.clone(),
            heard: None,
        };
        model.count_due_from(now);
        model
    }

    pub(crate) fn status(&self) -> &'static str {
        let late = self.due.is_some_and(|due| due <= self.now) && self.open_runs().count() == 0;
        match () {
            () if self.paused => "paused",
            () if self.incident().is_some() => "down",
            () if late => "late",
            () if self.seen || self.up_again => "up",
            () => "new",
        }
    }

    pub(crate) fn open_runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| run.outcome.is_none())
    }

    pub(crate) fn incident(&self) -> Option<&Incident> {
        self.incidents.last().filter(|incident| incident.resolved.is_none())
    }

    fn goes_along(&self) -> bool {
        matches!(self.rules.timing, Timing::Interval(_))
    }

    fn next_after(&self, t: Ms) -> Ms {
        self.rules.timing.next_after(t)
    }

    fn count_due_from(&mut self, t: Ms) {
        let waits = self.paused || self.removed || self.rules.await_first_ping && !self.seen;
        self.due = if waits { None } else { Some(self.next_after(t)) };
        self.before_step = None;
    }

    /// The due counts from the last finish, which may have come a little early for its occurrence.
    fn count_due(&mut self) {
        self.count_due_from(self.anchor());
        self.due = self.due.map(|_| self.due_after(self.last_finish, self.counted_from));
    }

    fn due_after(&self, finish: Option<Ms>, counted_from: Ms) -> Ms {
        let next = self.next_after(finish.map_or(counted_from, |finish| finish.max(counted_from)));
        let early = self.rules.timing.early(next);
        let is_early = finish.is_some_and(|finish| finish >= counted_from && next - finish <= early);
        if is_early { self.next_after(next) } else { next }
    }

    fn schedule_deadline(&self) -> Option<Ms> {
        let due = self.due?;
        let nominal = due + self.rules.grace;
        let put_off = match self.first_start {
            Some((_, until)) if self.open_runs().any(|run| run.covers) => nominal.max(until),
            _ => nominal,
        };
        let settle = self.next_after(due) - due + self.rules.grace;
        let moved = if self.goes_along() { Ears::moved_distance } else { Ears::moved_place };
        Some(moved(&self.ears, put_off, settle))
    }

    /// The first open run to overrun; of several at once the oldest.
    fn run_deadline(&self) -> Option<(Ms, usize)> {
        let open = self.runs.iter().enumerate().filter(|(_, run)| run.outcome.is_none());
        open.map(|(i, run)| (self.ears.moved_distance(run.end_by, self.rules.max_runtime), i)).min()
    }

    /// The instant at which silence becomes, or goes on being, an incident.
    pub(crate) fn next_deadline(&self) -> Option<Ms> {
        let run = self.run_deadline().map(|(at, _)| at);
        [self.schedule_deadline(), run].into_iter().flatten().min()
    }

    fn remind_at(&self) -> Option<Ms> {
        self.incident().and_then(|incident| incident.remind_at)
    }

    /// The next instant at which anything passes by itself.
    pub(crate) fn next_passing(&self) -> Option<Ms> {
        let pause_over = self.paused_until.filter(|_| !self.removed);
        [self.next_deadline(), self.remind_at(), pause_over].into_iter().flatten().min()
    }

    /// Runs that ended long ago are not asked for any more.
    fn forget_old_runs(&mut self) {
        let ends = self.ends;
        self.runs.retain(|run| run.outcome.is_none() || run.ended + 2 * KEEP_RUNS > ends);
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, to: Ms) {
        self.forget_old_runs();
        let until = self.heard.map_or(to, |heard| heard.min(to));
        let mut before = Ms::MIN;
        while let Some(at) = self.next_passing().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let at = at.max(before);
            before = at;
            let run = self.run_deadline().filter(|(run, _)| *run <= at);
            if let Some((_, run)) = run.filter(|(run, _)| Some(*run) == self.next_passing()) {
                self.end(run, Outcome::Overran);
                self.runs[run].counted = true;
                self.failures += 1;
                self.down(Cause::Overran, None, at);
            } else if self.schedule_deadline().is_some_and(|s| Some(s) == self.next_passing()) {
                self.failures += 1;
                (self.due, self.before_step) = (self.due.map(|due| self.next_after(due)), None);
                self.down(Cause::Missed, None, at);
            } else if self.paused {
                self.resume(at);
            } else {
                self.alerts.push(Alert::Reminder);
                self.remind_again(at);
            }
        }
        self.now = self.now.max(to);
    }

    fn remind_again(&mut self, at: Ms) {
        let (now, every) = (self.now, self.rules.remind_every);
        if let Some(incident) = self.incidents.last_mut() {
            incident.remind_at = every.map(|every| if at + every > now { at + every } else { now + every });
        }
    }

    fn end(&mut self, run: usize, outcome: Outcome) {
        self.ends += 1;
        self.runs[run].outcome = Some(outcome);
        self.runs[run].ended = self.ends;
    }

    fn abandon_all(&mut self) {
        for run in 0..self.runs.len() {
            if self.runs[run].outcome.is_none() {
                self.end(run, Outcome::Abandoned);
            }
        }
        self.first_start = None;
    }

    fn down(&mut self, cause: Cause, exit_code: Option<u8>, at: Ms) {
        if self.incident().is_none() {
            self.incidents.push(Incident { cause, opened: at, exit_code, resolved: None, remind_at: None });
            self.alerts.push(Alert::Opened);
            self.remind_again(at);
        }
    }

    fn resolve(&mut self, at: Ms, reason: &'static str) {
        if self.incident().is_some() {
            self.incidents.last_mut().expect("one is open").resolved = Some((at, reason));
            self.alerts.push(Alert::Resolved);
        }
    }

    /// A ping whose head was read at `at`.
    pub(crate) fn ping(&mut self, says: Says, rid: Option<u8>, at: Ms) {
        self.pass(at);
        if self.removed || says == Says::Log {
            return;
        }
        if self.paused {
            if !self.rules.resume_on_ping {
                return;
            }
            self.resume(at);
        }
        match says {
            Says::Start => self.start(rid, at),
            Says::Success | Says::Exit(0) => self.finish(rid, at, true, says),
            Says::Fail | Says::Exit(_) => self.finish(rid, at, false, says),
            Says::Log => {}
        }
    }

    fn start(&mut self, rid: Option<u8>, at: Ms) {
        let open: Vec<usize> = (0..self.runs.len()).filter(|i| self.runs[*i].outcome.is_none()).collect();
        if let Some(same) = open.iter().find(|i| self.runs[**i].rid == rid) {
            self.end(*same, Outcome::Abandoned);
        } else if open.len() >= OPEN_MAX {
            self.end(open[0], Outcome::Abandoned);
        }
        let covers = self.last_finish.is_none_or(|finish| at >= finish);
        if covers && self.first_start.is_none() {
            self.first_start = Some((at, at + self.rules.max_runtime));
        }
        self.runs.push(Run {
            rid,
            start: Some(at),
            end_by: at + self.rules.max_runtime,
            covers,
            outcome: None,
            duration: None,
            exit_code: None,
            finished: false,
            counted: false,
            ended: 0,
        });
        if !self.seen {
            self.seen = true;
            if self.rules.await_first_ping {
                self.counted_from = at;
                self.count_due_from(at);
            }
        }
    }

    /// Which run a finish is of.
    fn run_of(&self, rid: Option<u8>) -> Option<usize> {
        let open = |wanted: Option<u8>| self.runs.iter().position(|r| r.outcome.is_none() && r.rid == wanted);
        let known = |run: &Run| run.ended + KEEP_RUNS > self.ends;
        let waits = |run: &Run| run.outcome == Some(Outcome::Overran) && !run.finished && known(run);
        let newest = |fits: &dyn Fn(&Run) -> bool| {
            let ended = self.runs.iter().enumerate().filter(|(_, run)| waits(run) && fits(run));
            ended.max_by_key(|(_, run)| run.ended).map(|(i, _)| i)
        };
        match rid {
            Some(_) => open(rid).or_else(|| newest(&|run| run.rid == rid)).or_else(|| open(None)),
            None => open(None)
                .or_else(|| self.runs.iter().position(|run| run.outcome.is_none()))
                .or_else(|| newest(&|_| true)),
        }
    }

    fn finish(&mut self, rid: Option<u8>, at: Ms, good: bool, says: Says) {
        let exit_code = if let Says::Exit(code) = says { Some(code) } else { None };
        let outcome = if good { Outcome::Success } else { Outcome::Failure };
        let run = self.run_of(rid).unwrap_or_else(|| {
            self.runs.push(Run {
                rid,
                start: None,
                end_by: at,
                covers: false,
                outcome: None,
                duration: None,
                exit_code: None,
                finished: false,
                counted: false,
                ended: 0,
            });
            self.runs.len() - 1
        });
        if self.runs[run].outcome.is_none() {
            self.end(run, outcome);
        }
        let run = &mut self.runs[run];
        run.duration = run.start.map(|start| (at - start).max(0));
        (run.exit_code, run.finished) = (exit_code, true);
        let counted = run.counted;
        self.seen = true;
        self.last_finish = Some(self.last_finish.map_or(at, |last| last.max(at)));
        for run in &mut self.runs {
            run.covers &= run.start.is_some_and(|start| start > at);
        }
        self.first_start = self.first_start.filter(|(start, _)| *start > at);
        self.count_due();
        if good {
            self.failures = 0;
            self.runs.iter_mut().for_each(|run| run.counted = false);
            self.resolve(at, "ping");
        } else {
            self.failures += u32::from(!counted);
            self.down(Cause::Failed, exit_code, at);
        }
    }

    fn anchor(&self) -> Ms {
        self.last_finish.map_or(self.counted_from, |finish| finish.max(self.counted_from))
    }

    pub(crate) fn pause(&mut self, at: Ms, until: Option<Ms>) {
        if !self.paused {
            self.paused = true;
            self.paused_until = until;
            self.up_again = false;
            self.abandon_all();
            self.resolve(at, "paused");
            (self.due, self.before_step) = (None, None);
        }
    }

    pub(crate) fn resume(&mut self, at: Ms) {
        if self.paused {
            self.paused = false;
            self.paused_until = None;
            self.counted_from = self.counted_from.max(at);
            self.count_due_from(self.counted_from);
        }
    }

    /// The heartbeat leaves the config.
    pub(crate) fn remove(&mut self, at: Ms) {
        if !self.removed {
            self.removed = true;
            self.up_again |= self.incident().is_some();
            self.abandon_all();
            self.resolve(at, "removed");
            (self.due, self.before_step) = (None, None);
        }
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.removed
    }

    /// The config declares it so, after it had left or while it lives.
    pub(crate) fn declare(&mut self, rules: Rules, at: Ms) {
        let before = std::mem::replace(&mut self.rules, rules);
        if std::mem::take(&mut self.removed) {
            self.counted_from = at;
            self.count_due_from(at);
        } else {
            self.edit(&before, at);
        }
        if rules.paused && !before.paused {
            self.pause(at, None);
        } else if !rules.paused && before.paused {
            self.resume(at);
        }
    }

    /// What an edit puts into the past counts from the edit.
    fn edit(&mut self, before: &Rules, at: Ms) {
        let rules = self.rules;
        if rules.max_runtime != before.max_runtime {
            let end = |start: Ms| {
                let end = start + rules.max_runtime;
                if end > at { end } else { at + rules.max_runtime }
            };
            for run in self.runs.iter_mut().filter(|run| run.outcome.is_none()) {
                run.end_by = run.start.map_or(at, end);
            }
            self.first_start = self.first_start.map(|(start, _)| (start, end(start)));
        }
        if rules.remind_every != before.remind_every
            && let Some(incident) = self.incidents.last_mut().filter(|i| i.resolved.is_none())
        {
            incident.remind_at = rules.remind_every.map(|every| at + every);
        }
        let waits = self.paused || rules.await_first_ping && !self.seen;
        if waits || rules.timing != before.timing || self.due.is_none() {
            self.count_due();
            if self.due.is_some_and(|due| due <= at) {
                self.count_due_from(at);
            }
        } else if (rules.grace != before.grace || rules.max_runtime != before.max_runtime)
            && self.schedule_deadline().is_some_and(|deadline| deadline <= at)
        {
            self.count_due_from(at);
        }
    }
}
