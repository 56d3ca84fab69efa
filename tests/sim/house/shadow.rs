//! What the journal was given, kept a second time: every record, and the state that they tell, at any number. A
//! state that comes from anywhere else (a snapshot, a start) must be the same as the one told by the records.

use std::collections::BTreeSet;

use overdue::machine::record::Record;
use overdue::machine::state::State;

use crate::disk::assert_same;

pub(crate) struct Shadow {
    /// The number of the last record that the journal was given.
    last: u64,
    /// The last one that the disk said it has.
    pub(crate) sure: u64,
    state: State,
    records: Vec<(u64, Record)>,
    /// What all records up to a number tell; the first is the empty one.
    told: Vec<(u64, State)>,
    /// Where batches end: each is found whole or not at all.
    ends: BTreeSet<u64>,
    /// Snapshots of more than the journal was given, as they were written.
    ahead: Vec<(u64, Text)>,
    /// Up to this record some may be damaged in the journal, or were never given to it: a snapshot has them.
    pub(crate) gap: u64,
}

/// A snapshot's state, and its heartbeats.
pub(crate) type Text = (Vec<u8>, Vec<Vec<u8>>);

/// Only the few that matter are read: that takes as long as all the rest.
fn read((core, beats): &Text) -> State {
    let beats = beats.iter().map(|beat| serde_json::from_slice(beat).expect("what was written can be read"));
    State::restore(serde_json::from_slice(core).expect("what was written can be read"), beats)
}

impl Shadow {
    pub(crate) fn new() -> Self {
        let (told, ends) = (vec![(0, State::default())], BTreeSet::from([0]));
        Self {
            last: 0,
            sure: 0,
            state: State::default(),
            records: Vec::new(),
            told,
            ends,
            ahead: Vec::new(),
            gap: 0,
        }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// The records after one, to another, that the journal was given.
    pub(crate) fn between(&self, after: u64, to: u64) -> &[(u64, Record)] {
        let first = self.records.partition_point(|(of, _)| *of <= after);
        let last = self.records.partition_point(|(of, _)| *of <= to);
        &self.records[first..last.max(first)]
    }

    /// The journal is told to go on after this record: what lies between is in a snapshot alone.
    pub(crate) fn goes_on_after(&mut self, after: u64) -> bool {
        if after == self.last {
            return false;
        }
        assert!(after > self.last, "record {after} is not the last one, which is {}", self.last);
        self.jump_to(after);
        true
    }

    fn jump_to(&mut self, seq: u64) {
        let snapshot = self.ahead.iter().rev().find(|(of, _)| *of == seq);
        let (_, text) = snapshot.expect("a gap in the journal is covered by a snapshot");
        let state = read(text);
        self.ahead.retain(|(of, _)| *of > seq);
        self.told.push((seq, state.clone()));
        (self.last, self.state, self.gap) = (seq, state, seq);
        self.ends_batch();
    }

    /// The journal failed, or goes on after it failed.
    pub(crate) fn has_gap(&mut self) {
        self.gap = self.last;
    }

    pub(crate) fn ends_batch(&mut self) {
        self.ends.insert(self.last);
    }

    pub(crate) fn push(&mut self, record: &Record) -> u64 {
        self.last += 1;
        self.state.apply(record);
        self.records.push((self.last, record.clone()));
        self.ahead.retain(|(of, _)| *of > self.last);
        self.last
    }

    /// A snapshot is written, which holds the live state. The start that finds it compares it with what the records tell.
    pub(crate) fn snapshot(&mut self, seq: u64, text: impl FnOnce() -> Text) {
        if seq > self.last {
            self.ahead.push((seq, text()));
        } else if seq == self.last {
            self.told.push((seq, self.state.clone()));
        }
    }

    fn state_at(&self, seq: u64) -> Option<State> {
        let (from, state) = self.told.iter().rev().find(|(of, _)| *of <= seq)?;
        let mut state = state.clone();
        let first = self.records.partition_point(|(of, _)| of <= from);
        let last = self.records.partition_point(|(of, _)| *of <= seq);
        for (_, record) in &self.records[first..last] {
            state.apply(record);
        }
        (last as u64 - first as u64 == seq - from).then_some(state)
    }

    /// A start found everything up to a record, and this state. Says whether it was reached by a snapshot alone.
    pub(crate) fn found(&mut self, last: u64, state: &State) -> bool {
        let alone = last > self.last;
        if alone {
            self.jump_to(last);
        }
        // After the lies of a disk as well: what is found short then is short by whole batches.
        assert!(self.ends.contains(&last), "a batch is found in part, up to {last}");
        self.ends.retain(|end| *end < last);
        self.ends.insert(last);
        let told = self.state_at(last).expect("what is found was written as far as it goes");
        assert_same(state, &told);
        self.records.retain(|(of, _)| *of <= last);
        self.told.retain(|(of, _)| *of <= last);
        self.ahead.clear();
        if self.told.last().is_none_or(|(of, _)| *of < last) {
            self.told.push((last, told.clone()));
        }
        // Only the page cache may hold what nobody has acknowledged.
        (self.last, self.sure, self.state) = (last, self.sure.min(last), told);
        alone
    }
}
