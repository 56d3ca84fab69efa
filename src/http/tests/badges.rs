//! Badges and status pages, from outside.

use super::*;

const LIST: &str = "/api/v1/heartbeats";

/// Where a badge or a status page is, as the API tells.
async fn address(house: &House, query: &str, form: &str) -> String {
    let answer = house.get(&format!("/api/v1/badges{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let address = answer.json()[form].as_str().unwrap_or_default().to_owned();
    address.strip_prefix("http://127.0.0.1:8080").unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

async fn status(house: &House, query: &str) -> String {
    let answer = house.get(&address(house, query, "json").await).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["status"].as_str().unwrap().to_owned()
}

async fn make(house: &House, slug: &str, tags: &str) -> String {
    let body = format!(
        r#"{{"name":"Name of {slug} <b>","slug":"{slug}","interval":"1h","tags":{tags},"host":"host-of-{slug}","description":"told of {slug}"}}"#
    );
    let made = house.post_json(LIST, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()["uuid"].as_str().unwrap().to_owned()
}

async fn ping(house: &House, uuid: &str, what: &str) {
    assert_eq!(house.get(&format!("/ping/{uuid}{what}")).await.status, 200);
}

fn pages(settings: &mut HttpSettings) {
    settings.status_pages = ["db".to_owned(), "empty".to_owned()].into();
}

#[tokio::test]
async fn a_badge_tells_how_its_heartbeat_stands_in_three_forms_and_nothing_else() {
    let house = House::open();
    let uuid = make(&house, "orders", r#"["shop"]"#).await;
    for (what, word, colour) in [("", "up", "brightgreen"), ("/fail", "down", "red")] {
        ping(&house, &uuid, what).await;
        let of = "?heartbeat=orders";
        let json = house.get(&address(&house, of, "json").await).await;
        assert_eq!(json.body, format!(r#"{{"status":"{word}"}}"#));
        let shields = house.get(&address(&house, of, "shields").await).await;
        assert_eq!(
            shields.json(),
            serde_json::json!({"schemaVersion": 1, "label": "status", "message": word, "color": colour})
        );
        let svg = house.get(&address(&house, of, "svg").await).await;
        assert_eq!(svg.header("content-type"), Some("image/svg+xml"));
        assert!(svg.body.contains(&format!("<title>status: {word}</title>")), "{svg:?}");
        for answer in [json, shields, svg] {
            let text = format!("{}{}", answer.head, answer.body).to_lowercase();
            for secret in ["orders", "name of", "shop", "host-of", "told of", "every", uuid.as_str()] {
                assert!(!text.contains(secret), "{secret} is in {text}");
            }
            assert_eq!(answer.header("cache-control"), Some("no-cache, max-age=0"));
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
            assert_eq!(answer.header("content-security-policy"), Some("default-src 'none'"));
        }
    }
}

#[tokio::test]
async fn a_label_is_ones_own_bounded_and_text() {
    let house = House::open();
    let (svg, shields) = (address(&house, "", "svg").await, address(&house, "", "shields").await);
    let answer = house.get(&format!("{svg}?v=2&label=%3Cb%3E%26%22nightly%00")).await;
    assert!(answer.body.contains("<title>&lt;b&gt;&amp;&quot;nightly: new</title>"), "{answer:?}");
    let answer = house.get(&format!("{shields}?label={}", "x".repeat(1000))).await;
    assert_eq!(answer.json()["label"], "x".repeat(40));
}

#[tokio::test]
async fn a_tag_stands_as_the_worst_of_its_heartbeats() {
    // Each in a house of its own, since an answer is kept for a moment.
    for (pings, word) in [
        (vec![("a", ""), ("b", "")], "up"),
        (vec![("a", "")], "new"),
        (vec![("a", ""), ("b", "/fail")], "down"),
        (vec![("a", "pause"), ("b", "")], "up"),
        (vec![("a", "pause"), ("b", "pause")], "paused"),
    ] {
        let house = House::open();
        let uuids = [make(&house, "a", r#"["db"]"#).await, make(&house, "b", r#"["x","db"]"#).await];
        let other = make(&house, "other", r#"["dbs","DB"]"#).await;
        ping(&house, &other, "/fail").await;
        for (slug, what) in &pings {
            match *what {
                "pause" => {
                    let paused = house.send("POST", &format!("{LIST}/{slug}/pause"), &[], "").await;
                    assert_eq!(paused.status, 200);
                }
                what => ping(&house, &uuids[usize::from(*slug == "b")], what).await,
            }
        }
        assert_eq!(status(&house, "?tag=db").await, word, "{pings:?}");
        assert_eq!(status(&house, "").await, "down", "of all");
        assert_eq!(status(&house, "?tag=nobody-has-it").await, "none");
    }
}

#[tokio::test]
async fn many_heartbeats_are_counted_piece_by_piece() {
    let house = House::open();
    for n in 0..1_100 {
        make(&house, &format!("n{n:04}"), r#"["many"]"#).await;
    }
    let last = make(&house, "zz", r#"["many"]"#).await;
    ping(&house, &last, "/fail").await;
    assert_eq!(status(&house, "?tag=many").await, "down", "the last of 1,101");
}

#[tokio::test]
async fn every_address_that_is_none_of_ours_is_answered_alike() {
    let house = House::with(1024, pages);
    make(&house, "gone", r#"["db"]"#).await;
    let gone = address(&house, "?heartbeat=gone", "svg").await;
    assert_eq!(house.get(&gone).await.status, 200);
    assert_eq!(house.send("DELETE", &format!("{LIST}/gone"), &[], "").await.status, 204);
    let all = address(&house, "", "svg").await;
    let page = address(&house, "?tag=db", "status_page").await;
    let badge = page.replace("/status/", "/badge/");
    let token = all.trim_start_matches("/badge/").trim_end_matches(".svg");
    let turned: String = token.chars().rev().collect();
    for path in [
        gone,
        format!("/badge/{turned}.svg"),
        format!("/badge/{token}"),
        format!("/badge/{token}.png"),
        format!("/badge/{}.svg", &token[1..]),
        "/badge/backup.svg".to_owned(),
        format!("/badge/{}.json", uuid_of("backup")),
        format!("/status/{token}"),
        format!("{badge}.svg"),
        "/status/db".to_owned(),
    ] {
        let answer = house.get(&path).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, "not found\n"), "{path}");
        let head = |answer: &Answer| {
            answer.head.lines().filter(|line| !line.starts_with("date")).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(head(&answer), head(&house.get("/badge/x.svg").await), "{path}");
    }
    assert_eq!(house.send("POST", &all, &[], "").await.header("allow"), Some("GET, HEAD"));
    assert_eq!(house.send("POST", &page, &[], "").await.status, 405);
}

#[tokio::test]
async fn addresses_stay_and_are_anothers_under_another_key() {
    let house = House::open();
    let (one, two) = (
        address(&house, "?heartbeat=backup", "svg").await,
        address(&house, "?heartbeat=rotate", "svg").await,
    );
    assert_eq!(address(&house, &format!("?heartbeat={}", uuid_of("backup")), "svg").await, one);
    assert_ne!(one[..12], two[..12], "two heartbeats share no beginning");
    let other = HttpSettings { server_key: [8; 32], ..HttpSettings::for_tests() };
    house.settings.send_replace(Arc::new(other));
    assert_eq!(house.get(&one).await.status, 404);
    assert_ne!(address(&house, "?heartbeat=backup", "svg").await, one);
}

#[tokio::test]
async fn badges_are_for_everybody_and_their_addresses_for_those_who_may_read() {
    let house = House::with(1024, super::api::keys);
    let asked = house.send("GET", "/api/v1/badges", &[("X-Api-Key", "a-key-that-may-read!")], "").await;
    let svg = asked.json()["svg"].as_str().unwrap().replace("http://127.0.0.1:8080", "");
    assert_eq!(house.get("/api/v1/badges").await.status, 401);
    let foreign = [
        ("Host", "beats.example.org"),
        ("Origin", "https://elsewhere.example"),
        ("Sec-Fetch-Site", "cross-site"),
        ("X-Forwarded-For", "192.0.2.1"),
    ];
    assert_eq!(house.send("GET", &svg, &foreign, "").await.status, 200);
    assert_eq!(House::open().send("GET", &svg, &foreign, "").await.status, 200, "without keys too");
    for (query, status, field) in [
        ("?heartbeat=nobody", 404, None),
        ("?heartbeat=backup&tag=db", 400, Some("tag")),
        ("?tag=a%0Ab", 400, Some("tag")),
        ("?slug=backup", 400, Some("slug")),
    ] {
        let path = format!("/api/v1/badges{query}");
        let answer = house.send("GET", &path, &[("X-Api-Key", "a-key-that-may-read!")], "").await;
        assert_eq!((answer.status, answer.field().as_deref()), (status, field), "{answer:?}");
    }
}

#[tokio::test]
async fn since_when_something_is_up_is_told_only_where_it_is_known() {
    let house = House::with(1024, pages);
    let uuid = make(&house, "aa-slug", r#"["db"]"#).await;
    let since = async || {
        let page = house.desk.ask(|view| view.public("db", None, 9)).await.unwrap();
        (page.items[0].status.word(), page.items[0].since.map(|at| at.as_millis() - NOON))
    };
    assert_eq!(since().await, ("new", Some(0)));
    for (after, suffix, shown) in [
        (1_000, "", ("up", None)),
        (2_000, "/3", ("down", Some(2_000))),
        (3_000, "", ("up", Some(3_000))),
        (4_000, "", ("up", Some(3_000))),
    ] {
        house.desk.set_clock(NOON + after);
        ping(&house, &uuid, suffix).await;
        assert_eq!(since().await, shown, "{after}");
    }
    for (after, what, shown) in [(5_000, "pause", ("paused", None)), (6_000, "resume", ("up", None))] {
        house.desk.set_clock(NOON + after);
        let answer = house.post_json(&format!("{LIST}/aa-slug/{what}"), "{}").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(since().await, shown, "{what}");
    }
}

#[tokio::test]
async fn a_status_page_shows_names_and_how_they_stand_and_nothing_else() {
    let house = House::with(1024, pages);
    let (a, b) =
        (make(&house, "aa-slug", r#"["db","secret-tag"]"#).await, make(&house, "bb-slug", r#"["db"]"#).await);
    make(&house, "cc-slug", r#"["other"]"#).await;
    house.desk.set_clock(NOON + 58 * 60_000);
    ping(&house, &a, "").await;
    ping(&house, &b, "/7").await;
    let page = address(&house, "?tag=db", "status_page").await;
    let answer = house.get(&page).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let html = &answer.body;
    assert!(html.contains("<title>db: down</title>"), "{html}");
    let place = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text} is not in {html}"));
    assert!(
        place("<b>Name of bb-slug &#60;b&#62;</b>") < place("<b>Name of aa-slug &#60;b&#62;</b>"),
        "the worst first"
    );
    assert!(html.contains("down</span> <small>since 2026-11-22 12:58 UTC"), "{html}");
    assert!(html.contains("up</span></span>"), "it was new until a moment that is not kept: {html}");
    assert!(html.contains("the last 90 days: 1 good, 0 with a problem"), "{html}");
    assert!(html.contains("the last 90 days: 0 good, 1 with a problem"), "{html}");
    let unnamed = html.replace("Name of aa-slug", "").replace("Name of bb-slug", "");
    for secret in
        ["-slug", "secret-tag", "host-of", "told of", "every", "1h", "/ping/", "href", "exit", &a, &b]
    {
        assert!(!unnamed.contains(secret), "{secret} is in {html}");
    }
    for (name, value) in [
        ("refresh", "60"),
        ("x-robots-tag", "noindex"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert!(
        answer
            .header("content-security-policy")
            .unwrap()
            .starts_with("default-src 'none'; style-src 'sha256-")
    );
    // Whoever takes the tag off the list takes the page away, at once.
    house.settings.send_replace(Arc::new(HttpSettings::for_tests()));
    assert_eq!(house.get(&page).await.status, 404);
    let none = house.get("/api/v1/badges?tag=db").await;
    assert_eq!(none.json()["status_page"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_status_page_is_for_everybody_and_says_how_many_more_there_are() {
    let house = House::with(1024, |settings| {
        pages(settings);
        super::api::keys(settings);
    });
    let key = [("X-Api-Key", "a-key-that-may-write"), ("Content-Type", "application/json")];
    for n in 0..503 {
        let body = format!(r#"{{"name":"job {n}","interval":"1h","tags":["db"]}}"#);
        assert_eq!(house.send("POST", LIST, &key, &body).await.status, 201);
    }
    let page = async |tag: &str| {
        let told = house.send("GET", &format!("/api/v1/badges?tag={tag}"), &key[..1], "").await;
        let page = told.json()["status_page"].as_str().unwrap().replace("http://127.0.0.1:8080", "");
        let foreign =
            [("Host", "public.example.org"), ("Via", "1.1 proxy"), ("Sec-Fetch-Site", "cross-site")];
        house.send("GET", &page, &foreign, "").await
    };
    let answer = page("db").await;
    assert_eq!((answer.status, answer.body.matches("<li>").count()), (200, 500));
    assert!(answer.body.contains("<p>And 3 more.</p>"), "{answer:?}");
    assert!(page("empty").await.body.contains("No heartbeat has this tag."));
}
