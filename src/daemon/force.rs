//! A config in force: what each part of the daemon is handed of it, at the start and on every reload.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;
use uuid::Uuid;

use crate::config::Config;
use crate::config::change::Fixed;
use crate::config::problem::Problem;
use crate::config::secret::Secret;
use crate::daemon::recovery::OwnKeys;
use crate::daemon::timezones::TimeZones;
use crate::deliver::Targets;
use crate::http::HttpSettings;
use crate::machine::event::Reload;
use crate::model::heartbeat::namespace;

/// The parts of a config that are watched rather than sent.
pub(super) struct InForce {
    pub(super) http: watch::Sender<Arc<HttpSettings>>,
    pub(super) targets: watch::Sender<Arc<Targets>>,
    pub(super) alive_url: watch::Sender<Option<Secret>>,
    /// The ping key of the state folder, when the config has none.
    own_ping_key: String,
    /// What sessions and the addresses of badges are made from.
    server_key: [u8; 32],
    timezones: TimeZones,
    /// The config that the daemon started with.
    started_with: Fixed,
    /// Where it was read.
    path: Arc<str>,
}

impl InForce {
    pub(super) fn new(config: &Config, path: &Path, own: OwnKeys, timezones: TimeZones) -> Self {
        let OwnKeys { ping: own_ping_key, server: server_key } = own;
        let path: Arc<str> = path.display().to_string().into();
        let http = http_settings(config, &path, (&own_ping_key, server_key), &timezones);
        Self {
            http: watch::Sender::new(Arc::new(http)),
            targets: watch::Sender::new(Arc::new(config.channels.clone())),
            alive_url: watch::Sender::new(config.server.alive_url.clone()),
            own_ping_key,
            server_key,
            timezones,
            started_with: Fixed::of(config),
            path,
        }
    }

    /// The namespace of the state folder's own ping key, when that is the one in use.
    pub(super) fn own_namespace(&self, config: &Config) -> Option<Uuid> {
        config.server.ping_key.is_none().then(|| namespace(&self.own_ping_key))
    }

    /// What of a config waits for a restart, since the daemon started with something else.
    pub(super) fn needs_restart(&self, config: &Config) -> Vec<&'static str> {
        self.started_with.needs_restart(&Fixed::of(config))
    }

    /// The namespace of the ping key in use.
    pub(super) fn namespace(&self, config: &Config) -> Uuid {
        namespace(ping_key(config, &self.own_ping_key))
    }

    /// Hands the rest of a config to those who watch for it.
    pub(super) fn put(&self, config: &Config) {
        let own = (self.own_ping_key.as_str(), self.server_key);
        let http = http_settings(config, &self.path, own, &self.timezones);
        self.http.send_replace(Arc::new(http));
        self.targets.send_replace(Arc::new(config.channels.clone()));
        self.alive_url.send_if_modified(|before| {
            let now = config.server.alive_url.clone();
            let other = *before != now;
            *before = now;
            other
        });
    }
}

/// What the machine takes of a config. It is worked out apart from the loop: of many heartbeats it takes long.
///
/// # Errors
/// When two heartbeats have one UUID.
pub(super) fn reload_event(config: &Config, namespace: Uuid) -> Result<Reload, Vec<Problem>> {
    Ok(Reload {
        settings: config.settings(namespace),
        channels: config.model_channels(),
        heartbeats: config.declarations(namespace)?,
    })
}

fn ping_key<'a>(config: &'a Config, own: &'a str) -> &'a str {
    config.server.ping_key.as_ref().map_or(own, Secret::expose)
}

fn http_settings(
    config: &Config,
    path: &Arc<str>,
    (own_ping_key, server_key): (&str, [u8; 32]),
    timezones: &TimeZones,
) -> HttpSettings {
    let server = &config.server;
    HttpSettings {
        base_url: server.base_url.clone(),
        ping_key: ping_key(config, own_ping_key).to_owned(),
        server_key,
        status_pages: server.status_pages.iter().cloned().collect(),
        trusted_proxies: server.trusted_proxies.clone(),
        body_limit: (server.body_limit as usize).into(),
        ping_rate_per_address: server.ping_rate_per_address,
        ping_rate_per_heartbeat: server.ping_rate_per_heartbeat,
        request_rate_per_address: server.request_rate_per_address,
        metrics_heartbeats: server.metrics_heartbeats as usize,
        api_keys: server.api_keys.clone(),
        channels: config.channels.keys().cloned().collect(),
        zones: timezones.zones.clone(),
        timezones: timezones.data.clone(),
        shown: config.shown().into(),
        path: Arc::clone(path),
    }
}
