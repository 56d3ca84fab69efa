//! Says where the program is that is looked at: built beside this, or where `OVERDUE_PROGRAM` says.

#![allow(clippy::disallowed_methods, reason = "it reads where the program is")]

use std::env;
use std::path::PathBuf;

fn main() {
    let beside = || PathBuf::from(env::var_os("OUT_DIR").unwrap()).join("../../../overdue");
    let program = env::var_os("OVERDUE_PROGRAM").map_or_else(beside, PathBuf::from);
    println!("cargo:rerun-if-env-changed=OVERDUE_PROGRAM");
    println!("cargo:rustc-env=CARGO_BIN_EXE_overdue={}", program.display());
}
