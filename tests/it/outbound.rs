//! What a webhook may reach, and what a hostile receiver costs: memory that is bounded, and a place only until
//! its time-out.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Daemon, Home, LIMIT, wait_for, wait_until};
use crate::receiver::{Received, Receiver, Reply};

const PING_KEY: &str = "a-key-of-these-tests-alone";
/// Three times the places of a channel.
const HEARTBEATS: usize = 24;

fn slugs() -> BTreeSet<String> {
    (0..HEARTBEATS).map(|number| format!("job-{number}")).collect()
}

/// A daemon whose heartbeats all alert this channel, and have just failed.
fn daemon_of_failures(channel: &str) -> Daemon {
    let mut config =
        format!("[server]\nping_key = \"{PING_KEY}\"\n{channel}[defaults]\nchannels = [\"hook\"]\n");
    for slug in slugs() {
        config.push_str(&format!("[heartbeats.{slug}]\ninterval = \"1d\"\n"));
    }
    let daemon = Daemon::start(&config);
    for slug in slugs() {
        fail(&daemon, &slug);
    }
    daemon
}

fn fail(daemon: &Daemon, slug: &str) {
    let answer = daemon.get(&format!("/ping/{PING_KEY}/{slug}/fail"));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The heartbeats that a receiver has heard of.
fn told(receiver: &Receiver) -> BTreeSet<String> {
    receiver.received().iter().map(Received::slug).collect()
}

/// Bytes that the receivers without end got rid of.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// Declares 10 GB and sends them as fast as they are read.
fn ten_gigabytes(mut stream: TcpStream) {
    let piece = vec![b'x'; 64 << 10];
    if stream.write_all(b"HTTP/1.1 500 No\r\nContent-Length: 10000000000\r\n\r\n").is_err() {
        return;
    }
    while let Ok(written) = stream.write(&piece) {
        WRITTEN.fetch_add(written as u64, Ordering::SeqCst);
    }
}

/// Sends headers as fast as they are read, and never comes to their end.
fn headers_without_end(mut stream: TcpStream) {
    let piece = b"X-More: and more and more and more and more\r\n".repeat(1_000);
    if stream.write_all(b"HTTP/1.1 200 OK\r\n").is_err() {
        return;
    }
    while let Ok(written) = stream.write(&piece) {
        WRITTEN.fetch_add(written as u64, Ordering::SeqCst);
    }
}

/// Asks for every delivery that waits to be tried now, instead of after its pause.
fn hurry(daemon: &Daemon) {
    for delivery in daemon.items("deliveries?status=waiting") {
        let id = delivery["id"].as_str().unwrap();
        daemon.request("POST", &format!("/api/v1/deliveries/{id}/retry"), &[], b"");
    }
}

#[test]
fn answers_without_end_cost_bounded_memory_and_no_alert() {
    const ANSWERS: usize = 8 * HEARTBEATS;
    let receiver = Receiver::start();
    receiver.reply(Reply::Status(500));
    let daemon = daemon_of_failures(&format!("{}timeout = \"1m\"\n", receiver.channel("hook")));
    wait_until(LIMIT, "each was answered honestly", || told(&receiver) == slugs());
    let before = daemon.resident_kib();
    let turn = AtomicU64::new(0);
    receiver.reply_with(move |_| match turn.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => Reply::Raw(ten_gigabytes),
        _ => Reply::Raw(headers_without_end),
    });
    let honest = receiver.received().len();
    let mut most = before;
    wait_until(LIMIT, "each was answered without end, many times", || {
        hurry(&daemon);
        most = most.max(daemon.resident_kib());
        receiver.received().len() >= honest + ANSWERS
    });
    receiver.reply(Reply::Status(200));
    let (more, written) = (most - before, WRITTEN.load(Ordering::SeqCst));
    println!("{ANSWERS} answers: {written} bytes were taken, {before} KiB before, {more} KiB more at most");
    assert!(more < 24 << 10, "{more} KiB more for {ANSWERS} answers without end");
    assert!(written < ANSWERS as u64 * (16 << 20), "{written} bytes were taken of {ANSWERS} answers");
    wait_until(LIMIT, "all are delivered once it is honest", || {
        hurry(&daemon);
        daemon.items("deliveries?status=delivered").len() == HEARTBEATS
    });
}

/// Begins a head and goes on with it byte by byte.
fn dribble_in_the_head(mut stream: TcpStream) {
    dribble(&mut stream, b"HTTP/1.1 200 OK\r\nX-Slow: ");
}

/// Says that it failed, and why byte by byte.
fn dribble_in_the_body(mut stream: TcpStream) {
    dribble(&mut stream, b"HTTP/1.1 500 No\r\nContent-Length: 10000000000\r\n\r\n");
}

fn dribble(stream: &mut TcpStream, head: &[u8]) {
    let mut piece = head;
    while stream.write_all(piece).is_ok() {
        thread::sleep(Duration::from_millis(100));
        piece = b"x";
    }
}

#[test]
fn a_receiver_that_dribbles_has_a_place_only_until_the_time_out() {
    let acts = [dribble_in_the_head, dribble_in_the_body];
    for act in acts {
        let receiver = Receiver::start();
        receiver.reply(Reply::Raw(act));
        let daemon = daemon_of_failures(&format!("{}timeout = \"1s\"\n", receiver.channel("hook")));
        // There are eight places, so the others come only when those are free again.
        wait_until(LIMIT, "each had its turn", || told(&receiver) == slugs());
        receiver.reply(Reply::Status(200));
        wait_until(LIMIT, "all are delivered once it answers", || {
            hurry(&daemon);
            daemon.items("deliveries?status=delivered").len() == HEARTBEATS
        });
    }
    println!("{} alerts to receivers that dribble: 0 lost", acts.len() * HEARTBEATS);
}

#[test]
fn a_channel_is_kept_from_private_addresses_and_let_go_by_a_reload() {
    let receiver = Receiver::start();
    let config = |block: bool| {
        let channel = receiver.channel("hook");
        format!(
            "[server]\nping_key = \"{PING_KEY}\"\n{channel}block_private = {block}\n\
             [heartbeats.a]\ninterval = \"1d\"\nchannels = [\"hook\"]\n"
        )
    };
    let home = Home::new(&config(true));
    let daemon = Daemon::start_in(&home);
    fail(&daemon, "a");
    let words = "127.0.0.1 is not a public address, and the channel has block_private = true";
    let tried = wait_for(LIMIT, "it was tried", || {
        daemon.items("deliveries?status=waiting").into_iter().find(|delivery| delivery["tries"] != 0)
    });
    let error = tried["attempts"][0]["error"].as_str().unwrap();
    assert_eq!(error, format!("{words} ({})", receiver.address));
    assert!(daemon.stderr().contains(words), "{}", daemon.stderr());
    // A test of the channel goes the same way.
    assert_eq!(test(&daemon)["error"], error);
    assert!(receiver.received().is_empty());

    home.configure(&config(false));
    receiver.wait_for_alert("incident.opened", "a");
    home.configure(&config(true));
    wait_until(LIMIT, "the key is in force again", || test(&daemon)["error"] == error);
    let before = receiver.received().len();
    assert_eq!(daemon.get(&format!("/ping/{PING_KEY}/a")).status, 200);
    wait_until(LIMIT, "the resolve was tried", || {
        daemon.items("deliveries?status=waiting").iter().any(|delivery| {
            delivery["type"] == "incident.resolved" && delivery["attempts"][0]["error"] == error
        })
    });
    assert_eq!(receiver.received().len(), before);
}

/// Tests the channel, and gives the attempt.
fn test(daemon: &Daemon) -> Value {
    let queued = daemon.request("POST", "/api/v1/channels/hook/test", &[], b"");
    assert_eq!(queued.status, 202, "{}", queued.text());
    let path = format!("/api/v1/deliveries/{}", queued.json()["id"].as_str().unwrap());
    wait_for(LIMIT, "the test was tried", || {
        let attempt = daemon.get(&path).json()["attempts"][0].clone();
        attempt.is_object().then_some(attempt)
    })
}
