//! What the program prints of itself: schemas, completions, the manual page.

use std::io::Write as _;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::app::action::{ACTIONS, Scope};

use super::args::{Args, SchemaArgs};
use super::{exit, fail, out};

/// Prints a schema.
pub fn schema(wanted: &SchemaArgs) -> u8 {
    if wanted.situation {
        out::json(&crate::report::schema());
    } else {
        out::json(&crate::config::schema());
    }
    exit::PASS
}

/// Prints the completions of a shell.
pub fn completions(shell: Shell) -> u8 {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "cockpit", &mut bytes);
    write(&bytes)
}

/// Prints the manual page: commands from the command line's own table, keys from the action table.
pub fn man() -> u8 {
    let mut bytes = Vec::new();
    let page = clap_mangen::Man::new(Args::command());
    if let Err(e) = page.render(&mut bytes) {
        return fail(exit::INTERNAL, e);
    }
    bytes.extend_from_slice(b".SH KEYS\n");
    for action in ACTIONS {
        let keys = match action.keys {
            [] => format!(": {}", action.id),
            keys => keys.join(" "),
        };
        let place = match action.scope {
            Scope::Global => String::new(),
            scope => format!(" ({})", scope.word()),
        };
        let text = format!(
            ".TP\n\\fB{}\\fR\n{}{place}: {}\n",
            roff(&keys),
            roff(action.verb),
            roff(action.help)
        );
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes.extend_from_slice(
        b".SH \"EXIT STATUS\"\n0 pass or open, 1 fail or closed, 2 undecided or unknown, 3 not run; 64 wrong words, 69 not \
reachable, 70 the program's own fault, 78 cockpit.toml.\n",
    );
    write(&bytes)
}

fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    // A dot or quote at a line's beginning would be a request.
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}

fn write(bytes: &[u8]) -> u8 {
    // A reader that went away wants no more.
    let _ = std::io::stdout().lock().write_all(bytes);
    exit::PASS
}
