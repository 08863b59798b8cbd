//! What a vendor says beside a deployment's state: how long the fast way back is open, who else writes it, what its analyses prove.

use chrono::Duration;

use crate::domain::act::Verb;
use crate::domain::event::StepState;
use crate::domain::record::{Analysis, AnalysisMetric, DeployState, HistoryEntry};
use crate::domain::situation::PassportLine;
use crate::domain::testkit::*;
use crate::domain::verdict::Verdict;

fn line(w: &World, id: &str) -> Option<PassportLine> {
    let s = w.assess();
    let passport = s.passports.iter().find(|p| p.service == "checkout")?;
    passport.lines.iter().find(|l| l.id == id).cloned()
}

#[test]
fn the_fast_way_back_counts_down_and_ends() {
    let mut w = World::deployed();
    assert_eq!(
        line(&w, "fast"),
        None,
        "the vendor keeps no old set running"
    );
    let until = w.now.world + Duration::minutes(10);
    w.record("checkout").fast_until = Some(until);
    w.minutes(1).unwrap();
    let open = line(&w, "fast").unwrap();
    assert_eq!(open.verdict, Verdict::Pass);
    assert!(open.note.contains("for 9 m more"), "{}", open.note);
    w.minutes(10).unwrap();
    let over = line(&w, "fast").unwrap();
    assert_ne!(over.verdict, Verdict::Pass);
    assert!(over.note.contains("its time ended"), "{}", over.note);
    // What is not fresh proves nothing.
    w.record("checkout").fast_until = Some(w.now.world + Duration::hours(2));
    w.minutes(1).unwrap();
    w.silent.push("deployments/".into());
    w.minutes(5).unwrap();
    let stale = line(&w, "fast").unwrap();
    assert!(
        matches!(stale.verdict, Verdict::Undecided { .. }),
        "{stale:?}"
    );
}

#[test]
fn somebody_who_writes_it_from_git_would_fight_a_rollback() {
    let mut w = World::deployed();
    w.record("checkout").managed_by = Some("Argo CD application shop".into());
    w.record("checkout").auto_sync = None;
    w.minutes(1).unwrap();
    let fights = line(&w, "fights").unwrap();
    assert!(
        matches!(fights.verdict, Verdict::Undecided { .. }),
        "{fights:?}"
    );
    assert!(
        fights.note.contains("Argo CD application shop"),
        "{fights:?}"
    );
}

#[test]
fn an_analysis_that_proves_nothing_says_so_in_the_evidence() {
    let mut w = World::deployed();
    w.record("checkout").analysis = vec![Analysis {
        name: "checkout-7".into(),
        state: "successful".into(),
        message: None,
        metrics: vec![AnalysisMetric {
            name: "error-rate".into(),
            state: "successful".into(),
            measurements: 0,
            doubt: Some("successful with 0 measurements".into()),
        }],
    }];
    w.minutes(1).unwrap();
    let s = w.assess();
    let evidence = &s.evidence["deploy/checkout/production"];
    let said = evidence
        .lines
        .iter()
        .find(|(title, _)| title.trim() == "error-rate");
    let (_, said) = said.unwrap_or_else(|| panic!("{:?}", evidence.lines));
    assert!(
        said.contains("proves nothing: successful with 0 measurements"),
        "{said}"
    );
}

#[test]
fn no_auto_sync_is_no_proof_that_nothing_deploys_again() {
    let mut w = World::deployed();
    let verbs = &mut w.policy.connections.get_mut("cd").unwrap().verbs;
    verbs.retain(|v| !matches!(v, Verb::Hold | Verb::ReleaseHold));
    w.record("checkout").auto_sync = None;
    w.record("checkout").autoscalers = Some(vec![
        "HorizontalPodAutoscaler web (2 to 10 instances)".into(),
    ]);
    w.minutes(1).unwrap();
    let fights = line(&w, "fights").unwrap();
    assert!(
        matches!(fights.verdict, Verdict::Undecided { .. }),
        "{fights:?}"
    );
    assert_eq!(
        fights.note,
        "a pipeline may deploy again: set fought_by of service checkout in cockpit.toml; HorizontalPodAutoscaler web (2 to 10 instances) sets its instances"
    );
    // Who knows declares it, and the way back says what to stop by hand.
    w.policy.services[0].fought_by = Some(Vec::new());
    let nothing = line(&w, "fights").unwrap();
    assert_eq!(nothing.verdict, Verdict::Pass);
    assert!(
        nothing.note.starts_with("declared: nothing; "),
        "{}",
        nothing.note
    );
    w.policy.services[0].fought_by = Some(vec!["the nightly pipeline".into()]);
    let nightly = line(&w, "fights").unwrap();
    assert_eq!(nightly.verdict, Verdict::Pass);
    assert!(
        nightly
            .note
            .contains("the nightly pipeline, to be stopped by hand"),
        "{}",
        nightly.note
    );
    let said = "stop by hand what deploys checkout again: the nightly pipeline";
    let permit = w.permit("rollback").unwrap();
    assert!(permit.warnings.iter().any(|w| w == said), "{permit:?}");
}

#[test]
fn the_vendors_history_forgets_and_the_passport_counts() {
    let mut w = World::deployed();
    assert_eq!(line(&w, "kept"), None, "the vendor does not say");
    w.record("checkout").history_limit = Some(3);
    w.minutes(1).unwrap();
    let kept = line(&w, "kept").unwrap();
    assert_eq!(
        (kept.verdict, kept.note.as_str()),
        (Verdict::Pass, "entry 1 of 3: gone after 3 more deployments")
    );
    let hotfix = HistoryEntry {
        id: "8".into(),
        version: "2.13.10".into(),
        ..HistoryEntry::default()
    };
    w.record("checkout").history.insert(0, hotfix);
    w.minutes(1).unwrap();
    let kept = line(&w, "kept").unwrap();
    assert_eq!(kept.note, "entry 2 of 3: gone after 2 more deployments");
    w.silent.push("deployments/".into());
    w.minutes(5).unwrap();
    let stale = line(&w, "kept").unwrap();
    assert!(
        matches!(stale.verdict, Verdict::Undecided { .. }),
        "{stale:?}"
    );
}

#[test]
fn a_version_that_takes_one_act_a_region_goes_back_in_as_many_steps() {
    let mut w = World::deployed();
    w.minutes(1).unwrap();
    w.record("checkout").history[0].also = vec!["9".into()];
    w.minutes(1).unwrap();
    w.act("rollback", &[("reason", "bad")]).unwrap();
    w.minutes(3).unwrap();
    let sent: Vec<(String, String)> = w
        .vendors
        .done
        .iter()
        .filter(|a| a.verb == Verb::Rollback)
        .map(|a| {
            (
                a.id.clone(),
                a.args["history_id"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let ids: Vec<&str> = sent.iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!(ids, ["7", "9"]);
    assert_ne!(sent[0].0, sent[1].0, "each has its own mark");
    let plan = &w.journal.release(RELEASE).unwrap().plans[0];
    for step in ["checkout/rollback", "checkout/rollback/2"] {
        assert_eq!(plan.state(step), StepState::Confirmed, "{step}");
    }
    let debts = w.journal.debts.keys().filter(|k| k.starts_with("held/"));
    assert!(debts.count() <= 1);
}

#[test]
fn an_act_that_waits_in_a_vendors_queue_is_not_called_absent() {
    let mut w = World::deployed();
    w.minutes(1).unwrap();
    w.policy.connections.get_mut("cd").unwrap().settles = 600;
    w.vendors.loses.insert(Verb::Rollback);
    w.vendors.forgetful = true;
    w.act("rollback", &[("reason", "bad")]).unwrap();
    let ended = |w: &World| w.journal.release(RELEASE).unwrap().plans[0].ended.is_some();
    w.minutes(5).unwrap();
    assert!(!ended(&w), "it may stand in the queue");
    w.minutes(8).unwrap();
    assert!(ended(&w));
}

fn with(verbs: &[Verb]) -> World {
    let mut p = policy();
    let cd = p.connections.get_mut("cd").unwrap();
    cd.verbs.extend(verbs);
    let mut w = World::new(p);
    w.act("seal", &[]).unwrap();
    w.act("tick/tests", &[]).unwrap();
    w.act("deploy", &[]).unwrap();
    w.minutes(1).unwrap();
    w
}

#[test]
fn a_full_promotion_is_refused_by_what_refuses_a_promotion_and_is_typed() {
    let mut w = with(&[]);
    let refusals = w.permit("promote_full").unwrap_err();
    assert!(!refusals.is_empty());
    w = with(&[Verb::PromoteFull]);
    // The gate of this step has said nothing yet.
    assert_eq!(
        w.permit("promote").is_ok(),
        w.permit("promote_full").is_ok()
    );
    w.minutes(12).unwrap();
    let permit = w.permit("promote_full").unwrap();
    assert_eq!(permit.typed.as_deref(), Some("checkout"));
    assert!(permit.effects[0].contains("past all steps"), "{permit:?}");
    w.act("promote_full", &[]).unwrap();
    assert_eq!(w.count(Verb::PromoteFull), 1);
    assert_eq!(w.record("checkout").state, DeployState::Succeeded);
}

#[test]
fn the_old_version_on_its_way_back_may_be_promoted_fully_while_the_rollback_runs() {
    let mut w = with(&[Verb::PromoteFull]);
    w.act("rollback", &[("reason", "bad")]).unwrap();
    w.engine().unwrap();
    // It goes back step by step and waits at one.
    let d = w.record("checkout");
    assert_eq!(d.version, OLD);
    d.state = DeployState::Paused;
    w.minutes(1).unwrap();
    assert!(w.permit("promote").is_ok(), "a step at a time, too");
    let permit = w.permit("promote_full").unwrap();
    assert!(permit.effects[0].contains(OLD), "{permit:?}");
    w.act("promote_full", &[]).unwrap();
    w.minutes(1).unwrap();
    let plan = &w.journal.release(RELEASE).unwrap().plans[0];
    assert_eq!(plan.state("checkout/live"), StepState::Confirmed);
}

#[test]
fn an_aborted_rollout_is_retried_unless_its_time_or_a_trigger_refuses() {
    let mut w = with(&[Verb::Retry]);
    let refusals = w.permit("retry").unwrap_err();
    assert_eq!(refusals[0].rule, "phase", "it is under way");
    w.record("checkout").state = DeployState::Cancelled;
    w.minutes(1).unwrap();
    let permit = w.permit("retry").unwrap();
    assert_eq!(permit.typed.as_deref(), Some("checkout"));
    // A freeze that came meanwhile refuses it as it refuses a start.
    let mut frozen = w.clone();
    frozen.policy.freezes = vec![freeze("now", "2026-11-17", "2026-11-18")];
    frozen.compile();
    frozen.minutes(1).unwrap();
    assert!(frozen.permit("retry").is_err());
    // What is not fresh is not retried.
    let mut silent = w.clone();
    silent.silent.push("deployments/".into());
    silent.minutes(5).unwrap();
    assert!(silent.permit("retry").is_err());
    w.act("retry", &[]).unwrap();
    assert_eq!(w.count(Verb::Retry), 1);
    assert_eq!(w.record("checkout").state, DeployState::Paused);
}

#[test]
fn a_restart_names_its_service_where_there_are_several() {
    let w = with(&[]);
    let refusals = w.permit("restart").unwrap_err();
    assert_eq!(refusals[0].rule, "connector");
    let mut w = with(&[Verb::Restart]);
    assert_eq!(
        w.permit("restart").unwrap().typed.as_deref(),
        Some("checkout")
    );
    w.policy.releases[0].changes = vec![change("checkout", NEW), change("payments", NEW)];
    w.minutes(1).unwrap();
    let permit = w.permit("restart").unwrap();
    assert!(permit.inputs.iter().any(|i| i.key == "service"));
    w.act("restart", &[("service", "payments")]).unwrap();
    let act = w
        .journal
        .acts
        .values()
        .find(|a| a.act.verb == Verb::Restart);
    assert_eq!(act.unwrap().act.service.as_deref(), Some("payments"));
    let none = w.act("restart", &[("service", "nobody")]);
    assert!(none.is_err());
    w.act("rollback", &[("reason", "bad")]).unwrap();
    assert_eq!(w.permit("restart").unwrap_err()[0].rule, "rollback");
}
