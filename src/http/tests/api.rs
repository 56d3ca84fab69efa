//! The API and health, from outside.

use super::*;
use crate::config::{ApiKey, Role};
use sha2::{Digest, Sha256};

const LIST: &str = "/api/v1/heartbeats";

pub(super) fn keys(settings: &mut HttpSettings) {
    let key = |name: &str, key: &str, role| ApiKey {
        name: name.to_owned(),
        hash: Sha256::digest(key).into(),
        role,
    };
    settings.api_keys =
        vec![key("ops", "a-key-that-may-write", Role::Write), key("eye", "a-key-that-may-read!", Role::Read)];
}

#[tokio::test]
async fn the_vendors_example_makes_a_heartbeat_that_can_be_pinged() {
    let house = House::open();
    let answer =
        house.post_json(LIST, r#"{"name":"Backup PostgreSQL","interval":"24h","grace_period":"1h"}"#).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("location"), Some("/api/v1/heartbeats/backup-postgresql"));
    let heartbeat = answer.json();
    let uuid = heartbeat["uuid"].as_str().unwrap();
    assert_eq!(heartbeat["ping_url"], format!("http://127.0.0.1:8080/ping/{uuid}"));
    assert_eq!(heartbeat["status"], "new");
    assert_eq!(
        (&heartbeat["interval_seconds"], &heartbeat["grace_seconds"]),
        (&86_400.into(), &3_600.into())
    );
    assert_eq!(house.send("POST", &format!("/api/v1/ping/{uuid}/start"), &[], "").await.status, 200);
    assert_eq!(house.send("POST", &format!("/api/v1/ping/{uuid}/3"), &[], "boom").await.status, 200);
    let after = house.get(&format!("{LIST}/{}", uuid.to_uppercase())).await.json();
    assert_eq!((after["status"].as_str(), &after["last_exit_code"]), (Some("down"), &3.into()));
    assert_eq!(after["incident"]["cause"], "failed");
}

#[tokio::test]
async fn lists_go_page_by_page_in_the_order_of_slugs() {
    let house = House::open();
    for n in 0..7 {
        let body = format!(r#"{{"name":"job {n}","interval_seconds":60,"tags":["t{}"]}}"#, n % 2);
        assert_eq!(house.post_json(LIST, &body).await.status, 201);
    }
    let slugs = |answer: &Answer| -> Vec<String> {
        let list = answer.json()["heartbeats"].clone();
        list.as_array().unwrap().iter().map(|one| one["slug"].as_str().unwrap().to_owned()).collect()
    };
    let mut all = Vec::new();
    let mut path = format!("{LIST}?limit=2");
    loop {
        let answer = house.get(&path).await;
        assert_eq!(answer.status, 200);
        all.extend(slugs(&answer));
        match answer.json()["next_cursor"].as_str() {
            Some(cursor) => path = format!("{LIST}?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    let mut expected: Vec<String> = (0..7).map(|n| format!("job-{n}")).collect();
    expected.splice(0..0, ["backup".to_owned()]);
    expected.push("rotate".to_owned());
    assert_eq!(all, expected);
    assert_eq!(slugs(&house.get(&format!("{LIST}?tag=t1")).await), ["job-1", "job-3", "job-5"]);
    assert_eq!(slugs(&house.get(&format!("{LIST}?q=BACK&status=new")).await), ["backup"]);
    assert_eq!(slugs(&house.get(&format!("{LIST}?status=down")).await), [""; 0]);
}

/// A request, and the status, code and field of what it is answered.
type Wrong = (&'static str, &'static str, &'static str, u16, &'static str, Option<&'static str>);

const ERRORS: [Wrong; 43] = [
    ("GET", "/nothing", "", 404, "not_found", None),
    ("GET", "/api/v1/nothing", "", 404, "not_found", None),
    ("GET", "/api/v1/heartbeats/nobody", "", 404, "not_found", None),
    ("GET", "/api/v1/heartbeats/Not%20A%20Slug", "", 404, "not_found", None),
    ("GET", "/api/v1/heartbeats/backup/more", "", 404, "not_found", None),
    ("GET", "/api/v1/heartbeats?status=bad", "", 400, "invalid_field", Some("status")),
    ("GET", "/api/v1/heartbeats?limit=0", "", 400, "invalid_field", Some("limit")),
    ("DELETE", "/api/v1/heartbeats", "", 405, "method_not_allowed", None),
    ("POST", "/api/v1/heartbeats/backup", "", 405, "method_not_allowed", None),
    ("GET", "/api/v1/heartbeats/backup/pause", "", 405, "method_not_allowed", None),
    ("POST", "/api/v1/heartbeats/backup/pings", "", 405, "method_not_allowed", None),
    ("POST", "/api/v1/incidents", "", 405, "method_not_allowed", None),
    ("DELETE", "/api/v1/deliveries/x", "", 405, "method_not_allowed", None),
    ("GET", "/api/v1/deliveries/x/retry", "", 405, "method_not_allowed", None),
    ("GET", "/api/v1/channels/log/test", "", 405, "method_not_allowed", None),
    ("PUT", "/api/v1/summary", "", 405, "method_not_allowed", None),
    ("PUT", "/api/v1/heartbeats/backup", "", 400, "invalid_json", None),
    ("PUT", "/api/v1/heartbeats/backup", r#"{"interval":"1h"}"#, 409, "declared_in_config", None),
    ("PATCH", "/api/v1/heartbeats/backup", "{}", 409, "declared_in_config", None),
    ("DELETE", "/api/v1/heartbeats/backup", "", 409, "declared_in_config", None),
    ("DELETE", "/api/v1/heartbeats/nobody", "", 404, "not_found", None),
    ("PATCH", "/api/v1/heartbeats/nobody", "{}", 404, "not_found", None),
    ("PUT", "/api/v1/heartbeats/Not%20A%20Slug", "{}", 404, "not_found", None),
    ("GET", "/api/v1/heartbeats/nobody/runs", "", 404, "not_found", None),
    ("GET", "/api/v1/heartbeats/backup/runs?cursor=1", "", 400, "invalid_field", Some("cursor")),
    ("GET", "/api/v1/heartbeats/backup/pings?bodies=yes", "", 400, "invalid_field", Some("bodies")),
    ("GET", "/api/v1/heartbeats/backup/stats?days=9", "", 400, "invalid_field", Some("days")),
    ("GET", "/api/v1/incidents?status=down", "", 400, "invalid_field", Some("status")),
    ("GET", "/api/v1/incidents?cursor=5", "", 400, "invalid_field", Some("cursor")),
    ("GET", "/api/v1/deliveries?incident=5", "", 400, "invalid_field", Some("incident")),
    ("GET", "/api/v1/deliveries/nothing", "", 404, "not_found", None),
    ("POST", "/api/v1/deliveries/67e55044-10b1-426f-9247-bb680e5fe0c8/retry", "", 404, "not_found", None),
    ("POST", "/api/v1/channels/nobody/test", "", 404, "not_found", None),
    ("POST", "/api/v1/heartbeats/backup/pause", r#"{"for":"0s"}"#, 400, "invalid_field", Some("for")),
    ("POST", "/api/v1/heartbeats/backup/pause", r#"{"fro":"2h"}"#, 400, "invalid_field", Some("fro")),
    ("POST", "/healthz", "", 405, "method_not_allowed", None),
    ("DELETE", "/readyz", "", 405, "method_not_allowed", None),
    ("POST", LIST, "not json", 400, "invalid_json", None),
    ("POST", LIST, "[]", 400, "invalid_json", None),
    ("POST", LIST, r#"{"name":"N"}"#, 400, "invalid_field", Some("interval")),
    ("POST", LIST, r#"{"name":"N","interval":"1h","cron":"* * * * *"}"#, 400, "invalid_field", Some("cron")),
    ("POST", LIST, r#"{"name":"N","interval":"1h","colour":"red"}"#, 400, "invalid_field", Some("colour")),
    ("POST", LIST, r#"{"name":"Backup","interval":"1h"}"#, 409, "slug_taken", Some("slug")),
];

#[tokio::test]
async fn every_error_has_one_shape() {
    let house = House::open();
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(300));
    let long = ("POST", LIST, &long[..], 400, "invalid_field", Some("name"));
    for (method, path, body, status, code, field) in ERRORS.into_iter().chain([long]) {
        let answer = house.send(method, path, &[("Content-Type", "application/json")], body).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {answer:?}");
        assert_eq!(
            (answer.code().as_str(), answer.field().as_deref()),
            (code, field),
            "{method} {path} {body}"
        );
        assert!(answer.json()["error"]["message"].as_str().unwrap().ends_with('.'), "{answer:?}");
        assert_eq!(answer.json()["error"].as_object().unwrap().len(), 3);
        assert_eq!(status == 405, answer.header("allow").is_some());
    }
    house.desk.refuse(Some(Refused::NotDurable));
    let answer = house.post_json(LIST, r#"{"name":"N","interval":"1h"}"#).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "not_durable"));
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read() {
    let house = House::open();
    let head = format!(
        "POST {LIST} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    );
    let answer = house.raw(format!("{head}Content-Length: 100000000\r\n\r\n")).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000));
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(17));
    assert_eq!(house.raw(chunked + "0\r\n\r\n").await.status, 413);
    let fits = format!("{{\"name\":\"N\",\"interval\":\"1h\"{}}}", " ".repeat(1_048_500));
    assert_eq!(house.post_json(LIST, &fits).await.status, 201);
}

#[tokio::test]
async fn keys_are_held_to_their_roles_and_secrets_to_write_keys() {
    let house = House::with(1024, keys);
    let read = ("Authorization", "Bearer a-key-that-may-read!");
    let write = ("X-Api-Key", "a-key-that-may-write");
    let json = ("Content-Type", "application/json");
    let body = r#"{"name":"N","interval":"1h"}"#;
    assert_eq!(house.get(LIST).await.status, 401);
    assert!(house.get(LIST).await.header("www-authenticate").is_some());
    assert_eq!(house.send("GET", LIST, &[("X-Api-Key", "wrong")], "").await.status, 401);
    assert_eq!(house.send("POST", LIST, &[read, json], body).await.status, 403);
    assert_eq!(house.send("POST", LIST, &[write, json], body).await.status, 201);
    assert_eq!(house.send("POST", LIST, &[write], body).await.status, 415);
    for path in [LIST.to_owned(), format!("{LIST}/backup"), format!("{LIST}/{}", uuid_of("backup"))] {
        let secret = uuid_of("backup").to_string();
        let shown = house.send("GET", &path, &[write], "").await;
        assert!(shown.status == 200 && shown.body.contains(&secret), "{path}");
        let hidden = house.send("GET", &path, &[read], "").await;
        assert!(hidden.status == 200 && hidden.body.contains("\"backup\""), "{path}");
        assert!(!hidden.body.contains(&secret) && !hidden.body.contains("ping_url"), "{path}");
    }
    assert_eq!(house.get(&format!("/ping/{}", uuid_of("backup"))).await.status, 200, "pings stay open");
}

#[tokio::test]
async fn without_keys_a_browser_and_a_proxy_are_turned_away() {
    let house = House::open();
    for header in [
        ("Host", "evil.example.org"),
        ("Origin", "https://evil.example.org"),
        ("Sec-Fetch-Site", "cross-site"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("Via", "1.1 proxy"),
    ] {
        let answer = house.send("GET", LIST, &[header], "").await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{header:?}");
        let ping = house.send("GET", &format!("/ping/{}", uuid_of("backup")), &[header], "").await;
        assert_eq!(ping.status, 200, "pings stay open: {header:?}");
    }
    let form =
        house.send("POST", LIST, &[("Content-Type", "text/plain")], r#"{"name":"N","interval":"1h"}"#).await;
    assert_eq!(form.status, 403);
    assert_eq!(house.get(&format!("{LIST}/n")).await.status, 404, "nothing was made");
}

#[tokio::test]
async fn health_says_how_things_stand() {
    let house = House::open();
    assert_eq!(house.get("/healthz").await.status, 200);
    let ready = house.get("/readyz").await;
    assert_eq!(ready.status, 200);
    let body = ready.json();
    assert_eq!(
        (&body["ready"], &body["config"]["ok"], &body["journal"]["ok"]),
        (&true.into(), &true.into(), &true.into())
    );
    assert_eq!(body["config"]["loaded_at"], Timestamp::from_millis(NOON).to_string());
    assert_eq!(body["config"]["problems"], serde_json::json!([]));

    house.config.send_modify(|config| {
        config.ok = false;
        config.problems = vec!["config.toml:3:1: something".to_owned()];
    });
    let ready = house.get("/readyz").await;
    assert_eq!(ready.status, 200, "the old config works");
    assert_eq!(ready.json()["config"]["problems"][0], "config.toml:3:1: something");
    let outside = house.send("GET", "/readyz", &[("Host", "example.org")], "").await;
    assert_eq!(
        (outside.status, &outside.json()["config"]["problems"]),
        (200, &1.into()),
        "others see the number"
    );
    assert!(!outside.body.contains("config.toml"));

    house.desk.0.journal.send_replace(JournalHealth { error: Some("disk full".to_owned()) });
    let ready = house.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["ready"]), (503, &false.into()));
    assert_eq!(ready.json()["journal"]["error"], "disk full");
    assert!(!house.send("GET", "/readyz", &[("Host", "example.org")], "").await.body.contains("disk full"));
}

#[tokio::test]
async fn a_loop_that_does_not_turn_is_not_ready() {
    let house = House::open();
    *house.desk.0.stuck.lock().unwrap() = true;
    let ready = house.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["loop"]["ok"]), (503, &false.into()));
    assert_eq!(house.get("/healthz").await.status, 200);
}
