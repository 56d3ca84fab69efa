//! What can be said of a heartbeat, described: the fields, and which of them exclude each other.

use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::model::text;

/// A heartbeat to be made.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what `draft` reads")]
#[allow(clippy::struct_excessive_bools, reason = "they are its fields")]
pub(in crate::http::api) struct NewHeartbeat {
    /// What people call it: one line of 1 to 255 characters.
    #[schema(min_length = 1, max_length = 255, pattern = "LINE", example = "Backup PostgreSQL")]
    name: Option<String>,
    /// Its name in URLs, which must not read as a UUID. Default: the name folded to ASCII; needed when that leaves nothing.
    #[schema(pattern = "^[a-z0-9][a-z0-9_-]{0,99}$", example = "backup-postgresql")]
    slug: Option<String>,
    /// What people should know of it: at most 10,000 characters, no control characters but line ends.
    #[schema(max_length = 10_000, pattern = "TEXT")]
    description: Option<String>,
    /// Words to find it by: at most 100, of one line and at most 255 characters each.
    #[schema(max_items = 100)]
    tags: Option<Vec<String>>,
    /// The machine that it runs on: one line of 1 to 255 characters.
    #[schema(min_length = 1, max_length = 255, pattern = "LINE")]
    host: Option<String>,
    /// How often it is expected, counted from its last finish: a duration from 1s to 366d.
    #[schema(format = "span", example = "24h")]
    interval: Option<String>,
    /// The same in seconds.
    #[schema(minimum = 1, maximum = 31_622_400)]
    interval_seconds: Option<i64>,
    /// When it is expected: a cron expression of five fields, or of six with seconds before them, by the rules of
    /// Debian's cron; or a list of at most 100, of which the earliest time counts. At most 1,000 characters each.
    #[schema(example = "30 2 * * *")]
    cron: Option<String>,
    /// When it is expected: a calendar expression as `OnCalendar=` of systemd has it, in its own time zone or that of
    /// the heartbeat; or a list of at most 100, of which the earliest time counts. At most 1,000 characters each.
    #[schema(example = "Mon..Fri 03:00")]
    on_calendar: Option<String>,
    /// The IANA time zone of the expressions. Default: of `[defaults]`, else UTC.
    #[schema(format = "timezone", example = "Europe/Berlin")]
    timezone: Option<String>,
    /// When nothing is expected: a date, a range of dates (`2026-12-24..2026-12-26`), or a calendar expression, of
    /// which one without a time excludes whole days; or a list of at most 1,000. Default: of `[defaults]`. With it,
    /// `exclude_file` of `[defaults]` does not count.
    #[schema(example = json!(["2026-12-25", "Sat,Sun"]))]
    exclude: Option<String>,
    /// How long before a time of its calendar schedule a finish counts for that time: a duration from 0s to 366d.
    /// Default: of `[defaults]`, else 1m, but at most a tenth of the distance to the time before.
    #[schema(format = "span", example = "10m")]
    early: Option<String>,
    /// The same in seconds. Of `early` and `early_seconds` at most one may be given.
    #[schema(minimum = 0, maximum = 31_622_400)]
    early_seconds: Option<i64>,
    /// How long after due a ping may still come: a duration from 0s to 366d. Default: of `[defaults]`, else 1h.
    #[schema(format = "span", example = "1h")]
    grace: Option<String>,
    /// Another name of `grace`.
    #[schema(format = "span")]
    grace_period: Option<String>,
    /// The same in seconds.
    #[schema(minimum = 0, maximum = 31_622_400)]
    grace_seconds: Option<i64>,
    /// How long a run may take: a duration from 1s to 366d. Default: of `[defaults]`, else the larger of the grace and 1h.
    #[schema(format = "span", example = "2h")]
    max_runtime: Option<String>,
    /// The same in seconds.
    #[schema(minimum = 1, maximum = 31_622_400)]
    max_runtime_seconds: Option<i64>,
    /// The secret of its ping URL. Default: derived from the ping key and the slug.
    #[schema(format = Uuid)]
    uuid: Option<String>,
    /// Names of channels of the config. Default: of `[defaults]`, else overdue's own log.
    channels: Option<Vec<String>>,
    /// Whether it is paused from the beginning; changed later, it pauses or resumes it.
    paused: Option<bool>,
    /// Whether it has no deadline until its first start or finish. Default: false.
    await_first_ping: Option<bool>,
    /// Whether a start or finish ends a pause. Default: false.
    resume_on_ping: Option<bool>,
    /// The HTTP methods by which pings count; by others they are only recorded. Default: all three.
    #[schema(min_items = 1)]
    methods: Option<Vec<String>>,
    /// How often an open incident is told again: a duration from 1s to 366d. Default: of `[defaults]`, else never.
    #[schema(format = "span", example = "4h")]
    remind_every: Option<String>,
    /// The same in seconds.
    #[schema(minimum = 1, maximum = 31_622_400)]
    remind_every_seconds: Option<i64>,
}

/// A heartbeat as it shall be: what is unsaid goes back to its default, but for the UUID.
#[derive(ToSchema)]
#[allow(dead_code, reason = "`complete` puts the fields in")]
pub(in crate::http::api) struct WholeHeartbeat {}

/// What shall be changed of a heartbeat: what is unsaid stays, null goes back to the default. Of `remind_every` and
/// `remind_every_seconds` at most one may be given.
#[derive(ToSchema)]
#[allow(dead_code, reason = "`complete` puts the fields in")]
pub(in crate::http::api) struct HeartbeatPatch {}

/// One line with something in it: `trim().is_empty()` and `is_control()` of Rust, written out.
const LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\u0000-\u001f\u007f-\u009f]*$";
/// One line, or none.
const WORD: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
/// Lines.
const TEXT: &str = r"^[^\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";
/// What a slug must not be: a UUID, with or without hyphens.
const UUID: &str = r"^([0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$";

/// Fields of which at most one may be given. `early` and `early_seconds` are that too, but told in words only, for the
/// reason that `complete` has for the last pair.
const RIVALS: [&[&str]; 3] = [
    &["grace", "grace_period", "grace_seconds"],
    &["max_runtime", "max_runtime_seconds"],
    &["remind_every", "remind_every_seconds"],
];
const SCHEDULES: [&str; 4] = ["interval", "interval_seconds", "cron", "on_calendar"];
/// Fields that are a text or a list of texts: format, and how many a list has.
const LISTS: [(&str, &str, usize, usize); 3] = [
    ("cron", "cron", 1, text::EXPRESSIONS_MAX),
    ("on_calendar", "calendar", 1, text::EXPRESSIONS_MAX),
    ("exclude", "exclusion", 0, text::EXCLUSIONS_MAX),
];

/// Adds to the schemas what deriving cannot say.
pub(super) fn complete(schemas: &mut Value) {
    let mut fields = schemas["NewHeartbeat"]["properties"].clone();
    for (field, pattern) in [("name", LINE), ("host", LINE), ("description", TEXT)] {
        fields[field]["pattern"] = json!(pattern);
    }
    fields["slug"]["not"] = json!({ "type": "string", "pattern": UUID });
    fields["tags"]["items"] = json!({ "type": "string", "maxLength": 255, "pattern": WORD });
    fields["methods"]["items"] = json!({ "type": "string", "enum": ["GET", "HEAD", "POST"] });
    fields["channels"]["items"] = json!({ "type": "string", "format": "channel" });
    fields["channels"]["uniqueItems"] = json!(true);
    fields["channels"]["maxItems"] = json!(100);
    fields["methods"]["maxItems"] = json!(10);

    for (field, format, least, most) in LISTS {
        let one = json!({ "type": "string", "maxLength": text::EXPRESSION_MAX, "format": format });
        let list = json!({ "items": one, "minItems": least, "maxItems": most });
        // Each of the words speaks of one type only, so this needs no `oneOf`, of which a program that makes up
        // requests bears but a few.
        for (key, value) in one.as_object().into_iter().chain(list.as_object()).flatten() {
            fields[field][key.as_str()] = value.clone();
        }
        fields[field]["type"] = json!(["string", "array", "null"]);
    }

    let rivals = RIVALS.map(at_most_one);
    let one_schedule = || std::iter::once(exactly_one()).chain(rivals.clone()).collect::<Vec<_>>();
    // The last pair is told in words only: with one rule more, those who make requests of this (schemathesis) give up,
    // since they multiply the rules.
    let few = rivals.iter().take(RIVALS.len() - 1).cloned();
    let one_at_most: Vec<Value> = std::iter::once(at_most_one(&SCHEDULES)).chain(few).collect();
    for (name, is_new, rules) in [
        ("NewHeartbeat", true, one_schedule()),
        ("WholeHeartbeat", false, one_schedule()),
        ("HeartbeatPatch", false, one_at_most),
    ] {
        let mut properties = fields.clone();
        let mut required = json!([]);
        if is_new {
            properties["name"]["type"] = json!("string");
            required = json!(["name"]);
        } else if let Some(properties) = properties.as_object_mut() {
            // The address says it. That the body may repeat it is more than a schema can say.
            properties.remove("slug");
        }
        schemas[name] = json!({
            "type": "object",
            "description": schemas[name]["description"],
            "properties": properties,
            "required": required,
            "additionalProperties": false,
            "allOf": rules,
        });
    }
}

fn exactly_one() -> Value {
    let branches = SCHEDULES.map(|field| {
        let kind = match field {
            "interval" => json!("string"),
            "interval_seconds" => json!("integer"),
            _ => json!(["string", "array"]),
        };
        let mut properties = json!({ field: { "type": kind } });
        for other in SCHEDULES.into_iter().filter(|other| *other != field) {
            properties[other] = json!({ "type": "null" });
        }
        json!({ "required": [field], "properties": properties })
    });
    json!({ "oneOf": branches })
}

fn at_most_one(fields: &[&str]) -> Value {
    let without = |kept: &&str| {
        let mut properties = json!({});
        for other in fields.iter().filter(|other| *other != kept) {
            properties[*other] = json!({ "type": "null" });
        }
        json!({ "properties": properties })
    };
    json!({ "anyOf": fields.iter().map(without).collect::<Vec<_>>() })
}
