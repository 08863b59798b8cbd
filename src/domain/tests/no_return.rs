//! Past the point of no return: nothing goes back by itself, and a person says so word for word (SEMANTICS 7, 8).

use chrono::Duration;
use rstest::rstest;

use crate::domain::event::Body;
use crate::domain::policy::{Policy, Reversible, Then};
use crate::domain::situation::{Advice, PassportLine, Situation};
use crate::domain::testkit::*;
use crate::domain::verdict::Verdict;

/// checkout is bad and its trigger tripped.
fn bad(change: impl FnOnce(&mut Policy)) -> World {
    let mut p = policy();
    change(&mut p);
    let mut w = World::new(p);
    w.start();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.2));
    w.minutes(8).unwrap();
    w
}

fn automatic(p: &mut Policy) {
    p.services[0].triggers[0].then = Then::Automatic;
}

fn plans(w: &World) -> usize {
    let keys = w.assess().owed.into_iter().map(|d| d.key);
    keys.filter(|k| k.starts_with("plan/")).count()
}

/// As if a countdown had run out.
fn run_out(w: &mut World, key: &str) {
    let began = w.now.real - Duration::seconds(90);
    w.observed.session.countdowns.insert(key.to_owned(), began);
}

fn by_glob(p: &mut Policy) {
    p.services[0].irreversible = vec!["**/basket.rs".into()];
    p.releases[0].changes[0].reversible = Reversible::Undeclared;
}

fn declared(p: &mut Policy) {
    p.releases[0].changes[0].reversible = Reversible::No;
}

#[rstest]
#[case(declared)]
#[case(by_glob)]
fn an_automatic_trigger_never_acts_past_it(#[case] one_way: fn(&mut Policy)) {
    let able = bad(automatic);
    let key = able.assess().counting[0].clone();
    let mut w = bad(|p| {
        automatic(p);
        one_way(p);
    });
    run_out(&mut w, &key);
    let s = w.assess();
    assert_eq!(s.counting, Vec::<String>::new());
    assert_eq!((plans(&w), s.band.countdown), (0, None));
    assert_eq!(s.band.armed, "not armed: past the point of no return");
    assert_eq!(s.band.advice, Advice::RollForward);
    let mut able = able;
    run_out(&mut able, &key);
    assert_eq!(plans(&able), 1, "where there is a way back it acts");
}

#[test]
fn paths_that_were_not_read_are_no_leave_to_act_and_what_was_found_stays_found() {
    let mut unread = bad(|p| {
        automatic(p);
        by_glob(p);
        p.services[0].irreversible = vec!["**/migrations/**".into()];
    });
    assert_eq!(unread.assess().counting.len(), 1);
    unread
        .observed
        .feeds
        .retain(|k, _| !k.starts_with("commits/"));
    let s = unread.assess();
    assert!(s.counting.is_empty());
    assert!(s.band.armed.contains("not known"), "{}", s.band.armed);
    let mut stale = bad(by_glob);
    stale.silent = vec!["commits/".into()];
    for _ in 0..30 {
        stale.quiet_minute();
    }
    assert_eq!(stale.assess().band.advice, Advice::RollForward);
}

#[test]
fn the_key_is_roll_forward_and_asks_for_the_words() {
    let mut w = bad(declared);
    let s = w.assess();
    assert_eq!(
        (s.next.action.as_str(), s.next.verb.as_str()),
        ("rollback", "roll forward")
    );
    let why = "checkout 2.14.0 is declared not reversible";
    assert!(s.next.why.contains(why), "{}", s.next.why);
    assert!(s.band.reasons.iter().any(|r| r.text == why));
    let permit = w.permit("rollback").unwrap();
    assert!(permit.title.starts_with("Roll forward"), "{}", permit.title);
    assert!(permit.effects[0].starts_with("roll forward"));
    for wrong in ["", "because", "No Way Back"] {
        let request = w.request("rollback", &[("acknowledge", wrong)]);
        let why = w.decide(&request).unwrap_err();
        assert!(why[0].why.contains("no way back"), "{wrong}: {why:?}");
    }
    w.act("rollback", &[("acknowledge", "no way back")])
        .unwrap();
    assert_eq!(w.assess().band.advice, Advice::RollingBack);
    // Where a release is planned that mends it, that is the way.
    let mut w = bad(|p| {
        declared(p);
        let mut mends = release("shop-48", vec![change("checkout", "2.14.1")]);
        mends.planned = mends.planned.map(|t| t + Duration::days(2));
        p.releases.push(mends);
    });
    w.observed.session.focus.0 = Some(RELEASE.into());
    let next = w.assess().next;
    assert_eq!(
        (next.action.as_str(), next.verb.as_str()),
        ("releases", "roll forward")
    );
    assert!(next.why.contains("shop-48"), "{}", next.why);
}

#[test]
fn another_service_past_it_does_not_take_the_way_back_of_the_one_that_is_bad() {
    let mut p = policy();
    let mut other = change("payments", NEW);
    other.reversible = Reversible::No;
    p.releases[0].changes.push(other);
    automatic(&mut p);
    let mut w = World::new(p);
    w.start();
    // payments goes first, by itself and to the end.
    for _ in 0..2 {
        w.minutes(12).unwrap();
        w.act("promote", &[]).unwrap();
    }
    w.minutes(12).unwrap();
    w.act("deploy", &[]).unwrap();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.2));
    w.minutes(8).unwrap();
    let s = w.assess();
    assert!(s.passports.iter().any(|p| p.no_return.is_some()));
    assert_eq!(s.band.advice, Advice::RollBack);
    assert_eq!(s.next.verb, "roll back");
    // The plan would take payments back too: that is nothing to do without a person.
    assert!(s.counting.is_empty());
    let permit = w.permit("rollback").unwrap();
    assert!(permit.inputs.iter().any(|i| i.key == "acknowledge"));
}

const EVENT: &str = "the old column is dropped";

#[test]
fn an_event_that_a_person_notes_ends_the_way_back_of_its_own_release() {
    let mut w = bad(|p| {
        p.releases[0].changes[0].reversible = Reversible::Until(EVENT.into());
        p.releases
            .push(release("z-other", vec![change("payments", "9.9.9")]));
    });
    w.append_for(Some("z-other"), Body::Noted { text: EVENT.into() });
    assert_eq!(
        w.assess().band.advice,
        Advice::RollBack,
        "another release's note"
    );
    let permit = w.permit("note").unwrap();
    assert!(permit.effects[0].contains(EVENT), "{:?}", permit.effects);
    assert!(w.decide(&w.request("note", &[("text", " ")])).is_err());
    w.act("note", &[("text", "The old column is DROPPED ")])
        .unwrap();
    assert_eq!(w.assess().band.advice, Advice::RollForward);
    assert!(
        w.permit("note").unwrap().effects.is_empty(),
        "it is on record"
    );
    // It is not forgotten when the journal grows long, nor after a crash.
    for n in 0..1100 {
        w.append(Body::Noted {
            text: format!("note {n}"),
        });
    }
    w.restart();
    assert_eq!(w.assess().band.advice, Advice::RollForward);
}

fn migrations(w: &World) -> PassportLine {
    let s: Situation = w.assess();
    let lines = &s.passports[0].lines;
    lines.iter().find(|l| l.id == "migrations").unwrap().clone()
}

#[test]
fn what_nobody_declared_and_nobody_looked_for_is_not_green() {
    let mut w = World::default();
    assert_eq!(migrations(&w).verdict, Verdict::Pass);
    assert_eq!(migrations(&w).note, "declared reversible");
    w.policy.releases[0].changes[0].reversible = Reversible::Undeclared;
    let line = migrations(&w);
    assert!(matches!(line.verdict, Verdict::NotRun { .. }), "{line:?}");
    assert!(line.note.contains("set reversible"), "{}", line.note);
    w.policy.services[0].irreversible = vec!["**/migrations/**".into()];
    assert_eq!(
        migrations(&w).verdict,
        Verdict::Pass,
        "looked for, none found"
    );
    w.policy.services[0].irreversible = vec!["src/*".into()];
    let line = migrations(&w);
    assert_eq!(line.verdict, Verdict::Fail);
    assert!(line.note.contains("src/basket.rs"), "{}", line.note);
    w.policy.releases[0].changes[0].reversible = Reversible::Yes;
    let line = migrations(&w);
    assert_eq!(line.verdict, Verdict::Pass);
    assert!(line.note.contains("src/basket.rs"), "{}", line.note);
}

#[test]
fn a_rollback_that_would_be_refused_is_not_armed_and_says_so() {
    let mut w = bad(automatic);
    let key = w.assess().counting[0].clone();
    run_out(&mut w, &key);
    let mut frozen = freeze("quarter end", "2026-11-16", "2026-11-19");
    frozen.rollback = crate::domain::window::RollbackUnder::Override;
    let mut stopped = w.clone();
    stopped.policy.freezes = vec![frozen];
    stopped.compile();
    let refused = stopped.permit("rollback").unwrap_err()[0].why.clone();
    let s = stopped.assess();
    assert_eq!(s.band.armed, format!("not armed: {refused}"));
    assert_eq!((s.counting.len(), s.band.countdown), (0, None));
    assert_eq!((plans(&stopped), s.next.action.as_str()), (0, "rollback"));
    let said = format!("no rollback by itself: {refused}");
    assert!(
        s.band.reasons.iter().any(|r| r.text == said),
        "{:?}",
        s.band.reasons
    );
    // A target that only a person can pick.
    let mut pick = w.clone();
    pick.events
        .retain(|e| !matches!(e.body, Body::EarnedHealthy { .. }));
    for (i, e) in pick.events.iter_mut().enumerate() {
        e.seq = i as u64 + 1;
    }
    pick.restart();
    let s = pick.assess();
    assert!(pick.permit("rollback").is_ok());
    assert!(
        s.band.armed.contains("picked by a person"),
        "{}",
        s.band.armed
    );
    assert_eq!(plans(&pick), 0);
    assert_eq!(plans(&w), 1, "without either it goes back");
}
