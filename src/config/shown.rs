//! A config written out as an operator would write it, for people to see what is in force. Knows every key and how
//! its value is written; never shows a secret, nor how long one is.

use std::fmt::Write as _;

use crate::config::channel::{ChannelConfig, Webhook, WebhookMethod};
use crate::config::duration::{write_size, write_span};
use crate::config::{ApiKey, Config, Durability, Role, Server, StateConfig};
use crate::model::channel::ChannelName;
use crate::model::heartbeat::Defaults;
use crate::model::ping::Method;
use crate::model::schedule::expressions::Expressions;
use crate::model::time::Span;

/// What stands for a secret.
pub const SECRET: &str = "(secret)";

impl Config {
    /// The config as TOML, without its secrets; its heartbeats are only counted.
    pub fn shown(&self) -> String {
        let mut text = String::new();
        server(&mut text, &self.server);
        state(&mut text, &self.state);
        defaults(&mut text, &self.defaults);
        for (name, channel) in &self.channels {
            table(&mut text, &format!("[channels.{}]", key(name.as_str())));
            match channel {
                ChannelConfig::Log => put(&mut text, "type", &quoted("log")),
                ChannelConfig::Webhook(webhook) => self::webhook(&mut text, webhook),
            }
        }
        let count = self.heartbeats.len();
        let plural = if count == 1 { "" } else { "s" };
        line(&mut text, &format!("\n# And {count} heartbeat{plural}."));
        text
    }
}

/// Taken apart whole, here and below: a key that is not shown does not compile.
fn server(text: &mut String, server: &Server) {
    let Server {
        listen,
        base_url,
        ping_key,
        trusted_proxies,
        body_limit,
        max_connections,
        ping_rate_per_address,
        ping_rate_per_heartbeat,
        request_rate_per_address,
        metrics_heartbeats,
        alive_url,
        status_pages,
        api_keys,
    } = server;
    line(text, "[server]");
    let listen: Vec<String> = listen.iter().map(ToString::to_string).collect();
    match &listen[..] {
        [one] => put(text, "listen", &quoted(one)),
        _ => put(text, "listen", &list(listen.iter().map(String::as_str))),
    }
    put(text, "base_url", &quoted(base_url));
    match ping_key {
        Some(_) => secret(text, "ping_key"),
        None => line(text, "# ping_key: overdue's own, in the state folder"),
    }
    let proxies: Vec<String> = trusted_proxies.iter().map(ToString::to_string).collect();
    put(text, "trusted_proxies", &list(proxies.iter().map(String::as_str)));
    put(text, "body_limit", &quoted(&write_size(*body_limit)));
    put(text, "max_connections", &max_connections.to_string());
    for (name, rate) in [
        ("ping_rate_per_address", ping_rate_per_address),
        ("ping_rate_per_heartbeat", ping_rate_per_heartbeat),
        ("request_rate_per_address", request_rate_per_address),
    ] {
        match rate {
            Some(rate) => put(text, name, &quoted(&rate.to_string())),
            None => line(text, &format!("# {name}: none, so all that come are taken")),
        }
    }
    put(text, "metrics_heartbeats", &metrics_heartbeats.to_string());
    put(text, "status_pages", &list(status_pages.iter().map(String::as_str)));
    if alive_url.is_some() {
        secret(text, "alive_url");
    }
    for ApiKey { name, role, hash: _ } in api_keys {
        table(text, "[[server.api_keys]]");
        put(text, "name", &quoted(name));
        secret(text, "key");
        put(text, "role", &quoted(if *role == Role::Read { "read" } else { "write" }));
    }
}

fn state(text: &mut String, state: &StateConfig) {
    let StateConfig { dir, snapshot_interval, durability, keep_runs, keep_bodies, bodies_max, keep_removed } =
        state;
    table(text, "[state]");
    put(text, "dir", &quoted(&dir.display().to_string()));
    span(text, "snapshot_interval", *snapshot_interval);
    let durability = if *durability == Durability::Fsync { "fsync" } else { "relaxed" };
    put(text, "durability", &quoted(durability));
    put(text, "keep_runs", &keep_runs.to_string());
    put(text, "keep_bodies", &keep_bodies.to_string());
    put(text, "bodies_max", &quoted(&write_size(*bodies_max)));
    span(text, "keep_removed", *keep_removed);
}

/// Only what is said: what is built in comes with each heartbeat.
fn defaults(text: &mut String, defaults: &Defaults) {
    if *defaults == Defaults::default() {
        return;
    }
    table(text, "[defaults]");
    let mut put_list = |name, values: Option<Vec<&str>>| {
        if let Some(values) = values {
            put(text, name, &list(values.into_iter()));
        }
    };
    put_list("tags", defaults.tags.as_ref().map(|tags| tags.iter().map(String::as_str).collect()));
    put_list("exclude", defaults.exclude.as_ref().map(|exclude| exclude.iter().collect()));
    let channels = defaults.channels.as_ref();
    put_list("channels", channels.map(|channels| channels.iter().map(ChannelName::as_str).collect()));
    let methods = defaults.methods;
    put_list("methods", methods.map(|methods| methods.iter().map(Method::word).collect()));
    for (name, value) in [("host", &defaults.host), ("timezone", &defaults.timezone)] {
        if let Some(value) = value {
            put(text, name, &quoted(value));
        }
    }
    if let Some(from_files) = defaults.exclude_file.as_ref().map(Expressions::len) {
        line(text, &format!("# exclude_file: brings {from_files}"));
    }
    for (name, value) in [
        ("early", defaults.early),
        ("grace", defaults.grace),
        ("max_runtime", defaults.max_runtime),
        ("remind_every", defaults.remind_every),
    ] {
        if let Some(value) = value {
            span(text, name, value);
        }
    }
    for (name, value) in [
        ("paused", defaults.paused),
        ("await_first_ping", defaults.await_first_ping),
        ("resume_on_ping", defaults.resume_on_ping),
    ] {
        if let Some(value) = value {
            put(text, name, &value.to_string());
        }
    }
}

fn webhook(text: &mut String, webhook: &Webhook) {
    let Webhook { url: _, secret: signing, method, headers, body, timeout, retry_for, block_private } =
        webhook;
    put(text, "type", &quoted("webhook"));
    secret(text, "url");
    if signing.is_some() {
        secret(text, "secret");
    }
    let method = match method {
        WebhookMethod::Post => "POST",
        WebhookMethod::Put => "PUT",
        WebhookMethod::Get => "GET",
    };
    put(text, "method", &quoted(method));
    if !headers.is_empty() {
        let headers = headers.iter().map(|(name, _)| format!("{} = {}", key(name), quoted(SECRET)));
        put(text, "headers", &format!("{{ {} }}", headers.collect::<Vec<_>>().join(", ")));
    }
    if body.is_some() {
        // Some services want their key in there.
        line(text, "# body: a template of its own, not shown since it may hold a key");
    }
    span(text, "timeout", *timeout);
    span(text, "retry_for", *retry_for);
    put(text, "block_private", &block_private.to_string());
}

fn table(text: &mut String, head: &str) {
    text.push('\n');
    line(text, head);
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn put(text: &mut String, key: &str, value: &str) {
    line(text, &format!("{key} = {value}"));
}

fn secret(text: &mut String, key: &str) {
    put(text, key, &quoted(SECRET));
}

fn span(text: &mut String, key: &str, value: Span) {
    put(text, key, &quoted(&write_span(value)));
}

fn list<'a>(values: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", values.map(quoted).collect::<Vec<_>>().join(", "))
}

/// A key, in quotes when it has letters that a bare one cannot have.
fn key(name: &str) -> String {
    let bare = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-');
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { quoted(name) }
}

/// A string, on one line whatever it holds.
fn quoted(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 2);
    written.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => written.extend(['\\', letter]),
            '\n' => written.push_str("\\n"),
            '\t' => written.push_str("\\t"),
            // Directions of writing too, so that nothing looks like what it is not.
            letter
                if letter.is_control()
                    || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                write!(written, "\\u{:04X}", u32::from(letter)).expect("writing to a string cannot fail");
            }
            letter => written.push(letter),
        }
    }
    written.push('"');
    written
}

#[cfg(test)]
pub(in crate::config) mod tests {
    use super::*;
    use crate::config::channel::WEBHOOK;
    use crate::config::server::{API_KEY, SERVER, STATE};
    use crate::config::tests::{Memory, config};

    const PING_KEY: &str = "abcdefghijklmnopqrstuv";

    /// Every key that a config outside of its heartbeats has, and a secret of every kind.
    const FULL: &str = r#"
        [server]
        listen = ["127.0.0.1:8080", "[::1]:8080", "unix:/run/overdue.sock"]
        base_url = "https://jobs.example.org/\"over\u0007due"
        ping_key = "abcdefghijklmnopqrstuv"
        trusted_proxies = ["127.0.0.1/32", "fd00::/8"]
        body_limit = "100KiB"
        max_connections = 10
        ping_rate_per_address = "300/m"
        ping_rate_per_heartbeat = "5000/h"
        request_rate_per_address = "10/s"
        metrics_heartbeats = 5
        status_pages = ["public", "a & b"]
        alive_url = "https://example.org/hidden-alive"
        [[server.api_keys]]
        name = "ops \"one\""
        key = "hidden-key-of-many-letters"
        role = "write"
        [[server.api_keys]]
        name = "eyes"
        key = { env = "HIDDEN" }
        role = "read"
        [state]
        dir = "/var/lib/over\\due"
        snapshot_interval = "1m"
        durability = "relaxed"
        keep_runs = 1
        keep_bodies = 0
        bodies_max = "1GB"
        keep_removed = "0s"
        [defaults]
        tags = ["x \" y", "ä"]
        host = "h"
        timezone = "Europe/Berlin"
        exclude = ["2026-12-25", "Sun"]
        exclude_file = ["/etc/overdue/days.txt"]
        early = "5m"
        grace = "90m"
        max_runtime = "3h"
        channels = ["ops"]
        paused = false
        await_first_ping = true
        resume_on_ping = true
        methods = ["POST"]
        remind_every = "1d"
        [channels.ops]
        type = "webhook"
        url = { file = "/etc/overdue/url" }
        secret = "hidden-signature"
        method = "PUT"
        headers = { "X.Team" = "hidden-team", Authorization = { env = "HIDDEN" } }
        body = '{"routing_key": "hidden-routing"}'
        timeout = "30s"
        retry_for = "2w"
        block_private = true
        [heartbeats.backup]
        interval = "1h"
        uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8"
        [heartbeats.other]
        interval = "2h"
    "#;

    fn full() -> Memory {
        Memory::default()
            .file("/etc/overdue/config.toml", FULL)
            .file("/etc/overdue/days.txt", "2026-12-31\n2027-01-01\n")
            .file("/etc/overdue/url", "https://hook.example.org/hidden-path\n")
            .variable("HIDDEN", "hidden-variable-of-many-letters")
    }

    /// Puts secrets into the places where they were.
    pub(in crate::config) fn with_secrets(shown: &str) -> String {
        let mut keys = 0;
        let lines = shown.lines().map(|line| {
            let secret = match line.split(" = ").next() {
                Some("url" | "alive_url") => "https://example.org/".to_owned(),
                Some("ping_key") => PING_KEY.to_owned(),
                _ => {
                    keys += 1;
                    format!("sixteen-letters-{keys}")
                }
            };
            line.replace(SECRET, &secret) + "\n"
        });
        lines.collect()
    }

    #[test]
    fn what_is_shown_is_the_config_again_once_its_secrets_are_put_in() {
        let before = full().read_config().unwrap();
        let shown = before.shown();
        let after = config(&with_secrets(&shown));
        let mut expected = before.server.clone();
        assert!(expected.alive_url.is_some() && after.server.alive_url.is_some());
        expected.alive_url.clone_from(&after.server.alive_url);
        for (key, read) in expected.api_keys.iter_mut().zip(&after.server.api_keys) {
            key.hash = read.hash;
        }
        assert_eq!(after.server, expected, "{shown}");
        assert_eq!(after.state, before.state);
        let defaults = Defaults { exclude_file: None, ..before.defaults.clone() };
        assert_eq!(after.defaults, defaults);
        assert!(shown.contains("\n# exclude_file: brings 2\n"), "{shown}");
        assert_eq!(after.channels.keys().collect::<Vec<_>>(), before.channels.keys().collect::<Vec<_>>());
        let webhook = |config: &Config| match config.channels.values().next_back() {
            Some(ChannelConfig::Webhook(webhook)) => Webhook {
                url: crate::config::secret::Secret::new(""),
                secret: webhook.secret.as_ref().map(|_| crate::config::secret::Secret::new("")),
                headers: webhook
                    .headers
                    .iter()
                    .map(|(name, _)| (name.clone(), crate::config::secret::Secret::new("")))
                    .collect(),
                body: None,
                ..(**webhook).clone()
            },
            other => panic!("{other:?}"),
        };
        assert_eq!(webhook(&after), webhook(&before));
        assert!(shown.ends_with("\n# And 2 heartbeats.\n"), "{shown}");
    }

    #[test]
    fn every_key_is_shown() {
        let shown = full().read_config().unwrap().shown();
        for key in SERVER.iter().chain(&STATE).chain(&API_KEY).chain(&WEBHOOK) {
            let is_shown = |line: &str| {
                line.starts_with(&format!("{key} = "))
                    || line.starts_with(&format!("# {key}: "))
                    || line == format!("[[server.{key}]]")
            };
            assert!(shown.lines().any(is_shown), "{key}: {shown}");
        }
    }

    #[test]
    fn no_secret_is_shown_nor_its_length() {
        let shown = full().read_config().unwrap().shown();
        assert!(
            !shown.contains("hidden") && !shown.contains(PING_KEY) && !shown.contains("67e55044"),
            "{shown}"
        );
        let longer =
            FULL.replace("hidden", "hidden-and-much-longer-than-before").replace(PING_KEY, &"k".repeat(90));
        let longer = full()
            .file("/etc/overdue/config.toml", &longer)
            .variable("HIDDEN-and-much-longer-than-before", "")
            .variable("HIDDEN", &"v".repeat(99));
        assert_eq!(longer.read_config().unwrap().shown(), shown);
        assert_eq!(shown.matches(SECRET).count(), 8, "{shown}");
    }

    #[test]
    fn a_config_that_says_nothing_is_shown_too() {
        let before = config("");
        let shown = before.shown();
        let after = config(&shown);
        assert_eq!((&after.server, &after.state), (&before.server, &before.state));
        assert_eq!((&after.defaults, &after.channels), (&before.defaults, &before.channels));
        assert!(shown.contains("\n# ping_key: ") && shown.ends_with("\n# And 0 heartbeats.\n"), "{shown}");
        assert!(shown.contains("body_limit = \"10KB\"\n") && shown.contains("bodies_max = \"256MiB\"\n"));
    }

    #[test]
    fn a_string_stays_on_its_line() {
        assert_eq!(quoted("a\"b\\c\nd\u{7f}\u{202e}ä"), r#""a\"b\\c\nd\u007F\u202Eä""#);
        assert_eq!(
            (key("a-b_1").as_str(), key("a.b").as_str(), key("").as_str()),
            ("a-b_1", "\"a.b\"", "\"\"")
        );
    }
}
