//! Windows permit, freezes forbid: the rules, and what they say at an instant.
//!
//! [`RuleBook`] is data; [`Compiled`] is its index over a horizon; [`Timeline`] is the part that concerns one [`Target`] and answers
//! [`Timeline::state_at`], [`Timeline::next_change`], [`Timeline::fit`] and [`Timeline::strip`].

mod compiled;
pub mod event;
mod glob;
mod memo;
pub mod state;
mod strip;
mod timeline;
mod words;

pub use self::compiled::{Compiled, RuleProblem};
pub use self::glob::glob_matches;
pub use self::state::{Fit, Hold, HoldKind, NextChange, Standing, WindowState};
pub use self::strip::{Segment, SegmentKind};
pub use self::timeline::{Opening, Timeline, WindowAt};
pub use self::words::{ending_words, until_words};

use super::recur::Schedule;
use super::time::Instant;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a rule concerns: globs per key. A key that is not given (empty) concerns all; all given keys must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// Globs over service names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// Globs over environment names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// Globs over region names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// Globs over team names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
}

/// What is asked about. A key left out asks about all: it matches every rule, so that no freeze is overlooked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Target {
    /// The service's name.
    pub service: Option<String>,
    /// The environment's name.
    pub environment: Option<String>,
    /// The region's name.
    pub region: Option<String>,
    /// The owning team's name.
    pub team: Option<String>,
    /// Kinds of the change ("security", "hotfix"): what a freeze's `except` may exempt.
    pub kinds: Vec<String>,
}

impl Scope {
    /// Whether the rule concerns this target.
    #[must_use]
    pub fn covers(&self, target: &Target) -> bool {
        let key = |globs: &[String], name: Option<&str>| {
            globs.is_empty()
                || name.is_none_or(|name| globs.iter().any(|glob| glob_matches(glob, name)))
        };
        key(&self.services, target.service.as_deref())
            && key(&self.environments, target.environment.as_deref())
            && key(&self.regions, target.region.as_deref())
            && key(&self.teams, target.team.as_deref())
    }
}

/// Where a rule comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Source {
    /// A table of cockpit.toml.
    #[default]
    Config,
    /// An event of a calendar, by a mapping rule.
    Calendar {
        /// The calendar's connection.
        calendar: String,
        /// The event's UID.
        uid: String,
    },
}

/// When deploying is permitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// Its name, shown wherever it decides.
    pub name: String,
    /// What it concerns.
    #[serde(default)]
    pub scope: Scope,
    /// When.
    pub schedule: Schedule,
    /// The zone its local times are read in.
    #[schemars(with = "String")]
    pub timezone: Tz,
    /// Where it comes from.
    #[serde(default)]
    pub source: Source,
    /// Who answers for it.
    #[serde(default)]
    pub owner: Option<String>,
}

/// How strongly a freeze forbids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    /// One of the allowed roles may override it.
    #[default]
    Soft,
    /// An override needs a second person.
    Hard,
}

/// Whether a rollback may cross a freeze.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RollbackUnder {
    /// It passes, and the freeze it crossed is journaled.
    #[default]
    Allowed,
    /// It needs an override.
    Override,
}

/// When deploying is forbidden. It beats every window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Freeze {
    /// Its name, shown wherever it decides.
    pub name: String,
    /// What it concerns.
    #[serde(default)]
    pub scope: Scope,
    /// When.
    pub schedule: Schedule,
    /// The zone its local times are read in.
    #[schemars(with = "String")]
    pub timezone: Tz,
    /// Soft or hard.
    #[serde(default)]
    pub strength: Strength,
    /// Roles that may override it.
    #[serde(default)]
    pub override_by: Vec<String>,
    /// Kinds of change it does not hold for, such as "security".
    #[serde(default)]
    pub except: Vec<String>,
    /// Whether a rollback passes.
    #[serde(default)]
    pub rollback: RollbackUnder,
    /// Where it comes from.
    #[serde(default)]
    pub source: Source,
    /// Who answers for it.
    #[serde(default)]
    pub owner: Option<String>,
}

/// Whether a configured calendar can be relied on now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CalendarHealth {
    /// The connection's name.
    pub name: String,
    /// Whether it was ever read whole.
    pub read: bool,
    /// Whether that reading is too old.
    pub stale: bool,
    /// Since when it is unread or stale.
    #[serde(default)]
    pub since: Option<Instant>,
    /// What its mapping rules concern; empty means everything.
    #[serde(default)]
    pub scopes: Vec<Scope>,
}

impl CalendarHealth {
    /// Read, and fresh.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.read && !self.stale
    }

    /// Whether its events could concern the target.
    #[must_use]
    pub fn concerns(&self, target: &Target) -> bool {
        self.scopes.is_empty() || self.scopes.iter().any(|scope| scope.covers(target))
    }
}

/// All rules of a policy and its calendars.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleBook {
    /// When deploying is permitted.
    pub windows: Vec<Window>,
    /// When it is not.
    pub freezes: Vec<Freeze>,
}

#[cfg(test)]
mod tests;
