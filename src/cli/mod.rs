//! The command line: clap types and one small file per subcommand.

mod acts;
mod args;
mod backtest;
mod calendar;
mod check;
mod conflicts;
mod connector;
mod demo;
mod document;
mod fly;
mod forecast;
mod gate;
mod init;
mod journal;
mod judge;
mod out;
mod page;
mod seed;
mod session;
mod status;
mod trust;
mod watch;
mod window;

use std::process::ExitCode;

use clap::Parser;

use crate::documents::Kind;

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
    let code = match session::log(&args) {
        Ok(()) => command(&args),
        Err(code) => code,
    };
    ExitCode::from(code)
}

/// Does what was asked for; its exit code.
fn command(args: &Args) -> u8 {
    let Some(command) = &args.command else {
        return fly::fly(args);
    };
    match command {
        Command::Demo(demo) => demo::demo(args, demo),
        Command::Status(status) => status::status(args, status),
        Command::Check(check) => check::check(args, check),
        Command::Trust(trust) => trust::trust(args, trust),
        Command::Init(init) => init::init(args, init),
        Command::Schema(schema) => page::schema(schema),
        Command::Window(window) => window::window(args, window),
        Command::Calendar(calendar) => calendar::calendar(args, calendar),
        Command::Conflicts(wanted) => conflicts::conflicts(args, wanted),
        Command::Gate(gate) => gate::gate(args, gate),
        Command::Judge(judge) => judge::judge(judge),
        Command::Backtest(backtest) => backtest::backtest(args, backtest),
        Command::Watch(watch) => watch::watch(args, watch),
        Command::Brief(brief) => document::brief(args, brief),
        Command::Handoff(d) => document::document(args, Kind::Handoff, d),
        Command::Review(wanted) => document::review(args, wanted),
        Command::Notes(d) => document::document(args, Kind::Notes, d),
        Command::Ack(ack) => acts::ack(args, ack),
        Command::Approve(approve) => acts::approve(args, approve),
        Command::Override(wanted) => acts::overrule(args, wanted),
        Command::Journal(journal) => journal::journal(args, &journal.what),
        Command::Connector(connector) => connector::connector(&connector.what),
        Command::Completions(c) => page::completions(c.shell),
        Command::Man => page::man(),
    }
}

/// Prints an error for the person who must act, and gives its exit code.
fn fail(code: u8, message: impl std::fmt::Display) -> u8 {
    out::complain(&format!("cockpit: {message}"));
    code
}
