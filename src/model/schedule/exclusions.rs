//! Days and times at which nothing is expected: holidays, the last day of the month. It knows dates and calendar
//! expressions, and never what they are taken from.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::model::schedule::expressions::Expressions;
use crate::model::schedule::on_calendar::{Cover, begin_of_next};
use crate::model::schedule::{AT_COMPILE, HORIZON, PROBE, ScheduleError, Zones};
use crate::model::time::{Span, Timestamp};

const TICK: Span = Span::from_millis(1);
/// What a look costs for each zone, in covers: the local time and the next change of the clock.
const GROUP_COST: u32 = 8;
/// Of a cover's text, what costs as much as another cover: it may list many fractions of seconds.
const TEXT_COST: usize = 32;

/// What was read of lists of exclusions: once for all schedules that share one.
#[derive(Debug, Clone, Default)]
pub struct Excluded(BTreeMap<(String, Expressions), Exclusions>);

impl Excluded {
    /// Those of these texts, in the zone of this name.
    pub(super) fn read(
        &mut self,
        texts: &Expressions,
        (name, zone): (&str, &TimeZone),
        zones: &Zones,
    ) -> Result<Exclusions, ScheduleError> {
        if texts.is_empty() {
            return Ok(Exclusions(None));
        }
        let key = (name.to_owned(), texts.clone());
        if let Some(known) = self.0.get(&key) {
            return Ok(known.clone());
        }
        let read = Exclusions::read(texts, zone, zones)?;
        self.0.insert(key, read.clone());
        Ok(read)
    }

    /// Forgets what no schedule has any more.
    pub fn forget_unused(&mut self) {
        self.0.retain(|_, known| known.0.as_ref().is_some_and(|list| Arc::strong_count(list) > 1));
    }
}

/// Whether this can be excluded. Whether it leaves anything is asked of each schedule.
///
/// # Errors
/// When it cannot be read, or its time zone does not exist.
pub fn check(text: &str, zones: &Zones) -> Result<(), ScheduleError> {
    Entry::read(text, zones).map(|_| ()).map_err(|error| blame(text, &error))
}

fn blame(text: &str, error: &ScheduleError) -> ScheduleError {
    ScheduleError::Exclusion(format!("{text:?} cannot be excluded: {error}"))
}

/// Dates and expressions made ready to be asked, shared; nothing at all when there are none.
#[derive(Debug, Clone)]
pub(super) struct Exclusions(Option<Arc<List>>);

#[derive(Debug)]
struct List {
    groups: Box<[Group]>,
    /// What a look costs, in covers.
    cost: u32,
    /// Whether anything is left of all instants.
    leaves_instants: bool,
}

/// What is excluded in one time zone.
#[derive(Debug, Clone)]
struct Group {
    zone: TimeZone,
    /// First and last of the days that follow each other, in their order.
    days: Vec<(Date, Date)>,
    covers: Vec<Cover>,
}

impl Exclusions {
    /// Reads them, each a date, a range of dates (`2026-12-24..2026-12-26`) or a calendar expression. Without a time
    /// it excludes whole local days; with one what matches as finely as it is written. The zone that it may name
    /// wins over `zone`.
    fn read(texts: &Expressions, zone: &TimeZone, zones: &Zones) -> Result<Self, ScheduleError> {
        let mut cost = 0;
        let mut groups: Vec<Group> = Vec::new();
        for text in texts.iter() {
            let (entry, own) = Entry::read(text, zones).map_err(|error| blame(text, &error))?;
            let zone = own.as_ref().unwrap_or(zone);
            let at = groups.iter().position(|group| group.zone == *zone).unwrap_or(groups.len());
            if at == groups.len() {
                cost += GROUP_COST;
                groups.push(Group { zone: zone.clone(), days: Vec::new(), covers: Vec::new() });
            }
            if let Entry::Cover(_) = entry {
                cost += 1 + u32::try_from(text.len() / TEXT_COST).unwrap_or(u32::MAX);
            }
            if let Some(group) = groups.get_mut(at) {
                group.add(entry);
            }
        }
        groups.iter_mut().for_each(Group::merge);
        let mut list = List { groups: groups.into(), cost, leaves_instants: false };
        list.leaves_instants = list.end_after(PROBE, HORIZON, AT_COMPILE.looks(cost)).is_some();
        Ok(Self(Some(Arc::new(list))))
    }

    /// What a look costs, in covers.
    pub(super) fn cost(&self) -> u32 {
        self.0.as_ref().map_or(0, |list| list.cost)
    }

    /// Whether an instant after 2025 is left, as far as is found out soon enough.
    pub(super) fn leave_instants(&self) -> bool {
        self.0.as_ref().is_none_or(|list| list.leaves_instants)
    }

    /// The last instant up to which nothing is expected as far as is known at once, when that is so at `t`. More may
    /// be excluded right after it.
    pub(super) fn until(&self, t: Timestamp) -> Option<Timestamp> {
        self.0.as_ref()?.until(t)
    }

    /// The first instant after `t` at which something may be expected. `None` when that is not within this span, or
    /// takes too long to find out.
    pub(super) fn end_after(&self, t: Timestamp, within: Span, looks: u32) -> Option<Timestamp> {
        self.0.as_ref().map_or(Some(t + TICK), |list| list.end_after(t, within, looks))
    }
}

impl List {
    fn until(&self, t: Timestamp) -> Option<Timestamp> {
        #[cfg(test)]
        counted::add(&counted::COST, self.cost.into());
        self.groups.iter().filter_map(|group| group.until(t)).max()
    }

    fn end_after(&self, t: Timestamp, within: Span, looks: u32) -> Option<Timestamp> {
        let mut free = t + TICK;
        for _ in 0..looks {
            match self.until(free) {
                None => return Some(free),
                Some(until) => free = until + TICK,
            }
            if free > t + within {
                return None;
            }
        }
        None
    }
}

/// What one text excludes.
enum Entry {
    Days(Date, Date),
    Cover(Cover),
}

impl Entry {
    fn read(text: &str, zones: &Zones) -> Result<(Self, Option<TimeZone>), ScheduleError> {
        #[cfg(test)]
        counted::add(&counted::READ, 1);
        let (range, zone) = text.split_once(' ').map_or((text, None), |(range, zone)| (range, Some(zone)));
        if let Some((first, last)) = range.split_once("..")
            && let (Some(first), Some(last)) = (date(first), date(last))
        {
            if first > last {
                return Err(ScheduleError::Expression("the range runs backwards".to_owned()));
            }
            let zone = zone.map(|name| zones.find(name.trim())).transpose()?;
            return Ok((Self::Days(first, last), zone));
        }
        let (mut cover, zone) = Cover::read(text, zones)?;
        if let Some(whole) = in_whole_seconds(text) {
            (cover, _) = Cover::read(&whole, zones)?;
        }
        Ok((cover.day().map_or(Self::Cover(cover), |day| Self::Days(day, day)), zone))
    }
}

/// `2026-12-24`, and nothing else that the calendar library would take.
fn date(text: &str) -> Option<Date> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if text.len() == 10 && digits(text) { text.parse().ok() } else { None }
}

/// The same in whole seconds when the seconds are written in steps of at most a millisecond, the smallest distance
/// between two instants: gone over one by one, those would take for ever. Beside a fraction it stays as it is.
fn in_whole_seconds(text: &str) -> Option<String> {
    let time = text.split(' ').find(|part| part.matches(':').count() == 2)?;
    let (_, seconds) = time.rsplit_once(':')?;
    let whole: Vec<String> =
        seconds.split(',').map(|item| whole(item).unwrap_or_else(|| item.to_owned())).collect();
    let (whole, head) = (whole.join(","), time.strip_suffix(seconds)?);
    (whole != seconds && !whole.replace("..", "").contains('.'))
        .then(|| text.replacen(time, &format!("{head}{whole}"), 1))
}

/// `0..59` of `0..59/0.001`.
fn whole(item: &str) -> Option<String> {
    let (range, step) = item.split_once('/')?;
    let is_whole = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match range.split_once("..") {
        _ if !step.parse().is_ok_and(|step: f64| step <= 0.001) => None,
        Some((first, last)) => (is_whole(first) && is_whole(last)).then(|| range.to_owned()),
        None => is_whole(range).then(|| format!("{range}..59")),
    }
}

impl Group {
    fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Days(first, last) => self.days.push((first, last)),
            Entry::Cover(cover) => self.covers.push(cover),
        }
    }

    /// Puts the days in order, those that follow each other as one.
    fn merge(&mut self) {
        self.days.sort_unstable();
        let mut merged: Vec<(Date, Date)> = Vec::new();
        for (first, last) in self.days.drain(..) {
            match merged.last_mut() {
                Some(before) if first <= before.1.tomorrow().unwrap_or(Date::MAX) => {
                    before.1 = before.1.max(last);
                }
                Some(_) | None => merged.push((first, last)),
            }
        }
        self.days = merged;
    }

    fn until(&self, t: Timestamp) -> Option<Timestamp> {
        let (local, instant) = (self.zone.to_datetime(t.to_jiff()), t.to_jiff());
        let end =
            self.covers.iter().filter_map(|cover| cover.end(local)).chain(self.end_of_days(local)).max()?;
        // The local time runs evenly until the clock changes, and no further is looked.
        let end = self.zone.to_offset(instant).to_timestamp(end).unwrap_or(jiff::Timestamp::MAX);
        let change = self.zone.following(instant).next().map(|change| change.timestamp());
        Some(Timestamp::from_jiff(change.map_or(end, |change| change.min(end))) - TICK)
    }

    fn end_of_days(&self, local: DateTime) -> Option<DateTime> {
        let after = self.days.partition_point(|(first, _)| *first <= local.date());
        let (_, last) = self.days.get(after.checked_sub(1)?)?;
        (*last >= local.date()).then(|| begin_of_next(*last))
    }
}

/// What was done on this thread.
#[cfg(test)]
pub(crate) mod counted {
    use std::cell::Cell;
    use std::thread::LocalKey;

    thread_local! {
        /// The cost of all looks.
        pub(crate) static COST: Cell<u64> = const { Cell::new(0) };
        /// Entries that were read.
        pub(crate) static READ: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn add(to: &'static LocalKey<Cell<u64>>, n: u64) {
        to.set(to.get() + n);
    }

    /// How much of it this does.
    pub(crate) fn of(what: &'static LocalKey<Cell<u64>>, act: impl FnOnce()) -> u64 {
        let before = what.get();
        act();
        what.get() - before
    }
}

#[cfg(test)]
mod tests;
