//! Calendar expressions beside those who read them elsewhere: each judge is another program's answer to
//! generated expressions and instants. Needs the judges installed, and fails without them.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

#[path = "../sim/chance.rs"]
mod chance;
mod cronsim;
mod systemd;
