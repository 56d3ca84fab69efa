//! Pages of lists: gathered from the engine piece by piece, since it looks at a bounded number in one turn, and
//! written off the thread that hears pings when they are long.

use http::StatusCode;
use serde::Serialize;
use tokio::sync::Semaphore;
use uuid::Uuid;
use warp::reply::Response;

use crate::engine::handle::Refused;
use crate::http::rejection::{Failure, json_response};
use crate::http::seam::Engine;
use crate::machine::view::{PAGE_BYTES, Page, View};
use crate::model::id::parse_uuid;
use crate::model::time::Timestamp;

/// Items from which on a page is written on another thread: ten take at most as long as a few pings.
const LONG: usize = 10;

/// Long pages that are written at the same time: more would only take the cores from those who ping.
static WRITERS: Semaphore = Semaphore::const_new(2);

/// Gathers a page of at most `limit` items, and says where the next one begins.
pub(in crate::http) async fn gather<E, T, C>(
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
    let (mut items, mut bytes) = (Vec::new(), 0);
    loop {
        let (piece, room) = (piece.clone(), limit - items.len());
        let page = engine.ask(move |view| piece(view, from.as_ref(), room)).await?;
        from = add(&mut items, &mut bytes, page);
        if from.is_none() || is_full(limit, items.len(), bytes) {
            return Ok((items, from));
        }
    }
}

/// The same on a thread that may wait.
pub(in crate::http) fn blocking_gather<E, T, C>(
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
    let (mut items, mut bytes) = (Vec::new(), 0);
    loop {
        let (piece, room) = (piece.clone(), limit - items.len());
        let page = engine.blocking_ask(move |view| piece(view, from.as_ref(), room))?;
        from = add(&mut items, &mut bytes, page);
        if from.is_none() || is_full(limit, items.len(), bytes) {
            return Ok((items, from));
        }
    }
}

fn add<T, C>(items: &mut Vec<T>, bytes: &mut usize, page: Page<T, C>) -> Option<C> {
    items.extend(page.items);
    *bytes += page.bytes;
    page.next
}

fn is_full(limit: usize, length: usize, bytes: usize) -> bool {
    length >= limit || bytes >= PAGE_BYTES
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

/// A place in a list that goes by number: up to 19 digits.
pub(super) fn read_number(text: &str) -> Option<u64> {
    let plain = (1..=19).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// A place in a list that goes by time: the instant in milliseconds since 1970, and an id where that is the same.
pub(super) fn write_instant(at: Timestamp, id: Uuid) -> String {
    format!("{}_{}", at.as_millis(), id.simple())
}

/// Reads what [`write_instant`] wrote.
pub(super) fn read_instant(text: &str) -> Option<(Timestamp, Uuid)> {
    let (millis, id) = text.split_once('_')?;
    let digits = millis.strip_prefix('-').unwrap_or(millis);
    let plain = (1..=15).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit());
    let lower = id.len() == 32 && !id.bytes().any(|c| c.is_ascii_uppercase());
    if !plain || !lower {
        return None;
    }
    let millis = millis.parse().ok()?;
    let at = Timestamp::from_millis(millis);
    // An instant beyond all that there are would be another one.
    if at.as_millis() != millis {
        return None;
    }
    Some((at, parse_uuid(id)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let id = Uuid::from_u128(0xABCD_EF01);
        for at in [0, -5, 1_795_316_400_123] {
            let at = Timestamp::from_millis(at);
            assert_eq!(read_instant(&write_instant(at, id)), Some((at, id)));
        }
        for bad in [
            "",
            "_",
            "1_",
            "1_x",
            "+1_0000000000000000000000000000abcd",
            "1_ABCDEF0000000000000000000000abcd",
            "361795316400123_0000000000000000000000000000abcd",
        ] {
            assert_eq!(read_instant(bad), None, "{bad}");
        }
    }
}
