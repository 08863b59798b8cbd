//! A plain Deployment → our record. Kubernetes says no phase: it is told from generation, conditions and replicas.

use serde_json::{Value, json};

use super::rollout::Phase;
use super::shape::{
    REVISIONS, app, flag, label, list, managed_by, marks, number, owned, revision, text, version,
};

/// The phase of a Deployment.
#[must_use]
pub fn phase_of(deployment: &Value) -> Phase {
    let phase = |word: &str, message: String| Phase {
        word: word.to_owned(),
        message,
    };
    let Some(seen) = number(deployment, "/status/observedGeneration") else {
        return phase("", "the controller says nothing of it yet".to_owned());
    };
    if flag(deployment, "/spec/paused") {
        return phase("Paused", "paused by hand".to_owned());
    }
    if seen < number(deployment, "/metadata/generation").unwrap_or(0) {
        return phase(
            "Progressing",
            "the controller has not seen the change yet".to_owned(),
        );
    }
    for condition in list(deployment, "/status/conditions") {
        let said = text(condition, "/message").unwrap_or_default().to_owned();
        match (
            text(condition, "/type"),
            text(condition, "/reason"),
            text(condition, "/status"),
        ) {
            (Some("Progressing"), Some("ProgressDeadlineExceeded"), _)
            | (Some("ReplicaFailure"), _, Some("True")) => return phase("Degraded", said),
            _ => {}
        }
    }
    replicas(deployment)
}

fn replicas(deployment: &Value) -> Phase {
    let wanted = number(deployment, "/spec/replicas").unwrap_or(1);
    let count = |key: &str| number(deployment, &format!("/status/{key}")).unwrap_or(0);
    let (all, updated, available) = (
        count("replicas"),
        count("updatedReplicas"),
        count("availableReplicas"),
    );
    let message = if updated < wanted {
        format!("{updated} of {wanted} instances are new")
    } else if all > updated {
        format!("{} old instances are still going down", all - updated)
    } else if available < updated {
        format!("{available} of {updated} new instances are up")
    } else {
        String::new()
    };
    Phase {
        word: if message.is_empty() {
            "Healthy"
        } else {
            "Progressing"
        }
        .to_owned(),
        message,
    }
}

/// The record of a Deployment, as fields for [`crate::connect::records::build`]; `sets` are the namespace's ReplicaSets.
#[must_use]
pub fn record(deployment: &Value, sets: &[Value], environment: Option<&str>) -> Value {
    let name = text(deployment, "/metadata/name").unwrap_or_default();
    let namespace = text(deployment, "/metadata/namespace").unwrap_or_default();
    let own = owned(deployment, sets);
    let app = app(deployment);
    let of_set = |rs: &Value| {
        version(
            rs.pointer("/spec/template").unwrap_or(&Value::Null),
            name,
            app,
        )
    };
    let now = revision(deployment);
    let earlier: Vec<&&Value> = own.iter().filter(|rs| revision(rs) != now).collect();
    let current = own.iter().find(|rs| revision(rs) == now && now.is_some());
    let phase = phase_of(deployment);
    let state = match phase.word.as_str() {
        "Healthy" => "succeeded",
        "Paused" => "paused",
        "Progressing" => "running",
        "Degraded" => "failed",
        _ => "unknown",
    };
    let history: Vec<Value> = earlier
        .iter()
        .filter_map(|rs| {
            Some(json!({ "id": revision(rs)?.to_string(), "version": of_set(rs)?, "at": text(rs, "/metadata/creationTimestamp") }))
        })
        .collect();
    let progress = list(deployment, "/status/conditions")
        .iter()
        .find(|c| text(c, "/type") == Some("Progressing"));
    json!({
        "id": format!("deployment/{namespace}/{name}"),
        "service": name,
        "environment": environment.or_else(|| label(deployment, "environment")).unwrap_or_default(),
        "version": deployment.pointer("/spec/template").and_then(|t| version(t, name, app)).unwrap_or_default(),
        "previous": earlier.iter().find_map(|rs| of_set(rs)),
        "state": state,
        "vendor_state": if phase.word.is_empty() { "no status" } else { &phase.word },
        "health": Some(phase.word.clone()).filter(|w| !w.is_empty()),
        "strategy": "rolling",
        "started_at": current.and_then(|rs| text(rs, "/metadata/creationTimestamp")),
        "finished_at": if state == "succeeded" { progress.and_then(|c| text(c, "/lastUpdateTime")) } else { None },
        "message": Some(phase.message.clone()).filter(|m| !m.is_empty()),
        "intent": marks(deployment).last().map(|m| m.id.clone()),
        "revision": format!("{} {}", number(deployment, "/metadata/generation").unwrap_or(0), now.unwrap_or(0)),
        "history": history,
        "history_limit": number(deployment, "/spec/revisionHistoryLimit").unwrap_or(REVISIONS),
        "managed_by": managed_by(deployment),
    })
}
