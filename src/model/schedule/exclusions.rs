//! Days and times at which nothing is expected: holidays, the last day of the month. It knows dates and calendar
//! expressions, and never what they are taken from.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::model::schedule::expressions::Expressions;
use crate::model::schedule::on_calendar::{Cover, begin_of_next};
use crate::model::schedule::{ScheduleError, Zones};
use crate::model::time::{Span, Timestamp};

const TICK: Span = Span::from_millis(1);

/// Dates and expressions made ready to be asked; nothing at all when there are none.
#[derive(Debug, Clone)]
pub(super) struct Exclusions(Option<Box<[Group]>>);

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
    pub(super) fn read(texts: &Expressions, zone: &TimeZone, zones: &Zones) -> Result<Self, ScheduleError> {
        if texts.is_empty() {
            return Ok(Self(None));
        }
        let mut groups: Vec<Group> = Vec::new();
        for text in texts.iter() {
            let blame = |error| ScheduleError::Exclusion(format!("{text:?} cannot be excluded: {error}"));
            let (entry, own) = Entry::read(text, zones).map_err(blame)?;
            let zone = own.as_ref().unwrap_or(zone);
            let at = groups.iter().position(|group| group.zone == *zone).unwrap_or(groups.len());
            if at == groups.len() {
                groups.push(Group { zone: zone.clone(), days: Vec::new(), covers: Vec::new() });
            }
            if let Some(group) = groups.get_mut(at) {
                group.add(entry);
            }
        }
        groups.iter_mut().for_each(Group::merge);
        Ok(Self(Some(groups.into())))
    }

    /// The last instant up to which nothing is expected as far as is known at once, when that is so at `t`. More may
    /// be excluded right after it.
    pub(super) fn until(&self, t: Timestamp) -> Option<Timestamp> {
        self.0.as_deref()?.iter().filter_map(|group| group.until(t)).max()
    }

    /// The first instant after `t` at which something may be expected. `None` when that is not within this span, or
    /// takes too long to find out.
    pub(super) fn end_after(&self, t: Timestamp, within: Span, looks: u32) -> Option<Timestamp> {
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
        let (cover, zone) = Cover::read(text, zones)?;
        Ok((cover.day().map_or(Self::Cover(cover), |day| Self::Days(day, day)), zone))
    }
}

/// `2026-12-24`, and nothing else that the calendar library would take.
fn date(text: &str) -> Option<Date> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if text.len() == 10 && digits(text) { text.parse().ok() } else { None }
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

#[cfg(test)]
mod tests;
