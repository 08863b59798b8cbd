//! Kept state changes: what a deployment, a flag or an incident was, and from when on.

use super::error::{StoreError, named};
use super::{Instant, Store, at_most, time_text};

/// The largest state, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// The longest source or key, in bytes.
const MAX_TEXT: usize = 4096;

/// From `at` on, the thing named `key` at `source` was as `body` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// Where it was read.
    pub source: String,
    /// Which thing.
    pub key: String,
    /// Since when, in UTC.
    pub at: Instant,
    /// Its state, in the caller's form; at most 1 MiB.
    pub body: Vec<u8>,
}

impl Store {
    /// Keeps states; one that equals the state just before it is no change and is left out. Returns how many were kept.
    ///
    /// # Errors
    /// As every write; all or nothing.
    pub async fn put_states(&self, changes: &[StateChange]) -> Result<usize, StoreError> {
        for change in changes {
            at_most("A kept state", change.body.len(), MAX_BODY)?;
            at_most(
                "A kept state's key",
                change.key.len().max(change.source.len()),
                MAX_TEXT,
            )?;
        }
        let mut tx = self.begin("keeping states").await?;
        let mut kept = 0;
        for change in changes {
            let done = sqlx::query(
                "INSERT INTO state_change (source, key, at, body) SELECT ?1, ?2, ?3, ?4 \
                 WHERE ?4 IS NOT (SELECT body FROM state_change WHERE source = ?1 AND key = ?2 AND at <= ?3 \
                 ORDER BY at DESC LIMIT 1) ON CONFLICT DO UPDATE SET body = excluded.body",
            )
            .bind(&change.source)
            .bind(&change.key)
            .bind(time_text(change.at))
            .bind(&change.body)
            .execute(tx.conn())
            .await
            .map_err(|e| tx.failed(e))?;
            kept += usize::try_from(done.rows_affected()).unwrap_or(0);
        }
        if kept == 0 {
            tx.rollback().await?;
        } else {
            tx.commit().await?;
        }
        Ok(kept)
    }

    /// The changes after `after` until `until` at a source, of one thing or of all, oldest first.
    ///
    /// # Errors
    /// As every read.
    pub async fn states(
        &self,
        source: &str,
        key: Option<&str>,
        after: Instant,
        until: Instant,
    ) -> Result<Vec<StateChange>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT source, key, at, body FROM state_change WHERE source = ?1 AND (?2 IS NULL OR key = ?2) \
             AND at > ?3 AND at <= ?4 ORDER BY at, key",
        )
        .bind(source)
        .bind(key)
        .bind(time_text(after))
        .bind(time_text(until))
        .fetch_all(self.readers())
        .await
        .map_err(|e| named(self.file(), "reading states", e))?;
        rows.into_iter().map(|row| self.state(row)).collect()
    }

    /// What everything at a source was at one moment, by key: the newest change of each at or before it.
    ///
    /// # Errors
    /// As every read.
    pub async fn states_at(
        &self,
        source: &str,
        at: Instant,
    ) -> Result<Vec<StateChange>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT source, key, at, body FROM state_change AS s WHERE source = ?1 AND at = (SELECT max(at) \
             FROM state_change WHERE source = s.source AND key = s.key AND at <= ?2) ORDER BY key",
        )
        .bind(source)
        .bind(time_text(at))
        .fetch_all(self.readers())
        .await
        .map_err(|e| named(self.file(), "reading states", e))?;
        rows.into_iter().map(|row| self.state(row)).collect()
    }

    /// Drops changes before `before`, but keeps each thing's newest one: it still tells what the thing is. Returns how
    /// many were dropped.
    ///
    /// # Errors
    /// As every write.
    pub async fn prune_states(&self, before: Instant) -> Result<u64, StoreError> {
        let mut tx = self.begin("pruning states").await?;
        let done = sqlx::query(
            "DELETE FROM state_change WHERE at < ?1 AND EXISTS (SELECT 1 FROM state_change AS later \
             WHERE later.source = state_change.source AND later.key = state_change.key \
             AND later.at > state_change.at AND later.at <= ?1)",
        )
        .bind(time_text(before))
        .execute(tx.conn())
        .await
        .map_err(|e| tx.failed(e))?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    fn state(&self, (source, key, at, body): Row) -> Result<StateChange, StoreError> {
        Ok(StateChange {
            source,
            key,
            at: self.time("state_change", &at)?,
            body,
        })
    }
}

type Row = (String, String, String, Vec<u8>);
