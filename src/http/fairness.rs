//! The fair limits: no address and no heartbeat may have so many pings, and no address so many other requests, that others
//! have to wait for theirs. It knows which limits there are, and counts and tells what was refused; how a limit is kept is
//! in `limit`, what is answered to who is refused in `ping` and `gate`.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use uuid::Uuid;

use crate::config::rate::Rate;
use crate::http::crowd::Crowd;
use crate::http::knocks::Knocks;
use crate::http::limit::{Limiter, owner, whole_seconds};
use crate::http::listen::Peer;
use crate::http::origin::origin;
use crate::http::seam::Engine;
use crate::http::{Door, HttpSettings};
use crate::model::heartbeat::namespace;
use crate::model::ping::{Ping, Target};
use crate::model::time::Timestamp;

/// How long a refusal is held back. Who floods is as fast as the answers: a refusal costs less than a ping that waits for
/// the disk, so without this a flood that is refused would come faster than one that is taken, and hold up others more.
pub(crate) const HOLD: Duration = Duration::from_millis(250);

/// Marks an answer that is held back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// Whose it is; nobody's when a proxy brought it, which speaks for many.
    pub(crate) of: Option<IpAddr>,
}

/// What pings and other requests had, and what was refused.
#[derive(Debug, Default)]
pub(crate) struct Fairness {
    addresses: Mutex<Limiter<IpAddr>>,
    heartbeats: Mutex<Limiter<Uuid>>,
    requests: Mutex<Limiter<(IpAddr, Asked)>>,
    from_addresses: Refusals,
    of_heartbeats: Refusals,
    of_requests: Refusals,
    pub(crate) crowd: Arc<Crowd>,
}

/// What was refused by one limit.
#[derive(Debug, Default)]
struct Refusals {
    count: AtomicU64,
    knocks: Knocks,
}

/// What a request that is no ping asks for. Each has the whole rate for itself: whoever shares its address with a flood must
/// still be able to ask whether the daemon is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Asked {
    Health,
    Anything,
}

/// A ping or request that was one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) limit: Limit,
    /// After how many seconds it is worth to try again.
    pub(crate) seconds: u64,
}

/// Whose limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    Address,
    Heartbeat,
    Request,
}

/// A heartbeat's ping that was counted before it was known whether it would be taken: else those that are under way at
/// the same time would all pass.
#[derive(Debug)]
pub(crate) struct Share {
    rate: Rate,
    heartbeat: Uuid,
}

impl Fairness {
    /// One more ping of this address, whatever it is for.
    pub(crate) fn of_address<E: Engine>(
        door: &Door<E>,
        rate: Option<Rate>,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), Excess> {
        let (Some(rate), Some(from)) = (rate, from) else { return Ok(()) };
        let this = &door.fairness;
        let taken =
            this.addresses.lock().unwrap_or_else(PoisonError::into_inner).take(rate, owner(from), now);
        taken.map_err(|wait| {
            if let Some(untold) = this.from_addresses.refused(now) {
                tracing::warn!(
                    untold,
                    "a ping from {from} was refused: the address has more than {rate} (server.ping_rate_per_address)"
                );
            }
            Excess::new(Limit::Address, wait)
        })
    }

    /// One more request of whoever this head is from, which is no ping.
    pub(crate) fn of_request<E: Engine>(
        door: &Door<E>,
        asked: Asked,
        headers: &HeaderMap,
        peer: Option<Peer>,
    ) -> Result<(), Excess> {
        let settings = door.settings();
        let Some(rate) = settings.request_rate_per_address else { return Ok(()) };
        let peer = peer.and_then(|peer| peer.address);
        let Some(from) = origin(peer, headers, &settings.trusted_proxies) else { return Ok(()) };
        let (this, now) = (&door.fairness, door.engine.now());
        let key = (owner(from), asked);
        let taken = this.requests.lock().unwrap_or_else(PoisonError::into_inner).take(rate, key, now);
        taken.map_err(|wait| {
            if let Some(untold) = this.of_requests.refused(now) {
                tracing::warn!(
                    untold,
                    "a request from {from} was refused: the address has more than {rate} (server.request_rate_per_address)"
                );
            }
            Excess::new(Limit::Request, wait)
        })
    }

    /// The ping was refused for its heartbeat's sake: a job in a loop must not use up what the others of its host have.
    pub(crate) fn give_back_to(&self, rate: Option<Rate>, from: Option<IpAddr>, now: Timestamp) {
        if let (Some(rate), Some(from)) = (rate, from) {
            let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
            addresses.give_back(rate, owner(from), now);
        }
    }

    /// One more ping for its heartbeat. Which that is can only be told by its UUID: a heartbeat whose `uuid` is set in
    /// the config has one limit by that and one by its slug.
    pub(crate) fn of_heartbeat<E: Engine>(
        door: &Arc<Door<E>>,
        settings: &HttpSettings,
        ping: &Ping,
    ) -> Result<Option<Share>, Excess> {
        let Some(rate) = settings.ping_rate_per_heartbeat else { return Ok(None) };
        let heartbeat = match &ping.target {
            Target::Uuid(uuid) => *uuid,
            Target::Slug(slug) => Uuid::new_v5(&namespace(&settings.ping_key), slug.as_str().as_bytes()),
        };
        let this = &door.fairness;
        let taken =
            this.heartbeats.lock().unwrap_or_else(PoisonError::into_inner).take(rate, heartbeat, ping.at);
        match taken {
            Ok(()) => Ok(Some(Share { rate, heartbeat })),
            Err(wait) => {
                if let Some(untold) = this.of_heartbeats.refused(ping.at) {
                    tokio::spawn(tell(Arc::clone(door), ping.target.clone(), rate, untold));
                }
                Err(Excess::new(Limit::Heartbeat, wait))
            }
        }
    }

    /// The ping was not taken: else pings to UUIDs that nobody has would fill the memory of the limit.
    pub(crate) fn give_back(&self, share: &Share, now: Timestamp) {
        let mut heartbeats = self.heartbeats.lock().unwrap_or_else(PoisonError::into_inner);
        heartbeats.give_back(share.rate, share.heartbeat, now);
    }

    /// How many addresses and heartbeats the limits remember.
    #[cfg(test)]
    pub(crate) fn remembered(&self) -> (usize, usize) {
        (self.addresses.lock().unwrap().len(), self.heartbeats.lock().unwrap().len())
    }

    /// How many requests were refused since the start that were no pings.
    pub(crate) fn requests_refused(&self) -> u64 {
        self.of_requests.count.load(Ordering::Relaxed)
    }

    /// How many pings were refused since the start, by the limit; and connections that were not even heard.
    pub(crate) fn refused(&self) -> [(&'static str, u64); 3] {
        let count = |refusals: &Refusals| refusals.count.load(Ordering::Relaxed);
        let (addresses, heartbeats) = (count(&self.from_addresses), count(&self.of_heartbeats));
        [("address", addresses), ("heartbeat", heartbeats), ("connection", self.crowd.hung_up())]
    }
}

/// Tells the log which heartbeat it is: by its slug, since its UUID is a secret.
async fn tell<E: Engine>(door: Arc<Door<E>>, target: Target, rate: Rate, untold: u64) {
    let slug = match target {
        Target::Slug(slug) => Some(slug),
        Target::Uuid(uuid) => {
            let asked = door.engine.ask(move |view| view.slug_of(&uuid.to_string()));
            asked.await.ok().flatten()
        }
    };
    tracing::warn!(
        heartbeat = slug.map(tracing::field::display),
        untold,
        "a ping was refused: its heartbeat has more than {rate} (server.ping_rate_per_heartbeat)"
    );
}

impl Refusals {
    /// One more. Gives how many were not told since the last that was, if this one is to be told.
    fn refused(&self, now: Timestamp) -> Option<u64> {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.knocks.heard(now)
    }
}

impl Excess {
    fn new(limit: Limit, wait: Duration) -> Self {
        Self { limit, seconds: whole_seconds(wait) }
    }

    /// How its answer is held back.
    pub(crate) fn held(&self, peer: Option<Peer>, settings: &HttpSettings) -> Held {
        // A job in a loop is no reason to hang up on the others of its host.
        let peer = peer.and_then(|peer| peer.address).filter(|_| self.limit != Limit::Heartbeat);
        let proxy = |address: &IpAddr| settings.trusted_proxies.iter().any(|net| net.contains(address));
        Held { of: peer.filter(|address| !proxy(address)) }
    }
}

/// What to do, for people.
impl std::fmt::Display for Excess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.limit {
            Limit::Address => "pings from this address",
            Limit::Heartbeat => "pings for this heartbeat",
            Limit::Request => "requests from this address",
        };
        write!(f, "too many {what}, try again in {} s", self.seconds)
    }
}
