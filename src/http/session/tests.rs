//! Which cookies sign in, and which never do.

use super::*;
use http::HeaderValue;
use proptest::prelude::*;

const SERVER: [u8; 32] = [7; 32];
const BASE: &str = "http://127.0.0.1:8080";
/// The cookie of that one.
const NAME: &str = "overdue_session_d30a576c";
const NOW: Timestamp = Timestamp::from_millis(1_795_348_800_000);

fn keys() -> Vec<ApiKey> {
    let key = |name: &str, byte, role| ApiKey { name: name.to_owned(), hash: [byte; 32], role };
    vec![key("ops", 1, Role::Write), key("eye", 2, Role::Read), key("old", 3, Role::Write)]
}

fn cookie(text: &str) -> HeaderMap {
    HeaderMap::from_iter([(COOKIE, HeaderValue::from_bytes(text.as_bytes()).unwrap())])
}

fn role(text: &str) -> Option<Role> {
    find(BASE, &SERVER, &keys(), &cookie(text), NOW).map(|session| session.role)
}

fn signed(value: &str) -> Option<Role> {
    role(&format!("{NAME}={value}"))
}

proptest! {
    #[test]
    fn no_changed_cookie_signs_in(at in 0_usize..75, to in "[ -:<-~]", key in 0_usize..3) {
        let value = open(&SERVER, &keys()[key], NOW);
        prop_assert_eq!(signed(&value), Some(keys()[key].role));
        let mut changed = value.clone();
        changed.replace_range(at..=at, &to);
        prop_assert!(changed == value || signed(&changed).is_none(), "{}", changed);
        prop_assert!(signed(&value[..at]).is_none() && signed(&value[at + 1..]).is_none());
        let longer = format!("{}{to}{}", &value[..at], &value[at..]);
        prop_assert!(longer.trim() == value || signed(&longer).is_none(), "{}", longer);
    }

    #[test]
    fn garbage_signs_nobody_in(text in "(overdue_session_d30a576c|=|;|\\.|[0-9]{1,20}|[0-9a-f]{64}|[ -~]){0,12}") {
        prop_assert_eq!(role(&text), None);
    }

    #[test]
    fn a_session_ends_on_its_second(ms in 0_i64..3_000_000_000_000) {
        let begun = Timestamp::from_millis(ms);
        let headers = cookie(&format!("{NAME}={}", open(&SERVER, &keys()[0], begun)));
        let at = |when| find(BASE, &SERVER, &keys(), &headers, when).is_some();
        let end = Timestamp::from_millis((begun + LIFE).as_millis() / 1000 * 1000);
        prop_assert!(at(begun) && at(Timestamp::from_millis(end.as_millis() - 1)));
        prop_assert!(!at(end) && !at(end + LIFE));
    }

    #[test]
    fn parts_never_run_into_each_other(text in "[a-c]{0,6}", cut in 0_usize..6, other in 0_usize..6) {
        let split = |at: usize| {
            let (a, b) = text.split_at(at.min(text.len()));
            code(&SERVER, "test", &[a.as_bytes(), b.as_bytes()])
        };
        let same = cut.min(text.len()) == other.min(text.len());
        prop_assert_eq!(split(cut) == split(other), same);
    }
}

#[test]
fn a_session_ends_with_its_key_its_role_and_the_servers_key() {
    let headers = cookie(&format!("{NAME}={}", open(&SERVER, &keys()[1], NOW)));
    let with =
        |server: &[u8; 32], keys: &[ApiKey]| find(BASE, server, keys, &headers, NOW).map(|found| found.role);
    let mut other = keys();
    assert_eq!(with(&SERVER, &other), Some(Role::Read));
    assert_eq!(with(&[8; 32], &other), None, "another server key");
    other[1].name = "renamed".to_owned();
    other.swap(0, 1);
    assert_eq!(with(&SERVER, &other), Some(Role::Read), "a name or a place changes nothing");
    other[0].role = Role::Write;
    assert_eq!(with(&SERVER, &other), None, "another role");
    other.remove(0);
    assert_eq!(with(&SERVER, &other), None, "the key has left");
    assert_eq!(with(&SERVER, &[]), None, "no keys at all");
}

#[test]
fn the_session_is_found_among_other_cookies_and_behind_wrong_ones() {
    let (write, read) = (open(&SERVER, &keys()[0], NOW), open(&SERVER, &keys()[1], NOW));
    for (text, found) in [
        (format!("a=b; {NAME}={write}; c=d"), Some(Role::Write)),
        (format!("a=b;{NAME}={write}"), Some(Role::Write)),
        (format!("{NAME}=planted; {NAME}={write}"), Some(Role::Write)),
        (format!("{NAME}={read}; {NAME}={write}"), Some(Role::Read)),
        (format!("{}{NAME}={write}", format!("{NAME}=x; ").repeat(COOKIES - 1)), Some(Role::Write)),
        (format!("{}{NAME}={write}", format!("{NAME}=x; ").repeat(COOKIES)), None),
        (format!("name=Jörg; {NAME}={write}"), Some(Role::Write)),
        (format!("x{NAME}={write}"), None),
        (format!("{NAME}x={write}"), None),
        (format!("OVERDUE_SESSION={write}"), None),
        (format!("overdue_session={write}"), None),
        (format!("{}={write}", name("http://127.0.0.1:8081")), None),
        (format!("{NAME}=\"{write}\""), None),
        (format!("{NAME}=; {NAME}"), None),
    ] {
        assert_eq!(role(&text), found, "{text}");
    }
    let mut two = cookie("name=Jörg");
    two.append(COOKIE, HeaderValue::from_str(&format!("{NAME}={write}")).unwrap());
    assert_eq!(find(BASE, &SERVER, &keys(), &two, NOW).map(|found| found.role), Some(Role::Write));
}

#[test]
fn the_cookie_is_kept_from_scripts_and_other_sites() {
    let value = open(&SERVER, &keys()[0], NOW);
    assert_eq!(
        set_cookie(&value, "http://127.0.0.1:8080"),
        format!("{NAME}={value}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict")
    );
    assert!(set_cookie(&value, "https://beats.example.org").ends_with("; SameSite=Strict; Secure"));
    let under = set_cookie("", "https://beats.example.org/over/due");
    let name = name("https://beats.example.org/over/due");
    assert!(under.starts_with(&format!("{name}=; Path=/over/due/; Max-Age=0;")), "{under}");
    assert!(set_cookie("", "https://beats.example.org/a;b").contains("=; Path=/; Max-Age=0;"));
}

#[test]
fn a_form_token_belongs_to_one_session_and_one_server() {
    let session = |key: usize| Session { role: keys()[key].role, value: open(&SERVER, &keys()[key], NOW) };
    let tokens = [
        csrf(&SERVER, None),
        csrf(&SERVER, Some(&session(0))),
        csrf(&SERVER, Some(&session(1))),
        csrf(&[8; 32], None),
    ];
    for (at, token) in tokens.iter().enumerate() {
        assert_eq!(token.len(), 64);
        assert!(!tokens[..at].contains(token), "{token}");
    }
    assert_eq!(csrf(&SERVER, Some(&session(0))), tokens[1]);
}
