//! Opening, making and migrating the database.

use std::borrow::Cow;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{ConnectOptions, SqlSafeStr};
use tokio::sync::Mutex;

use super::connection::{close, options};
use super::error::{StoreError, named, named_io, shown, shown_path};
use super::{Inner, Store, place};

/// The newest schema this program knows; the highest number in [`migrations`].
const NEWEST: i64 = 1;

/// Each table with the columns this program reads and writes; more columns do no harm.
const TABLES: [&str; 7] = [
    "SELECT seq, at, actor, known_by, host, release, kind, version, unique_key, body, prev_hash, hash FROM event LIMIT 0",
    "SELECT name, holder, acquired, renewed, expires FROM lease LIMIT 0",
    "SELECT id, metric, service, grp, part FROM series LIMIT 0",
    "SELECT series, bucket, value FROM sample LIMIT 0",
    "SELECT source, key, at, body FROM state_change LIMIT 0",
    "SELECT key, read_at, newest, cadence, body FROM cache LIMIT 0",
    "SELECT id, count, filler FROM probe LIMIT 0",
];

/// How to open a store.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Open for reading: nothing is made, migrated or written, and every write is refused.
    pub read_only: bool,
}

/// All schema steps in order. A step that was ever released is never edited: its hash is recorded in the database.
pub(super) fn migrations() -> Migrator {
    let first = include_str!("migrations/0001_first.sql");
    Migrator::with_migrations(vec![Migration::new(
        NEWEST,
        Cow::Borrowed("first"),
        MigrationType::Simple,
        first.into_sql_str(),
        false,
    )])
}

impl Store {
    /// Opens the journal in `data_dir`; unless read-only, the directory (mode 0700) and the file (mode 0600) are made
    /// when absent and brought to this program's schema.
    ///
    /// # Errors
    /// Every way in which the place or the file can be wrong is its own [`StoreError`]; a file that is damaged, newer,
    /// or not ours is never written to.
    pub async fn open(data_dir: &Path, how: OpenOptions) -> Result<Store, StoreError> {
        let dir = data_dir.to_path_buf();
        let dir = off_thread(data_dir, move || place::directory(&dir, how.read_only)).await?;
        let file = dir.join(place::FILE_NAME);
        if how.read_only {
            open_to_read(&file).await
        } else {
            open_to_write(&dir, &file).await
        }
    }
}

async fn open_to_write(dir: &Path, file: &Path) -> Result<Store, StoreError> {
    let in_dir = dir.to_path_buf();
    let turn = off_thread(dir, move || place::lock(&in_dir)).await?;
    if !place::look(file)? {
        make(dir, file).await?;
    }
    place::keep_private(file)?;
    let mut writer = connect(file, &options(file)).await?;
    check(file, &mut writer, false).await?;
    drop(turn);
    let readers = pool(options(file).pragma("query_only", "ON"), file)?;
    store(file, false, Some(writer), readers)
}

/// Opens the database at `file` without writing anything, whatever its name.
pub(super) async fn open_to_read(file: &Path) -> Result<Store, StoreError> {
    if !place::look(file)? {
        return Err(StoreError::NoJournal {
            path: shown_path(file),
        });
    }
    let mut how = options(file).read_only(true);
    let mut reader = match connect(file, &how).await {
        Ok(reader) => reader,
        // A folder that cannot be written has no room for the log's index. With no log there is nothing to miss; what
        // somebody else writes afterwards is seen by the next start only.
        Err(StoreError::ReadOnly { .. }) if no_log(file) => {
            how = how.immutable(true);
            connect(file, &how).await?
        }
        Err(error) => return Err(error),
    };
    check(file, &mut reader, true).await?;
    close(file, reader).await?;
    store(file, true, None, pool(how, file)?)
}

fn no_log(file: &Path) -> bool {
    fs::metadata(place::beside(file, "-wal")).map_or(true, |m| m.len() == 0)
}

fn store(
    file: &Path,
    read_only: bool,
    writer: Option<SqliteConnection>,
    readers: sqlx::SqlitePool,
) -> Result<Store, StoreError> {
    let identity = place::identity(file).map_err(|e| named_io(file, "opening", e))?;
    let inner = Inner {
        file: file.to_path_buf(),
        identity,
        read_only,
        writer: Mutex::new(writer),
        readers,
    };
    Ok(Store {
        inner: Arc::new(inner),
    })
}

fn pool(how: SqliteConnectOptions, file: &Path) -> Result<sqlx::SqlitePool, StoreError> {
    let pool = SqlitePoolOptions::new()
        .max_connections(3)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(how);
    // A lazy pool opens nothing yet; what it will open was just opened once.
    tracing::debug!(file = %shown_path(file), "journal opened");
    Ok(pool)
}

/// Connects and touches the file, since SQLite opens it only at the first read.
async fn connect(file: &Path, how: &SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    let fail = |e| named(file, "opening", e);
    let mut connection = how.connect().await.map_err(fail)?;
    sqlx::query("SELECT count(*) FROM sqlite_schema")
        .execute(&mut connection)
        .await
        .map_err(fail)?;
    Ok(connection)
}

/// Makes a whole database under another name and renames it: a half-made journal is never seen under its name.
async fn make(dir: &Path, file: &Path) -> Result<(), StoreError> {
    let draft = place::beside(file, ".new");
    let fail = |e| named_io(file, "making the journal", e);
    for suffix in ["", "-wal", "-shm", "-journal"] {
        match fs::remove_file(place::beside(&draft, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error)),
            _ => {}
        }
    }
    let mut new = fs::OpenOptions::new();
    place::private(new.write(true).create_new(true))
        .open(&draft)
        .map_err(fail)?;
    let how = options(&draft)
        .pragma("application_id", place::APPLICATION_ID.to_string())
        .journal_mode(SqliteJournalMode::Wal);
    // Named by the real file: the person looks for that one.
    let mut connection = how
        .connect()
        .await
        .map_err(|e| named(file, "making the journal", e))?;
    migrate(file, &mut connection).await?;
    close(file, connection).await?;
    fs::File::open(&draft)
        .and_then(|f| f.sync_all())
        .map_err(fail)?;
    fs::rename(&draft, file).map_err(fail)?;
    place::sync_directory(dir)
}

/// Looks at schema and soundness, and migrates an older schema. Nothing is written before all that was looked at is good.
async fn check(
    file: &Path,
    connection: &mut SqliteConnection,
    read_only: bool,
) -> Result<(), StoreError> {
    let fail = |e| named(file, "checking", e);
    let path = || shown_path(file);
    let found: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(&mut *connection)
        .await
        .map_err(fail)?;
    let found = found.unwrap_or(0);
    if found > NEWEST {
        return Err(StoreError::NewerSchema {
            path: path(),
            found,
            known: NEWEST,
        });
    }
    // The journal and its indexes alone: observations may be large, and what is wrong with them shows when they are read.
    let sound: String = sqlx::query_scalar("PRAGMA quick_check('event')")
        .fetch_one(&mut *connection)
        .await
        .map_err(fail)?;
    if sound != "ok" {
        return Err(StoreError::Damaged {
            path: path(),
            why: shown(&sound),
        });
    }
    if read_only {
        if found < NEWEST {
            let why = format!(
                "schema {found} is older than {NEWEST}; the first run that is not read-only brings it up"
            );
            return Err(StoreError::SchemaChanged { path: path(), why });
        }
    } else {
        write_ahead(file, connection).await?;
        migrate(file, connection).await?;
    }
    for table in TABLES {
        sqlx::query(table)
            .execute(&mut *connection)
            .await
            .map_err(fail)?;
    }
    Ok(())
}

/// A database that came through another tool may have lost its write-ahead mode.
async fn write_ahead(file: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let fail = |e| named(file, "opening", e);
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut *connection)
        .await
        .map_err(fail)?;
    if mode != "wal" {
        sqlx::query("PRAGMA journal_mode = WAL")
            .execute(&mut *connection)
            .await
            .map_err(fail)?;
    }
    Ok(())
}

async fn migrate(file: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let differs = |why: String| StoreError::SchemaChanged {
        path: shown_path(file),
        why: shown(&why),
    };
    match migrations().run(connection).await {
        Ok(()) => Ok(()),
        Err(MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _)) => {
            Err(named(file, "bringing the schema up", e))
        }
        Err(error) => Err(differs(error.to_string())),
    }
}

/// File system calls may hang (a dying disk), so they run beside the loop.
async fn off_thread<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(named_io(path, "opening", std::io::Error::other(error))),
    }
}
