//! A bound on how long a reader may take nothing: a connection on which nothing could be written for a minute, though
//! there is something to write, ends. It knows bytes and time, and nothing of what is said.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long a write may make no progress.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection whose writes are waited for only so long.
#[derive(Debug)]
pub(crate) struct Patient<I> {
    inner: I,
    /// Runs out while a write waits. Made for the first that does: most connections never need one.
    clock: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl<I> Patient<I> {
    pub(crate) fn new(inner: I) -> Self {
        Self { inner, clock: None, waiting: false }
    }

    /// What became of a try to write.
    fn after<T>(&mut self, cx: &mut Context<'_>, tried: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if tried.is_ready() {
            self.waiting = false;
            return tried;
        }
        let clock = self.clock.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        if !std::mem::replace(&mut self.waiting, true) {
            clock.as_mut().reset(Instant::now() + PATIENCE);
        }
        ready!(clock.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the other end has read nothing for a minute",
        )))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Patient<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, into)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Patient<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.after(cx, tried)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.inner).poll_flush(cx);
        self.after(cx, tried)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.after(cx, tried)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn a_write_that_nobody_reads_fails_after_a_minute() {
        let (here, _there) = duplex(10);
        let began = Instant::now();
        let error = Patient::new(here).write_all(&[7; 11]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!((60..62).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_reads_a_little_now_and_then_is_waited_for() {
        let (here, mut there) = duplex(10);
        let writing = tokio::spawn(async move { Patient::new(here).write_all(&[7; 100]).await });
        for _ in 0..10 {
            tokio::task::yield_now().await;
            advance(Duration::from_secs(55)).await;
            there.read_exact(&mut [0; 10]).await.unwrap();
        }
        writing.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_there_is_nothing_to_say_lasts() {
        let (here, mut there) = duplex(10);
        let mut patient = Patient::new(here);
        for _ in 0..3 {
            patient.write_all(&[7; 10]).await.unwrap();
            patient.flush().await.unwrap();
            advance(Duration::from_secs(3_600)).await;
            there.read_exact(&mut [0; 10]).await.unwrap();
            // One wait that ends well must not shorten the next.
            let mut more = [0; 1];
            let (wrote, read) = tokio::join!(patient.write_all(&[7]), there.read_exact(&mut more));
            assert!(wrote.is_ok() && read.is_ok());
        }
    }
}
