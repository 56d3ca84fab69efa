//! How long pings from other addresses take beside a flood of pings or other requests from one address, with the fair limits
//! on: from before their connection is made to their answer. None may take more than 100 ms; where one does
//! without a flood too, nothing is judged (75). Who floods has the lowest priority (nice 19). Runs the built daemon.
//! `cargo bench --bench flood`; a number after `--` is the number of pings beside each flood.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the clock")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

mod daemon;

const PING_KEY: &str = "a-key-of-this-benchmark-alone";
const API_KEY: &str = "an-api-key-of-this-benchmark";
/// Who floods, over how many connections at a time.
const FLOODING: Ipv4Addr = Ipv4Addr::LOCALHOST;
const CONNECTIONS: usize = 64;
/// Other addresses, each of which pings so seldom that the limit leaves it alone, and the pause between two of their pings.
const OTHERS: u8 = 50;
const PAUSE: Duration = Duration::from_millis(5);
/// This one fills the queue in the kernel from which connections are accepted, so others wait in it or are dropped by it,
/// whatever the daemon does. It is shown, and a firewall's to limit.
const ENDLESS: &str = "as many connections as can be made";
/// Between two connections of a client that waits for no answer: 5,000 a second in all.
const PACE: Duration = Duration::from_micros(200 * CONNECTIONS as u64);
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long any of their pings may take.
const BOUND: Duration = Duration::from_millis(100);
/// The exit code where the machine is too busy to tell.
const NOT_JUDGED: i32 = 75;

/// What a client of the flood does when it has sent a request.
#[derive(Clone, Copy)]
enum Manner {
    /// Waits for the answer, and sends the next over the same connection.
    Waits,
    /// Waits for the answer, and sends the next over another connection.
    Reconnects,
    /// Breaks the connection off without waiting, and sends the next over another, after a pause.
    HangsUp(Duration),
    /// Sends 50 more before it waits.
    Pipelines,
}

/// What came of a flood.
#[derive(Default)]
struct Flood {
    over: AtomicBool,
    sent: AtomicU64,
    refused: AtomicU64,
}

fn main() {
    let samples = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_usize);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let daemon = daemon::start(
        folder.path(),
        port,
        &format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\nping_key = \"{PING_KEY}\"\n\
             ping_rate_per_address = \"20/s\"\nping_rate_per_heartbeat = \"300/s\"\n\
             request_rate_per_address = \"20/s\"\nstatus_pages = [\"db\"]\n\
             [[server.api_keys]]\nname = \"ops\"\nkey = \"{API_KEY}\"\nrole = \"read\"\n\
             [heartbeats.flooded]\ninterval = \"1d\"\ntags = [\"db\"]\n[heartbeats.other]\ninterval = \"1d\"\n"
        ),
    );
    println!(
        "milliseconds that a ping from another address takes, {CONNECTIONS} connections flooding, fsync"
    );
    println!("{:<34} {:>8} {:>8} {:>8} {:>8}", "the flood", "pings", "p50", "p99", "max");
    let quiet = report("none", beside(port, samples));
    let ping = |slug: &str| request(&format!("/ping/{PING_KEY}/{slug}"), "");
    let (flooded, nobody) = (ping("flooded"), ping("nobody"));
    let unauthorized = request("/api/v1/heartbeats", "Authorization: Bearer a-key-that-nobody-has\r\n");
    let status_page = request(&status_page(port), "");
    let mut late = Vec::new();
    for (name, asked, manner) in [
        ("one ping after the other", &flooded, Manner::Waits),
        ("a connection for each", &flooded, Manner::Reconnects),
        ("5,000 connections a second", &flooded, Manner::HangsUp(PACE)),
        ("50 pings in one write", &flooded, Manner::Pipelines),
        ("to heartbeats that there are not", &nobody, Manner::Reconnects),
        ("API, wrong key", &unauthorized, Manner::Waits),
        ("API, wrong key, a connection each", &unauthorized, Manner::Reconnects),
        ("status page", &status_page, Manner::Waits),
        ("status page, a connection each", &status_page, Manner::Reconnects),
        (ENDLESS, &flooded, Manner::HangsUp(Duration::ZERO)),
    ] {
        let flood = Flood::default();
        let (slowest, took) = thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                scope.spawn(|| flood.run(port, asked, manner));
            }
            let began = Instant::now();
            let slowest = report(name, beside(port, samples));
            flood.over.store(true, Ordering::Relaxed);
            (slowest, began.elapsed())
        });
        let per_second = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64 / took.as_secs_f64();
        println!("    {:.0} a second, {:.0} told 429", per_second(&flood.sent), per_second(&flood.refused));
        if name != ENDLESS && slowest > BOUND {
            late.push(name);
        }
    }
    // An exit would leave it running.
    drop(daemon);
    // Of what a flood adds nothing is known where a ping alone takes as long.
    let (code, verdict) = if late.is_empty() {
        (0, "good: none took longer than 100 ms".to_owned())
    } else if quiet > BOUND {
        (
            NOT_JUDGED,
            format!("not judged: one took longer than 100 ms without a flood, too, and beside {late:?}"),
        )
    } else {
        (1, format!("NOT GOOD: one took longer than 100 ms beside {late:?}"))
    };
    println!("{verdict}");
    std::process::exit(code);
}

/// Prints them, and gives the longest.
fn report(what: &str, mut spent: Vec<Duration>) -> Duration {
    spent.sort();
    let rank = |of_hundred: usize| spent[(spent.len() * of_hundred).div_ceil(100).max(1) - 1];
    let [p50, p99, max] = [50, 99, 100].map(|of_hundred| rank(of_hundred).as_secs_f64() * 1_000.0);
    println!("{what:<34} {:>8} {p50:>8.2} {p99:>8.2} {max:>8.2}", spent.len());
    rank(100)
}

/// Pings of many addresses in turn, each over a connection of its own, as `curl` does; how long each took.
fn beside(port: u16, samples: usize) -> Vec<Duration> {
    let runtime = runtime();
    let one = |n: usize| {
        thread::sleep(PAUSE);
        let from = Ipv4Addr::new(127, 0, 1, 1 + (n % usize::from(OTHERS)) as u8);
        let began = Instant::now();
        let mut stream = connect(&runtime, from, port).unwrap();
        let path = format!("/ping/{PING_KEY}/other");
        stream.write_all(request(&path, "Connection: close\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        began.elapsed()
    };
    (0..samples).map(one).collect()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap()
}

/// The standard library cannot say from which address it connects.
fn connect(runtime: &Runtime, from: Ipv4Addr, port: u16) -> std::io::Result<TcpStream> {
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?.into_std()
    })?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn request(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

/// The path of the status page, as the API tells it.
fn status_page(port: u16) -> String {
    let headers = format!("X-Api-Key: {API_KEY}\r\nConnection: close\r\n");
    // Not from the address that floods: it would have one less.
    let mut stream = connect(&runtime(), Ipv4Addr::new(127, 0, 3, 1), port).unwrap();
    stream.write_all(request("/api/v1/badges?tag=db", &headers).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let at = answer.find("/status/").unwrap_or_else(|| panic!("no status page: {answer}"));
    answer[at..].split('"').next().unwrap().to_owned()
}

/// Whether the next answer is a refusal; nothing when it was hung up on. Read whole: else neither end could go on writing.
/// What follows it stays in `read`.
fn answer(stream: &mut TcpStream, read: &mut Vec<u8>) -> std::io::Result<Option<bool>> {
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let whole = end + 4 + length.unwrap_or(0_usize);
            if read.len() >= whole {
                read.drain(..whole);
                return Ok(Some(head.starts_with("http/1.1 429")));
            }
        }
        let mut piece = [0; 4_096];
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            n => read.extend_from_slice(&piece[..n]),
        }
    }
}

impl Flood {
    fn run(&self, port: u16, request: &str, manner: Manner) {
        let runtime = runtime();
        // One that floods from elsewhere takes no processor from the daemon; this one takes what nobody else wants.
        rustix::process::nice(19).unwrap();
        while !self.over.load(Ordering::Relaxed) {
            // Out of ports, or closed for others, who are to be heard: it comes again.
            let ended =
                connect(&runtime, FLOODING, port).and_then(|stream| self.over_one(stream, request, manner));
            if ended.is_err() {
                thread::yield_now();
            }
        }
    }

    fn over_one(&self, mut stream: TcpStream, request: &str, manner: Manner) -> std::io::Result<()> {
        let mut read = Vec::new();
        let at_once = if matches!(manner, Manner::Pipelines) { 50 } else { 1 };
        let requests = request.repeat(at_once);
        while !self.over.load(Ordering::Relaxed) {
            stream.write_all(requests.as_bytes())?;
            self.sent.fetch_add(at_once as u64, Ordering::Relaxed);
            if let Manner::HangsUp(pause) = manner {
                thread::sleep(pause);
                return Ok(());
            }
            for _ in 0..at_once {
                match answer(&mut stream, &mut read)? {
                    None => return Ok(()),
                    Some(refused) => self.refused.fetch_add(refused.into(), Ordering::Relaxed),
                };
            }
            if matches!(manner, Manner::Reconnects) {
                return Ok(());
            }
        }
        Ok(())
    }
}
