//! A hundred thousand jobs that all should have run by the same minute, and did not: how long until every incident is in the
//! journal, how fast the alerts leave, and what pings to other heartbeats take meanwhile.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::free_port;
use crate::driver::{Answer, Beside};
use crate::pings::{FEW, FSYNC};
use crate::receiver::{receive, wall};
use crate::subject::{Subject, head, journals, uuid};
use crate::told::{at_least, at_most, plain, rank};

const SILENT: usize = 100_000;
const MINUTE_MS: f64 = 60_000.0;
/// How much of a minute must be left for the start.
const ROOM_MS: f64 = 40_000.0;
const GRACE: Duration = Duration::from_secs(1);
/// How long an alert is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECTIONS: usize = 32;
/// How often each of them pings.
const EVERY: Duration = Duration::from_millis(10);

pub(crate) fn deadlines(_: Duration) {
    let (hook, arrivals) = receive();
    let port = free_port();
    let config = config(port, hook);
    while MINUTE_MS - wall() % MINUTE_MS < ROOM_MS {
        thread::sleep(Duration::from_millis(100));
    }
    let subject = Subject::with(port, &config, FEW);
    let left = Duration::from_secs_f64((MINUTE_MS - wall() % MINUTE_MS) / 1_000.0);
    assert!(left > Duration::from_secs(5), "the start took too long");
    let deadline = Instant::now() + left + GRACE;
    thread::sleep(left);

    let state = subject.state();
    let journaled = thread::spawn(move || until_journaled(&state));
    let beside = Beside::start(subject.server, CONNECTIONS, EVERY, &subject.targets);
    let first = arrivals.recv_timeout(PATIENCE).unwrap();
    let mut last = first.at;
    for _ in 1..SILENT {
        last = arrivals.recv_timeout(PATIENCE).expect("another alert").at;
    }
    let answers = beside.end();
    let written = journaled.join().unwrap();
    // Those of the second or two that it takes, not of all the time until the last alert.
    let meanwhile = answers.into_iter().filter(|answer| answer.asked >= deadline && answer.asked <= written);
    let mut spent: Vec<f64> = meanwhile.map(Answer::ms).collect();
    spent.sort_unstable_by(f64::total_cmp);

    let journaled = (written - deadline).as_secs_f64();
    at_most("from the deadline to all incidents in the journal", journaled, 2.0, "s");
    plain("from the deadline to the first alert", (first.at - deadline).as_secs_f64() * 1_000.0, "ms");
    plain("from the deadline to the last alert", (last - deadline).as_secs_f64(), "s");
    let rate = (SILENT - 1) as f64 / (last - first.at).as_secs_f64();
    at_least("alerts a second at one receiver", rate, 5_000.0, "/s");
    at_most(&format!("{} pings meanwhile, p99", spent.len()), rank(&spent, 99.0), 50.0, "ms");
    plain("  the slowest", rank(&spent, 100.0), "ms");
    plain("resident", subject.daemon.resident().0, "MB");
}

fn config(port: u16, hook: u16) -> String {
    let mut config = head(port, FSYNC);
    write!(config, "[channels.here]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{hook}/\"\n").unwrap();
    for beat in 0..FEW {
        write!(config, "[heartbeats.beat-{beat}]\ninterval = \"1d\"\nuuid = \"{}\"\n", uuid(beat)).unwrap();
    }
    for beat in 0..SILENT {
        write!(
            config,
            "[heartbeats.silent-{beat}]\ncron = \"* * * * *\"\ngrace = \"{}s\"\nchannels = [\"here\"]\n",
            GRACE.as_secs()
        )
        .unwrap();
    }
    config
}

/// When every incident had been read from the journal.
fn until_journaled(state: &Path) -> Instant {
    const OPENED: &[u8] = b"\"record\":{\"incident_opened\":";
    let began = Instant::now();
    let (mut opened, mut read): (usize, Vec<(PathBuf, File)>) = (0, Vec::new());
    let mut text = Vec::new();
    while opened < SILENT {
        assert!(began.elapsed() < PATIENCE, "{opened} incidents are in the journal");
        for path in journals(state) {
            if !read.iter().any(|(known, _)| *known == path) {
                let file = File::open(&path).unwrap();
                read.push((path, file));
            }
        }
        for (_, file) in &mut read {
            // What was cut at the end of a piece is found with the next.
            let kept = text.len().min(OPENED.len() - 1);
            text.drain(..text.len() - kept);
            file.read_to_end(&mut text).unwrap();
            opened += text.windows(OPENED.len()).filter(|piece| *piece == OPENED).count();
        }
        thread::sleep(Duration::from_millis(10));
    }
    Instant::now()
}
