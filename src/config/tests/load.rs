//! A file with every section becomes the policy it describes.

use super::connectors;
use crate::config::load;
use crate::domain::diag::Diag;
use crate::domain::policy::*;
use crate::domain::recur::Schedule;
use crate::domain::secret::SecretRef;
use crate::domain::window::{RollbackUnder, Strength};

const FULL: &str = include_str!("full.toml");

fn full() -> (Policy, Vec<Diag>) {
    load(FULL, "shop/cockpit.toml", &connectors()).unwrap_or_else(|diags| {
        panic!(
            "{}",
            diags.iter().map(|d| format!("{d}\n")).collect::<String>()
        )
    })
}

#[test]
fn a_full_file_loads_without_a_warning() {
    let (policy, warnings) = full();
    assert_eq!(warnings, vec![]);
    assert_eq!(policy.title, "Shop");
    assert_eq!(policy.timezone, chrono_tz::Europe::Berlin);
    assert_eq!(policy.digest.len(), 64);
    assert_eq!(policy.limits.presence, 1200);
    assert_eq!(policy.limits.watch, 86_400);
    assert_eq!(
        policy.keys.get("ctrl-r").map(String::as_str),
        Some("rollback")
    );
}

#[test]
fn environments_keep_the_order_of_the_file() {
    let names: Vec<String> = full().0.environments.into_iter().map(|e| e.name).collect();
    assert_eq!(names, ["staging", "production", "disaster"]);
}

#[test]
fn secrets_stay_references() {
    let policy = full().0;
    let setting = |c: &str, s: &str| {
        policy
            .connections
            .get(c)
            .and_then(|c| c.settings.get(s))
            .cloned()
    };
    assert_eq!(
        setting("argo", "token"),
        Some(Setting::Secret(SecretRef::Env("ARGO_TOKEN".into())))
    );
    assert_eq!(
        setting("holidays", "url"),
        Some(Setting::Secret(SecretRef::Env("CALENDAR_URL".into())))
    );
    assert_eq!(
        setting("prom", "url"),
        Some(Setting::Text("http://prometheus.internal:9090".into()))
    );
    assert_eq!(
        policy.connections.get("prom").and_then(|c| c.every),
        Some(20)
    );
}

#[test]
fn metrics_get_the_unit_of_their_kind() {
    let policy = full().0;
    let rate = policy.metric("error_rate").unwrap();
    assert_eq!(
        (rate.unit, rate.every, rate.shared_noise, rate.separable()),
        (Unit::Percent, 15, true, true)
    );
    assert_eq!(rate.service_label, "app");
    assert!(rate.numerator.as_deref().unwrap().starts_with("sum by"));
    assert_eq!(policy.metric("p95").unwrap().unit, Unit::Seconds);
}

#[test]
fn a_service_takes_the_defaults_and_its_own() {
    let policy = full().0;
    let checkout = policy.service("checkout").unwrap();
    assert_eq!(checkout.deployments.as_deref(), Some("argo"));
    assert_eq!(checkout.slo.get("p95"), Some(&0.6));
    assert_eq!(checkout.slo.get("error_rate"), Some(&0.01));
    let args = checkout.args("production");
    assert_eq!(
        args.get("application").map(String::as_str),
        Some("shop-checkout-prod")
    );
    assert_eq!(args.get("replicas").map(String::as_str), Some("3"));
    assert_eq!(args.get("project").map(String::as_str), Some("shop"));
    assert_eq!(
        checkout
            .args("staging")
            .get("application")
            .map(String::as_str),
        Some("shop-checkout")
    );
    assert_eq!(checkout.irreversible, ["**/migrations/**"]);
}

#[test]
fn own_gates_and_triggers_replace_the_defaults_and_the_shipped_stand_beside() {
    let policy = full().0;
    let ids = |s: &str| {
        policy
            .service(s)
            .unwrap()
            .triggers
            .iter()
            .map(|t| t.id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids("checkout"),
        [
            "conversion<0.8x baseline",
            "p95>slo",
            "error_rate>5x baseline"
        ]
    );
    assert_eq!(
        ids("payments"),
        [
            "error_rate>2x baseline",
            "error_rate>5x baseline",
            "p95>slo"
        ]
    );
    let checkout = policy.service("checkout").unwrap();
    let [gate] = checkout.gates.as_slice() else {
        panic!()
    };
    assert_eq!(
        (gate.id.as_str(), gate.after, gate.tolerance, gate.critical),
        ("40%", After::Percent(40.0), 2.0, false)
    );
    assert_eq!(
        policy.service("payments").unwrap().gates[0].metrics,
        ["error_rate", "p95"]
    );
    let own = &checkout.triggers[0];
    assert_eq!(
        (own.above, own.limit, own.window, own.hold_for, own.then),
        (false, Limit::Baseline(0.8), 600, 300, Then::Automatic)
    );
    let shipped = &checkout.triggers[2];
    assert_eq!(
        (
            shipped.limit,
            shipped.window,
            shipped.hold_for,
            shipped.then
        ),
        (Limit::Baseline(5.0), 60, 60, Then::Propose)
    );
    assert_eq!(checkout.triggers[1].hold_for, 300);
}

#[test]
fn windows_and_freezes_take_every_shape() {
    let policy = full().0;
    assert!(matches!(
        policy.windows[0].schedule,
        Schedule::Weekly { .. }
    ));
    assert!(matches!(policy.windows[1].schedule, Schedule::Cron { .. }));
    assert_eq!(policy.windows[1].timezone, chrono_tz::America::New_York);
    assert!(matches!(policy.freezes[0].schedule, Schedule::Once { .. }));
    assert_eq!(
        (policy.freezes[0].strength, policy.freezes[0].rollback),
        (Strength::Hard, RollbackUnder::Override)
    );
    assert_eq!(policy.freezes[0].except, ["security", "hotfix"]);
    let Schedule::Rrule(rule) = &policy.freezes[1].schedule else {
        panic!()
    };
    assert_eq!(rule.rules, ["FREQ=MONTHLY;BYDAY=-1FR"]);
    assert_eq!(rule.except.len(), 1);
    assert_eq!(policy.calendars[0].rules.len(), 2);
}

#[test]
fn people_checklist_oncall_and_releases() {
    let policy = full().0;
    assert_eq!(policy.people.get("ben").unwrap().os, ["ben", "bwinter"]);
    assert_eq!(policy.approvals.get(&RiskClass::High).unwrap().count, 1);
    let list: Vec<(&str, u64)> = policy
        .checklist
        .iter()
        .map(|i| (i.id.as_str(), i.shelf_life))
        .collect();
    assert_eq!(
        list,
        [
            ("tests-green", 2_592_000),
            ("rollback-rehearsed", 2_592_000),
            ("smoke-test", 300),
            ("support", 7_200)
        ]
    );
    assert_eq!(policy.oncall.ack_within, 240);
    assert_eq!(policy.notify.channels.len(), 1);
    assert_eq!(policy.notify.on, [Notice::Checkpoint, Notice::End]);
    assert_eq!(
        policy.oncall.rotations[0].start.to_rfc3339(),
        "2026-11-02T08:00:00+00:00"
    );
    let release = policy.release("2026.47").unwrap();
    assert_eq!(
        release.planned.unwrap().to_rfc3339(),
        "2026-11-25T09:00:00+00:00"
    );
    assert_eq!(
        release.changes[1].reversible,
        Reversible::Until("the old table is dropped".into())
    );
    assert_eq!(release.changes[0].reversible, Reversible::Undeclared);
}
