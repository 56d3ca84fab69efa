//! Floor 1: decisions, as a pure function of state, event and now.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod effect;
pub mod event;
pub mod record;
pub mod wheel;
