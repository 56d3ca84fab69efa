//! The times of a day in words. It knows seconds, minutes and hours, and never days.

use crate::model::schedule::words::{list, ordinal, runs, values};

const SIXTY: u64 = (1 << 60) - 1;
const HOURS: u64 = (1 << 24) - 1;
/// So many times are named one by one.
const NAMED: usize = 6;

/// Values at one distance, all round the clock.
struct Even {
    step: u32,
    first: u32,
}

/// The times, and whether they are so told that the days belong to them (`at 02:30` of which days?).
pub(super) fn say(second: u64, minute: u64, hour: u64) -> (String, bool) {
    let moments = (minute.count_ones() * hour.count_ones()) as usize;
    let few = even(second, 60).is_none() && moments * second.count_ones() as usize <= NAMED;
    if hour != HOURS && few {
        return (format!("at {}", list(&moments_of(hour, minute, second, second != 1), "and")), true);
    }
    if second == 1 {
        return (minutes(minute, hour), false);
    }
    let said = units("second", second);
    if hour != HOURS && moments <= NAMED {
        let minutes = list(&moments_of(hour, minute, 1, false), "and");
        let minute = if moments == 1 { "minute" } else { "minutes" };
        return (format!("{said} of the {minute} {minutes}"), true);
    }
    (seconds(&said, second, minute, hour), false)
}

fn moments_of(hour: u64, minute: u64, second: u64, with_second: bool) -> Vec<String> {
    let mut moments = Vec::new();
    for hour in values(hour) {
        for minute in values(minute) {
            let minute = format!("{hour:02}:{minute:02}");
            if with_second {
                moments.extend(values(second).into_iter().map(|second| format!("{minute}:{second:02}")));
            } else {
                moments.push(minute);
            }
        }
    }
    moments
}

fn minutes(minute: u64, hour: u64) -> String {
    let said = units("minute", minute);
    let (first, last) = (minute.trailing_zeros(), minute.ilog2());
    if hour == HOURS {
        return match even(minute, 60) {
            Some(Even { first: 0, .. }) => said,
            Some(Even { first, .. }) => format!("{said}, from minute {first} of the hour on"),
            None => format!("{said} of every hour"),
        };
    }
    if let Some((from, to)) = span(hour) {
        let steady = even(minute, 60).is_some();
        if steady || minute.is_power_of_two() {
            let said = if steady { said } else { "every hour".to_owned() };
            return format!("{said} from {from:02}:{first:02} to {to:02}:{last:02}");
        }
    }
    format!("{said} of {}", hours(hour))
}

fn seconds(said: &str, second: u64, minute: u64, hour: u64) -> String {
    let steady = even(second, 60).is_some();
    if minute == SIXTY {
        let (first, last) = (second.trailing_zeros(), second.ilog2());
        return match span(hour) {
            _ if hour == HOURS && steady => said.to_owned(),
            _ if hour == HOURS => format!("{said} of every minute"),
            Some((from, to)) if steady => {
                format!("{said} from {from:02}:00:{first:02} to {to:02}:59:{last:02}")
            }
            _ => format!("{said} of every minute of {}", hours(hour)),
        };
    }
    let minutes = match even(minute, 60) {
        Some(Even { step, first: 0 }) => format!("every {} minute", ordinal(step)),
        Some(Even { step, first }) => format!("every {} minute from minute {first} on", ordinal(step)),
        None => numbered("minute", minute),
    };
    format!("{said} of {minutes} of {}", hours(hour))
}

/// `every minute`, `every 15 minutes`, `at minute 5`, `at minutes 5 and 10`.
fn units(unit: &str, mask: u64) -> String {
    match even(mask, 60) {
        Some(Even { step: 1, .. }) => format!("every {unit}"),
        Some(Even { step, .. }) => format!("every {step} {unit}s"),
        None => format!("at {}", numbered(unit, mask)),
    }
}

/// `minute 5`, `minutes 5 and 10`.
fn numbered(unit: &str, mask: u64) -> String {
    let said = runs(&values(mask), |value| value.to_string());
    let several = if mask.is_power_of_two() { "" } else { "s" };
    format!("{unit}{several} {}", list(&said, "and"))
}

fn hours(hour: u64) -> String {
    match even(hour, 24) {
        Some(Even { step: 1, .. }) => "every hour".to_owned(),
        Some(Even { step, first: 0 }) => format!("every {} hour", ordinal(step)),
        Some(Even { step, first }) => format!("every {} hour from {first:02}:00 on", ordinal(step)),
        None if hour.is_power_of_two() => numbered("hour", hour),
        None => format!("the {}", numbered("hour", hour)),
    }
}

/// From and to which hour, when they are in a row.
fn span(hour: u64) -> Option<(u32, u32)> {
    let (from, to) = (hour.trailing_zeros(), hour.ilog2());
    (hour.count_ones() == to - from + 1).then_some((from, to))
}

/// At least three values at one distance, the last as far from the first of the next round.
fn even(mask: u64, round: u32) -> Option<Even> {
    let n = mask.count_ones();
    if n < 3 || !round.is_multiple_of(n) {
        return None;
    }
    let (step, first) = (round / n, mask.trailing_zeros());
    let evenly = (first..round).step_by(step as usize).fold(0, |all, value| all | 1_u64 << value);
    (evenly == mask).then_some(Even { step, first })
}
