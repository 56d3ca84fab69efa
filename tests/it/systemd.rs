//! What systemd hears and hands over: the protocol of `Type=notify-reload`, the watchdog, and sockets that
//! outlive a restart.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::client::{Answer, try_request};
use crate::harness::{Daemon, Home, LIMIT, command, wait_until};

const PING_KEY: &str = "a-key-of-these-tests-alone";
const HEARTBEAT: &str = "[heartbeats.a]\ninterval = \"1d\"\n";

/// The socket that `NOTIFY_SOCKET` names, and all that was said to it.
struct Notified {
    socket: UnixDatagram,
    said: Vec<String>,
}

impl Notified {
    fn bind(home: &Home) -> Self {
        let socket = UnixDatagram::bind(home.path("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self { socket, said: Vec::new() }
    }

    /// Hears on until a message has this line; gives the message back.
    fn hear(&mut self, line: &str) -> String {
        let began = Instant::now();
        while began.elapsed() < LIMIT {
            let mut bytes = [0; 4096];
            let Ok(length) = self.socket.recv(&mut bytes) else { continue };
            let message = String::from_utf8(bytes[..length].to_vec()).unwrap();
            self.said.push(message.clone());
            if message.lines().any(|one| one == line) {
                return message;
            }
        }
        panic!("{line} was not said, only {:?}", self.said);
    }
}

fn config() -> String {
    format!("[server]\nping_key = \"{PING_KEY}\"\n{HEARTBEAT}")
}

#[test]
fn systemd_is_told_of_the_start_each_reload_and_the_end() {
    let home = Home::new(&config());
    let mut notified = Notified::bind(&home);
    let mut command = home.command(&["serve", "--config", "config.toml"]);
    command.env("NOTIFY_SOCKET", home.path("notify")).env("WATCHDOG_USEC", "900000");
    let daemon = Daemon::start_as(&home, &mut command);
    let ready = notified.hear("READY=1");
    assert!(ready.contains("STATUS=watching 1 heartbeats"), "{ready}");
    notified.hear("WATCHDOG=1");
    notified.hear("WATCHDOG=1");

    notified.said.clear();
    daemon.signal(Signal::HUP);
    let reloading = notified.hear("RELOADING=1");
    let stamp = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
    assert!(stamp.parse::<u64>().unwrap() > 0, "{reloading}");
    notified.hear("READY=1");

    // A reload that is refused ends as well: systemd must not wait for it.
    std::fs::write(home.config(), "[heartbeats.a]\ninterval = \"often\"\n").unwrap();
    daemon.signal(Signal::HUP);
    notified.hear("RELOADING=1");
    let refused = notified.hear("READY=1");
    assert!(refused.contains("the config file has problems"), "{refused}");

    assert_eq!(daemon.stop(), 0);
    notified.hear("STOPPING=1");
}

/// Serves on a socket that is open already, as systemd hands it over.
fn serve_on(home: &Home, socket: &TcpListener) -> Daemon {
    // LISTEN_PID must be the daemon's own, which only the process knows that becomes it.
    let script = r#"LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" serve --config config.toml 3<&0 </dev/null"#;
    let mut command = command("sh", &["-c", script, crate::harness::OVERDUE]);
    command.current_dir(home.path(""));
    command.stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap())));
    Daemon::start_as(home, &mut command)
}

#[test]
fn a_connection_made_while_nobody_serves_is_answered_by_the_next_process() {
    // The config names an address that nobody could listen on: the socket that was passed wins.
    let home =
        Home::new(&format!("[server]\nlisten = \"192.0.2.1:1\"\nping_key = \"{PING_KEY}\"\n{HEARTBEAT}"));
    let socket = TcpListener::bind(("127.0.0.1", home.port)).unwrap();
    let daemon = serve_on(&home, &socket);
    assert_eq!(daemon.get(&format!("/ping/{PING_KEY}/a")).status, 200);
    let mut early = daemon.connect();
    assert_eq!(daemon.stop(), 0);

    let mut waiting = home.connect();
    let request = format!("GET /ping/{PING_KEY}/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    waiting.write_all(request.as_bytes()).unwrap();
    let daemon = serve_on(&home, &socket);
    let mut bytes = Vec::new();
    waiting.read_to_end(&mut bytes).unwrap();
    assert_eq!(Answer::parse(&bytes).unwrap().status, 200);
    assert_eq!(daemon.heartbeat("a")["pings_total"], 2);
    // It was idle when its process ended, and was told so by an end, not by a hang.
    assert_eq!(early.read(&mut [0]).unwrap_or(0), 0);
}

#[test]
fn a_restart_costs_no_ping_when_systemd_keeps_the_socket() {
    let home = Home::new(&config());
    let socket = TcpListener::bind(("127.0.0.1", home.port)).unwrap();
    let (enough, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let mut daemon = serve_on(&home, &socket);
        let pinging = scope.spawn(|| {
            let path = format!("/ping/{PING_KEY}/a");
            while !enough.load(Ordering::SeqCst) {
                let answer = try_request(home.port, "GET", &path, &[], b"");
                assert_eq!(answer.map(|answer| answer.status), Some(200), "a ping during a restart");
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
        for _ in 0..3 {
            let before = answered.load(Ordering::SeqCst);
            wait_until(LIMIT, "pings are answered", || {
                pinging.is_finished() || answered.load(Ordering::SeqCst) > before + 20
            });
            assert_eq!(daemon.stop(), 0);
            daemon = serve_on(&home, &socket);
        }
        enough.store(true, Ordering::SeqCst);
        pinging.join().unwrap();
        assert_eq!(daemon.heartbeat("a")["pings_total"], answered.load(Ordering::SeqCst));
    });
}
