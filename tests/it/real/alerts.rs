//! The Alertmanager connector on a real Alertmanager.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::Utc;
use cockpit::connect::Connections;
use cockpit::domain::act::{Act, Outcome, Verb};
use cockpit::domain::observe::FaultKind;
use cockpit::domain::record::{Alert, AlertState, Records};

use super::alertmanager::RealAlertmanager;
use super::{call, connections};

fn open(server: &RealAlertmanager) -> Connections {
    connections(&[("am", "alertmanager", &[("url", &server.url())])])
}

async fn alerts(connections: &Connections) -> Vec<Alert> {
    match connections
        .read(&call("am", "alerts", &[]), None)
        .await
        .unwrap()
        .records
    {
        Records::Alert(alerts) => alerts,
        other => panic!("{other:?}"),
    }
}

/// The alert of a service, read again until it is in that state.
async fn alert_in(connections: &Connections, service: &str, state: AlertState) -> Alert {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let all = alerts(connections).await;
        let found = all
            .iter()
            .find(|a| a.service.as_deref() == Some(service) && a.state == state);
        if let Some(alert) = found {
            return alert.clone();
        }
        assert!(
            Instant::now() < end,
            "{service} is not {state:?} in {all:?}"
        );
    }
}

#[tokio::test]
async fn firing_and_silenced_alerts_are_told_apart() {
    let Some(server) = RealAlertmanager::start("alerts") else {
        return;
    };
    let connections = open(&server);
    assert!(alerts(&connections).await.is_empty());
    server.fire("HighErrorRate", "checkout");
    server.fire("HighLatency", "search");
    server.silence("search");
    let firing = alert_in(&connections, "checkout", AlertState::Firing).await;
    assert_eq!(firing.name, "HighErrorRate");
    assert_eq!(firing.severity.as_deref(), Some("critical"));
    assert_eq!(firing.summary.as_deref(), Some("HighErrorRate of checkout"));
    assert!(firing.started_at.is_some_and(|at| at < Utc::now()));
    assert_eq!(firing.silenced_until, None);
    let silenced = alert_in(&connections, "search", AlertState::Silenced).await;
    assert!(silenced.silenced_until.is_some_and(|at| at > Utc::now()));
    // The server's own words for the same.
    let said = server.alerts();
    let state = |service: &str| {
        let one = said
            .as_array()
            .unwrap()
            .iter()
            .find(|a| a["labels"]["service"] == service);
        one.unwrap()["status"]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (state("checkout").as_str(), state("search").as_str()),
        ("active", "suppressed")
    );
}

#[tokio::test]
async fn a_silence_is_set_once_and_found_by_its_mark() {
    let Some(server) = RealAlertmanager::start("silence") else {
        return;
    };
    let connections = open(&server);
    server.fire("HighErrorRate", "checkout");
    alert_in(&connections, "checkout", AlertState::Firing).await;
    let args = [
        ("name", "service".to_owned()),
        ("value", "checkout".to_owned()),
        ("from", Utc::now().to_rfc3339()),
        (
            "until",
            (Utc::now() + chrono::Duration::hours(1)).to_rfc3339(),
        ),
    ];
    let act = Act {
        id: "act-real-1".into(),
        connection: "am".into(),
        verb: Verb::Silence,
        args: args
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.into()))
            .collect::<BTreeMap<_, _>>(),
        release: None,
        service: None,
        environment: None,
        reason: "known".into(),
        summary: "Silence".into(),
    };
    assert_eq!(connections.find(&act).await, Ok(None));
    let Outcome::Confirmed { receipt } = connections.act(&act).await else {
        panic!("not confirmed")
    };
    assert_eq!(
        connections.find(&act).await.unwrap().unwrap().id,
        receipt.id
    );
    alert_in(&connections, "checkout", AlertState::Silenced).await;
    let bad = Act {
        args: BTreeMap::from([
            ("value".to_owned(), "x".into()),
            ("from".to_owned(), "soon".into()),
            ("until".to_owned(), "later".into()),
        ]),
        ..act
    };
    assert_eq!(connections.act(&bad).await.word(), "refused");
}

#[tokio::test]
async fn a_killed_server_is_unreachable() {
    let Some(server) = RealAlertmanager::start("alertmanager killed") else {
        return;
    };
    let connections = open(&server);
    assert!(
        connections
            .health("am")
            .await
            .unwrap()
            .starts_with("Alertmanager 0.")
    );
    drop(server);
    let fault = connections
        .read(&call("am", "alerts", &[]), None)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable, "{fault}");
}
