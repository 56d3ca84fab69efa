//! Incidents of all heartbeats.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use warp::reply::Response;

use crate::http::Door;
use crate::http::api::pages;
use crate::http::api::request::Request;
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::machine::incidents::Opened;
use crate::machine::view::{IncidentEntry, IncidentFilter, View};
use crate::model::id::{IncidentId, Slug, parse_uuid};
use crate::model::time::Timestamp;

/// Which incidents are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes what `list` reads")]
pub(super) struct IncidentsQuery {
    /// Only those that are open, or resolved.
    #[param(inline)]
    status: Option<IncidentStatus>,
    /// Only those of the heartbeat of this slug, also of one that has left.
    heartbeat: Option<String>,
    /// How many a page has at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before: when the last one opened, in milliseconds since 1970, and its id.
    #[param(pattern = "^-?[0-9]{1,15}_[0-9a-f]{32}$")]
    cursor: Option<String>,
}

/// Whether an incident is over.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "it describes what `list` reads")]
enum IncidentStatus {
    Open,
    Resolved,
}

/// A page of incidents, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct IncidentList {
    /// The incidents.
    incidents: Vec<IncidentEntry>,
    /// Where the next page begins; null at the end.
    next_cursor: Option<String>,
}

/// List incidents
///
/// By when they opened. Of each heartbeat the open one and the newest 50 resolved ones are kept.
#[utoipa::path(get, operation_id = "listIncidents", path = "/api/v1/incidents", tag = "Incidents", params(IncidentsQuery),
    responses((status = 200, description = "A page.", body = IncidentList)))]
pub(super) async fn list<E: Engine>(door: &Door<E>, request: &Request) -> Result<Response, Failure> {
    let given = request.parameters(&["status", "heartbeat", "limit", "cursor"])?;
    let open = given.word("status", &[("open", true), ("resolved", false)])?;
    let (limit, cursor) = (given.limit()?, given.cursor(read_cursor)?);
    let heartbeat = given.text("heartbeat").map(Slug::new).transpose();
    let Ok(heartbeat) = heartbeat else {
        // What can be no slug has no incidents.
        return pages::answer(0, IncidentList { incidents: Vec::new(), next_cursor: None }).await;
    };
    let filter = IncidentFilter { open, heartbeat };
    let piece =
        move |view: View<'_>, before: Option<&Opened>, room| view.incidents(&filter, before.copied(), room);
    let (incidents, next) = pages::gather(&door.engine, limit, cursor, piece).await?;
    let list = IncidentList { next_cursor: next.map(write_cursor), incidents };
    pages::answer(list.incidents.len(), list).await
}

fn write_cursor((at, IncidentId(id)): Opened) -> String {
    format!("{}_{}", at.as_millis(), id.simple())
}

fn read_cursor(text: &str) -> Option<Opened> {
    let (millis, id) = text.split_once('_')?;
    let digits = millis.strip_prefix('-').unwrap_or(millis);
    let plain = (1..=15).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit());
    let lower = id.len() == 32 && !id.bytes().any(|c| c.is_ascii_uppercase());
    if !plain || !lower {
        return None;
    }
    Some((Timestamp::from_millis(millis.parse().ok()?), IncidentId(parse_uuid(id)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let id = IncidentId(uuid::Uuid::from_u128(0xABCD_EF01));
        for at in [0, -5, 1_795_316_400_123] {
            let opened = (Timestamp::from_millis(at), id);
            assert_eq!(read_cursor(&write_cursor(opened)), Some(opened));
        }
        for bad in [
            "",
            "_",
            "1_",
            "1_x",
            "+1_0000000000000000000000000000abcd",
            "1_ABCDEF0000000000000000000000abcd",
        ] {
            assert_eq!(read_cursor(bad), None, "{bad}");
        }
    }
}
