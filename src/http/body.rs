//! Reads the bodies of requests: a ping's by its tail, of any size, in bounded memory; an API call's
//! whole, up to a limit. It knows streams of bytes and a time limit, and nothing of what they mean.

use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue};
use tokio::time::{Instant, timeout, timeout_at};

use crate::model::ping::Body;

/// How long a body may take in all.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How long the rest of a body is read and thrown away after its answer, so that the client, still
/// sending, reads the answer and not a reset connection.
const LINGER: Duration = Duration::from_secs(2);

/// Whether a request announces a body. Over HTTP/1 these two headers say it exactly.
pub(crate) fn announced(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0")
}

/// Whether a `Content-Length` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Announces(pub bool);

impl FromStr for Announces {
    type Err = Infallible;

    fn from_str(header: &str) -> Result<Self, Infallible> {
        Ok(Self(header != "0"))
    }
}

/// How many bytes of a ping's body are kept, and the same as each answer to a ping says it.
#[derive(Debug, Clone)]
pub struct BodyLimit {
    pub(crate) bytes: usize,
    pub(crate) header: HeaderValue,
}

impl From<usize> for BodyLimit {
    fn from(bytes: usize) -> Self {
        Self { bytes, header: HeaderValue::from(bytes) }
    }
}

/// How a read ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All of it came.
    Whole,
    /// The client went away or spoke no HTTP.
    CutOff,
    /// It took too long.
    Slow,
}

/// Keeps the last bytes of what it is given.
#[derive(Debug)]
pub(crate) struct Tail {
    kept: Vec<u8>,
    limit: usize,
    total: u64,
}

impl Tail {
    /// Keeps at most `limit` bytes, in at most three times the memory.
    pub(crate) fn new(limit: usize) -> Self {
        Self { kept: Vec::new(), limit, total: 0 }
    }

    /// Takes more bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.total = self.total.saturating_add(bytes.len() as u64);
        let bytes = &bytes[bytes.len().saturating_sub(self.limit)..];
        // Cut only when twice as much is there as is kept: so each byte is moved at most once on average.
        if self.kept.len() + bytes.len() > self.limit.saturating_mul(2) {
            let keep = self.limit - bytes.len();
            self.kept.drain(..self.kept.len().saturating_sub(keep));
        }
        self.kept.extend_from_slice(bytes);
    }

    /// What was kept; nothing when nothing came.
    pub(crate) fn finish(mut self) -> Option<Body> {
        self.kept.drain(..self.kept.len().saturating_sub(self.limit));
        // A body of its own size: the spare room of the buffer would be kept as long as the body.
        let tail = Bytes::from(self.kept.into_boxed_slice());
        (self.total > 0).then_some(Body { tail, total: self.total })
    }
}

/// Reads a ping's body to its end, or until it is cut off or the time is over. What came is in `tail`.
pub(crate) async fn read_tail<S, B, E>(stream: &mut S, tail: &mut Tail, deadline: Instant) -> End
where
    S: Stream<Item = Result<B, E>> + Unpin,
    B: Buf,
{
    let read = async {
        while let Some(chunk) = stream.next().await {
            let Ok(mut chunk) = chunk else { return End::CutOff };
            while chunk.has_remaining() {
                let bytes = chunk.chunk();
                tail.push(bytes);
                let taken = bytes.len();
                chunk.advance(taken);
            }
        }
        End::Whole
    };
    timeout_at(deadline, read).await.unwrap_or(End::Slow)
}

/// Why a body was not read whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It has more bytes than the limit.
    TooLarge,
    /// It ended too early or took too long.
    Unfinished(End),
}

/// Reads a body of at most `max` bytes. One that announces more is not begun.
pub(crate) async fn read_whole<S, B, E>(
    headers: &HeaderMap,
    mut stream: S,
    max: usize,
) -> Result<Vec<u8>, Unread>
where
    S: Stream<Item = Result<B, E>> + Unpin + Send + 'static,
    B: Buf + Send,
    E: Send,
{
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > max as u64) {
        linger(stream);
        return Err(Unread::TooLarge);
    }
    let mut whole = Vec::with_capacity(length.unwrap_or(0) as usize);
    let read = async {
        while let Some(chunk) = stream.next().await {
            let Ok(mut chunk) = chunk else { return Err(Unread::Unfinished(End::CutOff)) };
            if whole.len() + chunk.remaining() > max {
                return Err(Unread::TooLarge);
            }
            while chunk.has_remaining() {
                let bytes = chunk.chunk();
                whole.extend_from_slice(bytes);
                let taken = bytes.len();
                chunk.advance(taken);
            }
        }
        Ok(())
    };
    let read = timeout(TIME_LIMIT, read).await.unwrap_or(Err(Unread::Unfinished(End::Slow)));
    if read.is_err() {
        linger(stream);
    }
    read.map(|()| whole)
}

/// Throws away what a client still sends while it is being answered. It ends by itself.
pub(crate) fn linger<S, B, E>(mut stream: S)
where
    S: Stream<Item = Result<B, E>> + Unpin + Send + 'static,
    B: Send,
    E: Send,
{
    tokio::spawn(timeout(LINGER, async move { while let Some(Ok(_)) = stream.next().await {} }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use proptest::prelude::*;
    use std::convert::Infallible;

    proptest! {
        #[test]
        fn the_tail_is_the_last_bytes_of_all(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..30), 0..20),
            limit in 0_usize..40,
        ) {
            let mut tail = Tail::new(limit);
            for chunk in &chunks {
                tail.push(chunk);
                prop_assert!(tail.kept.len() <= 2 * limit);
            }
            let all = chunks.concat();
            let expected = &all[all.len().saturating_sub(limit)..];
            match tail.finish() {
                None => prop_assert!(all.is_empty()),
                Some(body) => {
                    prop_assert_eq!(&body.tail[..], expected);
                    prop_assert_eq!(body.total, all.len() as u64);
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_left_after_its_time_with_what_came() {
        let mut endless =
            Box::pin(stream::iter([Ok::<_, Infallible>(&b"some"[..])]).chain(stream::pending()));
        let mut tail = Tail::new(10);
        let end = read_tail(&mut endless, &mut tail, Instant::now() + TIME_LIMIT).await;
        assert_eq!(end, End::Slow);
        assert_eq!(&tail.finish().unwrap().tail[..], b"some");
    }

    #[tokio::test]
    async fn a_body_that_is_cut_off_gives_what_came() {
        let mut cut = stream::iter([Ok(&b"half"[..]), Err("gone"), Ok(&b"never"[..])]);
        let mut tail = Tail::new(10);
        let end = read_tail(&mut cut, &mut tail, Instant::now() + TIME_LIMIT).await;
        assert_eq!(end, End::CutOff);
        assert_eq!(&tail.finish().unwrap().tail[..], b"half");
    }

    #[tokio::test]
    async fn a_whole_body_is_read_up_to_its_limit() {
        let chunks = || stream::iter([Ok::<_, Infallible>(&b"four"[..]), Ok(&b"four"[..])]);
        assert_eq!(read_whole(&HeaderMap::new(), chunks(), 8).await, Ok(b"fourfour".to_vec()));
        assert_eq!(read_whole(&HeaderMap::new(), chunks(), 7).await, Err(Unread::TooLarge));
        let mut announces = HeaderMap::new();
        announces.insert(CONTENT_LENGTH, "100000000".parse().unwrap());
        let never = stream::pending::<Result<&[u8], Infallible>>();
        assert_eq!(read_whole(&announces, never, 1 << 20).await, Err(Unread::TooLarge));
    }

    #[test]
    fn only_a_length_or_an_encoding_announces_a_body() {
        let with = |name: http::HeaderName, value: &'static str| {
            HeaderMap::from_iter([(name, http::HeaderValue::from_static(value))])
        };
        assert!(!announced(&HeaderMap::new()));
        assert!(!announced(&with(CONTENT_LENGTH, "0")));
        assert!(announced(&with(CONTENT_LENGTH, "5")));
        assert!(announced(&with(TRANSFER_ENCODING, "chunked")));
    }
}
