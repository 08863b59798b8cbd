//! `cockpit journal verify|export|backup`: for who audits and who keeps copies.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::runtime::load::{self, data_dir};
use crate::store::{
    FILE_NAME, HeadMark, OpenOptions, Store, StoreError, Verification, verify_export,
};

use super::args::{Args, JournalCommand};
use super::{exit, fail, out, session};

/// Does what is asked of the journal.
pub fn journal(args: &Args, what: &JournalCommand) -> u8 {
    match what {
        JournalCommand::Verify {
            heads,
            export,
            json,
        } => {
            let marks: Result<Vec<HeadMark>, String> =
                heads.iter().map(|head| head.parse()).collect();
            match (marks, export) {
                (Err(why), _) => fail(exit::USAGE, why),
                (Ok(marks), Some(file)) => verify_file(file, &marks, *json),
                (Ok(marks), None) => with(args, async |store| match store.verify(&marks).await {
                    Ok(found) => told(&found, *json),
                    Err(e) => failed(&e),
                }),
            }
        }
        JournalCommand::Export { file } => with(args, async |store| match file {
            Some(file) => export(store, file).await,
            None => {
                let to = Path::new("the standard output");
                match store.export(to, std::io::stdout()).await {
                    Ok(_) => exit::PASS,
                    Err(e) => failed(&e),
                }
            }
        }),
        JournalCommand::Backup { file } => {
            with(args, async |store| match store.backup(file).await {
                Ok(found) => {
                    out::complain(&format!("copied to {}", file.display()));
                    told(&found, false)
                }
                Err(e) => failed(&e),
            })
        }
    }
}

async fn export(store: &Store, file: &Path) -> u8 {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = match options.open(file) {
        Ok(opened) => opened,
        Err(e) => {
            return fail(
                exit::UNREACHABLE,
                format!("{} cannot be written: {e}", file.display()),
            );
        }
    };
    match store.export(file, BufWriter::new(&opened)).await {
        Ok(done) => match opened.sync_all() {
            Ok(()) => {
                out::complain(&format!("{} events in {}", done.count, file.display()));
                exit::PASS
            }
            Err(e) => fail(exit::UNREACHABLE, format!("{}: {e}", file.display())),
        },
        Err(e) => failed(&e),
    }
}

/// Opens the journal for reading: an audit changes nothing.
fn with(args: &Args, work: impl AsyncFnOnce(&Store) -> u8) -> u8 {
    let dir = match folder(args) {
        Ok(dir) => dir,
        Err(code) => return code,
    };
    if !dir.join(FILE_NAME).exists() {
        return fail(
            exit::UNREACHABLE,
            format!(
                "there is no journal in {}: name its folder with --data-dir",
                dir.display()
            ),
        );
    }
    let done = session::block_on(async {
        match Store::open(&dir, OpenOptions { read_only: true }).await {
            Ok(store) => {
                let code = work(&store).await;
                store.close().await;
                code
            }
            Err(e) => failed(&e),
        }
    });
    done.unwrap_or_else(|code| code)
}

/// With `--data-dir` the file is not needed, and may be broken.
fn folder(args: &Args) -> Result<PathBuf, u8> {
    let place = args.place();
    if place.data_dir.is_some() {
        return Ok(data_dir(&place, false));
    }
    let loaded = session::load(args)?;
    Ok(load::journal_dir(&place, &loaded.policy))
}

fn verify_file(file: &Path, marks: &[HeadMark], json: bool) -> u8 {
    let found = File::open(file).and_then(|f| verify_export(BufReader::new(f), marks));
    match found {
        Ok(found) => told(&found, json),
        Err(e) => fail(
            exit::UNREACHABLE,
            format!("{} cannot be read: {e}", file.display()),
        ),
    }
}

fn told(found: &Verification, json: bool) -> u8 {
    match found {
        Verification::Verified { count, head, notes } => {
            let mark = format!("{}:{}", head.seq, head.hash);
            if json {
                out::json(
                    &json!({ "verified": true, "count": count, "head": mark, "notes": notes }),
                );
            } else {
                let mut text = format!("verified: {count} events, head {mark}");
                for note in notes {
                    text.push_str(&format!("\nnote: {note}"));
                }
                out::put(&text);
            }
            exit::PASS
        }
        Verification::Broken { seq, why } => {
            if json {
                out::json(&json!({ "verified": false, "seq": seq, "why": why }));
            } else {
                out::put(&format!("broken at event {seq}: {why}"));
            }
            exit::FAIL
        }
    }
}

fn failed(error: &StoreError) -> u8 {
    fail(exit::UNREACHABLE, error)
}
