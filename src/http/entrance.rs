//! Where the requests of a connection go in. What only the connection knows goes along with them as extensions, but
//! not with a plain ping: they cost three allocations, and pings are most of all requests. It knows which requests
//! these are, and nothing of what is done with them.

use std::task::{Context, Poll};

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

/// The headers of a request that proxies brought, or that names several hosts: of all others a ping needs none. An
/// extension.
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
        if !request.uri().path().starts_with("/ping/") {
            request.extensions_mut().insert(self.peer);
            if let Some(host) = request.uri().authority().cloned() {
                request.extensions_mut().insert(AbsoluteForm(host));
            }
        }
        let headers = request.headers();
        if headers.contains_key("x-forwarded-for") || names_many_hosts(headers) {
            let unusual = Unusual(headers.clone());
            request.extensions_mut().insert(unusual);
        }
        self.routes.call(request)
    }
}
