//! Reads the query of a list: what it is narrowed to, how long a page is, where it goes on. Pure.

use crate::http::rejection::Failure;
use crate::machine::view::Filter;
use crate::model::id::Slug;

/// How many a page has when nothing is said, and at most.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1000;

/// What a status may be.
const STATUSES: [&str; 5] = ["new", "up", "late", "down", "paused"];

/// What a list was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub filter: Filter,
    pub after: Option<String>,
    pub limit: usize,
}

impl Wanted {
    /// Reads a query. A parameter that is not known would silently show everything, so it is refused.
    pub(super) fn read(query: &[(String, String)]) -> Result<Self, Failure> {
        let mut wanted = Self { filter: Filter::default(), after: None, limit: LIMIT };
        let mut seen = Vec::new();
        for (name, value) in query {
            let name = name.as_str();
            if seen.contains(&name) {
                return Err(Failure::field(name, "This parameter is given twice."));
            }
            seen.push(name);
            let text = || Some(value.clone()).filter(|value| !value.is_empty());
            match name {
                "status" if STATUSES.contains(&value.as_str()) => wanted.filter.status = text(),
                "status" => {
                    return Err(Failure::field(name, format!("A status is one of {}.", STATUSES.join(", "))));
                }
                "tag" => wanted.filter.tag = text(),
                "host" => wanted.filter.host = text(),
                "q" => wanted.filter.q = text(),
                "limit" => wanted.limit = read_limit(value)?,
                "cursor" if Slug::new(value).is_ok() => wanted.after = text(),
                "cursor" => {
                    return Err(Failure::field(name, "A cursor is the next_cursor of the page before."));
                }
                _ => {
                    return Err(Failure::field(
                        name,
                        "There is no such parameter; there are status, tag, host, q, limit and cursor.",
                    ));
                }
            }
        }
        Ok(wanted)
    }
}

fn read_limit(text: &str) -> Result<usize, Failure> {
    text.parse()
        .ok()
        .filter(|limit| (1..=LIMIT_MAX).contains(limit))
        .ok_or_else(|| Failure::field("limit", format!("A limit is a number from 1 to {LIMIT_MAX}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &[(&str, &str)]) -> Result<Wanted, String> {
        let query: Vec<_> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Wanted::read(&query).map_err(|failure| failure.field.unwrap())
    }

    #[test]
    fn a_query_is_read() {
        let all = read(&[]).unwrap();
        assert_eq!(all, Wanted { filter: Filter::default(), after: None, limit: 100 });
        let some = read(&[
            ("status", "down"),
            ("tag", "db"),
            ("host", "db1"),
            ("q", "back"),
            ("limit", "1000"),
            ("cursor", "a-b"),
        ]);
        let some = some.unwrap();
        assert_eq!((some.limit, some.after.as_deref()), (1000, Some("a-b")));
        let own = |text: &str| Some(text.to_owned());
        assert_eq!((some.filter.tag, some.filter.host, some.filter.q), (own("db"), own("db1"), own("back")));
    }

    #[test]
    fn a_wrong_value_names_its_parameter() {
        for (name, value) in [
            ("status", "running"),
            ("status", ""),
            ("status", "DOWN"),
            ("limit", "0"),
            ("limit", "1001"),
            ("limit", "-1"),
            ("limit", ""),
            ("limit", "1e2"),
            ("cursor", "A B"),
            ("cursor", ""),
            ("stauts", "down"),
        ] {
            assert_eq!(read(&[(name, value)]), Err(name.to_owned()), "{name}={value}");
        }
        assert_eq!(read(&[("tag", "a"), ("tag", "b")]), Err("tag".to_owned()));
    }
}
