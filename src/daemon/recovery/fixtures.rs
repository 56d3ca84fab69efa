//! State folders that this program has written since its first day, and what they come to: each is read for ever.
//! The newest holds every kind of record, and is what is written today.
//!
//! When what is written changes, `OVERDUE_WRITE_FIXTURES=<today>` makes a folder of that name beside the others, which
//! stay as they are. It also writes down what a folder comes to that has nothing to be compared with yet. Run it until
//! it has nothing more to write.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Building;
use crate::machine::beat::Beat;
use crate::machine::record::samples;
use crate::machine::state::{Core, State};
use crate::model::id::Seq;
use crate::store::folder::StateFolder;
use crate::store::journal::SegmentJournal;
use crate::store::peek::Peek;
use crate::store::recover::{Recovered, recover};
use crate::store::snapshot::SnapshotFiles;
use crate::store::{Durability, Journal, Snapshots};

/// What a folder comes to.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Held {
    last: Seq,
    core: Core,
    heartbeats: Vec<Beat>,
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/journal"].iter().collect()
}

fn wanted() -> Option<String> {
    std::env::var("OVERDUE_WRITE_FIXTURES").ok()
}

/// The fixtures, oldest first.
fn versions() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.starts_with(&["2026-11-22".to_owned(), "2026-11-24".to_owned()]), "{names:?}");
    names
}

fn held(dir: &Path) -> Held {
    let mut building = Building::default();
    let recovered = recover::<_, Core, Beat>(&Peek::at(dir), |found| building.take(found)).unwrap();
    assert_eq!(recovered.warnings, [], "{}", dir.display());
    let frozen = building.finish().freeze();
    let heartbeats = (0..frozen.beats.places()).filter_map(|at| frozen.beats.at(at).cloned()).collect();
    Held { last: recovered.last, core: frozen.core, heartbeats }
}

/// Compares with what is written down, piece by piece, so that a difference can be read. Gives back up to where it goes.
fn comes_to(dir: &Path, expected: &Path) -> Seq {
    let held = held(dir);
    if wanted().is_some() && !expected.exists() {
        let text = serde_json::to_string_pretty(&held).unwrap();
        std::fs::write(expected, text + "\n").unwrap();
    }
    let text = std::fs::read_to_string(expected).unwrap_or_else(|e| panic!("{}: {e}", expected.display()));
    let what = expected.display();
    // As it stands there: what reads both would lose the same field of both.
    let (now, then) = (serde_json::to_value(&held).unwrap(), serde_json::from_str(&text).unwrap());
    assert_eq!(gone(&then, &now, ""), [""; 0], "{what}");
    let expected_held: Held = serde_json::from_str(&text).unwrap();
    assert_eq!(held.last, expected_held.last, "{what}");
    assert_eq!(held.core, expected_held.core, "{what}");
    for (beat, expected) in held.heartbeats.iter().zip(&expected_held.heartbeats) {
        assert_eq!(beat, expected, "{what}");
    }
    assert_eq!(held.heartbeats.len(), expected_held.heartbeats.len(), "{what}");
    held.last
}

/// What was there and is there no more, or is another now. There may be more than there was.
fn gone(then: &Value, now: &Value, place: &str) -> Vec<String> {
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => then
            .iter()
            .flat_map(|(key, value)| {
                gone(value, now.get(key).unwrap_or(&Value::Null), &format!("{place}.{key}"))
            })
            .collect(),
        (Value::Array(then), Value::Array(now)) if then.len() == now.len() => {
            let both = then.iter().zip(now).enumerate();
            both.flat_map(|(n, (then, now))| gone(then, now, &format!("{place}[{n}]"))).collect()
        }
        _ if then == now => Vec::new(),
        _ => vec![format!("{place}: {then} is {now}")],
    }
}

#[test]
fn a_field_that_is_gone_or_changed_is_told_and_a_new_one_is_not() {
    let then = serde_json::json!({ "a": [{ "b": 1 }, { "b": 2 }], "c": null });
    let now = serde_json::json!({ "a": [{ "b": 1, "new": 0 }, { "d": 2 }], "e": 3 });
    assert_eq!(gone(&then, &now, ""), [".a[1].b: 2 is null"]);
    let now = serde_json::json!({ "a": [{ "b": 1 }], "c": 1 });
    assert_eq!(gone(&then, &now, "").len(), 2, "{:?}", gone(&then, &now, ""));
}

/// Every file of the fixtures, with its SHA-256.
fn sums() -> BTreeMap<String, String> {
    let (mut sums, mut folders) = (BTreeMap::new(), vec![folder()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let sum = format!("{:x}", Sha256::digest(std::fs::read(&path).unwrap()));
            sums.insert(path.strip_prefix(folder()).unwrap().to_str().unwrap().to_owned(), sum);
        }
    }
    sums
}

/// As `sha256sum` writes them, in the folder beside: the newest fixtures are as fixed as the oldest.
#[test]
fn no_file_of_the_fixtures_has_changed_or_is_gone() {
    let list = folder().with_extension("sha256");
    let text = std::fs::read_to_string(&list).unwrap_or_default();
    let line = |line: &str| line.split_once("  ").map(|(sum, name)| (name.to_owned(), sum.to_owned()));
    let mut known: BTreeMap<String, String> = text.lines().filter_map(line).collect();
    if wanted().is_some() {
        // Only what is new: what is known stays as it is.
        for (name, sum) in sums() {
            known.entry(name).or_insert(sum);
        }
        let lines: Vec<String> = known.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
        std::fs::write(&list, lines.concat()).unwrap();
    }
    assert_eq!(sums(), known);
    let versions = versions();
    assert!(versions.iter().all(|version| known.contains_key(&format!("{version}/state/snapshot.json"))));
}

#[test]
fn what_every_version_has_written_is_recovered_with_and_without_its_snapshots() {
    let (versions, mut records) = (versions(), 0);
    for version in &versions {
        let fixture = folder().join(version);
        let state = fixture.join("state");
        comes_to(&state, &fixture.join("expected.json"));
        let journal = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(&state).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                std::fs::copy(&path, journal.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        assert!(journal.path().join("journal-00000000000000000001.jsonl").exists(), "all of its records");
        records += comes_to(journal.path(), &fixture.join("expected.replayed.json")).0;
    }
    println!(
        "{} state folders since the first, {records} records, with and without snapshots: 0 lost",
        versions.len()
    );
}

/// Writes the life of the samples as the daemon would: two segments, and a snapshot between them.
fn write_samples(dir: &Path) {
    let folder = StateFolder::open(dir).unwrap();
    let mut journal = SegmentJournal::open(folder.clone(), Durability::Fsync, &Recovered::default()).unwrap();
    let mut snapshots = SnapshotFiles::open(folder, &Recovered::default());
    let mut state = State::default();
    let batches = samples::batches();
    for (n, batch) in batches.iter().enumerate() {
        if n == batches.len() / 2 {
            journal.rotate(journal.last()).unwrap();
            let frozen = state.freeze();
            let beats = (0..frozen.beats.places()).filter_map(|at| frozen.beats.at(at)).map(Ok);
            snapshots.write(journal.last(), &frozen.core, beats).unwrap();
        }
        journal.append(journal.last(), batch).unwrap();
        for record in batch {
            state.apply(record);
        }
    }
}

#[test]
fn what_is_written_today_is_the_newest_of_the_fixtures() {
    let written = tempfile::tempdir().unwrap();
    write_samples(written.path());
    std::fs::remove_file(written.path().join("lock")).unwrap();
    let names = |dir: &Path| {
        let entries = std::fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    if let Some(version) = wanted() {
        let state = folder().join(version).join("state");
        std::fs::create_dir_all(&state).unwrap();
        for name in names(written.path()) {
            std::fs::copy(written.path().join(&name), state.join(&name)).unwrap();
        }
    }
    let newest = folder().join(versions().pop().unwrap()).join("state");
    assert_eq!(names(&newest), names(written.path()));
    for name in names(&newest) {
        let text = |dir: &Path| std::fs::read_to_string(dir.join(&name)).unwrap();
        let (old, new) = (text(&newest), text(written.path()));
        for (old, new) in old.lines().zip(new.lines()) {
            assert_eq!(old, new, "what is written has changed: see OVERDUE_WRITE_FIXTURES above");
        }
        assert_eq!(old.len(), new.len(), "{}", name.display());
    }
}
