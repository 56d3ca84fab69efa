//! What passes with time: a run's end, a period's deadline, a reminder, the end of a pause, the memory of
//! a heartbeat that left. And the timer that waits for the first of them.

use crate::machine::beat::{Beat, Standing};
use crate::machine::blind::{Keeps, SETTLE_MAX};
use crate::machine::incident::Blow;
use crate::machine::record::Record;
use crate::machine::{Machine, TURN, Transition};
use crate::model::id::RunId;
use crate::model::incident::Cause;
use crate::model::time::{Span, Timestamp};

/// Steps that one heartbeat may take in one turn, so that a long silence of a short interval does not
/// hold the loop; the rest follows in the next turn.
const STEPS: usize = 100;

/// Missed periods that one step tells together, and after which a turn ends: they cost about 50 ns each.
const PERIODS: u32 = 10_000;

/// What passes. In the order in which it is worked off when the instants are the same: a run that
/// overran says more than the period that it was to fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Passing {
    Overrun(RunId),
    Missed,
    Reminder,
    PauseOver,
    Forget,
}

impl Machine {
    /// Works off what has passed, for at most a turn's number of heartbeats.
    pub(super) fn pass_deadlines(&mut self, now: Timestamp, out: &mut Transition) {
        if !self.hearing {
            return;
        }
        let mut periods = 0;
        let steady = self.state.core.hearing.steady(now);
        for _ in 0..TURN {
            let Some(place) = self.wheel.pop_due(steady) else { break };
            periods += self.pass(place, now, now, out);
            self.rearm(place);
            if periods >= PERIODS {
                break;
            }
        }
    }

    /// Works off what has passed of one heartbeat at `until`. Says how many periods were missed in it.
    pub(super) fn pass(&mut self, place: u32, until: Timestamp, now: Timestamp, out: &mut Transition) -> u32 {
        let mut periods = 0;
        self.go_along(place, now, out);
        if !self.hearing {
            return periods;
        }
        let mut before = Timestamp::MIN;
        for _ in 0..STEPS {
            if periods >= PERIODS {
                break;
            }
            let Some(beat) = self.beat(place) else { break };
            let Some((at, what)) = self.next_passing(beat) else { break };
            if at > until || self.is_awaited(place, at) {
                break;
            }
            // A run that overran no longer puts its period's deadline off: that passes now, not back then.
            let at = at.max(before);
            before = at;
            let slug = beat.heartbeat.slug.clone();
            let mut blow = Blow {
                cause: Cause::Missed,
                at,
                run: None,
                exit_code: None,
                due: beat.due,
                unheard_from: beat.due,
                since: beat.unheard_since(),
                status_before: beat.status(at - Span::from_millis(1)),
            };
            match what {
                Passing::Overrun(run) => {
                    (blow.cause, blow.run, blow.due) = (Cause::Overran, Some(run), None);
                    blow.unheard_from =
                        beat.open_runs.iter().find(|open| open.id == run).map(|open| open.started_at);
                    self.commit(Record::RunOverran { at, slug, run }, out);
                    self.open(place, &blow, now, out);
                }
                Passing::Missed => periods += self.missed(place, &blow, until, now, out),
                Passing::Reminder => self.remind(place, at, now, out),
                Passing::PauseOver => self.resume(place, at, out),
                Passing::Forget => self.commit(Record::Forgotten { at: now, slug }, out),
            }
        }
        periods
    }

    /// Sets the heartbeat's timer to the first thing that passes. While a ping is on its way that was
    /// heard before it, there is no timer: the ping's arrival sets it again.
    pub(super) fn rearm(&mut self, place: u32) {
        let hearing = &self.state.core.hearing;
        let beat = self.beat(place).map(|beat| beat.gone_along(hearing.stepped()));
        match beat.and_then(|beat| self.next_passing(&beat)) {
            Some((at, _)) if !self.is_awaited(place, at) => self.wheel.arm(place, hearing.steady(at)),
            _ => self.wheel.disarm(place),
        }
    }

    /// The instant at which the schedule's deadline fires: put off by runs, moved by blind windows.
    pub(super) fn schedule_fires_at(&self, beat: &Beat) -> Option<Timestamp> {
        let due = beat.due?;
        let deadline = beat.schedule_deadline(due);
        let keeps = if beat.heartbeat.timing.interval().is_some() { Keeps::Distance } else { Keeps::Place };
        Some(self.state.core.hearing.fires_at(deadline, self.settling_time(beat, due), keeps))
    }

    /// The instant at which the first open run overruns.
    pub(super) fn run_fires_at(&self, beat: &Beat) -> Option<(Timestamp, RunId)> {
        let settle = beat.heartbeat.max_runtime;
        let fires_at = |deadline| self.state.core.hearing.fires_at(deadline, settle, Keeps::Distance);
        // Of several at one instant the oldest, so that the newest of those that overran is the last.
        beat.open_runs.iter().map(|run| (fires_at(run.deadline), run.id)).min_by_key(|(at, _)| *at)
    }

    /// The settling time of a schedule's deadline: min(5 minutes, P + grace).
    fn settling_time(&self, beat: &Beat, due: Timestamp) -> Span {
        if beat.heartbeat.grace >= SETTLE_MAX {
            return SETTLE_MAX;
        }
        let period = self.next_after(&beat.heartbeat, due).map_or(SETTLE_MAX, |next| next.since(due));
        period.plus(beat.heartbeat.grace).min(SETTLE_MAX)
    }

    fn next_passing(&self, beat: &Beat) -> Option<(Timestamp, Passing)> {
        if let Some(removed_at) = beat.removed_at {
            return Some((removed_at + self.state.core.settings.keep_removed, Passing::Forget));
        }
        if beat.standing == Standing::Paused {
            return beat.paused_until.map(|until| (until, Passing::PauseOver));
        }
        let remind_at = beat.incident.as_ref().and_then(|incident| incident.remind_at);
        [
            self.run_fires_at(beat).map(|(at, run)| (at, Passing::Overrun(run))),
            self.schedule_fires_at(beat).map(|at| (at, Passing::Missed)),
            remind_at.map(|at| (at, Passing::Reminder)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn is_awaited(&self, place: u32, at: Timestamp) -> bool {
        self.waiting.earliest(place).is_some_and(|heard| heard < at)
    }

    /// A period's deadline passed, and perhaps those of further periods.
    fn missed(
        &mut self,
        place: u32,
        blow: &Blow,
        until: Timestamp,
        now: Timestamp,
        out: &mut Transition,
    ) -> u32 {
        let Some(beat) = self.beat(place) else { return 0 };
        let slug = beat.heartbeat.slug.clone();
        let was_down = beat.standing == Standing::Down;
        let mut probe = beat.clone_for_schedule();
        let (mut at, mut periods) = (blow.at, 0_u32);
        // The period that opens the incident stands alone; later ones are told together.
        loop {
            periods += 1;
            probe.due = probe.due.and_then(|due| self.next_after(&probe.heartbeat, due));
            let Some(next) = self.schedule_fires_at(&probe) else { break };
            if !was_down || periods >= PERIODS || next > until || self.is_awaited(place, next) {
                break;
            }
            at = at.max(next);
        }
        self.commit(Record::PeriodsMissed { at, slug, periods, due: probe.due }, out);
        self.open(place, blow, now, out);
        periods
    }
}

impl Beat {
    /// Just what the schedule's deadline depends on.
    pub(super) fn clone_for_schedule(&self) -> Self {
        let mut probe = Self::new(self.heartbeat.clone(), self.source, self.created_at);
        probe.stepped = self.stepped;
        probe.due = self.due;
        probe.cover_until = self.cover_until;
        probe.last_finish = self.last_finish;
        probe.open_runs.clone_from(&self.open_runs);
        probe
    }
}
