//! Runs from start to finish, those that overlap beneath one another. Numbers only.

use crate::model::time::Timestamp;

/// Most lanes that are drawn; what overlaps more is drawn over one another in the last.
pub(super) const LANES: usize = 8;

/// In which lane each run lies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Lanes {
    /// One for each run.
    pub(super) lane: Vec<usize>,
    /// How many there are.
    pub(super) count: usize,
    /// Runs that lie over others, since there are not lanes enough.
    pub(super) crowded: usize,
    /// Runs that overlap another in time.
    pub(super) overlapping: usize,
}

/// Puts each run into the first lane that is free when it starts. They come in the order of their starts; an end
/// before the start is none.
pub(super) fn lanes(runs: &[(Timestamp, Timestamp)]) -> Lanes {
    let mut placed = Lanes { lane: Vec::with_capacity(runs.len()), ..Lanes::default() };
    let mut free_from: Vec<Timestamp> = Vec::new();
    for (start, end) in runs {
        let free = free_from.iter().position(|from| from <= start);
        let lane = match free {
            Some(lane) => lane,
            None if free_from.len() < LANES => {
                free_from.push(*end);
                free_from.len() - 1
            }
            None => {
                placed.crowded += 1;
                LANES - 1
            }
        };
        free_from[lane] = free_from[lane].max(*end);
        placed.lane.push(lane);
    }
    placed.count = free_from.len();
    placed.overlapping = overlapping(runs);
    placed
}

fn overlapping(runs: &[(Timestamp, Timestamp)]) -> usize {
    let mut marked = vec![false; runs.len()];
    let mut longest: Option<usize> = None;
    for (n, (start, end)) in runs.iter().enumerate() {
        if let Some(before) = longest.filter(|before| runs[*before].1 > *start) {
            (marked[n], marked[before]) = (true, true);
        }
        if longest.is_none_or(|before| runs[before].1 < *end) {
            longest = Some(n);
        }
    }
    marked.into_iter().filter(|marked| *marked).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(runs: &[(i64, i64)]) -> Lanes {
        let at = Timestamp::from_millis;
        lanes(&runs.iter().map(|(start, end)| (at(*start), at(*end))).collect::<Vec<_>>())
    }

    #[test]
    fn what_overlaps_lies_beneath() {
        assert_eq!(placed(&[]), Lanes::default());
        let one_after_another = placed(&[(0, 5), (5, 9), (9, 9), (9, 12)]);
        assert_eq!((one_after_another.lane, one_after_another.overlapping), (vec![0, 0, 0, 0], 0));
        let overlapping = placed(&[(0, 10), (2, 4), (4, 6), (5, 20), (11, 12)]);
        assert_eq!(overlapping.lane, [0, 1, 1, 2, 0]);
        assert_eq!((overlapping.count, overlapping.overlapping, overlapping.crowded), (3, 5, 0));
    }

    #[test]
    fn lanes_are_bounded() {
        let many = placed(&vec![(0, 10); 20]);
        assert_eq!((many.count, many.crowded, many.overlapping), (LANES, 12, 20));
    }
}
