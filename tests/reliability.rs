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

/// The tests of a folder as cargo names them, module by module.
fn paths(folder: &Path, module: &[String], all: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut module = module.to_vec();
        if !["main", "lib", "mod"].contains(&name.as_str()) {
            module.push(name);
        }
        if path.is_dir() {
            paths(&path, &module, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            tests_of(&fs::read_to_string(path).unwrap(), &module.join("::"), all);
        }
    }
}

fn tests_of(text: &str, module: &str, all: &mut Vec<String>) {
    let (mut inner, mut is_test) = (String::new(), false);
    for line in text.lines() {
        let word = line.trim_start();
        let function = word.strip_prefix("async ").unwrap_or(word).strip_prefix("fn ");
        if let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {")) {
            inner = format!("{name}::");
        } else if word.starts_with("#[") {
            is_test |= word == "#[test]" || word.starts_with("#[tokio::test");
        } else if let Some(name) = function {
            let name = name.split(['(', '<']).next().unwrap();
            if is_test {
                all.push(format!("{module}::{inner}{name}"));
            }
            is_test = false;
        }
    }
}

/// Whether a filter picks this test. What stands before `::` in it is the whole name of a module, so that it picks what it
/// says and not what ends alike.
fn picks(filter: &str, path: &str) -> bool {
    let starts: Vec<usize> = path.match_indices("::").map(|(at, _)| at + 2).chain([0]).collect();
    path.match_indices(filter).any(|(at, _)| !filter.contains("::") || starts.contains(&at))
}

#[test]
fn a_filter_with_a_module_picks_what_is_in_that_module_alone() {
    for (filter, picked) in
        [("fuzz::a", true), ("fuzz::b", false), ("uzz::a", false), ("a_line", true), ("store", true)]
    {
        assert_eq!(picks(filter, "store::fuzz::a_line_is_read"), picked, "{filter}");
    }
    let mut found = Vec::new();
    tests_of(
        "#[test]\nfn a() {}\nfn b() {}\nmod tests {\n    #[tokio::test]\n    async fn c() {}\n",
        "one",
        &mut found,
    );
    assert_eq!(found, ["one::a", "one::tests::c"]);
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
        let mut there = Vec::new();
        let filter = match (at("--test"), at("--lib")) {
            (Some(at), _) => {
                let name = words[at + 1];
                let (folder, file) = (root.join("tests").join(name), root.join(format!("tests/{name}.rs")));
                if file.exists() {
                    tests_of(&fs::read_to_string(file).unwrap(), "", &mut there);
                } else {
                    paths(&folder, &[], &mut there);
                }
                words.get(at + 2)
            }
            (None, at) => {
                paths(&root.join("src"), &[], &mut there);
                words.get(at.unwrap_or_else(|| panic!("{command}")) + 1)
            }
        };
        let filter = filter.filter(|word| **word != "--").unwrap_or_else(|| panic!("of what? {command}"));
        assert!(there.iter().any(|path| picks(filter, path)), "nothing is run by: {command}");
        looked_at += 1;
    }
    assert!(looked_at > 10, "{looked_at} commands");
}
