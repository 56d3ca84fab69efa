//! Finds a key that a JSON object has twice. Pure: readers of JSON differ in which of the two they take, so
//! neither is taken here.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// The first key of the object that came before; none in what is no object.
pub(super) fn repeated(body: &[u8]) -> Option<String> {
    serde_json::from_slice(body).ok().and_then(|Repeated(key)| key)
}

struct Repeated(Option<String>);

impl<'de> Deserialize<'de> for Repeated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys)
    }
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Repeated;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Repeated, A::Error> {
        let (mut seen, mut repeated) = (BTreeSet::new(), None);
        while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
            if repeated.is_none() && seen.contains(&key) {
                repeated = Some(key);
            } else {
                seen.insert(key);
            }
        }
        Ok(Repeated(repeated))
    }
}
