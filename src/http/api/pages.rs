//! Pages of lists: gathered from the engine piece by piece, since it looks at a bounded number in one turn, and
//! written off the thread that hears pings when they are long.

use http::StatusCode;
use serde::Serialize;
use tokio::sync::Semaphore;
use warp::reply::Response;

use crate::engine::handle::Refused;
use crate::http::rejection::{Failure, json_response};
use crate::http::seam::Engine;
use crate::machine::view::{Page, View};

/// Items from which on a page is written on another thread: a hundred take about 0.3 ms.
const LONG: usize = 100;

/// Long pages that are written at the same time: more would only take the cores from those who ping.
static WRITERS: Semaphore = Semaphore::const_new(2);

/// Gathers a page of at most `limit` items, and says where the next one begins.
pub(super) async fn gather<E, T, C>(
    engine: &E,
    limit: usize,
    mut from: Option<C>,
    piece: impl Fn(View<'_>, Option<&C>, usize) -> Page<T, C> + Clone + Send + 'static,
) -> Result<(Vec<T>, Option<C>), Refused>
where
    E: Engine,
    T: Send + 'static,
    C: Send + 'static,
{
    let mut items: Vec<T> = Vec::new();
    loop {
        let (piece, room) = (piece.clone(), limit - items.len());
        let page = engine.ask(move |view| piece(view, from.as_ref(), room)).await?;
        items.extend(page.items);
        from = page.next;
        if from.is_none() || items.len() >= limit {
            return Ok((items, from));
        }
    }
}

/// Answers with a list of so many items.
pub(super) async fn answer(
    length: usize,
    list: impl Serialize + Send + 'static,
) -> Result<Response, Failure> {
    if length < LONG {
        return Ok(json_response(StatusCode::OK, &list));
    }
    let turn = WRITERS.acquire().await.map_err(|_| Refused::Stopped)?;
    let written = tokio::task::spawn_blocking(move || {
        let response = json_response(StatusCode::OK, &list);
        drop(turn);
        response
    });
    written.await.map_err(|_| Refused::Stopped.into())
}
