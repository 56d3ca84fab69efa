//! Days in a few bytes each.

use crate::machine::days::sketch::Sketch;
use crate::machine::days::{Counts, Day};
use crate::model::time::Span;

/// Each day as its distance from the one before, which counts are not zero, those, and the sketch; all as
/// numbers of seven bits a byte, so that a day with one run takes about a dozen bytes.
pub(super) fn pack(days: &[Day]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(days.len() * 12);
    let mut before = 0;
    for day in days {
        put(&mut bytes, u64::from(day.date.wrapping_sub(before) as u32));
        before = day.date;
        let counts = day.counts.list();
        let set = counts.iter().rev().fold(0, |set, count| set << 1 | u64::from(*count != 0));
        put(&mut bytes, set);
        for count in counts.into_iter().filter(|count| *count != 0) {
            put(&mut bytes, u64::from(count));
        }
        let Sketch { shortest, longest, buckets } = &day.durations;
        put(&mut bytes, buckets.len() as u64);
        if !buckets.is_empty() {
            put(&mut bytes, shortest.as_millis() as u64);
            put(&mut bytes, longest.minus(*shortest).as_millis() as u64);
        }
        let mut before = 0;
        for (bucket, count) in buckets {
            put(&mut bytes, u64::from(bucket - before));
            put(&mut bytes, u64::from(*count));
            before = *bucket;
        }
    }
    bytes.shrink_to_fit();
    bytes
}

/// What [`pack`] made. Bytes that end too early end the days.
pub(super) fn unpack(bytes: &[u8]) -> Vec<Day> {
    let (mut days, mut rest, mut date) = (Vec::new(), bytes, 0);
    while !rest.is_empty() {
        let Some(day) = unpack_day(&mut rest, date) else { break };
        date = day.date;
        days.push(day);
    }
    days
}

fn unpack_day(rest: &mut &[u8], before: i32) -> Option<Day> {
    let date = before.wrapping_add(take(rest)? as i32);
    let set = take(rest)?;
    let mut list = [0; 7];
    for (place, count) in list.iter_mut().enumerate().filter(|(place, _)| set >> place & 1 == 1) {
        debug_assert!(place < 7, "there are seven counts");
        *count = take(rest)? as u32;
    }
    let mut durations = Sketch::default();
    let buckets = take(rest)?;
    if buckets > 0 {
        durations.shortest = Span::from_millis(take(rest)? as i64);
        durations.longest = durations.shortest.plus(Span::from_millis(take(rest)? as i64));
    }
    let mut bucket = 0;
    for _ in 0..buckets {
        bucket = u16::wrapping_add(bucket, take(rest)? as u16);
        durations.buckets.push((bucket, take(rest)? as u32));
    }
    Some(Day { date, counts: Counts::of(list), durations })
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
