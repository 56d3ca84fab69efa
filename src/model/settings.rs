//! What the machine must know of the config beside heartbeats and channels.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::heartbeat::Defaults;
use crate::model::time::Span;

/// Values that decisions and the payloads depend on. They are facts in the journal, so that a replay
/// keeps what was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How jobs and people reach the daemon, without a slash at its end.
    pub base_url: String,
    /// `UUIDv5(NAMESPACE_OID, ping_key)`: the namespace of the heartbeats' derived UUIDs. A secret.
    pub namespace: Uuid,
    /// Ended runs (and pings) kept per heartbeat.
    pub keep_runs: u32,
    /// Bodies kept per heartbeat, the newest.
    pub keep_bodies: u32,
    /// Bytes of all kept bodies together.
    pub bodies_max: u64,
    /// How long the state of a heartbeat that left the config is kept.
    pub keep_removed: Span,
    /// What a heartbeat made by the API takes when it says nothing.
    pub defaults: Defaults,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: "http://127.0.0.1:8080".to_owned(),
            namespace: Uuid::nil(),
            keep_runs: 100,
            keep_bodies: 10,
            bodies_max: 256 * 1024 * 1024,
            keep_removed: Span::from_secs(30 * 86_400),
            defaults: Defaults::default(),
        }
    }
}
