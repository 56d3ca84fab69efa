//! Who may do what with the API, call by call: roles, secrets in what is read, keys that change, and pages of other
//! sites.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::client::Answer;
use crate::harness::{Daemon, Home, LIMIT, wait_for, wait_until};
use crate::receiver::{Receiver, Reply};

const READ: &str = "read-key-0123456789";
const WRITE: &str = "write-key-0123456789";
const THIRD: &str = "third-key-0123456789";
const PING_KEY: &str = "a-key-of-these-tests-alone";
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Every call of the API that changes something, with a body that it would take. `{delivery}` is one that exists.
const WRITES: [(&str, &str, &str); 8] = [
    ("POST", "heartbeats", r#"{"name":"New","interval":"1h"}"#),
    ("PUT", "heartbeats/made", r#"{"interval":"1h"}"#),
    ("PATCH", "heartbeats/made", r#"{"host":"changed"}"#),
    ("DELETE", "heartbeats/made", ""),
    ("POST", "heartbeats/made/pause", r#"{"for":"2h"}"#),
    ("POST", "heartbeats/made/resume", ""),
    ("POST", "channels/ops/test", ""),
    ("POST", "deliveries/{delivery}/retry", ""),
];

fn key(name: &str, key: &str, role: &str) -> String {
    format!("[[server.api_keys]]\nname = \"{name}\"\nkey = \"{key}\"\nrole = \"{role}\"\n")
}

/// With the heartbeat `db` that is down, and a delivery of it that was given up.
fn config(receiver: &Receiver, keys: &str) -> String {
    format!(
        "{}[defaults]\nchannels = [\"ops\"]\n[heartbeats.db]\ninterval = \"24h\"\n\
         [server]\nping_key = \"{PING_KEY}\"\n{keys}",
        receiver.channel("ops")
    )
}

/// Fills a daemon that asks for a key, or not; gives the id of the delivery.
fn fill(daemon: &Daemon, headers: &[(&str, &str)]) -> String {
    let made = r#"{"name":"Made","interval":"24h","description":"By the API."}"#;
    let headers = [headers, &[JSON]].concat();
    let answer = daemon.request("POST", "/api/v1/heartbeats", &headers, made.as_bytes());
    assert_eq!(answer.status, 201, "{}", answer.text());
    for what in ["db/start", "db/3", "made/start", "made"] {
        assert_eq!(daemon.get(&format!("/ping/{PING_KEY}/{what}")).status, 200);
    }
    wait_for(LIMIT, "it is given up", || {
        let path = "/api/v1/deliveries?status=given_up";
        let list = daemon.request("GET", path, &headers[..headers.len() - 1], b"").json();
        list["deliveries"][0]["id"].as_str().map(str::to_owned)
    })
}

fn gone() -> Receiver {
    let receiver = Receiver::start();
    receiver.reply(Reply::Status(410));
    receiver
}

fn write(daemon: &Daemon, call: (&str, &str, &str), delivery: &str, headers: &[(&str, &str)]) -> Answer {
    let (method, path, body) = call;
    let path = format!("/api/v1/{}", path.replace("{delivery}", delivery));
    daemon.request(method, &path, headers, body.as_bytes())
}

fn error_code(answer: &Answer) -> Value {
    answer.json()["error"]["code"].clone()
}

/// What may not change when a call is refused.
fn standing(daemon: &Daemon, headers: &[(&str, &str)]) -> [Value; 2] {
    ["heartbeats", "deliveries"]
        .map(|list| daemon.request("GET", &format!("/api/v1/{list}"), headers, b"").json())
}

#[test]
fn a_read_key_may_write_nothing_and_no_key_at_all_still_less() {
    let receiver = gone();
    let keys = key("dashboard", READ, "read") + &key("ops", WRITE, "write");
    let daemon = Daemon::start(&config(&receiver, &keys));
    let (reader, writer) = (("X-Api-Key", READ), ("X-Api-Key", WRITE));
    let delivery = fill(&daemon, &[writer]);
    let before = standing(&daemon, &[writer]);
    for call in WRITES {
        let small = write(&daemon, call, &delivery, &[reader, JSON]);
        assert_eq!((small.status, error_code(&small)), (403, json!("forbidden")), "{call:?}");
        for none in [&[JSON][..], &[("X-Api-Key", THIRD), JSON], &[("Authorization", WRITE), JSON]] {
            let answer = write(&daemon, call, &delivery, none);
            assert_eq!((answer.status, error_code(&answer)), (401, json!("unauthorized")), "{call:?}");
        }
        // Not by a path that is written in another way, either.
        let slash = (call.0, &*format!("{}/", call.1), call.2);
        assert_eq!(write(&daemon, slash, &delivery, &[reader, JSON]).status, 403, "{slash:?}");
    }
    assert_eq!(standing(&daemon, &[writer]), before);
    assert_eq!(receiver.received().len(), 1);
    // Each of them would have done something: the order leaves the deletion for the end.
    for n in [0, 1, 2, 4, 5, 6, 7, 3] {
        let done = write(&daemon, WRITES[n], &delivery, &[writer, JSON]);
        assert!((200..300).contains(&done.status), "{:?}: {}", WRITES[n], done.text());
    }
    receiver.wait_for(3);
}

/// All that there is to read, with a heartbeat by its slug and by its UUID.
fn reads(uuids: &[String], delivery: &str) -> Vec<String> {
    let mut paths: Vec<String> =
        ["heartbeats", "incidents", "deliveries", "summary", "openapi.json", "nothing"]
            .map(|path| format!("/api/v1/{path}"))
            .into();
    paths.extend([format!("/api/v1/deliveries/{delivery}"), "/readyz".to_owned(), "/healthz".to_owned()]);
    for name in uuids.iter().map(String::as_str).chain(["db", "made", "nobody"]) {
        for more in ["", "/pings?bodies=true", "/runs?bodies=true", "/executions", "/stats", "/nothing"] {
            paths.push(format!("/api/v1/heartbeats/{name}{more}"));
        }
    }
    paths
}

#[test]
fn nothing_that_a_read_key_reads_holds_a_uuid_or_a_key() {
    let receiver = gone();
    let keys = key("dashboard", READ, "read") + &key("ops", WRITE, "write");
    let daemon = Daemon::start(&config(&receiver, &keys));
    let delivery = fill(&daemon, &[("X-Api-Key", WRITE)]);
    let list = daemon.request("GET", "/api/v1/heartbeats", &[("X-Api-Key", WRITE)], b"").json();
    let uuids: Vec<String> = list["heartbeats"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["uuid"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(uuids.len(), 2);
    let mut found = 0;
    for path in reads(&uuids, &delivery) {
        let answer = daemon.request("GET", &path, &[("X-Api-Key", READ)], b"");
        assert_eq!(answer.status == 404, path.contains("nobody") || path.contains("nothing"), "{path}");
        found += usize::from(answer.status == 200);
        let head: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        let text = (head + &answer.text()).to_lowercase();
        for uuid in &uuids {
            assert!(!text.contains(uuid) && !text.contains(&uuid.replace('-', "")), "{path}: {text}");
        }
        for secret in [READ, WRITE, PING_KEY] {
            assert!(!text.contains(secret), "{path}: {text}");
        }
        let described = path.ends_with("openapi.json");
        assert!(described || !text.contains("ping_url") && !text.contains("\"uuid\""), "{path}: {text}");
    }
    assert_eq!(found, 8 + 4 * 5, "most of it is there to be read");
}

#[test]
fn a_key_that_is_sent_where_it_does_not_belong_is_not_told_again() {
    let receiver = gone();
    let home = Home::new(&config(&receiver, &key("ops", WRITE, "write")));
    for level in ["debug", "trace"] {
        let mut command = home.command(&["serve", "--config", "config.toml"]);
        let daemon = Daemon::start_as(&home, command.env("OVERDUE_LOG", level));
        let body = |text: String| text.into_bytes();
        let authorized = ("X-Api-Key", WRITE);
        let cases = [
            ("GET", format!("heartbeats?key={WRITE}"), vec![], body(String::new())),
            ("GET", format!("heartbeats?api_key={WRITE}"), vec![authorized], body(String::new())),
            ("GET", format!("heartbeats?status={WRITE}"), vec![authorized], body(String::new())),
            ("GET", format!("incidents?cursor={WRITE}"), vec![authorized], body(String::new())),
            ("GET", format!("heartbeats/{WRITE}"), vec![authorized], body(String::new())),
            ("GET", WRITE.to_owned(), vec![authorized], body(String::new())),
            ("POST", format!("heartbeats/{WRITE}/pause"), vec![authorized], body(String::new())),
            ("POST", format!("channels/{WRITE}/test"), vec![authorized], body(String::new())),
            ("GET", "heartbeats".to_owned(), vec![("Authorization", WRITE)], body(String::new())),
            ("GET", "heartbeats".to_owned(), vec![("Cookie", WRITE)], body(String::new())),
            ("POST", "heartbeats".to_owned(), vec![JSON], body(format!("{{\"key\":\"{WRITE}\"}}"))),
            (
                "POST",
                "heartbeats".to_owned(),
                vec![JSON, authorized],
                body(format!("{{\"key\":\"{WRITE}\"}}")),
            ),
            ("POST", "heartbeats".to_owned(), vec![JSON, authorized], body(format!("\"{WRITE}\""))),
            ("POST", "heartbeats".to_owned(), vec![JSON, authorized], body(WRITE.to_owned())),
            (
                "POST",
                "heartbeats".to_owned(),
                vec![("Content-Type", WRITE), authorized],
                body("{}".to_owned()),
            ),
            (WRITE, "heartbeats".to_owned(), vec![authorized], body(String::new())),
            ("GET", format!("heartbeats?{WRITE}=1"), vec![authorized], body(String::new())),
        ];
        let fields = [WRITE, "channels", "interval", "cron", "timezone", "tags"].map(|field| {
            let value = if field == "channels" { json!([WRITE]) } else { json!(WRITE) };
            let mut heartbeat = json!({ "name": "made" });
            heartbeat[field] = value;
            let body = heartbeat.to_string().into_bytes();
            ("POST", "heartbeats".to_owned(), vec![JSON, authorized], body)
        });
        for (method, path, headers, body) in cases.into_iter().chain(fields) {
            let answer = daemon.request(method, &format!("/api/v1/{path}"), &headers, &body);
            assert!((400..500).contains(&answer.status), "{method} {path} {headers:?}: {}", answer.text());
            let told = format!("{answer:?} {}", answer.text());
            assert!(!told.contains(&WRITE[..16]), "{path}: {}", answer.text());
        }
        assert_eq!(daemon.get(&format!("/ping/{WRITE}/db")).status, 404);
        // Accepted, it is no more to be seen.
        fill(&daemon, &[authorized]);
        let deleted = daemon.request("DELETE", "/api/v1/heartbeats/made", &[authorized], b"");
        assert_eq!(deleted.status, 204);
        let ended = daemon.stop_and_tell();
        let log = format!("{}{}", ended.stdout, ended.stderr);
        assert!(log.contains("DEBUG"), "{log}");
        assert_eq!(log.lines().find(|line| line.contains(WRITE)), None, "at {level}");
    }
}

#[test]
fn keys_and_roles_change_while_it_runs_and_may_be_hashes() {
    let receiver = gone();
    let first = key("dashboard", READ, "read") + &key("ops", WRITE, "write");
    let daemon = Daemon::start(&config(&receiver, &first));
    let may = |key: &str| {
        ["GET", "POST"].map(|method| {
            let path = "/api/v1/heartbeats/db/resume";
            let path = if method == "GET" { "/api/v1/heartbeats" } else { path };
            daemon.request(method, path, &[("X-Api-Key", key)], b"").status
        })
    };
    assert_eq!((may(READ), may(WRITE), may(THIRD)), ([200, 403], [200, 200], [401, 401]));
    let hash: String = Sha256::digest(THIRD).iter().map(|byte| format!("{byte:02x}")).collect();
    let hashed = format!("sha256:{hash}");
    let second = key("dashboard", READ, "write") + &key("new", &hashed, "read");
    daemon.home.configure(&config(&receiver, &second));
    wait_until(LIMIT, "the new key opens", || may(THIRD) == [200, 403]);
    assert_eq!(may(READ), [200, 200], "its role has changed");
    assert_eq!(may(WRITE), [401, 401], "it was taken out");
    assert_eq!((may(&hashed), may(&hash)), ([401, 401], [401, 401]), "the hash is no key");
    // A config with a problem takes nothing away and gives nothing.
    let bad = key("dashboard", READ, "read") + &key("ops", WRITE, "owner");
    daemon.home.configure(&config(&receiver, &bad));
    wait_until(LIMIT, "the bad config shows", || daemon.get("/readyz").json()["config"]["ok"] == false);
    assert_eq!((may(READ), may(WRITE), may(THIRD)), ([200, 200], [401, 401], [200, 403]));
    // Without any it is open to this machine, as a new install is.
    daemon.home.configure(&config(&receiver, ""));
    wait_until(LIMIT, "it is open", || daemon.get("/api/v1/heartbeats").status == 200);
    assert!(!daemon.stderr().contains(&hash), "{}", daemon.stderr());
}

#[test]
fn no_page_of_another_site_changes_anything_by_any_call() {
    let receiver = gone();
    let daemon = Daemon::start(&config(&receiver, ""));
    let delivery = fill(&daemon, &[]);
    let before = standing(&daemon, &[]);
    let rebound = format!("rebind.example.org:{}", daemon.home.port);
    let rebound_origin = format!("http://{rebound}");
    let text = ("Content-Type", "text/plain");
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for call in WRITES {
        let cases: [&[(&str, &str)]; 7] = [
            &[JSON, ("Origin", "https://example.org")],
            &[JSON, ("Origin", "null")],
            &[JSON, ("Sec-Fetch-Site", "cross-site")],
            &[JSON, ("Host", &rebound)],
            &[JSON, ("Host", &rebound), ("Origin", &rebound_origin), ("Sec-Fetch-Site", "same-origin")],
            &[text],
            &[form],
        ];
        for headers in cases {
            // What foreign pages can send without asking has a body, so that its type can be told.
            let plain = headers[0] != JSON && call.2.is_empty();
            let call = if plain { (call.0, call.1, "{}") } else { call };
            let answer = write(&daemon, call, &delivery, headers);
            assert_eq!(
                (answer.status, error_code(&answer)),
                (403, json!("forbidden")),
                "{call:?} {headers:?}"
            );
            assert_eq!(answer.header("access-control-allow-origin"), None, "{call:?}");
        }
        let preflight = [("Origin", "https://example.org"), ("Access-Control-Request-Method", call.0)];
        let asked = write(&daemon, ("OPTIONS", call.1, ""), &delivery, &preflight);
        assert_eq!((asked.status, asked.header("access-control-allow-origin")), (403, None), "{call:?}");
    }
    assert_eq!(standing(&daemon, &[]), before);
    assert_eq!(receiver.received().len(), 1);
}

#[test]
fn with_a_key_a_page_of_another_site_is_refused_too() {
    let receiver = gone();
    let daemon = Daemon::start(&config(&receiver, &key("ops", WRITE, "write")));
    let key = ("X-Api-Key", WRITE);
    let delivery = fill(&daemon, &[key]);
    let before = standing(&daemon, &[key]);
    for call in WRITES {
        for foreign in [("Origin", "https://example.org"), ("Sec-Fetch-Site", "cross-site")] {
            let answer = write(&daemon, call, &delivery, &[key, JSON, foreign]);
            assert_eq!(
                (answer.status, error_code(&answer)),
                (403, json!("forbidden")),
                "{call:?} {foreign:?}"
            );
        }
    }
    assert_eq!(standing(&daemon, &[key]), before);
}
