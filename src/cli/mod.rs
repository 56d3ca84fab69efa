//! Floor 6: people. Knows arguments and exit codes; never decides what happens to a heartbeat.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod check;
