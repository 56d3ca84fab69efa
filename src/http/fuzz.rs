//! What everybody may send, under attack: paths of pings, and what proxies say of where a request came from. Queries
//! are decoded here for those that read them.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use http_body_util::Empty;
use ipnet::IpNet;
use tower_service::Service;
use warp::Filter;
use warp::reply::Response;

use crate::fuzz::Target;
use crate::http::origin::origin;
use crate::http::path::{Form, Path, Whom};
use crate::model::id::{Slug, parse_uuid};
use crate::model::ping::PingKind;

#[test]
fn a_path_that_is_a_ping_says_the_same_when_it_is_written_anew() {
    Target { name: "ping_path", inputs: 40_000, dictionary: &PATHS, check: read_path }.attack();
}

#[test]
fn an_origin_never_stands_left_of_a_hop_that_is_no_proxy_of_ours() {
    Target { name: "forwarded_for", inputs: 40_000, dictionary: &HOPS, check: read_hops }.attack();
}

/// A query as the routes have it: of an address that the server can read, decoded by the filter that they use. `None`
/// when no address can end so.
pub(crate) fn decoded(query: &[u8]) -> Option<Vec<(String, String)>> {
    #[derive(Clone)]
    struct Pairs(Vec<(String, String)>);

    let address = Uri::try_from([b"/?", query].concat()).ok()?;
    let filter = warp::query::<Vec<(String, String)>>().map(|pairs| {
        let mut response = Response::default();
        response.extensions_mut().insert(Pairs(pairs));
        response
    });
    let request = Request::builder().uri(address).body(Empty::<Bytes>::new()).expect("it has an address");
    let answered = warp::service(filter).call(request).now_or_never().expect("nothing is awaited");
    let Ok(mut response) = answered;
    let pairs = response.extensions_mut().remove::<Pairs>();
    Some(pairs.unwrap_or_else(|| panic!("not decoded: {:?}", String::from_utf8_lossy(query))).0)
}

const PATHS: [&str; 20] = [
    "/",
    "//",
    "/ping",
    "/ping/",
    "/api/v1/ping/",
    "/start",
    "/fail",
    "/log",
    "/0",
    "/255",
    "/256",
    "/-1",
    "/+1",
    "67e55044-10b1-426f-9247-bb680e5fe0c8",
    "67e5504410b1426f9247bb680e5fe0c8",
    "backup",
    "%2F",
    "?rid=",
    "..",
    "-",
];

/// A path, and after a line end what a `rid` says.
fn read_path(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let (path, rid) = text.split_once('\n').unwrap_or((&text, ""));
    if let Some(uuid) = parse_uuid(rid) {
        assert_eq!(uuid.simple().to_string(), rid.replace('-', "").to_ascii_lowercase(), "{rid:?}");
    }
    match Path::parse(path) {
        Path::Ping(form) => {
            let written = write(&form);
            assert_eq!(Path::parse(&written), Path::Ping(form.clone()), "{path:?} was {written:?}");
            assert_eq!(Path::parse(&format!("{written}/")), Path::Ping(form.clone()), "{path:?}");
            assert!(path.starts_with('/') && !path.trim_end_matches('/').is_empty(), "{path:?}");
            let by_uuid = matches!(form.whom, Whom::Uuid(_));
            // Only the short form begins with its UUID.
            let area = path.starts_with("/ping/") || path.starts_with("/api/v1/ping/");
            assert!(area || (by_uuid && !form.json), "{path:?}");
            assert_eq!(form.json, path.starts_with("/api/v1/ping/"), "{path:?}");
            if let Whom::Slug { key, slug } = &form.whom {
                assert!(!key.contains('/') && Slug::new(slug.as_str()).is_ok(), "{path:?}");
            }
            format!("ping {:?} {by_uuid} {}", form.kind.map(PingKind::word), form.json)
        }
        Path::NoSuch { json } => {
            assert!(path.starts_with('/'), "{path:?}");
            format!("none {json}")
        }
        Path::Elsewhere => "elsewhere".to_owned(),
    }
}

/// The plainest path of a form.
fn write(form: &Form) -> String {
    let area = if form.json { "/api/v1/ping" } else { "/ping" };
    let whom = match &form.whom {
        Whom::Uuid(uuid) => uuid.to_string(),
        Whom::Slug { key, slug } => format!("{key}/{slug}"),
    };
    let suffix = match form.kind {
        Some(PingKind::Success) => String::new(),
        Some(PingKind::Exit(code)) => format!("/{code}"),
        Some(kind) => format!("/{}", kind.word()),
        None => "/256".to_owned(),
    };
    format!("{area}/{whom}{suffix}")
}

const HOPS: [&str; 30] = [
    ",",
    ", ",
    "\n",
    " ",
    "\t",
    "127.0.0.1",
    "10.1.1.1",
    "198.51.100.1",
    "6.6.6.6",
    ":80",
    ":",
    "[::1]",
    "[::1]:443",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:0/96",
    "fd00::1",
    "fe80::1%eth0",
    "2001:db8::1",
    "0.0.0.0/0",
    "::/0",
    "10.0.0.0/8",
    "127.0.0.1/32",
    "unknown",
    "_hidden",
    "\"[::1]\"",
    "for=",
    "0127.0.0.1",
    "1.2.3",
    "%",
];

/// A line with the other end of the connection, one with the trusted networks, and one for each header.
fn read_hops(input: &[u8]) -> String {
    let mut lines = input.split(|c| *c == b'\n');
    let mut text = || String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    // As the listener gives it.
    let Ok(peer) = text().trim().parse::<IpAddr>().map(|peer| peer.to_canonical()) else {
        return "no peer".to_owned();
    };
    let trusted: Vec<IpNet> = text().split(',').filter_map(|net| net.trim().parse().ok()).collect();
    let values: Vec<HeaderValue> = lines.filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
    let headers: HeaderMap =
        values.iter().map(|value| (HeaderName::from_static("x-forwarded-for"), value.clone())).collect();
    let got = origin(Some(peer), &headers, &trusted).expect("there is a peer");
    assert_eq!(got, got.to_canonical(), "one address is written in one way");

    let ours = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let lists = values.iter().map(|value| value.to_str().unwrap_or("?").to_owned());
    let mut hops: Vec<Option<IpAddr>> =
        lists.flat_map(|list| list.split(',').map(address).collect::<Vec<_>>()).collect();
    hops.push(Some(peer));
    // All that is known by somebody of ours: from the right, up to the first that is not ours.
    let mut believed = Vec::new();
    for hop in hops.iter().rev().map_while(|hop| *hop) {
        believed.push(hop);
        if !ours(&hop) {
            break;
        }
    }
    assert_eq!(believed.last(), Some(&got), "of {hops:?}");
    let (_, right) = believed.split_last().expect("the peer is there");
    assert!(right.iter().all(ours), "{got} stands left of a hop that is no proxy of ours: {hops:?}");
    format!("{} of {}", believed.len().min(6), hops.len().min(8))
}

fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.trim_start_matches('[').trim_end_matches(']');
    let in_brackets = format!("[{bare}]") == hop;
    let found = match hop.parse::<SocketAddr>() {
        Ok(socket) => Some(socket.ip()),
        Err(_) if in_brackets || bare == hop => bare.parse().ok(),
        Err(_) => None,
    };
    found.map(|address: IpAddr| address.to_canonical())
}
