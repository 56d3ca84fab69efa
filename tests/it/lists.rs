//! Lists that are longer than a page, read while everything else goes on.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::harness::{Daemon, LIMIT};

const HEARTBEATS: usize = 5_000;
const PING_KEY: &str = "the-ping-key-of-this-test";

/// Ends the other threads of a test, also when it panics.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn slug(beat: usize) -> String {
    format!("beat-{beat:04}")
}

fn start() -> Daemon {
    let mut config = format!("[server]\nping_key = \"{PING_KEY}\"\n");
    for beat in 0..HEARTBEATS {
        writeln!(config, "[heartbeats.{}]\ninterval = \"1d\"", slug(beat)).unwrap();
    }
    Daemon::start(&config)
}

/// Every slug, page after page.
fn page_through(daemon: &Daemon, limit: usize) -> Vec<String> {
    let (mut slugs, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = daemon.get(&format!("/api/v1/heartbeats?limit={limit}{cursor}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let page = answer.json();
        let heartbeats = page["heartbeats"].as_array().unwrap();
        assert!(heartbeats.len() <= limit, "{} of at most {limit}", heartbeats.len());
        slugs.extend(heartbeats.iter().map(|heartbeat| heartbeat["slug"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else {
            assert_eq!(page["next_cursor"], Value::Null);
            return slugs;
        };
        cursor = format!("&cursor={next}");
    }
}

fn assert_whole(slugs: &[String]) {
    assert!(slugs.is_sorted_by(|one, next| one < next), "in order, and none twice");
    let declared: Vec<&String> = slugs.iter().filter(|slug| !slug.contains("made")).collect();
    assert_eq!(declared.len(), HEARTBEATS, "each that was there from the beginning");
    assert!(declared.iter().enumerate().all(|(beat, one)| **one == slug(beat)));
}

#[test]
fn a_list_pages_through_in_order_and_each_comes_once() {
    let daemon = start();
    for limit in [1_000, 999, 37] {
        assert_whole(&page_through(&daemon, limit));
    }
}

#[test]
fn a_list_is_whole_while_pings_come_and_heartbeats_are_made() {
    let daemon = start();
    let (over, pinged, made) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let repeat = |count: &AtomicUsize, act: &dyn Fn(usize)| {
        for turn in (0..).take_while(|_| !over.load(Ordering::Relaxed)) {
            act(turn);
            count.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let _over = Over(&over);
        scope.spawn(|| {
            // A prime, so that the pings are all over the list.
            let beat = |turn: usize| slug(turn * 7 % HEARTBEATS);
            repeat(&pinged, &|turn| daemon.ping(&format!("{PING_KEY}/{}", beat(turn)), ""));
        });
        scope.spawn(|| {
            repeat(&made, &|turn| {
                let beat = slug(turn * 11 % HEARTBEATS);
                daemon.create(&json!({ "name": format!("{beat}-made-{turn}"), "interval": "1d" }));
            });
        });
        let began = Instant::now();
        let happened = || (pinged.load(Ordering::Relaxed), made.load(Ordering::Relaxed));
        for limit in [1_000, 250, 100] {
            let before = happened();
            // A pass during which nothing happened would show nothing.
            loop {
                assert_whole(&page_through(&daemon, limit));
                let now = happened();
                if now.0 >= before.0 + 10 && now.1 >= before.1 + 10 {
                    break;
                }
                assert!(began.elapsed() < LIMIT, "{now:?} pings and heartbeats made, {before:?} before");
            }
        }
    });
    let made = made.load(Ordering::Relaxed);
    let last = page_through(&daemon, 1_000);
    assert_eq!(last.len(), HEARTBEATS + made, "and those that were made come too");
}
