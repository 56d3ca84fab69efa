//! How what a badge is of stands, and an answer kept for a moment: badges are open to all, so what takes long must
//! not be asked of the loop as often as somebody likes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::engine::handle::Refused;
use crate::http::badge::token::Kind;
use crate::http::seam::Engine;
use crate::machine::view::HeartbeatCounts;
use crate::model::heartbeat::Status;
use crate::model::id::Slug;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(1);
/// Answers that are kept or made at once.
const KEPT_MAX: usize = 256;
/// Answers that are made at once; the others wait their turn.
const MADE_MAX: usize = 4;

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
        let found = Status::BY_URGENCY.into_iter().find(|status| counts.of(*status) > 0);
        found.map_or(Self::Nothing, Self::Status)
    }

    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Status(status) => status.word(),
            Self::Nothing => "none",
        }
    }
}

/// An answer and when it was made; `None` while it is being made.
type Made<V> = Option<(Instant, Result<V, Refused>)>;

/// Answers of the last moment. Of each kind only one is made at a time, whoever asks meanwhile waits for it, and it is
/// made to its end also when nobody waits any more: whoever asks next has it then.
#[derive(Debug)]
pub(crate) struct Lately<V> {
    answers: Mutex<BTreeMap<Kind, watch::Receiver<Made<V>>>>,
    turns: Arc<Semaphore>,
}

impl<V> Default for Lately<V> {
    fn default() -> Self {
        Self { answers: Mutex::default(), turns: Arc::new(Semaphore::new(MADE_MAX)) }
    }
}

impl<V: Clone + Send + Sync + 'static> Lately<V> {
    /// The answer that was kept, or a new one.
    pub(crate) async fn or_make<F>(&self, kind: &Kind, make: F) -> Result<V, Refused>
    where
        F: Future<Output = Result<V, Refused>> + Send + 'static,
    {
        let mut answer = self.find_or_make(kind, make)?;
        // An error means that it will never be made: the daemon stops.
        let told = answer.wait_for(Option::is_some).await.map_err(|_| Refused::Stopped)?;
        told.as_ref().map_or(Err(Refused::Stopped), |(_, answer)| answer.clone())
    }

    fn find_or_make<F>(&self, kind: &Kind, make: F) -> Result<watch::Receiver<Made<V>>, Refused>
    where
        F: Future<Output = Result<V, Refused>> + Send + 'static,
    {
        let mut answers = self.answers.lock().expect("nobody panics with it");
        if let Some(answer) = answers.get(kind).filter(|answer| counts(answer)) {
            return Ok(answer.clone());
        }
        answers.retain(|_, answer| counts(answer));
        if answers.len() >= KEPT_MAX {
            answers.retain(|_, answer| answer.borrow().is_none());
        }
        if answers.len() >= KEPT_MAX {
            return Err(Refused::Full);
        }
        let (tell, answer) = watch::channel(None);
        answers.insert(kind.clone(), answer.clone());
        let turns = Arc::clone(&self.turns);
        tokio::spawn(async move {
            let _turn = turns.acquire_owned().await;
            let result = make.await;
            tell.send_replace(Some((Instant::now(), result)));
        });
        Ok(answer)
    }
}

/// Whether an answer is good still, or will be. One that was refused is not, nor one whose making has died.
fn counts<V>(answer: &watch::Receiver<Made<V>>) -> bool {
    let dead = answer.has_changed().is_err();
    match &*answer.borrow() {
        Some((at, Ok(_))) => at.elapsed() < KEPT,
        Some((_, Err(_))) => false,
        None => !dead,
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
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;
    use tokio::time::timeout;

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

    /// Counts how many answers were made; each takes 300 ms.
    #[derive(Clone, Default)]
    struct Maker(Arc<AtomicUsize>);

    impl Maker {
        fn made(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }

        async fn make(self) -> Result<usize, Refused> {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok(self.0.fetch_add(1, Ordering::SeqCst) + 1)
        }
    }

    fn tag(name: &str) -> Kind {
        Kind::Tag(name.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_made_once_in_a_moment_however_many_ask() {
        let (lately, maker) = (Lately::default(), Maker::default());
        let ask = |kind: Kind| {
            let (lately, make) = (&lately, maker.clone().make());
            async move { lately.or_make(&kind, make).await.unwrap() }
        };
        let all = futures_util::future::join_all((0..50).map(|_| ask(Kind::All))).await;
        assert_eq!((all, maker.made()), (vec![1; 50], 1));
        tokio::time::advance(Duration::from_millis(998)).await;
        assert_eq!(ask(Kind::All).await, 1);
        tokio::time::advance(Duration::from_millis(2)).await;
        assert_eq!(ask(Kind::All).await, 2);
        assert_eq!(ask(tag("db")).await, 3, "another's answer");
        let page = Kind::Page("x".to_owned());
        assert_eq!(lately.or_make(&page, async { Err(Refused::Full) }).await, Err(Refused::Full));
        assert_eq!(ask(page).await, 4, "a refusal is not kept");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_the_answer_of_another_kind() {
        let (lately, maker) = (Lately::default(), Maker::default());
        let mut never = pin!(lately.or_make(&Kind::All, std::future::pending()));
        assert!((&mut never).now_or_never().is_none());
        assert_eq!(lately.or_make(&tag("db"), maker.make()).await, Ok(1));
        assert!(never.now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_waits_for_any_more_is_there_for_the_next() {
        let (lately, maker) = (Lately::default(), Maker::default());
        for _ in 0..5 {
            let asked = lately.or_make(&Kind::All, maker.clone().make());
            assert!(timeout(Duration::from_millis(50), asked).await.is_err(), "it goes away");
        }
        assert_eq!(lately.or_make(&Kind::All, maker.clone().make()).await, Ok(1));
        assert_eq!(maker.made(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_answers_are_kept_and_so_many_made_at_once_and_no_more() {
        let lately = Lately::default();
        for n in 0..3 * KEPT_MAX {
            lately.or_make(&tag(&n.to_string()), async move { Ok(n) }).await.unwrap();
            assert!(lately.answers.lock().unwrap().len() <= KEPT_MAX);
        }
        let maker = Maker::default();
        let (lately, began) = (Lately::default(), Instant::now());
        let all = (0..3 * MADE_MAX).map(|n| {
            let (lately, make) = (&lately, maker.clone().make());
            async move { lately.or_make(&tag(&n.to_string()), make).await }
        });
        futures_util::future::join_all(all).await;
        assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
        for n in 0..KEPT_MAX {
            let stuck = tag(&format!("stuck {n}"));
            let asked = lately.or_make(&stuck, std::future::pending());
            assert!(asked.now_or_never().is_none());
        }
        assert_eq!(lately.or_make(&Kind::All, maker.make()).await, Err(Refused::Full));
    }

    #[tokio::test]
    async fn an_answer_whose_making_dies_is_made_anew() {
        let lately = Lately::default();
        let dies = async { panic!("on purpose") };
        assert_eq!(lately.or_make(&Kind::All, dies).await, Err(Refused::Stopped));
        assert_eq!(lately.or_make(&Kind::All, async { Ok(1) }).await, Ok(1));
    }
}
