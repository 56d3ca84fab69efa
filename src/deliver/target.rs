//! Where a channel's deliveries go, as the config says at this moment. Knows addresses and secrets and
//! shows neither; never knows deliveries.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::Method;

use crate::model::channel::ChannelName;
use crate::model::time::Span;

/// Every channel of the config that took effect.
pub type Targets = BTreeMap<ChannelName, Target>;

/// Where one channel's deliveries go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To an HTTP receiver.
    Webhook(Webhook),
    /// To overdue's own log.
    Log,
}

/// An HTTP receiver. Its `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The whole address; a secret.
    pub url: Arc<str>,
    /// What signs the deliveries: `whsec_` + base64, or any text.
    pub secret: Option<Arc<str>>,
    /// POST, PUT or GET; a GET has no body.
    pub method: Method,
    /// Sent with every delivery; the values are secrets.
    pub headers: Vec<(String, Arc<str>)>,
    /// Of one attempt, from the look-up of the name to the answer.
    pub timeout: Span,
}

impl Webhook {
    /// A `POST` without a signature and with 10 s of patience.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.into(),
            secret: None,
            method: Method::POST,
            headers: Vec::new(),
            timeout: Span::from_secs(10),
        }
    }

    /// Every piece of text that an error must not repeat, the longest first.
    pub(super) fn secrets(&self) -> Vec<String> {
        /// Shorter pieces of a path are words such as `hook`, and hiding them would hide the error.
        const PIECE_MIN: usize = 8;
        let mut secrets = vec![self.url.to_string()];
        secrets.extend(self.secret.as_ref().map(ToString::to_string));
        for (_, value) in &self.headers {
            secrets.push(value.to_string());
            // "Bearer abc": the receiver may repeat the last word alone.
            secrets.extend(value.split_whitespace().filter(|w| w.len() >= PIECE_MIN).map(str::to_owned));
        }
        if let Ok(url) = reqwest::Url::parse(&self.url) {
            let path = match url.query() {
                Some(query) => format!("{}?{query}", url.path()),
                None => url.path().to_owned(),
            };
            let pieces = path.split(['/', '?', '&', '=', ';', ':', ',']).filter(|p| p.len() >= PIECE_MIN);
            secrets.extend(pieces.map(str::to_owned));
            let decoded = url.query_pairs().map(|(_, value)| value.into_owned());
            secrets.extend(decoded.filter(|value| value.len() >= PIECE_MIN));
            secrets.extend(url.password().map(str::to_owned));
            if path.len() > 1 {
                secrets.push(path);
            }
        }
        secrets.retain(|secret| !secret.is_empty());
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        secrets
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Webhook")
            .field("url", &"***")
            .field("secret", &self.secret.as_ref().map(|_| "***"))
            .field("method", &self.method)
            .field("headers", &names)
            .field("timeout", &self.timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let webhook = Webhook {
            secret: Some("whsec_c2VjcmV0".into()),
            headers: vec![("X-Key".into(), "header-value".into())],
            ..Webhook::new("https://user:password@hooks.example.org/path/token?query=value")
        };
        let shown = format!("{:?} {:?}", webhook, Target::Webhook(webhook.clone()));
        assert!(shown.contains("X-Key") && shown.contains("POST"));
        for secret in ["whsec", "c2Vj", "header-value", "password", "token", "query", "example.org"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}
