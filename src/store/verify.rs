//! Redoing the hash chain.

use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions, Connection, Row};

use super::connection::options;
use super::error::{StoreError, named, shown, shown_path};
use super::hash::Fields;
use super::journal::{Head, HeadMark, PAGE};
use super::{Hash, Store, open, parse_time};

/// What verifying found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Every event is there, follows the one before it, and is as it was written.
    Verified {
        /// How many events.
        count: u64,
        /// The last one. That nothing was cut off after it shows only against a head that somebody wrote down.
        head: Head,
        /// What is no broken link but should be known, in words: a guard that was removed, a column that no hash covers.
        notes: Vec<String>,
    },
    /// The first link that does not hold.
    Broken {
        /// The event's number.
        seq: u64,
        /// What is wrong with it, in words.
        why: String,
    },
}

/// A chain as far as it was followed.
pub(super) struct Chain<'a> {
    pub last: Head,
    marks: &'a [HeadMark],
}

impl<'a> Chain<'a> {
    pub fn new(marks: &'a [HeadMark]) -> Self {
        Chain {
            last: Head::EMPTY,
            marks,
        }
    }

    /// Follows one more event; the error is the broken link.
    pub fn follow(&mut self, fields: &Fields<'_>, claimed: &[u8]) -> Result<(), Verification> {
        let expected = self.last.seq + 1;
        let broken = |seq, why: String| Err(Verification::Broken { seq, why });
        if fields.seq > expected {
            return broken(
                expected,
                format!("it is missing; the next one is event {}", fields.seq),
            );
        }
        if fields.seq < expected {
            return broken(
                fields.seq,
                format!("it stands where event {expected} belongs"),
            );
        }
        if fields.prev_hash != self.last.hash.to_string().as_bytes() {
            return broken(expected, "it does not follow the event before it".into());
        }
        let hash = fields.hash();
        if claimed != hash.to_string().as_bytes() {
            return broken(
                expected,
                "its content is not what was hashed when it was written".into(),
            );
        }
        let at = std::str::from_utf8(fields.at).ok().and_then(parse_time);
        if at.is_none() || u32::try_from(fields.version).is_err() {
            return broken(expected, "its time or version is none of ours".into());
        }
        self.last = Head {
            seq: expected,
            hash,
        };
        match self
            .marks
            .iter()
            .find(|m| m.seq == expected && !m.names(&hash))
        {
            Some(mark) => broken(expected, differs(mark, &hash)),
            None => Ok(()),
        }
    }

    /// The end of the chain; a head that was written down and lies behind it shows a cut tail.
    pub fn end(self, notes: Vec<String>) -> Verification {
        let behind = self
            .marks
            .iter()
            .filter(|m| m.seq > self.last.seq)
            .max_by_key(|m| m.seq);
        if let Some(mark) = behind {
            let seq = self.last.seq + 1;
            let why = format!(
                "it is missing: the journal ends before it, but once went on to event {}",
                mark.seq
            );
            return Verification::Broken { seq, why };
        }
        let zero = self
            .marks
            .iter()
            .find(|m| m.seq == 0 && !m.names(&Hash::ZERO));
        match zero {
            Some(mark) => Verification::Broken {
                seq: 0,
                why: differs(mark, &Hash::ZERO),
            },
            None => Verification::Verified {
                count: self.last.seq,
                head: self.last,
                notes,
            },
        }
    }
}

fn differs(mark: &HeadMark, hash: &Hash) -> String {
    format!(
        "its hash is {}, but {} was written down",
        hash.short(),
        mark.digits
    )
}

impl Store {
    /// Redoes every hash from the first event on, and compares with heads that somebody wrote down (`marks`; a brief or
    /// handoff prints one). The file's own soundness is checked first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when SQLite finds its own structure broken, and as every read. A broken chain is no
    /// error but [`Verification::Broken`].
    pub async fn verify(&self, marks: &[HeadMark]) -> Result<Verification, StoreError> {
        let fail = |e| named(self.file(), "verifying", e);
        let mut connection = self.readers().acquire().await.map_err(fail)?;
        let sound: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(3)")
            .fetch_all(&mut *connection)
            .await
            .map_err(fail)?;
        if sound != ["ok"] {
            return Err(StoreError::Damaged {
                path: shown_path(self.file()),
                why: shown(&sound.join("; ")),
            });
        }
        let notes = self.notes(&mut connection).await?;
        let mut chain = Chain::new(marks);
        // The rowid, not the number: an event with a wrong number must not hide from the loop.
        let mut after = i64::MIN;
        loop {
            // Cast to bytes, so that even text that is none can be hashed and named.
            let rows = sqlx::query(
                "SELECT seq, CAST(at AS BLOB), CAST(actor AS BLOB), CAST(known_by AS BLOB), CAST(host AS BLOB), \
                 CAST(release AS BLOB), CAST(kind AS BLOB), version, CAST(unique_key AS BLOB), CAST(body AS BLOB), \
                 CAST(prev_hash AS BLOB), CAST(hash AS BLOB) FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )
            .bind(after)
            .bind(PAGE)
            .fetch_all(&mut *connection)
            .await
            .map_err(fail)?;
            if rows.is_empty() {
                return Ok(chain.end(notes));
            }
            for row in &rows {
                let bytes = |n: usize| row.try_get::<&[u8], _>(n).map_err(fail);
                let maybe = |n: usize| row.try_get::<Option<&[u8]>, _>(n).map_err(fail);
                after = row.try_get(0).map_err(fail)?;
                let fields = Fields {
                    seq: u64::try_from(after).unwrap_or(0),
                    at: bytes(1)?,
                    actor: bytes(2)?,
                    known_by: bytes(3)?,
                    host: bytes(4)?,
                    release: maybe(5)?,
                    kind: bytes(6)?,
                    version: row.try_get(7).map_err(fail)?,
                    unique_key: maybe(8)?,
                    body: bytes(9)?,
                    prev_hash: bytes(10)?,
                };
                if let Err(broken) = chain.follow(&fields, bytes(11)?) {
                    return Ok(broken);
                }
            }
        }
    }

    /// How the database's tables and guards differ from those this program makes.
    async fn notes(&self, connection: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
        let fail = |e| named(self.file(), "verifying", e);
        // What they should be is asked of a fresh database in memory: there is no second list to keep.
        let mut fresh = options(std::path::Path::new(":memory:"))
            .in_memory(true)
            .connect()
            .await
            .map_err(fail)?;
        let migrated = open::migrations().run(&mut fresh).await;
        migrated.map_err(|e| fail(sqlx::Error::Configuration(Box::new(e))))?;
        let expected = schema(&mut fresh).await.map_err(fail)?;
        fresh.close().await.map_err(fail)?;
        let found = schema(connection).await.map_err(fail)?;
        let lacks = expected
            .iter()
            .filter(|e| !found.iter().any(|f| f.0 == e.0 && f.1 == e.1));
        let mut notes: Vec<String> = lacks
            .map(|e| format!("the {} {} is missing", e.0, e.1))
            .collect();
        for (kind, name, sql) in &found {
            match expected.iter().find(|e| e.0 == *kind && e.1 == *name) {
                None => notes.push(format!(
                    "{} {} was added by somebody else",
                    shown(kind),
                    shown(name)
                )),
                Some(e) if e.2 != *sql => {
                    notes.push(format!("the {kind} {name} was changed; what it holds beyond ours is covered by no hash"));
                }
                Some(_) => {}
            }
        }
        Ok(notes)
    }
}

/// Kind, name and text of every table, trigger, index and view; SQLite's own and the statistics left out.
async fn schema(
    connection: &mut SqliteConnection,
) -> Result<Vec<(String, String, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT type, name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1, 2",
    )
    .fetch_all(connection)
    .await
}
