//! Heartbeats for the tests of what is printed, one of each kind.

use serde_json::{Value, json};

use crate::cli::answer::{Beat, ConfigState, DeliveryCounts, House, JournalState};
use crate::cli::status::overview::Wanted;
use crate::model::time::Timestamp;

/// 2026-11-22T03:00:00Z.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_795_316_400_000);

/// Every heartbeat.
pub(super) const ALL: Wanted = Wanted { problems: false, rows: None };

/// A daemon that is well, with so many alerts given up and waiting.
pub(super) fn house(given_up: usize, waiting: usize) -> House {
    House {
        deliveries: DeliveryCounts { waiting, given_up },
        config: ConfigState { ok: true, problems: Vec::new() },
        journal: JournalState { ok: true, error: None },
    }
}

/// As the API shows it, with these keys in place of its own.
pub(super) fn beat(slug: &str, status: &str, with: &Value) -> Beat {
    let mut beat = json!({
        "slug": slug, "name": slug, "status": status, "schedule": "every 24h", "timezone": null,
        "grace": "1h", "max_runtime": "2h", "max_runtime_seconds": 7_200,
    });
    for (key, value) in with.as_object().unwrap() {
        beat[key] = value.clone();
    }
    serde_json::from_value(beat).unwrap()
}

/// One of each kind, in no order.
pub(super) fn beats() -> Vec<Beat> {
    let incident = |cause: &str, code: Option<u8>, at: &str| json!({ "cause": cause, "exit_code": code, "opened_at": at, "maybe_unheard": false });
    vec![
        beat(
            "calm",
            "up",
            &json!({ "last_ping_at": "2026-11-22T02:56:40Z", "next_due_at": "2026-11-23T02:57:00Z",
                     "last_duration_ms": 1_033 }),
        ),
        beat(
            "zip",
            "down",
            &json!({ "last_ping_at": "2026-11-22T02:55:00Z", "next_due_at": "2026-11-23T02:55:00Z",
                     "last_duration_ms": 123_000, "consecutive_failures": 2,
                     "incident": incident("failed", Some(3), "2026-11-22T02:55:00Z") }),
        ),
        beat(
            "sync",
            "late",
            &json!({ "last_ping_at": "2026-11-19T23:00:00Z", "next_due_at": "2026-11-22T02:48:00Z",
                     "next_deadline_at": "2026-11-22T03:48:00Z",
                     "current_run_started_at": "2026-11-22T02:56:00Z" }),
        ),
        beat("fresh", "new", &json!({ "next_due_at": "2026-11-22T04:00:00Z" })),
        beat("rest", "paused", &json!({ "paused_until": "2026-11-22T05:00:00Z" })),
        beat(
            "backup",
            "down",
            &json!({ "last_ping_at": "2026-11-21T00:00:00Z", "next_due_at": "2026-11-23T00:00:00Z",
                     "consecutive_failures": 1,
                     "incident": incident("missed", None, "2026-11-22T01:00:00Z") }),
        ),
    ]
}
