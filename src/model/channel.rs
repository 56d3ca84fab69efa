//! Where alerts go, as far as decisions need to know: addresses and secrets stay with those who send.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::time::Span;

/// The name of a channel: the key of its `[channels.NAME]` table, of the same shape as a slug.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, example = "ops")]
pub struct ChannelName(Arc<str>);

impl ChannelName {
    /// The channel that every daemon has without declaring it: overdue's own log.
    pub const LOG: &'static str = "log";

    /// Takes a text that has already been checked.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A channel as the machine sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// The body's template as it stands in the config; `None` sends the payload as it is. A delivery keeps
    /// the template it was queued with, so that its body stays the same on every attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Arc<str>>,
    /// How long after being queued a delivery is tried.
    pub retry_for: Span,
}

impl Channel {
    /// The log channel: it cannot fail, so it is never tried again.
    pub fn log() -> Self {
        Self { name: ChannelName::new(ChannelName::LOG), template: None, retry_for: Span::ZERO }
    }
}
