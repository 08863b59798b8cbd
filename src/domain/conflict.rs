//! Plans that are in each other's way, and what of a release was due (SEMANTICS 3), as data that every face shows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::situation::Mark;
use super::time::Instant;

/// What a conflict is about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictKind {
    /// The same service in two releases that overlap.
    SameService,
    /// A service and one it depends on are released in the same span, or the latter in the first half hour after.
    Dependency,
    /// A release goes before another that it builds on.
    Order,
    /// Two releases in an environment that takes one at a time.
    Lock,
    /// A release meets a freeze.
    Freeze,
    /// It starts outside every window.
    Window,
    /// It starts inside a window and does not fit.
    Fit,
    /// Nobody is on call for a part of it.
    Cover,
    /// Its watch runs into a freeze, or into days off without cover.
    Watch,
    /// A deadline passed, or will pass, with open work.
    Deadline,
    /// One person drives two releases at a time.
    Driver,
}

impl ConflictKind {
    /// Its words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::SameService => "same service",
            Self::Dependency => "dependency",
            Self::Order => "order",
            Self::Lock => "environment lock",
            Self::Freeze => "freeze",
            Self::Window => "window",
            Self::Fit => "fit",
            Self::Cover => "cover",
            Self::Watch => "watch",
            Self::Deadline => "deadline",
            Self::Driver => "driver",
        }
    }
}

/// What stands on one side of a conflict.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum PartyKind {
    /// A release, by its id.
    Release,
    /// A freeze, by its name.
    Freeze,
    /// A window, by its name.
    Window,
    /// The on-call schedule.
    Cover,
    /// Saturday and Sunday.
    Weekend,
    /// A day off found in a calendar, by its title.
    Holiday,
    /// A deadline of a release, by its name.
    Deadline,
}

impl PartyKind {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Freeze => "freeze",
            Self::Window => "window",
            Self::Cover => "cover",
            Self::Weekend => "weekend",
            Self::Holiday => "holiday",
            Self::Deadline => "deadline",
        }
    }
}

/// One side of a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Party {
    /// What it is.
    pub kind: PartyKind,
    /// Its id or name.
    pub name: String,
    /// Whom to talk to: a release's driver, a rule's owner, the release manager for cover.
    #[serde(default)]
    pub owner: Option<String>,
}

impl Party {
    /// One side.
    pub fn new(kind: PartyKind, name: impl Into<String>, owner: Option<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            owner,
        }
    }

    /// `freeze quarter end (finance)`.
    #[must_use]
    pub fn words(&self) -> String {
        let name = match self.kind {
            // These have no name of their own.
            PartyKind::Cover | PartyKind::Weekend if self.name.is_empty() => {
                self.kind.word().to_owned()
            }
            kind => format!("{} {}", kind.word(), self.name),
        };
        match &self.owner {
            Some(owner) => format!("{name} ({owner})"),
            None => name,
        }
    }
}

/// Two things in each other's way, and the way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conflict {
    /// Stable while the conflict lasts, such as `same-service/a/b/checkout`.
    pub id: String,
    /// What it is about.
    pub kind: ConflictKind,
    /// A release that is open.
    pub one: Party,
    /// What it meets.
    pub other: Party,
    /// First instant of it.
    pub from: Instant,
    /// First instant after it; `None` where no end is known.
    pub until: Option<Instant>,
    /// What is wrong, naming both.
    pub sentence: String,
    /// What to do.
    pub way_out: String,
}

impl Conflict {
    /// Whether the release is one of the two.
    #[must_use]
    pub fn concerns(&self, release: &str) -> bool {
        [&self.one, &self.other]
            .iter()
            .any(|p| p.kind == PartyKind::Release && p.name == release)
    }
}

impl std::fmt::Display for Conflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.sentence, self.way_out)
    }
}

/// Which deadline of a release.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineKind {
    /// No commit after it.
    CodeFreeze,
    /// Tests are done.
    Testing,
    /// It is live.
    Deploy,
}

impl DeadlineKind {
    /// Its words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::CodeFreeze => "code freeze",
            Self::Testing => "testing done",
            Self::Deploy => "deploy",
        }
    }
}

/// A deadline of an open release, with what is still open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeadlineView {
    /// The release.
    pub release: String,
    /// Which.
    pub kind: DeadlineKind,
    /// First instant at which it has passed.
    pub at: Instant,
    /// "done", "open", "passed with open work".
    pub mark: Mark,
    /// What is still open, a line each; what could not be read counts as open and says so.
    pub open: Vec<String>,
}
