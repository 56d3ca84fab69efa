//! The built daemon, for a benchmark.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long it may take to listen.
const LIMIT: Duration = Duration::from_secs(300);

/// Ends the daemon with the benchmark, however that ends.
pub(crate) struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Daemon {
    /// Its process.
    #[allow(dead_code, reason = "only some benchmarks look at it")]
    pub(crate) fn process(&self) -> u32 {
        self.0.id()
    }
}

/// Starts it in this folder with this config, and waits until it listens.
pub(crate) fn start(folder: &Path, port: u16, config: &str) -> Daemon {
    let path = folder.join("config.toml");
    std::fs::write(&path, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_overdue"));
    command
        .args(["serve", "--config"])
        .arg(&path)
        .env("OVERDUE_LOG", "error")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let daemon = Daemon(command.spawn().unwrap());
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(began.elapsed() < LIMIT, "the daemon does not listen");
        thread::sleep(Duration::from_millis(10));
    }
    daemon
}
