//! Durations over time and runs from start to finish, laid out: numbers and words that a template draws. Pure: it
//! knows the runs and the time, and nothing of HTML.

mod axis;
mod lanes;

use std::fmt::Write as _;

use axis::{FOOT, TOP, Times};
pub(super) use axis::{Lengths, Place, Tick};

use crate::http::page::few::sort_few;
use crate::http::page::times::{instant, lasted};
use crate::http::page::words::{class, counted, outcome};
use crate::machine::days::sketch::nearest_rank;
use crate::machine::view::RunEntry;
use crate::model::time::Timestamp;

/// Runs that are drawn at the most.
pub(super) const RUNS: usize = 200;
/// Over how many runs the band tells what was usual, and from how many on.
const USUAL: usize = 20;
const USUAL_FROM: usize = 5;
/// Below the foot: runs of which no duration is known.
const UNKNOWN: f64 = FOOT + 14.0;
/// The height of a lane, and of its bar.
const LANE: f64 = 16.0;
const BAR: f64 = 11.0;
/// The least width of a bar, in percent: a run that is short against the window is seen too.
const LEAST: f64 = 0.4;
/// The width that what is stretched is drawn in.
const WIDE: f64 = 1_000.0;

/// A chart, laid out. `x` is in percent of the width, `y` in pixels.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    /// What it shows, in words.
    pub(super) label: String,
    /// The marks of the time.
    pub(super) times: Vec<Tick>,
    /// The marks of the duration.
    pub(super) lengths: Vec<Tick>,
    /// Whether each of them is ten times the one below.
    pub(super) tenfold: bool,
    /// The runs.
    pub(super) points: Vec<Point>,
    /// Whether there is one without a duration.
    pub(super) unknown: bool,
    /// What was usual.
    pub(super) band: Option<Band>,
    /// The runs from start to finish.
    pub(super) bars: Vec<Bar>,
    /// What they show, in words.
    pub(super) overlap: String,
    /// How many lanes there are.
    lanes: usize,
}

/// A run as a mark.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) x: Place,
    pub(super) y: Place,
    pub(super) class: &'static str,
    pub(super) title: String,
}

/// From what half of the runs before did not exceed to what 95 of 100 did not: paths in a box 1,000 wide.
#[derive(Debug, Clone)]
pub(super) struct Band {
    pub(super) area: String,
    pub(super) middle: String,
}

/// A run from start to finish.
#[derive(Debug, Clone)]
pub(super) struct Bar {
    pub(super) x: Place,
    pub(super) y: Place,
    pub(super) width: Place,
    pub(super) class: &'static str,
    pub(super) title: String,
}

/// What is drawn of a run.
struct Drawn<'a> {
    entry: &'a RunEntry,
    /// When it began, or ended if that is all that is known.
    at: Timestamp,
    /// How long it took, or has been under way, or was until nobody waited any longer.
    length: Option<i64>,
}

impl Chart {
    /// The width that what is stretched is drawn in.
    pub(super) const WIDE: f64 = WIDE;
    /// Where durations begin and end.
    pub(super) const TOP: f64 = TOP;
    pub(super) const FOOT: f64 = FOOT;
    /// The height of a bar.
    pub(super) const BAR: f64 = BAR;
    /// Where runs without a duration lie.
    pub(super) const UNKNOWN: f64 = UNKNOWN;

    /// Of the newest runs; `None` without any.
    pub(super) fn of(runs: &[RunEntry], now: Timestamp) -> Option<Self> {
        let newest = &runs[..runs.len().min(RUNS)];
        // The oldest first: so they are in order already, or almost.
        let mut drawn: Vec<Drawn<'_>> = newest.iter().rev().map(|entry| Drawn::of(entry, now)).collect();
        let place = |run: &Drawn<'_>| (run.at, run.entry.ping);
        sort_few(&mut drawn, |a, b| place(a) < place(b));
        let first = drawn.first()?.at;
        let last = drawn.iter().filter_map(|run| run.entry.ended_at).max().unwrap_or(now).max(now);
        let times = Times::over(first, last);
        let mut sorted: Vec<i64> = drawn.iter().filter_map(|run| run.length).collect();
        sort(&mut sorted);
        let lengths = Lengths::over(&sorted);
        let points: Vec<Point> = drawn.iter().map(|run| run.point(times, lengths)).collect();
        let (bars, lanes) = bars(&drawn, times, now);
        Some(Self {
            label: label(&drawn, now),
            times: times.ticks(),
            lengths: lengths.ticks(),
            tenfold: lengths.tenfold,
            unknown: drawn.iter().any(|run| run.length.is_none()),
            band: band(&drawn, times, lengths),
            points,
            overlap: overlap(&bars, &lanes),
            bars,
            lanes: lanes.count,
        })
    }

    /// The height of the durations, with the marks of the time below.
    pub(super) fn height(&self) -> f64 {
        if self.unknown { UNKNOWN + 28.0 } else { FOOT + 22.0 }
    }

    /// Where the words of the time stand.
    pub(super) fn words_at(&self) -> f64 {
        self.height() - 5.0
    }

    /// The height of the lanes.
    pub(super) fn lanes_height(&self) -> f64 {
        self.lanes as f64 * LANE + 4.0
    }
}

impl<'a> Drawn<'a> {
    fn of(entry: &'a RunEntry, now: Timestamp) -> Self {
        let started = entry.run.started_at;
        let ended = entry.ended_at.unwrap_or(now);
        let under_way = started.map(|at| ended.since(at).as_millis());
        Self {
            entry,
            at: started.unwrap_or(ended),
            length: entry.run.duration_ms.or(under_way).map(|ms| ms.max(0)),
        }
    }

    fn point(&self, times: Times, lengths: Lengths) -> Point {
        Point {
            x: times.at(self.at),
            y: self.length.map_or(Place(UNKNOWN), |ms| lengths.at(ms)),
            class: class(self.entry.run.outcome),
            title: self.title(),
        }
    }

    fn title(&self) -> String {
        let run = &self.entry.run;
        let mut title = format!("{} UTC: {}", instant(self.at), outcome(run.outcome));
        if let Some(code) = run.exit_code {
            write!(title, ", exit code {code}").expect("a string takes all");
        }
        match (run.duration_ms, self.length) {
            (Some(ms), _) => write!(title, ", took {}", lasted(ms)),
            (None, Some(ms)) if run.outcome.is_none() => write!(title, " for {} so far", lasted(ms)),
            (None, Some(ms)) => write!(title, " after {}", lasted(ms)),
            (None, None) => write!(title, ", duration not known"),
        }
        .expect("a string takes all");
        title
    }
}

/// The runs in lanes.
fn bars(drawn: &[Drawn<'_>], times: Times, now: Timestamp) -> (Vec<Bar>, lanes::Lanes) {
    let spans = drawn.iter().filter_map(|run| {
        let start = run.entry.run.started_at?;
        Some((run, start, run.entry.ended_at.unwrap_or(now).max(start)))
    });
    let spans: Vec<_> = spans.collect();
    let placed = lanes::lanes(&spans.iter().map(|(_, start, end)| (*start, *end)).collect::<Vec<_>>());
    let bar = |((run, start, end), lane): (&(&Drawn<'_>, Timestamp, Timestamp), &usize)| {
        let (x, to) = (times.at(*start), times.at(*end));
        Bar {
            x,
            y: Place(2.0 + *lane as f64 * LANE),
            width: Place((to.0 - x.0).max(LEAST)),
            class: class(run.entry.run.outcome),
            title: run.title(),
        }
    };
    (spans.iter().zip(&placed.lane).map(bar).collect(), placed)
}

/// What was usual at each run: over those before it, so that an odd one stands out.
fn band(drawn: &[Drawn<'_>], times: Times, lengths: Lengths) -> Option<Band> {
    let known: Vec<(Timestamp, i64)> =
        drawn.iter().filter_map(|run| Some((run.at, run.entry.run.duration_ms?.max(0)))).collect();
    let took: Vec<i64> = known.iter().map(|(_, ms)| *ms).collect();
    let (mut area, mut middle, mut lower) = (String::new(), String::new(), Vec::new());
    for (n, (at, _)) in known.iter().enumerate().skip(USUAL_FROM) {
        let x = Place(times.at(*at).0 * WIDE / 100.0);
        let [half, most] = usual(&took[..n]).map(|ms| lengths.at(ms));
        to(&mut area, x, most);
        to(&mut middle, x, half);
        lower.push((x, half));
    }
    lower.last()?;
    for (x, y) in lower.into_iter().rev() {
        to(&mut area, x, y);
    }
    area.push('z');
    Some(Band { area, middle })
}

/// Goes on with a path, or begins it.
#[inline(never)]
fn to(path: &mut String, x: Place, y: Place) {
    let step = if path.is_empty() { 'M' } else { 'L' };
    write!(path, "{step}{x} {y}").expect("a string takes all");
}

/// What half and 95 of 100 of the last ones did not exceed.
fn usual(took: &[i64]) -> [i64; 2] {
    let mut before = took[took.len().saturating_sub(USUAL)..].to_vec();
    sort(&mut before);
    [rank(&before, 50), rank(&before, 95)]
}

#[inline(never)]
fn sort(lengths: &mut [i64]) {
    sort_few(lengths, |a, b| a < b);
}

/// What so many of a hundred do not exceed; of numbers in order.
#[inline(never)]
fn rank(sorted: &[i64], percent: u64) -> i64 {
    nearest_rank(sorted.len() as u64, percent).map_or(0, |rank| sorted[rank as usize - 1])
}

fn label(drawn: &[Drawn<'_>], now: Timestamp) -> String {
    let outcomes: Vec<_> = drawn.iter().map(|run| run.entry.run.outcome).collect();
    let runs =
        if drawn.len() == 1 { "the last run".to_owned() } else { format!("the last {} runs", drawn.len()) };
    let from = drawn.first().map_or(now, |run| run.at);
    let mut label = format!("Durations of {runs} since {} UTC: {}.", instant(from), counted(&outcomes));
    let mut known: Vec<i64> = drawn.iter().filter_map(|run| run.entry.run.duration_ms).collect();
    sort(&mut known);
    match known[..] {
        [] => {}
        [one] => write!(label, " It took {}.", lasted(one)).expect("a string takes all"),
        [shortest, .., longest] => write!(
            label,
            " They took {} to {}; half of them {} or less, 95 of 100 {} or less.",
            lasted(shortest),
            lasted(longest),
            lasted(rank(&known, 50)),
            lasted(rank(&known, 95))
        )
        .expect("a string takes all"),
    }
    label
}

fn overlap(bars: &[Bar], lanes: &lanes::Lanes) -> String {
    let runs = match bars.len() {
        1 => "The run from start to finish.".to_owned(),
        n => format!("{n} runs from start to finish, those that overlap beneath one another."),
    };
    let overlapping = match lanes.overlapping {
        0 => " None overlapped.".to_owned(),
        n => format!(" {n} overlapped."),
    };
    let crowded = match lanes.crowded {
        0 => String::new(),
        n => format!(" {n} lie over others in the last row: more than {} ran at a time.", lanes::LANES),
    };
    format!("{runs}{overlapping}{crowded}")
}

#[cfg(test)]
pub(super) mod tests;
