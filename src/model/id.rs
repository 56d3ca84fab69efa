//! Names and numbers that identify things. None is ever derived from time: clocks go back.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

/// The name of a heartbeat in its URL: `^[a-z0-9][a-z0-9_-]{0,99}$`, and not readable as a UUID.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9_-]{0,99}$", example = "backup-postgresql")]
pub struct Slug(Arc<str>);

/// Why a text is not a slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SlugError {
    /// Empty, too long, or a character outside the alphabet.
    #[error("a slug has 1 to 100 of a-z, 0-9, '-' and '_', and begins with a letter or digit")]
    Shape,
    /// It would be taken for a UUID in a ping URL.
    #[error("a slug must not read as a UUID")]
    Uuid,
}

impl Slug {
    /// Whether a text has the shape of a slug; it may still read as a UUID.
    pub fn is_shaped(text: &str) -> bool {
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let bytes = text.as_bytes();
        matches!(bytes.first(), Some(&c) if inner(c))
            && bytes.len() <= 100
            && bytes.iter().all(|&c| inner(c) || c == b'_' || c == b'-')
    }

    /// Checks and takes a text as a slug.
    ///
    /// # Errors
    /// When the text has not the shape of a slug, or reads as a UUID.
    pub fn new(text: &str) -> Result<Self, SlugError> {
        if !Self::is_shaped(text) {
            return Err(SlugError::Shape);
        }
        if parse_uuid(text).is_some() {
            return Err(SlugError::Uuid);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, for who keeps it too.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl TryFrom<String> for Slug {
    type Error = SlugError;
    fn try_from(text: String) -> Result<Self, SlugError> {
        Self::new(&text)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0.as_ref().into()
    }
}

impl Serialize for Slug {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Borrow<str> for Slug {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads a UUID as ping URLs may write it: any case, with or without hyphens; no braces, no `urn:`.
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    match text.len() {
        32 | 36 => Uuid::try_parse(text).ok(),
        _ => None,
    }
}

/// The number of a record in the journal: 1, 2, 3, …; 0 is "none yet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Seq(pub u64);

impl Seq {
    /// The number `n` further on.
    #[must_use]
    pub const fn plus(self, n: u64) -> Self {
        Self(self.0 + n)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What makes the ids of one life of the process unlike those of every other: chance, drawn at start.
/// A counter alone would repeat ids when a disk failed and records were lost after their alert had left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life(pub Uuid);

impl Life {
    /// The id number `n` of this life, as a UUID of version 8 (RFC 9562: custom).
    pub fn id(self, n: u64) -> Uuid {
        let (high, low) = self.0.as_u64_pair();
        let (high_bytes, low_bytes) = (high.to_be_bytes(), (low ^ n).to_be_bytes());
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high_bytes);
        bytes[8..].copy_from_slice(&low_bytes);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

uuid_id!(
    /// One execution of a job.
    RunId
);
uuid_id!(
    /// One span of being down.
    IncidentId
);
uuid_id!(
    /// One alert to one channel: the `webhook-id`, the same on every attempt.
    DeliveryId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_have_the_shape_of_the_contract() {
        for good in ["a", "0", "backup-postgresql", "a_b-c", &"x".repeat(100)] {
            assert_eq!(Slug::new(good).map(|s| s.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "-a", "_a", "A", "a b", "ä", "a/b", &"x".repeat(101)] {
            assert_eq!(Slug::new(bad), Err(SlugError::Shape), "{bad}");
        }
        for uuid in ["67e55044-10b1-426f-9247-bb680e5fe0c8", "67e5504410b1426f9247bb680e5fe0c8"] {
            assert_eq!(Slug::new(uuid), Err(SlugError::Uuid));
        }
    }

    #[test]
    fn ids_of_one_life_differ_and_lives_differ() {
        let (a, b) = (Life(Uuid::from_u128(1 << 70)), Life(Uuid::from_u128(1 << 71)));
        let mut ids: Vec<Uuid> = (0..1000).flat_map(|n| [a.id(n), b.id(n)]).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 2000);
        assert_eq!(a.id(7).get_version_num(), 8);
    }

    #[test]
    fn uuids_are_read_in_any_case_with_or_without_hyphens() {
        let uuid = Uuid::from_u128(0x67e5_5044_10b1_426f_9247_bb68_0e5f_e0c8);
        for text in ["67e55044-10b1-426f-9247-bb680e5fe0c8", "67E5504410B1426F9247BB680E5FE0C8"] {
            assert_eq!(parse_uuid(text), Some(uuid));
        }
        for text in
            ["{67e55044-10b1-426f-9247-bb680e5fe0c8}", "urn:uuid:67e55044-10b1-426f-9247-bb680e5fe0c8", ""]
        {
            assert_eq!(parse_uuid(text), None);
        }
    }
}
