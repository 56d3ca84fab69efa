//! Fair limits on pings, from outside: a flood is refused and holds nobody else up, strangers fill no memory, and curl
//! does what the answer says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Connection;
use crate::harness::{Daemon, Home, LIMIT, curl, wait_until};

const HEARTBEATS: &str = "[heartbeats.flooded]\ninterval = \"24h\"\n[heartbeats.other]\ninterval = \"24h\"\n";
/// A refusal is held back for so long.
const HOLD_MS: u64 = 250;
/// What a flood may add to the daemon's memory.
const GROWTH_KIB: u64 = 20_000;
/// What it may add once all that is bounded is full: 60 bytes for each of 34,000 strangers would be more.
const FLAT_KIB: u64 = 2_000;

/// One connection for many requests, from an address of one's own.
pub(crate) struct Client(BufReader<Connection>);

/// What was answered.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<u64>,
}

impl Client {
    pub(crate) fn new(daemon: &Daemon, from: [u8; 4]) -> Self {
        // The standard library cannot say from which address it connects.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::new(IpAddr::from(from), 0)).unwrap();
            let to = SocketAddr::new(IpAddr::from([127, 0, 0, 1]), daemon.home.port);
            socket.connect(to).await.unwrap().into_std().unwrap()
        });
        stream.set_nonblocking(false).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(daemon.home.connected(stream)))
    }

    pub(crate) fn ping(&mut self, uuid: &str, headers: &str) -> Answered {
        self.ask(&format!("GET /ping/{uuid} HTTP/1.1\r\nHost: x\r\n{headers}\r\n"))
    }

    /// Asks this, head and body.
    pub(crate) fn ask(&mut self, request: &str) -> Answered {
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "it hung up after {head:?}");
            if line == "\r\n" {
                break;
            }
            head.push(line.trim_end().to_lowercase());
        }
        let header = |name: &str| head.iter().find_map(|line| line.strip_prefix(name)?.parse::<u64>().ok());
        let mut body = vec![0; header("content-length: ").unwrap() as usize];
        self.0.read_exact(&mut body).unwrap();
        let status = head[0].split(' ').nth(1).unwrap().parse().unwrap();
        Answered { status, retry_after: header("retry-after: ") }
    }
}

/// Pings until nobody wants it any more, and at least until some are refused; gives back how many were taken and refused.
fn flood(mut client: Client, uuid: &str, over: &AtomicBool) -> (u64, u64) {
    let (mut taken, mut refused) = (0, 0);
    while refused < 3 || !over.load(Ordering::Relaxed) {
        match client.ping(uuid, "") {
            Answered { status: 200, .. } => taken += 1,
            Answered { status: 429, retry_after: Some(1..) } => refused += 1,
            Answered { status, retry_after } => panic!("{status} with Retry-After {retry_after:?}"),
        }
    }
    (taken, refused)
}

fn counted(daemon: &Daemon, limit: &str) -> u64 {
    let text = daemon.get("/metrics").text();
    let series = format!("overdue_pings_refused_total{{limit=\"{limit}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok()).unwrap()
}

/// How long pings took beside a flood.
fn print(what: &str, mut took: Vec<Duration>) {
    took.sort();
    let at = |part: usize| took[(took.len() * part / 100).min(took.len() - 1)];
    println!("{what}: {} pings, p50 {:?}, p99 {:?}, max {:?}", took.len(), at(50), at(99), at(100));
}

#[test]
fn a_flood_from_one_address_is_answered_429_and_every_ping_from_another_is_taken() {
    let daemon = Daemon::start(&format!("{HEARTBEATS}[server]\nping_rate_per_address = \"300/m\"\n"));
    let (flooded, other) = (daemon.uuid("flooded"), daemon.uuid("other"));
    let before = daemon.resident_kib();
    let (over, began) = (AtomicBool::new(false), Instant::now());
    let (taken, refused) = thread::scope(|scope| {
        let clients = (0..32).map(|_| Client::new(&daemon, [127, 0, 0, 1]));
        let floods: Vec<_> = clients.map(|client| scope.spawn(|| flood(client, &flooded, &over))).collect();
        let mut client = Client::new(&daemon, [127, 0, 0, 2]);
        let mut took = Vec::new();
        for _ in 0..250 {
            let began = Instant::now();
            assert_eq!(client.ping(&other, "").status, 200);
            took.push(began.elapsed());
        }
        over.store(true, Ordering::Relaxed);
        print("beside a flood that is refused", took);
        let ended = floods.into_iter().map(|flood| flood.join().unwrap());
        ended.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
    });
    let (secs, ms) = (began.elapsed().as_secs(), began.elapsed().as_millis() as u64);
    println!("the flood: {taken} taken, {refused} refused in {ms} ms");
    assert!(refused <= 32 * (ms / HOLD_MS + 1), "{refused} refused in {ms} ms: no client is told so at once");
    assert!(taken >= 300 && taken <= 300 + (secs + 1) * 5, "{taken} taken in {secs} s");
    assert_eq!(daemon.heartbeat("flooded")["pings_total"], taken, "a refused ping leaves no record");
    assert_eq!(daemon.heartbeat("other")["pings_total"], 250);
    assert_eq!(counted(&daemon, "address"), refused);
    let now = daemon.resident_kib();
    assert!(now.saturating_sub(before) < GROWTH_KIB, "{before} KiB became {now} KiB");
    let log = daemon.stderr();
    let lines = log.lines().filter(|line| line.contains("a ping from 127.0.0.1 was refused")).count();
    assert!((1..=secs as usize + 2).contains(&lines), "{lines} lines in {secs} s: {log}");
}

/// Opens so many connections, sends a request over each and only then reads; gives how many were told 429, and how many were
/// hung up on.
pub(crate) fn at_once(daemon: &Daemon, path: &str, count: usize) -> (usize, usize) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let open: Vec<Connection> = (0..count)
        .map(|_| {
            let mut stream = daemon.connect();
            // It may be hung up on already.
            stream.write_all(request.as_bytes()).ok();
            stream
        })
        .collect();
    let (mut refused, mut hung_up) = (0, 0);
    for mut stream in open {
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
            Ok(_) => assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 429"), "{answer:?}"),
        }
        if answer.is_empty() { hung_up += 1 } else { refused += 1 }
    }
    (refused, hung_up)
}

#[test]
fn who_waits_for_no_refusal_is_hung_up_on_others_are_not_and_neither_is_a_proxy() {
    let limit = "[server]\nping_rate_per_address = \"2/h\"\n";
    let daemon = Daemon::start(&format!("{HEARTBEATS}{limit}"));
    let (flooded, other) = (daemon.uuid("flooded"), daemon.uuid("other"));
    let mut elsewhere = Client::new(&daemon, [127, 0, 0, 2]);
    let mut quiet = Client::new(&daemon, [127, 0, 0, 1]);
    for client in [&mut quiet, &mut elsewhere] {
        assert_eq!(client.ping(&other, "").status, 200);
    }
    assert_eq!(quiet.ping(&flooded, "").status, 200);
    // It takes more than 128 within the 250 ms for which a refusal is held back.
    wait_until(LIMIT, "some are hung up on", || {
        let (refused, hung_up) = at_once(&daemon, &format!("/ping/{flooded}"), 400);
        assert!(refused >= 128, "{refused}: those that there is room for are told");
        hung_up > 0
    });
    assert_eq!(elsewhere.ping(&other, "").status, 200);
    assert_eq!(quiet.ping(&flooded, "").status, 429, "one that waits is told, and one connection is enough");
    assert_eq!(daemon.heartbeat("flooded")["pings_total"], 1);

    let proxied = Daemon::start(&format!("{HEARTBEATS}{limit}trusted_proxies = [\"127.0.0.1/32\"]\n"));
    let flooded = proxied.uuid("flooded");
    let mut proxy = Client::new(&proxied, [127, 0, 0, 1]);
    assert_eq!((proxy.ping(&flooded, "").status, proxy.ping(&flooded, "").status), (200, 200));
    assert_eq!(at_once(&proxied, &format!("/ping/{flooded}"), 400), (400, 0));
}

#[test]
fn a_heartbeat_that_is_pinged_without_end_is_answered_429_and_named_in_the_log() {
    let daemon = Daemon::start(&format!("{HEARTBEATS}[server]\nping_rate_per_heartbeat = \"10/h\"\n"));
    let flooded = daemon.uuid("flooded");
    let mut client = Client::new(&daemon, [127, 0, 0, 1]);
    let statuses: Vec<u16> = (0..20).map(|_| client.ping(&flooded, "").status).collect();
    assert_eq!(statuses, [[200; 10], [429; 10]].concat());
    assert_eq!(client.ping(&daemon.uuid("other"), "").status, 200, "the same client may ping another");
    assert_eq!((counted(&daemon, "heartbeat"), counted(&daemon, "address")), (10, 0));
    wait_until(LIMIT, "the log names it", || {
        daemon.stderr().lines().any(|line| line.contains("a ping was refused") && line.contains("flooded"))
    });
    assert!(!daemon.stderr().contains(&flooded), "its UUID is a secret");
}

#[test]
fn curl_waits_as_long_as_the_answer_says_and_is_then_taken() {
    let daemon = Daemon::start(&format!("{HEARTBEATS}[server]\nping_rate_per_heartbeat = \"1/s\"\n"));
    let url = daemon.url(&format!("/ping/{}", daemon.uuid("other")));
    for _ in 0..3 {
        let ended = curl(&["-f", "--retry", "5", "--retry-max-time", "60", &url]);
        assert_eq!((ended.code, ended.stdout.ends_with("OK")), (0, true), "{ended:?}");
    }
    assert_eq!(daemon.heartbeat("other")["pings_total"], 3);
    assert!(counted(&daemon, "heartbeat") >= 1, "it had to wait");
}

#[test]
fn a_limit_that_is_saved_applies_and_a_unix_socket_has_none_by_address() {
    let home = Home::new("");
    let listen = format!("listen = [\"127.0.0.1:{}\", \"unix:overdue.sock\"]\n", home.port);
    home.configure(&format!("{HEARTBEATS}[server]\n{listen}"));
    let daemon = Daemon::start_in(&home);
    let path = format!("/ping/{}", daemon.uuid("other"));
    for _ in 0..5 {
        assert_eq!(daemon.get(&path).status, 200);
    }
    home.configure(&format!("{HEARTBEATS}[server]\n{listen}ping_rate_per_address = \"2/h\"\n"));
    wait_until(LIMIT, "the limit applies", || daemon.get(&path).status == 429);
    let socket = home.path("overdue.sock");
    for _ in 0..5 {
        let ended = curl(&["--unix-socket", socket.to_str().unwrap(), &format!("http://localhost{path}")]);
        assert_eq!(ended.stdout, "OK", "{ended:?}");
    }
    home.configure(&format!("{HEARTBEATS}[server]\n{listen}"));
    wait_until(LIMIT, "it is gone", || daemon.get(&path).status == 200);
    for _ in 0..5 {
        assert_eq!(daemon.get(&path).status, 200);
    }
}

/// Pings to UUIDs that nobody has, each from an address of its own as the proxy says: what they leave behind must not grow
/// with them. `OVERDUE_STRANGERS` says how many.
#[test]
fn pings_to_unknown_uuids_from_ever_new_addresses_leave_no_memory_behind() {
    /// So many fill what the limits remember at the most: 65,536 addresses.
    const FIRST: u32 = 66_000;
    let count = std::env::var("OVERDUE_STRANGERS").map_or(100_000, |n| n.parse::<u32>().unwrap());
    assert!(count >= FIRST + 30_000, "that is too few to tell");
    let daemon = Daemon::start(&format!(
        "{HEARTBEATS}[server]\nping_rate_per_address = \"1/h\"\nping_rate_per_heartbeat = \"1/h\"\n\
         trusted_proxies = [\"127.0.0.1/32\"]\n"
    ));
    let ask = |numbers: std::ops::Range<u32>| {
        let piece = (numbers.end - numbers.start) / 4;
        thread::scope(|scope| {
            for part in 0..4 {
                let first = numbers.start + part * piece;
                let mut client = Client::new(&daemon, [127, 0, 0, 1]);
                scope.spawn(move || {
                    for n in first..first + piece {
                        let [_, a, b, c] = n.to_be_bytes();
                        let (uuid, from) = (format!("{n:08x}-0000-4000-8000-000000000000"), [10, a, b, c]);
                        let forwarded = format!("X-Forwarded-For: {}\r\n", IpAddr::from(from));
                        assert_eq!(client.ping(&uuid, &forwarded).status, 404);
                    }
                });
            }
        });
    };
    let (empty, began) = (daemon.resident_kib(), Instant::now());
    ask(0..FIRST);
    let before = daemon.resident_kib();
    ask(FIRST..count);
    let now = daemon.resident_kib();
    println!("{count} strangers in {:?}: {empty}, then {before}, then {now} KiB", began.elapsed());
    assert!(before.saturating_sub(empty) < GROWTH_KIB, "{empty} KiB became {before} KiB");
    assert!(now.saturating_sub(before) < FLAT_KIB, "{before} KiB became {now} KiB");
    assert_eq!(counted(&daemon, "address") + counted(&daemon, "heartbeat"), 0);
    assert_eq!(daemon.get(&format!("/ping/{}", daemon.uuid("other"))).status, 200);
}
