//! Receivers that answer what no honest one would: without end, byte by byte, out of turn or not in HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::receiver::{Answer, Receiver};
use super::webhook::raw_with;
use super::{House, delivery, to};
use crate::config::channel::Webhook;
use crate::model::delivery::{Delivery, Verdict};
use crate::model::time::Span;

/// A receiver that answers `head` and then `piece` for as long as it is read, and how many bytes it got rid of.
async fn without_end(head: &'static [u8], piece: &'static [u8]) -> (String, Arc<AtomicUsize>) {
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let url = raw_with(head, move |mut stream| {
        let count = Arc::clone(&count);
        tokio::spawn(async move {
            while stream.write_all(piece).await.is_ok() {
                count.fetch_add(piece.len(), Ordering::SeqCst);
            }
        });
    })
    .await;
    (url, written)
}

/// A receiver that answers `head` and then `piece` for ever, one byte at a time.
async fn byte_by_byte(head: &'static [u8], piece: &'static [u8]) -> String {
    raw_with(head, move |mut stream| {
        tokio::spawn(async move {
            let mut pause = tokio::time::interval(Duration::from_millis(10));
            for byte in piece.iter().cycle() {
                if stream.write_all(&[*byte]).await.is_err() {
                    return;
                }
                pause.tick().await;
            }
        });
    })
    .await
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    for (head, piece) in [
        (&b"HTTP/1.1 200 OK\r\n"[..], &b"X-More: and more and more and more\r\n"[..]),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", &[b'x'; 8_192]),
        (b"HTTP/1.1 200 ", &[b'x'; 8_192]),
        (b"HTTP/1.1 200 OK\r\n", &[b'x'; 8_192]),
    ] {
        let (url, written) = without_end(head, piece).await;
        let webhook = Webhook { timeout: Span::from_secs(600), ..to(&url) };
        let error = House::failure(House::webhook(webhook).verdict().await);
        assert!(error.starts_with("the head of the answer is too large"), "{error}");
        // What waits in the system's own buffers was sent as well.
        let written = written.load(Ordering::SeqCst);
        assert!(written < 32 << 20, "{written} bytes");
    }
}

#[tokio::test]
async fn a_head_may_have_100_kb_and_not_500() {
    for (size, taken) in [(100_000, true), (500_000, false)] {
        let receiver =
            Receiver::start(move |_| Answer::Says(200, vec![("x-large", "x".repeat(size))], String::new()))
                .await;
        let verdict = House::webhook(to(&receiver.url("/"))).verdict().await;
        if taken {
            assert_eq!(verdict, Verdict::Delivered { status: Some(200) });
        } else {
            let error = House::failure(verdict);
            assert!(error.starts_with("the head of the answer is too large"), "{error}");
        }
    }
}

#[tokio::test]
async fn of_a_body_without_end_only_the_beginning_is_read() {
    for (head, status) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n"[..], 200),
        (b"HTTP/1.1 500 No\r\nContent-Length: 10000000000\r\n\r\n", 500),
        (b"HTTP/1.1 500 No\r\n\r\n", 500),
        (b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFF\r\n", 500),
        (b"HTTP/1.1 302 No\r\nLocation: /x\r\nContent-Length: 10000000000\r\n\r\n", 302),
    ] {
        let (url, written) = without_end(head, &[b'x'; 8_192]).await;
        let webhook = Webhook { timeout: Span::from_secs(600), ..to(&url) };
        let verdict = House::webhook(webhook).verdict().await;
        let (Verdict::Delivered { status: code } | Verdict::Failed { status: code, .. }) = &verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(*code, Some(status), "{verdict:?}");
        let written = written.load(Ordering::SeqCst);
        assert!(written < 32 << 20, "{status}: {written} bytes");
    }
}

#[tokio::test]
async fn an_answer_that_comes_byte_by_byte_ends_at_the_time_out() {
    let timeout = Span::from_millis(150);
    for (head, piece) in [
        (&b"HTTP/1.1 200 OK\r\nX-Slow: "[..], &b"x"[..]),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ] {
        let url = byte_by_byte(head, piece).await;
        let attempt = House::webhook(Webhook { timeout, ..to(&url) }).attempt(delivery(1, "ops")).await;
        assert!(attempt.took >= timeout, "{:?}", attempt.took);
        let error = House::failure(attempt.verdict);
        assert!(error.starts_with("timed out after 150ms"), "{error}");
    }
    // The status has said how it went, so a body is not waited for, or only until then.
    for (head, status) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"[..], 200),
        (b"HTTP/1.1 503 No\r\nContent-Length: 4000000\r\n\r\n", 503),
        (b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n", 503),
    ] {
        let url = byte_by_byte(head, b"x").await;
        let verdict = House::webhook(Webhook { timeout, ..to(&url) }).verdict().await;
        let (Verdict::Delivered { status: code } | Verdict::Failed { status: code, .. }) = &verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(*code, Some(status), "{verdict:?}");
    }
}

#[tokio::test]
async fn a_broken_answer_is_a_verdict() {
    for (answer, words) in [
        (&b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\n"[..], "HTTP 500"),
        (b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\nx", "HTTP 500"),
        (b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n", "HTTP 500"),
        (b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxxxx\r\n0\r\n\r\n", "HTTP 500"),
        (b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", "HTTP 500"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX-\0: \x01\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 99 No\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 1000 No\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/9.9 200 OK\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "HTTP 101"),
        (b"\0\0\0\0\0\0\0\0", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX-Half: ", "connection closed before an answer came"),
    ] {
        let url = raw_with(answer, drop).await;
        let error = House::failure(House::webhook(to(&url)).verdict().await);
        let answer = String::from_utf8_lossy(answer);
        assert!(error.starts_with(words), "{answer:?}: {error}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_before_the_request_was_read_counts() {
    let payload = format!(r#"{{"data":"{}"}}"#, "x".repeat(16 << 20));
    for (answer, status) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[..], 200),
        (b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", 413),
    ] {
        let (keep, _kept) = std::sync::mpsc::channel();
        // It reads the beginning alone, and the rest fits into no buffer of the system.
        let url = raw_with(answer, move |stream| keep.send(stream).unwrap()).await;
        let mut house = House::webhook(Webhook { timeout: Span::from_secs(600), ..to(&url) });
        let large = Delivery { payload: payload.as_str().into(), ..delivery(1, "ops") };
        let verdict = house.attempt(large).await.verdict;
        let (Verdict::Delivered { status: code } | Verdict::Failed { status: code, .. }) = &verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(*code, Some(status), "{verdict:?}");
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_at_once_is_a_failure_in_plain_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let mut house = House::webhook(to(&url));
    for _ in 0..20 {
        let error = House::failure(house.verdict().await);
        let words = ["connection closed before an answer came", "connection reset"];
        assert!(words.iter().any(|words| error.starts_with(words)), "{error}");
    }
}
