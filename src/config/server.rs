//! `[server]` and `[state]`. Knows their keys, ranges and defaults; never knows what is done with them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use crate::config::problem::{Place, closest};
use crate::config::raw::{File, Item, Reader, Section};
use crate::config::secret::Secret;
use crate::config::{ApiKey, Declared, Durability, Listen, Role, Server, StateConfig};
use crate::model::heartbeat::Defaults;
use crate::model::id::parse_uuid;
use crate::model::settings::Settings;
use crate::model::text;
use crate::model::time::Span;

pub(super) const SERVER: [&str; 13] = [
    "listen",
    "base_url",
    "ping_key",
    "trusted_proxies",
    "body_limit",
    "max_connections",
    "ping_rate_per_address",
    "ping_rate_per_heartbeat",
    "request_rate_per_address",
    "metrics_heartbeats",
    "alive_url",
    "status_pages",
    "api_keys",
];
pub(super) const API_KEY: [&str; 3] = ["name", "key", "role"];
pub(super) const STATE: [&str; 7] =
    ["dir", "snapshot_interval", "durability", "keep_runs", "keep_bodies", "bodies_max", "keep_removed"];

const SERVER_SLIPS: [(&str, &str); 6] = [
    ("bind", "listen"),
    ("address", "listen"),
    ("port", "listen"),
    ("url", "base_url"),
    ("site_root", "base_url"),
    ("keys", "api_keys"),
];

const DAY: i64 = 86_400;

pub(super) fn server(reader: &mut Reader<'_>, section: Option<&Section<'_>>) -> Server {
    if let Some(section) = section {
        section.known(reader, &SERVER, &SERVER_SLIPS);
    }
    let get = |key| section.and_then(|section| section.get(key));
    let listen = get("listen").and_then(|item| listen(reader, &item));
    let listen =
        listen.unwrap_or_else(|| vec![Listen::Tcp(SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 8080))]);
    let base_url = get("base_url").and_then(|item| base_url(reader, &item));
    Server {
        base_url: base_url.unwrap_or_else(|| default_base_url(&listen)),
        listen,
        ping_key: get("ping_key").and_then(|item| ping_key(reader, &item)),
        trusted_proxies: get("trusted_proxies").and_then(|item| proxies(reader, &item)).unwrap_or_default(),
        body_limit: get("body_limit")
            .and_then(|item| item.size(reader, (16 << 20, "16MiB")))
            .unwrap_or(10_000),
        max_connections: get("max_connections")
            .and_then(|item| item.integer(reader, 1..=1_000_000))
            .unwrap_or(1_024),
        ping_rate_per_address: get("ping_rate_per_address").and_then(|item| item.rate(reader)),
        ping_rate_per_heartbeat: get("ping_rate_per_heartbeat").and_then(|item| item.rate(reader)),
        request_rate_per_address: get("request_rate_per_address").and_then(|item| item.rate(reader)),
        metrics_heartbeats: get("metrics_heartbeats")
            .and_then(|item| item.integer(reader, 0..=1_000_000))
            .unwrap_or(1_000),
        alive_url: get("alive_url").and_then(|item| web_address(reader, &item)),
        status_pages: get("status_pages").map(|item| status_pages(reader, &item)).unwrap_or_default(),
        api_keys: get("api_keys").map(|item| api_keys(reader, &item)).unwrap_or_default(),
    }
}

pub(super) fn state(reader: &mut Reader<'_>, file: &File, section: Option<&Section<'_>>) -> StateConfig {
    if let Some(section) = section {
        section.known(reader, &STATE, &[]);
    }
    let get = |key| section.and_then(|section| section.get(key));
    let dir = get("dir").and_then(|item| path(reader, &item)).unwrap_or_else(|| {
        // systemd gives a list when the unit names several folders; ours is the first.
        let given = reader.sources.env("STATE_DIRECTORY").unwrap_or_default();
        let first = given.split(':').next().unwrap_or_default();
        file.folder().join(if first.is_empty() { "state" } else { first })
    });
    let built_in = Settings::default();
    let day = Span::from_secs(DAY);
    StateConfig {
        dir,
        snapshot_interval: get("snapshot_interval")
            .and_then(|item| item.span(reader, Span::from_secs(1)..=day))
            .unwrap_or(Span::from_secs(300)),
        durability: get("durability")
            .and_then(|item| {
                item.one_of(reader, &[("fsync", Durability::Fsync), ("relaxed", Durability::Relaxed)])
            })
            .unwrap_or(Durability::Fsync),
        keep_runs: get("keep_runs")
            .and_then(|item| item.integer(reader, 1..=10_000))
            .unwrap_or(built_in.keep_runs),
        keep_bodies: get("keep_bodies")
            .and_then(|item| item.integer(reader, 0..=10_000))
            .unwrap_or(built_in.keep_bodies),
        bodies_max: get("bodies_max")
            .and_then(|item| item.size(reader, (1 << 40, "1TiB")))
            .unwrap_or(built_in.bodies_max),
        keep_removed: get("keep_removed")
            .and_then(|item| item.span(reader, Span::ZERO..=day.times(3_660)))
            .unwrap_or(built_in.keep_removed),
    }
}

fn path(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<PathBuf> {
    match item.str(reader)? {
        "" => {
            item.problem(reader, format!("{} is empty", item.name));
            None
        }
        text => Some(item.file.folder().join(text)),
    }
}

fn listen(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Vec<Listen>> {
    let texts = match item.value.as_str() {
        Some(text) => vec![(text, *item)],
        None => item.strs(reader, "addresses")?,
    };
    if texts.is_empty() {
        item.found(
            reader,
            "listen is empty, so nothing could be heard",
            Some("\"127.0.0.1:8080\"".to_owned()),
        );
    }
    let mut all = Vec::new();
    for (text, item) in texts {
        let one = if let Some(path) = text.strip_prefix("unix:") {
            Some(Listen::Unix(item.file.folder().join(path))).filter(|_| !path.is_empty())
        } else {
            text.parse().ok().map(Listen::Tcp)
        };
        match one {
            Some(one) if all.contains(&one) => item.problem(reader, format!("listen names {text:?} twice")),
            Some(one) => all.push(one),
            None => item.found(
                reader,
                format!("{text:?} is no address to listen at; write \"address:port\", \"[v6 address]:port\" or \"unix:path\""),
                guess_address(text),
            ),
        }
    }
    (!all.is_empty()).then_some(all)
}

fn guess_address(text: &str) -> Option<String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok()?),
        None => match text.parse::<u16>() {
            Ok(port) => ("", port),
            Err(_) => (text, 8080),
        },
    };
    let address: IpAddr = match host {
        "" | "*" => IpAddr::from([0, 0, 0, 0]),
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        host => host.trim_matches(['[', ']']).parse().ok()?,
    };
    if text.starts_with('/') {
        return Some(format!("\"unix:{text}\""));
    }
    Some(format!("\"{}\"", SocketAddr::new(address, port)))
}

/// Where the daemon is reached when nobody says: at its first port.
fn default_base_url(listen: &[Listen]) -> String {
    let tcp = listen.iter().find_map(|one| match one {
        Listen::Tcp(address) => Some(*address),
        Listen::Unix(_) => None,
    });
    let mut address = tcp.unwrap_or_else(|| SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 8080));
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            IpAddr::from([127, 0, 0, 1])
        } else {
            IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)
        });
    }
    format!("http://{address}")
}

fn base_url(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<String> {
    let text = item.str(reader)?;
    match parse_url(text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            item.problem(
                reader,
                "base_url must not have a name or password: it stands in alerts and ping URLs for all to see",
            );
            None
        }
        Ok(url) if url.query().is_none() && url.fragment().is_none() => {
            Some(text.trim_end_matches('/').to_owned())
        }
        Ok(_) => {
            item.problem(reader, "base_url must not have a query or fragment");
            None
        }
        Err(what) => {
            let meant = parse_url(&format!("http://{text}")).ok().filter(|_| !text.contains("://"));
            item.found(reader, format!("base_url {what}"), meant.map(|_| format!("\"http://{text}\"")));
            None
        }
    }
}

/// A secret that is a web address. What is wrong is told without it.
pub(super) fn web_address(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Secret> {
    let secret = item.secret(reader)?;
    match parse_url(secret.expose()) {
        Ok(_) => Some(secret),
        Err(what) => {
            item.problem(reader, format!("{} {what}", item.name));
            None
        }
    }
}

fn parse_url(text: &str) -> Result<url::Url, String> {
    let wanted = "must be an address like \"https://example.org/path\"";
    let parsed = url::Url::parse(text).map_err(|error| format!("{wanted}: {error}"))?;
    let web = matches!(parsed.scheme(), "http" | "https") && text.contains("://");
    if web && parsed.has_host() { Ok(parsed) } else { Err(format!("{wanted}, with http or https")) }
}

fn ping_key(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Secret> {
    let key = item.secret(reader)?;
    let text = key.expose();
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let what = if !plain {
        "ping_key must consist of A-Z, a-z, 0-9, '_' and '-'"
    } else if text.len() < 22 {
        "ping_key must have at least 22 characters, since who guesses it can ping for every job; make one with: openssl rand -hex 16 | sed s/^/k/"
    } else if text.len() > 200 {
        "ping_key must have at most 200 characters"
    } else if parse_uuid(text).is_some() {
        "ping_key reads as a UUID, and would be taken for one in a ping URL; put a letter before it"
    } else {
        return Some(key);
    };
    item.problem(reader, what);
    None
}

fn proxies(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Vec<IpNet>> {
    let mut all = Vec::new();
    for (text, item) in item.strs(reader, "networks")? {
        match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            Ok(net) => all.push(net),
            Err(_) => item.found(
                reader,
                format!("{text:?} is no network; write for example \"127.0.0.1/32\" or \"10.0.0.0/8\""),
                (text == "localhost").then(|| "\"127.0.0.1/32\"".to_owned()),
            ),
        }
    }
    Some(all)
}

fn status_pages(reader: &mut Reader<'_>, item: &Item<'_>) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for (tag, item) in item.strs(reader, "tags").unwrap_or_default() {
        match text::word(tag) {
            Ok(()) if tags.iter().any(|other| other == tag) => {
                item.problem(reader, format!("status_pages names {tag:?} twice"));
            }
            Ok(()) => tags.push(tag.to_owned()),
            Err(error) => item.problem(reader, format!("a tag {error}")),
        }
    }
    tags
}

/// A page that would be empty is rarely meant: a tag is easily mistyped.
pub(super) fn warn_of_empty_pages(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    defaults: &Defaults,
    heartbeats: &[Declared],
) {
    let Some(pages) = section.get("status_pages") else { return };
    let all = defaults.tags.as_ref();
    let tags = heartbeats.iter().filter_map(|one| one.draft.rest.tags.as_ref().or(all)).flatten();
    let tags: BTreeSet<&str> = tags.map(String::as_str).collect();
    for item in pages.each() {
        let Some(tag) = item.value.as_str().filter(|tag| !tags.contains(tag)) else { continue };
        let what = format!("status_pages names the tag {tag:?}, which no heartbeat of the config has");
        reader.warnings.add(item.place().problem(what, closest(tag, tags.iter().copied())));
    }
}

fn api_keys(reader: &mut Reader<'_>, item: &Item<'_>) -> Vec<ApiKey> {
    let mut keys = Vec::new();
    let mut names: BTreeMap<String, Place> = BTreeMap::new();
    let mut hashes: BTreeMap<[u8; 32], Place> = BTreeMap::new();
    for item in item.list(reader, "tables: [[server.api_keys]]").unwrap_or_default() {
        let Some(section) = item.table(reader, "[[server.api_keys]]") else { continue };
        section.known(reader, &API_KEY, &[("secret", "key"), ("token", "key")]);
        for key in API_KEY.iter().filter(|key| section.get(key).is_none()) {
            section.problem(reader, format!("this API key has no {key}"), None);
        }
        let name = section.get("name").and_then(|item| Some((name(reader, &item)?, item)));
        let key = section.get("key").and_then(|item| Some((key_hash(reader, &item)?, item)));
        let roles = [("read", Role::Read), ("write", Role::Write)];
        let role = section.get("role").and_then(|item| item.one_of(reader, &roles));
        if let Some((name, item)) = &name
            && let Some(first) = names.insert(name.clone(), item.place())
        {
            item.problem(reader, format!("the API key name {name:?} stands twice; the first is at {first}"));
        }
        if let Some((hash, item)) = &key
            && let Some(first) = hashes.insert(*hash, item.place())
        {
            item.problem(reader, format!("this API key stands twice; the first is at {first}"));
        }
        if let (Some((name, _)), Some((hash, _)), Some(role)) = (name, key, role) {
            keys.push(ApiKey { name, hash, role });
        }
    }
    keys
}

/// A name for people: 1 to 255 characters.
fn name(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<String> {
    let text = item.str(reader)?;
    let length = text.chars().count();
    if text.trim().is_empty() || length > 255 {
        item.problem(reader, format!("{} must have 1 to 255 characters, not {length}", item.name));
        return None;
    }
    Some(text.to_owned())
}

fn key_hash(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<[u8; 32]> {
    let secret = item.secret(reader)?;
    let text = secret.expose();
    if let Some(hex) = text.strip_prefix("sha256:") {
        let hash = unhex(hex);
        if hash.is_none() {
            item.problem(
                reader,
                "after sha256: come the 64 hex digits of the key's hash; make them with: printf %s KEY | sha256sum",
            );
        }
        return hash;
    }
    if text.chars().count() < 16 {
        item.problem(
            reader,
            "an API key must have at least 16 characters; make one with: openssl rand -hex 16",
        );
        return None;
    }
    // Such a key could never be sent.
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        item.problem(reader, "an API key must consist of visible ASCII characters, without spaces");
        return None;
    }
    Some(secret.hash())
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}
