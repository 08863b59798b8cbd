//! SEMANTICS 12: each row of the table, and that the first match wins.

use chrono::Duration;

use crate::domain::event::{Body, Closing};
use crate::domain::policy::{After, Reversible};
use crate::domain::record::DeployState;
use crate::domain::situation::{Advice, Phase, Situation};
use crate::domain::testkit::*;
use crate::domain::verdict::Verdict;

fn word(w: &World) -> Advice {
    let s = w.assess();
    for reason in &s.band.reasons {
        assert!(!reason.text.is_empty());
        if let Some(key) = &reason.evidence {
            assert!(s.evidence.contains_key(key), "{key} leads nowhere");
        }
    }
    s.band.advice
}

fn phase(s: &Situation) -> Phase {
    s.releases[0].phase
}

fn bad() -> World {
    let mut w = World::deployed();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.2));
    w.minutes(8).unwrap();
    w
}

#[test]
fn blind_without_a_journal_or_when_every_deciding_feed_is_stale() {
    for mut w in [World::default(), World::deployed(), bad()] {
        let mut mute = w.clone();
        mute.observed.session.journal_fault = Some("the disk is full".into());
        assert_eq!(word(&mute), Advice::Blind);
        assert!(
            mute.assess().owed.is_empty(),
            "nothing is done that cannot be written"
        );
        let later = w.now.world + Duration::hours(1);
        w.set_now(later);
        assert_eq!(word(&w), Advice::Blind);
    }
    let mut w = World::default();
    w.journal.unreadable = Some("event 7 is of a kind this program does not know".into());
    assert_eq!(word(&w), Advice::Blind);
}

#[test]
fn one_fresh_deciding_feed_is_not_blind() {
    let mut w = World::deployed();
    w.silent = vec!["metric/".into(), "alerts/".into()];
    for _ in 0..10 {
        w.quiet_minute();
    }
    assert_eq!(word(&w), Advice::Hold);
}

#[test]
fn planned_and_ready_are_no_go_or_go() {
    let mut w = World::default();
    assert_eq!(phase(&w.assess()), Phase::Planned);
    assert_eq!(word(&w), Advice::NoGo);
    w.act("seal", &[]).unwrap();
    assert_eq!(phase(&w.assess()), Phase::Ready);
    assert_eq!(word(&w), Advice::NoGo, "the checklist is open");
    w.act("tick/tests", &[]).unwrap();
    assert_eq!(word(&w), Advice::Go);
    w.observed.session.read_only = true;
    assert_eq!(word(&w), Advice::NoGo);
    w.observed.session.read_only = false;
    w.silent = vec!["deployments/".into()];
    w.quiet_minute();
    assert_eq!(word(&w), Advice::NoGo, "the live state is stale");
}

#[test]
fn deploying_holds_then_proceeds_then_rolls_back() {
    let mut w = World::deployed();
    assert_eq!(phase(&w.assess()), Phase::Deploying);
    w.minutes(2).unwrap();
    assert_eq!(word(&w), Advice::Hold, "nothing passes before minute 5");
    w.minutes(10).unwrap();
    assert_eq!(word(&w), Advice::Proceed);
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.2));
    w.minutes(8).unwrap();
    assert_eq!(word(&w), Advice::RollBack);
    w.act("rollback", &[]).unwrap();
    assert_eq!(word(&w), Advice::RollingBack, "before the tripped trigger");
}

#[test]
fn a_step_without_a_gate_of_its_own_is_hold_whatever_another_services_gate_says() {
    let mut p = policy();
    p.releases[0].changes = vec![change("checkout", NEW), change("payments", NEW)];
    for service in p.services.iter_mut().filter(|s| s.name == "checkout") {
        for gate in &mut service.gates {
            gate.after = After::Percent(40.0);
        }
    }
    let mut w = World::new(p);
    w.start();
    for _ in 0..2 {
        w.minutes(12).unwrap();
        w.act("promote", &[]).unwrap();
    }
    w.minutes(12).unwrap();
    assert_eq!(
        word(&w),
        Advice::Proceed,
        "payments serves, its gate passed"
    );
    w.act("deploy", &[]).unwrap();
    w.minutes(12).unwrap();
    let s = w.assess();
    assert!(s.gates.iter().any(|g| g.verdict == Verdict::Pass));
    assert_eq!(s.band.advice, Advice::Hold);
    let words = "no gate of checkout ran at step 1: its metrics alone tell";
    assert_eq!(s.band.reasons[0].text, words);
    assert_ne!(s.next.verb, "wait", "no waiting brings a gate");
    // A person may go on, and is told so in the dialog.
    assert_eq!(w.permit("promote").unwrap().warnings, [words]);
    w.act("promote", &[]).unwrap();
    w.minutes(12).unwrap();
    assert_eq!(word(&w), Advice::Proceed, "its gate at 40 % passed");
}

#[test]
fn past_the_point_of_no_return_it_is_roll_forward() {
    let mut w = bad();
    w.policy.releases[0].changes[0].reversible = Reversible::No;
    assert_eq!(word(&w), Advice::RollForward);
    w.policy.releases[0].changes[0].reversible =
        Reversible::Until("the old column is dropped".into());
    assert_eq!(word(&w), Advice::RollBack);
    w.append(Body::Noted {
        text: "the old column is dropped".into(),
    });
    assert_eq!(word(&w), Advice::RollForward);
}

#[test]
fn a_state_that_cannot_be_read_and_a_hold_are_hold() {
    let mut w = World::deployed();
    w.minutes(12).unwrap();
    let mut unknown = w.clone();
    unknown.record("checkout").state = DeployState::Unknown;
    unknown.minutes(1).unwrap();
    assert_eq!(word(&unknown), Advice::Hold);
    assert_eq!(
        phase(&unknown.assess()),
        Phase::Deploying,
        "unknown ends nothing"
    );
    for state in [DeployState::Failed, DeployState::Cancelled] {
        let mut w = w.clone();
        w.record("checkout").state = state;
        w.minutes(60).unwrap();
        assert_eq!(word(&w), Advice::Hold, "{state:?}");
        assert_eq!(
            phase(&w.assess()),
            Phase::Deploying,
            "{state:?} is not shipped"
        );
    }
    w.act("pause", &[("reason", "the shop asks")]).unwrap();
    assert_eq!(word(&w), Advice::Hold);
}

#[test]
fn accepted_is_proceed_but_a_gate_that_never_ran_is_not() {
    let mut w = World::deployed();
    w.minutes(3).unwrap();
    let gate = w.assess().gates[0].clone();
    w.act(&format!("accept/{}", gate.id), &[]).unwrap();
    let s = w.assess();
    assert_eq!(s.gates[0].mark.word, "ACCEPTED");
    assert_eq!(s.band.advice, Advice::Proceed);
    // Later it reads "not run", since its feed was never read here: acceptance does not stand for that.
    w.observed.feeds.retain(|k, _| !k.starts_with("metric/"));
    let s = w.assess();
    assert!(matches!(s.gates[0].verdict, Verdict::NotRun { .. }));
    assert_eq!(s.band.advice, Advice::Hold);
}

#[test]
fn without_a_gate_at_this_step_it_holds_and_says_so() {
    let mut p = policy();
    p.services[0].gates.clear();
    let mut w = World::new(p);
    w.start();
    w.minutes(12).unwrap();
    assert_eq!(word(&w), Advice::Hold);
    assert!(w.assess().band.reasons[0].text.contains("no gate"));
}

#[test]
fn verifying_watching_closed() {
    let mut w = World::shipped();
    assert_eq!(phase(&w.assess()), Phase::Verifying);
    w.minutes(11).unwrap();
    assert_eq!(phase(&w.assess()), Phase::Watching);
    assert_eq!(word(&w), Advice::Watching);
    assert!(w.assess().band.reasons[0].text.contains("T+30 m"));
    let mut failed = w.clone();
    failed.append(Body::CheckpointTaken {
        after: 1800,
        late: false,
        measured: Default::default(),
        verdict: Verdict::Fail,
    });
    assert_eq!(word(&failed), Advice::Hold);
    let mut gap = w.clone();
    gap.silent = vec!["metric/".into()];
    for _ in 0..5 {
        gap.quiet_minute();
    }
    assert_eq!(word(&gap), Advice::Hold, "a trigger cannot be told");
    w.append(Body::ReleaseClosed {
        closing: Closing::Shipped,
        detail: String::new(),
    });
    assert_eq!(word(&w), Advice::Closed);
}

#[test]
fn no_release_is_idle() {
    let mut p = policy();
    p.releases.clear();
    assert_eq!(word(&World::new(p)), Advice::Idle);
}
