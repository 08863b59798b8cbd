//! Risk by points, and approvals that prove who gave them (SEMANTICS 3).

use chrono::Duration;
use rstest::rstest;
use serde_json::{Value, json};

use crate::domain::act::Verb;
use crate::domain::event::{Body, Closing};
use crate::domain::policy::{ApprovalRule, Reversible, RiskClass};
use crate::domain::record::{Commit, RecordKind, Records};
use crate::domain::situation::{Refusal, RiskPoint, RiskView};
use crate::domain::testkit::*;

fn ready() -> World {
    let mut w = World::default();
    let rule = |count| ApprovalRule {
        of: vec!["service-owner".into(), "release-manager".into()],
        count,
    };
    w.policy.approvals.insert(RiskClass::Normal, rule(1));
    w.policy.approvals.insert(RiskClass::High, rule(2));
    w.act("seal", &[]).unwrap();
    w.act("tick/tests", &[]).unwrap();
    w
}

fn refused(w: &World) -> Option<Refusal> {
    let list = w.permit("deploy").err()?;
    list.into_iter().find(|r| r.rule.starts_with("approval/"))
}

fn risk(w: &World) -> RiskView {
    w.assess().clearance.risk.unwrap()
}

fn point(w: &World, id: &str) -> RiskPoint {
    risk(w).points.into_iter().find(|p| p.id == id).unwrap()
}

fn voids(w: &World) -> Vec<Option<String>> {
    let given = w.assess().clearance.approval.given;
    given.into_iter().map(|a| a.void).collect()
}

#[test]
fn a_role_holder_approves_at_their_own_login() {
    let mut w = ready();
    assert_eq!(w.assess().clearance.approval.mark.word, "needed");
    w.observed.session.actor = "kai".into();
    let p = w.permit("approve").unwrap();
    assert_eq!(p.inputs[0].default, "kai");
    w.act("approve", &[]).unwrap();
    assert_eq!(refused(&w), None);
    let shown = w.assess().clearance.approval;
    assert_eq!(shown.mark.word, "approved");
    assert_eq!(
        (shown.given[0].by.as_str(), shown.given[0].how.as_str()),
        ("kai", "os user")
    );
}

#[test]
fn another_name_is_by_word_and_says_who_took_it() {
    let mut w = ready();
    assert_eq!(
        w.permit("approve").unwrap().inputs[0].default,
        "",
        "the driver is not proposed"
    );
    w.act("approve", &[("by", "Kai")]).unwrap();
    let given = w.assess().clearance.approval.given;
    assert_eq!(given[0].how, "by word, taken by ana");
    assert_eq!(given[0].role, "service-owner");
}

/// Who sits at the keys, who asked for it, which name is typed, and the sentence.
#[rstest]
#[case("kai", None, "ana", "ana is the driver and may not approve")]
#[case("ana", None, "U-ana", "ana is the driver and may not approve")]
#[case("kai", None, "BEN", "ben is the author and may not approve")]
#[case(
    "kai",
    Some("kai"),
    "kai",
    "kai is the one who asks and may not approve"
)]
#[case(
    "lou",
    Some("kai"),
    "kai",
    "kai is the one who asks and may not approve"
)]
#[case(
    "kai",
    None,
    "eve",
    "eve has none of the roles service-owner, release-manager"
)]
fn who_may_not_approve_is_told_why(
    #[case] seat: &str,
    #[case] asker: Option<&str>,
    #[case] by: &str,
    #[case] why: &str,
) {
    let mut w = ready();
    if let Some(asker) = asker {
        w.observed.session.actor = asker.into();
        w.act("ask_approval", &[]).unwrap();
    }
    w.observed.session.actor = seat.into();
    let refusals = w.act("approve", &[("by", by)]).unwrap_err();
    assert_eq!(refusals[0].why, why);
    assert!(refused(&w).is_some());
}

#[test]
fn a_login_that_is_not_known_approves_nothing_in_its_own_name() {
    let mut w = ready();
    w.observed.session.actor = "kai".into();
    w.observed.session.known_by = "demo".into();
    let why = w.act("approve", &[("by", "kai")]).unwrap_err();
    assert_eq!(why[0].why, "kai is the one who asks and may not approve");
}

#[test]
fn those_who_may_are_asked_over_every_channel() {
    let mut w = ready();
    let p = w.permit("ask_approval").unwrap();
    assert!(
        p.effects
            .contains(&"kai, lou: asked over chat #releases".to_owned()),
        "{:?}",
        p.effects
    );
    w.act("ask_approval", &[("note", "before four, please")])
        .unwrap();
    let sent = w
        .vendors
        .done
        .iter()
        .find(|a| a.verb == Verb::PostMessage)
        .unwrap();
    let text = sent.args["text"].as_str().unwrap();
    for words in [
        "kai, lou: ana asks for 1 approval of Shop shop-47",
        "before four",
        "cockpit approve shop-47",
    ] {
        assert!(text.contains(words), "{text}");
    }
    let shown = w.assess().clearance.approval;
    assert_eq!(shown.mark.word, "asked");
    assert!(
        shown.said.contains("asked by ana at 14:00"),
        "{}",
        shown.said
    );
    w.restart();
    assert_eq!(w.assess().clearance.approval.mark.word, "asked");
    w.act("approve", &[("by", "kai")]).unwrap();
    let why = w.permit("ask_approval").unwrap_err();
    assert_eq!(why[0].why, "approved by kai");
}

#[test]
fn an_approval_ends_to_the_second() {
    let mut w = ready();
    w.set_now(at("2026-11-17T10:00:00+01:00"));
    w.read();
    w.act("approve", &[("by", "kai")]).unwrap();
    w.set_now(at("2026-11-17T13:59:59+01:00"));
    w.read();
    assert_eq!(refused(&w), None);
    w.set_now(at("2026-11-17T14:00:00+01:00"));
    w.read();
    let why = refused(&w).unwrap();
    assert!(
        why.why.contains("kai's does not count: expired 14:00"),
        "{}",
        why.why
    );
}

#[test]
fn what_changes_makes_it_void_and_says_so() {
    type Change = fn(&mut World);
    let changes: [(Change, &str); 5] = [
        (
            |w| w.policy.releases[0].changes[0].to = "2.14.1".into(),
            "other versions or another contract",
        ),
        (
            |w| w.policy.releases[0].environment = "staging".into(),
            "other versions or another contract",
        ),
        (
            |w| {
                let mut contract = crate::domain::contract::of(&w.policy, &w.policy.releases[0]);
                contract.gates.clear();
                w.append(Body::ContractSealed {
                    digest: "other".into(),
                    contract,
                });
            },
            "other versions or another contract",
        ),
        (
            |w| {
                let id = format!("artifact/checkout/{NEW}");
                let seen = w
                    .observed
                    .feeds
                    .get_mut(&id)
                    .unwrap()
                    .last
                    .as_mut()
                    .unwrap();
                let Records::Artifact(list) = &mut seen.records else {
                    panic!()
                };
                list[0].digest = Some("sha256:other".into());
            },
            "the image of checkout is another one by now",
        ),
        (
            |w| w.policy.releases[0].author = Some("kai".into()),
            "kai is the author",
        ),
    ];
    for (change, why) in changes {
        let mut w = ready();
        w.act("approve", &[("by", "kai")]).unwrap();
        assert_eq!(voids(&w), [None]);
        change(&mut w);
        assert!(
            voids(&w)[0].as_ref().is_some_and(|v| v.contains(why)),
            "{:?}",
            voids(&w)
        );
    }
}

fn with_records(list: Vec<Value>) -> World {
    let mut w = ready();
    let mut snow = w.policy.connections["git"].clone();
    snow.reads = [(
        "changes".to_owned(),
        crate::domain::policy::ReadOffer {
            kind: RecordKind::Change,
            every: 60,
        },
    )]
    .into();
    w.policy.connections.insert("snow".into(), snow);
    w.policy.approval_records = Some("snow".into());
    w.vendors.changes = list;
    w.read();
    w
}

fn record(changes: Value) -> Value {
    let mut record = json!({
        "id": "CHG0030192", "state": "approved", "by": "U-kai",
        "at": "2026-11-17 12:30:00", "release": RELEASE, "version": NEW,
    });
    for (key, value) in changes.as_object().unwrap() {
        record[key] = value.clone();
    }
    record
}

#[test]
fn a_vendors_record_approves_is_journaled_once_and_may_be_taken_back() {
    let mut w = with_records(vec![record(json!({}))]);
    w.minutes(1).unwrap();
    assert_eq!(refused(&w), None);
    let given = w.assess().clearance.approval.given;
    assert_eq!(given.len(), 1);
    assert_eq!(
        (given[0].by.as_str(), given[0].how.as_str()),
        ("kai", "change record CHG0030192 at snow")
    );
    assert_eq!(
        given[0].expires,
        at("2026-11-17T17:30:00+01:00"),
        "four hours after it was given there"
    );
    let event = w
        .events
        .iter()
        .rev()
        .find(|e| matches!(e.body, Body::Approved { .. }))
        .unwrap();
    assert_eq!(event.actor, "kai");
    w.minutes(3).unwrap();
    assert_eq!(w.assess().clearance.approval.given.len(), 1);
    // Another version is not what was approved, and the record does not approve it by itself.
    let mut other = w.clone();
    other.policy.releases[0].changes[0].to = "2.14.1".into();
    other.minutes(2).unwrap();
    assert!(refused(&other).is_some());
    w.vendors.changes = vec![record(json!({"state": "rejected"}))];
    w.minutes(1).unwrap();
    assert!(
        refused(&w)
            .unwrap()
            .why
            .contains("CHG0030192 was rejected since")
    );
}

#[rstest]
#[case(json!({"state": "requested"}), "CHG0030192 requested by kai")]
#[case(json!({"state": "rejected"}), "CHG0030192 rejected by kai")]
#[case(json!({"by": "stranger"}), "nobody in [people] has that vendor name")]
#[case(json!({"by": null}), "by nobody it names")]
#[case(json!({"by": "U-ben"}), "is the author")]
#[case(json!({"at": null}), "does not say when")]
#[case(json!({"at": "yesterday"}), "does not say when")]
#[case(json!({"at": "2026-11-17T08:59:59Z"}), "expired")]
#[case(json!({"version": "2.13.0"}), "no record of shop-47")]
#[case(json!({"release": "shop-46"}), "no record of shop-47")]
fn a_record_that_does_not_count_says_why(#[case] changed: Value, #[case] why: &str) {
    let mut w = with_records(vec![record(changed)]);
    w.minutes(1).unwrap();
    assert!(refused(&w).is_some());
    let a = w.assess().clearance.approval;
    assert!(a.given.is_empty(), "{:?}", a.given);
    assert!(a.records[0].contains(why), "{:?}", a.records);
}

#[test]
fn records_that_are_stale_approve_nothing() {
    let mut w = with_records(vec![record(json!({}))]);
    w.silent = vec!["approvals/".into()];
    for _ in 0..3 {
        w.quiet_minute();
    }
    w.engine().unwrap();
    assert!(refused(&w).is_some());
    assert_eq!(
        w.assess().clearance.approval.records,
        ["snow: approvals are stale"]
    );
}

#[test]
fn points_are_named_and_add_up() {
    let w = ready();
    let r = risk(&w);
    let ids: Vec<&str> = r.points.iter().map(|p| p.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "commits",
            "files",
            "paths",
            "idle",
            "failed",
            "window",
            "conflicts",
            "irreversible",
            "late",
            "holiday"
        ]
    );
    assert_eq!(r.total, r.points.iter().map(|p| p.points).sum::<u32>());
    assert_eq!(point(&w, "commits").said, "1 commits");
    assert_eq!(point(&w, "idle").said, "3 d, checkout");
    assert!(point(&w, "failed").said.contains("0/0 (0–100 %"));
    assert_eq!(point(&w, "window").said, "1 h 55 m");
    let proof = &w.assess().evidence["risk"].lines;
    assert!(
        proof.len() > ids.len() && proof[0].1.starts_with("normal"),
        "{proof:?}"
    );
}

#[rstest]
#[case("commits", |w: &mut World| w.vendors.commits = vec![Commit { paths: vec!["a".into()], ..Commit::default() }; 20], 1, "20 commits")]
#[case("files", |w: &mut World| w.vendors.commits[0].paths = (0..100).map(|n| format!("src/{n}")).collect(), 1, "100 files")]
#[case("files", |w: &mut World| w.vendors.commits[0].paths.clear(), 1, "does not say which files")]
#[case("paths", |w: &mut World| w.vendors.commits[0].paths.push("migrations/0042.up".into()), 2, "migrations/0042.up")]
#[case("commits", |w: &mut World| w.policy.services[0].commits = None, 1, "set commits of service checkout")]
#[case("idle", |w: &mut World| { let d = w.record("checkout"); d.finished_at = Some(tuesday() - Duration::days(31)); }, 1, "31 d, checkout")]
#[case("irreversible", |w: &mut World| w.policy.releases[0].changes[0].reversible = Reversible::No, 3, "checkout")]
#[case("late", |w: &mut World| w.policy.releases[0].planned = Some(at("2026-11-20T14:00:00+01:00")), 1, "Fri")]
#[case("window", |w: &mut World| w.policy.releases[0].planned = Some(at("2026-11-17T15:30:00+01:00")), 1, "25 m")]
#[case("window", |w: &mut World| w.policy.releases[0].planned = Some(at("2026-11-21T15:30:00+01:00")), 1, "closed at its start")]
#[case("conflicts", |w: &mut World| w.policy.releases.push(release("other", vec![change("checkout", "3.0.0")])), 2, "")]
fn each_point_has_its_reason(
    #[case] id: &str,
    #[case] change: fn(&mut World),
    #[case] points: u32,
    #[case] said: &str,
) {
    let mut w = ready();
    let before = point(&w, id).points;
    change(&mut w);
    w.read();
    let p = point(&w, id);
    assert_eq!((before, p.points), (0, points), "{p:?}");
    assert!(p.said.contains(said), "{p:?}");
}

#[test]
fn a_service_that_fails_often_is_counted_with_its_interval() {
    let mut w = ready();
    for n in 0..5 {
        let id = format!("old-{n}");
        w.append_for(
            Some(&id),
            Body::DeploymentSeen {
                service: "checkout".into(),
                environment: "production".into(),
                version: format!("1.{n}"),
                state: crate::domain::record::DeployState::Succeeded,
                step: None,
                steps: None,
                weight: None,
                started_at: None,
            },
        );
        let closing = if n == 0 {
            Closing::RolledBack
        } else {
            Closing::Shipped
        };
        w.append_for(
            Some(&id),
            Body::ReleaseClosed {
                closing,
                detail: String::new(),
            },
        );
    }
    let p = point(&w, "failed");
    assert_eq!((p.points, p.known), (2, true));
    assert_eq!(p.said, "1/5 (4–62 % by a 95 % interval)");
    w.policy.risk.often_failed = 20;
    assert_eq!(point(&w, "failed").points, 0, "20 % is not above 20 %");
}

#[rstest]
#[case(RiskClass::Low, 0, RiskClass::Low)]
#[case(RiskClass::Low, 3, RiskClass::Normal)]
#[case(RiskClass::Low, 8, RiskClass::High)]
#[case(RiskClass::Normal, 0, RiskClass::Normal)]
#[case(RiskClass::High, 0, RiskClass::High)]
#[case(RiskClass::Normal, 8, RiskClass::High)]
fn a_declared_class_raises_and_never_lowers(
    #[case] declared: RiskClass,
    #[case] points: u32,
    #[case] class: RiskClass,
) {
    let mut w = ready();
    w.policy.releases[0].risk = declared;
    // The sum is set by one line alone.
    let table = &mut w.policy.risk;
    (table.unknown, table.irreversible) = (0, points);
    w.policy.releases[0].changes[0].reversible = Reversible::No;
    assert_eq!(risk(&w).total, points);
    assert_eq!(risk(&w).class, class);
    if class == RiskClass::High {
        assert!(
            refused(&w)
                .unwrap()
                .why
                .starts_with("class high needs 2 approvals")
        );
    }
}

#[test]
fn the_class_is_kept_as_the_deployment_begins_and_lengthens_the_watch() {
    let mut w = ready();
    w.policy.risk.high_from = 1;
    for by in ["kai", "lou"] {
        w.act("approve", &[("by", by)]).unwrap();
    }
    w.start_only();
    w.minutes(1).unwrap();
    let kept: Vec<_> = w
        .events
        .iter()
        .filter(|e| matches!(e.body, Body::RiskJudged { .. }))
        .collect();
    assert_eq!(kept.len(), 1);
    w.policy.risk.high_from = 100;
    assert_eq!(risk(&w).class, RiskClass::High, "as it was");
    assert!(risk(&w).kept.iter().any(|p| p.starts_with("failed share")));
    w.restart();
    assert_eq!(risk(&w).class, RiskClass::High);
    for _ in 0..2 {
        w.minutes(12).unwrap();
        w.act("promote", &[]).unwrap();
        w.engine().unwrap();
    }
    let watch = w.assess().watch.unwrap();
    assert_eq!((watch.until - watch.since).num_hours(), 72);
}
