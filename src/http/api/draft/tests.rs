//! What a draft takes and what it refuses, by the name of the field.

use super::*;
use crate::model::heartbeat::Draft;
use crate::model::schedule::Timing;
use proptest::prelude::*;
use serde_json::{Value, json};

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}|[0-9*/,-]{1,3}( [0-9*/,-]{1,3}){4}|[0-9]{1,22}[smhdw]".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| proptest::collection::vec(inner, 0..3).prop_map(Value::from))
}

proptest! {
    #[test]
    fn whatever_is_sent_is_taken_or_refused_by_its_field(
        fields in proptest::collection::btree_map(proptest::sample::select(&FIELDS[..]), any_value(), 0..6),
    ) {
        let body = json!(fields);
        if let Err(failure) = draft(&body) {
            prop_assert_eq!(failure.status, 400);
            let field = failure.field.unwrap();
            prop_assert!(FIELDS.contains(&field.as_str()), "{} names {field}", body);
        }
    }
}

fn settings() -> HttpSettings {
    let channels = [ChannelName::new("ops"), ChannelName::new("dev")].into();
    HttpSettings { channels, ..HttpSettings::for_tests() }
}

fn whole(body: &[u8]) -> Result<Whole, Failure> {
    read(&Fields::read(body)?, None, &settings())
}

fn draft(value: &Value) -> Result<(String, Draft), Failure> {
    whole(value.to_string().as_bytes()).map(|Whole { slug, draft }| (slug.to_string(), draft))
}

/// The field that is named as wrong.
fn fault(value: &Value) -> String {
    match draft(value) {
        Ok(got) => panic!("{value} was taken: {got:?}"),
        Err(failure) => {
            assert_eq!(failure.status, 400);
            assert!(failure.message.ends_with('.') && failure.message.len() > 10, "{}", failure.message);
            failure.field.unwrap_or_else(|| panic!("{value}: {}", failure.message))
        }
    }
}

/// A good draft with one more field.
fn with(field: &str, value: Value) -> Value {
    let mut draft = json!({ "name": "Backup", "interval": "24h" });
    draft[field] = value;
    draft
}

#[test]
fn the_vendors_own_example_is_taken() {
    let (slug, draft) =
        draft(&json!({ "name": "Backup PostgreSQL", "interval": "24h", "grace_period": "1h" })).unwrap();
    assert_eq!(slug, "backup-postgresql");
    assert_eq!(draft.name.as_deref(), Some("Backup PostgreSQL"));
    assert_eq!(draft.timing, Timing::Interval(Span::from_secs(86_400)));
    assert_eq!(draft.rest.grace, Some(Span::from_secs(3_600)));
}

#[test]
fn every_field_is_read() {
    let (slug, draft) = draft(&json!({
        "name": "N", "slug": "s", "description": "two\nlines", "tags": ["a", "b", "a"], "host": "db1",
        "cron": "0 2 * * *", "timezone": "Europe/Berlin", "early": "0s", "grace_seconds": 60, "max_runtime": "2h",
        "uuid": "67E5504410B1426F9247BB680E5FE0C8", "channels": ["dev", "log"], "paused": true,
        "await_first_ping": true, "resume_on_ping": false, "methods": ["POST"], "remind_every": "1d",
    }))
    .unwrap();
    assert_eq!(slug, "s");
    assert_eq!(draft.timing, Timing::Cron(Expressions::one("0 2 * * *")));
    assert_eq!(draft.description.as_deref(), Some("two\nlines"));
    assert_eq!(draft.uuid.unwrap().to_string(), "67e55044-10b1-426f-9247-bb680e5fe0c8");
    assert_eq!(
        draft.rest,
        Partial {
            tags: Some(vec!["a".to_owned(), "b".to_owned()]),
            host: Some("db1".to_owned()),
            timezone: Some("Europe/Berlin".to_owned()),
            exclude: None,
            exclude_file: None,
            early: Some(Span::ZERO),
            grace: Some(Span::from_secs(60)),
            max_runtime: Some(Span::from_secs(7_200)),
            channels: Some(vec![ChannelName::new("dev"), ChannelName::new("log")]),
            paused: Some(true),
            await_first_ping: Some(true),
            resume_on_ping: Some(false),
            methods: Some([Method::Post].into()),
            remind_every: Some(Span::from_secs(86_400)),
        }
    );
}

#[test]
fn what_is_unsaid_or_null_is_left_to_the_defaults() {
    let nulls = json!({ "name": "N", "slug": null, "interval_seconds": 60, "cron": null, "grace": null, "tags": null });
    let (slug, draft) = draft(&nulls).unwrap();
    assert_eq!((slug.as_str(), &draft.rest), ("n", &Partial::default()));
    assert_eq!(draft.timing, Timing::Interval(Span::from_secs(60)));
}

#[test]
fn a_wrong_value_is_refused_by_the_name_of_its_field() {
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("x".repeat(256))),
        ("name", json!("two\nlines")),
        ("name", json!("   ")),
        ("name", json!(7)),
        ("slug", json!("Not A Slug")),
        ("slug", json!("")),
        ("slug", json!("67e55044-10b1-426f-9247-bb680e5fe0c8")),
        ("interval", json!("0s")),
        ("interval", json!("367d")),
        ("interval", json!("soon")),
        ("interval", json!("")),
        ("interval", json!(86_400)),
        ("grace", json!("367d")),
        ("grace", json!("-1h")),
        ("grace_period", json!(3600)),
        ("grace_seconds", json!("1h")),
        ("grace_seconds", json!(-1)),
        ("grace_seconds", json!(1.5)),
        ("grace_seconds", json!(1e30)),
        ("max_runtime", json!("0s")),
        ("max_runtime_seconds", json!(0)),
        ("remind_every", json!("0s")),
        ("timezone", json!("Mars/Olympus")),
        ("timezone", json!("")),
        ("tags", json!("db")),
        ("tags", json!(["db", 1])),
        ("tags", json!(["x".repeat(256)])),
        ("tags", json!(["two\nlines"])),
        ("tags", json!((0..101).map(|n| n.to_string()).collect::<Vec<_>>())),
        ("description", json!("x".repeat(10_001))),
        ("timezone", json!("x".repeat(256))),
        ("description", json!("a bell \u{7}")),
        ("host", json!("")),
        ("channels", json!(["pager"])),
        ("channels", json!(["ops", "ops"])),
        ("channels", json!("ops")),
        ("paused", json!("yes")),
        ("methods", json!(["PUT"])),
        ("methods", json!([])),
        ("methods", json!(vec!["GET"; 11])),
        ("channels", json!(vec!["ops"; 101])),
        ("uuid", json!("nope")),
        ("description", json!(["a"])),
        ("intervall", json!("1h")),
        ("status", json!("down")),
    ] {
        assert_eq!(fault(&with(field, value.clone())), field, "{field}: {value}");
    }
}

#[test]
fn a_heartbeat_has_one_schedule() {
    assert_eq!(fault(&json!({ "name": "N" })), "interval");
    assert_eq!(fault(&with("cron", json!("* * * * *"))), "cron");
    assert_eq!(fault(&with("interval_seconds", json!(60))), "interval_seconds");
    assert_eq!(fault(&json!({ "name": "N", "on_calendar": "whenever" })), "on_calendar");
    assert_eq!(fault(&json!({ "name": "N", "cron": ["0 2 * * *", "every day"] })), "cron");
    assert_eq!(fault(&json!({ "name": "N", "cron": [] })), "cron");
    assert_eq!(fault(&json!({ "name": "N", "cron": [5] })), "cron");
    assert_eq!(fault(&json!({ "name": "N", "cron": vec!["0 2 * * *"; 101] })), "cron");
    assert_eq!(fault(&json!({ "name": "N", "interval": "1h", "exclude": ["whenever"] })), "exclude");
    assert_eq!(fault(&json!({ "name": "N", "interval": "1h", "exclude": 7 })), "exclude");
    assert_eq!(fault(&json!({ "name": "N", "interval": "1h", "early": "367d" })), "early");
    let both = json!({ "name": "N", "interval": "1h", "early": "5s", "early_seconds": 5 });
    assert_eq!(fault(&both), "early_seconds");
    for early in [json!({ "early": "0" }), json!({ "early_seconds": 0 })] {
        let mut body = json!({ "name": "N", "cron": "@daily" });
        body.as_object_mut().unwrap().extend(early.as_object().unwrap().clone());
        assert_eq!(draft(&body).unwrap().1.rest.early, Some(Span::ZERO), "{early}");
    }
    let both = json!({ "name": "N", "interval": "1h", "grace": "1h", "grace_seconds": 60 });
    assert_eq!(fault(&both), "grace_seconds");
}

#[test]
fn a_bad_cron_expression_is_named() {
    for cron in [&"0 ".repeat(501)[..], "", "0 0\n* * *", "nonsense", "* * * *", "61 * * * *", "0 0 30 2 *"] {
        assert_eq!(fault(&json!({ "name": "N", "cron": cron })), "cron", "{cron}");
    }
    assert_eq!(fault(&json!({ "name": "N", "cron": "@daily", "timezone": "Nowhere" })), "timezone");
}

#[test]
fn a_name_without_letters_asks_for_a_slug() {
    assert_eq!(fault(&json!({ "name": "!!!", "interval": "1h" })), "slug");
    assert_eq!(draft(&json!({ "name": "!!!", "slug": "bang", "interval": "1h" })).unwrap().0, "bang");
    assert_eq!(fault(&json!({ "interval": "1h" })), "name");
    assert_eq!(fault(&json!({ "slug": "only", "interval": "1h" })), "name");
}

#[test]
fn a_misspelt_field_is_refused_with_what_was_meant() {
    let failure = draft(&with("grace_perio", json!("1h"))).unwrap_err();
    assert!(failure.message.contains("\"grace_period\""), "{}", failure.message);
    let failure = draft(&with("zzz", json!("1h"))).unwrap_err();
    assert!(!failure.message.contains("Probably"), "{}", failure.message);
}

#[test]
fn names_without_end_are_neither_compared_nor_sent_back() {
    let long = "n".repeat(1_000_000);
    let mut body = json!({ "name": "N", "interval": "1h" });
    body[&long] = json!(1);
    let failure = draft(&body).unwrap_err();
    assert!(failure.field.unwrap().len() <= 100 && failure.message.len() < 100);
    let failure = draft(&with("channels", json!([long]))).unwrap_err();
    assert!(failure.message.len() < 1_000, "{}", failure.message.len());
    let failure = draft(&with("interval", json!(long))).unwrap_err();
    assert!(failure.message.len() < 1_000, "{}", failure.message.len());
}

#[test]
fn what_is_no_object_of_json_is_refused() {
    for body in [&b""[..], b"{", b"[]", b"null", b"\"text\"", b"{\"name\":\"N\"} x", b"\xff\xfe", b"name=N"] {
        let failure = whole(body).unwrap_err();
        assert_eq!((failure.status.as_u16(), failure.code), (400, "invalid_json"), "{body:?}");
    }
}

#[test]
fn a_field_that_is_given_twice_is_refused_by_its_name() {
    for (body, field) in [
        (r#"{"name": "a", "interval": "1h", "interval": "24h"}"#, "interval"),
        (r#"{"name": "a", "interval": "1h", "n\u0061me": "a"}"#, "name"),
        (r#"{"grace": null, "name": "a", "interval": "1h", "grace": "1h"}"#, "grace"),
    ] {
        let failure = whole(body.as_bytes()).unwrap_err();
        assert_eq!((failure.status.as_u16(), failure.field.as_deref()), (400, Some(field)), "{body}");
        assert!(failure.message.contains("twice"), "{}", failure.message);
    }
}

/// What is said of a heartbeat after a merge.
fn merged(before: &Value, patch: &Value) -> Result<Draft, String> {
    let (slug, told) = draft(before).unwrap();
    let fields = Fields::read(patch.to_string().as_bytes()).unwrap();
    merge(&fields, told, &Slug::new(&slug).unwrap(), &settings()).map_err(|failure| failure.field.unwrap())
}

#[test]
fn a_merge_changes_what_is_given_and_null_unsays() {
    let before = json!({
        "name": "N", "description": "d", "tags": ["a"], "host": "db1", "interval": "24h", "grace": "5m",
        "max_runtime": "2h", "channels": ["ops"], "paused": true, "methods": ["POST"], "remind_every": "1d",
        "uuid": "67e55044-10b1-426f-9247-bb680e5fe0c8",
    });
    let told = draft(&before).unwrap().1;
    assert_eq!(merged(&before, &json!({})), Ok(told.clone()));
    let longer = merged(&before, &json!({ "interval_seconds": 7200, "grace_period": "10m" })).unwrap();
    let mut wanted = told.clone();
    (wanted.timing, wanted.rest.grace) =
        (Timing::Interval(Span::from_secs(7_200)), Some(Span::from_secs(600)));
    assert_eq!(longer, wanted);
    let nulls = json!({
        "name": null, "description": null, "tags": null, "host": null, "grace_seconds": null, "max_runtime": null,
        "channels": null, "paused": null, "methods": null, "remind_every": null, "uuid": null,
    });
    assert_eq!(merged(&before, &nulls), Ok(Draft::new(told.timing)));
}

#[test]
fn a_merge_can_put_another_schedule_in_its_place_but_not_none() {
    let every = json!({ "name": "N", "interval": "24h" });
    let cron = json!({ "name": "N", "cron": "30 2 * * *", "timezone": "Europe/Berlin" });
    let nightly = merged(&every, &json!({ "interval": null, "cron": "30 2 * * *" })).unwrap();
    assert_eq!(nightly.timing, Timing::Cron(Expressions::one("30 2 * * *")));
    assert_eq!(merged(&every, &json!({ "cron": "30 2 * * *" })).unwrap().timing, nightly.timing);
    assert_eq!(
        merged(&every, &json!({ "cron": null })).unwrap().timing,
        Timing::Interval(Span::from_secs(86_400))
    );
    assert_eq!(merged(&every, &json!({ "interval": null })), Err("interval".to_owned()));
    assert_eq!(merged(&cron, &json!({ "cron": null })), Err("cron".to_owned()));
    assert_eq!(merged(&cron, &json!({ "timezone": "Nowhere" })), Err("timezone".to_owned()));
    assert_eq!(merged(&cron, &json!({ "interval": "1h", "cron": "* * * * *" })), Err("cron".to_owned()));
}

#[test]
fn a_slug_cannot_be_changed() {
    let every = json!({ "name": "N", "interval": "24h" });
    assert_eq!(merged(&every, &json!({ "slug": "other" })), Err("slug".to_owned()));
    assert!(merged(&every, &json!({ "slug": "n" })).is_ok());
    assert!(merged(&every, &json!({ "slug": null })).is_ok());
}

#[test]
fn a_number_is_whole_by_what_it_is_and_not_by_how_it_is_written() {
    for text in ["60", "60.0", "6e1"] {
        let body = format!(r#"{{"name": "N", "interval_seconds": {text}}}"#);
        let Whole { draft, .. } = whole(body.as_bytes()).unwrap();
        assert_eq!(draft.timing, Timing::Interval(Span::from_secs(60)), "{text}");
    }
}

#[test]
fn the_expression_at_fault_is_named_when_there_are_several() {
    let body = json!({ "name": "N", "cron": ["0 2 * * *", "61 2 * * *"] });
    let failure = whole(body.to_string().as_bytes()).unwrap_err();
    assert!(failure.message.starts_with("\"61 2 * * *\": in the minute field"), "{}", failure.message);
    let (_, two) = draft(&json!({ "name": "N", "cron": ["0 2 * * *", "0 14 * * *"] })).unwrap();
    assert_eq!(two.timing, Timing::Cron(Expressions::new(["0 2 * * *", "0 14 * * *"])));
}

#[test]
fn lists_are_read_and_what_the_api_says_of_exclusions_is_all_of_them() {
    let (_, both) = draft(&json!({
        "name": "N", "on_calendar": ["Mon..Fri 03:00", "Sat 04:00 Europe/Berlin"], "exclude": ["2026-12-25", "Sun"],
    }))
    .unwrap();
    assert_eq!(
        both.timing,
        Timing::OnCalendar(Expressions::new(["Mon..Fri 03:00", "Sat 04:00 Europe/Berlin"]))
    );
    assert_eq!(both.rest.exclude, Some(Expressions::new(["2026-12-25", "Sun"])));
    assert_eq!(
        both.rest.exclude_file,
        Some(Expressions::default()),
        "the file of the defaults does not count"
    );
    let one = draft(&json!({ "name": "N", "on_calendar": "daily", "exclude": [] })).unwrap().1;
    assert_eq!(one.timing, Timing::OnCalendar(Expressions::one("daily")));
    assert_eq!(one.rest.exclude, Some(Expressions::default()));

    let before = json!({ "name": "N", "cron": "0 2 * * 6", "exclude": "2026-12-26", "early": "5m" });
    let told = draft(&before).unwrap().1;
    assert_eq!(merged(&before, &json!({ "grace": "2h" })).unwrap().rest.exclude, told.rest.exclude);
    let unsaid = merged(&before, &json!({ "exclude": null, "early": null })).unwrap().rest;
    assert_eq!((unsaid.exclude, unsaid.exclude_file, unsaid.early), (None, None, None));
    // What is excluded must leave something of the schedule, whichever of the two is given.
    assert_eq!(merged(&before, &json!({ "exclude": "Sat" })), Err("exclude".to_owned()));
    let sundays = json!({ "name": "N", "cron": "0 2 * * 6", "exclude": "Sun" });
    assert_eq!(merged(&sundays, &json!({ "cron": "0 2 * * 7" })), Err("exclude".to_owned()));
    assert_eq!(fault(&json!({ "name": "N", "on_calendar": ["daily", "25:00"] })), "on_calendar");
}
