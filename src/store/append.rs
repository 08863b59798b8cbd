//! Appending to the journal.

use super::connection::WriteTx;
use super::error::{StoreError, shown, shown_path};
use super::hash::Fields;
use super::journal::{BY_KEY, Head, StoredEvent, head};
use super::{Instant, Store, at_most, lease, time_text};

/// The largest body of an event, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// The largest text in any other column, in bytes.
const MAX_TEXT: usize = 4096;

/// An event to append. Texts may hold anything; secrets never arrive here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// When it happened, in UTC; kept to the nanosecond. The order of events is their number, not this.
    pub at: Instant,
    /// Who did it.
    pub actor: String,
    /// How the actor is known: OS user, database role, vendor, by word.
    pub known_by: String,
    /// The machine it was written on.
    pub host: String,
    /// The release it belongs to, if one.
    pub release: Option<String>,
    /// What it is; the caller's vocabulary.
    pub kind: String,
    /// The version of the body's shape.
    pub version: u32,
    /// The body, kept and hashed byte for byte; at most 1 MiB.
    pub body: Vec<u8>,
    /// Appended once only: a second event with this key is not written, and the first is returned instead. This keeps
    /// "once per level and channel", also after a crash.
    pub unique_key: Option<String>,
}

/// Proof of a lease that must hold at the moment of writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The lease's name.
    pub lease: String,
    /// Who must hold it.
    pub holder: String,
    /// The real time now.
    pub now: Instant,
}

/// Events to be written together or not at all, and what must be true for it.
#[derive(Clone, Debug, Default)]
pub struct Append {
    /// The events, in order.
    pub events: Vec<NewEvent>,
    /// The number of the last event that the caller has folded; if the journal went on, nothing is written.
    pub expect_head: Option<u64>,
    /// A lease that the caller must hold; if it lapsed or went to somebody else, nothing is written.
    pub holding: Option<Holding>,
}

impl From<NewEvent> for Append {
    fn from(event: NewEvent) -> Self {
        Append {
            events: vec![event],
            ..Append::default()
        }
    }
}

impl From<Vec<NewEvent>> for Append {
    fn from(events: Vec<NewEvent>) -> Self {
        Append {
            events,
            ..Append::default()
        }
    }
}

/// An event of an append, as it now stands in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The stored event; an earlier one when its unique key was there already.
    pub stored: StoredEvent,
    /// Whether this call wrote it. Whoever gets `false` does not act on it again.
    pub fresh: bool,
}

impl Store {
    /// Appends in one transaction and returns after it is on the disk, in the order given.
    ///
    /// An append whose events are all there already (by their unique keys) is a repetition: it returns them whatever
    /// `expect_head` and `holding` say, and writes nothing.
    ///
    /// # Errors
    /// Nothing was written when this fails with [`StoreError::HeadMoved`], [`StoreError::LeaseLost`],
    /// [`StoreError::KeyTaken`], [`StoreError::TooLarge`], [`StoreError::DiskFull`], [`StoreError::ReadOnly`],
    /// [`StoreError::OpenedReadOnly`], [`StoreError::Locked`] or [`StoreError::Gone`]. After [`StoreError::Io`] or
    /// [`StoreError::Database`] it may have been: look by unique key.
    pub async fn append(&self, append: impl Into<Append>) -> Result<Vec<Appended>, StoreError> {
        let append = append.into();
        self.must_be_writable()?;
        append.events.iter().try_for_each(fits)?;
        if append.events.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.begin("appending").await?;
        let written = self.append_in(&mut tx, append).await?;
        if written.iter().any(|a| a.fresh) {
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
        Ok(written)
    }

    async fn append_in(
        &self,
        tx: &mut WriteTx<'_>,
        append: Append,
    ) -> Result<Vec<Appended>, StoreError> {
        let mut known = Vec::with_capacity(append.events.len());
        for event in &append.events {
            known.push(self.already(tx, event).await?);
        }
        let mut last = head(tx.conn())
            .await
            .map_err(|e| tx.failed(e))?
            .map_err(|why| StoreError::Damaged {
                path: shown_path(self.file()),
                why: format!("its last event cannot be read: {why}"),
            })?;
        if known.iter().any(Option::is_none) {
            if let Some(expected) = append.expect_head.filter(|e| *e != last.seq) {
                return Err(StoreError::HeadMoved {
                    expected,
                    found: last.seq,
                });
            }
            if let Some(holding) = &append.holding {
                lease::must_hold(self, tx, holding).await?;
            }
        }
        let mut out = Vec::with_capacity(known.len());
        for (event, known) in append.events.into_iter().zip(known) {
            // Asked again: the same key may stand twice in one append.
            let known = match known {
                None => self.already(tx, &event).await?,
                known => known,
            };
            out.push(match known {
                Some(stored) => Appended {
                    stored,
                    fresh: false,
                },
                None => {
                    let stored = insert(tx, last, event).await?;
                    last = Head {
                        seq: stored.seq,
                        hash: stored.hash,
                    };
                    Appended {
                        stored,
                        fresh: true,
                    }
                }
            });
        }
        Ok(out)
    }

    /// The event that has this one's unique key.
    async fn already(
        &self,
        tx: &mut WriteTx<'_>,
        event: &NewEvent,
    ) -> Result<Option<StoredEvent>, StoreError> {
        let Some(key) = &event.unique_key else {
            return Ok(None);
        };
        let row = sqlx::query(BY_KEY)
            .bind(key)
            .fetch_optional(tx.conn())
            .await
            .map_err(|e| tx.failed(e))?;
        let Some(row) = row else {
            return Ok(None);
        };
        let stored = self.event(&row)?;
        if stored.event.kind != event.kind {
            return Err(StoreError::KeyTaken {
                key: shown(key),
                kind: shown(&stored.event.kind),
                seq: stored.seq,
            });
        }
        Ok(Some(stored))
    }
}

/// Refuses what is larger than the store keeps.
fn fits(event: &NewEvent) -> Result<(), StoreError> {
    at_most("The event's body", event.body.len(), MAX_BODY)?;
    let texts = [
        ("The event's actor", Some(&event.actor)),
        ("The word for how the actor is known", Some(&event.known_by)),
        ("The host's name", Some(&event.host)),
        ("The release's id", event.release.as_ref()),
        ("The event's kind", Some(&event.kind)),
        ("The event's key", event.unique_key.as_ref()),
    ];
    texts
        .iter()
        .try_for_each(|(what, text)| at_most(what, text.map_or(0, String::len), MAX_TEXT))
}

async fn insert(
    tx: &mut WriteTx<'_>,
    last: Head,
    event: NewEvent,
) -> Result<StoredEvent, StoreError> {
    let seq = last.seq + 1;
    let at = time_text(event.at);
    let prev = last.hash.to_string();
    let hash = Fields {
        seq,
        at: at.as_bytes(),
        actor: event.actor.as_bytes(),
        known_by: event.known_by.as_bytes(),
        host: event.host.as_bytes(),
        release: event.release.as_deref().map(str::as_bytes),
        kind: event.kind.as_bytes(),
        version: event.version.into(),
        unique_key: event.unique_key.as_deref().map(str::as_bytes),
        body: &event.body,
        prev_hash: prev.as_bytes(),
    }
    .hash();
    sqlx::query(
        "INSERT INTO event (seq, at, actor, known_by, host, release, kind, version, unique_key, body, prev_hash, hash) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )
    .bind(i64::try_from(seq).unwrap_or(i64::MAX))
    .bind(at)
    .bind(&event.actor)
    .bind(&event.known_by)
    .bind(&event.host)
    .bind(&event.release)
    .bind(&event.kind)
    .bind(i64::from(event.version))
    .bind(&event.unique_key)
    .bind(&event.body)
    .bind(prev)
    .bind(hash.to_string())
    .execute(tx.conn())
    .await
    .map_err(|e| tx.failed(e))?;
    Ok(StoredEvent {
        seq,
        event,
        prev_hash: last.hash,
        hash,
    })
}
