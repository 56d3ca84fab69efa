//! The body of a delivery: the JSON that was fixed when it was queued, or what the channel's template makes
//! of it. The same delivery gives the same body on every attempt. Never knows where it is sent.

use bytes::Bytes;

use crate::config::template;
use crate::model::delivery::Delivery;

/// The body. A template that fails on this alert must not cost the alert: then the JSON goes as it is.
pub(super) fn body(delivery: &Delivery) -> Bytes {
    let plain = || Bytes::copy_from_slice(delivery.payload.as_bytes());
    let Some(template) = &delivery.template else { return plain() };
    let rendered = serde_json::from_str(&delivery.payload)
        .map_err(|error| error.to_string())
        .and_then(|payload| template::render(template, &payload).map_err(|error| error.to_string()));
    match rendered {
        Ok(body) => body.into(),
        Err(error) => {
            tracing::warn!(
                channel = %delivery.channel,
                delivery = %delivery.id,
                %error,
                "the channel's body template failed on an alert; the alert is sent as plain JSON instead"
            );
            plain()
        }
    }
}
