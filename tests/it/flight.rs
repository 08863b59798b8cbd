//! The shipped connectors against the embedded world's vendors.

use std::collections::BTreeMap;
use std::sync::Arc;

use cockpit::connect::context::{DriverContext, Shared};
use cockpit::connect::driver::Driver;
use cockpit::connect::registry::Registry;
use cockpit::connect::{engine, registry};
use cockpit::demo::WorldHandle;
use cockpit::demo::world::World;
use cockpit::domain::act::{Act, Outcome, Verb};
use cockpit::domain::observe::{Call, Fault};
use cockpit::domain::record::{AlertState, DeployState, Deployment, Records};
use serde_json::{Value, json};

fn open(world: &WorldHandle, id: &str, vendor: &str, settings: Value) -> Box<dyn Driver> {
    let (registry, _) = Registry::load(None);
    let source = registry.source(id).unwrap();
    let spec = registry::parse(source).unwrap();
    let mut all: BTreeMap<String, Value> = serde_json::from_value(settings).unwrap();
    all.insert("url".into(), json!({ "text": format!("demo:{vendor}") }));
    for (name, known) in &spec.settings {
        if known.secret && known.required {
            all.insert(name.clone(), json!({ "secret": "env:NEVER_LOOKED_UP" }));
        }
    }
    let connection = json!({ "name": vendor, "connector": id, "settings": all, "every": null });
    let connection = serde_json::from_value(connection).unwrap();
    let shared = Shared {
        file: "cockpit.toml".into(),
        clock: world.clock.clone(),
        redactor: Arc::default(),
        clients: Arc::default(),
        endpoints: Some(Arc::new(world.endpoints.clone())),
        canned: None,
        zone: chrono_tz::Europe::Berlin,
    };
    let context = DriverContext::new(&connection, &spec, &shared).unwrap();
    if id == "calendar" {
        return Box::new(
            cockpit::connect::calendar::Calendar::new(&connection, &spec, &context).unwrap(),
        );
    }
    engine::open(&connection, &spec, source, &context).unwrap()
}

async fn read(driver: &dyn Driver, read: &str, args: &[(&str, &str)]) -> Result<Records, Fault> {
    let call = Call {
        connection: "c".into(),
        read: read.into(),
        args: args
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        lookback: None,
    };
    driver.read(&call, None).await.map(|a| a.records)
}

fn act(verb: Verb, args: Value) -> Act {
    Act {
        id: format!("act/{}", verb.word()),
        connection: "c".into(),
        verb,
        args: serde_json::from_value(args).unwrap(),
        release: None,
        service: None,
        environment: None,
        reason: "drill".into(),
        summary: String::new(),
    }
}

async fn deployment(argo: &dyn Driver, app: &str) -> Deployment {
    let Records::Deployment(list) = read(argo, "deployments", &[]).await.unwrap() else {
        panic!("no deployments")
    };
    list.into_iter().find(|d| d.service == app).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn argo_cd_shows_the_canary_and_obeys() {
    let world = World::start("regression", None, 1.0, true).await.unwrap();
    let argo = open(&world, "argocd", "argocd", json!({}));
    assert!(argo.health().await.unwrap().starts_with("Argo CD v"));
    let live = deployment(argo.as_ref(), "checkout").await;
    assert_eq!(
        (live.version.as_str(), live.previous.as_deref()),
        ("2.14.0", Some("2.13.4")),
        "{live:?}"
    );
    assert!(live.state.in_flight(), "{live:?}");
    assert_eq!(
        (live.steps, live.auto_sync, live.environment.as_str()),
        (Some(5), Some(true), "production")
    );
    assert_eq!(live.weight, Some(40.0), "{live:?}");
    assert!(live.step_at.is_some() && live.started_at.is_some());
    let entry = live.history.iter().find(|h| h.version == "2.13.4").unwrap();

    let rollback = act(
        Verb::Rollback,
        json!({ "service": "checkout", "id": live.id, "history_id": entry.id, "version": "2.13.4" }),
    );
    let Outcome::Refused { why } = argo.act(&rollback).await else {
        panic!("auto-sync is on")
    };
    assert!(why.contains("auto-sync"), "{why}");
    let hold = argo
        .act(&act(Verb::Hold, json!({ "service": "checkout" })))
        .await;
    assert!(matches!(hold, Outcome::Confirmed { .. }), "{hold:?}");
    let held = deployment(argo.as_ref(), "checkout").await;
    assert_eq!((held.auto_sync, held.hold_field), (Some(false), None));

    let abort = argo
        .act(&act(Verb::Abort, json!({ "service": "checkout" })))
        .await;
    assert!(matches!(abort, Outcome::Confirmed { .. }), "{abort:?}");
    let aborted = deployment(argo.as_ref(), "checkout").await;
    assert_eq!(
        (aborted.state, aborted.weight),
        (DeployState::Cancelled, Some(0.0))
    );
    let rolled = argo.act(&rollback).await;
    assert!(matches!(rolled, Outcome::Confirmed { .. }), "{rolled:?}");

    let field = live.hold_field.clone().unwrap();
    let restore = act(
        Verb::ReleaseHold,
        json!({ "service": "checkout", "field": field }),
    );
    assert!(argo.find(&restore).await.unwrap().is_none());
    assert!(matches!(
        argo.act(&restore).await,
        Outcome::Confirmed { .. }
    ));
    assert!(argo.find(&restore).await.unwrap().is_some());
    assert_eq!(
        deployment(argo.as_ref(), "checkout").await.hold_field,
        live.hold_field
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_vendor_is_understood() {
    let world = World::start("regression", None, 1.0, true).await.unwrap();
    let pager = open(&world, "pagerduty", "pagerduty", json!({}));
    let Records::Oncall(list) = read(pager.as_ref(), "oncall", &[]).await.unwrap() else {
        panic!("no on-call")
    };
    assert_eq!(list.iter().map(|o| o.level).min(), Some(1));
    read(pager.as_ref(), "incidents", &[]).await.unwrap();

    let images = open(&world, "oci", "registry", json!({}));
    for (version, present) in [("2.13.4", true), ("9.9.9", false)] {
        let got = read(
            images.as_ref(),
            "artifact",
            &[("image", "shop/checkout"), ("version", version)],
        )
        .await;
        let Records::Artifact(list) = got.unwrap() else {
            panic!("no artifact")
        };
        assert_eq!(
            (list[0].present, list[0].digest.is_some()),
            (present, present)
        );
    }

    let alerts = open(&world, "alertmanager", "alertmanager", json!({}));
    let Records::Alert(list) = read(alerts.as_ref(), "alerts", &[]).await.unwrap() else {
        panic!("no alerts")
    };
    assert!(
        list.iter()
            .all(|a| a.state != AlertState::Unknown && a.service.is_some()),
        "{list:?}"
    );

    let hub = open(
        &world,
        "github",
        "github",
        json!({ "owner": { "text": "acme" }, "repo": { "text": "checkout" } }),
    );
    let Records::Commit(commits) = read(
        hub.as_ref(),
        "commits",
        &[("from", "2.13.4"), ("to", "2.14.0")],
    )
    .await
    .unwrap() else {
        panic!("no commits")
    };
    assert!(
        !commits.is_empty() && !commits.last().unwrap().paths.is_empty(),
        "{commits:?}"
    );
    let Records::Build(builds) = read(hub.as_ref(), "builds", &[("version", "2.14.0")])
        .await
        .unwrap()
    else {
        panic!("no builds")
    };
    assert!(!builds.is_empty());
    read(hub.as_ref(), "deployments", &[]).await.unwrap();

    let days = open(&world, "calendar", "ics", json!({}));
    let Records::Event(events) = read(days.as_ref(), "events", &[]).await.unwrap() else {
        panic!("no events")
    };
    assert!(!events.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_sent_found_and_its_reactions_read() {
    let world = World::start("regression", None, 1.0, true).await.unwrap();
    let chat = open(&world, "slack", "slack", json!({}));
    let post = act(
        Verb::PostMessage,
        json!({ "channel": "#oncall", "text": "checkout 2.14.0: please acknowledge" }),
    );
    let Outcome::Confirmed { receipt } = chat.act(&post).await else {
        panic!("not sent")
    };
    let channel = receipt.fields["channel"].as_str().unwrap();
    let id = receipt.id.as_deref().unwrap();
    assert_eq!(
        chat.find(&post)
            .await
            .unwrap()
            .and_then(|r| r.id)
            .as_deref(),
        Some(id)
    );
    read(
        chat.as_ref(),
        "reactions",
        &[("channel", channel), ("id", id)],
    )
    .await
    .unwrap();
}
