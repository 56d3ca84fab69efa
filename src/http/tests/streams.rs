//! Streams at their limits: readers that are slow, that are many, that may not read, and a daemon that stops.

use super::events::Reader;
use super::*;
use sha2::{Digest, Sha256};
use tokio::net::TcpSocket;
use tokio::time::Instant;

use crate::config::{ApiKey, Role};

/// As much as the buffers between the two ends can hold, and more than a reader may be behind.
const FLOOD: usize = 60_000;

/// A connection that takes little at once.
async fn narrow(house: &House) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    soon(socket.connect(house.address)).await.unwrap()
}

/// Lets more happen than a reader that reads nothing can hold, with pings answered meanwhile. A reader that reads is
/// let come along: how quick the machine is decides nothing.
async fn flood(house: &House, read: Option<watch::Receiver<u64>>) {
    let mut read = read;
    for n in 0..FLOOD {
        house.desk.ping_of("rotate");
        if let Some(read) = read.as_mut().filter(|_| n % 1_000 == 0) {
            soon(read.wait_for(|read| *read >= 100 + n as u64)).await.unwrap();
        }
        if n % 50 == 0 {
            tokio::task::yield_now().await;
        }
        if n % 5_000 == 0 {
            let began = Instant::now();
            house.ping_of("backup", "/log").await;
            assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        }
    }
}

#[tokio::test]
async fn a_slow_reader_is_told_that_it_lost_something_and_nobody_waits_for_it() {
    let house = House::open();
    let mut slow = Reader::on(narrow(&house).await, "", &[]).await;
    let mut quick = Reader::open(&house, "", &[]).await;
    let (tell, read) = watch::channel(100);
    let watching = tokio::spawn(async move {
        let mut last = quick.expect("hello").await.id.unwrap();
        while last < 100 + FLOOD as u64 {
            let ping = quick.expect("ping").await;
            assert_eq!(ping.id, Some(last + 1), "the quick one misses nothing");
            last += 1;
            tell.send_replace(last);
        }
    });
    flood(&house, Some(read)).await;
    watching.await.unwrap();
    let mut last = slow.expect("hello").await.id.unwrap();
    let farewell = loop {
        let said = slow.next().await.expect("it is told before the end");
        if said.word != "ping" {
            break said;
        }
        assert_eq!(said.id, Some(last + 1));
        last += 1;
    };
    assert_eq!((farewell.word.as_str(), farewell.id), ("lost", None));
    assert_eq!(slow.next().await, None, "and its stream ends");
    let mut again = Reader::open(&house, "", &[("Last-Event-ID", &last.to_string())]).await;
    assert_eq!(again.expect("hello").await.id, None);
    assert!(again.expect("lost").await.id > Some(last));
}

#[tokio::test]
async fn a_stop_ends_every_stream_and_waits_for_no_reader() {
    let mut house = House::open();
    let _stalled = Reader::on(narrow(&house).await, "", &[]).await;
    flood(&house, None).await;
    let mut reader = Reader::open(&house, "", &[]).await;
    reader.expect("hello").await;
    let began = Instant::now();
    house.stop.take().unwrap().send(()).unwrap();
    assert_eq!(reader.next().await, None);
    soon(house.served).await.unwrap();
    assert!(began.elapsed() < crate::http::serve::STOP_LIMIT, "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_257th_stream_is_refused_and_pings_are_not() {
    let house = House::open();
    let mut readers = Vec::new();
    for _ in 0..256 {
        readers.push(Reader::open(&house, "", &[]).await);
    }
    let refused = house.get("/api/v1/events").await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "too_many_streams"));
    assert!(refused.header("retry-after").is_some() && refused.body.contains("256"), "{refused:?}");
    house.ping_of("backup", "").await;
    for reader in &mut readers {
        reader.expect("hello").await;
        reader.expect("ping").await;
    }
    readers.pop();
    // That one has gone shows when something is said to it.
    let freed = Box::pin(async {
        while house.send("HEAD", "/api/v1/events", &[], "").await.status != 200 {
            house.ping_of("backup", "").await;
        }
    });
    soon(freed).await;
    Reader::open(&house, "", &[]).await.expect("hello").await;
}

#[tokio::test]
async fn few_connections_leave_room_for_pings_and_idle_ones_drive_no_reader_away() {
    let house = House::with(8, |_| {});
    let mut readers = [Reader::open(&house, "", &[]).await, Reader::open(&house, "", &[]).await];
    assert_eq!(house.get("/api/v1/events").await.status, 503);
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(house.connect().await);
        house.ping_of("backup", "").await;
    }
    for reader in &mut readers {
        reader.expect("hello").await;
        for _ in 0..40 {
            reader.expect("ping").await;
        }
    }
}

#[tokio::test]
async fn a_head_is_answered_and_takes_no_place() {
    let house = House::with(4, |_| {});
    for _ in 0..3 {
        let answer = house.send("HEAD", "/api/v1/events", &[], "").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    }
    Reader::open(&house, "", &[]).await.expect("hello").await;
    let answer = house.send("POST", "/api/v1/events", &[("Content-Type", "application/json")], "{}").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test]
async fn only_who_may_read_follows_and_only_as_long() {
    let key = |name: &str, text: &str, role| ApiKey {
        name: name.to_owned(),
        hash: Sha256::digest(text).into(),
        role,
    };
    let house = House::with(1_024, |settings| {
        settings.api_keys = vec![
            key("reader", "a-key-that-may-read", Role::Read),
            key("other", "another-key-of-ours", Role::Write),
        ];
    });
    assert_eq!(house.get("/api/v1/events").await.status, 401);
    let foreign = [("X-Api-Key", "a-key-that-may-read"), ("Origin", "https://evil.example")];
    assert_eq!(house.send("GET", "/api/v1/events", &foreign, "").await.status, 403);
    let mut reader = Reader::open(&house, "", &[("Authorization", "Bearer a-key-that-may-read")]).await;
    let mut other = Reader::open(&house, "", &[("X-Api-Key", "another-key-of-ours")]).await;
    for reader in [&mut reader, &mut other] {
        reader.expect("hello").await;
    }
    house.settings.send_modify(|settings| {
        let mut changed = settings.as_ref().clone();
        changed.api_keys.remove(0);
        *settings = changed.into();
    });
    assert_eq!(reader.next().await, None, "its key has left the config");
    house.ping_of("backup", "").await;
    other.expect("ping").await;
}

#[tokio::test]
async fn a_stopped_engine_ends_the_streams() {
    let house = House::open();
    let mut reader = Reader::open(&house, "", &[]).await;
    reader.expect("hello").await;
    house.desk.0.feed.lock().unwrap().1 = Feed::new(RECOVERED);
    assert_eq!(reader.next().await, None);
}

#[tokio::test]
async fn a_busy_time_is_told_in_few_pieces_and_what_comes_after_a_quiet_one_at_once() {
    let house = House::open();
    let mut reader = Reader::open(&house, "", &[]).await;
    reader.expect("hello").await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(1)).await;
    let (began, before) = (Instant::now(), reader.pieces);
    house.desk.ping_of("rotate");
    reader.expect("ping").await;
    assert!(began.elapsed() < Duration::from_millis(50), "a lone one does not wait: {:?}", began.elapsed());
    for _ in 0..300 {
        house.desk.ping_of("rotate");
    }
    for n in 0..300 {
        assert_eq!(reader.expect("ping").await.id, Some(102 + n));
    }
    assert_eq!(reader.pieces, before + 2, "300 in one piece");
    assert!(began.elapsed() >= Duration::from_millis(50), "after a rest: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_stream_ends_with_the_session_that_opened_it() {
    let key = ApiKey { name: "page".to_owned(), hash: Sha256::digest("a key").into(), role: Role::Read };
    let house = House::with(1_024, |settings| settings.api_keys = vec![key.clone()]);
    let server_key = house.settings.borrow().server_key;
    let session = crate::http::session::open(&server_key, &key, house.desk.now());
    let cookie = crate::http::session::set_cookie(&session, &house.settings.borrow().base_url);
    let (cookie, _) = cookie.split_once(';').unwrap();
    let mut reader = Reader::open(&house, "", &[("Cookie", cookie)]).await;
    reader.expect("hello").await;
    let ends = NOON + crate::http::session::LIFE.as_millis();
    tokio::time::pause();
    house.desk.set_clock(ends - 1);
    assert_eq!(reader.block().await.unwrap(), ":", "it lasts still");
    house.desk.set_clock(ends);
    let began = Instant::now();
    assert_eq!(reader.block().await, None);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
