//! Would a write succeed? Asked before an act, so that a full disk is said before it and not after.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::error::{StoreError, named, named_io};
use super::{Store, place};

/// How many bytes must be free before an act may start: its intent, its outcome, and SQLite's own pages for both.
pub const RESERVE_BYTES: usize = 256 * 1024;

/// Pages of the database that the probe takes and gives back, so that a limit of the database itself shows too.
const FILLER_BYTES: i64 = 64 * 1024;

/// Writes, syncs and deletes a file of [`RESERVE_BYTES`] beside the database.
pub(super) fn space_beside(database: &Path) -> Result<(), StoreError> {
    // One name for all: what a killed process leaves is taken over, and two that probe at once do not disturb each other.
    let probe = database.with_file_name(".cockpit.space");
    let outcome = write_and_sync(&probe).map_err(|e| named_io(database, "reserving space", e));
    match fs::remove_file(&probe) {
        Err(error) if outcome.is_ok() && error.kind() != ErrorKind::NotFound => {
            Err(named_io(database, "reserving space", error))
        }
        _ => outcome,
    }
}

fn write_and_sync(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    let mut file = place::private(&mut options).open(path)?;
    // Not zeros: a file system may store those in no space at all.
    let block: Vec<u8> = (0..4096_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for _ in 0..RESERVE_BYTES / block.len() {
        file.write_all(&block)?;
    }
    file.sync_data()
}

impl Store {
    /// Really tests that an append would succeed now: space for [`RESERVE_BYTES`] is written and freed beside the
    /// database, and a row is rewritten and committed in it.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], [`StoreError::ReadOnly`], [`StoreError::Locked`], [`StoreError::Gone`],
    /// [`StoreError::OpenedReadOnly`] and whatever else would meet the append.
    pub async fn can_write(&self) -> Result<(), StoreError> {
        self.must_be_writable()?;
        let file = self.file().to_path_buf();
        let joined = tokio::task::spawn_blocking(move || space_beside(&file)).await;
        joined
            .map_err(|e| named_io(self.file(), "reserving space", std::io::Error::other(e)))??;
        let fail = |e| named(self.file(), "testing a write", e);
        let mut tx = self.begin("testing a write").await?;
        // Grow and shrink inside one transaction: the pages taken stay in the file as free pages for the next append.
        sqlx::query("UPDATE probe SET filler = randomblob(?1)")
            .bind(FILLER_BYTES)
            .execute(tx.conn())
            .await
            .map_err(fail)?;
        sqlx::query("UPDATE probe SET filler = x'', count = count + 1")
            .execute(tx.conn())
            .await
            .map_err(fail)?;
        tx.commit().await
    }
}
