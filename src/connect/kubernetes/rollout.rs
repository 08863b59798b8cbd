//! An Argo Rollout → our record. The phase is the controller's own where it says one and has seen the object; older controllers say
//! none, then it is told from conditions and replicas the way the vendor's own tools do.

use serde_json::{Value, json};

use super::analysis::doubts;
use super::shape::{
    REVISIONS, annotation, app, flag, hash, label, list, managed_by, marks, number, owned,
    revision, text, version,
};

/// A Rollout's phase in the vendor's words, with its sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// `Healthy`, `Progressing`, `Paused`, `Degraded`, another word that the controller says, or empty: no status.
    pub word: String,
    /// One sentence; may be empty.
    pub message: String,
}

fn phase(word: &str, message: impl Into<String>) -> Phase {
    Phase {
        word: word.to_owned(),
        message: message.into(),
    }
}

/// The hash of the template that is wanted.
#[must_use]
pub fn current_hash(ro: &Value) -> &str {
    text(ro, "/status/currentPodHash").unwrap_or_default()
}

/// The hash of what serves the rest of the traffic; controllers before 0.8 wrote it elsewhere.
#[must_use]
pub fn stable_hash(ro: &Value) -> &str {
    text(ro, "/status/stableRS")
        .or_else(|| text(ro, "/status/canary/stableRS"))
        .unwrap_or_default()
}

/// The canary's steps.
#[must_use]
pub fn steps(ro: &Value) -> &[Value] {
    list(ro, "/spec/strategy/canary/steps")
}

/// The step that runs, from 0.
#[must_use]
pub fn step_index(ro: &Value) -> usize {
    number(ro, "/status/currentStepIndex")
        .and_then(|i| usize::try_from(i).ok())
        .unwrap_or(0)
}

/// Was it aborted?
#[must_use]
pub fn aborted(ro: &Value) -> bool {
    flag(ro, "/status/abort")
        || list(ro, "/status/conditions")
            .iter()
            .any(|c| text(c, "/reason") == Some("RolloutAborted"))
}

/// Has the controller seen the object as it is? Controllers before 0.10 wrote a hash there, which may by chance be all digits.
pub fn observed(ro: &Value) -> bool {
    let generation = number(ro, "/metadata/generation").unwrap_or(0);
    let seen = text(ro, "/status/observedGeneration").and_then(|g| g.parse::<i64>().ok());
    let own = seen.is_none_or(|seen| seen >= generation);
    let wanted = annotation(ro, "rollout.argoproj.io/workload-generation");
    let workload = match (wanted, text(ro, "/status/workloadObservedGeneration")) {
        (Some(wanted), Some(seen)) => wanted == seen,
        _ => true,
    };
    own && workload
}

/// The phase.
#[must_use]
pub fn phase_of(ro: &Value) -> Phase {
    let status = ro.get("status").and_then(Value::as_object);
    if status.is_none_or(serde_json::Map::is_empty) {
        return phase("", "the controller says nothing of it yet");
    }
    if !observed(ro) {
        return phase("Progressing", "the controller has not seen the change yet");
    }
    let waits = list(ro, "/status/pauseConditions");
    if flag(ro, "/status/controllerPause") && waits.is_empty() {
        return phase("Progressing", "it is about to go on");
    }
    if let Some(word) = text(ro, "/status/phase") {
        return phase(word, text(ro, "/status/message").unwrap_or_default());
    }
    without_phase(ro)
}

/// For controllers before 1.0.
fn without_phase(ro: &Value) -> Phase {
    for condition in list(ro, "/status/conditions") {
        let (kind, reason) = (text(condition, "/type"), text(condition, "/reason"));
        let bad = kind == Some("InvalidSpec")
            || matches!(reason, Some("RolloutAborted" | "ProgressDeadlineExceeded"));
        if bad {
            let said = text(condition, "/message").unwrap_or_default();
            return phase(
                "Degraded",
                format!("{}: {said}", reason.unwrap_or_default()),
            );
        }
    }
    if flag(ro, "/spec/paused") {
        return phase("Paused", "paused by hand");
    }
    if let Some(wait) = list(ro, "/status/pauseConditions").first() {
        return phase("Paused", text(wait, "/reason").unwrap_or_default());
    }
    let wanted = number(ro, "/spec/replicas").unwrap_or(1);
    let count = |key: &str| number(ro, &format!("/status/{key}")).unwrap_or(0);
    let (all, updated, available) = (
        count("replicas"),
        count("updatedReplicas"),
        count("availableReplicas"),
    );
    if updated < wanted {
        return phase(
            "Progressing",
            format!("{updated} of {wanted} instances are new"),
        );
    }
    if available < updated {
        return phase("Progressing", "new instances are still coming up");
    }
    if ro.pointer("/spec/strategy/blueGreen").is_some() {
        let active = text(ro, "/status/blueGreen/activeSelector").unwrap_or_default();
        if active.is_empty() || active != current_hash(ro) {
            return phase("Progressing", "the old version still takes the traffic");
        }
        return phase("Healthy", "");
    }
    if all > updated && ro.pointer("/spec/strategy/canary/trafficRouting").is_none() {
        return phase("Progressing", "old instances are still going down");
    }
    let stable = stable_hash(ro);
    if stable.is_empty() || stable != current_hash(ro) {
        return phase("Progressing", "steps are left");
    }
    phase("Healthy", "")
}

/// Is an analysis running that the rollout waits for?
fn verifying(ro: &Value) -> bool {
    let waiting = [
        "/status/canary/currentStepAnalysisRunStatus/status",
        "/status/blueGreen/prePromotionAnalysisRunStatus/status",
        "/status/blueGreen/postPromotionAnalysisRunStatus/status",
    ]
    .iter()
    .any(|p| matches!(text(ro, p), Some("Running" | "Pending")));
    let step = steps(ro).get(step_index(ro));
    waiting || step.is_some_and(|s| s.get("analysis").is_some() || s.get("experiment").is_some())
}

fn state(ro: &Value, phase: &Phase) -> &'static str {
    match phase.word.as_str() {
        "Healthy" => "succeeded",
        "Paused" => "paused",
        "Progressing" if verifying(ro) => "verifying",
        "Progressing" => "running",
        "Degraded" if aborted(ro) => "cancelled",
        "Degraded" => "failed",
        _ => "unknown",
    }
}

/// Names of the analysis runs that the rollout waits for or that watch it now.
#[must_use]
pub fn analysis_names(ro: &Value) -> Vec<&str> {
    [
        "/status/canary/currentStepAnalysisRunStatus/name",
        "/status/canary/currentBackgroundAnalysisRunStatus/name",
        "/status/blueGreen/prePromotionAnalysisRunStatus/name",
        "/status/blueGreen/postPromotionAnalysisRunStatus/name",
    ]
    .iter()
    .filter_map(|p| text(ro, p))
    .collect()
}

/// Changes of weight: how many are done, how many there are. Pauses and analyses belong to the one before them.
fn stages(ro: &Value, phase: &Phase) -> Option<(usize, usize)> {
    let all = steps(ro);
    if all.is_empty() {
        return None;
    }
    let done = if phase.word == "Healthy" {
        all.len()
    } else {
        step_index(ro).min(all.len())
    };
    let weights = |part: &[Value]| part.iter().filter(|s| s.get("setWeight").is_some()).count();
    match weights(all) {
        0 => Some((done, all.len())),
        n => Some((weights(all.get(..done).unwrap_or(all)), n)),
    }
}

/// Share of traffic on the new version, in percent.
fn weight(ro: &Value, phase: &Phase) -> Option<f64> {
    if ro.pointer("/spec/strategy/blueGreen").is_some() {
        let active = text(ro, "/status/blueGreen/activeSelector")?;
        return Some(if active == current_hash(ro) {
            100.0
        } else {
            0.0
        });
    }
    ro.pointer("/spec/strategy/canary")?;
    if aborted(ro) {
        return Some(0.0);
    }
    if phase.word == "Healthy" {
        return Some(100.0);
    }
    if let Some(now) = ro.pointer("/status/canary/weights/canary/weight") {
        return now.as_f64();
    }
    let done = steps(ro).get(..step_index(ro)).unwrap_or_default();
    let set = done
        .iter()
        .rev()
        .find_map(|s| s.get("setWeight").and_then(Value::as_f64));
    match (set, steps(ro).is_empty()) {
        (Some(weight), _) => Some(weight),
        (None, false) => Some(0.0),
        (None, true) => None,
    }
}

/// Until when the old set of a blue-green rollout still runs: going back is then a switch of traffic.
fn fast_until<'a>(ro: &Value, sets: &[&'a Value]) -> Option<&'a str> {
    sets.iter()
        .filter(|rs| hash(rs) != Some(current_hash(ro)))
        .filter(|rs| number(rs, "/spec/replicas").is_none_or(|n| n > 0))
        .find_map(|rs| {
            [
                "argo-rollouts.argoproj.io/scale-down-deadline",
                "scale-down-deadline",
            ]
            .iter()
            .find_map(|name| annotation(rs, name))
        })
}

/// The record of a Rollout, as fields for [`crate::connect::records::build`].
///
/// `sets` are the namespace's ReplicaSets, `runs` the analysis runs of this Rollout as records.
#[must_use]
pub fn record(ro: &Value, sets: &[Value], runs: &[Value], environment: Option<&str>) -> Value {
    let name = text(ro, "/metadata/name").unwrap_or_default();
    let namespace = text(ro, "/metadata/namespace").unwrap_or_default();
    let own = owned(ro, sets);
    let app = app(ro);
    let of_set = |rs: &Value| {
        version(
            rs.pointer("/spec/template").unwrap_or(&Value::Null),
            name,
            app,
        )
    };
    let current = own.iter().find(|rs| hash(rs) == Some(current_hash(ro)));
    let stable = own.iter().find(|rs| hash(rs) == Some(stable_hash(ro)));
    let new = ro
        .pointer("/spec/template")
        .and_then(|t| version(t, name, app))
        .or_else(|| current.and_then(|rs| of_set(rs)));
    let moving = stable_hash(ro) != current_hash(ro);
    let before = if moving {
        stable.and_then(|rs| of_set(rs))
    } else {
        own.iter()
            .filter(|rs| hash(rs) != Some(current_hash(ro)))
            .find_map(|rs| of_set(rs))
    };
    let phase = phase_of(ro);
    let stages = stages(ro, &phase);
    let healthy = phase.word == "Healthy";
    let mut said: Vec<String> = Vec::new();
    said.extend(Some(phase.message.clone()).filter(|m| !m.is_empty()));
    said.extend(doubts(runs));
    let history: Vec<Value> = own
        .iter()
        .filter(|rs| hash(rs) != Some(current_hash(ro)))
        .filter_map(|rs| {
            Some(json!({ "id": revision(rs)?.to_string(), "version": of_set(rs)?, "at": text(rs, "/metadata/creationTimestamp") }))
        })
        .collect();
    json!({
        "id": format!("rollout/{namespace}/{name}"),
        "service": name,
        "environment": environment.or_else(|| label(ro, "environment")).unwrap_or_default(),
        "version": new.unwrap_or_default(),
        "previous": before,
        "state": state(ro, &phase),
        "vendor_state": vendor_state(ro, &phase),
        "health": Some(phase.word.clone()).filter(|w| !w.is_empty()),
        "strategy": if ro.pointer("/spec/strategy/blueGreen").is_some() { "blue-green" } else { "canary" },
        "step": stages.map(|s| s.0),
        "steps": stages.map(|s| s.1),
        "weight": weight(ro, &phase).map(|w| w.clamp(0.0, 100.0)),
        "started_at": text(ro, "/status/duration/rolloutStartedAt").or_else(|| current.and_then(|rs| text(rs, "/metadata/creationTimestamp"))),
        "step_at": text(ro, "/status/pauseConditions/0/startTime"),
        "finished_at": if healthy { finished(ro) } else { None },
        "message": Some(said.join(" · ")).filter(|m| !m.is_empty()),
        "intent": marks(ro).last().map(|m| m.id.clone()),
        "revision": format!("{} {} {} {}", number(ro, "/metadata/generation").unwrap_or(0), current_hash(ro), stable_hash(ro), step_index(ro)),
        "history": history,
        "history_limit": number(ro, "/spec/revisionHistoryLimit").unwrap_or(REVISIONS),
        "analysis": runs,
        "fast_until": fast_until(ro, &own),
        "managed_by": managed_by(ro),
    })
}

fn vendor_state(ro: &Value, phase: &Phase) -> String {
    let mut words = vec![phase.word.as_str()];
    if aborted(ro) {
        words.push("aborted");
    }
    words.retain(|w| !w.is_empty());
    if words.is_empty() {
        return "no status".to_owned();
    }
    words.join(", ")
}

fn finished(ro: &Value) -> Option<&str> {
    let of = |kind: &str, key: &str| {
        let all = list(ro, "/status/conditions").iter();
        all.filter(|c| text(c, "/type") == Some(kind))
            .find_map(|c| text(c, key))
    };
    text(ro, "/status/duration/finishedAt")
        .or_else(|| of("Completed", "/lastTransitionTime"))
        .or_else(|| of("Progressing", "/lastUpdateTime"))
}
