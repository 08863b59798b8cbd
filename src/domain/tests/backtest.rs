//! Today's triggers over a history that is made here.

use std::collections::BTreeMap;

use chrono::Duration;

use crate::domain::assess::backtest::{History, Known, backtest};
use crate::domain::event::{Body, Event};
use crate::domain::observe::{Buckets, SeriesKey};
use crate::domain::policy::{BurnPair, Limit, MetricKind, Then, Trigger};
use crate::domain::record::{DeployState, Part};
use crate::domain::testkit::*;
use crate::domain::time::Instant;

const DAYS: i64 = 4;

/// Eleven days of 1 % errors, a hundred a minute; in `bad` (minutes from the begin of the span) so many times as many.
fn past(begin: i64, bad: &[(i64, i64, f64)]) -> BTreeMap<SeriesKey, Buckets> {
    let mut out: BTreeMap<SeriesKey, Buckets> = BTreeMap::new();
    let mut put = |part, step, at, value| {
        let key = SeriesKey {
            metric: "error_rate".into(),
            service: "checkout".into(),
            group: String::new(),
            part,
            step,
        };
        out.entry(key).or_default().insert(at, value);
    };
    let rate = |minute: i64| {
        let hit = bad.iter().find(|(a, b, _)| minute > *a && minute <= *b);
        hit.map_or(0.01, |(_, _, times)| 0.01 * times)
    };
    for minute in -120..=DAYS * 1440 {
        let at = begin + minute * 60;
        put(Part::Denominator, 60, at, 10_000.0);
        put(Part::Numerator, 60, at, 10_000.0 * rate(minute));
    }
    for block in -(7 * 144 + 12)..=DAYS * 144 {
        let at = begin + block * 600;
        let errors: f64 = (0..10).map(|i| 10_000.0 * rate(block * 10 - i)).sum();
        put(Part::Denominator, 600, at, 100_000.0);
        put(Part::Numerator, 600, at, errors);
    }
    out
}

fn begin() -> Instant {
    at("2026-11-10T00:00:00Z")
}

fn event(seq: u64, minute: i64, release: Option<&str>, body: Body) -> Event {
    Event {
        seq,
        at: begin() + Duration::minutes(minute),
        actor: "ana".into(),
        known_by: "os user".into(),
        host: "bridge".into(),
        release: release.map(str::to_owned),
        body,
        hash: String::new(),
    }
}

fn seen(seq: u64, minute: i64, version: &str, state: DeployState) -> Event {
    event(
        seq,
        minute,
        Some(RELEASE),
        Body::DeploymentSeen {
            service: "checkout".into(),
            environment: "production".into(),
            version: version.into(),
            state,
            step: None,
            steps: None,
            weight: None,
            started_at: None,
        },
    )
}

fn run(
    metrics: &BTreeMap<SeriesKey, Buckets>,
    trigger: &Trigger,
    known: &Known,
) -> crate::domain::assess::backtest::PastTrigger {
    let start = begin().timestamp();
    let history = History {
        metrics,
        span: (start, start + DAYS * 86_400),
        watch: 86_400,
    };
    let p = policy();
    let mut service = p.services[0].clone();
    service.slo.insert("error_rate".into(), 0.01);
    backtest(
        &history,
        &metric("error_rate", MetricKind::Ratio),
        &service,
        trigger,
        known,
    )
}

#[test]
fn a_quiet_history_never_trips_and_every_minute_is_told() {
    let metrics = past(begin().timestamp(), &[]);
    let t = trigger(Limit::Baseline(2.0), "error_rate", 300, Then::Propose);
    let out = run(&metrics, &t, &Known::default());
    assert_eq!((out.trips, out.untold), (0, 0), "{out:?}");
    assert_eq!((out.watches, out.deployed), (4, 0));
    assert_eq!(out.minutes, 4 * 1440);
}

#[test]
fn trips_are_told_with_begin_length_and_what_the_journal_knows() {
    // Twenty minutes of 4x on the first day, which ended in a rollback; half an hour on the third, of which nobody knows.
    let bad = [(600, 620, 4.0), (3000, 3030, 4.0)];
    let metrics = past(begin().timestamp(), &bad);
    let p = policy();
    let mut events = vec![
        seen(1, 590, NEW, DeployState::Running),
        seen(2, 595, NEW, DeployState::Failed),
    ];
    events.push(event(
        3,
        612,
        Some(RELEASE),
        Body::IncidentDeclared {
            title: "errors".into(),
            act: None,
        },
    ));
    let known = Known::of(&events, &p, "checkout", "production");
    assert_eq!(known.deployments.len(), 1);
    assert_eq!(known.harm.len(), 2, "{known:?}");
    let other = Known::of(&events, &p, "payments", "production");
    assert!(other.deployments.is_empty() && other.harm.is_empty());
    let t = trigger(Limit::Baseline(2.0), "error_rate", 300, Then::Propose);
    let out = run(&metrics, &t, &known);
    assert_eq!(
        (out.trips, out.confirmed, out.not_confirmed()),
        (2, 1, 1),
        "{out:?}"
    );
    assert_eq!(out.deployed, 1);
    let first = &out.each[0];
    let minute = |at: Instant| (at - begin()).num_minutes();
    // The window of five minutes is beyond 2x after two bad ones, and six polls must be; it clears when none is.
    assert!((606..=609).contains(&minute(first.at)), "{}", first.at);
    assert!(
        (625..=632).contains(&minute(first.until)),
        "{}",
        first.until
    );
    assert!(
        first
            .confirmed_by
            .as_ref()
            .unwrap()
            .contains("failed deployment")
    );
    let (value, limit) = first.worst.unwrap();
    assert!((value - 4.0).abs() < 0.1 && (limit - 2.0).abs() < 1e-9);
    assert_eq!(out.each[1].confirmed_by, None);
    assert!(!out.each[1].open);
}

#[test]
fn what_a_live_trigger_says_the_backtest_says_too() {
    // The same minutes, once live and once as history: the same minute trips.
    let mut w = World::shipped();
    w.minutes(10).unwrap();
    let deployed = w.journal.release(RELEASE).unwrap().tracks["checkout"].started;
    w.traffic.insert("checkout".into(), (6000.0, 0.05, 0.05));
    let mut live = None;
    for _ in 0..20 {
        w.minutes(1).unwrap();
        let t = w.assess().triggers[0].clone();
        if t.tripped {
            live = Some(w.now.world);
            break;
        }
    }
    let live = live.unwrap();
    let history = History {
        metrics: &w.observed.metrics,
        span: (deployed.timestamp(), w.now.world.timestamp()),
        watch: 86_400,
    };
    let service = w.policy.services[0].clone();
    let out = backtest(
        &history,
        &w.policy.metrics[0],
        &service,
        &service.triggers[0],
        &Known::default(),
    );
    assert_eq!(out.trips, 1, "{out:?}");
    assert_eq!(
        out.each[0].at.timestamp(),
        live.timestamp().div_euclid(60) * 60
    );
}

#[test]
fn a_hole_is_untold_and_neither_trips_nor_clears() {
    let mut metrics = past(begin().timestamp(), &[(600, 700, 4.0)]);
    let start = begin().timestamp();
    for (key, buckets) in &mut metrics {
        if key.step == 60 {
            buckets.retain(|at, _| !(start + 620 * 60..start + 640 * 60).contains(at));
        }
    }
    let t = trigger(Limit::Baseline(2.0), "error_rate", 300, Then::Propose);
    let out = run(&metrics, &t, &Known::default());
    assert_eq!(out.trips, 1, "{out:?}");
    assert!((20..=26).contains(&out.untold), "{}", out.untold);
    assert!(out.why.as_ref().unwrap().contains("gap"));
}

#[test]
fn a_minute_of_ten_that_is_lost_hides_no_trip() {
    let mut metrics = past(begin().timestamp(), &[(600, 700, 4.0)]);
    let start = begin().timestamp();
    for (key, buckets) in &mut metrics {
        if key.step == 60 {
            buckets.retain(|at, _| *at < start || (*at - start).rem_euclid(600) != 180);
        }
    }
    let t = trigger(Limit::Baseline(2.0), "error_rate", 300, Then::Propose);
    let out = run(&metrics, &t, &Known::default());
    assert_eq!(out.trips, 1, "{out:?}");
    assert!(!out.each[0].open, "and it is clear again: {out:?}");
}

#[test]
fn burn_rates_run_over_the_same_history() {
    let metrics = past(begin().timestamp(), &[(3000, 3060, 30.0)]);
    let t = Trigger {
        burn: vec![BurnPair {
            times: 14.4,
            long: 3600,
            short: 300,
        }],
        hold_for: 0,
        ..trigger(Limit::Slo, "error_rate", 0, Then::Propose)
    };
    let out = run(&metrics, &t, &Known::default());
    assert_eq!(out.trips, 1, "{out:?}");
    assert_eq!(out.untold, 0);
    // 14.4 of 30 within an hour: after 28 minutes or so.
    let minute = (out.each[0].at - begin()).num_minutes();
    assert!((3026..=3032).contains(&minute), "{minute}");
}
