//! Reads the five or six fields of a cron expression. It knows what may be written, says in plain words what
//! is wrong and in which field, and never when anything runs.

use crate::model::schedule::ScheduleError;

const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// What may stand in a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Day,
    Weekday,
}

/// A field of an expression.
struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    /// Names, the first of which means `low`.
    names: &'static [&'static str],
    kind: Kind,
}

const SECOND: Field = Field { name: "second", low: 0, high: 59, names: &[], kind: Kind::Plain };
const MINUTE: Field = Field { name: "minute", low: 0, high: 59, names: &[], kind: Kind::Plain };
const HOUR: Field = Field { name: "hour", low: 0, high: 23, names: &[], kind: Kind::Plain };
const DAY: Field = Field { name: "day-of-month", low: 1, high: 31, names: &[], kind: Kind::Day };
const MONTH: Field = Field { name: "month", low: 1, high: 12, names: MONTHS, kind: Kind::Plain };
const WEEKDAY: Field = Field { name: "day-of-week", low: 0, high: 7, names: WEEKDAYS, kind: Kind::Weekday };

/// What a field says.
pub(in crate::model::schedule) struct Values {
    /// A bit for each plain value.
    pub(in crate::model::schedule) mask: u64,
    /// The field begins with `*`.
    pub(in crate::model::schedule) starred: bool,
    /// The items with `L`, `W` or `#`, as croner reads them: `L`, `LW`, `15W`, `5#2`, `5#L`.
    pub(in crate::model::schedule) special: Vec<String>,
}

impl Values {
    /// As a list of single items that croner reads.
    pub(super) fn list(&self) -> String {
        let plain = (0..64).filter(|value| self.mask & (1 << value) != 0).map(|value| value.to_string());
        plain.chain(self.special.iter().cloned()).collect::<Vec<_>>().join(",")
    }
}

/// The fields of an expression.
pub(in crate::model::schedule) struct Fields {
    /// Second 0 when it is not written.
    pub(in crate::model::schedule) second: Values,
    pub(in crate::model::schedule) minute: Values,
    pub(in crate::model::schedule) hour: Values,
    pub(in crate::model::schedule) day: Values,
    pub(in crate::model::schedule) month: Values,
    pub(in crate::model::schedule) weekday: Values,
}

impl Fields {
    /// Reads a whole expression.
    pub(in crate::model::schedule) fn read(expression: &str) -> Result<Self, ScheduleError> {
        let expression = expression.trim();
        let expression = if expression.starts_with('@') { nickname(expression)? } else { expression };
        let fields: Vec<&str> = expression.split_ascii_whitespace().collect();
        match fields[..] {
            [minute, hour, day, month, weekday] => {
                Self::of(["0", minute, hour, day, month, weekday]).map_err(ScheduleError::Expression)
            }
            [second, minute, hour, day, month, weekday] => {
                Self::of([second, minute, hour, day, month, weekday]).map_err(|what| {
                    ScheduleError::Expression(format!(
                        "{what} (of six fields the first is the second; user, year and command do not belong to it)"
                    ))
                })
            }
            _ => {
                let n = fields.len();
                let hint = if n > 6 { "; user, year and command do not belong to it" } else { "" };
                Err(ScheduleError::Expression(format!(
                    "a cron expression has five fields (minute, hour, day of month, month, day of week), or six \
                     with the second before them; this one has {n}{hint}"
                )))
            }
        }
    }

    fn of(fields: [&str; 6]) -> Result<Self, String> {
        let [second, minute, hour, day, month, weekday] = fields;
        Ok(Self {
            second: SECOND.read(second)?,
            minute: MINUTE.read(minute)?,
            hour: HOUR.read(hour)?,
            day: DAY.read(day)?,
            month: MONTH.read(month)?,
            weekday: WEEKDAY.read(weekday)?,
        })
    }
}

fn nickname(name: &str) -> Result<&'static str, ScheduleError> {
    match name.to_ascii_lowercase().as_str() {
        "@hourly" => Ok("0 * * * *"),
        "@daily" | "@midnight" => Ok("0 0 * * *"),
        "@weekly" => Ok("0 0 * * 0"),
        "@monthly" => Ok("0 0 1 * *"),
        "@yearly" | "@annually" => Ok("0 0 1 1 *"),
        // No time can be named at which the machine will start.
        "@reboot" => Err(ScheduleError::Never),
        _ => Err(ScheduleError::Expression(format!(
            "{name:?} is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"
        ))),
    }
}

impl Field {
    fn read(&self, text: &str) -> Result<Values, String> {
        let upper = text.to_ascii_uppercase();
        let mut values = Values { mask: 0, starred: text.starts_with('*'), special: Vec::new() };
        for item in upper.split(',') {
            self.item(item, &mut values)
                .map_err(|what| format!("in the {} field {text:?}: {what}", self.name))?;
        }
        if values.special.iter().any(|item| item == "L") && values.special.iter().any(|item| item == "LW") {
            return Err(format!("in the {} field {text:?}: L and LW cannot stand side by side", self.name));
        }
        Ok(values)
    }

    fn item(&self, item: &str, values: &mut Values) -> Result<(), String> {
        match self.kind {
            Kind::Day if item == "L" || item == "LW" => values.special.push(item.to_owned()),
            Kind::Day if item.ends_with('W') => {
                let day = self.value(item.strip_suffix('W').unwrap_or(item))?;
                values.special.push(format!("{day}W"));
            }
            Kind::Weekday if item == "L" => {
                return Err("L needs a day before it: 5L is the last Friday of the month".to_owned());
            }
            Kind::Weekday if item.contains('#') || item.ends_with('L') => {
                let (days, nth) =
                    item.split_once('#').unwrap_or((item.strip_suffix('L').unwrap_or(item), "L"));
                if !matches!(nth, "1" | "2" | "3" | "4" | "5" | "L") {
                    return Err(format!("after # stands a number from 1 to 5, not {nth:?}"));
                }
                let mask = self.range(days)?;
                let days = (self.low..=self.high).filter(|day| mask & (1 << day) != 0);
                values.special.extend(days.map(|day| format!("{day}#{nth}")));
            }
            Kind::Plain | Kind::Day | Kind::Weekday => {
                values.mask |= self.stepped(item)?;
                // Sunday is 0 and 7.
                if self.kind == Kind::Weekday {
                    values.mask = (values.mask | values.mask >> 7) & 0x7f;
                }
            }
        }
        Ok(())
    }

    /// `*`, `5`, `1-5`, and the last and the first of them with a step.
    fn stepped(&self, item: &str) -> Result<u64, String> {
        let Some((range, step)) = item.split_once('/') else { return self.range(item) };
        if range != "*" && !range.contains('-') {
            let range = if range.is_empty() { "*".to_owned() } else { format!("{range}-{}", self.high) };
            return Err(format!("a step needs * or a range before it: write {range}/{step}"));
        }
        let mask = self.range(range)?;
        let step = number(step).filter(|step| *step > 0).ok_or_else(|| {
            format!("the step after / must be a number from 1 to {}, not {step:?}", self.high)
        })?;
        let first = mask.trailing_zeros();
        Ok((first..=self.high).step_by(step as usize).fold(0, |all, value| all | mask & (1 << value)))
    }

    /// `*`, `5` or `1-5`.
    fn range(&self, range: &str) -> Result<u64, String> {
        let (first, last) = match range.split_once('-') {
            None if range == "*" => (self.low, self.high),
            None => {
                let value = self.value(range)?;
                (value, value)
            }
            // As the end of a range Sunday is 7, so that FRI-SUN runs forwards.
            Some((first, "SUN")) if self.kind == Kind::Weekday => (self.value(first)?, 7),
            Some((first, last)) => (self.value(first)?, self.value(last)?),
        };
        if first > last {
            let (low, high) = (self.low, self.high);
            return Err(format!(
                "the range {range} runs backwards: write {first}-{high},{low}-{last} to go on from the start"
            ));
        }
        Ok((first..=last).fold(0, |all, value| all | 1 << value))
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        if let Some(index) = self.names.iter().position(|name| *name == text) {
            return Ok(self.low + index as u32);
        }
        if let Some(value) = number(text).filter(|value| (self.low..=self.high).contains(value)) {
            return Ok(value);
        }
        let (low, high) = (self.low, self.high);
        let wanted = match self.names {
            [first, .., last] => format!("a number from {low} to {high} or a name from {first} to {last}"),
            [] | [_] => format!("a number from {low} to {high}"),
        };
        Err(match text {
            "" => format!("something is missing, {wanted} must stand there"),
            "?" => "cron has no \"?\": write *".to_owned(),
            _ => format!("{text:?} is not {wanted}"),
        })
    }
}

fn number(text: &str) -> Option<u32> {
    (text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}
