//! Days and times at which nothing is expected: holidays, the last day of the month. It knows dates and calendar
//! expressions, and never what they are taken from.

use jiff::tz::TimeZone;

use crate::model::schedule::expressions::Expressions;
use crate::model::schedule::{ScheduleError, Zones};
use crate::model::time::Timestamp;

/// Dates and expressions made ready to be asked.
#[derive(Debug, Clone)]
pub(super) struct Exclusions;

impl Exclusions {
    /// Reads them, each a date or a calendar expression.
    pub(super) fn read(texts: &Expressions, _zone: &TimeZone, _zones: &Zones) -> Result<Self, ScheduleError> {
        match texts.iter().next() {
            None => Ok(Self),
            Some(text) => Err(ScheduleError::Exclusion(format!("{text:?} cannot be excluded yet"))),
        }
    }

    /// The last instant up to which nothing is expected, when that is so at `t`.
    pub(super) fn until(&self, _t: Timestamp) -> Option<Timestamp> {
        None
    }
}
