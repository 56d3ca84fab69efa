//! `/metrics` through the door: both forms, who may read them, and how many series there are.
#![allow(clippy::float_cmp, reason = "they are exact: counts, and instants of a clock that stands still")]

use super::api::keys;
use super::*;

const OPEN: (&str, &str) =
    ("Accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5");

/// Name, labels and value of each line that is no comment; panics where a line is none of the classic format.
fn samples(text: &str) -> Vec<(String, String, f64)> {
    let mut samples = Vec::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (word, name, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            assert!(name.starts_with("overdue_"), "{line}");
            match word {
                "HELP" => assert!(rest.ends_with('.'), "{line}"),
                "TYPE" => assert!(["counter", "gauge", "histogram"].contains(&rest), "{line}"),
                other => panic!("{other} is no word of this format: {line}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}').unwrap()),
            None => (series, ""),
        };
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(name.starts_with("overdue_") && name.chars().all(plain), "{line}");
        samples.push((name.to_owned(), labels.to_owned(), value.parse().unwrap()));
    }
    samples
}

fn value(text: &str, name: &str, labels: &str) -> Option<f64> {
    let found = samples(text).into_iter().find(|(one, with, _)| one == name && with == labels);
    found.map(|(_, _, value)| value)
}

#[tokio::test]
async fn every_line_of_the_classic_form_can_be_read_and_is_explained_before() {
    let house = House::open();
    for suffix in ["/start", "/3", "", "/log"] {
        house.get(&format!("/ping/{}{suffix}", uuid_of("backup"))).await;
    }
    let answer = house.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("vary"), Some("accept"));
    assert!(samples(&answer.body).len() > 100);
    let mut explained: Vec<&str> = Vec::new();
    for line in answer.body.lines() {
        match line.strip_prefix("# ").map(|comment| comment.split(' ').collect::<Vec<_>>()) {
            Some(words) if words[0] == "TYPE" => {
                assert!(!explained.contains(&words[1]), "a family stands in one piece: {line}");
                explained.push(words[1]);
            }
            Some(_) => {}
            None => {
                let name = line.split(['{', ' ']).next().unwrap();
                let own = ["", "_bucket", "_sum", "_count"].map(|end| name.strip_suffix(end));
                assert!(
                    own.contains(&explained.last().copied()),
                    "{line} stands below {:?}",
                    explained.last()
                );
            }
        }
    }
    assert_eq!(value(&answer.body, "overdue_heartbeats", "status=\"up\""), Some(1.0));
    assert_eq!(value(&answer.body, "overdue_heartbeats", "status=\"new\""), Some(1.0));
    let runs = |outcome: &str| {
        let labels = format!("heartbeat=\"backup\",outcome=\"{outcome}\"");
        value(&answer.body, "overdue_heartbeat_runs_total", &labels)
    };
    assert_eq!((runs("failure"), runs("success"), runs("overran")), (Some(1.0), Some(1.0), Some(0.0)));
    let of_backup = |name: &str| value(&answer.body, name, "heartbeat=\"backup\"");
    let noon = NOON as f64 / 1_000.0;
    assert_eq!(of_backup("overdue_heartbeat_up"), Some(1.0));
    assert_eq!(of_backup("overdue_heartbeat_pings_total"), Some(4.0));
    assert_eq!(of_backup("overdue_heartbeat_last_ping_timestamp_seconds"), Some(noon));
    assert_eq!(of_backup("overdue_heartbeat_last_success_timestamp_seconds"), Some(noon));
    assert_eq!(of_backup("overdue_heartbeat_next_due_timestamp_seconds"), Some(noon + 86_400.0));
    assert_eq!(of_backup("overdue_heartbeat_last_duration_seconds"), Some(0.0));
    let never = value(&answer.body, "overdue_heartbeat_last_ping_timestamp_seconds", "heartbeat=\"rotate\"");
    assert_eq!(never, None, "what never was has no instant");
}

#[tokio::test]
async fn open_metrics_are_for_those_who_name_them() {
    let house = House::open();
    let answer = house.send("GET", "/metrics", &[OPEN], "").await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(answer.body.ends_with("\n# EOF\n"));
    for line in [
        "# TYPE overdue_pings counter",
        "# TYPE overdue_build info",
        "# UNIT overdue_journal_fsync_seconds seconds",
        "# TYPE overdue_heartbeat_runs counter",
    ] {
        assert!(answer.body.lines().any(|one| one == line), "{line}");
    }
    for (accept, open) in [
        ("*/*", false),
        ("text/plain", false),
        ("text/html, application/openmetrics-text", true),
        ("Application/OpenMetrics-Text; version=0.0.1", true),
        ("application/openmetrics-text;q=0", false),
        ("application/openmetrics-text; version=1.0.0; q=0.0, */*", false),
        ("application/openmetrics-text-not", false),
        ("", false),
    ] {
        let answer = house.send("GET", "/metrics", &[("Accept", accept)], "").await;
        assert_eq!(answer.body.contains("# EOF"), open, "{accept}");
        assert_eq!(answer.body.contains("# UNIT"), open, "{accept}");
    }
}

#[tokio::test]
async fn it_takes_a_key_where_the_api_does_and_only_reads() {
    let house = House::open();
    let answer = house.send("HEAD", "/metrics", &[], "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_ne!(answer.header("content-length"), Some("0"));
    let answer = house.send("POST", "/metrics", &[("Content-Type", "application/json")], "{}").await;
    assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"));
    assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    assert_eq!(house.send("GET", "/metrics", &[("Host", "example.org")], "").await.status, 403);
    assert_eq!(house.send("GET", "/metrics", &[("Origin", "https://example.org")], "").await.status, 403);
    assert_eq!(house.get("/metrics/more").await.status, 404);

    let house = House::with(1024, keys);
    let answer = house.get("/metrics").await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    for key in ["a-key-that-may-read!", "a-key-that-may-write"] {
        let bearer = format!("Bearer {key}");
        assert_eq!(house.send("GET", "/metrics", &[("Authorization", &bearer)], "").await.status, 200);
        let answer = house.send("GET", "/metrics", &[("X-Api-Key", key)], "").await;
        assert_eq!(answer.status, 200);
        assert!(!answer.body.contains(key) && !answer.body.contains(KEY));
        assert!(!answer.body.contains(&uuid_of("backup").to_string()), "the ping URL is a secret");
    }
    let wrong = [("Authorization", "Bearer a-key-that-is-none!!")];
    assert_eq!(house.send("GET", "/metrics", &wrong, "").await.status, 401);
}

#[tokio::test]
async fn above_the_limit_there_are_only_sums() {
    for (limit, each) in [(0, false), (1, false), (2, true), (1_000_000, true)] {
        let house = House::with(1024, |settings| settings.metrics_heartbeats = limit);
        let text = house.get("/metrics").await.body;
        let enabled = value(&text, "overdue_heartbeat_series_enabled", "").unwrap();
        assert_eq!(enabled, f64::from(u8::from(each)), "{limit}");
        assert_eq!(text.contains("heartbeat=\""), each, "{limit}");
        assert_eq!(text.contains("# TYPE overdue_heartbeat_up "), each, "{limit}: nor what they would be");
        assert_eq!(value(&text, "overdue_heartbeats", "status=\"new\""), Some(2.0));
    }
}

#[tokio::test]
async fn more_heartbeats_than_one_question_looks_at_are_all_there_once() {
    let house = House::with(1024, |settings| settings.metrics_heartbeats = 3_000);
    for n in 0..2_500 {
        let draft = Draft::new(Timing::Interval(Span::from_secs(60)));
        let slug = Slug::new(&format!("job-{n:04}")).unwrap();
        house.desk.tell(Event::Request(Box::new(Request::Create { slug, draft })));
    }
    let text = house.get("/metrics").await.body;
    assert_eq!(value(&text, "overdue_heartbeats", "status=\"new\""), Some(2_502.0));
    let ups: Vec<String> = samples(&text)
        .into_iter()
        .filter(|(name, ..)| name == "overdue_heartbeat_up")
        .map(|(_, labels, _)| labels)
        .collect();
    assert_eq!(ups.len(), 2_502);
    assert!(ups.is_sorted_by(|a, b| a < b), "each once, by slug");
}

#[tokio::test]
async fn what_is_wrong_shows() {
    let house = House::open();
    house.config.send_modify(|health| {
        health.ok = false;
        health.problems = vec!["one".to_owned(), "two".to_owned()];
        (health.warnings, health.warnings_total) = (vec!["three".to_owned()], 1);
    });
    house.desk.0.journal.send_replace(JournalHealth { error: Some("no space".to_owned()) });
    let text = house.get("/metrics").await.body;
    for (name, wanted) in [
        ("overdue_config_last_reload_successful", 0.0),
        ("overdue_config_last_reload_success_timestamp_seconds", NOON as f64 / 1_000.0),
        ("overdue_config_problems", 2.0),
        ("overdue_config_warnings", 1.0),
        ("overdue_journal_writable", 0.0),
        ("overdue_http_connections", 1.0),
        ("overdue_start_time_seconds", NOON as f64 / 1_000.0),
    ] {
        assert_eq!(value(&text, name, ""), Some(wanted), "{name}");
    }
    house.desk.refuse(Some(Refused::Full));
    let answer = house.get("/metrics").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "busy"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    house.desk.refuse(None);
    assert_eq!(house.get("/metrics").await.status, 200, "its turn was given back");
}
