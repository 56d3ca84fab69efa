//! Floor 0: the words of the house, as plain values. They say what things are and never decide
//! what happens; they know no clock, no text format of a file, no HTTP.
#![deny(missing_docs, clippy::disallowed_methods, clippy::disallowed_types)]

pub mod ago;
pub mod channel;
pub mod delivery;
pub mod heartbeat;
pub mod id;
pub mod incident;
pub mod ping;
pub mod run;
pub mod schedule;
pub mod settings;
pub mod text;
pub mod time;
