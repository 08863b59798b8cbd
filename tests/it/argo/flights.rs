//! Flights that do not go by the book: a source that is a branch, somebody else at auto-sync, a version that never serves, somebody
//! else at work on the service.

use cockpit::domain::event::{Debt, StepState};
use cockpit::domain::observe::lock_name;
use cockpit::domain::situation::{Permission, Request, Situation};
use cockpit::domain::time::Clock;
use cockpit::store::{OpenOptions, Store};
use serde_json::{Value, json};

use super::{Cockpit, Flight, Wrong, revision, state};

fn sent(flight: &Flight, method: &str) -> usize {
    let seen = flight.fake.seen();
    seen.iter().filter(|s| s.method == method).count()
}

fn auto_sync_debt(s: &Situation) -> Option<Debt> {
    let mut debts = s.debts.iter();
    debts
        .find(|d| d.debt.id.starts_with("auto-sync/"))
        .map(|d| d.debt.clone())
}

/// Waits until Argo CD was read so many times more.
async fn read_again(cockpit: &mut Cockpit, flight: &Flight, times: usize) {
    let from = sent(flight, "GET");
    cockpit
        .until("more reads", |_| {
            (sent(flight, "GET") >= from + times).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_branch_whose_history_names_no_version_nothing_is_even_held() {
    let flight = Flight::new(Wrong::Nothing).await;
    flight.app.lock().unwrap().branch = true;
    let mut cockpit = Cockpit::start(&flight).await;
    let why = cockpit
        .until("the refusal", |s| match s.permits.get("rollback") {
            Some(Permission::Refused(list)) => list
                .iter()
                .find(|r| r.rule == "passport")
                .map(|r| r.why.clone()),
            _ => None,
        })
        .await;
    assert!(why.contains("does not name 2.13.4"), "{why}");
    cockpit.stop().await;
    assert_eq!((sent(&flight, "PATCH"), sent(&flight, "POST")), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_branch_it_goes_back_by_the_revision_and_auto_sync_stays_off() {
    let flight = Flight::new(Wrong::Nothing).await;
    flight.app.lock().unwrap().branch = true;
    flight.seed(Some(revision("2.13.4"))).await;
    let mut cockpit = Cockpit::start(&flight).await;
    let request = cockpit.wish().await;
    cockpit.order(request);
    let plan = cockpit.ended().await;
    assert!(plan.ended.as_ref().unwrap().0, "{plan:#?}");
    assert_eq!(state(&plan, "checkout/restore"), StepState::Deferred);
    // What the branch will deploy next nobody knows: it is not switched on again by itself.
    read_again(&mut cockpit, &flight, 4).await;
    let debt = cockpit.until("the debt", auto_sync_debt).await;
    assert!(debt.what.contains("not known"), "{}", debt.what);
    cockpit.stop().await;
    assert_eq!((sent(&flight, "PATCH"), sent(&flight, "POST")), (1, 1));
    let app = flight.app.lock().unwrap();
    assert_eq!(app.version, "2.13.4");
    assert!(app.automated.is_null());
}

/// Rolled back, and the source still asks for the bad version.
async fn held() -> (Flight, Cockpit, Value) {
    let flight = Flight::new(Wrong::Nothing).await;
    let was = flight.app.lock().unwrap().automated.clone();
    let mut cockpit = Cockpit::start(&flight).await;
    let request = cockpit.wish().await;
    cockpit.order(request);
    assert!(cockpit.ended().await.ended.unwrap().0);
    (flight, cockpit, was)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mended_source_brings_auto_sync_back_exactly() {
    let (flight, mut cockpit, was) = held().await;
    flight.app.lock().unwrap().wanted = "2.13.4".into();
    cockpit
        .until("the end of the debt", |s| {
            auto_sync_debt(s).is_none().then_some(())
        })
        .await;
    cockpit.stop().await;
    assert_eq!(flight.app.lock().unwrap().automated, was);
    assert_eq!(sent(&flight, "PATCH"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_sync_that_somebody_changed_meanwhile_is_shown_and_left_alone() {
    let (flight, mut cockpit, _) = held().await;
    let theirs = json!({ "prune": false });
    {
        let mut app = flight.app.lock().unwrap();
        app.automated = theirs.clone();
        app.wanted = "2.13.4".into();
    }
    let what = cockpit
        .until("the difference", |s| {
            let what = auto_sync_debt(s)?.what;
            what.contains("changed by somebody").then_some(what)
        })
        .await;
    assert!(
        what.contains(r#"{"prune":true,"selfHeal":true} → {"prune":false}"#),
        "{what}"
    );
    read_again(&mut cockpit, &flight, 3).await;
    cockpit.stop().await;
    assert_eq!(flight.app.lock().unwrap().automated, theirs);
    assert_eq!(sent(&flight, "PATCH"), 1);
}

/// The confirmed wish to end the rollback.
async fn end(cockpit: &mut Cockpit) -> Request {
    let permit = cockpit
        .until("the permit to end it", |s| {
            match s.permits.get("end_rollback") {
                Some(Permission::Granted(permit)) => Some(permit.clone()),
                _ => None,
            }
        })
        .await;
    let mut inputs = std::collections::BTreeMap::from([("reason".to_owned(), "it hangs".into())]);
    inputs.extend(permit.typed.map(|word| ("typed".to_owned(), word)));
    Request {
        action: permit.action,
        basis: permit.basis,
        inputs,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_version_that_never_serves_is_waited_for_until_a_person_ends_it() {
    let flight = Flight::new(Wrong::NeverServes).await;
    let mut cockpit = Cockpit::start(&flight).await;
    let request = cockpit.wish().await;
    cockpit.order(request);
    cockpit
        .until("the wait", |s| {
            let plan = s.plan.as_ref()?;
            (state(plan, "checkout/live") == StepState::Asked).then_some(())
        })
        .await;
    let request = end(&mut cockpit).await;
    cockpit.order(request);
    let (done, why) = cockpit.ended().await.ended.unwrap();
    assert!(!done && why.contains("it hangs"), "{why}");
    assert!(why.contains("0 of 1 services are back"), "{why}");
    cockpit
        .until("what is owed", |s| auto_sync_debt(s).map(|_| ()))
        .await;
    cockpit.stop().await;
    assert_eq!((sent(&flight, "PATCH"), sent(&flight, "POST")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_somebody_else_acts_on_the_service_nothing_is_sent_and_the_holder_is_named() {
    let flight = Flight::new(Wrong::Nothing).await;
    let data = flight.folder.path().join("data");
    let store = Store::open(&data, OpenOptions::default()).await.unwrap();
    let name = lock_name("checkout", "production");
    let mut cockpit = Cockpit::start(&flight).await;
    let request = cockpit.wish().await;
    let now = flight.clock.now().real;
    store.take_lease(&name, "lou@tower 7", now).await.unwrap();
    cockpit.order(request);
    cockpit
        .until("whose lock it is", |s| {
            let stuck = s.plan.as_ref()?.stuck.as_ref()?;
            stuck.contains("lou@tower 7").then_some(())
        })
        .await;
    assert_eq!((sent(&flight, "PATCH"), sent(&flight, "POST")), (0, 0));
    store.release_lease(&name, "lou@tower 7").await.unwrap();
    assert!(cockpit.ended().await.ended.unwrap().0);
    cockpit.stop().await;
    assert_eq!((sent(&flight, "PATCH"), sent(&flight, "POST")), (1, 1));
    // Nobody keeps it.
    let left = store.leases().await.unwrap();
    assert!(left.iter().all(|l| l.name != name), "{left:?}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_trigger_the_way_from_trip_to_clear_is_measured() {
    let flight = Flight::with(Wrong::Nothing, true).await;
    let mut cockpit = Cockpit::start(&flight).await;
    cockpit
        .until("the trip", |s| {
            s.triggers.iter().any(|t| t.tripped).then_some(())
        })
        .await;
    let request = cockpit.wish().await;
    cockpit.order(request);
    let plan = cockpit.ended().await;
    cockpit.stop().await;
    let (done, said) = plan.ended.clone().unwrap();
    assert!(done && said.ends_with("the triggers are clear"), "{said}");
    let (request, live, clear) = plan.times_to;
    assert!(request.is_some(), "{plan:#?}");
    assert!(clear.unwrap() > live.unwrap(), "{live:?} {clear:?}");
    assert_eq!(flight.asked(), 1);
}
