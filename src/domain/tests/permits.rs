//! Laws 3, 5 and 6: what is asked before an act, how a refusal reads, and which debts are left.

use chrono::Duration;
use rstest::rstest;

use crate::domain::contract;
use crate::domain::event::Body;
use crate::domain::policy::{ApprovalRule, Check, Purpose, RiskClass, Section};
use crate::domain::situation::{Permission, Task};
use crate::domain::testkit::*;

fn ready() -> World {
    let mut w = World::default();
    w.act("seal", &[]).unwrap();
    w.act("tick/tests", &[]).unwrap();
    w
}

fn rules(list: &[crate::domain::situation::Refusal]) -> Vec<&str> {
    list.iter().map(|r| r.rule.as_str()).collect()
}

#[test]
fn an_act_is_refused_when_anything_moved_since_the_dialog() {
    let mut w = ready();
    let request = w.request("deploy", &[]);
    assert!(w.decide(&request).is_ok());
    type Change = fn(&mut crate::domain::record::Deployment);
    let changes: [Change; 4] = [
        |d| d.version = "2.13.8".into(),
        |d| d.revision = Some("moved".into()),
        |d| d.auto_sync = Some(false),
        |d| d.desired = Some("x".into()),
    ];
    for (i, change) in changes.iter().enumerate() {
        let mut w = w.clone();
        change(w.record("checkout"));
        w.read();
        let why = w.decide(&request).unwrap_err();
        assert_eq!(rules(&why), ["moved"], "{i}");
    }
    // The permit is judged again, not only its digest.
    w.set_now(at("2026-11-17T18:00:00+01:00"));
    w.read();
    assert!(rules(&w.decide(&request).unwrap_err()).contains(&"window/office hours"));
}

#[test]
fn the_typed_word_and_every_input_are_wanted() {
    let mut w = ready();
    let mut request = w.request("deploy", &[]);
    assert_eq!(request.inputs["typed"], "checkout");
    for wrong in ["", "Checkout", "checkout "] {
        request.inputs.insert("typed".into(), wrong.into());
        assert_eq!(
            rules(&w.decide(&request).unwrap_err()),
            ["typed"],
            "{wrong:?}"
        );
    }
    w.start_only();
    let mut request = w.request("rollback", &[]);
    request.inputs.insert("reason".into(), "  ".into());
    assert_eq!(rules(&w.decide(&request).unwrap_err()), ["input"]);
    assert_eq!(
        rules(&w.decide(&w.request("nonsense", &[])).unwrap_err()),
        ["action"]
    );
}

#[test]
fn dangerous_permits_name_what_changes() {
    let mut w = ready();
    let p = w.permit("deploy").unwrap();
    assert_eq!((p.from.as_deref(), p.to.as_deref()), (Some(OLD), Some(NEW)));
    w.start_only();
    w.minutes(1).unwrap();
    for key in ["rollback", "abort"] {
        let p = w.permit(key).unwrap();
        assert_eq!(
            (p.from.as_deref(), p.to.as_deref()),
            (Some(NEW), Some(OLD)),
            "{key}"
        );
        assert_eq!(p.typed.as_deref(), Some("checkout"));
        assert!(!p.effects.is_empty() && p.environment.as_deref() == Some("production"));
    }
}

#[test]
fn every_refusal_of_every_world_has_a_rule_and_a_reason() {
    let mut worlds = vec![
        World::default(),
        World::deployed(),
        World::shipped(),
        ready(),
    ];
    let mut dark = World::default();
    dark.observed.feeds.clear();
    worlds.push(dark);
    let mut night = ready();
    night.policy.freezes = vec![freeze("quarter end", "2026-11-16", "2026-11-19")];
    night.compile();
    worlds.push(night);
    for w in worlds {
        for (key, permission) in w.assess().permits {
            if let Permission::Refused(list) = permission {
                assert!(!list.is_empty(), "{key}");
                for r in list {
                    assert!(!r.rule.is_empty() && !r.why.is_empty(), "{key}: {r:?}");
                    if r.rule.starts_with("freeze/") || r.rule.starts_with("window/") {
                        assert!(r.until.is_some() && r.owner.is_some(), "{key}: {r:?}");
                        assert!(r.way_out.is_some(), "{key}: {r:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn rollback_abort_and_pause_pass_window_freeze_cover_brief_approval_and_checklist() {
    let mut w = World::deployed();
    w.minutes(2).unwrap();
    w.policy.approvals.insert(
        RiskClass::Normal,
        ApprovalRule {
            of: vec!["service-owner".into()],
            count: 2,
        },
    );
    w.policy
        .checklist
        .push(item("more", Section::PreDeploy, Check::Manual));
    w.policy.freezes = vec![freeze("quarter end", "2026-11-16", "2026-11-19")];
    w.vendors.oncall.clear();
    w.set_now(at("2026-11-17T23:00:00+01:00"));
    w.read();
    w.compile();
    for key in ["rollback", "abort", "pause"] {
        assert!(w.permit(key).is_ok(), "{key}: {:?}", w.permit(key));
    }
    let p = w.permit("rollback").unwrap();
    assert!(
        p.warnings
            .iter()
            .any(|x| x.contains("crosses freeze quarter end"))
    );
    // Unless the freeze says so: then an override of it lifts that.
    w.policy.freezes[0].rollback = crate::domain::window::RollbackUnder::Override;
    w.compile();
    let why = w.permit("rollback").unwrap_err();
    assert_eq!(rules(&why), ["freeze/quarter end"]);
    w.act("override/freeze/quarter end", &[]).unwrap();
    assert!(w.permit("rollback").is_ok());
    assert!(w.permit("pause").is_ok());
}

#[test]
fn an_override_lifts_its_rule_alone_and_is_a_debt() {
    let mut w = ready();
    w.policy.freezes = vec![freeze("quarter end", "2026-11-16", "2026-11-19")];
    w.set_now(at("2026-11-17T22:00:00+01:00"));
    w.read();
    w.compile();
    assert_eq!(
        rules(&w.permit("deploy").unwrap_err()),
        ["freeze/quarter end"]
    );
    w.act(
        "override/freeze/quarter end",
        &[("reason", "the shop burns")],
    )
    .unwrap();
    let debt = &w.journal.debts[&format!("{RELEASE}/override/freeze/quarter end")];
    assert_eq!(
        (debt.owner.as_str(), debt.due),
        ("ana", w.now.world + Duration::hours(2))
    );
    // What the freeze hid still holds: it is night.
    assert_eq!(
        rules(&w.permit("deploy").unwrap_err()),
        ["window/office hours"]
    );
    w.act("override/window/office hours", &[]).unwrap();
    assert!(w.permit("deploy").is_ok(), "{:?}", w.permit("deploy"));
    w.set_now(w.now.world + Duration::hours(2));
    w.read();
    assert!(w.permit("deploy").is_err(), "it expired");
}

#[test]
fn a_start_that_does_not_fit_or_is_not_covered_can_be_overridden() {
    let mut w = ready();
    w.set_now(at("2026-11-17T16:30:00+01:00"));
    w.read();
    let why = w.permit("deploy").unwrap_err();
    assert_eq!(rules(&why), ["fit"]);
    assert!(why[0].why.contains("Closes in 30 min"), "{}", why[0].why);
    w.act("override/fit", &[]).unwrap();
    assert!(w.permit("deploy").is_ok());
    w.vendors.oncall[0].until = Some(w.now.world + Duration::minutes(20));
    w.read();
    let why = w.permit("deploy").unwrap_err();
    assert!(why[0].why.contains("kai's shift ends"), "{why:?}");
    w.act("override/cover", &[]).unwrap();
    assert!(w.permit("deploy").is_ok());
}

#[test]
fn a_change_of_shift_covers_and_a_stale_schedule_does_not() {
    let mut w = ready();
    let end = w.now.world + Duration::minutes(20);
    w.vendors.oncall[0].until = Some(end);
    w.vendors.oncall.push(oncall(1, "ben"));
    w.vendors.oncall[2].from = Some(end);
    w.vendors.oncall[2].until = Some(end + Duration::hours(8));
    w.read();
    assert!(w.permit("deploy").is_ok());
    w.vendors.oncall[2].from = Some(end + Duration::minutes(1));
    w.read();
    assert_eq!(
        rules(&w.permit("deploy").unwrap_err()),
        ["cover"],
        "a minute of nobody"
    );
    w.vendors.oncall[2].from = Some(end);
    w.read();
    w.silent = vec!["oncall/".into()];
    for _ in 0..11 {
        w.quiet_minute();
    }
    assert!(w.permit("deploy").unwrap_err()[0].why.contains("stale"));
    // Without any source it is not configured, and never closes.
    w.policy.oncall.connection = None;
    assert!(w.permit("deploy").is_ok());
}

#[test]
fn a_freeze_that_exempts_a_hotfix_lets_it_pass() {
    let mut w = ready();
    let mut f = freeze("quarter end", "2026-11-16", "2026-11-19");
    f.except = vec!["hotfix".into()];
    w.policy.freezes = vec![f];
    w.compile();
    assert!(w.permit("deploy").is_err());
    w.policy.releases[0].purpose = Purpose::Hotfix;
    assert!(w.permit("deploy").is_ok());
    assert!(
        w.assess()
            .calendar
            .reasons
            .iter()
            .any(|r| r.contains("hotfix"))
    );
}

fn approvals(w: &mut World, count: u32) {
    let rule = ApprovalRule {
        of: vec!["service-owner".into(), "release-manager".into()],
        count,
    };
    w.policy.approvals.insert(RiskClass::Normal, rule);
}

#[test]
fn approvals_are_bound_to_people_versions_and_time() {
    let mut w = ready();
    approvals(&mut w, 2);
    assert_eq!(rules(&w.permit("deploy").unwrap_err()), ["approval/normal"]);
    for (by, why) in [
        ("ana", "the driver"),
        ("ben", "the author"),
        ("eve", "none of the roles"),
    ] {
        let refused = w.act("approve", &[("by", by)]).unwrap_err();
        assert!(refused[0].why.contains(why), "{refused:?}");
    }
    w.act("approve", &[("by", "kai")]).unwrap();
    w.act("approve", &[("by", "kai")]).unwrap();
    assert!(w.permit("deploy").is_err(), "twice the same person is one");
    w.act("approve", &[("by", "lou")]).unwrap();
    assert!(w.permit("deploy").is_ok());
    let mut other = w.clone();
    other.policy.releases[0].changes[0].to = "2.14.1".into();
    assert!(
        other.permit("deploy").is_err(),
        "another version was not approved"
    );
    w.set_now(w.now.world + Duration::hours(4));
    w.set_now(at("2026-11-18T10:00:00+01:00"));
    w.read();
    assert!(
        rules(&w.permit("deploy").unwrap_err()).contains(&"approval/normal"),
        "expired"
    );
}

#[rstest]
#[case(true)]
#[case(false)]
fn waiver_and_acceptance_are_debts_and_a_release_closes_without_its_own(#[case] hand: bool) {
    let mut p = policy();
    p.checklist.push(item(
        "rehearsed",
        Section::PreDeploy,
        Check::RollbackRehearsed,
    ));
    let mut w = World::new(p);
    w.act("seal", &[]).unwrap();
    w.act("tick/tests", &[]).unwrap();
    assert!(w.permit("waive/tests").is_err(), "a manual item is ticked");
    w.act("waive/rehearsed", &[("reason", "staging is down")])
        .unwrap();
    let s = w.assess();
    let item = s
        .checklist
        .items
        .iter()
        .find(|i| i.id == "rehearsed")
        .unwrap();
    assert_eq!(item.mark.word, "waived");
    assert_ne!(item.mark.tone, crate::domain::situation::Tone::Pass);
    w.act("deploy", &[]).unwrap();
    w.minutes(2).unwrap();
    let gate = w.assess().gates[0].id.clone();
    w.act(&format!("accept/{gate}"), &[]).unwrap();
    let debts: Vec<String> = w.assess().debts.into_iter().map(|d| d.debt.id).collect();
    assert_eq!(debts.len(), 2, "{debts:?}");
    w.act("abort", &[]).unwrap();
    w.minutes(2).unwrap();
    let why = w.permit("close").unwrap_err();
    assert!(
        why.iter().all(|r| r.rule.starts_with("debt/")) && why.len() == 2,
        "{why:?}"
    );
    for debt in debts {
        let key = format!("settle/{debt}");
        if hand {
            assert!(w.act(&key, &[("to", "ana")]).is_err(), "to oneself");
            w.act(&key, &[("to", "lou")]).unwrap();
        } else {
            w.act(&key, &[("how", "done")]).unwrap();
        }
    }
    assert_eq!(w.assess().debts.len(), if hand { 2 } else { 0 });
    w.act("close", &[]).unwrap();
    assert!(w.permit("close").is_err());
}

#[test]
fn read_only_untrusted_and_mute_cockpits_permit_nothing_and_owe_nothing() {
    let breaks: [fn(&mut World); 3] = [
        |w| w.observed.session.read_only = true,
        |w| w.observed.session.journal_fault = Some("full".into()),
        |w| w.observed.session.untrusted = Some("not trusted yet".into()),
    ];
    for (i, b) in breaks.iter().enumerate() {
        let mut w = World::deployed();
        w.minutes(3).unwrap();
        b(&mut w);
        let granted = |p: &Permission| matches!(p, Permission::Granted(_));
        assert!(!w.assess().permits.values().any(granted), "{i}");
        w.quiet_minute();
        let acts = w.assess().owed;
        assert!(
            !acts.iter().any(|d| matches!(d.task, Task::Perform { .. })),
            "{i}"
        );
    }
}

#[test]
fn the_contract_is_sealed_once_and_before_deploying() {
    let mut w = World::default();
    w.act("seal", &[]).unwrap();
    assert!(w.permit("seal").is_err());
    let (digest, sealed, _) = w
        .journal
        .release(RELEASE)
        .unwrap()
        .contract
        .clone()
        .unwrap();
    assert_eq!(digest, contract::digest(&sealed));
    assert!(contract::diff(&sealed, &sealed).is_empty());
    let mut late = World::default();
    *late.record("checkout") = deployment("checkout", NEW);
    late.minutes(1).unwrap();
    assert!(late.permit("seal").is_err());
}

#[test]
fn a_tick_is_taken_by_the_one_at_the_keys() {
    let mut w = World::default();
    w.act("tick/tests", &[("note", "run 81")]).unwrap();
    let (who, _, note) = w.journal.release(RELEASE).unwrap().ticks["tests"].clone();
    assert_eq!((who.as_str(), note.as_str()), ("ana", "run 81"));
    assert!(w.permit("tick/tests").is_err() && w.permit("untick/tests").is_ok());
    w.append(Body::Unticked {
        item: "tests".into(),
        why: "again".into(),
    });
    assert!(w.permit("tick/tests").is_ok());
}
