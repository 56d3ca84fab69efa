//! What the tests of several parts of the page begin with.

use std::collections::BTreeSet;

use crate::machine::view::HeartbeatView;
use crate::model::heartbeat::{Source, Status};
use crate::model::id::Slug;
use crate::model::time::Timestamp;

/// A heartbeat that stands so, of which nothing else is known.
pub(super) fn heartbeat(slug: &str, status: Status) -> HeartbeatView {
    let never = Timestamp::from_millis(0);
    HeartbeatView {
        slug: Slug::new(slug).unwrap(),
        uuid: None,
        name: slug.to_owned(),
        description: String::new(),
        tags: Vec::new(),
        host: None,
        source: Source::Config,
        status,
        running: false,
        schedule: "every 24h".to_owned(),
        timezone: None,
        interval_seconds: Some(86_400),
        cron: None,
        on_calendar: None,
        exclude: Vec::new(),
        early: None,
        early_seconds: None,
        grace: "1h".to_owned(),
        grace_seconds: 3_600,
        max_runtime: "1h".to_owned(),
        max_runtime_seconds: 3_600,
        channels: Vec::new(),
        paused: false,
        await_first_ping: false,
        resume_on_ping: false,
        methods: BTreeSet::new(),
        remind_every: None,
        remind_every_seconds: None,
        ping_url: None,
        last_ping_at: None,
        last_success_at: None,
        last_finish_at: None,
        due_counts_from: never,
        next_due_at: None,
        next_deadline_at: None,
        current_run_started_at: None,
        last_exit_code: None,
        last_duration_ms: None,
        consecutive_failures: 0,
        pings_total: 0,
        incident: None,
        paused_until: None,
        created_at: never,
        updated_at: never,
    }
}
