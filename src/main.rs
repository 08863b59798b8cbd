//! Parses arguments, calls the library, maps to an exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    cockpit::cli::run()
}
