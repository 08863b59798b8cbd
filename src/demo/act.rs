//! What can be done to the world. The same type serves the script of a scenario, the acts accepted from outside and the file
//! they are kept in, so that a resumed world is folded from exactly what was answered for.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::time::Instant;

/// One accepted act: its place in the world's order, when it took effect (world time), and what it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    /// 1, 2, 3 … over acts from outside; 0 for the scenario's own script.
    #[serde(default)]
    pub number: u64,
    /// World time at which it was accepted.
    pub at: Instant,
    /// What was done.
    pub act: Act,
}

/// A name and a value that travel with an Argo CD operation; a caller's intent id arrives here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Key.
    #[serde(default)]
    pub name: String,
    /// Value.
    #[serde(default)]
    pub value: String,
}

/// An act, in the vendor's terms. `by` is the account that acted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Argo CD: bring `app` to `revision`.
    Sync {
        /// Application name.
        app: String,
        /// Chart version.
        revision: String,
        /// Account.
        #[serde(default = "someone")]
        by: String,
        /// Whether auto-sync did it.
        #[serde(default)]
        automated: bool,
        /// Marks of the caller.
        #[serde(default)]
        infos: Vec<Info>,
    },
    /// Argo CD: back to entry `id` of the application's history.
    Rollback {
        /// Application name.
        app: String,
        /// History id.
        id: i64,
        /// Account.
        #[serde(default = "someone")]
        by: String,
    },
    /// Argo CD: an action on the application's Rollout.
    Rollout {
        /// Application name.
        app: String,
        /// `resume`, `promote-full`, `abort`, `retry`, `pause`, `skip-current-step` or `restart`.
        action: String,
    },
    /// Argo CD: the application's spec and annotations were replaced (the result of a patch, not the patch).
    Patch {
        /// Application name.
        app: String,
        /// The whole new spec.
        spec: Value,
        /// The whole new annotations.
        annotations: Value,
    },
    /// Argo CD: the running operation was ended.
    Terminate {
        /// Application name.
        app: String,
    },
    /// GitHub: a deployment record was created.
    Deployment {
        /// Repository name.
        repo: String,
        /// Deployment id.
        id: u64,
        /// Ref to deploy.
        reference: String,
        /// Environment.
        environment: String,
        /// Description.
        #[serde(default)]
        description: String,
        /// Payload as sent.
        #[serde(default)]
        payload: Value,
        /// Account.
        #[serde(default = "someone")]
        by: String,
    },
    /// GitHub: a status was put on a deployment.
    DeploymentStatus {
        /// Repository name.
        repo: String,
        /// Deployment id.
        deployment: u64,
        /// State word.
        state: String,
        /// Description.
        #[serde(default)]
        description: String,
    },
    /// GitHub: a workflow was started by hand.
    Dispatch {
        /// Repository name.
        repo: String,
        /// Run id.
        id: u64,
        /// Workflow file.
        workflow: String,
        /// Ref.
        reference: String,
        /// Inputs as sent.
        #[serde(default)]
        inputs: Value,
        /// Account.
        #[serde(default = "someone")]
        by: String,
    },
    /// PagerDuty: an incident was opened.
    Incident {
        /// Incident id.
        id: String,
        /// Title.
        title: String,
        /// Service name.
        service: String,
        /// `high` or `low`.
        urgency: String,
        /// Key that makes creation idempotent.
        #[serde(default)]
        key: String,
    },
    /// PagerDuty: an incident changed its status.
    IncidentStatus {
        /// Incident id.
        id: String,
        /// `acknowledged` or `resolved`.
        status: String,
        /// Account (the `From` header).
        by: String,
    },
    /// PagerDuty: a note on an incident.
    Note {
        /// Incident id.
        id: String,
        /// Text.
        content: String,
        /// Account (the `From` header).
        by: String,
    },
    /// Slack: a message.
    Message {
        /// Channel id.
        channel: String,
        /// Slack's time stamp, the message's name.
        ts: String,
        /// Text as sent.
        text: String,
        /// The thread's first message, where it is a reply.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<String>,
        /// User id.
        by: String,
        /// Metadata as sent (a caller's intent id may be here).
        #[serde(default)]
        metadata: Value,
    },
    /// Slack: a message's text was replaced.
    Edit {
        /// Channel id.
        channel: String,
        /// Message.
        ts: String,
        /// New text.
        text: String,
    },
    /// Slack: a reaction was added.
    Reaction {
        /// Channel id.
        channel: String,
        /// Message.
        ts: String,
        /// Emoji name without colons.
        name: String,
        /// User id.
        by: String,
    },
    /// Alertmanager: a silence was made.
    Silence {
        /// Silence id.
        id: String,
        /// The silence as posted.
        body: Value,
    },
    /// Alertmanager: a silence was ended.
    SilenceEnd {
        /// Silence id.
        id: String,
    },
}

fn someone() -> String {
    "unknown".to_owned()
}

impl Act {
    /// The word under which the control port counts it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Sync { .. } => "argocd.sync",
            Self::Rollback { .. } => "argocd.rollback",
            Self::Rollout { .. } => "argocd.rollout",
            Self::Patch { .. } => "argocd.patch",
            Self::Terminate { .. } => "argocd.terminate",
            Self::Deployment { .. } => "github.deployment",
            Self::DeploymentStatus { .. } => "github.deployment_status",
            Self::Dispatch { .. } => "github.dispatch",
            Self::Incident { .. } => "pagerduty.incident",
            Self::IncidentStatus { .. } => "pagerduty.incident_status",
            Self::Note { .. } => "pagerduty.note",
            Self::Message { .. } => "slack.message",
            Self::Edit { .. } => "slack.edit",
            Self::Reaction { .. } => "slack.reaction",
            Self::Silence { .. } => "alertmanager.silence",
            Self::SilenceEnd { .. } => "alertmanager.silence_end",
        }
    }
}
