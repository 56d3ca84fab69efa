//! Drives the built program as a user would: over real sockets, with real scripts, in temporary folders.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it runs programs")]
#![allow(clippy::unwrap_used, reason = "a test says by its panic where it failed")]
#![allow(clippy::format_push_string, clippy::format_collect, reason = "speed is no matter here")]
#![allow(clippy::similar_names, reason = "a receiver and what it received are the words")]
#![allow(dead_code, reason = "what the harness can do is there before the test that needs it")]

mod access;
mod against;
mod api;
mod api_access;
mod api_deliveries;
mod api_hostile;
mod api_state;
mod bad_input;
mod badges;
mod client;
mod clock;
mod command_line;
mod config_page;
mod deaths;
mod delivery;
mod events;
mod explain;
mod faults;
mod files;
mod floods;
mod folder_sync;
mod full_disk;
mod harness;
mod heartbeat_command;
mod heartbeats;
mod hostile;
mod ledger;
mod limits;
mod listening;
mod lists;
mod metrics;
mod outbound;
mod pings;
mod read_only;
mod readme;
mod receiver;
mod reload;
mod requests;
mod restart;
mod searched;
mod secrets;
mod seed;
mod snippets;
mod starts;
mod state_folder;
mod status;
mod stops;
mod systemd;
mod terminal;
