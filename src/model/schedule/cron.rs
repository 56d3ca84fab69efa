//! Cron expressions, by the rules of Debian's cron.

use jiff::tz::TimeZone;

use crate::model::schedule::ScheduleError;
use crate::model::time::Timestamp;

/// A cron expression in a time zone.
#[derive(Debug, Clone)]
pub struct Cron {
    cron: croner::Cron,
    zone: TimeZone,
}

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// When it cannot be read or never matches.
    pub fn parse(expression: &str, zone: TimeZone) -> Result<Self, ScheduleError> {
        let cron = expression
            .parse::<croner::Cron>()
            .map_err(|error| ScheduleError::Expression(error.to_string()))?;
        Ok(Self { cron, zone })
    }

    /// The first occurrence strictly after `t`.
    pub fn next_after(&self, t: Timestamp) -> Option<Timestamp> {
        let from = t.to_jiff().to_zoned(self.zone.clone());
        self.cron.find_next_occurrence(&from, false).ok().map(|next| Timestamp::from_jiff(next.timestamp()))
    }
}
