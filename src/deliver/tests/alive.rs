//! `alive_url` is called while overdue is well, and only then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tracing::instrument::WithSubscriber;

use super::page::Page;
use super::receiver::{Answer, Receiver};
use crate::config::secret::Secret;
use crate::deliver::alive::call_while;
use crate::deliver::webhook::Sender;

const SOON: Duration = Duration::from_millis(2);
const NEVER: Duration = Duration::from_secs(3_600);

fn address(receiver: &Receiver) -> Secret {
    Secret::new(&receiver.url("/alive"))
}

#[tokio::test]
async fn the_address_is_called_again_and_again() {
    let mut receiver = Receiver::start(|_| Answer::status(200)).await;
    let (_keep, url) = watch::channel(Some(address(&receiver)));
    tokio::spawn(call_while(Sender::new().unwrap(), url, || async { true }, SOON));
    for _ in 0..3 {
        let request = receiver.next().await;
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/alive"));
        assert!(request.body.is_empty());
    }
}

#[tokio::test]
async fn silence_while_overdue_is_not_well() {
    let mut receiver = Receiver::start(|_| Answer::status(200)).await;
    let (_keep, url) = watch::channel(Some(address(&receiver)));
    let (asked, mut asks) = mpsc::unbounded_channel();
    let well = Arc::new(AtomicBool::new(false));
    let says = Arc::clone(&well);
    let healthy = move || {
        asked.send(()).unwrap();
        let well = says.load(Ordering::SeqCst);
        async move { well }
    };
    tokio::spawn(call_while(Sender::new().unwrap(), url, healthy, SOON));
    for _ in 0..5 {
        asks.recv().await.unwrap();
    }
    assert!(receiver.rest().is_empty());
    well.store(true, Ordering::SeqCst);
    receiver.next().await;
}

#[tokio::test]
async fn a_new_address_is_called_at_once_and_none_is_not_called() {
    let (mut first, mut second) =
        (Receiver::start(|_| Answer::status(200)).await, Receiver::start(|_| Answer::status(200)).await);
    let (set, url) = watch::channel(None);
    let task = tokio::spawn(call_while(Sender::new().unwrap(), url, || async { true }, NEVER));
    set.send_replace(Some(address(&first)));
    first.next().await;
    set.send_replace(Some(address(&second)));
    second.next().await;
    set.send_replace(None);
    drop(set);
    task.await.unwrap();
    assert!(first.rest().is_empty() && second.rest().is_empty());
}

#[tokio::test]
async fn failures_do_not_stop_the_calls_and_each_streak_is_told_once() {
    let count = AtomicUsize::new(0);
    let mut receiver = Receiver::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 | 1 | 5 | 6 => Answer::status(500),
        2 => Answer::Says(302, vec![("location", "/elsewhere".into())], String::new()),
        _ => Answer::status(200),
    })
    .await;
    let page = Page::default();
    let (_keep, url) = watch::channel(Some(address(&receiver)));
    let calls = call_while(Sender::new().unwrap(), url, || async { true }, SOON);
    tokio::spawn(calls.with_subscriber(page.subscriber()));
    for _ in 0..9 {
        assert_eq!(receiver.next().await.path, "/alive");
    }
    // The ninth call has begun, so what the first eight gave has been told.
    let lines = page.lines();
    let levels: Vec<bool> = lines.iter().map(|line| line.contains("WARN")).collect();
    assert_eq!(levels, [true, false, true, false], "{lines:#?}");
    assert!(lines[0].contains("HTTP 500 from 127.0.0.1") && !lines[0].contains("/alive"), "{}", lines[0]);
}
