//! Floor 1: text to values. Knows what a config says and everything that can be wrong with it, told all at
//! once; never knows files (a [`Sources`] reads them), state or the machine.
#![deny(missing_docs, clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use crate::config::channel::ChannelConfig;
use crate::config::problem::{Place, Problem, Warning};
use crate::config::rate::Rate;
use crate::config::secret::Secret;
use crate::model::channel::{Channel, ChannelName};
use crate::model::heartbeat::{Declaration, Declarations, Defaults, Draft};
use crate::model::id::Slug;
use crate::model::schedule::Zones;
use crate::model::settings::Settings;
use crate::model::time::{Span, Timestamp};

pub mod change;
pub mod channel;
pub mod duration;
#[cfg(test)]
mod fuzz;
mod heartbeat;
mod pieces;
pub mod problem;
pub mod rate;
mod raw;
mod resolve;
mod schedule;
pub mod secret;
mod server;
pub mod shown;
mod spent;
mod syntax;
pub mod template;
#[cfg(test)]
mod tests;
mod uuids;

/// What a config is read from. The caller has the files and the environment; this floor has not.
pub trait Sources {
    /// The text of a file.
    ///
    /// # Errors
    /// When it cannot be read or is not UTF-8.
    fn read(&self, path: &Path) -> io::Result<String>;
    /// The text of a file that is no config, and so is short: a secret, a list.
    ///
    /// # Errors
    /// When it cannot be read, is not UTF-8, or is longer than such a file can be.
    fn read_short(&self, path: &Path) -> io::Result<String> {
        self.read(path)
    }
    /// The files that a pattern matches; none is no error.
    ///
    /// # Errors
    /// When the pattern is none, or a folder cannot be read; in words.
    fn glob(&self, pattern: &Path) -> Result<Vec<PathBuf>, String>;
    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;
    /// Where systemd puts credentials.
    fn credentials_directory(&self) -> Option<PathBuf>;
}

/// A whole config, with nothing left open.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[state]`
    pub state: StateConfig,
    /// `[defaults]`
    pub defaults: Defaults,
    /// `[channels.*]`, and `log`, which is always there.
    pub channels: BTreeMap<ChannelName, ChannelConfig>,
    /// `[heartbeats.*]`, by slug.
    pub heartbeats: Vec<Declared>,
    /// What is allowed, but rarely wanted.
    pub warnings: Vec<Warning>,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where it listens; at least one.
    pub listen: Vec<Listen>,
    /// How jobs and people reach it, without a slash at its end.
    pub base_url: String,
    /// The namespace of derived UUIDs and of slug pings; `None`: made at first start.
    pub ping_key: Option<Secret>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// Bytes of a ping's body that are kept.
    pub body_limit: u64,
    /// Most connections at once.
    pub max_connections: u32,
    /// How often one address may ping; `None`: as often as it likes.
    pub ping_rate_per_address: Option<Rate>,
    /// How often one heartbeat may be pinged.
    pub ping_rate_per_heartbeat: Option<Rate>,
    /// How often one address may ask for anything but pings.
    pub request_rate_per_address: Option<Rate>,
    /// Up to so many heartbeats the metrics have numbers for each.
    pub metrics_heartbeats: u32,
    /// Called every minute while all is well.
    pub alive_url: Option<Secret>,
    /// Tags that everybody may see a page of who has its address.
    pub status_pages: Vec<String>,
    /// Who may use the API.
    pub api_keys: Vec<ApiKey>,
}

/// Where the daemon listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listen {
    /// An address and port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// One of `[[server.api_keys]]`. Only the hash is kept, so that what is compared is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Whose key it is.
    pub name: String,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// What it opens.
    pub role: Role,
}

/// What an API key opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// GET.
    Read,
    /// Everything.
    Write,
}

/// `[state]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateConfig {
    /// The state folder.
    pub dir: PathBuf,
    /// Time between snapshots.
    pub snapshot_interval: Span,
    /// When a ping is answered.
    pub durability: Durability,
    /// Ended runs kept per heartbeat.
    pub keep_runs: u32,
    /// Bodies kept per heartbeat.
    pub keep_bodies: u32,
    /// Bytes of all kept bodies.
    pub bodies_max: u64,
    /// How long the state of a removed heartbeat is kept.
    pub keep_removed: Span,
}

/// When a ping is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When it is on the disk.
    Fsync,
    /// When the kernel has it.
    Relaxed,
}

/// A heartbeat of the config.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// Its slug.
    pub slug: Slug,
    /// What is said of it.
    pub draft: Draft,
    /// Where its table is.
    pub place: Place,
}

impl Config {
    /// Reads the file at `path` with all that it includes.
    ///
    /// # Errors
    /// Everything that is wrong, file by file and line by line.
    pub fn read(path: &Path, sources: &dyn Sources, zones: &Zones) -> Result<Self, Vec<Problem>> {
        resolve::config(path, sources, zones)
    }

    /// Every key that a config may have, table by table; one that several tables know comes several times.
    pub fn keys() -> Vec<&'static str> {
        [
            &resolve::ROOT[..],
            &server::SERVER,
            &server::API_KEY,
            &server::STATE,
            &channel::WEBHOOK,
            &heartbeat::HEARTBEAT,
        ]
        .concat()
    }

    /// The heartbeats whose UUIDs meet when `namespace` is that of the ping key in use.
    pub fn uuid_conflicts(&self, namespace: Uuid) -> Vec<Problem> {
        uuids::conflicts(&self.heartbeats, Some(namespace))
    }

    /// Warns of the heartbeats of which nothing is expected after `now`: what is written cannot tell, so
    /// [`Config::read`] does not. They come after the warnings that there are.
    pub fn warn_of_spent(&mut self, zones: &Zones, now: Timestamp) {
        let spent = spent::warnings(self, zones, now);
        self.warnings.extend(spent);
    }

    /// The heartbeats as the machine takes them, by slug. `namespace` is that of the ping key in use:
    /// [`crate::model::heartbeat::namespace`].
    ///
    /// # Errors
    /// When two heartbeats have one UUID. With a `ping_key` in the config this was found by
    /// [`Config::read`] already; with one that the daemon made, it shows only here.
    pub fn declarations(&self, namespace: Uuid) -> Result<Declarations, Vec<Problem>> {
        let conflicts = self.uuid_conflicts(namespace);
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
        let mut before: Option<Arc<Declaration>> = None;
        let settle = |one: &Declared| {
            let mut settled = one.draft.settle(one.slug.clone(), &self.defaults, namespace);
            if let Some(before) = &before {
                settled.share_with(before);
            }
            Arc::clone(before.insert(Arc::new(settled)))
        };
        Ok(self.heartbeats.iter().map(settle).collect())
    }

    /// What the machine must know beside heartbeats and channels.
    pub fn settings(&self, namespace: Uuid) -> Settings {
        Settings {
            base_url: self.server.base_url.clone(),
            namespace,
            keep_runs: self.state.keep_runs,
            keep_bodies: self.state.keep_bodies,
            bodies_max: self.state.bodies_max,
            keep_removed: self.state.keep_removed,
            defaults: self.defaults.clone(),
        }
    }

    /// The channels as the machine takes them, by name; `log` among them.
    pub fn model_channels(&self) -> Arc<[Channel]> {
        self.channels.iter().map(|(name, channel)| channel.model(name)).collect()
    }
}
