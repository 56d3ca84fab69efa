//! Floor 5: assembly. Puts the floors together, in the order of a start (lock and recover, read the
//! config, put it into force, listen) and of an end (stop listening, let alerts under way end, write the
//! last records and a snapshot). Decides nothing about heartbeats.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch as channel;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::config::channel::ChannelConfig;
use crate::config::problem::{Problem, Warning};
use crate::daemon::files::Files;
use crate::daemon::force::InForce;
use crate::daemon::outside::Outlet;
use crate::daemon::recovery::Kept;
use crate::deliver::{Courier, Report};
use crate::engine::clock::{Clock as _, SystemClock};
use crate::engine::handle::{Handle, Refused};
use crate::engine::{self, Hands, Pace, Parts};
use crate::http::serve::{ListenError, Listener};
use crate::http::{self, ConfigHealth, Door};
use crate::machine::Machine;
use crate::model::id::Life;
use crate::model::schedule::Zones;
use crate::store::folder::{OpenError, StateFolder};
use crate::store::recover::RecoverError;
use crate::watch::{self, Disk, First, Watch};

pub use crate::daemon::recovery::{Peeked, peek};

mod files;
mod force;
mod outside;
mod recovery;
mod reloads;
mod starts;
mod systemd;
mod timezones;

/// How long POSTs under way may take once the daemon ends.
const COURIER_PATIENCE: Duration = Duration::from_secs(5);
/// Reports of the courier that may wait for the engine.
const REPORTS: usize = 64;
/// Warnings of a config that are told one by one.
const WARNINGS_TOLD: usize = 50;

/// Why the daemon could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The config has problems: 78.
    #[error("the config has {}", problems(.0.len()))]
    Config(Vec<Problem>),
    /// It cannot listen: 71.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The state folder cannot be used: 73.
    #[error("{0}")]
    StateFolder(String),
    /// The state is damaged: 74.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// Anything else: 70.
    #[error("{0:#}")]
    Internal(#[from] anyhow::Error),
}

/// `1 problem`, `2 problems`.
fn problems(count: usize) -> String {
    format!("{count} problem{}", if count == 1 { "" } else { "s" })
}

/// Tells warnings, and gives back what was told: a default that is missing can be missing to fifty thousand heartbeats.
fn warn(warnings: &[Warning]) -> Vec<String> {
    let mut told: Vec<String> = warnings.iter().take(WARNINGS_TOLD).map(ToString::to_string).collect();
    if warnings.len() > WARNINGS_TOLD {
        let more = warnings.len() - WARNINGS_TOLD;
        told.push(format!("and {more} more warnings of the config: `overdue check` prints them all"));
    }
    for warning in &told {
        tracing::warn!("{warning}");
    }
    told
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::StateFolder(error.to_string())
    }
}

/// The time zones: those within the program, or the system's when their release is newer.
pub fn zones() -> Zones {
    timezones::find().zones
}

/// What a person at a terminal is shown once the daemon runs.
pub struct Welcome {
    /// Where it listens.
    pub listening: Vec<String>,
    /// Slug and ping URL of the first heartbeats.
    pub heartbeats: Vec<(String, String)>,
    /// How many there are in all.
    pub total: usize,
}

/// Runs the daemon until a signal ends it.
///
/// # Errors
/// [`Failure`].
pub fn run(path: &Path, welcome: impl FnOnce(&Welcome)) -> Result<(), Failure> {
    // One thread for requests and the loop: hand-over between threads costs more than a second core brings.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| anyhow::Error::new(error).context("cannot start the event loop"))?;
    let ended = runtime.block_on(live(path, welcome));
    // Whoever still waits for the engine on a thread of its own, as a page does, waits for nobody any more.
    runtime.shutdown_background();
    ended
}

async fn live(path: &Path, welcome: impl FnOnce(&Welcome)) -> Result<(), Failure> {
    let timezones = timezones::find();
    let zones = timezones.zones.clone();
    let reading = watch::read(path, &Disk, &zones, None);
    let mut config = reading.outcome.map_err(Failure::Config)?;
    config.warn_of_spent(&zones, SystemClock.now());
    let warnings = warn(&config.warnings);
    let folder = StateFolder::open(&config.state.dir)?;
    // Bound early, served late: who comes meanwhile waits instead of being refused. Before anything is
    // written: where the port is in use, nothing changes.
    let listeners = listeners(&config)?;
    timezones.tell();
    let webhooks = config.channels.values().filter(|channel| matches!(channel, ChannelConfig::Webhook(_)));
    let files = files::share_out(config.server.max_connections as usize, webhooks.count());
    let kept = recovery::recover_from(folder, config.state.durability)?;
    let held = starts::hold_back(&mut config, &kept.state, &reading.transcript);
    let in_force = InForce::new(&config, path, recovery::own_keys(&kept.folder)?, timezones);
    let reload = force::reload_event(&config, in_force.namespace(&config)).map_err(Failure::Config)?;
    let own_namespace = in_force.own_namespace(&config);
    let first = First { config: &config, transcript: reading.transcript, held: held.clone() };
    let (watch, reloads) = Watch::new(path, zones.clone(), own_namespace, first, SystemClock.now())
        .context("signals cannot be had")?;

    // From here on there is something to end in order.
    let terminated = terminated().context("signals cannot be had")?;
    let mut tasks = JoinSet::new();
    let (engine, courier) = start_core(kept, &config, &in_force, zones, files, &mut tasks)?;
    engine.reload(reload, config.state.snapshot_interval).await.context("the config did not take effect")?;
    let health = channel::Sender::new(ConfigHealth {
        ok: held.is_none(),
        loaded_at: engine.now(),
        problems: held.iter().map(ToString::to_string).collect(),
        warnings,
        warnings_total: config.warnings.len(),
        needs_restart: Vec::new(),
    });
    let door = Door::new(engine.clone(), in_force.http.subscribe(), health.subscribe());
    let listening = listeners.iter().map(|listener| listener.name().to_owned()).collect::<Vec<_>>();
    match engine.hearing().await {
        // On a full disk it hears all the same, and says so in `/readyz`.
        Ok(_) | Err(Refused::NotDurable) => {}
        Err(error) => return Err(anyhow::Error::new(error).context("the engine did not start").into()),
    }
    let (stop, stopped) = oneshot::channel::<()>();
    // Every heartbeat once more: what is in force is with the engine.
    drop(config);
    let serving = tokio::spawn(http::serve(listeners, door, files.connections, async {
        stopped.await.ok();
    }));
    call_alive_url(&courier, &in_force, &engine);
    let total = welcome_person(&engine, listening, welcome).await;
    systemd::ready(total);

    let (watchdog, following) = (engine.clone(), engine.clone());
    tasks.spawn(systemd::feed_watchdog(watchdog).map(|()| "the watchdog"));
    tasks.spawn(watch.run().map(|()| "the watch over the config"));
    tasks.spawn(reloads::follow(reloads.loaded, following, in_force, health).map(|()| "the reloads"));
    let ended_early = tokio::select! {
        () = terminated => None,
        Some(ended) = tasks.join_next() => Some(ended),
        () = courier.gone() => Some(Ok("the courier")),
    };

    systemd::stopping();
    stop.send(()).ok();
    serving.await.context("the accept loop died")?;
    courier.stop(COURIER_PATIENCE).await;
    engine.stop().await;
    tasks.abort_all();
    match ended_early {
        None => {
            tracing::info!("stopped");
            Ok(())
        }
        Some(Ok(what)) => Err(anyhow::anyhow!("{what} ended unasked").into()),
        Some(Err(error)) => Err(anyhow::Error::new(error).context("a part of the daemon died").into()),
    }
}

/// The courier and the engine, which speak to each other.
fn start_core(
    kept: Kept,
    config: &Config,
    in_force: &InForce,
    zones: Zones,
    files: Files,
    tasks: &mut JoinSet<&'static str>,
) -> Result<(Handle, Courier), Failure> {
    let (reports, mut reported) = mpsc::channel::<Report>(REPORTS);
    let courier = Courier::start(in_force.targets.subscribe(), reports, files.deliveries)
        .map_err(anyhow::Error::new)?;
    let parts = Parts {
        machine: Machine::restore(kept.state, zones),
        seq: kept.recovered.last,
        journal: kept.journal,
        snapshots: kept.snapshots,
        outside: Outlet(courier.clone()),
        clock: Arc::new(SystemClock),
        life: Life(uuid::Uuid::new_v4()),
        snapshot_interval: config.state.snapshot_interval,
        pace: Pace::default(),
        hands: Hands::Threads,
    };
    let (engine, work) = engine::start(parts).context("cannot start the threads that write the state")?;
    tasks.spawn(work.map(|()| "the engine"));
    let reporting = engine.clone();
    tasks.spawn(async move {
        while let Some(Report { number, attempt }) = reported.recv().await {
            reporting.attempted(number, attempt);
        }
        "the courier's reports"
    });
    Ok((engine, courier))
}

/// The sockets that systemd passed, or those that the config names.
fn listeners(config: &Config) -> Result<Vec<Listener>, Failure> {
    let passed = Listener::passed()?;
    if !passed.is_empty() {
        return Ok(passed);
    }
    config.server.listen.iter().map(|listen| Ok(Listener::bind(&listen.to_string())?)).collect()
}

fn call_alive_url(courier: &Courier, in_force: &InForce, engine: &Handle) {
    let engine = engine.clone();
    courier.call_alive_url(in_force.alive_url.subscribe(), move || {
        let engine = engine.clone();
        async move {
            let turns = tokio::time::timeout(Duration::from_secs(2), engine.ask(|_| ())).await;
            matches!(turns, Ok(Ok(()))) && engine.journal().borrow().error.is_none()
        }
    });
}

/// Shows the first heartbeats; says how many there are.
async fn welcome_person(engine: &Handle, listening: Vec<String>, welcome: impl FnOnce(&Welcome)) -> usize {
    /// More do not fit on a screen.
    const SHOWN: usize = 20;
    let asked = engine
        .ask(|view| {
            let page = view.heartbeats(&crate::machine::view::Filter::default(), None, SHOWN);
            (page.items, view.living())
        })
        .await;
    let (first, total) = asked.unwrap_or_default();
    let heartbeats =
        first.into_iter().filter_map(|beat| Some((beat.slug.to_string(), beat.ping_url?))).collect();
    tracing::info!("listening on {}; watching {total} heartbeats", listening.join(", "));
    welcome(&Welcome { listening, heartbeats, total });
    total
}

/// Ends at SIGTERM or SIGINT. They are heard from the call on, not from the first look at the future.
fn terminated() -> io::Result<impl Future<Output = ()>> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        }
    })
}
