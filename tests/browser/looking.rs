//! What a person finds on the first page: filters, orders, groups, pages, also among ten thousand.

use std::fmt::Write as _;
use std::time::Instant;

use crate::browser::{Browser, Setup};
use crate::harness::{Daemon, Home};
use crate::receiver::{Receiver, Reply};

/// So many heartbeats, on four hosts, each with one of three tags.
fn many(number: usize) -> String {
    let mut config = String::new();
    for n in 0..number {
        let (host, tag) = (n % 4, ["db", "web", "a & b"][n % 3]);
        write!(config, "[heartbeats.h{n:05}]\nname = \"Number {n}\"\nhost = \"host{host}\"\ntags = [{tag:?}]\ninterval = \"24h\"\n")
            .unwrap();
    }
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_filters_sorts_and_groups_and_the_address_says_so() {
    let daemon = Daemon::start(&many(120));
    daemon.ping(&daemon.uuid("h00007"), "/fail");
    let browser = Browser::open(&daemon).await;
    assert_eq!(browser.count("tbody tr").await, 50);
    assert_eq!(browser.text(".pages").await, "Page 1 of 3\nNext");
    browser.click("a[rel=next]").await;
    browser.until_at("/?page=2").await;
    browser.go("/").await;

    // A filter, by its select, without a click on the button.
    browser.click("#tag option[value='a & b']").await;
    browser.until_at("/?tag=a+%26+b").await;
    assert_eq!(browser.count("tbody tr").await, 40);
    // A text, by the return key.
    browser.find("#q").await.send_keys("Number 11\u{E007}").await.unwrap();
    browser.until_at("/?q=Number+11&tag=a+%26+b").await;
    assert_eq!(browser.count("tbody tr").await, 5, "11, 110, 113, 116, 119");
    browser.click(".filter a").await;
    browser.until_at("/").await;

    // A status, by its tab.
    browser.click(".tabs a[href='./?status=down']").await;
    browser.until_at("/?status=down").await;
    assert_eq!(browser.text("tbody tr .name a").await, "Number 7");
    browser.go("/").await;
    browser.click("th.status a").await;
    browser.until_at("/?sort=status").await;
    assert_eq!(browser.text("tbody tr .name a").await, "Number 7", "what is down comes first");
    browser.click("#group option[value=host]").await;
    browser.until_at("/?sort=status&group=host").await;
    assert_eq!(browser.text("tr.heading").await, "host0 30");
    browser.driver.back().await.unwrap();
    browser.until_at("/?sort=status").await;

    browser.go("/?status=nonsense").await;
    assert!(browser.text("main").await.contains("new, up, late, down or paused"));
    let errors = browser.errors().await;
    assert!(errors.iter().all(|error| error.contains("400")), "only the status of the answer: {errors:?}");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_can_be_read_and_done_without_javascript() {
    let receiver = Receiver::start();
    receiver.reply(Reply::With(500, "Retry-After", "3600".to_owned()));
    let channel = receiver.channel("ops");
    let key = "[[server.api_keys]]\nname = \"ops\"\nkey = \"a-key-that-may-write\"\nrole = \"write\"\n";
    let daemon = Daemon::start_in(&Home::new(&format!(
        "{key}{channel}[defaults]\nchannels = [\"ops\"]\n{}",
        many(60)
    )));
    let browser = Browser::with(&daemon, Setup { script: false, ..Setup::default() }).await;

    // Signs in, by the form that it is led to.
    browser.until_at("/login?next=%2F").await;
    browser.find("#key").await.send_keys("a-key-that-may-write\u{E007}").await.unwrap();
    browser.until_at("/").await;
    assert_eq!(browser.count("tbody tr").await, 50);
    assert_eq!(browser.text("tbody tr .due").await, "in 24h");
    assert!(!browser.find("#live").await.is_displayed().await.unwrap(), "nothing promises to be live");
    browser.click("#host option[value=host1]").await;
    browser.click(".filter button").await;
    browser.until_at("/?q=&tag=&host=host1&group=").await;
    assert_eq!(browser.count("tbody tr").await, 15);

    // Pauses and resumes, as the page that comes then says.
    browser.click("tbody tr .name a").await;
    browser.until_at("/heartbeats/h00001").await;
    browser.click("form[action$='/pause'] button").await;
    browser.until_text("h1 .status", |text| text == "paused").await;
    browser.click("form[action$='/resume'] button").await;
    browser.until_text("h1 .status", |text| text == "new").await;

    // Has a delivery tried again.
    let ping = browser.text("#ping-url").await;
    let path = ping.strip_prefix(&daemon.home.url()).unwrap();
    assert_eq!(daemon.get(&format!("{path}/fail")).status, 200);
    receiver.wait_for(1);
    receiver.reply(Reply::Status(204));
    browser.go("/deliveries").await;
    browser.click("form[action$='/retry'] button").await;
    receiver.wait_for(2);
    browser.click("header form button").await;
    browser.until_at("/login").await;
    let errors = browser.errors().await;
    assert!(errors.iter().all(|error| error.contains("401")), "{errors:?}");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_heartbeats_are_as_easy() {
    let daemon = Daemon::start(&many(10_000));
    let began = Instant::now();
    let answer = daemon.get("/");
    println!("10,000 heartbeats: the first page, {} bytes, took {:?}", answer.body.len(), began.elapsed());
    assert_eq!(answer.status, 200);
    let browser = Browser::open(&daemon).await;
    assert_eq!(browser.count("tbody tr").await, 50);
    assert!(browser.text(".pages").await.contains("Page 1 of more than 100"));
    browser.find("#q").await.send_keys("9999\u{E007}").await.unwrap();
    browser.until_at("/?q=9999").await;
    assert_eq!(browser.text("tbody").await.lines().filter(|line| line.contains("Number")).count(), 1);
    browser.go("/?sort=-slug&page=100").await;
    assert_eq!(browser.text("tbody tr:last-child .name a").await, "Number 5000");
    browser.close().await;
}
