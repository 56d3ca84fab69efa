//! What happens while somebody looks: pings, incidents and edits show without a reload.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::browser::Browser;
use crate::harness::Daemon;

const TWO: &str =
    "[heartbeats.backup]\nname = \"Backup\"\ninterval = \"24h\"\n[heartbeats.rotate]\ninterval = \"24h\"\n";

/// Remembers the page as it is: gone when it is loaded anew.
async fn mark(browser: &Browser) {
    browser.evaluate("window.same = true;").await;
}

async fn assert_same(browser: &Browser) {
    assert_eq!(
        browser.evaluate("return window.same === true;").await,
        json!(true),
        "the page was loaded anew"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_shows_within_a_second_and_without_a_reload() {
    let daemon = Daemon::start(TWO);
    let backup = daemon.uuid("backup");
    let browser = Browser::open(&daemon).await;
    browser.until_live().await;
    mark(&browser).await;
    for pings in 1..=3 {
        browser.until_quiet().await;
        let shown = format!(
            "return document.querySelectorAll('tr[data-key=backup] .strip path').length > 0 && \
             document.querySelector('tr[data-key=backup] .strip title').textContent.startsWith('{}');",
            if pings == 1 { "The last run".to_owned() } else { format!("The last {pings} runs") }
        );
        let began = Instant::now();
        daemon.ping(&backup, "");
        browser.until(&shown).await;
        let took = began.elapsed();
        println!("ping {pings} showed after {took:?}");
        assert!(took < Duration::from_secs(1), "ping {pings} showed after {took:?}");
    }
    assert_eq!(browser.text("tr[data-key=backup] .state").await, "up");
    browser.until_text("tr[data-key=backup] .ping", |text| text.ends_with("ago")).await;
    assert_same(&browser).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_appears_and_goes() {
    let daemon = Daemon::start(TWO);
    let backup = daemon.uuid("backup");
    let browser = Browser::open(&daemon).await;
    browser.until_live().await;
    mark(&browser).await;
    daemon.ping(&backup, "/3");
    browser.until_text(".incidents", |text| text.contains("failed with exit code 3")).await;
    assert_eq!(browser.driver.title().await.unwrap(), "(1) Heartbeats – overdue");
    assert_eq!(browser.text(".top nav .count").await, "1");
    assert_eq!(browser.text("tr[data-key=backup] .state").await, "down");
    browser.until("return document.querySelector('link[rel=icon]').href.includes('open=1');").await;
    daemon.ping(&backup, "");
    browser.until_gone(".incidents").await;
    assert_eq!(browser.driver.title().await.unwrap(), "Heartbeats – overdue");
    browser.until_text("tr[data-key=backup] .state", |text| text == "up").await;
    assert_same(&browser).await;
    browser.close().await;
}

/// Time alone makes it late: no event tells it, and the page asks when the countdown is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_missed_deadline_shows_by_itself() {
    let daemon = Daemon::start("[heartbeats.quick]\ninterval = \"2s\"\ngrace = \"4s\"\n");
    daemon.ping(&daemon.uuid("quick"), "");
    let browser = Browser::open(&daemon).await;
    browser.until_live().await;
    mark(&browser).await;
    browser.until_text("tr[data-key=quick] .state", |text| text == "late").await;
    browser.until_text("tr[data-key=quick] .state", |text| text == "down").await;
    browser.until_text(".incidents", |text| text.contains("no ping for")).await;
    assert_same(&browser).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_the_config_shows_and_so_does_a_mistake_in_it() {
    let daemon = Daemon::start(TWO);
    let browser = Browser::open(&daemon).await;
    browser.until_live().await;
    mark(&browser).await;
    daemon.home.configure(&format!("{TWO}[heartbeats.more]\nname = \"One more\"\ninterval = \"1h\"\n"));
    browser.until_text("tr[data-key=more] .name", |text| text.contains("One more")).await;
    daemon.home.configure("[heartbeats.more]\nname = \"One more\"\nintervall = \"1h\"\n");
    browser.until_text(".trouble", |text| text.contains("intervall")).await;
    assert!(
        browser.text("tr[data-key=more]").await.contains("One more"),
        "what was before is still in force"
    );
    daemon.home.configure(TWO);
    browser.until_gone(".trouble").await;
    assert_same(&browser).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_types_and_where_the_focus_is_stays() {
    let daemon = Daemon::start(TWO);
    let browser = Browser::open(&daemon).await;
    browser.until_live().await;
    browser.find("#q").await.send_keys("rot").await.unwrap();
    daemon.ping(&daemon.uuid("backup"), "/fail");
    browser.until_text("tr[data-key=backup] .state", |text| text == "down").await;
    let (typed, focus) = ("return document.querySelector('#q').value;", "return document.activeElement.id;");
    assert_eq!((browser.evaluate(typed).await, browser.evaluate(focus).await), (json!("rot"), json!("q")));
    browser.find("tr[data-key=rotate] a").await.focus().await.unwrap();
    daemon.ping(&daemon.uuid("backup"), "");
    browser.until_text("tr[data-key=backup] .state", |text| text == "up").await;
    let focus = "return document.activeElement.closest('tr').dataset.key;";
    assert_eq!(browser.evaluate(focus).await, json!("rotate"));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_when_it_is_not_live_and_catches_up() {
    let daemon = Daemon::start(TWO);
    let home = daemon.home.clone();
    let backup = daemon.uuid("backup");
    let browser = Browser::open(&daemon).await;
    browser.until_live().await;
    mark(&browser).await;
    daemon.kill_9();
    browser.until_text("#live", |text| text.starts_with("not live")).await;
    let daemon = Daemon::start_in(&home);
    daemon.ping(&backup, "");
    browser.until_live().await;
    browser.until_text("tr[data-key=backup] .state", |text| text == "up").await;
    assert_same(&browser).await;
    let errors = browser.errors().await;
    assert!(errors.iter().all(|error| error.contains("net::ERR_")), "{errors:?}");
    browser.close().await;
}
