//! What records make true of runs: they open, end well or badly, overrun, are abandoned.

use crate::machine::apply::note;
use crate::machine::beat::{Beat, History, Standing};
use crate::machine::record::Pinged;
use crate::model::id::RunId;
use crate::model::incident::Happening;
use crate::model::run::{OpenRun, Outcome, Run};
use crate::model::time::{Span, Timestamp};

/// A run opened.
pub(super) fn started(beat: &mut Beat, run: &OpenRun) {
    if beat.standing == Standing::New {
        beat.standing = Standing::Up;
    }
    beat.seen = true;
    if beat.first_start.is_none() && beat.last_finish.is_none_or(|finish| run.started_at >= finish) {
        beat.first_start = Some(run.started_at);
    }
    note(beat, run.started_at, Happening::Started);
    beat.open_runs.push(run.clone());
}

/// A run ended by its finish, or its late finish came.
pub(super) fn finished(
    beat: &mut Beat,
    pinged: &Pinged,
    id: RunId,
    outcome: Outcome,
    duration: Option<Span>,
    ends_period: bool,
    keep: usize,
) {
    let (at, exit_code) = (pinged.at, pinged.kind.exit_code());
    let good = pinged.kind.finish() == Some(true);
    beat.seen = true;
    beat.last_finish = beat.last_finish.max(Some(at));
    if beat.first_start.is_some_and(|start| start <= at) {
        (beat.first_start, beat.cover_until) = (None, None);
    }
    beat.last_exit_code = exit_code.or(beat.last_exit_code);
    beat.last_duration = duration.or(beat.last_duration);
    let open = beat.open_runs.iter().position(|run| run.id == id).map(|i| beat.open_runs.remove(i));
    let (last_success, ping) = (beat.last_success, Some(beat.pings_total));
    let history = beat.history_mut();
    // One run counts once: as it overran, unless a success has wiped that since.
    let mut counted = false;
    if let Some(overran) = history.runs.iter_mut().rev().find(|run| run.id == id) {
        counted = overran.outcome == Outcome::Overran
            && last_success.is_none_or(|success| success < overran.ended_at);
        (overran.duration, overran.exit_code, overran.finished) = (duration, exit_code, true);
        overran.ping = ping;
        history.days.ended_late(at, duration);
    } else {
        let rid = open.as_ref().map_or(pinged.rid, |run| run.rid);
        let started_at = open.map(|run| run.started_at);
        let finish =
            Run { id, rid, started_at, ended_at: at, duration, exit_code, outcome, finished: true, ping };
        push_run(history, finish, keep);
        history.days.finished(at, good, ends_period);
    }
    if good {
        beat.last_success = beat.last_success.max(Some(at));
        beat.consecutive_failures = 0;
        beat.standing = Standing::Up;
    } else {
        beat.consecutive_failures = beat.consecutive_failures.saturating_add(u32::from(!counted));
        if beat.standing == Standing::New {
            beat.standing = Standing::Up;
        }
        note(beat, at, Happening::Failed { exit_code });
    }
}

/// Ends open runs without a finish.
pub(super) fn end_runs(
    beat: &mut Beat,
    at: Timestamp,
    outcome: Outcome,
    keep: usize,
    which: impl Fn(&OpenRun) -> bool,
) {
    let (ended, open): (Vec<OpenRun>, Vec<OpenRun>) = beat.open_runs.drain(..).partition(which);
    beat.open_runs = open;
    for OpenRun { id, rid, started_at, .. } in ended {
        let run = Run {
            id,
            rid,
            started_at: Some(started_at),
            ended_at: at,
            duration: None,
            exit_code: None,
            outcome,
            finished: false,
            ping: None,
        };
        push_run(beat.history_mut(), run, keep);
    }
}

fn push_run(history: &mut History, run: Run, keep: usize) {
    history.days.ended(run.ended_at, run.outcome, run.duration);
    history.ended.count(run.outcome);
    history.runs.push_back(run);
    while history.runs.len() > keep.max(1) {
        history.runs.pop_front();
    }
}
