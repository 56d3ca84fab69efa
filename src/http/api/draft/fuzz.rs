//! Bodies that make a heartbeat, under attack: they make one that keeps every limit, or are refused with a sentence.

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
