//! The wall clock of a real process is set under it, by days and in both directions: see `clock.c`, which does it. What
//! all amounts at any moment do is tried in the simulation; here it is the system's clock, the journal and restarts.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Daemon, Home, LIMIT, command, run, wait_until};
use crate::receiver::{Received, Receiver};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// Seconds that pass between two looks.
const SLACK: i64 = 30_000;

/// A wall clock of one's own.
struct Wall {
    library: String,
    file: File,
}

impl Wall {
    fn new(home: &Home) -> Self {
        let library = home.path("clock.so").to_str().unwrap().to_owned();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/clock.c");
        let built = run(&mut command("cc", &["-shared", "-fPIC", "-O1", "-o", &library, source]), LIMIT);
        assert_eq!(built.code, 0, "{}", built.stderr);
        let wall = Self { library, file: File::create(home.path("clock")).unwrap() };
        wall.show(0);
        wall
    }

    /// From now on it shows so much more than the system's.
    fn show(&self, more_ms: i64) {
        self.file.write_all_at(&(more_ms * 1_000_000).to_ne_bytes(), 0).unwrap();
    }

    fn start(&self, home: &Home) -> Daemon {
        let mut serve = home.command(&["serve", "--config", "config.toml"]);
        Daemon::start_as(home, serve.env("LD_PRELOAD", &self.library).env("CLOCK", home.path("clock")))
    }
}

fn instant(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<Timestamp>().unwrap().as_millisecond()
}

/// How often it has told that its clock was set.
fn told(daemon: &Daemon) -> usize {
    daemon.stderr().matches("the wall clock was set").count()
}

fn incidents_of(daemon: &Daemon, slug: &str) -> usize {
    daemon.items("incidents").iter().filter(|incident| incident["heartbeat"] == slug).count()
}

#[test]
fn a_clock_that_is_set_under_the_process_raises_no_false_alarm_and_costs_no_ping() {
    let home = Home::new(
        "[heartbeats.steady]\ninterval = \"24h\"\n[heartbeats.nightly]\ncron = \"0 3 * * *\"\n\
         [heartbeats.running]\ninterval = \"24h\"\nmax_runtime = \"24h\"\n",
    );
    let wall = Wall::new(&home);
    let mut daemon = wall.start(&home);
    let [steady, nightly, running] = ["steady", "nightly", "running"].map(|slug| daemon.uuid(slug));
    daemon.ping(&running, "/start");
    let (mut shown, mut pings) = (0, 0);
    let all = [10 * DAY, -10 * DAY, -10 * DAY + HOUR, 300 * DAY, 0];
    for set_to in all {
        daemon.ping(&steady, "");
        daemon.ping(&nightly, "");
        pings += 1;
        let before = daemon.heartbeat("steady");
        let told_before = told(&daemon);
        wall.show(set_to);
        wait_until(LIMIT, "it sees its clock set", || told(&daemon) > told_before);
        daemon.ping(&nightly, "");
        for restarted in [false, true] {
            if restarted {
                daemon.kill_9();
                daemon = wall.start(&home);
            }
            let steady = daemon.heartbeat("steady");
            for due in ["next_due_at", "next_deadline_at"] {
                let moved = instant(&steady[due]) - instant(&before[due]);
                assert!((moved - (set_to - shown)).abs() < 1_000, "{due} by {moved} ms: {steady}");
            }
            assert_eq!((&steady["status"], &steady["pings_total"]), (&json!("up"), &json!(pings)));
            let now = Timestamp::now().as_millisecond() + set_to;
            let due = instant(&daemon.heartbeat("nightly")["next_due_at"]) - now;
            assert!((-SLACK..=DAY).contains(&due), "the next night is {due} ms away");
            assert_eq!(daemon.heartbeat("running")["running"], true);
        }
        shown = set_to;
    }
    assert_eq!(daemon.items("incidents"), Vec::<Value>::new());
    assert_eq!(daemon.heartbeat("nightly")["pings_total"], 2 * pings);
    daemon.ping(&running, "");
    let duration = daemon.heartbeat("running")["last_duration_ms"].as_i64().unwrap();
    assert!(duration < HOUR, "the run took {duration} ms, whatever the clock showed at its ends");
    assert_eq!(daemon.stop(), 0);
    assert_eq!(Daemon::start_in(&home).heartbeat("steady")["pings_total"], json!(pings));
    println!(
        "a clock set {} times, each with a kill -9 after it, under {} pings: 0 lost, no incident",
        all.len(),
        2 + 3 * pings
    );
}

#[test]
fn a_job_that_stays_away_is_missed_after_its_time_whatever_the_clock_is_set_to() {
    let receiver = Receiver::start();
    let home = Home::new(&format!(
        "[heartbeats.silent]\ninterval = \"3s\"\ngrace = \"1s\"\npaused = true\nchannels = [\"ops\"]\n{}",
        receiver.channel("ops")
    ));
    let wall = Wall::new(&home);
    let daemon = wall.start(&home);
    let silent = daemon.uuid("silent");
    for (number, set_to) in [-10 * DAY, 10 * DAY, 0].into_iter().enumerate() {
        assert_eq!(daemon.post("/api/v1/heartbeats/silent/resume", &json!({})).status, 200);
        let pinged = Instant::now();
        daemon.ping(&silent, "");
        let told_before = told(&daemon);
        wall.show(set_to);
        wait_until(LIMIT, "it sees its clock set", || told(&daemon) > told_before);
        // A clock that is set back by ten days puts it off by no day, and one that is set forward makes it no earlier.
        wait_until(LIMIT, "it is missed", || incidents_of(&daemon, "silent") == number + 1);
        assert!(pinged.elapsed() >= Duration::from_secs(4), "{:?}", pinged.elapsed());
        // Paused, it is missed no second time before the next round.
        assert_eq!(daemon.post("/api/v1/heartbeats/silent/pause", &json!({})).status, 200);
        receiver.wait_for(2 * number + 2);
    }
    let kinds: Vec<String> = receiver.received().iter().map(Received::kind).collect();
    assert_eq!(kinds, ["incident.opened", "incident.resolved"].repeat(3));
    println!("a clock set 3 times before a deadline: 3 jobs missed, none too early, {} alerts", kinds.len());
    assert_eq!(daemon.stop(), 0);
}
