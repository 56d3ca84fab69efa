//! How long a head may take, timed with one timer for all heads of a connection. hyper asks for a new one each time; a
//! timer of the runtime each time costs a ping more than its place in the mailbox. It knows time, and nothing of heads.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt;
use hyper::rt;
use tokio::task::unconstrained;
use tokio::time::{self, Instant};

/// The timer of one connection, as hyper takes it.
#[derive(Debug, Default)]
pub(crate) struct HeadTimer(Arc<Mutex<Alarm>>);

/// The one timer. It is left as it is when a head is complete: should it ring while a later one is waited for, then it is
/// set anew.
#[derive(Debug, Default)]
struct Alarm {
    sleep: Option<Pin<Box<time::Sleep>>>,
    /// Whom it wakes.
    waker: Option<Waker>,
}

/// The wait for one head.
#[derive(Debug)]
struct Wait {
    alarm: Arc<Mutex<Alarm>>,
    until: Instant,
}

impl rt::Timer for HeadTimer {
    fn sleep(&self, duration: std::time::Duration) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Wait { alarm: Arc::clone(&self.0), until: Instant::from_std(deadline) })
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }
}

impl rt::Sleep for Wait {}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        alarm.poll(self.until, cx)
    }
}

impl Alarm {
    fn poll(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let Self { sleep, waker } = self;
        let sleep = sleep.get_or_insert_with(|| Box::pin(time::sleep_until(until)));
        let rings = !sleep.is_elapsed() && sleep.deadline() <= until;
        if rings && waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        *waker = Some(cx.waker().clone());
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        // Without a budget: a sleep that was never asked in earnest would wake nobody.
        while unconstrained(sleep.as_mut()).poll_unpin(cx).is_ready() {
            if sleep.deadline() >= until {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(until);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::time::Duration;
    use tokio::task::coop::{has_budget_remaining, poll_proceed};
    use tokio::time::advance;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn wait(timer: &HeadTimer, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        rt::Timer::sleep(timer, duration)
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_own_time_whenever_an_earlier_one_began() {
        let timer = HeadTimer::default();
        let mut first = wait(&timer, secs(30));
        assert!(first.as_mut().now_or_never().is_none());
        advance(secs(20)).await;
        drop(first);
        let began = Instant::now();
        wait(&timer, secs(30)).await;
        assert_eq!(began.elapsed().as_secs(), 30);
        let began = Instant::now();
        wait(&timer, secs(30)).await;
        assert_eq!(began.elapsed().as_secs(), 30, "one that rang can be set anew");
        let began = Instant::now();
        wait(&timer, secs(3)).await;
        assert_eq!(began.elapsed().as_secs(), 3, "and earlier than it was set");
    }

    #[tokio::test(start_paused = true)]
    async fn heads_that_come_in_time_set_no_timer_of_their_own() {
        let (timer, rung) = (HeadTimer::default(), Arc::new(Wakes::default()));
        let waker = Waker::from(Arc::clone(&rung));
        for _ in 0..29_000 {
            let mut head = wait(&timer, secs(30));
            assert!(head.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            advance(Duration::from_millis(1)).await;
        }
        assert_eq!(rung.0.load(Ordering::Relaxed), 0);
        let mut last = wait(&timer, secs(30));
        assert!(last.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        advance(secs(2)).await;
        assert_eq!(rung.0.load(Ordering::Relaxed), 1, "the first head's alarm");
        assert!(last.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        advance(secs(29)).await;
        assert_eq!(rung.0.load(Ordering::Relaxed), 2);
        assert!(last.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_has_had_its_share_of_the_runtime_is_woken_all_the_same() {
        let timer = HeadTimer::default();
        let mut head = wait(&timer, secs(30));
        poll_fn(|cx| {
            while has_budget_remaining() {
                let Poll::Ready(share) = poll_proceed(cx) else { break };
                share.made_progress();
            }
            assert!(head.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        time::timeout(secs(60), head).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn it_wakes_whoever_waited_last() {
        let (timer, [one, other]) = (HeadTimer::default(), [(); 2].map(|()| Arc::new(Wakes::default())));
        let mut head = wait(&timer, secs(30));
        for wakes in [&one, &other] {
            let waker = Waker::from(Arc::clone(wakes));
            assert!(head.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        advance(secs(31)).await;
        assert_eq!([&one, &other].map(|wakes| wakes.0.load(Ordering::Relaxed)), [0, 1]);
    }
}
