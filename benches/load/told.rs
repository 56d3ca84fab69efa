//! How a number is told beside its aim.

/// What must be at most this.
pub(crate) fn at_most(what: &str, value: f64, aim: f64, unit: &str) {
    tell(what, value, "≤", aim, unit, value <= aim);
}

/// What must be at least this.
pub(crate) fn at_least(what: &str, value: f64, aim: f64, unit: &str) {
    tell(what, value, "≥", aim, unit, value >= aim);
}

/// What has no aim.
pub(crate) fn plain(what: &str, value: f64, unit: &str) {
    println!("{what:<58} {} {unit}", number(value));
}

fn tell(what: &str, value: f64, relation: &str, aim: f64, unit: &str, reached: bool) {
    let verdict = if reached { "reached" } else { "MISSED" };
    println!("{what:<58} {} {unit:<4} {relation} {:<9} {verdict}", number(value), number(aim).trim());
}

fn number(value: f64) -> String {
    let digits = if value >= 100.0 { 0 } else { 2 };
    format!("{value:>10.digits$}")
}

/// Of so many of a hundred, the largest.
pub(crate) fn rank(sorted: &[f64], of_hundred: f64) -> f64 {
    let at = (sorted.len() as f64 * of_hundred / 100.0).ceil() as usize;
    sorted[at.clamp(1, sorted.len()) - 1]
}
