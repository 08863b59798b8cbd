//! Tests of the store: the chain, bad places, crashes, full disks, leases, what is kept.

mod chain;
mod child;
mod crash;
mod docs;
mod hostile;
mod kept;
mod leases;
mod places;
mod space;

use std::path::Path;

use chrono::{TimeDelta, TimeZone, Utc};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

use super::*;

/// A data directory with an open store.
async fn fresh() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await.unwrap();
    (dir, store)
}

async fn open(dir: &Path) -> Result<Store, StoreError> {
    Store::open(dir, OpenOptions::default()).await
}

async fn open_read_only(dir: &Path) -> Result<Store, StoreError> {
    Store::open(dir, OpenOptions { read_only: true }).await
}

/// A connection as anybody with the file could have one.
async fn raw(store: &Store) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(store.file())
        .connect()
        .await
        .unwrap()
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

fn at(seconds: i64) -> Instant {
    Utc.timestamp_opt(1_790_000_000, 123_456_789).unwrap() + TimeDelta::seconds(seconds)
}

fn event(n: usize) -> NewEvent {
    NewEvent {
        at: at(i64::try_from(n).unwrap()),
        actor: "ana".into(),
        known_by: "OS user".into(),
        host: "laptop".into(),
        release: n.is_multiple_of(2).then(|| "pay-42".into()),
        kind: "note".into(),
        version: 1,
        body: format!("{{\"n\":{n}}}").into_bytes(),
        unique_key: None,
    }
}

fn keyed(n: usize, key: &str) -> NewEvent {
    NewEvent {
        unique_key: Some(key.into()),
        ..event(n)
    }
}

async fn fill(store: &Store, count: usize) {
    store
        .append((1..=count).map(event).collect::<Vec<_>>())
        .await
        .unwrap();
}

/// The number of events of a journal that verifies; anything else fails the test.
async fn verified(store: &Store) -> u64 {
    match store.verify(&[]).await.unwrap() {
        Verification::Verified { count, notes, .. } => {
            assert!(notes.is_empty(), "{notes:?}");
            count
        }
        broken => panic!("{broken:?}"),
    }
}
