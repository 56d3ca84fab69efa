//! Fair limits: so many in so long for each key, and as many at once. One instant is kept for each key, by the generic
//! cell rate algorithm (ITU-T I.371): the instant at which all that the key has had would be paid off if one were
//! allowed each interval. Pure; it knows keys, rates and instants, and nothing of what they are the keys of.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use indexmap::IndexMap;

use crate::config::rate::Rate;
use crate::model::time::Timestamp;

/// Keys that are kept at the most: about 4 MB.
const KEYS: usize = 65_536;
/// Keys that each call looks at, to forget those that have paid off all. More than one, so that it gains on a flood of
/// new ones; few, so that no call takes long.
const SWEEP: usize = 4;

/// What each key has had.
#[derive(Debug)]
pub(crate) struct Limiter<K> {
    /// When each has paid off all, in nanoseconds since 1970.
    paid_off: IndexMap<K, i64>,
    /// Where the sweep goes on.
    next: usize,
    most: usize,
}

impl<K> Default for Limiter<K> {
    fn default() -> Self {
        Self { paid_off: IndexMap::default(), next: 0, most: KEYS }
    }
}

impl<K: Copy + Eq + Hash> Limiter<K> {
    /// One more of this key, if the rate lets it through; else how long it is until it would.
    ///
    /// When there is no room for a new key it passes: with so many at it at once nobody can be told from those who
    /// flood, and whoever was refused in their place would be a job whose silence raises a false alarm.
    pub(crate) fn take(&mut self, rate: Rate, key: K, now: Timestamp) -> Result<(), Duration> {
        let Terms { interval, whole } = Terms::of(rate);
        let now = nanos(now);
        self.sweep(whole, now);
        let room = self.paid_off.len() < self.most;
        let Some(paid_off) = self.paid_off.get_mut(&key) else {
            if room {
                self.paid_off.insert(key, now.saturating_add(interval));
            }
            return Ok(());
        };
        // Kept even if this one is refused: else it would be moved along with each that comes.
        *paid_off = sane(*paid_off, whole, now);
        let wanted = now.max(*paid_off).saturating_add(interval);
        let excess = wanted.saturating_sub(now).saturating_sub(whole);
        if excess > 0 {
            return Err(Duration::from_nanos(excess.unsigned_abs()));
        }
        *paid_off = wanted;
        Ok(())
    }

    /// Takes one back that did not count after all.
    pub(crate) fn give_back(&mut self, rate: Rate, key: K, now: Timestamp) {
        let Terms { interval, whole } = Terms::of(rate);
        let now = nanos(now);
        let Some((at, _, paid_off)) = self.paid_off.get_full_mut(&key) else { return };
        *paid_off = sane(*paid_off, whole, now).saturating_sub(interval);
        if *paid_off <= now {
            self.paid_off.swap_remove_index(at);
        }
    }

    /// Keys that are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.paid_off.len()
    }

    /// Forgets some of those that have paid off all: they are as good as absent.
    fn sweep(&mut self, whole: i64, now: i64) {
        for _ in 0..SWEEP.min(self.paid_off.len()) {
            let Some((_, paid_off)) = self.paid_off.get_index_mut(self.next) else {
                self.next = 0;
                continue;
            };
            *paid_off = sane(*paid_off, whole, now);
            if *paid_off <= now {
                // The last comes into its place, and is looked at next.
                self.paid_off.swap_remove_index(self.next);
            } else {
                self.next += 1;
            }
        }
    }
}

/// A rate in nanoseconds.
struct Terms {
    /// Between one and the next.
    interval: i64,
    /// As many intervals as may come at once.
    whole: i64,
}

impl Terms {
    fn of(rate: Rate) -> Self {
        let count = i64::from(rate.count());
        let interval = rate.per().as_millis() * 1_000_000 / count;
        Self { interval, whole: interval * count }
    }
}

fn nanos(instant: Timestamp) -> i64 {
    instant.as_millis().saturating_mul(1_000_000)
}

/// Nobody can owe more than all at once. Who seems to has been here before the clock was set back or the rate changed:
/// without this they would wait for as long as the clock was set back, while so it is an interval at the most.
fn sane(paid_off: i64, whole: i64, now: i64) -> i64 {
    paid_off.min(now.saturating_add(whole))
}

/// Whose an address is: an IPv6 network of 64 bits has one owner, who may speak from any of its addresses.
pub(crate) fn owner(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Whole seconds after which it is worth to try again, for `Retry-After`.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0).max(u64::from(wait.is_zero()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::rate::parse_rate;
    use proptest::prelude::*;

    const NOON: i64 = 1_795_348_800_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(NOON + millis)
    }

    fn rate(text: &str) -> Rate {
        parse_rate(text).unwrap()
    }

    /// What the rule says, from every ping that was ever let through: in no stretch of time, from any of them to now, may
    /// there be more than the burst and one for each interval of the stretch. Gives how long it is until one more would
    /// keep it.
    fn naive(rate: Rate, taken: &[i64], now: i64) -> i64 {
        let interval = rate.per().as_millis() * 1_000_000 / i64::from(rate.count());
        let waits = taken.iter().enumerate().map(|(n, first)| {
            let with_this = (taken.len() - n + 1) as i64;
            (with_this - i64::from(rate.count())) * interval - (now - first) * 1_000_000
        });
        waits.max().unwrap_or(0).max(0)
    }

    proptest! {
        #[test]
        fn it_lets_through_what_the_rule_over_all_that_came_before_lets_through(
            count in 1_u32..8,
            unit in prop::sample::select(&['s', 'm'][..]),
            pings in prop::collection::vec((0_u8..4, 0_i64..400), 1..200),
        ) {
            let rate = rate(&format!("{count}/{unit}"));
            let mut limiter = Limiter::default();
            let mut taken = [const { Vec::new() }; 4];
            let mut now = 0;
            for (key, pause) in pings {
                now += pause;
                let wait = naive(rate, &taken[usize::from(key)], now);
                let expected = if wait == 0 { Ok(()) } else { Err(Duration::from_nanos(wait as u64)) };
                prop_assert_eq!(limiter.take(rate, key, at(now)), expected);
                if wait == 0 {
                    taken[usize::from(key)].push(now);
                }
            }
        }

        #[test]
        fn nobody_waits_longer_than_an_interval_whatever_the_clock_does(
            count in 1_u32..8,
            pings in prop::collection::vec((0_u8..3, -5_000_000_i64..5_000_000), 1..100),
        ) {
            let rate = rate(&format!("{count}/m"));
            let interval = Duration::from_nanos(60_000_000_000 / u64::from(count));
            let mut limiter = Limiter::default();
            for (key, millis) in pings {
                if let Err(wait) = limiter.take(rate, key, at(millis)) {
                    prop_assert!(wait <= interval, "{wait:?}");
                    let later = millis + i64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap();
                    prop_assert_eq!(limiter.take(rate, key, at(later)), Ok(()));
                }
            }
        }

        #[test]
        fn what_is_given_back_was_never_taken(
            before in 0_usize..6,
            given_back in 1_usize..6,
        ) {
            let rate = rate("12/m");
            let mut limiter = Limiter::default();
            for _ in 0..before {
                limiter.take(rate, "a", at(0)).unwrap();
            }
            let kept = limiter.paid_off.clone();
            for _ in 0..given_back {
                limiter.take(rate, "a", at(0)).unwrap();
            }
            for _ in 0..given_back {
                limiter.give_back(rate, "a", at(0));
            }
            prop_assert_eq!(limiter.paid_off, kept);
        }
    }

    #[test]
    fn the_burst_passes_at_once_and_then_one_each_interval() {
        let (rate, mut limiter) = (rate("300/m"), Limiter::default());
        assert_eq!((0..301).filter(|_| limiter.take(rate, 'a', at(0)).is_ok()).count(), 300);
        assert_eq!(limiter.take(rate, 'a', at(150)), Err(Duration::from_millis(50)));
        assert_eq!(limiter.take(rate, 'a', at(200)), Ok(()));
        assert_eq!(limiter.take(rate, 'a', at(200)), Err(Duration::from_millis(200)));
        assert_eq!(limiter.take(rate, 'b', at(200)), Ok(()), "another is not hit by it");
        assert_eq!((0..400).filter(|_| limiter.take(rate, 'a', at(60_200)).is_ok()).count(), 300);
    }

    #[test]
    fn a_clock_that_is_set_back_costs_the_burst_and_no_more() {
        let (rate, mut limiter) = (rate("10/m"), Limiter::default());
        limiter.take(rate, 'a', at(0)).unwrap();
        let set_back = -7 * 86_400_000;
        assert_eq!(limiter.take(rate, 'a', at(set_back)), Err(Duration::from_secs(6)));
        assert_eq!(limiter.take(rate, 'a', at(set_back + 5_999)), Err(Duration::from_millis(1)));
        assert_eq!(limiter.take(rate, 'a', at(set_back + 6_000)), Ok(()));
        assert_eq!(limiter.take(rate, 'b', at(set_back)), Ok(()));
    }

    #[test]
    fn another_rate_holds_from_its_first_ping_on() {
        let mut limiter = Limiter::default();
        while limiter.take(rate("5/h"), 'a', at(0)).is_ok() {}
        assert_eq!(limiter.take(rate("10/s"), 'a', at(0)), Err(Duration::from_millis(100)));
        assert_eq!(limiter.take(rate("10/s"), 'a', at(100)), Ok(()));
    }

    #[test]
    fn keys_that_have_paid_off_all_are_forgotten_a_few_at_a_time() {
        let (rate, mut limiter) = (rate("10/s"), Limiter::default());
        for key in 0..1_000 {
            limiter.take(rate, key, at(0)).unwrap();
        }
        assert_eq!(limiter.paid_off.len(), 1_000);
        for calls in 1_i64..=400 {
            let before = limiter.paid_off.len();
            limiter.take(rate, 5_000, at(10_000 + 200 * calls)).unwrap();
            assert!(before - limiter.paid_off.len() <= SWEEP);
        }
        assert_eq!(limiter.paid_off.len(), 1, "all but the one that came last");
    }

    #[test]
    fn there_are_never_more_keys_than_fit_and_one_more_passes() {
        let (rate, mut limiter) = (rate("1/h"), Limiter { most: 100, ..Limiter::default() });
        for key in 0..10_000 {
            assert_eq!(limiter.take(rate, key, at(0)), Ok(()), "{key}");
            assert!(limiter.paid_off.len() <= 100);
        }
        assert!(limiter.take(rate, 50, at(0)).is_err(), "those that are known are limited all the same");
        assert_eq!(limiter.take(rate, 500, at(0)), Ok(()));
        // An hour later the old ones make room again.
        for key in 10_000..10_100 {
            limiter.take(rate, key, at(3_600_000)).unwrap();
        }
        assert!(limiter.take(rate, 10_099, at(3_600_000)).is_err());
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_owner() {
        let of = |address: &str| owner(address.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::9"));
        assert_ne!(of("2001:db8:1:2::9"), of("2001:db8:1:3::9"));
        assert_eq!(of("198.51.100.7"), "198.51.100.7");
    }

    #[test]
    fn seconds_to_wait_are_whole_and_at_least_one() {
        let seconds = [0, 1, 999, 1_000, 1_001, 12_000].map(|ms| whole_seconds(Duration::from_millis(ms)));
        assert_eq!(seconds, [1, 1, 1, 1, 2, 12]);
    }
}
