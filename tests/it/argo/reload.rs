//! A file that is changed while no cockpit runs: journaled with its author, and what an open release stands on stays.

use super::*;

async fn kinds(flight: &Flight) -> Vec<(String, String)> {
    let data = flight.folder.path().join("data");
    let store = Store::open(&data, OpenOptions { read_only: true })
        .await
        .unwrap();
    let events = store.events_since(0).await.unwrap();
    store.close().await;
    let mut journal = cockpit::domain::journal::Journal::default();
    cockpit::runtime::journal::fold(&mut journal, &events);
    let lines = journal.lines.iter();
    lines
        .map(|e| (e.body.kind().to_owned(), e.known_by.clone()))
        .collect()
}

fn loaded(kinds: &[(String, String)]) -> Vec<&str> {
    let policies = kinds.iter().filter(|(kind, _)| kind == "policy_loaded");
    policies.map(|(_, known_by)| known_by.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_points_elsewhere_after_a_restart_is_not_used_before_it_is_taken_by_name()
{
    let flight = Flight::new(Wrong::Nothing).await;
    let mut cockpit = Cockpit::start(&flight).await;
    let _ = cockpit.wish().await;
    cockpit.stop().await;
    assert_eq!(loaded(&kinds(&flight).await), ["owner of the file"]);
    // Somebody writes another address.
    let elsewhere = format!("{}/", flight.fake.url());
    let text = std::fs::read_to_string(flight.file()).unwrap();
    std::fs::write(flight.file(), text.replace(&flight.fake.url(), &elsewhere)).unwrap();
    let mut cockpit = Cockpit::start(&flight).await;
    let take = "settle/policy/connection/argo";
    let permit = cockpit
        .until("the change that is held", |s| match s.permits.get(take) {
            Some(Permission::Granted(permit)) => {
                let said = |t: &String| t.contains("connection argo points elsewhere");
                assert!(s.troubles.iter().any(said), "{:?}", s.troubles);
                assert!(matches!(s.permits["rollback"], Permission::Refused(_)));
                Some(permit.clone())
            }
            _ => None,
        })
        .await;
    assert_eq!(permit.typed.as_deref(), Some("argo"));
    let inputs = [("typed", "argo"), ("reason", "it moved")];
    cockpit.order(Request {
        action: permit.action,
        basis: permit.basis,
        inputs: inputs.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
    });
    let _ = cockpit.wish().await;
    cockpit.stop().await;
    let kinds = kinds(&flight).await;
    assert_eq!(loaded(&kinds).len(), 2, "{kinds:?}");
    assert!(kinds.iter().any(|(kind, _)| kind == "change_taken"));
}
