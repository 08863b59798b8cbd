//! The format of cockpit.toml as plain structs: keys, shapes, defaults. Nothing is checked here beyond the shape.
//!
//! Every struct refuses unknown keys and has a default for every key; what must be given stands in its schema's `required`.
//! The comments are printed as the reference of the format: a table there is written as in the file, such as [defaults].
#![allow(rustdoc::broken_intra_doc_links)]

pub mod calendar;
pub mod people;
pub mod scalar;
pub mod service;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use calendar::{Calendar, Freeze, Window};
use people::{Approvals, Item, Notify, Oncall, Person, Release, Risk};
use scalar::{Length, Query, Zone};
use service::{Defaults, Service};

use crate::domain::policy::{self, Direction, MetricKind, Unit};

/// A whole cockpit.toml.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "cockpit.toml", extend("required" = ["timezone"]))]
pub struct File {
    /// Title on the screen and in documents; the folder's project by name.
    pub title: Option<String>,
    /// The zone people here live in; local times of this file are read in it.
    pub timezone: Option<Zone>,
    /// Flies the embedded world: reaches nothing but it.
    pub demo: Option<Demo>,
    /// Environments in promotion order.
    pub environments: BTreeMap<String, Environment>,
    /// Connections to vendors, by name.
    pub connections: BTreeMap<String, Connection>,
    /// Metrics, defined once for all services.
    pub metrics: BTreeMap<String, Metric>,
    /// What every service has unless it says otherwise.
    pub defaults: Defaults,
    /// Services.
    pub service: Vec<Service>,
    /// When deploying is permitted.
    pub window: Vec<Window>,
    /// When it is not; beats every window.
    pub freeze: Vec<Freeze>,
    /// Calendars, and what their entries become.
    pub calendar: Vec<Calendar>,
    /// Approval rule by risk class.
    pub approvals: Approvals,
    /// What a release's risk is made of.
    pub risk: Risk,
    /// People by the name used here.
    pub people: BTreeMap<String, Person>,
    /// The checklist: at most 14 items.
    pub checklist: Vec<Item>,
    /// Who is on call and how they are told.
    pub oncall: Oncall,
    /// What is told over channels while a release flies.
    pub notify: Notify,
    /// Planned releases.
    pub release: Vec<Release>,
    /// Numbers of the rules.
    pub limits: Limits,
    /// Key → action, replacing the built-in keys.
    pub keys: BTreeMap<String, String>,
}

/// The embedded world.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Demo {
    /// regression, happy, blackout, freeze or watch.
    pub scenario: String,
}

impl Default for Demo {
    fn default() -> Self {
        Self {
            scenario: "regression".into(),
        }
    }
}

/// An environment.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Environment {
    /// Typed confirmations, approvals, a loud band.
    pub protected: bool,
    /// Takes one release at a time: two that overlap are a conflict.
    pub exclusive: bool,
}

/// A connection: its connector, and that connector's settings beside it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["connector"]))]
pub struct Connection {
    /// Connector id: `cockpit connector list` shows them.
    pub connector: String,
    /// Time between reads, where the connector's own does not suit.
    pub every: Option<Length>,
    /// The connector's settings; a secret only as env:, file: or command:.
    #[serde(flatten)]
    pub settings: BTreeMap<String, Value>,
}

/// A metric.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["connection", "kind"]))]
pub struct Metric {
    /// Title on the screen; its key where left out.
    pub title: Option<String>,
    /// Which connection answers.
    pub connection: String,
    /// What the numbers are.
    pub kind: Option<MetricKind>,
    /// Which way is good.
    pub direction: Direction,
    /// Labels that name the service and tell canary from stable.
    pub by: By,
    /// Values of the group label; without them a canary gate may fail but never pass.
    pub groups: Option<Groups>,
    /// Ratio: the bad (or good) events.
    pub numerator: Option<Query>,
    /// Ratio: all events.
    pub denominator: Option<Query>,
    /// Quantile, gauge, count.
    pub query: Option<Query>,
    /// How values are written; percent for a ratio, seconds for a quantile, else number.
    pub unit: Option<Unit>,
    /// May a series decide a gate?
    pub decides: bool,
    /// Is the noise the same in both groups (one load balancer before both)?
    pub noise: Noise,
    /// Time between reads.
    pub every: Length,
}

impl Default for Metric {
    fn default() -> Self {
        Self {
            title: None,
            connection: String::new(),
            kind: None,
            direction: Direction::LowerIsBetter,
            by: By::default(),
            groups: None,
            numerator: None,
            denominator: None,
            query: None,
            unit: None,
            decides: false,
            noise: Noise::Separate,
            every: Length(15),
        }
    }
}

/// Labels of a metric's series.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct By {
    /// Label that names the service.
    pub service: String,
    /// Label that tells canary from stable.
    pub group: Option<String>,
}

impl Default for By {
    fn default() -> Self {
        Self {
            service: "service".into(),
            group: None,
        }
    }
}

/// Values of the group label.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Groups {
    /// The new version's.
    pub canary: String,
    /// The old version's.
    pub stable: String,
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            canary: "canary".into(),
            stable: "stable".into(),
        }
    }
}

/// Noise in the two groups of a canary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Noise {
    /// Each group has its own.
    #[default]
    Separate,
    /// The same in both.
    Shared,
}

/// Numbers of the rules.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Presence of the deploy team after a deployment.
    pub presence: Length,
    /// Length of a deployment of which nothing is known.
    pub deploy_length: Length,
    /// Shelf life of a manual tick.
    pub manual_shelf_life: Length,
    /// How long an override lasts; at most 24h.
    pub override_lasts: Length,
    /// How long an approval lasts.
    pub approval_lasts: Length,
    /// Countdown of an automatic trigger, in real time.
    pub countdown: Length,
    /// Earliest Pass of a gate after it opens.
    pub gate_min: Length,
    /// When an undecided gate holds.
    pub gate_max: Length,
    /// Length of the watch.
    pub watch: Length,
    /// Length of a significant or high-risk release's watch.
    pub watch_long: Length,
}

impl Default for Limits {
    fn default() -> Self {
        let rule = policy::Limits::default();
        Self {
            presence: Length(rule.presence),
            deploy_length: Length(rule.deploy_length),
            manual_shelf_life: Length(rule.manual_shelf_life),
            override_lasts: Length(rule.override_lasts),
            approval_lasts: Length(rule.approval_lasts),
            countdown: Length(rule.countdown),
            gate_min: Length(rule.gate_min),
            gate_max: Length(rule.gate_max),
            watch: Length(rule.watch),
            watch_long: Length(rule.watch_long),
        }
    }
}
