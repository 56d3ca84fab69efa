//! Every page: nothing that keeps people out, in both themes; nothing that is wider than a phone; and the pictures
//! in `docs/`, which `OVERDUE_PICTURES=docs cargo test --test browser pictures` takes anew.

use std::path::Path;

use serde_json::json;

use crate::browser::{Browser, Setup};
use crate::harness::Daemon;
use crate::receiver::{Receiver, Reply};

/// The narrowest phone that is still sold.
const PHONE: u32 = 360;

/// A house with everything in it: good, bad, long and overlapping runs, incidents, deliveries that wait and that
/// arrived, a pause, a mistake in the config.
struct House {
    daemon: Daemon,
    receiver: Receiver,
}

impl House {
    fn new() -> Self {
        let receiver = Receiver::start();
        let channel = receiver.channel("ops");
        let config = format!(
            r#"{channel}
[defaults]
channels = ["ops"]
timezone = "Europe/Berlin"
[server]
status_pages = ["db"]
[heartbeats.backup-postgresql]
name = "Backup PostgreSQL"
description = "pg_dump of all databases, see the runbook"
tags = ["db", "nightly"]
host = "db1"
cron = "30 2 * * *"
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
[heartbeats.check-raid]
name = "Check RAID"
host = "nas"
interval = "1s"
grace = "1h"
"#
        );
        let daemon = Daemon::start(&config);
        let house = Self { daemon, receiver };
        house.live();
        house
    }

    fn live(&self) {
        let uuid = |slug| self.daemon.uuid(slug);
        let body = |uuid: &str, suffix: &str, body: &str| {
            let path = format!("/ping/{uuid}{suffix}");
            assert_eq!(self.daemon.request("POST", &path, &[], body.as_bytes()).status, 200);
        };
        let (backup, sync) = (uuid("backup-postgresql"), uuid("sync-photos"));
        for n in 0..14_u8 {
            self.daemon.ping(&backup, "/start");
            // Runs of different lengths, without waiting long.
            std::thread::sleep(std::time::Duration::from_millis(u64::from(n % 5) * 20 + 5));
            body(&backup, if n == 8 { "/3" } else { "/0" }, "dumping database app\n<b>done</b>\n");
        }
        for n in 1..4 {
            let rid = format!("00000000-0000-4000-8000-00000000000{n}");
            self.daemon.ping(&sync, &format!("/start?rid={rid}"));
        }
        self.daemon.ping(&sync, "?rid=00000000-0000-4000-8000-000000000001");
        self.daemon.ping(&uuid("renew-certificates"), "");
        self.daemon.ping(&uuid("check-raid"), "");
        self.receiver.reply(Reply::Status(500));
        body(&uuid("rotate-logs"), "/1", "No space left on device <script>alert(1)</script>\n");
        self.receiver.wait_for_alert("incident.opened", "rotate-logs");
        self.daemon.wait_for_status("check-raid", "late");
    }

    /// Every page that there is.
    fn pages() -> [&'static str; 10] {
        [
            "/",
            "/?group=host&sort=status",
            "/?q=nothing-like-it",
            "/heartbeats/backup-postgresql",
            "/heartbeats/sync-photos",
            "/heartbeats/rotate-logs",
            "/heartbeats/send-invoices",
            "/incidents",
            "/deliveries",
            "/config",
        ]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_on_any_page_keeps_people_out_in_either_theme() {
    let house = House::new();
    for dark in [false, true] {
        let browser = Browser::with(&house.daemon, Setup { dark, ..Setup::default() }).await;
        let theme = "return getComputedStyle(document.body).backgroundColor;";
        let back = browser.evaluate(theme).await;
        assert_eq!(back == json!("rgb(19, 20, 22)"), dark, "{back}");
        for page in House::pages() {
            browser.go(page).await;
            // What is folded is looked at too.
            browser
                .evaluate("for (const one of document.querySelectorAll('details')) one.open = true;")
                .await;
            let violations = browser.violations().await;
            assert!(violations.is_empty(), "{page}, dark {dark}:\n{}", violations.join("\n"));
        }
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_a_phone() {
    let house = House::new();
    let browser = Browser::with(&house.daemon, Setup { width: PHONE, ..Setup::default() }).await;
    for page in House::pages() {
        browser.go(page).await;
        browser.evaluate("for (const one of document.querySelectorAll('details')) one.open = true;").await;
        let width = browser.evaluate("return document.documentElement.scrollWidth;").await;
        assert!(width.as_u64().unwrap() <= u64::from(PHONE), "{page} is {width} wide");
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyboard_is_enough() {
    let house = House::new();
    let browser = Browser::open(&house.daemon).await;
    browser.until_live().await;
    let body = browser.find("body").await;
    body.send_keys("\u{E004}").await.unwrap();
    let focused = "return document.activeElement.textContent.trim();";
    assert_eq!(browser.evaluate(focused).await, json!("Skip to the content"));
    let visible =
        "const box = document.activeElement.getBoundingClientRect(); return box.left >= 0 && box.width > 0;";
    assert_eq!(browser.evaluate(visible).await, json!(true), "what has the focus is seen");
    browser.find(".skip").await.send_keys("\u{E007}").await.unwrap();
    assert_eq!(browser.evaluate("return document.activeElement.id;").await, json!("main"));
    browser.close().await;
}

/// Takes the pictures of `docs/` when it is told where to; else it looks that they are there.
#[tokio::test(flavor = "multi_thread")]
async fn pictures() {
    let (one, wide) = ("/heartbeats/backup-postgresql", Setup { height: 640, ..Setup::default() });
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
    let house = House::new();
    for (name, page, setup) in pictures {
        let browser = Browser::with(&house.daemon, setup).await;
        browser.go(page).await;
        browser.until_live().await;
        browser.driver.screenshot(&Path::new(&folder).join(name)).await.unwrap();
        browser.close().await;
    }
}
