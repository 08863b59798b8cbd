//! The last answer of each need, for the first frame after a start.

use std::time::Duration;

use super::error::{StoreError, named, shown_path};
use super::{Instant, Store, at_most, time_text};

/// The largest cached answer, in bytes.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// The longest key, in bytes.
const MAX_TEXT: usize = 4096;

/// The last answer of one need, with what tells its age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    /// Which need.
    pub key: String,
    /// When it was read, in UTC.
    pub read_at: Instant,
    /// The newest data in it, in UTC; `None` when it had none.
    pub newest: Option<Instant>,
    /// Its cadence, kept to the millisecond.
    pub cadence: Duration,
    /// The answer, in the caller's form; at most 16 MiB.
    pub body: Vec<u8>,
}

impl Store {
    /// Keeps answers; one that was read before the kept one does not replace it.
    ///
    /// # Errors
    /// As every write; all or nothing.
    pub async fn put_cache(&self, entries: &[CacheEntry]) -> Result<(), StoreError> {
        for entry in entries {
            at_most("A cached answer", entry.body.len(), MAX_BODY)?;
            at_most("A cached answer's key", entry.key.len(), MAX_TEXT)?;
        }
        if entries.is_empty() {
            return self.must_be_writable();
        }
        let mut tx = self.begin("caching").await?;
        for entry in entries {
            sqlx::query(
                "INSERT INTO cache (key, read_at, newest, cadence, body) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT DO UPDATE SET read_at = excluded.read_at, newest = excluded.newest, \
                 cadence = excluded.cadence, body = excluded.body WHERE excluded.read_at >= cache.read_at",
            )
            .bind(&entry.key)
            .bind(time_text(entry.read_at))
            .bind(entry.newest.map(time_text))
            .bind(i64::try_from(entry.cadence.as_millis()).unwrap_or(i64::MAX))
            .bind(&entry.body)
            .execute(tx.conn())
            .await
            .map_err(|e| tx.failed(e))?;
        }
        tx.commit().await
    }

    /// All kept answers, by key.
    ///
    /// # Errors
    /// As every read; [`StoreError::Damaged`] for an entry that this store did not write.
    pub async fn cache(&self) -> Result<Vec<CacheEntry>, StoreError> {
        type Row = (String, String, Option<String>, i64, Vec<u8>);
        let rows: Vec<Row> =
            sqlx::query_as("SELECT key, read_at, newest, cadence, body FROM cache ORDER BY key")
                .fetch_all(self.readers())
                .await
                .map_err(|e| named(self.file(), "reading the cache", e))?;
        let entry = |(key, read_at, newest, cadence, body): Row| {
            let cadence = u64::try_from(cadence).map_err(|_| StoreError::Damaged {
                path: shown_path(self.file()),
                why: "table cache holds a negative cadence".into(),
            })?;
            Ok(CacheEntry {
                key,
                read_at: self.time("cache", &read_at)?,
                newest: newest.map(|at| self.time("cache", &at)).transpose()?,
                cadence: Duration::from_millis(cadence),
                body,
            })
        };
        rows.into_iter().map(entry).collect()
    }

    /// Drops answers that were read before `before`; returns how many.
    ///
    /// # Errors
    /// As every write.
    pub async fn prune_cache(&self, before: Instant) -> Result<u64, StoreError> {
        let mut tx = self.begin("pruning the cache").await?;
        let done = sqlx::query("DELETE FROM cache WHERE read_at < ?1")
            .bind(time_text(before))
            .execute(tx.conn())
            .await
            .map_err(|e| tx.failed(e))?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }
}
