//! The whole door over real sockets, in front of a real machine without a disk.

mod access;
mod api;
mod badges;
mod connections;
mod events;
mod limits;
mod manage;
mod metrics;
mod page;
mod pings;
mod places;
mod streams;
mod wide;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;

use crate::engine::clock::{Frame, Stamp};
use crate::engine::feed::{Feed, Following};
use crate::engine::handle::{JournalHealth, Refused};
use crate::engine::measures::Measures;
use crate::http::seam::Engine;
use crate::http::serve::Listener;
use crate::http::{ConfigHealth, Door, HttpSettings, serve};
use crate::machine::Machine;
use crate::machine::event::{Event, Reload, Reply, Request, Ticket};
use crate::machine::news::News;
use crate::machine::state::State;
use crate::machine::view::View;
use crate::model::heartbeat::{Draft, namespace};
use crate::model::id::{Life, Seq, Slug};
use crate::model::ping::{Ping, Target};
use crate::model::schedule::{Timing, Zones};
use crate::model::settings::Settings;
use crate::model::time::{Span, Timestamp};

/// Nothing here takes this long unless it never happens.
const LIMIT: Duration = Duration::from_secs(20);
const KEY: &str = "a-ping-key-of-many-letters";
const NOON: i64 = 1_795_348_800_000;
/// The last record of the life before.
const RECOVERED: Seq = Seq(100);

/// Stands for the engine: the same decisions, at once, without a disk.
#[derive(Debug, Clone)]
struct Desk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    machine: Mutex<Machine>,
    /// The last record, and the news of all.
    feed: Mutex<(Seq, Feed)>,
    clock: AtomicI64,
    tickets: AtomicU64,
    refuse: Mutex<Option<Refused>>,
    stuck: Mutex<bool>,
    journal: watch::Sender<JournalHealth>,
    measures: Measures,
    pings: watch::Sender<Vec<Ping>>,
    /// Waits for bodies that are under way.
    heard: watch::Sender<usize>,
}

struct Heard {
    desk: Desk,
    ticket: Ticket,
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.desk.tell(Event::Unheard { ticket: self.ticket });
        self.desk.0.heard.send_modify(|heard| *heard -= 1);
    }
}

impl Desk {
    fn new() -> Self {
        let mut machine = Machine::restore(State::default(), Zones::bundled());
        let at = Timestamp::from_millis(NOON);
        machine
            .handle(Event::Began { life: Life(Uuid::from_u128(1)), version: "0".to_owned(), boot: None }, at);
        machine.handle(Event::Hearing, at);
        let settings = Settings { namespace: namespace(KEY), ..Settings::default() };
        let draft = Draft::new(Timing::Interval(Span::from_secs(86_400)));
        let heartbeats = ["backup", "rotate"].map(|slug| {
            Arc::new(draft.settle(Slug::new(slug).unwrap(), &settings.defaults, settings.namespace))
        });
        let reload = Reload { settings, channels: Arc::new([]), heartbeats: Arc::new(heartbeats) };
        machine.handle(Event::Reloaded(Box::new(reload)), at);
        while machine.is_reloading() {
            machine.handle(Event::Tick, at);
        }
        Self(Arc::new(Inner {
            machine: Mutex::new(machine),
            feed: Mutex::new((RECOVERED, Feed::new(RECOVERED))),
            clock: AtomicI64::new(NOON),
            tickets: AtomicU64::new(1),
            refuse: Mutex::new(None),
            stuck: Mutex::new(false),
            journal: watch::Sender::default(),
            measures: Measures::default(),
            pings: watch::Sender::new(Vec::new()),
            heard: watch::Sender::new(0),
        }))
    }

    fn tell(&self, event: Event) -> Reply {
        let mut machine = self.0.machine.lock().unwrap();
        let transition = machine.handle(event, self.now());
        let (last, feed) = &mut *self.0.feed.lock().unwrap();
        for record in &transition.records {
            *last = last.plus(1);
            let mut news = Vec::new();
            News::tell(*last, record, machine.state(), &mut news);
            for news in news {
                feed.tell(news, true);
            }
        }
        transition.reply
    }

    fn set_clock(&self, millis: i64) {
        self.0.clock.store(millis, Ordering::SeqCst);
    }

    fn refuse(&self, refused: Option<Refused>) {
        *self.0.refuse.lock().unwrap() = refused;
    }

    fn refused(&self) -> Result<(), Refused> {
        self.0.refuse.lock().unwrap().map_or(Ok(()), Err)
    }

    fn pings(&self) -> Vec<Ping> {
        self.0.pings.borrow().clone()
    }

    /// Waits until so many pings have been handed over.
    async fn after_pings(&self, n: usize) -> Vec<Ping> {
        let mut pings = self.0.pings.subscribe();
        soon(async { pings.wait_for(|pings| pings.len() >= n).await.unwrap().clone() }).await
    }

    /// Waits until so many bodies are under way.
    async fn until_heard(&self, n: usize) {
        let mut heard = self.0.heard.subscribe();
        soon(async { heard.wait_for(|heard| *heard == n).await.map(|_| ()).unwrap() }).await;
    }
}

impl Engine for Desk {
    type Heard = Heard;

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.clock.load(Ordering::SeqCst))
    }

    fn stamp(&self) -> Stamp {
        Stamp { at: self.now(), frame: Frame::default() }
    }

    async fn ping(&self, ping: Ping, _frame: Frame) -> Result<Reply, Refused> {
        self.refused()?;
        let reply = self.tell(Event::Ping(Box::new(ping.clone())));
        if reply == Reply::Taken {
            self.0.pings.send_modify(|pings| pings.push(ping));
        }
        // The real one answers only after the disk.
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        Ok(reply)
    }

    fn hear(&self, target: Target, Stamp { at, .. }: Stamp) -> Result<Heard, Refused> {
        self.refused()?;
        let ticket = Ticket(self.0.tickets.fetch_add(1, Ordering::SeqCst));
        self.tell(Event::Heard { ticket, target, at });
        self.0.heard.send_modify(|heard| *heard += 1);
        Ok(Heard { desk: self.clone(), ticket })
    }

    async fn request(&self, request: Request) -> Result<Reply, Refused> {
        self.refused()?;
        Ok(self.tell(Event::Request(Box::new(request))))
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(View<'_>) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        self.blocking_ask(question)
    }

    fn blocking_ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(View<'_>) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        self.refused()?;
        Ok(question(self.0.machine.lock().unwrap().view(self.now())))
    }

    async fn follow(&self, after: Option<Seq>) -> Result<Following, Refused> {
        self.refused()?;
        Ok(self.0.feed.lock().unwrap().1.follow(after))
    }

    async fn turn(&self) -> Result<(), Refused> {
        if *self.0.stuck.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        self.refused()
    }

    fn journal(&self) -> watch::Receiver<JournalHealth> {
        self.0.journal.subscribe()
    }

    fn measures(&self) -> Measures {
        self.0.measures.clone()
    }
}

/// A running door.
struct House {
    desk: Desk,
    door: Arc<Door<Desk>>,
    address: SocketAddr,
    settings: watch::Sender<Arc<HttpSettings>>,
    config: watch::Sender<ConfigHealth>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl House {
    fn open() -> Self {
        Self::with(1024, |_| {})
    }

    fn with(max_connections: usize, change: impl FnOnce(&mut HttpSettings)) -> Self {
        let desk = Desk::new();
        let mut settings = HttpSettings::for_tests();
        change(&mut settings);
        let settings = watch::Sender::new(Arc::new(settings));
        let loaded_at = Timestamp::from_millis(NOON);
        let config = watch::Sender::new(ConfigHealth {
            ok: true,
            loaded_at,
            problems: Vec::new(),
            warnings: Vec::new(),
            warnings_total: 0,
            needs_restart: Vec::new(),
        });
        let door = Door::new(desk.clone(), settings.subscribe(), config.subscribe());
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { stopped.await.unwrap_or(()) };
        let served = tokio::spawn(serve(vec![listener], Arc::clone(&door), max_connections, stopped));
        Self { desk, door, address, settings, config, stop: Some(stop), served }
    }

    async fn connect(&self) -> TcpStream {
        soon(TcpStream::connect(self.address)).await.unwrap()
    }

    /// Sends a request as it is, on a connection of its own, and reads until the end.
    async fn raw(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(request.as_ref()).await.unwrap();
        read_all(&mut stream).await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let host = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
        let length = body.len().to_string();
        let own = [("Connection", "close"), ("Host", "localhost"), ("Content-Length", &length)];
        let own = own.iter().filter(|(name, _)| match *name {
            "Host" => !host,
            "Content-Length" => !body.is_empty(),
            _ => true,
        });
        let lines: Vec<_> = own.chain(headers).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        self.raw(format!("{method} {path} HTTP/1.1\r\n{}\r\n{body}", lines.concat())).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    async fn post_json(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &[("Content-Type", "application/json")], body).await
    }
}

/// An answer, taken apart.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The field that an error names.
    fn field(&self) -> Option<String> {
        self.json()["error"]["field"].as_str().map(str::to_owned)
    }

    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.expect("it should have happened long ago")
}

/// Reads one answer until the other end closes; a reset ends it too.
async fn read_all(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let read = soon(async {
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) => return Ok::<_, io::Error>(()),
                Ok(n) => bytes.extend_from_slice(&buffer[..n]),
                Err(error) => return Err(error),
            }
        }
    })
    .await;
    assert!(read.is_ok() || !bytes.is_empty(), "no answer: {read:?}");
    take_apart(&String::from_utf8(bytes).unwrap())
}

fn take_apart(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

fn uuid_of(slug: &str) -> Uuid {
    Uuid::new_v5(&namespace(KEY), slug.as_bytes())
}
