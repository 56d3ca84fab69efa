//! A process that is stopped and goes on, again and again, at whatever it was doing: a debugger, a frozen container, a
//! machine that is moved. What came meanwhile waits in the kernel, and was there in time.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Daemon, LIMIT, wait_until};
use crate::receiver::Receiver;

/// Times that it is stopped.
const STOPS: u64 = 100;
/// One in so many lasts beyond the deadline of a heartbeat that is pinged without a pause.
const ONE_LONG_IN: u64 = 33;

fn is_stopped(daemon: &Daemon) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
    // The name before it may hold anything.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

#[test]
fn a_process_that_is_stopped_a_hundred_times_loses_no_ping_and_opens_no_false_incident() {
    let receiver = Receiver::start();
    let daemon = Daemon::start(&format!(
        "[heartbeats.often]\ninterval = \"2s\"\ngrace = \"2s\"\nchannels = [\"ops\"]\n{}",
        receiver.channel("ops")
    ));
    let uuid = daemon.uuid("often");
    let (taken, enough) = (AtomicU64::new(0), AtomicBool::new(false));
    let more = |before: u64| taken.load(Ordering::SeqCst) > before;
    thread::scope(|scope| {
        scope.spawn(|| {
            while !enough.load(Ordering::SeqCst) {
                daemon.ping(&uuid, "");
                taken.fetch_add(1, Ordering::SeqCst);
            }
        });
        let _end = Enough(&enough);
        for stop in 1..=STOPS {
            let before = taken.load(Ordering::SeqCst);
            wait_until(LIMIT, "pings are taken", || more(before + stop % 7));
            daemon.signal(Signal::STOP);
            wait_until(LIMIT, "it is stopped", || is_stopped(&daemon));
            let stopped = Instant::now();
            // One ping waits by now, or comes.
            if stop % ONE_LONG_IN == 0 {
                wait_until(LIMIT, "its deadline passes", || stopped.elapsed().as_millis() > 4_500);
            }
            daemon.signal(Signal::CONT);
        }
        let before = taken.load(Ordering::SeqCst);
        wait_until(LIMIT, "pings are taken", || more(before + 1));
    });
    // It is not to miss the time after this.
    assert_eq!(daemon.post("/api/v1/heartbeats/often/pause", &json!({})).status, 200);
    let taken = taken.load(Ordering::SeqCst);
    assert_eq!(daemon.heartbeat("often")["pings_total"], json!(taken));
    assert_eq!(daemon.items("incidents"), Vec::<Value>::new(), "it pinged all the while");
    println!(
        "{STOPS} stops, {} of them beyond a deadline: {taken} pings, 0 lost, 0 false incidents",
        STOPS / ONE_LONG_IN
    );
    let home = daemon.home.clone();
    daemon.kill_9();
    assert_eq!(Daemon::start_in(&home).heartbeat("often")["pings_total"], json!(taken));
    assert!(receiver.received().is_empty(), "nobody is alerted");
}

/// Ends the pings, also when the test fails.
struct Enough<'a>(&'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
