//! Reads the common forms of systemd's calendar expressions, for words about them. What it does not know is no
//! error: the expression is then shown as it is written.

use crate::model::schedule::cron::field::Values;
use crate::model::schedule::words::Saying;

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const WEEK: u64 = 0x7f;

/// `None` when it is not of a common form.
pub(super) fn read(expression: &str) -> Option<Saying> {
    let lower = expression.trim().to_ascii_lowercase();
    let mut parts: Vec<&str> = shorthand(&lower).unwrap_or(expression).split_whitespace().collect();
    let zone = parts.pop_if(|part| is_zone(part)).map(str::to_owned);
    if let [one] = parts[..]
        && let Some(meant) = shorthand(&one.to_ascii_lowercase())
    {
        parts = meant.split_whitespace().collect();
    }
    let mut parts = parts.into_iter().peekable();
    let weekday = match parts.next_if(|part| part.starts_with(|c: char| c.is_ascii_alphabetic())) {
        Some(part) => weekdays(part)?,
        None => WEEK,
    };
    let date = parts.next_if(|part| part.contains(['-', '~']) && !part.contains(':'));
    let time = parts.next().unwrap_or("00:00");
    if parts.next().is_some() {
        return None;
    }
    let (month, day, date) = days(date.unwrap_or("*-*-*"))?;
    let mut times = time.split(':');
    let (hour, minute) = (times.next()?, times.next()?);
    let second = times.next().unwrap_or("0");
    Some(Saying {
        second: field(second, 0, 59)?,
        minute: field(minute, 0, 59)?,
        hour: field(hour, 0, 23)?,
        day,
        month,
        weekday: plain(weekday),
        both: true,
        date,
        zone,
    })
    .filter(|_| times.next().is_none())
}

fn shorthand(name: &str) -> Option<&'static str> {
    Some(match name {
        "minutely" => "*-*-* *:*:00",
        "hourly" => "*-*-* *:00:00",
        "daily" => "*-*-* 00:00:00",
        "weekly" => "Mon *-*-* 00:00:00",
        "monthly" => "*-*-01 00:00:00",
        "quarterly" => "*-01,04,07,10-01 00:00:00",
        "semiannually" | "semi-annually" => "*-01,07-01 00:00:00",
        "yearly" | "annually" => "*-01-01 00:00:00",
        _ => return None,
    })
}

fn is_zone(part: &str) -> bool {
    part == "UTC" || part.contains('/') && part.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// `Mon`, `Mon..Fri`, `Sat,Sun`.
fn weekdays(part: &str) -> Option<u64> {
    let part = part.to_ascii_lowercase();
    let day =
        |name: &str| WEEKDAYS.iter().position(|day| name.len() > 2 && (name == *day || name == &day[..3]));
    let mut mask = 0;
    for item in part.split(',') {
        // From Monday on: a range may end with Sunday.
        let from_monday = |name: &str| day(name).map(|day| (day + 6) % 7);
        let (first, last) = item.split_once("..").unwrap_or((item, item));
        let (first, last) = (from_monday(first)?, from_monday(last)?);
        if first > last {
            return None;
        }
        mask = (first..=last).fold(mask, |mask, day| mask | 1 << ((day + 1) % 7));
    }
    Some(mask)
}

/// Months, days, and the date when the year is named: `*-*-*`, `01-01`, `*-*~01`, `2026-12-25`.
fn days(part: &str) -> Option<(u64, Values, Option<String>)> {
    if let Ok(date) = part.parse::<jiff::civil::Date>() {
        return Some((0, plain(0), Some(date.to_string())));
    }
    let (months, days, last) = match part.rsplit_once('~') {
        Some((months, days)) => (months, days, true),
        None => part.rsplit_once('-').map(|(months, days)| (months, days, false))?,
    };
    let months = match months.split_once('-') {
        Some(("*", months)) => months,
        Some(_) => return None,
        None => months,
    };
    let months = field(months, 1, 12)?;
    if !last {
        return Some((months, plain(field(days, 1, 31)?), None));
    }
    let nth: u32 = days.parse().ok()?;
    let special = if nth == 1 { "L".to_owned() } else { format!("~{nth}") };
    Some((months, Values { mask: 0, starred: false, special: vec![special] }, None))
}

/// `*`, `5`, `1..5`, `0/15`, and lists of them.
fn field(text: &str, low: u32, high: u32) -> Option<u64> {
    let number = |text: &str| {
        let value = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
        value.filter(|value| (low..=high).contains(value))
    };
    let mut mask = 0_u64;
    for item in text.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<usize>().ok().filter(|step| *step > 0)?)),
            None => (item, None),
        };
        let (first, last) = match range.split_once("..") {
            Some((first, last)) => (number(first)?, number(last)?),
            None if range == "*" && step.is_none() => (low, high),
            None => (number(range)?, if step.is_some() { high } else { number(range)? }),
        };
        if first > last {
            return None;
        }
        mask = (first..=last).step_by(step.unwrap_or(1)).fold(mask, |mask, value| mask | 1 << value);
    }
    Some(mask)
}

fn plain(mask: u64) -> Values {
    Values { mask, starred: false, special: Vec::new() }
}
