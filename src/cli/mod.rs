//! The command line: clap types and one small file per subcommand.

mod args;
mod demo;
mod fly;
mod seed;
mod status;

use std::process::ExitCode;

use clap::Parser;

pub use args::{Args, Command};

/// Exit codes of every face (DESIGN).
pub mod exit {
    /// Pass, open.
    pub const PASS: u8 = 0;
    /// Fail, closed.
    pub const FAIL: u8 = 1;
    /// Undecided, unknown.
    pub const UNDECIDED: u8 = 2;
    /// Not run.
    pub const NOT_RUN: u8 = 3;
    /// Wrong words on the command line.
    pub const USAGE: u8 = 64;
    /// Something needed cannot be reached.
    pub const UNREACHABLE: u8 = 69;
    /// The program's own fault.
    pub const INTERNAL: u8 = 70;
    /// cockpit.toml.
    pub const CONFIG: u8 = 78;
}

/// Runs the program with the process's arguments.
#[must_use]
pub fn run() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(e) => {
            let code = if e.use_stderr() { exit::USAGE } else { 0 };
            let _ = e.print();
            return ExitCode::from(code);
        }
    };
    let code = match &args.command {
        None => fly::fly(&args),
        Some(Command::Demo(demo)) => demo::demo(&args, demo),
        Some(Command::Status(status)) => status::status(&args, status),
    };
    ExitCode::from(code)
}

/// Prints an error for the person who must act, and gives its exit code.
fn fail(code: u8, message: impl std::fmt::Display) -> u8 {
    eprintln!("cockpit: {message}");
    code
}
