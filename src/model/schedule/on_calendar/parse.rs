//! Takes a calendar expression apart: weekdays, date, time and zone. It accepts what systemd accepts, says in plain
//! words what is wrong and what to write instead, and never knows when anything is expected.

use jiff::tz::TimeZone;

use crate::model::schedule::on_calendar::days::Days;
use crate::model::schedule::on_calendar::field::{DAY, DAY_FROM_END, MONTH};
use crate::model::schedule::on_calendar::times::Times;
use crate::model::schedule::{ScheduleError, Zones};

/// What an expression says.
pub(in crate::model::schedule) struct Written {
    pub(super) days: Days,
    pub(super) times: Times,
    /// The smallest part that was written.
    pub(super) grain: Grain,
    pub(super) zone: Option<TimeZone>,
}

/// How finely an expression was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model::schedule) enum Grain {
    Day,
    Minute,
    Second,
}

const WEEKDAYS: [(&str, &str); 7] = [
    ("monday", "mon"),
    ("tuesday", "tue"),
    ("wednesday", "wed"),
    ("thursday", "thu"),
    ("friday", "fri"),
    ("saturday", "sat"),
    ("sunday", "sun"),
];

/// What shorthands stand for.
const SHORTHANDS: [(&str, &str); 13] = [
    ("minutely", "*-*-* *:*"),
    ("hourly", "*-*-* *:0"),
    ("daily", "*-*-*"),
    ("weekly", "Mon *-*-*"),
    ("monthly", "*-*-1"),
    ("quarterly", "*-1,4,7,10-1"),
    ("semiannually", "*-1,7-1"),
    ("semi-annually", "*-1,7-1"),
    ("biannually", "*-1,7-1"),
    ("bi-annually", "*-1,7-1"),
    ("yearly", "*-1-1"),
    ("annually", "*-1-1"),
    ("anually", "*-1-1"),
];

/// Reads a whole expression.
pub(in crate::model::schedule) fn read(text: &str, zones: &Zones) -> Result<Written, ScheduleError> {
    let (rest, zone) = cut_zone(text, zones);
    let rest = shorthand(rest).unwrap_or(rest);
    let written = weekdays(rest).and_then(|(weekdays, rest)| {
        if let Some(seconds) = rest.strip_prefix('@') {
            return unix(seconds, weekdays);
        }
        let (days, times, grain) = date_and_time(rest)?;
        Ok(Written { days: days.with_weekdays(weekdays), times, grain, zone: zone.clone() })
    });
    written.map_err(|what| match what_was_meant(text.trim(), zones) {
        Some(meant) => ScheduleError::Expression(meant),
        None => ScheduleError::Expression(what),
    })
}

/// Without its trailing zone.
fn cut_zone<'a>(text: &'a str, zones: &Zones) -> (&'a str, Option<TimeZone>) {
    let Some((rest, last)) = text.rsplit_once(' ') else { return (text, None) };
    if last.eq_ignore_ascii_case("UTC") {
        return (rest, Some(TimeZone::UTC));
    }
    // systemd looks for a file of this name, so upper and lower case count.
    match zones.find(last) {
        Ok(zone) if zone.iana_name() == Some(last) => (rest, Some(zone)),
        Ok(_) | Err(_) => (text, None),
    }
}

fn shorthand(text: &str) -> Option<&'static str> {
    let known = SHORTHANDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    known.map(|(_, expression)| *expression)
}

/// The weekdays with which a text begins, all when there are none, and what follows them.
fn weekdays(text: &str) -> Result<(u8, &str), String> {
    if text.is_empty() {
        return Err("it is empty: write a day or a time, as in Mon..Fri 2:00".to_owned());
    }
    let end = text.find(' ').unwrap_or(text.len());
    let (list, rest) = text.split_at(end);
    if !list.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Ok((0x7f, text));
    }
    let mut days = 0_u8;
    // A comma may stand at the end.
    for item in list.strip_suffix(',').unwrap_or(list).split(',') {
        let (from, to) = item.split_once("..").or_else(|| item.split_once('-')).unwrap_or((item, item));
        let (low, high) = (weekday(from)?, weekday(to)?);
        if low > high {
            let after_sunday = if high == 0 { "Mon".to_owned() } else { format!("Mon..{to}") };
            return Err(format!("the weekdays {item} run backwards: write {from}..Sun,{after_sunday}"));
        }
        days |= (low..=high).fold(0, |all, day| all | 1 << day);
    }
    Ok((days, rest.trim_start_matches(' ')))
}

fn weekday(name: &str) -> Result<usize, String> {
    let lower = name.to_ascii_lowercase();
    let found = WEEKDAYS.iter().position(|(long, short)| lower == *long || lower == *short);
    found.ok_or_else(|| format!("{name:?} is not a weekday: write Mon, Tue, Wed, Thu, Fri, Sat or Sun"))
}

/// Seconds since 1970, which are in UTC whatever zone follows.
fn unix(text: &str, weekdays: u8) -> Result<Written, String> {
    let wrong = || format!("after @ stand seconds since 1970, not {text:?}");
    let number = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let number = number.strip_prefix(['+', '-']).map_or(number, |digits| {
        if number.starts_with('-') && digits.trim_start_matches('0').is_empty() || !number.starts_with('-') {
            digits
        } else {
            number
        }
    });
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let seconds = number.parse().map_err(|_| wrong())?;
    let instant = jiff::Timestamp::from_second(seconds).map_err(|_| wrong())?;
    let local = TimeZone::UTC.to_datetime(instant);
    Ok(Written {
        days: Days::only(local.date())?.with_weekdays(weekdays),
        times: Times::only(local.hour(), local.minute(), local.second()),
        grain: Grain::Second,
        zone: Some(TimeZone::UTC),
    })
}

/// `date`, `time`, or both; midnight without a time, every day without a date. After weekdays both may be missing.
fn date_and_time(text: &str) -> Result<(Days, Times, Grain), String> {
    let midnight = Times::only(0, 0, 0);
    if text.is_empty() {
        return Ok((Days::all(), midnight, Grain::Day));
    }
    let (head, tail) = text.split_once(' ').map_or((text, None), |(head, tail)| (head, Some(tail)));
    if head.contains(':') {
        let (times, grain) = time(text)?;
        return Ok((Days::all(), times, grain));
    }
    if !head.contains(['-', '~']) {
        return Err(format!("{head:?} is neither a date like *-*-1 nor a time like 2:00"));
    }
    let days = date(head)?;
    match tail.map(|tail| tail.trim_start_matches(' ')) {
        None | Some("") => Ok((days, midnight, Grain::Day)),
        Some(tail) => time(tail).map(|(times, grain)| (days, times, grain)),
    }
}

/// `month-day`, `year-month-day`, the last mark possibly `~`.
fn date(text: &str) -> Result<Days, String> {
    let end = text.rfind(['-', '~']).unwrap_or(0);
    let from_end = text[end..].starts_with('~');
    let (before, day) = (&text[..end], &text[end + 1..]);
    let (year, month) = before.split_once('-').unwrap_or(("*", before));
    let days = if from_end && day != "*" { DAY_FROM_END.mask(day)? } else { DAY.mask(day)? };
    let all = Days::all().with_years(year)?.with_months(MONTH.mask(month)?);
    Ok(all.with_days(days, from_end && day != "*"))
}

/// `hour:minute`, `hour:minute:second`.
fn time(text: &str) -> Result<(Times, Grain), String> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        [hour, minute] => Ok((Times::read(hour, minute, None)?, Grain::Minute)),
        [hour, minute, second] => Ok((Times::read(hour, minute, Some(second))?, Grain::Second)),
        _ => Err(format!("{text:?} is no time: it has the form hour:minute or hour:minute:second")),
    }
}

/// For what people write who know cron, or a zone by another name.
fn what_was_meant(text: &str, zones: &Zones) -> Option<String> {
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let looks_like_cron = matches!(fields.len(), 5 | 6)
        && fields.iter().all(|field| !field.contains([':', '~']) && !field.contains(".."));
    if looks_like_cron {
        return Some(format!(
            "{text:?} is a cron expression, which the key cron takes: here stands systemd's form, as in Mon..Fri 02:00"
        ));
    }
    if let Some(name) = text.strip_prefix('@')
        && shorthand(name).is_some()
    {
        return Some(format!("there is no {text}: write {}", name.to_ascii_lowercase()));
    }
    let [.., before, last] = fields[..] else { return None };
    let is_zone = last.starts_with(|first: char| first.is_ascii_alphabetic()) && weekday(before).is_err();
    if !is_zone || shorthand(last).is_some() {
        return None;
    }
    let known = zones.find(last).ok();
    Some(match known.as_ref().and_then(|zone| zone.iana_name()) {
        Some(name) if name != last => format!("the time zone {last:?} is written {name}"),
        Some(_) => return None,
        None => format!("there is no time zone {last:?}: write a name like Europe/Berlin, or UTC"),
    })
}
