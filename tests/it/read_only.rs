//! A disk that nothing can be written to any more: while it runs, as when a kernel has found an error on it, and at the
//! start.

use std::fs;

use serde_json::json;

use crate::faults::{faulty_disk, ping_until_taken};
use crate::full_disk::{UNSHARE, mount_is_possible};
use crate::harness::{Daemon, Home, LIMIT, OVERDUE, command, run, wait_until};
use crate::receiver::Receiver;

#[test]
fn on_a_disk_that_becomes_read_only_pings_count_alerts_go_out_and_it_heals_by_itself() {
    let receiver = Receiver::start();
    let home = Home::new(&format!(
        "[heartbeats.db]\ninterval = \"24h\"\nchannels = [\"ops\"]\n[state]\nsnapshot_interval = \"1s\"\n{}",
        receiver.channel("ops")
    ));
    let (library, fault) = (faulty_disk(&home), home.path("fault"));
    let mut serve = home.command(&["serve", "--config", "config.toml"]);
    let daemon = Daemon::start_as(&home, serve.env("LD_PRELOAD", library).env("FAULT", &fault));
    let uuid = daemon.uuid("db");
    daemon.ping(&uuid, "");
    fs::write(&fault, "read-only").unwrap();
    let refused = daemon.get(&format!("/ping/{uuid}/3"));
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some() && refused.text().contains("counts"), "{refused:?}");
    let opened = receiver.wait_for_alert("incident.opened", "db").json();
    assert_eq!(opened["data"]["incident"]["exit_code"], 3, "what cannot be written is told all the same");
    let ready = daemon.get("/readyz");
    assert_eq!((ready.status, &ready.json()["journal"]["ok"]), (503, &json!(false)), "{}", ready.text());
    wait_until(LIMIT, "the log says why", || daemon.stderr().contains("Read-only file system"));
    // It tries to heal as long as that lasts, and stays as it is.
    let tries = || daemon.stderr().matches("Read-only file system").count();
    let before = tries();
    wait_until(LIMIT, "it tries again", || {
        assert_eq!(daemon.get("/readyz").status, 503);
        tries() > before
    });
    assert_eq!(daemon.heartbeat("db")["pings_total"], 2);
    assert_eq!(daemon.get("/healthz").status, 200, "it lives");

    fs::remove_file(&fault).unwrap();
    wait_until(LIMIT, "it heals by itself", || daemon.get("/readyz").status == 200);
    let total = 2 + 1 + ping_until_taken(&daemon, &uuid);
    receiver.wait_for_alert("incident.resolved", "db");
    assert_eq!(receiver.received().len(), 2, "each alert once");
    println!("a disk that becomes read-only under {total} pings, 2 alerts: 0 lost");
    daemon.kill_9();
    assert_eq!(Daemon::start_in(&home).heartbeat("db")["pings_total"], json!(total));
}

/// What a start says on a file system of its own that `prepare` has filled, and that is then read-only.
fn start_on_a_read_only_disk(prepare: &str) -> (i32, String) {
    let home = Home::new("[heartbeats.db]\ninterval = \"24h\"\n[state]\ndir = \"small/state\"\n");
    fs::create_dir_all(home.path("small")).unwrap();
    let serve = format!(
        "mount -t tmpfs -o mode=700 none small && {prepare} && mount -o remount,ro small && \
         find small -type f -exec cksum {{}} + > before && {{ {OVERDUE:?} serve --config config.toml; code=$?; }} ; \
         find small -type f -exec cksum {{}} + | cmp - before || exit 1; exit $code"
    );
    let mut unshare = command("unshare", &UNSHARE);
    let ended = run(unshare.arg(serve).current_dir(home.path("")), LIMIT);
    (ended.code, ended.stderr)
}

#[test]
fn on_a_read_only_disk_it_does_not_start_and_says_why() {
    if !mount_is_possible() {
        return;
    }
    let lived = format!(
        "{{ {OVERDUE:?} serve --config config.toml & \
         while ! grep -qs declared small/state/journal-*; do sleep 0.05; done; kill -9 $!; wait $!; true; }}"
    );
    for (what, prepare) in [
        ("nothing on it", "true"),
        ("an empty folder", "mkdir -m 700 small/state"),
        ("the state of an earlier life", &lived),
    ] {
        let (code, log) = start_on_a_read_only_disk(prepare);
        assert_eq!(code, 73, "{what}: {log}");
        for part in ["small/state", "Read-only file system", "Mount it so that it can be written"] {
            assert!(log.contains(part), "{what}: no {part:?} in {log}");
        }
        assert!(!log.contains("panicked"), "{what}: {log}");
    }
}
