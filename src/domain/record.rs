//! What connectors bring back: records in the field's words, whatever the vendor calls them.
//!
//! Every text in a record comes from outside and was cleaned by `connect` (no control characters, escape
//! sequences or bidi overrides; length-limited). Every field that a vendor may leave out is optional.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::Instant;
pub use super::window::event::CalendarEvent as Event;

/// The kinds of record a connector's read can yield.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// A vendor's live deployment.
    Deployment,
    /// A CI run.
    Build,
    /// Metric buckets.
    Series,
    /// An alert.
    Alert,
    /// Who is on call.
    Oncall,
    /// An incident.
    Incident,
    /// A commit between two versions.
    Commit,
    /// An image or package in a registry.
    Artifact,
    /// A calendar entry.
    Event,
    /// A reaction to a message.
    Reaction,
    /// The outcome of a check command.
    Check,
    /// A feature flag.
    Flag,
    /// A ticket.
    Ticket,
    /// A change record.
    Change,
    /// A security finding.
    Finding,
    /// A service known to the vendor.
    Service,
}

/// A deployment's state (SEMANTICS 8). A vendor word that maps onto none is `Unknown` and shown as it came.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DeployState {
    /// Waiting to start.
    Queued,
    /// Rolling out.
    Running,
    /// Stopped at a step, waiting for a person or a timer.
    Paused,
    /// At a step whose gate is looking.
    Verifying,
    /// The new version serves.
    Succeeded,
    /// It ended badly.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// A later deployment took its place.
    Superseded,
    /// No status, or one that cannot be mapped.
    #[default]
    Unknown,
}

impl DeployState {
    /// The word shown everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Verifying => "verifying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
            Self::Unknown => "unknown",
        }
    }

    /// Is a rollout under way (so that a release in it is deploying)?
    pub fn in_flight(self) -> bool {
        matches!(
            self,
            Self::Queued | Self::Running | Self::Paused | Self::Verifying
        )
    }
}

/// How a deployment replaces the old version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Instance by instance.
    Rolling,
    /// By share of traffic.
    Canary,
    /// Two full sets, one switch.
    BlueGreen,
}

/// One earlier version that the vendor can go back to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HistoryEntry {
    /// The vendor's id of that entry, as a rollback wants it.
    pub id: String,
    /// The version deployed then.
    pub version: String,
    /// When it was deployed.
    pub at: Option<Instant>,
    /// Further ids that belong to it, where going back takes more than one act: one a region.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// The revision of the source that it was deployed from, where the vendor says it.
    pub revision: Option<String>,
}

/// One metric of a vendor's own analysis.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AnalysisMetric {
    /// Its name.
    pub name: String,
    /// The vendor's word for it, in small letters: `successful`, `running`, …
    pub state: String,
    /// Measurements that came to an end.
    pub measurements: u64,
    /// Why what it says proves nothing, such as "successful with 0 measurements"; `None` where it may be believed.
    pub doubt: Option<String>,
}

/// A vendor's own analysis of a rollout: shown as evidence beside our gates, never instead of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Analysis {
    /// The run's name.
    pub name: String,
    /// The vendor's word for it, in small letters.
    pub state: String,
    /// One sentence.
    pub message: Option<String>,
    /// Its metrics.
    pub metrics: Vec<AnalysisMetric>,
}

/// A vendor's live record of one service in one environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Deployment {
    /// The vendor's id.
    pub id: String,
    /// Service (or the vendor's application name, matched through `target`).
    pub service: String,
    /// Environment; empty when the vendor does not say.
    pub environment: String,
    /// The version being rolled out or serving.
    pub version: String,
    /// The version that serves the rest of the traffic, or served before.
    pub previous: Option<String>,
    /// The version that the source of truth (Git, pipeline) asks for now.
    pub desired: Option<String>,
    /// State in the field's words.
    pub state: DeployState,
    /// The vendor's own words for the state.
    pub vendor_state: String,
    /// Health as the vendor says it, such as `Healthy` or `Degraded`.
    pub health: Option<String>,
    /// Rolling, canary or blue-green.
    pub strategy: Option<Strategy>,
    /// Steps finished so far (0 before the first).
    pub step: Option<u32>,
    /// How many steps there are.
    pub steps: Option<u32>,
    /// Share of traffic on the new version, in percent (0..=100).
    pub weight: Option<f64>,
    /// When the rollout began.
    pub started_at: Option<Instant>,
    /// When the current step took effect.
    pub step_at: Option<Instant>,
    /// When it ended.
    pub finished_at: Option<Instant>,
    /// Who started it.
    pub actor: Option<String>,
    /// A page a person can open.
    pub url: Option<String>,
    /// One sentence from the vendor.
    pub message: Option<String>,
    /// Our mark, where the vendor carries it back.
    pub intent: Option<String>,
    /// Is auto-sync on? `None`: the vendor has no such thing or does not say.
    pub auto_sync: Option<bool>,
    /// The field that holding auto-sync replaces, exactly as it is now.
    pub hold_field: Option<serde_json::Value>,
    /// The vendor's revision marker: if it moved, the target moved.
    pub revision: Option<String>,
    /// Versions the vendor can go back to, newest first.
    pub history: Vec<HistoryEntry>,
    /// The vendor's own analyses of this rollout.
    pub analysis: Vec<Analysis>,
    /// Until when the old version still runs beside the new one, so that going back is a switch (blue-green).
    pub fast_until: Option<Instant>,
    /// How many entries the vendor keeps in the history.
    pub history_limit: Option<u32>,
    /// What changes the count of instances by itself; `None`: not known.
    pub autoscalers: Option<Vec<String>>,
    /// Who writes this deployment from a source of truth and would put back what is changed by hand; `None`: nobody that is known.
    pub managed_by: Option<String>,
}

impl Deployment {
    /// What the vendor deployed last, where its history begins with that and names the source's revisions.
    pub fn live_entry(&self) -> Option<&HistoryEntry> {
        self.history.first().filter(|h| h.revision.is_some())
    }
    /// The revision of the source that is live.
    pub fn live_revision(&self) -> Option<&str> {
        self.live_entry()?.revision.as_deref()
    }
    /// The history's entry of a version: by its name, else by the revision that it was deployed from. Where what is live came from the
    /// same revision, that tells the two apart no more.
    pub fn entry_of(&self, version: &str, revision: Option<&str>) -> Option<&HistoryEntry> {
        let named = self.history.iter().find(|h| h.version == version);
        named.or_else(|| {
            let revision = revision.filter(|r| self.live_revision() != Some(*r))?;
            let same = |h: &&HistoryEntry| h.revision.as_deref() == Some(revision);
            self.history.iter().find(same)
        })
    }
    /// Does that version serve all traffic? By its name, or where it is the short form of the revision that is live.
    pub fn serves(&self, version: &str) -> bool {
        let short =
            |r: &str| r.len() > version.len() && !version.is_empty() && r.starts_with(version);
        let live = self.live_revision().is_some_and(short);
        self.state == DeployState::Succeeded && (self.version == version || live)
    }
}

/// A CI run's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildState {
    /// Waiting.
    Queued,
    /// Under way.
    Running,
    /// Green.
    Succeeded,
    /// Red.
    Failed,
    /// Stopped.
    Cancelled,
    /// Not mapped.
    #[default]
    Unknown,
}

/// A CI run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Build {
    /// The vendor's id.
    pub id: String,
    /// The run's, job's or level's name, such as `unit`.
    pub name: String,
    /// What it ran on: commit, tag or branch.
    pub version: String,
    /// State.
    pub state: BuildState,
    /// When it began.
    pub started_at: Option<Instant>,
    /// When it ended.
    pub finished_at: Option<Instant>,
    /// A page a person can open.
    pub url: Option<String>,
}

/// An alert's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Firing now.
    Firing,
    /// About to fire.
    Pending,
    /// Firing, but somebody silenced it.
    Silenced,
    /// Over.
    Resolved,
    /// Not mapped.
    #[default]
    Unknown,
}

/// An alert.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Alert {
    /// The vendor's id or fingerprint.
    pub id: String,
    /// The alert's name.
    pub name: String,
    /// The service it speaks of, where it does.
    pub service: Option<String>,
    /// The vendor's severity word.
    pub severity: Option<String>,
    /// State.
    pub state: AlertState,
    /// One sentence.
    pub summary: Option<String>,
    /// Since when.
    pub started_at: Option<Instant>,
    /// When the silence on it lapses.
    pub silenced_until: Option<Instant>,
    /// A page a person can open.
    pub url: Option<String>,
}

/// Somebody's turn on call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Oncall {
    /// 1 is paged first.
    pub level: u32,
    /// The person, as the vendor names them.
    pub person: String,
    /// Mail address or handle, where known.
    pub contact: Option<String>,
    /// Which schedule or escalation policy.
    pub schedule: Option<String>,
    /// Start of the shift.
    pub from: Option<Instant>,
    /// End of the shift; `None`: always on.
    pub until: Option<Instant>,
}

/// An incident's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    /// Nobody took it yet.
    Triggered,
    /// Somebody is on it.
    Acknowledged,
    /// Over.
    Resolved,
    /// Not mapped.
    #[default]
    Unknown,
}

/// An incident.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Incident {
    /// The vendor's id.
    pub id: String,
    /// Title.
    pub title: String,
    /// Service it is filed under.
    pub service: Option<String>,
    /// State.
    pub state: IncidentState,
    /// Urgency or severity word.
    pub urgency: Option<String>,
    /// Who has it.
    pub assigned: Option<String>,
    /// When it began.
    pub started_at: Option<Instant>,
    /// A page a person can open.
    pub url: Option<String>,
}

/// A commit that a change brings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Commit {
    /// Full hash.
    pub id: String,
    /// Author's name.
    pub author: Option<String>,
    /// First line of the message, cleaned and cut.
    pub title: String,
    /// When it was made.
    pub at: Option<Instant>,
    /// Paths it touches, where known.
    pub paths: Vec<String>,
}

/// An image or package in a registry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Artifact {
    /// Full reference, such as `shop/checkout:2.13.4`.
    pub id: String,
    /// Version (tag).
    pub version: String,
    /// Is it there?
    pub present: bool,
    /// Content digest, where the registry says it.
    pub digest: Option<String>,
}

/// A reaction or reply to a message we sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Reaction {
    /// Which reaction, such as `white_check_mark`.
    pub name: String,
    /// Who reacted.
    pub people: Vec<String>,
}

/// The outcome of a check command (SEMANTICS 4).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CheckRun {
    /// Exit code; `None`: it did not end by itself.
    pub exit: Option<i32>,
    /// What it printed, cleaned, at most 64 KiB.
    pub output: String,
}

/// Which part of a metric a series is.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Bad events (or successes, for higher-is-better) in a ratio.
    Numerator,
    /// All events in a ratio.
    Denominator,
    /// The value itself, for quantile, gauge and count.
    #[default]
    Value,
}

impl Part {
    /// Stable short name, used in ids and in the store.
    pub fn key(self) -> &'static str {
        match self {
            Self::Numerator => "num",
            Self::Denominator => "den",
            Self::Value => "val",
        }
    }
}

/// One series of buckets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Series {
    /// Label → value, as the vendor gave them.
    pub labels: BTreeMap<String, String>,
    /// (bucket end as Unix seconds, value); ascending; NaN and infinities are left out.
    pub points: Vec<(i64, f64)>,
}

/// The records of one answer, all of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "items", rename_all = "snake_case")]
pub enum Records {
    /// Deployments.
    Deployment(Vec<Deployment>),
    /// CI runs.
    Build(Vec<Build>),
    /// Metric buckets.
    Series(Vec<Series>),
    /// Alerts.
    Alert(Vec<Alert>),
    /// On-call turns.
    Oncall(Vec<Oncall>),
    /// Incidents.
    Incident(Vec<Incident>),
    /// Commits.
    Commit(Vec<Commit>),
    /// Artifacts.
    Artifact(Vec<Artifact>),
    /// Calendar entries.
    Event(Vec<Event>),
    /// Reactions.
    Reaction(Vec<Reaction>),
    /// Check outcomes.
    Check(Vec<CheckRun>),
    /// Kinds that are kept as they came until a rule reads them (flag, ticket, change, finding, service).
    Other(Vec<serde_json::Value>),
}

impl Records {
    /// How many records.
    pub fn len(&self) -> usize {
        match self {
            Self::Deployment(v) => v.len(),
            Self::Build(v) => v.len(),
            Self::Series(v) => v.len(),
            Self::Alert(v) => v.len(),
            Self::Oncall(v) => v.len(),
            Self::Incident(v) => v.len(),
            Self::Commit(v) => v.len(),
            Self::Artifact(v) => v.len(),
            Self::Event(v) => v.len(),
            Self::Reaction(v) => v.len(),
            Self::Check(v) => v.len(),
            Self::Other(v) => v.len(),
        }
    }

    /// No record at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
