//! Five hundred services: they cost no more queries than five, and every one of them is read.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cockpit::app::port::{Fact, Order};
use cockpit::domain::situation::Situation;
use cockpit::runtime::clock::RealClock;
use cockpit::runtime::engine::{Engine, Start};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::many::{METRICS, Many, Size, name};
use super::program;

const SERVICES: usize = 500;
/// Seconds between two readings: short, so that a few of them fit into a test.
const EVERY: u64 = 10;
/// Cycles that are watched: over a minute, so that readings of every second of it are among them.
const CYCLES: u64 = 6;
/// Queries a cycle, whatever the number of services.
const QUERIES: f64 = 12.0;
/// Until every metric has a value.
const LOADED: Duration = Duration::from_secs(150);

/// The next situation, within the time.
async fn next(facts: &mut UnboundedReceiver<Fact>, end: Instant) -> Option<Arc<Situation>> {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, facts.recv()).await {
            Ok(Some(Fact::Assessed(situation))) => return Some(situation),
            Ok(Some(_)) => {}
            Ok(None) => panic!("the engine is gone"),
            Err(_) => return None,
        }
    }
}

/// Services that have a value of every metric, none of them stale.
fn read(s: &Situation) -> usize {
    let named = |m: &&cockpit::domain::situation::MetricView| m.value.is_some();
    let rows = s.metrics.iter().filter(|m| m.freshness.usable());
    let mut known: Vec<&str> = rows.filter(named).map(|m| m.service.as_str()).collect();
    known.sort_unstable();
    known
        .chunk_by(|a, b| a == b)
        .filter(|c| c.len() == METRICS)
        .count()
}

/// Metric feeds whose last good reading is older than that, with its age in seconds.
fn late(s: &Situation, most: i64) -> Vec<(String, i64)> {
    let live = s.feeds.iter().filter(|f| f.need.ends_with("/60"));
    live.map(|f| {
        let age = f
            .read_at
            .map_or(i64::MAX, |at| (s.now.world - at).num_seconds());
        (f.need.clone(), age)
    })
    .filter(|(_, age)| *age > most)
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_services_cost_twelve_queries_a_cycle_and_all_are_read() {
    let test = "five hundred services";
    let (Some(prometheus), Some(tool)) = (program(test, "prometheus"), program(test, "promtool"))
    else {
        return;
    };
    let size = Size {
        services: SERVICES,
        metrics: METRICS,
        every: EVERY,
        minutes: 40,
        days: 1,
    };
    let start = move || {
        let server = Many::start((&prometheus, &tool), size);
        let place = server.cockpit("flight");
        (server, place)
    };
    let (server, place) = tokio::task::spawn_blocking(start).await.unwrap();
    let (facts_tx, mut facts) = unbounded_channel();
    let (orders, orders_rx) = unbounded_channel();
    let start = Start {
        place,
        text: None,
        world: None,
        clock: Arc::new(RealClock),
        acts: true,
    };
    let (engine, inbox) = Engine::open(start, facts_tx).await.unwrap();
    let task = tokio::spawn(engine.run(inbox, orders_rx));

    let end = Instant::now() + LOADED;
    let mut most = 0;
    while most < SERVICES {
        let s = next(&mut facts, end).await;
        let s =
            s.unwrap_or_else(|| panic!("{most} of {SERVICES} services were read in {LOADED:?}"));
        most = most.max(read(&s));
    }

    let (began, (asked, _)) = (Instant::now(), server.asked());
    let end = began + Duration::from_secs(EVERY * CYCLES);
    let mut times = BTreeSet::new();
    while let Some(s) = next(&mut facts, end).await {
        assert_eq!(read(&s), SERVICES, "a service lost its values");
        // A reading may take as long as several cycles where everything else runs at the same time.
        let late = late(&s, EVERY as i64 * 8);
        assert!(late.is_empty(), "{late:?}");
        times.extend(s.feeds.iter().filter_map(|f| f.read_at));
    }
    let cycles = began.elapsed().as_secs_f64() / EVERY as f64;
    // In a span of so many cycles one reading more may begin.
    let a_cycle = (server.asked().0 - asked) / (cycles.floor() + 1.0);
    assert!(times.len() > 2, "nothing was read again");
    assert!(a_cycle <= QUERIES, "{a_cycle} queries a cycle");
    assert!(
        a_cycle >= 1.0,
        "only {a_cycle} queries a cycle: hardly anything is refreshed"
    );
    assert!(server.asked().0 > 0.0 && name(SERVICES - 1) == "service-499");

    orders.send(Order::Shutdown).unwrap();
    task.await.unwrap();
}
