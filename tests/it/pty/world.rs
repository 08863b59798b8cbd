//! What the embedded world says of itself, asked through its control port.

use std::path::Path;
use std::time::Duration;

use cockpit::store::{OpenOptions, Store, StoredEvent, Verification};
use serde_json::Value;

use crate::real::http;
use crate::real::running::until;

/// The control port of the demo that runs on this data directory.
pub fn control(data: &Path) -> u16 {
    let file = data.join("world.control");
    let mut port = None;
    assert!(
        until(Duration::from_secs(60), || {
            port = std::fs::read_to_string(&file)
                .ok()
                .and_then(|text| text.trim().rsplit(':').next()?.parse().ok())
                .filter(|port| http::answers(*port, "/__world/now"));
            port.is_some()
        }),
        "no control port is told"
    );
    port.unwrap()
}

/// What the world accepted: its counts by word, and the acts in order.
pub fn acts(data: &Path) -> Value {
    http::json(control(data), "/__world/acts", &[])
}

/// How often an act was accepted.
pub fn count(acts: &Value, word: &str) -> u64 {
    acts["counts"][word].as_u64().unwrap_or(0)
}

/// Moves world time on.
pub fn advance(data: &Path, seconds: u64) {
    let body = format!("{{\"seconds\": {seconds}}}");
    let (status, _) = http::request(control(data), "POST", "/__world/advance", &body).unwrap();
    assert_eq!(status, 200);
}

/// The journal as it lies on the disk, its chain checked.
pub fn journal(data: &Path) -> Vec<StoredEvent> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Store::open(data, OpenOptions { read_only: true })
            .await
            .unwrap();
        let verification = store.verify(&[]).await.unwrap();
        assert!(
            matches!(verification, Verification::Verified { .. }),
            "{verification:?}"
        );
        let events = store.events_since(0).await.unwrap();
        store.close().await;
        events
    })
}
