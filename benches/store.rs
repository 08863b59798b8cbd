//! What the journal costs: an append is a commit that waited for the disk.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use chrono::DateTime;
use cockpit::store::{NewEvent, OpenOptions, Samples, Series, Store};
use criterion::{Criterion, criterion_group, criterion_main};

fn event() -> NewEvent {
    NewEvent {
        at: DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
        actor: "ana".into(),
        known_by: "OS user".into(),
        host: "laptop".into(),
        release: Some("pay-42".into()),
        kind: "note".into(),
        version: 1,
        body: vec![b'x'; 400],
        unique_key: None,
    }
}

fn store(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let open = || Store::open(dir.path(), OpenOptions::default());
    let store = runtime.block_on(open()).unwrap();
    let mut group = c.benchmark_group("store");
    group.sample_size(50);
    group.bench_function("append one", |b| {
        b.iter(|| runtime.block_on(store.append(event())).unwrap())
    });
    group.bench_function("append ten", |b| {
        b.iter(|| runtime.block_on(store.append(vec![event(); 10])).unwrap())
    });
    group.bench_function("can write", |b| {
        b.iter(|| runtime.block_on(store.can_write()).unwrap())
    });
    let mut watcher = runtime.block_on(store.watcher()).unwrap();
    group.bench_function("watch, nothing new", |b| {
        b.iter(|| runtime.block_on(watcher.poll()).unwrap())
    });
    runtime.block_on(async {
        while store.head().await.unwrap().seq < 10_000 {
            store.append(vec![event(); 500]).await.unwrap();
        }
    });
    group.sample_size(10);
    group.bench_function("open a journal of 10,000 events or more", |b| {
        b.iter(|| runtime.block_on(open()).unwrap())
    });
    let last = runtime.block_on(store.head()).unwrap().seq;
    group.bench_function("read 10,000 events", |b| {
        b.iter(|| {
            black_box(
                runtime
                    .block_on(store.events_since(last - 10_000))
                    .unwrap()
                    .len(),
            )
        });
    });
    let series = Series {
        metric: "p95".into(),
        service: "pay".into(),
        group: "all".into(),
        part: "value".into(),
    };
    let day = Samples {
        series,
        points: (1..=1440).map(|n| (n * 60, f64::from(n as u32))).collect(),
    };
    group.bench_function("keep a day of one series", |b| {
        b.iter(|| {
            runtime
                .block_on(store.put_samples(std::slice::from_ref(&day)))
                .unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, store);
criterion_main!(benches);
