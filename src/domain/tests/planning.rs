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

fn planned(others: Vec<crate::domain::policy::Release>) -> Vec<String> {
    let mut p = policy();
    p.releases.extend(others);
    let w = World::new(p);
    w.assess().calendar.conflicts
}

fn at_minute(
    id: &str,
    service: &str,
    minutes: i64,
    driver: &str,
) -> crate::domain::policy::Release {
    let mut r = release(id, vec![change(service, "9.0.0")]);
    r.planned = Some(tuesday() + Duration::minutes(minutes));
    r.driver = Some(driver.into());
    r
}

#[test]
fn conflicts_name_both_parties_and_the_way_out() {
    assert!(planned(Vec::new()).is_empty());
    let same = planned(vec![at_minute("b", "checkout", 20, "lou")]);
    assert_eq!(same.len(), 1, "{same:?}");
    assert!(same[0].contains("checkout is in shop-47 and in b") && same[0].contains("move"));
    assert!(planned(vec![at_minute("b", "checkout", 300, "lou")]).is_empty());
    // 30 min + 5 min gate + 30 min presence, and half an hour after.
    let soon = planned(vec![at_minute("b", "payments", 90, "lou")]);
    assert_eq!(soon.len(), 1, "{soon:?}");
    assert!(soon[0].contains("checkout of shop-47 depends on payments, which b releases"));
    assert!(planned(vec![at_minute("b", "payments", 96, "lou")]).is_empty());
    let mut elsewhere = at_minute("b", "checkout", 20, "lou");
    elsewhere.environment = "staging".into();
    assert!(planned(vec![elsewhere]).is_empty());
    let mut one = at_minute("b", "checkout", 20, "ana");
    one.environment = "staging".into();
    let one = planned(vec![one]);
    assert!(one[0].contains("ana drives shop-47 and b"), "{one:?}");
}

#[test]
fn a_release_that_meets_a_freeze_is_a_conflict() {
    let mut p = policy();
    p.freezes = vec![freeze(
        "quarter end",
        "2026-11-17T14:30:00",
        "2026-11-19T00:00:00",
    )];
    let w = World::new(p);
    let found = w.assess().calendar.conflicts;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("shop-47 meets freeze quarter end at 14:30"),
        "{found:?}"
    );
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
