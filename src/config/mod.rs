//! Floor 1: text to values. Never knows files, state or the machine.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod template;
