//! What is asked of the calendar for a span of time, and what comes back. A month, a lane, a day's evidence, a plan being typed and a
//! what-if are no part of every situation: they are asked for while somebody looks at them.

use std::collections::BTreeMap;

use super::situation::{Evidence, Mark, StripSegment, Tone};
use super::time::{Instant, Span};

/// Whom the calendar is asked about; what is left out asks about the current release's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Team.
    pub team: Option<String>,
    /// Service.
    pub service: Option<String>,
    /// Environment.
    pub environment: Option<String>,
}

impl Scope {
    /// Nothing is left out on purpose.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }
}

/// What is supposed for the moment and saved nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suppose {
    /// A release starts at another time.
    Release {
        /// Its id.
        id: String,
        /// Then.
        at: Instant,
    },
    /// It is another time.
    Now {
        /// Then.
        at: Instant,
    },
}

impl Suppose {
    /// The time supposed.
    #[must_use]
    pub fn at(&self) -> Instant {
        match self {
            Self::Release { at, .. } | Self::Now { at } => *at,
        }
    }
}

/// Whose rules are to be told one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Everything that touches a span, such as a day.
    Span {
        /// From, until.
        span: Span,
        /// What the heading calls it.
        title: String,
    },
    /// Everything that touches a release.
    Release(String),
}

/// A question to the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Counts up; a late answer never takes the place of a newer one.
    pub seq: u64,
    /// From, until.
    pub span: Span,
    /// Whom it is about.
    pub scope: Scope,
    /// What is supposed.
    pub suppose: Option<Suppose>,
    /// Whose rules are told one by one.
    pub about: Option<About>,
    /// A plan being typed, by field.
    pub draft: Option<BTreeMap<String, String>>,
}

/// Where a bar stands on the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// A release, from its start for as long as it needs.
    Release,
    /// Deploying is permitted.
    Window,
    /// Deploying is forbidden.
    Freeze,
    /// A day off.
    Holiday,
    /// A turn on call.
    Cover,
    /// The watch after a release, to T+72 h at the latest.
    Watch,
    /// A date by which something must be done.
    Deadline,
}

impl Lane {
    /// All of them, as they stand below each other.
    pub const ALL: [Self; 7] = [
        Self::Release,
        Self::Deadline,
        Self::Window,
        Self::Freeze,
        Self::Holiday,
        Self::Cover,
        Self::Watch,
    ];

    /// Its heading.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Window => "window",
            Self::Freeze => "FREEZE",
            Self::Holiday => "holiday",
            Self::Cover => "on call",
            Self::Watch => "watch",
            Self::Deadline => "deadline",
        }
    }
}

/// Something that lasts for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// Stable id.
    pub id: String,
    /// Its lane.
    pub lane: Lane,
    /// What it is called.
    pub name: String,
    /// From, until; may reach beyond what was asked for.
    pub span: Span,
    /// Its word: the release's phase, open, FREEZE, level 1, watch.
    pub mark: Mark,
    /// Who answers for it, and whatever else is said of it.
    pub note: String,
    /// Release it belongs to.
    pub release: Option<String>,
    /// It stands where it is only supposed to.
    pub supposed: bool,
}

/// One line about a release at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is about: window, freeze, fit, cover, conflict, watch.
    pub label: String,
    /// The sentence.
    pub text: String,
    /// Its meaning.
    pub tone: Tone,
}

impl Line {
    /// A line.
    pub fn new(label: impl Into<String>, text: impl Into<String>, tone: Tone) -> Self {
        Self {
            label: label.into(),
            text: text.into(),
            tone,
        }
    }
}

/// What would be if what is supposed were so.
#[derive(Clone, Debug, PartialEq)]
pub struct WhatIf {
    /// The release's title, or `now`.
    pub title: String,
    /// Then.
    pub at: Instant,
    /// When it is really planned, or the real time.
    pub was: Option<Instant>,
    /// A start then: permitted, refused, unknown.
    pub mark: Mark,
    /// Window, freezes, fit, cover, conflicts and the watch then.
    pub lines: Vec<Line>,
}

/// A plan being typed, judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drafted {
    /// Field and what is wrong with it.
    pub problems: Vec<(String, String)>,
    /// What the calendar says of it as far as it can be read.
    pub lines: Vec<Line>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct CalendarSpan {
    /// What was asked.
    pub look: Look,
    /// Whom windows and freezes were asked for, in words.
    pub whom: String,
    /// What holds when, without gaps; neighbours under one word are one.
    pub strip: Vec<StripSegment>,
    /// What lasts for a while, by lane, then by start.
    pub bars: Vec<Bar>,
    /// How many more there are in a lane than are told.
    pub more: Vec<(Lane, usize)>,
    /// What is to be known beside it: a scope that is not understood, a calendar that was not read.
    pub notes: Vec<String>,
    /// What would be.
    pub what_if: Option<WhatIf>,
    /// The plan being typed.
    pub draft: Option<Drafted>,
    /// Whose rules were asked for one by one.
    pub evidence: Option<Evidence>,
}

impl CalendarSpan {
    /// The bars of a lane.
    pub fn lane(&self, lane: Lane) -> impl Iterator<Item = &Bar> {
        self.bars.iter().filter(move |b| b.lane == lane)
    }
}
