//! Clients that stretch the rules of HTTP or break them: requests hidden in the bodies of others, bodies without an
//! end, halves of connections. Each request is read in one way or refused; what is answered and counted tells which.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;

use crate::client::Connection;
use crate::harness::{Daemon, LIMIT, wait_until};

const CONFIG: &str = "[heartbeats.asked]\ninterval = \"24h\"\n[heartbeats.hidden]\ninterval = \"24h\"\n";
/// What bodies without an end may add to the daemon's memory.
const GROWTH_KIB: u64 = 40_000;

/// A daemon with two heartbeats: one is pinged openly, the other by what stands in the body of that.
struct House {
    daemon: Daemon,
    asked: String,
    hidden: String,
}

impl House {
    fn open() -> Self {
        let daemon = Daemon::start(CONFIG);
        let (asked, hidden) = (daemon.uuid("asked"), daemon.uuid("hidden"));
        Self { daemon, asked, hidden }
    }

    /// How often each was pinged.
    fn totals(&self) -> (u64, u64) {
        let total = |slug| self.daemon.heartbeat(slug)["pings_total"].as_u64().unwrap();
        (total("asked"), total("hidden"))
    }

    /// The ping that is not meant to be read as one, with nothing before or after it.
    fn inner(&self) -> String {
        format!("GET /ping/{} HTTP/1.1\r\nHost: x\r\n\r\n", self.hidden)
    }

    /// Says this and no more; gives the statuses that came, and how many pings of each heartbeat they made.
    fn say(&self, bytes: &str) -> (Vec<u16>, u64, u64) {
        let before = self.totals();
        let mut stream = self.daemon.connect();
        // Whoever has heard enough may close before it has heard all.
        stream.write_all(bytes.as_bytes()).and_then(|()| stream.shutdown(Shutdown::Write)).ok();
        let statuses = until_closed(&mut stream);
        let after = self.totals();
        (statuses, after.0 - before.0, after.1 - before.1)
    }
}

/// The statuses of all answers until the daemon closes the connection.
fn until_closed(stream: &mut Connection) -> Vec<u16> {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        // Something was still on its way to it; that it never closes would be another matter.
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{}", String::from_utf8_lossy(&bytes));
    }
    statuses(&bytes)
}

/// The statuses of all answers, in their order; nothing may come between or after them.
fn statuses(mut bytes: &[u8]) -> Vec<u16> {
    let mut statuses = Vec::new();
    while !bytes.is_empty() {
        let no_answer = || panic!("no answer: {}", String::from_utf8_lossy(bytes));
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(no_answer);
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let status = head.strip_prefix("http/1.").and_then(|rest| rest.get(2..5)).map(str::parse);
        statuses.push(status.unwrap_or_else(|| panic!("no answer: {head}")).unwrap());
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        bytes = &bytes[end + 4 + length.unwrap_or(0)..];
    }
    statuses
}

/// How a body may seem to have two lengths: headers that are refused, whatever follows.
fn refused_lengths(length: usize) -> Vec<String> {
    let lengths =
        ["-{n}", "+{n}", "0x{n}", "", "{n}\0", "1 {n}", "{n}, {n}", "0, {n}", "18446744073709551616"];
    let lengths = lengths.map(|value| format!("Content-Length: {value}").replace("{n}", &length.to_string()));
    let encodings = ["xchunked", "identity", "chunked, identity", "\"chunked\"", "\x0bchunked", "chunked\0"];
    let encodings =
        encodings.into_iter().chain(["chunked;q=1", "", "chunked\r\nTransfer-Encoding: identity"]);
    let odd = [
        format!("Content-Length: 5\r\nContent-Length: {length}"),
        format!("Content-Length: {length}\r\nContent-Length: 0"),
        format!("Content-Length : {length}"),
        format!("Content-Length\t: {length}"),
        format!("Content-Length:\r\n {length}"),
        format!("X: a\r\n Content-Length: {length}"),
        format!("X: a\rContent-Length: {length}"),
        "Transfer-Encoding : chunked".to_owned(),
        "Transfer-Encoding:\r\n\tchunked".to_owned(),
    ];
    lengths
        .into_iter()
        .chain(encodings.map(|value| format!("Transfer-Encoding: {value}")))
        .chain(odd)
        .collect()
}

#[test]
fn a_request_whose_length_can_be_read_in_two_ways_is_refused_with_all_that_follows() {
    let house = House::open();
    let (asked, inner) = (&house.asked, house.inner());
    let bodies = [inner.clone(), format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len())];
    let lengths = refused_lengths(inner.len());
    assert!(lengths.len() > 25);
    for (length, body) in lengths.iter().flat_map(|length| bodies.iter().map(move |body| (length, body))) {
        let request = format!("POST /ping/{asked} HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n{body}");
        assert_eq!(house.say(&request), (vec![400], 0, 0), "{length:?}");
    }
    let lines = [
        format!("GET /ping/{asked}"),
        format!("GET\t/ping/{asked}\tHTTP/1.1"),
        format!("GET  /ping/{asked} HTTP/1.1"),
        format!("GET /ping/{asked} /start HTTP/1.1"),
        format!("GET /ping/{asked} HTTP/2.0"),
        format!("GET /ping/{asked} HTTP/1.0\r\nTransfer-Encoding: chunked"),
    ];
    let tries = 2 * lengths.len() + lines.len();
    for line in lines {
        assert_eq!(house.say(&format!("{line}\r\nHost: x\r\n\r\n{inner}")), (vec![400], 0, 0), "{line:?}");
    }
    println!("{tries} requests that can be read in two ways: each refused, 0 hidden pings heard");
}

#[test]
fn what_stands_in_the_body_of_a_ping_is_no_ping_whatever_is_wrong_with_the_body() {
    let house = House::open();
    let (asked, inner) = (&house.asked, house.inner());
    let length = inner.len();
    let once = format!("Content-Length: {length}");
    // Content-Length and chunks at once: the chunks count, and the connection ends with them (RFC 9112, 6.3).
    let (whole, begun) = (format!("0\r\n\r\n{inner}"), format!("{length:x}\r\n{inner}"));
    let both = format!("Content-Length: {}\r\nTransfer-Encoding: chunked", whole.len());
    let both_back = format!("Transfer-Encoding: chunked\r\nContent-Length: {}", whole.len());
    let of_length = [
        (once.clone(), inner.clone()),
        (format!("{once}\r\n{once}"), inner.clone()),
        (format!("X: a\nContent-Length: {length}"), inner.clone()),
        (both.clone(), whole.clone()),
        (both_back, whole.clone()),
        (both.replace("chunked", "CHUNKED"), whole.clone()),
        ("Content-Length: 4\r\nTransfer-Encoding: chunked".to_owned(), format!("{begun}\r\n0\r\n\r\n")),
    ];
    let sizes =
        ["10000000000000000", "ffffffffffffffff", "-1", "0x0", " 0", "0 0", "", "\0", "0\n", "0;a\n", "0;\r"];
    let broken = sizes.map(|size| format!("{size}\r\n\r\n{inner}"));
    let broken = broken.into_iter().chain([
        format!("2\r\nhi{whole}"),
        format!("2\r\nhi\n{whole}"),
        format!("2;a\nb\r\nhi\r\n{whole}"),
        format!("0\r\n{inner}"),
        begun.clone(),
    ]);
    let chunked = broken.map(|body| ("Transfer-Encoding: chunked".to_owned(), body));
    let mut tries = 0;
    for (head, body) in of_length.into_iter().chain(chunked) {
        tries += 1;
        let request = format!("POST /ping/{asked} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n{body}");
        // A body that is cut off or makes no sense never costs the ping.
        assert_eq!(house.say(&request), (vec![200], 1, 0), "{head:?} {body:?}");
    }
    // Nor is it one when the request that it belongs to is refused.
    for (line, status) in [
        ("POST /nowhere", 404),
        ("POST /ping/67e55044-10b1-426f-9247-bb680e5fe0c8", 404),
        (&format!("POST /ping/{asked}/999"), 400),
        (&format!("POST /ping/{asked}?rid=x"), 400),
        (&format!("DELETE /ping/{asked}"), 405),
        (&format!("OPTIONS /ping/{asked}"), 204),
        ("POST /api/v1/heartbeats", 403),
    ] {
        let request = format!("{line} HTTP/1.1\r\nHost: x\r\n{once}\r\n\r\n{inner}");
        assert_eq!(house.say(&request), (vec![status], 0, 0), "{line}");
        tries += 1;
    }
    println!("{tries} pings in the bodies of others: 0 of them heard, and none of the others lost");
}

#[test]
fn what_is_read_in_one_way_by_all_is_read_so_here() {
    let house = House::open();
    let (asked, inner) = (&house.asked, house.inner());
    let post = |head: &str, body: &str| {
        format!("POST /ping/{asked} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n{body}{inner}")
    };
    for two in [
        post("Content_Length: 100", ""),
        post("Transfer-Encoding: chunked", "2 ;a=\"b\"\r\nhi\r\n0\r\n\r\n"),
        post("Transfer-Encoding:\tChunked", "0\r\nContent-Length: 100\r\n\r\n"),
        post("Transfer-Encoding: \u{e9}\r\nTransfer-Encoding: chunked", "2\r\nhi\r\n0\r\n\r\n"),
        post("Transfer-Encoding: 0\r\nTransfer-Encoding: chunked", "2\r\nhi\r\n0\r\n\r\n"),
        post("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ", ""),
        format!("\r\nGET /ping/{asked} HTTP/1.1\nHost: x\n\n{inner}"),
    ] {
        assert_eq!(house.say(&two), (vec![200, 200], 1, 1), "{two:?}");
    }
    // The host of an absolute form counts for the API, and none for a ping.
    let ping = format!("GET http://elsewhere.example/ping/{asked} HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(house.say(&ping), (vec![200], 1, 0));
    for (form, hosts) in [
        ("http://elsewhere.example", "Host: localhost\r\n"),
        ("http://localhost", "Host: elsewhere.example\r\n"),
        ("", ""),
    ] {
        let request = format!("GET {form}/api/v1/heartbeats HTTP/1.1\r\n{hosts}\r\n");
        assert_eq!(house.say(&request), (vec![403], 0, 0), "{request}");
    }
}

/// RFC 9112, 3.2.
#[test]
fn a_request_that_names_two_hosts_is_refused_with_all_that_follows() {
    let house = House::open();
    let (asked, inner) = (&house.asked, house.inner());
    for hosts in ["Host: localhost\r\nHost: elsewhere.example", "Host: localhost\r\nX: y\r\nhost: localhost"]
    {
        for line in [
            format!("GET /ping/{asked}"),
            format!("GET /api/v1/ping/{asked}/start"),
            format!("GET /{asked}"),
            format!("GET http://localhost/ping/{asked}"),
            format!("OPTIONS /ping/{asked}"),
            format!("DELETE /ping/{asked}"),
            format!("GET /ping/{asked}?rid=%ff"),
            "GET /ping/no-such-key/at-all".to_owned(),
            "GET /api/v1/heartbeats".to_owned(),
            "GET /healthz".to_owned(),
            "GET /there/is/nothing".to_owned(),
        ] {
            let request = format!("{line} HTTP/1.1\r\n{hosts}\r\n\r\n{inner}");
            assert_eq!(house.say(&request), (vec![400], 0, 0), "{request}");
        }
        let request =
            format!("POST /ping/{asked} HTTP/1.1\r\n{hosts}\r\nContent-Length: 4\r\n\r\nbody{inner}");
        assert_eq!(house.say(&request), (vec![400], 0, 0), "{request}");
    }
    house.daemon.ping(asked, "");
}

#[test]
fn a_client_of_http_2_is_turned_away() {
    let house = House::open();
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = "\0\0\0\x04\0\0\0\0\0";
    // A stream that is opened and reset, a hundred times.
    let resets: String = (0..100)
        .map(|n: u8| {
            format!(
                "\0\0\x01\x01\x05\0\0\0{0}\x02\0\0\x04\x03\0\0\0{0}\0\0\0\x08",
                char::from(2 * n % 127 + 1)
            )
        })
        .collect();
    for said in [preface.to_owned(), format!("{preface}{settings}{resets}")] {
        assert_eq!(house.say(&said), (vec![], 0, 0));
        assert_eq!(house.say(&format!("{said}{}", house.inner())), (vec![], 0, 0));
    }
    println!("4 beginnings of HTTP/2, two of them with 100 streams that are reset: each hung up on");
    house.daemon.ping(&house.asked, "");
}

#[test]
fn a_bad_one_among_many_pings_in_one_write_costs_no_other_that_came_before() {
    let house = House::open();
    let ping = |code: u32| format!("GET /ping/{}/{code} HTTP/1.1\r\nHost: x\r\n\r\n", house.asked);
    let many = |bad: &str| -> String {
        (0..50).map(|code| if code == 25 { bad.to_owned() } else { ping(code) }).collect()
    };
    // One that can be read is answered in its turn.
    assert_eq!(house.say(&many(&ping(256))), ([&[200; 25][..], &[400], &[200; 24]].concat(), 49, 0));
    let newest = house.daemon.items("heartbeats/asked/pings?limit=49");
    let codes: Vec<u64> = newest.iter().rev().filter_map(|ping| ping["exit_code"].as_u64()).collect();
    assert_eq!(codes, (0..50).filter(|code| *code != 25).collect::<Vec<u64>>());
    // After one that cannot be read nobody knows where the next would begin.
    let unreadable = format!("GET /ping/{} HTTP/1.1\r\nHost : x\r\n\r\n", house.asked);
    assert_eq!(house.say(&many(&unreadable)), ([&[200; 25][..], &[400]].concat(), 25, 0));
}

#[test]
fn a_client_that_closes_its_half_is_answered_and_half_a_request_is_no_ping() {
    let house = House::open();
    let head = format!("POST /ping/{} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n", house.asked);
    assert_eq!(house.say(&format!("{head}body")), (vec![200], 1, 0));
    assert_eq!(house.say(&format!("{head}bo")), (vec![200], 1, 0), "its head was whole");
    assert_eq!(house.say(&format!("{head}body{head}body")), (vec![200, 200], 2, 0));
    // A connection that says no more ends, whatever it has said.
    for cut in [0, 1, 4, 20, head.len() - 2, head.len() - 1] {
        let (statuses, asked, _) = house.say(&head[..cut]);
        assert!(statuses.is_empty() || statuses == [400], "{cut}: {statuses:?}");
        assert_eq!(asked, 0, "{cut}");
        let (statuses, asked, _) = house.say(&format!("{head}body{}", &head[..cut]));
        assert_eq!((statuses[0], asked), (200, 1), "{cut}: what came before counts");
    }
}

#[test]
fn heads_of_60_kb_are_read_and_those_of_200_kb_refused() {
    let house = House::open();
    let ping = |query: usize, header: usize| {
        let (query, header) = ("q".repeat(query), "h".repeat(header));
        format!("GET /ping/{}?{query} HTTP/1.1\r\nHost: x\r\nX-Long: {header}\r\n\r\n", house.asked)
    };
    for (query, header) in [(60_000, 0), (0, 60_000), (30_000, 30_000)] {
        assert_eq!(house.say(&ping(query, header)), (vec![200], 1, 0), "{query} {header}");
    }
    for (query, header) in [(200_000, 0), (0, 200_000), (100_000, 100_000), (5_000_000, 0), (0, 5_000_000)] {
        let (statuses, asked, _) = house.say(&ping(query, header));
        assert_eq!(asked, 0, "{query} {header}");
        assert!(
            statuses == [431] || statuses == [414] || statuses.is_empty(),
            "{query} {header}: {statuses:?}"
        );
    }
    let many: String = (0..1_000).map(|n| format!("X-{n}: y\r\n")).collect();
    let request = format!("GET /ping/{} HTTP/1.1\r\nHost: x\r\n{many}\r\n", house.asked);
    assert_eq!(house.say(&request), (vec![431], 0, 0), "a thousand headers");
}

#[test]
fn bodies_that_never_end_are_cut_off_their_pings_count_and_others_go_on() {
    let house = House::open();
    let head =
        format!("POST /ping/{} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", house.asked);
    let before = house.daemon.resident_kib();
    let large = "x".repeat(16_384);
    let endless = [
        (String::new(), format!("4000\r\n{large}\r\n")),
        (String::new(), "1\r\nx\r\n".repeat(1_000)),
        (String::new(), "0".repeat(16_384)),
        ("1;".to_owned(), large.clone()),
        ("0\r\n".to_owned(), "X-More: and more\r\n".repeat(1_000)),
        ("0\r\nX-Long: ".to_owned(), large),
    ];
    let mut open: Vec<(Connection, String)> = endless
        .into_iter()
        .map(|(first, more)| {
            let mut stream = house.daemon.connect();
            stream.write_all(format!("{head}{first}").as_bytes()).unwrap();
            (stream, more)
        })
        .collect();
    let (bodies, mut beside) = (open.len() as u64, 0);
    wait_until(LIMIT, "all are cut off", || {
        open.retain_mut(|(stream, more)| stream.write_all(more.as_bytes()).is_ok());
        house.daemon.ping(&house.hidden, "");
        beside += 1;
        let now = house.daemon.resident_kib();
        assert!(now.saturating_sub(before) < GROWTH_KIB, "{before} KiB became {now} KiB");
        open.is_empty()
    });
    assert_eq!(house.totals(), (bodies, beside));
    println!("{bodies} bodies without end cut off, {} pings: 0 lost", bodies + beside);
}
