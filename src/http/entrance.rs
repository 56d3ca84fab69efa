//! Where the requests of a connection go in. What only the connection knows goes along with them as extensions, but
//! not with a plain ping: they cost three allocations, and pings are most of all requests. It knows which requests
//! are so plain that they need none, and nothing of what is done with them.

use std::task::{Context, Poll};

use http::header::TRANSFER_ENCODING;
use http::{HeaderMap, Request};
use tower_service::Service;

use crate::http::gate::names_many_hosts;
use crate::http::listen::{AbsoluteForm, Peer};

/// The routes, as one connection goes in to them.
#[derive(Clone)]
pub(crate) struct Entrance<S> {
    peer: Peer,
    routes: S,
}

/// The headers of a request that proxies brought, that names several hosts, or whose body says itself where it ends. Of
/// all others a ping needs none but `Content-Length`. An extension.
#[derive(Debug, Clone)]
pub(crate) struct Unusual(pub HeaderMap);

impl<S> Entrance<S> {
    /// For requests of this peer; the routes of pings know it already.
    pub(crate) fn new(peer: Peer, routes: S) -> Self {
        Self { peer, routes }
    }
}

impl<S, B> Service<Request<B>> for Entrance<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.routes.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let headers = request.headers();
        let unusual = headers.contains_key("x-forwarded-for")
            || headers.contains_key(TRANSFER_ENCODING)
            || names_many_hosts(headers);
        let unusual = unusual.then(|| Unusual(headers.clone()));
        // One with a query may be found to be no ping when that is read.
        let plain = unusual.is_none() && request.uri().query().is_none();
        if !plain || !request.uri().path().starts_with("/ping/") {
            request.extensions_mut().insert(self.peer);
            if let Some(host) = request.uri().authority().cloned() {
                request.extensions_mut().insert(AbsoluteForm(host));
            }
        }
        if let Some(unusual) = unusual {
            request.extensions_mut().insert(unusual);
        }
        self.routes.call(request)
    }
}
