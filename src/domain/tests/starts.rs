//! May a start happen at T: rules, fit and cover, and the first change, against every minute.

use chrono::Duration;

use crate::domain::assess::{ReasonKind, StartAnswer, StartQuestion, StartState, Starts};
use crate::domain::record::Oncall;
use crate::domain::testkit::*;
use crate::domain::time::Instant;
use crate::domain::window::Target;

fn question(rules_only: bool) -> StartQuestion {
    StartQuestion {
        target: Target {
            service: Some("checkout".into()),
            environment: Some("production".into()),
            team: Some("shop".into()),
            ..Target::default()
        },
        rules_only,
    }
}

fn ask(w: &World, rules_only: bool, times: &[Instant]) -> Vec<StartAnswer> {
    let mut starts = Starts::new(
        &w.policy,
        &w.journal,
        &w.observed,
        w.now,
        question(rules_only),
    );
    times.iter().map(|at| starts.at(*at)).collect()
}

fn one(w: &World, time: &str) -> StartAnswer {
    ask(w, false, &[at(time)]).remove(0)
}

fn shift(person: &str, from: &str, until: &str) -> Oncall {
    Oncall {
        from: Some(at(from)),
        until: Some(at(until)),
        ..oncall(1, person)
    }
}

/// Open Monday to Friday 9 to 17 in Berlin, frozen from Thursday noon on, on call until Wednesday 11:00 and from 13:00 on.
fn world() -> World {
    let mut p = policy();
    p.freezes = vec![freeze(
        "audit",
        "2026-11-19T12:00:00",
        "2026-11-21T00:00:00",
    )];
    let mut w = World::new(p);
    w.vendors.oncall = vec![
        shift("kim", "2026-11-16T00:00:00Z", "2026-11-18T10:00:00Z"),
        shift("lee", "2026-11-18T12:00:00Z", "2026-11-30T00:00:00Z"),
    ];
    w.read();
    w
}

#[test]
fn rules_fit_and_cover_each_refuse_with_their_times() {
    let w = world();
    // 30 min planned, 5 min of gate, 30 min of presence.
    let open = one(&w, "2026-11-17T14:00:00+01:00");
    assert_eq!(open.state, StartState::Open);
    assert_eq!(open.reasons[0].rule, "office hours");
    assert_eq!(
        open.next_change,
        Some(at("2026-11-17T15:55:01+01:00")),
        "the first second at which it does not fit any more"
    );
    let late = one(&w, "2026-11-17T16:30:00+01:00");
    assert_eq!(late.state, StartState::Closed);
    let fit = late
        .reasons
        .iter()
        .find(|r| r.kind == ReasonKind::Fit)
        .unwrap();
    assert_eq!(fit.from, Some(at("2026-11-17T15:55:01+01:00")));
    assert_eq!(fit.until, Some(at("2026-11-17T17:00:00+01:00")));
    assert!(
        fit.sentence
            .contains("Closes in 30 min; this release needs 65 min")
    );
    assert_eq!(late.next_change, Some(at("2026-11-18T09:00:00+01:00")));
    let gap = one(&w, "2026-11-18T10:30:00+01:00");
    assert_eq!(gap.state, StartState::Closed);
    let cover = gap
        .reasons
        .iter()
        .find(|r| r.kind == ReasonKind::Cover)
        .unwrap();
    assert_eq!(cover.from, Some(at("2026-11-18T10:00:00Z")));
    assert_eq!(cover.until, Some(at("2026-11-18T12:00:00Z")));
    assert_eq!(cover.owner.as_deref(), Some("lou"));
    assert_eq!(gap.next_change, Some(at("2026-11-18T12:00:00Z")));
    let frozen = one(&w, "2026-11-19T12:00:00+01:00");
    assert_eq!(frozen.reasons[0].kind, ReasonKind::Freeze);
    assert_eq!(frozen.reasons[0].owner.as_deref(), Some("finance"));
    // After Saturday midnight the window is closed until Monday.
    assert_eq!(frozen.next_change, Some(at("2026-11-23T09:00:00+01:00")));
    // Beyond the schedule it is not known who is on call.
    let beyond = one(&w, "2026-12-02T10:00:00+01:00");
    assert_eq!(beyond.state, StartState::Unknown);
    assert_eq!(beyond.reasons.last().unwrap().kind, ReasonKind::Cover);
    let only = ask(&w, true, &[at("2026-11-18T10:30:00+01:00")]).remove(0);
    assert_eq!(only.state, StartState::Open);
    assert_eq!(only.next_change, Some(at("2026-11-18T17:00:00+01:00")));
}

#[test]
fn a_history_of_five_takes_the_place_of_the_plan() {
    let mut w = world();
    w.journal
        .lengths
        .insert("checkout".into(), vec![600, 600, 600, 600, 1200]);
    // 20 min + 5 min + 30 min.
    let answer = one(&w, "2026-11-17T14:00:00+01:00");
    assert_eq!(answer.next_change, Some(at("2026-11-17T16:05:01+01:00")));
    assert!(
        answer
            .notes
            .iter()
            .any(|n| n.contains("P90 of earlier deployments"))
    );
}

#[test]
fn now_it_says_what_the_permit_says() {
    let mut w = world();
    for time in [
        "2026-11-17T14:00:00+01:00",
        "2026-11-17T16:30:00+01:00",
        "2026-11-18T10:30:00+01:00",
        "2026-11-18T13:30:00+01:00",
        "2026-11-19T13:00:00+01:00",
        "2026-11-22T13:00:00+01:00",
    ] {
        w.set_now(at(time));
        w.read();
        w.compile();
        let refused: Vec<String> = match w.permit("deploy") {
            Ok(_) => Vec::new(),
            Err(list) => list.into_iter().map(|r| r.rule).collect(),
        };
        let rules = |word: &str| refused.iter().any(|r| r.starts_with(word));
        let permitted = !["freeze/", "window/", "fit", "cover", "calendar"]
            .iter()
            .any(|word| rules(word));
        let answer = one(&w, time);
        assert_eq!(
            answer.state == StartState::Open,
            permitted,
            "{time}: {refused:?} {answer:?}"
        );
    }
}

#[test]
fn the_change_is_the_first_one_minute_by_minute() {
    let w = world();
    let from = at("2026-11-16T00:00:00Z");
    let times: Vec<Instant> = (0..8 * 1_440)
        .map(|m| from + Duration::minutes(m))
        .collect();
    let answers = ask(&w, false, &times);
    let mut flips = 0;
    for pair in answers.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        if a.state == b.state {
            assert!(
                a.next_change.is_none_or(|c| c > b.at),
                "{a:?} changes nothing"
            );
        } else {
            flips += 1;
            let change = a.next_change.unwrap();
            assert!(a.at < change && change <= b.at, "{a:?} then {b:?}");
        }
    }
    assert!(flips >= 10, "{flips}");
    // By the second around one of them.
    for (time, state) in [
        ("2026-11-17T15:55:00+01:00", StartState::Open),
        ("2026-11-17T15:55:01+01:00", StartState::Closed),
    ] {
        assert_eq!(one(&w, time).state, state, "{time}");
    }
}

#[test]
fn beyond_what_a_calendar_was_read_for_nothing_is_open() {
    let mut p = policy();
    p.windows.clear();
    p.calendars = vec![
        serde_json::from_value(serde_json::json!({
            "name": "days", "connection": "ical", "rules": [{ "becomes": "freeze" }],
        }))
        .unwrap(),
    ];
    let mut w = World::new(p);
    w.compile();
    let state = |w: &World, time: &str| ask(w, true, &[at(time)]).remove(0).state;
    assert_eq!(state(&w, "2027-11-17T14:00:00Z"), StartState::Open);
    assert_eq!(state(&w, "2028-03-17T14:00:00Z"), StartState::Unknown);
    assert_eq!(state(&w, "2026-09-17T14:00:00Z"), StartState::Unknown);
    w.policy.calendars.clear();
    assert_eq!(state(&w, "2031-03-17T14:00:00Z"), StartState::Open);
}
