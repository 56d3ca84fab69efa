//! When silence must have been noticed at the latest, by what was sent, declared and answered alone. It knows when the
//! daemon was well: it hears, its disk works, and its loop has turned since. A deadline that something hid (a death, a
//! stall, a sleep) may move, but no further than the settling time after that.
//!
//! Not asked where nobody outside can know it: of a job that may be paused, that never finished, or whose clock was set
//! while the machine was started anew.

use std::collections::BTreeSet;
use std::ops::Range;

use overdue::machine::beat::Standing;
use overdue::model::ping::PingKind;

use crate::house::duty::{DAY, Duty, Every, HOUR, MINUTE, SECOND};
use crate::house::witness::{Sent, Witness, beat_of};
use crate::rules::Ms;

/// The longest settling time.
const SETTLE_MAX: Ms = 5 * MINUTE;
/// How long it may take until a daemon in a house looks at its clocks.
const LOOKS_WITHIN: Ms = 3 * HOUR;
/// How long a busy disk keeps a decision from being seen.
pub(crate) const SEEN_WITHIN: Ms = 30 * SECOND;

#[derive(Debug)]
pub(crate) struct Silences {
    /// Since when the daemon has been well; nothing while it is not.
    well_since: Option<Ms>,
    /// When it was well last.
    well_at: Option<Ms>,
    /// Until then what was wrong may still have its consequences.
    unwell_until: Ms,
    /// When what is expected of each job changed last.
    changed_at: Vec<Ms>,
    /// Jobs of which a reload that was not answered yet may change something.
    changing: BTreeSet<usize>,
    /// Jobs that somebody paused, and did not resume since, as far as was answered.
    paused: BTreeSet<usize>,
}

impl Silences {
    pub(crate) fn new(jobs: usize) -> Self {
        Self {
            well_since: None,
            well_at: None,
            unwell_until: 0,
            changed_at: vec![0; jobs],
            changing: BTreeSet::new(),
            paused: BTreeSet::new(),
        }
    }

    /// It hears, and nothing is wrong that anybody knows of.
    pub(crate) fn is_well(&mut self, now: Ms) {
        if now >= self.unwell_until {
            self.well_since.get_or_insert(now);
            self.well_at = Some(now);
        }
    }

    pub(crate) fn is_unwell(&mut self, until: Ms) {
        self.well_since = None;
        self.unwell_until = self.unwell_until.max(until);
    }

    /// Something else is expected of a job, as soon as that is in force.
    pub(crate) fn changes(&mut self, job: usize) {
        self.changing.insert(job);
    }

    /// All that was declared of these jobs is in force.
    pub(crate) fn changed(&mut self, jobs: Range<usize>, now: Ms) {
        for job in jobs {
            if self.changing.remove(&job) {
                self.changed_at[job] = now;
            }
        }
    }

    /// Whether what is declared of a job has been in force since before that instant.
    pub(crate) fn is_settled_since(&self, job: usize, real: Ms) -> bool {
        !self.changing.contains(&job) && self.changed_at[job] < real
    }

    /// Somebody wants a job to be paused or resumed; `resumed` once it was answered that it is.
    pub(crate) fn presses(&mut self, job: usize, resumed: bool, now: Ms) {
        self.changed_at[job] = now;
        if resumed {
            self.paused.remove(&job);
        } else {
            self.paused.insert(job);
        }
    }

    /// Something was forgotten by a death: the next reload may declare all anew.
    pub(crate) fn forgets(&mut self) {
        self.changing = (0..self.changed_at.len()).collect();
    }

    /// Answers may be forgotten: whoever was paused at any time may be so now.
    pub(crate) fn doubt(&mut self, ever_paused: &BTreeSet<usize>) {
        self.forgets();
        self.paused.extend(ever_paused);
    }

    /// When what is declared of a job came into force, if that is known.
    pub(crate) fn in_force_since(&self, job: usize) -> Option<Ms> {
        (!self.changing.contains(&job)).then(|| self.changed_at[job])
    }

    /// A life is over: when was it well last, if it ever was?
    pub(crate) fn life_ends(&mut self) -> Option<Ms> {
        self.well_at.take()
    }

    pub(crate) fn well_since(&self) -> Option<Ms> {
        self.well_since
    }
}

impl Witness {
    /// When an incident of a job must be open at the latest if nothing more is heard of it.
    fn is_down_by(&self, job: usize) -> Option<Ms> {
        let well_since = self.silences.well_since?;
        if self.silences.changing.contains(&job) || self.silences.paused.contains(&job) {
            return None;
        }
        let duty = self.declared[job].last()?.1.filter(|duty| !duty.paused)?;
        let own = || self.pings.iter().rev().filter(|sent| sent.job == job);
        let finish = own().find(|sent| sent.seq.is_some() && sent.kind.finish().is_some())?;
        if self.steps.iter().any(|set| !set.known && set.real >= finish.real) {
            return None;
        }
        if duty.await_first_ping && self.may_be_paused(job) && finish.real <= self.silences.changed_at[job] {
            // It may have been heard in a pause, and then it is no first ping.
            return None;
        }
        // Whatever was sent since may count, answered or not.
        let last_sent = own().next().map_or(0, |sent| sent.real);
        let mut counts_from = last_sent.max(self.silences.changed_at[job]);
        if let (Every::Day(..), Some(step)) = (duty.every, self.steps.last()) {
            // A calendar keeps its place on the wall clock, as far as the daemon has looked at that.
            counts_from = counts_from.max(step.real + LOOKS_WITHIN);
        }
        let started = |sent: &Sent| sent.kind == PingKind::Start;
        let runs = own().take_while(|sent| sent.real >= finish.real).any(started);
        let limit = counts_from + period(&duty) + duty.grace + if runs { duty.max_runtime } else { 0 };
        Some(limit.max(well_since + SETTLE_MAX) + SEEN_WITHIN)
    }

    /// A look while it lives: whoever has been silent for too long is down.
    pub(crate) fn look_for_silences(&self, now: Ms) {
        for job in 0..self.declared.len() {
            let Some(limit) = self.is_down_by(job).filter(|limit| *limit < now) else { continue };
            let standing = beat_of(self.shadow.state(), job).expect("it has finished").standing;
            assert_eq!(standing, Standing::Down, "job {job} should be down since {limit}, and it is {now}");
        }
    }

    /// A silence was noticed: in time?
    pub(crate) fn audit_lateness(&mut self, job: usize, now: Ms) {
        if let Some(limit) = self.is_down_by(job) {
            assert!(now <= limit, "job {job} is down at {now} only, {} ms late", now - limit);
            self.seen.saw("silences noticed in time");
        }
    }
}

/// The longest way from a finish to the next due. One that comes a minute early counts for that day.
fn period(duty: &Duty) -> Ms {
    match duty.every {
        Every::Span(every) => every,
        Every::Day(..) => DAY + MINUTE,
    }
}
