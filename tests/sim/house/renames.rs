//! Heartbeats that get another slug in the config under the same UUID: history, URL and incident go along, and nobody's
//! ping is refused meanwhile.

use overdue::machine::beat::Beat;
use overdue::machine::record::{Move, Record};
use overdue::machine::state::State;
use overdue::model::id::Slug;

use crate::house::life::Living;
use crate::house::made::MADE;
use crate::house::witness::{Witness, beat_of};
use crate::house::{House, JOBS};
use crate::world::{slug_of, uuid_of};

impl House {
    /// Somebody gives a heartbeat another slug; if another heartbeat has that, they change names.
    pub(crate) async fn rename(&mut self, living: &Living) {
        let job = self.chance.below(JOBS as u32) as usize;
        let number = self.chance.below(2 * JOBS as u32) as usize;
        let name = if number < JOBS { slug_of(number) } else { slug_of(10 + number) };
        let holder = self.config.names.iter().position(|taken| *taken == name);
        let declared = |job: usize| self.config.duties[job].is_some();
        if holder == Some(job) || !declared(job) || !holder.is_none_or(declared) {
            // Who left is kept under the slug that it had.
            return;
        }
        self.told.saw("heartbeats renamed");
        if beat_of(self.told.lock().shadow.state(), job).is_some_and(|beat| beat.incident.is_some()) {
            self.told.saw("renames with an incident open");
        }
        let old = std::mem::replace(&mut self.config.names[job], name);
        if let Some(holder) = holder {
            self.told.saw("heartbeats that changed names");
            self.config.names[holder] = old;
        }
        self.reload(living).await;
    }

    /// Each heartbeat has the name and the URL that the config in force has for it.
    pub(crate) async fn names_hold(&self, living: &Living) {
        let jobs = (0..JOBS).filter(|job| self.config.duties[*job].is_some());
        let expected: Vec<_> = jobs.map(|job| (self.config.names[job].clone(), Some(uuid_of(job)))).collect();
        let names: Vec<_> = expected.iter().map(|(name, _)| name.clone()).collect();
        let asked = living.handle.ask(move |view| {
            let found = names.iter().filter_map(|name| view.heartbeat(name.as_str()));
            found.map(|heartbeat| (heartbeat.slug, heartbeat.uuid)).collect::<Vec<_>>()
        });
        if let Some(Ok(found)) = living.process.while_alive(asked).await {
            assert_eq!(found, expected, "the config has other names");
        }
    }
}

impl Witness {
    /// The heartbeats, and whose they are, of which a record says that they move or go.
    pub(crate) fn about_to_move(&self, record: &Record) -> Vec<(usize, Beat)> {
        let of = |slug: &Slug| {
            let job = self.job_of(slug.as_str());
            (job, gone_along(self.shadow.state(), job))
        };
        match record {
            Record::Renamed { moves, .. } => {
                let there = |slug: &&Slug| self.shadow.state().find(slug.as_str()).is_some();
                let (from, to) = (moves.iter().map(|m| &m.from), moves.iter().map(|m| &m.to));
                from.map(of).chain(to.filter(there).map(of)).collect()
            }
            Record::Forgotten { slug, .. } => vec![of(slug)],
            _ => Vec::new(),
        }
    }

    /// What moved is as it was, but for its name, which is the one that the config has for it.
    pub(crate) fn audit_renamed(&mut self, moves: &[Move], before: &[(usize, Beat)]) {
        for ((job, was), Move { to, .. }) in before.iter().zip(moves) {
            assert_eq!(self.job_of(to.as_str()), *job, "another has that name");
            let mut is = gone_along(self.shadow.state(), *job);
            (is.heartbeat, is.updated_at) = (was.heartbeat.clone(), was.updated_at);
            assert_eq!(is, *was, "job {job} is another under its new name");
            assert_eq!(self.names[*job], *to, "job {job} has a name that nobody gave it");
        }
        for (job, _) in &before[moves.len()..] {
            if beat_of(self.shadow.state(), *job).is_none() {
                // Another has the slug under which it was kept.
                assert!(
                    self.declared[*job].last().is_some_and(|(_, duty)| duty.is_none()),
                    "job {job} made way"
                );
                self.forget_pings(*job);
            }
        }
    }

    /// Whose heartbeat is known by this slug, unless that may just change.
    pub(crate) fn named(&self, slug: Option<&Slug>) -> Option<usize> {
        let known = slug.filter(|_| self.in_force.is_some())?;
        let made = (*known == slug_of(MADE)).then_some(MADE);
        made.or_else(|| self.names.iter().position(|name| name == known))
    }

    /// Nothing is left of what a job has sent.
    pub(crate) fn forget_pings(&mut self, job: usize) {
        for sent in self.pings.iter_mut().filter(|sent| sent.job == job) {
            (sent.seq, sent.answered) = (None, false);
        }
    }
}

/// The heartbeat of a job, with all steps of the wall clock worked in.
fn gone_along(state: &State, job: usize) -> Beat {
    let mut state = state.clone();
    state.go_along();
    beat_of(&state, job).expect("it is there").clone()
}
