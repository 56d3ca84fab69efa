//! The daemon under load, beside what is aimed at: the release on the same cores as its client, each scenario with a daemon
//! of its own. `cargo bench --bench load`; a word after `--` is the scenario that is run alone, a number the seconds of each
//! turn of pings.
//!
//! | word | what |
//! |---|---|
//! | `fsync`, `relaxed`, `body` | pings beside a route that only answers `OK` |
//! | `many` | a million heartbeats: pings, memory, recovery, snapshots |
//! | `deadlines` | a hundred thousand deadlines at one instant |
//! | `alert` | from a deadline to the receiver |
//! | `reload` | from the rename of the config file to in force |
//! | `idle` | a thousand heartbeats of which nothing is heard |
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the clock")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::time::Duration;

mod alert;
mod bare;
#[path = "../client/mod.rs"]
mod client;
#[path = "../daemon/mod.rs"]
mod daemon;
mod deadlines;
mod driver;
mod idle;
mod many;
mod pings;
mod receiver;
mod reload;
mod subject;
mod told;

type Scenario = fn(Duration);

const SCENARIOS: [(&str, Scenario); 8] = [
    ("fsync", pings::fsync),
    ("relaxed", pings::relaxed),
    ("body", pings::body),
    ("many", many::many),
    ("deadlines", deadlines::deadlines),
    ("alert", alert::alert),
    ("reload", reload::reload),
    ("idle", idle::idle),
];

fn main() {
    if bare::is_wanted() {
        return bare::serve();
    }
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(2);
    let only = std::env::args().skip(1).find(|argument| argument.chars().all(char::is_alphabetic));
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    assert!(SCENARIOS.iter().any(|(name, _)| wanted(name)), "there is no scenario {only:?}");
    for (name, run) in SCENARIOS.iter().filter(|(name, _)| wanted(name)) {
        println!("\n{name}");
        run(Duration::from_secs(seconds));
    }
}
