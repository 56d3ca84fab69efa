//! Calendars as a person would work them out with a wall calendar and a list of clock changes: day by day, each local
//! time put against every offset that the zone ever had. Slow, and knows nothing of the library under test but the
//! offset of an instant.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan as _};

use crate::rules::Ms;
use crate::world::EPOCH;

/// The days for which it is worked out: a leap day before and after the ten years.
const FIRST: Date = jiff::civil::date(2019, 1, 1);
const LAST: Date = jiff::civil::date(2045, 1, 1);
const MINUTE: Ms = 60_000;

/// What happens to a time that a clock change skips or repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changes {
    /// Cron, a fixed hour and minute: at the end of the gap; the first time only.
    CatchesUp,
    /// Cron, every hour or minute: not in the gap; both times.
    FollowsTime,
    /// systemd: not in the gap; the first time only.
    Skips,
}

/// When something is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Calendar {
    pub(crate) timing: Written,
    pub(crate) exclude: &'static [&'static str],
    pub(crate) zone: &'static str,
    /// In ms since the epoch of the worlds, in order.
    pub(crate) occurrences: Vec<Ms>,
}

/// How it is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Cron(&'static str),
    OnCalendar(&'static str),
}

/// Which days, which hours and minutes.
pub(crate) struct Rule {
    pub(crate) timing: Written,
    pub(crate) exclude: &'static [&'static str],
    pub(crate) days: fn(Date) -> bool,
    pub(crate) times: &'static [(i8, i8)],
    pub(crate) changes: Changes,
}

pub(crate) const RULES: [Rule; 7] = [
    rule(Written::Cron("30 2 * * *"), |_| true, &[(2, 30)], Changes::CatchesUp),
    rule(Written::Cron("0 0 * * 1-5"), is_workday, &[(0, 0)], Changes::CatchesUp),
    rule(Written::Cron("15 1,13 L * *"), is_last, &[(1, 15), (13, 15)], Changes::CatchesUp),
    rule(Written::Cron("20 */12 * * *"), |_| true, &[(0, 20), (12, 20)], Changes::FollowsTime),
    rule(Written::Cron("59 1 29 2 *"), is_leap_day, &[(1, 59)], Changes::CatchesUp),
    rule(Written::OnCalendar("Mon..Fri 02:30"), is_workday, &[(2, 30)], Changes::Skips),
    Rule {
        exclude: &["Sat,Sun", "*-12-24..26", "*-*~1"],
        ..rule(Written::Cron("45 1 * * *"), is_no_holiday, &[(1, 45)], Changes::CatchesUp)
    },
];

const fn rule(timing: Written, days: fn(Date) -> bool, times: &'static [(i8, i8)], changes: Changes) -> Rule {
    Rule { timing, exclude: &[], days, times, changes }
}

fn is_no_holiday(date: Date) -> bool {
    is_workday(date) && !(date.month() == 12 && (24..=26).contains(&date.day())) && !is_last(date)
}

fn is_workday(date: Date) -> bool {
    !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn is_last(date: Date) -> bool {
    date.tomorrow().is_ok_and(|next| next.day() == 1)
}

fn is_leap_day(date: Date) -> bool {
    (date.month(), date.day()) == (2, 29)
}

/// A zone, and every offset that it has in these years, in seconds.
pub(crate) struct Zone {
    pub(crate) name: &'static str,
    clock: TimeZone,
    offsets: BTreeSet<i32>,
    /// How often its clocks are changed.
    pub(crate) changes: usize,
}

impl Zone {
    pub(crate) fn new(name: &'static str) -> Self {
        let zone = TimeZoneDatabase::bundled().get(name).expect("it is a zone");
        let at = |date: Date| date.to_zoned(TimeZone::UTC).expect("it is a day").timestamp();
        let (mut offsets, mut changes, mut last) = (BTreeSet::new(), 0, None);
        let (mut t, end) = (at(FIRST), at(LAST));
        while t < end {
            let offset = zone.to_offset(t).seconds();
            offsets.insert(offset);
            changes += usize::from(last.is_some_and(|last| last != offset));
            last = Some(offset);
            t += 6.hours();
        }
        Self { name, clock: zone, offsets, changes }
    }

    /// All instants at which the clocks of the zone show this.
    fn instants(&self, date: Date, (hour, minute): (i8, i8)) -> Vec<Timestamp> {
        let shown = date.at(hour, minute, 0, 0).to_zoned(TimeZone::UTC).expect("it is a day").timestamp();
        let candidates = self.offsets.iter().rev().map(|offset| shown - i64::from(*offset).seconds());
        candidates.filter(|t| self.clock.to_datetime(*t) == date.at(hour, minute, 0, 0)).collect()
    }

    /// The first minute whose local time is later than one that the clocks skip.
    fn end_of_gap(&self, date: Date, (hour, minute): (i8, i8)) -> Timestamp {
        let skipped = date.at(hour, minute, 0, 0);
        let shown = skipped.to_zoned(TimeZone::UTC).expect("it is a day").timestamp();
        let most = *self.offsets.iter().max().expect("a zone has an offset");
        let mut t = shown - i64::from(most).seconds() - 3.hours();
        while self.clock.to_datetime(t) < skipped {
            t += 1.minute();
        }
        t
    }

    pub(crate) fn calendar(&self, rule: &Rule) -> Calendar {
        let mut occurrences = BTreeSet::new();
        let mut date = FIRST;
        while date < LAST {
            for time in rule.times.iter().filter(|_| (rule.days)(date)) {
                let shown = self.instants(date, *time);
                match (rule.changes, shown.first()) {
                    (Changes::FollowsTime, _) => occurrences.extend(shown),
                    (Changes::CatchesUp, Some(first)) => drop(occurrences.insert(*first)),
                    (Changes::CatchesUp, None) => drop(occurrences.insert(self.end_of_gap(date, *time))),
                    (Changes::Skips, first) => occurrences.extend(first),
                }
            }
            date = date.tomorrow().expect("it is far from the end");
        }
        let occurrences = occurrences.into_iter().map(|t| t.as_millisecond() - EPOCH).collect();
        Calendar { timing: rule.timing, exclude: rule.exclude, zone: self.name, occurrences }
    }
}

impl Calendar {
    /// The first occurrence strictly after `t`.
    pub(crate) fn next_after(&self, t: Ms) -> Ms {
        self.occurrences[self.occurrences.partition_point(|occurrence| *occurrence <= t)]
    }

    /// How long before this occurrence a finish counts for it: a minute, or a tenth of the distance from the last.
    pub(crate) fn early(&self, occurrence: Ms) -> Ms {
        let place = self.occurrences.partition_point(|other| *other < occurrence);
        ((occurrence - self.occurrences[place - 1]) / 10).min(MINUTE)
    }
}
