//! Config texts under attack: whatever stands in a file, it is a config that can be shown and read again, or there
//! are problems that name a place in it.

use crate::config::channel::{ChannelConfig, Webhook};
use crate::config::problem::Problem;
use crate::config::resolve::in_pieces;
use crate::config::secret::Secret;
use crate::config::shown::tests::with_secrets;
use crate::config::tests::Memory;
use crate::config::{Config, Server};
use crate::fuzz::{Target, kind_of};
use crate::model::heartbeat::Defaults;
use crate::model::schedule::Zones;
use crate::model::schedule::words::words;
use crate::model::text;
use crate::model::time::Timestamp;
use std::path::Path;
use uuid::Uuid;

/// Known by its variable alone, so it can stand in no answer.
const HIDDEN: &str = "hidden-variable-of-many-letters";

#[test]
fn a_config_is_shown_and_read_again_and_a_problem_names_its_place() {
    let target = Target { name: "config", inputs: 1_500, dictionary: &DICTIONARY, check: read };
    target.attack();
}

const DICTIONARY: [&str; 66] = [
    "[server]\n",
    "[state]\n",
    "[defaults]\n",
    "[[server.api_keys]]\n",
    "[channels.ops]\n",
    "[channels.\"a b\"]\n",
    "[heartbeats.a]\n",
    "[heartbeats.\"\"]\n",
    "listen = ",
    "base_url = ",
    "ping_key = ",
    "trusted_proxies = ",
    "body_limit = ",
    "max_connections = ",
    "alive_url = ",
    "status_pages = ",
    "name = ",
    "key = ",
    "role = ",
    "dir = ",
    "snapshot_interval = ",
    "durability = ",
    "keep_runs = ",
    "bodies_max = ",
    "grace = ",
    "timezone = ",
    "exclude = ",
    "early = ",
    "channels = ",
    "methods = ",
    "interval = ",
    "cron = ",
    "on_calendar = ",
    "uuid = ",
    "paused = true\n",
    "type = \"webhook\"\n",
    "type = \"log\"\n",
    "url = ",
    "secret = ",
    "headers = ",
    "body = ",
    "{ env = \"HIDDEN\" }",
    "{ file = \"days.txt\" }",
    "{ credential = \"x\" }",
    "\"1h30m\"",
    "\"366d\"",
    "\"10KiB\"",
    "\"Europe/Berlin\"",
    "[\"ops\", \"log\"]",
    "\"http://[::1]:80/a?b\"",
    "'''",
    "\"\"\"",
    "\\u202e",
    "\u{202e}",
    "\u{7f}",
    "\u{feff}",
    "\\u0000",
    "=",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\n",
    "#",
    "1979-05-27T07:32:00Z",
];

fn memory(text: &str) -> Memory {
    Memory::default()
        .file("/etc/overdue/config.toml", text)
        .file("/etc/overdue/days.txt", "2026-12-25\n# none\nSun\n")
        .file("/etc/overdue/conf.d/a.toml", "[heartbeats.included]\ninterval = \"1h\"\n")
        .variable("HIDDEN", HIDDEN)
}

fn read(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let memory = memory(&text);
    let whole = memory.read_config();
    let path = Path::new("/etc/overdue/config.toml");
    assert_eq!(in_pieces(path, &memory, &Zones::bundled(), 1), whole, "in pieces it says something else");
    match whole {
        Ok(config) => {
            promises(&config);
            format!("{} {}", config.heartbeats.len().min(3), kinds(&config.warnings))
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a problem");
            for problem in &problems {
                at_a_place(problem, &text);
            }
            kinds(&problems)
        }
    }
}

/// The first few kinds of problem.
fn kinds(problems: &[Problem]) -> String {
    problems.iter().take(2).map(|problem| kind_of(&problem.what)).collect::<Vec<_>>().join(" | ")
}

fn at_a_place(problem: &Problem, text: &str) {
    let Problem { file, line, column, what, meant } = problem;
    let shown = problem.to_string();
    assert!(*line >= 1 && *column >= 1, "{shown}");
    if &**file == "/etc/overdue/config.toml" {
        assert!(*line as usize <= text.matches('\n').count() + 1, "{shown} is beyond the file");
    }
    assert!(!what.is_empty() && what.len() <= 20 * text::EXPRESSION_MAX, "{} bytes: {shown}", what.len());
    assert!(meant.as_ref().is_none_or(|meant| meant.len() < 1_000), "{shown}");
    let acts = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!shown.contains(acts), "a control character: {shown:?}");
    assert!(!shown.contains(HIDDEN), "a secret: {shown}");
}

fn promises(config: &Config) {
    let debug = format!("{config:?}");
    assert!(!debug.contains(HIDDEN), "a secret: {debug}");
    is_shown_and_read_again(config);
    let zones = Zones::bundled();
    for heartbeat in config.declarations(Uuid::from_u128(9)).iter().flat_map(|all| all.iter()) {
        assert!(heartbeat.name.chars().count() <= text::LINE_MAX, "{}", heartbeat.name);
        let (timezone, exclude) = (&heartbeat.timezone, &heartbeat.exclude);
        let occurrences = heartbeat.timing.compile(timezone, exclude, &zones).expect("it was checked");
        let t = Timestamp::from_millis(1_795_316_400_000);
        assert!(occurrences.next_after(t).is_none_or(|next| next > t), "{heartbeat:?}");
        assert!(!words(&heartbeat.timing).is_empty(), "{heartbeat:?}");
    }
}

fn is_shown_and_read_again(config: &Config) {
    let shown = config.shown();
    let again = match memory(&with_secrets(&shown)).read_config() {
        Ok(again) => again,
        Err(problems) => panic!("what is shown is no config: {}\n{shown}", problems[0]),
    };
    assert_eq!(without_secrets(&again.server), without_secrets(&config.server), "{shown}");
    assert_eq!(again.state, config.state, "{shown}");
    let defaults = Defaults { exclude_file: None, ..config.defaults.clone() };
    assert_eq!(again.defaults, defaults, "{shown}");
    let channels = |config: &Config| -> Vec<_> {
        config.channels.iter().map(|(name, channel)| (name.clone(), plain(channel))).collect()
    };
    assert_eq!(channels(&again), channels(config), "{shown}");
}

fn without_secrets(server: &Server) -> Server {
    let mut server = server.clone();
    server.ping_key = server.ping_key.map(|_| Secret::new(""));
    server.alive_url = server.alive_url.map(|_| Secret::new(""));
    server.api_keys.iter_mut().for_each(|key| key.hash = [0; 32]);
    server
}

fn plain(channel: &ChannelConfig) -> Option<Webhook> {
    match channel {
        ChannelConfig::Log => None,
        ChannelConfig::Webhook(webhook) => {
            let mut webhook = (**webhook).clone();
            webhook.url = Secret::new("");
            webhook.secret = webhook.secret.map(|_| Secret::new(""));
            webhook.headers.iter_mut().for_each(|(_, value)| *value = Secret::new(""));
            webhook.body = None;
            Some(webhook)
        }
    }
}
