//! Instants and lengths as people say them: "3m ago", "in 23h 57m", "1.0s". Never reads a clock: who asks
//! brings the `now`, and it may differ from the daemon's.

use crate::model::time::{Span, Timestamp};

/// A clock that is behind by less than this is no news.
const SLACK: Span = Span::from_secs(60);

/// A length for people: seconds below a minute, else minutes, hours and days; the two largest that matter.
pub fn about(span: Span) -> String {
    let seconds = span.as_secs();
    let whole = if seconds < 60 { seconds } else { seconds / 60 * 60 };
    Span::from_secs(whole).to_string()
}

/// How long ago that was.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    let (past, ahead) = (now.since(then), then.since(now));
    if ahead >= SLACK {
        // The two clocks differ, and hiding that would make a lie of everything else that is relative.
        return format!("{} ahead", about(ahead));
    }
    if past.as_secs() == 0 { "just now".to_owned() } else { format!("{} ago", about(past)) }
}

/// When that will be, or was.
pub fn when(then: Timestamp, now: Timestamp) -> String {
    let (past, ahead) = (now.since(then), then.since(now));
    match (ahead.as_secs(), past.as_secs()) {
        (0, 0) => "now".to_owned(),
        (0, _) => format!("{} ago", about(past)),
        // To the nearest minute: what is due a day after a ping is so just after it, too.
        (60.., _) => format!("in {}", about(ahead.plus(Span::from_secs(30)))),
        (_, _) => format!("in {}", about(ahead)),
    }
}

/// How long a run took: a tenth of a second matters for a short one.
pub fn took(span: Span) -> String {
    match span.as_millis() {
        ms @ 1_000..60_000 => format!("{}.{}s", ms / 1_000, ms % 1_000 / 100),
        _ => span.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_316_400_000);

    fn shifted(ms: i64) -> Timestamp {
        Timestamp::from_millis(NOW.as_millis() + ms)
    }

    #[test]
    fn the_past_reads_as_people_say_it() {
        for (seconds, text) in [
            (0, "just now"),
            (1, "1s ago"),
            (59, "59s ago"),
            (60, "1m ago"),
            (215, "3m ago"),
            (3_599, "59m ago"),
            (3_600, "1h ago"),
            (86_220, "23h 57m ago"),
            (187_200, "2d 4h ago"),
        ] {
            assert_eq!(ago(shifted(-seconds * 1_000), NOW), text);
        }
    }

    #[test]
    fn a_clock_that_is_behind_makes_no_nonsense() {
        assert_eq!(ago(shifted(400), NOW), "just now");
        assert_eq!(ago(shifted(59_000), NOW), "just now");
        assert_eq!(ago(shifted(3_600_000), NOW), "1h ahead");
        assert_eq!(ago(Timestamp::MAX, Timestamp::MIN), "7304481d 20h ahead");
    }

    #[test]
    fn what_is_due_is_ahead_or_past() {
        for (ms, text) in [
            (86_220_000, "in 23h 57m"),
            (86_396_000, "in 24h"),
            (9_400, "in 9s"),
            (59_900, "in 59s"),
            (89_000, "in 1m"),
            (90_000, "in 2m"),
            (300, "now"),
            (-300, "now"),
            (-1_000, "1s ago"),
            (-720_000, "12m ago"),
        ] {
            assert_eq!(when(shifted(ms), NOW), text);
        }
    }

    #[test]
    fn a_run_took_so_long() {
        for (ms, text) in [
            (0, "0s"),
            (350, "350ms"),
            (1_033, "1.0s"),
            (59_999, "59.9s"),
            (123_000, "2m 3s"),
            (3_900_000, "1h 5m"),
        ] {
            assert_eq!(took(Span::from_millis(ms)), text);
        }
    }
}
