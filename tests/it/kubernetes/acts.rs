//! Acts on a cluster that keeps its contract, and on one that does not.

use cockpit::connect::driver::Driver;
use cockpit::connect::kubernetes::Kubernetes;
use cockpit::domain::act::{Act, Outcome, Verb};
use cockpit::domain::record::DeployState;
use serde_json::{Value, json};

use super::cluster::{Cluster, PATIENCE, Wrong};
use super::{act, canary, open, record, rolling};

const ROLLOUT: &str = "rollout/shop/checkout";

fn on(verb: Verb, more: Value) -> Act {
    let mut args = json!({ "id": ROLLOUT, "service": "checkout" });
    for (key, value) in more.as_object().unwrap() {
        args[key] = value.clone();
    }
    act(verb, args)
}

fn back(version: &str, revision: &str) -> Act {
    on(
        Verb::Rollback,
        json!({ "from": "2.14.0", "version": version, "history_id": revision }),
    )
}

async fn confirmed(k8s: &Kubernetes, act: &Act) {
    let outcome = k8s.act(act).await;
    assert!(
        matches!(outcome, Outcome::Confirmed { .. }),
        "{act:?}: {outcome:?}"
    );
    assert!(k8s.find(act).await.unwrap().is_some(), "its mark is there");
}

async fn refused(k8s: &Kubernetes, act: &Act, part: &str) {
    match k8s.act(act).await {
        Outcome::Refused { why } => assert!(why.contains(part), "{why}"),
        other => panic!("{act:?}: {other:?}"),
    }
}

#[tokio::test]
async fn a_promotion_clears_the_pause_and_nothing_else() {
    let cluster = Cluster::start().await;
    canary(&cluster);
    let k8s = open(&cluster);
    confirmed(&k8s, &on(Verb::Promote, json!({}))).await;
    let sent = cluster.patches();
    assert_eq!(sent.len(), 2);
    assert!(
        sent.iter()
            .all(|s| s.content == "application/merge-patch+json")
    );
    // The mark goes ahead, since a status patch carries nothing else.
    assert!(sent[0].path.ends_with("/checkout") && sent[0].body.get("spec").is_none());
    assert_eq!(
        sent[1].path,
        "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/checkout/status"
    );
    assert_eq!(sent[1].body["status"], json!({ "pauseConditions": null }));
    assert!(
        sent.iter()
            .all(|s| s.body["metadata"]["resourceVersion"].is_string())
    );
    let live = record(&k8s, "checkout").await;
    assert_eq!(
        (live.state, live.intent.as_deref()),
        (DeployState::Running, Some("shop-47/checkout/promote/1"))
    );
    // It runs by itself now.
    let mut again = on(Verb::Promote, json!({}));
    again.id = "shop-47/checkout/promote/2".into();
    refused(&k8s, &again, "goes on by itself").await;
    assert_eq!(cluster.patches().len(), 2);
}

#[tokio::test]
async fn steps_are_skipped_only_on_demand() {
    let cluster = Cluster::start().await;
    canary(&cluster);
    let k8s = open(&cluster);
    confirmed(&k8s, &on(Verb::Promote, json!({ "full": true }))).await;
    assert_eq!(
        cluster.patches()[1].body["status"],
        json!({ "promoteFull": true })
    );
    let live = record(&k8s, "checkout").await;
    assert_eq!(
        (live.state, live.weight),
        (DeployState::Succeeded, Some(100.0))
    );

    let cluster = Cluster::start().await;
    canary(&cluster);
    let mut rollout = cluster.get("rollouts", "checkout");
    rollout["status"]["pauseConditions"] = Value::Null;
    rollout["status"]["controllerPause"] = Value::Null;
    rollout["status"]["phase"] = "Progressing".into();
    cluster.put("rollouts", rollout);
    let k8s = open(&cluster);
    confirmed(&k8s, &on(Verb::Promote, json!({ "skip": true }))).await;
    assert_eq!(
        cluster.patches()[1].body["status"],
        json!({ "currentStepIndex": 4, "pauseConditions": null })
    );
}

#[tokio::test]
async fn pause_resume_abort_retry_and_restart() {
    let cluster = Cluster::start().await;
    canary(&cluster);
    let k8s = open(&cluster);
    confirmed(&k8s, &on(Verb::Pause, json!({}))).await;
    assert_eq!(cluster.get("rollouts", "checkout")["spec"]["paused"], true);
    confirmed(&k8s, &on(Verb::Resume, json!({}))).await;
    assert_eq!(cluster.get("rollouts", "checkout")["spec"]["paused"], false);
    confirmed(&k8s, &on(Verb::Abort, json!({}))).await;
    let live = record(&k8s, "checkout").await;
    assert_eq!(
        (live.state, live.weight),
        (DeployState::Cancelled, Some(0.0))
    );
    refused(&k8s, &on(Verb::Abort, json!({})), "aborted already").await;
    confirmed(&k8s, &on(Verb::Retry, json!({}))).await;
    assert_eq!(
        cluster.get("rollouts", "checkout")["status"]["abort"],
        false
    );
    refused(&k8s, &on(Verb::Retry, json!({})), "not aborted").await;
    confirmed(&k8s, &on(Verb::Restart, json!({}))).await;
    assert_eq!(
        cluster.get("rollouts", "checkout")["spec"]["restartAt"],
        "2026-11-21T12:00:00Z"
    );
}

#[tokio::test]
async fn a_rollback_in_flight_puts_the_stable_template_back() {
    let cluster = Cluster::start().await;
    canary(&cluster);
    let k8s = open(&cluster);
    confirmed(&k8s, &back("2.13.4", "11")).await;
    let sent = cluster.patches();
    assert_eq!(
        (sent.len(), sent[0].content.as_str()),
        (1, "application/json-patch+json")
    );
    let live = cluster.get("rollouts", "checkout");
    // Exactly the old template: what the new one added is gone, and the controllers' hash is no part of it.
    assert_eq!(
        live["spec"]["template"],
        super::template("reg:5000/shop/checkout:2.13.4")
    );
    let live = record(&k8s, "checkout").await;
    assert_eq!(
        (live.version.as_str(), live.state),
        ("2.13.4", DeployState::Succeeded)
    );
    refused(
        &k8s,
        &on(Verb::Rollback, json!({ "version": "2.13.4" })),
        "already",
    )
    .await;
}

#[tokio::test]
async fn a_rollback_to_something_older_does_not_wait_at_the_steps() {
    let cluster = Cluster::start().await;
    canary(&cluster);
    let k8s = open(&cluster);
    let outcome = k8s.act(&back("2.12.0", "9")).await;
    let Outcome::Confirmed { receipt } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(receipt.fields["steps"], "promoted past its steps");
    let sent = cluster.patches();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[1].body["status"], json!({ "promoteFull": true }));
    assert_eq!(record(&k8s, "checkout").await.state, DeployState::Succeeded);
}

/// The act is on its way, and its first patch is sent.
async fn begun(cluster: &Cluster, act: &Act) -> tokio::task::JoinHandle<Outcome> {
    let (k8s, act) = (open(cluster), act.clone());
    let task = tokio::spawn(async move { k8s.act(&act).await });
    tokio::time::timeout(PATIENCE, async {
        while cluster.patches().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the first patch is sent");
    task
}

fn full(cluster: &Cluster) -> usize {
    let all = cluster.patches();
    let full = all
        .iter()
        .filter(|s| s.body["status"] == json!({ "promoteFull": true }));
    full.count()
}

#[tokio::test]
async fn killed_between_the_template_and_the_promotion_the_look_up_finishes_it() {
    let cluster = Cluster::start().await;
    canary(&cluster);
    // The controller is away, so that the driver waits for it with the template sent.
    cluster.inner.lock().unwrap().idle = true;
    let act = back("2.12.0", "9");
    let task = begun(&cluster, &act).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!((cluster.patches().len(), full(&cluster)), (1, 0));
    // Restarted: as long as the controller has not begun, it is not called done.
    let k8s = open(&cluster);
    let fault = k8s.find(&act).await.unwrap_err();
    assert!(
        fault.to_string().contains("not promoted past its steps"),
        "{fault}"
    );
    cluster.wake("checkout");
    assert_eq!(record(&k8s, "checkout").await.state, DeployState::Running);
    let receipt = k8s.find(&act).await.unwrap().unwrap();
    assert_eq!(receipt.fields["steps"], "promoted past its steps");
    assert_eq!(record(&k8s, "checkout").await.state, DeployState::Succeeded);
    // Asked again, nothing is sent again.
    assert!(k8s.find(&act).await.unwrap().is_some());
    assert_eq!((cluster.patches().len(), full(&cluster)), (2, 1));
}

#[tokio::test]
async fn a_promotion_past_the_steps_whose_answer_is_lost_is_not_called_done() {
    // Not done: the look-up sends it. Done: the look-up sees it.
    for (wrong, sent) in [(Wrong::Status(500), 2), (Wrong::Cut, 1)] {
        let cluster = Cluster::start().await;
        canary(&cluster);
        let k8s = open(&cluster);
        cluster.say([Wrong::Nothing, wrong.clone()]);
        let act = back("2.12.0", "9");
        let outcome = k8s.act(&act).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
        assert!(k8s.find(&act).await.unwrap().is_some(), "{wrong:?}");
        assert_eq!(full(&cluster), sent, "{wrong:?}");
        assert_eq!(record(&k8s, "checkout").await.state, DeployState::Succeeded);
    }
    // Refused: it goes through its steps, which is said, and is not asked again and again.
    let cluster = Cluster::start().await;
    canary(&cluster);
    let k8s = open(&cluster);
    cluster.say([Wrong::Nothing, Wrong::Status(403)]);
    let outcome = k8s.act(&back("2.12.0", "9")).await;
    let Outcome::Confirmed { receipt } = outcome else {
        panic!("{outcome:?}")
    };
    let said = receipt.fields["steps"].as_str().unwrap();
    assert!(
        said.starts_with("it goes back step by step: promote it fully"),
        "{said}"
    );
}

#[tokio::test]
async fn a_look_up_promotes_nothing_that_somebody_turned_elsewhere_since() {
    for turned in ["abort", "another template"] {
        let cluster = Cluster::start().await;
        canary(&cluster);
        cluster.inner.lock().unwrap().idle = true;
        let act = back("2.12.0", "9");
        begun(&cluster, &act).await.abort();
        cluster.wake("checkout");
        let mut rollout = cluster.get("rollouts", "checkout");
        if turned == "abort" {
            rollout["status"]["abort"] = true.into();
        } else {
            rollout["spec"]["template"] = super::template("reg:5000/shop/checkout:2.15.0");
            rollout["status"]["currentPodHash"] = "reg5000shopcheckout2150".into();
        }
        cluster.put("rollouts", rollout);
        let k8s = open(&cluster);
        assert!(k8s.find(&act).await.unwrap().is_some(), "{turned}");
        assert_eq!(full(&cluster), 0, "{turned}");
    }
}

#[tokio::test]
async fn a_full_promotion_is_an_act_of_its_own() {
    let cluster = Cluster::start().await;
    canary(&cluster);
    let k8s = open(&cluster);
    confirmed(&k8s, &on(Verb::PromoteFull, json!({}))).await;
    assert_eq!(full(&cluster), 1);
    assert_eq!(record(&k8s, "checkout").await.state, DeployState::Succeeded);
    refused(
        &k8s,
        &on(Verb::PromoteFull, json!({})),
        "fully promoted already",
    )
    .await;
}

#[tokio::test]
async fn a_deployment_goes_back_to_an_earlier_template() {
    let cluster = Cluster::start().await;
    rolling(&cluster);
    let k8s = open(&cluster);
    let id = json!({ "id": "deployment/shop/payments", "version": "1.4.0", "history_id": "3", "from": "1.5.0" });
    confirmed(&k8s, &act(Verb::Rollback, id.clone())).await;
    let live = cluster.get("deployments", "payments");
    assert_eq!(
        live["spec"]["template"],
        super::template("shop/payments:1.4.0")
    );
    assert_eq!(
        live["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "4"
    );
    for verb in [Verb::Promote, Verb::PromoteFull, Verb::Abort, Verb::Retry] {
        refused(
            &k8s,
            &act(verb, json!({ "id": "deployment/shop/payments" })),
            "a plain Deployment cannot",
        )
        .await;
    }
    confirmed(&k8s, &act(Verb::Pause, json!({ "app": "payments" }))).await;
    let mut forth = id;
    forth["version"] = "1.5.0".into();
    forth["history_id"] = "4".into();
    forth["from"] = "1.4.0".into();
    refused(&k8s, &act(Verb::Rollback, forth), "resume it first").await;
    confirmed(&k8s, &act(Verb::Resume, json!({ "app": "payments" }))).await;
    confirmed(&k8s, &act(Verb::Restart, json!({ "app": "payments" }))).await;
    let annotations =
        &cluster.get("deployments", "payments")["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(
        annotations["kubectl.kubernetes.io/restartedAt"],
        "2026-11-21T12:00:00Z"
    );
}

#[tokio::test]
async fn a_deploy_changes_one_image() {
    let cluster = Cluster::start().await;
    canary(&cluster);
    let k8s = open(&cluster);
    confirmed(&k8s, &on(Verb::Deploy, json!({ "version": "2.15.0" }))).await;
    let containers =
        cluster.get("rollouts", "checkout")["spec"]["template"]["spec"]["containers"].clone();
    assert_eq!(containers[0]["image"], "reg:5000/shop/checkout:2.15.0");
    assert_eq!(
        containers[0]["env"][0]["value"],
        "reg:5000/shop/checkout:2.14.0"
    );
    for bad in ["evil/image:1", "-x", "a b", ""] {
        let outcome = k8s.act(&on(Verb::Deploy, json!({ "version": bad }))).await;
        assert!(
            matches!(outcome, Outcome::Refused { .. }),
            "{bad}: {outcome:?}"
        );
    }
    assert_eq!(cluster.patches().len(), 1);
}

#[tokio::test]
async fn what_is_not_as_it_was_confirmed_is_refused_before_anything_is_sent() {
    let cluster = Cluster::start().await;
    canary(&cluster);
    let k8s = open(&cluster);
    let cases = [
        (
            on(
                Verb::Rollback,
                json!({ "from": "2.13.9", "version": "2.13.4" }),
            ),
            "it moved: it asks for 2.14.0 now",
        ),
        (back("2.13.4", "9"), "that revision runs 2.12.0, not 2.13.4"),
        (back("2.11.0", "5"), "not kept any more"),
        (
            on(Verb::Rollback, json!({ "version": "1.0.0" })),
            "not kept any more",
        ),
        (
            act(Verb::Abort, json!({ "id": "rollout/shop/gone" })),
            "404",
        ),
        (
            act(Verb::Abort, json!({ "app": "nothing" })),
            "neither a Rollout nor a Deployment nothing",
        ),
    ];
    for (act, part) in &cases {
        refused(&k8s, act, part).await;
    }
    assert!(cluster.patches().is_empty());
}

#[tokio::test]
async fn the_controllers_own_writing_does_not_refuse_an_act() {
    for verb in [Verb::Rollback, Verb::Abort, Verb::Pause] {
        let cluster = Cluster::start().await;
        canary(&cluster);
        let k8s = open(&cluster);
        cluster.say([Wrong::Noise, Wrong::Noise]);
        let act = match verb {
            Verb::Rollback => back("2.13.4", "11"),
            verb => on(verb, json!({})),
        };
        confirmed(&k8s, &act).await;
    }
}

#[tokio::test]
async fn an_object_that_somebody_else_changed_is_left_alone() {
    for act in [
        back("2.13.4", "11"),
        on(Verb::Abort, json!({})),
        on(Verb::Pause, json!({})),
    ] {
        let cluster = Cluster::start().await;
        canary(&cluster);
        let k8s = open(&cluster);
        cluster.say([Wrong::Changed]);
        refused(&k8s, &act, "moved while it was asked").await;
        assert_eq!(cluster.patches().len(), 1, "{act:?}");
        assert!(k8s.find(&act).await.unwrap().is_none());
        let live = cluster.get("rollouts", "checkout");
        assert_eq!(
            (&live["spec"]["paused"], &live["status"]["abort"]),
            (&Value::Null, &Value::Null)
        );
    }
}

#[tokio::test]
async fn an_act_whose_answer_is_lost_is_unknown_and_found_by_its_mark() {
    for wrong in [
        Wrong::Silent,
        Wrong::Cut,
        Wrong::Answer("<html>proxy</html>"),
    ] {
        let cluster = Cluster::start().await;
        canary(&cluster);
        let k8s = open(&cluster);
        let act = back("2.13.4", "11");
        cluster.say([wrong.clone()]);
        let outcome = k8s.act(&act).await;
        assert!(
            matches!(outcome, Outcome::Unknown { .. }),
            "{wrong:?}: {outcome:?}"
        );
        assert_eq!(cluster.patches().len(), 1, "{wrong:?}: sent once");
        assert!(k8s.find(&act).await.unwrap().is_some(), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_mark_without_its_act_proves_nothing() {
    for act in [
        on(Verb::Abort, json!({})),
        on(Verb::Promote, json!({})),
        on(Verb::Promote, json!({ "full": true })),
    ] {
        // The mark is written; the act gets a 500 and is not done.
        let cluster = Cluster::start().await;
        canary(&cluster);
        let k8s = open(&cluster);
        cluster.say([Wrong::Nothing, Wrong::Status(500)]);
        let outcome = k8s.act(&act).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
        assert!(k8s.find(&act).await.unwrap().is_none(), "{act:?}");
        // Here it is done, and only the answer is lost.
        let cluster = Cluster::start().await;
        canary(&cluster);
        let k8s = open(&cluster);
        cluster.say([Wrong::Nothing, Wrong::Silent]);
        let outcome = k8s.act(&act).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
        assert!(k8s.find(&act).await.unwrap().is_some(), "{act:?}");
        // The mark itself gets no answer: the act was never asked.
        let cluster = Cluster::start().await;
        canary(&cluster);
        let k8s = open(&cluster);
        cluster.say([Wrong::Silent]);
        refused(&k8s, &act, "nothing was asked").await;
        assert_eq!(cluster.patches().len(), 1);
        assert!(k8s.find(&act).await.unwrap().is_none(), "{act:?}");
    }
}

#[tokio::test]
async fn refusals_are_told_apart_from_what_is_not_known() {
    for (code, known) in [
        (401, true),
        (403, true),
        (404, true),
        (409, true),
        (422, true),
        (429, true),
        (500, false),
        (503, false),
    ] {
        let cluster = Cluster::start().await;
        canary(&cluster);
        let k8s = open(&cluster);
        cluster.say([Wrong::Status(code)]);
        let outcome = k8s.act(&back("2.13.4", "11")).await;
        let right = match &outcome {
            Outcome::Refused { .. } => known,
            Outcome::Unknown { .. } => !known,
            Outcome::Confirmed { .. } => false,
        };
        assert!(right, "{code}: {outcome:?}");
        assert_eq!(cluster.patches().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn what_an_act_would_send_is_shown_without_asking() {
    let cluster = Cluster::start().await;
    let k8s = open(&cluster);
    for verb in k8s.verbs() {
        let shown = k8s.preview(&on(verb, json!({ "version": "1" }))).unwrap();
        assert_eq!(shown.method, "PATCH");
        assert!(shown.path.contains("{name}"), "{shown:?}");
    }
    assert!(k8s.preview(&on(Verb::Ack, json!({}))).is_none());
    assert!(cluster.inner.lock().unwrap().seen.is_empty());
}
