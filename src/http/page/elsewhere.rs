//! Addresses where nothing is, as a browser is told of them. It knows which parts of the daemon are for programs, who
//! are answered by others.

use std::sync::Arc;

use http::HeaderMap;
use http::header::ACCEPT;
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::http::Door;
use crate::http::page::refusal;
use crate::http::rejection::Failure;
use crate::http::seam::Engine;

/// What the first part of a path is that is for programs, or answers by itself.
const OTHERS: [&str; 7] = ["api", "ping", "badge", "metrics", "healthz", "readyz", "status"];
/// The way up from an address; from a deeper one no page is found.
const UP: &str = "../../../../../../../../../../../../../../../../";

/// Everything that no route before has answered, if a browser asks for a page.
pub(crate) fn routes<E: Engine>(
    door: Arc<Door<E>>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    warp::path::full().and(warp::header::headers_cloned()).and_then(
        move |path: FullPath, headers: HeaderMap| {
            let door = Arc::clone(&door);
            async move {
                let first = path.as_str().split('/').nth(1).unwrap_or_default();
                let root = root(path.as_str()).filter(|_| !OTHERS.contains(&first) && wants_page(&headers));
                let root = root.ok_or_else(warp::reject::not_found)?;
                let failure = Failure::not_found("There is nothing at this address.");
                Ok::<_, Rejection>(refusal(&door, root, &failure))
            }
        },
    )
}

/// Whether a browser wants something to show.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.into_iter().any(|kinds| kinds.contains("text/html"))
}

/// The way from a path to the first page.
fn root(path: &str) -> Option<&'static str> {
    match path.matches('/').count() {
        0 | 1 => Some("./"),
        parts => UP.get(..3 * (parts - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_up_leads_to_the_first_page() {
        for path in ["/", "/x", "/x/", "/x/y", "/a/b/c/"] {
            let here = url::Url::parse(&format!("http://localhost/under{path}")).unwrap();
            assert_eq!(here.join(root(path).unwrap()).unwrap().path(), "/under/", "{path}");
        }
        assert_eq!(root(&"/x".repeat(18)), None);
    }
}
