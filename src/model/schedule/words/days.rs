//! Days and months in words. It knows the days of a month, of a week, and by which rule they go together.

use crate::model::schedule::cron::field::Values;
use crate::model::schedule::words::{Saying, list, ordinal, runs, values};

const DAYS: u64 = (1 << 32) - 2;
const WEEK: u64 = 0x7f;
const MONTHS: u64 = (1 << 13) - 2;
/// From Monday on, as people list them; Sunday is 7.
const WEEKDAYS: [&str; 8] =
    ["", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTH_NAMES: [&str; 13] = [
    "",
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// On which days: `on Monday to Friday`, `on the 1st and on every Monday`. `None` for all of them.
pub(super) fn say(saying: &Saying) -> Option<String> {
    let (day, weekday) = (&saying.day, &saying.weekday);
    let any_day = day.mask & DAYS == DAYS;
    let any_weekday = weekday.mask & WEEK == WEEK;
    match (any_day, any_weekday) {
        (true, true) => None,
        (true, false) | (false, true) if !saying.both => None,
        (true, false) if weekday.mask.is_power_of_two() && weekday.special.is_empty() => {
            Some(format!("on every {}", weekdays(weekday, "and")))
        }
        (true, false) => Some(format!("on {}", weekdays(weekday, "and"))),
        (false, true) => Some(format!("on {}", days(day))),
        (false, false) if saying.both => {
            let a = if weekday.mask.is_power_of_two() && weekday.special.is_empty() { "a " } else { "" };
            Some(format!("on {}, if it is {a}{}", days(day), weekdays(weekday, "or")))
        }
        (false, false) => {
            let also = match weekday.mask.count_ones() {
                0 => " and on",
                1 => " and on every",
                _ => ", and also on",
            };
            Some(format!("on {}{also} {}", days(day), weekdays(weekday, "and")))
        }
    }
}

/// In which months: `in March`, `from June to August`. `None` for all of them.
pub(super) fn months(saying: &Saying) -> Option<String> {
    let mask = saying.month & MONTHS;
    if mask == MONTHS {
        return None;
    }
    let months = values(mask);
    let row = months.len() > 2 && months.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    let names = runs(&months, |month| name(&MONTH_NAMES, month));
    Some(if row { format!("from {}", names.concat()) } else { format!("in {}", list(&names, "and")) })
}

fn days(day: &Values) -> String {
    let plain = values(day.mask & DAYS);
    if day.special.is_empty()
        && let Some(step) = from_the_first(&plain)
    {
        return format!("every {} day of the month", ordinal(step));
    }
    let mut said = runs(&plain, |day| format!("the {}", ordinal(day)));
    said.extend(day.special.iter().map(|item| match item.as_str() {
        "L" => "the last day of the month".to_owned(),
        "LW" => "the last working day (Monday to Friday) of the month".to_owned(),
        item => match (item.strip_suffix('W'), item.strip_prefix('~')) {
            (Some(day), _) => format!("the working day (Monday to Friday) nearest the {}", counted(day)),
            (None, Some(nth)) => format!("the {} last day of the month", counted(nth)),
            (None, None) => item.to_owned(),
        },
    }));
    list(&said, "and")
}

/// The step of days 1, 3, 5 and so on to the month's end.
fn from_the_first(days: &[u32]) -> Option<u32> {
    let [1, second, ..] = *days else { return None };
    let step = second - 1;
    (days.len() > 2 && step > 1 && (1..=31).step_by(step as usize).eq(days.iter().copied())).then_some(step)
}

fn weekdays(weekday: &Values, and: &str) -> String {
    let from_monday = weekday.mask & 0x7e | (weekday.mask & 1) << 7;
    let mut said = runs(&values(from_monday), |day| name(&WEEKDAYS, day));
    said.extend(weekday.special.iter().map(|item| {
        let Some((day, nth)) = item.split_once('#') else { return item.clone() };
        let day = match day.parse() {
            Ok(0) => "Sunday".to_owned(),
            Ok(day) => name(&WEEKDAYS, day),
            Err(_) => day.to_owned(),
        };
        let nth = if nth == "L" { "last".to_owned() } else { counted(nth) };
        format!("the {nth} {day} of the month")
    }));
    list(&said, and)
}

fn counted(number: &str) -> String {
    number.parse().map_or_else(|_| number.to_owned(), ordinal)
}

fn name(names: &[&str], index: u32) -> String {
    names.get(index as usize).map_or_else(|| index.to_string(), |name| (*name).to_owned())
}
