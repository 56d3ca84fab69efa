//! The description of the API for programs (`OpenAPI` 3.1), made from the types that requests are answered with. What
//! holds for every call (errors, access) and what derived schemas cannot say (one schedule and no more) is added here.

mod heartbeat;

use std::sync::OnceLock;

use http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;
use warp::reply::Response;

use crate::http::HttpSettings;
use crate::http::api::request::Request;
use crate::http::api::{badges, changes, deliveries, events, heartbeats, history, incidents, summary};
use crate::http::health;
use crate::http::metrics;
use crate::http::rejection::{ErrorBody, Failure, json_response};

pub(super) use heartbeat::{HeartbeatPatch, NewHeartbeat, WholeHeartbeat};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "overdue",
        description = "Tells people when a job did not run. Instants are RFC 3339 in UTC with milliseconds. Durations are \
            whole numbers with the units w, d, h, m and s, from large to small (\"1h30m\"), or numbers of seconds or \
            milliseconds where the name of the field says so. A parameter or field that is not described is refused. Pings \
            need no key and are not described here: their URL is the secret.",
        license(name = "MIT", identifier = "MIT"),
    ),
    paths(
        heartbeats::list,
        changes::create,
        heartbeats::one,
        changes::replace,
        changes::merge,
        changes::delete,
        changes::pause,
        changes::resume,
        history::pings,
        history::runs,
        history::executions,
        history::stats,
        incidents::list,
        deliveries::list,
        deliveries::one,
        deliveries::retry,
        deliveries::test,
        events::follow,
        summary::summary,
        badges::show,
        describe,
        health::alive,
        health::readiness,
        metrics::metrics,
    ),
    components(schemas(ErrorBody, NewHeartbeat, WholeHeartbeat, HeartbeatPatch)),
    tags(
        (name = "Heartbeats", description = "The watched jobs. Those that the config declares are changed there, and only paused and resumed here."),
        (name = "History", description = "What was of a heartbeat."),
        (name = "Incidents", description = "From going down to recovery."),
        (name = "Deliveries", description = "One alert to one channel, with its attempts."),
        (name = "Events", description = "What happens, as it happens."),
        (name = "Summary", description = "How everything stands."),
    )
)]
struct Description;

/// This description
#[utoipa::path(get, operation_id = "showDescription", path = "/api/v1/openapi.json", tag = "Summary",
    responses((status = 200, description = "The description.", body = Object)))]
#[allow(dead_code, reason = "it describes `answer`")]
fn describe() {}

/// The description, as the access to it is now.
pub(super) fn answer(settings: &HttpSettings, request: &Request) -> Result<Response, Failure> {
    request.parameters(&[])?;
    Ok(json_response(StatusCode::OK, &document(settings)))
}

fn document(settings: &HttpSettings) -> Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    let mut document = DOCUMENT.get_or_init(described).clone();
    document["servers"] = json!([{ "url": settings.base_url }]);
    if !settings.api_keys.is_empty() {
        document["security"] = json!([{ "bearer": [] }, { "header": [] }]);
        document["components"]["securitySchemes"] = json!({
            "bearer": { "type": "http", "scheme": "bearer", "description": "A key of [[server.api_keys]]." },
            "header": { "type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "The same." },
        });
    }
    document
}

fn described() -> Value {
    let mut document = serde_json::to_value(Description::openapi()).unwrap_or_default();
    heartbeat::complete(&mut document["components"]["schemas"]);
    for (name, schema) in document["components"]["schemas"].as_object_mut().into_iter().flatten() {
        require_all(name, schema);
    }
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (_, path) in paths.filter(|(path, _)| path.starts_with("/api/") || *path == "/metrics") {
        for operation in objects(path) {
            errors(operation);
        }
    }
    // It may be left out; sent, it is an object.
    document["paths"]["/api/v1/heartbeats/{heartbeat}/pause"]["post"]["requestBody"] = json!({
        "required": false,
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Pause" } } },
    });
    document["components"]["schemas"]["Pause"]["additionalProperties"] = json!(false);
    links(&mut document["paths"]);
    document
}

/// The schemas of what is sent, in which fields may be left out.
const REQUESTS: [&str; 4] = ["NewHeartbeat", "WholeHeartbeat", "HeartbeatPatch", "Pause"];

/// In an answer every field is there, be it null; but for the secrets, and the bodies that were not asked for.
fn require_all(name: &str, schema: &mut Value) {
    let is_optional = |field: &str| match name {
        "Heartbeat" => matches!(field, "uuid" | "ping_url"),
        "Ping" | "Run" => field == "body",
        "JournalReady" => field == "error",
        _ => false,
    };
    // One that has another's fields and some of its own.
    for part in schema.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten() {
        require_all(name, part);
    }
    let Some(fields) = schema["properties"].as_object().filter(|_| !REQUESTS.contains(&name)) else { return };
    let required: Vec<&String> = fields.keys().filter(|field| !is_optional(field)).collect();
    schema["required"] = json!(required);
}

fn objects(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_object_mut().into_iter().flat_map(Map::values_mut)
}

/// What every call can answer, and the one shape of all errors.
fn errors(operation: &mut Value) {
    const ALL: [(&str, &str); 6] = [
        ("400", "A parameter or field is wrong; the error names it."),
        ("401", "An API key is needed, or the one that was sent is none."),
        (
            "403",
            "The key may not do this; or the request came from another site; or, without keys, from elsewhere, through a proxy, or with a body that is not JSON.",
        ),
        ("405", "This address does not take this method."),
        (
            "429",
            "More requests came from this address than server.request_rate_per_address lets through. With Retry-After.",
        ),
        ("503", "Not now: the daemon is busy, stopping, or cannot write its journal. With Retry-After."),
    ];
    const WITH_BODY: [(&str, &str); 3] = [
        ("408", "The body did not come whole within 10 s."),
        ("413", "The body has more than 1 MiB."),
        ("415", "The body is not sent as application/json."),
    ];
    let body = operation.get("requestBody").is_some();
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, description) in ALL.iter().chain(WITH_BODY.iter().filter(|_| body)) {
        responses.insert((*status).to_owned(), json!({ "description": description }));
    }
    for (status, response) in responses.iter_mut().filter(|(status, _)| status.as_str() >= "400") {
        response["content"] =
            json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } });
        if status == "405" {
            response["headers"] = header("Allow", "The methods that it takes.");
        }
        if status == "401" {
            response["headers"] = header("WWW-Authenticate", "That a key is sent as a bearer.");
        }
        if ["429", "503"].contains(&status.as_str()) {
            response["headers"] = header("Retry-After", "After how many seconds to try again.");
        }
    }
    responses.sort_keys();
}

fn header(name: &str, description: &str) -> Value {
    json!({ name: { "description": description, "schema": { "type": "string" } } })
}

/// What can be done with what an answer names.
fn links(paths: &mut Value) {
    const OF_HEARTBEATS: [&str; 10] = [
        "showHeartbeat",
        "replaceHeartbeat",
        "changeHeartbeat",
        "deleteHeartbeat",
        "pauseHeartbeat",
        "resumeHeartbeat",
        "listPings",
        "listRuns",
        "listExecutions",
        "showStats",
    ];
    const OF_DELIVERIES: [&str; 2] = ["showDelivery", "retryDelivery"];
    for (path, method, status, operations, parameter, from) in [
        ("/api/v1/heartbeats", "post", "201", &OF_HEARTBEATS[..], "heartbeat", "/slug"),
        ("/api/v1/channels/{channel}/test", "post", "202", &OF_DELIVERIES, "delivery", "/id"),
    ] {
        let link = |operation: &str| {
            let from = format!("$response.body#{from}");
            json!({ "operationId": operation, "parameters": { parameter: from } })
        };
        let links: Map<_, _> = operations.iter().map(|name| ((*name).to_owned(), link(name))).collect();
        paths[path][method]["responses"][status]["links"] = links.into();
    }
}

#[cfg(test)]
mod tests;
