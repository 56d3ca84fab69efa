//! Connections that misbehave, and many of them.

use super::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::Instant;

fn ping_line() -> String {
    format!("GET /ping/{} HTTP/1.1\r\nHost: x\r\n", uuid_of("backup"))
}

/// Reads until the other end closes; says how many bytes came.
async fn until_closed(stream: &mut TcpStream) -> usize {
    let mut bytes = Vec::new();
    match soon(stream.read_to_end(&mut bytes)).await {
        Ok(_) => bytes.len(),
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            bytes.len()
        }
    }
}

#[tokio::test]
async fn a_ping_is_answered_at_once_beside_five_thousand_idle_connections() {
    let house = House::open();
    // Both ends are in this process. Where the system lets it open fewer files, it is tried with fewer.
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }).unwrap();
    let many = files.maximum.map_or(5_000, |files| (files as usize).saturating_sub(1_500).min(5_000));
    assert!(many > 1_500, "more than there may be");
    if many < 5_000 {
        // Past the test's own output, which nobody sees of a test that passes.
        let told =
            format!("NOT TRIED: 5000 idle connections, but {many}, since the system allows {files:?}\n");
        std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes()).unwrap();
    }
    let mut idle = Vec::new();
    for n in 0..many {
        let mut stream = house.connect().await;
        if n % 2 == 0 {
            stream.write_all(b"GET /ping/").await.unwrap();
        }
        idle.push(stream);
        if n % 500 == 499 {
            let began = Instant::now();
            let answer = house.raw(format!("{}Connection: close\r\n\r\n", ping_line())).await;
            assert_eq!(answer.status, 200);
            assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        }
    }
    assert_eq!(house.desk.pings().len(), many / 500);
    for stream in idle.iter_mut().take(many - 1_024) {
        assert_eq!(until_closed(stream).await, 0, "the longest idle ones were closed");
    }
}

/// Whoever leaves has been read: they all came before the door looked, many more than there are seats.
#[tokio::test]
async fn pings_that_lie_in_their_sockets_are_taken_whoever_must_leave() {
    let house = House::with(2, |_| {});
    let waiting: Vec<std::net::TcpStream> = (0..40)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(house.address).unwrap();
            std::io::Write::write_all(&mut stream, format!("{}\r\n", ping_line()).as_bytes()).unwrap();
            stream
        })
        .collect();
    assert_eq!(house.desk.pings().len(), 0, "nothing has been looked at yet");
    house.desk.after_pings(waiting.len()).await;
}

#[tokio::test]
async fn a_connection_that_is_used_outlives_idle_ones() {
    let house = House::with(8, |_| {});
    let mut used = house.connect().await;
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(house.connect().await);
        used.write_all(format!("{}\r\n", ping_line()).as_bytes()).await.unwrap();
        let mut buffer = [0; 1024];
        let n = soon(used.read(&mut buffer)).await.unwrap();
        assert!(buffer[..n].starts_with(b"HTTP/1.1 200 "));
    }
    assert_eq!(house.desk.pings().len(), 40);
}

#[tokio::test]
async fn requests_of_one_connection_are_answered_in_order() {
    let house = House::open();
    let uuid = uuid_of("backup");
    let request = |n| {
        let close = if n == 49 { "Connection: close\r\n" } else { "" };
        let body = if n % 2 == 0 { "" } else { "Content-Length: 2\r\n\r\nhi" };
        let end = if body.is_empty() { "\r\n" } else { body };
        format!("POST /ping/{uuid}/{n} HTTP/1.1\r\nHost: x\r\n{close}{end}")
    };
    let requests: String = (0..50).map(request).collect();
    let mut stream = house.connect().await;
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut text = String::new();
    soon(stream.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 50);
    let codes: Vec<_> = house.desk.pings().iter().map(|ping| ping.kind.exit_code().unwrap()).collect();
    assert_eq!(codes, (0..50).collect::<Vec<u8>>());
}

#[tokio::test]
async fn dribbled_headers_are_read_and_a_ping_is_answered() {
    let house = House::open();
    let mut stream = house.connect().await;
    for byte in format!("{}Connection: close\r\n\r\n", ping_line()).bytes() {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(read_all(&mut stream).await.status, 200);
}

#[tokio::test]
async fn headers_that_never_end_are_refused() {
    let house = House::open();
    for (head, filler) in [
        ("GET /ping/x HTTP/1.1\r\nHost: x\r\n".to_owned(), "X-More: and more\r\n"),
        ("GET /ping/x HTTP/1.1\r\nX-Long: ".to_owned(), "aaaaaaaaaaaaaaaaaaaa"),
        ("GET /ping/".to_owned(), "aaaaaaaaaaaaaaaaaaaa"),
    ] {
        let mut stream = house.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let more = filler.repeat(1_000);
        let mut sent = 0;
        while sent < 10_000_000 && soon(stream.write_all(more.as_bytes())).await.is_ok() {
            sent += more.len();
        }
        assert!(sent < 10_000_000, "it was not stopped");
        let mut bytes = Vec::new();
        // The answer may be lost when the connection is reset, but one that came is a refusal.
        if soon(stream.read_to_end(&mut bytes)).await.is_ok() || !bytes.is_empty() {
            let answer = take_apart(&String::from_utf8(bytes).unwrap());
            assert!([400, 414, 431].contains(&answer.status), "{answer:?}");
        }
    }
    assert_eq!(house.get(&format!("/ping/{}", uuid_of("backup"))).await.status, 200);
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let house = House::open();
    for rubbish in [
        "\x16\x03\x01\x02\x00\x01\x00",
        "SSH-2.0-x\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = house.connect().await;
        stream.write_all(rubbish.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut text = String::new();
        if soon(stream.read_to_string(&mut text)).await.is_ok() && !text.is_empty() {
            assert!(text.starts_with("HTTP/1.1 400 ") || text.starts_with("HTTP/1.1 505 "), "{text}");
        }
    }
    assert_eq!(house.get(&format!("/ping/{}", uuid_of("backup"))).await.status, 200);
}

#[tokio::test]
async fn a_stop_lets_requests_under_way_end_and_idle_connections_go() {
    let mut house = House::open();
    let mut idle = house.connect().await;
    let mut busy = house.connect().await;
    let head = format!("POST /ping/{} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n", uuid_of("backup"));
    busy.write_all(head.as_bytes()).await.unwrap();
    house.desk.until_heard(1).await;
    house.stop.take().unwrap().send(()).unwrap();
    assert_eq!(until_closed(&mut idle).await, 0);
    let mut listening = Instant::now();
    while TcpStream::connect(house.address).await.is_ok() {
        assert!(listening.elapsed() < LIMIT, "it still listens");
        tokio::task::yield_now().await;
    }
    listening = Instant::now();
    busy.write_all(b"body").await.unwrap();
    assert_eq!(read_all(&mut busy).await.status, 200);
    soon(&mut house.served).await.unwrap();
    assert!(listening.elapsed() < Duration::from_secs(4), "nothing was left to wait for");
    assert_eq!(house.desk.pings().len(), 1);
}

#[tokio::test]
async fn a_unix_socket_is_served_and_counts_as_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("overdue.sock");
    let house = House::open();
    let door = Door::new(house.desk.clone(), house.settings.subscribe(), house.config.subscribe());
    let listener = Listener::bind(&format!("unix:{}", path.display())).unwrap();
    let served = tokio::spawn(serve(vec![listener], door, 10, std::future::pending()));
    for target in [format!("/ping/{}", uuid_of("backup")), "/api/v1/heartbeats".to_owned()] {
        let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        soon(stream.read_to_string(&mut text)).await.unwrap();
        assert_eq!(take_apart(&text).status, 200, "{text}");
    }
    assert_eq!(house.desk.pings()[0].from, None, "a Unix socket has no address");
    served.abort();
}

/// The clock stands and jumps to the next timer when nothing else happens: no limit of a test's own here.
#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_is_waited_for_half_a_minute() {
    let beginnings = ["", "GET /ping/", "GET /ping/x HTTP/1.1\r\nHost: x\r\nX-More: "];
    for said in beginnings {
        let house = House::open();
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let began = Instant::now();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap_or_default();
        let waited = began.elapsed();
        assert!((29..=31).contains(&waited.as_secs()), "{waited:?}");
    }
    println!("{} heads that do not come: each hung up on after 30 s", beginnings.len());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_has_nothing_more_to_say_is_closed_after_half_a_minute() {
    let house = House::open();
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(format!("{}\r\n", ping_line()).as_bytes()).await.unwrap();
    let began = Instant::now();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    assert!((29..=31).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_waited_for_ten_seconds_and_the_ping_counts() {
    let house = House::open();
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let head =
        format!("POST /ping/{}/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf", uuid_of("backup"));
    stream.write_all(head.as_bytes()).await.unwrap();
    let began = Instant::now();
    let mut buffer = [0; 1024];
    let n = stream.read(&mut buffer).await.unwrap();
    assert!(buffer[..n].starts_with(b"HTTP/1.1 200 "));
    assert!((9..=11).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!(&house.desk.pings()[0].body.as_ref().unwrap().tail[..], b"half");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap_or_default();
    assert!(began.elapsed().as_secs() <= 13, "then the connection is closed");
    println!("1 body that does not come: waited for 10 s, its ping counts");
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_five_seconds_at_most_and_a_ping_under_way_counts() {
    let mut house = House::open();
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let head =
        format!("POST /ping/{} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf", uuid_of("backup"));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut waits = house.desk.0.heard.subscribe();
    waits.wait_for(|waits| *waits == 1).await.unwrap();
    let began = Instant::now();
    house.stop.take().unwrap().send(()).unwrap();
    (&mut house.served).await.unwrap();
    assert!((4..=6).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!(house.desk.pings().len(), 1, "handed over before the door is shut");
    drop(stream);
}

/// In the released program a panic ends the process: no request line may cause one.
#[tokio::test]
async fn no_request_line_brings_the_door_down() {
    const METHODS: [&str; 6] = ["GET", "POST", "CONNECT", "OPTIONS", "HEAD", "X"];
    const PIECES: [&str; 24] = [
        "/",
        "//",
        "?",
        "#",
        "%",
        "%ff",
        "%2F",
        "ping",
        "start",
        "256",
        "api/v1",
        "heartbeats",
        "*",
        ":",
        "@",
        "[::1]",
        "http://",
        "localhost:80",
        "\\",
        "é",
        "{",
        "..",
        "rid=",
        "&limit=",
    ];
    let house = House::open();
    let uuid = uuid_of("backup").to_string();
    // A fixed walk through the choices, the same on every run.
    let mut seed = 1_u64;
    let mut choose = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % n
    };
    for _ in 0..2_000 {
        let method = METHODS[choose(METHODS.len())];
        let many = choose(7);
        let target: String = (0..many).map(|_| PIECES.get(choose(25)).copied().unwrap_or(&uuid)).collect();
        let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = house.raw(request).await;
        assert!((200..500).contains(&answer.status), "{method} {target}: {answer:?}");
    }
}
