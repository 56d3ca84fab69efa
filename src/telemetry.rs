//! The log: where it goes and what it looks like, nothing else. On a terminal with colour and time; under
//! systemd without either, since the journal has its own. `OVERDUE_LOG` sets the level (`info`, `debug`,
//! or a filter such as `info,overdue::deliver=debug`); alerts of the channel `log` show at any level.
//!
//! Lines are written by a thread of their own: whoever reads standard error may stall, and a log that nobody
//! reads must not hold the pings. When too many lines wait, the newest are dropped and counted.
#![allow(clippy::disallowed_methods)]

use std::io::{self, IsTerminal, Write};
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

/// Lines that may wait.
const WAITING: usize = 4_096;
/// How long the end waits for the last lines to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Sends the log to standard error until this is dropped, which waits for the last lines.
#[derive(Debug)]
pub struct Log {
    lines: SyncSender<Line>,
    written: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Line {
    Text(Vec<u8>),
    Last,
}

/// Begins the log.
///
/// # Errors
/// When `OVERDUE_LOG` is not a filter, or the system gives no thread.
pub fn init() -> Result<Log, String> {
    // hyper warns of every client that is slow with its head; on an open port that is everyday.
    // notify complains of folders whose watch went with them.
    let wanted = std::env::var("OVERDUE_LOG").ok().filter(|wanted| !wanted.is_empty());
    let wanted = wanted.unwrap_or_else(|| "info,hyper=error,notify=off".to_owned());
    let filter = EnvFilter::try_new(&wanted)
        .map_err(|error| format!("OVERDUE_LOG={wanted:?} is not a filter ({error}): try info or debug"))?
        // The channel `log` has delivered an alert only if somebody can read it.
        .add_directive(Directive::from_str("overdue::alert=warn").expect("this is a filter"));
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = io::stderr().is_terminal() && !plain;
    let (lines, waiting) = sync_channel(WAITING);
    let (end, written) = sync_channel(1);
    let dropped = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&dropped);
    let thread = std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || {
            write(&waiting, &counted);
            // An error means that nobody waits any more.
            end.send(()).ok();
        })
        .map_err(|error| format!("cannot start the thread that writes the log: {error}"))?;
    let desk = Desk { lines: lines.clone(), dropped };
    // A log that cannot be written (a full disk, a closed pipe) must not end the daemon: complaining of it
    // would go to standard error as well, and panic.
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || desk.clone())
        .with_ansi(colour)
        .log_internal_errors(false);
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        log.without_time().with_target(false).init();
    } else {
        log.with_target(false).init();
    }
    Ok(Log { lines, written, thread: Some(thread) })
}

fn write(lines: &Receiver<Line>, dropped: &AtomicU64) {
    let mut err = io::stderr();
    // What cannot be written is lost; there is nowhere else to say so.
    while let Ok(Line::Text(line)) = lines.recv() {
        err.write_all(&line).ok();
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            writeln!(err, "{lost} lines of the log were dropped: nobody read it").ok();
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // A full queue is one that nobody reads: then there are no last words.
        if self.lines.try_send(Line::Last).is_err() {
            return;
        }
        match self.written.recv_timeout(LAST_WORDS) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                if let Some(thread) = self.thread.take() {
                    // It holds nothing that its panic could have spoilt.
                    thread.join().ok();
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Where lines are handed in. One write is one line.
#[derive(Debug, Clone)]
struct Desk {
    lines: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
}

impl Write for Desk {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(Line::Text(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
