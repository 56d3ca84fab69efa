//! What must show nowhere. The harness notes the secrets of each config that a test writes, and looks for them in
//! everything that its daemon then says or leaves: the log (a panic is in it too), every answer that the client, curl
//! or a bare connection reads, what other commands print, and every file of the state folder. So the whole suite looks for them, whatever a test is about.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use toml::{Table, Value};

/// Shorter texts are found by chance.
const LEAST: usize = 12;
/// The same for a value that is nothing but a secret.
const LEAST_WHOLE: usize = 8;
/// Files of the state folder that hold a secret which was made for them.
const KEPT: [&str; 2] = ["ping_key", "server_key"];

/// The secrets of a home.
#[derive(Default)]
pub(crate) struct Secrets {
    /// Of nobody's business: keys, and what receivers are sent to know their sender.
    keys: Mutex<BTreeSet<String>>,
    /// UUIDs of heartbeats: shown to those who may write and kept in the state, but never logged.
    uuids: Mutex<BTreeSet<String>>,
    /// Those who may read, and so see no UUID.
    readers: Mutex<BTreeSet<String>>,
    /// Where others are to be found: what kind of place, and its name.
    elsewhere: Mutex<BTreeSet<(String, String)>>,
}

/// What of an address is nobody's business: who knows it may post there.
fn parts(url: &str) -> impl Iterator<Item = &str> {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let user = host.rsplit_once('@').map_or("", |(user, _)| user);
    user.split(':').chain(path.split(['/', '?', '&', '=', '#']))
}

/// A look that found something has panicked, which spoils no set.
fn held<T>(set: &Mutex<BTreeSet<T>>) -> MutexGuard<'_, BTreeSet<T>> {
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
            let keys = || keys.into_iter().flatten();
            found.extend(keys().filter_map(|key| key.get("key")));
            let readers = keys().filter(|key| key.get("role").and_then(Value::as_str) == Some("read"));
            let readers = readers.filter_map(|key| key.get("key")?.as_str());
            held(&self.readers).extend(readers.map(str::to_owned));
        }
        for (_, channel) in table("channels").into_iter().flatten() {
            found.extend(channel.get("secret"));
            urls.extend(channel.get("url"));
            let headers = channel.get("headers").and_then(Value::as_table);
            found.extend(headers.into_iter().flatten().map(|(_, value)| value));
        }
        // One that is a table names an environment variable, a file or a credential.
        let elsewhere = found.iter().chain(&urls).filter_map(|value| value.as_table()).flatten();
        held(&self.elsewhere)
            .extend(elsewhere.filter_map(|(kind, name)| Some((kind.clone(), name.as_str()?.to_owned()))));
        let urls = urls.into_iter().filter_map(Value::as_str).flat_map(parts);
        let whole = found.into_iter().filter_map(Value::as_str).filter(|text| text.len() >= LEAST_WHOLE);
        let texts = whole.chain(urls.filter(|text| text.len() >= LEAST));
        held(&self.keys).extend(texts.map(str::to_owned));
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

    /// Notes what a daemon is given beside its config, in this folder and by this variable: these are whole values, so
    /// shorter ones are told from other text, too.
    pub(crate) fn note_given(&self, folder: &Path, variable: impl Fn(&str) -> Option<String>) {
        let read = |path: PathBuf| fs::read_to_string(path).ok();
        let given = |(kind, name): &(String, String)| match kind.as_str() {
            "env" => variable(name),
            "file" => read(folder.join(name)),
            "credential" => read(Path::new(&variable("CREDENTIALS_DIRECTORY")?).join(name)),
            other => panic!("a secret may not come from {other:?}"),
        };
        let values: Vec<String> = held(&self.elsewhere).iter().filter_map(given).collect();
        let values = values.iter().map(|value| value.trim().to_owned());
        held(&self.keys).extend(values.filter(|value| value.len() >= LEAST_WHOLE));
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

    /// The same for an answer to these headers: with a key that may only read, no UUID is told either.
    pub(crate) fn look_in_answer(&self, whose: &str, headers: &[(&str, &str)], text: &[u8]) {
        self.look(whose, text);
        let reads = |value: &str| held(&self.readers).iter().any(|key| value.contains(key.as_str()));
        if headers.iter().any(|(_, value)| reads(value)) {
            self.look_for_uuids(whose, &String::from_utf8_lossy(text));
        }
    }

    /// The same for a log.
    pub(crate) fn look_in_log(&self, log: &str) {
        self.look("the log", log.as_bytes());
        self.look_for_uuids("the log", log);
    }

    fn look_for_uuids(&self, whose: &str, text: &str) {
        for uuid in &*held(&self.uuids) {
            if let Some(line) = text.lines().find(|line| line.contains(uuid.as_str())) {
                panic!("{whose} tells the UUID {uuid}: {line}");
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
         [[server.api_keys]]\nkey = \"a-key-of-this-test\"\nrole = \"read\"\n[channels.ops]\nsecret = \"a-secret-of-this-test\"\n\
         url = \"https://me:a-password-of-this-test@chat/a-hook-of-this-test?t=a-token-of-this-test\"\n\
         headers = { A = \"a-header-of-this-test\" }\n\
         [channels.chat]\nsecret = { env = \"A\" }\nurl = { file = \"b\" }\nheaders = { A = { credential = \"c\" } }\n\
         [heartbeats.db]\nuuid = \"67e55044-10b1-426f-9247-bb680e5fe0c8\"\n",
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("server_key"), "a-made-key-of-this-test\n").unwrap();
    fs::write(folder.path().join("ping_key"), "another-made-key-of-this-test\n").unwrap();
    secrets.note_made(folder.path());
    let given = tempfile::tempdir().unwrap();
    fs::write(given.path().join("b"), "a-file-of-this-test\n").unwrap();
    fs::write(given.path().join("c"), "a-credential-of-this-test").unwrap();
    let credentials = given.path().to_str().unwrap().to_owned();
    secrets.note_given(given.path(), |name| match name {
        "A" => Some("a-variable-of-this-test".to_owned()),
        "CREDENTIALS_DIRECTORY" => Some(credentials.clone()),
        _ => None,
    });
    fs::create_dir(folder.path().join("within")).unwrap();
    let found = |look: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(look)).is_err();
    let written = ["ping-key", "path", "key", "secret", "password", "hook", "token", "header", "made-key"];
    let names = written.into_iter().chain(["variable", "file", "credential"]);
    let secrets_of_test: Vec<String> = names.map(|name| format!("a-{name}-of-this-test")).collect();
    for secret in &secrets_of_test {
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
        let answer = |headers: &[(&str, &str)]| {
            found(&|| secrets.look_in_answer("an answer", headers, shown.as_bytes()))
        };
        assert!(answer(&[("Authorization", "Bearer a-key-of-this-test")]) && !answer(&[("Accept", "*/*")]));
        fs::write(folder.path().join("within/journal"), shown).unwrap();
        secrets.look_in_folder(folder.path());
    }
    println!("{} secrets in an answer, a log and a folder, 2 in a log: each found", secrets_of_test.len());
}
