//! What an application is at one moment: its Argo CD side and its Rollout. How it changes is in `timeline`.

use chrono::Duration;
use serde_json::Value;

use super::act::Info;
use super::shop::{Service, Step};
use crate::domain::time::Instant;

/// Where the shop runs. Staging applications carry the name's suffix.
pub const STAGING: &str = "-staging";

/// A version and the moment it first served.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// Version.
    pub version: String,
    /// First traffic.
    pub since: Instant,
}

/// Argo Rollouts' phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The wanted version serves alone.
    Healthy,
    /// On its way.
    Progressing,
    /// Waits at a step.
    Paused,
    /// Aborted.
    Degraded,
}

impl Phase {
    /// The vendor's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Progressing => "Progressing",
            Self::Paused => "Paused",
            Self::Degraded => "Degraded",
        }
    }

    /// Argo CD's health for it.
    #[must_use]
    pub fn health(self) -> &'static str {
        match self {
            Self::Paused => "Suspended",
            other => other.word(),
        }
    }
}

/// One step of a Rollout, as the vendor counts them: weights and pauses are steps of their own.
#[derive(Clone, Debug, PartialEq)]
pub enum VendorStep {
    /// Give the canary this share.
    Weight(u8),
    /// Wait for a span, or until resumed.
    Pause(Option<Duration>),
}

/// The Rollout of an application.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// What serves beside the canary.
    pub stable: Live,
    /// What is being rolled out.
    pub canary: Option<Live>,
    /// Share of the canary, percent.
    pub weight: u8,
    /// Index into the vendor's steps; their number when all are done.
    pub step: usize,
    /// Phase.
    pub phase: Phase,
    /// The vendor's sentence.
    pub message: String,
    /// Since when it waits.
    pub paused_since: Option<Instant>,
    /// Waits because somebody said so.
    pub held: bool,
    /// Somebody aborted it.
    pub aborted: bool,
    /// Counts changes of the template.
    pub revision: u32,
}

/// An Argo CD operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// `Running`, `Succeeded`, `Failed`.
    pub phase: &'static str,
    /// Sentence.
    pub message: String,
    /// Wanted revision.
    pub revision: String,
    /// Start.
    pub started: Instant,
    /// End.
    pub finished: Option<Instant>,
    /// Account.
    pub by: String,
    /// Started by auto-sync.
    pub automated: bool,
    /// The caller's marks.
    pub infos: Vec<Info>,
}

/// An entry of Argo CD's history.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Id.
    pub id: i64,
    /// Revision.
    pub revision: String,
    /// Start.
    pub started: Instant,
    /// End.
    pub deployed: Instant,
    /// Account.
    pub by: String,
    /// Started by auto-sync.
    pub automated: bool,
}

/// An application at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct App {
    /// Argo CD's spec, as JSON, because a restore must put back exactly what was held.
    pub spec: Value,
    /// Annotations of the application.
    pub annotations: Value,
    /// Last synced revision.
    pub synced: String,
    /// Current or last operation.
    pub operation: Option<Operation>,
    /// History, oldest first.
    pub history: Vec<Entry>,
    /// The Rollout.
    pub rollout: Rollout,
}

impl App {
    /// The chart version the application wants.
    #[must_use]
    pub fn target(&self) -> &str {
        self.spec
            .pointer("/source/targetRevision")
            .and_then(Value::as_str)
            .unwrap_or("")
    }

    /// Whether Argo CD syncs by itself.
    #[must_use]
    pub fn automated(&self) -> bool {
        match self.spec.pointer("/syncPolicy/automated") {
            None | Some(Value::Null) => false,
            Some(policy) => policy.get("enabled") != Some(&Value::Bool(false)),
        }
    }

    /// Whether an operation runs.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.operation
            .as_ref()
            .is_some_and(|operation| operation.phase == "Running")
    }

    /// Whether what was synced is what is wanted.
    #[must_use]
    pub fn in_sync(&self) -> bool {
        self.synced == self.target()
    }
}

/// The vendor's steps of a service.
#[must_use]
pub fn steps(service: &Service, staging: bool) -> Vec<VendorStep> {
    let quick = |weight| Step {
        weight,
        pause: Some(super::scenario::Offset(Duration::seconds(10))),
        hold: false,
    };
    let ours = if staging || service.steps.is_empty() {
        vec![
            quick(25),
            quick(50),
            Step {
                weight: 100,
                pause: None,
                hold: false,
            },
        ]
    } else {
        service.steps.clone()
    };
    ours.into_iter()
        .flat_map(|step| {
            let pause = match (step.hold, step.pause) {
                (true, _) => Some(VendorStep::Pause(None)),
                (false, Some(span)) => Some(VendorStep::Pause(Some(span.0))),
                (false, None) => None,
            };
            std::iter::once(VendorStep::Weight(step.weight)).chain(pause)
        })
        .collect()
}
