//! A request to the API, read: its parameters, its body, what it expects to change. Knows HTTP, and nothing of
//! what is asked.

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use uuid::Uuid;

use crate::http::auth::is_json;
use crate::http::body::{Unread, announced};
use crate::http::head::read;
pub(super) use crate::http::head::{Body, Head as Request};
use crate::http::rejection::Failure;
use crate::machine::event::{Edition, Expected};

/// Bytes of a body that are read.
const BODY_MAX: usize = 1024 * 1024;

/// How many a page has when nothing is said, and at most.
pub(super) const LIMIT: usize = 100;
pub(super) const LIMIT_MAX: usize = 1000;

impl Request {
    /// The parameters, which must all be known.
    pub(super) fn parameters(&self, known: &'static [&'static str]) -> Result<Parameters<'_>, Failure> {
        Parameters::read(&self.query, known)
    }

    /// What it was made for, by its `If-Match` and `If-None-Match`.
    pub(super) fn expected(&self) -> Result<Expected, Failure> {
        expected(&self.headers)
    }

    /// The body, which must be JSON.
    pub(super) async fn json(&self, body: Body) -> Result<Vec<u8>, Failure> {
        if !is_json(&self.headers) {
            return Err(Failure::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "The body must be JSON, sent as \"Content-Type: application/json\".",
            ));
        }
        read(&self.headers, body, BODY_MAX).await.map_err(|unread| match unread {
            Unread::TooLarge => Failure::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "The body must have at most 1 MiB.",
            ),
            Unread::Unfinished(_) => Failure::new(
                StatusCode::REQUEST_TIMEOUT,
                "body_unfinished",
                "The body did not come whole within 10 s.",
            ),
        })
    }

    /// The body, if there is one.
    pub(super) async fn optional_json(&self, body: Body) -> Result<Option<Vec<u8>>, Failure> {
        if announced(&self.headers) { self.json(body).await.map(Some) } else { Ok(None) }
    }
}

/// The parameters of a query, each given once.
pub(in crate::http) struct Parameters<'q> {
    given: Vec<(&'q str, &'q str)>,
}

impl<'q> Parameters<'q> {
    /// A parameter that is not known would silently show everything, so it is refused.
    pub(in crate::http) fn read(
        query: &'q [(String, String)],
        known: &'static [&'static str],
    ) -> Result<Self, Failure> {
        let mut given: Vec<(&str, &str)> = Vec::with_capacity(query.len());
        for (name, value) in query {
            if !known.contains(&name.as_str()) {
                let there_are = match known {
                    [] => "this call takes none".to_owned(),
                    known => format!("there are {}", known.join(", ")),
                };
                return Err(Failure::field(name, format!("There is no such parameter; {there_are}.")));
            }
            if given.iter().any(|(other, _)| other == name) {
                return Err(Failure::field(name, "This parameter is given twice."));
            }
            given.push((name, value));
        }
        Ok(Self { given })
    }

    /// A text; one that is empty asks for nothing.
    pub(in crate::http) fn text(&self, name: &str) -> Option<&'q str> {
        self.value(name).filter(|value| !value.is_empty())
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Failure> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == value).map(|(_, meaning)| *meaning);
        let all = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        found.map(Some).ok_or_else(|| Failure::field(name, format!("This is one of {}.", all())))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Failure> {
        Ok(self.word(name, &[("true", true), ("false", false)])?.unwrap_or(false))
    }

    /// A UUID.
    pub(super) fn uuid(&self, name: &str) -> Result<Option<Uuid>, Failure> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let uuid = crate::model::id::parse_uuid(value);
        uuid.map(Some).ok_or_else(|| Failure::field(name, "This is no UUID."))
    }

    /// How long a page is.
    pub(super) fn limit(&self) -> Result<usize, Failure> {
        let Some(value) = self.value("limit") else { return Ok(LIMIT) };
        let digits = !value.is_empty() && value.bytes().all(|c| c.is_ascii_digit());
        let limit = digits.then(|| value.parse().ok()).flatten();
        limit
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
            .ok_or_else(|| Failure::field("limit", format!("A limit is a number from 1 to {LIMIT_MAX}.")))
    }

    /// Where the page begins.
    pub(super) fn cursor<T>(&self, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Failure> {
        let Some(value) = self.value("cursor") else { return Ok(None) };
        let wrong = || Failure::field("cursor", "A cursor is the next_cursor of the page before.");
        read(value).map(Some).ok_or_else(wrong)
    }

    fn value(&self, name: &str) -> Option<&'q str> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, value)| *value)
    }
}

/// Reads what a change was made for. A tag that is none of ours matches nothing.
fn expected(headers: &HeaderMap) -> Result<Expected, Failure> {
    let list = |name| {
        let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
        let tags: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        (!tags.is_empty()).then_some(tags)
    };
    match (list(IF_MATCH), list(IF_NONE_MATCH)) {
        (None, None) => Ok(Expected::Anything),
        (Some(tags), None) if tags == ["*"] => Ok(Expected::Something),
        (Some(tags), None) => Ok(Expected::OneOf(tags.into_iter().filter_map(edition).collect())),
        (None, Some(tags)) if tags == ["*"] => Ok(Expected::Nothing),
        (_, Some(_)) => Err(Failure::new(
            StatusCode::PRECONDITION_FAILED,
            "stale",
            "If-None-Match can only be \"*\" here, without If-Match: then a heartbeat is made, never changed.",
        )),
    }
}

fn edition(tag: &str) -> Option<Edition> {
    let inner = tag.strip_prefix('"')?.strip_suffix('"')?;
    Uuid::try_parse(inner).ok().map(Edition)
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests {
    use super::*;

    fn limit(given: &Parameters<'_>) -> Result<usize, Failure> {
        given.limit()
    }

    const KNOWN: &[&str] = &["status", "q", "limit", "cursor", "bodies"];

    fn read<T>(
        query: &[(&str, &str)],
        take: impl Fn(&Parameters<'_>) -> Result<T, Failure>,
    ) -> Result<T, String> {
        let query: Vec<_> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let named = |failure: Failure| failure.field.unwrap();
        take(&Parameters::read(&query, KNOWN).map_err(named)?).map_err(named)
    }

    #[test]
    fn parameters_are_read() {
        let words = [("down", 1), ("up", 2)];
        assert_eq!(read(&[("status", "up")], |p| p.word("status", &words)), Ok(Some(2)));
        assert_eq!(read(&[], |p| p.word("status", &words)), Ok(None));
        assert_eq!(
            read(&[("q", "back")], |p| Ok(p.text("q").map(str::to_owned))),
            Ok(Some("back".to_owned()))
        );
        assert_eq!(read(&[("q", "")], |p| Ok(p.text("q").is_none())), Ok(true));
        assert_eq!(read(&[("limit", "1000")], limit), Ok(1000));
        assert_eq!(read(&[], limit), Ok(100));
        assert_eq!(read(&[("bodies", "true")], |p| p.flag("bodies")), Ok(true));
    }

    #[test]
    fn a_wrong_value_names_its_parameter() {
        for value in ["0", "1001", "-1", "+5", "", "1e2", "5 ", "99999999999999999999"] {
            assert_eq!(read(&[("limit", value)], limit), Err("limit".to_owned()), "{value}");
        }
        for value in ["", "DOWN", "running"] {
            let words = [("down", 1)];
            assert_eq!(read(&[("status", value)], |p| p.word("status", &words)), Err("status".to_owned()));
        }
        assert_eq!(read(&[("bodies", "yes")], |p| p.flag("bodies")), Err("bodies".to_owned()));
        assert_eq!(read(&[("stauts", "down")], |_| Ok(())), Err("stauts".to_owned()));
        assert_eq!(read(&[("q", "a"), ("q", "b")], |_| Ok(())), Err("q".to_owned()));
        let slug = |text: &str| crate::model::id::Slug::new(text).ok();
        assert!(read(&[("cursor", "A B")], |p| p.cursor(slug)).is_err());
        assert!(read(&[("cursor", "")], |p| p.cursor(slug)).is_err());
    }

    #[test]
    fn preconditions_are_read() {
        let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        let ours = Edition(uuid.parse().unwrap());
        let of = |name: &'static str, value: &str| {
            let value = http::HeaderValue::from_str(value).unwrap();
            expected(&HeaderMap::from_iter([(http::HeaderName::from_static(name), value)])).ok()
        };
        assert_eq!(expected(&HeaderMap::new()).ok(), Some(Expected::Anything));
        assert_eq!(of("if-match", "*"), Some(Expected::Something));
        assert_eq!(of("if-match", &format!("\"{uuid}\"")), Some(Expected::OneOf(vec![ours])));
        assert_eq!(of("if-match", &format!("\"x\", \"{uuid}\"")), Some(Expected::OneOf(vec![ours])));
        for none in [&format!("W/\"{uuid}\"")[..], uuid, "\"\"", ""] {
            assert_eq!(of("if-match", none), Some(Expected::OneOf(Vec::new())), "{none:?}");
        }
        assert_eq!(of("if-none-match", "*"), Some(Expected::Nothing));
        assert_eq!(of("if-none-match", &format!("\"{uuid}\"")), None);
    }
}
