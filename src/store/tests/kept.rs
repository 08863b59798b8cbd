//! Samples, states and the cache.

use std::time::Duration;

use super::*;

fn series(metric: &str, service: &str, group: &str) -> Series {
    Series {
        metric: metric.into(),
        service: service.into(),
        group: group.into(),
        part: "value".into(),
    }
}

fn every(metric: &str, after: i64, until: i64) -> SampleQuery {
    SampleQuery {
        metric: metric.into(),
        after,
        until,
        ..SampleQuery::default()
    }
}

#[tokio::test]
async fn samples_are_kept_replaced_read_by_span_and_pruned() {
    let (_dir, store) = fresh().await;
    let pay = Samples {
        series: series("errors", "pay", "canary"),
        points: vec![(60, 0.1), (120, f64::NAN), (180, 0.3)],
    };
    let cart = Samples {
        series: series("errors", "cart", "all"),
        points: vec![(60, f64::INFINITY), (120, -1e-300)],
    };
    store
        .put_samples(&[pay.clone(), cart.clone()])
        .await
        .unwrap();
    let read = store.samples(&every("errors", 0, 1000)).await.unwrap();
    assert_eq!(read[0], cart);
    assert_eq!(read[1].series, pay.series);
    assert!(
        read[1].points[1].1.is_nan(),
        "an answer of NaN is no number"
    );
    store
        .put_samples(&[Samples {
            points: vec![(120, 0.2), (120, 0.25)],
            ..pay.clone()
        }])
        .await
        .unwrap();
    let only = SampleQuery {
        service: Some("pay".into()),
        group: Some("canary".into()),
        ..every("errors", 60, 120)
    };
    assert_eq!(store.samples(&only).await.unwrap()[0].points, [(120, 0.25)]);
    assert!(
        store
            .samples(&every("latency", 0, 1000))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        store
            .samples(&every("errors", 180, 1000))
            .await
            .unwrap()
            .is_empty()
    );
    let spans = store.sample_spans("errors").await.unwrap();
    assert_eq!(
        spans.into_values().collect::<Vec<_>>(),
        [(60, 120), (60, 180)]
    );
    let long = ["pay".to_owned()];
    assert_eq!(store.thin_samples(&long, 180, 1000).await.unwrap(), 4);
    assert_eq!(
        store
            .samples(&every("errors", 0, 1000))
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn many_samples_are_all_kept_exactly() {
    let (_dir, store) = fresh().await;
    let points: Vec<_> = (1..=25_001).map(|n| (n * 60, 1.0 / (n as f64))).collect();
    let set = Samples {
        series: series("p95", "pay", "all"),
        points,
    };
    store.put_samples(std::slice::from_ref(&set)).await.unwrap();
    assert_eq!(
        store.samples(&every("p95", 0, i64::MAX)).await.unwrap(),
        [set]
    );
}

#[tokio::test]
async fn a_bucket_of_many_series_goes_to_its_own_and_what_nobody_asks_for_goes() {
    let (_dir, store) = fresh().await;
    let sets = |from: i64| -> Vec<Samples> {
        (0..300_i64)
            .map(|n| Samples {
                series: series("errors", &format!("service-{n:03}"), "all"),
                points: (0..9)
                    .map(|i| ((from + i) * 60, (n * 1000 + i) as f64))
                    .collect(),
            })
            .collect()
    };
    // The second time every series is known, and one is new.
    store.put_samples(&sets(1)).await.unwrap();
    let mut later = sets(9);
    later.push(Samples {
        series: series("errors", "service-new", "all"),
        points: vec![(60, 7.0)],
    });
    store.put_samples(&later).await.unwrap();
    let read = store.samples(&every("errors", 0, i64::MAX)).await.unwrap();
    assert_eq!(read.len(), 301);
    for (n, set) in read.iter().take(300).enumerate() {
        assert_eq!(set.series.service, format!("service-{n:03}"));
        let first = (n * 1000) as f64;
        assert_eq!(set.points.len(), 17);
        assert_eq!(set.points[0], (60, first));
        assert_eq!(
            set.points[8],
            (540, first),
            "the later value of a bucket counts"
        );
        assert_eq!(set.points[16], (1020, first + 8.0));
    }
    let long = ["service-007".to_owned()];
    let gone = store.thin_samples(&long, 120, 600).await.unwrap();
    assert_eq!(gone, 299 * 9 + 1 + 1);
    let read = store.samples(&every("errors", 0, i64::MAX)).await.unwrap();
    assert_eq!(read.len(), 300);
    let of = |name: &str| read.iter().find(|s| s.series.service == name).unwrap();
    assert_eq!(of("service-007").points[0].0, 120);
    assert_eq!(of("service-008").points[0].0, 600);
}

fn state(key: &str, seconds: i64, body: &str) -> StateChange {
    StateChange {
        source: "argo".into(),
        key: key.into(),
        at: at(seconds),
        body: body.into(),
    }
}

#[tokio::test]
async fn only_changes_of_state_are_kept() {
    let (_dir, store) = fresh().await;
    let all = [
        state("pay", 0, "v1"),
        state("pay", 60, "v1"),
        state("pay", 120, "v2"),
        state("cart", 60, "v9"),
    ];
    assert_eq!(store.put_states(&all).await.unwrap(), 3);
    assert_eq!(store.put_states(&all).await.unwrap(), 0);
    let bodies = |states: Vec<StateChange>| {
        states
            .into_iter()
            .map(|s| format!("{}={}", s.key, String::from_utf8(s.body).unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        bodies(store.states_at("argo", at(119)).await.unwrap()),
        ["cart=v9", "pay=v1"]
    );
    assert_eq!(
        bodies(store.states_at("argo", at(120)).await.unwrap()),
        ["cart=v9", "pay=v2"]
    );
    assert_eq!(
        bodies(
            store
                .states("argo", Some("pay"), at(0), at(120))
                .await
                .unwrap()
        ),
        ["pay=v2"]
    );
    assert_eq!(
        bodies(store.states("argo", None, at(-1), at(60)).await.unwrap()),
        ["pay=v1", "cart=v9"]
    );
    assert_eq!(store.prune_states(at(1000)).await.unwrap(), 1);
    assert_eq!(
        bodies(store.states_at("argo", at(1000)).await.unwrap()),
        ["cart=v9", "pay=v2"]
    );
}

#[tokio::test]
async fn pruning_keeps_what_was_true_at_the_cut() {
    let (_dir, store) = fresh().await;
    store
        .put_states(&[
            state("pay", 0, "v1"),
            state("pay", 60, "v2"),
            state("pay", 120, "v3"),
        ])
        .await
        .unwrap();
    assert_eq!(store.prune_states(at(100)).await.unwrap(), 1);
    assert_eq!(
        store.states_at("argo", at(100)).await.unwrap()[0].body,
        b"v2"
    );
}

#[tokio::test]
async fn the_cache_keeps_the_newest_answer() {
    let (dir, store) = fresh().await;
    let entry = |key: &str, read: i64, body: &str| CacheEntry {
        key: key.into(),
        read_at: at(read),
        newest: (read > 5).then(|| at(read - 5)),
        cadence: Duration::from_millis(15_500),
        body: body.into(),
    };
    store
        .put_cache(&[entry("a", 10, "one"), entry("b", 0, "two")])
        .await
        .unwrap();
    store.put_cache(&[entry("a", 9, "late")]).await.unwrap();
    store.put_cache(&[entry("b", 1, "three")]).await.unwrap();
    let again = open(dir.path()).await.unwrap();
    assert_eq!(
        again.cache().await.unwrap(),
        [entry("a", 10, "one"), entry("b", 1, "three")]
    );
    assert_eq!(again.prune_cache(at(5)).await.unwrap(), 1);
    assert_eq!(again.cache().await.unwrap().len(), 1);
}
