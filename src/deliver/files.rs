//! The files that deliveries may have open: each takes its share of them before it connects, and waits while there is none.
//! The last shares are kept for channels that have none yet, so receivers that hang cannot keep those of other channels
//! out. It knows channels by name, and counts; never what is delivered.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::model::channel::ChannelName;

/// Files that one delivery may need: a name with addresses of both families is tried by both at once.
pub(super) const EACH: usize = 2;
/// Between two lines of the log that deliveries wait.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// All shares. All clones are one.
#[derive(Debug, Clone)]
pub(super) struct Files(Arc<Mutex<Shares>>);

#[derive(Debug)]
struct Shares {
    all: usize,
    free: usize,
    /// How many each channel has that has any.
    held: BTreeMap<ChannelName, usize>,
    /// Who waits, by channel, each with its turn.
    waiting: BTreeMap<ChannelName, VecDeque<(u64, oneshot::Sender<Share>)>>,
    turns: u64,
    /// How many channels may want one.
    channels: usize,
    ended: bool,
    told: Option<Instant>,
}

/// The files of one delivery; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    files: Files,
    channel: ChannelName,
    /// Whether there were so many left that a connection may be kept for the next delivery.
    pub(super) plenty: bool,
}

/// Who is given a share, and whether there are plenty left.
type Grant = (ChannelName, oneshot::Sender<Share>, bool);

impl Files {
    /// As many shares as so many files give, and one at the least: alerts that wait for one another are better than none.
    pub(super) fn new(files: usize) -> Self {
        let all = (files / EACH).max(1);
        Self(Arc::new(Mutex::new(Shares {
            all,
            free: all,
            held: BTreeMap::new(),
            waiting: BTreeMap::new(),
            turns: 0,
            channels: 0,
            ended: false,
            told: None,
        })))
    }

    /// A share for a delivery of this channel, one of so many that may want any. Its turn is that of the call. Nothing when
    /// [`end`](Self::end) came first.
    pub(super) fn take(
        &self,
        channel: &ChannelName,
        channels: usize,
    ) -> impl Future<Output = Option<Share>> + Send + use<> {
        let (give, given) = oneshot::channel();
        let grants = self.lock().queue(channel, channels, give);
        self.hand_out(grants);
        async move { given.await.ok() }
    }

    /// Whoever waits is sent away, and whoever comes from now on.
    pub(super) fn end(&self) {
        let mut shares = self.lock();
        shares.ended = true;
        shares.waiting.clear();
    }

    /// Not under the lock: a share whose taker has gone comes back at once.
    fn hand_out(&self, grants: Vec<Grant>) {
        for (channel, give, plenty) in grants {
            drop(give.send(Share { files: self.clone(), channel, plenty }));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shares> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shares {
    fn queue(&mut self, channel: &ChannelName, channels: usize, give: oneshot::Sender<Share>) -> Vec<Grant> {
        self.channels = channels;
        if self.ended {
            return Vec::new();
        }
        self.turns += 1;
        self.waiting.entry(channel.clone()).or_default().push_back((self.turns, give));
        let grants = self.settle();
        if !self.waiting.is_empty() && self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            self.told = Some(Instant::now());
            tracing::warn!(
                under_way = self.all - self.free,
                "a delivery waits for others to end, since no more files may be open for them; raise LimitNOFILE"
            );
        }
        grants
    }

    fn give_back(&mut self, channel: &ChannelName) -> Vec<Grant> {
        self.free += 1;
        if let Some(held) = self.held.get_mut(channel) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(channel);
            }
        }
        self.settle()
    }

    /// Gives to those who wait what they may have: first to the channel that has the fewest, of those to whoever waits longest.
    fn settle(&mut self) -> Vec<Grant> {
        let mut grants = Vec::new();
        while let Some(channel) = self.next().filter(|channel| self.may_have(channel)) {
            let Some(queue) = self.waiting.get_mut(&channel) else { break };
            let next = queue.pop_front();
            if queue.is_empty() {
                self.waiting.remove(&channel);
            }
            if let Some((_, give)) = next {
                self.free -= 1;
                *self.held.entry(channel.clone()).or_default() += 1;
                grants.push((channel, give, self.free > self.all / 2));
            }
        }
        grants
    }

    fn next(&self) -> Option<ChannelName> {
        let order = |(channel, queue): &(&ChannelName, &VecDeque<(u64, _)>)| {
            (self.held(channel), queue.front().map(|(turn, _)| *turn))
        };
        self.waiting.iter().min_by_key(order).map(|(channel, _)| channel.clone())
    }

    fn held(&self, channel: &ChannelName) -> usize {
        self.held.get(channel).copied().unwrap_or(0)
    }

    /// The first one of a channel is had as soon as any is free; a further one only if all channels without one could
    /// still have their first.
    fn may_have(&self, channel: &ChannelName) -> bool {
        // One at the least: the next reload may bring a channel.
        let without = self.channels.saturating_sub(self.held.len()).max(1);
        let kept = if self.held(channel) == 0 { 0 } else { without };
        self.free > kept
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let grants = self.files.lock().give_back(&self.channel);
        self.files.hand_out(grants);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::pin::Pin;

    type Taking = Pin<Box<dyn Future<Output = Option<Share>>>>;

    fn take(files: &Files, channel: &str, channels: usize) -> Taking {
        Box::pin(files.take(&ChannelName::new(channel), channels))
    }

    /// The share of one that need not wait.
    fn now(files: &Files, channel: &str, channels: usize) -> Share {
        take(files, channel, channels).now_or_never().flatten().unwrap_or_else(|| panic!("{channel} waits"))
    }

    #[test]
    fn a_channel_that_hangs_takes_all_but_the_first_of_each_other() {
        let files = Files::new(10);
        let hung: Vec<Share> = (0..3).map(|_| now(&files, "hung", 3)).collect();
        let mut more = take(&files, "hung", 3);
        assert!(more.as_mut().now_or_never().is_none(), "the last two are kept for two channels");
        let first = now(&files, "other", 3);
        let mut second = take(&files, "other", 3);
        assert!(second.as_mut().now_or_never().is_none(), "and one for the third");
        let third = now(&files, "third", 3);
        drop(first);
        assert!(more.as_mut().now_or_never().is_none(), "who has fewer is first");
        let first = second.as_mut().now_or_never().flatten().expect("it is the next one of its channel");
        drop(hung);
        assert!(more.now_or_never().is_some());
        drop((first, third));
    }

    #[test]
    fn with_fewer_files_than_channels_whoever_has_none_waits_for_the_first_that_ends() {
        let files = Files::new(4);
        let (one, two) = (now(&files, "one", 5), now(&files, "two", 5));
        let mut again = take(&files, "one", 5);
        let (mut three, mut four) = (take(&files, "three", 5), take(&files, "four", 5));
        drop(two);
        let taken =
            three.as_mut().now_or_never().flatten().expect("it has waited longest of those without any");
        assert!(four.as_mut().now_or_never().is_none());
        drop(taken);
        let taken = four.as_mut().now_or_never().flatten().expect("it is the next");
        drop(taken);
        assert!(
            again.as_mut().now_or_never().is_none(),
            "the one that is free is kept for those without any"
        );
        drop(one);
        assert!(again.as_mut().now_or_never().is_some(), "now it is the first of its channel");
    }

    #[test]
    fn a_share_whose_taker_has_gone_goes_to_the_next_and_none_is_lost() {
        let files = Files::new(2);
        for _ in 0..100 {
            let held = now(&files, "one", 1);
            let gone = take(&files, "one", 1);
            let mut next = take(&files, "one", 1);
            drop(gone);
            drop(held);
            assert!(next.as_mut().now_or_never().flatten().is_some());
        }
        let shares = files.lock();
        assert_eq!((shares.free, shares.held.len(), shares.waiting.len()), (1, 0, 0));
    }

    #[test]
    fn only_while_there_are_plenty_a_connection_may_be_kept() {
        let files = Files::new(12);
        let shares: Vec<Share> = (0..5).map(|_| now(&files, "one", 1)).collect();
        assert_eq!(shares.iter().filter(|share| share.plenty).count(), 2);
    }

    #[test]
    fn the_last_one_is_kept_for_a_channel_that_a_reload_brings() {
        let files = Files::new(4);
        let _hung = now(&files, "hung", 1);
        let mut more = take(&files, "hung", 1);
        assert!(more.as_mut().now_or_never().is_none());
        drop(now(&files, "new", 2));
    }

    #[test]
    fn at_the_end_whoever_waits_is_sent_away() {
        let files = Files::new(0);
        let held = now(&files, "one", 1);
        let waiting = take(&files, "two", 2);
        files.end();
        assert!(waiting.now_or_never().expect("it waits no longer").is_none());
        drop(held);
        assert!(take(&files, "one", 1).now_or_never().expect("nor does anybody later").is_none());
    }
}
