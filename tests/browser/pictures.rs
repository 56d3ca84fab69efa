//! The pictures in `docs/`, which `OVERDUE_PICTURES=<folder> cargo test pictures` takes anew.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::browser::{Browser, Setup};
use crate::harness::Daemon;
use crate::receiver::Receiver;

/// What an ordinary house has.
const HEARTBEATS: &str = r#"
[defaults]
channels = ["ops"]
timezone = "Europe/Berlin"
[heartbeats.backup-postgresql]
name = "Backup PostgreSQL"
tags = ["db", "nightly"]
host = "db1"
cron = "30 2 * * *"
[heartbeats.drain-mail-queue]
name = "Drain mail queue"
description = "Sends what waits in the queue, in a loop. See the runbook."
tags = ["mail"]
host = "mail1"
interval = "5s"
grace = "30s"
[heartbeats.renew-certificates]
name = "Renew certificates"
tags = ["web"]
host = "web1"
interval = "12h"
[heartbeats.sync-photos]
name = "Sync photos"
tags = ["nightly"]
host = "nas"
interval = "1h"
grace = "15m"
[heartbeats.rotate-logs]
name = "Rotate logs"
host = "web1"
on_calendar = "Mon..Fri 03:00"
[heartbeats.send-invoices]
name = "Send invoices"
tags = ["billing"]
cron = "0 7 1 * *"
paused = true
[heartbeats.test-raid]
name = "Test RAID"
host = "nas"
interval = "1s"
grace = "1h"
"#;

/// So many rounds of all jobs: what the strip of runs has room for.
const ROUNDS: u64 = 30;

/// Starts all, and finishes one after another, each round with other lengths.
fn round(daemon: &Daemon, number: u64) {
    let fails = |slug| match slug {
        "rotate-logs" => number == ROUNDS - 1,
        "backup-postgresql" => number == 17,
        _ => false,
    };
    let slugs = [
        "test-raid",
        "rotate-logs",
        "drain-mail-queue",
        "renew-certificates",
        "sync-photos",
        "backup-postgresql",
    ];
    let slugs = slugs.map(|slug| (slug, daemon.uuid(slug)));
    for (_, uuid) in &slugs {
        daemon.ping(uuid, "/start");
    }
    for (n, (slug, uuid)) in (1..).zip(&slugs) {
        thread::sleep(Duration::from_millis(20 + (number * 37 * n + n * n * 11) % 90));
        daemon.ping(uuid, if fails(slug) { "/1" } else { "/0" });
    }
}

/// Runs the one that is shown on and on, so that it is up while pictures are taken.
fn drain(daemon: &Daemon, stop: &AtomicBool) {
    let uuid = daemon.uuid("drain-mail-queue");
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        daemon.ping(&uuid, "/start");
        thread::sleep(Duration::from_millis(200 + number * 71 % 160));
        daemon.ping(&uuid, "");
        thread::sleep(Duration::from_millis(300));
    }
}

/// Takes the pictures of `docs/` when it is told where to; else it looks that they are there.
#[tokio::test(flavor = "multi_thread")]
async fn pictures() {
    let (one, wide) = ("/heartbeats/drain-mail-queue", Setup { height: 720, ..Setup::default() });
    let (tall, phone) = (Setup { height: 1_000, ..wide }, Setup { width: 400, height: 800, ..wide });
    let pictures = [
        ("page-light.png", "/", wide),
        ("page-dark.png", "/", Setup { dark: true, ..wide }),
        ("page-phone.png", "/", phone),
        ("heartbeat-light.png", one, tall),
        ("heartbeat-dark.png", one, Setup { dark: true, ..tall }),
        ("heartbeat-phone.png", one, Setup { dark: true, ..phone }),
    ];
    let Some(folder) = std::env::var_os("OVERDUE_PICTURES") else {
        for (name, ..) in pictures {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
            let picture = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(picture.starts_with(b"\x89PNG"), "{name} is a picture");
            let readme = include_str!("../../README.md");
            assert!(readme.contains(&format!("docs/{name}")), "the README shows {name}");
        }
        return;
    };
    let receiver = Receiver::start();
    let daemon = Daemon::start(&format!("{}{HEARTBEATS}", receiver.channel("ops")));
    (0..ROUNDS).for_each(|number| round(&daemon, number));
    receiver.wait_for_alert("incident.opened", "rotate-logs");
    daemon.wait_for_status("test-raid", "late");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| drain(&daemon, &stop));
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(take(&daemon, Path::new(&folder), &pictures));
        });
        stop.store(true, Ordering::Relaxed);
    });
}

async fn take(daemon: &Daemon, folder: &Path, pictures: &[(&str, &str, Setup)]) {
    for (name, page, setup) in pictures {
        let browser = Browser::with(daemon, *setup).await;
        browser.go(page).await;
        browser.until_live().await;
        browser.driver.screenshot(&folder.join(name)).await.unwrap();
        browser.close().await;
    }
}
