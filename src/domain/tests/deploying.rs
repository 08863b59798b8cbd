//! Phases, deployments by somebody else, and releases of several services.

use chrono::Duration;

use crate::domain::act::Verb;
use crate::domain::event::{Body, Closing};
use crate::domain::record::DeployState;
use crate::domain::situation::Phase;
use crate::domain::testkit::*;

fn phase(w: &World) -> Phase {
    w.assess().releases[0].phase
}

#[test]
fn a_deployment_that_nobody_planned_is_shown_as_such() {
    let mut w = World::default();
    let d = w.record("checkout");
    d.version = "2.99.0".into();
    d.state = DeployState::Running;
    d.weight = Some(10.0);
    w.minutes(1).unwrap();
    let s = w.assess();
    let row = s
        .deployments
        .iter()
        .find(|d| d.service == "checkout")
        .unwrap();
    assert!(row.unplanned && row.release.is_none());
    assert_eq!(phase(&w), Phase::Planned);
}

#[test]
fn another_version_in_the_place_of_ours_ends_the_watch_as_superseded() {
    let mut w = World::shipped();
    w.minutes(20).unwrap();
    assert_eq!(phase(&w), Phase::Watching);
    *w.record("checkout") = deployment("checkout", "2.15.0");
    w.minutes(1).unwrap();
    let track = &w.journal.release(RELEASE).unwrap().tracks["checkout"];
    assert_eq!(track.state, DeployState::Superseded);
    assert!(track.finished.is_some(), "it had served");
    assert_eq!(phase(&w), Phase::Watching, "the verdict so far is kept");
    w.act("close", &[]).unwrap();
    let closing = w.journal.release(RELEASE).unwrap().closing.clone();
    assert_eq!(closing.unwrap().0, Closing::Superseded);
}

#[test]
fn an_aborted_canary_is_never_shipped_and_can_be_abandoned() {
    let mut w = World::deployed();
    w.minutes(3).unwrap();
    w.act("abort", &[]).unwrap();
    w.minutes(90).unwrap();
    assert_eq!(phase(&w), Phase::Deploying);
    assert!(w.assess().watch.is_none());
    w.act("close", &[]).unwrap();
    let closing = w.journal.release(RELEASE).unwrap().closing.clone();
    assert_eq!(closing.unwrap().0, Closing::Abandoned);
}

#[test]
fn a_pause_is_a_debt_until_it_goes_on() {
    let mut w = World::deployed();
    w.minutes(1).unwrap();
    w.act("pause", &[("reason", "the shop asks")]).unwrap();
    w.engine().unwrap();
    let debt = w.journal.debts["hold/checkout/production"].clone();
    assert_eq!(debt.owner, "ana");
    w.minutes(3).unwrap();
    w.act("resume", &[]).unwrap();
    w.engine().unwrap();
    assert!(w.journal.debts.is_empty(), "{:?}", w.journal.debts);
    // A second pause is a second debt.
    w.minutes(1).unwrap();
    w.act("pause", &[]).unwrap();
    w.engine().unwrap();
    assert_eq!(w.journal.debts.len(), 1);
}

#[test]
fn states_that_swing_are_each_journaled_once() {
    let mut w = World::deployed();
    let seen = |w: &World| {
        let is = |b: &Body| matches!(b, Body::DeploymentSeen { .. });
        w.events.iter().filter(|e| is(&e.body)).count()
    };
    let before = seen(&w);
    for state in [
        DeployState::Running,
        DeployState::Paused,
        DeployState::Running,
        DeployState::Paused,
    ] {
        // All within one second.
        w.record("checkout").state = state;
        w.read();
        w.engine().unwrap();
        w.engine().unwrap();
    }
    assert_eq!(seen(&w), before + 4);
}

fn two() -> World {
    let mut p = policy();
    p.releases[0].changes = vec![change("checkout", NEW), change("payments", NEW)];
    let mut w = World::new(p);
    w.act("seal", &[]).unwrap();
    w.act("tick/tests", &[]).unwrap();
    w
}

#[test]
fn several_services_go_one_after_the_other_dependencies_first() {
    let mut w = two();
    let first = w.permit("deploy").unwrap();
    assert_eq!(first.service.as_deref(), Some("payments"));
    assert_eq!(
        (first.from.as_deref(), first.to.as_deref()),
        (Some(OLD), Some(NEW))
    );
    assert_eq!(
        first.typed.as_deref(),
        Some(RELEASE),
        "two services: the release's name"
    );
    assert!(
        first
            .effects
            .iter()
            .any(|e| e.contains("afterwards checkout"))
    );
    w.act("deploy", &[]).unwrap();
    w.minutes(12).unwrap();
    let why = w.permit("deploy").unwrap_err();
    assert!(why.iter().any(|r| r.rule == "order"), "{why:?}");
    for _ in 0..2 {
        w.act("promote", &[]).unwrap();
        w.minutes(12).unwrap();
    }
    assert_eq!(phase(&w), Phase::Deploying);
    assert_eq!(w.assess().next.action, "deploy");
    let next = w.permit("deploy").unwrap();
    assert_eq!(next.service.as_deref(), Some("checkout"));
    w.act("deploy", &[]).unwrap();
    assert_eq!(w.count(Verb::Deploy), 2);
    assert_eq!(
        w.vendors.done.last().unwrap().service.as_deref(),
        Some("checkout")
    );
    assert!(w.permit("deploy").is_err(), "all under way");
}

#[test]
fn the_next_service_waits_for_the_windows_but_not_for_the_kept_checklist() {
    let mut w = two();
    w.act("deploy", &[]).unwrap();
    for _ in 0..2 {
        w.minutes(12).unwrap();
        w.act("promote", &[]).unwrap();
    }
    w.minutes(12).unwrap();
    w.append(Body::Unticked {
        item: "tests".into(),
        why: "late".into(),
    });
    assert!(w.permit("deploy").is_ok());
    w.set_now(at("2026-11-17T20:00:00+01:00"));
    w.read();
    let why = w.permit("deploy").unwrap_err();
    assert!(
        why.iter().any(|r| r.rule == "window/office hours"),
        "{why:?}"
    );
}

#[test]
fn a_failing_first_service_stops_the_second() {
    let mut w = two();
    w.act("deploy", &[]).unwrap();
    for _ in 0..2 {
        w.minutes(12).unwrap();
        w.act("promote", &[]).unwrap();
    }
    w.traffic.insert("payments".into(), (6000.0, 0.01, 0.2));
    w.minutes(12).unwrap();
    let why = w.permit("deploy").unwrap_err();
    assert!(
        why.iter().any(|r| r.rule.starts_with("trigger/payments")),
        "{why:?}"
    );
    w.act("rollback", &[]).unwrap();
    w.minutes(20).unwrap();
    assert_eq!(w.record("payments").version, OLD);
    assert_eq!(w.record("checkout").version, OLD, "never touched");
    assert_eq!(w.count(Verb::Rollback), 1);
    assert!(w.permit("deploy").is_err(), "it goes no further");
}

#[test]
fn a_version_earns_healthy_after_an_hour_without_a_failing_verdict() {
    let healthy = |w: &World| {
        let place = ("checkout".to_owned(), "production".to_owned());
        w.journal.healthy[&place].last().unwrap().version.clone()
    };
    let mut w = World::shipped();
    w.minutes(59).unwrap();
    assert_eq!(healthy(&w), OLD);
    let mut bad = w.clone();
    bad.append(Body::CheckpointTaken {
        after: 1800,
        late: false,
        measured: Default::default(),
        verdict: crate::domain::verdict::Verdict::Fail,
    });
    bad.minutes(5).unwrap();
    assert_eq!(healthy(&bad), OLD);
    w.minutes(2).unwrap();
    assert_eq!(healthy(&w), NEW);
    assert_eq!(
        w.assess().passports[0].to.as_deref(),
        Some(OLD),
        "not itself"
    );
    let commits = crate::domain::needs::needs(&w.policy, &w.journal, w.now);
    let commits = commits
        .iter()
        .find(|n| n.id.starts_with("commits/"))
        .unwrap();
    assert_eq!(commits.call.args["from"], OLD);
    assert!(w.now.world > tuesday() + Duration::hours(1));
}

#[test]
fn looking_at_a_service_moves_no_row() {
    let mut w = World::deployed();
    for i in 0..4 {
        w.policy.services.push(service(&format!("other-{i}"), &[]));
    }
    let order =
        |w: &World| -> Vec<String> { w.assess().metrics.into_iter().map(|m| m.id).collect() };
    let before = order(&w);
    assert!(before.len() > 6);
    w.observed.session.focus.1 = Some("other-2".into());
    assert_eq!(order(&w), before, "who walks down must come to the end");
}
