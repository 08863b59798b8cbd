//! Between the store's bytes and the domain's events.

use crate::domain::event::{Body, Event, VERSION};
use crate::domain::journal::Journal;
use crate::domain::time::Instant;
use crate::store::{NewEvent, StoredEvent};

/// Who an event is attributed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Name.
    pub actor: String,
    /// How known.
    pub known_by: String,
    /// Machine.
    pub host: String,
}

/// An event as the store takes it.
///
/// # Errors
/// A sentence when the body cannot be written as JSON.
pub fn encode(
    body: &Body,
    author: &Author,
    release: Option<&str>,
    at: Instant,
    key: Option<String>,
) -> Result<NewEvent, String> {
    let bytes = serde_json::to_vec(body)
        .map_err(|e| format!("the event {} cannot be written: {e}", body.kind()))?;
    Ok(NewEvent {
        at,
        actor: author.actor.clone(),
        known_by: author.known_by.clone(),
        host: author.host.clone(),
        release: release.map(str::to_owned),
        kind: body.kind().to_owned(),
        version: VERSION,
        body: bytes,
        unique_key: key,
    })
}

/// A stored event decoded.
///
/// # Errors
/// A sentence for an event that this program does not know: the journal is then read-only for it.
pub fn decode(stored: &StoredEvent) -> Result<Event, String> {
    let event = &stored.event;
    if event.version > VERSION {
        return Err(format!(
            "journal event {} is of version {} and this program knows {VERSION}: use a newer cockpit",
            stored.seq, event.version
        ));
    }
    let body: Body = serde_json::from_slice(&event.body).map_err(|e| {
        format!(
            "journal event {} of kind {} is not known to this program ({e}): use a newer cockpit",
            stored.seq, event.kind
        )
    })?;
    Ok(Event {
        seq: stored.seq,
        at: event.at,
        actor: event.actor.clone(),
        known_by: event.known_by.clone(),
        host: event.host.clone(),
        release: event.release.clone(),
        body,
        hash: stored.hash.to_string(),
    })
}

/// Folds stored events in; the first one that is not known makes the journal read-only with its sentence.
pub fn fold(journal: &mut Journal, events: &[StoredEvent]) {
    for stored in events {
        if stored.seq <= journal.head.0 {
            continue;
        }
        match decode(stored) {
            Ok(event) => journal.apply(event),
            Err(why) => {
                journal.unreadable.get_or_insert(why);
                journal.head = (stored.seq, stored.hash.to_string());
            }
        }
    }
}
