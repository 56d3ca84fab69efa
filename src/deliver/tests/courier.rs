//! Many deliveries beside each other, a config that changes, and the end.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::page::Page;
use super::receiver::{Answer, Receiver};
use super::{House, delivery, table, target, to};
use crate::config::channel::{ChannelConfig, Webhook};
use crate::deliver::Targets;
use crate::deliver::attempt;
use crate::deliver::webhook::Sender;
use crate::model::channel::ChannelName;
use crate::model::delivery::{Delivery, Verdict};
use crate::model::time::Span;

const OK: Verdict = Verdict::Delivered { status: Some(200) };

#[tokio::test]
async fn a_hung_receiver_does_not_delay_a_good_one() {
    let (hung, mut good) =
        (Receiver::start(|_| Answer::Hangs).await, Receiver::start(|_| Answer::status(200)).await);
    let patient = Webhook { timeout: Span::from_secs(600), ..to(&hung.url("/")) };
    let mut house = House::start([("hung", target(patient)), ("good", target(to(&good.url("/"))))]);
    for number in 0..300 {
        house.courier.deliver(Arc::new(delivery(2 * number, "hung")));
        house.courier.deliver(Arc::new(delivery(2 * number + 1, "good")));
    }
    let mut seen = BTreeSet::new();
    for _ in 0..300 {
        let report = house.report().await;
        assert_eq!((report.number % 2, &report.attempt.verdict), (1, &OK));
        assert!(seen.insert(report.number), "one report for each delivery");
    }
    assert_eq!(good.rest().len(), 300);
    // The hung ones are cut and give no report: they are tried again after a restart.
    house.courier.stop(Duration::ZERO).await;
    assert!(house.reports.recv().await.is_none());
}

/// Eight files are four deliveries. The good ones come and go by the one that the hung ones must leave.
#[tokio::test]
async fn with_few_files_receivers_that_hang_leave_one_for_each_other_channel() {
    let (mut hung, mut good) =
        (Receiver::start(|_| Answer::Hangs).await, Receiver::start(|_| Answer::status(200)).await);
    let patient = Webhook { timeout: Span::from_secs(600), ..to(&hung.url("/")) };
    let channels = [
        ("one", target(patient.clone())),
        ("two", target(patient.clone())),
        ("three", target(patient)),
        ("good", target(to(&good.url("/")))),
        ("journal", ChannelConfig::Log),
    ];
    let mut house = House::with_files(8, channels);
    for number in 0..30 {
        house.courier.deliver(Arc::new(delivery(number, ["one", "two", "three"][number as usize % 3])));
    }
    for number in 100..130 {
        house.courier.deliver(Arc::new(delivery(number, "good")));
        house.courier.deliver(Arc::new(delivery(number + 100, "journal")));
    }
    let mut seen = BTreeSet::new();
    for _ in 0..60 {
        let report = house.report().await;
        assert!(matches!(report.attempt.verdict, Verdict::Delivered { .. }), "{report:?}");
        assert!(seen.insert(report.number), "one report for each delivery");
    }
    for _ in 0..3 {
        hung.next().await;
    }
    assert!(hung.rest().is_empty(), "one each");
    for request in good.rest() {
        assert_eq!(request.header("connection"), "close", "a connection that is kept is a file more");
    }
    house.courier.stop(Duration::ZERO).await;
    assert!(house.reports.recv().await.is_none(), "what waited is not begun, and gives no report");
}

/// One delivery at a time; the time that it waits for the others is none of its own.
#[tokio::test]
async fn the_wait_for_files_is_no_part_of_a_deliverys_time_out() {
    let slow = Receiver::start(|_| Answer::Hangs).await;
    let good = Receiver::start(|_| Answer::status(200)).await;
    let mut house = House::with_files(
        2,
        [
            ("slow", target(Webhook { timeout: Span::from_secs(1), ..to(&slow.url("/")) })),
            ("good", target(to(&good.url("/")))),
        ],
    );
    house.courier.deliver(Arc::new(delivery(1, "slow")));
    house.courier.deliver(Arc::new(delivery(2, "good")));
    let (first, second) = (house.report().await, house.report().await);
    assert_eq!((first.number, second.number), (1, 2));
    assert!(House::failure(first.attempt.verdict).contains("timed out after 1s"));
    assert_eq!(second.attempt.verdict, OK);
    let waited = second.attempt.at >= first.attempt.at + Span::from_secs(1);
    assert!(waited, "its instant, from which its time-out counts, is that at which it began");
}

#[tokio::test]
async fn the_targets_of_the_moment_are_used() {
    let (mut first, mut second) =
        (Receiver::start(|_| Answer::status(200)).await, Receiver::start(|_| Answer::status(200)).await);
    let mut house = House::webhook(to(&first.url("/")));
    assert_eq!(house.verdict().await, OK);
    first.next().await;
    house.targets.send_replace(Arc::new(table([("ops", target(to(&second.url("/"))))])));
    assert_eq!(house.verdict().await, OK);
    second.next().await;
    house.targets.send_replace(Arc::new(Targets::new()));
    let gone = Verdict::Refused { status: None, error: "the channel `ops` left the config".to_owned() };
    assert_eq!(house.verdict().await, gone);
    assert!(first.rest().is_empty() && second.rest().is_empty());
}

#[tokio::test]
async fn stopping_lets_what_is_under_way_end_and_takes_nothing_new() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Mutex::new(released);
    // It answers from another runtime, since holding the answer holds the thread.
    let (hand_over, handed) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let mut receiver = Receiver::start(move |_| {
                released.lock().unwrap().recv().unwrap();
                Answer::status(200)
            })
            .await;
            hand_over.send(receiver.url("/")).unwrap();
            receiver.next().await;
            std::future::pending::<()>().await;
        });
    });
    let House { courier, mut reports, targets } = House::webhook(to(&handed.await.unwrap()));
    courier.deliver(Arc::new(delivery(1, "ops")));
    let stopping = tokio::spawn({
        let courier = courier.clone();
        async move { courier.stop(Duration::from_secs(20)).await }
    });
    courier.gone().await;
    courier.deliver(Arc::new(delivery(2, "ops")));
    assert!(!stopping.is_finished(), "the receiver has not answered yet");
    release.send(()).unwrap();
    let report = reports.recv().await.expect("the answer is still reported");
    assert_eq!((report.number, report.attempt.verdict), (1, OK));
    stopping.await.unwrap();
    assert!(reports.recv().await.is_none());
    drop(targets);
}

#[tokio::test]
async fn dropping_the_courier_ends_its_thread() {
    let house = House::start([("ops", ChannelConfig::Log)]);
    let House { courier, mut reports, .. } = house;
    drop(courier);
    assert!(reports.recv().await.is_none(), "the thread has let go of the reports");
}

#[tokio::test]
async fn a_template_makes_the_body_and_one_that_fails_costs_no_alert() {
    let mut receiver = Receiver::start(|_| Answer::status(200)).await;
    let mut house = House::webhook(to(&receiver.url("/")));
    let with = |template: &str| Delivery { template: Some(template.into()), ..delivery(1, "ops") };
    house.attempt(with(r#"{"text": {{ summary | tojson }}}"#)).await;
    let body: serde_json::Value = serde_json::from_slice(&receiver.next().await.body).unwrap();
    assert_eq!(body["text"], "backup: no \"ping\"\n💥");
    for failing in [
        "{{ summary | nonsense }}",
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    ] {
        assert_eq!(house.attempt(with(failing)).await.verdict, OK);
        assert_eq!(receiver.next().await.body, delivery(1, "ops").payload.as_bytes());
    }
}

#[test]
fn the_log_channel_writes_one_line_at_warn() {
    let page = Page::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let targets = table([("journal", ChannelConfig::Log)]);
    for channel in ["journal", ChannelName::LOG] {
        let attempt = tracing::dispatcher::with_default(&page.subscriber(), || {
            runtime.block_on(attempt::run(&delivery(1, channel), &targets, &Sender::new().unwrap(), true))
        });
        assert_eq!(attempt.verdict, Verdict::Delivered { status: None });
    }
    let lines = page.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for line in lines {
        for word in
            ["WARN", "backup: no \"ping\" 💥", "type=\"incident.opened\"", "heartbeat=backup", "incident=0"]
        {
            assert!(line.contains(word), "{word} in {line}");
        }
    }
}
