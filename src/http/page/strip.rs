//! The last runs as a strip of bars: height is duration, colour is outcome, and what did not go well differs in
//! shape too. One path for each outcome, so that fifty strips weigh little.

use std::fmt::{self, Write as _};

use crate::http::page::times::lasted;
use crate::http::page::words::counted;
use crate::machine::view::RunEntry;
use crate::model::run::Outcome;

/// Runs in a strip.
pub(super) const RUNS: usize = 30;
/// The width of a bar with its gap, and the height of the strip.
const STEP: usize = 5;
const HEIGHT: i64 = 26;
/// Below the bars a mark says that a run did not go well, for those who see no colour.
const FOOT: i64 = 5;

/// A strip, as SVG.
#[derive(Debug, Clone)]
pub(super) struct Strip {
    good: String,
    bad: String,
    overran: String,
    abandoned: String,
    open: String,
    label: String,
}

impl askama::filters::HtmlSafe for Strip {}

impl Strip {
    /// Of runs that come newest first.
    pub(super) fn of(runs: &[RunEntry]) -> Self {
        let mut strip = Self {
            good: String::new(),
            bad: String::new(),
            overran: String::new(),
            abandoned: String::new(),
            open: String::new(),
            label: label(runs),
        };
        let longest = runs.iter().filter_map(|entry| entry.run.duration_ms).max().unwrap_or(0).max(1);
        let room = HEIGHT - FOOT;
        for (n, entry) in runs.iter().take(RUNS).enumerate() {
            let x = (RUNS - 1 - n) * STEP;
            // A run without a start has no duration: a short bar.
            let height = entry.run.duration_ms.map_or(room / 4, |ms| (room * ms / longest).max(2));
            let (path, height, mark) = match entry.run.outcome {
                Some(Outcome::Success) => (&mut strip.good, height, None),
                Some(Outcome::Failure) => (&mut strip.bad, height, Some((HEIGHT - 3, "h4v3h-4z"))),
                Some(Outcome::Overran) => (&mut strip.overran, height, Some((HEIGHT, "l2 -4l2 4z"))),
                Some(Outcome::Abandoned) => {
                    (&mut strip.abandoned, height, Some((HEIGHT - 3, "h1v3h-1zm3 0h1v3h-1z")))
                }
                None => (&mut strip.open, room, None),
            };
            write!(path, "M{x} {room}v-{height}h4v{height}z").expect("a string takes all");
            if let Some((y, mark)) = mark {
                write!(path, "M{x} {y}{mark}").expect("a string takes all");
            }
        }
        strip
    }
}

/// What the strip shows, in words.
fn label(runs: &[RunEntry]) -> String {
    if runs.is_empty() {
        return "No runs yet".to_owned();
    }
    let outcomes: Vec<_> = runs.iter().map(|entry| entry.run.outcome).collect();
    let longest = runs.iter().filter_map(|entry| entry.run.duration_ms).max();
    let longest = longest.map(|ms| format!("; the longest took {}", lasted(ms))).unwrap_or_default();
    let runs =
        if runs.len() == 1 { "The last run".to_owned() } else { format!("The last {} runs", runs.len()) };
    format!("{runs}: {}{longest}", counted(&outcomes))
}

impl fmt::Display for Strip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, label) = (RUNS * STEP - 1, &self.label);
        write!(
            f,
            r#"<svg class="strip" role="img" aria-label="{label}" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}"><title>{label}</title>"#
        )?;
        for (class, path) in [
            ("good", &self.good),
            ("bad", &self.bad),
            ("overran", &self.overran),
            ("abandoned", &self.abandoned),
            ("open", &self.open),
        ] {
            if !path.is_empty() {
                write!(f, r#"<path class="{class}" d="{path}"/>"#)?;
            }
        }
        f.write_str("</svg>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::page::chart::tests::run;

    /// Newest first.
    fn strip(runs: &[(Option<Outcome>, Option<i64>)]) -> String {
        let entry = |(outcome, duration_ms): &(Option<Outcome>, Option<i64>)| {
            let mut entry = run(None, None, *outcome);
            entry.run.duration_ms = *duration_ms;
            entry
        };
        Strip::of(&runs.iter().map(entry).collect::<Vec<_>>()).to_string()
    }

    #[test]
    fn the_height_is_the_duration_and_each_outcome_has_a_shape_of_its_own() {
        let svg = strip(&[
            (None, None),
            (Some(Outcome::Success), Some(10_000)),
            (Some(Outcome::Failure), Some(5_000)),
            (Some(Outcome::Overran), Some(1)),
            (Some(Outcome::Abandoned), None),
        ]);
        for path in [
            // The newest is at the right, the longest fills the room, and what is short can still be seen.
            r#"<path class="open" d="M145 21v-21h4v21z"/>"#,
            r#"<path class="good" d="M140 21v-21h4v21z"/>"#,
            r#"<path class="bad" d="M135 21v-10h4v10zM135 23h4v3h-4z"/>"#,
            r#"<path class="overran" d="M130 21v-2h4v2zM130 26l2 -4l2 4z"/>"#,
            r#"<path class="abandoned" d="M125 21v-5h4v5zM125 23h1v3h-1zm3 0h1v3h-1z"/>"#,
        ] {
            assert!(svg.contains(path), "{path} in {svg}");
        }
        assert!(svg.contains("<title>The last 5 runs: "), "{svg}");
        assert!(svg.contains("; the longest took 10.0s</title>"), "{svg}");
    }

    #[test]
    fn it_shows_the_last_thirty() {
        let svg = strip(&[(Some(Outcome::Success), Some(100)); RUNS + 5]);
        assert_eq!(svg.matches('M').count(), RUNS);
        assert!(svg.contains("M0 21"), "the oldest of them is at the left: {svg}");
        assert!(strip(&[]).contains("No runs yet"));
    }
}
