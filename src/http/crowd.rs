//! Who comes again and again though it is told to wait: an address so many of whose refusals are held back at a time
//! that its further connections are closed as they come. It counts addresses, and knows nothing of what was refused.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::limit::owner;

/// Refusals of one address that are held back at a time. Reading a request and refusing it costs far more than closing
/// its connection: without this a flood of connections that waits for no answer would fill the queue of those that are
/// still to be accepted, and others would wait in it behind all of them.
const MOST: usize = 128;

/// Whose refusals are held back, and on how many connections it was hung up for that.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    /// How many of each address. There are never more of them than connections.
    held: Mutex<HashMap<IpAddr, usize>>,
    hung_up: AtomicU64,
}

/// A refusal while it is held back.
#[derive(Debug)]
pub(crate) struct Waiting {
    crowd: Arc<Crowd>,
    owner: IpAddr,
}

impl Crowd {
    /// One more refusal of this address is held back, until what this gives is dropped.
    pub(crate) fn wait(self: &Arc<Self>, address: IpAddr) -> Waiting {
        let owner = owner(address);
        *self.lock().entry(owner).or_default() += 1;
        Waiting { crowd: Arc::clone(self), owner }
    }

    /// Whether no more of this address is to be heard for now; then its new connection counts as hung up on.
    pub(crate) fn is_full(&self, address: IpAddr) -> bool {
        let full = self.lock().get(&owner(address)).is_some_and(|held| *held >= MOST);
        self.hung_up.fetch_add(full.into(), Ordering::Relaxed);
        full
    }

    /// On how many connections it was hung up.
    pub(crate) fn hung_up(&self) -> u64 {
        self.hung_up.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut crowd = self.crowd.lock();
        if let Some(held) = crowd.get_mut(&self.owner) {
            *held -= 1;
            if *held == 0 {
                crowd.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_heard_until_too_many_of_its_refusals_are_held_and_again_when_one_ends() {
        let crowd = Arc::new(Crowd::default());
        let [one, same, other] = ["2001:db8:1:2::1", "2001:db8:1:2::ffff", "198.51.100.7"]
            .map(|text| text.parse::<IpAddr>().unwrap());
        let mut waiting: Vec<Waiting> = (1..MOST).map(|_| crowd.wait(one)).collect();
        assert!(!crowd.is_full(one));
        waiting.push(crowd.wait(same));
        assert_eq!([one, same, other].map(|address| crowd.is_full(address)), [true, true, false]);
        assert_eq!(crowd.hung_up(), 2);
        waiting.pop();
        assert!(!crowd.is_full(one));
        drop(waiting);
        assert!(crowd.lock().is_empty(), "nobody is remembered");
    }
}
