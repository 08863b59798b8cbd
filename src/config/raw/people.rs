//! `[people]`, `[approvals]`, `[[checklist]]`, `[oncall]` and `[[release]]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::{Argument, FlagOrText, Length, Texts, When};
use crate::domain::policy::{ChangeKind, Purpose, RiskClass, RiskTable, Section, Severity};
use crate::domain::recur::moment::Day;

/// Approval rules by risk class.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Approvals {
    /// Routine releases.
    pub low: Option<Approval>,
    /// The usual.
    pub normal: Option<Approval>,
    /// Releases that need more eyes.
    pub high: Option<Approval>,
    /// Connection whose change records (ServiceNow) or tickets (Jira) hold approvals, too.
    pub connection: Option<String>,
}

/// What a release's risk is made of: each point and from when on it counts; 0 switches a line off. The sum picks the class.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Risk {
    /// Sum from which a release is normal; a low one must be declared low, too.
    pub normal_from: u32,
    /// Sum from which a release is high.
    pub high_from: u32,
    /// Commits from which a change is large.
    pub many_commits: u32,
    /// Points of so many commits.
    pub commits: u32,
    /// Files from which a change is large.
    pub many_files: u32,
    /// Points of so many files.
    pub files: u32,
    /// Globs over paths that carry risk.
    pub risky_paths: Vec<String>,
    /// Points where one of them is touched.
    pub paths: u32,
    /// Days without a release of the service after which much has piled up.
    pub idle_days: u32,
    /// Points of so long a pause.
    pub idle: u32,
    /// Percent of its releases that failed, above which a service fails often.
    #[schemars(range(max = 100))]
    pub often_failed: u32,
    /// Points of a service that fails often.
    pub failed: u32,
    /// Time that should be left of the window once the release is through.
    pub window_left: Length,
    /// Points where less is left.
    pub window: u32,
    /// Points of each conflict, of two at most.
    pub conflict: u32,
    /// Points of a part that cannot be undone.
    pub irreversible: u32,
    /// Days after which fewer people are there.
    pub late_days: Vec<Day>,
    /// Points of a start on one of them.
    pub late: u32,
    /// Points of a holiday on the day of the start or the next.
    pub holiday: u32,
    /// Points of each line that is not known.
    pub unknown: u32,
}

impl Default for Risk {
    fn default() -> Self {
        let rule = RiskTable::default();
        Self {
            normal_from: rule.normal_from,
            high_from: rule.high_from,
            many_commits: rule.many_commits,
            commits: rule.commits,
            many_files: rule.many_files,
            files: rule.files,
            risky_paths: rule.risky_paths,
            paths: rule.paths,
            idle_days: rule.idle_days,
            idle: rule.idle,
            often_failed: rule.often_failed,
            failed: rule.failed,
            window_left: Length(rule.window_left),
            window: rule.window,
            conflict: rule.conflict,
            irreversible: rule.irreversible,
            late_days: rule.late_days,
            late: rule.late,
            holiday: rule.holiday,
            unknown: rule.unknown,
        }
    }
}

/// How many approvals, of whom.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["of"]))]
pub struct Approval {
    /// Roles that may approve.
    pub of: Vec<String>,
    /// How many different people.
    #[schemars(range(min = 1, max = 20))]
    pub count: u32,
}

impl Default for Approval {
    fn default() -> Self {
        Self {
            of: Vec::new(),
            count: 1,
        }
    }
}

/// A person.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Person {
    /// OS user names.
    pub os: Texts,
    /// Names at vendors: chat, on-call.
    pub vendor: Texts,
    /// Roles.
    pub roles: Texts,
}

/// How a checklist item is proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckKind {
    /// A person ticks it.
    #[default]
    Manual,
    /// The named CI levels are green for the version being deployed.
    CiGreen,
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
    Parity,
    /// A scan of the version found nothing above `up_to`.
    SecurityScan,
    /// A smoke test of the version where it runs: a command, or CI runs of that name.
    SmokeTest,
    /// A command: exit 0 passes.
    Command,
}

/// A checklist item.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["section", "title"]))]
pub struct Item {
    /// Stable id; made of the title where left out.
    pub id: Option<String>,
    /// Where it stands.
    pub section: Option<Section>,
    /// What it says.
    pub title: String,
    /// How it is proven.
    pub check: CheckKind,
    /// ci-green: names of runs that must be green, every run where left out; smoke-test: names of the runs that prove it.
    pub required: Vec<String>,
    /// command and smoke-test: the connection that runs it; security-scan: the one that reads findings, or of driver command.
    pub connection: Option<String>,
    /// parity and smoke-test: where to look; the environment below, and for a smoke test after a step the release's own.
    pub environment: Option<String>,
    /// security-scan: the gravest severity that passes; medium where left out.
    pub up_to: Option<Severity>,
    /// After which its proof ages out: 12h for manual, 5m for a command, 24h for a smoke test, 168h for a scan, else 720h.
    pub shelf_life: Option<Length>,
}

/// Who is on call and how they are told.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Oncall {
    /// Connection that says who is on call.
    pub connection: Option<String>,
    /// Turns written here.
    pub rotation: Vec<Rotation>,
    /// Where briefs go: `{ connection = "chat", channel = "#releases" }`.
    pub channels: Vec<Channel>,
    /// Time until the next level is told.
    pub ack_within: Length,
    /// Who is told after the last level.
    pub release_manager: Option<String>,
}

impl Default for Oncall {
    fn default() -> Self {
        Self {
            connection: None,
            rotation: Vec::new(),
            channels: Vec::new(),
            ack_within: Length(300),
            release_manager: None,
        }
    }
}

/// A change of a flying release that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// A trigger tripped; those that trip together are one message.
    Trip,
    /// A checkpoint of the watch was taken.
    Checkpoint,
    /// The watch ended.
    End,
}

/// What is told over channels while a release flies.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Notify {
    /// Where to: `{ connection = "chat", channel = "#releases" }`; nothing is told without one.
    pub channels: Vec<Channel>,
    /// Which changes; each is told once, by the cockpit that holds the driver's lease.
    pub on: Vec<Notice>,
}

impl Default for Notify {
    fn default() -> Self {
        Self {
            channels: Vec::new(),
            on: vec![Notice::Trip, Notice::Checkpoint, Notice::End],
        }
    }
}

/// A channel: a connection, and the arguments of its message.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["connection"]))]
pub struct Channel {
    /// Connection that posts messages.
    pub connection: String,
    /// Arguments.
    #[serde(flatten)]
    pub args: BTreeMap<String, Argument>,
}

/// Turns on call.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["people", "start"]))]
pub struct Rotation {
    /// 1 is paged first.
    #[schemars(range(min = 1, max = 20))]
    pub level: u32,
    /// People in turn.
    pub people: Vec<String>,
    /// When the first person's first turn began.
    pub start: Option<When>,
    /// Length of a turn.
    pub turn: Length,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            level: 1,
            people: Vec::new(),
            start: None,
            turn: Length(7 * 86_400),
        }
    }
}

/// A planned release.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["id", "environment", "changes"]))]
pub struct Release {
    /// The same string everywhere: here, in the journal, in calendars.
    pub id: String,
    /// Title; its id where left out.
    pub title: Option<String>,
    /// Environment it goes to.
    pub environment: String,
    /// When it is planned to start.
    pub planned: Option<When>,
    /// Planned length.
    pub length: Option<Length>,
    /// Who drives.
    pub driver: Option<String>,
    /// Who wrote it: may not approve.
    pub author: Option<String>,
    /// What changes.
    pub changes: Vec<Change>,
    /// Why: freezes may exempt hotfix and security.
    pub purpose: Purpose,
    /// Watch for 72h.
    pub significant: bool,
    /// Risk class: the points of [risk] may raise it, never lower it.
    pub risk: RiskClass,
    /// What may go wrong, for the brief.
    pub failure_modes: Vec<String>,
    /// Until when what must be done.
    pub deadlines: Deadlines,
    /// Releases that must be live before this one starts, by id.
    pub depends_on: Vec<String>,
}

/// Deadlines of a release: a time, or a day that still counts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Deadlines {
    /// The last commit is in and the version is built.
    pub code_freeze: Option<When>,
    /// Tests are done.
    pub testing: Option<When>,
    /// It is live.
    pub deploy: Option<When>,
}

/// One change.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["service", "to"]))]
pub struct Change {
    /// Service.
    pub service: String,
    /// From this version; what serves now where left out.
    pub from: Option<String>,
    /// To this version.
    pub to: String,
    /// Of what kind.
    pub kind: ChangeKind,
    /// true, false, or "until …": can it be undone? Left out, the paths of its commits tell.
    pub reversible: Option<FlagOrText>,
}
