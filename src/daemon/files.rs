//! The files that the process may have open, shared out once at the start: some for what must never wait for one (journal,
//! snapshots, config, watch and log), a part for deliveries, and the rest for connections. Knows numbers, and nothing of
//! what is done with the files.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::deliver::FILES_EACH;
use crate::machine::delivery::PLACES;

/// Files that the daemon opens for itself beside those that are open when they are shared out: event queues and signals,
/// journal and snapshot with their successors, the config with its includes, `alive_url`, and connections that have been
/// dismissed and are not closed yet.
const OWN: usize = 40;
/// What deliveries have however few channels there are: a reload may bring more.
const DELIVERIES: usize = 512;
/// Where it cannot be counted how many are open.
const OPEN: usize = 24;

/// Who may have how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Files {
    /// Connections that come in.
    pub(super) connections: usize,
    /// What deliveries may have open.
    pub(super) deliveries: usize,
}

/// Raises the limit as far as the system lets it, and shares out what there is: for `wished` connections, and for
/// deliveries to so many channels. Warns where that is not enough.
pub(super) fn share_out(wished: usize, channels: usize) -> Files {
    let files = Files::of(limit(), open(), wished, channels);
    if files.connections < wished {
        tracing::warn!(
            max_connections = wished,
            room = files.connections,
            "the limit of open files is too low for so many connections; raise LimitNOFILE"
        );
    }
    if files.deliveries < channels.saturating_mul(FILES_EACH) {
        tracing::warn!(
            channels,
            "the limit of open files is too low for a delivery to each channel at a time: receivers that hang delay the \
             alerts of other channels; raise LimitNOFILE"
        );
    }
    files
}

impl Files {
    /// Deliveries have what they need, as long as that is not more than half, and what connections leave as well.
    fn of(limit: usize, open: usize, wished: usize, channels: usize) -> Self {
        let rest = limit.saturating_sub(open.saturating_add(OWN));
        let needed = channels.saturating_mul(PLACES * FILES_EACH).max(DELIVERIES);
        let connections = wished.min(rest - needed.min(rest / 2)).max(1);
        Self { connections, deliveries: rest.saturating_sub(connections) }
    }
}

/// How many files may be open, after the soft limit has been raised to the hard one.
fn limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let files = setrlimit(Resource::Nofile, raised).map_or(limit.current, |()| limit.maximum);
    files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX))
}

/// How many are open.
fn open() -> usize {
    fs::read_dir("/proc/self/fd").map_or(OPEN, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(limit: usize, wished: usize, channels: usize) -> (usize, usize) {
        let files = Files::of(limit, 20, wished, channels);
        (files.connections, files.deliveries)
    }

    #[test]
    fn where_there_are_plenty_connections_have_what_is_wished_for_and_deliveries_the_rest() {
        assert_eq!(shares(65_536, 1_024, 3), (1_024, 64_452));
        assert_eq!(shares(usize::MAX, 1_000_000, 3).0, 1_000_000);
    }

    #[test]
    fn connections_leave_what_deliveries_need() {
        assert_eq!(shares(20_060, 100_000, 3), (19_488, 512));
        assert_eq!(shares(20_060, 100_000, 100), (18_400, 1_600));
        assert_eq!(shares(20_060, 100_000, 100_000), (10_000, 10_000), "but no more than half");
    }

    #[test]
    fn of_few_each_has_half() {
        assert_eq!(shares(160, 1_024, 3), (50, 50));
        assert_eq!(shares(161, 1_024, 3), (51, 50));
        assert_eq!(shares(1_024, 1_024, 3), (482, 482));
        assert_eq!(shares(160, 10, 3), (10, 90));
    }

    #[test]
    fn of_none_there_is_a_connection_all_the_same() {
        for limit in [0, 20, 60, 61] {
            assert_eq!(shares(limit, 1_024, 3), (1, 0), "{limit}");
        }
    }

    #[test]
    fn what_is_open_and_kept_is_never_shared_out() {
        for limit in 100..2_000 {
            for (open, wished, channels) in [(1, 3 * limit, 0), (7, limit / 2, 9), (99, 1_024, 99)] {
                let files = Files::of(limit, open, wished, channels);
                let rest = limit.saturating_sub(open + OWN);
                assert_eq!(files.connections + files.deliveries, rest.max(1), "{limit} {open} {wished}");
            }
        }
    }
}
