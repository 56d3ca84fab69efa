//! Who is let in, as tables.

use super::*;
use http::uri::Authority;
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_host_is_loopback_only_if_the_name_says_so(host in "(\\[|\\]|:|::1|127\\.0\\.0\\.1|localhost|[0-9a-z.]{0,5}|\\PC){0,6}") {
        if loopback_host(&host) {
            let host = host.to_lowercase();
            prop_assert!(host.contains("localhost") || host.contains("127.") || host.contains("::1"), "{host}");
        }
    }
}

const HERE: Option<Peer> = Some(Peer { address: None, listening: Listening::Loopback });
const UNIX: Option<Peer> = Some(Peer { address: None, listening: Listening::Unix });
const NET: Option<Peer> = Some(Peer { address: None, listening: Listening::Network });

const NOW: Timestamp = Timestamp::from_millis(1_795_348_800_000);

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    list.iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
        .collect()
}

fn ask(
    settings: &HttpSettings,
    peer: Option<Peer>,
    method: &Method,
    list: &[(&str, &str)],
) -> Result<Role, u16> {
    let headers = headers(list);
    let facts = Facts { method, headers: &headers, absolute: None, peer };
    decide(settings, facts, NOW).map_err(|failure| failure.status.as_u16())
}

fn key(name: &str, key: &str, role: Role) -> ApiKey {
    ApiKey { name: name.to_owned(), hash: Sha256::digest(key).into(), role }
}

fn open() -> HttpSettings {
    HttpSettings { base_url: "http://127.0.0.1:8080".to_owned(), ..HttpSettings::for_tests() }
}

fn keyed() -> HttpSettings {
    let api_keys =
        vec![key("ops", "a-key-that-may-write", Role::Write), key("eye", "a-key-that-may-read!", Role::Read)];
    HttpSettings { base_url: "https://beats.example.org".to_owned(), api_keys, ..HttpSettings::for_tests() }
}

#[test]
fn without_keys_only_someone_on_the_machine_is_answered() {
    let good = [("host", "localhost:8080")];
    assert_eq!(ask(&open(), HERE, &Method::GET, &good), Ok(Role::Write));
    assert_eq!(ask(&open(), UNIX, &Method::POST, &good), Ok(Role::Write));
    assert_eq!(ask(&open(), NET, &Method::GET, &good), Err(403));
    assert_eq!(ask(&open(), None, &Method::GET, &good), Err(403));
    for base in [
        "http://10.0.0.1:8080",
        "https://beats.example.org",
        "http://0.0.0.0:1",
        "nonsense",
        "http://127.0.0.1.example.org",
    ] {
        let settings = HttpSettings { base_url: base.to_owned(), ..open() };
        assert_eq!(ask(&settings, HERE, &Method::GET, &good), Err(403), "{base}");
    }
    for base in ["http://localhost", "http://127.8.8.8:1/prefix", "http://[::1]:8080"] {
        let settings = HttpSettings { base_url: base.to_owned(), ..open() };
        assert_eq!(ask(&settings, HERE, &Method::GET, &good), Ok(Role::Write), "{base}");
    }
}

#[test]
fn without_keys_the_host_must_be_one_loopback_name() {
    for host in [
        "localhost",
        "LOCALHOST:9",
        "localhost.",
        "a.localhost:1",
        "127.0.0.1",
        "127.255.0.9:80",
        "[::1]",
        "[::1]:8080",
        "[::ffff:127.0.0.1]",
    ] {
        assert_eq!(ask(&open(), HERE, &Method::GET, &[("host", host)]), Ok(Role::Write), "{host}");
    }
    for host in [
        "",
        "example.org",
        "localhost.example.org",
        "127.0.0.1.nip.io",
        "evillocalhost",
        "10.0.0.1",
        "0.0.0.0",
        "::1",
        "[::1",
        "[::1]x",
        "[::2]",
        "[localhost]",
        "[127.0.0.1]",
        "localhost:80:80",
        "user@localhost",
        "localhost:x",
        "128.0.0.1",
    ] {
        assert_eq!(ask(&open(), HERE, &Method::GET, &[("host", host)]), Err(403), "{host}");
    }
    assert_eq!(ask(&open(), HERE, &Method::GET, &[]), Err(403), "no host at all");
    let twice = {
        let mut headers = headers(&[("host", "localhost")]);
        headers.append("host", HeaderValue::from_static("localhost"));
        headers
    };
    let facts = Facts { method: &Method::GET, headers: &twice, absolute: None, peer: HERE };
    assert_eq!(decide(&open(), facts, NOW).unwrap_err().status, 403, "two hosts");
    let absolute = AbsoluteForm(Authority::from_static("example.org"));
    let one = headers(&[("host", "localhost")]);
    let facts = Facts { method: &Method::GET, headers: &one, absolute: Some(&absolute), peer: HERE };
    assert_eq!(decide(&open(), facts, NOW).unwrap_err().status, 403, "a foreign absolute form");
}

#[test]
fn without_keys_no_proxy_is_answered() {
    for name in [
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-new",
        "x-real-ip",
    ] {
        let got = ask(&open(), HERE, &Method::GET, &[("host", "localhost"), (name, "127.0.0.1")]);
        assert_eq!(got, Err(403), "{name}");
    }
}

#[test]
fn without_keys_a_body_must_be_json() {
    let host = ("host", "localhost");
    for (kind, answer) in [
        ("application/json", Ok(Role::Write)),
        ("Application/JSON; charset=utf-8", Ok(Role::Write)),
        ("text/plain", Err(403)),
        ("application/x-www-form-urlencoded", Err(403)),
        ("multipart/form-data; boundary=application/json", Err(403)),
        ("application/jsonp", Err(403)),
    ] {
        for size in [("content-length", "5"), ("transfer-encoding", "chunked")] {
            assert_eq!(
                ask(&open(), HERE, &Method::POST, &[host, size, ("content-type", kind)]),
                answer,
                "{kind}"
            );
        }
    }
    assert_eq!(ask(&open(), HERE, &Method::POST, &[host, ("content-length", "5")]), Err(403));
    assert_eq!(ask(&open(), HERE, &Method::POST, &[host, ("content-length", "0")]), Ok(Role::Write));
}

#[test]
fn with_keys_each_is_held_to_its_role() {
    let settings = keyed();
    for (list, get, post) in [
        (vec![], Err(401), Err(401)),
        (vec![("authorization", "Bearer a-key-that-may-write")], Ok(Role::Write), Ok(Role::Write)),
        (vec![("authorization", "bearer  a-key-that-may-write ")], Ok(Role::Write), Ok(Role::Write)),
        (vec![("x-api-key", "a-key-that-may-write")], Ok(Role::Write), Ok(Role::Write)),
        (vec![("x-api-key", "a-key-that-may-read!")], Ok(Role::Read), Err(403)),
        (vec![("authorization", "Bearer a-key-that-may-read!")], Ok(Role::Read), Err(403)),
        (
            vec![("authorization", "Basic Zm9v"), ("x-api-key", "a-key-that-may-read!")],
            Ok(Role::Read),
            Err(403),
        ),
        (vec![("authorization", "Bearer a-key-that-may-writ")], Err(401), Err(401)),
        (vec![("authorization", "Bearer ")], Err(401), Err(401)),
        (vec![("authorization", "a-key-that-may-write")], Err(401), Err(401)),
        (vec![("x-api-key", "")], Err(401), Err(401)),
    ] {
        for peer in [HERE, NET, UNIX, None] {
            assert_eq!(ask(&settings, peer, &Method::GET, &list), get, "{list:?}");
            assert_eq!(ask(&settings, peer, &Method::HEAD, &list), get, "{list:?}");
            assert_eq!(ask(&settings, peer, &Method::POST, &list), post, "{list:?}");
        }
    }
}

#[test]
fn pages_of_other_sites_are_never_answered() {
    let key = ("x-api-key", "a-key-that-may-write");
    let host = ("host", "beats.example.org");
    for (list, answer) in [
        (vec![("origin", "https://beats.example.org")], Ok(Role::Write)),
        (vec![("origin", "https://beats.example.org:443")], Ok(Role::Write)),
        (vec![("origin", "https://evil.example.org")], Err(403)),
        (vec![("origin", "https://beats.example.org:8443")], Err(403)),
        (vec![("origin", "https://beats.example.org.evil.org")], Err(403)),
        (vec![("origin", "null")], Err(403)),
        (vec![("origin", "")], Err(403)),
        (vec![("sec-fetch-site", "cross-site")], Err(403)),
        (vec![("sec-fetch-site", "Cross-Site")], Err(403)),
        (vec![("sec-fetch-site", "same-origin")], Ok(Role::Write)),
        (vec![("sec-fetch-site", "none")], Ok(Role::Write)),
    ] {
        let list: Vec<_> = list.into_iter().chain([key, host]).collect();
        for method in [Method::GET, Method::POST] {
            assert_eq!(ask(&keyed(), NET, &method, &list), answer, "{list:?}");
        }
    }
    let local = [("host", "localhost:8080"), ("origin", "http://localhost:8080")];
    assert_eq!(ask(&open(), HERE, &Method::GET, &local), Ok(Role::Write));
    let other_port = [("host", "localhost:8080"), ("origin", "http://localhost:3000")];
    assert_eq!(ask(&open(), HERE, &Method::GET, &other_port), Err(403));
}

#[test]
fn a_denial_says_how_to_set_a_key() {
    let headers = headers(&[("host", "localhost")]);
    let denied =
        decide(&open(), Facts { method: &Method::GET, headers: &headers, absolute: None, peer: NET }, NOW)
            .unwrap_err();
    assert!(denied.message.contains("[[server.api_keys]]"), "{}", denied.message);
}

/// A link of another site that was followed.
const LINK: [(&str, &str); 4] = [
    ("host", "localhost:8080"),
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
];

fn cookie(settings: &HttpSettings, key: usize) -> (&'static str, String) {
    let value = session::open(&settings.server_key, &settings.api_keys[key], NOW);
    ("cookie", format!("{}={value}", session::name(&settings.base_url)))
}

fn come(settings: &HttpSettings, method: &Method, list: &[(&str, &str)]) -> Result<(Role, bool), u16> {
    let headers = headers(list);
    let facts = Facts { method, headers: &headers, absolute: None, peer: HERE };
    visit(settings, facts, NOW).map(|visitor| (visitor.role, visitor.signed_in)).map_err(
        |turned| match turned {
            Turned::Login => 0,
            Turned::Failure(failure) => failure.status.as_u16(),
        },
    )
}

#[test]
fn a_session_reads_the_api_and_a_key_that_is_sent_counts_alone() {
    let settings = keyed();
    let (write, read) = (cookie(&settings, 0), cookie(&settings, 1));
    let (write, read) = ((write.0, write.1.as_str()), (read.0, read.1.as_str()));
    for (list, get, post) in [
        (vec![write], Ok(Role::Write), Err(403)),
        (vec![read], Ok(Role::Read), Err(403)),
        (vec![("cookie", "overdue_session=1.2")], Err(401), Err(401)),
        (vec![write, ("authorization", "Basic Zm9v")], Ok(Role::Write), Err(403)),
        (vec![write, ("x-api-key", "a-key-that-may-read!")], Ok(Role::Read), Err(403)),
        (vec![read, ("x-api-key", "a-key-that-may-write")], Ok(Role::Write), Ok(Role::Write)),
        (vec![write, ("x-api-key", "a-key-of-nobody-here")], Err(401), Err(401)),
        (vec![write, ("authorization", "Bearer ")], Err(401), Err(401)),
        (vec![write, ("sec-fetch-site", "cross-site")], Err(403), Err(403)),
        (vec![write, ("origin", "https://evil.example")], Err(403), Err(403)),
        ([vec![write], LINK.to_vec()].concat(), Err(403), Err(403)),
    ] {
        assert_eq!(ask(&settings, NET, &Method::GET, &list), get, "{list:?}");
        assert_eq!(ask(&settings, NET, &Method::HEAD, &list), get, "{list:?}");
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(ask(&settings, NET, &method, &list), post, "{method} {list:?}");
        }
    }
    let local = HttpSettings { base_url: "http://10.0.0.1".to_owned(), ..open() };
    assert_eq!(
        ask(&local, HERE, &Method::GET, &[("host", "localhost"), write]),
        Err(403),
        "no keys, no session"
    );
}

#[test]
fn the_page_is_for_those_who_are_signed_in_and_its_forms_for_those_who_may_write() {
    let settings = keyed();
    let (write, read) = (cookie(&settings, 0), cookie(&settings, 1));
    let (write, read) = ((write.0, write.1.as_str()), (read.0, read.1.as_str()));
    let form = [("content-length", "5"), ("content-type", "application/x-www-form-urlencoded")];
    for (list, get, post) in [
        (vec![], Err(0), Err(0)),
        (vec![write], Ok((Role::Write, true)), Ok((Role::Write, true))),
        (vec![read], Ok((Role::Read, true)), Err(403)),
        (vec![("x-api-key", "a-key-that-may-write")], Ok((Role::Write, false)), Ok((Role::Write, false))),
        (vec![write, ("x-api-key", "a-key-of-nobody-here")], Err(401), Err(401)),
        (
            vec![write, ("origin", "https://beats.example.org")],
            Ok((Role::Write, true)),
            Ok((Role::Write, true)),
        ),
        (vec![write, ("origin", "null")], Err(403), Err(403)),
        (vec![write, ("sec-fetch-site", "cross-site")], Err(403), Err(403)),
        (vec![write, ("sec-fetch-site", "same-origin")], Ok((Role::Write, true)), Ok((Role::Write, true))),
    ] {
        assert_eq!(come(&settings, &Method::GET, &list), get, "{list:?}");
        assert_eq!(come(&settings, &Method::POST, &[&list[..], &form].concat()), post, "{list:?}");
    }
    let json = [write, ("content-length", "5"), ("content-type", "application/json")];
    assert_eq!(come(&settings, &Method::POST, &json), Err(403), "no form of the page");
}

#[test]
fn a_link_of_another_site_leads_to_the_page_and_nothing_else_does() {
    let settings = keyed();
    // A browser keeps the cookie back here; the page that leads on to the form is within the site, and there the
    // cookie comes: see `lead_on` in `login`.
    assert_eq!(come(&settings, &Method::GET, &LINK), Err(0));
    let (name, value) = cookie(&settings, 1);
    let within = [("host", "localhost:8080"), ("sec-fetch-site", "same-origin"), (name, value.as_str())];
    assert_eq!(come(&settings, &Method::GET, &within), Ok((Role::Read, true)));
    assert_eq!(come(&open(), &Method::GET, &LINK), Ok((Role::Write, false)), "without keys");
    assert_eq!(come(&open(), &Method::HEAD, &LINK), Ok((Role::Write, false)));
    let with = |at: usize, value| {
        let mut list = LINK.to_vec();
        list[at].1 = value;
        list
    };
    for (list, why) in [
        (with(0, "evil.example"), "another name for this machine"),
        (with(2, "no-cors"), "an image"),
        (with(2, "cors"), "a script"),
        (with(3, "iframe"), "a frame"),
        (with(3, "empty"), "a fetch"),
        (LINK[..3].to_vec(), "nowhere said what for"),
        ([&LINK[..], &[("origin", "https://evil.example")]].concat(), "what began as a POST"),
        ([&LINK[..], &[("sec-fetch-mode", "cors")]].concat(), "two modes"),
    ] {
        assert_eq!(come(&open(), &Method::GET, &list), Err(403), "{why}");
        assert!(come(&settings, &Method::GET, &list).is_err(), "{why}");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        assert_eq!(come(&open(), &method, &LINK), Err(403), "{method}");
    }
}

#[test]
fn a_form_is_taken_only_from_the_visitor_that_it_was_made_for() {
    let settings = keyed();
    let visitor = |key: usize| {
        let (name, value) = cookie(&settings, key);
        let headers = headers(&[(name, &value)]);
        let facts = Facts { method: &Method::GET, headers: &headers, absolute: None, peer: NET };
        visit(&settings, facts, NOW).unwrap()
    };
    let (ops, eye) = (visitor(0), visitor(1));
    assert!(ops.sent(&ops.csrf).is_ok() && eye.sent(&eye.csrf).is_ok());
    for wrong in ["", &eye.csrf, &ops.csrf[1..], &ops.csrf.to_uppercase(), &format!("{} ", ops.csrf)] {
        assert_eq!(ops.sent(wrong).unwrap_err().status, 403, "{wrong:?}");
    }
}
