//! All heartbeats in an order and in groups, a page of them at a time: what a person looks at. Counted and sorted
//! piece by piece, and only as much is remembered as the pages up to the wanted one hold.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::machine::beat::Beat;
use crate::machine::view::{Filter, HeartbeatCounts, LOOK, LOOK_BYTES, View, weight};
use crate::model::heartbeat::{Source, Status};
use crate::model::id::Slug;

/// Different tags or hosts that are listed at the most.
pub const NAMES_MAX: usize = 200;

/// By what heartbeats are sorted; within what is the same, by slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By slug.
    #[default]
    Slug,
    /// By name, whatever its case.
    Name,
    /// By status, what needs somebody first.
    Status,
    /// By the last ping, the newest first.
    LastPing,
    /// By the next due, the soonest first.
    NextDue,
    /// By the last duration, the longest first.
    Duration,
}

/// By what heartbeats are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// By tag: one with several is in each of their groups.
    Tag,
    /// By host.
    Host,
}

/// What is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Which heartbeats.
    pub filter: Filter,
    /// Only those that are declared so.
    pub source: Option<Source>,
    /// By what they are sorted.
    pub order: Order,
    /// The other way round.
    pub reversed: bool,
    /// By what they are put together.
    pub grouping: Option<Grouping>,
    /// How many of the first rows are remembered.
    pub rows: usize,
}

/// A row: a heartbeat, in a group. Its fields stand in the order in which rows are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    groupless: bool,
    /// The tag or host; `None` for those that have none, which come last.
    pub group: Option<String>,
    rank: Rank,
    /// Whose row it is.
    pub slug: Slug,
}

/// Where a row belongs within its group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Forward(Key),
    Backward(Reverse<Key>),
    /// There is nothing to compare by: last, whichever way round.
    Nothing,
}

/// What the order compares.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i64),
    Text(String),
}

/// What has been seen so far.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// All that the filter lets through but for its status.
    pub counts: HeartbeatCounts,
    /// How many rows there are in all.
    pub total: usize,
    /// The rows in each group; no new one after [`NAMES_MAX`].
    pub groups: BTreeMap<String, GroupCount>,
    /// The rows in none, when there are groups.
    pub groupless: GroupCount,
    /// The tags that there are, with the number of heartbeats that have them; no new one after [`NAMES_MAX`]. Which
    /// of those are down is not looked at.
    pub tags: BTreeMap<String, GroupCount>,
    /// The same of hosts.
    pub hosts: BTreeMap<String, GroupCount>,
    /// The first rows, the last of them on top.
    first: BinaryHeap<Row>,
}

/// What is counted of a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupCount {
    /// Its rows.
    pub rows: usize,
    /// Those of them that are down.
    pub down: usize,
}

impl View<'_> {
    /// Looks at the heartbeats after `after` by slug, a turn's number of them, and says where to go on. Much text
    /// and many tags count as more than one heartbeat: text is searched, and each tag is counted and can be a row.
    pub fn survey(&self, wanted: &Wanted, after: Option<&str>, survey: &mut Survey) -> Option<Slug> {
        let q = wanted.filter.q.as_deref().map(str::to_lowercase);
        let mut living = self.machine.state.living_after(after).peekable();
        let mut looked = 0;
        while let Some(beat) = living.next() {
            let heartbeat = &beat.heartbeat;
            looked += 1 + heartbeat.tags.len() + weight(heartbeat) / LOOK_BYTES;
            self.look_at(beat, wanted, q.as_deref(), survey);
            if looked >= LOOK && living.peek().is_some() {
                return Some(beat.heartbeat.slug.clone());
            }
        }
        None
    }

    fn look_at(&self, beat: &Beat, wanted: &Wanted, q: Option<&str>, survey: &mut Survey) {
        let heartbeat = &beat.heartbeat;
        for tag in &heartbeat.tags {
            count(&mut survey.tags, tag, false);
        }
        if let Some(host) = &heartbeat.host {
            count(&mut survey.hosts, host, false);
        }
        if wanted.source.is_some_and(|source| source != beat.source) || !wanted.filter.names(q, beat) {
            return;
        }
        let status = self.status(beat);
        survey.counts.add(status, !beat.open_runs.is_empty());
        if wanted.filter.status.is_some_and(|only| only != status) {
            return;
        }
        let rank = match self.key(beat, status, wanted.order) {
            None => Rank::Nothing,
            Some(key) if wanted.reversed => Rank::Backward(Reverse(key)),
            Some(key) => Rank::Forward(key),
        };
        let row = |group: Option<String>| Row {
            groupless: group.is_none(),
            group,
            rank: rank.clone(),
            slug: heartbeat.slug.clone(),
        };
        let down = status == Status::Down;
        match wanted.grouping {
            None => survey.take(wanted, row(None), down),
            Some(Grouping::Host) => survey.take(wanted, row(heartbeat.host.clone()), down),
            Some(Grouping::Tag) if heartbeat.tags.is_empty() => survey.take(wanted, row(None), down),
            Some(Grouping::Tag) => {
                for tag in &heartbeat.tags {
                    survey.take(wanted, row(Some(tag.clone())), down);
                }
            }
        }
    }

    fn key(&self, beat: &Beat, status: Status, order: Order) -> Option<Key> {
        let by = self.machine.state.core.hearing.stepped() - beat.stepped;
        let number = match order {
            Order::Slug => return Some(Key::Text(beat.heartbeat.slug.as_str().to_owned())),
            Order::Name => return Some(Key::Text(beat.heartbeat.name.to_lowercase())),
            Order::Status => status.urgency() as i64,
            Order::LastPing => -(beat.last_ping? + by).as_millis(),
            Order::NextDue if beat.heartbeat.timing.interval().is_some() => (beat.due? + by).as_millis(),
            Order::NextDue => beat.due?.as_millis(),
            Order::Duration => -beat.last_duration?.as_millis(),
        };
        Some(Key::Number(number))
    }
}

#[inline(never)]
fn count(names: &mut BTreeMap<String, GroupCount>, name: &str, down: bool) {
    if let Some(known) = names.get_mut(name) {
        known.add(down);
    } else if names.len() < NAMES_MAX {
        names.insert(name.to_owned(), GroupCount { rows: 1, down: usize::from(down) });
    }
}

impl Survey {
    fn take(&mut self, wanted: &Wanted, row: Row, down: bool) {
        self.total += 1;
        match &row.group {
            Some(group) => count(&mut self.groups, group, down),
            None if wanted.grouping.is_some() => self.groupless.add(down),
            None => {}
        }
        if self.first.len() < wanted.rows {
            self.first.push(row);
        } else if let Some(mut last) = self.first.peek_mut()
            && row < *last
        {
            *last = row;
        }
    }

    /// What was counted of a group, or of what is in none.
    pub fn of_group(&self, group: Option<&str>) -> Option<GroupCount> {
        match group {
            Some(group) => self.groups.get(group).copied(),
            None => Some(self.groupless),
        }
    }

    /// The first rows, in order.
    pub fn first_rows(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.first).into_sorted_vec()
    }
}

impl GroupCount {
    fn add(&mut self, down: bool) {
        self.rows += 1;
        self.down += usize::from(down);
    }
}
