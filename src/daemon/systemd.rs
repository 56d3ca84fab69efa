//! What systemd is told: ready, reloading, stopping, and that the loop still turns. Without systemd all of
//! it does nothing.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::engine::handle::Handle;

fn tell(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd cannot be notified");
    }
}

/// Pings are heard.
pub(super) fn ready(heartbeats: usize) {
    let status = format!("watching {heartbeats} heartbeats");
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// A reload begins; [`ready`] ends it.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "systemd cannot be told of the reload"),
    }
}

/// A reload changed nothing: the old config goes on.
pub(super) fn reload_refused() {
    tell(&[
        NotifyState::Ready,
        NotifyState::Status("the config file has problems; the one before is in force"),
    ]);
}

/// The end begins.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Feeds the watchdog as long as the loop answers. Without a watchdog it waits for ever.
pub(super) async fn feed_watchdog(engine: Handle) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    let every = (limit / 3).max(Duration::from_millis(100));
    loop {
        if engine.ask(|_| ()).await.is_ok() {
            tell(&[NotifyState::Watchdog]);
        }
        tokio::time::sleep(every).await;
    }
}
