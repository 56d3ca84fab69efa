//! Every page: nothing that keeps people out, in both themes; nothing that is wider than a phone or a screen, whatever
//! its heartbeats are called; and all by the keyboard.

use serde_json::json;

use crate::browser::{Browser, Setup};
use crate::harness::{Daemon, Home};
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

    /// Every page that there is, the error pages too.
    fn pages(&self) -> Vec<String> {
        let status_page = self.daemon.get("/api/v1/badges?tag=db").json()["status_page"].clone();
        let status_page =
            status_page.as_str().unwrap().strip_prefix(&self.daemon.home.url()).unwrap().to_owned();
        let mut pages: Vec<String> = PAGES.iter().map(|&page| page.to_owned()).collect();
        pages.push(status_page);
        pages
    }
}

const PAGES: [&str; 13] = [
    "/",
    "/?group=host&sort=status",
    "/?group=tag",
    "/?q=nothing-like-it",
    "/?status=x",
    "/heartbeats/backup-postgresql",
    "/heartbeats/sync-photos",
    "/heartbeats/rotate-logs",
    "/heartbeats/send-invoices",
    "/heartbeats/nothing",
    "/incidents",
    "/deliveries",
    "/config",
];

/// What is folded is looked at too.
async fn unfold(browser: &Browser) {
    browser.evaluate("for (const one of document.querySelectorAll('details')) one.open = true;").await;
}

/// There must have been no error but that an address is wrong.
async fn close(browser: Browser) {
    let errors = browser.errors().await;
    let wrong = |error: &String| error.contains("status of 400") || error.contains("status of 404");
    assert!(errors.iter().all(wrong), "{errors:?}");
    browser.close().await;
}

async fn assert_open_to_all(browser: &Browser, page: &str) {
    browser.go(page).await;
    unfold(browser).await;
    let violations = browser.violations().await;
    assert!(violations.is_empty(), "{page}:\n{}", violations.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_on_any_page_keeps_people_out_in_either_theme() {
    let house = House::new();
    for dark in [false, true] {
        let browser = Browser::with(&house.daemon, Setup { dark, ..Setup::default() }).await;
        let theme = "return getComputedStyle(document.body).backgroundColor;";
        let back = browser.evaluate(theme).await;
        assert_eq!(back == json!("rgb(19, 20, 22)"), dark, "{back}");
        for page in house.pages() {
            assert_open_to_all(&browser, &page).await;
        }
        close(browser).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_keeps_people_from_signing_in() {
    let key = "[[server.api_keys]]\nname = \"ops\"\nkey = \"a-key-that-may-write\"\nrole = \"write\"\n";
    let daemon = Daemon::start_in(&Home::new(key));
    for dark in [false, true] {
        let browser = Browser::with(&daemon, Setup { dark, ..Setup::default() }).await;
        assert_open_to_all(&browser, "/login?next=%2Fincidents").await;
        browser.find("#key").await.send_keys("a-key-that-is-not-known\u{E007}").await.unwrap();
        browser.find("#wrong").await;
        let violations = browser.violations().await;
        assert!(violations.is_empty(), "{}", violations.join("\n"));
        let errors = browser.errors().await;
        assert!(errors.iter().all(|error| error.contains("401")), "{errors:?}");
        browser.close().await;
    }
}

/// What stands out at the right.
const BEYOND: &str = "return [...document.querySelectorAll('main *')] \
                      .filter((one) => one.getBoundingClientRect().right > innerWidth && !one.closest('.scroll, pre')) \
                      .map((one) => one.outerHTML.slice(0, 90)).slice(0, 8);";

/// Goes to each page and looks that nothing has to be scrolled sideways.
async fn assert_fits(daemon: &Daemon, pages: &[String], width: u32) {
    let browser = Browser::with(daemon, Setup { width, ..Setup::default() }).await;
    let mut wide = Vec::new();
    for page in pages {
        browser.go(page).await;
        unfold(&browser).await;
        let is = browser.evaluate("return document.documentElement.scrollWidth;").await;
        if is.as_u64().unwrap() > u64::from(width) {
            let beyond = browser.evaluate(BEYOND).await;
            wide.push(format!("{page} is {is} wide, not {width}: {beyond:#}"));
        }
    }
    assert!(wide.is_empty(), "{}", wide.join("\n"));
    close(browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_a_phone() {
    let house = House::new();
    assert_fits(&house.daemon, &house.pages(), PHONE).await;
}

/// 255 letters without a space, and words that are written from the right.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_whatever_heartbeats_are_called() {
    let (long, hebrew) = ("w".repeat(255), "\u{5d2}\u{5d9}\u{5d1}\u{5d5}\u{5d9} ".repeat(40));
    let hebrew = hebrew.trim();
    let daemon = Daemon::start(&format!(
        "[heartbeats.long]\nname = {long:?}\nhost = {long:?}\ntags = [{long:?}, \"\"]\ninterval = \"24h\"\n\
         [heartbeats.hebrew]\nname = \"{hebrew}\"\nhost = \"{hebrew}\"\ntags = [\"{hebrew}\"]\ninterval = \"24h\"\n"
    ));
    for slug in ["long", "hebrew"] {
        daemon.ping(&daemon.uuid(slug), "/fail");
    }
    let pages = [
        "/",
        "/?group=tag",
        "/?group=host",
        "/heartbeats/long",
        "/heartbeats/hebrew",
        "/incidents",
        "/deliveries",
        "/config",
    ];
    let mut pages = pages.map(str::to_owned).to_vec();
    pages.push(format!("/?q={long}"));
    pages.push(format!("/?tag={long}"));
    for width in [1280, PHONE] {
        assert_fits(&daemon, &pages, width).await;
    }
    let browser = Browser::open(&daemon).await;
    // An empty tag has no link, which nobody could see, and no entry that means "any tag".
    assert_eq!(browser.count("tr[data-key=long] .tags a").await, 2);
    assert_eq!(browser.count("#tag option[value='']").await, 1);
    browser.close().await;
}

/// A phone shows what a screen shows.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_shows_the_schedule_and_what_the_last_run_took() {
    let daemon = Daemon::start("[heartbeats.backup]\ninterval = \"24h\"\n");
    let backup = daemon.uuid("backup");
    daemon.ping(&backup, "/start");
    daemon.ping(&backup, "");
    let browser = Browser::with(&daemon, Setup { width: PHONE, ..Setup::default() }).await;
    let row = browser.text("tr[data-key=backup]").await;
    assert!(row.contains("every 24h after the last finish"), "{row}");
    assert!(browser.find("tr[data-key=backup] .took").await.is_displayed().await.unwrap());
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

    // From link to link to a heartbeat, and there to its button.
    tab_to(&browser, "a[href='heartbeats/renew-certificates']").await;
    press(&browser, "\u{E007}").await;
    browser.until_at("/heartbeats/renew-certificates").await;
    browser.until_live().await;
    tab_to(&browser, "#for").await;
    press(&browser, "\u{E015}").await;
    tab_to(&browser, "form[action$='/pause'] button").await;
    press(&browser, "\u{E007}").await;
    browser.until_text("h1 .status", |text| text == "paused").await;
    let heartbeat = house.daemon.heartbeat("renew-certificates");
    assert_eq!((&heartbeat["status"], heartbeat["paused_until"].is_string()), (&json!("paused"), true));
    browser.close().await;
}

/// Presses a key where the focus is.
async fn press(browser: &Browser, key: &str) {
    browser.driver.active_element().await.unwrap().send_keys(key).await.unwrap();
}

/// Presses Tab until the focus is there.
async fn tab_to(browser: &Browser, selector: &str) {
    for _ in 0..100 {
        press(browser, "\u{E004}").await;
        let there = format!("return document.activeElement.matches({selector:?});");
        if browser.evaluate(&there).await == json!(true) {
            return;
        }
    }
    panic!("no Tab leads to {selector}");
}
