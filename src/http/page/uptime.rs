//! The last 90 days as a bar of cells, today at the right. What did not go well differs in shape too: it hangs from
//! the top, and a mark stands below. Pure: it knows the days, the time, and how a cell is drawn.

use std::fmt::{self, Write as _};

use askama::filters::HtmlSafe;
use askama::{FastWritable, Values};
use jiff::tz::TimeZone;

use crate::http::page::chart::Place;
use crate::machine::view::{DayStats, StatsView};
use crate::model::time::Timestamp;

/// Days in the bar.
const DAYS: usize = 90;
/// The height of a cell, and of the least that can be seen of it.
const CELL: f64 = 32.0;
const LEAST: f64 = 8.0;
/// The height of a day on which nothing was expected.
const STUB: f64 = 4.0;

/// The days, laid out.
#[derive(Debug, Clone)]
pub(super) struct Uptime {
    /// What they show, in words.
    pub(super) label: String,
    /// `99.3%`, over all of them.
    pub(super) share: Option<String>,
    /// The days, the first one first.
    pub(super) cells: Vec<Cell>,
}

/// A day. `x` is in percent of the width, everything else in pixels.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) x: Place,
    /// How much of it hangs from the top, for what did not go well.
    pub(super) bad: Option<Place>,
    /// Where that which stands on the foot begins, and how high it is.
    pub(super) top: Place,
    pub(super) height: Place,
    /// What stands there: `good`, or `none` for a day without a period.
    pub(super) class: &'static str,
    pub(super) title: String,
}

/// A piece of a cell, as SVG.
pub(super) struct Rect {
    class: &'static str,
    x: Place,
    y: Place,
    height: Place,
}

impl fmt::Display for Rect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self { class, x, y, height }, width) = (self, Uptime::width());
        write!(f, r#"<rect class="{class}" x="{x}%" y="{y}" width="{width}%" height="{height}"/>"#)
    }
}

impl HtmlSafe for Rect {}

/// What a template writes without a formatter is one call there.
impl FastWritable for Rect {
    #[inline(never)]
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        Ok(write!(dest, "{self}")?)
    }
}

impl Cell {
    /// What is drawn of it.
    pub(super) fn rects(&self) -> Vec<Rect> {
        let rect = |class, y, height| Rect { class, x: self.x, y, height };
        let mut rects = vec![rect("room", Place(0.0), Place(CELL))];
        if let Some(bad) = self.bad {
            rects.extend([rect("bad", Place(0.0), bad), rect("bad", Place(35.0), Place(4.0))]);
        }
        if self.height.0 > 0.0 {
            rects.push(rect(self.class, self.top, self.height));
        }
        rects
    }
}

impl Uptime {
    /// The width of a cell, in percent.
    fn width() -> Place {
        Place(100.0 / DAYS as f64 * 0.8)
    }

    /// Of the days of a heartbeat.
    pub(super) fn of(stats: &StatsView, now: Timestamp) -> Self {
        let today = now.to_jiff().to_zoned(TimeZone::UTC).date();
        let cells: Vec<Cell> = (0..DAYS)
            .map(|n| {
                let date = today.saturating_sub(jiff::Span::new().days((DAYS - 1 - n) as i64));
                let date = date.to_string();
                let day = stats.days.iter().find(|day| day.date == date);
                cell(n, &date, day)
            })
            .collect();
        let share = stats.uptime.map(percent);
        let bad = stats.days.iter().filter(|day| day.bad_periods > 0).count();
        let days = |n: usize| if n == 1 { "1 day".to_owned() } else { format!("{n} days") };
        let label = match &share {
            None => format!("The last {DAYS} days: no period has ended yet."),
            Some(share) if bad == 0 => format!("The last {DAYS} days: {share} of the periods went well."),
            Some(share) => format!(
                "The last {DAYS} days: {share} of the periods went well; on {} some did not.",
                days(bad)
            ),
        };
        Self { label, share, cells }
    }
}

fn cell(n: usize, date: &str, day: Option<&DayStats>) -> Cell {
    let x = Place(n as f64 * 100.0 / DAYS as f64);
    let stub =
        |title| Cell { x, bad: None, top: Place(CELL - STUB), height: Place(STUB), class: "none", title };
    let Some(day) = day else { return stub(format!("{date}: nothing")) };
    let Some(uptime) = day.uptime else { return stub(title(day)) };
    let bad = (day.bad_periods > 0).then(|| ((1.0 - uptime) * CELL).clamp(LEAST, CELL));
    // A gap between them, when there is something of both.
    let top = bad.map_or(0.0, |bad| (bad + 2.0).min(CELL));
    let height = if day.good_periods > 0 { (CELL - top).max(LEAST) } else { 0.0 };
    let top = if height > 0.0 { CELL - height } else { CELL };
    let bad = bad.map(|bad| Place(if height > 0.0 { bad.min(top - 2.0) } else { CELL }));
    Cell { x, bad, top: Place(top), height: Place(height), class: "good", title: title(day) }
}

fn title(day: &DayStats) -> String {
    let counted =
        |n: u64, one: &str, many: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {many}") };
    let mut title = format!("{}: {}", day.date, counted(day.runs.count, "run", "runs"));
    for (n, word) in [(day.runs.failure, "failed"), (day.runs.overran, "overran"), (day.missed, "missed")] {
        if n > 0 {
            write!(title, ", {n} {word}").expect("a string takes all");
        }
    }
    if let Some(uptime) = day.uptime {
        write!(title, ", {} went well", percent(uptime)).expect("a string takes all");
    }
    title
}

/// To a tenth, and never 100 % of what was not all well.
fn percent(share: f64) -> String {
    let tenths = (share * 1_000.0).floor();
    if tenths >= 1_000.0 { "100%".to_owned() } else { format!("{:.1}%", tenths / 10.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::view::RunStats;
    use crate::model::id::Slug;
    use proptest::prelude::*;

    const NOW: i64 = 1_795_348_800_000;

    fn day(date: &str, good: u64, bad: u64) -> DayStats {
        let runs = RunStats {
            count: good + bad,
            success: good,
            failure: bad,
            overran: 0,
            abandoned: 0,
            success_rate: None,
            duration_ms: None,
        };
        let uptime = (good + bad > 0).then(|| good as f64 / (good + bad) as f64);
        DayStats { date: date.to_owned(), runs, missed: 0, good_periods: good, bad_periods: bad, uptime }
    }

    fn shown(days: Vec<DayStats>, uptime: Option<f64>) -> Uptime {
        let runs = day("", 0, 0).runs;
        let stats = StatsView { slug: Slug::new("a").unwrap(), runs, uptime, days };
        Uptime::of(&stats, Timestamp::from_millis(NOW))
    }

    #[test]
    fn today_is_at_the_right_and_each_day_says_what_it_was() {
        let bar = shown(vec![day("2026-11-22", 3, 0), day("2026-11-20", 1, 1)], Some(0.8));
        assert_eq!(bar.cells.len(), 90);
        let titles: Vec<&str> = bar.cells[87..].iter().map(|cell| cell.title.as_str()).collect();
        assert_eq!(
            titles,
            [
                "2026-11-20: 2 runs, 1 failed, 50.0% went well",
                "2026-11-21: nothing",
                "2026-11-22: 3 runs, 100% went well"
            ]
        );
        assert_eq!(bar.cells[0].title, "2026-08-25: nothing");
        assert!(bar.cells[87].bad.is_some() && bar.cells[89].bad.is_none());
        assert_eq!(bar.label, "The last 90 days: 80.0% of the periods went well; on 1 day some did not.");
        assert_eq!(shown(Vec::new(), None).label, "The last 90 days: no period has ended yet.");
    }

    #[test]
    fn what_was_not_all_well_is_never_called_so() {
        assert_eq!(
            (percent(1.0), percent(0.99999), percent(0.0)),
            ("100%".into(), "99.9%".into(), "0.0%".into())
        );
    }

    proptest! {
        #[test]
        fn nothing_leaves_its_cell(good in 0..5_000_u64, bad in 0..5_000_u64) {
            let bar = shown(vec![day("2026-11-22", good, bad)], None);
            let cell = &bar.cells[89];
            prop_assert!(cell.x.0 + Uptime::width().0 <= 100.0);
            prop_assert!(cell.top.0 >= 0.0 && (cell.top.0 + cell.height.0) <= CELL);
            prop_assert_eq!(cell.bad.is_some(), bad > 0);
            if let Some(bad) = cell.bad {
                let room = if cell.height.0 > 0.0 { cell.top.0 } else { CELL };
                prop_assert!(bad.0 >= 4.0 && bad.0 <= room);
            }
        }
    }
}
