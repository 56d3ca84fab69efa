//! Fair limits on pings: who is refused, what they are answered, and whom it does not touch.

use super::*;
use crate::config::rate::parse_rate;
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
