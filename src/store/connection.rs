//! How connections are set, and the write transaction.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::MutexGuard;

use super::error::{BUSY_SECONDS, StoreError, named, shown_path};
use super::{Store, place};

/// What every connection to the database at `file` is set to.
pub(super) fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(Duration::from_secs(BUSY_SECONDS))
        .foreign_keys(true)
        // A commit is on the disk when it returns; on macOS only the full sync reaches the disk.
        .synchronous(SqliteSynchronous::Full)
        .pragma("fullfsync", "ON")
        .pragma("checkpoint_fullfsync", "ON")
        // The schema of a file that somebody sent may not call anything with an effect.
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .pragma("journal_size_limit", "16777216")
        .disable_statement_logging()
}

/// A write transaction. Dropped without [`WriteTx::commit`], its connection closes and SQLite rolls back.
pub(super) struct WriteTx<'a> {
    file: &'a Path,
    doing: &'static str,
    slot: MutexGuard<'a, Option<SqliteConnection>>,
    connection: SqliteConnection,
}

impl Store {
    /// Waits for this process's turn and for other processes, and opens a write transaction.
    pub(super) async fn begin(&self, doing: &'static str) -> Result<WriteTx<'_>, StoreError> {
        self.must_be_writable()?;
        let file = self.file();
        let mut slot = self.inner.writer.lock().await;
        match place::identity(file) {
            Ok(found) if found == self.inner.identity => {}
            _ => {
                return Err(StoreError::Gone {
                    path: shown_path(file),
                });
            }
        }
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => options(file)
                .connect()
                .await
                .map_err(|e| named(file, doing, e))?,
        };
        // Not sqlx's transaction: after an error that made SQLite roll back by itself its count of open ones is wrong.
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut connection)
            .await
            .map_err(|e| named(file, doing, e))?;
        Ok(WriteTx {
            file,
            doing,
            slot,
            connection,
        })
    }
}

impl WriteTx<'_> {
    /// The connection, inside the transaction.
    pub fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Commits; when this returns `Ok`, what was written is on the disk.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.end("COMMIT").await
    }

    /// Rolls back and keeps the connection for the next one.
    pub async fn rollback(self) -> Result<(), StoreError> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, how: &'static str) -> Result<(), StoreError> {
        let outcome = sqlx::query(how).execute(&mut self.connection).await;
        outcome.map_err(|e| named(self.file, self.doing, e))?;
        let WriteTx {
            mut slot,
            connection,
            ..
        } = self;
        *slot = Some(connection);
        Ok(())
    }

    /// Names an error that happened inside this transaction.
    pub fn failed(&self, error: sqlx::Error) -> StoreError {
        named(self.file, self.doing, error)
    }
}

/// Closes a connection that only looked.
pub(super) async fn close(file: &Path, connection: SqliteConnection) -> Result<(), StoreError> {
    connection
        .close()
        .await
        .map_err(|e| named(file, "closing", e))
}
