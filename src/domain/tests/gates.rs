//! Gates and triggers on real buckets.

use chrono::Duration;
use rstest::rstest;

use crate::domain::event::Body;
use crate::domain::observe::Freshness;
use crate::domain::policy::{After, Gate, Limit, Then};
use crate::domain::record::{DeployState, Part};
use crate::domain::situation::{Advice, Situation, TriggerView};
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

/// Breached, undecided or clear polls, oldest first, of a trigger with `for = "5m"`: does it trip, and does it stay tripped?
#[rstest]
#[case("BBBBBB", true, true)]
#[case("BBBUBBB", true, true)]
#[case("BBBUBB", false, true)]
#[case("BUBUBUBUBUB", true, true)]
#[case("BBBBBBU", false, true)]
#[case("BBBUCBBB", false, true)]
#[case("CUBBBBBB", true, true)]
#[case("BCCUCCC", false, true)]
#[case("BCCCUCCC", false, false)]
#[case("BCCCCCCU", false, true)]
#[case("CC", false, false)]
fn polls_add_up_over_a_gap(#[case] polls: &str, #[case] trips: bool, #[case] stays: bool) {
    use crate::domain::assess::poll::{Poll, stand};
    use crate::domain::judge::PollState;
    let polls: Vec<Poll> = polls
        .chars()
        .map(|c| Poll {
            state: match c {
                'B' => PollState::Breached,
                'C' => PollState::Clear,
                _ => PollState::Undecided {
                    why: "a gap in the data".into(),
                },
            },
            value: None,
            limit: None,
            reach: None,
            mixed: None,
        })
        .collect();
    let t = crate::domain::testkit::trigger(Limit::Baseline(2.0), "x", 300, Then::Propose);
    let standing = stand(&t, &polls, false);
    assert_eq!(standing.tripped, trips, "{standing:?}");
    assert_eq!(stand(&t, &polls, true).tripped, stays);
}

#[test]
fn a_minute_that_is_lost_now_and_then_does_not_hide_the_harm() {
    let mut w = World::deployed();
    w.minutes(10).unwrap();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.9));
    let mut tripped = false;
    for minute in 1..=30 {
        w.quiet_minute();
        let now = w.now.world.timestamp();
        if minute % 10 == 3 {
            for (key, buckets) in &mut w.observed.metrics {
                if key.step == 60 && key.group == "canary" {
                    buckets.remove(&now);
                }
            }
        }
        tripped |= trigger(&w.assess()).tripped;
    }
    assert!(tripped, "one minute of ten was lost");
}

#[test]
fn for_means_at_least_that_long() {
    let t = |seconds| {
        let t = crate::domain::testkit::trigger(Limit::Slo, "x", seconds, Then::Notify);
        crate::domain::assess::poll::count(&t)
    };
    assert_eq!((t(0), t(60), t(90), t(300)), (1, 2, 3, 6));
}

#[test]
fn a_distance_is_always_shown() {
    let full = |w: &World| {
        let t = trigger(&w.assess());
        assert!(t.distance.contains(" of 2.0×, "), "{}", t.distance);
        assert!(t.distance.contains(" of 5 m"), "{}", t.distance);
        t
    };
    full(&World::default());
    let mut w = World::deployed();
    full(&w);
    w.minutes(10).unwrap();
    assert_eq!(full(&w).undecided, None);
    w.silent = vec!["metric/".into()];
    for _ in 0..4 {
        w.quiet_minute();
    }
    let t = full(&w);
    assert!(t.undecided.is_some() && t.distance.contains("stale"));
}

#[test]
fn a_trigger_that_cannot_trip_at_this_traffic_is_undecided_and_says_so() {
    let mut p = policy();
    let mut below =
        crate::domain::testkit::trigger(Limit::Baseline(0.5), "error_rate", 300, Then::Propose);
    below.above = false;
    p.services[0].triggers = vec![below];
    let mut w = World::new(p);
    w.start();
    // Eight events are expected on the canary in five minutes, and none comes.
    w.traffic.insert("checkout".into(), (1600.0, 0.01, 0.0));
    w.minutes(9).unwrap();
    let s = w.assess();
    let t = trigger(&s);
    let why = t.undecided.clone().unwrap();
    assert!(why.contains("no value would count"), "{why}");
    assert!(t.distance.starts_with("0.0× of 0.5×"), "{}", t.distance);
    assert_eq!(t.share, Some(f64::MAX), "the worst that it can be");
    assert_eq!(s.band.advice, Advice::Hold);
    // Who promotes all the same reads it in the dialog.
    let warned = w.permit("promote").unwrap().warnings;
    assert!(
        warned.iter().any(|x| x.ends_with(&why)),
        "{warned:?} without {why}"
    );
    // With enough traffic the same trips.
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.0));
    w.minutes(12).unwrap();
    assert!(trigger(&w.assess()).tripped);
}

#[test]
fn a_minute_of_few_events_beside_the_canary_reaches_back_for_its_baseline() {
    let mut p = policy();
    let mut fast =
        crate::domain::testkit::trigger(Limit::Baseline(5.0), "error_rate", 60, Then::Propose);
    fast.hold_for = 60;
    p.services[0].triggers = vec![fast];
    let mut w = World::new(p);
    w.start();
    // Three events a minute beside it: four minutes make ten.
    w.traffic.insert("checkout".into(), (400.0, 0.01, 0.01));
    w.minutes(12).unwrap();
    let t = trigger(&w.assess());
    assert_eq!(
        (&*t.mark.word, &t.undecided),
        ("clear", &None),
        "{}",
        t.distance
    );
    w.traffic.insert("checkout".into(), (400.0, 0.01, 0.5));
    w.minutes(3).unwrap();
    assert!(trigger(&w.assess()).tripped);
    // Not ten in an hour: it cannot be told.
    w.traffic.insert("checkout".into(), (400.0, 0.0002, 0.0002));
    w.minutes(62).unwrap();
    let why = trigger(&w.assess()).undecided.unwrap();
    assert!(why.contains("of at least 10 events"), "{why}");
}

/// Another version takes the place of the one that is judged, at the same step.
fn hotfix(w: &mut World, version: &str) {
    w.policy.releases[0].changes[0].to = version.into();
    let now = w.now.world;
    let d = w.record("checkout");
    d.version = version.into();
    d.started_at = Some(now);
    w.read();
    w.engine().unwrap();
}

#[test]
fn another_version_is_judged_anew() {
    let mut w = World::deployed();
    w.minutes(12).unwrap();
    assert_eq!(gate(&w), Verdict::Pass);
    hotfix(&mut w, "2.14.1");
    for minute in 0..5 {
        assert_ne!(gate(&w), Verdict::Pass, "minute {minute}");
        assert_ne!(w.assess().band.advice, Advice::Proceed, "minute {minute}");
        w.minutes(1).unwrap();
    }
    w.minutes(8).unwrap();
    assert_eq!(gate(&w), Verdict::Pass);
    let passes = |e: &&crate::domain::event::Event| matches!(&e.body, Body::GateJudged { verdict, .. } if *verdict == Verdict::Pass);
    assert_eq!(w.events.iter().filter(passes).count(), 2, "each on record");
    // And back to the first: that is news again.
    hotfix(&mut w, NEW);
    assert_ne!(gate(&w), Verdict::Pass);
}

#[test]
fn what_failed_or_tripped_was_the_version_before() {
    let mut w = World::deployed();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.3));
    w.minutes(10).unwrap();
    assert_eq!(gate(&w), Verdict::Fail);
    assert!(trigger(&w.assess()).tripped);
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.01));
    hotfix(&mut w, "2.14.1");
    assert!(
        matches!(gate(&w), Verdict::Undecided { .. }),
        "{:?}",
        gate(&w)
    );
    assert!(!trigger(&w.assess()).tripped);
    w.minutes(12).unwrap();
    assert_eq!(gate(&w), Verdict::Pass);
    // The mended one trips on its own.
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.3));
    w.minutes(10).unwrap();
    assert!(trigger(&w.assess()).tripped);
    let trips = |e: &&crate::domain::event::Event| matches!(e.body, Body::TriggerTripped { .. });
    assert_eq!(w.events.iter().filter(trips).count(), 2);
}

#[test]
fn a_second_attempt_at_the_same_version_is_judged_anew() {
    let mut w = World::deployed();
    w.minutes(3).unwrap();
    let id = w.assess().gates[0].id.clone();
    w.act(&format!("accept/{id}"), &[]).unwrap();
    assert!(w.assess().gates[0].accepted);
    w.minutes(9).unwrap();
    assert_eq!(gate(&w), Verdict::Pass);
    let canary = w.record("checkout").clone();
    w.act("abort", &[]).unwrap();
    w.minutes(5).unwrap();
    *w.record("checkout") = canary;
    w.read();
    w.engine().unwrap();
    for minute in 0..5 {
        let s = w.assess();
        assert!(matches!(s.gates[0].verdict, Verdict::Undecided { .. }));
        assert!(!s.gates[0].accepted, "minute {minute}");
        w.minutes(1).unwrap();
    }
    w.minutes(8).unwrap();
    assert_eq!(gate(&w), Verdict::Pass);
}

#[test]
fn a_health_check_that_flaps_is_no_new_attempt() {
    let mut w = World::shipped();
    w.minutes(12).unwrap();
    let kept = w.journal.release(RELEASE).unwrap().checkpoints.len();
    assert_eq!(kept, 1);
    for state in [DeployState::Failed, DeployState::Succeeded] {
        w.record("checkout").state = state;
        w.minutes(1).unwrap();
    }
    let state = w.journal.release(RELEASE).unwrap();
    assert_eq!(state.checkpoints.len(), kept);
    assert!(!state.gates.is_empty());
}

#[test]
fn accepted_counts_only_while_its_data_is_fresh() {
    let mut w = World::deployed();
    w.minutes(2).unwrap();
    let id = w.assess().gates[0].id.clone();
    w.act(&format!("accept/{id}"), &[]).unwrap();
    assert_eq!(w.assess().band.advice, Advice::Proceed);
    w.silent = vec!["metric/error_rate".into()];
    for _ in 0..3 {
        w.quiet_minute();
    }
    let s = w.assess();
    assert!(!s.gates[0].accepted);
    assert_eq!(s.gates[0].mark.word, "undecided");
    assert!(
        s.gates[0]
            .said
            .starts_with("accepted before its data was lost")
    );
    assert_eq!(s.band.advice, Advice::Hold);
    assert!(w.permit("promote").is_err());
    let why = w.permit(&format!("accept/{id}")).unwrap_err();
    assert!(why[0].why.contains("stale"), "{why:?}");
    w.silent.clear();
    w.quiet_minute();
    assert_eq!(w.assess().gates[0].mark.word, "ACCEPTED");
}

#[test]
fn what_is_accepted_is_the_least_that_was_seen() {
    let mut p = policy();
    p.metrics[1].decides = true;
    p.services[0].gates[0].metrics.push("p95".into());
    let mut w = World::new(p);
    w.start();
    // Thirty requests show nothing, whatever three points of the series show.
    w.traffic.insert("checkout".into(), (100.0, 0.01, 0.01));
    w.minutes(3).unwrap();
    let gate = w.assess().gates[0].clone();
    assert_eq!(gate.n, 3, "{gate:?}");
    assert_eq!(gate.smallest_visible, None);
    assert!(!gate.said.contains("at this traffic"), "{}", gate.said);
    let effects = w.permit(&format!("accept/{}", gate.id)).unwrap().effects;
    for metric in ["error_rate undecided: ", "p95 undecided: "] {
        assert!(effects.iter().any(|e| e.starts_with(metric)), "{effects:?}");
    }
}

#[test]
fn the_verdict_on_a_step_is_green_only_where_the_band_goes_on() {
    let mut w = World::deployed();
    assert_eq!(World::default().assess().step_verdict.word(), "not run");
    assert_eq!(w.assess().step_verdict.word(), "undecided");
    w.minutes(12).unwrap();
    let s = w.assess();
    assert_eq!(s.band.advice, Advice::Proceed);
    assert_eq!(s.step_verdict, Verdict::Pass);
    let judged = |w: &World| {
        let s = w.assess();
        assert!(s.gates.iter().all(|g| g.verdict == Verdict::Pass));
        (
            s.step_verdict.word(),
            s.step_verdict.why().unwrap_or("").to_owned(),
        )
    };
    // A trigger that cannot be told.
    let mut blind = w.clone();
    blind.silent = vec!["metric/p95".into()];
    for _ in 0..4 {
        blind.quiet_minute();
    }
    let (word, why) = judged(&blind);
    assert!(word == "undecided" && why.contains("trigger p95"), "{why}");
    // The vendor is not to be reached, or has gone on since.
    let mut dark = w.clone();
    dark.silent = vec!["deployments/".into()];
    for _ in 0..3 {
        dark.quiet_minute();
    }
    let (word, why) = judged(&dark);
    assert!(word == "undecided" && why.contains("live state"), "{why}");
    let mut ahead = w.clone();
    ahead.record("checkout").weight = Some(40.0);
    ahead.record("checkout").step = Some(2);
    ahead.quiet_minute();
    let (word, why) = judged(&ahead);
    assert!(word == "undecided" && why.contains("moved"), "{why}");
    // A hold.
    let mut held = w.clone();
    held.act("pause", &[("reason", "the shop asks")]).unwrap();
    let (word, why) = judged(&held);
    assert!(word == "undecided" && why.contains("held"), "{why}");
}

#[test]
fn a_trip_and_a_rollback_are_a_fail_of_the_step() {
    let mut p = policy();
    // Everything is slow, and no gate looks at that.
    p.services[0].slo.insert("p95".into(), 0.1);
    let mut w = World::new(p);
    w.start();
    w.minutes(12).unwrap();
    let s = w.assess();
    assert!(s.gates.iter().all(|g| g.verdict == Verdict::Pass));
    assert_eq!(s.band.advice, Advice::RollBack);
    assert_eq!(s.step_verdict, Verdict::Fail);
    w.act("rollback", &[]).unwrap();
    assert_eq!(w.assess().step_verdict, Verdict::Fail);
    w.minutes(3).unwrap();
    assert_eq!(w.assess().step_verdict, Verdict::Fail, "rolled back");
}

#[test]
fn noise_is_shared_only_beside_a_group() {
    let mut p = policy();
    p.metrics[0].shared_noise = true;
    let mut w = World::new(p);
    w.start();
    for _ in 0..2 {
        w.minutes(12).unwrap();
        w.act("promote", &[]).unwrap();
        w.engine().unwrap();
    }
    w.minutes(12).unwrap();
    let s = w.assess();
    assert_eq!(s.gates[0].verdict, Verdict::Pass, "{:?}", s.gates[0]);
    assert_eq!(trigger(&s).mark.word, "clear", "{:?}", trigger(&s));
    let taken = &w.journal.release(RELEASE).unwrap().checkpoints;
    assert_eq!(taken[&300].0, Verdict::Pass);
}

#[test]
fn a_gate_says_what_failed_and_what_a_pass_rests_on() {
    let mut w = World::deployed();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.3));
    w.minutes(2).unwrap();
    let said = w.assess().gates[0].said.clone();
    assert!(said.starts_with("error_rate failed: "), "{said}");
    assert!(said.contains('×'), "{said}");
    // It does so when its feed is lost, too.
    w.silent = vec!["metric/".into()];
    for _ in 0..5 {
        w.quiet_minute();
    }
    let said = w.assess().gates[0].said.clone();
    assert!(said.starts_with("error_rate failed: "), "{said}");
    let mut p = policy();
    p.services[0].slo.insert("error_rate".into(), 0.01);
    let mut w = World::new(p);
    w.start();
    w.traffic.insert("checkout".into(), (6000.0, 0.0001, 0.0));
    w.minutes(10).unwrap();
    let s = w.assess();
    assert_eq!(s.gates[0].verdict, Verdict::Pass, "{:?}", s.gates[0]);
    assert!(s.gates[0].said.contains("below SLO"), "{}", s.gates[0].said);
}

#[test]
fn a_gate_and_a_trigger_show_query_link_source_and_age() {
    let mut w = World::deployed();
    w.minutes(6).unwrap();
    let s = w.assess();
    let of = |kind: &'static str| s.evidence.iter().filter(move |(k, _)| k.starts_with(kind));
    assert_eq!((of("gate/").count(), of("trigger/").count()), (1, 2));
    for (key, proof) in of("gate/").chain(of("trigger/")) {
        assert!(
            proof.query.as_ref().is_some_and(|q| q.contains(" of ")),
            "{key}"
        );
        assert_eq!(
            proof.link.as_deref(),
            Some("https://graphs.example"),
            "{key}"
        );
        assert_eq!(proof.source.as_deref(), Some("metrics"), "{key}");
        assert_eq!(proof.read_at, Some(w.now.world), "{key}");
        assert_eq!(proof.freshness, Some(Freshness::Fresh), "{key}");
    }
    w.silent = vec!["metric/".into()];
    for _ in 0..4 {
        w.quiet_minute();
    }
    let s = w.assess();
    let gate = s
        .evidence
        .iter()
        .find(|(k, _)| k.starts_with("gate/"))
        .unwrap();
    assert_eq!(gate.1.freshness, Some(Freshness::Stale));
}

#[test]
fn the_chart_shows_the_limit_that_is_nearest() {
    let mut p = policy();
    let at = |limit, above| {
        let mut t = crate::domain::testkit::trigger(limit, "error_rate", 300, Then::Propose);
        t.above = above;
        t
    };
    let mut burn = at(Limit::Slo, true);
    burn.id = "burn".into();
    burn.burn = vec![crate::domain::policy::BurnPair {
        times: 14.4,
        long: 3600,
        short: 300,
    }];
    p.services[0].slo.insert("error_rate".into(), 0.02);
    p.services[0].triggers = vec![
        burn,
        at(Limit::Value(0.5), true),
        at(Limit::Value(0.05), true),
        at(Limit::Value(0.001), false),
    ];
    let mut w = World::new(p);
    w.start();
    w.minutes(3).unwrap();
    let s = w.assess();
    let row = s.metrics.iter().find(|m| m.id == "checkout/error_rate");
    assert_eq!(row.unwrap().chart.threshold, Some(0.05));
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
