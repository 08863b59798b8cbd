//! Reading the journal.

use std::fmt;
use std::str::FromStr;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::append::NewEvent;
use super::error::{StoreError, named, shown, shown_path};
use super::{Hash, Store, parse_time};

/// How many events are read in one go; between two pages other work has its turn.
pub(super) const PAGE: i64 = 512;

/// Every column of an event, in the order of the hash.
pub(super) const BY_KEY: &str = "SELECT seq, at, actor, known_by, host, release, kind, version, unique_key, body, prev_hash, hash FROM event WHERE unique_key = ?1";
const SINCE: &str = "SELECT seq, at, actor, known_by, host, release, kind, version, unique_key, body, prev_hash, hash FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2";

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its number: 1 for the first, without gaps.
    pub seq: u64,
    /// What was appended, byte for byte.
    pub event: NewEvent,
    /// The hash of the event before it; [`Hash::ZERO`] for the first.
    pub prev_hash: Hash,
    /// Its own hash.
    pub hash: Hash,
}

/// Where the journal ends. Its hash names everything before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last event's number; 0 when there is none.
    pub seq: u64,
    /// The last event's hash; [`Hash::ZERO`] when there is none.
    pub hash: Hash,
}

impl Head {
    /// The head of a journal without events.
    pub const EMPTY: Head = Head {
        seq: 0,
        hash: Hash::ZERO,
    };
}

impl fmt::Display for Head {
    /// `42:0123456789abcdef`: what briefs and handoffs print, and what [`HeadMark`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash.short())
    }
}

/// A head that somebody wrote down: an event's number and the first digits (12 to 64) of its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadMark {
    pub(super) seq: u64,
    pub(super) digits: String,
}

impl HeadMark {
    /// Whether this is that event's hash.
    pub(super) fn names(&self, hash: &Hash) -> bool {
        hash.to_string().starts_with(&self.digits)
    }
}

impl From<Head> for HeadMark {
    fn from(head: Head) -> Self {
        HeadMark {
            seq: head.seq,
            digits: head.hash.to_string(),
        }
    }
}

impl FromStr for HeadMark {
    type Err = String;

    /// Reads `SEQ:DIGITS`, as printed in a brief.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || {
            format!(
                "{} is no journal head; write it as printed in a brief, for example 42:0123456789abcdef",
                shown(text)
            )
        };
        let (seq, digits) = text.trim().split_once(':').ok_or_else(bad)?;
        let digits = digits.to_ascii_lowercase();
        let right =
            (12..=64).contains(&digits.len()) && digits.bytes().all(|d| d.is_ascii_hexdigit());
        match seq.parse() {
            Ok(seq) if right => Ok(HeadMark { seq, digits }),
            _ => Err(bad()),
        }
    }
}

impl Store {
    /// Where the journal ends.
    ///
    /// # Errors
    /// As every read: the database is locked, damaged or gone.
    pub async fn head(&self) -> Result<Head, StoreError> {
        let fail = |e| named(self.file(), "reading the head", e);
        let mut connection = self.readers().acquire().await.map_err(fail)?;
        head(&mut connection)
            .await
            .map_err(fail)?
            .map_err(|why| self.bad_row(0, why))
    }

    /// All events after number `seq` (0 for all), oldest first. Hashes are not checked here: [`Store::verify`] does.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] for an event that somebody edited into nonsense, and as every read.
    pub async fn events_since(&self, seq: u64) -> Result<Vec<StoredEvent>, StoreError> {
        let mut events = Vec::new();
        let mut after = seq;
        loop {
            let page = self.events_page(after).await?;
            let Some(last) = page.last() else {
                return Ok(events);
            };
            after = last.seq;
            events.extend(page);
        }
    }

    /// At most 512 events after number `seq`, oldest first; empty at the end. For journals that should not be in memory
    /// at once.
    ///
    /// # Errors
    /// As [`Store::events_since`].
    pub async fn events_page(&self, seq: u64) -> Result<Vec<StoredEvent>, StoreError> {
        let fail = |e| named(self.file(), "reading events", e);
        let rows = sqlx::query(SINCE)
            .bind(i64::try_from(seq).unwrap_or(i64::MAX))
            .bind(PAGE)
            .fetch_all(self.readers())
            .await
            .map_err(fail)?;
        rows.iter().map(|row| self.event(row)).collect()
    }

    /// The event that was appended under this unique key, if there is one.
    ///
    /// # Errors
    /// As [`Store::events_since`].
    pub async fn event_by_key(&self, key: &str) -> Result<Option<StoredEvent>, StoreError> {
        let fail = |e| named(self.file(), "reading an event", e);
        let row = sqlx::query(BY_KEY)
            .bind(key)
            .fetch_optional(self.readers())
            .await
            .map_err(fail)?;
        row.map(|row| self.event(&row)).transpose()
    }

    /// Reads a row of one of the statements above.
    pub(super) fn event(&self, row: &SqliteRow) -> Result<StoredEvent, StoreError> {
        let seq = row
            .try_get::<i64, _>("seq")
            .ok()
            .and_then(|s| u64::try_from(s).ok())
            .unwrap_or(0);
        stored(row, seq).map_err(|why| self.bad_row(seq, why))
    }

    fn bad_row(&self, seq: u64, why: String) -> StoreError {
        StoreError::BadRow {
            path: shown_path(self.file()),
            seq,
            why: shown(&why),
        }
    }
}

/// The head as this connection sees it, also inside a transaction. The inner error says why the last row is none.
pub(super) async fn head(
    connection: &mut SqliteConnection,
) -> Result<Result<Head, String>, sqlx::Error> {
    let row: Option<(i64, String)> =
        sqlx::query_as("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1")
            .fetch_optional(connection)
            .await?;
    Ok(match row {
        None => Ok(Head::EMPTY),
        Some((seq, hash)) => hash.parse().and_then(|hash| {
            let seq = u64::try_from(seq).map_err(|e| e.to_string())?;
            Ok(Head { seq, hash })
        }),
    })
}

fn stored(row: &SqliteRow, seq: u64) -> Result<StoredEvent, String> {
    let text = |name: &str| row.try_get::<String, _>(name).map_err(|e| e.to_string());
    let maybe = |name: &str| {
        row.try_get::<Option<String>, _>(name)
            .map_err(|e| e.to_string())
    };
    let version = row
        .try_get::<i64, _>("version")
        .map_err(|e| e.to_string())?;
    Ok(StoredEvent {
        seq,
        event: NewEvent {
            at: parse_time(&text("at")?).ok_or("its time is no time of ours")?,
            actor: text("actor")?,
            known_by: text("known_by")?,
            host: text("host")?,
            release: maybe("release")?,
            kind: text("kind")?,
            version: u32::try_from(version).map_err(|_| "its version is no version")?,
            unique_key: maybe("unique_key")?,
            body: row.try_get("body").map_err(|e| e.to_string())?,
        },
        prev_hash: text("prev_hash")?.parse()?,
        hash: text("hash")?.parse()?,
    })
}
