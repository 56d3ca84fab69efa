//! Requests that no honest client sends, to every address of the API: none is an error of the daemon, and pings
//! go on.

use std::io::{Read, Write};

use crate::client::Answer;
use crate::harness::Daemon;

/// The heartbeat is the config's, so that no request here can change it.
const CALLS: [(&str, &str); 21] = [
    ("GET", "/api/v1/heartbeats"),
    ("POST", "/api/v1/heartbeats"),
    ("GET", "/api/v1/heartbeats/db"),
    ("PATCH", "/api/v1/heartbeats/db"),
    ("PUT", "/api/v1/heartbeats/db"),
    ("DELETE", "/api/v1/heartbeats/db"),
    ("PUT", "/api/v1/heartbeats/nobody"),
    ("POST", "/api/v1/heartbeats/db/pause"),
    ("POST", "/api/v1/heartbeats/db/resume"),
    ("GET", "/api/v1/heartbeats/db/pings"),
    ("GET", "/api/v1/heartbeats/db/runs"),
    ("GET", "/api/v1/heartbeats/db/executions"),
    ("GET", "/api/v1/heartbeats/db/stats"),
    ("GET", "/api/v1/incidents"),
    ("GET", "/api/v1/deliveries"),
    ("GET", "/api/v1/deliveries/67e55044-10b1-426f-9247-bb680e5fe0c8"),
    ("POST", "/api/v1/deliveries/67e55044-10b1-426f-9247-bb680e5fe0c8/retry"),
    ("POST", "/api/v1/channels/nobody/test"),
    ("GET", "/api/v1/summary"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/readyz"),
];

/// The status of what is answered to these bytes, or nothing when the connection is closed on them.
fn send(daemon: &Daemon, request: &[u8]) -> Option<u16> {
    let mut stream = daemon.connect();
    // A server that has seen enough may close while the rest is still on its way.
    stream.write_all(request).ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    Answer::parse(&answer).map(|answer| answer.status)
}

fn request(method: &[u8], path: &[u8], headers: &str, body: &[u8]) -> Vec<u8> {
    let mut head = Vec::new();
    head.extend([method, b" ", path, b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"].concat());
    head.extend(format!("{headers}Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    head.extend(body);
    head
}

fn bodies() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        "",
        "{",
        "nul",
        "[]",
        "\"text\"",
        "{}{}",
        "{\"name\":",
        "{\"name\":5,\"interval\":[]}",
        "{\"name\":{\"name\":{}},\"interval\":\"1h\"}",
        "{\"name\":\"x\",\"interval_seconds\":1e400}",
        "{\"name\":\"x\",\"interval_seconds\":99999999999999999999999999999999}",
        "{\"name\":\"x\",\"interval_seconds\":-9223372036854775808}",
        "{\"name\":\"x\",\"interval_seconds\":9223372036854775807,\"grace_seconds\":18446744073709551615}",
        "{\"name\":\"x\",\"interval\":\"99999999999999999999d\"}",
        "{\"for\":\"99999999999999999999h\"}",
        "{\"for\":9e99}",
        "{\"name\":\"a\\u0000b\",\"interval\":\"1h\"}",
        "{\"name\":\"\\ud800\",\"interval\":\"1h\"}",
        "{\"name\":\"x\",\"name\":\"y\",\"interval\":\"1h\"}",
        "{\"name\":\"x\",\"cron\":\"*/0 */0 99999999999 * *\"}",
        "{\"name\":\"x\",\"cron\":\"0 0 31 2 *\"}",
        "{\"name\":\"x\",\"cron\":\"0 0 * * *\",\"timezone\":\"../../etc/passwd\"}",
        "{\"name\":\"x\",\"interval\":\"1h\",\"channels\":[[[]]],\"tags\":{},\"methods\":[null]}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    all.push(vec![b'['; 100_000]);
    all.push([&b"{\"name\":"[..], &vec![b'['; 100_000]].concat());
    all.push(b"{\"a\":".repeat(100_000));
    all.push(b"{\"name\":\"\xff\xfe\xc0\",\"interval\":\"1h\"}".to_vec());
    all.push(b"\0\0\0\0".to_vec());
    all.push([&b"{\"name\":\""[..], &vec![b'x'; 900_000], b"\",\"interval\":\"1h\"}"].concat());
    all.push(
        [&b"{\"name\":\"x\",\"interval\":\"1h\",\"tags\":[\""[..], &vec![b'y'; 1_200_000], b"\"]}"].concat(),
    );
    all
}

/// How a test of these goes on: every answer is the client's fault, or is none at all.
struct Attack {
    daemon: Daemon,
    uuid: String,
    sent: u64,
    answered: u64,
}

impl Attack {
    fn begin() -> Self {
        let daemon = Daemon::start("[heartbeats.db]\ninterval = \"24h\"\n");
        let uuid = daemon.uuid("db");
        Self { daemon, uuid, sent: 0, answered: 0 }
    }

    fn send(&mut self, request: &[u8], told: &str) -> Option<u16> {
        let status = send(&self.daemon, request);
        assert!(status.is_none_or(|status| (200..500).contains(&status)), "{status:?} to {told}");
        self.sent += 1;
        self.answered += u64::from(status.is_some());
        if self.sent.is_multiple_of(20) {
            self.daemon.ping(&self.uuid, "");
        }
        status
    }

    /// Nothing was made, changed or blamed on the daemon.
    fn end(self, least: u64) {
        assert!(self.sent >= least, "only {}", self.sent);
        assert!(self.answered > self.sent / 2, "only {} of {} were answered", self.answered, self.sent);
        self.daemon.ping(&self.uuid, "");
        let heartbeats = self.daemon.items("heartbeats");
        assert_eq!(heartbeats.len(), 1, "{heartbeats:?}");
        assert_eq!((&heartbeats[0]["slug"], &heartbeats[0]["status"]), (&"db".into(), &"up".into()));
        assert_eq!(heartbeats[0]["pings_total"], self.sent / 20 + 1);
        let ended = self.daemon.stop_and_tell();
        assert_eq!(ended.code, 0);
        let wrong = ended.stderr.lines().find(|line| line.contains("panicked") || line.contains("ERROR"));
        assert_eq!(wrong, None);
    }
}

#[test]
fn no_body_makes_the_daemon_stumble() {
    let mut attack = Attack::begin();
    let bodies = bodies();
    for (method, path) in CALLS {
        for (n, body) in bodies.iter().enumerate() {
            // A call that reads no body is not more interesting for a large one, only slower.
            if body.len() > 100_000 && !path.starts_with("/api/v1/heartbeats") {
                continue;
            }
            let request =
                request(method.as_bytes(), path.as_bytes(), "Content-Type: application/json\r\n", body);
            let told = format!("{method} {path} with body {n}");
            let status = attack.send(&request, &told);
            let takes_one = matches!(method, "POST" | "PUT" | "PATCH") && !path.ends_with("/resume");
            let optional = path.ends_with("/pause") && body.is_empty();
            if takes_one && !optional {
                assert!(status.is_none_or(|status| status >= 400), "{status:?} to {told}");
            }
        }
    }
    attack.daemon.request("POST", "/api/v1/heartbeats/db/resume", &[], b"");
    attack.end(500);
}

#[test]
fn no_path_query_or_method_makes_the_daemon_stumble() {
    let mut attack = Attack::begin();
    let long = "a".repeat(60_000);
    let longer = "a".repeat(600_000);
    let queries: [&[u8]; 14] = [
        b"?limit=99999999999999999999999",
        b"?limit=-1",
        b"?limit=0&limit=1",
        b"?cursor=%00",
        b"?cursor=9999999999999999999",
        b"?cursor=-999999999999999_00000000000000000000000000000000",
        b"?status=%ff%fe",
        b"?q=%",
        b"?%zz=%zz&&&===",
        b"?bodies=\xff\xfe",
        b"?incident=nonsense&bodies=maybe",
        &[b"?q=", long.as_bytes()].concat(),
        &[b"?", longer.as_bytes()].concat(),
        &b"?a=b&".repeat(10_000),
    ];
    let names: [&[u8]; 12] = [
        b"%00",
        b"\xff\xfe",
        b"..%2f..%2fetc%2fpasswd",
        b"../../../etc/passwd",
        b"db%20",
        b"db\0",
        b"DB",
        b"",
        b"00000000-0000-0000-0000-000000000000",
        b"{slug}",
        long.as_bytes(),
        longer.as_bytes(),
    ];
    let methods: [&[u8]; 8] =
        [b"BREW", b"TRACE", b"OPTIONS", b"CONNECT", b"get", b"\xff", b"HEAD", &[b'A'; 5_000]];
    for (method, path) in CALLS {
        for (n, query) in queries.iter().enumerate() {
            let path = [path.as_bytes(), query].concat();
            let told =
                format!("{method} {} with query {n}", String::from_utf8_lossy(&path[..40.min(path.len())]));
            attack.send(&request(method.as_bytes(), &path, "", b""), &told);
        }
        for other in methods {
            let told = format!("{} {path}", String::from_utf8_lossy(other));
            let status = attack.send(&request(other, path.as_bytes(), "", b""), &told);
            assert!(other == b"HEAD" || status.is_none_or(|status| status >= 400), "{status:?} to {told}");
        }
    }
    for name in names {
        for (method, before, after) in [
            ("GET", "heartbeats/", ""),
            ("DELETE", "heartbeats/", ""),
            ("GET", "heartbeats/", "/pings"),
            ("GET", "deliveries/", ""),
            ("POST", "deliveries/", "/retry"),
            ("POST", "channels/", "/test"),
        ] {
            let path = [b"/api/v1/", before.as_bytes(), name, after.as_bytes()].concat();
            let told = format!("{method} {}", String::from_utf8_lossy(&path[..60.min(path.len())]));
            attack.send(&request(method.as_bytes(), &path, "", b""), &told);
        }
    }
    attack.daemon.request("POST", "/api/v1/heartbeats/db/resume", &[], b"");
    attack.end(400);
}

#[test]
fn no_header_makes_the_daemon_stumble() {
    let mut attack = Attack::begin();
    let long = "x".repeat(100_000);
    for header in [
        "If-Match: \"\"\r\n".to_owned(),
        "If-Match: *, *\r\n".to_owned(),
        format!("If-Match: {}\r\n", "\"a\",".repeat(5_000)),
        "If-None-Match: *\r\nIf-Match: *\r\n".to_owned(),
        "Content-Type: \r\n".to_owned(),
        "Content-Type: application/json\r\nContent-Type: text/plain\r\n".to_owned(),
        "Content-Length: 5\r\n".to_owned(),
        "Content-Length: -1\r\n".to_owned(),
        "Content-Length: 99999999999999999999\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n".to_owned(),
        "Transfer-Encoding: nonsense\r\n".to_owned(),
        "Authorization: Bearer \r\n".to_owned(),
        "Origin: ://\r\n".to_owned(),
        "Host: [::1\r\n".to_owned(),
        format!("X-Long: {long}\r\n"),
        "X: y\r\n".repeat(500),
        "no colon\r\n".to_owned(),
        "Expect: 100-continue\r\n".to_owned(),
    ] {
        for (method, path) in CALLS {
            // A body that is announced and does not come would be waited for; it comes for the most part.
            let request = request(method.as_bytes(), path.as_bytes(), &header, b"0\r\n\r\n");
            attack.send(&request, &format!("{method} {path} with {}", &header[..30.min(header.len())]));
        }
    }
    attack.end(300);
}
