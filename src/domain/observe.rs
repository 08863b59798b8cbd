//! What is read, and what came of it. Law 2: no observation without source, read-at, newest data and cadence.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record::{Part, Reaction, RecordKind, Records};
use super::time::{Instant, Now};

/// A read to be made: which connection, which of its reads, with which arguments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Call {
    /// Connection name in cockpit.toml.
    pub connection: String,
    /// The read's name in its connector, such as `deployments`.
    pub read: String,
    /// Arguments.
    pub args: BTreeMap<String, String>,
    /// For series: how far back, in which steps.
    pub lookback: Option<Lookback>,
}

/// How far back a series is read. The engine turns it into instants when it reads, aligned to `step`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Lookback {
    /// Oldest bucket wanted, seconds before now.
    pub seconds: u64,
    /// Bucket length in seconds.
    pub step: u64,
}

impl Lookback {
    /// Start of the oldest bucket wanted at `now`, Unix seconds: whole buckets, so that it stands still where the span grows with
    /// the time, and what was read once is not asked for again.
    #[must_use]
    pub fn oldest(self, now: i64) -> i64 {
        let step = i64::try_from(self.step).unwrap_or(60).max(1);
        let back = i64::try_from(self.seconds).unwrap_or(i64::MAX);
        now.saturating_sub(back)
            .div_euclid(step)
            .saturating_mul(step)
    }
}

/// What a need is for; tells where its answer goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Subject {
    /// Live deployments of a connection.
    Deployments {
        /// Environment, where the read is made per environment.
        environment: Option<String>,
        /// Service, where the read is made per service.
        service: Option<String>,
    },
    /// One part of a metric in buckets of `step` seconds.
    Metric {
        /// Metric id.
        metric: String,
        /// Which part.
        part: Part,
        /// Bucket length in seconds: 60, or 600 for the history.
        step: u64,
    },
    /// Alerts.
    Alerts,
    /// Who is on call.
    Oncall,
    /// Incidents.
    Incidents,
    /// A calendar.
    Calendar {
        /// Its name.
        name: String,
    },
    /// Commits that a change brings.
    Commits {
        /// Release id.
        release: String,
        /// Service.
        service: String,
    },
    /// CI runs for a version.
    Builds {
        /// Service.
        service: String,
        /// Version.
        version: String,
    },
    /// An image in a registry.
    Artifact {
        /// Service.
        service: String,
        /// Version.
        version: String,
    },
    /// Change records or tickets that hold a release's approvals.
    Approvals {
        /// Release id.
        release: String,
    },
    /// Reactions to a brief.
    Reactions {
        /// Id of the act that sent it.
        act: String,
    },
    /// A checklist item's command.
    Item {
        /// Checklist item id.
        item: String,
    },
}

/// One need: what to read, how often.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Need {
    /// Stable id, such as `metric/error_rate/num/60`.
    pub id: String,
    /// What it is for.
    pub subject: Subject,
    /// The read.
    pub call: Call,
    /// Which records must come back.
    pub kind: RecordKind,
    /// Seconds between reads.
    pub every: u64,
}

/// What a successful read brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The records.
    pub records: Records,
    /// The newest data in them; `None`: as new as the answer.
    pub newest: Option<Instant>,
    /// Why the answer is partial: warnings, `isPartial`, a page limit.
    pub partial: Option<String>,
    /// The vendor's own interval, seconds.
    pub interval: Option<u64>,
}

/// Why a read failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// 401 or 403.
    Unauthorized,
    /// 404.
    NotFound,
    /// 429 or the vendor's own sign.
    RateLimited,
    /// No answer in time.
    Timeout,
    /// No connection.
    Unreachable,
    /// An answer of another shape.
    BadShape,
    /// 5xx.
    Server,
    /// The answer says it failed, or was refused before it was sent.
    Refused,
    /// Too large.
    TooLarge,
    /// The connection's own settings or secret cannot be used.
    Config,
}

/// A failed read in one sentence, for the person who must act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// Of what kind.
    pub kind: FaultKind,
    /// What failed and where: vendor and URL path, field.
    pub what: String,
    /// What to do.
    pub hint: String,
    /// When to try again, where the vendor said it.
    pub retry_at: Option<Instant>,
}

impl Fault {
    /// A fault without a retry time.
    pub fn new(kind: FaultKind, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            hint: hint.into(),
            retry_at: None,
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)?;
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

/// The last good answer to a need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// Need id.
    pub need: String,
    /// Connection that answered.
    pub source: String,
    /// When it was read, world time.
    pub read_at: Instant,
    /// The newest data in it.
    pub newest: Instant,
    /// Seconds: the largest of the read's `every`, the bucket and the vendor's interval.
    pub cadence: u64,
    /// The records; series are moved into [`Observed::metrics`] and leave this empty.
    pub records: Records,
    /// Why it is partial.
    pub partial: Option<String>,
}

/// How fresh an observation is (law 2).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// Up to 1.5 cadences old.
    Fresh,
    /// Up to 2 cadences.
    Aging,
    /// Older: shown, satisfies nothing.
    Stale,
    /// Never read.
    Never,
}

impl Freshness {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Aging => "aging",
            Self::Stale => "stale",
            Self::Never => "never read",
        }
    }
    /// May it satisfy a verdict?
    pub fn usable(self) -> bool {
        matches!(self, Self::Fresh | Self::Aging)
    }
}

impl Observation {
    /// The larger of now − read-at and now − newest data.
    pub fn age(&self, now: Instant) -> chrono::Duration {
        (now - self.read_at).max(now - self.newest)
    }
    /// Law 2's freshness by the age in cadences.
    pub fn freshness(&self, now: Instant) -> Freshness {
        let age_ms = self.age(now).num_milliseconds();
        let cadence_ms = i64::try_from(self.cadence)
            .unwrap_or(i64::MAX)
            .saturating_mul(1000);
        if age_ms.saturating_mul(2) <= cadence_ms.saturating_mul(3) {
            Freshness::Fresh
        } else if age_ms < cadence_ms.saturating_mul(2) {
            Freshness::Aging
        } else {
            Freshness::Stale
        }
    }
}

/// What is known of one need.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Feed {
    /// Connection it reads from.
    pub source: String,
    /// The last good answer; kept when later reads fail.
    pub last: Option<Observation>,
    /// Why the latest read failed; `None` when it did not.
    pub fault: Option<Fault>,
    /// Since when it fails.
    pub failing_since: Option<Instant>,
    /// A read is on its way.
    pub reading: bool,
}

impl Feed {
    /// Freshness at `now`, never read included. After a clock jump (`not_before`) older readings are stale.
    pub fn freshness(&self, now: Instant, not_before: Option<Instant>) -> Freshness {
        match &self.last {
            None => Freshness::Never,
            Some(o) if not_before.is_some_and(|t| o.read_at < t) => Freshness::Stale,
            Some(o) => o.freshness(now),
        }
    }
}

/// Names one series: metric, service, group, part, bucket length.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct SeriesKey {
    /// Metric id.
    pub metric: String,
    /// Service.
    pub service: String,
    /// Value of the group label; empty without one.
    pub group: String,
    /// Which part.
    pub part: Part,
    /// Bucket length in seconds.
    pub step: u64,
}

/// Buckets of all series: bucket end (Unix seconds) → value.
pub type Buckets = BTreeMap<i64, f64>;

/// The process that looks: who, whether it may act, whether the journal takes writes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Session {
    /// The person, by the name in `[people]` where one matches.
    pub actor: String,
    /// How the person is known: `os user`, `by word`, …
    pub known_by: String,
    /// This machine.
    pub host: String,
    /// Process id.
    pub pid: u32,
    /// Started with `--read-only`.
    pub read_only: bool,
    /// One data directory on one machine.
    pub solo: bool,
    /// Releases whose driver's lease this process holds.
    pub drives: Vec<String>,
    /// Who holds the other leases: release → holder.
    pub leases: BTreeMap<String, String>,
    /// Who else acts on a service in an environment now: [`lock_name`] → holder.
    pub locks: BTreeMap<String, String>,
    /// Why the journal takes no writes; `None` when it does.
    pub journal_fault: Option<String>,
    /// Why acts are refused because the file is not trusted; `None` when it is.
    pub untrusted: Option<String>,
    /// Why the file on disk is not the policy in force (a broken file on reload).
    pub config_fault: Option<String>,
    /// Flies the embedded world.
    pub demo: Option<String>,
    /// Act ids under way in this process.
    pub in_flight: Vec<String>,
    /// Release and trigger view id → when its automatic countdown began, in real time; starts over after a clock jump.
    pub countdowns: BTreeMap<String, Instant>,
    /// Release and service the person looks at.
    pub focus: (Option<String>, Option<String>),
    /// Changes of cockpit.toml that are not in force while a release stands on the old.
    pub held: Vec<super::ground::Held>,
}

/// Name of the lock on a service in an environment: two rollbacks, or a rollback and a deployment, never work on one at once.
#[must_use]
pub fn lock_name(service: &str, environment: &str) -> String {
    format!("service/{service}/{environment}")
}

/// Everything observed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Observed {
    /// Need id → what is known.
    pub feeds: BTreeMap<String, Feed>,
    /// Series key → buckets.
    pub metrics: BTreeMap<SeriesKey, Buckets>,
    /// After a clock jump: nothing read earlier counts.
    pub not_before: Option<Instant>,
    /// The process that looks.
    pub session: Session,
    /// Windows and freezes of policy and calendars, indexed; made by [`super::rules::Rules::of`] whenever either changes.
    #[serde(skip)]
    pub rules: Option<std::sync::Arc<super::rules::Rules>>,
}

impl Observed {
    /// The last answer to a need, with its freshness.
    pub fn of(&self, need: &str, now: Now) -> (Option<&Observation>, Freshness) {
        self.feeds.get(need).map_or((None, Freshness::Never), |f| {
            (f.last.as_ref(), f.freshness(now.world, self.not_before))
        })
    }

    /// Reactions to a message, empty when none was read.
    pub fn reactions(&self, act: &str) -> &[Reaction] {
        match self
            .feeds
            .get(&format!("reactions/{act}"))
            .and_then(|f| f.last.as_ref())
            .map(|o| &o.records)
        {
            Some(Records::Reaction(list)) => list,
            _ => &[],
        }
    }
}
