//! What can go wrong with the store, each as a sentence for the person who has to act.

use std::io;
use std::path::Path;

/// Everything the store refuses or fails at. The text says what happened, where, and what to do.
///
/// Texts that came out of the database or the file system are escaped and cut, so that an error can be shown as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The data directory cannot be used: not a folder, not creatable, a path that is not text.
    #[error("The data directory {path} cannot be used: {why}. Give another one with --data-dir.")]
    Folder {
        /// The data directory.
        path: String,
        /// The reason, in words.
        why: String,
    },
    /// The data directory lies on a network file system, where SQLite's locks and shared memory cannot be relied on.
    #[error(
        "The data directory {path} is on a network file system ({kind}), where the journal could be damaged. Give a local one with --data-dir; several machines share a journal through PostgreSQL."
    )]
    NetworkFileSystem {
        /// The data directory.
        path: String,
        /// The file system's type as the kernel names it.
        kind: String,
    },
    /// Opened for reading, but there is no journal yet.
    #[error(
        "There is no journal at {path} yet. It is made by the first run that is not read-only."
    )]
    NoJournal {
        /// The database file that was looked for.
        path: String,
    },
    /// The file is there, but it is no journal of this program; it was left as it was.
    #[error(
        "{path} is not a journal of cockpit ({why}); it was not touched. Move it away, or give another --data-dir."
    )]
    NotOurs {
        /// The database file.
        path: String,
        /// How that was seen.
        why: String,
    },
    /// The database is damaged; nothing was written to it.
    #[error(
        "The journal {path} is damaged ({why}); nothing was written to it. Keep the file, move it aside, and put the newest backup in its place (see docs/journal.md), or go on with another --data-dir."
    )]
    Damaged {
        /// The database file.
        path: String,
        /// SQLite's own words, or ours.
        why: String,
    },
    /// The file was moved or replaced while this process had it open: what is written would be lost.
    #[error(
        "The journal {path} was moved, deleted or replaced while it was in use. Put it back or restart cockpit; nothing more is written until then."
    )]
    Gone {
        /// The database file.
        path: String,
    },
    /// A newer version of the program made this journal.
    #[error(
        "The journal {path} was written by a newer cockpit (schema {found}, this one knows {known}); it was not touched. Update cockpit, or give another --data-dir."
    )]
    NewerSchema {
        /// The database file.
        path: String,
        /// The schema version found.
        found: i64,
        /// The newest schema version this program knows.
        known: i64,
    },
    /// The schema is not what the recorded version says.
    #[error(
        "The journal {path} does not have the tables of its version ({why}); nothing was written to it. Somebody changed them by hand: put the newest backup in its place, or give another --data-dir."
    )]
    SchemaChanged {
        /// The database file.
        path: String,
        /// What differs.
        why: String,
    },
    /// No space (or quota) left.
    #[error(
        "No space is left for the journal {path} ({doing} failed). Free some space on that disk; until then nothing can be journaled."
    )]
    DiskFull {
        /// The database file.
        path: String,
        /// What was being done.
        doing: &'static str,
    },
    /// The file, its folder or its file system does not allow writing.
    #[error(
        "The journal {path} cannot be written ({why}). Give this user write access to the file and its folder, or another --data-dir."
    )]
    ReadOnly {
        /// The database file.
        path: String,
        /// The reason, in words.
        why: String,
    },
    /// A write was asked of a store that was opened for reading.
    #[error(
        "The journal {path} is open for reading only. Start cockpit without --read-only to act."
    )]
    OpenedReadOnly {
        /// The database file.
        path: String,
    },
    /// Another process kept the database for longer than the busy timeout.
    #[error(
        "The journal {path} is held by another process ({doing} waited {waited_s} s). Close the program that holds it (a backup, a database browser, a second cockpit that hangs) and try again."
    )]
    Locked {
        /// The database file.
        path: String,
        /// What was being done.
        doing: &'static str,
        /// How long it was waited for, in seconds.
        waited_s: u64,
    },
    /// The journal went on since the caller looked: judge again before writing.
    #[error(
        "The journal went on while this was decided (event {found}, {expected} was expected); look again before acting."
    )]
    HeadMoved {
        /// The head the caller had folded.
        expected: u64,
        /// The head that was found.
        found: u64,
    },
    /// The lease that the append depends on is not held (any more).
    #[error("This process does not hold the lease {name} ({now_with}); nothing was written.")]
    LeaseLost {
        /// The lease's name.
        name: String,
        /// Who has it, in words.
        now_with: String,
    },
    /// The unique key belongs to an event of another kind.
    #[error("The key {key} already names event {seq} of kind {kind}; nothing was written.")]
    KeyTaken {
        /// The key.
        key: String,
        /// The kind of the event that has it.
        kind: String,
        /// The event that has it.
        seq: u64,
    },
    /// Something is larger than the store keeps.
    #[error(
        "{what} is too large for the journal ({bytes} bytes, at most {limit}); nothing was written."
    )]
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// Its size in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The target of a backup exists already.
    #[error("{path} exists already and is not overwritten. Choose another name for the backup.")]
    Exists {
        /// The backup's target.
        path: String,
    },
    /// A row cannot be read as what it should be: somebody edited the database.
    #[error(
        "Event {seq} of the journal {path} cannot be read ({why}). `cockpit journal verify` names the first broken link."
    )]
    BadRow {
        /// The database file.
        path: String,
        /// The event's number.
        seq: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The file system failed in another way.
    #[error("{doing} failed at {path}: {source}.")]
    Io {
        /// The file.
        path: String,
        /// What was being done.
        doing: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// SQLite failed in another way.
    #[error("The journal {path} could not be used ({doing}: {source}).")]
    Database {
        /// The database file.
        path: String,
        /// What was being done.
        doing: &'static str,
        /// SQLite's error.
        source: Box<sqlx::Error>,
    },
}

/// A text from outside, made fit to be shown in one line: control, format and bidi characters escaped, cut at 200 characters.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == 200 {
            out.push('…');
            break;
        }
        match c {
            '\'' | '"' | '\\' => out.push(c),
            c => out.extend(c.escape_debug()),
        }
    }
    out
}

/// A path as it may be shown.
pub(super) fn shown_path(path: &Path) -> String {
    shown(&path.to_string_lossy())
}

/// How long SQLite waits for another process before it gives up, in seconds.
pub(super) const BUSY_SECONDS: u64 = 5;

/// SQLite's extended result code for "the shared memory beside the WAL could not be grown".
const IOERR_SHMSIZE: i64 = 19 << 8 | 10;

/// Names a database error by its result code (<https://www.sqlite.org/rescode.html>).
pub(super) fn named(path: &Path, doing: &'static str, error: sqlx::Error) -> StoreError {
    let place = shown_path(path);
    let (code, why) = match &error {
        sqlx::Error::Database(db) => {
            let code = db.code().and_then(|c| c.parse::<i64>().ok()).unwrap_or(1);
            (code, shown(db.message()))
        }
        // Raised by SQLite's driver when the text in a column is no text: only an edited file does that.
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => {
            let why = shown(&error.to_string());
            return StoreError::SchemaChanged { path: place, why };
        }
        _ => (1, String::new()),
    };
    match code & 0xff {
        5 | 6 => StoreError::Locked {
            path: place,
            doing,
            waited_s: BUSY_SECONDS,
        },
        13 => StoreError::DiskFull { path: place, doing },
        8 | 3 | 23 => StoreError::ReadOnly { path: place, why },
        10 if code == IOERR_SHMSIZE || no_space_beside(path) => {
            StoreError::DiskFull { path: place, doing }
        }
        11 => StoreError::Damaged { path: place, why },
        1 if why.starts_with("no such") => StoreError::SchemaChanged { path: place, why },
        // A column that this program does not know and that wants a value.
        19 if why.starts_with("NOT NULL") => StoreError::SchemaChanged { path: place, why },
        26 => StoreError::NotOurs { path: place, why },
        14 => StoreError::ReadOnly {
            path: place,
            why: cannot_open(path, why),
        },
        _ => StoreError::Database {
            path: place,
            doing,
            source: Box::new(error),
        },
    }
}

/// Names a file system error.
pub(super) fn named_io(path: &Path, doing: &'static str, error: io::Error) -> StoreError {
    let place = shown_path(path);
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StoreError::DiskFull { path: place, doing }
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::ReadOnly {
                path: place,
                why: shown(&error.to_string()),
            }
        }
        _ => StoreError::Io {
            path: place,
            doing,
            source: error,
        },
    }
}

/// A quota is an I/O error to SQLite, so the disk itself is asked.
fn no_space_beside(path: &Path) -> bool {
    matches!(
        super::probe::space_beside(path),
        Err(StoreError::DiskFull { .. })
    )
}

/// SQLite says only "unable to open"; a full disk is one of the reasons (it could not make the files beside the database).
fn cannot_open(path: &Path, why: String) -> String {
    match super::probe::space_beside(path) {
        Ok(()) => why,
        Err(error) => error.to_string(),
    }
}
