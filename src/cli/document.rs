//! `cockpit brief|handoff|review|notes`: the documents as Markdown.

use sha2::{Digest, Sha256};

use crate::documents::{self, Kind};
use crate::runtime::load;

use super::args::{Args, BriefArgs, DocumentArgs, ReviewArgs};
use super::session::{self, Session};
use super::{acts, exit, fail, out};

/// Prints a document.
pub fn document(args: &Args, kind: Kind, wanted: &DocumentArgs) -> u8 {
    session::look(args, |mut session| async move {
        match write(&mut session, kind, &wanted.release, wanted.patience.wait).await {
            Ok(text) => {
                out::put(&text);
                session.engine.close().await;
                exit::PASS
            }
            Err(code) => code,
        }
    })
}

/// Prints the brief, and sends it where that is wanted.
pub fn brief(args: &Args, wanted: &BriefArgs) -> u8 {
    session::look(args, |mut session| async move {
        let wait = wanted.patience.wait;
        match write(&mut session, Kind::Brief, &wanted.release, wait).await {
            Err(code) => code,
            Ok(text) => {
                out::put(&text);
                if !wanted.send {
                    session.engine.close().await;
                    return exit::PASS;
                }
                let inputs = Vec::new();
                acts::wish(session, "brief", inputs, wanted.dry_run).await
            }
        }
    })
}

/// Prints the review, and records what it found where that is wanted.
pub fn review(args: &Args, wanted: &ReviewArgs) -> u8 {
    session::look(args, |mut session| async move {
        let wait = wanted.patience.wait;
        let text = match write(&mut session, Kind::Review, &wanted.release, wait).await {
            Ok(text) => text,
            Err(code) => return code,
        };
        out::put(&text);
        if !wanted.record {
            session.engine.close().await;
            return exit::PASS;
        }
        let digest: String = Sha256::digest(text.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let given = [
            ("found", wanted.found.clone()),
            ("reviewer", wanted.by.clone()),
            ("document", Some(digest)),
        ];
        let inputs = given
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
        acts::wish(session, "review", inputs, wanted.dry_run).await
    })
}

async fn write(
    session: &mut Session,
    kind: Kind,
    release: &str,
    wait: std::time::Duration,
) -> Result<String, u8> {
    let engine = &mut session.engine;
    engine
        .focus(release)
        .await
        .map_err(|why| fail(exit::USAGE, why))?;
    let s = engine.look_for(&mut session.inbox, wait, |_| true).await;
    let own = load::template(kind.name()).map_err(|why| fail(exit::CONFIG, why))?;
    documents::render(kind, &s, &engine.policy(), own.as_deref())
        .map_err(|why| fail(exit::CONFIG, why))
}
