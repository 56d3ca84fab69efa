//! The reference: the same server library on the same kind of runtime, with a route that answers `OK` and reads
//! nothing but a body, if there is one. A process of its own, as the daemon is.

use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use warp::Filter;

use crate::client::free_port;
use crate::driver::Server;

/// The variable by which this program is told to be the reference.
const WANTED: &str = "OVERDUE_BENCH_BARE";

/// The running reference; it ends with the benchmark.
pub(crate) struct Bare {
    pub(crate) server: Server,
    process: Child,
}

impl Bare {
    pub(crate) fn start() -> Self {
        let port = free_port();
        let program = std::env::current_exe().unwrap();
        let process =
            Command::new(program).env(WANTED, port.to_string()).stdin(Stdio::null()).spawn().unwrap();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            thread::sleep(Duration::from_millis(5));
        }
        Self { server: Server { port, process: process.id() }, process }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

pub(crate) fn is_wanted() -> bool {
    std::env::var_os(WANTED).is_some()
}

pub(crate) fn serve() {
    let port: u16 = std::env::var(WANTED).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let plain = warp::get().and(warp::path!("ping" / String)).map(|_| "OK");
    let body = warp::post().and(warp::path!("ping" / String)).and(warp::body::bytes()).map(
        |_: String, body: Bytes| {
            std::hint::black_box(body);
            "OK"
        },
    );
    runtime.block_on(warp::serve(plain.or(body)).run((Ipv4Addr::LOCALHOST, port)));
}
