//! Puts a changed config into force, or says why it is not.

use std::sync::Arc;

use tokio::sync::{mpsc, watch as channel};
use tokio::task::spawn_blocking;

use crate::config::Config;
use crate::config::change::Change;
use crate::config::problem::Problem;
use crate::daemon::force::{InForce, reload_event};
use crate::daemon::{problems as count, systemd, warn};
use crate::engine::handle::Handle;
use crate::http::ConfigHealth;
use crate::watch::Loaded;

/// Follows the config file for as long as the daemon lives.
pub(super) async fn follow(
    mut reloads: mpsc::Receiver<Loaded>,
    engine: Handle,
    in_force: InForce,
    health: channel::Sender<ConfigHealth>,
) {
    while let Some(loaded) = reloads.recv().await {
        match loaded {
            Loaded::Asked => systemd::reloading(),
            Loaded::Accepted { config, change } => {
                accept((*config).into(), &change, &engine, &in_force, &health).await;
                let total = engine.ask(|view| view.living()).await.unwrap_or_default();
                systemd::ready(total);
            }
            Loaded::Rejected { problems } => {
                tracing::error!(
                    "the config has {}: nothing changes, the one before goes on",
                    count(problems.len())
                );
                refuse(&problems, &health);
            }
            Loaded::HeldBack { problem } => {
                tracing::error!("the new config is held back, the one before goes on");
                refuse(&[problem], &health);
            }
            Loaded::Restored => {
                tracing::info!("the config file says again what is in force");
                health.send_modify(|health| {
                    health.ok = true;
                    health.problems.clear();
                });
                let total = engine.ask(|view| view.living()).await.unwrap_or_default();
                systemd::ready(total);
            }
        }
    }
}

async fn accept(
    config: Arc<Config>,
    change: &Change,
    engine: &Handle,
    in_force: &InForce,
    health: &channel::Sender<ConfigHealth>,
) {
    let warnings = warn(&config.warnings);
    if !change.needs_restart.is_empty() {
        tracing::warn!("{} changed: that takes a restart; the rest applies", change.needs_restart.join(", "));
    }
    if change.ping_key {
        tracing::warn!("server.ping_key changed: every ping URL that is derived from it is another now");
    }
    let namespace = in_force.namespace(&config);
    let read = config.clone();
    let event = match spawn_blocking(move || reload_event(&read, namespace)).await {
        Ok(event) => event,
        Err(error) => {
            tracing::error!(%error, "the new config could not be worked out: the one before goes on. Send SIGHUP to try again");
            return;
        }
    };
    let reload = match event {
        Ok(reload) => reload,
        Err(problems) => {
            tracing::error!(
                "the config has {}: nothing changes, the one before goes on",
                count(problems.len())
            );
            return refuse(&problems, health);
        }
    };
    in_force.put(&config);
    let heartbeats = reload.heartbeats.clone();
    if let Err(error) = engine.reload(reload, config.state.snapshot_interval).await {
        tracing::error!(%error, "the new config could not be put into force");
        return;
    }
    health.send_replace(ConfigHealth {
        ok: true,
        loaded_at: engine.now(),
        problems: Vec::new(),
        warnings,
        warnings_total: config.warnings.len(),
        needs_restart: in_force.needs_restart(&config),
    });
    // Every heartbeat is given back twice, which would hold the loop as well.
    drop(spawn_blocking(move || drop((config, heartbeats))));
}

/// The log has the problems in full; `/readyz` shows them too.
fn refuse(problems: &[Problem], health: &channel::Sender<ConfigHealth>) {
    for problem in problems {
        tracing::error!("{problem}");
    }
    health.send_modify(|health| {
        health.ok = false;
        health.problems = problems.iter().map(ToString::to_string).collect();
    });
    systemd::reload_refused();
}
