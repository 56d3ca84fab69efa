//! The timer wheel: which id is armed for which instant, and who is due. It knows u32 ids and whole
//! milliseconds, and never what a timer is for; it reads no clock and is told the time.
//!
//! Nine levels of 64 slots hold what lies after the cursor, each slot a doubly linked list through the
//! nodes, so that arming and disarming allocate nothing and touch two neighbours. What lies at or before
//! the cursor is the front: a small heap by (instant, id), whose top is the earliest of all.

use crate::model::time::{Span, Timestamp};

/// Bits of an instant that one level looks at.
const BITS: u32 = 6;
/// Slots of a level.
const SLOTS: usize = 1 << BITS;
/// Levels: 54 bits hold every `Timestamp`, counted from `Timestamp::MIN`.
const LEVELS: usize = 9;
/// The end of a list.
const NIL: u32 = u32::MAX;
/// Armings between now and the cursor that are borne before the cursor is set back.
const EARLY_MIN: usize = 1024;

/// Where the timer of an id is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Idle,
    /// In the list of the slot that its instant and the cursor give.
    Slot {
        prev: u32,
        next: u32,
    },
    /// At this index of the front.
    Front(u32),
}

#[derive(Debug, Clone, Copy)]
struct Node {
    /// Milliseconds since `Timestamp::MIN`.
    at: u64,
    place: Place,
}

/// Timers by id, at most one each. Memory grows with the largest id ever armed.
#[derive(Debug, Clone)]
pub struct Wheel {
    nodes: Vec<Node>,
    /// First id of each slot's list.
    heads: [[u32; SLOTS]; LEVELS],
    /// Which slots of a level hold something.
    occupied: [u64; LEVELS],
    /// Which levels hold something. A lower level is always earlier than a higher one.
    levels: u32,
    /// A slot's instants are all after this; the front's are all at or before it.
    cursor: u64,
    /// The time that was told last.
    now: u64,
    /// A binary heap by (instant, id). Empty only when nothing is armed.
    front: Vec<(u64, u32)>,
    /// Armings between now and the cursor since the cursor was last set back.
    early: usize,
}

impl Wheel {
    /// An empty wheel at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self {
            nodes: Vec::new(),
            heads: [[NIL; SLOTS]; LEVELS],
            occupied: [0; LEVELS],
            levels: 0,
            cursor: tick(now),
            now: tick(now),
            front: Vec::new(),
            early: 0,
        }
    }

    /// Arms `id` for `at`, in place of an earlier arming. An instant in the past is due at once.
    pub fn arm(&mut self, id: u32, at: Timestamp) {
        let at = tick(at);
        let index = id as usize;
        if index >= self.nodes.len() {
            self.nodes.resize(index + 1, Node { at: 0, place: Place::Idle });
        }
        if self.nodes[index].place != Place::Idle && self.nodes[index].at == at {
            return;
        }
        self.remove(id);
        self.nodes[index].at = at;
        self.insert(id);
        if self.now < at && at <= self.cursor {
            self.early += 1;
            if self.early > EARLY_MIN.max(self.nodes.len() / 8) {
                self.set_back();
            }
        }
        self.settle();
    }

    /// Forgets the arming of `id`, if there is one.
    pub fn disarm(&mut self, id: u32) {
        if (id as usize) < self.nodes.len() {
            self.remove(id);
            self.settle();
        }
    }

    /// Takes out the earliest that is due at `now`; of several at one instant the smallest id. `now` may be
    /// earlier than the last one.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<u32> {
        self.now = tick(now);
        let &(at, id) = self.front.first()?;
        if at > self.now {
            return None;
        }
        self.remove(id);
        self.settle();
        Some(id)
    }

    /// The earliest instant that is armed.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.front.first().map(|&(at, _)| instant(at))
    }

    /// The instant that `id` is armed for.
    pub fn armed_at(&self, id: u32) -> Option<Timestamp> {
        let node = self.nodes.get(id as usize)?;
        (node.place != Place::Idle).then(|| instant(node.at))
    }

    /// Puts a node that is nowhere where its instant belongs.
    fn insert(&mut self, id: u32) {
        let at = self.nodes[id as usize].at;
        if at <= self.cursor {
            self.push(at, id);
            return;
        }
        let (level, slot) = self.slot_of(at);
        let next = std::mem::replace(&mut self.heads[level][slot], id);
        if let Some(Node { place: Place::Slot { prev, .. }, .. }) = self.nodes.get_mut(next as usize) {
            *prev = id;
        }
        self.nodes[id as usize].place = Place::Slot { prev: NIL, next };
        self.occupied[level] |= 1 << slot;
        self.levels |= 1 << level;
    }

    /// Takes a node out from wherever it is.
    fn remove(&mut self, id: u32) {
        let node = self.nodes[id as usize];
        match node.place {
            Place::Idle => return,
            Place::Front(index) => self.take(index as usize),
            Place::Slot { prev, next } => {
                if let Some(Node { place: Place::Slot { prev: back, .. }, .. }) =
                    self.nodes.get_mut(next as usize)
                {
                    *back = prev;
                }
                if let Some(Node { place: Place::Slot { next: forth, .. }, .. }) =
                    self.nodes.get_mut(prev as usize)
                {
                    *forth = next;
                } else {
                    let (level, slot) = self.slot_of(node.at);
                    self.heads[level][slot] = next;
                    if next == NIL {
                        self.vacate(level, slot);
                    }
                }
            }
        }
        self.nodes[id as usize].place = Place::Idle;
    }

    /// Level and slot of an instant after the cursor: the highest digit in which the two differ.
    fn slot_of(&self, at: u64) -> (usize, usize) {
        let level = (u64::BITS - 1 - ((at ^ self.cursor) | 1).leading_zeros()) / BITS;
        (level as usize, (at >> (level * BITS)) as usize % SLOTS)
    }

    fn vacate(&mut self, level: usize, slot: usize) {
        self.occupied[level] &= !(1 << slot);
        if self.occupied[level] == 0 {
            self.levels &= !(1 << level);
        }
    }

    /// When the front is empty, moves the cursor to the earliest instant of the earliest slot. Every other
    /// slot begins after that instant, so the digit in which its nodes differ from the cursor stays the
    /// same, and only this one slot's nodes find new places.
    fn settle(&mut self) {
        if !self.front.is_empty() || self.levels == 0 {
            return;
        }
        let level = self.levels.trailing_zeros() as usize;
        let slot = self.occupied[level].trailing_zeros() as usize;
        let head = std::mem::replace(&mut self.heads[level][slot], NIL);
        self.vacate(level, slot);
        let mut earliest = u64::MAX;
        let mut id = head;
        while let Some(&Node { at, place: Place::Slot { next, .. } }) = self.nodes.get(id as usize) {
            earliest = earliest.min(at);
            id = next;
        }
        self.cursor = earliest;
        let mut id = head;
        while let Some(&Node { place: Place::Slot { next, .. }, .. }) = self.nodes.get(id as usize) {
            self.insert(id);
            id = next;
        }
    }

    /// Sets the cursor back to now and sorts all in anew. The cursor runs ahead of now to the earliest
    /// timer; when very many are then armed before it, or the clock went back, the front would grow large.
    fn set_back(&mut self) {
        self.early = 0;
        self.cursor = self.now;
        self.front.clear();
        self.heads = [[NIL; SLOTS]; LEVELS];
        self.occupied = [0; LEVELS];
        self.levels = 0;
        for index in 0..self.nodes.len() {
            if self.nodes[index].place != Place::Idle {
                self.insert(index as u32);
            }
        }
    }

    fn push(&mut self, at: u64, id: u32) {
        let index = self.front.len();
        self.front.push((at, id));
        self.rise(index);
    }

    /// Takes the entry at `index` out of the front.
    fn take(&mut self, index: usize) {
        self.front.swap_remove(index);
        if index < self.front.len() {
            self.rise(index);
            self.sink(index);
        }
    }

    fn rise(&mut self, mut index: usize) {
        let entry = self.front[index];
        while index > 0 {
            let parent = (index - 1) / 2;
            if self.front[parent] <= entry {
                break;
            }
            self.seat(index, self.front[parent]);
            index = parent;
        }
        self.seat(index, entry);
    }

    fn sink(&mut self, mut index: usize) {
        let entry = self.front[index];
        loop {
            let left = 2 * index + 1;
            let Some(&first) = self.front.get(left) else { break };
            let second = self.front.get(left + 1).copied().unwrap_or(first);
            let (child, smaller) = if second < first { (left + 1, second) } else { (left, first) };
            if entry <= smaller {
                break;
            }
            self.seat(index, smaller);
            index = child;
        }
        self.seat(index, entry);
    }

    fn seat(&mut self, index: usize, entry: (u64, u32)) {
        self.front[index] = entry;
        self.nodes[entry.1 as usize].place = Place::Front(index as u32);
    }
}

/// Milliseconds since the earliest instant, so that order and digits are those of an unsigned number.
const fn tick(at: Timestamp) -> u64 {
    at.as_millis().wrapping_sub(Timestamp::MIN.as_millis()).unsigned_abs()
}

fn instant(tick: u64) -> Timestamp {
    Timestamp::MIN + Span::from_millis(tick as i64)
}

#[cfg(test)]
mod tests;
