//! The courier and its webhooks against receivers on this machine.

mod alive;
mod courier;
mod hostile;
mod page;
mod private;
mod receiver;
mod tls;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::config::channel::{ChannelConfig, Webhook, WebhookMethod};
use crate::config::secret::Secret;
use crate::deliver::{Courier, Report, Targets};
use crate::model::channel::ChannelName;
use crate::model::delivery::{Attempt, Delivery, DeliveryState, Verdict};
use crate::model::id::{DeliveryId, IncidentId, Slug};
use crate::model::incident::Alert;
use crate::model::time::{Span, Step, Timestamp};

/// A courier whose reports and targets are at hand.
struct House {
    courier: Courier,
    reports: mpsc::Receiver<Report>,
    targets: watch::Sender<Arc<Targets>>,
}

impl House {
    fn start<const N: usize>(channels: [(&str, ChannelConfig); N]) -> Self {
        Self::with_files(10_000, channels)
    }

    fn with_files<const N: usize>(files: usize, channels: [(&str, ChannelConfig); N]) -> Self {
        let (targets, seen) = watch::channel(Arc::new(table(channels)));
        let (report, reports) = mpsc::channel(16);
        Self { courier: Courier::start(seen, report, files).unwrap(), reports, targets }
    }

    fn webhook(webhook: Webhook) -> Self {
        Self::start([("ops", target(webhook))])
    }

    async fn report(&mut self) -> Report {
        tokio::time::timeout(Duration::from_secs(20), self.reports.recv()).await.expect("a report").unwrap()
    }

    /// Tries one delivery and waits for how it went.
    async fn attempt(&mut self, delivery: Delivery) -> Attempt {
        let number = delivery.number;
        self.courier.deliver(Arc::new(delivery));
        let report = self.report().await;
        assert_eq!(report.number, number);
        report.attempt
    }

    async fn verdict(&mut self) -> Verdict {
        self.attempt(delivery(1, "ops")).await.verdict
    }

    /// The words of a failure.
    #[track_caller]
    fn failure(verdict: Verdict) -> String {
        match verdict {
            Verdict::Failed { error, .. } => error,
            other @ (Verdict::Delivered { .. } | Verdict::Refused { .. }) => {
                panic!("not a failure: {other:?}")
            }
        }
    }
}

fn target(webhook: Webhook) -> ChannelConfig {
    ChannelConfig::Webhook(Box::new(webhook))
}

/// A webhook as the config gives it when only the `url` is said.
fn to(url: &str) -> Webhook {
    Webhook {
        url: Secret::new(url),
        secret: None,
        method: WebhookMethod::Post,
        headers: Vec::new(),
        body: None,
        timeout: Span::from_secs(10),
        retry_for: Span::from_secs(86_400),
        block_private: false,
    }
}

fn table<const N: usize>(channels: [(&str, ChannelConfig); N]) -> Targets {
    channels.into_iter().map(|(name, target)| (ChannelName::new(name), target)).collect()
}

fn delivery(number: u64, channel: &str) -> Delivery {
    Delivery {
        number,
        id: DeliveryId(Uuid::from_u128(u128::from(number) << 64 | 7)),
        slug: Some(Slug::new("backup").unwrap()),
        incident: Some(IncidentId(Uuid::from_u128(9))),
        alert: Alert::Opened,
        channel: ChannelName::new(channel),
        payload: r#"{"type":"incident.opened","data":{"summary":"backup: no \"ping\"\n💥"}}"#.into(),
        template: None,
        queued_at: Timestamp::from_millis(0),
        give_up_at: Timestamp::from_millis(1_000),
        stepped: Step::ZERO,
        state: DeliveryState::Waiting { next_at: Timestamp::from_millis(0) },
        tries: 0,
        attempts: Vec::new(),
    }
}
