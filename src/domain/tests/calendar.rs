//! Plans and moves in the journal, and what the calendar answers on demand.

use std::collections::BTreeMap;

use chrono::Duration;

use crate::domain::assess::calendar_span;
use crate::domain::calendar::{About, CalendarSpan, Lane, Look, Scope, Suppose};
use crate::domain::event::Body;
use crate::domain::policy::RiskClass;
use crate::domain::situation::Permission;
use crate::domain::testkit::*;
use crate::domain::time::{Instant, Span};

fn look(days: i64) -> Look {
    let from = at("2026-11-16T00:00:00+01:00");
    Look {
        seq: 7,
        span: Span::new(from, from + Duration::days(days)),
        scope: Scope::default(),
        suppose: None,
        about: None,
        draft: None,
    }
}

fn ask(w: &World, look: &Look) -> CalendarSpan {
    calendar_span(&w.policy, &w.journal, &w.observed, w.now, look)
}

fn inputs(pairs: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let mut all = BTreeMap::from([
        ("id", "pay-48"),
        ("title", "payments 48"),
        ("environment", "production"),
        ("services", "payments 2.13.9→3.0.0"),
        ("start", "2026-11-18 10:00"),
        ("length", "45m"),
        ("driver", "lou"),
        ("author", ""),
        ("class", "high, regular"),
        ("deadlines", "code freeze tue 18:00, deploy wed 20:00"),
        ("after", RELEASE),
    ]);
    all.extend(pairs.iter().copied());
    all.into_iter().collect()
}

fn problems(w: &World, pairs: &[(&'static str, &'static str)]) -> Vec<String> {
    match w.decide(&w.request("plan", &inputs(pairs))) {
        Ok(_) => Vec::new(),
        Err(list) => list
            .into_iter()
            .map(|r| format!("{}: {}", r.rule.replace("input", "plan/input"), r.why))
            .collect(),
    }
}

#[test]
fn a_planned_release_is_a_release_everywhere() {
    let mut w = World::default();
    w.act("plan", &inputs(&[])).unwrap();
    let s = w.assess();
    let r = s.releases.iter().find(|r| r.plan.id == "pay-48").unwrap();
    assert_eq!(
        (r.plan.title.as_str(), r.plan.risk),
        ("payments 48", RiskClass::High)
    );
    assert_eq!(r.plan.planned, Some(at("2026-11-18T10:00:00+01:00")));
    assert_eq!(r.plan.length, Some(45 * 60));
    assert_eq!(
        r.plan.deadlines.code_freeze,
        Some(at("2026-11-17T18:00:00+01:00"))
    );
    assert_eq!(r.plan.depends_on, [RELEASE]);
    let c = s
        .calendar
        .releases
        .iter()
        .find(|r| r.id == "pay-48")
        .unwrap();
    assert!(c.note.starts_with("planned by ana 14:00"), "{}", c.note);
    let needs = crate::domain::needs::needs(&w.policy, &w.journal, w.now);
    assert!(needs.iter().any(|n| n.id == "artifact/payments/3.0.0"));
    // Its event is its own, whatever release is current, and survives a restart.
    assert_eq!(w.events.last().unwrap().release.as_deref(), Some("pay-48"));
    w.restart();
    assert!(w.assess().releases.iter().any(|r| r.plan.id == "pay-48"));
    assert!(
        problems(&w, &[])
            .iter()
            .any(|p| p == "plan/id: pay-48 is planned already")
    );
}

#[test]
fn what_is_typed_wrong_is_refused_with_its_field() {
    let w = World::default();
    for (field, text, why) in [
        ("id", "", "missing"),
        ("id", RELEASE, "is planned already"),
        ("id", "two words", "no spaces"),
        ("environment", "producton", "did you mean production?"),
        ("environment", "", "missing"),
        ("services", "paymnets 3.0.0", "did you mean payments?"),
        ("services", "", "missing"),
        ("services", "payments", "to which version of payments"),
        ("services", "payments 1→1", "where it comes from"),
        (
            "services",
            "payments 1.0, payments 2.0",
            "stands there twice",
        ),
        ("services", "payments 1 2 3", "is no version"),
        ("start", "", "missing"),
        ("start", "wed", "say the time of day"),
        ("start", "soonish", "is no date"),
        ("start", "2020-01-01 10:00", "in the past"),
        ("length", "3 parsecs", "is not a length"),
        ("length", "0m", "takes no time"),
        ("driver", "kay", "did you mean"),
        ("class", "hihg", "did you mean high?"),
        ("class", "normal 9h", "there are low, normal"),
        ("deadlines", "lunch 12:00", "is no deadline"),
        ("deadlines", "testing thu 12:00", "lies after the start"),
        ("deadlines", "deploy wed 09:00", "lies before the start"),
        (
            "deadlines",
            "testing tue 15:00, code freeze tue 18:00",
            "testing done lies before code freeze",
        ),
        ("deadlines", "code freeze soon", "is no date"),
        ("after", "shop-74", "did you mean shop-47?"),
        ("after", "pay-48", "not go after itself"),
    ] {
        let found = problems(&w, &[(field, text)]);
        // What is missing is said before anything is read.
        let wanted = if why.ends_with("missing") && text.is_empty() {
            "plan/".to_owned()
        } else {
            format!("plan/{field}: ")
        };
        assert!(
            found
                .iter()
                .any(|p| p.starts_with(&wanted) && p.contains(why)),
            "{field} {text:?}: {found:?}"
        );
    }
    assert!(problems(&w, &[]).is_empty());
    for text in [
        "payments 3.0.0",
        "payments@3.0.0",
        "payments 2.13.9->3.0.0, checkout >2.15.0",
    ] {
        assert!(problems(&w, &[("services", text)]).is_empty(), "{text}");
    }
}

#[test]
fn a_draft_is_judged_as_it_is_typed_and_saves_nothing() {
    let w = World::default();
    let typed = |pairs: &[(&'static str, &'static str)]| {
        let all = inputs(pairs).into_iter();
        Look {
            draft: Some(all.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()),
            ..look(7)
        }
    };
    let open = ask(&w, &typed(&[])).draft.unwrap();
    assert!(open.problems.is_empty(), "{open:?}");
    let text = |d: &crate::domain::calendar::Drafted, label: &str| {
        let found: Vec<_> = d
            .lines
            .iter()
            .filter(|l| l.label == label)
            .map(|l| l.text.clone())
            .collect();
        found.join("; ")
    };
    assert!(text(&open, "window").contains("open by"), "{open:?}");
    assert!(text(&open, "fit").starts_with("fits: needs"), "{open:?}");
    assert!(
        text(&open, "watch").contains("72") || text(&open, "watch").contains("3 d"),
        "{open:?}"
    );
    // Beyond the window, in the way of the file's release, and with a field that cannot be read.
    let shut = ask(&w, &typed(&[("start", "2026-11-18 22:00")]))
        .draft
        .unwrap();
    assert!(text(&shut, "window").contains("closed"), "{shut:?}");
    let meets = [
        ("start", "2026-11-17 14:20"),
        ("services", "checkout 9.0.0"),
        ("driver", ""),
    ];
    let meets = ask(&w, &typed(&meets)).draft.unwrap();
    assert!(text(&meets, "conflict").contains(RELEASE), "{meets:?}");
    let unread = ask(&w, &typed(&[("services", "")])).draft.unwrap();
    assert!(unread.lines.is_empty() && !unread.problems.is_empty());
    assert!(w.assess().releases.iter().all(|r| r.plan.id != "pay-48"));
}

fn moved(w: &World) -> (Option<Instant>, String) {
    let s = w.assess();
    let r = s
        .releases
        .iter()
        .find(|r| r.plan.id == RELEASE)
        .unwrap()
        .plan
        .planned;
    let c = s
        .calendar
        .releases
        .iter()
        .find(|r| r.id == RELEASE)
        .unwrap();
    (r, c.note.clone())
}

#[test]
fn the_journals_move_wins_until_the_file_says_something_new() {
    let mut w = World::default();
    let file = w.policy.releases[0].planned.unwrap();
    let key = format!("move/{RELEASE}");
    w.act(&key, &[("start", "2026-11-19T11:15:00+01:00")])
        .unwrap();
    let there = at("2026-11-19T11:15:00+01:00");
    let (planned, note) = moved(&w);
    assert_eq!(planned, Some(there));
    assert!(
        note.starts_with("moved by ana 14:00 (13:00 UTC) (file says "),
        "{note}"
    );
    // Moved again, it is still the same file that is moved.
    w.act(&key, &[("start", "2026-11-20T11:15:00+01:00")])
        .unwrap();
    let Body::ReleaseMoved {
        file: said, from, ..
    } = w.events.last().unwrap().body.clone()
    else {
        panic!("no move is journaled");
    };
    assert_eq!((said, from), (Some(file), Some(there)));
    assert_eq!(
        w.policy.releases[0].planned,
        Some(file),
        "the file stays as it is"
    );
    // The file is edited later: the newer word.
    w.policy.releases[0].planned = Some(file + Duration::days(3));
    assert_eq!(moved(&w), (Some(file + Duration::days(3)), String::new()));
    w.policy.releases[0].planned = Some(file);
    assert_eq!(moved(&w).0, Some(at("2026-11-20T11:15:00+01:00")));
}

#[test]
fn a_release_of_the_journal_moves_too_and_a_begun_one_does_not() {
    let mut w = World::default();
    w.act("plan", &inputs(&[])).unwrap();
    w.act("move/pay-48", &[("start", "2026-11-19 09:30")])
        .unwrap();
    let s = w.assess();
    let r = s.releases.iter().find(|r| r.plan.id == "pay-48").unwrap();
    assert_eq!(r.plan.planned, Some(at("2026-11-19T09:30:00+01:00")));
    let note = &s
        .calendar
        .releases
        .iter()
        .find(|r| r.id == "pay-48")
        .unwrap()
        .note;
    assert_eq!(note, "moved by ana 14:00 (13:00 UTC)");
    for (text, why) in [
        ("2020-01-01 10:00", "past"),
        ("never", "no date"),
        ("2026-11-19 09:30", "already"),
    ] {
        let refused = w.act("move/pay-48", &[("start", text)]).unwrap_err();
        assert!(refused[0].why.contains(why), "{text}: {refused:?}");
    }
    let w = World::deployed();
    let s = w.assess();
    assert!(
        matches!(&s.permits[&format!("move/{RELEASE}")], Permission::Refused(r) if r[0].why.contains("its start is over"))
    );
}

#[test]
fn a_move_that_was_overtaken_is_refused() {
    let mut w = World::default();
    let key = format!("move/{RELEASE}");
    let early = w.request(&key, &[("start", "2026-11-19 10:00")]);
    w.act(&key, &[("start", "2026-11-20 10:00")]).unwrap();
    assert_eq!(w.decide(&early).unwrap_err()[0].rule, "moved");
}

#[test]
fn lanes_hold_what_lasts() {
    let mut w = World::default();
    w.policy.freezes = vec![freeze(
        "quarter end",
        "2026-11-18T12:00:00",
        "2026-11-20T00:00:00",
    )];
    w.compile();
    let span = ask(&w, &look(7));
    let names = |lane| span.lane(lane).map(|b| b.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(Lane::Freeze), ["quarter end"]);
    assert_eq!(names(Lane::Cover), ["kai", "lou"]);
    assert_eq!(span.lane(Lane::Release).count(), 1);
    let release = span.lane(Lane::Release).next().unwrap();
    let watch = span.lane(Lane::Watch).next().unwrap();
    assert_eq!(
        release.span.end,
        Some(watch.span.start),
        "the watch begins with the last step"
    );
    assert_eq!(watch.span.length(), Some(Duration::hours(24)));
    // The strip has no hole and no two neighbours under one word, freezes aside.
    assert_eq!(span.strip.first().unwrap().span.start, look(7).span.start);
    assert_eq!(span.strip.last().unwrap().span.end, look(7).span.end);
    for pair in span.strip.windows(2) {
        assert_eq!(pair[0].span.end, Some(pair[1].span.start));
        assert!(pair[0].mark.word != pair[1].mark.word || pair[0].mark.word == "FREEZE");
    }
}

#[test]
fn a_scope_asks_for_others_and_says_what_it_does_not_know() {
    let w = World::default();
    let scoped = |scope: Scope| ask(&w, &Look { scope, ..look(7) });
    let some = |t: &str| Some(t.to_owned());
    let payments = scoped(Scope {
        service: some("payments"),
        ..Scope::default()
    });
    assert_eq!(payments.lane(Lane::Release).count(), 0);
    assert!(
        payments.whom.contains("payments in production"),
        "{}",
        payments.whom
    );
    let checkout = scoped(Scope {
        service: some("checkout"),
        ..Scope::default()
    });
    assert_eq!(checkout.lane(Lane::Release).count(), 1);
    let slip = scoped(Scope {
        service: some("paymnets"),
        environment: some("prodction"),
        ..Scope::default()
    });
    assert_eq!(slip.notes.len(), 2 + span_notes(&w), "{:?}", slip.notes);
    assert!(
        slip.notes[0].contains("did you mean payments?"),
        "{:?}",
        slip.notes
    );
}

fn span_notes(w: &World) -> usize {
    ask(w, &look(7)).notes.len()
}

#[test]
fn what_if_moves_a_release_or_now_and_changes_nothing() {
    let mut w = World::default();
    w.policy.freezes = vec![freeze(
        "quarter end",
        "2026-11-19T00:00:00",
        "2026-11-20T00:00:00",
    )];
    w.compile();
    let before = w.assess();
    let try_at = |text: &str| {
        let suppose = Some(Suppose::Release {
            id: RELEASE.into(),
            at: at(text),
        });
        ask(&w, &Look { suppose, ..look(7) })
    };
    let said = |s: &CalendarSpan, label: &str| {
        let what = s.what_if.as_ref().unwrap();
        let lines = what.lines.iter().filter(|l| l.label == label);
        lines.map(|l| l.text.clone()).collect::<Vec<_>>().join("; ")
    };
    let good = try_at("2026-11-18T10:00:00+01:00");
    assert_eq!(
        good.what_if.as_ref().unwrap().mark.word,
        "permitted",
        "{good:?}"
    );
    assert!(
        said(&good, "conflict").contains("quarter end"),
        "the watch meets it: {good:?}"
    );
    let bar = good.lane(Lane::Release).next().unwrap();
    assert!(bar.supposed && bar.span.start == at("2026-11-18T10:00:00+01:00"));
    let late = try_at("2026-11-18T16:30:00+01:00");
    assert_eq!(late.what_if.as_ref().unwrap().mark.word, "refused: fit");
    assert!(
        said(&late, "fit").contains("Closes in 30 min"),
        "{}",
        said(&late, "fit")
    );
    assert!(
        said(&late, "watch").starts_with("to Thu 19 Nov"),
        "{}",
        said(&late, "watch")
    );
    let night = try_at("2026-11-18T23:00:00+01:00");
    assert_eq!(night.what_if.as_ref().unwrap().mark.word, "refused: window");
    let frozen = try_at("2026-11-19T10:00:00+01:00");
    assert_eq!(
        frozen.what_if.as_ref().unwrap().mark.word,
        "refused: freeze"
    );
    // A supposed hour makes no calendar and no schedule stale.
    let now = Some(Suppose::Now {
        at: at("2026-11-19T10:00:00+01:00"),
    });
    let now = ask(
        &w,
        &Look {
            suppose: now,
            ..look(7)
        },
    );
    let what = now.what_if.as_ref().unwrap();
    assert_eq!(what.mark.word, "refused: freeze", "{what:?}");
    assert_eq!(what.was, Some(w.now.world));
    assert_eq!(w.assess(), before);
}

#[test]
fn a_fact_too_old_stays_too_old_in_a_what_if() {
    let mut w = World::default();
    let open = |w: &World| {
        let suppose = Some(Suppose::Release {
            id: RELEASE.into(),
            at: at("2026-11-18T10:00:00+01:00"),
        });
        ask(w, &Look { suppose, ..look(7) })
            .what_if
            .unwrap()
            .mark
            .word
    };
    assert_eq!(open(&w), "permitted");
    // Nothing is read for hours: who is on call is stale then as it is now.
    w.set_now(w.now.world + Duration::hours(5));
    assert_eq!(open(&w), "refused: cover");
}

#[test]
fn evidence_names_every_rule_that_touches_a_day_or_a_release() {
    let mut w = World::default();
    let mut f = freeze("quarter end", "2026-11-18T12:00:00", "2026-11-20T00:00:00");
    f.owner = Some("finance".into());
    w.policy.freezes = vec![f];
    w.compile();
    let about = |about| {
        ask(
            &w,
            &Look {
                about: Some(about),
                ..look(1)
            },
        )
        .evidence
        .unwrap()
    };
    let day = at("2026-11-18T00:00:00+01:00");
    let lane = "FREEZE quarter end: Wed 18 Nov 2026 12:00 CET (11:00 UTC) – Fri 20 Nov";
    let e = about(About::Span {
        span: Span::new(day, day + Duration::days(1)),
        title: "Wed".into(),
    });
    let text: Vec<String> = e.lines.iter().map(|(l, v)| format!("{l} {v}")).collect();
    let text = text.join("\n");
    for words in [
        lane,
        "owner finance",
        "on call kai",
        "open Wed 18 Nov",
        "(11:00 UTC)",
    ] {
        assert!(text.contains(words), "no {words}:\n{text}");
    }
    let e = about(About::Release(RELEASE.into()));
    let labels: Vec<&str> = e.lines.iter().map(|(l, _)| l.as_str()).collect();
    for label in [
        "start", "change", "driver", "window", "fit", "cover", "watch",
    ] {
        assert!(labels.contains(&label), "no {label}: {labels:?}");
    }
}

#[test]
fn a_window_that_an_unread_calendar_may_close_is_not_green() {
    let mut w = World::default();
    w.policy
        .calendars
        .push(crate::domain::policy::CalendarSource {
            name: "company".into(),
            connection: "ical".into(),
            ..Default::default()
        });
    w.compile();
    let span = ask(&w, &look(7));
    let tones = span
        .bars
        .iter()
        .map(|b| b.mark.tone)
        .chain(span.strip.iter().map(|s| s.mark.tone));
    assert!(
        tones
            .into_iter()
            .all(|t| t != crate::domain::situation::Tone::Pass)
    );
    assert!(
        span.notes
            .iter()
            .any(|n| n == "unknown: calendar company was not read"),
        "{:?}",
        span.notes
    );
    let suppose = Some(Suppose::Release {
        id: RELEASE.into(),
        at: at("2026-11-18T10:00:00+01:00"),
    });
    let what = ask(&w, &Look { suppose, ..look(7) }).what_if.unwrap();
    assert_eq!(what.mark.word, "unknown");
}

#[test]
fn five_hundred_releases_are_drawn_in_part_and_the_rest_is_counted() {
    let mut w = World::default();
    for n in 0..900 {
        let mut r = release(&format!("r{n}"), vec![change("payments", "9.0.0")]);
        r.planned = Some(tuesday() + Duration::minutes(n));
        w.policy.releases.push(r);
    }
    let span = ask(&w, &look(42));
    let told = span.lane(Lane::Release).count();
    let more: usize = span
        .more
        .iter()
        .filter(|(l, _)| *l == Lane::Release)
        .map(|(_, n)| n)
        .sum();
    assert_eq!(told + more, 901);
    assert!(told >= 500, "{told}");
}
