//! A schedule in words, for a person who asks what it says. It knows expressions, and never when anything runs:
//! what cannot be said well is shown as it is written.

use crate::model::schedule::Timing;
use crate::model::schedule::cron::field::{Fields, Values};

mod calendar;
mod days;
mod times;

/// What a calendar expression says, each part as the values that it allows.
struct Saying {
    second: u64,
    minute: u64,
    hour: u64,
    day: Values,
    month: u64,
    weekday: Values,
    /// A day must match both of its parts, else either of them.
    both: bool,
    /// The one day that it names with its year, which then stands for the days.
    date: Option<String>,
    zone: Option<String>,
}

/// The schedule in words: `every 24h after the last finish`, `at 02:30 on Monday to Friday`.
pub fn words(timing: &Timing) -> String {
    match timing {
        Timing::Interval(every) => format!("every {every} after the last finish"),
        Timing::Cron(expressions) => join(expressions.iter().map(|one| say(one, cron(one)))),
        Timing::OnCalendar(expressions) => join(expressions.iter().map(|one| say(one, calendar::read(one)))),
    }
}

fn join(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", and ")
}

fn say(expression: &str, saying: Option<Saying>) -> String {
    let Some(saying) = saying else {
        return format!("at the times of {}", expression.split_whitespace().collect::<Vec<_>>().join(" "));
    };
    let (times, daily) = times::say(saying.second, saying.minute, saying.hour);
    let mut words = vec![times];
    if let Some(date) = &saying.date {
        words.push(format!("on {date}"));
    } else {
        words.extend(days::say(&saying).or_else(|| daily.then(|| "every day".to_owned())));
        words.extend(days::months(&saying));
    }
    let words = words.join(" ");
    match saying.zone {
        Some(zone) => format!("{words}, {zone} time"),
        None => words,
    }
}

fn cron(expression: &str) -> Option<Saying> {
    let Fields { second, minute, hour, day, month, weekday } = Fields::read(expression).ok()?;
    Some(Saying {
        second: second.mask,
        minute: minute.mask,
        hour: hour.mask,
        both: day.starred || weekday.starred,
        day,
        month: month.mask,
        weekday,
        date: None,
        zone: None,
    })
}

/// The values of a mask in their order.
fn values(mask: u64) -> Vec<u32> {
    (0..64).filter(|value| mask & (1 << value) != 0).collect()
}

/// `a`, `a and b`, `a, b and c`.
fn list(items: &[String], and: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [others @ .., last] => format!("{} {and} {last}", others.join(", ")),
    }
}

/// Each value, three and more in a row as `first to last`.
fn runs(values: &[u32], one: impl Fn(u32) -> String) -> Vec<String> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for value in values {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *value => *last = *value,
            _ => runs.push((*value, *value)),
        }
    }
    let mut said = Vec::new();
    for (first, last) in runs {
        if last > first + 1 {
            said.push(format!("{} to {}", one(first), one(last)));
        } else {
            said.extend((first..=last).map(&one));
        }
    }
    said
}

/// `1st`, `2nd`, `3rd`, `11th`.
fn ordinal(n: u32) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

#[cfg(test)]
mod tests;
