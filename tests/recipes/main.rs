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

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use overdue::config::channel::{ChannelConfig, Webhook};
use overdue::config::secret::Secret;
use overdue::config::{Config, Sources, template};
use overdue::deliver::{Courier, Report, Targets};
use overdue::model::channel::ChannelName;
use overdue::model::delivery::{Delivery, DeliveryState, Verdict};
use overdue::model::id::DeliveryId;
use overdue::model::incident::Alert;
use overdue::model::schedule::Zones;
use overdue::model::time::{Step, Timestamp};
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

/// The page as a config file.
struct Page(String);

impl Sources for Page {
    fn read(&self, _: &Path) -> io::Result<String> {
        Ok(self.0.clone())
    }

    fn glob(&self, _: &Path) -> Result<Vec<PathBuf>, String> {
        Ok(Vec::new())
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn credentials_directory(&self) -> Option<PathBuf> {
        None
    }
}

/// The channels of the page, which is a config without a problem.
fn recipes() -> BTreeMap<String, Webhook> {
    let page = Page(blocks("toml").concat());
    let config = Config::read(Path::new("page.toml"), &page, &Zones::bundled()).unwrap();
    let mut recipes = BTreeMap::new();
    for (name, channel) in config.channels {
        match channel {
            ChannelConfig::Webhook(webhook) => {
                recipes.insert(name.to_string(), *webhook);
            }
            ChannelConfig::Log => assert_eq!(name.as_str(), ChannelName::LOG),
        }
    }
    let names: Vec<&str> = recipes.keys().map(String::as_str).collect();
    assert_eq!(names, ["alertmanager", "discord", "gotify", "ntfy", "slack", "teams"], "all are on the page");
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
        stepped: Step::ZERO,
        state: DeliveryState::Waiting { next_at: Timestamp::from_millis(0) },
        tries: 0,
        attempts: Vec::new(),
    }
}

/// A courier with one channel, `it`.
fn courier(webhook: Webhook) -> (Courier, mpsc::Receiver<Report>) {
    let targets: Targets = [(ChannelName::new("it"), ChannelConfig::Webhook(Box::new(webhook)))].into();
    // The last targets stay readable when nobody can change them any more.
    let (_, targets) = watch::channel(Arc::new(targets));
    let (report, reports) = mpsc::channel(8);
    (Courier::start(targets, report, 100).unwrap(), reports)
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
    for (name, recipe) in recipes() {
        let template = recipe.body.as_deref().unwrap();
        let mut receiver = Receiver::start(|_| Answer::status(200)).await;
        let (_, rest) = recipe.url.expose().split_once("://").unwrap();
        let path = &rest[rest.find('/').unwrap()..];
        let webhook = Webhook { url: Secret::new(&receiver.url(path)), ..recipe.clone() };
        let mut house = courier(webhook);
        for (number, alert) in (0..).zip(alerts()) {
            let request = send(&mut house, &mut receiver, delivery(number, &alert, Some(template))).await;
            assert_eq!(request.method, Method::POST);
            assert_eq!(request.path, path);
            assert_eq!(request.header("content-type"), "application/json");
            let body: Value = serde_json::from_slice(&request.body)
                .unwrap_or_else(|error| panic!("{name}: {error} in {:?}", request.body));
            shapes::check(&name, &alert, &request, &body);
        }
    }
}
