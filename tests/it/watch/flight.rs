//! A 72-hour watch, whole: every checkpoint once and in time, each change told once, the end verdict, flat memory, a bounded store.

use std::time::{Duration, Instant};

use cockpit::domain::act::Verb;
use cockpit::domain::event::Body;
use cockpit::store::{OpenOptions, SampleQuery, Store};

use super::{RELEASE, Site, hours};

/// From hour 24 to hour 72 a watch may grow by this: the live buckets of two services over 48 hours, and the allocator's rest.
const GROWTH_KIB: u64 = 12 * 1024;
/// Buckets kept an hour: four metrics in six parts, of two services and two groups at most, 60 a live series and 6 a block series.
const ROWS_AN_HOUR: usize = 24 * 66;

fn rows(site: &Site) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Store::open(&site.data(), OpenOptions { read_only: true })
            .await
            .unwrap();
        let mut rows = 0;
        for metric in ["error_rate", "p95", "conversion", "alerts"] {
            let query = SampleQuery {
                metric: metric.into(),
                after: i64::MIN,
                until: i64::MAX,
                ..SampleQuery::default()
            };
            let sets = store.samples(&query).await.unwrap();
            rows += sets.iter().map(|s| s.points.len()).sum::<usize>();
        }
        store.close().await;
        rows
    })
}

/// A debug build takes ten minutes for all of it: `COCKPIT_TEST_WATCH=72` flies it to its end, else it is ended after a day.
#[test]
fn seventy_two_hours_pass_with_every_checkpoint_once_and_flat_memory() {
    let whole = std::env::var("COCKPIT_TEST_WATCH").is_ok_and(|hours| hours == "72");
    let marks: &[u32] = if whole {
        &[6, 24, 48, 71]
    } else {
        &[6, 12, 25]
    };
    let site = Site::new();
    let began = Instant::now();
    let mut flying = site.start(&["watch", RELEASE, "--json", "--speed", "9000"]);
    flying.says(&["drives: this process holds"], 60);
    let mut seen: Vec<(u32, u64)> = Vec::new();
    let mut rows_at = Vec::new();
    for hour in marks.iter().copied() {
        let reached = crate::real::running::until(Duration::from_secs(600), || {
            hours(&site) >= f64::from(hour)
        });
        assert!(
            reached,
            "hour {hour} is not reached: {:?}, {:#?}",
            flying.said().last(),
            flying.complained()
        );
        seen.push((hour, flying.resident()));
        if hour != 6 {
            rows_at.push((hour, rows(&site)));
        }
    }
    if !whole {
        flying.signal(rustix::process::Signal::TERM);
    }
    let code = flying.ends(120);
    eprintln!(
        "flown in {:?}; KiB by hour {seen:?}; rows by hour {rows_at:?}",
        began.elapsed()
    );

    // Each checkpoint once, in time, with its numbers.
    let points = site.checkpoints();
    let after: Vec<u64> = points.iter().map(|p| p.0).collect();
    let all = [300, 1800, 3600, 14_400, 86_400, 172_800, 259_200];
    assert_eq!(after, all[..if whole { 7 } else { 5 }], "{points:?}");
    assert!(points.iter().all(|p| !p.1), "none is late: {points:?}");
    // Four metrics of two services each.
    assert!(points.iter().all(|p| p.3 == 8), "{points:?}");

    let events = site.events();
    flat(&seen, &rows_at, events.len());
    let told: Vec<&str> = events
        .iter()
        .filter_map(|(b, _)| match b {
            Body::Intended { act } if act.verb == Verb::PostMessage => Some(act.id.as_str()),
            _ => None,
        })
        .collect();
    let once: std::collections::BTreeSet<&str> = told.iter().copied().collect();
    assert_eq!(told.len(), once.len(), "{told:?}");
    if !whole {
        assert_eq!((code, told.len()), (143, 5), "{told:?}");
        return;
    }

    // The end, once; the exit code is its verdict's.
    let ends: Vec<_> = events
        .iter()
        .filter_map(|(b, _)| match b {
            Body::WatchEnded { verdict, .. } => Some(verdict.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert_eq!(code, i32::from(ends[0].exit_code()), "{ends:?}");
    let worst = points.iter().map(|p| p.2.as_str()).collect::<Vec<_>>();
    let expected = match worst.as_slice() {
        all if all.contains(&"fail") => "fail",
        all if all.iter().all(|w| *w == "pass") => "pass",
        _ => "undecided",
    };
    assert_eq!(ends[0].word(), expected, "{worst:?}");
    let said = flying.said();
    let last: serde_json::Value = serde_json::from_str(said.last().unwrap()).unwrap();
    assert_eq!(last["kind"], "end");
    assert!(
        last["text"].as_str().unwrap().contains("the watch ended"),
        "{last}"
    );

    // Seven checkpoints and the end.
    assert_eq!(told.len(), 8, "{told:?}");
}

/// Memory is flat from the second figure on, and the store grows by its buckets and no more.
fn flat(seen: &[(u32, u64)], rows_at: &[(u32, usize)], events: usize) {
    let (second, last) = (seen[1], seen[seen.len() - 1]);
    assert!(second.1 > 0, "no figure: {seen:?}");
    let growth = last.1.saturating_sub(second.1);
    assert!(growth <= GROWTH_KIB, "{growth} KiB more: {seen:?}");
    let (first, last) = (rows_at[0], rows_at[rows_at.len() - 1]);
    let hours = usize::try_from(last.0 - first.0).unwrap() + 2;
    assert!(
        last.1.saturating_sub(first.1) <= ROWS_AN_HOUR * hours,
        "{rows_at:?}"
    );
    assert!(events < 100, "{events} events");
}
