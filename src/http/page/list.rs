//! What the pages with a list that goes on have in common: the address that says what is wanted, the addresses that
//! change one thing of it, and the names of heartbeats. Never knows what is in a list.

use url::form_urlencoded::Serializer;

use crate::engine::handle::Refused;
use crate::http::api::request::Parameters;
use crate::http::page::few::sort_few;
use crate::http::rejection::Failure;
use crate::http::seam::Engine;
use crate::machine::view::TileView;
use crate::model::id::Slug;

/// Items on a page.
pub(super) const ITEMS: usize = 50;

/// The address of a list: what of it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// `incidents`
    path: &'static str,
    given: Vec<(String, String)>,
}

impl Listed {
    /// Reads a query. What a form sends of a field that was not filled in is left out.
    pub(super) fn read(path: &'static str, query: &[(String, String)]) -> Self {
        let trimmed = query.iter().map(|(name, value)| (name.clone(), value.trim().to_owned()));
        Self { path, given: trimmed.filter(|(_, value)| !value.is_empty()).collect() }
    }

    /// The parameters, which must all be known.
    #[inline(never)]
    pub(super) fn parameters(&self, known: &'static [&'static str]) -> Result<Parameters<'_>, Failure> {
        Parameters::read(&self.given, known).map_err(named)
    }

    /// What was given.
    #[inline(never)]
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.given.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Puts the slug in the place of a UUID, which is a secret that must not stand in addresses.
    pub(super) fn put_slug(&mut self, slug: Option<&str>) {
        for (name, value) in &mut self.given {
            if let (true, Some(slug)) = (name == "heartbeat", slug) {
                slug.clone_into(value);
            }
        }
    }

    /// The address with one thing changed, relative to the first page. What changes begins at its first page.
    pub(super) fn with(&self, name: &str, value: Option<&str>) -> String {
        let others = self.given.iter().filter(|(given, _)| given != name && given != "cursor");
        let others = others.map(|(name, value)| (name.as_str(), value.as_str()));
        let query = Serializer::new(String::new())
            .extend_pairs(others.chain(value.map(|value| (name, value))))
            .finish();
        if query.is_empty() { self.path.to_owned() } else { format!("{}?{query}", self.path) }
    }

    /// The address itself, from the root.
    pub(super) fn itself(&self) -> String {
        format!("/{}", self.with("cursor", self.get("cursor")))
    }

    /// Its newest items.
    pub(super) fn newest(&self) -> String {
        self.with("cursor", None)
    }
}

/// A page has no field to show what is wrong beside, so the sentence names it.
#[inline(never)]
pub(super) fn named(failure: Failure) -> Failure {
    match &failure.field {
        Some(field) => Failure { message: format!("\"{field}\": {}", failure.message), ..failure },
        None => failure,
    }
}

/// Heartbeats at a glance: those of a page.
pub(super) struct Tiles(Vec<TileView>);

impl Tiles {
    /// Those of these slugs that there are.
    pub(super) fn of<E: Engine>(engine: &E, mut slugs: Vec<Slug>) -> Result<Self, Refused> {
        sort_few(&mut slugs, |a, b| a < b);
        slugs.dedup();
        engine.blocking_ask(move |view| view.tiles(&slugs, 0)).map(Self)
    }

    /// The one of a slug.
    #[inline(never)]
    pub(super) fn get(&self, slug: &Slug) -> Option<&TileView> {
        self.0.iter().find(|tile| tile.heartbeat.slug == *slug)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Listed {
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Listed::read("incidents", &pairs)
    }

    #[test]
    fn an_address_changes_by_one_thing_and_begins_anew() {
        let listed = read("status=open&heartbeat=backup&cursor=5&channel=");
        assert_eq!(listed.with("status", None), "incidents?heartbeat=backup");
        assert_eq!(listed.with("status", Some("resolved")), "incidents?heartbeat=backup&status=resolved");
        assert_eq!(listed.with("cursor", Some("a&b")), "incidents?status=open&heartbeat=backup&cursor=a%26b");
        assert_eq!(listed.itself(), "/incidents?status=open&heartbeat=backup&cursor=5");
        assert_eq!(read("").newest(), "incidents");
    }

    #[test]
    fn a_uuid_does_not_stay_in_addresses() {
        let mut listed = read("heartbeat=67e55044-10b1-426f-9247-bb680e5fe0c8&status=open");
        listed.put_slug(Some("backup"));
        assert_eq!(listed.newest(), "incidents?heartbeat=backup&status=open");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let failure = read("stauts=open").parameters(&["status"]).err().unwrap();
        assert!(failure.message.starts_with("\"stauts\": There is no such parameter"), "{}", failure.message);
    }
}
