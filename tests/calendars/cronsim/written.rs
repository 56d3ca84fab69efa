//! Makes up cron expressions of all kinds that both sides know. Knows how they are written, never what they mean.

use crate::chance::Chance;

/// From `low` to `high`.
pub(super) fn within(chance: &mut Chance, low: i64, high: i64) -> i64 {
    low + (chance.draw() >> 1).cast_signed() % (high - low + 1)
}

/// One of these.
pub(super) fn pick<'a, T>(chance: &mut Chance, of: &'a [T]) -> &'a T {
    &of[chance.below(of.len() as u32) as usize]
}

const MONTHS: [&str; 12] =
    ["jan", "Feb", "MAR", "apr", "May", "JUN", "jul", "aug", "Sep", "oct", "NOV", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "Mon", "TUE", "wed", "Thu", "FRI", "sat"];

/// An expression, six fields one time in four.
pub(super) fn expression(chance: &mut Chance) -> String {
    let mut fields = Vec::new();
    if chance.one_in(4) {
        fields.push(field(chance, 0, 59, 5));
    }
    fields.push(field(chance, 0, 59, 4));
    // About the hours at which clocks change.
    let late = if chance.one_in(2) { 4 } else { 23 };
    fields.push(field(chance, 0, late, 3));
    fields.push(if chance.one_in(8) {
        (*pick(chance, &["L", "LW", "1,L", "LW,15", "29", "31"])).to_owned()
    } else {
        field(chance, 1, 31, 2)
    });
    fields.push(if chance.one_in(6) { named(chance, &MONTHS) } else { field(chance, 1, 12, 2) });
    fields.push(match chance.below(8) {
        0 => format!("{}#{}", pick(chance, &WEEKDAYS), 1 + chance.below(5)),
        1 => format!("{}L", chance.below(8)),
        2 => named(chance, &WEEKDAYS),
        _ => field(chance, 0, 7, 2),
    });
    fields.join(" ")
}

fn named(chance: &mut Chance, names: &[&str]) -> String {
    let first = chance.below(names.len() as u32) as usize;
    let last = first + chance.below((names.len() - first) as u32) as usize;
    if first == last || chance.one_in(2) {
        return names[first].to_owned();
    }
    format!("{}-{}", names[first], names[last])
}

/// A list; `plain` says how seldom it is all.
fn field(chance: &mut Chance, low: u32, high: u32, plain: u32) -> String {
    if !chance.one_in(plain) {
        let several = 1 + chance.below(2) * chance.below(3);
        let items: Vec<String> = (0..several).map(|_| item(chance, low, high)).collect();
        return items.join(",");
    }
    "*".to_owned()
}

fn item(chance: &mut Chance, low: u32, high: u32) -> String {
    let first = low + chance.below(high - low + 1);
    let last = first + chance.below(high - first + 1);
    match chance.below(6) {
        0 => format!("*/{}", 1 + chance.below(high)),
        1 if first < last => format!("{first}-{last}"),
        2 if first < last => format!("{first}-{last}/{}", 1 + chance.below(9)),
        _ => first.to_string(),
    }
}

/// A letter put in, taken out or changed, seldom two.
pub(super) fn mutated(chance: &mut Chance, expression: &str) -> String {
    const LETTERS: &[u8] = b"00112233445566778899**--,,//##LW ?@N";
    let mut bytes = expression.as_bytes().to_vec();
    for _ in 0..=chance.below(4) / 3 {
        let at = chance.below(bytes.len() as u32) as usize;
        let letter = *pick(chance, LETTERS);
        match chance.below(3) {
            0 => bytes.insert(at, letter),
            1 if bytes.len() > 1 => drop(bytes.remove(at)),
            _ => bytes[at] = letter,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
