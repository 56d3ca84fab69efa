//! Files that run out: few that the process may open, receivers that hang and keep theirs, a table that is full.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::time::SystemTime;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;

use crate::client::{Answer, Connection};
use crate::harness::{Daemon, Home, LIMIT, OVERDUE, command, wait_until};
use crate::receiver::{Received, Receiver, Reply};

/// A daemon that may have so many files open, and never more.
fn start_with_files(home: &Home, files: u64) -> Daemon {
    let serve = format!("ulimit -n {files} && exec {OVERDUE:?} serve --config config.toml");
    let mut shell = command("sh", &["-c", &serve]);
    Daemon::start_as(home, shell.current_dir(home.path("")))
}

/// Waits for a snapshot that is newer than this.
fn wait_for_snapshot(home: &Home, after: SystemTime) {
    wait_until(LIMIT, "a snapshot is written", || {
        let written = fs::metadata(home.state().join("snapshot.json")).and_then(|file| file.modified());
        written.is_ok_and(|written| written > after)
    });
}

#[test]
fn with_few_files_that_it_may_open_pings_and_the_journal_go_on() {
    let home = Home::new("[heartbeats.db]\ninterval = \"24h\"\n[state]\nsnapshot_interval = \"1s\"\n");
    let daemon = start_with_files(&home, 160);
    let uuid = daemon.uuid("db");
    let idle: Vec<Connection> = (0..200).map(|_| daemon.connect()).collect();
    for n in 1..=50 {
        daemon.ping(&uuid, "");
        assert_eq!(daemon.heartbeat("db")["pings_total"], n);
    }
    wait_for_snapshot(&home, SystemTime::UNIX_EPOCH);
    assert_eq!(daemon.get("/readyz").status, 200);
    drop(idle);
    daemon.kill_9();
    assert_eq!(Daemon::start_in(&home).heartbeat("db")["pings_total"], 50);
}

/// Ten jobs that fail are ten alerts for each of the channels that hang, eight of which would be under way at a time: 192 files.
#[test]
fn with_few_files_receivers_that_hang_keep_neither_pings_out_nor_the_alerts_of_others() {
    const HUNG: usize = 24;
    const JOBS: usize = 10;
    let (hung, good) = (Receiver::start(), Receiver::start());
    hung.reply(Reply::Hang);
    let mut config = format!("[state]\nsnapshot_interval = \"1s\"\n{}", good.channel("good"));
    for n in 0..HUNG {
        let url = hung.url(&format!("/{n}"));
        config += &format!("[channels.hung-{n}]\ntype = \"webhook\"\nurl = {url:?}\ntimeout = \"5m\"\n");
    }
    let all: Vec<String> = (0..HUNG).map(|n| format!("hung-{n}")).collect();
    for n in 0..JOBS {
        config += &format!("[heartbeats.job-{n}]\ninterval = \"24h\"\nchannels = {all:?}\n");
    }
    config += "[heartbeats.told]\ninterval = \"24h\"\nchannels = [\"good\"]\n";
    let home = Home::new(&config);
    let daemon = start_with_files(&home, 160);
    let jobs: Vec<String> = (0..JOBS).map(|n| daemon.uuid(&format!("job-{n}"))).collect();
    let told = daemon.uuid("told");
    for job in &jobs {
        daemon.ping(job, "/fail");
    }
    wait_until(LIMIT, "each channel has one under way", || {
        hung.received().iter().map(|one| one.path.clone()).collect::<BTreeSet<String>>().len() == HUNG
    });
    let began = SystemTime::now();
    let idle: Vec<Connection> = (0..200).map(|_| daemon.connect()).collect();
    for n in 1..=20 {
        for job in &jobs {
            daemon.ping(job, "/log");
        }
        for (suffix, kind) in [("/fail", "incident.opened"), ("", "incident.resolved")] {
            daemon.ping(&told, suffix);
            let alerts = good.wait_for(2 * n - usize::from(suffix == "/fail"));
            assert_eq!(alerts.last().unwrap().kind(), kind);
        }
    }
    wait_for_snapshot(&home, began);
    assert_eq!(daemon.get("/readyz").status, 200);
    let (open, under_way) = (crate::floods::open_files(&daemon), hung.received().len());
    println!("{open} files are open, {under_way} deliveries have begun to hang");
    assert!(open <= 160 && (HUNG..2 * HUNG).contains(&under_way), "{open} {under_way}");
    let log = daemon.stderr();
    assert!(!log.contains("could not be accepted") && !log.contains("Too many open files"), "{log}");
    assert!(log.contains("a delivery waits for others to end"), "{log}");
    drop(idle);
    daemon.kill_9();
    let again = Daemon::start_in(&home);
    for n in 0..JOBS {
        assert_eq!(again.heartbeat(&format!("job-{n}"))["pings_total"], 21);
    }
    assert_eq!(again.heartbeat("told")["pings_total"], 40);
}

/// A request on a connection that stays open, and what is answered.
fn ask(stream: &mut Connection, path: &str) -> Answer {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).unwrap();
        assert_ne!(read, 0, "it hung up after {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&piece[..read]);
        if let Some(answer) = Answer::parse(&bytes)
            && answer.header("content-length").is_some_and(|length| length == answer.body.len().to_string())
        {
            return answer;
        }
    }
}

#[test]
fn with_its_table_of_files_full_pings_are_written_and_all_else_waits_until_it_is_not() {
    let receiver = Receiver::start();
    let config =
        "[heartbeats.db]\ninterval = \"24h\"\nchannels = [\"ops\"]\n[state]\nsnapshot_interval = \"1s\"\n";
    let home = Home::new(&format!("{config}{}", receiver.channel("ops")));
    let daemon = Daemon::start_in(&home);
    let uuid = daemon.uuid("db");
    let mut open = daemon.connect();
    let ping = |stream: &mut Connection, suffix: &str| {
        let answer = ask(stream, &format!("/ping/{uuid}{suffix}"));
        assert_eq!((answer.status, answer.text().as_str()), (200, "OK"));
    };
    ping(&mut open, "");
    let pid = Pid::from_raw(daemon.pid().try_into().unwrap());
    // All numbers below this are in use, so there is none for anything that is opened from now on.
    let full = Rlimit { current: Some(3), maximum: Some(4_096) };
    prlimit(pid, Resource::Nofile, full).unwrap();
    let mut total = 1;
    let mut ping_until = |open: &mut Connection, said: &str| {
        wait_until(LIMIT, said, || {
            ping(open, "");
            total += 1;
            daemon.stderr().contains(said)
        });
    };
    ping(&mut open, "/fail");
    ping_until(&mut open, "the snapshot could not be written");
    ping_until(&mut open, "an alert could not be delivered; it is tried again");
    assert!(daemon.stderr().contains("Too many open files"), "{}", daemon.stderr());
    // The system takes the connection, the daemon cannot yet.
    let mut late = daemon.connect();
    write!(late, "GET /ping/{uuid} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    wait_until(LIMIT, "it says so", || daemon.stderr().contains("a connection could not be accepted"));
    assert!(receiver.received().is_empty());

    prlimit(pid, Resource::Nofile, Rlimit { current: Some(4_096), maximum: Some(4_096) }).unwrap();
    let mut answer = [0; 12];
    late.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let kinds: Vec<String> = receiver.wait_for(2).iter().map(Received::kind).collect();
    assert_eq!(kinds, ["incident.opened", "incident.resolved"]);
    let healed = SystemTime::now();
    daemon.ping(&uuid, "");
    wait_for_snapshot(&home, healed);
    assert_eq!(daemon.get("/readyz").status, 200);
    daemon.kill_9();
    total += 3;
    assert_eq!(Daemon::start_in(&home).heartbeat("db")["pings_total"], json!(total));
    println!("no file could be opened under {total} pings, 2 alerts: 0 lost");
}
