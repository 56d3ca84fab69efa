//! The log: where it goes and what it looks like, nothing else. On a terminal with colour and time; under
//! systemd without either, since the journal has its own. `OVERDUE_LOG` sets the level (`info`, `debug`,
//! or a filter such as `overdue::deliver=debug`).
#![allow(clippy::disallowed_methods)]

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Sends the log to standard error.
///
/// # Errors
/// When `OVERDUE_LOG` is not a filter.
pub fn init() -> Result<(), String> {
    // hyper warns of every client that is slow with its head; on an open port that is everyday.
    let wanted = std::env::var("OVERDUE_LOG").unwrap_or_else(|_| "info,hyper=error".to_owned());
    let filter = EnvFilter::try_new(&wanted)
        .map_err(|error| format!("OVERDUE_LOG={wanted:?} is not a filter ({error}): try info or debug"))?;
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // A log that cannot be written (a full disk, a closed pipe) must not end the daemon: complaining of it
    // would go to standard error as well, and panic.
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(colour)
        .log_internal_errors(false);
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        log.without_time().with_target(false).init();
    } else {
        log.with_target(false).init();
    }
    Ok(())
}
