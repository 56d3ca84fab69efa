//! One execution of a job, from its start (or from a lone finish) to its outcome.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::model::id::RunId;
use crate::model::time::{Span, Timestamp};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It finished well.
    Success,
    /// It finished badly.
    Failure,
    /// It started and did not finish within `max_runtime`.
    Overran,
    /// It was superseded by another start, or its heartbeat was paused or removed.
    Abandoned,
}

/// A run that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRun {
    /// Its id.
    pub id: RunId,
    /// What its pings call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<Uuid>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it will have overrun, before blind windows are counted.
    pub deadline: Timestamp,
}

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// What its pings call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<Uuid>,
    /// When it began; `None` for a lone finish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When its outcome was known.
    pub ended_at: Timestamp,
    /// From start to finish; `None` without both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Span>,
    /// What its finish brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether a finish came: an overran run without one is still waited for.
    pub finished: bool,
    /// The number of the ping that was its finish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping: Option<u64>,
}
