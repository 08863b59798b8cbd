//! What stands on the calendar between two moments: releases, freezes, windows, watches, days off. The shape; `assess` fills it in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::time::Instant;

/// What an entry is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A planned or actual release.
    Release,
    /// Deploying is forbidden.
    Freeze,
    /// Deploying is permitted.
    Window,
    /// A release is watched.
    Watch,
    /// A day off.
    Holiday,
    /// A day that matters to the business.
    Event,
}

impl Kind {
    /// The word shown, and what begins its UIDs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Freeze => "freeze",
            Self::Window => "window",
            Self::Watch => "watch",
            Self::Holiday => "holiday",
            Self::Event => "event",
        }
    }
}

/// One entry. Texts may come from outside: they are cleaned where they came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// The same for the same entry, whenever and wherever it is asked for. A release and its watch keep theirs when they move.
    pub uid: String,
    /// What it is.
    pub kind: Kind,
    /// A release's id; the others have none.
    pub release: Option<String>,
    /// Its title.
    pub title: String,
    /// First moment.
    pub start: Instant,
    /// First moment after it, the same as `start` where it has no length; `None` where no end is known.
    pub end: Option<Instant>,
    /// It was given up: kept so that whoever copied it takes it away.
    pub cancelled: bool,
    /// Services it is about; empty: all.
    pub services: Vec<String>,
    /// Environments it is about; empty: all.
    pub environments: Vec<String>,
    /// Who answers for it, or drives.
    pub owner: Option<String>,
    /// Where it stands: `cockpit.toml`, `journal` or `calendar NAME`.
    pub source: String,
    /// What else is to be said.
    pub note: String,
}

/// All entries that share time with `[from, to)`, ascending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Agenda {
    /// First moment.
    pub from: Instant,
    /// First moment after it.
    pub to: Instant,
    /// The entries.
    pub entries: Vec<Entry>,
    /// Calendars that were not read, or are stale: their freezes are not here.
    pub unread: Vec<String>,
    /// What was not understood, and what of the calendars is not here; a sentence each.
    pub problems: Vec<String>,
    /// What became of each calendar's entries, with those that no rule matches; a sentence each.
    pub calendars: Vec<String>,
}

impl Agenda {
    /// Is everything here that should be?
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unread.is_empty() && self.problems.is_empty()
    }
}

/// A UID made of what an entry is: the kind's word and a hash.
#[must_use]
pub fn uid(kind: Kind, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let hex: String = digest.iter().take(12).map(|b| format!("{b:02x}")).collect();
    format!("{}-{hex}@cockpit", kind.word())
}
