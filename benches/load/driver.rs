//! The client: connections that are kept, each with one request under way, all on one thread.

use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

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

/// Asks over so many connections for so long, each time another target; a body makes it a POST. Every answer must be
/// 200.
pub(crate) fn drive(
    server: Server,
    connections: usize,
    targets: &[String],
    body: &[u8],
    span: Duration,
) -> Driven {
    let requests: Rc<[Vec<u8>]> = targets.iter().map(|target| request(target, body)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut spent = Vec::new();
    let before = server.spent();
    let began = Instant::now();
    LocalSet::new().block_on(&runtime, async {
        let asking: Vec<_> = (0..connections)
            .map(|first| {
                let asking =
                    Asking { port: server.port, requests: Rc::clone(&requests), first, step: connections };
                tokio::task::spawn_local(asking.until(began + span))
            })
            .collect();
        for one in asking {
            spent.extend(one.await.unwrap());
        }
    });
    let rate = spent.len() as f64 / began.elapsed().as_secs_f64();
    let cpu_us = (server.spent() - before) * 1e6 / spent.len() as f64;
    spent.sort_unstable();
    let p99 = spent[(spent.len() * 99).div_ceil(100) - 1];
    Driven { rate, p99_ms: f64::from(p99) / 1_000.0, cpu_us }
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
    step: usize,
}

impl Asking {
    /// Asks again and again, and gives back what each answer took, in microseconds.
    async fn until(self, end: Instant) -> Vec<u32> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut spent = Vec::new();
        let mut answer = [0; 2_048];
        for turn in 0.. {
            // A prime, so that neighbours in time are not neighbours in the list.
            let at = (self.first + turn * self.step) * 7_919 % self.requests.len();
            let asked = Instant::now();
            if asked >= end {
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
            spent.push(asked.elapsed().as_micros() as u32);
        }
        spent
    }
}
