//! The query of the list on the page, under attack.

use crate::fuzz::{Target, kind_of};
use crate::http::fuzz::decoded;
use crate::http::page::query::{ListQuery, PAGES, ROWS};
use crate::model::heartbeat::Status;

#[test]
fn an_address_of_the_list_that_is_read_leads_back_to_the_same_list_or_names_what_is_wrong() {
    Target { name: "page_query", inputs: 40_000, dictionary: &DICTIONARY, check }.attack();
}

const DICTIONARY: [&str; 26] = [
    "status=", "tag=", "host=", "q=", "source=", "sort=", "group=", "page=", "&", "=", "+", "%", "%26",
    "%00", "%C3%A4", "%FF", "#", "down", "paused", "config", "api", "-due", "-", "slug", "101", "\u{e4}",
];

fn check(input: &[u8]) -> String {
    let Some(pairs) = decoded(input) else { return "no address".to_owned() };
    // What is said last holds; an empty one says nothing, and takes back only what is free text.
    let said = |name: &str, takes_back: bool| {
        let mut all = pairs.iter().filter(|(one, _)| one == name).map(|(_, value)| value.trim());
        all.rfind(|value| takes_back || !value.is_empty()).filter(|value| !value.is_empty())
    };
    match ListQuery::read(&pairs) {
        Ok(query) => {
            assert_eq!(query.status.map(Status::word), said("status", false));
            assert_eq!(query.tag.as_deref(), said("tag", true));
            assert_eq!(query.host.as_deref(), said("host", true));
            assert_eq!(query.q.as_deref(), said("q", true));
            assert_eq!(query.source_word(), said("source", false));
            assert_eq!(query.group_word(), said("group", false));
            let sort = said("sort", false).filter(|word| *word != "slug");
            assert_eq!(query.sort_word().as_deref(), sort);
            let page: usize = said("page", false).map_or(1, |number| number.parse().expect("a number"));
            assert_eq!(query.page + 1, page);
            assert!((ROWS..=ROWS * PAGES).contains(&query.wanted().rows), "{query:?}");
            let link = query.clone().link();
            assert!(link.is_ascii() && !link.contains(['<', '>', '"', '\'', ' ']), "{link:?}");
            let again = decoded(link.strip_prefix("./?").unwrap_or_default().as_bytes()).expect("an address");
            assert_eq!(ListQuery::read(&again).ok().as_ref(), Some(&query), "{link:?}");
            let words = [query.source_word(), query.group_word(), query.status.map(Status::word)];
            format!("{words:?} {:?} {}", query.sort_word(), query.filters())
        }
        Err(failure) => {
            let field = failure.field.as_deref().expect("a parameter is wrong");
            assert!(failure.status.is_client_error() && failure.message.ends_with('.'), "{failure:?}");
            assert!(pairs.iter().any(|(name, _)| name.starts_with(field)), "{failure:?}");
            let known = ["status", "source", "sort", "group", "page"].contains(&field);
            if known { kind_of(&failure.message) } else { "no such filter".to_owned() }
        }
    }
}
