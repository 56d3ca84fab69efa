//! Floor 6: people. The arguments, the exit codes, and what is printed.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
// The documentation of the arguments is what `--help` prints: plain text, not Markdown.
#![allow(clippy::doc_markdown)]

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use serde::Serialize;

use crate::engine::clock::{Clock as _, SystemClock};

mod against;
mod answer;
mod ask;
mod calendars;
pub mod check;
mod explain;
mod heartbeat;
mod paint;
mod serve;
mod status;

/// Exit codes after sysexits(3).
pub(crate) mod exit {
    /// All well.
    pub(crate) const OK: u8 = 0;
    /// The arguments cannot be used.
    pub(crate) const USAGE: u8 = 64;
    /// A fault of overdue itself.
    pub(crate) const INTERNAL: u8 = 70;
    /// The config has problems.
    pub(crate) const CONFIG: u8 = 78;
}

/// Tells people when a job did not run.
///
/// Each job pings a URL when it starts and ends; a ping that is late, a failing exit code, or a run that
/// never ends becomes an incident, and the incident a webhook.
#[derive(Debug, Parser)]
#[command(name = "overdue", version, propagate_version = true, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon in the foreground
    ///
    /// It listens for pings, keeps its state in the state folder, and reloads the config when the file
    /// changes or on SIGHUP. Stop it with Ctrl-C or SIGTERM.
    #[command(
        after_help = "Exit codes: 0 stopped, 64 usage, 70 internal, 71 cannot listen, 73 state folder unusable or \
                            in use, 74 corrupt state, 78 bad config."
    )]
    Serve(ConfigArgument),
    /// Validate a config and show what it expects when
    ///
    /// Prints each heartbeat with its schedule and next due times, or every problem at once as
    /// file:line:column. Touches no state.
    ///
    /// With --against it tells what a reload of the config would change of a running daemon: heartbeats added,
    /// removed and changed, each with its due and deadline before and after, and the incidents that would open within
    /// their grace. Nothing is touched. An API key is taken from $OVERDUE_API_KEY when the daemon wants one.
    #[command(
        after_help = "Exit codes: 0 the config is good, 3 the daemon is not reachable, 64 usage, 73 the state folder \
                      cannot be read, 78 the config has problems."
    )]
    Check {
        #[command(flatten)]
        config: ConfigArgument,
        /// Tell what a reload would change of this daemon: http://host:port, unix:/path of its socket, or its state
        /// folder
        #[arg(long, value_name = "URL|FOLDER")]
        against: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what each schedule comes to, occurrence by occurrence
    ///
    /// Prints the schedule in words and its next times, in the time zone of the heartbeat and in UTC: from when on it
    /// is late, from when on it is down, and a note where a clock change, an exclusion or the early rule changes
    /// something. Touches no state.
    #[command(
        after_help = "Exit codes: 0 explained, 64 usage or no such heartbeat, 78 the config has problems."
    )]
    Explain(explain::Arguments),
    /// Ask a running daemon how things stand
    ///
    /// Prints a table of all heartbeats, what needs somebody first, or one with its ping URL and its last runs. The
    /// first line is that of a monitoring plugin, so this is a check for Nagios, Icinga and the like. An API key is
    /// taken from $OVERDUE_API_KEY when the daemon wants one.
    #[command(
        after_help = "Exit codes: 0 all well, 1 something late, 2 something down, 3 not reachable, 64 usage."
    )]
    Status(status::Arguments),
    /// Make, remove, pause and resume heartbeats of a running daemon
    ///
    /// An API key is taken from $OVERDUE_API_KEY when the daemon wants one.
    Heartbeat(heartbeat::Arguments),
}

#[derive(Debug, Args)]
struct ConfigArgument {
    /// The config file
    #[arg(
        long,
        short,
        env = "OVERDUE_CONFIG",
        default_value = "/etc/overdue/config.toml",
        value_name = "FILE"
    )]
    config: PathBuf,
}

/// Runs the program with these arguments, the name of the program first.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments = match parse(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { exit::OK };
            return ExitCode::from(outcome(error.print(), code));
        }
    };
    ExitCode::from(match arguments.command {
        Command::Serve(ConfigArgument { config }) => serve::serve(&config),
        Command::Check { config: ConfigArgument { config }, against: Some(place), json } => {
            against::against(&config, &place, json)
        }
        Command::Check { config: ConfigArgument { config }, against: None, json } => {
            let (zones, now) = (crate::daemon::zones(), SystemClock.now());
            let mut told = Vec::new();
            let code = check::check(&config, json, &zones, now, &mut told).unwrap_or(exit::INTERNAL);
            print(&told, code)
        }
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Status(arguments) => status::status(&arguments),
        Command::Heartbeat(arguments) => heartbeat::heartbeat(&arguments),
    })
}

/// Reads the arguments. A variable that is set but empty counts as unset, as in a shell's `${X:-default}`.
fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let mut command = without_empty(Arguments::command());
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    Arguments::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

fn without_empty(command: clap::Command) -> clap::Command {
    let empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| if arg.get_env().is_some_and(empty) { arg.env(None::<&str>) } else { arg })
        .mut_subcommands(without_empty)
}

/// Prints to standard output, and gives the exit code: the one given, when that went well.
fn print(text: &[u8], code: u8) -> u8 {
    let mut out = io::stdout().lock();
    outcome(out.write_all(text).and_then(|()| out.flush()), code)
}

/// As JSON, its keys in the order of their declaration.
fn pretty(value: &impl Serialize) -> String {
    let json =
        serde_json::to_string_pretty(value).expect("what is printed has texts as keys and writes no error");
    json + "\n"
}

/// The exit code after printing. A reader that has gone (`| head`) is no fault.
fn outcome(printed: io::Result<()>, code: u8) -> u8 {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("cannot write to standard output: {error}"));
            exit::INTERNAL
        }
        Ok(()) | Err(_) => code,
    }
}

/// Prints to standard error.
fn complain(text: &str) {
    let mut err = io::stderr().lock();
    writeln!(err, "overdue: {text}").ok();
}
