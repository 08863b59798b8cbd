//! How a rollback goes on, stands still, ends, and begins anew; what is put back; who is in the way.

use chrono::Duration;
use serde_json::json;

use crate::domain::act::Verb;
use crate::domain::event::{Body, StepKind, StepState};
use crate::domain::journal::sentence;
use crate::domain::observe::lock_name;
use crate::domain::record::{DeployState, HistoryEntry};
use crate::domain::situation::{Advice, Passport};
use crate::domain::testkit::*;
use crate::domain::verdict::Verdict;

const AUTO_SYNC: &str = "auto-sync/checkout/production/rollback/shop-47/1";

fn tripped() -> World {
    let mut w = World::deployed();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.2));
    w.minutes(8).unwrap();
    assert_eq!(w.assess().band.advice, Advice::RollBack);
    w
}

/// It asked for the old version, which is on its way and does not come.
fn hanging() -> World {
    let mut w = tripped();
    w.act("rollback", &[]).unwrap();
    w.engine().unwrap();
    w.record("checkout").state = DeployState::Verifying;
    w.minutes(1).unwrap();
    w
}

fn ended(w: &World) -> (bool, String) {
    let plan = w.journal.release(RELEASE).unwrap().plans.last().unwrap();
    let (done, said, _) = plan.ended.clone().expect("it runs");
    (done, said)
}

fn times(w: &World) -> (Option<i64>, Option<i64>, Option<i64>) {
    w.journal.release(RELEASE).unwrap().plans[0].times
}

/// The canary is live again.
fn returns(w: &mut World) {
    let d = w.record("checkout");
    d.version = NEW.into();
    d.state = DeployState::Paused;
    (d.step, d.steps, d.weight) = (Some(1), Some(3), Some(10.0));
    d.finished_at = None;
}

#[test]
fn a_version_that_comes_back_after_its_rollback_is_rolled_back_again() {
    let mut w = tripped();
    w.act("rollback", &[]).unwrap();
    w.minutes(15).unwrap();
    assert!(ended(&w).0);
    assert_eq!(w.assess().band.advice, Advice::Watching);
    returns(&mut w);
    w.minutes(10).unwrap();
    let s = w.assess();
    assert_eq!(s.band.advice, Advice::RollBack, "{:?}", s.band.reasons);
    w.act("rollback", &[]).unwrap();
    w.minutes(15).unwrap();
    let plans = &w.journal.release(RELEASE).unwrap().plans;
    assert_eq!(plans.len(), 2);
    assert!(ended(&w).0, "{:#?}", plans[1].steps);
    assert_eq!(w.count(Verb::Rollback), 2);
    assert_eq!(w.record("checkout").version, OLD);
    assert_eq!(w.assess().band.advice, Advice::Watching);
}

#[test]
fn a_version_that_never_serves_is_said_and_a_person_ends_it() {
    let mut w = hanging();
    w.minutes(28).unwrap();
    assert_eq!(w.assess().plan.unwrap().stuck, None);
    w.minutes(2).unwrap();
    let s = w.assess();
    let stuck = s.plan.clone().unwrap().stuck.expect("it stands still");
    assert!(
        stuck.contains("2.13.9 does not serve after 31 m"),
        "{stuck}"
    );
    assert_eq!(s.band.reasons[0].text, stuck);
    assert!(w.permit("rollback").is_err());
    let p = w.permit("end_rollback").unwrap();
    assert!(p.typed.is_some() && p.inputs[0].required);
    w.act("end_rollback", &[("reason", "the node is gone")])
        .unwrap();
    w.minutes(2).unwrap();
    let (done, said) = ended(&w);
    assert!(!done);
    for part in [
        "ended by ana: the node is gone",
        "0 of 1 services are back",
        "checkout 2.13.9 is verifying",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(w.journal.debts.contains_key(AUTO_SYNC), "the hold is owed");
    assert!(w.permit("end_rollback").is_err(), "there is nothing to end");
    // What was asked is not asked again, and where the bad version is live R is there again.
    returns(&mut w);
    w.minutes(2).unwrap();
    assert!(w.permit("rollback").is_ok());
    assert!(w.vendors.performed.values().all(|n| *n == 1));
}

#[test]
fn the_rollback_s_own_rollout_is_steered_but_not_aborted() {
    let mut w = hanging();
    assert_eq!(w.assess().band.advice, Advice::RollingBack);
    let why = w.permit("abort").unwrap_err();
    assert!(why[0].why.contains("brings this version back"), "{why:?}");
    w.act("pause", &[]).unwrap();
    w.act("promote", &[]).unwrap();
    for verb in [Verb::Pause, Verb::Promote] {
        let act = w.vendors.done.iter().find(|a| a.verb == verb).unwrap();
        assert_eq!(act.args["version"], json!(OLD), "{verb:?}");
    }
    w.minutes(15).unwrap();
    assert!(ended(&w).0);
}

#[test]
fn nothing_is_called_clear_that_nothing_measured() {
    let mut p = policy();
    p.services[0].triggers.clear();
    let mut w = World::new(p);
    w.start();
    w.act("rollback", &[]).unwrap();
    w.minutes(15).unwrap();
    let (done, said) = ended(&w);
    assert!(done && said.contains("no trigger watches it"), "{said}");
    assert!(times(&w).1.is_some() && times(&w).2.is_none());
    assert!(!w.journal.debts.keys().any(|d| d.starts_with("clear/")));

    let mut w = tripped();
    w.silent = vec!["metric/".into()];
    w.act("rollback", &[]).unwrap();
    w.minutes(45).unwrap();
    let (_, said) = ended(&w);
    assert!(said.contains("were not seen clear"), "{said}");
    assert_eq!(times(&w).2, None);
}

#[test]
fn what_somebody_changed_while_it_was_held_is_shown_and_not_overwritten() {
    let mut start = tripped();
    start.act("rollback", &[]).unwrap();
    start.minutes(15).unwrap();
    let was = deployment("checkout", OLD).hold_field;
    let other = json!({ "automated": { "prune": false } });
    for on in [true, false] {
        let mut w = start.clone();
        let d = w.record("checkout");
        (d.auto_sync, d.hold_field, d.desired) = (Some(on), Some(other.clone()), Some(OLD.into()));
        w.minutes(3).unwrap();
        assert_eq!(w.count(Verb::ReleaseHold), 0);
        let what = &w.journal.debts[AUTO_SYNC].what;
        assert!(what.contains("changed by somebody"), "{what}");
        assert!(
            what.contains(r#"{"prune":true}}"#) && what.contains(r#"{"prune":false}}"#),
            "{what}"
        );
    }
    // Put back exactly by somebody else: nothing is owed any more, and nothing is sent.
    let mut w = start.clone();
    let d = w.record("checkout");
    (d.auto_sync, d.hold_field) = (Some(true), was);
    w.minutes(1).unwrap();
    assert!(!w.journal.debts.contains_key(AUTO_SYNC));
    assert_eq!(w.count(Verb::ReleaseHold), 0);
}

#[test]
fn a_restore_within_the_plan_is_believed_when_the_field_is_as_it_was() {
    let mut start = tripped();
    start.act("rollback", &[]).unwrap();
    start.engine().unwrap();
    start.record("checkout").desired = Some(OLD.into());
    let mut w = start.clone();
    w.minutes(15).unwrap();
    assert!(ended(&w).0);
    assert_eq!(w.count(Verb::ReleaseHold), 1);
    assert_eq!(
        w.record("checkout").hold_field,
        deployment("checkout", OLD).hold_field
    );
    assert!(!w.journal.debts.contains_key(AUTO_SYNC));
    // The vendor says yes and does nothing: a debt, until its record shows it.
    let mut w = start.clone();
    w.vendors.ignores.insert(Verb::ReleaseHold);
    w.minutes(20).unwrap();
    assert!(ended(&w).0);
    let what = &w.journal.debts[AUTO_SYNC].what;
    assert!(what.contains("does not show it"), "{what}");
    assert_eq!(w.count(Verb::ReleaseHold), 1);
    // Changed before it was due.
    let mut w = start;
    w.record("checkout").hold_field = Some(json!({ "automated": {} }));
    w.minutes(15).unwrap();
    let plan = &w.journal.release(RELEASE).unwrap().plans[0];
    let (state, said, _) = &plan.steps["checkout/restore"];
    assert_eq!(*state, StepState::Deferred);
    assert!(said.contains("changed by somebody"), "{said}");
    assert_eq!(w.count(Verb::ReleaseHold), 0);
}

/// Both services are on the new version.
fn both(order: [&str; 2]) -> World {
    let mut p = policy();
    p.releases[0].changes = order.iter().map(|name| change(name, NEW)).collect();
    let mut w = World::new(p);
    for name in order {
        let d = w.record(name);
        d.version = NEW.into();
        d.desired = Some(NEW.into());
        d.started_at = Some(tuesday() - Duration::minutes(5));
    }
    w.read();
    w.engine().unwrap();
    w
}

#[test]
fn the_dialog_s_order_is_the_plan_s_whatever_the_file_s_order_is() {
    for order in [["checkout", "payments"], ["payments", "checkout"]] {
        let mut w = both(order);
        let p = w.permit("rollback").unwrap();
        let said: Vec<&str> = p
            .effects
            .iter()
            .filter_map(|e| e.split_once(": 2.14.0 → "))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(p.expected, Some(600), "one after the other");
        w.act("rollback", &[]).unwrap();
        let steps = &w.journal.release(RELEASE).unwrap().plans[0].plan.steps;
        let acts = steps
            .iter()
            .filter(|s| matches!(s.kind, StepKind::Act { .. }));
        let done: Vec<&str> = acts.map(|s| s.service.as_str()).collect();
        assert_eq!(said, done, "{order:?}: {:?}", p.effects);
    }
}

#[test]
fn the_next_line_counts_the_passport_that_lacks_the_most() {
    for at in [0, 1] {
        let mut w = tripped();
        w.policy.releases[0]
            .changes
            .insert(at, change("payments", NEW));
        w.record("payments").version = NEW.into();
        w.record("payments").auto_sync = None;
        w.read();
        let s = w.assess();
        assert_eq!(s.band.advice, Advice::RollBack);
        let lacks = |p: &&Passport| p.lines.len() - p.passed as usize;
        let worst = s.passports.iter().max_by_key(lacks).unwrap();
        let least = s.passports.iter().min_by_key(lacks).unwrap();
        assert!(lacks(&worst) > lacks(&least), "one lacks more");
        let said = format!(
            "passport of {} {}/{}",
            worst.service,
            worst.passed,
            worst.lines.len()
        );
        assert!(s.next.why.contains(&said), "{at}: {}", s.next.why);
    }
}

#[test]
fn a_connection_that_cannot_hold_is_not_said_to_hold() {
    let mut w = tripped();
    let holds = |w: &World| {
        let p = w.permit("rollback").unwrap();
        p.effects.iter().any(|e| e.starts_with("hold auto-sync"))
    };
    assert!(holds(&w));
    let cd = w.policy.connections.get_mut("cd").unwrap();
    cd.verbs.retain(|v| *v != Verb::ReleaseHold);
    assert!(!holds(&w));
}

#[test]
fn a_plan_refused_in_the_middle_says_what_is_back_and_the_next_names_the_rest() {
    let mut w = both(["checkout", "payments"]);
    w.act("rollback", &[]).unwrap();
    w.engine().unwrap();
    w.vendors.refuses.insert(Verb::Rollback);
    w.minutes(3).unwrap();
    let (done, said) = ended(&w);
    assert!(!done);
    assert!(
        said.ends_with("1 of 2 services are back: checkout 2.13.9; payments still 2.14.0"),
        "{said}"
    );
    let p = w.permit("rollback").unwrap();
    let names = |name: &str| {
        p.effects
            .iter()
            .any(|e| e.starts_with(&format!("{name}: 2.14.0")))
    };
    assert!(names("payments") && !names("checkout"), "{:?}", p.effects);
}

#[test]
fn its_times_are_there_while_it_runs_and_in_the_journal_s_words() {
    let mut w = tripped();
    w.act("rollback", &[]).unwrap();
    w.engine().unwrap();
    let running = w.assess().plan.unwrap().times_to;
    assert!(running.0.is_some() && running.1.is_none(), "{running:?}");
    w.minutes(1).unwrap();
    let running = w.assess().plan.unwrap().times_to;
    assert!(running.1.is_some() && running.2.is_none(), "{running:?}");
    w.minutes(15).unwrap();
    let end = w
        .events
        .iter()
        .find(|e| matches!(e.body, Body::PlanEnded { .. }));
    let (said, _) = sentence(&end.unwrap().body);
    for part in ["trip → request", "request → live 1 m", "→ clear"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn where_the_vendor_s_history_does_not_name_the_target_nothing_is_held() {
    let mut w = tripped();
    w.policy
        .connections
        .get_mut("cd")
        .unwrap()
        .rollback_by_history = true;
    assert!(w.permit("rollback").is_ok());
    let entry = |version: &str, revision: &str| HistoryEntry {
        id: revision.into(),
        version: version.into(),
        at: None,
        revision: Some(revision.into()),
        ..HistoryEntry::default()
    };
    w.record("checkout").history = vec![
        entry("bbbbbbbb", "bbbbbbbbbb"),
        entry("aaaaaaaa", "aaaaaaaaaa"),
    ];
    w.read();
    let why = w.permit("rollback").unwrap_err();
    assert!(why[0].why.contains("does not name 2.13.9"), "{why:?}");
    let passport = w.assess().passports[0].clone();
    let line = passport.lines.iter().find(|l| l.id == "rights").unwrap();
    assert_eq!(line.verdict, Verdict::Fail);
    // Where the journal knows the revision that it was deployed from, the entry is found by that.
    let healthy = |revision: &str| Body::EarnedHealthy {
        service: "checkout".into(),
        environment: "production".into(),
        version: OLD.into(),
        revision: Some(revision.into()),
    };
    w.append_for(None, healthy("bbbbbbbbbb"));
    assert!(w.permit("rollback").is_err(), "that is the live one's");
    w.append_for(None, healthy("aaaaaaaaaa"));
    w.act("rollback", &[]).unwrap();
    w.engine().unwrap();
    let act = w
        .vendors
        .done
        .iter()
        .find(|a| a.verb == Verb::Rollback)
        .unwrap();
    assert_eq!(act.args["history_id"], json!("aaaaaaaaaa"));
}

#[test]
fn another_release_s_rollback_of_the_service_and_another_s_act_are_in_the_way_by_name() {
    let mut w = hanging();
    w.policy
        .releases
        .push(release("z-other", vec![change("checkout", "2.15.0")]));
    w.observed.session.focus.0 = Some("z-other".into());
    w.read();
    let locked = |w: &World| {
        let why = w.permit("deploy").unwrap_err();
        why.into_iter().find(|r| r.rule == "lock").map(|r| r.why)
    };
    let why = locked(&w).expect("the rollback is in the way");
    assert!(
        why.contains("rollback/shop-47/1") && why.contains(RELEASE),
        "{why}"
    );
    w.observed.session.focus.0 = None;
    w.act("end_rollback", &[]).unwrap();
    w.observed.session.focus.0 = Some("z-other".into());
    assert_eq!(locked(&w), None);
    let name = lock_name("checkout", "production");
    w.observed.session.locks.insert(name, "lou@tower 7".into());
    assert!(locked(&w).unwrap().contains("lou@tower 7"));
}

#[test]
fn a_plan_that_waits_for_somebody_s_lock_says_for_whom() {
    let mut w = tripped();
    let name = lock_name("checkout", "production");
    w.observed.session.locks.insert(name, "lou@tower 7".into());
    w.act("rollback", &[]).unwrap();
    let stuck = w.assess().plan.unwrap().stuck.unwrap();
    assert!(stuck.contains("lou@tower 7"), "{stuck}");
}
