//! Signing in and out, from outside.

use super::api::keys;
use super::*;
use crate::http::session;

const WRITE: &str = "a-key-that-may-write";
const READ: &str = "a-key-that-may-read!";
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const LIST: &str = "/api/v1/heartbeats";

fn keyed() -> House {
    House::with(1024, keys)
}

impl House {
    async fn post_form(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send("POST", path, &[headers, &[FORM]].concat(), body).await
    }

    /// The cookie that a key gives.
    async fn sign_in(&self, key: &str) -> String {
        let answer = self.post_form("/login", &[], &format!("key={key}")).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_key_signs_in_and_the_session_reads_the_api() {
    let house = keyed();
    for (key, sees) in [(WRITE, true), (READ, false)] {
        let answer = house
            .post_form("/login", &[], &format!("next=%2Fheartbeats%2Fbackup%3Fx%3D1&key=%20{key}+"))
            .await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("./heartbeats/backup?x=1")));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let cookie = house.sign_in(key).await;
        let list = house.send("GET", LIST, &[("Cookie", &cookie)], "").await;
        assert_eq!((list.status, list.body.contains("ping_url")), (200, sees), "{list:?}");
        let made = house
            .send("POST", LIST, &[("Cookie", &cookie), ("Content-Type", "application/json")], "{}")
            .await;
        assert_eq!(made.status, 403);
        assert!(made.body.contains("may only be read"), "{made:?}");
        // Whoever is signed in already is led on.
        let answer = house.send("GET", "/login?next=/incidents", &[("Cookie", &cookie)], "").await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("./incidents")));
    }
}

#[tokio::test]
async fn a_session_is_over_when_its_time_is_or_its_key_leaves() {
    let house = keyed();
    let cookie = house.sign_in(READ).await;
    let list = async || house.send("GET", LIST, &[("Cookie", &cookie)], "").await.status;
    house.desk.set_clock(NOON + 30 * 86_400_000 - 1);
    assert_eq!(list().await, 200);
    house.desk.set_clock(NOON + 30 * 86_400_000);
    assert_eq!(list().await, 401);
    house.desk.set_clock(NOON);
    assert_eq!(list().await, 200);
    let mut without = HttpSettings::for_tests();
    keys(&mut without);
    without.api_keys.pop();
    house.settings.send_replace(Arc::new(without));
    assert_eq!(list().await, 401);
}

#[tokio::test]
async fn a_wrong_key_is_told_in_one_sentence_and_not_said_again() {
    let house = keyed();
    for key in ["a-key-of-nobody-here", "", "a-key-that-may-writ"] {
        let answer = house.post_form("/login", &[], &format!("key={key}&next=/x")).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (401, None));
        assert!(answer.body.contains("<span>No API key of the config is this one.</span>"), "{answer:?}");
        assert!(answer.body.contains("name=\"next\" value=\"/x\""), "{answer:?}");
        assert!(key.is_empty() || !answer.body.contains(key), "{answer:?}");
    }
}

#[tokio::test]
async fn the_login_takes_only_its_own_form() {
    let house = keyed();
    let form = format!("key={WRITE}&next=//evil.example");
    let answer = house.post_form("/login", &[], &form).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("./")));
    for header in [("Origin", "https://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")] {
        let answer = house.post_form("/login", &[header], &form).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (403, None), "{header:?}");
    }
    let own = house.post_form("/login", &[("Origin", "http://localhost")], &form).await;
    assert_eq!(own.status, 303);
    let answer = house.send("POST", "/login", &[("Content-Type", "application/json")], "{}").await;
    assert_eq!(answer.status, 415);
    let long = house.post_form("/login", &[], &format!("key={}", "x".repeat(4096))).await;
    assert_eq!(long.status, 413);
    assert_eq!(house.send("PUT", "/login", &[], "").await.header("allow"), Some("GET, HEAD, POST"));
    assert_eq!(house.get("/logout").await.header("allow"), Some("POST"));
}

#[tokio::test]
async fn the_form_is_shown_to_whoever_comes() {
    let house = keyed();
    let link =
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];
    for headers in [&[][..], &link] {
        let answer = house.send("GET", "/login?next=%2F%22%3E%3Cb%3E", headers, "").await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("value=\"/&#34;&#62;&#60;b&#62;\""), "{answer:?}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        // Under `no-referrer` a browser says `Origin: null` for our own form, which is refused above.
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"), "{policy}");
    }
}

#[tokio::test]
async fn signing_out_needs_the_sessions_token() {
    let house = keyed();
    let cookie = house.sign_in(READ).await;
    let session = session::Session {
        role: crate::config::Role::Read,
        value: cookie.split_once('=').unwrap().1.to_owned(),
    };
    let token = session::csrf(&[7; 32], Some(&session));
    for wrong in [String::new(), token.replace(['0', '1'], "2"), session::csrf(&[7; 32], None)] {
        let answer = house.post_form("/logout", &[("Cookie", &cookie)], &format!("csrf={wrong}")).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (403, None));
    }
    let answer = house.post_form("/logout", &[("Cookie", &cookie)], &format!("csrf={token}")).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("./login")));
    assert!(
        answer
            .header("set-cookie")
            .unwrap()
            .starts_with(&format!("{}=; Path=/; Max-Age=0", session::name("http://127.0.0.1:8080")))
    );
    assert_eq!(house.post_form("/logout", &[], "").await.header("location"), Some("./login"));
}

#[tokio::test]
async fn without_keys_there_is_nothing_to_sign_in_to() {
    let house = House::open();
    assert_eq!(house.get("/login?next=/x").await.header("location"), Some("./x"));
    let answer = house.post_form("/login", &[], "key=anything-at-all-here").await;
    assert_eq!(
        (answer.status, answer.header("location"), answer.header("set-cookie")),
        (303, Some("./"), None)
    );
    assert_eq!(house.send("GET", "/login", &[("Host", "evil.example")], "").await.status, 403);
}

#[tokio::test]
async fn a_link_of_another_site_is_led_on_within_the_page_where_the_session_comes_again() {
    let house = keyed();
    let cookie = house.sign_in(READ).await;
    let link = [
        ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
    ];
    // The browser keeps the `SameSite=Strict` cookie back, also behind a redirect: so it is none.
    let answer = house.send("GET", "/?status=down", &link, "").await;
    assert_eq!((answer.status, answer.header("location")), (200, None), "{answer:?}");
    assert!(
        answer.body.contains("http-equiv=\"refresh\" content=\"0; url=login?next=%2F%3Fstatus%3Ddown\""),
        "{answer:?}"
    );
    assert!(!answer.body.contains("backup"), "nothing is shown yet");
    // What that page asks for is of this site, so the cookie comes.
    let within = [("Sec-Fetch-Site", "same-origin"), ("Cookie", cookie.as_str())];
    let answer = house.send("GET", "/login?next=%2F%3Fstatus%3Ddown", &within, "").await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("./?status=down")));
    assert_eq!(house.send("GET", "/?status=down", &within, "").await.status, 200);
    // Programs are told by the status, as is the page's script.
    assert_eq!(house.send("GET", "/", &[("Accept", "*/*")], "").await.status, 401);
    assert_eq!(house.get("/").await.status, 401);
    // Without keys there is no session to wait for.
    assert!(House::open().send("GET", "/", &link, "").await.body.contains("backup"));
}
