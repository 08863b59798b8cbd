//! `then = "hold"`: the hold is ours and a debt, whatever the vendor can do, until a person lets it go (SEMANTICS 7, 12).

use rstest::rstest;

use crate::domain::act::Verb;
use crate::domain::event::Body;
use crate::domain::policy::{After, Then};
use crate::domain::record::DeployState;
use crate::domain::situation::Advice;
use crate::domain::testkit::*;

const DEBT: &str = "hold/checkout/production";

/// The canary at 10 %, no gate due before 40 %, and a trigger that holds; `change` comes before it trips.
fn tripped(state: DeployState, change: impl FnOnce(&mut World)) -> World {
    let mut p = policy();
    p.services[0].triggers[0].then = Then::Hold;
    p.services[0].gates[0].after = After::Percent(40.0);
    p.releases
        .push(release("z-other", vec![change_of_payments()]));
    let mut w = World::new(p);
    w.start();
    w.record("checkout").state = state;
    change(&mut w);
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.2));
    w.minutes(8).unwrap();
    assert!(w.assess().triggers[0].tripped);
    w
}

fn change_of_payments() -> crate::domain::policy::Change {
    change("payments", "9.9.9")
}

fn clear(w: &mut World) {
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.01));
    w.minutes(15).unwrap();
    assert!(w.assess().triggers.iter().all(|t| !t.tripped));
}

/// The band's word about the hold, while it says HOLD.
fn said(w: &World) -> Option<String> {
    let s = w.assess();
    let of_trigger = |t: &String| t.contains("is held by trigger");
    let text = s
        .band
        .reasons
        .iter()
        .map(|r| r.text.clone())
        .find(of_trigger)?;
    assert_eq!(s.band.advice, Advice::Hold);
    Some(text)
}

fn refuses(w: &World) -> bool {
    let refused = w.permit("promote").err().unwrap_or_default();
    refused.iter().any(|r| r.rule == DEBT)
}

#[test]
fn a_canary_that_rests_between_steps_is_held_until_a_person_lets_it_go() {
    let mut w = tripped(DeployState::Paused, |_| {});
    assert_eq!(w.journal.debts[DEBT].owner, "ana");
    assert_eq!(w.count(Verb::Pause), 0, "it rests already");
    clear(&mut w);
    let text = said(&w).unwrap();
    assert!(!text.contains("goes on"), "{text}");
    assert!(refuses(&w));
    assert_eq!(w.assess().next.action, "resume");
    w.restart();
    assert!(refuses(&w), "after a crash, too");
    let request = w.request("resume", &[("reason", " ")]);
    assert!(w.decide(&request).is_err(), "with a reason");
    w.act("resume", &[("reason", "a test client")]).unwrap();
    assert_eq!(
        w.count(Verb::Resume),
        0,
        "the vendor was not paused from here"
    );
    assert!(!w.journal.debts.contains_key(DEBT));
    assert_eq!((said(&w), refuses(&w)), (None, false));
    assert!(w.permit("promote").is_ok());
}

#[rstest]
#[case("connector cd-connector cannot pause", |w: &mut World| {
    let cd = w.policy.connections.get_mut("cd").unwrap();
    cd.verbs.retain(|v| *v != Verb::Pause);
})]
#[case("the pause was refused", |w: &mut World| { w.vendors.refuses.insert(Verb::Pause); })]
#[case("nobody watching", |w: &mut World| w.observed.session.drives.clear())]
fn it_stands_where_nothing_pauses_it(#[case] why: &str, #[case] change: fn(&mut World)) {
    let mut w = tripped(DeployState::Running, change);
    assert!(w.journal.debts.contains_key(DEBT));
    clear(&mut w);
    let text = said(&w).unwrap();
    assert!(
        text.contains("the vendor goes on") && text.contains(why),
        "{text}"
    );
    assert!(refuses(&w));
    assert!(
        w.journal.debts.contains_key(DEBT),
        "nothing settles it by itself"
    );
    let armed = w.assess().band.armed;
    let nobody = why == "nobody watching";
    assert_eq!(
        armed == "hold not armed: nobody watching",
        nobody,
        "{armed}"
    );
    w.act("resume", &[]).unwrap();
    assert_eq!((said(&w), refuses(&w)), (None, false));
}

#[test]
fn what_was_paused_from_here_goes_on_and_is_not_paused_again() {
    let mut w = tripped(DeployState::Running, |_| {});
    assert_eq!(w.count(Verb::Pause), 1);
    let permit = w.permit("resume").unwrap();
    assert!(permit.warnings[0].contains("still tripped"), "{permit:?}");
    w.act("resume", &[]).unwrap();
    assert_eq!(w.count(Verb::Resume), 1);
    w.minutes(3).unwrap();
    assert!(w.assess().triggers[0].tripped);
    assert_eq!((w.count(Verb::Pause), refuses(&w)), (1, false));
    assert!(!w.journal.debts.contains_key(DEBT));
}

#[test]
fn settling_its_debt_lets_it_go_whatever_is_looked_at() {
    let mut w = tripped(DeployState::Paused, |_| {});
    w.observed.session.focus.0 = Some("z-other".into());
    w.read();
    w.act(&format!("settle/{DEBT}"), &[("how", "known, harmless")])
        .unwrap();
    w.observed.session.focus.0 = Some(RELEASE.into());
    w.read();
    clear(&mut w);
    assert_eq!((said(&w), refuses(&w)), (None, false));
    assert!(!w.journal.debts.contains_key(DEBT), "it does not come back");
}

#[test]
fn it_ends_with_a_rollback() {
    let mut w = tripped(DeployState::Paused, |_| {});
    w.act("rollback", &[]).unwrap();
    w.minutes(15).unwrap();
    assert!(!w.journal.debts.contains_key(DEBT));
    assert!(w.journal.release(RELEASE).unwrap().holds.is_empty());
    assert_eq!(w.assess().band.advice, Advice::Watching);
}

#[test]
fn what_was_not_sealed_holds_nothing_by_itself() {
    let mut w = tripped(DeployState::Paused, |_| {});
    w.record("checkout").state = DeployState::Running;
    w.quiet_minute();
    let pauses = |w: &World| {
        let keys = w.assess().owed.into_iter().map(|d| d.key);
        keys.filter(|k| k.starts_with("hold/")).count()
    };
    assert_eq!(pauses(&w), 1, "as sealed it does");
    w.events
        .retain(|e| !matches!(e.body, Body::ContractSealed { .. }));
    for (i, e) in w.events.iter_mut().enumerate() {
        e.seq = i as u64 + 1;
    }
    w.restart();
    let s = w.assess();
    assert!(s.triggers[0].tripped);
    assert_eq!((pauses(&w), refuses(&w)), (0, false));
    assert_eq!(s.band.armed, "hold not armed: the contract is not sealed");
}
