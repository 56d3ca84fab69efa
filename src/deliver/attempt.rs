//! One attempt at one delivery, whatever its channel is: it always ends, and always with a verdict. Knows
//! the clock; never knows what follows.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt;

use crate::config::channel::ChannelConfig;
use crate::deliver::Targets;
use crate::deliver::payload;
use crate::deliver::webhook::{Message, Sender};
use crate::model::channel::ChannelName;
use crate::model::delivery::{Attempt, Delivery, Verdict};
use crate::model::time::{Span, Timestamp};

/// Tries a delivery once. `keep`: its connection may be kept for the next.
pub(super) async fn run(delivery: &Delivery, targets: &Targets, sender: &Sender, keep: bool) -> Attempt {
    let (at, began) = (now(), Instant::now());
    let verdict = guarded(carry(delivery, targets, sender, at, keep)).await;
    let took = Span::from_millis(began.elapsed().as_millis().try_into().unwrap_or(i64::MAX));
    tracing::debug!(delivery = %delivery.id, channel = %delivery.channel, ?took, ?verdict, "a delivery was tried");
    tell_trouble(delivery, &verdict, at);
    Attempt { at, took, verdict }
}

/// Whoever mistyped an address must not learn of it only when the alert is given up, a day later. Once per
/// delivery, at its first attempt: the further ones would say the same.
fn tell_trouble(delivery: &Delivery, verdict: &Verdict, at: Timestamp) {
    let heartbeat = delivery.slug.as_ref().map(tracing::field::display);
    match verdict {
        Verdict::Failed { error, .. } if delivery.tries == 0 && delivery.give_up_at > at => tracing::warn!(
            delivery = %delivery.id,
            channel = %delivery.channel,
            heartbeat,
            error,
            "an alert could not be delivered; it is tried again"
        ),
        Verdict::Delivered { .. } if delivery.tries > 0 => tracing::info!(
            delivery = %delivery.id,
            channel = %delivery.channel,
            heartbeat,
            attempts = delivery.tries + 1,
            "an alert was delivered after all"
        ),
        Verdict::Delivered { .. } | Verdict::Failed { .. } | Verdict::Refused { .. } => {}
    }
}

async fn carry(
    delivery: &Delivery,
    targets: &Targets,
    sender: &Sender,
    at: Timestamp,
    keep: bool,
) -> Verdict {
    match targets.get(&delivery.channel) {
        Some(ChannelConfig::Webhook(webhook)) => {
            let message = Message { id: delivery.id.to_string(), body: payload::body(delivery), keep };
            sender.send(webhook, message, at, now).await
        }
        Some(ChannelConfig::Log) => log(delivery),
        // Every daemon has it without declaring it.
        None if delivery.channel.as_str() == ChannelName::LOG => log(delivery),
        None => Verdict::Refused {
            status: None,
            error: format!("the channel `{}` left the config", delivery.channel),
        },
    }
}

/// A fault in our own code must not leave a delivery waiting for ever: nothing else would try it again.
async fn guarded(carrying: impl Future<Output = Verdict>) -> Verdict {
    AssertUnwindSafe(carrying).catch_unwind().await.unwrap_or_else(|_| Verdict::Failed {
        status: None,
        error: "the attempt broke off because of a fault in overdue; see its log".to_owned(),
        retry_after: None,
    })
}

fn log(delivery: &Delivery) -> Verdict {
    let payload: serde_json::Value = serde_json::from_str(&delivery.payload).unwrap_or_default();
    let summary = payload["data"]["summary"].as_str().unwrap_or("an alert without a summary");
    // A name may hold a newline, and nobody may write lines of their own into the log.
    let summary: String = summary.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    tracing::warn!(
        target: "overdue::alert",
        r#type = delivery.alert.event_type(),
        heartbeat = delivery.slug.as_ref().map(tracing::field::display),
        incident = delivery.incident.as_ref().map(tracing::field::display),
        delivery = %delivery.id,
        "{summary}"
    );
    Verdict::Delivered { status: None }
}

fn now() -> Timestamp {
    Timestamp::from_jiff(jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_still_gives_a_verdict() {
        let verdict = guarded(async { panic!("a fault, on purpose") }).await;
        assert!(matches!(verdict, Verdict::Failed { status: None, retry_after: None, .. }));
        let verdict = guarded(async { Verdict::Delivered { status: None } }).await;
        assert_eq!(verdict, Verdict::Delivered { status: None });
    }
}
