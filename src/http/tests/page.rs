//! The page of a heartbeat, from outside.

use super::api::keys;
use super::*;
use crate::model::channel::ChannelName;
use serde_json::json;

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const PAGE: &str = "/heartbeats/sync";
const WRITE: &str = "a-key-that-may-write";
const READ: &str = "a-key-that-may-read!";
const HOSTILE: &str = "<script>alert('x')</script>\"";

impl House {
    /// Makes the heartbeat `sync`, whose name, description, tag and host mean no good.
    async fn hostile(&self, headers: &[(&str, &str)]) {
        let body = json!({
            "name": HOSTILE, "slug": "sync", "interval": "1h", "grace": "5m",
            "description": HOSTILE, "tags": [HOSTILE], "host": HOSTILE,
        });
        let headers = [headers, &[("Content-Type", "application/json")]].concat();
        let made = self.send("POST", "/api/v1/heartbeats", &headers, &body.to_string()).await;
        assert_eq!(made.status, 201, "{made:?}");
    }

    /// Pings it, with a body that means no good.
    async fn report(&self, suffix: &str) {
        let path = format!("/ping/{}{suffix}", uuid_of("sync"));
        assert_eq!(self.send("POST", &path, &[], HOSTILE).await.status, 200);
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send("POST", path, &[headers, &[FORM]].concat(), body).await
    }

    fn go_on(&self, millis: i64) {
        self.desk.0.clock.fetch_add(millis, Ordering::SeqCst);
        self.desk.tell(Event::Tick);
    }
}

/// What the forms of a page bring.
fn csrf(page: &Answer) -> String {
    let after = page.body.split("name=\"csrf\" value=\"").nth(1).expect("the page has a form");
    after.split('"').next().unwrap().to_owned()
}

/// Nothing in it can run or load what is not ours.
fn is_harmless(page: &Answer) {
    assert_eq!(page.header("x-frame-options"), Some("DENY"), "{}", page.head);
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    // Under `no-referrer` a browser says `Origin: null` for our own forms.
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    assert_eq!(page.header("cross-origin-opener-policy"), Some("same-origin"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let body = &page.body;
    assert!(!body.contains("<script>alert"), "{body}");
    for tag in body.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
        assert!(!tag.starts_with("script") || tag.contains(" src="), "{tag}");
        let mut names = tag.split_whitespace().skip(1).map(|word| word.split('=').next().unwrap());
        assert!(
            !names
                .any(|name| name == "style" || (name.starts_with("on") && tag.contains(&format!("{name}=")))),
            "{tag}"
        );
    }
}

#[tokio::test]
async fn a_page_tells_how_a_heartbeat_stands_and_lets_nothing_in() {
    let house = House::open();
    house.hostile(&[]).await;
    let page = house.get(PAGE).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    is_harmless(&page);
    assert!(page.body.contains("New: no start or finish yet; the first finish is due "), "{}", page.body);
    assert!(page.body.contains("No runs yet") && !page.body.contains("class=\"chart\""));

    house.report("/start").await;
    house.go_on(4_000);
    house.report("/3").await;
    house.report("/start?rid=67e55044-10b1-426f-9247-bb680e5fe0c8").await;
    let page = house.get(PAGE).await;
    is_harmless(&page);
    for shown in [
        "Down since ",
        ": failed with exit code 3 after 4s.",
        " A run began ",
        "class=\"chart\"",
        "1 failed, 1 running.",
        "POST from 127.0.0.1",
        ">67e55044</code>",
        "Output <span class=\"quiet\">28 bytes</span>",
        "&#60;script&#62;alert(&#39;x&#39;)",
        "../?tag=%3Cscript%3Ealert%28%27x%27%29%3C%2Fscript%3E%22",
        "every 1h after the last finish",
        "the API",
        "0.0% of periods went well",
    ] {
        assert!(page.body.contains(shown), "{shown} in {}", page.body);
    }
    let run = house.get("/api/v1/heartbeats/sync/runs").await.json()["runs"][1].clone();
    assert_eq!((&run["method"], &run["from"]), (&json!("POST"), &json!("127.0.0.1")));
    let head = house.send("HEAD", PAGE, &[], "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_row_has_its_last_ping_its_next_due_and_what_the_last_run_took() {
    let house = House::open();
    house.hostile(&[]).await;
    house.report("/start").await;
    house.go_on(4_000);
    house.report("").await;
    house.go_on(30_000);
    let page = house.get("/").await;
    for shown in [
        // Told as people say it, exact on hover.
        r#"class="ping"><time datetime="2026-11-22T12:00:04.000Z" title="Sun 2026-11-22 12:00:04.000 UTC" data-ago>30s ago</time></td>"#,
        r#"class="due"><time datetime="2026-11-22T13:00:04.000Z" title="Sun 2026-11-22 13:00:04.000 UTC" data-when>in 1h</time></td>"#,
        r#"class="took">4.0s</td>"#,
        "<title>The last run: 1 good; the longest took 4.0s</title>",
        "every 1h after the last finish",
    ] {
        assert!(page.body.contains(shown), "{shown} in {}", page.body);
    }
}

#[tokio::test]
async fn addresses_that_mean_the_same_lead_to_one() {
    let house = House::open();
    let led = async |path: &str| {
        let answer = house.get(path).await;
        (answer.status, answer.header("location").map(str::to_owned))
    };
    assert_eq!(led(&format!("/heartbeats/{}", uuid_of("backup"))).await, (303, Some("backup".to_owned())));
    assert_eq!(led("/heartbeats/backup/").await, (303, Some("../backup".to_owned())));
    assert_eq!(led("/heartbeats/").await, (303, Some("../".to_owned())));
    assert_eq!(led("/incidents/?status=open").await, (303, Some("../incidents?status=open".to_owned())));
    assert_eq!(led("/deliveries/").await, (303, Some("../deliveries".to_owned())));
    assert_eq!(led("/config/").await, (303, Some("../config".to_owned())));
    assert_eq!(led("/login/").await, (303, Some("../login".to_owned())));
    assert_eq!(led("/heartbeats/b%61ckup").await, (200, None));
    for (path, says) in [
        ("/heartbeats/nobody".to_owned(), "There is no heartbeat of this slug"),
        (format!("/heartbeats/{}", Uuid::from_u128(5)), "There is no heartbeat of this slug"),
        ("/heartbeats/No%20Slug".to_owned(), "There is no heartbeat of this slug"),
        ("/heartbeats/backup?runs=x".to_owned(), "This is no place in the runs"),
        ("/heartbeats/backup?page=2".to_owned(), "There is no &#34;page&#34; to choose here"),
    ] {
        let answer = house.get(&path).await;
        let status = if path.contains('?') { 400 } else { 404 };
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.body.contains(says), "{path}: {}", answer.body);
        is_harmless(&answer);
    }
    assert_eq!(house.post("/heartbeats/backup", &[], "").await.header("allow"), Some("GET, HEAD"));
    assert_eq!(house.get("/heartbeats/backup/pause").await.header("allow"), Some("POST"));
}

#[tokio::test]
async fn one_that_left_is_told_so() {
    let house = House::open();
    house.hostile(&[]).await;
    assert_eq!(house.send("DELETE", "/api/v1/heartbeats/sync", &[], "").await.status, 204);
    let page = house.get(PAGE).await;
    assert_eq!(page.status, 404);
    assert!(page.body.contains("left the config, or was deleted"), "{}", page.body);
    is_harmless(&page);
}

#[tokio::test]
async fn who_may_only_read_sees_no_secret_and_no_button() {
    let house = House::with(1024, keys);
    house.hostile(&[("X-Api-Key", WRITE)]).await;
    house.report("/1").await;
    let secret = uuid_of("sync").to_string();
    let page = house.send("GET", PAGE, &[("X-Api-Key", READ)], "").await;
    assert_eq!(page.status, 200);
    is_harmless(&page);
    let body = &page.body;
    assert!(!body.contains(&secret) && !body.contains("/ping/"), "{body}");
    assert!(!body.contains("method=\"post\""), "nothing can be done: {body}");
    for key in [READ, WRITE] {
        let answer = house.send("GET", &format!("/heartbeats/{secret}"), &[("X-Api-Key", key)], "").await;
        assert_eq!(answer.status, if key == READ { 404 } else { 303 });
    }
    let page = house.send("GET", PAGE, &[("X-Api-Key", WRITE)], "").await;
    let form = format!("csrf={}", csrf(&page));
    let answer = house.post(&format!("{PAGE}/pause"), &[("X-Api-Key", READ)], &form).await;
    assert_eq!(answer.status, 403);
    is_harmless(&answer);
    assert_eq!(house.post(&format!("{PAGE}/pause"), &[("X-Api-Key", WRITE)], &form).await.status, 303);
    // Nobody: the form is somewhere else.
    let answer = house.get(&format!("{PAGE}?runs=ended_5_{}", "0".repeat(32))).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
    assert!(answer.body.contains("../login?next=%2Fheartbeats%2Fsync%3Fruns%3Dended"), "{answer:?}");
}

#[tokio::test]
async fn whoever_acts_without_a_session_is_led_to_the_form() {
    let house = House::with(1024, keys);
    for path in
        ["/heartbeats/backup/pause", "/heartbeats/backup/resume", "/channels/ops/test", "/deliveries/7/retry"]
    {
        let answer = house.post(path, &[], "csrf=x").await;
        assert_eq!(answer.status, 401, "{path}");
        let link = answer.body.split("url=").nth(1).unwrap().split('"').next().unwrap();
        let here = url::Url::parse(&format!("http://localhost/under{path}")).unwrap();
        assert_eq!(here.join(link).unwrap().as_str(), "http://localhost/under/login?next=%2F", "{path}");
    }
}

#[tokio::test]
async fn a_form_pauses_and_resumes() {
    let house = House::open();
    house.hostile(&[]).await;
    let token = csrf(&house.get(PAGE).await);
    let status = async || house.get("/api/v1/heartbeats/sync").await.json()["status"].clone();
    let (pause, resume) = (format!("{PAGE}/pause"), format!("{PAGE}/resume"));

    for wrong in ["", "csrf=", "csrf=0000", &format!("csrf={}", token.replace(['0', '1', '2'], "3"))] {
        let answer = house.post(&pause, &[], wrong).await;
        assert_eq!(answer.status, 403, "{wrong}");
        assert!(answer.body.contains("Load the page again"), "{answer:?}");
        is_harmless(&answer);
    }
    assert_eq!(status().await, "new");
    let form = |more: &str| format!("csrf={token}{more}");
    for (path, body, refused) in [
        (&pause, "&for=5y", 400),
        (&"/heartbeats/nobody/pause".to_owned(), "", 404),
        (&"/heartbeats/nobody/resume".to_owned(), "", 404),
    ] {
        assert_eq!(house.post(path, &[], &form(body)).await.status, refused, "{path}{body}");
    }
    let answer = house.post(&pause, &[], &form("&for=8h")).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("../sync")));
    let page = house.get(PAGE).await;
    assert!(page.body.contains("Paused: it resumes by itself ") && page.body.contains(">Resume</button>"));
    let answer = house.post(&resume, &[], &form("")).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("../sync")));
    assert_eq!(status().await, "new");
    house.post(&pause, &[], &form("&for=")).await;
    assert!(house.get(PAGE).await.body.contains("until somebody resumes it"));

    let long = form(&format!("&for={}", "x".repeat(4096)));
    assert_eq!(house.post(&pause, &[], &long).await.status, 413);
    let other = [("Origin", "https://evil.example")];
    assert_eq!(house.post(&resume, &other, &form("")).await.status, 403);
    let text = house.send("POST", &resume, &[("Content-Type", "text/plain")], &form("")).await;
    assert_eq!(text.status, 403);
    assert_eq!(status().await, "paused");
}

#[tokio::test]
async fn a_delivery_is_tried_again_by_a_form() {
    let house = House::open();
    house.hostile(&[]).await;
    house.report("/1").await;
    let page = house.get(PAGE).await;
    let token = csrf(&page);
    let list = house.get("/api/v1/deliveries?heartbeat=sync").await.json();
    house.settings.send_modify(|settings| {
        Arc::make_mut(settings).channels.remove(&ChannelName::new(ChannelName::LOG));
    });
    assert!(!house.get(PAGE).await.body.contains("/retry\""), "its channel has left the config");
    house.settings.send_replace(Arc::new(HttpSettings::for_tests()));
    let id = list["deliveries"][0]["id"].as_str().unwrap().to_owned();
    assert!(page.body.contains(&format!("action=\"../deliveries/{id}/retry\"")), "{}", page.body);
    let retry = format!("/deliveries/{id}/retry");
    for (next, location) in [
        (PAGE, "../../heartbeats/sync"),
        ("//evil.example", "../../"),
        ("", "../../"),
        ("https://evil.example", "../../"),
    ] {
        let answer = house.post(&retry, &[], &format!("csrf={token}&next={next}")).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some(location)), "{next}");
    }
    assert_eq!(house.post(&retry, &[], "next=/").await.status, 403);
    for unknown in ["x".to_owned(), Uuid::from_u128(9).to_string()] {
        let answer = house.post(&format!("/deliveries/{unknown}/retry"), &[], &format!("csrf={token}")).await;
        assert_eq!(answer.status, 404);
        assert!(answer.body.contains("There is no delivery of this id"), "{answer:?}");
        is_harmless(&answer);
    }
}

#[tokio::test]
async fn older_runs_are_a_link_away() {
    let house = House::open();
    house.hostile(&[]).await;
    for _ in 0..60 {
        house.report("").await;
        house.go_on(60_000);
    }
    let page = house.get(PAGE).await;
    let rows = |page: &Answer| page.body.matches("<tr data-key=\"run-").count();
    assert_eq!(rows(&page), 50);
    assert!(page.body.contains("Durations of the last 60 runs"), "{}", page.body);
    let link = page.body.split("href=\"?runs=").nth(1).unwrap().split('#').next().unwrap();
    let older = house.get(&format!("{PAGE}?runs={link}")).await;
    assert_eq!(rows(&older), 10);
    assert!(older.body.contains("Newest runs") && !older.body.contains("?runs="), "{}", older.body);
    is_harmless(&older);
}
