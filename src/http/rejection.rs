//! What is answered when a request cannot be: one JSON shape for everything, whoever refused it. It
//! knows HTTP statuses and nothing of what was asked.

use std::convert::Infallible;

use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use warp::Rejection;
use warp::reject::Reject;
use warp::reply::Response;

use crate::engine::handle::Refused;

/// Characters of a wrong field's name that an error repeats.
const FIELD_MAX: usize = 100;

/// Why a request was not answered as it wished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The HTTP status.
    pub status: StatusCode,
    /// The word for programs.
    pub code: &'static str,
    /// The sentence for people.
    pub message: String,
    /// The field or parameter that is wrong.
    pub field: Option<String>,
    /// One more header.
    pub header: Option<(&'static str, &'static str)>,
}

impl Reject for Failure {}

impl Failure {
    /// With a status, a code and a message.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), field: None, header: None }
    }

    /// 400, and what is wrong with which field.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        let failure = Self::new(StatusCode::BAD_REQUEST, "invalid_field", message);
        // Whoever sends a name without end is not sent it back whole.
        Self { field: Some(field.chars().take(FIELD_MAX).collect()), ..failure }
    }

    /// 404.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 405, and which methods there are.
    pub(crate) fn method(allowed: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", format!("This takes only {allowed}."))
            .with_header("allow", allowed)
    }

    /// With one more header.
    pub(crate) fn with_header(self, name: &'static str, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// The answer.
    pub(crate) fn into_response(self) -> Response {
        let error = ErrorDetail { code: self.code, message: self.message, field: self.field };
        let mut response = json_response(self.status, &ErrorBody { error });
        // A browser may have asked for it, and shows it.
        for (name, value) in [
            (X_FRAME_OPTIONS, "DENY"),
            (REFERRER_POLICY, "no-referrer"),
            (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// Why a call was not answered as it wished.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorBody {
    /// What went wrong.
    error: ErrorDetail,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
struct ErrorDetail {
    /// The word for programs.
    #[schema(example = "invalid_field")]
    code: &'static str,
    /// The sentence for people.
    message: String,
    /// The field or parameter that is wrong.
    field: Option<String>,
}

impl From<Refused> for Failure {
    // Wherever the engine is asked it stands behind a question mark.
    #[inline(never)]
    fn from(refused: Refused) -> Self {
        let (code, message) = match refused {
            Refused::Full => ("busy", "Too many requests wait already. Try again."),
            Refused::NotDurable => {
                ("not_durable", "The journal cannot be written, so this may be lost. Try again.")
            }
            Refused::Stopped => ("stopping", "The daemon is stopping. Try again."),
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
            .with_header("retry-after", retry_after(refused))
    }
}

/// After how many seconds it is worth to try again.
pub(crate) fn retry_after(refused: Refused) -> &'static str {
    match refused {
        Refused::Full => "1",
        Refused::NotDurable | Refused::Stopped => "5",
    }
}

/// An answer in JSON. Nobody may keep it: it can hold secrets, and is true only now.
pub(crate) fn json_response(status: StatusCode, value: &impl Serialize) -> Response {
    let (status, text) = match serde_json::to_vec(value) {
        Ok(text) => (status, text),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            let text =
                br#"{"error":{"code":"internal","message":"The answer could not be written.","field":null}}"#;
            (StatusCode::INTERNAL_SERVER_ERROR, text.to_vec())
        }
    };
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// An answer that says all by its status.
pub(crate) fn empty_response(status: StatusCode) -> Response {
    let mut response = Response::new(Vec::new().into());
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Turns every rejection of the routes into the one shape.
pub(crate) async fn recover(rejection: Rejection) -> Result<Response, Infallible> {
    let failure = if let Some(failure) = rejection.find::<Failure>() {
        failure.clone()
    } else if rejection.is_not_found() {
        Failure::not_found("There is nothing at this address.")
    } else {
        tracing::error!(?rejection, "a request was rejected in an unforeseen way");
        Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "This is a fault of the daemon; its log has more.",
        )
    };
    Ok(failure.into_response())
}
