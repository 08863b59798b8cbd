//! Law 4: a rollback to its end, killed anywhere, never does an act twice.

use chrono::Duration;

use crate::domain::act::{Outcome, Verb};
use crate::domain::event::{Body, StepKind, StepState};
use crate::domain::policy::{Limit, Then, Trigger};
use crate::domain::record::DeployState;
use crate::domain::rollback::dependency_order;
use crate::domain::situation::{Advice, Task};
use crate::domain::testkit::*;

const AUTO_SYNC: &str = "auto-sync/checkout/production/rollback/shop-47/1";
const HELD: &str = "held/checkout/production/2.14.0";

/// The canary is bad, and its trigger tripped.
fn tripped() -> World {
    let mut w = World::deployed();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.2));
    w.minutes(8).unwrap();
    assert_eq!(w.assess().band.advice, Advice::RollBack);
    w
}

fn ended(w: &World) -> Option<bool> {
    let plan = w.journal.release(RELEASE)?.plans.last()?;
    plan.ended.as_ref().map(|(done, _, _)| *done)
}

fn most(w: &World) -> u32 {
    w.vendors.performed.values().copied().max().unwrap_or(0)
}

#[test]
fn a_rollback_runs_to_its_end_and_leaves_its_debts() {
    let mut w = tripped();
    w.act("rollback", &[]).unwrap();
    assert_eq!(w.assess().band.advice, Advice::RollingBack);
    w.minutes(15).unwrap();
    assert_eq!(ended(&w), Some(true));
    assert_eq!((w.count(Verb::Hold), w.count(Verb::Rollback)), (1, 1));
    // Git still asks for the bad version: auto-sync stays off, as a debt.
    assert_eq!(w.count(Verb::ReleaseHold), 0);
    assert_eq!(w.record("checkout").auto_sync, Some(false));
    assert!(w.journal.debts.contains_key(AUTO_SYNC));
    assert!(w.journal.debts.contains_key(HELD));
    let plan = w.journal.release(RELEASE).unwrap().plans[0].clone();
    assert_eq!(plan.state("checkout/restore"), StepState::Deferred);
    assert!(plan.times.0.is_some() && plan.times.1.is_some() && plan.times.2.is_some());
    assert!(w.assess().triggers.iter().all(|t| !t.tripped));
    assert_eq!(w.assess().band.advice, Advice::Watching);
    // The source is mended: now it is put back, exactly, and the debt is gone.
    let field = deployment("checkout", OLD).hold_field;
    w.record("checkout").desired = Some(OLD.into());
    w.minutes(2).unwrap();
    assert_eq!(w.count(Verb::ReleaseHold), 1);
    assert_eq!(w.record("checkout").hold_field, field);
    assert!(!w.journal.debts.contains_key(AUTO_SYNC));
    assert_eq!(most(&w), 1);
    assert!(w.permit("rollback").is_err(), "only once");
}

#[test]
fn killed_at_any_point_it_never_does_an_act_twice() {
    let mut start = tripped();
    start.act("rollback", &[]).unwrap();
    let mut crashed = 0;
    for point in 0.. {
        let mut w = start.clone();
        w.crash_in = Some(point);
        let whole = w.minutes(15).and_then(|()| {
            w.record("checkout").desired = Some(OLD.into());
            w.minutes(3)
        });
        if whole.is_ok() {
            break;
        }
        crashed += 1;
        w.restart();
        w.minutes(15).unwrap();
        w.record("checkout").desired = Some(OLD.into());
        w.minutes(3).unwrap();
        assert!(most(&w) <= 1, "{point}: {:?}", w.vendors.performed);
        match ended(&w) {
            Some(true) => {
                assert_eq!(w.record("checkout").version, OLD, "{point}");
                assert_eq!(w.count(Verb::Rollback), 1, "{point}");
            }
            // Killed between the intent and the act: looked up, found undone, said so.
            Some(false) => {
                assert!(w.record("checkout").version == NEW, "{point}");
                assert!(w.permit("rollback").is_ok(), "{point}");
            }
            None => panic!("{point}: it hangs, {:?}", w.assess().plan),
        }
        let on = w.record("checkout").auto_sync == Some(true);
        assert_ne!(on, w.journal.debts.contains_key(AUTO_SYNC), "{point}");
    }
    assert!(crashed >= 10, "{crashed}");
}

#[test]
fn an_act_whose_mark_cannot_be_found_is_unknown_and_not_repeated_and_without_a_trace_it_ends() {
    let mut w = tripped();
    w.vendors.loses.insert(Verb::Hold);
    w.vendors.forgetful = true;
    w.act("rollback", &[]).unwrap();
    w.minutes(1).unwrap();
    let s = w.assess();
    assert_eq!(most(&w), 1);
    let plan = s.plan.unwrap();
    assert_eq!(plan.states["checkout/hold"].0, StepState::Unknown);
    assert!(plan.stuck.unwrap().contains("unknown"));
    assert_eq!(s.band.advice, Advice::RollingBack);
    // The vendor's live record goes on saying that auto-sync is on: nothing came of it, and a person may press again.
    w.minutes(4).unwrap();
    let holds = w.vendors.performed.keys().filter(|k| k.ends_with("/hold"));
    assert_eq!(holds.count(), 1);
    assert_eq!(ended(&w), Some(false));
    assert_eq!(w.assess().band.advice, Advice::RollBack);
}

#[test]
fn a_refused_rollback_ends_in_words_and_owes_the_held_auto_sync() {
    let mut w = tripped();
    w.vendors.refuses.insert(Verb::Rollback);
    w.act("rollback", &[]).unwrap();
    w.minutes(2).unwrap();
    assert_eq!(ended(&w), Some(false));
    assert!(w.journal.debts.contains_key(AUTO_SYNC));
    assert!(
        !w.journal.debts.contains_key(HELD),
        "nothing was rolled back"
    );
    assert_eq!(w.assess().band.advice, Advice::RollBack, "still to be done");
    w.vendors.refuses.clear();
    w.act("rollback", &[]).unwrap();
    w.minutes(15).unwrap();
    assert_eq!(ended(&w), Some(true));
    assert_eq!(w.count(Verb::Hold), 1, "auto-sync was off already");
}

#[test]
fn two_cockpits_that_press_at_once_start_one_plan() {
    let mut w = tripped();
    let request = w.request("rollback", &[]);
    let (one, two) = (w.decide(&request).unwrap(), w.decide(&request).unwrap());
    assert_eq!(one[0].key, two[0].key);
    for duty in one.into_iter().chain(two) {
        w.duty(duty).unwrap();
    }
    // Even where a spool is merged later, the fold knows one plan.
    let again = w
        .events
        .iter()
        .find(|e| matches!(e.body, Body::PlanStarted { .. }))
        .unwrap()
        .body
        .clone();
    w.append(again);
    w.minutes(15).unwrap();
    assert_eq!(w.journal.release(RELEASE).unwrap().plans.len(), 1);
    assert_eq!(most(&w), 1);
    assert_eq!(ended(&w), Some(true));
}

#[test]
fn only_the_process_that_drives_carries_it_on() {
    let mut w = tripped();
    w.act("rollback", &[]).unwrap();
    w.observed.session.drives.clear();
    let acts = w.assess().owed;
    assert!(acts.iter().all(|d| !matches!(d.task, Task::Perform { .. })));
}

#[test]
fn looking_at_another_release_does_not_stop_it() {
    let mut p = policy();
    p.releases
        .push(release("z-other", vec![change("payments", "9.9.9")]));
    let mut w = World::new(p);
    w.start();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.2));
    w.minutes(8).unwrap();
    w.act("rollback", &[]).unwrap();
    w.observed.session.focus.0 = Some("z-other".into());
    w.minutes(15).unwrap();
    assert_eq!(w.assess().current.as_deref(), Some("z-other"));
    let plan = w.journal.release(RELEASE).unwrap().plans[0].clone();
    assert_eq!(ended(&w), Some(true), "{:#?}", plan.steps);
}

#[test]
fn an_automatic_trigger_acts_only_when_sealed_and_after_its_countdown() {
    let mut p = policy();
    p.services[0].triggers[0].then = Then::Automatic;
    let mut w = World::new(p);
    w.start();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.2));
    w.minutes(8).unwrap();
    let id = w.assess().counting[0].clone();
    let began = w.now.real;
    w.observed.session.countdowns.insert(id, began);
    assert!(w.assess().band.countdown.is_some());
    assert!(w.permit("cancel_countdown").is_ok());
    let plans = |w: &World| {
        let keys = w.assess().owed.into_iter().map(|d| d.key);
        keys.filter(|k| k.starts_with("plan/")).count()
    };
    w.set_now(began + Duration::seconds(59));
    assert_eq!(plans(&w), 0);
    w.set_now(began + Duration::seconds(60));
    w.read();
    assert_eq!(plans(&w), 1);
    let mut cancelled = w.clone();
    cancelled.act("cancel_countdown", &[]).unwrap();
    assert_eq!(plans(&cancelled), 0);
    assert!(cancelled.assess().band.countdown.is_none());
    let mut unsealed = w.clone();
    unsealed
        .events
        .retain(|e| !matches!(e.body, Body::ContractSealed { .. }));
    for (i, e) in unsealed.events.iter_mut().enumerate() {
        e.seq = i as u64 + 1;
    }
    unsealed.restart();
    assert_eq!(plans(&unsealed), 0);
    assert!(unsealed.assess().band.armed.contains("not sealed"));
}

#[test]
fn a_countdown_stands_only_on_fresh_data_and_only_with_the_lease() {
    let mut p = policy();
    p.services[0].triggers[0].then = Then::Automatic;
    let mut w = World::new(p);
    w.start();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.2));
    w.minutes(8).unwrap();
    assert_eq!(w.assess().counting.len(), 1);
    assert!(w.assess().band.armed.starts_with("auto armed by ana"));
    // The clocks jumped: it stands again only after a fresh reading.
    let mut jumped = w.clone();
    jumped.observed.not_before = Some(w.now.world + Duration::seconds(1));
    let s = jumped.assess();
    assert!(s.counting.is_empty() && s.triggers[0].tripped);
    jumped.quiet_minute();
    assert_eq!(jumped.assess().counting.len(), 1);
    let mut stale = w.clone();
    stale.silent = vec!["metric/".into()];
    for _ in 0..3 {
        stale.quiet_minute();
    }
    let s = stale.assess();
    assert!(s.triggers[0].tripped && s.counting.is_empty());
    let mut observer = w.clone();
    observer.observed.session.drives.clear();
    let s = observer.assess();
    assert!(s.counting.is_empty() && s.band.countdown.is_none());
    assert_eq!(s.band.armed, "not armed: nobody watching");
    observer
        .observed
        .session
        .leases
        .insert(RELEASE.into(), "lou@tower 7".into());
    assert_eq!(observer.assess().band.armed, "auto armed by lou@tower 7");
}

#[test]
fn a_countdown_of_a_release_nobody_looks_at_runs_and_is_in_sight() {
    let mut p = policy();
    p.services[0].triggers[0].then = Then::Automatic;
    p.releases
        .push(release("z-other", vec![change("payments", NEW)]));
    let mut w = World::new(p);
    w.start();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.2));
    w.minutes(8).unwrap();
    w.observed.session.focus.0 = Some("z-other".into());
    let id = w.assess().counting[0].clone();
    let began = w.now.real;
    w.observed.session.countdowns.insert(id, began);
    let s = w.assess();
    assert_eq!(s.current.as_deref(), Some("z-other"));
    assert!(
        s.troubles[0].contains("rollback by trigger"),
        "{:?}",
        s.troubles
    );
    w.now.real += Duration::seconds(60);
    let owed = w.assess().owed;
    assert!(owed.iter().any(|d| d.key.starts_with("plan/")));
}

#[test]
fn a_trigger_that_never_clears_is_left_to_a_person_in_the_end() {
    let mut w = tripped();
    w.act("rollback", &[]).unwrap();
    w.traffic.insert("checkout".into(), (6000.0, 0.2, 0.2));
    w.minutes(45).unwrap();
    assert_eq!(ended(&w), Some(true), "the old version serves");
    assert!(w.journal.debts.contains_key("clear/rollback/shop-47/1"));
    let plan = &w.journal.release(RELEASE).unwrap().plans[0];
    let said = &plan.ended.as_ref().unwrap().1;
    assert!(said.contains("were not seen clear"), "{said}");
    assert!(
        plan.times.1.is_some() && plan.times.2.is_none(),
        "{:?}",
        plan.times
    );
    assert_eq!(
        w.assess().band.advice,
        Advice::Hold,
        "there is nothing left to roll back"
    );
}

#[test]
fn auto_sync_whose_field_was_not_read_is_put_back_by_hand() {
    let mut w = World::deployed();
    w.record("checkout").hold_field = None;
    w.minutes(1).unwrap();
    w.act("rollback", &[]).unwrap();
    w.minutes(15).unwrap();
    assert_eq!(ended(&w), Some(true));
    assert!(w.journal.debts[AUTO_SYNC].what.contains("by hand"));
    assert_eq!(w.count(Verb::ReleaseHold), 0);
}

#[test]
fn services_go_back_in_reverse_dependency_order_and_cycles_do_not_hang() {
    let mut p = policy();
    p.releases[0].changes = vec![change("checkout", NEW), change("payments", NEW)];
    let mut w = World::new(p);
    for name in ["checkout", "payments"] {
        let d = w.record(name);
        *d = deployment(name, NEW);
        d.desired = Some(NEW.into());
        d.started_at = Some(tuesday() - Duration::minutes(5));
    }
    w.read();
    w.engine().unwrap();
    w.act("rollback", &[]).unwrap();
    let plan = w.journal.release(RELEASE).unwrap().plans[0].plan.clone();
    let acts: Vec<&str> = plan
        .steps
        .iter()
        .filter(|s| matches!(s.kind, StepKind::Act { .. }))
        .map(|s| s.service.as_str())
        .collect();
    assert_eq!(acts, ["checkout", "payments"]);
    let first_restore = plan
        .steps
        .iter()
        .position(|s| matches!(s.kind, StepKind::Restore { .. }));
    assert_eq!(
        first_restore,
        Some(plan.steps.len() - 2),
        "restores come last"
    );

    let mut p = policy();
    p.services.push(service("a", &["b"]));
    p.services.push(service("b", &["a", "payments"]));
    assert_eq!(dependency_order(&p), ["payments", "checkout", "a", "b"]);
}

#[test]
fn what_is_certain_is_not_undone_by_a_later_unknown() {
    let mut w = tripped();
    w.act("rollback", &[]).unwrap();
    w.minutes(15).unwrap();
    let act = w.vendors.done.last().unwrap().id.clone();
    w.append(Body::Concluded {
        act: act.clone(),
        outcome: Outcome::Unknown { why: "late".into() },
    });
    let outcome = w.journal.acts[&act].outcome.clone().unwrap().0;
    assert!(matches!(outcome, Outcome::Confirmed { .. }));
}

#[test]
fn the_target_is_the_last_healthy_version_that_is_not_held() {
    let mut w = World::default();
    w.healthy("checkout", "2.13.10");
    let to = |w: &World| w.assess().passports[0].to.clone();
    assert_eq!(to(&w).as_deref(), Some("2.13.10"));
    w.append(Body::DebtIncurred {
        debt: crate::domain::event::Debt {
            id: "held/checkout/production/2.13.10".into(),
            what: "rolled back".into(),
            owner: "ana".into(),
            due: w.now.world,
            release: None,
        },
    });
    assert_eq!(to(&w).as_deref(), Some(OLD));
    // One that came back and served an hour is the latest again.
    w.healthy("checkout", "2.13.11");
    w.engine().unwrap();
    assert_eq!(
        to(&w).as_deref(),
        Some(OLD),
        "it serves now, and did for days"
    );
}

#[test]
fn a_held_version_is_not_deployed_again() {
    let mut w = tripped();
    w.act("rollback", &[]).unwrap();
    w.minutes(15).unwrap();
    let mut p = w.policy.clone();
    p.releases
        .push(release("shop-48", vec![change("checkout", NEW)]));
    w.policy = p;
    w.observed.session.focus.0 = Some("shop-48".into());
    w.read();
    let why = w.permit("deploy").unwrap_err();
    let held = why.iter().find(|r| r.rule == HELD).unwrap();
    assert!(held.owner.is_some() && held.until.is_some() && held.way_out.is_some());
    assert_eq!(w.record("checkout").state, DeployState::Succeeded);
}

/// What a second cockpit owes that has not read since `lag` and knows the journal as it is now.
fn owed_with(w: &World, lag: &crate::domain::observe::Observed) -> Vec<String> {
    let mut slow = w.clone();
    slow.observed.feeds = lag.feeds.clone();
    slow.observed.metrics = lag.metrics.clone();
    slow.set_now(w.now.world + Duration::seconds(1));
    slow.assess().owed.into_iter().map(|d| d.key).collect()
}

#[test]
fn a_cockpit_that_read_before_the_journal_s_last_word_takes_nothing_back() {
    let mut p = policy();
    p.services[0].triggers = vec![Trigger {
        window: 60,
        ..trigger(Limit::Value(0.02), "error_rate", 0, Then::Propose)
    }];
    let mut w = World::new(p);
    w.start();
    w.minutes(3).unwrap();
    let lag = w.observed.clone();
    w.traffic.insert("checkout".into(), (6000.0, 0.2, 0.2));
    w.record("checkout").weight = Some(50.0);
    w.minutes(1).unwrap();
    let told: Vec<&str> = w.events.iter().map(|e| e.body.kind()).collect();
    assert!(told.contains(&"trigger_tripped"), "{told:?}");
    let owed = owed_with(&w, &lag);
    let back = |key: &String| {
        ["seen/", "gone/", "clear/", "healthy/"]
            .iter()
            .any(|k| key.starts_with(k))
    };
    assert!(!owed.iter().any(back), "{owed:?}");
    // Read after it, the same is news.
    let mut later = lag.clone();
    for feed in later.feeds.values_mut().filter_map(|f| f.last.as_mut()) {
        feed.read_at = w.now.world + Duration::seconds(1);
        feed.newest = feed.read_at;
    }
    let owed = owed_with(&w, &later);
    for key in ["seen/", "clear/"] {
        assert!(
            owed.iter().any(|k| k.starts_with(key)),
            "no {key}: {owed:?}"
        );
    }
}
