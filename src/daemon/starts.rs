//! A start is a reload too: a config that was cut short while the daemon was away must not remove
//! everything. What it lacks goes on as it was, until somebody confirms.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use crate::config::problem::{Place, Problem};
use crate::config::{Config, Declared};
use crate::machine::state::State;
use crate::model::heartbeat::{Declaration, Draft, Source};
use crate::model::id::Slug;
use crate::watch::{Transcript, held_back};

/// Puts the heartbeats that the config lacks back into it, if they are so many that it is more likely an
/// accident, and says so.
pub(super) fn hold_back(config: &mut Config, state: &State, transcript: &Transcript) -> Option<Problem> {
    let (lacking, total) = lacking(config, state);
    let problem = held_back(transcript, lacking.len(), total)?;
    tracing::error!("{problem}");
    let place = Place { file: problem.file.clone(), line: problem.line, column: problem.column };
    config.heartbeats.extend(lacking.iter().map(|heartbeat| Declared {
        slug: heartbeat.slug.clone(),
        draft: Draft::of(heartbeat),
        place: place.clone(),
    }));
    config.heartbeats.sort_by(|a, b| a.slug.cmp(&b.slug));
    Some(problem)
}

/// The heartbeats that a config declared before and this one does not, and how many it declared.
fn lacking(config: &Config, state: &State) -> (Vec<Arc<Declaration>>, usize) {
    let slugs: BTreeSet<&Slug> = config.heartbeats.iter().map(|one| &one.slug).collect();
    let uuids: BTreeSet<Uuid> = config.heartbeats.iter().filter_map(|one| one.draft.uuid).collect();
    let declared = state.living_after(None).filter(|beat| beat.source == Source::Config);
    let declared: Vec<&Arc<Declaration>> = declared.map(|beat| &beat.heartbeat).collect();
    let lacks =
        |heartbeat: &&&Arc<Declaration>| !slugs.contains(&heartbeat.slug) && !uuids.contains(&heartbeat.uuid);
    (declared.iter().filter(lacks).map(|heartbeat| Arc::clone(heartbeat)).collect(), declared.len())
}
