//! The vendor's own examples, whose file names say the health to be told, and our requests against the vendor's schemas.

use serde_json::{Value, json};

use cockpit::connect::driver::Driver;
use cockpit::domain::act::Verb;
use cockpit::domain::record::DeployState;

use super::cluster::Cluster;
use super::{act, canary, open, read, record, rolling};
use crate::contracts::{contracts, json_file};

/// Our states that a health word may be told as.
fn fits(health: &str, state: DeployState) -> bool {
    match health {
        "healthy" => state == DeployState::Succeeded,
        "progressing" => matches!(state, DeployState::Running | DeployState::Verifying),
        "suspended" => state == DeployState::Paused,
        "degraded" => matches!(state, DeployState::Failed | DeployState::Cancelled),
        _ => false,
    }
}

#[tokio::test]
async fn examples_are_told_as_their_names_say() {
    let Some(dir) = contracts() else {
        println!("not applicable: no examples beside the package");
        return;
    };
    let mut told = 0;
    for (folder, prefix, plural) in [
        ("argo-rollouts", "argocd-health.Rollout.", "rollouts"),
        ("kubernetes", "argocd-health.deployment-", "deployments"),
    ] {
        let Ok(files) = std::fs::read_dir(dir.join(folder).join("examples")) else {
            println!("not applicable: no examples of {folder}");
            continue;
        };
        for file in files.flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let Some(rest) = name.strip_prefix(prefix) else {
                continue;
            };
            let rest = rest
                .trim_end_matches(".json")
                .trim_start_matches("bluegreen.")
                .trim_start_matches("canary.");
            let health = rest.split('_').next().unwrap();
            let mut object = json_file(&file.path()).unwrap();
            object["metadata"]["namespace"] = "shop".into();
            let cluster = Cluster::start().await;
            if object["metadata"]["generation"].is_null() {
                object["metadata"]["generation"] = 0.into();
            }
            cluster.put(plural, object);
            let (list, _) = read(&open(&cluster)).await.unwrap();
            assert!(fits(health, list[0].state), "{name}: {:?}", list[0]);
            told += 1;
        }
    }
    assert!(told >= 20, "only {told} examples");
}

#[tokio::test]
async fn analysis_runs_are_told_by_their_phase() {
    let Some(dir) = contracts() else {
        println!("not applicable: no examples beside the package");
        return;
    };
    let Ok(files) = std::fs::read_dir(dir.join("argo-rollouts/examples")) else {
        println!("not applicable: no examples of argo-rollouts");
        return;
    };
    for file in files.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix("argocd-health.AnalysisRun.") else {
            continue;
        };
        let word = [
            "error",
            "failed",
            "inconclusive",
            "pending",
            "running",
            "successful",
        ]
        .into_iter()
        .find(|w| rest.starts_with(w));
        let mut run = json_file(&file.path()).unwrap();
        run["metadata"]["namespace"] = "shop".into();
        let cluster = Cluster::start().await;
        canary(&cluster);
        let mut rollout = cluster.get("rollouts", "checkout");
        rollout["status"]["canary"]["currentStepAnalysisRunStatus"] =
            json!({ "name": run["metadata"]["name"] });
        cluster.put("rollouts", rollout);
        cluster.put("analysisruns", run);
        let live = record(&open(&cluster), "checkout").await;
        let told = &live.analysis[0];
        match (rest, word) {
            (_, Some(word)) => assert_eq!(told.state, word, "{name}"),
            (rest, None) if rest.starts_with("terminated") => {
                // The vendor calls it successful; it was ended while it measured.
                assert_eq!(told.state, "successful");
                assert!(
                    live.message.unwrap().contains("ended from outside"),
                    "{told:?}"
                );
            }
            _ => assert_eq!(told.state, "unknown", "{name}"),
        }
    }
}

/// What of `body` the schema does not know, by path.
fn strangers(body: &Value, schema: &Value, root: &Value, at: &str, out: &mut Vec<String>) {
    let schema = match schema.get("$ref").and_then(Value::as_str) {
        Some(name) => &root["definitions"][name.rsplit('/').next().unwrap()],
        None => schema,
    };
    let Value::Object(map) = body else {
        let fits = match schema["type"].as_str() {
            None => true,
            Some("string") => body.is_string() || body.is_null(),
            Some("integer") => body.is_i64() || body.is_null(),
            Some("boolean") => body.is_boolean() || body.is_null(),
            Some("array") => body.is_array() || body.is_null(),
            Some(_) => body.is_null(),
        };
        if !fits {
            out.push(format!("{at} is no {}", schema["type"]));
        }
        return;
    };
    let free = schema.get("properties").is_none();
    for (key, value) in map {
        let at = format!("{at}.{key}");
        match schema["properties"].get(key) {
            Some(of) => strangers(value, of, root, &at, out),
            None if free => {}
            None => out.push(at),
        }
    }
}

#[tokio::test]
async fn what_is_sent_is_what_the_vendors_describe() {
    let Some(dir) = contracts() else {
        println!("not applicable: no API descriptions beside the package");
        return;
    };
    let crd = json_file(&dir.join("argo-rollouts/rollout-crd.schema.json"));
    let api = json_file(&dir.join("kubernetes/openapi.json"));
    let (Some(crd), Some(api)) = (crd, api) else {
        println!("not applicable: no API description of Kubernetes");
        return;
    };
    let deployment = api["definitions"]
        .as_object()
        .unwrap()
        .iter()
        .find(|(name, _)| name.ends_with("apps.v1.Deployment"))
        .unwrap()
        .1
        .clone();
    let mut checked = 0;
    for verb in [
        Verb::Promote,
        Verb::Abort,
        Verb::Pause,
        Verb::Restart,
        Verb::Rollback,
        Verb::Deploy,
    ] {
        for (id, schema, root) in [
            ("rollout/shop/checkout", &crd, &crd),
            ("deployment/shop/payments", &deployment, &api),
        ] {
            let cluster = Cluster::start().await;
            canary(&cluster);
            rolling(&cluster);
            let version = match (verb, id.starts_with("rollout")) {
                (Verb::Rollback, true) => "2.13.4",
                (Verb::Rollback, false) => "1.4.0",
                _ => "9.9",
            };
            let k8s = open(&cluster);
            let _ = k8s
                .act(&act(verb, json!({ "id": id, "version": version })))
                .await;
            for sent in cluster.patches() {
                let mut found = Vec::new();
                match sent.content.as_str() {
                    "application/merge-patch+json" => {
                        let mut body = sent.body.clone();
                        body.as_object_mut().unwrap().remove("metadata");
                        strangers(&body, schema, root, "", &mut found);
                    }
                    _ => {
                        for operation in sent.body.as_array().unwrap() {
                            assert!(
                                ["test", "replace", "add"]
                                    .contains(&operation["op"].as_str().unwrap())
                            );
                            if operation["path"] == "/spec/template" {
                                strangers(
                                    &json!({ "spec": { "template": operation["value"] } }),
                                    schema,
                                    root,
                                    "",
                                    &mut found,
                                );
                            }
                        }
                    }
                }
                assert!(
                    found.is_empty(),
                    "{verb:?} {id}: not described: {found:?} in {}",
                    sent.body
                );
                // The path is one that the server has.
                let plain = sent
                    .path
                    .replace("/shop/", "/{namespace}/")
                    .replace("/checkout", "/{name}")
                    .replace("/payments", "/{name}");
                if id.starts_with("deployment") {
                    assert!(api["paths"][&plain]["patch"].is_object(), "{plain}");
                }
                checked += 1;
            }
        }
    }
    assert!(checked >= 10, "only {checked} requests");
}
