//! What a ping is answered, and what is handed over of it.

use super::*;
use crate::model::ping::{Method, PingKind};
use std::net::IpAddr;

const RID: &str = "123E4567e89b12d3a456426614174000";

#[tokio::test]
async fn every_url_form_is_a_ping() {
    let house = House::open();
    let uuid = uuid_of("backup");
    let bare = uuid.simple().to_string().to_uppercase();
    let heads = [
        (format!("/ping/{uuid}"), false),
        (format!("/ping/{bare}"), false),
        (format!("/ping/{KEY}/backup"), false),
        (format!("/api/v1/ping/{uuid}"), true),
        (format!("/api/v1/ping/{KEY}/backup"), true),
        (format!("/{uuid}"), false),
        (format!("/{bare}"), false),
    ];
    let suffixes = [
        ("", PingKind::Success),
        ("/start", PingKind::Start),
        ("/fail", PingKind::Fail),
        ("/log", PingKind::Log),
        ("/0", PingKind::Exit(0)),
        ("/007", PingKind::Exit(7)),
        ("/255", PingKind::Exit(255)),
    ];
    let mut expected = Vec::new();
    for (head, json) in &heads {
        for (suffix, kind) in suffixes {
            for end in ["", "/"] {
                for (word, method) in [("GET", Method::Get), ("HEAD", Method::Head), ("POST", Method::Post)] {
                    let path = format!("{head}{suffix}{end}?rid={RID}&other=1");
                    let answer = house.send(word, &path, &[], "").await;
                    let (kind_of_text, text) =
                        if *json { ("application/json", "{\"ok\":true}") } else { ("text/plain", "OK") };
                    assert_eq!(answer.status, 200, "{word} {path}");
                    assert_eq!(answer.header("content-type"), Some(kind_of_text));
                    assert_eq!(answer.body, if word == "HEAD" { "" } else { text });
                    assert_eq!(answer.header("content-length"), Some(text.len().to_string().as_str()));
                    expected.push((kind, method));
                }
            }
        }
    }
    let pings = house.desk.pings();
    assert_eq!(pings.iter().map(|ping| (ping.kind, ping.method)).collect::<Vec<_>>(), expected);
    for ping in pings {
        assert_eq!(ping.rid.unwrap().simple().to_string(), RID.to_lowercase());
        assert_eq!(ping.from, Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!((ping.body, ping.at), (None, Timestamp::from_millis(NOON)));
    }
}

#[tokio::test]
async fn every_answer_carries_the_headers_of_the_contract() {
    let house = House::with(1024, |settings| settings.body_limit = 1234.into());
    let uuid = uuid_of("backup");
    for path in [
        format!("/ping/{uuid}"),
        format!("/api/v1/ping/{uuid}"),
        "/ping/none".to_owned(),
        format!("/{uuid}/256"),
    ] {
        let answer = house.get(&path).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("ping-body-limit"), Some("1234"));
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_in_the_order_unknown_code_rid() {
    let house = House::open();
    let (known, unknown) = (uuid_of("backup"), Uuid::from_u128(7));
    for (path, status, text) in [
        (format!("/ping/{unknown}"), 404, "not found"),
        (format!("/ping/{unknown}/256?rid=x"), 404, "not found"),
        (format!("/ping/{unknown}?rid=x"), 404, "not found"),
        (format!("/{unknown}"), 404, "not found"),
        (format!("/ping/{KEY}/nobody"), 404, "not found"),
        (format!("/ping/{KEY}x/backup"), 404, "not found"),
        ("/ping/wrong-key/backup".to_owned(), 404, "not found"),
        ("/ping//backup".to_owned(), 404, "not found"),
        (format!("/ping/{known}/nonsense"), 404, "not found"),
        (format!("/ping/{known}/256"), 400, "invalid url format"),
        (format!("/ping/{known}/256?rid=x"), 400, "invalid url format"),
        (format!("/ping/{known}/99999999999999999999"), 400, "invalid url format"),
        (format!("/ping/{KEY}/backup/300"), 400, "invalid url format"),
        (format!("/ping/{known}?rid=x"), 400, "invalid uuid format"),
        (format!("/ping/{known}?rid="), 400, "invalid uuid format"),
        (format!("/ping/{known}?rid"), 400, "invalid uuid format"),
        (format!("/ping/{known}?rid={{{RID}}}"), 400, "invalid uuid format"),
    ] {
        let answer = house.get(&path).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, text), "{path}");
        if path.starts_with("/ping") {
            let answer = house.get(&format!("/api/v1{path}")).await;
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(answer.json()["error"]["message"], text);
        }
    }
    assert_eq!(house.desk.pings(), [], "nothing is recorded");
}

#[tokio::test]
async fn other_methods_are_no_pings() {
    let house = House::open();
    let uuid = uuid_of("backup");
    for path in [
        format!("/ping/{uuid}"),
        format!("/api/v1/ping/{uuid}/fail"),
        format!("/{uuid}"),
        format!("/ping/{KEY}/backup"),
    ] {
        for method in ["PUT", "DELETE", "PATCH", "TRACE", "BREW"] {
            let answer = house.send(method, &path, &[], "").await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD, POST, OPTIONS"));
        }
        let answer = house.send("OPTIONS", &path, &[("Origin", "https://a.example")], "").await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD, POST"));
    }
    assert_eq!(house.desk.pings(), []);
}

/// Most pings say all in their path and go past the routes. What makes one go by them changes nothing of its answer.
#[tokio::test]
async fn a_ping_past_the_routes_is_taken_and_answered_as_one_by_them() {
    let house = House::open();
    let (known, unknown) = (uuid_of("backup"), uuid_of("nobody"));
    let by_route =
        [("?", vec![]), ("", vec![("Content-Length", "0")]), ("", vec![("X-Forwarded-For", "192.0.2.7")])];
    let mut taken = 0;
    for path in [
        format!("/ping/{known}"),
        format!("/{known}/start"),
        format!("/api/v1/ping/{known}/3"),
        format!("/ping/{KEY}/backup/log"),
        format!("/ping/{known}/256"),
        format!("/ping/{known}/nonsense"),
        format!("/ping/{unknown}"),
        format!("/api/v1/ping/{unknown}"),
        "/ping/wrong-key/backup".to_owned(),
        "/ping".to_owned(),
    ] {
        for method in ["GET", "HEAD", "POST", "OPTIONS", "PUT", "BREW"] {
            let plain = house.send(method, &path, &[], "").await;
            let one = house.desk.pings().split_off(taken);
            for (query, headers) in &by_route {
                taken = house.desk.pings().len();
                let other = house.send(method, &format!("{path}{query}"), headers, "").await;
                let about = format!("{method} {path}{query} {headers:?}");
                assert_eq!((plain.status, &plain.body), (other.status, &other.body), "{about}");
                for name in [
                    "allow",
                    "content-type",
                    "ping-body-limit",
                    "cache-control",
                    "access-control-allow-methods",
                ] {
                    assert_eq!(plain.header(name), other.header(name), "{about}: {name}");
                }
                assert_eq!(house.desk.pings().split_off(taken), one, "{about}");
            }
            taken = house.desk.pings().len();
        }
    }
    assert_eq!(taken, 4 * 3 * 4, "four of these paths, three methods, by four ways");
}

#[tokio::test]
async fn a_ping_that_cannot_be_kept_is_answered_503_with_retry_after() {
    let house = House::open();
    let uuid = uuid_of("backup");
    for refused in [Refused::Full, Refused::NotDurable, Refused::Stopped] {
        house.desk.refuse(Some(refused));
        for path in [format!("/ping/{uuid}"), format!("/api/v1/ping/{uuid}"), format!("/ping/{uuid}/256")] {
            for body in ["", "with a body"] {
                let answer = house.send("POST", &path, &[], body).await;
                assert_eq!(answer.status, 503, "{path}");
                assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
            }
        }
    }
    house.desk.refuse(None);
    assert_eq!(house.get(&format!("/ping/{uuid}")).await.status, 200);
}

#[tokio::test]
async fn a_body_is_kept_by_its_tail_whatever_its_type() {
    let house = House::with(1024, |settings| settings.body_limit = 10.into());
    let path = format!("/api/v1/ping/{}", uuid_of("backup"));
    let answer = house.send("POST", &path, &[("Content-Type", "image/png")], "the error is at the end").await;
    assert_eq!(answer.status, 200);
    let chunked = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nabcde\r\n8\r\nfghijklm\r\n0\r\n\r\n"
    );
    assert_eq!(house.raw(chunked).await.status, 200);
    let empty = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    );
    assert_eq!(house.raw(empty).await.status, 200);
    let bodies: Vec<_> = house.desk.pings().into_iter().map(|ping| ping.body).collect();
    let kept = |n: usize| bodies[n].as_ref().map(|body| (&body.tail[..], body.total));
    assert_eq!(kept(0), Some((&b"at the end"[..], 23)));
    assert_eq!(kept(1), Some((&b"defghijklm"[..], 13)));
    assert_eq!(kept(2), None, "an empty body is none");
}

#[tokio::test]
async fn a_client_that_hangs_up_in_the_middle_leaves_a_whole_ping() {
    let house = House::open();
    let mut stream = house.connect().await;
    let head = format!(
        "POST /ping/{}/3 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf of it",
        uuid_of("backup")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    house.desk.until_heard(1).await;
    drop(stream);
    let pings = house.desk.after_pings(1).await;
    assert_eq!(pings[0].kind, PingKind::Exit(3));
    assert_eq!(&pings[0].body.as_ref().unwrap().tail[..], b"half of it");
    house.desk.until_heard(0).await;
    assert_eq!(house.desk.pings().len(), 1);
}

#[tokio::test]
async fn a_client_that_hangs_up_after_its_head_leaves_a_ping() {
    let house = House::open();
    for _ in 0..20 {
        let mut stream = house.connect().await;
        let head = format!("GET /ping/{} HTTP/1.1\r\nHost: x\r\n\r\n", uuid_of("backup"));
        stream.write_all(head.as_bytes()).await.unwrap();
    }
    house.desk.after_pings(20).await;
}

#[tokio::test]
async fn a_client_that_closes_its_half_still_reads_its_answer() {
    let house = House::open();
    for (method, body) in [("GET", ""), ("POST", "Content-Length: 4\r\n\r\nbody")] {
        let mut stream = house.connect().await;
        let end = if body.is_empty() { "\r\n" } else { body };
        let request = format!("{method} /ping/{} HTTP/1.1\r\nHost: x\r\n{end}", uuid_of("backup"));
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(read_all(&mut stream).await.status, 200, "{method}");
    }
}

#[tokio::test]
async fn a_pings_instant_is_when_its_head_was_read() {
    let house = House::open();
    let mut stream = house.connect().await;
    let head = format!(
        "POST /ping/{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n",
        uuid_of("backup")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    house.desk.until_heard(1).await;
    house.desk.set_clock(NOON + 5_000);
    stream.write_all(b"late").await.unwrap();
    assert_eq!(read_all(&mut stream).await.status, 200);
    assert_eq!(house.desk.pings()[0].at, Timestamp::from_millis(NOON));
    house.desk.until_heard(0).await;
}

#[tokio::test]
async fn a_deadline_waits_for_a_ping_whose_body_is_still_to_come() {
    let house = House::open();
    let day = 25 * 3_600_000;
    house.desk.set_clock(NOON + day - 1);
    let mut stream = house.connect().await;
    let head = format!(
        "POST /ping/{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n",
        uuid_of("backup")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    house.desk.until_heard(1).await;
    house.desk.set_clock(NOON + day + 1_000);
    house.desk.tell(Event::Tick);
    stream.write_all(b"late").await.unwrap();
    assert_eq!(read_all(&mut stream).await.status, 200);
    let view = house.get("/api/v1/heartbeats/backup").await.json();
    assert_eq!((view["status"].as_str(), view["incident"].is_null()), (Some("up"), true), "{view}");
    let other = house.get("/api/v1/heartbeats/rotate").await.json();
    assert_eq!(other["status"], "down", "it was silent");
}

#[tokio::test]
async fn a_hundred_megabytes_are_a_ping_like_any_other() {
    let house = House::open();
    let size = 100_000_000_u64;
    let mut stream = house.connect().await;
    let head = format!(
        "POST /ping/{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n",
        uuid_of("backup")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![b'x'; 1_000_000];
    for n in 0..100 {
        let mut piece = piece.clone();
        if n == 99 {
            piece.splice(999_997.., *b"end");
        }
        soon(stream.write_all(&piece)).await.unwrap();
    }
    assert_eq!(read_all(&mut stream).await.status, 200);
    let pings = house.desk.pings();
    let body = pings[0].body.as_ref().unwrap();
    assert_eq!((body.tail.len(), body.total), (10_000, size));
    assert!(body.tail.ends_with(b"xend"));
}

#[tokio::test]
async fn x_forwarded_for_is_believed_only_from_a_trusted_proxy() {
    let path = format!("/ping/{}", uuid_of("backup"));
    let forwarded = [("X-Forwarded-For", "6.6.6.6, 198.51.100.7")];
    let house = House::open();
    house.send("GET", &path, &forwarded, "").await;
    assert_eq!(house.desk.pings()[0].from, Some(IpAddr::from([127, 0, 0, 1])));
    let house = House::with(9, |settings| settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()]);
    house.send("GET", &path, &forwarded, "").await;
    assert_eq!(house.desk.pings()[0].from, Some(IpAddr::from([198, 51, 100, 7])));
}

#[tokio::test]
async fn a_reload_takes_effect_on_the_next_ping() {
    let house = House::open();
    let path = "/ping/another-key-of-many-letters/backup";
    assert_eq!(house.get(path).await.status, 404);
    house.settings.send_modify(|settings| {
        Arc::make_mut(settings).ping_key = "another-key-of-many-letters".to_owned();
    });
    assert_eq!(house.get(path).await.status, 200);
}

#[tokio::test]
async fn strange_targets_are_answered_and_never_stumbled_over() {
    let house = House::open();
    let uuid = uuid_of("backup");
    for (target, status) in [
        (format!("/ping/{uuid}?%ff=%&&==&rid2=x#"), 200),
        (format!("/ping/{uuid}?"), 200),
        (format!("/ping/{uuid}?rid=x&rid={RID}"), 200),
        (format!("http://anywhere/ping/{uuid}"), 200),
        (format!("//ping/{uuid}"), 404),
        (format!("/ping/{uuid}%2Fstart"), 404),
        ("*".to_owned(), 404),
        ("http://anywhere".to_owned(), 403),
        ("http://anywhere?x".to_owned(), 403),
        ("/".to_owned(), 200),
        ("/api/v1".to_owned(), 404),
        ("/api/v1/".to_owned(), 404),
        ("/%00".to_owned(), 404),
    ] {
        let answer = house.get(&target).await;
        assert_eq!(answer.status, status, "{target}");
    }
    assert_eq!(house.desk.pings().len(), 4);
    assert_eq!(house.send("CONNECT", "localhost:80", &[], "").await.status, 404);
    assert_eq!(house.send("OPTIONS", "*", &[], "").await.status, 404);
}
