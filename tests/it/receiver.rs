//! Receives webhooks, or stands in for a daemon: keeps every request with the moment at which it came, and
//! answers as it is told, or not at all. What it is sent is searched for secrets that are none of its business.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{LIMIT, secrets_of, wait_for, wait_until};

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    /// In their order, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(one, _)| one == name);
        &found.unwrap_or_else(|| panic!("no {name} in {self:?}")).1
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// What kind of alert it is: "incident.opened" and so on.
    pub(crate) fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    /// Whom it is about.
    pub(crate) fn slug(&self) -> String {
        self.json()["data"]["heartbeat"]["slug"].as_str().unwrap().to_owned()
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Status(u16),
    /// With a header more: `("Retry-After", "1")`.
    With(u16, &'static str, String),
    /// With a JSON body.
    Json(u16, Value),
    /// Nothing, until the client gives up.
    Hang,
    /// Whatever this does with the connection.
    Raw(fn(TcpStream)),
}

type Script = Box<dyn Fn(&Received) -> Reply + Send>;

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    received: Mutex<Vec<Received>>,
    /// Secrets that it was told and must not know, with the requests that told them.
    overheard: Mutex<Vec<String>>,
    port: u16,
    script: Mutex<Script>,
    /// Connections that were accepted and are not done with.
    open: AtomicUsize,
    stopped: AtomicBool,
}

impl Receiver {
    /// On a port of the system's choice; answers 200.
    pub(crate) fn start() -> Self {
        Self::start_on(0)
    }

    /// On this port; answers 200.
    pub(crate) fn start_on(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            overheard: Mutex::default(),
            port: address.port(),
            script: Mutex::new(Box::new(|_| Reply::Status(200))),
            open: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if own.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&own);
                shared.open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    // A client that hangs up is none of its business.
                    let answered = stream.ok().and_then(|stream| shared.answer(stream));
                    shared.open.fetch_sub(1, Ordering::SeqCst);
                    answered
                });
            }
        });
        Self { address, shared }
    }

    /// From now on it answers so.
    pub(crate) fn reply(&self, reply: Reply) {
        self.reply_with(move |_| reply.clone());
    }

    /// From now on each request is answered as `script` says.
    pub(crate) fn reply_with(&self, script: impl Fn(&Received) -> Reply + Send + 'static) {
        *self.shared.script.lock().unwrap() = Box::new(script);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A channel of a config that delivers to it, at an address that says too much to be told to anybody.
    pub(crate) fn channel(&self, name: &str) -> String {
        let url = self.url("/hook/whoever-knows-this-may-post?as=nobody-else-can");
        format!("[channels.{name}]\ntype = \"webhook\"\nurl = {url:?}\n")
    }

    /// All that came, in the order in which it was read.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.has_overheard_nothing();
        self.shared.received.lock().unwrap().clone()
    }

    /// Forgets the secrets that it was told: a test told them.
    pub(crate) fn forgive(&self) {
        self.shared.overheard.lock().unwrap().clear();
    }

    /// Waits until all that was sent so far has been read, whoever sent it may have died since.
    pub(crate) fn until_quiet(&self) {
        // Whoever connected before this is accepted before it.
        let mut last = TcpStream::connect(self.address).unwrap();
        last.shutdown(Shutdown::Write).unwrap();
        assert_eq!(last.read_to_end(&mut Vec::new()).unwrap(), 0);
        wait_until(LIMIT, "the receiver is quiet", || self.shared.open.load(Ordering::SeqCst) == 0);
    }

    /// Waits until this many came, and gives all back.
    pub(crate) fn wait_for(&self, number: usize) -> Vec<Received> {
        wait_for(LIMIT, &format!("{number} requests at the receiver"), || {
            let received = self.received();
            (received.len() >= number).then_some(received)
        })
    }

    /// Waits for an alert of this kind about this heartbeat, and gives the first back.
    pub(crate) fn wait_for_alert(&self, kind: &str, slug: &str) -> Received {
        wait_for(LIMIT, &format!("{kind} about {slug}"), || {
            self.received().into_iter().find(|one| one.kind() == kind && one.slug() == slug)
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Of a test that failed already the first failure counts.
        if !thread::panicking() {
            self.shared.has_overheard_nothing();
        }
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes it, and shows by a refusal that its port is free again.
        wait_until(LIMIT, "the receiver is gone", || {
            TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_err()
        });
    }
}

impl Shared {
    fn has_overheard_nothing(&self) {
        let overheard = self.overheard.lock().unwrap().clone();
        assert!(overheard.is_empty(), "a receiver is told secrets: {overheard:#?}");
    }

    /// Looks for what it must not know, while whoever sent it is there to be asked what that is.
    fn look(&self, received: &Received) {
        let headers = received.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
        let rest = headers.collect::<String>() + &*String::from_utf8_lossy(&received.body);
        for secrets in secrets_of(|_, _| true) {
            if let Some(secret) = secrets.told_to_receiver(self.port, &received.path, &rest) {
                self.overheard.lock().unwrap().push(format!("{secret:?} in {} {rest}", received.path));
            }
        }
    }

    fn answer(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            match line.trim_end() {
                "" if line.is_empty() => return None,
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let at = Instant::now();
        let mut first = head.first()?.split(' ').map(str::to_owned);
        let (method, path) = (first.next()?, first.next()?);
        let headers: Vec<(String, String)> = head[1..]
            .iter()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
        reader.read_exact(&mut body).ok()?;
        let received = Received { method, path, headers, body, at };
        self.look(&received);
        let reply = (self.script.lock().unwrap())(&received);
        self.received.lock().unwrap().push(received);
        reply.send(stream)
    }
}

impl Reply {
    fn send(&self, mut stream: TcpStream) -> Option<()> {
        let (status, more, body) = match self {
            Self::Status(status) => (status, String::new(), String::new()),
            Self::With(status, name, value) => (status, format!("{name}: {value}\r\n"), String::new()),
            Self::Json(status, body) => (status, String::new(), body.to_string()),
            Self::Hang => {
                let mut rest = Vec::new();
                return stream.read_to_end(&mut rest).ok().map(|_| ());
            }
            Self::Raw(act) => {
                act(stream);
                return Some(());
            }
        };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} As Told\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).ok()
    }
}
