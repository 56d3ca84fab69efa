//! Too much of everything: bodies of 100 MB, headers without end, thousands of connections. The daemon
//! goes on, stays small, and answers pings at once.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::client::Connection;
use crate::harness::{Daemon, LIMIT, curl, not_tried, wait_until};
use crate::receiver::Receiver;

const CONFIG: &str = "[heartbeats.backup]\ninterval = \"24h\"\n[defaults]\nchannels = [\"ops\"]\n";
const LARGE: u64 = 100_000_000;
/// What the daemon may hold at most, and what a flood may add. A debug build's own size is in it.
const RESIDENT_KIB: u64 = 200_000;
const GROWTH_KIB: u64 = 40_000;

fn start(receiver: &Receiver) -> Daemon {
    Daemon::start(&format!("{CONFIG}{}", receiver.channel("ops")))
}

/// A file of 100 MB that ends with `end`. Most of it is a hole, so it costs no disk.
fn large_file(daemon: &Daemon, end: &[u8]) -> PathBuf {
    let path = daemon.home.path("large");
    let mut file = File::create(&path).unwrap();
    file.seek(SeekFrom::Start(LARGE - end.len() as u64)).unwrap();
    file.write_all(end).unwrap();
    assert_eq!(file.metadata().unwrap().len(), LARGE);
    path
}

fn check_memory(daemon: &Daemon, before: u64) {
    let now = daemon.resident_kib();
    assert!(now < RESIDENT_KIB && now.saturating_sub(before) < GROWTH_KIB, "{before} KiB became {now} KiB");
}

/// A ping that must be answered at once.
fn quick_ping(daemon: &Daemon, uuid: &str) {
    let began = Instant::now();
    daemon.ping(uuid, "");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

/// What no other text has, so that it shows where it was cut.
fn numbered(bytes: usize) -> String {
    let lines: Vec<String> = (0..=bytes / 8).map(|n| format!("{n:07}")).collect();
    let text = lines.join(" ");
    text[text.len() - bytes..].to_owned()
}

#[test]
fn a_ping_with_a_body_of_100_mb_is_answered_200_and_its_end_is_in_the_alert() {
    let receiver = Receiver::start();
    let daemon = start(&receiver);
    let uuid = daemon.uuid("backup");
    let end = numbered(10_000);
    let path = large_file(&daemon, end.as_bytes());
    let before = daemon.resident_kib();
    let chunked = ["-H", "Transfer-Encoding: chunked"];
    for (number, more) in [&[][..], &chunked[..]].into_iter().enumerate() {
        let url = daemon.url(&format!("/ping/{uuid}/1"));
        let file = path.to_str().unwrap();
        let ended = curl(&[&["-X", "POST", "-T", file], more, &[&url]].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (0, "OK"), "{}", ended.stderr);
        check_memory(&daemon, before);
        let opened = receiver.wait_for(2 * number + 1).remove(2 * number);
        let alert = opened.json();
        assert_eq!(alert["type"], "incident.opened");
        // An alert carries 2 KB of text.
        assert_eq!(alert["data"]["heartbeat"]["last_body"], end[end.len() - 2_048..]);
        daemon.ping(&uuid, "");
        receiver.wait_for(2 * number + 2);
    }
    println!("2 bodies of {LARGE} bytes: both taken, both told; {} KiB", daemon.resident_kib());
}

#[test]
fn the_last_bytes_of_a_body_are_kept_as_many_as_the_config_says() {
    let receiver = Receiver::start();
    let daemon =
        Daemon::start(&format!("{CONFIG}{}[server]\nbody_limit = \"100B\"\n", receiver.channel("ops")));
    let uuid = daemon.uuid("backup");
    let body = numbered(5_000);
    let ended = curl(&["-i", "-d", &body, &daemon.url(&format!("/ping/{uuid}/fail"))]);
    assert!(ended.stdout.to_lowercase().contains("ping-body-limit: 100\r\n"), "{ended:?}");
    let alert = receiver.wait_for(1)[0].json();
    assert_eq!(alert["data"]["heartbeat"]["last_body"], body[4_900..]);
}

#[test]
fn an_api_body_of_100_mb_is_refused_with_413_at_once() {
    let receiver = Receiver::start();
    let daemon = start(&receiver);
    let path = large_file(&daemon, b"}");
    let before = daemon.resident_kib();
    let began = Instant::now();
    for more in [&[][..], &["-H", "Transfer-Encoding: chunked"][..], &["-H", "Expect:"][..]] {
        let url = daemon.url("/api/v1/heartbeats");
        let file = path.to_str().unwrap();
        let json = ["-o", "/dev/null", "-w", "%{http_code}", "-H", "Content-Type: application/json"];
        // curl may complain that it could not send all of it; what was answered counts.
        let ended = curl(&[&json[..], &["-X", "POST", "-T", file], more, &[&url]].concat());
        assert_eq!(ended.stdout, "413", "{more:?} {}", ended.stderr);
        check_memory(&daemon, before);
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(daemon.get("/api/v1/heartbeats").json()["heartbeats"].as_array().unwrap().len(), 1);
    quick_ping(&daemon, &daemon.uuid("backup"));
}

#[test]
fn headers_that_never_end_are_cut_off_and_pings_go_on() {
    let receiver = Receiver::start();
    let daemon = start(&receiver);
    let uuid = daemon.uuid("backup");
    let (before, mut all) = (daemon.resident_kib(), 0);
    for (head, filler) in [
        (format!("GET /ping/{uuid} HTTP/1.1\r\nHost: x\r\n"), "X-More: and more\r\n"),
        (format!("GET /ping/{uuid} HTTP/1.1\r\nX-Long: "), "aaaaaaaaaaaaaaaaaaaa"),
        ("GET /api/v1/heartbeats?q=".to_owned(), "aaaaaaaaaaaaaaaaaaaa"),
    ] {
        let mut stream = daemon.connect();
        stream.write_all(head.as_bytes()).unwrap();
        let more = filler.repeat(1_000);
        let mut sent = 0;
        while stream.write_all(more.as_bytes()).is_ok() {
            sent += more.len();
            assert!(sent < 50_000_000, "nobody stops it");
        }
        all += sent;
        let mut answer = Vec::new();
        // A reset may eat the answer; one that came is a refusal.
        stream.read_to_end(&mut answer).ok();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        quick_ping(&daemon, &uuid);
        check_memory(&daemon, before);
    }
    assert_eq!(daemon.heartbeat("backup")["pings_total"], 3, "none of them was a ping");
    println!("3 heads without end, cut off after {all} bytes in all, 3 pings beside them: 0 lost");
}

/// Held by whoever opens thousands of connections: two at a time would be more than the system lets this process have.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As many idle connections as are wished for, or as the system lets this process and those that it starts have.
fn idle_connections(wished: usize) -> usize {
    /// What else is open: the other tests of this process have connections too.
    const OTHERS: u64 = 2_000;
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }).unwrap();
    let many = files.maximum.map_or(wished, |most| wished.min(most.saturating_sub(OTHERS) as usize));
    if many < wished {
        let system = format!("the system allows {:?} files", files.maximum);
        not_tried(&format!("{wished} idle connections, but {many}, since {system}"));
    }
    assert!(many > 1_500, "there would be room for all of them");
    many
}

/// How many files, and so connections, the daemon has open.
pub(crate) fn open_files(daemon: &Daemon) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count()
}

/// Opens so many connections that say nothing or half a head, and pings beside them.
fn ping_beside_idle_connections(config: &str, many: usize) -> (Daemon, Vec<Connection>) {
    let daemon = Daemon::start(config);
    let uuid = daemon.uuid("backup");
    let mut idle: Vec<Connection> = Vec::new();
    for number in 0..many {
        let mut stream = daemon.connect();
        if number % 2 == 0 {
            stream.write_all(format!("GET /ping/{uuid} HT").as_bytes()).unwrap();
        }
        idle.push(stream);
        if number % 500 == 499 {
            quick_ping(&daemon, &uuid);
        }
    }
    assert_eq!(daemon.heartbeat("backup")["pings_total"], many / 500);
    (daemon, idle)
}

#[test]
fn a_ping_is_answered_at_once_beside_10000_idle_connections() {
    let _alone = alone();
    let many = idle_connections(10_000);
    let (daemon, _idle) = ping_beside_idle_connections("[heartbeats.backup]\ninterval = \"24h\"\n", many);
    let open = open_files(&daemon);
    assert!(open < 1_200, "max_connections holds: {open}");
    println!("{many} idle connections, {open} files open, {} pings beside them: 0 lost", many / 500);
    assert!(daemon.resident_kib() < RESIDENT_KIB, "{} KiB", daemon.resident_kib());
}

#[test]
fn ten_thousand_connections_for_which_there_is_room_stay_while_pings_are_answered() {
    let _alone = alone();
    let many = idle_connections(10_000);
    let config =
        format!("[heartbeats.backup]\ninterval = \"24h\"\n[server]\nmax_connections = {}\n", many + 500);
    let (daemon, idle) = ping_beside_idle_connections(&config, many);
    assert!(open_files(&daemon) > many, "none was closed: {}", open_files(&daemon));
    println!(
        "{many} idle connections, all kept: {} KiB, {} pings: 0 lost",
        daemon.resident_kib(),
        many / 500
    );
    assert!(daemon.resident_kib() < 2 * RESIDENT_KIB, "{} KiB", daemon.resident_kib());
    drop(idle);
    wait_until(LIMIT, "they are forgotten once they are closed", || open_files(&daemon) < 100);
}
