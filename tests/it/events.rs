//! The stream of events of the built daemon, as curl reads it: what is told while it lives, what is after a crash, and
//! that a config which is refused shows.

use serde_json::Value;

use crate::harness::{Daemon, Home, LIMIT, Process, command, wait_for};
use crate::receiver::Receiver;

const PING_KEY: &str = "a-key-of-these-tests-alone";

/// curl that follows the events, as anybody would.
struct Follower(Process);

/// One event.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    id: Option<u64>,
    data: Value,
}

impl Follower {
    /// Follows from now on, or from an id.
    fn follow(daemon: &Daemon, arguments: &[&str]) -> Self {
        let mut curl = command("curl", &["-sSN", "--noproxy", "*"]);
        let curl = curl.args(arguments).arg(daemon.url("/api/v1/events"));
        let follower = Self(Process::spawn(curl));
        follower.wait_for("hello", |_| true);
        follower
    }

    /// All that it was told; an event that has not come whole is not among it.
    fn told(&self) -> Vec<Said> {
        let text = self.0.stdout();
        let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        let field = |block: &str, name: &str| {
            block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
        };
        let blocks = whole.split("\n\n").filter_map(|block| {
            let data = serde_json::from_str(&field(block, "data:")?).unwrap();
            Some(Said { id: field(block, "id:").map(|id| id.parse().unwrap()), data })
        });
        blocks.collect()
    }

    /// Waits until it is told an event of this word that is as wished.
    fn wait_for(&self, word: &str, wished: impl Fn(&Value) -> bool) -> Said {
        wait_for(LIMIT, &format!("{word} is told; so far {:?}", self.0.stdout()), || {
            self.told().into_iter().find(|said| said.data["type"] == word && wished(&said.data))
        })
    }

    fn words(&self) -> Vec<String> {
        self.told().iter().map(|said| said.data["type"].as_str().unwrap().to_owned()).collect()
    }
}

fn ping(daemon: &Daemon, what: &str) {
    let answer = daemon.get(&format!("/ping/{PING_KEY}/{what}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn config(rest: &str) -> String {
    format!("[server]\nping_key = \"{PING_KEY}\"\n[heartbeats.a]\ninterval = \"1d\"\n{rest}")
}

#[test]
fn a_job_that_fails_and_one_that_is_missed_are_told_with_what_becomes_of_their_alerts() {
    let receiver = Receiver::start();
    let channel = receiver.channel("hook");
    let daemon = Daemon::start(&config(&format!(
        "channels = [\"hook\"]\n{channel}\n[heartbeats.silent]\ninterval = \"1s\"\ngrace = \"0s\"\nchannels = [\"hook\"]\n"
    )));
    let follower = Follower::follow(&daemon, &[]);
    ping(&daemon, "a/start");
    ping(&daemon, "a/3");
    let of_a = |data: &Value| data["heartbeat"] == "a";
    let start = follower.wait_for("ping", |data| of_a(data) && data["kind"] == "start");
    let end = follower.wait_for("ping", |data| of_a(data) && data["exit_code"] == 3);
    assert!(end.id > start.id && start.id.is_some());
    assert_eq!((&end.data["run"], &end.data["outcome"]), (&start.data["run"], &"failure".into()));
    let opened = follower.wait_for("incident.opened", of_a);
    assert_eq!(opened.data["cause"], "failed");
    let queued = follower.wait_for("delivery.queued", of_a);
    let attempted = follower.wait_for("delivery.attempted", of_a);
    assert_eq!((&attempted.data["status"], &attempted.data["channel"]), (&200.into(), &"hook".into()));
    assert_eq!(attempted.data["delivery"], queued.data["delivery"]);
    let alerts = receiver.wait_for(1);
    assert!(alerts.iter().any(|alert| attempted.data["delivery"] == alert.header("webhook-id")));

    ping(&daemon, "silent");
    let of_silent = |data: &Value| data["heartbeat"] == "silent";
    let missed = follower.wait_for("heartbeat.missed", of_silent);
    assert!(missed.data["periods"].as_u64() >= Some(1), "{missed:?}");
    assert_eq!(follower.wait_for("incident.opened", of_silent).data["cause"], "missed");
    let ids: Vec<u64> = follower.told().iter().filter_map(|said| said.id).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    let said = follower.0.stdout();
    for secret in [PING_KEY, &daemon.uuid("a"), "/ping/"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}

#[test]
fn whoever_had_all_before_a_crash_misses_nothing_after_it() {
    let home = Home::new(&config(""));
    let daemon = Daemon::start_in(&home);
    let follower = Follower::follow(&daemon, &[]);
    for _ in 0..5 {
        ping(&daemon, "a/log");
    }
    let pings = || follower.told().into_iter().filter(|said| said.data["type"] == "ping").collect::<Vec<_>>();
    let told = wait_for(LIMIT, "all five are told", || Some(pings()).filter(|told| told.len() == 5));
    let ids: Vec<u64> = told.iter().map(|said| said.id.unwrap()).collect();

    // Within the same life: the rest, each once.
    let again = Follower::follow(&daemon, &["-H", &format!("Last-Event-ID: {}", ids[1])]);
    wait_for(LIMIT, "the three after it are told", || (again.told().len() == 4).then_some(()));
    assert_eq!(again.told()[1..], told[2..]);

    daemon.kill_9();
    let daemon = Daemon::start_in(&home);
    let same = Follower::follow(&daemon, &["-H", &format!("Last-Event-ID: {}", ids[4])]);
    let older = Follower::follow(&daemon, &["-H", &format!("Last-Event-ID: {}", ids[3])]);
    ping(&daemon, "a/fail");
    for follower in [&same, &older] {
        follower.wait_for("ping", |data| data["kind"] == "fail");
    }
    let blind = same.wait_for("blind", |_| true);
    assert_eq!(blind.data["why"], "not running");
    assert!(!same.words().contains(&"lost".to_owned()), "{:?}", same.words());
    assert_eq!(older.words()[..3], ["hello", "lost", "ping"]);
}

#[test]
fn a_config_that_is_refused_and_one_that_is_well_again_are_told() {
    let home = Home::new(&config(""));
    let daemon = Daemon::start_in(&home);
    let follower = Follower::follow(&daemon, &[]);
    home.configure(&config("intervall = \"1d\"\n"));
    let refused = follower.wait_for("config", |data| data["ok"] == false);
    assert_eq!((refused.id, &refused.data["problems"]), (None, &1.into()));
    home.configure(&config("[heartbeats.b]\ninterval = \"1d\"\n"));
    follower.wait_for("config", |data| data["ok"] == true && data["problems"] == 0);
    let declared = follower.wait_for("heartbeat.declared", |data| data["heartbeat"] == "b");
    assert_eq!(declared.data["source"], "config");
}

#[test]
fn a_daemon_that_stops_ends_the_stream_and_waits_for_no_reader() {
    let daemon = Daemon::start(&config(""));
    let mut follower = Follower::follow(&daemon, &[]);
    assert_eq!(daemon.stop(), 0);
    assert_eq!(follower.0.wait(LIMIT), Some(0), "curl saw a whole answer: {}", follower.0.stderr());
}
