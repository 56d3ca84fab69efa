//! `docs/reliability.md` names the tests that hold each promise: each of them is there.

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

#[test]
fn every_test_that_a_promise_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    for folder in ["src", "tests/it", "tests/sim"] {
        sources(&root.join(folder), &mut text);
    }
    text.push_str(&fs::read_to_string(root.join("tests/supply.rs")).unwrap());
    let document = fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let promises = document.split("\n## ").find(|part| part.starts_with("Promises")).unwrap();
    let rows: Vec<&str> = promises.lines().filter(|line| line.starts_with('|')).skip(2).collect();
    let mut named = 0;
    for row in rows {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let tests: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "nothing holds this: {row}");
        for test in tests {
            assert!(text.contains(&format!("fn {test}(")), "there is no test {test}");
            named += 1;
        }
    }
    assert!(named > 40, "{named} tests are named");
}
