//! That "live" is true, and that a tab which nobody looks at still tells what is wrong and gives its connection back.

use std::io::{Read, Write};

use rustix::process::Signal;

use crate::browser::Browser;
use crate::client::Connection;
use crate::harness::{Daemon, LIMIT, wait_until};

const ONE: &str = "[heartbeats.backup]\nname = \"Backup\"\ninterval = \"24h\"\n";
const TWO: &str =
    "[heartbeats.backup]\nname = \"Backup\"\ninterval = \"24h\"\n[heartbeats.rotate]\ninterval = \"24h\"\n";

/// Puts in what the next answer takes away: while it is there, the page has not been asked for.
const PUT: &str =
    "document.querySelector('main').append(Object.assign(document.createElement('i'), { id: 'put' }));";

/// Makes the window small: a browser without a screen shows all its tabs at once, so another in front hides nothing.
async fn hide(browser: &Browser) {
    browser.driver.minimize_window().await.unwrap();
    browser.until("return document.hidden;").await;
}

async fn show(browser: &Browser) {
    browser.driver.set_window_rect(0, 0, 1280, 900).await.unwrap();
    browser.until("return !document.hidden;").await;
}

/// Takes all places for streams but those that are taken already; free again when they are dropped.
fn take_streams(daemon: &Daemon) -> Vec<Connection> {
    let mut taken = Vec::new();
    loop {
        let mut stream = daemon.connect();
        write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", daemon.home.port)
            .unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        if &head == b"HTTP/1.1 503" {
            return taken;
        }
        assert_eq!(&head, b"HTTP/1.1 200");
        taken.push(stream);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_heartbeat_that_goes_says_so_by_itself() {
    let daemon = Daemon::start(TWO);
    let browser = Browser::open(&daemon).await;
    browser.go("/heartbeats/rotate").await;
    browser.until_live().await;
    daemon.home.configure(ONE);
    browser.until_text("h1", |text| text == "Not Found").await;
    let errors = browser.errors().await;
    assert!(errors.iter().all(|error| error.contains("404")), "{errors:?}");
    browser.close().await;
}

/// A connection that is half open, or a lateness that no event tells.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_hears_nothing_asks() {
    let daemon = Daemon::start(ONE);
    let browser = Browser::open(&daemon).await;
    browser.until_live().await;
    browser.evaluate("document.body.dataset.quiet = 200;").await;
    for _ in 0..2 {
        browser.evaluate(PUT).await;
        browser.until_gone("#put").await;
    }
    assert_eq!(browser.text("#live").await, "live");
    browser.close().await;
}

/// The stream is open all the time: only the page's own question finds out.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_hangs_is_not_called_live() {
    let daemon = Daemon::start(ONE);
    let browser = Browser::open(&daemon).await;
    browser.until_live().await;
    browser.evaluate("document.body.dataset.quiet = 200;").await;
    daemon.signal(Signal::STOP);
    browser.until_text("#live", |text| text == "not live: overdue does not answer").await;
    daemon.signal(Signal::CONT);
    browser.until_live().await;
    let errors = browser.errors().await;
    assert!(errors.iter().all(|error| error.contains("net::ERR_")), "{errors:?}");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_tab_shows_in_its_title_what_is_wrong() {
    let daemon = Daemon::start(ONE);
    let browser = Browser::open(&daemon).await;
    browser.until_live().await;
    hide(&browser).await;
    daemon.ping(&daemon.uuid("backup"), "/fail");
    browser.until("return document.title.startsWith('(1) ');").await;
    browser.until("return document.querySelector('link[rel=icon]').href.includes('open=1');").await;
    daemon.ping(&daemon.uuid("backup"), "");
    browser.until("return document.title.startsWith('Heartbeats');").await;
    // What does not show in the title waits until somebody looks.
    let runs = "return document.querySelector('tr[data-key=backup] .strip title').textContent;";
    daemon.ping(&daemon.uuid("backup"), "");
    show(&browser).await;
    browser.until(&runs.replace(';', ".startsWith('The last 3 runs');")).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_that_is_hidden_for_long_gives_its_stream_back_and_still_tells() {
    let daemon = Daemon::start(&format!("{ONE}[server]\nmax_connections = 40\n"));
    let browser = Browser::open(&daemon).await;
    browser.until_live().await;
    let mut taken = take_streams(&daemon);
    assert_eq!(taken.len(), 9, "the page has one of the ten");
    browser.evaluate("document.body.dataset.hidden = 1; document.body.dataset.quiet = 500;").await;
    hide(&browser).await;
    wait_until(LIMIT, "the tab gives its stream back", || {
        taken.extend(take_streams(&daemon));
        taken.len() == 10
    });
    // They are free again only when the daemon has noticed.
    drop(taken);
    daemon.ping(&daemon.uuid("backup"), "/fail");
    browser.until("return document.title.startsWith('(1) ');").await;
    show(&browser).await;
    browser.until_live().await;
    browser.errors().await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_too_many_says_so_and_asks_instead() {
    let daemon = Daemon::start(&format!("{ONE}[server]\nmax_connections = 40\n"));
    let taken = take_streams(&daemon);
    assert_eq!(taken.len(), 10);
    let browser = Browser::open(&daemon).await;
    browser.evaluate("document.body.dataset.quiet = 500;").await;
    browser.until_text("#live", |text| text.starts_with("not live: overdue has too many pages open")).await;
    daemon.ping(&daemon.uuid("backup"), "");
    browser.until_text("tr[data-key=backup] .state", |text| text == "up").await;
    assert!(browser.text("#live").await.starts_with("not live"));
    drop(taken);
    browser.until_live().await;
    let errors = browser.errors().await;
    assert!(errors.iter().all(|error| error.contains("503")), "{errors:?}");
    browser.close().await;
}

/// A page asks anew for what it shows only.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_leaves_alone_what_it_does_not_show() {
    let daemon = Daemon::start(TWO);
    let browser = Browser::open(&daemon).await;
    for page in ["/heartbeats/rotate", "/config"] {
        browser.go(page).await;
        browser.until_live().await;
        browser.until_quiet().await;
        browser.evaluate(PUT).await;
        // Told by the page's own connection, in this order: when it has the second it has had the first.
        browser.evaluate("window.pings = 0; window.own = new EventSource(document.body.dataset.root + 'api/v1/events'); own.onopen = () => (window.opened = true); own.addEventListener('ping', () => (pings += 1));").await;
        browser.until("return window.opened === true;").await;
        daemon.ping(&daemon.uuid("backup"), "/log");
        browser.until("return pings === 1;").await;
        browser.until_quiet().await;
        assert_eq!(browser.count("#put").await, 1, "{page} was asked for because of another heartbeat");
        // Of what it shows it hears.
        daemon.home.configure(&TWO.replace("rotate]\n", &format!("rotate]\ntags = [\"{}\"]\n", page.len())));
        browser.until_gone("#put").await;
        browser.evaluate("own.close();").await;
    }
    browser.close().await;
}
