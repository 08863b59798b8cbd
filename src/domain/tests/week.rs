//! Held against other days: which hours count, which do not, and when these are the baseline.

use chrono::Duration;

use crate::domain::event::Body;
use crate::domain::needs::{BLOCK, needs};
use crate::domain::observe::{Fault, FaultKind, Subject};
use crate::domain::record::{DeployState, Part};
use crate::domain::situation::MetricView;
use crate::domain::testkit::*;
use crate::domain::verdict::Verdict;

/// What each checkpoint said of the error rate.
fn said(w: &World) -> Vec<String> {
    let each = w.events.iter().filter_map(|e| match &e.body {
        Body::CheckpointTaken { measured, .. } => Some(measured["checkout"][0].said.clone()),
        _ => None,
    });
    each.collect()
}

fn error_rate(w: &World) -> MetricView {
    let metrics = w.assess().metrics;
    let own = |m: &MetricView| m.service == "checkout" && m.metric == "error_rate";
    metrics.into_iter().find(own).unwrap()
}

/// Another release of the service was rolled out on that day of November, from and to an hour.
fn deployed_on(w: &mut World, day: u32, from: u32, to: u32) {
    deployed(w, (day, from), (day, to));
}

/// Likewise, from a day and hour of November to another.
fn deployed(w: &mut World, from: (u32, u32), to: (u32, u32)) {
    let back = w.now.world;
    let states = [(from, DeployState::Running), (to, DeployState::Succeeded)];
    for ((day, hour), state) in states {
        w.set_now(at(&format!("2026-11-{day}T{hour:02}:30:00Z")));
        w.append_for(
            Some("old-1"),
            Body::DeploymentSeen {
                service: "checkout".into(),
                environment: "production".into(),
                version: "0.9.0".into(),
                state,
                step: None,
                steps: None,
                weight: None,
                started_at: None,
            },
        );
    }
    w.set_now(back);
}

#[test]
fn every_checkpoint_has_whole_hours_of_days_of_its_own_kind() {
    let mut w = World::shipped();
    w.minutes(66).unwrap();
    let said = said(&w);
    assert_eq!(said.len(), 3);
    for (one, new) in said.iter().zip(["300/30000", "1800/180000", "3600/360000"]) {
        // Five working days of sixty minutes, also five minutes after the deployment.
        assert!(
            one.starts_with(&format!("{new} against 18000/1800000, ")),
            "{one}"
        );
        let days = "baseline of 5 days; left out: Sat 14 Nov, Sun 15 Nov (another kind of day)";
        assert!(one.contains(days), "{one}");
    }
}

#[test]
fn a_deployment_on_a_day_moves_its_hour_and_a_long_one_leaves_it_out() {
    let mut w = World::shipped();
    deployed_on(&mut w, 13, 12, 13);
    // What failed meanwhile is not held against the new version.
    let (from, to) = (at("2026-11-13T12:30:00Z"), at("2026-11-13T13:30:00Z"));
    for (key, buckets) in &mut w.observed.metrics {
        if (key.step, key.part) == (BLOCK, Part::Numerator) {
            for (_, failed) in buckets.range_mut(from.timestamp() + 1..=to.timestamp()) {
                *failed *= 10.0;
            }
        }
    }
    w.minutes(6).unwrap();
    let moved = said(&w);
    let clean = "against 18000/1800000, 1.00×";
    assert!(moved[0].contains(clean), "{moved:?}");
    assert!(
        moved[0].contains("baseline of 5 days; left out: Sat"),
        "{moved:?}"
    );
    let mut w = World::shipped();
    deployed_on(&mut w, 13, 9, 19);
    w.minutes(6).unwrap();
    let said = said(&w);
    let left = "baseline of 4 days; left out: Fri 13 Nov (checkout was being deployed); Sat 14 Nov, Sun 15 Nov (another kind of day)";
    assert!(said[0].contains(left), "{said:?}");
    assert!(said[0].contains("against 14400/1440000"), "{said:?}");
}

#[test]
fn where_most_days_were_disturbed_the_weeks_before_them_stand_in() {
    let past = |w: &World| {
        let list = needs(&w.policy, &w.journal, w.now);
        let spans = list.iter().filter_map(|n| n.call.lookback);
        let blocks = spans.filter(|l| l.step == BLOCK).map(|l| l.seconds);
        blocks.max().unwrap()
    };
    let mut w = World::shipped();
    w.minutes(1).unwrap();
    let calm = past(&w);
    // From Tuesday to Sunday evening: one day before the deployment is clean.
    deployed(&mut w, (10, 6), (15, 19));
    assert_eq!(past(&w), calm + 21 * 86_400, "asked for only then");
    let said_before = {
        let mut w = World::shipped();
        deployed(&mut w, (10, 6), (15, 19));
        w.minutes(6).unwrap();
        said(&w)
    };
    assert!(
        said_before[0].contains("only 1 clean days"),
        "{said_before:?}"
    );
    for (key, buckets) in &mut w.observed.metrics {
        if key.step == BLOCK {
            let week: Vec<(i64, f64)> = buckets.iter().map(|(at, v)| (*at, *v)).collect();
            for (at, v) in week {
                buckets.extend((1..=3).map(|n| (at - n * 7 * 86_400, v)));
            }
        }
    }
    w.minutes(5).unwrap();
    let said = said(&w);
    assert!(said[0].contains("baseline of 5 days"), "{said:?}");
}

#[test]
fn an_incident_leaves_the_rest_of_its_day_out() {
    let mut w = World::shipped();
    let back = w.now.world;
    w.set_now(at("2026-11-12T06:00:00Z"));
    w.append(Body::IncidentDeclared {
        title: "checkout is slow".into(),
        act: None,
    });
    w.set_now(back);
    w.minutes(6).unwrap();
    let said = said(&w);
    assert!(said[0].contains("Thu 12 Nov (an incident)"), "{said:?}");
    assert!(said[0].contains("baseline of 4 days"), "{said:?}");
}

/// The hour before the deployment is not there.
fn hourless() -> World {
    let mut w = World::shipped();
    w.minutes(12).unwrap();
    let began = w.journal.release(RELEASE).unwrap().tracks["checkout"].started;
    let (from, to) = ((began - Duration::hours(1)).timestamp(), began.timestamp());
    for (key, buckets) in &mut w.observed.metrics {
        if key.step == 60 {
            buckets.retain(|at, _| *at <= from || *at > to);
        }
    }
    w
}

#[test]
fn where_the_hour_before_was_not_read_the_days_before_are_the_baseline() {
    let w = hourless();
    let s = w.assess();
    let row = error_rate(&w);
    assert_eq!(row.verdict, Verdict::Pass, "{row:?}");
    let counts = row.counts.unwrap();
    for part in [
        "against 18000/1800000",
        "tolerance 2.00×",
        "baseline of 5 days",
    ] {
        assert!(counts.contains(part), "{counts}");
    }
    assert_eq!(row.baseline, "1.00 % (the 7 days before)");
    let trigger = s
        .triggers
        .iter()
        .find(|t| t.metric == "error_rate")
        .unwrap();
    assert_eq!(
        (trigger.mark.word.as_str(), trigger.share.is_some()),
        ("clear", true),
        "{trigger:?}"
    );
}

#[test]
fn fewer_than_three_days_decide_nothing() {
    let mut w = hourless();
    let two = w.now.world.timestamp() - 2 * 86_400;
    for (key, buckets) in &mut w.observed.metrics {
        if key.step == BLOCK {
            buckets.retain(|at, _| *at > two - 7200);
        }
    }
    let row = error_rate(&w);
    let why = row.verdict.why().unwrap();
    assert!(matches!(row.verdict, Verdict::Undecided { .. }), "{row:?}");
    assert!(why.contains("of at least 3 days"), "{why}");
}

#[test]
fn a_checkpoint_waits_for_the_days_it_is_held_against_unless_they_cannot_be_read() {
    let mut w = World::shipped();
    let blocks: Vec<String> = needs(&w.policy, &w.journal, w.now)
        .into_iter()
        .filter(|n| matches!(n.subject, Subject::Metric { step: BLOCK, .. }))
        .map(|n| n.id)
        .collect();
    w.observed.feeds.retain(|id, _| !blocks.contains(id));
    w.silent.clone_from(&blocks);
    w.minutes(8).unwrap();
    assert!(said(&w).is_empty(), "{:?}", said(&w));
    let mut refused = w.clone();
    for id in &blocks {
        let feed = refused.observed.feeds.entry(id.clone()).or_default();
        feed.fault = Some(Fault::new(FaultKind::Refused, "no such span", ""));
    }
    refused.minutes(1).unwrap();
    assert_eq!(
        said(&refused).len(),
        1,
        "what cannot be read is not waited for"
    );
    w.silent.clear();
    w.minutes(1).unwrap();
    assert_eq!(said(&w).len(), 1);
}

#[test]
fn the_metrics_pane_passes_no_earlier_than_a_gate() {
    let mut w = World::deployed();
    for minute in 0..5 {
        let row = error_rate(&w);
        assert_ne!(row.verdict, Verdict::Pass, "minute {minute}: {row:?}");
        w.minutes(1).unwrap();
    }
    w.minutes(5).unwrap();
    assert_eq!(error_rate(&w).verdict, Verdict::Pass);
}

#[test]
fn noise_is_shared_by_groups_beside_each_other_alone() {
    let mut w = World::deployed();
    for metric in &mut w.policy.metrics {
        metric.shared_noise = true;
    }
    w.minutes(10).unwrap();
    assert_eq!(
        error_rate(&w).verdict,
        Verdict::Pass,
        "beside the stable group"
    );
    let mut w = World::shipped();
    for metric in &mut w.policy.metrics {
        metric.shared_noise = true;
    }
    w.minutes(10).unwrap();
    let row = error_rate(&w);
    assert_eq!(
        row.verdict,
        Verdict::Pass,
        "against the hour before: {row:?}"
    );
    assert!(said(&w)[0].contains("baseline of 5 days"), "{:?}", said(&w));
}

#[test]
fn the_days_before_the_deployment_are_read_however_old_the_watch_is() {
    let mut w = World::deployed();
    let back = |w: &World| {
        let list = needs(&w.policy, &w.journal, w.now);
        let blocks = list
            .iter()
            .filter(|n| matches!(n.subject, Subject::Metric { step: BLOCK, .. }));
        blocks
            .filter_map(|n| n.call.lookback.map(|l| l.seconds))
            .min()
            .unwrap()
    };
    let first = back(&w);
    assert!(
        first >= 7 * 86_400 + 2 * 3600 + 3600,
        "a clean hour may lie two hours earlier"
    );
    w.set_now(w.now.world + Duration::hours(48));
    assert_eq!(back(&w), first + 48 * 3600);
}
