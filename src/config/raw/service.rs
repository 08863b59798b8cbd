//! `[[service]]` and `[defaults]`: services, their gates and triggers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::{Amount, Argument, Length, Page};
use crate::domain::policy::Then;

/// A service.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name"]))]
pub struct Service {
    /// Its name, as deployments and metrics name it.
    pub name: String,
    /// The team that owns it.
    pub team: Option<String>,
    /// Services it calls.
    pub depends_on: Vec<String>,
    /// Connection that shows and moves its deployments.
    pub deployments: Option<String>,
    /// Connection that lists commits between two versions.
    pub commits: Option<String>,
    /// Connection that shows CI runs for a version.
    pub builds: Option<String>,
    /// Connection of the registry that holds its image.
    pub registry: Option<String>,
    /// Image name in that registry.
    pub image: Option<String>,
    /// Arguments for the connectors: plain values for every environment, a table by name for one.
    pub target: BTreeMap<String, Target>,
    /// Objective by metric, with its unit: "1%", "800ms".
    pub slo: BTreeMap<String, Amount>,
    /// Page for the one who is woken.
    pub runbook: Option<Page>,
    /// Pages to look at.
    pub dashboards: Option<Vec<Page>>,
    /// Path globs whose change is a point of no return.
    pub irreversible: Option<Vec<String>>,
    /// What would deploy the bad version again after a rollback, a line each; empty: nothing would.
    pub fought_by: Option<Vec<String>>,
    /// Gates; those of [defaults] where left out.
    pub gate: Option<Vec<Gate>>,
    /// Triggers; those of [defaults] where left out. The shipped ones stand beside them.
    pub trigger: Option<Vec<Trigger>>,
}

/// A value of a target table, or the table of one environment.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Target {
    /// For every environment.
    Value(Argument),
    /// For the environment of that name.
    Environment(BTreeMap<String, Argument>),
}

/// What every service has unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Defaults {
    /// The team that owns it.
    pub team: Option<String>,
    /// Connection that shows and moves deployments.
    pub deployments: Option<String>,
    /// Connection that lists commits between two versions.
    pub commits: Option<String>,
    /// Connection that shows CI runs for a version.
    pub builds: Option<String>,
    /// Connection of the image registry.
    pub registry: Option<String>,
    /// Image name; `{service}` is the service's name.
    pub image: Option<String>,
    /// Page for the one who is woken; `{service}` is the service's name.
    pub runbook: Option<Page>,
    /// Pages to look at; `{service}` is the service's name.
    pub dashboards: Vec<Page>,
    /// Arguments for the connectors; `{service}` is the service's name.
    pub target: BTreeMap<String, Target>,
    /// Objective by metric, with its unit.
    pub slo: BTreeMap<String, Amount>,
    /// Path globs whose change is a point of no return.
    pub irreversible: Vec<String>,
    /// What would deploy the bad version again after a rollback, a line each; empty: nothing would. `{service}` is the service's name.
    pub fought_by: Option<Vec<String>>,
    /// Gates.
    pub gate: Vec<Gate>,
    /// Triggers.
    pub trigger: Vec<Trigger>,
    /// The two shipped triggers: five times the baseline over 1m for 1m, and a quantile over its SLO for 5m.
    pub shipped_triggers: bool,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            team: None,
            deployments: None,
            commits: None,
            builds: None,
            registry: None,
            image: None,
            runbook: None,
            dashboards: Vec::new(),
            target: BTreeMap::new(),
            slo: BTreeMap::new(),
            irreversible: Vec::new(),
            fought_by: None,
            gate: Vec::new(),
            trigger: Vec::new(),
            shipped_triggers: true,
        }
    }
}

/// A check after a step that must pass to go on.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["metrics"]))]
pub struct Gate {
    /// "step" (after every step) or "40%" (after the step that reaches it).
    pub after: String,
    /// Metrics it looks at; at least one.
    pub metrics: Vec<String>,
    /// Must it pass?
    pub critical: bool,
    /// Largest ratio of new to old that is tolerated.
    pub tolerance: f64,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            after: "step".into(),
            metrics: Vec::new(),
            critical: true,
            tolerance: 1.5,
        }
    }
}

/// An agreed condition that calls for rollback.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["metric"]))]
pub struct Trigger {
    /// The metric.
    pub metric: String,
    /// Bad above: "2x baseline", a value with its unit, or "slo".
    pub above: Option<Amount>,
    /// Bad below: the same.
    pub below: Option<Amount>,
    /// Instead of a limit: burn rates of the objective's budget, such as "14.4 over 1h/5m"; both windows must exceed it.
    pub burn_rate: Option<Vec<String>>,
    /// How far each poll looks back; as long as `for` where left out.
    pub window: Option<Length>,
    /// For how long every poll must be breached; 5m where left out, of a burn rate 0s.
    #[serde(rename = "for")]
    pub hold_for: Option<Length>,
    /// What happens.
    pub then: Then,
}
