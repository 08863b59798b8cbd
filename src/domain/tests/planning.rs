//! Needs, conflicts and the calendar pane.

use std::collections::BTreeSet;

use chrono::Duration;

use crate::domain::needs::{BLOCK, needs};
use crate::domain::observe::Subject;
use crate::domain::testkit::*;

fn ids(w: &World) -> Vec<String> {
    let list = needs(&w.policy, &w.journal, w.now);
    list.into_iter().map(|n| n.id).collect()
}

#[test]
fn needs_are_stable_unique_and_ask_only_what_a_connection_has() {
    let mut w = World::deployed();
    let all = ids(&w);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    w.set_now(w.now.world + Duration::minutes(7));
    assert_eq!(ids(&w), all, "time alone changes no id");
    for need in needs(&w.policy, &w.journal, w.now) {
        let connection = &w.policy.connections[&need.call.connection];
        assert_eq!(
            connection.reads[&need.call.read].kind, need.kind,
            "{}",
            need.id
        );
    }
    for c in w.policy.connections.values_mut() {
        c.reads.clear();
    }
    assert!(ids(&w).is_empty());
}

#[test]
fn history_only_with_an_open_release_and_live_buckets_as_far_as_it_wants() {
    let mut w = World::deployed();
    let long = |w: &World| {
        let list = needs(&w.policy, &w.journal, w.now);
        let live = list.iter().filter_map(|n| match n.subject {
            Subject::Metric { step: 60, .. } => n.call.lookback.map(|l| l.seconds),
            _ => None,
        });
        let blocks = |n: &&crate::domain::observe::Need| matches!(n.subject, Subject::Metric { step, .. } if step == BLOCK);
        (live.max().unwrap(), list.iter().filter(blocks).count())
    };
    assert_eq!(long(&w), (7200, 3));
    w.set_now(w.now.world + Duration::hours(5));
    assert_eq!(long(&w), (7 * 3600, 3));
    w.set_now(w.now.world + Duration::days(9));
    assert_eq!(long(&w).0, 74 * 3600, "never more than the longest watch");
    w.policy.releases.clear();
    assert_eq!(long(&w), (7200, 0));
}

/// Live buckets reach back to the deployment: a span that grows by the second is no reason to read all of it again.
#[test]
fn the_oldest_bucket_stands_still_while_a_watch_grows_older() {
    let mut w = World::deployed();
    let oldest = |w: &World| -> Vec<i64> {
        let list = needs(&w.policy, &w.journal, w.now);
        let spans = list.iter().filter_map(|n| n.call.lookback);
        let now = w.now.world.timestamp();
        spans.map(|l| l.oldest(now)).collect()
    };
    let first = oldest(&w);
    assert!(!first.is_empty());
    for _ in 0..13 {
        w.set_now(w.now.world + Duration::seconds(7));
        assert_eq!(oldest(&w), first);
    }
}

#[test]
fn the_image_that_a_rollback_wants_is_asked_for() {
    let mut w = World::default();
    w.policy.releases[0].changes[0].from = Some("2.13.10".into());
    let all = ids(&w);
    for version in [NEW, "2.13.10", OLD] {
        assert!(
            all.contains(&format!("artifact/checkout/{version}")),
            "{version}: {all:?}"
        );
    }
}

#[test]
fn the_pane_says_what_comes_next() {
    let w = World::default();
    let c = w.assess().calendar;
    assert_eq!(c.state.word, "open");
    let (when, what) = c.next.unwrap();
    assert_eq!(
        (when, what.as_str()),
        (at("2026-11-17T17:00:00+01:00"), "window closes")
    );
    assert_eq!(
        c.strip.first().unwrap().span.start,
        at("2026-11-17T00:00:00+01:00")
    );
    assert_eq!(c.releases[0].id, RELEASE);
}
