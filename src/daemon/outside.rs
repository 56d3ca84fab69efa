//! Where the engine's effects go: deliveries to the courier, tales to the log.

use std::sync::Arc;

use crate::deliver::Courier;
use crate::engine::Outside;
use crate::machine::effect::Tale;
use crate::model::delivery::Delivery;

/// The courier, and the log.
pub(super) struct Outlet(pub(super) Courier);

impl Outside for Outlet {
    fn deliver(&self, delivery: Arc<Delivery>) {
        self.0.deliver(delivery);
    }

    fn tell(&self, tale: &Tale) {
        match tale {
            Tale::GaveUp { delivery, error } => tracing::error!(
                delivery = %delivery.id,
                channel = %delivery.channel,
                heartbeat = delivery.slug.as_ref().map(tracing::field::display),
                alert = delivery.alert.event_type(),
                error,
                "an alert was given up: nobody has been told by this channel"
            ),
            Tale::ChannelGone { slug, channel } => tracing::warn!(
                heartbeat = slug,
                channel,
                "the heartbeat names a channel that is not in the config: its alerts go to the log"
            ),
            Tale::UrlTaken { slug, other } => tracing::warn!(
                heartbeat = slug,
                "the UUID that it should have belongs to {other}, which the API made with it; it has another one. See \
                 overdue status {slug}, or give it a uuid of its own in the config"
            ),
            Tale::Incident { summary } => tracing::info!("{summary}"),
            Tale::Reloaded { added, changed, removed } => {
                tracing::info!("config in force: {added} added, {changed} changed, {removed} removed");
            }
        }
    }
}
