//! Export as JSON lines, verifying such an export, and backup.

use std::borrow::Cow;
use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sqlx::ConnectOptions;

use super::connection::{close, options};
use super::error::{StoreError, named, named_io, shown_path};
use super::hash::Fields;
use super::journal::{Head, HeadMark, StoredEvent};
use super::verify::{Chain, Verification};
use super::{Store, place, time_text};

/// The longest line of an export that is read: a body of 1 MiB as escaped text, and the rest.
const MAX_LINE: u64 = 16 * 1024 * 1024;

/// What was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// How many events.
    pub count: u64,
    /// The last one.
    pub head: Head,
}

/// One event of an export; its keys stand in the order of the hash.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    seq: u64,
    at: Cow<'a, str>,
    actor: Cow<'a, str>,
    known_by: Cow<'a, str>,
    host: Cow<'a, str>,
    release: Option<Cow<'a, str>>,
    kind: Cow<'a, str>,
    version: u32,
    unique_key: Option<Cow<'a, str>>,
    /// The body, when it is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    /// The body, when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_base64: Option<Cow<'a, str>>,
    prev_hash: Cow<'a, str>,
    hash: Cow<'a, str>,
}

impl<'a> Line<'a> {
    fn of(stored: &'a StoredEvent) -> Self {
        let event = &stored.event;
        let body = std::str::from_utf8(&event.body).ok();
        Line {
            seq: stored.seq,
            at: time_text(event.at).into(),
            actor: event.actor.as_str().into(),
            known_by: event.known_by.as_str().into(),
            host: event.host.as_str().into(),
            release: event.release.as_deref().map(Cow::from),
            kind: event.kind.as_str().into(),
            version: event.version,
            unique_key: event.unique_key.as_deref().map(Cow::from),
            body: body.map(Cow::from),
            body_base64: body.is_none().then(|| STANDARD.encode(&event.body).into()),
            prev_hash: stored.prev_hash.to_string().into(),
            hash: stored.hash.to_string().into(),
        }
    }

    fn follow(&self, chain: &mut Chain<'_>) -> Result<(), Verification> {
        let broken = |why: &str| {
            Err(Verification::Broken {
                seq: self.seq,
                why: why.into(),
            })
        };
        let body = match (&self.body, &self.body_base64) {
            (Some(text), None) => Cow::from(text.as_bytes()),
            (None, Some(code)) => match STANDARD.decode(code.as_bytes()) {
                Ok(bytes) => Cow::from(bytes),
                Err(_) => return broken("its body is not base64"),
            },
            _ => return broken("it has not exactly one body"),
        };
        let fields = Fields {
            seq: self.seq,
            at: self.at.as_bytes(),
            actor: self.actor.as_bytes(),
            known_by: self.known_by.as_bytes(),
            host: self.host.as_bytes(),
            release: self.release.as_deref().map(str::as_bytes),
            kind: self.kind.as_bytes(),
            version: self.version.into(),
            unique_key: self.unique_key.as_deref().map(str::as_bytes),
            body: &body,
            prev_hash: self.prev_hash.as_bytes(),
        };
        chain.follow(&fields, self.hash.as_bytes())
    }
}

impl Store {
    /// Writes every event as one JSON object a line, oldest first. The lines hold all that the hashes cover.
    ///
    /// # Errors
    /// As every read; [`StoreError::Io`] or [`StoreError::DiskFull`] named `to` when the writer fails.
    pub async fn export<W: Write + Send>(
        &self,
        to: &Path,
        mut writer: W,
    ) -> Result<Exported, StoreError> {
        let fail = |e| named_io(to, "exporting the journal", e);
        let mut done = Exported {
            count: 0,
            head: Head::EMPTY,
        };
        loop {
            let page = self.events_page(done.head.seq).await?;
            let Some(last) = page.last() else {
                writer.flush().map_err(fail)?;
                return Ok(done);
            };
            done = Exported {
                count: done.count + u64::try_from(page.len()).unwrap_or(0),
                head: Head {
                    seq: last.seq,
                    hash: last.hash,
                },
            };
            for stored in &page {
                let mut line = serde_json::to_vec(&Line::of(stored)).map_err(|e| fail(e.into()))?;
                line.push(b'\n');
                writer.write_all(&line).map_err(fail)?;
            }
        }
    }

    /// Copies the whole database as it is at one moment into a new file (mode 0600), while others go on writing, and
    /// verifies the copy.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when something is there already; [`StoreError::Damaged`] when the copy does not verify;
    /// as every read, with `to` named where writing it failed. What was written so far is removed.
    pub async fn backup(&self, to: &Path) -> Result<Verification, StoreError> {
        let fail = |e| named_io(to, "making the backup", e);
        let mut new = fs::OpenOptions::new();
        match place::private(new.write(true).create_new(true)).open(to) {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(StoreError::Exists {
                    path: shown_path(to),
                });
            }
            Err(e) => return Err(fail(e)),
        }
        let outcome = self.backup_into(to).await;
        if outcome.is_err() {
            // The first error is the one to tell; a leftover is refused by the next try.
            fs::remove_file(to).ok();
        }
        outcome
    }

    async fn backup_into(&self, to: &Path) -> Result<Verification, StoreError> {
        let target = fs::canonicalize(to).map_err(|e| named_io(to, "making the backup", e))?;
        let Some(text) = target.to_str() else {
            return Err(StoreError::Folder {
                path: shown_path(to),
                why: "its name is not valid UTF-8".into(),
            });
        };
        let mut connection = self.connect_to_copy().await?;
        let copied = sqlx::query("VACUUM INTO ?1")
            .bind(text)
            .execute(&mut connection)
            .await;
        copied.map_err(|e| named(to, "making the backup", e))?;
        close(self.file(), connection).await?;
        // SQLite does not sync what VACUUM INTO writes.
        fs::File::open(&target)
            .and_then(|f| f.sync_all())
            .map_err(|e| named_io(to, "making the backup", e))?;
        if let Some(dir) = target.parent() {
            place::sync_directory(dir)?;
        }
        let copy = super::open::open_to_read(&target).await?;
        let found = copy.verify(&[]).await;
        copy.close().await;
        match found? {
            Verification::Broken { seq, why } => Err(StoreError::Damaged {
                path: shown_path(self.file()),
                why: format!("event {seq}: {why}"),
            }),
            verified => Ok(verified),
        }
    }

    async fn connect_to_copy(&self) -> Result<sqlx::sqlite::SqliteConnection, StoreError> {
        let how = options(self.file()).read_only(self.is_read_only());
        how.connect()
            .await
            .map_err(|e| named(self.file(), "making the backup", e))
    }
}

/// Redoes the hash chain of an export, as [`Store::verify`] does for the journal.
///
/// # Errors
/// The reader's own errors. A line that is no event is [`Verification::Broken`].
pub fn verify_export<R: BufRead>(mut reader: R, marks: &[HeadMark]) -> io::Result<Verification> {
    let mut chain = Chain::new(marks);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader
            .by_ref()
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)?
            == 0
        {
            return Ok(chain.end(Vec::new()));
        }
        let seq = chain.last.seq + 1;
        let event: Line<'_> = match serde_json::from_slice(&line) {
            Ok(event) => event,
            Err(error) => {
                return Ok(Verification::Broken {
                    seq,
                    why: format!("its line is no event: {error}"),
                });
            }
        };
        if let Err(broken) = event.follow(&mut chain) {
            return Ok(broken);
        }
    }
}
