//! Which heartbeats a person wants to see, as the address says it; and the addresses that change one thing of it.

use url::form_urlencoded::Serializer;

use crate::http::rejection::Failure;
use crate::machine::view::{Filter, Grouping, Order, Wanted};
use crate::model::heartbeat::{Source, Status};

/// Rows on a page.
pub(super) const ROWS: usize = 50;
/// The last page that can be asked for: all rows up to it are sorted for it.
pub(super) const PAGES: usize = 100;

const ORDERS: [(&str, Order); 6] = [
    ("slug", Order::Slug),
    ("name", Order::Name),
    ("status", Order::Status),
    ("ping", Order::LastPing),
    ("due", Order::NextDue),
    ("duration", Order::Duration),
];

/// Which heartbeats are wanted, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ListQuery {
    pub(super) status: Option<Status>,
    pub(super) tag: Option<String>,
    pub(super) host: Option<String>,
    pub(super) q: Option<String>,
    pub(super) source: Option<Source>,
    pub(super) order: Order,
    pub(super) reversed: bool,
    pub(super) grouping: Option<Grouping>,
    /// From 0.
    pub(super) page: usize,
}

impl ListQuery {
    /// Reads the query of an address.
    pub(super) fn read(query: &[(String, String)]) -> Result<Self, Failure> {
        let mut read = Self::default();
        for (name, value) in query {
            let wrong = |meant: &str| wrong(name, format!("\"{name}\" is {meant}."));
            let text = Some(value.trim().to_owned()).filter(|text| !text.is_empty());
            match (name.as_str(), text.as_deref()) {
                ("status", Some(word)) => {
                    let status = Status::ALL.into_iter().find(|status| status.word() == word);
                    read.status = Some(status.ok_or_else(|| wrong("new, up, late, down or paused"))?);
                }
                ("tag", _) => read.tag = text,
                ("host", _) => read.host = text,
                ("q", _) => read.q = text,
                ("source", Some("config")) => read.source = Some(Source::Config),
                ("source", Some("api")) => read.source = Some(Source::Api),
                ("source", Some(_)) => return Err(wrong("config or api")),
                ("sort", Some(word)) => {
                    let plain = word.strip_prefix('-');
                    read.reversed = plain.is_some();
                    let order = ORDERS.iter().find(|(name, _)| *name == plain.unwrap_or(word));
                    let (_, order) = order.ok_or_else(|| {
                        wrong("slug, name, status, ping, due or duration, or one of them after a \"-\"")
                    })?;
                    read.order = *order;
                }
                ("group", Some("tag")) => read.grouping = Some(Grouping::Tag),
                ("group", Some("host")) => read.grouping = Some(Grouping::Host),
                ("group", Some(_)) => return Err(wrong("tag or host")),
                ("page", Some(number)) => {
                    let page = number.parse().ok().filter(|page| (1..=PAGES).contains(page));
                    read.page = page.ok_or_else(|| wrong(&format!("a number from 1 to {PAGES}")))? - 1;
                }
                ("status" | "source" | "sort" | "group" | "page", None) => {}
                _ => return Err(self::wrong(name, format!("There is no filter \"{name}\"."))),
            }
        }
        Ok(read)
    }

    /// The question to the engine.
    pub(super) fn wanted(&self) -> Wanted {
        let Self { status, tag, host, q, .. } = self.clone();
        Wanted {
            filter: Filter { status, tag, host, q },
            source: self.source,
            order: self.order,
            reversed: self.reversed,
            grouping: self.grouping,
            rows: (self.page + 1) * ROWS,
        }
    }

    /// Whether anything is left out.
    pub(super) fn filters(&self) -> bool {
        self.status.is_some()
            || self.tag.is_some()
            || self.host.is_some()
            || self.q.is_some()
            || self.source.is_some()
    }

    /// The address, relative to the first page.
    #[inline(never)]
    pub(super) fn link(self) -> String {
        let mut query = Serializer::new(String::new());
        put(&mut query, "status", self.status.map(Status::word));
        put(&mut query, "tag", self.tag.as_deref());
        put(&mut query, "host", self.host.as_deref());
        put(&mut query, "q", self.q.as_deref());
        put(&mut query, "source", self.source_word());
        put(&mut query, "sort", self.sort_word().as_deref());
        put(&mut query, "group", self.group_word());
        if self.page > 0 {
            put(&mut query, "page", Some(&(self.page + 1).to_string()));
        }
        let query = query.finish();
        if query.is_empty() { "./".to_owned() } else { format!("./?{query}") }
    }

    /// The same from its first page on.
    #[inline(never)]
    fn anew(&self) -> Self {
        Self { page: 0, ..self.clone() }
    }

    /// The word of the order; `None` for the one that is meant when nothing is said.
    pub(super) fn sort_word(&self) -> Option<String> {
        let (word, _) = ORDERS.iter().find(|(_, order)| *order == self.order)?;
        let sign = if self.reversed { "-" } else { "" };
        (self.order != Order::Slug || self.reversed).then(|| format!("{sign}{word}"))
    }

    /// The word of the grouping.
    pub(super) fn group_word(&self) -> Option<&'static str> {
        self.grouping.map(|grouping| match grouping {
            Grouping::Tag => "tag",
            Grouping::Host => "host",
        })
    }

    /// The word of the source.
    pub(super) fn source_word(&self) -> Option<&'static str> {
        self.source.map(|source| match source {
            Source::Config => "config",
            Source::Api => "api",
        })
    }

    /// Only those that stand so.
    pub(super) fn of_status(&self, status: Option<Status>) -> String {
        Self { status, ..self.anew() }.link()
    }

    /// Only those with this tag.
    pub(super) fn of_tag(&self, tag: &str) -> String {
        Self { tag: Some(tag.to_owned()), ..self.anew() }.link()
    }

    /// Only those of this host.
    pub(super) fn of_host(&self, host: &str) -> String {
        Self { host: Some(host.to_owned()), ..self.anew() }.link()
    }

    /// Sorted by this; the other way round when they are already.
    pub(super) fn sorted(&self, order: Order) -> String {
        let reversed = self.order == order && !self.reversed;
        Self { order, reversed, ..self.anew() }.link()
    }

    /// For `aria-sort`.
    pub(super) fn sorting(&self, order: Order) -> &'static str {
        match (self.order == order, self.reversed) {
            (false, _) => "none",
            (true, false) => "ascending",
            (true, true) => "descending",
        }
    }

    /// Another page.
    pub(super) fn of_page(&self, page: usize) -> String {
        Self { page, ..self.anew() }.link()
    }
}

/// What is wrong with a parameter.
#[inline(never)]
pub(super) fn wrong(name: &str, message: String) -> Failure {
    Failure::field(name, message)
}

#[inline(never)]
fn put(query: &mut Serializer<'_, String>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        query.append_pair(name, value);
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<ListQuery, Failure> {
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        ListQuery::read(&pairs)
    }

    #[test]
    fn an_address_is_read_as_it_was_written() {
        for query in [
            "",
            "status=down",
            "status=late&tag=a+%26+b&host=db1&q=%C3%A4%3Cscript%3E&source=api&sort=-due&group=host&page=7",
            "sort=-slug",
            "sort=status&group=tag",
        ] {
            let first = read(query).unwrap();
            let link = first.clone().link();
            assert_eq!(read(link.strip_prefix("./?").unwrap_or("")).unwrap(), first, "{query}");
            assert_eq!(link, if query.is_empty() { "./".to_owned() } else { format!("./?{query}") });
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for query in
            ["status=dwon", "stauts=down", "sort=colour", "group=day", "page=0", "page=-1", "page=101"]
        {
            assert!(read(query).is_err(), "{query}");
        }
        assert_eq!(read("page=100").unwrap().wanted().rows, 5_000);
        // As a browser sends a form of which nothing was filled in.
        assert_eq!(read("q=&status=&tag=&host=&group=&sort=&page=").unwrap(), ListQuery::default());
    }

    #[test]
    fn a_second_click_sorts_the_other_way_round() {
        let query = read("tag=db&page=3").unwrap();
        assert_eq!(query.sorted(Order::NextDue), "./?tag=db&sort=due");
        assert_eq!(read("tag=db&sort=due").unwrap().sorted(Order::NextDue), "./?tag=db&sort=-due");
        assert_eq!(read("sort=-due").unwrap().sorted(Order::NextDue), "./?sort=due");
    }
}
