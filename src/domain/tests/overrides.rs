//! Overrides with a second person, the broken glass, and what a freeze strands (SEMANTICS 2).

use chrono::Duration;
use rstest::rstest;

use crate::domain::act::Verb;
use crate::domain::event::Body;
use crate::domain::situation::{Advice, OverrideView, Refusal, Task};
use crate::domain::testkit::*;
use crate::domain::window::Strength;

const RULE: &str = "freeze/quarter end";
const KEY: &str = "override/freeze/quarter end";
const DECLINE: &str = "decline_override/freeze/quarter end";
const GLASS: &str = "break_glass/freeze/quarter end";

/// Ready to start, under a freeze; ana (release-manager) sits at the keys.
fn frozen(strength: Strength, roles: &[&str]) -> World {
    let mut w = World::default();
    w.act("seal", &[]).unwrap();
    w.act("tick/tests", &[]).unwrap();
    let mut f = freeze("quarter end", "2026-11-16", "2026-11-19");
    f.strength = strength;
    f.override_by = roles.iter().map(|r| (*r).to_owned()).collect();
    w.policy.freezes = vec![f];
    w.compile();
    w
}

fn asked() -> World {
    let mut w = frozen(Strength::Hard, &[]);
    w.act(KEY, &[("reason", "the shop burns")]).unwrap();
    w
}

fn sit(w: &mut World, name: &str) {
    w.observed.session.actor = name.into();
}

fn later(w: &mut World, by: Duration) {
    w.set_now(w.now.world + by);
    w.read();
}

fn refused(w: &World, rule: &str) -> Option<Refusal> {
    let list = w.permit("deploy").err()?;
    list.into_iter().find(|r| r.rule == rule)
}

fn shown(w: &World) -> Vec<OverrideView> {
    w.assess().clearance.overrides
}

#[test]
fn a_hard_freeze_is_asked_about_and_confirmed_by_a_second_person() {
    let mut w = frozen(Strength::Hard, &[]);
    let why = refused(&w, RULE).unwrap();
    assert_eq!(why.until, Some(at("2026-11-19T00:00:00+01:00")));
    assert!(why.overridable && why.owner.as_deref() == Some("finance"));
    let p = w.permit(KEY).unwrap();
    assert_eq!(p.title, "Ask to override freeze/quarter end");
    assert_eq!(p.typed.as_deref(), Some("checkout"));
    assert!(
        p.effects
            .iter()
            .any(|e| e.contains("ben or kai or lou has to confirm it, not you")),
        "{:?}",
        p.effects
    );
    w.act(KEY, &[("reason", "the shop burns")]).unwrap();
    // Asked, on every face, and still refused.
    let o = shown(&w).remove(0);
    assert_eq!((o.mark.word.as_str(), o.by.as_str()), ("asked", "ana"));
    assert_eq!(o.may, ["ben", "kai", "lou"]);
    assert_eq!(o.until, w.now.world + Duration::hours(2));
    let s = w.assess();
    assert!(
        s.calendar.reasons.contains(&o.said),
        "{:?}",
        s.calendar.reasons
    );
    assert_eq!(s.next.verb, "wait for the second person");
    let why = refused(&w, RULE).unwrap();
    assert!(
        why.way_out
            .unwrap()
            .contains("ana asked to override it: ben or kai or lou may confirm until 16:00")
    );
    assert!(w.journal.debts.is_empty(), "nothing is owed for asking");
    // The second person confirms by word at the asker's keys.
    w.act(KEY, &[("second", "lou")]).unwrap();
    assert!(refused(&w, RULE).is_none() && w.permit("deploy").is_ok());
    let o = shown(&w).remove(0);
    assert_eq!(o.mark.word, "in force");
    assert_eq!(
        o.second,
        Some(("lou".into(), "by word, taken by ana".into()))
    );
    let debt = &w.journal.debts[&format!("{RELEASE}/{KEY}")];
    assert_eq!(
        (debt.owner.as_str(), debt.due),
        ("ana", w.now.world + Duration::hours(2))
    );
    let text = w.assess().journal[0].text.clone();
    assert_eq!(
        text,
        "overrode freeze/quarter end: the shop burns; asked by ana; second person lou (by word, taken by ana)"
    );
}

/// Whatever the name is written like: as in [people], as the login, as a vendor knows her.
#[rstest]
#[case("ana")]
#[case("Ana")]
#[case(" ANA ")]
#[case("U-ana")]
#[case("u-ANA")]
fn the_one_who_asked_is_refused_as_second_person(#[case] name: &str) {
    for seat in ["ana", "lou"] {
        let mut w = asked();
        sit(&mut w, seat);
        let why = w.act(KEY, &[("second", name)]).unwrap_err();
        assert_eq!(
            why[0].why,
            "ana asked for it: the second person is somebody else"
        );
        assert_eq!(
            why[0].way_out.as_deref(),
            Some("ben or kai or lou may confirm it")
        );
        assert!(refused(&w, RULE).is_some());
    }
}

#[test]
fn a_second_person_at_their_own_keys_is_known_by_the_os_user() {
    let mut w = asked();
    sit(&mut w, "lou");
    let p = w.permit(KEY).unwrap();
    assert_eq!(p.title, "Confirm the override of freeze/quarter end");
    assert_eq!(p.inputs[0].default, "lou");
    w.act(KEY, &[]).unwrap();
    assert_eq!(shown(&w)[0].second, Some(("lou".into(), "os user".into())));
    assert_eq!(
        w.journal.debts[&format!("{RELEASE}/{KEY}")].owner,
        "ana",
        "who asked owes it"
    );
    // The asker's own dialog is not filled in with her name.
    let w = asked();
    assert_eq!(w.permit(KEY).unwrap().inputs[0].default, "");
}

/// Roles that the rule lets, whether it is hard; who asks; at once, or confirmed by whom.
#[rstest]
#[case(Strength::Soft, &[], "ana", None)]
#[case(Strength::Soft, &["release-manager"], "ana", None)]
#[case(Strength::Soft, &["release-manager"], "ben", Some("ana or lou"))]
#[case(Strength::Soft, &["service-owner"], "ana", Some("ben or kai"))]
#[case(Strength::Hard, &[], "ben", Some("ana or kai or lou"))]
#[case(Strength::Hard, &["release-manager"], "ana", Some("ben or kai or lou"))]
#[case(Strength::Hard, &["release-manager"], "ben", Some("ana or lou"))]
fn one_of_the_two_holds_a_role_that_the_rule_lets(
    #[case] strength: Strength,
    #[case] roles: &[&str],
    #[case] asker: &str,
    #[case] confirmed_by: Option<&str>,
) {
    let mut w = frozen(strength, roles);
    sit(&mut w, asker);
    w.act(KEY, &[("reason", "now")]).unwrap();
    let Some(names) = confirmed_by else {
        assert!(refused(&w, RULE).is_none());
        assert_eq!(shown(&w)[0].second, None);
        assert!(
            w.permit(GLASS).is_err_and(|list| list.is_empty()),
            "there is no glass"
        );
        return;
    };
    assert!(refused(&w, RULE).is_some());
    for other in ["ana", "ben", "kai", "lou", "eve", ""] {
        let mut w = w.clone();
        let done = w.act(KEY, &[("second", other)]);
        let may = names.split(" or ").any(|n| n == other);
        assert_eq!(done.is_ok(), may, "{other}: {done:?}");
        if !may && other == "eve" {
            let why = done.unwrap_err().remove(0);
            assert_eq!(why.why, "eve may not confirm it");
            assert_eq!(why.way_out, Some(format!("{names} may")));
        }
    }
}

#[test]
fn a_role_that_nobody_holds_is_said() {
    let w = frozen(Strength::Hard, &["cfo"]);
    let why = w.permit(KEY).unwrap_err().remove(0);
    assert!(
        why.why.contains("one of: cfo, and nobody in [people]"),
        "{}",
        why.why
    );
    assert!(
        why.way_out
            .unwrap()
            .contains("you are ana with roles release-manager")
    );
    assert!(w.permit(GLASS).is_ok(), "nobody could answer");
}

#[test]
fn a_request_survives_a_crash_and_is_over_to_the_second() {
    let mut w = asked();
    w.restart();
    assert_eq!(shown(&w)[0].mark.word, "asked");
    let mut late = w.clone();
    later(&mut late, Duration::hours(2) - Duration::seconds(1));
    assert_eq!(shown(&late)[0].mark.word, "asked");
    later(&mut late, Duration::seconds(1));
    assert!(shown(&late).is_empty());
    assert_eq!(
        late.permit(KEY).unwrap().title,
        "Ask to override freeze/quarter end"
    );
    w.act(KEY, &[("second", "kai")]).unwrap();
    w.restart();
    assert_eq!(shown(&w)[0].mark.word, "in force");
}

#[test]
fn an_override_ends_to_the_second_and_never_lasts_longer_than_a_day() {
    for (configured, hours) in [(2 * 3600, 2), (48 * 3600, 24)] {
        let mut w = frozen(Strength::Hard, &[]);
        w.policy.limits.override_lasts = configured;
        w.act(KEY, &[]).unwrap();
        later(&mut w, Duration::minutes(30));
        w.act(KEY, &[("second", "lou")]).unwrap();
        later(&mut w, Duration::hours(hours) - Duration::seconds(1));
        assert!(
            refused(&w, RULE).is_none(),
            "{hours} h from the confirmation"
        );
        later(&mut w, Duration::seconds(1));
        assert!(refused(&w, RULE).is_some());
        let debt = w.assess().debts.remove(0);
        later(&mut w, Duration::seconds(1));
        assert!(
            !debt.overdue && w.assess().debts[0].overdue,
            "the debt is left"
        );
    }
}

#[test]
fn a_request_is_declined_or_withdrawn() {
    for (who, verb) in [("ana", "Withdraw"), ("lou", "Decline")] {
        let mut w = asked();
        sit(&mut w, who);
        assert!(w.permit(DECLINE).unwrap().title.starts_with(verb));
        w.act(DECLINE, &[("reason", "not today")]).unwrap();
        assert!(shown(&w).is_empty() && refused(&w, RULE).is_some());
        assert!(w.permit(DECLINE).is_err());
        assert!(
            w.assess().journal[0]
                .text
                .contains(&format!("by {who}: not today"))
        );
    }
}

/// What was confirmed is what was shown: a request that was withdrawn and made anew has another basis.
#[test]
fn a_confirmation_is_bound_to_the_request_that_was_shown() {
    let mut w = asked();
    let request = w.request(KEY, &[("second", "lou")]);
    w.act(DECLINE, &[]).unwrap();
    later(&mut w, Duration::seconds(30));
    w.act(KEY, &[("reason", "something else")]).unwrap();
    assert_eq!(w.decide(&request).unwrap_err()[0].rule, "moved");
}

#[test]
fn the_glass_is_broken_only_where_nobody_answers() {
    let mut w = frozen(Strength::Hard, &[]);
    let why = w.permit(GLASS).unwrap_err().remove(0);
    assert_eq!(
        why.why,
        "nobody was asked yet: the glass is for when nobody answers"
    );
    w.act(KEY, &[("reason", "the shop burns")]).unwrap();
    later(&mut w, Duration::seconds(299));
    let why = w.permit(GLASS).unwrap_err().remove(0);
    assert_eq!(why.why, "ben or kai or lou was asked and may still answer");
    assert_eq!(why.until, Some(w.now.world + Duration::seconds(1)));
    later(&mut w, Duration::seconds(1));
    let p = w.permit(GLASS).unwrap();
    assert_eq!(p.typed.as_deref(), Some("checkout"));
    assert_eq!(p.inputs[0].default, "the shop burns");
    assert!(
        p.effects
            .iter()
            .any(|e| e == "finance and kai are told over chat"),
        "{:?}",
        p.effects
    );
    assert!(
        w.decide(&crate::domain::situation::Request {
            inputs: [("reason".to_owned(), "now".to_owned())].into(),
            action: GLASS.into(),
            basis: p.basis.clone(),
        })
        .is_err(),
        "the service's name is typed"
    );
    w.act(GLASS, &[("reason", "the shop burns, nobody answers")])
        .unwrap();
    assert!(refused(&w, RULE).is_none());
    assert!(shown(&w)[0].break_glass);
    let told: Vec<_> = w
        .vendors
        .done
        .iter()
        .filter(|a| a.verb == Verb::PostMessage)
        .collect();
    assert_eq!(told.len(), 1);
    let text = told[0].args["text"].as_str().unwrap();
    for word in [
        "finance, kai: BREAK GLASS. ana overrode freeze/quarter end",
        "checkout",
        "nobody answers",
    ] {
        assert!(text.contains(word), "{text}");
    }
    // Both debts: the override, and its review within a day.
    let review = &w.journal.debts[&format!("{RELEASE}/break-glass/{RULE}")];
    assert_eq!(review.due, w.now.world + Duration::hours(24));
    assert_eq!(w.assess().debts.len(), 2);
    w.engine().unwrap();
    assert_eq!(w.count(Verb::PostMessage), 1, "told once");
}

#[test]
fn a_broken_glass_is_told_also_after_a_crash_and_reviewed_by_somebody_else() {
    let mut w = asked();
    later(&mut w, Duration::minutes(5));
    let request = w.request(GLASS, &[("reason", "fire")]);
    let duties = w.decide(&request).unwrap();
    assert!(
        matches!(duties[0].task, Task::Record { .. }),
        "journaled first"
    );
    w.duty(duties[0].clone()).unwrap();
    w.restart();
    w.minutes(1).unwrap();
    assert_eq!(w.count(Verb::PostMessage), 1);
    w.restart();
    w.minutes(1).unwrap();
    assert_eq!(
        w.count(Verb::PostMessage),
        1,
        "once, also after another crash"
    );
    // Handed on, it still is not closed without the review.
    w.act(&format!("settle/{RELEASE}/{KEY}"), &[("how", "over")])
        .unwrap();
    let id = format!("{RELEASE}/break-glass/{RULE}");
    w.append(Body::DebtHanded {
        debt: id.clone(),
        to: "lou".into(),
        due: w.now.world + Duration::hours(20),
    });
    let why = w.permit("close").unwrap_err();
    assert!(
        why.iter()
            .any(|r| r.why.contains("REVIEW") && r.why.contains("(mandatory)")),
        "{why:?}"
    );
    let settle = format!("settle/{id}");
    for same in ["ana", "U-ANA"] {
        let why = w
            .act(&settle, &[("reviewer", same), ("how", "fine")])
            .unwrap_err();
        assert_eq!(why[0].why, "ana broke the glass: somebody else reviews it");
    }
    w.act(&settle, &[("reviewer", "lou"), ("how", "it was right")])
        .unwrap();
    assert!(
        w.assess().journal[0]
            .text
            .contains("reviewed by lou (by word, taken by ana): it was right")
    );
    w.act("close", &[]).unwrap();
}

#[test]
fn window_fit_and_cover_are_overridden_by_anybody_with_a_reason() {
    let mut w = frozen(Strength::Soft, &[]);
    w.policy.freezes.clear();
    w.set_now(at("2026-11-17T16:30:00+01:00"));
    w.read();
    w.compile();
    sit(&mut w, "ben");
    let mut request = w.request("override/fit", &[]);
    request.inputs.insert("reason".into(), " ".into());
    assert_eq!(w.decide(&request).unwrap_err()[0].why, "reason is missing");
    w.act("override/fit", &[]).unwrap();
    assert!(w.permit("deploy").is_ok());
}

#[test]
fn a_rollback_journals_the_freeze_it_crosses() {
    let mut w = World::deployed();
    w.minutes(2).unwrap();
    w.policy.freezes = vec![freeze("quarter end", "2026-11-16", "2026-11-19")];
    w.compile();
    w.act("rollback", &[("reason", "drill")]).unwrap();
    let state = w.journal.release(RELEASE).unwrap();
    assert_eq!(state.crossed.len(), 1);
    assert_eq!(state.crossed[0].0, "quarter end");
    assert!(state.plans.len() == 1 && state.crossed[0].1 == state.plans[0].plan.id);
}

#[test]
fn a_freeze_that_begins_strands_the_rollout_and_says_the_ways_out() {
    let mut w = World::deployed();
    w.minutes(2).unwrap();
    let mut f = freeze("flash sale", "2026-11-17T14:30:00", "2026-11-18T08:00:00");
    w.policy.freezes = vec![f.clone()];
    w.compile();
    let s = w.assess();
    let one = &s.clearance.stranded[0];
    assert_eq!(
        (one.what.as_str(), one.service.as_deref()),
        ("rollout", Some("checkout"))
    );
    assert_eq!(one.begins, Some(at("2026-11-17T14:30:00+01:00")));
    assert_eq!(
        one.said,
        "freeze flash sale begins 14:30 (13:30 UTC): checkout of shop-47 is under way at 10 %: finish, hold or roll back"
    );
    let actions: Vec<&str> = one.offers.iter().map(|(_, a)| a.as_str()).collect();
    assert_eq!(actions, ["promote", "pause", "rollback"]);
    for action in ["pause", "rollback"] {
        assert!(w.permit(action).is_ok(), "{action} passes every freeze");
    }
    assert!(s.calendar.reasons.contains(&one.said));
    assert!(
        s.band.reasons.iter().any(|r| r.text == one.said),
        "{:?}",
        s.band
    );
    assert!(
        s.evidence["calendar"]
            .lines
            .iter()
            .any(|(_, text)| *text == one.said)
    );
    // In force, and held: it is the hold that is stranded.
    f.schedule = freeze("flash sale", "2026-11-17", "2026-11-18").schedule;
    w.policy.freezes = vec![f];
    w.compile();
    w.act("pause", &[("reason", "wait for trade")]).unwrap();
    w.minutes(1).unwrap();
    let s = w.assess();
    let one = &s.clearance.stranded[0];
    assert_eq!((one.what.as_str(), one.begins), ("hold", None));
    assert!(
        one.said
            .contains("is in force: checkout of shop-47 is held at 10 % by"),
        "{}",
        one.said
    );
    assert_eq!(s.band.advice, Advice::Hold);
}

#[test]
fn a_freeze_strands_a_queued_release_and_a_watch() {
    let mut w = frozen(Strength::Soft, &[]);
    let queued = w.assess().clearance.stranded;
    assert_eq!(queued.len(), 1);
    assert_eq!(queued[0].what, "queued release");
    assert!(
        queued[0].said.contains("shop-47 is queued for 14:00"),
        "{}",
        queued[0].said
    );
    // Overridden, it is not stranded any more; nor is one that is planned for afterwards.
    let mut over = w.clone();
    over.act(KEY, &[]).unwrap();
    assert!(over.assess().clearance.stranded.is_empty());
    w.policy.releases[0].planned = Some(at("2026-11-20T10:00:00+01:00"));
    assert!(w.assess().clearance.stranded.is_empty());
    let mut w = World::shipped();
    w.policy.freezes = vec![freeze("quarter end", "2026-11-16", "2026-11-19")];
    w.compile();
    assert_eq!(w.assess().clearance.stranded[0].what, "watch");
}
