//! An occurrence as it is told to a person: where its zone's clock stands, and what is not as one would read it
//! from the expression. It knows calendars, and never heartbeats or deadlines.

use jiff::ToSpan;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::model::schedule::cron::Cron;
use crate::model::schedule::on_calendar::OnCalendar;
use crate::model::schedule::{EARLY_MAX, Occurrences, Rule};
use crate::model::time::{Span, Timestamp};

/// So many changes of the clock are looked at before an occurrence.
const CHANGES: usize = 200;
/// So many times within one gap are looked at.
const SKIPPED: usize = 4_000;
/// So many excluded occurrences are counted.
const EXCLUDED: usize = 1_000;
/// So many times are named one by one.
const NAMED: usize = 3;

/// An occurrence, told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When it is.
    pub at: Timestamp,
    /// The same in its zone, as RFC 3339 with the zone's offset: `2026-03-29T03:00:00+02:00`.
    pub local: String,
    /// What a clock change, an exclusion or the early rule does to it, a sentence each.
    pub notes: Vec<String>,
}

/// A calendar as it is written, beside what it comes to on a real clock.
pub(super) trait Written {
    /// The first occurrence strictly after `t`.
    fn next_after(&self, t: Timestamp) -> Option<Timestamp>;
    /// The first time strictly after this local one that is written, whether or not it is on the clock.
    fn written_after(&self, local: DateTime) -> Option<DateTime>;
    /// Whether a time that the clock skips runs right after the gap.
    fn makes_up(&self) -> bool;
    /// The zone that it is in.
    fn zone(&self) -> &TimeZone;
}

impl Written for Cron {
    fn next_after(&self, t: Timestamp) -> Option<Timestamp> {
        Cron::next_after(self, t)
    }

    fn written_after(&self, local: DateTime) -> Option<DateTime> {
        Cron::written_after(self, local)
    }

    fn makes_up(&self) -> bool {
        Cron::makes_up(self)
    }

    fn zone(&self) -> &TimeZone {
        Cron::zone(self)
    }
}

impl Written for OnCalendar {
    fn next_after(&self, t: Timestamp) -> Option<Timestamp> {
        OnCalendar::next_after(self, t)
    }

    fn written_after(&self, local: DateTime) -> Option<DateTime> {
        OnCalendar::written_after(self, local)
    }

    fn makes_up(&self) -> bool {
        false
    }

    fn zone(&self) -> &TimeZone {
        OnCalendar::zone(self)
    }
}

impl Occurrences {
    /// The first occurrence strictly after `t`, told; `early` as the heartbeat declares it.
    pub fn told_after(&self, t: Timestamp, early: Option<Span>) -> Option<Told> {
        let at = self.next_after(t)?;
        let local = at.to_jiff().to_zoned(self.zone.clone());
        let mut notes = Vec::new();
        for calendar in self.calendars() {
            notes.extend(gaps(calendar, t, at));
            notes.extend(repeated(calendar, at));
        }
        notes.extend(self.excluded(t, at));
        notes.extend(self.counting_from(at, early));
        let mut once: Vec<String> = Vec::new();
        for note in notes {
            if !once.contains(&note) {
                once.push(note);
            }
        }
        Some(Told { at, local: local.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string(), notes: once })
    }

    fn calendars(&self) -> Vec<&dyn Written> {
        match &self.rule {
            Rule::Every(_) => Vec::new(),
            Rule::Cron(crons) => crons.iter().map(|cron| cron as &dyn Written).collect(),
            Rule::Calendar(calendars) => calendars.iter().map(|one| one as &dyn Written).collect(),
        }
    }

    /// What would have come between `t` and `at`.
    fn excluded(&self, t: Timestamp, at: Timestamp) -> Option<String> {
        let next = |t: &Timestamp| self.next_ignoring_exclusions(*t).filter(|next| *next < at);
        let mut excluded = std::iter::successors(next(&t), next);
        let first = excluded.next()?;
        Some(match excluded.take(EXCLUDED).count() {
            0 => format!("skips {}, excluded", dated(self.clock(first))),
            EXCLUDED => "skips more than 1,000 excluded occurrences".to_owned(),
            more => format!("skips {} excluded occurrences", more + 1),
        })
    }

    /// From when on a finish counts for the occurrence `at`, where that is not a minute before it by itself.
    fn counting_from(&self, at: Timestamp, early: Option<Span>) -> Option<String> {
        if let Rule::Every(_) = self.rule {
            return None;
        }
        let from = match early {
            Some(Span::ZERO) => return Some("a finish before it does not count for it".to_owned()),
            Some(early) => (at - early).max(self.before(at, early)),
            None => {
                let tenth = at.since(self.before(at, EARLY_MAX.times(10))).as_millis() / 10;
                Some(Span::from_millis(tenth)).filter(|tenth| *tenth < EARLY_MAX).map(|tenth| at - tenth)?
            }
        };
        let (from, at) = (self.clock(from), self.clock(at));
        let from = if from.date() == at.date() { clock(from) } else { dated(from) };
        Some(format!("a finish from {from} on counts for it"))
    }

    /// The occurrence before `at`, or the start of this span before it when that is later.
    fn before(&self, at: Timestamp, span: Span) -> Timestamp {
        // From the occurrence before it on, `at` is the next one.
        let (mut earlier, mut later) = ((at - span).as_millis(), at.as_millis() - 1);
        while earlier < later {
            let middle = earlier + (later - earlier) / 2;
            if self.next_after(Timestamp::from_millis(middle)) == Some(at) {
                later = middle;
            } else {
                earlier = middle + 1;
            }
        }
        Timestamp::from_millis(later)
    }

    fn clock(&self, t: Timestamp) -> DateTime {
        self.zone.to_datetime(t.to_jiff())
    }
}

/// Times that the clock skips after `t` and until `at`.
fn gaps(calendar: &dyn Written, t: Timestamp, at: Timestamp) -> Vec<String> {
    let zone = calendar.zone();
    let changes = zone.following(t.to_jiff()).map(|change| (change.timestamp(), change.offset()));
    let changes = changes.take(CHANGES).take_while(|(change, _)| *change <= at.to_jiff());
    let gap = |(change, after): (jiff::Timestamp, jiff::tz::Offset)| {
        let before = zone.to_offset(change.checked_sub(1.nanosecond()).ok()?);
        let (start, end) = (before.to_datetime(change), after.to_datetime(change));
        (start < end).then(|| gap(calendar, start, end, Timestamp::from_jiff(change) == at)).flatten()
    };
    changes.filter_map(gap).collect()
}

fn gap(calendar: &dyn Written, start: DateTime, end: DateTime, runs_then: bool) -> Option<String> {
    let next = |local: DateTime| calendar.written_after(local).filter(|next| *next < end);
    let skipped = std::iter::successors(next(just_before(start)?), |local| next(*local));
    let skipped: Vec<DateTime> = skipped.take(SKIPPED).collect();
    let first = skipped.first()?;
    let several = skipped.len() > 1;
    let not = if several { "do not exist" } else { "does not exist" };
    if calendar.makes_up() {
        let then = if several { "they run once, right after the gap" } else { "it runs right after the gap" };
        return runs_then.then(|| {
            if start.date() == end.date() {
                let (start, end) = (clock(start), clock(end));
                format!(
                    "{} {not} on this day (clocks go from {start} to {end}): {then}",
                    named(&skipped, clock)
                )
            } else {
                let (start, end) = (dated(start), dated(end));
                format!("{} {not} (clocks go from {start} to {end}): {then}", named(&skipped, dated))
            }
        });
    }
    // What comes in each hour is missed by nobody: the clock goes on with the same time of the next one.
    let length = start.until(end).ok()?;
    let written = |local: DateTime| just_before(local).and_then(|t| calendar.written_after(t)) == Some(local);
    let goes_on = |local: &DateTime| {
        let [sooner, later] = [local.checked_sub(length), local.checked_add(length)];
        sooner.is_ok_and(written) && later.is_ok_and(written)
    };
    if skipped.iter().all(goes_on) {
        return None;
    }
    Some(if start.date() == end.date() {
        format!("{} {not} on {}: skipped", named(&skipped, clock), first.date())
    } else {
        format!("{} {not}: skipped", named(&skipped, dated))
    })
}

/// Says so when the clock shows the time of this occurrence twice.
fn repeated(calendar: &dyn Written, at: Timestamp) -> Option<String> {
    let occurs = |t: Timestamp| calendar.next_after(t - Span::from_millis(1)) == Some(t);
    let local = calendar.zone().to_datetime(at.to_jiff());
    let AmbiguousOffset::Fold { before, after } = calendar.zone().to_ambiguous_timestamp(local).offset()
    else {
        return None;
    };
    let [first, second] = [before, after].map(|offset| offset.to_timestamp(local).map(Timestamp::from_jiff));
    let (first, second) = (first.ok()?, second.ok()?);
    let what = match (occurs(first), occurs(second)) {
        (true, false) if at == first => "the first one counts",
        (false, true) if at == second => "the second one counts",
        (true, true) if at == second => "this is the second time",
        _ => return None,
    };
    Some(format!("{} comes twice on this day: {what}", clock(local)))
}

fn named(times: &[DateTime], one: fn(DateTime) -> String) -> String {
    let all = |times: &[DateTime]| times.iter().copied().map(one).collect::<Vec<_>>();
    match times {
        [.., last] if times.len() <= NAMED => {
            let others = all(&times[..times.len() - 1]).join(", ");
            if others.is_empty() { one(*last) } else { format!("{others} and {}", one(*last)) }
        }
        _ => format!(
            "{} and {} more",
            all(&times[..times.len().min(2)]).join(", "),
            times.len().saturating_sub(2)
        ),
    }
}

/// `02:30`, and no more of it than there is.
fn clock(local: DateTime) -> String {
    let format = match (local.second(), local.subsec_nanosecond()) {
        (0, 0) => "%H:%M",
        (_, 0) => "%H:%M:%S",
        _ => "%H:%M:%S%.f",
    };
    local.strftime(format).to_string()
}

/// `2026-12-25 02:30`.
fn dated(local: DateTime) -> String {
    format!("{} {}", local.date(), clock(local))
}

fn just_before(local: DateTime) -> Option<DateTime> {
    local.checked_sub(1.nanosecond()).ok()
}

#[cfg(test)]
mod tests;
