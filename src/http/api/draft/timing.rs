//! When a heartbeat that somebody wants is expected, from JSON: the one schedule, its time zone, what is excluded. It
//! knows how these are written and which field is at fault, and nothing of what they mean.

use crate::http::api::fields::Fields;
use crate::http::rejection::Failure;
use crate::model::heartbeat::Draft;
use crate::model::schedule::exclusions;
use crate::model::schedule::expressions::Expressions;
use crate::model::schedule::{ScheduleError, Timing, Zones};
use crate::model::text;
use crate::model::time::Timestamp;

const SCHEDULES: [&str; 4] = ["interval", "interval_seconds", "cron", "on_calendar"];

pub(super) fn read_timezone(fields: &Fields, zones: &Zones) -> Result<Option<String>, Failure> {
    let timezone = fields.ruled("timezone", text::word)?;
    if let Some(timezone) = &timezone {
        zones.find(timezone).map_err(|error| at_fault("timezone", &error))?;
    }
    Ok(timezone)
}

/// What is excluded, each entry right by itself.
pub(super) fn read_exclude(fields: &Fields, zones: &Zones) -> Result<Option<Expressions>, Failure> {
    let Some(texts) = fields.texts("exclude", text::EXCLUSIONS_MAX, text::expression)? else {
        return Ok(None);
    };
    for text in &texts {
        // Whether they leave anything is asked of the schedule.
        exclusions::check(text, zones).map_err(|error| at_fault("exclude", &error))?;
    }
    Ok(Some(Expressions::new(texts)))
}

/// The schedule that is given, or else the one that was told before; it must be one that can be used.
pub(super) fn read_timing(
    fields: &Fields,
    told: Option<Timing>,
    timezone: Option<&str>,
    exclude: &Expressions,
    zones: &Zones,
) -> Result<Timing, Failure> {
    let needed = || {
        let message = "A heartbeat needs a schedule: \"interval\", \"cron\" or \"on_calendar\".";
        Failure::field("interval", message)
    };
    let timing = match fields.given(&SCHEDULES)[..] {
        [] => match told {
            // To unsay the schedule that it has is to leave it without one.
            Some(told) if fields.mentions(names(&told)) => return Err(left_without(names(&told)[0])),
            told => told.ok_or_else(needed)?,
        },
        ["interval" | "interval_seconds"] => {
            let interval = fields.span(&["interval", "interval_seconds"], Timing::INTERVAL)?;
            Timing::Interval(interval.ok_or_else(needed)?)
        }
        [field] => {
            let texts = fields.texts(field, text::EXPRESSIONS_MAX, text::expression)?.unwrap_or_default();
            if texts.is_empty() {
                return Err(Failure::field(field, "This must have one entry at least."));
            }
            let expressions = Expressions::new(texts);
            if field == "cron" { Timing::Cron(expressions) } else { Timing::OnCalendar(expressions) }
        }
        [first, second, ..] => {
            let message = format!("A heartbeat has one schedule, but {first} is given too.");
            return Err(Failure::field(second, message));
        }
    };
    let timezone = timezone.unwrap_or("UTC");
    match timing.compile(timezone, exclude, zones) {
        Ok(_) => Ok(timing),
        Err(error @ ScheduleError::Zone(_)) => Err(at_fault("timezone", &error)),
        Err(error @ (ScheduleError::Expression(_) | ScheduleError::Never)) => {
            Err(expression_at_fault(&timing, timezone, zones, &error))
        }
        Err(error @ (ScheduleError::Exclusion(_) | ScheduleError::AllExcluded)) => {
            Err(at_fault("exclude", &error))
        }
    }
}

/// Refuses a schedule of which nothing is expected any more, unless it is the one that the heartbeat has: that its last
/// time has come is no fault of whoever changes something else.
pub(in crate::http::api) fn still_expected(
    draft: &Draft,
    told: Option<&Draft>,
    zones: &Zones,
    now: Timestamp,
) -> Result<(), Failure> {
    let same = |told: &Draft| {
        told.timing == draft.timing
            && told.rest.timezone == draft.rest.timezone
            && told.rest.exclude == draft.rest.exclude
    };
    if told.is_some_and(same) {
        return Ok(());
    }
    let timezone = draft.rest.timezone.as_deref().unwrap_or("UTC");
    let is_spent = |exclude: &Expressions| {
        let compiled = draft.timing.compile(timezone, exclude, zones);
        compiled.is_ok_and(|occurrences| occurrences.next_after(now).is_none())
    };
    let none = Expressions::default();
    let exclude = draft.rest.exclude.as_ref().unwrap_or(&none);
    if draft.timing.interval().is_some() && exclude.is_empty() || !is_spent(exclude) {
        return Ok(());
    }
    let field = if is_spent(&none) { names(&draft.timing)[0] } else { "exclude" };
    Err(Failure::field(field, "Nothing would be expected any more: its last time is past."))
}

/// The fields that say a timing.
fn names(timing: &Timing) -> &'static [&'static str] {
    match timing {
        Timing::Interval(_) => &["interval", "interval_seconds"],
        Timing::Cron(_) => &["cron"],
        Timing::OnCalendar(_) => &["on_calendar"],
    }
}

fn at_fault(field: &str, error: &ScheduleError) -> Failure {
    Failure::field(field, format!("{error}."))
}

/// Of several expressions, names the first that cannot be used.
fn expression_at_fault(timing: &Timing, timezone: &str, zones: &Zones, error: &ScheduleError) -> Failure {
    let (expressions, kind): (_, fn(Expressions) -> Timing) = match timing {
        Timing::Interval(_) => return at_fault("interval", error),
        Timing::Cron(expressions) => (expressions, Timing::Cron),
        Timing::OnCalendar(expressions) => (expressions, Timing::OnCalendar),
    };
    let field = names(timing)[0];
    let fault = |text: &str| {
        let one = kind(Expressions::one(text)).compile(timezone, &Expressions::default(), zones);
        one.err().map(|error| Failure::field(field, format!("{text:?}: {error}.")))
    };
    let several = if expressions.len() > 1 { expressions.iter().find_map(fault) } else { None };
    several.unwrap_or_else(|| at_fault(field, error))
}

/// Whether a null unsays the schedule depends on what the heartbeat has: that is a conflict, not a wrong field.
fn left_without(field: &str) -> Failure {
    let message = "This would leave the heartbeat without a schedule. Give another one with it.";
    let failure = Failure::new(http::StatusCode::CONFLICT, "no_schedule", message);
    Failure { field: Some(field.to_owned()), ..failure }
}
