//! Every form of a ping's URL by curl, what is answered, and clients that hang up.

use std::io::{Read, Write};

use serde_json::json;

use crate::client::Answer;
use crate::harness::{Daemon, Home, LIMIT, curl, wait_until};
use crate::receiver::Receiver;

const KEY: &str = "a_ping-key_of-26_characters";
const CONFIG: &str =
    "[heartbeats.backup]\ninterval = \"24h\"\n[server]\nping_key = \"a_ping-key_of-26_characters\"\n";
/// Which no heartbeat has.
const STRANGER: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

fn curl_answer(arguments: &[&str]) -> Answer {
    let ended = curl(&[&["-i"], arguments].concat());
    Answer::parse(ended.stdout.as_bytes()).unwrap_or_else(|| panic!("{arguments:?}: {ended:?}"))
}

fn check_headers(answer: &Answer, json: bool) {
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{answer:?}");
    assert_eq!(answer.header("ping-body-limit"), Some("10000"), "{answer:?}");
    let content = if json { "application/json" } else { "text/plain" };
    assert!(answer.header("content-type").unwrap().starts_with(content), "{answer:?}");
}

fn pings_total(daemon: &Daemon) -> u64 {
    daemon.heartbeat("backup")["pings_total"].as_u64().unwrap()
}

#[test]
fn every_form_of_a_ping_url_is_taken_and_does_what_it_says() {
    let daemon = Daemon::start(CONFIG);
    let uuid = daemon.uuid("backup");
    let heads = [
        (format!("/ping/{uuid}"), false),
        (format!("/ping/{}", uuid.to_uppercase()), false),
        (format!("/ping/{}", uuid.replace('-', "")), false),
        (format!("/api/v1/ping/{uuid}"), true),
        (format!("/{uuid}"), false),
        (format!("/ping/{KEY}/backup"), false),
        (format!("/api/v1/ping/{KEY}/backup"), true),
    ];
    // What each leaves behind: the status, whether a run is open, the exit code if it says one.
    let suffixes = [
        ("/start", "up", true, json!(null)),
        ("", "up", false, json!(null)),
        ("/fail", "down", false, json!(null)),
        ("/log", "down", false, json!(null)),
        ("/0", "up", false, json!(0)),
        ("/255", "down", false, json!(255)),
        ("/", "up", false, json!(null)),
        ("/start/", "up", true, json!(null)),
        ("/fail/", "down", false, json!(null)),
        ("/log/", "down", false, json!(null)),
        ("/7/", "down", false, json!(7)),
    ];
    let mut sent = 0;
    for (head, json) in &heads {
        daemon.ping(&uuid, "");
        sent += 1;
        for (suffix, status, running, exit_code) in &suffixes {
            let answer = curl_answer(&[&daemon.url(&format!("{head}{suffix}"))]);
            sent += 1;
            let said = if *json { r#"{"ok":true}"# } else { "OK" };
            assert_eq!((answer.status, answer.text().as_str()), (200, said), "{head}{suffix}");
            check_headers(&answer, *json);
            let heartbeat = daemon.heartbeat("backup");
            assert_eq!(heartbeat["pings_total"], sent, "{head}{suffix}");
            assert_eq!(heartbeat["status"], *status, "{head}{suffix}");
            assert_eq!(heartbeat["running"], *running, "{head}{suffix}");
            if exit_code.is_number() {
                assert_eq!(heartbeat["last_exit_code"], *exit_code, "{head}{suffix}");
            }
        }
    }
    assert_eq!(sent, 7 * 12);
}

#[test]
fn get_head_and_post_are_pings_options_is_none_and_the_rest_are_405() {
    let daemon = Daemon::start(CONFIG);
    let url = daemon.url(&format!("/ping/{}", daemon.uuid("backup")));
    for arguments in [vec![], vec!["-I"], vec!["-X", "POST"], vec!["-d", "the output"], vec!["-d", ""]] {
        let before = pings_total(&daemon);
        let answer = curl_answer(&[&arguments[..], &[&url]].concat());
        assert_eq!(answer.status, 200, "{arguments:?}");
        assert_eq!(answer.text(), if arguments == ["-I"] { "" } else { "OK" });
        check_headers(&answer, false);
        assert_eq!(pings_total(&daemon), before + 1, "{arguments:?}");
    }
    let preflight = curl_answer(&["-X", "OPTIONS", "-H", "Origin: https://example.org", &url]);
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert_eq!(preflight.header("access-control-allow-methods"), Some("GET, HEAD, POST"));
    for method in ["PUT", "PATCH", "DELETE"] {
        let answer = curl_answer(&["-X", method, &url]);
        assert_eq!(answer.status, 405);
        assert_eq!(answer.header("allow"), Some("GET, HEAD, POST, OPTIONS"));
        check_headers(&answer, false);
    }
    assert_eq!(pings_total(&daemon), 5);
}

#[test]
fn what_is_no_ping_is_answered_404_or_400_and_changes_nothing() {
    let daemon = Daemon::start(CONFIG);
    let uuid = daemon.uuid("backup");
    let cases = [
        (STRANGER.to_owned(), 404, "not found", "not_found"),
        (format!("{STRANGER}/start"), 404, "not found", "not_found"),
        (format!("{STRANGER}/256"), 404, "not found", "not_found"),
        (format!("{uuid}/nonsense"), 404, "not found", "not_found"),
        (format!("{uuid}/start/more"), 404, "not found", "not_found"),
        (format!("{uuid}/-1"), 404, "not found", "not_found"),
        (format!("{KEY}/other"), 404, "not found", "not_found"),
        ("another_ping-key_of-letters/backup".to_owned(), 404, "not found", "not_found"),
        (format!("{uuid}/256"), 400, "invalid url format", "invalid_url"),
        (format!("{uuid}/99999999999999999999"), 400, "invalid url format", "invalid_url"),
        (format!("{KEY}/backup/256"), 400, "invalid url format", "invalid_url"),
        (format!("{uuid}?rid=nonsense"), 400, "invalid uuid format", "invalid_field"),
        (format!("{uuid}/start?rid="), 400, "invalid uuid format", "invalid_field"),
    ];
    for (path, status, text, code) in cases {
        let answer = curl_answer(&[&daemon.url(&format!("/ping/{path}"))]);
        assert_eq!((answer.status, answer.text().as_str()), (status, text), "{path}");
        check_headers(&answer, false);
        let answer = curl_answer(&[&daemon.url(&format!("/api/v1/ping/{path}"))]);
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (status, &json!(code)), "{path}");
        assert_eq!(answer.json()["error"]["message"], text, "{path}");
        check_headers(&answer, true);
    }
    let heartbeat = daemon.heartbeat("backup");
    assert_eq!((&heartbeat["pings_total"], &heartbeat["status"]), (&json!(0), &json!("new")));
}

#[test]
fn a_body_is_no_obstacle_whatever_its_type_and_size() {
    let daemon = Daemon::start(CONFIG);
    let uuid = daemon.uuid("backup");
    for arguments in [
        vec!["-H", "Content-Type: application/json", "-d", "{not json"],
        vec!["-F", "log=some output"],
        vec!["-H", "Transfer-Encoding: chunked", "-d", "chunked"],
        vec!["-H", "Origin: https://example.org", "-H", "Sec-Fetch-Site: cross-site", "-d", "x"],
        vec!["-X", "GET", "-d", "a GET with a body"],
    ] {
        for url in [format!("/ping/{uuid}"), format!("/api/v1/ping/{uuid}")] {
            let answer = curl_answer(&[&arguments[..], &[&daemon.url(&url)]].concat());
            assert_eq!(answer.status, 200, "{arguments:?} {answer:?}");
        }
    }
    assert_eq!(pings_total(&daemon), 10);
}

#[test]
fn a_body_that_is_no_text_or_cut_within_a_character_is_shown_as_text() {
    let receiver = Receiver::start();
    let daemon = Daemon::start(&format!(
        "{CONFIG}body_limit = \"10B\"\n[defaults]\nchannels = [\"ops\"]\n{}",
        receiver.channel("ops")
    ));
    let uuid = daemon.uuid("backup");
    // "ü" has two bytes, of which the limit leaves one.
    let bodies = [("xüabcdefghi".as_bytes(), "abcdefghi"), (b"\xff\x00bad\r\n", "\u{fffd}\0bad\r\n")];
    for (number, (body, shown)) in bodies.into_iter().enumerate() {
        assert_eq!(daemon.request("POST", &format!("/ping/{uuid}/1"), &[], body).status, 200);
        let alert = receiver.wait_for(2 * number + 1).remove(2 * number).json();
        assert_eq!(alert["data"]["heartbeat"]["last_body"], shown);
        daemon.ping(&uuid, "");
        receiver.wait_for(2 * number + 2);
    }
}

#[test]
fn a_client_that_hangs_up_anywhere_leaves_a_whole_ping_or_none() {
    let receiver = Receiver::start();
    let daemon =
        Daemon::start(&format!("{CONFIG}[defaults]\nchannels = [\"ops\"]\n{}", receiver.channel("ops")));
    let uuid = daemon.uuid("backup");
    let head = format!("POST /ping/{uuid}/9 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    let request = format!("{head}the first half of it");
    // Each byte of the head's end and of the body, and some before.
    let cuts: Vec<usize> = (0..head.len() - 4).step_by(9).chain(head.len() - 4..=request.len()).collect();
    let whole = cuts.iter().filter(|cut| **cut >= head.len()).count() as u64;
    let half = cuts.len() as u64 - whole;
    assert!(whole >= 20 && half >= 10);
    for cut in cuts {
        let mut stream = daemon.connect();
        stream.write_all(&request.as_bytes()[..cut]).unwrap();
    }
    wait_until(LIMIT, "all whole pings count", || pings_total(&daemon) >= whole);
    daemon.ping(&uuid, "/9");
    let heartbeat = daemon.heartbeat("backup");
    assert_eq!(heartbeat["pings_total"], whole + 1, "half a head is no ping");
    assert_eq!(heartbeat["consecutive_failures"], whole + 1, "each is whole: its exit code counts");
    assert_eq!(heartbeat["last_exit_code"], 9);
    println!(
        "hung up {whole} times behind the head and {half} times within it: 0 pings lost, none by halves"
    );

    // The tail of what came of the body is kept with the ping.
    daemon.ping(&uuid, "");
    receiver.wait_for_alert("incident.resolved", "backup");
    let mut stream = daemon.connect();
    stream.write_all(request.as_bytes()).unwrap();
    drop(stream);
    let last = receiver.wait_for(3).remove(2);
    assert_eq!(last.kind(), "incident.opened");
    assert_eq!(last.json()["data"]["heartbeat"]["last_body"], "the first half of it");
    assert_eq!(last.json()["data"]["incident"]["exit_code"], 9);
}

#[test]
fn a_ping_whose_client_waits_for_no_answer_counts() {
    let daemon = Daemon::start(CONFIG);
    let uuid = daemon.uuid("backup");
    for _ in 0..50 {
        let mut stream = daemon.connect();
        stream.write_all(format!("GET /ping/{uuid} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    }
    wait_until(LIMIT, "50 pings count", || pings_total(&daemon) == 50);
}

#[test]
fn many_pings_over_one_connection_are_answered_in_order() {
    let daemon = Daemon::start(CONFIG);
    let uuid = daemon.uuid("backup");
    let mut requests = String::new();
    for code in 0..=255 {
        let close = if code == 255 { "Connection: close\r\n" } else { "" };
        requests += &format!("GET /ping/{uuid}/{code} HTTP/1.1\r\nHost: x\r\n{close}\r\n");
    }
    let mut stream = daemon.connect();
    stream.write_all(requests.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 256);
    let heartbeat = daemon.heartbeat("backup");
    assert_eq!((&heartbeat["pings_total"], &heartbeat["last_exit_code"]), (&json!(256), &json!(255)));
}

#[test]
fn where_a_ping_came_from_is_believed_only_of_trusted_proxies() {
    let trusting = |nets: &str| {
        format!(
            "[heartbeats.backup]\ninterval = \"24h\"\n[server]\nping_key = \"{KEY}\"\ntrusted_proxies = [{nets}]\n"
        )
    };
    let home = Home::new(&trusting(""));
    let daemon = Daemon::start_in(&home);
    let from = |lists: &[&str]| {
        let headers: Vec<_> = lists.iter().map(|list| ("X-Forwarded-For", *list)).collect();
        let answer = daemon.request("GET", &format!("/ping/{KEY}/backup"), &headers, b"");
        assert_eq!(answer.status, 200);
        daemon.items("heartbeats/backup/pings?limit=1")[0]["from"].as_str().unwrap().to_owned()
    };
    assert_eq!(from(&["198.51.100.7"]), "127.0.0.1", "nobody is trusted");
    let reloads = || daemon.stderr().matches("config in force").count();
    let before = reloads();
    home.configure(&trusting("\"203.0.113.0/24\""));
    wait_until(LIMIT, "the config is in force", || reloads() > before);
    assert_eq!(from(&["198.51.100.7"]), "127.0.0.1", "another one is trusted");
    home.configure(&trusting("\"127.0.0.1/32\", \"10.0.0.0/8\""));
    wait_until(LIMIT, "this proxy is believed", || from(&["198.51.100.7"]) == "198.51.100.7");
    assert_eq!(from(&["6.6.6.6, 198.51.100.7, 10.1.1.1"]), "198.51.100.7", "what a client wrote itself");
    assert_eq!(from(&["6.6.6.6", "198.51.100.7"]), "198.51.100.7");
    assert_eq!(from(&["2001:db8::1"]), "2001:db8::1");
    assert_eq!(from(&["nonsense"]), "127.0.0.1");
    assert_eq!(from(&[]), "127.0.0.1");
}
