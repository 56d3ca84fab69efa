//! How what a badge is of stands, and an answer kept for a moment: badges are open to all, so what takes long must
//! not be asked of the loop as often as somebody likes.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::engine::handle::Refused;
use crate::http::badge::token::Kind;
use crate::http::seam::Engine;
use crate::machine::view::HeartbeatCounts;
use crate::model::heartbeat::Status;
use crate::model::id::Slug;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(1);
/// Answers that are kept at once.
const KEPT_MAX: usize = 256;

/// The status of one heartbeat, or the worst of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It is this.
    Status(Status),
    /// There is no heartbeat.
    Nothing,
}

impl Shown {
    /// The worst of them. Those that are paused count only when all are.
    pub(crate) fn worst(counts: HeartbeatCounts) -> Self {
        let HeartbeatCounts { down, late, new, up, paused, total: _, running: _ } = counts;
        let worst = [
            (down, Status::Down),
            (late, Status::Late),
            (new, Status::New),
            (up, Status::Up),
            (paused, Status::Paused),
        ];
        let found = worst.into_iter().find(|(count, _)| *count > 0);
        found.map_or(Self::Nothing, |(_, status)| Self::Status(status))
    }

    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Status(status) => status.word(),
            Self::Nothing => "none",
        }
    }
}

/// Answers of the last moment. Only one is made at a time, and whoever asks meanwhile waits for it.
#[derive(Debug)]
pub(crate) struct Lately<V>(Mutex<BTreeMap<Kind, (Instant, V)>>);

impl<V> Default for Lately<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V: Clone> Lately<V> {
    /// The answer that was kept, or a new one.
    pub(crate) async fn or_make<F>(&self, kind: &Kind, make: F) -> Result<V, Refused>
    where
        F: Future<Output = Result<V, Refused>>,
    {
        let mut kept = self.0.lock().await;
        if let Some((at, value)) = kept.get(kind)
            && at.elapsed() < KEPT
        {
            return Ok(value.clone());
        }
        let value = make.await?;
        kept.retain(|_, (at, _)| at.elapsed() < KEPT);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(kind.clone(), (Instant::now(), value.clone()));
        Ok(value)
    }
}

/// How many heartbeats with the tag, or of all, stand how. The loop is asked piece by piece.
pub(crate) async fn count<E: Engine>(engine: &E, tag: Option<&str>) -> Result<HeartbeatCounts, Refused> {
    let (mut counts, mut after) = (HeartbeatCounts::default(), None::<Slug>);
    loop {
        let tag = tag.map(str::to_owned);
        let piece =
            engine.ask(move |view| view.count_tagged(tag.as_deref(), after.as_ref().map(Slug::as_str)));
        let (more, next) = piece.await?;
        counts += more;
        after = next;
        if after.is_none() {
            return Ok(counts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_worst_counts_and_what_is_paused_only_alone() {
        let counts = |down, late, new, up, paused| {
            let total = down + late + new + up + paused;
            Shown::worst(HeartbeatCounts { total, new, up, late, down, paused, running: up }).word()
        };
        assert_eq!(counts(1, 9, 9, 9, 9), "down");
        assert_eq!(counts(0, 1, 9, 9, 9), "late");
        assert_eq!(counts(0, 0, 1, 9, 9), "new");
        assert_eq!(counts(0, 0, 0, 1, 9), "up");
        assert_eq!(counts(0, 0, 0, 0, 1), "paused");
        assert_eq!(counts(0, 0, 0, 0, 0), "none");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_made_once_in_a_moment_however_many_ask() {
        let (lately, made) = (Lately::default(), Cell::new(0));
        let ask = |kind: Kind| {
            let (lately, made) = (&lately, &made);
            async move {
                let answer = async {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    made.set(made.get() + 1);
                    Ok(made.get())
                };
                lately.or_make(&kind, answer).await.unwrap()
            }
        };
        let all = futures_util::future::join_all((0..50).map(|_| ask(Kind::All))).await;
        assert_eq!((all, made.get()), (vec![1; 50], 1));
        tokio::time::advance(Duration::from_millis(999)).await;
        assert_eq!(ask(Kind::All).await, 1);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(ask(Kind::All).await, 2);
        assert_eq!(ask(Kind::Tag("db".to_owned())).await, 3, "another's answer");
        assert_eq!(
            lately.or_make(&Kind::Page("x".to_owned()), async { Err(Refused::Full) }).await,
            Err(Refused::Full)
        );
        assert_eq!(ask(Kind::Page("x".to_owned())).await, 4, "a refusal is not kept");
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_answers_are_kept_and_no_more() {
        let lately = Lately::default();
        for n in 0..3 * KEPT_MAX {
            lately.or_make(&Kind::Tag(n.to_string()), async { Ok(n) }).await.unwrap();
            assert!(lately.0.lock().await.len() <= KEPT_MAX);
        }
    }
}
