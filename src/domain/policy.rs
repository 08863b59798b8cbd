//! The policy: what cockpit.toml says, checked. Everything here was validated by `config`; the rules may rely on it.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::act::Verb;
use super::conflict::DeadlineKind;
pub use super::judge::Direction;
use super::record::RecordKind;
use super::recur::moment::Day;
use super::secret::SecretRef;
use super::time::Instant;
use super::window::event::EventRule;
use super::window::{Freeze, Window};

/// The whole policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// SHA-256 of the file, in hex: names this policy in the journal.
    pub digest: String,
    /// The file as the person named it.
    pub file: String,
    /// Title on the screen and in documents.
    pub title: String,
    /// The zone people here live in.
    #[schemars(with = "String")]
    pub timezone: Tz,
    /// Set where the file flies the embedded world.
    pub demo: Option<Demo>,
    /// In promotion order.
    pub environments: Vec<Environment>,
    /// By name.
    pub connections: BTreeMap<String, Connection>,
    /// Defined once for all services.
    pub metrics: Vec<Metric>,
    /// Every service.
    pub services: Vec<Service>,
    /// When deploying is permitted.
    pub windows: Vec<Window>,
    /// When it is not.
    pub freezes: Vec<Freeze>,
    /// Calendars that yield windows, freezes, releases and holidays.
    pub calendars: Vec<CalendarSource>,
    /// Approval rule by risk class.
    pub approvals: BTreeMap<RiskClass, ApprovalRule>,
    /// Connection whose change records or tickets hold approvals.
    #[serde(default)]
    pub approval_records: Option<String>,
    /// What a release's risk is made of.
    #[serde(default)]
    pub risk: RiskTable,
    /// People by the name used here.
    pub people: BTreeMap<String, Person>,
    /// At most 14 items.
    pub checklist: Vec<ChecklistItem>,
    /// Who is on call and how they are told.
    pub oncall: OncallPolicy,
    /// What is told over channels while a release flies.
    #[serde(default)]
    pub notify: Notify,
    /// Planned releases.
    pub releases: Vec<Release>,
    /// Numbers of the rules that this file may change.
    pub limits: Limits,
    /// Key → action id, replacing the built-in keys.
    pub keys: BTreeMap<String, String>,
}

impl Policy {
    /// The service of that name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|s| s.name == name)
    }
    /// The metric of that id.
    pub fn metric(&self, id: &str) -> Option<&Metric> {
        self.metrics.iter().find(|m| m.id == id)
    }
    /// The environment of that name.
    pub fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments.iter().find(|e| e.name == name)
    }
    /// The name in `[people]` of somebody who is called by name, login or vendor's name, whatever the case; else what was
    /// given, trimmed.
    pub fn known_as(&self, called: &str) -> String {
        let called = called.trim();
        let same = |name: &str| name.trim().to_lowercase() == called.to_lowercase();
        self.people
            .iter()
            .find(|(name, p)| {
                same(name) || p.os.iter().any(|o| same(o)) || p.vendor.iter().any(|v| same(v))
            })
            .map_or_else(|| called.to_owned(), |(name, _)| name.clone())
    }
    /// Are those two names of one person?
    pub fn same_person(&self, a: &str, b: &str) -> bool {
        self.known_as(a).to_lowercase() == self.known_as(b).to_lowercase()
    }
    /// The roles of a person, by any of their names.
    pub fn roles(&self, called: &str) -> &[String] {
        self.people
            .get(&self.known_as(called))
            .map_or(&[], |p| p.roles.as_slice())
    }
    /// The release of that id.
    pub fn release(&self, id: &str) -> Option<&Release> {
        self.releases.iter().find(|r| r.id == id)
    }
}

/// The embedded world that a `[demo]` file flies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Demo {
    /// Scenario name: regression, happy, blackout, freeze or watch.
    pub scenario: String,
}

/// An environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// Its name, such as `production`.
    pub name: String,
    /// Typed confirmations, approvals, a loud band.
    pub protected: bool,
    /// Takes one release at a time (the environment lock of SEMANTICS 3).
    #[serde(default)]
    pub exclusive: bool,
}

/// One connection to a vendor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Connection {
    /// Name in cockpit.toml.
    pub name: String,
    /// Connector id, such as `argocd`.
    pub connector: String,
    /// The connector's settings.
    pub settings: BTreeMap<String, Setting>,
    /// Seconds between reads where the file overrides the connector's.
    pub every: Option<u64>,
    /// The reads its connector offers, by name; filled in when the connector is loaded.
    #[serde(default)]
    pub reads: BTreeMap<String, ReadOffer>,
    /// What its connector can do; filled in when the connector is loaded.
    #[serde(default)]
    pub verbs: Vec<Verb>,
    /// Seconds for which an accepted act may leave no trace at the vendor, such as in a queue; filled in when the connector is loaded.
    #[serde(default)]
    pub settles: u64,
    /// Its rollback wants an entry of the vendor's history; filled in when the connector is loaded.
    #[serde(default)]
    pub rollback_by_history: bool,
}

impl Connection {
    /// The first read that yields this kind: its name and seconds between reads.
    pub fn read_of(&self, kind: RecordKind) -> Option<(&str, u64)> {
        self.reads
            .iter()
            .find(|(_, offer)| offer.kind == kind)
            .map(|(name, offer)| (name.as_str(), self.every.unwrap_or(offer.every)))
    }
    /// Can its connector do that?
    pub fn can(&self, verb: Verb) -> bool {
        self.verbs.contains(&verb)
    }
}

/// A read that a connector offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadOffer {
    /// What comes back.
    pub kind: RecordKind,
    /// Seconds between reads.
    pub every: u64,
}

/// One setting's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// A word or address.
    Text(String),
    /// A number.
    Number(f64),
    /// On or off.
    Flag(bool),
    /// Several words.
    List(Vec<String>),
    /// A reference to a secret.
    Secret(SecretRef),
}

/// What a metric's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MetricKind {
    /// Numerator and denominator counts.
    Ratio,
    /// P95, P99 in seconds or as the unit says.
    Quantile,
    /// A level.
    Gauge,
    /// A number of things, such as alerts.
    Count,
}

/// How a metric's values are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A ratio shown in percent.
    Percent,
    /// Values are seconds.
    Seconds,
    /// Values are milliseconds.
    Milliseconds,
    /// A bare number.
    #[default]
    Number,
}

impl Unit {
    /// The value as people read it: `2.4 %`, `812 ms`, `14`.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Percent => {
                let v = value * 100.0;
                if v.abs() < 10.0 {
                    format!("{v:.2} %")
                } else {
                    format!("{v:.1} %")
                }
            }
            Self::Seconds if value.abs() < 10.0 => format!("{:.0} ms", value * 1000.0),
            Self::Seconds => format!("{value:.1} s"),
            Self::Milliseconds => format!("{value:.0} ms"),
            Self::Number if value.fract() == 0.0 => format!("{value:.0}"),
            Self::Number => format!("{value:.2}"),
        }
    }
}

/// A metric, read for all services by one query a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metric {
    /// Key in `[metrics.ID]`.
    pub id: String,
    /// Title on the screen.
    pub title: String,
    /// Which connection answers.
    pub connection: String,
    /// What the numbers are.
    pub kind: MetricKind,
    /// Which way is bad.
    pub direction: Direction,
    /// Label that names the service.
    pub service_label: String,
    /// Label that tells canary from stable; `None`: they cannot be told apart.
    pub group_label: Option<String>,
    /// Value of that label for the new version.
    pub canary: Option<String>,
    /// Value of that label for the old version.
    pub stable: Option<String>,
    /// Ratio: query of the bad (or good) events. `$bucket` is the bucket's length.
    pub numerator: Option<String>,
    /// Ratio: query of all events.
    pub denominator: Option<String>,
    /// Quantile, gauge, count: the query.
    pub query: Option<String>,
    /// How values are written.
    pub unit: Unit,
    /// May a series decide a gate (SEMANTICS 6, latency)?
    pub decides: bool,
    /// Same noise in both groups (SEMANTICS 6): φ = 1 for a concurrent baseline.
    pub shared_noise: bool,
    /// Seconds between reads.
    pub every: u64,
}

impl Metric {
    /// The parts to read, each with its query.
    pub fn parts(&self) -> Vec<(super::record::Part, &str)> {
        use super::record::Part;
        [
            (Part::Numerator, &self.numerator),
            (Part::Denominator, &self.denominator),
            (Part::Value, &self.query),
        ]
        .into_iter()
        .filter_map(|(part, q)| q.as_deref().map(|q| (part, q)))
        .collect()
    }
    /// Can the new version's numbers be told from the old version's?
    pub fn separable(&self) -> bool {
        self.group_label.is_some() && self.canary.is_some() && self.stable.is_some()
    }
}

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The team that owns it.
    pub team: Option<String>,
    /// Services it calls; checked for cycles.
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
    /// Arguments for the connector's reads and actions, by environment (`""`: every environment).
    pub target: BTreeMap<String, BTreeMap<String, String>>,
    /// Objective by metric id, in the metric's own unit (a ratio as 0..1, seconds for `seconds`).
    pub slo: BTreeMap<String, f64>,
    /// Page for the one who is woken.
    pub runbook: Option<String>,
    /// Pages to look at.
    pub dashboards: Vec<String>,
    /// Gates.
    pub gates: Vec<Gate>,
    /// Triggers.
    pub triggers: Vec<Trigger>,
    /// Path globs whose change is a point of no return.
    pub irreversible: Vec<String>,
    /// Declared: what would deploy the bad version again after a rollback, beside what the vendor shows; empty: nothing.
    pub fought_by: Option<Vec<String>>,
}

impl Service {
    /// One of [`Self::args`].
    pub fn arg<'a>(&'a self, environment: &'a str, key: &str) -> Option<&'a str> {
        let own = self.target.get(environment).and_then(|t| t.get(key));
        let given = own.or_else(|| self.target.get("").and_then(|t| t.get(key)));
        given.map(String::as_str).or(match key {
            "service" => Some(&self.name),
            "environment" => Some(environment),
            _ => None,
        })
    }

    /// Arguments for a connector in that environment: the common ones, then the environment's own, then
    /// `service` and `environment` where the file gives none.
    pub fn args(&self, environment: &str) -> BTreeMap<String, String> {
        let mut args = self.target.get("").cloned().unwrap_or_default();
        if let Some(own) = self.target.get(environment) {
            args.extend(own.clone());
        }
        args.entry("service".to_owned())
            .or_insert_with(|| self.name.clone());
        args.entry("environment".to_owned())
            .or_insert_with(|| environment.to_owned());
        args
    }
}

/// When a gate looks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// After every step.
    Step,
    /// After the step that reaches this share of traffic, in percent.
    Percent(f64),
}

/// A check after a step that must pass to go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gate {
    /// Stable id within the service, such as `step` or `40%`.
    pub id: String,
    /// When it looks.
    pub after: After,
    /// Metric ids; never empty.
    pub metrics: Vec<String>,
    /// Must it pass?
    pub critical: bool,
    /// Largest ratio of new to old that is tolerated.
    pub tolerance: f64,
}

/// What a trigger compares with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// So many times the baseline.
    Baseline(f64),
    /// A value in the metric's unit.
    Value(f64),
    /// The service's SLO for that metric.
    Slo,
}

/// What happens when a trigger trips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Tell.
    Notify,
    /// Hold the rollout.
    Hold,
    /// Band and bell; `R` opens filled in.
    #[default]
    Propose,
    /// Roll back after a cancellable countdown.
    Automatic,
}

/// A pair of windows over which the error budget must not burn faster than so many times the pace that just uses it up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BurnPair {
    /// So many times the sustainable pace.
    pub times: f64,
    /// The long window, seconds: that it matters.
    pub long: u64,
    /// The short window, seconds: that it goes on.
    pub short: u64,
}

impl std::fmt::Display for BurnPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let span = |s: u64| super::words::seconds(s).replace(' ', "");
        write!(
            f,
            "{} over {}/{}",
            self.times,
            span(self.long),
            span(self.short)
        )
    }
}

/// An agreed condition that calls for rollback.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trigger {
    /// Stable id within the service, such as `error_rate>2x baseline`.
    pub id: String,
    /// Metric id.
    pub metric: String,
    /// Bad above (true) or below (false) the limit.
    pub above: bool,
    /// What it compares with.
    pub limit: Limit,
    /// Seconds each poll looks back over.
    pub window: u64,
    /// Seconds for which every poll must be breached.
    pub hold_for: u64,
    /// What happens.
    pub then: Then,
    /// Burn rates of the SLO's budget instead of a limit: breached when both windows of any pair exceed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub burn: Vec<BurnPair>,
}

/// A calendar and what its entries become.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CalendarSource {
    /// Name on the screen.
    pub name: String,
    /// Connection that reads it.
    pub connection: String,
    /// Which of the connection's reads, where it has several that yield entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<String>,
    /// Which entry becomes what; the first match counts.
    pub rules: Vec<EventRule>,
}

/// A release's risk class (SEMANTICS 3).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RiskClass {
    /// Routine.
    Low,
    /// The usual.
    #[default]
    Normal,
    /// Needs more eyes.
    High,
}

impl RiskClass {
    /// The word shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

/// What a release's risk is made of: points a person can add up (SEMANTICS 3). Each threshold stands beside its points;
/// 0 points switch a line off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RiskTable {
    /// Sum from which a release is normal.
    pub normal_from: u32,
    /// Sum from which a release is high.
    pub high_from: u32,
    /// Commits from which a change is large.
    pub many_commits: u32,
    /// Points of a change with many commits.
    pub commits: u32,
    /// Files from which a change is large.
    pub many_files: u32,
    /// Points of a change that touches many files.
    pub files: u32,
    /// Globs over paths that carry risk.
    pub risky_paths: Vec<String>,
    /// Points where one of them is touched.
    pub paths: u32,
    /// Days without a release of the service from which much has piled up.
    pub idle_days: u32,
    /// Points of a service that was idle so long.
    pub idle: u32,
    /// Percent of failed releases of the service above which it fails often.
    pub often_failed: u32,
    /// Points of a service that fails often.
    pub failed: u32,
    /// Seconds that should be left of the window after the release.
    pub window_left: u64,
    /// Points where less is left.
    pub window: u32,
    /// Points of each conflict, at most two of them.
    pub conflict: u32,
    /// Points of a part that cannot be undone.
    pub irreversible: u32,
    /// Days after which fewer people are there.
    pub late_days: Vec<Day>,
    /// Points of a start on one of them.
    pub late: u32,
    /// Points of a holiday on the day of the start or the day after.
    pub holiday: u32,
    /// Points of each line that is not known.
    pub unknown: u32,
}

impl Default for RiskTable {
    fn default() -> Self {
        Self {
            normal_from: 3,
            high_from: 8,
            many_commits: 20,
            commits: 1,
            many_files: 100,
            files: 1,
            risky_paths: ["**/migrations/**", "**/*.sql", "**/*.tf"]
                .map(str::to_owned)
                .to_vec(),
            paths: 2,
            idle_days: 30,
            idle: 1,
            often_failed: 15,
            failed: 2,
            window_left: 3600,
            window: 1,
            conflict: 1,
            irreversible: 3,
            late_days: vec![Day::Fri, Day::Sat, Day::Sun],
            late: 1,
            holiday: 1,
            unknown: 1,
        }
    }
}

/// How many approvals, of whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalRule {
    /// Roles that may approve.
    pub of: Vec<String>,
    /// How many different people.
    pub count: u32,
}

/// A person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Person {
    /// OS user names.
    pub os: Vec<String>,
    /// Names at vendors (chat, on-call).
    pub vendor: Vec<String>,
    /// Roles.
    pub roles: Vec<String>,
}

/// Part of the checklist.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    /// Before `D`.
    PreDeploy,
    /// While it rolls out.
    Deploy,
    /// After the last step.
    PostDeploy,
}

impl Section {
    /// Heading.
    pub fn word(self) -> &'static str {
        match self {
            Self::PreDeploy => "PRE-DEPLOY",
            Self::Deploy => "DEPLOY",
            Self::PostDeploy => "POST-DEPLOY",
        }
    }
}

/// How grave a finding is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing at all passes.
    None,
    /// A remark.
    Info,
    /// Low.
    Low,
    /// Medium.
    #[default]
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// The word shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
    /// A scanner's word; `None` where it names no severity we know, which then counts as the gravest.
    pub fn read(word: &str) -> Option<Self> {
        Some(match word.trim().to_lowercase().as_str() {
            "critical" | "very high" | "blocker" => Self::Critical,
            "high" | "major" | "error" => Self::High,
            "medium" | "moderate" | "warning" => Self::Medium,
            "low" | "minor" | "note" => Self::Low,
            "info" | "informational" | "negligible" => Self::Info,
            _ => return None,
        })
    }
}

/// How a checklist item is proven.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Check {
    /// A person ticks it.
    Manual,
    /// The named levels are green for the version being deployed.
    CiGreen {
        /// Names of runs that must be green; empty: at least one run, and all green.
        required: Vec<String>,
    },
    /// The image is in the registry.
    ArtifactPresent,
    /// A rollback of this service in a lower environment within 30 days.
    RollbackRehearsed,
    /// Every line of the passport passes.
    PassportValid,
    /// Approved by the rule of its class.
    Approved,
    /// The brief was acknowledged.
    OncallBriefed,
    /// The escalation policy was reviewed within 30 days.
    EscalationReviewed,
    /// The dashboards are configured.
    DashboardsReachable,
    /// Every gate that was due passed.
    Gates,
    /// No trigger is breached and no checkpoint failed.
    WithinBaseline,
    /// The driver's process is alive.
    Observed,
    /// The environment below serves the versions that the release deploys, beside the same neighbours.
    Parity {
        /// Compared with this environment; `None`: the one below in promotion order.
        environment: Option<String>,
    },
    /// A scan of the version found nothing above a severity.
    SecurityScan {
        /// Connection that reads findings, or of driver `command`; `None`: not configured, so not run.
        connection: Option<String>,
        /// The gravest severity that passes.
        up_to: Severity,
    },
    /// A smoke test of the version where it runs.
    SmokeTest {
        /// Connection of driver `command` that runs it.
        connection: Option<String>,
        /// Names of CI runs that prove it instead.
        required: Vec<String>,
        /// Where it runs; `None`: the release's environment after each step, before the deployment the one below.
        environment: Option<String>,
    },
    /// A command: exit 0 passes.
    Command {
        /// Connection of driver `command` that runs it.
        connection: String,
    },
}

/// A checklist item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChecklistItem {
    /// Stable id.
    pub id: String,
    /// Where it stands.
    pub section: Section,
    /// What it says.
    pub title: String,
    /// How it is proven.
    pub check: Check,
    /// Seconds after which a proof ages out.
    pub shelf_life: u64,
}

/// A channel over which people are told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Channel {
    /// Connection with an action of verb `post_message`.
    pub connection: String,
    /// Arguments, such as `channel = "#releases"`.
    pub args: BTreeMap<String, String>,
}

/// A turn on call written in cockpit.toml.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rotation {
    /// 1 is paged first.
    pub level: u32,
    /// People in turn.
    pub people: Vec<String>,
    /// When the first person's first turn began.
    pub start: Instant,
    /// Length of a turn in seconds.
    pub turn: u64,
}

/// Who is on call and how they are told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OncallPolicy {
    /// Connection that says who is on call.
    pub connection: Option<String>,
    /// Turns written here.
    pub rotations: Vec<Rotation>,
    /// Where briefs go.
    pub channels: Vec<Channel>,
    /// Seconds until the next level is told.
    pub ack_within: u64,
    /// Who is told after the last level.
    pub release_manager: Option<String>,
}

/// A change of the watch that is told.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// A trigger tripped; those that trip together are one message.
    Trip,
    /// A checkpoint was taken.
    Checkpoint,
    /// The watch ended.
    End,
}

/// What is told over channels while a release flies: once a change, by the process that holds the driver's lease.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Notify {
    /// Where to.
    pub channels: Vec<Channel>,
    /// Which changes.
    pub on: Vec<Notice>,
}

/// What a change consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// A new version of a service.
    #[default]
    Version,
    /// A feature flag.
    Flag,
    /// Configuration.
    Config,
    /// Infrastructure.
    Infrastructure,
    /// A schema or data migration.
    Migration,
}

/// Can a change be undone?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reversible {
    /// Nobody said: the paths of its commits tell, where the service names globs.
    #[default]
    Undeclared,
    /// Yes.
    Yes,
    /// Until an event, in words.
    Until(String),
    /// No: past the point of no return once deployed.
    No,
}

/// One change of a release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Service.
    pub service: String,
    /// From this version; `None`: what serves now.
    pub from: Option<String>,
    /// To this version.
    pub to: String,
    /// Of what kind.
    pub kind: ChangeKind,
    /// Can it be undone?
    pub reversible: Reversible,
}

/// Why a release is shipped: exempts from freezes that say so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The usual.
    #[default]
    Regular,
    /// A repair.
    Hotfix,
    /// A security repair.
    Security,
}

impl Purpose {
    /// The word that a freeze's `except` names.
    pub fn word(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Hotfix => "hotfix",
            Self::Security => "security",
        }
    }
}

/// A planned set of changes to one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// The same string everywhere.
    pub id: String,
    /// Title.
    pub title: String,
    /// Environment.
    pub environment: String,
    /// When it is planned to start.
    pub planned: Option<Instant>,
    /// Planned length in seconds.
    pub length: Option<u64>,
    /// Who drives.
    pub driver: Option<String>,
    /// Who wrote it: may not approve.
    pub author: Option<String>,
    /// What changes, in no particular order.
    pub changes: Vec<Change>,
    /// Why.
    pub purpose: Purpose,
    /// Watch for 72 h instead of 24 h.
    pub significant: bool,
    /// Declared risk class.
    pub risk: RiskClass,
    /// What may go wrong, for the brief.
    pub failure_modes: Vec<String>,
    /// Until when what must be done; journaled releases of earlier days have none.
    #[serde(default, skip_serializing_if = "Deadlines::is_empty")]
    pub deadlines: Deadlines,
    /// Releases that must be live before it starts; checked for circles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
}

/// Until when what of a release must be done: each is the first instant at which it has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Deadlines {
    /// The last commit is in and the version is built.
    pub code_freeze: Option<Instant>,
    /// Tests are done.
    pub testing: Option<Instant>,
    /// It is live.
    pub deploy: Option<Instant>,
}

impl Deadlines {
    /// None is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list().is_empty()
    }

    /// Those that are given, in the order in which they are due.
    #[must_use]
    pub fn list(&self) -> Vec<(DeadlineKind, Instant)> {
        [
            (DeadlineKind::CodeFreeze, self.code_freeze),
            (DeadlineKind::Testing, self.testing),
            (DeadlineKind::Deploy, self.deploy),
        ]
        .into_iter()
        .filter_map(|(kind, at)| Some((kind, at?)))
        .collect()
    }
}

/// Numbers of the rules that cockpit.toml may change (SEMANTICS; the defaults are theirs).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Limits {
    /// Presence of the deploy team after a deployment, seconds.
    pub presence: u64,
    /// Length of a deployment of which nothing is known, seconds.
    pub deploy_length: u64,
    /// Shelf life of a manual tick, seconds.
    pub manual_shelf_life: u64,
    /// How long an override lasts, seconds (at most 24 h).
    pub override_lasts: u64,
    /// Approval expires after, seconds.
    pub approval_lasts: u64,
    /// Countdown of an automatic trigger, seconds of real time.
    pub countdown: u64,
    /// Earliest minute of a Pass, seconds after the gate opens.
    pub gate_min: u64,
    /// When an undecided gate holds, seconds after it opens.
    pub gate_max: u64,
    /// Length of the watch, seconds.
    pub watch: u64,
    /// Length of a significant or high-risk release's watch, seconds.
    pub watch_long: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            presence: 30 * 60,
            deploy_length: 30 * 60,
            manual_shelf_life: 12 * 3600,
            override_lasts: 2 * 3600,
            approval_lasts: 4 * 3600,
            countdown: 60,
            gate_min: 5 * 60,
            gate_max: 10 * 60,
            watch: 24 * 3600,
            watch_long: 72 * 3600,
        }
    }
}
