//! Gates and triggers on real buckets.

use chrono::Duration;
use rstest::rstest;

use crate::domain::event::Body;
use crate::domain::policy::{After, Gate, Limit, Then};
use crate::domain::record::Part;
use crate::domain::situation::{Situation, TriggerView};
use crate::domain::testkit::*;
use crate::domain::verdict::Verdict;

fn gate(w: &World) -> Verdict {
    w.assess().gates[0].verdict.clone()
}

fn trigger(s: &Situation) -> TriggerView {
    s.triggers
        .iter()
        .find(|t| t.metric == "error_rate")
        .unwrap()
        .clone()
}

#[test]
fn undecided_before_minute_five_then_pass_and_it_latches() {
    let mut w = World::deployed();
    for minute in 1..=5 {
        assert_ne!(gate(&w), Verdict::Pass, "minute {minute}");
        w.minutes(1).unwrap();
    }
    w.minutes(5).unwrap();
    assert_eq!(gate(&w), Verdict::Pass);
    let id = w.assess().gates[0].id.clone();
    assert_eq!(
        w.journal.release(RELEASE).unwrap().gates[&id].0,
        Verdict::Pass
    );
    // A little worse afterwards: too little to say so, and what passed stands.
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.0135));
    w.minutes(5).unwrap();
    assert_eq!(gate(&w), Verdict::Pass);
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.1));
    w.minutes(10).unwrap();
    assert_eq!(gate(&w), Verdict::Fail, "a later Fail replaces a Pass");
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.0001));
    w.minutes(60).unwrap();
    assert_eq!(gate(&w), Verdict::Fail, "for good");
}

#[test]
fn a_fail_comes_at_once_and_stays_when_its_feed_is_lost() {
    let mut w = World::deployed();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.3));
    w.minutes(2).unwrap();
    assert_eq!(gate(&w), Verdict::Fail);
    w.silent = vec!["metric/".into()];
    for _ in 0..5 {
        w.quiet_minute();
    }
    assert_eq!(gate(&w), Verdict::Fail);
    let id = w.assess().gates[0].id.clone();
    assert!(
        w.permit(&format!("accept/{id}")).is_err(),
        "a Fail cannot be accepted"
    );
    assert!(w.permit("promote").is_err());
}

#[test]
fn a_pass_does_not_outlive_its_feed() {
    let mut w = World::deployed();
    w.minutes(12).unwrap();
    assert_eq!(gate(&w), Verdict::Pass);
    w.silent = vec!["metric/".into()];
    for _ in 0..3 {
        w.quiet_minute();
    }
    assert!(
        matches!(gate(&w), Verdict::Undecided { .. }),
        "{:?}",
        gate(&w)
    );
}

#[test]
fn minutes_that_are_missing_do_not_pass() {
    let mut w = World::deployed();
    for _ in 0..29 {
        w.quiet_minute();
        let now = w.now.world.timestamp();
        if now % 180 == 0 {
            for (key, buckets) in &mut w.observed.metrics {
                if key.step == 60 {
                    buckets.remove(&now);
                }
            }
        }
        w.engine().unwrap();
    }
    let v = gate(&w);
    assert!(v.why().unwrap().contains("minutes have no data"), "{v:?}");
}

#[test]
fn a_gate_after_a_share_of_traffic_waits_for_it_and_stays_there() {
    let mut p = policy();
    p.services[0].gates = vec![Gate {
        id: "40%".into(),
        after: After::Percent(40.0),
        metrics: vec!["error_rate".into()],
        critical: true,
        tolerance: 1.5,
    }];
    let mut w = World::new(p);
    w.start();
    w.minutes(12).unwrap();
    assert!(w.assess().gates.is_empty());
    w.act("promote", &[]).unwrap();
    w.minutes(12).unwrap();
    let s = w.assess();
    assert_eq!(s.gates[0].id, "gate/checkout/40%/2");
    assert_eq!(s.gates[0].verdict, Verdict::Pass);
    w.act("promote", &[]).unwrap();
    w.minutes(2).unwrap();
    assert_eq!(
        w.assess().gates[0].id,
        "gate/checkout/40%/2",
        "the same gate"
    );
}

#[test]
fn a_sealed_gate_whose_metric_is_gone_did_not_run() {
    let mut w = World::deployed();
    w.minutes(12).unwrap();
    w.policy.metrics.remove(0);
    assert!(!matches!(gate(&w), Verdict::NotRun { .. }), "it was sealed");
    // A contract of earlier days does not say how its metrics are measured.
    let state = w.journal.releases.get_mut(RELEASE).unwrap();
    state.contract.as_mut().unwrap().1.metrics.clear();
    assert!(matches!(gate(&w), Verdict::NotRun { .. }));
}

#[test]
fn a_trigger_trips_only_when_every_poll_was_breached() {
    let mut w = World::deployed();
    w.minutes(10).unwrap();
    assert_eq!(trigger(&w.assess()).mark.word, "clear");
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.3));
    let mut tripped_after = 0;
    for minute in 1..=15 {
        w.minutes(1).unwrap();
        let t = trigger(&w.assess());
        assert!(t.distance.contains(" of 2.0×"), "{}", t.distance);
        if t.tripped {
            tripped_after = minute;
            break;
        }
    }
    assert!((6..=8).contains(&tripped_after), "{tripped_after}");
    let t = trigger(&w.assess());
    assert_eq!((t.held, t.mark.word.as_str()), ((300, 300), "TRIPPED"));
    assert!(t.share.unwrap() > 1.0);
    let trips = |w: &World| {
        let is = |b: &Body| matches!(b, Body::TriggerTripped { .. });
        w.events.iter().filter(|e| is(&e.body)).count()
    };
    w.minutes(5).unwrap();
    assert_eq!(trips(&w), 1, "one event a trip");
}

/// After how many breached minutes the gap comes, and whether it is still breached afterwards.
#[rstest]
#[case(3)]
#[case(5)]
fn a_gap_neither_resets_nor_trips(#[case] breached: u32) {
    let mut w = World::deployed();
    w.minutes(10).unwrap();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.9));
    w.minutes(breached).unwrap();
    let held = trigger(&w.assess()).held.0;
    assert!(held > 0 && !trigger(&w.assess()).tripped);
    // The newest minute never came.
    w.quiet_minute();
    let hole = w.now.world.timestamp();
    let punch = |w: &mut World| {
        for (key, buckets) in &mut w.observed.metrics {
            if key.step == 60 && key.group == "canary" {
                buckets.remove(&hole);
            }
        }
    };
    punch(&mut w);
    let t = trigger(&w.assess());
    assert!(!t.tripped && t.undecided.is_some(), "{t:?}");
    assert_eq!(t.held.0, held, "not reset");
    for _ in 0..4 {
        w.quiet_minute();
        assert!(
            !trigger(&w.assess()).tripped,
            "the gap is inside the five minutes"
        );
    }
    for _ in 0..8 {
        w.quiet_minute();
    }
    assert!(trigger(&w.assess()).tripped, "and then it trips");
}

#[test]
fn a_clear_poll_behind_a_gap_is_not_green() {
    let mut w = World::deployed();
    w.minutes(10).unwrap();
    w.quiet_minute();
    let hole = w.now.world.timestamp();
    for (key, buckets) in &mut w.observed.metrics {
        if key.step == 60 && key.group == "canary" && key.part == Part::Denominator {
            buckets.remove(&hole);
        }
    }
    assert_eq!(trigger(&w.assess()).mark.word, "undecided");
}

#[test]
fn its_history_is_read_off_the_buckets_after_a_restart() {
    let mut w = World::deployed();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.3));
    w.minutes(4).unwrap();
    let before = trigger(&w.assess());
    assert!(before.held.0 > 0 && !before.tripped);
    w.restart();
    assert_eq!(trigger(&w.assess()), before);
}

#[test]
fn beside_a_canary_the_stable_group_is_the_baseline_else_the_hour_before() {
    let mut w = World::deployed();
    w.minutes(10).unwrap();
    let words = |w: &World| w.assess().metrics[0].baseline.clone();
    assert!(words(&w).contains("stable beside it"), "{}", words(&w));
    // Both groups get worse together: beside each other nothing is wrong.
    w.traffic.insert("checkout".into(), (6000.0, 0.05, 0.05));
    w.minutes(10).unwrap();
    assert!(!trigger(&w.assess()).tripped);
    let mut w = World::shipped();
    w.minutes(10).unwrap();
    assert!(words(&w).contains("the hour before"), "{}", words(&w));
    w.traffic.insert("checkout".into(), (6000.0, 0.05, 0.05));
    w.minutes(12).unwrap();
    assert!(trigger(&w.assess()).tripped);
}

#[test]
fn an_absolute_limit_needs_no_baseline_and_a_missing_slo_cannot_be_told() {
    let mut p = policy();
    p.services[0].triggers = vec![
        crate::domain::testkit::trigger(Limit::Value(0.05), "error_rate", 60, Then::Propose),
        crate::domain::testkit::trigger(Limit::Slo, "error_rate", 60, Then::Propose),
    ];
    let mut w = World::new(p);
    w.start();
    w.traffic.insert("checkout".into(), (6000.0, 0.0, 0.3));
    w.minutes(4).unwrap();
    let s = w.assess();
    assert!(s.triggers[0].tripped, "{:?}", s.triggers[0]);
    assert!(
        s.triggers[0].distance.contains("of 5.00 %"),
        "{}",
        s.triggers[0].distance
    );
    assert!(s.triggers[1].undecided.as_ref().unwrap().contains("no slo"));
}

#[test]
fn then_hold_pauses_once() {
    let mut p = policy();
    p.services[0].triggers[0].then = Then::Hold;
    let mut w = World::new(p);
    w.start();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.3));
    w.minutes(2).unwrap();
    w.record("checkout").state = crate::domain::record::DeployState::Running;
    w.minutes(10).unwrap();
    assert_eq!(w.count(crate::domain::act::Verb::Pause), 1);
    assert_eq!(w.journal.debts["hold/checkout/production"].owner, "ana");
    assert!(w.now.world > tuesday() + Duration::minutes(10));
}

#[test]
fn the_sealed_contract_counts_and_a_difference_is_shown() {
    let mut w = World::deployed();
    w.policy.services[0].triggers.clear();
    let s = w.assess();
    assert_eq!(s.triggers.len(), 2);
    assert_eq!(
        s.releases[0].contract_diff.len(),
        2,
        "{:?}",
        s.releases[0].contract_diff
    );
}
