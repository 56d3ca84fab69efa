//! What `docs/recipes.md` shows is what is tried here: every channel in it is taken out of the page, given
//! alerts of every kind, and what arrives is held against the shape that the service's documentation asks for.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it runs a receiver and scripts")]
#![allow(clippy::unwrap_used, reason = "a test says by its panic where it failed")]

mod real;
mod shapes;
mod signatures;

#[allow(dead_code, reason = "what hangs is tried by the tests of the library")]
#[path = "../../src/deliver/tests/receiver.rs"]
mod receiver;

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use overdue::config::template;
use overdue::deliver::{Courier, Report, Target, Targets, Webhook};
use overdue::model::channel::ChannelName;
use overdue::model::delivery::{Delivery, DeliveryState, Verdict};
use overdue::model::id::DeliveryId;
use overdue::model::incident::Alert;
use overdue::model::time::Timestamp;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use receiver::{Answer, Received, Receiver};

const PAGE: &str = include_str!("../../docs/recipes.md");

/// The code blocks of a language, in the order of the page.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    PAGE.split(fence.as_str()).skip(1).map(|rest| rest.split("```\n").next().unwrap()).collect()
}

/// A channel as the page has it.
struct Recipe {
    name: String,
    url: String,
    headers: Vec<(String, Arc<str>)>,
    body: String,
}

fn recipes() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for block in blocks("toml") {
        let config: toml::Table = block.parse().unwrap_or_else(|error| panic!("{error}\nin\n{block}"));
        let Some(channels) = config.get("channels") else { continue };
        for (name, channel) in channels.as_table().unwrap() {
            let text = |key: &str| channel.get(key).and_then(toml::Value::as_str);
            assert_eq!(text("type"), Some("webhook"), "{name}");
            let headers = channel.get("headers").and_then(toml::Value::as_table).into_iter().flatten();
            let known = ["type", "url", "headers", "body"];
            assert!(channel.as_table().unwrap().keys().all(|key| known.contains(&key.as_str())), "{name}");
            recipes.push(Recipe {
                name: name.clone(),
                url: text("url").unwrap().to_owned(),
                headers: headers.map(|(key, value)| (key.clone(), value.as_str().unwrap().into())).collect(),
                body: text("body").unwrap().to_owned(),
            });
        }
    }
    let names: Vec<&str> = recipes.iter().map(|recipe| recipe.name.as_str()).collect();
    assert_eq!(names, ["slack", "discord", "teams", "ntfy", "gotify", "alertmanager"], "all are on the page");
    recipes
}

/// Alerts of every kind, then some as large as they can be, then some of the machine's own making.
fn alerts() -> Vec<Value> {
    let mut alerts = template::samples();
    for kind in ["incident.opened", "incident.reminder", "incident.resolved", "test"] {
        assert!(alerts.iter().any(|alert| alert["type"] == kind), "no sample of {kind}");
    }
    for mut alert in template::samples() {
        let data = &mut alert["data"];
        data["heartbeat"]["name"] = "💥\"".repeat(127).into();
        data["heartbeat"]["last_body"] = "\u{1}".repeat(2_048).into();
        data["summary"] = "💥\n\"<!channel>".repeat(1_000).into();
        alerts.push(alert);
    }
    alerts.extend(real::alerts());
    alerts
}

fn delivery(number: u64, payload: &Value, template: Option<&str>) -> Delivery {
    Delivery {
        number,
        id: DeliveryId(Uuid::from_u128(u128::from(number) + 1)),
        slug: None,
        incident: None,
        alert: Alert::Test,
        channel: ChannelName::new("it"),
        payload: payload.to_string().into(),
        template: template.map(Into::into),
        queued_at: Timestamp::from_millis(0),
        give_up_at: Timestamp::from_millis(0),
        state: DeliveryState::Waiting { next_at: Timestamp::from_millis(0) },
        tries: 0,
        attempts: Vec::new(),
    }
}

/// A courier with one channel, `it`.
fn courier(webhook: Webhook) -> (Courier, mpsc::Receiver<Report>) {
    let targets: Targets = [(ChannelName::new("it"), Target::Webhook(webhook))].into();
    // The last targets stay readable when nobody can change them any more.
    let (_, targets) = watch::channel(Arc::new(targets));
    let (report, reports) = mpsc::channel(8);
    (Courier::start(targets, report).unwrap(), reports)
}

/// Sends one delivery to a receiver and gives back what arrived.
async fn send(
    house: &mut (Courier, mpsc::Receiver<Report>),
    receiver: &mut Receiver,
    delivery: Delivery,
) -> Received {
    house.0.deliver(Arc::new(delivery));
    let report = tokio::time::timeout(Duration::from_secs(20), house.1.recv()).await.unwrap().unwrap();
    assert_eq!(report.attempt.verdict, Verdict::Delivered { status: Some(200) });
    receiver.next().await
}

#[tokio::test]
async fn every_recipe_sends_what_its_service_takes() {
    for recipe in recipes() {
        let name = recipe.name.as_str();
        assert_eq!(template::check(&recipe.body, true), Ok(()), "{name}");
        let mut receiver = Receiver::start(|_| Answer::status(200)).await;
        let (_, rest) = recipe.url.split_once("://").unwrap();
        let path = &rest[rest.find('/').unwrap()..];
        let webhook = Webhook { headers: recipe.headers.clone(), ..Webhook::new(&receiver.url(path)) };
        let mut house = courier(webhook);
        for (number, alert) in (0..).zip(alerts()) {
            let request = send(&mut house, &mut receiver, delivery(number, &alert, Some(&recipe.body))).await;
            assert_eq!(request.method, Method::POST);
            assert_eq!(request.path, path);
            assert_eq!(request.header("content-type"), "application/json");
            let body: Value = serde_json::from_slice(&request.body)
                .unwrap_or_else(|error| panic!("{name}: {error} in {:?}", request.body));
            shapes::check(name, &alert, &request, &body);
        }
    }
}
