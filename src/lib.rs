//! overdue

// Floor 6: people.
pub mod cli;

// Floor 5: assembly.

// Floor 4: the outside.
pub mod deliver;
pub mod http;
pub mod watch;

// Floor 3: the one loop.
pub mod engine;

// Floor 2: where records are kept.
pub mod store;

// Floor 1: decisions; text to values.
pub mod config;
pub mod machine;

// Floor 0: the words.
pub mod model;
