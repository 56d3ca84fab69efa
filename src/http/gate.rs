//! What every request passes that is no ping before anything looks at it: that it names one host, and the fair limit
//! of its address. It knows heads, and nothing of what is asked for.

use std::sync::Arc;

use http::header::{CONNECTION, HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::http::Door;
use crate::http::body::{announced, linger};
use crate::http::fairness::{Asked, Excess, Fairness};
use crate::http::listen::Peer;
use crate::http::rejection::Failure;
use crate::http::seam::Engine;

/// Why a request is not let in.
enum Refusal {
    TooMany(Excess, Option<Peer>),
    Hosts,
}

/// Answers those that are not let in, and leaves all others to the routes that follow.
pub(crate) fn routes<E: Engine>(
    door: Arc<Door<E>>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let asked = Arc::clone(&door);
    warp::path::full()
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<Peer>())
        .and_then(move |path: FullPath, headers: HeaderMap, peer: Option<Peer>| {
            let refusal = refuse(&asked, path.as_str(), &headers, peer);
            async move {
                refusal.map(|refusal| (refusal, announced(&headers))).ok_or_else(warp::reject::not_found)
            }
        })
        // Only now: whoever takes the body leaves none to the routes that follow.
        .and(warp::body::stream())
        .map(move |(refusal, body): (Refusal, bool), stream| {
            if body {
                linger(Box::pin(stream));
            }
            refusal.into_response(&door)
        })
}

fn refuse<E: Engine>(door: &Door<E>, path: &str, headers: &HeaderMap, peer: Option<Peer>) -> Option<Refusal> {
    let asked = if ["/healthz", "/readyz"].contains(&path) { Asked::Health } else { Asked::Anything };
    if names_many_hosts(headers) {
        return Some(Refusal::Hosts);
    }
    Fairness::of_request(door, asked, headers, peer).err().map(|excess| Refusal::TooMany(excess, peer))
}

/// Such a request must be refused (RFC 9112, 3.2): whoever stands before may have read the other one.
pub(crate) fn names_many_hosts(headers: &HeaderMap) -> bool {
    headers.get_all(HOST).iter().nth(1).is_some()
}

impl Refusal {
    fn into_response<E: Engine>(self, door: &Door<E>) -> Response {
        match self {
            Self::TooMany(excess, peer) => {
                let failure =
                    Failure::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", excess.to_string());
                let mut response = failure.into_response();
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(excess.seconds));
                response.extensions_mut().insert(excess.held(peer, &door.settings()));
                response
            }
            Self::Hosts => {
                let message = "There is more than one Host header.";
                let mut response =
                    Failure::new(StatusCode::BAD_REQUEST, "many_hosts", message).into_response();
                // What follows on the connection may have been read otherwise, too.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                response
            }
        }
    }
}
