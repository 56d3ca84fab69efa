//! `[channels.*]`. Knows the kinds of channels and what each needs; never knows how an alert is sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::header::{HeaderName, HeaderValue};

use crate::config::raw::{Item, Reader, Section};
use crate::config::secret::Secret;
use crate::config::server::web_address;
use crate::config::template;
use crate::model::channel::{Channel, ChannelName};
use crate::model::time::Span;

pub(super) const WEBHOOK: [&str; 9] =
    ["type", "url", "secret", "method", "headers", "body", "timeout", "retry_for", "block_private"];
pub(super) const LOG: [&str; 1] = ["type"];

/// Headers that overdue or the connection itself sets.
const RESERVED: [&str; 7] = [
    "connection",
    "content-length",
    "host",
    "transfer-encoding",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// Where alerts go, with all that is needed to send them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelConfig {
    /// One HTTP request per alert.
    Webhook(Box<Webhook>),
    /// overdue's own log.
    Log,
}

/// `type = "webhook"`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where to; http or https.
    pub url: Secret,
    /// Signs.
    pub secret: Option<Secret>,
    /// The request's method.
    pub method: WebhookMethod,
    /// More headers, as they were written; names are valid, and so are values.
    pub headers: Vec<(String, Secret)>,
    /// A template over the payload; `None`: the payload itself.
    pub body: Option<Arc<str>>,
    /// For one attempt.
    pub timeout: Span,
    /// For all attempts together.
    pub retry_for: Span,
    /// Whether it may reach public addresses alone.
    pub block_private: bool,
}

/// The method of a webhook's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookMethod {
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `GET`
    Get,
}

impl ChannelConfig {
    /// As the machine sees it.
    pub fn model(&self, name: &ChannelName) -> Channel {
        match self {
            Self::Webhook(webhook) => {
                Channel { name: name.clone(), template: webhook.body.clone(), retry_for: webhook.retry_for }
            }
            Self::Log => Channel { name: name.clone(), ..Channel::log() },
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Webhook,
    Log,
}

/// Reads one `[channels.NAME]`. `None` when something is wrong with it.
pub(super) fn channel(reader: &mut Reader<'_>, section: &Section<'_>, name: &str) -> Option<ChannelConfig> {
    let kinds = [("webhook", Kind::Webhook), ("log", Kind::Log)];
    let Some(kind) = section.get("type") else {
        let meant = if section.get("url").is_some() { "webhook" } else { "log" };
        section.problem(
            reader,
            format!("{} has no type; it is \"webhook\" or \"log\"", section.title),
            Some(format!("type = {meant:?}")),
        );
        return None;
    };
    match kind.one_of(reader, &kinds)? {
        Kind::Webhook if name == ChannelName::LOG => {
            kind.found(
                reader,
                "the channel \"log\" is overdue's own log; give the webhook another name",
                Some("type = \"log\"".to_owned()),
            );
            None
        }
        Kind::Webhook => webhook(reader, section),
        Kind::Log => {
            section.known(reader, &LOG, &[]);
            Some(ChannelConfig::Log)
        }
    }
}

fn webhook(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<ChannelConfig> {
    section.known(reader, &WEBHOOK, &[("template", "body"), ("retries", "retry_for"), ("token", "secret")]);
    let address = section.get("url");
    if address.is_none() {
        let meant = Some("url = \"https://…\"".to_owned());
        section.problem(reader, format!("{} has no url", section.title), meant);
    }
    let url = address.and_then(|item| web_address(reader, &item));
    let methods = [("POST", WebhookMethod::Post), ("PUT", WebhookMethod::Put), ("GET", WebhookMethod::Get)];
    let method = section.get("method").and_then(|item| item.one_of(reader, &methods));
    let secret = section.get("secret").and_then(|item| signing_secret(reader, &item));
    let headers = section.get("headers").and_then(|item| headers(reader, &item)).unwrap_or_default();
    let body = section.get("body").and_then(|item| body(reader, &item, &headers));
    let (second, minute) = (Span::from_secs(1), Span::from_secs(60));
    let timeout = section.get("timeout").and_then(|item| item.span(reader, second..=minute.times(5)));
    let days = |days| Span::from_secs(86_400).times(days);
    let retry_for = section.get("retry_for").and_then(|item| item.span(reader, Span::ZERO..=days(366)));
    let block_private = section.get("block_private").and_then(|item| item.bool(reader));
    Some(ChannelConfig::Webhook(Box::new(Webhook {
        url: url?,
        secret,
        method: method.unwrap_or(WebhookMethod::Post),
        headers,
        body,
        timeout: timeout.unwrap_or(Span::from_secs(10)),
        retry_for: retry_for.unwrap_or(days(1)),
        block_private: block_private.unwrap_or(false),
    })))
}

/// Any string, but what begins as a Standard Webhooks secret must be one: else the receiver would compute
/// another signature.
fn signing_secret(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Secret> {
    let secret = item.secret(reader)?;
    if let Some(base64) = secret.expose().strip_prefix("whsec_")
        && STANDARD
            .decode(base64)
            .or_else(|_| STANDARD_NO_PAD.decode(base64))
            .map_or(true, |key| key.is_empty())
    {
        item.problem(reader, format!("{} begins with whsec_, but the rest is not base64", item.name));
        return None;
    }
    Some(secret)
}

fn headers(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Vec<(String, Secret)>> {
    let section = item.table(reader, "headers")?;
    let mut headers = Vec::new();
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for item in section.items() {
        let Some(secret) = item.secret(reader) else { continue };
        let key = item.key_place();
        let Ok(name) = HeaderName::from_bytes(item.name.as_bytes()) else {
            reader.problems.add(key.problem(format!("{:?} is no name of a header", item.name), None));
            continue;
        };
        if RESERVED.contains(&name.as_str()) {
            reader
                .problems
                .add(key.problem(format!("the header {} is set by overdue itself", item.name), None));
        } else if let Some(other) = seen.insert(name.as_str().to_owned(), item.name) {
            let what =
                format!("{} and {other} are one header: upper and lower case count as the same", item.name);
            reader.problems.add(key.problem(what, None));
        } else if HeaderValue::from_str(secret.expose()).is_err() {
            item.problem(
                reader,
                format!("the value of the header {} holds characters that a header cannot carry", item.name),
            );
        } else {
            headers.push((item.name.to_owned(), secret));
        }
    }
    Some(headers)
}

/// The template, tried on samples. Its body must be JSON unless a header says that it is something else.
fn body(reader: &mut Reader<'_>, item: &Item<'_>, headers: &[(String, Secret)]) -> Option<Arc<str>> {
    let text = item.str(reader)?;
    let content_type = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let json = content_type.is_none_or(|(_, value)| value.expose().to_lowercase().contains("json"));
    match template::check(text, json) {
        Ok(()) => Some(text.into()),
        Err(error) => {
            item.problem(reader, format!("body: {error}"));
            None
        }
    }
}
