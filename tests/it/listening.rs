//! Where the daemon can be reached: several addresses, IPv6, Unix sockets; and what is left of it when the
//! system allows few open files.

use std::io::Write;

use serde_json::json;

use crate::client::Connection;
use crate::harness::{Daemon, Ended, Home, OVERDUE, command, curl, not_tried};

const HEARTBEAT: &str = "[heartbeats.db]\ninterval = \"24h\"\n";

/// A home whose daemon listens where `also` says, and on its port.
fn home(also: &str) -> Home {
    let home = Home::new("");
    let port = home.port;
    home.configure(&format!("{HEARTBEAT}[server]\nlisten = [\"127.0.0.1:{port}\", {also}]\n"));
    home
}

fn by_socket(home: &Home, path: &str) -> Ended {
    let socket = home.path("overdue.sock");
    curl(&["--unix-socket", socket.to_str().unwrap(), &format!("http://localhost{path}")])
}

#[test]
fn it_can_be_pinged_at_each_of_its_addresses() {
    let home = home("\"unix:overdue.sock\"");
    let daemon = Daemon::start_in(&home);
    let ping = format!("/ping/{}", daemon.uuid("db"));
    assert_eq!(curl(&[&daemon.url(&ping)]).stdout, "OK");
    assert_eq!(by_socket(&home, &ping).stdout, "OK");
    // Whoever may open the socket is on this machine, so it needs no key.
    let heartbeat = by_socket(&home, "/api/v1/heartbeats/db").stdout;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&heartbeat).unwrap(), daemon.heartbeat("db"));
    assert_eq!(daemon.heartbeat("db")["pings_total"], 2);
    let log = daemon.stderr();
    assert!(log.contains(&format!("listening on 127.0.0.1:{}, unix:", home.port)), "{log}");
    assert_eq!(daemon.stop(), 0);
    assert!(!home.path("overdue.sock").exists(), "it takes its socket away");
}

#[test]
fn it_can_be_pinged_over_ipv6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        not_tried("IPv6, which this machine has not");
        return;
    }
    let port = crate::harness::free_port();
    let daemon = Daemon::start_in(&home(&format!("\"[::1]:{port}\"")));
    let url = format!("http://[::1]:{port}/ping/{}", daemon.uuid("db"));
    assert_eq!(curl(&["-g", &url]).stdout, "OK");
    // Loopback has two addresses, and both are this machine.
    let listed = curl(&["-g", &format!("http://[::1]:{port}/api/v1/heartbeats/db")]).stdout;
    assert!(listed.contains("\"pings_total\":1"), "{listed}");
}

#[test]
fn a_socket_that_a_killed_daemon_left_is_no_obstacle_but_a_live_one_is() {
    let home = home("\"unix:overdue.sock\"");
    Daemon::start_in(&home).kill_9();
    assert!(home.path("overdue.sock").exists());
    let daemon = Daemon::start_in(&home);
    assert_eq!(by_socket(&home, "/healthz").stdout, r#"{"ok":true}"#);

    let socket = home.path("overdue.sock");
    let second = Home::new(&format!("{HEARTBEAT}[server]\nlisten = \"unix:{}\"\n", socket.display()));
    let ended = second.serve_in_vain();
    assert_eq!(ended.code, 71, "{ended:?}");
    assert!(ended.stderr.contains(socket.to_str().unwrap()), "{}", ended.stderr);
    assert_eq!(by_socket(&home, "/healthz").stdout, r#"{"ok":true}"#, "it is still the first one's");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn pings_are_answered_though_the_system_allows_few_open_files() {
    let home = Home::new(HEARTBEAT);
    let script = format!("ulimit -n 64; exec {OVERDUE:?} serve --config config.toml");
    let daemon = Daemon::start_as(&home, command("sh", &["-c", &script]).current_dir(home.path("")));
    let uuid = daemon.uuid("db");
    let mut idle: Vec<Connection> = Vec::new();
    for number in 0..300 {
        let mut stream = daemon.connect();
        stream.write_all(b"GET /ping/").unwrap();
        idle.push(stream);
        if number % 50 == 49 {
            daemon.ping(&uuid, "");
        }
    }
    assert_eq!(daemon.heartbeat("db")["pings_total"], 6);
    let ready = daemon.get("/readyz");
    assert_eq!((ready.status, &ready.json()["journal"]["ok"]), (200, &json!(true)), "{}", ready.text());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn an_address_that_is_not_this_machines_exits_71_and_is_named() {
    let home = Home::new(&format!("{HEARTBEAT}[server]\nlisten = \"192.0.2.1:8080\"\n"));
    let ended = home.serve_in_vain();
    assert_eq!(ended.code, 71, "{ended:?}");
    assert!(
        ended.stderr.contains("192.0.2.1:8080") && ended.stderr.contains("server.listen"),
        "{}",
        ended.stderr
    );
}
