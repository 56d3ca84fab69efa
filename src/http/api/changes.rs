//! Heartbeats made, changed, deleted, paused and resumed.

use http::StatusCode;
use utoipa::ToSchema;
use warp::reply::Response;

use crate::engine::handle::Refused;
use crate::http::api::draft::{self, Whole};
use crate::http::api::fields::Fields;
use crate::http::api::heartbeats::after_change;
use crate::http::api::openapi::{HeartbeatPatch, NewHeartbeat, WholeHeartbeat};
use crate::http::api::request::{Body, Request};
use crate::http::api::{astray, named, no_such_heartbeat, target};
use crate::http::rejection::{Failure, empty_response};
use crate::http::seam::Engine;
use crate::http::{Door, HttpSettings};
use crate::machine::event::{Conflict, Reply, Request as Wish};
use crate::machine::view::HeartbeatView;
use crate::model::id::Slug;
use crate::model::ping::Target;
use crate::model::time::Span;

/// How often a merge is tried whose heartbeat somebody else changes meanwhile.
const ROUNDS: usize = 20;

/// Make a heartbeat
///
/// Its slug is made of its name, unless one is given. What is not said comes from `[defaults]` of the config, now and
/// whenever those change.
#[utoipa::path(post, operation_id = "createHeartbeat", path = "/api/v1/heartbeats", tag = "Heartbeats", request_body = NewHeartbeat,
    responses((status = 201, description = "It was made.", body = HeartbeatView, headers(
        ("Location" = String, description = "Its address."),
        ("ETag" = String, description = "What is said of it, for If-Match."))),
        (status = 409, description = "The slug or the UUID is taken, or there are 1,000,000 heartbeats.")))]
pub(super) async fn create<E: Engine>(
    door: &Door<E>,
    settings: &HttpSettings,
    request: &Request,
    body: Body,
) -> Result<Response, Failure> {
    request.parameters(&[])?;
    let Whole { slug, draft } = draft::read(&Fields::of(request.json(body).await?).await?, None, settings)?;
    draft::still_expected(&draft, None, &settings.zones, door.engine.now())?;
    let reply = door.engine.request(Wish::Create { slug, draft }).await?;
    respond(door, reply).await
}

/// Replace a heartbeat, or make it
///
/// What is not said goes back to its default, but for the UUID: without one it keeps the one that it has, since that
/// is in somebody's crontab. By a UUID that is not there none can be made.
#[utoipa::path(put, operation_id = "replaceHeartbeat", path = "/api/v1/heartbeats/{heartbeat}", tag = "Heartbeats", request_body = WholeHeartbeat,
    params(("heartbeat" = String, Path, description = "Its slug or UUID."),
        ("If-Match" = Option<String>, Header, description = "The ETag that it must have, or `*`: it must be there."),
        ("If-None-Match" = Option<String>, Header, description = "`*`: it must not be there.")),
    responses((status = 200, description = "It was replaced.", body = HeartbeatView,
            headers(("ETag" = String, description = "What is said of it, for If-Match."))),
        (status = 201, description = "It was made.", body = HeartbeatView, headers(
            ("Location" = String, description = "Its address."),
            ("ETag" = String, description = "What is said of it, for If-Match."))),
        (status = 404, description = "There is no heartbeat of this UUID, or this can be no slug."),
        (status = 409, description = "It is declared in the config, or the UUID is taken."),
        (status = 412, description = "It is not, or no longer, what the change was made for.")))]
pub(super) async fn replace<E: Engine>(
    door: &Door<E>,
    settings: &HttpSettings,
    name: &str,
    request: &Request,
    body: Body,
) -> Result<Response, Failure> {
    request.parameters(&[])?;
    let (target, expected) = (target(name)?, request.expected()?);
    let fields = Fields::of(request.json(body).await?).await?;
    let slug = match &target {
        Target::Slug(slug) => slug.clone(),
        Target::Uuid(_) => living_slug(door, name).await?,
    };
    let Whole { draft, .. } = draft::read(&fields, Some(&slug), settings)?;
    if let Err(spent) = draft::still_expected(&draft, None, &settings.zones, door.engine.now()) {
        let asked = named(name)?;
        let told = door.engine.ask(move |view| view.draft(&asked)).await?.and_then(|(_, told, _)| told);
        draft::still_expected(&draft, told.as_ref(), &settings.zones, door.engine.now())
            .map_err(|_| spent)?;
    }
    let reply = door.engine.request(Wish::Replace { target, draft, expected }).await?;
    respond(door, reply).await
}

/// Change some of a heartbeat
///
/// Only what is given changes; null puts a field back to its default (JSON Merge Patch). Without `If-Match` it is
/// merged into whatever is there at that moment.
#[utoipa::path(patch, operation_id = "changeHeartbeat", path = "/api/v1/heartbeats/{heartbeat}", tag = "Heartbeats", request_body = HeartbeatPatch,
    params(("heartbeat" = String, Path, description = "Its slug or UUID."),
        ("If-Match" = Option<String>, Header, description = "The ETag that it must have, or `*`: it must be there.")),
    responses((status = 200, description = "It was changed.", body = HeartbeatView,
            headers(("ETag" = String, description = "What is said of it, for If-Match."))),
        (status = 404, description = "There is no such heartbeat."),
        (status = 409, description = "It is declared in the config, the UUID is taken, or it would be left without a schedule."),
        (status = 412, description = "It is no longer what the change was made for.")))]
pub(super) async fn merge<E: Engine>(
    door: &Door<E>,
    settings: &HttpSettings,
    name: &str,
    request: &Request,
    body: Body,
) -> Result<Response, Failure> {
    request.parameters(&[])?;
    let (name, expected) = (named(name)?, request.expected()?);
    let fields = Fields::of(request.json(body).await?).await?;
    let pauses = fields.mentions(&["paused"]);
    for _ in 0..ROUNDS {
        let asked = name.clone();
        let found = door.engine.ask(move |view| view.draft(&asked)).await?;
        let (slug, told, edition) = found.ok_or_else(no_such_heartbeat)?;
        let told = told.ok_or_else(|| refused(Conflict::Declared))?;
        if !expected.holds(edition) {
            return Err(refused(Conflict::Stale));
        }
        let draft = draft::merge(&fields, told.clone(), &slug, settings)?;
        draft::still_expected(&draft, Some(&told), &settings.zones, door.engine.now())?;
        let wish = Wish::Amend { target: Target::Slug(slug), draft, edition, pauses };
        let reply = door.engine.request(wish).await?;
        // If somebody else was quicker, it is worked into what is there now.
        if reply != Reply::Conflict(Conflict::Stale) {
            return respond(door, reply).await;
        }
    }
    Err(Refused::Full.into())
}

/// Delete a heartbeat
///
/// Its URL answers 404 from now on and an open incident is resolved. What was recorded of it is kept for
/// `keep_removed`: made again, it has its history.
#[utoipa::path(delete, operation_id = "deleteHeartbeat", path = "/api/v1/heartbeats/{heartbeat}", tag = "Heartbeats",
    params(("heartbeat" = String, Path, description = "Its slug or UUID."),
        ("If-Match" = Option<String>, Header, description = "The ETag that it must have, or `*`: it must be there.")),
    responses((status = 204, description = "It is gone."),
        (status = 404, description = "There is no such heartbeat."),
        (status = 409, description = "It is declared in the config."),
        (status = 412, description = "It is no longer what the change was made for.")))]
pub(super) async fn delete<E: Engine>(
    door: &Door<E>,
    name: &str,
    request: &Request,
) -> Result<Response, Failure> {
    request.parameters(&[])?;
    let (target, expected) = (target(name)?, request.expected()?);
    let reply = door.engine.request(Wish::Delete { target, expected }).await?;
    respond(door, reply).await
}

/// For how long a heartbeat is paused.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what `pause` reads")]
pub(super) struct Pause {
    /// A duration from 1s to 366d, after which it resumes by itself; unsaid: until it is resumed.
    #[schema(value_type = Option<String>, format = "span", example = "2h")]
    r#for: Option<String>,
}

/// Pause a heartbeat
///
/// Nothing is expected of it: open runs are abandoned, an open incident is resolved, pings are only recorded. Also for
/// heartbeats that the config declares. One that is paused already stays as it is.
#[utoipa::path(post, operation_id = "pauseHeartbeat", path = "/api/v1/heartbeats/{heartbeat}/pause", tag = "Heartbeats", request_body = Option<Pause>,
    params(("heartbeat" = String, Path, description = "Its slug or UUID.")),
    responses((status = 200, description = "It is paused.", body = HeartbeatView,
            headers(("ETag" = String, description = "What is said of it, for If-Match."))),
        (status = 404, description = "There is no such heartbeat.")))]
pub(super) async fn pause<E: Engine>(
    door: &Door<E>,
    name: &str,
    request: &Request,
    body: Body,
) -> Result<Response, Failure> {
    request.parameters(&[])?;
    let target = target(name)?;
    let span = match request.optional_json(body).await? {
        None => None,
        Some(body) => read_pause(&Fields::of(body).await?)?,
    };
    let reply = door.engine.request(Wish::Pause { target, span }).await?;
    respond(door, reply).await
}

/// For how long a body wants it to be paused, if it says so.
fn read_pause(fields: &Fields) -> Result<Option<Span>, Failure> {
    fields.all_known(&["for"])?;
    fields.span(&["for"], Span::from_secs(1)..=draft::YEAR)
}

/// Resume a heartbeat
///
/// Its due counts from now. One that is not paused stays as it is.
#[utoipa::path(post, operation_id = "resumeHeartbeat", path = "/api/v1/heartbeats/{heartbeat}/resume", tag = "Heartbeats",
    params(("heartbeat" = String, Path, description = "Its slug or UUID.")),
    responses((status = 200, description = "It is not paused.", body = HeartbeatView,
            headers(("ETag" = String, description = "What is said of it, for If-Match."))),
        (status = 404, description = "There is no such heartbeat.")))]
pub(super) async fn resume<E: Engine>(
    door: &Door<E>,
    name: &str,
    request: &Request,
) -> Result<Response, Failure> {
    request.parameters(&[])?;
    let target = target(name)?;
    let reply = door.engine.request(Wish::Resume { target }).await?;
    respond(door, reply).await
}

async fn living_slug<E: Engine>(door: &Door<E>, name: &str) -> Result<Slug, Failure> {
    let name = named(name)?;
    let found = door.engine.ask(move |view| view.heartbeat(&name)).await?;
    Ok(found.ok_or_else(no_such_heartbeat)?.slug)
}

async fn respond<E: Engine>(door: &Door<E>, reply: Reply) -> Result<Response, Failure> {
    match reply {
        Reply::Created(slug) => after_change(door, StatusCode::CREATED, slug).await,
        Reply::Changed(slug) => after_change(door, StatusCode::OK, slug).await,
        Reply::Deleted => Ok(empty_response(StatusCode::NO_CONTENT)),
        Reply::Unknown => Err(no_such_heartbeat()),
        Reply::Conflict(conflict) => Err(refused(conflict)),
        reply @ (Reply::Done | Reply::Taken | Reply::Queued(_) | Reply::Reloading) => Err(astray(&reply)),
    }
}

/// What a conflict is to those who ask.
pub(in crate::http) fn refused(conflict: Conflict) -> Failure {
    let failure = |status, code, message| Failure::new(status, code, message);
    let on = |field: &str, failure| Failure { field: Some(field.to_owned()), ..failure };
    let conflicts = StatusCode::CONFLICT;
    match conflict {
        Conflict::Slug => {
            let message =
                "Another heartbeat has this slug. Give another \"slug\", or change that one by PUT or PATCH.";
            on("slug", failure(conflicts, "slug_taken", message))
        }
        Conflict::Uuid => {
            let message = "Another heartbeat has this UUID, or one that was deleted and is remembered for keep_removed.";
            on("uuid", failure(conflicts, "uuid_taken", message))
        }
        Conflict::Full => failure(
            conflicts,
            "too_many_heartbeats",
            "There are already 1,000,000 heartbeats. Remove one first.",
        ),
        Conflict::Declared => failure(
            conflicts,
            "declared_in_config",
            "This heartbeat is declared in the config. Change it there; by the API it can only be paused and resumed.",
        ),
        Conflict::Stale => failure(
            StatusCode::PRECONDITION_FAILED,
            "stale",
            "The heartbeat is not, or no longer, what If-Match or If-None-Match says. Read it again.",
        ),
        Conflict::TestsWait => failure(
            conflicts,
            "tests_wait",
            "Eight tests of this channel wait already. Look at them: GET /api/v1/deliveries?status=waiting",
        ),
        Conflict::Delivered => failure(conflicts, "already_delivered", "This delivery arrived already."),
        Conflict::ChannelGone => failure(
            conflicts,
            "channel_gone",
            "The channel of this delivery is no longer in the config. Put it back first.",
        ),
    }
}

#[cfg(test)]
mod fuzz;
