//! What one judgement of everything costs: 20 services × 4 metrics × 2 groups × 200 buckets and a week of history.
#![allow(clippy::unwrap_used)]

use chrono::Duration;
use criterion::{Criterion, criterion_group, criterion_main};
// The test kit names the library's modules by `crate::domain`.
use cockpit::domain;
use std::hint::black_box;

#[path = "../src/domain/testkit.rs"]
mod testkit;

use domain::observe::SeriesKey;
use domain::policy::MetricKind;
use domain::record::Part;
use testkit::{World, metric, policy, service};

fn world() -> World {
    let mut p = policy();
    for i in 0..18 {
        p.services.push(service(&format!("service-{i:02}"), &[]));
    }
    p.metrics.push(metric("conversion", MetricKind::Ratio));
    p.metrics.push(metric("p99", MetricKind::Quantile));
    let mut w = World::new(p);
    w.start();
    let _ = w.minutes(12);
    fill(&mut w);
    w.read();
    w
}

fn fill(w: &mut World) {
    let now = w.now.world.timestamp();
    let names: Vec<String> = w.policy.services.iter().map(|s| s.name.clone()).collect();
    for name in &names {
        for (id, part) in [
            ("error_rate", Part::Numerator),
            ("error_rate", Part::Denominator),
            ("conversion", Part::Numerator),
            ("conversion", Part::Denominator),
            ("p95", Part::Value),
            ("p99", Part::Value),
        ] {
            for group in ["stable", "canary"] {
                for (step, count) in [(60, 200), (600, 1020)] {
                    let key = SeriesKey {
                        metric: id.into(),
                        service: name.clone(),
                        group: group.into(),
                        part,
                        step,
                    };
                    let buckets = w.observed.metrics.entry(key).or_default();
                    for i in 0..count {
                        let base = if part == Part::Numerator {
                            10.0
                        } else {
                            1000.0
                        };
                        buckets
                            .entry((now / 600 * 600) - i * step as i64)
                            .or_insert(base + (i % 7) as f64);
                    }
                }
            }
        }
    }
}

fn bench(c: &mut Criterion) {
    let w = world();
    let s = w.assess();
    assert_eq!(s.metrics.len(), 80);
    assert!(!s.gates.is_empty() && !s.triggers.is_empty());
    c.bench_function("assess 20 services", |b| b.iter(|| black_box(w.assess())));
    let mut quiet = w.clone();
    quiet.policy.releases.clear();
    c.bench_function("assess 20 services, no release", |b| {
        b.iter(|| black_box(quiet.assess()))
    });
    let mut long = w.clone();
    long.now.world += Duration::seconds(1);
    c.bench_function("assess, a second later", |b| {
        b.iter(|| black_box(long.assess()))
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
