//! The journal, kept observations and the cache, on SQLite in the data directory.
//!
//! One file, `cockpit.db`, in write-ahead mode with full synchronisation: what [`Store::append`] returned is on the disk. The store
//! keeps (kind, version, bytes) and hashes the stored bytes; it knows nothing of what an event means and asks nobody
//! for the time. Writers take turns (one connection, `BEGIN IMMEDIATE` between processes); readers never wait for them.
//!
//! docs/journal.md tells the format, the hash, and how to verify, export and back up by hand.

mod append;
mod cache;
mod connection;
mod error;
mod export;
mod hash;
mod journal;
mod lease;
mod open;
mod place;
mod probe;
mod samples;
mod state;
mod verify;
mod watch;

pub use append::{Append, Appended, Holding, NewEvent};
pub use cache::CacheEntry;
pub use error::StoreError;
pub use export::{Exported, verify_export};
pub use hash::Hash;
pub use journal::{Head, HeadMark, StoredEvent};
pub use lease::{LAPSE_AFTER, Lease, LeaseTaken, RENEW_EVERY};
pub use open::OpenOptions;
pub use place::FILE_NAME;
pub use probe::RESERVE_BYTES;
pub use samples::{SampleQuery, Samples, Series};
pub use state::StateChange;
pub use verify::Verification;
pub use watch::{Changed, Watcher};

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::Mutex;

use error::{shown, shown_path};

/// The same type as the domain's instant: a point in UTC.
type Instant = DateTime<Utc>;

/// An open journal with what is kept beside it. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    file: PathBuf,
    /// Which file was opened, so that a replaced one is noticed before something is written into nowhere.
    identity: (u64, u64),
    read_only: bool,
    /// Out of its slot while a transaction runs, and put back only after a clean end: a connection that failed or
    /// whose future was dropped half-way is closed (SQLite rolls back) and opened anew.
    writer: Mutex<Option<SqliteConnection>>,
    readers: SqlitePool,
}

impl Store {
    /// The database file.
    pub fn file(&self) -> &Path {
        &self.inner.file
    }

    /// Whether this store was opened for reading only.
    pub fn is_read_only(&self) -> bool {
        self.inner.read_only
    }

    /// Closes all connections, which folds the write-ahead log into the database. Not closing loses nothing.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        if let Some(connection) = self.inner.writer.lock().await.take() {
            // A failed close leaves the log where it is; the next start reads it.
            if let Err(error) = sqlx::Connection::close(connection).await {
                tracing::warn!(%error, "the journal was not closed cleanly; nothing is lost");
            }
        }
    }

    fn must_be_writable(&self) -> Result<(), StoreError> {
        if self.inner.read_only {
            return Err(StoreError::OpenedReadOnly {
                path: shown_path(self.file()),
            });
        }
        Ok(())
    }

    fn readers(&self) -> &SqlitePool {
        &self.inner.readers
    }

    /// Reads a time that this store wrote into `table`.
    fn time(&self, table: &str, text: &str) -> Result<Instant, StoreError> {
        parse_time(text).ok_or_else(|| StoreError::Damaged {
            path: shown_path(self.file()),
            why: format!("table {table} holds {} where a time belongs", shown(text)),
        })
    }
}

/// RFC 3339 in UTC with nine digits of a second: one instant has one spelling, and it sorts as text.
fn time_text(at: Instant) -> String {
    at.to_rfc3339_opts(SecondsFormat::Nanos, true)
}

/// The reverse of [`time_text`]; another spelling of the same instant is none of ours.
fn parse_time(text: &str) -> Option<Instant> {
    let at = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
    (time_text(at) == text).then_some(at)
}

/// Refuses a text or blob that is larger than the store keeps.
fn at_most(what: &'static str, bytes: usize, limit: usize) -> Result<(), StoreError> {
    if bytes > limit {
        return Err(StoreError::TooLarge { what, bytes, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
