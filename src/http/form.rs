//! The forms of the page, read whole. It knows `application/x-www-form-urlencoded`, and nothing of what a form
//! is about.

use http::{HeaderMap, StatusCode};

use crate::http::auth::is_form;
use crate::http::body::Unread;
use crate::http::head::{Body, read};
use crate::http::rejection::Failure;

/// Bytes of a form that are read.
const FORM_MAX: usize = 4 * 1024;

/// A form, read.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads one of at most 4 KB.
    pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, Failure> {
        if !is_form(headers) {
            return Err(Failure::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "The body must be a form, sent as \"Content-Type: application/x-www-form-urlencoded\".",
            ));
        }
        let body = read(headers, body, FORM_MAX).await.map_err(|unread| match unread {
            Unread::TooLarge => Failure::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "A form must have at most 4 KB.",
            ),
            Unread::Unfinished(_) => Failure::new(
                StatusCode::REQUEST_TIMEOUT,
                "body_unfinished",
                "The body did not come whole within 10 s.",
            ),
        })?;
        Ok(Self(url::form_urlencoded::parse(&body).into_owned().collect()))
    }

    /// What was put into a field; nothing when the field is not there.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }
}
