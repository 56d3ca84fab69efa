//! What must hold after every step: the machine says what the model says, the journal says what the machine
//! says, and no sleep is longer than the way to the next thing that passes.

use overdue::machine::beat::Beat;
use overdue::model::incident::{Cause as Why, Incident as Real, Reason};
use overdue::model::run::Outcome as End;
use overdue::model::time::Span;

use crate::disk::assert_same;
use crate::model::{Cause, Incident, Model, Outcome};
use crate::rules::Ms;
use crate::world::{EPOCH, World, at, ms, slug_of};

type Ended = (Option<u8>, Option<Ms>, Outcome, Option<Ms>, Option<u8>);
type Told = (Cause, Ms, Option<u8>, Option<(Ms, &'static str)>);

impl World {
    /// Machine and model agree.
    pub(crate) fn check(&self) {
        let mut next: Option<Ms> = None;
        for (number, model) in self.models.iter().enumerate() {
            let Some(model) = model else { continue };
            self.check_one(number, model);
            if self.hearing {
                next = [next, model.next_passing()].into_iter().flatten().min();
            }
        }
        if let Some(next) = next {
            let wake = self.machine.next_wakeup().map(ms);
            assert!(wake.is_some_and(|wake| wake <= next), "sleeps till {wake:?}, past {next}");
        }
    }

    /// Machine and model agree on one heartbeat.
    pub(crate) fn check_job(&self, number: usize) {
        if let Some(model) = &self.models[number] {
            self.check_one(number, model);
        }
    }

    fn check_one(&self, number: usize, model: &Model) {
        let state = self.machine.state();
        let place = state.find(slug_of(number).as_str()).expect("it was declared");
        let beat = state.beats.at(place).expect("it was declared");
        assert_eq!(beat.removed_at.is_some(), model.is_removed(), "job {number}: is it there");
        if !model.is_removed() {
            assert_eq!(beat.status(at(self.now)).word(), model.status(), "job {number}: status");
            let shown = self.machine.view(at(self.now)).heartbeat(slug_of(number).as_str());
            let deadline = shown.and_then(|shown| shown.next_deadline_at).map(ms);
            assert_eq!(deadline, model.next_deadline(), "job {number}: deadline");
        }
        assert_eq!(beat.due.map(ms), model.due, "job {number}: due");
        assert_eq!(beat.consecutive_failures, model.failures, "job {number}: failures");
        let open: Vec<_> =
            beat.open_runs.iter().map(|run| (rid(run.rid), Some(ms(run.started_at)))).collect();
        let expected: Vec<_> = model.open_runs().map(|run| (run.rid, run.start)).collect();
        assert_eq!(open, expected, "job {number}: open runs");
        assert_eq!(ended(beat), ended_in_model(model, ended(beat).len()), "job {number}: ended runs");
        let mut incidents: Vec<&Incident> = model.incidents.iter().collect();
        incidents.drain(..incidents.len().saturating_sub(told(beat).len()));
        let expected: Vec<Told> =
            incidents.into_iter().map(|i| (i.cause, i.opened, i.exit_code, i.resolved)).collect();
        assert_eq!(told(beat), expected, "job {number}: incidents");
        assert_eq!(self.alerts[number], model.alerts, "job {number}: alerts");
    }

    /// The journal, read again from its text, says what the machine says; so does the core of a snapshot.
    pub(crate) fn check_replay(&self, through_text: bool) {
        let state = if through_text { self.replayed_from_text() } else { self.replayed() };
        assert_same(&state, self.machine.state());
    }

    fn replayed_from_text(&self) -> overdue::machine::state::State {
        let mut state = overdue::machine::state::State::default();
        for record in &self.records {
            let line = serde_json::to_string(record).expect("records can be written");
            let read = serde_json::from_str(&line).expect("what was written can be read");
            assert_eq!(**record, read);
            state.apply(&read);
        }
        state
    }
}

fn rid(rid: Option<uuid::Uuid>) -> Option<u8> {
    rid.map(|rid| rid.as_u128() as u8)
}

fn ended(beat: &Beat) -> Vec<Ended> {
    let runs = beat.history.iter().flat_map(|history| &history.runs);
    runs.map(|run| {
        let outcome = match run.outcome {
            End::Success => Outcome::Success,
            End::Failure => Outcome::Failure,
            End::Overran => Outcome::Overran,
            End::Abandoned => Outcome::Abandoned,
        };
        let duration = run.duration.map(Span::as_millis);
        (rid(run.rid), run.started_at.map(ms), outcome, duration, run.exit_code)
    })
    .collect()
}

/// The newest `keep` that ended, in their order.
fn ended_in_model(model: &Model, keep: usize) -> Vec<Ended> {
    let mut runs: Vec<_> = model.runs.iter().filter(|run| run.outcome.is_some()).collect();
    runs.sort_by_key(|run| run.ended);
    runs.drain(..runs.len().saturating_sub(keep.max(1)));
    let ended = |run: &&crate::model::Run| {
        (run.rid, run.start, run.outcome.expect("it ended"), run.duration, run.exit_code)
    };
    runs.iter().map(ended).collect()
}

fn told(beat: &Beat) -> Vec<Told> {
    let tell = |incident: &Real| {
        let cause = match incident.cause {
            Why::Missed => Cause::Missed,
            Why::Failed => Cause::Failed,
            Why::Overran => Cause::Overran,
        };
        let reason = incident.reason.map(|reason| match reason {
            Reason::Ping => "ping",
            Reason::Paused => "paused",
            Reason::Removed => "removed",
        });
        let resolved = incident.resolved_at.map(ms).zip(reason);
        (cause, incident.opened_at.as_millis() - EPOCH, incident.exit_code, resolved)
    };
    let past = beat.history.iter().flat_map(|history| &history.incidents).map(|incident| tell(incident));
    past.chain(beat.incident.iter().map(|incident| tell(incident))).collect()
}
