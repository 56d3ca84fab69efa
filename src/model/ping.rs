//! One signal from a job.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::model::id::Slug;
use crate::model::time::Timestamp;

/// What a ping says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PingKind {
    /// The job ended well.
    Success,
    /// The job began.
    Start,
    /// The job ended badly.
    Fail,
    /// The job ended with this exit code; 0 is success.
    Exit(u8),
    /// Only to be recorded.
    Log,
}

impl PingKind {
    /// Whether it ends a run, and if so whether well.
    pub const fn finish(self) -> Option<bool> {
        match self {
            Self::Success | Self::Exit(0) => Some(true),
            Self::Fail | Self::Exit(_) => Some(false),
            Self::Start | Self::Log => None,
        }
    }

    /// The exit code, when the ping carried one.
    pub const fn exit_code(self) -> Option<u8> {
        match self {
            Self::Exit(code) => Some(code),
            Self::Success | Self::Start | Self::Fail | Self::Log => None,
        }
    }

    /// The word for it: `success`, `start`, `fail`, `exit`, `log`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Start => "start",
            Self::Fail => "fail",
            Self::Exit(_) => "exit",
            Self::Log => "log",
        }
    }
}

/// The HTTP method a ping came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
}

impl Method {
    /// All of them, with their words.
    pub const WORDS: [(&'static str, Self); 3] =
        [("GET", Self::Get), ("HEAD", Self::Head), ("POST", Self::Post)];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
        }
    }
}

/// Some of the methods; a set that takes no room of its own, since a million heartbeats have one each.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Methods(u8);

impl Methods {
    /// Whether this one is among them.
    pub const fn contains(self, method: Method) -> bool {
        self.0 & (1 << method as u8) != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each, in their order.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        let all = Method::WORDS.into_iter().map(|(_, method)| method);
        all.filter(move |method| self.contains(*method))
    }
}

impl Extend<Method> for Methods {
    fn extend<T: IntoIterator<Item = Method>>(&mut self, methods: T) {
        self.0 = methods.into_iter().fold(self.0, |all, method| all | 1 << method as u8);
    }
}

impl FromIterator<Method> for Methods {
    fn from_iter<T: IntoIterator<Item = Method>>(methods: T) -> Self {
        let mut all = Self::default();
        all.extend(methods);
        all
    }
}

impl<const N: usize> From<[Method; N]> for Methods {
    fn from(methods: [Method; N]) -> Self {
        methods.into_iter().collect()
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Methods {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Methods {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from_iter)
    }
}

/// Whom a ping is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// By its secret.
    Uuid(Uuid),
    /// By its slug; the ping key has been checked.
    Slug(Slug),
}

/// A ping as it was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// Whom it is for.
    pub target: Target,
    /// When its head was read.
    pub at: Timestamp,
    /// What it says.
    pub kind: PingKind,
    /// Ties a start to its finish.
    pub rid: Option<Uuid>,
    /// The method it came by.
    pub method: Method,
    /// Where it came from, when that is known.
    pub from: Option<IpAddr>,
    /// What it brought.
    pub body: Option<Body>,
}

/// The kept tail of a ping's body: raw bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BodyText", into = "BodyText")]
pub struct Body {
    /// The last bytes.
    pub tail: Bytes,
    /// How many bytes came in all.
    pub total: u64,
}

impl Body {
    /// At most the last `max` bytes as text: no character is cut in two, and what is not UTF-8 shows as U+FFFD.
    pub fn text(&self, max: usize) -> String {
        let cut = self.tail.len().saturating_sub(max);
        // Skip the rest of a character whose beginning was cut off, here or when the tail was kept.
        let mut from = cut;
        if cut > 0 || self.total > self.tail.len() as u64 {
            while from < self.tail.len() && from < cut + 3 && self.tail[from] & 0xC0 == 0x80 {
                from += 1;
            }
        }
        String::from_utf8_lossy(&self.tail[from..]).into_owned()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} of {} bytes)", self.tail.len(), self.total)
    }
}

/// How a body is written in the journal: as text when it is text.
#[derive(Serialize, Deserialize)]
struct BodyText {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    total: u64,
}

impl From<Body> for BodyText {
    fn from(body: Body) -> Self {
        match std::str::from_utf8(&body.tail) {
            Ok(text) => Self { text: Some(text.to_owned()), base64: None, total: body.total },
            Err(_) => Self { text: None, base64: Some(BASE64.encode(&body.tail)), total: body.total },
        }
    }
}

impl From<BodyText> for Body {
    fn from(written: BodyText) -> Self {
        let tail = match (written.text, written.base64) {
            (Some(text), _) => text.into_bytes(),
            (None, Some(base64)) => BASE64.decode(base64).unwrap_or_default(),
            (None, None) => Vec::new(),
        };
        Self { tail: tail.into(), total: written.total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_by_its_tail_without_half_characters() {
        let body = Body { tail: "aäöü".into(), total: 7 };
        assert_eq!(body.text(100), "aäöü");
        assert_eq!(body.text(3), "ü", "the second byte of ö is not shown");
        let cut = Body { tail: Bytes::from_static(b"\xA4b"), total: 9 };
        assert_eq!(cut.text(100), "b", "the kept tail began inside a character");
        let binary = Body { tail: Bytes::from_static(b"\xFF\xFEok"), total: 4 };
        assert!(binary.text(100).ends_with("ok"));
    }

    #[test]
    fn bodies_survive_the_journal_as_raw_bytes() {
        for tail in [&b"plain"[..], b"", b"\xFF\x00\xFE"] {
            let body = Body { tail: Bytes::copy_from_slice(tail), total: 12 };
            let text = serde_json::to_string(&body).unwrap();
            assert_eq!(serde_json::from_str::<Body>(&text).unwrap(), body);
        }
    }

    #[test]
    fn methods_are_written_and_read_as_the_list_that_they_were() {
        for (text, methods) in [
            (r#"["GET","HEAD","POST"]"#, Methods::from([Method::Post, Method::Get, Method::Head])),
            (r#"["POST"]"#, [Method::Post].into()),
            ("[]", Methods::default()),
        ] {
            assert_eq!(serde_json::to_string(&methods).unwrap(), text);
            assert_eq!(serde_json::from_str::<Methods>(text).unwrap(), methods);
            assert_eq!(methods.is_empty(), text == "[]");
            assert_eq!(methods.contains(Method::Get), text.contains("GET"));
        }
    }

    #[test]
    fn exit_codes_tell_success_from_failure() {
        assert_eq!(PingKind::Exit(0).finish(), Some(true));
        assert_eq!(PingKind::Exit(3).finish(), Some(false));
        assert_eq!(PingKind::Start.finish(), None);
    }
}
