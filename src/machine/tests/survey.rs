//! What a person looks at: all heartbeats in an order and in groups, whatever page is wanted, beside a naive model
//! that sorts everything.

use proptest::prelude::*;

use super::desk::{DAY, Desk, HOUR, MINUTE, every, slug};
use crate::machine::view::{Filter, GroupCount, Grouping, NAMES_MAX, Order, Survey, Wanted};
use crate::model::heartbeat::{Declaration, Status};
use crate::model::ping::PingKind::{Fail, Start, Success};

const ORDERS: [Order; 6] =
    [Order::Slug, Order::Name, Order::Status, Order::LastPing, Order::NextDue, Order::Duration];

fn survey(desk: &Desk, wanted: &Wanted) -> Survey {
    let (mut survey, mut after) = (Survey::default(), None);
    loop {
        let view = desk.machine.view(desk.now);
        let next = view.survey(wanted, after.as_deref(), &mut survey);
        match next {
            Some(slug) => after = Some(String::from(slug)),
            None => return survey,
        }
    }
}

fn slugs(desk: &Desk, wanted: &Wanted) -> Vec<String> {
    survey(desk, wanted).first_rows().into_iter().map(|row| String::from(row.slug)).collect()
}

fn tagged(name: &str, host: Option<&str>, tags: &[&str]) -> Declaration {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    Declaration { tags, host: host.map(str::to_owned), ..every(name, DAY, HOUR) }
}

/// One that is down, one late, one up that has run for a minute, one new, one paused.
fn five() -> Desk {
    let paused = Declaration { paused: true, ..every("a-paused", DAY, HOUR) };
    let mut desk = Desk::new(&[
        every("b-new", 2 * DAY, HOUR),
        every("c-up", DAY, HOUR),
        every("d-late", HOUR, DAY),
        every("e-down", DAY, HOUR),
        paused,
    ]);
    desk.wait_until(10);
    desk.ping("d-late", Success);
    desk.ping("e-down", Fail);
    desk.ping("c-up", Start);
    desk.wait_until(10 + MINUTE);
    desk.ping("c-up", Success);
    desk.wait_until(2 * HOUR);
    desk
}

#[test]
fn each_order_says_who_comes_first() {
    let desk = five();
    let by = |order, reversed| slugs(&desk, &Wanted { order, reversed, rows: 10, ..Wanted::default() });
    for (order, forward, backward) in [
        (
            Order::Slug,
            ["a-paused", "b-new", "c-up", "d-late", "e-down"],
            ["e-down", "d-late", "c-up", "b-new", "a-paused"],
        ),
        (
            Order::Status,
            ["e-down", "d-late", "b-new", "c-up", "a-paused"],
            ["a-paused", "c-up", "b-new", "d-late", "e-down"],
        ),
        // Never pinged: last, whichever way round.
        (
            Order::LastPing,
            ["c-up", "d-late", "e-down", "a-paused", "b-new"],
            ["d-late", "e-down", "c-up", "a-paused", "b-new"],
        ),
        (
            Order::Duration,
            ["c-up", "a-paused", "b-new", "d-late", "e-down"],
            ["c-up", "a-paused", "b-new", "d-late", "e-down"],
        ),
        (
            Order::NextDue,
            ["d-late", "e-down", "c-up", "b-new", "a-paused"],
            ["b-new", "c-up", "e-down", "d-late", "a-paused"],
        ),
    ] {
        assert_eq!(by(order, false), forward, "{order:?}");
        assert_eq!(by(order, true), backward, "{order:?} reversed");
    }
}

#[test]
fn the_numbers_are_of_all_that_is_left_but_for_the_status() {
    let desk = five();
    let filter = Filter { status: Some(Status::Down), ..Filter::default() };
    let seen = survey(&desk, &Wanted { filter, rows: 10, ..Wanted::default() });
    let counts = Status::ALL.map(|status| seen.counts.of(status));
    assert_eq!((seen.total, seen.counts.total, counts), (1, 5, [1, 1, 1, 1, 1]));
}

#[test]
fn a_heartbeat_with_two_tags_is_in_both_groups_and_one_without_comes_last() {
    let desk = Desk::new(&[
        tagged("one", Some("db1"), &["web", "db"]),
        tagged("two", None, &["db"]),
        tagged("three", Some("db1"), &[]),
    ]);
    let rows = |grouping, rows| {
        let wanted = Wanted { grouping: Some(grouping), rows, ..Wanted::default() };
        let mut seen = survey(&desk, &wanted);
        let rows = seen.first_rows();
        let named: Vec<_> = rows.into_iter().map(|row| (row.group, String::from(row.slug))).collect();
        (named, seen)
    };
    let row = |group: Option<&str>, slug: &str| (group.map(str::to_owned), slug.to_owned());
    let (by_tag, seen) = rows(Grouping::Tag, 10);
    assert_eq!(
        by_tag,
        [row(Some("db"), "one"), row(Some("db"), "two"), row(Some("web"), "one"), row(None, "three")]
    );
    assert_eq!((seen.total, seen.counts.total), (4, 3));
    assert_eq!(seen.of_group(Some("db")), Some(GroupCount { rows: 2, down: 0 }));
    assert_eq!(seen.of_group(None), Some(GroupCount { rows: 1, down: 0 }));
    assert_eq!(seen.tags["db"].rows, 2);
    assert_eq!(seen.hosts["db1"].rows, 2);
    let (by_host, _) = rows(Grouping::Host, 2);
    assert_eq!(by_host, [row(Some("db1"), "one"), row(Some("db1"), "three")], "only as many as are wanted");
}

#[test]
fn tags_without_end_are_not_all_listed() {
    let many: Vec<_> = (0..NAMES_MAX + 50)
        .map(|n| Declaration { tags: vec![format!("t{n}")], ..every(&format!("h{n:04}"), DAY, HOUR) })
        .collect();
    let desk = Desk::new(&many);
    let wanted = Wanted { grouping: Some(Grouping::Tag), rows: 5, ..Wanted::default() };
    let seen = survey(&desk, &wanted);
    assert_eq!((seen.tags.len(), seen.groups.len(), seen.total), (NAMES_MAX, NAMES_MAX, NAMES_MAX + 50));
}

#[test]
fn more_heartbeats_than_a_turn_has_are_all_seen() {
    let many: Vec<_> = (0..2_500).map(|n| every(&format!("h{n:04}"), DAY, HOUR)).collect();
    let desk = Desk::new(&many);
    let wanted = Wanted { reversed: true, rows: 3, ..Wanted::default() };
    assert_eq!(slugs(&desk, &wanted), ["h2499", "h2498", "h2497"]);
    assert_eq!(survey(&desk, &wanted).total, 2_500);
}

#[test]
fn a_turn_looks_at_fewer_that_have_much_text_or_many_tags() {
    let text = |n: usize| Declaration {
        description: "x".repeat(100 * 1_024),
        ..every(&format!("h{n:04}"), DAY, HOUR)
    };
    let tags = |n: usize| Declaration {
        tags: (0..99).map(|tag| format!("t{tag}")).collect(),
        ..every(&format!("h{n:04}"), DAY, HOUR)
    };
    let texts: Vec<_> = (0..50).map(text).collect();
    let tags: Vec<_> = (0..50).map(tags).collect();
    for many in [texts, tags] {
        let desk = Desk::new(&many);
        let mut seen = Survey::default();
        let next = desk.machine.view(desk.now).survey(&Wanted::default(), None, &mut seen);
        assert_eq!((seen.total, next), (10, Some(slug("h0009"))));
        assert_eq!(survey(&desk, &Wanted::default()).total, 50);
    }
}

proptest! {
    /// Whatever is wanted, the first rows are those of everything sorted.
    #[test]
    fn a_page_is_a_piece_of_the_whole(
        pings in prop::collection::vec((0..40_usize, 0..4_u8), 0..60),
        order in prop::sample::select(&ORDERS[..]),
        reversed: bool,
        grouping in prop::sample::select(&[None, Some(Grouping::Tag), Some(Grouping::Host)][..]),
        rows in 1..60_usize,
    ) {
        let all: Vec<_> = (0..40)
            .map(|n| {
                let tags = ["x", "y", "z"].iter().enumerate().filter(|(t, _)| (n >> t) & 1 == 1);
                let tags: Vec<&str> = tags.map(|(_, tag)| *tag).collect();
                tagged(&format!("h{n:02}"), [None, Some("a"), Some("b")][n % 3], &tags)
            })
            .collect();
        let mut desk = Desk::new(&all);
        for (seconds, (n, kind)) in (1_i64..).zip(pings) {
            desk.wait_until(seconds * MINUTE);
            let kind = [Start, Success, Fail, Success][usize::from(kind)];
            desk.ping(&format!("h{n:02}"), kind);
        }
        let wanted = |rows| Wanted { order, reversed, grouping, rows, ..Wanted::default() };
        let whole = survey(&desk, &wanted(1_000)).first_rows();
        let page = survey(&desk, &wanted(rows)).first_rows();
        prop_assert_eq!(&page[..], &whole[..rows.min(whole.len())]);
        // Each heartbeat once for each of its groups, in the order of the groups.
        let groups: Vec<_> = whole.iter().map(|row| (row.group.is_none(), row.group.clone())).collect();
        prop_assert!(groups.is_sorted());
        let expected: usize = all
            .iter()
            .map(|one| if grouping == Some(Grouping::Tag) { one.tags.len().max(1) } else { 1 })
            .sum();
        prop_assert_eq!(whole.len(), expected);
    }
}

#[test]
fn a_tile_says_why_it_is_down() {
    let desk = five();
    let tiles = desk.machine.view(desk.now).tiles(&[slug("e-down"), slug("gone"), slug("c-up")], 30);
    assert_eq!(tiles.len(), 2, "one that has left has no tile");
    assert_eq!(tiles[0].why.as_deref(), Some("said that it failed"));
    assert_eq!((tiles[1].why.as_deref(), tiles[1].words.as_str()), (None, "every 24h after the last finish"));
    assert_eq!(tiles[1].runs.len(), 1);
    assert_eq!(desk.machine.view(desk.now).down(5), [slug("e-down")]);
}
