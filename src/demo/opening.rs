//! The applications of the shop as they stand before anything happens.

use std::collections::BTreeMap;

use chrono::Duration;
use serde_json::{Value, json};

use super::scenario::Scenario;
use super::shop::Service;
use super::state::{App, Entry, Live, Operation, Phase, Rollout, STAGING, steps};
use super::timeline::Timeline;

/// All applications by name, before any act.
#[must_use]
pub fn initial(scenario: &Scenario) -> BTreeMap<String, Timeline> {
    let mut timelines = BTreeMap::new();
    for service in &scenario.services {
        for staging in [false, true] {
            let (name, timeline) = first(scenario, service, staging);
            timelines.insert(name, timeline);
        }
    }
    timelines
}

fn first(scenario: &Scenario, service: &Service, staging: bool) -> (String, Timeline) {
    let start = scenario
        .apps
        .iter()
        .find(|app| app.service == service.name && !staging);
    let suffix = if staging { STAGING } else { "" };
    let live = if staging {
        service.newest()
    } else {
        service.live()
    };
    let history = history(scenario, service, staging);
    let since = history
        .last()
        .map_or(scenario.starts, |entry| entry.deployed);
    let target = start
        .and_then(|start| start.target.as_deref())
        .unwrap_or(live);
    let steps = steps(service, staging);
    let app = App {
        spec: spec(
            service,
            target,
            staging || start.is_some_and(|start| start.auto_sync),
            staging,
        ),
        annotations: json!({}),
        synced: live.to_owned(),
        operation: history.last().map(|entry| Operation {
            phase: "Succeeded",
            message: "successfully synced (all tasks run)".to_owned(),
            revision: entry.revision.clone(),
            started: entry.started,
            finished: Some(entry.deployed),
            by: entry.by.clone(),
            automated: entry.automated,
            infos: Vec::new(),
        }),
        rollout: Rollout {
            stable: Live {
                version: live.to_owned(),
                since,
            },
            canary: None,
            weight: 0,
            step: steps.len(),
            phase: Phase::Healthy,
            message: String::new(),
            paused_since: None,
            held: false,
            aborted: false,
            revision: u32::try_from(history.len()).unwrap_or(1),
        },
        history,
    };
    (
        format!("{}{suffix}", service.name),
        Timeline::new(steps, since, app),
    )
}

fn history(scenario: &Scenario, service: &Service, staging: bool) -> Vec<Entry> {
    let past = service
        .past
        .iter()
        .map(|past| (past.version.as_str(), past.ago.0));
    // Staging is ahead: it had each version two days before production, and the newest since two days.
    let ahead = service
        .next
        .iter()
        .map(|version| (version.as_str(), Duration::zero()))
        .filter(|_| staging);
    past.chain(ahead)
        .zip(1_i64..)
        .map(|((version, ago), id)| {
            let deployed = scenario.starts
                - ago
                - if staging {
                    Duration::days(2)
                } else {
                    Duration::zero()
                };
            Entry {
                id,
                revision: version.to_owned(),
                started: deployed - Duration::minutes(21),
                deployed,
                by: if staging {
                    String::new()
                } else {
                    "ana".to_owned()
                },
                automated: staging,
            }
        })
        .collect()
}

fn spec(service: &Service, target: &str, automated: bool, staging: bool) -> Value {
    let mut spec = json!({
        "project": "shop",
        "source": { "repoURL": "https://charts.acme.example", "chart": service.name, "targetRevision": target },
        "destination": {
            "server": "https://kubernetes.default.svc",
            "namespace": if staging { "shop-staging" } else { "shop" },
        },
        "syncPolicy": { "syncOptions": ["CreateNamespace=true"] },
    });
    if automated && let Some(policy) = spec.get_mut("syncPolicy").and_then(Value::as_object_mut) {
        policy.insert(
            "automated".to_owned(),
            json!({ "prune": true, "selfHeal": true }),
        );
    }
    spec
}
