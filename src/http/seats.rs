//! The bound on connections: when all seats are taken, the connection that has been longest without a
//! complete request head leaves for the new one, so idle connections never keep a ping out. It knows
//! who spoke when, as an order and not as time, and nothing of what was said.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

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
    /// By when each spoke last, as far as that has been looked up: an entry's key is at most its seat's
    /// `spoke`, so that a request costs no lock. Put right by whoever looks for the oldest.
    taken: Mutex<BTreeMap<u64, Arc<State>>>,
}

#[derive(Debug)]
struct State {
    /// Its key in `taken`; changes only under the lock.
    key: AtomicU64,
    /// When its last head was complete, or when it came.
    spoke: AtomicU64,
    /// Whether a request of it is being answered.
    busy: AtomicBool,
    leave: Notify,
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

    /// Seats a new connection. Says too whether another must leave for it.
    pub(crate) fn take(self: &Arc<Self>) -> (Seat, bool) {
        let now = self.tick();
        let mut taken = self.lock();
        let full = taken.len() >= self.max;
        if full {
            Self::dismiss(&mut taken);
        }
        let state = Arc::new(State {
            key: AtomicU64::new(now),
            spoke: AtomicU64::new(now),
            busy: AtomicBool::new(false),
            leave: Notify::new(),
        });
        taken.insert(now, Arc::clone(&state));
        (Seat { seats: Arc::clone(self), state }, full)
    }

    /// Makes the connection leave that has been longest without a head, when files run out.
    pub(crate) fn make_room(&self) {
        Self::dismiss(&mut self.lock());
    }

    /// The oldest idle one goes; when every one is being answered, the oldest of all.
    fn dismiss(taken: &mut BTreeMap<u64, Arc<State>>) {
        let mut from = 0;
        let mut oldest_busy = None;
        let mut chosen = None;
        while let Some((&key, state)) = taken.range(from..).next() {
            from = key + 1;
            let spoke = state.spoke.load(Ordering::Relaxed);
            if spoke > key {
                let state = Arc::clone(state);
                taken.remove(&key);
                state.key.store(spoke, Ordering::Relaxed);
                taken.insert(spoke, state);
            } else if state.busy.load(Ordering::Relaxed) {
                oldest_busy.get_or_insert(key);
            } else {
                chosen = Some(key);
                break;
            }
        }
        if let Some(state) = chosen.or(oldest_busy).and_then(|key| taken.remove(&key)) {
            state.leave.notify_one();
        }
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<State>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
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
        let key = self.state.key.load(Ordering::Relaxed);
        // One that was dismissed has left already.
        if taken.get(&key).is_some_and(|state| Arc::ptr_eq(state, &self.state)) {
            taken.remove(&key);
            let front = self.seats.front.fetch_sub(1, Ordering::Relaxed);
            self.state.key.store(front, Ordering::Relaxed);
            self.state.spoke.store(front, Ordering::Relaxed);
            taken.insert(front, Arc::clone(&self.state));
        }
        self.state.busy.store(false, Ordering::Relaxed);
    }

    /// The request has been answered.
    pub(crate) fn end(&self) {
        self.state.busy.store(false, Ordering::Relaxed);
    }

    /// Returns when this connection must leave for another.
    pub(crate) async fn dismissed(&self) {
        self.state.leave.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        let key = self.state.key.load(Ordering::Relaxed);
        if taken.get(&key).is_some_and(|state| Arc::ptr_eq(state, &self.state)) {
            taken.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn gone(seats: &[&Seat]) -> Vec<usize> {
        seats
            .iter()
            .enumerate()
            .filter(|(_, seat)| seat.dismissed().now_or_never().is_some())
            .map(|(n, _)| n)
            .collect()
    }

    #[test]
    fn the_one_longest_without_a_head_leaves() {
        let seats = Seats::new(3);
        let (a, b, c) = (seats.take().0, seats.take().0, seats.take().0);
        for seat in [&a, &c] {
            seat.begin();
            seat.end();
        }
        let (d, full) = seats.take();
        assert!(full);
        assert_eq!(gone(&[&a, &b, &c, &d]), [1]);
        let _e = seats.take();
        assert_eq!(gone(&[&a, &b, &c, &d]), [0], "a spoke before c, and d came after both");
        let _f = seats.take();
        assert_eq!(gone(&[&a, &b, &c, &d]), [2]);
    }

    #[test]
    fn one_that_is_being_answered_stays_while_another_is_idle() {
        let seats = Seats::new(2);
        let (a, b) = (seats.take().0, seats.take().0);
        a.begin();
        let (c, _) = seats.take();
        assert_eq!(gone(&[&a, &b, &c]), [1]);
        c.begin();
        let (d, _) = seats.take();
        assert_eq!(gone(&[&a, &c, &d]), [0], "all are busy, so the oldest head goes");
    }

    #[test]
    fn one_whose_request_was_refused_leaves_before_one_that_is_idle() {
        let seats = Seats::new(3);
        let (a, b, c) = (seats.take().0, seats.take().0, seats.take().0);
        for seat in [&b, &c] {
            seat.begin();
            seat.refused();
        }
        let d = seats.take().0;
        assert_eq!(gone(&[&a, &b, &c, &d]), [2]);
        let back = seats.take().0;
        assert_eq!(gone(&[&a, &b, &c, &d, &back]), [1], "a, who has said nothing yet, stays");
        back.begin();
        back.refused();
        back.begin();
        let last = seats.take().0;
        assert_eq!(gone(&[&a, &d, &back, &last]), [0], "who is answered after all counts like any other");
    }

    #[test]
    fn a_free_seat_makes_nobody_leave() {
        let seats = Seats::new(2);
        let (a, b) = (seats.take().0, seats.take().0);
        drop(b);
        let (c, full) = seats.take();
        assert!(!full);
        assert_eq!(gone(&[&a, &c]), [0; 0]);
        let dismissed = seats.take().0;
        assert_eq!(gone(&[&a, &c, &dismissed]), [0]);
        drop(a);
        assert_eq!(seats.lock().len(), 2, "one that was dismissed gives up nothing more");
    }
}
