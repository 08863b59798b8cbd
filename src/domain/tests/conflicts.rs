//! Plans in each other's way: every kind, with both parties and the way out; deadlines and order.

use chrono::Duration;

use crate::domain::policy::{Check, Policy, Release, RiskClass, Rotation};
use crate::domain::record::{BuildState, Event, Oncall};
use crate::domain::situation::{Conflict, ConflictKind as Kind, PartyKind, Situation};
use crate::domain::testkit::*;
use crate::domain::time::Instant;

/// Only these kinds: a release on a Tuesday in the window has none.
fn found(p: Policy) -> Vec<Conflict> {
    World::new(p).assess().calendar.conflicts
}

fn planned(others: Vec<Release>) -> Vec<Conflict> {
    let mut p = policy();
    p.windows.clear();
    p.releases.extend(others);
    found(p)
}

fn at_minute(id: &str, service: &str, minutes: i64, driver: &str) -> Release {
    let mut r = release(id, vec![change(service, "9.0.0")]);
    r.planned = Some(tuesday() + Duration::minutes(minutes));
    r.driver = Some(driver.into());
    r
}

fn kinds(list: &[Conflict]) -> Vec<Kind> {
    list.iter().map(|c| c.kind).collect()
}

#[track_caller]
fn one(list: &[Conflict], kind: Kind) -> &Conflict {
    let of: Vec<&Conflict> = list.iter().filter(|c| c.kind == kind).collect();
    assert_eq!(of.len(), 1, "{kind:?}: {list:#?}");
    of[0]
}

#[test]
fn a_release_alone_in_its_window_is_in_nobodys_way() {
    let s = World::default().assess();
    assert_eq!(s.calendar.conflicts, []);
    assert_eq!(s.calendar.unsure, [] as [&str; 0]);
}

#[test]
fn the_same_service_twice() {
    let list = planned(vec![at_minute("b", "checkout", 20, "lou")]);
    let c = one(&list, Kind::SameService);
    assert_eq!(kinds(&list), [Kind::SameService]);
    assert_eq!((c.one.name.as_str(), c.other.name.as_str()), (RELEASE, "b"));
    assert_eq!(
        (c.one.owner.as_deref(), c.other.owner.as_deref()),
        (Some("ana"), Some("lou"))
    );
    assert_eq!(c.from, tuesday() + Duration::minutes(20));
    // 30 min + 5 min gate + 30 min presence.
    assert_eq!(c.until, Some(tuesday() + Duration::minutes(65)));
    assert_eq!(
        c.to_string(),
        "checkout is in shop-47 and in b at the same time: move shop-47 or b: shop-47 is over at 15:05 (14:05 UTC), or ship both as one release"
    );
    assert!(planned(vec![at_minute("b", "checkout", 65, "lou")]).is_empty());
    let mut elsewhere = at_minute("b", "checkout", 20, "lou");
    elsewhere.environment = "staging".into();
    assert!(planned(vec![elsewhere]).is_empty());
}

#[test]
fn a_dependency_in_the_same_span_or_the_half_hour_after() {
    for (minutes, dependency, order) in [
        (-30, true, false),
        (-65, false, false),
        (30, true, true),
        (94, true, true),
        (95, false, true),
        // Beyond the watch nobody minds.
        (35 + 24 * 60, false, false),
    ] {
        let list = planned(vec![at_minute("b", "payments", minutes, "lou")]);
        let has = |kind| list.iter().any(|c| c.kind == kind);
        assert_eq!(has(Kind::Dependency), dependency, "at {minutes}: {list:#?}");
        assert_eq!(has(Kind::Order), order, "at {minutes}: {list:#?}");
    }
    let list = planned(vec![at_minute("b", "payments", 80, "lou")]);
    let c = one(&list, Kind::Dependency);
    assert!(
        c.sentence
            .contains("checkout of shop-47 depends on payments, which b releases 15 min after it"),
        "{c}"
    );
    assert!(
        c.way_out
            .contains("ship b first and start shop-47 when it is over"),
        "{c}"
    );
    let c = one(&list, Kind::Order);
    assert!(
        c.sentence
            .contains("shop-47 takes checkout live before b releases payments"),
        "{c}"
    );
}

#[test]
fn two_that_build_on_each_other_are_one_release() {
    let mut p = policy();
    p.windows.clear();
    p.services.push(service("cart", &["basket"]));
    p.services.push(service("basket", &[]));
    p.releases = vec![
        release("a", vec![change("checkout", "2"), change("basket", "2")]),
        at_minute("b", "payments", 200, "lou"),
    ];
    p.releases[1].changes.push(change("cart", "2"));
    let list = found(p);
    let c = one(&list, Kind::Order);
    assert!(c.way_out.contains("make a and b one release"), "{c}");
}

#[test]
fn releases_name_what_they_build_on() {
    let after = |b: Option<i64>| {
        let mut b_release = at_minute("b", "payments", b.unwrap_or(0), "lou");
        b_release.environment = "staging".into();
        if b.is_none() {
            b_release.planned = None;
        }
        let mut p = policy();
        p.windows.clear();
        p.releases[0].depends_on = vec!["b".into()];
        p.releases.push(b_release);
        found(p)
    };
    let list = after(Some(-30));
    let c = one(&list, Kind::Order);
    assert!(c.sentence.contains("builds on b and starts before"), "{c}");
    assert!(c.way_out.starts_with("move shop-47 to 14:35"), "{c}");
    assert!(after(Some(-65)).is_empty());
    assert!(
        one(&after(None), Kind::Order)
            .sentence
            .contains("no time yet")
    );
    let mut w = World::default();
    w.policy.releases[0].depends_on = vec!["b".into()];
    w.append_for(
        Some("b"),
        crate::domain::event::Body::ReleaseClosed {
            closing: crate::domain::event::Closing::RolledBack,
            detail: "bad".into(),
        },
    );
    let s = w.assess();
    assert!(
        one(&s.calendar.conflicts, Kind::Order)
            .sentence
            .contains("which was rolled back")
    );
}

#[test]
fn one_release_at_a_time_in_an_exclusive_environment() {
    let list = |exclusive: bool, minutes: i64| {
        let mut p = policy();
        p.windows.clear();
        p.services.push(service("search", &[]));
        p.environments[1].exclusive = exclusive;
        p.releases.push(at_minute("b", "search", minutes, "lou"));
        found(p)
    };
    assert!(list(false, 20).is_empty());
    assert!(list(true, 65).is_empty());
    let found = list(true, 20);
    let c = one(&found, Kind::Lock);
    assert!(
        c.sentence
            .starts_with("production takes one release at a time"),
        "{c}"
    );
}

#[test]
fn one_driver_for_two() {
    let mut one_more = at_minute("b", "checkout", 20, "ana");
    one_more.environment = "staging".into();
    let list = planned(vec![one_more]);
    assert_eq!(kinds(&list), [Kind::Driver]);
    assert!(list[0].sentence.contains("ana drives shop-47 and b"));
    assert!(list[0].way_out.starts_with("let somebody else drive one"));
}

#[test]
fn a_freeze_in_the_span_and_one_in_the_watch() {
    let frozen = |from: &str, to: &str| {
        let mut p = policy();
        p.freezes = vec![freeze("quarter end", from, to)];
        found(p)
    };
    let list = frozen("2026-11-17T14:30:00", "2026-11-19T00:00:00");
    let c = one(&list, Kind::Freeze);
    assert_eq!(kinds(&list), [Kind::Freeze]);
    assert_eq!(c.other.kind, PartyKind::Freeze);
    assert_eq!(c.other.owner.as_deref(), Some("finance"));
    assert!(
        c.sentence
            .contains("shop-47 meets freeze quarter end at 14:30"),
        "{c}"
    );
    assert!(
        c.way_out.contains(
            "move shop-47 to Thu 19 Nov 09:00 (08:00 UTC), where it fits, or ask finance"
        ),
        "{c}"
    );
    let list = frozen("2026-11-18T00:00:00", "2026-11-20T00:00:00");
    let c = one(&list, Kind::Watch);
    assert_eq!(kinds(&list), [Kind::Watch]);
    assert!(
        c.sentence.contains(
            "the watch of shop-47 (until Wed 18 Nov 14:35 (13:35 UTC)) runs into freeze quarter end"
        ),
        "{c}"
    );
    assert!(
        c.way_out.contains("after the freeze (Fri 20 Nov 00:00"),
        "{c}"
    );
    // With its 24 h watch over before it, nothing is in the way.
    assert!(frozen("2026-11-18T14:35:00", "2026-11-20T00:00:00").is_empty());
    // A security repair is exempted where the freeze says so.
    let mut p = policy();
    let mut f = freeze("quarter end", "2026-11-17T14:30:00", "2026-11-19T00:00:00");
    f.except = vec!["security".into()];
    p.freezes = vec![f];
    p.releases[0].purpose = crate::domain::policy::Purpose::Security;
    assert!(found(p).is_empty());
}

#[test]
fn outside_every_window_and_too_late_for_one() {
    let at = |minutes: i64| {
        let mut p = policy();
        p.releases[0].planned = Some(tuesday() + Duration::minutes(minutes));
        found(p)
    };
    let list = at(4 * 60);
    let c = one(&list, Kind::Window);
    assert_eq!(kinds(&list), [Kind::Window]);
    assert_eq!(c.other.name, "office hours");
    assert!(
        c.way_out.contains("move shop-47 to Wed 18 Nov 09:00"),
        "{c}"
    );
    let list = at(2 * 60);
    let c = one(&list, Kind::Fit);
    assert_eq!(kinds(&list), [Kind::Fit]);
    assert!(
        c.sentence.contains("shop-47 needs 1 h 05 m, until 17:05")
            && c.sentence.contains("closes 17:00"),
        "{c}"
    );
    assert!(at(115).is_empty());
}

fn shift(person: &str, from: &str, until: Option<&str>) -> Oncall {
    Oncall {
        from: Some(crate::domain::testkit::at(from)),
        until: until.map(crate::domain::testkit::at),
        ..oncall(1, person)
    }
}

fn covered_by(shifts: Vec<Oncall>, change: impl Fn(&mut World)) -> Situation {
    let mut w = World::default();
    w.vendors.oncall = shifts;
    change(&mut w);
    w.read();
    w.compile();
    w.assess()
}

#[test]
fn nobody_on_call_for_a_part_of_it() {
    let s = covered_by(
        vec![shift(
            "kim",
            "2026-11-16T08:00:00Z",
            Some("2026-11-17T13:30:00Z"),
        )],
        |_| {},
    );
    let c = one(&s.calendar.conflicts, Kind::Cover);
    assert!(c.sentence.contains("kim's shift ends 14:30"), "{c}");
    assert_eq!(c.other.owner.as_deref(), Some("lou"));
    assert_eq!(c.from, at("2026-11-17T13:30:00Z"));
    // A gap with somebody after it says until when.
    let s = covered_by(
        vec![
            shift("kim", "2026-11-16T08:00:00Z", Some("2026-11-17T13:30:00Z")),
            shift("lee", "2026-11-17T13:45:00Z", None),
        ],
        |_| {},
    );
    let c = one(&s.calendar.conflicts, Kind::Cover);
    assert_eq!(c.until, Some(at("2026-11-17T13:45:00Z")));
    // One who goes on from there leaves none.
    let s = covered_by(
        vec![
            shift("kim", "2026-11-16T08:00:00Z", Some("2026-11-17T13:30:00Z")),
            shift("lee", "2026-11-17T13:30:00Z", None),
        ],
        |_| {},
    );
    assert_eq!(s.calendar.conflicts, []);
    // What the schedule does not reach is not known, and no conflict.
    let s = covered_by(
        vec![shift(
            "kim",
            "2026-11-16T08:00:00Z",
            Some("2026-11-18T08:00:00Z"),
        )],
        |w| w.policy.releases[0].planned = Some(at("2026-11-24T13:00:00Z")),
    );
    assert_eq!(s.calendar.conflicts, []);
    assert!(
        s.calendar.unsure[0].contains("known only until Wed 18 Nov"),
        "{:?}",
        s.calendar.unsure
    );
    // A rotation goes on by itself; no source at all closes nothing.
    let s = covered_by(Vec::new(), |w| {
        w.policy.oncall.connection = None;
        w.policy.oncall.rotations = vec![Rotation {
            level: 1,
            people: vec!["kim".into()],
            start: at("2026-11-01T00:00:00Z"),
            turn: 7 * 86_400,
        }];
    });
    assert_eq!(s.calendar.conflicts, []);
    let s = covered_by(Vec::new(), |w| w.policy.oncall.connection = None);
    assert_eq!((s.calendar.conflicts, s.calendar.unsure), (vec![], vec![]));
}

fn holiday(name: &str, from: &str, until: &str) -> Event {
    Event {
        uid: name.into(),
        summary: name.into(),
        all_day: true,
        spans: vec![crate::domain::recur::EventSpan::plain(
            crate::domain::time::Span::new(at(from), at(until)),
        )],
        ..Event::default()
    }
}

#[test]
fn the_watch_runs_into_days_off_without_cover() {
    let friday = at("2026-11-20T10:00:00+01:00");
    let week = |until: &str| vec![shift("kim", "2026-11-16T08:00:00Z", Some(until))];
    let on_friday = |w: &mut World| w.policy.releases[0].planned = Some(friday);
    let s = covered_by(week("2026-11-20T17:00:00Z"), on_friday);
    let c = one(&s.calendar.conflicts, Kind::Watch);
    assert_eq!(c.other.kind, PartyKind::Weekend);
    assert!(
        c.sentence.contains("runs into a weekend without cover"),
        "{c}"
    );
    assert_eq!(c.from, at("2026-11-20T23:00:00Z"));
    assert_eq!(
        c.until,
        Some(at("2026-11-21T09:35:00Z")),
        "the end of its watch"
    );
    assert_eq!(
        covered_by(week("2026-11-23T08:00:00Z"), on_friday)
            .calendar
            .conflicts,
        []
    );
    // A holiday of a calendar counts as well, and one elsewhere does not.
    for (team, conflicts) in [("shop", 1), ("other", 0)] {
        let s = covered_by(week("2026-11-17T22:00:00Z"), |w| {
            w.policy.calendars = vec![
                serde_json::from_value(serde_json::json!({
                    "name": "days", "connection": "ical",
                    "rules": [{ "becomes": "holiday", "scope": { "teams": [team] } }],
                }))
                .unwrap(),
            ];
            let event = holiday("Repentance", "2026-11-17T23:00:00Z", "2026-11-18T23:00:00Z");
            w.vendors.events.insert("days".into(), vec![event]);
        });
        let list = &s.calendar.conflicts;
        assert_eq!(list.len(), conflicts, "{list:#?}");
        if let Some(c) = list.first() {
            assert_eq!(c.other.kind, PartyKind::Holiday);
            assert!(
                c.sentence.contains("holiday Repentance without cover"),
                "{c}"
            );
        }
    }
}

#[test]
fn an_unread_calendar_leaves_it_unknown() {
    let s = covered_by(vec![oncall(1, "kim")], |w| {
        w.policy.calendars = vec![
            serde_json::from_value(serde_json::json!({
                "name": "days", "connection": "ical", "rules": [{ "becomes": "freeze" }],
            }))
            .unwrap(),
        ];
        w.silent.push("calendar/".into());
    });
    assert_eq!(s.calendar.conflicts, []);
    assert!(s.calendar.unsure[0].contains("calendar days was not read"));
}

#[test]
fn deadlines_show_what_is_open_and_pass_with_it() {
    let with = |set: &dyn Fn(&mut World, Instant)| {
        let mut w = World::default();
        let now = w.now.world;
        set(&mut w, now);
        w.read();
        w.assess().calendar
    };
    // Code freeze: the image is there, no commit is younger.
    let c = with(&|w, now| w.policy.releases[0].deadlines.code_freeze = Some(now));
    assert_eq!(c.deadlines.len(), 1);
    assert_eq!(c.deadlines[0].mark.word, "done", "{:?}", c.deadlines);
    assert_eq!(c.conflicts, []);
    let c = with(&|w, now| {
        w.policy.releases[0].deadlines.code_freeze = Some(now - Duration::hours(1));
        w.vendors.absent.insert(NEW.into());
        w.policy.releases[0].changes[0].from = Some(OLD.into());
        w.vendors.commits = vec![crate::domain::record::Commit {
            at: Some(now),
            ..Default::default()
        }];
    });
    assert_eq!(c.deadlines[0].open.len(), 2, "{:?}", c.deadlines);
    let late = one(&c.conflicts, Kind::Deadline);
    assert!(
        late.sentence
            .contains("\"code freeze\" of shop-47 passed 13:00")
            && late.sentence.contains("1 commit that is younger")
            && late.sentence.contains("not in the registry"),
        "{late}"
    );
    assert!(
        late.way_out.contains("later code freeze with ben"),
        "{late}"
    );
    // Testing: CI decides, and what it lacks is open.
    for (state, open) in [(BuildState::Succeeded, 0), (BuildState::Running, 1)] {
        let c = with(&|w, now| {
            w.policy.releases[0].deadlines.testing = Some(now + Duration::hours(1));
            w.vendors.builds = vec![crate::domain::record::Build {
                name: "unit".into(),
                version: NEW.into(),
                state,
                ..Default::default()
            }];
        });
        assert_eq!(c.deadlines[0].open.len(), open, "{:?}", c.deadlines);
        assert_eq!(c.conflicts, [], "it is ahead");
    }
    let c = with(&|w, now| {
        w.policy.releases[0].deadlines.testing = Some(now);
        w.policy.checklist[0].check = Check::CiGreen {
            required: vec!["acceptance".into()],
        };
        w.silent.push("builds/".into());
        w.observed.feeds.retain(|id, _| !id.starts_with("builds/"));
    });
    assert!(
        c.deadlines[0].open[0].contains("were not read"),
        "{:?}",
        c.deadlines
    );
    assert_eq!(c.conflicts.len(), 1);
    // Without CI the manual items stand for it.
    let c = with(&|w, now| {
        w.policy.releases[0].deadlines.testing = Some(now);
        w.policy.services[0].builds = None;
    });
    assert_eq!(c.deadlines[0].open, ["tests is not ticked"]);
    // Deploy: planned beyond it, and passed.
    let c =
        with(&|w, now| w.policy.releases[0].deadlines.deploy = Some(now + Duration::minutes(34)));
    let late = one(&c.conflicts, Kind::Deadline);
    assert!(late.sentence.contains("planned to be live 14:35"), "{late}");
    assert!(late.way_out.contains("start it by 13:59"), "{late}");
    let c =
        with(&|w, now| w.policy.releases[0].deadlines.deploy = Some(now + Duration::minutes(35)));
    assert_eq!(c.conflicts, []);
    let mut w = World::shipped();
    w.policy.releases[0].deadlines.deploy = Some(w.now.world);
    let c = w.assess().calendar;
    assert_eq!(c.deadlines[0].mark.word, "done", "{:?}", c.deadlines);
}

#[test]
fn a_rollout_under_way_is_measured_by_what_is_left_of_it() {
    let mut w = World::deployed();
    w.policy
        .releases
        .push(at_minute("b", "checkout", 80, "lou"));
    w.minutes(20).unwrap();
    // 20 minutes in, 65 more are needed: it will be in the way at 80 minutes.
    let s = w.assess();
    let c = one(&s.calendar.conflicts, Kind::SameService);
    assert_eq!(c.until, Some(w.now.world + Duration::minutes(65)));
    assert!(c.way_out.starts_with("move b to 15:25"), "{c}");
    // Shipped, only the presence is left.
    let w = World::shipped();
    let mut later = w.clone();
    later
        .policy
        .releases
        .push(at_minute("b", "checkout", 80, "lou"));
    assert_eq!(later.assess().calendar.conflicts, []);
}

#[test]
fn releases_stand_in_the_order_in_which_they_can_go() {
    let mut p = policy();
    p.releases = vec![
        at_minute("checkout-first", "checkout", 0, "ana"),
        at_minute("payments-later", "payments", 500, "ana"),
        at_minute("nobody-waits", "checkout", 100, "ana"),
    ];
    p.releases[2].environment = "staging".into();
    let mut named = at_minute("named", "payments", -10, "ana");
    named.depends_on = vec!["checkout-first".into()];
    named.environment = "staging".into();
    p.releases.push(named);
    let order = World::new(p).assess().calendar.order;
    assert_eq!(
        order,
        ["payments-later", "checkout-first", "named", "nobody-waits"]
    );
}

#[test]
fn many_releases_are_looked_at_in_a_time_that_grows_with_them() {
    let took = |count: i64| {
        let mut p = policy();
        p.services = (0..count).map(|n| service(&format!("s{n}"), &[])).collect();
        p.releases = (0..count)
            .map(|n| {
                at_minute(
                    &format!("r{n}"),
                    &format!("s{n}"),
                    n * 120,
                    &format!("d{n}"),
                )
            })
            .collect();
        p.releases[0].risk = RiskClass::High;
        let mut w = World::new(p);
        w.vendors.oncall = vec![oncall(1, "kim")];
        w.read();
        let _ = w.assess();
        let begin = std::time::Instant::now();
        let s = w.assess();
        (s.calendar.conflicts.len(), begin.elapsed())
    };
    // Square growth would be 25 times; what is left is generous for a busy machine.
    let ((_, small), (_, large)) = (took(40), took(200));
    assert!(
        large < small * 18 + std::time::Duration::from_millis(50),
        "{small:?} {large:?}"
    );
}
