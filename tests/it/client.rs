//! A client for the daemon, small enough to see through: one request to a connection, no pool, no retries.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::ops::Deref;
use std::sync::Arc;
use std::thread;

use serde_json::Value;

use crate::harness::{Daemon, Home, LIMIT, secrets_of, wait_for};
use crate::secrets::Secrets;

/// What the daemon answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In their order, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// From the bytes of a connection that was closed after it.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        Some(Self { status, headers, body: bytes[end + 4..].to_vec() })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// Nothing when nobody can be reached at this port, or hangs up. What is answered is searched for the secrets of the home
/// that has the port.
pub(crate) fn try_request(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str("Host: localhost\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    head.push_str("\r\n");
    stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    let answer = Answer::parse(&bytes)?;
    let whose = format!("the answer to {method} {path}");
    for secrets in secrets_of(|one, _| one == port) {
        secrets.look(&whose, format!("{:?}", answer.headers).as_bytes());
        secrets.look_in_answer(&whose, headers, &answer.body);
    }
    Some(answer)
}

/// A bare connection; what was read from it is searched for secrets when it is dropped.
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
    secrets: Arc<Secrets>,
}

impl Deref for Connection {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.stream
    }
}

impl Read for Connection {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(into)?;
        self.read.extend_from_slice(&into[..read]);
        Ok(read)
    }
}

impl Write for Connection {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.stream.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.secrets.look("what a bare connection read", &self.read);
        }
    }
}

impl Home {
    /// A connection to whoever listens at its port.
    pub(crate) fn connect(&self) -> Connection {
        self.connected(TcpStream::connect(("127.0.0.1", self.port)).unwrap())
    }

    /// The same with a stream of one's own.
    pub(crate) fn connected(&self, stream: TcpStream) -> Connection {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        Connection { stream, read: Vec::new(), secrets: Arc::clone(&self.secrets) }
    }
}

impl Daemon {
    /// A connection to it.
    pub(crate) fn connect(&self) -> Connection {
        self.home.connect()
    }

    /// Nothing when it cannot be reached or hangs up.
    pub(crate) fn try_request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Answer> {
        try_request(self.home.port, method, path, headers, body)
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_request(method, path, headers, body)
            .unwrap_or_else(|| panic!("no answer to {method} {path}; the log: {}", self.stderr()))
    }

    pub(crate) fn try_get(&self, path: &str) -> Option<Answer> {
        self.try_request("GET", path, &[], b"")
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], b"")
    }

    /// A call with a body of JSON.
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("Content-Type", "application/json")];
        self.request(method, path, &headers, body.to_string().as_bytes())
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, body)
    }

    /// Makes a heartbeat through the API, and gives it back as the API does.
    pub(crate) fn create(&self, heartbeat: &Value) -> Value {
        let answer = self.post("/api/v1/heartbeats", heartbeat);
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    /// A heartbeat as the API shows it.
    pub(crate) fn heartbeat(&self, slug: &str) -> Value {
        let answer = self.get(&format!("/api/v1/heartbeats/{slug}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    pub(crate) fn uuid(&self, slug: &str) -> String {
        let uuid = self.heartbeat(slug)["uuid"].as_str().unwrap().to_owned();
        self.home.secrets.note_uuid(&uuid);
        uuid
    }

    /// Pings a heartbeat (`suffix` is "", "/start", "/3", "?rid=..."), which must be taken.
    pub(crate) fn ping(&self, uuid: &str, suffix: &str) {
        let answer = self.get(&format!("/ping/{uuid}{suffix}"));
        assert_eq!((answer.status, answer.text().as_str()), (200, "OK"), "/ping/{uuid}{suffix}");
    }

    /// Waits until a heartbeat has this status, and gives it back.
    pub(crate) fn wait_for_status(&self, slug: &str, status: &str) -> Value {
        wait_for(LIMIT, &format!("{slug} is {status}"), || {
            let heartbeat = self.heartbeat(slug);
            (heartbeat["status"] == status).then_some(heartbeat)
        })
    }
    /// The items of a page of the API: `incidents`, `heartbeats/db/pings?bodies=true`.
    pub(crate) fn items(&self, path: &str) -> Vec<Value> {
        let answer = self.get(&format!("/api/v1/{path}"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let whole = path.split('?').next().unwrap();
        let noun = whole.rsplit('/').next().unwrap();
        answer.json()[noun].as_array().unwrap().clone()
    }

    /// Waits until a delivery has this status, and gives it back.
    pub(crate) fn wait_for_delivery(&self, id: &str, status: &str) -> Value {
        wait_for(LIMIT, &format!("delivery {id} is {status}"), || {
            let delivery = self.get(&format!("/api/v1/deliveries/{id}")).json();
            (delivery["status"] == status).then_some(delivery)
        })
    }
}
