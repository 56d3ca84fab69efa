//! What each record tells a reader, as the reader gets it, and that it tells no secret.

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::machine::record::Declared;
use crate::model::heartbeat::Draft;
use crate::model::schedule::Timing;
use crate::model::settings::Settings;

const AT: &str = "2026-11-22T03:10:00.000Z";
const RUN: &str = "00000000-0000-8000-8000-000000000007";
const INCIDENT: &str = "00000000-0000-8000-8000-000000000008";
const DELIVERY: &str = "00000000-0000-8000-8000-000000000009";
/// Must be in nothing that is told.
const SECRET: &str = "5ec4e755-ec4e-45ec-8ec4-e75ec4e75ec4";

fn record(record: Value) -> Record {
    serde_json::from_value(record).unwrap()
}

fn alerted(alert: &str, slug: Option<&str>) -> Value {
    let queued = |n: u64| {
        let id = if n == 1 { DELIVERY } else { RUN };
        json!({ "number": n, "id": id, "channel": format!("ops{n}"), "template": SECRET, "give_up_at": AT })
    };
    let incident = slug.map(|_| INCIDENT);
    json!({ "alerted": { "at": AT, "slug": slug, "incident": incident, "alert": alert, "payload": SECRET,
        "deliveries": [queued(1), queued(2)] } })
}

#[allow(clippy::needless_pass_by_value, reason = "the table hands values over")]
fn pinged(kind: Value, effect: Value) -> Value {
    json!({ "pinged": { "at": AT, "slug": "a", "kind": kind, "rid": SECRET, "method": "POST", "from": "192.0.2.1",
        "body": { "text": SECRET, "total": 36 }, "effect": effect } })
}

/// A state in which two deliveries wait.
fn state() -> State {
    let mut state = State::default();
    state.apply(&record(alerted("opened", Some("a"))));
    state
}

fn told(record: &Record) -> Vec<News> {
    let mut news = Vec::new();
    News::tell(Seq(7), record, &state(), &mut news);
    news
}

/// A record, and what it tells: a word, of a heartbeat or of none, with these facts. No word: nothing.
type Row = (Value, Option<&'static str>, &'static str, Value);

fn tells(table: impl IntoIterator<Item = Row>) {
    for (from, slug, word, facts) in table {
        let news = told(&record(from.clone()));
        if word.is_empty() {
            assert_eq!(news, [], "{from}");
            continue;
        }
        let [one] = &news[..] else { panic!("{from} tells {news:?}") };
        assert_eq!((one.seq, one.last, one.what.word()), (Seq(7), true, word), "{from}");
        let expected = with(&json!({ "type": word, "at": AT, "heartbeat": slug }), &facts);
        assert_eq!(serde_json::to_value(one).unwrap(), expected, "{from}");
    }
}

fn with(base: &Value, more: &Value) -> Value {
    let mut base = base.clone();
    base.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    base
}

#[test]
fn what_nobody_sees_is_no_news() {
    let none = |record| (record, None, "", json!({}));
    tells([
        none(json!({ "began": { "at": AT, "life": SECRET, "version": "0" } })),
        none(json!({ "alive": { "at": AT } })),
        none(json!({ "stopped": { "at": AT } })),
        none(json!({ "rescheduled": { "at": AT, "slug": "a", "due": AT } })),
        none(json!({ "forgotten": { "at": AT, "slug": "a" } })),
        none(json!({ "stepped": { "at": AT, "by": 700, "told": false } })),
    ]);
}

#[test]
fn what_becomes_of_heartbeats_is_told() {
    let of_a = |record, word, facts| (record, Some("a"), word, facts);
    let paused = "heartbeat.paused";
    tells([
        of_a(json!({ "removed": { "at": AT, "slug": "a" } }), "heartbeat.removed", json!({})),
        of_a(json!({ "paused": { "at": AT, "slug": "a" } }), paused, json!({ "until": null })),
        of_a(json!({ "paused": { "at": AT, "slug": "a", "until": AT } }), paused, json!({ "until": AT })),
        of_a(json!({ "resumed": { "at": AT, "slug": "a", "due": AT } }), "heartbeat.resumed", json!({})),
        of_a(
            json!({ "periods_missed": { "at": AT, "slug": "a", "periods": 3 } }),
            "heartbeat.missed",
            json!({ "periods": 3 }),
        ),
        of_a(
            json!({ "run_overran": { "at": AT, "slug": "a", "run": RUN } }),
            "run.overran",
            json!({ "run": RUN }),
        ),
        of_a(
            json!({ "incident_opened": { "at": AT, "slug": "a", "incident": INCIDENT, "cause": "overran", "run": RUN,
                "channels": ["ops1"] } }),
            "incident.opened",
            json!({ "incident": INCIDENT, "cause": "overran", "exit_code": null, "run": RUN, "maybe_unheard": false }),
        ),
        of_a(
            json!({ "incident_resolved": { "at": AT, "slug": "a", "incident": INCIDENT, "reason": "ping" } }),
            "incident.resolved",
            json!({ "incident": INCIDENT, "reason": "ping" }),
        ),
    ]);
}

#[test]
fn a_ping_tells_what_it_says_and_does_but_not_what_it_brings() {
    let ping = |record, facts| (record, Some("a"), "ping", facts);
    let open = json!({ "id": RUN, "started_at": AT, "deadline": AT });
    let finished = json!({ "finished": { "run": RUN, "outcome": "failure", "duration": 1_234 } });
    tells([
        ping(pinged(json!("success"), json!("ignored")), json!({ "kind": "success", "ignored": true })),
        ping(pinged(json!("log"), json!("logged")), json!({ "kind": "log", "ignored": false })),
        ping(
            pinged(json!("start"), json!({ "started": { "run": open, "abandoned": [INCIDENT] } })),
            json!({ "kind": "start", "ignored": false, "run": RUN }),
        ),
        ping(
            pinged(json!({ "exit": 3 }), finished),
            json!({ "kind": "exit", "exit_code": 3, "ignored": false, "run": RUN, "outcome": "failure",
                "duration_ms": 1_234 }),
        ),
    ]);
}

#[test]
fn an_attempt_tells_what_it_tried_and_not_why_it_failed() {
    let attempted = |verdict: Value, next: Value| {
        json!({ "attempted": { "at": AT, "number": 1, "next": next,
            "attempt": { "at": AT, "took": 5, "verdict": verdict } } })
    };
    let failed = |status| json!({ "failed": { "status": status, "error": SECRET } });
    let delivery = json!({ "delivery": DELIVERY, "channel": "ops1", "alert": "incident.opened" });
    let row = |record, becomes: &str, status: Option<u16>| {
        let facts = with(&delivery, &json!({ "delivery_status": becomes, "status": status }));
        (record, Some("a"), "delivery.attempted", facts)
    };
    tells([
        row(attempted(json!({ "delivered": { "status": 204 } }), json!("delivered")), "delivered", Some(204)),
        row(attempted(failed(Some(500)), json!({ "retry": { "at": AT } })), "waiting", Some(500)),
        row(attempted(failed(None), json!("given_up")), "given_up", None),
        (
            json!({ "retried": { "at": AT, "number": 1, "give_up_at": AT } }),
            Some("a"),
            "delivery.queued",
            delivery.clone(),
        ),
    ]);
}

#[test]
fn a_span_without_ears_is_told() {
    let window = json!({ "from": "2026-11-22T03:00:00.000Z", "to": AT, "why": "stalled" });
    let stepped = with(&window, &json!({ "why": "clock step" }));
    tells([
        (json!({ "blind": { "at": AT, "window": window } }), None, "blind", window.clone()),
        (json!({ "stepped": { "at": AT, "by": 600_000, "told": true } }), None, "blind", stepped),
    ]);
}

#[test]
fn a_declaration_tells_its_slug_and_not_its_url() {
    let settings = Settings::default();
    let draft = Draft::new(Timing::Interval(Span::from_secs(60)));
    let slug = Slug::new("a").unwrap();
    let mut heartbeat = draft.settle(slug, &settings.defaults, settings.namespace);
    heartbeat.uuid = Uuid::parse_str(SECRET).unwrap();
    let declared = Declared {
        at: serde_json::from_value(json!(AT)).unwrap(),
        source: Source::Api,
        heartbeat: heartbeat.into(),
        draft: Some(draft.into()),
        put_back: true,
        due: None,
        run_deadlines: Vec::new(),
        cover_until: None,
    };
    let news = told(&Record::Declared(Box::new(declared)));
    let text = serde_json::to_string(&news).unwrap();
    assert_eq!(
        text,
        format!(
            r#"[{{"type":"heartbeat.declared","at":"{AT}","heartbeat":"a","source":"api","put_back":true}}]"#
        )
    );
}

#[test]
fn of_several_things_that_one_record_tells_only_the_last_is_marked() {
    let words = |news: &[News]| -> Vec<(&'static str, bool)> {
        news.iter().map(|news| (news.what.word(), news.last)).collect()
    };
    let moves = json!([{ "from": "b", "to": "a" }, { "from": "a", "to": "b" }]);
    let renamed = told(&record(json!({ "renamed": { "at": AT, "moves": moves } })));
    assert_eq!(words(&renamed), [("heartbeat.renamed", false), ("heartbeat.renamed", true)]);
    let line = serde_json::to_value(&renamed[0]).unwrap();
    assert_eq!((&line["heartbeat"], &line["from"]), (&json!("a"), &json!("b")));

    let opened = told(&record(alerted("opened", Some("a"))));
    assert_eq!(words(&opened), [("delivery.queued", false), ("delivery.queued", true)]);
    let reminder = told(&record(alerted("reminder", Some("a"))));
    let expected = [("incident.reminder", false), ("delivery.queued", false), ("delivery.queued", true)];
    assert_eq!(words(&reminder), expected);
    let test = told(&record(alerted("test", None)));
    assert_eq!(serde_json::to_value(&test[0]).unwrap()["alert"], "test");
    assert_eq!(test[0].heartbeat, None);
    for news in [opened, reminder, test] {
        assert!(!serde_json::to_string(&news).unwrap().contains(SECRET));
    }
}
