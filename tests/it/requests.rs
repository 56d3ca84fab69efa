//! The fair limit on requests that are no pings, from outside: a flood of any kind is refused, and neither pings nor requests
//! of others are.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crate::client::try_request;
use crate::harness::{Daemon, Home, LIMIT, wait_until};
use crate::limits::{Client, at_once};

const KEY: &str = "a-key-of-many-letters-for-this";
const UUID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";
/// How many clients flood at a time.
const FLOODING: usize = 20;
/// How often somebody else pings and asks meanwhile.
const ROUNDS: usize = 60;

fn config(server: &str) -> String {
    format!(
        "[server]\n{server}[[server.api_keys]]\nname = \"ops\"\nkey = \"{KEY}\"\nrole = \"write\"\n\
         [heartbeats.other]\ninterval = \"24h\"\nuuid = \"{UUID}\"\ntags = [\"db\"]\n"
    )
}

/// As whoever has the key.
fn get(daemon: &Daemon, path: &str) -> String {
    let answer = daemon.request("GET", path, &[("X-Api-Key", KEY)], b"");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.text()
}

fn request(line: &str, more: &str, body: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\n{more}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// The path of the address that the API tells under this name.
fn told(daemon: &Daemon, name: &str) -> String {
    let told: serde_json::Value = serde_json::from_str(&get(daemon, "/api/v1/badges?tag=db")).unwrap();
    told[name].as_str().unwrap().strip_prefix(&daemon.home.url()).unwrap().to_owned()
}

fn refused(daemon: &Daemon) -> u64 {
    let series = "overdue_requests_refused_total{limit=\"address\"} ";
    let text = get(daemon, "/metrics");
    text.lines().find_map(|line| line.strip_prefix(series)?.parse().ok()).unwrap()
}

/// Asks without end, at least until some are refused; gives how many were let in and refused.
fn flood(mut client: Client, request: &str, answered: u16, over: &AtomicBool) -> (u64, u64) {
    let (mut taken, mut refused) = (0, 0);
    while refused < 3 || !over.load(Ordering::Relaxed) {
        let answer = client.ask(request);
        match answer.status {
            429 if answer.retry_after.is_some_and(|seconds| seconds > 0) => refused += 1,
            status if status == answered => taken += 1,
            status => panic!("{status} to {request}"),
        }
    }
    (taken, refused)
}

#[test]
fn a_flood_of_any_request_is_answered_429_and_pings_and_requests_of_another_address_are_taken() {
    let daemon = Daemon::start(&config("status_pages = [\"db\"]\nrequest_rate_per_address = \"300/m\"\n"));
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let kinds = [
        (request("GET /api/v1/heartbeats", "Authorization: Bearer nobody-has-such-a-key\r\n", ""), 401),
        (request(&format!("GET {}", told(&daemon, "status_page")), "", ""), 200),
        (request(&format!("GET {}", told(&daemon, "svg")), "", ""), 200),
        (request("POST /login", form, "key=nobody-has-such-a-key"), 401),
        (request("GET /there/is/nothing", "", ""), 404),
        (request(&format!("PUT /ping/{UUID}"), "", ""), 405),
    ];
    let mut all_refused = 0;
    for (n, (request, answered)) in (1..).zip(&kinds) {
        let (over, began) = (AtomicBool::new(false), Instant::now());
        let (taken, refused) = thread::scope(|scope| {
            let clients = (0..FLOODING).map(|_| Client::new(&daemon, [127, 0, 1, n]));
            let floods: Vec<_> =
                clients.map(|client| scope.spawn(|| flood(client, request, *answered, &over))).collect();
            let mut other = Client::new(&daemon, [127, 0, 2, n]);
            let asks =
                format!("GET /api/v1/heartbeats/other HTTP/1.1\r\nHost: x\r\nX-Api-Key: {KEY}\r\n\r\n");
            // Whoever floods may ping all the same.
            let mut pings = Client::new(&daemon, [127, 0, 1, n]);
            for _ in 0..ROUNDS {
                assert_eq!(other.ping(UUID, "").status, 200, "beside {request}");
                assert_eq!(other.ask(&asks).status, 200, "beside {request}");
                assert_eq!(pings.ping(UUID, "").status, 200, "of who sends {request}");
            }
            over.store(true, Ordering::Relaxed);
            let ended = floods.into_iter().map(|flood| flood.join().unwrap());
            ended.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
        });
        println!("{taken} taken, {refused} refused: {request:?}");
        let secs = began.elapsed().as_secs();
        assert!(taken >= 300 && taken <= 300 + (secs + 1) * 5, "{taken} of {request} taken in {secs} s");
        all_refused += refused;
    }
    assert_eq!(refused(&daemon), all_refused);
    let other: serde_json::Value = serde_json::from_str(&get(&daemon, "/api/v1/heartbeats/other")).unwrap();
    assert_eq!(other["pings_total"], 2 * ROUNDS * kinds.len());
    assert!(daemon.stderr().contains("a request from 127.0.1.1 was refused"), "{}", daemon.stderr());
}

#[test]
fn who_waits_for_no_refusal_of_a_request_is_hung_up_on_and_others_are_not() {
    let daemon = Daemon::start(&config("request_rate_per_address = \"2/h\"\n"));
    let path = "/there/is/nothing";
    let (mut elsewhere, mut quiet) =
        (Client::new(&daemon, [127, 0, 0, 2]), Client::new(&daemon, [127, 0, 0, 1]));
    let ask = request(&format!("GET {path}"), "", "");
    assert_eq!(
        [quiet.ask(&ask), quiet.ask(&ask), quiet.ask(&ask)].map(|answer| answer.status),
        [404, 404, 429]
    );
    wait_until(LIMIT, "some are hung up on", || {
        let (refused, hung_up) = at_once(&daemon, path, 400);
        assert!(refused >= 128, "{refused}: those that there is room for are told");
        hung_up > 0
    });
    assert_eq!(elsewhere.ask(&ask).status, 404);
    assert_eq!((elsewhere.ping(UUID, "").status, quiet.ping(UUID, "").status), (200, 200));
}

#[test]
fn a_limit_of_requests_that_is_saved_applies_and_is_shown() {
    let home = Home::new(&config(""));
    let daemon = Daemon::start_in(&home);
    let status = || try_request(home.port, "GET", "/there/is/nothing", &[], b"").map(|answer| answer.status);
    for _ in 0..20 {
        assert_eq!(status(), Some(404));
    }
    home.configure(&config("request_rate_per_address = \"5/h\"\n"));
    wait_until(LIMIT, "the limit applies", || status() == Some(429));
    assert_eq!(daemon.get(&format!("/ping/{UUID}")).status, 200, "pings have their own");
    assert_eq!(daemon.get("/readyz").status, 200);
    home.configure(&config(""));
    wait_until(LIMIT, "it is gone", || status() == Some(404));
    home.configure(&config("request_rate_per_address = \"5 an hour\"\n"));
    wait_until(LIMIT, "what is no rate is told", || {
        daemon.stderr().contains("request_rate_per_address: \"5 an hour\" is no rate")
    });
    assert_eq!(status(), Some(404), "and changes nothing");
}
