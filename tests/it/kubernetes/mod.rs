//! The Kubernetes driver over real sockets.
#![cfg(feature = "kubernetes")]

mod access;
mod acts;
mod cluster;
mod contracts;
mod mutual;
mod reads;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use cockpit::connect::context::{DriverContext, Shared};
use cockpit::connect::driver::Driver;
use cockpit::connect::kubernetes::Kubernetes;
use cockpit::connect::registry::{self, Registry};
use cockpit::domain::act::{Act, Verb};
use cockpit::domain::connector::ConnectorSpec;
use cockpit::domain::diag::Diag;
use cockpit::domain::observe::{Answer, Call, Fault};
use cockpit::domain::policy::{Connection, Setting};
use cockpit::domain::record::{Deployment, Records};
use cockpit::domain::secret::SecretRef;
use cockpit::domain::time::{Clock, Now};
use serde_json::{Value, json};

use cluster::{Cluster, hash_of};

/// The token that the tests give.
pub const TOKEN: &str = "tok-4711-hush";

/// A clock that is put forward by hand.
#[derive(Clone)]
pub struct Hand(Arc<std::sync::Mutex<DateTime<Utc>>>);

impl Hand {
    pub fn new() -> Self {
        Self(Arc::new(std::sync::Mutex::new(
            "2026-11-21T12:00:00Z".parse().unwrap(),
        )))
    }
    pub fn forward(&self, minutes: i64) {
        *self.0.lock().unwrap() += chrono::Duration::minutes(minutes);
    }
}

impl Clock for Hand {
    fn now(&self) -> Now {
        let at = *self.0.lock().unwrap();
        Now {
            world: at,
            real: at,
        }
    }
}

pub fn spec() -> ConnectorSpec {
    let (registry, _) = Registry::load(None);
    let mut spec = registry::parse(registry.source("kubernetes").unwrap()).unwrap();
    spec.http.timeout = "3s".into();
    spec.http.max_body = "64KiB".into();
    spec
}

pub fn driver(
    spec: &ConnectorSpec,
    settings: &[(&str, &str)],
    clock: Hand,
) -> Result<Kubernetes, Vec<Diag>> {
    let mut all: BTreeMap<String, Setting> = BTreeMap::new();
    for (name, value) in settings {
        let setting = match *name {
            "token" => Setting::Secret(SecretRef::Command(vec!["echo".into(), (*value).into()])),
            "env" | "kinds" => Setting::List(value.split(',').map(str::to_owned).collect()),
            _ => Setting::Text((*value).into()),
        };
        all.insert((*name).to_owned(), setting);
    }
    let connection: Connection = serde_json::from_value(
        json!({ "name": "k8s", "connector": "kubernetes", "settings": all, "every": null }),
    )
    .unwrap();
    let shared = Shared {
        file: "/etc/cockpit/cockpit.toml".into(),
        clock: Arc::new(clock),
        redactor: Arc::default(),
        clients: Arc::default(),
        endpoints: None,
        canned: None,
        zone: chrono_tz::UTC,
    };
    let context = DriverContext::new(&connection, spec, &shared)?;
    Kubernetes::new(&connection, spec, &context)
}

/// A driver for the namespace `shop` of a cluster.
pub fn open(cluster: &Cluster) -> Kubernetes {
    let settings = [
        ("url", cluster.url()),
        ("token", TOKEN.to_owned()),
        ("namespace", "shop".to_owned()),
    ];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(k, v)| (*k, v.as_str())).collect();
    driver(&spec(), &settings, Hand::new()).unwrap()
}

pub fn call() -> Call {
    Call {
        connection: "k8s".into(),
        read: "deployments".into(),
        args: BTreeMap::new(),
        lookback: None,
    }
}

pub async fn read(driver: &Kubernetes) -> Result<(Vec<Deployment>, Answer), Fault> {
    let answer = driver.read(&call(), None).await?;
    let Records::Deployment(list) = answer.records.clone() else {
        panic!("no deployments")
    };
    Ok((list, answer))
}

pub async fn record(driver: &Kubernetes, service: &str) -> Deployment {
    let (list, _) = read(driver).await.unwrap();
    list.into_iter().find(|d| d.service == service).unwrap()
}

pub fn act(verb: Verb, args: Value) -> Act {
    Act {
        id: format!("shop-47/checkout/{}/1", verb.word()),
        connection: "k8s".into(),
        verb,
        args: serde_json::from_value(args).unwrap(),
        release: Some("shop-47".into()),
        service: Some("checkout".into()),
        environment: None,
        reason: "a test".into(),
        summary: String::new(),
    }
}

pub fn template(image: &str) -> Value {
    json!({ "metadata": { "labels": { "app": "checkout" } }, "spec": { "containers": [{ "name": "checkout", "image": image, "env": [{ "name": "MODE", "value": image }] }] } })
}

/// A ReplicaSet as a controller keeps it.
pub fn set(owner: &str, revision: i64, image: &str, at: &str) -> Value {
    let mut template = template(image);
    let hash = hash_of(&template);
    template["metadata"]["labels"]["rollouts-pod-template-hash"] = hash.clone().into();
    json!({
        "metadata": {
            "name": format!("{owner}-{hash}"), "namespace": "shop", "creationTimestamp": at,
            "labels": { "app": "checkout", "rollouts-pod-template-hash": hash },
            "annotations": { "rollout.argoproj.io/revision": revision.to_string(), "deployment.kubernetes.io/revision": revision.to_string() },
            "ownerReferences": [{ "uid": format!("uid-{owner}"), "controller": true, "name": owner }],
        },
        "spec": { "replicas": 3, "template": template },
    })
}

/// A canary of checkout 2.14.0 over 2.13.4, paused at 40 %, with an older 2.12.0 still kept.
pub fn canary(cluster: &Cluster) {
    cluster.put("rollouts", json!({
        "metadata": { "name": "checkout", "namespace": "shop", "uid": "uid-checkout", "generation": 7, "labels": { "team": "shop", "environment": "production" },
            "annotations": { "rollout.argoproj.io/revision": "12" } },
        "spec": { "replicas": 5, "template": template("reg:5000/shop/checkout:2.14.0"),
            "strategy": { "canary": { "steps": [{ "setWeight": 20 }, { "pause": { "duration": "5m" } }, { "setWeight": 40 }, { "pause": {} }, { "setWeight": 80 }, { "pause": { "duration": "5m" } }] } } },
        "status": { "observedGeneration": "7", "phase": "Paused", "message": "CanaryPauseStep", "currentPodHash": "reg5000shopcheckout2140", "stableRS": "reg5000shopcheckout2134",
            "currentStepIndex": 3, "controllerPause": true, "pauseConditions": [{ "reason": "CanaryPauseStep", "startTime": "2026-11-21T11:50:00Z" }],
            "replicas": 5, "updatedReplicas": 2, "availableReplicas": 5 },
    }));
    cluster.put(
        "replicasets",
        set(
            "checkout",
            12,
            "reg:5000/shop/checkout:2.14.0",
            "2026-11-21T11:30:00Z",
        ),
    );
    cluster.put(
        "replicasets",
        set(
            "checkout",
            11,
            "reg:5000/shop/checkout:2.13.4",
            "2026-11-12T09:00:00Z",
        ),
    );
    cluster.put(
        "replicasets",
        set(
            "checkout",
            9,
            "reg:5000/shop/checkout:2.12.0",
            "2026-11-02T09:00:00Z",
        ),
    );
}

/// A Deployment of payments 1.5.0 over 1.4.0.
pub fn rolling(cluster: &Cluster) {
    let mut sets = [
        set("payments", 4, "shop/payments:1.5.0", "2026-11-21T11:30:00Z"),
        set("payments", 3, "shop/payments:1.4.0", "2026-11-12T09:00:00Z"),
    ];
    for set in &mut sets {
        set["metadata"]["annotations"]
            .as_object_mut()
            .unwrap()
            .remove("rollout.argoproj.io/revision");
        cluster.put("replicasets", set.clone());
    }
    cluster.put("deployments", json!({
        "metadata": { "name": "payments", "namespace": "shop", "uid": "uid-payments", "generation": 4,
            "annotations": { "deployment.kubernetes.io/revision": "4" } },
        "spec": { "replicas": 3, "template": template("shop/payments:1.5.0") },
        "status": { "observedGeneration": 4, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3,
            "conditions": [{ "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "lastUpdateTime": "2026-11-21T11:32:00Z" }] },
    }));
}
