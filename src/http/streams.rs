//! Answers without an end: how many there may be at once, and that all of them end when the daemon does. It never
//! knows what they tell.

use std::sync::Arc;

use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::http::rejection::Failure;

/// How many there may be at once.
const STREAMS_MAX: usize = 256;

/// Marks an answer that has no end: its connection is never idle, and is not waited for when the daemon stops.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endless;

/// The places for them.
#[derive(Debug)]
pub(crate) struct Streams {
    places: Arc<Semaphore>,
    end: watch::Sender<bool>,
}

/// One place; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    end: watch::Receiver<bool>,
}

impl Streams {
    pub(crate) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(STREAMS_MAX)), end: watch::Sender::new(false) }
    }

    /// Lets them have a quarter of the connections at the most, so that pings always have theirs.
    pub(crate) fn leave_room(&self, max_connections: usize) {
        let max = (max_connections / 4).clamp(1, STREAMS_MAX);
        self.places.forget_permits(STREAMS_MAX - max);
    }

    /// A place for one more.
    pub(crate) fn place(&self) -> Result<Place, Failure> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let message = format!(
                "No more readers can follow at once: there may be {STREAMS_MAX}, or a quarter of server.max_connections \
                 where that is less. Close one, or try again."
            );
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", message)
                .with_header("retry-after", "15")
        })?;
        Ok(Place { _permit: permit, end: self.end.subscribe() })
    }

    /// Ends all of them, and those that begin later at once.
    pub(crate) fn end(&self) {
        self.end.send_replace(true);
    }
}

impl Place {
    /// Returns when the daemon stops.
    pub(crate) async fn ended(&mut self) {
        // An error means that the door has gone, which is as good.
        self.end.wait_for(|end| *end).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn there_are_as_many_places_as_a_quarter_of_the_connections_but_no_more_than_256() {
        for (connections, places) in [(1, 1), (7, 1), (8, 2), (1_000, 250), (1_024, 256), (100_000, 256)] {
            let streams = Streams::new();
            streams.leave_room(connections);
            let mut taken: Vec<Place> = (0..places).map(|_| streams.place().unwrap()).collect();
            let failure = streams.place().unwrap_err();
            assert_eq!((failure.status.as_u16(), failure.code), (503, "too_many_streams"), "{connections}");
            assert_eq!(failure.header, Some(("retry-after", "15")));
            taken.pop();
            assert!(streams.place().is_ok(), "{connections}: one left");
        }
    }

    #[test]
    fn all_end_when_the_daemon_does_and_a_late_one_too() {
        let streams = Streams::new();
        let mut early = streams.place().unwrap();
        assert!(early.ended().now_or_never().is_none());
        streams.end();
        assert!(early.ended().now_or_never().is_some());
        assert!(streams.place().unwrap().ended().now_or_never().is_some());
    }
}
