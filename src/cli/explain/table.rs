//! Occurrences as a person reads them. Knows lines and columns, and never how an occurrence is found.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use crate::cli::explain::Explained;
use crate::cli::paint::{Paint, plain};
use crate::config::duration::write_span;
use crate::model::heartbeat::Declaration;
use crate::model::schedule::Zones;
use crate::model::time::Timestamp;

/// So many exclusions are shown.
const SHOWN: usize = 8;

/// A heartbeat with its occurrences from `from` on.
pub(super) fn table(
    declaration: &Declaration,
    explained: &Explained,
    from: Timestamp,
    zones: &Zones,
    paint: Paint,
) -> String {
    let zone = zones.find(&declaration.timezone).unwrap_or(TimeZone::UTC);
    let mut text = head(declaration, explained, from, &zone, paint);
    let elsewhere = *declaration.timezone != *"UTC";
    let mut rows = vec![row(["LATE FROM (DUE)", "IN UTC", "DOWN FROM"].map(str::to_owned), elsewhere)];
    for one in &explained.occurrences {
        let utc = written(one.due, &TimeZone::UTC);
        let utc = utc.strip_suffix(" UTC").unwrap_or(&utc).to_owned();
        rows.push(row([written(one.due, &zone), utc, written(one.deadline, &zone)], elsewhere));
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let notes = explained.occurrences.iter().map(|one| one.note.as_deref());
    for (at, (row, note)) in rows.iter().zip(std::iter::once(None).chain(notes)).enumerate() {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let line = cells.join("  ");
        let line = if at == 0 { paint.dim(line.trim_end()) } else { line.trim_end().to_owned() };
        writeln!(text, "  {line}").expect("writing to a string cannot fail");
        for note in note.into_iter().flat_map(|note| note.split("; ")) {
            writeln!(text, "    {}", paint.with("33", note)).expect("writing to a string cannot fail");
        }
    }
    if explained.occurrences.is_empty() {
        text.push_str("  never\n");
    }
    text
}

/// What the heartbeat is, before its occurrences.
fn head(
    declaration: &Declaration,
    explained: &Explained,
    from: Timestamp,
    zone: &TimeZone,
    paint: Paint,
) -> String {
    let slug = paint.with("1", &explained.slug);
    let name = if *declaration.name == *explained.slug {
        String::new()
    } else {
        format!("  ({})", plain(&declaration.name))
    };
    let interval = declaration.timing.interval();
    let zoned = if interval.is_none() { format!(", in {}", declaration.timezone) } else { String::new() };
    let grace = write_span(declaration.grace);
    let mut lines =
        vec![format!("{slug}{name}"), format!("  {}{zoned}; grace {grace}", plain(&explained.schedule))];
    if interval.is_some() {
        lines.push(format!("  as if it finished at {}", written(from, zone)));
    }
    let excluded: Vec<&str> = declaration.exclude.iter().take(SHOWN).collect();
    if !excluded.is_empty() {
        let more = declaration.exclude.len() - excluded.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.push(format!("  not at {}{more}", plain(&excluded.join(", "))));
    }
    if declaration.paused {
        lines.push("  it is declared as paused: until that ends, nothing is expected".to_owned());
    } else if declaration.await_first_ping {
        lines.push("  nothing is expected before its first ping".to_owned());
    }
    lines.join("\n") + "\n"
}

/// A line of the table. Where the zone is UTC, that is not said twice.
fn row([due, utc, deadline]: [String; 3], elsewhere: bool) -> Vec<String> {
    if elsewhere { vec![due, utc, deadline] } else { vec![due, deadline] }
}

fn written(at: Timestamp, zone: &TimeZone) -> String {
    at.to_jiff().to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M:%S%.f %Z").to_string()
}
