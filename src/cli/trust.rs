//! `cockpit trust`: what a file reaches, and the grant (law 9).

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use crate::config::trust::{Trust, grant};
use crate::domain::text::clean;
use crate::domain::time::Clock as _;
use crate::runtime::clock::RealClock;
use crate::runtime::load::{Loaded, data_dir};

use super::args::{Args, TrustArgs};
use super::{exit, fail, out, session};

/// Shows and, where it is granted, keeps it.
pub fn trust(args: &Args, wanted: &TrustArgs) -> u8 {
    let loaded = match session::load(args) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    out::put(&shown(&loaded));
    if loaded.subject.demo {
        out::put(
            "This file flies the embedded world: it reaches only ports that the program itself opens, and needs no trust.",
        );
        return exit::PASS;
    }
    if let Some(digest) = &wanted.digest
        && *digest != loaded.subject.digest
    {
        return fail(
            exit::CONFIG,
            "the file does not have that digest: it changed since, or it is another file; nothing is granted",
        );
    }
    if wanted.show {
        return if loaded.trust == Trust::Granted {
            out::put("It is trusted.");
            exit::PASS
        } else {
            out::put(
                "It is not trusted: nothing is run, no secret is looked up and no request leaves this machine.",
            );
            exit::FAIL
        };
    }
    let by_word = wanted.yes || wanted.digest.is_some();
    if loaded.trust == Trust::Granted && !by_word {
        out::put("It is trusted already.");
        return exit::PASS;
    }
    if !by_word {
        match asked() {
            Some(true) => {}
            Some(false) => {
                out::put("Nothing is granted.");
                return exit::FAIL;
            }
            None => {
                return fail(
                    exit::USAGE,
                    format!(
                        "there is no terminal to ask on: look at what the file reaches, then grant it with `cockpit trust --digest {}`",
                        loaded.subject.digest
                    ),
                );
            }
        }
    }
    let dir = data_dir(&args.place(), false);
    match grant(&dir, &loaded.subject, RealClock.now().world) {
        Ok(()) => {
            out::put("Granted.");
            exit::PASS
        }
        Err(e) => fail(exit::UNREACHABLE, e),
    }
}

fn shown(loaded: &Loaded) -> String {
    let subject = &loaded.subject;
    let mut text = format!("{}\n", clean(&subject.path.display().to_string(), 400));
    match &loaded.trust {
        Trust::Changed(changes) => {
            text.push_str("It was trusted and reaches something else now:\n");
            for line in changes {
                text.push_str(&format!("  {}\n", clean(line, 400)));
            }
            text.push_str("All that it reaches:\n");
        }
        _ => text.push_str("It reaches:\n"),
    }
    for line in subject.lines() {
        text.push_str(&format!("  {}\n", clean(&line, 400)));
    }
    text.push_str(&format!("digest {}\n", subject.digest));
    text
}

/// Yes or no from a person; no is the default. `None` where nobody can be asked.
fn asked() -> Option<bool> {
    let (input, mut output) = (std::io::stdin(), std::io::stdout());
    if !input.is_terminal() || !output.is_terminal() {
        return None;
    }
    let _ = write!(output, "Trust this file? [y/N] ");
    let _ = output.flush();
    let mut line = String::new();
    input.lock().read_line(&mut line).ok()?;
    Some(matches!(line.trim(), "y" | "Y" | "yes"))
}
