//! Calendar expressions beside those who read them elsewhere: each judge is another program's answer to
//! generated expressions and instants. Needs the judges installed, and fails without them.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
#![allow(
    clippy::similar_names,
    clippy::format_collect,
    reason = "chance and change are the words, and speed is no matter"
)]

#[path = "../sim/chance.rs"]
mod chance;
mod cronsim;
mod systemd;
