//! How long the runs of a day took, as a count per bucket: exact at both ends, within 1/64 between them.

use crate::model::time::Span;

/// Buckets per doubling, as a power of two: a duration is told within half of 1/32.
const FINE: u32 = 5;

/// How long runs took: exact extremes, and a count per bucket. Buckets are as wide as 1/32 of what is in them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sketch {
    pub(super) shortest: Span,
    pub(super) longest: Span,
    /// Bucket and count, by bucket.
    pub(super) buckets: Vec<(u16, u32)>,
}

impl Sketch {
    /// How many durations it holds.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// The shortest one, exactly.
    pub fn shortest(&self) -> Span {
        self.shortest
    }

    /// The longest one, exactly.
    pub fn longest(&self) -> Span {
        self.longest
    }

    /// The duration that `percent` of them do not exceed (the nearest rank), within 1/64 of it.
    pub fn percentile(&self, percent: u64) -> Option<Span> {
        let mut rank = nearest_rank(self.count(), percent)?;
        for (bucket, count) in &self.buckets {
            let count = u64::from(*count);
            if rank <= count {
                return Some(middle(*bucket).clamp(self.shortest, self.longest));
            }
            rank -= count;
        }
        None
    }

    /// Takes a duration in.
    pub(super) fn add(&mut self, duration: Span) {
        let first = self.buckets.is_empty();
        self.shortest = if first { duration } else { self.shortest.min(duration) };
        self.longest = self.longest.max(duration);
        let bucket = bucket(duration);
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(place) => self.buckets[place].1 = self.buckets[place].1.saturating_add(1),
            Err(place) => self.buckets.insert(place, (bucket, 1)),
        }
    }
}

/// The rank, from 1, of the value that `percent` of `count` values do not exceed.
pub(crate) fn nearest_rank(count: u64, percent: u64) -> Option<u64> {
    (count > 0).then(|| (count * percent).div_ceil(100).max(1))
}

/// Below 32 ms each has its own; above, 32 to each doubling.
pub(super) fn bucket(duration: Span) -> u16 {
    let ms = duration.as_millis().unsigned_abs();
    let doubling = ms.max(1).ilog2().max(FINE);
    (u64::from((doubling - FINE) << FINE) + (ms >> (doubling - FINE))) as u16
}

fn middle(bucket: u16) -> Span {
    let doubling = (u32::from(bucket) >> FINE).saturating_sub(1);
    let low = u64::from(bucket) - (u64::from(doubling) << FINE);
    let width = 1_u64 << doubling.min(40);
    Span::from_millis((low * width + (width - 1) / 2) as i64)
}
