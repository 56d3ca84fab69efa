//! `docs/reliability.md` names the tests that hold each promise: each of them is there, and runs.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it reads the sources")]
#![allow(clippy::unwrap_used, reason = "a test says by its panic where it failed")]

use std::fs;
use std::path::Path;

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// Whether it is a test that `tests/run` runs: by itself, or by name where it takes too long for every run.
fn runs(text: &str, run: &str, name: &str) -> bool {
    let Some(at) = text.find(&format!("fn {name}(")) else { return false };
    // What stands over it, up to the end of whatever is before.
    let above = text[..at].rsplit("\n\n").next().unwrap();
    let attributes: Vec<&str> = above.lines().map(str::trim).filter(|line| line.starts_with("#[")).collect();
    let is_test = attributes.iter().any(|line| line.contains("test"));
    let ignored = attributes.iter().any(|line| line.starts_with("#[ignore"));
    let by_name = || {
        run.lines().any(|line| {
            line.contains("--ignored") && line.split(' ').any(|word| word.len() > 8 && name.starts_with(word))
        })
    };
    is_test && (!ignored || by_name())
}

#[test]
fn every_test_that_a_promise_names_is_there_and_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    for folder in ["src", "tests/it", "tests/sim", "tests/browser"] {
        sources(&root.join(folder), &mut text);
    }
    text.push_str(&fs::read_to_string(root.join("tests/supply.rs")).unwrap());
    let run = fs::read_to_string(root.join("tests/run")).unwrap();
    let document = fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let promises = document.split("\n## ").find(|part| part.starts_with("Promises")).unwrap();
    let rows: Vec<&str> = promises.lines().filter(|line| line.starts_with('|')).skip(2).collect();
    let mut named = 0;
    for row in rows {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let tests: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "nothing holds this: {row}");
        for test in tests {
            assert!(runs(&text, &run, test), "there is no test {test}, or nobody runs it");
            named += 1;
        }
    }
    assert!(named > 40, "{named} tests are named");
}

/// What stands after `--test it`, `--test sim` or `--lib` is a part of a test's name.
#[test]
fn every_command_that_is_to_be_run_again_names_a_test_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let mut looked_at = 0;
    for command in document.split('`').filter(|code| code.contains("cargo test ")) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let at = |word: &str| words.iter().position(|one| *one == word);
        let (folder, filter) = match (at("--test"), at("--lib")) {
            (Some(at), _) => (format!("tests/{}", words[at + 1]), words.get(at + 2)),
            (None, at) => ("src".to_owned(), words.get(at.unwrap_or_else(|| panic!("{command}")) + 1)),
        };
        let filter = filter.filter(|word| **word != "--").unwrap_or_else(|| panic!("of what? {command}"));
        let (mut text, name) = (String::new(), filter.rsplit("::").next().unwrap());
        sources(&root.join(&folder), &mut text);
        let is_there = text.lines().any(|line| {
            line.trim_start().strip_prefix("fn ").is_some_and(|function| function.contains(name))
        }) || root.join(folder).join(format!("{name}.rs")).exists();
        assert!(is_there, "nothing is run by: {command}");
        looked_at += 1;
    }
    assert!(looked_at > 10, "{looked_at} commands");
}
