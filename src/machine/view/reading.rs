//! What a monitoring system reads of heartbeats and deliveries: numbers only, and few of them.

use std::collections::BTreeMap;

use crate::machine::beat::{Beat, Ended, Standing};
use crate::machine::view::{LOOK, View};
use crate::model::channel::ChannelName;
use crate::model::id::Slug;
use crate::model::time::{Span, Timestamp};

/// The numbers of one heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Whose.
    pub slug: Slug,
    /// Whether an incident is open.
    pub down: bool,
    /// The last ping that was not ignored.
    pub last_ping: Option<Timestamp>,
    /// The last good finish.
    pub last_success: Option<Timestamp>,
    /// When the next finish is expected.
    pub due: Option<Timestamp>,
    /// Of the last run that had one.
    pub last_duration: Option<Span>,
    /// All runs that ever ended.
    pub ended: Ended,
    /// All pings ever, ignored ones too.
    pub pings: u64,
    /// Runs that failed or overran and periods missed since the last success.
    pub consecutive_failures: u32,
}

/// The deliveries that wait or are under way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waiting {
    /// How many, for each channel that there is or was, the log among them.
    pub by_channel: BTreeMap<ChannelName, usize>,
    /// When the oldest was queued.
    pub oldest: Option<Timestamp>,
}

impl View<'_> {
    /// The numbers of the heartbeats after `after` by slug: of those that [`count`](Self::count) counts in one turn.
    pub fn readings(&self, after: Option<&str>) -> Vec<Reading> {
        self.machine.state.living_after(after).take(LOOK).map(|beat| self.read(beat)).collect()
    }

    fn read(&self, beat: &Beat) -> Reading {
        // A copy that has gone along with a step of the wall clock would cost its whole history.
        let by = self.machine.state.core.hearing.stepped() - beat.stepped;
        let gone_along = |at: Option<Timestamp>| at.map(|at| at + by);
        let distance = beat.heartbeat.timing.interval().is_some();
        Reading {
            slug: beat.heartbeat.slug.clone(),
            down: beat.standing == Standing::Down,
            last_ping: gone_along(beat.last_ping),
            last_success: gone_along(beat.last_success),
            due: if distance { gone_along(beat.due) } else { beat.due },
            last_duration: beat.last_duration,
            ended: beat.history.as_ref().map(|history| history.ended).unwrap_or_default(),
            pings: beat.pings_total,
            consecutive_failures: beat.consecutive_failures,
        }
    }

    /// The deliveries that wait.
    pub fn waiting(&self) -> Waiting {
        let core = &self.machine.state.core;
        let declared = core.channels.iter().map(|channel| (channel.name.clone(), 0));
        let mut by_channel: BTreeMap<_, _> = declared.collect();
        by_channel.insert(ChannelName::new(ChannelName::LOG), 0);
        by_channel.extend(self.machine.lanes.waiting().map(|(name, waiting)| (name.clone(), waiting)));
        let oldest = core.outbox.first_key_value().map(|(_, delivery)| delivery.queued_at);
        Waiting { by_channel, oldest }
    }
}
