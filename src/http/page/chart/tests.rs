//! The picture of the runs: where everything stands in it, whatever the runs are.

//! What the chart draws of runs of every kind.

use super::*;
use crate::machine::view::RunView;
use crate::model::id::RunId;
use crate::model::run::Outcome;
use proptest::prelude::*;
use uuid::Uuid;

const NOW: i64 = 1_795_348_800_000;

fn now() -> Timestamp {
    Timestamp::from_millis(NOW)
}

/// A run that began so long ago and ended so long ago.
pub(in crate::http::page) fn run(
    began: Option<i64>,
    ended: Option<i64>,
    outcome: Option<Outcome>,
) -> RunEntry {
    let at = |ago: i64| Timestamp::from_millis(NOW - ago);
    let finished = matches!(outcome, Some(Outcome::Success | Outcome::Failure));
    RunEntry {
        run: RunView {
            id: RunId(Uuid::from_u128(1)),
            rid: None,
            started_at: began.map(at),
            duration_ms: began.zip(ended).filter(|_| finished).map(|(began, ended)| began - ended),
            exit_code: None,
            outcome,
        },
        ended_at: ended.map(at),
        ping: None,
        method: None,
        from: None,
        body: None,
    }
}

fn good(began: i64, ended: i64) -> RunEntry {
    run(Some(began), Some(ended), Some(Outcome::Success))
}

#[test]
fn no_runs_make_no_chart() {
    assert!(Chart::of(&[], now()).is_none());
}

#[test]
fn one_run_is_said_and_drawn() {
    let chart = Chart::of(&[good(10_000, 6_000)], now()).unwrap();
    assert_eq!(chart.label, "Durations of the last run since 2026-11-22 11:59:50 UTC: 1 good. It took 4.0s.");
    assert_eq!(chart.points[0].title, "2026-11-22 11:59:50 UTC: success, took 4.0s");
    assert_eq!((chart.points[0].y, chart.points[0].class), (Place(TOP), "good"));
    assert_eq!(chart.overlap, "The run from start to finish. None overlapped.");
    assert!(chart.band.is_none() && !chart.unknown);
}

#[test]
fn what_is_not_known_lies_below_the_foot() {
    let chart = Chart::of(&[run(None, Some(5), Some(Outcome::Failure)), good(9, 9)], now()).unwrap();
    assert!(chart.unknown);
    assert_eq!(chart.points[1].y, Place(UNKNOWN));
    assert!(chart.points[1].title.ends_with("failure, duration not known"));
    assert_eq!(chart.bars.len(), 1, "a lone finish has no start to begin a bar at");
    assert!(chart.height() > Chart::of(&[good(9, 9)], now()).unwrap().height());
}

#[test]
fn a_run_under_way_goes_until_now() {
    let runs = [run(Some(60_000), None, None), good(90_000, 30_000)];
    let chart = Chart::of(&runs, now()).unwrap();
    assert_eq!(chart.points[1].title, "2026-11-22 11:59:00 UTC: running for 1m so far");
    let open = chart.bars.iter().find(|bar| bar.class == "open").unwrap();
    assert!((open.x.0 + open.width.0 - 98.5).abs() < 0.01, "{open:?}");
    assert!(chart.overlap.ends_with("2 overlapped."), "{}", chart.overlap);
}

#[test]
fn one_that_overran_is_as_high_as_long_it_was_waited_for() {
    let runs = [run(Some(7_200_000), Some(3_600_000), Some(Outcome::Overran))];
    let chart = Chart::of(&runs, now()).unwrap();
    assert_eq!(chart.points[0].title, "2026-11-22 10:00:00 UTC: overran after 1h");
    assert_eq!(chart.points[0].y, Place(TOP));
}

#[test]
fn the_band_tells_what_was_usual() {
    let runs: Vec<RunEntry> = (0..30).map(|n| good(n * 60_000 + 5_000, n * 60_000)).collect();
    let band = Chart::of(&runs, now()).unwrap().band.unwrap();
    assert!(band.middle.matches('L').count() == 24 && !band.area.contains("NaN"), "{}", band.middle);
    assert!(Chart::of(&runs[..5], now()).unwrap().band.is_none(), "nothing is usual before the sixth");
}

#[test]
fn what_is_usual_is_told_by_the_twenty_before() {
    let took: Vec<i64> = (1..=25).rev().chain([9_000, 7]).collect();
    assert_eq!(usual(&took[..5]), [23, 25], "of 21 to 25");
    assert_eq!(usual(&took[..25]), [10, 19], "of 1 to 20: an odd one stands out of its own band");
    assert_eq!(usual(&took[..26]), [10, 19], "of 1 to 19 and 9,000");
}

fn any_run() -> impl Strategy<Value = RunEntry> {
    let span = prop_oneof![
        Just(0),
        Just(1),
        0..10_000_i64,
        0..4_000_000_000_i64,
        -5_000..5_000_i64,
        Just(i64::MAX / 4)
    ];
    let outcome = prop_oneof![
        Just(None),
        Just(Some(Outcome::Success)),
        Just(Some(Outcome::Failure)),
        Just(Some(Outcome::Overran)),
        Just(Some(Outcome::Abandoned))
    ];
    (span.clone(), span, outcome, any::<bool>()).prop_map(|(ended, took, outcome, begun)| {
        let open = outcome.is_none();
        run((open || begun).then_some(ended.saturating_add(took)), (!open).then_some(ended), outcome)
    })
}

/// All numbers of a path.
fn numbers(path: &str) -> Vec<f64> {
    let words = path.split(|c: char| c.is_ascii_alphabetic() || c == ' ').filter(|word| !word.is_empty());
    words.map(|word| word.parse().unwrap()).collect()
}

proptest! {
    #[test]
    fn nothing_leaves_the_box(runs in prop::collection::vec(any_run(), 1..120)) {
        let chart = Chart::of(&runs, now()).unwrap();
        let within = |place: Place, end: f64| place.0.is_finite() && (0.0..=end).contains(&place.0);
        prop_assert_eq!(chart.points.len(), runs.len());
        for point in &chart.points {
            prop_assert!(within(point.x, 100.0) && within(point.y, chart.height()), "{:?}", point);
        }
        for bar in &chart.bars {
            prop_assert!(within(bar.x, 100.0) && within(Place(bar.x.0 + bar.width.0), 100.0), "{:?}", bar);
            prop_assert!(within(Place(bar.y.0 + BAR), chart.lanes_height()), "{:?}", bar);
        }
        for tick in &chart.times {
            prop_assert!(within(tick.at, 100.0), "{:?}", tick);
        }
        for tick in &chart.lengths {
            prop_assert!(within(tick.at, FOOT), "{:?}", tick);
        }
        prop_assert!(!chart.lengths.is_empty() && chart.lengths.len() <= 8, "{:?}", chart.lengths);
        if let Some(band) = &chart.band {
            for (n, number) in numbers(&band.area).into_iter().enumerate() {
                prop_assert!(within(Place(number), if n % 2 == 0 { WIDE } else { FOOT }), "{}", band.area);
            }
        }
    }
}

#[test]
fn a_run_that_is_short_against_the_window_is_drawn() {
    const DAY: i64 = 86_400_000;
    let runs: Vec<RunEntry> = (1..=30).map(|n| good(n * DAY, n * DAY - 1_000)).collect();
    let chart = Chart::of(&runs, now()).unwrap();
    assert_eq!(chart.bars.len(), 30);
    for bar in &chart.bars {
        let width: f64 = bar.width.to_string().parse().unwrap();
        assert!(width >= 0.4 && bar.x.0 + width <= 100.0, "{bar:?}");
    }
}
