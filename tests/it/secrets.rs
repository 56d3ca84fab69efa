//! What must show nowhere. The harness notes the secrets of each config that a test writes, and looks for them in
//! everything that its daemon then says or leaves: the log (a panic is in it too), every answer that the client, curl
//! or a bare connection reads, what other commands print, every file of the state folder, and what receivers are sent. So
//! the whole suite looks for them, whatever a test is about.

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
    /// The key for pings that a daemon made: in addresses that those are shown who may write.
    made: Mutex<BTreeSet<String>>,
    /// Those who may read, and so see no UUID.
    readers: Mutex<BTreeSet<String>>,
    /// Where others are to be found: what kind of place, and its name.
    elsewhere: Mutex<BTreeSet<(String, String)>>,
    /// What was found there.
    given: Mutex<BTreeSet<((String, String), String)>>,
    /// The addresses that are written to, with what is sent there as a header. What stands elsewhere is a table.
    receivers: Mutex<Vec<(Value, Vec<Value>)>>,
    /// Whether each config so far has keys, so that who sends none may see little. Before the first it is not known.
    keyed: Mutex<Option<bool>>,
}

/// What of an address is nobody's business: who knows it may post there.
fn parts(url: &str) -> impl Iterator<Item = &str> {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let user = host.rsplit_once('@').map_or("", |(user, _)| user);
    user.split(':').chain(path.split(['/', '?', '&', '=', '#']))
}

/// A look that found something has panicked, which spoils no set.
fn held<T>(set: &Mutex<T>) -> MutexGuard<'_, T> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Secrets {
    /// Notes those of the config that a daemon is given.
    pub(crate) fn note(&self, config: &str) {
        if let Ok(config) = config.parse::<Table>() {
            let keys = config.get("server").and_then(|server| server.get("api_keys")?.as_array());
            let has_keys = keys.is_some_and(|keys| !keys.is_empty());
            let mut keyed = held(&self.keyed);
            *keyed = Some(keyed.unwrap_or(true) && has_keys);
        }
        self.note_text(config);
    }

    /// Notes those of all files of a folder that may be included.
    fn note_included(&self, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                self.note_included(&path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                self.note_text(&fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }

    /// Of a text that cannot be parsed: whatever is quoted behind a key that names a secret.
    fn note_broken(&self, text: &str) {
        for line in text.lines() {
            let pieces: Vec<&str> = line.split('"').collect();
            for (at, value) in pieces.iter().enumerate().skip(1).step_by(2) {
                let before = pieces[at - 1].trim_end();
                let Some(before) = before.strip_suffix('=').map(str::trim_end) else { continue };
                let key = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next();
                match key {
                    Some("ping_key" | "key" | "secret") if value.len() >= LEAST_WHOLE => {
                        held(&self.keys).insert((*value).to_owned());
                    }
                    Some("url" | "alive_url") => {
                        let long = parts(value).filter(|text| text.len() >= LEAST);
                        held(&self.keys).extend(long.map(str::to_owned));
                    }
                    Some("uuid") => self.note_uuid(value),
                    Some(_) | None => {}
                }
            }
        }
    }

    fn note_text(&self, config: &str) {
        let Ok(config) = config.parse::<Table>() else { return self.note_broken(config) };
        let (mut found, mut urls) = (Vec::new(), Vec::new());
        let table = |name: &str| config.get(name).and_then(Value::as_table);
        if let Some(server) = table("server") {
            found.extend(server.get("ping_key"));
            urls.extend(server.get("alive_url"));
            held(&self.receivers).extend(server.get("alive_url").map(|url| (url.clone(), Vec::new())));
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
            let sent = headers.into_iter().flatten().map(|(_, value)| value.clone()).collect();
            held(&self.receivers).extend(channel.get("url").map(|url| (url.clone(), sent)));
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
        let pings = made("ping_key").map(|key| key.trim().to_owned());
        held(&self.made).extend(pings.filter(|key| key.len() >= LEAST));
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
        self.note_included(folder);
        let elsewhere = held(&self.elsewhere).clone();
        for place in elsewhere {
            let Some(value) = given(&place).map(|value| value.trim().to_owned()) else { continue };
            if value.len() >= LEAST_WHOLE {
                held(&self.keys).insert(value.clone());
            }
            held(&self.given).insert((place, value));
        }
    }

    /// What a value of a config is, wherever it stands: all that it was so far.
    fn texts_of(&self, value: &Value) -> Vec<String> {
        let Some(place) = value.as_table() else {
            return value.as_str().map(str::to_owned).into_iter().collect();
        };
        let is_there = |(kind, name): &(String, String)| {
            place.get(kind).and_then(Value::as_str).is_some_and(|one| one == name)
        };
        held(&self.given).iter().filter(|(one, _)| is_there(one)).map(|(_, value)| value.clone()).collect()
    }

    /// What is told to a receiver at this port, if it is one of this home: in the path of its address stands what
    /// only it may know, and so in the headers that are meant for it. All else is none of its business.
    pub(crate) fn told_to_receiver(&self, port: u16, path: &str, rest: &str) -> Option<String> {
        let receivers = held(&self.receivers).clone();
        let (mut is_ours, mut own) = (false, BTreeSet::new());
        for (url, headers) in receivers {
            for url in self.texts_of(&url).iter().filter(|url| url.contains(&format!(":{port}/"))) {
                is_ours = true;
                if url.ends_with(path) {
                    own.extend(parts(url).map(str::to_owned));
                    own.extend(headers.iter().flat_map(|header| self.texts_of(header)));
                }
            }
        }
        let found = |secret: &&String| rest.contains(secret.as_str()) || path.contains(secret.as_str());
        let keys = held(&self.keys);
        let key = keys.iter().filter(|key| !own.contains(*key)).find(found).cloned();
        drop(keys);
        let key = key.or_else(|| held(&self.made).iter().find(found).cloned());
        key.filter(|_| is_ours)
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

    /// The same for an answer to these headers: with a key that may only read, no UUID is told either, and none without
    /// a key or a session where there are keys. Where there are none, whoever is on this machine may see all.
    pub(crate) fn look_in_answer(&self, whose: &str, headers: &[(&str, &str)], text: &[u8]) {
        self.look(whose, text);
        let reads = |value: &str| held(&self.readers).iter().any(|key| value.contains(key.as_str()));
        let has_key = |value: &str| held(&self.keys).iter().any(|key| value.contains(key.as_str()));
        let is_known = |(name, value): &(&str, &str)| name.eq_ignore_ascii_case("cookie") || has_key(value);
        let is_guest = *held(&self.keyed) == Some(true) && !headers.iter().any(is_known);
        if is_guest || headers.iter().any(|(_, value)| reads(value)) {
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
         [[server.api_keys]]\nkey = \"a-key-of-this-test\"\nrole = \"read\"\n\
         [[server.api_keys]]\nkey = \"the-writer-of-this-test\"\nrole = \"write\"\n[channels.ops]\nsecret = \"a-secret-of-this-test\"\n\
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
        let with = |key: &'static str| answer(&[("Authorization", key)]);
        assert!(with("Bearer a-key-of-this-test") && !with("Bearer the-writer-of-this-test"));
        // Whoever has no key, or a wrong one; a session may be one of somebody who may write.
        assert!(with("Bearer wrong") && answer(&[("Accept", "*/*")]) && !answer(&[("Cookie", "session=1")]));
        fs::write(folder.path().join("within/journal"), shown).unwrap();
        secrets.look_in_folder(folder.path());
    }
    println!("{} secrets in an answer, a log and a folder, 2 in a log: each found", secrets_of_test.len());
}

#[test]
fn secrets_of_a_config_that_cannot_be_parsed_and_of_included_files_are_known() {
    let secrets = Secrets::default();
    secrets.note(
        "[server\nping_key = \"a-broken-ping-key\"\n[[server.api_keys]]\nkey = \"a-broken-key\"\n\
         [channels]\nops = { type = \"webhook\", url = \"http://chat/a-broken-hook\", secret=\"a-broken-secret\" }\n",
    );
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    fs::write(folder.path().join("conf.d/one.toml"), "[channels.a]\nsecret = \"an-included-secret\"\n")
        .unwrap();
    secrets.note_given(folder.path(), |_| None);
    let names =
        ["a-broken-ping-key", "a-broken-key", "a-broken-hook", "a-broken-secret", "an-included-secret"];
    for secret in names {
        let look = || secrets.look("an answer", secret.as_bytes());
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(look)).is_err(), "{secret}");
    }
    secrets.look("an answer", b"webhook");
    // There is no config yet that says who needs a key.
    secrets.note_uuid("67e55044-10b1-426f-9247-bb680e5fe0c8");
    secrets.look_in_answer("an answer", &[], b"67e55044-10b1-426f-9247-bb680e5fe0c8");
}

#[test]
fn a_receiver_is_told_its_own_secrets_and_no_other() {
    let secrets = Secrets::default();
    secrets.note(
        "[server]\nping_key = \"a-ping-key-of-all\"\n[channels.a]\nurl = \"http://x:81/hook-that-is-of-a\"\nsecret = \"secret-of-a\"\n\
         headers = { X = \"header-of-a\", Y = { env = \"Y\" } }\n\
         [channels.b]\nurl = { env = \"B\" }\nheaders = { X = \"header-of-b\" }\n",
    );
    secrets.note_given(Path::new("/nowhere"), |name| match name {
        "B" => Some("http://x:81/hook-that-is-of-b".to_owned()),
        "Y" => Some("another-header-of-a".to_owned()),
        _ => None,
    });
    let told = |path: &str, rest: &str| secrets.told_to_receiver(81, path, rest);
    for header in ["", "header-of-a", "another-header-of-a"] {
        assert_eq!(told("/hook-that-is-of-a", header), None, "{header}");
    }
    assert_eq!(told("/hook-that-is-of-b", "header-of-b"), None);
    for other in ["header-of-b", "secret-of-a", "a-ping-key-of-all", "http://x:81/hook-that-is-of-b"] {
        assert_eq!(told("/hook-that-is-of-a", other).as_deref(), Some(other));
    }
    assert_eq!(told("/hook-that-is-of-b", "header-of-a").as_deref(), Some("header-of-a"));
    assert_eq!(secrets.told_to_receiver(82, "/", "secret-of-a"), None, "it is another home's");
}
