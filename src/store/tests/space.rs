//! A full disk: said before the act, and nothing half-written.

use std::process::{Command, Stdio};

use super::child::{arguments, playing, said};
use super::*;

#[tokio::test]
async fn a_write_can_be_tested() {
    let (dir, store) = fresh().await;
    fill(&store, 3).await;
    for _ in 0..3 {
        store.can_write().await.unwrap();
    }
    assert_eq!(verified(&store).await, 3);
    assert!(!dir.path().join(".cockpit.space").exists());
}

#[tokio::test]
async fn a_database_at_its_limit_is_full_before_the_append() {
    let (_dir, store) = fresh().await;
    fill(&store, 3).await;
    let mut tx = store.begin("testing").await.unwrap();
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count")
        .fetch_one(tx.conn())
        .await
        .unwrap();
    tx.rollback().await.unwrap();
    // The limit belongs to the writing connection, which is the one kept.
    let mut slot = store.inner.writer.lock().await;
    let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    sqlx::raw_sql(limit)
        .execute(slot.as_mut().unwrap())
        .await
        .unwrap();
    drop(slot);
    let error = store.can_write().await.unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    // The connection that failed was replaced; the store goes on.
    store.append(event(4)).await.unwrap();
    store.can_write().await.unwrap();
    assert_eq!(verified(&store).await, 4);
}

/// The child's part: append until the probe refuses, then on until the append does.
pub async fn fill_until_refused(dir: &Path, say: impl Fn(String)) {
    let store = open(dir).await.unwrap();
    let big = |n| NewEvent {
        body: vec![b'x'; 20_000],
        ..event(n)
    };
    let mut acknowledged: u64 = 0;
    let probe = loop {
        if let Err(error) = store.can_write().await {
            break error;
        }
        store
            .append(big(1))
            .await
            .unwrap_or_else(|e| panic!("the probe promised this append: {e}"));
        acknowledged += 1;
        assert!(acknowledged < 1000, "this disk never fills");
    };
    say(format!("probe {acknowledged} {probe}"));
    let append = loop {
        assert!(acknowledged < 1000, "this disk never fills");
        match store.append(big(1)).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    say(format!("append {acknowledged} {append}"));
    let count = verified(&store).await;
    assert_eq!(count, acknowledged, "acknowledged and stored differ");
    // Space again: a full disk leaves nothing behind.
    std::fs::remove_file(dir.join("ballast")).unwrap();
    store.can_write().await.unwrap();
    store.append(big(1)).await.unwrap();
    store.close().await;
    let again = open(dir).await.unwrap();
    say(format!("after {}", verified(&again).await - acknowledged));
}

/// A small file system of our own, in a mount namespace that ends with the child.
fn on_a_small_disk(role: &str, mount: &Path) -> Option<std::process::Output> {
    let script = r#"mount -t tmpfs -o size=2m none "$0" && head -c 600000 /dev/urandom > "$0/ballast" && exec "$@""#;
    for flags in ["-m", "-rm"] {
        let works = Command::new("unshare")
            .args([flags, "sh", "-c", r#"mount -t tmpfs none "$0""#])
            .arg(mount)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success());
        if !works {
            continue;
        }
        let played = playing(role, mount);
        let mut command = Command::new("unshare");
        command
            .args([flags, "sh", "-c", script])
            .arg(mount)
            .arg(played.get_program())
            .args(arguments());
        command.envs(played.get_envs().filter_map(|(k, v)| Some((k, v?))));
        return Some(command.output().unwrap());
    }
    None
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_before_the_act_and_loses_nothing() {
    let mount = tempfile::tempdir().unwrap();
    let Some(output) = on_a_small_disk("fill", mount.path()) else {
        println!("not applicable: no file system can be mounted here");
        return;
    };
    let text = said(&output.stdout).join("\n");
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines[0].starts_with("probe ") && lines[0].contains("No space is left"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("append ") && lines[1].contains("No space is left"),
        "{text}"
    );
    assert_eq!(lines[2], "after 1");
    let count = |line: &str| {
        line.split(' ')
            .nth(1)
            .and_then(|n| n.parse::<u64>().ok())
            .unwrap()
    };
    assert!(count(lines[0]) >= 3, "{text}");
    assert!(
        count(lines[1]) > count(lines[0]),
        "the probe refused no earlier than the append: {text}"
    );
}
