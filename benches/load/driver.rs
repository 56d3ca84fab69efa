//! The client: connections that are kept, each with one request under way, all on one thread.

use std::net::Ipv4Addr;
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::told::rank;

/// How it went.
pub(crate) struct Driven {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Of a hundred, the slowest but one.
    pub(crate) p99_ms: f64,
    /// What the server spent on each, in microseconds of a core.
    pub(crate) cpu_us: f64,
}

/// Whom to ask.
#[derive(Clone, Copy)]
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) process: u32,
}

impl Server {
    /// Seconds of a core that it has spent so far, with all its threads and in the kernel for them.
    fn spent(self) -> f64 {
        /// What the kernel counts in.
        const TICKS: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process)).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS
    }
}

/// One answer.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) asked: Instant,
    pub(crate) took_us: u32,
}

impl Answer {
    pub(crate) fn ms(self) -> f64 {
        f64::from(self.took_us) / 1_000.0
    }
}

/// Asks over so many connections for so long, each time another target; a body makes it a POST. Every answer must be
/// 200.
pub(crate) fn drive(
    server: Server,
    connections: usize,
    targets: &[String],
    body: &[u8],
    span: Duration,
) -> Driven {
    let before = server.spent();
    let began = Instant::now();
    let (_over, seen) = watch::channel(());
    let manner = Manner { connections, every: Duration::ZERO, end: Some(began + span) };
    let answers = ask(server.port, manner, targets, body, &seen);
    let rate = answers.len() as f64 / began.elapsed().as_secs_f64();
    let cpu_us = (server.spent() - before) * 1e6 / answers.len() as f64;
    let mut spent: Vec<f64> = answers.into_iter().map(Answer::ms).collect();
    spent.sort_unstable_by(f64::total_cmp);
    Driven { rate, p99_ms: rank(&spent, 99.0), cpu_us }
}

/// Pings that go on beside something else, until they are told to end.
pub(crate) struct Beside {
    over: watch::Sender<()>,
    asking: JoinHandle<Vec<Answer>>,
}

impl Beside {
    /// Each connection asks as often as that; with no time between, as often as it can.
    pub(crate) fn start(server: Server, connections: usize, every: Duration, targets: &[String]) -> Self {
        let (over, seen) = watch::channel(());
        let targets = targets.to_vec();
        let manner = Manner { connections, every, end: None };
        let asking = thread::spawn(move || ask(server.port, manner, &targets, &[], &seen));
        Self { over, asking }
    }

    pub(crate) fn end(self) -> Vec<Answer> {
        drop(self.over);
        self.asking.join().unwrap()
    }
}

#[derive(Clone, Copy)]
struct Manner {
    connections: usize,
    every: Duration,
    end: Option<Instant>,
}

fn ask(
    port: u16,
    manner: Manner,
    targets: &[String],
    body: &[u8],
    over: &watch::Receiver<()>,
) -> Vec<Answer> {
    let requests: Rc<[Vec<u8>]> = targets.iter().map(|target| request(target, body)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let asking: Vec<_> = (0..manner.connections)
            .map(|first| {
                let asking =
                    Asking { port, requests: Rc::clone(&requests), first, manner, over: over.clone() };
                tokio::task::spawn_local(asking.until_over())
            })
            .collect();
        let mut answers = Vec::new();
        for one in asking {
            answers.extend(one.await.unwrap());
        }
        answers
    })
}

fn request(target: &str, body: &[u8]) -> Vec<u8> {
    if body.is_empty() {
        return format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").into_bytes();
    }
    let length = body.len();
    let head = format!("POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// One connection.
struct Asking {
    port: u16,
    requests: Rc<[Vec<u8>]>,
    first: usize,
    manner: Manner,
    over: watch::Receiver<()>,
}

impl Asking {
    /// Asks again and again.
    async fn until_over(self) -> Vec<Answer> {
        let Manner { connections, every, end } = self.manner;
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        // Connections take turns, so that they do not all ask at once.
        let mut next = Instant::now() + every.mul_f64(self.first as f64 / connections as f64);
        let mut answers = Vec::new();
        let mut answer = [0; 2_048];
        for turn in 0.. {
            let due = next;
            if !every.is_zero() {
                tokio::time::sleep_until(due.into()).await;
                next += every;
            }
            // A prime, so that neighbours in time are not neighbours in the list.
            let at = (self.first + turn * connections) * 7_919 % self.requests.len();
            // Of those that ask at times of their own, one that could not be asked in time was waited for since then.
            let asked = if every.is_zero() { Instant::now() } else { due };
            if end.is_some_and(|end| asked >= end) || self.over.has_changed().is_err() {
                break;
            }
            stream.write_all(&self.requests[at]).await.unwrap();
            let mut read = 0;
            while !answer[..read].ends_with(b"\r\n\r\nOK") {
                let more = stream.read(&mut answer[read..]).await.unwrap();
                assert!(more > 0, "the connection was closed");
                read += more;
            }
            assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..read]));
            answers.push(Answer { asked, took_us: asked.elapsed().as_micros() as u32 });
        }
        answers
    }
}
