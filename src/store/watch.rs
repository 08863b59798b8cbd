//! Noticing what others wrote.

use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnection;

use super::Store;
use super::connection::options;
use super::error::{StoreError, named, shown_path};
use super::journal::{Head, head};

/// What changed since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The journal's head now.
    pub head: Head,
    /// Whether the journal went on; if not, a lease, an observation or the cache changed.
    pub journal: bool,
}

/// Looks whether any connection, of this process or another, committed something. A look that finds nothing reads
/// shared memory and takes well under a millisecond, so it may be done several times a second.
pub struct Watcher {
    store: Store,
    connection: SqliteConnection,
    version: i64,
    head: Head,
}

impl Store {
    /// A watcher that reports what is committed from now on.
    ///
    /// # Errors
    /// As every read.
    pub async fn watcher(&self) -> Result<Watcher, StoreError> {
        let how = options(self.file())
            .read_only(self.is_read_only())
            .pragma("query_only", "ON");
        let connection = how
            .connect()
            .await
            .map_err(|e| named(self.file(), "watching", e))?;
        let mut watcher = Watcher {
            store: self.clone(),
            connection,
            version: 0,
            head: Head::EMPTY,
        };
        watcher.poll().await?;
        Ok(watcher)
    }
}

impl Watcher {
    /// What was committed since the last look; `None` for nothing.
    ///
    /// # Errors
    /// As every read.
    pub async fn poll(&mut self) -> Result<Option<Changed>, StoreError> {
        let file = self.store.file();
        let fail = |e| named(file, "watching", e);
        // SQLite's counter of commits by other connections than this one.
        let version: i64 = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&mut self.connection)
            .await
            .map_err(fail)?;
        if version == self.version {
            return Ok(None);
        }
        let found = head(&mut self.connection).await.map_err(fail)?;
        let now = found.map_err(|why| StoreError::Damaged {
            path: shown_path(file),
            why,
        })?;
        let journal = now != self.head;
        self.version = version;
        self.head = now;
        Ok(Some(Changed { head: now, journal }))
    }
}
