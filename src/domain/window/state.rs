//! What the rules say at an instant, as data that reads as sentences.

use super::words::{ending_words, until_words};
use super::{RollbackUnder, Strength};
use crate::domain::time::Instant;
use chrono::Duration;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of rule holds.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum HoldKind {
    /// A freeze forbids.
    Freeze,
    /// A window permits (in Open) or is not open now (in Closed).
    Window,
    /// A calendar cannot be relied on.
    Calendar,
}

/// One rule that decides at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hold {
    /// The rule's name.
    pub rule: String,
    /// Its kind.
    pub kind: HoldKind,
    /// Since when it holds without a break; `None` where that lies before all that is known.
    pub from: Option<Instant>,
    /// First instant at which it no longer holds: the freeze's end, the window's end (Open) or next opening (Closed). `None` where none is
    /// known.
    pub until: Option<Instant>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// For a freeze: how strongly it forbids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<Strength>,
    /// For a freeze: roles that may override it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub override_by: Vec<String>,
    /// For a freeze: whether a rollback passes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RollbackUnder>,
    /// For an exempted freeze: the kind of change it does not hold for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exempt: Option<String>,
}

/// When the state next changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "when", rename_all = "kebab-case")]
pub enum NextChange {
    /// At this instant, the first with another state.
    At {
        /// The instant.
        at: Instant,
    },
    /// Frozen, and no end of the freeze is known.
    NoKnownEnd,
    /// Not before this instant, the end of what was looked at.
    NotBefore {
        /// The horizon's end.
        at: Instant,
    },
    /// When these calendars have been read.
    WhenRead {
        /// Their connections.
        calendars: Vec<String>,
    },
}

impl NextChange {
    /// The instant, where one is known.
    #[must_use]
    pub fn at(&self) -> Option<Instant> {
        match self {
            Self::At { at } => Some(*at),
            _ => None,
        }
    }
}

/// Whether a start is permitted by windows and freezes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum WindowState {
    /// Permitted.
    Open {
        /// The earlier of the windows' end and the next freeze; `None` where none is known within the horizon.
        until: Option<Instant>,
        /// The active windows; empty where no window is in scope at all.
        by: Vec<Hold>,
    },
    /// Forbidden: by freezes, or because every window in scope is closed.
    Closed {
        /// The next opening; `None` where none is known.
        until: Option<Instant>,
        /// The active freezes, else the windows, soonest opening first.
        holds: Vec<Hold>,
    },
    /// Not to be known: acts as closed.
    Unknown {
        /// The calendars that are unread or stale; empty where the instant lies outside the horizon.
        calendars: Vec<String>,
        /// Those calendars, and the freezes that hold whatever they say.
        holds: Vec<Hold>,
    },
}

impl WindowState {
    /// The state's word: "open", "closed", "unknown".
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Closed { .. } => "closed",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// Whether starting is permitted. Unknown is not.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// The rules behind it.
    #[must_use]
    pub fn holds(&self) -> &[Hold] {
        match self {
            Self::Open { by, .. } => by,
            Self::Closed { holds, .. } | Self::Unknown { holds, .. } => holds,
        }
    }

    /// Whether a freeze is among them.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        !self.is_open()
            && self
                .holds()
                .iter()
                .any(|hold| hold.kind == HoldKind::Freeze)
    }
}

/// The answer at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// The instant asked about.
    pub at: Instant,
    /// What holds then.
    #[serde(flatten)]
    pub state: WindowState,
    /// When that changes.
    pub next_change: NextChange,
    /// Freezes that are active but do not hold for this kind of change: said on screen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exempted: Vec<Hold>,
}

impl Standing {
    /// Every reason as a sentence, with owner and the local and UTC time of its end; exemptions last.
    #[must_use]
    pub fn reasons(&self, zone: Tz) -> Vec<String> {
        let mut sentences: Vec<String> = self
            .state
            .holds()
            .iter()
            .map(|hold| self.hold_sentence(hold, zone))
            .collect();
        match &self.state {
            WindowState::Open { by, .. } if by.is_empty() => {
                sentences.push("open: no window is in scope".into())
            }
            WindowState::Unknown { calendars, .. } if calendars.is_empty() => {
                sentences.push(
                    "unknown: this time lies outside what the calendar was computed for".into(),
                );
            }
            _ => {}
        }
        sentences.extend(self.exempted.iter().map(|hold| {
            let kind = hold.exempt.as_deref().unwrap_or("this kind of");
            format!("{} does not hold for {kind} changes", with_owner(hold))
        }));
        sentences
    }

    /// The first reason with the state's word, in one sentence.
    #[must_use]
    pub fn sentence(&self, zone: Tz) -> String {
        self.reasons(zone)
            .into_iter()
            .next()
            .unwrap_or_else(|| self.state.word().into())
    }

    fn hold_sentence(&self, hold: &Hold, zone: Tz) -> String {
        let who = with_owner(hold);
        match (hold.kind, &self.state) {
            (HoldKind::Freeze, _) => format!("frozen by {who} {}", ending_words(hold.until, zone)),
            (HoldKind::Window, WindowState::Open { until, .. }) => match until {
                Some(until) => format!("open by {who} until {}", until_words(*until, zone)),
                None => format!("open by {who}, no end known"),
            },
            (HoldKind::Window, _) => match hold.until {
                Some(opens) => format!(
                    "closed: outside {who}, which opens {}",
                    until_words(opens, zone)
                ),
                None => format!("closed: outside {who}, no further opening known"),
            },
            (HoldKind::Calendar, _) => match hold.from {
                Some(since) => format!(
                    "unknown: calendar {} is stale since {}",
                    hold.rule,
                    until_words(since, zone)
                ),
                None => format!("unknown: calendar {} was never read", hold.rule),
            },
        }
    }
}

fn with_owner(hold: &Hold) -> String {
    hold.owner.as_ref().map_or_else(
        || hold.rule.clone(),
        |owner| format!("{} ({owner})", hold.rule),
    )
}

/// Whether something that takes a while can start at an instant and end inside the permission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "fit", rename_all = "kebab-case")]
pub enum Fit {
    /// It fits; nothing closes before `needed_s` are over.
    Fits {
        /// Seconds it needs.
        needed_s: i64,
        /// Seconds until it closes; `None` where no end is known.
        left_s: Option<i64>,
    },
    /// It closes too early.
    TooShort {
        /// Seconds it needs.
        needed_s: i64,
        /// Seconds until it closes.
        left_s: i64,
    },
    /// It is not open at all.
    NotOpen,
    /// It cannot be known.
    Unknown,
}

impl Fit {
    /// Whether a start is permitted by it. Unknown is not.
    #[must_use]
    pub fn fits(&self) -> bool {
        matches!(self, Self::Fits { .. })
    }

    /// One sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Fits {
                needed_s,
                left_s: Some(left),
            } => {
                format!(
                    "Closes in {}; this release needs {}.",
                    minutes(*left),
                    minutes_up(*needed_s)
                )
            }
            Self::Fits {
                needed_s,
                left_s: None,
            } => format!(
                "No closing is known; this release needs {}.",
                minutes_up(*needed_s)
            ),
            Self::TooShort { needed_s, left_s } => {
                format!(
                    "Closes in {}; this release needs {}.",
                    minutes(*left_s),
                    minutes_up(*needed_s)
                )
            }
            Self::NotOpen => "Not open now.".into(),
            Self::Unknown => "Whether it fits is unknown: a calendar is unread or stale.".into(),
        }
    }
}

/// Whole minutes rounded down (what is left is never overstated): "12 min", "3 h 05 min".
fn minutes(seconds: i64) -> String {
    let duration = Duration::try_seconds(seconds).unwrap_or(Duration::MAX);
    let minutes = duration.num_minutes();
    match minutes {
        i64::MIN..1 => "less than 1 min".into(),
        1..120 => format!("{minutes} min"),
        120..2_880 => format!("{} h {:02} min", minutes / 60, minutes % 60),
        _ => format!("{} d {} h", minutes / 1_440, minutes / 60 % 24),
    }
}

/// Whole minutes rounded up: what is needed is never understated.
fn minutes_up(seconds: i64) -> String {
    minutes(seconds.saturating_add(59))
}
