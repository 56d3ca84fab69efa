//! Where the badges of something are, and its status page.

use http::StatusCode;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use warp::reply::Response;

use crate::http::Door;
use crate::http::HttpSettings;
use crate::http::api::request::Request;
use crate::http::api::{named, no_such_heartbeat};
use crate::http::badge::{Form, Kind, address, page_address};
use crate::http::rejection::{Failure, json_response};
use crate::http::seam::Engine;
use crate::model::text;

/// Of what badges are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes what `show` reads")]
pub(super) struct BadgeQuery {
    /// Of this heartbeat, by slug or UUID.
    heartbeat: Option<String>,
    /// Of all heartbeats with this tag, exactly.
    tag: Option<String>,
}

/// The public addresses of something: whoever has one sees how it stands, without a key.
#[derive(Serialize, ToSchema)]
pub(super) struct Badges {
    /// A picture.
    svg: String,
    /// For programs: an object with `status`, which is a status or `none`.
    json: String,
    /// For the badge "endpoint" of shields.io.
    shields: String,
    /// The status page of the tag, if `server.status_pages` names it; else null.
    status_page: Option<String>,
}

/// Show the addresses of badges
///
/// Of one heartbeat, of a tag, or without parameters of all heartbeats. They stay the same until `server_key` in the
/// state folder is another.
#[utoipa::path(get, operation_id = "showBadges", path = "/api/v1/badges", tag = "Summary", params(BadgeQuery),
    responses((status = 200, description = "The addresses.", body = Badges),
        (status = 404, description = "There is no such heartbeat.")))]
pub(super) async fn show<E: Engine>(
    door: &Door<E>,
    settings: &HttpSettings,
    request: &Request,
) -> Result<Response, Failure> {
    let given = request.parameters(&["heartbeat", "tag"])?;
    let kind = match (given.text("heartbeat"), given.text("tag")) {
        (Some(_), Some(_)) => return Err(Failure::field("tag", "Badges are of a heartbeat or of a tag.")),
        (Some(name), None) => Kind::Heartbeat(uuid(door, name).await?),
        (None, Some(tag)) => {
            text::word(tag).map_err(|error| Failure::field("tag", format!("A tag {error}.")))?;
            Kind::Tag(tag.to_owned())
        }
        (None, None) => Kind::All,
    };
    let status_page = match &kind {
        Kind::Tag(tag) => page_address(settings, tag),
        Kind::Heartbeat(_) | Kind::All | Kind::Page(_) => None,
    };
    let at = |form| address(settings, &kind, form);
    let (svg, json, shields) = (at(Form::Svg), at(Form::Json), at(Form::Shields));
    Ok(json_response(StatusCode::OK, &Badges { svg, json, shields, status_page }))
}

async fn uuid<E: Engine>(door: &Door<E>, name: &str) -> Result<Uuid, Failure> {
    let name = named(name)?;
    let found = door.engine.ask(move |view| view.uuid_of(&name)).await?;
    found.ok_or_else(no_such_heartbeat)
}
