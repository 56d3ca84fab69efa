//! That what a browser shows is searched for secrets: one that is put there is found.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::browser::Browser;
use crate::harness::Daemon;

const SECRET: &str = "a-secret-that-is-shown";

/// Whether a look ends in a panic.
fn finds<T>(look: impl AsyncFn() -> T) -> bool {
    let looked = || block_in_place(|| drop(Handle::current().block_on(look())));
    catch_unwind(AssertUnwindSafe(looked)).is_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_on_a_page_or_in_the_console_is_found() {
    let daemon = Daemon::start("[heartbeats.backup]\ninterval = \"24h\"\n");
    let browser = Browser::open(&daemon).await;
    browser.until_live().await;
    // Where the page's script, which brings what is new, puts nothing else.
    let put = |text: &str| format!("document.documentElement.title = {text:?};");
    browser.evaluate(&put(SECRET)).await;
    assert!(!finds(async || browser.source().await), "it is no secret yet");
    daemon.home.secrets.note(&format!("[server]\nping_key = {SECRET:?}\n"));
    assert!(finds(async || browser.source().await), "a page is not searched");
    assert!(finds(async || browser.go("/config").await), "a page is left unseen");
    assert!(finds(async || browser.click("h1").await), "a page is clicked away unseen");
    browser.evaluate(&put("")).await;
    assert!(!finds(async || browser.source().await), "it is gone");
    browser.evaluate(&format!("console.info({SECRET:?});")).await;
    assert!(finds(async || browser.errors().await), "the console is not searched");
    browser.close().await;
}
