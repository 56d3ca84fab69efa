//! The stream of events: what a reader is told, and from where on.

use super::*;
use serde_json::Value;
use tokio::time::Instant;

use crate::machine::news::What;
use crate::model::ping::{Method, PingKind};

/// A reader of the stream: what it was told, an event at a time.
pub(super) struct Reader {
    stream: TcpStream,
    pub(super) head: String,
    /// What came and was not read yet, without the chunks' sizes.
    text: String,
    raw: Vec<u8>,
    /// How many chunks came.
    pub(super) pieces: usize,
    ended: bool,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub(super) word: String,
    pub(super) id: Option<u64>,
    pub(super) data: Value,
}

impl Reader {
    pub(super) async fn open(house: &House, query: &str, headers: &[(&str, &str)]) -> Self {
        Self::on(house.connect().await, query, headers).await
    }

    pub(super) async fn on(mut stream: TcpStream, query: &str, headers: &[(&str, &str)]) -> Self {
        let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let lines = lines.concat();
        let request = format!("GET /api/v1/events{query} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reader = Self {
            stream,
            head: String::new(),
            text: String::new(),
            raw: Vec::new(),
            pieces: 0,
            ended: false,
        };
        while !reader.raw.windows(4).any(|four| four == b"\r\n\r\n") {
            assert!(reader.fill().await, "no head");
        }
        let end = reader.raw.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        reader.head = String::from_utf8(reader.raw.drain(..end + 4).collect()).unwrap();
        reader
    }

    async fn fill(&mut self) -> bool {
        soon(self.stream.read_buf(&mut self.raw)).await.unwrap_or(0) > 0
    }

    /// Takes whole chunks out of what came.
    fn take_chunks(&mut self) {
        while let Some(line) = self.raw.windows(2).position(|two| two == b"\r\n") {
            let size = std::str::from_utf8(&self.raw[..line]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("no size: {size:?}"));
            if self.raw.len() < line + 2 + size + 2 {
                return;
            }
            self.text.push_str(std::str::from_utf8(&self.raw[line + 2..line + 2 + size]).unwrap());
            self.raw.drain(..line + 2 + size + 2);
            self.ended |= size == 0;
            self.pieces += 1;
        }
    }

    /// The next block, as it is.
    pub(super) async fn block(&mut self) -> Option<String> {
        loop {
            self.take_chunks();
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            if self.ended || !self.fill().await {
                return None;
            }
        }
    }

    /// The next event; none when the stream has ended. Comments do not put off for ever that none comes.
    pub(super) async fn next(&mut self) -> Option<Said> {
        soon(self.next_said()).await
    }

    async fn next_said(&mut self) -> Option<Said> {
        loop {
            let block = self.block().await?;
            let field =
                |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            let Some(word) = field("event:") else { continue };
            let data: Value = serde_json::from_str(&field("data:").unwrap()).unwrap();
            assert_eq!(data["type"], word.as_str());
            assert!(data["at"].is_string() && data.get("heartbeat").is_some(), "{data}");
            return Some(Said { word, id: field("id:").map(|id| id.parse().unwrap()), data });
        }
    }

    pub(super) async fn expect(&mut self, word: &str) -> Said {
        let said = self.next().await.unwrap_or_else(|| panic!("the stream ended before {word}"));
        assert_eq!(said.word, word, "{said:?}");
        said
    }
}

impl Desk {
    /// A ping that only goes on record, without the way through HTTP.
    pub(super) fn ping_of(&self, slug: &str) {
        let target = Target::Slug(Slug::new(slug).unwrap());
        let (at, kind, method) = (self.now(), PingKind::Log, Method::Get);
        self.tell(Event::Ping(Box::new(Ping {
            target,
            at,
            kind,
            rid: None,
            method,
            from: None,
            body: None,
        })));
    }
}

impl House {
    pub(super) async fn ping_of(&self, slug: &str, suffix: &str) {
        let answer = self.get(&format!("/ping/{}{suffix}", uuid_of(slug))).await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn a_reader_is_told_what_happens() {
    let house = House::open();
    let mut reader = Reader::open(&house, "", &[]).await;
    assert!(reader.head.starts_with("HTTP/1.1 200 "), "{}", reader.head);
    for line in
        ["content-type: text/event-stream", "cache-control: no-store", "x-content-type-options: nosniff"]
    {
        assert!(reader.head.lines().any(|one| one == line), "{line} in {}", reader.head);
    }
    let hello = reader.block().await.unwrap();
    assert!(hello.starts_with("event:hello\ndata:{\"type\":\"hello\",\"at\":\"2026-"), "{hello}");
    assert!(hello.ends_with("\nid:100\nretry:2000"), "{hello}");
    house.ping_of("backup", "/start").await;
    house.ping_of("backup", "/3").await;
    let start = reader.expect("ping").await;
    assert_eq!(
        (start.data["heartbeat"].as_str(), start.data["kind"].as_str()),
        (Some("backup"), Some("start"))
    );
    let end = reader.expect("ping").await;
    assert_eq!(end.data["exit_code"], 3);
    assert_eq!(end.data["run"], start.data["run"]);
    assert_eq!(end.data["outcome"], "failure");
    assert!(end.id > start.id && start.id > Some(100));
    let opened = reader.expect("incident.opened").await;
    assert_eq!(opened.data["cause"], "failed");
}

#[tokio::test]
async fn whoever_comes_back_goes_on_where_it_stopped() {
    let house = House::open();
    let mut all = Reader::open(&house, "", &[]).await;
    for _ in 0..5 {
        house.ping_of("backup", "").await;
    }
    let mut told = vec![all.expect("hello").await];
    for _ in 0..5 {
        told.push(all.expect("ping").await);
    }
    let ids: Vec<u64> = told.iter().map(|said| said.id.unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    for (n, id) in ids.iter().enumerate() {
        let id = id.to_string();
        let ways = [
            Reader::open(&house, "", &[("Last-Event-ID", &id)]).await,
            Reader::open(&house, &format!("?last_event_id={id}"), &[]).await,
            // A browser says the newer one by the header and the older one by the address that it was given.
            Reader::open(&house, "?last_event_id=100", &[("Last-Event-ID", &id)]).await,
        ];
        for mut reader in ways {
            let hello = reader.expect("hello").await;
            assert_eq!(hello.id, Some(ids[n]), "cut off here, it goes on from here");
            for said in &told[n + 1..] {
                assert_eq!(reader.next().await.as_ref(), Some(said));
            }
        }
    }
}

#[tokio::test]
async fn whoever_cannot_go_on_is_told_so() {
    // Before this life, after all that is, and nothing that was ever an id.
    for id in ["99", "0", "9999", "18446744073709551616", "abc", "-1", "1e3"] {
        let house = House::open();
        house.ping_of("backup", "").await;
        let mut reader = Reader::open(&house, "", &[("Last-Event-ID", id)]).await;
        assert_eq!(reader.expect("hello").await.id, None, "{id}");
        assert_eq!(reader.expect("lost").await.id, Some(101), "{id}");
        house.ping_of("rotate", "/log").await;
        let ping = reader.expect("ping").await;
        assert_eq!(ping.data["kind"], "log", "{id}: what was before is not told");
        let mut fresh = Reader::open(&house, "", &[("Last-Event-ID", "")]).await;
        assert_eq!(fresh.expect("hello").await.id, ping.id, "an empty id is none");
    }
    let house = House::open();
    for id in ["abc", "-1", "99999999999999999999"] {
        let answer = house.get(&format!("/api/v1/events?last_event_id={id}")).await;
        assert_eq!((answer.status, answer.field().as_deref()), (400, Some("last_event_id")), "{id}");
    }
    for query in ["heartbaet=backup", "heartbeat=backup&heartbeat=rotate"] {
        assert_eq!(house.get(&format!("/api/v1/events?{query}")).await.status, 400);
    }
}

#[tokio::test]
async fn a_reader_of_one_heartbeat_is_told_of_that_and_of_the_daemon() {
    let house = House::open();
    assert_eq!(house.get("/api/v1/events?heartbeat=nobody").await.status, 404);
    let by_slug = Reader::open(&house, "?heartbeat=rotate", &[]).await;
    let by_uuid = Reader::open(&house, &format!("?heartbeat={}", uuid_of("rotate")), &[]).await;
    house.ping_of("backup", "").await;
    house.ping_of("rotate", "").await;
    let mut readers = [by_slug, by_uuid];
    for reader in &mut readers {
        reader.expect("hello").await;
        assert_eq!(reader.expect("ping").await.data["heartbeat"], "rotate");
    }
    house.config.send_modify(|config| (config.ok, config.problems) = (false, vec!["a problem".to_owned()]));
    for reader in &mut readers {
        let config = reader.expect("config").await;
        assert_eq!(
            (config.id, &config.data["ok"], &config.data["problems"]),
            (None, &false.into(), &1.into())
        );
        assert!(!config.data.to_string().contains("a problem"));
    }
    house.desk.0.journal.send_replace(JournalHealth { error: Some("the disk is full".to_owned()) });
    for reader in &mut readers {
        let journal = reader.expect("journal").await;
        assert_eq!((journal.id, &journal.data["ok"]), (None, &false.into()));
    }
}

#[tokio::test]
async fn a_reader_of_one_heartbeat_is_told_how_far_the_others_are() {
    let house = House::open();
    let mut reader = Reader::open(&house, "?heartbeat=rotate", &[]).await;
    reader.expect("hello").await;
    for _ in 0..1_000 {
        house.desk.ping_of("backup");
    }
    assert_eq!(
        reader.block().await.unwrap(),
        "id:1100",
        "cut off now, it must not come back as one who lost something"
    );
    house.desk.ping_of("rotate");
    assert_eq!(reader.expect("ping").await.id, Some(1_101));
}

#[tokio::test]
async fn a_reader_that_comes_back_after_a_rename_is_told_what_was_before_it() {
    let house = House::open();
    let rename = |from: &str, to| news(&house, to, What::Renamed { from: Slug::new(from).unwrap() });
    house.desk.ping_of("rotate");
    rename("rotate", "other");
    news(&house, "other", What::Removed {});
    house.desk.ping_of("backup");
    rename("other", "backup");
    news(&house, "backup", What::Resumed {});
    let mut reader = Reader::open(&house, "?heartbeat=backup", &[("Last-Event-ID", "100")]).await;
    reader.expect("hello").await;
    for (word, slug) in [
        ("ping", "rotate"),
        ("heartbeat.renamed", "other"),
        ("heartbeat.removed", "other"),
        ("heartbeat.renamed", "backup"),
        ("heartbeat.resumed", "backup"),
    ] {
        assert_eq!(reader.expect(word).await.data["heartbeat"], slug);
    }
    house.desk.ping_of("backup");
    assert_eq!(reader.expect("ping").await.data["heartbeat"], "backup");
}

/// Tells news of a heartbeat as if they had come true.
fn news(house: &House, slug: &str, what: What) {
    let (last, feed) = &mut *house.desk.0.feed.lock().unwrap();
    *last = last.plus(1);
    let (at, heartbeat) = (Timestamp::from_millis(NOON), Some(Slug::new(slug).unwrap()));
    feed.tell(News { seq: *last, last: true, at, heartbeat, what }, true);
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive_by_comments() {
    let house = House::open();
    let mut reader = Reader::open(&house, "", &[]).await;
    reader.expect("hello").await;
    tokio::time::pause();
    for _ in 0..3 {
        let began = Instant::now();
        assert_eq!(reader.block().await.unwrap(), ":");
        assert_eq!(began.elapsed().as_secs(), 15);
    }
}
