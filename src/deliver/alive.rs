//! Who watches the watcher: calls `alive_url` while overdue is well. Knows when it is time; is told by
//! others whether overdue is well, and where to call.

use std::time::Duration;

use tokio::sync::watch;

use crate::config::secret::Secret;
use crate::deliver::webhook::Sender;

/// How often the address is called.
pub(super) const EVERY: Duration = Duration::from_secs(60);
/// How long an answer is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Calls the address of the moment at once, when it changes, and then `every` so often, each time only if
/// `healthy` says so: silence is the message. Ends when nobody can change the address any more.
pub(super) async fn call_while<H, F>(
    sender: Sender,
    mut url: watch::Receiver<Option<Secret>>,
    healthy: H,
    every: Duration,
) where
    H: Fn() -> F,
    F: Future<Output = bool>,
{
    let mut failing = false;
    loop {
        let address = url.borrow_and_update().clone();
        if let Some(address) = address
            && healthy().await
        {
            match sender.call(address.expose(), PATIENCE).await {
                Ok(()) if failing => {
                    tracing::info!("alive_url answers again");
                    failing = false;
                }
                Ok(()) => {}
                Err(error) if !failing => {
                    tracing::warn!(%error, "alive_url cannot be called; it is tried again every minute");
                    failing = true;
                }
                Err(error) => tracing::debug!(%error, "alive_url still cannot be called"),
            }
        }
        // An elapsed timeout is the rhythm, a change is a reason to call at once.
        if let Ok(Err(_)) = tokio::time::timeout(every, url.changed()).await {
            return;
        }
    }
}
