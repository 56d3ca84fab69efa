//! Calendar expressions as they are written, one or several. Never knows what they mean.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Expressions in their order, none among them twice. Cheap to clone. Written as a text when it is one, else as
/// a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expressions(Arc<[Box<str>]>);

impl Expressions {
    /// Of a list; what stands in it a second time is left out.
    pub fn new<T: Into<Box<str>>>(texts: impl IntoIterator<Item = T>) -> Self {
        let mut once: Vec<Box<str>> = Vec::new();
        for text in texts.into_iter().map(Into::into) {
            if !once.contains(&text) {
                once.push(text);
            }
        }
        Self(once.into())
    }

    /// Of one.
    pub fn one(text: &str) -> Self {
        Self::new([text])
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for Expressions {
    fn default() -> Self {
        Self(Arc::from([]))
    }
}

/// `0 2 * * *`, or `0 2 * * * or 30 14 * * *`.
impl fmt::Display for Expressions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().collect::<Vec<_>>().join(" or "))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    One(Box<str>),
    Several(Vec<Box<str>>),
}

impl Serialize for Expressions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [one] => serializer.serialize_str(one),
            several => serializer.collect_seq(several.iter()),
        }
    }
}

impl<'de> Deserialize<'de> for Expressions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::One(text) => Self::new([text]),
            Written::Several(texts) => Self::new(texts),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_a_text_and_several_are_a_list() {
        for (expressions, json) in [
            (Expressions::default(), "[]"),
            (Expressions::one("0 2 * * *"), r#""0 2 * * *""#),
            (Expressions::new(["a", "b", "a"]), r#"["a","b"]"#),
        ] {
            assert_eq!(serde_json::to_string(&expressions).unwrap(), json);
            assert_eq!(serde_json::from_str::<Expressions>(json).unwrap(), expressions);
        }
        assert_eq!(Expressions::new(["a", "b"]).to_string(), "a or b");
    }
}
