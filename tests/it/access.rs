//! Who may use the API, over real HTTP: keys and roles, the rules without keys, and that no secret is in
//! the log.

use serde_json::{Value, json};

use crate::client::Answer;
use crate::harness::{Daemon, Home, LIMIT, curl, wait_until};
use crate::receiver::{Receiver, Reply};

const READ: &str = "read-key-0123456789";
const WRITE: &str = "write-key-0123456789";
const KEYS: &str = r#"[[server.api_keys]]
name = "dashboard"
key = "read-key-0123456789"
role = "read"
[[server.api_keys]]
name = "ops"
key = "write-key-0123456789"
role = "write"
"#;
const HEARTBEAT: &str = "[heartbeats.db]\ninterval = \"24h\"\n";
const NEW: &[u8] = br#"{"name":"New one","interval":"1h"}"#;
const JSON: (&str, &str) = ("Content-Type", "application/json");

fn with_keys() -> Daemon {
    Daemon::start(&format!("{HEARTBEAT}[server]\n{KEYS}"))
}

fn bearer(key: &str) -> (&'static str, String) {
    ("Authorization", format!("Bearer {key}"))
}

fn error_code(answer: &Answer) -> String {
    answer.json()["error"]["code"].as_str().unwrap().to_owned()
}

fn list(daemon: &Daemon, headers: &[(&str, &str)]) -> Answer {
    daemon.request("GET", "/api/v1/heartbeats", headers, b"")
}

#[test]
fn with_keys_a_call_needs_one_whose_role_allows_it() {
    let daemon = with_keys();
    let path = "/api/v1/heartbeats";
    for key in [None, Some("another-key-0123456789"), Some(""), Some("read-key-012345678")] {
        let authorization = key.map(bearer);
        let header: Vec<(&str, &str)> =
            authorization.iter().map(|(name, key)| (*name, key.as_str())).collect();
        for (method, body) in [("GET", &b""[..]), ("POST", NEW)] {
            let answer = daemon.request(method, path, &[&header[..], &[JSON]].concat(), body);
            assert_eq!((answer.status, error_code(&answer).as_str()), (401, "unauthorized"), "{key:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    let (name, read) = bearer(READ);
    let answer = daemon.request("POST", path, &[(name, &read), JSON], NEW);
    assert_eq!((answer.status, error_code(&answer).as_str()), (403, "forbidden"));
    for header in [(name, read.as_str()), ("X-Api-Key", READ)] {
        assert_eq!(list(&daemon, &[header]).json()["heartbeats"].as_array().unwrap().len(), 1);
    }
    let (_, write) = bearer(WRITE);
    for header in [(name, write.as_str()), ("x-api-key", WRITE)] {
        assert_eq!(list(&daemon, &[header]).status, 200);
    }
    assert_eq!(daemon.request("POST", path, &[(name, &write), JSON], NEW).status, 201);
}

#[test]
fn a_read_key_sees_neither_uuid_nor_ping_url() {
    let daemon = with_keys();
    let one = |key| daemon.request("GET", "/api/v1/heartbeats/db", &[("X-Api-Key", key)], b"");
    let (read, write) = (one(READ).json(), one(WRITE).json());
    let uuid = write["uuid"].as_str().unwrap();
    assert_eq!(write["ping_url"], format!("{}/ping/{uuid}", daemon.home.url()));
    let hidden = |value: &Value| value.get("uuid").is_none() && value.get("ping_url").is_none();
    assert!(hidden(&read) && !read.to_string().contains(uuid), "{read}");
    assert_eq!(read["slug"], "db");
    let all = list(&daemon, &[("X-Api-Key", READ)]);
    assert!(hidden(&all.json()["heartbeats"][0]) && !all.text().contains(uuid));
}

#[test]
fn pings_and_health_need_no_key_and_problems_are_told_only_to_those_who_may_read() {
    let daemon = Daemon::start(&format!("{HEARTBEAT}[server]\n{KEYS}"));
    let write = daemon.request("GET", "/api/v1/heartbeats/db", &[("X-Api-Key", WRITE)], b"");
    daemon.ping(write.json()["uuid"].as_str().unwrap(), "");
    assert_eq!(daemon.get("/healthz").status, 200);
    daemon.home.configure(&format!("[heartbeats.db]\nintervall = \"1h\"\n[server]\n{KEYS}"));
    wait_until(LIMIT, "the bad config shows", || daemon.get("/readyz").json()["config"]["ok"] == false);
    let stranger = daemon.get("/readyz");
    assert_eq!(stranger.status, 200, "the old config works");
    assert_eq!(stranger.json()["config"]["problems"], 2);
    assert!(!stranger.text().contains("intervall"), "{}", stranger.text());
    let insider = daemon.request("GET", "/readyz", &[("X-Api-Key", READ)], b"").json();
    let problems = insider["config"]["problems"].to_string();
    assert!(problems.contains("did you mean") && problems.contains("config.toml:2:1"), "{problems}");
}

#[test]
fn without_keys_only_this_machine_straight_and_by_its_own_name_is_answered() {
    let daemon = Daemon::start(HEARTBEAT);
    let port = daemon.home.port;
    for host in
        ["localhost".to_owned(), format!("127.0.0.1:{port}"), format!("[::1]:{port}"), "LOCALHOST".to_owned()]
    {
        assert_eq!(list(&daemon, &[("Host", &host)]).status, 200, "{host}");
    }
    let own = format!("http://127.0.0.1:{port}");
    assert_eq!(list(&daemon, &[("Host", &own[7..]), ("Origin", &own)]).status, 200);
    assert_eq!(list(&daemon, &[("Sec-Fetch-Site", "same-origin")]).status, 200);
    let uuid = daemon.uuid("db");
    let foreign = [
        ("Host", "overdue.example.org"),
        ("Host", "192.0.2.7:8080"),
        ("Host", "localhost.example.org"),
        ("Origin", "https://example.org"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Host", "localhost"),
        ("X-Forwarded-Proto", "http"),
        ("Forwarded", "for=127.0.0.1"),
        ("Via", "1.1 proxy"),
    ];
    for header in foreign {
        for (method, body) in [("GET", &b""[..]), ("POST", NEW)] {
            let answer = daemon.request(method, "/api/v1/heartbeats", &[header, JSON], body);
            assert_eq!((answer.status, error_code(&answer).as_str()), (403, "forbidden"), "{header:?}");
        }
        // A ping is open to all: the UUID is the secret.
        let ping = daemon.request("GET", &format!("/ping/{uuid}"), &[header], b"");
        assert_eq!(ping.status, 200, "{header:?}");
    }
    let refused = list(&daemon, &[("Host", "overdue.example.org")]);
    assert!(refused.text().contains("[[server.api_keys]]"), "it says how to set a key: {}", refused.text());
    assert_eq!(list(&daemon, &[]).json()["heartbeats"].as_array().unwrap().len(), 1);
}

#[test]
fn without_keys_a_body_is_taken_only_as_json() {
    let daemon = Daemon::start(HEARTBEAT);
    let url = daemon.url("/api/v1/heartbeats");
    let body = std::str::from_utf8(NEW).unwrap();
    // What forms and scripts of foreign pages can send without asking first, and nothing at all.
    for content in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/json",
        "",
    ] {
        let content = format!("Content-Type: {content}");
        let ended = curl(&["-o", "/dev/null", "-w", "%{http_code}", "-H", content.trim(), "-d", body, &url]);
        assert_eq!(ended.stdout, "403", "{content}");
    }
    let content = "Content-Type: application/json; charset=utf-8";
    let ended = curl(&["-o", "/dev/null", "-w", "%{http_code}", "-H", content, "-d", body, &url]);
    assert_eq!(ended.stdout, "201");
}

#[test]
fn without_keys_the_api_is_closed_when_it_can_be_reached_from_elsewhere_and_pings_are_open() {
    let home = Home::new("");
    let on_network = format!("listen = \"0.0.0.0:{}\"\n", home.port);
    let public = "base_url = \"https://overdue.example.org\"\n".to_owned();
    for line in [on_network, public] {
        home.configure(&format!(
            "[heartbeats.db]\ninterval = \"24h\"\n[server]\nping_key = \"{WRITE}-{READ}\"\n{line}"
        ));
        let daemon = Daemon::start_in(&home);
        let answer = list(&daemon, &[]);
        assert_eq!(answer.status, 403, "{line}");
        assert!(answer.text().contains("[[server.api_keys]]"), "{}", answer.text());
        assert_eq!(daemon.get(&format!("/ping/{WRITE}-{READ}/db")).status, 200);
        assert_eq!(daemon.get("/readyz").status, 200);
        let key = format!("{HEARTBEAT}[server]\n{line}{KEYS}");
        assert_eq!(daemon.stop(), 0);
        home.configure(&key);
        assert_eq!(list(&Daemon::start_in(&home), &[("X-Api-Key", READ)]).status, 200, "{line}");
    }
}

#[test]
fn a_sign_in_that_fails_is_in_the_log_with_its_address_and_without_its_key() {
    let proxies = "[server]\ntrusted_proxies = [\"127.0.0.1/32\"]\n";
    let daemon = Daemon::start(&format!("{HEARTBEAT}{proxies}{KEYS}"));
    let headers =
        [("Content-Type", "application/x-www-form-urlencoded"), ("X-Forwarded-For", "198.51.100.7")];
    let answer = daemon.request("POST", "/login", &headers, b"key=a-key-of-nobody-here");
    assert_eq!(answer.status, 401);
    let told = "a sign-in to the page failed from 198.51.100.7";
    wait_until(LIMIT, "the log tells it", || {
        daemon.stderr().lines().any(|line| line.contains("WARN") && line.contains(told))
    });
    assert!(!daemon.stderr().contains("a-key-of-nobody-here"));
}

#[test]
fn no_secret_is_ever_in_the_log() {
    let receiver = Receiver::start();
    receiver.reply(Reply::Status(500));
    let hook = format!("http://user:hook-password@{}/hook-token?more=hook-query", receiver.address);
    let home = Home::new(&format!(
        "{HEARTBEAT}[defaults]\nchannels = [\"ops\"]\n[channels.ops]\ntype = \"webhook\"\nurl = \"{hook}\"\n\
         secret = \"hook-secret\"\nheaders = {{ \"X-Token\" = \"hook-header\" }}\nretry_for = \"0s\"\n\
         [server]\nping_key = \"the-ping-key-0123456789\"\n{KEYS}",
    ));
    let mut command = home.command(&["serve", "--config", "config.toml"]);
    let daemon = Daemon::start_as(&home, command.env("OVERDUE_LOG", "trace"));
    let one = daemon.request("GET", "/api/v1/heartbeats/db", &[("X-Api-Key", WRITE)], b"").json();
    let uuid = one["uuid"].as_str().unwrap();
    daemon.ping(uuid, "/1");
    daemon.ping("the-ping-key-0123456789/db", "");
    daemon.get(&format!("/ping/{uuid}/nonsense"));
    list(&daemon, &[("X-Api-Key", READ)]);
    list(&daemon, &[("Authorization", "Bearer a-wrong-key-0123456789")]);
    receiver.wait_for(2);
    // A bad config, whose problems are logged, with the secrets in it.
    daemon.home.configure(&format!("{HEARTBEAT}uuid = \"{uuid}\"\n[server]\nping_key = 5\n{KEYS}role = 7\n"));
    wait_until(LIMIT, "the bad config shows", || daemon.get("/readyz").json()["config"]["ok"] == false);
    wait_until(LIMIT, "it is given up", || daemon.stderr().lines().any(|line| line.contains("ERROR")));
    let ended = daemon.stop_and_tell();
    assert_eq!(ended.code, 0);
    let log = format!("{}{}", ended.stdout, ended.stderr);
    assert!(log.contains("db"), "it says something: {log}");
    let secrets = ["hook-password", "hook-token", "hook-query", "hook-secret", "hook-header"];
    for secret in
        [uuid, &uuid.replace('-', ""), "the-ping-key", READ, WRITE, "a-wrong-key"].iter().chain(&secrets)
    {
        let found = log.lines().find(|line| line.contains(secret));
        assert_eq!(found, None, "{secret}");
    }
}

#[test]
fn keys_may_come_from_the_environment_a_file_or_a_credential() {
    let home = Home::new(&format!(
        "{HEARTBEAT}[server]\n[[server.api_keys]]\nname = \"env\"\nkey = {{ env = \"THE_KEY\" }}\nrole = \"write\"\n\
         [[server.api_keys]]\nname = \"file\"\nkey = {{ file = \"key.txt\" }}\nrole = \"read\"\n\
         [[server.api_keys]]\nname = \"unit\"\nkey = {{ credential = \"ops-key\" }}\nrole = \"read\"\n"
    ));
    std::fs::create_dir(home.path("credentials")).unwrap();
    std::fs::write(home.path("credentials/ops-key"), "key-of-a-credential\n").unwrap();
    std::fs::write(home.path("key.txt"), "key-of-a-file-0123\n").unwrap();
    let missing = home.serve_in_vain();
    assert_eq!(missing.code, 78);
    assert!(missing.stderr.contains("THE_KEY"), "{}", missing.stderr);
    let mut command = home.command(&["serve", "--config", "config.toml"]);
    command.env("CREDENTIALS_DIRECTORY", home.path("credentials"));
    let daemon = Daemon::start_as(&home, command.env("THE_KEY", "key-of-the-environment"));
    assert_eq!(list(&daemon, &[("X-Api-Key", "key-of-a-credential")]).status, 200);
    assert_eq!(list(&daemon, &[("X-Api-Key", "key-of-a-file-0123")]).status, 200);
    let one = daemon.request("GET", "/api/v1/heartbeats/db", &[("X-Api-Key", "key-of-the-environment")], b"");
    assert_ne!(one.json()["uuid"], json!(null));
}
