//! The simulation: the machine in virtual time, beside a naive model written from the contract.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for some records among many")]

mod acts;
mod calendar;
mod chance;
mod check;
mod disk;
mod ears;
mod exhaustive;
mod house;
mod model;
mod rules;
mod soak;
mod world;
mod years;
