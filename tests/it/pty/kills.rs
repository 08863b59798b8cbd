//! kill -9 at any moment of the story: nothing that was acknowledged is lost, and nothing is done twice.

use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _};

use super::terminal::Terminal;
use super::tour::{confirm_rollback, rolled_back_once};
use super::world::{acts, control, journal};

/// Moments at which the program is killed; `COCKPIT_TEST_KILLS` sets another number.
const KILLS: usize = 200;

#[test]
fn killed_at_any_moment_it_loses_nothing_and_repeats_nothing() {
    let kills = std::env::var("COCKPIT_TEST_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(KILLS);
    let seed = std::env::var("COCKPIT_TEST_SEED")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(47);
    println!("{kills} kills, COCKPIT_TEST_SEED={seed}");
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let data = tempfile::tempdir().unwrap();
    let speed = ["--speed", "10"];
    let mut t = Terminal::demo(data.path(), &["--fresh", "--speed", "10"]);
    confirm_rollback(&mut t);
    // Acknowledged: the world has begun to change, so the intent is on the disk.
    t.see("ROLLBACK ");
    let mut kept = Vec::new();
    for kill in 0..kills {
        let end = Instant::now() + Duration::from_millis(random.random_range(0..900));
        while Instant::now() < end && !t.ended() {
            t.quiet(Duration::from_millis(5));
        }
        t.kill();
        let now = journal(data.path());
        assert!(
            now.len() >= kept.len() && now[..kept.len()] == kept[..],
            "kill {kill}: the journal is not what it was"
        );
        kept = now;
        t = Terminal::demo(data.path(), &speed);
        // The next kill may come before anything is drawn, in the middle of the resumption, or long after it.
        if random.random_bool(0.7) {
            t.see("NEXT");
            control(data.path());
        }
    }
    t.until("the rollback's end", |t| !t.text().contains(" ROLLBACK "));
    t.see("2.13.4");
    let all = acts(data.path());
    rolled_back_once(&all);
    held_once(&all, &journal(data.path()));
}

/// Auto-sync is switched off for each held service once, and on again at most once, as the plan says.
fn held_once(acts: &serde_json::Value, journal: &[cockpit::store::StoredEvent]) {
    let started = journal.iter().filter(|e| {
        e.event.kind == "plan_started" && e.event.release.as_deref() == Some("checkout-2026.47")
    });
    assert_eq!(started.count(), 1, "one plan");
    let patches = acts["acts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|a| a["act"]["kind"] == "patch");
    let mut by_app = std::collections::BTreeMap::<String, usize>::new();
    for patch in patches {
        *by_app
            .entry(patch["act"]["app"].as_str().unwrap_or_default().to_owned())
            .or_default() += 1;
    }
    assert!(by_app.values().all(|n| (1..=2).contains(n)), "{acts:#}");
    let intents: Vec<String> = journal
        .iter()
        .filter(|e| e.event.kind == "intended")
        .map(|e| {
            let body: serde_json::Value = serde_json::from_slice(&e.event.body).unwrap();
            body["act"]["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let mut once = intents.clone();
    once.sort();
    once.dedup();
    assert_eq!(
        once.len(),
        intents.len(),
        "an act was intended twice: {intents:?}"
    );
}
