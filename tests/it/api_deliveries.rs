//! What a person can do about deliveries: see what became of each, try it again, and try a channel. The receiver
//! has the last word.

use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::client::Answer;
use crate::harness::{Daemon, LIMIT, wait_for};
use crate::receiver::{Receiver, Reply};
use crate::seed::{check_shape, config, verify_signature};

/// A daemon whose heartbeat `db` alerts this receiver, with these keys of the channel more.
fn start(receiver: &Receiver, more: &str) -> Daemon {
    let channel = receiver.channel("ops");
    Daemon::start(&format!("{channel}{more}[heartbeats.db]\ninterval = \"24h\"\nchannels = [\"ops\"]\n"))
}

/// Lets `db` fail, and waits until the alert of it stands so and was tried.
fn fail(daemon: &Daemon, status: &str) -> Value {
    daemon.ping(&daemon.uuid("db"), "/3");
    wait_for(LIMIT, "the delivery was tried", || {
        let deliveries = daemon.items(&format!("deliveries?status={status}"));
        deliveries.into_iter().find(|delivery| delivery["tries"] == 1)
    })
}

fn id(delivery: &Value) -> &str {
    delivery["id"].as_str().unwrap()
}

fn retry(daemon: &Daemon, delivery: &Value) -> Answer {
    daemon.request("POST", &format!("/api/v1/deliveries/{}/retry", id(delivery)), &[], b"")
}

fn millis(time: &Value) -> i64 {
    let text = time.as_str().unwrap_or_else(|| panic!("no time: {time}"));
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

#[test]
fn a_delivery_that_was_given_up_is_tried_again_and_arrives_under_its_id() {
    for (status, more, outcome) in [(410, "", "refused"), (500, "retry_for = \"0s\"\n", "failed")] {
        let receiver = Receiver::start();
        receiver.reply(Reply::Status(status));
        let daemon = start(&receiver, more);
        let given_up = fail(&daemon, "given_up");
        let tried = receiver.received().remove(0);
        assert_eq!(id(&given_up), tried.header("webhook-id"));
        for (key, value) in [
            ("channel", json!("ops")),
            ("type", json!("incident.opened")),
            ("heartbeat", json!("db")),
            ("incident", daemon.heartbeat("db")["incident"]["id"].clone()),
            ("next_attempt_at", Value::Null),
        ] {
            assert_eq!(given_up[key], value, "{key}");
        }
        let attempt = &given_up["attempts"][0];
        assert_eq!((&attempt["status"], &attempt["outcome"]), (&json!(status), &json!(outcome)));
        let error = attempt["error"].as_str().unwrap();
        assert!(error.contains(&status.to_string()), "{error}");
        assert!(millis(&given_up["ended_at"]) >= millis(&attempt["at"]));

        receiver.reply(Reply::Status(204));
        let answer = retry(&daemon, &given_up);
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!(answer.header("location"), Some(&format!("/api/v1/deliveries/{}", id(&given_up))[..]));
        let again = receiver.wait_for(2).remove(1);
        assert_eq!(again.header("webhook-id"), tried.header("webhook-id"));
        assert_eq!(again.body, tried.body);
        let delivered = daemon.wait_for_delivery(id(&given_up), "delivered");
        assert_eq!((&delivered["tries"], &delivered["attempts"][0]), (&json!(2), attempt));
        let last = &delivered["attempts"][1];
        assert_eq!((&last["outcome"], &last["status"]), (&json!("delivered"), &json!(204)));
        assert_eq!(last["error"], Value::Null);
        let refused = retry(&daemon, &given_up);
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (409, &json!("already_delivered")));
        assert_eq!(receiver.received().len(), 2);
    }
}

#[test]
fn a_delivery_that_waits_is_tried_now() {
    let receiver = Receiver::start();
    receiver.reply(Reply::With(503, "Retry-After", "3600".to_owned()));
    let daemon = start(&receiver, "");
    let waiting = fail(&daemon, "waiting");
    let attempt = &waiting["attempts"][0];
    assert_eq!((&attempt["retry_after_seconds"], &attempt["status"]), (&json!(3_600), &json!(503)));
    let wait = millis(&waiting["next_attempt_at"]) - millis(&attempt["at"]);
    assert!((3_600_000..3_660_000).contains(&wait), "{waiting}");
    // What comes after it waits for it.
    daemon.ping(&daemon.uuid("db"), "");
    receiver.reply(Reply::Status(200));
    assert_eq!(receiver.received().len(), 1);
    assert_eq!(retry(&daemon, &waiting).status, 202);
    let received = receiver.wait_for(3);
    assert_eq!(received[1].header("webhook-id"), id(&waiting));
    assert_eq!(
        (received[1].kind(), received[2].kind()),
        ("incident.opened".into(), "incident.resolved".into())
    );
    let resolved = received[2].header("webhook-id");
    daemon.wait_for_delivery(resolved, "delivered");
    let newest_first = daemon.items("deliveries");
    assert_eq!(newest_first.iter().map(id).collect::<Vec<_>>(), [resolved, id(&waiting)]);
}

#[test]
fn an_attempt_tells_how_long_it_took_and_when_the_next_one_comes() {
    let receiver = Receiver::start();
    receiver.reply_with(|_| {
        // A slow receiver.
        thread::sleep(Duration::from_millis(300));
        Reply::Status(500)
    });
    let daemon = start(&receiver, "");
    let before = Timestamp::now().as_millisecond();
    let waiting = fail(&daemon, "waiting");
    let attempt = &waiting["attempts"][0];
    let (at, took) = (millis(&attempt["at"]), attempt["duration_ms"].as_i64().unwrap());
    assert!(at >= before && at >= millis(&waiting["queued_at"]), "{waiting}");
    assert!((300..60_000).contains(&took), "{attempt}");
    let wait = millis(&waiting["next_attempt_at"]) - at - took;
    assert!((700..20_000).contains(&wait), "about a second after it ended: {waiting}");
    assert_eq!(millis(&waiting["give_up_at"]) - millis(&waiting["queued_at"]), 86_400_000);
    let later = wait_for(LIMIT, "it is tried a second time", || {
        let now = daemon.get(&format!("/api/v1/deliveries/{}", id(&waiting))).json();
        (now["tries"] == 2).then_some(now)
    });
    assert_eq!(later["attempts"][0], *attempt);
    assert!(millis(&later["attempts"][1]["at"]) >= millis(&waiting["next_attempt_at"]), "{later}");
}

#[test]
fn a_receiver_that_nobody_reaches_is_an_error_without_a_status() {
    let receiver = Receiver::start();
    let daemon = start(&receiver, "");
    drop(receiver);
    let waiting = fail(&daemon, "waiting");
    let attempt = &waiting["attempts"][0];
    assert_eq!((&attempt["status"], &attempt["outcome"]), (&Value::Null, &json!("failed")));
    assert!(attempt["error"].as_str().unwrap().to_lowercase().contains("connect"), "{attempt}");
}

#[test]
fn a_channel_is_tried_with_what_an_alert_has_and_signed_like_one() {
    let receiver = Receiver::start();
    let daemon = Daemon::start(&config(&receiver));
    let tried = daemon.request("POST", "/api/v1/channels/ops/test", &[], b"");
    assert_eq!((tried.status, &tried.json()["type"]), (202, &json!("test")));
    let received = receiver.wait_for(1).remove(0);
    check_shape(&received, "(there is no UUID)");
    verify_signature(&received);
    assert_eq!(received.kind(), "test");
    assert_eq!(received.header("webhook-id"), id(&tried.json()));
    let delivered = daemon.wait_for_delivery(id(&tried.json()), "delivered");
    assert_eq!((&delivered["channel"], &delivered["tries"]), (&json!("ops"), &json!(1)));
    assert_eq!((&delivered["incident"], &delivered["heartbeat"]), (&Value::Null, &Value::Null));
    assert_eq!(daemon.items("incidents"), [Value::Null; 0], "it is no incident");
    assert_eq!(daemon.items("heartbeats"), [Value::Null; 0]);
    assert_eq!(daemon.request("POST", "/api/v1/channels/opps/test", &[], b"").status, 404);
}

#[test]
fn a_test_that_fails_is_given_up_at_once_and_says_why() {
    let receiver = Receiver::start();
    receiver.reply(Reply::Status(500));
    let daemon = start(&receiver, "");
    let tried = daemon.request("POST", "/api/v1/channels/ops/test", &[], b"");
    let path = tried.header("location").unwrap().to_owned();
    let given_up = daemon.wait_for_delivery(id(&tried.json()), "given_up");
    assert_eq!(daemon.get(&path).json(), given_up);
    assert_eq!((&given_up["tries"], given_up["attempts"].as_array().unwrap().len()), (&json!(1), 1));
    assert_eq!(given_up["attempts"][0]["status"], 500);
    assert!(given_up["attempts"][0]["error"].as_str().unwrap().contains("500"), "{given_up}");
    // An alert that is queued later goes out, so a second try would have come before it was through.
    receiver.reply(Reply::Status(200));
    daemon.ping(&daemon.uuid("db"), "/3");
    receiver.wait_for_alert("incident.opened", "db");
    assert_eq!(receiver.received().len(), 2);
    assert_eq!(retry(&daemon, &given_up).status, 202, "it may be tried again");
    daemon.wait_for_delivery(id(&given_up), "delivered");
    assert_eq!(receiver.received()[2].header("webhook-id"), id(&given_up));
}
