//! What became of a heartbeat's alerts, a line each: those of its open incident, and whichever else wait or were
//! given up. Knows which ones are worth a line; never asks for them.

use crate::cli::answer::{Beat, Delivery, DeliveryStatus};
use crate::cli::paint::plain;
use crate::model::ago::{ago, when};
use crate::model::time::Timestamp;

/// How many of the newest are looked at.
pub(super) const LOOK: usize = 20;
/// How many have a line.
const LINES: usize = 6;

/// The lines. The deliveries come newest first; those that did not arrive go before the others.
pub(super) fn alerts(deliveries: &[Delivery], beat: &Beat, now: Timestamp) -> Vec<String> {
    let incident = beat.incident.as_ref().and_then(|incident| incident.id.as_deref());
    let (arrived, missing): (Vec<&Delivery>, Vec<&Delivery>) =
        deliveries.iter().partition(|delivery| delivery.status == DeliveryStatus::Delivered);
    let arrived =
        arrived.into_iter().filter(|delivery| incident.is_some() && delivery.incident.as_deref() == incident);
    let mut lines: Vec<String> = missing.into_iter().chain(arrived).map(|one| line(one, now)).collect();
    if lines.len() > LINES {
        let more = lines.split_off(LINES - 1).len();
        lines.push(format!("… and {more} more: GET /api/v1/deliveries?heartbeat={}", plain(&beat.slug)));
    }
    lines
}

fn line(delivery: &Delivery, now: Timestamp) -> String {
    let ended = delivery.ended_at.map(|at| format!(" {}", ago(at, now))).unwrap_or_default();
    let last = delivery.attempts.last();
    let status = || last.and_then(|last| last.status).map(|status| format!("HTTP {status}"));
    let why = last.and_then(|last| last.error.clone()).or_else(status);
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let what = match (delivery.status, delivery.tries) {
        (DeliveryStatus::Delivered, 0 | 1) => format!("delivered{ended}"),
        (DeliveryStatus::Delivered, tries) => format!("delivered{ended} after {tries} attempts"),
        (DeliveryStatus::GivenUp, 0) => format!("given up{ended}, never tried"),
        (DeliveryStatus::GivenUp, 1) => format!("given up{ended} after 1 attempt{why}"),
        (DeliveryStatus::GivenUp, tries) => format!("given up{ended} after {tries} attempts{why}"),
        (DeliveryStatus::Waiting, 0) => "waits for its first try".to_owned(),
        (DeliveryStatus::Waiting, _) => match delivery.next_attempt_at.filter(|at| *at > now) {
            Some(at) => format!("waits, next try {}{why}", when(at, now)),
            // It is under way, or those before it are.
            None => format!("waits, next try now{why}"),
        },
    };
    plain(&format!("{} to {}: {what}", delivery.kind, delivery.channel))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::status::samples::{NOW, beat};
    use serde_json::{Value, json};

    /// As the API shows it, with these keys in place of its own.
    fn delivery(status: &str, tries: usize, with: &Value) -> Delivery {
        let attempt =
            json!({ "at": "2026-11-22T02:58:00Z", "outcome": "failed", "status": 500, "error": "HTTP 500" });
        let mut delivery = json!({
            "channel": "ops", "type": "incident.opened", "incident": "one", "status": status, "tries": tries,
            "next_attempt_at": null, "ended_at": null, "attempts": vec![attempt; tries],
        });
        for (key, value) in with.as_object().unwrap() {
            delivery[key] = value.clone();
        }
        serde_json::from_value(delivery).unwrap()
    }

    fn down(incident: &str) -> Beat {
        let incident = json!({ "id": incident, "cause": "missed", "opened_at": "2026-11-22T01:00:00Z", "exit_code": null });
        beat("db", "down", &json!({ "incident": incident }))
    }

    #[test]
    fn each_says_what_became_of_it() {
        let ended = json!({ "ended_at": "2026-11-22T02:58:00Z" });
        for (delivery, told) in [
            (delivery("delivered", 1, &ended), "delivered 2m ago"),
            (delivery("delivered", 3, &ended), "delivered 2m ago after 3 attempts"),
            (delivery("given_up", 3, &ended), "given up 2m ago after 3 attempts: HTTP 500"),
            (delivery("given_up", 1, &ended), "given up 2m ago after 1 attempt: HTTP 500"),
            (delivery("given_up", 0, &ended), "given up 2m ago, never tried"),
            (
                delivery("waiting", 0, &json!({ "next_attempt_at": "2026-11-22T03:00:00Z" })),
                "waits for its first try",
            ),
            (
                delivery(
                    "waiting",
                    2,
                    &json!({ "next_attempt_at": "2026-11-22T03:00:30Z",
                             "attempts": [{ "status": null, "error": "connection | refused" }] }),
                ),
                "waits, next try in 30s: connection ¦ refused",
            ),
            (
                delivery(
                    "waiting",
                    1,
                    &json!({ "next_attempt_at": "2026-11-22T02:59:00Z", "attempts": [{ "status": 503, "error": null }] }),
                ),
                "waits, next try now: HTTP 503",
            ),
        ] {
            assert_eq!(alerts(&[delivery], &down("one"), NOW), [format!("incident.opened to ops: {told}")]);
        }
    }

    #[test]
    fn what_arrived_is_told_of_the_open_incident_only() {
        let arrived = delivery("delivered", 1, &json!({ "ended_at": "2026-11-22T02:58:00Z" }));
        let missing = delivery("given_up", 1, &json!({ "channel": "chat" }));
        let both = [arrived, missing];
        assert_eq!(
            alerts(&both, &down("one"), NOW),
            [
                "incident.opened to chat: given up after 1 attempt: HTTP 500",
                "incident.opened to ops: delivered 2m ago"
            ]
        );
        for other in [down("another"), beat("db", "up", &json!({}))] {
            assert_eq!(alerts(&both, &other, NOW).len(), 1);
        }
        assert!(alerts(&[], &down("one"), NOW).is_empty());
    }

    #[test]
    fn of_many_the_rest_is_counted() {
        let many = vec![delivery("delivered", 1, &json!({})); 9];
        let lines = alerts(&many, &down("one"), NOW);
        assert_eq!(
            (lines.len(), lines[5].as_str()),
            (6, "… and 4 more: GET /api/v1/deliveries?heartbeat=db")
        );
    }
}
