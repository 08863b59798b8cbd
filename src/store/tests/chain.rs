//! Append, the chain, and what tampering shows as.

use sha2::{Digest, Sha256};

use super::*;

/// The hash once more, written from docs/journal.md alone.
fn by_the_book(stored: &StoredEvent) -> String {
    fn piece(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => {
                out.extend_from_slice(format!("{}:", bytes.len()).as_bytes());
                out.extend_from_slice(bytes);
            }
            None => out.extend_from_slice(b"-:"),
        }
        out.push(b',');
    }
    let e = &stored.event;
    let mut out = Vec::new();
    piece(&mut out, Some(b"cockpit event 1"));
    piece(&mut out, Some(stored.seq.to_string().as_bytes()));
    piece(
        &mut out,
        Some(e.at.format("%Y-%m-%dT%H:%M:%S%.9fZ").to_string().as_bytes()),
    );
    for text in [&e.actor, &e.known_by, &e.host] {
        piece(&mut out, Some(text.as_bytes()));
    }
    piece(&mut out, e.release.as_deref().map(str::as_bytes));
    piece(&mut out, Some(e.kind.as_bytes()));
    piece(&mut out, Some(e.version.to_string().as_bytes()));
    piece(&mut out, e.unique_key.as_deref().map(str::as_bytes));
    piece(&mut out, Some(&e.body));
    piece(&mut out, Some(stored.prev_hash.to_string().as_bytes()));
    Sha256::digest(&out)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

#[tokio::test]
async fn what_is_appended_is_read_back_and_chained() {
    let (dir, store) = fresh().await;
    assert_eq!(store.head().await.unwrap(), Head::EMPTY);
    assert_eq!(verified(&store).await, 0);
    let first = store.append(event(1)).await.unwrap();
    let rest = store.append(vec![event(2), keyed(3, "k")]).await.unwrap();
    let all = store.events_since(0).await.unwrap();
    assert_eq!(all.iter().map(|e| e.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(
        all,
        [&first[..], &rest[..]]
            .concat()
            .into_iter()
            .map(|a| a.stored)
            .collect::<Vec<_>>()
    );
    assert_eq!(all[2].event, keyed(3, "k"));
    assert_eq!(all[0].prev_hash, Hash::ZERO);
    assert_eq!(all[1].prev_hash, all[0].hash);
    for stored in &all {
        assert_eq!(by_the_book(stored), stored.hash.to_string());
    }
    assert_eq!(store.events_since(2).await.unwrap(), all[2..]);
    assert_eq!(
        store.head().await.unwrap(),
        Head {
            seq: 3,
            hash: all[2].hash
        }
    );
    store.close().await;
    let again = open(dir.path()).await.unwrap();
    assert_eq!(again.events_since(0).await.unwrap(), all);
    assert_eq!(verified(&again).await, 3);
}

#[tokio::test]
async fn more_than_one_page_is_read_whole() {
    let (_dir, store) = fresh().await;
    fill(&store, 1300).await;
    assert_eq!(store.events_since(0).await.unwrap().len(), 1300);
    assert_eq!(store.events_since(1299).await.unwrap().len(), 1);
    assert_eq!(verified(&store).await, 1300);
}

#[tokio::test]
async fn a_unique_key_is_written_once() {
    let (dir, store) = fresh().await;
    let first = store.append(keyed(1, "brief/1/slack")).await.unwrap();
    assert!(first[0].fresh);
    let again = store
        .append(vec![
            keyed(9, "brief/1/slack"),
            event(10),
            keyed(11, "x"),
            keyed(12, "x"),
        ])
        .await
        .unwrap();
    assert_eq!(
        again.iter().map(|a| a.fresh).collect::<Vec<_>>(),
        [false, true, true, false]
    );
    assert_eq!(again[0].stored, first[0].stored);
    assert_eq!(again[3].stored, again[2].stored);
    assert_eq!(store.head().await.unwrap().seq, 3);
    // A second process, and a stale view of the head: a repetition stays one.
    let other = open(dir.path()).await.unwrap();
    let repeated = Append {
        events: vec![keyed(1, "brief/1/slack")],
        expect_head: Some(0),
        ..Append::default()
    };
    assert!(!other.append(repeated).await.unwrap()[0].fresh);
    assert_eq!(
        other.event_by_key("brief/1/slack").await.unwrap().unwrap(),
        first[0].stored
    );
    assert_eq!(other.event_by_key("none").await.unwrap(), None);
    let other_kind = NewEvent {
        kind: "act".into(),
        ..keyed(1, "x")
    };
    let refused = other.append(vec![event(5), other_kind]).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::KeyTaken { seq: 3, .. }),
        "{refused}"
    );
    assert_eq!(verified(&store).await, 3);
}

#[tokio::test]
async fn a_journal_that_went_on_refuses() {
    let (_dir, store) = fresh().await;
    fill(&store, 2).await;
    let stale = Append {
        events: vec![event(3)],
        expect_head: Some(1),
        ..Append::default()
    };
    let refused = store.append(stale).await.unwrap_err();
    assert!(
        matches!(
            refused,
            StoreError::HeadMoved {
                expected: 1,
                found: 2
            }
        ),
        "{refused}"
    );
    let current = Append {
        events: vec![event(3)],
        expect_head: Some(2),
        ..Append::default()
    };
    assert_eq!(store.append(current).await.unwrap()[0].stored.seq, 3);
}

#[tokio::test]
async fn too_large_is_refused_before_writing() {
    let (_dir, store) = fresh().await;
    let body = NewEvent {
        body: vec![b'x'; 1024 * 1024 + 1],
        ..event(1)
    };
    let kind = NewEvent {
        kind: "k".repeat(5000),
        ..event(1)
    };
    for big in [body, kind] {
        let refused = store.append(vec![event(1), big]).await.unwrap_err();
        assert!(matches!(refused, StoreError::TooLarge { .. }), "{refused}");
    }
    assert_eq!(verified(&store).await, 0);
    let largest = NewEvent {
        body: vec![0xff; 1024 * 1024],
        ..event(1)
    };
    store.append(largest).await.unwrap();
    assert_eq!(verified(&store).await, 1);
}

#[tokio::test]
async fn the_database_itself_refuses_change_deletion_and_forks() {
    let (_dir, store) = fresh().await;
    store
        .append(vec![event(1), keyed(2, "k"), event(3)])
        .await
        .unwrap();
    let mut anybody = raw(&store).await;
    for sql in [
        "UPDATE event SET actor = 'eve' WHERE seq = 2",
        "DELETE FROM event WHERE seq = 3",
        "DELETE FROM event",
        "INSERT INTO event SELECT 5, at, actor, known_by, host, release, kind, version, NULL, body, hash, 'x' FROM event WHERE seq = 3",
        "INSERT INTO event SELECT 4, at, actor, known_by, host, release, kind, version, NULL, body, prev_hash, 'x' FROM event WHERE seq = 3",
        "INSERT OR REPLACE INTO event SELECT 3, at, 'eve', known_by, host, release, kind, version, NULL, body, prev_hash, 'x' FROM event WHERE seq = 3",
        "INSERT OR REPLACE INTO event SELECT 4, at, 'eve', known_by, host, release, kind, version, 'k', body, hash, 'x' FROM event WHERE seq = 3",
        "INSERT OR REPLACE INTO event SELECT 4, at, 'eve', known_by, host, release, kind, version, NULL, body, hash, prev_hash FROM event WHERE seq = 3",
    ] {
        let refused = sqlx::raw_sql(sql).execute(&mut anybody).await.unwrap_err();
        assert!(
            refused.to_string().contains("the journal is"),
            "{sql}: {refused}"
        );
    }
    assert_eq!(verified(&store).await, 3);
}

async fn tampered(sql: &'static str) -> Verification {
    let (_dir, store) = fresh().await;
    store
        .append(vec![event(1), event(2), keyed(3, "k"), event(4), event(5)])
        .await
        .unwrap();
    let mut anybody = raw(&store).await;
    execute(
        &mut anybody,
        "DROP TRIGGER event_is_never_changed; DROP TRIGGER event_is_never_deleted",
    )
    .await;
    execute(&mut anybody, sql).await;
    store.verify(&[]).await.unwrap()
}

#[rstest::rstest]
#[case("UPDATE event SET actor = 'eve' WHERE seq = 3", 3)]
#[case(
    "UPDATE event SET at = '2026-01-01T00:00:00.000000000Z' WHERE seq = 1",
    1
)]
#[case("UPDATE event SET body = x'7b7d' WHERE seq = 5", 5)]
#[case("UPDATE event SET release = '' WHERE seq = 1", 1)]
#[case("UPDATE event SET release = NULL WHERE seq = 4", 4)]
#[case("UPDATE event SET unique_key = NULL WHERE seq = 3", 3)]
#[case("UPDATE event SET version = 2 WHERE seq = 2", 2)]
#[case(
    "UPDATE event SET actor = actor || known_by, known_by = '' WHERE seq = 2",
    2
)]
#[case("UPDATE event SET hash = upper(hash) WHERE seq = 2", 2)]
#[case("UPDATE event SET kind = CAST(x'ff' AS TEXT) WHERE seq = 2", 2)]
#[case("DELETE FROM event WHERE seq = 1", 1)]
#[case("DELETE FROM event WHERE seq = 3", 3)]
#[case(
    "DELETE FROM event WHERE seq = 3; UPDATE event SET seq = seq - 1 WHERE seq > 3",
    3
)]
#[case(
    "UPDATE event SET seq = 9 WHERE seq = 2; UPDATE event SET seq = 2 WHERE seq = 3; UPDATE event SET seq = 3 WHERE seq = 9",
    2
)]
#[tokio::test]
async fn tampering_is_named_at_its_event(#[case] sql: &'static str, #[case] expected: u64) {
    match tampered(sql).await {
        Verification::Broken { seq, .. } => assert_eq!(seq, expected),
        fine => panic!("unnoticed: {fine:?}"),
    }
}

#[tokio::test]
async fn removed_guards_and_foreign_columns_are_noted() {
    match tampered("ALTER TABLE event ADD COLUMN mood TEXT; CREATE TABLE mine (x)").await {
        Verification::Verified {
            count: 5, notes, ..
        } => {
            let notes = notes.join("\n");
            for part in [
                "event_is_never_changed is missing",
                "table event was changed",
                "table mine was added",
            ] {
                assert!(notes.contains(part), "{notes}");
            }
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_cut_tail_shows_against_a_head_that_was_written_down() {
    let (_dir, store) = fresh().await;
    fill(&store, 5).await;
    let printed = store.head().await.unwrap().to_string();
    let mark: HeadMark = printed.parse().unwrap();
    assert!(matches!(
        store.verify(std::slice::from_ref(&mark)).await.unwrap(),
        Verification::Verified { .. }
    ));
    let mut anybody = raw(&store).await;
    execute(
        &mut anybody,
        "DROP TRIGGER event_is_never_deleted; DELETE FROM event WHERE seq > 3",
    )
    .await;
    assert!(matches!(
        store.verify(&[]).await.unwrap(),
        Verification::Verified { count: 3, .. }
    ));
    match store.verify(std::slice::from_ref(&mark)).await.unwrap() {
        Verification::Broken { seq: 4, why } => {
            assert!(why.contains("went on to event 5"), "{why}")
        }
        other => panic!("{other:?}"),
    }
    // A tail that was written anew is as long, but has other hashes.
    fill(&store, 4).await;
    match store.verify(&[mark]).await.unwrap() {
        Verification::Broken { seq: 5, why } => assert!(why.contains("was written down"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn heads_are_read_as_they_are_printed() {
    for bad in [
        "",
        "5",
        "5:",
        "5:0123",
        "x:0123456789abcdef",
        "5:0123456789abcdeg",
        "-1:0123456789abcdef",
    ] {
        assert!(bad.parse::<HeadMark>().is_err(), "{bad}");
    }
    assert!(Head::EMPTY.to_string().parse::<HeadMark>().is_ok());
    assert!(" 7:0123456789ABCDEF\n".parse::<HeadMark>().is_ok());
    let hash: Hash = "0f".repeat(32).parse().unwrap();
    assert_eq!(hash.to_string(), "0f".repeat(32));
    assert!("0F".repeat(32).parse::<Hash>().is_err());
}

#[tokio::test]
async fn an_export_verifies_by_itself() {
    let (_dir, store) = fresh().await;
    let binary = NewEvent {
        body: vec![0, 0xff, b'\n', 0x80],
        ..event(2)
    };
    store
        .append(vec![event(1), binary, keyed(3, "k\n\u{202e}\0"), event(4)])
        .await
        .unwrap();
    let mut out = Vec::new();
    let done = store
        .export(Path::new("out.jsonl"), &mut out)
        .await
        .unwrap();
    assert_eq!((done.count, done.head), (4, store.head().await.unwrap()));
    let found = verify_export(&out[..], &[done.head.into()]).unwrap();
    assert_eq!(
        found,
        Verification::Verified {
            count: 4,
            head: done.head,
            notes: vec![]
        }
    );
    let text = String::from_utf8(out.clone()).unwrap();
    assert_eq!(text.lines().count(), 4);
    let broken = |text: String| match verify_export(text.as_bytes(), &[done.head.into()]).unwrap() {
        Verification::Broken { seq, .. } => seq,
        fine => panic!("unnoticed: {fine:?}"),
    };
    assert_eq!(
        broken(text.replacen("\"actor\":\"ana\"", "\"actor\":\"eve\"", 1)),
        1
    );
    assert_eq!(
        broken(text.lines().skip(1).map(|l| format!("{l}\n")).collect()),
        1
    );
    assert_eq!(
        broken(text.lines().take(3).map(|l| format!("{l}\n")).collect()),
        4
    );
    assert_eq!(
        broken(text.replacen("\"version\":1", "\"version\":1,\"more\":0", 1)),
        1
    );
    assert_eq!(broken(format!("{text}no event")), 5);
}

#[tokio::test]
async fn a_backup_is_whole_private_and_overwrites_nothing() {
    let (dir, store) = fresh().await;
    fill(&store, 20).await;
    let to = dir.path().join("it's a backup; --.db");
    match store.backup(&to).await.unwrap() {
        Verification::Verified {
            count: 20, head, ..
        } => assert_eq!(head, store.head().await.unwrap()),
        other => panic!("{other:?}"),
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            std::fs::metadata(&to).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    let before = std::fs::read(&to).unwrap();
    assert!(matches!(
        store.backup(&to).await.unwrap_err(),
        StoreError::Exists { .. }
    ));
    assert_eq!(std::fs::read(&to).unwrap(), before);
    assert!(store.backup(&dir.path().join("none/b.db")).await.is_err());
    // Put in place of a lost journal, it goes on.
    let new_home = tempfile::tempdir().unwrap();
    std::fs::copy(&to, new_home.path().join(FILE_NAME)).unwrap();
    let restored = open(new_home.path()).await.unwrap();
    restored.append(event(21)).await.unwrap();
    assert_eq!(verified(&restored).await, 21);
    assert_eq!(
        open_read_only(new_home.path())
            .await
            .unwrap()
            .head()
            .await
            .unwrap()
            .seq,
        21
    );
}

#[tokio::test]
async fn a_broken_journal_gives_no_backup() {
    let (dir, store) = fresh().await;
    fill(&store, 3).await;
    execute(
        &mut raw(&store).await,
        "DROP TRIGGER event_is_never_changed; UPDATE event SET actor = 'eve' WHERE seq = 2",
    )
    .await;
    let to = dir.path().join("backup.db");
    assert!(matches!(
        store.backup(&to).await.unwrap_err(),
        StoreError::Damaged { .. }
    ));
    assert!(!to.exists());
}

#[tokio::test]
async fn a_watcher_sees_what_another_store_commits() {
    let (dir, store) = fresh().await;
    let mut watcher = store.watcher().await.unwrap();
    assert_eq!(watcher.poll().await.unwrap(), None);
    let other = open(dir.path()).await.unwrap();
    other.append(event(1)).await.unwrap();
    let changed = watcher.poll().await.unwrap().unwrap();
    assert_eq!(
        changed,
        Changed {
            head: other.head().await.unwrap(),
            journal: true
        }
    );
    assert_eq!(watcher.poll().await.unwrap(), None);
    other.take_lease("pay", "b", at(0)).await.unwrap();
    assert!(!watcher.poll().await.unwrap().unwrap().journal);
    store.append(event(2)).await.unwrap();
    assert_eq!(watcher.poll().await.unwrap().unwrap().head.seq, 2);
}

#[tokio::test]
async fn a_dropped_append_leaves_the_store_usable() {
    let (_dir, store) = fresh().await;
    for round in 0..60_usize {
        let mut append = Box::pin(store.append(vec![event(round), event(round)]));
        // Cancelled after some wake-ups: at another place each round.
        for _ in 0..round % 20 {
            if futures::poll!(&mut append).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(append);
    }
    store.append(event(1)).await.unwrap();
    let count = verified(&store).await;
    assert!(count % 2 == 1, "an append was split: {count}");
}

#[tokio::test]
async fn commits_wait_for_the_disk() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin("testing").await.unwrap();
    let pragma = |name| sqlx::query_scalar::<_, i64>(name);
    assert_eq!(
        pragma("PRAGMA synchronous")
            .fetch_one(tx.conn())
            .await
            .unwrap(),
        2
    );
    assert_eq!(
        pragma("PRAGMA foreign_keys")
            .fetch_one(tx.conn())
            .await
            .unwrap(),
        1
    );
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(tx.conn())
        .await
        .unwrap();
    assert_eq!(mode, "wal");
}
