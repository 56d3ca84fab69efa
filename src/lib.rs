//! `overdue` tells people when a job did not run.
//!
//! This is the map. Imports go down only; `tests/floors.rs` holds that.
//!
//! | floor | modules | what they are |
//! |---|---|---|
//! | 6 | [`cli`] | people: arguments, exit codes, what is printed |
//! | 5 | [`daemon`], [`telemetry`] | assembly: start, end, and what a config puts into force |
//! | 4 | [`http`], [`deliver`], [`watch`] | the outside: in, out, and the config file; they never name each other |
//! | 3 | [`engine`] | the one loop, the only owner of the machine |
//! | 2 | [`store`] | where records are kept: journal and snapshots |
//! | 1 | [`machine`], [`config`] | pure: decisions; text to values |
//! | 0 | [`model`] | pure: the words |
//!
//! Four paths go through it, each a straight line down and, for what must travel up, a new event:
//!
//! * **A ping**: `http::ping` reads the head (that is its instant) and the body's tail, `engine::handle` takes it
//!   into the mailbox, `engine::turns` lets `machine::ping` decide, `machine::apply` makes the records true,
//!   `engine::ledger` has the batch written and then answers 200.
//! * **A deadline**: `engine::turns` sleeps to the machine's next wake-up, empties the mailbox, and lets time
//!   pass: `machine::wheel` names who is due, `machine::deadline` decides, `machine::incident` queues alerts.
//! * **A config edit**: `watch` sees the file, `config` makes values or tells every problem, `daemon` puts them
//!   into force, `machine::reload` works the difference off a thousand heartbeats a turn.
//! * **An alert**: `machine::delivery` says which delivery may go, and once its record is written `engine` hands
//!   it to `deliver`, which tries it once and comes back with an event.
//!
//! What people see goes the other way: `http::page`, `http::api`, `http::badge` and `http::metrics` ask the engine's
//! `machine::view`s, at most a thousand heartbeats a question. What happens is told by `machine::news`, which
//! `engine::feed` lets out with the records that it is made of, to whoever follows `http::api::events`.

// Floor 6: people.
pub mod cli;

// Floor 5: assembly.
pub mod daemon;
pub mod telemetry;

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

// Below all: what the tests of every floor attack its readers with.
#[cfg(test)]
pub mod fuzz;
