//! What a config means once it is read.

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::{Memory, config};
use crate::config::channel::ChannelConfig;
use crate::config::{Config, Listen, Role};
use crate::model::heartbeat::namespace;
use crate::model::schedule::Zones;
use crate::model::time::Span;

const MAIN: &str = "/etc/overdue/config.toml";

#[test]
fn an_empty_file_is_a_config_with_the_built_in_values() {
    let config = config("");
    assert_eq!(config.server.listen, [Listen::Tcp("127.0.0.1:8080".parse().unwrap())]);
    assert_eq!(config.server.base_url, "http://127.0.0.1:8080");
    assert_eq!((config.server.body_limit, config.server.max_connections), (10_000, 1_024));
    assert_eq!(config.server.metrics_heartbeats, 1_000);
    assert_eq!(config.state.dir, Path::new("/etc/overdue/state"));
    assert_eq!(config.channels.values().collect::<Vec<_>>(), [&ChannelConfig::Log]);
    assert!(config.heartbeats.is_empty() && config.warnings.is_empty());
    let channels = config.model_channels();
    assert_eq!(channels.iter().map(|channel| channel.name.as_str()).collect::<Vec<_>>(), ["log"]);
}

#[test]
fn the_state_folder_is_that_of_systemd_and_relative_paths_start_at_the_file() {
    let given = Memory::default().file(MAIN, "").variable("STATE_DIRECTORY", "/var/lib/overdue:/var/lib/x");
    assert_eq!(given.read_config().unwrap().state.dir, Path::new("/var/lib/overdue"));
    let written = Memory::default()
        .file(MAIN, "server.listen = \"unix:sock\"\nstate.dir = \"here\"")
        .variable("STATE_DIRECTORY", "/var/lib/overdue");
    let config = written.read_config().unwrap();
    assert_eq!(config.state.dir, Path::new("/etc/overdue/here"), "what is written wins");
    assert_eq!(config.server.listen, [Listen::Unix("/etc/overdue/sock".into())]);
}

#[test]
fn without_a_base_url_it_is_the_first_port_listened_at() {
    for (listen, base_url) in [
        ("[\"unix:x\", \"0.0.0.0:9000\"]", "http://127.0.0.1:9000"),
        ("\"[::]:80\"", "http://[::1]:80"),
        ("\"192.0.2.1:80\"", "http://192.0.2.1:80"),
        ("\"unix:x\"", "http://127.0.0.1:8080"),
    ] {
        assert_eq!(config(&format!("server.listen = {listen}")).server.base_url, base_url);
    }
    let written = config("server.base_url = \"https://jobs.example.org/overdue//\"");
    assert_eq!(written.server.base_url, "https://jobs.example.org/overdue");
}

#[test]
fn secrets_lose_one_newline_and_never_show() {
    let config = Memory::default()
        .file(MAIN, "[channels.a]\ntype = \"webhook\"\nurl = { file = \"url\" }\nsecret = { env = \"S\" }\nheaders = { X-A = \"geheim-header\" }\n\
                     [[server.api_keys]]\nname = \"ops\"\nkey = \"geheim-geheim-key\"\nrole = \"write\"\n\
                     [server]\nping_key = \"geheim-geheim-geheim-ping\"\nalive_url = \"http://geheim/\"")
        .file("/etc/overdue/url", "http://127.0.0.1/geheim\n\n")
        .variable("S", "geheim\r\n")
        .read_config();
    // A URL may end in a newline as far as its parser cares; the text is kept but for one.
    let config = config.unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("geheim"), "{shown}");
    let ChannelConfig::Webhook(webhook) = &config.channels["a"] else { panic!("a webhook") };
    assert_eq!(webhook.secret.as_ref().unwrap().expose(), "geheim");
    assert_eq!(webhook.url.expose(), "http://127.0.0.1/geheim\n");
    assert_eq!(config.server.api_keys[0].role, Role::Write);
}

#[test]
fn a_hashed_api_key_is_the_same_key() {
    let keys =
        |key: &str| config(&format!("[[server.api_keys]]\nname = \"a\"\nkey = \"{key}\"\nrole = \"read\""));
    let plain = keys("correct-horse-battery");
    let hash =
        plain.server.api_keys[0].hash.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().concat();
    assert_eq!(keys(&format!("sha256:{hash}")).server.api_keys, plain.server.api_keys);
}

#[test]
fn what_declarations_say_alike_is_in_memory_once() {
    let config = config(
        "defaults = { timezone = \"Europe/Berlin\", channels = [\"log\"] }\n[heartbeats.a]\ninterval = \"1h\"\n\
         [heartbeats.b]\ninterval = \"1h\"\n[heartbeats.c]\ninterval = \"1h\"\nchannels = []\nname = \"C\"",
    );
    let declarations = config.declarations(namespace("some-key")).unwrap();
    let [a, b, c] = [0, 1, 2].map(|at| &declarations[at]);
    assert!(Arc::ptr_eq(&a.timezone, &b.timezone) && Arc::ptr_eq(&b.timezone, &c.timezone));
    assert!(Arc::ptr_eq(&a.channels, &b.channels) && c.channels.is_empty());
    assert!(Arc::ptr_eq(&b.name, &b.slug.shared()) && &*c.name == "C");
}

#[test]
fn declarations_are_settled_in_the_order_of_their_slugs() {
    let config = config(
        "defaults = { grace = \"5m\", channels = [\"log\"] }\n[heartbeats.b]\ninterval = \"1h\"\n\
         [heartbeats.a]\ncron = \"0 2 * * *\"\nname = \"A\"\ngrace = \"2h\"",
    );
    let namespace = namespace("some-key");
    let declarations = config.declarations(namespace).unwrap();
    let (a, b) = (&declarations[0], &declarations[1]);
    assert_eq!((a.slug.as_str(), &*a.name, a.max_runtime), ("a", "A", Span::from_secs(7_200)));
    assert_eq!((b.slug.as_str(), b.grace), ("b", Span::from_secs(300)));
    assert_eq!(b.uuid, Uuid::new_v5(&namespace, b"b"));
    assert_eq!(b.channels[0].as_str(), "log");
    assert_eq!(config.settings(namespace).namespace, namespace);
    assert_eq!(config.settings(namespace).defaults, config.defaults);
}

#[test]
fn an_explicit_uuid_that_another_heartbeat_derives_is_a_problem_that_names_both() {
    let key = "abcdefghijklmnopqrstuv";
    let derived = Uuid::new_v5(&namespace(key), b"old");
    let heartbeats = format!(
        "[heartbeats.new]\ninterval = \"1h\"\nuuid = \"{derived}\"\n[heartbeats.old]\ninterval = \"1h\""
    );
    let with_key = Memory::default().file(MAIN, &format!("server.ping_key = \"{key}\"\n{heartbeats}"));
    let problems = with_key.read_config().unwrap_err();
    let text = problems[0].to_string();
    assert!(text.contains("config.toml:2:13: the heartbeat new has the uuid that old (/etc/overdue/config.toml:5:13) derives"), "{text}");
    assert!(!text.contains(&derived.to_string()), "the uuid is a secret");
    // A key that the daemon made is not known to the parser: it shows with the declarations.
    let without = config(&heartbeats);
    assert_eq!(without.declarations(namespace(key)).unwrap_err().len(), 1);
    assert!(without.declarations(namespace("another")).is_ok());
}

#[test]
fn what_is_rarely_wanted_is_warned_of() {
    let config = config(
        "[heartbeats.a]\ninterval = \"1h\"\ngrace = \"0s\"\nchannels = [\"log\"]\n\
         [heartbeats.b]\ninterval = \"1h\"",
    );
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].ends_with(
        "config.toml:1:1: [heartbeats.a] has a grace of 0, so a ping that is late by a moment is an incident"
    ));
    assert!(warnings[1].contains(":5:1: [heartbeats.b] has no channel"));
}

#[test]
fn a_status_page_of_a_tag_that_no_heartbeat_has_is_warned_of() {
    let config = config(
        "[server]\nstatus_pages = [\"db\", \"dbs\", \"shop\", \"none\"]\n[defaults]\nchannels = [\"log\"]\ntags = [\"shop\"]\n\
         [heartbeats.a]\ninterval = \"1h\"\n[heartbeats.b]\ninterval = \"1h\"\ntags = [\"db\", \"x\"]\n",
    );
    assert_eq!(config.server.status_pages, ["db", "dbs", "shop", "none"]);
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    let what = "status_pages names the tag";
    let [first, second] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(
        first.contains(&format!(":2:23: {what} \"dbs\", which no heartbeat of the config has")),
        "{first}"
    );
    assert!(first.contains("did you mean \"db\"?"), "{first}");
    assert!(second.contains(&format!(":2:38: {what} \"none\", which no heartbeat")), "{second}");
    for (list, what) in [
        ("[\"a\", \"a\"]", "status_pages names \"a\" twice"),
        ("[\" \"]", "status_pages holds an empty text"),
        ("\"a\"", "status_pages must be a list of tags"),
        ("[\"a\\nb\"]", "a tag must be one line"),
    ] {
        let text = format!("[server]\nstatus_pages = {list}\n");
        let problems = Memory::default().file(MAIN, &text).read_config().unwrap_err();
        assert!(problems[0].to_string().contains(what), "{problems:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem_with_its_name() {
    let problems = Memory::default().read_config().unwrap_err();
    assert!(problems[0].to_string().starts_with("/etc/overdue/config.toml:1:1: the config cannot be read:"));
}

#[test]
fn a_file_that_two_patterns_match_is_read_once() {
    let config = Memory::default()
        .file(MAIN, "include = [\"*.toml\", \"b.toml\"]")
        .file("/etc/overdue/b.toml", "heartbeats.b.interval = \"1h\"")
        .read_config()
        .unwrap();
    assert_eq!(config.heartbeats.len(), 1, "nor is the main file included in itself");
}

#[test]
fn a_config_in_the_current_folder_does_not_include_itself() {
    let text = "include = [\"*.toml\"]\n[heartbeats.a]\ninterval = \"1h\"";
    let memory = Memory::default().file("config.toml", text).file("./config.toml", text);
    let config = Config::read(Path::new("./config.toml"), &memory, &Zones::bundled()).unwrap();
    assert_eq!(config.heartbeats.len(), 1);
}

#[test]
fn no_text_makes_the_reader_panic() {
    let example = include_str!("../../../config.example.toml");
    for cut in (0..example.len()).step_by(7).filter(|cut| example.is_char_boundary(*cut)) {
        let memory = Memory::default().file(MAIN, &example[..cut]);
        drop(memory.read_config());
    }
    for text in [
        "[",
        "[[",
        "a.b.c",
        "=",
        "\"",
        "'''",
        "[a]\n[a]\n[a]",
        "\u{feff}",
        "\0",
        "heartbeats = 1",
        "[[heartbeats]]",
        "[[heartbeats.a]]",
        "include = 3",
        "server = []",
    ] {
        assert!(Memory::default().file(MAIN, text).read_config().is_err() || text == "\u{feff}", "{text:?}");
    }
}
