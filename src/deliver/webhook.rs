//! One request to one receiver, and what came of it. Knows HTTP, TLS and how a request is signed; never
//! knows what a delivery says, how often it is tried, or what becomes of the verdict.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response, Url};
use tokio::time::{Instant, timeout, timeout_at};

use crate::config::channel::{Webhook, WebhookMethod};
use crate::deliver::fault;
use crate::deliver::redact;
use crate::deliver::reply;
use crate::deliver::resolve;
use crate::deliver::resolve::PublicOnly;
use crate::deliver::sign;
use crate::model::delivery::Verdict;
use crate::model::time::Timestamp;

/// Bytes of an answer that are looked at.
const REPLY_MAX: usize = 4_096;
/// How long the text of an answer is waited for when its head has already said how it went.
const REPLY_PATIENCE: Duration = Duration::from_secs(1);
/// How long a connection is kept for the next delivery. Short: a burst shares it, and the receiver, which
/// keeps it for at least two seconds, never closes it just as the next delivery is being written.
const IDLE: Duration = Duration::from_secs(1);
/// After so long it is closed for certain: the pool looks for those to close as seldom as once in that time.
pub(super) const KEPT: Duration = Duration::from_millis(2 * IDLE.as_millis() as u64 + 100);
/// What the connection itself decides; a config cannot.
const NOT_OURS: [HeaderName; 4] =
    [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::UPGRADE];

/// Sends requests. Cheap to clone; all share their pools of connections.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    client: Client,
    /// For channels with `block_private`. Its pool is its own: a connection that another channel may have would
    /// be used without a look at where it leads.
    public: Client,
    /// Whether the machine has CA certificates. Without any, `http` works and `https` says what is missing.
    has_roots: bool,
}

/// What is sent: the same on every attempt but for the instant.
#[derive(Debug, Clone)]
pub(super) struct Message {
    /// The `webhook-id`.
    pub(super) id: String,
    /// The body, unless the method has none.
    pub(super) body: Bytes,
    /// Whether its connection may be kept for the next delivery, which takes a file meanwhile.
    pub(super) keep: bool,
}

impl Sender {
    /// A sender with the certificates of this machine.
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        Self::with(&PublicOnly::new())
    }

    /// A sender that finds its way for channels with `block_private` by `resolver`.
    pub(super) fn with(resolver: &PublicOnly) -> Result<Self, reqwest::Error> {
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        // An error here says that there is a provider already, which is as good.
        drop(rustls::crypto::CryptoProvider::install_default((*ring).clone()));
        let public = || builder().dns_resolver(resolver.clone());
        if let (Ok(client), Ok(public)) = (builder().build(), public().build()) {
            return Ok(Self { client, public, has_roots: true });
        }
        // The platform's verifier refuses to be made on a machine without CA certificates.
        let tls = rootless(ring);
        let rootless = |builder: ClientBuilder| builder.tls_backend_preconfigured(tls.clone()).build();
        Ok(Self { client: rootless(builder())?, public: rootless(public())?, has_roots: false })
    }

    /// Whether the machine has CA certificates.
    pub(super) fn has_roots(&self) -> bool {
        self.has_roots
    }

    /// Tries once. `at` is the instant of the attempt; `now` tells the time when the answer is there.
    pub(super) async fn send(
        &self,
        webhook: &Webhook,
        message: Message,
        at: Timestamp,
        now: fn() -> Timestamp,
    ) -> Verdict {
        let until = Instant::now() + webhook.timeout.to_std();
        let Ok(url) = Url::parse(webhook.url.expose()) else {
            return failed("the channel's url is not a URL".to_owned());
        };
        let place = fault::place(&url);
        if webhook.block_private
            && let Err(blocked) = resolve::literal(&url)
        {
            return failed(format!("{blocked} ({place})"));
        }
        let body = if webhook.method == WebhookMethod::Get { Bytes::new() } else { message.body };
        let headers = match headers(webhook, &message.id, at, &body) {
            Ok(headers) => headers,
            Err(error) => return failed(error),
        };
        let headers = if message.keep { headers } else { last_on_its_connection(headers) };
        let client = if webhook.block_private { &self.public } else { &self.client };
        let mut request = client.request(method(webhook.method), url).headers(headers);
        if webhook.method != WebhookMethod::Get {
            request = request.body(body);
        }
        match timeout_at(until, request.send()).await {
            Err(_) => failed(format!("timed out after {} ({place})", webhook.timeout)),
            Ok(Err(error)) => failed(format!("{} ({place})", fault::words(&error, self.has_roots))),
            Ok(Ok(response)) => judge(response, webhook, &place, until, now).await,
        }
    }

    /// Calls an address for the sake of calling it: 2xx is well, anything else is told in a few words.
    pub(super) async fn call(&self, url: &str, patience: Duration) -> Result<(), String> {
        let url = Url::parse(url).map_err(|_| "it is not a URL".to_owned())?;
        let place = fault::place(&url);
        match timeout(patience, self.client.get(url).send()).await {
            Err(_) => Err(format!("timed out after {}s ({place})", patience.as_secs())),
            Ok(Err(error)) => Err(format!("{} ({place})", fault::words(&error, self.has_roots))),
            Ok(Ok(response)) if response.status().is_success() => Ok(()),
            Ok(Ok(response)) => Err(format!("HTTP {} from {place}", response.status().as_u16())),
        }
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("overdue/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .no_proxy()
        .pool_idle_timeout(IDLE)
}

fn rootless(ring: Arc<rustls::crypto::CryptoProvider>) -> rustls::ClientConfig {
    rustls::ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .expect("ring has what the default versions need")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

fn headers(webhook: &Webhook, id: &str, at: Timestamp, body: &Bytes) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    if webhook.method != WebhookMethod::Get {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in &webhook.headers {
        let wrong = || format!("the channel's header `{name}` is not one that HTTP allows");
        let header = HeaderName::try_from(name.as_str()).map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        if !NOT_OURS.contains(&header) {
            headers.insert(header, value);
        }
    }
    // Last: whoever verifies relies on these.
    let seconds = at.as_millis().div_euclid(1_000);
    let mut ours = |name: &'static str, value: &str| {
        headers.insert(name, HeaderValue::from_str(value).expect("ids, numbers and base64 are ASCII"));
    };
    ours("webhook-id", id);
    ours("webhook-timestamp", &seconds.to_string());
    if let Some(secret) = &webhook.secret {
        ours("webhook-signature", &sign::signature(secret.expose(), id, seconds, body));
    }
    Ok(headers)
}

fn last_on_its_connection(mut headers: HeaderMap) -> HeaderMap {
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers
}

fn method(method: WebhookMethod) -> Method {
    match method {
        WebhookMethod::Post => Method::POST,
        WebhookMethod::Put => Method::PUT,
        WebhookMethod::Get => Method::GET,
    }
}

async fn judge(
    response: Response,
    webhook: &Webhook,
    place: &str,
    until: Instant,
    now: fn() -> Timestamp,
) -> Verdict {
    let status = response.status();
    let headers = response.headers().clone();
    let said = if status.is_success() {
        String::new()
    } else {
        let (said, cut) = first_words(response, until.min(Instant::now() + REPLY_PATIENCE)).await;
        redact::excerpt(&said, &redact::secrets(webhook), cut)
    };
    reply::verdict(status, &headers, &said, place, now())
}

/// As much of the answer as comes in time, and whether there was more.
async fn first_words(mut response: Response, until: Instant) -> (Vec<u8>, bool) {
    let mut said = Vec::new();
    while said.len() < REPLY_MAX {
        match timeout_at(until, response.chunk()).await {
            Ok(Ok(Some(piece))) => said.extend_from_slice(&piece[..piece.len().min(REPLY_MAX - said.len())]),
            Ok(Ok(None)) => return (said, false),
            Ok(Err(_)) | Err(_) => return (said, true),
        }
    }
    (said, true)
}

fn failed(error: String) -> Verdict {
    Verdict::Failed { status: None, error, retry_after: None }
}
