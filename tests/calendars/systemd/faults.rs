//! Where systemd 252 errs, each fault by name. It knows the zone's changes of offset and the two answers, and holds a
//! difference for systemd's fault only where it can show why.

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

/// What systemd does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    /// Asked from within the second pass of a repeated hour, it finds times of that pass; asked from before the hour,
    /// it finds each of them in the first pass only. An answer that depends on the asker's instant is no schedule:
    /// we hold to the first pass, in which a timer that goes on from its last occurrence runs too.
    SecondPass,
    /// Its answer lies before the instant from which it was asked: in the second pass it finds the first.
    Backwards,
    /// Of a time that comes twice it finds the second pass, since its search came along with the offset that the
    /// clock has after the change: from an earlier month, or when neither side is summer time.
    LaterPass,
    /// A step without an end (`20/3`) is counted on beyond the end of the hour, day or month; the time is then
    /// normalised, and what lies before it in a next day, month or year is passed over. With an end written
    /// (`20..23/3`) it agrees with us.
    OpenStep,
    /// A gap ends within an hour (02:45 to 03:45): the search tries 03:00, is moved on to 04:00, and passes over the
    /// times that exist from 03:45.
    GapWithinHour,
    /// A gap swallows midnight: the search puts a day's begin on an hour that does not exist, and is moved to
    /// another day.
    MidnightGap,
    /// It says itself that its search runs in a circle.
    Circle,
}

/// Which fault explains that, asked from `base`, we say `ours` and systemd `theirs`, in seconds.
pub(crate) fn explain(zone: &TimeZone, base: i64, ours: Option<i64>, theirs: Option<i64>) -> Option<Fault> {
    if theirs.is_some_and(|theirs| theirs <= base) {
        return Some(Fault::Backwards);
    }
    if is_second_pass(zone, base + 1) && theirs.is_some_and(|theirs| is_second_pass(zone, theirs)) {
        return Some(Fault::SecondPass);
    }
    let ours = ours.filter(|ours| theirs.is_none_or(|theirs| theirs > *ours))?;
    if theirs.is_some_and(|theirs| local(zone, theirs) == local(zone, ours)) {
        return Some(Fault::LaterPass);
    }
    gaps_before(zone, ours)
        .take_while(|gap| gap.instant > base - DAY)
        .find_map(|gap| gap.fault(local(zone, ours)))
}

const DAY: i64 = 86_400;

fn local(zone: &TimeZone, t: i64) -> DateTime {
    zone.to_datetime(Timestamp::from_second(t).unwrap())
}

fn is_second_pass(zone: &TimeZone, t: i64) -> bool {
    match zone.to_ambiguous_timestamp(local(zone, t)).offset() {
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local(zone, t)).unwrap().as_second() < t,
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => false,
    }
}

struct Gap {
    instant: i64,
    from: DateTime,
    to: DateTime,
}

impl Gap {
    /// What systemd does wrong at it, in looking for this local time.
    fn fault(&self, ours: DateTime) -> Option<Fault> {
        let day = self.from.date().to_datetime(Time::midnight());
        let midnight = if day == self.from { day } else { day.saturating_add(jiff::Span::new().days(1)) };
        if midnight < self.to {
            return Some(Fault::MidnightGap);
        }
        let within = self.to.minute() != 0 && self.to.date() == ours.date() && self.to.hour() == ours.hour();
        within.then_some(Fault::GapWithinHour)
    }
}

/// The gaps at or before an instant, the latest first.
fn gaps_before(zone: &TimeZone, t: i64) -> impl Iterator<Item = Gap> {
    zone.preceding(Timestamp::from_second(t + 1).unwrap()).filter_map(|change| {
        let before = zone.to_offset(change.timestamp() - jiff::SignedDuration::from_secs(1));
        (change.offset() > before).then(|| Gap {
            instant: change.timestamp().as_second(),
            from: before.to_datetime(change.timestamp()),
            to: change.offset().to_datetime(change.timestamp()),
        })
    })
}
