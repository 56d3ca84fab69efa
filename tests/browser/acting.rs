//! What a person does: signs in and out, pauses and resumes, copies a ping URL, has a delivery tried again.

use serde_json::json;
use thirtyfour::prelude::*;

use crate::browser::{Browser, Setup};
use crate::harness::{Daemon, Home};
use crate::receiver::{Receiver, Reply};

const KEYS: &str = r#"
[[server.api_keys]]
name = "ops"
key = "a-key-that-may-write"
role = "write"
[[server.api_keys]]
name = "eye"
key = "a-key-that-may-read!"
role = "read"
[heartbeats.backup]
name = "Backup"
interval = "24h"
"#;

async fn sign_in(browser: &Browser, key: &str) {
    browser.find("#key").await.send_keys(format!("{key}\u{E007}")).await.unwrap();
}

/// A daemon with keys takes no ping key from anywhere but its state folder.
fn with_keys() -> Daemon {
    Daemon::start_in(&Home::new(KEYS))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_signs_in_and_its_role_says_what_is_seen() {
    let daemon = with_keys();
    let browser = Browser::open(&daemon).await;
    // Whoever is not signed in is led to the form, and on to where they wanted.
    browser.go("/heartbeats/backup").await;
    browser.until_at("/login?next=%2Fheartbeats%2Fbackup").await;
    sign_in(&browser, "a-key-that-is-not-known").await;
    browser.until_text("main", |text| text.contains("No API key of the config is this one")).await;
    sign_in(&browser, "a-key-that-may-read!").await;
    browser.until_at("/heartbeats/backup").await;
    browser.until_live().await;
    let hidden = "form[action$='/pause'], button[data-copy]:not([data-copy=badge-url]), #ping-url";
    assert_eq!(browser.count(hidden).await, 0, "the badge tells no more than the page");
    let page = browser.source().await;
    assert!(!page.contains("/ping/"), "a read key sees no ping URL");
    browser.click("header form button").await;
    browser.until_at("/login").await;
    browser.go("/").await;
    browser.until_at("/login?next=%2F").await;
    sign_in(&browser, "a-key-that-may-write").await;
    browser.until_at("/").await;
    browser.until_live().await;
    browser.go("/heartbeats/backup").await;
    assert!(browser.text("#ping-url").await.contains("/ping/"));
    let cookies = browser.driver.get_all_cookies().await.unwrap();
    let cookie = cookies.iter().find(|cookie| cookie.name.starts_with("overdue_session_")).unwrap();
    assert_eq!((cookie.http_only, cookie.same_site), (Some(true), Some(SameSite::Strict)));
    assert_eq!(browser.evaluate("return document.cookie;").await, json!(""), "no script can read it");
    let errors = browser.errors().await;
    assert!(errors.iter().all(|error| error.contains("401")), "only the status of answers: {errors:?}");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_leaves_the_config_ends_its_sessions() {
    let daemon = with_keys();
    let browser = Browser::open(&daemon).await;
    sign_in(&browser, "a-key-that-may-write").await;
    browser.until_live().await;
    daemon.home.configure(&KEYS.replace("a-key-that-may-write", "another-key-that-may-write"));
    // The page notices by itself, since its stream is ended.
    browser.until_at("/login?next=%2F").await;
    let errors = browser.errors().await;
    assert!(errors.iter().all(|error| error.contains("401")), "only the status of answers: {errors:?}");
    browser.close().await;
}

/// By the script and without it: they are forms.
#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_is_paused_and_resumed() {
    for script in [true, false] {
        let daemon = Daemon::start("[heartbeats.backup]\nname = \"Backup\"\ninterval = \"24h\"\n");
        let browser = Browser::with(&daemon, Setup { script, ..Setup::default() }).await;
        browser.go("/heartbeats/backup").await;
        browser.click("#for option[value='8h']").await;
        browser.click("form[action$='/pause'] button").await;
        browser.until_text("h1 .status", |text| text == "paused").await;
        assert_eq!(browser.place().await, "/heartbeats/backup");
        let heartbeat = daemon.heartbeat("backup");
        assert_eq!(heartbeat["status"], "paused");
        assert!(heartbeat["paused_until"].is_string());
        browser.click("form[action$='/resume'] button").await;
        browser.until_text("h1 .status", |text| text == "new").await;
        assert_eq!(daemon.heartbeat("backup")["status"], "new");
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_copied_is_what_is_shown() {
    let daemon = Daemon::start("[heartbeats.backup]\nname = \"Backup\"\ncron = \"30 2 * * *\"\n");
    let url = daemon.heartbeat("backup")["ping_url"].as_str().unwrap().to_owned();
    let browser = Browser::open(&daemon).await;
    let pasted = async || {
        browser.evaluate("document.querySelector('#note')?.remove(); const note = document.createElement('textarea'); note.id = 'note'; document.querySelector('footer').append(note);").await;
        browser.find("#note").await.send_keys(Key::Control + "v").await.unwrap();
        browser.evaluate("return document.querySelector('#note').value;").await
    };
    browser.go("/heartbeats/backup").await;
    browser.until_live().await;
    // The buttons outlive a change of the page.
    daemon.ping(&daemon.uuid("backup"), "");
    browser.until_text("h1 .status", |text| text == "up").await;
    browser.click("button[data-copy=ping-url]").await;
    browser.until_text("button[data-copy=ping-url]", |text| text == "Copied").await;
    assert_eq!(pasted().await, json!(url));
    browser.click("details[data-key=cron] summary").await;
    let snippet = browser.text("#snippet-cron").await;
    assert!(snippet.contains("\n30 2 * * *") && snippet.contains(&url), "{snippet}");
    browser.click("button[data-copy=snippet-cron]").await;
    browser.until_text("button[data-copy=snippet-cron]", |text| text == "Copied").await;
    assert_eq!(pasted().await.as_str().unwrap().trim_end(), snippet);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_tried_again_at_once() {
    let receiver = Receiver::start();
    receiver.reply(Reply::With(500, "Retry-After", "3600".to_owned()));
    let channel = receiver.channel("ops");
    let daemon =
        Daemon::start(&format!("{channel}[heartbeats.backup]\ninterval = \"24h\"\nchannels = [\"ops\"]\n"));
    let browser = Browser::open(&daemon).await;
    for page in ["/heartbeats/backup", "/deliveries"] {
        receiver.reply(Reply::With(500, "Retry-After", "3600".to_owned()));
        let before = receiver.received().len();
        daemon.ping(&daemon.uuid("backup"), "/fail");
        receiver.wait_for(before + 1);
        browser.go(page).await;
        browser.until_live().await;
        receiver.reply(Reply::Status(204));
        browser.click("form[action$='/retry'] button").await;
        receiver.wait_for(before + 2);
        browser.until_gone("form[action$='/retry']").await;
        assert_eq!(browser.place().await, page);
        assert!(daemon.items("deliveries?status=waiting").is_empty());
        daemon.ping(&daemon.uuid("backup"), "");
        receiver.wait_for(before + 3);
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_form_is_refused_and_says_what_to_do() {
    let daemon = Daemon::start("[heartbeats.backup]\nname = \"Backup\"\ninterval = \"24h\"\n");
    let browser = Browser::open(&daemon).await;
    browser.go("/heartbeats/backup").await;
    // In one go: what is live would put the right one back.
    let send = "const form = document.querySelector('form[action$=\"/pause\"]'); form.csrf.value = 'x'; form.requestSubmit();";
    browser.evaluate(send).await;
    browser.until_text("main", |text| text.contains("Load the page again")).await;
    assert_eq!(daemon.heartbeat("backup")["status"], "new");
    let errors = browser.errors().await;
    assert!(errors.iter().all(|error| error.contains("403")), "{errors:?}");
    browser.close().await;
}
