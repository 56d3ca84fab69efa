//! All heartbeats as a table, what needs somebody first. Knows columns and how many rows there is room for.

use crate::cli::answer::{Beat, Status};
use crate::cli::paint::{Paint, plain};
use crate::cli::status::overview::Overview;
use crate::model::ago::{about, ago, took, when};
use crate::model::time::Timestamp;

const HEAD: [&str; 6] = ["STATUS", "SLUG", "LAST PING", "NEXT DUE", "LAST DURATION", "INCIDENT"];

/// The table, in at most `rows` lines, its head among them. Nothing when none of them is to be shown.
pub(super) fn table(overview: &Overview, now: Timestamp, paint: Paint, rows: usize) -> String {
    if overview.is_empty() {
        return "No heartbeats yet: declare one in the config, or make one with overdue heartbeat add.\n"
            .to_owned();
    }
    if overview.beats.is_empty() {
        return String::new();
    }
    let all = &overview.beats;
    let fits = overview.wanted.max(all.len()) < rows;
    let room = if fits { all.len() } else { all.len().min(rows.saturating_sub(2)) };
    let (shown, hidden) = (&all[..room], overview.wanted.saturating_sub(room));
    let lines: Vec<(Status, [String; 6])> =
        shown.iter().map(|beat| (beat.status, cells(beat, now))).collect();
    let mut widths = HEAD.map(str::len);
    for (_, cells) in &lines {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = paint.dim(line(&HEAD.map(str::to_owned), widths, |cell| cell).trim_end());
    out.push('\n');
    for (status, cells) in &lines {
        let text = line(cells, widths, |first| paint.status(*status, first.len()));
        out.push_str(text.trim_end());
        out.push('\n');
    }
    if hidden > 0 {
        out.push_str(&paint.dim(&format!("… and {hidden} more")));
        out.push('\n');
    }
    out
}

fn line(cells: &[String; 6], widths: [usize; 6], first: impl Fn(String) -> String) -> String {
    let mut padded: Vec<String> =
        cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    padded[0] = first(std::mem::take(&mut padded[0]));
    padded.join("  ")
}

fn cells(beat: &Beat, now: Timestamp) -> [String; 6] {
    let none = || "-".to_owned();
    let mut duration: Vec<String> = beat.last_duration().map(took).into_iter().collect();
    duration.extend(beat.running(now).map(|span| format!("running {}", about(span))));
    if duration.is_empty() {
        duration.push(none());
    }
    let incident = beat.incident.as_ref();
    [
        beat.status.word().to_owned(),
        plain(&beat.slug),
        beat.last_ping_at.map_or_else(|| "never".to_owned(), |at| ago(at, now)),
        beat.next_due_at.map_or_else(none, |at| when(at, now)),
        duration.join(", "),
        incident.map(|one| format!("{} {}", one.what(), ago(one.opened_at, now))).unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::status::overview::Wanted;
    use crate::cli::status::samples::{ALL, NOW, beats};

    fn all() -> Overview {
        Overview::counted(beats(), ALL, None)
    }

    #[test]
    fn the_worst_come_first_and_by_slug() {
        assert_eq!(
            table(&all(), NOW, Paint(false), usize::MAX),
            "\
STATUS  SLUG    LAST PING  NEXT DUE    LAST DURATION  INCIDENT
down    backup  27h ago    in 21h      -              missed 2h ago
down    zip     5m ago     in 23h 55m  2m 3s          failed (exit 3) 5m ago
late    sync    2d 4h ago  12m ago     running 4m
new     fresh   never      in 1h       -
up      calm    3m ago     in 23h 57m  1.0s
paused  rest    never      -           -
"
        );
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let lines = |rows| {
            let table = table(&all(), NOW, Paint(false), rows);
            table.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(lines(7).len(), 7);
        let six = lines(6);
        assert_eq!((six.len(), six[5].as_str()), (6, "… and 2 more"));
        assert!(six[4].starts_with("new"), "{six:?}");
        assert_eq!(lines(0)[1], "… and 6 more");
    }

    #[test]
    fn what_was_not_even_asked_for_is_counted_too() {
        let mut few = all();
        few.beats.truncate(3);
        let shown = |rows| table(&few, NOW, Paint(false), rows);
        assert_eq!(shown(usize::MAX).lines().count(), 1 + 3 + 1);
        assert!(shown(usize::MAX).ends_with("\n… and 3 more\n") && shown(4).ends_with("\n… and 4 more\n"));
    }

    #[test]
    fn without_a_problem_there_is_no_table() {
        let calm = |beats| Overview::counted(beats, Wanted { problems: true, rows: None }, None);
        assert_eq!(table(&calm(vec![beats().swap_remove(0)]), NOW, Paint(false), 9), "");
        assert!(table(&calm(Vec::new()), NOW, Paint(false), 9).starts_with("No heartbeats yet"));
    }

    #[test]
    fn colour_changes_no_column() {
        let mut coloured = table(&all(), NOW, Paint(true), usize::MAX);
        assert!(coloured.contains("\x1b[1;31mdown  \x1b[0m  backup"));
        for code in ["0", "2", "32", "33", "36", "1;31"] {
            coloured = coloured.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(coloured, table(&all(), NOW, Paint(false), usize::MAX));
    }
}
