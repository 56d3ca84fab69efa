//! What each service's documentation asks of a message. Sources are named at each.

use serde_json::Value;

use super::Received;

/// Fails the test when `body` is not what the service takes, or does not say what the alert is.
#[track_caller]
pub(crate) fn check(service: &str, alert: &Value, request: &Received, body: &Value) {
    match service {
        "slack" => slack(alert, body),
        "discord" => discord(alert, body),
        "teams" => teams(alert, request, body),
        "ntfy" => ntfy(alert, request, body),
        "gotify" => gotify(alert, request, body),
        "alertmanager" => alertmanager(alert, request, body),
        other => panic!("no shape is known for {other}"),
    }
}

fn kind(alert: &Value) -> &str {
    alert["type"].as_str().unwrap()
}

fn link(alert: &Value) -> &str {
    alert["data"]["incident"]["url"].as_str().unwrap()
}

/// What every message must hold of the summary: its beginning, unchanged.
fn beginning(alert: &Value) -> String {
    alert["data"]["summary"].as_str().unwrap().chars().take(60).collect()
}

#[track_caller]
fn keys(object: &Value, allowed: &[&str]) {
    for key in object.as_object().expect("an object").keys() {
        assert!(allowed.contains(&key.as_str()), "{key} is no key of this service");
    }
}

/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>: an object with `text`; `&`, `<`
/// and `>` escaped unless they are markup; above 4,000 characters it may be cut.
#[track_caller]
fn slack(alert: &Value, body: &Value) {
    keys(body, &["text"]);
    let text = body["text"].as_str().unwrap();
    assert!(!text.is_empty() && text.chars().count() <= 4_000);
    let link = format!("\n<{}|Open in overdue>", link(alert));
    let said = text.strip_suffix(&link).expect("ends with the link");
    assert!(!said.contains(['<', '>']), "{said}");
    let plain = said.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    assert!(plain.contains(&beginning(alert)), "{plain}");
    let icon = match kind(alert) {
        "incident.resolved" => ":white_check_mark: ",
        "test" => ":wave: ",
        _ => ":rotating_light: ",
    };
    assert!(text.starts_with(icon), "{text}");
}

/// <https://docs.discord.com/developers/resources/webhook>: one of content, embeds, … is required; content has
/// at most 2,000 characters (counted here as UTF-16, the stricter way); `allowed_mentions.parse` is a list.
#[track_caller]
fn discord(alert: &Value, body: &Value) {
    keys(body, &["content", "allowed_mentions"]);
    let content = body["content"].as_str().unwrap();
    assert!(content.encode_utf16().count() <= 2_000);
    assert!(content.contains(&beginning(alert)) && content.contains(link(alert)));
    assert_eq!(content.starts_with('✅'), kind(alert) == "incident.resolved");
    assert_eq!(body["allowed_mentions"], serde_json::json!({ "parse": [] }));
}

/// <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>: a message
/// with adaptive cards as attachments, at most 28 KB; <https://adaptivecards.io/explorer>: the card's elements.
#[track_caller]
fn teams(alert: &Value, request: &Received, body: &Value) {
    assert!(request.body.len() <= 28_000, "{}", request.body.len());
    assert_eq!(body["type"], "message");
    let [attachment] = body["attachments"].as_array().unwrap().as_slice() else { panic!("one card") };
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    assert!(attachment["contentUrl"].is_null());
    let card = &attachment["content"];
    assert_eq!(card["$schema"], "http://adaptivecards.io/schemas/adaptive-card.json");
    assert_eq!((card["type"].as_str(), card["version"].as_str()), (Some("AdaptiveCard"), Some("1.4")));
    let text = &card["body"][0];
    assert_eq!((text["type"].as_str(), text["wrap"].as_bool()), (Some("TextBlock"), Some(true)));
    assert!(text["text"].as_str().unwrap().contains(&beginning(alert)));
    let color = text["color"].as_str().unwrap();
    assert!(["Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"].contains(&color));
    assert_eq!(color == "Good", kind(alert) == "incident.resolved");
    assert_eq!(card["body"][1]["type"], "FactSet");
    let facts = card["body"][1]["facts"].as_array().unwrap();
    assert_eq!(facts.len(), 3);
    assert!(facts.iter().all(|fact| fact["title"].is_string() && fact["value"].is_string()));
    assert_eq!(card["actions"][0]["type"], "Action.OpenUrl");
    assert_eq!(card["actions"][0]["url"], link(alert));
}

/// <https://docs.ntfy.sh/publish/#publish-as-json>: to the root; `topic` required, of `[-_A-Za-z0-9]{1,64}`; a
/// message above 4,096 bytes becomes an attachment; priority 1 to 5; a token as `Authorization: Bearer`.
#[track_caller]
fn ntfy(alert: &Value, request: &Received, body: &Value) {
    keys(body, &["topic", "title", "message", "priority", "tags", "click"]);
    assert_eq!(request.path, "/");
    assert!(request.header("authorization").starts_with("Bearer tk_"));
    let topic = body["topic"].as_str().unwrap();
    assert!((1..=64).contains(&topic.len()));
    assert!(topic.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_'));
    let message = body["message"].as_str().unwrap();
    assert!(message.len() <= 4_096 && message.contains(&beginning(alert)));
    let title = body["title"].as_str().unwrap();
    assert!(!title.contains('\n') && title.contains(" is ") && title.len() <= 512);
    let priority = body["priority"].as_u64().unwrap();
    assert!((1..=5).contains(&priority));
    assert_eq!(priority == 4, kind(alert) == "incident.opened");
    let tags = body["tags"].as_array().unwrap();
    assert_eq!(tags.len(), 1);
    assert_eq!(tags[0] == "white_check_mark", kind(alert) == "incident.resolved");
    assert_eq!(body["click"], link(alert));
}

/// <https://gotify.net/api-docs> (message): `message` required, `title`, an integer `priority`, `extras` by
/// namespace; <https://gotify.net/docs/msgextras>: `client::notification.click.url`; the token as `X-Gotify-Key`.
#[track_caller]
fn gotify(alert: &Value, request: &Received, body: &Value) {
    keys(body, &["title", "message", "priority", "extras"]);
    assert_eq!(request.path, "/message");
    assert!(request.header("x-gotify-key").starts_with('A'));
    assert!(body["message"].as_str().unwrap().contains(&beginning(alert)));
    assert!(!body["title"].as_str().unwrap().contains('\n'));
    let priority = body["priority"].as_u64().unwrap();
    assert!(priority <= 10);
    assert_eq!(priority == 8, kind(alert) == "incident.opened");
    assert_eq!(body["extras"]["client::notification"]["click"]["url"], link(alert));
}

/// <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml> (`postableAlerts`): a list; `labels`
/// required, of strings, with names of `[a-zA-Z_][a-zA-Z0-9_]*`; times as RFC 3339; an end not before the start.
#[track_caller]
fn alertmanager(alert: &Value, request: &Received, body: &Value) {
    assert_eq!(request.path, "/api/v2/alerts");
    let [posted] = body.as_array().unwrap().as_slice() else { panic!("one alert") };
    keys(posted, &["labels", "annotations", "startsAt", "endsAt", "generatorURL"]);
    let labels = posted["labels"].as_object().unwrap();
    for (name, value) in labels.iter().chain(posted["annotations"].as_object().unwrap()) {
        assert!(name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'), "{name}");
        assert!(value.is_string(), "{name} is {value}");
    }
    assert_eq!(labels["alertname"], "HeartbeatDown");
    assert_eq!(labels["heartbeat"], alert["data"]["heartbeat"]["slug"]);
    assert_eq!(labels.get("instance").unwrap_or(&Value::Null), &alert["data"]["heartbeat"]["host"]);
    assert!(posted["annotations"]["summary"].as_str().unwrap().contains(&beginning(alert)));
    let instant =
        |key: &str| posted.get(key).map(|text| text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap());
    let (starts, ends) = (instant("startsAt").unwrap(), instant("endsAt"));
    let sent: jiff::Timestamp = alert["timestamp"].as_str().unwrap().parse().unwrap();
    match kind(alert) {
        "test" => assert_eq!(ends, None, "a test ends by itself"),
        "incident.resolved" => assert!(starts <= ends.unwrap() && ends.unwrap() <= sent),
        _ => assert!(ends.unwrap() > sent, "it is open until it is said to be resolved"),
    }
    assert_eq!(posted["generatorURL"], link(alert));
}

/// The same labels are the same alert to Alertmanager: what opens must be resolved by what resolves it.
#[test]
fn an_opened_and_its_resolved_have_the_same_labels() {
    let template = super::recipes().remove("alertmanager").and_then(|recipe| recipe.body).unwrap();
    let mut labels = Vec::new();
    for kind in ["incident.opened", "incident.reminder", "incident.resolved"] {
        let alerts = super::alerts();
        let alert = alerts.iter().find(|alert| alert["type"] == kind).unwrap();
        assert_eq!(alert["data"]["incident"]["cause"], "missed");
        let body = overdue::config::template::render(&template, alert).unwrap();
        labels.push(serde_json::from_str::<Value>(&body).unwrap()[0]["labels"].clone());
    }
    assert!(labels.iter().all(|each| *each == labels[0]), "{labels:?}");
}
