//! The pages of incidents, deliveries and the config, as a browser gets them.

use crate::config::{ApiKey, Role};
use crate::http::page::words;
use crate::http::seam::Engine as _;
use crate::http::tests::{Answer, House, NOON, uuid_of};
use crate::machine::event::Event;
use crate::model::channel::ChannelName;
use crate::model::delivery::{Attempt, Verdict};
use crate::model::incident::{BlindWindow, Blindness};
use crate::model::time::{Span, Timestamp};

const LIST: &str = "/api/v1/heartbeats";
const READ: (&str, &str) = ("Authorization", "Bearer a-key-that-may-read!");
const WRITE: (&str, &str) = ("Authorization", "Bearer a-key-that-may-write");

/// A door with keys and the channel that alerts go to when a heartbeat has none.
fn house() -> House {
    House::with(1024, |settings| {
        let key = |name: &str, text: &str, role| ApiKey {
            name: name.to_owned(),
            hash: crate::config::secret::Secret::new(text).hash(),
            role,
        };
        settings.api_keys = vec![
            key("eyes", "a-key-that-may-read!", Role::Read),
            key("ops", "a-key-that-may-write", Role::Write),
        ];
        settings.channels.insert(ChannelName::new(ChannelName::LOG));
    })
}

async fn page(house: &House, path: &str) -> String {
    let answer = house.send("GET", path, &[WRITE], "").await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

async fn ping(house: &House, slug: &str, end: &str) {
    assert_eq!(house.get(&format!("/ping/{}{end}", uuid_of(slug))).await.status, 200);
}

/// Sends a form, as this page would.
async fn post(house: &House, path: &str, form: &str) -> Answer {
    house.send("POST", path, &[("Content-Type", "application/x-www-form-urlencoded")], form).await
}

/// Nothing that the policy of the page would forbid.
fn assert_plain(html: &str) {
    assert!(!html.contains("style="), "{html}");
    for tag in html.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        assert!(!tag.contains(" on"), "an inline handler: <{tag}>");
        assert!(!tag.starts_with("script") || tag.contains(" src=\""), "an inline script: <{tag}>");
    }
}

/// The href of the link with this text.
fn link<'a>(html: &'a str, text: &str) -> Option<&'a str> {
    let before = html.split(&format!(">{text}</a>")).next().filter(|before| before.len() < html.len())?;
    before.rsplit("href=\"").next()?.split('"').next()
}

fn unescaped(address: &str) -> String {
    format!("/{}", address.replace("&#38;", "&").replace("&amp;", "&"))
}

#[tokio::test]
async fn incidents_are_told_newest_first_with_why_and_how_they_ended() {
    let house = house();
    assert!(page(&house, "/incidents").await.contains("There has been no incident yet."));
    ping(&house, "backup", "/3").await;
    house.desk.set_clock(NOON + 90_000);
    ping(&house, "backup", "").await;
    house.desk.set_clock(NOON + 95_000);
    ping(&house, "rotate", "/fail").await;

    let all = page(&house, "/incidents").await;
    assert_plain(&all);
    let (rotate, backup) = (all.find(">rotate</a>").unwrap(), all.find(">backup</a>").unwrap());
    assert!(rotate < backup, "the newest comes first");
    for told in [
        "failed with exit code 3",
        "said that it failed",
        "a success came",
        ">1m<",
        "resolved: a success came",
    ] {
        assert!(all.contains(told), "{told}: {all}");
    }
    assert!(all.contains("<title>(1) Incidents"), "{all}");

    let open = page(&house, "/incidents?status=open").await;
    assert!(open.contains(">rotate</a>") && !open.contains(">backup</a>"));
    let resolved = page(&house, "/incidents?status=resolved").await;
    assert!(!resolved.contains(">rotate</a>") && resolved.contains(">backup</a>"));
    let of_one = page(&house, "/incidents?status=&heartbeat=backup").await;
    assert!(!of_one.contains(">rotate</a>") && of_one.contains(">backup</a>"));
    assert!(
        page(&house, "/incidents?status=open&heartbeat=backup")
            .await
            .contains("No incident is open of backup.")
    );

    let uuid = uuid_of("backup").to_string();
    let by_uuid = page(&house, &format!("/incidents?heartbeat={uuid}")).await;
    assert!(by_uuid.contains(">backup</a>") && !by_uuid.contains(&uuid), "the UUID is a secret");
}

#[tokio::test]
async fn an_incident_names_when_overdue_could_not_hear() {
    let house = house();
    ping(&house, "backup", "").await;
    let due = NOON + 86_400_000;
    house.desk.set_clock(due + 20_000);
    let [from, to] = [due + 10_000, due + 20_000].map(Timestamp::from_millis);
    house.desk.tell(Event::Blind(BlindWindow { from, to, why: Blindness::Stalled }));
    house.desk.set_clock(due + 86_400_000);
    house.desk.tell(Event::Tick);
    for (path, told) in [
        ("/", &["; overdue could not hear for part of that time"][..]),
        (
            "/incidents",
            &["The ping may have come while overdue could not hear.", "; the ping may have come then"],
        ),
        (
            "/heartbeats/backup",
            &[
                ">maybe unheard<",
                "The ping may have come while overdue could not hear: from due to deadline",
                "When overdue could not hear since the last finish:",
                ">between due and deadline<",
            ],
        ),
    ] {
        let html = page(&house, path).await;
        for told in told {
            assert!(html.contains(told), "{path}: {told}: {html}");
        }
    }
    for path in ["/incidents", "/heartbeats/backup"] {
        let html = page(&house, path).await;
        assert!(html.contains(&words::blind(BlindWindow { from, to, why: Blindness::Stalled })), "{html}");
    }
}

#[tokio::test]
async fn a_list_goes_on_where_the_page_before_ended() {
    let house = house();
    for n in 0..70 {
        house.desk.set_clock(NOON + n * 2_000);
        ping(&house, if n % 2 == 0 { "backup" } else { "rotate" }, "/3").await;
        house.desk.set_clock(NOON + n * 2_000 + 1_000);
        ping(&house, if n % 2 == 0 { "backup" } else { "rotate" }, "/0").await;
    }
    for (path, total) in [("/incidents", 70_usize), ("/deliveries", 140)] {
        let mut found = std::collections::BTreeSet::new();
        let (mut address, mut pages) = (path.to_owned(), 0);
        loop {
            let html = page(&house, &address).await;
            let rows: Vec<&str> = html
                .split("<tr role=\"row\" data-key=\"")
                .skip(1)
                .map(|row| row.split('"').next().unwrap())
                .collect();
            assert!(!rows.is_empty() && rows.len() <= 50, "{address}");
            pages += 1;
            found.extend(rows.iter().map(ToString::to_string));
            assert_eq!(link(&html, "Newest").map(unescaped).as_deref(), (pages > 1).then_some(path));
            match link(&html, "Older") {
                Some(older) => address = unescaped(older),
                None => break,
            }
        }
        assert_eq!((found.len(), pages), (total, total.div_ceil(50)), "{path}");
    }
    let end = page(&house, "/deliveries?cursor=0").await;
    assert!(end.contains("There is nothing older."), "{end}");
}

#[tokio::test]
async fn deliveries_are_told_and_only_who_may_write_can_retry_them() {
    let house = house();
    assert!(page(&house, "/deliveries").await.contains("No alert has been sent yet."));
    ping(&house, "backup", "/3").await;
    let mine = page(&house, "/deliveries?channel=log").await;
    assert_plain(&mine);
    assert!(mine.contains(">backup</a>") && mine.contains("<span class=\"why\">“opened”</span>"), "{mine}");
    let id = mine.split("<tr role=\"row\" data-key=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(mine.contains(&format!("<form method=\"post\" action=\"deliveries/{id}/retry\">")), "{mine}");
    assert!(
        mine.contains("name=\"csrf\"") && mine.contains("name=\"next\" value=\"/deliveries?channel=log\"")
    );
    let theirs = house.send("GET", "/deliveries", &[READ], "").await;
    assert!(theirs.status == 200 && theirs.body.contains(">backup</a>"), "{}", theirs.body);
    assert!(!theirs.body.contains("/retry") && !theirs.body.contains("Retry now"), "{}", theirs.body);

    assert!(page(&house, "/deliveries?status=waiting").await.contains(">backup</a>"));
    for none in ["status=delivered", "status=given_up", "channel=ops", "heartbeat=rotate"] {
        let html = page(&house, &format!("/deliveries?{none}")).await;
        assert!(html.contains("No delivery is like this."), "{none}: {html}");
    }
}

#[tokio::test]
async fn an_alert_that_was_given_up_is_told_on_every_page_for_a_day() {
    let house = house();
    ping(&house, "backup", "/3").await;
    let banner = "1 alert was given up in the last 24 hours";
    assert!(!page(&house, "/").await.contains("given up</span>"));
    let number = *house.desk.0.machine.lock().unwrap().state().core.outbox.keys().next().unwrap();
    let verdict = Verdict::Refused { status: Some(410), error: "gone".to_owned() };
    let attempt = Attempt { at: house.desk.now(), took: Span::ZERO, verdict };
    house.desk.tell(Event::Attempted { number, attempt });
    for (path, root) in [("/", "./"), ("/config", "./"), ("/heartbeats/backup", "../")] {
        let html = page(&house, path).await;
        assert!(html.contains("Deliveries <span class=\"count down\">1 given up</span>"), "{html}");
        let link = format!("<a href=\"{root}deliveries?status=given_up\">");
        assert!(html.contains(banner) && html.contains(&link), "{html}");
    }
    house.desk.set_clock(NOON + 86_400_000);
    assert!(!page(&house, "/").await.contains(banner));
}

#[tokio::test]
async fn a_browser_is_told_by_a_page_that_nothing_is_there() {
    let house = house();
    let browser = ("Accept", "text/html,*/*;q=0.8");
    for (path, root) in [("/nothing", "./"), ("/heartbeats/a/b/c", "../../../"), ("/incidents/7", "../")] {
        let answer = house.send("GET", path, &[browser], "").await;
        assert_eq!((answer.status, answer.header("content-type")), (404, Some("text/html; charset=utf-8")));
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
        assert!(answer.body.contains("There is nothing at this address."), "{answer:?}");
        assert!(answer.body.contains(&format!("<a href=\"{root}\">To the heartbeats")), "{answer:?}");
        assert_plain(&answer.body);
    }
    for (method, path) in [("PUT", "/login"), ("GET", "/logout")] {
        let answer = house.send(method, path, &[browser], "").await;
        assert_eq!(answer.status, 405);
        assert!(answer.header("allow").is_some() && answer.body.contains("This takes only"), "{answer:?}");
        assert!(answer.body.trim_start().starts_with("<!doctype html>"), "{answer:?}");
        // What is there for people answers all in one way.
        assert_eq!(house.send(method, path, &[], "").await.body, answer.body);
    }
    let wide = "/x".repeat(40);
    for (path, headers) in [
        ("/nothing", &[][..]),
        ("/api/v1/nothing", &[browser, WRITE]),
        ("/metrics/x", &[browser]),
        (&wide, &[browser]),
    ] {
        let answer = house.send("GET", path, headers, "").await;
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        let policy = Some("default-src 'none'; frame-ancestors 'none'");
        assert_eq!(answer.header("content-security-policy"), policy, "{path}");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
}

#[tokio::test]
async fn what_people_wrote_is_shown_as_text() {
    let house = house();
    let name = r#"<script>alert(1)</script>\"' & <b onclick=x>"#;
    let body = format!(r#"{{"slug":"odd","name":"{name}","interval":"1h"}}"#);
    let json = ("Content-Type", "application/json");
    let made = house.send("POST", LIST, &[WRITE, json], &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let url = made.json()["ping_url"].as_str().unwrap().to_owned();
    let path = &url[url.find("/ping/").unwrap()..];
    assert_eq!(house.get(&format!("{path}/fail")).await.status, 200);
    house.config.send_modify(|config| {
        config.ok = false;
        config.problems = vec!["config.toml:1:1: <script>one".to_owned(), "two".to_owned()];
        (config.warnings, config.warnings_total) = (vec!["<img src=x onerror=alert(1)>".to_owned()], 1);
        config.needs_restart = vec!["server.listen"];
    });
    for path in ["/incidents", "/deliveries", "/config", "/deliveries?channel=%3Cscript%3E%22"] {
        let html = page(&house, path).await;
        assert_plain(&html);
        assert!(
            !html.contains("<script>") && !html.contains("<b onclick") && !html.contains("<img"),
            "{html}"
        );
    }
    let html = page(&house, "/config").await;
    assert!(html.contains("2 problems of the file") && html.contains("<li>two</li>"), "{html}");
    assert!(html.contains("<li><code>server.listen</code></li>") && html.contains("1 warning<"), "{html}");
    assert!(html.contains("Only in the API <span class=\"count\">1</span>"), "{html}");
    assert!(html.contains("href=\"heartbeats/odd\"") && html.contains("href=\"./?source=api\""), "{html}");
}

#[tokio::test]
async fn the_config_is_shown_to_all_and_tests_only_to_who_may_write() {
    let house = house();
    let mine = page(&house, "/config").await;
    for shown in ["[server]\n", "/etc/overdue/config.toml", "2025b, of the program", "in force", "writable"] {
        assert!(mine.contains(shown), "{shown}: {mine}");
    }
    assert!(mine.contains("<form method=\"post\" action=\"channels/ops/test\">"), "{mine}");
    assert!(mine.contains(">Send a test</button>"), "{mine}");
    let theirs = house.send("GET", "/config", &[READ], "").await;
    assert!(theirs.status == 200 && theirs.body.contains("[server]\n"), "{}", theirs.body);
    assert!(
        !theirs.body.contains(">Send a test</button>") && !theirs.body.contains("/test\""),
        "{}",
        theirs.body
    );

    let error = Some("disk <full>".to_owned());
    house.desk.0.journal.send_replace(crate::engine::handle::JournalHealth { error });
    let html = page(&house, "/config").await;
    assert!(html.contains("cannot be written") && html.contains("disk &#60;full&#62;"), "{html}");
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_understood_is_a_page_too() {
    let house = house();
    for (path, status, told) in [
        ("/incidents?status=opne", 400, "&#34;status&#34;: This is one of open, resolved."),
        ("/incidents?stauts=open", 400, "&#34;stauts&#34;: There is no such parameter"),
        ("/incidents?status=open&status=open", 400, "&#34;status&#34;: This parameter is given twice."),
        ("/incidents?cursor=x", 400, "&#34;cursor&#34;: A cursor is"),
        ("/incidents?heartbeat=nobody", 404, "There is no heartbeat of this slug or UUID."),
        ("/incidents?heartbeat=%3Cscript%3E", 404, "There is no heartbeat of this slug or UUID."),
        ("/deliveries?status=lost", 400, "&#34;status&#34;: This is one of waiting, delivered, given_up."),
        ("/deliveries?incident=x", 400, "&#34;incident&#34;: This is no UUID."),
        ("/deliveries?cursor=-1", 400, "&#34;cursor&#34;: A cursor is"),
        ("/deliveries?heartbeat=nobody", 404, "There is no heartbeat of this slug or UUID."),
        ("/config?x=1", 400, "&#34;x&#34;: There is no such parameter"),
    ] {
        let answer = house.send("GET", path, &[WRITE], "").await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.body.contains(told), "{path}: {}", answer.body);
        assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{path}");
        assert_plain(&answer.body);
    }
    for path in ["/incidents", "/deliveries", "/config"] {
        assert_eq!(house.get(path).await.status, 401, "{path}");
        assert_eq!(house.send("PUT", path, &[WRITE], "").await.status, 405, "{path}");
    }
}

#[tokio::test]
async fn a_test_is_sent_by_a_form_of_the_page_and_by_no_other() {
    let house = House::open();
    let html = house.get("/config").await.body;
    let token = html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let test = "/channels/log/test";
    for wrong in ["", "csrf=", "csrf=0000"] {
        assert_eq!(post(&house, test, wrong).await.status, 403, "{wrong}");
    }
    let sent = post(&house, test, &format!("csrf={token}&next=/deliveries?channel=log")).await;
    assert_eq!(
        (sent.status, sent.header("location")),
        (303, Some("../../deliveries?channel=log")),
        "{sent:?}"
    );
    let html = house.get("/deliveries").await.body;
    assert!(html.contains(">Test</span>") && html.contains("<span class=\"why\">“test”</span>"), "{html}");
    let away = post(&house, test, &format!("csrf={token}&next=//evil.example")).await;
    assert_eq!((away.status, away.header("location")), (303, Some("../../")));
    let unknown = post(&house, "/channels/nobody/test", &format!("csrf={token}")).await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
    assert_eq!(house.get(test).await.status, 405);
}
