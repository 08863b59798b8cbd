//! What the driver reads, and how it watches.

use std::time::Duration;

use cockpit::connect::driver::Driver;
use cockpit::domain::observe::FaultKind;
use cockpit::domain::record::{DeployState, Strategy};
use futures::StreamExt;
use serde_json::{Value, json};

use super::cluster::{Cluster, PATIENCE};
use super::{Hand, TOKEN, call, canary, driver, open, read, record, rolling, set, spec, template};

#[tokio::test]
async fn a_canary_is_read_whole() {
    let cluster = Cluster::start().await;
    cluster.inner.lock().unwrap().token = Some(TOKEN.into());
    canary(&cluster);
    let k8s = open(&cluster);
    let live = record(&k8s, "checkout").await;
    assert_eq!(live.id, "rollout/shop/checkout");
    assert_eq!(
        (live.version.as_str(), live.previous.as_deref()),
        ("2.14.0", Some("2.13.4"))
    );
    assert_eq!(
        (live.state, live.strategy, live.environment.as_str()),
        (DeployState::Paused, Some(Strategy::Canary), "production")
    );
    // Three changes of weight, two of them done; 40 % of the traffic.
    assert_eq!(
        (live.step, live.steps, live.weight),
        (Some(2), Some(3), Some(40.0))
    );
    assert_eq!(live.message.as_deref(), Some("CanaryPauseStep"));
    assert_eq!(
        live.step_at.unwrap().to_rfc3339(),
        "2026-11-21T11:50:00+00:00"
    );
    let history: Vec<_> = live
        .history
        .iter()
        .map(|h| (h.id.as_str(), h.version.as_str()))
        .collect();
    assert_eq!(history, [("11", "2.13.4"), ("9", "2.12.0")]);
    assert!(
        cluster
            .inner
            .lock()
            .unwrap()
            .seen
            .iter()
            .all(|s| s.method == "GET")
    );
    assert_eq!(
        k8s.health().await.unwrap(),
        "Kubernetes v1.31.2 (shop): 1 rollouts, 0 deployments"
    );
}

#[tokio::test]
async fn a_plain_deployment_is_read_whole() {
    let cluster = Cluster::start().await;
    rolling(&cluster);
    // One that only lends its template to a Rollout is no deployment of its own.
    cluster.put(
        "deployments",
        json!({ "metadata": { "name": "lent", "namespace": "shop" }, "spec": { "replicas": 0 } }),
    );
    cluster.put("rollouts", json!({ "metadata": { "name": "by-ref", "namespace": "shop" },
        "spec": { "workloadRef": { "kind": "Deployment", "name": "lent" }, "strategy": { "canary": {} } } }));
    let k8s = open(&cluster);
    let live = record(&k8s, "payments").await;
    assert_eq!(
        (
            live.version.as_str(),
            live.previous.as_deref(),
            live.state,
            live.strategy
        ),
        (
            "1.5.0",
            Some("1.4.0"),
            DeployState::Succeeded,
            Some(Strategy::Rolling)
        )
    );
    assert_eq!(
        live.finished_at.unwrap().to_rfc3339(),
        "2026-11-21T11:32:00+00:00"
    );
    let (all, _) = read(&k8s).await.unwrap();
    assert!(all.iter().all(|d| d.service != "lent"), "{all:?}");
    // No status says nothing: unknown, never green.
    let by_ref = all.iter().find(|d| d.service == "by-ref").unwrap();
    assert_eq!(
        (by_ref.state, by_ref.vendor_state.as_str()),
        (DeployState::Unknown, "no status")
    );
}

#[tokio::test]
async fn words_and_states_that_are_not_known_stay_unknown() {
    let cluster = Cluster::start().await;
    for (name, status) in [
        (
            "word",
            json!({ "phase": "Levitating", "observedGeneration": "1" }),
        ),
        ("empty", json!({})),
    ] {
        cluster.put("rollouts", json!({ "metadata": { "name": name, "namespace": "shop" }, "spec": { "template": template("a/b:1"), "strategy": { "canary": {} } }, "status": status }));
    }
    let k8s = open(&cluster);
    for (name, word) in [("word", "Levitating"), ("empty", "no status")] {
        let live = record(&k8s, name).await;
        assert_eq!(
            (live.state, live.vendor_state.as_str()),
            (DeployState::Unknown, word)
        );
    }
}

#[tokio::test]
async fn an_analysis_that_cannot_fail_is_named() {
    let cluster = Cluster::start().await;
    canary(&cluster);
    let mut rollout = cluster.get("rollouts", "checkout");
    rollout["status"]["canary"]["currentStepAnalysisRunStatus"] =
        json!({ "name": "checkout-1", "status": "Successful" });
    rollout["status"]["canary"]["currentBackgroundAnalysisRunStatus"] =
        json!({ "name": "checkout-gone", "status": "Running" });
    cluster.put("rollouts", rollout);
    cluster.put("analysisruns", json!({ "metadata": { "name": "checkout-1", "namespace": "shop" },
        "spec": { "metrics": [{ "name": "error-rate", "successCondition": "result < 0.01", "provider": { "prometheus": {} } }, { "name": "p95", "provider": { "prometheus": {} } }] },
        "status": { "phase": "Successful", "metricResults": [{ "name": "error-rate", "phase": "Successful" }, { "name": "p95", "phase": "Successful", "successful": 4 }] } }));
    let live = record(&open(&cluster), "checkout").await;
    let message = live.message.unwrap();
    assert!(
        message.contains("analysis error-rate: successful with 0 measurements"),
        "{message}"
    );
    assert!(
        message.contains("analysis p95: it has no condition: it cannot fail"),
        "{message}"
    );
    assert_eq!(
        (
            live.analysis[0].metrics[0].measurements,
            live.analysis[0].metrics[1].measurements
        ),
        (0, 4)
    );
    // One that cannot be read is told, and is no proof.
    assert_eq!(
        (
            live.analysis[1].name.as_str(),
            live.analysis[1].state.as_str()
        ),
        ("checkout-gone", "unknown")
    );
    assert!(
        live.analysis[1].message.as_ref().unwrap().contains("404"),
        "{:?}",
        live.analysis[1]
    );
}

#[tokio::test]
async fn a_blue_green_rollout_says_until_when_the_old_set_runs() {
    let cluster = Cluster::start().await;
    cluster.put("rollouts", json!({
        "metadata": { "name": "web", "namespace": "shop", "uid": "uid-web", "generation": 2, "annotations": { "argocd.argoproj.io/tracking-id": "shop-web:argoproj.io/Rollout:shop/web" } },
        "spec": { "replicas": 3, "template": template("shop/web:2"), "strategy": { "blueGreen": { "activeService": "web", "scaleDownDelaySeconds": 600 } } },
        "status": { "observedGeneration": "2", "phase": "Healthy", "currentPodHash": "shopweb2", "stableRS": "shopweb2", "blueGreen": { "activeSelector": "shopweb2" }, "replicas": 6, "updatedReplicas": 3, "availableReplicas": 3 },
    }));
    cluster.put(
        "replicasets",
        set("web", 2, "shop/web:2", "2026-11-21T11:59:00Z"),
    );
    let mut old = set("web", 1, "shop/web:1", "2026-11-12T09:00:00Z");
    old["metadata"]["annotations"]["scale-down-deadline"] = "2026-11-21T12:10:00Z".into();
    cluster.put("replicasets", old);
    let live = record(&open(&cluster), "web").await;
    assert_eq!(
        (live.state, live.strategy, live.weight),
        (
            DeployState::Succeeded,
            Some(Strategy::BlueGreen),
            Some(100.0)
        )
    );
    assert_eq!(live.previous.as_deref(), Some("1"));
    assert_eq!(
        live.fast_until.unwrap().to_rfc3339(),
        "2026-11-21T12:10:00+00:00"
    );
    assert_eq!(
        live.managed_by.as_deref(),
        Some("Argo CD application shop-web")
    );
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let cluster = Cluster::start().await;
    for n in 0..25 {
        cluster.put("deployments", json!({ "metadata": { "name": format!("d{n:02}"), "namespace": "shop", "labels": { "team": if n < 20 { "shop" } else { "other" } } }, "spec": { "template": template("a/b:1") } }));
    }
    {
        let mut inner = cluster.inner.lock().unwrap();
        inner.page = 7;
        inner.refused.insert("rollouts".into(), 404);
    }
    let url = cluster.url();
    let k8s = driver(
        &spec(),
        &[("url", &url), ("namespace", "*"), ("selector", "team=shop")],
        Hand::new(),
    )
    .unwrap();
    let (all, answer) = read(&k8s).await.unwrap();
    assert_eq!((all.len(), answer.partial), (20, None));
    assert_eq!(cluster.asked("/apis/apps/v1/deployments").len(), 3);
    // The list grows old between two pages: it is read again in one piece, and nothing stands there twice.
    cluster.inner.lock().unwrap().pages_expire = true;
    let (all, _) = read(&k8s).await.unwrap();
    let mut names: Vec<_> = all.iter().map(|d| d.service.clone()).collect();
    names.dedup();
    assert_eq!(names.len(), 20);
}

#[tokio::test]
async fn what_may_not_be_read_is_a_fault_and_what_is_not_there_is_none() {
    let cluster = Cluster::start().await;
    rolling(&cluster);
    cluster
        .inner
        .lock()
        .unwrap()
        .refused
        .insert("rollouts".into(), 404);
    let k8s = open(&cluster);
    assert_eq!(read(&k8s).await.unwrap().0.len(), 1);
    assert_eq!(
        k8s.health().await.unwrap(),
        "Kubernetes v1.31.2 (shop): no rollouts, 1 deployments"
    );
    for plural in ["rollouts", "deployments", "replicasets"] {
        cluster.inner.lock().unwrap().refused = [(plural.to_owned(), 403)].into();
        let fault = read(&k8s).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Unauthorized, "{plural}: {fault}");
    }
    // Where Rollouts alone are wanted, a cluster without them is a mistake.
    let url = cluster.url();
    cluster.inner.lock().unwrap().refused = [("rollouts".to_owned(), 404)].into();
    let k8s = driver(
        &spec(),
        &[("url", &url), ("kinds", "rollouts")],
        Hand::new(),
    )
    .unwrap();
    assert_eq!(read(&k8s).await.unwrap_err().kind, FaultKind::NotFound);
}

async fn next<S: futures::Stream<Item = T> + Unpin, T>(stream: &mut S) -> Option<T> {
    tokio::time::timeout(PATIENCE, stream.next())
        .await
        .expect("nothing came")
}

/// Waits until a watch of these was asked for so often.
async fn watched(cluster: &Cluster, part: &str, times: usize) -> Vec<Value> {
    let look = async {
        loop {
            let all: Vec<_> = cluster
                .asked(part)
                .into_iter()
                .filter(|s| s.query.contains_key("watch"))
                .map(|s| s.query["resourceVersion"].clone().into())
                .collect();
            if all.len() >= times {
                return all;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, look)
        .await
        .expect("no such watch")
}

#[tokio::test]
async fn a_change_says_read_again_and_a_quiet_time_does_not() {
    let cluster = Cluster::start().await;
    canary(&cluster);
    let k8s = open(&cluster);
    let _ = read(&k8s).await.unwrap();
    let call = call();
    let mut changes = k8s.changes(&call).unwrap();
    let mut rollout = cluster.get("rollouts", "checkout");
    rollout["status"]["currentStepIndex"] = 4.into();
    cluster.put("rollouts", rollout);
    assert_eq!(next(&mut changes).await, Some(Ok(())));
    // A bookmark is no change, but the next watch goes on from it.
    cluster.inner.lock().unwrap().watch_lines = Some(1);
    cluster.bookmark("rollouts");
    let quiet = tokio::time::timeout(Duration::from_millis(1500), changes.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    assert_eq!(record(&k8s, "checkout").await.step, Some(2));
}

#[tokio::test]
async fn a_watch_that_ends_goes_on_from_where_it_was() {
    let cluster = Cluster::start().await;
    canary(&cluster);
    cluster.inner.lock().unwrap().watch_lines = Some(1);
    let k8s = open(&cluster);
    let _ = read(&k8s).await.unwrap();
    let call = call();
    let mut changes = k8s.changes(&call).unwrap();
    cluster.put("rollouts", cluster.get("rollouts", "checkout"));
    assert_eq!(next(&mut changes).await, Some(Ok(())));
    let at = cluster.get("rollouts", "checkout")["metadata"]["resourceVersion"].clone();
    cluster.put("rollouts", cluster.get("rollouts", "checkout"));
    assert_eq!(next(&mut changes).await, Some(Ok(())));
    let asked = watched(&cluster, "rollouts", 2).await;
    assert_eq!(asked[1], at, "{asked:?}");
}

#[tokio::test]
async fn a_version_that_is_too_old_is_asked_for_anew() {
    let cluster = Cluster::start().await;
    canary(&cluster);
    let url = cluster.url();
    let settings = [
        ("url", url.as_str()),
        ("namespace", "shop"),
        ("kinds", "rollouts"),
    ];
    let k8s = driver(&spec(), &settings, Hand::new()).unwrap();
    let _ = read(&k8s).await.unwrap();
    cluster.put("rollouts", cluster.get("rollouts", "checkout"));
    let at = cluster.get("rollouts", "checkout")["metadata"]["resourceVersion"].clone();
    let version: u64 = at.as_str().unwrap().parse().unwrap();
    cluster.inner.lock().unwrap().oldest = version;
    let call = call();
    let mut changes = k8s.changes(&call).unwrap();
    // What happened meanwhile is not known: read again.
    assert_eq!(next(&mut changes).await, Some(Ok(())));
    cluster.put("rollouts", cluster.get("rollouts", "checkout"));
    assert_eq!(next(&mut changes).await, Some(Ok(())));
    let asked = watched(&cluster, "rollouts", 2).await;
    let last: u64 = asked.last().unwrap().as_str().unwrap().parse().unwrap();
    assert!(last >= version, "{asked:?}");
}

#[tokio::test]
async fn a_watch_that_fails_says_so_and_ends() {
    let cluster = Cluster::start().await;
    cluster.inner.lock().unwrap().refused = [
        ("rollouts".to_owned(), 403),
        ("deployments".to_owned(), 403),
    ]
    .into();
    let k8s = open(&cluster);
    let call = call();
    let mut changes = k8s.changes(&call).unwrap();
    assert_eq!(
        next(&mut changes).await.unwrap().unwrap_err().kind,
        FaultKind::Unauthorized
    );
    assert!(
        k8s.changes(&cockpit::domain::observe::Call {
            read: "other".into(),
            ..call.clone()
        })
        .is_none()
    );
}

#[tokio::test]
async fn an_autoscaler_is_named_and_how_many_revisions_are_kept() {
    let cluster = Cluster::start().await;
    canary(&cluster);
    rolling(&cluster);
    let scaler = |name: &str, kind: &str, of: &str| {
        json!({ "metadata": { "name": name, "namespace": "shop" },
            "spec": { "minReplicas": 2, "maxReplicas": 10, "scaleTargetRef": { "kind": kind, "name": of } } })
    };
    let mut rollout = cluster.get("rollouts", "checkout");
    rollout["spec"]["revisionHistoryLimit"] = 3.into();
    cluster.put("rollouts", rollout);
    let k8s = open(&cluster);
    assert_eq!(record(&k8s, "checkout").await.autoscalers, Some(Vec::new()));
    cluster.put(
        "horizontalpodautoscalers",
        scaler("web", "Rollout", "checkout"),
    );
    cluster.put(
        "horizontalpodautoscalers",
        scaler("other", "Deployment", "checkout"),
    );
    let live = record(&k8s, "checkout").await;
    let named = vec!["HorizontalPodAutoscaler web (2 to 10 instances)".to_owned()];
    assert_eq!(
        (live.autoscalers, live.history_limit),
        (Some(named), Some(3))
    );
    let payments = record(&k8s, "payments").await;
    assert_eq!(
        (payments.autoscalers, payments.history_limit),
        (Some(Vec::new()), Some(10))
    );
    // Who may not list them knows of none, and reads the rest.
    let refused = ("horizontalpodautoscalers".into(), 403);
    cluster.inner.lock().unwrap().refused.extend([refused]);
    assert_eq!(record(&k8s, "checkout").await.autoscalers, None);
}
