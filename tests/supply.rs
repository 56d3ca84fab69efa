//! What the program is built from: crates of the one registry, with a checksum each, under licences that `deny.toml`
//! allows, none twice but those that it lists, and no line of the project's own that the compiler does not check.
//! `cargo deny` looks at the same file more closely; this needs no tool and no network.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it reads files and runs cargo")]
#![allow(clippy::unwrap_used, reason = "a test says by its panic where it failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::iter::Peekable;
use std::path::Path;
use std::process::Command;
use std::vec;

use serde_json::Value;
use toml::Table;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// The packages of this project.
const OWN: [&str; 2] = ["overdue", "overdue-browser"];

fn read(path: &str) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).parse().unwrap()
}

fn texts(list: &toml::Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// A crate that the program is built from.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    licence: String,
}

/// All of them, on this machine: not what only tests use.
fn built_from() -> BTreeSet<Crate> {
    let told = |arguments: &[&str]| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let ended =
            Command::new(cargo).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap()
    };
    let version = told(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata = ["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host];
    let metadata: Value = serde_json::from_str(&told(&metadata)).unwrap();
    let by_id = |list: &Value| -> BTreeMap<String, Value> {
        let items = list.as_array().unwrap().iter();
        items.map(|item| (item["id"].as_str().unwrap().to_owned(), item.clone())).collect()
    };
    let (packages, nodes) = (by_id(&metadata["packages"]), by_id(&metadata["resolve"]["nodes"]));
    let mut reached = BTreeSet::new();
    let mut next = vec![metadata["resolve"]["root"].as_str().unwrap().to_owned()];
    while let Some(id) = next.pop() {
        for dependency in nodes[&id]["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            if kinds.iter().any(|kind| kind["kind"] != "dev") {
                next.extend(
                    Some(dependency["pkg"].as_str().unwrap().to_owned()).filter(|id| !reached.contains(id)),
                );
            }
        }
        reached.insert(id);
    }
    let text = |id: &String, key: &str| packages[id][key].as_str().unwrap_or_default().to_owned();
    let all: BTreeSet<Crate> = reached
        .iter()
        .map(|id| Crate {
            name: text(id, "name"),
            version: text(id, "version"),
            licence: text(id, "license"),
        })
        .collect();
    assert!(all.len() > 100, "{} crates", all.len());
    all
}

/// An expression of licences (SPDX, or with `/` for `OR` as once was the custom), while it is read.
struct Expression<'a> {
    words: Peekable<vec::IntoIter<String>>,
    allowed: &'a BTreeSet<String>,
}

impl Expression<'_> {
    /// Whether it can be met by what is allowed. One that makes no sense cannot.
    fn met(text: &str, allowed: &BTreeSet<String>) -> bool {
        let spaced = text.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
        let words: Vec<String> = spaced.split_whitespace().map(str::to_owned).collect();
        let mut expression = Expression { words: words.into_iter().peekable(), allowed };
        expression.any() == Some(true) && expression.words.next().is_none()
    }

    fn follows(&mut self, word: &str) -> bool {
        self.words.next_if(|next| next == word).is_some()
    }

    fn any(&mut self) -> Option<bool> {
        let mut met = self.all()?;
        while self.follows("OR") {
            met |= self.all()?;
        }
        Some(met)
    }

    /// `AND` binds closer than `OR`.
    fn all(&mut self) -> Option<bool> {
        let mut met = self.one()?;
        while self.follows("AND") {
            met &= self.one()?;
        }
        Some(met)
    }

    fn one(&mut self) -> Option<bool> {
        if self.follows("(") {
            let met = self.any()?;
            return self.follows(")").then_some(met);
        }
        let licence = self.words.next()?;
        // What is granted beside it nobody here has read.
        if self.follows("WITH") {
            self.words.next()?;
            return Some(false);
        }
        Some(self.allowed.contains(&licence))
    }
}

#[test]
fn every_crate_is_of_the_registry_and_has_a_checksum() {
    let mut looked_at = 0;
    for lock in ["Cargo.lock", "tests/browser/Cargo.lock"] {
        let lock = read(lock);
        let packages = lock["package"].as_array().unwrap();
        assert!(packages.len() > 100, "{} packages", packages.len());
        for package in packages.iter().filter(|package| !OWN.contains(&package["name"].as_str().unwrap())) {
            assert_eq!(package["source"].as_str(), Some(REGISTRY), "{package:?}");
            let checksum = package["checksum"].as_str().unwrap();
            assert!(
                checksum.len() == 64 && checksum.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{package:?}"
            );
            looked_at += 1;
        }
    }
    let sources = &read("deny.toml")["sources"];
    assert_eq!(
        texts(&sources["allow-registry"]),
        ["https://github.com/rust-lang/crates.io-index".to_owned()].into()
    );
    for unknown in ["unknown-registry", "unknown-git"] {
        assert_eq!(sources[unknown].as_str(), Some("deny"));
    }
    println!("{looked_at} crates: each of the registry, each with a checksum");
}

#[test]
fn every_crate_has_a_licence_that_is_allowed() {
    let allowed = texts(&read("deny.toml")["licenses"]["allow"]);
    let all = built_from();
    let refused: Vec<&Crate> = all.iter().filter(|one| !Expression::met(&one.licence, &allowed)).collect();
    assert!(refused.is_empty(), "{refused:?}");
    println!("{} crates: each under a licence that is allowed", all.len());
}

#[test]
fn no_crate_is_built_in_twice_but_those_that_are_listed() {
    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    for one in built_from() {
        *versions.entry(one.name).or_default() += 1;
    }
    let twice: BTreeSet<String> =
        versions.into_iter().filter(|(_, n)| *n > 1).map(|(name, _)| name).collect();
    let bans = &read("deny.toml")["bans"];
    let name =
        |skipped: &toml::Value| skipped["crate"].as_str().unwrap().split('@').next().unwrap().to_owned();
    let listed: BTreeSet<String> = bans["skip"].as_array().unwrap().iter().map(name).collect();
    assert_eq!(twice, listed);
    assert_eq!(bans["multiple-versions"].as_str(), Some("deny"));
}

#[test]
fn the_release_is_one_unit_that_is_optimized_as_a_whole_and_has_no_symbols() {
    let manifest = read("Cargo.toml");
    let release = &manifest["profile"]["release"];
    assert_eq!(release["codegen-units"].as_integer(), Some(1));
    let said = ["lto", "panic", "strip"].map(|key| release[key].as_str());
    assert_eq!(said, [Some("fat"), Some("abort"), Some("symbols")]);
}

#[test]
fn no_line_of_the_project_is_unsafe() {
    for manifest in ["Cargo.toml", "tests/browser/Cargo.toml"] {
        // It cannot be allowed again further down, and the compiler holds it.
        assert_eq!(read(manifest)["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"), "{manifest}");
    }
}

#[test]
fn an_expression_of_licences_is_met_by_what_is_allowed_and_by_nothing_else() {
    let allowed: BTreeSet<String> = ["A", "B"].map(str::to_owned).into();
    for good in ["A", "A AND B", "A OR C", "C/A", "(A OR C) AND B", "C AND D OR A", "A WITH x OR B", "((A))"]
    {
        assert!(Expression::met(good, &allowed), "{good}");
    }
    for bad in
        ["", "C", "A AND C", "A OR", "A B", "(A OR C) AND D", "(A", "A)", "A WITH x", "A AND C OR D", "a"]
    {
        assert!(!Expression::met(bad, &allowed), "{bad}");
    }
}
