//! How Argo CD and Argo Rollouts show the world's applications.

use serde_json::{Value, json};

use super::{hex, stamp};
use crate::demo::scenario::Scenario;
use crate::demo::shop::Service;
use crate::demo::state::{App, Entry, Operation, Phase, STAGING, VendorStep};
use crate::demo::world::View;
use crate::domain::time::Instant;

/// The service behind an application's name.
#[must_use]
pub fn service<'a>(scenario: &'a Scenario, app: &str) -> Option<&'a Service> {
    scenario.service(app.strip_suffix(STAGING).unwrap_or(app))
}

/// The image of a version.
#[must_use]
pub fn image(service: &Service, version: &str) -> String {
    format!("registry.acme.example/shop/{}:{version}", service.name)
}

fn source(app: &App, revision: &str) -> Value {
    let mut source = app.spec.get("source").cloned().unwrap_or_default();
    if let Some(fields) = source.as_object_mut() {
        fields.insert("targetRevision".to_owned(), json!(revision));
    }
    source
}

/// An application as `GET /api/v1/applications/{name}` shows it.
#[must_use]
pub fn application(scenario: &Scenario, view: &View, name: &str) -> Option<Value> {
    let app = view.app(name)?;
    let service = service(scenario, name)?;
    let timeline = view.timelines.get(name)?;
    let changed = timeline
        .states()
        .iter()
        .take_while(|(from, _)| *from <= view.now)
        .count();
    let since = timeline
        .states()
        .get(changed.saturating_sub(1))
        .map_or(view.now, |(from, _)| *from);
    let rollout = &app.rollout;
    let mut images = vec![image(service, &rollout.stable.version)];
    images.extend(
        rollout
            .canary
            .iter()
            .map(|live| image(service, &live.version)),
    );
    let environment = if name.ends_with(STAGING) {
        "staging"
    } else {
        "production"
    };
    Some(json!({
        "metadata": {
            "name": name,
            "namespace": "argocd",
            "uid": hex(name, 32),
            "resourceVersion": (700_000 + changed).to_string(),
            "generation": changed,
            "creationTimestamp": stamp(scenario.starts - chrono::Duration::days(200)),
            "labels": { "app.kubernetes.io/name": service.name, "team": service.team, "environment": environment },
            "annotations": app.annotations,
        },
        "spec": app.spec,
        "status": {
            "resources": resources(app, service),
            "sync": {
                "status": if app.in_sync() { "Synced" } else { "OutOfSync" },
                "comparedTo": { "source": app.spec.get("source"), "destination": app.spec.get("destination") },
                "revision": app.synced,
            },
            "health": { "status": rollout.phase.health(), "lastTransitionTime": stamp(since) },
            "history": app.history.iter().map(|entry| history(app, entry)).collect::<Vec<_>>(),
            "reconciledAt": stamp(view.now - chrono::Duration::seconds(view.now.timestamp().rem_euclid(30))),
            "operationState": app.operation.as_ref().map(|operation| operation_state(app, operation)),
            "sourceType": "Helm",
            "summary": { "images": images, "externalURLs": [format!("https://{}.acme.example", service.name)] },
            "controllerNamespace": "argocd",
        },
    }))
}

fn resources(app: &App, service: &Service) -> Value {
    let namespace = app
        .spec
        .pointer("/destination/namespace")
        .cloned()
        .unwrap_or_default();
    let sync = if app.in_sync() { "Synced" } else { "OutOfSync" };
    let rollout = &app.rollout;
    let message = match rollout.phase {
        Phase::Healthy => Value::Null,
        _ => json!(rollout.message),
    };
    json!([
        { "version": "v1", "kind": "Service", "namespace": namespace, "name": service.name, "status": "Synced", "health": { "status": "Healthy" } },
        {
            "group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout", "namespace": namespace, "name": service.name,
            "status": sync, "health": { "status": rollout.phase.health(), "message": message },
        },
    ])
}

fn history(app: &App, entry: &Entry) -> Value {
    json!({
        "id": entry.id,
        "revision": entry.revision,
        "deployStartedAt": stamp(entry.started),
        "deployedAt": stamp(entry.deployed),
        "source": source(app, &entry.revision),
        "initiatedBy": initiator(&entry.by, entry.automated),
    })
}

fn initiator(by: &str, automated: bool) -> Value {
    if automated {
        json!({ "automated": true })
    } else {
        json!({ "username": by })
    }
}

fn operation_state(app: &App, operation: &Operation) -> Value {
    let mut state = json!({
        "operation": {
            "sync": { "revision": operation.revision, "source": source(app, &operation.revision) },
            "initiatedBy": initiator(&operation.by, operation.automated),
            "info": operation.infos,
            "retry": {},
        },
        "phase": operation.phase,
        "message": operation.message,
        "startedAt": stamp(operation.started),
        "syncResult": { "revision": operation.revision, "source": source(app, &operation.revision) },
    });
    if let (Some(finished), Some(fields)) = (operation.finished, state.as_object_mut()) {
        fields.insert("finishedAt".to_owned(), json!(stamp(finished)));
    }
    state
}

/// The Rollout's manifest, as the cluster holds it.
#[must_use]
pub fn rollout(scenario: &Scenario, view: &View, name: &str) -> Option<Value> {
    let app = view.app(name)?;
    let service = service(scenario, name)?;
    let timeline = view.timelines.get(name)?;
    let rollout = &app.rollout;
    let wanted = rollout.canary.as_ref().unwrap_or(&rollout.stable);
    let hash = |version: &str| hex(&format!("{name} {version}"), 10);
    let updated = match &rollout.canary {
        Some(_) => (service.replicas * u32::from(rollout.weight)).div_ceil(100),
        None => service.replicas,
    };
    let weights = json!({
        "canary": { "podTemplateHash": hash(&wanted.version), "serviceName": format!("{}-canary", service.name), "weight": rollout.weight },
        "stable": {
            "podTemplateHash": hash(&rollout.stable.version),
            "serviceName": format!("{}-stable", service.name),
            "weight": 100 - rollout.weight,
        },
    });
    let mut status = json!({
        "HPAReplicas": service.replicas,
        "replicas": service.replicas,
        "readyReplicas": service.replicas,
        "availableReplicas": service.replicas,
        "updatedReplicas": updated,
        "blueGreen": {},
        "canary": { "weights": weights },
        "conditions": conditions(app),
        "currentPodHash": hash(&wanted.version),
        "currentStepHash": hex(&format!("{:?}", timeline.steps()), 10),
        "currentStepIndex": rollout.step,
        "observedGeneration": rollout.revision.to_string(),
        "phase": rollout.phase.word(),
        "selector": format!("app={}", service.name),
        "stableRS": hash(&rollout.stable.version),
    });
    if let Some(fields) = status.as_object_mut() {
        if !rollout.message.is_empty() {
            fields.insert("message".to_owned(), json!(rollout.message));
        }
        if rollout.aborted {
            fields.insert("abort".to_owned(), json!(true));
        }
        if let Some(since) = rollout.paused_since.filter(|_| !rollout.held) {
            fields.insert("controllerPause".to_owned(), json!(true));
            fields.insert(
                "pauseConditions".to_owned(),
                json!([{ "reason": "CanaryPauseStep", "startTime": stamp(since) }]),
            );
        }
    }
    Some(json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": service.name,
            "namespace": app.spec.pointer("/destination/namespace"),
            "uid": hex(&format!("rollout {name}"), 32),
            "generation": rollout.revision,
            "creationTimestamp": stamp(scenario.starts - chrono::Duration::days(200)),
            "annotations": { "rollout.argoproj.io/revision": rollout.revision.to_string() },
        },
        "spec": {
            "replicas": service.replicas,
            "paused": rollout.held,
            "revisionHistoryLimit": 3,
            "selector": { "matchLabels": { "app": service.name } },
            "strategy": { "canary": {
                "canaryService": format!("{}-canary", service.name),
                "stableService": format!("{}-stable", service.name),
                "steps": timeline.steps().iter().map(step).collect::<Vec<_>>(),
            }},
            "template": {
                "metadata": { "labels": { "app": service.name, "version": wanted.version } },
                "spec": { "containers": [{ "name": service.name, "image": image(service, &wanted.version) }] },
            },
        },
        "status": status,
    }))
}

fn step(step: &VendorStep) -> Value {
    match step {
        VendorStep::Weight(weight) => json!({ "setWeight": weight }),
        VendorStep::Pause(None) => json!({ "pause": {} }),
        VendorStep::Pause(Some(span)) => {
            json!({ "pause": { "duration": format!("{}s", span.num_seconds()) } })
        }
    }
}

fn conditions(app: &App) -> Value {
    let rollout = &app.rollout;
    let (status, reason) = match rollout.phase {
        Phase::Healthy => ("True", "NewReplicaSetAvailable"),
        Phase::Progressing => ("True", "ReplicaSetUpdated"),
        Phase::Paused => ("Unknown", "RolloutPaused"),
        Phase::Degraded => ("False", "RolloutAborted"),
    };
    let done = rollout.phase == Phase::Healthy;
    json!([
        { "type": "Available", "status": "True", "reason": "AvailableReason", "message": "Rollout has minimum availability" },
        { "type": "Progressing", "status": status, "reason": reason, "message": rollout.message },
        { "type": "Completed", "status": if done { "True" } else { "False" }, "reason": "RolloutCompleted", "message": "RolloutCompleted" },
    ])
}

/// Metadata of a chart version.
#[must_use]
pub fn revision(scenario: &Scenario, service: &Service, version: &str, at: Instant) -> Value {
    let first = scenario
        .commits
        .iter()
        .rfind(|commit| commit.service == service.name && commit.version == version);
    json!({
        "author": first.map_or("ana", |commit| &commit.author),
        "date": stamp(at),
        "tags": [version],
        "message": first.map_or_else(|| format!("{} {version}", service.name), |commit| commit.message.clone()),
    })
}

/// The tree of an application's resources.
#[must_use]
pub fn tree(scenario: &Scenario, view: &View, name: &str) -> Option<Value> {
    let app = view.app(name)?;
    let service = service(scenario, name)?;
    let namespace = app
        .spec
        .pointer("/destination/namespace")
        .cloned()
        .unwrap_or_default();
    let rollout = &app.rollout;
    let parent = json!({ "group": "argoproj.io", "kind": "Rollout", "namespace": namespace, "name": service.name, "uid": hex(&format!("rollout {name}"), 32) });
    let mut nodes = vec![json!({
        "group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout", "namespace": namespace, "name": service.name,
        "uid": hex(&format!("rollout {name}"), 32), "health": { "status": rollout.phase.health() },
        "images": [image(service, &rollout.canary.as_ref().unwrap_or(&rollout.stable).version)],
    })];
    for live in std::iter::once(&rollout.stable).chain(&rollout.canary) {
        let hash = hex(&format!("{name} {}", live.version), 10);
        nodes.push(json!({
            "group": "apps", "version": "v1", "kind": "ReplicaSet", "namespace": namespace, "name": format!("{}-{hash}", service.name),
            "uid": hex(&hash, 32), "parentRefs": [parent], "health": { "status": "Healthy" }, "images": [image(service, &live.version)],
            "createdAt": stamp(live.since),
        }));
    }
    Some(json!({ "nodes": nodes, "orphanedNodes": [], "hosts": [] }))
}
