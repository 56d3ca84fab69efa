//! What befalls a process: its folder is taken away, it is stopped and goes on.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Daemon, Home, LIMIT, command, run, wait_until};
use crate::receiver::Receiver;

fn ping(daemon: &Daemon, uuid: &str) -> u16 {
    daemon.get(&format!("/ping/{uuid}")).status
}

/// Pings until it is taken for good, and gives how often that was refused.
pub(crate) fn ping_until_taken(daemon: &Daemon, uuid: &str) -> u64 {
    let mut refused = 0;
    wait_until(LIMIT, "a ping is taken", || match ping(daemon, uuid) {
        200 => true,
        503 => {
            refused += 1;
            false
        }
        other => panic!("{other}: {}", daemon.stderr()),
    });
    refused
}

#[test]
fn a_state_folder_that_is_removed_is_noticed_and_written_anew() {
    let daemon = Daemon::start("[heartbeats.db]\ninterval = \"24h\"\n");
    let (uuid, home) = (daemon.uuid("db"), daemon.home.clone());
    assert_eq!((ping(&daemon, &uuid), ping(&daemon, &uuid)), (200, 200));
    fs::remove_dir_all(home.state()).unwrap();
    // Never 200 while nothing of it is on the disk.
    assert_eq!(ping(&daemon, &uuid), 503);
    let told = "the state folder is gone";
    wait_until(LIMIT, "the log names it", || daemon.stderr().contains(told));
    let refused = 1 + ping_until_taken(&daemon, &uuid);
    assert_eq!(daemon.get("/readyz").status, 200);
    daemon.kill_9();
    let again = Daemon::start_in(&home);
    assert_eq!(again.uuid("db"), uuid, "the key of its ping URLs is there again");
    // A refused ping counts too, though whoever sent it was told to send it again.
    assert_eq!(again.heartbeat("db")["pings_total"], json!(3 + refused));
    println!(
        "the state folder removed under {} pings, {refused} of them refused after that: 0 lost",
        3 + refused
    );
}

#[test]
fn another_folder_in_its_place_is_left_alone_and_pings_are_refused() {
    let daemon = Daemon::start("[heartbeats.db]\ninterval = \"24h\"\n");
    let (uuid, home) = (daemon.uuid("db"), daemon.home.clone());
    assert_eq!(ping(&daemon, &uuid), 200);
    fs::rename(home.state(), home.path("away")).unwrap();
    fs::create_dir(home.state()).unwrap();
    fs::write(home.state().join("of-a-backup"), "x").unwrap();
    let mut sent = 1;
    wait_until(LIMIT, "it says what is in its way", || {
        assert_eq!(ping(&daemon, &uuid), 503);
        sent += 1;
        daemon.stderr().contains("another folder lies where the state folder was")
    });
    assert_eq!(daemon.get("/readyz").status, 503);
    assert_eq!(fs::read_dir(home.state()).unwrap().count(), 1);
    // Put back, it goes on where it was.
    fs::remove_dir_all(home.state()).unwrap();
    fs::rename(home.path("away"), home.state()).unwrap();
    sent += ping_until_taken(&daemon, &uuid) + 1;
    assert_eq!(daemon.heartbeat("db")["pings_total"], json!(sent));
    daemon.kill_9();
    assert_eq!(Daemon::start_in(&home).heartbeat("db")["pings_total"], json!(sent));
    println!("another folder in place of the state folder under {sent} pings: 0 lost");
}

/// A library that makes the disk fail as long as a file says how, see `faulty.c`.
pub(crate) fn faulty_disk(home: &Home) -> String {
    let library = home.path("faulty.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/faulty.c");
    let library = library.to_str().unwrap().to_owned();
    let built = run(&mut command("cc", &["-shared", "-fPIC", "-O1", "-o", &library, source]), LIMIT);
    assert_eq!(built.code, 0, "{}", built.stderr);
    library
}

#[test]
fn a_disk_that_fails_under_the_process_costs_no_answered_ping() {
    let home = Home::new("[heartbeats.db]\ninterval = \"24h\"\n");
    let (library, fault) = (faulty_disk(&home), home.path("fault"));
    let mut serve = home.command(&["serve", "--config", "config.toml"]);
    serve.env("LD_PRELOAD", library).env("FAULT", &fault);
    let daemon = Daemon::start_as(&home, &mut serve);
    let uuid = daemon.uuid("db");
    let mut total = 0;
    for fails in ["write", "fsync"] {
        daemon.ping(&uuid, "");
        let said = daemon.stderr().len();
        fs::write(&fault, fails).unwrap();
        assert_eq!(ping(&daemon, &uuid), 503, "{fails}");
        assert_eq!(daemon.get("/readyz").status, 503, "{fails}");
        wait_until(LIMIT, "the log names it", || daemon.stderr()[said..].contains("Input/output error"));
        // It goes on as long as that lasts, and heals by itself.
        assert_eq!(ping(&daemon, &uuid), 503, "{fails}");
        fs::remove_file(&fault).unwrap();
        total += 4 + ping_until_taken(&daemon, &uuid);
        assert_eq!(daemon.get("/readyz").status, 200, "{fails}");
    }
    println!("EIO to writes and to fsyncs under {total} pings: 0 lost");
    daemon.kill_9();
    assert_eq!(Daemon::start_in(&home).heartbeat("db")["pings_total"], json!(total));
}

#[test]
fn a_process_that_was_stopped_hears_what_came_meanwhile_and_opens_no_false_incident() {
    let receiver = Receiver::start();
    let daemon = Daemon::start(&format!(
        "[heartbeats.often]\ninterval = \"4s\"\ngrace = \"1s\"\nchannels = [\"ops\"]\n\
         [heartbeats.gone]\ninterval = \"4s\"\ngrace = \"1s\"\nchannels = [\"ops\"]\n{}",
        receiver.channel("ops")
    ));
    let (often, gone) = (daemon.uuid("often"), daemon.uuid("gone"));
    assert_eq!((ping(&daemon, &often), ping(&daemon, &gone)), (200, 200));
    daemon.signal(Signal::STOP);
    // The kernel takes the connection and the request; the process does not see them yet.
    thread::sleep(Duration::from_secs(1));
    let answer = thread::scope(|scope| {
        let waiting = scope.spawn(|| ping(&daemon, &often));
        // Beyond both deadlines.
        thread::sleep(Duration::from_secs(6));
        daemon.signal(Signal::CONT);
        waiting.join().unwrap()
    });
    assert_eq!(answer, 200);
    // It is not to miss the time after this, either.
    assert_eq!(daemon.post("/api/v1/heartbeats/often/pause", &json!({})).status, 200);
    // Whoever stayed away is told of, with the time that nobody could be heard.
    let alert = receiver.wait_for_alert("incident.opened", "gone");
    assert_eq!(alert.json()["data"]["incident"]["maybe_unheard"], true, "{}", alert.json());
    let of_often: Vec<Value> =
        daemon.items("incidents").into_iter().filter(|one| one["heartbeat"] == "often").collect();
    assert_eq!(of_often, Vec::<Value>::new(), "the ping that waited counts first");
    assert_eq!(daemon.stop(), 0);
}
