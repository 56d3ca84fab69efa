//! The queries of the API's lists, under attack.

use std::collections::BTreeSet;

use crate::fuzz::{Target, kind_of};
use crate::http::api::history::{read_place, write_place};
use crate::http::api::request::{LIMIT, LIMIT_MAX, Parameters};
use crate::http::api::{deliveries, heartbeats, incidents};
use crate::http::fuzz::decoded;
use crate::http::rejection::Failure;
use crate::model::heartbeat::Status;
use crate::model::id::{IncidentId, Slug, parse_uuid};

#[test]
fn a_query_of_a_list_asks_for_what_it_says_or_is_refused_with_the_parameter_that_is_wrong() {
    Target { name: "api_query", inputs: 40_000, dictionary: &DICTIONARY, check }.attack();
}

const DICTIONARY: [&str; 34] = [
    "status=",
    "tag=",
    "host=",
    "q=",
    "limit=",
    "cursor=",
    "channel=",
    "heartbeat=",
    "incident=",
    "bodies=",
    "&",
    "=",
    "+",
    "%",
    "%26",
    "%00",
    "%FF",
    "#",
    "down",
    "open",
    "resolved",
    "waiting",
    "given_up",
    "true",
    "false",
    "1000",
    "1001",
    "-",
    "_",
    "open_",
    "ended_",
    "1795316400123_0000000000000000000000000000abcd",
    "67e55044-10b1-426f-9247-bb680e5fe0c8",
    "\u{e4}",
];

type Pairs = [(String, String)];

/// A list: what it can be asked, and how it reads it. Gives back its limit and how it would write what it understood.
type List = (&'static [&'static str], fn(&Parameters<'_>) -> Result<(usize, Vec<Said>), Failure>);
type Said = (&'static str, Option<String>);

const LISTS: [List; 4] = [
    (&["status", "tag", "host", "q", "limit", "cursor"], |given| {
        let (filter, cursor) = heartbeats::wanted(given)?;
        assert!(cursor.as_deref().is_none_or(Slug::is_shaped), "{cursor:?}");
        let status = filter.status.map(|status: Status| status.word().to_owned());
        let texts = [("tag", filter.tag), ("host", filter.host), ("q", filter.q), ("cursor", cursor)];
        Ok((given.limit()?, [("status", status)].into_iter().chain(texts).collect()))
    }),
    (&["status", "heartbeat", "limit", "cursor"], |given| {
        let (filter, cursor) = incidents::wanted(given)?;
        let status = filter.open.map(|open| if open { "open" } else { "resolved" }.to_owned());
        let heartbeat = given.text("heartbeat").map(str::to_owned);
        let said = [("status", status), ("heartbeat", heartbeat), ("cursor", cursor.map(incidents::cursor))];
        Ok((given.limit()?, said.into()))
    }),
    (&["status", "channel", "heartbeat", "incident", "limit", "cursor"], |given| {
        let (filter, cursor) = deliveries::wanted(given)?;
        let word = |status| deliveries::STATUSES.iter().find(|(_, one)| *one == status).expect("a word").0;
        let status = filter.status.map(|status| word(status).to_owned());
        let incident = filter.incident.map(|IncidentId(uuid)| uuid.to_string());
        let cursor = cursor.map(|number| number.to_string());
        let said =
            [("status", status), ("channel", filter.channel), ("incident", incident), ("cursor", cursor)];
        Ok((given.limit()?, said.into()))
    }),
    (&["bodies", "limit", "cursor"], |given| {
        let bodies = given.flag("bodies")?.then(|| "true".to_owned());
        Ok((given.limit()?, vec![("bodies", bodies), ("cursor", given.cursor(read_place)?.map(write_place))]))
    }),
];

fn check(input: &[u8]) -> String {
    let Some(pairs) = decoded(input) else { return "no address".to_owned() };
    LISTS.iter().map(|list| of(*list, &pairs)).collect::<Vec<_>>().join("; ")
}

fn of((known, read): List, pairs: &Pairs) -> String {
    let names: BTreeSet<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    let well = names.len() == pairs.len() && names.iter().all(|name| known.contains(name));
    let value = |name: &str| pairs.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str());
    match Parameters::read(pairs, known).and_then(|given| read(&given)) {
        Ok((limit, said)) => {
            assert!(well, "a parameter is unknown or twice: {pairs:?}");
            let wanted = value("limit").map_or(LIMIT, |text| text.parse().expect("a number"));
            assert!(limit == wanted && (1..=LIMIT_MAX).contains(&limit), "{limit} of {pairs:?}");
            for (name, said) in &said {
                let asked = value(name).filter(|value| !value.is_empty());
                let asked = asked.filter(|value| *name != "bodies" || *value != "false");
                assert_eq!(said.as_deref().map(same), asked.map(same), "{name} of {pairs:?}");
            }
            let said = said.iter().filter(|(_, said)| said.is_some()).map(|(name, _)| *name);
            format!("asks {}", said.collect::<Vec<_>>().join(" "))
        }
        Err(failure) => {
            let field = failure.field.as_deref().expect("a parameter is wrong");
            assert!(failure.status.is_client_error() && failure.message.ends_with('.'), "{failure:?}");
            assert!(names.iter().any(|name| name.starts_with(field)), "{failure:?}");
            format!("{:?} {}", known.iter().find(|name| **name == field), kind_of(&failure.message))
        }
    }
}

/// One text for all that mean the same: a UUID in any writing, a number with zeros before it, alone or before a `_`.
fn same(text: &str) -> String {
    let uuid = |text: &str| parse_uuid(text).map(|uuid| uuid.simple().to_string());
    let part = |part: &str| {
        let number = part.parse::<i64>().ok().map(|number| number.to_string());
        number.or_else(|| uuid(part)).unwrap_or_else(|| part.to_owned())
    };
    text.split('_').map(part).collect::<Vec<_>>().join("_")
}
