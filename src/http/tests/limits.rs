//! Fair limits on pings and on all other requests: who is refused, what they are answered, and whom it does not touch.

use super::*;
use sha2::{Digest, Sha256};

use crate::config::rate::parse_rate;
use crate::config::{ApiKey, Role};
use crate::http::fairness::HOLD;

fn by_address(rate: &str) -> House {
    House::with(1024, |settings| settings.ping_rate_per_address = Some(parse_rate(rate).unwrap()))
}

fn by_heartbeat(rate: &str) -> House {
    House::with(1024, |settings| settings.ping_rate_per_heartbeat = Some(parse_rate(rate).unwrap()))
}

fn path_of(slug: &str) -> String {
    format!("/ping/{}", uuid_of(slug))
}

fn of_requests(rate: &str) -> House {
    House::with(1024, |settings| settings.request_rate_per_address = Some(parse_rate(rate).unwrap()))
}

async fn status(house: &House, path: &str) -> u16 {
    house.get(path).await.status
}

#[tokio::test]
async fn an_address_above_its_limit_is_answered_429_until_its_time_has_come() {
    let house = by_address("3/m");
    for path in [path_of("backup"), path_of("rotate"), "/ping/no-such-key/at-all".to_owned()] {
        assert_ne!(status(&house, &path).await, 429, "what is not found counts too");
    }
    let answer = house.get(&path_of("backup")).await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.body, "too many pings from this address, try again in 20 s");
    for (name, value) in [
        ("retry-after", "20"),
        ("content-type", "text/plain"),
        ("cache-control", "no-store"),
        ("access-control-allow-origin", "*"),
        ("ping-body-limit", "10000"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    let answer = house.get(&format!("/api/v1{}", path_of("backup"))).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("20")));
    assert_eq!(answer.code(), "too_many_pings");
    house.desk.set_clock(NOON + 19_001);
    assert_eq!(house.get(&path_of("backup")).await.header("retry-after"), Some("1"));
    house.desk.set_clock(NOON + 20_000);
    assert_eq!(status(&house, &path_of("backup")).await, 200, "those that were refused did not count");
    assert_eq!(house.desk.pings().len(), 3);
}

#[tokio::test]
async fn of_an_address_above_its_limit_nothing_is_asked_of_the_engine() {
    let house = by_address("1/h");
    assert_eq!(status(&house, &path_of("backup")).await, 200);
    house.desk.refuse(Some(Refused::Stopped));
    for (suffix, body) in
        [("", "body"), ("/start", ""), ("/fail", "body"), ("/256", ""), ("/nonsense", "body"), ("?rid=x", "")]
    {
        let answer = house.send("POST", &format!("{}{suffix}", path_of("rotate")), &[], body).await;
        assert_eq!(answer.status, 429, "{suffix}");
    }
    for (method, expected) in [("OPTIONS", 204), ("PUT", 405)] {
        assert_eq!(house.send(method, &path_of("rotate"), &[], "").await.status, expected, "is no ping");
    }
    house.desk.refuse(None);
    assert_eq!(status(&house, "/api/v1/heartbeats").await, 200, "only pings are limited");
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_a_limit_of_its_own() {
    let house = House::with(1024, |settings| {
        settings.ping_rate_per_address = Some(parse_rate("1/h").unwrap());
        settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    });
    for (from, expected) in [
        ("198.51.100.1", 200),
        ("198.51.100.1", 429),
        ("198.51.100.2", 200),
        ("2001:db8:1:2::1", 200),
        ("2001:db8:1:2::ffff", 429),
        ("2001:db8:1:3::1", 200),
    ] {
        let answer = house.send("GET", &path_of("backup"), &[("X-Forwarded-For", from)], "").await;
        assert_eq!(answer.status, expected, "{from}");
    }
}

#[tokio::test]
async fn a_heartbeat_above_its_limit_is_answered_429_by_each_of_its_urls_and_the_others_are_not() {
    let house = by_heartbeat("5/m");
    for suffix in ["", "/start", "/3", "/log"] {
        assert_eq!(status(&house, &format!("{}{suffix}", path_of("backup"))).await, 200, "{suffix}");
    }
    let (by_slug, bare) = (format!("/ping/{KEY}/backup"), format!("/{}", uuid_of("backup")));
    assert_eq!(status(&house, &by_slug).await, 200);
    for path in [&path_of("backup"), &by_slug, &bare] {
        let answer = house.get(path).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("12")), "{path}");
        assert_eq!(answer.body, "too many pings for this heartbeat, try again in 12 s");
    }
    assert_eq!(status(&house, &path_of("rotate")).await, 200);
    let before = house.get("/api/v1/heartbeats/backup").await.json();
    assert_eq!(status(&house, &format!("{}/fail", path_of("backup"))).await, 429);
    assert_eq!(house.get("/api/v1/heartbeats/backup").await.json(), before, "it changed nothing");
    assert_eq!(before["pings_total"], 5);
    house.desk.set_clock(NOON + 12_000);
    assert_eq!(status(&house, &path_of("backup")).await, 200);
    assert_eq!(status(&house, &path_of("backup")).await, 429);
}

#[tokio::test]
async fn only_pings_that_are_taken_count_for_a_heartbeat() {
    let house = by_heartbeat("1/h");
    let unknown = format!("/ping/{}", Uuid::from_u128(7));
    for body in ["", "with a body", "", "with a body"] {
        assert_eq!(house.send("POST", &unknown, &[], body).await.status, 404);
    }
    for refused in [Refused::Full, Refused::Stopped] {
        house.desk.refuse(Some(refused));
        for body in ["", "with a body"] {
            assert_eq!(house.send("POST", &path_of("backup"), &[], body).await.status, 503);
        }
    }
    house.desk.refuse(None);
    assert_eq!(status(&house, &format!("{}/256", path_of("backup"))).await, 400);
    assert_eq!(status(&house, &path_of("backup")).await, 200);
    assert_eq!(status(&house, &path_of("backup")).await, 429);
    house.desk.refuse(Some(Refused::NotDurable));
    assert_eq!(status(&house, &path_of("rotate")).await, 503, "it was taken all the same");
    assert_eq!(status(&house, &path_of("rotate")).await, 429);
}

#[tokio::test]
async fn a_job_in_a_loop_does_not_silence_the_others_of_its_host() {
    let house = House::with(1024, |settings| {
        settings.ping_rate_per_heartbeat = Some(parse_rate("1/h").unwrap());
    });
    assert_eq!(status(&house, &path_of("backup")).await, 200);
    let path = path_of("backup");
    let looping: Vec<_> = (0..200).map(|_| status(&house, &path)).collect();
    let (refused, others) = tokio::join!(futures_util::future::join_all(looping), async {
        // While far more of its refusals are held back than an address may have.
        tokio::time::sleep(HOLD / 2).await;
        let mut others = Vec::new();
        for _ in 0..20 {
            others.push(status(&house, &path_of("rotate")).await);
        }
        others
    });
    assert!(refused.iter().all(|status| *status == 429), "{refused:?}");
    assert_eq!((others[0], others.len()), (200, 20), "each was answered: {others:?}");
    assert_eq!(house.door.fairness.refused()[2].1, 0, "nobody was hung up on");
}

#[tokio::test]
async fn pings_that_are_not_taken_leave_nothing_behind_in_the_limit_of_heartbeats() {
    let house = House::with(1024, |settings| {
        settings.ping_rate_per_address = Some(parse_rate("1000000/s").unwrap());
        settings.ping_rate_per_heartbeat = Some(parse_rate("1/h").unwrap());
    });
    for n in 0..300_u128 {
        let (suffix, body) =
            [("", ""), ("/start", "with a body"), ("/256", ""), ("?rid=x", "")][n as usize % 4];
        let unknown = format!("/ping/{}{suffix}", Uuid::from_u128(n));
        assert_eq!(house.send("POST", &unknown, &[], body).await.status, 404);
    }
    let by_slug = format!("/ping/{KEY}/nobody");
    assert_eq!(status(&house, &by_slug).await, 404);
    house.desk.refuse(Some(Refused::Full));
    assert_eq!(status(&house, &path_of("backup")).await, 503);
    house.desk.refuse(None);
    assert_eq!(house.door.fairness.remembered(), (1, 0));
    assert_eq!(status(&house, &path_of("backup")).await, 200);
    assert_eq!(house.door.fairness.remembered(), (1, 1));
}

#[tokio::test]
async fn a_ping_that_is_refused_is_answered_before_its_body_has_come() {
    for house in [by_address("1/h"), by_heartbeat("1/h")] {
        let path = path_of("backup");
        assert_eq!(status(&house, &path).await, 200);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9000000\r\n\r\n"
        );
        let mut stream = house.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut first = [0; 12];
        soon(stream.read_exact(&mut first)).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 429");
        // One that sends all of it first still reads its answer, and no reset.
        let mut stream = house.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        soon(stream.write_all(&vec![b'x'; 9_000_000])).await.unwrap();
        assert_eq!(read_all(&mut stream).await.status, 429);
        assert_eq!(house.desk.pings().len(), 1);
        house.desk.until_heard(0).await;
    }
}

#[tokio::test]
async fn pings_under_way_at_the_same_time_do_not_slip_through() {
    let house = by_heartbeat("1/h");
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n",
        path_of("backup")
    );
    let mut slow = house.connect().await;
    slow.write_all(head.as_bytes()).await.unwrap();
    house.desk.until_heard(1).await;
    assert_eq!(status(&house, &path_of("backup")).await, 429);
    slow.write_all(b"body").await.unwrap();
    assert_eq!(read_all(&mut slow).await.status, 200);
}

#[tokio::test]
async fn a_limit_begins_and_ends_with_a_reload() {
    let house = House::open();
    let limit = |rate: Option<&str>| {
        let rate = rate.map(|rate| parse_rate(rate).unwrap());
        house.settings.send_modify(|settings| Arc::make_mut(settings).ping_rate_per_address = rate);
    };
    for _ in 0..100 {
        assert_eq!(status(&house, &path_of("backup")).await, 200);
    }
    limit(Some("1/h"));
    assert_eq!(status(&house, &path_of("backup")).await, 200);
    assert_eq!(house.get(&path_of("backup")).await.header("retry-after"), Some("3600"));
    limit(Some("1/m"));
    assert_eq!(house.get(&path_of("backup")).await.header("retry-after"), Some("60"));
    limit(None);
    assert_eq!(status(&house, &path_of("backup")).await, 200);
}

#[tokio::test]
async fn what_is_refused_is_counted_by_its_limit() {
    let house = House::with(1024, |settings| {
        settings.ping_rate_per_address = Some(parse_rate("3/h").unwrap());
        settings.ping_rate_per_heartbeat = Some(parse_rate("1/h").unwrap());
    });
    let counts = async || {
        let text = house.get("/metrics").await.body;
        ["address", "heartbeat"].map(|limit| {
            let series = format!("overdue_pings_refused_total{{limit=\"{limit}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&series)).map(str::to_owned)
        })
    };
    assert_eq!(
        counts().await,
        ["0", "0"].map(|count| Some(count.to_owned())),
        "there before anything is refused"
    );
    for expected in [200, 429, 429, 429] {
        assert_eq!(status(&house, &path_of("backup")).await, expected);
    }
    assert_eq!(counts().await, ["0", "3"].map(|count| Some(count.to_owned())));
    // What was refused for the heartbeat's sake is no part of what the address had.
    let stranger = format!("/ping/{}", Uuid::from_u128(7));
    for expected in [404, 404, 429] {
        assert_eq!(status(&house, &stranger).await, expected);
    }
    assert_eq!(counts().await, ["1", "3"].map(|count| Some(count.to_owned())));
}

/// Method, path, headers, body, and what it is answered as long as there are not too many.
type Asking = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str, u16);

/// Whatever is no ping.
const OTHERS: [Asking; 13] = [
    ("GET", "/api/v1/heartbeats", &[("Authorization", "Bearer nobody-has-this-key")], "", 401),
    ("GET", "/api/v1/heartbeats", &[("Authorization", "Bearer a-key-of-many-letters")], "", 200),
    ("POST", "/api/v1/heartbeats", &[], r#"{"name":"x"}"#, 401),
    ("GET", "/metrics", &[], "", 401),
    ("GET", "/", &[("Accept", "text/html")], "", 200),
    ("GET", "/login", &[], "", 200),
    ("POST", "/login", &[("Content-Type", "application/x-www-form-urlencoded")], "key=wrong", 401),
    ("GET", "/badge/nobody-has-this-one/status.svg", &[], "", 404),
    ("GET", "/status/nobody-has-this-one", &[], "", 404),
    ("GET", "/there/is/nothing", &[], "", 404),
    ("CONNECT", "elsewhere.example:443", &[], "", 404),
    ("PUT", "/ping/no-such-key/at-all", &[], "with a body", 405),
    ("OPTIONS", "/ping/no-such-key/at-all", &[], "", 204),
];

#[tokio::test]
async fn whatever_is_no_ping_is_answered_429_above_the_limit_of_its_address_and_pings_are_not() {
    for (method, path, headers, body, without) in OTHERS {
        let house = House::with(1024, |settings| {
            settings.api_keys = vec![ApiKey {
                name: "ops".to_owned(),
                hash: Sha256::digest("a-key-of-many-letters").into(),
                role: Role::Write,
            }];
            settings.request_rate_per_address = Some(parse_rate("2/m").unwrap());
        });
        let send = || house.send(method, path, headers, body);
        for _ in 0..2 {
            assert_eq!(send().await.status, without, "{method} {path}");
        }
        let answer = send().await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("30")), "{method} {path}");
        assert!(answer.body.contains("too many requests from this address, try again in 30 s"), "{answer:?}");
        for _ in 0..5 {
            assert_eq!(status(&house, &path_of("backup")).await, 200, "a ping beside {method} {path}");
        }
        house.desk.set_clock(NOON + 30_000);
        assert_eq!(send().await.status, without, "{method} {path}");
        assert_eq!(house.door.fairness.requests_refused(), 1);
    }
}

#[tokio::test]
async fn a_request_that_is_refused_is_answered_in_the_shape_of_the_api_before_its_body_has_come() {
    let house = of_requests("1/h");
    assert_eq!(status(&house, "/api/v1/heartbeats").await, 200);
    house.desk.refuse(Some(Refused::Stopped));
    let mut stream = house.connect().await;
    let head = "POST /api/v1/heartbeats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                Content-Type: application/json\r\nContent-Length: 9000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    soon(stream.write_all(&vec![b'x'; 9_000_000])).await.unwrap();
    let answer = read_all(&mut stream).await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "too_many_requests"));
    assert_eq!(answer.header("retry-after"), Some("3600"));
}

#[tokio::test]
async fn whether_it_is_ready_can_be_asked_beside_a_flood_of_other_requests_and_has_a_limit_of_its_own() {
    let house = of_requests("2/h");
    for expected in [404, 404, 429, 429] {
        assert_eq!(status(&house, "/there/is/nothing").await, expected);
    }
    for (path, expected) in [("/healthz", 200), ("/readyz", 200), ("/readyz", 429), ("/healthz", 429)] {
        assert_eq!(status(&house, path).await, expected, "{path}");
    }
    assert_eq!(status(&house, &path_of("backup")).await, 200);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_a_limit_of_its_own_for_requests_too() {
    let house = House::with(1024, |settings| {
        settings.request_rate_per_address = Some(parse_rate("1/h").unwrap());
        settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    });
    for (from, expected) in [
        ("198.51.100.1", 404),
        ("198.51.100.1", 429),
        ("198.51.100.2", 404),
        ("2001:db8:1:2::1", 404),
        ("2001:db8:1:2::ffff", 429),
    ] {
        let answer = house.send("GET", "/there/is/nothing", &[("X-Forwarded-For", from)], "").await;
        assert_eq!(answer.status, expected, "{from}");
    }
}

#[tokio::test]
async fn the_limit_of_requests_begins_and_ends_with_a_reload_and_what_it_refuses_is_counted() {
    let house = House::open();
    let limit = |rate: Option<&str>| {
        let rate = rate.map(|rate| parse_rate(rate).unwrap());
        house.settings.send_modify(|settings| Arc::make_mut(settings).request_rate_per_address = rate);
    };
    let counted = async || {
        let text = house.get("/metrics").await.body;
        let series = "overdue_requests_refused_total{limit=\"address\"} ";
        text.lines().find_map(|line| line.strip_prefix(series)).map(str::to_owned)
    };
    for _ in 0..50 {
        assert_eq!(status(&house, "/api/v1/heartbeats").await, 200);
    }
    assert_eq!(counted().await.as_deref(), Some("0"), "there before anything is refused");
    limit(Some("1/h"));
    for expected in [200, 429, 429] {
        assert_eq!(status(&house, "/api/v1/heartbeats").await, expected);
    }
    limit(None);
    assert_eq!(status(&house, "/api/v1/heartbeats").await, 200);
    assert_eq!(counted().await.as_deref(), Some("2"));
}
