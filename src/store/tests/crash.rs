//! kill -9 at random points, and several processes at once.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use rand::RngExt;

use super::child::{playing, said};
use super::*;

/// Kills the child after it said some lines or after a random time, whichever comes first; returns what it said.
fn kill_at_random(dir: &Path) -> Vec<String> {
    let mut rng = rand::rng();
    let mut child = playing("append", dir).spawn().unwrap();
    let lines = rng.random_range(0..40_usize);
    // Counted from the start, so that some die while they make or open the database.
    let delay = Duration::from_micros(rng.random_range(0..30_000));
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut bytes = Vec::new();
    let mut heard = 0;
    while heard < lines {
        let before = bytes.len();
        if out.read_until(b'\n', &mut bytes).unwrap() == 0 {
            break;
        }
        heard += usize::from(bytes[before..].starts_with(b"> "));
    }
    std::thread::sleep(delay);
    child.kill().unwrap();
    std::io::Read::read_to_end(&mut out, &mut bytes).unwrap();
    child.wait().unwrap();
    said(&bytes)
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_kill() {
    let rounds = std::env::var("COCKPIT_TEST_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(40);
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        if round % 8 == 0 {
            // A new journal now and then, so that making one is killed too.
            acknowledged.clear();
            std::fs::remove_dir_all(dir.path()).unwrap();
        }
        acknowledged.extend(kill_at_random(dir.path()));
        let store = open(dir.path()).await.unwrap();
        let count = verified(&store).await;
        assert_eq!(count % 2, 0, "half a transaction was kept");
        let events = store.events_since(0).await.unwrap();
        for line in &acknowledged {
            let (seq, hash) = line.split_once(' ').unwrap();
            let seq: usize = seq.parse().unwrap();
            let found = events
                .get(seq - 1)
                .unwrap_or_else(|| panic!("event {seq} was acknowledged and is lost"));
            assert_eq!(
                found.hash.to_string(),
                hash,
                "event {seq} was acknowledged and is another"
            );
        }
        store.close().await;
    }
    assert!(
        !acknowledged.is_empty(),
        "no child was heard: the test proves nothing"
    );
}

#[tokio::test]
async fn several_processes_and_stores_keep_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    // Also all at once on a directory without a journal.
    let children: Vec<_> = (0..3)
        .map(|_| playing("append-200", dir.path()).spawn().unwrap())
        .collect();
    let stores = [
        open(dir.path()).await.unwrap(),
        open(dir.path()).await.unwrap(),
    ];
    let tasks = stores.clone().map(|store| {
        tokio::spawn(async move {
            for n in 0..100 {
                store.append(event(n)).await.unwrap();
            }
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
    let mut seqs = Vec::new();
    for child in children {
        let output = tokio::task::spawn_blocking(move || child.wait_with_output())
            .await
            .unwrap()
            .unwrap();
        assert!(output.status.success());
        seqs.extend(said(&output.stdout));
    }
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs.len(), 600, "two processes were given one number");
    assert_eq!(verified(&stores[0]).await, 800);
}
