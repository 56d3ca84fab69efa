//! Bodies that make a heartbeat or change one, under attack: they make one that keeps every limit, or are refused with a
//! sentence.

use serde_json::{Map, Value};

use crate::fuzz::{Target, kind_of};
use crate::http::HttpSettings;
use crate::http::api::draft::{FIELDS, Whole, YEAR, merge, read};
use crate::http::api::fields::Fields;
use crate::http::rejection::Failure;
use crate::model::heartbeat::{Defaults, Draft};
use crate::model::schedule::words::words;
use crate::model::text;
use crate::model::time::Timestamp;
use uuid::Uuid;

std::thread_local! {
    static SETTINGS: HttpSettings = HttpSettings::for_tests();
}

#[test]
fn a_body_makes_a_heartbeat_within_all_limits_or_is_refused_with_a_sentence() {
    Target { name: "api_body", inputs: 8_000, dictionary: &DICTIONARY, check }.attack();
}

#[test]
fn a_body_changes_of_another_heartbeat_what_it_names_and_nothing_else() {
    Target { name: "api_change", inputs: 8_000, dictionary: &DICTIONARY, check: check_change }.attack();
}

/// Heartbeats that are there, by all that can be said of one.
const TOLD: [&str; 2] = [
    r#"{"name": "Nightly", "interval": "24h", "grace": "1h", "tags": ["db"], "host": "db1", "channels": ["ops"],
        "uuid": "b7e55044-10b1-426f-9247-bb680e5fe0c8", "description": "Of the night.", "paused": true,
        "methods": ["POST"], "remind_every": "2h", "resume_on_ping": true}"#,
    r#"{"name": "Monthly", "cron": "0 2 * * *", "timezone": "Europe/Berlin", "exclude": ["Sun"], "early": "5m",
        "max_runtime": "1h", "await_first_ping": true}"#,
];

/// What a draft is written with, and what a body says it by.
const SAID: [(&[&str], &[&str]); 17] = [
    (&["timing"], &["interval", "interval_seconds", "cron", "on_calendar"]),
    (&["name"], &["name"]),
    (&["description"], &["description"]),
    (&["uuid"], &["uuid"]),
    (&["tags"], &["tags"]),
    (&["host"], &["host"]),
    (&["timezone"], &["timezone"]),
    (&["exclude", "exclude_file"], &["exclude"]),
    (&["early"], &["early", "early_seconds"]),
    (&["grace"], &["grace", "grace_period", "grace_seconds"]),
    (&["max_runtime"], &["max_runtime", "max_runtime_seconds"]),
    (&["channels"], &["channels"]),
    (&["paused"], &["paused"]),
    (&["await_first_ping"], &["await_first_ping"]),
    (&["resume_on_ping"], &["resume_on_ping"]),
    (&["methods"], &["methods"]),
    (&["remind_every"], &["remind_every", "remind_every_seconds"]),
];

const DICTIONARY: [&str; 58] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "\u{202e}",
    "null",
    "true",
    "false",
    "1e999",
    "-0",
    "1.5",
    "\"name\":",
    "\"slug\":",
    "\"description\":",
    "\"tags\":",
    "\"host\":",
    "\"interval\":",
    "\"interval_seconds\":",
    "\"cron\":",
    "\"on_calendar\":",
    "\"timezone\":",
    "\"exclude\":",
    "\"early\":",
    "\"grace\":",
    "\"grace_period\":",
    "\"grace_seconds\":",
    "\"max_runtime\":",
    "\"uuid\":",
    "\"channels\":",
    "\"paused\":",
    "\"methods\":",
    "\"remind_every\":",
    "\"24h\"",
    "\"366d\"",
    "\"367d\"",
    "\"0s\"",
    "\"1h30m\"",
    "\"0 2 * * *\"",
    "\"@daily\"",
    "\"Mon..Fri 02:00\"",
    "\"Europe/Berlin\"",
    "\"UTC\"",
    "[\"Sun\"]",
    "[\"*-*-*\"]",
    "[\"ops\"]",
    "[\"GET\"]",
    "\"67e55044-10b1-426f-9247-bb680e5fe0c8\"",
    "\"a\"",
    "\" \"",
    "\"ä\"",
    "\"\\n\"",
    "{\"a\":1}",
];

fn check(input: &[u8]) -> String {
    SETTINGS.with(|settings| {
        let made = Fields::read(input).and_then(|fields| Ok((read(&fields, None, settings)?, fields)));
        match made {
            Ok((whole, fields)) => {
                keeps_limits(&whole, settings);
                // The same fields again change nothing.
                let again = merge(&fields, whole.draft.clone(), &whole.slug, settings);
                assert_eq!(again.as_ref().ok(), Some(&whole.draft), "{again:?}");
                let given = fields.given(&FIELDS).join(" ");
                format!("made of {given}: {}", kind_of(&words(&whole.draft.timing)))
            }
            Err(failure) => refused(&failure),
        }
    })
}

/// The same body by PATCH and by PUT, onto heartbeats that are there.
fn check_change(input: &[u8]) -> String {
    SETTINGS.with(|settings| {
        let fields = match Fields::read(input) {
            Ok(fields) => fields,
            Err(failure) => return refused(&failure),
        };
        let body: Map<String, Value> = serde_json::from_slice(input).expect("it was read");
        let mut came_to = Vec::new();
        for told in TOLD {
            let told = Fields::read(told.as_bytes()).and_then(|fields| read(&fields, None, settings));
            let Whole { slug, draft: told } = told.unwrap_or_else(|failure| panic!("{failure:?}"));
            let of_it = body.get("slug").is_none_or(|given| given.is_null() || given == slug.as_str());
            came_to.push(match merge(&fields, told.clone(), &slug, settings) {
                Ok(draft) => {
                    assert!(of_it, "{body:?}");
                    changes_what_it_names(&body, &written(&told), &written(&draft));
                    let again = merge(&fields, draft.clone(), &slug, settings);
                    assert_eq!(again.as_ref().ok(), Some(&draft), "the same once more changes nothing");
                    let changed = format!("changed: {}", kind_of(&words(&draft.timing)));
                    keeps_limits(&Whole { slug: slug.clone(), draft }, settings);
                    changed
                }
                Err(failure) => refused(&failure),
            });
            came_to.push(match read(&fields, Some(&slug), settings) {
                Ok(whole) => {
                    assert!(of_it && whole.slug == slug, "{body:?}");
                    changes_what_it_names(&body, &Map::new(), &written(&whole.draft));
                    keeps_limits(&whole, settings);
                    "replaced".to_owned()
                }
                Err(failure) => refused(&failure),
            });
        }
        came_to.join("; ")
    })
}

fn written(draft: &Draft) -> Map<String, Value> {
    let Ok(Value::Object(written)) = serde_json::to_value(draft) else { panic!("{draft:?}") };
    written
}

/// What is not named is as before, what is null is unsaid, and what is given is said.
fn changes_what_it_names(body: &Map<String, Value>, before: &Map<String, Value>, after: &Map<String, Value>) {
    let groups = SAID.iter().flat_map(|(_, names)| *names);
    assert!(body.keys().all(|key| key == "slug" || groups.clone().any(|name| name == key)), "{body:?}");
    assert!(after.keys().all(|key| SAID.iter().any(|(keys, _)| keys.contains(&key.as_str()))), "{after:?}");
    for (keys, names) in SAID {
        let mut named = names.iter().filter_map(|name| body.get(*name)).peekable();
        let is_named = named.peek().is_some();
        let is_given = named.any(|value| !value.is_null());
        for key in keys {
            let (old, new) = (before.get(*key), after.get(*key));
            match (is_named, is_given) {
                (false, _) => assert_eq!(new, old, "{key} by {body:?}"),
                (true, true) => assert!(new.is_some(), "{key} by {body:?}"),
                (true, false) => assert_eq!(new, None, "{key} by {body:?}"),
            }
        }
    }
}

fn refused(failure: &Failure) -> String {
    let Failure { status, message, field, .. } = failure;
    assert!(status.is_client_error(), "{failure:?}");
    assert!(
        message.ends_with('.') && (10..=20 * text::EXPRESSION_MAX).contains(&message.len()),
        "{failure:?}"
    );
    assert!(field.as_ref().is_none_or(|field| field.chars().count() <= 100), "{failure:?}");
    let known = field.as_ref().filter(|field| FIELDS.contains(&field.as_str()));
    format!("{status} {known:?} {}", kind_of(message))
}

fn keeps_limits(whole: &Whole, settings: &HttpSettings) {
    let Whole { slug, draft } = whole;
    let json = serde_json::to_string(draft).expect("a draft is kept as JSON");
    assert_eq!(serde_json::from_str::<Draft>(&json).ok().as_ref(), Some(draft), "{json}");
    let heartbeat = draft.settle(slug.clone(), &Defaults::default(), Uuid::from_u128(9));
    assert!((1..=text::LINE_MAX).contains(&heartbeat.name.chars().count()), "{heartbeat:?}");
    assert!(heartbeat.description.chars().count() <= text::DESCRIPTION_MAX, "{heartbeat:?}");
    assert!(heartbeat.tags.len() <= text::TAGS_MAX && heartbeat.exclude.len() <= text::EXCLUSIONS_MAX);
    assert!(!heartbeat.name.chars().any(char::is_control), "{heartbeat:?}");
    let spans = [heartbeat.early, Some(heartbeat.grace), Some(heartbeat.max_runtime), heartbeat.remind_every];
    assert!(spans.iter().flatten().all(|span| *span <= YEAR), "{heartbeat:?}");
    assert!(heartbeat.max_runtime.as_secs() >= 1 && !heartbeat.methods.is_empty(), "{heartbeat:?}");
    let known = |name: &crate::model::channel::ChannelName| settings.channels.contains(name);
    assert!(heartbeat.channels.iter().all(known), "{heartbeat:?}");
    let occurrences = heartbeat.timing.compile(&heartbeat.timezone, &heartbeat.exclude, &settings.zones);
    let t = Timestamp::from_millis(1_795_316_400_000);
    let next = occurrences.expect("it was checked").next_after(t);
    assert!(next.is_none_or(|next| next > t), "{heartbeat:?}");
}
