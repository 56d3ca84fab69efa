//! Payloads of every kind of alert, with names that hold what breaks a careless template: quotes,
//! newlines, markup, emoji. Never anything of a real heartbeat.

use serde_json::{Value, json};

/// One payload of each kind: a missed period opened, reminded of and resolved, a failed run with and
/// without what can be null, and a test.
pub fn samples() -> Vec<Value> {
    vec![
        payload("incident.opened", "missed", None),
        payload("incident.reminder", "missed", None),
        payload("incident.resolved", "missed", Some("ping")),
        payload("incident.opened", "overran", None),
        payload("incident.resolved", "overran", Some("removed")),
        full(),
        sparse(),
        payload("test", "missed", None),
    ]
}

/// A payload in which everything is null that can be: a job by cron failed at its first ping, which was short.
fn sparse() -> Value {
    let mut payload = payload("incident.opened", "failed", None);
    let data = &mut payload["data"];
    data["incident"]["maybe_unheard"] = json!(false);
    data["incident"]["blind"] = json!([]);
    data["run"] = json!({
        "id": "5f0c2c5e-6a0b-8e1d-9c4f-0b7a9e6d1c03",
        "rid": null,
        "started_at": null,
        "duration_ms": null,
        "exit_code": null,
        "outcome": "failure",
    });
    let heartbeat = &mut data["heartbeat"];
    for key in ["host", "interval_seconds", "last_ping_at", "next_due_at", "next_deadline_at", "last_body"] {
        heartbeat[key] = Value::Null;
    }
    heartbeat["description"] = json!("");
    heartbeat["tags"] = json!([]);
    payload
}

/// A payload in which nothing is null: what is missing here is missing everywhere.
pub(super) fn full() -> Value {
    let mut payload = payload("incident.resolved", "failed", Some("paused"));
    let data = &mut payload["data"];
    data["incident"]["exit_code"] = json!(3);
    data["run"] = json!({
        "id": "5f0c2c5e-6a0b-8e1d-9c4f-0b7a9e6d1c02",
        "rid": "67e55044-10b1-426f-9247-bb680e5fe0c8",
        "started_at": "2026-11-22T02:59:58.000Z",
        "duration_ms": 1234,
        "exit_code": 3,
        "outcome": "failure",
    });
    data["heartbeat"]["timezone"] = json!("Europe/Berlin");
    payload
}

fn payload(kind: &str, cause: &str, reason: Option<&str>) -> Value {
    let resolved = reason.map(|_| "2026-11-22T03:40:00.000Z");
    let (status, previous) = if resolved.is_some() { ("up", "down") } else { ("down", "late") };
    json!({
        "type": kind,
        "timestamp": resolved.unwrap_or("2026-11-22T03:10:00.000Z"),
        "data": {
            "incident": {
                "id": "5f0c2c5e-6a0b-8e1d-9c4f-0b7a9e6d1c01",
                "cause": cause,
                "opened_at": "2026-11-22T03:10:00.000Z",
                "resolved_at": resolved,
                "reason": reason,
                "maybe_unheard": true,
                "exit_code": null,
                "blind": [{
                    "from": "2026-11-22T02:00:00.000Z",
                    "to": "2026-11-22T02:05:00.000Z",
                    "why": "not running",
                    "overlaps": true,
                }],
                "url": "https://overdue.example.org/heartbeats/backup-postgresql",
            },
            "run": null,
            "heartbeat": {
                "slug": "backup-postgresql",
                "name": "Backup \"PostgreSQL\" \\ <db1> & {{ co }}\n💾 @everyone",
                "description": "It's the nightly one;\n\tsee `pg_dump`.",
                "tags": ["db", "näch\"tlich"],
                "host": "db1",
                "status": status,
                "previous_status": previous,
                "schedule": "every 24h",
                "timezone": null,
                "interval_seconds": 86_400,
                "grace_seconds": 3_600,
                "max_runtime_seconds": 7_200,
                "last_ping_at": "2026-11-21T02:10:00.000Z",
                "next_due_at": "2026-11-23T02:10:00.000Z",
                "next_deadline_at": "2026-11-23T03:10:00.000Z",
                "consecutive_failures": 1,
                "last_body": "pg_dump: error: \"disk full\"\r\n\u{1b}[31m🔥\u{1b}[0m </script>\n",
            },
            "summary":
                "Backup \"PostgreSQL\" \\ <db1> & {{ co }}\n💾 @everyone: no ping for 25h (due 02:10 UTC, grace 1h)",
        },
    })
}
