//! Floor 4, "in": the HTTP door. Pings come in, the API answers, and health is told. It hands everything
//! to the engine and asks it; it must never know the store, the machine's state, deliveries or the watcher.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod api;
mod auth;
mod badge;
mod body;
mod crowd;
mod entrance;
mod fairness;
mod form;
#[cfg(test)]
mod fuzz;
mod gate;
mod head;
mod headtime;
mod health;
mod knocks;
mod limit;
mod listen;
mod markup;
mod metrics;
mod origin;
mod page;
mod path;
mod patience;
mod ping;
mod rejection;
pub mod seam;
mod seats;
pub mod serve;
mod session;
mod status;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use ipnet::IpNet;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::timeout;
use utoipa::ToSchema;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use crate::config::ApiKey;
use crate::config::rate::Rate;
use crate::http::badge::{Lately, Shown};
pub use crate::http::body::BodyLimit;
use crate::http::entrance::Entrance;
use crate::http::fairness::Fairness;
use crate::http::knocks::Knocks;
use crate::http::listen::Peer;
use crate::http::seam::Engine;
use crate::http::serve::Listener;
use crate::http::streams::Streams;
use crate::model::channel::ChannelName;
use crate::model::schedule::Zones;
use crate::model::time::Timestamp;

/// What the doors need of the config. A reload puts another in its place.
#[derive(Clone)]
pub struct HttpSettings {
    /// How jobs and people reach the daemon, without a slash at its end.
    pub base_url: String,
    /// The namespace of slug pings. A secret.
    pub ping_key: String,
    /// What sessions and the addresses of badges are made from. A secret.
    pub server_key: [u8; 32],
    /// The tags that everybody may see a page of who has its address.
    pub status_pages: BTreeSet<String>,
    /// From these addresses `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How much of a ping's body is kept.
    pub body_limit: BodyLimit,
    /// How often one address may ping.
    pub ping_rate_per_address: Option<Rate>,
    /// How often one heartbeat may be pinged.
    pub ping_rate_per_heartbeat: Option<Rate>,
    /// How often one address may ask for anything else.
    pub request_rate_per_address: Option<Rate>,
    /// Up to so many heartbeats the metrics have numbers for each.
    pub metrics_heartbeats: usize,
    /// Without any, only this machine may use the API.
    pub api_keys: Vec<ApiKey>,
    /// The channels that a heartbeat may name.
    pub channels: BTreeSet<ChannelName>,
    /// The time zones that a heartbeat may name.
    pub zones: Zones,
    /// What these zones are.
    pub timezones: TimeZoneData,
    /// The config as TOML, without its secrets.
    pub shown: Arc<str>,
    /// Where the config was read.
    pub path: Arc<str>,
}

/// Which time zone data is in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TimeZoneData {
    /// The release, such as `2025b`.
    pub release: String,
    /// Where it is from.
    pub from: TimeZoneOrigin,
}

/// Where time zone data is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeZoneOrigin {
    /// From the program itself.
    Bundled,
    /// From the machine, which has a newer release.
    System,
}

/// Without the secrets.
impl std::fmt::Debug for HttpSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpSettings")
            .field("base_url", &self.base_url)
            .field("body_limit", &self.body_limit)
            .finish_non_exhaustive()
    }
}

/// How the config stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigHealth {
    /// Whether the file as it is now is what is in force.
    pub ok: bool,
    /// When what is in force was read.
    pub loaded_at: Timestamp,
    /// Why the file as it is now is not in force.
    pub problems: Vec<String>,
    /// What is in force but probably not meant; of very many the first, and how many more there are.
    pub warnings: Vec<String>,
    /// How many warnings there are in all.
    pub warnings_total: usize,
    /// What of it waits for a restart.
    pub needs_restart: Vec<&'static str>,
}

/// All that requests are answered from.
pub struct Door<E> {
    engine: E,
    settings: watch::Receiver<Arc<HttpSettings>>,
    config: watch::Receiver<ConfigHealth>,
    /// Since when requests are answered.
    opened: std::time::Instant,
    /// Connections that are open.
    connections: AtomicUsize,
    /// Pings that outlive their connection each hold a receiver, so the end of them can be awaited.
    pending: watch::Sender<()>,
    /// Answers without an end.
    streams: Streams,
    /// Badges and status pages of the last moment.
    badges: Lately<Shown>,
    pages: Lately<bytes::Bytes>,
    /// Sign-ins that failed.
    knocks: Knocks,
    /// What pings and other requests had, and what was refused.
    fairness: Fairness,
}

impl<E: Engine> Door<E> {
    /// From the engine and what can change while the daemon runs.
    pub fn new(
        engine: E,
        settings: watch::Receiver<Arc<HttpSettings>>,
        config: watch::Receiver<ConfigHealth>,
    ) -> Arc<Self> {
        let opened = std::time::Instant::now();
        let (connections, pending) = (AtomicUsize::new(0), watch::Sender::new(()));
        let (badges, pages, streams) = (Lately::default(), Lately::default(), Streams::new());
        let (knocks, fairness) = (Knocks::default(), Fairness::default());
        Arc::new(Self {
            engine,
            settings,
            config,
            opened,
            connections,
            pending,
            streams,
            badges,
            pages,
            knocks,
            fairness,
        })
    }

    #[inline(never)]
    fn settings(&self) -> Arc<HttpSettings> {
        Arc::clone(&self.settings.borrow())
    }
}

/// Answers requests until `stop`, then ends the streams, lets requests under way end, and then the pings whose clients have
/// gone: their bodies are cut off, so they wait for nothing but the engine. Each 5 s at most.
pub async fn serve<E: Engine>(
    listeners: Vec<Listener>,
    door: Arc<Door<E>>,
    max_connections: usize,
    stop: impl Future<Output = ()>,
) {
    door.streams.leave_room(max_connections);
    let stop = async {
        stop.await;
        door.streams.end();
    };
    let crowd = &door.fairness.crowd;
    let others = others(&door);
    let routes = |peer| {
        let plain = {
            let door = Arc::clone(&door);
            move |method, path| ping::plain(&door, peer, method, path)
        };
        Entrance::new(peer, plain, warp::service(routes(&door, peer, others.clone())))
    };
    serve::run(listeners, routes, max_connections, &door.connections, crowd, stop).await;
    if timeout(serve::STOP_LIMIT, door.pending.closed()).await.is_err() {
        tracing::warn!("pings still waited for the engine when the daemon stopped; they were not answered");
    }
}

/// Pings come first: they are most of all requests. All others pass the gate.
fn routes<E: Engine>(
    door: &Arc<Door<E>>,
    peer: Peer,
    others: BoxedFilter<(Response,)>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + use<E> {
    ping::routes(Arc::clone(door), peer).or(others).unify().recover(rejection::recover).unify()
}

/// All but pings.
fn others<E: Engine>(door: &Arc<Door<E>>) -> BoxedFilter<(Response,)> {
    // Boxed: else each of them would be compiled into all those around it, which is more than the page weighs.
    let others = [
        api::routes(Arc::clone(door)).boxed(),
        health::routes(Arc::clone(door)).boxed(),
        metrics::routes(Arc::clone(door)).boxed(),
        badge::routes(Arc::clone(door)).boxed(),
        status::routes(Arc::clone(door)).boxed(),
        page::routes(Arc::clone(door)).boxed(),
    ];
    let others = others.into_iter().reduce(|one, other| one.or(other).unify().boxed());
    let others = others.expect("there are routes beside pings");
    gate::routes(Arc::clone(door)).boxed().or(others).unify().boxed()
}

#[cfg(test)]
impl HttpSettings {
    fn for_tests() -> Self {
        Self {
            base_url: "http://127.0.0.1:8080".to_owned(),
            ping_key: "a-ping-key-of-many-letters".to_owned(),
            server_key: [7; 32],
            status_pages: BTreeSet::new(),
            trusted_proxies: Vec::new(),
            body_limit: 10_000.into(),
            ping_rate_per_address: None,
            ping_rate_per_heartbeat: None,
            request_rate_per_address: None,
            metrics_heartbeats: 1_000,
            api_keys: Vec::new(),
            channels: [ChannelName::new("ops"), ChannelName::new(ChannelName::LOG)].into(),
            zones: Zones::bundled(),
            timezones: TimeZoneData { release: "2025b".to_owned(), from: TimeZoneOrigin::Bundled },
            shown: "[server]\n".into(),
            path: "/etc/overdue/config.toml".into(),
        }
    }
}
