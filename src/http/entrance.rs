//! Where the requests of a connection go in. What only the connection knows goes along with them as extensions, but not
//! with a plain ping: that says all in its path, so it goes straight to where pings are answered, past the filters of the
//! routes, which would cost it more than its decision does. It knows which requests are so plain, and nothing of what is
//! done with them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request};
use tower_service::Service;
use warp::reply::Response;

use crate::http::gate::names_many_hosts;
use crate::http::listen::{AbsoluteForm, Peer};
use crate::http::path::Path;

/// What becomes of a request.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// The routes, as one connection goes in to them.
#[derive(Clone)]
pub(crate) struct Entrance<P, S> {
    peer: Peer,
    /// Answers a plain ping of this peer.
    plain: P,
    routes: S,
}

/// The headers of a request that proxies brought, that names several hosts, or whose body says itself where it ends. Of
/// all others a ping needs none but `Content-Length`. An extension.
#[derive(Debug, Clone)]
pub(crate) struct Unusual(pub HeaderMap);

impl<P, S> Entrance<P, S> {
    /// For requests of this peer; the routes of pings know it already.
    pub(crate) fn new(peer: Peer, plain: P, routes: S) -> Self {
        Self { peer, plain, routes }
    }
}

impl<P, S, B> Service<Request<B>> for Entrance<P, S>
where
    P: Fn(Method, Path) -> Answering,
    S: Service<Request<B>, Response = Response, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.routes.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Answering {
        let headers = request.headers();
        let unusual = headers.contains_key("x-forwarded-for")
            || headers.contains_key(TRANSFER_ENCODING)
            || names_many_hosts(headers);
        let path = Path::parse(request.uri().path());
        let pings = path != Path::Elsewhere && request.uri().query().is_none();
        if pings && !unusual && !headers.contains_key(CONTENT_LENGTH) {
            return (self.plain)(request.method().clone(), path);
        }
        if unusual {
            let headers = request.headers().clone();
            request.extensions_mut().insert(Unusual(headers));
        }
        // The route of pings knows its peer, and asks for nothing else.
        if !pings {
            request.extensions_mut().insert(self.peer);
            if let Some(host) = request.uri().authority().cloned() {
                request.extensions_mut().insert(AbsoluteForm(host));
            }
        }
        Box::pin(self.routes.call(request))
    }
}
