//! A thousand heartbeats of an hour, of which nothing is heard.

use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::free_port;
use crate::pings::FSYNC;
use crate::subject::{Subject, head, uuid};
use crate::told::at_most;

const HEARTBEATS: usize = 1_000;
/// Two marks that it is alive are within.
const WATCHED: Duration = Duration::from_secs(60);

pub(crate) fn idle(_: Duration) {
    let port = free_port();
    let mut config = head(port, FSYNC);
    for beat in 0..HEARTBEATS {
        writeln!(config, "[heartbeats.beat-{beat}]\ninterval = \"1h\"\nuuid = \"{}\"", uuid(beat)).unwrap();
    }
    let first = Subject::with(port, &config, HEARTBEATS);
    let ready = first.daemon.ready_after.as_secs_f64() * 1_000.0;
    at_most("from exec to ready, declared for the first time", ready, 50.0, "ms");
    let idle = first.crash_and_start();
    let ready = idle.daemon.ready_after.as_secs_f64() * 1_000.0;
    at_most("from exec to ready after a crash", ready, 50.0, "ms");
    // What a start leaves to do is over by then.
    // Threads that the start needed have ended by then, so that what they spent is in neither sum.
    thread::sleep(Duration::from_secs(20));
    let (began, before) = (Instant::now(), idle.daemon.spent());
    thread::sleep(WATCHED);
    let share = (idle.daemon.spent() - before) / began.elapsed().as_secs_f64() * 100.0;
    at_most("of a core, in a minute", share, 0.1, "%");
    at_most("resident", idle.daemon.resident().0, 15.0, "MB");
}
