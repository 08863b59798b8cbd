//! `[[window]]`, `[[freeze]]` and `[[calendar]]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::{ClockTime, Length, Texts, When, Zone};
use crate::domain::recur::moment::Day;
use crate::domain::window::event::Becomes;
use crate::domain::window::{RollbackUnder, Strength};

/// Writes a rule's struct: name, scope, when it applies, then its own keys.
macro_rules! rule {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $key:ident: $ty:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        #[schemars(extend("required" = ["name"]))]
        pub struct $name {
            /// Its name, shown wherever it decides.
            pub name: String,
            /// Globs over services; all where left out.
            pub services: Vec<String>,
            /// Globs over environments; all where left out.
            pub environments: Vec<String>,
            /// Globs over regions (the services' target `region`); all where left out.
            pub regions: Vec<String>,
            /// Globs over teams; all where left out.
            pub teams: Vec<String>,
            /// Zone of its local times; the file's where left out.
            pub timezone: Option<Zone>,
            /// One-off or first start: a day or a time.
            pub start: Option<When>,
            /// First moment after it: a day or a time.
            pub end: Option<When>,
            /// Weekly: days on which it starts.
            pub days: Option<Vec<Day>>,
            /// Weekly: start on the wall clock.
            pub from: Option<ClockTime>,
            /// Weekly: end on the wall clock, of the next day where it is not after `from`.
            pub to: Option<ClockTime>,
            /// Weekly: first day on which it may start.
            pub since: Option<When>,
            /// Weekly: last day on which it may start.
            pub through: Option<When>,
            /// RFC 5545 recurrence, beside `start` and `end` or `duration`.
            pub rrule: Option<Texts>,
            /// Starts that do not occur.
            pub exdate: Vec<When>,
            /// Further starts.
            pub rdate: Vec<When>,
            /// Cron pattern (minute hour day month weekday), beside `duration`.
            pub cron: Option<String>,
            /// Elapsed length of each occurrence.
            pub duration: Option<Length>,
            /// Who answers for it.
            pub owner: Option<String>,
            $($(#[$doc])* pub $key: $ty,)*
        }

        impl $name {
            /// What decides when it applies.
            pub fn times(&self) -> Times<'_> {
                Times {
                    start: self.start,
                    end: self.end,
                    days: self.days.as_deref(),
                    from: self.from,
                    to: self.to,
                    since: self.since,
                    through: self.through,
                    rrule: self.rrule.as_ref(),
                    exdate: &self.exdate,
                    rdate: &self.rdate,
                    cron: self.cron.as_deref(),
                    duration: self.duration,
                }
            }
        }
    };
}

/// The keys that say when a rule applies; their meaning stands at the rule.
#[derive(Clone, Copy, Debug)]
pub struct Times<'a> {
    /// One-off or first start.
    pub start: Option<When>,
    /// First moment after it.
    pub end: Option<When>,
    /// Days on which a weekly rule starts.
    pub days: Option<&'a [Day]>,
    /// A weekly rule's start.
    pub from: Option<ClockTime>,
    /// A weekly rule's end.
    pub to: Option<ClockTime>,
    /// A weekly rule's first day.
    pub since: Option<When>,
    /// A weekly rule's last day.
    pub through: Option<When>,
    /// Recurrence rules.
    pub rrule: Option<&'a Texts>,
    /// Starts that do not occur.
    pub exdate: &'a [When],
    /// Further starts.
    pub rdate: &'a [When],
    /// Cron pattern.
    pub cron: Option<&'a str>,
    /// Elapsed length of each occurrence.
    pub duration: Option<Length>,
}

rule! {
    /// When deploying is permitted.
    Window {}
}

rule! {
    /// When deploying is not permitted.
    Freeze {
        /// hard needs a second person for an override.
        strength: Strength,
        /// Roles that may override it.
        override_by: Vec<String>,
        /// Purposes of a release it does not hold for: hotfix, security.
        except: Vec<Exempt>,
        /// May a rollback cross it: allowed, or only by override.
        rollback: RollbackUnder,
    }
}

/// A purpose that a freeze may exempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Exempt {
    /// A repair.
    Hotfix,
    /// A security repair.
    Security,
}

impl Exempt {
    /// The word that the rule carries.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hotfix => "hotfix",
            Self::Security => "security",
        }
    }
}

/// A calendar, and what its entries become.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["connection", "rules"]))]
pub struct Calendar {
    /// Name on the screen; the connection's where left out.
    pub name: Option<String>,
    /// Connection that reads it.
    pub connection: String,
    /// Which of the connection's reads, where it has several that yield entries.
    pub read: Option<String>,
    /// Which entry becomes what; the first match counts.
    pub rules: Vec<Rule>,
}

/// A mapping rule: all given keys must match.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["becomes"]))]
pub struct Rule {
    /// Glob over the title, upper and lower case alike.
    pub summary: Option<String>,
    /// Glob over the categories or labels, upper and lower case alike.
    pub category: Option<String>,
    /// Glob over the vendor's word for its state, upper and lower case alike.
    pub status: Option<String>,
    /// Glob over the project, board, repository or calendar it is filed under, upper and lower case alike.
    pub project: Option<String>,
    /// What a matching entry becomes.
    pub becomes: Option<Becomes>,
    /// Globs over services; all where left out.
    pub services: Vec<String>,
    /// Globs over environments; all where left out.
    pub environments: Vec<String>,
    /// Globs over regions; all where left out.
    pub regions: Vec<String>,
    /// Globs over teams; all where left out.
    pub teams: Vec<String>,
    /// For a freeze: soft or hard.
    pub strength: Strength,
    /// For a freeze: roles that may override it.
    pub override_by: Vec<String>,
    /// For a freeze: purposes it does not hold for.
    pub except: Vec<Exempt>,
    /// For a freeze: may a rollback cross it?
    pub rollback: RollbackUnder,
    /// Who answers for it.
    pub owner: Option<String>,
}
