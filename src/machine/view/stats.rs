//! Statistics of a heartbeat's runs: exact over the runs that are kept, and per day from the sketches.

use serde::Serialize;
use utoipa::ToSchema;

use crate::machine::days::sketch::{Sketch, nearest_rank};
use crate::machine::days::{Counts, DAYS, Day, date_of};
use crate::machine::view::View;
use crate::model::id::Slug;
use crate::model::run::Run;
use crate::model::time::Span;

/// Statistics of the runs of a heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Stats)]
pub struct StatsView {
    /// Whose.
    pub slug: Slug,
    /// Over the runs that are kept (`keep_runs`), without those that are open. Percentiles are exact.
    pub runs: RunStats,
    /// The share of periods that went well over all days below, from 0 to 1; null without any period.
    pub uptime: Option<f64>,
    /// The last 90 days in UTC, newest first; days on which nothing happened are left out.
    pub days: Vec<DayStats>,
}

/// What is counted of runs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RunStats {
    /// Runs in all.
    pub count: u64,
    /// Those that finished well.
    pub success: u64,
    /// Those that finished badly.
    pub failure: u64,
    /// Those that did not finish within `max_runtime`.
    pub overran: u64,
    /// Those that were superseded by another start, or whose heartbeat was paused or removed.
    pub abandoned: u64,
    /// The share of `success` in all but the abandoned ones, from 0 to 1; null without any.
    pub success_rate: Option<f64>,
    /// How long those took that had a start and a finish, whatever their outcome; null without any.
    pub duration_ms: Option<DurationStats>,
}

/// How long runs took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct DurationStats {
    /// How many runs this is of.
    pub count: u64,
    /// The shortest, in milliseconds.
    pub min: i64,
    /// What half of them did not exceed, in milliseconds.
    pub p50: i64,
    /// What 95 of 100 did not exceed, in milliseconds.
    pub p95: i64,
    /// What 99 of 100 did not exceed, in milliseconds.
    pub p99: i64,
    /// The longest, in milliseconds.
    pub max: i64,
}

/// A day of a heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DayStats {
    /// The day, in UTC.
    #[schema(format = Date)]
    pub date: String,
    /// The runs that ended on it. Percentiles are within 1.6 % of the exact ones.
    pub runs: RunStats,
    /// Periods in which no finish came.
    pub missed: u64,
    /// Periods that went well.
    pub good_periods: u64,
    /// Periods that did not, since a run failed or overran or none came: each counts once.
    pub bad_periods: u64,
    /// The share of good periods, from 0 to 1; null without any period.
    pub uptime: Option<f64>,
}

impl View<'_> {
    /// Statistics of a heartbeat; `None` without such a heartbeat.
    pub fn stats(&self, name: &str) -> Option<StatsView> {
        let beat = self.find(name)?;
        let kept = beat.history.as_ref().map(|history| &history.runs);
        let today = date_of(self.now);
        let mut days = beat.history.as_ref().map(|history| history.days.all()).unwrap_or_default();
        days.retain(|day| day.date <= today && day.date > today - DAYS);
        let sum = |count: fn(&Counts) -> u32| days.iter().map(|day| u64::from(count(&day.counts))).sum();
        let (good, bad) = (sum(|counts| counts.good), sum(|counts| counts.bad));
        Some(StatsView {
            slug: beat.heartbeat.slug.clone(),
            runs: RunStats::of(kept.into_iter().flatten()),
            uptime: share(good, good + bad),
            days: days.iter().rev().map(DayStats::of).collect(),
        })
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl RunStats {
    fn of<'a>(runs: impl Iterator<Item = &'a Run>) -> Self {
        let (mut counts, mut durations) = (Counts::default(), Vec::new());
        for run in runs {
            counts.add(run.outcome);
            durations.extend(run.duration);
        }
        durations.sort_unstable();
        Self::new(counts, DurationStats::exact(&durations))
    }

    fn new(counts: Counts, duration_ms: Option<DurationStats>) -> Self {
        let [success, failure, overran, abandoned] =
            [counts.success, counts.failure, counts.overran, counts.abandoned].map(u64::from);
        let judged = success + failure + overran;
        Self {
            count: judged + abandoned,
            success,
            failure,
            overran,
            abandoned,
            success_rate: share(success, judged),
            duration_ms,
        }
    }
}

impl DurationStats {
    /// Of durations in order.
    fn exact(durations: &[Span]) -> Option<Self> {
        let at = |percent| {
            let rank = nearest_rank(durations.len() as u64, percent)?;
            durations.get(rank as usize - 1).copied()
        };
        let (first, last) = (durations.first()?, durations.last()?);
        Self::new(durations.len() as u64, *first, *last, at)
    }

    fn sketched(sketch: &Sketch) -> Option<Self> {
        let percentile = |percent| sketch.percentile(percent);
        Self::new(sketch.count(), sketch.shortest(), sketch.longest(), percentile)
    }

    fn new(count: u64, min: Span, max: Span, at: impl Fn(u64) -> Option<Span>) -> Option<Self> {
        Some(Self {
            count,
            min: min.as_millis(),
            p50: at(50)?.as_millis(),
            p95: at(95)?.as_millis(),
            p99: at(99)?.as_millis(),
            max: max.as_millis(),
        })
    }
}

impl DayStats {
    fn of(day: &Day) -> Self {
        let Counts { missed, good, bad, .. } = day.counts;
        let (good, bad) = (u64::from(good), u64::from(bad));
        let date = jiff::civil::Date::new(1970, 1, 1)
            .ok()
            .and_then(|first| first.checked_add(jiff::Span::new().try_days(day.date).ok()?).ok());
        Self {
            date: date.map(|date| date.to_string()).unwrap_or_default(),
            runs: RunStats::new(day.counts, DurationStats::sketched(&day.durations)),
            missed: u64::from(missed),
            good_periods: good,
            bad_periods: bad,
            uptime: share(good, good + bad),
        }
    }
}
