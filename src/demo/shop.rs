//! The parts of the shop file: services, people, commits, calendar.

use serde::Deserialize;

use super::scenario::Offset;

/// One step of a canary.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Share of the traffic for the new version, percent.
    pub weight: u8,
    /// How long to stay there; none with `hold = false` means to go on at once.
    #[serde(default)]
    pub pause: Option<Offset>,
    /// Stay until somebody resumes.
    #[serde(default)]
    pub hold: bool,
}

/// A version that served before the story began.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// Version.
    pub version: String,
    /// How long before the story's start it was deployed (positive).
    pub ago: Offset,
}

/// One service of the shop.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Name; also of its repository, its chart, its image and its production application.
    pub name: String,
    /// Owning team.
    pub team: String,
    /// What it calls.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// `argocd` or `github`: what deploys it.
    #[serde(default = "argocd")]
    pub delivery: String,
    /// Requests a second in production at the day's average.
    pub rps: f64,
    /// Share of requests that fail, 0 to 1.
    pub errors: f64,
    /// Median duration, milliseconds.
    pub p50_ms: f64,
    /// Spread of the logarithm of durations (log-normal).
    #[serde(default = "sigma")]
    pub sigma: f64,
    /// Carts opened a second, where it has a business metric.
    #[serde(default)]
    pub carts: f64,
    /// Share of carts that become orders.
    #[serde(default)]
    pub conversion: f64,
    /// Versions in production, oldest first; the last one serves when the story begins.
    pub past: Vec<Past>,
    /// Versions that exist in the registry beside those, newest last; the last one runs in staging.
    #[serde(default)]
    pub next: Vec<String>,
    /// Canary steps; empty means three quick ones.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// Pods in production.
    #[serde(default = "replicas")]
    pub replicas: u32,
}

fn argocd() -> String {
    "argocd".to_owned()
}
fn sigma() -> f64 {
    0.6
}
fn replicas() -> u32 {
    4
}

impl Service {
    /// The version that serves when the story begins.
    #[must_use]
    pub fn live(&self) -> &str {
        self.past.last().map_or("0.0.0", |past| &past.version)
    }

    /// The newest version that exists: what staging runs.
    #[must_use]
    pub fn newest(&self) -> &str {
        self.next.last().map_or_else(|| self.live(), String::as_str)
    }

    /// Every version the registry holds, oldest first.
    pub fn versions(&self) -> impl Iterator<Item = &str> {
        self.past
            .iter()
            .map(|past| past.version.as_str())
            .chain(self.next.iter().map(String::as_str))
    }
}

/// A person of the shop.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Short name; login in every system.
    pub name: String,
    /// Full name.
    pub full: String,
    /// E-mail address.
    pub email: String,
    /// Slack user id.
    pub slack: String,
    /// PagerDuty user id.
    pub pagerduty: String,
    /// Escalation level: 1 is primary; 0 is not on call.
    #[serde(default)]
    pub level: u32,
    /// World time between a message to the on-call channel and this person's check mark; none never answers.
    #[serde(default)]
    pub answers_after: Option<Offset>,
}

/// A commit between two versions of a service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// Service (repository).
    pub service: String,
    /// The first version that contains it.
    pub version: String,
    /// Message; may be hostile on purpose.
    pub message: String,
    /// Short name of the author.
    pub author: String,
    /// Paths it touched.
    #[serde(default)]
    pub files: Vec<String>,
}

/// An entry of the calendar feed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarEvent {
    /// Stable id.
    pub uid: String,
    /// Title.
    pub summary: String,
    /// Start: `2026-12-23` (whole days) or `2026-11-17T16:50:00` (local to the feed's zone).
    pub start: String,
    /// End, exclusive, in the same form as `start`.
    pub end: String,
    /// RFC 5545 recurrence rule.
    #[serde(default)]
    pub rrule: Option<String>,
    /// Categories, e.g. `FREEZE`, `RELEASE`.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Longer text.
    #[serde(default)]
    pub description: String,
    /// Offset from which the feed carries it.
    #[serde(default)]
    pub appears: Option<Offset>,
}
