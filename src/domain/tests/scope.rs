//! One press, one act; acts that nobody knows of; the whole line; deployments that nobody planned; what a reload may not move.

use chrono::Duration;

use crate::domain::act::Verb;
use crate::domain::assess::assess;
use crate::domain::event::Body;
use crate::domain::ground;
use crate::domain::needs::needs;
use crate::domain::orders::decide;
use crate::domain::policy::{Limit, Setting, Then};
use crate::domain::record::DeployState;
use crate::domain::situation::{Advice, Refusal, Situation};
use crate::domain::testkit::*;

fn ready() -> World {
    let mut w = World::default();
    w.act("seal", &[]).unwrap();
    w.act("tick/tests", &[]).unwrap();
    w
}

fn rules(list: &[Refusal]) -> Vec<&str> {
    list.iter().map(|r| r.rule.as_str()).collect()
}

fn said(s: &Situation) -> String {
    let reasons: Vec<&str> = s.band.reasons.iter().map(|r| r.text.as_str()).collect();
    reasons.join("; ")
}

#[test]
fn what_was_confirmed_is_not_asked_again_before_the_vendor_shows_it() {
    let mut w = ready();
    w.vendors.late.insert(Verb::Deploy);
    w.act("deploy", &[]).unwrap();
    w.minutes(1).unwrap();
    let why = w.permit("deploy").unwrap_err();
    assert_eq!(rules(&why), ["asked"], "{why:?}");
    assert!(why[0].why.contains("does not show it yet"), "{why:?}");
    assert!(why[0].until.is_some() && why[0].way_out.is_some());
    let s = w.assess();
    assert_eq!(s.band.advice, Advice::NoGo, "{}", said(&s));
    assert_ne!(s.next.action, "deploy");
    // It was not read since: that says nothing.
    let mut unread = ready();
    unread.vendors.late.insert(Verb::Deploy);
    unread.act("deploy", &[]).unwrap();
    let feed = unread.observed.feeds.get_mut("deployments/cd").unwrap();
    feed.last.as_mut().unwrap().read_at -= Duration::seconds(5);
    let why = unread.permit("deploy").unwrap_err();
    assert!(why[0].why.contains("not read since"), "{why:?}");
    // It never came: a person may ask again.
    w.minutes(10).unwrap();
    assert!(w.permit("deploy").is_ok());
    assert_eq!(w.count(Verb::Deploy), 1);
    // Shown, and gone again: that was seen.
    w.vendors.late.clear();
    w.act("deploy", &[]).unwrap();
    w.minutes(1).unwrap();
    w.act("abort", &[]).unwrap();
    w.minutes(1).unwrap();
    let why = w.permit("deploy").err().unwrap_or_default();
    assert!(!rules(&why).contains(&"asked"), "{why:?}");
}

#[test]
fn an_unknown_deploy_is_refused_until_it_is_settled_by_word() {
    let mut w = ready();
    w.vendors.forgetful = true;
    w.vendors.loses.insert(Verb::Deploy);
    w.act("deploy", &[]).unwrap();
    w.minutes(15).unwrap();
    let why = w.permit("deploy").unwrap_err();
    assert_eq!(rules(&why), ["asked"], "{why:?}");
    assert!(why[0].way_out.as_ref().unwrap().contains("by word"));
    let s = w.assess();
    let debt = s.debts.iter().find(|d| d.debt.id.starts_with("unknown/"));
    let debt = debt.unwrap().debt.clone();
    assert!(
        debt.what.contains("deploy checkout 2.13.9 → 2.14.0"),
        "{debt:?}"
    );
    let settle = format!("settle/{}", debt.id);
    let unsure = w.act(&settle, &[("happened", "perhaps")]);
    assert!(unsure.is_err());
    let how = [("happened", "no"), ("how", "no run in the list")];
    w.act(&settle, &how).unwrap();
    assert!(w.assess().debts.is_empty());
    assert!(w.permit("deploy").is_ok());
    w.vendors.loses.clear();
    w.act("deploy", &[]).unwrap();
    assert_eq!(w.count(Verb::Deploy), 1);
}

#[test]
fn two_who_press_on_the_same_ground_write_the_same_act() {
    let mut w = ready();
    let key = |w: &World, action: &str, nonce: &str| {
        let request = w.request(action, &[]);
        let tasks = decide(&w.policy, &w.journal, &w.observed, w.now, &request, nonce);
        tasks.unwrap()[0].key.clone()
    };
    let first = key(&w, "deploy", "one");
    assert_eq!(first, key(&w, "deploy", "two"));
    // Refused by the vendor and pressed again, it is another act.
    w.vendors.refuses.insert(Verb::Deploy);
    w.act("deploy", &[]).unwrap();
    assert_ne!(first, key(&w, "deploy", "one"));
    let mut w = World::deployed();
    w.minutes(12).unwrap();
    assert_eq!(key(&w, "promote", "one"), key(&w, "promote", "two"));
    w.vendors.late.insert(Verb::Promote);
    w.act("promote", &[]).unwrap();
    w.minutes(1).unwrap();
    let why = w.permit("promote").unwrap_err();
    assert!(rules(&why).contains(&"asked"), "{why:?}");
    w.minutes(11).unwrap();
    assert!(w.permit("promote").is_ok(), "{:?}", w.permit("promote"));
}

#[test]
fn an_unknown_act_holds_by_its_name_and_a_mark_on_the_record_settles_it() {
    let mut w = World::deployed();
    w.minutes(12).unwrap();
    assert_eq!(w.assess().band.advice, Advice::Proceed);
    w.vendors.forgetful = true;
    w.vendors.loses.insert(Verb::Promote);
    w.act("promote", &[]).unwrap();
    w.minutes(3).unwrap();
    let s = w.assess();
    assert_eq!(s.band.advice, Advice::Hold);
    let text = said(&s);
    assert!(text.contains("promote checkout"), "{text}");
    assert!(text.contains("not known whether it happened"), "{text}");
    assert!(w.permit("promote").is_err());
    // The vendor's own record carries the mark: nobody has to be asked.
    let act = s
        .debts
        .iter()
        .find_map(|d| d.debt.id.strip_prefix("unknown/"));
    w.record("checkout").intent = Some(act.unwrap().to_owned());
    w.minutes(1).unwrap();
    assert!(w.assess().debts.is_empty(), "{:?}", w.assess().debts);
    // What is on its way from here is not unknown.
    let mut flying = World::deployed();
    flying.observed.session.in_flight = vec!["x".into()];
    let mut act = flying.vendors.done[0].clone();
    act.id = "x".into();
    act.verb = Verb::Pause;
    flying.append(Body::Intended { act });
    flying.minutes(3).unwrap();
    assert!(flying.assess().debts.is_empty());
}

/// checkout of the release at 10 %, payments by somebody else, search where nothing can be paused.
fn three() -> World {
    let mut p = policy();
    p.services.push(service("search", &[]));
    let mut plain = p.connections["cd"].clone();
    plain.name = "plain".into();
    plain.connector = "github".into();
    plain.verbs.retain(|v| *v != Verb::Pause);
    p.connections.insert("plain".into(), plain);
    p.services[2].deployments = Some("plain".into());
    let mut w = World::new(p);
    w.start();
    for name in ["payments", "search"] {
        let d = w.record(name);
        d.version = "9.9.9".into();
        d.state = DeployState::Running;
        d.weight = Some(30.0);
    }
    w.minutes(1).unwrap();
    w
}

fn obeyed(w: &World) -> Vec<(String, String)> {
    let line = w.assess().line.expect("the line is stopped");
    let each = line.systems.into_iter();
    each.map(|x| (x.service, x.mark.word)).collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    list.iter().map(own).collect()
}

#[test]
fn the_line_is_everything_in_flight_and_says_who_obeyed_until_it_is_let_go() {
    let mut w = three();
    let permit = w.permit("stop_line").unwrap();
    let effects = permit.effects.join("; ");
    assert!(effects.contains("pause payments 9.9.9"), "{effects}");
    assert!(effects.contains("checkout 2.14.0"), "{effects}");
    let warned = permit.warnings.join("; ");
    assert!(
        warned.contains("search 9.9.9: connector github cannot pause"),
        "{warned}"
    );
    w.act("stop_line", &[("reason", "baskets are lost")])
        .unwrap();
    assert_eq!(w.count(Verb::Pause), 2);
    let stopped = |b: &Body| matches!(b, Body::LineStopped { .. });
    assert_eq!(w.events.iter().filter(|e| stopped(&e.body)).count(), 1);
    w.minutes(1).unwrap();
    let all = [
        ("checkout", "obeyed"),
        ("payments", "obeyed"),
        ("search", "cannot pause"),
    ];
    assert_eq!(obeyed(&w), pairs(&all));
    // One that was confirmed and runs all the same has not obeyed.
    w.record("payments").state = DeployState::Running;
    w.minutes(1).unwrap();
    assert_eq!(obeyed(&w)[1].1, "not paused yet");
    w.minutes(12).unwrap();
    for action in ["promote", "resume"] {
        let why = w.permit(action).unwrap_err();
        assert!(rules(&why).contains(&"line"), "{action}: {why:?}");
    }
    assert!(w.permit("abort").is_ok() && w.permit("rollback").is_ok());
    assert!(
        said(&w.assess()).contains("the line is stopped"),
        "{}",
        said(&w.assess())
    );
    assert!(w.permit("stop_line").is_err());
    w.restart();
    assert!(w.assess().line.is_some(), "a restart lets nothing go");
    w.act("let_go", &[("how", "mended")]).unwrap();
    assert!(w.assess().line.is_none());
    assert!(w.permit("resume").is_ok());
}

#[test]
fn what_refuses_to_pause_or_gives_no_answer_is_said() {
    let mut w = three();
    w.vendors.refuses.insert(Verb::Pause);
    w.act("stop_line", &[]).unwrap();
    assert_eq!(obeyed(&w)[0].1, "refused");
    let mut w = three();
    w.vendors.forgetful = true;
    w.vendors.loses.insert(Verb::Pause);
    w.act("stop_line", &[]).unwrap();
    assert_eq!(obeyed(&w)[1].1, "unknown");
}

#[test]
fn nothing_starts_while_the_line_is_stopped() {
    let mut w = ready();
    assert!(w.permit("deploy").is_ok());
    w.act("stop_line", &[("reason", "the shop asks")]).unwrap();
    let why = w.permit("deploy").unwrap_err();
    assert_eq!(rules(&why), ["line"]);
    assert!(why[0].why.contains("by ana: the shop asks"), "{why:?}");
    assert!(why[0].way_out.as_ref().unwrap().contains("let the line go"));
    w.act("let_go", &[]).unwrap();
    assert!(w.permit("deploy").is_ok());
}

/// payments was deployed by hand an hour ago and has ended since.
fn by_hand() -> World {
    let mut w = World::default();
    let at = w.now.world - Duration::hours(1);
    let d = w.record("payments");
    d.previous = Some(OLD.into());
    d.version = "9.9.9".into();
    (d.started_at, d.finished_at) = (Some(at), Some(at));
    w.minutes(1).unwrap();
    w
}

#[test]
fn a_deployment_by_hand_is_unplanned_also_after_its_end_and_can_be_attached() {
    let mut w = by_hand();
    let unplanned = |w: &World| {
        let rows = w.assess().deployments;
        let rows = rows.into_iter().filter(|d| d.unplanned);
        rows.map(|d| d.id).collect::<Vec<_>>()
    };
    assert_eq!(unplanned(&w), ["payments/production"]);
    let mut below = w.clone();
    below.policy.environments[1].protected = false;
    below.policy.releases.clear();
    assert!(unplanned(&below).is_empty(), "where nobody plans a release");
    assert!(w.permit("attach/checkout/production").is_err());
    w.act("attach/payments/production", &[]).unwrap();
    let own = "payments-9.9.9-unplanned";
    w.observed.session.drives.push(own.into());
    w.minutes(3).unwrap();
    assert!(unplanned(&w).is_empty());
    let s = w.assess();
    assert_eq!(s.current.as_deref(), Some(own));
    assert!(
        s.gates.iter().any(|g| g.service == "payments"),
        "{:?}",
        s.gates
    );
    assert_eq!(s.triggers.len(), 2);
    assert_eq!(s.passports[0].to.as_deref(), Some(OLD));
    w.act("rollback", &[]).unwrap();
    w.minutes(5).unwrap();
    assert_eq!(w.record("payments").version, OLD);
    assert!(unplanned(&w).is_empty());
}

#[test]
fn what_is_attached_takes_the_place_of_what_was_planned() {
    let mut w = World::default();
    let d = w.record("checkout");
    d.previous = Some(OLD.into());
    d.version = "2.99.0".into();
    d.state = DeployState::Paused;
    (d.step, d.steps, d.weight) = (Some(1), Some(3), Some(10.0));
    w.minutes(1).unwrap();
    let permit = w.permit("attach/checkout/production").unwrap();
    assert_eq!(permit.inputs[0].default, RELEASE);
    let wrong = w.act("attach/checkout/production", &[("release", "other")]);
    assert!(wrong.is_err());
    w.act("attach/checkout/production", &[]).unwrap();
    w.minutes(3).unwrap();
    let s = w.assess();
    let row = s
        .deployments
        .iter()
        .find(|d| d.service == "checkout")
        .unwrap();
    assert_eq!(
        (row.release.as_deref(), row.unplanned),
        (Some(RELEASE), false)
    );
    assert_eq!(s.releases[0].plan.changes[0].to, "2.99.0");
    assert!(w.permit("rollback").is_ok(), "{:?}", w.permit("rollback"));
    assert_eq!(s.gates.len(), 1);
    // What the file names later is the newer word.
    w.policy.releases[0].changes[0].to = "3.0.0".into();
    assert_eq!(w.assess().releases[0].plan.changes[0].to, "3.0.0");
}

#[test]
fn steering_is_about_the_rollout_that_it_applies_to_or_the_one_that_is_named() {
    let mut p = policy();
    p.releases[0].changes = vec![change("checkout", NEW), change("payments", NEW)];
    let mut w = World::new(p);
    for (name, state) in [
        ("checkout", DeployState::Paused),
        ("payments", DeployState::Running),
    ] {
        let d = w.record(name);
        d.previous = Some(OLD.into());
        d.version = NEW.into();
        d.state = state;
        (d.step, d.steps, d.weight) = (Some(1), Some(3), Some(10.0));
    }
    w.minutes(1).unwrap();
    let of = |w: &World, action: &str| w.permit(action).unwrap().service.unwrap();
    assert_eq!(of(&w, "pause"), "payments");
    assert_eq!(of(&w, "resume"), "checkout");
    assert_eq!(of(&w, "abort/payments"), "payments");
    w.act("pause", &[]).unwrap();
    let last = |w: &World| w.vendors.done.last().unwrap().service.clone().unwrap();
    assert_eq!(last(&w), "payments");
    w.act("abort/payments", &[]).unwrap();
    assert_eq!(last(&w), "payments");
    assert_eq!(w.record("checkout").version, NEW);
}

#[test]
fn a_service_that_was_never_there_can_be_deployed() {
    let mut w = World::default();
    w.vendors.deployments.retain(|d| d.service != "checkout");
    w.read();
    w.act("seal", &[]).unwrap();
    w.act("tick/tests", &[]).unwrap();
    w.act("deploy", &[]).unwrap();
    let act = w.vendors.done.last().unwrap();
    assert_eq!(act.verb, Verb::Deploy);
    assert!(!act.args.contains_key("id") && act.args["version"] == NEW);
    assert!(act.summary.contains("nothing → 2.14.0"), "{}", act.summary);
}

#[test]
fn a_closed_release_puts_auto_sync_back_although_another_one_is_looked_at() {
    let mut p = policy();
    let mut later = release("later", vec![change("payments", NEW)]);
    later.planned = Some(tuesday() + Duration::days(1));
    p.releases.push(later);
    let mut w = World::new(p);
    w.start();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.2));
    w.minutes(8).unwrap();
    w.act("rollback", &[]).unwrap();
    w.minutes(20).unwrap();
    assert_eq!(w.record("checkout").version, OLD);
    let off = |w: &World| {
        let debts = w.journal.debts.keys();
        debts.filter(|d| d.starts_with("auto-sync/")).count()
    };
    assert_eq!(off(&w), 1, "{:?}", w.journal.debts);
    w.append(Body::ReleaseClosed {
        closing: crate::domain::event::Closing::RolledBack,
        detail: "handed over".into(),
    });
    assert_ne!(w.assess().current.as_deref(), Some(RELEASE));
    w.record("checkout").desired = Some(OLD.into());
    w.minutes(3).unwrap();
    assert_eq!((w.count(Verb::ReleaseHold), off(&w)), (1, 0));
    let checked = w.journal.release(RELEASE).unwrap().checkpoints.len();
    w.minutes(60).unwrap();
    let closed = w.journal.release(RELEASE).unwrap();
    assert_eq!(closed.checkpoints.len(), checked, "nothing else goes on");
}

#[test]
fn sealed_definitions_count_whatever_the_file_says_later() {
    let mut p = policy();
    p.services[0].triggers = vec![trigger(Limit::Slo, "error_rate", 60, Then::Propose)];
    p.services[0].slo.insert("error_rate".into(), 0.02);
    let mut w = World::new(p);
    w.start();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.3));
    w.minutes(4).unwrap();
    assert!(w.assess().triggers[0].tripped);
    w.policy.services[0].slo.insert("error_rate".into(), 0.9);
    w.policy.metrics[0].numerator = Some("nothing".into());
    let s = w.assess();
    assert!(s.triggers[0].tripped, "{:?}", s.triggers[0]);
    assert!(
        s.triggers[0].distance.contains("of 2.00 %"),
        "{}",
        s.triggers[0].distance
    );
    let diff = s.releases[0].contract_diff.join("; ");
    assert!(diff.contains("error_rate 0.02, the file has 0.9"), "{diff}");
    assert!(
        diff.contains("metric error_rate is sealed with numerator"),
        "{diff}"
    );
    let asked = |w: &World| {
        let needs = needs(&w.policy, &w.journal, w.now);
        needs
            .iter()
            .any(|n| n.call.args.get("query").is_some_and(|q| q == "nothing"))
    };
    assert!(!asked(&w), "the sealed query is read");
    // A contract of earlier days says nothing of them: then the file counts, as it did.
    let mut old = w.clone();
    for e in &mut old.events {
        if let Body::ContractSealed { contract, .. } = &mut e.body {
            contract.slo.clear();
            contract.metrics.clear();
            contract.ground = None;
        }
    }
    old.restart();
    assert!(asked(&old));
    w.append(Body::ReleaseClosed {
        closing: crate::domain::event::Closing::Superseded,
        detail: "over".into(),
    });
    assert!(asked(&w), "the release is closed");
}

fn names(w: &World) -> Vec<String> {
    let held = ground::held(&w.policy, &w.journal);
    held.into_iter().map(|h| h.name).collect()
}

#[test]
fn the_ground_stays_until_the_release_closes_or_the_change_is_taken_by_name() {
    let mut p = policy();
    p.freezes.push(freeze(
        "quarter end",
        "2026-12-20T00:00",
        "2027-01-03T00:00",
    ));
    let mut w = World::new(p);
    w.act("seal", &[]).unwrap();
    assert!(names(&w).is_empty());
    let before = w.policy.clone();
    w.policy.freezes.clear();
    w.policy.services[0].deployments = Some("plain".into());
    w.policy.releases[0].environment = "staging".into();
    w.policy.services[1].runbook = None;
    let cd = w.policy.connections.get_mut("cd").unwrap();
    cd.settings
        .insert("url".into(), Setting::Text("https://elsewhere".into()));
    cd.every = Some(5);
    assert_eq!(
        names(&w),
        [
            "freeze/quarter end",
            "connection/cd",
            "service/checkout",
            "release/shop-47"
        ]
    );
    let held = ground::held(&w.policy, &w.journal);
    let kept = ground::in_force(&w.policy, &w.journal, &held, &before);
    assert_eq!(kept.freezes, before.freezes);
    assert_eq!(kept.connections["cd"], before.connections["cd"]);
    assert_eq!(kept.services[0].deployments.as_deref(), Some("cd"));
    assert_eq!(kept.releases[0].environment, "production");
    // After a restart the old connection is not known any more: then the new one is not used either.
    let cut = ground::in_force(&w.policy, &w.journal, &held, &w.policy);
    assert!(cut.connections["cd"].verbs.is_empty() && cut.connections["cd"].reads.is_empty());
    assert_eq!(cut.freezes, before.freezes);
    // By name.
    w.observed.session.held = held;
    let s = assess(&kept, &w.journal, &w.observed, w.now);
    assert!(
        s.troubles
            .iter()
            .any(|t| t.contains("freeze quarter end is gone"))
    );
    let file = std::mem::replace(&mut w.policy, kept);
    let settle = "settle/policy/freeze/quarter end";
    let permit = w.permit(settle).unwrap();
    assert_eq!(permit.typed.as_deref(), Some("quarter end"));
    w.act(settle, &[("reason", "the board moved it")]).unwrap();
    w.policy = file;
    assert_eq!(
        names(&w),
        ["connection/cd", "service/checkout", "release/shop-47"]
    );
    // Another change of the same thing is another question.
    let other = freeze("quarter end", "2026-12-20T00:00", "2026-12-21T00:00");
    w.policy.freezes.push(other);
    assert!(names(&w).contains(&"freeze/quarter end".to_owned()));
    w.append(Body::ReleaseClosed {
        closing: crate::domain::event::Closing::Abandoned,
        detail: "given up".into(),
    });
    assert!(names(&w).is_empty());
}
