//! The built daemon, for a benchmark.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long it may take to be ready.
const LIMIT: Duration = Duration::from_secs(300);

/// Ends the daemon with the benchmark, however that ends.
pub(crate) struct Daemon {
    process: Child,
    /// From before it was started to its answer that it is ready.
    #[allow(dead_code, reason = "only some benchmarks look at it")]
    pub(crate) ready_after: Duration,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[allow(dead_code, reason = "only some benchmarks look at it")]
impl Daemon {
    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }

    /// Its memory that is resident, in MB: now, and at the most so far.
    pub(crate) fn resident(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process())).unwrap();
        let of = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 1_024.0 / 1e6
        };
        (of("VmRSS:"), of("VmHWM:"))
    }

    /// What its threads have had of a core so far, in seconds.
    pub(crate) fn spent(&self) -> f64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.process())).unwrap();
        let of = |thread: std::io::Result<std::fs::DirEntry>| {
            let schedstat = std::fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
            schedstat.split_whitespace().next().unwrap().parse::<u64>().unwrap()
        };
        threads.map(of).sum::<u64>() as f64 / 1e9
    }
}

/// Starts it in this folder with this config, and waits until it is ready.
pub(crate) fn start(folder: &Path, port: u16, config: &str) -> Daemon {
    std::fs::write(folder.join("config.toml"), config).unwrap();
    start_again(folder, port)
}

/// Starts it with the config and the state that are in this folder, and waits until it is ready.
pub(crate) fn start_again(folder: &Path, port: u16) -> Daemon {
    let mut command = Command::new(env!("CARGO_BIN_EXE_overdue"));
    command
        .args(["serve", "--config"])
        .arg(folder.join("config.toml"))
        .env("OVERDUE_LOG", "error")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let began = Instant::now();
    let mut daemon = Daemon { process: command.spawn().unwrap(), ready_after: LIMIT };
    while !is_ready(port) {
        assert!(began.elapsed() < LIMIT, "the daemon does not listen");
        thread::sleep(Duration::from_millis(1));
    }
    daemon.ready_after = began.elapsed();
    daemon
}

/// It listens before it answers: who comes too early waits.
fn is_ready(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}
