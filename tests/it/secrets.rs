//! What must show nowhere. The harness notes the secrets of each config that a test writes, and looks for them in
//! everything that its daemon then says or leaves: the log (a panic is in it too), every answer that the client, curl
//! or a bare connection reads, and every file of the state folder. So the whole suite looks for them, whatever a test is about.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use toml::{Table, Value};

/// Shorter texts are found by chance.
const LEAST: usize = 12;
/// Files of the state folder that hold a secret which was made for them.
const KEPT: [&str; 2] = ["ping_key", "server_key"];

/// The secrets of a home.
#[derive(Default)]
pub(crate) struct Secrets {
    /// Of nobody's business: keys, and what receivers are sent to know their sender.
    keys: Mutex<BTreeSet<String>>,
    /// UUIDs of heartbeats: shown to those who may write and kept in the state, but never logged.
    uuids: Mutex<BTreeSet<String>>,
}

/// What of an address is nobody's business: who knows it may post there.
fn parts(url: &str) -> impl Iterator<Item = &str> {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let user = host.rsplit_once('@').map_or("", |(user, _)| user);
    user.split(':').chain(path.split(['/', '?', '&', '=', '#']))
}

/// A look that found something has panicked, which spoils no set.
fn held(set: &Mutex<BTreeSet<String>>) -> MutexGuard<'_, BTreeSet<String>> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Secrets {
    /// Notes those of a config; one that cannot be parsed has none that could be told from its other text.
    pub(crate) fn note(&self, config: &str) {
        let Ok(config) = config.parse::<Table>() else { return };
        let (mut found, mut urls) = (Vec::new(), Vec::new());
        let table = |name: &str| config.get(name).and_then(Value::as_table);
        if let Some(server) = table("server") {
            found.extend(server.get("ping_key"));
            urls.extend(server.get("alive_url"));
            let keys = server.get("api_keys").and_then(Value::as_array);
            found.extend(keys.into_iter().flatten().filter_map(|key| key.get("key")));
        }
        for (_, channel) in table("channels").into_iter().flatten() {
            found.extend(channel.get("secret"));
            urls.extend(channel.get("url"));
            let headers = channel.get("headers").and_then(Value::as_table);
            found.extend(headers.into_iter().flatten().map(|(_, value)| value));
        }
        // One that is a table names an environment variable or a file.
        let urls = urls.into_iter().filter_map(Value::as_str).flat_map(parts);
        let texts = found.into_iter().filter_map(Value::as_str).chain(urls);
        held(&self.keys).extend(texts.filter(|text| text.len() >= LEAST).map(str::to_owned));
        let heartbeats = table("heartbeats").into_iter().flatten();
        let uuids = heartbeats.filter_map(|(_, heartbeat)| heartbeat.get("uuid")?.as_str());
        held(&self.uuids).extend(uuids.map(str::to_owned));
    }

    /// Notes the keys that a daemon made for itself: nobody is shown the one that it signs with, and the one that
    /// pings are made with is in addresses that those may see who write.
    pub(crate) fn note_made(&self, state: &Path) {
        let made = |name: &str| fs::read_to_string(state.join(name)).ok();
        let sets = [(&self.keys, "server_key"), (&self.uuids, "ping_key")];
        for (set, name) in sets {
            held(set).extend(made(name).map(|key| key.trim().to_owned()).filter(|key| key.len() >= LEAST));
        }
    }

    /// Notes the UUID of a heartbeat.
    pub(crate) fn note_uuid(&self, uuid: &str) {
        held(&self.uuids).insert(uuid.to_owned());
    }

    /// Panics when one is in what `whose` said.
    pub(crate) fn look(&self, whose: &str, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        for key in &*held(&self.keys) {
            if let Some(line) = text.lines().find(|line| line.contains(key.as_str())) {
                panic!("{whose} tells the secret {key:?}: {line}");
            }
        }
    }

    /// The same for a log.
    pub(crate) fn look_in_log(&self, log: &str) {
        self.look("the log", log.as_bytes());
        for uuid in &*held(&self.uuids) {
            if let Some(line) = log.lines().find(|line| line.contains(uuid.as_str())) {
                panic!("the log tells the UUID {uuid}: {line}");
            }
        }
    }

    /// The same for all files of a state folder.
    pub(crate) fn look_in_folder(&self, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, kept) = (entry.path(), KEPT.iter().any(|name| entry.file_name() == *name));
            if path.is_dir() {
                self.look_in_folder(&path);
            } else if !kept && let Ok(content) = fs::read(&path) {
                self.look(&path.display().to_string(), &content);
            }
        }
    }
}

#[test]
fn the_suite_would_find_a_secret_anywhere() {
    let secrets = Secrets::default();
    secrets.note(
        "[server]\nping_key = \"a-ping-key-of-this-test\"\nalive_url = \"http://alive/a-path-of-this-test\"\n\
         [[server.api_keys]]\nkey = \"a-key-of-this-test\"\n[channels.ops]\nsecret = \"a-secret-of-this-test\"\n\
         url = \"https://me:a-password-of-this-test@chat/a-hook-of-this-test?t=a-token-of-this-test\"\n\
         headers = { A = \"a-header-of-this-test\" }\n\
         [heartbeats.db]\nuuid = \"67e55044-10b1-426f-9247-bb680e5fe0c8\"\n",
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("server_key"), "a-made-key-of-this-test\n").unwrap();
    fs::write(folder.path().join("ping_key"), "another-made-key-of-this-test\n").unwrap();
    secrets.note_made(folder.path());
    fs::create_dir(folder.path().join("within")).unwrap();
    let found = |look: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(look)).is_err();
    let names = ["ping-key", "path", "key", "secret", "password", "hook", "token", "header", "made-key"];
    for secret in names.map(|name| format!("a-{name}-of-this-test")) {
        let line = format!("before\n{{\"x\":\"{secret}\"}}\n");
        assert!(
            found(&|| secrets.look("an answer", line.as_bytes())) && found(&|| secrets.look_in_log(&line)),
            "{secret}"
        );
        fs::write(folder.path().join("within/journal"), &line).unwrap();
        assert!(found(&|| secrets.look_in_folder(folder.path())), "{secret}");
    }
    // Those may see it who write, but it is never logged.
    for shown in ["67e55044-10b1-426f-9247-bb680e5fe0c8", "another-made-key-of-this-test"] {
        assert!(
            found(&|| secrets.look_in_log(shown)) && !found(&|| secrets.look("an answer", shown.as_bytes()))
        );
        fs::write(folder.path().join("within/journal"), shown).unwrap();
        secrets.look_in_folder(folder.path());
    }
}
