//! `overdue serve`: runs the daemon, and shows a person at a terminal where to ping.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::Path;

use crate::cli::{complain, exit, print};
use crate::daemon::{Failure, Welcome};

/// Cannot listen: `EX_OSERR`.
const LISTEN: u8 = 71;
/// The state folder cannot be used: `EX_CANTCREAT`.
const STATE: u8 = 73;
/// The state is damaged: `EX_IOERR`.
const CORRUPT: u8 = 74;

pub(super) fn serve(config: &Path) -> u8 {
    let log = match crate::telemetry::init() {
        Ok(log) => log,
        Err(error) => {
            complain(&error);
            return exit::USAGE;
        }
    };
    let ended = crate::daemon::run(config, welcome);
    // The last lines come before the last word.
    drop(log);
    match ended {
        Ok(()) => exit::OK,
        Err(failure) => {
            if let Failure::Config(problems) = &failure {
                for problem in problems {
                    complain(&problem.to_string());
                }
            }
            complain(&failure.to_string());
            match failure {
                Failure::Config(_) => exit::CONFIG,
                Failure::Listen(_) => LISTEN,
                Failure::StateFolder(_) => STATE,
                Failure::Recover(_) => CORRUPT,
                Failure::Internal(_) => exit::INTERNAL,
            }
        }
    }
}

fn welcome(welcome: &Welcome) {
    if !std::io::stdout().is_terminal() {
        return;
    }
    let mut text = format!("overdue listens on {}.\n", welcome.listening.join(", "));
    if welcome.total == 0 {
        text.push_str("No heartbeats yet: declare one in the config, or POST one to /api/v1/heartbeats.\n");
    } else {
        text.push_str("Ping these URLs (each is a secret):\n");
    }
    let width = welcome.heartbeats.iter().map(|(slug, _)| slug.len()).max().unwrap_or(0);
    for (slug, url) in &welcome.heartbeats {
        writeln!(text, "  {slug:width$}  {url}").expect("writing to a string cannot fail");
    }
    if welcome.total > welcome.heartbeats.len() {
        let more = welcome.total - welcome.heartbeats.len();
        writeln!(text, "  … and {more} more: overdue status SLUG shows each")
            .expect("writing to a string cannot fail");
    }
    print(text.as_bytes(), exit::OK);
}
