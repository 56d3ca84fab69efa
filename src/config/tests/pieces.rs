//! A file that is read in pieces says what it says as a whole.

use std::path::Path;

use super::Memory;
use crate::config::Config;
use crate::config::pieces::cuts;
use crate::config::problem::Problem;
use crate::config::resolve::in_pieces;
use crate::model::schedule::Zones;

const MAIN: &str = "/etc/overdue/config.toml";

fn read(memory: &Memory, piece: usize) -> Result<Config, Vec<Problem>> {
    in_pieces(Path::new(MAIN), memory, &Zones::bundled(), piece)
}

/// Checks that it is cut into so many pieces of one heartbeat, and is the same in pieces of any size.
#[track_caller]
fn is_the_same(text: &str, pieces: usize) -> Result<Config, Vec<Problem>> {
    assert_eq!(cuts(text, 1).len() + 1, pieces, "{text}");
    let memory = Memory::default().file(MAIN, text);
    let whole = read(&memory, usize::MAX);
    for piece in 1..4 {
        assert_eq!(read(&memory, piece), whole, "in pieces of {piece}: {text}");
    }
    whole
}

#[test]
fn heartbeats_warnings_and_places_are_those_of_the_whole() {
    let config = is_the_same(
        "[defaults]\ngrace = \"5m\"\n[channels.ops]\ntype = \"log\"\n\n\
         [heartbeats.c]\ninterval = \"1h\"\n\n# b has no grace\n[heartbeats.b]\r\ninterval = \"2h\"\r\ngrace = \"0s\"\r\n",
        2,
    );
    let config = config.unwrap();
    let places: Vec<u32> = config.heartbeats.iter().map(|heartbeat| heartbeat.place.line).collect();
    assert_eq!(places, [10, 6], "b, then c");
    assert!(config.warnings.iter().any(|warning| warning.line == 10), "{:?}", config.warnings);
}

#[test]
fn every_problem_is_told_as_of_the_whole() {
    let heartbeats = "[heartbeats.a]\ninterval = \"1h\"\n[heartbeats.b]\ninterval = \"1h\"\n";
    for (more, pieces) in [
        ("[heartbeats.a]\ninterval = \"2h\"\n", 3),
        ("[heartbeats.c]\ninterval = \"2\"\n[heartbeats.d]\nevery = \"2h\"\n", 4),
        ("[heartbeats.c]\ninterval = [\n", 3),
        ("[heartbeats.c]\ninterval = \"1h\"\ntags = [\"x\", 7]\n", 3),
        ("[heartbeats.a.b]\ninterval = \"2h\"\n", 2),
        ("[server]\nlisten = 7\n", 2),
        ("[[heartbeats]]\ninterval = \"2h\"\n", 2),
        ("[heartbeats]\nc = { interval = \"1h\" }\n[heartbeats]\nd = { interval = \"1h\" }\n", 1),
    ] {
        is_the_same(&format!("{heartbeats}{more}"), pieces).unwrap_err();
    }
}

#[test]
fn what_looks_like_a_header_in_a_text_or_list_is_none() {
    let config = is_the_same(
        "[heartbeats.a]\ninterval = \"1h\"\ndescription = \"\"\"\n[heartbeats.b]\ninterval = \"2h\"\n\"\"\"\n\
         [heartbeats.c]\ninterval = \"1h\"\n",
        3,
    );
    assert_eq!(config.unwrap().heartbeats.len(), 2);
    is_the_same("[heartbeats.a]\ncron = [\n[heartbeats.b]\n]\n[heartbeats.c]\ninterval = \"1h\"\n", 3)
        .unwrap_err();
}

#[test]
fn tables_that_are_no_heartbeats_may_stand_between() {
    let config = is_the_same(
        "[heartbeats.a]\ninterval = \"1h\"\nchannels = [\"ops\"]\n[heartbeats.b]\ninterval = \"1h\"\n\
         [channels.ops]\ntype = \"log\"\n[heartbeats]\n\"c\" = { interval = \"1h\" }\n",
        1,
    );
    assert_eq!(config.unwrap().heartbeats.len(), 3);
    let config = is_the_same(
        "[heartbeats.a]\ninterval = \"1h\"\nchannels = [\"ops\"]\n[heartbeats.b]\ninterval = \"1h\"\n\
         [channels.ops]\ntype = \"log\"\n[ heartbeats . \"c\" ]\ninterval = \"1h\"\n",
        2,
    );
    assert_eq!(config.unwrap().heartbeats.len(), 3);
}

/// TOML takes a table once only; by a name with an escape, or as a key, it could stand in two pieces.
#[test]
fn where_a_name_is_hidden_nothing_is_cut() {
    let a = "[heartbeats.a]\ninterval = \"1h\"\n";
    let b = "[heartbeats.b]\ninterval = \"1h\"\n";
    let [c, d] = ["c", "d"].map(|name| format!("[\"heart\\u0062eats\"]\n{name} = {{ interval = \"1h\" }}\n"));
    is_the_same(&format!("{a}{c}{b}{d}"), 1).unwrap_err();
    is_the_same(&format!("description = \"\"\"\n{a}{a}\"\"\"\nheartbeats = {{}}\n{b}"), 1).unwrap_err();
    is_the_same(&format!("{a}[server]\n\"heartbeats\".x = 1\n{b}"), 1).unwrap_err();
}

#[test]
fn included_files_are_cut_too() {
    let heartbeats = |names: &[&str]| -> String {
        let table = |name: &&str| format!("[heartbeats.{name}]\ninterval = \"1h\"\n");
        names.iter().map(table).collect::<Vec<_>>().concat()
    };
    let memory = |names: &[&str]| {
        Memory::default()
            .file(MAIN, &format!("include = [\"d/*.toml\"]\n{}", heartbeats(&["a", "b"])))
            .file("/etc/overdue/d/more.toml", &heartbeats(names))
    };
    let config = read(&memory(&["c", "d"]), 1).unwrap();
    assert_eq!(config, read(&memory(&["c", "d"]), usize::MAX).unwrap());
    assert_eq!(config.heartbeats.len(), 4);
    let twice = memory(&["c", "b"]);
    let problems = read(&twice, 1).unwrap_err();
    assert_eq!(problems, read(&twice, usize::MAX).unwrap_err());
    assert_eq!(problems.len(), 1, "{problems:?}");
}
