//! All heartbeats at a glance: how many stand how, and as many of them as are wanted, what needs somebody first.
//! Knows how to ask for no more than that; never how it looks.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;

use crate::cli::answer::{Beat, Counts, House, Status, Summary};
use crate::cli::ask::{Daemon, Fault};
use crate::cli::status::plugin::NAMED;

/// The most that a page of the API's list holds.
const PAGE: usize = 1_000;

/// Which heartbeats are to be shown.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Wanted {
    /// Only those that somebody should look at.
    pub(in crate::cli) problems: bool,
    /// As many as that, the worst of them; `None` is all.
    pub(in crate::cli) rows: Option<usize>,
}

/// What there is to tell of all heartbeats.
#[derive(Debug, Clone)]
pub(super) struct Overview {
    pub(super) counts: Counts,
    /// Those that are shown, in the order of the table.
    pub(super) beats: Vec<Beat>,
    /// How many are to be shown, whether there is room for them or not.
    pub(super) wanted: usize,
    /// How the daemon itself stands; one of an earlier version does not say.
    pub(super) house: Option<House>,
}

/// A page of the API's list.
#[derive(Deserialize)]
struct Page {
    heartbeats: Vec<Value>,
    next_cursor: Option<String>,
}

impl Wanted {
    fn statuses(self) -> &'static [Status] {
        let all = &Status::ALL;
        if self.problems { &all[..2] } else { all }
    }
}

impl Overview {
    pub(super) async fn ask(daemon: &Daemon, wanted: Wanted) -> Result<Self, Fault> {
        let summary = summary(daemon).await?;
        let (values, whole) = heartbeats(daemon, wanted, summary.as_ref()).await?;
        let beats = daemon.read(&Value::Array(values))?;
        Ok(match summary {
            // What is counted in a list agrees with the list.
            summary if whole => Self::counted(beats, wanted, summary.and_then(|summary| summary.house)),
            Some(summary) => Self::summed(beats, wanted, summary),
            None => Self::counted(beats, wanted, None),
        })
    }

    /// From the list of all heartbeats.
    pub(super) fn counted(mut beats: Vec<Beat>, wanted: Wanted, house: Option<House>) -> Self {
        let counts = Counts::of(&beats);
        beats.retain(|beat| wanted.statuses().contains(&beat.status));
        Self::new(counts, beats, wanted, house)
    }

    /// From the daemon's own count, and those that were asked for.
    fn summed(beats: Vec<Beat>, wanted: Wanted, summary: Summary) -> Self {
        let Summary { heartbeats: mut counts, house } = summary;
        if wanted.rows.is_none() {
            // All of these were listed, a moment after the daemon had counted.
            let listed = Counts::of(&beats);
            for status in wanted.statuses() {
                *counts.by_status(*status) = listed.with(*status);
            }
        }
        Self::new(counts, beats, wanted, house)
    }

    fn new(counts: Counts, mut beats: Vec<Beat>, wanted: Wanted, house: Option<House>) -> Self {
        beats.sort_by(|a, b| (a.status, &a.slug).cmp(&(b.status, &b.slug)));
        // One that changed between two questions was listed for both.
        let mut seen = BTreeSet::new();
        beats.retain(|beat| seen.insert(beat.slug.clone()));
        let wanted = wanted.statuses().iter().map(|status| counts.with(*status)).sum();
        Self { counts, beats, wanted, house }
    }

    /// The slugs of those that stand so, as far as they are shown.
    pub(super) fn slugs(&self, status: Status) -> impl Iterator<Item = &str> {
        self.beats.iter().filter(move |beat| beat.status == status).map(|beat| beat.slug.as_str())
    }

    /// Whether there are none at all, be they shown or not.
    pub(super) fn is_empty(&self) -> bool {
        Status::ALL.iter().all(|status| self.counts.with(*status) == 0)
    }
}

/// The heartbeats that are wanted, as the API shows them.
pub(in crate::cli) async fn values(daemon: &Daemon, wanted: Wanted) -> Result<Vec<Value>, Fault> {
    if !wanted.problems {
        return list(daemon, None, usize::MAX).await;
    }
    let summary = summary(daemon).await?;
    let (mut values, _) = heartbeats(daemon, wanted, summary.as_ref()).await?;
    let words: Vec<&str> = wanted.statuses().iter().map(|status| status.word()).collect();
    values.retain(|value| value["status"].as_str().is_some_and(|status| words.contains(&status)));
    Ok(values)
}

/// A daemon of an earlier version has none.
async fn summary(daemon: &Daemon) -> Result<Option<Summary>, Fault> {
    match daemon.get("summary").await {
        Ok(summary) => Ok(Some(summary)),
        Err(Fault::Refused(refusal)) if refusal.status == 404 => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// At least those that are wanted, and whether these are all that there are.
async fn heartbeats(
    daemon: &Daemon,
    wanted: Wanted,
    summary: Option<&Summary>,
) -> Result<(Vec<Value>, bool), Fault> {
    let Some(summary) = summary.filter(|_| wanted.problems || wanted.rows.is_some()) else {
        // One that cannot count may not know how to choose either.
        return Ok((list(daemon, None, usize::MAX).await?, true));
    };
    let mut all = Vec::new();
    for status in wanted.statuses() {
        let room = wanted.rows.map_or(usize::MAX, |rows| rows.saturating_sub(all.len()));
        // The first line names a few, whether the table has room for them or not.
        let named = if matches!(status, Status::Down | Status::Late) { NAMED } else { 0 };
        let most = room.max(named);
        if most > 0 && summary.heartbeats.with(*status) > 0 {
            all.extend(list(daemon, Some(*status), most).await?);
        }
    }
    Ok((all, false))
}

/// The first `most` heartbeats by slug, of those that stand so, page by page.
async fn list(daemon: &Daemon, status: Option<Status>, most: usize) -> Result<Vec<Value>, Fault> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut path = format!("heartbeats?limit={}", PAGE.min(most - all.len()));
        let also = [("status", status.map(Status::word)), ("cursor", cursor.as_deref())];
        for (name, value) in also {
            if let Some(value) = value {
                write!(path, "&{name}={value}").expect("writing to a string cannot fail");
            }
        }
        let page: Page = daemon.get(&path).await?;
        all.extend(page.heartbeats);
        cursor = page.next_cursor;
        if cursor.is_none() || all.len() >= most {
            return Ok(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::status::samples::{ALL, beats, house};
    use serde_json::json;

    const PROBLEMS: Wanted = Wanted { problems: true, rows: None };

    fn slugs(overview: &Overview) -> Vec<&str> {
        overview.beats.iter().map(|beat| beat.slug.as_str()).collect()
    }

    #[test]
    fn the_worst_come_first_and_by_slug() {
        let all = Overview::counted(beats(), ALL, None);
        assert_eq!(slugs(&all), ["backup", "zip", "sync", "fresh", "calm", "rest"]);
        assert_eq!((all.wanted, all.is_empty()), (6, false));
        assert_eq!(all.slugs(Status::Down).collect::<Vec<_>>(), ["backup", "zip"]);
    }

    #[test]
    fn problems_are_those_that_are_down_or_late_and_the_others_are_counted_all_the_same() {
        let some = Overview::counted(beats(), PROBLEMS, None);
        assert_eq!((slugs(&some), some.wanted), (vec!["backup", "zip", "sync"], 3));
        assert_eq!(some.counts, Counts { down: 2, late: 1, new: 1, up: 1, paused: 1, running: 1 });
        let calm = Overview::counted(vec![beats().swap_remove(0)], PROBLEMS, None);
        assert_eq!((calm.beats.len(), calm.is_empty()), (0, false));
    }

    #[test]
    fn the_daemon_counts_what_is_not_listed() {
        let summary: Summary = serde_json::from_value(json!({
            "heartbeats": { "total": 12_008, "down": 9, "late": 1, "new": 0, "up": 11_998, "paused": 0, "running": 7 },
            "deliveries": { "waiting": 0, "delivered": 9, "given_up": 0 },
            "config": { "ok": true }, "journal": { "ok": true, "error": null }, "later": 1,
        }))
        .unwrap();
        let mut listed = beats();
        listed.retain(|beat| matches!(beat.status, Status::Down | Status::Late));
        // It went from late to down while the lists came.
        listed.push(listed[0].clone());
        let few = Wanted { problems: false, rows: Some(3) };
        let few = Overview::summed(listed.clone(), few, summary.clone());
        assert_eq!((few.counts.down, few.wanted, few.beats.len()), (9, 12_008, 3));
        assert_eq!(few.house, Some(house(0, 0)));
        let whole = Overview::summed(listed, PROBLEMS, summary);
        assert_eq!((whole.counts.up, whole.counts.running), (11_998, 7));
        assert_eq!((whole.counts.late, whole.wanted), (1, whole.counts.down + 1), "as they were listed");
    }

    #[test]
    fn a_summary_that_only_counts_is_good_enough() {
        let counts = json!({ "down": 0, "late": 0, "new": 1, "up": 0, "paused": 0, "running": 0 });
        let summary: Summary = serde_json::from_value(json!({ "heartbeats": counts })).unwrap();
        assert_eq!(summary.house, None);
    }
}
