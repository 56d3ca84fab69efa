//! The program. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    overdue::cli::main(std::env::args_os())
}
