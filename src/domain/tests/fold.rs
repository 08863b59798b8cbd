//! The fold: duplicates change nothing, every kind of event survives JSON, and its format does not drift unseen.

use std::collections::BTreeMap;

use crate::domain::act::{Act, Outcome, Receipt, Verb};
use crate::domain::contract;
use crate::domain::event::*;
use crate::domain::journal::{Journal, sentence};
use crate::domain::policy::Section;
use crate::domain::record::DeployState;
use crate::domain::testkit::*;
use crate::domain::verdict::Verdict;

fn act() -> Act {
    Act {
        id: "a1".into(),
        connection: "cd".into(),
        verb: Verb::Rollback,
        args: BTreeMap::from([("version".to_owned(), OLD.into())]),
        release: Some(RELEASE.into()),
        service: Some("checkout".into()),
        environment: Some("production".into()),
        reason: "it hurts".into(),
        summary: "roll checkout back".into(),
    }
}

fn plan() -> Plan {
    let step = |id: &str, kind| PlanStep {
        id: id.into(),
        service: "checkout".into(),
        environment: "production".into(),
        kind,
        title: id.into(),
    };
    let act = act();
    Plan {
        id: "rollback/shop-47/1".into(),
        release: RELEASE.into(),
        reason: "it hurts".into(),
        tripped_at: Some(tuesday()),
        steps: vec![
            step("hold", StepKind::Hold { act: act.clone() }),
            step(
                "back",
                StepKind::Act {
                    act: act.clone(),
                    from: NEW.into(),
                    to: OLD.into(),
                },
            ),
            step(
                "live",
                StepKind::AwaitVersion {
                    version: OLD.into(),
                },
            ),
            step("clear", StepKind::AwaitClear),
            step(
                "restore",
                StepKind::Restore {
                    act,
                    bad: NEW.into(),
                },
            ),
        ],
    }
}

fn measured() -> Vec<Measured> {
    vec![Measured {
        metric: "error_rate".into(),
        verdict: Verdict::undecided("little traffic", 12),
        said: "3/12 against 1/12".into(),
    }]
}

/// One of every kind.
fn bodies() -> Vec<Body> {
    let p = policy();
    let t = tuesday();
    let s = str::to_owned;
    let sealed = contract::of(&p, &p.releases[0]);
    vec![
        Body::PolicyLoaded {
            digest: s("d"),
            changes: vec![s("window gone")],
        },
        Body::ReleasePlanned {
            plan: p.releases[0].clone(),
        },
        Body::ContractSealed {
            digest: s("d"),
            contract: sealed,
        },
        Body::DriverTook { driver: s("ana") },
        Body::Ticked {
            item: s("tests"),
            note: s("run 81"),
        },
        Body::Unticked {
            item: s("tests"),
            why: s("again"),
        },
        Body::Waived {
            item: s("ci"),
            reason: s("down"),
            due: t,
        },
        Body::SectionKept {
            section: Section::PreDeploy,
            evidence: BTreeMap::from([(s("tests"), s("done: ana"))]),
        },
        Body::Approved {
            by: s("kai"),
            role: s("service-owner"),
            digest: s("d"),
            expires: t,
            how: s("by word, taken by ana"),
            record: Some(s("CHG1")),
            images: BTreeMap::from([(s("checkout"), s("sha256:1"))]),
        },
        Body::ApprovalAsked {
            of: vec![s("service-owner")],
            count: 1,
            digest: s("d"),
            note: s("today"),
        },
        Body::RiskJudged {
            class: crate::domain::policy::RiskClass::High,
            total: 9,
            points: vec![s("holidays: Christmas (1)")],
        },
        Body::OverrideAsked {
            rule: s("freeze/x"),
            reason: s("r"),
            until: t,
            may: vec![s("lou")],
        },
        Body::OverrideDropped {
            rule: s("freeze/x"),
            by: s("lou"),
            why: s("not today"),
        },
        Body::FreezeCrossed {
            freeze: s("x"),
            by: s("rollback/shop-47/1"),
        },
        Body::Overridden {
            rule: s("freeze/x"),
            reason: s("r"),
            expires: t,
            second: Some(s("lou")),
            second_known_by: Some(s("os user")),
            asked_by: Some(s("ana")),
            break_glass: true,
        },
        Body::Accepted {
            subject: s("gate/checkout/step/1"),
            reason: s("r"),
            n: 12,
            smallest_visible: Some(2.5),
            due: t,
        },
        Body::Intended { act: act() },
        Body::Concluded {
            act: s("a1"),
            outcome: Outcome::Confirmed {
                receipt: Receipt {
                    id: Some(s("81")),
                    url: None,
                    fields: BTreeMap::from([(s("ts"), s("1.5").into())]),
                },
            },
        },
        Body::Concluded {
            act: s("a1"),
            outcome: Outcome::Refused { why: s("no") },
        },
        Body::Concluded {
            act: s("a1"),
            outcome: Outcome::Unknown { why: s("timeout") },
        },
        Body::Briefed {
            level: 1,
            person: s("kai"),
            channel: s("chat #releases"),
            act: s("a2"),
        },
        Body::Acknowledged {
            person: s("kai"),
            how: s("reaction"),
        },
        Body::Escalated {
            level: Some(2),
            person: s("lou"),
        },
        Body::Escalated {
            level: None,
            person: s("lou"),
        },
        Body::DeploymentSeen {
            service: s("checkout"),
            environment: s("production"),
            version: s(NEW),
            state: DeployState::Paused,
            step: Some(1),
            steps: Some(3),
            weight: Some(12.5),
            started_at: Some(t),
        },
        Body::EarnedHealthy {
            service: s("checkout"),
            environment: s("production"),
            version: s(NEW),
            revision: Some(s("c0ffee00")),
        },
        Body::GateJudged {
            service: s("checkout"),
            gate: s("step"),
            step: 1,
            verdict: Verdict::Pass,
            measured: measured(),
        },
        Body::TriggerTripped {
            service: s("checkout"),
            trigger: s("t"),
            said: s("2.4×"),
        },
        Body::TriggerCleared {
            service: s("checkout"),
            trigger: s("t"),
        },
        Body::CountdownCancelled {
            service: s("checkout"),
            trigger: s("t"),
        },
        Body::PlanStarted { plan: plan() },
        Body::PlanStepped {
            plan: s("rollback/shop-47/1"),
            step: s("hold"),
            state: StepState::Deferred,
            detail: s("later"),
        },
        Body::PlanEnded {
            plan: s("rollback/shop-47/1"),
            done: true,
            detail: s("fine"),
            trip_to_request: Some(30),
            to_live: Some(90),
            to_clear: None,
        },
        Body::DebtIncurred {
            debt: Debt {
                id: s("x"),
                what: s("w"),
                owner: s("ana"),
                due: t,
                release: None,
            },
        },
        Body::DebtSettled {
            debt: s("x"),
            how: s("done"),
        },
        Body::DebtHanded {
            debt: s("x"),
            to: s("lou"),
            due: t,
        },
        Body::CheckpointTaken {
            after: 300,
            late: true,
            measured: BTreeMap::from([(s("checkout"), measured())]),
            verdict: Verdict::not_run("never read"),
        },
        Body::WatchEnded {
            verdict: Verdict::undecided("T+4 h undecided", 4),
            superseded_by: Some("checkout 2.15.0 at 2026-11-17 18:00 UTC".into()),
            detail: "superseded; so far 2 of 5 checkpoints passed".into(),
        },
        Body::Reviewed {
            by: "ben".into(),
            how: "by word, taken by ana".into(),
            found: "the cache needs a warm-up".into(),
            document: Some("0f".repeat(32)),
        },
        Body::IncidentDeclared {
            title: s("baskets"),
            act: Some(s("a3")),
        },
        Body::HandoffGiven {
            id: s("h1"),
            to: s("lou"),
            since: t,
            items: vec![HandoffItem {
                id: s("debt/x"),
                text: s("w"),
            }],
            head: s("7 abc"),
        },
        Body::HandoffTaken {
            id: s("h1"),
            item: s("debt/x"),
        },
        Body::ReleaseClosed {
            closing: Closing::ShippedUnproven,
            detail: s("quiet"),
        },
        Body::Noted { text: s("hello") },
        Body::LineStopped {
            environment: s("production"),
            reason: s("r"),
            acts: BTreeMap::from([(s("checkout"), s("line/1"))]),
            cannot: BTreeMap::from([(s("payments"), s("connector git cannot pause"))]),
        },
        Body::LineLetGo {
            environment: s("production"),
            how: s("mended"),
        },
        Body::Attached {
            service: s("checkout"),
            environment: s("production"),
            version: s("2.99.0"),
            from: Some(s("2.13.9")),
            planned: None,
        },
        Body::ChangeTaken {
            name: s("freeze/x"),
            digest: s("d"),
            reason: s("r"),
        },
    ]
}

#[test]
fn every_kind_survives_json_and_has_a_sentence() {
    let mut kinds = std::collections::BTreeSet::new();
    for body in bodies() {
        let text = serde_json::to_string(&body).unwrap();
        let back: Body = serde_json::from_str(&text).unwrap();
        assert_eq!(back, body, "{text}");
        assert!(
            text.starts_with(&format!("{{\"kind\":\"{}\"", body.kind())),
            "{text}"
        );
        assert!(!sentence(&body).0.is_empty());
        kinds.insert(body.kind());
    }
    assert_eq!(kinds.len(), 45, "one of every kind");
}

#[test]
fn the_format_of_every_kind_is_on_record() {
    let lines: Vec<String> = bodies()
        .iter()
        .map(|b| serde_json::to_string(b).unwrap())
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

/// As they were written before they gained fields.
#[test]
fn earlier_approvals_and_overrides_still_read() {
    let mut w = World::default();
    for text in [
        r#"{"kind":"approved","by":"kai","role":"service-owner","digest":"d","expires":"2026-11-17T16:00:00Z"}"#,
        r#"{"kind":"overridden","rule":"freeze/x","reason":"r","expires":"2026-11-17T16:00:00Z","second":"lou"}"#,
    ] {
        w.append(serde_json::from_str(text).unwrap());
    }
    let state = w.journal.release(RELEASE).unwrap();
    assert_eq!(
        state.approvals[0].how, "os user",
        "as the event's author was known"
    );
    let o = &state.overrides["freeze/x"];
    assert_eq!((o.by.as_str(), o.break_glass), ("ana", false));
    assert_eq!(o.second, Some(("lou".into(), "by word".into())));
}

#[test]
fn a_kind_that_this_program_does_not_know_is_an_error_not_a_guess() {
    assert!(serde_json::from_str::<Body>(r#"{"kind":"teleported","to":"mars"}"#).is_err());
}

#[test]
fn folding_an_event_again_changes_nothing() {
    let mut w = World::deployed();
    w.minutes(10).unwrap();
    let mut twice = Journal::default();
    for event in &w.events {
        twice.apply(event.clone());
        twice.apply(event.clone());
    }
    assert_eq!(twice, w.journal);
    assert_eq!(w.journal.head.0, w.events.len() as u64);
}

#[test]
fn orphans_do_no_harm() {
    let mut w = World::default();
    for body in bodies().into_iter().rev() {
        w.append(body.clone());
        w.append_for(None, body.clone());
        w.append_for(Some("never planned"), body);
    }
    let s = w.assess();
    assert_eq!(s.journal.len(), (bodies().len() * 3 + 2).min(300));
}

#[test]
fn times_of_a_deployment_come_from_what_was_seen() {
    let mut w = World::shipped();
    let track = w.journal.release(RELEASE).unwrap().tracks["checkout"].clone();
    assert_eq!(track.reached.len(), 3, "{:?}", track.reached);
    assert!(track.finished.is_some());
    assert_eq!(w.journal.lengths["checkout"], [24 * 60]);
    w.record("checkout").state = DeployState::Unknown;
    w.minutes(1).unwrap();
    let after = w.journal.release(RELEASE).unwrap().tracks["checkout"].clone();
    assert_eq!(
        after.finished, track.finished,
        "a word nobody knows undoes nothing"
    );
}
