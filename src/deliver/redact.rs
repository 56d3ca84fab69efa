//! What a receiver says, made fit for an error: one short line without any secret of the channel. Never knows
//! what the answer means.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use crate::config::channel::Webhook;

/// Characters of an answer that an error repeats.
const EXCERPT_MAX: usize = 200;

/// Every piece of text that an error must not repeat, the longest first.
pub(super) fn secrets(webhook: &Webhook) -> Vec<String> {
    /// Shorter pieces of a path are words such as `hook`, and hiding them would hide the error.
    const PIECE_MIN: usize = 8;
    let mut secrets = vec![webhook.url.expose().to_owned()];
    secrets.extend(webhook.secret.as_ref().map(|secret| secret.expose().to_owned()));
    for (_, value) in &webhook.headers {
        let value = value.expose();
        secrets.push(value.to_owned());
        // "Bearer abc": the receiver may repeat the last word alone.
        secrets.extend(value.split_whitespace().filter(|w| w.len() >= PIECE_MIN).map(str::to_owned));
    }
    if let Ok(url) = reqwest::Url::parse(webhook.url.expose()) {
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let pieces = path.split(['/', '?', '&', '=', ';', ':', ',']).filter(|p| p.len() >= PIECE_MIN);
        secrets.extend(pieces.map(str::to_owned));
        let decoded = url.query_pairs().map(|(_, value)| value.into_owned());
        secrets.extend(decoded.filter(|value| value.len() >= PIECE_MIN));
        secrets.extend(url.password().map(str::to_owned));
        if path.len() > 1 {
            secrets.push(path);
        }
    }
    let forms: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    secrets.extend(forms);
    secrets.retain(|secret| !secret.is_empty());
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    secrets
}

/// How a receiver may write a piece of text that it was sent: decoded, in JSON (also as PHP has it), in HTML, in base64.
fn forms(text: &str) -> [String; 5] {
    let json = serde_json::Value::from(text).to_string();
    // One quote at each end is JSON's; a further one is the text's own, behind its backslash.
    let json = json[1..json.len() - 1].to_owned();
    [
        percent_decode_str(text).decode_utf8_lossy().into_owned(),
        json.replace('/', "\\/"),
        json,
        text.replace('&', "&amp;"),
        STANDARD.encode(text),
    ]
}

/// The first words of an answer on one line, without any of `secrets`. `cut`: the answer went on, so that a
/// secret may stand half at its end.
pub(super) fn excerpt(said: &[u8], secrets: &[String], cut: bool) -> String {
    let mut text = String::from_utf8_lossy(said).into_owned();
    for secret in secrets {
        text = text.replace(secret.as_str(), "***");
    }
    if cut {
        let longest = secrets.first().map_or(0, String::len);
        let mut keep = text.len().saturating_sub(longest);
        while !text.is_char_boundary(keep) {
            keep -= 1;
        }
        text.truncate(keep);
    }
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(EXCERPT_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_line_of_200_characters_without_secrets() {
        let secrets = ["https://h/T0KEN-abcdef".to_owned(), "T0KEN-abcdef".to_owned()];
        let said = b"no such hook:\r\n\tT0KEN-abcdef \x1b[31mat https://h/T0KEN-abcdef";
        assert_eq!(excerpt(said, &secrets, false), "no such hook: *** [31mat ***");
        let long = "ä".repeat(300);
        assert_eq!(excerpt(long.as_bytes(), &secrets, false).chars().count(), 201);
        assert_eq!(excerpt(b"\xff\xfe", &[], false), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_secret_is_known_in_whatever_way_the_receiver_writes_it() {
        let text = "https://hooks/T0K%2DEN%20abcdef/x?a=1&b=2";
        let secrets: Vec<String> = std::iter::once(text.to_owned()).chain(forms(text)).collect();
        for said in [
            "https://hooks/T0K-EN abcdef/x?a=1&b=2",
            r"https:\/\/hooks\/T0K%2DEN%20abcdef\/x?a=1&b=2",
            "https://hooks/T0K%2DEN%20abcdef/x?a=1&amp;b=2",
            &STANDARD.encode(text),
        ] {
            assert_eq!(excerpt(format!("no: {said}").as_bytes(), &secrets, false), "no: ***", "{said}");
        }
    }

    #[test]
    fn a_secret_that_begins_or_ends_with_a_quote_is_hidden_whole_in_json() {
        for text in [r#"T0KEN-abcdef""#, r#""T0KEN-abcdef"#, r#""T0KEN-abcdef""#, r#"T0KEN-abcdef""#] {
            let mut secrets: Vec<String> = std::iter::once(text.to_owned()).chain(forms(text)).collect();
            secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
            let said = serde_json::json!([text, "and more"]).to_string();
            assert_eq!(excerpt(said.as_bytes(), &secrets, false), r#"["***","and more"]"#, "{text}");
        }
    }

    #[test]
    fn half_a_secret_at_the_cut_is_not_shown() {
        let secrets = ["T0KEN-abcdef".to_owned()];
        let said = "T0KEN-abcdef".repeat(20) + "T0KEN-ab";
        let shown = excerpt(said.as_bytes(), &secrets, true);
        assert!(!shown.contains("T0KEN") && shown.starts_with("***"), "{shown}");
    }
}
