//! The bound on connections: when all seats are taken, the connection that has been longest without a
//! complete request head leaves for the new one, so idle connections never keep a ping out; one of the address that
//! has by far the most, if there is one. It knows who spoke when, as an order and not as time, and nothing of what
//! was said.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::task::AbortHandle;

/// An address that has more than this part of all seats makes room for others before anybody else does.
const CROWD: usize = 8;

/// Where the moments begin; before them there is room for those that leave first.
const MIDDLE: u64 = 1 << 63;

/// All seats.
#[derive(Debug)]
pub(crate) struct Seats {
    max: usize,
    /// Numbers the moments at which something happened.
    clock: AtomicU64,
    /// Numbers before all of those, downwards.
    front: AtomicU64,
    taken: Mutex<Taken>,
}

/// Those that are taken.
#[derive(Debug, Default)]
struct Taken {
    /// By when each spoke last, as far as that has been looked up: an entry's key is at most its seat's
    /// `spoke`, so that a request costs no lock. Put right by whoever looks for the oldest.
    by_moment: BTreeMap<u64, Arc<State>>,
    /// How many each address has; all Unix sockets are as one.
    of_address: HashMap<Option<IpAddr>, usize>,
}

#[derive(Debug)]
struct State {
    address: Option<IpAddr>,
    /// Its key in `by_moment`; changes only under the lock.
    key: AtomicU64,
    /// When its last head was complete, or when it came.
    spoke: AtomicU64,
    /// Whether a request of it is being answered.
    busy: AtomicBool,
    /// Its task, which ends wherever it is when it must leave.
    task: OnceLock<AbortHandle>,
}

/// One connection's seat; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    state: Arc<State>,
}

impl Seats {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max: max.max(1),
            clock: AtomicU64::new(MIDDLE),
            front: AtomicU64::new(MIDDLE - 1),
            taken: Mutex::default(),
        })
    }

    /// Whether another must leave for the next one.
    pub(crate) fn are_full(&self) -> bool {
        self.lock().by_moment.len() >= self.max
    }

    /// Seats a new connection of this address; when all are taken another leaves for it.
    pub(crate) fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Seat {
        let now = self.tick();
        let mut taken = self.lock();
        if taken.by_moment.len() >= self.max {
            taken.dismiss(self.max / CROWD);
        }
        let state = Arc::new(State {
            address,
            key: AtomicU64::new(now),
            spoke: AtomicU64::new(now),
            busy: AtomicBool::new(false),
            task: OnceLock::new(),
        });
        taken.by_moment.insert(now, Arc::clone(&state));
        *taken.of_address.entry(address).or_default() += 1;
        Seat { seats: Arc::clone(self), state }
    }

    /// Makes the connection leave that has been longest without a head, when files run out.
    pub(crate) fn make_room(&self) {
        self.lock().dismiss(self.max / CROWD);
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// The oldest idle one goes; when every one is being answered, the oldest of all. Of the address that has the most,
    /// if it has more than `crowd`: else whoever only connects, fast enough, would push out all who are about to ping.
    fn dismiss(&mut self, crowd: usize) {
        let most = self.of_address.iter().max_by_key(|(_, seats)| **seats);
        let only = most.filter(|(_, seats)| **seats > crowd).map(|(address, _)| *address);
        let (mut from, mut oldest_busy, mut chosen) = (0, None, None);
        while let Some((&key, state)) = self.by_moment.range(from..).next() {
            from = key + 1;
            let spoke = state.spoke.load(Ordering::Relaxed);
            if spoke > key {
                let state = Arc::clone(state);
                self.by_moment.remove(&key);
                state.key.store(spoke, Ordering::Relaxed);
                self.by_moment.insert(spoke, state);
            } else if only.is_some_and(|only| state.address != only) {
                // Somebody else's.
            } else if state.busy.load(Ordering::Relaxed) {
                oldest_busy.get_or_insert(key);
            } else {
                chosen = Some(key);
                break;
            }
        }
        if let Some(state) = chosen.or(oldest_busy).and_then(|key| self.by_moment.get(&key)).map(Arc::clone) {
            self.give_up(&state);
            if let Some(task) = state.task.get() {
                task.abort();
            }
        }
    }

    /// It is seated no more; one that was dismissed has left already.
    fn give_up(&mut self, state: &Arc<State>) {
        let key = state.key.load(Ordering::Relaxed);
        if !self.has(state) {
            return;
        }
        self.by_moment.remove(&key);
        if let Some(seats) = self.of_address.get_mut(&state.address) {
            *seats -= 1;
            if *seats == 0 {
                self.of_address.remove(&state.address);
            }
        }
    }

    fn has(&self, state: &Arc<State>) -> bool {
        let key = state.key.load(Ordering::Relaxed);
        self.by_moment.get(&key).is_some_and(|seated| Arc::ptr_eq(seated, state))
    }
}

impl Seat {
    /// A head is complete: its request is being answered from now on.
    pub(crate) fn begin(&self) {
        self.state.spoke.store(self.seats.tick(), Ordering::Relaxed);
        self.state.busy.store(true, Ordering::Relaxed);
    }

    /// The request was refused, and the refusal is held back: of all connections this one leaves first. Else whoever
    /// floods and is refused would, busy as it is, keep its seats and push out those who are about to ping.
    pub(crate) fn refused(&self) {
        let mut taken = self.seats.lock();
        if taken.has(&self.state) {
            taken.by_moment.remove(&self.state.key.load(Ordering::Relaxed));
            let front = self.seats.front.fetch_sub(1, Ordering::Relaxed);
            self.state.key.store(front, Ordering::Relaxed);
            self.state.spoke.store(front, Ordering::Relaxed);
            taken.by_moment.insert(front, Arc::clone(&self.state));
        }
        self.state.busy.store(false, Ordering::Relaxed);
    }

    /// The request has been answered.
    pub(crate) fn end(&self) {
        self.state.busy.store(false, Ordering::Relaxed);
    }

    /// This task is the connection's: it ends when the connection must leave for another. Said by whoever took the
    /// seat, before another is taken.
    pub(crate) fn belongs_to(&self, task: AbortHandle) {
        self.state.task.get_or_init(|| task);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.lock().give_up(&self.state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of them had to leave.
    fn gone(seats: &[&Seat]) -> Vec<usize> {
        let gone = |seat: &Seat| !seat.seats.lock().has(&seat.state);
        seats.iter().enumerate().filter(|(_, seat)| gone(seat)).map(|(n, _)| n).collect()
    }

    #[tokio::test]
    async fn the_task_of_one_that_must_leave_ends() {
        let seats = Seats::new(1);
        let first = seats.take(None);
        let task = tokio::spawn(std::future::pending::<()>());
        first.belongs_to(task.abort_handle());
        assert!(seats.are_full());
        let _second = seats.take(None);
        assert!(task.await.unwrap_err().is_cancelled());
    }

    #[test]
    fn the_one_longest_without_a_head_leaves() {
        let seats = Seats::new(3);
        let (a, b, c) = (seats.take(None), seats.take(None), seats.take(None));
        for seat in [&a, &c] {
            seat.begin();
            seat.end();
        }
        let d = seats.take(None);
        assert_eq!(gone(&[&a, &b, &c, &d]), [1]);
        let _e = seats.take(None);
        assert_eq!(gone(&[&a, &b, &c, &d]), [0, 1], "a spoke before c, and d came after both");
        let _f = seats.take(None);
        assert_eq!(gone(&[&a, &b, &c, &d]), [0, 1, 2]);
    }

    #[test]
    fn one_that_is_being_answered_stays_while_another_is_idle() {
        let seats = Seats::new(2);
        let (a, b) = (seats.take(None), seats.take(None));
        a.begin();
        let c = seats.take(None);
        assert_eq!(gone(&[&a, &b, &c]), [1]);
        c.begin();
        let d = seats.take(None);
        assert_eq!(gone(&[&a, &c, &d]), [0], "all are busy, so the oldest head goes");
    }

    #[test]
    fn one_whose_request_was_refused_leaves_before_one_that_is_idle() {
        let seats = Seats::new(3);
        let (a, b, c) = (seats.take(None), seats.take(None), seats.take(None));
        for seat in [&b, &c] {
            seat.begin();
            seat.refused();
        }
        let d = seats.take(None);
        assert_eq!(gone(&[&a, &b, &c, &d]), [2]);
        let back = seats.take(None);
        assert_eq!(gone(&[&a, &b, &c, &d, &back]), [1, 2], "a, who has said nothing yet, stays");
        back.begin();
        back.refused();
        back.begin();
        let last = seats.take(None);
        assert_eq!(gone(&[&a, &d, &back, &last]), [0], "who is answered after all counts like any other");
    }

    #[test]
    fn who_has_by_far_the_most_makes_room_before_anybody_else() {
        let seats = Seats::new(16);
        let [one, other] = ["198.51.100.7", "203.0.113.9"].map(|text| text.parse::<IpAddr>().ok());
        let first = seats.take(one);
        let of_crowd: Vec<Seat> = (0..15).map(|_| seats.take(other)).collect();
        let crowd: Vec<&Seat> = of_crowd.iter().collect();
        let more: Vec<Seat> = (0..10).map(|_| seats.take(other)).collect();
        assert_eq!(gone(&crowd), (0..10).collect::<Vec<_>>(), "it makes room for its own");
        let late = seats.take(None);
        assert_eq!(gone(&crowd), (0..11).collect::<Vec<_>>());
        assert_eq!(gone(&[&first, &late]), [0; 0], "who has said nothing for longest stays, alone as it is");
        for seat in of_crowd.iter().chain(&more) {
            seat.begin();
        }
        let last = seats.take(None);
        assert_eq!(gone(&crowd), (0..12).collect::<Vec<_>>(), "busy as they are");
        assert_eq!(gone(&[&first, &late, &last]), [0; 0]);
        drop((of_crowd, more));
        assert_eq!(seats.lock().of_address.len(), 2, "nobody is remembered who has no seat");
    }

    #[test]
    fn a_free_seat_makes_nobody_leave() {
        let seats = Seats::new(2);
        let (a, b) = (seats.take(None), seats.take(None));
        drop(b);
        assert!(!seats.are_full());
        let c = seats.take(None);
        assert_eq!(gone(&[&a, &c]), [0; 0]);
        let dismissed = seats.take(None);
        assert_eq!(gone(&[&a, &c, &dismissed]), [0]);
        drop(a);
        assert_eq!(seats.lock().by_moment.len(), 2, "one that was dismissed gives up nothing more");
    }
}
