//! A disk that is full, and then is not: the state folder on a small file system of its own.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Daemon, Home, LIMIT, OVERDUE, command, not_tried, run, wait_until};
use crate::receiver::Receiver;

/// A shell with a name space of its own, in which it may mount.
pub(crate) const UNSHARE: [&str; 3] = ["-rm", "sh", "-c"];

pub(crate) fn mount_is_possible() -> bool {
    let ended = run(command("unshare", &UNSHARE).arg("mount -t tmpfs none /mnt"), LIMIT);
    if ended.code != 0 {
        let why = ended.stderr.trim();
        not_tried(&format!("a disk that is full, since this system lets nobody mount a small one: {why}"));
    }
    ended.code == 0
}

/// A heartbeat whose state is in `small`, and who hears of it.
fn receiver_and_home() -> (Receiver, Home) {
    let receiver = Receiver::start();
    let home = Home::new(&format!(
        "[heartbeats.db]\ninterval = \"24h\"\nchannels = [\"ops\"]\n[state]\ndir = \"small/state\"\n{}",
        receiver.channel("ops")
    ));
    fs::create_dir_all(home.path("small")).unwrap();
    (receiver, home)
}

/// `small` as the daemon sees it.
fn seen_by(daemon: &Daemon, home: &Home) -> PathBuf {
    let small = home.path("small");
    Path::new(&format!("/proc/{}/root", daemon.pid())).join(small.strip_prefix("/").unwrap())
}

/// A daemon whose state folder holds 600 KiB, and the folder as the daemon sees it.
fn start(home: &Home) -> (Daemon, PathBuf) {
    let serve = format!(
        "mount -t tmpfs -o size=600k,mode=700 none small && exec {OVERDUE:?} serve --config config.toml"
    );
    let mut unshare = command("unshare", &UNSHARE);
    let daemon = Daemon::start_as(home, unshare.arg(serve).current_dir(home.path("")));
    let small = seen_by(&daemon, home);
    (daemon, small)
}

#[test]
fn with_a_full_disk_pings_count_alerts_go_out_and_it_heals_by_itself() {
    if !mount_is_possible() {
        return;
    }
    let (receiver, home) = receiver_and_home();
    let (daemon, small) = start(&home);
    let uuid = daemon.uuid("db");
    daemon.ping(&uuid, "");
    let full = fs::write(small.join("filler"), vec![1; 1_000_000]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);

    // What the file system had rounded up for the journal is used up first.
    let mut sent = 1;
    wait_until(LIMIT, "a ping is refused", || {
        sent += 1;
        daemon.get(&format!("/ping/{uuid}")).status == 503
    });
    let refused = daemon.get(&format!("/ping/{uuid}/3"));
    sent += 1;
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some() && refused.text().contains("counts"), "{refused:?}");
    assert_eq!(daemon.heartbeat("db")["pings_total"], sent, "they count all the same");
    let opened = receiver.wait_for_alert("incident.opened", "db").json();
    assert_eq!(opened["data"]["incident"]["exit_code"], 3);
    let ready = daemon.get("/readyz");
    assert_eq!((ready.status, &ready.json()["journal"]["ok"]), (503, &false.into()), "{}", ready.text());
    let summary = daemon.get("/api/v1/summary").json();
    assert_eq!(summary["journal"]["ok"], false, "{summary}");
    assert!(summary["journal"]["error"].is_string(), "{summary}");
    assert_eq!(daemon.get("/healthz").status, 200, "it lives");

    fs::remove_file(small.join("filler")).unwrap();
    wait_until(LIMIT, "it heals by itself", || daemon.get("/readyz").status == 200);
    daemon.ping(&uuid, "");
    receiver.wait_for_alert("incident.resolved", "db");
    assert_eq!(receiver.received().len(), 2, "each alert once");
    assert_eq!(daemon.heartbeat("db")["pings_total"], sent + 1);
    println!("a full disk under {sent} pings, 2 alerts: 0 lost");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn on_a_full_disk_a_change_is_refused_but_not_forgotten_and_reads_go_on() {
    const LIST: &str = "/api/v1/heartbeats";
    if !mount_is_possible() {
        return;
    }
    let (receiver, home) = receiver_and_home();
    let (daemon, small) = start(&home);
    for slug in ["old", "leaving"] {
        daemon.create(&json!({ "name": slug, "interval": "24h" }));
    }
    fs::write(small.join("filler"), vec![1; 1_000_000]).unwrap_err();
    // What the file system had rounded up for the journal is used up first.
    let mut number = 0;
    wait_until(LIMIT, "a change is refused", || {
        number += 1;
        daemon.call("PATCH", &format!("{LIST}/old"), &json!({ "host": number.to_string() })).status == 503
    });
    let changes = [
        ("POST", LIST.to_owned(), json!({ "name": "New", "interval": "1h" })),
        ("PUT", format!("{LIST}/put"), json!({ "interval": "1h" })),
        ("PATCH", format!("{LIST}/old"), json!({ "host": "db1" })),
        ("DELETE", format!("{LIST}/leaving"), json!({})),
        ("POST", format!("{LIST}/db/pause"), json!({ "for": "2h" })),
        ("POST", "/api/v1/channels/ops/test".to_owned(), json!({})),
    ];
    for (method, path, body) in &changes {
        let refused = daemon.call(method, path, body);
        let told = (refused.status, refused.json()["error"]["code"].clone(), refused.header("retry-after"));
        assert_eq!(told, (503, json!("not_durable"), Some("5")), "{method} {path}");
    }
    // Nothing is left to be done, but what was done is still not on the disk.
    for (method, path, body) in [&changes[1], &changes[2], &changes[4]] {
        assert_eq!(daemon.call(method, path, body).status, 503, "again: {method} {path}");
    }
    let done = || {
        let seen = |beat: &Value| (beat["slug"].clone(), beat["host"].clone(), beat["status"].clone());
        daemon.items("heartbeats").iter().map(seen).collect::<Vec<_>>()
    };
    let before = done();
    let wanted = [("db", Value::Null, "paused"), ("new", Value::Null, "new"), ("old", json!("db1"), "new")];
    let wanted = [&wanted[..], &[("put", Value::Null, "new")]].concat();
    let wanted: Vec<_> =
        wanted.into_iter().map(|(slug, host, status)| (json!(slug), host, json!(status))).collect();
    assert_eq!(before, wanted, "it is in force all the same");
    assert_eq!(receiver.wait_for(1)[0].kind(), "test");
    for path in ["incidents", "deliveries", "heartbeats/db/pings", "heartbeats/db/runs"] {
        daemon.items(path);
    }
    let summary = daemon.get("/api/v1/summary").json();
    assert_eq!(summary["journal"]["ok"], false, "{summary}");

    fs::remove_file(small.join("filler")).unwrap();
    wait_until(LIMIT, "it heals by itself", || daemon.get("/readyz").status == 200);
    assert_eq!(done(), before);
    // What is on the disk now is what a crash would leave behind.
    fs::create_dir(home.path("small/state")).unwrap();
    for file in fs::read_dir(small.join("state")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), home.path("small/state").join(file.file_name())).unwrap();
    }
    daemon.kill_9();
    let daemon = Daemon::start_in(&home);
    let slugs: Vec<Value> = daemon.items("heartbeats").iter().map(|beat| beat["slug"].clone()).collect();
    assert_eq!(slugs, ["db", "new", "old", "put"]);
    assert_eq!(daemon.heartbeat("old")["host"], "db1");
    assert!(daemon.heartbeat("db")["paused_until"].is_string(), "it is paused for its time");
}

#[test]
fn on_a_full_disk_it_starts_all_the_same_and_heals_once_there_is_room() {
    if !mount_is_possible() {
        return;
    }
    let (receiver, home) = receiver_and_home();
    // The first life ends at once; the second finds its state on a disk that is full.
    let serve = format!(
        "mount -t tmpfs -o size=600k,mode=700 none small; \
         {OVERDUE:?} serve --config config.toml & \
         while ! grep -qs declared small/state/journal-*; do sleep 0.05; done; kill -9 $!; wait $!; \
         head -c 1000000 /dev/zero > small/filler; exec {OVERDUE:?} serve --config config.toml"
    );
    let mut unshare = command("unshare", &UNSHARE);
    let daemon =
        Daemon::start_when(&home, unshare.arg(serve).current_dir(home.path("")), |status| status == 503);
    assert!(daemon.stderr().contains("Free some room"), "{}", daemon.stderr());
    let uuid = daemon.uuid("db");
    assert_eq!(daemon.get(&format!("/ping/{uuid}/3")).status, 503);
    receiver.wait_for_alert("incident.opened", "db");

    fs::remove_file(seen_by(&daemon, &home).join("filler")).unwrap();
    wait_until(LIMIT, "it heals by itself", || daemon.get("/readyz").status == 200);
    daemon.ping(&uuid, "");
    receiver.wait_for_alert("incident.resolved", "db");
    assert_eq!(daemon.stop(), 0);
}
