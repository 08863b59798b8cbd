//! Acts: what the cockpit asks the outside to do, and what came of it (law 4).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an action does, in the field's words; a connector's action names one as its `verb`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Start a deployment.
    Deploy,
    /// Go back to an earlier version.
    Rollback,
    /// Go on to the next step.
    Promote,
    /// Go on past all steps, pauses and analyses.
    PromoteFull,
    /// Stop the rollout and return to the old version.
    Abort,
    /// Hold the rollout where it is.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Restart instances.
    Restart,
    /// Try the failed rollout again.
    Retry,
    /// Stop what would fight an act, such as auto-sync; keeps the field as it was.
    Hold,
    /// Put back exactly what a hold replaced.
    ReleaseHold,
    /// Turn a feature flag on or off.
    ToggleFlag,
    /// Open an incident.
    CreateIncident,
    /// Acknowledge an incident.
    Ack,
    /// Send a message.
    PostMessage,
    /// Change a message.
    UpdateMessage,
    /// Comment on a ticket.
    Comment,
    /// Move a ticket.
    Transition,
    /// Approve at the vendor.
    Approve,
    /// Start a job.
    Run,
    /// Silence an alert.
    Silence,
    /// Mark a moment on a dashboard.
    Annotate,
}

impl Verb {
    /// The word shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Rollback => "roll back",
            Self::Promote => "promote",
            Self::PromoteFull => "promote fully",
            Self::Abort => "abort",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Restart => "restart",
            Self::Retry => "retry",
            Self::Hold => "hold",
            Self::ReleaseHold => "release hold",
            Self::ToggleFlag => "toggle flag",
            Self::CreateIncident => "create incident",
            Self::Ack => "acknowledge",
            Self::PostMessage => "post message",
            Self::UpdateMessage => "update message",
            Self::Comment => "comment",
            Self::Transition => "transition",
            Self::Approve => "approve",
            Self::Run => "run",
            Self::Silence => "silence",
            Self::Annotate => "annotate",
        }
    }
}

/// An act as it is intended: complete before the first byte goes out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Act {
    /// The mark that travels to the vendor where it can. Unique; two acts with the same id are the same act.
    pub id: String,
    /// Connection that performs it.
    pub connection: String,
    /// What it does.
    pub verb: Verb,
    /// Arguments for the connector's action. Never a secret.
    pub args: BTreeMap<String, Value>,
    /// Release it belongs to.
    pub release: Option<String>,
    /// Service it touches.
    pub service: Option<String>,
    /// Environment it touches.
    pub environment: Option<String>,
    /// Why, as typed or as derived.
    pub reason: String,
    /// The effect in one sentence, as the dialog said it.
    pub summary: String,
}

/// What the vendor gave back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Receipt {
    /// Vendor's id of what was started.
    pub id: Option<String>,
    /// A page a person can open.
    pub url: Option<String>,
    /// Further fields, redacted.
    pub fields: BTreeMap<String, Value>,
}

/// What came of an act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The vendor accepted it.
    Confirmed {
        /// What it gave back.
        receipt: Receipt,
    },
    /// It certainly did not happen.
    Refused {
        /// Why.
        why: String,
    },
    /// It may or may not have happened; to be looked up by its mark, never repeated.
    Unknown {
        /// Why it is not known.
        why: String,
    },
}

impl Outcome {
    /// The word shown.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Confirmed { .. } => "confirmed",
            Self::Refused { .. } => "refused",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// How much harm an action can do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Danger {
    /// Nothing outside changes, or it is easily undone.
    Low,
    /// Something changes outside.
    Medium,
    /// The service's name is typed.
    High,
}
