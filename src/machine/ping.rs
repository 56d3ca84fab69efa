//! What a ping does: which run it opens or ends, when the next is due, whether an incident begins or ends.

use uuid::Uuid;

use crate::machine::beat::{Beat, Standing};
use crate::machine::event::Reply;
use crate::machine::incident::Blow;
use crate::machine::record::{PingEffect, Pinged, Record};
use crate::machine::{Machine, Transition};
use crate::model::id::RunId;
use crate::model::incident::{Cause, Reason};
use crate::model::ping::{Ping, PingKind};
use crate::model::run::{OpenRun, Outcome};
use crate::model::time::Timestamp;

/// Open runs of a heartbeat at the most; one more abandons the oldest.
const OPEN_RUNS_MAX: usize = 100;

impl Machine {
    pub(super) fn ping(&mut self, ping: &Ping, now: Timestamp, out: &mut Transition) -> Reply {
        let Some(place) = self.state.find_living(&ping.target) else { return Reply::Unknown };
        // What passed before this ping was heard, passed.
        self.pass(place, ping.at.min(now), now, out);
        let Some(beat) = self.beat(place) else { return Reply::Unknown };
        let heartbeat = beat.heartbeat.clone();
        let (status_before, since) = (beat.status(ping.at), beat.unheard_since());

        let does_something = ping.kind != PingKind::Log;
        let allowed = heartbeat.methods.contains(ping.method);
        if allowed && does_something && heartbeat.resume_on_ping && beat.standing == Standing::Paused {
            self.resume(place, ping.at, out);
        }
        let Some(beat) = self.beat(place) else { return Reply::Unknown };
        let effect = if !allowed || beat.standing == Standing::Paused {
            PingEffect::Ignored
        } else {
            match ping.kind.finish() {
                Some(good) => self.finish_effect(place, ping, good),
                None if does_something => self.start_effect(place, ping),
                None => PingEffect::Logged,
            }
        };
        let finished = match &effect {
            PingEffect::Finished { run, .. } => Some(*run),
            PingEffect::Ignored | PingEffect::Logged | PingEffect::Started { .. } => None,
        };
        let pinged = Pinged {
            at: ping.at,
            slug: heartbeat.slug.clone(),
            kind: ping.kind,
            rid: ping.rid,
            method: ping.method,
            from: ping.from,
            body: ping.body.clone(),
            effect,
        };
        self.commit(Record::Pinged(Box::new(pinged)), out);
        match (finished, ping.kind.finish()) {
            (Some(run), Some(true)) => {
                self.resolve(place, Reason::Ping, Some(run), ping.at, now, out);
            }
            (Some(run), Some(false)) => {
                let blow = Blow {
                    cause: Cause::Failed,
                    at: ping.at,
                    run: Some(run),
                    exit_code: ping.kind.exit_code(),
                    due: None,
                    unheard_from: None,
                    since,
                    status_before,
                };
                self.open(place, &blow, now, out);
            }
            _ => {}
        }
        self.rearm(place);
        Reply::Taken
    }

    fn start_effect(&mut self, place: u32, ping: &Ping) -> PingEffect {
        let id = RunId(self.fresh_id());
        let beat = self.beat(place).expect("the caller has just seen it");
        let heartbeat = &beat.heartbeat;
        let mut abandoned: Vec<RunId> =
            beat.open_runs.iter().filter(|run| run.rid == ping.rid).map(|run| run.id).collect();
        if abandoned.is_empty() && beat.open_runs.len() >= OPEN_RUNS_MAX {
            abandoned.extend(beat.open_runs.first().map(|run| run.id));
        }
        let run =
            OpenRun { id, rid: ping.rid, started_at: ping.at, deadline: ping.at + heartbeat.max_runtime };
        let after_last_finish = beat.last_finish.is_none_or(|finish| ping.at >= finish);
        let cover_until = match beat.first_start {
            None if after_last_finish => Some(ping.at + heartbeat.max_runtime),
            _ => beat.cover_until,
        };
        let due = if beat.due.is_none() && !beat.seen { self.next_after(heartbeat, ping.at) } else { None };
        PingEffect::Started { run, abandoned, due, cover_until }
    }

    fn finish_effect(&mut self, place: u32, ping: &Ping, good: bool) -> PingEffect {
        let lone = RunId(self.fresh_id());
        let beat = self.beat(place).expect("the caller has just seen it");
        let finish = beat.last_finish.max(Some(ping.at));
        let due = self.due_after(&beat.heartbeat, finish, beat.counted_from);
        let said = if good { Outcome::Success } else { Outcome::Failure };
        let duration_since = |start: Timestamp| Some(ping.at.since(start));
        match ended_run(beat, ping.rid) {
            Ended::Open(run) => PingEffect::Finished {
                run: run.id,
                outcome: said,
                duration: duration_since(run.started_at),
                due,
            },
            Ended::Overran(run, started_at) => PingEffect::Finished {
                run,
                outcome: Outcome::Overran,
                duration: started_at.and_then(duration_since),
                due,
            },
            Ended::Lone => PingEffect::Finished { run: lone, outcome: said, duration: None, due },
        }
    }
}

/// Which run a finish ends.
enum Ended<'a> {
    Open(&'a OpenRun),
    Overran(RunId, Option<Timestamp>),
    Lone,
}

fn ended_run(beat: &Beat, rid: Option<Uuid>) -> Ended<'_> {
    let open = |rid: Option<Uuid>| beat.open_runs.iter().find(|run| run.rid == rid);
    let overran = |wanted: Option<Uuid>| {
        let runs = beat.history.as_ref().map(|history| &history.runs);
        runs.into_iter()
            .flatten()
            .rev()
            .find(|run| {
                run.outcome == Outcome::Overran && !run.finished && (wanted.is_none() || run.rid == wanted)
            })
            .map(|run| Ended::Overran(run.id, run.started_at))
    };
    let found = if rid.is_some() {
        open(rid).map(Ended::Open).or_else(|| overran(rid)).or_else(|| open(None).map(Ended::Open))
    } else {
        open(None).or(beat.open_runs.first()).map(Ended::Open).or_else(|| overran(None))
    };
    found.unwrap_or(Ended::Lone)
}
