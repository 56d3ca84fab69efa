//! How often something was refused, so that the log tells it once a second at the most. It never knows what.

use std::sync::{Mutex, PoisonError};

use crate::model::time::{Span, Timestamp};

/// Between two lines in the log.
const PAUSE: Span = Span::from_secs(1);

/// What was refused.
#[derive(Debug, Default)]
pub(crate) struct Knocks(Mutex<(Option<Timestamp>, u64)>);

impl Knocks {
    /// One more. Gives how many were not told since the last that was, if this one is to be told.
    pub(crate) fn heard(&self, now: Timestamp) -> Option<u64> {
        let mut knocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (told, untold) = &mut *knocks;
        // The clock may have been set back.
        if told.is_some_and(|told| told <= now && now < told + PAUSE) {
            *untold += 1;
            return None;
        }
        *told = Some(now);
        Some(std::mem::take(untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second_is_told_and_the_others_are_counted() {
        let knocks = Knocks::default();
        let told = |ms| knocks.heard(Timestamp::from_millis(ms));
        assert_eq!([told(5_000), told(5_000), told(5_999)], [Some(0), None, None]);
        assert_eq!([told(6_000), told(6_500)], [Some(2), None]);
        assert_eq!([told(100), told(1_100)], [Some(1), Some(0)], "a clock that is set back silences nothing");
    }
}
