//! The head of a request and the body after it, read for all that look at more of a request than one part. It knows
//! HTTP, and nothing of what is asked.

use std::pin::Pin;

use bytes::{Buf, Bytes};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt};
use http::{HeaderMap, Method};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::path::FullPath;

use crate::http::auth::{Facts, reads};
use crate::http::body::{Unread, read_whole};
use crate::http::listen::{AbsoluteForm, Peer};

/// What comes after the head.
pub(crate) type Body = Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send>>;

/// The head of a request.
pub(crate) struct Head {
    pub(crate) method: Method,
    /// As it was sent.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) peer: Option<Peer>,
    pub(crate) absolute: Option<AbsoluteForm>,
}

impl Head {
    /// What matters for who may do what.
    pub(crate) fn facts(&self) -> Facts<'_> {
        let Self { method, headers, peer, absolute, .. } = self;
        Facts { method, headers, absolute: absolute.as_ref(), peer: *peer }
    }

    /// Whether it only reads.
    pub(crate) fn reads(&self) -> bool {
        reads(&self.method)
    }
}

/// All of a request; whoever comes after it finds no body any more. Boxed: else it would be in the program once for
/// each of those whom it serves, which is 20 KB.
pub(crate) fn whole() -> BoxedFilter<(Head, Body)> {
    warp::method()
        .and(warp::path::full())
        .and(warp::query::<Vec<(String, String)>>())
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<Peer>())
        .and(warp::ext::optional::<AbsoluteForm>())
        .and(warp::body::stream())
        .map(|method, path: FullPath, query, headers, peer, absolute, stream| {
            (Head { method, path: path.as_str().to_owned(), query, headers, peer, absolute }, body(stream))
        })
        .untuple_one()
        .boxed()
}

/// Reads a body of at most `max` bytes. Boxed for the same reason.
pub(crate) fn read(headers: &HeaderMap, body: Body, max: usize) -> BoxFuture<'_, Result<Vec<u8>, Unread>> {
    read_whole(headers, body, max).boxed()
}

/// Makes a body of what the server gives.
fn body<B: Buf>(stream: impl Stream<Item = Result<B, warp::Error>> + Send + 'static) -> Body {
    Box::pin(stream.map(|chunk| chunk.map(|mut chunk| chunk.copy_to_bytes(chunk.remaining()))))
}
