//! A disk that is full, and then is not: the state folder on a small file system of its own.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Daemon, Home, LIMIT, OVERDUE, Process, command, not_tried, run, wait_until};
use crate::receiver::Receiver;

/// A shell with a name space of its own, in which it may mount.
pub(crate) const UNSHARE: [&str; 3] = ["-rm", "sh", "-c"];

pub(crate) fn mount_is_possible() -> bool {
    let ended = run(command("unshare", &UNSHARE).arg("mount -t tmpfs none /mnt"), LIMIT);
    if ended.code != 0 {
        let why = ended.stderr.trim();
        not_tried(&format!(
            "a disk that is full, or that is read-only at the start, since this system lets nobody mount a small one: {why}"
        ));
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

/// The file system of 600 KiB that a state folder is on. It has a name space of its own, which stays while daemons die.
struct Small {
    holder: Process,
    home: Home,
}

impl Small {
    fn mount(home: &Home) -> Self {
        let mount = "mount -t tmpfs -o size=600k,mode=700 none small && echo mounted && exec sleep infinity";
        let mut unshare = command("unshare", &UNSHARE);
        let holder = Process::spawn(unshare.arg(mount).current_dir(home.path("")));
        wait_until(LIMIT, "it is mounted", || holder.stdout() == "mounted\n");
        Self { holder, home: home.clone() }
    }

    /// Where it is to be seen from outside.
    fn path(&self, name: &str) -> PathBuf {
        let small = self.home.path("small");
        Path::new(&format!("/proc/{}/root", self.holder.pid()))
            .join(small.strip_prefix("/").unwrap())
            .join(name)
    }

    /// Takes what room there is left.
    fn fill(&self) {
        let full = fs::write(self.path("filler"), vec![1; 1_000_000]).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    }

    fn make_room(&self) {
        fs::remove_file(self.path("filler")).unwrap();
    }

    /// A daemon on it, again perhaps.
    fn start(&self, ready: impl Fn(u16) -> bool) -> Daemon {
        let folder = self.home.path("");
        let serve = format!("cd '{}' && exec {OVERDUE:?} serve --config config.toml", folder.display());
        let target = self.holder.pid().to_string();
        let enter = ["-t", &target, "-U", "-m", "--preserve-credentials", "sh", "-c", &serve];
        Daemon::start_when(&self.home, &mut command("nsenter", &enter), ready)
    }

    /// What is on the disk is told by the next life alone: this one is killed.
    fn kill_9_and_start(&self, daemon: Daemon) -> Daemon {
        daemon.kill_9();
        self.start(|status| status == 200)
    }
}

/// All that the daemon says of its heartbeats, and of what came of them.
fn told(daemon: &Daemon) -> Vec<Value> {
    let heartbeats = daemon.items("heartbeats");
    let mut all = vec![daemon.items("incidents"), daemon.items("deliveries")];
    for slug in heartbeats.iter().map(|beat| beat["slug"].as_str().unwrap()) {
        all.extend(["pings?bodies=true", "runs"].map(|of| daemon.items(&format!("heartbeats/{slug}/{of}"))));
    }
    heartbeats.into_iter().chain(all.into_iter().map(Value::from)).collect()
}

/// Waits until each delivery has ended as it should.
fn wait_for_deliveries(daemon: &Daemon, number: usize) {
    wait_until(LIMIT, "all are delivered", || daemon.items("deliveries?status=delivered").len() == number);
}

#[test]
fn with_a_full_disk_pings_count_alerts_go_out_and_it_heals_by_itself() {
    if !mount_is_possible() {
        return;
    }
    let (receiver, home) = receiver_and_home();
    let small = Small::mount(&home);
    let daemon = small.start(|status| status == 200);
    let uuid = daemon.uuid("db");
    daemon.ping(&uuid, "");
    small.fill();

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

    small.make_room();
    wait_until(LIMIT, "it heals by itself", || daemon.get("/readyz").status == 200);
    daemon.ping(&uuid, "");
    receiver.wait_for_alert("incident.resolved", "db");
    wait_for_deliveries(&daemon, 2);
    // Its answer tells that all before it is on the disk.
    daemon.ping(&uuid, "/log");
    sent += 2;
    assert_eq!(daemon.heartbeat("db")["pings_total"], sent);
    let before = told(&daemon);
    let daemon = small.kill_9_and_start(daemon);
    assert_eq!(told(&daemon), before, "the disk has all of it");
    assert_eq!(daemon.heartbeat("db")["pings_total"], sent);
    assert_eq!(receiver.received().len(), 2, "each alert once");
    println!("a full disk under {sent} pings, 2 alerts, read again after kill -9: 0 lost");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn on_a_full_disk_a_change_is_refused_but_not_forgotten_and_reads_go_on() {
    const LIST: &str = "/api/v1/heartbeats";
    if !mount_is_possible() {
        return;
    }
    let (receiver, home) = receiver_and_home();
    let small = Small::mount(&home);
    let daemon = small.start(|status| status == 200);
    for slug in ["old", "leaving"] {
        daemon.create(&json!({ "name": slug, "interval": "24h" }));
    }
    small.fill();
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
    let done = |daemon: &Daemon| {
        let seen = |beat: &Value| (beat["slug"].clone(), beat["host"].clone(), beat["status"].clone());
        daemon.items("heartbeats").iter().map(seen).collect::<Vec<_>>()
    };
    let before = done(&daemon);
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

    small.make_room();
    wait_until(LIMIT, "it heals by itself", || daemon.get("/readyz").status == 200);
    assert_eq!(done(&daemon), before);
    wait_for_deliveries(&daemon, 1);
    daemon.ping(&daemon.uuid("old"), "/log");
    let all = told(&daemon);
    let daemon = small.kill_9_and_start(daemon);
    assert_eq!(done(&daemon), before);
    assert_eq!(told(&daemon), all, "the disk has all of it");
    assert!(daemon.heartbeat("db")["paused_until"].is_string(), "it is paused for its time");
    assert_eq!(receiver.received().len(), 1, "the test was told once");
    println!(
        "{} changes on a full disk, {number} until one was refused, read again after kill -9: 0 lost",
        changes.len()
    );
}

#[test]
fn on_a_full_disk_it_starts_all_the_same_and_heals_once_there_is_room() {
    if !mount_is_possible() {
        return;
    }
    let (receiver, home) = receiver_and_home();
    let small = Small::mount(&home);
    let first = small.start(|status| status == 200);
    let uuid = first.uuid("db");
    first.ping(&uuid, "");
    first.kill_9();
    small.fill();
    let daemon = small.start(|status| status == 503);
    assert!(daemon.stderr().contains("Free some room"), "{}", daemon.stderr());
    assert_eq!(daemon.heartbeat("db")["pings_total"], 1);
    assert_eq!(daemon.get(&format!("/ping/{uuid}/3")).status, 503);
    receiver.wait_for_alert("incident.opened", "db");

    small.make_room();
    wait_until(LIMIT, "it heals by itself", || daemon.get("/readyz").status == 200);
    daemon.ping(&uuid, "");
    receiver.wait_for_alert("incident.resolved", "db");
    wait_for_deliveries(&daemon, 2);
    daemon.ping(&uuid, "/log");
    assert_eq!(daemon.heartbeat("db")["pings_total"], 4);
    let before = told(&daemon);
    let daemon = small.kill_9_and_start(daemon);
    assert_eq!(told(&daemon), before, "the disk has all of it");
    assert_eq!(receiver.received().len(), 2, "each alert once");
    println!("a start on a full disk, 4 pings, 2 alerts, read again after kill -9: 0 lost");
    assert_eq!(daemon.stop(), 0);
}
