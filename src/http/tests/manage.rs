//! Heartbeats changed over the API, and everything that can be read of them.

use super::*;
use serde_json::{Value, json};

const LIST: &str = "/api/v1/heartbeats";
const SYNC: &str = "/api/v1/heartbeats/sync";

impl House {
    async fn change(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let json = [("Content-Type", "application/json")];
        let headers: Vec<_> = json.iter().chain(headers).copied().collect();
        self.send(method, path, &headers, &body.to_string()).await
    }

    /// Makes the heartbeat `sync`, and gives its tag.
    async fn sync(&self) -> String {
        let made = self.post_json(LIST, r#"{"name":"Sync","interval":"1h","grace":"5m","tags":["a"]}"#).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.header("etag").unwrap().to_owned()
    }

    async fn ping(&self, suffix: &str) {
        let uuid = uuid_of("sync");
        assert_eq!(self.send("POST", &format!("/ping/{uuid}{suffix}"), &[], "out").await.status, 200);
    }

    fn pass(&self, millis: i64) {
        let now = self.desk.0.clock.fetch_add(millis, Ordering::SeqCst) + millis;
        self.desk.tell(Event::Tick);
        assert_eq!(self.desk.now().as_millis(), now);
    }
}

#[tokio::test]
async fn a_schedule_whose_last_time_is_past_is_refused_unless_it_is_the_one_there() {
    let house = House::open();
    let until = |year: u16| json!({ "name": "Move", "on_calendar": format!("{year}-06-01") });
    let fault = |answer: Answer| (answer.status, answer.json()["error"]["field"].clone());
    assert_eq!(fault(house.change("POST", LIST, &[], &until(1990)).await), (400, json!("on_calendar")));
    assert_eq!(house.change("POST", LIST, &[], &until(2190)).await.status, 201);
    let at = format!("{LIST}/move");
    let year_2191 = 6_974_000_000_000;
    house.pass(year_2191 - house.desk.now().as_millis());
    assert_eq!(fault(house.change("POST", LIST, &[], &until(2180)).await), (400, json!("on_calendar")));
    let emptied = json!({ "name": "N", "on_calendar": ["2180-06-01", "2195-06-01"], "exclude": "2195-*-*" });
    assert_eq!(fault(house.change("POST", LIST, &[], &emptied).await), (400, json!("exclude")));
    for method in ["PUT", "PATCH"] {
        assert_eq!(fault(house.change(method, &at, &[], &until(2180)).await), (400, json!("on_calendar")));
    }
    for method in ["PUT", "PATCH"] {
        assert_eq!(
            house.change(method, &at, &[], &until(2190)).await.status,
            200,
            "{method} of what is there"
        );
    }
    assert_eq!(house.change("PATCH", &at, &[], &json!({ "host": "db1" })).await.status, 200);
}

#[tokio::test]
async fn a_patch_merges_and_a_put_replaces() {
    let house = House::open();
    house.sync().await;
    let patched = house.change("PATCH", SYNC, &[], &json!({ "host": "db1", "tags": null })).await;
    assert_eq!(patched.status, 200, "{patched:?}");
    let beat = patched.json();
    assert_eq!((&beat["host"], &beat["tags"], &beat["grace"]), (&json!("db1"), &json!([]), &json!("5m")));
    assert_eq!(beat["name"], "Sync");

    let put = house.change("PUT", SYNC, &[], &json!({ "cron": "30 2 * * *" })).await;
    assert_eq!((put.status, put.header("location")), (200, None));
    let beat = put.json();
    assert_eq!((&beat["host"], &beat["grace"], &beat["name"]), (&Value::Null, &json!("1h"), &json!("sync")));
    assert_eq!((&beat["schedule"], &beat["timezone"]), (&json!("cron 30 2 * * *"), &json!("UTC")));
    let by_uuid =
        house.change("PATCH", &format!("{LIST}/{}", uuid_of("sync")), &[], &json!({ "name": "S" })).await;
    assert_eq!((by_uuid.status, &by_uuid.json()["name"]), (200, &json!("S")));
}

#[tokio::test]
async fn a_put_makes_what_is_not_there_but_not_by_a_uuid() {
    let house = House::open();
    let made = house.change("PUT", SYNC, &[], &json!({ "interval": "1h" })).await;
    assert_eq!((made.status, made.header("location")), (201, Some(SYNC)));
    assert_eq!(made.json()["source"], "api");
    let by_uuid = format!("{LIST}/{}", Uuid::from_u128(7));
    assert_eq!(house.change("PUT", &by_uuid, &[], &json!({ "interval": "1h" })).await.status, 404);
}

#[tokio::test]
async fn a_put_keeps_the_url_unless_it_names_another() {
    let house = House::open();
    let own = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    house.change("PUT", SYNC, &[], &json!({ "interval": "1h", "uuid": own })).await;
    let again = house.change("PUT", SYNC, &[], &json!({ "interval": "2h" })).await;
    assert_eq!(again.json()["uuid"], own);
    let derived = house.change("PATCH", SYNC, &[], &json!({ "uuid": null })).await;
    assert_eq!(derived.json()["uuid"], uuid_of("sync").to_string());
    let taken = house.change("PATCH", SYNC, &[], &json!({ "uuid": uuid_of("backup") })).await;
    assert_eq!((taken.status, taken.code().as_str()), (409, "uuid_taken"));
}

#[tokio::test]
async fn a_stale_change_is_refused_and_one_without_a_tag_is_not() {
    let house = House::open();
    let first = house.sync().await;
    assert_eq!(house.get(SYNC).await.header("etag"), Some(&first[..]));
    house.ping("").await;
    assert_eq!(house.get(SYNC).await.header("etag"), Some(&first[..]), "a ping changes nothing that is said");

    let hit = house.change("PATCH", SYNC, &[("If-Match", &first)], &json!({ "host": "a" })).await;
    let second = hit.header("etag").unwrap().to_owned();
    assert_ne!((hit.status, &second), (412, &first));
    for (method, body) in
        [("PATCH", json!({ "host": "b" })), ("PUT", json!({ "interval": "1h" })), ("DELETE", json!({}))]
    {
        let stale = house.change(method, SYNC, &[("If-Match", &first)], &body).await;
        assert_eq!((stale.status, stale.code().as_str()), (412, "stale"), "{method}");
        let none = house.change(method, SYNC, &[("If-Match", "\"rubbish\"")], &body).await;
        assert_eq!(none.status, 412, "{method}");
    }
    assert_eq!(house.get(SYNC).await.json()["host"], "a");
    let there = house.change("PUT", SYNC, &[("If-None-Match", "*")], &json!({ "interval": "1h" })).await;
    assert_eq!(there.status, 412);
    let absent = house
        .change("PUT", "/api/v1/heartbeats/absent", &[("If-Match", "*")], &json!({ "interval": "1h" }))
        .await;
    assert_eq!(absent.status, 412);
    assert_eq!(
        house.change("PUT", SYNC, &[("If-Match", "*")], &json!({ "interval": "1h" })).await.status,
        200
    );
    let gone = house.send("DELETE", SYNC, &[], "").await;
    assert_eq!((gone.status, gone.body.as_str()), (204, ""));
    assert_eq!(house.get(SYNC).await.status, 404);
    assert_eq!(house.send("DELETE", SYNC, &[], "").await.status, 404);
}

#[tokio::test]
async fn merges_that_meet_lose_nothing() {
    let house = House::open();
    house.sync().await;
    let fields = ["host", "description", "name"];
    let bodies = fields.map(|field| json!({ field: "x" }));
    let sent = bodies.iter().map(|body| house.change("PATCH", SYNC, &[], body));
    let answers = futures_util::future::join_all(sent).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let beat = house.get(SYNC).await.json();
    assert_eq!(fields.map(|field| beat[field].clone()), ["x"; 3].map(Value::from));
}

#[tokio::test]
async fn a_deleted_heartbeat_is_gone_and_made_again_has_its_history() {
    let house = House::open();
    house.sync().await;
    house.ping("").await;
    let ping = format!("/ping/{}", uuid_of("sync"));
    assert_eq!(house.send("DELETE", SYNC, &[], "").await.status, 204);
    assert_eq!(house.get(&ping).await.status, 404);
    house.sync().await;
    assert_eq!(house.get(&ping).await.status, 200);
    assert_eq!(house.get(SYNC).await.json()["pings_total"], 2);
    assert_eq!(house.send("DELETE", SYNC, &[], "").await.status, 204);

    // Its URL under another slug: a rename, as in the config.
    let uuid = uuid_of("sync");
    let renamed =
        house.post_json(LIST, &json!({ "name": "Other", "interval": "1h", "uuid": uuid }).to_string()).await;
    assert_eq!((renamed.status, &renamed.json()["pings_total"]), (201, &json!(2)));
    assert_eq!(house.get(&ping).await.status, 200);
}

#[tokio::test]
async fn a_pause_lasts_its_time_and_works_for_declared_heartbeats_too() {
    let house = House::open();
    house.sync().await;
    for slug in ["sync", "backup"] {
        let paused =
            house.change("POST", &format!("{LIST}/{slug}/pause"), &[], &json!({ "for": "2h" })).await;
        assert_eq!((paused.status, &paused.json()["status"]), (200, &json!("paused")), "{slug}");
        assert_eq!(paused.json()["paused_until"], "2026-11-22T14:00:00.000Z");
        assert_eq!(paused.json()["next_deadline_at"], Value::Null);
    }
    let again = house.send("POST", &format!("{SYNC}/pause"), &[], "").await;
    assert_eq!(again.json()["paused_until"], "2026-11-22T14:00:00.000Z", "it is paused already");
    let resumed = house.send("POST", &format!("{SYNC}/resume"), &[], "").await;
    assert_eq!((resumed.status, &resumed.json()["status"]), (200, &json!("new")));
    assert_eq!(resumed.json()["next_due_at"], "2026-11-22T13:00:00.000Z");
    let again = house.send("POST", &format!("{SYNC}/resume"), &[], "").await;
    assert_eq!(again.json(), resumed.json());
    house.pass(7_200_000);
    assert_eq!(house.get(&format!("{LIST}/backup")).await.json()["status"], "new", "its time is over");
    let endless = house.send("POST", &format!("{SYNC}/pause"), &[], "").await;
    assert_eq!((endless.status, &endless.json()["paused_until"]), (200, &Value::Null));
    assert_eq!(house.send("POST", "/api/v1/heartbeats/nobody/pause", &[], "").await.status, 404);
}

#[tokio::test]
async fn pings_and_runs_are_listed_newest_first_with_bodies_on_request() {
    let house = House::open();
    house.sync().await;
    for (suffix, millis) in [("/start", 1_500), ("/3", 10), ("/log", 10), ("", 10), ("/start", 5)] {
        house.ping(suffix).await;
        house.pass(millis);
    }
    let pings = house.get(&format!("{SYNC}/pings?limit=3")).await.json();
    let kinds = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|ping| ping["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&pings["pings"]), ["start", "success", "log"]);
    assert_eq!((&pings["pings"][0]["body_bytes"], pings["pings"][0].get("body")), (&json!(3), None));
    let rest = house
        .get(&format!("{SYNC}/pings?bodies=true&cursor={}", pings["next_cursor"].as_str().unwrap()))
        .await
        .json();
    assert_eq!(
        (kinds(&rest["pings"]), &rest["next_cursor"]),
        (vec!["exit".to_owned(), "start".to_owned()], &Value::Null)
    );
    assert_eq!(
        (&rest["pings"][0]["exit_code"], &rest["pings"][0]["body"]["text"]),
        (&json!(3), &json!("out"))
    );
    assert_eq!(
        (&rest["pings"][0]["from"], &rest["pings"][0]["method"]),
        (&json!("127.0.0.1"), &json!("POST"))
    );

    let runs = house.get(&format!("{SYNC}/runs?bodies=true")).await.json();
    let outcomes: Vec<&Value> = runs["runs"].as_array().unwrap().iter().map(|run| &run["outcome"]).collect();
    assert_eq!(outcomes, [&Value::Null, &json!("success"), &json!("failure")]);
    let failed = &runs["runs"][2];
    assert_eq!(
        (&failed["duration_ms"], &failed["exit_code"], &failed["ping"]),
        (&json!(1500), &json!(3), &json!(2))
    );
    assert_eq!(failed["body"], json!({ "text": "out", "base64": null, "bytes": 3, "kept": 3 }));
    assert_eq!(runs["runs"][0]["body"], Value::Null);
    let mut cursor = String::new();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let page = house.get(&format!("{SYNC}/executions?limit=1{cursor}")).await.json();
        seen.push(page["runs"][0]["id"].clone());
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap_or("none"));
    }
    assert_eq!(
        seen,
        runs["runs"].as_array().unwrap().iter().map(|run| run["id"].clone()).collect::<Vec<_>>()
    );
    assert_eq!(cursor, "&cursor=none");
}

#[tokio::test]
async fn incidents_and_deliveries_tell_what_happened() {
    let house = House::open();
    house.sync().await;
    house.ping("/3").await;
    house.pass(1_000);
    house.ping("").await;
    house.pass(1_000);
    house.ping("/fail").await;
    let all = house.get("/api/v1/incidents").await.json();
    let incidents = all["incidents"].as_array().unwrap();
    assert_eq!(incidents.len(), 2);
    assert_eq!((&incidents[0]["resolved_at"], &incidents[1]["reason"]), (&Value::Null, &json!("ping")));
    assert_eq!((&incidents[1]["heartbeat"], &incidents[1]["exit_code"]), (&json!("sync"), &json!(3)));
    let told: Vec<&Value> =
        incidents[1]["timeline"].as_array().unwrap().iter().map(|note| &note["what"]).collect();
    assert_eq!(told, [&json!("opened"), &json!("resolved")]);
    for (query, wanted) in [
        ("status=open", vec![0]),
        ("status=resolved", vec![1]),
        ("heartbeat=sync", vec![0, 1]),
        ("heartbeat=sync&status=resolved", vec![1]),
        ("heartbeat=backup", vec![]),
    ] {
        let list = house.get(&format!("/api/v1/incidents?{query}")).await.json();
        let ids: Vec<Value> = wanted.into_iter().map(|n: usize| incidents[n].clone()).collect();
        assert_eq!(list["incidents"], json!(ids), "{query}");
    }
    let by_uuid = house.get(&format!("/api/v1/incidents?heartbeat={}", uuid_of("sync"))).await.json();
    assert_eq!(by_uuid["incidents"], all["incidents"]);
    for list in ["incidents", "deliveries"] {
        for name in ["nobody", "No%20Slug"] {
            assert_eq!(
                house.get(&format!("/api/v1/{list}?heartbeat={name}")).await.status,
                404,
                "{list} {name}"
            );
        }
    }
    let first = house.get("/api/v1/incidents?limit=1").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    for filter in ["", "&heartbeat=sync"] {
        let second = house.get(&format!("/api/v1/incidents?limit=1&cursor={cursor}{filter}")).await.json();
        assert_eq!(
            (&second["incidents"][0], &second["next_cursor"]),
            (&incidents[1], &Value::Null),
            "{filter}"
        );
    }
}

#[tokio::test]
async fn deliveries_are_listed_narrowed_and_tried_again() {
    let house = House::open();
    house.sync().await;
    for suffix in ["/3", "", "/fail"] {
        house.ping(suffix).await;
        house.pass(1_000);
    }
    let incidents = house.get("/api/v1/incidents").await.json();
    let incidents = incidents["incidents"].as_array().unwrap();
    let deliveries = house.get("/api/v1/deliveries").await.json();
    let types: Vec<&Value> =
        deliveries["deliveries"].as_array().unwrap().iter().map(|d| &d["type"]).collect();
    assert_eq!(types, [&json!("incident.opened"), &json!("incident.resolved"), &json!("incident.opened")]);
    let newest = &deliveries["deliveries"][0];
    assert_eq!(
        (&newest["status"], &newest["heartbeat"], &newest["channel"]),
        (&json!("waiting"), &json!("sync"), &json!("log"))
    );
    let id = incidents[1]["id"].as_str().unwrap();
    let of_one = house
        .get(&format!("/api/v1/deliveries?incident={id}&status=waiting&channel=log&limit=1"))
        .await
        .json();
    assert_eq!(of_one["deliveries"][0], deliveries["deliveries"][1]);
    let cursor = of_one["next_cursor"].as_str().unwrap();
    let rest = house.get(&format!("/api/v1/deliveries?incident={id}&cursor={cursor}")).await.json();
    assert_eq!(rest["deliveries"], json!([deliveries["deliveries"][2]]));
    let one = house.get(&format!("/api/v1/deliveries/{}", newest["id"].as_str().unwrap())).await.json();
    assert_eq!(&one, newest);
    let retried = house
        .send("POST", &format!("/api/v1/deliveries/{}/retry", newest["id"].as_str().unwrap()), &[], "")
        .await;
    assert_eq!(retried.status, 202, "{retried:?}");
}

#[tokio::test]
async fn a_channel_is_tried_by_a_delivery_that_can_be_looked_at() {
    let house = House::open();
    let tried = house.send("POST", "/api/v1/channels/log/test", &[], "").await;
    assert_eq!((tried.status, &tried.json()["type"]), (202, &json!("test")));
    let seen = house.get(tried.header("location").unwrap()).await;
    assert_eq!(seen.json(), tried.json());
    assert_eq!((&seen.json()["heartbeat"], &seen.json()["incident"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn statistics_and_a_summary_are_told() {
    let house = House::open();
    house.sync().await;
    for millis in [100, 200, 300] {
        house.ping("/start").await;
        house.pass(millis);
        house.ping(if millis == 300 { "/1" } else { "/0" }).await;
    }
    let stats = house.get(&format!("{SYNC}/stats")).await.json();
    let durations = json!({ "count": 3, "min": 100, "p50": 200, "p95": 300, "p99": 300, "max": 300 });
    assert_eq!((&stats["runs"]["count"], &stats["runs"]["duration_ms"]), (&json!(3), &durations));
    assert_eq!(
        (&stats["days"][0]["date"], &stats["days"][0]["bad_periods"]),
        (&json!("2026-11-22"), &json!(1))
    );
    assert!((stats["uptime"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9);

    let summary = house.get("/api/v1/summary").await.json();
    let counts = json!({ "total": 3, "new": 2, "up": 0, "late": 0, "down": 1, "paused": 0, "running": 0 });
    assert_eq!((&summary["heartbeats"], &summary["incidents"]), (&counts, &json!({ "open": 1 })));
    assert_eq!(summary["deliveries"]["waiting"], 1);
    assert_eq!(
        (&summary["config"]["ok"], &summary["journal"]),
        (&json!(true), &json!({ "ok": true, "error": null }))
    );
    assert_eq!(
        (&summary["started_at"], &summary["version"]),
        (&json!("2026-11-22T12:00:00.000Z"), &json!(env!("CARGO_PKG_VERSION")))
    );
}

#[tokio::test]
async fn the_description_is_served() {
    let house = House::open();
    let document = house.get("/api/v1/openapi.json").await;
    assert_eq!((document.status, &document.json()["openapi"]), (200, &json!("3.1.0")));
    assert!(document.json()["paths"]["/api/v1/heartbeats/{heartbeat}"]["patch"].is_object());
}

#[tokio::test]
async fn a_run_that_ends_between_two_pages_hides_no_other() {
    let house = House::open();
    house.sync().await;
    let rid = |n: u128| format!("?rid={}", Uuid::from_u128(n));
    for n in 1..=3 {
        house.ping(&format!("/start{}", rid(n))).await;
        house.pass(10);
    }
    let first = house.get(&format!("{SYNC}/runs?limit=1")).await.json();
    house.ping(&rid(3)).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = house.get(&format!("{SYNC}/runs?cursor={cursor}")).await.json();
    let rids: Vec<&Value> = rest["runs"].as_array().unwrap().iter().map(|run| &run["rid"]).collect();
    let wanted = [2, 1, 3].map(|n| json!(Uuid::from_u128(n)));
    assert_eq!(rids, wanted.iter().collect::<Vec<_>>(), "the open ones, and the one that ended");
}

#[tokio::test]
async fn an_address_may_be_written_with_escapes() {
    let house = House::open();
    house.sync().await;
    assert_eq!(house.get("/api/v1/heartbeats/%73ync").await.json()["slug"], "sync");
    assert_eq!(house.get("/api/v1/heart%62eats/sync").await.status, 200);
    for path in ["/api/v1/heartbeats/%ff", "/api/v1/heartbeats/a%2Fb", "/api/v1/heartbeats/%00"] {
        assert_eq!(house.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_page_of_long_texts_is_cut_by_its_bytes_and_goes_on() {
    let house = House::open();
    for n in 0..250 {
        let body =
            json!({ "name": format!("Long {n:03}"), "interval": "1h", "description": "x".repeat(10_000) });
        assert_eq!(house.post_json(LIST, &body.to_string()).await.status, 201);
    }
    let (mut slugs, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = house.get(&format!("{LIST}?limit=1000{cursor}")).await.json();
        let list = page["heartbeats"].as_array().unwrap();
        assert!(list.len() <= 210, "twice a MiB at the most: {}", list.len());
        slugs.extend(list.iter().map(|beat| beat["slug"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert!(pages >= 2 && slugs.len() == 252 && slugs.is_sorted(), "{pages} {}", slugs.len());
}

#[tokio::test]
async fn a_page_of_long_bodies_is_cut_by_its_bytes_and_goes_on() {
    let house = House::with(1024, |settings| settings.body_limit = 400_000.into());
    house.sync().await;
    let uuid = uuid_of("sync");
    for _ in 0..6 {
        house.ping("/start").await;
        let said = "x".repeat(300_000);
        assert_eq!(house.send("POST", &format!("/ping/{uuid}"), &[], &said).await.status, 200);
    }
    for (list, all) in [("pings", 12), ("runs", 6)] {
        let (mut seen, mut cursor, mut pages) = (0, String::new(), 0);
        loop {
            let page = house.get(&format!("{SYNC}/{list}?bodies=true{cursor}")).await.json();
            seen += page[list].as_array().unwrap().len();
            pages += 1;
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!((pages, seen), (2, all), "{list}");
    }
}
