//! Where systemd 252 errs, each fault by name. It knows the zone's changes of offset and the two answers, and holds a
//! difference for systemd's fault only where it can show why.

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::systemd::judge::SECOND;

/// What systemd does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    /// Asked from within the second pass of a repeated hour, it finds times of that pass; asked from before it, it
    /// finds each of them in the first pass only. An answer that depends on the asker's instant is no schedule: we
    /// hold to the first pass, as a timer does that goes on from its last occurrence.
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
    /// times that exist from 03:45. Asked from the gap's end it agrees with us.
    GapWithinHour,
    /// A gap swallows midnight: the search puts a day's begin on an hour that does not exist, and is moved to
    /// another day. Asked from the gap's end it agrees with us.
    MidnightGap,
    /// A time within a gap is moved to before it, where summer time is the standard (Dublin) or the gap is two hours
    /// (Troll): the search does not go back, and passes over the rest of the hour or day. Asked from the gap's end it
    /// agrees with us.
    RestOfDay,
    /// Of a list of days from the month's end (`~26,14`) it holds each further item for three days less than the one
    /// before: it refuses a date that it accepts alone.
    ShrinkingList,
    /// It says itself that its search runs in a circle.
    Circle,
}

/// A fault that may explain a difference, and from where systemd must then agree with us: the last instant of which
/// its search is not led astray, in microseconds.
pub(crate) struct Suspicion {
    pub(crate) fault: Fault,
    pub(crate) agrees_from: Option<i64>,
}

impl Suspicion {
    const fn plain(fault: Fault) -> Self {
        Self { fault, agrees_from: None }
    }
}

/// Which faults may explain that, asked from `base`, we say `ours` and systemd `theirs`, in seconds.
pub(crate) fn suspect(zone: &TimeZone, base: i64, ours: Option<i64>, theirs: Option<i64>) -> Vec<Suspicion> {
    if theirs.is_some_and(|theirs| theirs <= base) {
        return vec![Suspicion::plain(Fault::Backwards)];
    }
    if theirs.is_some_and(|theirs| is_second_pass(zone, theirs))
        && let Some(change) = second_pass(zone, base + 1)
    {
        return vec![Suspicion { fault: Fault::SecondPass, agrees_from: Some((change - 1) * SECOND) }];
    }
    let Some(ours) = ours.filter(|ours| theirs.is_none_or(|theirs| theirs > *ours)) else {
        return Vec::new();
    };
    if theirs.is_some_and(|theirs| local(zone, theirs) == local(zone, ours)) {
        return vec![Suspicion::plain(Fault::LaterPass)];
    }
    let gaps = gaps_before(zone, ours).take_while(|gap| gap.instant > base - DAY);
    gaps.filter_map(|gap| {
        let fault = gap.fault(local(zone, ours))?;
        Some(Suspicion { fault, agrees_from: Some(gap.instant * SECOND - 1) })
    })
    .collect()
}

const DAY: i64 = 86_400;

fn local(zone: &TimeZone, t: i64) -> DateTime {
    zone.to_datetime(Timestamp::from_second(t).unwrap())
}

fn is_second_pass(zone: &TimeZone, t: i64) -> bool {
    second_pass(zone, t).is_some()
}

/// When the second pass began in which an instant lies.
fn second_pass(zone: &TimeZone, t: i64) -> Option<i64> {
    let AmbiguousOffset::Fold { before, .. } = zone.to_ambiguous_timestamp(local(zone, t)).offset() else {
        return None;
    };
    let first = before.to_timestamp(local(zone, t)).unwrap().as_second();
    let change = zone.preceding(Timestamp::from_second(t + 1).unwrap()).next()?;
    (first < t).then(|| change.timestamp().as_second())
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
        if self.to.date() != ours.date() {
            return None;
        }
        let within_hour = self.to.minute() != 0 && self.to.hour() == ours.hour();
        Some(if within_hour { Fault::GapWithinHour } else { Fault::RestOfDay })
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
