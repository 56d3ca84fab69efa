//! Days counted, packed and written.

use super::*;
use crate::machine::days::sketch::{bucket, nearest_rank};

use proptest::prelude::*;

fn noon(date: i64) -> Timestamp {
    Timestamp::from_millis(date * DAY_MS + DAY_MS / 2)
}

fn ms(millis: i64) -> Span {
    Span::from_millis(millis)
}

fn counts(days: &Days) -> Vec<(i32, u32, u32)> {
    days.all().iter().map(|day| (day.date, day.counts.good, day.counts.bad)).collect()
}

#[test]
fn a_day_counts_its_runs_and_how_long_they_took() {
    let mut days = Days::default();
    days.ended(noon(5), Outcome::Success, Some(ms(1_000)));
    days.ended(noon(5), Outcome::Success, Some(ms(3_000)));
    days.ended(noon(5), Outcome::Failure, None);
    days.ended(noon(5), Outcome::Abandoned, None);
    let all = days.all();
    let [day] = &all[..] else { panic!("{all:?}") };
    assert_eq!((day.counts.success, day.counts.failure, day.counts.abandoned), (2, 1, 1));
    assert_eq!(
        (day.durations.count(), day.durations.shortest(), day.durations.longest()),
        (2, Span::from_secs(1), Span::from_secs(3))
    );
}

#[test]
fn a_period_that_failed_counts_once_however_often_it_was_tried() {
    let mut days = Days::default();
    // A calendar job: the first finish moves its due, the further ones of the same night do not.
    days.finished(noon(1), false, true);
    days.finished(noon(1), false, false);
    days.finished(noon(1), true, false);
    assert_eq!(counts(&days), [(1, 0, 1)]);
    days.finished(noon(2), true, true);
    days.finished(noon(2), true, false);
    assert_eq!(counts(&days), [(1, 0, 1), (2, 1, 0)]);
    days.finished(noon(2), false, false);
    assert_eq!(counts(&days), [(1, 0, 1), (2, 1, 1)], "it went well, and then badly");
}

#[test]
fn a_run_that_overran_and_the_period_that_it_missed_are_one() {
    let mut days = Days::default();
    days.overran(noon(1));
    days.overran(noon(1));
    days.missed(noon(1), 1);
    assert_eq!(counts(&days), [(1, 0, 1)]);
    days.missed(noon(2), 3);
    assert_eq!(counts(&days), [(1, 0, 1), (2, 0, 3)]);
    days.overran(noon(3));
    days.ended_late(noon(3), Some(ms(5)));
    days.finished(noon(4), true, true);
    assert_eq!(counts(&days), [(1, 0, 1), (2, 0, 3), (3, 0, 1), (4, 1, 0)]);
    days.overran(noon(5));
    days.finished(noon(5), true, true);
    assert_eq!(counts(&days).last(), Some(&(5, 0, 1)), "another run went well in the period that it spoilt");
    days.overran(noon(6));
    days.paused();
    days.finished(noon(6), true, true);
    assert_eq!(counts(&days).last(), Some(&(6, 1, 1)), "after a pause a period begins anew");
}

#[test]
fn ninety_days_are_kept_and_packed_small() {
    let mut days = Days::default();
    for date in 20_000..20_200 {
        days.ended(noon(date), Outcome::Success, Some(ms(1_033 + date % 7)));
        days.finished(noon(date), true, true);
    }
    let all = days.all();
    assert_eq!((all.len(), all[0].date, all[89].date), (90, 20_110, 20_199));
    assert!(days.past.len() <= 89 * 14, "{} bytes", days.past.len());
    assert!(all.iter().all(|day| day.counts.success == 1 && day.counts.good == 1));
}

#[test]
fn what_came_before_midnight_and_is_told_after_it_counts_for_its_own_day() {
    let mut days = Days::default();
    days.finished(noon(10), true, true);
    days.finished(noon(12), true, true);
    days.finished(noon(11), false, true);
    days.finished(noon(12), true, true);
    assert_eq!(counts(&days), [(10, 1, 0), (11, 0, 1), (12, 2, 0)]);
}

#[test]
fn a_clock_that_was_far_off_for_a_while_costs_a_few_places() {
    let mut days = Days::default();
    for date in 0..90 {
        days.finished(noon(date), true, true);
    }
    days.finished(noon(50_000), true, true);
    days.finished(noon(90), true, true);
    days.finished(noon(91), false, true);
    // And one that was far behind.
    days.finished(noon(-10_000), true, true);
    days.finished(noon(92), true, true);
    let counted = counts(&days);
    assert_eq!((counted.len(), counted[0], counted[88], counted[89].0), (90, (4, 1, 0), (92, 1, 0), 50_000));
}

#[test]
fn buckets_go_on_without_a_gap() {
    let mut before = None;
    for millis in 0..100_000 {
        let bucket = bucket(Span::from_millis(millis));
        let step = before.map_or(0, |before| i64::from(bucket) - i64::from(before));
        assert!((0..=1).contains(&step), "at {millis} ms");
        before = Some(bucket);
    }
}

proptest! {
    #[test]
    fn a_percentile_is_within_a_64th_of_the_exact_one(
        mut durations in proptest::collection::vec(0_i64..40_000_000_000, 1..200),
        percent in 0_u64..=100,
    ) {
        let mut sketch = Sketch::default();
        for millis in &durations {
            sketch.add(ms(*millis));
        }
        durations.sort_unstable();
        let rank = nearest_rank(durations.len() as u64, percent).unwrap() as usize;
        let (exact, told) = (durations[rank - 1], sketch.percentile(percent).unwrap().as_millis());
        prop_assert!((told - exact).abs() * 64 <= exact.max(64), "{told} for {exact}");
        prop_assert_eq!(sketch.count(), durations.len() as u64);
        prop_assert_eq!(sketch.longest(), Span::from_millis(*durations.last().unwrap()));
    }

    #[test]
    fn packed_days_and_written_days_are_the_same_days(
        events in proptest::collection::vec((0_i64..120, 0_u8..6, 0_i64..10_000_000), 0..200),
    ) {
        let mut days = Days::default();
        for (date, what, millis) in events {
            match what {
                0 => days.ended(noon(date), Outcome::Success, Some(ms(millis))),
                1 => days.ended(noon(date), Outcome::Overran, None),
                2 => days.finished(noon(date), millis % 2 == 0, millis % 3 == 0),
                3 => days.missed(noon(date), millis as u32),
                4 => days.overran(noon(date)),
                _ => days.ended_late(noon(date), Some(ms(millis))),
            }
        }
        let all = days.all();
        prop_assert!(all.windows(2).all(|pair| pair[0].date < pair[1].date));
        prop_assert_eq!(unpack(&pack(&all)), all.clone());
        let text = serde_json::to_string(&days).unwrap();
        prop_assert_eq!(serde_json::from_str::<Days>(&text).unwrap(), days);
    }

    #[test]
    fn damaged_bytes_end_the_days_and_nothing_else(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        unpack(&bytes);
    }
}
