//! The house rules that no compiler checks: imports go down, the pure floors stay pure, files stay short.
//! Each rule is a function over sources, and is seen to fail on a made-up bad one.
#![allow(clippy::disallowed_methods, reason = "it reads the sources")]
#![allow(clippy::unwrap_used, reason = "a source that cannot be read fails the test")]

use std::fs;
use std::path::Path;

/// Each top-level module with its floor, from the top.
const FLOORS: [(&str, u8); 13] = [
    ("main", 6),
    ("cli", 6),
    ("daemon", 5),
    ("telemetry", 5),
    ("http", 4),
    ("deliver", 4),
    ("watch", 4),
    ("engine", 3),
    ("store", 2),
    ("machine", 1),
    ("config", 1),
    ("model", 0),
    ("fuzz", 0),
];
/// Modules of one floor never name each other, but for these: (who, whom).
/// The one that attacks readers is for tests alone, and knows none of them.
const ON_ONE_FLOOR: [(&str, &str); 3] = [("main", "cli"), ("daemon", "telemetry"), ("model", "fuzz")];
/// No clock, file, environment and no map without order.
const PURE: [&str; 3] = ["model", "machine", "config"];
/// The one index type, a hash map that cannot be iterated.
const INDEX: &str = "src/machine/index.rs";
const LINES: usize = 500;

#[derive(Debug)]
struct Source {
    /// From the crate's folder: `src/http/ping.rs`.
    path: String,
    text: String,
}

impl Source {
    /// The modules down to this one: `["http", "ping"]`; of `src/http/mod.rs` only `["http"]`.
    fn modules(&self) -> Vec<&str> {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        path.trim_end_matches("/mod").split('/').collect()
    }

    fn top(&self) -> &str {
        self.modules()[0]
    }

    /// The source with comments, strings and characters emptied, so that only names in code are left.
    fn code(&self) -> String {
        let mut code = String::with_capacity(self.text.len());
        let mut rest = self.text.as_str();
        while let Some(first) = rest.chars().next() {
            let after_name = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let skipped = match first {
                '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
                '/' if rest.starts_with("/*") => block_comment(rest),
                '"' => string(rest),
                'r' if !after_name || code.ends_with('b') => raw_string(rest),
                '\'' => character(rest),
                _ => 0,
            };
            if skipped == 0 {
                code.push(first);
                rest = &rest[first.len_utf8()..];
            } else {
                code.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
                code.push(' ');
                rest = &rest[skipped..];
            }
        }
        code
    }

    /// What follows each `root` in the code, with the number of its line.
    fn after(&self, root: &str) -> Vec<(usize, String)> {
        let code = self.code();
        let found = code
            .match_indices(root)
            .filter(|(at, _)| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
        found
            .map(|(at, _)| {
                (code[..at].matches('\n').count() + 1, code[at + root.len()..].trim_start().to_owned())
            })
            .collect()
    }
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    if !text[1 + hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let start = 2 + hashes;
    text[start..].find(&end).map_or(text.len(), |at| start + at + end.len())
}

/// Zero for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => text[3..].find('\'').map_or(0, |at| at + 4),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

fn name(path: &str) -> &str {
    path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// Imports go down, and say where to: every path from the root, in code of any place.
fn imports_go_down(source: &Source) -> Vec<String> {
    let top = source.top();
    let Some(own) = floor(top) else { return Vec::new() };
    let mut problems = Vec::new();
    let roots = if top == "main" { ["crate::", "overdue::"].as_slice() } else { &["crate::"] };
    for (line, path) in roots.iter().flat_map(|root| source.after(root)) {
        let place = format!("{}:{line}", source.path);
        let named = name(&path);
        if path.starts_with('{') || path.starts_with('*') {
            problems
                .push(format!("{place}: a grouped `use crate::{{…}}` hides where it goes: one line each"));
        } else if named == top || ON_ONE_FLOOR.contains(&(top, named)) {
            // Its own, or allowed.
        } else if let Some(other) = floor(named) {
            if other >= own {
                problems.push(format!("{place}: {top} (floor {own}) names {named} (floor {other})"));
            }
        } else {
            problems.push(format!("{place}: crate::{named} is on no floor"));
        }
    }
    problems
}

/// `super::` from a top-level module is the root by another name.
fn super_does_not_reach_the_root(source: &Source) -> Vec<String> {
    let depth = source.modules().len();
    let problems = source.after("super::").into_iter().filter_map(|(line, path)| {
        let mut path = path.as_str();
        let mut supers = 1;
        while let Some(rest) = path.strip_prefix("super::") {
            (path, supers) = (rest, supers + 1);
        }
        let named = name(path);
        (supers >= depth && floor(named).is_some())
            .then(|| format!("{}:{line}: say crate::{named}, not super::{named}", source.path))
    });
    problems.collect()
}

fn every_module_is_on_a_floor(source: &Source) -> Vec<String> {
    let known = source.path == "src/lib.rs" || floor(source.top()).is_some();
    if known { Vec::new() } else { vec![format!("{}: {} is on no floor", source.path, source.top())] }
}

fn pure_floors_are_held_by_lints(source: &Source) -> Vec<String> {
    if !PURE.contains(&source.top()) {
        return Vec::new();
    }
    let code = source.code();
    let mut problems = Vec::new();
    for lint in ["clippy::disallowed_methods", "clippy::disallowed_types"] {
        let denied = attributes(&code, "#![deny(").any(|lints| lints.contains(lint));
        if source.modules().len() == 1 && !denied {
            problems.push(format!("{}: #![deny({lint})] is missing", source.path));
        }
        for allow in ["#![allow(", "#[allow(", "#![expect(", "#[expect(", "#![warn(", "#[warn("] {
            let may = source.path == INDEX && lint == "clippy::disallowed_types";
            if !may && attributes(&code, allow).any(|lints| lints.contains(lint)) {
                problems.push(format!("{}: {allow}{lint})] on a pure floor", source.path));
            }
        }
    }
    problems
}

/// What stands in the attributes that begin so.
fn attributes<'a>(code: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    code.split(start).skip(1).map(|rest| rest.split(')').next().unwrap_or_default())
}

fn files_are_short(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if lines <= LINES { Vec::new() } else { vec![format!("{}: {lines} lines, at most {LINES}", source.path)] }
}

fn every_file_says_what_it_knows(source: &Source) -> Vec<String> {
    if source.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![format!("{}: does not begin with `//! `", source.path)]
}

/// `src/lib.rs` lists the modules from the highest floor to the lowest, all that there are.
fn the_map_is_in_floor_order(lib: &Source, tops: &[&str]) -> Vec<String> {
    let code = lib.code();
    let listed: Vec<&str> = code.lines().filter_map(|line| line.strip_prefix("pub mod ")).map(name).collect();
    let mut problems = Vec::new();
    for pair in listed.windows(2) {
        if floor(pair[0]) < floor(pair[1]) {
            problems.push(format!("src/lib.rs: {} stands below {}", pair[1], pair[0]));
        }
    }
    for top in tops.iter().filter(|top| !matches!(**top, "main" | "lib")) {
        if !listed.contains(top) {
            problems.push(format!("src/lib.rs: `pub mod {top};` is missing"));
        }
    }
    problems
}

/// All Rust files of a folder of the crate; none when there is no such folder.
fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// The program's sources, which are known to be there.
fn src() -> Vec<Source> {
    let sources = sources("src");
    for known in ["src/lib.rs", "src/main.rs", "src/model/mod.rs", "src/machine/wheel.rs"] {
        assert!(sources.iter().any(|source| source.path == known), "{known} was not read");
    }
    sources
}

#[track_caller]
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn the_house_keeps_its_rules() {
    let src = src();
    let rules = [
        imports_go_down,
        super_does_not_reach_the_root,
        every_module_is_on_a_floor,
        pure_floors_are_held_by_lints,
        every_file_says_what_it_knows,
    ];
    let mut problems: Vec<String> = rules.iter().flat_map(|rule| src.iter().flat_map(rule)).collect();
    problems
        .extend(["src", "tests", "benches"].into_iter().flat_map(sources).flat_map(|s| files_are_short(&s)));
    let tops: Vec<&str> = src.iter().map(Source::top).collect();
    let lib = src.iter().find(|source| source.path == "src/lib.rs").unwrap();
    problems.extend(the_map_is_in_floor_order(lib, &tops));
    none(&problems);
}

fn made_up(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

/// The rule finds nothing in the good ones and exactly one thing in each bad one.
#[track_caller]
fn tells_apart(rule: impl Fn(&Source) -> Vec<String>, good: &[(&str, &str)], bad: &[(&str, &str, &str)]) {
    for (path, text) in good {
        none(&rule(&made_up(path, text)));
    }
    for (path, text, problem) in bad {
        let problems = rule(&made_up(path, text));
        assert_eq!(problems.len(), 1, "{path} {text}: {problems:?}");
        assert!(problems[0].contains(problem), "{problems:?}");
    }
}

#[test]
fn an_import_that_goes_up_or_aside_is_found() {
    tells_apart(
        imports_go_down,
        &[
            ("src/http/ping.rs", "use crate::model::id::{Slug, Seq};\nuse crate::engine::handle::Engine;"),
            ("src/http/ping.rs", "// crate::cli is above\nlet s = \"crate::cli\"; /* crate::cli */"),
            (
                "src/http/ping.rs",
                "let s = r#\"a \" crate::cli\"#; let c = '\"'; let l: &'a str = \"crate::cli\";",
            ),
            ("src/daemon.rs", "crate::telemetry::start();"),
            ("src/main.rs", "overdue::cli::main()"),
            ("src/store/mod.rs", "crate::store::codec::read(other_crate::cli::x)"),
        ],
        &[
            (
                "src/model/id.rs",
                "use crate::machine::state::State;",
                "model (floor 0) names machine (floor 1)",
            ),
            ("src/machine/a.rs", "fn f() {\n    crate::engine::x();\n}", "src/machine/a.rs:2: machine"),
            ("src/machine/a.rs", "use crate::config::Config;", "names config"),
            ("src/config/mod.rs", "let x: crate::machine::State;", "names machine"),
            ("src/http/mod.rs", "use crate::deliver::x;", "names deliver"),
            ("src/deliver/a.rs", "use crate::watch::x;", "names watch"),
            ("src/watch.rs", "let c = '\\''; crate::http::x()", "names http"),
            ("src/telemetry.rs", "crate::daemon::x()", "names daemon"),
            ("src/store/a.rs", "pub(in crate::cli) fn x() {}", "names cli"),
            ("src/http/a.rs", "use crate::{model, engine};", "grouped"),
            ("src/http/a.rs", "use crate::*;", "grouped"),
            ("src/http/a.rs", "use crate::misc::x;", "crate::misc is on no floor"),
        ],
    );
}

#[test]
fn a_super_that_reaches_the_root_is_found() {
    tells_apart(
        super_does_not_reach_the_root,
        &[
            ("src/http/ping.rs", "use super::body::read;\nuse super::super::Thing;"),
            ("src/watch.rs", "mod tests { use super::*; }"),
        ],
        &[
            ("src/watch.rs", "use super::http::x;", "src/watch.rs:1"),
            ("src/http/mod.rs", "super::deliver::x()", "crate::deliver"),
            ("src/http/ping.rs", "use super::super::deliver::x;", "crate::deliver"),
        ],
    );
}

#[test]
fn a_module_without_a_floor_is_found() {
    tells_apart(
        every_module_is_on_a_floor,
        &[("src/lib.rs", ""), ("src/main.rs", ""), ("src/cli/check.rs", "")],
        &[("src/utils.rs", "", "utils is on no floor"), ("src/misc/mod.rs", "", "misc is on no floor")],
    );
}

#[test]
fn a_pure_floor_without_its_lints_is_found() {
    let both = "#![deny(missing_docs, clippy::disallowed_methods, clippy::disallowed_types)]";
    let one = "#![deny(clippy::disallowed_methods)]\n// #![deny(clippy::disallowed_types)]";
    tells_apart(
        pure_floors_are_held_by_lints,
        &[("src/model/mod.rs", both), ("src/model/id.rs", ""), (INDEX, "#[allow(clippy::disallowed_types)]")],
        &[
            ("src/model/mod.rs", one, "disallowed_types"),
            ("src/machine/mod.rs", &one.replace("methods", "types"), "disallowed_methods"),
            ("src/config/a.rs", "#[allow(clippy::disallowed_types)]", "on a pure floor"),
            (INDEX, "#[allow(clippy::disallowed_methods)]", "on a pure floor"),
            ("src/config/a.rs", "#![expect(dead_code, clippy::disallowed_methods)]", "on a pure floor"),
        ],
    );
}

#[test]
fn a_file_that_is_long_or_does_not_say_what_it_knows_is_found() {
    let (fits, long) = ("x\n".repeat(LINES), "x\n".repeat(LINES + 1));
    tells_apart(files_are_short, &[("src/a.rs", &fits)], &[("tests/a.rs", &long, "501 lines")]);
    tells_apart(
        every_file_says_what_it_knows,
        &[("src/a.rs", "//! Knows a.\nuse b;")],
        &[("src/a.rs", "use b;\n//! Late.", "does not begin"), ("src/a.rs", "", "does not begin")],
    );
}

#[test]
fn a_map_in_disorder_or_with_a_hole_is_found() {
    let tops = ["lib", "main", "engine", "machine", "model"];
    let map = |order: &[&str]| {
        let text: Vec<String> = order.iter().map(|module| format!("pub mod {module};")).collect();
        the_map_is_in_floor_order(&made_up("src/lib.rs", &text.join("\n")), &tops)
    };
    none(&map(&["engine", "machine", "model"]));
    assert_eq!(map(&["engine", "model", "machine"]), ["src/lib.rs: machine stands below model"]);
    assert_eq!(map(&["engine", "model"]), ["src/lib.rs: `pub mod machine;` is missing"]);
}

#[test]
fn a_folder_without_sources_does_not_pass_for_a_house() {
    assert!(sources("no-such-folder").is_empty());
    assert!(src().len() >= 20);
}
